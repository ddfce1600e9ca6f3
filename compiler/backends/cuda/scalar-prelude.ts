/** Scalar functions that printed expressions call, in device code without headers. */
import { c, type Fragment } from "../../ir/kernel.ts";

/**
 * How real functions are computed. `approximate`: the processor's own exponential, logarithm, hyperbolic tangent and
 * reciprocal (relative errors up to about 2^-21, tanh 2^-11), for operands of 16 bits. `accurate`: within 2 units in
 * the last place, for f32.
 */
export type ScalarAccuracy = "approximate" | "accurate";

const common: Fragment = c`
#define LCTX_DEVICE [[maybe_unused]] static __device__ __forceinline__
#define LCTX_INF __int_as_float(0x7f800000)
#define LCTX_NAN __int_as_float(0x7fffffff)
/* Quotient and remainder that round down, for negative numbers too. */
LCTX_DEVICE int lctx_floor_div(int a, int b) {
  const int q = a / b;
  return q - (int)((a % b != 0) & ((a < 0) != (b < 0)));
}
LCTX_DEVICE int lctx_mod(int a, int b) {
  const int r = a % b;
  return r + ((r != 0 && (r < 0) != (b < 0)) ? b : 0);
}
/*
 * Minus x in two steps. ptxas of CUDA 12.9 to 13.3 makes one instruction of min(min(a, -b), c), VIMNMX3 of compute
 * capability 9.0 and above, and loses the sign of b; of these two steps it makes no sign.
 */
LCTX_DEVICE int lctx_neg(int x) {
  int y;
  asm("{ .reg .s32 t; not.b32 t, %1; add.s32 %0, t, 1; }" : "=r"(y) : "r"(x));
  return y;
}
LCTX_DEVICE float lctx_ex2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/* A whole power keeps the sign of a negative base; a fractional one of it is NaN. */
LCTX_DEVICE float lctx_pow(float a, float b) { return powf(a, b); }
LCTX_DEVICE float lctx_sin(float x) { return sinf(x); }
LCTX_DEVICE float lctx_cos(float x) { return cosf(x); }
`;

const approximate: Fragment = c`
LCTX_DEVICE float lctx_exp(float x) { return lctx_ex2(x * 1.44269504f); }
LCTX_DEVICE float lctx_log(float x) { return __logf(x); }
LCTX_DEVICE float lctx_sqrt(float x) {
  float y;
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
LCTX_DEVICE float lctx_tanh(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
LCTX_DEVICE float lctx_sigmoid(float x) { return __fdividef(1.0f, 1.0f + lctx_exp(-x)); }
LCTX_DEVICE float lctx_div(float a, float b) { return __fdividef(a, b); }
`;

const accurate: Fragment = c`
LCTX_DEVICE float lctx_exp(float x) { return expf(x); }
LCTX_DEVICE float lctx_log(float x) { return logf(x); }
LCTX_DEVICE float lctx_sqrt(float x) { return sqrtf(x); }
LCTX_DEVICE float lctx_tanh(float x) { return tanhf(x); }
LCTX_DEVICE float lctx_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
LCTX_DEVICE float lctx_div(float a, float b) { return a / b; }
`;

/** The functions for an accuracy. */
export const scalarPrelude = (accuracy: ScalarAccuracy): Fragment =>
  c`${common}${accuracy === "approximate" ? approximate : accurate}`;
