/** Bounds of expressions in numbers, from bounds of their leaves: interval arithmetic with three-valued logic. */
import { binaryOps, unaryOps } from "./expr-ops.ts";
import type { BinaryOp, Expr, UnaryOp } from "./expr.ts";
import { addForms, linearForm, type LinearForm } from "./linear.ts";

/** low ≤ value ≤ high. A truth value is [0,0], [1,1] or [0,1]: false, true, or either. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface IntervalLeaves {
  readonly index: (name: string) => Interval;
  readonly size: (name: string) => Interval;
  /** Bounds of a loaded element; anything when left out. */
  readonly load?: (buffer: number, indices: readonly Interval[]) => Interval;
}

export const anything: Interval = { low: -Infinity, high: Infinity };
const maybe: Interval = { low: 0, high: 1 };
export const point = (value: number): Interval => ({ low: value, high: value });
export const span = (low: number, high: number): Interval => ({ low, high });

const truth = (never: boolean, always: boolean): Interval => ({ low: always ? 1 : 0, high: never ? 0 : 1 });
/** The smallest interval of some numbers; anything when one is not a number. */
const around = (...values: number[]): Interval =>
  values.some(Number.isNaN) ? anything : { low: Math.min(...values), high: Math.max(...values) };
const isPoint = (a: Interval): boolean => a.low === a.high;
/** Real arithmetic rounds, and a sum may round in another order, so bounds of reals are a little wider. */
const loose = (a: Interval, real: boolean): Interval => {
  const slack = (x: number): number => (Number.isFinite(x) ? 1e-12 * Math.abs(x) : 0);
  return real ? { low: a.low - slack(a.low), high: a.high + slack(a.high) } : a;
};

/** 0 · ∞ is 0 here: the bounds are of finite numbers. */
const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

type UnaryBound = (x: Interval) => Interval;
const rising =
  (op: UnaryOp): UnaryBound =>
  (x) =>
    around(unaryOps[op](x.low), unaryOps[op](x.high));
const wave: UnaryBound = () => ({ low: -1, high: 1 });

const unaryBounds: { readonly [K in UnaryOp]: UnaryBound } = {
  neg: (x) => ({ low: -x.high, high: -x.low }),
  abs: (x) =>
    x.low >= 0
      ? x
      : x.high <= 0
        ? { low: -x.high, high: -x.low }
        : { low: 0, high: Math.max(-x.low, x.high) },
  exp: rising("exp"),
  log: (x) => (x.low < 0 ? anything : rising("log")(x)),
  sqrt: (x) => (x.low < 0 ? anything : rising("sqrt")(x)),
  tanh: rising("tanh"),
  sigmoid: rising("sigmoid"),
  erf: rising("erf"),
  sin: wave,
  cos: wave,
  floor: rising("floor"),
  ceil: rising("ceil"),
  sign: rising("sign"),
  "to-real": (x) => x,
  "to-int": rising("to-int"),
  not: (x) => ({ low: 1 - x.high, high: 1 - x.low }),
};

type BinaryBound = (a: Interval, b: Interval) => Interval;
const product: BinaryBound = (a, b) =>
  around(times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high));

