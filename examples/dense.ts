/** Plain softmax attention in float64, pair by pair: the frame that the references of the examples fill in. */

/** One row of text: queries [heads, length, size], keys and values [kvHeads, length, size], row-major. */
export interface Problem {
  readonly length: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly size: number;
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  /** Document of each position, counted from 0; all 0 when the row is one text. */
  readonly documents: readonly number[];
  /** Learned tables of the attention, by name. */
  readonly tables: Readonly<Record<string, Float64Array>>;
}

/** What a method says about one pair. */
export interface Pair {
  readonly query: number;
  readonly key: number;
  readonly head: number;
  /** q · k / √size. */
  readonly logit: number;
}

/**
 * Output [heads, length, size]: softmax over the visible keys of `score`, times the values.
 * `vectors` may replace the query and key of a pair (rotation by regions).
 */
export function attend(
  problem: Problem,
  method: {
    readonly visible: (pair: Pair) => boolean;
    readonly score?: (pair: Pair) => number;
    readonly vectors?: (query: number, key: number, head: number) => readonly [Float64Array, Float64Array];
  },
): Float64Array {
  const { length, heads, kvHeads, size } = problem;
  const output = new Float64Array(heads * length * size);
  for (let head = 0; head < heads; head++) {
    const group = Math.floor(head / (heads / kvHeads));
    for (let query = 0; query < length; query++) {
      const seen: { key: number; score: number }[] = [];
      for (let key = 0; key < length; key++) {
        const plain = (): readonly [Float64Array, Float64Array] => [
          problem.q.subarray((head * length + query) * size, (head * length + query + 1) * size),
          problem.k.subarray((group * length + key) * size, (group * length + key + 1) * size),
        ];
        const [a, b] = method.vectors?.(query, key, head) ?? plain();
        let dot = 0;
        for (let e = 0; e < size; e++) dot += a[e]! * b[e]!;
        const pair: Pair = { query, key, head, logit: dot / Math.sqrt(size) };
        if (method.visible(pair)) seen.push({ key, score: method.score?.(pair) ?? pair.logit });
      }
      const top = seen.reduce((most, { score }) => Math.max(most, score), -Infinity);
      const total = seen.reduce((sum, { score }) => sum + Math.exp(score - top), 0);
      for (const { key, score } of seen) {
        const weight = Math.exp(score - top) / total;
        for (let e = 0; e < size; e++)
          output[(head * length + query) * size + e]! +=
            weight * problem.v[(group * length + key) * size + e]!;
      }
    }
  }
  return output;
}

/** Rotates pairs (m, m + size/2) of a vector by position · 10000^(−2m/size) (Su et al., 2021). */
export function rotated(vector: Float64Array, position: number): Float64Array {
  const half = vector.length / 2;
  const result = new Float64Array(vector.length);
  for (let m = 0; m < half; m++) {
    const angle = position * 10_000 ** ((-2 * m) / vector.length);
    const [x, y] = [vector[m]!, vector[m + half]!];
    result[m] = x * Math.cos(angle) - y * Math.sin(angle);
    result[m + half] = y * Math.cos(angle) + x * Math.sin(angle);
  }
  return result;
}
