/** Operators and numeric functions over what expressions of an attention mean; known numbers are worked out at once. */
import type { BinaryExpr, CompareExpr } from "../../../grammar/ast.ts";
import * as ir from "../../ir/expr.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import { mistake } from "../mistakes.ts";
import { arithmetic, functions } from "../static-arithmetic.ts";
import { blockOf, exprOf, numberOf, scalar, staticBool, staticNumber, type Meant } from "./meant.ts";

/** The first number with a fraction among the values that an expression chooses from; null: none. */
function fractionIn(e: ir.Expr): number | null {
  if (e.kind === "constant") return Number.isInteger(e.value) ? null : Number(e.value);
  return e.kind === "select" ? (fractionIn(e.then) ?? fractionIn(e.otherwise)) : null;
}

/** False after a report that two numbers of blocks count blocks of different sizes. */
export function sameBlocks(left: Meant, right: Meant, span: Span, reporter: Reporter): boolean {
  const [a, b] = [blockOf(left), blockOf(right)];
  if (a === null || b === null || a === b) return true;
  const help = "sizes that parameters give must agree for every use";
  reporter.add(
    messages.domainMismatch({ left: `a block of ${a}`, right: `a block of ${b}` }, span, { help }),
  );
  return false;
}

/** A sum or difference with the length of the row at hand; null for everything else. */
function rowArithmetic(op: BinaryExpr["op"], left: Meant, right: Meant): ir.Expr | null {
  const ofRow = (meant: Meant): boolean => meant.kind === "static" && meant.ofRow !== undefined;
  if ((op !== "+" && op !== "-") || !(ofRow(left) || ofRow(right))) return null;
  const [x, y] = [exprOf(left)!, exprOf(right)!];
  return op === "+" ? ir.add(x, y) : ir.sub(x, y);
}

/** A binary operation; null when the operands are no numbers or the numbers have no result. */
export function binaryMeant(
  op: BinaryExpr["op"],
  left: Meant,
  right: Meant,
  span: Span,
  reporter: Reporter,
): Meant | null {
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a !== null && b !== null) {
    const value = arithmetic(op, a, b, span, reporter);
    if (value.kind !== "number") return null;
    const ofRow = a.whole && b.whole ? rowArithmetic(op, left, right) : null;
    return { kind: "static", value, ...(ofRow === null ? {} : { ofRow }) };
  }
  const [x, y] = [exprOf(left), exprOf(right)];
  if (x === null || y === null || x.type === "bool" || y.type === "bool") return null;
  const from = (meant: Meant): ir.Expr | null => (meant.kind === "scalar" ? meant.position : null);
  const [p, q] = [from(left), from(right)];
  const shift =
    op !== "+" && op !== "-" ? null : p !== null ? fractionIn(y) : q !== null ? fractionIn(x) : null;
  if (shift !== null) {
    const help = "a position moves by whole numbers: choose numbers that divide evenly";
    mistake(reporter, "count-not-whole", span, { name: "a shift of positions", value: shift }, { help });
    return null;
  }
  switch (op) {
    case "+":
      return scalar(
        ir.add(x, y),
        p !== null && q !== null ? null : (p ?? q),
        blockOf(left) ?? blockOf(right),
      );
    case "-":
      return scalar(ir.sub(x, y), q === null ? p : null, blockOf(left) ?? blockOf(right));
    case "*":
      return scalar(ir.mul(x, y));
    case "/":
      return scalar(ir.div(x, y));
    case "%":
      return x.type === "int" && y.type === "int" ? scalar(ir.binary("mod", x, y)) : null;
    case "^":
      return scalar(ir.binary("pow", x, y));
    default:
      return op satisfies never;
  }
}

export function notMeant(meant: Meant): Meant | null {
  if (meant.kind === "static") return meant.value.kind === "bool" ? staticBool(!meant.value.value) : null;
  const x = exprOf(meant);
  return x?.type === "bool" ? scalar(ir.not(x)) : null;
}

export function negativeMeant(meant: Meant): Meant | null {
  const n = numberOf(meant);
  if (n !== null) return staticNumber(-n.value, n.whole);
  const x = exprOf(meant);
  return x === null || x.type === "bool" ? null : scalar(ir.neg(x));
}

