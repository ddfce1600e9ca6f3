/** C text of interval arithmetic over positions, for deciding which blocks of a mask are empty or full. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * Bounds of an expression over a rectangle of queries and keys, in double: whole numbers are exact, truth values lie in
 * [0, 1]. Comparisons of reals keep a margin, because the kernel computes them in single precision.
 */
export const rangesText: Fragment = c`
typedef struct { double low, high; } lctx_range;
LCTX_INLINE lctx_range lctx_r(double low, double high) {
  lctx_range r = {low, high};
  if (!(low <= high)) r.low = -(double)LCTX_INF, r.high = (double)LCTX_INF;
  return r;
}
LCTX_INLINE lctx_range lctx_r_any(void) { return lctx_r(-(double)LCTX_INF, (double)LCTX_INF); }
LCTX_INLINE lctx_range lctx_r_maybe(void) { return lctx_r(0.0, 1.0); }
LCTX_INLINE lctx_range lctx_r_neg(lctx_range a) { return lctx_r(-a.high, -a.low); }
LCTX_INLINE lctx_range lctx_r_abs(lctx_range a) {
  const double low = lctx_abs_d(a.low), high = lctx_abs_d(a.high);
  return a.low <= 0.0 && a.high >= 0.0 ? lctx_r(0.0, lctx_max_d(low, high))
                                       : lctx_r(lctx_min_d(low, high), lctx_max_d(low, high));
}
LCTX_INLINE lctx_range lctx_r_add(lctx_range a, lctx_range b) { return lctx_r(a.low + b.low, a.high + b.high); }
LCTX_INLINE lctx_range lctx_r_sub(lctx_range a, lctx_range b) { return lctx_r(a.low - b.high, a.high - b.low); }
static __attribute__((unused)) lctx_range lctx_r_mul(lctx_range a, lctx_range b) {
  const double x = a.low * b.low, y = a.low * b.high, z = a.high * b.low, w = a.high * b.high;
  if (x != x || y != y || z != z || w != w) return lctx_r_any();
  return lctx_r(lctx_min_d(lctx_min_d(x, y), lctx_min_d(z, w)), lctx_max_d(lctx_max_d(x, y), lctx_max_d(z, w)));
}
static __attribute__((unused)) lctx_range lctx_r_div(lctx_range a, lctx_range b) {
  if (b.low <= 0.0 && b.high >= 0.0) return lctx_r_any();
  return lctx_r_mul(a, lctx_r(1.0 / b.high, 1.0 / b.low));
}
LCTX_INLINE double lctx_floor_double(double x) {
  return x > -4e15 && x < 4e15 ? (double)lctx_floor_d(x) : x;
}
LCTX_INLINE double lctx_floor_quotient(double a, double b) {
  return a > -4e15 && a < 4e15 && b > -4e15 && b < 4e15 ? (double)lctx_floor_div_d((int64_t)a, (int64_t)b) : a / b;
}
/* The divisor is known in nearly every mask; otherwise nothing is claimed. */
static __attribute__((unused)) lctx_range lctx_r_floor_div(lctx_range a, lctx_range b) {
  if (b.low != b.high || b.low == 0.0) return lctx_r_any();
  const double x = lctx_floor_quotient(a.low, b.low), y = lctx_floor_quotient(a.high, b.low);
  return lctx_r(lctx_min_d(x, y), lctx_max_d(x, y));
}
static __attribute__((unused)) lctx_range lctx_r_mod(lctx_range a, lctx_range b) {
  if (b.low != b.high || b.low == 0.0) return lctx_r_any();
  const double n = b.low, x = lctx_floor_quotient(a.low, n), y = lctx_floor_quotient(a.high, n);
  if (x == y && a.low - x * n == a.low - x * n) return lctx_r(a.low - x * n, a.high - x * n);
  return n > 0.0 ? lctx_r(0.0, n - 1.0) : lctx_r(n + 1.0, 0.0);
}
LCTX_INLINE lctx_range lctx_r_min(lctx_range a, lctx_range b) {
  return lctx_r(lctx_min_d(a.low, b.low), lctx_min_d(a.high, b.high));
}
LCTX_INLINE lctx_range lctx_r_max(lctx_range a, lctx_range b) {
  return lctx_r(lctx_max_d(a.low, b.low), lctx_max_d(a.high, b.high));
}
LCTX_INLINE lctx_range lctx_r_truth(int no, int yes) { return lctx_r(yes ? 1.0 : 0.0, no ? 0.0 : 1.0); }
LCTX_INLINE lctx_range lctx_r_lt(lctx_range a, lctx_range b) { return lctx_r_truth(a.low >= b.high, a.high < b.low); }
LCTX_INLINE lctx_range lctx_r_le(lctx_range a, lctx_range b) { return lctx_r_truth(a.low > b.high, a.high <= b.low); }
LCTX_INLINE lctx_range lctx_r_eq(lctx_range a, lctx_range b) {
  return lctx_r_truth(a.high < b.low || b.high < a.low, a.low == a.high && b.low == b.high && a.low == b.low);
}
/* Widened by what single precision may be off. */
LCTX_INLINE lctx_range lctx_r_loose(lctx_range a) {
  return lctx_r(a.low - 1e-4 * (1.0 + lctx_abs_d(a.low)), a.high + 1e-4 * (1.0 + lctx_abs_d(a.high)));
}
LCTX_INLINE lctx_range lctx_r_and(lctx_range a, lctx_range b) {
  return lctx_r(lctx_min_d(a.low, b.low), lctx_min_d(a.high, b.high));
}
LCTX_INLINE lctx_range lctx_r_or(lctx_range a, lctx_range b) {
  return lctx_r(lctx_max_d(a.low, b.low), lctx_max_d(a.high, b.high));
}
LCTX_INLINE lctx_range lctx_r_not(lctx_range a) { return lctx_r(1.0 - a.high, 1.0 - a.low); }
LCTX_INLINE lctx_range lctx_r_floor(lctx_range a) {
  return lctx_r(lctx_floor_double(a.low), lctx_floor_double(a.high));
}
LCTX_INLINE lctx_range lctx_r_ceil(lctx_range a) { return lctx_r_neg(lctx_r_floor(lctx_r_neg(a))); }
LCTX_INLINE double lctx_truncate_double(double x) { return x < 0.0 ? -lctx_floor_double(-x) : lctx_floor_double(x); }
LCTX_INLINE lctx_range lctx_r_truncate(lctx_range a) {
  return lctx_r(lctx_truncate_double(a.low), lctx_truncate_double(a.high));
}
LCTX_INLINE lctx_range lctx_r_sign(lctx_range a) { return lctx_r(lctx_sign_d(a.low), lctx_sign_d(a.high)); }
LCTX_INLINE lctx_range lctx_r_select(lctx_range m, lctx_range a, lctx_range b) {
  if (m.low >= 1.0) return a;
  if (m.high <= 0.0) return b;
  return lctx_r(lctx_min_d(a.low, b.low), lctx_max_d(a.high, b.high));
}
/* Least and greatest element of a vector of whole numbers, over the indices of a range. */
LCTX_HOT lctx_range lctx_r_load(const int32_t *p, int64_t count, lctx_range at) {
  if (count < 1) return lctx_r_any();
  const int64_t from = (int64_t)lctx_min_d(lctx_max_d(at.low, 0.0), (double)(count - 1));
  const int64_t to = (int64_t)lctx_min_d(lctx_max_d(at.high, 0.0), (double)(count - 1));
  int32_t low = p[from], high = p[from];
  for (int64_t i = from; i <= to; i++) {
    low = low < p[i] ? low : p[i];
    high = high > p[i] ? high : p[i];
  }
  return lctx_r((double)low, (double)high);
}
/*
 * Whether a range of elements is in the rows of a set that "count" ranges of indices name: the extents are those of the
 * indices, then the words. Indices are kept inside, as where the set is read. More rows than two blocks of queries have
 * are not looked through: blocks are asked by halves, so that each row would be read again at every step.
 */
LCTX_HOT lctx_range lctx_r_member(const int32_t *set, int count, const int64_t *extents, const lctx_range *at,
                                  lctx_range element) {
  const int64_t words = extents[count];
  int64_t extent[8], stride[8], index[8] = {0}, rows = 1, next = words;
  if (count > 8) return lctx_r_maybe();
  for (int i = count - 1; i >= 0; i--) {
    const double most = (double)(extents[i] - 1);
    const int64_t from = (int64_t)lctx_min_d(lctx_max_d(at[i].low, 0.0), most);
    extent[i] = (int64_t)lctx_min_d(lctx_max_d(at[i].high, 0.0), most) - from + 1;
    stride[i] = next, next *= extents[i];
    set += from * stride[i];
    rows *= extent[i];
  }
  if (rows > 2 * LCTX_QB) return lctx_r_maybe();
  const double first = lctx_max_d(element.low, 0.0), last = lctx_min_d(element.high, (double)(32 * words - 1));
  if (first > last) return lctx_r(0.0, 0.0);
  int all = first == element.low && last == element.high, any = 0;
  const int64_t low = (int64_t)first, high = (int64_t)last;
  for (int64_t n = 0; n < rows; n++) {
    for (int64_t w = low >> 5; w <= high >> 5; w++) {
      uint32_t mask = 0xffffffffu;
      if (w == low >> 5) mask &= 0xffffffffu << (low & 31);
      if (w == high >> 5) mask &= 0xffffffffu >> (31 - (high & 31));
      const uint32_t held = (uint32_t)set[w] & mask;
      any |= held != 0, all &= held == mask;
    }
    if (any && !all) return lctx_r_maybe();
    int i = count - 1;
    while (i >= 0 && ++index[i] == extent[i]) set -= (extent[i] - 1) * stride[i], index[i--] = 0;
    if (i >= 0) set += stride[i];
  }
  return lctx_r_truth(!any, all);
}
`;
