/** C text of the register-tiled products that attention is made of: vector lanes are queries, or columns of a gradient. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * A block is 64 queries by 64 keys. Logits lie transposed, [key][query], so that maxima and sums over keys are vertical.
 * Queries are packed as [panel][dimension][query of the panel]; a panel is what one register tile covers.
 */
export const productsText: Fragment = c`
#define LCTX_QB 64
#define LCTX_KB 64
#if LCTX_LANES == 16
#define LCTX_PV 4
#else
#define LCTX_PV 2
#endif
#define LCTX_PANEL (LCTX_PV * LCTX_LANES)
#define LCTX_HOT static __attribute__((noinline, unused))
#define LCTX_PAD(n) (((n) + LCTX_LANES - 1) / LCTX_LANES * LCTX_LANES)

LCTX_INLINE int64_t lctx_least(int64_t a, int64_t b) { return a < b ? a : b; }
LCTX_INLINE int64_t lctx_most(int64_t a, int64_t b) { return a > b ? a : b; }

/* to[column][row] = factor * from[row][column], blocks of rows by columns. */
LCTX_HOT void lctx_transpose(float *to, int64_t to_stride, const float *from, int64_t from_stride, int64_t rows,
                             int64_t columns, float factor) {
  for (int64_t r0 = 0; r0 < rows; r0 += 8)
    for (int64_t k0 = 0; k0 < columns; k0 += 8) {
      if (r0 + 8 <= rows && k0 + 8 <= columns) {
        typedef float v8 __attribute__((vector_size(32)));
        typedef float v8_any __attribute__((vector_size(32), aligned(4), may_alias));
        v8 a[8], b[8];
        for (int i = 0; i < 8; i++) a[i] = *(const v8_any *)(from + (r0 + i) * from_stride + k0) * factor;
        for (int i = 0; i < 8; i += 2) {
          b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
          b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
        }
        for (int i = 0; i < 8; i += 4)
          for (int j = 0; j < 2; j++) {
            a[i + j] = __builtin_shufflevector(b[i + j], b[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            a[i + j + 2] = __builtin_shufflevector(b[i + j], b[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
          }
        for (int j = 0; j < 4; j++) {
          b[j] = __builtin_shufflevector(a[j], a[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
          b[j + 4] = __builtin_shufflevector(a[j], a[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
        }
        for (int i = 0; i < 8; i++) *(v8_any *)(to + (k0 + i) * to_stride + r0) = b[i];
      } else {
        for (int64_t r = r0; r < lctx_least(r0 + 8, rows); r++)
          for (int64_t k = k0; k < lctx_least(k0 + 8, columns); k++)
            to[k * to_stride + r] = from[r * from_stride + k] * factor;
      }
    }
}

/* Packs rows (queries) of d numbers into panels, times factor; rows after the last are 0. */
LCTX_HOT void lctx_pack(float *packed, const float *rows, int64_t stride, int64_t count, int64_t d, float factor) {
  for (int64_t p = 0; p < LCTX_QB; p += LCTX_PANEL) {
    float *panel = packed + p * d;
    const int64_t some = lctx_most(0, lctx_least(LCTX_PANEL, count - p));
    if (some < LCTX_PANEL) __builtin_memset(panel, 0, (size_t)(d * LCTX_PANEL) * sizeof(float));
    if (some > 0) lctx_transpose(panel, LCTX_PANEL, rows + p * stride, stride, some, d, factor);
  }
}

/* Copies rows of n numbers to rows of padded numbers, the rest 0; rows after the last up to total are 0. */
LCTX_HOT void lctx_copy_rows(float *to, int64_t padded, const float *rows, int64_t stride, int64_t count, int64_t n,
                             int64_t total) {
  for (int64_t r = 0; r < count; r++) {
    __builtin_memcpy(to + r * padded, rows + r * stride, (size_t)n * sizeof(float));
    for (int64_t i = n; i < padded; i++) to[r * padded + i] = 0.0f;
  }
  if (total > count) __builtin_memset(to + count * padded, 0, (size_t)((total - count) * padded) * sizeof(float));
}

/* out[key][query] = sum over d of rows[key][d] * packed[d][query], for count keys and the panels that hold queries. */
LCTX_HOT void lctx_rows_by_packed(float *out, const float *rows, int64_t stride, int64_t count, const float *packed,
                                  int64_t d, int64_t queries) {
  for (int64_t p = 0; p < queries; p += LCTX_PANEL)
    for (int64_t j = 0; j < count; j += 4) {
      const float *r0 = rows + j * stride;
      const float *r1 = rows + lctx_least(j + 1, count - 1) * stride;
      const float *r2 = rows + lctx_least(j + 2, count - 1) * stride;
      const float *r3 = rows + lctx_least(j + 3, count - 1) * stride;
      const float *x = packed + p * d;
      vf a0[LCTX_PV] = {0}, a1[LCTX_PV] = {0}, a2[LCTX_PV] = {0}, a3[LCTX_PV] = {0};
      for (int64_t i = 0; i < d; i++) {
        const vf y0 = lctx_splat_real(r0[i]), y1 = lctx_splat_real(r1[i]);
        const vf y2 = lctx_splat_real(r2[i]), y3 = lctx_splat_real(r3[i]);
#pragma GCC unroll 4
        for (int v = 0; v < LCTX_PV; v++) {
          const vf z = *(const vf *)(x + i * LCTX_PANEL + v * LCTX_LANES);
          a0[v] += y0 * z;
          a1[v] += y1 * z;
          a2[v] += y2 * z;
          a3[v] += y3 * z;
        }
      }
      float *o = out + j * LCTX_QB + p;
#pragma GCC unroll 4
      for (int v = 0; v < LCTX_PV; v++) {
        *(vf *)(o + v * LCTX_LANES) = a0[v];
        *(vf *)(o + LCTX_QB + v * LCTX_LANES) = a1[v];
        *(vf *)(o + 2 * LCTX_QB + v * LCTX_LANES) = a2[v];
        *(vf *)(o + 3 * LCTX_QB + v * LCTX_LANES) = a3[v];
      }
    }
}

/* The next, for n of the four dimensions of a tile. */
LCTX_INLINE void lctx_add_dimensions(float *sum, const float *alpha, const float *rows, int64_t stride, int64_t count,
                                     const float *weights, const int n) {
  vf a0[LCTX_PV], a1[LCTX_PV], a2[LCTX_PV], a3[LCTX_PV];
#pragma GCC unroll 4
  for (int v = 0; v < LCTX_PV; v++) {
    const vf f = alpha ? *(const vf *)(alpha + v * LCTX_LANES) : lctx_splat_real(1.0f);
    a0[v] = *(vf *)(sum + v * LCTX_LANES) * f;
    a1[v] = n > 1 ? *(vf *)(sum + LCTX_QB + v * LCTX_LANES) * f : f;
    a2[v] = n > 2 ? *(vf *)(sum + 2 * LCTX_QB + v * LCTX_LANES) * f : f;
    a3[v] = n > 3 ? *(vf *)(sum + 3 * LCTX_QB + v * LCTX_LANES) * f : f;
  }
  for (int64_t j = 0; j < count; j++) {
    const float *r = rows + j * stride;
    const vf y0 = lctx_splat_real(r[0]), y1 = lctx_splat_real(n > 1 ? r[1] : 0.0f);
    const vf y2 = lctx_splat_real(n > 2 ? r[2] : 0.0f), y3 = lctx_splat_real(n > 3 ? r[3] : 0.0f);
#pragma GCC unroll 4
    for (int v = 0; v < LCTX_PV; v++) {
      const vf z = *(const vf *)(weights + j * LCTX_QB + v * LCTX_LANES);
      a0[v] += y0 * z;
      if (n > 1) a1[v] += y1 * z;
      if (n > 2) a2[v] += y2 * z;
      if (n > 3) a3[v] += y3 * z;
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < LCTX_PV; v++) {
    *(vf *)(sum + v * LCTX_LANES) = a0[v];
    if (n > 1) *(vf *)(sum + LCTX_QB + v * LCTX_LANES) = a1[v];
    if (n > 2) *(vf *)(sum + 2 * LCTX_QB + v * LCTX_LANES) = a2[v];
    if (n > 3) *(vf *)(sum + 3 * LCTX_QB + v * LCTX_LANES) = a3[v];
  }
}

/* sum[d][query] = alpha[query] * sum[d][query] + sum over keys of rows[key][d] * weights[key][query]; no alpha: 1. */
LCTX_HOT void lctx_add_weighted(float *sum, const float *alpha, const float *rows, int64_t stride, int64_t count,
                                const float *weights, int64_t d, int64_t queries) {
  for (int64_t p = 0; p < queries; p += LCTX_PANEL) {
    const float *f = alpha ? alpha + p : alpha;
    int64_t i = 0;
    for (; i + 4 <= d; i += 4)
      lctx_add_dimensions(sum + i * LCTX_QB + p, f, rows + i, stride, count, weights + p, 4);
    float *last = sum + i * LCTX_QB + p;
    if (d - i == 3) lctx_add_dimensions(last, f, rows + i, stride, count, weights + p, 3);
    if (d - i == 2) lctx_add_dimensions(last, f, rows + i, stride, count, weights + p, 2);
    if (d - i == 1) lctx_add_dimensions(last, f, rows + i, stride, count, weights + p, 1);
  }
}

/* The next, for four keys and n vectors of columns. */
LCTX_INLINE void lctx_add_columns(float *sum, int64_t width, const float *weights, const float *rows, int64_t queries,
                                  const int n) {
  vf a0[LCTX_PV], a1[LCTX_PV], a2[LCTX_PV], a3[LCTX_PV];
#pragma GCC unroll 4
  for (int v = 0; v < n; v++) {
    a0[v] = *(vf *)(sum + v * LCTX_LANES);
    a1[v] = *(vf *)(sum + width + v * LCTX_LANES);
    a2[v] = *(vf *)(sum + 2 * width + v * LCTX_LANES);
    a3[v] = *(vf *)(sum + 3 * width + v * LCTX_LANES);
  }
  for (int64_t q = 0; q < queries; q++) {
    const vf y0 = lctx_splat_real(weights[q]), y1 = lctx_splat_real(weights[LCTX_QB + q]);
    const vf y2 = lctx_splat_real(weights[2 * LCTX_QB + q]), y3 = lctx_splat_real(weights[3 * LCTX_QB + q]);
#pragma GCC unroll 4
    for (int v = 0; v < n; v++) {
      const vf z = *(const vf *)(rows + q * width + v * LCTX_LANES);
      a0[v] += y0 * z;
      a1[v] += y1 * z;
      a2[v] += y2 * z;
      a3[v] += y3 * z;
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < n; v++) {
    *(vf *)(sum + v * LCTX_LANES) = a0[v];
    *(vf *)(sum + width + v * LCTX_LANES) = a1[v];
    *(vf *)(sum + 2 * width + v * LCTX_LANES) = a2[v];
    *(vf *)(sum + 3 * width + v * LCTX_LANES) = a3[v];
  }
}

/*
 * sum[key][column] += sum over queries of weights[key][query] * rows[query][column]. Keys are rounded up to four, so
 * weights after the last key must be 0; width is a multiple of the lanes.
 */
LCTX_HOT void lctx_add_outer(float *sum, const float *weights, int64_t count, const float *rows, int64_t queries,
                             int64_t width) {
  for (int64_t j = 0; j < count; j += 4) {
    const float *w = weights + j * LCTX_QB;
    float *s = sum + j * width;
    int64_t i = 0;
    for (; i + LCTX_PANEL <= width; i += LCTX_PANEL) lctx_add_columns(s + i, width, w, rows + i, queries, LCTX_PV);
#if LCTX_PV == 4
    if (i + 2 * LCTX_LANES <= width) {
      lctx_add_columns(s + i, width, w, rows + i, queries, 2);
      i += 2 * LCTX_LANES;
    }
#endif
    if (i < width) lctx_add_columns(s + i, width, w, rows + i, queries, 1);
  }
}

/* e^x for x up to 0 and a little above, 0 below -87.3; a NaN stays one. */
LCTX_INLINE vf lctx_exp_weight(vf given) {
  vf x = lctx_select_real_v(given < -87.3f, lctx_splat_real(-87.3f), given);
  vf t = x * 1.44269504f + 12582912.0f;
  vf n = t - 12582912.0f;
  vf r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return (vf)((vi)((vu)p + ((vu)t << 23)) & ~(given < -87.3f));
}
`;
