/** What device tests share: loading small kernels, and calling one with buffers and sizes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { supportSources } from "../../compiler/backends/cpu/support/sources.ts";
import type { Device, Kernels, KernelSources, Memory } from "../../runtime/device/device.ts";
import type { Launch } from "../../runtime/program.ts";

export const kinds = ["native", "wasm"] as const;

export const sizesOf = (threads: number) => ({ batch: 1, length: 1, threads, "query-start": 0 });

/** Sources of one file beside the support files. */
export const sourcesOf = (text: string, entries: readonly string[]): KernelSources => ({
  files: { ...supportSources, "tested.c": `#include "lctx.h"\n${text}` },
  entries,
});

export const launchOf = (kernel: string, buffers: readonly number[], sizes: readonly number[]): Launch => ({
  kernel,
  label: kernel,
  buffers,
  writes: [],
  sizes,
  scalars: [],
});

/** Calls one kernel with memories as its buffers. */
export function call(
  device: Device,
  kernels: Kernels,
  kernel: string,
  buffers: readonly Memory[],
  sizes: readonly number[] = [],
): void {
  const launch = launchOf(
    kernel,
    buffers.map((_, n) => n),
    sizes,
  );
  const place = (tensor: number) => ({ memory: buffers[tensor]!, offset: 0 });
  kernels.bind([launch], place, sizesOf(device.threads)).run({});
}

/** A folder for one test file; `remove` when done. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "lctx-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Memory that holds these numbers. */
export function floats(device: Device, values: ArrayLike<number>): Memory {
  const memory = device.allocate(Math.max(4, values.length * 4));
  memory.f32(0, values.length).set(values);
  return memory;
}
