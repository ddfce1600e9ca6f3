/** The walk over tiles that attention, its gradient and folds over pairs share: blocks of rows and keys, logits and back. */
import * as tf from "@tensorflow/tfjs-core";
import type { PairCore, PairTensors } from "./attention-types.ts";
import { Place, type Corners, type Pairs } from "./place.ts";
import type { Run } from "./run.ts";
import { Sum } from "./sum.ts";
import { matMul, scatterRows, spread } from "./tensors.ts";
import { firstThat, holds, Tile, type HostValues } from "./tile.ts";
import { turnedBlocks, turnedQuery } from "./turn.ts";

/** Queries and keys of a tile, at most. Tests make them small. */
export const tileSizes = { rows: 128, keys: 128 };

/** First and last position, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

const ranges = (count: number, size: number): Range[] =>
  Array.from({ length: Math.ceil(count / size) }, (_, n) => ({
    first: n * size,
    last: Math.min(count, (n + 1) * size) - 1,
  }));

/** [b, t, h, d] as [b, h, t, d]. */
export const byHead = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 2, 1, 3]);

/** A part of a tensor along its third axis. */
export function part(x: tf.Tensor, { first, last }: Range): tf.Tensor {
  if (first === 0 && last === x.shape[2]! - 1) return tf.clone(x);
  const [a, b, , d] = x.shape as [number, number, number, number];
  return tf.slice(x, [0, 0, first, 0], [a, b, last - first + 1, d]);
}

/** A tile's logits, and for each region the pairs that took theirs from it: null for all. */
export interface Logits {
  readonly values: tf.Tensor;
  readonly regions: readonly { readonly region: number; readonly share: tf.Tensor | null }[];
}

export class PairWalk {
  readonly at: Place;
  readonly heads: number;
  readonly groups: number;
  readonly rowBlocks: readonly Range[];
  readonly keyBlocks: readonly Range[];
  readonly start: number;
  readonly #core: PairCore;
  readonly #given: PairTensors;
  /** Queries times the factor on logits, and keys, by head. */
  readonly queries: readonly tf.Tensor[];
  readonly keys: readonly tf.Tensor[];
  readonly #batch: number;

  /** `multiple`: keys of a tile are a multiple of it, so that no block of keys lies in two tiles. */
  constructor(core: PairCore, run: Run, given: PairTensors, multiple = 1) {
    const [batch, rows, heads] = given.queries[0]!.shape as [number, number, number, number];
    const [, keys, groups] = given.keys[0]!.shape as [number, number, number, number];
    this.#core = core;
    this.#given = given;
    this.#batch = batch;
    this.heads = heads;
    this.groups = groups;
    this.start = given.tokens ? run.queryStart : 0;
    this.at = new Place(run, given.tables, given.batchedTables, { start: this.start, count: rows });
    this.rowBlocks = ranges(rows, tileSizes.rows);
    const by = core.regions.reduce((most, { turn }) => lcm(most, turn?.by ?? 1), multiple);
    this.keyBlocks = ranges(keys, Math.ceil(tileSizes.keys / by) * by);
    this.queries = given.queries.map((query) => tf.mul(byHead(query), core.scale));
    this.keys = given.keys.map(byHead);
  }

  /** The tile of two blocks. */
  tile(rows: Range, keys: Range): Tile {
    const block = {
      q0: this.start + rows.first,
      q1: this.start + rows.last,
      k0: keys.first,
      k1: keys.last,
    };
    const tile = new Tile(block, this.heads, this.at);
    tile.load = (table, index) => this.#load(tile, table, index);
    return tile;
  }

  /** Whether a truth may hold in a tile. */
  may(of: Corners, tile: Tile): boolean {
    return holds(of, tile.block, this.heads, this.at, true);
  }

