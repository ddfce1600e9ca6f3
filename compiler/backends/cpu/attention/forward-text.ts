/** C text of fused attention's forward pass: which blocks to visit, running softmax, output and log-sum-exp. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * One call is a `lctx_attention`; a kernel fills it in with its operands and with functions made from mask, regions and
 * score. Nothing larger than a block of logits is held.
 */
export const forwardText: Fragment = c`
#define LCTX_REGIONS 8
struct lctx_attention;
/* One block of logits, and where it lies. */
typedef struct {
  const struct lctx_attention *a;
  int64_t b, h;
  /* Absolute positions of the first query and key. */
  int64_t q0, k0;
  int64_t queries, keys;
  /* False when every pair is seen. */
  int guard;
  /* The one region of all pairs, or -1 when pairs differ. */
  int region;
  /* Scaled logits of each region, [key][query]; the score replaces those of the region, or of region 0 when they differ. */
  float *s;
  /* Backward: weight gradients, replaced by weights; log-sum-exp and delta of each query; shares of table gradients. */
  float *dp;
  const float *lse, *delta;
  double *const *shares;
  /* Folds over pairs whose queries turn: room for them. */
  float *room;
} lctx_block;

typedef struct lctx_attention {
  int64_t batch, queries, keys, start, threads;
  int64_t heads, groups, d, e, regions;
  const float *query[LCTX_REGIONS], *key[LCTX_REGIONS], *value;
  float scale;
  const void *const *tables;
  const int64_t *sizes;
  const float *scalars;
  /* Keys and values before the text: count 0 when there are none; their queries are those of the region. */
  const float *early_key, *early_value;
  int64_t early;
  int early_region;
  /* 0: no pair of the rectangle (bounds included) is seen; 2: every pair is; 1: unknown. */
  int (*see)(const struct lctx_attention *, int64_t b, int64_t h, int64_t q0, int64_t q1, int64_t k0, int64_t k1);
  /* The region of all pairs of the rectangle, or -1. */
  int (*region)(const struct lctx_attention *, int64_t b, int64_t h, int64_t q0, int64_t q1, int64_t k0, int64_t k1);
  /* Score and mask; null when the score is the logit: then called for guarded blocks only. */
  void (*score)(const lctx_block *);
  int scored;
  /* Folds over pairs: the logits of a region of a block; null where no query turns. Floats for it beside the logits. */
  void (*turned)(const lctx_block *, int region, const float *key, int64_t stride, const float *packed);
  int64_t turning;
  void (*slope)(const lctx_block *);
  /* Selections: how many candidates each of "queries" rows from q0 on takes. */
  void (*amount)(const struct lctx_attention *, int64_t b, int64_t h, int64_t q0, int64_t queries, int32_t *to);
  float *output, *lse;
  float *scratch;
  int64_t per_thread;
  /* Backward. */
  const float *out_read, *lse_read, *out_gradient;
  float *query_gradient[LCTX_REGIONS], *key_gradient[LCTX_REGIONS], *value_gradient;
  float *early_key_gradient, *early_value_gradient;
  int64_t tables_with_gradient;
  int64_t shares;
  double *share_base;
  int64_t share_size;
  const int64_t *share_offset;
  /* Elements of a row of the batch of each table, 0 for tables without a batch; null where all are such. */
  const int64_t *share_row;
  float *packed_base;
  /* Blocks of keys that a thread holds at once, at most LCTX_MOST_KEY_BLOCKS. */
  int64_t keys_at_once;
  int64_t items;
  /* Folds: blocks of queries write apart, so that each is an item. */
  int by_rows;
} lctx_attention;

/* Blocks of keys that some query of [q0, q1] sees, ascending: 2 * block + (1 when every pair is seen). */
LCTX_HOT int64_t lctx_seen_keys(const lctx_attention *a, int64_t b, int64_t h, int64_t q0, int64_t q1, int64_t from,
                                int64_t to, int32_t *list, int64_t count) {
  if (from >= to) return count;
  const int64_t last = lctx_least(to * LCTX_KB, a->keys) - 1;
  const int known = a->see(a, b, h, q0, q1, from * LCTX_KB, last);
  if (known == 0) return count;
  if (known == 2 || to - from == 1) {
    for (int64_t i = from; i < to; i++) list[count++] = (int32_t)(2 * i + (known == 2));
    return count;
  }
  const int64_t middle = (from + to) / 2;
  count = lctx_seen_keys(a, b, h, q0, q1, from, middle, list, count);
  return lctx_seen_keys(a, b, h, q0, q1, middle, to, list, count);
}

/* Blocks of queries that see some key of [k0, k1], ascending; coded alike. */
LCTX_HOT int64_t lctx_seeing_queries(const lctx_attention *a, int64_t b, int64_t h, int64_t k0, int64_t k1,
                                     int64_t from, int64_t to, int32_t *list, int64_t count) {
  if (from >= to) return count;
  const int64_t last = lctx_least(to * LCTX_QB, a->queries) - 1;
  const int known = a->see(a, b, h, a->start + from * LCTX_QB, a->start + last, k0, k1);
  if (known == 0) return count;
  if (known == 2 || to - from == 1) {
    for (int64_t i = from; i < to; i++) list[count++] = (int32_t)(2 * i + (known == 2));
    return count;
  }
  const int64_t middle = (from + to) / 2;
  count = lctx_seeing_queries(a, b, h, k0, k1, from, middle, list, count);
  return lctx_seeing_queries(a, b, h, k0, k1, middle, to, list, count);
}

/* Running state of one block of queries. */
typedef struct {
  float *packed, *sum, *s, *values;
  float *most, *total, *alpha;
} lctx_running;

/* Takes in one block of keys. The block's region is set; plain blocks have neither mask nor score. */
LCTX_HOT void lctx_take_block(const lctx_running *w, lctx_block *x, const float *const *key, int64_t key_stride,
                              const float *value, int64_t value_stride, int plain) {
  const lctx_attention *a = x->a;
  for (int r = 0; r < a->regions; r++)
    if (x->region < 0 || x->region == r)
      lctx_rows_by_packed(w->s + r * LCTX_KB * LCTX_QB, key[r], key_stride, x->keys, w->packed + r * a->d * LCTX_QB,
                          a->d, x->queries);
  if (!plain && (a->scored || x->guard || x->region < 0)) a->score(x);
  float *s = w->s + (x->region < 0 ? 0 : x->region) * LCTX_KB * LCTX_QB;
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vf before = *(vf *)(w->most + v);
    vf most = before;
    for (int64_t j = 0; j < x->keys; j++) most = lctx_max_v(*(vf *)(s + j * LCTX_QB + v), most);
    /* A row that has seen nothing yet keeps 0 as its reference, so that its weights are 0 and not NaN. */
    const vf safe = lctx_select_real_v(most == -LCTX_INF, lctx_splat_real(0.0f), most);
    const vf alpha = lctx_exp_weight(before - safe);
    vf total = *(vf *)(w->total + v) * alpha;
    for (int64_t j = 0; j < x->keys; j++) {
      vf *at = (vf *)(s + j * LCTX_QB + v);
      const vf p = lctx_exp_weight(*at - safe);
      *at = p;
      total += p;
    }
    *(vf *)(w->most + v) = most;
    *(vf *)(w->total + v) = total;
    *(vf *)(w->alpha + v) = alpha;
  }
  lctx_copy_rows(w->values, a->e, value, value_stride, x->keys, a->e, x->keys);
  lctx_add_weighted(w->sum, w->alpha, w->values, a->e, x->keys, s, a->e, x->queries);
}

static __attribute__((unused)) void lctx_attention_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  /* Late blocks of a head come first: they see most keys under a causal mask. */
  const int64_t b = item / blocks / a->heads, h = item / blocks % a->heads, block = blocks - 1 - item % blocks;
  const int64_t g = h / (a->heads / a->groups);
  const int64_t first = block * LCTX_QB, count = lctx_least(LCTX_QB, a->queries - first);
  const int64_t q0 = a->start + first, q1 = q0 + count - 1;
  float *at = a->scratch + thread * a->per_thread;
  lctx_running w;
  w.packed = at, at += a->regions * a->d * LCTX_QB;
  w.sum = at, at += a->e * LCTX_QB;
  w.s = at, at += a->regions * LCTX_KB * LCTX_QB;
  w.values = at, at += LCTX_KB * a->e;
  w.most = at, at += LCTX_QB;
  w.total = at, at += LCTX_QB;
  w.alpha = at, at += LCTX_QB;
  int32_t *list = (int32_t *)at;
  for (int r = 0; r < a->regions; r++)
    lctx_pack(w.packed + r * a->d * LCTX_QB, a->query[r] + ((b * a->queries + first) * a->heads + h) * a->d,
              a->heads * a->d, count, a->d, a->scale);
  __builtin_memset(w.sum, 0, (size_t)(a->e * LCTX_QB) * sizeof(float));
  for (int i = 0; i < LCTX_QB; i++) w.most[i] = -LCTX_INF, w.total[i] = w.alpha[i] = 0.0f;
  lctx_block x = {.a = a, .b = b, .h = h, .q0 = q0, .queries = count, .s = w.s};
  for (int64_t k0 = 0; k0 < a->early; k0 += LCTX_KB) {
    const float *keys[LCTX_REGIONS] = {0};
    keys[a->early_region] = a->early_key + (k0 * a->groups + g) * a->d;
    x.k0 = k0, x.keys = lctx_least(LCTX_KB, a->early - k0), x.guard = 0, x.region = a->early_region;
    lctx_take_block(&w, &x, keys, a->groups * a->d, a->early_value + (k0 * a->groups + g) * a->e, a->groups * a->e, 1);
  }
  const int64_t seen = lctx_seen_keys(a, b, h, q0, q1, 0, key_blocks, list, 0);
  for (int64_t n = 0; n < seen; n++) {
    const int64_t k0 = (list[n] >> 1) * (int64_t)LCTX_KB, row = b * a->keys + k0;
    x.k0 = k0, x.keys = lctx_least(LCTX_KB, a->keys - k0), x.guard = !(list[n] & 1);
    x.region = a->regions == 1 ? 0 : a->region(a, b, h, q0, q1, k0, k0 + x.keys - 1);
    const float *keys[LCTX_REGIONS] = {0};
    for (int r = 0; r < a->regions; r++) keys[r] = a->key[r] + (row * a->groups + g) * a->d;
    lctx_take_block(&w, &x, keys, a->groups * a->d, a->value + (row * a->groups + g) * a->e, a->groups * a->e, 0);
  }
  for (int64_t v = 0; v < count; v += LCTX_LANES) {
    const vf total = *(vf *)(w.total + v), none = lctx_splat_real(0.0f);
    const vf lse = *(vf *)(w.most + v) + lctx_log_v(total);
    const vf inverse = lctx_select_real_v(total == 0.0f, none, 1.0f / total);
    *(vf *)(w.total + v) = lctx_select_real_v(total == 0.0f, none - LCTX_INF, lse);
    for (int64_t i = 0; i < a->e; i++) *(vf *)(w.sum + i * LCTX_QB + v) *= inverse;
  }
  const int64_t out = (b * a->queries + first) * a->heads + h;
  if (a->output) lctx_transpose(a->output + out * a->e, a->heads * a->e, w.sum, LCTX_QB, a->e, count, 1.0f);
  if (a->lse)
    for (int64_t i = 0; i < count; i++) a->lse[out + i * a->heads] = w.total[i];
}

static __attribute__((unused)) void lctx_attention_forward(lctx_attention *a) {
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB;
  lctx_parallel(a->batch * a->heads * blocks, lctx_attention_item, a);
}
`;
