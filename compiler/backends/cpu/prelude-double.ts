/** C text of double-precision functions for phases and powers, where single precision would lose the answer. */
import { c, type Fragment } from "../../ir/kernel.ts";

/** Errors below 1e-14 relative (absolute near zeros of sine and cosine); phases hold up to 1e9. */
export const doubleFunctions: Fragment = c`
LCTX_INLINE double lctx_min_d(double a, double b) { return a < b ? a : b; }
LCTX_INLINE double lctx_max_d(double a, double b) { return a > b ? a : b; }
LCTX_INLINE int64_t lctx_min_int_d(int64_t a, int64_t b) { return a < b ? a : b; }
LCTX_INLINE int64_t lctx_max_int_d(int64_t a, int64_t b) { return a > b ? a : b; }
LCTX_INLINE double lctx_abs_d(double x) { return __builtin_fabs(x); }
LCTX_INLINE int64_t lctx_abs_int_d(int64_t x) { return x < 0 ? -x : x; }
LCTX_INLINE double lctx_sign_d(double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; }
LCTX_INLINE int64_t lctx_sign_int_d(int64_t x) { return (x > 0) - (x < 0); }
LCTX_INLINE double lctx_sqrt_d(double x) { return __builtin_sqrt(x); }
static __attribute__((unused)) double lctx_power_of_two(int n) {
  union { uint64_t i; double d; } u = {(uint64_t)(n + 1023) << 52};
  return u.d;
}
static __attribute__((unused)) double lctx_exp_d(double x) {
  if (x != x) return x;
  if (x > 709.78) return (double)LCTX_INF;
  if (x < -745.0) return 0.0;
  int n = (int)(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
  double r = (x - n * 0.69314718036912382) - n * 1.9082149292705877e-10;
  double p = 1.0;
  for (int k = 14; k > 0; k--) p = 1.0 + p * r / k;
  return p * lctx_power_of_two(n / 2) * lctx_power_of_two(n - n / 2);
}
static __attribute__((unused)) double lctx_log_d(double x) {
  if (x != x || x == (double)LCTX_INF) return x;
  if (x < 0) return (double)LCTX_NAN;
  if (x == 0) return -(double)LCTX_INF;
  int shift = 0;
  if (x < 2.2250738585072014e-308) { x *= 18014398509481984.0; shift = -54; }
  union { double d; int64_t i; } u = {x};
  int n = (int)((u.i - 0x3fe6a09e667f3bcd) >> 52);
  u.i -= (int64_t)n * ((int64_t)1 << 52);
  double f = (u.d - 1.0) / (u.d + 1.0), z = f * f, p = 0;
  for (int k = 23; k > 0; k -= 2) p = p * z + 2.0 / k;
  n += shift;
  return p * f + n * 1.9082149292705877e-10 + n * 0.69314718036912382;
}
static __attribute__((unused)) double lctx_sigmoid_d(double x) { return 1.0 / (1.0 + lctx_exp_d(-x)); }
static __attribute__((unused)) double lctx_tanh_d(double x) {
  double t = __builtin_fabs(x), z = x * x;
  if (t < 0.01) return x * (1.0 - z * (1.0 / 3.0 - z * (2.0 / 15.0 - z * (17.0 / 315.0 - z * 62.0 / 2835.0))));
  double e = lctx_exp_d(-2.0 * t);
  return __builtin_copysign((1.0 - e) / (1.0 + e), x);
}
static __attribute__((unused)) double lctx_erf_d(double x) {
  double t = __builtin_fabs(x);
  if (t != t) return x;
  if (t > 6.0) return __builtin_copysign(1.0, x);
  double term = x, total = x;
  for (int k = 1; k < 150; k++) { term *= 2.0 * x * x / (2 * k + 1); total += term; }
  return 1.1283791670955126 * lctx_exp_d(-x * x) * total;
}
static __attribute__((unused)) double lctx_wave_d(double x, int shift) {
  double n = x * 0.63661977236758134;
  int64_t k = (int64_t)(n + (n < 0 ? -0.5 : 0.5));
  double r = ((x - (double)k * 1.5707963267341256) - (double)k * 6.0771005063039660e-11) - (double)k * 2.0222662487959506e-21;
  double z = r * r;
  k += shift;
  double s = r + r * z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03 + z * (-1.98412698298579493134e-04
    + z * (2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
  double o = 1.0 - 0.5 * z + z * z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03
    + z * (2.48015872894767294178e-05 + z * (-2.75573143513906633035e-07 + z * (2.08757232129817482790e-09
    + z * -1.13596475577881948265e-11)))));
  double y = k & 1 ? o : s;
  return k & 2 ? -y : y;
}
LCTX_INLINE double lctx_sin_d(double x) { return lctx_wave_d(x, 0); }
LCTX_INLINE double lctx_cos_d(double x) { return lctx_wave_d(x, 1); }
static __attribute__((unused)) double lctx_pow_d(double x, double y) {
  if (y == 0.0 || x == 1.0) return 1.0;
  if (x != x || y != y) return x + y;
  int whole = __builtin_fabs(y) >= 9007199254740992.0 || (double)(int64_t)y == y;
  int odd = whole && __builtin_fabs(y) < 9007199254740992.0 && ((int64_t)y & 1);
  if (x == 0.0) return y > 0 ? (odd ? x : 0.0) : (odd ? 1.0 / x : (double)LCTX_INF);
  if (x < 0 && !whole) return (double)LCTX_NAN;
  double size = __builtin_fabs(x), r;
  if (whole && __builtin_fabs(y) <= 16.0) {
    r = 1.0;
    for (int k = (int)__builtin_fabs(y); k > 0; k--) r *= size;
    if (y < 0) r = 1.0 / r;
  } else r = lctx_exp_d(y * lctx_log_d(size));
  return x < 0 && odd ? -r : r;
}
static __attribute__((unused)) float lctx_pow_s(float x, float y) { return (float)lctx_pow_d((double)x, (double)y); }
static __attribute__((unused)) vf lctx_pow_v(vf x, vf y) {
  vf r;
  for (int i = 0; i < LCTX_LANES; i++) r[i] = lctx_pow_s(x[i], y[i]);
  return r;
}
`;