  /** The tile with what of it is seen; null when nothing is. */
  seenTile(rows: Range, keys: Range): Tile | null {
    const tile = this.tile(rows, keys);
    if (!this.may(this.#core.any, tile)) return null;
    if (holds(this.#core.all, tile.block, this.heads, this.at, false)) return tile;
    return tile.see(this.#core.mask) ? tile : null;
  }

  /** [b, h, rows, d] beside [b, g, keys, d]: the heads of a group lie after one another, so no key is repeated. */
  #grouped(x: tf.Tensor): tf.Tensor {
    const [, heads, rows, d] = x.shape as [number, number, number, number];
    return tf.reshape(x, [this.#batch * this.groups, (heads / this.groups) * rows, d]);
  }

  /** left [b, h, rows, d] · right [b, g, keys, d]ᵀ: [b, h, rows, keys]. */
  outer(left: tf.Tensor, right: tf.Tensor): tf.Tensor {
    const found = matMul(this.#grouped(left), this.#grouped(right), false, true);
    return tf.reshape(found, [this.#batch, left.shape[1]!, left.shape[2]!, right.shape[2]!]);
  }

  /** pairs [b, h, rows, keys] · right [b, g, keys, d]: [b, h, rows, d]. */
  weighed(pairs: tf.Tensor, right: tf.Tensor): tf.Tensor {
    const found = matMul(this.#grouped(pairs), this.#grouped(right));
    return tf.reshape(found, [this.#batch, pairs.shape[1]!, pairs.shape[2]!, right.shape[3]!]);
  }

  /** pairsᵀ [b, h, keys, rows] · left [b, h, rows, d], summed over the heads of a group: [b, g, keys, d]. */
  gathered(pairs: tf.Tensor, left: tf.Tensor): tf.Tensor {
    const found = matMul(this.#grouped(pairs), this.#grouped(left), true, false);
    return tf.reshape(found, [this.#batch, this.groups, pairs.shape[3]!, left.shape[3]!]);
  }

  /** Which regions a tile's pairs take their logits from. */
  #regionsOf(
    tile: Tile,
  ): readonly { readonly region: number; readonly share: HostValues<Float32Array> | null }[] {
    const { regions } = this.#core;
    if (regions.length === 1) return [{ region: 0, share: null }];
    const possible: number[] = [];
    for (const [n, region] of regions.entries()) {
      if (!holds(region.any, tile.block, this.heads, this.at, true)) continue;
      possible.push(n);
      if (holds(region.all, tile.block, this.heads, this.at, false)) break;
    }
    if (possible.length === 1) return [{ region: possible[0]!, share: null }];
    const chosen = firstThat(
      tile,
      possible.map((n) => regions[n]!.when),
      null,
    );
    return chosen.flatMap((share, n) => {
      if (share === null) return [];
      return [{ region: possible[n]!, share: share === "all" ? null : share }];
    });
  }

  /** The logits of a tile. */
  logits(tile: Tile, rows: Range, keys: Range): Logits {
    const regions = this.#regionsOf(tile).map(({ region, share }) => ({
      region,
      share: share === null ? null : tf.tensor(share.values, share.shape),
    }));
    const own = regions.map(({ region, share }) => {
      const [query, key] = [part(this.queries[region]!, rows), part(this.keys[region]!, keys)];
      const { turn } = this.#core.regions[region]!;
      const values =
        turn === null
          ? this.outer(query, key)
          : tf.concat(
              turnedBlocks(turn, tile).map((block) =>
                this.outer(turnedQuery(query, turn, block, false), part(key, block.keys)),
              ),
              3,
            );
      return share === null ? values : tf.mul(values, share);
    });
    return { values: own.reduce((a, b) => tf.add(a, b)), regions };
  }

  /** Adds what a gradient of a tile's logits gives to its queries and keys. */
  pull(
    tile: Tile,
    rows: Range,
    keys: Range,
    gradient: tf.Tensor,
    regions: Logits["regions"],
    queries: readonly Sum[],
    addKeys: (region: number, gradient: tf.Tensor) => void,
  ): void {
    for (const { region, share } of regions) {
      const own = share === null ? gradient : tf.mul(gradient, share);
      const [query, key] = [part(this.queries[region]!, rows), part(this.keys[region]!, keys)];
      const { turn } = this.#core.regions[region]!;
      if (turn === null) {
        queries[region]!.add(this.weighed(own, key));
        addKeys(region, this.gathered(own, query));
        continue;
      }
      const byBlock = turnedBlocks(turn, tile).map((block) => {
        const piece = columns(own, block.keys);
        queries[region]!.add(turnedQuery(this.weighed(piece, part(key, block.keys)), turn, block, true));
        return this.gathered(piece, turnedQuery(query, turn, block, false));
      });
      addKeys(region, byBlock.length === 1 ? byBlock[0]! : tf.concat(byBlock, 2));
    }
  }

  /** Elements of a table, one for each pair that the index differs by. */
  #load(tile: Tile, table: number, index: Pairs): tf.Tensor {
    const { indices, shape } = this.#indices(tile, table, index);
    const flat = tf.reshape(this.#given.tables[table]!, [-1]);
    const found = tf.gather(flat, tf.tensor1d(indices, "int32"));
    return tf.cast(tf.reshape(found, shape), "float32");
  }

  /** The numbers of the elements that pairs read; inside the table also where a guard hides what lies outside. */
  #indices(tile: Tile, table: number, index: Pairs) {
    const { shape, values } = tile.fill(index, (count) => new Int32Array(count), true);
    const tensor = this.#given.tables[table]!;
    const batched = this.#given.batchedTables[table] === true;
    const rowSize = tensor.size / (batched ? tensor.shape[0]! : 1);
    const inside = values.map((at) => Math.max(0, Math.min(rowSize - 1, at)));
    if (!batched) return { shape, indices: inside };
    const each = inside.length / shape[0];
    const indices = new Int32Array(each * this.#batch);
    for (let b = 0; b < this.#batch; b++)
      for (let n = 0; n < each; n++)
        indices[b * each + n] = b * rowSize + inside[(shape[0] === 1 ? 0 : b * each) + n]!;
    return { shape: [this.#batch, shape[1], shape[2], shape[3]] as typeof shape, indices };
  }

  /** The gradient of a table's elements [elements, 1], from the gradients of what pairs read of it. */
  tableGradient(tile: Tile, table: number, index: Pairs, gradient: tf.Tensor): tf.Tensor {
    const { shape, indices } = this.#indices(tile, table, index);
    const full = [this.#batch, this.heads, gradient.shape[2]!, gradient.shape[3]!];
    const whole = gradient.shape.join() === full.join() ? gradient : spread(gradient, full);
    const over = shape.flatMap((extent, axis) => (extent === 1 && full[axis] !== 1 ? [axis] : []));
    const summed = over.length === 0 ? whole : tf.sum(whole, over, true);
    const values = tf.reshape(summed, [indices.length, 1]);
    return scatterRows(values, tf.tensor1d(indices, "int32"), this.#given.tables[table]!.size);
  }
}

/** Columns of pairs [b, h, rows, keys]. */
export function columns(pairs: tf.Tensor, { first, last }: Range): tf.Tensor {
  if (first === 0 && last === pairs.shape[3]! - 1) return tf.clone(pairs);
  const [b, h, rows] = pairs.shape as [number, number, number, number];
  return tf.slice(pairs, [0, 0, 0, first], [b, h, rows, last - first + 1]);
}

function lcm(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
