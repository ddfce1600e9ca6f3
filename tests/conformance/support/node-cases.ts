/** One node of each kind that a kernel of its own computes, over operands that are given. */
import * as e from "../../../compiler/ir/expr.ts";
import * as build from "../../../compiler/ir/graph-build.ts";
import { nodeResults } from "../../../compiler/ir/graph-results.ts";
import type { Node, RotateNode } from "../../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../../compiler/ir/interpret.ts";
import { fillTensor, randomNumbers, shapeOf } from "../../support/random-values.ts";
import { leaf } from "./random-specs.ts";

const { axis, batchAxis: b, tokenAxis: t } = build;
const [x, m, h] = [e.index("x"), e.index("m"), e.index("h")];
const angle = e.binary("pow", e.real(10_000), e.div(e.mul(e.real(-2), e.toReal(m)), e.real(12)));

const rotations: readonly Pick<
  RotateNode,
  "position" | "angle" | "scale" | "rotated" | "layout" | "inverse"
>[] = [
  { position: x, angle, scale: e.real(1), rotated: 12, layout: "half", inverse: false },
  { position: x, angle, scale: e.real(1.1), rotated: 12, layout: "interleaved", inverse: true },
  {
    position: e.add(x, e.int(1_000_000)),
    angle,
    scale: e.real(1),
    rotated: 8,
    layout: "half",
    inverse: false,
  },
  {
    position: e.binary("min", e.mul(x, e.add(h, e.int(1))), e.int(9)),
    angle,
    scale: e.add(e.real(1), e.div(e.toReal(m), e.real(8))),
    rotated: 6,
    layout: "interleaved",
    inverse: false,
  },
  {
    position: e.div(e.toReal(x), e.real(3)),
    angle,
    scale: e.real(1),
    rotated: 0,
    layout: "half",
    inverse: false,
  },
];

const table = leaf("table", [axis("v", 11), axis("i", 5)]);
const tokens = build.inputNode("tokens");
const targets = build.inputNode("targets");
const wide = (name: string, width: number): Node => leaf(name, [b, t, axis("i", width)]);
const logits = leaf("logits", [b, t, axis("v", 37)]);
const entropy = build.crossEntropyNode(logits, targets, "loss");
const head = build.headLossNode(
  wide("x", 6),
  leaf("weight", [axis("v", 1030), axis("i", 6)]),
  targets,
  "head",
);
const up = leaf("up", [b, t]);

export const nodeCases: Readonly<Record<string, Node>> = {
  ...Object.fromEntries(
    rotations.map((law, n) => [
      `rotate ${n}`,
      build.rotateNode(leaf("rows", [b, t, axis("h", 3), axis("d", 13)]), law, "rotate"),
    ]),
  ),
  gather: build.gatherNode(table, "v", tokens, "gather"),
  "gather inside": build.gatherNode(
    leaf("table", [axis("a", 3), axis("v", 11), axis("i", 5)]),
    "v",
    tokens,
    "gather",
  ),
  scatter: build.scatterNode(wide("values", 5), "v", tokens, [axis("v", 11), axis("i", 5)], "scatter"),
  reshape: build.reshapeNode(
    leaf("rows", [b, t, axis("w", 12)]),
    [b, t, axis("h", 3), axis("d", 4)],
    "reshape",
  ),
  concat: build.concatNode("t", [leaf("early", [axis("t", 4), axis("i", 5)]), wide("late", 5)], "concat"),
  "concat widths": build.concatNode("i", [wide("left", 5), wide("right", 2)], "concat"),
  slice: build.sliceNode(wide("rows", 9), "i", 2, "slice", 4),
  "cross-entropy": entropy,
  "cross-entropy-gradient": build.crossEntropyGradientNode(entropy, up, "gradient"),
  "head-loss": head,
  "head-loss-gradient": build.headLossGradientNode(head, up, "gradient"),
};

/** All results of a case, and inputs for them: logits of some classes, tokens below the tables' rows. */
export function caseInputs(
  node: Node,
  seed: number,
  sizes: { readonly batch: number; readonly length: number },
) {
  const outputs: Record<string, Node> = {};
  nodeResults(node).forEach((_, r) => (outputs[`r${r}`] = build.resultNode(node, r)));
  const graph = build.graphOf(outputs);
  const next = randomNumbers(seed);
  const inputs = new Map<string, Float64Tensor>();
  for (const own of graph.nodes) {
    const shape = shapeOf(own.axes, sizes);
    if (own.kind === "parameter")
      inputs.set(
        own.path,
        fillTensor(shape, () => 2 * next() - 1, true),
      );
    const classes = node.kind.startsWith("head") ? 1030 : 37;
    if (own.kind === "input" && own.name === "tokens")
      inputs.set(
        "input:tokens",
        fillTensor(shape, () => Math.floor(next() * 11)),
      );
    if (own.kind === "input" && own.name === "targets")
      inputs.set(
        "input:targets",
        fillTensor(shape, () => (next() < 0.3 ? -1 : Math.floor(next() * classes))),
      );
  }
  return { outputs, graph, inputs };
}
