/** Interval proofs against brute force: numeric bounds, block decisions of masks, and ranges of keys and queries. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exprEvaluator, noValues, type ExprValues } from "../../compiler/ir/evaluate-expr.ts";
import * as e from "../../compiler/ir/expr.ts";
import type { Expr } from "../../compiler/ir/expr.ts";
import { exprInterval, span } from "../../compiler/ir/intervals.ts";
import { formExpr, linearForm } from "../../compiler/ir/linear.ts";
import { showExpr } from "../../compiler/ir/print-expr.ts";
import { simplifyExpr } from "../../compiler/ir/simplify-expr.ts";
import { maskBounds, risingBuffers } from "../../compiler/passes/analyses/mask-bounds.ts";
import type { PositionRanges } from "../../compiler/ir/block-facts.ts";
import { keyRanges, queryRanges } from "../../compiler/passes/analyses/position-ranges.ts";
import { newBuffers } from "../support/random-attention.ts";
import { logicExpr, smoothExpr, wholeExpr } from "../support/random-expr.ts";
import { h, k, plainMask, q, randomMask } from "../support/random-mask.ts";
import { randomDocuments, randomNumbers } from "../support/random-values.ts";

const leaves: readonly Expr[] = [q, k, h, e.size("length")];

describe("numeric intervals", () => {
  const box = fc.tuple(fc.nat(9), fc.nat(4), fc.nat(9), fc.nat(4), fc.nat(3));
  const contains = (body: Expr, [q0, dq, k0, dk, head]: [number, number, number, number, number]): void => {
    const length = 12;
    const bounds = exprInterval(body, {
      index: (name) =>
        name === "q" ? span(q0, q0 + dq) : name === "k" ? span(k0, k0 + dk) : span(head, head),
      size: () => span(length, length),
    });
    const value = exprEvaluator(body);
    for (let i = q0; i <= q0 + dq; i++)
      for (let j = k0; j <= k0 + dk; j++) {
        const index = (name: string): number => (name === "q" ? i : name === "k" ? j : head);
        const found = value({ ...noValues, index, size: () => length });
        if (!(found >= bounds.low && found <= bounds.high))
          expect({ body: showExpr(body), found, bounds }).toBe("within bounds");
      }
  };
  it("hold every whole number", () => {
    fc.assert(fc.property(wholeExpr(leaves, 3), box, contains), { numRuns: 1500 });
  });
  it("hold every truth value", () => {
    fc.assert(fc.property(logicExpr(leaves, 2), box, contains), { numRuns: 1500 });
  });
  it("hold every real number", () => {
    const reals = [e.toReal(q), e.toReal(e.sub(q, k)), e.div(e.toReal(k), e.real(7))];
    fc.assert(
      fc.property(smoothExpr(reals, 3), box, (body, at) => contains(e.toReal(body), at)),
      { numRuns: 800 },
    );
  });
  it("are exact for a difference of positions", () => {
    const bounds = exprInterval(e.sub(e.add(q, e.int(3)), e.sub(k, q)), {
      index: (name) => (name === "q" ? span(4, 7) : span(0, 2)),
      size: () => span(0, 0),
    });
    expect(bounds).toEqual({ low: 9, high: 17 });
  });
  it("bound members and ranks of sets, of which nothing is known", () => {
    const over = { index: () => span(-3, 9), size: () => span(1, 12) };
    expect(exprInterval(e.member(0, [q], k), over)).toEqual({ low: 0, high: 1 });
    expect(exprInterval(e.rank(0, [q], k), over)).toEqual({ low: 0, high: 9 });
    expect(exprInterval(e.rank(0, [q], e.sub(k, e.int(12))), over)).toEqual({ low: 0, high: 0 });
  });
  it("prove that a causal mask excludes later keys", () => {
    const later = {
      index: (name: string) => (name === "q" ? span(0, 5) : span(6, 9)),
      size: () => span(10, 10),
    };
    expect(exprInterval(e.le(k, q), later)).toEqual({ low: 0, high: 0 });
    expect(exprInterval(e.lt(e.sub(q, k), e.int(0)), later)).toEqual({ low: 1, high: 1 });
  });
});

describe("the same value in another form", () => {
  const values = fc.tuple(fc.nat(11), fc.nat(11), fc.nat(3));
  const agree = (a: Expr, b: Expr, [i, j, head]: [number, number, number]): void => {
    const index = (name: string): number => (name === "q" ? i : name === "k" ? j : head);
    const given: ExprValues = { ...noValues, index, size: () => 12 };
    const [x, y] = [exprEvaluator(a)(given), exprEvaluator(b)(given)];
    if (x !== y)
      expect({ a: showExpr(a), b: showExpr(b), x }).toEqual({ a: showExpr(a), b: showExpr(b), x: y });
  };
  it("simplified whole numbers and truth values", () => {
    const any = fc.oneof(wholeExpr(leaves, 4), logicExpr(leaves, 3));
    fc.assert(
      fc.property(any, values, (body, at) => agree(body, simplifyExpr(body), at)),
      { numRuns: 3000 },
    );
  });
  it("simplified real numbers", () => {
    const close = (body: Expr, x: number, y: number): void => {
      const given = { ...noValues, operand: (n: number) => (n === 0 ? x : y) };
      const [a, b] = [exprEvaluator(body)(given), exprEvaluator(simplifyExpr(body))(given)];
      expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(a)));
    };
    const real = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(smoothExpr([e.operand(0), e.operand(1)], 4), real, real, (body, x, y) =>
        close(e.toReal(body), x, y),
      ),
      { numRuns: 800 },
    );
  });
  it("sums", () => {
    fc.assert(
      fc.property(wholeExpr(leaves, 4), values, (body, at) => agree(body, formExpr(linearForm(body)), at)),
      { numRuns: 1000 },
    );
  });
});

/** Leaves at a pair, or at corners, of one row of batch data. */
function rowValues(
  length: number,
  indices: Readonly<Record<string, number>>,
  tables: readonly (readonly number[])[],
): ExprValues {
  return {
    ...noValues,
    index: (name) => {
      const value = indices[name];
      if (value === undefined) throw new Error(`reads ${name}`);
      return value;
    },
    size: (name) => (name === "query-start" ? 0 : length),
    load: (buffer, [at]) => {
      const found = tables[buffer]?.[at!];
      if (found === undefined) throw new RangeError(`loads ${at} of buffer ${buffer}`);
      return found;
    },
  };
}

