/** Random attention specs: shapes, masks, scores, regions and inputs, as nodes whose operands are plain parameters. */
import fc from "fast-check";
import * as e from "../../../compiler/ir/expr.ts";
import { attentionSlopes } from "../../../compiler/ir/attention-slopes.ts";
import {
  attentionGradientNode,
  attentionNode,
  axis,
  batchAxis,
  tokenAxis,
  type AttentionParts,
} from "../../../compiler/ir/graph-build.ts";
import type { NodeOf } from "../../../compiler/ir/graph-operands.ts";
import type { Axis, Node, RotateNode, Turn } from "../../../compiler/ir/graph.ts";
import type { Sizes } from "../../../runtime/program.ts";
import { newBuffers, type Buffers } from "../../support/random-attention.ts";
import { causal, k, q, randomMask, type MaskRecipe } from "../../support/random-mask.ts";
import { randomScore, type ScoreRecipe } from "../../support/random-score.ts";
import type { TextMeaning } from "./random-texts.ts";

export interface Spec {
  readonly name: string;
  readonly sizes: Sizes;
  readonly attention: NodeOf<"attention">;
  readonly gradient: NodeOf<"attention-gradient">;
  /** Rotations of a spec from a text, over rows that are given. */
  readonly rotations: readonly RotateNode[];
  /** What the clauses of a text say; null where the spec was made of nodes. */
  readonly meaning: TextMeaning | null;
  /** Spread of queries and keys: large ones make sharp weights. */
  readonly deviation: number;
  readonly seed: number;
}

/** An operand of any axes; its values are given. */
export const leaf = (path: string, axes: readonly Axis[]): Node => ({
  kind: "parameter",
  path,
  axes,
  init: { kind: "constant", value: 0 },
  trainable: true,
  dtype: "f32",
  site: path,
  origin: [],
});

const distance = e.sub(q, k);
/** Masks whose edges lie inside, at and beyond the kernels' blocks of 64. */
const wideMask: fc.Arbitrary<MaskRecipe> = fc
  .tuple(fc.constantFrom("window", "block", "sinks", "every", "band"), fc.integer({ min: 8, max: 150 }))
  .map(([kind, n]) => ({
    name: `causal ${kind} ${n}`,
    build: () => {
      const block = (x: e.Expr): e.Expr => e.binary("floor-div", x, e.int(n));
      const part = {
        window: () => e.lt(distance, e.int(n)),
        block: () => e.eq(block(q), block(k)),
        sinks: () => e.or(e.lt(k, e.int(n % 7)), e.lt(distance, e.int(n))),
        every: () => e.eq(e.binary("mod", distance, e.int(n)), e.int(0)),
        band: () => e.lt(e.int(n), distance),
      }[kind]!();
      return e.and(causal.build(newBuffers("none")), part);
    },
  }));

const regionUpTo = (most: number): fc.Arbitrary<e.Expr> =>
  fc
    .tuple(fc.constantFrom("near", "first", "odd"), fc.integer({ min: 1, max: most }))
    .map(([kind, n]) =>
      kind === "near"
        ? e.lt(distance, e.int(n))
        : kind === "first"
          ? e.lt(k, e.int(n))
          : e.eq(e.binary("mod", k, e.int(2)), e.int(n % 2)),
    );
const regionWhen = regionUpTo(90);

/** Head sizes around multiples of the vectors' lanes, and any other up to 256. */
const headSize = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 1, max: 12 }) },
  { weight: 6, arbitrary: fc.constantFrom(16, 17, 20, 31, 32, 33) },
  { weight: 1, arbitrary: fc.integer({ min: 34, max: 256 }) },
  { weight: 1, arbitrary: fc.constantFrom(48, 63, 65, 80, 96, 127, 129, 200, 255, 256) },
);

export const shape = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  groups: fc.integer({ min: 1, max: 3 }),
  each: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 1, max: 3 }) }, fc.constantFrom(4, 7)),
  d: headSize,
  e: headSize,
  length: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 40 }) },
    { weight: 2, arbitrary: fc.constantFrom(63, 64, 65, 80) },
    { weight: 1, arbitrary: fc.constantFrom(127, 128, 130, 193) },
  ),
  fewer: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 200 }) },
  ),
  early: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 9 }) },
  ),
  threads: fc.integer({ min: 1, max: 3 }),
  deviation: fc.constantFrom(0.3, 1, 1, 3),
  regions: fc
    .array(regionWhen, { maxLength: 2 })
    .map((list) => (list.length === 1 ? list : list.slice(0, 2))),
  several: fc.integer({ min: 0, max: 3 }),
  seed: fc.integer({ min: 0, max: 2 ** 30 }),
});

export type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

/** Multiplications that the interpreter may be asked for in one product. */
const affordable = 1_500_000;

/** The same choice with one row of a batch, then fewer heads, where it would cost the interpreter too much. */
export function afford(of: Shape): Shape {
  const dear = ({ batch, groups, each, length, d, e: width }: Shape): boolean =>
    batch * groups * each * length * length * (d + width) > affordable;
  let all: Shape = of;
  if (dear(all)) all = { ...all, batch: 1 };
  if (dear(all)) all = { ...all, each: Math.min(2, all.each) };
  return dear(all) ? { ...all, groups: 1 } : all;
}

