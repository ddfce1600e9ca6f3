/** What the forward kernel does to its fragments: scores, mask, running soft-max, rows written out. */
import { c, joinFragments, realLiteral, type Fragment } from "../../../ir/kernel.ts";
import type { CudaPairs } from "../attention/pairs.ts";
import type { ForwardOptions } from "./forward-shape.ts";
import { range } from "./wgmma.ts";

/** True when logits are taken times the scale before anything else; otherwise the scale is part of the exponent. */
export const scalesFirst = (scale: number, pairs: CudaPairs): boolean => pairs.scored || !(scale > 0);

/** A key's position, and the same as a real number: the block's first position converted once, plus a constant. */
export const keyText: Fragment = c`
#define LCTX_KEY
struct lctx_key {
  int at;
  float real;
  __device__ __forceinline__ operator int() const { return at; }
  __device__ __forceinline__ explicit operator float() const { return real; }
};
`;

/** `lctx_scores`, `lctx_guarded_scores`: score and mask of a block that a thread holds part of. */
export function scoresText({ pairs, scale, tile, looksUp, steady }: ForwardOptions): Fragment {
  const count = tile.keys / 2;
  const scaled = scalesFirst(scale, pairs) ? c`s[i] * ${realLiteral(scale)}` : c`s[i]`;
  const score = steady
    ? c`fmaf(s[i], ${realLiteral(scale)}, fmaf(rise, (float)step, i & 2 ? level1 : level0))`
    : pairs.scored
      ? c`lctx_score(p, ${scaled}, b, h, row, key)`
      : scaled;
  const place = c`[[maybe_unused]] const int row = i & 2 ? q1 : q0, step = (i >> 2) * 8 + (i & 1), column = k + step;${
    pairs.scored && !steady ? c`\n    const lctx_key key = {column, real + (float)step};` : c``
  }`;
  // The first key's score without its logit, for both rows, and what each further key adds.
  const first = steady
    ? c`
  const lctx_key start = {k, (float)k}, one = {1, 1.0f}, none = {0, 0.0f};
  const float level0 = lctx_score(p, 0.0f, b, h, q0, start), level1 = lctx_score(p, 0.0f, b, h, q1, start);
  const float rise = lctx_score(p, 0.0f, b, h, 0, one) - lctx_score(p, 0.0f, b, h, 0, none);`
    : pairs.scored
      ? c`
  const float real = (float)k;`
      : c``;
  const plain = scalesFirst(scale, pairs)
    ? c`${first}
#pragma unroll
  for (int i = 0; i < ${count}; i++) {
    ${pairs.scored ? place : c``}
    s[i] = ${score};
  }`
    : c``;
  const head = c`
LCTX_DEVICE void lctx_scores(const lctx_pairs &p, float (&s)[${count}], int b, int h, int q0, int q1, int k) {${plain}
}
LCTX_DEVICE void lctx_guarded_scores(const lctx_pairs &p, float (&s)[${count}], int b, int h, int q0, int q1, int k,
                                     int keys) {`;
  if (!looksUp)
    return c`${head}${first}
#pragma unroll
  for (int i = 0; i < ${count}; i++) {
    ${place}
    s[i] = (column < keys) & lctx_see(p, b, h, row, column) ? ${score} : -LCTX_INF;
  }
}
`;
  // Where the mask is known by words of 32 keys: a thread's keys are two of each eight.
  if (pairs.seesWords && tile.keys % 32 === 0)
    return c`${head}${first}
  const int base = k & ~31;
  u32 seen0[${tile.keys / 32}], seen1[${tile.keys / 32}];
#pragma unroll
  for (int n = 0; n < ${tile.keys / 32}; n++) {
    const u32 inside = lctx_low_bits(keys - base - 32 * n);
    seen0[n] = (lctx_see_word(p, b, h, q0, base + 32 * n) & inside) >> (k & 31);
    seen1[n] = (lctx_see_word(p, b, h, q1, base + 32 * n) & inside) >> (k & 31);
  }
#pragma unroll
  for (int i = 0; i < ${count}; i++) {
    ${pairs.scored ? place : c``}
    s[i] = (i & 2 ? seen1 : seen0)[i >> 4] >> ((i >> 2 & 3) * 8 + (i & 1)) & 1 ? ${score} : -LCTX_INF;
  }
}
`;
  const word = tile.keys > 128 ? c`u64` : c`u32`;
  return c`${head}${first}
  ${word} seen0 = 0, seen1 = 0;
#pragma unroll 4
  for (int n = 0; n < ${count / 2}; n++) {
    const int column = k + (n >> 1) * 8 + (n & 1);
    if (column < keys) {
      seen0 |= (${word})lctx_see(p, b, h, q0, column) << n;
      seen1 |= (${word})lctx_see(p, b, h, q1, column) << n;
    }
  }
#pragma unroll
  for (int i = 0; i < ${count}; i++) {
    ${pairs.scored ? place : c``}
    s[i] = (i & 2 ? seen1 : seen0) >> ((i >> 2) * 2 + (i & 1)) & 1 ? ${score} : -LCTX_INF;
  }
}
`;
}

