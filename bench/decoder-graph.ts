/** A small decoder as a Graph, built by hand: the same model that the numbers in docs are about, without the language. */
import {
  add,
  and,
  constant,
  div,
  eq,
  index,
  le,
  load,
  logit,
  mul,
  operand,
  real,
  sub,
  unary,
  type Expr,
} from "../compiler/ir/expr.ts";
import type { Axis, AxisSize, DataType, Graph, Init, Node, UpdateRule } from "../compiler/ir/graph.ts";
import { binary, scalar, size } from "../compiler/ir/expr.ts";
import type { ParameterInfo } from "../runtime/program.ts";

export interface DecoderShape {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly hidden: number;
  readonly vocab: number;
  /** Two maps with silu(gate) · up, or one with gelu. */
  readonly gated: boolean;
  readonly bias: boolean;
  /** Rotary embedding of queries and keys. */
  readonly rotary: boolean;
  /** Keys of the query's own document only. */
  readonly documents: boolean;
}

/** 3.4 million parameters. */
export const benchShape: DecoderShape = {
  layers: 4,
  width: 256,
  heads: 4,
  kvHeads: 4,
  hidden: 1024,
  vocab: 256,
  gated: false,
  bias: false,
  rotary: false,
  documents: false,
};

const fixed = (name: string, value: number): Axis => ({ name, size: { kind: "fixed", value } });
const batch: Axis = { name: "b", size: { kind: "batch" } };
const length: AxisSize = { kind: "length", plus: 0, by: 1 };
const tokens: Axis = { name: "t", size: length };

type Fields<N extends Node> = N extends Node ? Omit<N, "axes" | "dtype" | "site" | "origin"> : never;

/** Adds nodes to a list in order. */
export class GraphWriter {
  readonly nodes: Node[] = [];

  add(site: string, axes: readonly Axis[], fields: Fields<Node>, dtype: DataType = "f32"): Node {
    const node = { ...fields, axes, dtype, site, origin: [] } as Node;
    this.nodes.push(node);
    return node;
  }

  parameter(path: string, axes: readonly Axis[], init: Init, trainable = true): Node {
    return this.add(path, axes, { kind: "parameter", path, init, trainable });
  }

  map(site: string, axes: readonly Axis[], operands: readonly Node[], body: Expr): Node {
    return this.add(site, axes, { kind: "map", operands, body });
  }

  sum(site: string, value: Node, over: readonly string[]): Node {
    const axes = value.axes.filter((axis) => !over.includes(axis.name));
    return this.add(site, axes, { kind: "reduce", op: "sum", operand: value, over });
  }

  contract(site: string, axes: readonly Axis[], left: Node, right: Node, over: readonly string[]): Node {
    return this.add(site, axes, { kind: "contract", left, right, over });
  }

  reshape(site: string, value: Node, axes: readonly Axis[]): Node {
    return this.add(site, axes, { kind: "reshape", operand: value });
  }
}

const x = operand(0);
const silu = mul(x, unary("sigmoid", x));
const gelu = mul(mul(real(0.5), x), add(real(1), unary("erf", mul(x, real(Math.SQRT1_2)))));

function linear(g: GraphWriter, site: string, input: Node, out: Axis, inner: Axis, bias: boolean): Node {
  const weight = g.parameter(`${site}.weight`, [out, inner], { kind: "normal", deviation: 0.02 });
  const rows = input.axes.slice(0, -1);
  const y = g.contract(site, [...rows, out], input, weight, [inner.name]);
  if (!bias) return y;
  const b = g.parameter(`${site}.bias`, [out], { kind: "constant", value: 0 });
  return g.map(site, y.axes, [y, b], add(operand(0), operand(1)));
}

function norm(g: GraphWriter, site: string, input: Node, width: Axis): Node {
  const size = (width.size as { value: number }).value;
  const weight = g.parameter(`${site}.weight`, [width], { kind: "constant", value: 1 });
  const square = g.map(site, input.axes, [input], mul(x, x));
  const total = g.sum(site, square, [width.name]);
  const body = mul(div(x, unary("sqrt", add(div(operand(1), real(size)), real(1e-6)))), operand(2));
  return g.map(site, input.axes, [input, total, weight], body);
}

function rotated(g: GraphWriter, site: string, value: Node, dims: number): Node {
  const angle = binary("pow", real(10_000), div(mul(real(-2), index("m")), real(dims)));
  return g.add(site, value.axes, {
    kind: "rotate",
    operand: value,
    position: index("x"),
    angle,
    scale: real(1),
    rotated: dims,
    layout: "half",
    inverse: false,
  });
}

