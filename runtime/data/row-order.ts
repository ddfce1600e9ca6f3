/** Which text each training row holds: a function of seed and row number, so a run can go on at any row. */
import { permutation } from "../random/shuffle.ts";
import { keyOf, RandomStream } from "../random/stream.ts";

export class RowOrder {
  /** Rows in one pass over the text. */
  readonly rows: number;
  readonly #step: number;
  readonly #slack: number;
  readonly #seed: number;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array(0);
  #shift = 0;

  /** `tokens` in the view, `step` of them from one row to the next; a row reads one more. Needs tokens > step. */
  constructor(tokens: number, step: number, seed: number) {
    this.rows = Math.floor((tokens - 1) / step);
    if (this.rows < 1) throw new RangeError("the view is shorter than a row");
    this.#step = step;
    this.#slack = tokens - 1 - this.rows * step;
    this.#seed = seed;
  }

  /** The epoch of a row, counted from 0. */
  epochOf(row: number): number {
    return Math.floor(row / this.rows);
  }

  /**
   * The first token of training row `row` (0, 1, …). Each epoch takes every row once, in another order, and begins at
   * another token of those that the rows leave over.
   */
  tokenOf(row: number): number {
    const epoch = this.epochOf(row);
    if (epoch !== this.#epoch) {
      this.#order = permutation(this.rows, this.#seed, `epoch ${epoch}`);
      this.#shift = new RandomStream(keyOf(this.#seed, `shift:epoch ${epoch}`)).below(this.#slack + 1);
      this.#epoch = epoch;
    }
    return this.#shift + this.#order[row % this.rows]! * this.#step;
  }
}
