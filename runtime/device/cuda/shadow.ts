/** Host copies of device memory: filled when asked for, and given back before the next run where the host may change them. */
import type { HostUse, Memory } from "../device.ts";
import type { DeviceSpan } from "./pack.ts";

/** Memory of a GPU, or of what stands for one. */
export interface OwnMemory extends DeviceSpan {
  part(offset: number, byteLength: number): DeviceSpan;
  free(): void;
}

/** Copies between host and device. */
export interface CopyWork {
  /** Copies to the start of `to`; returns when the data may be changed. */
  upload(to: DeviceSpan, data: ArrayBufferView): void;
  /** Copies from the start of `from` into all of `into`, after all work started before. */
  download(from: DeviceSpan, into: ArrayBufferView): void;
}

type View = Float32Array | Int32Array;

interface Lent {
  readonly view: View;
  readonly offset: number;
  readonly use: HostUse;
  /** False once a run made the copy old. */
  current: boolean;
}

/** Copies kept for later runs, at most: rows of unequal lengths ask for arrays of many sizes. */
const mostKept = 32;

export class ShadowedMemory implements Memory {
  readonly own: OwnMemory;
  readonly #work: CopyWork;
  readonly #onFree: () => void;
  readonly #lent = new Map<string, Lent>();

  constructor(own: OwnMemory, work: CopyWork, onFree: () => void) {
    this.own = own;
    this.#work = work;
    this.#onFree = onFree;
  }

  get byteLength(): number {
    return this.own.byteLength;
  }

  get bytes(): Uint8Array {
    throw new RangeError("memory of a GPU is not viewed as a whole: ask for parts");
  }

  f32(offset: number, length: number, use: HostUse = "change"): Float32Array {
    return this.#view("f32", offset, length, use, () => new Float32Array(length));
  }

  i32(offset: number, length: number, use: HostUse = "change"): Int32Array {
    return this.#view("i32", offset, length, use, () => new Int32Array(length));
  }

  /** Copies what the host may have changed to the device; every view is void afterwards. */
  settle(): void {
    for (const [key, { view, offset, use, current }] of this.#lent) {
      if (current && use !== "read") this.#work.upload(this.#span(offset, view), view);
      // Arrays that only the host writes are kept: they need no copy from the device.
      if (use === "give") this.#lent.get(key)!.current = false;
      else this.#lent.delete(key);
    }
    // The oldest first, in the order of a map's keys.
    for (const key of this.#lent.keys()) {
      if (this.#lent.size <= mostKept) break;
      this.#lent.delete(key);
    }
  }

  free(): void {
    this.#lent.clear();
    this.#onFree();
    this.own.free();
  }

  #span(offset: number, view: View): DeviceSpan {
    return this.own.part(offset, view.byteLength);
  }

  #view<V extends View>(kind: string, offset: number, length: number, use: HostUse, make: () => V): V {
    // What is written at some sizes of a program is read at others: one place has a copy for each use.
    const key = `${use}:${kind}:${offset}:${length}`;
    const known = this.#lent.get(key);
    if (known !== undefined) {
      known.current = true;
      return known.view as V;
    }
    const view = make();
    if (use !== "give") this.#work.download(this.#span(offset, view), view);
    this.#lent.set(key, { view, offset, use, current: true });
    return view;
  }
}
