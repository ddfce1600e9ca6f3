/** Pass: a log-sum-exp over the pairs of an attention is the one that the attention works out anyway. */
import { graphOf, resultNode } from "../ir/graph-build.ts";
import { nodeOperands, withOperands, type NodeOf } from "../ir/graph-operands.ts";
import type { Graph, Node } from "../ir/graph.ts";
import type { GraphPass } from "./pass.ts";

/** Whether an attention's softmax has the very denominators that a log-sum-exp asks for. */
function isTwin(attention: NodeOf<"attention">, sum: NodeOf<"log-sum-exp">): boolean {
  const { regions, buffers, weight, sink, prepended } = attention;
  if (weight !== null || sink !== null || prepended !== null) return false;
  // Expressions are interned, and equal nodes are one by now.
  return (
    attention.mask === sum.mask &&
    attention.score === sum.score &&
    attention.scale === sum.scale &&
    regions.length === sum.regions.length &&
    regions.every(({ query, key, when, turn }, n) => {
      const other = sum.regions[n]!;
      const turns = turn !== null || other.turn !== null;
      return query === other.query && key === other.key && when === other.when && !turns;
    }) &&
    buffers.length === sum.buffers.length &&
    buffers.every((buffer, n) => buffer === sum.buffers[n])
  );
}

/** Whether a node is made of another one. */
function needs(node: Node, wanted: Node): boolean {
  const seen = new Set<Node>([node]);
  for (const each of seen) {
    if (each === wanted) return true;
    for (const operand of nodeOperands(each)) seen.add(operand);
  }
  return false;
}

/** before: n4 = log-sum-exp(n1, n2), n5 = attention(n1, n2, n3) of one mask and score → after: n5, and its result 1 in place of n4. */
function shareRowSums(graph: Graph): Graph {
  const attentions = graph.nodes.filter((node) => node.kind === "attention");
  const twins = new Map<Node, Node>();
  for (const sum of graph.nodes) {
    if (sum.kind !== "log-sum-exp") continue;
    const twin = attentions.find((attention) => isTwin(attention, sum) && !needs(attention, sum));
    if (twin !== undefined) twins.set(sum, twin);
  }
  if (twins.size === 0) return graph;
  const done = new Map<Node, Node>();
  // An attention may come after the sum that reads it now; an explicit stack, for deep models.
  for (const root of graph.outputs.values()) {
    const stack = [root];
    while (stack.length > 0) {
      const node = stack.at(-1)!;
      const twin = twins.get(node);
      const before = twin === undefined ? nodeOperands(node) : [twin];
      const missing = before.filter((operand) => !done.has(operand));
      if (missing.length > 0) {
        stack.push(...missing);
        continue;
      }
      stack.pop();
      const operands = before.map((operand) => done.get(operand)!);
      done.set(node, twin === undefined ? withOperands(node, operands) : resultNode(operands[0]!, 1));
    }
  }
  return graphOf(new Map([...graph.outputs].map(([name, node]) => [name, done.get(node)!])));
}

export const shareSums: GraphPass = {
  name: "share-row-sums",
  purpose: "Take the denominators of a softmax from the attention that has them.",
  run: shareRowSums,
};
