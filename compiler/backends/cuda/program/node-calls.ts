/** Which CUDA call a graph node runs as, for nodes that are neither products nor fused rows. */
import type { CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import type { Node, NodeKind } from "../../../ir/graph.ts";

type NodeOf<K extends NodeKind> = Extract<Node, { readonly kind: K }>;

/** Which results of a node somebody reads, in the order of the node's results. */
export type Wanted = readonly boolean[];

const unsupported =
  (why: string) =>
  (node: Node): never => {
    throw new Error(`${node.site}: ${node.kind} has no CUDA call: ${why}`);
  };

const calls: { readonly [K in NodeKind]: (node: NodeOf<K>, wanted: Wanted) => CudaCall } = {
  input: unsupported("it is memory that the trainer fills"),
  parameter: unsupported("it is memory of the model"),
  map: unsupported("it is scheduled as a rows step"),
  reduce: unsupported("it is scheduled as a rows step"),
  contract: unsupported("it is scheduled as a matmul step"),
  result: unsupported("it is written by the node it belongs to"),
  gather: unsupported("not yet"),
  scatter: unsupported("not yet"),
  reshape: unsupported("not yet"),
  concat: unsupported("not yet"),
  slice: unsupported("not yet"),
  rotate: unsupported("not yet"),
  attention: unsupported("not yet"),
  "attention-gradient": unsupported("not yet"),
  select: unsupported("not yet"),
  "log-sum-exp": unsupported("not yet"),
  "pair-reduce": unsupported("not yet"),
  "block-reduce": unsupported("not yet"),
  "block-spread": unsupported("not yet"),
  "running-sum": unsupported("not yet"),
  hole: unsupported("lowering fills it"),
  "cross-entropy": unsupported("not yet"),
  "cross-entropy-gradient": unsupported("not yet"),
  "head-loss": unsupported("not yet"),
  "head-loss-gradient": unsupported("not yet"),
};

/**
 * The call of a node, all tensors f32 or i32. Its buffers are the tensors of `nodeOperands(node)`, then its results; a
 * result that is not wanted gets no memory (address 0). Sizes are the program's: `batch`, `length`, `query-start`;
 * scalars are named as in the node. Throws for nodes that other steps cover.
 */
export function nodeCall(node: Node, wanted: Wanted): CudaCall {
  return (calls[node.kind] as (node: Node, wanted: Wanted) => CudaCall)(node, wanted);
}