const binaryBounds: { readonly [K in BinaryOp]: BinaryBound } = {
  add: (a, b) => ({ low: a.low + b.low, high: a.high + b.high }),
  sub: (a, b) => ({ low: a.low - b.high, high: a.high - b.low }),
  mul: product,
  div: (a, b) => (b.low <= 0 && b.high >= 0 ? anything : product(a, around(1 / b.low, 1 / b.high))),
  "floor-div": (a, b) => {
    if (!isPoint(b)) return b.low > 0 ? around(...quotients(a, b)) : anything;
    return around(binaryOps["floor-div"](a.low, b.low), binaryOps["floor-div"](a.high, b.low));
  },
  mod: (a, b) => {
    if (isPoint(b) && Number.isFinite(a.low) && Number.isFinite(a.high)) {
      const [x, y] = [binaryOps["floor-div"](a.low, b.low), binaryOps["floor-div"](a.high, b.low)];
      if (x === y) return around(binaryOps.mod(a.low, b.low), binaryOps.mod(a.high, b.low));
    }
    // A remainder lies between 0 and the divisor, on the divisor's side.
    return { low: Math.min(0, b.low + 1), high: Math.max(0, b.high - 1) };
  },
  pow: (a, b) => (isPoint(a) && isPoint(b) ? point(binaryOps.pow(a.low, b.low)) : anything),
  min: (a, b) => ({ low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) }),
  max: (a, b) => ({ low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) }),
  lt: (a, b) => truth(a.low >= b.high, a.high < b.low),
  le: (a, b) => truth(a.low > b.high, a.high <= b.low),
  eq: (a, b) => truth(a.high < b.low || b.high < a.low, isPoint(a) && isPoint(b) && a.low === b.low),
  and: (a, b) => ({ low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) }),
  or: (a, b) => ({ low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) }),
};

const quotients = (a: Interval, b: Interval): number[] =>
  [a.low, a.high].flatMap((x) =>
    [b.low, b.high].map((n) => (Number.isFinite(n) ? Math.floor(x / n) : x < 0 ? -1 : 0)),
  );

/**
 * Bounds that hold for every choice of leaves within theirs. Sums of whole numbers are bounded term by term, so
 * `q − k` and `q < k + n` are exact over a rectangle of positions.
 */
export function exprInterval(root: Expr, leaves: IntervalLeaves): Interval {
  const done = new Map<Expr, Interval>();
  const visit = (e: Expr): Interval => {
    const known = done.get(e);
    if (known !== undefined) return known;
    const found = compute(e);
    done.set(e, found);
    return found;
  };
  const sum = (form: LinearForm, self: Expr | null): Interval => {
    let total = point(form.constant);
    for (const [part, factor] of form.terms) {
      if (part === self) return anything;
      const own = product(visit(part), point(factor));
      total = { low: total.low + own.low, high: total.high + own.high };
    }
    return total;
  };
  const compute = (e: Expr): Interval => {
    switch (e.kind) {
      case "constant":
        return point(e.value);
      case "index":
        return leaves.index(e.name);
      case "size":
        return leaves.size(e.name);
      case "logit":
      case "operand":
      case "scalar":
        return e.type === "bool" ? maybe : anything;
      case "uniform":
        return { low: 0, high: 1 };
      case "load":
        return leaves.load?.(e.buffer, e.indices.map(visit)) ?? anything;
      case "set":
        // No more members lie below an element than there are elements below it.
        return e.op === "member" ? maybe : { low: 0, high: Math.max(0, visit(e.element).high) };
      case "unary":
        return loose(unaryBounds[e.op](visit(e.operand)), e.type === "real" && e.op !== "to-real");
      case "binary": {
        const [a, b] = [visit(e.left), visit(e.right)];
        const own = loose(binaryBounds[e.op](a, b), e.type === "real" && e.op !== "min" && e.op !== "max");
        if (e.left.type !== "int") return own;
        if (e.op === "add" || e.op === "sub" || e.op === "mul") {
          const tight = sum(linearForm(e), e);
          return { low: Math.max(own.low, tight.low), high: Math.min(own.high, tight.high) };
        }
        if (e.op !== "lt" && e.op !== "le" && e.op !== "eq") return own;
        const difference = sum(addForms(linearForm(e.left), linearForm(e.right), -1), null);
        const decided = binaryBounds[e.op](difference, point(0));
        return { low: Math.max(own.low, decided.low), high: Math.min(own.high, decided.high) };
      }
      case "select": {
        const condition = visit(e.condition);
        if (condition.low === 1) return visit(e.then);
        if (condition.high === 0) return visit(e.otherwise);
        const [a, b] = [visit(e.then), visit(e.otherwise)];
        return { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
      }
      default:
        return e satisfies never;
    }
  };
  return visit(root);
}
