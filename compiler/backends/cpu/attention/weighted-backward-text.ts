/** C text of the backward pass of attention with weights or turned queries: weights are computed again, tile by tile. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * The two ways to share work, and the order of sums, are those of plain attention. What a row's shares are read for is
 * gathered at the key that they are read at; centring then takes p · Σ from each softmax's scores: over the row that sum
 * is the row's ⟨gradient, output⟩, over a block it is known once the tile is.
 */
export const weightedBackwardText: Fragment = c`
/* A tile of keys, copied, and its gradients [key][padded dimension]. */
typedef struct {
  float *key, *value, *key_gradient, *value_gradient;
  int32_t *list;
} lctx_key_tile;

LCTX_INLINE lctx_key_tile lctx_key_tile_at(const lctx_weighted *w, lctx_weighing *y, float *at) {
  const lctx_attention *a = &w->core;
  const int64_t rows = w->area / LCTX_QB;
  lctx_key_tile t;
  y->w = w;
  y->x.a = a;
  y->x.s = at, at += a->regions * w->area;
  y->x.dp = at, at += w->area;
  y->row = at, at += w->area;
  y->block = at, at += w->area;
  y->d_row = at, at += w->area;
  y->d_block = at, at += w->area;
  y->d_logit = at, at += w->area;
  t.key_gradient = at, at += a->regions * LCTX_PAD(a->d) * rows;
  t.value_gradient = at, at += LCTX_PAD(a->e) * rows;
  at = lctx_turning_areas(w, y, at);
  t.key = at, at += a->regions * a->d * rows;
  t.value = at, at += a->e * rows;
  t.list = (int32_t *)at;
  return t;
}

/* Takes p * sum from the gradients of a softmax's logarithms, which makes them those of its scores. */
LCTX_HOT void lctx_centre_row(const lctx_weighing *y) {
  const lctx_block *x = &y->x;
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vf delta = *(const vf *)(x->delta + v);
    for (int64_t j = 0; j < x->keys; j++)
      *(vf *)(y->d_row + j * LCTX_QB + v) -= *(const vf *)(y->row + j * LCTX_QB + v) * delta;
  }
}
LCTX_HOT void lctx_centre_blocks(const lctx_weighing *y) {
  const lctx_block *x = &y->x;
  for (int64_t first = 0; first < x->keys; first += y->w->block) {
    const int64_t end = lctx_least(first + y->w->block, x->keys);
    for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
      vf sum = lctx_splat_real(0.0f);
      for (int64_t j = first; j < end; j++) sum += *(const vf *)(y->d_block + j * LCTX_QB + v);
      for (int64_t j = first; j < end; j++)
        *(vf *)(y->d_block + j * LCTX_QB + v) -= *(const vf *)(y->block + j * LCTX_QB + v) * sum;
    }
  }
}

LCTX_HOT void lctx_row_shares(const lctx_weighing *y) {
  const lctx_block *x = &y->x;
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vf lse = *(const vf *)(x->lse + v);
    for (int64_t j = 0; j < x->keys; j++) {
      vf *at = (vf *)(y->row + j * LCTX_QB + v);
      *at = lctx_exp_weight(*at - lse);
    }
  }
}

/* Rows after the last of an area, up to a multiple of four, become 0. */
LCTX_INLINE void lctx_clear_rest(float *area, int64_t keys) {
  __builtin_memset(area + keys * LCTX_QB, 0, (size_t)(((keys + 3) / 4 * 4 - keys) * LCTX_QB) * sizeof(float));
}

/* Gradients of keys and queries of one region that turns its queries. */
LCTX_HOT void lctx_add_turned(const lctx_weighing *y, const lctx_key_tile *t, const lctx_query_block *q, int r,
                              int of_keys, int of_queries) {
  const lctx_attention *a = &y->w->core;
  const lctx_block *x = &y->x;
  const lctx_turn *turn = &y->w->turn[r];
  const int64_t d = a->d, padded = LCTX_PAD(d), pairs = LCTX_PAIRS(turn), rows = y->w->area / LCTX_QB;
  const float *ds = x->s + r * y->w->area;
  float *sum = y->room, *back = y->room + LCTX_QB * ((d + 15) / 16 * 16);
  for (int64_t j = 0, next; j < x->keys; j = next) {
    next = lctx_turn_end(turn, x, j);
    lctx_turn_queries(y, r, x->k0 + j);
    if (of_keys) {
      __builtin_memcpy(y->segment, ds + j * LCTX_QB, (size_t)((next - j) * LCTX_QB) * sizeof(float));
      lctx_clear_rest(y->segment, next - j);
      lctx_add_outer(t->key_gradient + (r * rows + j) * padded, y->segment, next - j, y->turned, x->queries, padded);
    }
    if (!of_queries) continue;
    __builtin_memset(sum, 0, (size_t)(d * LCTX_QB) * sizeof(float));
    lctx_add_weighted(sum, 0, t->key + (r * rows + j) * d, d, next - j, ds + j * LCTX_QB, d, x->queries);
    lctx_transpose(back, padded, sum, LCTX_QB, d, x->queries, 1.0f);
    float *to = q->gradient + r * d * LCTX_QB;
    for (int64_t i = 0; i < x->queries; i++) {
      lctx_turn_row(turn, back + i * padded, y->cosine + i * pairs, y->sine + i * pairs, -1.0f);
      for (int64_t n = 0; n < d; n++) to[n * LCTX_QB + i] += back[i * padded + n];
    }
  }
}

/* One block of queries with one tile of keys; both are placed. */
LCTX_HOT void lctx_weighted_pair(lctx_weighing *y, const lctx_key_tile *t, const lctx_query_block *q, int of_keys,
                                 int of_queries) {
  const lctx_weighted *w = y->w;
  const lctx_attention *a = &w->core;
  lctx_block *x = &y->x;
  const int64_t d = a->d, padded = LCTX_PAD(d), rows = w->area / LCTX_QB;
  const size_t used = (size_t)(x->keys * LCTX_QB) * sizeof(float);
  x->lse = q->lse, x->delta = q->delta;
  x->region = a->regions == 1 ? 0
    : a->region(a, x->b, x->h, x->q0, x->q0 + x->queries - 1, x->k0, x->k0 + x->keys - 1);
  for (int r = 0; r < a->regions; r++)
    if (x->region < 0 || x->region == r)
      lctx_tile_logits(y, r, t->key + r * rows * d, d, q->packed + r * d * LCTX_QB);
  lctx_rows_by_packed(x->dp, t->value, a->e, x->keys, q->packed_out, a->e, x->queries);
  w->scores(y);
  if (w->of_row) {
    lctx_row_shares(y);
    __builtin_memset(y->d_row, 0, used);
  }
  if (w->of_block) lctx_block_shares(y);
  w->slopes(y);
  if (w->of_row) lctx_centre_row(y);
  if (w->of_block) lctx_centre_blocks(y);
  w->gradients(y);
  if (of_keys) {
    lctx_clear_rest(x->dp, x->keys);
    lctx_add_outer(t->value_gradient, x->dp, x->keys, q->rows_out, x->queries, LCTX_PAD(a->e));
  }
  for (int r = 0; r < a->regions; r++) {
    if (x->region >= 0 && x->region != r) continue;
    float *ds = x->s + r * w->area;
    if (w->turn[r].by) {
      lctx_add_turned(y, t, q, r, of_keys, of_queries);
      continue;
    }
    if (of_keys) {
      lctx_clear_rest(ds, x->keys);
      lctx_add_outer(t->key_gradient + r * rows * padded, ds, x->keys, q->rows + r * padded * LCTX_QB, x->queries,
                     padded);
    }
    if (of_queries)
      lctx_add_weighted(q->gradient + r * d * LCTX_QB, 0, t->key + r * rows * d, d, x->keys, ds, d, x->queries);
  }
}

LCTX_HOT void lctx_start_tile(lctx_weighing *y, const lctx_key_tile *t, int64_t b, int64_t g, int64_t tile) {
  const lctx_attention *a = &y->w->core;
  const int64_t rows = y->w->area / LCTX_QB;
  lctx_place_tile(y, tile);
  const int64_t keys = y->x.keys, row = (b * a->keys + y->x.k0) * a->groups + g;
  for (int r = 0; r < a->regions; r++)
    lctx_copy_rows(t->key + r * rows * a->d, a->d, a->key[r] + row * a->d, a->groups * a->d, keys, a->d, keys);
  lctx_copy_rows(t->value, a->e, a->value + row * a->e, a->groups * a->e, keys, a->e, keys);
}

/* All blocks of queries that have to do with one tile of (b, g). */
LCTX_HOT void lctx_one_tile(const lctx_weighted *w, float *at, int64_t b, int64_t g, int64_t tile, float *packed,
                            int of_queries, double *const *shares) {
  const lctx_attention *a = &w->core;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, each = a->heads / a->groups;
  const int64_t size = lctx_query_block_size(a), rows = w->area / LCTX_QB;
  lctx_weighing y = {.x = {.shares = shares}};
  const lctx_key_tile t = lctx_key_tile_at(w, &y, at);
  lctx_start_tile(&y, &t, b, g, tile);
  __builtin_memset(t.key_gradient, 0, (size_t)(a->regions * LCTX_PAD(a->d) * rows) * sizeof(float));
  __builtin_memset(t.value_gradient, 0, (size_t)(LCTX_PAD(a->e) * rows) * sizeof(float));
  for (int64_t n = 0; n < each; n++) {
    const int64_t h = g * each + n;
    const int64_t seen = lctx_seeing_queries(a, b, h, y.x.k0, y.x.k0 + y.x.keys - 1, 0, blocks, t.list, 0);
    for (int64_t i = 0; i < seen; i++) {
      const int64_t block = t.list[i] >> 1;
      const lctx_query_block q = lctx_query_block_at(a, packed + (n * blocks + block) * size);
      lctx_set_queries(&y.x, b, h, block);
      lctx_weighted_pair(&y, &t, &q, 1, of_queries);
    }
  }
  const int64_t row = (b * a->keys + y.x.k0) * a->groups + g;
  for (int r = 0; r < a->regions; r++)
    lctx_store_rows(a->key_gradient[r] ? a->key_gradient[r] + row * a->d : 0, a->groups * a->d,
                    t.key_gradient + r * rows * LCTX_PAD(a->d), LCTX_PAD(a->d), y.x.keys, a->d, a->scale);
  lctx_store_rows(a->value_gradient ? a->value_gradient + row * a->e : 0, a->groups * a->e, t.value_gradient,
                  LCTX_PAD(a->e), y.x.keys, a->e, 1.0f);
}

static __attribute__((unused)) void lctx_weighted_whole_item(void *context, int64_t share, int thread) {
  const lctx_weighted *w = context;
  const lctx_attention *a = &w->core;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, tiles = (a->keys + w->tile - 1) / w->tile;
  const int64_t each = a->heads / a->groups, size = lctx_query_block_size(a);
  float *at = a->scratch + thread * a->per_thread;
  const lctx_key_block early = lctx_key_block_at(a, at, 0);
  float *packed = a->packed_base + thread * each * blocks * size;
  double *shares[16];
  lctx_share(a, share, shares);
  for (int64_t item = lctx_share_start(a, share); item < lctx_share_start(a, share + 1); item++) {
    const int64_t b = item / a->groups, g = item % a->groups;
    for (int64_t n = 0; n < each * blocks; n++) {
      lctx_prepare_queries(a, b, g * each + n / blocks, n % blocks, packed + n * size);
      if (a->early) lctx_early_to_queries(a, &early, b, g * each + n / blocks, n % blocks, packed + n * size);
    }
    for (int64_t tile = 0; tile < tiles; tile++) lctx_one_tile(w, at, b, g, tile, packed, 1, shares);
    for (int64_t n = 0; n < each * blocks; n++)
      lctx_finish_queries(a, b, g * each + n / blocks, n % blocks, packed + n * size);
  }
}

static __attribute__((unused)) void lctx_weighted_keys_item(void *context, int64_t share, int thread) {
  const lctx_weighted *w = context;
  const lctx_attention *a = &w->core;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, tiles = (a->keys + w->tile - 1) / w->tile;
  const int64_t each = a->heads / a->groups, size = lctx_query_block_size(a);
  double *shares[16];
  lctx_share(a, share, shares);
  for (int64_t item = lctx_share_start(a, share); item < lctx_share_start(a, share + 1); item++) {
    const int64_t b = item / tiles / a->groups, g = item / tiles % a->groups;
    float *packed = a->packed_base + (b * a->heads + g * each) * blocks * size;
    lctx_one_tile(w, a->scratch + thread * a->per_thread, b, g, item % tiles, packed, 0, shares);
  }
}

static __attribute__((unused)) void lctx_weighted_queries_item(void *context, int64_t item, int thread) {
  const lctx_weighted *w = context;
  const lctx_attention *a = &w->core;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, tiles = (a->keys + w->tile - 1) / w->tile;
  const int64_t b = item / blocks / a->heads, h = item / blocks % a->heads, block = item % blocks;
  float *at = a->packed_base + item * lctx_query_block_size(a), *room = a->scratch + thread * a->per_thread;
  const lctx_query_block q = lctx_query_block_at(a, at);
  if (a->early) {
    const lctx_key_block early = lctx_key_block_at(a, room, 0);
    lctx_early_to_queries(a, &early, b, h, block, at);
  }
  lctx_weighing y = {0};
  const lctx_key_tile t = lctx_key_tile_at(w, &y, room);
  lctx_set_queries(&y.x, b, h, block);
  const int64_t seen = lctx_seen_tiles(w, b, h, y.x.q0, y.x.q0 + y.x.queries - 1, 0, tiles, t.list, 0);
  for (int64_t i = 0; i < seen; i++) {
    lctx_start_tile(&y, &t, b, h / (a->heads / a->groups), t.list[i]);
    lctx_weighted_pair(&y, &t, &q, 0, 1);
  }
  lctx_finish_queries(a, b, h, block, at);
}

static __attribute__((unused)) void lctx_weighted_backward(lctx_weighted *w) {
  lctx_attention *a = &w->core;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, tiles = (a->keys + w->tile - 1) / w->tile;
  const int64_t whole = a->batch * a->groups;
  const int whole_heads = a->tables_with_gradient ? whole >= 16 : a->threads == 1 || whole >= 2 * a->threads;
  a->items = whole_heads ? whole : whole * tiles;
  a->shares = a->tables_with_gradient ? lctx_least(16, a->items) : a->items;
  if (a->tables_with_gradient)
    __builtin_memset(a->share_base, 0, (size_t)(a->shares * a->share_size) * sizeof(double));
  if (whole_heads) lctx_parallel(a->shares, lctx_weighted_whole_item, w);
  else {
    lctx_parallel(a->batch * a->heads * blocks, lctx_prepare_item, a);
    lctx_parallel(a->shares, lctx_weighted_keys_item, w);
    lctx_parallel(a->batch * a->heads * blocks, lctx_weighted_queries_item, w);
  }
  if (a->early) lctx_parallel(a->groups * ((a->early + LCTX_KB - 1) / LCTX_KB), lctx_early_item, a);
}
`;
