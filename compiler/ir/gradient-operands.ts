/** Which operands of a node a gradient of its result passes into. */
import { nodeOperands } from "./graph-operands.ts";
import type { Node, NodeKind } from "./graph.ts";

/** Kinds whose results count as constants. */
const constantKinds: ReadonlySet<NodeKind> = new Set(["select", "log-sum-exp", "pair-reduce"]);

/** The nodes that a gradient of the result passes, itself and what it ends in included. */
export function gradientReach(result: Node): ReadonlySet<Node> {
  const reached = new Set<Node>();
  const reach = (node: Node): void => {
    if (reached.has(node)) return;
    reached.add(node);
    gradientOperands(node).forEach(reach);
  };
  reach(result);
  return reached;
}

export function gradientOperands(node: Node): readonly Node[] {
  if (node.dtype !== "f32" || constantKinds.has(node.kind)) return [];
  if (node.kind === "attention" && node.weightsFixed) return [node.value];
  return nodeOperands(node);
}
