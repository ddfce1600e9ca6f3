/** An attention of a spec as a graph over given tensors: queries and keys before and after rotation, values, tables. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AttentionPhase } from "../../../compiler/ir/attention-meaning.ts";
import { attentionSlopes } from "../../../compiler/ir/attention-slopes.ts";
import { attentionGradientNode, graphOf, resultNode } from "../../../compiler/ir/graph-build.ts";
import { withOperands, nodeOperands } from "../../../compiler/ir/graph-operands.ts";
import type { AttentionNode, Graph, Node } from "../../../compiler/ir/graph.ts";
import { optimizeGraph } from "../../../compiler/passes/pipeline.ts";
import { leaf } from "../../../tests/conformance/support/random-specs.ts";
import { lowered, type Shape } from "../../../tests/methods/elaborated.ts";

/** The items of a spec file before its model; the files lie beside the bundle of the bench, or in the checkout. */
export function specText(path: string): string {
  const found = [
    join(import.meta.dirname, "specs", path.replaceAll("/", "-")),
    join(import.meta.dirname, "../../..", path),
  ].find(existsSync);
  if (found === undefined) throw new Error(`no ${path} here`);
  return readFileSync(found, "utf8").replace(/^model [^]*$/m, "");
}

export interface SpecGraph {
  /** `output`, and with `gradients` also `gradient:query`, `gradient:key`, `gradient:value`. */
  readonly graph: Graph;
  readonly attention: AttentionNode;
}

/**
 * The attention `use` of a spec's text. What it multiplies is given: `query`, `key`, `value`; what others of its nodes
 * read of the model is `q`, `k`, `v`, and its parameters are given by name.
 */
export function specGraph(
  text: string,
  use: string,
  shape: Shape,
  phase: AttentionPhase,
  gradients = false,
): SpecGraph {
  const { output } = lowered(text, use, shape, phase);
  const plain = optimizeGraph(graphOf({ output }));
  const own = plain.nodes.find((node): node is AttentionNode => node.kind === "attention");
  if (own === undefined || own.regions.length !== 1)
    throw new Error(`${use}: one attention of one region is wanted`);
  const region = own.regions[0]!;
  const given = new Map<Node, Node>([
    [region.query, leaf("query", region.query.axes)],
    [region.key, leaf("key", region.key.axes)],
    [own.value, leaf("value", own.value.axes)],
  ]);
  const made = new Map<Node, Node>();
  const over = (node: Node): Node => {
    const known = given.get(node) ?? made.get(node);
    if (known !== undefined) return known;
    const next = withOperands(node, nodeOperands(node).map(over));
    made.set(node, next);
    return next;
  };
  const attention = over(own) as AttentionNode;
  const outputs: Record<string, Node> = { output: attention };
  if (gradients) {
    const gradient = attentionGradientNode(
      attention,
      leaf("upstream", attention.axes),
      attentionSlopes(attention, (buffer) => buffer.dtype === "f32"),
      "gradient",
    );
    ["query", "key", "value"].forEach((name, n) => (outputs[`gradient:${name}`] = resultNode(gradient, n)));
  }
  return { graph: graphOf(outputs), attention };
}