/** What an attention has besides mask and score, once its buffers and head size are known. */
export interface Weighting {
  readonly name: string;
  readonly build: (
    buffers: Buffers,
    mask: e.Expr,
    headSize: number,
  ) => Pick<AttentionParts, "weight" | "sink"> & { readonly turn: (region: number) => Turn | null };
}

export function buildSpec(
  given: Shape,
  mask: MaskRecipe,
  makeScore: (heads: number) => ScoreRecipe,
  weighting: Weighting | null = null,
): Spec {
  const of = afford(given);
  const { batch } = of;
  const heads = of.groups * of.each;
  const keys = of.length;
  const queries = of.fewer === 0 ? keys : Math.max(1, keys - (of.fewer % keys));
  const start = keys - queries;
  const score = makeScore(heads);
  const buffers = newBuffers("a");
  const row = queries === keys ? tokenAxis : axis("t", queries);
  const queryAxes = [batchAxis, row, axis("h", heads), axis("d", of.d)];
  const keyAxes = [batchAxis, tokenAxis, axis("g", of.groups), axis("d", of.d)];
  const whens = of.several === 0 ? of.regions : [];
  const seen = mask.build(buffers);
  const more = weighting?.build(buffers, seen, of.d) ?? null;
  const regions = [...whens, e.bool(true)].map((when, n) => ({
    query: leaf(`query${n}`, queryAxes),
    key: leaf(`key${n}`, keyAxes),
    when,
    turn: more?.turn(n) ?? null,
  }));
  const early = [axis("p", of.early), axis("g", of.groups)];
  const attention = attentionNode(
    {
      regions,
      value: leaf("value", [batchAxis, tokenAxis, axis("g", of.groups), axis("e", of.e)]),
      mask: seen,
      weight: more?.weight ?? null,
      sink: more?.sink ?? null,
      score: score.build(e.logit, buffers),
      buffers: buffers.nodes,
      scale: 1 / Math.sqrt(of.d),
      prepended:
        of.early === 0
          ? null
          : {
              key: leaf("early-key", [...early, axis("d", of.d)]),
              value: leaf("early-value", [...early, axis("e", of.e)]),
            },
    },
    "attention",
  );
  const gradient = attentionGradientNode(
    attention,
    leaf("output-gradient", attention.axes),
    attentionSlopes(attention, () => true),
    "gradient",
  );
  const name = `${mask.name} |${weighting === null ? "" : ` ${weighting.name} |`} ${score.name} | b${batch} q${queries}+${start} k${keys} h${heads}/${of.groups} d${of.d} e${of.e} early${of.early} regions${regions.length}`;
  const sizes = { batch, length: keys, threads: of.threads, "query-start": start };
  return {
    name,
    sizes,
    attention,
    gradient,
    rotations: [],
    meaning: null,
    deviation: of.deviation,
    seed: of.seed,
  };
}

const specOf = (shapes: fc.Arbitrary<Shape>): fc.Arbitrary<Spec> =>
  shapes.chain((of) => {
    const { groups, each } = afford(of);
    const heads = groups * each;
    return fc
      .tuple(
        fc.oneof({ weight: 2, arbitrary: randomMask({ heads }) }, { weight: 1, arbitrary: wideMask }),
        randomScore(heads),
        fc.integer({ min: 0, max: 2 }),
      )
      .map(([mask, score, plain]) =>
        buildSpec(of, mask, () => (plain === 0 ? { name: "logit", build: (s: e.Expr) => s } : score)),
      );
  });

/** `count` specs that follow from the seed. */
export const randomSpecs = (count: number, seed: number): Spec[] =>
  fc.sample(specOf(shape), { numRuns: count, seed });

/** Shapes that tensor cores take whole: head sizes in sixteens, rows that span several tiles, one region, no earlier keys. */
export const tileShape: fc.Arbitrary<Shape> = fc
  .tuple(
    shape,
    fc.constantFrom(16, 32, 48, 64, 64, 80, 96, 128, 128),
    fc.constantFrom(16, 32, 64, 64, 96, 128, 128),
    fc.integer({ min: 1, max: 320 }),
    fc.boolean(),
  )
  .map(([of, d, width, length, same]) => ({
    ...of,
    d,
    e: same ? d : width,
    length,
    early: 0,
    regions: [],
  }));

/** `count` specs of such shapes that follow from the seed. */
export const randomTileSpecs = (count: number, seed: number): Spec[] =>
  fc.sample(specOf(tileShape), { numRuns: count, seed });

/** Such shapes with two rotation regions, now and then three, whose borders lie inside, at and beyond a tile's. */
const regionShape: fc.Arbitrary<Shape> = fc
  .tuple(
    tileShape,
    fc.oneof(
      { weight: 5, arbitrary: fc.array(regionUpTo(300), { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(regionUpTo(300), { minLength: 2, maxLength: 2 }) },
    ),
  )
  .map(([of, regions]) => ({ ...of, regions, several: 0 }));

/** `count` specs of such shapes with several regions that follow from the seed. */
export const randomRegionSpecs = (count: number, seed: number): Spec[] =>
  fc.sample(specOf(regionShape), { numRuns: count, seed });
