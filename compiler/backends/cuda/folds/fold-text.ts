/** Device text of folds over pairs: products of tiles as in the sm_80 attention, without values, then the fold of what each pair gives. */
import type { PairReduceNode } from "../../../ir/graph-pairs.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";

export type FoldOp = PairReduceNode["op"];

const ops: Readonly<
  Record<FoldOp, { readonly start: Fragment; readonly take: Fragment; readonly add: Fragment }>
> = {
  sum: {
    start: c`0.0f`,
    take: c`a + x`,
    add: c`lctx_add_exactly((unsigned long long *)to, place, x);`,
  },
  // Numbers of one sign are ordered as whole numbers are, of the other the other way round; NaN stays, as it should.
  max: {
    start: c`(-LCTX_INF)`,
    take: c`x > a || x != x ? x : a`,
    add: c`x += 0.0f;
  if (x != x) atomicMax((int *)to + place, 0x7fffffff);
  else if (x >= 0.0f) atomicMax((int *)to + place, __float_as_int(x));
  else atomicMin((unsigned *)to + place, (unsigned)__float_as_int(x));`,
  },
  min: {
    start: c`LCTX_INF`,
    take: c`x < a || x != x ? x : a`,
    add: c`x += 0.0f;
  if (x != x) atomicMax((unsigned *)to + place, 0xffffffffu);
  else if (x >= 0.0f) atomicMin((int *)to + place, __float_as_int(x));
  else atomicMax((unsigned *)to + place, (unsigned)__float_as_int(x));`,
  },
};

/** The number that folding nothing gives. */
export const foldStart = (op: FoldOp): Fragment => ops[op].start;

/**
 * Operands, and a loop over the tiles that may be seen. Rows of a tile are queries (`kByQueries`) or keys, 64 of them;
 * columns, kColumns of them, the other. `lctx_tile_body` takes each tile's scaled logits.
 */
