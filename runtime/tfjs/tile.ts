/** A tile of pairs: queries of one block, keys of another, all rows and heads; which are seen, and values of each. */
import * as tf from "@tensorflow/tfjs-core";
import type { Corners, Pairs, Place } from "./place.ts";

/** First and last position of a block of queries and of keys, both included; queries count from the row's first token. */
export interface Block {
  readonly q0: number;
  readonly q1: number;
  readonly k0: number;
  readonly k1: number;
}

/** Extents of tensors over pairs: [batch, heads, queries, keys], with 1 where nothing differs. */
type PairShape = [number, number, number, number];

export interface HostValues<T> {
  readonly shape: PairShape;
  readonly values: T;
}

/** Whether a truth of corners holds for some row and head, or for all of them. */
export function holds(of: Corners, block: Block, heads: number, at: Place, some: boolean): boolean {
  const rows = of.reads.includes("b") ? at.batch : 1;
  const own = of.reads.includes("h") ? heads : 1;
  for (let b = 0; b < rows; b++) {
    at.row = b;
    for (let h = 0; h < own; h++)
      if (of.of(block.q0, block.q1, block.k0, block.k1, h, at) === some) return some;
  }
  return !some;
}

export class Tile {
  readonly block: Block;
  readonly heads: number;
  readonly at: Place;
  /** Which pairs are seen; null when all are. */
  mask: HostValues<Uint8Array> | null = null;
  /** Pairs that some row and head sees; null when all are. */
  #visible: Uint8Array | null = null;

  constructor(block: Block, heads: number, at: Place) {
    this.block = block;
    this.heads = heads;
    this.at = at;
  }

  get rows(): number {
    return this.block.q1 - this.block.q0 + 1;
  }

  get keys(): number {
    return this.block.k1 - this.block.k0 + 1;
  }

  get shape(): PairShape {
    return [this.at.batch, this.heads, this.rows, this.keys];
  }

  #shapeOf(of: Pairs): PairShape {
    const has = (name: string, extent: number): number => (of.reads.includes(name) ? extent : 1);
    return [has("b", this.at.batch), has("h", this.heads), has("q", this.rows), has("k", this.keys)];
  }

  /** Writes the value of every pair that it differs by; `hidden` where no row and head sees the pair. */
  fill<T extends Float32Array | Int32Array | Uint8Array>(
    of: Pairs,
    make: (count: number) => T,
    hidden: boolean,
  ): HostValues<T> {
    const shape = this.#shapeOf(of);
    const values = make(shape[0] * shape[1] * shape[2] * shape[3]);
    const visible = hidden && shape[2] === this.rows && shape[3] === this.keys ? this.#visible : null;
    const { at } = this;
    const { q0, k0 } = this.block;
    let n = 0;
    for (let b = 0; b < shape[0]; b++) {
      at.row = b;
      for (let h = 0; h < shape[1]; h++)
        for (let q = 0; q < shape[2]; q++)
          for (let k = 0; k < shape[3]; k++, n++)
            if (visible === null || visible[q * shape[3] + k] !== 0)
              values[n] = of.of(q0 + q, k0 + k, h, at) as number;
    }
    return { shape, values };
  }

  /** Finds out which pairs are seen. False when none is. */
  see(mask: Pairs): boolean {
    const found = this.fill(mask, (count) => new Uint8Array(count), false);
    if (found.values.every((seen) => seen !== 0)) return true;
    if (!found.values.includes(1)) return false;
    this.mask = found;
    const { shape, values } = found;
    const visible = new Uint8Array(this.rows * this.keys);
    for (let outer = 0; outer < shape[0] * shape[1]; outer++)
      for (let q = 0; q < this.rows; q++)
        for (let k = 0; k < this.keys; k++) {
          const at = (outer * shape[2] + (shape[2] === 1 ? 0 : q)) * shape[3] + (shape[3] === 1 ? 0 : k);
          if (values[at] !== 0) visible[q * this.keys + k] = 1;
        }
    this.#visible = visible;
    return true;
  }

  /** 0 where a pair is seen, −∞ where it is not. */
  bias(): tf.Tensor {
    const { shape, values } = this.mask!;
    const bias = new Float32Array(values.length);
    for (let n = 0; n < bias.length; n++) if (values[n] === 0) bias[n] = -Infinity;
    return tf.tensor(bias, shape);
  }

  seen(): tf.Tensor {
    const { shape, values } = this.mask!;
    return tf.tensor(values, shape, "bool");
  }

  /** A number of each pair, from the host. */
  number(of: Pairs): tf.Tensor {
    const { shape, values } = this.fill(of, (count) => new Float32Array(count), true);
    return tf.tensor(values, shape);
  }

  /** A truth of each pair, from the host. */
  test(of: Pairs): tf.Tensor {
    const { shape, values } = this.fill(of, (count) => new Uint8Array(count), true);
    return tf.tensor(values, shape, "bool");
  }

  /** The elements of a table that pairs read; the tile's owner gives it what it has. */
  load: (table: number, index: Pairs) => tf.Tensor = () => {
    throw new Error("this tile has no tables");
  };
}

/**
 * For each of some truths, the pairs where it is the first to hold: "all" of the tile, null for none, or 0 and 1. `among`:
 * the pairs that count; null for all.
 */
export function firstThat(
  tile: Tile,
  truths: readonly Pairs[],
  among: HostValues<Uint8Array> | null,
): readonly (HostValues<Float32Array> | "all" | null)[] {
  const own = truths.map((of) => tile.fill(of, (count) => new Uint8Array(count), false));
  const all = among === null ? own : [...own, among];
  const shape = [0, 1, 2, 3].map((axis) =>
    Math.max(1, ...all.map((values) => values.shape[axis]!)),
  ) as PairShape;
  const count = shape.reduce((a, b) => a * b, 1);
  const places = all.map((values) => placesIn(shape, values.shape));
  const left = new Uint8Array(count).fill(1);
  if (among !== null) for (let n = 0; n < count; n++) left[n] = among.values[places.at(-1)!(n)]!;
  return own.map(({ values }, which) => {
    const found = new Float32Array(count);
    let held = 0;
    for (let n = 0; n < count; n++) {
      if (left[n] === 0 || values[places[which]!(n)] === 0) continue;
      found[n] = 1;
      left[n] = 0;
      held++;
    }
    return held === 0 ? null : held === count ? "all" : { shape, values: found };
  });
}

/** Where each element of a shape lies in one with extents of 1. */
function placesIn(shape: PairShape, own: PairShape): (n: number) => number {
  if (own.every((extent, axis) => extent === shape[axis])) return (n) => n;
  const [, H, Q, K] = shape;
  const [b1, h1, q1, k1] = own.map((extent) => extent === 1);
  const [, h, q, k] = own;
  return (n) => {
    const [at3, rest] = [n % K, Math.floor(n / K)];
    const [at2, outer] = [rest % Q, Math.floor(rest / Q)];
    const [at1, at0] = [outer % H, Math.floor(outer / H)];
    return (((b1 ? 0 : at0) * h + (h1 ? 0 : at1)) * q + (q1 ? 0 : at2)) * k + (k1 ? 0 : at3);
  };
}
