/**
 * Expr: scalar expressions shared by Graph, Schedule and Kernel: masks, scores, rotations,
 * pointwise bodies, optimizer updates. Interned: structurally equal expressions are one object.
 */

import type {
  BinaryOp,
  Constant,
  Expr,
  ExprType,
  Index,
  Load,
  Logit,
  Operand,
  Scalar,
  SetOp,
  SetRead,
  SizeName,
  SizeOf,
  UnaryOp,
  Uniform,
} from "./expr-kinds.ts";

export type * from "./expr-kinds.ts";

const interned = new Map<string, Expr>();
const identities = new WeakMap<Expr, number>();
let nextIdentity = 0;

function identity(expr: Expr): number {
  return identities.get(expr)!;
}

function intern<E extends Expr>(key: string, make: () => E): E {
  const known = interned.get(key);
  if (known !== undefined) return known as E;
  const made = make();
  Object.freeze(made);
  identities.set(made, nextIdentity++);
  interned.set(key, made);
  return made;
}

export function constant(value: number, type: ExprType = "real"): Constant {
  const shown = Object.is(value, -0) ? "-0" : String(value);
  return intern(`c:${type}:${shown}`, () => ({ kind: "constant", type, value }));
}
export const real = (value: number): Constant => constant(value, "real");
export const int = (value: number): Constant => constant(value, "int");
export const bool = (value: boolean): Constant => constant(value ? 1 : 0, "bool");

export const index = (name: string): Index =>
  intern(`i:${name}`, () => ({ kind: "index", type: "int", name }));
export const size = (name: SizeName): SizeOf =>
  intern(`z:${name}`, () => ({ kind: "size", type: "int", name }));
export const logit: Logit = intern("s", () => ({ kind: "logit", type: "real" }));
export const operand = (n: number, type: ExprType = "real"): Operand =>
  intern(`o:${type}:${n}`, () => ({ kind: "operand", type, index: n }));
export const scalar = (name: string): Scalar =>
  intern(`n:${name}`, () => ({ kind: "scalar", type: "real", name }));
export const uniform = (stream: number): Uniform =>
  intern(`u:${stream}`, () => ({ kind: "uniform", type: "real", stream }));
export function load(buffer: number, indices: readonly Expr[], type: ExprType = "real"): Load {
  const key = indices.map(identity).join(",");
  return intern(`l:${type}:${buffer}:${key}`, () => ({
    kind: "load",
    type,
    buffer,
    indices: Object.freeze([...indices]),
  }));
}

export function setRead(op: SetOp, buffer: number, indices: readonly Expr[], element: Expr): SetRead {
  const key = [...indices, element].map(identity).join(",");
  return intern(`m:${op}:${buffer}:${key}`, () => ({
    kind: "set",
    type: op === "rank" ? "int" : "bool",
    op,
    buffer,
    indices: Object.freeze([...indices]),
    element,
  }));
}
/** Whether the element is in the set at the given row. */
export const member = (buffer: number, indices: readonly Expr[], element: Expr): SetRead =>
  setRead("member", buffer, indices, element);
/** How many members of the set at the given row lie below the element. */
export const rank = (buffer: number, indices: readonly Expr[], element: Expr): SetRead =>
  setRead("rank", buffer, indices, element);

interface Span {
  readonly low: Expr;
  readonly high: Expr;
}

/** Whether any or all pairs of rows and elements from low to high, both included, are in the set; some are given. */
export const setRectangle = (op: "any" | "all", buffer: number, rows: readonly Span[], of: Span): SetRead =>
  setRead(op, buffer, [...rows.map(({ low }) => low), ...rows.map(({ high }) => high), of.high], of.low);

/** The rows and elements that a rectangle is over, from its operands in order. */
export function rectangleParts<T>(operands: readonly T[]): {
  readonly low: readonly T[];
  readonly high: readonly T[];
} {
  const rows = (operands.length - 2) / 2;
  return {
    low: [...operands.slice(0, rows), operands.at(-1)!],
    high: operands.slice(rows, -1),
  };
}

/** The result type of a unary operation on an operand of the given type. */
function unaryType(op: UnaryOp, operandType: ExprType): ExprType {
  switch (op) {
    case "to-real":
      return "real";
    case "to-int":
      return "int";
    case "floor":
    case "ceil":
      return "int";
    case "not":
      return "bool";
    case "neg":
    case "abs":
    case "sign":
      return operandType;
    case "exp":
    case "log":
    case "sqrt":
    case "tanh":
    case "sigmoid":
    case "erf":
    case "sin":
    case "cos":
      return "real";
    default:
      return op satisfies never;
  }
}

/** Operations on reals take reals: a whole-number operand is converted here, once. */
const realOperand: ReadonlySet<UnaryOp> = new Set([
  "exp",
  "log",
  "sqrt",
  "tanh",
  "sigmoid",
  "erf",
  "sin",
  "cos",
]);

