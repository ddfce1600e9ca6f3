/** Device: where a Program's kernels run. It knows buffers and launches, not models. */
import type { Launch, Sizes } from "../program.ts";

/** Memory that kernels and the trainer share; views are good until `free`. Aligned to 64 bytes. */
export interface Memory {
  readonly byteLength: number;
  /** All of it. Throws a RangeError above 4 GiB: ask for parts then. */
  readonly bytes: Uint8Array;
  f32(offset: number, length: number): Float32Array;
  i32(offset: number, length: number): Int32Array;
  free(): void;
}

/** Where one tensor lies. */
export interface Placement {
  readonly memory: Memory;
  readonly offset: number;
}

/** Launches bound to memory and sizes; `run` executes all in order and returns when they are done. */
export interface BoundPhase {
  /** Values for the named scalars of the launches. Throws when one is missing. */
  run(scalars: Readonly<Record<string, number>>): void;
}

export interface Kernels {
  bind(launches: readonly Launch[], place: (tensor: number) => Placement, sizes: Sizes): BoundPhase;
}

/** C sources by file name, compiled together; exported entry names. */
export interface KernelSources {
  readonly files: Readonly<Record<string, string>>;
  readonly entries: readonly string[];
}

export interface Device {
  /** `cpu-native` or `cpu-wasm`. */
  readonly name: string;
  readonly threads: number;
  /** One line for people: compiler and version, vector width, threads. */
  readonly description: string;
  load(sources: KernelSources): Promise<Kernels>;
  /** Zero-filled memory. Throws LctxError `device-memory`, which names the bytes asked for and free. */
  allocate(byteLength: number): Memory;
  close(): void;
}
