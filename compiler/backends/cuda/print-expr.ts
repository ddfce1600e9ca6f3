/** Prints scalar expressions as CUDA C++: straight-line constants, one for each shared part. */
import {
  binary,
  exprChildren,
  type BinaryOp,
  type Expr,
  type ExprType,
  type SetOp,
  type UnaryOp,
} from "../../ir/expr.ts";
import { c, identifier, joinFragments, realLiteral, type Fragment } from "../../ir/kernel.ts";

/** What the leaves are in the place where an expression is printed: names or literals, safe to repeat. A leaf the place does not have should throw. */
export interface CudaLeaves {
  readonly index: (name: string) => Fragment;
  readonly size: (name: string) => Fragment;
  readonly scalar: (name: string) => Fragment;
  readonly logit: () => Fragment;
  /** The element, converted to `type`; indices may lie outside the buffer. */
  readonly load: (buffer: number, indices: readonly Fragment[], type: ExprType) => Fragment;
  /** What is asked of a set, from the operands of the expression in order. */
  readonly set: (op: SetOp, buffer: number, operands: readonly Fragment[]) => Fragment;
  /** An operand of a map's body, as `type`. Absent in attention, which has none. */
  readonly operand?: (index: number, type: ExprType) => Fragment;
  /** Random numbers of a stream. Absent in attention. */
  readonly uniform?: (stream: number) => Fragment;
}

export interface CudaPrinter {
  /** The value of an expression; its statements wait in `take`. */
  readonly print: (expr: Expr) => Fragment;
  /** Statements since the last time they were taken, in order. */
  readonly take: () => Fragment;
}

/** What an expression's values are in device code. */
export const typeNames: Readonly<Record<ExprType, Fragment>> = { real: c`float`, int: c`int`, bool: c`bool` };

/** A float literal, infinities and NaN included. */
export function cudaLiteral(value: number): Fragment {
  const rounded = Math.fround(value);
  if (Number.isNaN(rounded)) return c`LCTX_NAN`;
  if (rounded === Infinity) return c`LCTX_INF`;
  if (rounded === -Infinity) return c`(-LCTX_INF)`;
  return rounded < 0 || Object.is(rounded, -0) ? c`(${realLiteral(rounded)})` : realLiteral(rounded);
}

function literal(value: number, type: ExprType): Fragment {
  if (type === "real") return cudaLiteral(value);
  if (type === "bool") return value === 0 ? c`false` : c`true`;
  if (value < -2147483648 || value > 2147483647) throw new RangeError(`${value} is no 32-bit whole number`);
  return value === -2147483648 ? c`(-2147483647 - 1)` : c`(${value})`;
}

type UnaryRule = (x: Fragment, type: ExprType) => Fragment;
type BinaryRule = (a: Fragment, b: Fragment, type: ExprType) => Fragment;

const call = (name: Fragment): UnaryRule => {
  return (x) => c`lctx_${name}(${x})`;
};

const unaryRules: { readonly [K in UnaryOp]: UnaryRule } = {
  neg: (x, type) => (type === "int" ? c`lctx_neg(${x})` : c`(-${x})`),
  abs: (x, type) => (type === "int" ? c`abs(${x})` : c`fabsf(${x})`),
  exp: call(c`exp`),
  log: call(c`log`),
  sqrt: call(c`sqrt`),
  tanh: call(c`tanh`),
  sigmoid: call(c`sigmoid`),
  erf: (x) => c`erff(${x})`,
  sin: call(c`sin`),
  cos: call(c`cos`),
  floor: (x) => c`__float2int_rd(${x})`,
  ceil: (x) => c`__float2int_ru(${x})`,
  sign: (x, type) =>
    type === "int" ? c`((${x} > 0) - (${x} < 0))` : c`((float)((${x} > 0.0f) - (${x} < 0.0f)))`,
  "to-real": (x) => c`((float)${x})`,
  "to-int": (x, type) => (type === "real" ? c`__float2int_rz(${x})` : c`((int)${x})`),
  not: (x) => c`(!${x})`,
};

const infix = (op: Fragment): BinaryRule => {
  return (a, b) => c`(${a} ${op} ${b})`;
};

