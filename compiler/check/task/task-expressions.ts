/** Expressions of tasks: their types, and what they are in a task's settings. */
import type { CallExpr, Expr } from "../../../grammar/ast.ts";
import type { Draw, TaskExpr } from "../../../runtime/tasks/task.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import type { Environment } from "../environment.ts";
import { mistake } from "../mistakes.ts";
import { evaluateCount, evaluateStatic, type StaticScope } from "../static.ts";
import { describeValue, didYouMean } from "../static-types.ts";
import type { StaticValue } from "../static-value.ts";

export type TaskType = "number" | "text" | "bool";

export interface Typed {
  readonly expr: TaskExpr;
  readonly type: TaskType;
}

/** What names mean in a task's body. */
export interface TaskScope {
  readonly environment: Environment;
  /** The task's parameters. */
  readonly values: ReadonlyMap<string, StaticValue>;
  /** Values drawn so far; those with an axis are tables over it; null after a reported mistake, which silences more. */
  readonly drawn: Map<string, { readonly type: TaskType; readonly axis: string | null } | null>;
  /** Axes with a size, in the order they were met. */
  readonly axes: Map<string, TaskExpr>;
  /** The axis whose index is in scope. */
  readonly index: string | null;
  /** Places may read `depth`; filled texts and draws may too. */
  readonly reads: { depth: boolean };
  readonly reporter: Reporter;
}

const words: Readonly<Record<TaskType, string>> = {
  number: "a number",
  text: "a text",
  bool: "true or false",
};
/** Draws and functions of tasks. */
const calls = ["number", "word", "pick", "any", "uniform", "floor", "ceil", "abs", "min", "max"] as const;
type Call = (typeof calls)[number];

/** The expression, or null after a report. */
export function readTaskExpr(expr: Expr, scope: TaskScope): Typed | null {
  const { reporter } = scope;
  const read = (e: Expr): Typed | null => readTaskExpr(e, scope);
  const wanted = (e: Expr, op: string, type: TaskType): TaskExpr | null => {
    const found = read(e);
    if (found === null || found.type === type) return found?.expr ?? null;
    const holes = { op, found: words[found.type], expected: words[type] };
    mistake(reporter, "operand-type", e.span, holes);
    return null;
  };
  switch (expr.kind) {
    case "number":
      return { type: "number", expr: { op: "constant", value: expr.value } };
    case "string":
      return { type: "text", expr: { op: "constant", value: expr.value } };
    case "error":
      return null;
    case "name":
      return readName(expr.name, expr.span, scope);
    case "index":
      return readEntry(expr.base.name, expr.indices, expr.span, scope);
    case "call":
      return readCall(expr, scope);
    case "unary": {
      const negative = expr.op === "-";
      const operand = wanted(expr.operand, expr.op, negative ? "number" : "bool");
      if (operand === null) return null;
      return negative
        ? { type: "number", expr: { op: "negative", operand } }
        : { type: "bool", expr: { op: "not", operand } };
    }
    case "binary": {
      const left = wanted(expr.left, expr.op, "number");
      const right = wanted(expr.right, expr.op, "number");
      if (left === null || right === null) return null;
      return { type: "number", expr: { op: "arithmetic", sign: expr.op, left, right } };
    }
    case "compare": {
      const operands = expr.operands.map(read);
      const type = operands.find((each) => each !== null)?.type ?? "number";
      // Texts are equal or not; only numbers have an order.
      const ordered = expr.operators.some((op) => op !== "==" && op !== "!=");
      const expected = ordered ? "number" : type;
      for (const [n, each] of operands.entries())
        if (each !== null && each.type !== expected) {
          const holes = {
            op: expr.operators[Math.max(0, n - 1)]!,
            found: words[each.type],
            expected: words[expected],
          };
          mistake(reporter, "operand-type", expr.operands[n]!.span, holes);
          return null;
        }
      if (operands.includes(null)) return null;
      return {
        type: "bool",
        expr: { op: "compare", signs: expr.operators, operands: operands.map((each) => each!.expr) },
      };
    }
    case "logic": {
      const left = wanted(expr.left, expr.op, "bool");
      const right = wanted(expr.right, expr.op, "bool");
      return left === null || right === null
        ? null
        : { type: "bool", expr: { op: "logic", sign: expr.op, left, right } };
    }
    case "if": {
      const condition = wanted(expr.condition, "if", "bool");
      const then = read(expr.then);
      const otherwise = then === null ? null : wanted(expr.otherwise, "else", then.type);
      if (condition === null || then === null || otherwise === null) return null;
      return { type: then.type, expr: { op: "if", condition, then: then.expr, otherwise } };
    }
    case "member":
    case "tuple":
    case "membership":
    case "reduction":
    case "at":
      mistake(reporter, "task-expression", expr.span, { what: expr.kind });
      return null;
    default:
      return expr satisfies never;
  }
}

function constant(value: StaticValue): Typed | null {
  switch (value.kind) {
    case "number":
    case "text":
    case "bool":
      return { type: value.kind, expr: { op: "constant", value: value.value } };
    case "tuple":
    case "table":
    case "method":
    case "unknown":
      return null;
    default:
      return value satisfies never;
  }
}

/** Every name that an expression may read here. */
const namesIn = (scope: TaskScope): readonly string[] => [
  ...scope.values.keys(),
  ...scope.drawn.keys(),
  ...(scope.index === null ? [] : [scope.index]),
  "length",
  "depth",
];

