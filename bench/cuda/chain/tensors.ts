/** The tensors of a chain: which node's memory each is, and which of them are of the element type. */
import type { Graph, Node } from "../../../compiler/ir/graph.ts";

/** A result of a node: the first one is the node's own tensor. */
export interface Tensor {
  readonly node: Node;
  readonly result: number;
}

/** The node whose memory a tensor is: reshapes and results have none of their own. */
export function rootOf(node: Node): Node {
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
