/** Infers every clause of one phase of an attention, and checks what each kind of clause asks of its expressions. */
import type { AttentionItem, Expr, LetClause, SelectClause, TeachClause } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import { didYouMean } from "../../diagnostics/suggest.ts";
import type { Definition } from "../environment.ts";
import { mistake } from "../mistakes.ts";
import { attentionScope, axisDomain, type OpenScope } from "./attention-scope.ts";
import { clauseNames, orderDefinitions } from "./definition-order.ts";
import { checkFree, reportAbsent } from "./free-indices.ts";
import { makeInference, type Inference } from "./infer.ts";
import { checkUnlearned } from "./learned-masks.ts";
import type { PlainClause } from "./phases.ts";
import { dependences, describeType, joinTypes, stopGradient, unknownType } from "./types.ts";
import type { Entity, Type, TypeScope } from "./types.ts";

/** The inferred type of a clause: of its value, or of what it chooses or rotates by. */
export interface ClauseType {
  readonly clause: PlainClause;
  readonly type: Type;
}

export interface CheckedPhase {
  readonly clauses: readonly ClauseType[];
  readonly scope: TypeScope;
}

const pair: ReadonlySet<string> = new Set(["h", "q", "k", "layer"]);
const divergences = ["kl"] as const;
const countable: ReadonlySet<string> = new Set(["number", "offset", "block-offset", "unknown"]);
const positions: ReadonlySet<string> = new Set(["number", "offset", "position", "unknown"]);

/** Types of the clauses in the order written. */
export function checkClauses(
  definition: Definition,
  item: AttentionItem,
  clauses: readonly PlainClause[],
  reporter: Reporter,
): CheckedPhase {
  const tools = makeInference(reporter);
  const scope = attentionScope(definition, item, clauses);
  const types = new Map<PlainClause, Type>();
  const { clauses: ordered, circular } = orderDefinitions(clauses, reporter);
  for (const clause of ordered) if (clause.kind === "select") enterSelect(clause, scope, reporter);
  for (const clause of ordered) {
    const { text } = clause.name;
    const lost = circular.has(text) || [...clauseNames(clause)].some((name) => circular.has(name));
    if (clause.kind === "let") types.set(clause, inferLet(clause, scope, tools, lost));
    else if (!lost) types.set(clause, inferSelect(clause, scope, tools));
  }
  for (const clause of clauses) {
    const type = inferClause(clause, scope, tools);
    if (type !== null) types.set(clause, type);
  }
  return {
    clauses: clauses.flatMap((clause) => {
      const type = types.get(clause);
      return type === undefined ? [] : [{ clause, type }];
    }),
    scope,
  };
}

/** A clause that defines nothing for the others; null for those that do. */
function inferClause(clause: PlainClause, scope: OpenScope, tools: Inference): Type | null {
  const { reporter } = tools;
  switch (clause.kind) {
    case "let":
    case "select":
      return null;
    case "blocks":
      return number(clause.size, scope, tools, "blocks");
    case "param": {
      const sizes = clause.tables.flatMap((table) =>
        table.axes.flatMap((axis) => (axis.size === null ? [] : [number(axis.size, scope, tools, "param")])),
      );
      return joinTypes("number", sizes);
    }
    case "diagonals": {
      const type = tools.infer(clause.value, scope);
      if (type.sort !== "offset" && type.sort !== "unknown")
        reporter.add(
          messages.domainMismatch({ left: describeType(type), right: "a distance" }, clause.value.span),
        );
      return type;
    }
    case "mask-clause":
    case "ahead": {
      const word = clause.kind === "ahead" ? "ahead" : "mask";
      const type = condition(clause.value, scope, tools);
      if (checkUnlearned(clause.value, type, scope, reporter))
        checkFree(clause.value, type, pair, `${word}[h, q, k]`, reporter);
      return type;
    }
    case "score-clause":
    case "weight-clause": {
      const word = clause.kind === "score-clause" ? "score" : "weight";
      const type = number(clause.value, scope, tools, word);
      checkFree(clause.value, type, pair, `${word}[h, q, k]`, reporter);
      return type;
    }
    case "rotate":
      return inferRotate(clause, scope, tools);
    case "teach":
      return inferTeach(clause, scope, tools);
    default:
      return clause satisfies never;
  }
}

