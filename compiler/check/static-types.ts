/** Types of parameters: what fits each, static values in words, and did-you-mean. */
import type { Expr, Parameter } from "../../grammar/ast.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Definition } from "./environment.ts";
import { mistake, type MistakeExtras } from "./mistakes.ts";
import { didYouMean as suggestion } from "../diagnostics/suggest.ts";
import type { NumberValue, StaticValue, UnknownValue } from "./static-value.ts";
import { fitTable } from "./table-files.ts";

export const unknown: UnknownValue = { kind: "unknown" };

/** Parameters of an item, or null when it takes none. */
export function parametersOf(definition: Definition): readonly Parameter[] | null {
  const item = definition.item;
  return "parameters" in item ? item.parameters : null;
}

/** A value in words, for messages. */
export function describeValue(value: StaticValue): string {
  switch (value.kind) {
    case "number":
      return `the number ${value.value}`;
    case "bool":
      return String(value.value);
    case "text":
      return "a text";
    case "tuple":
      return `a tuple of ${value.items.length}`;
    case "table":
      return "a table";
    case "method":
      return describeItem(value.definition);
    case "unknown":
      return "unknown";
    default:
      return value satisfies never;
  }
}

/** An item in words: `an attention`. */
export function describeItem(definition: Definition): string {
  const kind = definition.item.kind;
  return /^[aeio]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}

/** Help that names the nearest candidate, or nothing when none is near. */
export function didYouMean(name: string, candidates: readonly string[]): MistakeExtras {
  const help = suggestion(
    name,
    candidates.map((candidate) => ({ name: candidate, kind: "" })),
  );
  return help === null ? {} : { help };
}

const expectations: Readonly<Record<string, string>> = {
  Count: "a whole number",
  Real: "a number",
  Bool: "true or false",
  Text: "a text in quotes",
  Pair: "a pair of numbers, `(a, b)`",
  Attention: "an attention",
  Rotation: "a rotation",
  Module: "a module",
};

/** The value as the parameter's type wants it, or `unknown` after a report at the place where it was written. */
export function coerce(
  value: StaticValue,
  parameter: Parameter,
  written: Expr,
  reporter: Reporter,
): StaticValue {
  if (value.kind === "unknown" || parameter.type === null) return value;
  const name = parameter.name.text;
  const type = parameter.type.text;
  const expected = expectations[type];
  if ((type === "Count" || type === "Real") && parameter.typeAxes.length > 0)
    return fitTable(value, parameter, written, reporter) ?? unknown;
  if (expected === undefined || parameter.typeAxes.length > 0) {
    mistake(reporter, "type-unknown", parameter.type.span, { name: type });
    return unknown;
  }
  const fits =
    type === "Count" || type === "Real"
      ? value.kind === "number"
      : type === "Bool"
        ? value.kind === "bool"
        : type === "Text"
          ? value.kind === "text"
          : type === "Pair"
            ? value.kind === "tuple" &&
              value.items.length === 2 &&
              value.items.every((i) => i.kind === "number")
            : value.kind === "method" && value.definition.item.kind === type.toLowerCase();
  if (!fits) {
    mistake(reporter, "argument-type", written.span, { name, expected, found: describeValue(value) });
    return unknown;
  }
  return type === "Count" ? toCount(value as NumberValue, name, written, reporter) : value;
}

/** A number as a count: whole and not negative; a division that is not exact is named as such. */
export function toCount(value: NumberValue, name: string, written: Expr, reporter: Reporter): StaticValue {
  if (!value.whole) {
    const division = written.kind === "binary" && written.op === "/";
    const extras = division
      ? { help: "this division has a remainder: choose numbers that divide evenly" }
      : {};
    mistake(reporter, "count-not-whole", written.span, { name, value: value.value }, extras);
    return unknown;
  }
  if (value.value < 0) {
    mistake(reporter, "count-negative", written.span, { name, value: value.value });
    return unknown;
  }
  return value;
}
