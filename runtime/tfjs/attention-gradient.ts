/** The adjoint of attention by tiles: weights are computed anew for each tile from the log-sum-exp of its rows. */
import * as tf from "@tensorflow/tfjs-core";
import type { Attention, AttentionTensors, OutputGradient, Slopes } from "./attention-types.ts";
import { GradientSums, through, type GradientRows } from "./gradient-sums.ts";
import { byToken, hideUnseen, lowest, prependedRows, sinkRows } from "./online.ts";
import { byHead, part, PairWalk } from "./pair-walk.ts";
import type { Run, States } from "./run.ts";
import { Sum } from "./sum.ts";
import { weighedTiles } from "./weighted-gradient.ts";

/** Tiles of an attention whose weights are one softmax. */
function softmaxTiles(sums: GradientSums, rows: GradientRows): void {
  const { of, slopes, walk, value } = sums;
  walk.keyBlocks.forEach((keys, block) => {
    const tile = walk.seenTile(rows.range, keys);
    if (tile === null) return;
    tf.tidy(() => {
      const { values: logits, regions } = walk.logits(tile, rows.range, keys);
      const score = of.score === null ? logits : of.score(logits, tile);
      const weights = tf.exp(tf.sub(hideUnseen(score, tile, of.finite), rows.base));
      const towards = walk.outer(rows.upstream, part(value, keys));
      const share = tf.mul(weights, tf.sub(towards, rows.delta));
      sums.add(tile, rows, block, weights, through(share, slopes.score, logits, tile), regions);
      sums.addTables(tile, "score", share, logits);
    });
  });
}

/**
 * Gradients of each region's queries and keys, of the values, of the tables that have one, and of keys and values before
 * the text, in this order: `results` of them.
 */
export function attentionGradient<N extends number>(
  of: Attention,
  slopes: Slopes,
  run: Run,
  given: AttentionTensors,
  result: OutputGradient,
  results: N,
): States<N> {
  const found = tf.tidy(() => {
    const walk = new PairWalk(of, run, given, of.weight?.blockSize ?? 1);
    const sums = new GradientSums(of, slopes, walk, byHead(given.value));
    const upstream = byHead(result.outputGradient);
    const [batch, heads, count] = upstream.shape as [number, number, number];
    const base = tf.maximum(
      tf.reshape(tf.transpose(result.logSumExp, [0, 2, 1]), [batch, heads, count, 1]),
      lowest,
    );
    const delta = tf.sum(tf.mul(upstream, byHead(result.output)), 3, true);
    const { prepended } = given;
    const early =
      prepended === null
        ? null
        : { key: prependedRows(prepended.key, batch), value: prependedRows(prepended.value, batch) };
    const earlySums = { key: new Sum(), value: new Sum() };
    const queries = walk.rowBlocks.map((range) => {
      tf.tidy(() => {
        const rows: GradientRows = {
          range,
          upstream: part(upstream, range),
          base: part(base, range),
          delta: part(delta, range),
        };
        if (early !== null) earlyRows(sums, rows, early, earlySums);
        sinkShare(sums, rows);
        if (of.weight === null) softmaxTiles(sums, rows);
        else weighedTiles(sums, of.weight, rows);
      });
      return sums.queries.map((sum, region) =>
        tf.mul(
          sum.take([batch, heads, range.last - range.first + 1, given.queries[region]!.shape[3]!]),
          of.scale,
        ),
      );
    });
    const ofPrepended = (which: "key" | "value"): tf.Tensor => {
      const [p, g, d] = prepended![which].shape as [number, number, number];
      const total = tf.sum(earlySums[which].take([batch, g, p, d]), 0);
      return tf.transpose(total, [1, 0, 2]);
    };
    return [
      ...of.regions.flatMap((_, region) => [
        byToken(queries.map((own) => own[region]!)),
        sums.taken(region, given.keys[region]!),
      ]),
      sums.taken("value", given.value),
      ...sums.takenTables(given),
      ...(prepended === null ? [] : [ofPrepended("key"), ofPrepended("value")]),
    ];
  });
  if (found.length !== results) throw new Error(`${found.length} gradients for ${results}`);
  return found as unknown as States<N>;
}

/** What keys before the text get: they have no score and no mask, and the first region's query as it is. */
function earlyRows(
  sums: GradientSums,
  rows: GradientRows,
  early: { readonly key: tf.Tensor; readonly value: tf.Tensor },
  into: { readonly key: Sum; readonly value: Sum },
): void {
  tf.tidy(() => {
    const { walk } = sums;
    const query = part(walk.queries[0]!, rows.range);
    const weights = tf.exp(tf.sub(walk.outer(query, early.key), rows.base));
    const share = tf.mul(weights, tf.sub(walk.outer(rows.upstream, early.value), rows.delta));
    into.value.add(walk.gathered(weights, rows.upstream));
    into.key.add(walk.gathered(share, query));
    sums.queries[0]!.add(walk.weighed(share, early.key));
  });
}

/** What the sink's tables get: it weighs no key, so its share only takes. */
function sinkShare(sums: GradientSums, rows: GradientRows): void {
  if (!sums.readsTables("sink")) return;
  tf.tidy(() => {
    const sink = sinkRows(sums.of, sums.walk, rows.range)!;
    const share = tf.neg(tf.mul(tf.exp(tf.sub(sink, rows.base)), rows.delta));
    sums.addTables(sums.walk.tile(rows.range, { first: 0, last: 0 }), "sink", share, tf.scalar(0));
  });
}
