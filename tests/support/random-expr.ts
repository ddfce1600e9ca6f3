/** fast-check arbitraries of scalar expressions: smooth real ones for gradients, whole-number and logical ones for proofs. */
import fc from "fast-check";
import * as e from "../../compiler/ir/expr.ts";
import type { Expr } from "../../compiler/ir/expr.ts";

/** Real numbers that keep values and slopes moderate. */
export const moderate = fc.integer({ min: -16, max: 16 }).map((n) => n / 8);

/** A smooth real expression over the given leaves; bounded slopes, no poles, any depth up to `depth`. */
export function smoothExpr(leaves: readonly Expr[], depth: number): fc.Arbitrary<Expr> {
  const leaf = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...leaves) },
    { weight: 1, arbitrary: moderate.map(e.real) },
  );
  if (depth === 0) return leaf;
  const inner = smoothExpr(leaves, depth - 1);
  const pair = fc.tuple(inner, inner);
  return fc.oneof(
    leaf,
    inner.map((x) => e.unary("tanh", x)),
    inner.map((x) => e.unary("sigmoid", x)),
    inner.map((x) => e.unary("erf", x)),
    inner.map((x) => e.unary("sin", x)),
    inner.map((x) => e.unary("cos", x)),
    inner.map(e.neg),
    inner.map((x) => e.unary("exp", e.unary("tanh", x))),
    inner.map((x) => e.unary("log", e.add(e.real(1.5), e.unary("tanh", x)))),
    inner.map((x) => e.unary("sqrt", e.add(e.real(1.5), e.unary("sin", x)))),
    pair.map(([a, b]) => e.add(a, b)),
    pair.map(([a, b]) => e.sub(a, b)),
    pair.map(([a, b]) => e.mul(e.unary("tanh", a), b)),
    pair.map(([a, b]) => e.div(a, e.add(e.real(1.5), e.unary("cos", b)))),
    pair.map(([a, b]) => e.binary("pow", e.add(e.real(2), e.unary("tanh", a)), e.unary("sin", b))),
    fc
      .tuple(inner, moderate)
      .map(([x, p]) => e.binary("pow", e.add(e.real(1.5), e.unary("sin", x)), e.real(p))),
  );
}

/** A whole-number expression over the given leaves; divisors are positive constants. */
export function wholeExpr(leaves: readonly Expr[], depth: number): fc.Arbitrary<Expr> {
  const leaf = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...leaves) },
    fc.integer({ min: -6, max: 9 }).map(e.int),
  );
  if (depth === 0) return leaf;
  const inner = wholeExpr(leaves, depth - 1);
  const pair = fc.tuple(inner, inner);
  const divisor = fc.integer({ min: 1, max: 6 }).map(e.int);
  return fc.oneof(
    leaf,
    pair.map(([a, b]) => e.add(a, b)),
    pair.map(([a, b]) => e.sub(a, b)),
    pair.map(([a, b]) => e.binary("min", a, b)),
    pair.map(([a, b]) => e.binary("max", a, b)),
    fc.tuple(inner, fc.integer({ min: -3, max: 3 })).map(([x, n]) => e.mul(x, e.int(n))),
    fc.tuple(inner, divisor).map(([x, n]) => e.binary("floor-div", x, n)),
    fc.tuple(inner, divisor).map(([x, n]) => e.binary("mod", x, n)),
    inner.map(e.neg),
    inner.map((x) => e.unary("abs", x)),
    inner.map((x) => e.unary("sign", x)),
    fc.tuple(logicExpr(leaves, 0), inner, inner).map(([c, a, b]) => e.select(c, a, b)),
  );
}

/** A truth value made of comparisons of whole-number expressions. */
export function logicExpr(leaves: readonly Expr[], depth: number): fc.Arbitrary<Expr> {
  const whole = wholeExpr(leaves, depth);
  const compare = fc
    .tuple(fc.constantFrom("lt", "le", "eq" as const), whole, whole)
    .map(([op, a, b]) => e.binary(op as "lt" | "le" | "eq", a, b));
  if (depth === 0) return compare;
  const inner = logicExpr(leaves, depth - 1);
  const pair = fc.tuple(inner, inner);
  return fc.oneof(
    compare,
    fc.boolean().map(e.bool),
    pair.map(([a, b]) => e.and(a, b)),
    pair.map(([a, b]) => e.or(a, b)),
    inner.map(e.not),
    fc.tuple(inner, inner, inner).map(([c, a, b]) => e.select(c, a, b)),
  );
}
