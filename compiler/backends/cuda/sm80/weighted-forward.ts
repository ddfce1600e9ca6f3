/** Device text of the sm_80 forward pass of attention with weights or turned queries: one running softmax over spans of keys. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * Weights are linear in the row normaliser, so the running softmax rescales what was summed as it does for plain ones. Its
 * maximum is taken over a whole span before any of the span's weights: one may be read at a later key.
 */
export const weightedForwardText: Fragment = c`
LCTX_DEVICE void lctx_weighted_forward(const lctx_pairs &p, const lctx_operands &a, lctx_element *output, float *lse,
                                       unsigned char *memory, int b, int h, int block) {
  lctx_weighing w = lctx_start_weighing(p, memory);
  const int first = block * LCTX_ROWS;
  lctx_place x;
  x.b = b, x.h = h, x.q0 = p.start + first, x.query_count = min(LCTX_ROWS, a.queries - first);
  const int q0 = x.q0, q1 = q0 + x.query_count - 1;
  const long long row = (long long)b * a.queries + first;
  const lctx_ranges seen = lctx_key_ranges(p, b, h, q0, q1, kSpan);
  lctx_walk walk = lctx_start_walk();
  float sum[kWidthPadded / 8][4], most[2] = {-LCTX_INF, -LCTX_INF}, total[2] = {0.0f, 0.0f};
  lctx_clear(sum);
  const int early_tiles = (a.early + kTileKeys - 1) / kTileKeys;
  for (int at = early_tiles > 0 ? -early_tiles : lctx_next_seen<true>(walk, p, seen, b, h, q0, q1, 0, kSpan, a.keys);
       at != LCTX_NO_BLOCK;
       at = at < -1 ? at + 1 : lctx_next_seen<true>(walk, p, seen, b, h, q0, q1, at < 0 ? 0 : at + 1, kSpan, a.keys)) {
    x.early = at < 0;
    x.span0 = x.early ? (at + early_tiles) * kTileKeys : at * kSpan;
    const int end = x.early ? min(x.span0 + kTileKeys, a.early) : min(x.span0 + kSpan, a.keys);
    x.region = x.early ? 0 : lctx_block_region(p, b, h, q0, q1, x.span0, end - 1);
    float s[kColumns / 8][4], top[2] = {most[0], most[1]};
    if (!x.early) lctx_start_stats(w);
#pragma unroll 1
    for (x.k0 = x.span0; x.k0 < end; x.k0 += kTileKeys) {
      x.k_end = min(x.k0 + kTileKeys, end);
      lctx_find_logits(s, w, p, a, x);
      if (!x.early) lctx_add_stats(s, w, p, x);
      if (kOfRow)
#pragma unroll
        for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
          for (int i = 0; i < 4; i++)
            top[i / 2] = fmaxf(top[i / 2], lctx_row_power(p, x, s[n][i], lctx_query_of(n, i), lctx_key_of(n, i)));
    }
    if (!x.early) lctx_finish_stats(w);
    float reference[2] = {0.0f, 0.0f};
    if (kOfRow)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        top[i] = lctx_row_max(top[i]);
        /* A row that has seen nothing yet keeps 0 as its reference, so that its weights are 0 and not NaN. */
        reference[i] = top[i] == -LCTX_INF ? 0.0f : top[i];
        const float alpha = lctx_ex2(most[i] - reference[i]);
        most[i] = top[i];
        total[i] *= alpha;
#pragma unroll
        for (int n = 0; n < kWidthPadded / 8; n++) sum[n][2 * i] *= alpha, sum[n][2 * i + 1] *= alpha;
      }
#pragma unroll 1
    for (x.k0 = x.span0; x.k0 < end; x.k0 += kTileKeys) {
      x.k_end = min(x.k0 + kTileKeys, end);
      if (kChunks > 1 && !x.early) lctx_find_logits(s, w, p, a, x);
      lctx_hold_values(w, a, x);
#pragma unroll
      for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int query = lctx_query_of(n, i), key = lctx_key_of(n, i);
          const lctx_read y = lctx_read_pair(w, p, x, s[n][i], query, key, reference[i / 2]);
          total[i / 2] += y.row;
          s[n][i] = lctx_weight_of(y, p, x, s[n][i], query, key);
        }
      lctx_by_columns<kColumns, kWidthPadded>(sum, s, w.values, w.exchange);
    }
  }
  float factor[2] = {1.0f, 1.0f};
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int own = lctx_row_of(2 * i);
    float all = lctx_row_sum(total[i]), alpha = 1.0f;
    if (kSinks) alpha = lctx_add_sink(p, b, h, x.q0 + own, most[i], all);
    if (kOfRow) factor[i] = all > 0.0f ? alpha / all : 0.0f;
    if (lctx_lane() % 4 == 0 && own < x.query_count)
      lse[(row + own) * kHeads + h] = !kOfRow ? 0.0f : all > 0.0f ? (most[i] + lctx_lg2(all)) * 0.693147181f : -LCTX_INF;
  }
  lctx_store_rows<kWidth>(output + (row * kHeads + h) * kWidth, kHeads * kWidth, x.query_count, sum, factor);
}
`;
