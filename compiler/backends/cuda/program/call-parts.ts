/** What the calls of plain nodes are put together from: sizes around an axis, arguments, sources, scratch and launches. */
import type {
  CudaArgument,
  CudaCall,
  CudaLaunch,
  CudaScratch,
  CudaSource,
  LaunchSize,
} from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import type { Axis } from "../../../ir/graph.ts";
import type { Fragment } from "../../../ir/kernel.ts";

/** Threads of a block where each takes one element. */
export const threads = 256;

/** The product, with numbers folded. */
export function times(...parts: readonly LaunchSize[]): LaunchSize {
  const known = parts.reduce<number>((p, part) => (typeof part === "number" ? p * part : p), 1);
  const open = parts.filter((part) => typeof part !== "number");
  if (open.length === 0 || known === 0) return known;
  return known === 1 && open.length === 1 ? open[0]! : ["*", ...(known === 1 ? [] : [known]), ...open];
}

/** Quotient rounded up; a number where both are. */
export const blocksOf = (size: LaunchSize, by: number): LaunchSize =>
  typeof size === "number" ? Math.ceil(size / by) : ["ceil-div", size, by];

export const extents = (axes: readonly Axis[]): readonly LaunchSize[] =>
  axes.map((axis) => axisExtent(axis.size));
export const elements = (axes: readonly Axis[]): LaunchSize => times(...extents(axes));

export interface Around {
  /** Elements before, along and after an axis. */
  readonly outer: LaunchSize;
  readonly along: LaunchSize;
  readonly inner: LaunchSize;
}

export function around(axes: readonly Axis[], name: string): Around {
  const at = axes.findIndex((axis) => axis.name === name);
  const all = extents(axes);
  return { outer: times(...all.slice(0, at)), along: all[at]!, inner: times(...all.slice(at + 1)) };
}

/** The extent of an axis that must be a number when the program is compiled. */
export function fixedExtent(axis: Axis, site: string): number {
  if (axis.size.kind !== "fixed") throw new Error(`${site}: axis ${axis.name} must have a fixed size`);
  return axis.size.value;
}

export const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
/** An extent or offset: products of sizes may be past 2^31. */
export const long = (value: LaunchSize): CudaArgument => ({ kind: "i64", value });

/** A number that 32 bits hold at any size. */
export const whole = (value: LaunchSize): CudaArgument => ({ kind: "i32", value });

/** A kernel, all of its text. */
export interface PlainKernel {
  readonly entry: Fragment;
  readonly text: Fragment;
}

type PlainLaunch = Pick<CudaLaunch, "label" | "grid" | "arguments"> & {
  readonly threads?: number;
  readonly sharedBytes?: number;
};

/** Collects a call over so many buffers of the caller. A kernel that is launched again is kept once. */
export class CallParts {
  readonly #buffers: number;
  readonly #sources: CudaSource[] = [];
  readonly #scratch: CudaScratch[] = [];
  readonly #launches: CudaLaunch[] = [];

  constructor(buffers: number) {
    this.#buffers = buffers;
  }

  /** A new scratch buffer; its number in the call. */
  scratch(bytes: LaunchSize, zero = false): number {
    return this.#buffers + this.#scratch.push({ bytes, zero }) - 1;
  }

  launch({ entry, text }: PlainKernel, launch: PlainLaunch): void {
    let source = this.#sources.findIndex((known) => known.text === text.text);
    if (source < 0)
      source = this.#sources.push({ entry: entry.text, text: text.text, architecture: "sm_80" }) - 1;
    this.#launches.push({ source, threads, cluster: 1, sharedBytes: 0, ...launch });
  }

  get call(): CudaCall {
    return {
      sources: this.#sources,
      buffers: this.#buffers,
      scratch: this.#scratch,
      launches: this.#launches,
    };
  }
}
