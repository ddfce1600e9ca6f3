/** Routed and learned attentions in plain float64 loops, written from the papers and their code: the references of tests. */
import { rotated } from "../../examples/dense.ts";
import type { Row } from "./elaborated.ts";

type Weights = (head: number, query: number) => Float64Array;

const group = (row: Row, head: number): number => Math.floor(head / (row.heads / row.kvHeads));
const vector = (data: Float64Array, row: Row, head: number, at: number): Float64Array =>
  data.subarray((head * row.length + at) * row.size, (head * row.length + at + 1) * row.size);
const queryOf = (row: Row, head: number, at: number): Float64Array => vector(row.q, row, head, at);
const keyOf = (row: Row, head: number, at: number): Float64Array => vector(row.k, row, group(row, head), at);
const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, n) => sum + x * b[n]!, 0);

/** The logit of a pair with both vectors rotated to their own positions. */
const logit = (row: Row, head: number, query: number, key: number): number =>
  dot(rotated(queryOf(row, head, query), query), rotated(keyOf(row, head, key), key)) / Math.sqrt(row.size);

/** Softmax over the indices for which `seen` holds; 0 elsewhere. */
function softmax(count: number, seen: (n: number) => boolean, value: (n: number) => number): Float64Array {
  const out = new Float64Array(count);
  let most = -Infinity;
  for (let n = 0; n < count; n++) if (seen(n)) most = Math.max(most, value(n));
  let total = 0;
  for (let n = 0; n < count; n++) if (seen(n)) total += out[n] = Math.exp(value(n) - most);
  return total === 0 ? out : out.map((x) => x / total);
}

/** Output [heads][length][size] of weights over values. */
function weighed(row: Row, weights: Weights): Float64Array {
  const out = new Float64Array(row.heads * row.length * row.size);
  for (let head = 0; head < row.heads; head++)
    for (let query = 0; query < row.length; query++) {
      const own = weights(head, query);
      for (let key = 0; key < row.length; key++)
        for (let i = 0; i < row.size; i++)
          out[(head * row.length + query) * row.size + i]! +=
            own[key]! * vector(row.v, row, group(row, head), key)[i]!;
    }
  return out;
}

