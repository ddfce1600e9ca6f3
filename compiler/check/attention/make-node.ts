/** Makes tensors of expressions over indices: nodes of a Graph over holes that the model fills later. */
import * as ir from "../../ir/expr.ts";
import { axis, batchAxis, blocksOf, findAxis, sameAxes, sameSize, sizeExpr } from "../../ir/graph-axes.ts";
import {
  contractNode,
  gatherNode,
  inputNode,
  mapNode,
  reshapeNode,
  type Place,
} from "../../ir/graph-build.ts";
import type { Axis, AxisSize, Node } from "../../ir/graph.ts";
import { freeIndices, readsOf } from "./expr-tools.ts";
import { axisName, type DotTable, type Tables } from "./tables.ts";

/** Where tensors are made, and how to say that one cannot be. */
export interface Making {
  readonly tables: Tables;
  readonly at: Place;
  /** Notes what no target runs, at the user's line. */
  readonly refuse: (what: string) => null;
}

export const wholePairs = "a table of queries × keys";

/** Names that indices have as axes: a single index of positions is the token axis. */
export function axisNames(indices: readonly string[], tables: Tables): ReadonlyMap<string, string> {
  const tokens = indices.filter((name) => tables.isPosition(name));
  return new Map(
    indices.map((name) => [name, tokens.length === 1 && tokens[0] === name ? "t" : axisName(name)]),
  );
}

const isBatched = (node: Node): boolean => findAxis(node.axes, "b") !== undefined;

/** The same tensor with its axes named anew, the batch excepted. */
export function renameAxes(node: Node, names: readonly string[], at: Place): Node {
  let next = 0;
  const axes = node.axes.map((own) => (own.name === "b" ? own : { ...own, name: names[next++]! }));
  return sameAxes(axes, node.axes) ? node : reshapeNode(node, axes, at);
}

/** Whether an index expression stays inside an axis by itself. */
export function staysInside(e: ir.Expr, size: AxisSize, tables: Tables): boolean {
  if (e.kind === "constant") return size.kind === "fixed" && e.value >= 0 && e.value < size.value;
  if (e.kind === "index") return sameSize(tables.size(e.name), size);
  return (
    e.kind === "binary" &&
    e.op === "floor-div" &&
    e.left.kind === "index" &&
    e.right.kind === "constant" &&
    tables.size(e.left.name).kind !== "batch" &&
    sameSize(blocksOf(tables.size(e.left.name), e.right.value), size)
  );
}

/** The elements that a load reads, with the axes of its indices; null after a refusal. */
function operandOf(load: ir.Load, names: ReadonlyMap<string, string>, making: Making): Node | null {
  const { tables, at, refuse } = making;
  const table = tableNode(load.buffer, making);
  if (table === null) return null;
  const own = table.axes.filter(({ name }) => name !== "b");
  const plain = load.indices.map((index, n) =>
    index.kind === "index" && sameSize(tables.size(index.name), own[n]!.size) ? names.get(index.name)! : null,
  );
  let node = renameAxes(
    table,
    plain.map((name, n) => name ?? `_${n}`),
    at,
  );
  const taken = plain.filter((name) => name !== null);
  if (new Set(taken).size !== taken.length) return refuse("a table read at one index twice");
  for (const [n, index] of load.indices.entries()) {
    if (plain[n] !== null) continue;
    const over = tables.ordered(freeIndices(index));
    if (over.some((name) => taken.includes(names.get(name)!)))
      return refuse("a table read at one index twice");
    taken.push(...over.map((name) => names.get(name)!));
    const inside = staysInside(index, own[n]!.size, tables);
    const last = ir.sub(sizeExpr(own[n]!.size), ir.int(1));
    const kept = inside ? index : ir.binary("min", ir.binary("max", index, ir.int(0)), last);
    const row = nodeOf(kept, over, making, names);
    if (row === null) return null;
    node = gatherNode(node, `_${n}`, row, at);
  }
  return node;
}

/** Σ over indices of a product, as one contraction. */
function contraction(table: DotTable, making: Making): Node | null {
  const { tables, at, refuse } = making;
  const { left, right, over, variables } = table;
  const all = tables.ordered([...variables, ...over]);
  if (all.filter((name) => tables.isPosition(name)).length > 1) return refuse(wholePairs);
  const names = axisNames(all, tables);
  // Contractions go by names: a table that is read as it is needs no other order of its axes.
  const side = (e: ir.Expr): Node | null =>
    e.kind === "load" && e.type === "real"
      ? operandOf(e, names, making)
      : nodeOf(e, tables.ordered(freeIndices(e)), making, names);
  const [a, b] = [side(left), side(right)];
  if (a === null || b === null) return null;
  const order = variables.map((name) => names.get(name)!);
  return contractNode(
    a,
    b,
    over.map((name) => names.get(name)!),
    at,
    isBatched(a) || isBatched(b) ? ["b", ...order] : order,
  );
}

