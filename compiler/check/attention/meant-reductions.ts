/** Evaluates reductions, normalisers, `attend` and `stack`: what they need becomes tensors. */
import type { Expr, ReductionExpr } from "../../../grammar/ast.ts";
import * as ir from "../../ir/expr.ts";
import { axis, fixedSize, sameAxes } from "../../ir/graph-axes.ts";
import { attentionNode, concatNode, reshapeNode } from "../../ir/graph-build.ts";
import type { Node } from "../../ir/graph.ts";
import type { Elaboration } from "./evaluate-meant.ts";
import { freeIndices, renamed } from "./expr-tools.ts";
import { foldPairs, type Bound, type FoldOp } from "./fold-pairs.ts";
import { axisNames, loadOf, localised, nodeOf, renameAxes, tableNode, type Making } from "./make-node.ts";
import { exprOf, scalar, type Meant, type MeantScope } from "./meant.ts";
import { inPairNames, isOverPairs, keyNode, pairNames } from "./pair-view.ts";
import { foldTable, normaliseTable } from "./reduce-tables.ts";
import { axisName, type Tables } from "./tables.ts";

type Evaluate = (expr: Expr, scope: MeantScope) => Meant | null;

/** A binder: its index where it is bound, and the index of that name outside. */
interface OpenBinder extends Bound {
  readonly outer: ir.Expr;
}

/** The meaning of an index by its name. */
export function indexMeant(name: string, index: ir.Expr, scope: MeantScope, tables: Tables): Meant {
  const known = scope.names.get(name);
  if (known?.kind === "domain") return { ...known, index };
  return scalar(index, tables.variable(name)?.role === "position" ? index : null);
}

/** Opens binders in a scope; an index that other meanings of the scope read is bound under another name. */
function openBinders(
  expr: ReductionExpr,
  scope: MeantScope,
  tables: Tables,
): { readonly binders: readonly OpenBinder[]; readonly inner: MeantScope } | null {
  const names = new Map(scope.names);
  const binders: OpenBinder[] = [];
  for (const binder of expr.binders) {
    const name = binder.name.text;
    // Inside a block, every name counts positions.
    const inside = binder.in !== null && tables.variable(name)?.role !== "position";
    if (!inside && tables.variable(name) === undefined) return null;
    const known = scope.names.get(name);
    const before = known === undefined ? null : exprOf(known);
    const taken = [...scope.names].some(([other, meant]) => {
      const read = other === name || meant.kind === "static" ? null : exprOf(meant);
      return read !== null && freeIndices(read).has(name);
    });
    const own = inside ? tables.fresh("k") : taken ? tables.fresh(name) : name;
    let within: Bound["within"] = null;
    if (binder.in !== null) {
      const blocks = scope.names.get(binder.in.text);
      if (blocks?.kind !== "domain") return null;
      const index = blocks.index ?? ir.index(binder.in.text);
      within = { name: binder.in.text, index, size: blocks.size };
      if (blocks.index === null) names.set(binder.in.text, { ...blocks, index });
    }
    const index = ir.index(own);
    const meant = indexMeant(name, index, scope, tables);
    names.set(name, meant.kind === "scalar" && binder.in !== null ? scalar(index, index) : meant);
    binders.push({ name: own, within, outer: before ?? ir.index(name) });
  }
  return { binders, inner: { ...scope, names } };
}

const foldOps: ReadonlySet<string> = new Set(["sum", "mean", "max", "min", "dot"]);

