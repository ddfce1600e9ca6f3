/** What an emitted phase is given and gives: sizes, batch data, weights and numbers in; named tensors out. */
import type * as tf from "@tensorflow/tfjs-core";

export interface UpdateRun {
  /** A number of this step, by name (`lr`, `step`). */
  scalar(name: string): number;
  readonly step: number;
}

export interface Run extends UpdateRun {
  readonly batch: number;
  /** Tokens of a row. */
  readonly length: number;
  /** Queries of a row, and the position of the first: all of them, from 0, unless a caller says otherwise. */
  readonly queryLength: number;
  readonly queryStart: number;
  readonly seed: number;
  /** [batch, length] i32, or [] f32 for `loss-scale`. */
  input(name: "tokens" | "targets" | "documents" | "starts" | "loss-scale"): tf.Tensor;
  /** A parameter, by its path. */
  weight(path: string): tf.Tensor;
}

/** Results of a phase by name; the caller's to free. */
export type Outputs = Readonly<Record<string, tf.Tensor>>;

/** So many tensors: the optimizer's states of one parameter, the results of a gradient. */
export type States<N extends number, T extends readonly tf.Tensor[] = readonly []> = T["length"] extends N
  ? T
  : States<N, readonly [...T, tf.Tensor]>;

/** Functions of an emitted module. */
export interface Phases {
  readonly logits?: (run: Run) => Outputs;
  readonly loss?: (run: Run) => Outputs;
  readonly train?: (run: Run) => Outputs;
  /** Null where the program never trains. */
  readonly update?: (run: UpdateRun, w: tf.Tensor, g: tf.Tensor, old: never) => tf.Tensor[];
}
