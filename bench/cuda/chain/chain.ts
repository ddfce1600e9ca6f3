/**
 * A graph's nodes as CUDA calls in order, and the tensors they read and write. Given tensors that attention multiplies
 * are of the element type, as are attention's outputs and gradients; all others are f32 or i32.
 */
import { blockFoldsCall, sharesPass } from "../../../compiler/backends/cuda/folds/block-folds-call.ts";
import { logSumExpCall, pairReduceCall } from "../../../compiler/backends/cuda/folds/fold-call.ts";
import { selectCall } from "../../../compiler/backends/cuda/folds/select-call.ts";
import type { AttentionElement } from "../../../compiler/backends/cuda/element.ts";
import { nodeOperands } from "../../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../../compiler/ir/graph-results.ts";
import type {
  AttentionGradientNode,
  AttentionNode,
  Graph,
  Node,
  NodeKind,
} from "../../../compiler/ir/graph.ts";
import type { BlockReduceNode } from "../../../compiler/ir/graph-pairs.ts";
import { blockFacts } from "../../../compiler/passes/analyses/block-facts.ts";
import type { CudaCall } from "../../../runtime/device/cuda/launch.ts";
import { loopCall } from "./loops.ts";
import { productCall } from "./products.ts";

/** A result of a node: the first one is the node's own tensor. */
export interface Tensor {
  readonly node: Node;
  readonly result: number;
}

export interface Link {
  readonly label: string;
  readonly call: CudaCall;
  /** The call's buffers in order; the last `writes` of them are results. */
  readonly buffers: readonly Tensor[];
  readonly writes: number;
}

export interface ChainOptions {
  readonly element: AttentionElement;
  /** The call of an attention: its buffers are operands, output, log-sum-exp. */
  readonly attention: (node: AttentionNode) => CudaCall;
  /** Operands, output, log-sum-exp, output gradient, then the gradients. */
  readonly gradient: (node: AttentionGradientNode) => CudaCall;
}

const first = (node: Node): Tensor => ({ node: rootOf(node), result: 0 });

/** The node whose memory a tensor is: reshapes and results have none of their own. */
function rootOf(node: Node): Node {
  return node.kind === "reshape" ? rootOf(node.operand) : node;
}

/** Where a node's tensor lies. */
export function tensorOf(node: Node): Tensor {
  const root = rootOf(node);
  return root.kind === "result" ? { node: rootOf(root.of), result: root.result } : { node: root, result: 0 };
}

/** True for a tensor of the element type. */
export function isElement({ node, result }: Tensor, ofElements: ReadonlySet<Node>): boolean {
  if (node.dtype === "i32") return false;
  if (node.kind === "attention") return result === 0;
  if (node.kind === "attention-gradient") return result < 2 * node.regions.length + 1;
  return ofElements.has(node);
}

/** The given tensors that are of the element type: what attentions, folds and selections multiply, and output gradients. */
export function elementsOf(graph: Graph): ReadonlySet<Node> {
  const found = new Set<Node>();
  for (const node of graph.nodes) {
    if ("regions" in node)
      for (const region of node.regions) found.add(rootOf(region.query)).add(rootOf(region.key));
    if (node.kind === "attention" || node.kind === "attention-gradient") found.add(rootOf(node.value));
    if (node.kind === "attention-gradient") found.add(rootOf(node.outputGradient));
    // Blocks of a given tensor are folded from elements.
    if (node.kind === "block-reduce" && rootOf(node.operand).kind === "parameter")
      found.add(rootOf(node.operand));
  }
  return found;
}

/** Calls of all nodes that need one. Throws for a kind of node that chains have no call for. */
export function chainOf(graph: Graph, options: ChainOptions): readonly Link[] {
  const { element } = options;
  const ofElements = elementsOf(graph);
  const readers = new Map<Node, number>();
  for (const node of graph.nodes)
    for (const operand of nodeOperands(node))
      readers.set(rootOf(operand), (readers.get(rootOf(operand)) ?? 0) + 1);
  const outputs = new Set([...graph.outputs.values()].map(rootOf));
  const readBy = new Map<Node, Node>();
  for (const node of graph.nodes) for (const operand of nodeOperands(node)) readBy.set(operand, node);
  const inline = (node: Node): boolean => {
    const reader = readBy.get(node);
    return (
      node.kind === "map" &&
      readers.get(node) === 1 &&
      !outputs.has(node) &&
      (reader?.kind === "map" || reader?.kind === "reduce")
    );
  };
  const elementFor = (node: Node): AttentionElement => (ofElements.has(rootOf(node)) ? element : "f32");
  const done = new Set<Node>();
  const links: Link[] = [];
  const push = (label: string, call: CudaCall, reads: readonly Node[], made: readonly Tensor[]): void => {
    links.push({ label, call, buffers: [...reads.map(tensorOf), ...made], writes: made.length });
  };
  const results = (node: Node): readonly Tensor[] => nodeResults(node).map((_, result) => ({ node, result }));
  for (const node of graph.nodes) {
    if (done.has(node)) continue;
    const plain = (call: CudaCall): void =>
      push(`${node.site}: ${node.kind}`, call, nodeOperands(node), results(node));
    switch (node.kind) {
      case "parameter":
      case "input":
      case "reshape":
      case "result":
        break;
      case "map":
      case "reduce":
      case "concat":
      case "rotate": {
        if (inline(node)) break;
        const { call, reads } = loopCall(node, inline);
        push(`${node.site}: ${node.kind}`, call, reads, [first(node)]);
        break;
      }
      case "contract": {
        const { call, reads } = productCall(node);
        push(`${node.site}: product`, call, reads, [first(node)]);
        break;
      }
      case "block-reduce": {
        const together = graph.nodes.filter(
          (other): other is BlockReduceNode => other.kind === "block-reduce" && sharesPass(node, other),
        );
        for (const other of together) done.add(other);
        const call = blockFoldsCall(together, elementFor(node.operand));
        push(`${node.site}: blocks`, call, [node.operand], together.map(first));
        break;
      }
      case "log-sum-exp":
        plain(logSumExpCall(node, blockFacts(node), element));
        break;
      case "pair-reduce":
        plain(pairReduceCall(node, blockFacts(node), element));
        break;
      case "select":
        plain(selectCall(node, node.query === null ? "f32" : elementFor(node.query)));
        break;
      case "attention":
        plain(options.attention(node));
        break;
      case "attention-gradient":
        plain(options.gradient(node));
        break;
      default:
        throw new Error(`${node.site}: chains have no call for ${(node as { kind: NodeKind }).kind}`);
    }
  }
  return links;
}
