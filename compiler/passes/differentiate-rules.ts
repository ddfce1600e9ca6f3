/** The adjoint of every kind of node: what a gradient of its result adds to the gradients of its operands. */
import { attentionSlopes } from "../ir/attention-slopes.ts";
import { derivative } from "../ir/derivative.ts";
import {
  add,
  binary,
  div,
  eq,
  index,
  int,
  mul,
  operand,
  real,
  select,
  sub,
  toReal,
  unary,
  type Expr,
} from "../ir/expr.ts";
import { findAxis, shrinkSize, sizeDifference, sizeExpr, withoutAxes } from "../ir/graph-axes.ts";
import { blockReduceNode, blockSpreadNode, runningSumNode } from "../ir/graph-build-pairs.ts";
import {
  attentionGradientNode,
  axis,
  concatNode,
  contractNode,
  crossEntropyGradientNode,
  gatherNode,
  headLossGradientNode,
  mapNode,
  placeOf,
  reduceNode,
  reshapeNode,
  resultNode,
  rotateNode,
  scatterNode,
  sliceNode,
} from "../ir/graph-build.ts";
import { compactMap } from "../ir/graph-map.ts";
import type { NodeOf } from "../ir/graph-operands.ts";
import type { Axis, Node, NodeKind } from "../ir/graph.ts";

export interface AdjointContext {
  /** Gradients of all results of the node, by number; absent where nothing flows. */
  readonly gradients: ReadonlyMap<number, Node>;
  /** True for an operand whose gradient is wanted. */
  readonly wanted: (node: Node) => boolean;
  /** Adds to the gradient of an operand; axes are the operand's. */
  readonly give: (node: Node, gradient: Node) => void;
}

type Adjoint<K extends NodeKind> = (node: NodeOf<K>, context: AdjointContext) => void;

const names = (axes: readonly Axis[]): readonly string[] => axes.map(({ name }) => name);
const first = ({ gradients }: AdjointContext): Node | undefined => gradients.get(0);

/** Sums a gradient over the axes that an operand does not have, in the operand's order of axes. */
function sumTo(gradient: Node, like: Node): Node {
  const extra = names(gradient.axes).filter((name) => findAxis(like.axes, name) === undefined);
  const summed = extra.length === 0 ? gradient : reduceNode("sum", gradient, extra, placeOf(like));
  return orderAs(summed, like.axes);
}

/** The same values with axes in the given order. */
function orderAs(node: Node, axes: readonly Axis[]): Node {
  if (names(node.axes).join() === names(axes).join()) return node;
  return mapNode([node], operand(0), placeOf(node), axes);
}

const spread = (node: Node, axes: readonly Axis[]): Node =>
  names(node.axes).join() === names(axes).join() ? node : mapNode([node], operand(0), placeOf(node), axes);

/** A tensor of zeros. */
export const zeros = (axes: readonly Axis[], at: Node): Node => mapNode([], real(0), placeOf(at), axes);

/** One side's gradient of a contraction. */
function contractSide(node: NodeOf<"contract">, side: Node, other: Node, gradient: Node): Node {
  const reachable = side.axes.filter(
    ({ name }) => findAxis(gradient.axes, name) !== undefined || findAxis(other.axes, name) !== undefined,
  );
  const all = new Set([...names(gradient.axes), ...names(other.axes)]);
  const over = [...all].filter((name) => findAxis(side.axes, name) === undefined);
  const product = contractNode(gradient, other, over, placeOf(node), names(reachable));
  // An axis that only this side had, and that was summed: every element got the same share.
  return spread(product, side.axes);
}

const refuse =
  (why: string): ((node: Node) => never) =>
  (node) => {
    throw new Error(`no gradient of ${node.kind} of ${node.site}: ${why}`);
  };

const noGradient = (): void => {};
const once = refuse("gradients are taken once");
const constant = refuse("it counts as a constant, so none should reach it");

function extreme(node: NodeOf<"reduce">, context: AdjointContext, gradient: Node): void {
  const at = placeOf(node);
  const reached = select(eq(operand(0), operand(1)), real(1), real(0));
  const hits = mapNode([node.operand, node], reached, at, node.operand.axes);
  const ties = reduceNode("sum", hits, node.over, at);
  // Elements that share the extreme share its gradient.
  const body = div(mul(operand(0), operand(1)), operand(2));
  context.give(node.operand, mapNode([hits, gradient, ties], body, at, node.operand.axes));
}

