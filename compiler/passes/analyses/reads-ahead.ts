/** Whether a position's result may depend on later positions of its row: such rows must not be padded on the right. */
import { exprEvaluator, noValues } from "../../ir/evaluate-expr.ts";
import type { AttentionNode, Graph, Node } from "../../ir/graph.ts";
import { isTokenAxis } from "../../ir/graph-axes.ts";
import { blockFacts } from "./block-facts.ts";

/** A length that no block or window divides, and queries at its ends and between. */
const length = 997;
const queries = [0, 1, 6, 63, 500, length - 2];

/** Whether the mask may let a query see a later key, by the bounds that kernels skip blocks with. */
function seesLater(node: AttentionNode): boolean {
  const query = node.regions[0]!.query.axes;
  if (!isTokenAxis(query[1]!) || !isTokenAxis(node.value.axes[1]!)) return true;
  const any = exprEvaluator(blockFacts(node).mask.any);
  const heads = query[2]!.size.kind === "fixed" ? query[2]!.size.value : 1;
  const sizes = { batch: 1, length, "query-length": length, "query-start": 0, step: 0 };
  return queries.some((q) =>
    Array.from({ length: heads }, (_, h) => h).some((h) => {
      const places: Readonly<Record<string, number>> = { q0: q, q1: q, k0: q + 1, k1: length - 1, h };
      return (
        any({
          ...noValues,
          index: (name) => places[name] ?? NaN,
          size: (name) => sizes[name],
          // One document, and sets that hold everything.
          load: (buffer) => (node.buffers[buffer]!.kind === "input" ? 0 : -1),
          words: () => Math.ceil(length / 32),
        }) !== 0
      );
    }),
  );
}

/** Kinds whose results may mix positions in any order: what they read of a row they may read of its end. */
const mixing: ReadonlySet<Node["kind"]> = new Set([
  "block-reduce",
  "pair-reduce",
  "log-sum-exp",
  "select",
  "running-sum",
]);

export const readsAhead = (graph: Graph): boolean =>
  graph.nodes.some((node) => mixing.has(node.kind) || (node.kind === "attention" && seesLater(node)));
