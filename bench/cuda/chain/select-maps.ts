/** A selection that computes the maps it reads: what their loads stand for, over what the maps are made of. */
import { load, mapExpr, setRead, someExpr, type Expr, type ExprType } from "../../../compiler/ir/expr.ts";
import type { NodeOf } from "../../../compiler/ir/graph-operands.ts";
import type { Axis, Node } from "../../../compiler/ir/graph.ts";
import type { SelectNode } from "../../../compiler/ir/graph-pairs.ts";

/** True for a map that a selection can compute, number by number. */
export const canJoinSelection = ({ body, operands, dtype }: NodeOf<"map">): boolean =>
  dtype === "f32" &&
  operands.length > 0 &&
  !someExpr(body, ({ kind }) => kind === "scalar" || kind === "uniform" || kind === "logit");

/** Axes that loads index: the batch is implied. */
const indexed = ({ axes }: Node): readonly Axis[] => axes.filter(({ name }) => name !== "b");

/** The same selection over what it then reads; `joins` says which maps it computes. */
export function selectionWithMaps(node: SelectNode, joins: (map: Node) => boolean): SelectNode {
  const buffers: Node[] = [];
  const placeOf = (buffer: Node): number => {
    const known = buffers.indexOf(buffer);
    return known >= 0 ? known : buffers.push(buffer) - 1;
  };
  const read = (buffer: Node, indices: readonly Expr[], type: ExprType): Expr => {
    if (buffer.kind !== "map" || !joins(buffer)) return load(placeOf(buffer), indices, type);
    const at = new Map(indexed(buffer).map(({ name }, n) => [name, indices[n]!]));
    return mapExpr(buffer.body, (part) => {
      if (part.kind === "index") return at.get(part.name)!;
      if (part.kind !== "operand") return part;
      const operand = buffer.operands[part.index]!;
      const places = indexed(operand).map(({ name }) => at.get(name)!);
      return read(operand, places, part.type);
    });
  };
  const over = (e: Expr): Expr =>
    mapExpr(e, (part) => {
      if (part.kind === "load") return read(node.buffers[part.buffer]!, part.indices, part.type);
      if (part.kind !== "set") return part;
      return setRead(part.op, placeOf(node.buffers[part.buffer]!), part.indices, part.element);
    });
  const { choose } = node;
  return {
    ...node,
    body: over(node.body),
    where: over(node.where),
    always: over(node.always),
    choose:
      choose.kind === "top"
        ? { ...choose, count: over(choose.count) }
        : { ...choose, threshold: over(choose.threshold) },
    buffers,
  };
}
