/** Reductions and softmaxes over the indices of tables: each becomes a tensor, and the result reads it. */
import * as ir from "../../ir/expr.ts";
import { sameSize, sizeExpr } from "../../ir/graph-axes.ts";
import { blockReduceNode } from "../../ir/graph-build-pairs.ts";
import { mapNode, reduceNode } from "../../ir/graph-build.ts";
import type { Node } from "../../ir/graph.ts";
import { factors, freeIndices, productOf, readsOf, substitute } from "./expr-tools.ts";
import type { Bound, FoldOp } from "./fold-pairs.ts";
import { axisNames, loadOf, nodeOf, tableNode, type Making } from "./make-node.ts";
import { runningSum } from "./running-sums.ts";
import { axisName } from "./tables.ts";

/** Least of all 32-bit reals: what a maximum starts from, and the logit of what a softmax leaves out. */
const hidden = ir.real(-3.4028234663852886e38);

const isAlways = (guard: ir.Expr): boolean => guard.kind === "constant" && guard.value === 1;

/** The value of a fold over indices of tables; null after a refusal. */
export function foldTable(
  op: FoldOp,
  given: ir.Expr,
  guard: ir.Expr,
  bound: readonly Bound[],
  making: Making,
): ir.Expr | null {
  const body = withinBlocks(ir.toReal(given), bound);
  const where = withinBlocks(guard, bound);
  if (isAlways(where)) {
    const direct = foldDirectly(op, body, bound, making);
    if (direct !== "no") return direct;
    if (op === "sum" && bound.every(({ within }) => within === null))
      return sumOfProduct(body, bound, making);
  }
  if (op === "sum") {
    const running = runningSum(body, where, bound, making);
    if (running !== "no") return running;
  }
  const start = op === "max" ? hidden : op === "min" ? ir.real(-hidden.value) : ir.real(0);
  const counted = isAlways(where) ? body : ir.select(where, body, start);
  if (op === "mean" && !isAlways(where)) {
    const total = foldTable("sum", body, where, bound, making);
    const count = foldTable("sum", ir.real(1), where, bound, making);
    return total === null || count === null ? null : ir.div(total, ir.binary("max", count, ir.real(1)));
  }
  const { tables } = making;
  const names = bound.map(({ name }) => name);
  const all = tables.ordered([...freeIndices(counted), ...names]);
  const node = nodeOf(counted, all, making);
  if (node === null) return null;
  const axes = axisNames(all, tables);
  return foldAxes(
    op,
    node,
    all.map((name) => ({ axis: axes.get(name)!, index: ir.index(name) })),
    bound,
    making,
  );
}

/** Inside `k in c`, `c` is the block of `k`. */
function withinBlocks(expr: ir.Expr, bound: readonly Bound[]): ir.Expr {
  const values = new Map<string, ir.Expr>();
  for (const { name, within } of bound)
    if (within?.index.kind === "index")
      values.set(within.index.name, ir.binary("floor-div", ir.index(name), ir.int(within.size)));
  return substitute(expr, values);
}

interface Place {
  readonly axis: string;
  readonly index: ir.Expr;
}

/** Folds axes of a tensor, and reads what is left where it is read. */
function foldAxes(
  op: FoldOp,
  start: Node,
  places: readonly Place[],
  bound: readonly Bound[],
  making: Making,
): ir.Expr | null {
  const { tables, at } = making;
  let node = start;
  let left = places;
  let divisor: ir.Expr = ir.int(1);
  const plain = bound.filter(({ within }) => within === null);
  const over = plain.map(({ name }) => left.find(({ index }) => index === ir.index(name))!.axis);
  if (over.length > 0) {
    node = reduceNode(op === "mean" ? "sum" : op, node, over, at);
    left = left.filter(({ axis }) => !over.includes(axis));
    for (const { name } of plain) divisor = ir.mul(divisor, sizeExpr(tables.size(name)));
  }
  for (const { name, within } of bound) {
    if (within === null) continue;
    const place = left.find(({ index }) => index === ir.index(name))!;
    // Several indices in one block each have an axis of blocks.
    const taken = left.some(({ axis }) => axis === axisName(within.name));
    const own = taken ? `${axisName(within.name)}_` : axisName(within.name);
    node = blockReduceNode(op, node, place.axis, within.size, at, own);
    left = left.map((other) => (other === place ? { axis: own, index: within.index } : other));
  }
  const read = loadOf(
    node,
    left.map(({ index }) => index),
    tables,
  );
  return op === "mean" && over.length > 0 ? ir.div(read, ir.toReal(divisor)) : read;
}

