/* Causal attention of heads of 64 written by hand: blocks of 64 queries by 64 keys, logits [key][query] so that maxima
   and sums over keys are vertical, no logits kept, all sizes known to the compiler. One call does one head. */
#ifndef FLASH_H
#define FLASH_H
#include "vector.h"
#include <math.h>
#include <string.h>
enum { W = 64 };
typedef float block[W * W] __attribute__((aligned(64)));

/* c[i][j] (+)= sum over p of a(i, p) * b[p][j] for 64 i, p and j; a(i, p) = a[i * ai + p * ap]. */
static inline __attribute__((always_inline)) void product(float *restrict c, const float *restrict a, const int ai,
                                                          const int ap, const float *restrict b, const int add) {
  for (int j = 0; j < W; j += PANEL * LANES)
    for (int i = 0; i < W; i += 4) {
      vf s[4][PANEL];
#pragma GCC unroll 4
      for (int r = 0; r < 4; r++)
#pragma GCC unroll 4
        for (int v = 0; v < PANEL; v++) s[r][v] = add ? *(vf *)(c + (i + r) * W + j + v * LANES) : splat(0);
      for (int p = 0; p < W; p++) {
        vf z[PANEL];
#pragma GCC unroll 4
        for (int v = 0; v < PANEL; v++) z[v] = *(const vf *)(b + p * W + j + v * LANES);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
          const vf x = splat(a[(i + r) * ai + p * ap]);
#pragma GCC unroll 4
          for (int v = 0; v < PANEL; v++) s[r][v] += x * z[v];
        }
      }
#pragma GCC unroll 4
      for (int r = 0; r < 4; r++)
#pragma GCC unroll 4
        for (int v = 0; v < PANEL; v++) *(vf *)(c + (i + r) * W + j + v * LANES) = s[r][v];
    }
}
__attribute__((noinline)) static void by_rows(float *c, const float *a, const float *b) { product(c, a, W, 1, b, 0); }
__attribute__((noinline)) static void add_rows(float *c, const float *a, const float *b) { product(c, a, W, 1, b, 1); }
__attribute__((noinline)) static void add_columns(float *c, const float *a, const float *b) {
  product(c, a, 1, W, b, 1);
}
static void copy_in(float *to, const float *from, int apart) {
  for (int i = 0; i < W; i++) memcpy(to + i * W, from + (size_t)i * apart, W * sizeof(float));
}
static void turn_in(float *to, const float *from, int apart, float factor) {
  for (int i0 = 0; i0 < W; i0 += 8)
    for (int d = 0; d < W; d++)
#pragma GCC unroll 8
      for (int i = i0; i < i0 + 8; i++) to[d * W + i] = from[(size_t)i * apart + d] * factor;
}
static void turn_out(float *to, int apart, const float *from, float factor) {
  for (int d0 = 0; d0 < W; d0 += 8)
    for (int i = 0; i < W; i++)
#pragma GCC unroll 8
      for (int d = d0; d < d0 + 8; d++) to[(size_t)i * apart + d] = from[d * W + i] * factor;
}
static inline void hide_later(float *s) {
  for (int k = 0; k < W; k++)
    for (int q = 0; q < k; q++) s[k * W + q] = -1e30f;
}

