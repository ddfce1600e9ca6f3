/** C text of tiles: logits of a tile of keys, turned queries, and the normalisers that weights are made of. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * A tile holds whole blocks of keys, so that a block's softmax is known once its tile is. Areas of a tile are
 * [key][query], like the logits.
 */
export const tileText: Fragment = c`
/* How a region turns its queries: pairs of dimensions, by a position that keys of a block share. by is 0 for none. */
typedef struct {
  int64_t by, rotated;
  int interleaved;
  /* Positions of "queries" queries from q0 on, at key k. */
  void (*position)(const lctx_attention *, int64_t b, int64_t h, int64_t q0, int64_t queries, int64_t k, double *to);
  /* One for each pair, up to a multiple of the lanes. */
  const double *angle, *factor;
} lctx_turn;

struct lctx_weighing;
typedef struct {
  lctx_attention core;
  /* Keys of a tile, and of a block: tiles are whole blocks. Floats of one area. */
  int64_t tile, block, area;
  /* Whether there is a softmax over the row, and one over each block. */
  int of_row, of_block, turned;
  lctx_turn turn[LCTX_REGIONS];
  /* Logarithms of one more term of the denominators; null when there is none. */
  void (*sink)(const lctx_attention *, int64_t b, int64_t h, int64_t q0, int64_t queries, float *to);
  /* Logits to scores of the normalisers. */
  void (*scores)(const struct lctx_weighing *);
  /* Forward: shares to weights. */
  void (*weights)(const struct lctx_weighing *);
  /* Backward: shares and weight gradients to weights and gradients of the shares' logarithms, then these to logits'. */
  void (*slopes)(const struct lctx_weighing *);
  void (*gradients)(const struct lctx_weighing *);
} lctx_weighted;

typedef struct lctx_weighing {
  /* Where the tile lies; its logits and weight gradients. */
  lctx_block x;
  const lctx_weighted *w;
  /* Scores of the normalisers, then shares. */
  float *row, *block;
  /* Forward: where weights go. */
  float *weight;
  /* Backward: gradients of scores, and of logits through factors. */
  float *d_row, *d_block, *d_logit;
  /* Turned queries of one region [query][padded dimension], packed, the turn of each [query][pair], and room. */
  float *turned, *turned_packed, *cosine, *sine, *room, *segment;
} lctx_weighing;

#define LCTX_PAIRS(turn) (((turn)->rotated / 2 + 15) / 16 * 16)

LCTX_INLINE float *lctx_turning_areas(const lctx_weighted *w, lctx_weighing *y, float *at) {
  if (!w->turned) return at;
  const int64_t d = w->core.d, padded = (d + 15) / 16 * 16;
  y->turned = at, at += LCTX_QB * padded;
  y->turned_packed = at, at += LCTX_QB * padded;
  y->cosine = at, at += LCTX_QB * padded;
  y->sine = at, at += LCTX_QB * padded;
  y->room = at, at += 2 * LCTX_QB * padded;
  y->segment = at, at += w->area;
  return at;
}

/* Rotates a row in place; sign -1 is the adjoint. */
LCTX_INLINE void lctx_turn_row(const lctx_turn *turn, float *row, const float *cosine, const float *sine, float sign) {
  const int64_t pairs = turn->rotated / 2;
  for (int64_t m = 0; m < pairs; m++) {
    float *first = row + (turn->interleaved ? 2 * m : m), *second = turn->interleaved ? first + 1 : first + pairs;
    const float x = *first, z = *second, sn = sign * sine[m];
    *first = x * cosine[m] - z * sn;
    *second = x * sn + z * cosine[m];
  }
}

/* Turns the queries of region r as keys of k's block see them. */
LCTX_HOT void lctx_turn_queries(const lctx_weighing *y, int r, int64_t k) {
  const lctx_weighted *w = y->w;
  const lctx_attention *a = &w->core;
  const lctx_block *x = &y->x;
  const lctx_turn *turn = &w->turn[r];
  const int64_t pairs = LCTX_PAIRS(turn), padded = LCTX_PAD(a->d);
  const float *from = a->query[r] + ((x->b * a->queries + x->q0 - a->start) * a->heads + x->h) * a->d;
  double position[LCTX_QB];
  turn->position(a, x->b, x->h, x->q0, x->queries, k, position);
  lctx_copy_rows(y->turned, padded, from, a->heads * a->d, x->queries, a->d, x->queries);
  for (int64_t i = 0; i < x->queries; i++) {
    float *cosine = y->cosine + i * pairs, *sine = y->sine + i * pairs;
    lctx_turns(position[i], turn->angle, turn->factor, pairs, cosine, sine);
    lctx_turn_row(turn, y->turned + i * padded, cosine, sine, 1.0f);
  }
  lctx_pack(y->turned_packed, y->turned, padded, x->queries, a->d, a->scale);
}

/* The end of the keys from the j-th on that share a turn. */
LCTX_INLINE int64_t lctx_turn_end(const lctx_turn *turn, const lctx_block *x, int64_t j) {
  return lctx_least(x->keys, ((x->k0 + j) / turn->by + 1) * turn->by - x->k0);
}

/* Logits of one region. */
LCTX_HOT void lctx_tile_logits(const lctx_weighing *y, int r, const float *key, int64_t stride, const float *packed) {
  const lctx_attention *a = &y->w->core;
  const lctx_block *x = &y->x;
  const lctx_turn *turn = &y->w->turn[r];
  float *s = x->s + r * y->w->area;
  if (!turn->by) {
    lctx_rows_by_packed(s, key, stride, x->keys, packed, a->d, x->queries);
    return;
  }
  for (int64_t j = 0, next; j < x->keys; j = next) {
    next = lctx_turn_end(turn, x, j);
    lctx_turn_queries(y, r, x->k0 + j);
    lctx_rows_by_packed(s + j * LCTX_QB, key + j * stride, stride, next - j, y->turned_packed, a->d, x->queries);
  }
}

/* Scores of blocks to shares: each block is a softmax of its own; 0 where it has no key. */
LCTX_HOT void lctx_block_shares(const lctx_weighing *y) {
  const lctx_block *x = &y->x;
  for (int64_t first = 0; first < x->keys; first += y->w->block) {
    const int64_t end = lctx_least(first + y->w->block, x->keys);
    for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
      vf most = lctx_splat_real(-LCTX_INF), total = lctx_splat_real(0.0f);
      for (int64_t j = first; j < end; j++) most = lctx_max_v(*(vf *)(y->block + j * LCTX_QB + v), most);
      const vf safe = lctx_select_real_v(most == -LCTX_INF, lctx_splat_real(0.0f), most);
      for (int64_t j = first; j < end; j++) {
        vf *at = (vf *)(y->block + j * LCTX_QB + v);
        const vf p = lctx_exp_weight(*at - safe);
        *at = p;
        total += p;
      }
      const vf inverse = lctx_select_real_v(total == 0.0f, total, 1.0f / total);
      for (int64_t j = first; j < end; j++) *(vf *)(y->block + j * LCTX_QB + v) *= inverse;
    }
  }
}

/* Tiles of keys that some query of [q0, q1] has to do with, ascending. */
LCTX_HOT int64_t lctx_seen_tiles(const lctx_weighted *w, int64_t b, int64_t h, int64_t q0, int64_t q1, int64_t from,
                                 int64_t to, int32_t *list, int64_t count) {
  const lctx_attention *a = &w->core;
  if (from >= to) return count;
  const int known = a->see(a, b, h, q0, q1, from * w->tile, lctx_least(to * w->tile, a->keys) - 1);
  if (known == 0) return count;
  if (known == 2 || to - from == 1) {
    for (int64_t i = from; i < to; i++) list[count++] = (int32_t)i;
    return count;
  }
  const int64_t middle = (from + to) / 2;
  count = lctx_seen_tiles(w, b, h, q0, q1, from, middle, list, count);
  return lctx_seen_tiles(w, b, h, q0, q1, middle, to, list, count);
}

LCTX_INLINE void lctx_place_tile(lctx_weighing *y, int64_t tile) {
  const lctx_attention *a = &y->w->core;
  y->x.k0 = tile * y->w->tile;
  y->x.keys = lctx_least(y->w->tile, a->keys - y->x.k0);
}
`;
