/** Layers over blocks, selections and tables of a batch, for gradient checks and random graphs. */
import * as e from "../../compiler/ir/expr.ts";
import type { Expr } from "../../compiler/ir/expr.ts";
import { blocksOf, lengthSize } from "../../compiler/ir/graph-axes.ts";
import {
  blockReduceNode,
  blockSpreadNode,
  logSumExpNode,
  pairReduceNode,
  runningSumNode,
  selectNode,
} from "../../compiler/ir/graph-build-pairs.ts";
import { attentionNode, axis, contractNode, mapNode, reshapeNode } from "../../compiler/ir/graph-build.ts";
import type { Axis, AttentionCore, Node } from "../../compiler/ir/graph.ts";
import { floorDiv, h, k, q } from "./pair-cases.ts";
import { width, type Builder, type Layer } from "./random-graph.ts";

const at = "layer";
const [o0, o1] = [e.operand(0), e.operand(1)];
const causal = e.le(k, q);
const layer = (name: string, build: Layer["build"]): Layer => ({ name, build });
const residual = (x: Node, y: Node): Node => mapNode([x, y], e.add(o0, o1), at, x.axes);
const bent = (x: Node): Node => mapNode([x], e.unary("tanh", o0), at);

const [heads, groups, d, v] = [4, 2, 4, 3];

/** The same rows under another name of their axis. */
const named = (x: Node, rows: string): Node =>
  reshapeNode(
    x,
    x.axes.map((own, n) => (n === 1 ? axis(rows, own.size) : own)),
    at,
  );

interface Projections {
  readonly query: Node;
  readonly key: Node;
  readonly value: Node;
}

const project = (x: Node, make: Builder): Projections => ({
  query: contractNode(x, make.parameter({ h: heads, d, i: width }), ["i"], "q"),
  key: named(contractNode(x, make.parameter({ g: groups, d, i: width }), ["i"], "k"), "y"),
  value: named(contractNode(x, make.parameter({ g: groups, e: v, i: width }), ["i"], "v"), "y"),
});

/** Attention over given rows, and its output [b, t, h, e] after the query's own axis. */
function attend(
  { query, key, value }: Projections,
  parts: Partial<Pick<AttentionCore, "mask" | "score" | "buffers">>,
): Node {
  const core: AttentionCore = {
    regions: [{ query, key, when: e.bool(true), turn: null }],
    value,
    mask: causal,
    score: e.logit,
    weight: null,
    sink: null,
    buffers: [],
    scale: 0.7,
    prepended: null,
    ...parts,
  };
  return attentionNode(core, "attention");
}

const output = (x: Node, out: Node, make: Builder): Node =>
  residual(x, contractNode(out, make.parameter({ i: width, h: heads, e: v }), ["h", "e"], "o"));

const length = (x: Node): Axis => x.axes[1]!;

const blockLayers = (["sum", "mean", "max", "min"] as const).flatMap((op) => [
  layer(`${op} of blocks of tokens`, (x) => {
    const blocks = bent(blockReduceNode(op, x, "t", 3, at, "n"));
    return residual(x, blockSpreadNode(blocks, "n", 3, length(x), at));
  }),
  layer(`${op} of blocks of blocks, and of a fixed axis`, (x, make) => {
    const fine = bent(blockReduceNode(op, x, "t", 2, at, "n"));
    const coarse = bent(blockReduceNode(op, blockReduceNode(op, fine, "n", 2, at), "i", 4, at, "j"));
    const scaled = mapNode([coarse, make.parameter({ j: 2 })], e.mul(o0, o1), at);
    const wide = blockSpreadNode(scaled, "j", 4, axis("i", width), at);
    const back = blockSpreadNode(
      blockSpreadNode(wide, "n", 2, axis("n", blocksOf(length(x).size, 2)), at),
      "n",
      2,
      length(x),
      at,
    );
    return residual(x, back);
  }),
]);

const runningLayers = [false, true].flatMap((backward) =>
  [false, true].map((exclusive) =>
    layer(`running sum${backward ? " from the end" : ""}${exclusive ? " without itself" : ""}`, (x, make) => {
      const along = runningSumNode(bent(x), "t", { backward, exclusive }, at);
      const scaled = mapNode([along, make.parameter({ i: width })], e.mul(o0, o1), at, x.axes);
      return residual(x, runningSumNode(scaled, "i", { backward, exclusive }, at));
    }),
  ),
);

