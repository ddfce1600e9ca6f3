/* A whole training step written by hand against OpenBLAS: the peer of `lctx bench step`.
   4 layers, width 256, 4 heads of 64, context 512, batch 8, 256 tokens, two-matrix GELU layers, layer norms, AdamW.
   Products go through cblas_sgemm (all threads); attention is composed per head (scores, softmax, weighted sum);
   pointwise work runs on OpenMP threads. Usage: step <libopenblas.so> <threads> <steps>; prints one time (ms) a step. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { L = 4, D = 256, H = 4, E = 64, F = 1024, V = 256, B = 8, T = 512, N = B * T };
enum { ROW = 101, NO = 111, TR = 112 };
typedef void (*gemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
static gemm_fn gemm;

static float *alloc(size_t n) {
  void *p = NULL;
  if (posix_memalign(&p, 64, n * sizeof(float))) exit(1);
  memset(p, 0, n * sizeof(float));
  return p;
}

/* y[m,n] = x[m,k] w[n,k]^T */
static void linear(const float *x, const float *w, float *y, int m, int n, int k) {
  gemm(ROW, NO, TR, m, n, k, 1, x, k, w, k, 0, y, n);
}
/* dx (+)= dy w, dw = dy^T x */
static void linear_back(const float *x, const float *w, const float *dy, float *dx, float *dw, int m, int n, int k,
                        float keep) {
  gemm(ROW, NO, NO, m, k, n, 1, dy, n, w, k, keep, dx, k);
  gemm(ROW, TR, NO, n, k, m, 1, dy, n, x, k, 0, dw, k);
}

static void norm(const float *x, const float *g, float *y, float *mean, float *rstd) {
#pragma omp parallel for
  for (int r = 0; r < N; r++) {
    const float *a = x + r * D;
    float s = 0, q = 0;
    for (int i = 0; i < D; i++) s += a[i];
    s /= D;
    for (int i = 0; i < D; i++) q += (a[i] - s) * (a[i] - s);
    float v = 1 / sqrtf(q / D + 1e-5f);
    mean[r] = s, rstd[r] = v;
    for (int i = 0; i < D; i++) y[r * D + i] = (a[i] - s) * v * g[i];
  }
}
/* dx += norm's share; dg is summed by thread. */
static void norm_back(const float *x, const float *g, const float *dy, const float *mean, const float *rstd, float *dx,
                      float *dg) {
  memset(dg, 0, D * sizeof(float));
#pragma omp parallel
  {
    float mine[D];
    memset(mine, 0, sizeof mine);
#pragma omp for nowait
    for (int r = 0; r < N; r++) {
      float a = 0, b = 0;
      for (int i = 0; i < D; i++) {
        float xhat = (x[r * D + i] - mean[r]) * rstd[r], d = dy[r * D + i] * g[i];
        mine[i] += dy[r * D + i] * xhat;
        a += d, b += d * xhat;
      }
      a /= D, b /= D;
      for (int i = 0; i < D; i++) {
        float xhat = (x[r * D + i] - mean[r]) * rstd[r];
        dx[r * D + i] += (dy[r * D + i] * g[i] - a - xhat * b) * rstd[r];
      }
    }
#pragma omp critical
    for (int i = 0; i < D; i++) dg[i] += mine[i];
  }
}

static inline float gelu(float x) { return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x))); }
static inline float gelu_slope(float x) {
  float t = tanhf(0.79788456f * (x + 0.044715f * x * x * x));
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * x * x);
}

/* Layer activations kept for the backward. */
typedef struct {
  float *x0, *n1, *m1, *r1, *q, *k, *v, *p, *mix, *x1, *n2, *m2, *r2, *up, *act;
} Kept;

