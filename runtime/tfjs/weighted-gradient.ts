/** The adjoint of weights by case, tile by tile: through each factor, each normaliser, and the key it was read at. */
import * as tf from "@tensorflow/tfjs-core";
import { through, type GradientRows, type GradientSums } from "./gradient-sums.ts";
import type { Weight } from "./attention-types.ts";
import { part } from "./pair-walk.ts";
import { blockMatrix, overKeys, readMatrix, weighTile, type WeighedTile } from "./weighted.ts";
import type { Tile } from "./tile.ts";

const plus = (a: tf.Tensor | null, b: tf.Tensor): tf.Tensor => (a === null ? b : tf.add(a, b));

/** Gradients of the logarithms of shares of rows and blocks, and what of the logits' gradient comes through factors. */
function caseShares(
  sums: GradientSums,
  weight: Weight,
  tile: Tile | null,
  weighed: WeighedTile,
  towards: tf.Tensor,
) {
  let weights: tf.Tensor | null = null;
  let ofRow: tf.Tensor | null = null;
  let ofBlock: tf.Tensor | null = null;
  let ofLogits: tf.Tensor | null = null;
  for (const { number, of, rest, weights: own } of weighed.cases) {
    weights = plus(weights, own);
    const moved = tf.mul(own, towards);
    if (of.row === "self") ofRow = plus(ofRow, moved);
    else if (of.row !== null)
      ofRow = plus(ofRow, overKeys(moved, readMatrix(tile!, of.row, weight.blockSize), true));
    if (of.local) ofBlock = plus(ofBlock, moved);
    if (of.factor === null && !of.factorIsLogit) continue;
    const ofFactor = tf.mul(rest, towards);
    ofLogits = plus(ofLogits, through(ofFactor, sums.slopes.factors[number]!, weighed.logits, tile!));
    sums.addTables(tile!, number, ofFactor, weighed.logits);
  }
  return { weights, ofRow, ofBlock, ofLogits };
}

/** Tiles of one block of rows of an attention with weights by case. */
export function weighedTiles(sums: GradientSums, weight: Weight, rows: GradientRows): void {
  const { walk, slopes, value } = sums;
  walk.keyBlocks.forEach((keys, block) => {
    const tile = walk.seenTile(rows.range, keys);
    if (tile === null && (weight.row === null || !walk.may(weight.row.any, walk.tile(rows.range, keys))))
      return;
    tf.tidy(() => {
      const weighed = weighTile(weight, walk, tile, rows.range, keys, rows.base);
      const towards = walk.outer(rows.upstream, part(value, keys));
      const shares = caseShares(sums, weight, tile, weighed, towards);
      let logits = shares.ofLogits;
      if (weighed.row !== null) {
        const taken = tf.neg(tf.mul(weighed.row.shares, rows.delta));
        const own = plus(shares.ofRow, taken);
        logits = plus(logits, through(own, slopes.row, weighed.logits, weighed.row.tile));
        sums.addTables(weighed.row.tile, "row", own, weighed.logits);
      }
      if (weighed.block !== null && shares.ofBlock !== null) {
        const total = overKeys(shares.ofBlock, blockMatrix(weighed.block.tile, weight.blockSize));
        const own = tf.sub(shares.ofBlock, tf.mul(weighed.block.shares, total));
        logits = plus(logits, through(own, slopes.block, weighed.logits, weighed.block.tile));
        sums.addTables(weighed.block.tile, "block", own, weighed.logits);
      }
      const { shape } = walk.tile(rows.range, keys);
      const none = (): tf.Tensor => tf.zeros(shape);
      if (shares.weights === null && logits === null) return;
      sums.add(
        tile ?? walk.tile(rows.range, keys),
        rows,
        block,
        shares.weights ?? none(),
        logits ?? none(),
        weighed.regions,
      );
    });
  });
}