function number(expr: Expr, scope: TypeScope, tools: Inference, op: string): Type {
  const type = tools.infer(expr, scope);
  if (countable.has(type.sort)) return type;
  tools.reporter.add(messages.numberNeeded({ op, found: describeType(type) }, expr.span));
  return { ...type, sort: "unknown" };
}

function condition(expr: Expr, scope: TypeScope, tools: Inference): Type {
  const type = tools.infer(expr, scope);
  if (type.sort === "bool" || type.sort === "unknown") return type;
  tools.reporter.add(messages.conditionNeeded({ found: describeType(type) }, expr.span));
  return { ...type, sort: "unknown" };
}

/** The scope in which axes on the left are indices. */
function withAxes(scope: OpenScope, axes: readonly string[]): TypeScope {
  // Most definitions have none, and a copy of all names for each would be quadratic in their number.
  if (axes.length === 0) return scope;
  const names = new Map(scope.names);
  for (const axis of axes) {
    const known = names.get(axis);
    if (known?.kind !== "blocks") names.set(axis, { kind: "index", domain: axisDomain(axis, scope.names) });
  }
  return { ...scope, names };
}

function inferLet(clause: LetClause, scope: OpenScope, tools: Inference, lost: boolean): Type {
  const { form, value } = clause;
  const name = clause.name.text;
  if (form.kind === "function") {
    scope.names.set(name, { kind: "function", parameters: form.parameters, body: value, scope });
    // Called or not, its body is read once with its parameters as the indices they are named after.
    const names = new Map<string, Entity>(scope.names);
    for (const { text } of form.parameters) {
      const known = scope.names.get(text);
      const index = known?.kind === "index" || known?.kind === "blocks";
      if (!index) names.set(text, { kind: "value", type: unknownType });
    }
    return lost ? unknownType : tools.infer(value, { ...scope, names });
  }
  const axes = form.kind === "table" ? form.axes.map((axis) => axis.name.text) : [];
  const type = lost ? unknownType : tools.infer(value, withAxes(scope, axes));
  const element = { ...type, free: new Map<string, never>() };
  if (form.kind === "value") {
    const shown = `${name}`;
    const ok = checkFree(value, type, new Set(["layer"]), shown, tools.reporter);
    scope.names.set(name, { kind: "value", type: ok ? type : unknownType });
    return type;
  }
  const shown = `${name}[${axes.join(", ")}]`;
  const known = axes.map((axis) => ({
    name: axis,
    domain: type.free.get(axis)?.domain ?? axisDomain(axis, scope.names),
  }));
  for (const { name: axis, domain } of known)
    if (!scope.names.has(axis)) scope.names.set(axis, { kind: "index", domain });
  scope.names.set(name, { kind: "table", axes: known, element });
  if (type.sort === "unknown") return type;
  if (!checkFree(value, type, new Set([...axes, "layer"]), shown, tools.reporter)) return type;
  const absent = form.axes.find((axis) => !type.free.has(axis.name.text));
  if (absent !== undefined) reportAbsent(absent.name, name, axes, tools.reporter);
  return type;
}

/** The set a selection makes is known before what it chooses by. */
function enterSelect(clause: SelectClause, scope: OpenScope, reporter: Reporter): void {
  const from = scope.names.get(clause.from.text);
  const chosen = from?.kind === "blocks" || from?.kind === "index" ? from.domain : null;
  const fits = chosen !== null && ["block", "diagonal", "position"].includes(chosen.kind);
  const axes = clause.axes.map((axis) => ({ name: axis.text, domain: axisDomain(axis.text, scope.names) }));
  for (const axis of clause.axes) {
    const known = scope.names.get(axis.text);
    if (known?.kind === "index" || known?.kind === "blocks") continue;
    if (known === undefined) mistake(reporter, "name-unknown", axis.span, { name: axis.text });
    else reporter.add(messages.binderName({ name: axis.text }, axis.span));
  }
  if (!fits) {
    const found = from === undefined ? "not defined here" : "not a domain that can be searched";
    const domains = [...scope.names].flatMap(([name, entity]) => (entity.kind === "blocks" ? [name] : []));
    const near = didYouMean(
      clause.from.text,
      domains.map((name) => ({ name, kind: "blocks" })),
    );
    const extras = near === null ? {} : { help: near };
    reporter.add(messages.selectFrom({ name: clause.from.text, found }, clause.from.span, extras));
  }
  const of = fits ? chosen : null;
  scope.names.set(
    clause.name.text,
    of === null ? { kind: "value", type: unknownType } : { kind: "set", axes, of },
  );
}

