/** lctx.h: what generated kernels may call. */
export const header = `/* What kernels may call. Entry points are
     void entry(void *const *buffers, const int64_t *sizes, const float *scalars)
   and run on the main thread; lctx_parallel spreads work over all threads. */
#ifndef LCTX_H
#define LCTX_H
#include <stdint.h>
#include <stddef.h>

/* Threads that lctx_parallel uses, the caller counted. */
int64_t lctx_threads(void);

/* Calls body(ctx, item, thread) once for each item in [0, items), on any thread in [0, lctx_threads()), and returns when
   all are done. Items are handed out in order. Not to be called from a body. */
void lctx_parallel(int64_t items, void (*body)(void *ctx, int64_t item, int thread), void *ctx);

/* c[m,n] (+)= op(a) op(b), row-major. a is [m,k] with rows lda apart, or [k,m] when ta; b is [k,n], or [n,k] when tb. The
   order of additions depends on k only, never on threads. scratch is not used. Not to be called from a body. */
void lctx_gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int tb,
               float *c, int64_t ldc, int accumulate, float *scratch);
#endif
`;