/** Sums and means give each element its block's gradient (or its share); elements that share an extreme share its gradient. */
function blockReduce(node: NodeOf<"block-reduce">, context: AdjointContext): void {
  const gradient = first(context);
  if (gradient === undefined || !context.wanted(node.operand)) return;
  const { operand: target, block } = node;
  const at = placeOf(node);
  const place = target.axes.findIndex(({ name }) => name === node.axis);
  const [along, blocks] = [target.axes[place]!, node.axes[place]!.name];
  const back = (of: Node): Node => blockSpreadNode(of, blocks, block, along, at);
  if (node.op === "sum") return context.give(target, back(gradient));
  if (node.op === "mean") {
    const start = mulInt(binary("floor-div", index(along.name), int(block)), block);
    const count = binary("min", sub(sizeExpr(along.size), start), int(block));
    const share = div(operand(0), toReal(count));
    return context.give(target, mapNode([back(gradient)], share, at, target.axes));
  }
  const reached = select(eq(operand(0), operand(1)), real(1), real(0));
  const hits = mapNode([target, back(node)], reached, at, target.axes);
  const ties = blockReduceNode("sum", hits, along.name, block, at, blocks);
  const shares = mapNode([gradient, ties], div(operand(0), operand(1)), at, node.axes);
  context.give(target, mapNode([hits, back(shares)], mul(operand(0), operand(1)), at, target.axes));
}

const mulInt = (e: Expr, n: number): Expr => mul(e, int(n));

function attention(node: NodeOf<"attention">, context: AdjointContext): void {
  if (context.gradients.has(1)) refuse("its log-sum-exp has none")(node);
  const gradient = first(context);
  if (gradient === undefined) return;
  const fixed = node.weightsFixed;
  const slopes = attentionSlopes(node, (buffer) => !fixed && context.wanted(buffer));
  const adjoint = attentionGradientNode(node, gradient, slopes, placeOf(node));
  let result = 0;
  const give = (target: Node, passes = !fixed): void => {
    const n = result++;
    if (passes && context.wanted(target)) context.give(target, resultNode(adjoint, n));
  };
  for (const region of node.regions) {
    give(region.query);
    give(region.key);
  }
  give(node.value, true);
  for (const { buffer } of slopes.bufferGradients) give(node.buffers[buffer]!);
  if (node.prepended !== null) {
    give(node.prepended.key);
    give(node.prepended.value);
  }
}

