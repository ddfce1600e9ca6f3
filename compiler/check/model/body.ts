/** Reads expressions of module and adapter bodies into values over named axes. */
import type { CallExpr, Expr, IfExpr, IndexExpr, LetClause, ReductionExpr } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import * as ir from "../../ir/expr.ts";
import type { Span } from "../../source/span.ts";
import type { Environment } from "../environment.ts";
import { mistake } from "../mistakes.ts";
import { evaluateStatic } from "../static.ts";
import { describeItem, describeValue, didYouMean } from "../static-types.ts";
import { isNumericFunction } from "../static-arithmetic.ts";
import type { MethodValue, StaticValue } from "../static-value.ts";
import type { TermAxis } from "./term.ts";
import { reduceValue } from "./reductions.ts";
import {
  combine,
  mapValue,
  materialize,
  plainValue,
  renameAxes,
  regroup,
  termValue,
  type Place,
  type Value,
} from "./value.ts";

/** What a name in a body means, besides static values. */
export type Binding =
  | { readonly kind: "value"; readonly value: Value }
  /** `let f(x) = …`: inlined. */
  | { readonly kind: "function"; readonly parameters: readonly string[]; readonly body: Expr }
  /** Left out by a `where`. */
  | { readonly kind: "absent" }
  /** A mistake was reported: silent. */
  | { readonly kind: "failed" };

/** What calls of children and attentions do; given by the elaboration, which knows the instances. */
export interface Calls {
  /** A child by dotted name, or a table of one (`embed.weight`); null when the name is no child's. */
  child(name: string, call: CallExpr, inputs: readonly (Value | null)[]): Value | "failed" | null;
  member(name: string, span: Span): Value | "failed" | null;
  attention(method: MethodValue, call: CallExpr, body: BodyScope): Value | null;
  dropout(value: Value, rate: number, span: Span): Value | null;
  /** Rows of a table by token or position. */
  lookup(expr: IndexExpr, body: BodyScope): Value | null;
}

export interface BodyScope {
  readonly environment: Environment;
  readonly statics: ReadonlyMap<string, StaticValue>;
  readonly bindings: Map<string, Binding>;
  readonly axes: Map<string, number>;
  readonly site: string;
  readonly calls: Calls;
  readonly reporter: Reporter;
  readonly depth: number;
}

const deepest = 64;
const placeOf = (scope: BodyScope, span: Span): Place => ({ site: scope.site, span });

const unaries: Readonly<Record<string, ir.UnaryOp>> = {
  exp: "exp",
  log: "log",
  sqrt: "sqrt",
  tanh: "tanh",
  sigmoid: "sigmoid",
  erf: "erf",
  sin: "sin",
  cos: "cos",
  abs: "abs",
  floor: "floor",
  ceil: "ceil",
  sign: "sign",
};

/** A static value as a constant; null after a report. */
function staticValue(value: StaticValue, span: Span, reporter: Reporter): Value | null {
  switch (value.kind) {
    case "number":
      return plainValue(ir.real(value.value));
    case "bool":
      return plainValue(ir.bool(value.value));
    case "unknown":
      return null;
    case "text":
    case "tuple":
    case "table":
    case "method":
      mistake(reporter, "operand-type", span, {
        op: "a module",
        found: describeValue(value),
        expected: "a number",
      });
      return null;
    default:
      return value satisfies never;
  }
}

