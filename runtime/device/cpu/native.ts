/** The native CPU device: C compiled by the machine's compiler, loaded through koffi. */
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import koffi from "koffi";
import type { Launch, Sizes } from "../../program.ts";
import { LctxError } from "../../errors.ts";
import type { BoundPhase, Device, Kernels, Memory, Placement, ProgramSources } from "../device.ts";
import { cSources } from "./c-sources.ts";
import { compileLibrary, type BuiltLibrary } from "./compile-native.ts";
import { libraryExtension } from "./execute.ts";
import { findCompiler, type Compiler } from "./find-compiler.ts";
import { KernelCache } from "./kernel-cache.ts";
import { describeMemory, layLaunches, type LaunchLayout } from "./launch-table.ts";

type Address = bigint;

/** The library with the device's memory functions. */
interface MemorySupport {
  readonly allocate: (bytes: number) => number | bigint;
  readonly free: (memory: Address, bytes: number) => void;
  readonly vectors: () => string;
}

function openMemory(path: string): MemorySupport {
  const library = koffi.load(path);
  return {
    allocate: library.func("uintptr_t lctx_allocate(int64_t bytes)") as unknown as MemorySupport["allocate"],
    free: library.func("void lctx_free(uintptr_t memory, int64_t bytes)") as unknown as MemorySupport["free"],
    vectors: library.func("const char *lctx_vectors()") as unknown as MemorySupport["vectors"],
  };
}

/** A library of kernels. */
interface Support {
  /** Threads of its pool, or 0 when the pool serves someone else. */
  readonly start: (threads: number) => number | bigint;
  readonly stop: () => void;
  readonly run: (table: Address, count: number) => void;
  readonly entries: Address;
}

function openKernels(path: string): Support {
  const library = koffi.load(path);
  return {
    start: library.func("int64_t lctx_start(int64_t threads)") as unknown as Support["start"],
    stop: library.func("void lctx_stop()") as unknown as Support["stop"],
    run: library.func("void lctx_run(uintptr_t table, int64_t count)") as unknown as Support["run"],
    entries: BigInt((library.func("uintptr_t lctx_entries()") as unknown as () => number | bigint)()),
  };
}

/** Bytes that one ArrayBuffer can view. */
const mostViewed = 2 ** 32;

class NativeMemory implements Memory {
  readonly byteLength: number;
  readonly address: Address;
  /** Views all of it; null where that is too much for one buffer. */
  readonly #whole: ArrayBuffer | null;
  readonly #release: () => void;
  #freed = false;

  constructor(address: Address, byteLength: number, release: () => void) {
    this.address = address;
    this.byteLength = byteLength;
    this.#whole = byteLength > mostViewed ? null : koffi.view(address, Math.max(1, byteLength));
    this.#release = release;
  }

  /** A buffer with these bytes, and where they start in it. */
  #view(offset: number, bytes: number): readonly [ArrayBuffer, number] {
    if (this.#whole !== null) return [this.#whole, offset];
    if (offset < 0 || bytes < 0 || offset + bytes > this.byteLength)
      throw new RangeError(`no ${bytes} bytes at ${offset} of ${this.byteLength}`);
    return [koffi.view(this.address + BigInt(offset), Math.max(1, bytes)), 0];
  }

  get bytes(): Uint8Array {
    if (this.#whole === null) throw new RangeError("more than 4 GiB have no one view");
    const [buffer, start] = this.#view(0, this.byteLength);
    return new Uint8Array(buffer, start, this.byteLength);
  }

  f32(offset: number, length: number): Float32Array {
    const [buffer, start] = this.#view(offset, length * 4);
    return new Float32Array(buffer, start, length);
  }

  i32(offset: number, length: number): Int32Array {
    const [buffer, start] = this.#view(offset, length * 4);
    return new Int32Array(buffer, start, length);
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#release();
  }
}

class NativeKernels implements Kernels {
  readonly #support: Support;
  readonly #device: NativeDevice;
  readonly #functions: ReadonlyMap<string, Address>;

  constructor(device: NativeDevice, support: Support, entries: readonly string[]) {
    this.#device = device;
    this.#support = support;
    const table = new BigUint64Array(koffi.view(support.entries, Math.max(8, entries.length * 8)));
    this.#functions = new Map(entries.map((entry, n) => [entry, table[n]!]));
  }

