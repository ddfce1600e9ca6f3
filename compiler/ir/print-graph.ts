/** Stable, diffable text of a Graph: one line a node, numbered in order, then the outputs by name. */
import { showAxes, showSize } from "./graph-axes.ts";
import { nodeOperands, type NodeOf } from "./graph-operands.ts";
import type {
  AttentionCore,
  Graph,
  LoadSlope,
  Node,
  NodeKind,
  PairCore,
  Turn,
  WeightSlopes,
} from "./graph.ts";
import { showExpr } from "./print-expr.ts";
import type { Normaliser, Weight } from "./weight.ts";

const showNormaliser = ({ guard, score }: Normaliser): string => `{${showExpr(guard)}} {${showExpr(score)}}`;

const showWeight = ({ row, block, cases }: Weight): string[] => [
  ...(row === null ? [] : [`row ${showNormaliser(row)}`]),
  ...(block === null ? [] : [`blocks of ${block.size}`]),
  ...(block?.inner ? [`block ${showNormaliser(block.inner)}`] : []),
  ...cases.map(({ when, row: at, local, factor }) => {
    const factors = [
      ...(at === null ? [] : [`row(${at})`]),
      ...(local ? ["block"] : []),
      ...(factor === null ? [] : [`{${showExpr(factor)}}`]),
    ];
    return `case {${showExpr(when)}} ${factors.length === 0 ? "1" : factors.join(" * ")}`;
  }),
];

const showTurn = (turn: Turn): string[] => [
  `turn by ${turn.by}`,
  `${turn.layout} ${turn.rotated}`,
  `at {${showExpr(turn.position)}}`,
  `angle {${showExpr(turn.angle)}}`,
  `scale {${showExpr(turn.scale)}}`,
];

const pairs = (node: PairCore, ...own: readonly string[]): string[] => [
  `scale ${node.scale}`,
  `mask {${showExpr(node.mask)}}`,
  ...own,
  ...node.regions.flatMap(({ when, turn }) => [
    ...(node.regions.length > 1 ? [`when {${showExpr(when)}}`] : []),
    ...(turn === null ? [] : showTurn(turn)),
  ]),
  ...(node.buffers.length > 0 ? [`buffers ${node.buffers.length}`] : []),
];

const core = (node: AttentionCore): string[] => [
  ...pairs(
    node,
    `score {${showExpr(node.score)}}`,
    ...(node.weight === null ? [] : showWeight(node.weight)),
    ...(node.sink === null ? [] : [`sink {${showExpr(node.sink)}}`]),
  ),
  ...(node.prepended === null ? [] : ["prepended"]),
];

const showWeightSlopes = ({ row, block, factors }: WeightSlopes): string[] => [
  `row slope {${showExpr(row)}}`,
  `block slope {${showExpr(block)}}`,
  ...factors.map((factor) => `case slope {${showExpr(factor)}}`),
];

/** The part is left out for the score. */
const showLoadSlope = ({ indices, slope, part }: LoadSlope): string =>
  `${part === "score" ? "" : `${typeof part === "number" ? `case ${part}` : part} `}[${indices.map(showExpr).join(", ")}] {${showExpr(slope)}}`;

/** What a line says of a node besides kind, operands, axes and site. */
const details: { readonly [K in NodeKind]: (node: NodeOf<K>) => readonly string[] } = {
  input: (node) => [node.name],
  parameter: (node) => [node.path, ...(node.trainable ? [] : ["frozen"])],
  map: (node) => [`{${showExpr(node.body)}}`],
  reduce: (node) => [node.op, `over ${node.over.join(", ")}`],
  contract: (node) => [`over ${node.over.join(", ")}`],
  gather: (node) => [`along ${node.axis}`],
  scatter: (node) => [`along ${node.axis}`],
  reshape: () => [],
  concat: (node) => [`along ${node.axis}`],
  slice: (node) => [`along ${node.axis} from ${node.start}`],
  rotate: (node) => [
    ...(node.inverse ? ["inverse"] : []),
    `${node.layout} ${node.rotated}`,
    `at {${showExpr(node.position)}}`,
    `angle {${showExpr(node.angle)}}`,
    `scale {${showExpr(node.scale)}}`,
  ],
  attention: (node) => [...core(node), ...(node.weightsFixed ? ["weights fixed"] : [])],
  "attention-gradient": (node) => [
    ...core(node),
    `slope {${showExpr(node.scoreSlope)}}`,
    ...(node.weightSlopes === null ? [] : showWeightSlopes(node.weightSlopes)),
    ...node.bufferGradients.map(
      ({ buffer, loads }) => `buffer${buffer} ${loads.map(showLoadSlope).join(" ")}`,
    ),
  ],
  select: (node) => [
    ...(node.query === null ? [] : [`scale ${node.scale}`]),
    node.choose.kind === "top"
      ? `top {${showExpr(node.choose.count)}}`
      : `above {${showExpr(node.choose.threshold)}}`,
    `of ${showSize(node.candidates)} by {${showExpr(node.body)}}`,
    `where {${showExpr(node.where)}}`,
    `always {${showExpr(node.always)}}`,
    `for ${["batch", ...(node.perRow ? ["row"] : []), ...(node.perHead ? ["head"] : [])].join(", ")}`,
    ...(node.buffers.length > 0 ? [`buffers ${node.buffers.length}`] : []),
  ],
  "log-sum-exp": (node) => pairs(node, `score {${showExpr(node.score)}}`),
  "pair-reduce": (node) => [
    node.op,
    `{${showExpr(node.body)}}`,
    `at [${node.targets.map(showExpr).join(", ")}]`,
    ...pairs(node),
  ],
  "block-reduce": (node) => [node.op, `along ${node.axis} by ${node.block}`],
  "block-spread": (node) => [`along ${node.axis} by ${node.block}`],
  "running-sum": (node) => [
    `along ${node.axis}`,
    ...(node.backward ? ["backward"] : []),
    ...(node.exclusive ? ["exclusive"] : []),
  ],
  "cross-entropy": () => [],
  "cross-entropy-gradient": () => [],
  "head-loss": () => [],
  "head-loss-gradient": () => [],
  result: (node) => [String(node.result)],
  hole: (node) => [node.name],
};

/** One line for a node, given the names of its operands. */
export function showNode(node: Node, nameOf: (node: Node) => string): string {
  const operands = nodeOperands(node);
  const shown = (details[node.kind] as (node: Node) => readonly string[])(node);
  const head = operands.length === 0 ? node.kind : `${node.kind}(${operands.map(nameOf).join(", ")})`;
  return [
    head,
    ...shown,
    ":",
    node.dtype,
    showAxes(node.axes),
    ...(node.site === "" ? [] : [`# ${node.site}`]),
  ].join(" ");
}

/** The whole graph. Equal graphs give equal text. */
export function printGraph(graph: Graph): string {
  const names = new Map(graph.nodes.map((node, n) => [node, `n${n}`]));
  const nameOf = (node: Node): string => names.get(node) ?? "?";
  const lines = graph.nodes.map((node) => `${nameOf(node)} = ${showNode(node, nameOf)}`);
  const outputs = [...graph.outputs].map(([name, node]) => `output ${name} = ${nameOf(node)}`);
  return `${[...lines, ...outputs].join("\n")}\n`;
}
