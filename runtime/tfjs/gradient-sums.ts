/** Where the gradients of an attention are added up, tile by tile. */
import * as tf from "@tensorflow/tfjs-core";
import type { Attention, AttentionTensors, LoadSlope, OfLogits, Slopes } from "./attention-types.ts";
import { byToken } from "./online.ts";
import type { Logits, PairWalk, Range } from "./pair-walk.ts";
import { Sum } from "./sum.ts";
import { scaled } from "./tensors.ts";
import type { Tile } from "./tile.ts";

/** A block of rows: its gradient, log-sum-exp (finite), and Σ weight · gradient, as [b, h, rows, …]. */
export interface GradientRows {
  readonly range: Range;
  readonly upstream: tf.Tensor;
  readonly base: tf.Tensor;
  readonly delta: tf.Tensor;
}

/** Where the gradient of a whole attention is added up. */
export class GradientSums {
  readonly walk: PairWalk;
  readonly of: Attention;
  readonly slopes: Slopes;
  readonly value: tf.Tensor;
  /** For each region, one sum for each block of keys. */
  readonly #keys: readonly (readonly Sum[])[];
  readonly #values: readonly Sum[];
  readonly #tables: readonly Sum[];
  /** For each region, of the block of rows at hand. */
  readonly queries: readonly Sum[];

  constructor(of: Attention, slopes: Slopes, walk: PairWalk, value: tf.Tensor) {
    this.of = of;
    this.slopes = slopes;
    this.walk = walk;
    this.value = value;
    this.#keys = of.regions.map(() => walk.keyBlocks.map(() => new Sum()));
    this.#values = walk.keyBlocks.map(() => new Sum());
    this.#tables = slopes.tables.map(() => new Sum());
    this.queries = of.regions.map(() => new Sum());
  }

  /** Adds a tile's share: of its values by weight, of its queries and keys by the gradient of its logits. */
  add(
    tile: Tile,
    rows: GradientRows,
    block: number,
    weights: tf.Tensor,
    logits: tf.Tensor,
    regions: Logits["regions"],
  ): void {
    const { walk } = this;
    const keys = walk.keyBlocks[block]!;
    this.#values[block]!.add(walk.gathered(weights, rows.upstream));
    walk.pull(tile, rows.range, keys, logits, regions, this.queries, (region, gradient) =>
      this.#keys[region]![block]!.add(gradient),
    );
  }

  /** Adds to tables what the values of one part of the attention are worth. */
  addTables(tile: Tile, part: LoadSlope["part"], share: tf.Tensor, logits: tf.Tensor): void {
    this.slopes.tables.forEach(({ table, loads }, n) => {
      for (const load of loads) {
        if (load.part !== part) continue;
        const own = load.slope === null ? share : scaled(share, load.slope(logits, tile));
        this.#tables[n]!.add(this.walk.tableGradient(tile, table, load.index, own));
      }
    });
  }

  readsTables(part: LoadSlope["part"]): boolean {
    return this.slopes.tables.some(({ loads }) => loads.some((load) => load.part === part));
  }

  /** Gradients of keys [b, t', g, d] of a region and of values. */
  taken(region: number | "value", like: tf.Tensor): tf.Tensor {
    const sums = region === "value" ? this.#values : this.#keys[region]!;
    const [batch, , groups, width] = like.shape as [number, number, number, number];
    const blocks = sums.map((sum, n) => {
      const { first, last } = this.walk.keyBlocks[n]!;
      return sum.take([batch, groups, last - first + 1, width]);
    });
    return byToken(blocks);
  }

  takenTables(given: AttentionTensors): tf.Tensor[] {
    return this.slopes.tables.map(({ table }, n) => {
      const like = given.tables[table]!;
      return tf.reshape(this.#tables[n]!.take([like.size]), like.shape);
    });
  }
}

/** share · slope; the share itself where the slope is 1. */
export const through = (
  share: tf.Tensor,
  slope: OfLogits | null,
  logits: tf.Tensor,
  tile: Tile,
): tf.Tensor => (slope === null ? share : scaled(share, slope(logits, tile)));