export function logicMeant(op: "and" | "or", left: Meant, right: Meant): Meant | null {
  const known = (meant: Meant): boolean | null =>
    meant.kind === "static" && meant.value.kind === "bool" ? meant.value.value : null;
  const [x, y] = [exprOf(left), exprOf(right)];
  if (x?.type !== "bool" || y?.type !== "bool") return null;
  const [a, b] = [known(left), known(right)];
  const decides = op === "or";
  if (a !== null) return a === decides ? staticBool(decides) : right;
  if (b !== null) return b === decides ? staticBool(decides) : left;
  return scalar(decides ? ir.or(x, y) : ir.and(x, y));
}

/** One comparison of a chain; `counted` turns a position into its number within the document where needed. */
export function compareMeant(
  op: CompareExpr["operators"][number],
  left: Meant,
  right: Meant,
  counted: (meant: Meant) => Meant,
): Meant | null {
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a !== null && b !== null) {
    const [x, y] = [a.value, b.value];
    const holds = { "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x === y, "!=": x !== y };
    return staticBool(holds[op]);
  }
  if (left.kind === "static" && right.kind === "static" && left.value.kind === right.value.kind) {
    if (!("value" in left.value) || !("value" in right.value) || (op !== "==" && op !== "!=")) return null;
    return staticBool((left.value.value === right.value.value) === (op === "=="));
  }
  const x = exprOf(b !== null ? counted(left) : left);
  const y = exprOf(a !== null ? counted(right) : right);
  if (x === null || y === null) return null;
  switch (op) {
    case "<":
      return scalar(ir.lt(x, y));
    case "<=":
      return scalar(ir.le(x, y));
    case ">":
      return scalar(ir.lt(y, x));
    case ">=":
      return scalar(ir.le(y, x));
    case "==":
      return scalar(ir.eq(x, y));
    case "!=":
      return scalar(ir.not(ir.eq(x, y)));
    default:
      return op satisfies never;
  }
}

const unaryFunctions: Readonly<Record<string, ir.UnaryOp>> = {
  sqrt: "sqrt",
  exp: "exp",
  log: "log",
  sin: "sin",
  cos: "cos",
  tanh: "tanh",
  sigmoid: "sigmoid",
  erf: "erf",
  floor: "floor",
  ceil: "ceil",
  abs: "abs",
  sign: "sign",
};

/** Whether `name` is a function of numbers that expressions over positions may call. */
export const isScalarFunction = (name: string): boolean =>
  Object.hasOwn(unaryFunctions, name) || name === "min" || name === "max";

/** `min(q, limit)`, `log(x)`, …; null when the arguments do not fit. */
export function functionMeant(name: string, given: readonly Meant[]): Meant | null {
  const known = Object.hasOwn(functions, name) ? functions[name]! : null;
  const numbers = given.map(numberOf);
  if (known !== null && numbers.length === known.arity && numbers.every((n) => n !== null)) {
    const value = known.apply(...numbers.map((n) => n.value));
    if (!Number.isFinite(value)) return null;
    const whole = known.whole === "makes" || (known.whole === "keeps" && numbers.every((n) => n.whole));
    return staticNumber(value, whole && Number.isSafeInteger(value));
  }
  const exprs = given.map(exprOf);
  if (exprs.some((x) => x === null || x.type === "bool")) return null;
  if (name === "min" || name === "max") {
    const [x, y] = exprs;
    if (exprs.length !== 2) return null;
    const position = given.map((m) => (m.kind === "scalar" ? m.position : null)).find((p) => p !== null);
    return scalar(ir.binary(name, x!, y!), position ?? null);
  }
  const op = Object.hasOwn(unaryFunctions, name) ? unaryFunctions[name]! : null;
  return op === null || exprs.length !== 1 ? null : scalar(ir.unary(op, exprs[0]!));
}

/** `if … then … else …`; a known condition chooses at once. */
export function chooseMeant(
  condition: Meant,
  then: () => Meant | null,
  otherwise: () => Meant | null,
): Meant | null {
  if (condition.kind === "static")
    return condition.value.kind === "bool" ? (condition.value.value ? then() : otherwise()) : null;
  const [c, left, right] = [exprOf(condition), then(), otherwise()];
  if (c?.type !== "bool" || left === null || right === null) return null;
  const [x, y] = [exprOf(left), exprOf(right)];
  if (x === null || y === null || (x.type === "bool") !== (y.type === "bool")) return null;
  const [a, b] = [blockOf(left), blockOf(right)];
  if (a !== null && b !== null && a !== b) return null;
  const from = (meant: Meant): ir.Expr | null => (meant.kind === "scalar" ? meant.position : null);
  return scalar(ir.select(c, x, y), from(left) ?? from(right), a ?? b);
}
