/** Machine code on the device: modules, their one kernel, and what the kernel takes. */
import { LctxError } from "../../errors.ts";
import type { Cubin } from "./cubin-cache.ts";
import { functionAttribute } from "./driver-table.ts";
import type { CudaDriver } from "./driver.ts";
import type { CudaProperties } from "./properties.ts";

/** What one kernel takes of a multiprocessor. */
export interface KernelResources {
  /** Of one thread. */
  readonly registers: number;
  /** Bytes of one thread outside registers: more than 0 means spills or run-time indexing. */
  readonly localBytes: number;
  /** Bytes of shared memory that the text itself declares. */
  readonly sharedBytes: number;
  readonly mostThreads: number;
}

export class LoadedKernel {
  readonly entry: string;
  readonly resources: KernelResources;
  readonly handle: bigint;
  readonly #driver: CudaDriver;
  readonly #gpu: CudaProperties;
  #shared = 0;
  #largeClusters = false;

  constructor(driver: CudaDriver, gpu: CudaProperties, entry: string, handle: bigint) {
    this.#driver = driver;
    this.#gpu = gpu;
    this.entry = entry;
    this.handle = handle;
    const attribute = (name: keyof typeof functionAttribute): number =>
      driver.int("cuFuncGetAttribute", (out) => [out, functionAttribute[name], handle]);
    this.resources = {
      registers: attribute("registers"),
      localBytes: attribute("localBytes"),
      sharedBytes: attribute("sharedBytes"),
      mostThreads: attribute("mostThreads"),
    };
  }

  /** Allows launches of this form. Throws LctxError `device-failed` for what the GPU does not have. */
  allow(launch: { readonly threads: number; readonly sharedBytes: number; readonly cluster: number }): void {
    const shared = launch.sharedBytes + this.resources.sharedBytes;
    if (shared > this.#gpu.sharedBytes)
      throw new LctxError(
        "device-failed",
        `kernel ${this.entry} takes ${shared} bytes of shared memory; ${this.#gpu.name} has ${this.#gpu.sharedBytes}`,
      );
    if (launch.threads > this.resources.mostThreads)
      throw new LctxError(
        "device-failed",
        `kernel ${this.entry} is launched with ${launch.threads} threads; with ${this.resources.registers} registers it can have ${this.resources.mostThreads}`,
      );
    if (launch.sharedBytes > this.#shared) {
      this.#set("dynamicSharedBytes", launch.sharedBytes);
      this.#shared = launch.sharedBytes;
    }
    if (launch.cluster > 8 && !this.#largeClusters) {
      this.#set("largeClusters", 1);
      this.#largeClusters = true;
    }
  }

  #set(name: keyof typeof functionAttribute, value: number): void {
    this.#driver.call("cuFuncSetAttribute", this.handle, functionAttribute[name], value);
  }
}

export class Modules {
  readonly #driver: CudaDriver;
  readonly #gpu: CudaProperties;
  readonly #loaded = new Map<string, { readonly module: bigint; readonly kernel: LoadedKernel }>();

  constructor(driver: CudaDriver, gpu: CudaProperties) {
    this.#driver = driver;
    this.#gpu = gpu;
  }

  /** The kernel of a cubin, loaded once. */
  load(cubin: Cubin, entry: string): LoadedKernel {
    const known = this.#loaded.get(cubin.key);
    if (known !== undefined) return known.kernel;
    const module = this.#driver.handle("cuModuleLoadDataEx", (out) => [out, cubin.bytes, 0, null, null]);
    const name = Buffer.from(`${entry}\0`);
    const handle = this.#driver.handle("cuModuleGetFunction", (out) => [out, module, name]);
    const kernel = new LoadedKernel(this.#driver, this.#gpu, entry, handle);
    this.#loaded.set(cubin.key, { module, kernel });
    return kernel;
  }

  unload(): void {
    for (const { module } of this.#loaded.values()) this.#driver.call("cuModuleUnload", module);
    this.#loaded.clear();
  }
}
