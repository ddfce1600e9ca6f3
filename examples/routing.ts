/** Plain float64 loops that references of routed attentions share: rotated logits, softmax over chosen keys, top-n of scores. */
import { rotated, type Problem } from "./dense.ts";

/** One row of text, its queries and keys before they are rotated. */
export type Text = Omit<Problem, "documents">;

/** Weights over the keys, [length], of one query. */
type Weights = (head: number, query: number) => Float64Array;

export const group = (row: Text, head: number): number => Math.floor(head / (row.heads / row.kvHeads));
export const vector = (data: Float64Array, row: Text, head: number, at: number): Float64Array =>
  data.subarray((head * row.length + at) * row.size, (head * row.length + at + 1) * row.size);
export const queryOf = (row: Text, head: number, at: number): Float64Array => vector(row.q, row, head, at);
export const keyOf = (row: Text, head: number, at: number): Float64Array =>
  vector(row.k, row, group(row, head), at);
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let n = 0; n < a.length; n++) sum += a[n]! * b[n]!;
  return sum;
}

const turned = new WeakMap<Float64Array, Float64Array>();

/** All vectors of [heads][length][size], each rotated to its position; kept, as every pair asks for them. */
function allRotated(data: Float64Array, { length, size }: Text): Float64Array {
  const known = turned.get(data);
  if (known !== undefined) return known;
  const all = data.slice();
  for (let from = 0; from < data.length; from += size)
    all.set(rotated(data.subarray(from, from + size), (from / size) % length), from);
  turned.set(data, all);
  return all;
}

/** The logit of a pair with both vectors rotated to their own positions. */
export const logit = (row: Text, head: number, query: number, key: number): number =>
  dot(
    vector(allRotated(row.q, row), row, head, query),
    vector(allRotated(row.k, row), row, group(row, head), key),
  ) / Math.sqrt(row.size);

/** Softmax over the indices for which `seen` holds; 0 elsewhere. */
export function softmax(
  count: number,
  seen: (n: number) => boolean,
  value: (n: number) => number,
): Float64Array {
  const out = new Float64Array(count).fill(-Infinity);
  for (let n = 0; n < count; n++) if (seen(n)) out[n] = value(n);
  const most = out.reduce((largest, x) => Math.max(largest, x), -Infinity);
  if (most === -Infinity) return out.fill(0);
  let total = 0;
  for (let n = 0; n < count; n++) total += out[n] = Math.exp(out[n]! - most);
  return out.map((x) => x / total);
}

/** Output [heads][length][size] of weights over values. */
export function weighed(row: Text, weights: Weights): Float64Array {
  const out = new Float64Array(row.heads * row.length * row.size);
  for (let head = 0; head < row.heads; head++)
    for (let query = 0; query < row.length; query++) {
      const own = weights(head, query);
      const sum = vector(out, row, head, query);
      for (let key = 0; key < row.length; key++) {
        const value = vector(row.v, row, group(row, head), key);
        for (let i = 0; i < row.size; i++) sum[i]! += own[key]! * value[i]!;
      }
    }
  return out;
}

/** The forced ones, then those of the largest scores, until there are `count`. */
export function chosen(
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

export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

export const causal = (row: Text): Float64Array =>
  weighed(row, (head, query) =>
    softmax(
      row.length,
      (key) => key <= query,
      (key) => logit(row, head, query, key),
    ),
  );
