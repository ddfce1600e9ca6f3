/** What is known of an attention's mask and regions over blocks of positions, as expressions of the blocks' corners. */
import type { Expr } from "./expr.ts";

/** Bounds that both are reached or passed: low ≤ value ≤ high. */
export interface Bounds {
  readonly low: Expr;
  readonly high: Expr;
}

/** `all` implies that the value is true at every pair; where it is true at some pair, `any` holds. */
export interface Truth {
  readonly all: Expr;
  readonly any: Expr;
}

/** Positions from … to, both included, where `when` holds; none where from > to. */
export interface PositionInterval {
  readonly when: Expr;
  readonly from: Expr;
  readonly to: Expr;
}

export interface PositionRanges {
  /** Every position that some row of the block sees is in one of these. They may overlap. */
  readonly intervals: readonly PositionInterval[];
  /** One interval around all of them; from > to when there are none. */
  readonly hull: Bounds;
  /** True when, for a block of one row, the intervals hold exactly the positions it sees. */
  readonly exact: boolean;
}

/** Of a mask. Indices are `q0`, `q1`, `k0`, `k1` (inclusive corners within the row) and `h`; leaves are sizes and loads. */
export interface MaskFacts {
  /** Keys that queries q0 … q1 may see. */
  readonly keys: PositionRanges;
  /** Queries (absolute positions) that may see keys k0 … k1. */
  readonly queries: PositionRanges;
  /** The mask over a rectangle. */
  readonly mask: Truth;
}

export interface BlockFacts extends MaskFacts {
  /** For each region but the last, its `when` over a rectangle. */
  readonly regions: readonly Truth[];
  /** Where there are several regions, for each the facts of the pairs that are seen and its own; otherwise none. */
  readonly parts: readonly MaskFacts[];
  /** Of pairs that the mask shows or a weight's row normaliser counts; null where the mask shows all of them. */
  readonly counted: MaskFacts | null;
  /** Of a softmax of two levels: implies that every pair of the rectangle is far (see `TwoLevels`). */
  readonly far: Expr | null;
}
