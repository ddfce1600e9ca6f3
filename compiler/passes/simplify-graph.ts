/** Pass: removes nodes that change nothing and moves constants into the bodies that read them. */
import { constant, mapExpr, operand, real, type Expr } from "../ir/expr.ts";
import { findAxis, sameAxes, sameSize } from "../ir/graph-axes.ts";
import { contractNode, mapNode, placeOf, reshapeNode, sliceNode } from "../ir/graph-build.ts";
import { compactMap, constantOf, isBroadcast } from "../ir/graph-map.ts";
import { nodeOperands } from "../ir/graph-operands.ts";
import type { MapNode, Node } from "../ir/graph.ts";
import { rewriteGraph, type RewriteRule } from "../ir/rewrite.ts";
import { simplifyExpr } from "../ir/simplify-expr.ts";
import type { GraphPass } from "./pass.ts";

/** The body with some operands replaced by constants. */
function withConstants(node: MapNode): Expr {
  return mapExpr(node.body, (e) => {
    if (e.kind !== "operand") return e;
    const value = constantOf(node.operands[e.index]!);
    return value === null ? e : constant(value.value, e.type);
  });
}

const isZero = (node: Node): boolean => constantOf(node)?.value === 0;
const zerosLike = (node: Node): Node => mapNode([], real(0), placeOf(node), node.axes);

/** An operand of a contraction without its broadcast, where the other side or the sum does not need the repetition. */
function bare(side: Node, other: Node): Node {
  if (!isBroadcast(side)) return side;
  const inner = nodeOperands(side)[0]!;
  const repeated = side.axes.filter(({ name }) => findAxis(inner.axes, name) === undefined);
  return repeated.every(({ name }) => findAxis(other.axes, name) !== undefined) ? inner : side;
}

const rules: readonly RewriteRule[] = [
  {
    name: "drop-identity-map", // map(x) {%0} → x
    apply: (node) => {
      if (!isBroadcast(node)) return null;
      const inner = nodeOperands(node)[0]!;
      return sameAxes(inner.axes, node.axes) && inner.dtype === node.dtype ? inner : null;
    },
  },
  {
    name: "inline-constants", // map(x, map() {2.0}) {%0 * %1} → map(x) {%0 * 2.0}
    apply: (node) =>
      node.kind === "map" && node.operands.some((given) => constantOf(given) !== null)
        ? compactMap(node.operands, simplifyExpr(withConstants(node)), node, node.axes)
        : null,
  },
  {
    name: "drop-broadcasts-in-maps", // map(map(x) {%0}) {exp(%0)} → map(x) {exp(%0)}: axes are matched by name anyway
    apply: (node) => {
      if (node.kind !== "map" || isBroadcast(node) || !node.operands.some(isBroadcast)) return null;
      const operands = node.operands.map((given) => (isBroadcast(given) ? nodeOperands(given)[0]! : given));
      return compactMap(operands, node.body, node, node.axes);
    },
  },
  {
    name: "join-broadcasts", // map(map(x) {%0}) {%0} → map(x) {%0}
    apply: (node) => {
      const inner = isBroadcast(node) ? nodeOperands(node)[0]! : null;
      if (inner === null || !isBroadcast(inner)) return null;
      return mapNode(
        nodeOperands(inner),
        operand(0, node.dtype === "i32" ? "int" : "real"),
        placeOf(node),
        node.axes,
      );
    },
  },
  {
    name: "drop-broadcasts-in-contractions",
    apply: (node) => {
      if (node.kind !== "contract") return null;
      const left = bare(node.left, node.right);
      const right = bare(node.right, left);
      if (left === node.left && right === node.right) return null;
      const order = node.axes.map(({ name }) => name);
      return contractNode(left, right, node.over, placeOf(node), order);
    },
  },
  {
    name: "join-reshapes", // reshape(reshape(x)) → reshape(x)
    apply: (node) =>
      node.kind === "reshape" && node.operand.kind === "reshape"
        ? reshapeNode(node.operand.operand, node.axes, placeOf(node))
        : null,
  },
  {
    name: "drop-identity-reshape",
    apply: (node) =>
      node.kind === "reshape" && sameAxes(node.axes, node.operand.axes) ? node.operand : null,
  },
  {
    name: "reshape-constants", // reshape(map() {2.0}) → map() {2.0}
    apply: (node) => {
      const value = node.kind === "reshape" ? constantOf(node.operand) : null;
      return value === null ? null : mapNode([], value, placeOf(node), node.axes);
    },
  },
  {
    name: "drop-whole-slice",
    apply: (node) =>
      node.kind === "slice" && node.start === 0 && sameAxes(node.axes, node.operand.axes)
        ? node.operand
        : null,
  },
  {
    name: "join-slices", // slice(slice(x) from 2) from 3 → slice(x) from 5
    apply: (node) => {
      if (node.kind !== "slice" || node.operand.kind !== "slice" || node.operand.axis !== node.axis)
        return null;
      const { size } = findAxis(node.axes, node.axis)!;
      return sliceNode(node.operand.operand, node.axis, node.start + node.operand.start, placeOf(node), size);
    },
  },
  {
    name: "drop-lone-concat",
    apply: (node) =>
      node.kind === "concat" && node.operands.length === 1 && sameAxes(node.axes, node.operands[0]!.axes)
        ? node.operands[0]!
        : null,
  },
  {
    name: "slice-of-concat", // slice(concat(a, b)) that is just b → b
    apply: (node) => {
      if (node.kind !== "slice" || node.operand.kind !== "concat" || node.operand.axis !== node.axis)
        return null;
      const own = findAxis(node.axes, node.axis)!.size;
      let start = 0;
      for (const part of node.operand.operands) {
        const { size } = findAxis(part.axes, node.axis)!;
        if (start === node.start && sameSize(size, own) && sameAxes(part.axes, node.axes)) return part;
        if (size.kind !== "fixed") return null;
        start += size.value;
      }
      return null;
    },
  },
  {
    name: "drop-still-rotation",
    apply: (node) => (node.kind === "rotate" && node.rotated === 0 ? node.operand : null),
  },
  {
    name: "drop-zero-work", // contract(x, 0) → 0, sum of zeros → 0, scatter of zeros → 0
    apply: (node) => {
      if (node.kind === "contract") return isZero(node.left) || isZero(node.right) ? zerosLike(node) : null;
      if (node.kind === "reduce" && node.dtype === "f32" && node.op === "sum")
        return isZero(node.operand) ? zerosLike(node) : null;
      if (node.kind === "scatter") return isZero(node.values) ? zerosLike(node) : null;
      return node.kind === "rotate" && isZero(node.operand) ? zerosLike(node) : null;
    },
  },
];

export const simplifyGraph: GraphPass = {
  name: "simplify-graph",
  purpose: "Drop nodes that change nothing, and put constants and broadcasts where they are read.",
  run: (graph) => rewriteGraph(graph, rules),
};
