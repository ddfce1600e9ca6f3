/** The one rewriting engine of graphs: named rules, bottom-up, each shared node once. */
import { graphOf } from "./graph-build.ts";
import { nodeOperands, withOperands } from "./graph-operands.ts";
import type { Graph, Node } from "./graph.ts";

/** What a rule may ask about the graph it started from. */
export interface RewriteContext {
  /** Users of a node as it now stands: operands that name it, with outputs counted too. */
  readonly uses: (node: Node) => number;
}

export interface RewriteRule {
  /** What the rule does, as a phrase: `drop-identity-map`. */
  readonly name: string;
  /** The node that takes this one's place (same axes and element type), or null. Operands are rewritten already. */
  readonly apply: (node: Node, context: RewriteContext) => Node | null;
}

/** Rules that replace one another without end are a mistake; no sound set comes near this. */
const mostFirings = 64;

/** Rewrites a graph; the very same graph when no rule fired. `onFire` hears of each rule that did. */
export function rewriteGraph(
  graph: Graph,
  rules: readonly RewriteRule[],
  onFire: (rule: string, node: Node) => void = () => {},
): Graph {
  const done = new Map<Node, Node>();
  const counts = new Map<Node, number>();
  const count = (node: Node): void => void counts.set(node, (counts.get(node) ?? 0) + 1);
  for (const node of graph.nodes) nodeOperands(node).forEach(count);
  for (const node of graph.outputs.values()) count(node);
  const context: RewriteContext = { uses: (node) => counts.get(node) ?? 0 };

  const settle = (start: Node): Node => {
    let node = start;
    for (let fired = 0; fired < mostFirings; fired++) {
      let next: Node | null = null;
      for (const rule of rules) {
        next = rule.apply(node, context);
        if (next === null || next === node) continue;
        onFire(rule.name, node);
        break;
      }
      if (next === null || next === node) return node;
      node = next;
    }
    throw new Error(`rewriting ${start.kind} of ${start.site} does not end`);
  };

  for (const node of graph.nodes) {
    const rebuilt = withOperands(
      node,
      nodeOperands(node).map((operand) => done.get(operand)!),
    );
    const settled = settle(rebuilt);
    if (settled !== node) counts.set(settled, (counts.get(settled) ?? 0) + context.uses(node));
    done.set(node, settled);
  }
  if (graph.nodes.every((node) => done.get(node) === node)) return graph;
  return graphOf(new Map([...graph.outputs].map(([name, node]) => [name, done.get(node)!])));
}
