/** Random masks, scores and rotations as text of the language, each beside the same thing as plain functions of numbers. */
import fc from "fast-check";

/** Where an attention looks: positions, head, and what the batch and the tables hold there. */
export interface Place {
  readonly q: number;
  readonly k: number;
  readonly h: number;
  readonly heads: number;
  /** The number that a position is compared with a count by: within its document, where the attention reads documents. */
  readonly numbered: (position: number) => number;
  /** Document number of a position. */
  readonly document: (position: number) => number;
  /** Number of a learned table at these indices. */
  readonly table: (name: string, ...indices: number[]) => number;
}

/** A clause's text, lines that must stand before it, and what it computes. */
export interface Clause<F> {
  readonly text: string;
  /** `let` and `param` lines; each name is used once in an attention, so lines are told apart by their text. */
  readonly before: readonly string[];
  readonly means: F;
}

export type MaskClause = Clause<(at: Place) => boolean>;
export type ScoreClause = Clause<(s: number, at: Place) => number>;
/** Text of one `rotate … where`, and where it applies. */
export type RegionClause = Clause<(at: Place) => boolean>;

const clause = <F>(text: string, means: F, ...before: string[]): Clause<F> => ({ text, means, before });
const block = (x: number, n: number): number => Math.floor(x / n);
const mod = (x: number, n: number): number => ((x % n) + n) % n;
/** Sizes inside, at and beyond the kernels' blocks. */
const size = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 9 }) },
  { weight: 2, arbitrary: fc.integer({ min: 10, max: 150 }) },
  { weight: 1, arbitrary: fc.constantFrom(63, 64, 65, 127, 128, 129) },
);

const plainMask: fc.Arbitrary<MaskClause> = fc.oneof(
  size.map((n) => clause(`window(${n})`, ({ q, k }: Place) => q - k < n)),
  size.map((n) => clause(`sinks(${n})`, ({ k, numbered }: Place) => numbered(k) < n)),
  fc.constant(clause("same_document", ({ q, k, document }: Place) => document(q) === document(k))),
  size.map((n) => clause(`dilated(${n})`, ({ q, k }: Place) => mod(q - k, n) === 0)),
  size.map((n) => clause(`blockwise(${n})`, ({ q, k }: Place) => block(q, n) === block(k, n))),
  size.map((n) => clause(`q - k >= ${n}`, ({ q, k }: Place) => q - k >= n)),
  size.map((n) => clause(`block(k, ${n}) < block(q, ${n})`, ({ q, k }: Place) => block(k, n) < block(q, n))),
  fc
    .tuple(fc.integer({ min: 2, max: 7 }), fc.nat(6))
    .map(([n, r]) => clause(`ordinal(k) % ${n} == ${r % n}`, ({ k }: Place) => mod(k, n) === r % n)),
  size.map((n) =>
    clause(
      `ordinal(q - k) < reach${n}[h]`,
      ({ q, k, h }: Place) => q - k < n * (h + 1),
      `let reach${n}[h] = ${n} * (ordinal(h) + 1)`,
    ),
  ),
  size.map((n) =>
    clause(
      `block(q + shift${n}[h], ${2 * n}) == block(k + shift${n}[h], ${2 * n})`,
      ({ q, k, h, heads }: Place) => {
        const shift = h < heads / 2 ? 0 : n;
        return block(q + shift, 2 * n) === block(k + shift, 2 * n);
      },
      `let shift${n}[h] = if ordinal(h) < heads / 2 then 0 else ${n}`,
    ),
  ),
);

function combine(depth: number): fc.Arbitrary<MaskClause> {
  if (depth === 0) return plainMask;
  const inner = combine(depth - 1);
  const pair = fc.tuple(inner, inner);
  return fc.oneof(
    { weight: 2, arbitrary: plainMask },
    {
      weight: 1,
      arbitrary: pair.map(([a, b]) =>
        clause(
          `(${a.text} and ${b.text})`,
          (at: Place) => a.means(at) && b.means(at),
          ...a.before,
          ...b.before,
        ),
      ),
    },
    {
      weight: 1,
      arbitrary: pair.map(([a, b]) =>
        clause(
          `(${a.text} or ${b.text})`,
          (at: Place) => a.means(at) || b.means(at),
          ...a.before,
          ...b.before,
        ),
      ),
    },
    {
      weight: 1,
      arbitrary: inner.map((a) => clause(`not (${a.text})`, (at: Place) => !a.means(at), ...a.before)),
    },
  );
}

