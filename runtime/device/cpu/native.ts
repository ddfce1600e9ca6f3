/** The native CPU device: C compiled by the machine's compiler, loaded through koffi. */
import koffi, { type LibraryHandle } from "koffi";
import type { Launch, Sizes } from "../../program.ts";
import { LctxError } from "../../errors.ts";
import type { BoundPhase, Device, Kernels, KernelSources, Memory, Placement } from "../device.ts";
import { describeMemory, layLaunches, type LaunchLayout } from "./launch-table.ts";
import { compileLibrary, findCompiler, type Compiler } from "./compile-native.ts";

type Address = bigint;

/** What every compiled library exports besides its kernels. */
interface Support {
  readonly library: LibraryHandle;
  readonly start: (threads: number) => number;
  readonly stop: () => void;
  readonly allocate: (bytes: number) => Address;
  readonly free: (memory: Address) => void;
  readonly run: (table: Address, count: number) => void;
  readonly entries: Address;
}

function open(path: string): Support {
  const library = koffi.load(path);
  return {
    library,
    start: library.func("int64_t lctx_start(int64_t threads)") as unknown as Support["start"],
    stop: library.func("void lctx_stop()") as unknown as Support["stop"],
    allocate: library.func("uintptr_t lctx_allocate(int64_t bytes)") as unknown as Support["allocate"],
    free: library.func("void lctx_free(uintptr_t memory)") as unknown as Support["free"],
    run: library.func("void lctx_run(uintptr_t table, int64_t count)") as unknown as Support["run"],
    entries: BigInt((library.func("uintptr_t lctx_entries()") as unknown as () => number | bigint)()),
  };
}

class NativeMemory implements Memory {
  readonly byteLength: number;
  readonly #buffer: ArrayBuffer;
  readonly address: Address;
  readonly #free: (memory: NativeMemory) => void;

  constructor(address: Address, byteLength: number, free: (memory: NativeMemory) => void) {
    this.address = address;
    this.byteLength = byteLength;
    this.#buffer = koffi.view(address, Math.max(1, byteLength));
    this.#free = free;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#buffer, 0, this.byteLength);
  }

  f32(offset: number, length: number): Float32Array {
    return new Float32Array(this.#buffer, offset, length);
  }

  i32(offset: number, length: number): Int32Array {
    return new Int32Array(this.#buffer, offset, length);
  }

  free(): void {
    this.#free(this);
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
  readonly #cacheFolder: string | null;
  readonly #base: Support;
  readonly #pools: Support[] = [];
  readonly #live = new Set<NativeMemory>();

  constructor(compiler: Compiler, base: Support, threads: number, cacheFolder: string | null) {
    this.#compiler = compiler;
    this.#base = base;
    this.#cacheFolder = cacheFolder;
    this.threads = threads;
    this.description = `${compiler.description}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  }

  async load(sources: KernelSources): Promise<Kernels> {
    const path = await compileLibrary(this.#compiler, sources, this.#cacheFolder);
    const support = open(path);
    // Each library has a pool of its own; one that is loaded twice has started already.
    support.start(this.threads);
    this.#pools.push(support);
    return new NativeKernels(this, support, sources.entries);
  }

  raw(bytes: number): NativeMemory {
    const address = BigInt(this.#base.allocate(bytes));
    if (address === 0n)
      throw new LctxError(
        "device-memory",
        `${describeMemory(bytes)}`,
        "use a smaller batch or length, or fewer layers",
      );
    const memory = new NativeMemory(address, bytes, (gone) => {
      if (!this.#live.delete(gone)) return;
      this.#base.free(gone.address);
    });
    this.#live.add(memory);
    return memory;
  }

  allocate(byteLength: number): Memory {
    return this.raw(byteLength);
  }

  close(): void {
    for (const pool of this.#pools.splice(0)) pool.stop();
  }
}

/** Opens the native device. Throws LctxError `no-compiler` when no C compiler works here. */
export async function openNative(threads: number, cacheFolder: string | null): Promise<Device> {
  const compiler = await findCompiler(cacheFolder);
  return new NativeDevice(compiler, open(compiler.supportLibrary), threads, cacheFolder);
}
