/** TrainableModel: what the trainer drives: named tensors and phases. An executable program is one; tests write small ones. */
import type { ParameterInfo, PhaseName, Sizes, Tensor } from "../program.ts";
import type { StageSettings } from "./settings.ts";

/** Names of the tensors that the trainer writes before a phase and reads after it. */
export const tensorNames = {
  /** [batch, length] i32. */
  tokens: "input:tokens",
  /** [batch, length] i32; −1: no loss here. */
  targets: "input:targets",
  /** [batch, length] i32; number of the token's document in its row. */
  documents: "input:documents",
  /** [batch, length] i32; position in the row where the token's document starts. */
  starts: "input:starts",
  /** [] f32; 1 / targets counted in the step. */
  lossScale: "input:loss-scale",
  /** [batch, length] f32; −log p of each target, 0 where there is none. */
  loss: "loss",
  /** [batch, length, vocabulary] f32. */
  logits: "logits",
  /** [1] f32; norm over all gradients before clipping; see `checksGradients` for those that are not finite. */
  gradientNorm: "gradient-norm",
} as const;

/** The gradient of a parameter, written by phase `train`. */
export const gradientName = (path: string): string => `gradient:${path}`;

/** Numbers given to each phase. Kernels read them as f32, so each must be exact there or rounded knowingly. */
export interface Scalars {
  /** Learning rate of this step. */
  readonly lr: number;
  /** Counts from 1 in each stage. */
  readonly step: number;
  /** Phase `train`: 0 replaces the gradients of the run before, 1 adds to them. */
  readonly accumulate: 0 | 1;
  /** Largest gradient norm; 3.4e38 when nothing is clipped. */
  readonly clip: number;
  /** Below 2^24; another for every run of a phase, the same after a resume. */
  readonly seed: number;
}

export interface ModelShape {
  readonly parameters: readonly ParameterInfo[];
  readonly tensors: readonly Tensor[];
  /** Positions a row may have at most; null when nothing limits them. */
  readonly maxLength: number | null;
  /** Rows must not be padded: see Program. */
  readonly readsAhead: boolean;
}

export interface TrainableModel {
  readonly program: ModelShape;
  /** Rows and positions that the next run of a phase holds. */
  readonly sizes: Sizes;
  /** Bytes of all tensors, as the device keeps them; for progress lines. */
  readonly memoryBytes: number;
  /**
   * True where phase `update` itself looks at every gradient: when one is not finite it changes nothing, and the
   * gradient norm is NaN. Else the trainer reads them all before it.
   */
  readonly checksGradients?: boolean;
  /**
   * A tensor's values, to read and to write, valid until the next run of a phase; what is written counts from that run
   * on. Devices with memory of their own copy here and before the run, so ask only for what is needed. Throws a
   * RangeError when no phase made ready has a tensor of that name.
   */
  tensor(name: string): Float32Array | Int32Array;
  /**
   * Changes rows and positions; weights, states and gradients stay, all other views are void. Throws a RangeError for
   * sizes that the program cannot run at.
   */
  resize(sizes: Pick<Sizes, "batch" | "length">): void;
  /** Runs a phase; its results are there, for `tensor` to ask, when it returns. */
  run(phase: PhaseName, scalars: Readonly<Record<string, number>>): void;
  close(): void;
}

/** Makes the model of a stage, with room for `stage.batch.sequences` rows of `stage.data.length` positions. Weights are the trainer's to fill. */
export type OpenModel = (stage: StageSettings, index: number) => Promise<TrainableModel>;

/** The view of a float tensor. Throws when the tensor holds whole numbers. */
export function floats(model: Pick<TrainableModel, "tensor">, name: string): Float32Array {
  const view = model.tensor(name);
  if (!(view instanceof Float32Array)) throw new TypeError(`tensor "${name}" holds no floats`);
  return view;
}

/** The view of a whole-number tensor. Throws when the tensor holds floats. */
export function wholes(model: Pick<TrainableModel, "tensor">, name: string): Int32Array {
  const view = model.tensor(name);
  if (!(view instanceof Int32Array)) throw new TypeError(`tensor "${name}" holds no whole numbers`);
  return view;
}

/** True when the program has a tensor of that name. */
export function hasTensor(program: ModelShape, name: string): boolean {
  return program.tensors.some((tensor) => tensor.name === name);
}

/** Tokens the model knows: the last extent of its logits; null when the program has none. */
export function vocabularyOf(program: ModelShape): number | null {
  const extent = program.tensors.find((tensor) => tensor.name === tensorNames.logits)?.shape.at(-1);
  return typeof extent === "number" ? extent : null;
}

/** The view of a tensor; null when the program has none of that name, or no phase made ready reads it. */
export function viewIfUsed(
  model: Pick<TrainableModel, "program" | "tensor">,
  name: string,
): Float32Array | Int32Array | null {
  if (!hasTensor(model.program, name)) return null;
  try {
    return model.tensor(name);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Names of the tensors of one role, in program order. */
export function namesOf(program: ModelShape, role: Tensor["role"]): readonly string[] {
  return program.tensors.filter((tensor) => tensor.role === role).map((tensor) => tensor.name);
}
