/** Device text of the logits of a fold's tiles: as they are, or with queries that turn by blocks of keys. */
import type { Region } from "../../../ir/graph.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { turns, turnsText } from "../attention/weighing.ts";
import type { AttentionElement } from "../element.ts";
import { turnRowsText } from "../sm80/weighted-tiles.ts";

const plain: Fragment = c`
LCTX_DEVICE void lctx_start_turns(const lctx_pairs &, unsigned char *) {}
LCTX_DEVICE void lctx_fold_logits(float (&s)[kColumns / 8][4], const lctx_element *rows, const lctx_element *columns,
                                  const lctx_tile &x, const lctx_pairs &p, unsigned char *) {
  lctx_raw<kColumns>(s, rows, columns, x, p, kByQueries);
}
`;

/** From `kTurnFrom` on, memory holds a tile of queries, then angles and factors, then positions. */
const turned: Fragment = c`
constexpr int kTurnQueries = kByQueries ? LCTX_ROWS : kColumns;
LCTX_DEVICE double *lctx_turn_laws(unsigned char *memory) {
  return (double *)(memory + kTurnFrom + kTurnQueries * LCTX_STRIDE(kDepthPadded) * (int)sizeof(lctx_element));
}
LCTX_DEVICE void lctx_start_turns(const lctx_pairs &p, unsigned char *memory) {
  lctx_fill_laws(p, lctx_turn_laws(memory));
  __syncthreads();
}
/* Queries of a tile as keys of the block of k see them. All threads call this alike. */
LCTX_DEVICE const lctx_element *lctx_turned(const lctx_element *queries, const lctx_tile &x, const lctx_pairs &p,
                                            unsigned char *memory, int region, int k) {
  lctx_element *to = (lctx_element *)(memory + kTurnFrom);
  double *law = lctx_turn_laws(memory), *positions = law + 2 * kRegions * kTurnPairs;
  const int first = kByQueries ? x.row0 : x.column0, last = (kByQueries ? x.row_end : x.column_end) - 1;
  __syncthreads();
  for (int n = threadIdx.x; n < kTurnQueries * LCTX_STRIDE(kDepthPadded); n += LCTX_THREADS) to[n] = queries[n];
  for (int n = threadIdx.x; n < kTurnQueries; n += LCTX_THREADS)
    positions[n] = lctx_turn_position(p, region, x.b, x.h, min(first + n, last), k);
  __syncthreads();
  lctx_turn_rows(to, kTurnQueries, positions, law, region);
  __syncthreads();
  return to;
}
LCTX_DEVICE void lctx_fold_logits(float (&s)[kColumns / 8][4], const lctx_element *rows, const lctx_element *columns,
                                  const lctx_tile &x, const lctx_pairs &p, unsigned char *memory) {
  const int k0 = kByQueries ? x.column0 : x.row0, k_end = kByQueries ? x.column_end : x.row_end;
  lctx_clear(s);
#pragma unroll 1
  for (int r = 0; r < kRegions; r++) {
    if (x.region >= 0 && x.region != r) continue;
    const lctx_element *own_rows = rows + r * LCTX_ROWS * LCTX_STRIDE(kDepthPadded);
    const lctx_element *own_columns = columns + r * kColumns * LCTX_STRIDE(kDepthPadded);
    const int by = lctx_turn_by(r);
#pragma unroll 1
    for (int k = k0; k < k_end;) {
      const int next = by > 0 ? min((k / by + 1) * by, k_end) : k_end;
      const lctx_element *a = own_rows, *b = own_columns;
      if (by > 0 && kByQueries) a = lctx_turned(own_rows, x, p, memory, r, k / by * by);
      if (by > 0 && !kByQueries) b = lctx_turned(own_columns, x, p, memory, r, k / by * by);
      float t[kColumns / 8][4];
      lctx_clear(t);
      lctx_by_rows<kColumns, kDepthPadded>(t, a, b);
#pragma unroll
      for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int row = x.row0 + lctx_warp() * 16 + lctx_lane() / 4 + i / 2 * 8;
          const int column = x.column0 + n * 8 + lctx_lane() % 4 * 2 + i % 2;
          const int q = kByQueries ? row : column, own = kByQueries ? column : row;
          if (own >= k && own < next && (x.region == r || lctx_region(p, x.b, x.h, q, own) == r)) s[n][i] = t[n][i];
        }
      k = next;
    }
  }
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) s[n][i] *= kScale;
}
`;

/** `lctx_fold_logits(s, rows, columns, x, p, memory)`: scaled logits of a tile; `from` is where its own memory begins. */
export const tileLogitsText = (
  regions: readonly Region[],
  from: number,
  element: AttentionElement,
): Fragment =>
  turns(regions)
    ? c`constexpr int kTurnFrom = ${from};
${turnsText(regions)}${turnRowsText(element)}${turned}`
    : plain;
