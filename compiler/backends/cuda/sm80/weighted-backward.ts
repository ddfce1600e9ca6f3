/** Device text of the sm_80 backward pass of attention with weights or turned queries; sums in fixed order, no atomics. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/** What the kernels are given, and what they give the tables. */
export const adjointText: Fragment = c`
struct lctx_adjoint {
  const lctx_element *output, *out_gradient;
  const float *lse;
  /* Sum of output by output gradient, and log-sum-exp times log2 e (+inf for rows without keys), [b, t, h]. */
  float *delta, *lse2;
};
/* What a pair gives the scores of the row and of the block, and the factor of the case that weighs it. */
struct lctx_given {
  int chosen;
  float row, block, factor;
};
`;

/**
 * What a row's shares are read for is gathered at the key that they are read at; centring then takes share · Σ from each
 * softmax's scores: over the row that sum is the row's ⟨gradient, output⟩, over a block it is known once its span is.
 * Needs the text above, then that of the tables that are trained.
 */
export const weightedBackwardText: Fragment = c`
LCTX_DEVICE void lctx_find_products(float (&dp)[kColumns / 8][4], lctx_weighing &w, const lctx_operands &a,
                                    const lctx_place &x) {
  lctx_hold_values(w, a, x);
  lctx_clear(dp);
  lctx_by_rows<kColumns, kWidthPadded>(dp, kByQuery ? w.gradients : w.values, kByQuery ? w.values : w.gradients);
}
/* Adds what weights of a tile move, by the block's softmax (kind 0) and at the block's first and last key (1, 2). */
LCTX_DEVICE void lctx_add_moved(const float (&s)[kColumns / 8][4], const float (&dp)[kColumns / 8][4], lctx_weighing &w,
                                const lctx_pairs &p, const lctx_place &x) {
#pragma unroll 1
  for (int kind = 0; kind < 3; kind++) {
    if (kind == 0 ? !kOfBlock : kind == 1 ? !kReadsFirst : !kReadsLast) continue;
#pragma unroll
    for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int query = lctx_query_of(n, i), key = lctx_key_of(n, i);
        const lctx_read y = lctx_read_pair(w, p, x, s[n][i], query, key, w.numbers[query]);
        const bool moves = y.number >= 0 && (kind == 0 ? lctx_local(y.number) : lctx_reads(y.number) == kind + 1);
        w.area[query * (kTileKeys + 1) + key] = moves ? lctx_weight_of(y, p, x, s[n][i], query, key) * dp[n][i] : 0.0f;
      }
    __syncthreads();
    float *sums = kind == 0 ? w.moved_local : kind == 1 ? w.moved_first : w.moved_last;
    for (int n = threadIdx.x; n < kStats; n += LCTX_THREADS) {
      int from, to;
      lctx_keys_of(x, n, from, to);
      const float *own = w.area + n % kTileQueries * (kTileKeys + 1);
      float sum = 0.0f;
      for (int k = from; k < to; k++) sum += own[k];
      sums[n] += sum;
    }
    __syncthreads();
  }
}
/* Logits of a span's tiles and, of blocks, all that slopes hang on. Leaves logits of the last tile, and products where blocks are asked. */
LCTX_DEVICE void lctx_find_sums(float (&s)[kColumns / 8][4], float (&dp)[kColumns / 8][4], lctx_weighing &w,
                                const lctx_pairs &p, const lctx_operands &a, lctx_place &x, int end) {
  lctx_start_stats(w);
#pragma unroll 1
  for (x.k0 = x.span0; x.k0 < end; x.k0 += kTileKeys) {
    x.k_end = min(x.k0 + kTileKeys, end);
    lctx_find_logits(s, w, p, a, x);
    lctx_add_stats(s, w, p, x);
  }
  lctx_finish_stats(w);
#pragma unroll 1
  for (x.k0 = x.span0; x.k0 < end; x.k0 += kTileKeys) {
    x.k_end = min(x.k0 + kTileKeys, end);
    if (kChunks > 1) lctx_find_logits(s, w, p, a, x);
    lctx_find_products(dp, w, a, x);
    lctx_add_moved(s, dp, w, p, x);
  }
}
/* Logits to weights, and weight gradients to those of logits. */
LCTX_DEVICE void lctx_find_slopes(float (&s)[kColumns / 8][4], float (&dp)[kColumns / 8][4], const lctx_weighing &w,
                                  const lctx_pairs &p, const lctx_place &x, lctx_shares &shares,
                                  const lctx_trained &trained) {
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int query = lctx_query_of(n, i), key = lctx_key_of(n, i), q = x.q0 + query, k = x.k0 + key;
      const bool inside = lctx_inside(x, query, key);
      const float logit = s[n][i], gradient = dp[n][i], delta = w.numbers[kTileQueries + query];
      const lctx_read y = lctx_read_pair(w, p, x, logit, query, key, w.numbers[query]);
      const float weight = lctx_weight_of(y, p, x, logit, query, key), moved = weight * gradient;
      lctx_given given = {y.number, 0.0f, 0.0f, 0.0f};
      float ds = 0.0f;
      if (x.early) ds = inside ? moved - y.row * delta : 0.0f;
      else if (inside) {
        const int at = lctx_stat(x, query, key);
        if (kOfRow) {
          given.row = y.number >= 0 && lctx_reads(y.number) == 1 ? moved : 0.0f;
          if (kReadsFirst && lctx_is_first(x, key)) given.row += w.moved_first[at];
          if (kReadsLast && lctx_is_last(x, key)) given.row += w.moved_last[at];
          given.row -= y.row * delta;
          if (!lctx_row_guard(p, x.b, x.h, q, k)) given.row = 0.0f;
          if (given.row != 0.0f) ds += given.row * lctx_row_slope(p, logit, x.b, x.h, q, k);
        }
        if (kOfBlock) {
          given.block = (y.number >= 0 && lctx_local(y.number) ? moved : 0.0f) - y.block * w.moved_local[at];
          if (given.block != 0.0f) ds += given.block * lctx_block_slope(p, logit, x.b, x.h, q, k);
        }
        if (y.number >= 0) {
          given.factor = y.rest * gradient;
          if (given.factor != 0.0f) ds += given.factor * lctx_factor_slope(p, logit, x.b, x.h, q, k, y.number);
        }
      }
      if (kTrainsTables && inside && !x.early) lctx_take_share(shares, trained, p, i / 2, given, logit, x.b, x.h, q, k);
      const bool own = kRegions == 1 || x.region == kFirstRegion ||
                       (x.region < 0 && inside && lctx_region(p, x.b, x.h, q, k) == kFirstRegion);
      s[n][i] = inside ? weight : 0.0f;
      dp[n][i] = own ? ds : 0.0f;
    }
}
/* Logit gradients of keys from "k" to "next" alone: those that share a turn. */
LCTX_DEVICE void lctx_keep_keys(float (&to)[kColumns / 8][4], const float (&from)[kColumns / 8][4], const lctx_place &x,
                                int k, int next) {
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int own = x.k0 + lctx_key_of(n, i);
      to[n][i] = own >= k && own < next ? from[n][i] : 0.0f;
    }
}
LCTX_DEVICE void lctx_hold_numbers(lctx_weighing &w, const lctx_adjoint &y, const lctx_place &x, long long row) {
  lctx_load_rows<kTileQueries, kWidth, kWidthPadded>(w.gradients, y.out_gradient + (row * kHeads + x.h) * kWidth,
                                                     kHeads * kWidth, x.query_count);
  for (int i = threadIdx.x; i < kTileQueries; i += LCTX_THREADS) {
    const bool inside = i < x.query_count;
    w.numbers[i] = inside ? y.lse2[(row + i) * kHeads + x.h] : LCTX_INF;
    w.numbers[kTileQueries + i] = inside ? y.delta[(row + i) * kHeads + x.h] : 0.0f;
  }
  lctx_copies_end();
  lctx_copies_wait<0>();
  __syncthreads();
}
/* Adds a product to sums that a kernel has; of sums it has not, only one group is there. */
template <int kWide, int kTiles>
LCTX_DEVICE void lctx_add_product(float (&sums)[kTiles][4], const float (&weights)[kColumns / 8][4], const lctx_element *tile,
                                  lctx_element *exchange) {
  if constexpr (8 * kTiles == kWide) lctx_by_columns<kColumns, kWide>(sums, weights, tile, exchange);
}
/* Gradients of the keys of one chunk of a span, of key-value head g of row b. */
LCTX_DEVICE void lctx_weighted_keys(const lctx_pairs &p, const lctx_operands &a, const lctx_adjoint &y,
                                    lctx_element *key_gradient, lctx_element *value_gradient, unsigned char *memory, int b,
                                    int g, int block) {
  const int span0 = block / kChunks * kSpan, end = min(span0 + kSpan, a.keys), own = span0 + block % kChunks * kTileKeys;
  if (own >= end) return;
  const int own_end = min(own + kTileKeys, end);
  lctx_weighing w = lctx_start_weighing(p, memory);
  lctx_shares shares;
  const lctx_trained trained = {};
  float dk[kWantsKey ? kDepthPadded / 8 : 1][4], dv[kWantsValue ? kWidthPadded / 8 : 1][4];
  lctx_clear(dk);
  lctx_clear(dv);
  lctx_place x;
  x.b = b, x.span0 = span0, x.early = false;
  for (int h = g * (kHeads / kGroups); h < (g + 1) * (kHeads / kGroups); h++) {
    lctx_walk walk = lctx_start_walk();
    const lctx_ranges seeing = lctx_query_ranges(p, b, h, span0, end - 1, kQueries);
    const int blocks = (a.queries + kQueries - 1) / kQueries;
    for (int at = lctx_next_seen<false>(walk, p, seeing, b, h, span0, end - 1, 0, kQueries, a.queries); at < blocks;
         at = lctx_next_seen<false>(walk, p, seeing, b, h, span0, end - 1, at + 1, kQueries, a.queries)) {
      x.h = h, x.q0 = p.start + at * kQueries, x.query_count = min(kQueries, a.queries - at * kQueries);
      x.region = lctx_block_region(p, b, h, x.q0, x.q0 + x.query_count - 1, span0, end - 1);
      if (!kWantsValue && kRegions > 1 && x.region >= 0 && x.region != kFirstRegion) continue;
      __syncthreads();
      lctx_hold_numbers(w, y, x, (long long)b * a.queries + at * kQueries);
      float s[kColumns / 8][4], dp[kColumns / 8][4];
      if (kAsksBlocks) lctx_find_sums(s, dp, w, p, a, x, end);
      x.k0 = own, x.k_end = own_end;
      if (kChunks > 1 || !kAsksBlocks) {
        lctx_find_logits(s, w, p, a, x);
        lctx_find_products(dp, w, a, x);
      }
      lctx_find_slopes(s, dp, w, p, x, shares, trained);
      if (kWantsValue) lctx_add_product<kWidthPadded>(dv, s, w.gradients, w.exchange);
      if (kWantsKey) {
        const int by = lctx_turn_by(kFirstRegion);
#pragma unroll 1
        for (int k = x.k0; k < x.k_end;) {
          const int next = lctx_turn_end(x, by, k);
          lctx_hold_queries(w, p, a, x, kFirstRegion, by > 0 ? k / by : -1);
          if (kTurns) lctx_keep_keys(s, dp, x, k, next);
          lctx_add_product<kDepthPadded>(dk, kTurns ? s : dp, w.queries, w.exchange);
          k = next;
        }
      }
    }
  }
  const long long row = (long long)b * a.keys + own;
  const float scaled[2] = {kScale, kScale}, plain[2] = {1.0f, 1.0f};
  if (kWantsKey)
    lctx_store_rows<kDepth>(key_gradient + (row * kGroups + g) * kDepth, kGroups * kDepth, own_end - own, dk, scaled);
  if (kWantsValue)
    lctx_store_rows<kWidth>(value_gradient + (row * kGroups + g) * kWidth, kGroups * kWidth, own_end - own, dv, plain);
}
/* Adds gradients of turned queries, turned back, through the tile of queries, which then holds none. Each warp has its own rows. */
LCTX_DEVICE void lctx_turn_back(float (&dq)[kDepthPadded / 8][4], const float (&part)[kDepthPadded / 8][4],
                                lctx_weighing &w, const lctx_pairs &p, const lctx_place &x, int turn) {
  __syncthreads();
  w.query_row = -1;
  const int pairs = lctx_turn_pairs(kFirstRegion);
  const bool side = lctx_turn_side(kFirstRegion);
#pragma unroll
  for (int n = 0; n < kDepthPadded / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++)
      w.queries[lctx_row_of(i) * LCTX_STRIDE(kDepthPadded) + lctx_column_of(n, i)] = lctx_round(part[n][i]);
  __syncthreads();
#pragma unroll
  for (int n = 0; n < kDepthPadded / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int query = lctx_row_of(i), d = lctx_column_of(n, i);
      float own = part[n][i];
      if (d < 2 * pairs) {
        const int m = side ? d / 2 : d % pairs;
        const bool first = side ? d % 2 == 0 : d < pairs;
        float other = lctx_real(w.queries[query * LCTX_STRIDE(kDepthPadded) + (side ? d ^ 1 : first ? d + pairs : d - pairs)]);
        const double *law = w.law + 2 * (kFirstRegion * kTurnPairs + m);
        float y = first ? own : other, z = first ? other : own;
        lctx_turn_pair(y, z, w.positions[query] * law[0], law[1], -1.0f);
        own = first ? y : z;
      }
      dq[n][i] += own;
    }
  __syncthreads();
}
/* Gradients of 64 queries of head h, in the kernel's one region, and its shares of the tables' gradients. */
LCTX_DEVICE void lctx_weighted_queries(const lctx_pairs &p, const lctx_operands &a, const lctx_adjoint &y,
                                       const lctx_trained &trained, lctx_element *query_gradient, unsigned char *memory,
                                       int b, int h, int block) {
  lctx_weighing w = lctx_start_weighing(p, memory);
  const int first = block * LCTX_ROWS;
  lctx_place x;
  x.b = b, x.h = h, x.q0 = p.start + first, x.query_count = min(LCTX_ROWS, a.queries - first);
  const int q0 = x.q0, q1 = q0 + x.query_count - 1;
  const long long row = (long long)b * a.queries + first;
  lctx_hold_numbers(w, y, x, row);
  lctx_shares shares;
  lctx_start_shares(shares);
  float dq[kDepthPadded / 8][4];
  lctx_clear(dq);
  const lctx_ranges seen = lctx_key_ranges(p, b, h, q0, q1, kSpan);
  lctx_walk walk = lctx_start_walk();
  const int early_tiles = kFirstRegion == 0 ? (a.early + kTileKeys - 1) / kTileKeys : 0;
  for (int at = early_tiles > 0 ? -early_tiles : lctx_next_seen<true>(walk, p, seen, b, h, q0, q1, 0, kSpan, a.keys);
       at != LCTX_NO_BLOCK;
       at = at < -1 ? at + 1 : lctx_next_seen<true>(walk, p, seen, b, h, q0, q1, at < 0 ? 0 : at + 1, kSpan, a.keys)) {
    x.early = at < 0;
    x.span0 = x.early ? (at + early_tiles) * kTileKeys : at * kSpan;
    const int end = x.early ? min(x.span0 + kTileKeys, a.early) : min(x.span0 + kSpan, a.keys);
    x.region = x.early ? 0 : lctx_block_region(p, b, h, q0, q1, x.span0, end - 1);
    if (!kTrainsTables && kRegions > 1 && x.region >= 0 && x.region != kFirstRegion) continue;
    float s[kColumns / 8][4], dp[kColumns / 8][4];
    if (kAsksBlocks && !x.early) lctx_find_sums(s, dp, w, p, a, x, end);
#pragma unroll 1
    for (x.k0 = x.span0; x.k0 < end; x.k0 += kTileKeys) {
      x.k_end = min(x.k0 + kTileKeys, end);
      if (kChunks > 1 || !kAsksBlocks || x.early) {
        lctx_find_logits(s, w, p, a, x);
        lctx_find_products(dp, w, a, x);
      }
      lctx_find_slopes(s, dp, w, p, x, shares, trained);
      lctx_hold_keys(w, a, x, kFirstRegion);
      const int by = x.early ? 0 : lctx_turn_by(kFirstRegion);
      if constexpr (!kTurns) lctx_by_columns<kColumns, kDepthPadded>(dq, dp, w.keys, w.exchange);
      else {
#pragma unroll 1
        for (int k = x.k0; k < x.k_end;) {
          const int next = lctx_turn_end(x, by, k);
          lctx_keep_keys(s, dp, x, k, next);
          if (by == 0) lctx_by_columns<kColumns, kDepthPadded>(dq, s, w.keys, w.exchange);
          else {
            /* The positions of this turn, which the tile of turned queries comes with. */
            lctx_hold_queries(w, p, a, x, kFirstRegion, k / by);
            float part[kDepthPadded / 8][4];
            lctx_clear(part);
            lctx_by_columns<kColumns, kDepthPadded>(part, s, w.keys, w.exchange);
            lctx_turn_back(dq, part, w, p, x, k / by);
          }
          k = next;
        }
      }
    }
  }
  lctx_copies_wait<0>();
  if (kTrainsTables) lctx_finish_shares(shares, trained);
  const float scaled[2] = {kScale, kScale};
  if (query_gradient) lctx_store_rows<kDepth>(query_gradient + (row * kHeads + h) * kDepth, kHeads * kDepth, x.query_count, dq, scaled);
}
`;
