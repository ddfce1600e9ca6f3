/** One tile of logits of the sm_80 path: products by region, score, mask; rows may be queries or keys. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * `lctx_raw<kColumns>` fills s with scaled logits; `lctx_masked` turns one into its score times log2 e, −∞ where the pair
 * is hidden. `rows` and `columns` hold kLoaded tiles each, of regions kFirstRegion …; with all regions loaded, `region`
 * −1 means that pairs differ. Row r is position row0 + r, column c position column0 + c. Pairs at or beyond `row_end`,
 * `column_end` are hidden when `guard` is set. `early` keys have neither score nor mask.
 */
export const logitsText: Fragment = c`
#define LCTX_LOG2E 1.44269504f
struct lctx_tile {
  int b, h, row0, column0, row_end, column_end, region;
  bool guard, early;
};
template <int kColumns>
LCTX_DEVICE void lctx_raw(float (&s)[kColumns / 8][4], const lctx_element *rows, const lctx_element *columns,
                          const lctx_tile &x, const lctx_pairs &p, bool rows_are_queries) {
  lctx_clear(s);
  if constexpr (kLoaded == 1) {
    lctx_by_rows<kColumns, kDepthPadded>(s, rows, columns);
  } else {
#pragma unroll 1
    for (int r = 0; r < kLoaded; r++) {
      if (x.region >= 0 && x.region != r) continue;
      float t[kColumns / 8][4];
      lctx_clear(t);
      lctx_by_rows<kColumns, kDepthPadded>(t, rows + r * LCTX_ROWS * LCTX_STRIDE(kDepthPadded),
                                           columns + r * kColumns * LCTX_STRIDE(kDepthPadded));
      const int lane = lctx_lane();
#pragma unroll
      for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int row = x.row0 + lctx_warp() * 16 + lane / 4 + i / 2 * 8, column = x.column0 + n * 8 + lane % 4 * 2 + i % 2;
          const int q = rows_are_queries ? row : column, k = rows_are_queries ? column : row;
          if (x.region == r || lctx_region(p, x.b, x.h, q, k) == r) s[n][i] = t[n][i];
        }
    }
  }
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) s[n][i] *= kScale;
}
/* The score of a pair times log2 e, or minus infinity. */
LCTX_DEVICE float lctx_masked(const lctx_pairs &p, const lctx_tile &x, float s, int row, int column,
                              bool rows_are_queries) {
  const int q = rows_are_queries ? row : column, k = rows_are_queries ? column : row;
  float y = s;
  if (kScored && !x.early) y = lctx_score(p, s, x.b, x.h, q, k);
  y *= LCTX_LOG2E;
  if (x.guard && (row >= x.row_end || column >= x.column_end || (!x.early && !lctx_see(p, x.b, x.h, q, k)))) y = -LCTX_INF;
  return y;
}
`;
