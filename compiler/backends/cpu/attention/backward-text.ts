/** C text of fused attention's backward pass: logits are computed again from the saved log-sum-exp, block by block. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * Gradients of keys and values are summed over heads of the group, then blocks of queries; those of queries over blocks
 * of keys; always ascending. So both ways to share the work below give the same bits: `lctx_whole_item` takes all of
 * one key-value head (five products a block); with few of them, `lctx_keys_item` and then `lctx_queries_item` take
 * single blocks (seven products, but any number of threads).
 */
export const backwardText: Fragment = c`
/* What is kept of one block of queries of one head, in this order. */
typedef struct {
  float *packed, *packed_out, *rows, *rows_out, *gradient, *lse, *delta;
} lctx_query_block;

LCTX_INLINE int64_t lctx_query_block_size(const lctx_attention *a) {
  return LCTX_QB * (a->regions * (2 * a->d + LCTX_PAD(a->d)) + a->e + LCTX_PAD(a->e) + 2);
}
LCTX_INLINE lctx_query_block lctx_query_block_at(const lctx_attention *a, float *at) {
  lctx_query_block x;
  x.packed = at, at += a->regions * a->d * LCTX_QB;
  x.packed_out = at, at += a->e * LCTX_QB;
  x.rows = at, at += a->regions * LCTX_PAD(a->d) * LCTX_QB;
  x.rows_out = at, at += LCTX_PAD(a->e) * LCTX_QB;
  x.gradient = at, at += a->regions * a->d * LCTX_QB;
  x.lse = at, at += LCTX_QB;
  x.delta = at;
  return x;
}

LCTX_HOT void lctx_prepare_queries(const lctx_attention *a, int64_t b, int64_t h, int64_t block, float *at) {
  const lctx_query_block x = lctx_query_block_at(a, at);
  const int64_t first = block * LCTX_QB, count = lctx_least(LCTX_QB, a->queries - first);
  const int64_t row = (b * a->queries + first) * a->heads + h;
  for (int r = 0; r < a->regions; r++) {
    const float *from = a->query[r] + row * a->d;
    lctx_pack(x.packed + r * a->d * LCTX_QB, from, a->heads * a->d, count, a->d, a->scale);
    lctx_copy_rows(x.rows + r * LCTX_PAD(a->d) * LCTX_QB, LCTX_PAD(a->d), from, a->heads * a->d, count, a->d, LCTX_QB);
  }
  const float *gradient = a->out_gradient + row * a->e, *out = a->out_read + row * a->e;
  lctx_pack(x.packed_out, gradient, a->heads * a->e, count, a->e, 1.0f);
  lctx_copy_rows(x.rows_out, LCTX_PAD(a->e), gradient, a->heads * a->e, count, a->e, LCTX_QB);
  __builtin_memset(x.gradient, 0, (size_t)(a->regions * a->d * LCTX_QB) * sizeof(float));
  for (int64_t i = 0; i < LCTX_QB; i++) {
    float lse = LCTX_INF, delta = 0.0f;
    if (i < count) {
      const float *g = gradient + i * a->heads * a->e, *o = out + i * a->heads * a->e;
      lse = a->lse_read[row + i * a->heads];
      /* A row without keys: e^(-inf - inf) = 0. */
      if (lse == -LCTX_INF) lse = LCTX_INF;
      vf sum = lctx_splat_real(0.0f);
      int64_t k = 0;
      for (; k + LCTX_LANES <= a->e; k += LCTX_LANES) sum += lctx_load(g + k) * lctx_load(o + k);
      delta = lctx_sum(sum);
      for (; k < a->e; k++) delta += g[k] * o[k];
    }
    x.lse[i] = lse;
    x.delta[i] = delta;
  }
}

LCTX_HOT void lctx_finish_queries(const lctx_attention *a, int64_t b, int64_t h, int64_t block, float *at) {
  const lctx_query_block x = lctx_query_block_at(a, at);
  const int64_t first = block * LCTX_QB, count = lctx_least(LCTX_QB, a->queries - first);
  for (int r = 0; r < a->regions; r++)
    if (a->query_gradient[r])
      lctx_transpose(a->query_gradient[r] + ((b * a->queries + first) * a->heads + h) * a->d, a->heads * a->d,
                     x.gradient + r * a->d * LCTX_QB, LCTX_QB, a->d, count, a->scale);
}

#define LCTX_MOST_KEY_BLOCKS 4
/* One block of keys, copied, and its gradients [key][padded dimension]. */
typedef struct {
  float *key, *value, *key_gradient, *value_gradient, *s, *dp;
  int32_t *list;
} lctx_key_block;

/* The n-th of the key blocks that a thread holds at once; logits are shared, since one pair is worked on at a time. */
LCTX_INLINE lctx_key_block lctx_key_block_at(const lctx_attention *a, float *at, int64_t n) {
  const int64_t keys = a->regions * (a->d + LCTX_PAD(a->d)) * LCTX_KB, values = (a->e + LCTX_PAD(a->e)) * LCTX_KB;
  lctx_key_block x;
  x.s = at, at += a->regions * LCTX_QB * LCTX_KB;
  x.dp = at, at += LCTX_QB * LCTX_KB;
  x.list = (int32_t *)(at + a->keys_at_once * (keys + values)) + n * ((a->queries + LCTX_QB - 1) / LCTX_QB);
  at += n * (keys + values);
  x.key = at, at += a->regions * a->d * LCTX_KB;
  x.value = at, at += a->e * LCTX_KB;
  x.key_gradient = at, at += a->regions * LCTX_PAD(a->d) * LCTX_KB;
  x.value_gradient = at;
  return x;
}

/* Copies keys and values; a null base of a region's keys is left out. */
LCTX_HOT void lctx_start_keys(const lctx_attention *a, const lctx_key_block *y, const float *const *key,
                              const float *value, int64_t count) {
  for (int r = 0; r < a->regions; r++)
    if (key[r]) lctx_copy_rows(y->key + r * a->d * LCTX_KB, a->d, key[r], a->groups * a->d, count, a->d, count);
  lctx_copy_rows(y->value, a->e, value, a->groups * a->e, count, a->e, count);
  __builtin_memset(y->key_gradient, 0, (size_t)(a->regions * LCTX_PAD(a->d) * LCTX_KB) * sizeof(float));
  __builtin_memset(y->value_gradient, 0, (size_t)(LCTX_PAD(a->e) * LCTX_KB) * sizeof(float));
}

LCTX_HOT void lctx_store_rows(float *to, int64_t stride, const float *rows, int64_t padded, int64_t count, int64_t n,
                              float factor) {
  if (!to) return;
  for (int64_t j = 0; j < count; j++)
    for (int64_t i = 0; i < n; i++) to[j * stride + i] = rows[j * padded + i] * factor;
}

/* Weights and logit gradients of a block without mask and score. */
LCTX_HOT void lctx_plain_slope(const lctx_block *x) {
  float *s = x->s + x->region * LCTX_KB * LCTX_QB;
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vf lse = *(const vf *)(x->lse + v), delta = *(const vf *)(x->delta + v);
    for (int64_t j = 0; j < x->keys; j++) {
      vf *at = (vf *)(s + j * LCTX_QB + v), *dp = (vf *)(x->dp + j * LCTX_QB + v);
      const vf p = lctx_exp_weight(*at - lse);
      *at = p * (*dp - delta);
      *dp = p;
    }
  }
}

/* One pair of blocks; the block's place, guard and region are set. */
LCTX_HOT void lctx_pair(lctx_block *x, const lctx_key_block *y, const lctx_query_block *q, int plain, int of_keys,
                        int of_queries) {
  const lctx_attention *a = x->a;
  const int64_t d = a->d, padded = LCTX_PAD(a->d), area = LCTX_QB * LCTX_KB;
  x->s = y->s, x->dp = y->dp, x->lse = q->lse, x->delta = q->delta;
  for (int r = 0; r < a->regions; r++)
    if (x->region < 0 || x->region == r)
      lctx_rows_by_packed(y->s + r * area, y->key + r * d * LCTX_KB, d, x->keys, q->packed + r * d * LCTX_QB, d,
                          x->queries);
  lctx_rows_by_packed(y->dp, y->value, a->e, x->keys, q->packed_out, a->e, x->queries);
  if (plain || (!a->scored && !x->guard && x->region >= 0)) lctx_plain_slope(x);
  else a->slope(x);
  const int64_t rest = (x->keys + 3) / 4 * 4 - x->keys;
  if (of_keys) {
    __builtin_memset(y->dp + x->keys * LCTX_QB, 0, (size_t)(rest * LCTX_QB) * sizeof(float));
    lctx_add_outer(y->value_gradient, y->dp, x->keys, q->rows_out, x->queries, LCTX_PAD(a->e));
  }
  for (int r = 0; r < a->regions; r++) {
    if (x->region >= 0 && x->region != r) continue;
    float *ds = y->s + r * area;
    if (of_keys) {
      __builtin_memset(ds + x->keys * LCTX_QB, 0, (size_t)(rest * LCTX_QB) * sizeof(float));
      lctx_add_outer(y->key_gradient + r * padded * LCTX_KB, ds, x->keys, q->rows + r * padded * LCTX_QB, x->queries,
                     padded);
    }
    if (of_queries)
      lctx_add_weighted(q->gradient + r * d * LCTX_QB, 0, y->key + r * d * LCTX_KB, d, x->keys, ds, d, x->queries);
  }
}

LCTX_INLINE void lctx_set_queries(lctx_block *x, int64_t b, int64_t h, int64_t block) {
  const lctx_attention *a = x->a;
  x->b = b, x->h = h;
  x->q0 = a->start + block * LCTX_QB;
  x->queries = lctx_least(LCTX_QB, a->queries - block * LCTX_QB);
}
LCTX_INLINE void lctx_set_region(lctx_block *x) {
  const lctx_attention *a = x->a;
  x->region = a->regions == 1 ? 0
    : a->region(a, x->b, x->h, x->q0, x->q0 + x->queries - 1, x->k0, x->k0 + x->keys - 1);
}

/* Copies key block "block" of key-value head g. */
LCTX_HOT void lctx_start_key_block(const lctx_attention *a, const lctx_key_block *y, lctx_block *x, int64_t b,
                                   int64_t g, int64_t block) {
  const int64_t k0 = block * LCTX_KB, row = (b * a->keys + k0) * a->groups + g;
  const float *key[LCTX_REGIONS] = {0};
  for (int r = 0; r < a->regions; r++) key[r] = a->key[r] + row * a->d;
  x->k0 = k0, x->keys = lctx_least(LCTX_KB, a->keys - k0);
  lctx_start_keys(a, y, key, a->value + row * a->e, x->keys);
}
LCTX_HOT void lctx_start_early_block(const lctx_attention *a, const lctx_key_block *y, lctx_block *x, int64_t g,
                                     int64_t k0) {
  const float *key[LCTX_REGIONS] = {0};
  key[a->early_region] = a->early_key + (k0 * a->groups + g) * a->d;
  x->k0 = k0, x->keys = lctx_least(LCTX_KB, a->early - k0), x->region = a->early_region, x->guard = 0;
  lctx_start_keys(a, y, key, a->early_value + (k0 * a->groups + g) * a->e, x->keys);
}

/*
 * All query blocks that see some of "count" key blocks of (b, g), each taken once for all of them: a block of queries is
 * larger than a cache holds many of. Every sum still runs over its blocks in ascending order. "of_queries" also adds to
 * gradients of queries.
 */
LCTX_HOT void lctx_some_key_blocks(const lctx_attention *a, float *at, int64_t b, int64_t g, int64_t block,
                                   int64_t count, float *packed, int of_queries, double *const *shares) {
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, each = a->heads / a->groups;
  const int64_t size = lctx_query_block_size(a);
  lctx_key_block y[LCTX_MOST_KEY_BLOCKS];
  lctx_block x[LCTX_MOST_KEY_BLOCKS];
  for (int64_t m = 0; m < count; m++) {
    y[m] = lctx_key_block_at(a, at, m);
    x[m] = (lctx_block){.a = a, .shares = shares};
    lctx_start_key_block(a, &y[m], &x[m], b, g, block + m);
  }
  for (int64_t n = 0; n < each; n++) {
    const int64_t h = g * each + n;
    int64_t seen[LCTX_MOST_KEY_BLOCKS], next[LCTX_MOST_KEY_BLOCKS] = {0};
    for (int64_t m = 0; m < count; m++)
      seen[m] = lctx_seeing_queries(a, b, h, x[m].k0, x[m].k0 + x[m].keys - 1, 0, blocks, y[m].list, 0);
    for (int64_t qb = 0; qb < blocks; qb++) {
      const lctx_query_block q = lctx_query_block_at(a, packed + (n * blocks + qb) * size);
      for (int64_t m = 0; m < count; m++) {
        if (next[m] == seen[m] || y[m].list[next[m]] >> 1 != qb) continue;
        x[m].guard = !(y[m].list[next[m]++] & 1);
        lctx_set_queries(&x[m], b, h, qb);
        lctx_set_region(&x[m]);
        lctx_pair(&x[m], &y[m], &q, 0, 1, of_queries);
      }
    }
  }
  for (int64_t m = 0; m < count; m++) {
    const int64_t row = (b * a->keys + x[m].k0) * a->groups + g;
    for (int r = 0; r < a->regions; r++)
      lctx_store_rows(a->key_gradient[r] ? a->key_gradient[r] + row * a->d : 0, a->groups * a->d,
                      y[m].key_gradient + r * LCTX_PAD(a->d) * LCTX_KB, LCTX_PAD(a->d), x[m].keys, a->d, a->scale);
    lctx_store_rows(a->value_gradient ? a->value_gradient + row * a->e : 0, a->groups * a->e, y[m].value_gradient,
                    LCTX_PAD(a->e), x[m].keys, a->e, 1.0f);
  }
}

/* What keys before the text add to gradients of the queries of one block. */
LCTX_HOT void lctx_early_to_queries(const lctx_attention *a, const lctx_key_block *y, int64_t b, int64_t h,
                                    int64_t block, float *at) {
  lctx_block x = {.a = a};
  const lctx_query_block q = lctx_query_block_at(a, at);
  lctx_set_queries(&x, b, h, block);
  for (int64_t k0 = 0; k0 < a->early; k0 += LCTX_KB) {
    lctx_start_early_block(a, y, &x, h / (a->heads / a->groups), k0);
    lctx_pair(&x, y, &q, 1, 0, 1);
  }
}

/* Rows of the batch that a share may touch, and the first one: a table of the batch has only these in a share. */
LCTX_INLINE int64_t lctx_share_rows(const lctx_attention *a) { return (a->batch + 15) / 16 + (a->batch > 1); }
LCTX_INLINE int64_t lctx_share_row(const lctx_attention *a, int64_t share) { return share * a->batch / a->shares; }

/* Where a share sums each table; batched ones as if they had all rows. */
LCTX_INLINE void lctx_share(const lctx_attention *a, int64_t share, double **to) {
  for (int64_t n = 0; n < a->tables_with_gradient; n++) {
    to[n] = a->share_base + share * a->share_size + a->share_offset[n];
    if (a->share_row) to[n] -= lctx_share_row(a, share) * a->share_row[n];
  }
}

/* Items are cut into equal runs, one a share of the table gradients, so that sums do not depend on threads. */
LCTX_INLINE int64_t lctx_share_start(const lctx_attention *a, int64_t share) { return share * a->items / a->shares; }

static __attribute__((unused)) void lctx_whole_item(void *context, int64_t share, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  const int64_t each = a->heads / a->groups, size = lctx_query_block_size(a);
  float *at = a->scratch + thread * a->per_thread;
  const lctx_key_block y = lctx_key_block_at(a, at, 0);
  float *packed = a->packed_base + thread * each * blocks * size;
  double *shares[16];
  lctx_share(a, share, shares);
  for (int64_t item = lctx_share_start(a, share); item < lctx_share_start(a, share + 1); item++) {
    const int64_t b = item / a->groups, g = item % a->groups;
    for (int64_t n = 0; n < each * blocks; n++) {
      lctx_prepare_queries(a, b, g * each + n / blocks, n % blocks, packed + n * size);
      if (a->early) lctx_early_to_queries(a, &y, b, g * each + n / blocks, n % blocks, packed + n * size);
    }
    for (int64_t k = 0; k < key_blocks; k += a->keys_at_once)
      lctx_some_key_blocks(a, at, b, g, k, lctx_least(a->keys_at_once, key_blocks - k), packed, 1, shares);
    for (int64_t n = 0; n < each * blocks; n++)
      lctx_finish_queries(a, b, g * each + n / blocks, n % blocks, packed + n * size);
  }
}

static __attribute__((unused)) void lctx_prepare_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB;
  (void)thread;
  lctx_prepare_queries(a, item / blocks / a->heads, item / blocks % a->heads, item % blocks,
                       a->packed_base + item * lctx_query_block_size(a));
}

static __attribute__((unused)) void lctx_keys_item(void *context, int64_t share, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  const int64_t each = a->heads / a->groups, size = lctx_query_block_size(a);
  double *shares[16];
  lctx_share(a, share, shares);
  for (int64_t item = lctx_share_start(a, share); item < lctx_share_start(a, share + 1); item++) {
    const int64_t b = item / key_blocks / a->groups, g = item / key_blocks % a->groups;
    float *packed = a->packed_base + (b * a->heads + g * each) * blocks * size;
    lctx_some_key_blocks(a, a->scratch + thread * a->per_thread, b, g, item % key_blocks, 1, packed, 0, shares);
  }
}

static __attribute__((unused)) void lctx_queries_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  const int64_t b = item / blocks / a->heads, h = item / blocks % a->heads, block = item % blocks;
  const lctx_key_block y = lctx_key_block_at(a, a->scratch + thread * a->per_thread, 0);
  float *at = a->packed_base + item * lctx_query_block_size(a);
  const lctx_query_block q = lctx_query_block_at(a, at);
  if (a->early) lctx_early_to_queries(a, &y, b, h, block, at);
  lctx_block x = {.a = a};
  lctx_set_queries(&x, b, h, block);
  const int64_t seen = lctx_seen_keys(a, b, h, x.q0, x.q0 + x.queries - 1, 0, key_blocks, y.list, 0);
  for (int64_t i = 0; i < seen; i++) {
    lctx_start_key_block(a, &y, &x, b, h / (a->heads / a->groups), y.list[i] >> 1);
    x.guard = !(y.list[i] & 1);
    lctx_set_region(&x);
    lctx_pair(&x, &y, &q, 0, 0, 1);
  }
  lctx_finish_queries(a, b, h, block, at);
}

/* Gradients of keys and values before the text: one item a block of them and key-value head, over all rows. */
static __attribute__((unused)) void lctx_early_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t g = item % a->groups, k0 = item / a->groups * LCTX_KB, each = a->heads / a->groups;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB;
  float *at = a->scratch + thread * a->per_thread;
  float *packed = at;
  const lctx_key_block y = lctx_key_block_at(a, at + lctx_query_block_size(a), 0);
  const lctx_query_block q = lctx_query_block_at(a, packed);
  const int r = a->early_region;
  lctx_block x = {.a = a};
  lctx_start_early_block(a, &y, &x, g, k0);
  for (int64_t b = 0; b < a->batch; b++)
    for (int64_t n = 0; n < each * blocks; n++) {
      lctx_prepare_queries(a, b, g * each + n / blocks, n % blocks, packed);
      lctx_set_queries(&x, b, g * each + n / blocks, n % blocks);
      lctx_pair(&x, &y, &q, 1, 1, 0);
    }
  const int64_t row = k0 * a->groups + g;
  lctx_store_rows(a->early_key_gradient ? a->early_key_gradient + row * a->d : 0, a->groups * a->d,
                  y.key_gradient + r * LCTX_PAD(a->d) * LCTX_KB, LCTX_PAD(a->d), x.keys, a->d, a->scale);
  lctx_store_rows(a->early_value_gradient ? a->early_value_gradient + row * a->e : 0, a->groups * a->e,
                  y.value_gradient, LCTX_PAD(a->e), x.keys, a->e, 1.0f);
}

static __attribute__((unused)) void lctx_attention_backward(lctx_attention *a) {
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  const int64_t whole = a->batch * a->groups;
  const int whole_heads = a->tables_with_gradient ? whole >= 16 : a->threads == 1 || whole >= 2 * a->threads;
  a->items = whole_heads ? whole : whole * key_blocks;
  a->shares = a->tables_with_gradient ? lctx_least(16, a->items) : a->items;
  if (a->tables_with_gradient)
    __builtin_memset(a->share_base, 0, (size_t)(a->shares * a->share_size) * sizeof(double));
  if (whole_heads) lctx_parallel(a->shares, lctx_whole_item, a);
  else {
    lctx_parallel(a->batch * a->heads * blocks, lctx_prepare_item, a);
    lctx_parallel(a->shares, lctx_keys_item, a);
    lctx_parallel(a->batch * a->heads * blocks, lctx_queries_item, a);
  }
  if (a->early) lctx_parallel(a->groups * ((a->early + LCTX_KB - 1) / LCTX_KB), lctx_early_item, a);
}

/* Adds up the shares of one table's gradient: of a batched one, those that hold the row. */
LCTX_HOT void lctx_sum_shares(const lctx_attention *a, int64_t table, float *to, int64_t count) {
  if (!to) return;
  const int64_t row = a->share_row ? a->share_row[table] : 0, rows = row ? a->batch : 1, each = row ? row : count;
  const double *base = a->share_base + a->share_offset[table];
  for (int64_t b = 0; b < rows; b++) {
    int64_t from = 0, end = a->shares;
    while (row && lctx_share_row(a, from) + lctx_share_rows(a) <= b) from++;
    while (row && lctx_share_row(a, end - 1) > b) end--;
    for (int64_t i = 0; i < each; i++) {
      double sum = 0.0;
      for (int64_t n = from; n < end; n++)
        sum += base[n * a->share_size + (row ? b - lctx_share_row(a, n) : 0) * row + i];
      to[b * each + i] = (float)sum;
    }
  }
}
`;
