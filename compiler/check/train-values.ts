/** Numbers of a recipe: counts, shares and ranges. */
import type { Expr } from "../../grammar/ast.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import { mistake } from "./mistakes.ts";
import { evaluateStatic, type StaticScope } from "./static.ts";
import { describeValue } from "./static-types.ts";

/** A plain number of things, or a share of the whole. */
export type RecipeAmount = { readonly kind: "count" | "share"; readonly value: number };

/** A whole number of at least `least`; null after a report. */
export function count(
  expr: Expr,
  name: string,
  scope: StaticScope,
  reporter: Reporter,
  least: number,
): number | null {
  const value = real(expr, name, scope, reporter);
  if (value === null) return null;
  if (!Number.isSafeInteger(value)) {
    mistake(reporter, "count-not-whole", expr.span, { name, value });
    return null;
  }
  return within(value, value >= least, name, `at least ${least}`, expr, reporter);
}

/** A number; null after a report. */
export function real(expr: Expr, name: string, scope: StaticScope, reporter: Reporter): number | null {
  const value = evaluateStatic(expr, scope, reporter);
  if (value.kind === "number") return value.value;
  if (value.kind !== "unknown")
    mistake(reporter, "argument-type", expr.span, {
      name,
      expected: "a number",
      found: describeValue(value),
    });
  return null;
}

/** The value when `ok`; otherwise null, after a report. */
export function within(
  value: number,
  ok: boolean,
  name: string,
  expected: string,
  expr: Expr,
  reporter: Reporter,
): number | null {
  if (ok) return value;
  mistake(reporter, "value-out-of-range", expr.span, { name, expected, value });
  return null;
}

/** `5%` or a plain number of things. */
export function amount(
  written: { readonly value: Expr; readonly percent: boolean },
  name: string,
  scope: StaticScope,
  reporter: Reporter,
): RecipeAmount | null {
  if (!written.percent) {
    const value = count(written.value, name, scope, reporter, 0);
    return value === null ? null : { kind: "count", value };
  }
  const value = real(written.value, name, scope, reporter);
  const share =
    value === null
      ? null
      : within(value, value >= 0 && value < 1, name, "from 0% to below 100%", written.value, reporter);
  return share === null ? null : { kind: "share", value: share };
}