/** Which blocks of keys a query sees: chosen by the mean key of each block. */
function chosen({ query, key }: Projections, block: number, count: Expr): Node {
  const means = blockReduceNode("mean", key, "y", block, at);
  return selectNode(
    {
      query,
      key: means,
      scale: 0.7,
      body: e.logit,
      where: e.le(e.mul(k, e.int(block)), q),
      always: e.eq(k, floorDiv(q, block)),
      choose: { kind: "top", count },
      buffers: [],
      candidates: length(means).size,
    },
    { rows: query.axes[1]!, heads: query.axes[2]! },
    "select",
  );
}

/** Every layer whose gradients are exact: a selection does not move by a small step. */
export const selectionLayers: readonly Layer[] = [
  ...blockLayers,
  ...runningLayers,
  layer("keys over blocks", (x, make) => {
    const all = project(x, make);
    const blocks = {
      query: all.query,
      key: blockReduceNode("mean", all.key, "y", 2, at),
      value: blockReduceNode("mean", all.value, "y", 2, at),
    };
    return output(x, attend(blocks, { mask: e.le(e.mul(k, e.int(2)), q) }), make);
  }),
  layer("queries over blocks", (x, make) => {
    const all = project(x, make);
    const query = blockReduceNode("max", all.query, "t", 2, at, "n");
    const out = attend({ ...all, query }, { mask: e.le(floorDiv(k, 2), q) });
    return output(x, blockSpreadNode(out, "n", 2, length(x), at), make);
  }),
  layer("score with a table of each row", (x, make) => {
    const gate = contractNode(x, make.parameter({ i: width }), ["i"], at);
    const lift = contractNode(x, make.parameter({ h: heads, i: width }), ["i"], at, ["b", "h", "t"]);
    const score = e.add(
      e.mul(e.logit, e.unary("sigmoid", e.load(0, [k]))),
      e.mul(e.load(1, [h, q]), e.load(0, [k])),
    );
    return output(x, attend(project(x, make), { score, buffers: [gate, lift] }), make);
  }),
  layer("keys of chosen blocks", (x, make) => {
    const all = project(x, make);
    const mask = e.and(causal, e.member(0, [q, h], floorDiv(k, 2)));
    return output(x, attend(all, { mask, buffers: [chosen(all, 2, e.int(2))] }), make);
  }),
  layer("ranks of chosen blocks in the score", (x, make) => {
    const all = project(x, make);
    const place = e.toReal(e.rank(0, [q, h], floorDiv(k, 2)));
    const mask = e.and(causal, e.member(0, [q, h], floorDiv(k, 2)));
    const score = e.sub(e.logit, e.mul(e.load(1, [h]), place));
    const buffers = [chosen(all, 2, e.add(e.int(1), floorDiv(h, 2))), make.parameter({ h: heads })];
    return output(x, attend(all, { mask, score, buffers }), make);
  }),
];

/** A layer that reads pair folds, which count as constants: the gradient is not the slope of the loss. */
export const constantLayer = layer("mass of each key", (x, make) => {
  const { query, key } = project(x, make);
  const core = {
    regions: [{ query, key, when: e.bool(true), turn: null }],
    mask: causal,
    buffers: [],
    scale: 0.7,
  };
  const lse = logSumExpNode({ ...core, score: e.logit }, at);
  const weight = e.unary("exp", e.sub(e.logit, e.load(0, [q, h])));
  const target = { axis: axis("t", lengthSize()), index: k };
  const mass = pairReduceNode("sum", { ...core, buffers: [lse] }, weight, [target], at);
  return mapNode([x, mass], e.mul(o0, o1), at, x.axes);
});

/** The same beside an attention over the same pairs, which has the sums that the fold reads. */
export const sharingLayer = layer("mass of each key of an attention", (x, make) => {
  const all = project(x, make);
  const out = output(x, attend(all, {}), make);
  const core = {
    regions: [{ query: all.query, key: all.key, when: e.bool(true), turn: null }],
    mask: causal,
    buffers: [],
    scale: 0.7,
  };
  const lse = logSumExpNode({ ...core, score: e.logit }, at);
  const weight = e.unary("exp", e.sub(e.logit, e.load(0, [q, h])));
  const target = { axis: axis("t", lengthSize()), index: k };
  const mass = pairReduceNode("sum", { ...core, buffers: [lse] }, weight, [target], at);
  return mapNode([out, mass], e.mul(o0, o1), at, x.axes);
});
