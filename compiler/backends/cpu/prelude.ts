/** The C text that generated kernels share: vector types, exact whole-number operations, and loads of lanes. */
import { c, joinFragments, type Fragment } from "../../ir/kernel.ts";
import { doubleFunctions } from "./prelude-double.ts";
import { realFunctions } from "./prelude-real.ts";

/**
 * `vf` and `vi` are LCTX_LANES floats and 32-bit whole numbers. A truth value is an int 0 or 1 in scalar code and a
 * `vi` of 0 or −1 in vector code. The lane count follows the target, so the same text serves every machine.
 */
const types = c`
#ifndef LCTX_LANES
#if defined(__AVX512F__)
#define LCTX_LANES 16
#elif defined(__AVX__)
#define LCTX_LANES 8
#else
#define LCTX_LANES 4
#endif
#endif
#define LCTX_INLINE static inline __attribute__((always_inline, unused))
typedef float vf __attribute__((vector_size(LCTX_LANES * 4)));
typedef int32_t vi __attribute__((vector_size(LCTX_LANES * 4)));
typedef uint32_t vu __attribute__((vector_size(LCTX_LANES * 4)));
typedef double vd __attribute__((vector_size(LCTX_LANES * 8)));
typedef float vf_any __attribute__((vector_size(LCTX_LANES * 4), aligned(4), may_alias));
typedef int32_t vi_any __attribute__((vector_size(LCTX_LANES * 4), aligned(4), may_alias));
#if LCTX_LANES == 16
#define LCTX_EACH(x) {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}
#define LCTX_COUNT {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
#elif LCTX_LANES == 8
#define LCTX_EACH(x) {x, x, x, x, x, x, x, x}
#define LCTX_COUNT {0, 1, 2, 3, 4, 5, 6, 7}
#else
#define LCTX_EACH(x) {x, x, x, x}
#define LCTX_COUNT {0, 1, 2, 3}
#endif
#define LCTX_INF __builtin_inff()
#define LCTX_NAN __builtin_nanf("")
LCTX_INLINE vf lctx_splat_real(float x) { return (vf)LCTX_EACH(x); }
LCTX_INLINE vi lctx_splat_int(int32_t x) { return (vi)LCTX_EACH(x); }
LCTX_INLINE vi lctx_splat_bool(int x) { int32_t m = -(x != 0); return (vi)LCTX_EACH(m); }
/* 0, 1, 2, ... one number a lane */
LCTX_INLINE vi lctx_lanes(void) { return (vi)LCTX_COUNT; }
LCTX_INLINE vf lctx_load(const float *p) { return *(const vf_any *)p; }
LCTX_INLINE vi lctx_load_int(const int32_t *p) { return *(const vi_any *)p; }
LCTX_INLINE void lctx_store(float *p, vf x) { *(vf_any *)p = x; }
/* The first n lanes; the others are 0 and their memory is not touched. */
LCTX_INLINE vf lctx_load_part(const float *p, int64_t n) {
  float part[LCTX_LANES] __attribute__((aligned(64))) = {0};
  for (int64_t i = 0; i < n && i < LCTX_LANES; i++) part[i] = p[i];
  return *(const vf *)part;
}
LCTX_INLINE vi lctx_load_int_part(const int32_t *p, int64_t n) {
  int32_t part[LCTX_LANES] __attribute__((aligned(64))) = {0};
  for (int64_t i = 0; i < n && i < LCTX_LANES; i++) part[i] = p[i];
  return *(const vi *)part;
}
LCTX_INLINE void lctx_store_part(float *p, vf x, int64_t n) {
  for (int64_t i = 0; i < n && i < LCTX_LANES; i++) p[i] = x[i];
}
LCTX_INLINE vf lctx_gather(const float *p, vi at) {
  vf r;
  for (int i = 0; i < LCTX_LANES; i++) r[i] = p[at[i]];
  return r;
}
LCTX_INLINE vi lctx_gather_int(const int32_t *p, vi at) {
  vi r;
  for (int i = 0; i < LCTX_LANES; i++) r[i] = p[at[i]];
  return r;
}
LCTX_INLINE float lctx_sum(vf x) {
  float s = 0;
  for (int i = 0; i < LCTX_LANES; i++) s += x[i];
  return s;
}
LCTX_INLINE int lctx_any(vi m) {
  int32_t s = 0;
  for (int i = 0; i < LCTX_LANES; i++) s |= m[i];
  return s != 0;
}
LCTX_INLINE int lctx_all(vi m) {
  int32_t s = -1;
  for (int i = 0; i < LCTX_LANES; i++) s &= m[i];
  return s != 0;
}
LCTX_INLINE float lctx_select_real_s(int m, float a, float b) { return m ? a : b; }
LCTX_INLINE int32_t lctx_select_int_s(int m, int32_t a, int32_t b) { return m ? a : b; }
LCTX_INLINE vf lctx_select_real_v(vi m, vf a, vf b) { return (vf)((m & (vi)a) | (~m & (vi)b)); }
LCTX_INLINE vi lctx_select_int_v(vi m, vi a, vi b) { return (m & a) | (~m & b); }
LCTX_INLINE double lctx_select_real_d(int m, double a, double b) { return m ? a : b; }
LCTX_INLINE int64_t lctx_select_int_d(int m, int64_t a, int64_t b) { return m ? a : b; }
LCTX_INLINE int32_t lctx_bits_s(float x) { union { float f; int32_t i; } u = {x}; return u.i; }
LCTX_INLINE float lctx_from_bits_s(int32_t x) { union { int32_t i; float f; } u = {x}; return u.f; }
LCTX_INLINE vi lctx_bits_v(vf x) { return (vi)x; }
LCTX_INLINE vf lctx_from_bits_v(vi x) { return (vf)x; }
LCTX_INLINE float lctx_to_real_s(int32_t x) { return (float)x; }
LCTX_INLINE vf lctx_to_real_v(vi x) { return __builtin_convertvector(x, vf); }
LCTX_INLINE double lctx_to_real_d(int64_t x) { return (double)x; }
LCTX_INLINE int lctx_not_s(int x) { return !x; }
LCTX_INLINE int lctx_not_d(int x) { return !x; }
LCTX_INLINE vi lctx_not_v(vi x) { return ~x; }
`;

