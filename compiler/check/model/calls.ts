/** Reads instances: what a module, its adapters and its attentions give for their inputs. */
import type { IndexExpr } from "../../../grammar/ast.ts";
import type { Span } from "../../source/span.ts";
import { mistake } from "../mistakes.ts";
import type { StaticValue } from "../static-value.ts";
import { adaptInput, adaptOutput } from "./adapter-body.ts";
import { readAttention } from "./attention-call.ts";
import { evaluateBody } from "./body.ts";
import { evaluateLet } from "./body-lets.ts";
import type { Binding, BodyScope, Calls } from "./body-scope.ts";
import { joinPath, resolveAxes, type Attachment, type Instance } from "./instance.ts";
import type { AdapterScope, ReadContext } from "./read-context.ts";
import type { Term } from "./term.ts";
import { materialize, renameAxes, termValue, type Place, type Value } from "./value.ts";

/** The output of an instance for its inputs; null after a report. */
export function readInstance(
  instance: Instance,
  inputs: readonly (Value | null)[],
  span: Span,
  context: ReadContext,
): Value | null {
  const { reporter } = context;
  const scope = scopeOf(instance, context);
  const scopes = adapterScopes(instance, context);
  const declared = instance.item.clauses.filter((clause) => clause.kind === "input");
  if (declared.length !== inputs.length) {
    const holes = { callee: instance.method.definition.name, count: declared.length, found: inputs.length };
    mistake(reporter, "input-count", span, holes);
    return null;
  }
  let first: string | null = null;
  for (const [n, clause] of declared.entries()) {
    const given = inputs[n]!;
    const place: Place = { site: instance.path, span };
    let value: Value | null = given;
    if (given !== null && clause.type?.text !== "Token") {
      const axes = resolveAxes(clause.axes, scope.axes, staticsOf(scope), reporter);
      value = axes === null ? null : renameAxes({ ...given, open: true }, axes, place, reporter);
      // One tensor, computed once, however often the module reads it.
      const term = value === null ? null : materialize(value, place, reporter);
      value = term === null ? null : termValue(term);
      first ??= clause.name.text;
    }
    scope.bindings.set(clause.name.text, value === null ? { kind: "failed" } : { kind: "value", value });
  }
  for (const attachment of instance.attachments) adaptInput(attachment, instance, first, scope, scopes);
  let output: Value | null = null;
  for (const clause of instance.item.clauses) {
    if (clause.kind === "let") scope.bindings.set(clause.name.text, evaluateLet(clause, scope));
    if (clause.kind === "output") output = evaluateBody(clause.value, scope);
  }
  const place: Place = { site: instance.path, span: instance.span };
  let term = output === null ? null : materialize(output, place, reporter);
  for (const attachment of instance.attachments) {
    if (term === null) return null;
    term = adaptOutput(
      attachment,
      instance,
      term,
      first === null ? null : (scope.bindings.get(first) ?? null),
      scopes,
      reporter,
    );
  }
  return term === null ? null : termValue(term, true);
}

const staticsOf = (scope: BodyScope) => ({ environment: scope.environment, values: scope.statics });

function scopeOf(instance: Instance, context: ReadContext): BodyScope {
  const bindings = new Map<string, Binding>();
  for (const [name, term] of instance.tables) bindings.set(name, { kind: "value", value: termValue(term) });
  for (const clause of instance.item.clauses) {
    if (clause.kind !== "param") continue;
    for (const table of clause.tables)
      if (!bindings.has(table.name.text)) bindings.set(table.name.text, { kind: "absent" });
  }
  return {
    environment: instance.method.definition.environment,
    statics: instance.values,
    bindings,
    axes: new Map(instance.axes),
    site: instance.path,
    calls: callsOf(instance, context),
    reporter: context.reporter,
    depth: 0,
    budget: null,
    evaluate: evaluateBody,
  };
}

