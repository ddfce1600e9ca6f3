/**
 * Constructors of graph nodes: each works out the result's axes from its operands and throws (a mistake of the
 * compiler, not of a spec) when the node would be wrong. `at` is the site path, or the site with spans of the spec.
 */
import type { Span } from "../source/span.ts";
import type { Expr } from "./expr.ts";
import { axis, findAxis, fixedSize, addSizes, shrinkSize, unionAxes, withoutAxes } from "./graph-axes.ts";
import { nodeOperands, type NodeOf } from "./graph-operands.ts";
import { nodeResults } from "./graph-results.ts";
import type {
  AttentionCore,
  AttentionGradientNode,
  Axis,
  AxisSize,
  Graph,
  InputNode,
  LoadSlope,
  Node,
  ReduceNode,
  Region,
} from "./graph.ts";
import type { NodeKind, RotateNode } from "./graph.ts";
import { nodeProblems } from "./verify-node.ts";

export { axis, batchAxis, tokenAxis } from "./graph-axes.ts";

/** Where a node comes from. */
export type Place = string | { readonly site: string; readonly origin: readonly Span[] };

/** Site and spans of a place. */
export const placed = (at: Place): { site: string; origin: readonly Span[] } =>
  typeof at === "string" ? { site: at, origin: [] } : { site: at.site, origin: at.origin };

/** The place of an existing node, for nodes derived from it. */
export const placeOf = (node: Node): Place => ({ site: node.site, origin: node.origin });

/** The node, when it is right. */
export function checked<K extends NodeKind>(node: NodeOf<K>): NodeOf<K> {
  const problems = nodeProblems(node as Node);
  if (problems.length > 0) throw new Error(`${node.kind} of ${node.site}: ${problems.join("; ")}`);
  return node;
}

const madeInputs = new Map<InputNode["name"], NodeOf<"input">>();

/** Batch data. `loss-scale` has no axes; the others are [b, t]. A graph has one node of each, wherever it is read. */
export function inputNode(name: InputNode["name"]): NodeOf<"input"> {
  const known = madeInputs.get(name);
  if (known !== undefined) return known;
  const axes =
    name === "loss-scale"
      ? []
      : [axis("b", { kind: "batch" }), axis("t", { kind: "length", plus: 0, by: 1 })];
  const dtype = name === "loss-scale" ? "f32" : "i32";
  const made = checked<"input">({ kind: "input", name, axes, dtype, ...placed(name) });
  madeInputs.set(name, made);
  return made;
}

/** A trained or frozen tensor; its axes have fixed sizes. */
export const parameterNode = (
  path: string,
  axes: readonly Axis[],
  init: NodeOf<"parameter">["init"],
  trainable = true,
  at: Place = path,
): NodeOf<"parameter"> =>
  checked<"parameter">({ kind: "parameter", path, axes, init, trainable, dtype: "f32", ...placed(at) });

/** Pointwise body; without `axes` the result has all axes of its operands, the widest operand's order first. */
export const mapNode = (
  operands: readonly Node[],
  body: Expr,
  at: Place,
  axes: readonly Axis[] = unionAxes(operands.map((operand) => operand.axes)),
): NodeOf<"map"> =>
  checked<"map">({
    kind: "map",
    operands,
    body,
    axes,
    dtype: body.type === "real" ? "f32" : "i32",
    ...placed(at),
  });

/** Folds the axes named in `over`. */
export const reduceNode = (
  op: ReduceNode["op"],
  operand: Node,
  over: readonly string[],
  at: Place,
): NodeOf<"reduce"> =>
  checked<"reduce">({
    kind: "reduce",
    op,
    operand,
    over,
    axes: withoutAxes(operand.axes, over),
    dtype: operand.dtype,
    ...placed(at),
  });

/** Σ over `over` of left · right; without `order` the result has left's other axes, then right's that left has not. */
export function contractNode(
  left: Node,
  right: Node,
  over: readonly string[],
  at: Place,
  order?: readonly string[],
): NodeOf<"contract"> {
  const kept = withoutAxes(
    [...left.axes, ...right.axes.filter(({ name }) => !findAxis(left.axes, name))],
    over,
  );
  const axes =
    order?.map((name) => {
      const found = findAxis(kept, name);
      if (found === undefined) throw new Error(`contract of ${placed(at).site}: no axis ${name}`);
      return found;
    }) ?? kept;
  return checked<"contract">({ kind: "contract", left, right, over, axes, dtype: "f32", ...placed(at) });
}

