/** The device's memory: a pool that keeps what is freed, and a shortage told in bytes. */
import { LctxError } from "../../errors.ts";
import { poolAttribute } from "./driver-table.ts";
import { outOfMemory, type CudaDriver } from "./driver.ts";
import type { DeviceSpan } from "./pack.ts";

/** Memory of the device; aligned to 256 bytes. */
export class CudaMemory implements DeviceSpan {
  readonly address: bigint;
  readonly byteLength: number;
  readonly #release: () => void;
  #freed = false;

  constructor(address: bigint, byteLength: number, release: () => void) {
    this.address = address;
    this.byteLength = byteLength;
    this.#release = release;
  }

  /** A part of it, in bytes. Throws RangeError outside of it. */
  part(offset: number, byteLength: number): DeviceSpan {
    if (offset < 0 || byteLength < 0 || offset + byteLength > this.byteLength)
      throw new RangeError(`no ${byteLength} bytes at ${offset} of ${this.byteLength}`);
    return { address: this.address + BigInt(offset), byteLength };
  }

  /** Work that was started on it before may still use it. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#release();
  }
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

export class CudaAllocator {
  readonly #driver: CudaDriver;
  readonly #stream: bigint;
  /** Null where the GPU has no pools. */
  readonly #pool: bigint | null;
  #open = true;

  constructor(driver: CudaDriver, device: number, stream: bigint, pools: boolean) {
    this.#driver = driver;
    this.#stream = stream;
    this.#pool = pools ? driver.handle("cuDeviceGetDefaultMemPool", (out) => [out, device]) : null;
    // By default every synchronisation gives free memory back to the system, and the next step asks for it again.
    if (this.#pool !== null)
      driver.call(
        "cuMemPoolSetAttribute",
        this.#pool,
        poolAttribute.releaseThreshold,
        BigUint64Array.of(2n ** 64n - 1n),
      );
  }

  /** Bytes free and of all, for every process of this GPU. */
  info(): { readonly free: number; readonly total: number } {
    const [free, total] = [new BigUint64Array(1), new BigUint64Array(1)];
    this.#driver.call("cuMemGetInfo_v2", free, total);
    return { free: Number(free[0]!), total: Number(total[0]!) };
  }

  /** Contents are arbitrary. Throws LctxError `device-memory`. */
  allocate(byteLength: number): CudaMemory {
    const bytes = Math.max(1, byteLength);
    const out = new BigUint64Array(1);
    let result = this.#ask(out, bytes);
    if (result === outOfMemory) {
      // The pool may hold the bytes in pieces that are too small; a request that failed may have left it all the rest.
      this.trim();
      const { free, total } = this.info();
      if (bytes <= free) result = this.#ask(out, bytes);
      if (result === outOfMemory) {
        this.trim();
        throw new LctxError(
          "device-memory",
          `the GPU has no ${bytes} bytes (${gibibytes(bytes)}) left: ${free} bytes (${gibibytes(free)}) of ${gibibytes(total)} are free`,
          "use a smaller batch or length, or fewer layers",
        );
      }
    }
    this.#driver.check(this.#pool === null ? "cuMemAlloc_v2" : "cuMemAllocAsync", result);
    const address = out[0]!;
    return new CudaMemory(address, byteLength, () => {
      // The context took everything with it.
      if (!this.#open) return;
      if (this.#pool === null) this.#driver.call("cuMemFree_v2", address);
      else this.#driver.call("cuMemFreeAsync", address, this.#stream);
    });
  }

  /** Gives the pool's unused memory back to the system. */
  trim(): void {
    if (this.#pool === null) return;
    this.#driver.call("cuStreamSynchronize", this.#stream);
    this.#driver.call("cuMemPoolTrimTo", this.#pool, 0);
  }

  close(): void {
    this.#open = false;
  }

  #ask(out: BigUint64Array, bytes: number): number {
    return this.#pool === null
      ? this.#driver.native("cuMemAlloc_v2")(out, bytes)
      : this.#driver.native("cuMemAllocAsync")(out, bytes, this.#stream);
  }
}
