/**
 * Weights of an attention that has normalisers of its own: the form that a node holds, and the general tree that a spec
 * says, from which `lower/split-weight` makes such forms.
 */
import type { Expr } from "./expr.ts";

/** A softmax over keys: of `score` (real over the logit, `q`, `k`, `h`, sizes, loads) where `guard` (bool, without the logit) holds. */
export interface Normaliser {
  readonly guard: Expr;
  readonly score: Expr;
}

/** The key at which a row normaliser is read: this one, or the first or last of this key's block. */
export type ReadAt = "self" | "first" | "last";

/** One case of a weight: a product of what it names. */
export interface WeightCase {
  /** Bool over `q`, `k`, `h`, sizes, loads. */
  readonly when: Expr;
  /** Where the row normaliser is read; null: it is no factor. */
  readonly row: ReadAt | null;
  /** Whether the block normaliser, read at this key, is a factor. */
  readonly local: boolean;
  /** Real over the logit, `q`, `k`, `h`, sizes, loads; null: 1. */
  readonly factor: Expr | null;
}

/**
 * Replaces softmax(mask, score). A pair's weight is that of the first case that holds, and 0 where none does or the mask
 * does not hold. Guards stand alone: a normaliser counts keys that the mask hides, unless its guard says the mask too.
 * A normaliser without keys is 0 wherever it is read, and so is one read at a key that its guard does not count, or at a
 * key past the text (the last of a short block). Either every case reads the row normaliser or none does.
 */
export interface Weight {
  /** One softmax over the keys of each row; null when no case reads it. */
  readonly row: Normaliser | null;
  /** Blocks of `size` keys, with one softmax in each when a case reads it; null when no case speaks of blocks. */
  readonly block: { readonly size: number; readonly inner: Normaliser | null } | null;
  readonly cases: readonly WeightCase[];
}

/**
 * A weight as a spec says it: reals and normalisers, added, multiplied and chosen. Reals are over the logit, `q`, `k`,
 * `h`, sizes and loads; conditions are bools over the same without the logit.
 */
export type WeightExpr =
  | WeightNormaliser
  | { readonly kind: "real"; readonly value: Expr }
  | { readonly kind: "sum"; readonly terms: readonly WeightExpr[] }
  | { readonly kind: "product"; readonly factors: readonly WeightExpr[] }
  | {
      readonly kind: "choose";
      readonly when: Expr;
      readonly then: WeightExpr;
      readonly otherwise: WeightExpr;
    };

/** A softmax over the keys of the row, or of this key's block, read at a key. */
export interface WeightNormaliser {
  readonly kind: "normaliser";
  readonly scope: "row" | "block";
  readonly at: ReadAt;
  readonly guard: Expr;
  readonly score: Expr;
  /** Keys of a block: for the scope `block`, and for reads at its first or last key. */
  readonly block?: number;
  /** Row scope: logarithm of one more term of the denominator (real over `q`, `h`, sizes, loads), that weighs no key. */
  readonly sink?: Expr;
}

const mapNormaliser = (of: Normaliser, change: (e: Expr) => Expr): Normaliser => {
  const [guard, score] = [change(of.guard), change(of.score)];
  return guard === of.guard && score === of.score ? of : { guard, score };
};

/** The weight with every expression changed; the very same weight when none is. */
export function mapWeight(weight: Weight, change: (e: Expr) => Expr): Weight {
  const row = weight.row === null ? null : mapNormaliser(weight.row, change);
  const own = weight.block?.inner ?? null;
  const inner = own === null ? null : mapNormaliser(own, change);
  const block = weight.block === null || inner === own ? weight.block : { ...weight.block, inner };
  const cases = weight.cases.map((one) => {
    const [when, factor] = [change(one.when), one.factor === null ? null : change(one.factor)];
    return when === one.when && factor === one.factor ? one : { ...one, when, factor };
  });
  const unchanged =
    row === weight.row && block === weight.block && cases.every((one, n) => one === weight.cases[n]);
  return unchanged ? weight : { row, block, cases };
}
