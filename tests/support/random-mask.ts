/** fast-check arbitraries of masks over q, k, h: causal, windows, blocks, dilation, sinks, documents and combinations. */
import fc from "fast-check";
import * as e from "../../compiler/ir/expr.ts";
import type { Expr } from "../../compiler/ir/expr.ts";
import type { Buffers } from "./random-attention.ts";

/** A mask that still needs its buffers; `name` says what it is when a test fails. */
export interface MaskRecipe {
  readonly name: string;
  readonly build: (buffers: Buffers) => Expr;
}

export const q: Expr = e.index("q");
export const k: Expr = e.index("k");
export const h: Expr = e.index("h");
const distance = e.sub(q, k);
const blockOf = (x: Expr, n: number): Expr => e.binary("floor-div", x, e.int(n));

const recipe = (name: string, build: (buffers: Buffers) => Expr): MaskRecipe => ({ name, build });
export const causal = recipe("causal", () => e.le(k, q));

const count = fc.integer({ min: 1, max: 7 });

/** Masks that say one thing. `documents` allows those that load batch data. */
export function plainMask({ documents = true, heads = 4 } = {}): fc.Arbitrary<MaskRecipe> {
  const plain: fc.Arbitrary<MaskRecipe>[] = [
    fc.constant(causal),
    fc.constant(recipe("all", () => e.bool(true))),
    count.map((n) => recipe(`window ${n}`, () => e.lt(distance, e.int(n)))),
    count.map((n) => recipe(`two-sided window ${n}`, () => e.lt(e.unary("abs", distance), e.int(n)))),
    count.map((n) => recipe(`first ${n}`, () => e.lt(k, e.int(n)))),
    count.map((n) => recipe(`same block of ${n}`, () => e.eq(blockOf(q, n), blockOf(k, n)))),
    count.map((n) => recipe(`earlier block of ${n}`, () => e.lt(blockOf(k, n), blockOf(q, n)))),
    count.map((n) => recipe(`every ${n}th`, () => e.eq(e.binary("mod", distance, e.int(n)), e.int(0)))),
    count.map((n) => recipe(`last of block of ${n}`, () => e.eq(e.binary("mod", k, e.int(n)), e.int(n - 1)))),
    fc.tuple(count, fc.integer({ min: 0, max: heads })).map(([n, half]) =>
      recipe(`block of ${n} shifted from head ${half}`, () => {
        const shift = e.select(e.lt(h, e.int(half)), e.int(0), e.int(Math.floor(n / 2)));
        return e.eq(
          e.binary("floor-div", e.add(q, shift), e.int(n)),
          e.binary("floor-div", e.add(k, shift), e.int(n)),
        );
      }),
    ),
    count.map((n) =>
      recipe(`window ${n} wider by head`, () => e.lt(distance, e.mul(e.int(n), e.add(h, e.int(1))))),
    ),
    count.map((n) => recipe(`last ${n} of the row`, () => e.le(e.sub(e.size("length"), e.int(n)), k))),
    count.map((n) =>
      recipe(`a ${n}th of the length`, () => e.lt(k, e.binary("floor-div", e.size("length"), e.int(n)))),
    ),
  ];
  if (documents) {
    plain.push(
      fc.constant(
        recipe("same document", (buffers) => {
          const n = buffers.documents();
          return e.eq(e.load(n, [q], "int"), e.load(n, [k], "int"));
        }),
      ),
      count.map((n) =>
        recipe(`first ${n} of the document`, (buffers) => {
          const starts = buffers.starts();
          return e.lt(e.sub(k, e.load(starts, [k], "int")), e.int(n));
        }),
      ),
    );
  }
  return fc.oneof(...plain);
}

/** Combinations of plain masks; most are causal, as decoders' are, and some rows may be empty. */
export function randomMask(
  options: { documents?: boolean; heads?: number; depth?: number } = {},
): fc.Arbitrary<MaskRecipe> {
  const combine = (depth: number): fc.Arbitrary<MaskRecipe> => {
    const plain = plainMask(options);
    if (depth === 0) return plain;
    const inner = combine(depth - 1);
    const pair = fc.tuple(inner, inner);
    return fc.oneof(
      plain,
      pair.map(([a, b]) =>
        recipe(`(${a.name} and ${b.name})`, (given) => e.and(a.build(given), b.build(given))),
      ),
      pair.map(([a, b]) =>
        recipe(`(${a.name} or ${b.name})`, (given) => e.or(a.build(given), b.build(given))),
      ),
      inner.map((a) => recipe(`not ${a.name}`, (given) => e.not(a.build(given)))),
    );
  };
  const any = combine(options.depth ?? 2);
  return fc.oneof(
    any,
    any.map((a) => recipe(`(causal and ${a.name})`, (given) => e.and(causal.build(given), a.build(given)))),
  );
}
