/* A whole training step written by hand over OpenBLAS: the peer of `lctx bench step`.
   4 layers, width 256, 4 heads of 64, context 512, batch 8, 256 tokens, two-matrix GELU layers, root-mean-square norms,
   AdamW. Products go through cblas_sgemm (all threads), queries, keys and values as one; attention is flash.h, one head
   an item; pointwise work is vectorised and runs on OpenMP threads.
   Usage: step <libopenblas.so> <threads> <steps>; prints milliseconds, loss and processor milliseconds, one line a step.
   With steps = 0 it prints the loss and its slope along the gradient, found twice: a check of its own backward. */
#define _GNU_SOURCE
#include "flash.h"
#include <dlfcn.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { L = 4, D = 256, H = 4, E = 64, F = 1024, V = 256, B = 8, T = 512, N = B * T, Q = 3 * D };
enum { ROW = 101, NO = 111, TR = 112 };
typedef void (*gemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
static gemm_fn gemm;

static float *alloc(size_t n) {
  void *p = NULL;
  if (posix_memalign(&p, 64, n * sizeof(float))) exit(1);
  memset(p, 0, n * sizeof(float));
  return p;
}

/* y[m,n] (+)= x[m,k] w[n,k]^T */
static void linear(const float *x, const float *w, float *y, int m, int n, int k, float keep) {
  gemm(ROW, NO, TR, m, n, k, 1, x, k, w, k, keep, y, n);
}
/* dx = dy w, dw = dy^T x */
static void linear_back(const float *x, const float *w, const float *dy, float *dx, float *dw, int m, int n, int k) {
  gemm(ROW, NO, NO, m, k, n, 1, dy, n, w, k, 0, dx, k);
  gemm(ROW, TR, NO, n, k, m, 1, dy, n, x, k, 0, dw, k);
}

static void norm(const float *x, const float *g, float *y, float *rstd) {
#pragma omp parallel for
  for (int r = 0; r < N; r++) {
    const float *a = x + r * D;
    float q = 0;
    for (int i = 0; i < D; i++) q += a[i] * a[i];
    float v = 1 / sqrtf(q / D + 1e-6f);
    rstd[r] = v;
    for (int i = 0; i < D; i++) y[r * D + i] = a[i] * v * g[i];
  }
}
/* dx += norm's share; dg is summed by thread. */
static void norm_back(const float *x, const float *g, const float *dy, const float *rstd, float *dx, float *dg) {
  memset(dg, 0, D * sizeof(float));
#pragma omp parallel
  {
    float mine[D];
    memset(mine, 0, sizeof mine);
#pragma omp for nowait
    for (int r = 0; r < N; r++) {
      const float *a = x + r * D, *e = dy + r * D;
      float b = 0, v = rstd[r];
      for (int i = 0; i < D; i++) {
        mine[i] += e[i] * a[i] * v;
        b += e[i] * g[i] * a[i];
      }
      b *= v * v / D;
      for (int i = 0; i < D; i++) dx[r * D + i] += (e[i] * g[i] - a[i] * b) * v;
    }
#pragma omp critical
    for (int i = 0; i < D; i++) dg[i] += mine[i];
  }
}

static void gelu(const float *x, float *y) {
#pragma omp parallel for
  for (int i = 0; i < N * F; i += LANES) {
    const vf a = *(const vf *)(x + i);
    *(vf *)(y + i) = 0.5f * a * (1.0f + vtanh(0.79788456f * (a + 0.044715f * a * a * a)));
  }
}
static void gelu_back(const float *x, float *dy) {
#pragma omp parallel for
  for (int i = 0; i < N * F; i += LANES) {
    const vf a = *(const vf *)(x + i), t = vtanh(0.79788456f * (a + 0.044715f * a * a * a));
    *(vf *)(dy + i) *= 0.5f * (1.0f + t) + 0.5f * a * (1.0f - t * t) * 0.79788456f * (1.0f + 0.134145f * a * a);
  }
}

/* Layer activations kept for the backward. */
typedef struct {
  float *x0, *n1, *r1, *qkv, *lse, *mix, *x1, *n2, *r2, *up, *act;
} Kept;

/* All parameters in one array, so that AdamW is one loop. */
enum { WO = Q * D, WU = WO + D * D, WD = WU + D * F, G1 = WD + D * F, G2 = G1 + D, PER_LAYER = G2 + D };
enum { EMBED = 0, LAYERS = V * D, LAST = LAYERS + L * PER_LAYER, HEAD = LAST + D, COUNT = HEAD + V * D };
static float *w, *g, *m, *v2, *x, *fin, *fr, *logits, *dx, *dn, *dact, *dqkv, *dmix;
static Kept kept[L];
static int token[N], target[N];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

/* Mean loss; logits become their gradients. */
static double forward(void) {
#pragma omp parallel for
  for (int r = 0; r < N; r++) memcpy(x + r * D, w + EMBED + token[r] * D, D * sizeof(float));
  for (int l = 0; l < L; l++) {
    Kept *c = kept + l;
    const float *p = w + LAYERS + l * PER_LAYER;
    memcpy(c->x0, x, (size_t)N * D * sizeof(float));
    norm(x, p + G1, c->n1, c->r1);
    linear(c->n1, p, c->qkv, N, Q, D, 0);
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < B * H; i++) {
      const int row = i / H * T, h = i % H * E;
      const float *q = c->qkv + (size_t)row * Q + h;
      flash_forward(q, q + D, q + 2 * D, Q, c->mix + (size_t)row * D + h, D, c->lse + i * T, T, 0.125f);
    }
    memcpy(c->x1, x, (size_t)N * D * sizeof(float));
    linear(c->mix, p + WO, c->x1, N, D, D, 1);
    norm(c->x1, p + G2, c->n2, c->r2);
    linear(c->n2, p + WU, c->up, N, F, D, 0);
    gelu(c->up, c->act);
    memcpy(x, c->x1, (size_t)N * D * sizeof(float));
    linear(c->act, p + WD, x, N, D, F, 1);
  }
  norm(x, w + LAST, fin, fr);
  linear(fin, w + HEAD, logits, N, V, D, 0);
  double loss = 0;
#pragma omp parallel for reduction(+ : loss)
  for (int r = 0; r < N; r++) {
    float *row = logits + (size_t)r * V, top = -1e30f, own = row[target[r]];
    for (int j = 0; j < V; j++) top = row[j] > top ? row[j] : top;
    vf sum = splat(0);
    for (int j = 0; j < V; j += LANES) sum += *(vf *)(row + j) = vexp(*(vf *)(row + j) - top);
    float total = 0;
    for (int j = 0; j < LANES; j++) total += sum[j];
    loss += logf(total) + top - own;
    const float factor = 1.0f / total / N;
    for (int j = 0; j < V; j++) row[j] *= factor;
    row[target[r]] -= 1.0f / N;
  }
  return loss / N;
}