/** The forced ones, then those of the largest scores, until there are `count`. */
function chosen(
  candidates: readonly number[],
  forced: (n: number) => boolean,
  score: (n: number) => number,
  count: number,
): ReadonlySet<number> {
  const out = new Set(candidates.filter(forced));
  const rest = candidates.filter((n) => !out.has(n)).sort((a, b) => score(b) - score(a) || a - b);
  for (const n of rest) if (out.size < count) out.add(n);
  return out;
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

export const causal = (row: Row): Float64Array =>
  weighed(row, (head, query) =>
    softmax(
      row.length,
      (key) => key <= query,
      (key) => logit(row, head, query, key),
    ),
  );

/** MInference (Jiang et al., 2024): columns and diagonals that the last rows attend to most. */
export function verticalSlash(row: Row, vertical: number, slash: number, probe: number): Float64Array {
  const { length } = row;
  const kept = range(row.heads).map((head) => {
    const columns = new Float64Array(length);
    const slashes = new Float64Array(length);
    for (let query = Math.max(0, length - probe); query < length; query++) {
      const weights = softmax(
        length,
        (key) => key <= query,
        (key) => logit(row, head, query, key),
      );
      for (let key = 0; key <= query; key++) {
        columns[key]! += weights[key]!;
        slashes[query - key]! += weights[key]!;
      }
    }
    const first = (n: number): boolean => n < 30;
    return {
      columns: chosen(range(length), first, (n) => columns[n]!, vertical),
      slashes: chosen(range(length), first, (n) => slashes[n]!, slash),
    };
  });
  return weighed(row, (head, query) =>
    softmax(
      length,
      (key) => key <= query && (kept[head]!.columns.has(key) || kept[head]!.slashes.has(query - key)),
      (key) => logit(row, head, query, key),
    ),
  );
}

/** LongHeads (Lu et al., 2024): each query keeps the blocks whose representative keys fit it, re-indexed without gaps. */
export function longHeads(row: Row, block: number, budget: number): Float64Array {
  const { length, size } = row;
  const blockOf = (at: number): number => Math.floor(at / block);
  const count = Math.ceil(length / block);
  const plain = (a: Float64Array, b: Float64Array): number => dot(a, b) / Math.sqrt(size);
  const representatives = range(row.heads).map((head) =>
    range(count).map((c) => {
      const inside = range(length).filter((at) => blockOf(at) === c);
      const gist = new Float64Array(size);
      for (const query of inside) {
        const weights = softmax(
          length,
          (key) => blockOf(key) === c,
          (key) => plain(queryOf(row, head, query), keyOf(row, head, key)),
        );
        for (const key of inside)
          for (let i = 0; i < size; i++)
            gist[i]! += (weights[key]! * vector(row.v, row, group(row, head), key)[i]!) / inside.length;
      }
      const weights = softmax(
        length,
        (key) => blockOf(key) === c,
        (key) => plain(gist, keyOf(row, head, key)),
      );
      const out = new Float64Array(size);
      for (const key of inside)
        for (let i = 0; i < size; i++) out[i]! += weights[key]! * keyOf(row, head, key)[i]!;
      return out;
    }),
  );
  return weighed(row, (head, query) => {
    const own = blockOf(query);
    const kept = chosen(
      range(own + 1),
      (c) => c === 0 || own - c <= 1,
      (c) => dot(queryOf(row, head, query), representatives[head]![c]!),
      budget,
    );
    const inOrder = [...kept].sort((a, b) => a - b);
    const place = (at: number): number => inOrder.indexOf(blockOf(at)) * block + (at % block);
    return softmax(
      length,
      (key) => key <= query && kept.has(blockOf(key)),
      (key) =>
        dot(rotated(queryOf(row, head, query), place(query)), rotated(keyOf(row, head, key), place(key))) /
        Math.sqrt(size),
    );
  });
}

/** A block's last token gates its other tokens (Mohtashami and Jaggi, 2023): weights of one query. */
function landmarkWeights(row: Row, block: number, head: number, query: number): Float64Array {
  const { length } = row;
  const blockOf = (at: number): number => Math.floor(at / block);
  const isGate = (at: number): boolean => at % block === block - 1;
  const own = blockOf(query);
  const value = (key: number): number => logit(row, head, query, key);
  const near = softmax(length, (key) => key <= query && (blockOf(key) === own || isGate(key)), value);
  return Float64Array.from(range(length), (key) => {
    if (key > query) return 0;
    if (blockOf(key) === own) return near[key]!;
    if (isGate(key)) return 0;
    const inside = softmax(length, (other) => blockOf(other) === blockOf(key) && !isGate(other), value);
    return near[blockOf(key) * block + block - 1]! * inside[key]!;
  });
}

/** Landmark attention in training. */
export const landmark = (row: Row, block: number): Float64Array =>
  weighed(row, (head, query) => landmarkWeights(row, block, head, query));

/**
 * The same when text is generated: only the blocks whose landmarks fit best are read. The weights of the others are
 * left out and, as the spec has it, not shared among those that stay.
 */
export function landmarkBlocks(row: Row, block: number, keep: number): Float64Array {
  const { length } = row;
  const blockOf = (at: number): number => Math.floor(at / block);
  return weighed(row, (head, query) => {
    const own = blockOf(query);
    const kept = chosen(
      range(own + 1),
      (c) => c === own,
      (c) => logit(row, head, query, Math.min(c * block + block - 1, length - 1)),
      keep,
    );
    return landmarkWeights(row, block, head, query).map((weight, key) =>
      kept.has(blockOf(key)) ? weight : 0,
    );
  });
}

/** SeerAttention's gate (Gao et al., 2024): [heads][block of queries][block of keys], a softmax over earlier blocks. */
export function seerGate(row: Row, block: number, width: number): readonly (readonly Float64Array[])[] {
  const { length, size } = row;
  const count = Math.ceil(length / block);
  const { wq, wk } = row.tables;
  const members = (c: number): readonly number[] =>
    range(length).filter((at) => Math.floor(at / block) === c);
  return range(row.heads).map((head) => {
    const queries = range(count).map((c) => {
      const mean = new Float64Array(size);
      for (const at of members(c))
        for (let d = 0; d < size; d++) mean[d]! += queryOf(row, head, at)[d]! / members(c).length;
      const out = Float64Array.from({ length: width }, (_, e) =>
        range(size).reduce((sum, d) => sum + mean[d]! * wq![(head * size + d) * width + e]!, 0),
      );
      return rotated(out, c * block);
    });
    const keys = range(count).map((c) => {
      const all = members(c).map((at) => keyOf(row, head, at));
      const pools = [
        (d: number): number => Math.max(...all.map((key) => key[d]!)),
        (d: number): number => Math.min(...all.map((key) => key[d]!)),
        (d: number): number => all.reduce((sum, key) => sum + key[d]!, 0) / all.length,
      ];
      const out = Float64Array.from({ length: width }, (_, e) =>
        pools.reduce(
          (sum, pool, m) =>
            range(size).reduce(
              (inner, d) => inner + pool(d) * wk![((head * 3 + m) * size + d) * width + e]!,
              sum,
            ),
          0,
        ),
      );
      return rotated(out, c * block);
    });
    return range(count).map((i) =>
      softmax(
        count,
        (j) => j <= i,
        (j) => dot(queries[i]!, keys[j]!) / Math.sqrt(width),
      ),
    );
  });
}

/** 10 · mean of T · (log T − log gate), where T are the tile maxima of the attention's weights, each row divided by its sum. */
export function seerLoss(row: Row, block: number, width: number): number {
  const { length } = row;
  const count = Math.ceil(length / block);
  const gate = seerGate(row, block, width);
  let total = 0;
  for (let head = 0; head < row.heads; head++) {
    const tiles = range(count).map(() => new Float64Array(count));
    for (let query = 0; query < length; query++) {
      const weights = softmax(
        length,
        (key) => key <= query,
        (key) => logit(row, head, query, key),
      );
      const own = tiles[Math.floor(query / block)]!;
      for (let key = 0; key < length; key++)
        own[Math.floor(key / block)] = Math.max(own[Math.floor(key / block)]!, weights[key]!);
    }
    tiles.forEach((tile, i) => {
      const sum = tile.reduce((all, x) => all + x, 0);
      tile.forEach((x, j) => {
        if (x > 0) total += (x / sum) * (Math.log(x / sum) - Math.log(gate[head]![i]![j]!));
      });
    });
  }
  return (10 * total) / (row.heads * count * count);
}

/** Attention to the blocks whose gate exceeds the threshold, and to the query's own. */
export function seerBlocks(row: Row, block: number, width: number, threshold: number): Float64Array {
  const gate = seerGate(row, block, width);
  const blockOf = (at: number): number => Math.floor(at / block);
  return weighed(row, (head, query) =>
    softmax(
      row.length,
      (key) =>
        key <= query &&
        (blockOf(key) === blockOf(query) || gate[head]![blockOf(query)]![blockOf(key)]! > threshold),
      (key) => logit(row, head, query, key),
    ),
  );
}