/* All parameters in one array, so that AdamW is one loop. */
enum { PER_LAYER = 4 * D * D + 2 * D * F + 2 * D, COUNT = V * D + T * D + L * PER_LAYER + D + V * D };
static float *w, *g, *m, *v2;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  void *lib = dlopen(argv[1], RTLD_NOW);
  if (!lib) return fprintf(stderr, "%s\n", dlerror()), 1;
  gemm = (gemm_fn)dlsym(lib, "cblas_sgemm");
  void (*set_threads)(int) = (void (*)(int))dlsym(lib, "openblas_set_num_threads");
  int threads = atoi(argv[2]), steps = atoi(argv[3]);
  set_threads(threads);
  omp_set_num_threads(threads);
  w = alloc(COUNT), g = alloc(COUNT), m = alloc(COUNT), v2 = alloc(COUNT);
  uint32_t seed = 1;
  for (int i = 0; i < COUNT; i++) {
    seed = seed * 1664525u + 1013904223u;
    w[i] = ((seed >> 8) / 8388608.0f - 1) * 0.035f;
  }
  size_t at = 0;
  size_t embed = at;
  at += V * D;
  size_t positions = at;
  at += T * D;
  size_t layer0 = at;
  at += (size_t)L * PER_LAYER;
  size_t last = at;
  at += D;
  size_t head = at;
  for (int l = 0; l < L; l++)
    for (int i = 0; i < 2 * D; i++) w[layer0 + (size_t)l * PER_LAYER + PER_LAYER - 2 * D + i] = 1;
  for (int i = 0; i < D; i++) w[last + i] = 1;
  int *token = malloc(N * sizeof(int)), *target = malloc(N * sizeof(int));
  for (int i = 0; i < N; i++) token[i] = (i * 7 + i / 13) % V, target[i] = ((i + 1) * 7 + (i + 1) / 13) % V;
  Kept kept[L];
  for (int l = 0; l < L; l++) {
    Kept *c = kept + l;
    c->x0 = alloc((size_t)N * D), c->n1 = alloc((size_t)N * D), c->m1 = alloc(N), c->r1 = alloc(N);
    c->q = alloc((size_t)N * D), c->k = alloc((size_t)N * D), c->v = alloc((size_t)N * D);
    c->p = alloc((size_t)B * H * T * T), c->mix = alloc((size_t)N * D), c->x1 = alloc((size_t)N * D);
    c->n2 = alloc((size_t)N * D), c->m2 = alloc(N), c->r2 = alloc(N);
    c->up = alloc((size_t)N * F), c->act = alloc((size_t)N * F);
  }
  float *x = alloc((size_t)N * D), *y = alloc((size_t)N * D), *fin = alloc((size_t)N * D), *fm = alloc(N), *fr = alloc(N);
  float *logits = alloc((size_t)N * V), *dx = alloc((size_t)N * D), *dn = alloc((size_t)N * D);
  float *dact = alloc((size_t)N * F), *dq = alloc((size_t)N * D), *dk = alloc((size_t)N * D), *dv = alloc((size_t)N * D);
  float *dmix = alloc((size_t)N * D), *dp = alloc((size_t)T * T);
  const float scale = 0.125f;
  for (int step = 1; step <= steps; step++) {
    double begin = now();
#pragma omp parallel for
    for (int r = 0; r < N; r++)
      for (int i = 0; i < D; i++) x[r * D + i] = w[embed + token[r] * D + i] + w[positions + (r % T) * D + i];
    for (int l = 0; l < L; l++) {
      Kept *c = kept + l;
      float *p = w + layer0 + (size_t)l * PER_LAYER;
      float *wq = p, *wk = p + D * D, *wv = p + 2 * D * D, *wo = p + 3 * D * D, *wu = p + 4 * D * D, *wd = wu + D * F,
            *g1 = wd + D * F, *g2 = g1 + D;
      memcpy(c->x0, x, (size_t)N * D * 4);
      norm(x, g1, c->n1, c->m1, c->r1);
      linear(c->n1, wq, c->q, N, D, D), linear(c->n1, wk, c->k, N, D, D), linear(c->n1, wv, c->v, N, D, D);
      for (int b = 0; b < B; b++)
        for (int h = 0; h < H; h++) {
          size_t o = (size_t)b * T * D + h * E;
          float *s = c->p + ((size_t)b * H + h) * T * T;
          gemm(ROW, NO, TR, T, T, E, scale, c->q + o, D, c->k + o, D, 0, s, T);
#pragma omp parallel for schedule(dynamic, 16)
          for (int i = 0; i < T; i++) {
            float top = -INFINITY, sum = 0, *row = s + (size_t)i * T;
            for (int j = 0; j <= i; j++) top = row[j] > top ? row[j] : top;
            for (int j = 0; j <= i; j++) sum += row[j] = expf(row[j] - top);
            sum = 1 / sum;
            for (int j = 0; j <= i; j++) row[j] *= sum;
            for (int j = i + 1; j < T; j++) row[j] = 0;
          }
          gemm(ROW, NO, NO, T, E, T, 1, s, T, c->v + o, D, 0, c->mix + o, D);
        }
      linear(c->mix, wo, y, N, D, D);
#pragma omp parallel for
      for (int i = 0; i < N * D; i++) c->x1[i] = x[i] + y[i];
      norm(c->x1, g2, c->n2, c->m2, c->r2);
      linear(c->n2, wu, c->up, N, F, D);
#pragma omp parallel for
      for (int i = 0; i < N * F; i++) c->act[i] = gelu(c->up[i]);
      linear(c->act, wd, y, N, D, F);
#pragma omp parallel for
      for (int i = 0; i < N * D; i++) x[i] = c->x1[i] + y[i];
    }
    norm(x, w + last, fin, fm, fr);
    linear(fin, w + head, logits, N, V, D);
    double loss = 0;
#pragma omp parallel for reduction(+ : loss)
    for (int r = 0; r < N; r++) {
      float *row = logits + (size_t)r * V, top = -INFINITY, sum = 0;
      for (int j = 0; j < V; j++) top = row[j] > top ? row[j] : top;
      float own = row[target[r]];
      for (int j = 0; j < V; j++) sum += row[j] = expf(row[j] - top);
      loss += logf(sum) + top - own;
      for (int j = 0; j < V; j++) row[j] = (row[j] / sum - (j == target[r])) / N;
    }
    linear_back(fin, w + head, logits, dn, g + head, N, V, D, 0);
    memset(dx, 0, (size_t)N * D * 4);
    norm_back(x, w + last, dn, fm, fr, dx, g + last);
    for (int l = L - 1; l >= 0; l--) {
      Kept *c = kept + l;
      float *p = w + layer0 + (size_t)l * PER_LAYER, *d = g + layer0 + (size_t)l * PER_LAYER;
      enum { WU = 4 * D * D, WD = WU + D * F, G1 = WD + D * F, G2 = G1 + D };
      linear_back(c->act, p + WD, dx, dact, d + WD, N, D, F, 0);
#pragma omp parallel for
      for (int i = 0; i < N * F; i++) dact[i] *= gelu_slope(c->up[i]);
      linear_back(c->n2, p + WU, dact, dn, d + WU, N, F, D, 0);
      norm_back(c->x1, p + G2, dn, c->m2, c->r2, dx, d + G2);
      linear_back(c->mix, p + 3 * D * D, dx, dmix, d + 3 * D * D, N, D, D, 0);
      for (int b = 0; b < B; b++)
        for (int h = 0; h < H; h++) {
          size_t o = (size_t)b * T * D + h * E;
          float *s = c->p + ((size_t)b * H + h) * T * T;
          gemm(ROW, TR, NO, T, E, T, 1, s, T, dmix + o, D, 0, dv + o, D);
          gemm(ROW, NO, TR, T, T, E, 1, dmix + o, D, c->v + o, D, 0, dp, T);
#pragma omp parallel for schedule(dynamic, 16)
          for (int i = 0; i < T; i++) {
            float dot = 0, *a = s + (size_t)i * T, *e = dp + (size_t)i * T;
            for (int j = 0; j <= i; j++) dot += a[j] * e[j];
            for (int j = 0; j <= i; j++) e[j] = a[j] * (e[j] - dot);
            for (int j = i + 1; j < T; j++) e[j] = 0;
          }
          gemm(ROW, NO, NO, T, E, T, scale, dp, T, c->k + o, D, 0, dq + o, D);
          gemm(ROW, TR, NO, T, E, T, scale, dp, T, c->q + o, D, 0, dk + o, D);
        }
      linear_back(c->n1, p, dq, dn, d, N, D, D, 0);
      linear_back(c->n1, p + D * D, dk, dn, d + D * D, N, D, D, 1);
      linear_back(c->n1, p + 2 * D * D, dv, dn, d + 2 * D * D, N, D, D, 1);
      norm_back(c->x0, p + G1, dn, c->m1, c->r1, dx, d + G1);
    }
    memset(g + embed, 0, (size_t)(V + T) * D * 4);
    for (int r = 0; r < N; r++)
      for (int i = 0; i < D; i++) {
        g[embed + token[r] * D + i] += dx[r * D + i];
        g[positions + (r % T) * D + i] += dx[r * D + i];
      }
    float c1 = 1 / (1 - powf(0.9f, step)), c2 = 1 / (1 - powf(0.95f, step));
#pragma omp parallel for
    for (int i = 0; i < COUNT; i++) {
      m[i] = 0.9f * m[i] + 0.1f * g[i];
      v2[i] = 0.95f * v2[i] + 0.05f * g[i] * g[i];
      w[i] -= 1e-3f * (m[i] * c1 / (sqrtf(v2[i] * c2) + 1e-8f) + 0.1f * w[i]);
    }
    printf("%.3f %.4f\n", now() - begin, loss / N);
    fflush(stdout);
  }
  return 0;
}