function readName(name: string, span: Span, scope: TaskScope): Typed | null {
  const { reporter } = scope;
  if (name === scope.index) return { type: "number", expr: { op: "name", name } };
  const drawn = scope.drawn.get(name);
  if (drawn === null) return null;
  if (drawn !== undefined) {
    if (drawn.axis === null) return { type: drawn.type, expr: { op: "name", name } };
    mistake(reporter, "task-table-index", span, { name, axis: drawn.axis });
    return null;
  }
  const value = scope.values.get(name);
  if (value !== undefined) {
    const found = constant(value);
    if (found === null && value.kind !== "unknown")
      mistake(reporter, "task-expression", span, { what: describeValue(value) });
    return found;
  }
  if (name === "length") return { type: "number", expr: { op: "name", name } };
  if (name === "depth") {
    scope.reads.depth = true;
    return { type: "number", expr: { op: "name", name } };
  }
  if (name === "true" || name === "false")
    return { type: "bool", expr: { op: "constant", value: name === "true" } };
  mistake(reporter, "task-name-unknown", span, { name }, didYouMean(name, namesIn(scope)));
  return null;
}

/** `key[i]`. */
export function readEntry(
  name: string,
  indices: readonly Expr[],
  span: Span,
  scope: TaskScope,
): Typed | null {
  const { reporter } = scope;
  const table = scope.drawn.get(name);
  if (table === null) return null;
  if (table === undefined) {
    mistake(reporter, "task-name-unknown", span, { name }, didYouMean(name, [...scope.drawn.keys()]));
    return null;
  }
  const [index] = indices;
  if (table.axis === null || indices.length !== 1 || index === undefined) {
    mistake(reporter, "task-table-index", span, { name, axis: table.axis ?? "nothing" });
    return null;
  }
  const at = readTaskExpr(index, scope);
  if (at === null) return null;
  if (at.type !== "number") {
    mistake(reporter, "operand-type", index.span, {
      op: "[ ]",
      found: words[at.type],
      expected: words.number,
    });
    return null;
  }
  return { type: table.type, expr: { op: "entry", name, index: at.expr } };
}

function readCall(call: CallExpr, scope: TaskScope): Typed | null {
  const { reporter } = scope;
  const name = call.callee.kind === "name" ? call.callee.name : call.callee.member.text;
  const own = scope.environment.names.get(name);
  if (own?.item.kind === "function") {
    // Functions of the file are functions of numbers known when the spec is checked.
    const statics: StaticScope = { environment: scope.environment, values: scope.values };
    return constant(evaluateStatic(call, statics, reporter));
  }
  const known = calls.find((each) => each === name);
  if (known === undefined) {
    mistake(reporter, "function-unknown", call.callee.span, { name }, didYouMean(name, calls));
    return null;
  }
  return readKnown(known, call, scope);
}

const arity: Readonly<Record<Exclude<Call, "pick">, number>> = {
  number: 1, word: 1, any: 1, uniform: 0, floor: 1, ceil: 1, abs: 1, min: 2, max: 2,
}; // prettier-ignore

/** Draws with more digits or letters than this are refused. */
const longest = 64;

function readKnown(name: Call, call: CallExpr, scope: TaskScope): Typed | null {
  const { reporter } = scope;
  const values = call.arguments.map(({ value }) => value);
  const count = name === "pick" ? Math.max(1, values.length) : arity[name];
  if (values.length !== count || call.arguments.some((argument) => argument.name !== null)) {
    const parameters = name === "any" ? "an axis" : name === "pick" ? "texts" : "numbers, without names";
    mistake(reporter, "argument-count", call.span, { callee: name, count, parameters });
    return null;
  }
  const statics: StaticScope = { environment: scope.environment, values: scope.values };
  switch (name) {
    case "number":
    case "word": {
      const written = values[0]!;
      const size = evaluateCount(written, name, statics, reporter);
      if (size === null) return null;
      if (size < 1 || size > longest) {
        const holes = { name, expected: `from 1 to ${longest}`, value: size };
        mistake(reporter, "value-out-of-range", written.span, holes);
        return null;
      }
      const draw: Draw = name === "number" ? { op: "number", digits: size } : { op: "word", letters: size };
      return { type: "text", expr: draw };
    }
    case "pick": {
      const of = values.map((value) => evaluateStatic(value, statics, reporter));
      const texts = of.flatMap((value) => (value.kind === "text" ? [value.value] : []));
      const wrong = of.findIndex((value) => value.kind !== "text");
      if (wrong >= 0) {
        const found = of[wrong]!;
        if (found.kind !== "unknown")
          mistake(reporter, "operand-type", values[wrong]!.span, {
            op: "pick",
            found: describeValue(found),
            expected: words.text,
          });
        return null;
      }
      return { type: "text", expr: { op: "pick", of: texts } };
    }
    case "any": {
      const [axis] = values;
      if (axis?.kind === "name" && scope.axes.has(axis.name))
        return { type: "number", expr: { op: "any", axis: axis.name } };
      const written = axis?.kind === "name" ? axis.name : "this";
      const near = didYouMean(written, [...scope.axes.keys()]);
      mistake(reporter, "task-axis-unknown", axis!.span, { name: written }, near);
      return null;
    }
    case "uniform":
      return { type: "number", expr: { op: "uniform" } };
    case "floor":
    case "ceil":
    case "abs":
    case "min":
    case "max": {
      const read = values.map((value) => readTaskExpr(value, scope));
      for (const [n, each] of read.entries()) {
        if (each === null) return null;
        if (each.type === "number") continue;
        const holes = { op: name, found: words[each.type], expected: words.number };
        mistake(reporter, "operand-type", values[n]!.span, holes);
        return null;
      }
      return {
        type: "number",
        expr: { op: "function", name, arguments: read.map((each) => each!.expr) },
      };
    }
  }
  return name satisfies never;
}