export const foldLoopText: Fragment = c`
struct lctx_operands {
  const lctx_element *query[kRegions], *key[kRegions];
  int queries, keys;
};
template <int kRows>
LCTX_DEVICE void lctx_start_side(lctx_element *to, const lctx_operands &a, bool queries, int b, int h, int first, int count) {
  if (!kMultiplies) return;
  const int g = h / (kHeads / kGroups), heads = queries ? kHeads : kGroups, head = queries ? h : g;
  const long long row = (long long)b * (queries ? a.queries : a.keys) + first;
#pragma unroll
  for (int r = 0; r < kRegions; r++)
    lctx_load_rows<kRows, kDepth, kDepthPadded>(to + r * kRows * LCTX_STRIDE(kDepthPadded),
                                                (queries ? a.query[r] : a.key[r]) + (row * heads + head) * kDepth,
                                                heads * kDepth, count);
}
/* Rows from \`first\` on, at most a tile of them, by tiles from ... to - 1 of the other side. */
template <typename Take>
LCTX_DEVICE void lctx_tiles(const lctx_pairs &p, const lctx_operands &a, unsigned char *memory, int b, int h, int first,
                            int from, int to, const Take &take) {
  lctx_element *rows = (lctx_element *)memory, *stages = rows + kRegions * LCTX_ROWS * LCTX_STRIDE(kDepthPadded);
  constexpr int kTile = kRegions * kColumns * LCTX_STRIDE(kDepthPadded);
  const int all = kByQueries ? a.queries : a.keys, other = kByQueries ? a.keys : a.queries;
  const int count = min(LCTX_ROWS, all - first), shift = kByQueries ? 0 : p.start;
  lctx_tile x;
  x.b = b, x.h = h, x.row0 = (kByQueries ? p.start : 0) + first, x.row_end = x.row0 + count, x.early = false;
  const int r0 = x.row0, r1 = x.row_end - 1;
  const lctx_ranges seen = kByQueries ? lctx_key_ranges(p, b, h, r0, r1, kColumns) : lctx_query_ranges(p, b, h, r0, r1, kColumns);
  lctx_walk walk = lctx_start_walk();
  int at = lctx_next_seen<kByQueries>(walk, p, seen, b, h, r0, r1, from, kColumns, other), stage = 0;
  /* Rows that see nothing cost no more than this. */
  if (at >= to) return;
  lctx_start_turns(p, memory);
  lctx_start_side<LCTX_ROWS>(rows, a, kByQueries, b, h, first, count);
  lctx_start_side<kColumns>(stages, a, !kByQueries, b, h, at * kColumns, min(kColumns, other - at * kColumns));
  lctx_copies_end();
  while (at < to) {
    const int next = lctx_next_seen<kByQueries>(walk, p, seen, b, h, r0, r1, at + 1, kColumns, other);
    if (next < to)
      lctx_start_side<kColumns>(stages + (stage ^ 1) * kTile, a, !kByQueries, b, h, next * kColumns,
                                min(kColumns, other - next * kColumns));
    lctx_copies_end();
    lctx_copies_wait<1>();
    __syncthreads();
    const int c0 = shift + at * kColumns, c1 = min(c0 + kColumns, shift + other) - 1;
    const int q0 = kByQueries ? r0 : c0, q1 = kByQueries ? r1 : c1, k0 = kByQueries ? c0 : r0, k1 = kByQueries ? c1 : r1;
    x.column0 = c0, x.column_end = c1 + 1;
    x.guard = count < LCTX_ROWS || c1 - c0 + 1 < kColumns || !lctx_all(p, b, h, q0, q1, k0, k1);
    x.region = lctx_block_region(p, b, h, q0, q1, k0, k1);
    float s[kColumns / 8][4];
    if (kMultiplies) lctx_fold_logits(s, rows, stages + stage * kTile, x, p, memory);
    else lctx_clear(s);
    take(s, x);
    __syncthreads();
    stage ^= 1;
    at = next;
  }
  lctx_copies_wait<0>();
}
/* Row and column of number i of group n of a lane, as positions. */
LCTX_DEVICE int lctx_row_of(const lctx_tile &x, int i) { return x.row0 + lctx_warp() * 16 + lctx_lane() / 4 + i / 2 * 8; }
LCTX_DEVICE int lctx_column_of(const lctx_tile &x, int n, int i) { return x.column0 + n * 8 + lctx_lane() % 4 * 2 + i % 2; }
LCTX_DEVICE bool lctx_shows(const lctx_pairs &p, const lctx_tile &x, int row, int column) {
  if (!x.guard) return true;
  const int q = kByQueries ? row : column, k = kByQueries ? column : row;
  return row < x.row_end && column < x.column_end && lctx_see(p, x.b, x.h, q, k);
}
`;

/** Of each row: the log-sum-exp of its scores, [b, t, h]; of a piece of the keys, its largest score and the sum relative to it. */
export const logSumExpText: Fragment = c`
LCTX_DEVICE void lctx_row_parts(const lctx_pairs &p, const lctx_operands &a, unsigned char *memory, int b, int h, int first,
                                int from, int to, float (&most)[2], float (&total)[2]) {
  most[0] = most[1] = -LCTX_INF, total[0] = total[1] = 0.0f;
  lctx_tiles(p, a, memory, b, h, first, from, to, [&](float (&s)[kColumns / 8][4], const lctx_tile &x) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      float top = most[i], sum = 0.0f;
#pragma unroll
      for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
        for (int j = 0; j < 2; j++) {
          float &y = s[n][2 * i + j];
          y = lctx_masked(p, x, y, lctx_row_of(x, 2 * i), lctx_column_of(x, n, j), true);
          top = fmaxf(top, y);
        }
      const float safe = top == -LCTX_INF ? 0.0f : top;
#pragma unroll
      for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
        for (int j = 0; j < 2; j++) sum += lctx_ex2(s[n][2 * i + j] - safe);
      total[i] = total[i] * lctx_ex2(most[i] - safe) + sum;
      most[i] = top;
    }
  });
  /* Each lane has kept a maximum of its own: no lane waits for another until here. */
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const float top = lctx_row_max(most[i]), safe = top == -LCTX_INF ? 0.0f : top;
    total[i] = lctx_row_sum(total[i] * lctx_ex2(most[i] - safe));
    most[i] = top;
  }
}
LCTX_DEVICE float lctx_log_of(float most, float total) {
  return total > 0.0f ? (most + lctx_lg2(total)) * 0.693147181f : -LCTX_INF;
}
LCTX_DEVICE void lctx_log_sum_exp(const lctx_pairs &p, const lctx_operands &a, float *lse, unsigned char *memory, int b,
                                  int h, int block) {
  float most[2], total[2];
  lctx_row_parts(p, a, memory, b, h, block * LCTX_ROWS, 0, LCTX_NO_BLOCK, most, total);
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = block * LCTX_ROWS + lctx_warp() * 16 + lctx_lane() / 4 + 8 * i;
    if (lctx_lane() % 4 == 0 && row < a.queries) lse[((long long)b * a.queries + row) * kHeads + h] = lctx_log_of(most[i], total[i]);
  }
}
/* parts: [b, h, piece, 2, rows of a tile]. */
LCTX_DEVICE void lctx_log_sum_exp_piece(const lctx_pairs &p, const lctx_operands &a, float *parts, unsigned char *memory, int b,
                                        int h, int first, int tiles) {
  float most[2], total[2];
  const int piece = blockIdx.x;
  lctx_row_parts(p, a, memory, b, h, first, piece * tiles, (piece + 1) * tiles, most, total);
  parts += (((long long)b * kHeads + h) * gridDim.x + piece) * 2 * LCTX_ROWS;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = lctx_warp() * 16 + lctx_lane() / 4 + 8 * i;
    if (lctx_lane() % 4 == 0) parts[row] = most[i], parts[LCTX_ROWS + row] = total[i];
  }
}
`;

