/** Works out the expressions of a task for one sample. */
import { LctxError } from "../errors.ts";
import type { RandomStream } from "../random/stream.ts";
import type { Draw, TaskExpr, TaskSettings, Template } from "./task.ts";

export type TaskValue = number | string | boolean;

/** What a sample has drawn. */
export interface Drawn {
  readonly task: TaskSettings;
  readonly random: RandomStream;
  /** Values, indices, `length` and `depth`. */
  readonly values: Map<string, TaskValue>;
  readonly tables: Map<string, readonly TaskValue[]>;
}

const impossible = (task: TaskSettings, what: string, help = ""): LctxError =>
  new LctxError("task-impossible", `${task.label}: ${what}`, help);

const numberOf = (value: TaskValue): number => value as number;

function arithmetic(sign: "+" | "-" | "*" | "/" | "%" | "^", a: number, b: number): number {
  switch (sign) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a - b * Math.floor(a / b);
    case "^":
      return a ** b;
  }
  return sign satisfies never;
}

function compare(sign: "<" | "<=" | ">" | ">=" | "==" | "!=", a: TaskValue, b: TaskValue): boolean {
  switch (sign) {
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "==":
      return a === b;
    case "!=":
      return a !== b;
  }
  return sign satisfies never;
}

type NumberFunction = Extract<TaskExpr, { op: "function" }>["name"];
const functions: Readonly<Record<NumberFunction, (...values: number[]) => number>> = {
  floor: Math.floor,
  ceil: Math.ceil,
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
};

function letters(random: RandomStream, count: number): string {
  let text = "";
  for (let n = 0; n < count; n++) text += String.fromCharCode(97 + random.below(26));
  return text;
}

/** A random text. */
export function draw(how: Draw, random: RandomStream): string {
  switch (how.op) {
    case "number": {
      let text = String(1 + random.below(9));
      for (let n = 1; n < how.digits; n++) text += String(random.below(10));
      return text;
    }
    case "word":
      return letters(random, how.letters);
    case "pick":
      return how.of[random.below(how.of.length)]!;
  }
  return how satisfies never;
}

/** Size of an axis. Throws LctxError `task-impossible` when it is no whole number from 0 on. */
export function axisSize(name: string, drawn: Drawn): number {
  const size = Math.floor(numberOf(evaluate(drawn.task.axes[name]!, drawn)));
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw impossible(
    drawn.task,
    `axis ${name} has size ${size} at length ${String(drawn.values.get("length"))}`,
  );
}

/** The value of an expression; takes words of `random` for what it draws. */
export function evaluate(expr: TaskExpr, drawn: Drawn): TaskValue {
  const value = (e: TaskExpr): TaskValue => evaluate(e, drawn);
  const number = (e: TaskExpr): number => numberOf(value(e));
  switch (expr.op) {
    case "constant":
      return expr.value;
    case "name": {
      const found = drawn.values.get(expr.name);
      if (found === undefined) throw impossible(drawn.task, `"${expr.name}" has no value`);
      return found;
    }
    case "entry": {
      const index = number(expr.index);
      const entry = drawn.tables.get(expr.name)?.[index];
      if (entry === undefined) throw impossible(drawn.task, `"${expr.name}" has no entry ${index}`);
      return entry;
    }
    case "number":
    case "word":
    case "pick":
      return draw(expr, drawn.random);
    case "any": {
      const size = axisSize(expr.axis, drawn);
      if (size === 0)
        throw impossible(drawn.task, `axis ${expr.axis} is empty, so that nothing can be drawn from it`);
      return drawn.random.below(size);
    }
    case "uniform":
      return drawn.random.uniform();
    case "arithmetic":
      return arithmetic(expr.sign, number(expr.left), number(expr.right));
    case "negative":
      return -number(expr.operand);
    case "not":
      return value(expr.operand) !== true;
    case "compare": {
      const operands = expr.operands.map(value);
      return expr.signs.every((sign, n) => compare(sign, operands[n]!, operands[n + 1]!));
    }
    case "logic":
      return expr.sign === "and"
        ? value(expr.left) === true && value(expr.right) === true
        : value(expr.left) === true || value(expr.right) === true;
    case "if":
      return value(value(expr.condition) === true ? expr.then : expr.otherwise);
    case "function":
      return functions[expr.name](...expr.arguments.map(number));
  }
  return expr satisfies never;
}

/** The text of a template. */
export function fill(template: Template, drawn: Drawn): string {
  return template.map((part) => (typeof part === "string" ? part : String(evaluate(part, drawn)))).join("");
}

/** Draws again so often before a table is given up as impossible. */
const tries = 1000;

/** Draws all that `let` names, in order. The entries of a table whose value is a draw are all different. */
export function drawAll(drawn: Drawn): void {
  for (const { name, axis, value } of drawn.task.lets) {
    if (axis === null) {
      drawn.values.set(name, evaluate(value, drawn));
      continue;
    }
    const isDraw = value.op === "number" || value.op === "word" || value.op === "pick";
    const entries: TaskValue[] = [];
    const seen = new Set<TaskValue>();
    withIndex(axis, drawn, () => {
      let entry = evaluate(value, drawn);
      for (let n = 0; isDraw && seen.has(entry); n++) {
        if (n === tries)
          throw impossible(drawn.task, `there are too few different texts for "${name}"`, "draw longer ones");
        entry = evaluate(value, drawn);
      }
      seen.add(entry);
      entries.push(entry);
    });
    drawn.tables.set(name, entries);
  }
}

/** Does something once for each index of an axis, or once when there is none. */
export function withIndex(axis: string | null, drawn: Drawn, work: () => void): void {
  if (axis === null) return work();
  const size = axisSize(axis, drawn);
  for (let i = 0; i < size; i++) {
    drawn.values.set(axis, i);
    work();
  }
  drawn.values.delete(axis);
}
