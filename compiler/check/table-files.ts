/** Tables of numbers from files beside a spec: `vertical: Count[layer, h] = table "best.json"`. */
import type { Expr, Parameter } from "../../grammar/ast.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Span } from "../source/span.ts";
import type { Environment } from "./environment.ts";
import { mistake } from "./mistakes.ts";
import type { MethodValue, StaticValue, TableValue } from "./static-value.ts";

/** More than a table by layer and head of any model has. */
const mostValues = 65_536;

/** Nested lists of numbers, all of one size at each depth: sizes and values, or what is wrong. */
function readLists(
  value: unknown,
): { readonly sizes: readonly number[]; readonly values: number[] } | string {
  if (typeof value === "number") return { sizes: [], values: [value] };
  if (!Array.isArray(value)) return "it holds something that is neither a number nor a list";
  if (value.length === 0) return "it holds an empty list";
  const values: number[] = [];
  let sizes: readonly number[] | null = null;
  for (const item of value) {
    const read = readLists(item);
    if (typeof read === "string") return read;
    if (sizes !== null && sizes.join() !== read.sizes.join()) return "its lists have different lengths";
    sizes = read.sizes;
    for (const each of read.values) values.push(each);
    if (values.length > mostValues) return `it has more than ${mostValues} numbers`;
  }
  return { sizes: [value.length, ...sizes!], values };
}

/** The table that a file of JSON holds; null after a report. Its axes have no names until a parameter gives them. */
export function readTableFile(
  path: string,
  span: Span,
  environment: Environment,
  reporter: Reporter,
): TableValue | null {
  const text = environment.readBeside(path);
  if (text === null) {
    mistake(reporter, "table-file-unknown", span, { path });
    return null;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    mistake(reporter, "table-unreadable", span, { path, problem: "it is no JSON" });
    return null;
  }
  const read = Array.isArray(json) ? readLists(json) : "it is no list";
  if (typeof read === "string") {
    mistake(reporter, "table-unreadable", span, { path, problem: read });
    return null;
  }
  return { kind: "table", axes: read.sizes.map((size) => ({ name: "", size })), values: read.values };
}

/** A table, or one number for all of it (an axis of size 1 counts for every index), as a parameter with axes wants it; null after a report. */
export function fitTable(
  value: StaticValue,
  parameter: Parameter,
  written: Expr,
  reporter: Reporter,
): TableValue | null {
  const names = parameter.typeAxes.map((axis) => axis.name.text);
  const listed = names.join(", ");
  const table: TableValue | null =
    value.kind === "table"
      ? value
      : value.kind === "number"
        ? { kind: "table", axes: names.map((name) => ({ name, size: 1 })), values: [value.value] }
        : null;
  const count = parameter.type!.text === "Count";
  if (table === null || table.axes.length !== names.length) {
    const found = table === null ? "something else" : `${table.axes.length} axes`;
    mistake(reporter, "table-axes", written.span, { name: parameter.name.text, axes: listed, found });
    return null;
  }
  const wrong = count ? table.values.find((n) => !Number.isSafeInteger(n) || n < 0) : undefined;
  if (wrong !== undefined) {
    mistake(reporter, "count-not-whole", written.span, { name: parameter.name.text, value: wrong });
    return null;
  }
  return { ...table, axes: table.axes.map(({ size }, n) => ({ name: names[n]!, size })) };
}

/** Whether a method was given a table over layers, so that it means something else in each. */
export const isByLayer = (method: MethodValue): boolean =>
  [...method.arguments.values()].some(
    (value) => value.kind === "table" && value.axes.some(({ name }) => name === "layer"),
  );

/** The table at one index of an axis. */
function sliced(table: TableValue, axis: number, at: number): TableValue {
  const inner = table.axes.slice(axis + 1).reduce((product, { size }) => product * size, 1);
  const { size } = table.axes[axis]!;
  return {
    ...table,
    axes: table.axes.filter((_, n) => n !== axis),
    values: table.values.filter((_, n) => Math.floor(n / inner) % size === at),
  };
}

/** The method in one layer of a model of `layers`; null after a report that a table has another number of layers. */
export function inLayer(
  method: MethodValue,
  layer: { readonly at: number; readonly of: number } | null,
  span: Span,
  reporter: Reporter,
): MethodValue | null {
  if (!isByLayer(method)) return method;
  const values = new Map(method.arguments);
  for (const [name, value] of values) {
    if (value.kind !== "table") continue;
    const axis = value.axes.findIndex((each) => each.name === "layer");
    if (axis < 0) continue;
    const { size } = value.axes[axis]!;
    if (layer !== null && size !== 1 && layer.of !== size) {
      mistake(reporter, "table-size", span, { name, size, axis: "layer", needed: layer.of });
      return null;
    }
    values.set(name, sliced(value, axis, size === 1 ? 0 : (layer?.at ?? 0)));
  }
  return { ...method, arguments: values };
}

/** True when tables over heads have as many entries as there are; else false, after a report. */
export function fitsHeads(
  { arguments: given, span }: MethodValue,
  sizes: Readonly<Record<string, number>>,
  reporter: Reporter,
): boolean {
  for (const [name, value] of given) {
    if (value.kind !== "table") continue;
    for (const { name: axis, size } of value.axes) {
      const needed = sizes[axis];
      if (needed === undefined) {
        mistake(reporter, "axis-unknown", span, { name: axis });
        return false;
      }
      if (size === 1 || size === needed) continue;
      mistake(reporter, "table-size", span, { name, size, axis, needed });
      return false;
    }
  }
  return true;
}
