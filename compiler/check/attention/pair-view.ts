/**
 * Expressions over pairs of a query and a key as nodes hold them: over the logit of the pair, `q`, `k` and `h`. A softmax
 * over keys is exp(score − log-sum-exp), so that nothing of queries × keys is ever a tensor.
 */
import * as ir from "../../ir/expr.ts";
import { logSumExpNode } from "../../ir/graph-build-pairs.ts";
import type { Node, PairCore, Region } from "../../ir/graph.ts";
import { allOf, conjuncts, freeIndices, readsOf, renamed, substitute } from "./expr-tools.ts";
import { loadOf, localised, nodeOf, type Making } from "./make-node.ts";
import type { DotTable, Tables } from "./tables.ts";

const [q, k, h] = [ir.index("q"), ir.index("k"), ir.index("h")];
const canonical = ["h", "q", "k"] as const;

/** Whose logit an expression reads: the attention's own, or the products of two tables. */
type Source = "logit" | DotTable;

/** A read of something over pairs, and its indices. */
interface PairRead {
  readonly load: ir.Load;
  readonly source: Source | null;
  readonly head: ir.Expr;
  readonly query: ir.Expr;
  readonly key: ir.Expr;
}

/** Places in a product of the index of its rows and that of its keys; null unless each side has one of its own. */
function dotPlaces(table: DotTable, tables: Tables): { query: number; key: number; head: number } | null {
  const places = table.variables.flatMap((name, n) => (tables.isPosition(name) ? [n] : []));
  if (places.length !== 2) return null;
  const [first, second] = places as [number, number];
  const left = freeIndices(table.left);
  const [query, key] = left.has(table.variables[first]!) ? [first, second] : [second, first];
  const head = table.variables.findIndex((name) => tables.variable(name)?.role === "head");
  return { query, key, head };
}

function pairRead(load: ir.Load, tables: Tables): PairRead | null {
  const table = tables.at(load.buffer);
  if (table.kind === "logit" || table.kind === "softmax") {
    const [head, query, key] = load.indices as [ir.Expr, ir.Expr, ir.Expr];
    return { load, source: table.kind === "logit" ? "logit" : null, head, query, key };
  }
  if (table.kind !== "dot") return null;
  const places = dotPlaces(table, tables);
  if (places === null) return null;
  return {
    load,
    source: table,
    head: places.head === -1 ? h : load.indices[places.head]!,
    query: load.indices[places.query]!,
    key: load.indices[places.key]!,
  };
}

/** Reads of something over pairs in an expression. */
export const pairReads = (tables: Tables, ...exprs: readonly ir.Expr[]): readonly PairRead[] =>
  readsOf(...exprs).flatMap((read) => {
    const found = read.kind === "load" ? pairRead(read, tables) : null;
    return found === null ? [] : [found];
  });

/** True for an expression that has a value for each pair, and must not become a tensor. */
export const isOverPairs = (tables: Tables, ...exprs: readonly ir.Expr[]): boolean =>
  pairReads(tables, ...exprs).length > 0;

/** The names under which expressions know the query, key and head of their pair; null after a refusal. */
export interface PairNames {
  readonly query: string;
  readonly key: string;
  readonly head: string;
}

export function pairNames(exprs: readonly ir.Expr[], making: Making): PairNames | null {
  const { tables, refuse } = making;
  let names: PairNames | null = null;
  for (const { head, query, key } of pairReads(tables, ...exprs)) {
    if (query.kind !== "index" || key.kind !== "index" || head.kind !== "index" || query === key)
      return refuse("the logit of another pair");
    names ??= { query: query.name, key: key.name, head: head.name };
    if (names.query !== query.name || names.key !== key.name || names.head !== head.name)
      return refuse("logits of two pairs at once");
  }
  return names;
}

/** Expressions with the pair's indices called `h`, `q` and `k`; null after a refusal. */
export function inPairNames(
  exprs: readonly ir.Expr[],
  names: PairNames,
  making: Making,
): readonly ir.Expr[] | null {
  const own: readonly string[] = [names.head, names.query, names.key];
  const foreign = [...freeIndices(...exprs)].filter((name) => !own.includes(name));
  if (foreign.some((name) => canonical.some((known) => known === name)))
    return making.refuse("indices of two pairs at once");
  const values = new Map<string, ir.Expr>([
    [names.head, h],
    [names.query, q],
    [names.key, k],
  ]);
  return exprs.map((expr) => substitute(expr, values));
}

/** What a node over pairs is made of. */
export interface PairView {
  readonly regions: readonly Region[];
  readonly scale: number;
  /** Over the logit, `q`, `k`, `h` and loads of tables. */
  readonly exprs: readonly ir.Expr[];
}

/** Conditions on the row alone: rows that they leave out need no softmax. */
export const rowConditions = (mask: ir.Expr): ir.Expr =>
  allOf(conjuncts(mask).filter((part) => !freeIndices(part).has("k")));

/**
 * Expressions over `h`, `q`, `k` as a node over pairs takes them. Softmaxes become their definition, for rows where
 * `rows` holds. null after a refusal.
 */
