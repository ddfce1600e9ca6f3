/** The CUDA device: one GPU, one stream of work, its memory and its kernels. */
import { LctxError } from "../../errors.ts";
import { CubinCache } from "./cubin-cache.ts";
import type { CudaCompiler } from "./compiler.ts";
import { openDriver, type CudaDriver } from "./driver.ts";
import { findCudaCompiler } from "./find-compiler.ts";
import { CudaGraph } from "./graph.ts";
import type { CudaCall } from "./launch.ts";
import { CudaAllocator, type CudaMemory } from "./memory.ts";
import { Modules } from "./modules.ts";
import type { DeviceSpan } from "./pack.ts";
import { PreparedCall, type LaunchContext } from "./prepared.ts";
import { readProperties, targetOf, type CudaProperties } from "./properties.ts";
import { Scratch } from "./scratch.ts";

export interface CudaOptions {
  /** Which GPU, from 0, of those CUDA_VISIBLE_DEVICES leaves. Default 0. */
  readonly ordinal?: number;
  /** Where compiled kernels are kept; null: nowhere. */
  readonly cacheFolder: string | null;
}

/** CU_STREAM_NON_BLOCKING: the default stream of other libraries does not hold this one up. */
const nonBlocking = 1;

export class CudaDevice {
  readonly name = "cuda";
  readonly properties: CudaProperties;
  readonly compiler: CudaCompiler;
  /** One line for people: GPU, compute capability, memory, compiler. */
  readonly description: string;
  readonly #driver: CudaDriver;
  readonly #device: number;
  readonly #stream: bigint;
  readonly #allocator: CudaAllocator;
  readonly #scratch: Scratch;
  readonly #modules: Modules;
  readonly #cubins: CubinCache;
  readonly #context: LaunchContext;
  readonly #graphs = new Set<CudaGraph>();
  #events: readonly [bigint, bigint] | null = null;

  constructor(driver: CudaDriver, device: number, compiler: CudaCompiler, cacheFolder: string | null) {
    this.#driver = driver;
    this.#device = device;
    this.compiler = compiler;
    const context = driver.handle("cuDevicePrimaryCtxRetain", (out) => [out, device]);
    driver.call("cuCtxSetCurrent", context);
    this.properties = readProperties(driver, device);
    this.#stream = driver.handle("cuStreamCreate", (out) => [out, nonBlocking]);
    this.#allocator = new CudaAllocator(driver, device, this.#stream, this.properties.memoryPools);
    this.#scratch = new Scratch(this.#allocator);
    this.#modules = new Modules(driver, this.properties);
    this.#cubins = new CubinCache(compiler, cacheFolder);
    this.#context = {
      driver,
      stream: this.#stream,
      scratch: this.#scratch,
      multiprocessors: this.properties.multiprocessors,
      synchronous: process.env["LCTX_CUDA_SYNC"] === "1",
    };
    const { name, major, minor, memoryBytes } = this.properties;
    this.description = [
      `${name}, compute capability ${major}.${minor}`,
      `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`,
      compiler.description,
      ...(this.#cubins.problem === null ? [] : [this.#cubins.problem]),
    ].join(", ");
  }

  /** Zero-filled memory. Throws LctxError `device-memory`, which names the bytes asked for and free. */
  allocate(byteLength: number): CudaMemory {
    const memory = this.#allocator.allocate(byteLength);
    this.zero(memory);
    return memory;
  }

  /** Fills with zero bytes. */
  zero(span: DeviceSpan): void {
    if (span.byteLength > 0)
      this.#driver.call("cuMemsetD8Async", span.address, 0, span.byteLength, this.#stream);
  }

  /** Bytes free and of all, for every process of this GPU. */
  memory(): { readonly free: number; readonly total: number } {
    return this.#allocator.info();
  }

  /** Copies to the start of `to`; returns when the data may be changed. Throws RangeError when it does not fit. */
  upload(to: DeviceSpan, data: ArrayBufferView): void {
    if (data.byteLength > to.byteLength)
      throw new RangeError(`${data.byteLength} bytes do not fit into ${to.byteLength}`);
    if (data.byteLength === 0) return;
    this.#driver.call("cuMemcpyHtoDAsync_v2", to.address, data, data.byteLength, this.#stream);
    this.synchronize();
  }

