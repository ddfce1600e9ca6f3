/** Device: where a Program's kernels run. It knows buffers and launches, not models. */
import type { Launch, Sizes } from "../program.ts";
import type { CudaCall } from "./cuda/launch.ts";

/** What the host does with the numbers of a view: it alone writes them, it reads and writes them, or it reads them. */
export type HostUse = "give" | "change" | "read";

/**
 * Memory that kernels and the trainer share, aligned to 64 bytes. Where the device has memory of its own, a view is a
 * copy, good until the next run; `use` then says which way it is copied. Else views are the memory itself, until `free`.
 */
export interface Memory {
  readonly byteLength: number;
  /** All of it. Throws a RangeError above 4 GiB: ask for parts then. */
  readonly bytes: Uint8Array;
  f32(offset: number, length: number, use?: HostUse): Float32Array;
  i32(offset: number, length: number, use?: HostUse): Int32Array;
  free(): void;
}

/** Where one tensor lies. */
export interface Placement {
  readonly memory: Memory;
  readonly offset: number;
}

/** Launches bound to memory and sizes; `run` executes all in order, and views asked for after it show what they did. */
export interface BoundPhase {
  /** Values for the named scalars of the launches. Throws when one is missing. */
  run(scalars: Readonly<Record<string, number>>): void;
  /** Runs and gives the milliseconds by the device's own clock. Absent where `run` returns when all is done. */
  time?(scalars: Readonly<Record<string, number>>): number;
}

export interface Kernels {
  bind(launches: readonly Launch[], place: (tensor: number) => Placement, sizes: Sizes): BoundPhase;
}

/** C sources by file name, compiled together; exported entry names. */
export interface KernelSources {
  readonly files: Readonly<Record<string, string>>;
  readonly entries: readonly string[];
}

/** CUDA calls by the names that launches give as their kernel; a call's buffers are the launch's, its sizes the program's. */
export interface CudaSources {
  readonly calls: Readonly<Record<string, CudaCall>>;
}

/** What a program's launches run. */
export type ProgramSources = KernelSources | CudaSources;

/** Where the kernels of a program run. */
export type Target = "cpu" | "cuda";

export const targetOf = (sources: ProgramSources): Target => ("calls" in sources ? "cuda" : "cpu");

export interface Device {
  /** `cpu-native`, `cpu-wasm` or `cuda`. */
  readonly name: string;
  readonly threads: number;
  /** One line for people: compiler and version, vector width, threads. */
  readonly description: string;
  /**
   * Makes kernels ready; `wanted` names those that will be launched, all by default. Throws LctxError `wrong-target`
   * for kernels of another target, and what compiling them throws.
   */
  load(sources: ProgramSources, wanted?: ReadonlySet<string>): Promise<Kernels>;
  /** Zero-filled memory. Throws LctxError `device-memory`, which names the bytes asked for and free. */
  allocate(byteLength: number): Memory;
  close(): void;
}
