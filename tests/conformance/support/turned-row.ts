/** A row of numbers turned by a rotation at the position that leaves give, and the same on absolute values. */
import { exprEvaluator, type ExprValues } from "../../../compiler/ir/evaluate-expr.ts";
import type { Turn } from "../../../compiler/ir/graph.ts";

/** `leaves` may be moved from place to place; angles follow from them once. */
export function rowTurner(
  turn: Turn,
  leaves: ExprValues,
): (row: Float64Array) => readonly [Float64Array, Float64Array] {
  const [position, angle, factor] = [turn.position, turn.angle, turn.scale].map(exprEvaluator) as [
    ReturnType<typeof exprEvaluator>,
    ReturnType<typeof exprEvaluator>,
    ReturnType<typeof exprEvaluator>,
  ];
  const law = Array.from({ length: turn.rotated / 2 }, (_, m) => {
    const own = { ...leaves, index: () => m };
    return { angle: angle(own), by: factor(own) };
  });
  return (row) => {
    const [exact, absolute] = [row.slice(), row.map(Math.abs)];
    const at = position(leaves);
    law.forEach(({ angle: own, by }, m) => {
      const [cos, sin] = [by * Math.cos(at * own), by * Math.sin(at * own)];
      const [i, j] = turn.layout === "half" ? [m, m + turn.rotated / 2] : [2 * m, 2 * m + 1];
      [exact[i], exact[j]] = [row[i]! * cos - row[j]! * sin, row[i]! * sin + row[j]! * cos];
      absolute[i] = absolute[j] = Math.abs(by) * (Math.abs(row[i]!) + Math.abs(row[j]!));
    });
    return [exact, absolute];
  };
}
