/** fast-check arbitraries of small graphs with a loss: layers of every kind of node over [b, t, i]. */
import fc from "fast-check";
import * as e from "../../compiler/ir/expr.ts";
import {
  axis,
  attentionNode,
  concatNode,
  contractNode,
  crossEntropyNode,
  gatherNode,
  type AttentionParts,
} from "../../compiler/ir/graph-build.ts";
import {
  graphOf,
  headLossNode,
  inputNode,
  mapNode,
  parameterNode,
  reduceNode,
} from "../../compiler/ir/graph-build.ts";
import { reshapeNode, rotateNode, scatterNode, sliceNode } from "../../compiler/ir/graph-build.ts";
import type { Axis, Graph, Node } from "../../compiler/ir/graph.ts";
import { newBuffers } from "./random-attention.ts";
import { smoothExpr } from "./random-expr.ts";
import { causal, k, q, randomMask, type MaskRecipe } from "./random-mask.ts";
import { randomScore, type ScoreRecipe } from "./random-score.ts";

export const vocabulary = 7;
/** Width of the stream; divisible by two. */
export const width = 6;

/** What a graph is being made from: shared inputs, names of parameters. */
export interface Builder {
  readonly inputs: Map<string, Node>;
  readonly input: (name: "tokens" | "targets") => Node;
  readonly parameter: (sizes: Readonly<Record<string, number>>) => Node;
  /** A name that no parameter has. */
  readonly name: () => string;
}

export function newBuilder(): Builder {
  const inputs = new Map<string, Node>();
  let count = 0;
  return {
    inputs,
    name: () => `p${count++}`,
    input: (name) => {
      const node = inputs.get(name) ?? inputNode(name);
      inputs.set(name, node);
      return node;
    },
    parameter: (sizes) => {
      const axes: Axis[] = Object.entries(sizes).map(([name, size]) => axis(name, size));
      return parameterNode(`p${count++}`, axes, { kind: "normal", deviation: 0.6 });
    },
  };
}

/** A layer: the stream [b, t, i] in, the stream out. */
export interface Layer {
  readonly name: string;
  readonly build: (x: Node, make: Builder) => Node;
}

const layer = (name: string, build: Layer["build"]): Layer => ({ name, build });
const at = "layer";
const [o0, o1, o2] = [e.operand(0), e.operand(1), e.operand(2)];
const residual = (x: Node, y: Node): Node => mapNode([x, y], e.add(o0, o1), at, x.axes);

export interface AttentionChoice {
  readonly mask: MaskRecipe;
  readonly score: ScoreRecipe;
  /** Queries per key-value head. */
  readonly group: number;
  readonly prepended: number;
  readonly rotation: "none" | "half" | "interleaved";
  /** With two regions, near pairs rotate and far pairs do not. */
  readonly regions: 1 | 2;
  readonly headSize: number;
  readonly valueSize: number;
}

export const kvHeads = 2;

/** The attention part of a graph over a stream x [b, t, i]: its node, before the output projection. */
export function attentionOver(x: Node, make: Builder, choice: AttentionChoice): Node {
  const heads = kvHeads * choice.group;
  const [d, v] = [choice.headSize, choice.valueSize];
  const query = contractNode(x, make.parameter({ h: heads, d, i: width }), ["i"], "q");
  const key = contractNode(x, make.parameter({ g: kvHeads, d, i: width }), ["i"], "k");
  const value = contractNode(x, make.parameter({ g: kvHeads, e: v, i: width }), ["i"], "v");
  const buffers = newBuffers(make.name(), make.inputs);
  const law = {
    position: e.index("x"),
    angle: e.binary("pow", e.real(10), e.mul(e.real(-0.3), e.toReal(e.index("m")))),
    scale: e.real(1.25),
    rotated: Math.min(d, 4),
    layout: choice.rotation === "interleaved" ? ("interleaved" as const) : ("half" as const),
  };
  const rotated = (node: Node): Node => (choice.rotation === "none" ? node : rotateNode(node, law, "rotate"));
  const near = { query: rotated(query), key: rotated(key), when: e.lt(e.sub(q, k), e.int(2)) };
  const far = { query, key: rotated(key), when: e.bool(true) };
  const core: AttentionParts = {
    regions: choice.regions === 2 ? [near, far] : [{ ...near, when: e.bool(true) }],
    value,
    mask: choice.mask.build(buffers),
    score: choice.score.build(e.logit, buffers),
    buffers: buffers.nodes,
    scale: 0.7,
    prepended:
      choice.prepended === 0
        ? null
        : {
            key: make.parameter({ p: choice.prepended, g: kvHeads, d }),
            value: make.parameter({ p: choice.prepended, g: kvHeads, e: v }),
          },
  };
  return attentionNode(core, "attention");
}

