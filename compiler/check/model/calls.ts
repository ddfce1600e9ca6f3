/** Reads instances: what a module, its adapters and its attentions give for their inputs. */
import type { AdapterClause, AdapterItem, CallExpr, IndexExpr } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { AttentionInstance, RotationMeaning } from "../../ir/attention-meaning.ts";
import type { Span } from "../../source/span.ts";
import { mistake } from "../mistakes.ts";
import { evaluateStatic } from "../static.ts";
import { describeValue } from "../static-types.ts";
import type { MethodValue, StaticValue } from "../static-value.ts";
import { evaluateBody, evaluateLet, type Binding, type BodyScope, type Calls } from "./body.ts";
import { joinPath, resolveAxes, type Attachment, type Instance } from "./instance.ts";
import type { Methods } from "./model.ts";
import { showAxes, type Term, type TermAxis } from "./term.ts";
import { materialize, renameAxes, reshape, sameAxes, termValue, type Place, type Value } from "./value.ts";

/** What reading bodies shares across a model. */
export interface ReadContext {
  readonly reporter: Reporter;
  readonly methods: Methods;
  readonly length: number;
  /** Learned vectors before the text, in all. */
  readonly plus: number;
  streams: number;
  /** Attentions and rotations already given a meaning. */
  readonly attentions: Map<string, AttentionInstance | null>;
  readonly rotations: Map<string, RotationMeaning | null>;
  /** Most tokens of a row, limited by tables of positions. */
  maxLength: number | null;
}

