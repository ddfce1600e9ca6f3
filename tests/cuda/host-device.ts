/** Runs CUDA calls on the host: the printed kernels, compiled as C++ over fibers; Hopper's with its instructions imitated. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import {
  evaluateLaunchSize,
  type CudaCall,
  type CudaSource,
  type LaunchSize,
  type LaunchSizes,
} from "../../runtime/device/cuda/launch.ts";
import { hopperOnHost } from "./host-hopper.ts";

const header = join(import.meta.dirname, "host-device.hpp");
const hopperHeader = join(import.meta.dirname, "host-hopper.hpp");

/** Functions made of PTX are dropped: the host has its own under the same names. */
function withoutPtx(text: string): string {
  const kept: string[] = [];
  let open: string[] = [];
  let depth = 0;
  for (const line of text.split("\n")) {
    open.push(line);
    if (!line.startsWith("#")) for (const sign of line) depth += sign === "{" ? 1 : sign === "}" ? -1 : 0;
    if (depth > 0) continue;
    const whole = open.join("\n");
    if (!/\basm\b/.test(whole)) kept.push(whole);
    open = [];
  }
  return kept.join("\n");
}

/** Whole numbers of a tensor map: extents, strides and box. */
const mapSizes = 11;

const halves = `static inline float lctx_real(unsigned short x) { return f16_real(x); }
static inline float lctx_low(unsigned x) { return f16_real((unsigned short)x); }
static inline float lctx_high(unsigned x) { return f16_real((unsigned short)(x >> 16)); }`;

function partOf(source: CudaSource, call: CudaCall, n: number): string {
  const name = /cvt\.rn\.f16x2/.test(source.text) ? "f16" : "bf16";
  const launch = call.launches.find((own) => call.sources[own.source] === source)!;
  let [pointers, ints, longs, floats] = [0, 0, 0, 0];
  const given = launch.arguments.map((argument) => {
    switch (argument.kind) {
      case "pointer":
        return `host_pointer{pointers[${pointers++}]}`;
      case "i32":
        return `ints[${ints++}]`;
      case "i64":
        return `longs[${longs++}]`;
      case "f32":
        return `floats[${floats++}]`;
      case "tensor-map":
        ints += mapSizes;
        return `host_map{pointers[${pointers++}], ints + ${ints - mapSizes}}`;
    }
  });
  const hopper = source.architecture === "sm_90a";
  const text = withoutPtx(hopper ? hopperOnHost(source.text) : source.text)
    .replaceAll("extern __shared__ char raw[];", "char *raw = (char *)host_shared;")
    .replaceAll(/extern __shared__ [^;]*;/g, "unsigned char *lctx_memory = host_shared;")
    .replaceAll('extern "C" __global__', "static __global__");
  return `namespace part_${n} {
static inline unsigned lctx_pack(float low, float high) { return ${name}_pack(low, high); }
static inline void lctx_mma(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) { ${name}_mma(c, a, b0, b1); }
${name === "f16" ? halves : ""}
${text}
}
extern "C" const char *launch_${n}(void **pointers, const int *ints, const long long *longs, const float *floats, int gx, int gy, int gz, int shared, int seed) {
  host_random = seed;
${hopper ? "  host_before_block = host_start_block, host_eager = seed & 1;" : "  host_before_block = nullptr, host_each_round = nullptr, host_after_block = nullptr;"}
  return host_run(gx, gy, gz, ${launch.threads}, shared, [&] { part_${n}::${source.entry}(${given.join(", ")}); });
}
`;
}

const isHopper = ({ sources }: CudaCall): boolean =>
  sources.some(({ architecture }) => architecture === "sm_90a");

type Launcher = (
  pointers: BigUint64Array,
  ints: Int32Array,
  longs: BigInt64Array,
  floats: Float32Array,
  ...grid: number[]
) => string | null;

/**
 * Runs a call over buffers at these addresses; 0n where there is none. With a `seed`, threads go on in a random order that
 * follows from it, and Hopper's products run at once where it is odd; with 0, all threads go on in turn.
 */
export type HostLaunches = (
  buffers: readonly bigint[],
  sizes: LaunchSizes,
  scalars?: Readonly<Record<string, number>>,
  seed?: number,
) => void;

/** A buffer that is null has address 0. */
export type HostCall = (
  buffers: readonly (ArrayBufferView | null)[],
  sizes: LaunchSizes,
  scalars?: Readonly<Record<string, number>>,
  seed?: number,
) => void;

