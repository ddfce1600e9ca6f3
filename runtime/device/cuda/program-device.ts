/** Runs programs on a GPU: CUDA calls bound to a program's memory and sizes, behind the interface of every device. */
import { noTensor, type Launch, type Sizes } from "../../program.ts";
import { LctxError } from "../../errors.ts";
import {
  targetOf,
  type BoundPhase,
  type Device,
  type Kernels,
  type Memory,
  type Placement,
  type ProgramSources,
} from "../device.ts";
import type { CudaCall, LaunchSizes } from "./launch.ts";
import type { DeviceSpan } from "./pack.ts";
import { ShadowedMemory, type CopyWork, type OwnMemory } from "./shadow.ts";

/** A call over buffers and sizes that stay the same; `run` starts it behind all work started before. */
export interface BoundWork {
  run(scalars: Readonly<Record<string, number>>): void;
}

/** A call whose kernels are compiled; `site` says in messages what it is for. */
export interface PreparedWork {
  bind(buffers: readonly DeviceSpan[], sizes: LaunchSizes, site?: string): BoundWork;
}

/** What programs need of a GPU, or of what stands for one in tests. */
export interface CudaWork extends CopyWork {
  readonly description: string;
  /** Zero-filled. Throws LctxError `device-memory`. */
  allocate(byteLength: number): OwnMemory;
  prepare(call: CudaCall): Promise<PreparedWork>;
  /** Milliseconds of the started work, by the GPU's clock; waits for it. */
  time(work: () => void): number;
  close(): void;
}

const nothing: DeviceSpan = { address: 0n, byteLength: 0 };

export class CudaProgramDevice implements Device {
  readonly name = "cuda";
  /** Of the host; kernels do not ask. */
  readonly threads = 1;
  readonly description: string;
  readonly work: CudaWork;
  readonly #memories = new Set<ShadowedMemory>();

  constructor(work: CudaWork) {
    this.work = work;
    this.description = work.description;
  }

  async load(sources: ProgramSources, wanted?: ReadonlySet<string>): Promise<Kernels> {
    if (!("calls" in sources))
      throw new LctxError(
        "wrong-target",
        `these kernels are for ${targetOf(sources)}, and the device is a GPU`,
        "build the spec with --target cuda, or run on the CPU",
      );
    const names = Object.keys(sources.calls).filter((name) => wanted?.has(name) ?? true);
    const prepared = new Map(
      await Promise.all(
        names.map(async (name) => [name, await this.work.prepare(sources.calls[name]!)] as const),
      ),
    );
    return {
      bind: (launches, place, sizes) => new CudaPhase(this, prepared, launches, place, sizes),
    };
  }

  allocate(byteLength: number): Memory {
    const memory = new ShadowedMemory(this.work.allocate(byteLength), this.work, () =>
      this.#memories.delete(memory),
    );
    this.#memories.add(memory);
    return memory;
  }

  /** Takes over what the host changed since the last run. */
  settle(): void {
    for (const memory of this.#memories) memory.settle();
  }

  close(): void {
    this.#memories.clear();
    this.work.close();
  }
}

class CudaPhase implements BoundPhase {
  readonly #device: CudaProgramDevice;
  readonly #bound: readonly BoundWork[];

  constructor(
    device: CudaProgramDevice,
    prepared: ReadonlyMap<string, PreparedWork>,
    launches: readonly Launch[],
    place: (tensor: number) => Placement,
    sizes: Sizes,
  ) {
    this.#device = device;
    const span = (tensor: number): DeviceSpan => {
      if (tensor === noTensor) return nothing;
      const { memory, offset } = place(tensor);
      if (!(memory instanceof ShadowedMemory))
        throw new TypeError("a tensor lies in memory of another device");
      return memory.own.part(offset, memory.byteLength - offset);
    };
    const given: LaunchSizes = {
      batch: sizes.batch,
      length: sizes.length,
      "query-start": sizes["query-start"],
    };
    this.#bound = launches.map(({ kernel, buffers, label }) => {
      const call = prepared.get(kernel);
      if (call === undefined) throw new Error(`the call ${kernel} was not made ready`);
      return call.bind(buffers.map(span), given, label);
    });
  }

  run(scalars: Readonly<Record<string, number>>): void {
    this.#device.settle();
    for (const bound of this.#bound) bound.run(scalars);
  }

  time(scalars: Readonly<Record<string, number>>): number {
    this.#device.settle();
    return this.#device.work.time(() => {
      for (const bound of this.#bound) bound.run(scalars);
    });
  }
}
