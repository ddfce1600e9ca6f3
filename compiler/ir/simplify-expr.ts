/** Smaller expressions of the same value: named rules, applied bottom-up. */
import { binaryOps, unaryOps } from "./expr-ops.ts";
import {
  add,
  binary,
  bool,
  constant,
  div,
  int,
  mapExpr,
  mul,
  neg,
  not,
  real,
  select,
  unary,
} from "./expr.ts";
import type { Expr } from "./expr.ts";

interface Rule {
  readonly name: string;
  readonly apply: (e: Expr) => Expr | null;
}

const isValue = (e: Expr, value: number): boolean =>
  e.kind === "constant" && e.value === value && !Object.is(e.value, -0);
const largestInt = 2 ** 31 - 1;

/** A constant that every target can hold: finite, and a 32-bit whole number where it is whole. */
function representable(value: number, type: Expr["type"]): boolean {
  return Number.isFinite(value) && (type !== "int" || Math.abs(value) <= largestInt);
}

const rules: readonly Rule[] = [
  {
    name: "fold-constants", // 2 + 3 → 5
    apply: (e) => {
      let value: number;
      if (e.kind === "unary" && e.operand.kind === "constant") value = unaryOps[e.op](e.operand.value);
      else if (e.kind === "binary" && e.left.kind === "constant" && e.right.kind === "constant")
        value = binaryOps[e.op](e.left.value, e.right.value);
      else return null;
      return representable(value, e.type) ? constant(e.type === "int" ? value + 0 : value, e.type) : null;
    },
  },
  {
    name: "drop-neutral", // x + 0, x · 1, x − 0, x / 1, x // 1, x ^ 1 → x
    apply: (e) => {
      if (e.kind !== "binary") return null;
      if (e.op === "add" && isValue(e.left, 0)) return e.right;
      if (e.op === "mul" && isValue(e.left, 1)) return e.right;
      if ((e.op === "add" || e.op === "sub") && isValue(e.right, 0)) return e.left;
      const one = e.op === "mul" || e.op === "div" || e.op === "floor-div" || e.op === "pow";
      return one && isValue(e.right, 1) ? e.left : null;
    },
  },
  {
    name: "subtract-by-sign", // x · −1 → −x, 0 − x → −x, −−x → x
    apply: (e) => {
      if (e.kind === "unary" && e.op === "neg" && e.operand.kind === "unary" && e.operand.op === "neg")
        return e.operand.operand;
      if (e.kind !== "binary") return null;
      if (e.op === "sub" && isValue(e.left, 0)) return neg(e.right);
      if (e.op === "mul" && isValue(e.right, -1)) return neg(e.left);
      return e.op === "mul" && isValue(e.left, -1) ? neg(e.right) : null;
    },
  },
  {
    name: "decide-whole-numbers", // for whole numbers: x − x → 0, x · 0 → 0, x % 1 → 0, x < x → false
    apply: (e) => {
      if (e.kind !== "binary" || e.left.type !== "int") return null;
      if (e.op === "mul" && (isValue(e.left, 0) || isValue(e.right, 0))) return int(0);
      if (e.op === "mod" && isValue(e.right, 1)) return int(0);
      if (e.left !== e.right) return null;
      if (e.op === "sub") return int(0);
      if (e.op === "lt") return bool(false);
      return e.op === "le" || e.op === "eq" ? bool(true) : null;
    },
  },
  {
    name: "gather-whole-constants", // (x + 2) − 5 → x + −3
    apply: (e) => {
      if (e.kind !== "binary" || e.type !== "int" || (e.op !== "add" && e.op !== "sub")) return null;
      if (e.op === "add" && e.left.kind === "constant" && e.right.kind !== "constant")
        return add(e.right, e.left);
      if (e.right.kind !== "constant") return null;
      const shift = e.op === "add" ? e.right.value : -e.right.value;
      const inner = e.left;
      const nested = inner.kind === "binary" && inner.op === "add" && inner.right.kind === "constant";
      if (nested && representable(inner.right.value + shift, "int"))
        return add(inner.left, int(inner.right.value + shift));
      return e.op === "sub" && representable(shift, "int") ? add(e.left, int(shift)) : null;
    },
  },
  {
    name: "same-operands", // min(x, x) → x, x and x → x
    apply: (e) => {
      if (e.kind !== "binary" || e.left !== e.right) return null;
      return e.op === "min" || e.op === "max" || e.op === "and" || e.op === "or" ? e.left : null;
    },
  },
  {
    name: "decide-logic", // x and true → x, x or true → true
    apply: (e) => {
      if (e.kind !== "binary" || (e.op !== "and" && e.op !== "or")) return null;
      const absorbing = e.op === "and" ? 0 : 1;
      for (const [side, other] of [
        [e.left, e.right],
        [e.right, e.left],
      ] as const)
        if (side.kind === "constant") return side.value === absorbing ? bool(absorbing === 1) : other;
      return null;
    },
  },
  {
    name: "push-not", // not not x → x; for whole numbers: not (a < b) → b <= a
    apply: (e) => {
      if (e.kind !== "unary" || e.op !== "not") return null;
      const x = e.operand;
      if (x.kind === "unary" && x.op === "not") return x.operand;
      if (x.kind !== "binary" || x.left.type !== "int") return null;
      if (x.op === "lt") return binary("le", x.right, x.left);
      return x.op === "le" ? binary("lt", x.right, x.left) : null;
    },
  },
  {
    name: "decide-selection", // if true then a else b → a; if not c then a else b → if c then b else a
    apply: (e) => {
      if (e.kind !== "select") return null;
      if (e.condition.kind === "constant") return e.condition.value !== 0 ? e.then : e.otherwise;
      if (e.then === e.otherwise) return e.then;
      if (e.condition.kind === "unary" && e.condition.op === "not")
        return select(e.condition.operand, e.otherwise, e.then);
      if (e.type !== "bool" || e.then.kind !== "constant" || e.otherwise.kind !== "constant") return null;
      return e.then.value !== 0 ? e.condition : not(e.condition);
    },
  },
  {
    name: "plain-powers", // x ^ 2 → x · x, x ^ 0.5 → √x, x ^ −1 → 1 / x
    apply: (e) => {
      if (e.kind !== "binary" || e.op !== "pow") return null;
      if (isValue(e.right, 2)) return mul(e.left, e.left);
      if (isValue(e.right, 0.5)) return unary("sqrt", e.left);
      return isValue(e.right, -1) ? div(real(1), e.left) : null;
    },
  },
  {
    name: "multiply-by-inverse", // x / 4 → x · 0.25, for powers of two, where it is exact
    apply: (e) => {
      if (e.kind !== "binary" || e.op !== "div" || e.right.kind !== "constant") return null;
      const power = Math.log2(Math.abs(e.right.value));
      return Number.isInteger(power) && Math.abs(power) < 100 ? mul(e.left, real(1 / e.right.value)) : null;
    },
  },
];

/** Rules each shrink an expression or move it to one form, so few rounds at a node are enough. */
const mostRounds = 16;

/**
 * The same value for every finite value of the leaves; real arithmetic keeps its order, so float64 results agree but
 * for the sign of zero and the rounding of √ and reciprocals in powers.
 */
export function simplifyExpr(root: Expr): Expr {
  const settle = (start: Expr): Expr => {
    let e = start;
    for (let round = 0; round < mostRounds; round++) {
      let next: Expr | null = null;
      for (const rule of rules) {
        next = rule.apply(e);
        if (next !== null) break;
      }
      if (next === null || next === e) return e;
      e = next;
    }
    return e;
  };
  return mapExpr(root, settle);
}