  /** Copies from the start of `from` into all of `into`, after all work started before. */
  download(from: DeviceSpan, into: ArrayBufferView): void {
    if (into.byteLength > from.byteLength)
      throw new RangeError(`${into.byteLength} bytes are more than ${from.byteLength}`);
    if (into.byteLength > 0)
      this.#driver.call("cuMemcpyDtoHAsync_v2", into, from.address, into.byteLength, this.#stream);
    this.synchronize();
  }

  /** Copies all of `from` to the start of `to`, in order with other work. */
  copy(to: DeviceSpan, from: DeviceSpan): void {
    if (from.byteLength > to.byteLength)
      throw new RangeError(`${from.byteLength} bytes do not fit into ${to.byteLength}`);
    if (from.byteLength > 0)
      this.#driver.call("cuMemcpyDtoDAsync_v2", to.address, from.address, from.byteLength, this.#stream);
  }

  /** Compiles, or finds, and loads the kernels. Throws LctxErrors `kernel-compile`, `no-compiler`, `no-device`. */
  async prepare(call: CudaCall): Promise<PreparedCall> {
    const kernels = await Promise.all(
      call.sources.map(async (source) => {
        const target = targetOf(source.architecture, this.properties);
        if (!this.compiler.supports(target))
          throw new LctxError(
            "no-compiler",
            `${this.compiler.description} does not know ${target}`,
            "install a newer CUDA toolkit, or set LCTX_NVRTC to a newer libnvrtc",
          );
        return this.#modules.load(await this.#cubins.get(source, target), source.entry);
      }),
    );
    return new PreparedCall(this.#context, call, kernels);
  }

  /** Records the launches that `work` starts; bind the calls before, so that nothing is allocated meanwhile. */
  capture(work: () => void): CudaGraph {
    const graph = new CudaGraph(this.#driver, this.#stream, this.#scratch, work);
    this.#graphs.add(graph);
    return graph;
  }

  /** Waits for all work. A fault of a kernel ends the process here at the latest. */
  synchronize(): void {
    this.#driver.call("cuStreamSynchronize", this.#stream);
    this.#driver.started.length = 0;
  }

  /** Milliseconds on the GPU from before the first launch of `work` until after its last; waits for it. */
  time(work: () => void): number {
    this.#events ??= [this.#newEvent(), this.#newEvent()];
    const [start, end] = this.#events;
    this.#driver.call("cuEventRecord", start, this.#stream);
    work();
    this.#driver.call("cuEventRecord", end, this.#stream);
    this.synchronize();
    const out = new Float32Array(1);
    this.#driver.call("cuEventElapsedTime", out, start, end);
    return out[0]!;
  }

  close(): void {
    this.synchronize();
    for (const graph of this.#graphs) graph.free();
    for (const event of this.#events ?? []) this.#driver.call("cuEventDestroy_v2", event);
    this.#scratch.free();
    this.#modules.unload();
    this.#allocator.trim();
    this.#allocator.close();
    this.#driver.call("cuStreamDestroy_v2", this.#stream);
    this.#driver.call("cuDevicePrimaryCtxRelease_v2", this.#device);
  }

  #newEvent(): bigint {
    return this.#driver.handle("cuEventCreate", (out) => [out, 0]);
  }
}

/** Opens a GPU. Throws LctxErrors `no-device` and `no-compiler`. */
export async function openCuda(options: CudaOptions): Promise<CudaDevice> {
  const driver = openDriver();
  const count = driver.deviceCount();
  const ordinal = options.ordinal ?? 0;
  if (ordinal < 0 || ordinal >= count)
    throw new LctxError(
      "no-device",
      `there is no GPU ${ordinal}: the driver shows ${count}`,
      "check nvidia-smi and CUDA_VISIBLE_DEVICES",
    );
  const compiler = await findCudaCompiler();
  const device = driver.int("cuDeviceGet", (out) => [out, ordinal]);
  return new CudaDevice(driver, device, compiler, options.cacheFolder);
}
