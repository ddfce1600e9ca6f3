/** The WebAssembly CPU device: the same C with 128-bit vectors, on worker threads over one shared memory. */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Launch, Sizes } from "../../program.ts";
import { LctxError } from "../../errors.ts";
import type { BoundPhase, Device, Kernels, Memory, Placement, ProgramSources } from "../device.ts";
import { cSources } from "./c-sources.ts";
import { compileModule, wasmCompilerVersion } from "./compile-wasm.ts";
import { KernelCache } from "./kernel-cache.ts";
import { describeMemory, layLaunches, type LaunchLayout } from "./launch-table.ts";
import { WasmHeap } from "./wasm-heap.ts";
import { webAssembly } from "../../web-assembly.ts";

/** Each loaded module has a range of its own at the bottom of the memory: static data, then stacks of the workers. */
const slotBytes = 16 << 20;
const slots = 24;
const workerStack = 256 << 10;
const mostThreads = 32;
const page = 65_536;

type Kernel = (buffers: number, sizes: number, scalars: number) => void;

class WasmMemory implements Memory {
  readonly #heap: WasmHeap;
  readonly address: number;
  readonly byteLength: number;
  #freed = false;

  constructor(heap: WasmHeap, address: number, byteLength: number) {
    this.#heap = heap;
    this.address = address;
    this.byteLength = byteLength;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#heap.memory.buffer, this.address, this.byteLength);
  }

  f32(offset: number, length: number): Float32Array {
    return new Float32Array(this.#heap.memory.buffer, this.address + offset, length);
  }

  i32(offset: number, length: number): Int32Array {
    return new Int32Array(this.#heap.memory.buffer, this.address + offset, length);
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#heap.free(this.address, this.byteLength);
  }
}

class WasmPhase implements BoundPhase {
  readonly #failures: () => bigint;
  readonly #calls: readonly { readonly kernel: Kernel; readonly at: readonly [number, number, number] }[];
  readonly #floats: Float32Array;
  readonly #layout: LaunchLayout;

  constructor(
    layout: LaunchLayout,
    floats: Float32Array,
    address: number,
    kernels: ReadonlyMap<string, Kernel>,
    failures: () => bigint,
  ) {
    this.#failures = failures;
    this.#layout = layout;
    this.#floats = floats;
    this.#calls = layout.launches.map((launch) => {
      const kernel = kernels.get(launch.kernel);
      if (kernel === undefined) throw new Error(`no kernel "${launch.kernel}" was compiled`);
      return {
        kernel,
        at: [address + launch.buffersAt, address + launch.sizesAt, address + launch.scalarsAt],
      };
    });
  }

