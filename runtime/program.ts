/** Program: what a compiled spec is at run time: tensors, kernels and launches, with sizes still open. Plain JSON. */

/** A whole number known when a program runs: `["*", "batch", "length", 256]`; `ceil-div` is a quotient rounded up. */
export type Size =
  | number
  | "batch"
  | "length"
  | "threads"
  | "query-start"
  | readonly ["*", ...Size[]]
  | readonly ["+", ...Size[]]
  | readonly ["ceil-div", Size, number];

export interface Sizes {
  readonly batch: number;
  readonly length: number;
  readonly threads: number;
  readonly "query-start": number;
}

/** The value of a size; exact up to 2^53. */
export function evaluateSize(size: Size, sizes: Sizes): number {
  if (typeof size === "number") return size;
  if (typeof size === "string") return sizes[size];
  if (size[0] === "ceil-div") {
    const [whole, by] = [evaluateSize(size[1], sizes), size[2]];
    const rest = ((whole % by) + by) % by;
    return (whole - rest) / by + (rest > 0 ? 1 : 0);
  }
  const [op, ...parts] = size;
  let total = op === "*" ? 1 : 0;
  for (const part of parts) {
    const value = evaluateSize(part, sizes);
    total = op === "*" ? total * value : total + value;
  }
  if (!Number.isSafeInteger(total)) throw new RangeError(`size ${JSON.stringify(size)} is too large`);
  return total;
}

/**
 * `parameter`, `state`, `gradient` live as long as the run; `input` is written by the trainer before a phase;
 * `output` is read by it after; `activation` lives inside a phase; `scratch` inside one launch.
 */
export type TensorRole = "parameter" | "state" | "gradient" | "input" | "output" | "activation" | "scratch";

export interface Tensor {
  readonly id: number;
  /** Unique; a parameter's path, `gradient:<path>`, `state:<name>:<path>`, `input:tokens`, or a generated name. */
  readonly name: string;
  readonly dtype: "f32" | "i32";
  /** Row-major extents. */
  readonly shape: readonly Size[];
  readonly role: TensorRole;
}

/** Stands in `Launch.buffers` where a kernel gets a null pointer: a result that nobody reads. */
export const noTensor = -1;

export interface Launch {
  /** Entry point in the compiled kernels: `void entry(void *const *buffers, const int64_t *sizes, const float *scalars)`. */
  readonly kernel: string;
  /** Site and operation, for people: `layers.0.attn.q: matmul`. */
  readonly label: string;
  /** Tensor ids in the order the kernel expects, or `noTensor`. */
  readonly buffers: readonly number[];
  /** Which of `buffers` the kernel writes; all others are only read. */
  readonly writes: readonly number[];
  readonly sizes: readonly Size[];
  /** Numbers, or names of scalars that the trainer sets at each call (`lr`, `step`, `clip`, `seed`). */
  readonly scalars: readonly (number | string)[];
}

/** Launches in order. Tensors of role `activation` and `scratch` may share memory where lifetimes allow. */
export interface Phase {
  readonly launches: readonly Launch[];
}

export interface ParameterInfo {
  readonly path: string;
  readonly shape: readonly number[];
  readonly init:
    | { readonly kind: "constant"; readonly value: number }
    | { readonly kind: "normal"; readonly deviation: number }
    | { readonly kind: "uniform"; readonly limit: number };
  readonly trainable: boolean;
}

/**
 * `loss`: inputs → output `loss` [b,t]. `train`: `loss` and gradients. `update`: gradients → parameters and states,
 * output `gradient-norm` [1]. `logits`: inputs → output `logits` [b,t,v].
 */
export type PhaseName = "loss" | "train" | "update" | "logits";

export interface Program {
  readonly format: 1;
  readonly name: string;
  readonly parameters: readonly ParameterInfo[];
  readonly tensors: readonly Tensor[];
  readonly phases: Readonly<Record<PhaseName, Phase>>;
  /** Positions a row may have at most; null when nothing limits them. */
  readonly maxLength: number | null;
  /** Logits of a position may depend on later ones: what follows a row's end is part of the row, not padding. */
  readonly readsAhead: boolean;
}

/** Throws a RangeError for rows and positions that a program cannot run at. */
export function checkRunSizes(
  program: Pick<Program, "name" | "maxLength">,
  { batch, length }: Pick<Sizes, "batch" | "length">,
): void {
  for (const [name, value] of Object.entries({ batch, length }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name} must be 1 or more, not ${value}`);
  if (program.maxLength !== null && length > program.maxLength)
    throw new RangeError(
      `${program.name} takes rows of at most ${program.maxLength} positions, not ${length}`,
    );
}