function tablesOf(
  buffers: ReturnType<typeof newBuffers>,
  length: number,
  seed: number,
): readonly (readonly number[])[] {
  const { ids, starts } = randomDocuments(length, randomNumbers(seed));
  return buffers.nodes.map((node) => (node.kind === "input" && node.name === "documents" ? ids : starts));
}

describe("masks over blocks", () => {
  const place = fc.record({
    length: fc.integer({ min: 1, max: 14 }),
    head: fc.nat(3),
    block: fc.integer({ min: 1, max: 5 }),
    seed: fc.nat(500),
  });

  it("all and any are never wrong", () => {
    let decided = 0;
    let total = 0;
    fc.assert(
      fc.property(randomMask(), place, (recipe, { length, head, block, seed }) => {
        const buffers = newBuffers("mask");
        const mask = recipe.build(buffers);
        const { all, any } = maskBounds(mask, risingBuffers({ buffers: buffers.nodes }));
        const tables = tablesOf(buffers, length, seed);
        const [holds, allOf, anyOf] = [mask, all, any].map(exprEvaluator);
        for (let q0 = 0; q0 < length; q0 += block)
          for (let k0 = 0; k0 < length; k0 += block) {
            const [q1, k1] = [q0, k0].map((x) => Math.min(x + block, length) - 1) as [number, number];
            const corners = rowValues(length, { q0, q1, k0, k1, h: head }, tables);
            const [isAll, isAny] = [allOf!(corners) !== 0, anyOf!(corners) !== 0];
            let [every, some] = [true, false];
            for (let i = q0; i <= q1; i++)
              for (let j = k0; j <= k1; j++) {
                const one = holds!(rowValues(length, { q: i, k: j, h: head }, tables)) !== 0;
                [every, some] = [every && one, some || one];
              }
            const case_ = { mask: showExpr(mask), q0, q1, k0, k1, head, length };
            if (isAll && !every) expect(case_).toBe("true for all pairs");
            if (!isAny && some) expect(case_).toBe("true for no pair");
            total++;
            if (isAll === every && isAny === some) decided++;
          }
      }),
      { numRuns: 400 },
    );
    // Conservative, but not useless: nearly every block is decided as brute force decides it.
    expect(decided / total).toBeGreaterThan(0.9);
  });

  it.each([
    ["causal", e.le(k, q)],
    ["causal window", e.and(e.le(k, q), e.lt(e.sub(q, k), e.int(3)))],
    ["two-sided window", e.lt(e.unary("abs", e.sub(q, k)), e.int(2))],
    ["same block", e.eq(e.binary("floor-div", q, e.int(3)), e.binary("floor-div", k, e.int(3)))],
    ["first keys", e.and(e.le(k, q), e.lt(k, e.int(2)))],
  ] as const)("%s is decided exactly", (_, mask) => {
    const { all, any } = maskBounds(mask);
    const [holds, allOf, anyOf] = [mask, all, any].map(exprEvaluator);
    for (const block of [1, 2, 3, 5])
      for (let q0 = 0; q0 < 12; q0 += block)
        for (let k0 = 0; k0 < 12; k0 += block) {
          const [q1, k1] = [Math.min(q0 + block, 12) - 1, Math.min(k0 + block, 12) - 1];
          const pairs: boolean[] = [];
          for (let i = q0; i <= q1; i++)
            for (let j = k0; j <= k1; j++) pairs.push(holds!(rowValues(12, { q: i, k: j, h: 0 }, [])) !== 0);
          const corners = rowValues(12, { q0, q1, k0, k1, h: 0 }, []);
          // A window and causality are judged one by one, so only their meeting may stay open; alone each is exact.
          expect(allOf!(corners) !== 0).toBe(pairs.every(Boolean));
          if (_ !== "causal window") expect(anyOf!(corners) !== 0).toBe(pairs.some(Boolean));
        }
  });

  it("a table of blocks is decided by its own element where blocks are the kernel's, and never wrongly", () => {
    const [size, count] = [3, 4];
    const at = (x: Expr): Expr => e.binary("floor-div", x, e.int(size));
    const mask = e.and(e.le(k, q), e.load(0, [at(q), at(k)], "bool"));
    const { all, any } = maskBounds(mask);
    const [holds, allOf, anyOf] = [mask, all, any].map(exprEvaluator);
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: count * count, maxLength: count * count }),
        fc.integer({ min: 1, max: 7 }),
        (table, block) => {
          const values = (indices: Readonly<Record<string, number>>): ExprValues => ({
            ...noValues,
            index: (name) => indices[name]!,
            load: (_, [i, j]) => Number(table[i! * count + j!]!),
          });
          for (let q0 = 0; q0 < size * count; q0 += block)
            for (let k0 = 0; k0 < size * count; k0 += block) {
              const [q1, k1] = [q0, k0].map((x) => Math.min(x + block, size * count) - 1) as [number, number];
              const pairs: boolean[] = [];
              for (let i = q0; i <= q1; i++)
                for (let j = k0; j <= k1; j++) pairs.push(holds!(values({ q: i, k: j })) !== 0);
              const corners = values({ q0, q1, k0, k1 });
              const [isAll, isAny] = [allOf!(corners) !== 0, anyOf!(corners) !== 0];
              expect(isAll && !pairs.every(Boolean)).toBe(false);
              expect(!isAny && pairs.some(Boolean)).toBe(false);
              if (block === size) expect([isAll, isAny]).toEqual([pairs.every(Boolean), pairs.some(Boolean)]);
            }
        },
      ),
      { numRuns: 200 },
    );
  });

  it("a set of blocks for each block of rows is decided by its own member, and never wrongly", () => {
    const [size, count] = [3, 4];
    const at = (x: Expr): Expr => e.binary("floor-div", x, e.int(size));
    const held = e.member(0, [at(q)], at(k));
    const masks = [
      e.and(e.le(k, q), held),
      e.and(e.le(k, q), e.not(held)),
      e.and(held, e.lt(e.rank(0, [at(q)], at(k)), e.int(2))),
    ];
    fc.assert(
      fc.property(
        fc.array(fc.nat(2 ** count - 1), { minLength: count, maxLength: count }),
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom(...masks),
        (words, block, mask) => {
          const { all, any } = maskBounds(mask);
          const [holds, allOf, anyOf] = [mask, all, any].map(exprEvaluator);
          const ranges = [keyRanges(mask), queryRanges(mask)] as const;
          const values = (indices: Readonly<Record<string, number>>): ExprValues => ({
            ...noValues,
            index: (name) => indices[name] ?? 0,
            size: (name) => (name === "query-start" ? 0 : size * count),
            load: (_, [row]) => words[row!]!,
            words: () => 1,
          });
          for (let q0 = 0; q0 < size * count; q0 += block)
            for (let k0 = 0; k0 < size * count; k0 += block) {
              const [q1, k1] = [q0, k0].map((x) => Math.min(x + block, size * count) - 1) as [number, number];
              const seen: [number, number][] = [];
              for (let i = q0; i <= q1; i++)
                for (let j = k0; j <= k1; j++) if (holds!(values({ q: i, k: j })) !== 0) seen.push([i, j]);
              const corners = values({ q0, q1, k0, k1 });
              const [isAll, isAny] = [allOf!(corners) !== 0, anyOf!(corners) !== 0];
              const every = seen.length === (q1 - q0 + 1) * (k1 - k0 + 1);
              expect(isAll && !every).toBe(false);
              expect(!isAny && seen.length > 0).toBe(false);
              // A rank is bounded, not looked up, so a mask that reads one may stay open.
              if (block === size && mask !== masks[2])
                expect([isAll, isAny]).toEqual([every, seen.length > 0]);
              ranges.forEach((found, side) => {
                const inside = (position: number): boolean =>
                  found.intervals.some(({ when, from, to }) => {
                    const [open, low, high] = [when, from, to].map((x) => exprEvaluator(x)(corners));
                    return open !== 0 && low! <= position && position <= high!;
                  });
                for (const pair of seen) expect(inside(pair[1 - side]!)).toBe(true);
              });
            }
        },
      ),
      { numRuns: 100 },
    );
  });

  const holdsRanges = (
    found: PositionRanges,
    mask: Expr,
    sought: "q" | "k",
    place: { length: number; head: number; block: number },
    tables: readonly (readonly number[])[],
  ): void => {
    const { length, head, block } = place;
    const holds = exprEvaluator(mask);
    const intervals = found.intervals.map((one) => [one.when, one.from, one.to].map(exprEvaluator));
    const [low, high] = [exprEvaluator(found.hull.low), exprEvaluator(found.hull.high)];
    const [from, to] = sought === "k" ? ["q0", "q1"] : ["k0", "k1"];
    for (let start = 0; start < length; start += block) {
      const end = Math.min(start + block, length) - 1;
      const corners = rowValues(length, { [from!]: start, [to!]: end, h: head }, tables);
      const ranges = intervals.map((one) => one.map((part) => part!(corners)));
      for (let position = 0; position < length; position++) {
        const listed = ranges.some(([when, a, b]) => when !== 0 && a! <= position && position <= b!);
        let some = false;
        for (let other = start; other <= end; other++) {
          const pair = sought === "k" ? { q: other, k: position } : { q: position, k: other };
          some ||= holds(rowValues(length, { ...pair, h: head }, tables)) !== 0;
        }
        const case_ = { mask: showExpr(mask), sought, start, end, position, head, length };
        if (some && !listed) expect(case_).toBe("in an interval");
        if (listed && !(low(corners) <= position && position <= high(corners)))
          expect(case_).toBe("in the hull");
        if (found.exact && start === end && listed && !some) expect(case_).toBe("outside exact intervals");
      }
    }
  };

  it("ranges of keys and queries leave nothing out, and exact ones add nothing", () => {
    let exact = 0;
    fc.assert(
      fc.property(fc.oneof(plainMask(), randomMask()), place, (recipe, at) => {
        const buffers = newBuffers("mask");
        const mask = recipe.build(buffers);
        const options = { rising: risingBuffers({ buffers: buffers.nodes }) };
        const tables = tablesOf(buffers, at.length, at.seed);
        for (const [sought, found] of [
          ["k", keyRanges(mask, options)],
          ["q", queryRanges(mask, options)],
        ] as const) {
          if (found.exact) exact++;
          holdsRanges(found, mask, sought, at, tables);
        }
      }),
      { numRuns: 400 },
    );
    expect(exact).toBeGreaterThan(200);
  });

  it("documents start their keys", () => {
    fc.assert(
      fc.property(place, (at) => {
        const buffers = newBuffers("mask");
        const documents = { ids: buffers.documents(), starts: buffers.starts() };
        const same = e.eq(e.load(documents.ids, [q], "int"), e.load(documents.ids, [k], "int"));
        const mask = e.and(e.le(k, q), same);
        const found = keyRanges(mask, { documents, rising: risingBuffers({ buffers: buffers.nodes }) });
        const tables = tablesOf(buffers, at.length, at.seed);
        holdsRanges(found, mask, "k", at, tables);
        const last = at.length - 1;
        const corners = rowValues(at.length, { q0: last, q1: last, h: 0 }, tables);
        // For one row, causal keys of its document are exactly start … q.
        expect(exprEvaluator(found.hull.low)(corners)).toBe(tables[documents.starts]![last]);
        expect(exprEvaluator(found.hull.high)(corners)).toBe(last);
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ["causal", e.le(k, q), true],
    ["window", e.and(e.le(k, q), e.lt(e.sub(q, k), e.int(4))), true],
    ["window and first keys", e.and(e.le(k, q), e.or(e.lt(e.sub(q, k), e.int(4)), e.lt(k, e.int(2)))), true],
    ["earlier blocks", e.lt(e.binary("floor-div", k, e.int(4)), e.binary("floor-div", q, e.int(4))), true],
    ["dilation", e.eq(e.binary("mod", e.sub(q, k), e.int(2)), e.int(0)), false],
  ] as const)("%s: exact %s", (_, mask, exact) => {
    expect(keyRanges(mask).exact).toBe(exact);
    expect(queryRanges(mask).exact).toBe(exact);
  });
});
