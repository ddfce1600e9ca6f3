/** RowRuns: rows of unequal lengths, run as batches of one length each. Nothing is padded: a row sees itself alone. */
import type { TrainingData } from "../data/training-data.ts";
import { HostBatch } from "./batch.ts";
import type { TrainableModel } from "./model.ts";
import type { BatchSettings } from "./settings.ts";

/** Rows of one length, by their places among all. */
export interface RowRun {
  readonly length: number;
  readonly rows: readonly number[];
}

/** Puts rows of one length together, at most `most` of them at once, in the order in which they come. */
export function runsOf(lengths: readonly number[], most: number): readonly RowRun[] {
  const open = new Map<number, number[]>();
  const runs: RowRun[] = [];
  lengths.forEach((length, row) => {
    let rows = open.get(length);
    if (rows === undefined || rows.length === most) {
      rows = [];
      open.set(length, rows);
      runs.push({ length, rows });
    }
    rows.push(row);
  });
  return runs;
}

/** Runs that a step of `rows` rows takes on average: one for each length among them, more where those of one are many. */
export function expectedRuns(lengths: ReadonlyMap<number, number>, rows: number, most: number): number {
  let runs = 0;
  for (const share of lengths.values()) runs += Math.max(1 - (1 - share) ** rows, (share * rows) / most);
  return runs;
}

/** Rows on the host, ready to be run: some of a data set's training or held-out rows. */
export function batchesOf(
  data: TrainingData,
  part: "train" | "validation",
  numbers: readonly number[],
  most: number,
): readonly HostBatch[] {
  const lengthOf = (number: number): number =>
    part === "train" ? data.trainLength(number) : data.validationLength(number);
  return runsOf(numbers.map(lengthOf), most).map(({ length, rows }) => {
    const batch = new HostBatch(rows.length, length);
    batch.fill((row) => {
      const number = numbers[rows[row]!]!;
      return part === "train" ? data.fillTrain(number, batch, row) : data.fillValidation(number, batch, row);
    });
    return batch;
  });
}

/** Gives a batch to a model, which takes the batch's sizes. Gradients of the loss count each target `lossScale` times. */
export function giveBatch(model: TrainableModel, batch: HostBatch, lossScale: number): void {
  model.resize({ batch: batch.rows, length: batch.length });
  batch.give(model, lossScale);
}

/** One line for people on what rows of unequal lengths cost; null when all have one. */
export function describeLengths(
  lengths: ReadonlyMap<number, number>,
  { sequences, accumulate }: BatchSettings,
): string | null {
  if (lengths.size < 2) return null;
  const all = [...lengths.keys()];
  const [least, most] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  const rows = sequences * accumulate;
  const runs = expectedRuns(lengths, rows, sequences);
  return `rows have ${least} to ${most} tokens, ${lengths.size} different lengths; only rows of one length run together, so a step of ${rows} rows takes about ${Number(runs.toFixed(1))} runs`;
}