/** Rows of `table` along `along`, one for each element of the whole-number tensor `index`. */
export const gatherNode = (table: Node, along: string, index: Node, at: Place): NodeOf<"gather"> =>
  checked<"gather">({
    kind: "gather",
    table,
    axis: along,
    index,
    axes: [...index.axes, ...withoutAxes(table.axes, [along])],
    dtype: table.dtype,
    ...placed(at),
  });

/** Adds rows of `values` into a zero table with the given axes. */
export const scatterNode = (
  values: Node,
  along: string,
  index: Node,
  axes: readonly Axis[],
  at: Place,
): NodeOf<"scatter"> =>
  checked<"scatter">({
    kind: "scatter",
    values,
    axis: along,
    index,
    axes,
    dtype: values.dtype,
    ...placed(at),
  });

/** The same elements under other axes. */
export const reshapeNode = (operand: Node, axes: readonly Axis[], at: Place): NodeOf<"reshape"> =>
  checked<"reshape">({ kind: "reshape", operand, axes, dtype: operand.dtype, ...placed(at) });

/** Operands one after another along `along`. */
export function concatNode(along: string, operands: readonly Node[], at: Place): NodeOf<"concat"> {
  const total = addSizes(operands.map((operand) => findAxis(operand.axes, along)?.size ?? fixedSize(0)));
  const widest = operands.find((operand) => findAxis(operand.axes, "b")) ?? operands[0];
  if (total === null || widest === undefined)
    throw new Error(`concat of ${placed(at).site}: no size along ${along}`);
  const axes = widest.axes.map((own) => (own.name === along ? axis(along, total) : own));
  return checked<"concat">({
    kind: "concat",
    axis: along,
    operands,
    axes,
    dtype: widest.dtype,
    ...placed(at),
  });
}

/** Elements `start …` of `along`; without `count` all that are left. */
export function sliceNode(
  operand: Node,
  along: string,
  start: number,
  at: Place,
  count?: number | AxisSize,
): NodeOf<"slice"> {
  const given = findAxis(operand.axes, along);
  if (given === undefined) throw new Error(`slice of ${placed(at).site}: no axis ${along}`);
  const left = axis(along, count ?? shrinkSize(given.size, start));
  const axes = operand.axes.map((own) => (own.name === along ? left : own));
  return checked<"slice">({
    kind: "slice",
    axis: along,
    operand,
    start,
    axes,
    dtype: operand.dtype,
    ...placed(at),
  });
}

/** Rotary embedding of the last axis. */
export const rotateNode = (
  operand: Node,
  law: Pick<RotateNode, "position" | "angle" | "scale" | "rotated" | "layout"> & {
    readonly inverse?: boolean;
  },
  at: Place,
): NodeOf<"rotate"> =>
  checked<"rotate">({
    kind: "rotate",
    operand,
    position: law.position,
    angle: law.angle,
    scale: law.scale,
    rotated: law.rotated,
    layout: law.layout,
    inverse: law.inverse ?? false,
    axes: operand.axes,
    dtype: "f32",
    ...placed(at),
  });

/** An attention's parts; it has no weight, no sink and no turns unless they are given. */
export interface AttentionParts extends Omit<AttentionCore, "regions" | "weight" | "sink"> {
  readonly regions: readonly (Omit<Region, "turn"> & Partial<Pick<Region, "turn">>)[];
  readonly weight?: AttentionCore["weight"];
  readonly sink?: AttentionCore["sink"];
}

/** Output [b,t,h,e]; result 1 is the log-sum-exp [b,t,h]. */
export const attentionNode = (
  core: AttentionParts & Partial<Pick<NodeOf<"attention">, "weightsFixed">>,
  at: Place,
): NodeOf<"attention"> =>
  checked<"attention">({
    kind: "attention",
    ...coreOf(core),
    weightsFixed: core.weightsFixed ?? false,
    axes: [...(core.regions[0]?.query.axes.slice(0, 3) ?? []), ...core.value.axes.slice(3)],
    dtype: "f32",
    ...placed(at),
  });

const coreOf = (core: AttentionParts): AttentionCore => ({
  regions: core.regions.map((region) => ({ ...region, turn: region.turn ?? null })),
  value: core.value,
  mask: core.mask,
  score: core.score,
  weight: core.weight ?? null,
  sink: core.sink ?? null,
  buffers: core.buffers,
  scale: core.scale,
  prepended: core.prepended,
});

