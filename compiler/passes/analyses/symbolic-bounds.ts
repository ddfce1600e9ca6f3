/** Bounds of expressions over a rectangle of positions, as expressions of the rectangle's corners. */
import {
  add,
  and,
  binary,
  bool,
  eq,
  exprChildren,
  int,
  le,
  load,
  lt,
  mul,
  neg,
  not,
  or,
  select,
  setRectangle,
  sub,
  unary,
  type Expr,
} from "../../ir/expr.ts";
import type { Bounds, Truth } from "../../ir/block-facts.ts";
import { addForms, linearForm, times, type LinearForm } from "../../ir/linear.ts";

export interface SymbolicBounds {
  /** Bounds of a number; null when nothing can be said. */
  readonly bounds: (e: Expr) => Bounds | null;
  readonly truth: (e: Expr) => Truth;
  /** Bounds of a sum. */
  readonly sum: (form: LinearForm) => Bounds | null;
}

const unknown: Truth = { all: bool(false), any: bool(true) };
const min = (a: Expr, b: Expr): Expr => binary("min", a, b);
const max = (a: Expr, b: Expr): Expr => binary("max", a, b);
const floorDiv = (a: Expr, b: Expr): Expr => binary("floor-div", a, b);

/**
 * Bounds where indices lie in the ranges that `ranges` gives (the others are fixed), and where buffers in `rising` do
 * not decrease along their position. `onUnknown` hears of every part of which nothing can be said.
 */
