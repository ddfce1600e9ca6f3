/** What expressions say of blocks and sets: their first and last positions, offsets in them, and membership. */
import type { Expr, MembershipExpr } from "../../../grammar/ast.ts";
import * as ir from "../../ir/expr.ts";
import type { Elaboration } from "./evaluate-meant.ts";
import { exprOf, scalar, type Meant, type MeantScope } from "./meant.ts";

/** Evaluates an expression in the scope at hand. */
type Evaluate = (expr: Expr) => Meant | null;

/** `first(c(k))` and `last(c(k))`: the block's size is that of the domain its argument names. */
export function blockEnd(
  which: "first" | "last",
  given: Expr | undefined,
  scope: MeantScope,
  run: Elaboration,
  evaluate: Evaluate,
): Meant | null {
  if (given === undefined) return null;
  const name =
    given.kind === "name"
      ? given.name
      : given.kind === "call" && given.callee.kind === "name"
        ? given.callee.name
        : "";
  const domain = scope.names.get(name);
  const block = evaluate(given);
  const at = block === null ? null : exprOf(block);
  if (domain?.kind !== "domain" || at?.type !== "int") {
    if (block !== null) run.unsupported(`\`${which}\` of this block`, given.span);
    return null;
  }
  const start = ir.mul(at, ir.int(domain.size));
  return scalar(which === "first" ? start : ir.add(start, ir.int(domain.size - 1)), start);
}

/** `c(k) in kept[h, q]`, or the rank of an element in it; `k in c` where a block is bound. */
export function membership(
  expr: MembershipExpr,
  op: "member" | "rank",
  scope: MeantScope,
  run: Elaboration,
  evaluate: Evaluate,
): Meant | null {
  const { set } = expr;
  const known =
    set.kind === "name"
      ? scope.names.get(set.name)
      : set.kind === "index"
        ? scope.names.get(set.base.name)
        : undefined;
  const meant = evaluate(expr.element);
  const element = meant === null ? null : exprOf(meant);
  if (element?.type !== "int") return null;
  if (known?.kind === "domain" && op === "member" && known.index !== null)
    return scalar(ir.eq(ir.binary("floor-div", element, ir.int(known.size)), known.index));
  if (known?.kind !== "set") {
    run.unsupported("a test of this set", expr.span);
    return null;
  }
  const given =
    set.kind === "index"
      ? set.indices.map((index) => evaluate(index))
      : known.axes.map((axis) => scope.names.get(axis) ?? null);
  const indices = given.map((index) => (index === null ? null : exprOf(index)));
  if (indices.length !== known.axes.length || indices.some((index) => index?.type !== "int")) return null;
  const read = known.read(op, indices as ir.Expr[], element);
  return read === null ? null : scalar(read);
}

/** `offset(x in c)`. */
export function offsetInBlock(given: Expr | undefined, scope: MeantScope, evaluate: Evaluate): Meant | null {
  if (given?.kind !== "membership" || given.set.kind !== "name") return null;
  const domain = scope.names.get(given.set.name);
  const x = evaluate(given.element);
  const at = x === null ? null : exprOf(x);
  return domain?.kind !== "domain" || at?.type !== "int"
    ? null
    : scalar(ir.binary("mod", at, ir.int(domain.size)));
}