/** Whole numbers: division and remainder floor, also for negative operands; by zero they give 0. */
const wholes = c`
LCTX_INLINE int32_t lctx_floor_div_s(int32_t a, int32_t b) {
  if (b == 0) return 0;
  if (b == -1) return (int32_t)(0u - (uint32_t)a);
  int32_t q = a / b;
  return q - ((a % b != 0) & ((a < 0) != (b < 0)));
}
LCTX_INLINE int32_t lctx_mod_s(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a - (uint32_t)lctx_floor_div_s(a, b) * (uint32_t)b) * (b != 0);
}
LCTX_INLINE int64_t lctx_floor_div_d(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return -a;
  int64_t q = a / b;
  return q - ((a % b != 0) & ((a < 0) != (b < 0)));
}
LCTX_INLINE int64_t lctx_mod_d(int64_t a, int64_t b) { return b == 0 ? 0 : a - lctx_floor_div_d(a, b) * b; }
/* Truncation of a float that may lie outside the range of a whole number. */
LCTX_INLINE int32_t lctx_truncate_s(float x) {
  return (int32_t)(x > 2147483520.0f ? 2147483520.0f : x > -2147483520.0f ? x : -2147483520.0f);
}
LCTX_INLINE vi lctx_truncate_v(vf x) {
  vf low = lctx_splat_real(-2147483520.0f), high = lctx_splat_real(2147483520.0f);
  x = lctx_select_real_v(x > low, x, low);
  x = lctx_select_real_v(x > high, high, x);
  return __builtin_convertvector(x, vi);
}
LCTX_INLINE int64_t lctx_truncate_d(double x) {
  return (int64_t)(x > 9007199254740992.0 ? 9007199254740992.0 : x > -9007199254740992.0 ? x : -9007199254740992.0);
}
LCTX_INLINE int32_t lctx_floor_s(float x) { int32_t t = lctx_truncate_s(x); return t - (x < (float)t); }
LCTX_INLINE int32_t lctx_ceil_s(float x) { int32_t t = lctx_truncate_s(x); return t + (x > (float)t); }
LCTX_INLINE vi lctx_floor_v(vf x) { vi t = lctx_truncate_v(x); return t + (x < __builtin_convertvector(t, vf)); }
LCTX_INLINE vi lctx_ceil_v(vf x) { vi t = lctx_truncate_v(x); return t - (x > __builtin_convertvector(t, vf)); }
LCTX_INLINE int64_t lctx_floor_d(double x) { int64_t t = lctx_truncate_d(x); return t - (x < (double)t); }
LCTX_INLINE int64_t lctx_ceil_d(double x) { int64_t t = lctx_truncate_d(x); return t + (x > (double)t); }
/*
 * Without a vector division of whole numbers: two rounds of estimate and exact remainder leave an error of one at
 * most, which the last line mends. Right for every pair of 32-bit numbers that does not overflow.
 */
LCTX_INLINE vi lctx_floor_div_v(vi a, vi b) {
  vi none = b == 0;
  vi flip = b < 0;
  vi x = (a ^ flip) - flip, n = lctx_select_int_v(none, lctx_splat_int(1), (b ^ flip) - flip);
  vf step = 1.0f / __builtin_convertvector(n, vf);
  vi q = lctx_floor_v(__builtin_convertvector(x, vf) * step);
  vi r = (vi)((vu)x - (vu)q * (vu)n);
  vi more = lctx_floor_v(__builtin_convertvector(r, vf) * step);
  q += more;
  r = (vi)((vu)r - (vu)more * (vu)n);
  q += r < 0;
  r += (r < 0) & n;
  q -= r >= n;
  return ~none & q;
}
LCTX_INLINE vi lctx_mod_v(vi a, vi b) {
  return (vi)((vu)a - (vu)lctx_floor_div_v(a, b) * (vu)b) & ~(b == 0);
}
`;

