/**
 * Nodes around attention: sets of chosen candidates, folds over pairs of a query and a key, blocks of an axis, and holes
 * that stand for a model's nodes until lowering.
 */
import type { Expr } from "./expr.ts";
import type { Axis, AxisSize, Node, NodeBase, PairCore } from "./graph.ts";

/** How many candidates a row of a selection takes. Both read `h`, sizes and loads. */
export type Choice =
  /** Forced ones, then the largest bodies until there are `count` (a whole number; below 1: only forced ones). */
  | { readonly kind: "top"; readonly count: Expr }
  /** Forced ones and those whose body exceeds the threshold. */
  | { readonly kind: "above"; readonly threshold: Expr };

/**
 * Chooses candidates `k` for each row `q` and head `h`: a set over `candidates`, [b, row, h, words] of i32, without the
 * row axis where `perRow` is false (q is 0 then) and without `h` where `perHead` is false (h is 0 then). Rows of tokens
 * count from query-start, others from 0. Of equal bodies the lower candidate comes first; NaN comes last and exceeds
 * nothing. No gradient passes.
 */
export interface SelectNode extends NodeBase {
  readonly kind: "select";
  /** [b, row, h, d] and [b, candidate, g, d], heads grouped as in attention: what the body's logit is made of. null: it has none. */
  readonly query: Node | null;
  readonly key: Node | null;
  /** Factor on the dot product. */
  readonly scale: number;
  /** Real over the logit, `q`, `k`, `h`, sizes, loads of `buffers`. Read only where `where` holds. */
  readonly body: Expr;
  /** Which candidates exist; over `q`, `k`, `h`, sizes, loads. */
  readonly where: Expr;
  /** Which of those are chosen in any case, even when they are more than the count. */
  readonly always: Expr;
  readonly choose: Choice;
  /** A `b` axis comes first; its index is implied. */
  readonly buffers: readonly Node[];
  readonly candidates: AxisSize;
  readonly perRow: boolean;
  readonly perHead: boolean;
}

/** log Σ exp(score) over the keys that a row sees, [b, t, h] of its queries; −∞ for a row without keys. No gradient passes: what reads it takes it for a constant. */
export interface LogSumExpNode extends NodeBase, PairCore {
  readonly kind: "log-sum-exp";
  /** Real over the logit, `q`, `k`, `h`, sizes, loads. */
  readonly score: Expr;
}

/**
 * Folds `body` over all pairs (q, k, h) where the mask holds into [b, …]: a pair goes to the element that `targets` name,
 * one index for each axis after the batch; a pair with an index outside its axis is left out. An element that no pair
 * reaches is what the fold starts from: 0 for sums, −∞ for max, ∞ for min, so that folding results once more gives
 * what one fold would. No gradient passes: what reads it takes it for a constant.
 */
export interface PairReduceNode extends NodeBase, PairCore {
  readonly kind: "pair-reduce";
  readonly op: "sum" | "max" | "min";
  /** Real over the logit (scale · q·k), `q`, `k`, `h`, sizes, loads. */
  readonly body: Expr;
  /** Whole numbers over `q`, `k`, `h`, sizes, loads. */
  readonly targets: readonly Expr[];
}

/** Folds blocks of `block` elements along `axis`, ⌈n / block⌉ of them in its place; the last block may be shorter, and a mean is over the elements that exist. */
export interface BlockReduceNode extends NodeBase {
  readonly kind: "block-reduce";
  readonly op: "sum" | "max" | "min" | "mean";
  readonly operand: Node;
  /** The operand's axis. The result's axis at the same place may have another name. */
  readonly axis: string;
  readonly block: number;
}

/** Repeats each block's value over its positions: element i of the result's axis is block ⌊i / block⌋. The adjoint of a sum over blocks. */
export interface BlockSpreadNode extends NodeBase {
  readonly kind: "block-spread";
  readonly operand: Node;
  /** The operand's axis of blocks. The result's axis at the same place may have another name. */
  readonly axis: string;
  readonly block: number;
}

/**
 * Sums along `axis`: element i is the sum of elements 0 … i, of 0 … i − 1 where `exclusive` (0 for the first), and counted
 * from the other end where `backward`. Its adjoint is the running sum from the other end.
 */
export interface RunningSumNode extends NodeBase {
  readonly kind: "running-sum";
  readonly operand: Node;
  readonly axis: string;
  readonly backward: boolean;
  readonly exclusive: boolean;
}

/** Stands for a node of the model (the queries of an attention, say) from checking until lowering fills it. */
export interface HoleNode extends NodeBase {
  readonly kind: "hole";
  readonly name: string;
}

/** A result axis of a fold over pairs and the index that a pair has along it. */
export interface PairTarget {
  readonly axis: Axis;
  readonly index: Expr;
}
