/* Vectors of the widest kind the compiler may use, for the programs that are written by hand. */
#ifndef VECTOR_H
#define VECTOR_H
#include <stdint.h>
#if defined(__AVX512F__)
enum { LANES = 16, PANEL = 4 };
#elif defined(__AVX__)
enum { LANES = 8, PANEL = 2 };
#else
enum { LANES = 4, PANEL = 2 };
#endif
typedef float vf __attribute__((vector_size(LANES * 4), may_alias));
typedef int32_t vi __attribute__((vector_size(LANES * 4), may_alias));
typedef uint32_t vu __attribute__((vector_size(LANES * 4), may_alias));

static inline __attribute__((always_inline)) vf splat(float x) {
#if defined(__AVX512F__)
  return (vf){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#elif defined(__AVX__)
  return (vf){x, x, x, x, x, x, x, x};
#else
  return (vf){x, x, x, x};
#endif
}
static inline __attribute__((always_inline)) vf pick(vi m, vf a, vf b) { return (vf)(((vi)a & m) | ((vi)b & ~m)); }
/* e^x for |x| < 87, 0 below. */
static inline __attribute__((always_inline)) vf vexp(vf given) {
  vf x = pick(given < -87.0f, splat(-87.0f), pick(given > 87.0f, splat(87.0f), given));
  vf t = x * 1.44269504f + 12582912.0f;
  vf n = t - 12582912.0f;
  vf r = x - n * 0.693359375f + n * 2.12194440e-4f;
  vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return (vf)((vi)((vu)p + ((vu)t << 23)) & ~(given < -87.0f));
}
static inline __attribute__((always_inline)) vf vtanh(vf x) { return 1.0f - 2.0f / (vexp(2.0f * x) + 1.0f); }
#endif
