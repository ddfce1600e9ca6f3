/**
 * Attention by tiles with a running maximum and sum (online softmax): empty tiles are left out, whole ones need no mask,
 * and what lives at once is a block of rows times a block of keys, never all pairs.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Attention, AttentionTensors, PairTensors } from "./attention-types.ts";
import { byToken, hideUnseen, logOf, online, opening, prependedRows, step, type Running } from "./online.ts";
import { byHead, part, PairWalk, type Range } from "./pair-walk.ts";
import type { Run } from "./run.ts";
import { weighedRows } from "./weighted.ts";

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
