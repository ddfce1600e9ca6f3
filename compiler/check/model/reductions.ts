/** Reductions and normalisers of module bodies over named axes. */
import type { Reporter } from "../../diagnostics/reporter.ts";
import * as ir from "../../ir/expr.ts";
import { mistake } from "../mistakes.ts";
import { showAxes } from "./term.ts";
import {
  combine,
  contractTerm,
  mapValue,
  materialize,
  reduceTerm,
  termValue,
  type Place,
  type Value,
} from "./value.ts";

type Op = "sum" | "mean" | "max" | "min" | "softmax" | "normalize" | "dot";

/**
 * Reduces the product of `values` over named axes. A sum of a product of two tensors that both have the axis, and are
 * not over the same axes, is one contraction. null after a report.
 */
export function reduceValue(
  op: Op,
  over: readonly string[],
  values: readonly Value[],
  guard: Value | null,
  place: Place,
  reporter: Reporter,
): Value | null {
  const [left, right] = values;
  if (right !== undefined && guard === null && contracts(left!, right, over)) {
    const a = materialize(left!, place, reporter);
    const b = materialize(right, place, reporter);
    if (a === null || b === null || !sizesAgree(left!, right, place, reporter)) return null;
    return termValue(contractTerm(a, b, over, place));
  }
  let body: Value | null = left!;
  if (right !== undefined) body = combine(left!, right, ir.mul, place, reporter);
  if (body !== null && guard !== null)
    body = combine(guard, body, (g, x) => ir.select(g, x, ir.real(0)), place, reporter);
  if (body === null) return null;
  const missing = over.find((name) => !body.axes.some((axis) => axis.name === name));
  if (missing !== undefined) {
    mistake(reporter, "axis-absent", place.span, { name: missing, axes: showAxes(body.axes) });
    return null;
  }
  const term = materialize(body, place, reporter);
  if (term === null) return null;
  const count = term.axes.reduce((n, axis) => (over.includes(axis.name) ? n * axis.size : n), 1);
  switch (op) {
    case "sum":
    case "dot":
      return termValue(reduceTerm("sum", term, over, place));
    case "max":
    case "min":
      return termValue(reduceTerm(op, term, over, place));
    case "mean": {
      const sum = termValue(reduceTerm("sum", term, over, place));
      return mapValue(sum, (e) => ir.mul(e, ir.real(1 / count)));
    }
    case "normalize": {
      const sum = termValue(reduceTerm("sum", term, over, place));
      return combine(termValue(term), sum, ir.div, place, reporter);
    }
    case "softmax": {
      // Shifted by the greatest, so that no exponential overflows.
      const most = termValue(reduceTerm("max", term, over, place));
      const powers = combine(termValue(term), most, (x, m) => ir.unary("exp", ir.sub(x, m)), place, reporter);
      const raised = powers === null ? null : materialize(powers, place, reporter);
      if (raised === null) return null;
      const sum = termValue(reduceTerm("sum", raised, over, place));
      return combine(termValue(raised), sum, ir.div, place, reporter);
    }
    default:
      return op satisfies never;
  }
}

const has = (value: Value, name: string): boolean => value.axes.some((axis) => axis.name === name);

/** A product becomes a contraction when both factors have every summed axis and one has an axis the other lacks. */
function contracts(a: Value, b: Value, over: readonly string[]): boolean {
  if (!over.every((name) => has(a, name) && has(b, name))) return false;
  const differs = (x: Value, y: Value): boolean => x.axes.some((axis) => !has(y, axis.name));
  return differs(a, b) || differs(b, a);
}

function sizesAgree(a: Value, b: Value, place: Place, reporter: Reporter): boolean {
  for (const axis of a.axes) {
    const other = b.axes.find((candidate) => candidate.name === axis.name);
    if (other !== undefined && other.size !== axis.size) {
      mistake(reporter, "axis-mismatch", place.span, { name: axis.name, left: axis.size, right: other.size });
      return false;
    }
  }
  return true;
}
