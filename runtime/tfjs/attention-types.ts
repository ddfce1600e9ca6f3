/** What an attention is, apart from its tensors: the constants that emitted modules hold, and what calls give. */
import type * as tf from "@tensorflow/tfjs-core";
import type { Corners, Pairs, Place } from "./place.ts";
import type { Tile } from "./tile.ts";

/** A value of each pair of a tile, over the pairs' logits. */
export type OfLogits = (s: tf.Tensor, tile: Tile) => tf.Tensor;

/** A rotation of the query for each block of `by` keys. */
export interface Turn {
  readonly position: Pairs;
  readonly angle: (m: number, at: Place) => number;
  readonly scale: (m: number, at: Place) => number;
  readonly rotated: number;
  readonly layout: "half" | "interleaved";
  readonly by: number;
}

/** Pairs where `when` holds take their logit from this region's query and key; the first that holds, wins. */
export interface Region {
  readonly when: Pairs;
  readonly any: Corners;
  readonly all: Corners;
  readonly turn: Turn | null;
}

/** What all folds over pairs are told: which pairs are seen, and which blocks of them are seen in part or whole. */
export interface PairCore {
  readonly scale: number;
  readonly mask: Pairs;
  readonly any: Corners;
  readonly all: Corners;
  readonly regions: readonly Region[];
}

/** A softmax over keys: of `score` (null: the logit) where `guard` holds. */
export interface Normaliser {
  readonly guard: Pairs;
  readonly any: Corners;
  readonly score: OfLogits | null;
  readonly finite: boolean;
}

export interface WeightCase {
  readonly when: Pairs;
  /** The key at which the row normaliser is read; null: it is no factor. */
  readonly row: "self" | "first" | "last" | null;
  readonly local: boolean;
  readonly factor: OfLogits | null;
  /** A factor of null that stands for the logit, not for 1. */
  readonly factorIsLogit: boolean;
}

/** Weights that replace the softmax: products of normalisers and factors, by case. */
export interface Weight {
  readonly row: Normaliser | null;
  /** Keys of a block. */
  readonly blockSize: number;
  readonly block: Normaliser | null;
  readonly cases: readonly WeightCase[];
}

export interface Attention extends PairCore {
  /** Null: the logit. */
  readonly score: OfLogits | null;
  /** Whether the score is a finite number at hidden pairs, too. */
  readonly finite: boolean;
  /** Logarithm of one more term of the denominator, that weighs no key; over `q` and `h`. */
  readonly sink: OfLogits | null;
  readonly weight: Weight | null;
}

/** One load of a table's element: in which expression, where, and that expression's slope by it (null: 1). */
export interface LoadSlope {
  readonly part: "score" | "sink" | "row" | "block" | number;
  readonly index: Pairs;
  readonly slope: OfLogits | null;
}

/** Slopes of an attention's expressions by the logit (null: 1), and of loads by what they read. */
export interface Slopes {
  readonly score: OfLogits | null;
  readonly row: OfLogits | null;
  readonly block: OfLogits | null;
  readonly factors: readonly (OfLogits | null)[];
  readonly tables: readonly { readonly table: number; readonly loads: readonly LoadSlope[] }[];
}

/** A fold over pairs into the batch and the axes of `targets`. */
export interface PairFold extends PairCore {
  readonly op: "sum" | "max" | "min";
  readonly body: OfLogits | null;
  readonly targets: readonly Pairs[];
}

/** Queries [b, t, h, d] and keys [b, t', g, d] of each region, and the tables that expressions load. */
export interface PairTensors {
  readonly queries: readonly tf.Tensor[];
  readonly keys: readonly tf.Tensor[];
  readonly tables: readonly tf.Tensor[];
  /** Whether a table's first axis is the batch. */
  readonly batchedTables: readonly boolean[];
  /** Whether rows are tokens, and so count from the first query's position. */
  readonly tokens: boolean;
}

export interface AttentionTensors extends PairTensors {
  /** [b, t', g, e]. */
  readonly value: tf.Tensor;
  /** Keys and values [p, g, …] that every query sees, before the text. */
  readonly prepended: { readonly key: tf.Tensor; readonly value: tf.Tensor } | null;
}

/** Results of the forward pass, and the gradient of its output. */
export interface OutputGradient {
  readonly output: tf.Tensor;
  readonly logSumExp: tf.Tensor;
  readonly outputGradient: tf.Tensor;
}
