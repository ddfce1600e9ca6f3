/** C text of the forward pass of attention with weights or turned queries: one pass over tiles of keys. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/** Weights are linear in the row normaliser, so the running softmax rescales them as it does plain ones. */
export const weightedForwardText: Fragment = c`
/* Scores of the row to weights before they are divided by the total; what was summed before shrinks by alpha. */
LCTX_HOT void lctx_running_shares(const lctx_running *r, const lctx_weighing *y) {
  const lctx_block *x = &y->x;
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vf before = *(vf *)(r->most + v);
    vf most = before;
    for (int64_t j = 0; j < x->keys; j++) most = lctx_max_v(*(vf *)(y->row + j * LCTX_QB + v), most);
    const vf safe = lctx_select_real_v(most == -LCTX_INF, lctx_splat_real(0.0f), most);
    const vf alpha = lctx_exp_weight(before - safe);
    vf total = *(vf *)(r->total + v) * alpha;
    for (int64_t j = 0; j < x->keys; j++) {
      vf *at = (vf *)(y->row + j * LCTX_QB + v);
      const vf p = lctx_exp_weight(*at - safe);
      *at = p;
      total += p;
    }
    *(vf *)(r->most + v) = most;
    *(vf *)(r->total + v) = total;
    *(vf *)(r->alpha + v) = alpha;
  }
}

LCTX_HOT void lctx_take_tile(const lctx_running *r, lctx_weighing *y, const float *const *key, const float *value) {
  const lctx_weighted *w = y->w;
  const lctx_attention *a = &w->core;
  const lctx_block *x = &y->x;
  for (int n = 0; n < a->regions; n++)
    if (x->region < 0 || x->region == n)
      lctx_tile_logits(y, n, key[n], a->groups * a->d, r->packed + n * a->d * LCTX_QB);
  y->weight = x->s + (x->region < 0 ? 0 : x->region) * w->area;
  w->scores(y);
  if (w->of_row) lctx_running_shares(r, y);
  if (w->of_block) lctx_block_shares(y);
  w->weights(y);
  lctx_copy_rows(r->values, a->e, value, a->groups * a->e, x->keys, a->e, x->keys);
  lctx_add_weighted(r->sum, w->of_row ? r->alpha : 0, r->values, a->e, x->keys, y->weight, a->e, x->queries);
}

static __attribute__((unused)) void lctx_weighted_item(void *context, int64_t item, int thread) {
  const lctx_weighted *w = context;
  const lctx_attention *a = &w->core;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, tiles = (a->keys + w->tile - 1) / w->tile;
  const int64_t b = item / blocks / a->heads, h = item / blocks % a->heads, block = blocks - 1 - item % blocks;
  const int64_t g = h / (a->heads / a->groups);
  const int64_t first = block * LCTX_QB, count = lctx_least(LCTX_QB, a->queries - first);
  const int64_t q0 = a->start + first, q1 = q0 + count - 1;
  float *at = a->scratch + thread * a->per_thread;
  lctx_running r;
  lctx_weighing y = {.w = w};
  r.packed = at, at += a->regions * a->d * LCTX_QB;
  r.sum = at, at += a->e * LCTX_QB;
  r.s = at, at += a->regions * w->area;
  y.row = at, at += w->area;
  y.block = at, at += w->area;
  r.most = at, at += LCTX_QB;
  r.total = at, at += LCTX_QB;
  r.alpha = at, at += LCTX_QB;
  at = lctx_turning_areas(w, &y, at);
  r.values = at, at += lctx_most(w->area / LCTX_QB, LCTX_KB) * a->e;
  int32_t *list = (int32_t *)at;
  for (int n = 0; n < a->regions; n++)
    lctx_pack(r.packed + n * a->d * LCTX_QB, a->query[n] + ((b * a->queries + first) * a->heads + h) * a->d,
              a->heads * a->d, count, a->d, a->scale);
  __builtin_memset(r.sum, 0, (size_t)(a->e * LCTX_QB) * sizeof(float));
  for (int i = 0; i < LCTX_QB; i++) r.most[i] = -LCTX_INF, r.total[i] = r.alpha[i] = 0.0f;
  if (w->sink) {
    w->sink(a, b, h, q0, count, r.most);
    for (int i = 0; i < LCTX_QB; i++) r.total[i] = r.most[i] == -LCTX_INF ? 0.0f : 1.0f;
  }
  y.x = (lctx_block){.a = a, .b = b, .h = h, .q0 = q0, .queries = count, .s = r.s};
  for (int64_t k0 = 0; k0 < a->early; k0 += LCTX_KB) {
    const float *keys[LCTX_REGIONS] = {0};
    keys[a->early_region] = a->early_key + (k0 * a->groups + g) * a->d;
    y.x.k0 = k0, y.x.keys = lctx_least(LCTX_KB, a->early - k0), y.x.guard = 0, y.x.region = a->early_region;
    lctx_take_block(&r, &y.x, keys, a->groups * a->d, a->early_value + (k0 * a->groups + g) * a->e, a->groups * a->e,
                    1);
  }
  const int64_t seen = lctx_seen_tiles(w, b, h, q0, q1, 0, tiles, list, 0);
  for (int64_t n = 0; n < seen; n++) {
    lctx_place_tile(&y, list[n]);
    const int64_t k0 = y.x.k0, row = b * a->keys + k0;
    y.x.region = a->regions == 1 ? 0 : a->region(a, b, h, q0, q1, k0, k0 + y.x.keys - 1);
    const float *keys[LCTX_REGIONS] = {0};
    for (int i = 0; i < a->regions; i++) keys[i] = a->key[i] + (row * a->groups + g) * a->d;
    lctx_take_tile(&r, &y, keys, a->value + (row * a->groups + g) * a->e);
  }
  if (w->of_row)
    for (int64_t v = 0; v < count; v += LCTX_LANES) {
      const vf total = *(vf *)(r.total + v), none = lctx_splat_real(0.0f);
      const vf lse = *(vf *)(r.most + v) + lctx_log_v(total);
      const vf inverse = lctx_select_real_v(total == 0.0f, none, 1.0f / total);
      *(vf *)(r.total + v) = lctx_select_real_v(total == 0.0f, none - LCTX_INF, lse);
      for (int64_t i = 0; i < a->e; i++) *(vf *)(r.sum + i * LCTX_QB + v) *= inverse;
    }
  const int64_t out = (b * a->queries + first) * a->heads + h;
  if (a->output) lctx_transpose(a->output + out * a->e, a->heads * a->e, r.sum, LCTX_QB, a->e, count, 1.0f);
  if (a->lse)
    for (int64_t i = 0; i < count; i++) a->lse[out + i * a->heads] = r.total[i];
}

static __attribute__((unused)) void lctx_weighted_forward(lctx_weighted *w) {
  const int64_t blocks = (w->core.queries + LCTX_QB - 1) / LCTX_QB;
  lctx_parallel(w->core.batch * w->core.heads * blocks, lctx_weighted_item, w);
}
`;