/** Rules by kind; each reads the node's gradients and gives gradients to wanted operands. */
export const adjoints: { readonly [K in NodeKind]: Adjoint<K> } = {
  input: noGradient,
  parameter: noGradient,
  map: (node, context) => {
    const gradient = first(context);
    if (gradient === undefined) return;
    node.operands.forEach((target, n) => {
      if (target.dtype !== "f32" || !context.wanted(target)) return;
      const slope = derivative(node.body, operand(n));
      if (slope.kind === "constant" && slope.value === 0) return;
      const incoming = operand(node.operands.length);
      const body = slope.kind === "constant" && slope.value === 1 ? incoming : mul(slope, incoming);
      context.give(target, sumTo(compactMap([...node.operands, gradient], body, node, node.axes), target));
    });
  },
  reduce: (node, context) => {
    const gradient = first(context);
    if (gradient === undefined || !context.wanted(node.operand)) return;
    if (node.op === "sum") context.give(node.operand, spread(gradient, node.operand.axes));
    else extreme(node, context, gradient);
  },
  contract: (node, context) => {
    const gradient = first(context);
    if (gradient === undefined) return;
    if (context.wanted(node.left))
      context.give(node.left, contractSide(node, node.left, node.right, gradient));
    if (context.wanted(node.right))
      context.give(node.right, contractSide(node, node.right, node.left, gradient));
  },
  gather: (node, context) => {
    const gradient = first(context);
    if (gradient === undefined || !context.wanted(node.table)) return;
    context.give(node.table, scatterNode(gradient, node.axis, node.index, node.table.axes, placeOf(node)));
  },
  scatter: (node, context) => {
    const gradient = first(context);
    if (gradient === undefined || !context.wanted(node.values)) return;
    context.give(node.values, gatherNode(gradient, node.axis, node.index, placeOf(node)));
  },
  reshape: (node, context) => {
    const gradient = first(context);
    if (gradient === undefined || !context.wanted(node.operand)) return;
    context.give(node.operand, reshapeNode(gradient, node.operand.axes, placeOf(node)));
  },
  concat: (node, context) => {
    const gradient = first(context);
    if (gradient === undefined) return;
    // After an operand whose size is the length, the rest cannot be counted from the front by a fixed number.
    let start: number | null = 0;
    node.operands.forEach((target, n) => {
      const size = findAxis(target.axes, node.axis)!.size;
      if (start === null) refuse("a part after the tokens")(node);
      if (context.wanted(target)) {
        const part: Node =
          node.operands.length === 1 ? gradient : sliceNode(gradient, node.axis, start!, placeOf(node), size);
        context.give(target, sumTo(part, target));
      }
      start = size.kind === "fixed" ? start! + size.value : n === node.operands.length - 1 ? start : null;
    });
  },
  slice: (node, context) => {
    const gradient = first(context);
    if (gradient === undefined || !context.wanted(node.operand)) return;
    const [given, own] = [findAxis(node.operand.axes, node.axis)!, findAxis(node.axes, node.axis)!];
    const room = sizeDifference(given.size, own.size);
    const after =
      room !== null
        ? axis(node.axis, room - node.start)
        : given.size.kind === "length" && own.size.kind === "fixed"
          ? axis(node.axis, shrinkSize(given.size, own.size.value + node.start))
          : refuse("its sizes differ in kind")(node);
    const pad = (along: Axis): readonly Node[] =>
      along.size.kind === "fixed" && along.size.value === 0
        ? []
        : [
            zeros(
              withoutAxes(node.axes, ["b"]).map((a) => (a.name === node.axis ? along : a)),
              node,
            ),
          ];
    const parts = [...pad(axis(node.axis, node.start)), gradient, ...pad(after)];
    context.give(node.operand, parts.length === 1 ? gradient : concatNode(node.axis, parts, placeOf(node)));
  },
  rotate: (node, context) => {
    const gradient = first(context);
    if (gradient === undefined || !context.wanted(node.operand)) return;
    context.give(node.operand, rotateNode(gradient, { ...node, inverse: !node.inverse }, placeOf(node)));
  },
  attention,
  "attention-gradient": once,
  select: constant,
  "log-sum-exp": constant,
  "pair-reduce": constant,
  "block-reduce": blockReduce,
  "block-spread": (node, context) => {
    const gradient = first(context);
    if (gradient === undefined || !context.wanted(node.operand)) return;
    const at = node.operand.axes.findIndex(({ name }) => name === node.axis);
    const sum = blockReduceNode("sum", gradient, node.axes[at]!.name, node.block, placeOf(node), node.axis);
    context.give(node.operand, sum);
  },
  "running-sum": (node, context) => {
    const gradient = first(context);
    if (gradient === undefined || !context.wanted(node.operand)) return;
    const { axis: along, exclusive } = node;
    const options = { backward: !node.backward, exclusive };
    context.give(node.operand, runningSumNode(gradient, along, options, placeOf(node)));
  },
  "cross-entropy": (node, context) => {
    if (!context.wanted(node.logits)) return;
    const [loss, logSumExp] = [context.gradients.get(0), context.gradients.get(1)];
    if (loss !== undefined) context.give(node.logits, crossEntropyGradientNode(node, loss, placeOf(node)));
    if (logSumExp !== undefined) {
      const body = mul(operand(2), unary("exp", sub(operand(0), operand(1))));
      const operands = [node.logits, resultNode(node, 1), logSumExp];
      context.give(node.logits, mapNode(operands, body, placeOf(node), node.logits.axes));
    }
  },
  "cross-entropy-gradient": once,
  "head-loss": (node, context) => {
    if (context.gradients.has(1)) refuse("its log-sum-exp has none")(node);
    const loss = first(context);
    if (loss === undefined) return;
    const adjoint = headLossGradientNode(node, loss, placeOf(node));
    if (context.wanted(node.x)) context.give(node.x, adjoint);
    if (context.wanted(node.weight)) context.give(node.weight, resultNode(adjoint, 1));
  },
  "head-loss-gradient": once,
  // The differentiation itself moves a result's gradient to the node it is a result of.
  result: noGradient,
  hole: refuse("it was not filled"),
};

/** The sum of gradients that reach one value, as one map. */
export function sumOf(gradients: readonly Node[], like: Node): Node {
  const [head, ...rest] = gradients as [Node, ...Node[]];
  if (rest.length === 0) return head;
  const body = rest.reduce<Expr>((total, _, n) => add(total, operand(n + 1)), operand(0));
  return compactMap(gradients, body, like, like.axes);
}
