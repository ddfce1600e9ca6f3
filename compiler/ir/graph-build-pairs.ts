/** Constructors of selections, folds over pairs, blocks of an axis, and holes; like those of `graph-build.ts`. */
import type { Expr } from "./expr.ts";
import { axis, blocksOf, findAxis, wordsOf } from "./graph-axes.ts";
import { batchAxis, checked, placed, type Place } from "./graph-build.ts";
import { nodeOperands, withOperands, type NodeOf } from "./graph-operands.ts";
import type { BlockReduceNode, LogSumExpNode, PairTarget, SelectNode } from "./graph-pairs.ts";
import type { Axis, DataType, Node, PairCore } from "./graph.ts";
import { sameAxes, showAxes } from "./graph-axes.ts";

/** What a selection is told; without query and key its body has no logit. */
export type SelectParts = Pick<
  SelectNode,
  "body" | "where" | "always" | "choose" | "buffers" | "candidates"
> & {
  readonly query?: Node | null;
  readonly key?: Node | null;
  readonly scale?: number;
};

/** A set [b, rows, heads, words] over the candidates; without rows or heads these are shared. `words` names the last axis. */
export const selectNode = (
  parts: SelectParts,
  over: { readonly rows: Axis | null; readonly heads: Axis | null; readonly words?: string },
  at: Place,
): NodeOf<"select"> =>
  checked<"select">({
    kind: "select",
    query: parts.query ?? null,
    key: parts.key ?? null,
    scale: parts.scale ?? 1,
    body: parts.body,
    where: parts.where,
    always: parts.always,
    choose: parts.choose,
    buffers: parts.buffers,
    candidates: parts.candidates,
    perRow: over.rows !== null,
    perHead: over.heads !== null,
    axes: [
      batchAxis,
      ...(over.rows === null ? [] : [over.rows]),
      ...(over.heads === null ? [] : [over.heads]),
      axis(over.words ?? "words", wordsOf(parts.candidates)),
    ],
    dtype: "i32",
    ...placed(at),
  });

const pairsOf = (core: PairCore): PairCore => ({
  regions: core.regions,
  mask: core.mask,
  buffers: core.buffers,
  scale: core.scale,
});

/** log Σ exp(score) [b, t, h] over the keys of each row. */
export const logSumExpNode = (
  core: PairCore & Pick<LogSumExpNode, "score">,
  at: Place,
): NodeOf<"log-sum-exp"> =>
  checked<"log-sum-exp">({
    kind: "log-sum-exp",
    ...pairsOf(core),
    score: core.score,
    axes: core.regions[0]?.query.axes.slice(0, 3) ?? [],
    dtype: "f32",
    ...placed(at),
  });

/** Folds `body` over pairs into the batch and the axes of `targets`. */
export const pairReduceNode = (
  op: NodeOf<"pair-reduce">["op"],
  core: PairCore,
  body: Expr,
  targets: readonly PairTarget[],
  at: Place,
): NodeOf<"pair-reduce"> =>
  checked<"pair-reduce">({
    kind: "pair-reduce",
    op,
    ...pairsOf(core),
    body,
    targets: targets.map(({ index }) => index),
    axes: [batchAxis, ...targets.map((target) => target.axis)],
    dtype: "f32",
    ...placed(at),
  });

const replaced = (operand: Node, along: string, own: Axis): readonly Axis[] =>
  operand.axes.map((given) => (given.name === along ? own : given));

/** Folds blocks of `block` elements along `along`; the result's axis is named `name`. */
export function blockReduceNode(
  op: BlockReduceNode["op"],
  operand: Node,
  along: string,
  block: number,
  at: Place,
  name: string = along,
): NodeOf<"block-reduce"> {
  const given = findAxis(operand.axes, along);
  if (given === undefined) throw new Error(`block-reduce of ${placed(at).site}: no axis ${along}`);
  return checked<"block-reduce">({
    kind: "block-reduce",
    op,
    operand,
    axis: along,
    block,
    axes: replaced(operand, along, axis(name, blocksOf(given.size, block))),
    dtype: operand.dtype,
    ...placed(at),
  });
}

/** Repeats each block along `along` over its positions, which `positions` counts and names. */
export const blockSpreadNode = (
  operand: Node,
  along: string,
  block: number,
  positions: Axis,
  at: Place,
): NodeOf<"block-spread"> =>
  checked<"block-spread">({
    kind: "block-spread",
    operand,
    axis: along,
    block,
    axes: replaced(operand, along, positions),
    dtype: operand.dtype,
    ...placed(at),
  });

/** Sums along an axis up to each element, from its end where `backward`, without the element where `exclusive`. */
export const runningSumNode = (
  operand: Node,
  along: string,
  { backward = false, exclusive = false }: { readonly backward?: boolean; readonly exclusive?: boolean },
  at: Place,
): NodeOf<"running-sum"> =>
  checked<"running-sum">({
    kind: "running-sum",
    operand,
    axis: along,
    backward,
    exclusive,
    axes: operand.axes,
    dtype: operand.dtype,
    ...placed(at),
  });

/** Stands for a node of the model that has these axes. */
export const holeNode = (
  name: string,
  axes: readonly Axis[],
  at: Place,
  dtype: DataType = "f32",
): NodeOf<"hole"> => checked<"hole">({ kind: "hole", name, axes, dtype, ...placed(at) });

/**
 * The nodes with every hole below them replaced, each hole once; nodes that share operands share them still. Throws when
 * what fills a hole has other axes or another element type.
 */
export function fillHoles(nodes: readonly Node[], fill: (name: string) => Node): readonly Node[] {
  const done = new Map<Node, Node>();
  const visit = (node: Node): Node => {
    const known = done.get(node);
    if (known !== undefined) return known;
    const found =
      node.kind === "hole"
        ? filled(node, fill(node.name))
        : withOperands(node, nodeOperands(node).map(visit));
    done.set(node, found);
    return found;
  };
  return nodes.map(visit);
}

function filled(hole: NodeOf<"hole">, node: Node): Node {
  if (sameAxes(hole.axes, node.axes) && hole.dtype === node.dtype) return node;
  throw new Error(
    `hole ${hole.name} of ${hole.site} is ${hole.dtype} ${showAxes(hole.axes)}, filled by ${node.dtype} ${showAxes(node.axes)}`,
  );
}
