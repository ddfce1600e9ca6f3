/** What the backward kernel does to its fragments in a softmax of two levels: weights and slopes of a step, far or of any kind. */
import { c, realLiteral, type Fragment } from "../../../ir/kernel.ts";
import type { BackwardOptions } from "./backward-shape.ts";
import { flagsText, type Levels } from "./levels-shape.ts";

/** For each half of a thread's queries: `body` makes v[at] and v[at + 1] of queries 8 j + 2 quad and the next, which are reduced. */
const reduced = (most: boolean, to: Fragment, body: Fragment): Fragment => c`#pragma unroll
  for (int half = 0; half < 2; half++) {
    float v[8];
#pragma unroll
    for (int j = 4 * half; j < 4 * half + 4; j++) {
      const int at = 2 * j - 8 * half;
${body}    }
    lctx_reduce<${most ? c`true` : c`false`}>(v, ${to}, half, y.warp, y.lane);
  }
`;

/**
 * A thread holds keys own and own + 8 of its warp's 16, of 16 of a step's 64 queries: number i is of key i / 2 mod 2 and of
 * query 8 (i / 4) + 2 quad + i mod 2. Blocks are of 16, 32 or 64 keys, so of one, two or all four warps of a warpgroup. What
 * is known of a query and a block is reduced over a warp by exchange, then over warps through shared memory:
 * most, total [warp][query], and read, level, near [block][query], by [warp][query].
 */
