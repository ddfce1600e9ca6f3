/** Tile sizes of the forward kernel and where its tiles lie in shared memory. */
import type { Fragment } from "../../../ir/kernel.ts";
import type { CudaPairs } from "../attention/pairs.ts";
import type { Levels } from "./levels-shape.ts";
import type { Sm90Element } from "./ptx.ts";

/** What a kernel is generated for. */
export interface HeadShape {
  readonly heads: number;
  /** Key-value heads. */
  readonly groups: number;
  /** Elements of a query or key. */
  readonly d: number;
  /** Elements of a value. */
  readonly e: number;
}

/** Columns of a tile in memory: rows are cut into pieces of 64 elements, 128 bytes. */
export const chunks = (columns: number): number => Math.ceil(columns / 64);

export interface ForwardTile {
  /** Queries of a block; each warpgroup takes 64. */
  readonly rows: number;
  /** Keys of a block. */
  readonly keys: number;
  readonly stages: number;
  /** Registers a thread: of the loading warpgroup and of the computing ones. */
  readonly registers: readonly [number, number];
  /** Warpgroups take turns at the tensor cores. */
  readonly turns: boolean;
}

/** Largest size of queries, keys and values that the kernel takes; with several regions, queries of two must fit. */
export const forwardLimit = 256;
export const forwardRegionsLimit = 128;
/** Most regions: each brings two maps. */
export const mostRegions = 4;

/** Tiles by head size; `masked`: blocks of keys are skipped, so small blocks save work; `crowded`: masks or scores need registers. */
export function forwardTile({ d, e }: HeadShape, masked: boolean, crowded: boolean): ForwardTile {
  const size = Math.max(d, e);
  const three = { rows: 192, stages: 2, registers: [32, 160], turns: true } as const;
  const two = { rows: 128, stages: 2, registers: [40, 232], turns: true } as const;
  if (size <= 64 && !crowded) return { ...three, keys: 128 };
  if (size <= 96) return { ...two, keys: 128 };
  if (size <= 128) return { ...two, keys: masked ? 128 : 176 };
  if (size <= 192) return { ...two, keys: 96, turns: false };
  return { ...two, keys: 80, turns: false };
}

/** Shared memory of one block on this processor. */
export const mostShared = 227 * 1024;

export interface ForwardLayout {
  readonly threads: number;
  readonly query: number;
  readonly key: number;
  readonly value: number;
  readonly barriers: number;
  readonly notes: number;
  /**
   * Blocks of queries that fit: with two, the next one is loaded while one is worked on. With several regions each
   * region's queries are a block of their own, and three are wanted: two of this tile and the next tile's first.
   */
  readonly queryStages: number;
  readonly queryBytes: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly sharedBytes: number;
}

/** Byte offsets from a base that is a multiple of 1024. */
export function forwardLayout(shape: HeadShape, tile: ForwardTile, regions = 1): ForwardLayout {
  const queryBytes = chunks(shape.d) * tile.rows * 128;
  const keyBytes = chunks(shape.d) * tile.keys * 128;
  const valueBytes = chunks(shape.e) * tile.keys * 128;
  const streams = tile.stages * (keyBytes + valueBytes);
  // Barriers: two a block of queries, four a stage. Notes of the loading warp: tile and block numbers.
  const rest = (queryStages: number): number =>
    8 * (2 * queryStages + 4 * tile.stages) + 8 * queryStages + 4 * tile.stages;
  const bytes = (queryStages: number): number =>
    queryStages * queryBytes + streams + rest(queryStages) + 1024;
  const wanted = regions > 1 ? 3 : 2;
  const queryStages = bytes(wanted) <= mostShared ? wanted : wanted - 1;
  const key = queryStages * queryBytes;
  const value = key + tile.stages * keyBytes;
  const barriers = key + streams;
  const notes = barriers + 8 * (2 * queryStages + 4 * tile.stages);
  const sharedBytes = bytes(queryStages);
  return {
    threads: 128 + 2 * tile.rows,
    query: 0,
    key,
    value,
    barriers,
    notes,
    queryStages,
    queryBytes,
    keyBytes,
    valueBytes,
    sharedBytes,
  };
}

/** What a forward kernel is generated for. */
export interface ForwardOptions {
  readonly entry: Fragment;
  readonly shape: HeadShape;
  readonly regions: number;
  readonly tile: ForwardTile;
  readonly element: Sm90Element;
  /** Factor on dot products. */
  readonly scale: number;
  readonly pairs: CudaPairs;
  /** The mask reads tables: it is then found in a loop of its own, away from accumulators. */
  readonly looksUp: boolean;
  /** The score is the logit plus a(h) + b(h) · (k − q). */
  readonly steady: boolean;
  /** A softmax of two levels, with the text of its cases; null: one softmax over the row. */
  readonly levels: (Levels & { readonly cases: Fragment }) | null;
}