/** How bodies reach the children, tables and attentions of an instance. */
function callsOf(instance: Instance, context: ReadContext): Calls {
  const { reporter } = context;
  return {
    child(name, call, inputs) {
      const children = instance.children.get(name);
      if (children === undefined) return null;
      if (children === null) {
        mistake(reporter, "child-absent", call.span, { name });
        return "failed";
      }
      if (inputs.includes(null)) return "failed";
      // A repeated child is applied one after another; repeated no times, it changes nothing.
      if (children.length === 1 && children[0]!.path === joinPath(instance.path, name))
        return readInstance(children[0]!, inputs, call.span, context) ?? "failed";
      let stream = inputs[0] ?? null;
      if (inputs.length !== 1 || stream === null) {
        mistake(reporter, "input-count", call.span, { callee: name, count: 1, found: inputs.length });
        return "failed";
      }
      for (const child of children) {
        stream = readInstance(child, [stream], call.span, context);
        if (stream === null) return "failed";
      }
      return stream;
    },
    member(name, span) {
      const parts = name.split(".");
      const table = parts.pop()!;
      let at: Instance = instance;
      for (let from = 0; from < parts.length;) {
        let to = parts.length;
        while (to > from && !at.children.has(parts.slice(from, to).join("."))) to--;
        if (to === from) return null;
        const list = at.children.get(parts.slice(from, to).join("."));
        if (list === null || list === undefined || list.length !== 1) {
          mistake(reporter, "child-absent", span, { name: parts.slice(0, to).join(".") });
          return "failed";
        }
        at = list[0]!;
        from = to;
      }
      const term = parts.length === 0 ? undefined : at.tables.get(table);
      return term === undefined ? null : termValue(term);
    },
    attention: (method, call, scope) =>
      readAttention(method, call, instance, scope, adapterScopes(instance, context), context),
    dropout(value, rate, span) {
      const place: Place = { site: instance.path, span };
      const term = materialize(value, place, reporter);
      if (term === null) return null;
      const { axes, extent, plus } = term;
      const stream = context.streams++;
      return termValue(
        { kind: "dropout", operand: term, rate, stream, axes, extent, plus, ...place },
        value.open,
      );
    },
    lookup: (expr, scope) => readLookup(expr, instance, scope, context),
  };
}

/** `weight[token, i]` and `weight[position, i]`. */
function readLookup(
  expr: IndexExpr,
  instance: Instance,
  scope: BodyScope,
  context: ReadContext,
): Value | null {
  const { reporter } = context;
  const table = instance.tables.get(expr.base.name);
  if (table === undefined) {
    mistake(reporter, "name-unknown", expr.base.span, { name: expr.base.name });
    return null;
  }
  const [row, ...rest] = expr.indices;
  const axis = table.axes[0];
  const others = table.axes.slice(1);
  const plain = rest.every((index, n) => index.kind === "name" && index.name === others[n]?.name);
  if (row?.kind !== "name" || axis === undefined || rest.length !== others.length || !plain) {
    const expected = `[token, ${others.map((other) => other.name).join(", ")}]`;
    mistake(reporter, "axes-mismatch", expr.span, { expected, found: "other indices" });
    return null;
  }
  const place: Place = { site: instance.path, span: expr.span };
  let index: Term | null = null;
  const bound = scope.bindings.get(row.name);
  if (bound?.kind === "value" && bound.value.operands[0]?.kind === "tokens") index = bound.value.operands[0];
  else if (bound?.kind === "failed") return null;
  else if (row.name === "position") {
    index = { kind: "positions", axes: [], extent: "position", plus: context.plus, ...place };
    const most = axis.size - context.plus;
    context.maxLength = context.maxLength === null ? most : Math.min(context.maxLength, most);
  }
  if (index === null) {
    mistake(reporter, "not-in-module", row.span, { what: `${row.name} as a row` });
    return null;
  }
  const { extent, plus } = index;
  return termValue({ kind: "gather", table, axis: axis.name, index, axes: others, extent, plus, ...place });
}

function adapterScope(attachment: Attachment, instance: Instance, context: ReadContext): BodyScope {
  const base = scopeOf(instance, context);
  const bindings = new Map<string, Binding>();
  for (const [name, term] of attachment.tables) bindings.set(name, { kind: "value", value: termValue(term) });
  const statics = new Map<string, StaticValue>([...instance.values, ...attachment.method.arguments]);
  const environment = attachment.method.definition.environment;
  return { ...base, environment, statics, bindings, axes: new Map(attachment.axes) };
}

const adapterScopes =
  (instance: Instance, context: ReadContext): AdapterScope =>
  (attachment) =>
    adapterScope(attachment, instance, context);
