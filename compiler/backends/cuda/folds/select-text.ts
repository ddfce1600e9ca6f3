/** Device text of selections: a warp a row; candidates become numbers that sort like them, and the least chosen one is found by its digits. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/** Rows of a block, one a warp. */
export const rowsOfBlock = 4;
/** Candidates of a row whose numbers are kept in shared memory; those beyond are made again when they are asked for. */
export const keptCandidates = 2048;
const digits = 256;

/** Bytes of shared memory: the query of each row, and where candidates are counted, numbers and counts of digits. */
export const selectBytes = (depth: number, counts: boolean): number =>
  rowsOfBlock * 4 * (depth + (counts ? keptCandidates + digits : 0));

/**
 * A candidate's number: 0 where it does not exist, 1 for what is no number, the largest where it is chosen in any case,
 * else its body with the order of reals. The n largest are then: those above the n-th, and of those equal to it the
 * first ones. Only counts are added up, so the result has the same bits run to run.
 */
export const numbersText: Fragment = c`
struct lctx_row {
  const lctx_element *keys;
  const float *query;
  unsigned *kept;
  int b, h, q, candidates;
};
/* The product of the row's query and a candidate. */
LCTX_DEVICE float lctx_product(const lctx_row &x, int candidate) {
  constexpr int kUnit = 16 / (int)sizeof(lctx_element);
  const lctx_element *key = x.keys + (long long)candidate * kGroups * kDepth;
  float sum = 0.0f;
  if constexpr (kDepth % kUnit == 0) {
#pragma unroll 4
    for (int i = 0; i < kDepth; i += kUnit) {
      union { float4 all; lctx_element each[kUnit]; } unit;
      unit.all = __ldg((const float4 *)(key + i));
#pragma unroll
      for (int j = 0; j < kUnit; j++) sum += x.query[i + j] * lctx_real(unit.each[j]);
    }
  } else
    for (int i = 0; i < kDepth; i++) sum += x.query[i] * lctx_real(key[i]);
  return sum * kScale;
}
LCTX_DEVICE unsigned lctx_make_number(const lctx_pairs &p, const lctx_row &x, int candidate) {
  if (candidate >= x.candidates || !lctx_see(p, x.b, x.h, x.q, candidate)) return 0u;
  if (lctx_always(p, x.b, x.h, x.q, candidate)) return 0xffffffffu;
  const float body = lctx_score(p, kMultiplies ? lctx_product(x, candidate) : 0.0f, x.b, x.h, x.q, candidate) + 0.0f;
  if (kAbove) return body > lctx_amount(p, x.b, x.h, x.q, 0) ? 2u : 1u;
  if (body != body) return 1u;
  const unsigned bits = (unsigned)__float_as_int(body);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
/* The digit of the n-th largest of numbers that were counted by digit; n becomes its place among those of that digit. All lanes ask. */
LCTX_DEVICE int lctx_digit(const int *counts, int &n) {
  /* Lane i has digits 255 - 8 i down to 248 - 8 i. */
  const int lane = threadIdx.x % 32;
  int own[8], sum = 0, before = 0;
#pragma unroll
  for (int i = 0; i < 8; i++) own[i] = counts[255 - 8 * lane - i], sum += own[i];
  for (int i = 0; i < 32; i++) {
    const int other = __shfl_sync(0xffffffffu, sum, i);
    before += i < lane ? other : 0;
  }
  int digit = 0, above = 0;
  const bool mine = before < n && n <= before + sum;
  if (mine)
#pragma unroll
    for (int i = 0; i < 8; i++)
      if (before < n && n <= before + own[i]) digit = 255 - 8 * lane - i, above = before, before = n;
      else before += own[i];
  const int at = __ffs((int)__ballot_sync(0xffffffffu, mine)) - 1;
  n -= __shfl_sync(0xffffffffu, above, at);
  return __shfl_sync(0xffffffffu, digit, at);
}
LCTX_DEVICE int lctx_warp_sum(int x) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) x += __shfl_xor_sync(0xffffffffu, x, lanes);
  return x;
}
/* Adds one to the count of each lane's digit; 256 and more are no digits. */
LCTX_DEVICE void lctx_count_digit(int *counts, int digit) {
  const unsigned same = __match_any_sync(0xffffffffu, digit);
  if (digit < 256 && (int)__popc(same & ((1u << threadIdx.x % 32) - 1u)) == 0) LCTX_COUNT(counts + digit, (int)__popc(same));
}
`;

