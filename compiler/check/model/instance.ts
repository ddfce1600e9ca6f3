/** Instances: the tree of modules a model is made of, with their static values and parameters, before bodies are read. */
import type { Axis, ChildClause, Expr, ModuleItem, ParamTable, SiteSegment } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Init } from "../../ir/graph.ts";
import type { Span } from "../../source/span.ts";
import { findItem, itemHelp } from "../find-item.ts";
import { mistake } from "../mistakes.ts";
import { bindArguments, evaluateCount, evaluateStatic, type StaticScope } from "../static.ts";
import { describeValue, didYouMean } from "../static-types.ts";
import type { MethodValue, StaticValue } from "../static-value.ts";
import type { ModelParameter, SiteKind } from "./model.ts";
import type { Term, TermAxis } from "./term.ts";

/** An adapter at a site, with its parameters. */
export interface Attachment {
  readonly method: MethodValue;
  readonly tables: ReadonlyMap<string, Term>;
  readonly axes: ReadonlyMap<string, number>;
  readonly span: Span;
}

/** One of several alike: a layer of a model. */
export interface Repeated {
  readonly at: number;
  readonly of: number;
}

export interface Instance {
  readonly path: string;
  /** Which copy of the innermost repeated module it lies in; null: in none. */
  readonly repeated: Repeated | null;
  /** Which segments of the path begin the name of a child: `norm.attn` is one name. */
  readonly starts: readonly number[];
  readonly method: MethodValue;
  readonly item: ModuleItem;
  readonly kind: SiteKind;
  readonly values: Map<string, StaticValue>;
  /** Sizes of the axes that the module names. */
  readonly axes: Map<string, number>;
  readonly tables: Map<string, Term>;
  /** By name (`norm.attn`); a repeated child has several instances. null: left out by its `where`. */
  readonly children: Map<string, readonly Instance[] | null>;
  readonly attachments: Attachment[];
  /** Tables of attentions used here, by name. */
  readonly attentionTables: Map<string, Term>;
  readonly span: Span;
}

/** What building a tree shares: settings of the whole model, and the copy that is being built. */
export interface InstanceContext {
  readonly reporter: Reporter;
  instances: number;
  repeated: Repeated | null;
}

const mostInstances = 20_000;
const deepest = 32;

export const joinPath = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

const kinds: Readonly<Record<string, SiteKind>> = {
  linear: "linear",
  embed: "embed",
  attention: "attention",
  residual: "residual",
};

/** The site kind of a name, or null after a report. */
export function siteKind(name: { text: string; span: Span }, reporter: Reporter): SiteKind | null {
  const kind = Object.hasOwn(kinds, name.text) ? kinds[name.text]! : null;
  if (kind === null)
    mistake(
      reporter,
      "site-kind-unknown",
      name.span,
      { name: name.text },
      didYouMean(name.text, Object.keys(kinds)),
    );
  return kind;
}

/** How a table starts, from `normal(0.02)`, `zeros`, …; null after a report. */
export function evaluateInit(init: Expr, scope: StaticScope, reporter: Reporter): Init | null {
  const callee = init.kind === "call" ? init.callee : init;
  const name = callee.kind === "name" ? callee.name : null;
  const expected = { zeros: 0, ones: 0, constant: 1, normal: 1, uniform: 1 } as const;
  if (name === null || !Object.hasOwn(expected, name)) {
    mistake(reporter, "init-unknown", init.span, { name: name ?? "this" });
    return null;
  }
  const known = name as keyof typeof expected;
  const given = init.kind === "call" ? init.arguments : [];
  if (given.length !== expected[known]) {
    const holes = {
      callee: known,
      count: expected[known],
      parameters: expected[known] === 0 ? "none" : "one number",
    };
    mistake(reporter, "argument-count", init.span, holes);
    return null;
  }
  if (known === "zeros") return { kind: "constant", value: 0 };
  if (known === "ones") return { kind: "constant", value: 1 };
  const value = evaluateStatic(given[0]!.value, scope, reporter);
  if (value.kind !== "number") {
    if (value.kind !== "unknown") {
      const holes = { name: known, expected: "a number", found: describeValue(value) };
      mistake(reporter, "argument-type", given[0]!.value.span, holes);
    }
    return null;
  }
  if (known === "constant") return { kind: "constant", value: value.value };
  if (value.value < 0) {
    const holes = { name: known, expected: "at least 0", value: value.value };
    mistake(reporter, "value-out-of-range", given[0]!.value.span, holes);
    return null;
  }
  return known === "normal"
    ? { kind: "normal", deviation: value.value }
    : { kind: "uniform", limit: value.value };
}

