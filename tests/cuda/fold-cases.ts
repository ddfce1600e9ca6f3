/** Log-sum-exps, folds over pairs and attention over blocks of rows, as cases for CUDA calls. */
import { logSumExpCall, pairReduceCall } from "../../compiler/backends/cuda/folds/fold-call.ts";
import * as e from "../../compiler/ir/expr.ts";
import { lengthSize } from "../../compiler/ir/graph-axes.ts";
import { logSumExpNode, pairReduceNode } from "../../compiler/ir/graph-build-pairs.ts";
import { axis } from "../../compiler/ir/graph-build.ts";
import type { NodeOf } from "../../compiler/ir/graph-operands.ts";
import type { Axis, PairCore } from "../../compiler/ir/graph.ts";
import type { PairTarget } from "../../compiler/ir/graph-pairs.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { b, causal, floorDiv, h, k, q, t } from "../support/pair-cases.ts";
import type { NodeCase } from "./check-nodes.ts";
import { whole, y } from "./selection-cases.ts";

const [heads, groups] = [axis("h", 4), axis("g", 2)];
const blocks = axis("n", lengthSize(0, 8));
const lse = leaf("lse", [b, t, heads]);
const weight = e.unary("exp", e.sub(e.mul(e.real(0.5), e.logit), e.load(0, [q, h])));
const atHead = { axis: heads, index: h };
const atKey = { axis: y, index: k };
const far = { axis: axis("u", lengthSize()), index: e.sub(q, k) };
const tiles = (n: number, m: number): readonly PairTarget[] => [
  { axis: axis("r", lengthSize(0, n)), index: floorDiv(q, n) },
  { axis: axis("c", lengthSize(0, m)), index: floorDiv(k, m) },
];
const late = e.and(causal, e.le(e.sub(e.size("length"), e.int(3)), q));

