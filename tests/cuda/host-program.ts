/** Programs for a GPU on the host: memory in arrays, kernels compiled as C++ over fibers. */
import type { CudaWork, PreparedWork } from "../../runtime/device/cuda/program-device.ts";
import { CudaProgramDevice } from "../../runtime/device/cuda/program-device.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import type { DeviceSpan } from "../../runtime/device/cuda/pack.ts";
import type { OwnMemory } from "../../runtime/device/cuda/shadow.ts";
import type { Kernels, ProgramSources } from "../../runtime/device/device.ts";
import { addressOf, hostLaunches, type HostLaunches } from "./host-device.ts";

/** Arrays by address, so that spans find theirs again. */
class HostWork implements CudaWork {
  readonly description = "the host in place of a GPU";
  readonly #areas = new Map<bigint, Uint8Array>();
  readonly compiled = new Map<CudaCall, HostLaunches>();

  allocate(byteLength: number): OwnMemory {
    const bytes = new Uint8Array(Math.max(64, byteLength));
    const address = addressOf(bytes);
    this.#areas.set(address, bytes);
    return {
      address,
      byteLength,
      part: (offset, length) => {
        if (offset < 0 || offset + length > byteLength)
          throw new RangeError(`no ${length} bytes at ${offset}`);
        return { address: address + BigInt(offset), byteLength: length };
      },
      free: () => void this.#areas.delete(address),
    };
  }

  upload(to: DeviceSpan, data: ArrayBufferView): void {
    this.#bytes(to).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  download(from: DeviceSpan, into: ArrayBufferView): void {
    const to = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    to.set(this.#bytes(from).subarray(0, to.length));
  }

  async prepare(call: CudaCall): Promise<PreparedWork> {
    const run = this.compiled.get(call);
    if (run === undefined) throw new Error("the call was not compiled");
    return {
      bind: (buffers, sizes) => {
        const addresses = buffers.map(({ address }) => address);
        return { run: (scalars) => run(addresses, { multiprocessors: 4, ...sizes }, scalars) };
      },
    };
  }

  time(work: () => void): number {
    const start = performance.now();
    work();
    return performance.now() - start;
  }

  close(): void {
    this.#areas.clear();
  }

  #bytes({ address, byteLength }: DeviceSpan): Uint8Array {
    for (const [start, bytes] of this.#areas) {
      const offset = Number(address - start);
      if (offset >= 0 && offset + byteLength <= bytes.length)
        return bytes.subarray(offset, offset + byteLength);
    }
    throw new RangeError(`no memory at ${address}`);
  }
}

/** A device that compiles all calls of a program at once. */
class HostDevice extends CudaProgramDevice {
  override async load(sources: ProgramSources, wanted?: ReadonlySet<string>): Promise<Kernels> {
    if ("calls" in sources) {
      const { compiled } = this.work as HostWork;
      const calls = Object.entries(sources.calls).flatMap(([name, call]) =>
        wanted?.has(name) === false || compiled.has(call) ? [] : [call],
      );
      const runs = calls.length === 0 ? [] : hostLaunches(calls);
      if (runs === null) throw new Error("no C++ compiler");
      calls.forEach((call, n) => compiled.set(call, runs[n]!));
    }
    return super.load(sources, wanted);
  }
}

/** A device without a GPU that runs programs for one. */
export const openHostDevice = (): CudaProgramDevice => new HostDevice(new HostWork());
