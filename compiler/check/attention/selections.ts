/** Selections as nodes: which candidates each row chooses, and what expressions ask of the chosen sets. */
import type { Expr, SelectClause } from "../../../grammar/ast.ts";
import * as ir from "../../ir/expr.ts";
import { axis, fixedSize } from "../../ir/graph-axes.ts";
import { selectNode } from "../../ir/graph-build-pairs.ts";
import { reshapeNode } from "../../ir/graph-build.ts";
import type { Choice } from "../../ir/graph-pairs.ts";
import type { Node } from "../../ir/graph.ts";
import { mistake } from "../mistakes.ts";
import type { Elaboration } from "./evaluate-meant.ts";
import { freeIndices, readsOf, substitute } from "./expr-tools.ts";
import { axisNames, localised, nodeOf, type Making } from "./make-node.ts";
import { indexMeant } from "./meant-reductions.ts";
import { exprOf, numberOf, type Meant, type MeantScope, type SetMeant } from "./meant.ts";
import { isOverPairs, keyNode, rowNormaliser } from "./pair-view.ts";
import type { Tables } from "./tables.ts";

type Evaluate = (expr: Expr, scope: MeantScope) => Meant | null;

/** The indices of a selection: its rows, its heads and its candidates. */
interface Indices {
  readonly row: string | null;
  readonly head: string | null;
  readonly candidate: string;
}

/** The logit of a row and a candidate, and the read that it replaces. */
interface Logit {
  readonly query: Node;
  readonly key: Node;
  readonly scale: number;
  readonly read: ir.Load;
}

/** The set of a `select` clause; its node is made when something first asks it. */
export function selectionMeant(
  clause: SelectClause,
  scope: MeantScope,
  run: Elaboration,
  evaluate: Evaluate,
): SetMeant {
  let made: number | null | undefined;
  const axes = clause.axes.map((own) => own.text);
  const { tables } = run;
  const row = axes.find((name) => tables?.variable(name)?.role !== "head") ?? null;
  const head = axes.find((name) => tables?.variable(name)?.role === "head") ?? null;
  const indices: Indices = { row, head, candidate: clause.from.text };
  return {
    kind: "set",
    axes,
    read(op, given, element) {
      if (made === undefined) {
        // A set that needs itself was reported by the checker; here it only must end.
        made = null;
        const node = tables === null ? null : selection(clause, indices, scope, run, tables, evaluate);
        made = node === null || tables === null ? null : tables.number({ kind: "node", node });
      }
      if (made === null) return null;
      const at = [row, head].flatMap((name) => (name === null ? [] : [given[axes.indexOf(name)]!]));
      return ir.setRead(op, made, at, element);
    },
  };
}