/** True when the expression reads only static values, so that it is computed now. */
function isStatic(expr: Expr, scope: BodyScope): boolean {
  switch (expr.kind) {
    case "number":
    case "string":
      return true;
    case "name":
      return (
        !scope.bindings.has(expr.name) &&
        (scope.statics.has(expr.name) || ["true", "false", "pi"].includes(expr.name))
      );
    case "member":
      return expr.base.kind === "name" && isStatic(expr.base, scope);
    case "unary":
      return isStatic(expr.operand, scope);
    case "binary":
    case "logic":
      return isStatic(expr.left, scope) && isStatic(expr.right, scope);
    case "compare":
      return expr.operands.every((e) => isStatic(e, scope));
    case "if":
      return [expr.condition, expr.then, expr.otherwise].every((e) => isStatic(e, scope));
    case "call": {
      if (expr.callee.kind !== "name" || scope.bindings.has(expr.callee.name)) return false;
      const item = scope.environment.names.get(expr.callee.name)?.item.kind;
      if (!isNumericFunction(expr.callee.name) && item !== "function") return false;
      return expr.arguments.every((argument) => isStatic(argument.value, scope));
    }
    case "index":
    case "membership":
    case "reduction":
    case "tuple":
    case "at":
    case "error":
      return false;
    default:
      return expr satisfies never;
  }
}

const refuse = (scope: BodyScope, span: Span, what: string): null => {
  mistake(scope.reporter, "not-in-module", span, { what });
  return null;
};

/** The value of an expression; null after a report. */
export function evaluateBody(expr: Expr, scope: BodyScope): Value | null {
  const { reporter } = scope;
  if (expr.kind !== "error" && isStatic(expr, scope)) {
    const known = evaluateStatic(expr, { environment: scope.environment, values: scope.statics }, reporter);
    return staticValue(known, expr.span, reporter);
  }
  const place = placeOf(scope, expr.span);
  const both = (left: Expr, right: Expr, make: (a: ir.Expr, b: ir.Expr) => ir.Expr): Value | null => {
    const a = evaluateBody(left, scope);
    const b = evaluateBody(right, scope);
    return a === null || b === null ? null : combine(a, b, make, place, reporter);
  };
  switch (expr.kind) {
    case "number":
      return plainValue(ir.real(expr.value));
    case "string":
      return refuse(scope, expr.span, "a text");
    case "error":
      return null;
    case "name":
      return evaluateName(expr.name, expr.span, scope);
    case "member": {
      const name = dotted(expr);
      const found = scope.calls.member(name, expr.span);
      if (found === "failed") return null;
      if (found !== null) return found;
      mistake(reporter, "name-unknown", expr.span, { name });
      return null;
    }
    case "index": {
      const base = scope.bindings.get(expr.base.name);
      if (base?.kind === "value" && base.value.open === false && indicesAreAxes(expr, base.value))
        return base.value;
      return scope.calls.lookup(expr, scope);
    }
    case "unary": {
      const value = evaluateBody(expr.operand, scope);
      if (value === null || !typed(value, expr.op === "not" ? "bool" : "real", expr.op, expr.operand, scope))
        return null;
      return mapValue(value, expr.op === "not" ? ir.not : ir.neg);
    }
    case "binary":
      return evaluateBinary(expr.op, expr.left, expr.right, place, scope);
    case "compare": {
      let all: Value | null = null;
      for (const [n, op] of expr.operators.entries()) {
        const one = both(expr.operands[n]!, expr.operands[n + 1]!, compareMakers[op]);
        if (one === null) return null;
        all = all === null ? one : combine(all, one, ir.and, place, reporter);
        if (all === null) return null;
      }
      return all;
    }
    case "logic": {
      const make = expr.op === "and" ? ir.and : ir.or;
      const a = evaluateBody(expr.left, scope);
      const b = evaluateBody(expr.right, scope);
      if (a === null || b === null) return null;
      if (!typed(a, "bool", expr.op, expr.left, scope) || !typed(b, "bool", expr.op, expr.right, scope))
        return null;
      return combine(a, b, make, place, reporter);
    }
    case "if":
      return evaluateIf(expr, place, scope);
    case "call":
      return evaluateCall(expr, scope);
    case "reduction":
      return evaluateReduction(expr, scope);
    case "membership":
      return refuse(scope, expr.span, "in");
    case "tuple":
      return refuse(scope, expr.span, "a tuple");
    case "at":
      return refuse(scope, expr.span, "at");
    default:
      return expr satisfies never;
  }
}

