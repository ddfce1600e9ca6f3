/** Evaluates `rope(x at i)`, the model's rotation of a table: a node where a position follows from indices, else arithmetic. */
import type { AtExpr, Expr } from "../../../grammar/ast.ts";
import type { RotationMeaning } from "../../ir/attention-meaning.ts";
import * as ir from "../../ir/expr.ts";
import { axis } from "../../ir/graph-axes.ts";
import { reshapeNode, rotateNode } from "../../ir/graph-build.ts";
import type { Elaboration } from "./evaluate-meant.ts";
import { freeIndices, readsOf, substitute } from "./expr-tools.ts";
import { axisNames, loadOf, nodeOf, renameAxes, type Making } from "./make-node.ts";
import { exprOf, scalar, type Meant, type MeantScope } from "./meant.ts";
import { isOverPairs } from "./pair-view.ts";
import { axisName } from "./tables.ts";

/** The model's rotation of the last dimension, at a position or a block's first position; null after a report or a note. */
export function evaluateRope(
  expr: AtExpr,
  scope: MeantScope,
  run: Elaboration,
  evaluate: (expr: Expr, scope: MeantScope) => Meant | null,
): Meant | null {
  const { tables } = run;
  const refuse = (what: string): null => {
    run.unsupported(what, expr.span);
    return null;
  };
  if (tables === null) return refuse("a rotation of a table");
  const given = evaluate(expr.value, scope);
  const place = evaluate(expr.position, scope);
  const value = given === null ? null : exprOf(given);
  const position = place === null ? null : positionOf(place);
  if (value === null || position === null) return null;
  if (isOverPairs(tables, value, position)) return refuse("a rotation of what differs by pairs");
  const turning = tables.shape.rotation;
  if (turning === undefined || turning === null) return scalar(value);
  const own = tables.ordered(freeIndices(value));
  const dims = own.filter((name) => tables.variable(name)?.role === "dim");
  const [dim, ...more] =
    dims.length > 0 ? dims : own.filter((name) => tables.variable(name)?.role === "axis");
  if (dim === undefined) return refuse("a rotation of a table that has no dimensions");
  if (more.length > 0) return refuse(`a rotation of a table along \`${dim}\` or \`${more[0]}\``);
  if (freeIndices(position).has(dim))
    return refuse(`a rotation along \`${dim}\` by positions along \`${dim}\``);
  const size = tables.size(dim);
  const law = size.kind === "fixed" ? turning(size.value) : null;
  if (law === null) return refuse("a rotation of this table");
  if (law.rotated === 0) return scalar(value);
  const making: Making = { tables, refuse, at: { site: scope.definition.name, origin: [expr.span] } };
  const turned = { value: ir.toReal(value), position, dim, law };
  const read = readsOf(position).length > 0 || freeIndices(position).size > 2;
  const result = read ? turnedPairs(turned, making) : rotatedNode(turned, making);
  return result === null ? null : scalar(result);
}

interface Turned {
  readonly value: ir.Expr;
  readonly position: ir.Expr;
  /** The index that is rotated. */
  readonly dim: string;
  readonly law: RotationMeaning;
}

/**
 * By a rotation, which is over one token axis and knows the index of the axis before the rotated one. Any index may
 * stand for the tokens; a table without one has a single token.
 */
function rotatedNode({ value, position, dim, law }: Turned, making: Making): ir.Expr | null {
  const { tables, at } = making;
  const [first, second] = tables.ordered(freeIndices(position));
  const outer = tables.ordered(freeIndices(value, position)).filter((name) => name !== dim);
  const row = first ?? outer.find((name) => name !== second);
  const others = outer.filter((name) => name !== row && name !== second);
  const order =
    second === undefined
      ? [...(row === undefined ? [] : [row]), ...others, dim]
      : [...others, row!, second, dim];
  const node = nodeOf(value, order, making);
  if (node === null) return null;
  // A rotation is over the token axis, whatever is counted along it.
  const own = axisNames(order, tables);
  const names = order.map((name) =>
    name === row ? "t" : own.get(name) === "t" ? axisName(name) : own.get(name)!,
  );
  const named = renameAxes(node, names, at);
  const tokens = row === undefined ? reshapeNode(named, besideLast(named.axes), at) : named;
  const indices = new Map<string, ir.Expr>();
  if (first !== undefined) indices.set(first, ir.index("x"));
  if (second !== undefined) indices.set(second, ir.index("h"));
  const rotated = rotateNode(tokens, { ...law, position: substitute(position, indices) }, at);
  const result = row === undefined ? reshapeNode(rotated, named.axes, at) : rotated;
  return loadOf(result, order.map(ir.index), tables);
}

/** Axes with a single token before the last of them. */
const besideLast = <T>(axes: readonly T[]): readonly (T | ReturnType<typeof axis>)[] => [
  ...axes.slice(0, -1),
  axis("t", 1),
  axes.at(-1)!,
];

/**
 * By what becomes of each number, where the position is known only when a program runs. The phase is of single precision
 * then, as the position is.
 */
function turnedPairs({ value, position, dim, law }: Turned, making: Making): ir.Expr | null {
  const { tables } = making;
  const order = tables.ordered(freeIndices(value));
  // Both numbers of a pair are read of one tensor.
  const node = nodeOf(value, order, making);
  if (node === null) return null;
  const along = (d: ir.Expr): ir.Expr =>
    loadOf(
      node,
      order.map((name) => (name === dim ? d : ir.index(name))),
      tables,
    );
  const d = ir.index(dim);
  const half = ir.int(law.rotated / 2);
  const two = ir.int(2);
  const [pair, isFirst, partner] =
    law.layout === "half"
      ? [
          ir.binary("mod", d, half),
          ir.lt(d, half),
          ir.select(ir.lt(d, half), ir.add(d, half), ir.sub(d, half)),
        ]
      : [
          ir.binary("floor-div", d, two),
          ir.eq(ir.binary("mod", d, two), ir.int(0)),
          ir.sub(ir.add(d, ir.int(1)), ir.mul(two, ir.binary("mod", d, two))),
        ];
  const ofPair = (e: ir.Expr): ir.Expr => ir.toReal(substitute(e, new Map([["m", pair]])));
  const phase = ir.mul(ir.toReal(position), ofPair(law.angle));
  const sine = ir.unary("sin", phase);
  const turned = ir.mul(
    ofPair(law.scale),
    ir.add(
      ir.mul(along(d), ir.unary("cos", phase)),
      ir.mul(along(partner), ir.select(isFirst, ir.neg(sine), sine)),
    ),
  );
  return ir.select(ir.lt(d, ir.int(law.rotated)), turned, along(d));
}

/** Where something is rotated to; a block stands for its first position. */
function positionOf(place: Meant): ir.Expr | null {
  const index = exprOf(place);
  if (index === null || index.type === "bool") return null;
  const size = place.kind === "domain" ? place.size : place.kind === "scalar" ? place.block : null;
  return size === null ? index : ir.mul(index, ir.int(size));
}
