/** Every attention as one with a weight: plain attention is one softmax over the pairs that its mask shows. */
import { bool, or, type Expr } from "./expr.ts";
import type { AttentionNode, LoadingPart, PairCore } from "./graph.ts";
import type { Weight } from "./weight.ts";

/** Attention, its gradient, or what stands for a log-sum-exp: attention without values. */
export interface WeighedNode
  extends PairCore, Pick<AttentionNode, "site" | "score" | "weight" | "sink" | "prepended"> {
  readonly value: AttentionNode["value"] | null;
}

type Weighed = Pick<WeighedNode, "mask" | "score" | "weight">;

/** The weight of a node; plain attention is one softmax over the pairs that the mask shows. */
export const weightOf = (node: Weighed): Weight =>
  node.weight ?? {
    row: { guard: node.mask, score: node.score },
    block: null,
    cases: [{ when: bool(true), row: "self", local: false, factor: null }],
  };

/** Conditions that together are the given one. */
const conjuncts = (e: Expr): readonly Expr[] =>
  e.kind === "binary" && e.op === "and" ? [...conjuncts(e.left), ...conjuncts(e.right)] : [e];

/** Where a tile has anything to do: weighed pairs, and keys that the row counts. A block is in one tile whole. */
export function seenBy(node: Weighed): Expr {
  const guard = weightOf(node).row?.guard ?? null;
  if (guard === null) return node.mask;
  // Expressions are interned. A guard that says the mask, too, counts nothing that it hides.
  const said = new Set(conjuncts(guard));
  return conjuncts(node.mask).every((part) => said.has(part)) ? node.mask : or(node.mask, guard);
}

/** The part that loads of the row's score belong to. */
export const rowPart = (node: Weighed): LoadingPart => (node.weight === null ? "score" : "row");
