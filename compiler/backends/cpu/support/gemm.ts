/** gemm.c: packed matrix product; one micro-kernel in vector extensions, panels packed jointly by all threads. */
export const gemm = `#include "lctx.h"
/* A micro-tile is MR rows of NR = 2 vectors: as many accumulators as registers hold. */
#if defined(__AVX512F__)
#define LANES 16
#define MR 12
#elif defined(__AVX__)
#define LANES 8
#define MR 6
#else
#define LANES 4
#define MR 4
#endif
#define NR (2 * LANES)
#define KC 512
/* Rows and columns packed at once: their panels stay in the caches that the threads share. */
#define MC (MR * 344)
#define NC (NR * 64)
typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float vec_any __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#if LANES == 16
#define EACH(x) (vec){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}
#elif LANES == 8
#define EACH(x) (vec){x, x, x, x, x, x, x, x}
#else
#define EACH(x) (vec){x, x, x, x}
#endif

static float panel_a[MC * KC] __attribute__((aligned(64)));
static float panel_b[NC * KC] __attribute__((aligned(64)));

typedef struct {
  const float *a, *b;
  float *c;
  int64_t lda, ldb, ldc, m, n, k;
  int ta, tb, add;
  int64_t a_panels, b_panels, rows_per_item, columns_per_item, row_items;
  /* Panels of b before packed_from are read where they are, and those of a before a_packed_from: for few rows, or few
     columns, packing costs more than it saves. */
  int64_t packed_from, a_packed_from;
} product;

/* Packs 'count' (at most width) columns of a [k, ...] operand whose rows are apart: to[p * width + i]. */
static inline __attribute__((always_inline)) void pack_along(float *to, const float *from, int64_t apart, int64_t k, int64_t count, int width) {
  if (count == width) {
    for (int64_t p = 0; p < k; p++, from += apart, to += width) {
      __builtin_memcpy(to, from, (size_t)width * sizeof(float));
    }
    return;
  }
  for (int64_t p = 0; p < k; p++, from += apart, to += width)
    for (int i = 0; i < width; i++) to[i] = i < count ? from[i] : 0;
}

/* The same for an operand stored [.., k]: rows become columns, in squares that stay in the first cache. */
static inline __attribute__((always_inline)) void pack_across(float *to, const float *from, int64_t apart, int64_t k, int64_t count, int width) {
  int64_t p = 0;
  if (count == width)
    for (; p + 16 <= k; p += 16)
      for (int i = 0; i < width; i++) {
        const float *row = from + i * apart + p;
#pragma GCC unroll 16
        for (int j = 0; j < 16; j++) to[(p + j) * width + i] = row[j];
      }
  for (; p < k; p++)
    for (int i = 0; i < width; i++) to[p * width + i] = i < count ? from[i * apart + p] : 0;
}

static void pack_item(void *ctx, int64_t item, int thread) {
  const product *g = ctx;
  (void)thread;
  const int64_t of_a = g->a_panels - g->a_packed_from;
  if (item < of_a) {
    item += g->a_packed_from;
    int64_t i = item * MR, count = g->m - i < MR ? g->m - i : MR;
    float *to = panel_a + item * MR * g->k;
    if (g->ta) pack_along(to, g->a + i, g->lda, g->k, count, MR);
    else pack_across(to, g->a + i * g->lda, g->lda, g->k, count, MR);
  } else {
    item += g->packed_from - of_a;
    int64_t j = item * NR, count = g->n - j < NR ? g->n - j : NR;
    float *to = panel_b + item * NR * g->k;
    if (g->tb) pack_across(to, g->b + j * g->ldb, g->ldb, g->k, count, NR);
    else pack_along(to, g->b + j, g->ldb, g->k, count, NR);
  }
}

/* The first 'vectors' columns of vectors of a micro-tile; a has rows a_row apart, its columns a_step; rows of b are b_apart
   apart. */
static inline __attribute__((always_inline)) void micro(int64_t k, const float *restrict a, int64_t a_row, int64_t a_step, const float *restrict b, int64_t b_apart, int vectors, vec acc[MR][2]) {
#pragma GCC unroll 16
  for (int r = 0; r < MR; r++) acc[r][0] = acc[r][1] = EACH(0);
  for (int64_t p = 0; p < k; p++) {
    vec b0 = *(const vec_any *)b, b1 = b0;
    if (vectors == 2) b1 = *(const vec_any *)(b + LANES);
#pragma GCC unroll 16
    for (int r = 0; r < MR; r++) {
      vec s = EACH(a[r * a_row]);
      acc[r][0] += s * b0;
      if (vectors == 2) acc[r][1] += s * b1;
    }
    a += a_step;
    b += b_apart;
  }
}

static void tile_item(void *ctx, int64_t item, int thread) {
  const product *g = ctx;
  (void)thread;
  int64_t pi = item % g->row_items * g->rows_per_item, pj = item / g->row_items * g->columns_per_item;
  int64_t pi_end = pi + g->rows_per_item < g->a_panels ? pi + g->rows_per_item : g->a_panels;
  int64_t pj_end = pj + g->columns_per_item < g->b_panels ? pj + g->columns_per_item : g->b_panels;
  for (int64_t j = pj; j < pj_end; j++)
    for (int64_t i = pi; i < pi_end; i++) {
      vec acc[MR][2];
      int64_t rows = g->m - i * MR, columns = g->n - j * NR;
      const float *panel = panel_a + i * MR * g->k;
      const float *other = panel_b + j * NR * g->k;
      if (i < g->a_packed_from) {
        const float *from = g->a + i * MR * g->lda;
        if (columns > LANES) micro(g->k, from, g->lda, 1, other, NR, 2, acc);
        else micro(g->k, from, g->lda, 1, other, NR, 1, acc);
      } else if (j < g->packed_from) micro(g->k, panel, 1, MR, g->b + j * NR, g->ldb, 2, acc);
      else if (columns > LANES) micro(g->k, panel, 1, MR, other, NR, 2, acc);
      else micro(g->k, panel, 1, MR, other, NR, 1, acc);
      float *c = g->c + i * MR * g->ldc + j * NR;
      if (rows >= MR && columns >= NR) {
        if (g->add)
#pragma GCC unroll 16
          for (int r = 0; r < MR; r++, c += g->ldc) {
            *(vec_any *)c = *(const vec_any *)c + acc[r][0];
            *(vec_any *)(c + LANES) = *(const vec_any *)(c + LANES) + acc[r][1];
          }
        else
#pragma GCC unroll 16
          for (int r = 0; r < MR; r++, c += g->ldc) {
            *(vec_any *)c = acc[r][0];
            *(vec_any *)(c + LANES) = acc[r][1];
          }
        continue;
      }
      /* Only tiles at the edge go through memory. */
      float tile[MR * NR] __attribute__((aligned(64)));
#pragma GCC unroll 16
      for (int r = 0; r < MR; r++) {
        *(vec *)(tile + r * NR) = acc[r][0];
        *(vec *)(tile + r * NR + LANES) = acc[r][1];
      }
      if (rows > MR) rows = MR;
      if (columns > NR) columns = NR;
      for (int64_t r = 0; r < rows; r++, c += g->ldc)
        for (int64_t x = 0; x < columns; x++) c[x] = g->add ? c[x] + tile[r * NR + x] : tile[r * NR + x];
    }
}

/* Length of the parts, of whole panels, that n is cut into; none is longer than 'most'. */
static int64_t even_part(int64_t n, int64_t most, int64_t panel) {
  int64_t parts = (n + most - 1) / most;
  return ((n + parts - 1) / parts + panel - 1) / panel * panel;
}

void lctx_gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int tb,
               float *c, int64_t ldc, int accumulate, float *scratch) {
  (void)scratch;
  if (m <= 0 || n <= 0) return;
  if (k <= 0) {
    if (!accumulate)
      for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) c[i * ldc + j] = 0;
    return;
  }
  /* Even parts: a last part of a few rows would cost as many packings and meetings of threads as a whole one. */
  const int64_t mc = even_part(m, MC, MR), nc = even_part(n, NC, NR);
  for (int64_t i = 0; i < m; i += mc)
    for (int64_t j = 0; j < n; j += nc)
      for (int64_t p = 0; p < k; p += KC) {
        product g;
        g.m = m - i < mc ? m - i : mc;
        g.n = n - j < nc ? n - j : nc;
        g.k = k - p < KC ? k - p : KC;
        g.a = ta ? a + p * lda + i : a + i * lda + p;
        g.b = tb ? b + j * ldb + p : b + p * ldb + j;
        g.c = c + i * ldc + j;
        g.lda = lda, g.ldb = ldb, g.ldc = ldc, g.ta = ta, g.tb = tb;
        g.add = accumulate || p > 0;
        g.a_panels = (g.m + MR - 1) / MR;
        g.b_panels = (g.n + NR - 1) / NR;
        /* Blocks of rows whose panel stays in the second cache; enough of them for all threads. */
        int64_t blocks = (g.a_panels + 11) / 12;
        g.rows_per_item = (g.a_panels + blocks - 1) / blocks;
        g.row_items = (g.a_panels + g.rows_per_item - 1) / g.rows_per_item;
        int64_t wanted = 8 * lctx_threads(), columns = (wanted + g.row_items - 1) / g.row_items;
        if (columns > g.b_panels) columns = g.b_panels;
        g.columns_per_item = (g.b_panels + columns - 1) / columns;
        int64_t column_items = (g.b_panels + g.columns_per_item - 1) / g.columns_per_item;
        g.packed_from = g.a_panels <= 2 && !tb ? g.n / NR : 0;
        g.a_packed_from = g.b_panels == 1 && !ta && g.packed_from == 0 ? g.m / MR : 0;
        lctx_parallel(g.a_panels - g.a_packed_from + g.b_panels - g.packed_from, pack_item, &g);
        lctx_parallel(g.row_items * column_items, tile_item, &g);
      }
}
`;