/** A reduction or normaliser; null after a report or a note. */
export function evaluateReduction(
  expr: ReductionExpr,
  scope: MeantScope,
  run: Elaboration,
  evaluate: Evaluate,
): Meant | null {
  const { tables } = run;
  const refuse = (what: string): null => {
    run.unsupported(what, expr.span);
    return null;
  };
  if (tables === null) return refuse(`\`${expr.op}\` over positions or dimensions`);
  const making: Making = { tables, refuse, at: { site: scope.definition.name, origin: [expr.span] } };
  if (expr.op === "stack") return stack(expr, scope, making, evaluate);
  const opened = openBinders(expr, scope, tables);
  if (opened === null) return refuse(`\`${expr.op}\` over this index`);
  const { binders, inner } = opened;
  const within = binders.flatMap(({ name, within: block }) =>
    expr.op === "attend" && block !== null
      ? [ir.eq(ir.binary("floor-div", ir.index(name), ir.int(block.size)), block.index)]
      : [],
  );
  let guard: ir.Expr = ir.bool(true);
  if (expr.guard !== null) {
    const meant = evaluate(expr.guard, inner);
    const condition = meant === null ? null : exprOf(meant);
    if (condition?.type !== "bool") return meant === null ? null : refuse("this guard");
    if (isOverPairs(tables, condition)) return refuse("a guard that reads the logit");
    guard = condition;
  }
  const bodies: ir.Expr[] = [];
  for (const body of expr.bodies) {
    const meant = evaluate(body, inner);
    const value = meant === null ? null : exprOf(meant);
    if (value === null || value.type === "bool") return meant === null ? null : refuse("this expression");
    bodies.push(ir.toReal(value));
  }
  const result = (value: ir.Expr | null): Meant | null => (value === null ? null : scalar(value));
  if (expr.op === "attend") return result(attend(bodies, [guard, ...within].reduce(andOf), binders, making));
  if (foldOps.has(expr.op)) {
    const body = expr.op === "dot" ? ir.mul(bodies[0]!, bodies[1]!) : bodies[0]!;
    const op: FoldOp = expr.op === "dot" ? "sum" : (expr.op as FoldOp);
    const fold = isOverPairs(tables, body) ? foldPairs : foldTable;
    return result(fold(op, body, guard, binders, making));
  }
  if (expr.op !== "softmax" && expr.op !== "normalize") return refuse(`\`${expr.op}\``);
  const [binder] = binders;
  const [body] = bodies;
  if (binders.length !== 1 || binder === undefined || binder.within !== null)
    return refuse(`\`${expr.op}\` over several indices`);
  const inside = isOverPairs(tables, body!)
    ? expr.op === "softmax"
      ? pairSoftmax(expr, body!, guard, binder, scope, making)
      : refuse("`normalize` over pairs of a query and a key")
    : expr.per === null
      ? normaliseTable(expr.op, body!, guard, binder.name, making)
      : refuse("`per` where no logit is read");
  return inside === null ? null : scalar(renamedTo(inside, binder.name, binder.outer));
}

const andOf = (a: ir.Expr, b: ir.Expr): ir.Expr =>
  a.kind === "constant" ? b : b.kind === "constant" ? a : ir.and(a, b);

const renamedTo = (e: ir.Expr, from: string, to: ir.Expr): ir.Expr =>
  to.kind === "index"
    ? renamed(e, from, to.name)
    : ir.mapExpr(e, (part) => (part.kind === "index" && part.name === from ? to : part));

/** A softmax over the keys of a row, or of each block: a table over pairs that is never a tensor. */
function pairSoftmax(
  expr: ReductionExpr,
  body: ir.Expr,
  guard: ir.Expr,
  binder: OpenBinder,
  scope: MeantScope,
  making: Making,
): ir.Expr | null {
  const { tables, refuse } = making;
  const nested = ir.someExpr(body, (e) => e.kind === "load" && tables.at(e.buffer).kind === "softmax");
  if (nested)
    return refuse(
      "a softmax in the body of another (a body runs on to the right: write `(softmax[…] s) + …`)",
    );
  const names = pairNames([body], making);
  const own = names === null ? null : inPairNames([guard, body], names, making);
  if (names === null || own === null) return null;
  if (binder.name !== names.key) return refuse("a softmax over queries");
  const foreign = [...freeIndices(...own)].find((name) => !["h", "q", "k"].includes(name));
  if (foreign !== undefined) return refuse(`a softmax over pairs that depends on \`${foreign}\` as well`);
  let block: number | null = null;
  if (expr.per !== null) {
    const blocks = scope.names.get(expr.per.text);
    if (blocks?.kind !== "domain") return null;
    block = blocks.size;
  }
  const number = tables.number({ kind: "softmax", guard: own[0]!, score: own[1]!, block });
  return ir.load(number, [ir.index(names.head), ir.index(names.query), ir.index(names.key)]);
}

