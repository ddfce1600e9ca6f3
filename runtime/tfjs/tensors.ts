/** Operations that TensorFlow.js lacks, has only on some backends, or is slow at: composed from those that all have. */
import * as tf from "@tensorflow/tfjs-core";
import { philoxInto } from "../random/philox.ts";
import type { Run } from "./run.ts";

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const isWasm = (): boolean => tf.getBackend() === "wasm";

function turned(x: tf.Tensor): tf.Tensor {
  const order = x.shape.map((_, n) => n);
  const last = order.length - 1;
  [order[last], order[last - 1]] = [last - 1, last];
  return tf.transpose(x, order);
}

/** The matrices of a tensor [count, rows, columns], each by itself. */
function matricesOf(x: tf.Tensor): tf.Tensor[] {
  const [count, rows, columns] = x.shape as [number, number, number];
  if (count === 1) return [tf.reshape(x, [rows, columns])];
  // A slice would copy the whole tensor for each of them.
  const values = x.dataSync();
  const size = rows * columns;
  return Array.from({ length: count }, (_, n) =>
    tf.tensor(values.subarray(n * size, (n + 1) * size), [rows, columns]),
  );
}

/**
 * Matrix product of [rows, inner] · [inner, columns], or of as many as a first axis has; turned operands are given with
 * their last two axes exchanged. WebAssembly has a fast product only for two plain matrices, so there it is taken one by one.
 */
export function matMul(a: tf.Tensor, b: tf.Tensor, turnA = false, turnB = false): tf.Tensor {
  if (!isWasm()) return tf.matMul(a, b, turnA, turnB);
  return tf.tidy(() => {
    const left = turnA ? turned(a) : a;
    const right = turnB ? turned(b) : b;
    if (left.rank === 2) return tf.matMul(left, right);
    const [count, rows] = left.shape as [number, number];
    const columns = right.shape[2]!;
    const others = matricesOf(right);
    const parts = matricesOf(left).map((one, n) => tf.matMul(one, others[n]!));
    return tf.reshape(parts.length === 1 ? parts[0]! : tf.concat(parts, 0), [count, rows, columns]);
  });
}

/** A tensor repeated along the axes where its extent is 1 or which it lacks. */
export function spread(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  return tf.tidy(() => tf.add(x, tf.zeros([...shape], x.dtype === "int32" ? "int32" : "float32")));
}

/** What the host says at each place of a shape. */
export function grid(
  shape: readonly number[],
  of: (...place: number[]) => number | boolean,
  dtype: "float32" | "int32" | "bool" = "float32",
): tf.Tensor {
  const count = product(shape);
  const values =
    dtype === "float32"
      ? new Float32Array(count)
      : dtype === "int32"
        ? new Int32Array(count)
        : new Uint8Array(count);
  const place = shape.map(() => 0);
  for (let n = 0; n < count; n++) {
    values[n] = Number(of(...place));
    for (let d = shape.length - 1; d >= 0 && ++place[d]! === shape[d]; d--) place[d] = 0;
  }
  return tf.tensor(values, [...shape], dtype);
}

type Number = tf.Tensor | number;

/** `when ? a : b` element by element; all three broadcast. */
export function choose(when: tf.Tensor | boolean, a: Number, b: Number): tf.Tensor {
  const whole = (x: Number): tf.Tensor => (typeof x === "number" ? tf.scalar(x) : x);
  if (typeof when === "boolean") return tf.clone(whole(when ? a : b));
  return tf.tidy(() => {
    const [then, otherwise] = [whole(a), whole(b)];
    const shape = [when, then, otherwise]
      .map((x) => x.shape)
      .reduce(tf.broadcast_util.assertAndGetBroadcastShape);
    const full = (x: tf.Tensor): tf.Tensor => {
      if (x.shape.join() === shape.join()) return x;
      if (x.dtype !== "bool") return spread(x, shape);
      // WebAssembly repeats numbers quickly in a sum, and truths slowly in anything.
      const zeros = tf.zeros(shape);
      return tf.notEqual(tf.add(tf.cast(x, "float32"), zeros), zeros);
    };
    return tf.where(full(when), full(then), full(otherwise));
  });
}

/** share · slope, and 0 where the share is 0, whatever the slope is there. */
export const scaled = (share: tf.Tensor, slope: tf.Tensor): tf.Tensor =>
  tf.tidy(() => choose(tf.equal(share, tf.zerosLike(share)), tf.scalar(0), tf.mul(share, slope)));

/** ⌊a / b⌋ of whole numbers; 0 for b = 0. Exact, also where a backend divides in single precision. */
export function floorDivTensor(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const [zero, one] = [tf.scalar(0, "int32"), tf.scalar(1, "int32")];
    const none = tf.equal(b, zero);
    const by = choose(none, one, b);
    let quotient = tf.floorDiv(a, by);
    // The rest says by how much a rounded quotient is off; a second round finds what the first one's rounding left.
    for (let round = 0; round < 2; round++) {
      const rest = tf.sub(a, tf.mul(quotient, by));
      quotient = tf.add(quotient, tf.floorDiv(rest, by));
    }
    return choose(none, zero, quotient);
  });
}

/** a − b ⌊a / b⌋ of whole numbers; 0 for b = 0. */
export const floorModTensor = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
  tf.tidy(() => {
    const rest = tf.sub(a, tf.mul(floorDivTensor(a, b), b));
    return choose(tf.equal(b, tf.scalar(0, "int32")), tf.scalar(0, "int32"), rest);
  });

/** Rows [n, width] added up by the number of the row they go to: [rows, width]. */
export function scatterRows(values: tf.Tensor, index: tf.Tensor, rows: number): tf.Tensor {
  return tf.tidy(() => {
    const [count, width] = values.shape as [number, number];
    return tf.scatterND(tf.reshape(index, [count, 1]) as tf.Tensor<tf.Rank>, values, [rows, width]);
  });
}

/** The uniform numbers of a stream, one for each element: the same as on every other target. */
export function uniform(run: Run, stream: number, shape: readonly number[]): tf.Tensor {
  const count = product(shape);
  const values = new Float32Array(count);
  const word = new Uint32Array(4);
  const key = [run.seed, stream] as const;
  for (let n = 0; n < count; n++) {
    philoxInto(word, 0, key, [n, 0, run.step, 0]);
    values[n] = (word[0]! >>> 8) * 2 ** -24;
  }
  return tf.tensor(values, [...shape]);
}