export function levelsBackwardText({ size, position }: Levels, { scale, tile }: BackwardOptions): Fragment {
  if (tile.rows !== 64 || tile.keys !== 128)
    throw new Error("two levels want steps of 64 queries and 128 keys");
  const warps = size / 16;
  return c`${flagsText}
#define LCTX_POWER ${realLiteral(scale * Math.LOG2E)}
/* Warps of a block, blocks of a warpgroup; of the key that is read: its warp of those, its row there, which of two. */
#define LCTX_WARPS ${warps}
#define LCTX_BLOCKS ${4 / warps}
#define LCTX_READ_WARP ${Math.floor(position / 16)}
#define LCTX_READ_ROW ${position % 8}
#define LCTX_READ_KEY ${Math.floor(position / 8) % 2}
struct lctx_levels {
  float *most, *total, *read, *level, *near, *by;
  int warp, lane, block, thread, barrier;
  bool holds;
};
LCTX_DEVICE lctx_levels lctx_start_levels(float *room, int thread, int barrier) {
  lctx_levels y;
  y.most = room, y.total = room + 256, y.read = room + 512, y.level = room + 768, y.near = room + 1024, y.by = room + 1280;
  y.thread = thread, y.warp = thread >> 5, y.lane = thread & 31, y.barrier = barrier;
  y.block = y.warp / LCTX_WARPS;
  y.holds = y.warp % LCTX_WARPS == LCTX_READ_WARP && y.lane >> 2 == LCTX_READ_ROW;
  return y;
}
/* Where a thread's numbers of queries 8 j + 2 quad and the next lie in a row of 64. */
LCTX_DEVICE float2 *lctx_at(float *numbers, int row, int lane, int j) {
  return (float2 *)(numbers + row * 64 + j * 8 + 2 * (lane & 3));
}
/* Reduces numbers of 8 of a thread's 16 queries over the eight threads that have them; each stores that of one query. */
template <bool kMost> LCTX_DEVICE void lctx_reduce(float (&v)[8], float *numbers, int half, int warp, int lane) {
#pragma unroll
  for (int n = 4, bit = 16; n > 0; n /= 2, bit /= 2) {
    const bool up = (lane & bit) != 0;
#pragma unroll
    for (int i = 0; i < n; i++) {
      const float own = up ? v[i + n] : v[i], other = __shfl_xor_sync(0xffffffffu, up ? v[i] : v[i + n], bit);
      v[i] = kMost ? fmaxf(own, other) : own + other;
    }
  }
  const int row = lane >> 2;
  numbers[warp * 64 + 32 * half + (row >> 1) * 8 + 2 * (lane & 3) + (row & 1)] = v[0];
}
/* After all warps have their most and total: the block's log-sum-exp, its key's share of the row, and factors of warps. */
LCTX_DEVICE void lctx_join_levels(const lctx_levels &y, const float *powers) {
  lctx_meet(y.barrier, 128);
#pragma unroll
  for (int n = y.thread; n < 64 * LCTX_BLOCKS; n += 128) {
    const int block = n >> 6, query = n & 63, first = block * LCTX_WARPS * 64 + query;
    float most[LCTX_WARPS], top = -LCTX_INF, total = 0.0f;
#pragma unroll
    for (int w = 0; w < LCTX_WARPS; w++) most[w] = y.most[first + w * 64], top = fmaxf(top, most[w]);
    const float safe = top == -LCTX_INF ? 0.0f : top;
#pragma unroll
    for (int w = 0; w < LCTX_WARPS; w++) {
      most[w] = lctx_ex2(most[w] - safe);
      total += y.total[first + w * 64] * most[w];
    }
    const float inverse = total > 0.0f ? __fdividef(1.0f, total) : 0.0f;
#pragma unroll
    for (int w = 0; w < LCTX_WARPS; w++) y.by[first + w * 64] = most[w] * inverse;
    y.level[n] = total > 0.0f ? top + lctx_log2(total) : LCTX_INF;
    y.near[n] = lctx_ex2(y.read[n] - powers[query]);
  }
  lctx_meet(y.barrier, 128);
}
/* What weights of the block move, over its warps; all have stored theirs. */
LCTX_DEVICE float2 lctx_moved(const lctx_levels &y, int j) {
  float2 sum = make_float2(0.0f, 0.0f);
#pragma unroll
  for (int w = 0; w < LCTX_WARPS; w++) {
    const float2 own = *lctx_at(y.most, y.block * LCTX_WARPS + w, y.lane, j);
    sum.x += own.x, sum.y += own.y;
  }
  return sum;
}
/* Logits to weights and weight gradients to logit gradients, where all pairs are far. */
LCTX_DEVICE void lctx_far_slopes(float (&s)[32], float (&dp)[32], const float2 *deltas, const float *powers,
                                 const lctx_levels &y) {
  constexpr int kRead = 2 * LCTX_READ_KEY;
${reduced(
  true,
  c`y.most`,
  c`      float &a = s[4 * j + kRead], &b = s[4 * j + kRead + 1];
      if (y.holds) *lctx_at(y.read, y.block, y.lane, j) = make_float2(a * LCTX_POWER, b * LCTX_POWER);
      a = y.holds ? -LCTX_INF : a, b = y.holds ? -LCTX_INF : b;
      v[at] = fmaxf(s[4 * j], s[4 * j + 2]) * LCTX_POWER, v[at + 1] = fmaxf(s[4 * j + 1], s[4 * j + 3]) * LCTX_POWER;
`,
)}  __syncwarp();
${reduced(
  false,
  c`y.total`,
  c`      const float2 most = *lctx_at(y.most, y.warp, y.lane, j);
#pragma unroll
      for (int i = 0; i < 4; i++) s[4 * j + i] = lctx_ex2(s[4 * j + i] * LCTX_POWER - (i & 1 ? most.y : most.x));
      v[at] = s[4 * j] + s[4 * j + 2], v[at + 1] = s[4 * j + 1] + s[4 * j + 3];
`,
)}  lctx_join_levels(y, powers);
  /* Shares of the block in place of scores; what weights move in place of each warp's most. */
${reduced(
  false,
  c`y.most`,
  c`      const float2 by = *lctx_at(y.by, y.warp, y.lane, j), near = *lctx_at(y.near, y.block, y.lane, j);
#pragma unroll
      for (int i = 0; i < 4; i++) s[4 * j + i] *= i & 1 ? by.y : by.x;
      v[at] = near.x * (s[4 * j] * dp[4 * j] + s[4 * j + 2] * dp[4 * j + 2]);
      v[at + 1] = near.y * (s[4 * j + 1] * dp[4 * j + 1] + s[4 * j + 3] * dp[4 * j + 3]);
`,
)}  lctx_meet(y.barrier, 128);
#pragma unroll
  for (int j = 0; j < 8; j++) {
    const float2 near = *lctx_at(y.near, y.block, y.lane, j), moved = lctx_moved(y, j), delta = deltas[4 * j];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float own = i & 1 ? near.y : near.x, all = i & 1 ? moved.y : moved.x, share = s[4 * j + i];
      s[4 * j + i] = share * own;
      dp[4 * j + i] = share * (own * dp[4 * j + i] - all);
      if ((i & 2) == kRead && y.holds) dp[4 * j + i] = all - own * (i & 1 ? delta.y : delta.x);
    }
  }
}
/* The same for any pairs: what each of them is for is found first, in words, away from accumulators. */
LCTX_DEVICE void lctx_near_slopes(const lctx_pairs &p, float (&s)[32], float (&dp)[32], const float2 *powers,
                                  const float2 *deltas, const float *all_powers, const lctx_levels &y, int b, int h, int q,
                                  int k, int keys, int last) {
  constexpr int kRead = 2 * LCTX_READ_KEY;
  /* Bits: queries of the first key, then of the second. */
  u32 row = 0, inside = 0, self = 0, local = 0;
#pragma unroll 4
  for (int n = 0; n < 32; n++) {
    const int query = min(q + (n >> 1 & 7) * 8 + (n & 1), last), key = n & 16 ? k + 8 : k;
    if (key < keys) {
      const u32 flags = lctx_flags(p, b, h, query, key);
      row |= (flags & 1) << n, inside |= (flags >> 1 & 1) << n;
      self |= (flags >> 2 & 1) << n, local |= (flags >> 3 & 1) << n;
    }
  }
/* Number i as a power of two, where its pair is in the word. */
#define LCTX_SET(word, i) ((word) >> (((i) >> 2) * 2 + ((i) & 1) + 8 * ((i) & 2)) & 1)
#define LCTX_OF(word, i) (LCTX_SET(word, i) ? s[i] * LCTX_POWER : -LCTX_INF)
${reduced(
  true,
  c`y.most`,
  c`      if (y.holds)
        *lctx_at(y.read, y.block, y.lane, j) = make_float2(LCTX_OF(row, 4 * j + kRead), LCTX_OF(row, 4 * j + kRead + 1));
#pragma unroll
      for (int i = 0; i < 2; i++) v[at + i] = fmaxf(LCTX_OF(inside, 4 * j + i), LCTX_OF(inside, 4 * j + i + 2));
`,
)}  __syncwarp();
${reduced(
  false,
  c`y.total`,
  c`      const float2 most = *lctx_at(y.most, y.warp, y.lane, j);
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const float top = i & 1 ? most.y : most.x, from = top == -LCTX_INF ? 0.0f : top;
        v[at + i] = lctx_ex2(LCTX_OF(inside, 4 * j + i) - from) + lctx_ex2(LCTX_OF(inside, 4 * j + i + 2) - from);
      }
