/** A sum of tensors that outlives the tidy scopes its terms are made in. */
import * as tf from "@tensorflow/tfjs-core";

export class Sum {
  #total: tf.Tensor | null = null;

  add(term: tf.Tensor): void {
    const before = this.#total;
    this.#total = tf.keep(before === null ? tf.clone(term) : tf.add(before, term));
    before?.dispose();
  }

  /** The sum, now the surrounding scope's; zeros of the shape when nothing was added. */
  take(shape: readonly number[]): tf.Tensor {
    const total = this.#total;
    this.#total = null;
    if (total === null) return tf.zeros([...shape]);
    const taken = tf.clone(total);
    total.dispose();
    return taken;
  }
}
