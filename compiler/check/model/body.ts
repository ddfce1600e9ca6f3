/** Reads expressions of module and adapter bodies into values over named axes. */
import type { Expr, IfExpr, IndexExpr, ReductionExpr } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import * as ir from "../../ir/expr.ts";
import type { Span } from "../../source/span.ts";
import { findItem, plainCandidates, unknownHelp } from "../find-item.ts";
import { mistake } from "../mistakes.ts";
import { evaluateStatic } from "../static.ts";
import { isNumericFunction } from "../static-arithmetic.ts";
import { describeItem, describeValue } from "../static-types.ts";
import type { StaticValue } from "../static-value.ts";
import { evaluateCall } from "./body-calls.ts";
import { mergeAxes } from "./body-lets.ts";
import { dotted, placeOf, refuse, staticScope, typed, type BodyScope } from "./body-scope.ts";
import { reduceValue } from "./reductions.ts";
import { combine, mapValue, plainValue, type Place, type Value } from "./value.ts";

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
      const item = findItem(scope.environment, expr.callee.name, ["function"])?.item.kind;
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

/** The value of an expression; null after a report. */
export function evaluateBody(expr: Expr, scope: BodyScope): Value | null {
  const { reporter } = scope;
  if (expr.kind !== "error" && isStatic(expr, scope)) {
    const known = evaluateStatic(expr, staticScope(scope), reporter);
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
  mistake(reporter, "name-unknown", span, { name }, () => {
    const candidates = [...scope.bindings.keys(), ...scope.statics.keys(), ...scope.environment.names.keys()];
    return unknownHelp(name, plainCandidates(candidates), ["function", "module"], scope.environment);
  });
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
    const known = evaluateStatic(expr.condition, staticScope(scope), scope.reporter);
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