export const randomAttention: fc.Arbitrary<AttentionChoice> = fc.record({
  mask: randomMask(),
  score: randomScore(),
  group: fc.constantFrom(1, 2),
  prepended: fc.constantFrom(0, 0, 2),
  rotation: fc.constantFrom("none", "half", "interleaved" as const) as fc.Arbitrary<
    AttentionChoice["rotation"]
  >,
  regions: fc.constantFrom(1, 1, 2) as fc.Arbitrary<1 | 2>,
  headSize: fc.constantFrom(4, 6),
  valueSize: fc.constantFrom(3, 4),
});

export const attentionLayer = (choice: AttentionChoice): Layer =>
  layer(
    `attention(${choice.mask.name}; ${choice.score.name}; ${JSON.stringify({ ...choice, mask: 0, score: 0 })})`,
    (x, make) => {
      const out = attentionOver(x, make, choice);
      const heads = kvHeads * choice.group;
      const weight = make.parameter({ i: width, h: heads, e: choice.valueSize });
      return residual(x, contractNode(out, weight, ["h", "e"], "o"));
    },
  );

const normalise = layer("normalise", (x, make) => {
  const squares = mapNode([x], e.mul(o0, o0), at);
  const total = reduceNode("sum", squares, ["i"], at);
  const gain = make.parameter({ i: width });
  const body = e.mul(e.div(o0, e.unary("sqrt", e.add(e.div(o1, e.real(width)), e.real(0.1)))), o2);
  return mapNode([x, total, gain], body, at);
});

/** Layers that each use one kind of node, by name. */
export const plainLayers: readonly Layer[] = [
  normalise,
  layer("project", (x, make) => {
    const inner = contractNode(x, make.parameter({ o: 5, i: width }), ["i"], at);
    const bent = mapNode([inner, make.parameter({ o: 5 })], e.unary("tanh", e.add(o0, o1)), at);
    return residual(x, contractNode(bent, make.parameter({ i: width, o: 5 }), ["o"], at));
  }),
  layer("greatest", (x) => mapNode([x, reduceNode("max", x, ["i"], at)], e.sub(o0, o1), at)),
  layer("least", (x) => mapNode([x, reduceNode("min", x, ["i"], at)], e.mul(o0, o1), at)),
  layer("mean of tokens", (x) => {
    const mean = mapNode([reduceNode("sum", x, ["t"], at)], e.div(o0, e.toReal(e.size("length"))), at);
    return mapNode([x, mean], e.add(o0, o1), at);
  }),
  layer("position in the body", (x) => mapNode([x], e.mul(o0, e.unary("cos", e.toReal(e.index("t")))), at)),
  layer("random zeros", (x) =>
    mapNode([x], e.select(e.lt(e.uniform(3), e.real(0.3)), e.real(0), e.mul(o0, e.real(1.4))), at),
  ),
  layer("swap halves", (x) =>
    concatNode("i", [sliceNode(x, "i", width / 2, at), sliceNode(x, "i", 0, at, width / 2)], at),
  ),
  layer("middle slice", (x) => {
    const middle = mapNode([sliceNode(x, "i", 1, at, width - 3)], e.unary("sin", o0), at);
    return concatNode("i", [sliceNode(x, "i", 0, at, 1), middle, sliceNode(x, "i", width - 2, at)], at);
  }),
  layer("tokens before", (x, make) => {
    const longer = concatNode("t", [make.parameter({ t: 2, i: width }), x], at);
    const bent = mapNode([longer], e.unary("tanh", o0), at);
    return sliceNode(bent, "t", 1, at, { kind: "length", plus: 0, by: 1 });
  }),
  layer("split and merge", (x, make) => {
    const axes = [...x.axes.slice(0, 2), axis("m", 2), axis("n", width / 2)];
    const split = reshapeNode(x, axes, at);
    const scaled = mapNode([split, make.parameter({ n: width / 2 })], e.mul(o0, o1), at);
    return reshapeNode(scaled, x.axes, at);
  }),
  layer("table of tokens", (x, make) => {
    const tokens = make.input("tokens");
    const sums = scatterNode(x, "v", tokens, [axis("v", vocabulary), axis("i", width)], at);
    return residual(x, gatherNode(mapNode([sums], e.unary("tanh", o0), at), "v", tokens, at));
  }),
  layer("tokens mixed", (x) => {
    const scores = contractNode(
      x,
      reshapeNode(x, [x.axes[0]!, axis("u", x.axes[1]!.size), x.axes[2]!], at),
      ["i"],
      at,
    );
    const bent = mapNode([scores], e.unary("tanh", o0), at);
    const back = contractNode(
      bent,
      reshapeNode(x, [x.axes[0]!, axis("u", x.axes[1]!.size), x.axes[2]!], at),
      ["u"],
      at,
    );
    return residual(x, back);
  }),
  layer("sum in a contraction", (x, make) => {
    const total = contractNode(x, make.parameter({ o: 2, i: width, r: 3 }), ["i", "r"], at);
    return residual(x, contractNode(total, make.parameter({ i: width, o: 2 }), ["o"], at));
  }),
  layer("rotate the stream", (x, make) => {
    const axes = [x.axes[0]!, x.axes[1]!, axis("h", 1), axis("d", width)];
    const turn = e.add(e.toReal(e.index("x")), e.mul(e.real(0.5), e.toReal(e.index("h"))));
    const law = {
      position: turn,
      angle: e.div(e.real(1), e.add(e.toReal(e.index("m")), e.real(1))),
      scale: e.real(1),
    };
    const heads = reshapeNode(x, axes, at);
    const turned = rotateNode(heads, { ...law, rotated: 4, layout: "half" }, at);
    const back = rotateNode(turned, { ...law, rotated: 2, layout: "interleaved", inverse: true }, at);
    return mapNode([reshapeNode(back, x.axes, at), make.parameter({ i: width })], e.mul(o0, o1), at);
  }),
];