/** The node of a selection; null after a report or a note. */
function selection(
  clause: SelectClause,
  indices: Indices,
  scope: MeantScope,
  run: Elaboration,
  tables: Tables,
  evaluate: Evaluate,
): Node | null {
  const { row, head, candidate } = indices;
  const refuse = (what: string, span = clause.span): null => {
    run.unsupported(what, span);
    return null;
  };
  const making: Making = {
    tables,
    refuse: (what) => refuse(what, clause.by.span),
    at: { site: `${scope.definition.name}.${clause.name.text}`, origin: [clause.span] },
  };
  const role = tables.variable(candidate)?.role;
  // The checker reported it.
  if (role !== "position" && role !== "block" && role !== "diagonal") return null;
  if (clause.axes.some((own) => tables.variable(own.text) === undefined)) return null;
  if (clause.axes.length > Number(row !== null) + Number(head !== null))
    return refuse("a selection over these indices");
  const names = new Map(scope.names);
  for (const name of [...clause.axes.map((own) => own.text), candidate])
    names.set(name, indexMeant(name, ir.index(name), scope, tables));
  const inner: MeantScope = { ...scope, names };
  const condition = (e: Expr | null, otherwise: boolean): ir.Expr | null => {
    if (e === null) return ir.bool(otherwise);
    const meant = evaluate(e, inner);
    const expr = meant === null ? null : exprOf(meant);
    if (expr?.type !== "bool") return meant === null ? null : refuse("this condition", e.span);
    return isOverPairs(tables, expr) ? refuse("a condition that reads the logit", e.span) : expr;
  };
  const by = evaluate(clause.by, inner);
  const body = by === null ? null : exprOf(by);
  const where = condition(clause.where, true);
  const always = condition(clause.always, false);
  const choose = choiceOf(clause, inner, run, evaluate);
  if (body === null || where === null || always === null || choose === null) return null;
  if (body.type === "bool") return refuse("this choice", clause.by.span);
  const expanded = withoutSoftmax(ir.toReal(body), making);
  if (expanded === null) return null;
  const found = logitOf(expanded, indices, making);
  if (found === "refused") return null;
  const real = found === null ? expanded : ir.mapExpr(expanded, (e) => (e === found.read ? ir.logit : e));
  if (isOverPairs(tables, real)) return making.refuse("a choice by several logits");
  const amount = choose.kind === "top" ? choose.count : choose.threshold;
  if ([...freeIndices(amount)].some((name) => name !== head && name !== row) || isOverPairs(tables, amount))
    return refuse("this many", clause.limit.value.span);
  const asked = [real, where, always, amount];
  const canonical = new Map<string, ir.Expr>([
    ...(row === null ? [] : [[row, ir.index("q")] as const]),
    ...(head === null ? [] : [[head, ir.index("h")] as const]),
    [candidate, ir.index("k")],
  ]);
  const foreign = [...freeIndices(...asked)].find((name) => !canonical.has(name));
  if (foreign !== undefined) return refuse(`a choice that depends on \`${foreign}\``, clause.by.span);
  const local = localised(
    asked.map((e) => substitute(e, canonical)),
    making,
  );
  if (local === null) return null;
  const [ownBody, ownWhere, ownAlways, ownAmount] = local.exprs as [ir.Expr, ir.Expr, ir.Expr, ir.Expr];
  const choice: Choice =
    choose.kind === "top" ? { kind: "top", count: ownAmount } : { kind: "above", threshold: ownAmount };
  const rowName = row === null ? null : axisNames([row], tables).get(row)!;
  return selectNode(
    {
      ...(found === null ? {} : { query: found.query, key: found.key, scale: found.scale }),
      body: ownBody,
      where: ownWhere,
      always: ownAlways,
      choose: choice,
      buffers: local.buffers,
      candidates: tables.size(candidate),
    },
    {
      rows: row === null ? null : axis(rowName!, tables.size(row)),
      heads: head === null ? null : axis("h", tables.size(head)),
    },
    making.at,
  );
}

/** `top n` or `above t`; null after a report or a note. */
function choiceOf(
  clause: SelectClause,
  scope: MeantScope,
  run: Elaboration,
  evaluate: Evaluate,
): Choice | null {
  const { kind, value } = clause.limit;
  const meant = evaluate(value, scope);
  const expr = meant === null ? null : exprOf(meant);
  if (meant === null || expr === null || expr.type === "bool") return null;
  if (kind === "above") return { kind, threshold: ir.toReal(expr) };
  const known = numberOf(meant);
  if (known !== null && !known.whole) {
    mistake(run.reporter, "count-not-whole", value.span, { name: "top", value: known.value });
    return null;
  }
  return { kind, count: expr.type === "int" ? expr : ir.unary("floor", expr) };
}

/** Softmaxes as what they are made of: logits, and logarithms of row sums. */
function withoutSoftmax(expr: ir.Expr, making: Making): ir.Expr | null {
  const { tables, refuse } = making;
  let failed = false;
  const expanded = ir.mapExpr(expr, (e) => {
    const table = e.kind === "load" ? tables.at(e.buffer) : null;
    if (e.kind !== "load" || table?.kind !== "softmax") return e;
    if (table.block !== null) {
      failed = true;
      refuse("a softmax inside blocks outside `weight`");
      return e;
    }
    const lse = rowNormaliser(table.guard, table.score, ir.bool(true), making);
    if (lse === null) {
      failed = true;
      return e;
    }
    const weight = ir.unary("exp", ir.sub(table.score, lse));
    const [h, q, k] = e.indices as [ir.Expr, ir.Expr, ir.Expr];
    // A softmax that is the same for all heads is read as the first one's, so that one choice serves them all.
    const byHead = freeIndices(table.guard, table.score).has("h");
    return substitute(
      ir.select(table.guard, weight, ir.real(0)),
      new Map([
        ["h", byHead ? h : ir.int(0)],
        ["q", q],
        ["k", k],
      ]),
    );
  });
  return failed ? null : expanded;
}