/** True for `t[i, j]` that only repeats the table's own axes. */
const indicesAreAxes = (expr: IndexExpr, value: Value): boolean =>
  expr.indices.length === value.axes.length &&
  expr.indices.every((index, n) => index.kind === "name" && index.name === value.axes[n]!.name);

const compareMakers: Readonly<
  Record<"<" | "<=" | ">" | ">=" | "==" | "!=", (a: ir.Expr, b: ir.Expr) => ir.Expr>
> = {
  "<": ir.lt,
  "<=": ir.le,
  ">": (a, b) => ir.lt(b, a),
  ">=": (a, b) => ir.le(b, a),
  "==": ir.eq,
  "!=": (a, b) => ir.not(ir.eq(a, b)),
};

function typed(value: Value, want: "real" | "bool", op: string, written: Expr, scope: BodyScope): boolean {
  if ((value.body.type === "bool") === (want === "bool")) return true;
  const found = want === "bool" ? "a number" : "true or false";
  const expected = want === "bool" ? "true or false" : "a number";
  mistake(scope.reporter, "operand-type", written.span, { op, found, expected });
  return false;
}

function evaluateName(name: string, span: Span, scope: BodyScope): Value | null {
  const { reporter } = scope;
  const binding = scope.bindings.get(name);
  switch (binding?.kind) {
    case "value":
      return binding.value;
    case "failed":
      return null;
    case "absent":
      mistake(reporter, "child-absent", span, { name });
      return null;
    case "function":
      mistake(reporter, "not-a-value", span, { name, kind: "a function" }, { help: `write \`${name}(…)\`` });
      return null;
    case undefined:
      break;
    default:
      return binding satisfies never;
  }
  const known = scope.statics.get(name);
  if (known !== undefined) return staticValue(known, span, reporter);
  const definition = scope.environment.names.get(name);
  if (definition !== undefined) {
    mistake(reporter, "not-a-value", span, { name, kind: describeItem(definition) });
    return null;
  }
  if (scope.axes.has(name)) {
    mistake(
      reporter,
      "not-a-value",
      span,
      { name, kind: "an axis" },
      { help: `write \`ordinal(${name})\` for its number` },
    );
    return null;
  }
  const member = scope.calls.member(name, span);
  if (member !== null) return member === "failed" ? null : member;
  const candidates = [...scope.bindings.keys(), ...scope.statics.keys(), ...scope.environment.names.keys()];
  mistake(reporter, "name-unknown", span, { name }, didYouMean(name, candidates));
  return null;
}

function evaluateBinary(
  op: "+" | "-" | "*" | "/" | "%" | "^",
  left: Expr,
  right: Expr,
  place: Place,
  scope: BodyScope,
): Value | null {
  const a = evaluateBody(left, scope);
  const b = evaluateBody(right, scope);
  if (a === null || b === null) return null;
  if (!typed(a, "real", op, left, scope) || !typed(b, "real", op, right, scope)) return null;
  return combine(a, b, binaryMakers[op], place, scope.reporter);
}

/** Reals throughout: `x % y` is x − y⌊x / y⌋, as for static values. */
const binaryMakers: Readonly<Record<"+" | "-" | "*" | "/" | "%" | "^", (a: ir.Expr, b: ir.Expr) => ir.Expr>> =
  {
    "+": ir.add,
    "-": ir.sub,
    "*": ir.mul,
    "/": ir.div,
    "%": (a, b) => ir.sub(a, ir.mul(b, ir.toReal(ir.unary("floor", ir.div(a, b))))),
    "^": (a, b) => ir.binary("pow", a, b),
  };

