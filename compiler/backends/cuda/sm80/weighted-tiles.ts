/** Device text that the sm_80 kernels of weights share: tiles that are held, turned queries, logits, sums over blocks of keys. */
import { c, type Fragment } from "../../../ir/kernel.ts";
import type { AttentionElement } from "../element.ts";

/** Laws of all regions, and the rotation of a pair of dimensions and of a tile's rows. It needs the text of turns. */
export const turnRowsText = (element: AttentionElement): Fragment => c`
LCTX_DEVICE lctx_element lctx_round(float x) { return ${element === "f32" ? c`x` : c`(lctx_element)(lctx_pack(x, 0.0f) & 0xffffu)`}; }
/* Rotates a pair of dimensions by a phase, or back. The phase is brought near zero in double, so far positions stay exact. */
LCTX_DEVICE void lctx_turn_pair(float &x, float &z, double phase, double factor, float sign) {
  const double turns = floor(phase * 0.15915494309189535 + 0.5);
  const float angle = (float)((phase - turns * 6.2831853071795862) - turns * 2.4492935982947064e-16);
  const float cosine = (float)factor * lctx_cos(angle), sine = sign * (float)factor * lctx_sin(angle);
  const float turned = x * cosine - z * sine;
  z = x * sine + z * cosine;
  x = turned;
}
/* Angles and factors of all regions. */
LCTX_DEVICE void lctx_fill_laws(const lctx_pairs &p, double *law) {
  for (int n = threadIdx.x; n < kRegions * kTurnPairs; n += LCTX_THREADS)
    lctx_turn_law(p, n / kTurnPairs, n % kTurnPairs, law[2 * n], law[2 * n + 1]);
}
/* Rotates the rows of a tile, each by its position, as a region says. */
LCTX_DEVICE void lctx_turn_rows(lctx_element *tile, int rows, const double *positions, const double *law, int region) {
  const int pairs = lctx_turn_pairs(region);
  const bool side = lctx_turn_side(region);
  for (int n = threadIdx.x; n < rows * pairs; n += LCTX_THREADS) {
    const int i = n / pairs, m = n % pairs;
    lctx_element *own = tile + i * LCTX_STRIDE(kDepthPadded) + (side ? 2 * m : m), *other = own + (side ? 1 : pairs);
    const double *by = law + 2 * (region * kTurnPairs + m);
    float y = lctx_real(*own), z = lctx_real(*other);
    lctx_turn_pair(y, z, positions[i] * by[0], by[1], 1.0f);
    *own = lctx_round(y), *other = lctx_round(z);
  }
}
`;

/**
 * Keys are taken a span at a time: whole blocks, so that a block's softmax is known once its span is. A span of more keys
 * than a tile is gone through in chunks, once for each thing that has to be known of all of it. Rows of a tile are
 * queries (`kByQuery`) or keys; what belongs to a query and a block lies in shared memory, [block of the span][query].
 */
