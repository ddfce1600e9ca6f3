/** Differences of positions as differences of reals: each position is converted once, not each pair. */
import { binary, mapExpr, neg, someExpr, toReal, type Expr } from "../../../ir/expr.ts";

function real(e: Expr): Expr {
  if (e.kind === "binary" && (e.op === "add" || e.op === "sub"))
    return binary(e.op, real(e.left), real(e.right));
  if (e.kind === "unary" && e.op === "neg") return neg(real(e.operand));
  return toReal(e);
}

const readsKey = (e: Expr): boolean => someExpr(e, (part) => part.kind === "index" && part.name === "k");

/** `real(k − q)` becomes `real(k) − real(q)`: equal for positions below 2^24, where reals hold whole numbers. */
export const splitPositions = (score: Expr): Expr =>
  mapExpr(score, (e) =>
    e.kind === "unary" && e.op === "to-real" && e.operand.type === "int" && readsKey(e.operand)
      ? real(e.operand)
      : e,
  );
