/** Random specs of the target's own runs: those of the shared generators that are small enough for many to be compared. */
import { shapeOf } from "../../support/random-values.ts";
import { graphOf, resultNode } from "../../../compiler/ir/graph-build.ts";
import { nodeResults } from "../../../compiler/ir/graph-results.ts";
import type { Graph, Node } from "../../../compiler/ir/graph.ts";
import type { Spec } from "../../conformance/support/random-specs.ts";

/** Multiplications of one product of queries and keys, over all rows and heads. */
const mostProducts = 30_000;

/** The first `count` specs that are small; `make` gives as many as it is asked for, by seed. */
export function smallSpecs(
  make: (count: number, seed: number) => readonly Spec[],
  count: number,
  seed: number,
): Spec[] {
  const found: Spec[] = [];
  for (let round = 0; found.length < count; round++)
    for (const spec of make(count, seed + 7919 * round)) {
      const [batch, rows, heads, d] = shapeOf(spec.attention.regions[0]!.query.axes, spec.sizes) as [
        number,
        number,
        number,
        number,
      ];
      const width = d + shapeOf(spec.attention.axes, spec.sizes)[3]!;
      if (found.length < count && batch * heads * rows * spec.sizes.length * width <= mostProducts)
        found.push(spec);
    }
  return found;
}

/** An attention and its gradient, which reads the attention's own results. */
export function specGraph({ attention, gradient }: Spec): Graph {
  const outputs: Record<string, Node> = { r0: attention, r1: resultNode(attention, 1) };
  const own = { ...gradient, output: attention, logSumExp: resultNode(attention, 1) };
  nodeResults(gradient).forEach((_, n) => (outputs[`r${n + 2}`] = resultNode(own, n)));
  return graphOf(outputs);
}
