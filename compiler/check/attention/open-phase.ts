/** The scope of one phase of an attention for given arguments and sizes: what each of its names means. */
import type { AttentionItem, Axis, LetClause } from "../../../grammar/ast.ts";
import type { AttentionParameter, AttentionPhase, AttentionShape } from "../../ir/attention-meaning.ts";
import * as ir from "../../ir/expr.ts";
import { axis as graphAxis, fixedSize, lengthSize } from "../../ir/graph-axes.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import { mostMeantSteps, openBudget } from "../budget.ts";
import { mistake } from "../mistakes.ts";
import type { MethodValue, TableValue } from "../static-value.ts";
import { evaluateMeant, type Elaboration } from "./evaluate-meant.ts";
import { substitute } from "./expr-tools.ts";
import { indexMeant } from "./meant-reductions.ts";
import { axisNames, exprOf, numberOf, scalar, staticNumber, type Meant, type MeantScope } from "./meant.ts";
import { effectiveClauses, type PlainClause } from "./phases.ts";
import { readsDocument } from "./reads-document.ts";
import { selectionMeant } from "./selections.ts";
import { axisName, Tables } from "./tables.ts";
import { visitExpr } from "./walk.ts";

/** Sizes that an attention names without declaring them. */
export const sizeNames = (shape: AttentionShape): readonly (readonly [string, number])[] => [
  ["length", shape.length],
  ["heads", shape.heads],
  ["kv_heads", shape.kvHeads],
  ["dims", shape.headSize],
];

/** Everything of one phase: its scope, its tables, and what it cannot do. */
export interface PhaseRun {
  readonly phase: AttentionPhase;
  readonly scope: MeantScope;
  readonly run: Elaboration;
  readonly tables: Tables;
  readonly clauses: readonly PlainClause[];
  readonly unsupported: { what: string; span: Span }[];
}

/** null after a report. */
export function openPhase(
  item: AttentionItem,
  method: MethodValue,
  shape: AttentionShape,
  parameters: readonly AttentionParameter[],
  phase: AttentionPhase,
  reporter: Reporter,
): PhaseRun | null {
  const clauses = effectiveClauses(item, phase);
  const unsupported: { what: string; span: Span }[] = [];
  const own = parameters.map(
    ({ name, axes }) => [name, axes.map(({ name: axis, size }) => graphAxis(axisName(axis), size))] as const,
  );
  const tables = new Tables(shape, new Map(own));
  for (const { axes } of parameters)
    for (const { name, size } of axes)
      if (tables.variable(name) === undefined) tables.define(name, { role: "axis", size: fixedSize(size) });
  const run: Elaboration = {
    reporter,
    buffer: (what) => tables.number(what),
    tables,
    unsupported(what, span) {
      if (!unsupported.some((known) => known.span.start === span.start && known.what === what))
        unsupported.push({ what, span });
    },
    byDocument: readsDocument(clauses, method.definition.environment),
    budget: openBudget(mostMeantSteps),
  };
  const names = new Map<string, Meant>();
  for (const [name, value] of sizeNames(shape)) names.set(name, staticNumber(value, true));
  names.set("length", { ...staticNumber(shape.length, true), ofRow: ir.size("length") });
  for (const [name, value] of method.arguments) {
    if (value.kind === "method") names.set(name, { kind: "item", definition: value.definition });
    else if (value.kind === "table") names.set(name, tableMeant(value));
    else names.set(name, { kind: "static", value });
  }
  const scope: MeantScope = { definition: method.definition, names, depth: 0 };
  for (const name of ["q", "k", "h", "d", "g"])
    names.set(name, indexMeant(name, ir.index(name), scope, tables));
  enterCanonical(names, tables);
  for (const table of parameters) enterParameter(table, names, run);
  for (const clause of clauses) {
    if (clause.kind === "blocks") {
      const meant = evaluateMeant(clause.size, scope, run);
      const value = meant === null ? null : numberOf(meant);
      if (value === null) return null;
      if (!value.whole || value.value < 1) {
        mistake(reporter, "count-not-whole", clause.size.span, { name: "block size", value: value.value });
        return null;
      }
      names.set(clause.name.text, { kind: "domain", size: value.value, index: null });
      tables.define(clause.name.text, { role: "block", size: lengthSize(0, value.value) });
    } else if (clause.kind === "let") enterLet(clause, scope, names, run, tables);
    else if (clause.kind === "select")
      names.set(
        clause.name.text,
        selectionMeant(clause, scope, run, (e, within) => evaluateMeant(e, within, run)),
      );
    else if (clause.kind === "diagonals") enterDiagonals(clause, scope, names, run, tables);
  }
  return { phase, scope, run, tables, clauses, unsupported };
}

/** Numbers of a file over heads: a choice by the head's number, halved again and again. */
function tableMeant({ axes, values }: TableValue): Meant {
  const whole = values.every((value) => Number.isSafeInteger(value));
  const constant = (value: number): ir.Expr => (whole ? ir.int(value) : ir.real(value));
  const choose = (at: ir.Expr, from: number, to: number, one: (n: number) => ir.Expr): ir.Expr => {
    if (to - from === 1) return one(from);
    const half = (from + to) >> 1;
    return ir.select(ir.lt(at, ir.int(half)), choose(at, from, half, one), choose(at, half, to, one));
  };
  if (axes.length === 0) return staticNumber(values[0]!, whole);
  const element = (indices: readonly ir.Expr[], axis: number, base: number): ir.Expr => {
    const below = axes.slice(axis).reduce((product, { size }) => product * size, 1);
    const first = values[base * below]!;
    if (values.slice(base * below, (base + 1) * below).every((value) => value === first))
      return constant(first);
    const { size } = axes[axis]!;
    return choose(indices[axis]!, 0, size, (n) => element(indices, axis + 1, base * size + n));
  };
  return {
    kind: "table",
    axes: axes.map(({ name }) => name),
    at(given) {
      const indices = given.map(exprOf);
      if (indices.length !== axes.length || indices.some((index) => index?.type !== "int")) return null;
      return scalar(element(indices as ir.Expr[], 0, 0));
    },
  };
}