/** The output of an instance for its inputs; null after a report. */
export function readInstance(
  instance: Instance,
  inputs: readonly (Value | null)[],
  span: Span,
  context: ReadContext,
): Value | null {
  const { reporter } = context;
  const scope = scopeOf(instance, context);
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
  for (const attachment of instance.attachments) adaptInput(attachment, instance, first, scope, context);
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
      context,
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
    attention: (method, call, scope) => readAttention(method, call, instance, scope, context),
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

const clausesOf = (attachment: Attachment): readonly AdapterClause[] =>
  (attachment.method.definition.item as AdapterItem).clauses;

/** Replaces the site's input where the adapter says so. */
function adaptInput(
  attachment: Attachment,
  instance: Instance,
  input: string | null,
  scope: BodyScope,
  context: ReadContext,
): void {
  const { reporter } = context;
  const name = attachment.method.definition.name;
  const clauses = clausesOf(attachment);
  if (!clauses.some((clause) => clause.kind === "adapter-input")) return;
  const before = input === null ? undefined : scope.bindings.get(input);
  if (input === null || before === undefined) {
    const holes = { adapter: name, problem: "replaces an input that is no vector", site: instance.kind };
    mistake(reporter, "adapter-clause", attachment.span, holes);
    return;
  }
  const inner = adapterScope(attachment, instance, context);
  inner.bindings.set("x", before);
  for (const clause of clauses) {
    if (clause.kind === "let") inner.bindings.set(clause.name.text, evaluateLet(clause, inner));
    if (clause.kind !== "adapter-input") continue;
    const value = evaluateBody(clause.value, inner);
    const place: Place = { site: joinPath(instance.path, name), span: clause.span };
    const term = value === null ? null : materialize(value, place, reporter);
    const kept =
      term === null || before.kind !== "value"
        ? null
        : keepAxes(term, before.value.axes, attachment, instance, reporter);
    const binding: Binding = kept === null ? { kind: "failed" } : { kind: "value", value: termValue(kept) };
    inner.bindings.set("x", binding);
    scope.bindings.set(input, binding);
  }
}

/** The adapted tensor under the axes of what it replaces; null after a report. */
function keepAxes(
  term: Term,
  axes: readonly TermAxis[],
  attachment: Attachment,
  instance: Instance,
  reporter: Reporter,
): Term | null {
  if (sameAxes(term.axes, axes)) return term;
  const holes = {
    adapter: attachment.method.definition.name,
    site: instance.path,
    found: showAxes(term.axes),
    expected: showAxes(axes),
  };
  mistake(reporter, "adapter-shape", attachment.span, holes);
  return null;
}

/** The site's output as the adapter changes it; null after a report. */
function adaptOutput(
  attachment: Attachment,
  instance: Instance,
  output: Term,
  input: Binding | null,
  context: ReadContext,
): Term | null {
  const { reporter } = context;
  const name = attachment.method.definition.name;
  const clauses = clausesOf(attachment);
  if (!clauses.some((clause) => clause.kind === "output" || clause.kind === "prepend")) return output;
  const scope = adapterScope(attachment, instance, context);
  const named = residualNames(output, input, attachment);
  if (input !== null) scope.bindings.set("x", input);
  scope.bindings.set("y", { kind: "value", value: termValue(named) });
  let current = named;
  for (const clause of clauses) {
    const place: Place = { site: joinPath(instance.path, name), span: clause.span };
    if (clause.kind === "let") scope.bindings.set(clause.name.text, evaluateLet(clause, scope));
    if (clause.kind === "output") {
      const value = evaluateBody(clause.value, scope);
      const term = value === null ? null : materialize(value, place, reporter);
      const kept = term === null ? null : keepAxes(term, current.axes, attachment, instance, reporter);
      if (kept === null) return null;
      current = kept;
      scope.bindings.set("y", { kind: "value", value: termValue(kept) });
    }
    if (clause.kind === "prepend" && instance.kind === "embed") {
      const part = clause.parts[0]!;
      const value = evaluateBody(part.value, scope);
      const vectors = value === null ? null : materialize(value, place, reporter);
      if (vectors === null) return null;
      const plus = current.plus + (vectors.axes[0]?.size ?? 0);
      const { axes } = current;
      current = { kind: "prepend", vectors, operand: current, axes, extent: "token", plus, ...place };
    }
  }
  return reshape(current, output.axes, { site: instance.path, span: attachment.span });
}

/** Where a site gives what it takes, its output is read under the names of its input. */
function residualNames(output: Term, input: Binding | null, attachment: Attachment): Term {
  if (input?.kind !== "value" || (attachment.method.definition.item as AdapterItem).site.text !== "residual")
    return output;
  const axes = input.value.axes;
  const same =
    axes.length === output.axes.length && axes.every((axis, n) => axis.size === output.axes[n]!.size);
  return same ? reshape(output, axes, output) : output;
}

/** `attention(Q, K, V, rope: rope)`. */
function readAttention(
  method: MethodValue,
  call: CallExpr,
  instance: Instance,
  scope: BodyScope,
  context: ReadContext,
): Value | null {
  const { reporter } = context;
  const place: Place = { site: instance.path, span: call.span };
  const plain = call.arguments.filter((argument) => argument.name === null);
  const wrong = (problem: string): null => {
    mistake(reporter, "attention-inputs", call.span, { problem });
    return null;
  };
  if (plain.length !== 3) return wrong(`${plain.length} tensors given`);
  const terms = plain.map((argument) => {
    const value = evaluateBody(argument.value, scope);
    return value === null ? null : materialize(value, place, reporter);
  });
  const [query, key, value] = terms;
  if (!query || !key || !value) return null;
  if (terms.some((term) => term!.axes.length !== 2)) return wrong("each has a head axis and a size axis");
  const [heads, dims] = query.axes as [TermAxis, TermAxis];
  const kvHeads = key.axes[0]!;
  if (key.axes[1]!.size !== dims.size)
    return wrong(`queries of size ${dims.size}, keys of size ${key.axes[1]!.size}`);
  if (value.axes[0]!.size !== kvHeads.size)
    return wrong(`${kvHeads.size} key heads, ${value.axes[0]!.size} value heads`);
  if (heads.size % kvHeads.size !== 0) {
    mistake(reporter, "heads-not-multiple", call.span, { heads: heads.size, kvHeads: kvHeads.size });
    return null;
  }
  let rotation: RotationMeaning | null = null;
  let scale = 1 / Math.sqrt(dims.size);
  for (const argument of call.arguments) {
    if (argument.name === null) continue;
    const statics = { environment: scope.environment, values: scope.statics };
    const given = evaluateStatic(argument.value, statics, reporter);
    if (given.kind === "unknown") return null;
    const name = argument.name.text;
    if (name === "rope" && given.kind === "method" && given.definition.item.kind === "rotation") {
      rotation = cached(context.rotations, methodKey(given, dims.size), () =>
        context.methods.instantiateRotation(given, dims.size, reporter),
      );
      if (rotation === null) return null;
    } else if (name === "scale" && given.kind === "number") scale = given.value;
    else if (name === "rope" || name === "scale") {
      const expected = name === "rope" ? "a rotation" : "a number";
      mistake(reporter, "argument-type", argument.value.span, {
        name,
        expected,
        found: describeValue(given),
      });
      return null;
    } else {
      mistake(reporter, "argument-unknown", argument.name.span, {
        callee: "attention",
        name,
        parameters: "rope, scale",
      });
      return null;
    }
  }
  const shape = { heads: heads.size, kvHeads: kvHeads.size, headSize: dims.size, length: context.length };
  const meaning = cached(
    context.attentions,
    methodKey(method, shape.heads, shape.kvHeads, shape.headSize),
    () => context.methods.instantiateAttention(method, shape, reporter),
  );
  if (meaning === null) return null;
  for (const table of meaning.parameters) {
    if (instance.attentionTables.has(table.name)) continue;
    const { axes, init, span } = table;
    const parameter = { path: joinPath(instance.path, table.name), axes, init, trainable: true, span };
    instance.attentionTables.set(table.name, {
      kind: "parameter",
      parameter,
      axes,
      extent: "model",
      plus: 0,
      site: instance.path,
      span,
    });
  }
  const prepended = readPrepended(instance, kvHeads, key.axes[1]!, value.axes[1]!, context);
  if (prepended === null) return null;
  return termValue(
    {
      kind: "attention",
      query,
      key,
      value,
      instance: meaning,
      tables: instance.attentionTables,
      rotation,
      scale,
      prepended,
      axes: [
        heads,
        value.axes[1]!.name === heads.name ? { ...value.axes[1]!, name: dims.name } : value.axes[1]!,
      ],
      extent: "token",
      plus: query.plus,
      ...place,
    },
    true,
  );
}

/** Learned keys and values that adapters put before the text at this attention; null after a report. */
function readPrepended(
  instance: Instance,
  kvHeads: TermAxis,
  keySize: TermAxis,
  valueSize: TermAxis,
  context: ReadContext,
): readonly { key: Term; value: Term }[] | null {
  const { reporter } = context;
  const found: { key: Term; value: Term }[] = [];
  for (const attachment of instance.attachments) {
    for (const clause of clausesOf(attachment)) {
      if (clause.kind !== "prepend") continue;
      const scope = adapterScope(attachment, instance, context);
      const place: Place = {
        site: joinPath(instance.path, attachment.method.definition.name),
        span: clause.span,
      };
      const part = (target: string): Term | null => {
        const written = clause.parts.find((p) => p.target.text === target);
        const value = written === undefined ? null : evaluateBody(written.value, scope);
        return value === null ? null : materialize(value, place, reporter);
      };
      const key = part("keys");
      const value = part("values");
      if (key === null || value === null) {
        const holes = {
          adapter: attachment.method.definition.name,
          problem: "prepends no keys and values",
          site: instance.kind,
        };
        mistake(reporter, "adapter-clause", clause.span, holes);
        return null;
      }
      const fitsSite = (term: Term, size: TermAxis): boolean =>
        term.extent === "model" &&
        term.axes.length === 3 &&
        term.axes[1]!.size === kvHeads.size &&
        term.axes[2]!.size === size.size &&
        term.axes[0]!.size === key.axes[0]!.size;
      if (!fitsSite(key, keySize) || !fitsSite(value, valueSize)) {
        const expected = `[p, ${kvHeads.name}: ${kvHeads.size}, ${keySize.name}: ${keySize.size}]`;
        mistake(reporter, "axes-mismatch", clause.span, { expected, found: showAxes(key.axes) });
        return null;
      }
      found.push({ key, value });
    }
  }
  return found;
}

function cached<T>(known: Map<string, T | null>, key: string, make: () => T | null): T | null {
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = make();
  known.set(key, made);
  return made;
}

/** Equal for equal methods with equal arguments. */
function methodKey(method: MethodValue, ...sizes: readonly number[]): string {
  const show = (value: StaticValue): unknown =>
    value.kind === "method" ? methodKey(value) : value.kind === "tuple" ? value.items.map(show) : value;
  const where = method.definition.item.span;
  const given = [...method.arguments].map(([name, value]) => [name, show(value)]);
  return JSON.stringify([method.definition.name, where.file, where.start, given, sizes]);
}
