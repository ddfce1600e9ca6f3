/** Which CUDA call a graph node runs as, for nodes that are neither products nor fused rows. */
import type { CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import type { Node, NodeKind } from "../../../ir/graph.ts";
import { blockCall } from "../folds/block-call.ts";
import { headLossGradientCall } from "./head-gradient-call.ts";
import { headLossCall } from "./head-loss-call.ts";
import { crossEntropyCall, crossEntropyGradientCall } from "./loss-call.ts";
import { concatCall, gatherCall, reshapeCall, sliceCall } from "./moves-call.ts";
import {
  attentionCall,
  attentionGradientCall,
  logSumExpNodeCall,
  pairReduceNodeCall,
  selectNodeCall,
} from "./pair-calls.ts";
import { rotateCall } from "./rotate-call.ts";
import { runningSumCall } from "./running-sum-call.ts";
import { scatterCall } from "./scatter-call.ts";

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
  gather: gatherCall,
  scatter: scatterCall,
  reshape: reshapeCall,
  concat: concatCall,
  slice: sliceCall,
  rotate: rotateCall,
  attention: attentionCall,
  "attention-gradient": attentionGradientCall,
  select: selectNodeCall,
  "log-sum-exp": logSumExpNodeCall,
  "pair-reduce": pairReduceNodeCall,
  "block-reduce": (node) => blockCall(node, "f32"),
  "block-spread": (node) => blockCall(node, "f32"),
  "running-sum": runningSumCall,
  hole: unsupported("lowering fills it"),
  "cross-entropy": crossEntropyCall,
  "cross-entropy-gradient": crossEntropyGradientCall,
  "head-loss": headLossCall,
  "head-loss-gradient": headLossGradientCall,
};

/**
 * The call of a node, all tensors f32 or i32. Its buffers are the tensors of `nodeOperands(node)`, then its results; a
 * result that is not wanted gets no memory (address 0). Sizes are the program's: `batch`, `length`, `query-start`;
 * scalars are named as in the node. Throws for nodes that other steps cover.
 */
export function nodeCall(node: Node, wanted: Wanted): CudaCall {
  return (calls[node.kind] as (node: Node, wanted: Wanted) => CudaCall)(node, wanted);
}
