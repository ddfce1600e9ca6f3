/** The order of passes over graphs; the only place that has one. */
import type { Graph } from "../ir/graph.ts";
import { fuseHeadLoss } from "./fuse-head-loss.ts";
import { mergeNodes } from "./merge-common-nodes.ts";
import type { GraphPass } from "./pass.ts";
import { shareSums } from "./share-row-sums.ts";
import { simplifyExpressions } from "./simplify-expressions.ts";
import { simplifyGraph } from "./simplify-graph.ts";

/** Every pass, in the order of `optimizeGraph`. Differentiation comes before: it adds outputs, so it is no pass. */
export const graphPasses: readonly GraphPass[] = [
  // Make bodies and chains small, so that equal things look equal.
  simplifyExpressions,
  simplifyGraph,
  mergeNodes,
  // Larger patterns, found more easily in small graphs.
  shareSums,
  fuseHeadLoss,
  // What the fusions left.
  simplifyGraph,
  mergeNodes,
];

/** A graph of the same outputs with less work. `after` sees the graph after each pass (for printing and checks). */
export function optimizeGraph(
  graph: Graph,
  after: (pass: GraphPass, graph: Graph) => void = () => {},
): Graph {
  let current = graph;
  for (const pass of graphPasses) {
    current = pass.run(current);
    after(pass, current);
  }
  return current;
}
