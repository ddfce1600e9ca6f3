/** Queries, keys and values made of tokens, and what the cases of this pass make of them. */
import * as e from "../../../compiler/ir/expr.ts";
import { logSumExpNode, pairReduceNode } from "../../../compiler/ir/graph-build-pairs.ts";
import {
  attentionNode,
  axis,
  gatherNode,
  inputNode,
  parameterNode,
  reshapeNode,
} from "../../../compiler/ir/graph-build.ts";
import { blocksOf, lengthSize } from "../../../compiler/ir/graph-axes.ts";
import type { Node } from "../../../compiler/ir/graph.ts";

const [q, k, h] = [e.index("q"), e.index("k"), e.index("h")];

const rows = (name: string): Node => {
  const table = parameterNode(name, [axis("v", 5), axis("i", 6)], { kind: "constant", value: 0 });
  const given = gatherNode(table, "v", inputNode("tokens"), name);
  return reshapeNode(given, [...given.axes.slice(0, 2), axis("h", 2), axis("d", 3)], name);
};
const query = rows("query");
const key = rows("key");
export const value = rows("value");

/** Each query sees itself and earlier keys. */
export const causal = e.le(k, q);

const core = (mask: e.Expr) => ({
  regions: [{ query, key, when: e.bool(true), turn: null }],
  mask,
  buffers: [],
  scale: 0.5,
});

export const attention = (mask: e.Expr, values = value): Node =>
  attentionNode({ ...core(mask), value: values, score: e.logit, prepended: null }, "attention");

export const sums = (mask: e.Expr): Node => logSumExpNode({ ...core(mask), score: e.logit }, "sums");

/** The largest weights of tiles of 4 × 4 pairs. */
export const maxima = (mask: e.Expr): Node => {
  const blocks = blocksOf(lengthSize(), 4);
  const weight = e.unary("exp", e.sub(e.logit, e.load(0, [q, h])));
  const targets = [
    { axis: axis("i", blocks), index: e.binary("floor-div", q, e.int(4)) },
    { axis: axis("j", blocks), index: e.binary("floor-div", k, e.int(4)) },
    { axis: axis("h", 2), index: h },
  ];
  return pairReduceNode("max", { ...core(mask), buffers: [sums(mask)] }, weight, targets, "maxima");
};
