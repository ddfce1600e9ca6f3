/** Sums, means, maxima and minima over pairs of a query and a key: one fold, whatever the result is over. */
import * as ir from "../../ir/expr.ts";
import { axis, sizeExpr } from "../../ir/graph-axes.ts";
import { pairReduceNode } from "../../ir/graph-build-pairs.ts";
import type { PairTarget } from "../../ir/graph-pairs.ts";
import { allOf, conjuncts, freeIndices } from "./expr-tools.ts";
import { axisNames, loadOf, type Making } from "./make-node.ts";
import { inPairNames, pairCore, pairNames, pairView, rowConditions, type PairView } from "./pair-view.ts";

/** An index that a reduction binds. */
export interface Bound {
  readonly name: string;
  /** The block whose positions it ranges over, and the size of such blocks. */
  readonly within: { readonly name: string; readonly index: ir.Expr; readonly size: number } | null;
}

export type FoldOp = "sum" | "mean" | "max" | "min";

/** A result index, what a pair has for it, and where the result is read. */
interface Target {
  readonly name: string;
  readonly index: ir.Expr;
  readonly at: ir.Expr;
}

const zero = ir.real(0);

/** The value of a fold over pairs as a load of its tensor; null after a refusal. */
export function foldPairs(
  op: FoldOp,
  body: ir.Expr,
  guard: ir.Expr,
  bound: readonly Bound[],
  making: Making,
): ir.Expr | null {
  const { refuse } = making;
  const names = pairNames([body], making);
  const own = names === null ? null : inPairNames([body, guard], names, making);
  if (names === null || own === null) return null;
  const mine: readonly string[] = [names.query, names.key, names.head];
  if (bound.some(({ name }) => !mine.includes(name))) return refuse("a sum over pairs and another index");
  const isBound = (name: string): Bound | undefined => bound.find((one) => one.name === name);

  const targets: Target[] = [];
  for (const [name, inPair] of [
    [names.query, "q"],
    [names.key, "k"],
    [names.head, "h"],
  ] as const) {
    const binder = isBound(name);
    const index = ir.index(inPair);
    if (binder === undefined) targets.push({ name, index, at: ir.index(name) });
    else if (binder.within !== null) {
      const block = ir.binary("floor-div", index, ir.int(binder.within.size));
      targets.push({ name: binder.within.name, index: block, at: binder.within.index });
    }
  }
  // `q - k == o` and `c(k) == c` say where in the result a pair goes.
  const rest: ir.Expr[] = [];
  for (const part of conjuncts(own[1]!)) {
    const placed = placedBy(part);
    if (placed === null) rest.push(part);
    else targets.push({ ...placed, at: ir.index(placed.name) });
  }
  const mask = allOf(rest);
  const foreign = [...freeIndices(own[0]!, mask)].find((name) => !["q", "k", "h"].includes(name));
  if (foreign !== undefined) return refuse(`a sum over pairs that depends on \`${foreign}\` as well`);
  if (op === "mean") {
    const total = foldPairs("sum", body, guard, bound, making);
    const count = countPairs(mask, targets, names.head, making);
    return total === null || count === null ? null : ir.div(total, count);
  }

  const view = pairView([own[0]!, mask], rowConditions(mask), making);
  if (view === null) return null;
  let [value, where] = view.exprs as [ir.Expr, ir.Expr];
  let least: ir.Expr | null = null;
  // What a pair adds only under a condition is left out by the mask: such pairs cost nothing.
  while (
    value.kind === "select" &&
    value.otherwise === zero &&
    !ir.someExpr(value.condition, (e) => e === ir.logit) &&
    (op === "sum" || isPositive(value.then, op))
  ) {
    where = allOf([...new Set([...conjuncts(where), ...conjuncts(value.condition)])]);
    value = value.then;
    if (op === "max") least = zero;
  }
  const read = foldTo(op, value, where, view, targets, making);
  if (read === null) return null;
  const overKeys = bound.length === 1 && bound[0]!.name === names.key && bound[0]!.within === null;
  const exponential = own[0]!.kind === "unary" && own[0].op === "exp" ? own[0].operand : null;
  if (op === "sum" && overKeys && targets.length === 2 && exponential !== null)
    making.tables.totals.set((read as ir.Load).buffer, { guard: mask, score: exponential });
  return least === null ? read : ir.binary("max", read, least);
}

/** Greater than zero for every pair, so that a maximum with what is left out is a maximum with 0. */
const isPositive = (e: ir.Expr, op: FoldOp): boolean => op === "max" && e.kind === "unary" && e.op === "exp";

/** `x == v`, where v is an index of the result and x is known of each pair. */
function placedBy(part: ir.Expr): { readonly name: string; readonly index: ir.Expr } | null {
  if (part.kind !== "binary" || part.op !== "eq") return null;
  const inPair = (e: ir.Expr): boolean => [...freeIndices(e)].every((name) => ["q", "k", "h"].includes(name));
  for (const [at, index] of [
    [part.left, part.right],
    [part.right, part.left],
  ] as const)
    if (at.kind === "index" && !inPair(at) && inPair(index) && index.type === "int")
      return { name: at.name, index };
  return null;
}

/** How many pairs a mean is over: a product of sizes where no condition cuts it. */
function countPairs(mask: ir.Expr, targets: readonly Target[], head: string, making: Making): ir.Expr | null {
  const { tables } = making;
  const plain = targets.every(({ index }) => index.kind === "index");
  if (!plain || mask.kind !== "constant") {
    // A fold of ones over the same pairs; its logit is never read.
    const view = pairView([mask], ir.bool(true), making);
    const count = view === null ? null : foldTo("sum", ir.real(1), view.exprs[0]!, view, targets, making);
    return count === null ? null : ir.binary("max", count, ir.real(1));
  }
  const kept = new Set(targets.map(({ index }) => (index.kind === "index" ? index.name : "")));
  const sizes = (["q", "k", "h"] as const)
    .filter((name) => !kept.has(name))
    .map((name) => sizeExpr(tables.size(name === "h" ? head : name)));
  return ir.toReal(sizes.reduce((all, one) => ir.mul(all, one), ir.int(1) as ir.Expr));
}

/** The fold's tensor over its targets, read where they are; null after a refusal. */
function foldTo(
  op: "sum" | "max" | "min",
  value: ir.Expr,
  mask: ir.Expr,
  view: PairView,
  targets: readonly Target[],
  making: Making,
): ir.Expr | null {
  const { tables, refuse, at } = making;
  const made = pairCore(view, [mask, value], making);
  if (made === null) return null;
  const ordered = tables.ordered(targets.map(({ name }) => name));
  if (ordered.length !== targets.length) return refuse("a sum over pairs with one index twice");
  const inOrder = ordered.map((name) => targets.find((target) => target.name === name)!);
  const names = axisNames(ordered, tables);
  const parts: readonly PairTarget[] = inOrder.map(({ name, index }) => ({
    axis: axis(names.get(name)!, tables.size(name)),
    index,
  }));
  const node = pairReduceNode(op, made.core, made.others[0]!, parts, at);
  return loadOf(
    node,
    inOrder.map((target) => target.at),
    tables,
  );
}
