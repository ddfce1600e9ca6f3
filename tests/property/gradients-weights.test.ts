/** Gradients through layers whose attention has a weight, a sink or turned queries, against central differences. */
import { describe, expect, it } from "vitest";
import * as e from "../../compiler/ir/expr.ts";
import { attentionNode, contractNode, mapNode, type AttentionParts } from "../../compiler/ir/graph-build.ts";
import type { NodeOf } from "../../compiler/ir/graph-operands.ts";
import type { Turn } from "../../compiler/ir/graph.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { simplifyExpressions } from "../../compiler/passes/simplify-expressions.ts";
import { twoLevelWeight } from "../conformance/support/random-weighted-specs.ts";
import { checkGradients, parametersOf } from "../support/gradient-check.ts";
import { graphWith, width, type Layer } from "../support/random-graph.ts";

const [q, k, h] = [e.index("q"), e.index("k"), e.index("h")];
const causal = e.le(k, q);
const table = e.load(0, [h]);

const turn: Turn = {
  position: e.sub(q, e.mul(e.int(3), e.binary("floor-div", k, e.int(2)))),
  by: 2,
  angle: e.unary("exp", e.neg(e.toReal(e.index("m")))),
  scale: e.real(0.9),
  rotated: 4,
  layout: "interleaved",
};

type Parts = Pick<AttentionParts, "weight" | "sink" | "score"> & { readonly turn: Turn | null };

const layer = (name: string, parts: Partial<Parts>): Layer => ({
  name,
  build: (x, make) => {
    const query = contractNode(x, make.parameter({ h: 2, d: 4, i: width }), ["i"], "q");
    const key = contractNode(x, make.parameter({ g: 1, d: 4, i: width }), ["i"], "k");
    const value = contractNode(x, make.parameter({ g: 1, e: 3, i: width }), ["i"], "v");
    const out = attentionNode(
      {
        regions: [{ query, key, when: e.bool(true), turn: parts.turn ?? null }],
        value,
        mask: causal,
        score: e.logit,
        buffers: [make.parameter({ h: 2 })],
        scale: 0.6,
        prepended: null,
        weight: parts.weight ?? null,
        sink: parts.sink ?? null,
      },
      "attention",
    );
    const merged = contractNode(out, make.parameter({ i: width, h: 2, e: 3 }), ["h", "e"], "o");
    return mapNode([x, merged], e.add(e.operand(0), e.operand(1)), "layer", x.axes);
  },
});

const twoLevels = twoLevelWeight(2, "last");
const layers: readonly Layer[] = [
  layer("two levels", { weight: twoLevels, sink: e.mul(table, table) }),
  layer("learned scores of both levels", {
    weight: {
      row: { ...twoLevels.row!, score: e.mul(e.logit, table) },
      block: {
        size: 2,
        inner: { ...twoLevels.block!.inner!, score: e.add(e.unary("tanh", e.logit), table) },
      },
      cases: twoLevels.cases.map((one) => ({ ...one, factor: e.unary("sigmoid", e.sub(e.logit, table)) })),
    },
  }),
  layer("no normaliser", {
    weight: {
      row: null,
      block: null,
      cases: [
        { when: e.bool(true), row: null, local: false, factor: e.unary("sigmoid", e.add(e.logit, table)) },
      ],
    },
  }),
  layer("a sink", { sink: table }),
  layer("turned queries", { turn, sink: e.sub(table, e.real(1)) }),
];

describe("gradients", () => {
  it.each(layers.map((one) => [one.name, one] as const))("layer: %s", (_, one) => {
    for (const length of [1, 2, 5]) checkGradients(graphWith([one], "square"), { batch: 2, length }, 7);
    checkGradients(graphWith([one, one], "cross-entropy"), { batch: 2, length: 5 }, 8);
  });

  it.each(layers.map((one) => [one.name, one] as const))("simplified, layer: %s", (_, one) => {
    const graph = graphWith([one], "square");
    const full = differentiate(graph, parametersOf(graph));
    const simple = simplifyExpressions.run(full);
    const gradients = (of: typeof full) =>
      of.nodes.filter((node): node is NodeOf<"attention-gradient"> => node.kind === "attention-gradient");
    expect(gradients(simple).map(({ bufferGradients }) => bufferGradients.length)).toEqual(
      gradients(full).map(({ bufferGradients }) => bufferGradients.length),
    );
    checkGradients(simplifyExpressions.run(graph), { batch: 2, length: 5 }, 9);
  });
});
