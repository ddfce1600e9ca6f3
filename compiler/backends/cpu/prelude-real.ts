/** C text of single-precision functions, once for floats and once for vectors of them, with their accuracy. */
import { c, joinFragments, type Fragment } from "../../ir/kernel.ts";

/** Names of types and suffix of functions: scalar or vector. */
interface Form {
  readonly real: Fragment;
  readonly int: Fragment;
  readonly suffix: Fragment;
}

/**
 * Largest errors over all finite arguments, measured against float64 (tests/conformance/prelude.test.ts): exp 2 ulp,
 * log 2, sigmoid 4, tanh 4, erf 4, sin and cos 2 (|x| up to 1e6, and 1e-7 absolute near their zeros beyond the first).
 * Results below 2^-126 are 0.
 */
const functions = ({ real, int, suffix: f }: Form): Fragment => c`
LCTX_INLINE ${real} lctx_min${f}(${real} a, ${real} b) { return lctx_select_real${f}(a < b, a, b); }
LCTX_INLINE ${real} lctx_max${f}(${real} a, ${real} b) { return lctx_select_real${f}(a > b, a, b); }
LCTX_INLINE ${int} lctx_min_int${f}(${int} a, ${int} b) { return lctx_select_int${f}(a < b, a, b); }
LCTX_INLINE ${int} lctx_max_int${f}(${int} a, ${int} b) { return lctx_select_int${f}(a > b, a, b); }
LCTX_INLINE ${real} lctx_abs${f}(${real} x) { return lctx_from_bits${f}(lctx_bits${f}(x) & 0x7fffffff); }
LCTX_INLINE ${int} lctx_abs_int${f}(${int} x) { return lctx_select_int${f}(x < 0, -x, x); }
LCTX_INLINE ${real} lctx_copy_sign${f}(${real} size, ${real} sign) {
  return lctx_from_bits${f}((lctx_bits${f}(size) & 0x7fffffff) | (lctx_bits${f}(sign) & (int32_t)0x80000000));
}
LCTX_INLINE ${real} lctx_sign${f}(${real} x) {
  return lctx_select_real${f}((x == 0.0f) | (x != x), x, lctx_from_bits${f}((lctx_bits${f}(x) & (int32_t)0x80000000) | 0x3f800000));
}
LCTX_INLINE ${int} lctx_sign_int${f}(${int} x) {
  return lctx_select_int${f}(x == 0, x, lctx_select_int${f}(x < 0, x * 0 - 1, x * 0 + 1));
}
/* 2^n e^r with n found by adding 1.5 * 2^23; n goes into the exponent bits, which is exact for normal results. */
LCTX_INLINE ${real} lctx_exp${f}(${real} x) {
  ${real} t = x * 1.44269504f + 12582912.0f;
  ${real} n = t - 12582912.0f;
  ${real} r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  ${real} p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  ${real} y = lctx_from_bits${f}(lctx_bits${f}(p) + lctx_shift_left${f}(lctx_bits${f}(t), 23));
  y = lctx_select_real${f}(x > 88.7228317f, x * 0.0f + LCTX_INF, y);
  y = lctx_select_real${f}(x < -87.3365402f, r * 0.0f, y);
  y = lctx_select_real${f}(x == -LCTX_INF, lctx_from_bits${f}(lctx_bits${f}(x) & 0), y);
  y = lctx_select_real${f}(x == LCTX_INF, x, y);
  return lctx_select_real${f}(x == x, y, x);
}
LCTX_INLINE ${real} lctx_log${f}(${real} given) {
  ${int} tiny = given < 1.17549435e-38f;
  ${real} x = lctx_select_real${f}(tiny, given * 8388608.0f, given);
  ${int} bits = lctx_bits${f}(x);
  ${int} shifted = lctx_shift_right${f}(bits - 0x3f3504f3, 23);
  ${real} m = lctx_from_bits${f}(bits - lctx_shift_left${f}(shifted, 23)) - 1.0f;
  ${real} e = lctx_to_real${f}(shifted) - lctx_select_real${f}(tiny, m * 0.0f + 23.0f, m * 0.0f);
  ${real} z = m * m;
  ${real} p = m * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  ${real} y = m * z * p + e * -2.12194440e-4f - 0.5f * z;
  y = m + y + e * 0.693359375f;
  y = lctx_select_real${f}(given == 0.0f, lctx_from_bits${f}((bits & 0) | (int32_t)0xff800000), y);
  y = lctx_select_real${f}(given < 0.0f, lctx_from_bits${f}((bits & 0) | 0x7fc00000), y);
  y = lctx_select_real${f}(given == LCTX_INF, given, y);
  return lctx_select_real${f}(given == given, y, given);
}
LCTX_INLINE ${real} lctx_sigmoid${f}(${real} x) { return 1.0f / (1.0f + lctx_exp${f}(-x)); }
LCTX_INLINE ${real} lctx_tanh${f}(${real} x) {
  ${real} t = lctx_abs${f}(x), s = x * x;
  ${real} p = s * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  p = p * s * x + x;
  ${real} q = lctx_copy_sign${f}(1.0f - 2.0f / (lctx_exp${f}(t + t) + 1.0f), x);
  return lctx_select_real${f}(t < 0.625f, p, q);
}
LCTX_INLINE ${real} lctx_erf${f}(${real} x) {
  ${real} t = lctx_abs${f}(x), s = x * x;
  ${real} r = t * -1.72853470e-5f + 3.83197126e-4f;
  ${real} u = t * -3.88396438e-3f + 2.42546219e-2f;
  r = r * s + u;
  r = r * t - 1.06777877e-1f;
  r = r * t - 6.34846687e-1f;
  r = r * t - 1.28717512e-1f;
  r = r * t - t;
  r = lctx_copy_sign${f}(1.0f - lctx_exp${f}(lctx_max${f}(r, r * 0.0f - 80.0f)), x);
  r = lctx_select_real${f}(t > 4.0f, lctx_copy_sign${f}(t * 0.0f + 1.0f, x), r);
  ${real} p = s * -5.96761703e-4f + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  p = p * x + x;
  r = lctx_select_real${f}(t == LCTX_INF, lctx_copy_sign${f}(lctx_exp${f}(s * 0.0f), x), r);
  r = lctx_select_real${f}(t > 0.927734375f, r, p);
  return lctx_select_real${f}(t == LCTX_INF, lctx_sign_inf${f}(x), r);
}
LCTX_INLINE ${real} lctx_wave${f}(${real} r, ${int} odd) {
  ${real} z = r * r;
  ${real} a = z * -1.9515295891e-4f + 8.3321608736e-3f;
  a = (a * z - 1.6666654611e-1f) * z * r + r;
  ${real} b = z * 2.443315711809948e-5f - 1.388731625493765e-3f;
  b = (b * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
  return lctx_select_real${f}(odd, b, a);
}
`;

