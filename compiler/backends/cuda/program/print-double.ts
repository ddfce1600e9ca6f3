/** Prints scalar expressions as CUDA C++ in double precision, for what is computed a few times and read at far positions. */
import { exprChildren, type BinaryOp, type Expr, type ExprType, type UnaryOp } from "../../../ir/expr.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";

/** Names or casts of names, safe to repeat: reals are double, whole numbers long long. */
export interface DoubleLeaves {
  readonly index: (name: string) => Fragment;
  readonly size: (name: string) => Fragment;
  readonly scalar: (name: string) => Fragment;
}

/** Functions that printed expressions call, besides CUDA's own. */
export const doublePrelude: Fragment = c`
LCTX_DEVICE long long lctx_long_floor_div(long long a, long long b) {
  const long long q = a / b;
  return q - (long long)((a % b != 0) & ((a < 0) != (b < 0)));
}
LCTX_DEVICE long long lctx_long_mod(long long a, long long b) {
  const long long r = a % b;
  return r + ((r != 0 && (r < 0) != (b < 0)) ? b : 0);
}
`;

const typeNames: Readonly<Record<ExprType, Fragment>> = { real: c`double`, int: c`long long`, bool: c`bool` };

/** A double literal that parses back to exactly the same number. */
function doubleLiteral(value: number): Fragment {
  if (Number.isNaN(value)) return c`((double)LCTX_NAN)`;
  if (value === Infinity) return c`((double)LCTX_INF)`;
  if (value === -Infinity) return c`(-(double)LCTX_INF)`;
  if (Object.is(value, -0)) return c`(-0.0)`;
  let mantissa = value;
  let exponent = 0;
  while (!Number.isSafeInteger(mantissa)) {
    const larger = Math.abs(mantissa) >= 2 ** 53;
    mantissa = larger ? mantissa / 2 : mantissa * 2;
    exponent += larger ? 1 : -1;
  }
  // A power of two below 2^-1022 is no literal, so the smallest numbers take two steps.
  const first = Math.max(exponent, -1000);
  const scale = exponent === first ? c`0x1p${first}` : c`0x1p${first} * 0x1p${exponent - first}`;
  return exponent === 0 ? c`(${mantissa}.0)` : c`(${mantissa}.0 * ${scale})`;
}

function literal(value: number, type: ExprType): Fragment {
  if (type === "real") return doubleLiteral(value);
  return type === "bool" ? (value === 0 ? c`false` : c`true`) : c`(${Math.trunc(value)}ll)`;
}

type UnaryRule = (x: Fragment, type: ExprType) => Fragment;
type BinaryRule = (a: Fragment, b: Fragment, type: ExprType) => Fragment;

const unaryRules: { readonly [K in UnaryOp]: UnaryRule } = {
  neg: (x) => c`(-${x})`,
  abs: (x) => c`(${x} < 0 ? -${x} : ${x})`,
  exp: (x) => c`exp(${x})`,
  log: (x) => c`log(${x})`,
  sqrt: (x) => c`sqrt(${x})`,
  tanh: (x) => c`tanh(${x})`,
  sigmoid: (x) => c`(1.0 / (1.0 + exp(-${x})))`,
  erf: (x) => c`erf(${x})`,
  sin: (x) => c`sin(${x})`,
  cos: (x) => c`cos(${x})`,
  floor: (x) => c`((long long)floor(${x}))`,
  ceil: (x) => c`((long long)ceil(${x}))`,
  sign: (x, type) => c`((${typeNames[type]})((${x} > 0) - (${x} < 0)))`,
  "to-real": (x) => c`((double)${x})`,
  "to-int": (x) => c`((long long)${x})`,
  not: (x) => c`(!${x})`,
};

const infix = (op: Fragment): BinaryRule => {
  return (a, b) => c`(${a} ${op} ${b})`;
};

const binaryRules: { readonly [K in BinaryOp]: BinaryRule } = {
  add: infix(c`+`),
  sub: infix(c`-`),
  mul: infix(c`*`),
  div: infix(c`/`),
  "floor-div": (a, b) => c`lctx_long_floor_div(${a}, ${b})`,
  mod: (a, b) => c`lctx_long_mod(${a}, ${b})`,
  pow: (a, b) => c`pow(${a}, ${b})`,
  min: (a, b, type) => (type === "int" ? c`(${a} < ${b} ? ${a} : ${b})` : c`fmin(${a}, ${b})`),
  max: (a, b, type) => (type === "int" ? c`(${a} > ${b} ? ${a} : ${b})` : c`fmax(${a}, ${b})`),
  lt: infix(c`<`),
  le: infix(c`<=`),
  eq: infix(c`==`),
  and: infix(c`&&`),
  or: infix(c`||`),
};

/** The values of expressions that share parts, and the statements before them. Throws for what only an attention has. */
export function printDouble(
  exprs: readonly Expr[],
  leaves: DoubleLeaves,
): { readonly values: readonly Fragment[]; readonly statements: Fragment } {
  const done = new Map<Expr, Fragment>();
  const statements: Fragment[] = [];
  const name = (text: Fragment, type: ExprType): Fragment => {
    const named = identifier("d", statements.length);
    statements.push(c`  const ${typeNames[type]} ${named} = ${text};\n`);
    return named;
  };
  const compute = (e: Expr): Fragment => {
    const kids = (): readonly Fragment[] => exprChildren(e).map(print);
    switch (e.kind) {
      case "constant":
        return literal(e.value, e.type);
      case "index":
        return leaves.index(e.name);
      case "size":
        return leaves.size(e.name);
      case "scalar":
        return leaves.scalar(e.name);
      case "unary":
        return name(unaryRules[e.op](kids()[0]!, e.operand.type), e.type);
      case "binary": {
        const [a, b] = kids();
        return name(binaryRules[e.op](a!, b!, e.left.type), e.type);
      }
      case "select": {
        const [condition, yes, no] = kids();
        return name(c`(${condition!} ? ${yes!} : ${no!})`, e.type);
      }
      case "logit":
      case "operand":
      case "load":
      case "set":
      case "uniform":
        throw new Error(`${e.kind} is not printed in double`);
      default:
        return e satisfies never;
    }
  };
  const print = (e: Expr): Fragment => {
    const known = done.get(e);
    if (known !== undefined) return known;
    const text = compute(e);
    done.set(e, text);
    return text;
  };
  const values = exprs.map(print);
  return { values, statements: joinFragments(statements, c``) };
}
