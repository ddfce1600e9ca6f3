/** Best-fit allocation in one shared WebAssembly memory that grows as needed. */
import type { SharedWasmMemory } from "../../web-assembly.ts";

const page = 65_536;
const grain = 64;

export class WasmHeap {
  readonly memory: SharedWasmMemory;
  /** Free ranges by start, apart from each other. */
  readonly #free: { start: number; end: number }[] = [];
  #top: number;

  /** Bytes below `start` belong to modules. */
  constructor(memory: SharedWasmMemory, start: number) {
    this.memory = memory;
    this.#top = start;
  }

  /** Offset of zero-filled bytes, aligned to 64; null when the memory cannot grow that far. */
  allocate(byteLength: number): number | null {
    const bytes = Math.max(grain, Math.ceil(byteLength / grain) * grain);
    let best = -1;
    this.#free.forEach(({ start, end }, n) => {
      const fits = end - start >= bytes;
      if (fits && (best < 0 || end - start < this.#free[best]!.end - this.#free[best]!.start)) best = n;
    });
    if (best >= 0) {
      const range = this.#free[best]!;
      const { start } = range;
      range.start += bytes;
      if (range.start === range.end) this.#free.splice(best, 1);
      new Uint8Array(this.memory.buffer, start, bytes).fill(0);
      return start;
    }
    const start = this.#top;
    const missing = start + bytes - this.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / page));
      } catch {
        return null;
      }
    }
    this.#top = start + bytes;
    new Uint8Array(this.memory.buffer, start, bytes).fill(0);
    return start;
  }

  free(start: number, byteLength: number): void {
    const end = start + Math.max(grain, Math.ceil(byteLength / grain) * grain);
    const at = this.#free.findIndex((range) => range.start > start);
    this.#free.splice(at < 0 ? this.#free.length : at, 0, { start, end });
    for (let n = this.#free.length - 1; n > 0; n--) {
      const [before, after] = [this.#free[n - 1]!, this.#free[n]!];
      if (before.end !== after.start) continue;
      before.end = after.end;
      this.#free.splice(n, 1);
    }
  }
}
