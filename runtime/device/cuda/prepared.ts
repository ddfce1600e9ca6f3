/** A call whose kernels are on the device: packed once for the same buffers and sizes, then launched again and again. */
import type { CudaDriver } from "./driver.ts";
import { evaluateLaunchSize, type CudaCall, type LaunchSizes } from "./launch.ts";
import type { LoadedKernel } from "./modules.ts";
import { PackedLaunches, type DeviceSpan } from "./pack.ts";
import type { Scratch } from "./scratch.ts";
import { encodeTensorMap } from "./tensor-map.ts";

/** What calls share of their device. */
export interface LaunchContext {
  readonly driver: CudaDriver;
  readonly stream: bigint;
  readonly scratch: Scratch;
  readonly multiprocessors: number;
  /** True to wait for each kernel, so that a fault names the right one. */
  readonly synchronous: boolean;
}

export type Scalars = Readonly<Record<string, number>>;

/** Kernels are named in messages of faults; older ones than this many are forgotten. */
const mostRemembered = 64;

/** A call over buffers and sizes that stay the same. */
export class BoundCall {
  readonly #context: LaunchContext;
  readonly #call: CudaCall;
  readonly #kernels: readonly LoadedKernel[];
  readonly #buffers: readonly DeviceSpan[];
  readonly #sizes: LaunchSizes;
  readonly #scratchBytes: readonly number[];
  #scratch: readonly DeviceSpan[] = [];
  #packed: PackedLaunches | null = null;
  #generation = -1;

  constructor(
    context: LaunchContext,
    call: CudaCall,
    kernels: readonly LoadedKernel[],
    buffers: readonly DeviceSpan[],
    sizes: LaunchSizes,
  ) {
    if (buffers.length !== call.buffers)
      throw new RangeError(`the call has ${call.buffers} buffers, not ${buffers.length}`);
    this.#context = context;
    this.#call = call;
    this.#kernels = kernels;
    this.#buffers = [...buffers];
    this.#sizes = { multiprocessors: context.multiprocessors, ...sizes };
    this.#scratchBytes = call.scratch.map(({ bytes }) => evaluateLaunchSize(bytes, this.#sizes));
    this.#pack();
  }

  /** Starts all launches in order; they run after all that was started before. Throws when a scalar is missing. */
  run(scalars: Scalars = {}): void {
    const { driver, stream, synchronous } = this.#context;
    if (this.#generation !== this.#context.scratch.generation) this.#pack();
    const packed = this.#packed!;
    packed.fill(scalars);
    this.#call.scratch.forEach(({ zero }, n) => {
      const { address, byteLength } = this.#scratch[n]!;
      if (zero && byteLength > 0) driver.call("cuMemsetD8Async", address, 0, byteLength, stream);
    });
    const launch = driver.native("cuLaunchKernelEx");
    for (const { label, source, config, parameters } of packed.launches) {
      if (driver.started.length >= 2 * mostRemembered) driver.started.splice(0, mostRemembered);
      driver.started.push(label);
      const result = launch(config, this.#kernels[source]!.handle, parameters, null);
      if (result !== 0) driver.check("cuLaunchKernelEx", result);
      if (synchronous) {
        driver.call("cuStreamSynchronize", stream);
        driver.started.length = 0;
      }
    }
  }

  #pack(): void {
    const { driver, scratch, stream } = this.#context;
    this.#scratch = scratch.place(this.#scratchBytes);
    this.#generation = scratch.generation;
    this.#packed = new PackedLaunches(
      this.#call.launches,
      [...this.#buffers, ...this.#scratch],
      this.#sizes,
      stream,
      (map, target) => encodeTensorMap(driver, map, target),
    );
  }
}

/** Bound forms that a call keeps; the one used longest ago goes first. */
const mostBound = 16;

export class PreparedCall {
  readonly call: CudaCall;
  /** One for each source. */
  readonly kernels: readonly LoadedKernel[];
  readonly #context: LaunchContext;
  readonly #bound = new Map<string, BoundCall>();

  constructor(context: LaunchContext, call: CudaCall, kernels: readonly LoadedKernel[]) {
    this.#context = context;
    this.call = call;
    this.kernels = kernels;
    for (const launch of call.launches) kernels[launch.source]!.allow(launch);
  }

  /** Packs the launches, named after `site` in messages of faults. Throws RangeError for sizes the hardware or the buffers cannot have. */
  bind(buffers: readonly DeviceSpan[], sizes: LaunchSizes, site?: string): BoundCall {
    const launches = this.call.launches.map((launch) => ({ ...launch, label: `${site}: ${launch.label}` }));
    const call = site === undefined ? this.call : { ...this.call, launches };
    return new BoundCall(this.#context, call, this.kernels, buffers, sizes);
  }

  /** Launches over these buffers; packs them only when buffers or sizes are new. */
  run(buffers: readonly DeviceSpan[], sizes: LaunchSizes, scalars: Scalars = {}): void {
    const key = `${buffers.map(({ address, byteLength }) => `${address}+${byteLength}`).join()};${Object.entries(sizes).join(";")}`;
    let bound = this.#bound.get(key);
    if (bound === undefined) bound = this.bind(buffers, sizes);
    else this.#bound.delete(key);
    this.#bound.set(key, bound);
    if (this.#bound.size > mostBound) this.#bound.delete(this.#bound.keys().next().value!);
    bound.run(scalars);
  }
}