/** Rows and candidates whose products a body reads; null where it reads none. */
function logitOf(body: ir.Expr, indices: Indices, making: Making): Logit | "refused" | null {
  const { tables, refuse } = making;
  const { row, head, candidate } = indices;
  for (const read of readsOf(body)) {
    if (read.kind !== "load") continue;
    const table = tables.at(read.buffer);
    if (table.kind === "logit") {
      const [h, q, k] = read.indices as [ir.Expr, ir.Expr, ir.Expr];
      const [region, ...others] = tables.regions ?? [];
      if (region === undefined || others.length > 0 || region.turn !== null) {
        refuse(
          region === undefined
            ? "a logit that is rotated by what it chooses"
            : region.turn !== null
              ? "a choice by a logit whose queries turn by blocks of keys"
              : "a choice by a logit with several rotations",
        );
        return "refused";
      }
      const query = ir.load(tables.number({ kind: "node", node: region.query }), [q, h, ir.index("d")]);
      const keys = tables.number({ kind: "node", node: region.key });
      const key = ir.load(keys, [k, tables.groupOf(h), ir.index("d")]);
      const scale = tables.shape.scale ?? 1 / Math.sqrt(tables.shape.headSize);
      return sidesOf(query, key, "d", scale, read, indices, making);
    }
    if (table.kind !== "dot" || table.over.length !== 1) continue;
    const values = new Map(table.variables.map((name, n) => [name, read.indices[n]!]));
    const [left, right] = [substitute(table.left, values), substitute(table.right, values)];
    const [dim] = table.over as [string];
    const only = (e: ir.Expr, name: string | null): boolean =>
      [...freeIndices(e)].every((other) => other === name || other === head || other === dim);
    const apart = (a: ir.Expr, b: ir.Expr): boolean =>
      only(a, row) && only(b, candidate) && freeIndices(b).has(candidate);
    const swapped = !apart(left, right);
    if (swapped && !apart(right, left)) continue;
    const [rows, keys] = swapped ? [right, left] : [left, right];
    const found = sidesOf(rows, keys, dim, 1, read, indices, making);
    if (found !== null) return found;
  }
  return null;
}

function sidesOf(
  left: ir.Expr,
  right: ir.Expr,
  dim: string,
  scale: number,
  read: ir.Load,
  indices: Indices,
  making: Making,
): Logit | "refused" | null {
  const { at } = making;
  const { row, head, candidate } = indices;
  const over = [...(row === null ? [] : [row]), ...(head === null ? [] : [head]), dim];
  const rows = nodeOf(left, over, making);
  const keyed =
    head === null ? nodeOf(right, [candidate, dim], making) : keyNode(right, candidate, head, dim, making);
  if (rows === null || keyed === null) return "refused";
  // Sides that read no text have no batch: the product is a table like others.
  if (rows.axes[0]?.name !== "b" || keyed.axes[0]?.name !== "b") return null;
  const one = (name: string): ReturnType<typeof axis> => axis(name, fixedSize(1));
  const batch = rows.axes[0]!;
  const last = rows.axes.at(-1)!;
  const full = [
    batch,
    row === null ? one("row") : rows.axes[1]!,
    head === null ? one("h") : rows.axes.at(-2)!,
    last,
  ];
  const query = full.length === rows.axes.length ? rows : reshapeNode(rows, full, at);
  const key =
    head === null
      ? reshapeNode(keyed, [keyed.axes[0]!, keyed.axes[1]!, one("g"), keyed.axes[2]!], at)
      : keyed;
  return { query, key, scale, read };
}
