/** Instantiates an attention: what it means for given arguments and sizes, in each phase, as scalar expressions. */
import type { AttentionItem, Expr, LetClause, ParamTable } from "../../grammar/ast.ts";
import type {
  AttentionBuffer,
  AttentionInstance,
  AttentionMeaning,
  AttentionParameter,
  AttentionPhase,
  AttentionShape,
  RotationRegion,
} from "../ir/attention-meaning.ts";
import * as ir from "../ir/expr.ts";
import type { Init } from "../ir/graph.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Span } from "../source/span.ts";
import { mostMeantSteps, openBudget } from "./budget.ts";
import { evaluateMeant, type Elaboration } from "./attention/evaluate-meant.ts";
import { axisNames, exprOf, scalar, staticNumber, type Meant, type MeantScope } from "./attention/meant.ts";
import { numberOf } from "./attention/meant.ts";
import { allPhases, effectiveClauses, type PlainClause } from "./attention/phases.ts";
import { readsDocument } from "./attention/reads-document.ts";
import { mistake } from "./mistakes.ts";
import { evaluateCount, evaluateStatic } from "./static.ts";
import type { MethodValue, StaticValue } from "./static-value.ts";

const q = ir.index("q");
const k = ir.index("k");

/** Sizes that an attention names without declaring them. */
function sizeNames(shape: AttentionShape): readonly (readonly [string, number])[] {
  return [
    ["length", shape.length],
    ["heads", shape.heads],
    ["kv_heads", shape.kvHeads],
    ["dims", shape.headSize],
  ];
}

const defaultInit: Init = { kind: "normal", deviation: 0.02 };

/** `zeros`, `ones`, `constant(x)`, `normal(deviation)`, `uniform(limit)`. */
function readInit(
  table: ParamTable,
  values: ReadonlyMap<string, StaticValue>,
  method: MethodValue,
  reporter: Reporter,
): Init | null {
  const { init } = table;
  if (init === null) return defaultInit;
  if (init.kind === "name" && init.name === "zeros") return { kind: "constant", value: 0 };
  if (init.kind === "name" && init.name === "ones") return { kind: "constant", value: 1 };
  const call = init.kind === "call" && init.callee.kind === "name" ? init : null;
  const name = call?.callee.kind === "name" ? call.callee.name : "";
  if (call === null || call.arguments.length !== 1 || !["constant", "normal", "uniform"].includes(name)) {
    const written = init.kind === "name" ? init.name : name === "" ? "this" : name;
    mistake(reporter, "init-unknown", init.span, { name: written });
    return null;
  }
  const scope = { environment: method.definition.environment, values };
  const value = evaluateStatic(call.arguments[0]!.value, scope, reporter);
  if (value.kind !== "number") return null;
  if (name === "constant") return { kind: "constant", value: value.value };
  return name === "normal"
    ? { kind: "normal", deviation: value.value }
    : { kind: "uniform", limit: value.value };
}

/** The attention's own tables; null after a report. */
function readParameters(
  item: AttentionItem,
  method: MethodValue,
  shape: AttentionShape,
  reporter: Reporter,
): readonly AttentionParameter[] | null {
  const sizes = new Map<string, number>([
    ["h", shape.heads],
    ["g", shape.kvHeads],
    ["d", shape.headSize],
  ]);
  const values = new Map<string, StaticValue>(
    sizeNames(shape).map(([name, value]) => [name, { kind: "number", value, whole: true }]),
  );
  for (const [name, value] of method.arguments) values.set(name, value);
  const scope = { environment: method.definition.environment, values };
  const parameters: AttentionParameter[] = [];
  for (const clause of item.clauses) {
    if (clause.kind !== "param") continue;
    for (const table of clause.tables) {
      if (table.where !== null) {
        const exists = evaluateStatic(table.where, scope, reporter);
        if (exists.kind !== "bool") return null;
        if (!exists.value) continue;
      }
      const axes: { name: string; size: number }[] = [];
      for (const axis of table.axes) {
        const name = axis.name.text;
        const size = axis.size === null ? sizes.get(name) : evaluateCount(axis.size, name, scope, reporter);
        if (size === null) return null;
        if (size === undefined) {
          mistake(reporter, "axis-unknown", axis.name.span, { name });
          return null;
        }
        sizes.set(name, size);
        axes.push({ name, size });
      }
      const init = readInit(table, values, method, reporter);
      if (init === null) return null;
      parameters.push({ name: table.name.text, axes, init, span: table.span });
    }
  }
  return parameters;
}