function evaluateIf(expr: IfExpr, place: Place, scope: BodyScope): Value | null {
  if (isStatic(expr.condition, scope)) {
    const known = evaluateStatic(
      expr.condition,
      { environment: scope.environment, values: scope.statics },
      scope.reporter,
    );
    if (known.kind === "bool") return evaluateBody(known.value ? expr.then : expr.otherwise, scope);
    if (known.kind !== "unknown") {
      const holes = { op: "if", found: describeValue(known), expected: "true or false" };
      mistake(scope.reporter, "operand-type", expr.condition.span, holes);
    }
    return null;
  }
  const condition = evaluateBody(expr.condition, scope);
  const then = evaluateBody(expr.then, scope);
  const otherwise = evaluateBody(expr.otherwise, scope);
  if (condition === null || then === null || otherwise === null) return null;
  if (!typed(condition, "bool", "if", expr.condition, scope)) return null;
  // Three operands in two steps: the branches meet under a placeholder that the condition then replaces.
  const branches = combine(
    then,
    otherwise,
    (a, b) => ir.select(ir.eq(ir.logit, ir.real(0)), a, b),
    place,
    scope.reporter,
  );
  if (branches === null) return null;
  const placeholder = ir.eq(ir.logit, ir.real(0));
  return combine(
    condition,
    branches,
    (c, chosen) => ir.mapExpr(chosen, (e) => (e === placeholder ? c : e)),
    place,
    scope.reporter,
  );
}

/** `norm.attn` as written. */
export function dotted(expr: CallExpr["callee"]): string {
  return expr.kind === "name" ? expr.name : `${dotted(expr.base)}.${expr.member.text}`;
}

function evaluateCall(call: CallExpr, scope: BodyScope): Value | null {
  const { reporter } = scope;
  const name = dotted(call.callee);
  const place = placeOf(scope, call.span);
  if (scope.depth > deepest) {
    mistake(reporter, "definition-too-deep", call.span, { name });
    return null;
  }
  const argumentsOf = (): (Value | null)[] =>
    call.arguments.map((argument) => evaluateBody(argument.value, scope));
  const wrongCount = (count: number): null => {
    mistake(reporter, "argument-count", call.span, { callee: name, count, parameters: `${count}` });
    return null;
  };
  const local = scope.bindings.get(name);
  if (local?.kind === "failed") return null;
  if (local?.kind === "function") {
    if (local.parameters.length !== call.arguments.length) return wrongCount(local.parameters.length);
    const bindings = new Map(scope.bindings);
    for (const [n, value] of argumentsOf().entries())
      bindings.set(local.parameters[n]!, value === null ? { kind: "failed" } : { kind: "value", value });
    return evaluateBody(local.body, { ...scope, bindings, depth: scope.depth + 1 });
  }
  const method = scope.statics.get(name);
  if (method?.kind === "unknown") return null;
  if (method?.kind === "method" && method.definition.item.kind === "attention")
    return scope.calls.attention(method, call, scope);
  if (name === "merge")
    return mergeAxes(
      call.arguments.map((argument) => argument.value),
      call.span,
      scope,
    );
  if (name === "split") return refuse(scope, call.span, "split without a `let`");
  if (name === "ordinal") {
    const index = call.arguments.length === 1 ? call.arguments[0]!.value : null;
    const size = index?.kind === "name" ? scope.axes.get(index.name) : undefined;
    if (index?.kind !== "name" || size === undefined) return refuse(scope, call.span, "ordinal of this");
    return plainValue(ir.toReal(ir.index(index.name)), [{ name: index.name, size }]);
  }
  if (name === "dropout") return evaluateDropout(call, scope);
  const definition = call.callee.kind === "name" ? scope.environment.names.get(name) : undefined;
  if (definition?.item.kind === "function") {
    const parameters = definition.item.parameters;
    if (parameters.length !== call.arguments.length) return wrongCount(parameters.length);
    const bindings = new Map<string, Binding>();
    for (const [n, value] of argumentsOf().entries()) {
      const argument = call.arguments[n]!.name?.text;
      const parameter =
        argument === undefined ? parameters[n] : parameters.find((p) => p.name.text === argument);
      if (parameter === undefined) {
        const listed = parameters.map((p) => p.name.text).join(", ");
        mistake(reporter, "argument-unknown", call.span, {
          callee: name,
          name: argument!,
          parameters: listed,
        });
        return null;
      }
      bindings.set(parameter.name.text, value === null ? { kind: "failed" } : { kind: "value", value });
    }
    const inner = {
      ...scope,
      environment: definition.environment,
      statics: new Map(),
      bindings,
      depth: scope.depth + 1,
    };
    return evaluateBody(definition.item.body, inner);
  }
  if (Object.hasOwn(unaries, name) || name === "min" || name === "max") {
    const values = argumentsOf();
    const arity = Object.hasOwn(unaries, name) ? 1 : 2;
    if (values.length !== arity) return wrongCount(arity);
    const [a, b] = values;
    if (a === null || a === undefined || b === null) return null;
    if (!values.every((value, n) => typed(value!, "real", name, call.arguments[n]!.value, scope)))
      return null;
    if (b === undefined) return mapValue(a, (e) => ir.toReal(ir.unary(unaries[name]!, e)));
    return combine(a, b, (x, y) => ir.binary(name as "min" | "max", x, y), place, reporter);
  }
  const child = scope.calls.child(name, call, argumentsOf());
  if (child === "failed") return null;
  if (child !== null) return child;
  const candidates = [...Object.keys(unaries), "min", "max", "dropout", ...scope.environment.names.keys()];
  mistake(reporter, "function-unknown", call.callee.span, { name }, didYouMean(name, candidates));
  return null;
}