/** The running soft-max of two rows a thread. Weights replace scores; `exponent` is the factor to powers of two. */
export function softmaxText({ tile, shape, scale, pairs }: ForwardOptions): Fragment {
  const [s, o] = [tile.keys / 2, shape.e / 2];
  const exponent = scalesFirst(scale, pairs) ? Math.LOG2E : scale * Math.LOG2E;
  return c`
#define LCTX_EXPONENT ${realLiteral(exponent)}
typedef struct { float most0, most1, sum0, sum1, fade0, fade1; } lctx_state;
LCTX_DEVICE void lctx_weights(float (&s)[${s}], lctx_state &x) {
  float most0 = x.most0, most1 = x.most1;
#pragma unroll
  for (int i = 0; i < ${s}; i += 4) {
    most0 = fmaxf(most0, fmaxf(s[i], s[i + 1]));
    most1 = fmaxf(most1, fmaxf(s[i + 2], s[i + 3]));
  }
  most0 = lctx_row_max(most0);
  most1 = lctx_row_max(most1);
  /*
   * A row that has seen nothing yet keeps 0 as its reference, so that its weights are 0 and not NaN. The same for one
   * that has seen only scores near the least float, as masks that are added to the score give.
   */
  const float far0 = most0 * LCTX_EXPONENT, far1 = most1 * LCTX_EXPONENT;
  const float at0 = far0 == -LCTX_INF ? 0.0f : far0, at1 = far1 == -LCTX_INF ? 0.0f : far1;
  x.fade0 = lctx_ex2(x.most0 * LCTX_EXPONENT - at0);
  x.fade1 = lctx_ex2(x.most1 * LCTX_EXPONENT - at1);
  x.most0 = most0;
  x.most1 = most1;
  float sum0 = x.sum0 * x.fade0, sum1 = x.sum1 * x.fade1;
#pragma unroll
  for (int i = 0; i < ${s}; i += 4) {
    s[i] = lctx_ex2(s[i] * LCTX_EXPONENT - at0);
    s[i + 1] = lctx_ex2(s[i + 1] * LCTX_EXPONENT - at0);
    s[i + 2] = lctx_ex2(s[i + 2] * LCTX_EXPONENT - at1);
    s[i + 3] = lctx_ex2(s[i + 3] * LCTX_EXPONENT - at1);
    sum0 += s[i] + s[i + 1];
    sum1 += s[i + 2] + s[i + 3];
  }
  x.sum0 = sum0;
  x.sum1 = sum1;
}
LCTX_DEVICE void lctx_fade(float (&o)[${o}], const lctx_state &x) {
#pragma unroll
  for (int i = 0; i < ${o}; i += 4) {
    o[i] *= x.fade0;
    o[i + 1] *= x.fade0;
    o[i + 2] *= x.fade1;
    o[i + 3] *= x.fade1;
  }
}
`;
}

/** Writes rows of an accumulator as 16-bit elements: `lctx_write_rows(to, value, factor, i)` writes one of the two rows. */
export function writeRowsText(name: Fragment, columns: number): Fragment {
  const whole = Math.floor(columns / 32);
  const rest = (columns % 32) / 8;
  const word = (j: Fragment): Fragment =>
    c`lctx_pack(d[4 * (${j}) + 2 * half] * factor, d[4 * (${j}) + 2 * half + 1] * factor)`;
  const tail =
    rest === 0
      ? c``
      : c`
  const uint4 last = lctx_gather_words(${joinFragments(
    range(4).map((j) => (j < rest ? word(c`${whole * 4 + j}`) : c`0u`)),
    c`, `,
  )}, i);
  if (to && i < ${rest}) *(uint4 *)(to + ${whole * 32} + 8 * i) = last;`;
  return c`
/* One row of the accumulator, half 0 or 1; \`to\`: its first element, or null. All four threads of the row take part. */
LCTX_DEVICE void ${name}(unsigned short *to, const float (&d)[${columns / 2}], const int half, float factor, int i) {
#pragma unroll
  for (int n = 0; n < ${whole}; n++) {
    const uint4 words = lctx_gather_words(${joinFragments(
      range(4).map((j) => word(c`4 * n + ${j}`)),
      c`,
                                          `,
    )}, i);
    if (to) *(uint4 *)(to + 32 * n + 8 * i) = words;
  }${tail}
}
`;
}

/** `lctx_within`: whether a block is in one of the ranges. */
export const blockRangesText: Fragment = c`
LCTX_DEVICE bool lctx_within(const lctx_ranges &r, int block) {
  bool found = false;
#pragma unroll
  for (int i = 0; i < LCTX_MOST_RANGES; i++) found = found || (i < r.count && block >= r.from[i] && block < r.to[i]);
  return found;
}
`;
