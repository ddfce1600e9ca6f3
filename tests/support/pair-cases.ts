/** Values for tests of selections and folds over pairs: open tensors without parameters, decoded sets, common cores. */
import * as e from "../../compiler/ir/expr.ts";
import type { Expr } from "../../compiler/ir/expr.ts";
import { batchSize, lengthSize } from "../../compiler/ir/graph-axes.ts";
import { axis, inputNode, mapNode, parameterNode } from "../../compiler/ir/graph-build.ts";
import type { Axis, Node, PairCore } from "../../compiler/ir/graph.ts";
import type { Float64Tensor } from "../../compiler/ir/interpret.ts";

export const b = axis("b", batchSize);
export const t = axis("t", lengthSize());
export const [q, k, h] = [e.index("q"), e.index("k"), e.index("h")];
export const floorDiv = (x: Expr, n: number): Expr => e.binary("floor-div", x, e.int(n));
export const causal = e.le(k, q);

/** Tokens [b, t], one node for all that read them. */
export const tokens = inputNode("tokens");

/** Smooth numbers in [−1, 1] that differ in every element, over axes that may be open; the same for the same seed. */
export function wave(axes: readonly Axis[], seed: number): Node {
  const phase = axes.reduce<Expr>(
    (sum, { name }, n) => e.add(sum, e.mul(e.toReal(e.index(name)), e.real(0.73 + seed * 0.11 + n * 1.37))),
    e.real(seed),
  );
  return mapNode([], e.unary("sin", e.mul(phase, e.real(1.9))), `wave ${seed}`, axes);
}

/** A parameter repeated for every row of the batch. */
export const repeated = (path: string, axes: readonly Axis[], batched = true): Node => {
  const made = parameterNode(path, axes, { kind: "constant", value: 0 });
  return batched ? mapNode([made], e.operand(0), path, [b, ...axes]) : made;
};

/** Queries [b, rows, heads, d] and keys [b, keys, groups, d] of one region. */
export function waveCore(
  over: {
    readonly rows?: Axis;
    readonly keys?: Axis;
    readonly heads?: number;
    readonly groups?: number;
    readonly d?: number;
  },
  mask: Expr = causal,
  buffers: readonly Node[] = [],
): PairCore {
  const { rows = t, keys = axis("y", lengthSize()), heads = 2, groups = 1, d = 4 } = over;
  const query = wave([b, rows, axis("h", heads), axis("d", d)], 1);
  const key = wave([b, keys, axis("g", groups), axis("d", d)], 2);
  return { regions: [{ query, key, when: e.bool(true), turn: null }], mask, buffers, scale: 0.8 };
}

/** The members of each row of a set of which `words` lie in a row. */
export function membersOf({ data, shape }: Float64Tensor): number[][] {
  const words = shape.at(-1)!;
  return Array.from({ length: words === 0 ? 0 : data.length / words }, (_, row) =>
    Array.from({ length: 32 * words }, (_, n) => n).filter(
      (n) => ((data[row * words + Math.floor(n / 32)]! >>> (n % 32)) & 1) === 1,
    ),
  );
}
