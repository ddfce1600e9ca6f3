/** Random attention specs with a weight, a sink or turned queries: normalisers over rows and blocks, factors, reads, blocks of any size. */
import fc from "fast-check";
import * as e from "../../../compiler/ir/expr.ts";
import type { Expr } from "../../../compiler/ir/expr.ts";
import type { Turn } from "../../../compiler/ir/graph.ts";
import type { Normaliser, ReadAt, Weight, WeightCase } from "../../../compiler/ir/weight.ts";
import type { Buffers } from "../../support/random-attention.ts";
import { causal, h, k, q, randomMask } from "../../support/random-mask.ts";
import { randomScore, type ScoreRecipe } from "../../support/random-score.ts";
import { afford, buildSpec, shape, tileShape, type Spec, type Weighting } from "./random-specs.ts";

const blockOf = (x: Expr, n: number): Expr => e.binary("floor-div", x, e.int(n));
const offset = (x: Expr, n: number): Expr => e.binary("mod", x, e.int(n));

/** Below, at and above the kernels' tiles of 64, and odd ones. */
const blockSize = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 12 }) },
  { weight: 3, arbitrary: fc.constantFrom(16, 17, 31, 32, 33, 51, 63, 64, 65, 66, 100, 128, 150) },
);

/** What a weight needs, before its buffers are known. */
interface WeightRecipe {
  readonly name: string;
  readonly build: (buffers: Buffers, mask: Expr) => Weight;
}

const guards: readonly { readonly name: string; readonly build: (mask: Expr, n: number) => Expr }[] = [
  { name: "mask", build: (mask) => mask },
  { name: "causal", build: () => e.le(k, q) },
  { name: "all", build: () => e.bool(true) },
  { name: "none", build: () => e.bool(false) },
  { name: "gates", build: (_, n) => e.eq(offset(k, n), e.int(n - 1)) },
  { name: "no gates", build: (_, n) => e.not(e.eq(offset(k, n), e.int(n - 1))) },
  {
    name: "here or first",
    build: (mask, n) => e.and(mask, e.or(e.eq(blockOf(q, n), blockOf(k, n)), e.eq(offset(k, n), e.int(0)))),
  },
];
const conditions: readonly { readonly name: string; readonly build: (n: number) => Expr }[] = [
  { name: "here", build: (n) => e.eq(blockOf(q, n), blockOf(k, n)) },
  { name: "no gate", build: (n) => e.not(e.eq(offset(k, n), e.int(n - 1))) },
  { name: "even", build: () => e.eq(offset(e.add(k, h), 2), e.int(0)) },
  { name: "near", build: () => e.lt(e.sub(q, k), e.int(9)) },
];

/** A score or the factor of a case: steps of the score generator, kept near one for factors. */
const factorForms: readonly {
  readonly name: string;
  readonly build: (heads: number, buffers: Buffers) => Expr;
}[] = [
  {
    name: "sigmoid",
    build: (heads, buffers) => e.unary("sigmoid", e.add(e.logit, e.load(buffers.table({ h: heads }), [h]))),
  },
  { name: "minus a table", build: (heads, buffers) => e.neg(e.load(buffers.table({ h: heads }), [h])) },
  { name: "bent", build: () => e.add(e.real(0.5), e.unary("tanh", e.logit)) },
  { name: "constant", build: () => e.real(-0.75) },
];

const normaliser = (heads: number) =>
  fc.tuple(
    fc.constantFrom(...guards),
    fc.oneof(fc.constant<ScoreRecipe>({ name: "logit", build: (s) => s }), randomScore(heads)),
  );

