/** Operands of graph nodes, in a fixed order that kernels and schedules share, and the same node over other operands. */
import type { AttentionCore, Node, NodeKind, PairCore } from "./graph.ts";

/** How one kind of node holds its operands: `get` lists them, `set` is the node over others in the same order. */
interface OperandRule<K extends NodeKind> {
  readonly get: (node: NodeOf<K>) => readonly Node[];
  readonly set: (node: NodeOf<K>, operands: readonly Node[]) => NodeOf<K>;
}

export type NodeOf<K extends NodeKind> = Extract<Node, { kind: K }>;

/** Query and key of each region. */
const regionOperands = (node: PairCore): readonly Node[] =>
  node.regions.flatMap((region) => [region.query, region.key]);

/** The regions over operands that `next` hands out in order. */
const withRegions = (node: PairCore, next: () => Node): PairCore["regions"] =>
  node.regions.map((region) => ({ ...region, query: next(), key: next() }));

/** Query and key of each region, then the buffers. */
const pairOperands = (node: PairCore): readonly Node[] => [...regionOperands(node), ...node.buffers];

function withPairs<N extends PairCore>(node: N, operands: readonly Node[]): N {
  let at = 0;
  const next = (): Node => operands[at++]!;
  return { ...node, regions: withRegions(node, next), buffers: node.buffers.map(next) };
}

/** Query and key of each region, the value, the buffers, then prepended key and value where there are any. */
const coreOperands = (node: AttentionCore): readonly Node[] => [
  ...regionOperands(node),
  node.value,
  ...node.buffers,
  ...(node.prepended === null ? [] : [node.prepended.key, node.prepended.value]),
];

function withCore<N extends AttentionCore>(node: N, operands: readonly Node[]): N {
  let at = 0;
  const next = (): Node => operands[at++]!;
  const regions = withRegions(node, next);
  const value = next();
  const buffers = node.buffers.map(next);
  const prepended = node.prepended === null ? null : { key: next(), value: next() };
  return { ...node, regions, value, buffers, prepended };
}

const rules: { readonly [K in NodeKind]: OperandRule<K> } = {
  input: { get: () => [], set: (node) => node },
  parameter: { get: () => [], set: (node) => node },
  map: { get: (node) => node.operands, set: (node, operands) => ({ ...node, operands }) },
  reduce: { get: (node) => [node.operand], set: (node, [operand]) => ({ ...node, operand: operand! }) },
  contract: {
    get: (node) => [node.left, node.right],
    set: (node, [left, right]) => ({ ...node, left: left!, right: right! }),
  },
  gather: {
    get: (node) => [node.table, node.index],
    set: (node, [table, index]) => ({ ...node, table: table!, index: index! }),
  },
  scatter: {
    get: (node) => [node.values, node.index],
    set: (node, [values, index]) => ({ ...node, values: values!, index: index! }),
  },
  reshape: { get: (node) => [node.operand], set: (node, [operand]) => ({ ...node, operand: operand! }) },
  concat: { get: (node) => node.operands, set: (node, operands) => ({ ...node, operands }) },
  slice: { get: (node) => [node.operand], set: (node, [operand]) => ({ ...node, operand: operand! }) },
  rotate: { get: (node) => [node.operand], set: (node, [operand]) => ({ ...node, operand: operand! }) },
  attention: { get: coreOperands, set: withCore },
  "attention-gradient": {
    get: (node) => [...coreOperands(node), node.output, node.logSumExp, node.outputGradient],
    set: (node, operands) => {
      const [output, logSumExp, outputGradient] = operands.slice(-3);
      return {
        ...withCore(node, operands),
        output: output!,
        logSumExp: logSumExp!,
        outputGradient: outputGradient!,
      };
    },
  },
  select: {
    get: (node) => [
      ...(node.query === null || node.key === null ? [] : [node.query, node.key]),
      ...node.buffers,
    ],
    set: (node, operands) =>
      node.query === null || node.key === null
        ? { ...node, buffers: operands }
        : { ...node, query: operands[0]!, key: operands[1]!, buffers: operands.slice(2) },
  },
  "log-sum-exp": { get: pairOperands, set: withPairs },
  "pair-reduce": { get: pairOperands, set: withPairs },
  "block-reduce": {
    get: (node) => [node.operand],
    set: (node, [operand]) => ({ ...node, operand: operand! }),
  },
  "block-spread": {
    get: (node) => [node.operand],
    set: (node, [operand]) => ({ ...node, operand: operand! }),
  },
  "running-sum": {
    get: (node) => [node.operand],
    set: (node, [operand]) => ({ ...node, operand: operand! }),
  },
  "cross-entropy": {
    get: (node) => [node.logits, node.targets],
    set: (node, [logits, targets]) => ({ ...node, logits: logits!, targets: targets! }),
  },
  "cross-entropy-gradient": {
    get: (node) => [node.logits, node.targets, node.logSumExp, node.lossGradient],
    set: (node, [logits, targets, logSumExp, lossGradient]) => ({
      ...node,
      logits: logits!,
      targets: targets!,
      logSumExp: logSumExp!,
      lossGradient: lossGradient!,
    }),
  },
  "head-loss": {
    get: (node) => [node.x, node.weight, node.targets],
    set: (node, [x, weight, targets]) => ({ ...node, x: x!, weight: weight!, targets: targets! }),
  },
  "head-loss-gradient": {
    get: (node) => [node.x, node.weight, node.targets, node.logSumExp, node.lossGradient],
    set: (node, [x, weight, targets, logSumExp, lossGradient]) => ({
      ...node,
      x: x!,
      weight: weight!,
      targets: targets!,
      logSumExp: logSumExp!,
      lossGradient: lossGradient!,
    }),
  },
  result: { get: (node) => [node.of], set: (node, [of]) => ({ ...node, of: of! }) },
  hole: { get: () => [], set: (node) => node },
};

/** The rule of a node's kind; the table guarantees that both are of one kind. */
const ruleOf = (node: Node): OperandRule<NodeKind> => rules[node.kind] as unknown as OperandRule<NodeKind>;

/** The operands of a node, in the order in which its kernel takes them. */
export const nodeOperands = (node: Node): readonly Node[] => ruleOf(node).get(node);

/** The same node over other operands, in the order of `nodeOperands`; the node itself when none differs. */
export function withOperands<N extends Node>(node: N, operands: readonly Node[]): N {
  const known = nodeOperands(node);
  if (known.length !== operands.length)
    throw new Error(`${node.kind} takes ${known.length} operands, not ${operands.length}`);
  if (known.every((operand, n) => operand === operands[n])) return node;
  return ruleOf(node).set(node, operands) as N;
}