static void backward(void) {
  linear_back(fin, w + HEAD, logits, dn, g + HEAD, N, V, D);
  memset(dx, 0, (size_t)N * D * sizeof(float));
  norm_back(x, w + LAST, dn, fr, dx, g + LAST);
  for (int l = L - 1; l >= 0; l--) {
    Kept *c = kept + l;
    float *p = w + LAYERS + l * PER_LAYER, *d = g + LAYERS + l * PER_LAYER;
    linear_back(c->act, p + WD, dx, dact, d + WD, N, D, F);
    gelu_back(c->up, dact);
    linear_back(c->n2, p + WU, dact, dn, d + WU, N, F, D);
    norm_back(c->x1, p + G2, dn, c->r2, dx, d + G2);
    linear_back(c->mix, p + WO, dx, dmix, d + WO, N, D, D);
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < B * H; i++) {
      const size_t row = i / H * T, h = i % H * E, at = row * Q + h, o = row * D + h;
      const float *q = c->qkv + at;
      float *dq = dqkv + at;
      flash_backward(q, q + D, q + 2 * D, Q, c->mix + o, dmix + o, D, c->lse + i * T, dq, dq + D, dq + 2 * D, T, 0.125f);
    }
    linear_back(c->n1, p, dqkv, dn, d, N, Q, D);
    norm_back(c->x0, p + G1, dn, c->r1, dx, d + G1);
  }
  memset(g + EMBED, 0, (size_t)V * D * sizeof(float));
  for (int r = 0; r < N; r++)
    for (int i = 0; i < D; i++) g[EMBED + token[r] * D + i] += dx[r * D + i];
}

static void update(int step) {
  float c1 = 1 / (1 - powf(0.9f, step)), c2 = 1 / (1 - powf(0.999f, step));
#pragma omp parallel for
  for (int i = 0; i < COUNT; i++) {
    m[i] = 0.9f * m[i] + 0.1f * g[i];
    v2[i] = 0.999f * v2[i] + 0.001f * g[i] * g[i];
    w[i] -= 1e-3f * (m[i] * c1 / (sqrtf(v2[i] * c2) + 1e-8f) + 0.01f * w[i]);
  }
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
  for (int l = 0; l < L; l++)
    for (int i = 0; i < 2 * D; i++) w[LAYERS + l * PER_LAYER + G1 + i] = 1;
  for (int i = 0; i < D; i++) w[LAST + i] = 1;
  for (int i = 0; i < N; i++) token[i] = (i * 7 + i / 13) % V, target[i] = ((i + 1) * 7 + (i + 1) / 13) % V;
  const size_t rows = N;
  for (int l = 0; l < L; l++)
    kept[l] = (Kept){.x0 = alloc(rows * D), .n1 = alloc(rows * D), .r1 = alloc(rows), .qkv = alloc(rows * Q),
                     .lse = alloc(rows * H), .mix = alloc(rows * D), .x1 = alloc(rows * D), .n2 = alloc(rows * D),
                     .r2 = alloc(rows), .up = alloc(rows * F), .act = alloc(rows * F)};
  x = alloc(rows * D), fin = alloc(rows * D), fr = alloc(rows), logits = alloc(rows * V), dx = alloc(rows * D);
  dn = alloc(rows * D), dact = alloc(rows * F), dqkv = alloc(rows * Q), dmix = alloc(rows * D);
  if (steps == 0) {
    const float far = 0.02f;
    double square = 0;
    printf("loss %.6f\n", forward());
    backward();
    for (int i = 0; i < COUNT; i++) square += (double)g[i] * g[i];
    for (int i = 0; i < COUNT; i++) w[i] += far * g[i];
    double above = forward();
    for (int i = 0; i < COUNT; i++) w[i] -= 2 * far * g[i];
    printf("slope %.6f by differences, %.6f by the gradient\n", (above - forward()) / (2 * far), square);
    return 0;
  }
  for (int step = 1; step <= steps; step++) {
    clock_t used = clock();
    double begin = now(), loss = forward();
    backward();
    update(step);
    printf("%.3f %.4f %.3f\n", now() - begin, loss, (clock() - used) * 1e3 / CLOCKS_PER_SEC);
    fflush(stdout);
  }
  return 0;
}
