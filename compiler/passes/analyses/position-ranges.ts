/** Which keys a block of queries can see, and which queries can see a block of keys, as intervals of positions. */
import {
  add,
  and,
  binary,
  bool,
  index,
  int,
  le,
  load,
  lt,
  neg,
  not,
  select,
  size,
  someExpr,
  sub,
  type Expr,
} from "../../ir/expr.ts";
import { addForms, linearForm, type LinearForm } from "../../ir/linear.ts";
import type { Bounds, PositionInterval, PositionRanges } from "../../ir/block-facts.ts";
import { simplifyExpr } from "../../ir/simplify-expr.ts";
import { symbolicBounds, type SymbolicBounds } from "./symbolic-bounds.ts";

export interface RangeOptions {
  /** Buffers that do not decrease along a row. */
  readonly rising?: ReadonlySet<number>;
  /** Buffers of document ids and of the first position of each position's document. */
  readonly documents?: { readonly ids: number; readonly starts: number };
}

/** More alternatives than this are not told apart. */
const mostAlternatives = 32;

const min = (a: Expr, b: Expr): Expr => binary("min", a, b);
const max = (a: Expr, b: Expr): Expr => binary("max", a, b);

/** A mask as alternatives, each a list of comparisons that must all hold; null when there are too many. */
function alternatives(e: Expr, holds: boolean): readonly (readonly Expr[])[] | null {
  const cross = (a: Expr, b: Expr, aHolds: boolean, bHolds: boolean): readonly (readonly Expr[])[] | null => {
    const [left, right] = [alternatives(a, aHolds), alternatives(b, bHolds)];
    if (left === null || right === null || left.length * right.length > mostAlternatives) return null;
    return left.flatMap((x) => right.map((y) => [...x, ...y]));
  };
  const union = (
    ...parts: readonly (readonly (readonly Expr[])[] | null)[]
  ): readonly (readonly Expr[])[] | null => {
    const all = parts.flatMap((part) => part ?? []);
    return parts.includes(null) || all.length > mostAlternatives ? null : all;
  };
  if (e.kind === "constant") return (e.value !== 0) === holds ? [[]] : [];
  if (e.kind === "unary" && e.op === "not") return alternatives(e.operand, !holds);
  if (e.kind === "binary" && (e.op === "and" || e.op === "or"))
    return (e.op === "and") === holds
      ? cross(e.left, e.right, holds, holds)
      : union(alternatives(e.left, holds), alternatives(e.right, holds));
  if (e.kind === "select")
    return union(cross(e.condition, e.then, true, holds), cross(e.condition, e.otherwise, false, holds));
  if (holds) return [[e]];
  if (e.kind === "binary" && e.left.type === "int") {
    if (e.op === "eq") return [[lt(e.left, e.right)], [lt(e.right, e.left)]];
    if (e.op === "lt") return [[le(e.right, e.left)]];
    if (e.op === "le") return [[lt(e.right, e.left)]];
  }
  return [[not(e)]];
}

class RangeFinder {
  /** The index whose positions are sought. */
  readonly #sought: string;
  readonly #bounds: SymbolicBounds;
  readonly #options: RangeOptions;
  /** The other index, over a block from … to. */
  readonly #block: { readonly name: string } & Bounds;
  exact = true;

