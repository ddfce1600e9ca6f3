/**
 * Attention whose weights are products of normalisers and factors, by case: first the log-sum-exp of each row, then
 * weights tile by tile. No block of keys lies in two tiles, so what a block needs is all in one.
 */
import * as tf from "@tensorflow/tfjs-core";
import { hideUnseen, logOf, lowest, online, opening, type Running, step } from "./online.ts";
import type { Attention, Normaliser, Weight, WeightCase } from "./attention-types.ts";
import { part, type Logits, type PairWalk, type Range } from "./pair-walk.ts";
import { Sum } from "./sum.ts";
import { matMul, scaled, spread } from "./tensors.ts";
import { firstThat, type Tile } from "./tile.ts";

/** One case in a tile: which pairs it weighs, and the factors of their weights. */
export interface CasePart {
  readonly number: number;
  readonly of: WeightCase;
  /** Row and block factor of the pairs it weighs, 0 elsewhere. */
  readonly rest: tf.Tensor;
  readonly weights: tf.Tensor;
}

/** Shares of a tile's pairs in their normalisers, and their weights. */
export interface WeighedTile {
  readonly logits: tf.Tensor;
  readonly regions: Logits["regions"];
  /** The tile as the row's guard sees it, with shares of the row; null where it counts no key. */
  readonly row: { readonly tile: Tile; readonly shares: tf.Tensor } | null;
  readonly block: { readonly tile: Tile; readonly shares: tf.Tensor } | null;
  readonly cases: readonly CasePart[];
}

/** The tile as a guard sees it; null where it counts no key. */
function guarded(of: Normaliser, walk: PairWalk, rows: Range, keys: Range): Tile | null {
  const tile = walk.tile(rows, keys);
  return walk.may(of.any, tile) && tile.see(of.guard) ? tile : null;
}

const scoresOf = (of: Normaliser, logits: tf.Tensor, tile: Tile): tf.Tensor =>
  hideUnseen(of.score === null ? logits : of.score(logits, tile), tile, of.finite);

/** A 0/1 matrix [keys, keys]: row k', column k where `held(k', k)`. */
function relation(keys: number, held: (from: number, to: number) => boolean): tf.Tensor {
  const values = new Float32Array(keys * keys);
  for (let from = 0; from < keys; from++)
    for (let to = 0; to < keys; to++) if (held(from, to)) values[from * keys + to] = 1;
  return tf.tensor2d(values, [keys, keys]);
}

/** Pairs [b, h, rows, keys] times a matrix over keys. */
export function overKeys(pairs: tf.Tensor, matrix: tf.Tensor, turned = false): tf.Tensor {
  const keys = pairs.shape[3]!;
  return tf.reshape(matMul(tf.reshape(pairs, [-1, keys]), matrix, false, turned), pairs.shape);
}

/** Which key of a tile each key reads the row's normaliser at; none past the text. */
export function readMatrix(tile: Tile, at: "first" | "last", size: number): tf.Tensor {
  const { k0 } = tile.block;
  return relation(tile.keys, (from, to) => {
    const first = Math.floor((k0 + to) / size) * size;
    return k0 + from === (at === "first" ? first : first + size - 1);
  });
}

/** Keys of one block. */
export const blockMatrix = (tile: Tile, size: number): tf.Tensor =>
  relation(
    tile.keys,
    (a, b) => Math.floor((tile.block.k0 + a) / size) === Math.floor((tile.block.k0 + b) / size),
  );

/** Shares of a softmax over the keys of each block. */
function blockShares(scores: tf.Tensor, tile: Tile, size: number): tf.Tensor {
  const [b, h, rows, keys] = scores.shape as [number, number, number, number];
  const blocks = Math.ceil(keys / size);
  const padded = tf.pad(
    scores,
    [
      [0, 0],
      [0, 0],
      [0, 0],
      [0, blocks * size - keys],
    ],
    -Infinity,
  );
  const most = tf.maximum(tf.max(tf.reshape(padded, [-1, size]), 1, true), lowest);
  const everywhere = tf.reshape(spread(most, [b * h * rows * blocks, size]), [b, h, rows, blocks * size]);
  const own = tf.exp(tf.sub(scores, tf.slice(everywhere, [0, 0, 0, 0], [b, h, rows, keys])));
  return tf.div(own, tf.maximum(overKeys(own, blockMatrix(tile, size)), 1e-37));
}

