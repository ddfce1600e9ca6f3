/** Losses: cross-entropy over given logits, and over those of a head that are never all there. */
import * as tf from "@tensorflow/tfjs-core";
import { online, logOf, type Running, step } from "./online.ts";
import { matMul, scatterRows } from "./tensors.ts";

/** Words of the vocabulary whose logits are there at once. */
const words = 2048;

/** 1 where a row has a target, 0 where it has none. */
const counted = (targets: tf.Tensor): tf.Tensor =>
  tf.cast(tf.greaterEqual(targets, tf.scalar(0, "int32")), "float32");
/** The targets, 0 where there is none. */
const inside = (targets: tf.Tensor): tf.Tensor => tf.maximum(targets, tf.scalar(0, "int32"));

/** −log softmax(logits)[target], 0 where the target is −1, and the log-sum-exp of each row. */
export function crossEntropy(logits: tf.Tensor, targets: tf.Tensor): [tf.Tensor, tf.Tensor] {
  return tf.tidy(() => {
    const width = logits.shape.at(-1)!;
    const rows = logits.size / width;
    const flat = tf.reshape(logits, [rows, width]);
    const most = tf.max(flat, 1, true);
    const lse = tf.reshape(tf.add(most, tf.log(tf.sum(tf.exp(tf.sub(flat, most)), 1, true))), targets.shape);
    const starts = tf.tensor1d(
      Int32Array.from({ length: rows }, (_, row) => row * width),
      "int32",
    );
    const at = tf.add(starts, tf.reshape(inside(targets), [rows]));
    const own = tf.reshape(tf.gather(tf.reshape(logits, [-1]), at), targets.shape);
    return [tf.mul(tf.sub(lse, own), counted(targets)), lse];
  });
}

/** The gradient of the logits for a gradient of each row's loss. */
export function crossEntropyGradient(
  logits: tf.Tensor,
  targets: tf.Tensor,
  logSumExp: tf.Tensor,
  lossGradient: tf.Tensor,
): tf.Tensor {
  return tf.tidy(() => {
    const width = logits.shape.at(-1)!;
    const rows = logits.size / width;
    const column = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [rows, 1]);
    const weights = tf.exp(tf.sub(tf.reshape(logits, [rows, width]), column(logSumExp)));
    const own = tf.oneHot(tf.reshape(tf.cast(inside(targets), "int32"), [rows]), width);
    const share = column(tf.mul(lossGradient, counted(targets)));
    return tf.reshape(tf.mul(tf.sub(weights, tf.cast(own, "float32")), share), logits.shape);
  });
}

/** Blocks of a weight's rows. */
function blocksOf(weight: tf.Tensor): readonly (readonly [number, number])[] {
  const [count] = weight.shape as [number];
  return Array.from({ length: Math.ceil(count / words) }, (_, n) => [
    n * words,
    Math.min(words, count - n * words),
  ]);
}
const rowsOf = (weight: tf.Tensor, [first, count]: readonly [number, number]): tf.Tensor =>
  tf.slice(weight, [first, 0], [count, weight.shape[1]!]);

/** Cross-entropy of x [.., i] · weight [v, i] and the log-sum-exp of each row. */
export function headLoss(x: tf.Tensor, weight: tf.Tensor, targets: tf.Tensor): [tf.Tensor, tf.Tensor] {
  return tf.tidy(() => {
    const width = x.shape.at(-1)!;
    const rows = x.size / width;
    const flat = tf.reshape(x, [rows, width]);
    let state: Running | null = null;
    for (const block of blocksOf(weight))
      state = step(state, () => {
        const logits = matMul(flat, rowsOf(weight, block), false, true);
        return online(state, tf.reshape(logits, [1, 1, rows, block[1]]), null);
      });
    const lse = tf.reshape(logOf(state!), targets.shape);
    const own = tf.gather(weight, tf.reshape(inside(targets), [rows]));
    const target = tf.reshape(tf.sum(tf.mul(flat, own), 1), targets.shape);
    return [tf.mul(tf.sub(lse, target), counted(targets)), lse];
  });
}

/** Gradients of x and of the weight for a gradient of each row's loss. */
export function headLossGradient(
  x: tf.Tensor,
  weight: tf.Tensor,
  targets: tf.Tensor,
  logSumExp: tf.Tensor,
  lossGradient: tf.Tensor,
): [tf.Tensor, tf.Tensor] {
  return tf.tidy(() => {
    const width = x.shape.at(-1)!;
    const rows = x.size / width;
    const flat = tf.reshape(x, [rows, width]);
    const share = tf.reshape(tf.mul(lossGradient, counted(targets)), [rows, 1]);
    const base = tf.reshape(logSumExp, [rows, 1]);
    const index = tf.reshape(inside(targets), [rows]);
    let dx: tf.Tensor = tf.neg(tf.mul(tf.gather(weight, index), share));
    const parts: tf.Tensor[] = [];
    for (const block of blocksOf(weight)) {
      const before = dx;
      const [next, part] = tf.tidy(() => {
        const own = rowsOf(weight, block);
        const weights = tf.mul(tf.exp(tf.sub(matMul(flat, own, false, true), base)), share);
        return [tf.add(before, matMul(weights, own)), matMul(weights, flat, true, false)] as [
          tf.Tensor,
          tf.Tensor,
        ];
      });
      before.dispose();
      dx = next;
      parts.push(part);
    }
    const all = parts.length === 1 ? parts[0]! : tf.concat(parts, 0);
    const taken = scatterRows(tf.mul(flat, share), index, weight.shape[0]!);
    return [tf.reshape(dx, x.shape), tf.sub(all, taken)];
  });
}
