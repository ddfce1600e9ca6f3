/** Masks of the attention bench: as expressions, and as the keys that each query sees, for counting. */
import * as e from "../compiler/ir/expr.ts";

export interface BenchMask {
  readonly name: string;
  readonly mask: e.Expr;
  readonly score: e.Expr;
  /** Derivative of the score by the logit. */
  readonly slope: e.Expr;
  /** Whether the mask reads the document numbers. */
  readonly documents: boolean;
  /** Runs of keys [from, to) that a query sees, ascending and apart. */
  readonly sees: (query: number, documents: Int32Array) => readonly (readonly [number, number])[];
}

const [q, k] = [e.index("q"), e.index("k")];
const causal = e.le(k, q);
const distance = e.sub(q, k);
const blockOf = (x: e.Expr, size: number): e.Expr => e.binary("floor-div", x, e.int(size));
const near = e.lt(distance, e.int(1024));
const documentOf = (x: e.Expr): e.Expr => e.load(0, [x], "int");
/** Every fourth block of 64 keys, counted from the query's own. */
const strided = e.eq(e.binary("mod", e.sub(blockOf(q, 64), blockOf(k, 64)), e.int(4)), e.int(0));

const plain = { score: e.logit, slope: e.real(1), documents: false };

/** The first is what the others are compared with. */
export const benchMasks: readonly BenchMask[] = [
  { ...plain, name: "causal", mask: causal, sees: (at) => [[0, at + 1]] },
  {
    ...plain,
    name: "window 1024",
    mask: e.and(causal, near),
    sees: (at) => [[Math.max(0, at - 1023), at + 1]],
  },
  {
    ...plain,
    name: "window 1024, 4 sinks",
    mask: e.and(causal, e.or(near, e.lt(k, e.int(4)))),
    sees: (at) =>
      at < 1027
        ? [[0, at + 1]]
        : [
            [0, 4],
            [at - 1023, at + 1],
          ],
  },
  {
    ...plain,
    name: "blocks of 1024",
    mask: e.and(causal, e.eq(blockOf(q, 1024), blockOf(k, 1024))),
    sees: (at) => [[at - (at % 1024), at + 1]],
  },
  {
    ...plain,
    name: "documents",
    mask: e.and(causal, e.eq(documentOf(q), documentOf(k))),
    documents: true,
    sees: (at, documents) => {
      let from = at;
      while (from > 0 && documents[from - 1] === documents[at]) from--;
      return [[from, at + 1]];
    },
  },
  {
    ...plain,
    name: "every fourth block of 64",
    mask: e.and(causal, strided),
    sees: (at) => {
      const own = Math.floor(at / 64);
      const runs: [number, number][] = [];
      for (let block = own % 4; block <= own; block += 4)
        runs.push([64 * block, Math.min(64 * block + 64, at + 1)]);
      return runs;
    },
  },
  {
    ...plain,
    name: "causal, distance penalty",
    mask: causal,
    score: e.sub(e.logit, e.mul(e.real(0.01), e.toReal(distance))),
    sees: (at) => [[0, at + 1]],
  },
];

/** Documents of 300 to 1900 tokens. */
export function benchDocuments(length: number): Int32Array {
  const documents = new Int32Array(length);
  for (let at = 0, document = 0; at < length; document++) {
    const end = at + 300 + ((document * 7919) % 1601);
    documents.fill(document, at, Math.min(end, length));
    at = end;
  }
  return documents;
}

/** Pairs that a mask shows, and blocks of `size` by `size` with at least one of them. */
export function countVisible(
  { sees }: BenchMask,
  length: number,
  size: number,
): { readonly pairs: number; readonly blocks: number } {
  const documents = benchDocuments(length);
  let [pairs, blocks] = [0, 0];
  for (let start = 0; start < length; start += size) {
    const touched = new Set<number>();
    for (let at = start; at < Math.min(start + size, length); at++)
      for (const [from, to] of sees(at, documents)) {
        pairs += to - from;
        for (let block = Math.floor(from / size); block * size < to; block++) touched.add(block);
      }
    blocks += touched.size;
  }
  return { pairs, blocks };
}