/* q, k, v: rows 'apart'; out: rows 'out_apart'. */
static void flash_forward(const float *q, const float *k, const float *v, int apart, float *out, int out_apart,
                          float *lse, int length, float scale) {
  static _Thread_local block qt, s, sum, keys, values;
  for (int qb = 0; qb < length; qb += W) {
    float most[W] __attribute__((aligned(64))), total[W] __attribute__((aligned(64)));
    turn_in(qt, q + (size_t)qb * apart, apart, scale);
    memset(sum, 0, sizeof sum);
    for (int i = 0; i < W; i++) most[i] = -1e30f, total[i] = 0;
    for (int kb = 0; kb <= qb; kb += W) {
      copy_in(keys, k + (size_t)kb * apart, apart);
      copy_in(values, v + (size_t)kb * apart, apart);
      by_rows(s, keys, qt);
      if (kb == qb) hide_later(s);
      for (int x = 0; x < W; x += LANES) {
        const vf before = *(vf *)(most + x);
        vf top = before;
        for (int j = 0; j < W; j++) {
          const vf y = *(vf *)(s + j * W + x);
          top = pick(y > top, y, top);
        }
        const vf fade = vexp(before - top);
        vf t = *(vf *)(total + x) * fade;
        for (int j = 0; j < W; j++) t += *(vf *)(s + j * W + x) = vexp(*(vf *)(s + j * W + x) - top);
        for (int d = 0; d < W; d++) *(vf *)(sum + d * W + x) *= fade;
        *(vf *)(most + x) = top, *(vf *)(total + x) = t;
      }
      add_columns(sum, values, s);
    }
    for (int x = 0; x < W; x += LANES)
      for (int d = 0; d < W; d++) *(vf *)(sum + d * W + x) /= *(vf *)(total + x);
    turn_out(out + (size_t)qb * out_apart, out_apart, sum, 1);
    for (int i = 0; i < W; i++) lse[qb + i] = most[i] + logf(total[i]);
  }
}

/* Of one head of at most 512: key blocks outside, query blocks inside, five products a pair. */
static void flash_backward(const float *q, const float *k, const float *v, int apart, const float *out,
                           const float *dout, int out_apart, const float *lse, float *dq, float *dk, float *dv,
                           int length, float scale) {
  enum { MOST = 8 };
  static _Thread_local block qt[MOST], ot[MOST], qr[MOST], orow[MOST], dqt[MOST], keys, values, dkb, dvb, s, p;
  static _Thread_local float delta[MOST * W] __attribute__((aligned(64))), sums[MOST * W] __attribute__((aligned(64)));
  for (int b = 0; b < length / W; b++) {
    turn_in(qt[b], q + (size_t)b * W * apart, apart, scale);
    copy_in(qr[b], q + (size_t)b * W * apart, apart);
    turn_in(ot[b], dout + (size_t)b * W * out_apart, out_apart, 1);
    copy_in(orow[b], dout + (size_t)b * W * out_apart, out_apart);
    memset(dqt[b], 0, sizeof(block));
    for (int i = 0; i < W; i++) {
      const float *x = out + (size_t)(b * W + i) * out_apart, *y = dout + (size_t)(b * W + i) * out_apart;
      float t = 0;
      for (int e = 0; e < W; e++) t += x[e] * y[e];
      delta[b * W + i] = t, sums[b * W + i] = lse[b * W + i];
    }
  }
  for (int kb = 0; kb < length / W; kb++) {
    copy_in(keys, k + (size_t)kb * W * apart, apart);
    copy_in(values, v + (size_t)kb * W * apart, apart);
    memset(dkb, 0, sizeof dkb), memset(dvb, 0, sizeof dvb);
    for (int qb = kb; qb < length / W; qb++) {
      by_rows(s, keys, qt[qb]);
      by_rows(p, values, ot[qb]);
      if (qb == kb) hide_later(s);
      for (int x = 0; x < W; x += LANES) {
        const vf l = *(vf *)(sums + qb * W + x), d = *(vf *)(delta + qb * W + x);
        for (int j = 0; j < W; j++) {
          vf *y = (vf *)(s + j * W + x), *z = (vf *)(p + j * W + x);
          const vf weight = vexp(*y - l);
          *y = weight * (*z - d);
          *z = weight;
        }
      }
      add_rows(dvb, p, orow[qb]);
      add_rows(dkb, s, qr[qb]);
      add_columns(dqt[qb], keys, s);
    }
    for (int i = 0; i < W; i++)
      for (int e = 0; e < W; e++) {
        dv[(size_t)(kb * W + i) * apart + e] = dvb[i * W + e];
        dk[(size_t)(kb * W + i) * apart + e] = dkb[i * W + e] * scale;
      }
  }
  for (int b = 0; b < length / W; b++) turn_out(dq + (size_t)b * W * apart, apart, dqt[b], scale);
}
#endif
