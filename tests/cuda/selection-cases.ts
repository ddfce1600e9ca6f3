/** Attention with sinks, sets, turned queries, weights and tables of the batch, and its gradient, as cases for CUDA calls. */
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { attentionSlopes } from "../../compiler/ir/attention-slopes.ts";
import * as e from "../../compiler/ir/expr.ts";
import { lengthSize, wordsOf } from "../../compiler/ir/graph-axes.ts";
import {
  attentionGradientNode,
  attentionNode,
  axis,
  type AttentionParts,
} from "../../compiler/ir/graph-build.ts";
import type { NodeOf } from "../../compiler/ir/graph-operands.ts";
import type { Axis, Node, Turn } from "../../compiler/ir/graph.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { twoLevelWeight } from "../conformance/support/random-weighted-specs.ts";
import { b, causal, floorDiv, h, k, q, t } from "../support/pair-cases.ts";

export const y = axis("y", lengthSize());
export const whole = (path: string, axes: readonly Axis[]): Node => ({ ...leaf(path, axes), dtype: "i32" });

/** Keys of a block of the sets, and rows of a block of queries. */
const block = 16;
const setBlocks = axis("w", wordsOf(lengthSize(0, block)));

export interface SelectionCase {
  readonly name: string;
  readonly attention: NodeOf<"attention">;
  readonly gradient: NodeOf<"attention-gradient">;
}

/** Queries turn as if the blocks of a set lay side by side: a block's keys stay at their places in it. */
function places(d: number): Turn {
  const rank = (x: e.Expr): e.Expr => e.rank(0, [q, h], floorDiv(x, block));
  const apart = e.mul(e.sub(rank(q), rank(k)), e.int(block));
  return {
    by: block,
    position: e.add(apart, e.binary("mod", q, e.int(block))),
    angle: e.unary("exp", e.mul(e.real(-4 / d), e.toReal(e.index("m")))),
    scale: e.real(1),
    rotated: 2 * Math.floor(d / 2),
    layout: "half",
  };
}