  run(scalars: Readonly<Record<string, number>>): void {
    this.#layout.fill(this.#floats, scalars);
    for (const { kernel, at } of this.#calls) kernel(at[0], at[1], at[2]);
    if (this.#failures() > 0n)
      throw new LctxError(
        "no-device",
        "a worker thread failed inside a kernel",
        "this is a bug in lctx; please report it with the spec",
      );
  }
}

class WasmKernels implements Kernels {
  readonly #device: WasmDevice;
  readonly #kernels: ReadonlyMap<string, Kernel>;
  readonly #failures: () => bigint;

  constructor(device: WasmDevice, kernels: ReadonlyMap<string, Kernel>, failures: () => bigint) {
    this.#failures = failures;
    this.#device = device;
    this.#kernels = kernels;
  }

  bind(launches: readonly Launch[], place: (tensor: number) => Placement, sizes: Sizes): BoundPhase {
    const layout = layLaunches(launches, sizes, 4);
    const memory = this.#device.raw(layout.bytes);
    const words = memory.i32(0, layout.bytes / 4);
    const floats = memory.f32(0, layout.bytes / 4);
    for (const launch of layout.launches) {
      launch.buffers.forEach((id, i) => {
        if (id === null) return;
        const { memory: held, offset } = place(id);
        if (!(held instanceof WasmMemory)) throw new Error("a tensor lies in another device's memory");
        words[launch.buffersAt / 4 + i] = held.address + offset;
      });
      launch.sizes.forEach((size, i) => {
        words[launch.sizesAt / 4 + 2 * i] = size % 2 ** 32;
        words[launch.sizesAt / 4 + 2 * i + 1] = Math.floor(size / 2 ** 32);
      });
      launch.scalars.forEach((scalar, i) => {
        if (typeof scalar === "number") floats[launch.scalarsAt / 4 + i] = scalar;
      });
    }
    const phase = new WasmPhase(layout, floats, memory.address, this.#kernels, this.#failures);
    reclaim.register(phase, memory);
    return phase;
  }
}

const reclaim = new FinalizationRegistry<WasmMemory>((memory) => memory.free());

class WasmDevice implements Device {
  readonly name = "cpu-wasm";
  readonly threads: number;
  readonly description: string;
  readonly #cache: KernelCache;
  readonly #heap: WasmHeap;
  readonly #stops: (() => void)[] = [];
  readonly #workers: Worker[] = [];
  #loaded = 0;

  constructor(threads: number, compiler: string, cache: KernelCache, note: string | null) {
    this.threads = Math.min(threads, mostThreads);
    this.#cache = cache;
    const reserved = slots * slotBytes;
    const memory = new webAssembly.Memory({
      initial: reserved / page,
      maximum: 65_536,
      shared: true,
    });
    this.#heap = new WasmHeap(memory, reserved);
    this.description = [
      `WebAssembly by ${compiler}, 128-bit vectors`,
      `${this.threads} ${this.threads === 1 ? "thread" : "threads"}`,
      ...[cache.problem, note].filter((part) => part !== null),
    ].join(", ");
  }

  async load(given: ProgramSources): Promise<Kernels> {
    const sources = cSources(given);
    if (this.#loaded === slots)
      throw new LctxError("no-device", `a device holds at most ${slots} programs`, "open another device");
    const slot = this.#loaded++;
    // Address 0 stays a null pointer.
    const base = slot * slotBytes + 1024;
    const module = await compileModule(sources, base, this.#cache);
    const { memory } = this.#heap;
    const { exports } = new webAssembly.Instance(module, { env: { memory } });
    const stacks = (slot + 1) * slotBytes;
    const end = (exports["__heap_base"] as { readonly value: number }).value;
    if (end > stacks - (this.threads - 1) * workerStack)
      throw new LctxError("no-device", "the program's static data does not fit a module's range");
    (exports["lctx_start"] as (threads: bigint) => bigint)(BigInt(this.threads));
    this.#stops.push(exports["lctx_stop"] as () => void);
    for (let thread = 1; thread < this.threads; thread++) {
      const stack = stacks - (thread - 1) * workerStack;
      const worker = new Worker(new URL("./wasm-worker.mjs", import.meta.url), {
        workerData: { module, memory, thread, stack },
      });
      // One that cannot start takes no items, and the others do its share; one that fails in a kernel is told of by run.
      worker.on("error", () => undefined);
      // It must not keep the process.
      worker.unref();
      this.#workers.push(worker);
    }
    return new WasmKernels(
      this,
      new Map(sources.entries.map((entry) => [entry, exports[entry] as Kernel])),
      exports["lctx_failures"] as () => bigint,
    );
  }

  raw(byteLength: number): WasmMemory {
    const address = this.#heap.allocate(byteLength);
    if (address === null)
      throw new LctxError(
        "device-memory",
        `${describeMemory(byteLength)}, and WebAssembly reaches 4 GiB in all`,
        "use a smaller batch or length, or install a C compiler",
      );
    return new WasmMemory(this.#heap, address, byteLength);
  }

  allocate(byteLength: number): Memory {
    return this.raw(byteLength);
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#workers.splice(0);
  }
}

/** Opens the WebAssembly device; its description ends with `note`. Throws LctxError `no-compiler` when there is nothing to compile with. */
export async function openWasm(
  threads: number,
  cacheFolder: string | null,
  note: string | null = null,
): Promise<Device> {
  const compiler = wasmCompilerVersion();
  const cache = new KernelCache(cacheFolder === null ? null : join(cacheFolder, "wasm"));
  return new WasmDevice(threads, compiler, cache, note);
}