export function unary(op: UnaryOp, x: Expr): Expr {
  if (op === "to-real" && x.type === "real") return x;
  if (op === "to-int" && x.type === "int") return x;
  if ((op === "floor" || op === "ceil") && x.type === "int") return x;
  const given = realOperand.has(op) ? toReal(x) : x;
  return intern(`1:${op}:${identity(given)}`, () => ({
    kind: "unary",
    type: unaryType(op, given.type),
    op,
    operand: given,
  }));
}

export const toReal = (x: Expr): Expr =>
  x.type === "real" ? x : x.kind === "constant" ? real(x.value) : unary("to-real", x);

/** Mixed real and whole-number operands become real; `div` and `pow` are always real. */
export function binary(op: BinaryOp, a: Expr, b: Expr): Expr {
  let left = a;
  let right = b;
  const logical = op === "and" || op === "or";
  const whole = op === "floor-div" || op === "mod";
  if (!logical && (op === "div" || op === "pow" || left.type === "real" || right.type === "real")) {
    if (whole) throw new Error(`${op} takes whole numbers`);
    left = toReal(left);
    right = toReal(right);
  }
  const compares = op === "lt" || op === "le" || op === "eq";
  const type: ExprType = logical || compares ? "bool" : left.type;
  return intern(`2:${op}:${identity(left)}:${identity(right)}`, () => ({
    kind: "binary",
    type,
    op,
    left,
    right,
  }));
}

export function select(condition: Expr, then: Expr, otherwise: Expr): Expr {
  const mixed = then.type !== otherwise.type;
  const a = mixed ? toReal(then) : then;
  const b = mixed ? toReal(otherwise) : otherwise;
  return intern(`?:${identity(condition)}:${identity(a)}:${identity(b)}`, () => ({
    kind: "select",
    type: a.type,
    condition,
    then: a,
    otherwise: b,
  }));
}

export const add = (a: Expr, b: Expr): Expr => binary("add", a, b);
export const sub = (a: Expr, b: Expr): Expr => binary("sub", a, b);
export const mul = (a: Expr, b: Expr): Expr => binary("mul", a, b);
export const div = (a: Expr, b: Expr): Expr => binary("div", a, b);
export const neg = (x: Expr): Expr => unary("neg", x);
export const and = (a: Expr, b: Expr): Expr => binary("and", a, b);
export const or = (a: Expr, b: Expr): Expr => binary("or", a, b);
export const not = (x: Expr): Expr => unary("not", x);
export const lt = (a: Expr, b: Expr): Expr => binary("lt", a, b);
export const le = (a: Expr, b: Expr): Expr => binary("le", a, b);
export const eq = (a: Expr, b: Expr): Expr => binary("eq", a, b);

/** Operands of an expression, in order. */
export function exprChildren(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case "constant":
    case "index":
    case "size":
    case "logit":
    case "operand":
    case "scalar":
    case "uniform":
      return [];
    case "load":
      return e.indices;
    case "set":
      return [...e.indices, e.element];
    case "unary":
      return [e.operand];
    case "binary":
      return [e.left, e.right];
    case "select":
      return [e.condition, e.then, e.otherwise];
    default:
      return e satisfies never;
  }
}

/** The same expression over other operands. */
export function withExprChildren(e: Expr, kids: readonly Expr[]): Expr {
  switch (e.kind) {
    case "constant":
    case "index":
    case "size":
    case "logit":
    case "operand":
    case "scalar":
    case "uniform":
      return e;
    case "load":
      return load(e.buffer, kids, e.type);
    case "set":
      return setRead(e.op, e.buffer, kids.slice(0, -1), kids.at(-1)!);
    case "unary":
      return unary(e.op, kids[0]!);
    case "binary":
      return binary(e.op, kids[0]!, kids[1]!);
    case "select":
      return select(kids[0]!, kids[1]!, kids[2]!);
    default:
      return e satisfies never;
  }
}

/** Rewrites bottom-up; `rule` sees each node with its operands already rewritten. Shared parts are visited once. */
export function mapExpr(root: Expr, rule: (e: Expr) => Expr): Expr {
  const done = new Map<Expr, Expr>();
  const visit = (e: Expr): Expr => {
    const known = done.get(e);
    if (known !== undefined) return known;
    const kids = exprChildren(e);
    const mapped = kids.map(visit);
    const rebuilt = mapped.some((kid, n) => kid !== kids[n]) ? withExprChildren(e, mapped) : e;
    const result = rule(rebuilt);
    done.set(e, result);
    return result;
  };
  return visit(root);
}

/** True when `test` holds for the expression or any part of it. */
export function someExpr(root: Expr, test: (e: Expr) => boolean): boolean {
  const seen = new Set<Expr>();
  const visit = (e: Expr): boolean => {
    if (seen.has(e)) return false;
    seen.add(e);
    return test(e) || exprChildren(e).some(visit);
  };
  return visit(root);
}