/** `lctx_join_pieces(parts, lse, heads, queries, first, pieces)`: a warp a row of the window, a head by block row y; rows before it see nothing. */
export const joinPiecesText: Fragment = c`
LCTX_DEVICE void lctx_join_pieces(const float *parts, float *lse, int heads, int queries, int first, int pieces) {
  const int b = blockIdx.z, h = blockIdx.y, lane = threadIdx.x % 32, row = blockIdx.x * 4 + threadIdx.x / 32;
  if (first + row >= queries) return;
  parts += ((long long)b * heads + h) * pieces * 2 * LCTX_ROWS + row;
  float most = -LCTX_INF, total = 0.0f;
  for (int i = lane; i < pieces; i += 32) most = fmaxf(most, parts[(long long)i * 2 * LCTX_ROWS]);
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) most = fmaxf(most, lctx_swap(most, lanes));
  const float safe = most == -LCTX_INF ? 0.0f : most;
  for (int i = lane; i < pieces; i += 32) {
    const float *own = parts + (long long)i * 2 * LCTX_ROWS;
    total += own[LCTX_ROWS] * lctx_ex2(own[0] - safe);
  }
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) total += lctx_swap(total, lanes);
  if (lane == 0) lse[((long long)b * queries + first + row) * heads + h] = total > 0.0f ? (most + lctx_lg2(total)) * 0.693147181f : -LCTX_INF;
}
`;

/**
 * `lctx_fold(p, a, to, elements, memory, b, h, first, from, end)`: rows from `first` on, tiles from ... end − 1 of the
 * other side; `to` are results, or counters of exact sums. With `plain`, no element gets more than two shares, whose
 * sum has no order.
 */
