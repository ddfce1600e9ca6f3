/** NextToken: what generation asks of a model: logits behind a row. Whether it recomputes or keeps a cache is its own affair. */
import { floats, tensorNames, viewIfUsed } from "../train/model.ts";
import type { TrainableModel } from "../train/model.ts";

export interface NextToken {
  /** Positions a row may have; null when nothing limits them. */
  maxLength(): Promise<number | null>;
  /** Logits of the token that follows `row`; valid until the next call. The row has at least one token. */
  logits(row: readonly number[]): Promise<Float32Array>;
  close(): void;
}

/** A model at one row of some length, with phase `logits`. */
export type LogitsModel = Pick<TrainableModel, "program" | "sizes" | "tensor" | "resize" | "run" | "close">;

/** A NextToken that runs whole rows. */
export interface Recomputing extends NextToken {
  /** The model, at whatever length. */
  ready(): Promise<LogitsModel>;
}

/** Lengths that rows are padded to, so that few sizes of a model are made ready. */
const shortest = 32;

/** The length to run a row of `tokens` at: its own where padding would be read, else a power of two, at most `maxLength`. */
export function runLength(tokens: number, maxLength: number | null, readsAhead: boolean): number {
  if (readsAhead) return tokens;
  let length = shortest;
  while (length < tokens) length *= 2;
  return maxLength === null ? length : Math.min(length, maxLength);
}

/**
 * Runs the whole row for each token. Rows are padded on the right where what follows a position never changes it;
 * where the program reads ahead, each length is run as it is. `open` makes the model, of one row.
 */
export function recompute(open: () => Promise<LogitsModel>): Recomputing {
  let model: LogitsModel | null = null;
  const ready = async (): Promise<LogitsModel> => (model ??= await open());
  return {
    ready,
    maxLength: async () => (await ready()).program.maxLength,
    async logits(row) {
      const sized = await ready();
      const { maxLength, readsAhead } = sized.program;
      if (row.length === 0) throw new RangeError("a row has at least one token");
      if (maxLength !== null && row.length > maxLength)
        throw new RangeError("the row is too long for the model");
      const length = runLength(row.length, maxLength, readsAhead);
      if (sized.sizes.length !== length) sized.resize({ batch: 1, length });
      const inputs = [
        [tensorNames.tokens, row, 0],
        [tensorNames.targets, [], -1],
        [tensorNames.documents, [], 0],
        [tensorNames.starts, [], 0],
      ] as const;
      for (const [name, values, rest] of inputs) {
        const view = viewIfUsed(sized, name);
        if (view === null) continue;
        view.fill(rest);
        view.set(values);
      }
      sized.run("logits", { lr: 0, step: 1, clip: 1, seed: 0, accumulate: 0 });
      const logits = floats(sized, tensorNames.logits);
      const vocabulary = logits.length / length;
      return logits.subarray((row.length - 1) * vocabulary, row.length * vocabulary);
    },
    close() {
      model?.close();
      model = null;
    },
  };
}
