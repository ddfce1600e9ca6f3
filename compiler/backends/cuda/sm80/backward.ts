/** Device text of the sm_80 backward pass: keys by key block, queries by query block; sums in fixed order, no atomics. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * Logits are computed again from the log-sum-exp. The keys' kernel loops over the query heads of its group and the
 * blocks of queries that may see it; the queries' kernel over the blocks of keys that it may see. A kernel handles the
 * regions kFirstRegion … (kLoaded of them): pairs of other regions give nothing.
 */
export const backwardText: Fragment = c`
struct lctx_adjoint {
  const lctx_element *output, *out_gradient;
  const float *lse;
  /* Sum of output by output gradient, and log-sum-exp times log2 e (+inf for rows without keys), [b, t, h]. */
  float *delta, *lse2;
};
/* One warp a row of [b, t, h]. */
LCTX_DEVICE void lctx_prepare(const lctx_adjoint &y, long long rows) {
  const long long row = (long long)blockIdx.x * (LCTX_THREADS / 32) + lctx_warp();
  if (row >= rows) return;
  float sum = 0.0f;
  for (int e = lctx_lane(); e < kWidth; e += 32)
    sum += lctx_real(y.output[row * kWidth + e]) * lctx_real(y.out_gradient[row * kWidth + e]);
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += lctx_swap(sum, lanes);
  if (lctx_lane() != 0) return;
  const float lse = y.lse[row];
  y.delta[row] = sum;
  /* A row without keys: e^(-inf - inf) = 0. */
  y.lse2[row] = lse == -LCTX_INF ? LCTX_INF : lse * LCTX_LOG2E;
}
/* Of one pair, from its scaled logit s and weight gradient dp: its weight, what that gives the score (share), and the logit (ds). */
LCTX_DEVICE float lctx_pair(const lctx_pairs &p, const lctx_tile &x, float s, float dp, float lse2, float delta, int row,
                            int column, bool rows_are_queries, float &share, float &ds) {
  const int q = rows_are_queries ? row : column, k = rows_are_queries ? column : row;
  const float y = lctx_masked(p, x, s, row, column, rows_are_queries);
  const bool hidden = y == -LCTX_INF;
  const float weight = hidden ? 0.0f : lctx_ex2(y - lse2);
  const bool elsewhere =
    kLoaded < kRegions && !x.early && x.region < 0 && lctx_region(p, x.b, x.h, q, k) != kFirstRegion;
  share = hidden || elsewhere ? 0.0f : weight * (dp - delta);
  ds = kScored && !x.early && share != 0.0f ? share * lctx_slope(p, s, x.b, x.h, q, k) : share;
  return weight;
}
/* True when no pair of the tile lies in the regions of this kernel. */
LCTX_DEVICE bool lctx_elsewhere(int region) { return kLoaded < kRegions && region >= 0 && region != kFirstRegion; }

/* Copies queries, output gradients and their two numbers of one block into a stage. */
LCTX_DEVICE void lctx_start_queries(const lctx_operands &a, const lctx_adjoint &y, lctx_element *queries,
                                    lctx_element *gradients, float *numbers, int b, int h, int first) {
  const int count = min(kQueries, a.queries - first);
  const long long row = (long long)b * a.queries + first;
#pragma unroll
  for (int r = 0; r < kLoaded; r++)
    lctx_load_rows<kQueries, kDepth, kDepthPadded>(queries + r * kQueries * LCTX_STRIDE(kDepthPadded),
                                                   a.query[kFirstRegion + r] + (row * kHeads + h) * kDepth,
                                                   kHeads * kDepth, count);
  lctx_load_rows<kQueries, kWidth, kWidthPadded>(gradients, y.out_gradient + (row * kHeads + h) * kWidth,
                                                 kHeads * kWidth, count);
  for (int i = threadIdx.x; i < kQueries; i += LCTX_THREADS) {
    numbers[i] = i < count ? y.lse2[(row + i) * kHeads + h] : LCTX_INF;
    numbers[kQueries + i] = i < count ? y.delta[(row + i) * kHeads + h] : 0.0f;
  }
}
/* What one block of queries adds to the gradients of this block of keys. */
template <int kKeyTiles, int kValueTiles>
LCTX_DEVICE void lctx_add_queries(float (&dk)[kKeyTiles][4], float (&dv)[kValueTiles][4], const lctx_pairs &p,
                                  const lctx_tile &x, const lctx_element *keys, const lctx_element *values,
                                  const lctx_element *queries, const lctx_element *gradients, const float *numbers,
                                  lctx_element *exchange) {
  float s[kQueries / 8][4], dp[kQueries / 8][4];
  lctx_raw<kQueries>(s, keys, queries, x, p, false);
  lctx_clear(dp);
  lctx_by_rows<kQueries, kWidthPadded>(dp, values, gradients);
  const int lane = lctx_lane(), row = x.row0 + lctx_warp() * 16 + lane / 4;
#pragma unroll
  for (int n = 0; n < kQueries / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int own = n * 8 + lane % 4 * 2 + i % 2;
      float share, ds;
      s[n][i] = lctx_pair(p, x, s[n][i], dp[n][i], numbers[own], numbers[kQueries + own], row + i / 2 * 8,
                          x.column0 + own, false, share, ds);
      dp[n][i] = ds;
    }
  if constexpr (kWantsValue) lctx_by_columns<kQueries, kWidthPadded>(dv, s, gradients, exchange);
  if constexpr (kWantsKey) lctx_by_columns<kQueries, kDepthPadded>(dk, dp, queries, exchange);
}
/* Gradients of 64 keys of key-value head g: of row b, or of keys before the text over all rows (b < 0). */
LCTX_DEVICE void lctx_backward_keys(const lctx_pairs &p, const lctx_operands &a, const lctx_adjoint &y,
                                    lctx_element *key_gradient, lctx_element *value_gradient, unsigned char *memory, int b,
                                    int g, int block) {
  lctx_element *keys = (lctx_element *)memory;
  lctx_element *values = keys + kLoaded * LCTX_ROWS * LCTX_STRIDE(kDepthPadded);
  lctx_element *queries = values + LCTX_ROWS * LCTX_STRIDE(kWidthPadded);
  lctx_element *gradients = queries + kLoaded * kQueries * LCTX_STRIDE(kDepthPadded);
  float *numbers = (float *)(gradients + kQueries * LCTX_STRIDE(kWidthPadded));
  lctx_element *exchange = (lctx_element *)(numbers + 2 * kQueries);
  const bool early = b < 0;
  const int first = block * LCTX_ROWS, all = early ? a.early : a.keys, count = min(LCTX_ROWS, all - first);
  const long long row = early ? first : (long long)b * a.keys + first;
#pragma unroll
  for (int r = 0; r < kLoaded; r++)
    lctx_load_rows<LCTX_ROWS, kDepth, kDepthPadded>(keys + r * LCTX_ROWS * LCTX_STRIDE(kDepthPadded),
                                                    (early ? a.early_key : a.key[kFirstRegion + r]) + (row * kGroups + g) * kDepth,
                                                    kGroups * kDepth, count);
  lctx_load_rows<LCTX_ROWS, kWidth, kWidthPadded>(values, (early ? a.early_value : a.value) + (row * kGroups + g) * kWidth,
                                                  kGroups * kWidth, count);
  lctx_copies_end();
  float dk[kWantsKey ? kDepthPadded / 8 : 1][4], dv[kWantsValue ? kWidthPadded / 8 : 1][4];
  lctx_clear(dk);
  lctx_clear(dv);
  const int k0 = first, k1 = first + count - 1;
  lctx_tile x;
  x.row0 = k0, x.row_end = k1 + 1, x.early = early;
  for (int own = early ? 0 : b; own < (early ? p.batch : b + 1); own++)
    for (int h = g * (kHeads / kGroups); h < (g + 1) * (kHeads / kGroups); h++) {
      lctx_ranges seeing;
      lctx_walk walk = lctx_start_walk();
      if (!early) seeing = lctx_query_ranges(p, own, h, k0, k1, kQueries);
      const int blocks = (a.queries + kQueries - 1) / kQueries;
      for (int at = early ? 0 : lctx_next_seen<false>(walk, p, seeing, own, h, k0, k1, 0, kQueries, a.queries); at < blocks;
           at = early ? at + 1 : lctx_next_seen<false>(walk, p, seeing, own, h, k0, k1, at + 1, kQueries, a.queries)) {
        const int start = at * kQueries, q0 = p.start + start, q1 = p.start + min(start + kQueries, a.queries) - 1;
        x.b = own, x.h = h, x.column0 = q0, x.column_end = q1 + 1;
        x.region = early ? 0 : lctx_block_region(p, own, h, q0, q1, k0, k1);
        if (!kWantsValue && lctx_elsewhere(x.region)) continue;
        x.guard = count < LCTX_ROWS || q1 - q0 + 1 < kQueries || (!early && !lctx_all(p, own, h, q0, q1, k0, k1));
        lctx_start_queries(a, y, queries, gradients, numbers, own, h, start);
        lctx_copies_end();
        lctx_copies_wait<0>();
        __syncthreads();
        lctx_add_queries(dk, dv, p, x, keys, values, queries, gradients, numbers, exchange);
        __syncthreads();
      }
    }
  const float scaled[2] = {kScale, kScale}, plain[2] = {1.0f, 1.0f};
  if constexpr (kWantsKey)
    lctx_store_rows<kDepth>(key_gradient + (row * kGroups + g) * kDepth, kGroups * kDepth, count, dk, scaled);
  if constexpr (kWantsValue)
    lctx_store_rows<kWidth>(value_gradient + (row * kGroups + g) * kWidth, kGroups * kWidth, count, dv, plain);
}
/* Gradients of 64 queries of head h, in the kernel's one region, and its shares of the tables' gradients. */
LCTX_DEVICE void lctx_backward_queries(const lctx_pairs &p, const lctx_operands &a, const lctx_adjoint &y,
                                       const lctx_trained &trained, lctx_element *query_gradient, unsigned char *memory,
                                       int b, int h, int block) {
  lctx_element *queries = (lctx_element *)memory;
  lctx_element *gradients = queries + LCTX_ROWS * LCTX_STRIDE(kDepthPadded);
  lctx_element *keys = gradients + LCTX_ROWS * LCTX_STRIDE(kWidthPadded);
  lctx_element *values = keys + kKeys * LCTX_STRIDE(kDepthPadded);
  lctx_element *exchange = values + kKeys * LCTX_STRIDE(kWidthPadded);
  const int g = h / (kHeads / kGroups), first = block * LCTX_ROWS, count = min(LCTX_ROWS, a.queries - first);
  const long long row = (long long)b * a.queries + first;
  lctx_load_rows<LCTX_ROWS, kDepth, kDepthPadded>(queries, a.query[kFirstRegion] + (row * kHeads + h) * kDepth,
                                                  kHeads * kDepth, count);
  lctx_load_rows<LCTX_ROWS, kWidth, kWidthPadded>(gradients, y.out_gradient + (row * kHeads + h) * kWidth,
                                                  kHeads * kWidth, count);
  lctx_copies_end();
  const int lane = lctx_lane(), own = lctx_warp() * 16 + lane / 4;
  float lse2[2], delta[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const bool inside = own + 8 * i < count;
    lse2[i] = inside ? y.lse2[(row + own + 8 * i) * kHeads + h] : LCTX_INF;
    delta[i] = inside ? y.delta[(row + own + 8 * i) * kHeads + h] : 0.0f;
  }
  lctx_shares shares;
  lctx_start_shares(shares);
  float dq[kDepthPadded / 8][4];
  lctx_clear(dq);
  lctx_tile x;
  x.b = b, x.h = h, x.row0 = p.start + first, x.row_end = x.row0 + count;
  const int q0 = x.row0, q1 = q0 + count - 1;
  const lctx_ranges seen = lctx_key_ranges(p, b, h, q0, q1, kKeys);
  const int early_blocks = kFirstRegion == 0 ? (a.early + kKeys - 1) / kKeys : 0;
  lctx_walk walk = lctx_start_walk();
  for (int at = early_blocks > 0 ? -early_blocks : lctx_next_seen<true>(walk, p, seen, b, h, q0, q1, 0, kKeys, a.keys);
       at != LCTX_NO_BLOCK;
       at = at < -1 ? at + 1 : lctx_next_seen<true>(walk, p, seen, b, h, q0, q1, at < 0 ? 0 : at + 1, kKeys, a.keys)) {
    x.early = at < 0;
    const int k0 = (x.early ? at + early_blocks : at) * kKeys, k_end = x.early ? a.early : a.keys;
    const int k1 = min(k0 + kKeys, k_end) - 1;
    x.region = x.early ? 0 : lctx_block_region(p, b, h, q0, q1, k0, k1);
    if (lctx_elsewhere(x.region)) continue;
    x.column0 = k0, x.column_end = k_end;
    x.guard = count < LCTX_ROWS || k1 - k0 + 1 < kKeys || (!x.early && !lctx_all(p, b, h, q0, q1, k0, k1));
    const long long from = x.early ? k0 : (long long)b * a.keys + k0;
    lctx_load_rows<kKeys, kDepth, kDepthPadded>(keys, (x.early ? a.early_key : a.key[kFirstRegion]) + (from * kGroups + g) * kDepth,
                                                kGroups * kDepth, k1 - k0 + 1);
    lctx_load_rows<kKeys, kWidth, kWidthPadded>(values, (x.early ? a.early_value : a.value) + (from * kGroups + g) * kWidth,
                                                kGroups * kWidth, k1 - k0 + 1);
    lctx_copies_end();
    lctx_copies_wait<0>();
    __syncthreads();
    float s[kKeys / 8][4], dp[kKeys / 8][4];
    lctx_raw<kKeys>(s, queries, keys, x, p, true);
    lctx_clear(dp);
    lctx_by_rows<kKeys, kWidthPadded>(dp, gradients, values);
#pragma unroll
    for (int n = 0; n < kKeys / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int position = x.row0 + own + i / 2 * 8, column = x.column0 + n * 8 + lane % 4 * 2 + i % 2;
        float share, ds;
        lctx_pair(p, x, s[n][i], dp[n][i], lse2[i / 2], delta[i / 2], position, column, true, share, ds);
        if (kTrainsTables && !x.early) lctx_take_share(shares, trained, p, i / 2, share, s[n][i], b, h, position, column);
        dp[n][i] = ds;
      }
    lctx_by_columns<kKeys, kDepthPadded>(dq, dp, keys, exchange);
    __syncthreads();
  }
  lctx_copies_wait<0>();
  if (kTrainsTables) lctx_finish_shares(shares, trained);
  const float scaled[2] = {kScale, kScale};
  if (query_gradient) lctx_store_rows<kDepth>(query_gradient + (row * kHeads + h) * kDepth, kHeads * kDepth, count, dq, scaled);
}
`;
