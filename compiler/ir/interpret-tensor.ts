/** Float64 tensors of the interpreter: extents of named axes, row-major storage, and how axes of one lie in another. */
import type { Axis } from "./graph.ts";

/** Row-major float64 elements; whole-number tensors hold whole numbers. */
export interface Float64Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Whole numbers known when a graph runs; what is left out follows from the rest (all queries, from position 0). */
export interface InterpretSizes {
  readonly batch: number;
  readonly length: number;
  readonly "query-length"?: number;
  readonly "query-start"?: number;
  readonly step?: number;
}

export function extents(axes: readonly Axis[], sizes: InterpretSizes): readonly number[] {
  return axes.map(({ size }) => {
    switch (size.kind) {
      case "fixed":
        return size.value;
      case "batch":
        return sizes.batch;
      case "length":
        return Math.ceil((sizes.length + size.plus) / size.by);
      default:
        return size satisfies never;
    }
  });
}

export const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export const emptyTensor = (shape: readonly number[]): Float64Tensor => ({
  shape,
  data: new Float64Array(product(shape)),
});

/** Row-major distances between neighbours along each axis. */
export function strides(shape: readonly number[]): readonly number[] {
  const found = shape.map(() => 1);
  for (let n = shape.length - 2; n >= 0; n--) found[n] = found[n + 1]! * shape[n + 1]!;
  return found;
}

/** For each element of the space of `axes`, in row-major order, where it lies in a tensor over `own` axes (0 for axes it lacks). */
export function offsets(
  axes: readonly Axis[],
  shape: readonly number[],
  own: readonly Axis[],
  ownShape: readonly number[],
): Int32Array {
  const ownStrides = strides(ownShape);
  const steps = axes.map(({ name }) => {
    const at = own.findIndex((axis) => axis.name === name);
    return at < 0 ? 0 : ownStrides[at]!;
  });
  const found = new Int32Array(product(shape));
  const position = shape.map(() => 0);
  let offset = 0;
  for (let n = 0; n < found.length; n++) {
    found[n] = offset;
    for (let d = shape.length - 1; d >= 0; d--) {
      offset += steps[d]!;
      if (++position[d]! < shape[d]!) break;
      offset -= steps[d]! * shape[d]!;
      position[d] = 0;
    }
  }
  return found;
}

/** Folds and what they start from. */
export const folds = {
  sum: { start: 0, fold: (a: number, b: number) => a + b },
  max: { start: -Infinity, fold: Math.max },
  min: { start: Infinity, fold: Math.min },
} as const;