function attention(
  g: GraphWriter,
  site: string,
  input: Node,
  shape: DecoderShape,
  documents: Node | null,
): Node {
  const dims = shape.width / shape.heads;
  const inner = fixed("i", shape.width);
  const project = (name: string, heads: number, axes: readonly Axis[]): Node => {
    const flat = linear(g, `${site}.${name}`, input, fixed("o", heads * dims), inner, shape.bias);
    const split = g.reshape(`${site}.${name}`, flat, axes);
    return shape.rotary && name !== "v" ? rotated(g, `${site}.${name}`, split, dims) : split;
  };
  const query = project("q", shape.heads, [batch, tokens, fixed("h", shape.heads), fixed("d", dims)]);
  const key = project("k", shape.kvHeads, [batch, tokens, fixed("g", shape.kvHeads), fixed("d", dims)]);
  const value = project("v", shape.kvHeads, [batch, tokens, fixed("g", shape.kvHeads), fixed("e", dims)]);
  const causal = le(index("k"), index("q"));
  const sameDocument = eq(load(0, [index("q")], "int"), load(0, [index("k")], "int"));
  const out = g.add(site, [batch, tokens, fixed("h", shape.heads), fixed("e", dims)], {
    kind: "attention",
    regions: [{ query, key, when: constant(1, "bool"), turn: null }],
    value,
    mask: documents === null ? causal : and(causal, sameDocument),
    score: logit,
    weight: null,
    sink: null,
    buffers: documents === null ? [] : [documents],
    scale: 1 / Math.sqrt(dims),
    prepended: null,
    weightsFixed: false,
  });
  const merged = g.reshape(`${site}.o`, out, [batch, tokens, fixed("j", shape.width)]);
  return linear(g, `${site}.o`, merged, inner, fixed("j", shape.width), shape.bias);
}

function feedForward(g: GraphWriter, site: string, input: Node, shape: DecoderShape): Node {
  const inner = fixed("i", shape.width);
  const hidden = fixed("f", shape.hidden);
  const up = linear(g, `${site}.up`, input, hidden, inner, shape.bias);
  let middle: Node;
  if (shape.gated) {
    const gate = linear(g, `${site}.gate`, input, hidden, inner, shape.bias);
    middle = g.map(site, up.axes, [gate, up], mul(silu, operand(1)));
  } else middle = g.map(site, up.axes, [up], gelu);
  return linear(g, `${site}.down`, middle, inner, hidden, shape.bias);
}

/** Nodes up to the logits [b, t, v]. */
function writeDecoder(shape: DecoderShape): { g: GraphWriter; logits: Node } {
  const g = new GraphWriter();
  const inner = fixed("i", shape.width);
  const vocab = fixed("v", shape.vocab);
  const whole = (name: "tokens" | "documents"): Node =>
    g.add(name, [batch, tokens], { kind: "input", name }, "i32");
  const text = whole("tokens");
  const documents = shape.documents ? whole("documents") : null;
  const table = g.parameter("embed.weight", [vocab, inner], { kind: "normal", deviation: 0.02 });
  let stream: Node = g.add("embed", [batch, tokens, inner], {
    kind: "gather",
    table,
    axis: "v",
    index: text,
  });
  const plus = (site: string, a: Node, b: Node): Node =>
    g.map(site, a.axes, [a, b], add(operand(0), operand(1)));
  for (let layer = 0; layer < shape.layers; layer++) {
    const site = `layers.${layer}`;
    const mid = plus(
      site,
      stream,
      attention(g, `${site}.attn`, norm(g, `${site}.norm.attn`, stream, inner), shape, documents),
    );
    stream = plus(site, mid, feedForward(g, `${site}.mlp`, norm(g, `${site}.norm.mlp`, mid, inner), shape));
  }
  const logits = linear(g, "head", norm(g, "norm.final", stream, inner), vocab, inner, false);
  return { g, logits };
}

/** Output `loss` [b, t] or `logits` [b, t, v]. */
export function decoderGraph(shape: DecoderShape, output: "loss" | "logits"): Graph {
  const { g, logits } = writeDecoder(shape);
  if (output === "logits") return { nodes: g.nodes, outputs: new Map([["logits", logits]]) };
  const targets = g.add("targets", [batch, tokens], { kind: "input", name: "targets" }, "i32");
  const loss: Node = g.add("loss", [batch, tokens], { kind: "cross-entropy", logits, targets });
  return { nodes: g.nodes, outputs: new Map([["loss", loss]]) };
}

/** Parameters of a graph as a program lists them. */
export function parametersOf(graph: Graph): readonly ParameterInfo[] {
  return graph.nodes.flatMap((node) =>
    node.kind === "parameter"
      ? [
          {
            path: node.path,
            shape: node.axes.map((axis) => (axis.size as { value: number }).value),
            init: node.init,
            trainable: node.trainable,
          },
        ]
      : [],
  );
}

/** Decoupled weight decay with two running means, as an update rule. */
export function benchUpdate(decay = 0.01): UpdateRule {
  const [w, grad, m0, v0] = [operand(0), operand(1), operand(2), operand(3)];
  const step = size("step");
  const m = add(mul(real(0.9), m0), mul(real(0.1), grad));
  const v = add(mul(real(0.999), v0), mul(real(0.001), mul(grad, grad)));
  const mHat = div(m, sub(real(1), binary("pow", real(0.9), step)));
  const vHat = div(v, sub(real(1), binary("pow", real(0.999), step)));
  const change = add(div(mHat, add(unary("sqrt", vHat), real(1e-8))), mul(real(decay), w));
  return {
    states: [
      { name: "m", value: m },
      { name: "v", value: v },
    ],
    weight: sub(w, mul(scalar("lr"), change)),
  };
}
