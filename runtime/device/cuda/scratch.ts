/** Memory that lives only during a call: one area for all calls, which follow one another on one stream. */
import { evaluateLaunchSize, type CudaCall, type LaunchSizes } from "./launch.ts";
import type { CudaAllocator, CudaMemory } from "./memory.ts";
import type { DeviceSpan } from "./pack.ts";

const alignment = 256;

const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/** Bytes of the area that calls run in, one after another. */
export const scratchBytes = (calls: Iterable<CudaCall>, sizes: LaunchSizes): number =>
  Math.max(
    0,
    ...[...calls].map(({ scratch }) =>
      scratch.reduce((sum, { bytes }) => sum + aligned(evaluateLaunchSize(bytes, sizes)), 0),
    ),
  );

export class Scratch {
  readonly #allocator: CudaAllocator;
  #area: CudaMemory | null = null;
  #generation = 0;

  constructor(allocator: CudaAllocator) {
    this.#allocator = allocator;
  }

  /** Changes when the area moves: what was packed with its address is packed again. */
  get generation(): number {
    return this.#generation;
  }

  /** Makes room for buffers of these bytes, one after the other. Throws LctxError `device-memory`. */
  place(bytes: readonly number[]): readonly DeviceSpan[] {
    let at = 0;
    const offsets = bytes.map((size) => {
      const offset = at;
      at += aligned(size);
      return offset;
    });
    if (at > (this.#area?.byteLength ?? 0)) {
      this.#area?.free();
      this.#area = null;
      this.#generation += 1;
      this.#area = this.#allocator.allocate(at);
    }
    const area = this.#area;
    return area === null
      ? bytes.map(() => ({ address: 0n, byteLength: 0 }))
      : bytes.map((size, n) => area.part(offsets[n]!, size));
  }

  free(): void {
    this.#area?.free();
    this.#area = null;
    this.#generation += 1;
  }
}