/** The cases at the given head size. */
export function foldCases(d: number): readonly NodeCase[] {
  const region = (rows: Axis, keys: Axis, when: e.Expr, name = "") => ({
    query: leaf(`query${name}`, [b, rows, heads, axis("d", d)]),
    key: leaf(`key${name}`, [b, keys, groups, axis("d", d)]),
    when,
    turn: null,
  });
  const core = (changes: Partial<PairCore> = {}): PairCore => ({
    regions: [region(t, y, e.bool(true))],
    mask: causal,
    buffers: [],
    scale: 0.5,
    ...changes,
  });
  const two = [region(t, y, e.lt(e.sub(q, k), e.int(9)), "0"), region(t, y, e.bool(true), "1")];
  /** Near pairs turn their queries, others do not. */
  const turned = {
    regions: [
      {
        ...two[0]!,
        when: e.lt(e.sub(q, k), e.int(70)),
        turn: {
          ...{ by: 20, rotated: Math.floor(d / 4) * 2, layout: "interleaved" as const, scale: e.real(0.9) },
          position: e.sub(q, e.mul(e.int(3), floorDiv(k, 20))),
          angle: e.unary("exp", e.neg(e.toReal(e.index("m")))),
        },
      },
      two[1]!,
    ],
  };
  const overBlocks = {
    regions: [region(t, blocks, e.bool(true), "b")],
    mask: e.le(e.mul(k, e.int(8)), q),
  };
  const ofBlocks = {
    regions: [region(blocks, y, e.bool(true), "c")],
    mask: e.le(floorDiv(k, 8), q),
  };
  const set = whole("set", [b, t, heads, axis("w", lengthSize(0, 32 * 16))]);
  const chosen = e.and(causal, e.member(0, [q, h], floorDiv(k, 16)));
  const oneKey = { buffers: [lse] };
  const fold = (
    op: "sum" | "max" | "min",
    changes: Partial<PairCore>,
    body: e.Expr,
    targets: readonly PairTarget[],
  ) => pairReduceNode(op, core(changes), body, targets, "fold");
  const nodes: Readonly<Record<string, NodeOf<"log-sum-exp"> | NodeOf<"pair-reduce">>> = {
    "log-sum-exp": logSumExpNode({ ...core(), score: e.logit }, "lse"),
    "log-sum-exp of two regions": logSumExpNode(
      { ...core({ regions: two, mask: e.lt(k, q) }), score: e.unary("tanh", e.logit) },
      "lse",
    ),
    "log-sum-exp over blocks of keys": logSumExpNode({ ...core(overBlocks), score: e.logit }, "lse"),
    "log-sum-exp of blocks of queries": logSumExpNode({ ...core(ofBlocks), score: e.logit }, "lse"),
    "log-sum-exp of chosen blocks": logSumExpNode(
      { ...core({ mask: chosen, buffers: [set] }), score: e.logit },
      "lse",
    ),
    "log-sum-exp of turned queries": logSumExpNode({ ...core(turned), score: e.logit }, "lse"),
    "column sums of turned queries": fold("sum", { ...turned, ...oneKey }, weight, [atHead, atKey]),
    "diagonal sums of turned queries": fold("sum", { ...turned, ...oneKey }, weight, [far]),
    "maxima of tiles of turned queries": fold("max", turned, e.logit, tiles(7, 8)),
    "column sums by head": fold("sum", oneKey, weight, [atHead, atKey]),
    "column sums over heads": fold("sum", oneKey, weight, [atKey]),
    "column maxima of blocks": fold("max", overBlocks, e.logit, [{ axis: blocks, index: k }, atHead]),
    "row maxima": fold("max", {}, e.logit, [{ axis: t, index: q }, atHead]),
    "row sums over heads": fold("sum", { mask: e.lt(k, q) }, e.logit, [{ axis: t, index: q }]),
    "maxima of blocks of rows": fold("max", {}, e.logit, [
      atHead,
      { axis: axis("r", lengthSize(0, 7)), index: floorDiv(q, 7) },
    ]),
    "diagonal sums": fold("sum", oneKey, weight, [far]),
    "diagonal minima by head": fold("min", {}, e.logit, [atHead, far]),
    "near diagonals by head": fold("sum", {}, e.logit, [
      atHead,
      { axis: axis("u", 3), index: e.sub(e.sub(q, k), e.int(1)) },
    ]),
    "maxima of small tiles": fold("max", { mask: e.lt(k, q) }, e.logit, tiles(7, 8)),
    "minima of tiles by head": fold("min", {}, e.logit, [...tiles(64, 64), atHead]),
    "sums of wide tiles": fold("sum", oneKey, weight, [atHead, ...tiles(64, 128)]),
    "sums of chosen blocks": fold("sum", { mask: chosen, buffers: [set] }, e.logit, [
      atHead,
      ...tiles(16, 16),
    ]),
    "log-sum-exp of the last rows": logSumExpNode({ ...core({ mask: late }), score: e.logit }, "lse"),
    "diagonal sums of the last rows": fold("sum", { ...oneKey, mask: late }, weight, [far, atHead]),
    "diagonal sums of the last rows over heads": fold("sum", { ...oneKey, mask: late }, weight, [far]),
    "diagonal maxima of the last rows": fold("max", { mask: late }, e.logit, [atHead, far]),
    "last rows": fold("sum", { ...oneKey, mask: late }, weight, [atHead, atKey]),
    "two regions": fold("sum", { regions: two }, e.logit, [atKey]),
    "counts of pairs": fold("sum", {}, e.real(1), []),
    "sums by remainder": fold("sum", {}, e.logit, [
      { axis: axis("m", 5), index: e.binary("mod", e.add(q, e.mul(k, e.int(2))), e.int(7)) },
    ]),
    "maxima with what is no number": fold(
      "max",
      {},
      e.select(e.lt(e.logit, e.real(-5)), e.unary("log", e.real(-1)), e.logit),
      [{ axis: t, index: q }],
    ),
  };
  return Object.entries(nodes).map(([name, node]): NodeCase => {
    const facts = blockFacts(node);
    return {
      name,
      node,
      call: (element) =>
        node.kind === "pair-reduce"
          ? pairReduceCall(node, facts, element)
          : logSumExpCall(node, facts, element),
    };
  });
}