const binaryRules: { readonly [K in BinaryOp]: BinaryRule } = {
  add: infix(c`+`),
  sub: infix(c`-`),
  mul: infix(c`*`),
  div: (a, b) => c`lctx_div(${a}, ${b})`,
  "floor-div": (a, b) => c`lctx_floor_div(${a}, ${b})`,
  mod: (a, b) => c`lctx_mod(${a}, ${b})`,
  pow: (a, b) => c`lctx_pow(${a}, ${b})`,
  min: (a, b, type) => (type === "int" ? c`min(${a}, ${b})` : c`fminf(${a}, ${b})`),
  max: (a, b, type) => (type === "int" ? c`max(${a}, ${b})` : c`fmaxf(${a}, ${b})`),
  lt: infix(c`<`),
  le: infix(c`<=`),
  eq: infix(c`==`),
  // Both sides are cheap and without side effects: no branch is wanted.
  and: (a, b) => c`(bool)((int)${a} & (int)${b})`,
  or: (a, b) => c`(bool)((int)${a} | (int)${b})`,
};

/** log2 of a power of two that a 32-bit number can hold, or null. */
function powerOfTwo(e: Expr): number | null {
  if (e.kind !== "constant" || e.type !== "int" || e.value <= 0 || e.value > 2 ** 30) return null;
  const power = Math.log2(e.value);
  return Number.isInteger(power) ? power : null;
}

const negated = (e: Expr): Expr | null =>
  e.kind === "unary" && e.op === "neg" && e.type === "int" ? e.operand : null;

/** Sums and differences in place of negated whole numbers, which cost an instruction of their own. */
function withoutNegation(e: Expr): Expr {
  const operand = negated(e);
  if (operand !== null) {
    const inner = withoutNegation(operand);
    if (inner.kind === "binary" && inner.op === "sub") return binary("sub", inner.right, inner.left);
    return negated(inner) ?? e;
  }
  if (e.kind !== "binary" || (e.op !== "add" && e.op !== "sub")) return e;
  const [left, right] = [negated(e.left), negated(e.right)];
  if (right !== null) return binary(e.op === "add" ? "sub" : "add", e.left, right);
  return left !== null && e.op === "add" ? binary("sub", e.right, left) : e;
}

/** A printer over the given leaves. Names start with `word`, so that two printers may share a function. */
export function cudaPrinter(leaves: CudaLeaves, word: string): CudaPrinter {
  const done = new Map<Expr, Fragment>();
  let statements: Fragment[] = [];
  let count = 0;

  const name = (text: Fragment, type: ExprType): Fragment => {
    const named = identifier(word, count++);
    statements.push(c`  const ${typeNames[type]} ${named} = ${text};\n`);
    return named;
  };

  const compute = (e: Expr, kids: readonly Fragment[]): Fragment => {
    switch (e.kind) {
      case "constant":
        return literal(e.value, e.type);
      case "index":
        return leaves.index(e.name);
      case "size":
        return leaves.size(e.name);
      case "scalar":
        return leaves.scalar(e.name);
      case "logit":
        return leaves.logit();
      case "operand":
        if (leaves.operand !== undefined) return name(leaves.operand(e.index, e.type), e.type);
        throw new Error("attention expressions have no operands");
      case "uniform":
        if (leaves.uniform !== undefined) return name(leaves.uniform(e.stream), e.type);
        throw new Error("random numbers inside attention are not supported: use them on its input or output");
      case "load":
        return name(leaves.load(e.buffer, kids, e.type), e.type);
      case "set":
        return name(leaves.set(e.op, e.buffer, kids), e.type);
      case "unary":
        return name(unaryRules[e.op](kids[0]!, e.operand.type), e.type);
      case "binary": {
        const power = powerOfTwo(e.right);
        // Floor division by 2^n is an arithmetic shift and its remainder the low bits, for negatives too.
        if (power !== null && e.op === "floor-div") return name(c`(${kids[0]!} >> ${power})`, "int");
        if (power !== null && e.op === "mod") return name(c`(${kids[0]!} & ${2 ** power - 1})`, "int");
        return name(binaryRules[e.op](kids[0]!, kids[1]!, e.left.type), e.type);
      }
      case "select":
        return name(c`(${kids[0]!} ? ${kids[1]!} : ${kids[2]!})`, e.type);
      default:
        return e satisfies never;
    }
  };

  const print = (e: Expr): Fragment => {
    const known = done.get(e);
    if (known !== undefined) return known;
    const plain = withoutNegation(e);
    const text = plain === e ? compute(e, exprChildren(e).map(print)) : print(plain);
    done.set(e, text);
    return text;
  };

  const take = (): Fragment => {
    const taken = joinFragments(statements, c``);
    statements = [];
    return taken;
  };

  return { print, take };
}
