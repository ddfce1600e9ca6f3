/** Device text of the sm_80 forward pass: 64 queries a block, running softmax over blocks of keys. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/** Needs the constants of `AttentionPlan`, pairs, tiles and logits. One call handles query block `block` of head `h` of row `b`. */
export const forwardText: Fragment = c`
struct lctx_operands {
  const lctx_element *query[kRegions], *key[kRegions], *value, *early_key, *early_value;
  int queries, keys, early;
};
/* Running state of this warp's 16 queries; a lane has two of them. */
struct lctx_running {
  float sum[kWidthPadded / 8][4], most[2], total[2];
};
LCTX_DEVICE void lctx_take(lctx_running &o, const lctx_pairs &p, const lctx_tile &x, const lctx_element *queries,
                           const lctx_element *keys, const lctx_element *values, lctx_element *exchange) {
  float s[kKeys / 8][4];
  lctx_raw<kKeys>(s, queries, keys, x, p, true);
  const int lane = lctx_lane(), row = x.row0 + lctx_warp() * 16 + lane / 4;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    float most = o.most[i];
#pragma unroll
    for (int n = 0; n < kKeys / 8; n++)
#pragma unroll
      for (int j = 0; j < 2; j++) {
        float &y = s[n][2 * i + j];
        y = lctx_masked(p, x, y, row + 8 * i, x.column0 + n * 8 + lane % 4 * 2 + j, true);
        most = fmaxf(most, y);
      }
    most = lctx_row_max(most);
    /* A row that has seen nothing yet keeps 0 as its reference, so that its weights are 0 and not NaN. */
    const float safe = most == -LCTX_INF ? 0.0f : most;
    const float alpha = lctx_ex2(o.most[i] - safe);
    float total = 0.0f;
#pragma unroll
    for (int n = 0; n < kKeys / 8; n++)
#pragma unroll
      for (int j = 0; j < 2; j++) {
        float &y = s[n][2 * i + j];
        y = lctx_ex2(y - safe);
        total += y;
      }
    o.most[i] = most;
    o.total[i] = o.total[i] * alpha + total;
#pragma unroll
    for (int n = 0; n < kWidthPadded / 8; n++) o.sum[n][2 * i] *= alpha, o.sum[n][2 * i + 1] *= alpha;
  }
  lctx_by_columns<kKeys, kWidthPadded>(o.sum, s, values, exchange);
}
/* Starts copies of the keys and values of one block into a stage. */
LCTX_DEVICE void lctx_start_block(const lctx_operands &a, lctx_element *keys, lctx_element *values, int b, int g, int k0,
                                  int count, bool early) {
  const long long row = early ? k0 : (long long)b * a.keys + k0;
#pragma unroll
  for (int r = 0; r < kRegions; r++)
    if (!early || r == 0)
      lctx_load_rows<kKeys, kDepth, kDepthPadded>(keys + r * kKeys * LCTX_STRIDE(kDepthPadded),
                                                  (early ? a.early_key : a.key[r]) + (row * kGroups + g) * kDepth,
                                                  kGroups * kDepth, count);
  lctx_load_rows<kKeys, kWidth, kWidthPadded>(values, (early ? a.early_value : a.value) + (row * kGroups + g) * kWidth,
                                              kGroups * kWidth, count);
}
LCTX_DEVICE void lctx_forward(const lctx_pairs &p, const lctx_operands &a, lctx_element *output, float *lse,
                              unsigned char *memory, int b, int h, int block) {
  constexpr int kKeyTile = kLoaded * kKeys * LCTX_STRIDE(kDepthPadded), kValueTile = kKeys * LCTX_STRIDE(kWidthPadded);
  lctx_element *queries = (lctx_element *)memory;
  lctx_element *stages = queries + kLoaded * LCTX_ROWS * LCTX_STRIDE(kDepthPadded);
  lctx_element *exchange = stages + kStages * (kKeyTile + kValueTile);
  const int g = h / (kHeads / kGroups), first = block * LCTX_ROWS, count = min(LCTX_ROWS, a.queries - first);
  const long long row = (long long)b * a.queries + first;
#pragma unroll
  for (int r = 0; r < kRegions; r++)
    lctx_load_rows<LCTX_ROWS, kDepth, kDepthPadded>(queries + r * LCTX_ROWS * LCTX_STRIDE(kDepthPadded),
                                                    a.query[r] + (row * kHeads + h) * kDepth, kHeads * kDepth, count);
  lctx_tile x;
  x.b = b, x.h = h, x.row0 = p.start + first, x.row_end = 0x7fffffff;
  const int q0 = x.row0, q1 = q0 + count - 1;
  const lctx_ranges seen = lctx_key_ranges(p, b, h, q0, q1, kKeys);
  lctx_walk walk = lctx_start_walk();
  lctx_running o;
  lctx_clear(o.sum);
  o.most[0] = o.most[1] = -LCTX_INF;
  o.total[0] = o.total[1] = 0.0f;
  /* Blocks are counted on: first those of keys before the text, then those of keys that are seen. */
  const int early_blocks = (a.early + kKeys - 1) / kKeys;
  int at = early_blocks > 0 ? -early_blocks : lctx_next_seen<true>(walk, p, seen, b, h, q0, q1, 0, kKeys, a.keys);
  int stage = 0;
#define LCTX_START(block_, stage_)                                                                       \\
  {                                                                                                      \\
    const bool early_ = (block_) < 0;                                                                    \\
    const int k0_ = (early_ ? (block_) + early_blocks : (block_)) * kKeys;                               \\
    lctx_element *to_ = stages + (stage_) * (kKeyTile + kValueTile);                                     \\
    lctx_start_block(a, to_, to_ + kKeyTile, b, g, k0_, min(kKeys, (early_ ? a.early : a.keys) - k0_), early_); \\
  }
  if (at != LCTX_NO_BLOCK) LCTX_START(at, 0)
  lctx_copies_end();
  while (at != LCTX_NO_BLOCK) {
    const int next = at < -1 ? at + 1 : lctx_next_seen<true>(walk, p, seen, b, h, q0, q1, at < 0 ? 0 : at + 1, kKeys, a.keys);
    if (kStages > 1) {
      if (next != LCTX_NO_BLOCK) LCTX_START(next, stage ^ 1)
      lctx_copies_end();
      lctx_copies_wait<1>();
    } else lctx_copies_wait<0>();
    __syncthreads();
    x.early = at < 0;
    const int k0 = (x.early ? at + early_blocks : at) * kKeys, k_end = x.early ? a.early : a.keys;
    x.column0 = k0, x.column_end = k_end;
    x.guard = k0 + kKeys > k_end || (!x.early && !lctx_all(p, b, h, q0, q1, k0, k0 + kKeys - 1));
    x.region = x.early ? 0 : lctx_block_region(p, b, h, q0, q1, k0, min(k0 + kKeys, k_end) - 1);
    const lctx_element *keys = stages + stage * (kKeyTile + kValueTile);
    lctx_take(o, p, x, queries, keys, keys + kKeyTile, exchange);
    __syncthreads();
    if (kStages > 1) stage ^= 1;
    else {
      if (next != LCTX_NO_BLOCK) LCTX_START(next, 0)
      lctx_copies_end();
    }
    at = next;
  }
#undef LCTX_START
  lctx_copies_wait<0>();
  float factor[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int own = lctx_warp() * 16 + lctx_lane() / 4 + 8 * i;
    float total = lctx_row_sum(o.total[i]), alpha = 1.0f;
    if (kSinks) alpha = lctx_add_sink(p, b, h, x.row0 + own, o.most[i], total);
    factor[i] = total > 0.0f ? alpha / total : 0.0f;
    if (lctx_lane() % 4 == 0 && own < count)
      lse[(row + own) * kHeads + h] = total > 0.0f ? (o.most[i] + lctx_lg2(total)) * 0.693147181f : -LCTX_INF;
  }
  lctx_store_rows<kWidth>(output + (row * kHeads + h) * kWidth, kHeads * kWidth, count, o.sum, factor);
}
`;
