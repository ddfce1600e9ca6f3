/** Folds over blocks of an axis, and a block's value repeated over its positions. */
import * as tf from "@tensorflow/tfjs-core";

type Fold = "sum" | "max" | "min" | "mean";

/** Elements first … of an axis, as [outer, count, inner]. */
const range = (x: tf.Tensor, first: number, count: number): tf.Tensor =>
  tf.slice(x, [0, first, 0], [x.shape[0]!, count, x.shape[2]!]);

const flat = (x: tf.Tensor, axis: number): tf.Tensor => {
  const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  return tf.reshape(x, [size(x.shape.slice(0, axis)), x.shape[axis]!, size(x.shape.slice(axis + 1))]);
};

/** Folds blocks of `block` elements; the last may be shorter, and a mean is over the elements that exist. */
export function blockReduce(x: tf.Tensor, op: Fold, axis: number, block: number): tf.Tensor {
  return tf.tidy(() => {
    const given = flat(x, axis);
    const [outer, count, inner] = given.shape as [number, number, number];
    const whole = Math.floor(count / block);
    const parts: tf.Tensor[] = [];
    if (whole > 0)
      parts.push(tf[op](tf.reshape(range(given, 0, whole * block), [outer, whole, block, inner]), 2));
    if (whole * block < count)
      parts.push(tf[op](range(given, whole * block, count - whole * block), 1, true));
    const shape = x.shape.map((extent, n) => (n === axis ? Math.ceil(count / block) : extent));
    return tf.reshape(parts.length === 1 ? parts[0]! : tf.concat(parts, 1), shape);
  });
}

/** Repeats each block's value over its positions, of which there are `count`. */
export function blockSpread(x: tf.Tensor, axis: number, block: number, count: number): tf.Tensor {
  return tf.tidy(() => {
    const given = flat(x, axis);
    const index = tf.tensor1d(
      Int32Array.from({ length: count }, (_, n) => Math.floor(n / block)),
      "int32",
    );
    const shape = x.shape.map((extent, n) => (n === axis ? count : extent));
    return tf.reshape(tf.gather(given, index, 1), shape);
  });
}
