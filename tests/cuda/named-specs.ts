/** Attention specs by name: those on which other fused attentions were wrong, and sparse tables of blocks over several tiles. */
import { derivative, realLoads } from "../../compiler/ir/derivative.ts";
import * as e from "../../compiler/ir/expr.ts";
import {
  attentionGradientNode,
  attentionNode,
  axis,
  batchAxis,
  inputNode,
  tokenAxis,
} from "../../compiler/ir/graph-build.ts";
import type { Node } from "../../compiler/ir/graph.ts";
import { leaf, type Spec } from "../conformance/support/random-specs.ts";

/** The path of a table of switches: 1 where a normal number is above the threshold, else 0. */
const switchPath = (threshold: number): string => `switches-table:${threshold}`;

/** Value of an element that the generator of inputs drew, for tables of switches; null for any other path. */
export function switchValue(path: string, drawn: number): number | null {
  const threshold = /^switches-table:(.*)$/.exec(path)?.[1];
  return threshold === undefined ? null : Number(drawn > Number(threshold));
}

interface Choice {
  readonly name: string;
  readonly mask: e.Expr;
  readonly score?: e.Expr;
  readonly buffers?: readonly Node[];
  readonly batch?: number;
  readonly heads?: number;
  readonly groups?: number;
  readonly d?: number;
  readonly length: number;
  /** Queries, when fewer than keys: the last ones. */
  readonly queries?: number;
  readonly seed?: number;
}

function specOf(of: Choice): Spec {
  const { batch = 1, heads = 2, groups = 1, d = 64, length, score = e.logit, buffers = [], seed = 7 } = of;
  const queries = of.queries ?? length;
  const row = queries === length ? tokenAxis : axis("t", queries);
  const attention = attentionNode(
    {
      regions: [
        {
          query: leaf("query0", [batchAxis, row, axis("h", heads), axis("d", d)]),
          key: leaf("key0", [batchAxis, tokenAxis, axis("g", groups), axis("d", d)]),
          when: e.bool(true),
        },
      ],
      value: leaf("value", [batchAxis, tokenAxis, axis("g", groups), axis("e", d)]),
      mask: of.mask,
      score,
      buffers,
      scale: 1 / Math.sqrt(d),
      prepended: null,
    },
    "attention",
  );
  const loads = realLoads(score);
  const gradient = attentionGradientNode(
    attention,
    leaf("output-gradient", attention.axes),
    {
      scoreSlope: derivative(score, e.logit),
      bufferGradients: buffers.flatMap((_, n) => {
        const own = loads.filter((load) => load.buffer === n);
        if (own.length === 0) return [];
        return [
          {
            buffer: n,
            loads: own.map((load) => ({ indices: load.indices, slope: derivative(score, load) })),
          },
        ];
      }),
    },
    "gradient",
  );
  const sizes = { batch, length, threads: 1, "query-start": length - queries };
  return {
    name: `${of.name} | b${batch} q${queries} k${length} h${heads}/${groups} d${d}`,
    sizes,
    attention,
    gradient,
    rotations: [],
    meaning: null,
    deviation: 1,
    seed,
  };
}

const [q, k, h] = [e.index("q"), e.index("k"), e.index("h")];
const causal = e.le(k, q);
const distance = e.sub(q, k);
const block = (x: e.Expr, n: number): e.Expr => e.binary("floor-div", x, e.int(n));
const switches = (buffer: number, n: number): e.Expr => e.load(buffer, [block(q, n), block(k, n)], "bool");
const table = (blocks: number, threshold: number): Node =>
  leaf(switchPath(threshold), [axis("qb", blocks), axis("kb", blocks)]);
const slope = (buffer: number): e.Expr =>
  e.add(e.logit, e.mul(e.load(buffer, [h]), e.div(e.toReal(e.neg(distance)), e.real(64))));

/**
 * Cases that were wrong in PyTorch's FlexAttention and scaled_dot_product_attention; the number is of its issue. Run one
 * after another in one process they also are "a mask used before, then another" (attention-gym 96).
 */
export const regressionSpecs = (): Spec[] => [
  specOf({
    name: "153799: blocks and a score, length no multiple of a tile",
    mask: e.and(causal, switches(0, 64)),
    score: slope(1),
    buffers: [table(5, 0), leaf("slope-table", [axis("h", 2)])],
    length: 291,
  }),
  specOf({
    name: "136232: a table for more positions than there are",
    mask: e.and(causal, switches(0, 32)),
    buffers: [table(16, 0)],
    length: 77,
  }),
  specOf({
    name: "141126: blocks in no order, rows that see nothing",
    mask: switches(0, 128),
    buffers: [table(4, 0.4)],
    length: 512,
  }),
  specOf({
    name: "139462: the second row of a batch, a longer table",
    mask: e.and(switches(0, 64), e.eq(e.load(1, [q], "int"), e.load(1, [k], "int"))),
    buffers: [table(9, -0.5), inputNode("documents")],
    batch: 2,
    heads: 4,
    groups: 2,
    length: 130,
  }),
  specOf({
    name: "134852: 93,696 keys in blocks of 1,024",
    mask: e.and(causal, e.eq(e.binary("mod", block(k, 1024), e.int(3)), e.int(1))),
    length: 93_696,
    queries: 2,
    d: 16,
  }),
  specOf({ name: "174923: one query, 70,001 keys", mask: causal, length: 70_001, queries: 1, d: 16 }),
  specOf({
    name: "109517: a mask that is added to the score",
    mask: e.bool(true),
    score: e.add(e.logit, e.select(e.and(causal, e.lt(distance, e.int(70))), e.real(0), e.real(-3e38))),
    length: 333,
  }),
  specOf({
    name: "ranges of keys that overlap, whose ends are differences",
    mask: e.and(
      e.lt(block(k, 2), block(q, 2)),
      e.not(
        e.eq(
          block(e.add(q, e.select(e.lt(h, e.int(1)), e.int(0), e.int(1))), 2),
          block(e.add(k, e.select(e.lt(h, e.int(1)), e.int(0), e.int(1))), 2),
        ),
      ),
    ),
    d: 128,
    length: 314,
  }),
];

/** `count` sparse tables that follow from the seed: several tiles of keys and queries, from a third to nearly all of the blocks empty. */
export function sparseSpecs(count: number, seed: number): Spec[] {
  let state = seed >>> 0;
  const draw = (n: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * n);
  };
  return Array.from({ length: count }, (_, n) => {
    // Tiles have up to 128 keys: of tables of smaller blocks, only pairs are hidden.
    const size = [64, 128, 128, 128, 256][draw(5)]!;
    const length = 260 + draw(400);
    const threshold = [-0.5, 0, 0.7, 1.2][draw(4)]!;
    const ordered = draw(3) > 0;
    const scored = draw(3) === 0;
    const [heads, groups] = [
      [1, 1],
      [2, 1],
      [4, 2],
    ][draw(3)] as [number, number];
    const seen = switches(0, size);
    return specOf({
      name: `table of blocks of ${size} above ${threshold}${ordered ? ", causal" : ""}${scored ? ", slopes" : ""}`,
      mask: ordered ? e.and(causal, seen) : seen,
      ...(scored ? { score: slope(1) } : {}),
      buffers: [
        table(Math.ceil(length / size), threshold),
        ...(scored ? [leaf("slope-table", [axis("h", heads)])] : []),
      ],
      heads,
      groups,
      d: [32, 64, 64, 128][draw(4)]!,
      length,
      seed: 1000 + n,
    });
  });
}
