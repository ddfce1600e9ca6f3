/** C text of folds over pairs and of selections: blocks of pairs are visited as in attention, without a softmax. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * `lctx_fold_item` gives blocks of pairs to `score`, which folds them into an area of doubles that no other item writes
 * meanwhile. `lctx_select_item` has `score` turn each candidate into a whole number that sorts like it, for one block of
 * rows, and writes the words of the chosen ones.
 */
export const foldText: Fragment = c`
/* Logits of one block of pairs, where a->scored; then a->score. The block's place is set but for keys, guard and region. */
LCTX_HOT void lctx_visit_block(lctx_block *x, const float *packed, int64_t key_block, int seen_by_all) {
  const lctx_attention *a = x->a;
  x->k0 = key_block * LCTX_KB, x->keys = lctx_least(LCTX_KB, a->keys - x->k0), x->guard = !seen_by_all;
  x->region = a->regions == 1 ? 0
    : a->region(a, x->b, x->h, x->q0, x->q0 + x->queries - 1, x->k0, x->k0 + x->keys - 1);
  const int64_t row = (x->b * a->keys + x->k0) * a->groups + x->h / (a->heads / a->groups);
  if (a->scored)
    for (int r = 0; r < a->regions; r++)
      if (x->region < 0 || x->region == r) {
        const float *key = a->key[r] + row * a->d, *own = packed + r * a->d * LCTX_QB;
        if (a->turned) a->turned(x, r, key, a->groups * a->d, own);
        else lctx_rows_by_packed(x->s + r * LCTX_KB * LCTX_QB, key, a->groups * a->d, x->keys, own, a->d, x->queries);
      }
  a->score(x);
}

/* Packs the queries of a block and lists the blocks of keys that they see: how many. */
LCTX_HOT int64_t lctx_start_rows(lctx_block *x, int64_t block, float *packed, int32_t *list) {
  const lctx_attention *a = x->a;
  const int64_t first = block * LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  x->q0 = a->start + first, x->queries = lctx_least(LCTX_QB, a->queries - first);
  const int64_t seen = lctx_seen_keys(a, x->b, x->h, x->q0, x->q0 + x->queries - 1, 0, key_blocks, list, 0);
  if (seen > 0 && a->scored)
    for (int r = 0; r < a->regions; r++)
      lctx_pack(packed + r * a->d * LCTX_QB, a->query[r] + ((x->b * a->queries + first) * a->heads + x->h) * a->d,
                a->heads * a->d, x->queries, a->d, a->scale);
  return seen;
}

/*
 * Item n of a row of the batch takes an equal run of its (head, block of queries), or of its (block of queries, head)
 * where blocks of queries write apart; blocks of keys ascend.
 */
static __attribute__((unused)) void lctx_fold_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, units = a->heads * blocks;
  const int64_t b = item / a->items, n = item % a->items;
  double *area[1] = {a->share_base + (b * a->shares + n % a->shares) * a->share_size};
  float *packed = a->scratch + thread * a->per_thread, *s = packed + a->regions * a->d * LCTX_QB;
  float *room = s + a->regions * LCTX_KB * LCTX_QB;
  int32_t *list = (int32_t *)(room + a->turning);
  for (int64_t unit = n * units / a->items; unit < (n + 1) * units / a->items; unit++) {
    lctx_block x = {.a = a, .b = b, .h = a->by_rows ? unit % a->heads : unit / blocks, .s = s, .shares = area, .room = room};
    const int64_t seen = lctx_start_rows(&x, a->by_rows ? unit / a->heads : unit % blocks, packed, list);
    for (int64_t i = 0; i < seen; i++) lctx_visit_block(&x, packed, list[i] >> 1, list[i] & 1);
  }
}

/* A whole number above 1 that sorts like x: NaN is 1, -0 is 0. */
LCTX_INLINE vi lctx_sortable(vf x) {
  const vi bits = (vi)(x + 0.0f);
  const vi up = (vi)((vu)bits ^ ((vu)(bits >> 31) | 0x80000000u));
  return lctx_select_int_v(x == x, up, lctx_splat_int(1));
}

/* Candidates [key][row] whose number is at least "least", by row. */
LCTX_INLINE vi lctx_count_from(const vu *rank, int64_t stride, int64_t count, vu least) {
  vi found = lctx_splat_int(0);
  for (int64_t j = 0; j < count; j++) found -= (vi)(rank[j * stride] >= least);
  return found;
}

/*
 * Words of the rows of one vector. 0: no candidate; the largest number: chosen in any case. Of the others the row's "most"
 * largest are chosen, with those of the largest number counted; of equal ones the first.
 */
LCTX_HOT void lctx_choose(const float *ranks, int64_t count, vi most, int32_t *out, int64_t stride, int64_t words,
                          int64_t rows) {
  const vu *rank = (const vu *)ranks;
  const int64_t step = LCTX_QB / LCTX_LANES;
  vu least = (vu)lctx_splat_int(-1);
  vi left = lctx_splat_int(0);
  const vi every = most >= lctx_splat_int((int32_t)count), some = (most > 0) & ~every;
  if (lctx_any(some)) {
    /* How many are chosen in any case, and the largest number of the others. */
    vu top = (vu)lctx_splat_int(0);
    vi forced = lctx_splat_int(0);
    for (int64_t j = 0; j < count; j++) {
      const vu r = rank[j * step];
      const vi always = (vi)(r == 0xffffffffu);
      forced -= always;
      top = (vu)lctx_select_int_v(~always & (vi)(r > top), (vi)r, (vi)top);
    }
    /* The number of the last one chosen, bit by bit, until so many as are wanted have what is known of it or more. */
    least = (vu)lctx_splat_int(0);
    vi open = some;
    for (int bit = 31; bit >= 0 && lctx_any(open); bit--) {
      const vu next = least | (1u << bit);
      const vi found = lctx_any(open & (vi)(next <= top)) ? lctx_count_from(rank, step, count, next) : forced;
      least = (vu)lctx_select_int_v(found >= most, (vi)next, (vi)least);
      open &= ~(found == most);
    }
    vi above = lctx_splat_int(0);
    for (int64_t j = 0; j < count; j++) above -= (vi)(rank[j * step] > least);
    left = (most - above) & some;
  }
  least = (vu)lctx_select_int_v(every, lctx_splat_int(0), lctx_select_int_v(some, (vi)least, lctx_splat_int(-1)));
  for (int64_t w = 0; w < words; w++) {
    vi word = lctx_splat_int(0);
    for (int64_t j = 32 * w; j < lctx_least(count, 32 * w + 32); j++) {
      const vu r = rank[j * step];
      const vi tie = (vi)(r == least) & (left > 0);
      left += tie;
      const vi chosen = ((vi)(r > least) | tie | (vi)(r == 0xffffffffu)) & (vi)(r != 0);
      word |= chosen & (vi)lctx_splat_int((int32_t)(1u << (j & 31)));
    }
    for (int64_t i = 0; i < rows; i++) out[i * stride + w] = word[i];
  }
}

/* One block of rows of one head. a->output is the words, a->amount how many each takes. */
static __attribute__((unused)) void lctx_select_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, words = (a->keys + 31) / 32;
  float *ranks = a->scratch + thread * a->per_thread, *packed = ranks + a->keys * LCTX_QB;
  float *s = packed + a->d * LCTX_QB;
  int32_t *list = (int32_t *)(s + LCTX_KB * LCTX_QB);
  lctx_block x = {.a = a, .b = item / blocks / a->heads, .h = item / blocks % a->heads, .s = s};
  const int64_t seen = lctx_start_rows(&x, item % blocks, packed, list);
  /* Nothing after the last candidate that a row of the block may take is looked at. */
  const int64_t count = seen == 0 ? 0 : lctx_least(a->keys, ((list[seen - 1] >> 1) + 1) * (int64_t)LCTX_KB);
  __builtin_memset(ranks, 0, (size_t)(count * LCTX_QB) * sizeof(float));
  for (int64_t i = 0; i < seen; i++) {
    x.dp = ranks + (list[i] >> 1) * (int64_t)(LCTX_KB * LCTX_QB);
    lctx_visit_block(&x, packed, list[i] >> 1, list[i] & 1);
  }
  const int64_t row = (x.b * a->queries + item % blocks * LCTX_QB) * a->heads + x.h;
  int32_t most[LCTX_QB] __attribute__((aligned(64)));
  a->amount(a, x.b, x.h, x.q0, x.queries, most);
  for (int64_t v = 0; v < x.queries; v += LCTX_LANES)
    lctx_choose(ranks + v, count, *(const vi *)(most + v), (int32_t *)a->output + (row + v * a->heads) * words, a->heads * words, words,
                lctx_least(LCTX_LANES, x.queries - v));
}
`;
