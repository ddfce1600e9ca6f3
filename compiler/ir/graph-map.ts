/** Map nodes made from bodies over operands that may be unused, repeated, or constant. */
import { mapExpr, operand, type Expr } from "./expr.ts";
import { mapNode, placeOf } from "./graph-build.ts";
import type { Axis, Node } from "./graph.ts";

/** A map over the operands that its body reads; others are left out and the rest renumbered. */
export function compactMap(operands: readonly Node[], body: Expr, at: Node, axes: readonly Axis[]): Node {
  const used: Node[] = [];
  const numbers = new Map<number, number>();
  const renumbered = mapExpr(body, (e) => {
    if (e.kind !== "operand") return e;
    if (!numbers.has(e.index)) {
      const known = used.indexOf(operands[e.index]!);
      numbers.set(e.index, known >= 0 ? known : used.push(operands[e.index]!) - 1);
    }
    return operand(numbers.get(e.index)!, e.type);
  });
  return mapNode(used, renumbered, placeOf(at), axes);
}

/** The value that all elements of a node share, when it is a map of one constant. */
export const constantOf = (node: Node): Extract<Expr, { kind: "constant" }> | null =>
  node.kind === "map" && node.operands.length === 0 && node.body.kind === "constant" ? node.body : null;

/** True for a map that only repeats or reorders its operand. */
export const isBroadcast = (node: Node): boolean =>
  node.kind === "map" && node.operands.length === 1 && node.body.kind === "operand" && node.body.index === 0;