  constructor(sought: "q" | "k", block: { readonly name: string } & Bounds, options: RangeOptions) {
    this.#sought = sought;
    this.#block = block;
    this.#options = options;
    this.#bounds = symbolicBounds(
      new Map([[block.name, block]]),
      options.rising ?? new Set(),
      () => (this.exact = false),
    );
  }

  #reads(e: Expr): boolean {
    return someExpr(e, (part) => part.kind === "index" && part.name === this.#sought);
  }

  /** Narrows an interval to where a comparison can hold. */
  narrow(interval: PositionInterval, e: Expr): PositionInterval {
    if (!this.#reads(e)) return { ...interval, when: and(interval.when, this.#bounds.truth(e).any) };
    const documents = this.#documentStart(e);
    if (documents !== null) {
      this.exact = false;
      return { ...interval, from: max(interval.from, documents) };
    }
    if (e.kind === "binary" && e.left.type === "int" && (e.op === "le" || e.op === "lt" || e.op === "eq")) {
      const difference = addForms(linearForm(e.left), linearForm(e.right), -1);
      const above = { constant: e.op === "lt" ? 1 : 0, terms: new Map<Expr, number>() };
      const narrowed = this.#solve(interval, addForms(difference, above), int(0));
      if (e.op !== "eq") return narrowed;
      return this.#solve(narrowed, addForms({ constant: 0, terms: new Map() }, difference, -1), int(0));
    }
    this.exact = false;
    return interval;
  }

  /** Keys of the same document start where the first query's document starts. */
  #documentStart(e: Expr): Expr | null {
    const { documents } = this.#options;
    if (documents === undefined || this.#sought !== "k" || e.kind !== "binary" || e.op !== "eq") return null;
    const ids = load(documents.ids, [index("q")], "int");
    const own = load(documents.ids, [index("k")], "int");
    const same = (e.left === ids && e.right === own) || (e.left === own && e.right === ids);
    return same ? load(documents.starts, [this.#block.low], "int") : null;
  }

  /** Narrows to where form + offset ≤ 0 can hold; the offset does not depend on the positions sought. */
  #solve(interval: PositionInterval, form: LinearForm, offset: Expr): PositionInterval {
    const sought = [...form.terms].filter(([part]) => this.#reads(part));
    const rest = this.#bounds.sum({
      constant: form.constant,
      terms: new Map([...form.terms].filter(([part]) => !this.#reads(part))),
    });
    const [only, ...more] = sought;
    if (rest === null || more.length > 0) {
      this.exact = false;
      return interval;
    }
    const low = add(rest.low, offset);
    // Terms in the position may have cancelled.
    if (only === undefined) return { ...interval, when: and(interval.when, le(low, int(0))) };
    const [part, factor] = only;
    const room = neg(low);
    // factor · part ≤ room: an upper bound of the part, or a lower one.
    const limit =
      factor > 0 ? binary("floor-div", room, int(factor)) : neg(binary("floor-div", room, int(-factor)));
    if (part.kind === "index")
      return factor > 0
        ? { ...interval, to: min(interval.to, limit) }
        : { ...interval, from: max(interval.from, limit) };
    if (
      part.kind === "binary" &&
      part.op === "floor-div" &&
      part.right.kind === "constant" &&
      part.right.value > 0
    ) {
      const n = part.right;
      const inner = linearForm(part.left);
      // ⌊x / n⌋ ≤ limit means x ≤ limit · n + n − 1; ⌊x / n⌋ ≥ limit means x ≥ limit · n.
      if (factor > 0) return this.#solve(interval, inner, neg(add(mulBy(limit, n), sub(n, int(1)))));
      return this.#solve(interval, addForms({ constant: 0, terms: new Map() }, inner, -1), mulBy(limit, n));
    }
    this.exact = false;
    return interval;
  }
}

const mulBy = (x: Expr, n: Expr): Expr => binary("mul", x, n);

function ranges(
  mask: Expr,
  sought: "q" | "k",
  block: { readonly name: string } & Bounds,
  limits: Bounds,
  options: RangeOptions,
): PositionRanges {
  const finder = new RangeFinder(sought, block, options);
  const parts = alternatives(simplifyExpr(mask), true);
  if (parts === null) finder.exact = false;
  const whole: PositionInterval = { when: bool(true), from: limits.low, to: limits.high };
  const intervals = (parts ?? [[]]).map((comparisons) => {
    const found = comparisons.reduce<PositionInterval>((interval, e) => finder.narrow(interval, e), whole);
    return { when: simplifyExpr(found.when), from: simplifyExpr(found.from), to: simplifyExpr(found.to) };
  });
  const nowhere = { low: add(limits.high, int(1)), high: sub(limits.low, int(1)) };
  const hull = intervals.reduce<Bounds>((around, { when, from, to }) => {
    const some = and(when, le(from, to));
    return {
      low: min(around.low, select(some, from, nowhere.low)),
      high: max(around.high, select(some, to, nowhere.high)),
    };
  }, nowhere);
  return {
    intervals,
    hull: { low: simplifyExpr(hull.low), high: simplifyExpr(hull.high) },
    exact: finder.exact && parts !== null,
  };
}

/** Keys that queries `q0` … `q1` can see (indices of those names; also `h`), of keys 0 … length − 1. */
export const keyRanges = (mask: Expr, options: RangeOptions = {}): PositionRanges =>
  ranges(
    mask,
    "k",
    { name: "q", low: index("q0"), high: index("q1") },
    { low: int(0), high: sub(size("length"), int(1)) },
    options,
  );

/** Queries that can see keys `k0` … `k1`, of queries query-start … query-start + query-length − 1. */
export const queryRanges = (mask: Expr, options: RangeOptions = {}): PositionRanges =>
  ranges(
    mask,
    "q",
    { name: "k", low: index("k0"), high: index("k1") },
    { low: size("query-start"), high: sub(add(size("query-start"), size("query-length")), int(1)) },
    options,
  );
