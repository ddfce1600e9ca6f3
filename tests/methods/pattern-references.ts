/** The attentions of `examples/patterns` in plain float64 loops, written from what their papers say. */
import { rotated } from "../../examples/dense.ts";
import type { Row } from "./elaborated.ts";

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);
const at = (data: Float64Array, row: Row, head: number, token: number): Float64Array =>
  data.subarray((head * row.length + token) * row.size, (head * row.length + token + 1) * row.size);
const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, n) => sum + x * b[n]!, 0);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** One head of a row: its vectors, and the logit of a pair after rotation. */
class Head {
  readonly length: number;
  readonly size: number;
  readonly index: number;
  readonly row: Row;
  readonly #group: number;

  constructor(row: Row, index: number) {
    [this.row, this.index, this.length, this.size] = [row, index, row.length, row.size];
    this.#group = Math.floor(index / (row.heads / row.kvHeads));
  }

  query(token: number): Float64Array {
    return at(this.row.q, this.row, this.index, token);
  }
  key(token: number): Float64Array {
    return at(this.row.k, this.row, this.#group, token);
  }
  value(token: number): Float64Array {
    return at(this.row.v, this.row, this.#group, token);
  }
  logit(query: number, key: number): number {
    return dot(rotated(this.query(query), query), rotated(this.key(key), key)) / Math.sqrt(this.size);
  }
  /** Part of a table whose first axis is the head. */
  own(name: string, width: number): Float64Array {
    return this.row.tables[name]!.subarray(this.index * width, (this.index + 1) * width);
  }
  /** Tokens of a block of `size`. */
  tokens(block: number, size: number): readonly number[] {
    return range(size)
      .map((n) => block * size + n)
      .filter((token) => token < this.length);
  }
  /** A number for each dimension of a block's keys. */
  ofBlock(block: number, size: number, fold: (values: readonly number[]) => number): Float64Array {
    const keys = this.tokens(block, size).map((token) => this.key(token));
    return Float64Array.from(range(this.size), (i) => fold(keys.map((key) => key[i]!)));
  }
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Output [heads][length][size] of the weights that each head gives keys for a query. */
function weighed(row: Row, make: (head: Head) => (query: number) => ArrayLike<number>): Float64Array {
  const out = new Float64Array(row.heads * row.length * row.size);
  for (const index of range(row.heads)) {
    const head = new Head(row, index);
    const weights = make(head);
    for (const query of range(row.length)) {
      const own = weights(query);
      for (const key of range(row.length))
        for (const i of range(row.size))
          out[(index * row.length + query) * row.size + i]! += own[key]! * head.value(key)[i]!;
    }
  }
  return out;
}

/** exp(value) over one more term and the sum of all that are seen; `extra` is that term. */
function softmax(
  count: number,
  seen: (n: number) => boolean,
  value: (n: number) => number,
  extra = 0,
): readonly number[] {
  const terms = range(count).map((n) => (seen(n) ? Math.exp(value(n)) : 0));
  const total = terms.reduce((a, b) => a + b, extra);
  return terms.map((term) => (total === 0 ? 0 : term / total));
}

/** The forced block, then those of the largest scores among `count` blocks, until there are `keep`. */
function best(count: number, forced: number, keep: number, score: (block: number) => number): Set<number> {
  const rest = range(count).filter((block) => block !== forced);
  rest.sort((a, b) => score(b) - score(a) || a - b);
  return new Set([forced, ...rest.slice(0, Math.max(0, keep - 1))]);
}

export const forgetting = (row: Row): Float64Array =>
  weighed(row, (head) => {
    const [weight, [bias]] = [head.own("weight", head.size), head.own("bias", 1)];
    const gates = range(head.length).map((token) => sigmoid(dot(weight, head.query(token)) + bias!));
    return (query) =>
      softmax(
        head.length,
        (key) => key <= query,
        (key) =>
          // The product of the gates after the key, as the paper writes it.
          head.logit(query, key) + Math.log(gates.slice(key + 1, query + 1).reduce((a, b) => a * b, 1)),
      );
  });

const withExtra = (row: Row, extra: (head: Head) => number): Float64Array =>
  weighed(
    row,
    (head) => (query) =>
      softmax(
        head.length,
        (key) => key <= query,
        (key) => head.logit(query, key),
        extra(head),
      ),
  );
export const offByOne = (row: Row): Float64Array => withExtra(row, () => 1);
export const learnedSink = (row: Row): Float64Array =>
  withExtra(row, (head) => Math.exp(head.own("sink", 1)[0]!));

/** `longest` is the model's length. */
export const sigmoidWeights = (row: Row, longest: number): Float64Array =>
  weighed(
    row,
    (head) => (query) =>
      range(head.length).map((key) =>
        key <= query ? sigmoid(head.logit(query, key) - Math.log(longest)) : 0,
      ),
  );

export const neighbourhood = (row: Row, width: number, reach: number): Float64Array =>
  weighed(
    row,
    (head) => (query) =>
      softmax(
        head.length,
        (key) => {
          const down = Math.floor(query / width) - Math.floor(key / width);
          return key <= query && down <= reach && Math.abs((query % width) - (key % width)) <= reach;
        },
        (key) => head.logit(query, key),
      ),
  );

export const keyBounds = (row: Row, size: number, keep: number): Float64Array =>
  weighed(row, (head) => (query) => {
    const own = Math.floor(query / size);
    const bound = (block: number): number => {
      const high = head.ofBlock(block, size, (values) => Math.max(...values));
      const low = head.ofBlock(block, size, (values) => Math.min(...values));
      return head.query(query).reduce((sum, x, i) => sum + Math.max(x * high[i]!, x * low[i]!), 0);
    };
    const kept = best(own + 1, own, keep, bound);
    return softmax(
      head.length,
      (key) => key <= query && kept.has(Math.floor(key / size)),
      (key) => head.logit(query, key),
    );
  });

export const retrievalHeads = (
  row: Row,
  far: number,
  size: number,
  keep: number,
  span: number,
): Float64Array =>
  weighed(row, (head) => (query) => {
    const own = Math.floor(query / size);
    const kept = best(own + 1, own, keep, (block) => dot(head.query(query), head.ofBlock(block, size, mean)));
    return softmax(
      head.length,
      (key) => key <= query && (head.index < far ? kept.has(Math.floor(key / size)) : query - key < span),
      (key) => head.logit(query, key),
    );
  });

export const blockSummaries = (row: Row, size: number): Float64Array =>
  weighed(row, (head) => (query) => {
    const own = Math.floor(query / size);
    // What is attended to: the block's own tokens, then one summary for each block before.
    const tokens = head.tokens(own, size).filter((key) => key <= query);
    const logits = [
      ...tokens.map((key) => head.logit(query, key)),
      ...range(own).map(
        (block) => dot(head.query(query), head.ofBlock(block, size, mean)) / Math.sqrt(head.size),
      ),
    ];
    const parts = softmax(
      logits.length,
      () => true,
      (n) => logits[n]!,
    );
    const weights = new Float64Array(head.length);
    tokens.forEach((key, n) => (weights[key] = parts[n]!));
    for (const block of range(own))
      for (const key of head.tokens(block, size)) weights[key] = parts[tokens.length + block]! / size;
    return weights;
  });

export const nativeSparse = (row: Row, size: number, keep: number, span: number): Float64Array =>
  weighed(row, (head) => (query) => {
    const own = Math.floor(query / size);
    const width = row.heads * row.size;
    const gates = range(3).map((m) =>
      sigmoid(
        dot(
          row.tables["gates"]!.subarray(
            m * width + head.index * row.size,
            m * width + (head.index + 1) * row.size,
          ),
          head.query(query),
        ),
      ),
    );
    const mass = softmax(
      own,
      () => true,
      (block) => dot(head.query(query), head.ofBlock(block, size, mean)) / Math.sqrt(head.size),
    );
    const kept = best(own + 1, own, keep, (block) => mass[block]!);
    const over = (seen: (key: number) => boolean): readonly number[] =>
      softmax(
        head.length,
        (key) => key <= query && seen(key),
        (key) => head.logit(query, key),
      );
    const chosen = over((key) => kept.has(Math.floor(key / size)));
    const near = over((key) => query - key < span);
    return range(head.length).map((key) => {
      const block = Math.floor(key / size);
      const compressed = block < own ? mass[block]! / size : 0;
      return gates[0]! * compressed + gates[1]! * chosen[key]! + gates[2]! * near[key]!;
    });
  });

export const causal = (row: Row): Float64Array => withExtra(row, () => 0);