`,
)}  lctx_join_levels(y, all_powers);
${reduced(
  false,
  c`y.most`,
  c`      const float2 level = *lctx_at(y.level, y.block, y.lane, j), near = *lctx_at(y.near, y.block, y.lane, j);
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const float from = i & 1 ? level.y : level.x, own = i & 1 ? near.y : near.x;
        v[at + i] = own * (lctx_ex2(LCTX_OF(local, 4 * j + i) - from) * dp[4 * j + i] +
                           lctx_ex2(LCTX_OF(local, 4 * j + i + 2) - from) * dp[4 * j + i + 2]);
      }
`,
)}  lctx_meet(y.barrier, 128);
#pragma unroll
  for (int m = 0; m < 16; m++) {
    const int j = m >> 1, bit = m & 1;
    const float level = ((const float *)lctx_at(y.level, y.block, y.lane, j))[bit], near = ((const float *)lctx_at(y.near, y.block, y.lane, j))[bit];
    const float power = ((const float *)(powers + 4 * j))[bit], delta = ((const float *)(deltas + 4 * j))[bit];
    float all = 0.0f;
#pragma unroll
    for (int w = 0; w < LCTX_WARPS; w++) all += ((const float *)lctx_at(y.most, y.block * LCTX_WARPS + w, y.lane, j))[bit];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int i = 4 * j + bit + 2 * half;
      const float share = lctx_ex2(LCTX_OF(inside, i) - level), own = lctx_ex2(LCTX_OF(row, i) - power);
      const float weight = LCTX_SET(self, i) ? own : LCTX_SET(local, i) ? share * near : 0.0f;
      float slope = weight * dp[i] - share * all - own * delta;
      if (2 * half == kRead && y.holds) slope += all;
      s[i] = weight;
      dp[i] = slope;
    }
    /* One query after another: there are no registers to read the next one's numbers ahead. */
    __syncwarp();
  }
#undef LCTX_SET
#undef LCTX_OF
}
`;
}
