/**
 * Attention by tiles with a running maximum and sum (online softmax): empty tiles are left out, whole ones need no mask,
 * and what lives at once is a block of rows times a block of keys, never all pairs.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Attention, AttentionTensors, PairTensors } from "./attention-types.ts";
import { byHead, part, PairWalk, type Range } from "./pair-walk.ts";
import type { Run } from "./run.ts";
import { choose, spread } from "./tensors.ts";
import type { Tile } from "./tile.ts";
import { weighedRows } from "./weighted.ts";

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

/** Output and log-sum-exp of one block of rows: [b, h, rows, e] and [b, h, rows, 1]. */
function softmaxRows(
  of: Attention,
  walk: PairWalk,
  rows: Range,
  value: tf.Tensor,
  early: { readonly key: tf.Tensor; readonly value: tf.Tensor } | null,
): [tf.Tensor, tf.Tensor] {
  const width = value.shape[3]!;
  let state = step(null, () => opening(of, walk, rows, early, width));
  for (const keys of walk.keyBlocks) {
    const tile = walk.seenTile(rows, keys);
    if (tile === null) continue;
    state = step(state, () => {
      const { values: logits } = walk.logits(tile, rows, keys);
      const scores = hideUnseen(of.score === null ? logits : of.score(logits, tile), tile, of.finite);
      return online(state, scores, (p) => walk.weighed(p, part(value, keys)));
    });
  }
  const count = rows.last - rows.first + 1;
  const [batch, heads] = [walk.at.batch, walk.heads];
  if (state === null)
    return [tf.zeros([batch, heads, count, width]), tf.fill([batch, heads, count, 1], -Infinity)];
  return [tf.div(state.values!, tf.maximum(state.total, 1e-37)), logOf(state)];
}

/** Blocks of rows [b, h, rows, d] as one tensor [b, t, h, d]. */
export const byToken = (blocks: readonly tf.Tensor[]): tf.Tensor =>
  tf.transpose(blocks.length === 1 ? blocks[0]! : tf.concat([...blocks], 2), [0, 2, 1, 3]);

/** Output [b, t, h, e] and log-sum-exp [b, t, h] of an attention. */
export function attention(of: Attention, run: Run, given: AttentionTensors): [tf.Tensor, tf.Tensor] {
  return tf.tidy(() => {
    const walk = new PairWalk(of, run, given, of.weight?.blockSize ?? 1);
    const value = byHead(given.value);
    const { prepended } = given;
    const early =
      prepended === null
        ? null
        : {
            key: prependedRows(prepended.key, walk.at.batch),
            value: prependedRows(prepended.value, walk.at.batch),
          };
    const blocks = walk.rowBlocks.map((rows) =>
      tf.tidy(() =>
        of.weight === null
          ? softmaxRows(of, walk, rows, value, early)
          : weighedRows(of, of.weight, walk, rows, value, early),
      ),
    );
    const [output, logSumExp] = [byToken(blocks.map(([own]) => own)), byToken(blocks.map(([, own]) => own))];
    return [output, tf.reshape(logSumExp, logSumExp.shape.slice(0, 3))];
  });
}

/** log Σ exp(score) [b, t, h] over the keys that each row sees; −∞ for a row without keys. */
export function logSumExp(of: Attention, run: Run, given: PairTensors): tf.Tensor {
  return tf.tidy(() => {
    const walk = new PairWalk(of, run, given);
    const blocks = walk.rowBlocks.map((rows) =>
      tf.tidy(() => {
        let state: Running | null = null;
        for (const keys of walk.keyBlocks) {
          const tile = walk.seenTile(rows, keys);
          if (tile === null) continue;
          state = step(state, () => {
            const { values: logits } = walk.logits(tile, rows, keys);
            const score = of.score === null ? logits : of.score(logits, tile);
            return online(state, hideUnseen(score, tile, of.finite), null);
          });
        }
        if (state !== null) return logOf(state);
        return tf.fill([walk.at.batch, walk.heads, rows.last - rows.first + 1, 1], -Infinity);
      }),
    );
    const all = byToken(blocks);
    return tf.reshape(all, all.shape.slice(0, 3));
  });
}