/** A fold of one table's own axes, whatever its other indices are: they stay as they are, heads in groups too. */
function foldDirectly(
  op: FoldOp,
  body: ir.Expr,
  bound: readonly Bound[],
  making: Making,
): ir.Expr | null | "no" {
  if (body.kind !== "load") return "no";
  const { tables } = making;
  const table = tables.at(body.buffer);
  if (table.kind !== "node" && table.kind !== "parameter") return "no";
  for (const { name } of bound) {
    const reads = body.indices.filter((index) => freeIndices(index).has(name));
    if (reads.length !== 1 || reads[0] !== ir.index(name)) return "no";
  }
  const node = tableNode(body.buffer, making);
  if (node === null) return null;
  const own = node.axes.filter(({ name }) => name !== "b");
  const whole = bound.every(({ name }) => {
    const place = body.indices.indexOf(ir.index(name));
    return sameSize(own[place]!.size, tables.size(name));
  });
  if (!whole) return "no";
  return foldAxes(
    op,
    node,
    body.indices.map((index, n) => ({ axis: own[n]!.name, index })),
    bound,
    making,
  );
}

/** Σ of a product: what does not depend on the indices stands outside, two groups of factors become one contraction. */
function sumOfProduct(body: ir.Expr, bound: readonly Bound[], making: Making): ir.Expr | null {
  const { tables } = making;
  const over = bound.map(({ name }) => name);
  const depends = (e: ir.Expr): boolean => over.some((name) => freeIndices(e).has(name));
  const list = factors(body);
  const outer = list.filter((e) => !depends(e));
  const inner = list.filter(depends);
  const times = (value: ir.Expr | null): ir.Expr | null =>
    value === null || outer.length === 0 ? value : productOf([value, ...outer]);
  if (inner.length < 2) {
    const all = tables.ordered([...freeIndices(...inner), ...over]);
    const node = nodeOf(productOf(inner), all, making);
    if (node === null) return null;
    const axes = axisNames(all, tables);
    const places = all.map((name) => ({ axis: axes.get(name)!, index: ir.index(name) }));
    return times(foldAxes("sum", node, places, bound, making));
  }
  const learned = (e: ir.Expr): boolean =>
    readsOf(e).every((read) => tables.at(read.buffer).kind === "parameter");
  const weights = inner.filter(learned);
  const [first, ...others] = inner as [ir.Expr, ...ir.Expr[]];
  const split = weights.length > 0 && weights.length < inner.length;
  const left = productOf(split ? inner.filter((e) => !learned(e)) : [first]);
  const right = productOf(split ? weights : others);
  const variables = tables.ordered([...freeIndices(left, right)].filter((name) => !over.includes(name)));
  const number = tables.number({ kind: "dot", left, right, over, variables });
  return times(ir.load(number, variables.map(ir.index)));
}

/** Softmax over one index, or division by the sum over it; the index stays. Guarded-out elements are 0. */
export function normaliseTable(
  op: "softmax" | "normalize",
  given: ir.Expr,
  guard: ir.Expr,
  over: string,
  making: Making,
): ir.Expr | null {
  const { tables, at } = making;
  const body = ir.toReal(given);
  const all = tables.ordered([...freeIndices(body, guard), over]);
  const along = axisNames(all, tables).get(over)!;
  const indices = all.map(ir.index);
  const [x, y] = [ir.operand(0), ir.operand(1)];
  const absent = op === "softmax" ? hidden : ir.real(0);
  const value = nodeOf(isAlways(guard) ? body : ir.select(guard, body, absent), all, making);
  if (value === null) return null;
  // A row of nothing sums to 0; the largest term of a softmax is 1, so that a lesser bound never shows.
  if (op === "normalize") {
    const total = reduceNode("sum", value, [along], at);
    const share = ir.select(ir.eq(y, ir.real(0)), ir.real(0), ir.div(x, y));
    return loadOf(mapNode([value, total], share, at, value.axes), indices, tables);
  }
  const top = reduceNode("max", value, [along], at);
  const weight = ir.unary("exp", ir.sub(x, y));
  const counted = isAlways(guard) ? weight : ir.select(ir.eq(x, hidden), ir.real(0), weight);
  const shifted = mapNode([value, top], counted, at, value.axes);
  const total = reduceNode("sum", shifted, [along], at);
  const node = mapNode([shifted, total], ir.div(x, ir.binary("max", y, ir.real(0.5))), at, value.axes);
  const read = loadOf(node, indices, tables) as ir.Load;
  const rest = all.filter((name) => name !== over).map(ir.index);
  const logTotal = ir.add(loadOf(top, rest, tables), ir.unary("log", loadOf(total, rest, tables)));
  tables.logarithms.set(read.buffer, ir.sub(loadOf(value, indices, tables), logTotal));
  return read;
}
