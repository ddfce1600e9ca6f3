/** Selections: how good each candidate is, by blocks of rows on the device; which are taken, on the host. */
import * as tf from "@tensorflow/tfjs-core";
import type { OfLogits } from "./attention-types.ts";
import { byHead, part, PairWalk, tileSizes, type Range } from "./pair-walk.ts";
import { Place, type Pairs } from "./place.ts";
import type { Run } from "./run.ts";
import { spread } from "./tensors.ts";
import { Tile } from "./tile.ts";

export interface Selection {
  /** Factor on the dot product. */
  readonly scale: number;
  /** Which candidates there are, and which of them are taken in any case. */
  readonly where: Pairs;
  readonly always: Pairs;
  /** Null: the logit. */
  readonly body: OfLogits | null;
  readonly choose: "top" | "above";
  /** How many are taken, or what a body must exceed. */
  readonly amount: Pairs;
}

export interface SelectionTensors {
  readonly query: tf.Tensor | null;
  readonly key: tf.Tensor | null;
  readonly tables: readonly tf.Tensor[];
  readonly batchedTables: readonly boolean[];
  readonly tokens: boolean;
  readonly candidates: number;
  /** Null: one row, shared by all. */
  readonly rows: number | null;
  readonly heads: number | null;
}

const wordMembers = 32;

/** Candidates that exist, best first: larger bodies, of equal ones the lower; those that are no number come last. */
function ranked(found: readonly number[], body: (k: number) => number): readonly number[] {
  return [...found].sort((a, b) => {
    const [x, y] = [body(a), body(b)];
    const [lost, gained] = [Number.isNaN(x), Number.isNaN(y)];
    if (lost !== gained) return lost ? 1 : -1;
    return lost || x === y ? a - b : x > y ? -1 : 1;
  });
}

/** A truth of every pair and block. */
const everywhere = { reads: "", of: () => true } as const;

/** A set over the candidates: words of 32 members, [batch, rows, heads, words] without what is shared. */
export function select(of: Selection, run: Run, given: SelectionTensors): tf.Tensor {
  const { candidates } = given;
  const [rows, heads] = [given.rows ?? 1, given.heads ?? 1];
  const start = given.tokens ? run.queryStart : 0;
  const words = Math.ceil(candidates / wordMembers);
  const out = new Int32Array(run.batch * rows * heads * words);
  const at = new Place(run, given.tables, given.batchedTables, { start, count: rows });
  const whole: Range = { first: 0, last: candidates - 1 };
  tf.tidy(() => {
    const core = { scale: of.scale, mask: everywhere, any: everywhere, all: everywhere, regions: [] };
    const pairs =
      given.query === null || given.key === null
        ? null
        : new PairWalk(core, run, {
            queries: [given.query],
            keys: [given.key],
            tables: given.tables,
            batchedTables: given.batchedTables,
            tokens: given.tokens,
          });
    const walk = pairs ?? new PairWalk(core, run, empty(run.batch, rows, heads, given));
    const key = given.key === null ? null : byHead(given.key);
    for (let first = 0; first < rows; first += tileSizes.rows) {
      const range: Range = { first, last: Math.min(rows, first + tileSizes.rows) - 1 };
      const tile = walk.tile(range, whole);
      const known = tile.fill(of.where, (count) => new Uint8Array(count), false);
      tile.mask = known.values.includes(0) ? known : null;
      const bodies = tf.tidy(() => {
        const logits = pairs === null ? tf.scalar(NaN) : pairs.outer(part(pairs.queries[0]!, range), key!);
        return spread(of.body === null ? logits : of.body(logits, tile), tile.shape).dataSync();
      });
      choose(of, tile, at, { start, heads, candidates, words, rows, first }, bodies, out);
    }
  });
  const shape = [
    run.batch,
    ...(given.rows === null ? [] : [rows]),
    ...(given.heads === null ? [] : [heads]),
    words,
  ];
  return tf.tensor(out, shape, "int32");
}

/** Queries and keys of no width, where bodies read no logit. */
function empty(batch: number, rows: number, heads: number, given: SelectionTensors) {
  return {
    queries: [tf.zeros([batch, rows, heads, 1])],
    keys: [tf.zeros([batch, given.candidates, heads, 1])],
    tables: given.tables,
    batchedTables: given.batchedTables,
    tokens: given.tokens,
  };
}

/** Writes the sets of one block of rows. */
function choose(
  of: Selection,
  tile: Tile,
  at: Place,
  extents: {
    readonly start: number;
    readonly heads: number;
    readonly candidates: number;
    readonly words: number;
    readonly rows: number;
    readonly first: number;
  },
  bodies: ArrayLike<number>,
  out: Int32Array,
): void {
  const { start, heads, candidates, words, rows, first } = extents;
  for (let b = 0; b < at.batch; b++)
    for (let h = 0; h < heads; h++)
      for (let row = 0; row < tile.rows; row++) {
        at.row = b;
        const q = start + first + row;
        const from = ((b * heads + h) * tile.rows + row) * candidates;
        const body = (k: number): number => bodies[from + k]!;
        const there: number[] = [];
        const forced = new Set<number>();
        for (let k = 0; k < candidates; k++) {
          if (!of.where.of(q, k, h, at)) continue;
          if (of.always.of(q, k, h, at)) forced.add(k);
          there.push(k);
        }
        const others = there.filter((k) => !forced.has(k));
        const limit = of.amount.of(q, NaN, h, at) as number;
        const taken =
          of.choose === "top"
            ? ranked(others, body).slice(0, Math.max(0, Math.ceil(limit - forced.size)))
            : others.filter((k) => body(k) > limit);
        const word = ((b * rows + first + row) * heads + h) * words;
        for (const k of [...forced, ...taken]) {
          const place = word + Math.floor(k / wordMembers);
          out[place] = out[place]! | (1 << (k % wordMembers));
        }
      }
}