/** `Q[h, q, d]`, `K[h, k, d]`, `V[h, k, d]` before rotation; `s[h, q, k]`, the scaled logit after it. */
function enterCanonical(names: Map<string, Meant>, tables: Tables): void {
  const table = (
    name: string,
    axes: readonly string[],
    at: (indices: readonly ir.Expr[]) => ir.Expr,
  ): void => {
    names.set(name, {
      kind: "table",
      axes,
      at(given) {
        const indices = given.map(exprOf);
        const whole = indices.length === axes.length && indices.every((index) => index?.type === "int");
        return whole ? scalar(at(indices as ir.Expr[])) : null;
      },
    });
  };
  table("Q", ["h", "q", "d"], ([h, q, d]) =>
    ir.load(tables.number({ kind: "node", node: tables.hole("Q") }), [q!, h!, d!]),
  );
  for (const name of ["K", "V"] as const)
    table(name, ["h", "k", "d"], ([h, k, d]) =>
      ir.load(tables.number({ kind: "node", node: tables.hole(name) }), [k!, tables.groupOf(h!), d!]),
    );
  table("s", ["h", "q", "k"], (indices) => ir.load(tables.number({ kind: "logit" }), indices));
}

function enterParameter(table: AttentionParameter, names: Map<string, Meant>, run: Elaboration): void {
  const axes = table.axes.map((axis) => axis.name);
  names.set(table.name, {
    kind: "table",
    axes,
    at(indices) {
      const at = indices.map(exprOf);
      if (at.length !== axes.length || at.some((x) => x === null || x.type !== "int")) return null;
      return scalar(ir.load(run.buffer({ kind: "parameter", name: table.name }), at as ir.Expr[]));
    },
  });
}

/** `diagonals o = q - k`: distances from 0 up, one for each position of a row. */
function enterDiagonals(
  clause: PlainClause & { kind: "diagonals" },
  scope: MeantScope,
  names: Map<string, Meant>,
  run: Elaboration,
  tables: Tables,
): void {
  const name = clause.name.text;
  const meant = evaluateMeant(clause.value, scope, run);
  const value = meant === null ? null : exprOf(meant);
  if (value !== null && value !== ir.sub(ir.index("q"), ir.index("k")))
    run.unsupported("diagonals other than `q - k`", clause.span);
  tables.define(name, { role: "diagonal", size: lengthSize() });
  names.set(name, scalar(ir.index(name)));
}

/** Whether an expression may need tensors: then it is worked out once, whatever it is read at. */
function isHeavy(clause: LetClause): boolean {
  let heavy = false;
  visitExpr(clause.value, (e) => (heavy ||= e.kind === "reduction" || e.kind === "at"));
  return heavy;
}

/** Tables and functions are worked out where they are used; a plain value once, when first used. */
function enterLet(
  clause: LetClause,
  scope: MeantScope,
  names: Map<string, Meant>,
  run: Elaboration,
  tables: Tables,
): void {
  const name = clause.name.text;
  const { form, value } = clause;
  if (form.kind === "function") {
    names.set(name, { kind: "let-function", parameters: form.parameters, body: value, scope: () => scope });
    return;
  }
  const axes = form.kind === "table" ? axisNames(form.axes) : [];
  if (form.kind === "table") form.axes.forEach((axis) => defineAxis(axis, scope, run, tables));
  if (form.kind === "value") {
    // A value that is known now is known as a number; another one is read where it is used.
    const silent: Elaboration = { ...run, unsupported: () => {} };
    const meant = evaluateMeant(value, scope, silent);
    if (meant !== null) {
      names.set(name, meant);
      return;
    }
  }
  let open = false;
  const at = (indices: readonly Meant[]): Meant | null => {
    // A definition that needs itself was reported by the checker; here it only must end.
    if (indices.length !== axes.length || open) return null;
    const inner = new Map(names);
    for (const [n, axis] of axes.entries()) {
      const known = names.get(axis);
      const index = exprOf(indices[n]!);
      inner.set(axis, known?.kind === "domain" && index !== null ? { ...known, index } : indices[n]!);
    }
    open = true;
    const meant = evaluateMeant(value, { ...scope, names: inner }, run);
    open = false;
    return meant;
  };
  if (!isHeavy(clause)) {
    names.set(name, { kind: "table", axes, at });
    return;
  }
  let whole: ir.Expr | null | undefined;
  names.set(name, {
    kind: "table",
    axes,
    at(indices) {
      if (whole === undefined) {
        const own = at(axes.map((axis) => indexMeant(axis, ir.index(axis), scope, tables)));
        if (open) return null;
        whole = own === null ? null : exprOf(own);
      }
      const given = indices.map(exprOf);
      if (whole === null || given.length !== axes.length) return null;
      if (given.some((index) => index?.type !== "int")) return null;
      return scalar(substitute(whole, new Map(axes.map((axis, n) => [axis, given[n]!]))));
    },
  });
}

/** An axis that a `let` gives a size is an index of that size. */
function defineAxis(axis: Axis, scope: MeantScope, run: Elaboration, tables: Tables): void {
  if (axis.size === null || tables.variable(axis.name.text) !== undefined) return;
  const meant = evaluateMeant(axis.size, scope, run);
  const size = meant === null ? null : numberOf(meant);
  if (size !== null && size.whole && size.value > 0)
    tables.define(axis.name.text, { role: "axis", size: fixedSize(size.value) });
}