/** The tensor of a table; null after a refusal. */
export function tableNode(number: number, making: Making): Node | null {
  const { tables, refuse } = making;
  const table = tables.at(number);
  switch (table.kind) {
    case "parameter":
      return tables.parameterHole(table.name);
    case "documents":
    case "starts":
      return inputNode(table.kind);
    case "node":
      return table.node;
    case "logit":
    case "softmax":
      return refuse(wholePairs);
    case "dot": {
      const known = tables.contractions.get(number);
      if (known !== undefined) return known;
      const made = contraction(table, making);
      tables.contractions.set(number, made);
      return made;
    }
    default:
      return table satisfies never;
  }
}

/**
 * The tensor of an expression over the given indices, outermost first: [b, …indices], without `b` where nothing it
 * reads has one. Axes are named by `names`. null after a refusal.
 */
export function nodeOf(
  expr: ir.Expr,
  indices: readonly string[],
  making: Making,
  names: ReadonlyMap<string, string> = axisNames(indices, making.tables),
): Node | null {
  const { tables } = making;
  const unknown = indices.find((name) => tables.variable(name) === undefined);
  if (unknown !== undefined) return making.refuse(`a table over \`${unknown}\`, whose size is not known`);
  const foreign = [...freeIndices(expr)].find((name) => !names.has(name));
  if (foreign !== undefined) return making.refuse(`a table that depends on \`${foreign}\` as well`);
  const key = indices.map((name) => `${name}:${names.get(name)}`).join();
  const known = tables.made.get(expr)?.get(key);
  if (known !== undefined) return known;
  const made = makeNode(expr, indices, making, names);
  const before = tables.made.get(expr) ?? new Map<string, Node | null>();
  tables.made.set(expr, before.set(key, made));
  return made;
}

function makeNode(
  expr: ir.Expr,
  indices: readonly string[],
  making: Making,
  names: ReadonlyMap<string, string>,
): Node | null {
  const { tables, at, refuse } = making;
  if (indices.filter((name) => tables.isPosition(name)).length > 1) return refuse(wholePairs);
  const operands: Node[] = [];
  const numbers = new Map<ir.Expr, number>();
  // Loads inside the indices of loads are read where those are made.
  const collect = (e: ir.Expr): boolean => {
    if (numbers.has(e)) return true;
    if (e.kind === "set") return refuse("a chosen set read in a table") !== null;
    if (e.kind !== "load") return ir.exprChildren(e).every(collect);
    const node = operandOf(e, names, making);
    if (node === null) return false;
    numbers.set(e, operands.push(node) - 1);
    return true;
  };
  if (!collect(expr)) return null;
  const done = new Map<ir.Expr, ir.Expr>();
  const visit = (e: ir.Expr): ir.Expr => {
    const before = done.get(e);
    if (before !== undefined) return before;
    const number = numbers.get(e);
    const kids = number === undefined ? ir.exprChildren(e) : [];
    const result =
      number !== undefined
        ? ir.operand(number, e.type)
        : e.kind === "index"
          ? ir.index(names.get(e.name) ?? e.name)
          : kids.length === 0
            ? e
            : ir.withExprChildren(e, kids.map(visit));
    done.set(e, result);
    return result;
  };
  const body = visit(expr.type === "bool" ? ir.select(expr, ir.int(1), ir.int(0)) : expr);
  const axes: readonly Axis[] = [
    ...(operands.some(isBatched) ? [batchAxis] : []),
    ...indices.map((name) => axis(names.get(name)!, tables.size(name))),
  ];
  const [only] = operands;
  if (body.kind === "operand" && only !== undefined && sameAxes(only.axes, axes)) return only;
  return mapNode(operands, body, at, axes);
}

/** A load of a tensor made here at indices that are its axes after the batch. */
export function loadOf(node: Node, indices: readonly ir.Expr[], tables: Tables): ir.Expr {
  const number = tables.number({ kind: "node", node });
  return ir.load(number, indices, node.dtype === "i32" ? "int" : "real");
}

/** What a node's expressions load, numbered among the node's own buffers. */
export interface Local {
  readonly exprs: readonly ir.Expr[];
  readonly buffers: readonly Node[];
}

/** Expressions over tables as a node holds them: with its own buffers. null after a refusal. */
export function localised(exprs: readonly ir.Expr[], making: Making): Local | null {
  const buffers: Node[] = [];
  const numbers = new Map<number, number>();
  for (const read of readsOf(...exprs)) {
    if (numbers.has(read.buffer)) continue;
    const node = tableNode(read.buffer, making);
    if (node === null) return null;
    const known = buffers.indexOf(node);
    numbers.set(read.buffer, known === -1 ? buffers.push(node) - 1 : known);
  }
  return { exprs: exprs.map((expr) => renumbered(expr, numbers)), buffers };
}

/** The expression with its buffers numbered anew. */
export const renumbered = (expr: ir.Expr, numbers: ReadonlyMap<number, number>): ir.Expr =>
  ir.mapExpr(expr, (e) => {
    if (e.kind === "load") return ir.load(numbers.get(e.buffer)!, e.indices, e.type);
    if (e.kind === "set") return ir.setRead(e.op, numbers.get(e.buffer)!, e.indices, e.element);
    return e;
  });
