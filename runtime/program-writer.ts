/** ProgramWriter: how an emitted model.ts states its parameters, tensors and launches, in reading order. */
import { noTensor } from "./program.ts";
import type {
  Launch,
  ParameterInfo,
  Phase,
  PhaseName,
  Program,
  Size,
  Tensor,
  TensorRole,
} from "./program.ts";

/** A tensor of the program being written; only its writer makes one. */
export interface TensorHandle {
  readonly id: number;
  readonly name: string;
}

/** Given to a kernel for a result that nobody reads. */
export const none: TensorHandle = { id: noTensor, name: "" };

export type Init = ParameterInfo["init"];

/** Every element starts as `value`. */
export const constant = (value: number): Init => ({ kind: "constant", value });
/** Elements start normally distributed around 0. */
export const normal = (deviation: number): Init => ({ kind: "normal", deviation });
/** Elements start uniformly distributed in [−limit, limit). */
export const uniform = (limit: number): Init => ({ kind: "uniform", limit });

export interface ParameterOptions {
  /** False for a frozen parameter: no gradient, no optimizer state. */
  readonly trainable?: boolean;
}

export interface LaunchOptions {
  readonly sizes?: readonly Size[];
  /** Numbers, or names of scalars that the trainer sets at each call. */
  readonly scalars?: readonly (number | string)[];
}

/** Launches of one phase, in order. */
export interface PhaseWriter {
  /** Runs a kernel over `buffers`; those in `writes` are changed by it, the others only read. */
  launch(
    kernel: string,
    label: string,
    buffers: readonly TensorHandle[],
    writes: readonly TensorHandle[],
    options?: LaunchOptions,
  ): void;
}

export class ProgramWriter {
  readonly #name: string;
  readonly #maxLength: number | null;
  readonly #readsAhead: boolean;
  readonly #parameters: ParameterInfo[] = [];
  readonly #tensors: Tensor[] = [];
  readonly #phases = new Map<PhaseName, Launch[]>();

  /** `maxLength`: positions a row may have at most; null when nothing limits them. `readsAhead`: rows must not be padded. */
  constructor(name: string, options: { readonly maxLength: number | null; readonly readsAhead?: boolean }) {
    this.#name = name;
    this.#maxLength = options.maxLength;
    this.#readsAhead = options.readsAhead ?? false;
  }

  /** A tensor that kernels use; `shape` is row-major. */
  tensor(
    name: string,
    role: TensorRole,
    shape: readonly Size[],
    dtype: Tensor["dtype"] = "f32",
  ): TensorHandle {
    const id = this.#tensors.length;
    this.#tensors.push({ id, name, dtype, shape, role });
    return { id, name };
  }

  /** A weight and the tensor that holds it. */
  parameter(
    path: string,
    shape: readonly number[],
    init: Init,
    options: ParameterOptions = {},
  ): TensorHandle {
    this.#parameters.push({ path, shape, init, trainable: options.trainable ?? true });
    return this.tensor(path, "parameter", shape);
  }

  /** Writes one phase; each phase is written once. */
  phase(name: PhaseName, write: (phase: PhaseWriter) => void): void {
    if (this.#phases.has(name)) throw new Error(`phase "${name}" is written twice`);
    const launches: Launch[] = [];
    this.#phases.set(name, launches);
    write({
      launch: (kernel, label, buffers, writes, options = {}) => {
        launches.push({
          kernel,
          label,
          buffers: buffers.map((buffer) => buffer.id),
          writes: writes.map((buffer) => buffer.id),
          sizes: options.sizes ?? [],
          scalars: options.scalars ?? [],
        });
      },
    });
  }

  /** The finished program; a phase that was not written has no launches. */
  finish(): Program {
    const phase = (name: PhaseName): Phase => ({ launches: this.#phases.get(name) ?? [] });
    return {
      format: 1,
      name: this.#name,
      parameters: this.#parameters,
      tensors: this.#tensors,
      phases: {
        loss: phase("loss"),
        train: phase("train"),
        update: phase("update"),
        logits: phase("logits"),
      },
      maxLength: this.#maxLength,
      readsAhead: this.#readsAhead,
    };
  }
}
