/** Device text of attention over one share of the keys: few query rows, packed by key-value head, each warp with keys of its own. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * A block has 16 query rows: row r of key-value head g is query r / (heads / groups) of head g · heads / groups +
 * r mod (heads / groups). Parts (blocks of `kKeys` keys) are dealt to the warps of all splits in turn; a warp copies its
 * own keys and values kStages − 1 parts ahead and waits for no other warp until the end, when the four running sums
 * become one normalised output row and its log-sum-exp to base 2.
 */
export const splitText: Fragment = c`
#define LCTX_LOG2E 1.44269504f
#define LCTX_TILE 16
struct lctx_cache {
  const lctx_element *query[kRegions], *key[kRegions], *value, *early_key, *early_value;
  const int *pages;
  /* Rows of a cache for one row of the batch; when paged, columns of the page table. */
  int queries, keys, early, capacity;
};
/* Where a tile of query rows is. Lanes have two rows: q, h of each. */
struct lctx_rows {
  int b, g, first, count, q0, q1, q[2], h[2];
};
/* A block of keys and where its first row lies. */
struct lctx_part {
  int n, k0, end;
  long long row;
  bool early;
};
struct lctx_running {
  float sum[kWidthPadded / 8][4], most[2], total[2];
};
LCTX_DEVICE lctx_part lctx_part_at(const lctx_seen *seen, const lctx_pairs &p, const lctx_cache &a, const lctx_rows &x,
                                   int n, int by) {
  lctx_part y;
  y.n = lctx_next_part(seen, p, x.b, x.g, x.q0, x.q1, a.keys, n, by);
  y.early = y.n < seen->early;
  y.k0 = y.end = 0, y.row = 0;
  if (y.n >= seen->parts) return y;
  y.k0 = (y.early ? y.n : lctx_seen_block(seen, y.n)) * kKeys;
  y.end = y.early ? a.early : a.keys;
  if (y.early) y.row = y.k0;
  else if (kPaged) {
    const int page = __ldg(a.pages + (long long)x.b * a.capacity + (y.k0 >> kPageLog2));
    y.row = ((long long)page << kPageLog2) + (y.k0 & ((1 << kPageLog2) - 1));
  }
  else y.row = (long long)x.b * a.capacity + y.k0;
  return y;
}
/* This warp copies rows of one head of a tensor [.., row, head, kWidth]; rows >= count, columns >= kWidth become zero. */
template <int kRows, int kWidth, int kPadded>
LCTX_DEVICE void lctx_warp_rows(lctx_element *tile, const lctx_element *from, long long stride, int count) {
  constexpr int kUnit = 16 / (int)sizeof(lctx_element), kUnits = kPadded / kUnit;
#pragma unroll 8
  for (int i = lctx_lane(); i < kRows * kUnits; i += 32) {
    const int row = i / kUnits, column = i % kUnits * kUnit;
    lctx_element *to = tile + row * LCTX_STRIDE(kPadded) + column;
    if constexpr (kWidth % kUnit == 0) {
      const bool valid = row < count && column < kWidth;
      lctx_copy16(to, valid ? from + row * stride + column : from, valid);
    } else {
#pragma unroll
      for (int j = 0; j < kUnit; j++)
        to[j] = row < count && column + j < kWidth ? from[row * stride + column + j] : (lctx_element)0;
    }
  }
}
LCTX_DEVICE int lctx_part_region(const lctx_pairs &p, const lctx_rows &x, const lctx_part &y) {
  return y.early ? 0 : lctx_heads_region(p, x.b, x.g, x.q0, x.q1, y.k0, min(y.k0 + kKeys, y.end) - 1);
}
/* Starts copies of a part into a stage: of the keys, only those rotated for a region that has pairs. */
LCTX_DEVICE void lctx_start_part(const lctx_pairs &p, const lctx_cache &a, const lctx_rows &x, const lctx_part &y,
                                 lctx_element *keys, lctx_element *values) {
  const int count = min(kKeys, y.end - y.k0), region = lctx_part_region(p, x, y);
#pragma unroll
  for (int r = 0; r < kRegions; r++)
    if (region < 0 || region == r)
      lctx_warp_rows<kKeys, kDepth, kDepthPadded>(keys + r * kKeys * LCTX_STRIDE(kDepthPadded),
                                                  (y.early ? a.early_key : a.key[r]) + (y.row * kGroups + x.g) * kDepth,
                                                  kGroups * kDepth, count);
  lctx_warp_rows<kKeys, kWidth, kWidthPadded>(values, (y.early ? a.early_value : a.value) + (y.row * kGroups + x.g) * kWidth,
                                              kGroups * kWidth, count);
}
LCTX_DEVICE void lctx_logits(float (&s)[kKeys / 8][4], const lctx_pairs &p, const lctx_rows &x, const lctx_part &y,
                             const lctx_element *queries, const lctx_element *keys) {
  lctx_clear(s);
  if constexpr (kRegions == 1) lctx_by_rows<kKeys, kDepthPadded>(s, queries, keys);
  else {
    const int region = lctx_part_region(p, x, y);
#pragma unroll 1
    for (int r = 0; r < kRegions; r++) {
      if (region >= 0 && region != r) continue;
      float t[kKeys / 8][4];
      lctx_clear(t);
      lctx_by_rows<kKeys, kDepthPadded>(t, queries + r * LCTX_TILE * LCTX_STRIDE(kDepthPadded),
                                        keys + r * kKeys * LCTX_STRIDE(kDepthPadded));
#pragma unroll
      for (int n = 0; n < kKeys / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int k = y.k0 + n * 8 + lctx_lane() % 4 * 2 + i % 2;
          if (region == r || lctx_region(p, x.b, x.h[i / 2], x.q[i / 2], k) == r) s[n][i] = t[n][i];
        }
    }
  }
}
LCTX_DEVICE void lctx_take(lctx_running &o, const lctx_pairs &p, const lctx_rows &x, const lctx_part &y,
                           const lctx_element *queries, const lctx_element *keys, const lctx_element *values,
                           lctx_element *exchange) {
  float s[kKeys / 8][4];
  lctx_logits(s, p, x, y, queries, keys);
  const bool guard =
      y.k0 + kKeys > y.end || (!y.early && !lctx_all_heads(p, x.b, x.g, x.q0, x.q1, y.k0, y.k0 + kKeys - 1));
#pragma unroll
  for (int i = 0; i < 2; i++) {
    /* Rows that are there for filling keep weights of 0. */
    if (x.count <= 8 * i) continue;
    float most = o.most[i];
#pragma unroll
    for (int n = 0; n < kKeys / 8; n++)
#pragma unroll
      for (int j = 0; j < 2; j++) {
        float &z = s[n][2 * i + j];
        const int k = y.k0 + n * 8 + lctx_lane() % 4 * 2 + j;
        z *= kScale;
        if (kScored && !y.early) z = lctx_score(p, z, x.b, x.h[i], x.q[i], k);
        z *= LCTX_LOG2E;
        if (guard && (k >= y.end || (!y.early && !lctx_see(p, x.b, x.h[i], x.q[i], k)))) z = -LCTX_INF;
        most = fmaxf(most, z);
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
        float &z = s[n][2 * i + j];
        z = lctx_ex2(z - safe);
        total += z;
      }
    o.most[i] = most;
    o.total[i] = o.total[i] * alpha + total;
#pragma unroll
    for (int n = 0; n < kWidthPadded / 8; n++) o.sum[n][2 * i] *= alpha, o.sum[n][2 * i + 1] *= alpha;
  }
  lctx_by_columns<kKeys, kWidthPadded>(o.sum, s, values, exchange);
}
/* Joins the sums of the four warps, in order, and stores them as the result of this split. */
LCTX_DEVICE void lctx_join(const lctx_running &o, const lctx_cache &a, const lctx_rows &x, float *memory, float *partial,
                           float *partial_lse, int split, int splits) {
  constexpr int kWide = kWidthPadded + 4, kWarps = LCTX_THREADS / 32;
  float *tops = memory + kWarps * LCTX_TILE * kWide, *totals = tops + kWarps * LCTX_TILE;
  const int lane = lctx_lane();
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = lctx_warp() * LCTX_TILE + lane / 4 + 8 * i;
    const float total = lctx_row_sum(o.total[i]);
    if (lane % 4 == 0) tops[row] = o.most[i], totals[row] = total;
#pragma unroll
    for (int n = 0; n < kWidthPadded / 8; n++) {
      const float2 two = {o.sum[n][2 * i], o.sum[n][2 * i + 1]};
      *(float2 *)(memory + row * kWide + n * 8 + lane % 4 * 2) = two;
    }
  }
  __syncthreads();
  constexpr int kFours = kWidthPadded / 4;
  for (int i = threadIdx.x; i < x.count * kFours; i += LCTX_THREADS) {
    const int row = i / kFours, column = i % kFours * 4, place = x.first + row;
    float top = -LCTX_INF, total = 0.0f;
    for (int w = 0; w < kWarps; w++) top = fmaxf(top, tops[w * LCTX_TILE + row]);
    const float safe = top == -LCTX_INF ? 0.0f : top;
    float4 sum = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int w = 0; w < kWarps; w++) {
      const float alpha = lctx_ex2(tops[w * LCTX_TILE + row] - safe);
      const float4 own = *(const float4 *)(memory + (w * LCTX_TILE + row) * kWide + column);
      total += alpha * totals[w * LCTX_TILE + row];
      sum.x += alpha * own.x, sum.y += alpha * own.y, sum.z += alpha * own.z, sum.w += alpha * own.w;
    }
    const float factor = total > 0.0f ? 1.0f / total : 0.0f;
    sum.x *= factor, sum.y *= factor, sum.z *= factor, sum.w *= factor;
    const long long query = (long long)x.b * a.queries + place / kEach;
    const long long to = (query * kHeads + x.g * kEach + place % kEach) * splits + split;
    *(float4 *)(partial + to * kWidthPadded + column) = sum;
    if (column == 0) partial_lse[to] = total > 0.0f ? top + lctx_lg2(total) : -LCTX_INF;
  }
}
LCTX_DEVICE void lctx_split(const lctx_pairs &p, const lctx_cache &a, float *partial, float *partial_lse,
                            unsigned char *memory, int b, int place, int split, int splits) {
  constexpr int kKeyTile = kRegions * kKeys * LCTX_STRIDE(kDepthPadded), kValueTile = kKeys * LCTX_STRIDE(kWidthPadded);
  constexpr int kStage = kKeyTile + kValueTile, kWarps = LCTX_THREADS / 32;
  lctx_seen *seen = (lctx_seen *)memory;
  lctx_element *queries = (lctx_element *)(memory + kSeenBytes);
  lctx_element *stages = queries + kRegions * LCTX_TILE * LCTX_STRIDE(kDepthPadded);
  lctx_element *own = stages + lctx_warp() * kStages * kStage;
  lctx_element *exchange = stages + kWarps * kStages * kStage + lctx_warp() * LCTX_TILE * LCTX_STRIDE(kKeys);
  const int all = a.queries * kEach, tiles = (all + LCTX_TILE - 1) / LCTX_TILE;
  lctx_rows x;
  x.b = b, x.g = place / tiles, x.first = place % tiles * LCTX_TILE, x.count = min(LCTX_TILE, all - x.first);
  x.q0 = p.start + x.first / kEach, x.q1 = p.start + (x.first + x.count - 1) / kEach;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = x.first + min(lctx_lane() / 4 + 8 * i, x.count - 1);
    x.q[i] = p.start + row / kEach, x.h[i] = x.g * kEach + row % kEach;
  }
  if (threadIdx.x == 0) lctx_find_seen(seen, p, b, x.g, x.q0, x.q1, a.early);
  for (int row = lctx_warp(); row < LCTX_TILE; row += kWarps) {
    const bool valid = row < x.count;
    const int of = valid ? x.first + row : x.first;
    const long long query = ((long long)b * a.queries + of / kEach) * kHeads + x.g * kEach + of % kEach;
#pragma unroll
    for (int r = 0; r < kRegions; r++)
      lctx_warp_rows<1, kDepth, kDepthPadded>(queries + (r * LCTX_TILE + row) * LCTX_STRIDE(kDepthPadded),
                                              a.query[r] + query * kDepth, 0, valid);
  }
  lctx_copies_end();
  __syncthreads();
  lctx_running o;
  lctx_clear(o.sum);
  o.most[0] = o.most[1] = -LCTX_INF;
  o.total[0] = o.total[1] = 0.0f;
  const int worker = split * kWarps + lctx_warp(), by = splits * kWarps;
  lctx_part now = lctx_part_at(seen, p, a, x, worker, by), ahead = now;
#pragma unroll 1
  for (int i = 0; i < kStages - 1; i++) {
    if (ahead.n < seen->parts) {
      lctx_start_part(p, a, x, ahead, own + i * kStage, own + i * kStage + kKeyTile);
      ahead = lctx_part_at(seen, p, a, x, ahead.n + by, by);
    }
    lctx_copies_end();
  }
  lctx_copies_wait<kStages - 1>();
  __syncthreads();
#pragma unroll 1
  for (int stage = 0; now.n < seen->parts;) {
    lctx_element *next = own + (stage == 0 ? kStages - 1 : stage - 1) * kStage;
    if (ahead.n < seen->parts) {
      lctx_start_part(p, a, x, ahead, next, next + kKeyTile);
      /* When paged, the number of the page is asked for here and needed in the next round. */
      ahead = lctx_part_at(seen, p, a, x, ahead.n + by, by);
    }
    lctx_copies_end();
    lctx_copies_wait<kStages - 1>();
    __syncwarp();
    lctx_take(o, p, x, now, queries, own + stage * kStage, own + stage * kStage + kKeyTile, exchange);
    __syncwarp();
    stage = stage + 1 == kStages ? 0 : stage + 1;
    now = lctx_part_at(seen, p, a, x, now.n + by, by);
  }
  lctx_copies_wait<0>();
  __syncthreads();
  lctx_join(o, a, x, (float *)stages, partial, partial_lse, split, splits);
}
`;