/**
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011): the first word of the block of a counter under a key, as a number
 * in [0, 1) with 24 bits.
 */
const random = c`
LCTX_INLINE float lctx_philox_s(uint32_t k0, uint32_t k1, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3) {
  for (int round = 0; round < 10; round++) {
    uint64_t a = (uint64_t)0xd2511f53u * c0, b = (uint64_t)0xcd9e8d57u * c2;
    c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)b;
    c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)a;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return (float)(c0 >> 8) * 0x1p-24f;
}
`;

/** Sets: rows of `words` 32-bit words, lowest bit first. The row's number is inside the set; elements may be anything. */
const sets = c`
LCTX_INLINE int lctx_member_s(const int32_t *set, int32_t words, int32_t row, int32_t element) {
  const int32_t at = element >> 5;
  return at >= 0 && at < words ? (int)((uint32_t)set[(int64_t)row * words + at] >> (element & 31)) & 1 : 0;
}
static __attribute__((unused)) int32_t lctx_rank_s(const int32_t *set, int32_t words, int32_t row, int32_t element) {
  const int32_t at = element >> 5;
  const int32_t *word = set + (int64_t)row * words;
  int32_t count = 0;
  for (int32_t n = 0; n < words && n < at; n++) count += __builtin_popcount((uint32_t)word[n]);
  return at >= 0 && at < words ? count + __builtin_popcount((uint32_t)word[at] & ((1u << (element & 31)) - 1u)) : count;
}
LCTX_INLINE vi lctx_member_v(const int32_t *set, int32_t words, vi row, vi element) {
  vi r;
  for (int i = 0; i < LCTX_LANES; i++) r[i] = -lctx_member_s(set, words, row[i], element[i]);
  return r;
}
LCTX_INLINE vi lctx_rank_v(const int32_t *set, int32_t words, vi row, vi element) {
  vi r;
  for (int i = 0; i < LCTX_LANES; i++) r[i] = lctx_rank_s(set, words, row[i], element[i]);
  return r;
}
/* One word of each of some rows, kept while elements of that word are asked; ranks also keep what the rows hold before it. */
#define LCTX_NO_WORD INT32_MIN
typedef struct {
  int32_t at, element;
  vi word, before, rank;
} lctx_words;
static __attribute__((unused)) vi lctx_words_of(const int32_t *set, int32_t words, vi row, int32_t at) {
  vi r = lctx_splat_int(0);
  if (at >= 0 && at < words)
    for (int i = 0; i < LCTX_LANES; i++) r[i] = set[(int64_t)row[i] * words + at];
  return r;
}
LCTX_INLINE vi lctx_member_kept(lctx_words *kept, const int32_t *set, int32_t words, vi row, int32_t element) {
  if (element >> 5 != kept->at) {
    kept->at = element >> 5;
    kept->word = lctx_words_of(set, words, row, kept->at);
  }
  return -(vi)(((vu)kept->word >> (uint32_t)(element & 31)) & 1u);
}
LCTX_INLINE vi lctx_rank_kept(lctx_words *kept, const int32_t *set, int32_t words, vi row, int32_t element) {
  if (kept->at != LCTX_NO_WORD && element == kept->element) return kept->rank;
  if (element >> 5 != kept->at) {
    kept->at = element >> 5;
    kept->word = lctx_words_of(set, words, row, kept->at);
    for (int i = 0; i < LCTX_LANES; i++)
      kept->before[i] = lctx_rank_s(set, words, row[i], kept->at < 0 ? -1 : kept->at > words ? 32 * words : 32 * kept->at);
  }
  const uint32_t below = (1u << (element & 31)) - 1u;
  kept->element = element;
  for (int i = 0; i < LCTX_LANES; i++) kept->rank[i] = kept->before[i] + __builtin_popcount((uint32_t)kept->word[i] & below);
  return kept->rank;
}
`;

/** All of it, once per C file, after the support header. */
export const preludeText: Fragment = joinFragments(
  [types, wholes, realFunctions, doubleFunctions, random, sets],
  c`\n`,
);
