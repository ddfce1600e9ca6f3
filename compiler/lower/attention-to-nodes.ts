/** Lowers an attention term: rotations of queries and keys per region, then one attention node. */
import type { AttentionTerm, Term } from "../check/model/term.ts";
import type { AttentionPhase } from "../ir/attention-meaning.ts";
import * as ir from "../ir/expr.ts";
import {
  attentionNode,
  concatNode,
  inputNode,
  reshapeNode,
  rotateNode,
  type Place,
} from "../ir/graph-build.ts";
import type { Node } from "../ir/graph.ts";

/** The same expression with `index(from)` read as `index("x")`, the position that a rotation is over. */
const overPosition = (e: ir.Expr, from: string): ir.Expr =>
  ir.mapExpr(e, (part) => (part.kind === "index" && part.name === from ? ir.index("x") : part));

/** The output [b, t, h, e] of an attention in a phase. Clauses that no target runs must have been refused before. */
export function attentionToNodes(
  term: AttentionTerm,
  node: (term: Term) => Node,
  phase: AttentionPhase,
  at: Place,
): Node {
  const meaning = term.instance.phases[phase];
  const query = node(term.query);
  const key = node(term.key);
  const { rotation } = term;
  const rotated = new Map<string, Map<ir.Expr, Node>>();
  const rotate = (operand: Node, name: "q" | "k", position: ir.Expr): Node => {
    if (rotation === null || rotation.rotated === 0) return operand;
    const known = rotated.get(name) ?? new Map<ir.Expr, Node>();
    rotated.set(name, known);
    const law = { ...rotation, position: overPosition(position, name) };
    const made = known.get(law.position) ?? rotateNode(operand, law, at);
    known.set(law.position, made);
    return made;
  };
  // Without rotation all regions have equal operands: the last one stands for all.
  const regions = rotation === null ? meaning.regions.slice(-1) : meaning.regions;
  const buffers = meaning.buffers.map((buffer): Node => {
    switch (buffer.kind) {
      case "parameter":
        return node(term.tables.get(buffer.name)!);
      case "documents":
      case "starts":
        return inputNode(buffer.kind);
      default:
        return buffer satisfies never;
    }
  });
  const value = node(term.value);
  const output = attentionNode(
    {
      regions: regions.map((region) => ({
        query: rotate(query, "q", region.queryPosition),
        key: rotate(key, "k", region.keyPosition),
        when: region.when,
      })),
      value,
      mask: meaning.mask,
      score: meaning.score,
      buffers,
      scale: term.scale,
      prepended: prependedOf(term, node, at),
    },
    at,
  );
  const names = term.axes.map((axis) => axis.name);
  if (output.axes.slice(2).every((axis, n) => axis.name === names[n])) return output;
  const renamed = output.axes.map((axis, n) => (n < 2 ? axis : { ...axis, name: names[n - 2]! }));
  return reshapeNode(output, renamed, at);
}

/** Learned keys and values before the text; those of several adapters follow one another. */
function prependedOf(
  term: AttentionTerm,
  node: (term: Term) => Node,
  at: Place,
): { readonly key: Node; readonly value: Node } | null {
  const [first, ...others] = term.prepended;
  if (first === undefined) return null;
  const key = node(first.key);
  const value = node(first.value);
  if (others.length === 0) return { key, value };
  const along = (part: Node, like: Node): Node =>
    reshapeNode(part, [{ ...part.axes[0]!, name: like.axes[0]!.name }, ...like.axes.slice(1)], at);
  return {
    key: concatNode(key.axes[0]!.name, [key, ...others.map((part) => along(node(part.key), key))], at),
    value: concatNode(
      value.axes[0]!.name,
      [value, ...others.map((part) => along(node(part.value), value))],
      at,
    ),
  };
}
