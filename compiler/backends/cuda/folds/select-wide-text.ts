/** Device text of selections with few rows of many candidates: pieces of a row by blocks of their own, one launch a digit. */
import { c, type Fragment } from "../../../ir/kernel.ts";
import { numbersText } from "./select-text.ts";

/** Candidates of a block, and its threads. */
export const pieceCandidates = 8192;
export const wideThreads = 256;
const warps = wideThreads / 32;

/** Counters of a row: candidates that exist, those forced, and how many have each digit of four. */
export const rowCounters = 2 + 4 * 256;

/** Bytes of shared memory of each kernel. */
export const wideBytes = 4 * (256 + 8 + warps);

/**
 * `lctx_wide_numbers` writes numbers and counts first digits; `lctx_wide_digit` counts digit 1, 2 or 3 of those that
 * agree with the n-th largest so far; `lctx_wide_write` writes the words. Counts are whole numbers, so the order of
 * additions does not matter; of equal numbers the first are taken, as `last` says how many each piece before has.
 */
export const selectWideText: Fragment = c`
#define LCTX_COUNT(to, n) atomicAdd(to, n)
#define LCTX_PIECE ${pieceCandidates}
${numbersText}
/* What the digits before have told of the n-th largest. */
struct lctx_told {
  unsigned found, known;
  int left;
  bool all, none;
};
LCTX_DEVICE lctx_told lctx_tell(const lctx_pairs &p, const int *counters, int b, int h, int rounds) {
  lctx_told x = {0u, 0u, 0, false, false};
  if (kAbove) return x;
  x.left = max((int)lctx_amount(p, b, h, p.start, 0), counters[1]);
  x.all = x.left >= counters[0], x.none = x.left <= 0;
  if (x.all || x.none) return x;
  for (int i = 0; i < rounds; i++) {
    const int digit = lctx_digit(counters + 2 + 256 * i, x.left), shift = 24 - 8 * i;
    x.found |= (unsigned)digit << shift, x.known |= 255u << shift;
  }
  return x;
}
LCTX_DEVICE void lctx_wide_start(int *counts) {
  for (int i = threadIdx.x; i < 256 + 8; i += ${wideThreads}) counts[i] = 0;
  __syncthreads();
}
LCTX_DEVICE void lctx_wide_numbers(const lctx_pairs &p, unsigned *numbers, int *counters, unsigned char *memory, int candidates) {
  int *counts = (int *)memory;
  const int h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * LCTX_PIECE, end = min(first + LCTX_PIECE, candidates);
  const long long row = (long long)b * kHeads + h;
  lctx_row x;
  x.keys = 0, x.query = 0, x.kept = 0, x.b = b, x.h = h, x.q = p.start, x.candidates = candidates;
  lctx_wide_start(counts);
  int exist = 0, forced = 0;
  for (int from = first; from < end; from += ${wideThreads}) {
    const int i = from + threadIdx.x;
    const unsigned own = lctx_make_number(p, x, i);
    if (i < candidates) numbers[row * candidates + i] = own;
    exist += own != 0u, forced += own == 0xffffffffu;
    if (!kAbove) lctx_count_digit(counts, own != 0u ? (int)(own >> 24) : 256);
  }
  exist = lctx_warp_sum(exist), forced = lctx_warp_sum(forced);
  if (threadIdx.x % 32 == 0) atomicAdd(counts + 256, exist), atomicAdd(counts + 257, forced);
  __syncthreads();
  counters += row * ${rowCounters};
  if (threadIdx.x < 2) atomicAdd(counters + threadIdx.x, counts[256 + threadIdx.x]);
  if (threadIdx.x < 256 && counts[threadIdx.x]) atomicAdd(counters + 2 + threadIdx.x, counts[threadIdx.x]);
}
LCTX_DEVICE void lctx_wide_digit(const lctx_pairs &p, const unsigned *numbers, int *counters, int *last, unsigned char *memory,
                                 int candidates, int round) {
  int *counts = (int *)memory;
  const int h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * LCTX_PIECE, end = min(first + LCTX_PIECE, candidates);
  const long long row = (long long)b * kHeads + h;
  counters += row * ${rowCounters};
  lctx_wide_start(counts);
  const lctx_told x = lctx_tell(p, counters, b, h, round);
  if (x.all || x.none) return;
  const int shift = 24 - 8 * round;
  for (int from = first; from < end; from += ${wideThreads}) {
    const int i = from + threadIdx.x;
    const unsigned own = i < candidates ? numbers[row * candidates + i] : 0u;
    const bool counted = own != 0u && (own & x.known) == x.found;
    lctx_count_digit(counts, counted ? (int)(own >> shift & 255u) : 256);
  }
  __syncthreads();
  if (threadIdx.x >= 256) return;
  if (round == 3) last[(row * gridDim.x + blockIdx.x) * 256 + threadIdx.x] = counts[threadIdx.x];
  if (counts[threadIdx.x]) atomicAdd(counters + 2 + 256 * round + threadIdx.x, counts[threadIdx.x]);
}
LCTX_DEVICE void lctx_wide_write(const lctx_pairs &p, const unsigned *numbers, const int *counters, const int *last, int *words,
                                 unsigned char *memory, int candidates) {
  int *ties = (int *)memory;
  const int h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * LCTX_PIECE, end = min(first + LCTX_PIECE, candidates);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const long long row = (long long)b * kHeads + h;
  counters += row * ${rowCounters};
  /* Chosen are numbers above \`least\`, and the first \`equal\` of those that are it. */
  const lctx_told x = lctx_tell(p, counters, b, h, 4);
  const unsigned least = kAbove ? 1u : x.all ? 0u : x.none ? 0xffffffffu : x.found;
  const bool counted = !kAbove && !x.all && !x.none;
  const int equal = counted ? x.left : 0;
  numbers += row * candidates;
  int taken = 0;
  if (counted) {
    for (int i = threadIdx.x; i < (int)blockIdx.x; i += ${wideThreads}) taken += last[(row * gridDim.x + i) * 256 + (int)(least & 255u)];
    taken = lctx_warp_sum(taken);
  }
  /* A warp has an eighth of the piece, in order. */
  const int own_first = first + warp * (LCTX_PIECE / ${warps}), own_end = min(own_first + LCTX_PIECE / ${warps}, end);
  int same = 0;
  if (counted)
    for (int from = own_first; from < own_end; from += 32) {
      const int i = from + lane;
      same += __popc(__ballot_sync(0xffffffffu, i < candidates && numbers[i] == least));
    }
  if (lane == 0) ties[warp] = taken, ties[${warps} + warp] = same;
  __syncthreads();
  taken = 0;
  for (int i = 0; i < ${warps}; i++) taken += ties[i] + (i < warp ? ties[${warps} + i] : 0);
  words += row * ((candidates + 31) / 32);
  for (int from = own_first; from < own_end; from += 32) {
    const unsigned own = from + lane < candidates ? numbers[from + lane] : 0u;
    const unsigned equals = __ballot_sync(0xffffffffu, counted && own == least);
    const bool tie = counted && own == least && taken + (int)__popc(equals & ((1u << lane) - 1u)) < equal;
    const unsigned chosen = __ballot_sync(0xffffffffu, own > least || tie);
    if (lane == 0) words[from / 32] = (int)chosen;
    taken += __popc(equals);
  }
}
`;