/** What the two forms do differently. */
const helpers = c`
LCTX_INLINE int32_t lctx_shift_left_s(int32_t x, int n) { return (int32_t)((uint32_t)x << n); }
LCTX_INLINE vi lctx_shift_left_v(vi x, int n) { return (vi)((vu)x << n); }
LCTX_INLINE int32_t lctx_shift_right_s(int32_t x, int n) { return x >> n; }
LCTX_INLINE vi lctx_shift_right_v(vi x, int n) { return x >> n; }
LCTX_INLINE float lctx_sign_inf_s(float x) { return x > 0 ? 1.0f : -1.0f; }
LCTX_INLINE vf lctx_sign_inf_v(vf x) {
  return lctx_select_real_v(x > 0.0f, lctx_splat_real(1.0f), lctx_splat_real(-1.0f));
}
LCTX_INLINE float lctx_sqrt_s(float x) { return __builtin_sqrtf(x); }
LCTX_INLINE vf lctx_sqrt_v(vf x) {
  float part[LCTX_LANES] __attribute__((aligned(64)));
  *(vf *)part = x;
  for (int i = 0; i < LCTX_LANES; i++) part[i] = __builtin_sqrtf(part[i]);
  return *(vf *)part;
}
`;

/** Quadrants are found in double precision, so that large arguments keep their phase. */
const waves = c`
#define LCTX_TURN 12582912.0
LCTX_INLINE float lctx_quarter_s(float x, int32_t *quarter) {
  double n = (double)x * 0.63661977236758134 + 6755399441055744.0;
  union { double d; int64_t i; } u = {n};
  n = n - 6755399441055744.0;
  *quarter = (int32_t)u.i;
  return (float)(((double)x - n * 1.5707963267341256) - n * 6.0771005065061922e-11);
}
LCTX_INLINE vf lctx_quarter_v(vf x, vi *quarter) {
  vd wide = __builtin_convertvector(x, vd);
  vd n = wide * 0.63661977236758134 + 6755399441055744.0;
  n = n - 6755399441055744.0;
  vd q = n - 4.0 * ((n * 0.25 + 6755399441055744.0) - 6755399441055744.0);
  *quarter = __builtin_convertvector(q, vi);
  return __builtin_convertvector((wide - n * 1.5707963267341256) - n * 6.0771005065061922e-11, vf);
}
LCTX_INLINE float lctx_sin_s(float x) {
  int32_t n; float r = lctx_quarter_s(x, &n); float y = lctx_wave_s(r, n & 1); return n & 2 ? -y : y;
}
LCTX_INLINE float lctx_cos_s(float x) {
  int32_t n; float r = lctx_quarter_s(x, &n); float y = lctx_wave_s(r, !(n & 1)); return (n + 1) & 2 ? -y : y;
}
LCTX_INLINE vf lctx_sin_v(vf x) {
  vi n; vf r = lctx_quarter_v(x, &n); vf y = lctx_wave_v(r, (n & 1) != 0);
  return (vf)((vi)y ^ lctx_shift_left_v(n & 2, 30));
}
LCTX_INLINE vf lctx_cos_v(vf x) {
  vi n; vf r = lctx_quarter_v(x, &n); vf y = lctx_wave_v(r, (n & 1) == 0);
  return (vf)((vi)y ^ lctx_shift_left_v((n + 1) & 2, 30));
}
`;

export const realFunctions: Fragment = joinFragments(
  [
    helpers,
    functions({ real: c`float`, int: c`int32_t`, suffix: c`_s` }),
    functions({ real: c`vf`, int: c`vi`, suffix: c`_v` }),
    waves,
  ],
  c`\n`,
);