/**
 * Axes as written, sizes from `: size` or from an earlier mention; new sizes are added to `known`.
 * null after a report.
 */
export function resolveAxes(
  axes: readonly Axis[],
  known: Map<string, number>,
  scope: StaticScope,
  reporter: Reporter,
): readonly TermAxis[] | null {
  const resolved: TermAxis[] = [];
  for (const axis of axes) {
    const name = axis.name.text;
    if (resolved.some((other) => other.name === name)) {
      mistake(reporter, "name-repeated", axis.name.span, { name });
      return null;
    }
    const before = known.get(name);
    const size = axis.size === null ? (before ?? null) : evaluateCount(axis.size, name, scope, reporter);
    if (size === null) {
      if (axis.size === null) mistake(reporter, "axis-unknown", axis.name.span, { name });
      return null;
    }
    if (size === 0) {
      const holes = { name, expected: "at least 1", value: 0 };
      mistake(reporter, "value-out-of-range", axis.size?.span ?? axis.name.span, holes);
      return null;
    }
    if (before !== undefined && before !== size) {
      mistake(reporter, "axis-mismatch", axis.name.span, { name, left: before, right: size });
      return null;
    }
    known.set(name, size);
    resolved.push({ name, size });
  }
  return resolved;
}

/** A `param` table as a term; null when its `where` leaves it out or after a report. */
export function tableTerm(
  table: ParamTable,
  path: string,
  known: Map<string, number>,
  scope: StaticScope,
  reporter: Reporter,
): Term | null {
  if (table.where !== null) {
    const exists = evaluateStatic(table.where, scope, reporter);
    if (exists.kind !== "bool" || !exists.value) return null;
  }
  const axes = resolveAxes(table.axes, known, scope, reporter);
  if (table.init === null) {
    mistake(reporter, "param-without-init", table.span, { name: table.name.text });
    return null;
  }
  const init = evaluateInit(table.init, scope, reporter);
  if (axes === null || init === null) return null;
  const full = joinPath(path, table.name.text);
  const parameter: ModelParameter = { path: full, axes, init, trainable: true, span: table.span };
  return { kind: "parameter", parameter, axes, extent: "model", plus: 0, site: path, span: table.span };
}

/** Builds the instance of a module and everything below it; null after a report. */
export function buildInstance(
  method: MethodValue,
  path: string,
  starts: readonly number[],
  depth: number,
  context: InstanceContext,
): Instance | null {
  const { reporter } = context;
  const item = method.definition.item as ModuleItem;
  if (depth > deepest) {
    mistake(reporter, "module-recursive", method.span, { name: method.definition.name });
    return null;
  }
  context.instances++;
  const values = new Map(method.arguments);
  const scope: StaticScope = { environment: method.definition.environment, values };
  let kind: SiteKind = "residual";
  const axes = new Map<string, number>();
  const tables = new Map<string, Term>();
  const children = new Map<string, readonly Instance[] | null>();
  const names = new Map<string, Span>();
  const claim = (name: string, span: Span): boolean => {
    const first = names.get(name);
    names.set(name, first ?? span);
    if (first === undefined) return true;
    mistake(reporter, "name-repeated", span, { name }, { secondary: [{ span: first, label: "first here" }] });
    return false;
  };
  let ok = true;
  for (const clause of item.clauses) {
    switch (clause.kind) {
      case "site":
        kind = siteKind(clause.site, reporter) ?? kind;
        break;
      case "input":
        ok = claim(clause.name.text, clause.name.span) && ok;
        ok = resolveAxes(clause.axes, axes, scope, reporter) !== null && ok;
        break;
      case "param":
        for (const table of clause.tables) {
          ok = claim(table.name.text, table.name.span) && ok;
          const term = tableTerm(table, path, axes, scope, reporter);
          if (term !== null) tables.set(table.name.text, term);
        }
        break;
      case "let":
        ok = claim(clause.name.text, clause.name.span) && ok;
        if (clause.form.kind === "table") {
          // Axes that have no size yet get one from the value, when the body is read.
          const sized = clause.form.axes.filter((axis) => axis.size !== null);
          ok = resolveAxes(sized, axes, scope, reporter) !== null && ok;
        }
        break;
      case "child": {
        const name = clause.path.map((part) => part.text).join(".");
        ok = claim(name, clause.path[0]!.span) && ok;
        const built = buildChild(clause, name, path, starts, scope, depth, context);
        if (built === "failed") ok = false;
        else children.set(name, built);
        break;
      }
      case "output":
        break;
      default:
        clause satisfies never;
    }
  }
  if (!ok) return null;
  return {
    path,
    repeated: context.repeated,
    starts,
    method,
    item,
    kind,
    values,
    axes,
    tables,
    children,
    attachments: [],
    attentionTables: new Map(),
    span: method.span,
  };
}

