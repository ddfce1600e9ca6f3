/** Pass: nodes that compute the same from the same operands become one. */
import { graphOf } from "../ir/graph-build.ts";
import { nodeOperands, withOperands } from "../ir/graph-operands.ts";
import type { Graph, Node } from "../ir/graph.ts";
import { showNode } from "../ir/print-graph.ts";
import type { GraphPass } from "./pass.ts";

/** before: n4 = map(n2) {exp(%0)}, n5 = map(n2) {exp(%0)} → after: n4 alone. Random numbers are functions of stream and element, so equal ones merge too. */
function mergeCommonNodes(graph: Graph): Graph {
  const canonical = new Map<Node, Node>();
  const byKey = new Map<string, Node>();
  const numbers = new Map<Node, number>();
  for (const node of graph.nodes) {
    const operands = nodeOperands(node).map((given) => canonical.get(given)!);
    const rebuilt = withOperands(node, operands);
    // The printed line says all of a node but its site.
    const key = showNode({ ...rebuilt, site: "" }, (given) => String(numbers.get(given)));
    const known = byKey.get(key);
    if (known === undefined) {
      byKey.set(key, rebuilt);
      numbers.set(rebuilt, numbers.size);
    }
    canonical.set(node, known ?? rebuilt);
  }
  if (graph.nodes.every((node) => canonical.get(node) === node)) return graph;
  return graphOf(new Map([...graph.outputs].map(([name, node]) => [name, canonical.get(node)!])));
}

export const mergeNodes: GraphPass = {
  name: "merge-common-nodes",
  purpose: "Compute equal things once.",
  run: mergeCommonNodes,
};