function evaluateDropout(call: CallExpr, scope: BodyScope): Value | null {
  const { reporter } = scope;
  const [input, rate] = call.arguments;
  if (input === undefined || rate === undefined || call.arguments.length !== 2) {
    mistake(reporter, "argument-count", call.span, { callee: "dropout", count: 2, parameters: "x, rate" });
    return null;
  }
  const value = evaluateBody(input.value, scope);
  const share = evaluateStatic(
    rate.value,
    { environment: scope.environment, values: scope.statics },
    reporter,
  );
  if (value === null || share.kind === "unknown") return null;
  if (share.kind !== "number" || share.value < 0 || share.value >= 1) {
    const found = share.kind === "number" ? share.value : describeValue(share);
    mistake(reporter, "value-out-of-range", rate.value.span, {
      name: "rate",
      expected: "from 0 to below 1",
      value: found,
    });
    return null;
  }
  return share.value === 0 ? value : scope.calls.dropout(value, share.value, call.span);
}

function evaluateReduction(expr: ReductionExpr, scope: BodyScope): Value | null {
  const { reporter } = scope;
  if (expr.op === "merge") return mergeAxes(expr.bodies, expr.span, scope);
  if (expr.op === "split" || expr.op === "attend" || expr.op === "stack")
    return refuse(scope, expr.span, expr.op);
  if (expr.per !== null) return refuse(scope, expr.per.span, "per");
  const inSet = expr.binders.find((binder) => binder.in !== null);
  if (inSet !== undefined) return refuse(scope, inSet.in!.span, `in ${inSet.in!.text}`);
  const factors = productOf(expr);
  const values = factors.map((factor) => evaluateBody(factor, scope));
  if (values.some((value) => value === null)) return null;
  if (!values.every((value, n) => typed(value!, "real", expr.op, factors[n]!, scope))) return null;
  let guard: Value | null = null;
  if (expr.guard !== null) {
    if (expr.op !== "sum" && expr.op !== "dot")
      return refuse(scope, expr.guard.span, `a guard on ${expr.op}`);
    guard = evaluateBody(expr.guard, scope);
    if (guard === null || !typed(guard, "bool", "if", expr.guard, scope)) return null;
  }
  const over = expr.binders.map((binder) => binder.name.text);
  return reduceValue(expr.op, over, values as Value[], guard, placeOf(scope, expr.span), reporter);
}

/** The factors of a summed product, so that it becomes one contraction; else the body alone. */
function productOf(expr: ReductionExpr): readonly Expr[] {
  const body = expr.bodies[0]!;
  if (expr.op === "dot") return expr.bodies;
  if (expr.op === "sum" && body.kind === "binary" && body.op === "*") return [body.left, body.right];
  return [body];
}

