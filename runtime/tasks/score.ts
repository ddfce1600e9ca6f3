/** Scores answers: which tokens of them a model would write, by one pass over question and answer. */
import { floats, tensorNames, viewIfUsed } from "../train/model.ts";
import type { TrainableModel } from "../train/model.ts";
import { runsOf } from "../train/row-runs.ts";

/** A row that ends in an answer. */
export interface AnswerRow {
  readonly row: readonly number[];
  /** Positions of the answer's tokens. */
  readonly answer: readonly number[];
}

export interface AnswerScore {
  /** Tokens of the answer that are the likeliest after all true tokens before them. */
  readonly right: number;
  readonly tokens: number;
  /** Sum of −log p over the answer's tokens, in nats. */
  readonly nats: number;
}

/** The likeliest id that may come (the lowest of equals), and −log p of `target` among all ids. */
function judge(
  logits: Float32Array,
  target: number,
  allowed: (id: number) => boolean,
): { readonly likeliest: number; readonly nats: number } {
  let likeliest = -1;
  let top = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    top = Math.max(top, logit);
    if (allowed(id) && (likeliest < 0 ? !Number.isNaN(logit) : logit > logits[likeliest]!)) likeliest = id;
  }
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id]! - top);
  return { likeliest, nats: Math.log(sum) + top - logits[target]! };
}

/**
 * Scores rows, `most` at once; the model takes the sizes of the last ones. Every token of the answer is given to the model, so one pass tells
 * what writing token by token would: greedy decoding writes the answer exactly when each of its tokens is the likeliest
 * after the true ones before it. Needs phase `logits`.
 */
export function scoreAnswers(
  model: TrainableModel,
  rows: readonly AnswerRow[],
  allowed: (id: number) => boolean,
  most: number,
): AnswerScore[] {
  const scores: AnswerScore[] = [];
  const lengths = rows.map(({ row }) => row.length);
  for (const run of runsOf(lengths, most)) {
    model.resize({ batch: run.rows.length, length: run.length });
    const scored = scoreRun(
      model,
      run.rows.map((row) => rows[row]!),
      allowed,
    );
    run.rows.forEach((row, n) => (scores[row] = scored[n]!));
  }
  return scores;
}

/** Scores rows of one length, for which the model has its sizes. */
function scoreRun(
  model: TrainableModel,
  rows: readonly AnswerRow[],
  allowed: (id: number) => boolean,
): AnswerScore[] {
  const { batch, length } = model.sizes;
  for (const [name, rest] of [
    [tensorNames.tokens, 0],
    [tensorNames.targets, -1],
    [tensorNames.documents, 0],
    [tensorNames.starts, 0],
  ] as const)
    viewIfUsed(model, name)?.fill(rest);
  const tokens = viewIfUsed(model, tensorNames.tokens);
  rows.forEach(({ row }, n) => tokens?.set(row, n * length));
  model.run("logits", { lr: 0, step: 1, clip: 1, seed: 0, accumulate: 0 });
  const logits = floats(model, tensorNames.logits);
  const vocabulary = logits.length / (batch * length);
  return rows.map(({ row, answer }, n) => {
    let right = 0;
    let nats = 0;
    for (const position of answer) {
      const before = (n * length + position - 1) * vocabulary;
      const target = row[position]!;
      const judged = judge(logits.subarray(before, before + vocabulary), target, allowed);
      if (judged.likeliest === target) right++;
      nats += judged.nats;
    }
    return { right, tokens: answer.length, nats };
  });
}
