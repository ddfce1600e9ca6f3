/** Reads `let`s of bodies: tensors under the names on the left, splits and merges of axes. */
import type { Expr, LetClause } from "../../../grammar/ast.ts";
import type { Span } from "../../source/span.ts";
import { mistake } from "../mistakes.ts";
import { placeOf, refuse, type Binding, type BodyScope } from "./body-scope.ts";
import type { TermAxis } from "./term.ts";
import { materialize, regroup, renameAxes, termValue, type Place, type Value } from "./value.ts";

/** All axes of one value as one axis; null after a report. */
export function mergeAxes(bodies: readonly Expr[], span: Span, scope: BodyScope): Value | null {
  if (bodies.length !== 1) return refuse(scope, span, "merge of several values");
  const value = scope.evaluate(bodies[0]!, scope);
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
  else value = scope.evaluate(clause.value, scope);
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
      ? scope.evaluate(bodies[0]!, scope)
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