function mergeAxes(bodies: readonly Expr[], span: Span, scope: BodyScope): Value | null {
  if (bodies.length !== 1) return refuse(scope, span, "merge of several values");
  const value = evaluateBody(bodies[0]!, scope);
  const place = placeOf(scope, span);
  const term = value === null ? null : materialize(value, place, scope.reporter);
  if (term === null) return null;
  const size = term.axes.reduce((total, axis) => total * axis.size, 1);
  const merged = regroup(term, [{ name: "merged", size }], place, scope.reporter);
  return merged === null ? null : termValue(merged, true);
}

/** The body of `split(x)` or `merge(x)`, however the parser read it. */
function regrouping(expr: Expr): { readonly op: string; readonly bodies: readonly Expr[] } | null {
  if (expr.kind === "reduction" && (expr.op === "split" || expr.op === "merge"))
    return { op: expr.op, bodies: expr.bodies };
  if (
    expr.kind === "call" &&
    expr.callee.kind === "name" &&
    (expr.callee.name === "split" || expr.callee.name === "merge")
  )
    return { op: expr.callee.name, bodies: expr.arguments.map((argument) => argument.value) };
  return null;
}

/** What a `let` binds; a tensor is computed once, however often it is read. */
export function evaluateLet(clause: LetClause, scope: BodyScope): Binding {
  if (clause.form.kind === "function") {
    const parameters = clause.form.parameters.map((parameter) => parameter.text);
    return { kind: "function", parameters, body: clause.value };
  }
  const place = placeOf(scope, clause.span);
  const group = regrouping(clause.value);
  const axes = clause.form.kind === "table" ? clause.form.axes.map((axis) => axis.name.text) : null;
  let value: Value | null;
  if (group?.op === "split") {
    value =
      axes === null
        ? refuse(scope, clause.span, "split without axes")
        : splitValue(group.bodies, axes, place, scope);
  } else if (group?.op === "merge") value = mergeAxes(group.bodies, clause.value.span, scope);
  else value = evaluateBody(clause.value, scope);
  if (value !== null && axes !== null) value = nameAxes(value, axes, place, scope);
  if (value === null) return { kind: "failed" };
  if (value.body.type !== "real" || value.operands.length === 0) return { kind: "value", value };
  const term = materialize(value, place, scope.reporter);
  return term === null
    ? { kind: "failed" }
    : { kind: "value", value: { ...termValue(term), open: value.open } };
}

function sizedAxes(names: readonly string[], scope: BodyScope): readonly TermAxis[] | null {
  const axes = names.map((name) => ({ name, size: scope.axes.get(name) ?? 0 }));
  return axes.every((axis) => axis.size > 0) ? axes : null;
}

function splitValue(
  bodies: readonly Expr[],
  names: readonly string[],
  place: Place,
  scope: BodyScope,
): Value | null {
  const axes = sizedAxes(names, scope);
  if (axes === null) {
    const name = names.find((n) => !scope.axes.has(n)) ?? names[0] ?? "";
    mistake(scope.reporter, "axis-unknown", place.span, { name });
    return null;
  }
  const value =
    bodies.length === 1
      ? evaluateBody(bodies[0]!, scope)
      : refuse(scope, place.span, "split of several values");
  const term = value === null ? null : materialize(value, place, scope.reporter);
  const split = term === null ? null : regroup(term, axes, place, scope.reporter);
  return split === null ? null : termValue(split);
}

/** Gives a value the names on the left of its `let`; axes without a size take it from the value. */
function nameAxes(value: Value, names: readonly string[], place: Place, scope: BodyScope): Value | null {
  const axes = names.map((name, n): TermAxis => {
    const own = value.open ? value.axes[n]?.size : value.axes.find((axis) => axis.name === name)?.size;
    return { name, size: scope.axes.get(name) ?? own ?? 0 };
  });
  const renamed = renameAxes(value, axes, place, scope.reporter);
  if (renamed !== null) for (const axis of axes) scope.axes.set(axis.name, axis.size);
  return renamed;
}
