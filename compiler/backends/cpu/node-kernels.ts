/** Which kernel a graph node runs as, for nodes that have one of their own. */
import type { Node, NodeKind } from "../../ir/graph.ts";
import { attentionGradientKernel, attentionKernel, logSumExpKernel } from "./attention/attention-kernel.ts";
import { pairReduceKernel } from "./attention/pair-reduce-kernel.ts";
import { selectKernel } from "./attention/select-kernel.ts";
import { blockReduceKernel, blockSpreadKernel } from "./blocks.ts";
import { concatKernel, reshapeKernel, sliceKernel } from "./concat.ts";
import { gatherKernel, scatterKernel } from "./gather.ts";
import {
  crossEntropyGradientKernel,
  crossEntropyKernel,
  headLossGradientKernel,
  headLossKernel,
} from "./losses.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { rotateKernel } from "./rotate.ts";
import { runningSumKernel } from "./running-sum.ts";

export type { NodeKernel } from "./node-kernel.ts";

/** Room for choices that a caller makes; there are none yet. */
export type NodeKernelOptions = Readonly<Record<string, never>>;

type NodeOf<K extends NodeKind> = Extract<Node, { readonly kind: K }>;

/** A node that never becomes a launch of its own. */
const unsupported =
  (why: string) =>
  (node: Node): never => {
    throw new Error(`${node.site}: ${node.kind} has no kernel of its own: ${why}`);
  };

const kernels: { readonly [K in NodeKind]: (node: NodeOf<K>) => NodeKernel } = {
  input: unsupported("it is memory that the trainer fills"),
  parameter: unsupported("it is memory of the model"),
  map: unsupported("it is scheduled as a rows step"),
  reduce: unsupported("it is scheduled as a rows step"),
  contract: unsupported("it is scheduled as a matmul step"),
  result: unsupported("it is written by the node it belongs to"),
  gather: gatherKernel,
  scatter: scatterKernel,
  reshape: reshapeKernel,
  concat: concatKernel,
  slice: sliceKernel,
  rotate: rotateKernel,
  attention: attentionKernel,
  "attention-gradient": attentionGradientKernel,
  select: selectKernel,
  "log-sum-exp": logSumExpKernel,
  "pair-reduce": pairReduceKernel,
  "block-reduce": blockReduceKernel,
  "block-spread": blockSpreadKernel,
  "running-sum": runningSumKernel,
  hole: unsupported("lowering fills it"),
  "cross-entropy": crossEntropyKernel,
  "cross-entropy-gradient": crossEntropyGradientKernel,
  "head-loss": headLossKernel,
  "head-loss-gradient": headLossGradientKernel,
};

/**
 * The kernel of a node. A launch's buffers are the tensors of `nodeOperands(node)`, then its results (null where nobody
 * reads one), then the scratch. Throws for nodes that other steps cover.
 */
export function nodeKernel(node: Node, options: NodeKernelOptions = {}): NodeKernel {
  void options;
  return (kernels[node.kind] as (node: Node) => NodeKernel)(node);
}