/** `lctx_select`: a row by one warp, which alone counts its digits. */
export const selectText: Fragment = c`
#define LCTX_KEPT ${keptCandidates}
#define LCTX_COUNT(to, n) (*(to) += (n))
${numbersText}LCTX_DEVICE unsigned lctx_number(const lctx_pairs &p, const lctx_row &x, int candidate) {
  return candidate < LCTX_KEPT ? x.kept[candidate] : lctx_make_number(p, x, candidate);
}
/* The n-th largest number; \`equal\`: how many of that number are among the n largest. */
LCTX_DEVICE unsigned lctx_nth(const lctx_pairs &p, const lctx_row &x, int *counts, int n, int &equal) {
  const int lane = threadIdx.x % 32;
  unsigned found = 0u, known = 0u;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = lane; i < ${digits}; i += 32) counts[i] = 0;
    __syncwarp();
    for (int from = 0; from < x.candidates; from += 32) {
      const unsigned own = lctx_number(p, x, from + lane);
      const bool counted = own != 0u && (own & known) == found;
      const int digit = counted ? (int)(own >> shift & 255u) : 256;
      lctx_count_digit(counts, digit);
      __syncwarp();
    }
    const int digit = lctx_digit(counts, n);
    found |= (unsigned)digit << shift, known |= 255u << shift;
    __syncwarp();
  }
  equal = n;
  return found;
}
LCTX_DEVICE void lctx_select(const lctx_pairs &p, const lctx_element *queries, const lctx_element *keys, int *words,
                             unsigned char *memory, int rows, int candidates) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, b = blockIdx.z, row = blockIdx.x * ${rowsOfBlock} + warp;
  if (row >= rows * kHeads) return;
  float *query = (float *)memory + warp * kDepth;
  unsigned *kept = (unsigned *)memory + ${rowsOfBlock} * kDepth + warp * LCTX_KEPT;
  int *counts = (int *)memory + ${rowsOfBlock} * (kDepth + LCTX_KEPT) + warp * ${digits};
  lctx_row x;
  x.b = b, x.h = row % kHeads, x.q = p.start + row / kHeads, x.candidates = candidates;
  x.kept = kept, x.query = query;
  x.keys = keys + ((long long)b * candidates * kGroups + x.h / (kHeads / kGroups)) * kDepth;
  if (kMultiplies)
    for (int i = lane; i < kDepth; i += 32) query[i] = lctx_real(queries[((long long)b * rows * kHeads + row) * kDepth + i]);
  __syncwarp();
  words += ((long long)b * rows * kHeads + row) * ((candidates + 31) / 32);
  if constexpr (kAbove) {
    /* Each candidate is chosen or not whatever the others are. */
#pragma unroll 2
    for (int from = 0; from < candidates; from += 32) {
      const unsigned chosen = __ballot_sync(0xffffffffu, lctx_make_number(p, x, from + lane) > 1u);
      if (lane == 0) words[from / 32] = (int)chosen;
    }
    return;
  }
  int exist = 0, forced = 0;
  for (int from = 0; from < candidates; from += 32) {
    const unsigned own = lctx_make_number(p, x, from + lane);
    if (from + lane < LCTX_KEPT) kept[from + lane] = own;
    exist += own != 0u, forced += own == 0xffffffffu;
  }
  __syncwarp();
  exist = lctx_warp_sum(exist), forced = lctx_warp_sum(forced);
  /* Chosen are numbers above \`least\`, and the first \`equal\` of those that are it. */
  unsigned least = 1u;
  int equal = 0;
  const int n = max((int)lctx_amount(p, b, x.h, x.q, 0), forced);
  if (n >= exist) equal = exist;
  else if (n > 0) least = lctx_nth(p, x, counts, n, equal);
  else least = 0xffffffffu;
  int taken = 0;
  for (int from = 0; from < candidates; from += 32) {
    const unsigned own = lctx_number(p, x, from + lane);
    const unsigned same = __ballot_sync(0xffffffffu, own == least);
    const bool first = own == least && taken + (int)__popc(same & ((1u << lane) - 1u)) < equal;
    const unsigned chosen = __ballot_sync(0xffffffffu, own > least || first);
    if (lane == 0) words[from / 32] = (int)chosen;
    taken += __popc(same);
  }
}
`;
