/** Functions of places that emitted modules hold, and what they may read there: sizes, tables and sets, on the host. */
import type * as tf from "@tensorflow/tfjs-core";
import type { Run } from "./run.ts";

/** A value of each pair of a query and a key; `reads` names which of b, h, q and k it may differ by. */
export interface Pairs {
  readonly reads: string;
  readonly of: (q: number, k: number, h: number, at: Place) => number | boolean;
}

/** A truth of a block of pairs, from its first and last query and key; `reads` names which of b and h it may differ by. */
export interface Corners {
  readonly reads: string;
  readonly of: (q0: number, q1: number, k0: number, k1: number, h: number, at: Place) => boolean;
}

export const pairs = (reads: string, of: Pairs["of"]): Pairs => ({ reads, of });
export const corners = (reads: string, of: Corners["of"]): Corners => ({ reads, of });

const members = 32;

function countBits(word: number): number {
  let count = 0;
  for (let left = word >>> 0; left !== 0; left &= left - 1) count++;
  return count;
}

interface HostTable {
  readonly values: ArrayLike<number>;
  /** Elements between neighbours along each axis after the batch. */
  readonly strides: readonly number[];
  readonly rowSize: number;
  /** Extent of the last axis: words of a row, where it is a set. */
  readonly last: number;
}

/** Tables of a node as the host reads them, in one row of the batch. Indices that a guard hides may lie anywhere. */
export class Place {
  readonly batch: number;
  readonly length: number;
  readonly queryLength: number;
  readonly queryStart: number;
  readonly step: number;
  /** The row of the batch that loads are from. */
  row = 0;
  readonly #run: Run;
  readonly #tables: readonly tf.Tensor[];
  readonly #batched: readonly boolean[];
  readonly #host: (HostTable | undefined)[];

  constructor(
    run: Run,
    tables: readonly tf.Tensor[],
    batched: readonly boolean[],
    rows: { readonly start: number; readonly count: number },
  ) {
    this.batch = run.batch;
    this.length = run.length;
    this.queryLength = rows.count;
    this.queryStart = rows.start;
    this.step = run.step;
    this.#run = run;
    this.#tables = tables;
    this.#batched = batched;
    this.#host = tables.map(() => undefined);
  }

  scalar(name: string): number {
    return this.#run.scalar(name);
  }

  #table(n: number): HostTable {
    const known = this.#host[n];
    if (known !== undefined) return known;
    const tensor = this.#tables[n]!;
    const shape = this.#batched[n] === true ? tensor.shape.slice(1) : tensor.shape;
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const made: HostTable = {
      values: tensor.dataSync(),
      strides,
      rowSize: this.#batched[n] === true ? shape.reduce((a, b) => a * b, 1) : 0,
      last: shape.at(-1) ?? 1,
    };
    this.#host[n] = made;
    return made;
  }

  load(n: number, i = 0, j = 0, l = 0, ...more: readonly number[]): number {
    const { values, strides, rowSize } = this.#table(n);
    let at = i * (strides[0] ?? 0) + j * (strides[1] ?? 0) + l * (strides[2] ?? 0);
    for (let axis = 0; axis < more.length; axis++) at += more[axis]! * strides[axis + 3]!;
    return values[this.row * rowSize + at] ?? 0;
  }

  #word(n: number, word: number, row: readonly number[]): number {
    const { values, strides, rowSize } = this.#table(n);
    let at = this.row * rowSize + word;
    for (let axis = 0; axis < row.length; axis++) at += row[axis]! * strides[axis]!;
    return values[at] ?? 0;
  }

  /** Whether an element is in the set at a row. */
  member(n: number, element: number, ...row: readonly number[]): boolean {
    const word = Math.floor(element / members);
    if (!(word >= 0 && word < this.#table(n).last)) return false;
    return ((this.#word(n, word, row) >>> (element - members * word)) & 1) === 1;
  }

  /** How many members of the set at a row lie below an element. */
  rank(n: number, element: number, ...row: readonly number[]): number {
    const words = this.#table(n).last;
    const word = Math.floor(element / members);
    let count = 0;
    for (let before = 0; before < words && before < word; before++)
      count += countBits(this.#word(n, before, row));
    if (!(word >= 0 && word < words)) return count;
    return count + countBits(this.#word(n, word, row) & (2 ** (element - members * word) - 1));
  }

  /** Whether some pair of a rectangle of rows and elements is in the set; elements come last. */
  any(n: number, low: readonly number[], high: readonly number[]): boolean {
    return this.#seek(n, low, high, [], true);
  }

  /** Whether all pairs of a rectangle are in the set. */
  all(n: number, low: readonly number[], high: readonly number[]): boolean {
    return !this.#seek(n, low, high, [], false);
  }

  /** Whether some pair of a rectangle is in the set, or is not. */
  #seek(
    n: number,
    low: readonly number[],
    high: readonly number[],
    row: readonly number[],
    wanted: boolean,
  ): boolean {
    const axis = row.length;
    for (let at = low[axis]!; at <= high[axis]!; at++) {
      if (axis === low.length - 1) {
        if (this.member(n, at, ...row) === wanted) return true;
      } else if (this.#seek(n, low, high, [...row, at], wanted)) return true;
    }
    return false;
  }
}
