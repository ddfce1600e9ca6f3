/** TrainSettings: a recipe as plain JSON, with every default filled in; the compiler writes it, the trainer reads it. */
import type { MixPart, TaskEvaluation } from "../tasks/task.ts";

export interface TrainSettings {
  readonly format: 1;
  /** Name of the model, for people and folder names. */
  readonly model: string;
  /** Seeds initial weights, the order of data and random kernels. A whole number from 0 to 2^53 − 1. */
  readonly seed: number;
  /** One after another; weights go over by name, optimizer states start anew. At least one. */
  readonly stages: readonly StageSettings[];
  readonly checkpoint: CheckpointSettings;
  /** Tasks to evaluate on after training; they change nothing of a run. */
  readonly evaluations?: readonly TaskEvaluation[] | undefined;
}

export interface StageSettings {
  /** Unique; `main` when a recipe has no stages. */
  readonly name: string;
  readonly data: DataSettings;
  readonly loss: LossSettings;
  readonly optimizer: OptimizerSettings;
  readonly schedule: ScheduleSettings;
  readonly batch: BatchSettings;
  /** Gradients whose norm over all parameters is above this are scaled down to it; null: never. */
  readonly clip: number | null;
  readonly precision: "f32";
  readonly evaluate: EvaluateSettings;
}

export interface DataSettings {
  /** A file, folder or glob, or a data set's name; see runtime/data/resolve-source.ts for where it is looked for. */
  readonly source: string;
  /** Rows of several sources instead of the one; `source` is then empty. */
  readonly mix?: readonly MixPart[] | undefined;
  /** `bytes`, or the path of a tokenizer.json (or of the folder that holds it). */
  readonly tokenizer: string;
  /** Tokens a row holds, at most, inserted tokens counted. */
  readonly length: number;
  /** True: tokens carry their document and the position where it starts, and no document predicts into the next. */
  readonly packed: boolean;
  /** True: each document is a row of its own length, of several when it is longer than `length`. */
  readonly cut?: boolean | undefined;
  /** A token put after every `every` tokens of text, aligned to the row; null: none. */
  readonly insert: { readonly token: string; readonly every: number } | null;
  /** Text held out: a share of it (0 ≤ value < 1), or a number of tokens. */
  readonly validate: { readonly kind: "share" | "tokens"; readonly value: number };
}

export interface LossSettings {
  /** As the spec says it (`next_token`); what it means is compiled. */
  readonly objective: string;
  /** True: in rows that tasks made, only the tokens of answers are targets. */
  readonly answersOnly?: boolean | undefined;
  /** Name of a token that is never a target; null: every token is. */
  readonly exceptToken: string | null;
  /** Positions `[from, to)` of a row whose targets do not count. */
  readonly exceptPositions: readonly (readonly [number, number])[];
}

export interface OptimizerSettings {
  /** For people: the update rule itself is compiled, with every hyperparameter but the learning rate. */
  readonly name: string;
  /** Learning rate after warm-up. */
  readonly lr: number;
  /** The other hyperparameters as written, for the record. */
  readonly values: Readonly<Record<string, number | readonly number[]>>;
}

export interface ScheduleSettings {
  /** Steps in which the learning rate rises linearly to `lr`; a share counts steps of the whole. */
  readonly warmup: { readonly kind: "steps" | "share"; readonly value: number };
  readonly shape: "constant" | "cosine" | "linear";
  /** Learning rate of the last step; not read by `constant`. */
  readonly to: number;
  /** Steps in all, warm-up counted. */
  readonly steps: number;
}

export interface BatchSettings {
  /** Rows that run at once. */
  readonly sequences: number;
  /** Runs whose gradients make one step. At least 1. */
  readonly accumulate: number;
}

export interface EvaluateSettings {
  /** Steps between two evaluations; 0: only at the end. */
  readonly every: number;
  /** Held-out rows looked at, at most; null: all. */
  readonly rows: number | null;
}

export interface CheckpointSettings {
  /** Steps between two checkpoints; 0: only at the end and when asked to stop. */
  readonly every: number;
  /** Newest checkpoints kept, besides the best. At least 1. */
  readonly keep: number;
}

/** What a recipe has when its spec says nothing. */
export const defaults = {
  seed: 1,
  tokenizer: "bytes",
  stage: "main",
  validate: { kind: "share", value: 0.05 },
  warmup: { kind: "steps", value: 0 },
  clip: 1,
  accumulate: 1,
  evaluateRows: 64,
  keep: 3,
} as const;

/** Steps between evaluations and checkpoints that suit a run of `steps`: twenty in all, at least 10 steps apart. */
export function defaultCadence(steps: number): number {
  return Math.max(Math.min(10, steps), Math.ceil(steps / 20));
}
