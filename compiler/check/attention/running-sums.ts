/** Recognises sums up to an element, `sum[k if k <= q] …`: one pass along the axis, not a table of all pairs. */
import * as ir from "../../ir/expr.ts";
import { sameSize } from "../../ir/graph-axes.ts";
import { runningSumNode } from "../../ir/graph-build-pairs.ts";
import { allOf, conjuncts, factors, freeIndices, isIndex, productOf } from "./expr-tools.ts";
import type { Bound } from "./fold-pairs.ts";
import { axisNames, loadOf, nodeOf, staysInside, type Making } from "./make-node.ts";

/** Up to where a sum runs, and from which end. */
interface Limit {
  readonly to: ir.Expr;
  readonly backward: boolean;
  readonly exclusive: boolean;
}

/** `k <= x`, `k < x`, `x <= k` or `x < k` of the bound index `k`; null for any other condition. */
function limitOf(part: ir.Expr, name: string, making: Making): Limit | null {
  if (part.kind !== "binary" || (part.op !== "le" && part.op !== "lt")) return null;
  const forward = isIndex(part.left, name);
  if (!forward && !isIndex(part.right, name)) return null;
  const to = forward ? part.right : part.left;
  const { tables } = making;
  // A limit past an end would have to be counted, not read.
  const usable = to.type === "int" && !freeIndices(to).has(name) && to.kind !== "constant";
  if (!usable || ![...freeIndices(to)].every((free) => tables.variable(free) !== undefined)) return null;
  if (to.kind === "index" && !sameSize(tables.size(to.name), tables.size(name))) return null;
  return staysInside(to, tables.size(name), tables)
    ? { to, backward: !forward, exclusive: part.op === "lt" }
    : null;
}

/**
 * Σ of the body over one index up to a limit. "no" when it is none: the body reads the limit's own index otherwise than in
 * a factor, or further conditions do. null after a refusal.
 */
export function runningSum(
  body: ir.Expr,
  guard: ir.Expr,
  bound: readonly Bound[],
  making: Making,
): ir.Expr | null | "no" {
  const [binder] = bound;
  if (bound.length !== 1 || binder === undefined || binder.within !== null) return "no";
  const { name } = binder;
  const { tables, at } = making;
  const parts = conjuncts(guard);
  const limits = parts.flatMap((part) => limitOf(part, name, making) ?? []);
  const [limit] = limits;
  if (limits.length !== 1 || limit === undefined) return "no";
  const depends = (e: ir.Expr): boolean => freeIndices(e).has(name);
  const others = parts.filter((part) => limitOf(part, name, making) === null);
  const outer = factors(body).filter((e) => !depends(e));
  const inner = productOf(factors(body).filter(depends));
  const hides = others.filter(depends);
  const value = hides.length === 0 ? inner : ir.select(allOf(hides), inner, ir.real(0));
  const own = freeIndices(value);
  if ([...freeIndices(limit.to)].some((free) => own.has(free))) return "no";
  const all = tables.ordered([...own, name]);
  const node = nodeOf(value, all, making);
  if (node === null) return null;
  const running = runningSumNode(node, axisNames(all, tables).get(name)!, limit, at);
  const read = loadOf(
    running,
    all.map((free) => (free === name ? limit.to : ir.index(free))),
    tables,
  );
  const product = outer.length === 0 ? read : productOf([read, ...outer]);
  const shown = others.filter((part) => !depends(part));
  return shown.length === 0 ? product : ir.select(allOf(shown), product, ir.real(0));
}