function buildChild(
  clause: ChildClause,
  name: string,
  path: string,
  starts: readonly number[],
  scope: StaticScope,
  depth: number,
  context: InstanceContext,
): readonly Instance[] | null | "failed" {
  const { reporter } = context;
  if (clause.where !== null) {
    const exists = evaluateStatic(clause.where, scope, reporter);
    if (exists.kind === "unknown") return "failed";
    if (exists.kind === "bool" && !exists.value) return null;
  }
  const repeat = clause.repeat;
  let count = 1;
  if (repeat !== null) {
    const size = repeat.size === null ? null : evaluateCount(repeat.size, repeat.name.text, scope, reporter);
    if (size === null) {
      if (repeat.size === null)
        mistake(reporter, "axis-unknown", repeat.name.span, { name: repeat.name.text });
      return "failed";
    }
    count = size;
  }
  if (context.instances + count > mostInstances) {
    mistake(reporter, "module-size", clause.span, { limit: mostInstances, count });
    return "failed";
  }
  const built: Instance[] = [];
  for (let n = 0; n < count; n++) {
    const values = new Map(scope.values);
    if (repeat !== null) values.set(repeat.name.text, { kind: "number", value: n, whole: true });
    const method = bindModule(clause, { ...scope, values }, reporter);
    if (method === null) return "failed";
    const place = joinPath(path, repeat === null ? name : `${name}.${n}`);
    const begins = path === "" ? 0 : path.split(".").length;
    const outer = context.repeated;
    if (repeat !== null) context.repeated = { at: n, of: count };
    const instance = buildInstance(method, place, [...starts, begins], depth + 1, context);
    context.repeated = outer;
    if (instance === null || context.instances > mostInstances) return "failed";
    built.push(instance);
  }
  return built;
}

function bindModule(clause: ChildClause, scope: StaticScope, reporter: Reporter): MethodValue | null {
  const callee = clause.module.callee;
  const name = callee.kind === "name" ? callee.name : callee.member.text;
  const preset = callee.kind === "name" ? scope.values.get(name) : undefined;
  if (preset?.kind === "unknown") return null;
  if (preset?.kind === "method" && preset.definition.item.kind === "module")
    return bindArguments(preset.definition, clause.module, scope, reporter, preset.arguments);
  const definition = callee.kind === "name" ? findItem(scope.environment, name, ["module"]) : undefined;
  if (definition?.item.kind === "module") return bindArguments(definition, clause.module, scope, reporter);
  const help = itemHelp(name, definition, "module", scope.environment);
  mistake(reporter, definition === undefined ? "name-unknown" : "model-base", callee.span, { name }, help);
  return null;
}

/** All instances below and including one, parents first. */
export function allInstances(instance: Instance): readonly Instance[] {
  const below = [...instance.children.values()].flatMap((list) => (list ?? []).flatMap(allInstances));
  return [instance, ...below];
}

/** True when the pattern's segments equal the last segments of the path, from the beginning of a child's name. */
export function matchesEnd(
  segments: readonly SiteSegment[],
  path: string,
  starts: readonly number[],
): boolean {
  const parts = path.split(".");
  if (parts.length < segments.length) return false;
  const from = parts.length - segments.length;
  if (!starts.includes(from)) return false;
  return segments.every((segment, n) => {
    const part = parts[from + n]!;
    switch (segment.kind) {
      case "any":
        return true;
      case "name":
        return segment.name.text === part;
      case "number":
        return String(segment.value) === part;
      case "range":
        return /^\d+$/.test(part) && Number(part) >= segment.from && Number(part) <= segment.to;
      case "one-of":
        return segment.names.some((name) => name.text === part);
      default:
        return segment satisfies never;
    }
  });
}