export const foldText = (op: FoldOp, plain: boolean): Fragment => c`
LCTX_DEVICE float lctx_fold_two(float a, float x) { return ${ops[op].take}; }
LCTX_DEVICE void lctx_fold_into(void *to, int place, float x) {
  ${plain && op === "sum" ? c`atomicAdd((float *)to + place, x);` : ops[op].add}
}
/* Folds what the lanes of a warp hold, with as few additions to memory as there are places. */
LCTX_DEVICE void lctx_flush(void *to, int place, float x) {
  if (__all_sync(0xffffffffu, place == __shfl_sync(0xffffffffu, place, 0))) {
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) x = lctx_fold_two(x, lctx_swap(x, lanes));
    if (lctx_lane() == 0 && place >= 0) lctx_fold_into(to, place, x);
  } else if (place >= 0) lctx_fold_into(to, place, x);
}
LCTX_DEVICE int lctx_place(const lctx_pairs &p, int elements, int b, int h, int row, int column) {
  const int place = lctx_target(p, b, h, kByQueries ? row : column, kByQueries ? column : row);
  return place < 0 ? -1 : b * elements + place;
}
LCTX_DEVICE float lctx_body(const lctx_pairs &p, const lctx_tile &x, float s, int row, int column) {
  return kScored ? lctx_score(p, s, x.b, x.h, kByQueries ? row : column, kByQueries ? column : row) : s;
}
/* One place of the whole tile, or -2: its corners differ, or are outside, where others may be inside. */
LCTX_DEVICE int lctx_tile_place(const lctx_pairs &p, const lctx_tile &x, int elements) {
  const int r1 = x.row_end - 1, c1 = x.column_end - 1;
  const int place = lctx_place(p, elements, x.b, x.h, x.row0, x.column0);
  return place >= 0 && place == lctx_place(p, elements, x.b, x.h, r1, c1) ? place : -2;
}
LCTX_DEVICE void lctx_fold(const lctx_pairs &p, const lctx_operands &a, void *to, int elements, unsigned char *memory, int b,
                           int h, int first, int tiles_from, int tiles_end) {
  int place[2] = {-1, -1};
  float kept[2] = {${ops[op].start}, ${ops[op].start}};
  lctx_tiles(p, a, memory, b, h, first, tiles_from, tiles_end, [&](float (&s)[kColumns / 8][4], const lctx_tile &x) {
    const int whole = kForm == kTiles ? lctx_tile_place(p, x, elements) : -2;
    if (kForm == kTiles && whole != -2 && !__all_sync(0xffffffffu, whole == place[0])) {
      lctx_flush(to, place[0], kept[0]);
      place[0] = whole, kept[0] = ${ops[op].start};
    }
#pragma unroll
    for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int row = lctx_row_of(x, i), column = lctx_column_of(x, n, i);
        const bool shows = lctx_shows(p, x, row, column);
        const float y = shows ? lctx_body(p, x, s[n][i], row, column) : ${ops[op].start};
        s[n][i] = y;
        if (kForm == kDistances || !shows) continue;
        if (kForm == kRows || whole != -2) {
          float &own = kept[kForm == kRows ? i / 2 : 0];
          own = lctx_fold_two(own, y);
          continue;
        }
        const int at = lctx_place(p, elements, b, h, row, column);
        if (at != place[i / 2]) {
          if (place[i / 2] >= 0) lctx_fold_into(to, place[i / 2], kept[i / 2]);
          place[i / 2] = at, kept[i / 2] = ${ops[op].start};
        }
        kept[i / 2] = lctx_fold_two(kept[i / 2], y);
      }
    if (kForm == kDistances) {
      /* Diagonals of the tile, one a thread, in order of rows. */
      float *shared = (float *)(memory + kTileBytes);
      constexpr int kWide = kColumns + 1;
#pragma unroll
      for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++)
          shared[(lctx_row_of(x, i) - x.row0) * kWide + lctx_column_of(x, n, i) - x.column0] = s[n][i];
      __syncthreads();
      const int d = (int)threadIdx.x - (kColumns - 1), from = max(d, 0), end = min(LCTX_ROWS, kColumns + d);
      float sum = ${ops[op].start};
      for (int r = from; r < end; r++) sum = lctx_fold_two(sum, shared[r * kWide + r - d]);
      if (from < end && from < x.row_end - x.row0) {
        const int at = lctx_place(p, elements, b, h, x.row0 + from, x.column0 + from - d);
        if (at >= 0) lctx_fold_into(to, at, sum);
      }
    }
  });
  if constexpr (kForm == kRows) {
    /* A row is four lanes'. */
    const int row0 = (kByQueries ? p.start : 0) + first;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      float x = lctx_fold_two(kept[i], lctx_swap(kept[i], 1));
      x = lctx_fold_two(x, lctx_swap(x, 2));
      const int own = lctx_warp() * 16 + lctx_lane() / 4 + 8 * i;
      const bool inside = own < (kByQueries ? a.queries : a.keys) - first;
      const int at = inside ? lctx_place(p, elements, b, h, row0 + own, 0) : -1;
      if (!kExclusive) lctx_flush(to, at, lctx_lane() % 4 == 0 ? x : ${ops[op].start});
      else if (lctx_lane() % 4 == 0 && at >= 0) ((float *)to)[at] = x;
    }
  } else if constexpr (kForm != kDistances) {
#pragma unroll
    for (int i = 0; i < 2; i++) lctx_flush(to, place[i], kept[i]);
  }
}
`;
