/** Gradients of tables that scores load: exact sums, so that their bits do not depend on the order of blocks. */
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import type { LoadingPart } from "../../../ir/graph.ts";
import type { CudaPairs } from "./pairs.ts";

/** 64-bit counters an element's sum is kept in. */
export const binsPerElement = 33;

/**
 * A float is a whole number of 24 bits times a power of two. Counter j adds up those with exponents 8 j … 8 j + 7, as
 * whole numbers, so additions commute exactly; the last counts infinities and NaN. Room for 2^32 additions.
 */
export const exactText: Fragment = c`
#define LCTX_BINS ${binsPerElement}
LCTX_DEVICE void lctx_add_exactly(unsigned long long *bins, int place, float x) {
  const int bits = __float_as_int(x), exponent = bits >> 23 & 255;
  if ((bits & 0x7fffffff) == 0) return;
  if (exponent == 255) {
    atomicAdd(bins + (long long)place * LCTX_BINS + LCTX_BINS - 1, 1ull);
    return;
  }
  const int power = max(exponent, 1);
  const long long whole = (long long)(bits & 0x7fffff | (exponent ? 0x800000 : 0)) << (power & 7);
  atomicAdd(bins + (long long)place * LCTX_BINS + (power >> 3), (unsigned long long)(bits < 0 ? -whole : whole));
}
LCTX_DEVICE float lctx_exact_sum(const unsigned long long *bins) {
  if (bins[LCTX_BINS - 1] != 0) return LCTX_NAN;
  double sum = 0.0;
  for (int j = LCTX_BINS - 2; j >= 0; j--) sum += ldexp((double)(long long)bins[j], 8 * j - 150);
  return (float)sum;
}
`;

/** Adds what a warp's lanes hold; when all hold the same place, as one number. */
const flushText: Fragment = c`
LCTX_DEVICE void lctx_flush_share(unsigned long long *bins, int place, float sum) {
  const int first = __shfl_sync(0xffffffffu, place, 0);
  if (__all_sync(0xffffffffu, place == first)) {
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += lctx_swap(sum, lanes);
    if (lctx_lane() == 0 && place >= 0) lctx_add_exactly(bins, place, sum);
  } else if (place >= 0) lctx_add_exactly(bins, place, sum);
}
`;

/** Of what a pair of an attention with a weight gives its expressions (`lctx_given`), the share of one of them. */
function shareOf(part: LoadingPart): Fragment {
  if (typeof part === "number") return c`share.chosen == ${part} ? share.factor : 0.0f`;
  return part === "block" ? c`share.block` : c`share.row`;
}

export interface TrainedText {
  /** `lctx_trained` (pointers to bins), `lctx_shares` and the functions of the backward pass over them. */
  readonly functions: Fragment;
  /** Kernel parameters, each ended by a comma, and the statement that builds `trained`. */
  readonly parameters: Fragment;
  readonly build: Fragment;
}

/**
 * Text for the tables that loads of an expression train, with `weight` of all but the sink; with `of` null it holds nothing
 * and does nothing. With two
 * `rows`, a lane keeps the sums of its two rows apart (`row` says which): then a place that follows the row stays.
 */
export function trainedText(
  pairs: CudaPairs,
  of: "score" | "sink" | "weight" | null,
  rows: 1 | 2 = 1,
): TrainedText {
  const tables = of === null ? [] : pairs.trained;
  const loads = tables.flatMap(({ loads: score, sinkLoads }, t) =>
    (of === "sink" ? sinkLoads : score).map((load) => ({ load, t })),
  );
  const take = loads.map(({ load, t }, n) => {
    const own = rows === 1 ? c`${n}` : c`${2 * n} + row`;
    const share = of === "weight" ? shareOf(pairs.parts[load]!) : c`share`;
    return c`  {
    const int at = ${identifier("lctx_place", load)}(p, b, h, q, k);
    if (at != o.place[${own}]) {
      if (o.place[${own}] >= 0) lctx_add_exactly(to.bins[${t}], o.place[${own}], o.sum[${own}]);
      o.place[${own}] = at;
      o.sum[${own}] = 0.0f;
    }
    const float given = ${share};
    if (given != 0.0f) o.sum[${own}] += given * ${identifier("lctx_place_slope", load)}(p, s, b, h, q, k);
  }
`;
  });
  const finish = loads.flatMap(({ t }, n) =>
    Array.from(
      { length: rows },
      (_, row) =>
        c`  lctx_flush_share(to.bins[${t}], o.place[${rows * n + row}], o.sum[${rows * n + row}]);\n`,
    ),
  );
  const most = Math.max(1, rows * loads.length);
  return {
    functions: c`${of === null ? c`` : c`${exactText}${flushText}`}
struct lctx_trained { unsigned long long *bins[${Math.max(1, tables.length)}]; };
struct lctx_shares { int place[${most}]; float sum[${most}]; };
LCTX_DEVICE void lctx_start_shares(lctx_shares &o) {
#pragma unroll
  for (int n = 0; n < ${most}; n++) o.place[n] = -1, o.sum[n] = 0.0f;
}
LCTX_DEVICE void lctx_take_share(lctx_shares &o, const lctx_trained &to, const lctx_pairs &p, int row, ${of === "weight" ? c`const lctx_given &` : c`float `}share, float s,
                                 int b, int h, int q, int k) {
  (void)o, (void)to, (void)p, (void)row, (void)share, (void)s, (void)b, (void)h, (void)q, (void)k;
${joinFragments(take, c``)}}
LCTX_DEVICE void lctx_finish_shares(lctx_shares &o, const lctx_trained &to) {
  (void)o, (void)to;
${joinFragments(finish, c``)}}
`,
    parameters: joinFragments(
      tables.map((_, t) => c`unsigned long long *${identifier("bins", t)}, `),
      c``,
    ),
    build: c`const lctx_trained trained = {{${joinFragments(
      tables.length === 0 ? [c`0`] : tables.map((_, t) => identifier("bins", t)),
      c`, `,
    )}}};`,
  };
}

/** `extern "C"` kernel that turns bins into a table's gradient: `(bins, to, count)`, one thread an element. */
export const sumBinsText = (entry: Fragment): Fragment => c`${exactText}
extern "C" __global__ void ${entry}(const unsigned long long *bins, float *to, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) to[i] = lctx_exact_sum(bins + (long long)i * LCTX_BINS);
}
`;
