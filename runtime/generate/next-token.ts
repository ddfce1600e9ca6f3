/** NextToken: what generation asks of a model: logits behind a row. Whether it recomputes or keeps a cache is its own affair. */
import { floats, tensorNames, viewIfUsed } from "../train/model.ts";
import type { ModelShape, TrainableModel } from "../train/model.ts";

export interface NextToken {
  /** Positions a row may have; null when nothing limits them. */
  readonly maxLength: number | null;
  /** Logits of the token that follows `row`; valid until the next call. The row has at least one token. */
  logits(row: readonly number[]): Float32Array;
  close(): void;
}

/** A model at one row of some length, with phase `logits`. */
export type LogitsModel = Pick<TrainableModel, "program" | "sizes" | "tensor" | "run" | "close">;

/** Lengths that rows are padded to, so that few sizes of a model are made ready. */
const shortest = 32;

/** The length to run a row of `tokens` at: a power of two, at most `maxLength`. */
export function runLength(tokens: number, maxLength: number | null): number {
  let length = shortest;
  while (length < tokens) length *= 2;
  return maxLength === null ? length : Math.min(length, maxLength);
}

/**
 * Runs the whole row for each token. Rows are padded on the right; what follows a position never changes it, because
 * a decoder looks back only. `open` makes the model for rows of a length.
 */
export function recompute(program: ModelShape, open: (length: number) => LogitsModel): NextToken {
  const { maxLength } = program;
  let model: LogitsModel | null = null;
  return {
    maxLength,
    logits(row) {
      if (row.length === 0) throw new RangeError("a row has at least one token");
      if (maxLength !== null && row.length > maxLength)
        throw new RangeError("the row is too long for the model");
      const length = runLength(row.length, maxLength);
      if (model === null || model.sizes.length !== length) {
        model?.close();
        model = open(length);
      }
      const inputs = [
        [tensorNames.tokens, row],
        [tensorNames.targets, row.map(() => -1)],
        [tensorNames.documents, []],
        [tensorNames.starts, []],
      ] as const;
      for (const [name, values] of inputs) {
        const view = viewIfUsed(model, name);
        if (view === null) continue;
        view.fill(name === tensorNames.targets ? -1 : 0);
        view.set(values);
      }
      model.run("logits", { lr: 0, step: 1, clip: 1, seed: 0, accumulate: 0 });
      const logits = floats(model, tensorNames.logits);
      const vocabulary = logits.length / length;
      return logits.subarray((row.length - 1) * vocabulary, row.length * vocabulary);
    },
    close() {
      model?.close();
      model = null;
    },
  };
}