/** Everything of one phase: its scope, and what it loads and cannot do. */
interface PhaseRun {
  readonly scope: MeantScope;
  readonly run: Elaboration;
  readonly clauses: readonly PlainClause[];
  readonly buffers: AttentionBuffer[];
  readonly unsupported: { what: string; span: Span }[];
}

function openPhase(
  item: AttentionItem,
  method: MethodValue,
  shape: AttentionShape,
  parameters: readonly AttentionParameter[],
  phase: AttentionPhase,
  reporter: Reporter,
): PhaseRun | null {
  const clauses = effectiveClauses(item, phase);
  const buffers: AttentionBuffer[] = [];
  const unsupported: { what: string; span: Span }[] = [];
  const run: Elaboration = {
    reporter,
    buffer(what) {
      const key = JSON.stringify(what);
      const at = buffers.findIndex((known) => JSON.stringify(known) === key);
      return at === -1 ? buffers.push(what) - 1 : at;
    },
    unsupported(what, span) {
      if (!unsupported.some((known) => known.span.start === span.start && known.what === what))
        unsupported.push({ what, span });
    },
    byDocument: readsDocument(clauses, method.definition.environment),
    budget: openBudget(mostMeantSteps),
  };
  const names = new Map<string, Meant>();
  for (const [name, value] of sizeNames(shape)) names.set(name, staticNumber(value, true));
  for (const [name, value] of method.arguments) {
    if (value.kind === "method") names.set(name, { kind: "item", definition: value.definition });
    else names.set(name, { kind: "static", value });
  }
  names.set("q", scalar(q, q));
  names.set("k", scalar(k, k));
  names.set("h", scalar(ir.index("h")));
  const scope: MeantScope = { definition: method.definition, names, depth: 0 };
  for (const table of parameters) {
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
    } else if (clause.kind === "let") enterLet(clause, scope, names, run);
  }
  return { scope, run, clauses, buffers, unsupported };
}

/** Tables and functions are worked out where they are used; a plain value once, when first used. */
function enterLet(clause: LetClause, scope: MeantScope, names: Map<string, Meant>, run: Elaboration): void {
  const name = clause.name.text;
  const { form, value } = clause;
  if (form.kind === "function") {
    names.set(name, { kind: "let-function", parameters: form.parameters, body: value, scope: () => scope });
    return;
  }
  const axes = form.kind === "table" ? axisNames(form.axes) : [];
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
  names.set(name, {
    kind: "table",
    axes,
    at(indices) {
      // A definition that needs itself was reported by the checker; here it only must end.
      if (indices.length !== axes.length || open) return null;
      const inner = new Map(names);
      for (const [n, axis] of axes.entries()) inner.set(axis, indices[n]!);
      open = true;
      const meant = evaluateMeant(value, { ...scope, names: inner }, run);
      open = false;
      return meant;
    },
  });
}