/** An attention of its own: softmax over the bound keys of query · key / √size, times the values. */
function attend(
  bodies: readonly ir.Expr[],
  guard: ir.Expr,
  binders: readonly OpenBinder[],
  making: Making,
): ir.Expr | null {
  const { tables, refuse, at } = making;
  const [queries, keys, values] = bodies as [ir.Expr, ir.Expr, ir.Expr];
  const [binder] = binders;
  if (binders.length !== 1 || binder === undefined) return refuse("`attend` over several indices");
  const key = binder.name;
  const isDim = (name: string): boolean => ["axis", "dim"].includes(tables.variable(name)?.role ?? "");
  const own = [...freeIndices(queries)];
  const [dim, ...moreDims] = own.filter((name) => isDim(name) && freeIndices(keys).has(name));
  const [out, ...moreOut] = [...freeIndices(values)].filter(isDim);
  const rows = own.filter((name) => !isDim(name) && name !== "h");
  if (dim === undefined || out === undefined || moreDims.length + moreOut.length > 0 || rows.length !== 1)
    return refuse("`attend` of these tables");
  const [row] = rows as [string];
  const allowed = [new Set([row, "h", dim]), new Set([key, "h", dim]), new Set([key, "h", out])];
  const foreign = bodies.some((body, n) => [...freeIndices(body)].some((name) => !allowed[n]!.has(name)));
  if (foreign || [...freeIndices(guard)].some((name) => ![row, key, "h"].includes(name)))
    return refuse("`attend` of tables with further indices");
  const query = nodeOf(queries, [row, "h", dim], making);
  let keyed = keyNode(keys, key, "h", dim, making);
  let value = keyNode(values, key, "h", out, making);
  if (query === null || keyed === null || value === null) return null;
  if (!sameAxes([{ ...keyed.axes[2]!, name: "" }], [{ ...value.axes[2]!, name: "" }])) {
    keyed = nodeOf(keys, [key, "h", dim], making);
    value = nodeOf(values, [key, "h", out], making);
    if (keyed === null || value === null) return null;
  }
  const batched = (node: Node): boolean => node.axes[0]?.name === "b";
  if (![query, keyed, value].every(batched)) return refuse("`attend` of tables that read no text");
  const inPair = renamedPair(guard, row, key);
  const local = inPair === null ? refuse("`attend` of these tables") : localised([inPair], making);
  if (local === null) return null;
  const size = tables.size(dim);
  const node = attentionNode(
    {
      regions: [{ query, key: keyed, when: ir.bool(true) }],
      value,
      mask: local.exprs[0]!,
      score: ir.logit,
      buffers: local.buffers,
      scale: 1 / Math.sqrt(size.kind === "fixed" ? size.value : 1),
      prepended: null,
    },
    at,
  );
  return loadOf(node, [ir.index(row), ir.index("h"), ir.index(out)], tables);
}

/** The guard over `q` and `k`, in place of the index of its rows and that of its keys. */
function renamedPair(guard: ir.Expr, row: string, key: string): ir.Expr {
  const values = new Map<string, ir.Expr>([
    [row, ir.index("q")],
    [key, ir.index("k")],
  ]);
  return ir.mapExpr(guard, (e) => (e.kind === "index" ? (values.get(e.name) ?? e) : e));
}

/** Tables along a new index, in the order given. */
function stack(expr: ReductionExpr, scope: MeantScope, making: Making, evaluate: Evaluate): Meant | null {
  const { tables, refuse, at } = making;
  const [binder] = expr.binders;
  if (expr.binders.length !== 1 || binder === undefined) return refuse("`stack` over several indices");
  const name = binder.name.text;
  const bodies: ir.Expr[] = [];
  for (const body of expr.bodies) {
    const meant = evaluate(body, scope);
    const value = meant === null ? null : exprOf(meant);
    if (value === null || value.type === "bool") return meant === null ? null : refuse("this expression");
    bodies.push(ir.toReal(value));
  }
  if (freeIndices(...bodies).has(name)) return refuse(`a stack of tables that have \`${name}\` already`);
  const size = fixedSize(bodies.length);
  const known = tables.variable(name);
  if (known === undefined) tables.define(name, { role: "axis", size });
  else if (known.size.kind !== "fixed" || known.size.value !== bodies.length)
    return refuse(`a stack of ${bodies.length} along \`${name}\`, which has another size`);
  // Tables read alike are stacked as they are: keys stay one for each key-value head.
  const [first] = bodies;
  const alike = bodies.every(
    (body) =>
      body.kind === "load" &&
      first?.kind === "load" &&
      body.indices.length === first.indices.length &&
      body.indices.every((index, n) => index === first.indices[n]),
  );
  let nodes: Node[];
  let indices: readonly ir.Expr[];
  if (alike && first?.kind === "load") {
    const made = bodies.map((body) => tableNode((body as ir.Load).buffer, making));
    if (made.some((node) => node === null)) return null;
    const names = made[0]!.axes.filter((own) => own.name !== "b").map((own) => own.name);
    nodes = made.map((node) => renameAxes(node!, names, at));
    indices = first.indices;
  } else {
    const all = tables.ordered(freeIndices(...bodies));
    const made = bodies.map((body) => nodeOf(body, all, making, axisNames(all, tables)));
    if (made.some((node) => node === null)) return null;
    nodes = made as Node[];
    indices = all.map(ir.index);
  }
  const own = axisName(name);
  const slices = nodes.map((node) => reshapeNode(node, [...node.axes, axis(own, 1)], at));
  const stacked = concatNode(own, slices, at);
  return scalar(loadOf(stacked, [...indices, ir.index(name)], tables));
}