/** Weights of a tile's pairs; `base` is the finite log-sum-exp of the rows. */
export function weighTile(
  weight: Weight,
  walk: PairWalk,
  tile: Tile | null,
  rows: Range,
  keys: Range,
  base: tf.Tensor,
): WeighedTile {
  const rowTile = weight.row === null ? null : guarded(weight.row, walk, rows, keys);
  const blockTile = weight.block === null || tile === null ? null : guarded(weight.block, walk, rows, keys);
  const { values: logits, regions } = walk.logits(tile ?? walk.tile(rows, keys), rows, keys);
  const row =
    rowTile === null
      ? null
      : { tile: rowTile, shares: tf.exp(tf.sub(scoresOf(weight.row!, logits, rowTile), base)) };
  const block =
    blockTile === null
      ? null
      : {
          tile: blockTile,
          shares: blockShares(scoresOf(weight.block!, logits, blockTile), blockTile, weight.blockSize),
        };
  const cases: CasePart[] = [];
  if (tile !== null) {
    const chosen = firstThat(
      tile,
      weight.cases.map(({ when }) => when),
      tile.mask,
    );
    weight.cases.forEach((of, number) => {
      const which = chosen[number]!;
      if (which === null || (of.row !== null && row === null) || (of.local && block === null)) return;
      let rest: tf.Tensor =
        which === "all" ? tf.ones(tile.shape) : spread(tf.tensor(which.values, which.shape), tile.shape);
      if (of.row === "self") rest = tf.mul(rest, row!.shares);
      else if (of.row !== null)
        rest = tf.mul(rest, overKeys(row!.shares, readMatrix(tile, of.row, weight.blockSize)));
      if (of.local) rest = tf.mul(rest, block!.shares);
      const factor = of.factorIsLogit ? logits : (of.factor?.(logits, tile) ?? null);
      cases.push({ number, of, rest, weights: factor === null ? rest : scaled(rest, factor) });
    });
  }
  return { logits, regions, row, block, cases };
}

/** Log-sum-exp of the row normaliser [b, h, rows, 1]; 0 where there is none. */
function rowLogs(
  of: Attention,
  weight: Weight,
  walk: PairWalk,
  rows: Range,
  early: { readonly key: tf.Tensor } | null,
): tf.Tensor {
  const shape = [walk.at.batch, walk.heads, rows.last - rows.first + 1, 1];
  const { row } = weight;
  if (row === null) return tf.zeros(shape);
  let state: Running | null = step(null, () =>
    opening(of, walk, rows, early === null ? null : { key: early.key, value: null }, 0),
  );
  for (const keys of walk.keyBlocks) {
    const tile = guarded(row, walk, rows, keys);
    if (tile === null) continue;
    state = step(state, () => online(state, scoresOf(row, walk.logits(tile, rows, keys).values, tile), null));
  }
  return state === null ? tf.fill(shape, -Infinity) : logOf(state);
}

/** Output and log-sum-exp of one block of rows: [b, h, rows, e] and [b, h, rows, 1]. */
export function weighedRows(
  of: Attention,
  weight: Weight,
  walk: PairWalk,
  rows: Range,
  value: tf.Tensor,
  early: { readonly key: tf.Tensor; readonly value: tf.Tensor } | null,
): [tf.Tensor, tf.Tensor] {
  const logs = rowLogs(of, weight, walk, rows, early);
  const base = tf.maximum(logs, lowest);
  const output = new Sum();
  if (early !== null)
    tf.tidy(() => {
      const scores = walk.outer(part(walk.queries[0]!, rows), early.key);
      output.add(walk.weighed(tf.exp(tf.sub(scores, base)), early.value));
    });
  for (const keys of walk.keyBlocks) {
    const tile = walk.seenTile(rows, keys);
    if (tile === null) continue;
    tf.tidy(() => {
      for (const { weights } of weighTile(weight, walk, tile, rows, keys, base).cases)
        output.add(walk.weighed(weights, part(value, keys)));
    });
  }
  const count = rows.last - rows.first + 1;
  return [output.take([walk.at.batch, walk.heads, count, value.shape[3]!]), logs];
}