const bodyLayer: fc.Arbitrary<Layer> = smoothExpr([o0, o1, e.toReal(e.index("i"))], 3).map((body) =>
  layer("random body", (x, make) =>
    residual(x, mapNode([x, make.parameter({ i: width })], e.unary("tanh", e.toReal(body)), at, x.axes)),
  ),
);

export const randomLayer: fc.Arbitrary<Layer> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...plainLayers) },
  { weight: 1, arbitrary: bodyLayer },
  { weight: 2, arbitrary: randomAttention.map(attentionLayer) },
);

/** How the stream becomes a loss. */
export type Head = "cross-entropy" | "tied" | "head-loss" | "capped" | "log-sum-exp" | "square";

/** An embedding, the layers, and a loss [b, t]. */
export function graphWith(layers: readonly Layer[], head: Head): Graph {
  const make = newBuilder();
  const table = make.parameter({ v: vocabulary, i: width });
  let x: Node = gatherNode(table, "v", make.input("tokens"), "embed");
  for (const each of layers) x = each.build(x, make);
  return graphOf({ loss: lossOf(x, table, make, head) });
}

function lossOf(x: Node, table: Node, make: Builder, head: Head): Node {
  const weight = (): Node => make.parameter({ v: vocabulary, i: width });
  switch (head) {
    case "cross-entropy":
      return crossEntropyNode(contractNode(x, weight(), ["i"], "head"), make.input("targets"), "loss");
    case "tied":
      return crossEntropyNode(contractNode(x, table, ["i"], "head"), make.input("targets"), "loss");
    case "head-loss":
      return headLossNode(x, weight(), make.input("targets"), "loss");
    case "capped": {
      const logits = contractNode(x, weight(), ["i"], "head");
      const capped = mapNode([logits], e.mul(e.real(3), e.unary("tanh", e.div(o0, e.real(3)))), "head");
      return crossEntropyNode(capped, make.input("targets"), "loss");
    }
    case "log-sum-exp": {
      const loss = crossEntropyNode(contractNode(x, weight(), ["i"], "head"), make.input("targets"), "loss");
      const size: Node = {
        kind: "result",
        of: loss,
        result: 1,
        axes: loss.axes,
        dtype: "f32",
        site: "loss",
        origin: [],
      };
      return mapNode([loss, size], e.add(o0, e.mul(e.real(0.1), e.mul(o1, o1))), "loss");
    }
    case "square":
      return reduceNode("sum", mapNode([x], e.mul(o0, o0), "loss"), ["i"], "loss");
    default:
      return head satisfies never;
  }
}

export interface RandomGraph {
  readonly name: string;
  readonly graph: Graph;
}

/** A graph with up to `most` layers. */
export function randomGraph(most = 3): fc.Arbitrary<RandomGraph> {
  const heads: readonly Head[] = ["cross-entropy", "tied", "head-loss", "capped", "log-sum-exp", "square"];
  return fc
    .tuple(fc.array(randomLayer, { maxLength: most }), fc.constantFrom(...heads))
    .map(([layers, head]) => ({
      name: [...layers.map(({ name }) => name), head].join(" → "),
      graph: graphWith(layers, head),
      toString: () => [...layers.map(({ name }) => name), head].join(" → "),
    }));
}

/** A plain choice for tests that vary one thing. */
export const plainAttention: AttentionChoice = {
  mask: causal,
  score: { name: "logit", build: (s) => s },
  group: 2,
  prepended: 0,
  rotation: "none",
  regions: 1,
  headSize: 4,
  valueSize: 3,
};
