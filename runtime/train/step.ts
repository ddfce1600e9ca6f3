/** One training step: rows in, gradients added up, a check that every number is finite, the update. */
import type { TrainingData } from "../data/training-data.ts";
import { LctxError } from "../errors.ts";
import { philox } from "../random/philox.ts";
import { keyOf } from "../random/stream.ts";
import type { Key } from "../random/philox.ts";
import { lossSum } from "./batch.ts";
import { floats, namesOf, tensorNames } from "./model.ts";
import type { Scalars, TrainableModel } from "./model.ts";
import { batchesOf, giveBatch } from "./row-runs.ts";
import { learningRate } from "./schedule.ts";
import type { StageSettings } from "./settings.ts";

/** A clipping norm that no finite f32 gradient exceeds. */
const neverClip = 3.4e38;

export interface StepResult {
  /** Mean over the step's targets. */
  readonly loss: number;
  readonly lr: number;
  readonly gradientNorm: number;
  readonly tokens: number;
}

/** The first gradient that is not finite. */
function firstBadGradient(model: TrainableModel): { readonly name: string; readonly index: number } | null {
  for (const name of namesOf(model.program, "gradient")) {
    const values = floats(model, name);
    // Finite f32 values have a finite sum in f64.
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[i]!;
    if (!Number.isFinite(sum)) {
      return { name, index: values.findIndex((value) => !Number.isFinite(value)) };
    }
  }
  return null;
}

export class Stepper {
  readonly #model: TrainableModel;
  readonly #stage: StageSettings;
  readonly #dataset: TrainingData;
  readonly #key: Key;

  constructor(model: TrainableModel, stage: StageSettings, dataset: TrainingData, seed: number) {
    this.#model = model;
    this.#stage = stage;
    this.#dataset = dataset;
    this.#key = keyOf(seed, `kernels:${stage.name}`);
  }

  /** Training rows that one step takes. */
  get rows(): number {
    return this.#stage.batch.sequences * this.#stage.batch.accumulate;
  }

  /**
   * Does step `step` (from 1) on the rows from `firstRow` on; `pause` is awaited between runs. Throws LctxError
   * `not-finite` before any weight changes when a loss or gradient is not finite, naming the first such tensor.
   */
  async run(step: number, firstRow: number, pause: () => Promise<void>): Promise<StepResult> {
    const { sequences } = this.#stage.batch;
    const lr = learningRate(this.#stage.schedule, this.#stage.optimizer.lr, step);
    const numbers = Array.from({ length: this.rows }, (_, row) => firstRow + row);
    const batches = batchesOf(this.#dataset, "train", numbers, sequences);
    const counted = batches.reduce((sum, batch) => sum + batch.counted, 0);
    // Every target of the step weighs the same, whichever run it falls in.
    const lossScale = counted === 0 ? 0 : 1 / counted;
    let nats = 0;
    for (const [run, batch] of batches.entries()) {
      await pause();
      giveBatch(this.#model, batch, lossScale);
      this.#model.run("train", this.#scalars(lr, step, run));
      nats += lossSum(this.#model);
    }
    // Memory of a GPU is not read through for this: its update refuses what is not finite, and says so.
    const checked = this.#model.checksGradients === true;
    if (!checked || !Number.isFinite(nats)) this.#checkFinite(nats, step);
    this.#model.run("update", this.#scalars(lr, step, 0));
    const loss = counted === 0 ? 0 : nats / counted;
    const gradientNorm = floats(this.#model, tensorNames.gradientNorm)[0]!;
    if (checked && Number.isNaN(gradientNorm)) {
      this.#checkFinite(nats, step);
      throw new Error(
        `the update of step ${step} found a gradient that is not finite, and all are finite now`,
      );
    }
    const tokens = batches.reduce((sum, batch) => sum + batch.tokens.length, 0);
    return { loss, lr, gradientNorm, tokens };
  }

  #scalars(lr: number, step: number, run: number): Scalars & Readonly<Record<string, number>> {
    const seed = philox(this.#key, [step >>> 0, Math.floor(step / 2 ** 32), run, 0])[0] >>> 8;
    return { lr, step, clip: this.#stage.clip ?? neverClip, seed, accumulate: run === 0 ? 0 : 1 };
  }

  #checkFinite(nats: number, step: number): void {
    const gradient = firstBadGradient(this.#model);
    if (Number.isFinite(nats) && gradient === null) return;
    const weights = this.#model.program.parameters.find(
      ({ path }) => !floats(this.#model, path).every((value) => Number.isFinite(value)),
    );
    const where =
      weights !== undefined
        ? `weight "${weights.path}"`
        : !Number.isFinite(nats)
          ? `"${tensorNames.loss}"`
          : `element ${gradient!.index} of "${gradient!.name}"`;
    const also = gradient !== null && !where.includes(gradient.name) ? `; so is "${gradient.name}"` : "";
    throw new LctxError(
      "not-finite",
      `at step ${step} of stage "${this.#stage.name}" ${where} is not finite${also}; the step was not taken and nothing was saved over the last checkpoint`,
      "lower the learning rate, lengthen the warm-up, or clip gradients",
    );
  }
}
