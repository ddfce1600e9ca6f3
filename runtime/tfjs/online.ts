/** The running softmax over tiles: largest score, sum of exponentials relative to it, and weighed values; block by block. */
import * as tf from "@tensorflow/tfjs-core";
import type { Attention } from "./attention-types.ts";
import { part, type PairWalk, type Range } from "./pair-walk.ts";
import { choose, spread } from "./tensors.ts";
import type { Tile } from "./tile.ts";

/** Below every score that counts; stands for −∞ where a difference is taken. */
export const lowest = -3e38;

/** Running maximum, sum of exponentials relative to it, and sum of values weighed by them; [b, h, rows, …]. */
export interface Running {
  readonly most: tf.Tensor;
  readonly total: tf.Tensor;
  readonly values: tf.Tensor | null;
}

/** A value of each pair of a tile; −∞ at hidden pairs. */
export function hideUnseen(score: tf.Tensor, tile: Tile, finite: boolean): tf.Tensor {
  const full = score.shape.join() === tile.shape.join() ? score : spread(score, tile.shape);
  if (tile.mask === null) return full;
  return finite ? tf.add(full, tile.bias()) : choose(tile.seen(), full, tf.scalar(-Infinity));
}

/** Takes one more block of scores [b, h, rows, keys] into a running softmax. */
export function online(
  before: Running | null,
  scores: tf.Tensor,
  weigh: ((p: tf.Tensor) => tf.Tensor) | null,
): Running {
  const own = tf.max(scores, 3, true);
  const most = before === null ? own : tf.maximum(before.most, own);
  const base = tf.maximum(most, lowest);
  const p = tf.exp(tf.sub(scores, base));
  const sum = tf.sum(p, 3, true);
  const values = weigh === null ? null : weigh(p);
  if (before === null) return { most, total: sum, values };
  const shrink = tf.exp(tf.sub(before.most, base));
  return {
    most,
    total: tf.add(tf.mul(before.total, shrink), sum),
    values:
      values === null || before.values === null ? values : tf.add(tf.mul(before.values, shrink), values),
  };
}

/** log Σ exp of a running softmax; −∞ where nothing was added. */
export const logOf = ({ most, total }: Running): tf.Tensor => tf.add(tf.maximum(most, lowest), tf.log(total));

/** Prepended keys or values [p, g, d] as [b, g, p, d]. */
export function prependedRows(x: tf.Tensor, batch: number): tf.Tensor {
  const [p, g, d] = x.shape as [number, number, number];
  return spread(tf.reshape(tf.transpose(x, [1, 0, 2]), [1, g, p, d]), [batch, g, p, d]);
}

/** The sink of a block of rows, [b, h, rows, 1]. */
export function sinkRows(of: Attention, walk: PairWalk, rows: Range): tf.Tensor | null {
  if (of.sink === null) return null;
  const tile = walk.tile(rows, { first: 0, last: 0 });
  return spread(of.sink(tf.scalar(0), tile), tile.shape);
}

/** What a softmax of a block of rows starts with: its sink and the keys before the text; null for nothing. */
export function opening(
  of: Attention,
  walk: PairWalk,
  rows: Range,
  early: { readonly key: tf.Tensor; readonly value: tf.Tensor | null } | null,
  width: number,
): Running | null {
  let state: Running | null = null;
  const sink = sinkRows(of, walk, rows);
  if (sink !== null) {
    const total = tf.exp(tf.sub(sink, tf.maximum(sink, lowest)));
    const [b, h, t] = sink.shape as [number, number, number];
    state = { most: sink, total, values: width === 0 ? null : tf.zeros([b, h, t, width]) };
  }
  if (early === null) return state;
  const scores = walk.outer(part(walk.queries[0]!, rows), early.key);
  const { value } = early;
  return online(state, scores, value === null ? null : (p) => walk.weighed(p, value));
}

/** One step of a running softmax in a scope of its own; the state before is freed, unless nothing is added to it. */
export function step(before: Running | null, take: () => Running | null): Running | null {
  const found = tf.tidy(() => take() as unknown as tf.TensorContainer) as unknown as Running | null;
  if (found === null) return before;
  if (before !== null)
    tf.dispose([before.most, before.total, ...(before.values === null ? [] : [before.values])]);
  return found;
}

/** Blocks of rows [b, h, rows, d] as one tensor [b, t, h, d]. */
export const byToken = (blocks: readonly tf.Tensor[]): tf.Tensor =>
  tf.transpose(blocks.length === 1 ? blocks[0]! : tf.concat([...blocks], 2), [0, 2, 1, 3]);
