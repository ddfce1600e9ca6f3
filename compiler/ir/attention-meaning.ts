/** What a checked attention means for given static arguments, as expressions; lowering puts it into a Graph. */
import type { Span } from "../source/span.ts";
import type { Expr } from "./expr.ts";
import type { Init } from "./graph.ts";

/** `training` when a loss is differentiated, `evaluation` for loss without gradient, `decoding` when text is generated. */
export type AttentionPhase = "training" | "evaluation" | "decoding";

/** A table of the attention's own (`param bias[h, u: 32]`), one per place where the attention is used. */
export interface AttentionParameter {
  readonly name: string;
  readonly axes: readonly { readonly name: string; readonly size: number }[];
  readonly init: Init;
  readonly span: Span;
}

/** What buffer n of mask and score is. */
export type AttentionBuffer =
  | { readonly kind: "parameter"; readonly name: string }
  | { readonly kind: "documents" }
  | { readonly kind: "starts" };

/** Pairs where `when` holds rotate the query at `queryPosition` (over `q`, `h`) and the key at `keyPosition` (over `k`, `h`). */
export interface RotationRegion {
  readonly when: Expr;
  readonly queryPosition: Expr;
  readonly keyPosition: Expr;
}

export interface AttentionMeaning {
  readonly mask: Expr;
  /** Over the logit. */
  readonly score: Expr;
  readonly buffers: readonly AttentionBuffer[];
  /** First matching region wins; the last one's `when` is true. Positions are used only when the model has a rotation. */
  readonly regions: readonly RotationRegion[];
  /** Later keys seen on purpose; null when the mask is causal. */
  readonly ahead: Expr | null;
  /** Clauses that no target runs yet (`select`, `weight`, `teach`, …), for a refusal at the user's line. */
  readonly unsupported: readonly { readonly what: string; readonly span: Span }[];
}

/** Sizes an attention is used with. */
export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** The model's `length`: what `length` means in shape expressions that must be static. */
  readonly length: number;
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
