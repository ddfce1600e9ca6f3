/** Forms of scores that kernels compute with less work. */
import { binary, mapExpr, neg, someExpr, toReal, type Expr } from "../../../ir/expr.ts";
import { linearForm } from "../../../ir/linear.ts";

function real(e: Expr): Expr {
  if (e.kind === "binary" && (e.op === "add" || e.op === "sub"))
    return binary(e.op, real(e.left), real(e.right));
  if (e.kind === "unary" && e.op === "neg") return neg(real(e.operand));
  return toReal(e);
}

const reads = (e: Expr, ...names: readonly string[]): boolean =>
  someExpr(e, (part) => part.kind === "logit" || (part.kind === "index" && names.includes(part.name)));

/** `real(k − q)` becomes `real(k) − real(q)`: equal for positions below 2^24, where reals hold whole numbers. */
export const splitPositions = (score: Expr): Expr =>
  mapExpr(score, (e) =>
    e.kind === "unary" && e.op === "to-real" && e.operand.type === "int" && reads(e.operand, "k")
      ? real(e.operand)
      : e,
  );

/** Terms of a sum, with their signs. */
function terms(e: Expr, sign: number): readonly { readonly e: Expr; readonly sign: number }[] {
  if (e.kind === "binary" && e.op === "add") return [...terms(e.left, sign), ...terms(e.right, sign)];
  if (e.kind === "binary" && e.op === "sub") return [...terms(e.left, sign), ...terms(e.right, -sign)];
  if (e.kind === "unary" && e.op === "neg") return terms(e.operand, -sign);
  return [{ e, sign }];
}

/** True for a multiple of k − q plus a constant, converted to a real. */
function isDistance(e: Expr): boolean {
  if (e.kind !== "unary" || e.op !== "to-real") return false;
  let [ofKey, ofQuery] = [0, 0];
  for (const [part, factor] of linearForm(e.operand).terms) {
    if (part.kind === "index" && part.name === "k") ofKey = factor;
    else if (part.kind === "index" && part.name === "q") ofQuery = factor;
    else if (reads(part, "q", "k")) return false;
  }
  return ofKey === -ofQuery;
}

/** True when the expression is a distance times what no position has a part in. */
function isSlope(e: Expr): boolean {
  if (!reads(e, "q", "k")) return true;
  if (isDistance(e)) return true;
  if (e.kind === "unary" && e.op === "neg") return isSlope(e.operand);
  if (e.kind !== "binary") return false;
  if (e.op === "mul")
    return reads(e.left, "q", "k") ? isSlope(e.left) && !reads(e.right, "q", "k") : isSlope(e.right);
  return e.op === "div" && isSlope(e.left) && !reads(e.right, "q", "k");
}

/** True when the score is the logit plus a(h) + b(h) · (k − q): along the keys of a block it only rises steadily. */
export function risesSteadily(score: Expr): boolean {
  const parts = terms(score, 1);
  const [logit, ...more] = parts.filter(({ e }) => e.kind === "logit");
  if (logit === undefined || logit.sign < 0 || more.length > 0) return false;
  return parts.every(({ e }) => e.kind === "logit" || isSlope(e));
}
