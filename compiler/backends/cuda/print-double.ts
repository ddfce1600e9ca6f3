/** Prints scalar expressions of positions' angles as device code in double: nested, since they are small. */
import type { BinaryOp, Expr, UnaryOp } from "../../ir/expr.ts";
import { c, type Fragment } from "../../ir/kernel.ts";

/** A double literal that parses back to exactly the same number. */
export function doubleLiteral(value: number): Fragment {
  if (Number.isNaN(value)) return c`((double)LCTX_NAN)`;
  if (value === Infinity) return c`((double)LCTX_INF)`;
  if (value === -Infinity) return c`(-(double)LCTX_INF)`;
  if (Object.is(value, -0)) return c`(-0.0)`;
  let [mantissa, exponent] = [value, 0];
  while (!Number.isSafeInteger(mantissa)) {
    const larger = Math.abs(mantissa) >= 2 ** 53;
    mantissa = larger ? mantissa / 2 : mantissa * 2;
    exponent += larger ? 1 : -1;
  }
  const first = Math.max(exponent, -1000);
  const rest = exponent === first ? c`` : c` * 0x1p${exponent - first}`;
  return exponent === 0 ? c`(${mantissa}.0)` : c`(${mantissa}.0 * 0x1p${first}${rest})`;
}

const unary: { readonly [K in UnaryOp]: (x: Fragment, whole: boolean) => Fragment } = {
  neg: (x) => c`(-${x})`,
  abs: (x, whole) => (whole ? c`abs(${x})` : c`fabs(${x})`),
  exp: (x) => c`exp(${x})`,
  log: (x) => c`log(${x})`,
  sqrt: (x) => c`sqrt(${x})`,
  tanh: (x) => c`tanh(${x})`,
  sigmoid: (x) => c`(1.0 / (1.0 + exp(-${x})))`,
  erf: (x) => c`erf(${x})`,
  sin: (x) => c`sin(${x})`,
  cos: (x) => c`cos(${x})`,
  floor: (x) => c`((int)floor(${x}))`,
  ceil: (x) => c`((int)ceil(${x}))`,
  sign: (x, whole) => (whole ? c`((${x} > 0) - (${x} < 0))` : c`((double)((${x} > 0.0) - (${x} < 0.0)))`),
  "to-real": (x) => c`((double)${x})`,
  "to-int": (x) => c`((int)${x})`,
  not: (x) => c`(!${x})`,
};

const infix =
  (op: Fragment) =>
  (a: Fragment, b: Fragment): Fragment =>
    c`(${a} ${op} ${b})`;

const binary: { readonly [K in BinaryOp]: (a: Fragment, b: Fragment) => Fragment } = {
  add: infix(c`+`),
  sub: infix(c`-`),
  mul: infix(c`*`),
  div: infix(c`/`),
  "floor-div": (a, b) => c`lctx_floor_div(${a}, ${b})`,
  mod: (a, b) => c`lctx_mod(${a}, ${b})`,
  pow: (a, b) => c`pow((double)${a}, (double)${b})`,
  min: (a, b) => c`(${a} < ${b} ? ${a} : ${b})`,
  max: (a, b) => c`(${a} > ${b} ? ${a} : ${b})`,
  lt: infix(c`<`),
  le: infix(c`<=`),
  eq: infix(c`==`),
  and: infix(c`&&`),
  or: infix(c`||`),
};

export interface DoubleLeaves {
  readonly index: (name: string) => Fragment;
  readonly size: (name: string) => Fragment;
  /** A real; left out where there are none. */
  readonly scalar?: (name: string) => Fragment;
}

/** The value of an expression of indices, sizes, scalars and numbers; reals are doubles, whole numbers ints. */
export function printDouble(e: Expr, leaves: DoubleLeaves): Fragment {
  const print = (part: Expr): Fragment => printDouble(part, leaves);
  switch (e.kind) {
    case "constant":
      if (e.type === "real") return doubleLiteral(e.value);
      return e.type === "bool" ? (e.value === 0 ? c`false` : c`true`) : c`(${e.value})`;
    case "index":
      return leaves.index(e.name);
    case "size":
      return leaves.size(e.name);
    case "scalar":
      if (leaves.scalar === undefined) throw new Error(`no scalar ${e.name} here`);
      return leaves.scalar(e.name);
    case "unary":
      return unary[e.op](print(e.operand), e.operand.type === "int");
    case "binary":
      return binary[e.op](print(e.left), print(e.right));
    case "select":
      return c`(${print(e.condition)} ? ${print(e.then)} : ${print(e.otherwise)})`;
    default:
      throw new Error(`the angle of a rotation has no ${e.kind}`);
  }
}
