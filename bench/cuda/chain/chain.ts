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
import { joinsOf } from "./joins.ts";
import { loopCall } from "./loops.ts";
import { productCall } from "./products.ts";
import { reductionsCall } from "./reductions.ts";
import { selectionWithMaps } from "./select-maps.ts";
import { elementsOf, rootOf, tensorOf, type Tensor } from "./tensors.ts";

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

/** Calls of all nodes that need one. Throws for a kind of node that chains have no call for. */
export function chainOf(graph: Graph, options: ChainOptions): readonly Link[] {
  const { element } = options;
  const ofElements = elementsOf(graph);
  const joins = joinsOf(graph);
  const isInline = (node: Node): boolean => joins.withReader.has(node);
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
      case "reduce": {
        const group = joins.together.get(node)!;
        for (const other of group) done.add(other);
        const { call, reads } = reductionsCall(group, isInline);
        push(`${node.site}: reductions`, call, reads, group.map(first));
        break;
      }
      case "map":
      case "concat":
      case "rotate": {
        if (isInline(node)) break;
        const { call, reads } = loopCall(node, isInline);
        push(`${node.site}: ${node.kind}`, call, reads, [first(node)]);
        break;
      }
      case "contract": {
        const after = joins.after.get(node) ?? null;
        if (after !== null) done.add(after);
        const { call, reads } = productCall(node, after);
        push(`${node.site}: product${after === null ? "" : `, ${after.kind}`}`, call, reads, [
          first(after ?? node),
        ]);
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
      case "select": {
        const own = selectionWithMaps(node, isInline);
        const call = selectCall(own, own.query === null ? "f32" : elementFor(own.query));
        push(`${node.site}: select`, call, nodeOperands(own), [first(node)]);
        break;
      }
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