/** Masks that the checker takes: causal (or open for a prefix, which `ahead` states), and no row is empty. */
export const randomMaskClause: fc.Arbitrary<MaskClause> = fc
  .tuple(combine(2), fc.nat(5), size)
  .map(([inner, form, n]) => {
    if (form === 0) return clause("causal", ({ q, k }: Place) => k <= q);
    const own = clause(
      `causal and (q == k or ${inner.text})`,
      (at: Place) => at.k <= at.q && (at.q === at.k || inner.means(at)),
      ...inner.before,
    );
    if (form > 1) return own;
    return clause(
      `(${own.text}) or k < ${n}\n  ahead k < ${n}`,
      (at: Place) => own.means(at) || at.numbered(at.k) < n,
      ...own.before,
    );
  });

const rate = fc.integer({ min: 1, max: 12 }).map((n) => n / 8);

const scoreClause: fc.Arbitrary<ScoreClause> = fc.oneof(
  rate.map((r) => clause(`softcap(${4 * r})`, (s: number) => 4 * r * Math.tanh(s / (4 * r)))),
  rate.map((r) =>
    clause(
      `alibi(slope${8 * r})`,
      (s: number, { q, k, h, heads }: Place) => s - 2 ** ((-8 * r * (h + 1)) / heads) * (q - k),
      `let slope${8 * r}[h] = 2 ^ (-8 * ${r} * (ordinal(h) + 1) / heads)`,
    ),
  ),
  rate.map((r) =>
    clause(
      `s - ${r} * log(1 + max(ordinal(q - k), 0))`,
      (s: number, { q, k }: Place) => s - r * Math.log(1 + Math.max(q - k, 0)),
    ),
  ),
  fc
    .integer({ min: 2, max: 60 })
    .map((n) =>
      clause(`log_length(${n})`, (s: number, { q }: Place) => s * Math.max(1, Math.log(q + 1) / Math.log(n))),
    ),
  fc
    .integer({ min: 1, max: 12 })
    .map((n) =>
      clause(
        `s + bias${n}[h, min(max(ordinal(q - k), 0), ${n - 1})]`,
        (s: number, { q, k, h, table }: Place) =>
          s + table(`bias${n}`, h, Math.min(Math.max(q - k, 0), n - 1)),
        `param bias${n}[h, u: ${n}] = zeros`,
      ),
    ),
  fc.constant(
    clause(
      "s * gain[h]",
      (s: number, { h, table }: Place) => s * table("gain", h),
      "param gain[h] = constant(1)",
    ),
  ),
  fc.constant(
    clause(
      "tanh(s * bend[h]) + lift[ordinal(k) % 3, h] * bend[h]",
      (s: number, { k, h, table }: Place) =>
        Math.tanh(s * table("bend", h)) + table("lift", k % 3, h) * table("bend", h),
      "param bend[h] = constant(1)",
      "param lift[u: 3, h] = zeros",
    ),
  ),
  fc.constant(
    clause(
      "s + pair[ordinal(q) % 4, h] * pair[ordinal(k) % 4, h]",
      (s: number, { q, k, h, table }: Place) => s + table("pair", q % 4, h) * table("pair", k % 4, h),
      "param pair[u: 4, h] = zeros",
    ),
  ),
  fc
    .tuple(size, rate)
    .map(([n, r]) =>
      clause(`if q - k < ${n} then s else s * ${r}`, (s: number, { q, k }: Place) => (q - k < n ? s : s * r)),
    ),
);

/** None, one or two scores after one another. */
export const randomScoreClauses: fc.Arbitrary<readonly ScoreClause[]> = fc.array(scoreClause, {
  maxLength: 2,
});

/** None, one or two regions with positions of their own. */
export const randomRegionClauses: fc.Arbitrary<readonly RegionClause[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.uniqueArray(
      fc.oneof(
        size.map((n) =>
          clause(`rotate q at min(q, ${n}), k at 0 where q - k >= ${n}`, ({ q, k }: Place) => q - k >= n),
        ),
        size.map((n) =>
          clause(
            `rotate q at min(q, ${n + 1}), k at k where k < ${n}`,
            ({ k, numbered }: Place) => numbered(k) < n,
          ),
        ),
      ),
      { minLength: 1, maxLength: 2, selector: ({ text }) => text },
    ),
  },
);

export const randomRotation: fc.Arbitrary<string> = fc.constantFrom(
  "rotary()",
  "rotary(base: 500)",
  "none()",
  "interpolated(4)",
  "ntk(2)",
  "yarn(factor: 4, trained: 64)",
  "llama3(trained: 64)",
  "truncated(trained: 64)",
  "power()",
);