export function pairView(exprs: readonly ir.Expr[], rows: ir.Expr, making: Making): PairView | null {
  const { tables, refuse } = making;
  let source: Source | null = null;
  let failed = false;
  const expand = (e: ir.Expr): ir.Expr => {
    if (e.kind !== "load") return e;
    const table = tables.at(e.buffer);
    const read = pairRead(e, tables);
    if (read === null) return e;
    if (read.head !== h || read.query !== q || read.key !== k) {
      refuse("the logit of another pair");
      failed = true;
      return e;
    }
    if (table.kind === "softmax") {
      const lse = table.block === null ? rowNormaliser(table.guard, table.score, rows, making) : null;
      if (table.block !== null) refuse("a softmax inside blocks outside `weight`");
      if (lse === null) {
        failed = true;
        return e;
      }
      const weight = ir.unary("exp", ir.sub(table.score, lse));
      return ir.mapExpr(ir.select(table.guard, weight, ir.real(0)), expand);
    }
    if (source !== null && source !== read.source) {
      refuse("two different logits at once");
      failed = true;
    }
    source = read.source;
    return ir.logit;
  };
  const expanded = exprs.map((expr) => ir.mapExpr(expr, expand));
  if (failed) return null;
  const sides = sidesOf(source ?? "logit", making);
  return sides === null ? null : { ...sides, exprs: expanded };
}

/** The logarithm of a row's denominator as a load at [q, h]; null after a refusal. */
export function rowNormaliser(guard: ir.Expr, score: ir.Expr, rows: ir.Expr, making: Making): ir.Expr | null {
  const { tables, at } = making;
  const mask = allOf([...new Set([...conjuncts(guard), ...conjuncts(rows)])]);
  const known = tables.rowSums.find((sum) => sum.mask === mask && sum.score === score);
  if (known !== undefined) return known.log;
  const view = pairView([mask, score], rows, making);
  const made = view === null ? null : pairCore(view, view.exprs, making);
  const log =
    made === null
      ? null
      : loadOf(logSumExpNode({ ...made.core, score: made.others[0]! }, at), [q, h], tables);
  tables.rowSums.push({ mask, score, log });
  return log;
}

/** A node's regions, mask (the first expression) and other expressions, with the buffers that they load. */
export function pairCore(
  view: PairView,
  exprs: readonly ir.Expr[],
  making: Making,
): { readonly core: PairCore; readonly others: readonly ir.Expr[] } | null {
  const { regions, scale } = view;
  const turns = regions.flatMap(({ turn }) => (turn === null ? [] : [turn.position]));
  const local = localised([...exprs, ...regions.map(({ when }) => when), ...turns], making);
  if (local === null) return null;
  const [mask, ...others] = local.exprs as [ir.Expr, ...ir.Expr[]];
  const whens = others.splice(exprs.length - 1);
  const positions = whens.splice(regions.length);
  return {
    core: {
      regions: regions.map(({ turn, ...region }, n) => ({
        ...region,
        when: whens[n]!,
        turn: turn === null ? null : { ...turn, position: positions.shift()! },
      })),
      mask,
      buffers: local.buffers,
      scale,
    },
    others,
  };
}

/** Keys over [key, group, dim] where the expression reads its head through its group alone, else over the heads. */
export function keyNode(expr: ir.Expr, key: string, head: string, dim: string, making: Making): Node | null {
  const { tables } = making;
  const group = tables.groupOf(ir.index(head));
  const grouped = group.kind === "index" ? expr : ir.mapExpr(expr, (e) => (e === group ? ir.index("g") : e));
  const by = freeIndices(grouped).has(head) ? head : group.kind === "index" ? head : "g";
  return nodeOf(by === head ? expr : grouped, [key, by, dim], making);
}

/** Queries and keys of a logit. */
function sidesOf(source: Source, making: Making): Pick<PairView, "regions" | "scale"> | null {
  const { tables, refuse } = making;
  if (source === "logit") {
    if (tables.regions === null) return refuse("a logit that is rotated by what it chooses");
    return { regions: tables.regions, scale: tables.shape.scale ?? 1 / Math.sqrt(tables.shape.headSize) };
  }
  const places = dotPlaces(source, tables)!;
  const [dim] = source.over;
  const [rows, keys] = [source.variables[places.query]!, source.variables[places.key]!];
  const own = new Set([
    rows,
    keys,
    ...source.over,
    ...(places.head === -1 ? [] : [source.variables[places.head]!]),
  ]);
  const turned = !freeIndices(source.left).has(rows);
  const [left, right] = turned ? [source.right, source.left] : [source.left, source.right];
  const apart = !freeIndices(left).has(keys) && !freeIndices(right).has(rows);
  if (source.over.length !== 1 || !apart || source.variables.some((name) => !own.has(name)))
    return refuse("this product of queries and keys");
  const head = places.head === -1 ? "h" : source.variables[places.head]!;
  const asHead = (e: ir.Expr): ir.Expr => renamed(e, head, "h");
  const query = nodeOf(asHead(left), [rows, "h", dim!], making);
  const key = keyNode(asHead(right), keys, "h", dim!, making);
  if (query === null || key === null) return null;
  return { regions: [{ query, key, when: ir.bool(true), turn: null }], scale: 1 };
}

/** An expression of the attention's own pairs: over the logit of this pair. null after a refusal. */
export function ownLogit(expr: ir.Expr, making: Making): ir.Expr | null {
  const { tables, refuse } = making;
  let failed = false;
  const result = ir.mapExpr(expr, (e) => {
    if (e.kind !== "load") return e;
    const read = pairRead(e, tables);
    if (read === null) return e;
    const own = read.head === h && read.query === q && read.key === k;
    if (own && read.source === "logit") return ir.logit;
    failed = true;
    refuse(
      read.source === null
        ? "a softmax over keys outside `weight` and `teach`"
        : own
          ? "products of other queries and keys"
          : "the logit of another pair",
    );
    return e;
  });
  return failed ? null : result;
}
