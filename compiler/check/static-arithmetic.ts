/** Arithmetic on static numbers: operators, comparisons and functions, with what stays a whole number. */
import type { Expr } from "../../grammar/ast.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Span } from "../source/span.ts";
import { mistake } from "./mistakes.ts";
import { describeValue, unknown } from "./static-types.ts";
import type { NumberValue, StaticValue } from "./static-value.ts";

const bool = (value: boolean): StaticValue => ({ kind: "bool", value });

type Numeric = (...values: number[]) => number;
/** Functions of numbers: how many arguments, and whether whole numbers stay whole. */
export const functions: Readonly<
  Record<string, { arity: number; whole: "keeps" | "makes" | "loses"; apply: Numeric }>
> = {
  sqrt: { arity: 1, whole: "loses", apply: Math.sqrt },
  exp: { arity: 1, whole: "loses", apply: Math.exp },
  log: { arity: 1, whole: "loses", apply: Math.log },
  sin: { arity: 1, whole: "loses", apply: Math.sin },
  cos: { arity: 1, whole: "loses", apply: Math.cos },
  tanh: { arity: 1, whole: "loses", apply: Math.tanh },
  sigmoid: { arity: 1, whole: "loses", apply: (x) => 1 / (1 + Math.exp(-x!)) },
  floor: { arity: 1, whole: "makes", apply: Math.floor },
  ceil: { arity: 1, whole: "makes", apply: Math.ceil },
  abs: { arity: 1, whole: "keeps", apply: Math.abs },
  sign: { arity: 1, whole: "keeps", apply: Math.sign },
  ordinal: { arity: 1, whole: "keeps", apply: (x) => x! },
  min: { arity: 2, whole: "keeps", apply: Math.min },
  max: { arity: 2, whole: "keeps", apply: Math.max },
};

/** True for a function of numbers that every expression may call (`sqrt`, `min`, …). */
export const isNumericFunction = (name: string): boolean => Object.hasOwn(functions, name);

/** Checks that a computed number can be used; whole numbers beyond 2^53 are no longer whole. */
export function number(value: number, whole: boolean, span: Span, reporter: Reporter): StaticValue {
  if (!Number.isFinite(value)) {
    mistake(reporter, "not-finite", span, { value: String(value) });
    return unknown;
  }
  return { kind: "number", value, whole: whole && Number.isSafeInteger(value) };
}

/** A binary operation; a division by zero and results that are not finite are reported. */
export function arithmetic(
  op: "+" | "-" | "*" | "/" | "%" | "^",
  left: NumberValue,
  right: NumberValue,
  span: Span,
  reporter: Reporter,
): StaticValue {
  const a = left.value;
  const b = right.value;
  const whole = left.whole && right.whole;
  if ((op === "/" || op === "%") && b === 0) {
    mistake(reporter, "division-by-zero", span);
    return unknown;
  }
  switch (op) {
    case "+":
      return number(a + b, whole, span, reporter);
    case "-":
      return number(a - b, whole, span, reporter);
    case "*":
      return number(a * b, whole, span, reporter);
    case "/":
      // Exact divisions of whole numbers stay whole, so `width / heads` can be a size.
      return number(a / b, whole && a % b === 0, span, reporter);
    case "%":
      return number(a - b * Math.floor(a / b), whole, span, reporter);
    case "^":
      return number(a ** b, whole && b >= 0, span, reporter);
    default:
      return op satisfies never;
  }
}

/** A chain of comparisons; numbers can be ordered, true/false and texts only compared for equality. */
export function compare(
  operators: readonly ("<" | "<=" | ">" | ">=" | "==" | "!=")[],
  operands: readonly Expr[],
  evaluate: (e: Expr) => StaticValue,
  reporter: Reporter,
): StaticValue {
  const values = operands.map(evaluate);
  if (values.some((value) => value.kind === "unknown")) return unknown;
  for (const [n, op] of operators.entries()) {
    const left = values[n]!;
    const right = values[n + 1]!;
    const scalars =
      (left.kind === "number" || left.kind === "bool" || left.kind === "text") && "value" in right;
    const ordered = left.kind === "number" && right.kind === "number";
    if (!scalars || left.kind !== right.kind || (!ordered && op !== "==" && op !== "!=")) {
      const found = left.kind === "number" ? describeValue(right) : describeValue(left);
      mistake(reporter, "operand-type", operands[n]!.span, { op, found, expected: "two numbers" });
      return unknown;
    }
    const a = left.value;
    const b = (right as typeof left).value;
    const holds = { "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a === b, "!=": a !== b }[op];
    if (!holds) return bool(false);
  }
  return bool(true);
}
