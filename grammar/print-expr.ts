/** Prints expressions in canonical form: fewest parentheses, the author's line breaks at the few places that may break. */
import type { Argument, Axis, CallExpr, Expr, ReductionExpr } from "./ast.ts";
import { takesArguments } from "./tokens.ts";

/** What the printer needs to know of the text an Ast came from; a made-up Ast has no text and so no breaks. */
export interface Layout {
  /** Whether a line break stands between two offsets. */
  readonly breaks: (from: number, to: number) => boolean;
  /** Columns that the current clause starts at and that broken lines of an operator chain continue at. */
  readonly indent: number;
  readonly hang: number;
}

/** How tightly an expression binds; an operand that binds less than its place asks for gets parentheses. */
const levels = {
  conditional: 0,
  or: 1,
  and: 2,
  not: 3,
  comparison: 4,
  sum: 5,
  product: 6,
  sign: 7,
  power: 8,
  primary: 9,
} as const;

function levelOf(expr: Expr): number {
  switch (expr.kind) {
    case "if":
      return levels.conditional;
    case "logic":
      return expr.op === "or" ? levels.or : levels.and;
    case "unary":
      return expr.op === "not" ? levels.not : levels.sign;
    case "compare":
    case "membership":
      return levels.comparison;
    case "binary":
      return binaryLevel(expr.op);
    case "reduction":
      // A reduction reads on to the right, so inside arithmetic it stands in parentheses.
      return takesArguments.has(expr.op) ? levels.primary : levels.comparison + 0.5;
    case "number":
    case "string":
    case "name":
    case "index":
    case "call":
    case "member":
    case "tuple":
    case "at":
    case "error":
      return levels.primary;
  }
  expr satisfies never;
  return levels.primary;
}

const binaryLevel = (op: string): number =>
  op === "^" ? levels.power : op === "+" || op === "-" ? levels.sum : levels.product;

/** The column after `text` that starts at `column`. */
const columnAfter = (column: number, text: string): number => {
  const lineBreak = text.lastIndexOf("\n");
  return lineBreak === -1 ? column + text.length : text.length - lineBreak - 1;
};

const newLine = (column: number): string => `\n${" ".repeat(column)}`;

/** A text in quotes. */
export const printText = (value: string): string =>
  `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("\t", "\\t")}"`;

/** The text of an expression that starts at `column`; it may hold line breaks. */
export function printExpr(
  expr: Expr,
  layout: Layout,
  column: number,
  atLeast: number = levels.conditional,
): string {
  if (levelOf(expr) < atLeast) return `(${printBare(expr, layout, column + 1)})`;
  return printBare(expr, layout, column);
}

/** Joins operands, each after its operator, going to a new line where the author did. */
function chain(
  operands: readonly { readonly op: string; readonly expr: Expr; readonly level: number }[],
  layout: Layout,
  column: number,
): string {
  let text = "";
  operands.forEach(({ op, expr, level }, index) => {
    if (index === 0) text = printExpr(expr, layout, column, level);
    else {
      const before = operands[index - 1]!.expr;
      const breaks = layout.breaks(before.span.end, expr.span.start);
      text += `${breaks ? newLine(layout.hang) : " "}${op} `;
      text += printExpr(expr, layout, columnAfter(column, text), level);
    }
  });
  return text;
}

