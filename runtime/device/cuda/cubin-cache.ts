/** Machine code of kernels: from disk when the same text was compiled before, else compiled and kept. */
import { join } from "node:path";
import { KernelCache, keyOf } from "../cpu/kernel-cache.ts";
import { compileOptions, type CudaCompiler, type CudaText } from "./compiler.ts";

export interface Cubin {
  /** The same for the same code. */
  readonly key: string;
  readonly bytes: Uint8Array;
  /** False when it came from the cache. */
  readonly compiled: boolean;
}

export class CubinCache {
  /** Why nothing is kept; null when entries are kept, or when no one asked for that. */
  readonly problem: string | null;
  readonly #compiler: CudaCompiler;
  readonly #cache: KernelCache;
  readonly #making = new Map<string, Promise<Cubin>>();

  constructor(compiler: CudaCompiler, cacheFolder: string | null) {
    this.#compiler = compiler;
    this.#cache = new KernelCache(cacheFolder === null ? null : join(cacheFolder, "cuda"));
    this.problem = this.#cache.problem;
  }

  /** Code of one source. Sources asked for together are compiled together. Throws LctxError `kernel-compile`. */
  get(source: CudaText, target: string, options: readonly string[] = compileOptions): Promise<Cubin> {
    const key = keyOf([this.#compiler.identity, target, ...options, source.entry, source.text]);
    let making = this.#making.get(key);
    if (making === undefined) {
      making = this.#make(key, source, target, options).finally(() => this.#making.delete(key));
      this.#making.set(key, making);
    }
    return making;
  }

  async #make(key: string, source: CudaText, target: string, options: readonly string[]): Promise<Cubin> {
    const name = `${key}.cubin`;
    const kept = this.#cache.read(name);
    if (kept !== null) return { key, bytes: kept, compiled: false };
    const { cubin } = await this.#compiler.compile(source, target, options);
    this.#cache.write(name, cubin);
    return { key, bytes: cubin, compiled: true };
  }
}
