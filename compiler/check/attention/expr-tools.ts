/** Small questions about scalar expressions over named indices, and their rewriting. */
import * as ir from "../../ir/expr.ts";

/** Names of the indices an expression reads. */
export function freeIndices(...exprs: readonly ir.Expr[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const expr of exprs)
    ir.someExpr(expr, (e) => {
      if (e.kind === "index") found.add(e.name);
      return false;
    });
  return found;
}

/** The expression with indices replaced, all at once. */
export const substitute = (expr: ir.Expr, values: ReadonlyMap<string, ir.Expr>): ir.Expr =>
  values.size === 0 ? expr : ir.mapExpr(expr, (e) => (e.kind === "index" ? (values.get(e.name) ?? e) : e));

/** The same expression under other index names. */
export const renamed = (expr: ir.Expr, from: string, to: string): ir.Expr =>
  from === to ? expr : substitute(expr, new Map([[from, ir.index(to)]]));

export type Read = ir.Load | ir.SetRead;

/** Every read of a buffer, each once, inner ones first. */
export function readsOf(...exprs: readonly ir.Expr[]): readonly Read[] {
  const found: Read[] = [];
  const seen = new Set<ir.Expr>();
  const visit = (e: ir.Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    ir.exprChildren(e).forEach(visit);
    if (e.kind === "load" || e.kind === "set") found.push(e);
  };
  exprs.forEach(visit);
  return found;
}

/** The parts of a conjunction. */
export function conjuncts(condition: ir.Expr): readonly ir.Expr[] {
  if (condition.kind === "constant" && condition.value === 1) return [];
  return condition.kind === "binary" && condition.op === "and"
    ? [...conjuncts(condition.left), ...conjuncts(condition.right)]
    : [condition];
}

/** All of the conditions; true when there are none. */
export const allOf = (conditions: readonly ir.Expr[]): ir.Expr =>
  conditions.length === 0 ? ir.bool(true) : conditions.reduce((all, one) => ir.and(all, one));

/** Factors of a product, quotients by what is constant included. */
export function factors(e: ir.Expr): readonly ir.Expr[] {
  if (e.kind === "binary" && e.op === "mul") return [...factors(e.left), ...factors(e.right)];
  if (e.kind === "binary" && e.op === "div" && e.left.kind !== "constant")
    return [...factors(e.left), ir.div(ir.real(1), e.right)];
  if (e.kind === "unary" && e.op === "neg" && e.type === "real") return [ir.real(-1), ...factors(e.operand)];
  return [e];
}

/** The product of the factors; 1 when there are none. */
export const productOf = (list: readonly ir.Expr[]): ir.Expr =>
  list.length === 0 ? ir.real(1) : list.map(ir.toReal).reduce((all, one) => ir.mul(all, one));

/** Terms of a sum of whole numbers, differences included. */
export function terms(e: ir.Expr): readonly ir.Expr[] {
  if (e.kind === "binary" && e.op === "add") return [...terms(e.left), ...terms(e.right)];
  if (e.kind === "binary" && e.op === "sub") return [...terms(e.left), ...terms(e.right).map(ir.neg)];
  return [e];
}

/** The sum of whole numbers; 0 when there are none. */
export const sumOf = (list: readonly ir.Expr[]): ir.Expr =>
  list.length === 0 ? ir.int(0) : list.reduce((all, one) => ir.add(all, one));

/** Whether the expression is exactly this index. */
export const isIndex = (e: ir.Expr, name: string): boolean => e.kind === "index" && e.name === name;