function printBare(expr: Expr, layout: Layout, column: number): string {
  switch (expr.kind) {
    case "number":
      return expr.text;
    case "string":
      return printText(expr.value);
    case "name":
      return expr.name;
    case "member":
      return `${printBare(expr.base, layout, column)}.${expr.member.text}`;
    case "index":
      return `${expr.base.name}[${list(expr.indices, layout, column + expr.base.name.length + 1)}]`;
    case "call":
      return printCall(expr, layout, column);
    case "unary": {
      const sign = expr.op === "not" ? "not " : "-";
      const level = expr.op === "not" ? levels.not : levels.sign;
      return sign + printExpr(expr.operand, layout, column + sign.length, level);
    }
    case "binary": {
      const level = binaryLevel(expr.op);
      if (expr.op === "^") {
        const base = printExpr(expr.left, layout, column, levels.primary);
        const exponent = printExpr(expr.right, layout, columnAfter(column, base) + 3, levels.sign);
        return `${base} ^ ${exponent}`;
      }
      return chain(
        [
          { op: "", expr: expr.left, level },
          { op: expr.op, expr: expr.right, level: level + 1 },
        ],
        layout,
        column,
      );
    }
    case "logic": {
      const level = expr.op === "or" ? levels.or : levels.and;
      return chain(
        [
          { op: "", expr: expr.left, level },
          { op: expr.op, expr: expr.right, level: level + 1 },
        ],
        layout,
        column,
      );
    }
    case "compare": {
      const operands = expr.operands.map((operand, index) => ({
        op: expr.operators[index - 1] ?? "",
        expr: operand,
        level: levels.comparison + 0.5,
      }));
      return chain(operands, layout, column);
    }
    case "membership": {
      const element = printExpr(expr.element, layout, column, levels.comparison + 0.5);
      const set = printExpr(expr.set, layout, columnAfter(column, element) + 4, levels.comparison + 0.5);
      return `${element} in ${set}`;
    }
    case "if": {
      let text = `if ${printExpr(expr.condition, layout, column + 3)} then `;
      text += printExpr(expr.then, layout, columnAfter(column, text));
      // `else` of a broken conditional stands under its `if`.
      text += `${layout.breaks(expr.then.span.end, expr.otherwise.span.start) ? newLine(column) : " "}else `;
      // In `else if`, the next `else` goes under the first `if` again, so it is printed as if it stood there.
      const chained = expr.otherwise.kind === "if";
      return text + printExpr(expr.otherwise, layout, chained ? column : columnAfter(column, text));
    }
    case "reduction":
      return printReduction(expr, layout, column);
    case "tuple":
      return `(${list(expr.elements, layout, column + 1)})`;
    case "at": {
      const value = printExpr(expr.value, layout, column);
      return `${value} at ${printExpr(expr.position, layout, columnAfter(column, value) + 4)}`;
    }
    case "error":
      return "";
  }
  expr satisfies never;
  return "";
}

function list(elements: readonly Expr[], layout: Layout, column: number): string {
  let text = "";
  elements.forEach((element, index) => {
    if (index > 0) text += ", ";
    text += printExpr(element, layout, columnAfter(column, text));
  });
  return text;
}

function printReduction(expr: ReductionExpr, layout: Layout, column: number): string {
  const binders = expr.binders.map((b) => (b.in === null ? b.name.text : `${b.name.text} in ${b.in.text}`));
  let text = `${expr.op}[${binders.join(", ")}`;
  if (expr.per !== null) text += ` per ${expr.per.text}`;
  if (expr.guard !== null) text += ` if ${printExpr(expr.guard, layout, columnAfter(column, text) + 4)}`;
  text += "]";
  if (takesArguments.has(expr.op)) {
    text += expr.op === "dot" ? "(" : " (";
    return `${text}${list(expr.bodies, layout, columnAfter(column, text))})`;
  }
  const body = expr.bodies[0];
  if (body === undefined) return text;
  return `${text} ${printExpr(body, layout, columnAfter(column, text) + 1, levels.sum)}`;
}

const printArgument = (argument: Argument, layout: Layout, column: number): string => {
  const name = argument.name === null ? "" : `${argument.name.text}: `;
  return name + printExpr(argument.value, layout, column + name.length);
};

/** A call; arguments that the author put on lines of their own stay there. */
export function printCall(call: CallExpr, layout: Layout, column: number): string {
  const callee = printBare(call.callee, layout, column);
  const [first] = call.arguments;
  if (first === undefined) return `${callee}()`;
  if (
    callee === "table" &&
    call.arguments.length === 1 &&
    first.name === null &&
    first.value.kind === "string"
  )
    return `table ${printText(first.value.value)}`;
  const startOf = (argument: Argument): number => argument.name?.span.start ?? argument.value.span.start;
  const broken = layout.breaks(call.callee.span.end, startOf(first));
  if (!broken) {
    let text = `${callee}(`;
    call.arguments.forEach((argument, index) => {
      if (index > 0) text += ", ";
      text += printArgument(argument, layout, columnAfter(column, text));
    });
    return `${text})`;
  }
  const inner: Layout = { ...layout, indent: layout.indent + 2, hang: layout.hang + 2 };
  let text = `${callee}(`;
  call.arguments.forEach((argument, index) => {
    const before = call.arguments[index - 1];
    const breaks = before === undefined || layout.breaks(before.value.span.end, startOf(argument));
    text += breaks ? newLine(inner.indent) : " ";
    text += printArgument(argument, inner, columnAfter(column, text));
    if (index < call.arguments.length - 1) text += ",";
  });
  return `${text}${newLine(layout.indent)})`;
}

/** `[h, u: 32]`, or nothing for no axes. */
export function printAxes(axes: readonly Axis[], layout: Layout, column: number): string {
  if (axes.length === 0) return "";
  const parts = axes.map(({ name, size }) =>
    size === null ? name.text : `${name.text}: ${printExpr(size, layout, column)}`,
  );
  return `[${parts.join(", ")}]`;
}
