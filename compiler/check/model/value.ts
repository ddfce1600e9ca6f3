/** Values: pointwise expressions over terms, kept unevaluated until a reduction, a call or a `let` needs a tensor. */
import type { Reporter } from "../../diagnostics/reporter.ts";
import * as ir from "../../ir/expr.ts";
import type { Span } from "../../source/span.ts";
import { mistake } from "../mistakes.ts";
import { axesCount, showAxes, type Extent, type Term, type TermAxis } from "./term.ts";

export interface Value {
  readonly axes: readonly TermAxis[];
  /** Axis names came out of a call: they stand for any names of equal sizes, in order. */
  readonly open: boolean;
  readonly extent: Extent;
  readonly plus: number;
  readonly operands: readonly Term[];
  /** Over `operands`. */
  readonly body: ir.Expr;
}

/** Where terms made here come from. */
export interface Place {
  readonly site: string;
  readonly span: Span;
}

const extents: readonly Extent[] = ["model", "position", "token"];
const widest = (a: Extent, b: Extent): Extent => (extents.indexOf(a) > extents.indexOf(b) ? a : b);

/** A constant or an expression that reads no tensor. */
export const plainValue = (body: ir.Expr, axes: readonly TermAxis[] = []): Value => ({
  axes,
  open: false,
  extent: "model",
  plus: 0,
  operands: [],
  body,
});

export const termValue = (term: Term, open = false): Value => ({
  axes: term.axes,
  open,
  extent: term.extent,
  plus: term.plus,
  operands: [term],
  body: ir.operand(0, term.kind === "tokens" || term.kind === "positions" ? "int" : "real"),
});

/** The value as one tensor of reals; null after a report. */
export function materialize(value: Value, place: Place, reporter: Reporter): Term | null {
  const { body, operands } = value;
  if (body.kind === "operand" && body.type === "real" && sameAxes(operands[body.index]!.axes, value.axes))
    return operands[body.index]!;
  if (body.type === "bool") {
    mistake(reporter, "value-not-real", place.span);
    return null;
  }
  const { axes, extent, plus } = value;
  return { kind: "map", operands, body: ir.toReal(body), axes, extent, plus, ...place };
}

export const sameAxes = (a: readonly TermAxis[], b: readonly TermAxis[]): boolean =>
  a.length === b.length && a.every((axis, n) => axis.name === b[n]!.name && axis.size === b[n]!.size);

const sameSizes = (a: readonly TermAxis[], b: readonly TermAxis[]): boolean =>
  a.length === b.length && a.every((axis, n) => axis.size === b[n]!.size);

/** The term under other axes of the same sizes or the same number of elements. */
export function reshape(term: Term, axes: readonly TermAxis[], place: Place): Term {
  if (sameAxes(term.axes, axes)) return term;
  const operand = term.kind === "reshape" ? term.operand : term;
  if (sameAxes(operand.axes, axes)) return operand;
  return { kind: "reshape", operand, axes, extent: term.extent, plus: term.plus, ...place };
}

/** The value with its axes named as `axes`, by place; null after a report that `expected` was not found. */
export function renameAxes(
  value: Value,
  axes: readonly TermAxis[],
  place: Place,
  reporter: Reporter,
): Value | null {
  if (sameAxes(value.axes, axes)) return { ...value, open: false };
  const reordered =
    value.axes.length === axes.length && axes.every((axis) => value.axes.some((a) => sameAxes([a], [axis])));
  // The same axes in another order: pointwise values broadcast by name, so only the order of the result changes.
  if (reordered && !value.open) {
    const operands = value.operands;
    return { ...value, operands, axes };
  }
  if (!value.open || !sameSizes(value.axes, axes)) {
    mistake(reporter, "axes-mismatch", place.span, { expected: showAxes(axes), found: showAxes(value.axes) });
    return null;
  }
  const term = materialize(value, place, reporter);
  return term === null ? null : termValue(reshape(term, axes, place));
}

/** One value from two, elementwise, broadcast by axis name; null after a report. */
export function combine(
  left: Value,
  right: Value,
  make: (a: ir.Expr, b: ir.Expr) => ir.Expr,
  place: Place,
  reporter: Reporter,
): Value | null {
  let a = left;
  let b = right;
  if (a.open !== b.open || (a.open && b.open)) {
    if (a.axes.length > 0 && b.axes.length > 0 && !sameAxes(a.axes, b.axes) && sameSizes(a.axes, b.axes)) {
      // Names that came out of a call follow those that were written.
      const renamed = b.open
        ? renameAxes(b, a.axes, place, reporter)
        : renameAxes(a, b.axes, place, reporter);
      if (renamed === null) return null;
      if (b.open) b = { ...renamed, open: a.open };
      else a = renamed;
    }
  }
  const axes = [...a.axes];
  for (const axis of b.axes) {
    const known = axes.find((other) => other.name === axis.name);
    if (known === undefined) axes.push(axis);
    else if (known.size !== axis.size) {
      mistake(reporter, "axis-mismatch", place.span, { name: axis.name, left: known.size, right: axis.size });
      return null;
    }
  }
  if (a.extent !== "model" && b.extent !== "model" && a.plus !== b.plus) {
    mistake(reporter, "tokens-mismatch", place.span, { left: a.plus, right: b.plus });
    return null;
  }
  const operands = [...a.operands];
  const places = b.operands.map((term) => {
    const known = operands.indexOf(term);
    return known >= 0 ? known : operands.push(term) - 1;
  });
  const moved = ir.mapExpr(b.body, (e) => (e.kind === "operand" ? ir.operand(places[e.index]!, e.type) : e));
  return {
    axes,
    open: a.open ? b.open || b.axes.length === 0 : b.open && a.axes.length === 0,
    extent: widest(a.extent, b.extent),
    plus: Math.max(a.plus, b.plus),
    operands,
    body: make(a.body, moved),
  };
}

/** The value under a pointwise function. */
export const mapValue = (value: Value, make: (e: ir.Expr) => ir.Expr): Value => ({
  ...value,
  body: make(value.body),
});

/** Σ, max or min over axes of a term. */
export const reduceTerm = (
  op: "sum" | "max" | "min",
  operand: Term,
  over: readonly string[],
  place: Place,
): Term => ({
  kind: "reduce",
  op,
  operand,
  over,
  axes: operand.axes.filter((axis) => !over.includes(axis.name)),
  extent: operand.extent,
  plus: operand.plus,
  ...place,
});

/** Σ over axes of a product; the factor per token stands left. */
export function contractTerm(a: Term, b: Term, over: readonly string[], place: Place): Term {
  const swap = extents.indexOf(b.extent) > extents.indexOf(a.extent);
  const left = swap ? b : a;
  const right = swap ? a : b;
  const axes = [...left.axes, ...right.axes.filter((axis) => !left.axes.some((l) => l.name === axis.name))];
  return {
    kind: "contract",
    left,
    right,
    over,
    axes: axes.filter((axis) => !over.includes(axis.name)),
    extent: left.extent,
    plus: Math.max(left.plus, right.plus),
    ...place,
  };
}

/** Splits or merges the axes of a term into others with as many elements; null after a report. */
export function regroup(
  term: Term,
  axes: readonly TermAxis[],
  place: Place,
  reporter: Reporter,
): Term | null {
  if (axesCount(term.axes) !== axesCount(axes)) {
    mistake(reporter, "split-size", place.span, { found: axesCount(term.axes), expected: showAxes(axes) });
    return null;
  }
  return reshape(term, axes, place);
}