const common: Fragment = c`
constexpr int kTileQueries = kByQuery ? LCTX_ROWS : kQueries, kTileKeys = kByQuery ? kKeys : LCTX_ROWS;
constexpr int kColumns = kByQuery ? kKeys : kQueries, kStats = kTileQueries * kBlocks;
constexpr bool kAsksBlocks = kOfBlock || kReadsFirst || kReadsLast;
#define LCTX_LOG2E 1.44269504f
struct lctx_operands {
  const lctx_element *query[kRegions], *key[kRegions], *value, *early_key, *early_value;
  int queries, keys, early;
};
/* Where a tile lies: positions; keys from k0 to k_end of a span that starts at span0. Region -1: pairs differ. */
struct lctx_place {
  int b, h, q0, query_count, span0, k0, k_end, region;
  bool early;
};
struct lctx_weighing {
  lctx_element *queries, *gradients, *keys, *values, *exchange;
  double *law, *positions;
  /* Of each query of a tile: log-sum-exp in powers of two, and the sum of output by output gradient. */
  float *numbers;
  /* A number of each pair of a tile, [query][key]. */
  float *area;
  /* Of each query and block: log-sum-exp of the block's scores (most and total before it is known), scores of the row at
   * the first and last key, and what weights moved by these and by the block's softmax. */
  float *most, *total, *first, *last, *moved_local, *moved_first, *moved_last;
  /* What the tiles hold. */
  int query_row, query_region, query_turn, key_region, key_from, value_from;
  bool key_early, value_early;
};
/* Bytes: as in "weightedBytes" of the plan. */
LCTX_DEVICE lctx_weighing lctx_start_weighing(const lctx_pairs &p, unsigned char *memory) {
  lctx_weighing w;
  w.queries = (lctx_element *)memory;
  w.gradients = w.queries + kTileQueries * LCTX_STRIDE(kDepthPadded);
  w.keys = w.gradients + (kBackward ? kTileQueries * LCTX_STRIDE(kWidthPadded) : 0);
  w.values = w.keys + kTileKeys * LCTX_STRIDE(kDepthPadded);
  w.exchange = w.values + kTileKeys * LCTX_STRIDE(kWidthPadded);
  w.law = (double *)(w.exchange + (sizeof(lctx_element) == 4 ? LCTX_ROWS * LCTX_STRIDE(kColumns) : 0));
  w.positions = w.law + (kTurns ? 2 * kRegions * kTurnPairs : 0);
  w.numbers = (float *)(w.positions + (kTurns ? kTileQueries : 0));
  w.area = w.numbers + (kBackward ? 2 * kTileQueries : 0);
  w.most = w.area + (kAsksBlocks ? kTileQueries * (kTileKeys + 1) : 0);
  w.total = w.most + (kOfBlock ? kStats : 0);
  w.first = w.total + (kOfBlock ? kStats : 0);
  w.last = w.first + (kReadsFirst ? kStats : 0);
  w.moved_local = w.last + (kReadsLast ? kStats : 0);
  w.moved_first = w.moved_local + (kBackward && kOfBlock ? kStats : 0);
  w.moved_last = w.moved_first + (kBackward && kReadsFirst ? kStats : 0);
  w.query_row = w.query_region = w.query_turn = w.key_region = w.key_from = w.value_from = -1;
  w.key_early = w.value_early = false;
  if (kTurns) {
    lctx_fill_laws(p, w.law);
    __syncthreads();
  }
  return w;
}
/* Holds queries of a region, as they are (turn -1) or turned as keys of block "turn" see them. All threads call this alike. */
LCTX_DEVICE void lctx_hold_queries(lctx_weighing &w, const lctx_pairs &p, const lctx_operands &a, const lctx_place &x,
                                   int region, int turn) {
  const int row = (x.b * kHeads + x.h) * a.queries + x.q0 - p.start;
  if (w.query_row == row && w.query_region == region && w.query_turn == turn) return;
  __syncthreads();
  const long long first = (long long)x.b * a.queries + x.q0 - p.start;
#pragma unroll
  for (int r = 0; r < kRegions; r++)
    if (r == region)
      lctx_load_rows<kTileQueries, kDepth, kDepthPadded>(w.queries, a.query[r] + (first * kHeads + x.h) * kDepth,
                                                         kHeads * kDepth, x.query_count);
  lctx_copies_end();
  lctx_copies_wait<0>();
  if (kTurns && turn >= 0 && threadIdx.x < kTileQueries)
    w.positions[threadIdx.x] = lctx_turn_position(p, region, x.b, x.h, x.q0 + min((int)threadIdx.x, x.query_count - 1),
                                                  turn * lctx_turn_by(region));
  __syncthreads();
  w.query_row = row, w.query_region = region, w.query_turn = turn;
  if (!kTurns || turn < 0) return;
  lctx_turn_rows(w.queries, kTileQueries, w.positions, w.law, region);
  __syncthreads();
}
LCTX_DEVICE void lctx_hold_keys(lctx_weighing &w, const lctx_operands &a, const lctx_place &x, int region) {
  if (w.key_region == region && w.key_from == x.k0 && w.key_early == x.early) return;
  __syncthreads();
  const int g = x.h / (kHeads / kGroups);
  const long long first = x.early ? x.k0 : (long long)x.b * a.keys + x.k0;
#pragma unroll
  for (int r = 0; r < kRegions; r++)
    if (r == region)
      lctx_load_rows<kTileKeys, kDepth, kDepthPadded>(w.keys, (x.early ? a.early_key : a.key[r]) + (first * kGroups + g) * kDepth,
                                                      kGroups * kDepth, x.k_end - x.k0);
  lctx_copies_end();
  lctx_copies_wait<0>();
  __syncthreads();
  w.key_region = region, w.key_from = x.k0, w.key_early = x.early;
}
LCTX_DEVICE void lctx_hold_values(lctx_weighing &w, const lctx_operands &a, const lctx_place &x) {
  if (w.value_from == x.k0 && w.value_early == x.early) return;
  __syncthreads();
  const int g = x.h / (kHeads / kGroups);
  const long long first = x.early ? x.k0 : (long long)x.b * a.keys + x.k0;
  lctx_load_rows<kTileKeys, kWidth, kWidthPadded>(w.values, (x.early ? a.early_value : a.value) + (first * kGroups + g) * kWidth,
                                                  kGroups * kWidth, x.k_end - x.k0);
  lctx_copies_end();
  lctx_copies_wait<0>();
  __syncthreads();
  w.value_from = x.k0, w.value_early = x.early;
}
/* Query and key of accumulator number i of group n, from the tile's first ones. */
LCTX_DEVICE int lctx_row_of(int i) { return lctx_warp() * 16 + lctx_lane() / 4 + i / 2 * 8; }
LCTX_DEVICE int lctx_column_of(int n, int i) { return n * 8 + lctx_lane() % 4 * 2 + i % 2; }
LCTX_DEVICE int lctx_query_of(int n, int i) { return kByQuery ? lctx_row_of(i) : lctx_column_of(n, i); }
LCTX_DEVICE int lctx_key_of(int n, int i) { return kByQuery ? lctx_column_of(n, i) : lctx_row_of(i); }
LCTX_DEVICE bool lctx_inside(const lctx_place &x, int query, int key) {
  return query < x.query_count && x.k0 + key < x.k_end;
}
/* The end of the keys from k on that share their turn with it; all of the tile without turns. */
LCTX_DEVICE int lctx_turn_end(const lctx_place &x, int by, int k) { return by > 0 ? min((k / by + 1) * by, x.k_end) : x.k_end; }
/* Scaled logits of a tile; 0 for pairs outside it. */
LCTX_DEVICE void lctx_find_logits(float (&s)[kColumns / 8][4], lctx_weighing &w, const lctx_pairs &p,
                                  const lctx_operands &a, const lctx_place &x) {
  lctx_clear(s);
#pragma unroll 1
  for (int r = 0; r < kRegions; r++) {
    if (x.region >= 0 && x.region != r) continue;
    lctx_hold_keys(w, a, x, r);
    const int by = x.early ? 0 : lctx_turn_by(r);
#pragma unroll 1
    for (int k = x.k0; k < x.k_end;) {
      const int next = lctx_turn_end(x, by, k);
      lctx_hold_queries(w, p, a, x, r, by > 0 ? k / by : -1);
      const lctx_element *rows = kByQuery ? w.queries : w.keys, *columns = kByQuery ? w.keys : w.queries;
      if constexpr (kRegions == 1 && !kTurns) lctx_by_rows<kColumns, kDepthPadded>(s, rows, columns);
      else {
        float t[kColumns / 8][4];
        lctx_clear(t);
        lctx_by_rows<kColumns, kDepthPadded>(t, rows, columns);
#pragma unroll
        for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
          for (int i = 0; i < 4; i++) {
            const int q = x.q0 + lctx_query_of(n, i), own = x.k0 + lctx_key_of(n, i);
            if (own >= k && own < next && (x.region == r || lctx_region(p, x.b, x.h, q, own) == r)) s[n][i] = t[n][i];
          }
      }
      k = next;
    }
  }
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) s[n][i] *= kScale;
}
/* Scores times log2 e; minus infinity where the normaliser does not count the key. */
LCTX_DEVICE float lctx_row_power(const lctx_pairs &p, const lctx_place &x, float s, int query, int key) {
  const int q = x.q0 + query, k = x.k0 + key;
  if (!kOfRow || !lctx_inside(x, query, key)) return -LCTX_INF;
  if (x.early) return s * LCTX_LOG2E;
  return lctx_row_guard(p, x.b, x.h, q, k) ? lctx_row_score(p, s, x.b, x.h, q, k) * LCTX_LOG2E : -LCTX_INF;
}
LCTX_DEVICE float lctx_block_power(const lctx_pairs &p, const lctx_place &x, float s, int query, int key) {
  const int q = x.q0 + query, k = x.k0 + key;
  if (!kOfBlock || !lctx_inside(x, query, key) || !lctx_block_guard(p, x.b, x.h, q, k)) return -LCTX_INF;
  return lctx_block_score(p, s, x.b, x.h, q, k) * LCTX_LOG2E;
}
/* Where numbers of a pair's query and block lie. */
LCTX_DEVICE int lctx_stat(const lctx_place &x, int query, int key) {
  return (x.k0 + key - x.span0) / kBlockKeys * kTileQueries + query;
}
LCTX_DEVICE bool lctx_is_first(const lctx_place &x, int key) { return (x.k0 + key - x.span0) % kBlockKeys == 0; }
LCTX_DEVICE bool lctx_is_last(const lctx_place &x, int key) {
  return (x.k0 + key - x.span0) % kBlockKeys == kBlockKeys - 1;
}
/* Of number n of a query and block: the keys of this tile that are of the block. */
LCTX_DEVICE void lctx_keys_of(const lctx_place &x, int n, int &from, int &to) {
  const int block = n / kTileQueries, start = x.span0 + block * kBlockKeys - x.k0;
  from = max(start, 0), to = min(start + kBlockKeys, kTileKeys);
}
LCTX_DEVICE void lctx_start_stats(lctx_weighing &w) {
  if (!kAsksBlocks) return;
  __syncthreads();
  for (int n = threadIdx.x; n < kStats; n += LCTX_THREADS) {
    if (kOfBlock) w.most[n] = -LCTX_INF, w.total[n] = 0.0f;
    if (kReadsFirst) w.first[n] = -LCTX_INF;
    if (kReadsLast) w.last[n] = -LCTX_INF;
    if (kBackward && kOfBlock) w.moved_local[n] = 0.0f;
    if (kBackward && kReadsFirst) w.moved_first[n] = 0.0f;
    if (kBackward && kReadsLast) w.moved_last[n] = 0.0f;
  }
  __syncthreads();
}
/* Takes a tile into the log-sum-exps of its blocks, and scores of the row where they are read. */
LCTX_DEVICE void lctx_add_stats(const float (&s)[kColumns / 8][4], lctx_weighing &w, const lctx_pairs &p,
                                const lctx_place &x) {
  if (!kAsksBlocks) return;
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int query = lctx_query_of(n, i), key = lctx_key_of(n, i);
      if (lctx_inside(x, query, key)) {
        if (kReadsFirst && lctx_is_first(x, key)) w.first[lctx_stat(x, query, key)] = lctx_row_power(p, x, s[n][i], query, key);
        if (kReadsLast && lctx_is_last(x, key)) w.last[lctx_stat(x, query, key)] = lctx_row_power(p, x, s[n][i], query, key);
      }
      if (kOfBlock) w.area[query * (kTileKeys + 1) + key] = lctx_block_power(p, x, s[n][i], query, key);
    }
  __syncthreads();
  if (!kOfBlock) return;
  for (int n = threadIdx.x; n < kStats; n += LCTX_THREADS) {
    int from, to;
    lctx_keys_of(x, n, from, to);
    const float *own = w.area + n % kTileQueries * (kTileKeys + 1);
    float most = w.most[n], total = 0.0f;
    for (int k = from; k < to; k++) most = fmaxf(most, own[k]);
    const float safe = most == -LCTX_INF ? 0.0f : most;
    for (int k = from; k < to; k++) total += lctx_ex2(own[k] - safe);
    w.total[n] = w.total[n] * lctx_ex2(w.most[n] - safe) + total;
    w.most[n] = most;
  }
  __syncthreads();
}
/* Makes log-sum-exps of what the tiles of a span gave; plus infinity where a block has no key. */
LCTX_DEVICE void lctx_finish_stats(lctx_weighing &w) {
  if (!kOfBlock) return;
  for (int n = threadIdx.x; n < kStats; n += LCTX_THREADS)
    w.most[n] = w.total[n] > 0.0f ? w.most[n] + lctx_lg2(w.total[n]) : LCTX_INF;
  __syncthreads();
}
/* Of one pair: its share of the row normaliser, the case that weighs it, and the product of what that case reads. */
struct lctx_read {
  float row, block, rest;
  int number;
};
LCTX_DEVICE lctx_read lctx_read_pair(const lctx_weighing &w, const lctx_pairs &p, const lctx_place &x, float s, int query,
                                     int key, float reference) {
  lctx_read y = {0.0f, 0.0f, 0.0f, -1};
  if (!lctx_inside(x, query, key)) return y;
  if (kOfRow) y.row = lctx_ex2(lctx_row_power(p, x, s, query, key) - reference);
  if (x.early) {
    y.rest = y.row;
    return y;
  }
  const int at = lctx_stat(x, query, key);
  if (kOfBlock) y.block = lctx_ex2(lctx_block_power(p, x, s, query, key) - w.most[at]);
  y.number = lctx_case(p, x.b, x.h, x.q0 + query, x.k0 + key);
  if (y.number < 0) return y;
  const int reads = lctx_reads(y.number);
  y.rest = reads == 1 ? y.row : 1.0f;
  if (kReadsFirst && reads == 2) y.rest = lctx_ex2(w.first[at] - reference);
  if (kReadsLast && reads == 3) y.rest = lctx_ex2(w.last[at] - reference);
  if (kOfBlock && lctx_local(y.number)) y.rest *= y.block;
  return y;
}
/* The weight of a pair that was read. */
LCTX_DEVICE float lctx_weight_of(const lctx_read &y, const lctx_pairs &p, const lctx_place &x, float s, int query, int key) {
  if (x.early) return y.rest;
  return y.number < 0 ? 0.0f : y.rest * lctx_factor(p, s, x.b, x.h, x.q0 + query, x.k0 + key, y.number);
}
`;

/** The text for an element type. It needs constants of the plan, pairs, weighing and tiles. */
export const weightedTilesText = (element: AttentionElement): Fragment =>
  c`${turnRowsText(element)}${common}`;
