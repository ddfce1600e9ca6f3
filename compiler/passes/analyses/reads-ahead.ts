/** Whether a position's result may depend on what comes later in its row, or on how long the row is: such rows are never padded. */
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

/** Whether an expression of the node, wherever it stands, asks for the length of the row. */
function asksLength(node: Node): boolean {
  const seen = new Set<unknown>();
  const asks = (value: unknown): boolean => {
    if (typeof value !== "object" || value === null || seen.has(value)) return false;
    seen.add(value);
    if (Array.isArray(value)) return value.some(asks);
    // Operands are nodes, which are asked for themselves.
    if (value !== node && "axes" in value && "site" in value) return false;
    const { kind, name } = value as { readonly kind?: unknown; readonly name?: unknown };
    return (kind === "size" && name === "length") || Object.values(value).some(asks);
  };
  return asks(node);
}

export const readsAhead = (graph: Graph): boolean =>
  graph.nodes.some(
    (node) => mixing.has(node.kind) || asksLength(node) || (node.kind === "attention" && seesLater(node)),
  );