/** The cases at the given head sizes; `rows` are the queries' (all tokens, or a fixed number of them). */
export function selectionCases(d: number, width: number, rows: Axis = t): readonly SelectionCase[] {
  const [heads, groups] = [axis("h", 4), axis("g", 2)];
  const region = (when: e.Expr, name = "") => ({
    query: leaf(`query${name}`, [b, rows, heads, axis("d", d)]),
    key: leaf(`key${name}`, [b, y, groups, axis("d", d)]),
    when,
  });
  const plain: AttentionParts = {
    regions: [region(e.bool(true))],
    value: leaf("value", [b, y, groups, axis("e", width)]),
    mask: causal,
    score: e.logit,
    buffers: [],
    scale: 0.5,
    prepended: null,
  };
  const set = whole("set", [b, t, heads, setBlocks]);
  const shared = whole("shared", [b, axis("w", wordsOf(lengthSize()))]);
  const ofBlocks = whole("block-set", [b, axis("n", lengthSize(0, block)), setBlocks]);
  const [gate, lift] = [leaf("gate", [b, y]), leaf("lift", [b, t, heads])];
  const slope = leaf("slope", [heads]);
  const inBlock = floorDiv(k, block);
  const before = (path: string, n: number): Node => leaf(path, [axis("p", 3), groups, axis("e", n)]);
  const parts: Readonly<Record<string, Partial<AttentionParts>>> = {
    "a sink by head": { sink: e.load(0, [h]), buffers: [slope] },
    "a sink, rows without keys": {
      mask: e.lt(k, e.sub(q, e.int(20))),
      sink: e.mul(e.load(0, [q, h]), e.real(0.5)),
      buffers: [lift],
    },
    "a sink that is a number": { sink: e.real(0.75) },
    "a sink and a score of one table": {
      score: e.add(e.logit, e.mul(e.load(0, [h]), e.div(e.toReal(e.sub(k, q)), e.real(16)))),
      sink: e.add(e.load(0, [h]), e.load(1, [q, h])),
      buffers: [slope, lift],
    },
    "a sink and keys before the text": {
      sink: e.load(0, [h]),
      buffers: [slope],
      prepended: {
        key: leaf("early-key", [axis("p", 3), groups, axis("d", d)]),
        value: before("early-value", width),
      },
    },
    "a sink and two regions": {
      regions: [region(e.lt(e.sub(q, k), e.int(9)), "0"), region(e.bool(true), "1")],
      sink: e.load(0, [h]),
      buffers: [slope],
    },
    "a set of blocks": { mask: e.and(causal, e.member(0, [q, h], inBlock)), buffers: [set] },
    "a set of keys": { mask: e.and(causal, e.not(e.member(0, [], k))), buffers: [shared] },
    "a set for blocks of queries": {
      mask: e.and(causal, e.or(e.lt(e.sub(q, k), e.int(5)), e.member(0, [floorDiv(q, block)], inBlock))),
      buffers: [ofBlocks],
    },
    "a set and a window by head": {
      mask: e.and(
        causal,
        e.select(e.lt(h, e.int(2)), e.lt(e.sub(q, k), e.int(20)), e.member(0, [q, h], inBlock)),
      ),
      buffers: [set],
    },
    "ranks of a set": {
      mask: e.and(causal, e.member(0, [q, h], inBlock)),
      score: e.sub(e.logit, e.mul(e.load(1, [h]), e.toReal(e.rank(0, [q, h], inBlock)))),
      buffers: [set, slope],
    },
    "two levels of softmax in a set": {
      mask: e.and(causal, e.member(0, [q, h], inBlock)),
      weight: twoLevelWeight(block, "last"),
      buffers: [set],
    },
    "queries turned by places in a set": {
      regions: [{ ...region(e.bool(true)), turn: places(d) }],
      mask: e.and(causal, e.member(0, [q, h], inBlock)),
      buffers: [set],
    },
    "tables of the batch": {
      score: e.add(e.mul(e.logit, e.unary("sigmoid", e.load(0, [k]))), e.load(1, [q, h])),
      buffers: [gate, lift],
    },
    "tables of the batch and of all": {
      score: e.add(e.logit, e.mul(e.load(0, [h]), e.load(1, [k]))),
      buffers: [slope, gate],
    },
  };
  const quarter = axis("n", lengthSize(0, 4));
  const over = (rowsOf: Axis, keysOf: Axis, name: string): Partial<AttentionParts> => ({
    regions: [
      {
        query: leaf(`query${name}`, [b, rowsOf, heads, axis("d", d)]),
        key: leaf(`key${name}`, [b, keysOf, groups, axis("d", d)]),
        when: e.bool(true),
      },
    ],
    value: leaf(`value${name}`, [b, keysOf, groups, axis("e", width)]),
  });
  const blockwise: Readonly<Record<string, Partial<AttentionParts>>> = {
    "keys over blocks": { ...over(rows, quarter, "-blocks"), mask: e.le(e.mul(k, e.int(4)), q) },
    ...(rows === t
      ? { "queries over blocks": { ...over(quarter, y, "-rows"), mask: e.le(floorDiv(k, 4), q) } }
      : {}),
  };
  return Object.entries({ ...parts, ...blockwise }).map(([name, change]) => {
    const attention = attentionNode({ ...plain, ...change }, name);
    const gradient = attentionGradientNode(
      attention,
      leaf("upstream", attention.axes),
      attentionSlopes(attention, (buffer) => buffer.dtype === "f32"),
      name,
    );
    return { name, attention, gradient };
  });
}

/** Elements that a test takes in turn: f32 mostly, since its tolerance tells most. */
export const elementsOf = (n: number): readonly AttentionElement[] =>
  n % 3 === 0 ? ["f32", "bf16"] : n % 3 === 1 ? ["f32"] : ["f32", "f16"];
