/** The meaning of folds over blocks of an axis, of repeating a block's value over its positions, and of running sums. */
import type { NodeOf } from "./graph-operands.ts";
import {
  emptyTensor,
  extents,
  folds,
  strides,
  type Float64Tensor,
  type InterpretSizes,
} from "./interpret-tensor.ts";

interface BlockContext {
  readonly value: (node: NodeOf<"block-reduce">["operand"]) => Float64Tensor;
  readonly sizes: InterpretSizes;
}

/** For each position of a tensor of `shape`: where its block lies in one of `blocks`, shorter along axis `at`. */
function blockPlaces(
  shape: readonly number[],
  blocks: readonly number[],
  at: number,
  block: number,
): (n: number) => number {
  const [fine, coarse] = [strides(shape), strides(blocks)];
  return (n) =>
    shape.reduce((sum, extent, axis) => {
      const place = Math.floor(n / fine[axis]!) % extent;
      return sum + (axis === at ? Math.floor(place / block) : place) * coarse[axis]!;
    }, 0);
}

export function interpretBlockReduce(
  node: NodeOf<"block-reduce">,
  context: BlockContext,
): readonly Float64Tensor[] {
  const given = context.value(node.operand);
  const out = emptyTensor(extents(node.axes, context.sizes));
  const at = node.operand.axes.findIndex(({ name }) => name === node.axis);
  const { start, fold } = folds[node.op === "mean" ? "sum" : node.op];
  out.data.fill(start);
  const counts = new Float64Array(out.data.length);
  const placeOf = blockPlaces(given.shape, out.shape, at, node.block);
  given.data.forEach((value, n) => {
    const place = placeOf(n);
    out.data[place] = fold(out.data[place]!, value);
    counts[place]!++;
  });
  if (node.op === "mean") out.data.forEach((sum, n) => (out.data[n] = sum / counts[n]!));
  return [out];
}

export function interpretBlockSpread(
  node: NodeOf<"block-spread">,
  context: BlockContext,
): readonly Float64Tensor[] {
  const given = context.value(node.operand);
  const out = emptyTensor(extents(node.axes, context.sizes));
  const at = node.operand.axes.findIndex(({ name }) => name === node.axis);
  const placeOf = blockPlaces(out.shape, given.shape, at, node.block);
  for (let n = 0; n < out.data.length; n++) out.data[n] = given.data[placeOf(n)]!;
  return [out];
}

export function interpretRunningSum(
  node: NodeOf<"running-sum">,
  context: BlockContext,
): readonly Float64Tensor[] {
  const given = context.value(node.operand);
  const out = emptyTensor(given.shape);
  const at = node.axes.findIndex(({ name }) => name === node.axis);
  const [count, step] = [given.shape[at]!, strides(given.shape)[at]!];
  for (let n = 0; n < out.data.length; n++) {
    const place = Math.floor(n / step) % count;
    const start = n - place * step;
    const [from, to] = node.backward ? [place, count - 1] : [0, place];
    for (let i = from; i <= to; i++)
      if (i !== place || !node.exclusive) out.data[n] = out.data[n]! + given.data[start + i * step]!;
  }
  return [out];
}
