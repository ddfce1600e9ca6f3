/** Folds over pairs into the elements that each pair names: bodies tile by tile, added up where they belong by the host. */
import * as tf from "@tensorflow/tfjs-core";
import type { PairFold, PairTensors } from "./attention-types.ts";
import { PairWalk } from "./pair-walk.ts";
import type { Run } from "./run.ts";
import { spread } from "./tensors.ts";

const starts = { sum: 0, max: -Infinity, min: Infinity } as const;
const folds = {
  sum: (a: number, b: number) => a + b,
  max: Math.max,
  min: Math.min,
} as const;

/** [batch, …targets]; an element that no pair reaches is what the fold starts from. */
export function pairReduce(of: PairFold, run: Run, given: PairTensors, shape: readonly number[]): tf.Tensor {
  const out = new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(starts[of.op]);
  const fold = folds[of.op];
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  tf.tidy(() => {
    const walk = new PairWalk(of, run, given);
    for (const rows of walk.rowBlocks)
      for (const keys of walk.keyBlocks) {
        const tile = walk.seenTile(rows, keys);
        if (tile === null) continue;
        const values = tf.tidy(() => {
          const { values: logits } = walk.logits(tile, rows, keys);
          return spread(of.body === null ? logits : of.body(logits, tile), tile.shape).dataSync();
        });
        const seen = tile.mask;
        let n = 0;
        for (let b = 0; b < walk.at.batch; b++) {
          walk.at.row = b;
          for (let h = 0; h < walk.heads; h++)
            for (let q = 0; q < tile.rows; q++)
              for (let k = 0; k < tile.keys; k++, n++) {
                if (seen !== null) {
                  const [B, H, Q, K] = seen.shape;
                  const at =
                    (((B === 1 ? 0 : b) * H + (H === 1 ? 0 : h)) * Q + (Q === 1 ? 0 : q)) * K +
                    (K === 1 ? 0 : k);
                  if (seen.values[at] === 0) continue;
                }
                let place = b * strides[0]!;
                let inside = true;
                for (let axis = 0; axis < of.targets.length; axis++) {
                  const index = of.targets[axis]!.of(
                    tile.block.q0 + q,
                    tile.block.k0 + k,
                    h,
                    walk.at,
                  ) as number;
                  if (!(index >= 0 && index < shape[axis + 1]!)) {
                    inside = false;
                    break;
                  }
                  place += index * strides[axis + 1]!;
                }
                if (inside) out[place] = fold(out[place]!, values[n]!);
              }
        }
      }
  });
  return tf.tensor(Float32Array.from(out), [...shape]);
}
