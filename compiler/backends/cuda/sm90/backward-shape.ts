/** Tile sizes of the backward kernel and where its tiles lie in shared memory. */
import type { Fragment } from "../../../ir/kernel.ts";
import type { CudaPairs } from "../attention/pairs.ts";
import type { Sm90Element } from "./ptx.ts";
import { chunks, type ForwardOptions, type HeadShape } from "./forward-shape.ts";
import { levelsBytes } from "./levels-shape.ts";

export interface BackwardTile {
  /** Keys of a block: 64 for each of two warpgroups. */
  readonly keys: number;
  /** Queries of a step. */
  readonly rows: number;
  readonly stages: number;
  readonly registers: readonly [number, number];
  /** A softmax of two levels: warps tell one another what they know of blocks of keys. */
  readonly levels: boolean;
}

/** Largest size of queries, keys and values that the kernel takes. */
export const backwardLimit = 128;

export function backwardTile({ d, e }: HeadShape, levels = false): BackwardTile {
  const small = Math.max(d, e) <= 64 && !levels;
  // With fewer than 240 registers the products of the larger tiles would wait for one another.
  return { keys: 128, rows: small ? 128 : 64, stages: 2, registers: small ? [40, 232] : [24, 240], levels };
}

export interface BackwardLayout {
  readonly threads: number;
  /** Pieces of 64 columns of the key tile: two when the warpgroups share the columns of query gradients. */
  readonly keyChunks: number;
  readonly key: number;
  readonly value: number;
  readonly query: number;
  readonly out: number;
  readonly slope: number;
  readonly gradient: number;
  readonly rows: number;
  /** Numbers of blocks, of each warpgroup. */
  readonly levels: number;
  readonly barriers: number;
  /** Barriers of keys, one a region; an even number. */
  readonly keyBarriers: number;
  readonly notes: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly queryBytes: number;
  readonly outBytes: number;
  readonly slopeBytes: number;
  /** Bytes of one warpgroup's share of query gradients, and its numbers a thread. */
  readonly gradientBytes: number;
  readonly gradientCount: number;
  readonly sharedBytes: number;
}

/** Byte offsets from a base that is a multiple of 1024. The keys of all regions lie side by side. */
export function backwardLayout({ d, e }: HeadShape, tile: BackwardTile, regions = 1): BackwardLayout {
  const keyChunks = tile.rows === 64 ? 2 : 1;
  const keyBytes = keyChunks * tile.keys * 128;
  const valueBytes = chunks(e) * tile.keys * 128;
  const queryBytes = chunks(d) * tile.rows * 128;
  const outBytes = chunks(e) * tile.rows * 128;
  const slopeBytes = tile.rows * tile.keys * 2;
  const gradientCount = tile.rows === 64 ? 32 : d / 2;
  const gradientBytes = gradientCount * 128 * 4;
  const value = regions * keyBytes;
  const query = value + valueBytes;
  const out = query + tile.stages * queryBytes;
  const slope = out + tile.stages * outBytes;
  const gradient = slope + 2 * slopeBytes;
  const rows = gradient + 2 * gradientBytes;
  const levels = rows + tile.stages * 2 * tile.rows * 4;
  const barriers = levels + (tile.levels ? 2 * levelsBytes : 0);
  // Keys and values; four a stage; three for each share of query gradients. Then notes: steps, shares, work.
  const keyBarriers = 2 * Math.ceil(regions / 2);
  const notes = barriers + 8 * (keyBarriers + 4 * tile.stages + 6);
  const sharedBytes = notes + 16 * (tile.stages + 4 + 1) + 1024;
  return {
    threads: 384,
    keyChunks,
    key: 0,
    value,
    query,
    out,
    slope,
    gradient,
    rows,
    levels,
    barriers,
    keyBarriers,
    notes,
    keyBytes,
    valueBytes,
    queryBytes,
    outBytes,
    slopeBytes,
    gradientBytes,
    gradientCount,
    sharedBytes,
  };
}

/** What a backward kernel is generated for. */
export interface BackwardOptions {
  readonly entry: Fragment;
  readonly shape: HeadShape;
  readonly regions: number;
  readonly tile: BackwardTile;
  readonly element: Sm90Element;
  readonly scale: number;
  readonly pairs: CudaPairs;
  /** The mask reads tables: it is then found in a loop of its own, away from accumulators. */
  readonly looksUp: boolean;
  /**
   * Blocks of keys add to a query's gradient one after another, first keys first, and so give the same bits at each
   * run. They are started in that order too, so none waits for one not started; under a causal mask that is also the
   * longest work first.
   */
  readonly ordered: boolean;
  /** Many blocks inside the ranges are empty: they are asked about, and have no turn. */
  readonly sparse: boolean;
  /** Tables get gradients. */
  readonly trains: boolean;
  /** A softmax of two levels, with the text of its cases; null: one softmax over the row. */
  readonly levels: ForwardOptions["levels"];
}