/** The rotated positions of a `rotate` clause; null after a note. */
function readRegion(clause: PlainClause & { kind: "rotate" }, opened: PhaseRun): RotationRegion | null {
  const { scope, run } = opened;
  const position = (name: "q" | "k"): ir.Expr | null => {
    const own = clause.positions.find((p) => p.name.text === name);
    const both = clause.positions.find((p) => p.name.text !== "q" && p.name.text !== "k");
    const chosen = own ?? both;
    const here = name === "q" ? q : k;
    if (chosen === undefined) return here;
    const names = new Map(scope.names);
    names.set(chosen.name.text, scalar(here, here));
    const meant = evaluateMeant(chosen.at, { ...scope, names }, run);
    const at = meant === null ? null : exprOf(meant);
    return at === null || at.type === "bool" ? null : at;
  };
  const when = clause.where === null ? ir.bool(true) : condition(clause.where, opened);
  const [queryPosition, keyPosition] = [position("q"), position("k")];
  if (when === null || queryPosition === null || keyPosition === null) {
    run.unsupported("this rotation", clause.span);
    return null;
  }
  return { when, queryPosition, keyPosition };
}

function condition(value: Expr, opened: PhaseRun): ir.Expr | null {
  const meant = evaluateMeant(value, opened.scope, opened.run);
  const expr = meant === null ? null : exprOf(meant);
  return expr?.type === "bool" ? expr : null;
}

const refused: Readonly<Partial<Record<PlainClause["kind"], string>>> = {
  "weight-clause": "`weight`",
  select: "`select`",
  teach: "`teach`",
  diagonals: "`diagonals`",
};

/** One phase; what it cannot express is listed as unsupported and left out. */
function readPhase(opened: PhaseRun, reporter: Reporter): AttentionMeaning | null {
  const { clauses, run, scope, unsupported } = opened;
  let mask: ir.Expr = ir.bool(true);
  let ahead: ir.Expr | null = null;
  let score: ir.Expr = ir.logit;
  const regions: RotationRegion[] = [];
  const before = reporter.errorCount;
  for (const clause of clauses) {
    const what = refused[clause.kind];
    if (what !== undefined) run.unsupported(what, clause.span);
    const noted = unsupported.length;
    const unclear = (): void => {
      if (unsupported.length === noted && reporter.errorCount === before)
        run.unsupported("this expression", clause.span);
    };
    if (clause.kind === "mask-clause") {
      const value = condition(clause.value, opened);
      if (value === null) unclear();
      else mask = mask.kind === "constant" ? value : ir.and(mask, value);
    } else if (clause.kind === "ahead") {
      const value = condition(clause.value, opened);
      if (value === null) unclear();
      else ahead = ahead === null ? value : ir.or(ahead, value);
    } else if (clause.kind === "score-clause") {
      const names = new Map(scope.names);
      names.set("s", scalar(score));
      const meant = evaluateMeant(clause.value, { ...scope, names }, run);
      const value = meant === null ? null : exprOf(meant);
      if (value === null || value.type === "bool") unclear();
      else score = ir.toReal(value);
    } else if (clause.kind === "rotate") {
      const region = readRegion(clause, opened);
      if (region !== null) regions.push(region);
    }
  }
  if (reporter.errorCount > before) return null;
  const last = regions.at(-1)?.when;
  if (last?.kind !== "constant" || last.value !== 1)
    regions.push({ when: ir.bool(true), queryPosition: q, keyPosition: k });
  return { mask, score, buffers: opened.buffers, regions, ahead, unsupported };
}

/** What an attention means for its arguments and sizes; null after reported mistakes. */
export function instantiateAttention(
  value: MethodValue,
  shape: AttentionShape,
  reporter: Reporter,
): AttentionInstance | null {
  const { item } = value.definition;
  if (item.kind !== "attention") return null;
  const parameters = readParameters(item, value, shape, reporter);
  if (parameters === null) return null;
  const phases: Partial<Record<AttentionPhase, AttentionMeaning>> = {};
  for (const phase of allPhases) {
    const opened = openPhase(item, value, shape, parameters, phase, reporter);
    const meaning = opened === null ? null : readPhase(opened, reporter);
    if (meaning === null) return null;
    phases[phase] = meaning;
  }
  return { parameters, phases: phases as Record<AttentionPhase, AttentionMeaning> };
}
