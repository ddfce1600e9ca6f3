/** Axes and element types of every result of a node: result 0 is the node itself, others are read through `result` nodes. */
import type { NodeOf } from "./graph-operands.ts";
import type { Axis, DataType, Node, NodeKind } from "./graph.ts";

/** What a result is: its axes, outermost first, and the type of its elements. */
export interface ResultType {
  readonly axes: readonly Axis[];
  readonly dtype: DataType;
}

const real = (axes: readonly Axis[]): ResultType => ({ axes, dtype: "f32" });
const self = (node: Node): readonly ResultType[] => [{ axes: node.axes, dtype: node.dtype }];
const none = (): readonly ResultType[] => [];

/** Results after the first. A `result` node has none of its own. */
const rules: { readonly [K in NodeKind]: (node: NodeOf<K>) => readonly ResultType[] } = {
  input: none,
  parameter: none,
  map: none,
  reduce: none,
  contract: none,
  gather: none,
  scatter: none,
  reshape: none,
  concat: none,
  slice: none,
  rotate: none,
  attention: (node) => [real(node.axes.slice(0, -1))],
  "attention-gradient": (node) =>
    [
      ...node.regions.flatMap((region) => [region.query, region.key]),
      node.value,
      ...node.bufferGradients.map(({ buffer }) => node.buffers[buffer]!),
      ...(node.prepended === null ? [] : [node.prepended.key, node.prepended.value]),
    ]
      .slice(1)
      .map((operand) => real(operand.axes)),
  select: none,
  "log-sum-exp": none,
  "pair-reduce": none,
  "block-reduce": none,
  "block-spread": none,
  "running-sum": none,
  "cross-entropy": (node) => [real(node.axes)],
  "cross-entropy-gradient": none,
  "head-loss": (node) => [real(node.axes)],
  "head-loss-gradient": (node) => [real(node.weight.axes)],
  result: none,
  hole: none,
};

/** Every result of a node, in order. */
export function nodeResults(node: Node): readonly ResultType[] {
  const rule = rules[node.kind] as (node: Node) => readonly ResultType[];
  return [...self(node), ...rule(node)];
}