/** Weights of any form: each case is drawn by itself. */
const anyWeight = (heads: number): fc.Arbitrary<WeightRecipe> =>
  fc
    .record({
      row: fc.option(normaliser(heads), { freq: 4 }),
      inner: fc.option(normaliser(heads)),
      size: blockSize,
      cases: fc.array(
        fc.record({
          when: fc.option(fc.constantFrom(...conditions)),
          read: fc.constantFrom<ReadAt>("self", "first", "last"),
          local: fc.boolean(),
          factor: fc.option(fc.constantFrom(...factorForms)),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    })
    .map(({ row, inner, size, cases }) => ({
      name: `${row === null ? "no row" : `row ${row[0].name} ${row[1].name}`}, blocks of ${size} ${inner === null ? "" : `${inner[0].name} ${inner[1].name}`}, ${cases
        .map(
          (one) =>
            `[${one.when?.name ?? "any"}: ${row === null ? "" : one.read} ${one.local && inner !== null ? "block" : ""} ${one.factor?.name ?? ""}]`,
        )
        .join(" ")}`,
      build: (buffers, mask) => {
        const made = (of: typeof row): Normaliser | null =>
          of === null ? null : { guard: of[0].build(mask, size), score: of[1].build(e.logit, buffers) };
        return {
          row: made(row),
          block: { size, inner: made(inner) },
          cases: cases.map((one): WeightCase => ({
            when: one.when?.build(size) ?? e.bool(true),
            row: row === null ? null : one.read,
            local: one.local && inner !== null,
            factor: one.factor?.build(heads, buffers) ?? null,
          })),
        };
      },
    }));

/** The two-level softmax: own block as it is, each earlier block through one of its keys. */
const twoLevels: fc.Arbitrary<WeightRecipe> = fc.tuple(blockSize, fc.boolean()).map(([n, first]) => ({
  name: `two levels, blocks of ${n}, through the ${first ? "first" : "last"}`,
  build: () => twoLevelWeight(n, first ? "first" : "last"),
}));

export function twoLevelWeight(n: number, read: "first" | "last"): Weight {
  const gate = e.eq(offset(k, n), e.int(read === "first" ? 0 : n - 1));
  const here = e.eq(blockOf(q, n), blockOf(k, n));
  return {
    row: { guard: e.and(e.le(k, q), e.or(here, gate)), score: e.logit },
    block: { size: n, inner: { guard: e.not(gate), score: e.logit } },
    cases: [
      { when: here, row: "self", local: false, factor: null },
      { when: e.not(gate), row: read, local: true, factor: null },
    ],
  };
}

const randomTurn: fc.Arbitrary<{ readonly name: string; readonly build: (d: number) => Turn }> = fc
  .record({
    by: blockSize,
    position: fc.constantFrom("distance", "half", "by head", "loaded"),
    layout: fc.constantFrom<Turn["layout"]>("half", "interleaved"),
    scale: fc.constantFrom(1, 0.8),
    part: fc.constantFrom(1, 1, 0.5),
  })
  .map(({ by, position, layout, scale, part }) => ({
    name: `turn by ${by} at ${position} ${layout} ${part}`,
    build: (d) => ({
      by,
      layout,
      rotated: 2 * Math.floor((part * d) / 2),
      scale: e.real(scale),
      angle: e.unary("exp", e.mul(e.real(-3 / d), e.toReal(e.index("m")))),
      position: {
        distance: e.sub(q, e.mul(e.int(by), blockOf(k, by))),
        half: e.mul(e.real(0.5), e.toReal(e.sub(q, blockOf(k, by)))),
        "by head": e.add(e.mul(h, e.int(3)), blockOf(k, by)),
        loaded: e.binary("min", q, e.add(blockOf(k, by), e.int(5))),
      }[position]!,
    }),
  }));

const sinkOf = (kind: "zero" | "by head" | "by row", heads: number, buffers: Buffers): Expr => {
  if (kind === "zero") return e.real(0);
  const table = buffers.table({ h: heads });
  if (kind === "by head") return e.load(table, [h]);
  return e.unary("tanh", e.add(e.load(table, [h]), e.div(e.toReal(q), e.real(30))));
};

const specOf: fc.Arbitrary<Spec> = shape.chain((given) => {
  const { groups, each } = afford(given);
  const heads = groups * each;
  const weight = fc.oneof({ weight: 3, arbitrary: anyWeight(heads) }, { weight: 2, arbitrary: twoLevels });
  return fc
    .record({
      mask: fc.oneof(fc.constant(causal), randomMask({ heads })),
      score: randomScore(heads),
      weight: fc.option(weight, { freq: 4 }),
      sink: fc.option(fc.constantFrom("zero" as const, "by head" as const, "by row" as const)),
      turn: fc.option(randomTurn),
    })
    .map(({ mask, score, weight: own, sink, turn }) => {
      const weighting: Weighting = {
        name: [own?.name ?? "softmax", sink === null ? "" : `sink ${sink}`, turn?.name ?? ""].join(" "),
        build: (buffers, seen, d) => {
          const made = own?.build(buffers, seen) ?? null;
          // One term more needs a denominator.
          const takes = made === null || made.row !== null;
          return {
            weight: made,
            sink: sink === null || !takes ? null : sinkOf(sink, heads, buffers),
            // Of several regions, the first turns its queries and the last does not.
            turn: (region) => (turn !== null && region === 0 ? turn.build(d) : null),
          };
        },
      };
      const rowless = own?.build({ ...nowhere }, e.bool(true)).row === null;
      return buildSpec(
        rowless ? { ...given, early: 0 } : given,
        mask,
        () => (own === null ? score : { name: "logit", build: (s) => s }),
        weighting,
      );
    });
});

/** Weights of two levels in shapes that tensor cores take whole, with blocks that lie whole in their tiles. */
const levelSpec: fc.Arbitrary<Spec> = tileShape.chain((given) => {
  const { groups, each } = afford(given);
  const heads = groups * each;
  return fc
    .record({
      mask: fc.oneof(
        { weight: 2, arbitrary: fc.constant(causal) },
        { weight: 1, arbitrary: randomMask({ heads }) },
      ),
      size: fc.constantFrom(16, 32, 64, 64),
      read: fc.constantFrom("first" as const, "last" as const, "last" as const),
      sink: fc.option(fc.constantFrom("zero" as const, "by head" as const, "by row" as const), { freq: 2 }),
    })
    .map(({ mask, size, read, sink }) =>
      buildSpec(given, mask, () => ({ name: "logit", build: (s) => s }), {
        name: `two levels, blocks of ${size}, through the ${read}${sink === null ? "" : `, sink ${sink}`}`,
        build: (buffers) => ({
          weight: twoLevelWeight(size, read),
          sink: sink === null ? null : sinkOf(sink, heads, buffers),
          turn: () => null,
        }),
      }),
    );
});

/** `count` specs of such weights that follow from the seed; those whose masks read tables no such kernel takes. */
export const randomLevelSpecs = (count: number, seed: number): Spec[] =>
  fc.sample(levelSpec, { numRuns: count, seed });

/** Buffers that only count, to ask a recipe what it makes. */
const nowhere: Buffers = { nodes: [], documents: () => 0, starts: () => 0, table: () => 0 };

/** `count` specs that follow from the seed. */
export const randomWeightedSpecs = (count: number, seed: number): Spec[] =>
  fc.sample(specOf, { numRuns: count, seed });
