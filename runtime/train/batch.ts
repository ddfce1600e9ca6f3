/** Batches: rows made on the host, then copied into a model's inputs. */
import type { RowBuffers } from "../data/rows.ts";
import { floats, tensorNames, viewIfUsed } from "./model.ts";
import type { TrainableModel } from "./model.ts";

/** Rows of one run of a phase. */
export class HostBatch implements RowBuffers {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
  readonly documents: Int32Array;
  readonly starts: Int32Array;
  readonly rows: number;
  readonly length: number;
  /** Targets that count. */
  counted = 0;

  constructor(rows: number, length: number) {
    this.rows = rows;
    this.length = length;
    this.tokens = new Int32Array(rows * length);
    this.targets = new Int32Array(rows * length);
    this.documents = new Int32Array(rows * length);
    this.starts = new Int32Array(rows * length);
  }

  /** Fills every row with `fill(row)`, which returns how many targets count. */
  fill(fill: (row: number) => number): void {
    this.counted = 0;
    for (let row = 0; row < this.rows; row++) this.counted += fill(row);
  }

  /** Copies the rows into the inputs that the model has. */
  give(model: TrainableModel, lossScale: number): void {
    const inputs = [
      [tensorNames.tokens, this.tokens],
      [tensorNames.targets, this.targets],
      [tensorNames.documents, this.documents],
      [tensorNames.starts, this.starts],
    ] as const;
    for (const [name, values] of inputs) viewIfUsed(model, name)?.set(values);
    viewIfUsed(model, tensorNames.lossScale)?.fill(lossScale);
  }
}

/** Sum of the per-token losses of the last run, in double precision and a fixed order. */
export function lossSum(model: TrainableModel): number {
  const losses = floats(model, tensorNames.loss);
  let sum = 0;
  for (let i = 0; i < losses.length; i++) sum += losses[i]!;
  return sum;
}