export function symbolicBounds(
  ranges: ReadonlyMap<string, Bounds>,
  rising: ReadonlySet<number>,
  onUnknown: () => void = () => {},
): SymbolicBounds {
  const fixed = new Map<Expr, boolean>();
  const isFixed = (e: Expr): boolean => {
    const known = fixed.get(e);
    if (known !== undefined) return known;
    const varies = e.kind === "logit" || e.kind === "operand" || e.kind === "uniform";
    const found = !varies && (e.kind === "index" ? !ranges.has(e.name) : exprChildren(e).every(isFixed));
    fixed.set(e, found);
    return found;
  };
  const numbers = new Map<Expr, Bounds | null>();
  const truths = new Map<Expr, Truth>();

  const bounds = (e: Expr): Bounds | null => {
    const known = numbers.get(e);
    if (known !== undefined) return known;
    const found = isFixed(e) ? { low: e, high: e } : compute(e);
    if (found === null) onUnknown();
    numbers.set(e, found);
    return found;
  };
  const both = (e: readonly Expr[]): readonly Bounds[] | null => {
    const found = e.map(bounds);
    return found.every((own) => own !== null) ? found : null;
  };
  const sum = (form: LinearForm): Bounds | null => {
    let [low, high]: [Expr, Expr] = [int(form.constant), int(form.constant)];
    for (const [part, factor] of form.terms) {
      const own = bounds(part);
      if (own === null) return null;
      low = add(low, times(factor > 0 ? own.low : own.high, factor));
      high = add(high, times(factor > 0 ? own.high : own.low, factor));
    }
    return { low, high };
  };
  const four = (a: Bounds, b: Bounds): Bounds => {
    const [w, x, y, z] = [mul(a.low, b.low), mul(a.low, b.high), mul(a.high, b.low), mul(a.high, b.high)];
    return { low: min(min(w, x), min(y, z)), high: max(max(w, x), max(y, z)) };
  };

  const compute = (e: Expr): Bounds | null => {
    switch (e.kind) {
      case "constant":
      case "size":
      case "scalar":
        return { low: e, high: e };
      case "index":
        return ranges.get(e.name) ?? { low: e, high: e };
      case "logit":
      case "operand":
      case "uniform":
        return null;
      case "load": {
        const [at, ...more] = e.indices;
        const own =
          at?.kind === "index" && more.length === 0 && rising.has(e.buffer) ? ranges.get(at.name) : undefined;
        return own === undefined
          ? null
          : { low: load(e.buffer, [own.low], e.type), high: load(e.buffer, [own.high], e.type) };
      }
      case "set": {
        if (e.op !== "rank") return null;
        // No more members lie below an element than there are elements below it.
        const below = bounds(e.element);
        return below === null ? null : { low: int(0), high: max(int(0), below.high) };
      }
      case "unary":
        return computeUnary(e);
      case "binary":
        return computeBinary(e);
      case "select": {
        const condition = truth(e.condition);
        const found = both([e.then, e.otherwise]);
        if (found === null) return null;
        const [a, b] = found as [Bounds, Bounds];
        const pick = (x: Expr, y: Expr, mixed: Expr): Expr =>
          select(condition.all, x, select(condition.any, mixed, y));
        return {
          low: pick(a.low, b.low, min(a.low, b.low)),
          high: pick(a.high, b.high, max(a.high, b.high)),
        };
      }
      default:
        return e satisfies never;
    }
  };
  const computeUnary = (e: Extract<Expr, { kind: "unary" }>): Bounds | null => {
    if (e.type === "bool" || e.operand.type === "bool") return null;
    const own = bounds(e.operand);
    if (own === null) return null;
    const zero = e.type === "int" ? int(0) : null;
    switch (e.op) {
      case "neg":
        return { low: neg(own.high), high: neg(own.low) };
      case "abs":
        return zero === null
          ? null
          : {
              low: select(le(zero, own.low), own.low, select(le(own.high, zero), neg(own.high), zero)),
              high: max(neg(own.low), own.high),
            };
      case "floor":
      case "ceil":
      case "sign":
      case "to-real":
      case "to-int":
        return { low: unary(e.op, own.low), high: unary(e.op, own.high) };
      case "exp":
      case "log":
      case "sqrt":
      case "tanh":
      case "sigmoid":
      case "erf":
      case "sin":
      case "cos":
      case "not":
        // Computed in single precision where masks run, so nothing is claimed.
        return null;
      default:
        return e.op satisfies never;
    }
  };
  const computeBinary = (e: Extract<Expr, { kind: "binary" }>): Bounds | null => {
    if (e.type === "bool") return null;
    if (e.type === "int" && (e.op === "add" || e.op === "sub" || e.op === "mul")) {
      const form = linearForm(e);
      if (!form.terms.has(e)) return sum(form);
    }
    const found = both([e.left, e.right]);
    if (found === null) return null;
    const [a, b] = found as [Bounds, Bounds];
    switch (e.op) {
      case "min":
      case "max":
        return { low: binary(e.op, a.low, b.low), high: binary(e.op, a.high, b.high) };
      case "mul":
        return e.type === "int" ? four(a, b) : null;
      case "floor-div": {
        if (!isFixed(e.right)) return null;
        const [x, y] = [floorDiv(a.low, e.right), floorDiv(a.high, e.right)];
        if (e.right.kind === "constant")
          return e.right.value >= 0 ? { low: x, high: y } : { low: y, high: x };
        return { low: min(x, y), high: max(x, y) };
      }
      case "mod": {
        if (!isFixed(e.right)) return null;
        const n = e.right;
        const same = eq(floorDiv(a.low, n), floorDiv(a.high, n));
        const least = min(add(n, int(1)), int(0));
        const most = max(sub(n, int(1)), int(0));
        return {
          low: select(same, binary("mod", a.low, n), least),
          high: select(same, binary("mod", a.high, n), most),
        };
      }
      // Rounding is monotone, so sums of bounds bound the rounded sums.
      case "add":
        return { low: add(a.low, b.low), high: add(a.high, b.high) };
      case "sub":
        return { low: sub(a.low, b.high), high: sub(a.high, b.low) };
      case "div":
      case "pow":
        return null;
      case "lt":
      case "le":
      case "eq":
      case "and":
      case "or":
        return null;
      default:
        return e.op satisfies never;
    }
  };

  const truth = (e: Expr): Truth => {
    const known = truths.get(e);
    if (known !== undefined) return known;
    const found = isFixed(e) ? { all: e, any: e } : judge(e);
    truths.set(e, found);
    return found;
  };
  const compare = (e: Extract<Expr, { kind: "binary" }>): Truth => {
    const whole = e.left.type === "int";
    const difference = whole ? sum(addForms(linearForm(e.left), linearForm(e.right), -1)) : null;
    const zero = int(0);
    const a = difference ?? bounds(e.left);
    const b = difference === null ? bounds(e.right) : { low: zero, high: zero };
    if (a === null || b === null) return unknown;
    if (e.op === "le") return { all: le(a.high, b.low), any: le(a.low, b.high) };
    if (e.op === "lt") return { all: lt(a.high, b.low), any: lt(a.low, b.high) };
    const equal = and(and(eq(a.low, a.high), eq(b.low, b.high)), eq(a.low, b.low));
    return { all: equal, any: and(le(a.low, b.high), le(b.low, a.high)) };
  };
  /** An element of a truth table is known where the whole rectangle reads the same one: blocks of a table of blocks do. */
  const lookUp = (e: Extract<Expr, { kind: "load" }>): Truth => {
    const found = both(e.indices);
    if (found === null) return unknown;
    const one = found.reduce<Expr>((all, { low, high }) => and(all, eq(low, high)), bool(true));
    const element = load(
      e.buffer,
      found.map(({ low }) => low),
      e.type,
    );
    return { all: and(one, element), any: or(not(one), element) };
  };
  /** A set is asked for the whole rectangle of rows and elements. */
  const ask = (e: Extract<Expr, { kind: "set" }>): Truth => {
    const found = both([...e.indices, e.element]);
    if (found === null) return unknown;
    const [rows, element] = [found.slice(0, -1), found.at(-1)!];
    const over = (op: "any" | "all"): Expr => setRectangle(op, e.buffer, rows, element);
    return { all: over("all"), any: over("any") };
  };
  const judge = (e: Expr): Truth => {
    if (e.kind === "load") return lookUp(e);
    if (e.kind === "set") return ask(e);
    if (e.kind === "unary" && e.op === "not") {
      const x = truth(e.operand);
      return { all: not(x.any), any: not(x.all) };
    }
    if (e.kind === "select") {
      const [c, a, b] = [truth(e.condition), truth(e.then), truth(e.otherwise)];
      const mixed = and(a.all, b.all);
      return {
        all: select(c.all, a.all, select(c.any, mixed, b.all)),
        any: select(c.all, a.any, select(c.any, or(a.any, b.any), b.any)),
      };
    }
    if (e.kind === "binary") {
      if (e.op === "and" || e.op === "or") {
        const [a, b] = [truth(e.left), truth(e.right)];
        return { all: binary(e.op, a.all, b.all), any: binary(e.op, a.any, b.any) };
      }
      if ((e.op === "lt" || e.op === "le" || e.op === "eq") && e.left.type !== "bool") return compare(e);
    }
    onUnknown();
    return unknown;
  };
  return { bounds, truth, sum };
}
