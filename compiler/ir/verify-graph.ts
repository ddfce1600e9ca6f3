/** What must hold of a whole Graph after every pass: order, closed references, unique names, and every node right. */
import { nodeOperands } from "./graph-operands.ts";
import type { Graph, Node } from "./graph.ts";
import { nodeProblems } from "./verify-node.ts";

/** Everything wrong with a graph, one sentence each; empty when nothing is. */
export function graphProblems(graph: Graph): readonly string[] {
  const problems: string[] = [];
  const seen = new Set<Node>();
  const parameters = new Map<string, Node>();
  const inputs = new Map<string, Node>();
  graph.nodes.forEach((node, n) => {
    const name = `n${n} (${node.kind}${node.site === "" ? "" : ` of ${node.site}`})`;
    const fail = (problem: string): void => void problems.push(`${name} ${problem}`);
    if (seen.has(node)) fail("is listed twice");
    for (const operand of nodeOperands(node))
      if (!seen.has(operand)) fail(`comes before its operand ${operand?.kind}`);
    seen.add(node);
    nodeProblems(node).forEach(fail);
    if (node.kind === "hole") fail(`"${node.name}" was not filled`);
    if (node.kind === "parameter") {
      if (parameters.has(node.path)) fail(`is a second parameter ${node.path}`);
      parameters.set(node.path, node);
    }
    if (node.kind === "input") {
      if (inputs.has(node.name)) fail(`is a second input ${node.name}`);
      inputs.set(node.name, node);
    }
  });
  for (const [name, node] of graph.outputs) {
    if (!seen.has(node)) problems.push(`output ${name} is not among the nodes`);
    if (!name.startsWith("gradient:")) continue;
    const parameter = parameters.get(name.slice("gradient:".length));
    if (parameter === undefined) continue;
    const shape = (of: Node): string => JSON.stringify(of.axes);
    if (shape(node) !== shape(parameter)) problems.push(`output ${name} differs from its parameter in axes`);
  }
  return problems;
}

/** Throws when a graph is wrong: a mistake of the compiler, named after the pass that made it. */
export function verifyGraph(graph: Graph, after: string): void {
  const problems = graphProblems(graph);
  if (problems.length > 0) throw new Error(`after ${after}: ${problems.slice(0, 10).join("; ")}`);
}
