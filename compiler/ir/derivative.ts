/** Symbolic derivatives of scalar expressions, from one total table of rules. */
import {
  add,
  binary,
  div,
  exprChildren,
  lt,
  mul,
  neg,
  real,
  select,
  sub,
  toReal,
  unary,
  type BinaryOp,
  type Expr,
  type UnaryOp,
} from "./expr.ts";

const zero = real(0);
const one = real(1);
const isZero = (e: Expr): boolean => e.kind === "constant" && e.value === 0;
const isOne = (e: Expr): boolean => e.kind === "constant" && e.value === 1;

/** Sums and products that drop zeros and ones, so that derivatives stay readable. */
const plus = (a: Expr, b: Expr): Expr => (isZero(a) ? b : isZero(b) ? a : add(a, b));
const times = (a: Expr, b: Expr): Expr =>
  isZero(a) || isZero(b) ? zero : isOne(a) ? b : isOne(b) ? a : mul(a, b);
const minus = (a: Expr, b: Expr): Expr => (isZero(b) ? a : isZero(a) ? neg(b) : sub(a, b));
const choose = (condition: Expr, a: Expr, b: Expr): Expr => (a === b ? a : select(condition, a, b));

/** Slope of op(x) by x, given x and y = op(x). Steps (floor, sign, conversions to whole numbers) have slope 0. */
const unarySlopes: { readonly [K in UnaryOp]: (x: Expr, y: Expr) => Expr } = {
  neg: () => real(-1),
  abs: (x) => unary("sign", x),
  exp: (_, y) => y,
  log: (x) => div(one, x),
  sqrt: (_, y) => div(real(0.5), y),
  tanh: (_, y) => sub(one, mul(y, y)),
  sigmoid: (_, y) => mul(y, sub(one, y)),
  erf: (x) => mul(real(2 / Math.sqrt(Math.PI)), unary("exp", neg(mul(x, x)))),
  sin: (x) => unary("cos", x),
  cos: (x) => neg(unary("sin", x)),
  floor: () => zero,
  ceil: () => zero,
  sign: () => zero,
  "to-real": () => one,
  "to-int": () => zero,
  not: () => zero,
};

/** Derivative of op(a, b) given both operands, the result y, and their derivatives. */
const binaryRules: {
  readonly [K in BinaryOp]: (a: Expr, b: Expr, da: Expr, db: Expr, y: Expr) => Expr;
} = {
  add: (_a, _b, da, db) => plus(da, db),
  sub: (_a, _b, da, db) => minus(da, db),
  mul: (a, b, da, db) => plus(times(da, b), times(a, db)),
  div: (_a, b, da, db, y) => {
    const top = minus(da, times(y, db));
    return isZero(top) ? zero : div(top, b);
  },
  "floor-div": () => zero,
  mod: () => zero,
  pow: (a, b, da, db, y) => {
    const base = isZero(da) ? zero : times(times(b, powerBelow(a, b)), da);
    // x^b grows by its logarithm only for x > 0; at 0 the limit is 0.
    const exponent = isZero(db) ? zero : times(select(lt(zero, a), mul(y, unary("log", a)), zero), db);
    return plus(base, exponent);
  },
  // Ties take the second operand's slope, as the operations take its value.
  min: (a, b, da, db) => choose(lt(a, b), da, db),
  max: (a, b, da, db) => choose(lt(b, a), da, db),
  lt: () => zero,
  le: () => zero,
  eq: () => zero,
  and: () => zero,
  or: () => zero,
};

/** a^(b−1). */
function powerBelow(a: Expr, b: Expr): Expr {
  if (b.kind !== "constant") return binary("pow", a, sub(b, one));
  if (b.value === 1) return one;
  return b.value === 2 ? a : binary("pow", a, real(b.value - 1));
}

/**
 * d root / d variable, where `variable` is a leaf (or any part) of the expression: real, over the same leaves. Whole
 * numbers and truth values do not move; a selection moves as the branch it takes.
 */
export function derivative(root: Expr, variable: Expr): Expr {
  const done = new Map<Expr, Expr>();
  const visit = (e: Expr): Expr => {
    if (e === variable) return one;
    const known = done.get(e);
    if (known !== undefined) return known;
    const found = e.type === "real" ? slope(e) : zero;
    done.set(e, found);
    return found;
  };
  const slope = (e: Expr): Expr => {
    switch (e.kind) {
      case "constant":
      case "index":
      case "size":
      case "logit":
      case "operand":
      case "scalar":
      case "load":
      case "set":
      case "uniform":
        return zero;
      case "unary": {
        const inner = visit(e.operand);
        return isZero(inner) ? zero : times(unarySlopes[e.op](e.operand, e), inner);
      }
      case "binary":
        return binaryRules[e.op](e.left, e.right, visit(e.left), visit(e.right), e);
      case "select":
        return choose(e.condition, visit(e.then), visit(e.otherwise));
      default:
        return e satisfies never;
    }
  };
  return toReal(visit(root));
}

/** Every load of a real element in an expression, each once, in order of appearance. */
export function realLoads(root: Expr): readonly Extract<Expr, { kind: "load" }>[] {
  const found: Extract<Expr, { kind: "load" }>[] = [];
  const seen = new Set<Expr>();
  const visit = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    exprChildren(e).forEach(visit);
    if (e.kind === "load" && e.type === "real") found.push(e);
  };
  visit(root);
  return found;
}
