/** Evaluation: loss, perplexity and bits per byte on held-out rows. */
import type { TrainingData } from "../data/training-data.ts";
import { lossSum } from "./batch.ts";
import type { TrainableModel } from "./model.ts";
import { batchesOf, giveBatch } from "./row-runs.ts";

export interface Evaluation {
  /** Mean over the targets: of −log p in nats, or of what the teachers ask. */
  readonly loss: number;
  /** Null when the loss is no −log p. */
  readonly perplexity: number | null;
  /** −log2 p of the text over its bytes: comparable between tokenizers. Null when bytes are not known exactly, or as above. */
  readonly bitsPerByte: number | null;
  readonly targets: number;
  /** Bytes of text that the targets stand for. */
  readonly bytes: number;
  readonly rows: number;
}

export interface EvaluateOptions {
  /** Rows run at once, at most. */
  readonly sequences: number;
  /** Held-out rows looked at, at most, evenly spread; null: all. */
  readonly rows: number | null;
  /** What the loss of the `loss` phase is, as settings name it: `next_token` is −log p. */
  readonly objective: string;
  /** Scalars that kernels ask for; evaluation has no randomness and no step of its own. */
  readonly scalars?: Readonly<Record<string, number>>;
  /** Asked between runs: true ends the evaluation without a result. */
  readonly stopped?: () => boolean;
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Rows to look at: all, or `limit` evenly spread. */
export function chosenRows(rows: number, limit: number | null): number[] {
  const count = limit === null ? rows : Math.min(rows, limit);
  return Array.from({ length: count }, (_, i) => Math.floor((i * rows) / count));
}

/** Rows looked through at once for those of one length: enough to fill runs, few enough for the host's memory. */
const rowsTogether = (sequences: number): number => 16 * sequences;

/** Evaluates on the held-out part; null when there is none or it was stopped. */
export async function evaluate(
  model: TrainableModel,
  dataset: TrainingData,
  options: EvaluateOptions,
): Promise<Evaluation | null> {
  const chosen = chosenRows(dataset.validationRows, options.rows);
  let nats = 0;
  let targets = 0;
  let bytes = 0;
  for (let at = 0; at < chosen.length; at += rowsTogether(options.sequences)) {
    const numbers = chosen.slice(at, at + rowsTogether(options.sequences));
    for (const batch of batchesOf(dataset, "validation", numbers, options.sequences)) {
      await pause();
      if (options.stopped?.() === true) return null;
      giveBatch(model, batch, batch.counted === 0 ? 0 : 1 / batch.counted);
      model.run("loss", { lr: 0, step: 1, clip: 1, seed: 0, accumulate: 0, ...options.scalars });
      nats += lossSum(model);
      targets += batch.counted;
      for (const target of batch.targets) if (target >= 0) bytes += dataset.tokenizer.byteLength(target);
    }
  }
  if (targets === 0) return null;
  const loss = nats / targets;
  const likelihood = options.objective === "next_token";
  return {
    loss,
    perplexity: likelihood ? Math.exp(loss) : null,
    bitsPerByte: likelihood && dataset.facts.bytesExact && bytes > 0 ? nats / Math.LN2 / bytes : null,
    targets,
    bytes,
    rows: chosen.length,
  };
}
