/** NoCudaCall: a node of the graph that no kernel computes on a GPU, and why. */
import type { Node } from "../../../ir/graph.ts";

export class NoCudaCall extends Error {
  readonly node: Node;
  readonly why: string;

  constructor(node: Node, why: string) {
    super(`${node.site}: ${node.kind} has no CUDA call: ${why}`);
    this.name = "NoCudaCall";
    this.node = node;
    this.why = why;
  }
}
