/** Calls of the nodes over pairs of a query and a key, adapted to programs: sizes by their names, results nobody reads. */
import type { CudaArgument, CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import { someExpr, type Expr } from "../../../ir/expr.ts";
import { nodeOperands } from "../../../ir/graph-operands.ts";
import { nodeResults } from "../../../ir/graph-results.ts";
import type { AttentionGradientNode, AttentionNode, Node, PairCore } from "../../../ir/graph.ts";
import type { LogSumExpNode, PairReduceNode, SelectNode } from "../../../ir/graph-pairs.ts";
import { blockFacts } from "../../../passes/analyses/block-facts.ts";
import { logSumExpCall, pairReduceCall } from "../folds/fold-call.ts";
import { selectCall } from "../folds/select-call.ts";
import { attentionBackwardCall, attentionForwardCall } from "../sm80/attention-call.ts";
import { elements, times } from "./call-parts.ts";

type Resize = (size: LaunchSize) => LaunchSize;

const resized =
  (names: Readonly<Record<string, LaunchSize>>): Resize =>
  (size) => {
    if (typeof size === "number") return size;
    if (typeof size === "string") return names[size] ?? size;
    const [op, ...parts] = size;
    return [op, ...parts.map(resized(names))] as unknown as LaunchSize;
  };

function argumentOf(argument: CudaArgument, resize: Resize, place: (buffer: number) => number): CudaArgument {
  switch (argument.kind) {
    case "pointer":
      return {
        ...argument,
        buffer: place(argument.buffer),
        ...(argument.offset === undefined ? {} : { offset: resize(argument.offset) }),
      };
    case "i32":
    case "i64":
      return { ...argument, value: resize(argument.value) };
    case "f32":
      return argument;
    case "tensor-map":
      throw new Error("a call of tensor maps is not adapted to programs");
    default:
      return argument satisfies never;
  }
}

type PairNode = AttentionNode | AttentionGradientNode | LogSumExpNode | PairReduceNode | SelectNode;

const coreExprs = (node: PairCore): readonly Expr[] => [node.mask, ...node.regions.map(({ when }) => when)];

/** What a node says of its pairs; slopes read nothing else. */
function exprsOf(node: PairNode): readonly Expr[] {
  switch (node.kind) {
    case "attention":
    case "attention-gradient":
      return [...coreExprs(node), node.score, ...(node.sink === null ? [] : [node.sink])];
    case "log-sum-exp":
      return [...coreExprs(node), node.score];
    case "pair-reduce":
      return [...coreExprs(node), node.body, ...node.targets];
    case "select": {
      const { choose } = node;
      return [node.body, node.where, node.always, choose.kind === "top" ? choose.count : choose.threshold];
    }
    default:
      return node satisfies never;
  }
}

const readsStep = (node: PairNode): boolean =>
  exprsOf(node).some((e) => someExpr(e, (part) => part.kind === "size" && part.name === "step"));

/**
 * The call with the names of a program: `query-length` is how many queries the node has. Results that are not wanted
 * but written all the same go to scratch. Where an expression reads it, `step` stays a size of the launch.
 */
function adapted(node: PairNode, queries: LaunchSize, call: CudaCall, wanted: readonly boolean[]): CudaCall {
  const first = nodeOperands(node).length;
  const results = nodeResults(node);
  if (call.buffers !== first + results.length)
    throw new Error(
      `${node.site}: the call has ${call.buffers} buffers, the node ${first + results.length} tensors`,
    );
  const resize = resized({ "query-length": queries, ...(readsStep(node) ? {} : { step: 0 }) });
  const scratch = call.scratch.map((own) => ({ ...own, bytes: resize(own.bytes) }));
  const places = new Map<number, number>();
  const place = (buffer: number): number => {
    const result = buffer - first;
    if (result < 0 || result >= results.length || (wanted[result] ?? true)) return buffer;
    const known = places.get(buffer);
    if (known !== undefined) return known;
    const bytes = times(elements(results[result]!.axes), 4);
    const made = call.buffers + scratch.push({ bytes, zero: false }) - 1;
    places.set(buffer, made);
    return made;
  };
  const launches = call.launches.map((launch) => ({
    ...launch,
    grid: launch.grid.map(resize) as unknown as (typeof launch)["grid"],
    arguments: launch.arguments.map((argument) => argumentOf(argument, resize, place)),
  }));
  return { ...call, scratch, launches };
}

type Wanted = readonly boolean[];
const rowsOf = (query: Node): LaunchSize => axisExtent(query.axes[1]!.size);

/** Buffers: operands, output, log-sum-exp. */
export const attentionCall = (node: AttentionNode, wanted: Wanted): CudaCall =>
  adapted(node, rowsOf(node.regions[0]!.query), attentionForwardCall(node, blockFacts(node), "f32"), wanted);

/** Buffers: operands, output, log-sum-exp, output gradient, then the node's results. */
export const attentionGradientCall = (node: AttentionGradientNode, wanted: Wanted): CudaCall =>
  adapted(
    node,
    rowsOf(node.regions[0]!.query),
    attentionBackwardCall(node, blockFacts(node), "f32", wanted),
    wanted,
  );

/** Buffers: operands, result. */
export const logSumExpNodeCall = (node: LogSumExpNode, wanted: Wanted): CudaCall =>
  adapted(node, rowsOf(node.regions[0]!.query), logSumExpCall(node, blockFacts(node), "f32"), wanted);

/** Buffers: operands, result. */
export const pairReduceNodeCall = (node: PairReduceNode, wanted: Wanted): CudaCall =>
  adapted(node, rowsOf(node.regions[0]!.query), pairReduceCall(node, blockFacts(node), "f32"), wanted);

/** Buffers: query and key where the node has them, tables, result. */
export const selectNodeCall = (node: SelectNode, wanted: Wanted): CudaCall =>
  adapted(node, node.perRow ? axisExtent(node.axes[1]!.size) : 1, selectCall(node, "f32"), wanted);