function inferSelect(clause: SelectClause, scope: OpenScope, tools: Inference): Type {
  const { reporter } = tools;
  const from = clause.from.text;
  const axes = clause.axes.map((axis) => axis.text);
  const shown = `${clause.name.text}[${axes.join(", ")}]`;
  if (scope.names.get(clause.name.text)?.kind !== "set") return unknownType;
  const allowed = new Set([...axes, from, "layer"]);
  const inner = withAxes(scope, [...axes, from]);
  const by = number(clause.by, inner, tools, "by");
  const limit = number(clause.limit.value, inner, tools, clause.limit.kind);
  const parts = [by, limit];
  let ok = checkFree(clause.by, by, allowed, shown, reporter);
  ok = checkFree(clause.limit.value, limit, new Set([...axes, "layer"]), shown, reporter) && ok;
  for (const guard of [clause.always, clause.where]) {
    if (guard === null) continue;
    const type = condition(guard, inner, tools);
    checkFree(guard, type, allowed, shown, reporter);
    parts.push(type);
  }
  if (ok && by.sort !== "unknown" && !by.free.has(from))
    reporter.add(messages.selectSame({ name: clause.name.text, index: from }, clause.by.span));
  return stopGradient(joinTypes("unknown", parts));
}

function inferRotate(clause: PlainClause & { kind: "rotate" }, scope: OpenScope, tools: Inference): Type {
  const parts: Type[] = [];
  for (const { name, at } of clause.positions) {
    const names = new Map(scope.names);
    names.set(name.text, { kind: "index", domain: { kind: "position" } });
    const type = tools.infer(at, { ...scope, names });
    if (!positions.has(type.sort)) {
      const holes = { left: describeType(type), right: "a position" };
      const extras = { label: "vectors are rotated to a position" };
      tools.reporter.add(messages.domainMismatch(holes, at.span, extras));
    }
    checkFree(at, type, new Set([...pair, name.text]), `rotate[h, ${name.text}]`, tools.reporter);
    parts.push(type);
  }
  if (clause.where !== null) {
    const type = condition(clause.where, scope, tools);
    checkFree(clause.where, type, pair, "rotate[h, q, k]", tools.reporter);
    parts.push(type);
  }
  return stopGradient(joinTypes("position", parts));
}

/** What is taught and its teacher have the same indices, but for the heads, which may all teach one table; only what is taught gets gradients. */
function inferTeach(clause: TeachClause, scope: OpenScope, tools: Inference): Type {
  const { reporter } = tools;
  const name = clause.name.text;
  const taught = scope.names.get(name);
  const by = clause.by.text;
  if (!divergences.some((known) => known === by)) {
    const near = didYouMean(
      by,
      divergences.map((known) => ({ name: known, kind: "" })),
    );
    reporter.add(
      messages.divergenceUnknown({ name: by }, clause.by.span, near === null ? {} : { help: near }),
    );
  }
  const scale = clause.scale === null ? null : number(clause.scale, scope, tools, "scale");
  if (taught?.kind !== "table") {
    tools.infer(clause.from, scope);
    const found = taught === undefined ? "not defined here" : "not a table";
    if (taught?.kind !== "value" || taught.type.sort !== "unknown")
      reporter.add(messages.teachUnknown({ name, found }, clause.name.span));
    return unknownType;
  }
  const axes = taught.axes.map((axis) => axis.name);
  const from = number(clause.from, withAxes(scope, axes), tools, "teach");
  const shown = `${name}[${axes.join(", ")}]`;
  if (
    checkFree(clause.from, from, new Set([...axes, "h", "layer"]), shown, reporter) &&
    from.sort !== "unknown"
  ) {
    const absent = axes.find((axis) => !from.free.has(axis));
    if (absent !== undefined) {
      const fix = `the teacher must say something for every \`${absent}\``;
      reporter.add(messages.indexAbsent({ table: "the teacher", index: absent, fix }, clause.from.span));
    }
  }
  const joined = joinTypes("number", [from, ...(scale === null ? [] : [scale])]);
  return { ...joined, gradient: taught.element.gradient };
}

/** A dependence in words, as `lctx explain` prints it. */
export const dependenceOf = (type: Type): (typeof dependences)[number] => dependences[type.dependence]!;
