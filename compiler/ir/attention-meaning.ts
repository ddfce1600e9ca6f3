/** What a checked attention means for given static arguments, as expressions; lowering puts it into a Graph. */
import type { Span } from "../source/span.ts";
import type { Expr } from "./expr.ts";
import type { Init, Node } from "./graph.ts";
import type { WeightExpr } from "./weight.ts";

/** `training` when a loss is differentiated, `evaluation` for loss without gradient, `decoding` when text is generated. */
export type AttentionPhase = "training" | "evaluation" | "decoding";

/** A table of the attention's own (`param bias[h, u: 32]`), one per place where the attention is used. */
export interface AttentionParameter {
  readonly name: string;
  readonly axes: readonly { readonly name: string; readonly size: number }[];
  readonly init: Init;
  readonly span: Span;
}

/**
 * What buffer n of mask, score, weight and turns is. A `node` is made over holes: `Q` [b, t, h, d], `K` and `V` [b, t, g, d]
 * as given to the attention, `logit-query:r` and `logit-key:r` for its queries and keys as region r rotates them, and
 * `parameter:<name>` for its own tables.
 */
export type AttentionBuffer =
  | { readonly kind: "parameter"; readonly name: string }
  | { readonly kind: "documents" }
  | { readonly kind: "starts" }
  | { readonly kind: "node"; readonly node: Node };

/**
 * Pairs where `when` holds rotate the query at `queryPosition` (over `q`, `h`) and the key at `keyPosition` (over `k`,
 * `h`). With a turn, the query is not rotated before: at each block of `by` keys it turns to `position`, over `q`, `h`,
 * the block of `k`, and loads.
 */
export interface RotationRegion {
  readonly when: Expr;
  readonly queryPosition: Expr;
  readonly keyPosition: Expr;
  readonly turn: { readonly position: Expr; readonly by: number } | null;
}

/** What a `teach` clause asks: a loss [b] for each row, over the same holes as nodes of buffers. */
export interface AttentionTeacher {
  readonly loss: Node;
  readonly span: Span;
}

export interface AttentionMeaning {
  readonly mask: Expr;
  /** Over the logit. */
  readonly score: Expr;
  /** What replaces softmax(mask, score); null: nothing does. */
  readonly weight: { readonly value: WeightExpr; readonly span: Span } | null;
  readonly buffers: readonly AttentionBuffer[];
  /** First matching region wins; the last one's `when` is true. Positions are used only when the model has a rotation. */
  readonly regions: readonly RotationRegion[];
  /** Later keys seen on purpose; null when the mask is causal. */
  readonly ahead: Expr | null;
  readonly teachers: readonly AttentionTeacher[];
  /** Clauses that no target runs yet or parts of them, for a refusal at the user's line. */
  readonly unsupported: readonly { readonly what: string; readonly span: Span }[];
}

/** Sizes an attention is used with. */
export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** The model's `length`: what `length` means in shape expressions that must be static. */
  readonly length: number;
  /** Numbers in a value, where they are others than in a key. */
  readonly valueSize?: number;
  /** Factor on the dot product; 1 / √headSize when it is not given. */
  readonly scale?: number;
  /** The model's rotation over vectors of a size; null where it has none for that size. Left out or null: no rotation. */
  readonly rotation?: ((size: number) => RotationMeaning | null) | null;
}

export interface AttentionInstance {
  readonly parameters: readonly AttentionParameter[];
  readonly phases: Readonly<Record<AttentionPhase, AttentionMeaning>>;
}

/** The angle law of a rotation for given static arguments. */
export interface RotationMeaning {
  /** Radians per position, over index `m`. */
  readonly angle: Expr;
  readonly scale: Expr;
  readonly layout: "half" | "interleaved";
  /** Leading dimensions that rotate. */
  readonly rotated: number;
}