/** Slopes of an attention's expressions; a load is the score's unless its part is given. */
export interface AttentionSlopeParts {
  readonly scoreSlope: Expr;
  readonly weightSlopes?: AttentionGradientNode["weightSlopes"];
  readonly bufferGradients: readonly {
    readonly buffer: number;
    readonly loads: readonly (Omit<LoadSlope, "part"> & Partial<Pick<LoadSlope, "part">>)[];
  }[];
}

/** The adjoint of `attention` for a gradient of its output. */
export const attentionGradientNode = (
  attention: NodeOf<"attention">,
  outputGradient: Node,
  slopes: AttentionSlopeParts,
  at: Place,
): NodeOf<"attention-gradient"> =>
  checked<"attention-gradient">({
    kind: "attention-gradient",
    ...coreOf(attention),
    output: attention,
    logSumExp: resultNode(attention, 1),
    outputGradient,
    scoreSlope: slopes.scoreSlope,
    weightSlopes: slopes.weightSlopes ?? null,
    bufferGradients: slopes.bufferGradients.map(({ buffer, loads }) => ({
      buffer,
      loads: loads.map((load) => ({ ...load, part: load.part ?? "score" })),
    })),
    axes: attention.regions[0]!.query.axes,
    dtype: "f32",
    ...placed(at),
  });

/** Loss [b,t] of logits [b,t,v]; result 1 is the log-sum-exp [b,t]. */
export const crossEntropyNode = (logits: Node, targets: Node, at: Place): NodeOf<"cross-entropy"> =>
  checked<"cross-entropy">({
    kind: "cross-entropy",
    logits,
    targets,
    axes: logits.axes.slice(0, -1),
    dtype: "f32",
    ...placed(at),
  });

/** Gradient of the logits for a gradient of the loss [b,t]. */
export const crossEntropyGradientNode = (
  loss: NodeOf<"cross-entropy">,
  lossGradient: Node,
  at: Place,
): NodeOf<"cross-entropy-gradient"> =>
  checked<"cross-entropy-gradient">({
    kind: "cross-entropy-gradient",
    logits: loss.logits,
    targets: loss.targets,
    logSumExp: resultNode(loss, 1),
    lossGradient,
    axes: loss.logits.axes,
    dtype: "f32",
    ...placed(at),
  });

/** Cross-entropy of x [b,t,i] · weight [v,i]; result 1 is the log-sum-exp [b,t]. */
export const headLossNode = (x: Node, weight: Node, targets: Node, at: Place): NodeOf<"head-loss"> =>
  checked<"head-loss">({
    kind: "head-loss",
    x,
    weight,
    targets,
    axes: x.axes.slice(0, -1),
    dtype: "f32",
    ...placed(at),
  });

/** Gradients of x and (result 1) weight for a gradient of the loss [b,t]. */
export const headLossGradientNode = (
  loss: NodeOf<"head-loss">,
  lossGradient: Node,
  at: Place,
): NodeOf<"head-loss-gradient"> =>
  checked<"head-loss-gradient">({
    kind: "head-loss-gradient",
    x: loss.x,
    weight: loss.weight,
    targets: loss.targets,
    logSumExp: resultNode(loss, 1),
    lossGradient,
    axes: loss.x.axes,
    dtype: "f32",
    ...placed(at),
  });

/** The n-th result of a node; the node itself for n = 0. */
export function resultNode(of: Node, n: 0): Node;
export function resultNode(of: Node, n: number): NodeOf<"result">;
export function resultNode(of: Node, n: number): Node {
  if (n === 0) return of;
  const result = nodeResults(of)[n];
  if (result === undefined) throw new Error(`${of.kind} of ${of.site} has no result ${n}`);
  return { kind: "result", of, result: n, ...result, site: of.site, origin: of.origin };
}

/** The graph of the given outputs: everything they depend on, operands first, in a fixed order. */
export function graphOf(outputs: Readonly<Record<string, Node>> | ReadonlyMap<string, Node>): Graph {
  const named =
    outputs instanceof Map ? (outputs as ReadonlyMap<string, Node>) : new Map(Object.entries(outputs));
  const nodes: Node[] = [];
  const done = new Set<Node>();
  // Explicit stack: deep models would exhaust the call stack.
  for (const root of named.values()) {
    const stack: { node: Node; next: number }[] = done.has(root) ? [] : [{ node: root, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const operands = nodeOperands(top.node);
      if (top.next < operands.length) {
        const operand = operands[top.next++]!;
        if (!done.has(operand)) stack.push({ node: operand, next: 0 });
        continue;
      }
      stack.pop();
      if (done.has(top.node)) continue;
      done.add(top.node);
      nodes.push(top.node);
    }
  }
  return { nodes, outputs: named };
}
