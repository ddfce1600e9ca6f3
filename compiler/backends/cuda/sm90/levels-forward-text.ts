/** What the forward kernel does to its fragments in a softmax of two levels: weights of a tile, far or of any kind. */
import { c, type Fragment } from "../../../ir/kernel.ts";
import type { ForwardTile } from "./forward-shape.ts";
import { flagsText, type Levels } from "./levels-shape.ts";

/**
 * A thread holds two rows of 32 keys: number i is of row i / 2 mod 2 and of key 8 (i / 4) + 2 quad + i mod 2. Blocks are
 * whole eights of keys, so which numbers are of a block is known when this is printed; the key that the row normaliser is
 * read at lies with one of the four threads of a row. The running soft-max is of the row; a block's needs no later tile.
 */
export function levelsForwardText({ size, position }: Levels, tile: ForwardTile): Fragment {
  if (tile.keys !== 128) throw new Error(`two levels want tiles of 128 keys, not of ${tile.keys}`);
  const count = tile.keys / 2;
  const inBlock = size / 2;
  const read = Math.floor(position / 8) * 4 + (position % 2);
  const holder = Math.floor((position % 8) / 2);
  return c`${flagsText}
/* Numbers of a block, the first number that is read, and which thread of four holds it. */
#define LCTX_BLOCKS ${tile.keys / size}
#define LCTX_IN_BLOCK ${inBlock}
#define LCTX_READ ${read}
#define LCTX_HOLDER ${holder}
LCTX_DEVICE float lctx_of_holder(float x) { return __shfl_sync(0xffffffffu, x, (lctx_lane() & 28) | LCTX_HOLDER); }
/* Takes a row's largest score so far; what was summed before shrinks by fade. The reference of its weights. */
LCTX_DEVICE float lctx_raise(float most, float &before, float &sum, float &fade) {
  const float far = most * LCTX_EXPONENT, at = far == -LCTX_INF ? 0.0f : far;
  fade = lctx_ex2(before * LCTX_EXPONENT - at);
  before = most;
  sum *= fade;
  return at;
}
/* Scores to weights where all pairs are far: in each block one key counts for the row, the others share what it receives. */
LCTX_DEVICE void lctx_far_weights(float (&s)[${count}], lctx_state &x) {
  const bool holds = (lctx_lane() & 3) == LCTX_HOLDER;
  float read0[LCTX_BLOCKS], read1[LCTX_BLOCKS], most0 = x.most0, most1 = x.most1;
#pragma unroll
  for (int j = 0; j < LCTX_BLOCKS; j++) {
    float &own0 = s[j * LCTX_IN_BLOCK + LCTX_READ], &own1 = s[j * LCTX_IN_BLOCK + LCTX_READ + 2];
    read0[j] = lctx_of_holder(own0), read1[j] = lctx_of_holder(own1);
    most0 = fmaxf(most0, read0[j]), most1 = fmaxf(most1, read1[j]);
    own0 = holds ? -LCTX_INF : own0, own1 = holds ? -LCTX_INF : own1;
  }
  const float at0 = lctx_raise(most0, x.most0, x.sum0, x.fade0), at1 = lctx_raise(most1, x.most1, x.sum1, x.fade1);
#pragma unroll
  for (int j = 0; j < LCTX_BLOCKS; j++) {
    float top0 = -LCTX_INF, top1 = -LCTX_INF, total0 = 0.0f, total1 = 0.0f;
#pragma unroll
    for (int i = j * LCTX_IN_BLOCK; i < (j + 1) * LCTX_IN_BLOCK; i += 4)
      top0 = fmaxf(top0, fmaxf(s[i], s[i + 1])), top1 = fmaxf(top1, fmaxf(s[i + 2], s[i + 3]));
    top0 = lctx_row_max(top0) * LCTX_EXPONENT, top1 = lctx_row_max(top1) * LCTX_EXPONENT;
    const float from0 = top0 == -LCTX_INF ? 0.0f : top0, from1 = top1 == -LCTX_INF ? 0.0f : top1;
#pragma unroll
    for (int i = j * LCTX_IN_BLOCK; i < (j + 1) * LCTX_IN_BLOCK; i += 4) {
      s[i] = lctx_ex2(s[i] * LCTX_EXPONENT - from0), s[i + 1] = lctx_ex2(s[i + 1] * LCTX_EXPONENT - from0);
      s[i + 2] = lctx_ex2(s[i + 2] * LCTX_EXPONENT - from1), s[i + 3] = lctx_ex2(s[i + 3] * LCTX_EXPONENT - from1);
      total0 += s[i] + s[i + 1], total1 += s[i + 2] + s[i + 3];
    }
    total0 = lctx_row_sum(total0), total1 = lctx_row_sum(total1);
    const float near0 = lctx_ex2(read0[j] * LCTX_EXPONENT - at0), near1 = lctx_ex2(read1[j] * LCTX_EXPONENT - at1);
    x.sum0 += holds ? near0 : 0.0f, x.sum1 += holds ? near1 : 0.0f;
    const float by0 = total0 > 0.0f ? __fdividef(near0, total0) : 0.0f, by1 = total1 > 0.0f ? __fdividef(near1, total1) : 0.0f;
#pragma unroll
    for (int i = j * LCTX_IN_BLOCK; i < (j + 1) * LCTX_IN_BLOCK; i += 4)
      s[i] *= by0, s[i + 1] *= by0, s[i + 2] *= by1, s[i + 3] *= by1;
  }
}
/* The same for any pairs of one of the two rows: what each is for is found first, in words, away from accumulators. */
template <int kRow>
LCTX_DEVICE void lctx_near_row(const lctx_pairs &p, float (&s)[${count}], float &before, float &sum, float &fade, int b, int h,
                               int q, int k, int keys) {
  u32 row = 0, block = 0, self = 0, local = 0;
#pragma unroll 4
  for (int n = 0; n < ${count / 2}; n++) {
    const int column = k + (n >> 1) * 8 + (n & 1);
    if (column < keys) {
      const u32 flags = lctx_flags(p, b, h, q, column);
      row |= (flags & 1) << n, block |= (flags >> 1 & 1) << n;
      self |= (flags >> 2 & 1) << n, local |= (flags >> 3 & 1) << n;
    }
  }
/* Number n of the row, and whether a word has its bit. */
#define LCTX_OF_ROW(n) s[((n) >> 1) * 4 + 2 * kRow + ((n) & 1)]
#define LCTX_SET(word, n) ((word) >> (n) & 1)
  constexpr int kIn = LCTX_IN_BLOCK / 2, kRead = LCTX_READ / 2 + LCTX_READ % 2;
  float most = before;
#pragma unroll
  for (int n = 0; n < ${count / 2}; n++) most = fmaxf(most, LCTX_SET(row, n) ? LCTX_OF_ROW(n) : -LCTX_INF);
  const float at = lctx_raise(lctx_row_max(most), before, sum, fade);
#pragma unroll
  for (int j = 0; j < LCTX_BLOCKS; j++) {
    const float read = lctx_of_holder(LCTX_SET(row, j * kIn + kRead) ? LCTX_OF_ROW(j * kIn + kRead) : -LCTX_INF);
    float top = -LCTX_INF, total = 0.0f;
#pragma unroll
    for (int n = j * kIn; n < (j + 1) * kIn; n++) top = fmaxf(top, LCTX_SET(block, n) ? LCTX_OF_ROW(n) : -LCTX_INF);
    top = lctx_row_max(top) * LCTX_EXPONENT;
    const float from = top == -LCTX_INF ? 0.0f : top;
#pragma unroll
    for (int n = j * kIn; n < (j + 1) * kIn; n++)
      total += LCTX_SET(block, n) ? lctx_ex2(LCTX_OF_ROW(n) * LCTX_EXPONENT - from) : 0.0f;
    total = lctx_row_sum(total);
    const float by = total > 0.0f ? __fdividef(lctx_ex2(read * LCTX_EXPONENT - at), total) : 0.0f;
#pragma unroll
    for (int n = j * kIn; n < (j + 1) * kIn; n++) {
      float &y = LCTX_OF_ROW(n);
      const float own = lctx_ex2(y * LCTX_EXPONENT - at), inside = lctx_ex2(y * LCTX_EXPONENT - from) * by;
      sum += LCTX_SET(row, n) ? own : 0.0f;
      y = LCTX_SET(self, n) ? own : LCTX_SET(local, n) ? inside : 0.0f;
    }
  }
#undef LCTX_OF_ROW
#undef LCTX_SET
}
LCTX_DEVICE void lctx_near_weights(const lctx_pairs &p, float (&s)[${count}], lctx_state &x, int b, int h, int q0, int q1,
                                   int k, int keys) {
  lctx_near_row<0>(p, s, x.most0, x.sum0, x.fade0, b, h, q0, k, keys);
  lctx_near_row<1>(p, s, x.most1, x.sum1, x.fade1, b, h, q1, k, keys);
}
`;
}