  bind(launches: readonly Launch[], place: (tensor: number) => Placement, sizes: Sizes): BoundPhase {
    const layout = layLaunches(launches, sizes);
    const memory = this.#device.raw(layout.bytes);
    const words = new BigInt64Array(memory.bytes.buffer, 0, layout.bytes / 8);
    const floats = memory.f32(0, layout.bytes / 4);
    layout.launches.forEach((launch, n) => {
      const entry = this.#functions.get(launch.kernel);
      if (entry === undefined) throw new Error(`no kernel "${launch.kernel}" was compiled`);
      words[n * 4] = entry;
      words[n * 4 + 1] = memory.address + BigInt(launch.buffersAt);
      words[n * 4 + 2] = memory.address + BigInt(launch.sizesAt);
      words[n * 4 + 3] = memory.address + BigInt(launch.scalarsAt);
      launch.buffers.forEach((id, i) => {
        if (id === null) return;
        const { memory: held, offset } = place(id);
        if (!(held instanceof NativeMemory)) throw new Error("a tensor lies in another device's memory");
        words[launch.buffersAt / 8 + i] = held.address + BigInt(offset);
      });
      launch.sizes.forEach((size, i) => (words[launch.sizesAt / 8 + i] = BigInt(size)));
      launch.scalars.forEach((scalar, i) => {
        if (typeof scalar === "number") floats[launch.scalarsAt / 4 + i] = scalar;
      });
    });
    return new NativePhase(this.#support, memory, floats, layout);
  }
}

class NativePhase implements BoundPhase {
  readonly #support: Support;
  readonly #memory: NativeMemory;
  readonly #floats: Float32Array;
  readonly #layout: LaunchLayout;

  constructor(support: Support, memory: NativeMemory, floats: Float32Array, layout: LaunchLayout) {
    this.#support = support;
    this.#memory = memory;
    this.#floats = floats;
    this.#layout = layout;
    // A phase is dropped when sizes change; its table goes with it.
    reclaim.register(this, memory);
  }

  run(scalars: Readonly<Record<string, number>>): void {
    this.#layout.fill(this.#floats, scalars);
    this.#support.run(this.#memory.address, this.#layout.launches.length);
  }
}

const reclaim = new FinalizationRegistry<NativeMemory>((memory) => memory.free());

class NativeDevice implements Device {
  readonly name = "cpu-native";
  readonly threads: number;
  readonly description: string;
  readonly #compiler: Compiler;
  readonly #cache: KernelCache;
  readonly #memory: MemorySupport;
  readonly #loaded = new Map<string, Support>();

  constructor(compiler: Compiler, memory: MemorySupport, threads: number, cache: KernelCache) {
    this.#compiler = compiler;
    this.#memory = memory;
    this.#cache = cache;
    this.threads = threads;
    this.description = [
      `${compiler.description} for ${memory.vectors()}`,
      `${threads} ${threads === 1 ? "thread" : "threads"}`,
      ...(cache.problem === null ? [] : [cache.problem]),
    ].join(", ");
  }

  async load(given: ProgramSources): Promise<Kernels> {
    const sources = cSources(given);
    const built = await compileLibrary(this.#compiler, sources, this.#cache);
    try {
      let support = this.#loaded.get(built.path);
      if (support === undefined) {
        support = this.#startPool(built);
        this.#loaded.set(built.path, support);
      }
      return new NativeKernels(this, support, sources.entries);
    } finally {
      built.release();
    }
  }

  /** Each device has a pool of its own: a library that another one runs is loaded once more, as a copy. */
  #startPool(built: BuiltLibrary): Support {
    const first = openKernels(built.path);
    if (BigInt(first.start(this.threads)) > 0n) return first;
    const folder = this.#cache.workFolder();
    try {
      const copy = join(folder, `copy.${libraryExtension}`);
      copyFileSync(built.path, copy);
      const own = openKernels(copy);
      own.start(this.threads);
      return own;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  raw(bytes: number): NativeMemory {
    // Systems promise more memory than there is, and end the process that then uses it.
    const address = bytes > process.availableMemory() ? 0n : BigInt(this.#memory.allocate(bytes));
    if (address === 0n)
      throw new LctxError(
        "device-memory",
        describeMemory(bytes),
        "use a smaller batch or length, or fewer layers",
      );
    return new NativeMemory(address, bytes, () => this.#memory.free(address, bytes));
  }

  allocate(byteLength: number): Memory {
    return this.raw(byteLength);
  }

  close(): void {
    for (const support of this.#loaded.values()) support.stop();
    this.#loaded.clear();
  }
}

interface Found {
  readonly compiler: Compiler;
  readonly memory: MemorySupport;
}

async function find(cache: KernelCache): Promise<Found> {
  const { compiler, memoryLibrary, release } = await findCompiler(cache);
  try {
    return { compiler, memory: openMemory(memoryLibrary) };
  } finally {
    release();
  }
}

/** Found once for each value of CC. */
const found = new Map<string, Promise<Found>>();

/** Opens the native device. Throws LctxError `no-compiler` when no C compiler works here. */
export async function openNative(threads: number, cacheFolder: string | null): Promise<Device> {
  const cache = new KernelCache(cacheFolder === null ? null : join(cacheFolder, "native"));
  const asked = process.env["CC"] ?? "";
  let finding = found.get(asked);
  if (finding === undefined) {
    finding = find(cache);
    found.set(asked, finding);
    // Installed meanwhile, it should be found.
    finding.catch(() => found.delete(asked));
  }
  const { compiler, memory } = await finding;
  return new NativeDevice(compiler, memory, threads, cache);
}
