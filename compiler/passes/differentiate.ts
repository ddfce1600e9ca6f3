/** Reverse-mode differentiation of a graph at compile time: adds `gradient:<path>` outputs to a graph with a `loss`. */
import { operand } from "../ir/expr.ts";
import { graphOf, inputNode, mapNode, placeOf } from "../ir/graph-build.ts";
import { gradientOperands } from "../ir/gradient-operands.ts";
import type { Graph, Node } from "../ir/graph.ts";
import { adjoints, sumOf, zeros, type AdjointContext } from "./differentiate-rules.ts";

/** Nodes through which a wanted parameter can be reached: only these need gradients. */
function reachingNodes(graph: Graph, paths: ReadonlySet<string>): ReadonlySet<Node> {
  const reaching = new Set<Node>();
  for (const node of graph.nodes) {
    const own = node.kind === "parameter" && paths.has(node.path);
    if (own || gradientOperands(node).some((from) => reaching.has(from))) reaching.add(node);
  }
  return reaching;
}

/**
 * The graph with an output `gradient:<path>` for each given parameter: d total / d parameter, where total =
 * loss-scale · Σ loss and `loss-scale` is the input of that name. A parameter that the loss does not depend on gets a
 * gradient of zeros. Throws when there is no `loss`, no such parameter, or a node without an adjoint is in the way.
 */
export function differentiate(graph: Graph, parameters: readonly string[]): Graph {
  const loss = graph.outputs.get("loss");
  if (loss === undefined) throw new Error("a graph without a loss has no gradient");
  const byPath = new Map<string, Node>();
  for (const node of graph.nodes) if (node.kind === "parameter") byPath.set(node.path, node);
  const unknown = parameters.filter((path) => !byPath.has(path));
  if (unknown.length > 0) throw new Error(`no parameter ${unknown.join(", ")} in the graph`);
  const reaching = reachingNodes(graph, new Set(parameters));

  const given = new Map<Node, Node[]>();
  const give = (node: Node, gradient: Node): void =>
    void given.set(node, [...(given.get(node) ?? []), gradient]);
  const scale = graph.nodes.find((node) => node.kind === "input" && node.name === "loss-scale");
  if (reaching.has(loss))
    give(loss, mapNode([scale ?? inputNode("loss-scale")], operand(0), placeOf(loss), loss.axes));

  const totals = new Map<Node, Node>();
  // Gradients of results n ≥ 1, by the node they are results of.
  const parts = new Map<Node, Map<number, Node>>();
  for (const node of graph.nodes.toReversed()) {
    const own = given.get(node);
    const gradients = parts.get(node) ?? new Map<number, Node>();
    if (own !== undefined) {
      const total = sumOf(own, node);
      totals.set(node, total);
      gradients.set(0, total);
    }
    if (gradients.size === 0) continue;
    if (node.kind === "result") {
      const siblings = parts.get(node.of) ?? new Map<number, Node>();
      const before = siblings.get(node.result);
      siblings.set(
        node.result,
        before === undefined ? gradients.get(0)! : sumOf([before, gradients.get(0)!], node),
      );
      parts.set(node.of, siblings);
      continue;
    }
    const context: AdjointContext = { gradients, wanted: (target) => reaching.has(target), give };
    (adjoints[node.kind] as (node: Node, context: AdjointContext) => void)(node, context);
  }

  const outputs = new Map(graph.outputs);
  for (const path of parameters) {
    const parameter = byPath.get(path)!;
    outputs.set(`gradient:${path}`, totals.get(parameter) ?? zeros(parameter.axes, parameter));
  }
  return graphOf(outputs);
}
