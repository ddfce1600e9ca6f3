/** Lowers an attention term: rotations of queries and keys per region, its tables, then one attention node. */
import type { AttentionTerm, Term } from "../check/model/term.ts";
import type { AttentionMeaning, AttentionPhase } from "../ir/attention-meaning.ts";
import * as ir from "../ir/expr.ts";
import type { WeightExpr } from "../ir/weight.ts";
import { plainScoreOf, splitWeight } from "./split-weight.ts";
import { batchAxis, lengthSize, axis } from "../ir/graph-axes.ts";
import { fillHoles } from "../ir/graph-build-pairs.ts";
import {
  attentionNode,
  concatNode,
  inputNode,
  mapNode,
  reshapeNode,
  rotateNode,
  type AttentionParts,
  type Place,
} from "../ir/graph-build.ts";
import type { Node } from "../ir/graph.ts";

/** The same expression with `index(from)` read as `index("x")`, the position that a rotation is over. */
const overPosition = (e: ir.Expr, from: string): ir.Expr =>
  ir.mapExpr(e, (part) => (part.kind === "index" && part.name === from ? ir.index("x") : part));

/** What an attention becomes in a phase. */
export interface LoweredAttention {
  /** [b, t, h, e]. */
  readonly output: Node;
  /** Losses [b] of its teachers, one for each row. */
  readonly teachers: readonly Node[];
}

/** The output of an attention in a phase. Clauses that no target runs must have been refused before. */
export const attentionToNodes = (
  term: AttentionTerm,
  node: (term: Term) => Node,
  phase: AttentionPhase,
  at: Place,
): Node => lowerAttention(term, node, phase, at).output;

/** The output and the teachers of an attention, which share what they both read. */
export function lowerAttention(
  term: AttentionTerm,
  node: (term: Term) => Node,
  phase: AttentionPhase,
  at: Place,
): LoweredAttention {
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
  const value = node(term.value);
  const fill = (name: string): Node => {
    const [kind, number] = name.split(":") as [string, string | undefined];
    if (kind === "parameter") return node(term.tables.get(number!)!);
    if (kind === "Q") return asHole(query, "h", at);
    if (kind === "K") return asHole(key, "g", at);
    if (kind === "V") return asHole(value, "g", at);
    const region = meaning.regions[Number(number)]!;
    return kind === "logit-query"
      ? asHole(region.turn === null ? rotate(query, "q", region.queryPosition) : query, "h", at)
      : asHole(rotate(key, "k", region.keyPosition), "g", at);
  };
  const { buffers, teachers } = filledTables(meaning, term, node, fill);
  const parts = {
    regions: regions.map((region) => ({
      query: region.turn === null ? rotate(query, "q", region.queryPosition) : query,
      key: rotate(key, "k", region.keyPosition),
      when: region.when,
      turn: region.turn === null || rotation === null ? null : { ...rotation, ...region.turn },
    })),
    value,
    mask: meaning.mask,
    score: meaning.score,
    buffers,
    scale: term.scale,
    prepended: prependedOf(term, node, at),
  };
  const output =
    meaning.weight === null ? attentionNode(parts, at) : weighedNodes(parts, meaning.weight.value, at);
  const names = term.axes.map((own) => own.name);
  if (output.axes.slice(2).every((own, n) => own.name === names[n])) return { output, teachers };
  const renamed = output.axes.map((own, n) => (n < 2 ? own : { ...own, name: names[n - 2]! }));
  return { output: reshapeNode(output, renamed, at), teachers };
}

/** The sum of a weight's forms, one node each. Throws for a weight that has none, which must have been refused before. */
function weighedNodes(parts: AttentionParts, weight: WeightExpr, at: Place): Node {
  const { forms, reason } = splitWeight(weight);
  if (forms === null) throw new Error(`a weight that cannot be split: ${reason}`);
  const nodes = forms.map((form) => {
    const score = form.sink === null ? plainScoreOf(form, parts.mask) : null;
    return score === null
      ? attentionNode({ ...parts, weight: form.weight, sink: form.sink }, at)
      : attentionNode({ ...parts, score }, at);
  });
  const [first] = nodes;
  if (first === undefined) {
    const none = attentionNode(parts, at);
    return mapNode([], ir.real(0), at, none.axes);
  }
  if (nodes.length === 1) return first;
  const sum = nodes.map((_, n) => ir.operand(n)).reduce<ir.Expr>((all, one) => ir.add(all, one), ir.real(0));
  return mapNode(nodes, sum, at, first.axes);
}

/** The model's queries, keys or values under the names that holes have. */
function asHole(operand: Node, heads: "h" | "g", at: Place): Node {
  const [, , count, width] = operand.axes;
  const axes = [batchAxis, axis("t", lengthSize()), { ...count!, name: heads }, { ...width!, name: "d" }];
  return operand.axes.every((own, n) => own.name === axes[n]!.name)
    ? operand
    : reshapeNode(operand, axes, at);
}

/** The tensors of buffers and teachers, with the model's nodes in their holes; what they share is shared still. */
function filledTables(
  meaning: AttentionMeaning,
  term: AttentionTerm,
  node: (term: Term) => Node,
  fill: (name: string) => Node,
): { readonly buffers: readonly Node[]; readonly teachers: readonly Node[] } {
  const open = meaning.buffers.flatMap((buffer) => (buffer.kind === "node" ? [buffer.node] : []));
  const filled = [...fillHoles([...open, ...meaning.teachers.map(({ loss }) => loss)], fill)];
  const buffers = meaning.buffers.map((buffer): Node => {
    switch (buffer.kind) {
      case "parameter":
        return node(term.tables.get(buffer.name)!);
      case "documents":
      case "starts":
        return inputNode(buffer.kind);
      case "node":
        return filled.shift()!;
      default:
        return buffer satisfies never;
    }
  });
  return { buffers, teachers: filled };
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