/** Where a view's numbers lie; the view must outlive the use. */
export const addressOf = ({ buffer, byteOffset }: ArrayBufferView): bigint =>
  BigInt(koffi.address(buffer as ArrayBuffer)) + BigInt(byteOffset);

/** Scratch of the call that runs: an address alone does not keep memory alive. */
let scratchInUse: readonly Uint8Array[] = [];

/** Scratch of the call that runs: its addresses alone would not keep it. */
let held: readonly Uint8Array[] = [];

/** Functions that run calls over memory of the host; null where there is no C++ compiler. */
export function hostLaunches(calls: readonly CudaCall[]): readonly HostLaunches[] | null {
  const folder = mkdtempSync(join(tmpdir(), "lctx-host-"));
  const file = join(folder, "kernels.cpp");
  // Calls whose kernels have the same text share them: their arguments are the same too.
  const numbers = new Map<string, number>();
  const parts = calls.flatMap((call) =>
    call.sources.flatMap((source) => {
      if (numbers.has(source.text)) return [];
      const n = numbers.size;
      numbers.set(source.text, n);
      return [partOf(source, call, n)];
    }),
  );
  const headers = [header, ...(calls.some(isHopper) ? [hopperHeader] : [])];
  writeFileSync(file, `${headers.map((path) => `#include "${path}"\n`).join("")}${parts.join("")}`);
  const library = join(folder, "kernels.so");
  const flags = ["-std=c++17", "-O1", "-w", "-U_FORTIFY_SOURCE", "-shared", "-fPIC", "-mno-red-zone"];
  const run = spawnSync("g++", [...flags, "-o", library, file], { encoding: "utf8" });
  if (run.error !== undefined) return null;
  if (run.status !== 0) throw new Error(run.stderr.slice(0, 4000));
  const loaded = koffi.load(library);
  const types = ["uint64_t *", "int *", "int64_t *", "float *", ...Array<string>(5).fill("int")];
  const launchers = new Map(
    [...numbers].map(([text, n]) => [text, loaded.func(`launch_${n}`, "str", types) as unknown as Launcher]),
  );
  return calls.map((call) => (buffers, sizes, scalars = {}, seed = 0) => {
    if (buffers.length !== call.buffers) throw new Error(`${call.buffers} buffers, not ${buffers.length}`);
    const scratch = call.scratch.map(({ bytes, zero }) =>
      new Uint8Array(evaluateLaunchSize(bytes, sizes)).fill(zero ? 0 : 0xff),
    );
    scratchInUse = scratch;
    held = scratch;
    const all = [...buffers, ...held.map(addressOf)];
    for (const launch of call.launches) {
      const source = call.sources[launch.source]!;
      const sized = (size: LaunchSize): number => evaluateLaunchSize(size, { multiprocessors: 3, ...sizes });
      const grid = launch.grid.map(sized);
      if (grid.some((blocks) => blocks <= 0)) continue;
      const pointers: bigint[] = [];
      const ints: number[] = [];
      const longs: bigint[] = [];
      const floats: number[] = [];
      for (const own of launch.arguments)
        switch (own.kind) {
          case "pointer":
            pointers.push(all[own.buffer]! + BigInt(sized(own.offset ?? 0)));
            break;
          case "tensor-map":
            pointers.push(all[own.buffer]!);
            ints.push(...[...own.extents, ...own.strides, ...own.box].map(sized));
            break;
          case "i32":
            ints.push(sized(own.value));
            break;
          case "i64":
            longs.push(BigInt(sized(own.value)));
            break;
          case "f32": {
            const value = typeof own.value === "number" ? own.value : scalars[own.value];
            if (value === undefined) throw new Error(`no value for the scalar ${own.value}`);
            floats.push(value);
          }
        }
      const problem = launchers.get(source.text)!(
        BigUint64Array.from(pointers),
        Int32Array.from(ints),
        BigInt64Array.from(longs),
        Float32Array.from(floats),
        ...grid,
        launch.sharedBytes,
        seed,
      );
      if (problem !== null) throw new Error(`${launch.label}: ${problem}`);
    }
    if (scratchInUse === scratch) scratchInUse = [];
  });
}

/** Functions that run calls over typed arrays; null where there is no C++ compiler. */
export function compileForHost(calls: readonly CudaCall[]): readonly HostCall[] | null {
  return (
    hostLaunches(calls)?.map(
      (run): HostCall =>
        (buffers, sizes, scalars, seed) =>
          run(
            buffers.map((buffer) => (buffer === null ? 0n : addressOf(buffer))),
            sizes,
            scalars,
            seed,
          ),
    ) ?? null
  );
}
