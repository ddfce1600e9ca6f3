import { createRequire } from "node:module"; const require = createRequire(import.meta.url);

// compiler/ir/kernel.ts
var made = /* @__PURE__ */ new WeakSet();
function makeFragment(text) {
  const fragment = Object.freeze({ text });
  made.add(fragment);
  return fragment;
}
function partText(part) {
  if (typeof part === "bigint") return part.toString();
  if (typeof part === "number") {
    if (!Number.isSafeInteger(part))
      throw new Error(`${part} is not a whole number: print reals with realLiteral`);
    return String(part);
  }
  if (Array.isArray(part)) return part.map(partText).join("");
  if (!made.has(part)) throw new Error("a fragment part that no fragment function made");
  return part.text;
}
function c(strings, ...parts) {
  let text = strings[0];
  parts.forEach((part, n) => {
    text += partText(part) + strings[n + 1];
  });
  return makeFragment(text);
}
function identifier(word2, ...numbers) {
  const text = [word2, ...numbers].join("_");
  if (!/^[a-z][a-z0-9_]*$/.test(text)) throw new Error(`"${text}" is not a generated name`);
  return makeFragment(text);
}
function realLiteral(value) {
  if (!Number.isFinite(value)) throw new Error(`${value} cannot be printed as a literal`);
  const rounded = Math.fround(value);
  const digits = rounded.toPrecision(9);
  return makeFragment(`${/[.e]/.test(digits) ? digits : `${digits}.0`}f`);
}
function joinFragments(parts, separator) {
  return makeFragment(parts.map((part) => partText(part)).join(partText(separator)));
}

// compiler/backends/cuda/attention/trained-tables.ts
var binsPerElement = 33;
var exactText = c`
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
var flushText = c`
LCTX_DEVICE void lctx_flush_share(unsigned long long *bins, int place, float sum) {
  const int first = __shfl_sync(0xffffffffu, place, 0);
  if (__all_sync(0xffffffffu, place == first)) {
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += lctx_swap(sum, lanes);
    if (lctx_lane() == 0 && place >= 0) lctx_add_exactly(bins, place, sum);
  } else if (place >= 0) lctx_add_exactly(bins, place, sum);
}
`;
function trainedText(pairs, trains) {
  const tables = trains ? pairs.trained : [];
  const loads2 = tables.flatMap(({ loads: own }, t) => own.map((load2) => ({ load: load2, t })));
  const take = loads2.map(
    ({ load: load2, t }, n) => c`  {
    const int at = ${identifier("lctx_place", load2)}(p, b, h, q, k);
    if (at != o.place[${n}]) {
      if (o.place[${n}] >= 0) lctx_add_exactly(to.bins[${t}], o.place[${n}], o.sum[${n}]);
      o.place[${n}] = at;
      o.sum[${n}] = 0.0f;
    }
    if (share != 0.0f) o.sum[${n}] += share * ${identifier("lctx_place_slope", load2)}(p, s, b, h, q, k);
  }
`
  );
  const finish = loads2.map(({ t }, n) => c`  lctx_flush_share(to.bins[${t}], o.place[${n}], o.sum[${n}]);\n`);
  const most = Math.max(1, loads2.length);
  return {
    functions: c`${trains ? c`${exactText}${flushText}` : c``}
struct lctx_trained { unsigned long long *bins[${Math.max(1, tables.length)}]; };
struct lctx_shares { int place[${most}]; float sum[${most}]; };
LCTX_DEVICE void lctx_start_shares(lctx_shares &o) {
#pragma unroll
  for (int n = 0; n < ${most}; n++) o.place[n] = -1, o.sum[n] = 0.0f;
}
LCTX_DEVICE void lctx_take_share(lctx_shares &o, const lctx_trained &to, const lctx_pairs &p, float share, float s, int b,
                                 int h, int q, int k) {
  (void)o, (void)to, (void)p, (void)share, (void)s, (void)b, (void)h, (void)q, (void)k;
${joinFragments(take, c``)}}
LCTX_DEVICE void lctx_finish_shares(lctx_shares &o, const lctx_trained &to) {
  (void)o, (void)to;
${joinFragments(finish, c``)}}
`,
    parameters: joinFragments(
      tables.map((_, t) => c`unsigned long long *${identifier("bins", t)}, `),
      c``
    ),
    build: c`const lctx_trained trained = {{${joinFragments(
      tables.length === 0 ? [c`0`] : tables.map((_, t) => identifier("bins", t)),
      c`, `
    )}}};`
  };
}
var sumBinsText = (entry) => c`${exactText}
extern "C" __global__ void ${entry}(const unsigned long long *bins, float *to, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) to[i] = lctx_exact_sum(bins + (long long)i * LCTX_BINS);
}
`;

// compiler/backends/cuda/element.ts
var elementBytes = (element) => element === "f32" ? 4 : 2;
var sixteen = (name) => c`
typedef unsigned short lctx_element;
/* Two numbers, rounded to nearest; the first in the low half. */
LCTX_DEVICE unsigned lctx_pack(float low, float high) {
  unsigned y;
  asm("cvt.rn.${name}x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
  return y;
}
/* c[16][8] += a[16][16] b[16][8]. */
LCTX_DEVICE void lctx_mma(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.${name}.${name}.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
/* Four matrices of 8 x 8: lane i gives the address of row i mod 8 of matrix i / 8. */
LCTX_DEVICE void lctx_matrices(unsigned (&r)[4], const lctx_element *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"((unsigned)__cvta_generic_to_shared(row))
               : "memory");
}
LCTX_DEVICE void lctx_matrices_transposed(unsigned (&r)[4], const lctx_element *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"((unsigned)__cvta_generic_to_shared(row))
               : "memory");
}
`;
var types = {
  bf16: c`${sixteen(c`bf16`)}
LCTX_DEVICE float lctx_real(lctx_element x) { return __int_as_float((int)x << 16); }
`,
  f16: c`${sixteen(c`f16`)}
LCTX_DEVICE float lctx_real(lctx_element x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
  return y;
}
`,
  f32: c`
typedef float lctx_element;
LCTX_DEVICE float lctx_real(lctx_element x) { return x; }
`
};
var common = c`
/* Copies 16 bytes to shared memory without waiting; zeros when not valid. */
LCTX_DEVICE void lctx_copy16(void *to, const void *from, bool valid) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;"
               :
               : "r"((unsigned)__cvta_generic_to_shared(to)), "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}
LCTX_DEVICE void lctx_copies_end() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/* Waits until at most so many groups of copies are under way. */
template <int kGroupsLeft> LCTX_DEVICE void lctx_copies_wait() {
  asm volatile("cp.async.wait_group %0;" : : "n"(kGroupsLeft) : "memory");
}
LCTX_DEVICE float lctx_lg2(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
LCTX_DEVICE float lctx_swap(float x, int lanes) { return __shfl_xor_sync(0xffffffffu, x, lanes); }
`;
var elementText = (element) => c`${common}${types[element]}`;

// compiler/backends/cuda/scalar-prelude.ts
var common2 = c`
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
var approximate = c`
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
var accurate = c`
LCTX_DEVICE float lctx_exp(float x) { return expf(x); }
LCTX_DEVICE float lctx_log(float x) { return logf(x); }
LCTX_DEVICE float lctx_sqrt(float x) { return sqrtf(x); }
LCTX_DEVICE float lctx_tanh(float x) { return tanhf(x); }
LCTX_DEVICE float lctx_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
LCTX_DEVICE float lctx_div(float a, float b) { return a / b; }
`;
var scalarPrelude = (accuracy) => c`${common2}${accuracy === "approximate" ? approximate : accurate}`;

// compiler/backends/cuda/sm80/backward.ts
var backwardText = c`
struct lctx_adjoint {
  const lctx_element *output, *out_gradient;
  const float *lse;
  /* Sum of output by output gradient, and log-sum-exp times log2 e (+inf for rows without keys), [b, t, h]. */
  float *delta, *lse2;
};
/* One warp a row of [b, t, h]. */
LCTX_DEVICE void lctx_prepare(const lctx_adjoint &y, long long rows) {
  const long long row = (long long)blockIdx.x * (LCTX_THREADS / 32) + lctx_warp();
  if (row >= rows) return;
  float sum = 0.0f;
  for (int e = lctx_lane(); e < kWidth; e += 32)
    sum += lctx_real(y.output[row * kWidth + e]) * lctx_real(y.out_gradient[row * kWidth + e]);
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += lctx_swap(sum, lanes);
  if (lctx_lane() != 0) return;
  const float lse = y.lse[row];
  y.delta[row] = sum;
  /* A row without keys: e^(-inf - inf) = 0. */
  y.lse2[row] = lse == -LCTX_INF ? LCTX_INF : lse * LCTX_LOG2E;
}
/* Of one pair, from its scaled logit s and weight gradient dp: its weight, what that gives the score (share), and the logit (ds). */
LCTX_DEVICE float lctx_pair(const lctx_pairs &p, const lctx_tile &x, float s, float dp, float lse2, float delta, int row,
                            int column, bool rows_are_queries, float &share, float &ds) {
  const int q = rows_are_queries ? row : column, k = rows_are_queries ? column : row;
  const float y = lctx_masked(p, x, s, row, column, rows_are_queries);
  const bool hidden = y == -LCTX_INF;
  const float weight = hidden ? 0.0f : lctx_ex2(y - lse2);
  const bool elsewhere =
    kLoaded < kRegions && !x.early && x.region < 0 && lctx_region(p, x.b, x.h, q, k) != kFirstRegion;
  share = hidden || elsewhere ? 0.0f : weight * (dp - delta);
  ds = kScored && !x.early && share != 0.0f ? share * lctx_slope(p, s, x.b, x.h, q, k) : share;
  return weight;
}
/* True when no pair of the tile lies in the regions of this kernel. */
LCTX_DEVICE bool lctx_elsewhere(int region) { return kLoaded < kRegions && region >= 0 && region != kFirstRegion; }

/* Copies queries, output gradients and their two numbers of one block into a stage. */
LCTX_DEVICE void lctx_start_queries(const lctx_operands &a, const lctx_adjoint &y, lctx_element *queries,
                                    lctx_element *gradients, float *numbers, int b, int h, int first) {
  const int count = min(kQueries, a.queries - first);
  const long long row = (long long)b * a.queries + first;
#pragma unroll
  for (int r = 0; r < kLoaded; r++)
    lctx_load_rows<kQueries, kDepth, kDepthPadded>(queries + r * kQueries * LCTX_STRIDE(kDepthPadded),
                                                   a.query[kFirstRegion + r] + (row * kHeads + h) * kDepth,
                                                   kHeads * kDepth, count);
  lctx_load_rows<kQueries, kWidth, kWidthPadded>(gradients, y.out_gradient + (row * kHeads + h) * kWidth,
                                                 kHeads * kWidth, count);
  for (int i = threadIdx.x; i < kQueries; i += LCTX_THREADS) {
    numbers[i] = i < count ? y.lse2[(row + i) * kHeads + h] : LCTX_INF;
    numbers[kQueries + i] = i < count ? y.delta[(row + i) * kHeads + h] : 0.0f;
  }
}
/* What one block of queries adds to the gradients of this block of keys. */
template <int kKeyTiles, int kValueTiles>
LCTX_DEVICE void lctx_add_queries(float (&dk)[kKeyTiles][4], float (&dv)[kValueTiles][4], const lctx_pairs &p,
                                  const lctx_tile &x, const lctx_element *keys, const lctx_element *values,
                                  const lctx_element *queries, const lctx_element *gradients, const float *numbers,
                                  lctx_element *exchange) {
  float s[kQueries / 8][4], dp[kQueries / 8][4];
  lctx_raw<kQueries>(s, keys, queries, x, p, false);
  lctx_clear(dp);
  lctx_by_rows<kQueries, kWidthPadded>(dp, values, gradients);
  const int lane = lctx_lane(), row = x.row0 + lctx_warp() * 16 + lane / 4;
#pragma unroll
  for (int n = 0; n < kQueries / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int own = n * 8 + lane % 4 * 2 + i % 2;
      float share, ds;
      s[n][i] = lctx_pair(p, x, s[n][i], dp[n][i], numbers[own], numbers[kQueries + own], row + i / 2 * 8,
                          x.column0 + own, false, share, ds);
      dp[n][i] = ds;
    }
  if constexpr (kWantsValue) lctx_by_columns<kQueries, kWidthPadded>(dv, s, gradients, exchange);
  if constexpr (kWantsKey) lctx_by_columns<kQueries, kDepthPadded>(dk, dp, queries, exchange);
}
/* Gradients of 64 keys of key-value head g: of row b, or of keys before the text over all rows (b < 0). */
LCTX_DEVICE void lctx_backward_keys(const lctx_pairs &p, const lctx_operands &a, const lctx_adjoint &y,
                                    lctx_element *key_gradient, lctx_element *value_gradient, unsigned char *memory, int b,
                                    int g, int block) {
  lctx_element *keys = (lctx_element *)memory;
  lctx_element *values = keys + kLoaded * LCTX_ROWS * LCTX_STRIDE(kDepthPadded);
  lctx_element *queries = values + LCTX_ROWS * LCTX_STRIDE(kWidthPadded);
  lctx_element *gradients = queries + kLoaded * kQueries * LCTX_STRIDE(kDepthPadded);
  float *numbers = (float *)(gradients + kQueries * LCTX_STRIDE(kWidthPadded));
  lctx_element *exchange = (lctx_element *)(numbers + 2 * kQueries);
  const bool early = b < 0;
  const int first = block * LCTX_ROWS, all = early ? a.early : a.keys, count = min(LCTX_ROWS, all - first);
  const long long row = early ? first : (long long)b * a.keys + first;
#pragma unroll
  for (int r = 0; r < kLoaded; r++)
    lctx_load_rows<LCTX_ROWS, kDepth, kDepthPadded>(keys + r * LCTX_ROWS * LCTX_STRIDE(kDepthPadded),
                                                    (early ? a.early_key : a.key[kFirstRegion + r]) + (row * kGroups + g) * kDepth,
                                                    kGroups * kDepth, count);
  lctx_load_rows<LCTX_ROWS, kWidth, kWidthPadded>(values, (early ? a.early_value : a.value) + (row * kGroups + g) * kWidth,
                                                  kGroups * kWidth, count);
  lctx_copies_end();
  float dk[kWantsKey ? kDepthPadded / 8 : 1][4], dv[kWantsValue ? kWidthPadded / 8 : 1][4];
  lctx_clear(dk);
  lctx_clear(dv);
  const int k0 = first, k1 = first + count - 1;
  lctx_tile x;
  x.row0 = k0, x.row_end = k1 + 1, x.early = early;
  for (int own = early ? 0 : b; own < (early ? p.batch : b + 1); own++)
    for (int h = g * (kHeads / kGroups); h < (g + 1) * (kHeads / kGroups); h++) {
      lctx_ranges seeing;
      if (!early) seeing = lctx_query_ranges(p, own, h, k0, k1, kQueries);
      const int blocks = (a.queries + kQueries - 1) / kQueries;
      for (int at = early ? 0 : lctx_next_block(seeing, 0); at < blocks;
           at = early ? at + 1 : lctx_next_block(seeing, at + 1)) {
        const int start = at * kQueries, q0 = p.start + start, q1 = p.start + min(start + kQueries, a.queries) - 1;
        if (kAsksAny && !early && !lctx_any(p, own, h, q0, q1, k0, k1)) continue;
        x.b = own, x.h = h, x.column0 = q0, x.column_end = q1 + 1;
        x.region = early ? 0 : lctx_block_region(p, own, h, q0, q1, k0, k1);
        if (!kWantsValue && lctx_elsewhere(x.region)) continue;
        x.guard = count < LCTX_ROWS || q1 - q0 + 1 < kQueries || (!early && !lctx_all(p, own, h, q0, q1, k0, k1));
        lctx_start_queries(a, y, queries, gradients, numbers, own, h, start);
        lctx_copies_end();
        lctx_copies_wait<0>();
        __syncthreads();
        lctx_add_queries(dk, dv, p, x, keys, values, queries, gradients, numbers, exchange);
        __syncthreads();
      }
    }
  const float scaled[2] = {kScale, kScale}, plain[2] = {1.0f, 1.0f};
  if constexpr (kWantsKey)
    lctx_store_rows<kDepth>(key_gradient + (row * kGroups + g) * kDepth, kGroups * kDepth, count, dk, scaled);
  if constexpr (kWantsValue)
    lctx_store_rows<kWidth>(value_gradient + (row * kGroups + g) * kWidth, kGroups * kWidth, count, dv, plain);
}
/* Gradients of 64 queries of head h, in the kernel's one region, and its shares of the tables' gradients. */
LCTX_DEVICE void lctx_backward_queries(const lctx_pairs &p, const lctx_operands &a, const lctx_adjoint &y,
                                       const lctx_trained &trained, lctx_element *query_gradient, unsigned char *memory,
                                       int b, int h, int block) {
  lctx_element *queries = (lctx_element *)memory;
  lctx_element *gradients = queries + LCTX_ROWS * LCTX_STRIDE(kDepthPadded);
  lctx_element *keys = gradients + LCTX_ROWS * LCTX_STRIDE(kWidthPadded);
  lctx_element *values = keys + kKeys * LCTX_STRIDE(kDepthPadded);
  lctx_element *exchange = values + kKeys * LCTX_STRIDE(kWidthPadded);
  const int g = h / (kHeads / kGroups), first = block * LCTX_ROWS, count = min(LCTX_ROWS, a.queries - first);
  const long long row = (long long)b * a.queries + first;
  lctx_load_rows<LCTX_ROWS, kDepth, kDepthPadded>(queries, a.query[kFirstRegion] + (row * kHeads + h) * kDepth,
                                                  kHeads * kDepth, count);
  lctx_load_rows<LCTX_ROWS, kWidth, kWidthPadded>(gradients, y.out_gradient + (row * kHeads + h) * kWidth,
                                                  kHeads * kWidth, count);
  lctx_copies_end();
  const int lane = lctx_lane(), own = lctx_warp() * 16 + lane / 4;
  float lse2[2], delta[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const bool inside = own + 8 * i < count;
    lse2[i] = inside ? y.lse2[(row + own + 8 * i) * kHeads + h] : LCTX_INF;
    delta[i] = inside ? y.delta[(row + own + 8 * i) * kHeads + h] : 0.0f;
  }
  lctx_shares shares;
  lctx_start_shares(shares);
  float dq[kDepthPadded / 8][4];
  lctx_clear(dq);
  lctx_tile x;
  x.b = b, x.h = h, x.row0 = p.start + first, x.row_end = x.row0 + count;
  const int q0 = x.row0, q1 = q0 + count - 1;
  const lctx_ranges seen = lctx_key_ranges(p, b, h, q0, q1, kKeys);
  const int early_blocks = kFirstRegion == 0 ? (a.early + kKeys - 1) / kKeys : 0;
  for (int at = early_blocks > 0 ? -early_blocks : lctx_next_block(seen, 0); at != LCTX_NO_BLOCK;
       at = at < -1 ? at + 1 : lctx_next_block(seen, at < 0 ? 0 : at + 1)) {
    x.early = at < 0;
    const int k0 = (x.early ? at + early_blocks : at) * kKeys, k_end = x.early ? a.early : a.keys;
    const int k1 = min(k0 + kKeys, k_end) - 1;
    if (kAsksAny && !x.early && !lctx_any(p, b, h, q0, q1, k0, k1)) continue;
    x.region = x.early ? 0 : lctx_block_region(p, b, h, q0, q1, k0, k1);
    if (lctx_elsewhere(x.region)) continue;
    x.column0 = k0, x.column_end = k_end;
    x.guard = count < LCTX_ROWS || k1 - k0 + 1 < kKeys || (!x.early && !lctx_all(p, b, h, q0, q1, k0, k1));
    const long long from = x.early ? k0 : (long long)b * a.keys + k0;
    lctx_load_rows<kKeys, kDepth, kDepthPadded>(keys, (x.early ? a.early_key : a.key[kFirstRegion]) + (from * kGroups + g) * kDepth,
                                                kGroups * kDepth, k1 - k0 + 1);
    lctx_load_rows<kKeys, kWidth, kWidthPadded>(values, (x.early ? a.early_value : a.value) + (from * kGroups + g) * kWidth,
                                                kGroups * kWidth, k1 - k0 + 1);
    lctx_copies_end();
    lctx_copies_wait<0>();
    __syncthreads();
    float s[kKeys / 8][4], dp[kKeys / 8][4];
    lctx_raw<kKeys>(s, queries, keys, x, p, true);
    lctx_clear(dp);
    lctx_by_rows<kKeys, kWidthPadded>(dp, gradients, values);
#pragma unroll
    for (int n = 0; n < kKeys / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int position = x.row0 + own + i / 2 * 8, column = x.column0 + n * 8 + lane % 4 * 2 + i % 2;
        float share, ds;
        lctx_pair(p, x, s[n][i], dp[n][i], lse2[i / 2], delta[i / 2], position, column, true, share, ds);
        if (kTrainsTables && !x.early) lctx_take_share(shares, trained, p, share, s[n][i], b, h, position, column);
        dp[n][i] = ds;
      }
    lctx_by_columns<kKeys, kDepthPadded>(dq, dp, keys, exchange);
    __syncthreads();
  }
  lctx_copies_wait<0>();
  if (kTrainsTables) lctx_finish_shares(shares, trained);
  const float scaled[2] = {kScale, kScale};
  if (query_gradient) lctx_store_rows<kDepth>(query_gradient + (row * kHeads + h) * kDepth, kHeads * kDepth, count, dq, scaled);
}
`;

// compiler/ir/axis-extent.ts
function axisExtent(size2) {
  switch (size2.kind) {
    case "fixed":
      return size2.value;
    case "batch":
      return "batch";
    case "length": {
      const tokens = size2.plus === 0 ? "length" : ["+", "length", size2.plus];
      return size2.by === 1 ? tokens : ["ceil-div", tokens, size2.by];
    }
    default:
      return size2;
  }
}

// compiler/ir/expr.ts
var interned = /* @__PURE__ */ new Map();
var identities = /* @__PURE__ */ new WeakMap();
var nextIdentity = 0;
function identity(expr) {
  return identities.get(expr);
}
function intern(key, make) {
  const known2 = interned.get(key);
  if (known2 !== void 0) return known2;
  const made2 = make();
  Object.freeze(made2);
  identities.set(made2, nextIdentity++);
  interned.set(key, made2);
  return made2;
}
function constant(value, type = "real") {
  const shown = Object.is(value, -0) ? "-0" : String(value);
  return intern(`c:${type}:${shown}`, () => ({ kind: "constant", type, value }));
}
var real = (value) => constant(value, "real");
var int = (value) => constant(value, "int");
var bool = (value) => constant(value ? 1 : 0, "bool");
var index = (name) => intern(`i:${name}`, () => ({ kind: "index", type: "int", name }));
var size = (name) => intern(`z:${name}`, () => ({ kind: "size", type: "int", name }));
var logit = intern("s", () => ({ kind: "logit", type: "real" }));
function load(buffer, indices, type = "real") {
  const key = indices.map(identity).join(",");
  return intern(`l:${type}:${buffer}:${key}`, () => ({
    kind: "load",
    type,
    buffer,
    indices: Object.freeze([...indices])
  }));
}
function setRead(op, buffer, indices, element) {
  const key = [...indices, element].map(identity).join(",");
  return intern(`m:${op}:${buffer}:${key}`, () => ({
    kind: "set",
    type: op === "member" ? "bool" : "int",
    op,
    buffer,
    indices: Object.freeze([...indices]),
    element
  }));
}
function unaryType(op, operandType) {
  switch (op) {
    case "to-real":
      return "real";
    case "to-int":
      return "int";
    case "floor":
    case "ceil":
      return "int";
    case "not":
      return "bool";
    case "neg":
    case "abs":
    case "sign":
      return operandType;
    case "exp":
    case "log":
    case "sqrt":
    case "tanh":
    case "sigmoid":
    case "erf":
    case "sin":
    case "cos":
      return "real";
    default:
      return op;
  }
}
var realOperand = /* @__PURE__ */ new Set([
  "exp",
  "log",
  "sqrt",
  "tanh",
  "sigmoid",
  "erf",
  "sin",
  "cos"
]);
function unary(op, x) {
  if (op === "to-real" && x.type === "real") return x;
  if (op === "to-int" && x.type === "int") return x;
  if ((op === "floor" || op === "ceil") && x.type === "int") return x;
  const given = realOperand.has(op) ? toReal(x) : x;
  return intern(`1:${op}:${identity(given)}`, () => ({
    kind: "unary",
    type: unaryType(op, given.type),
    op,
    operand: given
  }));
}
var toReal = (x) => x.type === "real" ? x : x.kind === "constant" ? real(x.value) : unary("to-real", x);
function binary(op, a, b) {
  let left = a;
  let right = b;
  const logical = op === "and" || op === "or";
  const whole2 = op === "floor-div" || op === "mod";
  if (!logical && (op === "div" || op === "pow" || left.type === "real" || right.type === "real")) {
    if (whole2) throw new Error(`${op} takes whole numbers`);
    left = toReal(left);
    right = toReal(right);
  }
  const compares = op === "lt" || op === "le" || op === "eq";
  const type = logical || compares ? "bool" : left.type;
  return intern(`2:${op}:${identity(left)}:${identity(right)}`, () => ({
    kind: "binary",
    type,
    op,
    left,
    right
  }));
}
function select(condition, then, otherwise) {
  const mixed = then.type !== otherwise.type;
  const a = mixed ? toReal(then) : then;
  const b = mixed ? toReal(otherwise) : otherwise;
  return intern(`?:${identity(condition)}:${identity(a)}:${identity(b)}`, () => ({
    kind: "select",
    type: a.type,
    condition,
    then: a,
    otherwise: b
  }));
}
var add = (a, b) => binary("add", a, b);
var sub = (a, b) => binary("sub", a, b);
var mul = (a, b) => binary("mul", a, b);
var div = (a, b) => binary("div", a, b);
var neg = (x) => unary("neg", x);
var and = (a, b) => binary("and", a, b);
var or = (a, b) => binary("or", a, b);
var not = (x) => unary("not", x);
var lt = (a, b) => binary("lt", a, b);
var le = (a, b) => binary("le", a, b);
var eq = (a, b) => binary("eq", a, b);
function exprChildren(e) {
  switch (e.kind) {
    case "constant":
    case "index":
    case "size":
    case "logit":
    case "operand":
    case "scalar":
    case "uniform":
      return [];
    case "load":
      return e.indices;
    case "set":
      return [...e.indices, e.element];
    case "unary":
      return [e.operand];
    case "binary":
      return [e.left, e.right];
    case "select":
      return [e.condition, e.then, e.otherwise];
    default:
      return e;
  }
}
function withExprChildren(e, kids) {
  switch (e.kind) {
    case "constant":
    case "index":
    case "size":
    case "logit":
    case "operand":
    case "scalar":
    case "uniform":
      return e;
    case "load":
      return load(e.buffer, kids, e.type);
    case "set":
      return setRead(e.op, e.buffer, kids.slice(0, -1), kids.at(-1));
    case "unary":
      return unary(e.op, kids[0]);
    case "binary":
      return binary(e.op, kids[0], kids[1]);
    case "select":
      return select(kids[0], kids[1], kids[2]);
    default:
      return e;
  }
}
function mapExpr(root, rule) {
  const done = /* @__PURE__ */ new Map();
  const visit = (e) => {
    const known2 = done.get(e);
    if (known2 !== void 0) return known2;
    const kids = exprChildren(e);
    const mapped = kids.map(visit);
    const rebuilt = mapped.some((kid, n) => kid !== kids[n]) ? withExprChildren(e, mapped) : e;
    const result = rule(rebuilt);
    done.set(e, result);
    return result;
  };
  return visit(root);
}
function someExpr(root, test) {
  const seen = /* @__PURE__ */ new Set();
  const visit = (e) => {
    if (seen.has(e)) return false;
    seen.add(e);
    return test(e) || exprChildren(e).some(visit);
  };
  return visit(root);
}

// compiler/backends/cuda/attention/shape.ts
function fixed(axis2, site) {
  if (axis2.size.kind !== "fixed") throw new Error(`${site}: axis ${axis2.name} must have a fixed size`);
  return axis2.size.value;
}
function unsaid(node) {
  if (node.weight !== null) return "a weight";
  if (node.sink !== null) return "a sink";
  return node.regions.some(({ turn }) => turn !== null) ? "queries turned by blocks of keys" : null;
}
function shapeOf(node) {
  const missing2 = unsaid(node);
  if (missing2 !== null) throw new Error(`${node.site}: attention with ${missing2} runs on the CPU only`);
  const query = node.regions[0].query.axes;
  const value = node.value.axes;
  const size2 = value[1].size;
  const exprs = [node.mask, node.score, ...node.regions.map(({ when }) => when)];
  const asksLength = exprs.some((e) => someExpr(e, (part) => part.kind === "size" && part.name === "length"));
  if (size2.kind === "length" && size2.plus !== 0 && asksLength)
    throw new Error(`${node.site}: a mask or score that asks for the length cannot follow learned rows here`);
  for (const rows2 of [query[1], value[1]])
    if (rows2.size.kind === "length" && rows2.size.by !== 1)
      throw new Error(`${node.site}: no kernel yet for queries or keys over blocks (axis ${rows2.name})`);
  return {
    heads: fixed(query[2], node.site),
    groups: fixed(value[2], node.site),
    depth: fixed(query[3], node.site),
    width: fixed(value[3], node.site),
    queries: axisExtent(query[1].size),
    keys: axisExtent(size2),
    early: node.prepended === null ? 0 : axisExtent(node.prepended.key.axes[0].size)
  };
}

// compiler/backends/cuda/print-expr.ts
var typeNames = { real: c`float`, int: c`int`, bool: c`bool` };
function cudaLiteral(value) {
  const rounded = Math.fround(value);
  if (Number.isNaN(rounded)) return c`LCTX_NAN`;
  if (rounded === Infinity) return c`LCTX_INF`;
  if (rounded === -Infinity) return c`(-LCTX_INF)`;
  return rounded < 0 || Object.is(rounded, -0) ? c`(${realLiteral(rounded)})` : realLiteral(rounded);
}
function literal(value, type) {
  if (type === "real") return cudaLiteral(value);
  if (type === "bool") return value === 0 ? c`false` : c`true`;
  if (value < -2147483648 || value > 2147483647) throw new RangeError(`${value} is no 32-bit whole number`);
  return value === -2147483648 ? c`(-2147483647 - 1)` : c`(${value})`;
}
var call = (name) => {
  return (x) => c`lctx_${name}(${x})`;
};
var unaryRules = {
  neg: (x, type) => type === "int" ? c`lctx_neg(${x})` : c`(-${x})`,
  abs: (x, type) => type === "int" ? c`abs(${x})` : c`fabsf(${x})`,
  exp: call(c`exp`),
  log: call(c`log`),
  sqrt: call(c`sqrt`),
  tanh: call(c`tanh`),
  sigmoid: call(c`sigmoid`),
  erf: (x) => c`erff(${x})`,
  sin: call(c`sin`),
  cos: call(c`cos`),
  floor: (x) => c`__float2int_rd(${x})`,
  ceil: (x) => c`__float2int_ru(${x})`,
  sign: (x, type) => type === "int" ? c`((${x} > 0) - (${x} < 0))` : c`((float)((${x} > 0.0f) - (${x} < 0.0f)))`,
  "to-real": (x) => c`((float)${x})`,
  "to-int": (x, type) => type === "real" ? c`__float2int_rz(${x})` : c`((int)${x})`,
  not: (x) => c`(!${x})`
};
var infix = (op) => {
  return (a, b) => c`(${a} ${op} ${b})`;
};
var binaryRules = {
  add: infix(c`+`),
  sub: infix(c`-`),
  mul: infix(c`*`),
  div: (a, b) => c`lctx_div(${a}, ${b})`,
  "floor-div": (a, b) => c`lctx_floor_div(${a}, ${b})`,
  mod: (a, b) => c`lctx_mod(${a}, ${b})`,
  pow: (a, b) => c`lctx_pow(${a}, ${b})`,
  min: (a, b, type) => type === "int" ? c`min(${a}, ${b})` : c`fminf(${a}, ${b})`,
  max: (a, b, type) => type === "int" ? c`max(${a}, ${b})` : c`fmaxf(${a}, ${b})`,
  lt: infix(c`<`),
  le: infix(c`<=`),
  eq: infix(c`==`),
  // Both sides are cheap and without side effects: no branch is wanted.
  and: (a, b) => c`(bool)((int)${a} & (int)${b})`,
  or: (a, b) => c`(bool)((int)${a} | (int)${b})`
};
function powerOfTwo(e) {
  if (e.kind !== "constant" || e.type !== "int" || e.value <= 0 || e.value > 2 ** 30) return null;
  const power = Math.log2(e.value);
  return Number.isInteger(power) ? power : null;
}
var negated = (e) => e.kind === "unary" && e.op === "neg" && e.type === "int" ? e.operand : null;
function withoutNegation(e) {
  const operand = negated(e);
  if (operand !== null) {
    const inner = withoutNegation(operand);
    if (inner.kind === "binary" && inner.op === "sub") return binary("sub", inner.right, inner.left);
    return negated(inner) ?? e;
  }
  if (e.kind !== "binary" || e.op !== "add" && e.op !== "sub") return e;
  const [left, right] = [negated(e.left), negated(e.right)];
  if (right !== null) return binary(e.op === "add" ? "sub" : "add", e.left, right);
  return left !== null && e.op === "add" ? binary("sub", e.right, left) : e;
}
function cudaPrinter(leaves, word2) {
  const done = /* @__PURE__ */ new Map();
  let statements = [];
  let count2 = 0;
  const name = (text, type) => {
    const named = identifier(word2, count2++);
    statements.push(c`  const ${typeNames[type]} ${named} = ${text};\n`);
    return named;
  };
  const compute = (e, kids) => {
    switch (e.kind) {
      case "constant":
        return literal(e.value, e.type);
      case "index":
        return leaves.index(e.name);
      case "size":
        return leaves.size(e.name);
      case "scalar":
        return leaves.scalar(e.name);
      case "logit":
        return leaves.logit();
      case "operand":
        throw new Error("attention expressions have no operands");
      case "uniform":
        throw new Error("random numbers inside attention are not supported: use them on its input or output");
      case "load":
        return name(leaves.load(e.buffer, kids, e.type), e.type);
      case "set":
        throw new Error("no kernel yet for sets");
      case "unary":
        return name(unaryRules[e.op](kids[0], e.operand.type), e.type);
      case "binary": {
        const power = powerOfTwo(e.right);
        if (power !== null && e.op === "floor-div") return name(c`(${kids[0]} >> ${power})`, "int");
        if (power !== null && e.op === "mod") return name(c`(${kids[0]} & ${2 ** power - 1})`, "int");
        return name(binaryRules[e.op](kids[0], kids[1], e.left.type), e.type);
      }
      case "select":
        return name(c`(${kids[0]} ? ${kids[1]} : ${kids[2]})`, e.type);
      default:
        return e;
    }
  };
  const print = (e) => {
    const known2 = done.get(e);
    if (known2 !== void 0) return known2;
    const plain2 = withoutNegation(e);
    const text = plain2 === e ? compute(e, exprChildren(e).map(print)) : print(plain2);
    done.set(e, text);
    return text;
  };
  const take = () => {
    const taken = joinFragments(statements, c``);
    statements = [];
    return taken;
  };
  return { print, take };
}

// compiler/backends/cuda/attention/tables.ts
function tablesOf(buffers) {
  return buffers.map((buffer, n) => {
    const batched = buffer.axes[0]?.name === "b";
    const extents3 = (batched ? buffer.axes.slice(1) : buffer.axes).map((axis2) => axisExtent(axis2.size));
    const extentText = extents3.map(
      (extent, axis2) => typeof extent === "number" ? c`${extent}` : c`p.${identifier("extent", n, axis2)}`
    );
    const count2 = joinFragments([c`1`, ...extentText], c` * `);
    const row = batched ? c` + (long long)b * ${count2}` : c``;
    return {
      dtype: buffer.dtype,
      base: c`(p.${identifier("table", n)}${row})`,
      extents: extents3,
      extentText,
      elements: ["*", 1, ...extents3]
    };
  });
}

// compiler/backends/cuda/attention/pairs.ts
var mostIntervals = 8;
var pairHead = (type, name, logit2) => c`LCTX_DEVICE ${type} ${name}(const lctx_pairs &p, ${logit2 ? c`float s, ` : c``}int b, int h, int q, ${logit2 ? c`lctx_key` : c`int`} k) {\n`;
var rectangleHead = (type, name) => c`LCTX_DEVICE ${type} ${name}(const lctx_pairs &p, int b, int h, int q0, int q1, int k0, int k1) {\n`;
var unused = c`  (void)p, (void)b, (void)h;\n`;
var pairIndices = ["q", "k", "h"];
var rectangleIndices = ["q0", "q1", "k0", "k1", "h"];
var indexTexts = {
  q: c`q`,
  k: c`k`,
  h: c`h`,
  q0: c`q0`,
  q1: c`q1`,
  k0: c`k0`,
  k1: c`k1`
};
var sizeFields = {
  batch: c`p.batch`,
  length: c`p.length`,
  "query-length": c`p.queries`,
  "query-start": c`p.start`,
  step: c`p.step`
};
function cudaPairs(node, facts2, firstTable) {
  const tables = tablesOf(node.buffers);
  const scalars = [];
  const leaves = (indices, logit2) => ({
    index: (name) => {
      if (!indices.includes(name)) throw new Error(`no index ${name} here`);
      return indexTexts[name];
    },
    size: (name) => {
      const field = sizeFields[name];
      if (field === void 0) throw new Error(`attention has no size ${name}`);
      return field;
    },
    scalar: (name) => {
      const at = scalars.includes(name) ? scalars.indexOf(name) : scalars.push(name) - 1;
      return c`p.${identifier("scalar", at)}`;
    },
    logit: () => {
      if (!logit2) throw new Error("no logit here");
      return c`s`;
    },
    load: (buffer, at, type) => loadText(tables[buffer], at, type)
  });
  const returns = (e, indices, logit2 = false) => {
    const printer = cudaPrinter(leaves(indices, logit2), "e");
    const value = printer.print(e);
    return c`${unused}${printer.take()}  return ${value};\n}\n`;
  };
  const truth = (name, e) => c`${rectangleHead(c`bool`, name)}  (void)q0, (void)q1, (void)k0, (void)k1;\n${returns(e, rectangleIndices)}`;
  const regions = node.regions.slice(0, -1);
  const functions3 = [
    c`${pairHead(c`bool`, c`lctx_see`, false)}  (void)q, (void)k;\n${returns(node.mask, pairIndices)}`,
    c`${pairHead(c`float`, c`lctx_score`, true)}  (void)q, (void)k, (void)s;\n${returns(node.score, pairIndices, true)}`,
    truth(c`lctx_all`, facts2.mask.all),
    truth(c`lctx_any`, facts2.mask.any),
    printRegion(
      regions.map(({ when }) => when),
      returns
    ),
    printBlockRegion(facts2.regions, truth),
    printRanges(c`lctx_key_ranges`, "q", facts2.keys, leaves(["q0", "q1", "h"], false)),
    printRanges(c`lctx_query_ranges`, "k", facts2.queries, leaves(["k0", "k1", "h"], false))
  ];
  const trained = [];
  if (node.kind === "attention-gradient") {
    functions3.push(
      c`${pairHead(c`float`, c`lctx_slope`, true)}  (void)q, (void)k, (void)s;\n${returns(node.scoreSlope, pairIndices, true)}`
    );
    let count2 = 0;
    for (const { buffer, loads: loads2 } of node.bufferGradients) {
      const table = tables[buffer];
      const own = [];
      for (const { indices, slope } of loads2) {
        const printer = cudaPrinter(leaves(pairIndices, false), "e");
        const place = flatPlace(
          table,
          indices.map((e) => printer.print(e))
        );
        functions3.push(
          c`${pairHead(c`int`, identifier("lctx_place", count2), false)}  (void)q, (void)k;\n${unused}${printer.take()}  return ${place};\n}\n`,
          c`${pairHead(c`float`, identifier("lctx_place_slope", count2), true)}  (void)q, (void)k, (void)s;\n${returns(slope, pairIndices, true)}`
        );
        own.push(count2++);
      }
      trained.push({ buffer, elements: table.elements, loads: own });
    }
  }
  const fields = [
    ...["batch", "length", "queries", "start", "step"].map((name) => ({
      type: c`int`,
      name: identifier(name),
      argument: { kind: "i32", value: sizeOfField[name] }
    })),
    ...tables.flatMap((table, n) => [
      {
        type: table.dtype === "f32" ? c`const float *` : c`const int *`,
        name: identifier("table", n),
        argument: { kind: "pointer", buffer: firstTable + n }
      },
      ...table.extents.flatMap(
        (extent, axis2) => typeof extent === "number" ? [] : [
          {
            type: c`int`,
            name: identifier("extent", n, axis2),
            argument: { kind: "i32", value: extent }
          }
        ]
      )
    ]),
    ...scalars.map((name, n) => ({
      type: c`float`,
      name: identifier("scalar", n),
      argument: { kind: "f32", value: name }
    }))
  ];
  const struct = c`struct lctx_pairs {\n${joinFragments(
    fields.map(({ type, name }) => c`  ${type} ${name};\n`),
    c``
  )}};\n`;
  return {
    functions: c`${struct}${rangesText}${joinFragments(functions3, c``)}`,
    parameters: joinFragments(
      fields.map(({ type, name }) => c`${type} ${identifier("p")}_${name}, `),
      c``
    ),
    build: c`const lctx_pairs p = {${joinFragments(
      fields.map(({ name }) => c`${identifier("p")}_${name}`),
      c`, `
    )}};`,
    arguments: fields.map(({ argument }) => argument),
    scored: node.score.kind !== "logit",
    asksAny: !facts2.keys.exact || !facts2.queries.exact,
    trained
  };
}
var sizeOfField = {
  batch: "batch",
  length: "length",
  queries: "query-length",
  start: "query-start",
  step: "step"
};
function flatPlace(table, at) {
  let flat = c`0`;
  at.forEach((index2, n) => {
    const extent = table.extentText[n];
    flat = c`(${flat} * ${extent} + min(max(${index2}, 0), ${extent} - 1))`;
  });
  return flat;
}
function loadText(table, at, type) {
  const element = c`__ldg(${table.base} + ${flatPlace(table, at)})`;
  if (type === "bool") return c`(${element} != 0)`;
  const whole2 = table.dtype === "i32";
  if (whole2 === (type === "int")) return element;
  return whole2 ? c`((float)${element})` : c`__float2int_rz(${element})`;
}
function printRegion(whens, returns) {
  const tests = whens.map((when, n) => {
    const name = identifier("lctx_in_region", n);
    return c`${pairHead(c`bool`, name, false)}  (void)q, (void)k;\n${returns(when, pairIndices)}`;
  });
  const choices = whens.map(
    (_, n) => c`  if (${identifier("lctx_in_region", n)}(p, b, h, q, k)) return ${n};\n`
  );
  return c`${joinFragments(tests, c``)}${pairHead(c`int`, c`lctx_region`, false)}  (void)q, (void)k;\n${unused}${joinFragments(choices, c``)}  return ${whens.length};\n}\n`;
}
function printBlockRegion(truths, truth) {
  const tests = truths.map(
    ({ all, any }, n) => c`${truth(identifier("lctx_all_region", n), all)}${truth(identifier("lctx_any_region", n), any)}`
  );
  const at = c`(p, b, h, q0, q1, k0, k1)`;
  const choices = truths.map(
    (_, n) => c`  if (${identifier("lctx_all_region", n)}${at}) return ${n};\n  if (${identifier("lctx_any_region", n)}${at}) return -1;\n`
  );
  return c`${joinFragments(tests, c``)}${rectangleHead(c`int`, c`lctx_block_region`)}  (void)q0, (void)q1, (void)k0, (void)k1;\n${unused}${joinFragments(choices, c``)}  return ${truths.length};\n}\n`;
}
var rangesText = c`
/* The key of a score: a skeleton may bring a type of its own that knows the position as a real number, too. */
#ifndef LCTX_KEY
typedef int lctx_key;
#endif
#define LCTX_NO_BLOCK 0x7fffffff
#define LCTX_MOST_RANGES ${mostIntervals}
struct lctx_ranges {
  int count;
  int from[LCTX_MOST_RANGES], to[LCTX_MOST_RANGES];
};
LCTX_DEVICE int lctx_next_block(const lctx_ranges &r, int from) {
  int next = LCTX_NO_BLOCK;
#pragma unroll
  for (int i = 0; i < LCTX_MOST_RANGES; i++)
    if (i < r.count && from < r.to[i]) next = min(next, max(from, r.from[i]));
  return next;
}
LCTX_DEVICE int lctx_previous_block(const lctx_ranges &r, int from) {
  int previous = -1;
#pragma unroll
  for (int i = 0; i < LCTX_MOST_RANGES; i++)
    if (i < r.count && from >= r.from[i] && r.to[i] > r.from[i]) previous = max(previous, min(from, r.to[i] - 1));
  return previous;
}
`;
function printRanges(name, other, ranges2, leaves) {
  const printer = cudaPrinter(leaves, "e");
  const whole2 = { when: bool(true), from: ranges2.hull.low, to: ranges2.hull.high };
  const few = ranges2.intervals.length <= mostIntervals;
  const intervals = few ? ranges2.intervals : [whole2];
  const [shift, limit] = other === "q" ? [c`0`, c`p.length`] : [c`p.start`, c`p.queries`];
  const lines = intervals.map((interval, n) => {
    const when = printer.print(interval.when);
    const [from, to] = [printer.print(interval.from), printer.print(interval.to)];
    return c`${printer.take()}  {
    const int low = max(${from} - ${shift}, 0), high = min(${to} - ${shift}, ${limit} - 1);
    const bool some = ${when} && low <= high;
    r.from[${n}] = some ? low / block : 0;
    r.to[${n}] = some ? high / block + 1 : 0;
  }
`;
  });
  const first = other === "q" ? c`q0` : c`k0`;
  const last = other === "q" ? c`q1` : c`k1`;
  return c`LCTX_DEVICE lctx_ranges ${name}(const lctx_pairs &p, int b, int h, int ${first}, int ${last}, int block) {
  (void)${first}, (void)${last};
${unused}  lctx_ranges r;
  r.count = ${intervals.length};
${joinFragments(lines, c``)}  return r;
}
`;
}

// compiler/backends/cuda/sm80/logits.ts
var logitsText = c`
#define LCTX_LOG2E 1.44269504f
struct lctx_tile {
  int b, h, row0, column0, row_end, column_end, region;
  bool guard, early;
};
template <int kColumns>
LCTX_DEVICE void lctx_raw(float (&s)[kColumns / 8][4], const lctx_element *rows, const lctx_element *columns,
                          const lctx_tile &x, const lctx_pairs &p, bool rows_are_queries) {
  lctx_clear(s);
  if constexpr (kLoaded == 1) {
    lctx_by_rows<kColumns, kDepthPadded>(s, rows, columns);
  } else {
#pragma unroll 1
    for (int r = 0; r < kLoaded; r++) {
      if (x.region >= 0 && x.region != r) continue;
      float t[kColumns / 8][4];
      lctx_clear(t);
      lctx_by_rows<kColumns, kDepthPadded>(t, rows + r * LCTX_ROWS * LCTX_STRIDE(kDepthPadded),
                                           columns + r * kColumns * LCTX_STRIDE(kDepthPadded));
      const int lane = lctx_lane();
#pragma unroll
      for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int row = x.row0 + lctx_warp() * 16 + lane / 4 + i / 2 * 8, column = x.column0 + n * 8 + lane % 4 * 2 + i % 2;
          const int q = rows_are_queries ? row : column, k = rows_are_queries ? column : row;
          if (x.region == r || lctx_region(p, x.b, x.h, q, k) == r) s[n][i] = t[n][i];
        }
    }
  }
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) s[n][i] *= kScale;
}
/* The score of a pair times log2 e, or minus infinity. */
LCTX_DEVICE float lctx_masked(const lctx_pairs &p, const lctx_tile &x, float s, int row, int column,
                              bool rows_are_queries) {
  const int q = rows_are_queries ? row : column, k = rows_are_queries ? column : row;
  float y = s;
  if (kScored && !x.early) y = lctx_score(p, s, x.b, x.h, q, k);
  y *= LCTX_LOG2E;
  if (x.guard && (row >= x.row_end || column >= x.column_end || (!x.early && !lctx_see(p, x.b, x.h, q, k)))) y = -LCTX_INF;
  return y;
}
`;

// compiler/backends/cuda/sm80/tiles.ts
var common3 = (first) => c`
#define LCTX_THREADS 128
#define LCTX_ROWS 64
/* Elements from one row of a tile to the next: an odd number of 16-byte units, so that no banks collide. */
#define LCTX_STRIDE(padded) ((padded) + 16 / (int)sizeof(lctx_element))
/* Rows of one head of a tensor [.., row, head, kWidth]; rows >= count and columns >= kWidth become zero. */
template <int kRows, int kWidth, int kPadded>
LCTX_DEVICE void lctx_load_rows(lctx_element *tile, const lctx_element *from, long long stride, int count) {
  constexpr int kUnit = 16 / (int)sizeof(lctx_element), kUnits = kPadded / kUnit;
  for (int i = threadIdx.x; i < kRows * kUnits; i += LCTX_THREADS) {
    const int row = i / kUnits, column = i % kUnits * kUnit;
    lctx_element *to = tile + row * LCTX_STRIDE(kPadded) + column;
    if constexpr (kWidth % kUnit == 0) {
      const bool valid = row < count && column < kWidth;
      lctx_copy16(to, valid ? from + row * stride + column : from, valid);
    } else {
#pragma unroll
      for (int j = 0; j < kUnit; j++)
        to[j] = row < count && column + j < kWidth ? from[row * stride + column + j] : (lctx_element)0;
    }
  }
}
LCTX_DEVICE int lctx_lane() { return threadIdx.x % 32; }
LCTX_DEVICE int lctx_warp() { return threadIdx.x / 32; }
LCTX_DEVICE int lctx_first_row() { return ${first}; }
/* The largest and the sum over the four lanes that share a row. */
LCTX_DEVICE float lctx_row_max(float x) {
  x = fmaxf(x, lctx_swap(x, 1));
  return fmaxf(x, lctx_swap(x, 2));
}
LCTX_DEVICE float lctx_row_sum(float x) {
  x += lctx_swap(x, 1);
  return x + lctx_swap(x, 2);
}
template <int kTiles> LCTX_DEVICE void lctx_clear(float (&x)[kTiles][4]) {
#pragma unroll
  for (int n = 0; n < kTiles; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) x[n][i] = 0.0f;
}
`;
var sixteenBits = c`
/* acc += rows of a (this warp's 16) by rows of b, transposed: both tiles have kDepth columns. */
template <int kColumns, int kDepth>
LCTX_DEVICE void lctx_by_rows(float (&acc)[kColumns / 8][4], const lctx_element *a, const lctx_element *b) {
  const int lane = lctx_lane(), stride = LCTX_STRIDE(kDepth);
  const lctx_element *own = a + (lctx_first_row() + lane % 16) * stride + lane / 16 * 8;
  const lctx_element *other = b + (lane / 16 * 8 + lane % 8) * stride + lane / 8 % 2 * 8;
#pragma unroll
  for (int d = 0; d < kDepth; d += 16) {
    unsigned x[4];
    lctx_matrices(x, own + d);
#pragma unroll
    for (int n = 0; n < kColumns; n += 16) {
      unsigned y[4];
      lctx_matrices(y, other + n * stride + d);
      lctx_mma(acc[n / 8], x, y[0], y[1]);
      lctx_mma(acc[n / 8 + 1], x, y[2], y[3]);
    }
  }
}
/* acc += w [16][kDepth] (in accumulator layout) by b [kDepth][kColumns]; w is rounded to elements. */
template <int kDepth, int kColumns>
LCTX_DEVICE void lctx_by_columns(float (&acc)[kColumns / 8][4], const float (&w)[kDepth / 8][4], const lctx_element *b,
                                 lctx_element *) {
  const int lane = lctx_lane(), stride = LCTX_STRIDE(kColumns);
  const lctx_element *other = b + lane % 16 * stride + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < kDepth; k += 16) {
    const unsigned x[4] = {lctx_pack(w[k / 8][0], w[k / 8][1]), lctx_pack(w[k / 8][2], w[k / 8][3]),
                           lctx_pack(w[k / 8 + 1][0], w[k / 8 + 1][1]), lctx_pack(w[k / 8 + 1][2], w[k / 8 + 1][3])};
#pragma unroll
    for (int n = 0; n < kColumns; n += 16) {
      unsigned y[4];
      lctx_matrices_transposed(y, other + k * stride + n);
      lctx_mma(acc[n / 8], x, y[0], y[1]);
      lctx_mma(acc[n / 8 + 1], x, y[2], y[3]);
    }
  }
}
template <bool kEven> LCTX_DEVICE void lctx_store_pair(lctx_element *to, float a, float b, bool both) {
  const unsigned x = lctx_pack(a, b);
  if constexpr (kEven) *(unsigned *)to = x;
  else {
    to[0] = (lctx_element)(x & 0xffffu);
    if (both) to[1] = (lctx_element)(x >> 16);
  }
}
`;
var single = c`
template <int kColumns, int kDepth>
LCTX_DEVICE void lctx_by_rows(float (&acc)[kColumns / 8][4], const lctx_element *a, const lctx_element *b) {
  const int lane = lctx_lane(), stride = LCTX_STRIDE(kDepth);
  const float *own = a + (lctx_first_row() + lane / 4) * stride;
  const float *other = b + lane % 4 * 2 * stride;
  for (int d = 0; d < kDepth; d += 4) {
    const float4 x = *(const float4 *)(own + d), y = *(const float4 *)(own + 8 * stride + d);
#pragma unroll
    for (int n = 0; n < kColumns / 8; n++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const float4 z = *(const float4 *)(other + (n * 8 + i) * stride + d);
        acc[n][i] += x.x * z.x + x.y * z.y + x.z * z.z + x.w * z.w;
        acc[n][2 + i] += y.x * z.x + y.y * z.y + y.z * z.z + y.w * z.w;
      }
  }
}
/* Weights go through "exchange" ([64][kDepth] of this block), where each warp uses its own rows. */
template <int kDepth, int kColumns>
LCTX_DEVICE void lctx_by_columns(float (&acc)[kColumns / 8][4], const float (&w)[kDepth / 8][4], const lctx_element *b,
                                 lctx_element *exchange) {
  const int lane = lctx_lane(), stride = LCTX_STRIDE(kColumns), wide = LCTX_STRIDE(kDepth);
  float *own = exchange + (lctx_first_row() + lane / 4) * wide;
  __syncwarp();
#pragma unroll
  for (int n = 0; n < kDepth / 8; n++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      own[n * 8 + lane % 4 * 2 + i] = w[n][i];
      own[8 * wide + n * 8 + lane % 4 * 2 + i] = w[n][2 + i];
    }
  __syncwarp();
  for (int k = 0; k < kDepth; k++) {
    const float x = own[k], y = own[8 * wide + k];
    const float *row = b + k * stride + lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < kColumns / 8; n++) {
      const float2 z = *(const float2 *)(row + n * 8);
      acc[n][0] += x * z.x, acc[n][1] += x * z.y;
      acc[n][2] += y * z.x, acc[n][3] += y * z.y;
    }
  }
  __syncwarp();
}
template <bool kEven> LCTX_DEVICE void lctx_store_pair(lctx_element *to, float a, float b, bool both) {
  to[0] = a;
  if (both) to[1] = b;
}
`;
var stores = c`
/* Stores this warp's rows, times a factor for each of its two rows, to rows of one head of a tensor. */
template <int kWidth, int kTiles>
LCTX_DEVICE void lctx_store_rows(lctx_element *to, long long stride, int count, const float (&acc)[kTiles][4],
                                 const float (&factor)[2]) {
  const int lane = lctx_lane(), first = lctx_first_row() + lane / 4;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = first + 8 * i;
    if (row >= count) continue;
#pragma unroll
    for (int n = 0; n < kTiles; n++) {
      const int column = n * 8 + lane % 4 * 2;
      if (column < kWidth)
        lctx_store_pair<kWidth % 2 == 0>(to + row * stride + column, acc[n][2 * i] * factor[i],
                                         acc[n][2 * i + 1] * factor[i], column + 1 < kWidth);
    }
  }
}
`;
var tilesText = (element, rows2 = "own") => c`${common3(rows2 === "own" ? c`lctx_warp() * 16` : c`0`)}${element === "f32" ? single : sixteenBits}${stores}`;

// compiler/backends/cuda/sm80/call-plan.ts
var rows = 64;
var threads = 128;
var mostShared = 160 * 1024;
var plainPlan = {
  firstRegion: 0,
  loaded: 1,
  keys: 64,
  queries: 64,
  stages: 1,
  wantsKey: false,
  wantsValue: false,
  trains: false
};
var padTo = (n, unit2) => Math.ceil(n / unit2) * unit2;
var DoesNotFit = class extends Error {
};
var CallPlan = class {
  shape;
  pairs;
  sources = [];
  launches = [];
  scratch = [];
  #node;
  #element;
  #depthPadded;
  #widthPadded;
  #buffers;
  constructor(node, facts2, element, buffers) {
    this.#node = node;
    this.#element = element;
    this.#buffers = buffers;
    this.shape = shapeOf(node);
    const unit2 = element === "f32" ? 8 : 16;
    this.#depthPadded = padTo(this.shape.depth, unit2);
    this.#widthPadded = padTo(this.shape.width, unit2);
    this.pairs = cudaPairs(node, facts2, 2 * node.regions.length + 1);
  }
  get call() {
    return {
      sources: this.sources,
      buffers: this.#buffers,
      scratch: this.scratch,
      launches: this.launches
    };
  }
  /** A new scratch buffer; its number in the call. */
  addScratch(bytes, zero2 = false) {
    return this.#buffers + this.scratch.push({ bytes, zero: zero2 }) - 1;
  }
  /** Bytes of tiles: rows of depth and of width, then exchange columns for f32, then plain floats. */
  bytes(depthRows, widthRows, exchange, floats = 0) {
    const size2 = elementBytes(this.#element);
    const stride = (padded2) => padded2 * size2 + 16;
    const extra = this.#element === "f32" ? rows * stride(exchange) : 0;
    return depthRows * stride(this.#depthPadded) + widthRows * stride(this.#widthPadded) + extra + floats * 4;
  }
  /** Fewest columns of a product: one matrix instruction for 16 bits, one group of 8 for f32. */
  get fewest() {
    return this.#element === "f32" ? 8 : 16;
  }
  /** Numbers of columns to try, from `most` down. */
  columns(most) {
    return [64, 32, 16, 8].filter((n) => n <= most && n >= this.fewest);
  }
  /** The largest of the sizes whose tiles fit. Throws `DoesNotFit` when none does. */
  fit(choices, bytes) {
    const found = choices.find((choice) => bytes(choice) <= mostShared);
    if (found === void 0)
      throw new DoesNotFit(
        `${this.#node.site}: ${this.#node.regions.length} rotation regions of head size ${this.shape.depth} do not fit in shared memory`
      );
    return found;
  }
  /** Text before the entry. */
  prelude(plan2) {
    const { shape: shape2, pairs } = this;
    const element = this.#element;
    const flag = (value) => value ? c`true` : c`false`;
    return c`${scalarPrelude(element === "f32" ? "accurate" : "approximate")}${elementText(element)}
constexpr int kHeads = ${shape2.heads}, kGroups = ${shape2.groups};
constexpr int kDepth = ${shape2.depth}, kDepthPadded = ${this.#depthPadded};
constexpr int kWidth = ${shape2.width}, kWidthPadded = ${this.#widthPadded};
constexpr int kRegions = ${this.#node.regions.length}, kFirstRegion = ${plan2.firstRegion}, kLoaded = ${plan2.loaded};
constexpr int kKeys = ${plan2.keys}, kQueries = ${plan2.queries}, kStages = ${plan2.stages};
constexpr float kScale = ${cudaLiteral(this.#node.scale)};
constexpr bool kScored = ${flag(pairs.scored)}, kAsksAny = ${flag(pairs.asksAny)};
constexpr bool kWantsKey = ${flag(plan2.wantsKey)}, kWantsValue = ${flag(plan2.wantsValue)}, kTrainsTables = ${flag(plan2.trains)};
${pairs.functions}${tilesText(element)}${logitsText}`;
  }
  /** Parameters and statements that fill `p` and `a`, and their arguments. */
  operands() {
    const node = this.#node;
    const names2 = node.regions.flatMap((_, r) => [identifier("query", r), identifier("key", r)]);
    const all = [...names2, c`value`, ...node.prepended === null ? [] : [c`early_key`, c`early_value`]];
    const afterTables = 2 * node.regions.length + 1 + node.buffers.length;
    const fields = (word2) => joinFragments(
      node.regions.map((_, r) => identifier(word2, r)),
      c`, `
    );
    const early = node.prepended === null ? c`0, 0` : c`early_key, early_value`;
    return {
      parameters: c`${this.pairs.parameters}${joinFragments(
        all.map((name) => c`const lctx_element *${name}, `),
        c``
      )}int queries, int keys, int early, `,
      build: c`  ${this.pairs.build}
  const lctx_operands a = {{${fields("query")}}, {${fields("key")}}, value, ${early}, queries, keys, early};
`,
      arguments: [
        ...this.pairs.arguments,
        ...all.map((_, n) => {
          const core = 2 * node.regions.length + 1;
          return { kind: "pointer", buffer: n < core ? n : afterTables + n - core };
        }),
        { kind: "i32", value: this.shape.queries },
        { kind: "i32", value: this.shape.keys },
        { kind: "i32", value: this.shape.early }
      ]
    };
  }
  add(source2, launch) {
    this.launches.push({ ...launch, source: this.sources.push(source2) - 1, cluster: 1 });
  }
};

// compiler/backends/cuda/sm80/forward.ts
var forwardText = c`
struct lctx_operands {
  const lctx_element *query[kRegions], *key[kRegions], *value, *early_key, *early_value;
  int queries, keys, early;
};
/* Running state of this warp's 16 queries; a lane has two of them. */
struct lctx_running {
  float sum[kWidthPadded / 8][4], most[2], total[2];
};
LCTX_DEVICE void lctx_take(lctx_running &o, const lctx_pairs &p, const lctx_tile &x, const lctx_element *queries,
                           const lctx_element *keys, const lctx_element *values, lctx_element *exchange) {
  float s[kKeys / 8][4];
  lctx_raw<kKeys>(s, queries, keys, x, p, true);
  const int lane = lctx_lane(), row = x.row0 + lctx_warp() * 16 + lane / 4;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    float most = o.most[i];
#pragma unroll
    for (int n = 0; n < kKeys / 8; n++)
#pragma unroll
      for (int j = 0; j < 2; j++) {
        float &y = s[n][2 * i + j];
        y = lctx_masked(p, x, y, row + 8 * i, x.column0 + n * 8 + lane % 4 * 2 + j, true);
        most = fmaxf(most, y);
      }
    most = lctx_row_max(most);
    /* A row that has seen nothing yet keeps 0 as its reference, so that its weights are 0 and not NaN. */
    const float safe = most == -LCTX_INF ? 0.0f : most;
    const float alpha = lctx_ex2(o.most[i] - safe);
    float total = 0.0f;
#pragma unroll
    for (int n = 0; n < kKeys / 8; n++)
#pragma unroll
      for (int j = 0; j < 2; j++) {
        float &y = s[n][2 * i + j];
        y = lctx_ex2(y - safe);
        total += y;
      }
    o.most[i] = most;
    o.total[i] = o.total[i] * alpha + total;
#pragma unroll
    for (int n = 0; n < kWidthPadded / 8; n++) o.sum[n][2 * i] *= alpha, o.sum[n][2 * i + 1] *= alpha;
  }
  lctx_by_columns<kKeys, kWidthPadded>(o.sum, s, values, exchange);
}
LCTX_DEVICE int lctx_next_seen(const lctx_pairs &p, const lctx_ranges &r, int b, int h, int q0, int q1, int from, int keys) {
  int block = lctx_next_block(r, from);
  if (kAsksAny)
    while (block != LCTX_NO_BLOCK &&
           !lctx_any(p, b, h, q0, q1, block * kKeys, min(block * kKeys + kKeys, keys) - 1))
      block = lctx_next_block(r, block + 1);
  return block;
}
/* Starts copies of the keys and values of one block into a stage. */
LCTX_DEVICE void lctx_start_block(const lctx_operands &a, lctx_element *keys, lctx_element *values, int b, int g, int k0,
                                  int count, bool early) {
  const long long row = early ? k0 : (long long)b * a.keys + k0;
#pragma unroll
  for (int r = 0; r < kRegions; r++)
    if (!early || r == 0)
      lctx_load_rows<kKeys, kDepth, kDepthPadded>(keys + r * kKeys * LCTX_STRIDE(kDepthPadded),
                                                  (early ? a.early_key : a.key[r]) + (row * kGroups + g) * kDepth,
                                                  kGroups * kDepth, count);
  lctx_load_rows<kKeys, kWidth, kWidthPadded>(values, (early ? a.early_value : a.value) + (row * kGroups + g) * kWidth,
                                              kGroups * kWidth, count);
}
LCTX_DEVICE void lctx_forward(const lctx_pairs &p, const lctx_operands &a, lctx_element *output, float *lse,
                              unsigned char *memory, int b, int h, int block) {
  constexpr int kKeyTile = kLoaded * kKeys * LCTX_STRIDE(kDepthPadded), kValueTile = kKeys * LCTX_STRIDE(kWidthPadded);
  lctx_element *queries = (lctx_element *)memory;
  lctx_element *stages = queries + kLoaded * LCTX_ROWS * LCTX_STRIDE(kDepthPadded);
  lctx_element *exchange = stages + kStages * (kKeyTile + kValueTile);
  const int g = h / (kHeads / kGroups), first = block * LCTX_ROWS, count = min(LCTX_ROWS, a.queries - first);
  const long long row = (long long)b * a.queries + first;
#pragma unroll
  for (int r = 0; r < kRegions; r++)
    lctx_load_rows<LCTX_ROWS, kDepth, kDepthPadded>(queries + r * LCTX_ROWS * LCTX_STRIDE(kDepthPadded),
                                                    a.query[r] + (row * kHeads + h) * kDepth, kHeads * kDepth, count);
  lctx_tile x;
  x.b = b, x.h = h, x.row0 = p.start + first, x.row_end = 0x7fffffff;
  const int q0 = x.row0, q1 = q0 + count - 1;
  const lctx_ranges seen = lctx_key_ranges(p, b, h, q0, q1, kKeys);
  lctx_running o;
  lctx_clear(o.sum);
  o.most[0] = o.most[1] = -LCTX_INF;
  o.total[0] = o.total[1] = 0.0f;
  /* Blocks are counted on: first those of keys before the text, then those of keys that are seen. */
  const int early_blocks = (a.early + kKeys - 1) / kKeys;
  int at = early_blocks > 0 ? -early_blocks : lctx_next_seen(p, seen, b, h, q0, q1, 0, a.keys);
  int stage = 0;
#define LCTX_START(block_, stage_)                                                                       \\
  {                                                                                                      \\
    const bool early_ = (block_) < 0;                                                                    \\
    const int k0_ = (early_ ? (block_) + early_blocks : (block_)) * kKeys;                               \\
    lctx_element *to_ = stages + (stage_) * (kKeyTile + kValueTile);                                     \\
    lctx_start_block(a, to_, to_ + kKeyTile, b, g, k0_, min(kKeys, (early_ ? a.early : a.keys) - k0_), early_); \\
  }
  if (at != LCTX_NO_BLOCK) LCTX_START(at, 0)
  lctx_copies_end();
  while (at != LCTX_NO_BLOCK) {
    const int next = at < -1 ? at + 1 : lctx_next_seen(p, seen, b, h, q0, q1, at < 0 ? 0 : at + 1, a.keys);
    if (kStages > 1) {
      if (next != LCTX_NO_BLOCK) LCTX_START(next, stage ^ 1)
      lctx_copies_end();
      lctx_copies_wait<1>();
    } else lctx_copies_wait<0>();
    __syncthreads();
    x.early = at < 0;
    const int k0 = (x.early ? at + early_blocks : at) * kKeys, k_end = x.early ? a.early : a.keys;
    x.column0 = k0, x.column_end = k_end;
    x.guard = k0 + kKeys > k_end || (!x.early && !lctx_all(p, b, h, q0, q1, k0, k0 + kKeys - 1));
    x.region = x.early ? 0 : lctx_block_region(p, b, h, q0, q1, k0, min(k0 + kKeys, k_end) - 1);
    const lctx_element *keys = stages + stage * (kKeyTile + kValueTile);
    lctx_take(o, p, x, queries, keys, keys + kKeyTile, exchange);
    __syncthreads();
    if (kStages > 1) stage ^= 1;
    else {
      if (next != LCTX_NO_BLOCK) LCTX_START(next, 0)
      lctx_copies_end();
    }
    at = next;
  }
#undef LCTX_START
  lctx_copies_wait<0>();
  float factor[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const float total = lctx_row_sum(o.total[i]);
    factor[i] = total > 0.0f ? 1.0f / total : 0.0f;
    const int own = lctx_warp() * 16 + lctx_lane() / 4 + 8 * i;
    if (lctx_lane() % 4 == 0 && own < count)
      lse[(row + own) * kHeads + h] = total > 0.0f ? (o.most[i] + lctx_lg2(total)) * 0.693147181f : -LCTX_INF;
  }
  lctx_store_rows<kWidth>(output + (row * kHeads + h) * kWidth, kHeads * kWidth, count, o.sum, factor);
}
`;

// compiler/backends/cuda/sm80/attention-call.ts
var pointer = (buffer) => ({ kind: "pointer", buffer });
var blocksOf = (size2) => ["ceil-div", size2, rows];
var operandCount = (node) => 2 * node.regions.length + 1 + node.buffers.length + (node.prepended === null ? 0 : 2);
function attentionForwardCall(node, facts2, element) {
  const first = operandCount(node);
  const plan2 = new CallPlan(node, facts2, element, first + 2);
  const { shape: shape2 } = plan2;
  const loaded = node.regions.length;
  const bytes = ([keys2, stages2]) => plan2.bytes(loaded * (rows + stages2 * keys2), stages2 * keys2, keys2);
  const [keys, stages] = plan2.fit(
    [
      [64, 2],
      [32, 2],
      [32, 1],
      [16, 1],
      [8, 1]
    ].filter(([n]) => n >= plan2.fewest && (shape2.width <= 128 || n <= 32)),
    bytes
  );
  const kernel = { ...plainPlan, loaded, keys, stages };
  const operands = plan2.operands();
  const entry = c`lctx_attention_forward`;
  const text = c`${plan2.prelude(kernel)}${forwardText}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${operands.parameters}lctx_element *output, float *lse) {
${operands.build}  extern __shared__ __align__(16) unsigned char lctx_memory[];
  lctx_forward(p, a, output, lse, lctx_memory, blockIdx.z, blockIdx.y, gridDim.x - 1 - blockIdx.x);
}
`;
  plan2.add(
    { entry: entry.text, text: text.text, architecture: "sm_80" },
    {
      label: `${node.site}: attention`,
      grid: [blocksOf(shape2.queries), shape2.heads, "batch"],
      threads,
      sharedBytes: bytes([keys, stages]),
      arguments: [...operands.arguments, pointer(first), pointer(first + 1)]
    }
  );
  return plan2.call;
}
function attentionBackwardCall(node, facts2, element, wanted = []) {
  const regions = node.regions.length;
  const tableCount = node.bufferGradients.length;
  const output = operandCount(node);
  const results = output + 3;
  const resultCount = 2 * regions + 1 + tableCount + (node.prepended === null ? 0 : 2);
  const wants = (result) => wanted[result] ?? true;
  const plan2 = new CallPlan(node, facts2, element, results + resultCount);
  const { shape: shape2, pairs } = plan2;
  const rowCount = ["*", "batch", shape2.queries, shape2.heads];
  const delta = plan2.addScratch(["*", rowCount, 4]);
  const lse2 = plan2.addScratch(["*", rowCount, 4]);
  const operands = plan2.operands();
  const adjoint = c`const lctx_element *output, const float *lse, const lctx_element *out_gradient, float *delta, float *lse2`;
  const adjointArguments = [output, output + 1, output + 2, delta, lse2].map(pointer);
  const build = c`${operands.build}  const lctx_adjoint y = {output, out_gradient, lse, delta, lse2};
  extern __shared__ __align__(16) unsigned char lctx_memory[];
`;
  const head = (entry, more) => c`extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${operands.parameters}${more}${adjoint}`;
  const none2 = trainedText(pairs, false);
  const body = (kernel) => c`${plan2.prelude(kernel)}${(kernel.trains ? trainedText(pairs, true) : none2).functions}${forwardText}${backwardText}`;
  const prepare = c`lctx_attention_prepare`;
  plan2.add(
    {
      entry: prepare.text,
      text: c`${body(plainPlan)}${head(prepare, c``)}) {
${build}  (void)p, (void)a, (void)lctx_memory;
  lctx_prepare(y, (long long)p.batch * queries * kHeads);
}
`.text,
      architecture: "sm_80"
    },
    {
      label: `${node.site}: sums of output gradients`,
      grid: [["ceil-div", rowCount, threads / 32], 1, 1],
      threads,
      sharedBytes: 0,
      arguments: [...operands.arguments, ...adjointArguments]
    }
  );
  const keysKernel = (kernel, name, early, key, value) => {
    const bytes = (queries2) => plan2.bytes(kernel.loaded * (rows + queries2), rows + queries2, queries2, 2 * queries2);
    const wide = Math.max(shape2.depth, shape2.width) > 64;
    const queries = plan2.fit(plan2.columns(wide ? 32 : 64), bytes);
    const own = { ...kernel, queries };
    const entry = identifier(name);
    const place = early ? c`-1, blockIdx.y, blockIdx.x` : c`blockIdx.z, blockIdx.y, blockIdx.x`;
    plan2.add(
      {
        entry: entry.text,
        text: c`${body(own)}${head(entry, c``)}, lctx_element *key_gradient, lctx_element *value_gradient) {
${build}  lctx_backward_keys(p, a, y, key_gradient, value_gradient, lctx_memory, ${place});
}
`.text,
        architecture: "sm_80"
      },
      {
        label: `${node.site}: gradient of ${early ? "earlier " : ""}keys and values`,
        grid: [blocksOf(early ? shape2.early : shape2.keys), shape2.groups, early ? 1 : "batch"],
        threads,
        sharedBytes: bytes(queries),
        arguments: [...operands.arguments, ...adjointArguments, pointer(key), pointer(value)]
      }
    );
  };
  const keysAndValues = (early, key, value) => {
    const [wantsKey, wantsValue] = [wants(key - results), wants(value - results)];
    const together = shape2.depth + shape2.width <= 256 && (early || regions === 1);
    const name = early ? "lctx_attention_early" : "lctx_attention";
    const base = { ...plainPlan, loaded: 1 };
    if (together && wantsKey && wantsValue)
      keysKernel({ ...base, wantsKey, wantsValue }, `${name}_keys`, early, key, value);
    else {
      if (wantsKey && (early || regions === 1))
        keysKernel({ ...base, wantsKey }, `${name}_keys`, early, key, value);
      if (wantsValue)
        keysKernel({ ...base, loaded: early ? 1 : regions, wantsValue }, `${name}_values`, early, key, value);
    }
  };
  keysAndValues(false, results + 1, results + 2 * regions);
  if (regions > 1) {
    for (let r = 0; r < regions; r++)
      if (wants(2 * r + 1))
        keysKernel(
          { ...plainPlan, firstRegion: r, wantsKey: true },
          "lctx_attention_keys",
          false,
          results + 2 * r + 1,
          results + 2 * regions
        );
  }
  if (node.prepended !== null)
    keysAndValues(true, results + 2 * regions + 1 + tableCount, results + 2 * regions + 2 + tableCount);
  const trains = pairs.trained.some((_, t) => wants(2 * regions + 1 + t));
  const trained = trainedText(pairs, trains);
  const bins = trains ? pairs.trained.map(({ elements }) => plan2.addScratch(["*", elements, binsPerElement * 8], true)) : [];
  for (let r = 0; r < regions; r++) {
    if (!wants(2 * r) && !trains) continue;
    const bytes = (keys2) => plan2.bytes(rows + keys2, rows + keys2, keys2);
    const keys = plan2.fit(plan2.columns(Math.max(shape2.depth, shape2.width) > 128 ? 32 : 64), bytes);
    const kernel = { ...plainPlan, firstRegion: r, keys, trains };
    const entry = c`lctx_attention_queries`;
    plan2.add(
      {
        entry: entry.text,
        text: c`${body(kernel)}${head(entry, trained.parameters)}, lctx_element *query_gradient) {
${build}  ${trained.build}
  lctx_backward_queries(p, a, y, trained, query_gradient, lctx_memory, blockIdx.z, blockIdx.y, gridDim.x - 1 - blockIdx.x);
}
`.text,
        architecture: "sm_80"
      },
      {
        label: `${node.site}: gradient of queries`,
        grid: [blocksOf(shape2.queries), shape2.heads, "batch"],
        threads,
        sharedBytes: bytes(keys),
        arguments: [
          ...operands.arguments,
          ...bins.map(pointer),
          ...adjointArguments,
          pointer(results + 2 * r)
        ]
      }
    );
  }
  bins.forEach((bin, t) => {
    const { elements } = pairs.trained[t];
    const entry = c`lctx_attention_table`;
    const text = c`${scalarPrelude("accurate")}${elementText(element)}${tilesText(element)}${sumBinsText(entry)}`;
    plan2.add(
      { entry: entry.text, text: text.text, architecture: "sm_80" },
      {
        label: `${node.site}: gradient of a table`,
        grid: [["ceil-div", elements, threads], 1, 1],
        threads,
        sharedBytes: 0,
        arguments: [pointer(bin), pointer(results + 2 * regions + 1 + t), { kind: "i32", value: elements }]
      }
    );
  });
  return plan2.call;
}

// compiler/backends/cuda/sm90/forward-shape.ts
var chunks = (columns) => Math.ceil(columns / 64);
var forwardLimit = 256;
function forwardTile({ d, e }, masked, looksUp) {
  const size2 = Math.max(d, e);
  const three = { rows: 192, stages: 2, registers: [32, 160], turns: true };
  const two = { rows: 128, stages: 2, registers: [40, 232], turns: true };
  if (size2 <= 64 && !looksUp) return { ...three, keys: 128 };
  if (size2 <= 96) return { ...two, keys: 128 };
  if (size2 <= 128) return { ...two, keys: masked ? 128 : 176 };
  if (size2 <= 192) return { ...two, keys: 96, turns: false };
  return { ...two, keys: 80, turns: false };
}
var mostShared2 = 227 * 1024;
function forwardLayout(shape2, tile) {
  const queryBytes = chunks(shape2.d) * tile.rows * 128;
  const keyBytes = chunks(shape2.d) * tile.keys * 128;
  const valueBytes = chunks(shape2.e) * tile.keys * 128;
  const streams = tile.stages * (keyBytes + valueBytes);
  const rest = (queryStages2) => 8 * (2 * queryStages2 + 4 * tile.stages) + 8 * queryStages2 + 4 * tile.stages;
  const bytes = (queryStages2) => queryStages2 * queryBytes + streams + rest(queryStages2) + 1024;
  const queryStages = bytes(2) <= mostShared2 ? 2 : 1;
  const key = queryStages * queryBytes;
  const value = key + tile.stages * keyBytes;
  const barriers = key + streams;
  const notes = barriers + 8 * (2 * queryStages + 4 * tile.stages);
  const sharedBytes = bytes(queryStages);
  return {
    threads: 128 + 2 * tile.rows,
    query: 0,
    key,
    value,
    barriers,
    notes,
    queryStages,
    queryBytes,
    keyBytes,
    valueBytes,
    sharedBytes
  };
}

// compiler/backends/cuda/sm90/backward-shape.ts
var backwardLimit = 128;
function backwardTile({ d, e }) {
  const small = Math.max(d, e) <= 64;
  return { keys: 128, rows: small ? 128 : 64, stages: 2, registers: small ? [40, 232] : [24, 240] };
}
function backwardLayout({ d, e }, tile) {
  const keyChunks = tile.rows === 64 ? 2 : 1;
  const keyBytes = keyChunks * tile.keys * 128;
  const valueBytes = chunks(e) * tile.keys * 128;
  const queryBytes = chunks(d) * tile.rows * 128;
  const outBytes = chunks(e) * tile.rows * 128;
  const slopeBytes = tile.rows * tile.keys * 2;
  const gradientCount = tile.rows === 64 ? 32 : d / 2;
  const gradientBytes = gradientCount * 128 * 4;
  const value = keyBytes;
  const query = value + valueBytes;
  const out = query + tile.stages * queryBytes;
  const slope = out + tile.stages * outBytes;
  const gradient = slope + 2 * slopeBytes;
  const rows2 = gradient + 2 * gradientBytes;
  const barriers = rows2 + tile.stages * 2 * tile.rows * 4;
  const notes = barriers + 8 * (2 + 4 * tile.stages + 6);
  const sharedBytes = notes + 16 * (tile.stages + 4 + 1) + 1024;
  return {
    threads: 384,
    keyChunks,
    key: 0,
    value,
    query,
    out,
    slope,
    gradient,
    rows: rows2,
    barriers,
    notes,
    keyBytes,
    valueBytes,
    queryBytes,
    outBytes,
    slopeBytes,
    gradientBytes,
    gradientCount,
    sharedBytes
  };
}

// compiler/backends/cuda/sm90/ptx.ts
var elementName = (element) => element === "bf16" ? c`bf16` : c`f16`;
var ptxText = (element) => c`${scalarPrelude("approximate")}
typedef unsigned int u32;
typedef unsigned long long u64;
#define LCTX_LOG2E 1.44269504f
#define LCTX_LN2 0.693147181f

struct __align__(64) lctx_map { u64 words[16]; };

LCTX_DEVICE u32 lctx_shared(const void *at) { return (u32)__cvta_generic_to_shared(at); }

/* Barriers in shared memory. */
LCTX_DEVICE void lctx_barrier_init(u32 at, u32 count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(at), "r"(count) : "memory");
}
LCTX_DEVICE void lctx_barriers_ready() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
LCTX_DEVICE void lctx_arrive(u32 at) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(at) : "memory");
}
LCTX_DEVICE void lctx_expect(u32 at, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(at), "r"(bytes) : "memory");
}
LCTX_DEVICE void lctx_wait(u32 at, u32 phase) {
  asm volatile(
      "{ .reg .pred done; again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;"
      " @done bra ready; bra again; ready: }" ::"r"(at), "r"(phase) : "memory");
}
/* Orders ordinary writes to shared memory before reads of the tensor cores and of the copy engine. */
LCTX_DEVICE void lctx_fence_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/* Named barriers. */
LCTX_DEVICE void lctx_meet(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
LCTX_DEVICE void lctx_announce(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/* Bulk copies; coordinates innermost first. */
LCTX_DEVICE void lctx_load_tile(u32 to, const lctx_map *map, u32 barrier, int x, int y, int z, int w, u64 hint) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint"
      " [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(to), "l"(map), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w),
      "l"(hint) : "memory");
}
LCTX_DEVICE void lctx_prefetch_map(const lctx_map *map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
#define LCTX_READ_ONCE 0x12F0000000000000ull
#define LCTX_READ_OFTEN 0x14F0000000000000ull
LCTX_DEVICE void lctx_load_row(u32 to, const void *from, u32 bytes, u32 barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier) : "memory");
}
LCTX_DEVICE void lctx_add_bulk(float *to, u32 from, u32 bytes) {
  asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(
                   __cvta_generic_to_global(to)), "r"(from), "r"(bytes) : "memory");
}
LCTX_DEVICE void lctx_store_bulk(float *to, u32 from, u32 bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(__cvta_generic_to_global(to)),
               "r"(from), "r"(bytes) : "memory");
}
LCTX_DEVICE void lctx_bulk_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
LCTX_DEVICE void lctx_bulk_wait_read() { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }
LCTX_DEVICE void lctx_bulk_wait() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }

/* Descriptor of a swizzled tile; \`chunk\`: bytes between blocks of 64 columns of an operand read across its rows. */
LCTX_DEVICE u64 lctx_tile(u32 at, u32 chunk) {
  return (1ull << 62) | (64ull << 32) | ((u64)(chunk >> 4) << 16) | (u64)((at & 0x3FFFF) >> 4);
}
LCTX_DEVICE void lctx_mma_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
LCTX_DEVICE void lctx_mma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

LCTX_DEVICE float lctx_log2(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/* Two elements in one word, the first in its low half. */
LCTX_DEVICE u32 lctx_pack(float low, float high) {
  u32 word;
  asm("cvt.rn.${elementName(element)}x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}
${element === "bf16" ? unpackBf16 : unpackF16}
LCTX_DEVICE int lctx_lane() { return threadIdx.x & 31; }
LCTX_DEVICE float lctx_swap(float x, int lanes) { return __shfl_xor_sync(0xffffffffu, x, lanes); }
/* Maximum and sum over the four threads that hold a row of an accumulator. */
LCTX_DEVICE float lctx_row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
LCTX_DEVICE float lctx_row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
/* Each of four neighbouring threads holds word i of groups 0..3 (w0..w3); afterwards thread i holds all of group i. */
LCTX_DEVICE uint4 lctx_gather_words(u32 w0, u32 w1, u32 w2, u32 w3, int i) {
  u32 a = i & 1 ? w0 : w1, b = i & 1 ? w2 : w3;
  a = __shfl_xor_sync(0xffffffffu, a, 1);
  b = __shfl_xor_sync(0xffffffffu, b, 1);
  /* Even threads: groups 0 and 2; odd threads: groups 1 and 3; words of the pair of threads. */
  const u32 x0 = i & 1 ? a : w0, x1 = i & 1 ? w1 : a, y0 = i & 1 ? b : w2, y1 = i & 1 ? w3 : b;
  u32 e = i & 2 ? x0 : y0, f = i & 2 ? x1 : y1;
  e = __shfl_xor_sync(0xffffffffu, e, 2);
  f = __shfl_xor_sync(0xffffffffu, f, 2);
  return i & 2 ? make_uint4(e, f, y0, y1) : make_uint4(x0, x1, e, f);
}
`;
var unpackBf16 = c`LCTX_DEVICE float lctx_low(u32 word) { return __uint_as_float(word << 16); }
LCTX_DEVICE float lctx_high(u32 word) { return __uint_as_float(word & 0xffff0000u); }
`;
var unpackF16 = c`LCTX_DEVICE float lctx_low(u32 word) {
  float x;
  asm("{ .reg .b16 a, b; mov.b32 {a, b}, %1; cvt.f32.f16 %0, a; }" : "=f"(x) : "r"(word));
  return x;
}
LCTX_DEVICE float lctx_high(u32 word) {
  float x;
  asm("{ .reg .b16 a, b; mov.b32 {a, b}, %1; cvt.f32.f16 %0, b; }" : "=f"(x) : "r"(word));
  return x;
}
`;

// compiler/backends/cuda/sm90/wgmma.ts
var range = (to, from = 0) => Array.from({ length: to - from }, (_, n) => from + n);
var list = (parts) => joinFragments(parts, c`, `);
function productText(product3, element) {
  const { name, columns, left, right } = product3;
  if (columns % 8 !== 0 || columns < 8 || columns > 256) throw new Error(`no product has ${columns} columns`);
  const count2 = columns / 2;
  const type = elementName(element);
  const accumulators = list(range(count2).map((n) => c`%${n}`));
  const operands = list(range(count2).map((n) => c`"+f"(d[${n}])`));
  const instruction = c`wgmma.mma_async.sync.aligned.m64n${columns}k16.f32.${type}.${type}`;
  const across = right === "columns" ? 1 : 0;
  if (left === "registers")
    return c`LCTX_DEVICE void ${name}(float (&d)[${count2}], u32 a0, u32 a1, u32 a2, u32 a3, u64 b, int keep) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %${count2 + 5}, 0; ${instruction} {${accumulators}},"
    " {%${count2}, %${count2 + 1}, %${count2 + 2}, %${count2 + 3}}, %${count2 + 4}, p, 1, 1, ${across}; }"
    : ${operands}
    : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(b), "r"(keep));
}
`;
  return c`LCTX_DEVICE void ${name}(float (&d)[${count2}], u64 a, u64 b, int keep) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %${count2 + 2}, 0; ${instruction} {${accumulators}},"
    " %${count2}, %${count2 + 1}, p, 1, 1, ${left === "columns" ? 1 : 0}, ${across}; }"
    : ${operands}
    : "l"(a), "l"(b), "r"(keep));
}
`;
}
function waitText(name, count2, pending) {
  return c`LCTX_DEVICE void ${name}(float (&d)[${count2}]) {
  asm volatile("wgmma.wait_group.sync.aligned ${pending};" : ${list(range(count2).map((n) => c`"+f"(d[${n}])`))}::"memory");
}
`;
}

// compiler/backends/cuda/sm90/backward-rows-text.ts
var preparedRows = 64;
function prepareText({ entry, shape: { heads, e }, element }) {
  const words = e / 8;
  const lanes = range(6).map((n) => 1 << n).find((n) => n >= Math.max(4, words));
  const perPass = 256 / lanes;
  const sums = range(4).map((n) => {
    const field = [c`x`, c`y`, c`z`, c`w`][n];
    return c`lctx_low(a.${field}) * lctx_low(g.${field}) + lctx_high(a.${field}) * lctx_high(g.${field})`;
  });
  return c`${ptxText(element)}
extern "C" __global__ void __launch_bounds__(256) ${entry}(const unsigned short *output, const unsigned short *gradient,
    const float *lse, float *powers, float *deltas, int queries, int padded) {
  const int h = blockIdx.y, b = blockIdx.z, lane = threadIdx.x % ${lanes};
#pragma unroll
  for (int pass = 0; pass < ${preparedRows / perPass}; pass++) {
    const int t = blockIdx.x * ${preparedRows} + pass * ${perPass} + threadIdx.x / ${lanes};
    const size_t row = ((size_t)b * queries + t) * ${heads} + h;
    float sum = 0.0f;
    if (t < queries && lane < ${words}) {
      const uint4 a = ((const uint4 *)(output + row * ${e}))[lane], g = ((const uint4 *)(gradient + row * ${e}))[lane];
      sum = ${joinFragments(sums, c` + `)};
    }
#pragma unroll
    for (int n = ${lanes / 2}; n > 0; n /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, n);
    if (lane == 0 && t < padded) {
      const size_t to = ((size_t)b * ${heads} + h) * padded + t;
      const float own = t < queries ? lse[row] : -LCTX_INF;
      powers[to] = own == -LCTX_INF ? LCTX_INF : own * LCTX_LOG2E;
      deltas[to] = sum;
    }
  }
}
`;
}
function finishText({ entry, shape: shape2, tile, element, scale }) {
  const { heads, d } = shape2;
  const layout = backwardLayout(shape2, tile);
  const pieces = d / 8;
  const half = layout.gradientCount * 128;
  const place = tile.rows === 64 ? c`(j / 8) * ${half} + ((j % 8) * 128 + r / 16 * 32 + r % 8 * 4) * 4 + (r / 8 % 2) * 2` : c`(r / 64) * ${half} + (j * 128 + r % 64 / 16 * 32 + r % 8 * 4) * 4 + (r / 8 % 2) * 2`;
  const word2 = (n) => c`lctx_pack(from[${4 * n}] * ${realLiteral(scale)}, from[${4 * n + 1}] * ${realLiteral(scale)})`;
  return c`${ptxText(element)}
extern "C" __global__ void __launch_bounds__(256) ${entry}(const float *sums, const int *turns, unsigned short *gradient, int queries) {
  const int m = blockIdx.x, h = blockIdx.y, b = blockIdx.z;
  /* Sums that nothing was added to are not set. */
  const bool some = turns[((size_t)b * ${heads} + h) * gridDim.x + m] > 0;
  const float *step = sums + (((size_t)b * ${heads} + h) * gridDim.x + m) * ${2 * half};
#pragma unroll 4
  for (int n = threadIdx.x; n < ${tile.rows * pieces}; n += 256) {
    const int r = n / ${pieces}, j = n % ${pieces}, t = m * ${tile.rows} + r;
    if (t >= queries) break;
    const float *from = step + ${place};
    *(uint4 *)(gradient + (((size_t)b * queries + t) * ${heads} + h) * ${d} + 8 * j) =
        some ? make_uint4(${joinFragments(range(4).map(word2), c`, `)}) : make_uint4(0, 0, 0, 0);
  }
}
`;
}

// compiler/backends/cuda/sm90/backward-roles-text.ts
var loads = (map3, to, pieces, rows2, bar, hint, at) => joinFragments(
  range(pieces).map(
    (n) => c`lctx_load_tile(${to} + ${n * rows2 * 128}, &${map3}, ${bar}, ${64 * n}, ${at}, ${hint});`
  ),
  c`
          `
);
var turnText = ({ tile }) => c`
LCTX_DEVICE int lctx_turn(const lctx_pairs &p, int b, int h, int q0, int q1, int n) {
  const lctx_ranges r = lctx_key_ranges(p, b, h, q0, q1, ${tile.keys});
  if (!lctx_within(r, n)) return -1;
  int ahead = 0, at = 0;
#pragma unroll
  for (int i = 0; i < LCTX_MOST_RANGES; i++)
    if (i < r.count && at < n) {
      const int from = lctx_next_block(r, at);
      if (from == LCTX_NO_BLOCK) break;
      int to = from;
#pragma unroll
      for (int x = 0; x < LCTX_MOST_RANGES; x++)
        if (x < r.count && from >= r.from[x] && from < r.to[x]) to = max(to, r.to[x]);
      ahead += max(0, min(to, n) - min(from, n));
      at = to;
    }
  return ahead;
}
`;
var topText = ({ tile }) => c`
LCTX_DEVICE int lctx_top_step(const lctx_pairs &p, int b, int h, int k0, int keys, int steps) {
  if (k0 >= keys) return steps - 1;
  const lctx_ranges r = lctx_query_ranges(p, b, h, k0, min(k0 + ${tile.keys}, keys) - 1, ${tile.rows});
  const int top = lctx_previous_block(r, steps - 1);
  return top < 0 ? steps - 1 : top;
}
`;
function loaderText({ shape: shape2, tile, sparse }) {
  const { heads, groups, d, e } = shape2;
  const layout = backwardLayout(shape2, tile);
  const asked = sparse ? c` && lctx_any(p, b, h, q0, q1, k0, min(k1, keys - 1))` : c``;
  const turn = sparse ? c`int next_turn = 0;
            if (some_steps) {
              const int qa = start + (next >> 1) * ${tile.rows}, qb = min(qa + ${tile.rows}, start + queries) - 1;
              const lctx_ranges r = lctx_key_ranges(p, b, h, qa, qb, ${tile.keys});
              for (int first = lctx_next_block(r, 0); first < n; first = lctx_next_block(r, first + 32)) {
                const int x = first + lane;
                const bool adds = x < n && lctx_within(r, x) &&
                                  lctx_any(p, b, h, qa, qb, x * ${tile.keys}, min(x * ${tile.keys} + ${tile.keys - 1}, keys - 1));
                next_turn += __popc(__ballot_sync(0xffffffffu, adds));
              }
            }` : c`const int next_turn = __shfl_sync(0xffffffffu, turn, bit);`;
  return c`
    const int lane = threadIdx.x;
    if (lane == 0) {
      lctx_expect(KEYS_FULL, ${layout.keyBytes + layout.valueBytes});
      ${loads(c`keys_map`, c`shared + ${layout.key}`, layout.keyChunks, tile.keys, c`KEYS_FULL`, c`LCTX_READ_ONCE`, c`g, k0, b`)}
      ${loads(c`values_map`, c`shared + ${layout.value}`, chunks(e), tile.keys, c`KEYS_FULL`, c`LCTX_READ_ONCE`, c`g, k0, b`)}
    }
    int at = 0, opened = 0, found = -1, found_head = 0, found_turn = 0;
    u32 phase = 0;
    /*
     * Steps go from the last queries that the next block of keys adds to down to the first, as those after it will, then
     * up from there; in lots of 32, chosen by the same test as steps.
     */
    const int steps_all = padded / ${tile.rows};
#pragma unroll 1
    for (int member = 0; member <= ${heads / groups}; member++) {
      const bool end = member == ${heads / groups};
      const int h = g * ${heads / groups} + member;
      const int top = end ? 0 : lctx_top_step(p, b, h, k1 + 1, keys, steps_all);
#pragma unroll 1
      for (int lot = 0; (lot < steps_all && !end) || lot == 0; lot += 1024) {
        const int lot_at = lot + 32 * lane, lot_end = min(lot_at + 31, steps_all - 1);
        const int lot_first = lot_at > top ? lot_at : max(top - lot_end, 0);
        const int lot_last = lot_end > top ? lot_end : top - lot_at;
        const bool touched = !end && lot_at < steps_all && lctx_turn(p, b, h, start + lot_first * ${tile.rows},
            start + min((lot_last + 1) * ${tile.rows}, queries) - 1, n) >= 0;
        u32 lots = __ballot_sync(0xffffffffu, touched) | (end ? 1u : 0u);
#pragma unroll 1
        for (; lots; lots &= lots - 1) {
          const int from = lot + 32 * (__ffs(lots) - 1), place = from + lane;
          const int m = place > top ? place : top - place, q0 = start + m * ${tile.rows}, full1 = q0 + ${tile.rows - 1};
          const int q1 = min(full1, start + queries - 1);
          const int turn = !end && place < steps_all ? lctx_turn(p, b, h, q0, q1, n) : -1;
          const bool some = turn >= 0${asked};
          const bool open = some && k1 < keys && full1 == q1 && lctx_all(p, b, h, q0, q1, k0, k1);
          u32 some_steps = __ballot_sync(0xffffffffu, some);
          const u32 open_steps = __ballot_sync(0xffffffffu, open);
          while (some_steps || (end && found >= 0) || (end && !opened)) {
            const int bit = (__ffs(some_steps) - 1) & 31;
            const int next = some_steps ? 2 * (from + bit > top ? from + bit : top - from - bit) + !(open_steps >> bit & 1) : -1;
            ${turn}
            some_steps &= some_steps - 1;
            if (found < 0 && end) {
              /* Nothing sees these keys. */
              opened = 1;
              if (lane == 0) {
                steps[0] = make_int4(0, 0, 8, 0);
                lctx_arrive(QUERY_FULL(0));
              }
            }
            if (found >= 0) opened = 1;
            if (found >= 0 && lane == 0) {
              const int z = (found >> 1) * ${tile.rows};
              const size_t row = ((size_t)b * ${heads} + found_head) * padded + z;
              lctx_wait(QUERY_FREE(at), phase ^ 1);
              steps[at] = make_int4(found >> 1, found_head, (next < 0 ? 2 : 0) + (found & 1), found_turn);
              lctx_expect(QUERY_FULL(at), ${layout.queryBytes + 4 * tile.rows});
          ${loads(c`queries_map`, c`shared + ${layout.query} + at * ${layout.queryBytes}`, chunks(d), tile.rows, c`QUERY_FULL(at)`, c`LCTX_READ_OFTEN`, c`found_head, z, b`)}
              lctx_load_row(shared + ${layout.rows} + at * ${8 * tile.rows}, powers + row, ${4 * tile.rows}, QUERY_FULL(at));
              lctx_wait(OUT_FREE(at), phase ^ 1);
              lctx_expect(OUT_FULL(at), ${layout.outBytes + 4 * tile.rows});
          ${loads(c`outs_map`, c`shared + ${layout.out} + at * ${layout.outBytes}`, chunks(e), tile.rows, c`OUT_FULL(at)`, c`LCTX_READ_OFTEN`, c`found_head, z, b`)}
              lctx_load_row(shared + ${layout.rows} + at * ${8 * tile.rows} + ${4 * tile.rows}, deltas + row, ${4 * tile.rows}, OUT_FULL(at));
            }
            if (found >= 0 && ++at == ${tile.stages}) at = 0, phase ^= 1;
            found = next;
            found_head = h;
            found_turn = next_turn;
          }
        }
      }
    }
    return;`;
}
function adderText({ shape: shape2, tile, ordered }) {
  const { heads } = shape2;
  const layout = backwardLayout(shape2, tile);
  const wait = ordered ? c`
        if (w == 0) {
          /* A turn that never comes would be a mistake in this kernel: an error then, not a program that hangs. */
          int passed, patience = 1 << 26;
          do asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(passed) : "l"(turns + place) : "memory");
          while (passed != step.w && --patience);
          if (!patience) __trap();
          asm volatile("fence.proxy.async;" ::: "memory");
        }` : c``;
  const add2 = c`lctx_add_bulk(to, from, ${layout.gradientBytes});`;
  return c`
    if (threadIdx.x != 32 && threadIdx.x != 64) return;
    const int odd = threadIdx.x == 64;
    u32 phase = 0;
    for (;;) {
      int4 step;
      size_t place;
#pragma unroll
      for (int w = 0; w < 2; w++) {
        lctx_wait(SHARE_FULL(odd, w), phase);
        const volatile int4 &note = shares[2 * odd + w];
        step.x = note.x, step.y = note.y, step.z = note.z, step.w = note.w;
        if (step.z & 4) return;
        place = ((size_t)b * ${heads} + step.y) * (padded / ${tile.rows}) + step.x;${wait}
        float *to = sums + place * ${layout.gradientBytes / 2} + w * ${layout.gradientBytes / 4};
        const u32 from = shared + ${layout.gradient} + w * ${layout.gradientBytes};
        ${ordered ? c`if (step.w == 0) lctx_store_bulk(to, from, ${layout.gradientBytes});
        else ${add2}` : add2}
        lctx_bulk_commit();
        lctx_bulk_wait_read();
        lctx_arrive(SHARE_FREE(w));
      }
      lctx_bulk_wait();
      asm volatile("fence.proxy.async;" ::: "memory");
      asm volatile("red.release.gpu.global.add.s32 [%0], 1;" ::"l"(turns + place) : "memory");
      phase ^= 1;
    }`;
}

// compiler/backends/cuda/sm90/forward-rows-text.ts
var scalesFirst = (scale, pairs) => pairs.scored || !(scale > 0);
var keyText = c`
#define LCTX_KEY
struct lctx_key {
  int at;
  float real;
  __device__ __forceinline__ operator int() const { return at; }
  __device__ __forceinline__ explicit operator float() const { return real; }
};
`;
function scoresText({ pairs, scale, tile, looksUp, steady }) {
  const count2 = tile.keys / 2;
  const scaled2 = scalesFirst(scale, pairs) ? c`s[i] * ${realLiteral(scale)}` : c`s[i]`;
  const score = steady ? c`fmaf(s[i], ${realLiteral(scale)}, fmaf(rise, (float)step, i & 2 ? level1 : level0))` : pairs.scored ? c`lctx_score(p, ${scaled2}, b, h, row, key)` : scaled2;
  const place = c`[[maybe_unused]] const int row = i & 2 ? q1 : q0, step = (i >> 2) * 8 + (i & 1), column = k + step;${pairs.scored && !steady ? c`\n    const lctx_key key = {column, real + (float)step};` : c``}`;
  const first = steady ? c`
  const lctx_key start = {k, (float)k}, one = {1, 1.0f}, none = {0, 0.0f};
  const float level0 = lctx_score(p, 0.0f, b, h, q0, start), level1 = lctx_score(p, 0.0f, b, h, q1, start);
  const float rise = lctx_score(p, 0.0f, b, h, 0, one) - lctx_score(p, 0.0f, b, h, 0, none);` : pairs.scored ? c`
  const float real = (float)k;` : c``;
  const plain2 = scalesFirst(scale, pairs) ? c`${first}
#pragma unroll
  for (int i = 0; i < ${count2}; i++) {
    ${pairs.scored ? place : c``}
    s[i] = ${score};
  }` : c``;
  const head = c`
LCTX_DEVICE void lctx_scores(const lctx_pairs &p, float (&s)[${count2}], int b, int h, int q0, int q1, int k) {${plain2}
}
LCTX_DEVICE void lctx_guarded_scores(const lctx_pairs &p, float (&s)[${count2}], int b, int h, int q0, int q1, int k,
                                     int keys) {`;
  if (!looksUp)
    return c`${head}${first}
#pragma unroll
  for (int i = 0; i < ${count2}; i++) {
    ${place}
    s[i] = (column < keys) & lctx_see(p, b, h, row, column) ? ${score} : -LCTX_INF;
  }
}
`;
  const word2 = tile.keys > 128 ? c`u64` : c`u32`;
  return c`${head}${first}
  ${word2} seen0 = 0, seen1 = 0;
#pragma unroll 4
  for (int n = 0; n < ${count2 / 2}; n++) {
    const int column = k + (n >> 1) * 8 + (n & 1);
    if (column < keys) {
      seen0 |= (${word2})lctx_see(p, b, h, q0, column) << n;
      seen1 |= (${word2})lctx_see(p, b, h, q1, column) << n;
    }
  }
#pragma unroll
  for (int i = 0; i < ${count2}; i++) {
    ${pairs.scored ? place : c``}
    s[i] = (i & 2 ? seen1 : seen0) >> ((i >> 2) * 2 + (i & 1)) & 1 ? ${score} : -LCTX_INF;
  }
}
`;
}
function softmaxText({ tile, shape: shape2, scale, pairs }) {
  const [s, o] = [tile.keys / 2, shape2.e / 2];
  const exponent = scalesFirst(scale, pairs) ? Math.LOG2E : scale * Math.LOG2E;
  return c`
#define LCTX_EXPONENT ${realLiteral(exponent)}
typedef struct { float most0, most1, sum0, sum1, fade0, fade1; } lctx_state;
LCTX_DEVICE void lctx_weights(float (&s)[${s}], lctx_state &x) {
  float most0 = x.most0, most1 = x.most1;
#pragma unroll
  for (int i = 0; i < ${s}; i += 4) {
    most0 = fmaxf(most0, fmaxf(s[i], s[i + 1]));
    most1 = fmaxf(most1, fmaxf(s[i + 2], s[i + 3]));
  }
  most0 = lctx_row_max(most0);
  most1 = lctx_row_max(most1);
  /* A row that has seen nothing yet keeps 0 as its reference, so that its weights are 0 and not NaN. */
  const float at0 = most0 == -LCTX_INF ? 0.0f : most0 * LCTX_EXPONENT;
  const float at1 = most1 == -LCTX_INF ? 0.0f : most1 * LCTX_EXPONENT;
  x.fade0 = lctx_ex2(x.most0 * LCTX_EXPONENT - at0);
  x.fade1 = lctx_ex2(x.most1 * LCTX_EXPONENT - at1);
  x.most0 = most0;
  x.most1 = most1;
  float sum0 = x.sum0 * x.fade0, sum1 = x.sum1 * x.fade1;
#pragma unroll
  for (int i = 0; i < ${s}; i += 4) {
    s[i] = lctx_ex2(s[i] * LCTX_EXPONENT - at0);
    s[i + 1] = lctx_ex2(s[i + 1] * LCTX_EXPONENT - at0);
    s[i + 2] = lctx_ex2(s[i + 2] * LCTX_EXPONENT - at1);
    s[i + 3] = lctx_ex2(s[i + 3] * LCTX_EXPONENT - at1);
    sum0 += s[i] + s[i + 1];
    sum1 += s[i + 2] + s[i + 3];
  }
  x.sum0 = sum0;
  x.sum1 = sum1;
}
LCTX_DEVICE void lctx_fade(float (&o)[${o}], const lctx_state &x) {
#pragma unroll
  for (int i = 0; i < ${o}; i += 4) {
    o[i] *= x.fade0;
    o[i + 1] *= x.fade0;
    o[i + 2] *= x.fade1;
    o[i + 3] *= x.fade1;
  }
}
`;
}
function writeRowsText(name, columns) {
  const whole2 = Math.floor(columns / 32);
  const rest = columns % 32 / 8;
  const word2 = (j) => c`lctx_pack(d[4 * (${j}) + 2 * half] * factor, d[4 * (${j}) + 2 * half + 1] * factor)`;
  const tail = rest === 0 ? c`` : c`
  const uint4 last = lctx_gather_words(${joinFragments(
    range(4).map((j) => j < rest ? word2(c`${whole2 * 4 + j}`) : c`0u`),
    c`, `
  )}, i);
  if (to && i < ${rest}) *(uint4 *)(to + ${whole2 * 32} + 8 * i) = last;`;
  return c`
/* One row of the accumulator, half 0 or 1; \`to\`: its first element, or null. All four threads of the row take part. */
LCTX_DEVICE void ${name}(unsigned short *to, const float (&d)[${columns / 2}], const int half, float factor, int i) {
#pragma unroll
  for (int n = 0; n < ${whole2}; n++) {
    const uint4 words = lctx_gather_words(${joinFragments(
    range(4).map((j) => word2(c`4 * n + ${j}`)),
    c`,
                                          `
  )}, i);
    if (to) *(uint4 *)(to + 32 * n + 8 * i) = words;
  }${tail}
}
`;
}
var blockRangesText = c`
LCTX_DEVICE bool lctx_within(const lctx_ranges &r, int block) {
  bool found = false;
#pragma unroll
  for (int i = 0; i < LCTX_MOST_RANGES; i++) found = found || (i < r.count && block >= r.from[i] && block < r.to[i]);
  return found;
}
`;

// compiler/backends/cuda/sm90/backward-text.ts
function slopesText({ pairs, scale, tile, looksUp, trains }) {
  const count2 = tile.rows / 2;
  const loop = (guard) => {
    const column = guard ? c`min(q + (i >> 2) * 8 + (i & 1), last)` : c`q + (i >> 2) * 8 + (i & 1)`;
    const inline = guard && !looksUp;
    const place = pairs.scored || inline || trains ? c`const int row = ${column}, column = i & 2 ? k + 8 : k;` : c``;
    const exponent = pairs.scored ? c`lctx_score(p, s[i] * ${realLiteral(scale)}, b, h, row, column) * LCTX_LOG2E` : c`s[i] * ${realLiteral(scale * Math.LOG2E)}`;
    const weight = c`lctx_ex2(${exponent} - (i & 1 ? power.y : power.x))`;
    const slope = pairs.scored ? c` * lctx_slope(p, s[i] * ${realLiteral(scale)}, b, h, row, column)` : c``;
    const seen2 = inline ? c`(column < keys) & lctx_see(p, b, h, row, column) ? ${weight} : 0.0f` : guard ? c`(i & 2 ? seen1 : seen0) >> ((i >> 2) * 2 + (i & 1)) & 1 ? ${weight} : 0.0f` : weight;
    return c`
#pragma unroll
  for (int i = 0; i < ${count2}; i++) {
    const float2 power = powers[(i >> 2) * 4], delta = deltas[(i >> 2) * 4];
    ${place}
    const float weight = ${seen2};
    const float share = weight * (dp[i] - (i & 1 ? delta.y : delta.x));${trains ? c`\n    lctx_take_share(o, trained, p, share, s[i] * ${realLiteral(scale)}, b, h, row, column);` : c``}
    dp[i] = share${slope};
    s[i] = weight;
  }
`;
  };
  const seen = c`
  u32 seen0 = 0, seen1 = 0;
#pragma unroll 4
  for (int n = 0; n < ${count2 / 2}; n++) {
    const int row = min(q + (n >> 1) * 8 + (n & 1), last);
    if (k < keys) seen0 |= (u32)lctx_see(p, b, h, row, k) << n;
    if (k + 8 < keys) seen1 |= (u32)lctx_see(p, b, h, row, k + 8) << n;
  }`;
  const signature = c`const lctx_pairs &p, float (&s)[${count2}], float (&dp)[${count2}], const float2 *powers,
    const float2 *deltas, int b, int h, int q, int k${trains ? c`, lctx_shares &o, const lctx_trained &trained` : c``}`;
  return c`
LCTX_DEVICE void lctx_slopes(${signature}) {${loop(false)}}
LCTX_DEVICE void lctx_guarded_slopes(${signature}, int keys, int last) {${looksUp ? seen : c``}
${loop(true)}}
`;
}
function backwardText2(options) {
  const { entry, shape: shape2, tile, element, scale, pairs, trains } = options;
  const trained = trainedText(pairs, trains);
  const runsOn = tile.rows === 64 && !trains;
  const shares = trains ? c`, own_shares, trained` : c``;
  const { groups, d, e } = shape2;
  const layout = backwardLayout(shape2, tile);
  const { stages, rows: rows2 } = tile;
  const count2 = rows2 / 2;
  const shared = rows2 === 64;
  const free = (bar) => c`__syncwarp();
      if (lane == 0) lctx_arrive(${bar});`;
  return c`${ptxText(element)}
${productText({ name: c`lctx_pairs_product`, columns: rows2, left: "rows", right: "rows" }, element)}
${productText({ name: c`lctx_value_product`, columns: e, left: "registers", right: "columns" }, element)}
${d === e ? c`#define lctx_key_product lctx_value_product` : productText({ name: c`lctx_key_product`, columns: d, left: "registers", right: "columns" }, element)}
${productText({ name: c`lctx_query_product`, columns: 2 * layout.gradientCount, left: "columns", right: "columns" }, element)}
${waitText(c`lctx_pairs_first`, count2, 1)}${waitText(c`lctx_pairs_done`, count2, 0)}
${waitText(c`lctx_query_first`, layout.gradientCount, 1)}
${waitText(c`lctx_values_done`, e / 2, 0)}${d === e ? c`#define lctx_keys_done lctx_values_done` : waitText(c`lctx_keys_done`, d / 2, 0)}
${pairs.functions}${trains ? trained.functions : c``}${blockRangesText}${turnText(options)}${topText(options)}${slopesText(options)}
${writeRowsText(c`lctx_write_values`, e)}${d === e ? c`#define lctx_write_keys lctx_write_values` : writeRowsText(c`lctx_write_keys`, d)}
#define KEYS_FULL (bars)
#define QUERY_FULL(n) (bars + 16 + 8 * (n))
#define QUERY_FREE(n) (bars + ${16 + 8 * stages} + 8 * (n))
#define OUT_FULL(n) (bars + ${16 + 16 * stages} + 8 * (n))
#define OUT_FREE(n) (bars + ${16 + 24 * stages} + 8 * (n))
#define SHARE_FREE(n) (bars + ${16 + 32 * stages} + 8 * (n))
#define SHARE_FULL(odd, n) (bars + ${32 + 32 * stages} + 16 * (odd) + 8 * (n))

extern "C" __global__ void __launch_bounds__(${layout.threads}, 1) ${entry}(
    ${pairs.parameters}${trained.parameters}const __grid_constant__ lctx_map queries_map, const __grid_constant__ lctx_map keys_map,
    const __grid_constant__ lctx_map values_map, const __grid_constant__ lctx_map outs_map, const float *powers,
    const float *deltas, float *sums, unsigned short *key_gradient, unsigned short *value_gradient, int *turns,
    int *counter, int batch, int queries, int keys, int start, int padded, int band) {
  extern __shared__ char raw[];
  ${pairs.build}${trains ? c`\n  ${trained.build}` : c``}
  char *base = raw + ((1024 - (lctx_shared(raw) & 1023)) & 1023);
  const u32 shared = lctx_shared(base), bars = shared + ${layout.barriers};
  /* Of each stage: step, head, 2 (the last one) + 1 (pairs must be checked), place in the order. */
  int4 *steps = (int4 *)(base + ${layout.notes});
  volatile int4 *shares = (volatile int4 *)(steps + ${stages});
  volatile int *work = (volatile int *)(steps + ${stages + 4});
  const int group = __shfl_sync(0xffffffffu, threadIdx.x / 128, 0);
  if (threadIdx.x == 0) {
    work[0] = atomicAdd(counter, 1);
    lctx_prefetch_map(&queries_map), lctx_prefetch_map(&keys_map);
    lctx_prefetch_map(&values_map), lctx_prefetch_map(&outs_map);
    lctx_barrier_init(KEYS_FULL, 1);
    for (int n = 0; n < ${stages}; n++) {
      lctx_barrier_init(QUERY_FULL(n), 1), lctx_barrier_init(QUERY_FREE(n), 8);
      lctx_barrier_init(OUT_FULL(n), 1), lctx_barrier_init(OUT_FREE(n), 8);
    }
    for (int n = 0; n < 2; n++) {
      lctx_barrier_init(SHARE_FULL(0, n), 4), lctx_barrier_init(SHARE_FULL(1, n), 4);
      lctx_barrier_init(SHARE_FREE(n), 1);
    }
    lctx_barriers_ready();
  }
  __syncthreads();
  const int blocks = (keys + ${tile.keys - 1}) / ${tile.keys}, key_heads = batch * ${groups};
  const int whole = band * blocks, lot = work[0] / whole, in_lot = work[0] % whole;
  const int lot_heads = min(band, key_heads - lot * band), key_head = lot * band + in_lot % lot_heads;
  const int n = in_lot / lot_heads;
  const int b = key_head / ${groups}, g = key_head % ${groups}, k0 = n * ${tile.keys}, k1 = k0 + ${tile.keys - 1};

  if (group == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 ${tile.registers[0]};");
    if (threadIdx.x < 32) {${loaderText(options)}
    }${adderText(options)}
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 ${tile.registers[1]};");
  const int worker = group - 1, thread = threadIdx.x & 127, warp = thread >> 5, lane = thread & 31, quad = lane & 3;
  const int own = worker * 64 + warp * 16 + (lane >> 2);
  float dk[${d / 2}], dv[${e / 2}];
#pragma unroll
  for (int i = 0; i < ${d / 2}; i++) dk[i] = 0.0f;
#pragma unroll
  for (int i = 0; i < ${e / 2}; i++) dv[i] = 0.0f;
  lctx_wait(KEYS_FULL, 0);
  {
    /* Tiles that stay and tiles that move on, from the base of shared memory; this warpgroup's rows, and its half. */
    const u64 still = lctx_tile(shared, ${tile.keys * 128}), moving = lctx_tile(shared, ${rows2 * 128});
    const u64 own_rows = still + worker * 512, own_half = still + worker * ${tile.keys * 8};
    /* This thread's row of a stored matrix of 8 by 8: the key, and which of two pieces of 8 queries. */
    const int stored = worker * 64 + warp * 16 + (lane & 15), piece = lane >> 4;
    const u32 slope_row = shared + ${layout.slope} + stored * 128;
    float4 *share = (float4 *)(base + ${layout.gradient} + worker * ${layout.gradientBytes}) + thread;
    int at = 0, buffer = 0, flags = 0;${trains ? c`\n    lctx_shares own_shares;\n    lctx_start_shares(own_shares);` : c``}
${runsOn ? c`    int before = 0, running = 0;
` : c``}
    u32 phase = 0, share_phase = 1;
    float s[${count2}], dp[${count2}], dq[${layout.gradientCount}];
    u32 w[${rows2 / 4}], ds[${rows2 / 4}];
    while (!(flags & 2)) {
      lctx_wait(QUERY_FULL(at), phase);
      const int4 step = steps[at];
      flags = step.z;
      if (flags & 8) break;
      lctx_mma_begin();
#pragma unroll
      for (int k = 0; k < ${d / 16}; k++)
        lctx_pairs_product(s, own_rows + (${layout.key} + (k / 4) * ${tile.keys * 128} + (k % 4) * 32) / 16,
                           moving + (u64)at * ${layout.queryBytes / 16} + (${layout.query} + (k / 4) * ${rows2 * 128} + (k % 4) * 32) / 16, k > 0);
      lctx_mma_commit();
      lctx_wait(OUT_FULL(at), phase);
      lctx_mma_begin();
#pragma unroll
      for (int k = 0; k < ${e / 16}; k++)
        lctx_pairs_product(dp, own_rows + (${layout.value} + (k / 4) * ${tile.keys * 128} + (k % 4) * 32) / 16,
                           moving + (u64)at * ${layout.outBytes / 16} + (${layout.out} + (k / 4) * ${rows2 * 128} + (k % 4) * 32) / 16, k > 0);
      lctx_mma_commit();
      lctx_pairs_first(s);
${runsOn ? c`      if (running) {
        ${free(c`QUERY_FREE(before)`)}
      }
` : c``}      lctx_pairs_done(dp);
      const float2 *powers_at = (const float2 *)(base + ${layout.rows} + at * ${8 * rows2}) + quad;
      const int q = start + step.x * ${rows2} + 2 * quad;
      if (flags & 1)
        lctx_guarded_slopes(p, s, dp, powers_at, powers_at + ${rows2 / 2}, b, step.y, q, k0 + own${shares}, keys, start + queries - 1);
      else
        lctx_slopes(p, s, dp, powers_at, powers_at + ${rows2 / 2}, b, step.y, q, k0 + own${shares});
#pragma unroll
      for (int i = 0; i < ${rows2 / 4}; i++) w[i] = lctx_pack(s[2 * i], s[2 * i + 1]);
#pragma unroll
      for (int i = 0; i < ${rows2 / 4}; i++) ds[i] = lctx_pack(dp[2 * i], dp[2 * i + 1]);
#pragma unroll
      for (int k = 0; k < ${rows2 / 16}; k++) {
        const u32 to = slope_row + buffer * ${layout.slopeBytes} + (k / 4) * ${tile.keys * 128} + ((((k % 4) * 2 + piece) ^ (stored & 7)) << 4);
        asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(ds[4 * k]),
                     "r"(ds[4 * k + 1]), "r"(ds[4 * k + 2]), "r"(ds[4 * k + 3]) : "memory");
      }
      lctx_mma_begin();
#pragma unroll
      for (int k = 0; k < ${rows2 / 16}; k++)
        lctx_value_product(dv, w[4 * k], w[4 * k + 1], w[4 * k + 2], w[4 * k + 3],
                           moving + (u64)at * ${layout.outBytes / 16} + ${layout.out / 16} + k * 128, 1);
      lctx_mma_commit();
      lctx_fence_shared();
      lctx_meet(1, 256);
      lctx_mma_begin();
#pragma unroll
      for (int k = 0; k < ${tile.keys / 16}; k++)
        lctx_query_product(dq, ${shared ? c`still` : c`own_half`} + (u64)buffer * ${layout.slopeBytes / 16} + ${layout.slope / 16} + k * 128,
                           ${shared ? c`own_half` : c`still`} + ${layout.key / 16} + k * 128, k > 0);
      lctx_mma_commit();
#pragma unroll
      for (int k = 0; k < ${rows2 / 16}; k++)
        lctx_key_product(dk, ds[4 * k], ds[4 * k + 1], ds[4 * k + 2], ds[4 * k + 3],
                         moving + (u64)at * ${layout.queryBytes / 16} + ${layout.query / 16} + k * 128, 1);
      lctx_mma_commit();
      lctx_query_first(dq);
      ${free(c`OUT_FREE(at)`)}
      lctx_wait(SHARE_FREE(worker), share_phase);
      share_phase ^= 1;
#pragma unroll
      for (int i = 0; i < ${layout.gradientCount / 4}; i++)
        share[i * 128] = make_float4(dq[4 * i], dq[4 * i + 1], dq[4 * i + 2], dq[4 * i + 3]);
      lctx_fence_shared();
      if (thread == 0) {
        volatile int4 &note = shares[2 * buffer + worker];
        note.x = step.x, note.y = step.y, note.z = 0, note.w = step.w;
      }
      ${free(c`SHARE_FULL(buffer, worker)`)}
${runsOn ? c`      before = at;
      running = 1;
` : c`      lctx_keys_done(dk);
      ${free(c`QUERY_FREE(at)`)}
`}      buffer ^= 1;
      if (++at == ${stages}) at = 0, phase ^= 1;
    }
    lctx_keys_done(dk);
    lctx_values_done(dv);${trains ? c`\n    lctx_finish_shares(own_shares, trained);` : c``}
    /* Both threads that add may stop. */
#pragma unroll
    for (int n = 0; n < 2; n++, buffer ^= 1) {
      if (n == 1 && !(flags & 8)) lctx_wait(SHARE_FREE(worker), share_phase);
      if (thread == 0) shares[2 * buffer + worker].z = 4;
      ${free(c`SHARE_FULL(buffer, worker)`)}
    }
  }
  const int key = k0 + own;
  const size_t place = ((size_t)b * keys + key) * ${groups} + g;
  const bool in0 = key < keys, in1 = key + 8 < keys;
  lctx_write_keys(in0 ? key_gradient + place * ${d} : 0, dk, 0, ${realLiteral(scale)}, quad);
  lctx_write_keys(in1 ? key_gradient + (place + ${8 * groups}) * ${d} : 0, dk, 1, ${realLiteral(scale)}, quad);
  lctx_write_values(in0 ? value_gradient + place * ${e} : 0, dv, 0, 1.0f, quad);
  lctx_write_values(in1 ? value_gradient + (place + ${8 * groups}) * ${e} : 0, dv, 1, 1.0f, quad);
}
`;
}

// compiler/backends/cuda/sm90/forward-text.ts
function forwardText2(options) {
  const { entry, shape: shape2, tile, element, pairs } = options;
  const { heads, groups, d, e } = shape2;
  const layout = forwardLayout(shape2, tile);
  const [s, o] = [tile.keys / 2, e / 2];
  const workers = tile.rows / 64;
  const { stages } = tile;
  const { queryStages } = layout;
  const notes = c`((volatile int *)(base + ${layout.notes}))`;
  const turn = (text) => tile.turns ? text : c``;
  const loads2 = (map3, to, columns, rows2, at, hint) => joinFragments(
    range(chunks(columns)).map(
      (n) => c`lctx_load_tile(${to} + ${n * rows2 * 128}, &${map3}, ${at}, ${64 * n}, y, z, b, ${hint});\n`
    ),
    c`        `
  );
  return c`${ptxText(element)}
${productText({ name: c`lctx_logits`, columns: tile.keys, left: "rows", right: "rows" }, element)}
${productText({ name: c`lctx_values`, columns: e, left: "registers", right: "columns" }, element)}
${waitText(c`lctx_logits_done`, s, 0)}${waitText(c`lctx_logits_first`, s, 1)}${waitText(c`lctx_values_done`, o, 0)}
${keyText}${pairs.functions}${blockRangesText}${scoresText(options)}${softmaxText(options)}${writeRowsText(c`lctx_write_rows`, e)}
#define QUERY_FULL(n) (bars + 8 * (n))
#define QUERY_FREE(n) (bars + ${8 * queryStages} + 8 * (n))
#define KEY_FULL(n) (bars + ${16 * queryStages} + 8 * (n))
#define KEY_FREE(n) (bars + ${16 * queryStages + 8 * stages} + 8 * (n))
#define VALUE_FULL(n) (bars + ${16 * queryStages + 16 * stages} + 8 * (n))
#define VALUE_FREE(n) (bars + ${16 * queryStages + 24 * stages} + 8 * (n))
/* Of each block of queries: tile (-1: no more) and whether it sees keys. Of each stage: the block of keys. */
#define NOTES_OF_STAGE (notes + ${2 * queryStages})

/* A block of keys as the loading warp notes it: 4 * block + 2 (the last one) + 1 (pairs must be checked). */
LCTX_DEVICE void lctx_load_keys(const lctx_map &keys, u32 shared, u32 bars, volatile int *notes, int at, u32 phase,
                                int note, int y, int b) {
  lctx_wait(KEY_FREE(at), phase ^ 1);
  NOTES_OF_STAGE[at] = note;
  lctx_expect(KEY_FULL(at), ${layout.keyBytes});
  const int z = (note >> 2) * ${tile.keys};
  const u32 to = shared + ${layout.key} + at * ${layout.keyBytes};
        ${loads2(c`keys`, c`to`, d, tile.keys, c`KEY_FULL(at)`, c`LCTX_READ_OFTEN`)}}
LCTX_DEVICE void lctx_load_values(const lctx_map &values, u32 shared, u32 bars, int at, u32 phase, int block, int y,
                                  int b) {
  lctx_wait(VALUE_FREE(at), phase ^ 1);
  lctx_expect(VALUE_FULL(at), ${layout.valueBytes});
  const int z = block * ${tile.keys};
  const u32 to = shared + ${layout.value} + at * ${layout.valueBytes};
        ${loads2(c`values`, c`to`, e, tile.keys, c`VALUE_FULL(at)`, c`LCTX_READ_OFTEN`)}}

extern "C" __global__ void __launch_bounds__(${layout.threads}, 1) ${entry}(
    ${pairs.parameters}const __grid_constant__ lctx_map queries_map, const __grid_constant__ lctx_map keys_map,
    const __grid_constant__ lctx_map values_map, unsigned short *output, float *lse, int *counter, int batch,
    int queries, int keys, int start, int band) {
  extern __shared__ char raw[];
  ${pairs.build}
  char *base = raw + ((1024 - (lctx_shared(raw) & 1023)) & 1023);
  const u32 shared = lctx_shared(base), bars = shared + ${layout.barriers};
  volatile int *notes = ${notes};
  const int group = __shfl_sync(0xffffffffu, threadIdx.x / 128, 0);
  const int blocks = (queries + ${tile.rows - 1}) / ${tile.rows}, rows = batch * ${heads}, tiles = blocks * rows;
  if (threadIdx.x == 0) {
    lctx_prefetch_map(&queries_map), lctx_prefetch_map(&keys_map), lctx_prefetch_map(&values_map);
    for (int n = 0; n < ${queryStages}; n++)
      lctx_barrier_init(QUERY_FULL(n), 1), lctx_barrier_init(QUERY_FREE(n), ${4 * workers});
    for (int n = 0; n < ${stages}; n++) {
      lctx_barrier_init(KEY_FULL(n), 1), lctx_barrier_init(KEY_FREE(n), ${4 * workers});
      lctx_barrier_init(VALUE_FULL(n), 1), lctx_barrier_init(VALUE_FREE(n), ${4 * workers});
    }
    lctx_barriers_ready();
  }
  __syncthreads();

  if (group == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 ${tile.registers[0]};");
    if (threadIdx.x >= 32) return;
    const int lane = threadIdx.x;
    int tile = blockIdx.x, at = 0, query_at = 0;
    u32 phase = 0, query_phase = 0;
    for (;;) {
      if (lane == 0) lctx_wait(QUERY_FREE(query_at), query_phase ^ 1);
      __syncwarp();
      if (tile >= tiles) {
        if (lane == 0) {
          notes[2 * query_at] = -1;
          lctx_arrive(QUERY_FULL(query_at));
        }
        break;
      }
      const int whole = band * blocks, lot = tile / whole, in_lot = tile % whole;
      const int lot_rows = min(band, rows - lot * band);
      const int m = blocks - 1 - in_lot / lot_rows, row = lot * band + in_lot % lot_rows;
      const int b = row / ${heads}, h = row % ${heads}, y = h / ${heads / groups};
      const int q0 = start + m * ${tile.rows}, q1 = min(q0 + ${tile.rows}, start + queries) - 1;
      const lctx_ranges ranges = lctx_key_ranges(p, b, h, q0, q1, ${tile.keys});
      /* The block found but not loaded yet, and the one whose values are not loaded yet. */
      int found = -1, behind = -1, opened = 0, last_at = 0;
      u32 last_phase = 0;
      int from = lctx_next_block(ranges, 0);
      for (;;) {
        const bool end = from == LCTX_NO_BLOCK;
        const int block = from + lane, k0 = block * ${tile.keys}, k1 = k0 + ${tile.keys - 1};
        const bool some = !end && lctx_within(ranges, block)${pairs.asksAny ? c` && lctx_any(p, b, h, q0, q1, k0, min(k1, keys - 1))` : c``};
        const bool open = some && k1 < keys && lctx_all(p, b, h, q0, q1, k0, k1);
          u32 some_blocks = __ballot_sync(0xffffffffu, some);
          const u32 open_blocks = __ballot_sync(0xffffffffu, open);
          while (some_blocks || (end && found >= 0) || (end && !opened)) {
            const int bit = __ffs(some_blocks) - 1;
            const int next = some_blocks ? 2 * (from + bit) + !(open_blocks >> bit & 1) : -1;
            some_blocks &= some_blocks - 1;
            if (!opened && (found >= 0 || end)) {
              opened = 1;
              if (lane == 0) {
                notes[2 * query_at] = tile;
                notes[2 * query_at + 1] = found >= 0;
                lctx_expect(QUERY_FULL(query_at), ${layout.queryBytes});
                const int y = h, z = m * ${tile.rows};
                const u32 to = shared + ${layout.query} + query_at * ${layout.queryBytes};
        ${loads2(c`queries_map`, c`to`, d, tile.rows, c`QUERY_FULL(query_at)`, c`LCTX_READ_ONCE`)}              }
            }
            if (found >= 0) {
              if (lane == 0) {
                lctx_load_keys(keys_map, shared, bars, notes, at, phase,
                               (found >> 1) * 4 + (next < 0 ? 2 : 0) + (found & 1), y, b);
                if (behind >= 0) lctx_load_values(values_map, shared, bars, last_at, last_phase, behind, y, b);
              }
              behind = found >> 1;
              last_at = at;
              last_phase = phase;
              if (++at == ${stages}) at = 0, phase ^= 1;
            }
            found = next;
          }
        if (end) break;
        from = lctx_next_block(ranges, from + 32);
      }
      if (behind >= 0 && lane == 0) lctx_load_values(values_map, shared, bars, last_at, last_phase, behind, y, b);
      if (lane == 0) tile = (int)gridDim.x + atomicAdd(counter, 1);
      tile = __shfl_sync(0xffffffffu, tile, 0);
      if (++query_at == ${queryStages}) query_at = 0, query_phase ^= 1;
    }
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 ${tile.registers[1]};");
  const int worker = group - 1, thread = threadIdx.x & 127, lane = thread & 31, quad = lane & 3;
  const int own_row = worker * 64 + (thread >> 5) * 16 + (lane >> 2);
  ${turn(c`const int turn = 1 + worker, next_turn = 1 + (worker + 1) % ${workers};
  if (worker == 0) lctx_announce(1, 256);`)}
  const u64 query_tile = lctx_tile(shared + ${layout.query} + worker * 8192, 0);
  const u64 key_tile = lctx_tile(shared + ${layout.key}, 0);
  const u64 value_tile = lctx_tile(shared + ${layout.value}, ${tile.keys * 128});
  int at = 0, query_at = 0;
  u32 phase = 0, query_phase = 0;
  float s[${s}], o[${o}];
  u32 w[${tile.keys / 4}];
  for (;;) {
    lctx_wait(QUERY_FULL(query_at), query_phase);
    const int tile = notes[2 * query_at], some = notes[2 * query_at + 1];
    if (tile < 0) break;
    const int whole = band * blocks, lot = tile / whole, in_lot = tile % whole;
    const int lot_rows = min(band, rows - lot * band);
    const int m = blocks - 1 - in_lot / lot_rows, row = lot * band + in_lot % lot_rows;
    const int b = row / ${heads}, h = row % ${heads};
    const int first = m * ${tile.rows} + own_row, last = start + queries - 1;
    const int q0 = min(start + first, last), q1 = min(start + first + 8, last);
    lctx_state x = {-LCTX_INF, -LCTX_INF, 0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < ${o}; i++) o[i] = 0.0f;
#define LCTX_ISSUE_LOGITS(n)                                                                    \
  lctx_mma_begin();                                                                             \
  _Pragma("unroll") for (int k = 0; k < ${d / 16}; k++) lctx_logits(                                   \
      s, query_tile + (u64)query_at * ${layout.queryBytes / 16} + ((k / 4) * ${tile.rows * 128} + (k % 4) * 32) / 16,                              \
      key_tile + (u64)(n) * ${layout.keyBytes / 16} + ((k / 4) * ${tile.keys * 128} + (k % 4) * 32) / 16, k > 0); \
  lctx_mma_commit();
#define LCTX_ISSUE_VALUES(n)                                                                    \
  lctx_mma_begin();                                                                             \
  _Pragma("unroll") for (int k = 0; k < ${tile.keys / 16}; k++) lctx_values(o, w[4 * k], w[4 * k + 1], w[4 * k + 2], \
      w[4 * k + 3], value_tile + (u64)(n) * ${layout.valueBytes / 16} + k * 128, 1);                  \
  lctx_mma_commit();
#define LCTX_FREE(bar)                                                                          \
  __syncwarp();                                                                                 \
  if (lane == 0) lctx_arrive(bar);
#define LCTX_TAKE_SCORES(note)                                                                  \
  if ((note) & 1) lctx_guarded_scores(p, s, b, h, q0, q1, ((note) >> 2) * ${tile.keys} + 2 * quad, keys); \
  else lctx_scores(p, s, b, h, q0, q1, ((note) >> 2) * ${tile.keys} + 2 * quad);                       \
  lctx_weights(s, x);
#define LCTX_PACK_WEIGHTS                                                                       \
  _Pragma("unroll") for (int i = 0; i < ${tile.keys / 4}; i++) w[i] = lctx_pack(s[2 * i], s[2 * i + 1]);
    if (some) {
      lctx_wait(KEY_FULL(at), phase);
      int note = NOTES_OF_STAGE[at];
      LCTX_ISSUE_LOGITS(at)
      lctx_logits_done(s);
      LCTX_FREE(KEY_FREE(at))
      LCTX_TAKE_SCORES(note)
      LCTX_PACK_WEIGHTS
      while (!(note & 2)) {
        const int before = at;
        const u32 before_phase = phase;
        if (++at == ${stages}) at = 0, phase ^= 1;
        lctx_wait(KEY_FULL(at), phase);
        note = NOTES_OF_STAGE[at];
        ${turn(c`lctx_meet(turn, 256);`)}
        LCTX_ISSUE_LOGITS(at)
        lctx_wait(VALUE_FULL(before), before_phase);
        LCTX_ISSUE_VALUES(before)
        ${turn(c`lctx_announce(next_turn, 256);`)}
        lctx_logits_first(s);
        LCTX_FREE(KEY_FREE(at))
        LCTX_TAKE_SCORES(note)
        lctx_values_done(o);
        LCTX_FREE(VALUE_FREE(before))
        lctx_fade(o, x);
        LCTX_PACK_WEIGHTS
      }
      LCTX_FREE(QUERY_FREE(query_at))
      lctx_wait(VALUE_FULL(at), phase);
      LCTX_ISSUE_VALUES(at)
      lctx_values_done(o);
      LCTX_FREE(VALUE_FREE(at))
      if (++at == ${stages}) at = 0, phase ^= 1;
    } else {
      LCTX_FREE(QUERY_FREE(query_at))
    }
    const float sum0 = lctx_row_sum(x.sum0), sum1 = lctx_row_sum(x.sum1);
    const size_t place = ((size_t)b * queries + first) * ${heads} + h;
    const bool in0 = first < queries, in1 = first + 8 < queries;
    if (quad == 0) {
      if (in0) lse[place] = sum0 > 0.0f ? (x.most0 * LCTX_EXPONENT + lctx_log2(sum0)) * LCTX_LN2 : -LCTX_INF;
      if (in1) lse[place + ${8 * heads}] = sum1 > 0.0f ? (x.most1 * LCTX_EXPONENT + lctx_log2(sum1)) * LCTX_LN2 : -LCTX_INF;
    }
    unsigned short *to = output + place * ${e};
    lctx_write_rows(in0 ? to : 0, o, 0, sum0 > 0.0f ? 1.0f / sum0 : 0.0f, quad);
    lctx_write_rows(in1 ? to + ${8 * heads * e} : 0, o, 1, sum1 > 0.0f ? 1.0f / sum1 : 0.0f, quad);
    if (++query_at == ${queryStages}) query_at = 0, query_phase ^= 1;
  }
}
`;
}

// compiler/ir/linear.ts
function addForms(a, b, factor2 = 1) {
  const terms2 = new Map(a.terms);
  for (const [part, own] of b.terms) {
    const total = (terms2.get(part) ?? 0) + factor2 * own;
    if (total === 0) terms2.delete(part);
    else terms2.set(part, total);
  }
  return { constant: a.constant + factor2 * b.constant, terms: terms2 };
}
var constantForm = (value) => ({ constant: value, terms: /* @__PURE__ */ new Map() });
var scaled = (form, factor2) => addForms(constantForm(0), form, factor2);
function linearForm(e) {
  if (e.kind === "constant") return constantForm(e.value);
  if (e.kind === "unary" && e.op === "neg") return scaled(linearForm(e.operand), -1);
  if (e.kind === "binary" && e.op === "add") return addForms(linearForm(e.left), linearForm(e.right));
  if (e.kind === "binary" && e.op === "sub") return addForms(linearForm(e.left), linearForm(e.right), -1);
  if (e.kind === "binary" && e.op === "mul") {
    const [a, b] = [linearForm(e.left), linearForm(e.right)];
    if (a.terms.size === 0) return scaled(b, a.constant);
    if (b.terms.size === 0) return scaled(a, b.constant);
  }
  return { constant: 0, terms: /* @__PURE__ */ new Map([[e, 1]]) };
}
var times = (x, factor2) => factor2 === 1 ? x : factor2 === -1 ? neg(x) : mul(x, int(factor2));

// compiler/backends/cuda/sm90/score-forms.ts
function real2(e) {
  if (e.kind === "binary" && (e.op === "add" || e.op === "sub"))
    return binary(e.op, real2(e.left), real2(e.right));
  if (e.kind === "unary" && e.op === "neg") return neg(real2(e.operand));
  return toReal(e);
}
var reads = (e, ...names2) => someExpr(e, (part) => part.kind === "logit" || part.kind === "index" && names2.includes(part.name));
var splitPositions = (score) => mapExpr(
  score,
  (e) => e.kind === "unary" && e.op === "to-real" && e.operand.type === "int" && reads(e.operand, "k") ? real2(e.operand) : e
);
function terms(e, sign) {
  if (e.kind === "binary" && e.op === "add") return [...terms(e.left, sign), ...terms(e.right, sign)];
  if (e.kind === "binary" && e.op === "sub") return [...terms(e.left, sign), ...terms(e.right, -sign)];
  if (e.kind === "unary" && e.op === "neg") return terms(e.operand, -sign);
  return [{ e, sign }];
}
function isDistance(e) {
  if (e.kind !== "unary" || e.op !== "to-real") return false;
  let [ofKey, ofQuery] = [0, 0];
  for (const [part, factor2] of linearForm(e.operand).terms) {
    if (part.kind === "index" && part.name === "k") ofKey = factor2;
    else if (part.kind === "index" && part.name === "q") ofQuery = factor2;
    else if (reads(part, "q", "k")) return false;
  }
  return ofKey === -ofQuery;
}
function isSlope(e) {
  if (!reads(e, "q", "k")) return true;
  if (isDistance(e)) return true;
  if (e.kind === "unary" && e.op === "neg") return isSlope(e.operand);
  if (e.kind !== "binary") return false;
  if (e.op === "mul")
    return reads(e.left, "q", "k") ? isSlope(e.left) && !reads(e.right, "q", "k") : isSlope(e.right);
  return e.op === "div" && isSlope(e.left) && !reads(e.right, "q", "k");
}
function risesSteadily(score) {
  const parts = terms(score, 1);
  const [logit2, ...more] = parts.filter(({ e }) => e.kind === "logit");
  if (logit2 === void 0 || logit2.sign < 0 || more.length > 0) return false;
  return parts.every(({ e }) => e.kind === "logit" || isSlope(e));
}

// compiler/backends/cuda/sm90/attention-call.ts
function sm90Refusal(node) {
  const { depth, width } = shapeOf(node);
  const limit = node.kind === "attention" ? forwardLimit : backwardLimit;
  if (node.regions.length > 1) return "several rotation regions";
  if (node.prepended !== null) return "keys before the text";
  if (depth % 16 !== 0 || width % 16 !== 0) return "a head size that is no multiple of 16";
  if (Math.max(depth, width) > limit) return `a head size over ${limit}`;
  return null;
}
function planOf(node, facts2, element, lengths) {
  const refusal2 = sm90Refusal(node);
  if (refusal2 !== null) throw new Error(`${node.site}: no Hopper kernel takes ${refusal2}`);
  const own = shapeOf(node);
  const pairs = cudaPairs({ ...node, score: splitPositions(node.score) }, facts2, 3);
  const read2 = /* @__PURE__ */ new Set();
  someExpr(node.mask, (part) => {
    if (part.kind === "load") read2.add(part.buffer);
    return false;
  });
  return {
    node,
    element,
    shape: { heads: own.heads, groups: own.groups, d: own.depth, e: own.width },
    queries: lengths?.queries ?? own.queries,
    keys: lengths?.keys ?? own.keys,
    pairs,
    looksUp: read2.size > 0,
    sparse: pairs.asksAny && (read2.size === 0 || [...read2].some((n) => node.buffers[n].kind !== "input")),
    operands: 3 + node.buffers.length
  };
}
var cachedBytes = 32 * 2 ** 20;
var pointer2 = (buffer, offset) => offset === void 0 ? { kind: "pointer", buffer } : { kind: "pointer", buffer, offset };
var whole = (value) => ({ kind: "i32", value });
var product = (...parts) => ["*", ...parts];
function tensorMap(element, buffer, tokens, heads, d, rows2) {
  return {
    kind: "tensor-map",
    buffer,
    element,
    extents: [d, heads, tokens, "batch"],
    strides: [2 * d, 2 * d * heads, product(2 * d * heads, tokens)],
    box: [64, 1, rows2, 1],
    swizzle: 128
  };
}
var bandOf = ({ shape: shape2, keys }, least2) => [
  "max",
  least2,
  ["min", 32, ["floor-div", Math.floor(cachedBytes / (2 * (shape2.d + shape2.e))), keys]]
];
var source = (entry, text) => ({
  entry: entry.text,
  text: text.text,
  architecture: "sm_90a"
});
function sm90ForwardCall(node, facts2, element, lengths) {
  const plan2 = planOf(node, facts2, element, lengths);
  const { shape: shape2, queries, keys, pairs, looksUp, operands } = plan2;
  const masked = node.mask.kind !== "constant";
  const tile = forwardTile(shape2, masked, looksUp);
  const layout = forwardLayout(shape2, tile);
  const entry = c`lctx_attention_forward`;
  const tiles = product("batch", shape2.heads, ["ceil-div", queries, tile.rows]);
  return {
    sources: [
      source(
        entry,
        forwardText2({
          entry,
          shape: shape2,
          tile,
          element,
          scale: node.scale,
          pairs,
          looksUp,
          steady: pairs.scored && risesSteadily(node.score)
        })
      )
    ],
    buffers: operands + 2,
    scratch: [{ bytes: 16, zero: true }],
    launches: [
      {
        source: 0,
        label: `${node.site}: attention`,
        grid: [["min", "multiprocessors", tiles], 1, 1],
        threads: layout.threads,
        cluster: 1,
        sharedBytes: layout.sharedBytes,
        arguments: [
          ...pairs.arguments,
          tensorMap(element, 0, queries, shape2.heads, shape2.d, tile.rows),
          tensorMap(element, 1, keys, shape2.groups, shape2.d, tile.keys),
          tensorMap(element, 2, keys, shape2.groups, shape2.e, tile.keys),
          ...[operands, operands + 1, operands + 2].map((n) => pointer2(n)),
          ...["batch", queries, keys, "query-start", bandOf(plan2, 1)].map(whole)
        ]
      }
    ]
  };
}
function sm90BackwardCall(node, facts2, element, lengths, ordered = true) {
  const plan2 = planOf(node, facts2, element, lengths);
  const { shape: shape2, queries, keys, pairs, looksUp, sparse, operands } = plan2;
  const { heads, groups, d, e } = shape2;
  const tile = backwardTile(shape2);
  const layout = backwardLayout(shape2, tile);
  const steps = ["ceil-div", queries, tile.rows];
  const padded2 = product(steps, tile.rows);
  const rowBytes = product(4 * heads, "batch", padded2);
  const rows2 = { shape: shape2, tile, element, scale: node.scale };
  const [output, lse, slope, queryGradient] = [operands, operands + 1, operands + 2, operands + 3];
  const tables = queryGradient + 3;
  const buffers = tables + pairs.trained.length;
  const [powers, deltas, sums, turns] = [buffers, buffers + 1, buffers + 2, buffers + 3];
  const bins = pairs.trained.map((_, t) => buffers + 4 + t);
  const trains = bins.length > 0;
  const [prepare, gradient, finish, sum] = [
    c`lctx_attention_prepare`,
    c`lctx_attention_backward`,
    c`lctx_attention_finish`,
    c`lctx_attention_table`
  ];
  const launch = (label, n, grid, args) => ({
    source: n,
    label: `${node.site}: ${label}`,
    grid,
    threads: n === 1 ? layout.threads : 256,
    cluster: 1,
    sharedBytes: n === 1 ? layout.sharedBytes : 0,
    arguments: args
  });
  return {
    sources: [
      source(prepare, prepareText({ entry: prepare, ...rows2 })),
      source(gradient, backwardText2({ entry: gradient, pairs, looksUp, sparse, ordered, trains, ...rows2 })),
      source(finish, finishText({ entry: finish, ...rows2 })),
      ...trains ? [source(sum, c`${scalarPrelude("accurate")}${sumBinsText(sum)}`)] : []
    ],
    buffers,
    scratch: [
      { bytes: rowBytes, zero: false },
      { bytes: rowBytes, zero: false },
      { bytes: product(2 * layout.gradientBytes * heads, "batch", steps), zero: !ordered },
      { bytes: ["+", 16, product(4 * heads, "batch", steps)], zero: true },
      ...pairs.trained.map(({ elements }) => ({ bytes: product(elements, 8 * binsPerElement), zero: true }))
    ],
    launches: [
      launch(
        "sums of output gradients",
        0,
        [["ceil-div", padded2, preparedRows], heads, "batch"],
        [...[output, slope, lse, powers, deltas].map((n) => pointer2(n)), whole(queries), whole(padded2)]
      ),
      launch(
        "gradient of keys and values",
        1,
        [product(groups, "batch", ["ceil-div", keys, tile.keys]), 1, 1],
        [
          ...pairs.arguments,
          ...bins.map((n) => pointer2(n)),
          tensorMap(element, 0, queries, heads, d, tile.rows),
          tensorMap(element, 1, keys, groups, d, tile.keys),
          tensorMap(element, 2, keys, groups, e, tile.keys),
          tensorMap(element, slope, queries, heads, e, tile.rows),
          ...[powers, deltas, sums, queryGradient + 1, queryGradient + 2].map((n) => pointer2(n)),
          pointer2(turns, 16),
          pointer2(turns),
          ...["batch", queries, keys, "query-start", padded2, bandOf(plan2, 4)].map(whole)
        ]
      ),
      launch(
        "gradient of queries",
        2,
        [steps, heads, "batch"],
        [pointer2(sums), pointer2(turns, 16), pointer2(queryGradient), whole(queries)]
      ),
      ...pairs.trained.map(
        ({ elements }, t) => launch(
          "gradient of a table",
          3,
          [["ceil-div", elements, 256], 1, 1],
          [pointer2(bins[t]), pointer2(tables + t), whole(elements)]
        )
      )
    ]
  };
}

// compiler/backends/cuda/plan-attention.ts
function refusal(node, element, { path, hopper }) {
  if (path === "sm80") return "asked for";
  if (!hopper) return "the GPU is not of compute capability 9.0";
  if (element === "f32") return "operands of 32 bits";
  return sm90Refusal(node);
}
function planAttention(node, gradient, facts2, element, choice) {
  const [forward, backward] = [refusal(node, element, choice), refusal(gradient, element, choice)];
  if (choice.path === "sm90" && (forward !== null || backward !== null)) return null;
  const planned = (reason, fast, any) => reason === null ? { path: "sm90", reason, call: fast() } : { path: "sm80", reason, call: any() };
  const sixteen2 = element === "f32" ? "bf16" : element;
  return {
    forward: planned(
      forward,
      () => sm90ForwardCall(node, facts2, sixteen2),
      () => attentionForwardCall(node, facts2, element)
    ),
    backward: planned(
      backward,
      () => sm90BackwardCall(gradient, facts2, sixteen2),
      () => attentionBackwardCall(gradient, facts2, element)
    )
  };
}

// runtime/errors.ts
var runtimeExit = {
  ok: 0,
  /** The command line or the settings ask for something that cannot be. */
  usage: 2,
  /** Weights, checkpoint, data, tokenizer or cache are wrong. */
  badArtefact: 3,
  /** A limit refused the work. */
  limit: 4,
  /** Device, kernels or the device's memory failed. */
  device: 5,
  /** Training stopped because a number was not finite. */
  numerics: 6,
  /** The disk did not keep what it was given. */
  durability: 7,
  /** A bug in lctx. */
  internal: 70,
  /** Asked to stop (SIGTERM); the state is saved. */
  preempted: 75,
  /** Interrupted (SIGINT); the state is saved. */
  interrupted: 130
};
var codes = {
  "settings-invalid": "usage",
  "run-folder-in-use": "usage",
  "run-folder-not-empty": "usage",
  "data-not-found": "badArtefact",
  "data-unreadable": "badArtefact",
  "data-not-utf8": "badArtefact",
  "data-empty": "badArtefact",
  "data-too-short": "badArtefact",
  "data-format": "badArtefact",
  "data-changed": "badArtefact",
  "token-outside-vocabulary": "badArtefact",
  "token-unknown": "badArtefact",
  "tokenizer-not-found": "badArtefact",
  "tokenizer-format": "badArtefact",
  "safetensors-header": "badArtefact",
  "safetensors-tensor": "badArtefact",
  "safetensors-mismatch": "badArtefact",
  "checkpoint-missing": "badArtefact",
  "checkpoint-damaged": "badArtefact",
  "checkpoint-too-new": "badArtefact",
  "settings-changed": "badArtefact",
  "program-unreadable": "badArtefact",
  "no-compiler": "device",
  "kernel-compile": "device",
  "device-memory": "device",
  "device-failed": "device",
  "no-device": "device",
  "not-finite": "numerics",
  "write-failed": "durability"
};
var LctxError = class extends Error {
  code;
  /** What to do about it; empty when nothing is known. */
  help;
  exitCode;
  constructor(code, message, help = "", options) {
    super(message, options);
    this.name = "LctxError";
    this.code = code;
    this.help = help;
    this.exitCode = runtimeExit[codes[code]];
  }
};

// runtime/device/cuda/cubin-cache.ts
import { join as join2 } from "node:path";

// runtime/device/cpu/kernel-cache.ts
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
var staleAfter = 36e5;
function keyOf(parts) {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(`${Buffer.byteLength(part)}:`).update(part);
  return sum.digest("hex").slice(0, 32);
}
var sumOf = (bytes) => createHash("sha256").update(bytes).digest("hex");
var KernelCache = class {
  /** Why nothing is kept; null when entries are kept, or when no one asked for that. */
  problem;
  #folder;
  /** A folder that cannot be written is told in `problem`; `null` keeps nothing. */
  constructor(folder) {
    let usable = folder;
    let problem = null;
    if (folder !== null)
      try {
        mkdirSync(folder, { recursive: true });
        rmSync(mkdtempSync(join(folder, ".making-")), { recursive: true });
        this.#sweep(folder);
      } catch (error) {
        usable = null;
        problem = `kernels are not kept: ${error.code ?? error.message}`;
      }
    this.#folder = usable;
    this.problem = problem;
  }
  /** Path of a whole entry, else null: a file cut short would end the process that loads it. */
  find(name) {
    return this.read(name) === null ? null : join(this.#folder, name);
  }
  /** Bytes of a whole entry, else null. */
  read(name) {
    if (this.#folder === null) return null;
    const path = join(this.#folder, name);
    try {
      const bytes = readFileSync(path);
      return sumOf(bytes) === readFileSync(`${path}.sum`, "utf8") ? new Uint8Array(bytes) : null;
    } catch {
      return null;
    }
  }
  /** Moves a finished file of a work folder in; gives the path it has then. A disk that is full keeps nothing. */
  keep(name, made2) {
    if (this.#folder === null) return made2;
    const path = join(this.#folder, name);
    try {
      writeFileSync(`${made2}.sum`, sumOf(readFileSync(made2)));
      renameSync(`${made2}.sum`, `${path}.sum`);
      renameSync(made2, path);
      return path;
    } catch {
      return made2;
    }
  }
  /** Keeps bytes under a name. */
  write(name, bytes) {
    if (this.#folder === null) return;
    const folder = this.workFolder();
    try {
      const made2 = join(folder, basename(name));
      writeFileSync(made2, bytes);
      this.keep(name, made2);
    } catch {
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  /** A new empty folder on the cache's disk; whoever asks removes it. */
  workFolder() {
    return mkdtempSync(this.#folder === null ? join(tmpdir(), "lctx-") : join(this.#folder, ".making-"));
  }
  #sweep(folder) {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(".making-")) continue;
      const path = join(folder, name);
      try {
        if (Date.now() - statSync(path).mtimeMs > staleAfter) rmSync(path, { recursive: true, force: true });
      } catch {
      }
    }
  }
};

// runtime/device/cuda/compiler.ts
var compileOptions = ["--std=c++17"];
var mostShown = 40;
function compileError(source2, target, log) {
  const lines = log.trim().split("\n");
  const shown = lines.slice(0, mostShown).join("\n");
  return new LctxError(
    "kernel-compile",
    `kernel ${source2.entry} does not compile for ${target}:
${shown}${lines.length > mostShown ? "\n\u2026" : ""}`,
    "this is a bug in lctx: please report it with the spec"
  );
}

// runtime/device/cuda/cubin-cache.ts
var CubinCache = class {
  /** Why nothing is kept; null when entries are kept, or when no one asked for that. */
  problem;
  #compiler;
  #cache;
  #making = /* @__PURE__ */ new Map();
  constructor(compiler, cacheFolder) {
    this.#compiler = compiler;
    this.#cache = new KernelCache(cacheFolder === null ? null : join2(cacheFolder, "cuda"));
    this.problem = this.#cache.problem;
  }
  /** Code of one source. Sources asked for together are compiled together. Throws LctxError `kernel-compile`. */
  get(source2, target, options = compileOptions) {
    const key = keyOf([this.#compiler.identity, target, ...options, source2.entry, source2.text]);
    let making = this.#making.get(key);
    if (making === void 0) {
      making = this.#make(key, source2, target, options).finally(() => this.#making.delete(key));
      this.#making.set(key, making);
    }
    return making;
  }
  async #make(key, source2, target, options) {
    const name = `${key}.cubin`;
    const kept = this.#cache.read(name);
    if (kept !== null) return { key, bytes: kept, compiled: false };
    const { cubin } = await this.#compiler.compile(source2, target, options);
    this.#cache.write(name, cubin);
    return { key, bytes: cubin, compiled: true };
  }
};

// runtime/device/cuda/driver.ts
import koffi from "koffi";

// runtime/device/cuda/driver-table.ts
var nativeTypes = {
  i32: "int32_t",
  u32: "uint32_t",
  u64: "uint64_t",
  handle: "uint64_t",
  memory: "void *"
};
var driverTable = {
  cuInit: ["u32"],
  cuDriverGetVersion: ["memory"],
  cuGetErrorName: ["u32", "memory"],
  cuGetErrorString: ["u32", "memory"],
  cuDeviceGetCount: ["memory"],
  cuDeviceGet: ["memory", "i32"],
  cuDeviceGetName: ["memory", "i32", "i32"],
  cuDeviceGetAttribute: ["memory", "i32", "i32"],
  cuDeviceTotalMem_v2: ["memory", "i32"],
  cuDevicePrimaryCtxRetain: ["memory", "i32"],
  cuDevicePrimaryCtxRelease_v2: ["i32"],
  cuCtxSetCurrent: ["handle"],
  cuCtxSynchronize: [],
  cuMemAlloc_v2: ["memory", "u64"],
  cuMemFree_v2: ["handle"],
  cuMemGetInfo_v2: ["memory", "memory"],
  cuMemAllocAsync: ["memory", "u64", "handle"],
  cuMemFreeAsync: ["handle", "handle"],
  cuDeviceGetDefaultMemPool: ["memory", "i32"],
  cuMemPoolSetAttribute: ["handle", "i32", "memory"],
  cuMemPoolTrimTo: ["handle", "u64"],
  cuMemAllocHost_v2: ["memory", "u64"],
  cuMemFreeHost: ["handle"],
  cuMemcpyHtoDAsync_v2: ["handle", "memory", "u64", "handle"],
  cuMemcpyDtoHAsync_v2: ["memory", "handle", "u64", "handle"],
  cuMemcpyDtoDAsync_v2: ["handle", "handle", "u64", "handle"],
  cuMemsetD8Async: ["handle", "u32", "u64", "handle"],
  cuMemsetD32Async: ["handle", "u32", "u64", "handle"],
  cuStreamCreate: ["memory", "u32"],
  cuStreamDestroy_v2: ["handle"],
  cuStreamSynchronize: ["handle"],
  cuStreamBeginCapture_v2: ["handle", "u32"],
  cuStreamEndCapture: ["handle", "memory"],
  cuEventCreate: ["memory", "u32"],
  cuEventRecord: ["handle", "handle"],
  cuEventSynchronize: ["handle"],
  cuEventElapsedTime: ["memory", "handle", "handle"],
  cuEventDestroy_v2: ["handle"],
  cuModuleLoadDataEx: ["memory", "memory", "u32", "memory", "memory"],
  cuModuleUnload: ["handle"],
  cuModuleGetFunction: ["memory", "handle", "memory"],
  cuFuncGetAttribute: ["memory", "i32", "handle"],
  cuFuncSetAttribute: ["handle", "i32", "i32"],
  cuLaunchKernelEx: ["memory", "handle", "memory", "memory"],
  cuGraphInstantiateWithFlags: ["memory", "handle", "u64"],
  cuGraphLaunch: ["handle", "handle"],
  cuGraphExecDestroy: ["handle"],
  cuGraphDestroy: ["handle"],
  // element type, rank, address, extents, strides, box, element strides, interleave, swizzle, L2 promotion, fill
  cuTensorMapEncodeTiled: [
    "memory",
    "u32",
    "u32",
    "handle",
    "memory",
    "memory",
    "memory",
    "memory",
    "u32",
    "u32",
    "u32",
    "u32"
  ]
};
var deviceAttribute = {
  multiprocessors: 16,
  clockKilohertz: 13,
  memoryClockKilohertz: 36,
  memoryBusBits: 37,
  cacheBytes: 38,
  capabilityMajor: 75,
  capabilityMinor: 76,
  sharedBytes: 97,
  memoryPools: 115
};
var functionAttribute = {
  mostThreads: 0,
  sharedBytes: 1,
  localBytes: 3,
  registers: 4,
  dynamicSharedBytes: 8,
  largeClusters: 14
};
var poolAttribute = { releaseThreshold: 4 };

// runtime/device/cuda/faults.ts
import { writeSync } from "node:fs";
var faults = /* @__PURE__ */ new Set([
  214,
  // uncorrectable memory error
  220,
  // uncorrectable NVLink error
  700,
  // illegal address
  702,
  // launch timed out
  710,
  // device-side assert
  714,
  // hardware stack error
  715,
  // illegal instruction
  716,
  // misaligned address
  717,
  // invalid address space
  718,
  // invalid program counter
  719
  // launch failed
]);
var isFault = (result) => faults.has(result);
var mostNamed = 8;
function faultMessage(failure, started) {
  const last = started.slice(-mostNamed);
  const kernels2 = last.length === 0 ? "no kernel was running" : last.length === 1 ? `in kernel ${last[0]}` : `in one of the last kernels: ${last.join(", ")}`;
  const help = last.length > 1 ? "\nhelp: set LCTX_CUDA_SYNC=1 to wait for each kernel and learn which one it is" : "";
  return `error[device-failed]: the GPU stopped, ${kernels2}: ${failure.message}${help}
`;
}
function endOnFault(failure, started) {
  writeSync(2, faultMessage(failure, started));
  process.exit(runtimeExit.device);
}

// runtime/device/cuda/driver.ts
var places = {
  linux: ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1"],
  win32: ["nvcuda.dll"]
};
var noDriver = "install the NVIDIA driver (nvidia-smi must run); in a container, start it with GPU access (docker run --gpus all)";
var outOfMemory = 2;
var CudaError = class extends LctxError {
  call;
  result;
  resultName;
  constructor(call2, result, resultName, message) {
    super("device-failed", `${call2}: ${resultName} (${result}): ${message}`);
    this.name = "CudaError";
    this.call = call2;
    this.result = result;
    this.resultName = resultName;
  }
};
var CudaDriver = class {
  /** File or name it was loaded from. */
  path;
  /** Labels of the kernels started since the device was last known to be well; named when it fails. */
  started = [];
  #library;
  #functions = /* @__PURE__ */ new Map();
  constructor(path, library) {
    this.path = path;
    this.#library = library;
  }
  /** The function itself, for calls that are made often: it gives the CUresult, to be handed to `check`. */
  native(name) {
    let found = this.#functions.get(name);
    if (found === void 0) {
      const types3 = driverTable[name];
      try {
        found = this.#library.func(
          name,
          "int32_t",
          types3.map((type) => nativeTypes[type])
        );
      } catch (error) {
        throw new LctxError(
          "no-device",
          `the CUDA driver at ${this.path} has no ${name}`,
          "update the NVIDIA driver: 525 (CUDA 12.0) or newer is needed",
          { cause: error }
        );
      }
      this.#functions.set(name, found);
    }
    return found;
  }
  /** Calls a function. Throws CudaError; a fault that leaves the process without a device ends it. */
  call(name, ...args) {
    this.check(name, this.native(name)(...args));
  }
  /** Judges what a call gave. */
  check(name, result) {
    if (result === 0) return;
    const error = this.failure(name, result);
    if (isFault(result)) endOnFault(error, this.started);
    throw error;
  }
  failure(name, result) {
    return new CudaError(
      name,
      result,
      this.#text("cuGetErrorName", result) ?? "CUDA_ERROR",
      this.#text("cuGetErrorString", result) ?? "no description"
    );
  }
  /** Pointer or handle that a call writes. */
  handle(name, args) {
    const out = new BigUint64Array(1);
    this.call(name, ...args(out));
    return out[0];
  }
  /** Int that a call writes. */
  int(name, args) {
    const out = new Int32Array(1);
    this.call(name, ...args(out));
    return out[0];
  }
  /** Version of CUDA the driver supports, as major × 1000 + minor × 10. */
  version() {
    return this.int("cuDriverGetVersion", (out) => [out]);
  }
  deviceCount() {
    return this.int("cuDeviceGetCount", (out) => [out]);
  }
  #text(name, result) {
    const out = new BigUint64Array(1);
    if (this.native(name)(result, out) !== 0 || out[0] === 0n) return null;
    return koffi.decode.string(out[0]);
  }
};
var opened = /* @__PURE__ */ new Map();
function openDriver() {
  const asked = process.env["LCTX_LIBCUDA"];
  const candidates = asked ? [asked] : places[process.platform] ?? [];
  if (candidates.length === 0)
    throw new LctxError("no-device", `CUDA has no driver for ${process.platform}`, "use a CPU device");
  const known2 = opened.get(candidates.join(":"));
  if (known2 !== void 0) return known2;
  let failure = null;
  for (const path of candidates) {
    let library;
    try {
      library = koffi.load(path);
    } catch (error) {
      failure ??= error;
      continue;
    }
    const driver = new CudaDriver(path, library);
    const result = driver.native("cuInit")(0);
    if (result !== 0)
      throw new LctxError(
        "no-device",
        `no GPU can be used: ${driver.failure("cuInit", result).message}`,
        result === 100 ? "check with nvidia-smi that a GPU is visible, and CUDA_VISIBLE_DEVICES" : noDriver
      );
    opened.set(candidates.join(":"), driver);
    return driver;
  }
  throw new LctxError(
    "no-device",
    `the CUDA driver was not found: ${candidates.join(", ")}: ${failure.message}`,
    noDriver,
    { cause: failure }
  );
}

// runtime/device/cuda/nvcc.ts
import { execFile } from "node:child_process";
import { mkdtempSync as mkdtempSync2, readFileSync as readFileSync2, rmSync as rmSync2, writeFileSync as writeFileSync2 } from "node:fs";
import { tmpdir as tmpdir2 } from "node:os";
import { join as join4 } from "node:path";
import { promisify } from "node:util";

// runtime/device/cuda/find-library.ts
import { readdirSync as readdirSync2, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join as join3 } from "node:path";
function expand(pattern) {
  let paths = [pattern.startsWith("/") ? "/" : "."];
  for (const part of pattern.split("/").filter((name) => name !== "")) {
    if (!part.includes("*")) {
      paths = paths.map((path) => join3(path, part));
      continue;
    }
    const [before2, after] = [part.slice(0, part.indexOf("*")), part.slice(part.indexOf("*") + 1)];
    paths = paths.flatMap(
      (path) => namesIn(path).filter((name) => name.length >= part.length - 1 && name.startsWith(before2) && name.endsWith(after)).sort((a, b) => b.localeCompare(a, "en", { numeric: true })).map((name) => join3(path, name))
    );
  }
  return paths;
}
function namesIn(folder) {
  try {
    return readdirSync2(folder);
  } catch {
    return [];
  }
}
var fromEnvironment = (...names2) => names2.flatMap((name) => {
  const value = process.env[name];
  return value ? [value] : [];
});
function toolkits() {
  return [
    ...fromEnvironment("CUDA_HOME", "CUDA_PATH"),
    "/usr/local/cuda",
    ...expand("/usr/local/cuda-*"),
    "/opt/cuda"
  ];
}
function pythonPrefixes() {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).flatMap((folder) => {
    try {
      return [dirname(folder), dirname(dirname(realpathSync(join3(folder, "python3"))))];
    } catch {
      return [];
    }
  });
  return [
    .../* @__PURE__ */ new Set([
      ...fromEnvironment("VIRTUAL_ENV", "CONDA_PREFIX"),
      ...onPath,
      join3(homedir(), ".local"),
      "/usr/local",
      "/usr"
    ])
  ];
}
function libraryFolders() {
  const system = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  return [
    ...toolkits().map((folder) => join3(folder, "lib64")),
    ...pythonPrefixes().flatMap(
      (prefix) => ["site-packages", "dist-packages"].flatMap((packages) => [
        ...expand(join3(prefix, "lib/python3*", packages, "nvidia/cu1*/lib")),
        ...expand(join3(prefix, "lib/python3*", packages, "nvidia/cuda_nvrtc/lib"))
      ])
    ),
    ...fromEnvironment("CONDA_PREFIX").map((prefix) => join3(prefix, "lib")),
    join3("/usr/lib", system),
    "/usr/lib64"
  ];
}

// runtime/device/cuda/nvcc.ts
var execute = promisify(execFile);
var Nvcc = class {
  kind = "nvcc";
  description;
  identity;
  #path;
  #architectures;
  constructor(path, version, architectures) {
    this.#path = path;
    this.#architectures = new Set(architectures);
    this.identity = `nvcc ${version}`;
    this.description = `nvcc ${version} (${path})`;
  }
  supports(target) {
    return this.#architectures.has(target.replace(/[a-z]+$/, ""));
  }
  async compile(source2, target, options) {
    const folder = mkdtempSync2(join4(tmpdir2(), "lctx-nvcc-"));
    try {
      const [text, cubin] = [join4(folder, `${source2.entry}.cu`), join4(folder, "out.cubin")];
      writeFileSync2(text, source2.text);
      const all = ["-cubin", `-arch=${target}`, ...options, "-o", cubin, text];
      const { stdout, stderr } = await execute(this.#path, all, { maxBuffer: 2 ** 26 });
      return { cubin: new Uint8Array(readFileSync2(cubin)), log: `${stdout}${stderr}` };
    } catch (error) {
      const { stderr, stdout } = error;
      if (stderr === void 0) throw error;
      throw compileError(source2, target, `${stderr}${stdout ?? ""}` || error.message);
    } finally {
      rmSync2(folder, { recursive: true, force: true });
    }
  }
};
async function findNvcc() {
  for (const path of ["nvcc", ...toolkits().map((folder) => join4(folder, "bin", "nvcc"))]) {
    try {
      const { stdout } = await execute(path, ["--version"]);
      const version = /\bV(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
      const listed = await execute(path, ["--list-gpu-code"]);
      if (version !== void 0) return new Nvcc(path, version, listed.stdout.trim().split(/\s+/));
    } catch {
    }
  }
  return null;
}

// runtime/device/cuda/nvrtc.ts
import { existsSync } from "node:fs";
import { dirname as dirname2, join as join5 } from "node:path";
import koffi2 from "koffi";

// runtime/device/cuda/nvrtc-threads.ts
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
var mostThreads = 8;
var NvrtcThreads = class {
  #library;
  #waiting = [];
  #idle = [];
  #started = 0;
  constructor(library) {
    this.#library = library;
  }
  compile(request) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#next();
    });
  }
  #next() {
    if (this.#waiting.length === 0) return;
    let worker = this.#idle.pop();
    if (worker === void 0) {
      if (this.#started >= Math.min(mostThreads, availableParallelism())) return;
      this.#started += 1;
      worker = new Worker(new URL("./nvrtc-worker.mjs", import.meta.url), {
        workerData: this.#library,
        // Options of this process, such as a loader for TypeScript, are nothing to it.
        execArgv: []
      });
    }
    this.#serve(worker, this.#waiting.shift());
  }
  #serve(worker, { request, resolve, reject }) {
    const done = () => {
      worker.off("error", failed).off("exit", ended).off("message", answered);
    };
    const failed = (error) => {
      done();
      this.#started -= 1;
      reject(error);
      this.#next();
    };
    const ended = (code) => failed(new Error(`the NVRTC thread ended with ${code}`));
    const answered = (answer) => {
      done();
      worker.unref();
      this.#idle.push(worker);
      resolve(answer);
      this.#next();
    };
    worker.on("error", failed).on("exit", ended).on("message", answered);
    worker.ref();
    worker.postMessage(request);
  }
};

// runtime/device/cuda/nvrtc.ts
var names = process.platform === "win32" ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"] : ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"];
var Nvrtc = class {
  kind = "nvrtc";
  description;
  identity;
  #threads;
  #architectures;
  /** `path`: name or file of the library, which is asked for its version here; threads load it when they compile. */
  constructor(path) {
    const library = koffi2.load(path);
    const errorText = library.func("const char *nvrtcGetErrorString(int result)");
    const call2 = (signature, ...args) => {
      const result = library.func(signature)(...args);
      if (result !== 0) throw new Error(`${signature}: ${errorText(result)} (${result})`);
    };
    const [major, minor, count2] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
    call2("int nvrtcVersion(void *major, void *minor)", major, minor);
    call2("int nvrtcGetNumSupportedArchs(void *count)", count2);
    const list2 = new Int32Array(count2[0]);
    call2("int nvrtcGetSupportedArchs(void *list)", list2);
    this.#architectures = [...list2];
    this.identity = `nvrtc ${major[0]}.${minor[0]}`;
    this.description = `NVRTC ${major[0]}.${minor[0]} (${path})`;
    this.#threads = new NvrtcThreads({
      path,
      builtins: path.includes("/") ? expand(join5(dirname2(path), "libnvrtc-builtins.so.*")) : []
    });
  }
  supports(target) {
    return this.#architectures.includes(Number.parseInt(target.replace("sm_", ""), 10));
  }
  async compile(source2, target, options) {
    const { cubin, log, error } = await this.#threads.compile({
      text: source2.text,
      name: `${source2.entry}.cu`,
      options: [`--gpu-architecture=${target}`, ...options]
    });
    if (error !== null) throw compileError(source2, target, error);
    if (cubin === null) throw compileError(source2, target, log);
    return { cubin, log };
  }
};
var searches = /* @__PURE__ */ new Map();
function findNvrtc() {
  const asked = process.env["LCTX_NVRTC"] ?? "";
  const known2 = searches.get(asked);
  if (known2 !== void 0) return known2;
  const search = look(asked);
  if ("compiler" in search) searches.set(asked, search);
  return search;
}
function look(asked) {
  const inFolders = function* () {
    yield* names;
    for (const folder of libraryFolders())
      for (const name of names) if (existsSync(join5(folder, name))) yield join5(folder, name);
  };
  const problems = [];
  for (const path of asked === "" ? inFolders() : [asked]) {
    try {
      return { compiler: new Nvrtc(path) };
    } catch (error) {
      if (path.includes("/") || path === asked) problems.push(`${path}: ${error.message}`);
    }
  }
  return {
    problem: problems.length > 0 ? `NVRTC cannot be loaded: ${problems.join("; ")}` : `NVRTC was not found: no ${names.join(", ")} where the loader, the CUDA toolkits and the Python packages are`,
    fix: "install the CUDA toolkit (Debian: apt install cuda-nvrtc-13-0) or pip install nvidia-cuda-nvrtc, or set LCTX_NVRTC to the path of libnvrtc"
  };
}

// runtime/device/cuda/find-compiler.ts
async function findCudaCompiler() {
  const nvrtc = findNvrtc();
  if ("compiler" in nvrtc) return nvrtc.compiler;
  const nvcc = await findNvcc();
  if (nvcc !== null) return nvcc;
  throw new LctxError("no-compiler", `${nvrtc.problem}; and nvcc does not run`, nvrtc.fix);
}

// runtime/device/cuda/graph.ts
var relaxed = 2;
var CudaGraph = class {
  #driver;
  #stream;
  #scratch;
  #work;
  #executable = null;
  #generation = -1;
  /** `work` starts launches of bound calls and nothing else; scalars keep the values they have then. */
  constructor(driver, stream2, scratch, work) {
    this.#driver = driver;
    this.#stream = stream2;
    this.#scratch = scratch;
    this.#work = work;
    this.#record();
  }
  launch() {
    if (this.#generation !== this.#scratch.generation) this.#record();
    this.#driver.call("cuGraphLaunch", this.#executable, this.#stream);
  }
  free() {
    if (this.#executable !== null) this.#driver.call("cuGraphExecDestroy", this.#executable);
    this.#executable = null;
  }
  #record() {
    this.free();
    const generation = this.#scratch.generation;
    this.#driver.call("cuStreamBeginCapture_v2", this.#stream, relaxed);
    let graph = 0n;
    try {
      this.#work();
    } finally {
      const out = new BigUint64Array(1);
      const result = this.#driver.native("cuStreamEndCapture")(this.#stream, out);
      graph = result === 0 ? out[0] : 0n;
    }
    if (graph === 0n) throw new Error("the launches cannot be recorded");
    try {
      if (generation !== this.#scratch.generation)
        throw new Error("scratch memory grew during the recording: bind the calls before");
      this.#executable = this.#driver.handle("cuGraphInstantiateWithFlags", (out) => [out, graph, 0]);
    } finally {
      this.#driver.call("cuGraphDestroy", graph);
    }
    this.#generation = generation;
  }
};

// runtime/device/cuda/memory.ts
var CudaMemory = class {
  address;
  byteLength;
  #release;
  #freed = false;
  constructor(address, byteLength, release) {
    this.address = address;
    this.byteLength = byteLength;
    this.#release = release;
  }
  /** A part of it, in bytes. Throws RangeError outside of it. */
  part(offset, byteLength) {
    if (offset < 0 || byteLength < 0 || offset + byteLength > this.byteLength)
      throw new RangeError(`no ${byteLength} bytes at ${offset} of ${this.byteLength}`);
    return { address: this.address + BigInt(offset), byteLength };
  }
  /** Work that was started on it before may still use it. */
  free() {
    if (this.#freed) return;
    this.#freed = true;
    this.#release();
  }
};
var gibibytes = (bytes) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
var CudaAllocator = class {
  #driver;
  #stream;
  /** Null where the GPU has no pools. */
  #pool;
  #open = true;
  constructor(driver, device2, stream2, pools) {
    this.#driver = driver;
    this.#stream = stream2;
    this.#pool = pools ? driver.handle("cuDeviceGetDefaultMemPool", (out) => [out, device2]) : null;
    if (this.#pool !== null)
      driver.call(
        "cuMemPoolSetAttribute",
        this.#pool,
        poolAttribute.releaseThreshold,
        BigUint64Array.of(2n ** 64n - 1n)
      );
  }
  /** Bytes free and of all, for every process of this GPU. */
  info() {
    const [free, total] = [new BigUint64Array(1), new BigUint64Array(1)];
    this.#driver.call("cuMemGetInfo_v2", free, total);
    return { free: Number(free[0]), total: Number(total[0]) };
  }
  /** Contents are arbitrary. Throws LctxError `device-memory`. */
  allocate(byteLength) {
    const bytes = Math.max(1, byteLength);
    const out = new BigUint64Array(1);
    let result = this.#ask(out, bytes);
    if (result === outOfMemory) {
      this.trim();
      const { free, total } = this.info();
      if (bytes <= free) result = this.#ask(out, bytes);
      if (result === outOfMemory) {
        this.trim();
        throw new LctxError(
          "device-memory",
          `the GPU has no ${bytes} bytes (${gibibytes(bytes)}) left: ${free} bytes (${gibibytes(free)}) of ${gibibytes(total)} are free`,
          "use a smaller batch or length, or fewer layers"
        );
      }
    }
    this.#driver.check(this.#pool === null ? "cuMemAlloc_v2" : "cuMemAllocAsync", result);
    const address = out[0];
    return new CudaMemory(address, byteLength, () => {
      if (!this.#open) return;
      if (this.#pool === null) this.#driver.call("cuMemFree_v2", address);
      else this.#driver.call("cuMemFreeAsync", address, this.#stream);
    });
  }
  /** Gives the pool's unused memory back to the system. */
  trim() {
    if (this.#pool === null) return;
    this.#driver.call("cuStreamSynchronize", this.#stream);
    this.#driver.call("cuMemPoolTrimTo", this.#pool, 0);
  }
  close() {
    this.#open = false;
  }
  #ask(out, bytes) {
    return this.#pool === null ? this.#driver.native("cuMemAlloc_v2")(out, bytes) : this.#driver.native("cuMemAllocAsync")(out, bytes, this.#stream);
  }
};

// runtime/device/cuda/modules.ts
var LoadedKernel = class {
  entry;
  resources;
  handle;
  #driver;
  #gpu;
  #shared = 0;
  #largeClusters = false;
  constructor(driver, gpu, entry, handle) {
    this.#driver = driver;
    this.#gpu = gpu;
    this.entry = entry;
    this.handle = handle;
    const attribute = (name) => driver.int("cuFuncGetAttribute", (out) => [out, functionAttribute[name], handle]);
    this.resources = {
      registers: attribute("registers"),
      localBytes: attribute("localBytes"),
      sharedBytes: attribute("sharedBytes"),
      mostThreads: attribute("mostThreads")
    };
  }
  /** Allows launches of this form. Throws LctxError `device-failed` for what the GPU does not have. */
  allow(launch) {
    const shared = launch.sharedBytes + this.resources.sharedBytes;
    if (shared > this.#gpu.sharedBytes)
      throw new LctxError(
        "device-failed",
        `kernel ${this.entry} takes ${shared} bytes of shared memory; ${this.#gpu.name} has ${this.#gpu.sharedBytes}`
      );
    if (launch.threads > this.resources.mostThreads)
      throw new LctxError(
        "device-failed",
        `kernel ${this.entry} is launched with ${launch.threads} threads; with ${this.resources.registers} registers it can have ${this.resources.mostThreads}`
      );
    if (launch.sharedBytes > this.#shared) {
      this.#set("dynamicSharedBytes", launch.sharedBytes);
      this.#shared = launch.sharedBytes;
    }
    if (launch.cluster > 8 && !this.#largeClusters) {
      this.#set("largeClusters", 1);
      this.#largeClusters = true;
    }
  }
  #set(name, value) {
    this.#driver.call("cuFuncSetAttribute", this.handle, functionAttribute[name], value);
  }
};
var Modules = class {
  #driver;
  #gpu;
  #loaded = /* @__PURE__ */ new Map();
  constructor(driver, gpu) {
    this.#driver = driver;
    this.#gpu = gpu;
  }
  /** The kernel of a cubin, loaded once. */
  load(cubin, entry) {
    const known2 = this.#loaded.get(cubin.key);
    if (known2 !== void 0) return known2.kernel;
    const module = this.#driver.handle("cuModuleLoadDataEx", (out) => [out, cubin.bytes, 0, null, null]);
    const name = Buffer.from(`${entry}\0`);
    const handle = this.#driver.handle("cuModuleGetFunction", (out) => [out, module, name]);
    const kernel = new LoadedKernel(this.#driver, this.#gpu, entry, handle);
    this.#loaded.set(cubin.key, { module, kernel });
    return kernel;
  }
  unload() {
    for (const { module } of this.#loaded.values()) this.#driver.call("cuModuleUnload", module);
    this.#loaded.clear();
  }
};

// runtime/device/cuda/launch.ts
function evaluateLaunchSize(size2, sizes) {
  if (typeof size2 === "number") return size2;
  if (typeof size2 === "string") {
    const value2 = sizes[size2];
    if (value2 === void 0) throw new RangeError(`no size is called ${size2}`);
    return value2;
  }
  const [op, ...parts] = size2;
  const values = parts.map((part) => evaluateLaunchSize(part, sizes));
  const value = arithmetic[op](values);
  if (!Number.isSafeInteger(value)) throw new RangeError(`size ${JSON.stringify(size2)} is too large`);
  return value;
}
var arithmetic = {
  "*": (values) => values.reduce((product3, value) => product3 * value, 1),
  "+": (values) => values.reduce((sum, value) => sum + value, 0),
  "-": ([first = 0, ...rest]) => rest.reduce((left, value) => left - value, first),
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
  "ceil-div": ([a, b]) => Math.ceil(a / b),
  "floor-div": ([a, b]) => Math.floor(a / b)
};

// runtime/device/cuda/pack.ts
import koffi3 from "koffi";

// runtime/device/cuda/tensor-map.ts
var tensorMapBytes = 128;
var tensorMapAlignment = 64;
var elementBytes2 = { f32: 4, bf16: 2, f16: 2, i32: 4 };
var elementCodes = { i32: 3, f16: 6, f32: 7, bf16: 9 };
var swizzleCodes = { 0: 0, 32: 1, 64: 2, 128: 3 };
var promotion = 3;
function spanOf(map3) {
  const [inner = 1, ...outer] = map3.extents;
  return outer.reduce(
    (bytes, extent, n) => bytes + (extent - 1) * map3.strides[n],
    inner * elementBytes2[map3.element]
  );
}
function tensorMapProblem(map3) {
  const rank = map3.extents.length;
  const inner = (map3.box[0] ?? 0) * elementBytes2[map3.element];
  if (rank < 1 || rank > 5) return `it has ${rank} axes; 1 to 5 are possible`;
  if (map3.strides.length !== rank - 1)
    return `${rank} axes need ${rank - 1} strides, not ${map3.strides.length}`;
  if (map3.box.length !== rank) return `${rank} axes need ${rank} box sizes, not ${map3.box.length}`;
  if (map3.address % 16n !== 0n) return "its address is not a multiple of 16";
  for (const extent of map3.extents)
    if (extent < 1 || extent > 2 ** 32) return `extent ${extent} is not from 1 to 2^32`;
  for (const stride of map3.strides)
    if (stride % 16 !== 0 || stride <= 0 || stride >= 2 ** 40)
      return `stride ${stride} is not a multiple of 16 bytes below 2^40`;
  for (const size2 of map3.box)
    if (!Number.isInteger(size2) || size2 < 1 || size2 > 256) return `box size ${size2} is not from 1 to 256`;
  if (inner % 16 !== 0) return `the box is ${inner} bytes wide; it must be a multiple of 16`;
  if (map3.swizzle !== 0 && inner > map3.swizzle)
    return `the box is ${inner} bytes wide; a ${map3.swizzle}-byte swizzle allows ${map3.swizzle}`;
  return null;
}
function resolveTensorMap(argument, buffer, sizes) {
  const map3 = {
    address: buffer.address,
    element: argument.element,
    extents: argument.extents.map((extent) => evaluateLaunchSize(extent, sizes)),
    strides: argument.strides.map((stride) => evaluateLaunchSize(stride, sizes)),
    box: argument.box,
    swizzle: argument.swizzle
  };
  const problem = tensorMapProblem(map3) ?? (spanOf(map3) > buffer.byteLength ? `it spans ${spanOf(map3)} bytes of a buffer of ${buffer.byteLength}` : null);
  if (problem !== null) throw new RangeError(`tensor map of buffer ${argument.buffer}: ${problem}`);
  return map3;
}
function encodeTensorMap(driver, map3, target) {
  const rank = map3.extents.length;
  driver.call(
    "cuTensorMapEncodeTiled",
    target,
    elementCodes[map3.element],
    rank,
    map3.address,
    BigUint64Array.from(map3.extents, BigInt),
    // The driver reads none for one axis, but wants a pointer.
    BigUint64Array.from(rank === 1 ? [0] : map3.strides, BigInt),
    Uint32Array.from(map3.box),
    new Uint32Array(rank).fill(1),
    0,
    swizzleCodes[map3.swizzle],
    promotion,
    0
  );
}

// runtime/device/cuda/pack.ts
var word = { bytes: 4, alignment: 4 };
var long = { bytes: 8, alignment: 8 };
var widths = {
  pointer: long,
  i32: word,
  i64: long,
  f32: word,
  "tensor-map": { bytes: tensorMapBytes, alignment: tensorMapAlignment }
};
var configBytes = 56;
var attributeBytes = 72;
var clusterAttribute = 4;
var aligned = (at, alignment2) => Math.ceil(at / alignment2) * alignment2;
function layArguments(kinds) {
  let at = 0;
  const offsets2 = kinds.map((kind) => {
    const { bytes, alignment: alignment2 } = widths[kind];
    const offset = aligned(at, alignment2);
    at = offset + bytes;
    return offset;
  });
  return { offsets: offsets2, bytes: at };
}
var PackedLaunches = class {
  /** Without launches over nothing: a grid with an empty axis is no launch. */
  launches;
  view;
  /** Address of the first byte of `view`. */
  address;
  #scalars;
  /** Throws RangeError for a size, offset or tensor map that cannot be. */
  constructor(launches, buffers, sizes, stream2, encodeMap) {
    const scalars = [];
    const packed = [];
    const layouts = [];
    let bytes = 0;
    for (const launch of launches) {
      const config = aligned(bytes, 64);
      const attribute = config + configBytes;
      const pointers = attribute + attributeBytes;
      const start = aligned(pointers + 8 * launch.arguments.length, 64);
      const { offsets: offsets2, bytes: used } = layArguments(launch.arguments.map(({ kind }) => kind));
      layouts.push({ config, attribute, pointers, values: offsets2.map((offset) => start + offset) });
      bytes = start + used;
    }
    const store = new ArrayBuffer(bytes + 64);
    const base = koffi3.address(store);
    const skip = Number(-base & 63n);
    this.address = base + BigInt(skip);
    this.view = new DataView(store, skip);
    launches.forEach((launch, n) => {
      const layout = layouts[n];
      try {
        if (!this.#config(launch, layout, sizes, stream2)) return;
        launch.arguments.forEach((argument, i) => {
          const at = layout.values[i];
          this.view.setBigUint64(layout.pointers + 8 * i, this.address + BigInt(at), true);
          if (argument.kind === "f32" && typeof argument.value === "string")
            scalars.push({ name: argument.value, at });
          else this.#argument(argument, at, buffers, sizes, encodeMap);
        });
      } catch (error) {
        if (error instanceof RangeError)
          throw new RangeError(`kernel ${launch.label}: ${error.message}`, { cause: error });
        throw error;
      }
      packed.push({
        label: launch.label,
        source: launch.source,
        config: this.address + BigInt(layout.config),
        parameters: this.address + BigInt(layout.pointers)
      });
    });
    this.launches = packed;
    this.#scalars = scalars;
  }
  /** Writes the named scalars. Throws when one is missing. */
  fill(values) {
    for (const { name, at } of this.#scalars) {
      const value = values[name];
      if (value === void 0) throw new Error(`no value for the scalar ${name}`);
      this.view.setFloat32(at, value, true);
    }
  }
  /** False when the grid is empty. */
  #config(launch, at, sizes, stream2) {
    const grid = launch.grid.map((axis2) => evaluateLaunchSize(axis2, sizes));
    if (grid.some((blocks) => blocks <= 0)) return false;
    grid.forEach((blocks, axis2) => {
      const most = axis2 === 0 ? 2 ** 31 - 1 : 65535;
      if (blocks > most) throw new RangeError(`${blocks} blocks along ${"xyz"[axis2]}; ${most} are possible`);
      this.view.setUint32(at.config + 4 * axis2, blocks, true);
    });
    if (grid[0] % launch.cluster !== 0)
      throw new RangeError(`${grid[0]} blocks are no multiple of the cluster's ${launch.cluster}`);
    [launch.threads, 1, 1, launch.sharedBytes].forEach(
      (value, n) => this.view.setUint32(at.config + 12 + 4 * n, value, true)
    );
    this.view.setBigUint64(at.config + 32, stream2, true);
    this.view.setBigUint64(at.config + 40, this.address + BigInt(at.attribute), true);
    this.view.setUint32(at.config + 48, launch.cluster > 1 ? 1 : 0, true);
    this.view.setUint32(at.attribute, clusterAttribute, true);
    [launch.cluster, 1, 1].forEach(
      (blocks, n) => this.view.setUint32(at.attribute + 8 + 4 * n, blocks, true)
    );
    return true;
  }
  #argument(argument, at, buffers, sizes, encodeMap) {
    switch (argument.kind) {
      case "pointer": {
        const buffer = bufferOf(buffers, argument.buffer);
        const offset = evaluateLaunchSize(argument.offset ?? 0, sizes);
        if (offset < 0 || offset > buffer.byteLength)
          throw new RangeError(
            `offset ${offset} of buffer ${argument.buffer}, which has ${buffer.byteLength} bytes`
          );
        this.view.setBigUint64(at, buffer.address + BigInt(offset), true);
        return;
      }
      case "i32": {
        const value = evaluateLaunchSize(argument.value, sizes);
        if (value !== (value | 0)) throw new RangeError(`${value} does not fit an argument of 32 bits`);
        this.view.setInt32(at, value, true);
        return;
      }
      case "i64":
        this.view.setBigInt64(at, BigInt(evaluateLaunchSize(argument.value, sizes)), true);
        return;
      case "f32":
        this.view.setFloat32(at, argument.value, true);
        return;
      case "tensor-map":
        encodeMap(
          resolveTensorMap(argument, bufferOf(buffers, argument.buffer), sizes),
          new Uint8Array(this.view.buffer, this.view.byteOffset + at, tensorMapBytes)
        );
        return;
      default:
        argument;
    }
  }
};
function bufferOf(buffers, index2) {
  const buffer = buffers[index2];
  if (buffer === void 0) throw new RangeError(`there is no buffer ${index2}`);
  return buffer;
}

// runtime/device/cuda/prepared.ts
var mostRemembered = 64;
var BoundCall = class {
  #context;
  #call;
  #kernels;
  #buffers;
  #sizes;
  #scratchBytes;
  #scratch = [];
  #packed = null;
  #generation = -1;
  constructor(context2, call2, kernels2, buffers, sizes) {
    if (buffers.length !== call2.buffers)
      throw new RangeError(`the call has ${call2.buffers} buffers, not ${buffers.length}`);
    this.#context = context2;
    this.#call = call2;
    this.#kernels = kernels2;
    this.#buffers = [...buffers];
    this.#sizes = { multiprocessors: context2.multiprocessors, ...sizes };
    this.#scratchBytes = call2.scratch.map(({ bytes }) => evaluateLaunchSize(bytes, this.#sizes));
    this.#pack();
  }
  /** Starts all launches in order; they run after all that was started before. Throws when a scalar is missing. */
  run(scalars = {}) {
    const { driver, stream: stream2, synchronous } = this.#context;
    if (this.#generation !== this.#context.scratch.generation) this.#pack();
    const packed = this.#packed;
    packed.fill(scalars);
    this.#call.scratch.forEach(({ zero: zero2 }, n) => {
      const { address, byteLength } = this.#scratch[n];
      if (zero2 && byteLength > 0) driver.call("cuMemsetD8Async", address, 0, byteLength, stream2);
    });
    const launch = driver.native("cuLaunchKernelEx");
    for (const { label, source: source2, config, parameters } of packed.launches) {
      if (driver.started.length >= 2 * mostRemembered) driver.started.splice(0, mostRemembered);
      driver.started.push(label);
      const result = launch(config, this.#kernels[source2].handle, parameters, null);
      if (result !== 0) driver.check("cuLaunchKernelEx", result);
      if (synchronous) {
        driver.call("cuStreamSynchronize", stream2);
        driver.started.length = 0;
      }
    }
  }
  #pack() {
    const { driver, scratch, stream: stream2 } = this.#context;
    this.#scratch = scratch.place(this.#scratchBytes);
    this.#generation = scratch.generation;
    this.#packed = new PackedLaunches(
      this.#call.launches,
      [...this.#buffers, ...this.#scratch],
      this.#sizes,
      stream2,
      (map3, target) => encodeTensorMap(driver, map3, target)
    );
  }
};
var mostBound = 16;
var PreparedCall = class {
  call;
  /** One for each source. */
  kernels;
  #context;
  #bound = /* @__PURE__ */ new Map();
  constructor(context2, call2, kernels2) {
    this.#context = context2;
    this.call = call2;
    this.kernels = kernels2;
    for (const launch of call2.launches) kernels2[launch.source].allow(launch);
  }
  /** Packs the launches. Throws RangeError for sizes the hardware or the buffers cannot have. */
  bind(buffers, sizes) {
    return new BoundCall(this.#context, this.call, this.kernels, buffers, sizes);
  }
  /** Launches over these buffers; packs them only when buffers or sizes are new. */
  run(buffers, sizes, scalars = {}) {
    const key = `${buffers.map(({ address, byteLength }) => `${address}+${byteLength}`).join()};${Object.entries(sizes).join(";")}`;
    let bound = this.#bound.get(key);
    if (bound === void 0) bound = this.bind(buffers, sizes);
    else this.#bound.delete(key);
    this.#bound.set(key, bound);
    if (this.#bound.size > mostBound) this.#bound.delete(this.#bound.keys().next().value);
    bound.run(scalars);
  }
};

// runtime/device/cuda/properties.ts
function readProperties(driver, device2) {
  const attribute = (name2) => driver.int("cuDeviceGetAttribute", (out) => [out, deviceAttribute[name2], device2]);
  const name = Buffer.alloc(256);
  driver.call("cuDeviceGetName", name, name.length, device2);
  return {
    name: name.toString("utf8", 0, name.indexOf(0)),
    major: attribute("capabilityMajor"),
    minor: attribute("capabilityMinor"),
    multiprocessors: attribute("multiprocessors"),
    memoryBytes: Number(driver.handle("cuDeviceTotalMem_v2", (out) => [out, device2])),
    cacheBytes: attribute("cacheBytes"),
    sharedBytes: attribute("sharedBytes"),
    memoryPools: attribute("memoryPools") === 1
  };
}
function targetOf(architecture, gpu) {
  const refuse = (needed) => {
    throw new LctxError(
      "no-device",
      `${gpu.name} has compute capability ${gpu.major}.${gpu.minor}; kernels for ${architecture} need ${needed}`,
      architecture === "sm_90a" ? "compile the program for sm_80" : "use a CPU device"
    );
  };
  switch (architecture) {
    case "sm_80":
      return gpu.major >= 8 ? `sm_${gpu.major}${gpu.minor}` : refuse("8.0 or newer");
    case "sm_90a":
      return gpu.major === 9 && gpu.minor === 0 ? "sm_90a" : refuse("9.0");
    default:
      return architecture;
  }
}

// runtime/device/cuda/scratch.ts
var alignment = 256;
var Scratch = class {
  #allocator;
  #area = null;
  #generation = 0;
  constructor(allocator) {
    this.#allocator = allocator;
  }
  /** Changes when the area moves: what was packed with its address is packed again. */
  get generation() {
    return this.#generation;
  }
  /** Makes room for buffers of these bytes, one after the other. Throws LctxError `device-memory`. */
  place(bytes) {
    let at = 0;
    const offsets2 = bytes.map((size2) => {
      const offset = at;
      at += Math.ceil(size2 / alignment) * alignment;
      return offset;
    });
    if (at > (this.#area?.byteLength ?? 0)) {
      this.#area?.free();
      this.#area = null;
      this.#generation += 1;
      this.#area = this.#allocator.allocate(at);
    }
    const area = this.#area;
    return area === null ? bytes.map(() => ({ address: 0n, byteLength: 0 })) : bytes.map((size2, n) => area.part(offsets2[n], size2));
  }
  free() {
    this.#area?.free();
    this.#area = null;
    this.#generation += 1;
  }
};

// runtime/device/cuda/device.ts
var nonBlocking = 1;
var CudaDevice = class {
  name = "cuda";
  properties;
  compiler;
  /** One line for people: GPU, compute capability, memory, compiler. */
  description;
  #driver;
  #device;
  #stream;
  #allocator;
  #scratch;
  #modules;
  #cubins;
  #context;
  #graphs = /* @__PURE__ */ new Set();
  #events = null;
  constructor(driver, device2, compiler, cacheFolder) {
    this.#driver = driver;
    this.#device = device2;
    this.compiler = compiler;
    const context2 = driver.handle("cuDevicePrimaryCtxRetain", (out) => [out, device2]);
    driver.call("cuCtxSetCurrent", context2);
    this.properties = readProperties(driver, device2);
    this.#stream = driver.handle("cuStreamCreate", (out) => [out, nonBlocking]);
    this.#allocator = new CudaAllocator(driver, device2, this.#stream, this.properties.memoryPools);
    this.#scratch = new Scratch(this.#allocator);
    this.#modules = new Modules(driver, this.properties);
    this.#cubins = new CubinCache(compiler, cacheFolder);
    this.#context = {
      driver,
      stream: this.#stream,
      scratch: this.#scratch,
      multiprocessors: this.properties.multiprocessors,
      synchronous: process.env["LCTX_CUDA_SYNC"] === "1"
    };
    const { name, major, minor, memoryBytes } = this.properties;
    this.description = [
      `${name}, compute capability ${major}.${minor}`,
      `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`,
      compiler.description,
      ...this.#cubins.problem === null ? [] : [this.#cubins.problem]
    ].join(", ");
  }
  /** Zero-filled memory. Throws LctxError `device-memory`, which names the bytes asked for and free. */
  allocate(byteLength) {
    const memory = this.#allocator.allocate(byteLength);
    this.zero(memory);
    return memory;
  }
  /** Fills with zero bytes. */
  zero(span) {
    if (span.byteLength > 0)
      this.#driver.call("cuMemsetD8Async", span.address, 0, span.byteLength, this.#stream);
  }
  /** Bytes free and of all, for every process of this GPU. */
  memory() {
    return this.#allocator.info();
  }
  /** Copies to the start of `to`; returns when the data may be changed. Throws RangeError when it does not fit. */
  upload(to, data) {
    if (data.byteLength > to.byteLength)
      throw new RangeError(`${data.byteLength} bytes do not fit into ${to.byteLength}`);
    if (data.byteLength === 0) return;
    this.#driver.call("cuMemcpyHtoDAsync_v2", to.address, data, data.byteLength, this.#stream);
    this.synchronize();
  }
  /** Copies from the start of `from` into all of `into`, after all work started before. */
  download(from, into) {
    if (into.byteLength > from.byteLength)
      throw new RangeError(`${into.byteLength} bytes are more than ${from.byteLength}`);
    if (into.byteLength > 0)
      this.#driver.call("cuMemcpyDtoHAsync_v2", into, from.address, into.byteLength, this.#stream);
    this.synchronize();
  }
  /** Copies all of `from` to the start of `to`, in order with other work. */
  copy(to, from) {
    if (from.byteLength > to.byteLength)
      throw new RangeError(`${from.byteLength} bytes do not fit into ${to.byteLength}`);
    if (from.byteLength > 0)
      this.#driver.call("cuMemcpyDtoDAsync_v2", to.address, from.address, from.byteLength, this.#stream);
  }
  /** Compiles, or finds, and loads the kernels. Throws LctxErrors `kernel-compile`, `no-compiler`, `no-device`. */
  async prepare(call2) {
    const kernels2 = await Promise.all(
      call2.sources.map(async (source2) => {
        const target = targetOf(source2.architecture, this.properties);
        if (!this.compiler.supports(target))
          throw new LctxError(
            "no-compiler",
            `${this.compiler.description} does not know ${target}`,
            "install a newer CUDA toolkit, or set LCTX_NVRTC to a newer libnvrtc"
          );
        return this.#modules.load(await this.#cubins.get(source2, target), source2.entry);
      })
    );
    return new PreparedCall(this.#context, call2, kernels2);
  }
  /** Records the launches that `work` starts; bind the calls before, so that nothing is allocated meanwhile. */
  capture(work) {
    const graph = new CudaGraph(this.#driver, this.#stream, this.#scratch, work);
    this.#graphs.add(graph);
    return graph;
  }
  /** Waits for all work. A fault of a kernel ends the process here at the latest. */
  synchronize() {
    this.#driver.call("cuStreamSynchronize", this.#stream);
    this.#driver.started.length = 0;
  }
  /** Milliseconds on the GPU from before the first launch of `work` until after its last; waits for it. */
  time(work) {
    this.#events ??= [this.#newEvent(), this.#newEvent()];
    const [start, end] = this.#events;
    this.#driver.call("cuEventRecord", start, this.#stream);
    work();
    this.#driver.call("cuEventRecord", end, this.#stream);
    this.synchronize();
    const out = new Float32Array(1);
    this.#driver.call("cuEventElapsedTime", out, start, end);
    return out[0];
  }
  close() {
    this.synchronize();
    for (const graph of this.#graphs) graph.free();
    for (const event of this.#events ?? []) this.#driver.call("cuEventDestroy_v2", event);
    this.#scratch.free();
    this.#modules.unload();
    this.#allocator.trim();
    this.#allocator.close();
    this.#driver.call("cuStreamDestroy_v2", this.#stream);
    this.#driver.call("cuDevicePrimaryCtxRelease_v2", this.#device);
  }
  #newEvent() {
    return this.#driver.handle("cuEventCreate", (out) => [out, 0]);
  }
};
async function openCuda(options) {
  const driver = openDriver();
  const count2 = driver.deviceCount();
  const ordinal = options.ordinal ?? 0;
  if (ordinal < 0 || ordinal >= count2)
    throw new LctxError(
      "no-device",
      `there is no GPU ${ordinal}: the driver shows ${count2}`,
      "check nvidia-smi and CUDA_VISIBLE_DEVICES"
    );
  const compiler = await findCudaCompiler();
  const device2 = driver.int("cuDeviceGet", (out) => [out, ordinal]);
  return new CudaDevice(driver, device2, compiler, options.cacheFolder);
}

// node_modules/fast-check/lib/rolldown-runtime-D7D4PA-g.js
var __defProp = Object.defineProperty;
var __exportAll = (all, no_symbols) => {
  let target = {};
  for (var name in all) __defProp(target, name, {
    get: all[name],
    enumerable: true
  });
  if (!no_symbols) __defProp(target, Symbol.toStringTag, { value: "Module" });
  return target;
};

// node_modules/pure-rand/lib/esm/generator/congruential32.js
var MULTIPLIER = 214013;
var INCREMENT = 2531011;
var MASK = 4294967295;
var MASK_2 = -2147483649;
var MULTIPLIER_2 = -1443076087;
var INCREMENT_2 = 505908858;
var MULTIPLIER_3 = 1170746341;
var INCREMENT_3 = -755606699;
var JUMP_MULTIPLIER = 1994129409;
var JUMP_INCREMENT = 916127744;
var LinearCongruential32 = class LinearCongruential322 {
  constructor(seed) {
    this.seed = seed;
  }
  clone() {
    return new LinearCongruential322(this.seed);
  }
  next() {
    const s0 = this.seed;
    const s1 = Math.imul(s0, MULTIPLIER) + INCREMENT | 0;
    const s2 = Math.imul(s0, MULTIPLIER_2) + INCREMENT_2 | 0;
    const s3 = Math.imul(s0, MULTIPLIER_3) + INCREMENT_3 | 0;
    this.seed = s3;
    const v1 = (s1 & MASK_2) >> 16;
    const v2 = (s2 & MASK_2) >> 16;
    return (s3 & MASK_2) >> 16 | v2 << 15 | v1 << 30;
  }
  jump() {
    this.seed = Math.imul(this.seed, JUMP_MULTIPLIER) + JUMP_INCREMENT & MASK;
  }
  getState() {
    return [this.seed];
  }
};
function congruential32(seed) {
  return new LinearCongruential32(seed);
}

// node_modules/pure-rand/lib/esm/generator/mersenne.js
var N = 624;
var M = 397;
var A = 2567483615;
var F = 1812433253;
var U = 11;
var S = 7;
var B = 2636928640;
var T = 15;
var C = 4022730752;
var L = 18;
var MASK_LOWER = 2147483647;
var MASK_UPPER = 2147483648;
var JUMP_COEFS = "SUSgbA\\W`E[]KN2RUSo8XVU?HKBFRl11E\\KoWOg5B]XEWG;BE;1:oVK[`B^Z9Qd23^XTnhL>]Unda4f[X;_j9H5QD=cN<5H`3bW>9bk1mjoI2fK0obmAAINOV:>Mek_V9dd<hZ\\gC3?Fm7FEk07QH_3PLm^@?^i\\QMkgP<]oLHmFnlecg5F@7U^@4jhZ?WZS0k@GHehmM36:5^9;>Hmm`co>k:KOSkSbIINb1VFf>LXgP>GUAQTD>Ci>XMGkUflLlb?_FaFUk@?5N7i70@;1o68ah@I<HFH7R2^J:G][Gf962ITWID9GWK8ElD2G5=DcHcL]cA]P2n7A=[<bInM;IHDQnJMReRXDWbVldnGEIPij`E08Xdci3@0c:IBbD4:Nk]?lEN9j^;T`0blZX7eiWE8c`<ak7j05FZi>AjUDh?M1B?^??FAXKThf<aBOXZf7jXYGK>R<;NHk3S9YhM7STJ6`:MIE`S@7298X8W>PNK=@;lLX<i\\TXLL<W@X[X54H]in8M;;n?kkQbajgAMY=Tf9b;ZKf0QUB2FHYWfnfkDoU9YkcLd95T>lK6GM1YL\\lid:J>KYS=iJ]Y>QlF>?R5_[5QeYC=66;A32Ac>OHk_ne^0g>bK:g;KFPgbGUcPR_Z=TX3H9d03bKZ2IhEPKBo>LSGWd0iFdV8C<Y:<>T[O6lC\\blaZ>GoAYP4clf^j1IfnZJ]QeDe2X<HE[LJNWnaCg[P]Co^:IRbWPY?97UePBlZNNHY6LOBM8P>=h?Ye:_f_Sb9Ki5GDYBF4dWeMfdg^ccPllNWM7G1\\UMdoYeOOD5^e@foA22G?ADYo5:FVG[bWo96;>3kc_c1Ab30>30;1@4F8g2hY?DJ4[LOL;ZLLKo2]jo>[KMDUcR279N_kF=3WL@Dd620bMTdA\\U9k``ef2iD9JgJ8CZBHS>F^Uk;<laeaeHS<15OSeS`PcSSKBRBFY]aQ=EgUXGNg=?d56`KA@2BejY0^[_DCX`L=CGMT=BW^6S1i@2ATBVk>3_ocRA>2U:4GPQ6o>5jX2HIcV3S@On6KB<[SKB?FC_AAji9agbBFkAi\\;4I\\UJ]c36Ub@[;gQACVGY<V]SDJBUU]La\\_a@JdOO8gm2T0DJMa:8Hf7>E]noQ[1Kambn??QQ]S?1i0oMGOijb\\aGY6lQ^CJ?9bFle8<eH4UUjBINX;n8@VOA5ah^URV49B[A?ONHhHAC1J5;;h0SXYlG^0W=eJdHh^K4SGe=1HZLLam;D<Q3AOdbPcdX``82\\jo0En8jRVGC73WMCF9`d:0heS?80?C188cSn7H9<daZ]MgS4Pb^1HkA:1PU^5>^h_g[RQV@PnYBRI_]`B]Bh@Uk03eXGY`I16L76H28X`R>IROMeNVUdU[:lghLhPCQZ:4a<30YBZCYnXe[?;jc8gKI2QH2MjnWBm4nGCZW`aVU2a;P<AMI25mlW_Nm][2?b6o851X@lAm]YZ`bWRF1g<Ga:T]1NXH5Veja5P9S9>:aNg:Th1Y=5o78K>LQ8hW@5S?I83Lk5Xk;j5@I3o[d:4RjE^oS30:WP9gC\\i8aSI>QRE@4lP:7lDg8g2`Ql[2I8aBU\\BQ?B4_clL9Q]S;^e1Ob5[>3JER2`c7B=o]fPOWO<DGi;Niba1PoWPPE_Q3aX0OB0mZej\\f_M[J4Y6]1`h2MkF[GiW8Q^d3^_=<I1N2Q7]2<2j[iP7V3V821FaI]A`93bC^Z\\G=WJ;^Ih?B97_iIF@\\Dl<eK1je8SNTWo_=XFMZH<<JYLZ^YQMPgYOV45K_:]kSI8^XlO0]GY=VUfe_C_F6TOcoAlVUH:o=WhhT@K`2KFhe<3\\KXQ>W:M?S_4S5d@J^`[AGA7@3]DnGSCO`\\?E8HT75^d9\\:m\\m1egIfk8cd6bD9\\eU8\\n[Pb0Cgd^S0n9kGJHb]i5XodlKHc34Fhi9K>0U5WK`>7Ff2^KL=WC6:kc?e5C^a1T1:4:^S5flXlGNIj08AfO?Dh7T7dWO>E]NI9?ob7B7P_h[4TEP[EU;GllFTnSmg9:\\[N]<SAoKP_kPlG56A:I3T6EG8Hj=XnUE`KT5U@OQ?]7[N^MFN1_NU4KO_3::Le`8IL9[1Z1H1;V3SC\\N3]S@4U[F2mhT5dYM7[4Pg_Na0_8WTH0`bgceQS8]EG;XgD4Ib4iLTP@kE79Mn>AYRJA1U5^Blhgno:aHVYc03c3J0Vc9FjEV^M75Zfd8kVC9>iJDk`AJ[6f7DK2D^DL\\AX:6b5h31XH;RQB\\N<ZSM=J;6L[`UW^eOIFc1Y]6_dfedIe4ARh72mTXC0WND_IDHVCZRDE0eODARCEETQI5TPUQE=jEH5bS?LP[ai`F5ABRYDo2o\\@=]GT?_9;hc4Lm:\\SF9k1T<0E@fX9BG[]g0nY7k[Qmi@la8`PF0j6@Q?Ii7bLkXQ<lLHf]`:DCh@9JY5>hEVLTdhL\\b1EB0lLh<=WaO@F<;8g<d:@e:LA:cFIEdmQh7hNHfSRToW?8N4:Z1K;XEDRO;OIDh<UdVln?bjgL>?VE98[B\\K<BVjkG8LiSX;fb>jf?DUK00Aih<WY6QD6cEnHBZ8iN_fd<G8Ci`11RUW2QlW]IXV:m?;J0GXXHfGNQ>:D`=fLPbO?VOTEYLj^cNj5PM>jKB5HVjJ4U7lXaTQNL9<@\\1`m\\Ug@VQHd7>jW=ca0`miF7;N0F=GjoQ`RFchKMGTmn8cF@Oh4GGCm7m2`U9j93Tb>=kSERjE_J939F01I1;`<ijk_=_Vn=7RVAI6fnQI5KlF:C44bN<<8K=Z<2TP<1]5?<dB>^LA=ebloE2Y2:9lkh0\\<YKbHD97iE`<C5oj^1>X:??`H6BXF2hG1Q[dF0Q=>W=J?7C\\k1T?<;R44oW?1hY^G8Zm]ZKnfOf0eCFYo6?=D8?<`6HU5SXh1;=:23LmV_FSi;OJfV<^?GkIDPISeHg1LaGE:V3Y3K3H<QJfbY?=;ldZRhnhQT_mGXDLFXXhSONE6Do_0iNZagB:BPGOTH;VhHUTd6LhQm^[;dO]5Hlkg<R:F<Kn\\:I:EGojgWZ2X@SYO_dlH;G8S<>oEKabY`:oU;=JW7ig?S?EYb86b7n8ce\\]IRa]koiWY<RfO;5kUI;7lVeC?[@ZaXDiF04B8R]bg@>O<mQDoUcBLcf^f>m2kMBUloD>Ze@NN^Z11TM`inXYhE_I=kA`:ZF4d\\>`L@;ZP[`ENU5cL[BV6\\Z?Di76:jg3hE6oG6jFc8kP=[GS1;WSedYQW1:U4\\OF32GgmMC<AjO]872bdBb`bKAA?8j78b>T3VfcUB2m4J^CPRU;8dScI]LU]^bBYA5_3:Y0N5i^?200000";
var MersenneTwister = class MersenneTwister2 {
  constructor(states, index2) {
    this.states = states;
    this.index = index2;
  }
  clone() {
    return new MersenneTwister2(this.states.slice(), this.index);
  }
  next() {
    let y = this.states[this.index];
    y ^= y >>> U;
    y ^= y << S & B;
    y ^= y << T & C;
    y ^= y >>> L;
    this.index = twistedNext(this.states, this.index);
    return y;
  }
  getState() {
    return [this.index, ...this.states];
  }
  jump() {
    const originalStates = this.states.slice();
    const originalIndex = this.index;
    this.index = twistedNext(this.states, this.index);
    for (let i = 19932; i > 0; --i) {
      if (JUMP_COEFS.charCodeAt(i / 6 | 0) - 48 & 1 << i % 6) addState(this.states, this.index, originalStates, originalIndex);
      this.index = twistedNext(this.states, this.index);
    }
    addState(this.states, this.index, originalStates, originalIndex);
  }
};
function addState(mt, idx, originalMt, originalIdx) {
  let i = 0;
  if (originalIdx >= idx) {
    for (; i < N - originalIdx; i++) mt[i + idx] ^= originalMt[i + originalIdx];
    for (; i < N - idx; i++) mt[i + idx] ^= originalMt[i + originalIdx - N];
    for (; i < N; i++) mt[i + idx - N] ^= originalMt[i + originalIdx - N];
  } else {
    for (; i < N - idx; i++) mt[i + idx] ^= originalMt[i + originalIdx];
    for (; i < N - originalIdx; i++) mt[i + idx - N] ^= originalMt[i + originalIdx];
    for (; i < N; i++) mt[i + idx - N] ^= originalMt[i + originalIdx - N];
  }
}
function twistedNext(mt, idx) {
  if (idx < N - M) {
    const y = mt[idx] & MASK_UPPER | mt[idx + 1] & MASK_LOWER;
    mt[idx] = mt[idx + M] ^ y >>> 1 ^ -(y & 1) & A;
    return idx + 1;
  } else if (idx < N - 1) {
    const y = mt[idx] & MASK_UPPER | mt[idx + 1] & MASK_LOWER;
    mt[idx] = mt[idx + M - N] ^ y >>> 1 ^ -(y & 1) & A;
    return idx + 1;
  } else {
    const y = mt[idx] & MASK_UPPER | mt[0] & MASK_LOWER;
    mt[idx] = mt[M - 1] ^ y >>> 1 ^ -(y & 1) & A;
    return 0;
  }
}
function twist(mt) {
  for (let idx = 0; idx !== N; ++idx) twistedNext(mt, idx);
}
function mersenne(seed) {
  const out = [seed | 0];
  for (let idx = 1; idx !== N; ++idx) {
    const xored = out[idx - 1] ^ out[idx - 1] >>> 30;
    out.push(Math.imul(F, xored) + idx | 0);
  }
  twist(out);
  return new MersenneTwister(out, 0);
}

// node_modules/pure-rand/lib/esm/generator/xorshift128plus.js
var jumps = [
  1667051007,
  2321340297,
  1548169110,
  304075285
];
var XorShift128Plus = class XorShift128Plus2 {
  constructor(s01, s00, s11, s10) {
    this.s01 = s01;
    this.s00 = s00;
    this.s11 = s11;
    this.s10 = s10;
  }
  clone() {
    return new XorShift128Plus2(this.s01, this.s00, this.s11, this.s10);
  }
  next() {
    const a0 = this.s00 ^ this.s00 << 23;
    const a1 = this.s01 ^ (this.s01 << 23 | this.s00 >>> 9);
    const s10 = this.s10;
    const s11 = this.s11;
    const out = this.s00 + s10 | 0;
    this.s01 = s11;
    this.s00 = s10;
    this.s11 = a1 ^ s11 ^ a1 >>> 18 ^ s11 >>> 5;
    this.s10 = a0 ^ s10 ^ (a0 >>> 18 | a1 << 14) ^ (s10 >>> 5 | s11 << 27);
    return out;
  }
  jump() {
    let ns01 = 0;
    let ns00 = 0;
    let ns11 = 0;
    let ns10 = 0;
    let s01 = this.s01;
    let s00 = this.s00;
    let s11 = this.s11;
    let s10 = this.s10;
    for (let i = 0; i !== 4; ++i) {
      const ji = jumps[i];
      for (let mask = 1; mask; mask <<= 1) {
        if (ji & mask) {
          ns01 ^= s01;
          ns00 ^= s00;
          ns11 ^= s11;
          ns10 ^= s10;
        }
        const a0 = s00 ^ s00 << 23;
        const a1 = s01 ^ (s01 << 23 | s00 >>> 9);
        s01 = s11;
        s00 = s10;
        s10 = a0 ^ s10 ^ (a0 >>> 18 | a1 << 14) ^ (s10 >>> 5 | s11 << 27);
        s11 = a1 ^ s11 ^ a1 >>> 18 ^ s11 >>> 5;
      }
    }
    this.s01 = ns01;
    this.s00 = ns00;
    this.s11 = ns11;
    this.s10 = ns10;
  }
  getState() {
    return [
      this.s01,
      this.s00,
      this.s11,
      this.s10
    ];
  }
};
function xorshift128plus(seed) {
  return new XorShift128Plus(-1, ~seed, seed | 0, 0);
}

// node_modules/pure-rand/lib/esm/generator/xoroshiro128plus.js
var jumps2 = [
  3639956645,
  3750757012,
  1261568508,
  386426335
];
var XoroShiro128Plus = class XoroShiro128Plus2 {
  constructor(s01, s00, s11, s10) {
    this.s01 = s01;
    this.s00 = s00;
    this.s11 = s11;
    this.s10 = s10;
  }
  clone() {
    return new XoroShiro128Plus2(this.s01, this.s00, this.s11, this.s10);
  }
  next() {
    const out = this.s00 + this.s10 | 0;
    const a0 = this.s10 ^ this.s00;
    const a1 = this.s11 ^ this.s01;
    const s00 = this.s00;
    const s01 = this.s01;
    this.s00 = s00 << 24 ^ s01 >>> 8 ^ a0 ^ a0 << 16;
    this.s01 = s01 << 24 ^ s00 >>> 8 ^ a1 ^ (a1 << 16 | a0 >>> 16);
    this.s10 = a1 << 5 ^ a0 >>> 27;
    this.s11 = a0 << 5 ^ a1 >>> 27;
    return out;
  }
  jump() {
    let ns01 = 0;
    let ns00 = 0;
    let ns11 = 0;
    let ns10 = 0;
    let s01 = this.s01;
    let s00 = this.s00;
    let s11 = this.s11;
    let s10 = this.s10;
    for (let i = 0; i !== 4; ++i) {
      const ji = jumps2[i];
      for (let mask = 1; mask; mask <<= 1) {
        if (ji & mask) {
          ns01 ^= s01;
          ns00 ^= s00;
          ns11 ^= s11;
          ns10 ^= s10;
        }
        const a0 = s10 ^ s00;
        const a1 = s11 ^ s01;
        const s00_ = s00;
        const s01_ = s01;
        s00 = s00_ << 24 ^ s01_ >>> 8 ^ a0 ^ a0 << 16;
        s01 = s01_ << 24 ^ s00_ >>> 8 ^ a1 ^ (a1 << 16 | a0 >>> 16);
        s10 = a1 << 5 ^ a0 >>> 27;
        s11 = a0 << 5 ^ a1 >>> 27;
      }
    }
    this.s01 = ns01;
    this.s00 = ns00;
    this.s11 = ns11;
    this.s10 = ns10;
  }
  getState() {
    return [
      this.s01,
      this.s00,
      this.s11,
      this.s10
    ];
  }
};
function xoroshiro128plus(seed) {
  return new XoroShiro128Plus(-1, ~seed, seed | 0, 0);
}

// node_modules/pure-rand/lib/esm/utils/skipN.js
function skipN(rng, num) {
  for (let idx = 0; idx !== num; ++idx) rng.next();
}

// node_modules/pure-rand/lib/esm/distribution/uniformBigInt.js
var SBigInt = BigInt;
var NumValues = 4294967296n;
function uniformBigInt(rng, from, to) {
  const diff = to - from + 1n;
  let FinalNumValues = NumValues;
  let NumIterations = 1;
  while (FinalNumValues < diff) {
    FinalNumValues <<= 32n;
    ++NumIterations;
  }
  let value = generateNext(NumIterations, rng);
  if (value < diff) return value + from;
  if (value + diff < FinalNumValues) return value % diff + from;
  const MaxAcceptedRandom = FinalNumValues - FinalNumValues % diff;
  while (value >= MaxAcceptedRandom) value = generateNext(NumIterations, rng);
  return value % diff + from;
}
function generateNext(NumIterations, rng) {
  let value = SBigInt(rng.next() + 2147483648);
  for (let num = 1; num < NumIterations; ++num) {
    const out = rng.next();
    value = (value << 32n) + SBigInt(out + 2147483648);
  }
  return value;
}

// node_modules/pure-rand/lib/esm/distribution/uniformInt.js
function uniformIntInternal(rng, rangeSize) {
  const MaxAllowed = rangeSize > 2 ? ~~(4294967296 / rangeSize) * rangeSize : 4294967296;
  let deltaV = rng.next() + 2147483648;
  while (deltaV >= MaxAllowed) deltaV = rng.next() + 2147483648;
  return deltaV % rangeSize;
}
function fromNumberToArrayInt64(out, n) {
  if (n < 0) {
    const posN = -n;
    out.sign = -1;
    out.data[0] = ~~(posN / 4294967296);
    out.data[1] = posN >>> 0;
  } else {
    out.sign = 1;
    out.data[0] = ~~(n / 4294967296);
    out.data[1] = n >>> 0;
  }
  return out;
}
function substractArrayInt64(out, arrayIntA, arrayIntB) {
  const lowA = arrayIntA.data[1];
  const highA = arrayIntA.data[0];
  const signA = arrayIntA.sign;
  const lowB = arrayIntB.data[1];
  const highB = arrayIntB.data[0];
  const signB = arrayIntB.sign;
  out.sign = 1;
  if (signA === 1 && signB === -1) {
    const low2 = lowA + lowB;
    const high = highA + highB + (low2 > 4294967295 ? 1 : 0);
    out.data[0] = high >>> 0;
    out.data[1] = low2 >>> 0;
    return out;
  }
  let lowFirst = lowA;
  let highFirst = highA;
  let lowSecond = lowB;
  let highSecond = highB;
  if (signA === -1) {
    lowFirst = lowB;
    highFirst = highB;
    lowSecond = lowA;
    highSecond = highA;
  }
  let reminderLow = 0;
  let low = lowFirst - lowSecond;
  if (low < 0) {
    reminderLow = 1;
    low = low >>> 0;
  }
  out.data[0] = highFirst - highSecond - reminderLow;
  out.data[1] = low;
  return out;
}
function uniformArrayIntInternal(rng, out, rangeSize) {
  const maxIndex0 = rangeSize[0] + 1;
  out[0] = uniformIntInternal(rng, maxIndex0);
  out[1] = uniformIntInternal(rng, 4294967296);
  while (out[0] >= rangeSize[0] && (out[0] !== rangeSize[0] || out[1] >= rangeSize[1])) {
    out[0] = uniformIntInternal(rng, maxIndex0);
    out[1] = uniformIntInternal(rng, 4294967296);
  }
  return out;
}
var safeNumberMaxSafeInteger = Number.MAX_SAFE_INTEGER;
var sharedA = {
  sign: 1,
  data: [0, 0]
};
var sharedB = {
  sign: 1,
  data: [0, 0]
};
var sharedC = {
  sign: 1,
  data: [0, 0]
};
var sharedData = [0, 0];
function uniformLargeIntInternal(rng, from, to, rangeSize) {
  const rangeSizeArrayIntValue = rangeSize <= safeNumberMaxSafeInteger ? fromNumberToArrayInt64(sharedC, rangeSize) : substractArrayInt64(sharedC, fromNumberToArrayInt64(sharedA, to), fromNumberToArrayInt64(sharedB, from));
  if (rangeSizeArrayIntValue.data[1] === 4294967295) {
    rangeSizeArrayIntValue.data[0] += 1;
    rangeSizeArrayIntValue.data[1] = 0;
  } else rangeSizeArrayIntValue.data[1] += 1;
  uniformArrayIntInternal(rng, sharedData, rangeSizeArrayIntValue.data);
  return sharedData[0] * 4294967296 + sharedData[1] + from;
}
function uniformInt(rng, from, to) {
  const rangeSize = to - from;
  if (rangeSize <= 4294967295) return uniformIntInternal(rng, rangeSize + 1) + from;
  return uniformLargeIntInternal(rng, from, to, rangeSize);
}

// node_modules/fast-check/lib/fast-check.js
var SharedFootPrint = /* @__PURE__ */ Symbol.for("fast-check/PreconditionFailure");
var PreconditionFailure = class extends Error {
  constructor(interruptExecution = false) {
    super();
    this.interruptExecution = interruptExecution;
    this.footprint = SharedFootPrint;
  }
  static isFailure(err) {
    return err !== null && err !== void 0 && err.footprint === SharedFootPrint;
  }
};
function pre(expectTruthy) {
  if (!expectTruthy) throw new PreconditionFailure();
}
var Nil = class {
  [Symbol.iterator]() {
    return this;
  }
  next(value) {
    return {
      value,
      done: true
    };
  }
};
var nil = new Nil();
function nilHelper() {
  return nil;
}
function* mapHelper(g, f) {
  for (const v of g) yield f(v);
}
function* flatMapHelper(g, f) {
  for (const v of g) yield* f(v);
}
function* filterHelper(g, f) {
  for (const v of g) if (f(v)) yield v;
}
function* takeNHelper(g, n) {
  for (let i = 0; i < n; ++i) {
    const cur = g.next();
    if (cur.done) break;
    yield cur.value;
  }
}
function* takeWhileHelper(g, f) {
  let cur = g.next();
  while (!cur.done && f(cur.value)) {
    yield cur.value;
    cur = g.next();
  }
}
function* joinHelper(g, others) {
  for (let cur = g.next(); !cur.done; cur = g.next()) yield cur.value;
  for (const s of others) for (let cur = s.next(); !cur.done; cur = s.next()) yield cur.value;
}
var safeSymbolIterator$1 = Symbol.iterator;
var Stream = class Stream2 {
  /**
  * Create an empty stream of T
  * @remarks Since 0.0.1
  */
  static nil() {
    return new Stream2(nilHelper());
  }
  /**
  * Create a stream of T from a variable number of elements
  *
  * @param elements - Elements used to create the Stream
  * @remarks Since 2.12.0
  */
  static of(...elements) {
    return new Stream2(elements[safeSymbolIterator$1]());
  }
  /**
  * Create a Stream based on `g`
  * @param g - Underlying data of the Stream
  */
  constructor(g) {
    this.g = g;
  }
  next() {
    return this.g.next();
  }
  [Symbol.iterator]() {
    return this.g;
  }
  /**
  * Map all elements of the Stream using `f`
  *
  * WARNING: It closes the current stream
  *
  * @param f - Mapper function
  * @remarks Since 0.0.1
  */
  map(f) {
    return new Stream2(mapHelper(this.g, f));
  }
  /**
  * Flat map all elements of the Stream using `f`
  *
  * WARNING: It closes the current stream
  *
  * @param f - Mapper function
  * @remarks Since 0.0.1
  */
  flatMap(f) {
    return new Stream2(flatMapHelper(this.g, f));
  }
  /**
  * Drop elements from the Stream while `f(element) === true`
  *
  * WARNING: It closes the current stream
  *
  * @param f - Drop condition
  * @remarks Since 0.0.1
  */
  dropWhile(f) {
    let foundEligible = false;
    function* helper(v) {
      if (foundEligible || !f(v)) {
        foundEligible = true;
        yield v;
      }
    }
    return this.flatMap(helper);
  }
  /**
  * Drop `n` first elements of the Stream
  *
  * WARNING: It closes the current stream
  *
  * @param n - Number of elements to drop
  * @remarks Since 0.0.1
  */
  drop(n) {
    if (n <= 0) return this;
    let idx = 0;
    function helper() {
      return idx++ < n;
    }
    return this.dropWhile(helper);
  }
  /**
  * Take elements from the Stream while `f(element) === true`
  *
  * WARNING: It closes the current stream
  *
  * @param f - Take condition
  * @remarks Since 0.0.1
  */
  takeWhile(f) {
    return new Stream2(takeWhileHelper(this.g, f));
  }
  /**
  * Take `n` first elements of the Stream
  *
  * WARNING: It closes the current stream
  *
  * @param n - Number of elements to take
  * @remarks Since 0.0.1
  */
  take(n) {
    return new Stream2(takeNHelper(this.g, n));
  }
  filter(f) {
    return new Stream2(filterHelper(this.g, f));
  }
  /**
  * Check whether all elements of the Stream are successful for `f`
  *
  * WARNING: It closes the current stream
  *
  * @param f - Condition to check
  * @remarks Since 0.0.1
  */
  every(f) {
    for (const v of this.g) if (!f(v)) return false;
    return true;
  }
  /**
  * Check whether one of the elements of the Stream is successful for `f`
  *
  * WARNING: It closes the current stream
  *
  * @param f - Condition to check
  * @remarks Since 0.0.1
  */
  has(f) {
    for (const v of this.g) if (f(v)) return [true, v];
    return [false, null];
  }
  /**
  * Join `others` Stream to the current Stream
  *
  * WARNING: It closes the current stream and the other ones (as soon as it iterates over them)
  *
  * @param others - Streams to join to the current Stream
  * @remarks Since 0.0.1
  */
  join(...others) {
    return new Stream2(joinHelper(this.g, others));
  }
  /**
  * Take the `nth` element of the Stream of the last (if it does not exist)
  *
  * WARNING: It closes the current stream
  *
  * @param nth - Position of the element to extract
  * @remarks Since 0.0.12
  */
  getNthOrLast(nth) {
    let remaining = nth;
    let last = null;
    for (const v of this.g) {
      if (remaining-- === 0) return v;
      last = v;
    }
    return last;
  }
};
function stream(g) {
  return new Stream(g);
}
var cloneMethod = /* @__PURE__ */ Symbol.for("fast-check/cloneMethod");
function hasCloneMethod(instance) {
  return instance !== null && (typeof instance === "object" || typeof instance === "function") && cloneMethod in instance && typeof instance[cloneMethod] === "function";
}
function cloneIfNeeded(instance) {
  return hasCloneMethod(instance) ? instance[cloneMethod]() : instance;
}
var safeObjectDefineProperty$4 = Object.defineProperty;
var Value = class {
  /**
  * @param value_ - Internal value of the shrinkable
  * @param context - Context associated to the generated value (useful for shrink)
  * @param customGetValue - Limited to internal usages (to ease migration to next), it will be removed on next major
  */
  constructor(value_, context2, customGetValue) {
    this.value_ = value_;
    this.context = context2;
    this.hasToBeCloned = customGetValue !== void 0 || hasCloneMethod(value_);
    this.readOnce = false;
    this.value = value_;
    if (this.hasToBeCloned) safeObjectDefineProperty$4(this, "value", {
      get: customGetValue !== void 0 ? customGetValue : this.getValue,
      enumerable: false,
      configurable: false
    });
  }
  /** @internal */
  getValue() {
    if (this.hasToBeCloned) {
      if (!this.readOnce) {
        this.readOnce = true;
        return this.value_;
      }
      return this.value_[cloneMethod]();
    }
    return this.value_;
  }
};
var Arbitrary = class {
  filter(refinement) {
    return new FilterArbitrary(this, refinement);
  }
  /**
  * Create another arbitrary by mapping all produced values using the provided `mapper`
  * Values produced by the new arbitrary are the result of applying `mapper` value by value
  *
  * @example
  * ```typescript
  * const rgbChannels: Arbitrary<{r:number,g:number,b:number}> = ...;
  * const color: Arbitrary<string> = rgbChannels.map(ch => `#${(ch.r*65536 + ch.g*256 + ch.b).toString(16).padStart(6, '0')}`);
  * // transform an Arbitrary producing {r,g,b} integers into an Arbitrary of '#rrggbb'
  * ```
  *
  * @param mapper - Map function, to produce a new element based on an old one
  * @param unmapper - Optional unmap function, it will never be used except when shrinking user defined values. Must throw if value is not compatible (since 3.0.0)
  * @returns New arbitrary with mapped elements
  *
  * @remarks Since 0.0.1
  */
  map(mapper, unmapper) {
    return new MapArbitrary(this, mapper, unmapper);
  }
  /**
  * Create another arbitrary by mapping a value from a base Arbirary using the provided `fmapper`
  * Values produced by the new arbitrary are the result of the arbitrary generated by applying `fmapper` to a value
  * @example
  * ```typescript
  * const arrayAndLimitArbitrary = fc.nat().chain((c: number) => fc.tuple( fc.array(fc.nat(c)), fc.constant(c)));
  * ```
  *
  * @param chainer - Chain function, to produce a new Arbitrary using a value from another Arbitrary
  * @returns New arbitrary of new type
  *
  * @remarks Since 1.2.0
  */
  chain(chainer) {
    return new ChainArbitrary(this, chainer);
  }
};
var ChainArbitrary = class extends Arbitrary {
  constructor(arb, chainer) {
    super();
    this.arb = arb;
    this.chainer = chainer;
  }
  generate(mrng, biasFactor) {
    const clonedMrng = mrng.clone();
    const src = this.arb.generate(mrng, biasFactor);
    return this.valueChainer(src, mrng, clonedMrng, biasFactor);
  }
  canShrinkWithoutContext(_value) {
    return false;
  }
  shrink(value, context2) {
    if (this.isSafeContext(context2)) return (!context2.stoppedForOriginal ? this.arb.shrink(context2.originalValue, context2.originalContext).map((v) => this.valueChainer(v, context2.clonedMrng.clone(), context2.clonedMrng, context2.originalBias)) : Stream.nil()).join(context2.chainedArbitrary.shrink(value, context2.chainedContext).map((dst) => {
      const newContext = {
        ...context2,
        chainedContext: dst.context,
        stoppedForOriginal: true
      };
      return new Value(dst.value_, newContext);
    }));
    return Stream.nil();
  }
  valueChainer(v, generateMrng, clonedMrng, biasFactor) {
    const chainedArbitrary = this.chainer(v.value_);
    const dst = chainedArbitrary.generate(generateMrng, biasFactor);
    const context2 = {
      originalBias: biasFactor,
      originalValue: v.value_,
      originalContext: v.context,
      stoppedForOriginal: false,
      chainedArbitrary,
      chainedContext: dst.context,
      clonedMrng
    };
    return new Value(dst.value_, context2);
  }
  isSafeContext(context2) {
    return context2 !== null && context2 !== void 0 && typeof context2 === "object" && "originalBias" in context2 && "originalValue" in context2 && "originalContext" in context2 && "stoppedForOriginal" in context2 && "chainedArbitrary" in context2 && "chainedContext" in context2 && "clonedMrng" in context2;
  }
};
function mapperWithCloneIfNeeded(v, mapper) {
  const sourceValue = v.value;
  const mappedValue = mapper(sourceValue);
  if (v.hasToBeCloned && (typeof mappedValue === "object" && mappedValue !== null || typeof mappedValue === "function") && Object.isExtensible(mappedValue) && !hasCloneMethod(mappedValue)) Object.defineProperty(mappedValue, cloneMethod, { get: () => () => mapperWithCloneIfNeeded(v, mapper)[0] });
  return [mappedValue, sourceValue];
}
function valueMapper(v, mapper) {
  const [mappedValue, sourceValue] = mapperWithCloneIfNeeded(v, mapper);
  return new Value(mappedValue, {
    originalValue: sourceValue,
    originalContext: v.context
  });
}
var MapArbitrary = class extends Arbitrary {
  constructor(arb, mapper, unmapper) {
    super();
    this.arb = arb;
    this.mapper = mapper;
    this.unmapper = unmapper;
    this.bindValueMapper = (v) => valueMapper(v, mapper);
  }
  generate(mrng, biasFactor) {
    const g = this.arb.generate(mrng, biasFactor);
    if (!g.hasToBeCloned) {
      const sourceValue = g.value;
      return new Value(this.mapper(sourceValue), {
        originalValue: sourceValue,
        originalContext: g.context
      });
    }
    return valueMapper(g, this.mapper);
  }
  canShrinkWithoutContext(value) {
    if (this.unmapper !== void 0) try {
      const unmapped = this.unmapper(value);
      return this.arb.canShrinkWithoutContext(unmapped);
    } catch {
      return false;
    }
    return false;
  }
  shrink(value, context2) {
    if (this.isSafeContext(context2)) return this.arb.shrink(context2.originalValue, context2.originalContext).map(this.bindValueMapper);
    if (this.unmapper !== void 0) {
      const unmapped = this.unmapper(value);
      return this.arb.shrink(unmapped, void 0).map(this.bindValueMapper);
    }
    return Stream.nil();
  }
  isSafeContext(context2) {
    return context2 !== null && context2 !== void 0 && typeof context2 === "object" && "originalValue" in context2 && "originalContext" in context2;
  }
};
var FilterArbitrary = class extends Arbitrary {
  constructor(arb, refinement) {
    super();
    this.arb = arb;
    this.refinement = refinement;
    this.bindRefinementOnValue = (v) => this.refinementOnValue(v);
  }
  generate(mrng, biasFactor) {
    while (true) {
      const g = this.arb.generate(mrng, biasFactor);
      if (this.refinementOnValue(g)) return g;
    }
  }
  canShrinkWithoutContext(value) {
    return this.arb.canShrinkWithoutContext(value) && this.refinement(value);
  }
  shrink(value, context2) {
    return this.arb.shrink(value, context2).filter(this.bindRefinementOnValue);
  }
  refinementOnValue(v) {
    return this.refinement(v.value);
  }
};
function isArbitrary(instance) {
  return typeof instance === "object" && instance !== null && "generate" in instance && "shrink" in instance && "canShrinkWithoutContext" in instance;
}
function assertIsArbitrary(instance) {
  if (!isArbitrary(instance)) throw new Error("Unexpected value received: not an instance of Arbitrary");
}
var untouchedApply = Function.prototype.apply;
var ApplySymbol = /* @__PURE__ */ Symbol("apply");
function safeExtractApply(f) {
  try {
    return f.apply;
  } catch {
    return;
  }
}
function safeApplyHacky(f, instance, args) {
  const ff = f;
  ff[ApplySymbol] = untouchedApply;
  const out = ff[ApplySymbol](instance, args);
  delete ff[ApplySymbol];
  return out;
}
function safeApply(f, instance, args) {
  if (safeExtractApply(f) === untouchedApply) return f.apply(instance, args);
  return safeApplyHacky(f, instance, args);
}
var SArray = Array;
var SBigInt2 = BigInt;
var SBigInt64Array = BigInt64Array;
var SBigUint64Array = BigUint64Array;
var SBoolean = Boolean;
var SDate = Date;
var SError = Error;
var SFloat32Array = Float32Array;
var SFloat64Array = Float64Array;
var SInt8Array = Int8Array;
var SInt16Array = Int16Array;
var SInt32Array = Int32Array;
var SNumber = Number;
var SString = String;
var SSet = Set;
var SUint8Array = Uint8Array;
var SUint8ClampedArray = Uint8ClampedArray;
var SUint16Array = Uint16Array;
var SUint32Array = Uint32Array;
var SencodeURIComponent = encodeURIComponent;
var SMap$2 = Map;
var SSymbol = Symbol;
var untouchedForEach = Array.prototype.forEach;
var untouchedIndexOf = Array.prototype.indexOf;
var untouchedJoin = Array.prototype.join;
var untouchedMap = Array.prototype.map;
var untouchedFlat = Array.prototype.flat;
var untouchedFilter = Array.prototype.filter;
var untouchedPush = Array.prototype.push;
var untouchedPop = Array.prototype.pop;
var untouchedSplice = Array.prototype.splice;
var untouchedSlice = Array.prototype.slice;
var untouchedSort = Array.prototype.sort;
var untouchedEvery = Array.prototype.every;
function extractForEach(instance) {
  try {
    return instance.forEach;
  } catch {
    return;
  }
}
function extractIndexOf(instance) {
  try {
    return instance.indexOf;
  } catch {
    return;
  }
}
function extractJoin(instance) {
  try {
    return instance.join;
  } catch {
    return;
  }
}
function extractMap(instance) {
  try {
    return instance.map;
  } catch {
    return;
  }
}
function extractFlat(instance) {
  try {
    return instance.flat;
  } catch {
    return;
  }
}
function extractFilter(instance) {
  try {
    return instance.filter;
  } catch {
    return;
  }
}
function extractPush(instance) {
  try {
    return instance.push;
  } catch {
    return;
  }
}
function extractPop(instance) {
  try {
    return instance.pop;
  } catch {
    return;
  }
}
function extractSplice(instance) {
  try {
    return instance.splice;
  } catch {
    return;
  }
}
function extractSlice(instance) {
  try {
    return instance.slice;
  } catch {
    return;
  }
}
function extractSort(instance) {
  try {
    return instance.sort;
  } catch {
    return;
  }
}
function extractEvery(instance) {
  try {
    return instance.every;
  } catch {
    return;
  }
}
function safeForEach(instance, fn) {
  if (extractForEach(instance) === untouchedForEach) return instance.forEach(fn);
  return safeApply(untouchedForEach, instance, [fn]);
}
function safeIndexOf(instance, ...args) {
  if (extractIndexOf(instance) === untouchedIndexOf) return instance.indexOf(...args);
  return safeApply(untouchedIndexOf, instance, args);
}
function safeJoin(instance, ...args) {
  if (extractJoin(instance) === untouchedJoin) return instance.join(...args);
  return safeApply(untouchedJoin, instance, args);
}
function safeMap(instance, fn) {
  if (extractMap(instance) === untouchedMap) return instance.map(fn);
  return safeApply(untouchedMap, instance, [fn]);
}
function safeFlat(instance, depth) {
  if (extractFlat(instance) === untouchedFlat) {
    [].flat();
    return instance.flat(depth);
  }
  return safeApply(untouchedFlat, instance, [depth]);
}
function safeFilter(instance, predicate) {
  if (extractFilter(instance) === untouchedFilter) return instance.filter(predicate);
  return safeApply(untouchedFilter, instance, [predicate]);
}
function safePush(instance, ...args) {
  if (extractPush(instance) === untouchedPush) return instance.push(...args);
  return safeApply(untouchedPush, instance, args);
}
function safePop$1(instance) {
  if (extractPop(instance) === untouchedPop) return instance.pop();
  return safeApply(untouchedPop, instance, []);
}
function safeSplice(instance, ...args) {
  if (extractSplice(instance) === untouchedSplice) return instance.splice(...args);
  return safeApply(untouchedSplice, instance, args);
}
function safeSlice(instance, ...args) {
  if (extractSlice(instance) === untouchedSlice) return instance.slice(...args);
  return safeApply(untouchedSlice, instance, args);
}
function safeSort(instance, ...args) {
  if (extractSort(instance) === untouchedSort) return instance.sort(...args);
  return safeApply(untouchedSort, instance, args);
}
function safeEvery(instance, ...args) {
  if (extractEvery(instance) === untouchedEvery) return instance.every(...args);
  return safeApply(untouchedEvery, instance, args);
}
var untouchedGetTime = Date.prototype.getTime;
var untouchedToISOString = Date.prototype.toISOString;
function extractGetTime(instance) {
  try {
    return instance.getTime;
  } catch {
    return;
  }
}
function extractToISOString(instance) {
  try {
    return instance.toISOString;
  } catch {
    return;
  }
}
function safeGetTime(instance) {
  if (extractGetTime(instance) === untouchedGetTime) return instance.getTime();
  return safeApply(untouchedGetTime, instance, []);
}
function safeToISOString(instance) {
  if (extractToISOString(instance) === untouchedToISOString) return instance.toISOString();
  return safeApply(untouchedToISOString, instance, []);
}
var untouchedAdd = Set.prototype.add;
var untouchedHas = Set.prototype.has;
function extractAdd(instance) {
  try {
    return instance.add;
  } catch {
    return;
  }
}
function extractHas(instance) {
  try {
    return instance.has;
  } catch (err) {
    return;
  }
}
function safeAdd(instance, value) {
  if (extractAdd(instance) === untouchedAdd) return instance.add(value);
  return safeApply(untouchedAdd, instance, [value]);
}
function safeHas(instance, value) {
  if (extractHas(instance) === untouchedHas) return instance.has(value);
  return safeApply(untouchedHas, instance, [value]);
}
var untouchedSet = WeakMap.prototype.set;
var untouchedGet = WeakMap.prototype.get;
function extractSet(instance) {
  try {
    return instance.set;
  } catch (err) {
    return;
  }
}
function extractGet(instance) {
  try {
    return instance.get;
  } catch (err) {
    return;
  }
}
function safeSet(instance, key, value) {
  if (extractSet(instance) === untouchedSet) return instance.set(key, value);
  return safeApply(untouchedSet, instance, [key, value]);
}
function safeGet(instance, key) {
  if (extractGet(instance) === untouchedGet) return instance.get(key);
  return safeApply(untouchedGet, instance, [key]);
}
var untouchedMapSet = Map.prototype.set;
var untouchedMapGet = Map.prototype.get;
var untouchedMapHas = Map.prototype.has;
function extractMapSet(instance) {
  try {
    return instance.set;
  } catch (err) {
    return;
  }
}
function extractMapGet(instance) {
  try {
    return instance.get;
  } catch (err) {
    return;
  }
}
function extractMapHas(instance) {
  try {
    return instance.has;
  } catch (err) {
    return;
  }
}
function safeMapSet(instance, key, value) {
  if (extractMapSet(instance) === untouchedMapSet) return instance.set(key, value);
  return safeApply(untouchedMapSet, instance, [key, value]);
}
function safeMapGet(instance, key) {
  if (extractMapGet(instance) === untouchedMapGet) return instance.get(key);
  return safeApply(untouchedMapGet, instance, [key]);
}
function safeMapHas(instance, key) {
  if (extractMapHas(instance) === untouchedMapHas) return instance.has(key);
  return safeApply(untouchedMapHas, instance, [key]);
}
var untouchedSplit = String.prototype.split;
var untouchedStartsWith = String.prototype.startsWith;
var untouchedEndsWith = String.prototype.endsWith;
var untouchedSubstring = String.prototype.substring;
var untouchedToLowerCase = String.prototype.toLowerCase;
var untouchedToUpperCase = String.prototype.toUpperCase;
var untouchedPadStart = String.prototype.padStart;
var untouchedCharCodeAt = String.prototype.charCodeAt;
var untouchedNormalize = String.prototype.normalize;
var untouchedReplace = String.prototype.replace;
function extractSplit(instance) {
  try {
    return instance.split;
  } catch {
    return;
  }
}
function extractStartsWith(instance) {
  try {
    return instance.startsWith;
  } catch {
    return;
  }
}
function extractEndsWith(instance) {
  try {
    return instance.endsWith;
  } catch {
    return;
  }
}
function extractSubstring(instance) {
  try {
    return instance.substring;
  } catch {
    return;
  }
}
function extractToLowerCase(instance) {
  try {
    return instance.toLowerCase;
  } catch {
    return;
  }
}
function extractToUpperCase(instance) {
  try {
    return instance.toUpperCase;
  } catch {
    return;
  }
}
function extractPadStart(instance) {
  try {
    return instance.padStart;
  } catch {
    return;
  }
}
function extractCharCodeAt(instance) {
  try {
    return instance.charCodeAt;
  } catch {
    return;
  }
}
function extractNormalize(instance) {
  try {
    return instance.normalize;
  } catch (err) {
    return;
  }
}
function extractReplace(instance) {
  try {
    return instance.replace;
  } catch {
    return;
  }
}
function safeSplit(instance, ...args) {
  if (extractSplit(instance) === untouchedSplit) return instance.split(...args);
  return safeApply(untouchedSplit, instance, args);
}
function safeStartsWith(instance, ...args) {
  if (extractStartsWith(instance) === untouchedStartsWith) return instance.startsWith(...args);
  return safeApply(untouchedStartsWith, instance, args);
}
function safeEndsWith(instance, ...args) {
  if (extractEndsWith(instance) === untouchedEndsWith) return instance.endsWith(...args);
  return safeApply(untouchedEndsWith, instance, args);
}
function safeSubstring(instance, ...args) {
  if (extractSubstring(instance) === untouchedSubstring) return instance.substring(...args);
  return safeApply(untouchedSubstring, instance, args);
}
function safeToLowerCase(instance) {
  if (extractToLowerCase(instance) === untouchedToLowerCase) return instance.toLowerCase();
  return safeApply(untouchedToLowerCase, instance, []);
}
function safeToUpperCase(instance) {
  if (extractToUpperCase(instance) === untouchedToUpperCase) return instance.toUpperCase();
  return safeApply(untouchedToUpperCase, instance, []);
}
function safePadStart(instance, ...args) {
  if (extractPadStart(instance) === untouchedPadStart) return instance.padStart(...args);
  return safeApply(untouchedPadStart, instance, args);
}
function safeCharCodeAt(instance, index2) {
  if (extractCharCodeAt(instance) === untouchedCharCodeAt) return instance.charCodeAt(index2);
  return safeApply(untouchedCharCodeAt, instance, [index2]);
}
function safeNormalize(instance, form) {
  if (extractNormalize(instance) === untouchedNormalize) return instance.normalize(form);
  return safeApply(untouchedNormalize, instance, [form]);
}
function safeReplace(instance, pattern, replacement) {
  if (extractReplace(instance) === untouchedReplace) return instance.replace(pattern, replacement);
  return safeApply(untouchedReplace, instance, [pattern, replacement]);
}
var untouchedNumberToString = Number.prototype.toString;
function extractNumberToString(instance) {
  try {
    return instance.toString;
  } catch {
    return;
  }
}
function safeNumberToString(instance, ...args) {
  if (extractNumberToString(instance) === untouchedNumberToString) return instance.toString(...args);
  return safeApply(untouchedNumberToString, instance, args);
}
var untouchedHasOwnProperty = Object.prototype.hasOwnProperty;
var untouchedToString = Object.prototype.toString;
function safeHasOwnProperty(instance, v) {
  return safeApply(untouchedHasOwnProperty, instance, [v]);
}
function safeToString(instance) {
  return safeApply(untouchedToString, instance, []);
}
var untouchedErrorToString = Error.prototype.toString;
function safeErrorToString(instance) {
  return safeApply(untouchedErrorToString, instance, []);
}
var LazyIterableIterator = class {
  constructor(producer) {
    this.producer = producer;
  }
  [Symbol.iterator]() {
    if (this.it === void 0) this.it = this.producer();
    return this.it;
  }
  next() {
    if (this.it === void 0) this.it = this.producer();
    return this.it.next();
  }
};
function makeLazy(producer) {
  return new LazyIterableIterator(producer);
}
var safeArrayIsArray$4 = Array.isArray;
var safeObjectDefineProperty$3 = Object.defineProperty;
function tupleMakeItCloneable(vs, ctxs, values) {
  return safeObjectDefineProperty$3(vs, cloneMethod, { value: () => {
    const cloned = [];
    for (let idx = 0; idx !== values.length; ++idx) {
      let current = values[idx];
      if (current === void 0) current = new Value(vs[idx], ctxs[idx]);
      safePush(cloned, current.value);
    }
    tupleMakeItCloneable(cloned, ctxs, values);
    return cloned;
  } });
}
function tupleShrink(arbs, value, context2) {
  const shrinks = [];
  const safeContext = safeArrayIsArray$4(context2) ? context2 : [];
  for (let idx = 0; idx !== arbs.length; ++idx) safePush(shrinks, makeLazy(() => arbs[idx].shrink(value[idx], safeContext[idx]).map((v) => {
    let cloneable = false;
    const vs = [];
    const ctxs = [];
    const mapped = [];
    for (let nestedIdx = 0; nestedIdx !== arbs.length; ++nestedIdx) {
      const nestedV = nestedIdx === idx ? v : new Value(cloneIfNeeded(value[nestedIdx]), safeContext[nestedIdx]);
      if (nestedV.hasToBeCloned) {
        cloneable = true;
        mapped[nestedIdx] = nestedV;
      }
      safePush(vs, nestedV.value);
      safePush(ctxs, nestedV.context);
    }
    if (cloneable) tupleMakeItCloneable(vs, ctxs, mapped);
    return new Value(vs, ctxs);
  })));
  return Stream.nil().join(...shrinks);
}
var TupleArbitrary = class extends Arbitrary {
  constructor(arbs) {
    super();
    this.arbs = arbs;
    for (let idx = 0; idx !== arbs.length; ++idx) {
      const arb = arbs[idx];
      if (arb === null || arb === void 0 || arb.generate === null || arb.generate === void 0) throw new Error(`Invalid parameter encountered at index ${idx}: expecting an Arbitrary`);
    }
  }
  generate(mrng, biasFactor) {
    let cloneable = false;
    const vs = [];
    const ctxs = [];
    const mapped = [];
    for (let idx = 0; idx !== this.arbs.length; ++idx) {
      const v = this.arbs[idx].generate(mrng, biasFactor);
      if (v.hasToBeCloned) {
        cloneable = true;
        mapped[idx] = v;
      }
      safePush(vs, v.value);
      safePush(ctxs, v.context);
    }
    if (cloneable) tupleMakeItCloneable(vs, ctxs, mapped);
    return new Value(vs, ctxs);
  }
  canShrinkWithoutContext(value) {
    if (!safeArrayIsArray$4(value) || value.length !== this.arbs.length) return false;
    for (let index2 = 0; index2 !== this.arbs.length; ++index2) if (!this.arbs[index2].canShrinkWithoutContext(value[index2])) return false;
    return true;
  }
  shrink(value, context2) {
    return tupleShrink(this.arbs, value, context2);
  }
};
function tuple(...arbs) {
  return new TupleArbitrary(arbs);
}
var safeMathLog$3 = Math.log;
function runIdToFrequency(runId) {
  return 2 + ~~(safeMathLog$3(runId + 1) * 0.4342944819032518);
}
var globalParameters = {};
function configureGlobal(parameters) {
  globalParameters = parameters;
}
function readConfigureGlobal() {
  return globalParameters;
}
function resetConfigureGlobal() {
  globalParameters = {};
}
var UndefinedContextPlaceholder = /* @__PURE__ */ Symbol("UndefinedContextPlaceholder");
function noUndefinedAsContext(value) {
  if (value.context !== void 0) return value;
  if (value.hasToBeCloned) return new Value(value.value_, UndefinedContextPlaceholder, () => value.value);
  return new Value(value.value_, UndefinedContextPlaceholder);
}
var dummyHook$1 = () => {
};
var AsyncProperty = class {
  constructor(arb, predicate) {
    this.arb = arb;
    this.predicate = predicate;
    const { asyncBeforeEach, asyncAfterEach, beforeEach: beforeEach2, afterEach: afterEach2 } = readConfigureGlobal() || {};
    if (asyncBeforeEach !== void 0 && beforeEach2 !== void 0) throw SError(`Global "asyncBeforeEach" and "beforeEach" parameters can't be set at the same time when running async properties`);
    if (asyncAfterEach !== void 0 && afterEach2 !== void 0) throw SError(`Global "asyncAfterEach" and "afterEach" parameters can't be set at the same time when running async properties`);
    this.beforeEachHook = asyncBeforeEach || beforeEach2 || dummyHook$1;
    this.afterEachHook = asyncAfterEach || afterEach2 || dummyHook$1;
  }
  isAsync() {
    return true;
  }
  generate(mrng, runId) {
    return noUndefinedAsContext(this.arb.generate(mrng, runId !== void 0 ? runIdToFrequency(runId) : void 0));
  }
  shrink(value) {
    if (value.context === void 0 && !this.arb.canShrinkWithoutContext(value.value_)) return Stream.nil();
    const safeContext = value.context !== UndefinedContextPlaceholder ? value.context : void 0;
    return this.arb.shrink(value.value_, safeContext).map(noUndefinedAsContext);
  }
  async runBeforeEach() {
    await this.beforeEachHook();
  }
  async runAfterEach() {
    await this.afterEachHook();
  }
  async run(v) {
    try {
      const output = await this.predicate(v);
      return output === void 0 || output === true ? null : { error: new SError("Property failed by returning false") };
    } catch (err) {
      if (PreconditionFailure.isFailure(err)) return err;
      return { error: err };
    }
  }
  /**
  * Define a function that should be called before all calls to the predicate
  * @param hookFunction - Function to be called
  * @deprecated Prefer the life-cycle plugins: `fc.assert(property, { plugins: [fc.beforeEach(fn)] })`
  */
  beforeEach(hookFunction) {
    const previousBeforeEachHook = this.beforeEachHook;
    this.beforeEachHook = () => hookFunction(previousBeforeEachHook);
    return this;
  }
  /**
  * Define a function that should be called after all calls to the predicate
  * @param hookFunction - Function to be called
  * @deprecated Prefer the life-cycle plugins: `fc.assert(property, { plugins: [fc.afterEach(fn)] })`
  */
  afterEach(hookFunction) {
    const previousAfterEachHook = this.afterEachHook;
    this.afterEachHook = () => hookFunction(previousAfterEachHook);
    return this;
  }
};
var AlwaysShrinkableArbitrary = class extends Arbitrary {
  constructor(arb) {
    super();
    this.arb = arb;
  }
  generate(mrng, biasFactor) {
    return noUndefinedAsContext(this.arb.generate(mrng, biasFactor));
  }
  canShrinkWithoutContext(_value) {
    return true;
  }
  shrink(value, context2) {
    if (context2 === void 0 && !this.arb.canShrinkWithoutContext(value)) return Stream.nil();
    const safeContext = context2 !== UndefinedContextPlaceholder ? context2 : void 0;
    return this.arb.shrink(value, safeContext).map(noUndefinedAsContext);
  }
};
function asyncProperty(...args) {
  if (args.length < 2) throw new Error("asyncProperty expects at least two parameters");
  const arbs = safeSlice(args, 0, args.length - 1);
  const p = args[args.length - 1];
  safeForEach(arbs, assertIsArbitrary);
  return new AsyncProperty(tuple(...safeMap(arbs, (arb) => new AlwaysShrinkableArbitrary(arb))), (t) => p(...t));
}
var dummyHook = () => {
};
var Property = class {
  constructor(arb, predicate) {
    this.arb = arb;
    this.predicate = predicate;
    const { beforeEach: beforeEach2 = dummyHook, afterEach: afterEach2 = dummyHook, asyncBeforeEach, asyncAfterEach } = readConfigureGlobal() || {};
    if (asyncBeforeEach !== void 0) throw SError(`"asyncBeforeEach" can't be set when running synchronous properties`);
    if (asyncAfterEach !== void 0) throw SError(`"asyncAfterEach" can't be set when running synchronous properties`);
    this.beforeEachHook = beforeEach2;
    this.afterEachHook = afterEach2;
  }
  isAsync() {
    return false;
  }
  generate(mrng, runId) {
    return noUndefinedAsContext(this.arb.generate(mrng, runId !== void 0 ? runIdToFrequency(runId) : void 0));
  }
  shrink(value) {
    if (value.context === void 0 && !this.arb.canShrinkWithoutContext(value.value_)) return Stream.nil();
    const safeContext = value.context !== UndefinedContextPlaceholder ? value.context : void 0;
    return this.arb.shrink(value.value_, safeContext).map(noUndefinedAsContext);
  }
  runBeforeEach() {
    this.beforeEachHook();
  }
  runAfterEach() {
    this.afterEachHook();
  }
  run(v) {
    try {
      const output = this.predicate(v);
      return output === void 0 || output === true ? null : { error: new SError("Property failed by returning false") };
    } catch (err) {
      if (PreconditionFailure.isFailure(err)) return err;
      return { error: err };
    }
  }
  beforeEach(hookFunction) {
    const previousBeforeEachHook = this.beforeEachHook;
    this.beforeEachHook = () => hookFunction(previousBeforeEachHook);
    return this;
  }
  afterEach(hookFunction) {
    const previousAfterEachHook = this.afterEachHook;
    this.afterEachHook = () => hookFunction(previousAfterEachHook);
    return this;
  }
};
function property(...args) {
  if (args.length < 2) throw new Error("property expects at least two parameters");
  const arbs = safeSlice(args, 0, args.length - 1);
  const p = args[args.length - 1];
  safeForEach(arbs, assertIsArbitrary);
  return new Property(tuple(...safeMap(arbs, (arb) => new AlwaysShrinkableArbitrary(arb))), (t) => p(...t));
}
var VerbosityLevel = /* @__PURE__ */ (function(VerbosityLevel2) {
  VerbosityLevel2[VerbosityLevel2["None"] = 0] = "None";
  VerbosityLevel2[VerbosityLevel2["Verbose"] = 1] = "Verbose";
  VerbosityLevel2[VerbosityLevel2["VeryVerbose"] = 2] = "VeryVerbose";
  return VerbosityLevel2;
})({});
function adaptRandomGeneratorTo8x(rng) {
  if ("unsafeNext" in rng) {
    if (rng.unsafeJump === void 0) return {
      clone: () => adaptRandomGeneratorTo8x(rng),
      next: () => rng.unsafeNext(),
      getState: () => rng.getState()
    };
    return {
      clone: () => adaptRandomGeneratorTo8x(rng),
      next: () => rng.unsafeNext(),
      jump: () => rng.unsafeJump(),
      getState: () => rng.getState()
    };
  }
  return rng;
}
function adaptRandomGeneratorToInternal(rng) {
  if ("jump" in rng && typeof rng.jump === "function") return rng;
  return {
    clone: () => adaptRandomGeneratorToInternal(rng),
    next: () => rng.next(),
    jump: () => skipN(rng, 42),
    getState: () => rng.getState()
  };
}
function adaptRandomGenerator(rng) {
  return adaptRandomGeneratorToInternal(adaptRandomGeneratorTo8x(rng));
}
var safeDateNow$1 = Date.now;
var safeMathMin$6 = Math.min;
var safeMathRandom = Math.random;
var QualifiedParameters = class {
  constructor(op) {
    const p = op || {};
    this.seed = readSeed(p);
    this.randomType = readRandomType(p);
    this.numRuns = readNumRuns(p);
    this.verbose = readVerbose(p);
    this.maxSkipsPerRun = p.maxSkipsPerRun !== void 0 ? p.maxSkipsPerRun : 100;
    this.timeout = safeTimeout(p.timeout);
    this.skipAllAfterTimeLimit = safeTimeout(p.skipAllAfterTimeLimit);
    this.interruptAfterTimeLimit = safeTimeout(p.interruptAfterTimeLimit);
    this.markInterruptAsFailure = p.markInterruptAsFailure === true;
    this.skipEqualValues = p.skipEqualValues === true;
    this.ignoreEqualValues = p.ignoreEqualValues === true;
    this.logger = p.logger !== void 0 ? p.logger : (v) => {
      console.log(v);
    };
    this.path = p.path !== void 0 ? p.path : "";
    this.unbiased = p.unbiased === true;
    this.examples = p.examples !== void 0 ? p.examples : [];
    this.endOnFailure = p.endOnFailure === true;
    this.reporter = p.reporter;
    this.asyncReporter = p.asyncReporter;
    this.includeErrorInReport = p.includeErrorInReport === true;
    this.plugins = p.plugins !== void 0 ? p.plugins : [];
  }
  toParameters() {
    return {
      seed: this.seed,
      randomType: this.randomType,
      numRuns: this.numRuns,
      maxSkipsPerRun: this.maxSkipsPerRun,
      timeout: this.timeout,
      skipAllAfterTimeLimit: this.skipAllAfterTimeLimit,
      interruptAfterTimeLimit: this.interruptAfterTimeLimit,
      markInterruptAsFailure: this.markInterruptAsFailure,
      skipEqualValues: this.skipEqualValues,
      ignoreEqualValues: this.ignoreEqualValues,
      path: this.path,
      logger: this.logger,
      unbiased: this.unbiased,
      verbose: this.verbose,
      examples: this.examples,
      endOnFailure: this.endOnFailure,
      reporter: this.reporter,
      asyncReporter: this.asyncReporter,
      includeErrorInReport: this.includeErrorInReport,
      plugins: this.plugins
    };
  }
};
function createQualifiedRandomGenerator(random2) {
  return (seed) => {
    return adaptRandomGenerator(random2(seed));
  };
}
function readSeed(p) {
  if (p.seed === void 0) return safeDateNow$1() ^ safeMathRandom() * 4294967296;
  const seed32 = p.seed | 0;
  if (p.seed === seed32) return seed32;
  return seed32 ^ (p.seed - seed32) * 4294967296;
}
function readRandomType(p) {
  if (p.randomType === void 0) return xorshift128plus;
  if (typeof p.randomType === "string") switch (p.randomType) {
    case "mersenne":
      return createQualifiedRandomGenerator(mersenne);
    case "congruential":
    case "congruential32":
      return createQualifiedRandomGenerator(congruential32);
    case "xorshift128plus":
      return xorshift128plus;
    case "xoroshiro128plus":
      return xoroshiro128plus;
    default:
      throw new Error(`Invalid random specified: '${p.randomType}'`);
  }
  const mrng = p.randomType(0);
  if ("min" in mrng && mrng.min !== -2147483648) throw new Error(`Invalid random number generator: min must equal -0x80000000, got ${String(mrng.min)}`);
  if ("max" in mrng && mrng.max !== 2147483647) throw new Error(`Invalid random number generator: max must equal 0x7fffffff, got ${String(mrng.max)}`);
  if (mrng === adaptRandomGenerator(mrng)) return p.randomType;
  return createQualifiedRandomGenerator(p.randomType);
}
function readNumRuns(p) {
  const defaultValue = 100;
  if (p.numRuns !== void 0) return p.numRuns;
  if (p.num_runs !== void 0) return p.num_runs;
  return defaultValue;
}
function readVerbose(p) {
  if (p.verbose === void 0) return 0;
  if (typeof p.verbose === "boolean") return p.verbose === true ? 1 : 0;
  if (p.verbose <= 0) return 0;
  if (p.verbose >= 2) return 2;
  return p.verbose | 0;
}
function safeTimeout(value) {
  if (value === void 0) return;
  return safeMathMin$6(value, 2147483647);
}
function read(op) {
  return new QualifiedParameters(op);
}
function interruptAfter(timeMs, setTimeoutSafe, clearTimeoutSafe) {
  let timeoutHandle = null;
  return {
    clear: () => clearTimeoutSafe(timeoutHandle),
    promise: new Promise((resolve) => {
      timeoutHandle = setTimeoutSafe(() => {
        resolve(new PreconditionFailure(true));
      }, timeMs);
    })
  };
}
var SkipAfterProperty = class {
  constructor(property2, getTime, timeLimit, interruptExecution, setTimeoutSafe, clearTimeoutSafe) {
    this.property = property2;
    this.getTime = getTime;
    this.interruptExecution = interruptExecution;
    this.setTimeoutSafe = setTimeoutSafe;
    this.clearTimeoutSafe = clearTimeoutSafe;
    this.skipAfterTime = this.getTime() + timeLimit;
  }
  isAsync() {
    return this.property.isAsync();
  }
  generate(mrng, runId) {
    return this.property.generate(mrng, runId);
  }
  shrink(value) {
    return this.property.shrink(value);
  }
  run(v) {
    const remainingTime = this.skipAfterTime - this.getTime();
    if (remainingTime <= 0) {
      const preconditionFailure = new PreconditionFailure(this.interruptExecution);
      if (this.isAsync()) return Promise.resolve(preconditionFailure);
      else return preconditionFailure;
    }
    if (this.interruptExecution && this.isAsync()) {
      const t = interruptAfter(remainingTime, this.setTimeoutSafe, this.clearTimeoutSafe);
      const propRun = Promise.race([this.property.run(v), t.promise]);
      propRun.then(t.clear, t.clear);
      return propRun;
    }
    return this.property.run(v);
  }
  runBeforeEach() {
    return this.property.runBeforeEach();
  }
  runAfterEach() {
    return this.property.runAfterEach();
  }
};
var timeoutAfter$1 = (timeMs, setTimeoutSafe, clearTimeoutSafe) => {
  let timeoutHandle = null;
  return {
    clear: () => clearTimeoutSafe(timeoutHandle),
    promise: new Promise((resolve) => {
      timeoutHandle = setTimeoutSafe(() => {
        resolve({ error: new SError(`Property timeout: exceeded limit of ${timeMs} milliseconds`) });
      }, timeMs);
    })
  };
};
var TimeoutProperty = class {
  constructor(property2, timeMs, setTimeoutSafe, clearTimeoutSafe) {
    this.property = property2;
    this.timeMs = timeMs;
    this.setTimeoutSafe = setTimeoutSafe;
    this.clearTimeoutSafe = clearTimeoutSafe;
  }
  isAsync() {
    return true;
  }
  generate(mrng, runId) {
    return this.property.generate(mrng, runId);
  }
  shrink(value) {
    return this.property.shrink(value);
  }
  async run(v) {
    const t = timeoutAfter$1(this.timeMs, this.setTimeoutSafe, this.clearTimeoutSafe);
    const propRun = Promise.race([this.property.run(v), t.promise]);
    propRun.then(t.clear, t.clear);
    return propRun;
  }
  runBeforeEach() {
    return Promise.resolve(this.property.runBeforeEach());
  }
  runAfterEach() {
    return Promise.resolve(this.property.runAfterEach());
  }
};
var UnbiasedProperty = class {
  constructor(property2) {
    this.property = property2;
  }
  isAsync() {
    return this.property.isAsync();
  }
  generate(mrng, _runId) {
    return this.property.generate(mrng, void 0);
  }
  shrink(value) {
    return this.property.shrink(value);
  }
  run(v) {
    return this.property.run(v);
  }
  runBeforeEach() {
    return this.property.runBeforeEach();
  }
  runAfterEach() {
    return this.property.runAfterEach();
  }
};
var safeArrayFrom = Array.from;
var safeBufferIsBuffer = typeof Buffer !== "undefined" ? Buffer.isBuffer : void 0;
var safeJsonStringify$1 = JSON.stringify;
var safeNumberIsNaN$5 = Number.isNaN;
var safeObjectKeys$5 = Object.keys;
var safeObjectGetOwnPropertySymbols$2 = Object.getOwnPropertySymbols;
var safeObjectGetOwnPropertyDescriptor$3 = Object.getOwnPropertyDescriptor;
var safeObjectGetPrototypeOf$2 = Object.getPrototypeOf;
var safeNegativeInfinity$7 = Number.NEGATIVE_INFINITY;
var safePositiveInfinity$8 = Number.POSITIVE_INFINITY;
var toStringMethod = /* @__PURE__ */ Symbol.for("fast-check/toStringMethod");
function hasToStringMethod(instance) {
  return instance !== null && (typeof instance === "object" || typeof instance === "function") && toStringMethod in instance && typeof instance[toStringMethod] === "function";
}
var asyncToStringMethod = /* @__PURE__ */ Symbol.for("fast-check/asyncToStringMethod");
function hasAsyncToStringMethod(instance) {
  return instance !== null && (typeof instance === "object" || typeof instance === "function") && asyncToStringMethod in instance && typeof instance[asyncToStringMethod] === "function";
}
var findSymbolNameRegex = /^Symbol\((.*)\)$/;
function getSymbolDescription(s) {
  if (s.description !== void 0) return s.description;
  const m = findSymbolNameRegex.exec(SString(s));
  return m && m[1].length ? m[1] : null;
}
function stringifyNumber(numValue) {
  switch (numValue) {
    case 0:
      return 1 / numValue === safeNegativeInfinity$7 ? "-0" : "0";
    case safeNegativeInfinity$7:
      return "Number.NEGATIVE_INFINITY";
    case safePositiveInfinity$8:
      return "Number.POSITIVE_INFINITY";
    default:
      return numValue === numValue ? SString(numValue) : "Number.NaN";
  }
}
function isSparseArray(arr) {
  let previousNumberedIndex = -1;
  for (const index2 in arr) {
    const numberedIndex = Number(index2);
    if (numberedIndex !== previousNumberedIndex + 1) return true;
    previousNumberedIndex = numberedIndex;
  }
  return previousNumberedIndex + 1 !== arr.length;
}
function stringifyInternal(value, previousValues, getAsyncContent) {
  const currentValues = [...previousValues, value];
  if (typeof value === "object") {
    if (safeIndexOf(previousValues, value) !== -1) return "[cyclic]";
  }
  if (hasAsyncToStringMethod(value)) {
    const content = getAsyncContent(value);
    if (content.state === "fulfilled") return content.value;
  }
  if (hasToStringMethod(value)) try {
    return value[toStringMethod]();
  } catch {
  }
  switch (safeToString(value)) {
    case "[object Array]": {
      const arr = value;
      if (arr.length >= 50 && isSparseArray(arr)) {
        const assignments = [];
        for (const index2 in arr) if (!safeNumberIsNaN$5(Number(index2))) safePush(assignments, `${index2}:${stringifyInternal(arr[index2], currentValues, getAsyncContent)}`);
        return assignments.length !== 0 ? `Object.assign(Array(${arr.length}),{${safeJoin(assignments, ",")}})` : `Array(${arr.length})`;
      }
      const stringifiedArray = safeJoin(safeMap(arr, (v) => stringifyInternal(v, currentValues, getAsyncContent)), ",");
      return arr.length === 0 || arr.length - 1 in arr ? `[${stringifiedArray}]` : `[${stringifiedArray},]`;
    }
    case "[object BigInt]":
      return `${value}n`;
    case "[object Boolean]": {
      const unboxedToString = value == true ? "true" : "false";
      return typeof value === "boolean" ? unboxedToString : `new Boolean(${unboxedToString})`;
    }
    case "[object Date]": {
      const d = value;
      return safeNumberIsNaN$5(safeGetTime(d)) ? `new Date(NaN)` : `new Date(${safeJsonStringify$1(safeToISOString(d))})`;
    }
    case "[object Map]":
      return `new Map(${stringifyInternal(Array.from(value), currentValues, getAsyncContent)})`;
    case "[object Null]":
      return `null`;
    case "[object Number]":
      return typeof value === "number" ? stringifyNumber(value) : `new Number(${stringifyNumber(Number(value))})`;
    case "[object Object]": {
      try {
        const toStringAccessor = value.toString;
        if (typeof toStringAccessor === "function" && toStringAccessor !== Object.prototype.toString) return value.toString();
      } catch {
        return "[object Object]";
      }
      const mapper = (k2) => `${k2 === "__proto__" ? '["__proto__"]' : typeof k2 === "symbol" ? `[${stringifyInternal(k2, currentValues, getAsyncContent)}]` : safeJsonStringify$1(k2)}:${stringifyInternal(value[k2], currentValues, getAsyncContent)}`;
      return "{" + safeJoin([
        ...safeObjectGetPrototypeOf$2(value) === null ? ["__proto__:null"] : [],
        ...safeMap(safeObjectKeys$5(value), mapper),
        ...safeMap(safeFilter(safeObjectGetOwnPropertySymbols$2(value), (s) => {
          const descriptor = safeObjectGetOwnPropertyDescriptor$3(value, s);
          return descriptor && descriptor.enumerable;
        }), mapper)
      ], ",") + "}";
    }
    case "[object Set]":
      return `new Set(${stringifyInternal(Array.from(value), currentValues, getAsyncContent)})`;
    case "[object String]":
      return typeof value === "string" ? safeJsonStringify$1(value) : `new String(${safeJsonStringify$1(value)})`;
    case "[object Symbol]": {
      const s = value;
      if (SSymbol.keyFor(s) !== void 0) return `Symbol.for(${safeJsonStringify$1(SSymbol.keyFor(s))})`;
      const desc = getSymbolDescription(s);
      if (desc === null) return "Symbol()";
      return s === (desc.startsWith("Symbol.") && SSymbol[desc.substring(7)]) ? desc : `Symbol(${safeJsonStringify$1(desc)})`;
    }
    case "[object Promise]": {
      const promiseContent = getAsyncContent(value);
      switch (promiseContent.state) {
        case "fulfilled":
          return `Promise.resolve(${stringifyInternal(promiseContent.value, currentValues, getAsyncContent)})`;
        case "rejected":
          return `Promise.reject(${stringifyInternal(promiseContent.value, currentValues, getAsyncContent)})`;
        case "pending":
          return `new Promise(() => {/*pending*/})`;
        default:
          return `new Promise(() => {/*unknown*/})`;
      }
    }
    case "[object Error]":
      if (value instanceof Error) return `new Error(${stringifyInternal(value.message, currentValues, getAsyncContent)})`;
      break;
    case "[object Undefined]":
      return `undefined`;
    case "[object Int8Array]":
    case "[object Uint8Array]":
    case "[object Uint8ClampedArray]":
    case "[object Int16Array]":
    case "[object Uint16Array]":
    case "[object Int32Array]":
    case "[object Uint32Array]":
    case "[object Float32Array]":
    case "[object Float64Array]":
    case "[object BigInt64Array]":
    case "[object BigUint64Array]": {
      if (typeof safeBufferIsBuffer === "function" && safeBufferIsBuffer(value)) return `Buffer.from(${value.buffer.detached ? "/*detached ArrayBuffer*/" : stringifyInternal(safeArrayFrom(value.values()), currentValues, getAsyncContent)})`;
      const valuePrototype = safeObjectGetPrototypeOf$2(value);
      const className = valuePrototype && valuePrototype.constructor && valuePrototype.constructor.name;
      if (typeof className === "string") {
        const typedArray2 = value;
        if (typedArray2.buffer.detached) return `${className}.from(/*detached ArrayBuffer*/)`;
        const valuesFromTypedArr = typedArray2.values();
        return `${className}.from(${stringifyInternal(safeArrayFrom(valuesFromTypedArr), currentValues, getAsyncContent)})`;
      }
      break;
    }
  }
  try {
    return value.toString();
  } catch {
    return safeToString(value);
  }
}
function stringify(value) {
  return stringifyInternal(value, [], () => ({
    state: "unknown",
    value: void 0
  }));
}
function possiblyAsyncStringify(value) {
  const stillPendingMarker = SSymbol();
  const pendingPromisesForCache = [];
  const cache2 = new SMap$2();
  function createDelay0() {
    let handleId = null;
    const cancel = () => {
      if (handleId !== null) clearTimeout(handleId);
    };
    return {
      delay: new Promise((resolve) => {
        handleId = setTimeout(() => {
          handleId = null;
          resolve(stillPendingMarker);
        }, 0);
      }),
      cancel
    };
  }
  const unknownState = {
    state: "unknown",
    value: void 0
  };
  const getAsyncContent = function getAsyncContent2(data) {
    const cacheKey = data;
    if (cache2.has(cacheKey)) return cache2.get(cacheKey);
    const delay0 = createDelay0();
    const p = asyncToStringMethod in data ? Promise.resolve().then(() => data[asyncToStringMethod]()) : data;
    p.catch(() => {
    });
    pendingPromisesForCache.push(Promise.race([p, delay0.delay]).then((successValue) => {
      if (successValue === stillPendingMarker) cache2.set(cacheKey, {
        state: "pending",
        value: void 0
      });
      else cache2.set(cacheKey, {
        state: "fulfilled",
        value: successValue
      });
      delay0.cancel();
    }, (errorValue) => {
      cache2.set(cacheKey, {
        state: "rejected",
        value: errorValue
      });
      delay0.cancel();
    }));
    cache2.set(cacheKey, unknownState);
    return unknownState;
  };
  function loop() {
    const stringifiedValue = stringifyInternal(value, [], getAsyncContent);
    if (pendingPromisesForCache.length === 0) return stringifiedValue;
    return Promise.all(pendingPromisesForCache.splice(0)).then(loop);
  }
  return loop();
}
async function asyncStringify(value) {
  return Promise.resolve(possiblyAsyncStringify(value));
}
function fromSyncCached(cachedValue) {
  return cachedValue === null ? new PreconditionFailure() : cachedValue;
}
function fromCached$1(...data) {
  if (data[1]) return data[0].then(fromSyncCached);
  return fromSyncCached(data[0]);
}
function fromCachedUnsafe(cachedValue, isAsync) {
  return fromCached$1(cachedValue, isAsync);
}
var IgnoreEqualValuesProperty = class {
  constructor(property2, skipRuns) {
    this.property = property2;
    this.skipRuns = skipRuns;
    this.coveredCases = /* @__PURE__ */ new Map();
  }
  isAsync() {
    return this.property.isAsync();
  }
  generate(mrng, runId) {
    return this.property.generate(mrng, runId);
  }
  shrink(value) {
    return this.property.shrink(value);
  }
  run(v) {
    const stringifiedValue = stringify(v);
    if (this.coveredCases.has(stringifiedValue)) {
      const lastOutput = this.coveredCases.get(stringifiedValue);
      if (!this.skipRuns) return lastOutput;
      return fromCachedUnsafe(lastOutput, this.property.isAsync());
    }
    const out = this.property.run(v);
    this.coveredCases.set(stringifiedValue, out);
    return out;
  }
  runBeforeEach() {
    return this.property.runBeforeEach();
  }
  runAfterEach() {
    return this.property.runAfterEach();
  }
};
var safeDateNow = Date.now;
var safeSetTimeout$2 = setTimeout;
var safeClearTimeout$2 = clearTimeout;
function decorateProperty(rawProperty, qParams) {
  let prop = rawProperty;
  if (rawProperty.isAsync() && qParams.timeout !== void 0) prop = new TimeoutProperty(prop, qParams.timeout, safeSetTimeout$2, safeClearTimeout$2);
  if (qParams.unbiased) prop = new UnbiasedProperty(prop);
  if (qParams.skipAllAfterTimeLimit !== void 0) prop = new SkipAfterProperty(prop, safeDateNow, qParams.skipAllAfterTimeLimit, false, safeSetTimeout$2, safeClearTimeout$2);
  if (qParams.interruptAfterTimeLimit !== void 0) prop = new SkipAfterProperty(prop, safeDateNow, qParams.interruptAfterTimeLimit, true, safeSetTimeout$2, safeClearTimeout$2);
  if (qParams.skipEqualValues) prop = new IgnoreEqualValuesProperty(prop, true);
  if (qParams.ignoreEqualValues) prop = new IgnoreEqualValuesProperty(prop, false);
  return prop;
}
var ExecutionStatus = /* @__PURE__ */ (function(ExecutionStatus2) {
  ExecutionStatus2[ExecutionStatus2["Success"] = 0] = "Success";
  ExecutionStatus2[ExecutionStatus2["Skipped"] = -1] = "Skipped";
  ExecutionStatus2[ExecutionStatus2["Failure"] = 1] = "Failure";
  return ExecutionStatus2;
})({});
var RunExecution = class RunExecution2 {
  constructor(verbosity, interruptedAsFailure) {
    this.verbosity = verbosity;
    this.interruptedAsFailure = interruptedAsFailure;
    this.rootExecutionTrees = [];
    this.currentLevelExecutionTrees = this.rootExecutionTrees;
    this.failure = null;
    this.numSkips = 0;
    this.numSuccesses = 0;
    this.interrupted = false;
  }
  appendExecutionTree(status, value) {
    const currentTree = {
      status,
      value,
      children: []
    };
    this.currentLevelExecutionTrees.push(currentTree);
    return currentTree;
  }
  fail(value, id, failure) {
    if (this.verbosity >= 1) {
      const currentTree = this.appendExecutionTree(1, value);
      this.currentLevelExecutionTrees = currentTree.children;
    }
    if (this.pathToFailure === void 0) this.pathToFailure = `${id}`;
    else this.pathToFailure += `:${id}`;
    this.value = value;
    this.failure = failure;
  }
  skip(value) {
    if (this.verbosity >= 2) this.appendExecutionTree(-1, value);
    if (this.pathToFailure === void 0) ++this.numSkips;
  }
  success(value) {
    if (this.verbosity >= 2) this.appendExecutionTree(0, value);
    if (this.pathToFailure === void 0) ++this.numSuccesses;
  }
  interrupt() {
    this.interrupted = true;
  }
  isSuccess() {
    return this.pathToFailure === void 0;
  }
  firstFailure() {
    return this.pathToFailure !== void 0 ? +safeSplit(this.pathToFailure, ":")[0] : -1;
  }
  numShrinks() {
    return this.pathToFailure !== void 0 ? safeSplit(this.pathToFailure, ":").length - 1 : 0;
  }
  extractFailures() {
    if (this.isSuccess()) return [];
    const failures = [];
    let cursor = this.rootExecutionTrees;
    while (cursor.length > 0 && cursor[cursor.length - 1].status === 1) {
      const failureTree = cursor[cursor.length - 1];
      failures.push(failureTree.value);
      cursor = failureTree.children;
    }
    return failures;
  }
  static mergePaths(offsetPath, path) {
    if (offsetPath.length === 0) return path;
    const offsetItems = offsetPath.split(":");
    const remainingItems = path.split(":");
    const middle = +offsetItems[offsetItems.length - 1] + +remainingItems[0];
    return [
      ...offsetItems.slice(0, offsetItems.length - 1),
      `${middle}`,
      ...remainingItems.slice(1)
    ].join(":");
  }
  toRunDetails(seed, basePath, maxSkips, qParams) {
    if (!this.isSuccess()) return {
      failed: true,
      interrupted: this.interrupted,
      numRuns: this.firstFailure() + 1 - this.numSkips,
      numSkips: this.numSkips,
      numShrinks: this.numShrinks(),
      seed,
      counterexample: this.value,
      counterexamplePath: RunExecution2.mergePaths(basePath, this.pathToFailure),
      errorInstance: this.failure.error,
      failures: this.extractFailures(),
      executionSummary: this.rootExecutionTrees,
      verbose: this.verbosity,
      runConfiguration: qParams.toParameters()
    };
    const considerInterruptedAsFailure = this.interruptedAsFailure || this.numSuccesses === 0;
    return {
      failed: this.numSkips > maxSkips || this.interrupted && considerInterruptedAsFailure,
      interrupted: this.interrupted,
      numRuns: this.numSuccesses,
      numSkips: this.numSkips,
      numShrinks: 0,
      seed,
      counterexample: null,
      counterexamplePath: null,
      error: null,
      errorInstance: null,
      failures: [],
      executionSummary: this.rootExecutionTrees,
      verbose: this.verbosity,
      runConfiguration: qParams.toParameters()
    };
  }
};
var RunnerIterator = class {
  constructor(sourceValues, shrink, verbose, interruptedAsFailure) {
    this.sourceValues = sourceValues;
    this.shrink = shrink;
    this.runExecution = new RunExecution(verbose, interruptedAsFailure);
    this.currentIdx = -1;
    this.nextValues = sourceValues;
  }
  [Symbol.iterator]() {
    return this;
  }
  next() {
    const nextValue = this.nextValues.next();
    if (nextValue.done || this.runExecution.interrupted) return {
      done: true,
      value: void 0
    };
    this.currentValue = nextValue.value;
    ++this.currentIdx;
    return {
      done: false,
      value: nextValue.value.value_
    };
  }
  handleResult(result) {
    if (result !== null && typeof result === "object" && !PreconditionFailure.isFailure(result)) {
      this.runExecution.fail(this.currentValue.value_, this.currentIdx, result);
      this.currentIdx = -1;
      this.nextValues = this.shrink(this.currentValue);
    } else if (result !== null) {
      if (!result.interruptExecution) {
        this.runExecution.skip(this.currentValue.value_);
        this.sourceValues.skippedOne();
      } else this.runExecution.interrupt();
    } else this.runExecution.success(this.currentValue.value_);
  }
};
var SourceValuesIterator = class {
  constructor(initialValues, maxInitialIterations, remainingSkips) {
    this.initialValues = initialValues;
    this.maxInitialIterations = maxInitialIterations;
    this.remainingSkips = remainingSkips;
  }
  [Symbol.iterator]() {
    return this;
  }
  next() {
    if (--this.maxInitialIterations !== -1 && this.remainingSkips >= 0) {
      const n = this.initialValues.next();
      if (!n.done) return {
        value: n.value,
        done: false
      };
    }
    return {
      value: void 0,
      done: true
    };
  }
  skippedOne() {
    --this.remainingSkips;
    ++this.maxInitialIterations;
  }
};
var MIN_INT = -2147483648;
var MAX_INT = 2147483647;
var DBL_FACTOR = Math.pow(2, 27);
var DBL_DIVISOR = Math.pow(2, -53);
var Random = class Random2 {
  /**
  * Create a mutable random number generator by cloning the passed one and mutate it
  * @param sourceRng - Immutable random generator from pure-rand library, will not be altered (a clone will be)
  */
  constructor(sourceRng) {
    this.internalRng = adaptRandomGenerator(sourceRng.clone());
  }
  /**
  * Clone the random number generator
  */
  clone() {
    return new Random2(this.internalRng);
  }
  /**
  * Generate an integer having `bits` random bits
  * @param bits - Number of bits to generate
  * @deprecated Prefer {@link nextInt} with explicit bounds: `nextInt(0, (1 << bits) - 1)`
  */
  next(bits2) {
    return uniformInt(this.internalRng, 0, (1 << bits2) - 1);
  }
  /**
  * Generate a random boolean
  * @deprecated Prefer {@link nextInt} with explicit bounds: `nextInt(0, 1) === 1`
  */
  nextBoolean() {
    return uniformInt(this.internalRng, 0, 1) === 1;
  }
  nextInt(min3, max3) {
    return uniformInt(this.internalRng, min3 === void 0 ? MIN_INT : min3, max3 === void 0 ? MAX_INT : max3);
  }
  /**
  * Generate a random bigint between min (included) and max (included)
  * @param min - Minimal bigint value
  * @param max - Maximal bigint value
  */
  nextBigInt(min3, max3) {
    return uniformBigInt(this.internalRng, min3, max3);
  }
  /**
  * Generate a random floating point number between 0.0 (included) and 1.0 (excluded)
  * @deprecated Prefer {@link nextInt} with explicit bounds
  */
  nextDouble() {
    const a = this.next(26);
    const b = this.next(27);
    return (a * DBL_FACTOR + b) * DBL_DIVISOR;
  }
  /**
  * Extract the internal state of the internal RandomGenerator backing the current instance of Random
  */
  getState() {
    if ("getState" in this.internalRng && typeof this.internalRng.getState === "function") return this.internalRng.getState();
  }
};
function tossNext(generator, rng, index2) {
  rng.jump();
  return generator.generate(new Random(rng), index2);
}
function* toss(generator, seed, random2, examples) {
  for (let idx = 0; idx !== examples.length; ++idx) yield new Value(examples[idx], void 0);
  for (let idx = 0, rng = random2(seed); ; ++idx) yield tossNext(generator, rng, idx);
}
function lazyGenerate(generator, rng, idx) {
  return () => generator.generate(new Random(rng), idx);
}
function* lazyToss(generator, seed, random2, examples) {
  yield* safeMap(examples, (e) => () => new Value(e, void 0));
  let idx = 0;
  const rng = adaptRandomGenerator(random2(seed));
  for (; ; ) {
    rng.jump();
    yield lazyGenerate(generator, rng, idx++);
  }
}
function produce(producer) {
  return producer();
}
function pathWalk(path, initialProducers, shrink) {
  const producers = initialProducers;
  const segments = path.split(":").map((text) => +text);
  if (segments.length === 0) return producers.map(produce);
  if (!segments.every((v) => !Number.isNaN(v))) throw new Error(`Unable to replay, got invalid path=${path}`);
  let values = producers.drop(segments[0]).map(produce);
  for (const s of segments.slice(1)) {
    const valueToShrink = values.getNthOrLast(0);
    if (valueToShrink === null) throw new Error(`Unable to replay, got wrong path=${path}`);
    values = shrink(valueToShrink).drop(s);
  }
  return values;
}
var safeObjectAssign$6 = Object.assign;
function formatHints(hints) {
  if (hints.length === 1) return `Hint: ${hints[0]}`;
  return hints.map((h3, idx) => `Hint (${idx + 1}): ${h3}`).join("\n");
}
function formatFailures(failures, stringifyOne) {
  return `Encountered failures were:
- ${failures.map(stringifyOne).join("\n- ")}`;
}
function formatExecutionSummary(executionTrees, stringifyOne) {
  const summaryLines = [];
  const remainingTreesAndDepth = [];
  for (let i = executionTrees.length - 1; i >= 0; --i) remainingTreesAndDepth.push({
    depth: 1,
    tree: executionTrees[i]
  });
  while (remainingTreesAndDepth.length !== 0) {
    const currentTreeAndDepth = remainingTreesAndDepth.pop();
    const currentTree = currentTreeAndDepth.tree;
    const currentDepth = currentTreeAndDepth.depth;
    const statusIcon = currentTree.status === 0 ? "\x1B[32m\u221A\x1B[0m" : currentTree.status === 1 ? "\x1B[31m\xD7\x1B[0m" : "\x1B[33m!\x1B[0m";
    const leftPadding = currentDepth !== 0 ? ". ".repeat(currentDepth - 1) : "";
    summaryLines.push(`${leftPadding}${statusIcon} ${stringifyOne(currentTree.value)}`);
    for (let i = currentTree.children.length - 1; i >= 0; --i) remainingTreesAndDepth.push({
      depth: currentDepth + 1,
      tree: currentTree.children[i]
    });
  }
  return `Execution summary:
${summaryLines.join("\n")}`;
}
function preFormatTooManySkipped(out, stringifyOne) {
  const message = `Failed to run property, too many pre-condition failures encountered
{ seed: ${out.seed} }

Ran ${out.numRuns} time(s)
Skipped ${out.numSkips} time(s)`;
  let details = null;
  const hints = ["Try to reduce the number of rejected values by combining map, chain and built-in arbitraries", "Increase failure tolerance by setting maxSkipsPerRun to an higher value"];
  if (out.verbose >= 2) details = formatExecutionSummary(out.executionSummary, stringifyOne);
  else safePush(hints, "Enable verbose mode at level VeryVerbose in order to check all generated values and their associated status");
  return {
    message,
    details,
    hints
  };
}
function prettyError(errorInstance) {
  if (errorInstance instanceof SError && errorInstance.stack !== void 0) return errorInstance.stack;
  try {
    return SString(errorInstance);
  } catch (_err) {
  }
  if (errorInstance instanceof SError) try {
    return safeErrorToString(errorInstance);
  } catch (_err) {
  }
  if (errorInstance !== null && typeof errorInstance === "object") try {
    return safeToString(errorInstance);
  } catch (_err) {
  }
  return "Failed to serialize errorInstance";
}
function preFormatFailure(out, stringifyOne) {
  const messageErrorPart = out.runConfiguration.includeErrorInReport ? `
Got ${safeReplace(prettyError(out.errorInstance), /^Error: /, "error: ")}` : "";
  const message = `Property failed after ${out.numRuns} tests
{ seed: ${out.seed}, path: "${out.counterexamplePath}", endOnFailure: true }
Counterexample: ${stringifyOne(out.counterexample)}
Shrunk ${out.numShrinks} time(s)${messageErrorPart}`;
  let details = null;
  const hints = [];
  if (out.verbose >= 2) details = formatExecutionSummary(out.executionSummary, stringifyOne);
  else if (out.verbose === 1) details = formatFailures(out.failures, stringifyOne);
  else safePush(hints, "Enable verbose mode in order to have the list of all failing values encountered during the run");
  return {
    message,
    details,
    hints
  };
}
function preFormatEarlyInterrupted(out, stringifyOne) {
  const message = `Property interrupted after ${out.numRuns} tests
{ seed: ${out.seed} }`;
  let details = null;
  const hints = [];
  if (out.verbose >= 2) details = formatExecutionSummary(out.executionSummary, stringifyOne);
  else safePush(hints, "Enable verbose mode at level VeryVerbose in order to check all generated values and their associated status");
  return {
    message,
    details,
    hints
  };
}
function defaultReportMessageInternal(out, stringifyOne) {
  if (!out.failed) return;
  const { message, details, hints } = out.counterexamplePath === null ? out.interrupted ? preFormatEarlyInterrupted(out, stringifyOne) : preFormatTooManySkipped(out, stringifyOne) : preFormatFailure(out, stringifyOne);
  let errorMessage = message;
  if (details !== null) errorMessage += `

${details}`;
  if (hints.length > 0) errorMessage += `

${formatHints(hints)}`;
  return errorMessage;
}
function defaultReportMessage(out) {
  return defaultReportMessageInternal(out, stringify);
}
async function asyncDefaultReportMessage(out) {
  const pendingStringifieds = [];
  function stringifyOne(value) {
    const stringified = possiblyAsyncStringify(value);
    if (typeof stringified === "string") return stringified;
    pendingStringifieds.push(Promise.all([value, stringified]));
    return "\u2026";
  }
  const firstTryMessage = defaultReportMessageInternal(out, stringifyOne);
  if (pendingStringifieds.length === 0) return firstTryMessage;
  const registeredValues = new SMap$2(await Promise.all(pendingStringifieds));
  function stringifySecond(value) {
    const asyncStringifiedIfRegistered = safeMapGet(registeredValues, value);
    if (asyncStringifiedIfRegistered !== void 0) return asyncStringifiedIfRegistered;
    return stringify(value);
  }
  return defaultReportMessageInternal(out, stringifySecond);
}
function buildError(errorMessage, out) {
  if (out.runConfiguration.includeErrorInReport) throw new SError(errorMessage);
  const error = new SError(errorMessage, { cause: out.errorInstance });
  if (!("cause" in error)) safeObjectAssign$6(error, { cause: out.errorInstance });
  return error;
}
function throwIfFailed(out) {
  if (!out.failed) return;
  throw buildError(defaultReportMessage(out), out);
}
async function asyncThrowIfFailed(out) {
  if (!out.failed) return;
  throw buildError(await asyncDefaultReportMessage(out), out);
}
function reportRunDetails(out) {
  if (out.runConfiguration.asyncReporter) return out.runConfiguration.asyncReporter(out);
  else if (out.runConfiguration.reporter) return out.runConfiguration.reporter(out);
  else return throwIfFailed(out);
}
async function asyncReportRunDetails(out) {
  if (out.runConfiguration.asyncReporter) return out.runConfiguration.asyncReporter(out);
  else if (out.runConfiguration.reporter) return out.runConfiguration.reporter(out);
  else return asyncThrowIfFailed(out);
}
var globalPlugins = [];
function installGlobalPlugin(plugin) {
  globalPlugins.push(plugin);
}
function readInstalledGlobalPlugins() {
  return globalPlugins;
}
var SMap$1 = Map;
function runIt(run, shrink, sourceValues, verbose, interruptedAsFailure) {
  const runner2 = new RunnerIterator(sourceValues, shrink, verbose, interruptedAsFailure);
  for (const v of runner2) {
    const out = run(v);
    runner2.handleResult(out);
  }
  return runner2.runExecution;
}
function propertyExecution(property2, v) {
  property2.runBeforeEach();
  const out = property2.run(v);
  property2.runAfterEach();
  return out;
}
async function asyncRunIt(run, shrink, sourceValues, verbose, interruptedAsFailure) {
  const runner2 = new RunnerIterator(sourceValues, shrink, verbose, interruptedAsFailure);
  for (const v of runner2) {
    const out = await run(v);
    runner2.handleResult(out);
  }
  return runner2.runExecution;
}
async function asyncPropertyExecution(property2, v) {
  await property2.runBeforeEach();
  const out = await property2.run(v);
  await property2.runAfterEach();
  return out;
}
function runPluginCompletionHooksSync(pluginInstances, runDetails) {
  let interceptedOnce = false;
  let interceptedError = void 0;
  for (let index2 = 0; index2 !== pluginInstances.length; ++index2) {
    const instance = pluginInstances[index2];
    if (instance.onAllRunsComplete !== void 0) try {
      instance.onAllRunsComplete(runDetails);
    } catch (error) {
      if (!interceptedOnce) {
        interceptedOnce = true;
        interceptedError = error;
      }
    }
  }
  for (let index2 = pluginInstances.length - 1; index2 >= 0; --index2) {
    const instance = pluginInstances[index2];
    if (instance.afterAll !== void 0) try {
      instance.afterAll();
    } catch (error) {
      if (!interceptedOnce) {
        interceptedOnce = true;
        interceptedError = error;
      }
    }
  }
  if (interceptedOnce) throw interceptedError;
}
function runPluginCompletionHooks(pluginInstances, runDetailsPromise) {
  const followUps = [];
  for (let index2 = 0; index2 !== pluginInstances.length; ++index2) {
    const instance = pluginInstances[index2];
    if (instance.onAllRunsComplete !== void 0) followUps.push((runDetails) => instance.onAllRunsComplete(runDetails));
  }
  for (let index2 = pluginInstances.length - 1; index2 >= 0; --index2) {
    const instance = pluginInstances[index2];
    if (instance.afterAll !== void 0) followUps.push(() => instance.afterAll());
  }
  if (followUps.length === 0) return runDetailsPromise;
  return runDetailsPromise.then(async (details) => {
    let interceptedOnce = false;
    let interceptedError = void 0;
    for (const followUp of followUps) try {
      const out = followUp(details);
      if (out !== void 0) await out;
    } catch (error) {
      if (!interceptedOnce) {
        interceptedOnce = true;
        interceptedError = error;
      }
    }
    if (interceptedOnce) throw interceptedError;
    return details;
  });
}
function check(rawProperty, params) {
  if (rawProperty === null || rawProperty === void 0 || rawProperty.generate === null || rawProperty.generate === void 0) throw new Error("Invalid property encountered, please use a valid property");
  if (rawProperty.run === null || rawProperty.run === void 0) throw new Error("Invalid property encountered, please use a valid property not an arbitrary");
  const qParams = read({
    ...readConfigureGlobal(),
    ...params
  });
  if (qParams.reporter !== void 0 && qParams.asyncReporter !== void 0) throw new Error("Invalid parameters encountered, reporter and asyncReporter cannot be specified together");
  if (qParams.asyncReporter !== void 0 && !rawProperty.isAsync()) throw new Error("Invalid parameters encountered, only asyncProperty can be used when asyncReporter specified");
  const property2 = decorateProperty(rawProperty, qParams);
  const globalPlugins2 = readInstalledGlobalPlugins();
  const localPlugins = qParams.plugins;
  const pluginStore = new SMap$1();
  const pluginInstances = [];
  for (let index2 = 0; index2 !== globalPlugins2.length; ++index2) pluginInstances.push(globalPlugins2[index2](index2, pluginStore));
  for (let index2 = 0; index2 !== localPlugins.length; ++index2) pluginInstances.push(localPlugins[index2](globalPlugins2.length + index2, pluginStore));
  let surchargedGenerate = void 0;
  let run = property2.isAsync() ? async (v) => asyncPropertyExecution(property2, v) : (v) => propertyExecution(property2, v);
  for (let index2 = pluginInstances.length - 1; index2 >= 0; --index2) {
    const pluginInstance = pluginInstances[index2];
    if (pluginInstance.decorateGenerate !== void 0) {
      if (surchargedGenerate === void 0) surchargedGenerate = (mrng, runId) => property2.generate(mrng, runId);
      surchargedGenerate = pluginInstance.decorateGenerate(surchargedGenerate);
    }
    if (pluginInstance.decorateRun !== void 0) run = pluginInstance.decorateRun(run);
  }
  const generator = surchargedGenerate === void 0 ? property2 : { generate: surchargedGenerate };
  const maxInitialIterations = qParams.path.length === 0 || qParams.path.indexOf(":") === -1 ? qParams.numRuns : -1;
  const maxSkips = qParams.numRuns * qParams.maxSkipsPerRun;
  const shrink = (...args) => property2.shrink(...args);
  const sourceValues = new SourceValuesIterator(qParams.path.length === 0 ? toss(generator, qParams.seed, qParams.randomType, qParams.examples) : pathWalk(qParams.path, stream(lazyToss(generator, qParams.seed, qParams.randomType, qParams.examples)), shrink), maxInitialIterations, maxSkips);
  const finalShrink = !qParams.endOnFailure ? shrink : Stream.nil;
  if (property2.isAsync()) return runPluginCompletionHooks(pluginInstances, asyncRunIt(run, finalShrink, sourceValues, qParams.verbose, qParams.markInterruptAsFailure).then((e) => e.toRunDetails(qParams.seed, qParams.path, maxSkips, qParams)));
  const out = runIt(run, finalShrink, sourceValues, qParams.verbose, qParams.markInterruptAsFailure).toRunDetails(qParams.seed, qParams.path, maxSkips, qParams);
  runPluginCompletionHooksSync(pluginInstances, out);
  return out;
}
function assert(property2, params) {
  const out = check(property2, params);
  if (property2.isAsync()) return out.then(asyncReportRunDetails);
  else reportRunDetails(out);
}
function toProperty(generator, qParams) {
  const prop = !Object.prototype.hasOwnProperty.call(generator, "isAsync") ? new Property(generator, () => true) : generator;
  return qParams.unbiased === true ? new UnbiasedProperty(prop) : prop;
}
function streamSample(generator, params) {
  const qParams = read(typeof params === "number" ? {
    ...readConfigureGlobal(),
    numRuns: params
  } : {
    ...readConfigureGlobal(),
    ...params
  });
  const nextProperty = toProperty(generator, qParams);
  const shrink = nextProperty.shrink.bind(nextProperty);
  return (qParams.path.length === 0 ? stream(toss(nextProperty, qParams.seed, qParams.randomType, qParams.examples)) : pathWalk(qParams.path, stream(lazyToss(nextProperty, qParams.seed, qParams.randomType, qParams.examples)), shrink)).take(qParams.numRuns).map((s) => s.value_);
}
function sample(generator, params) {
  return [...streamSample(generator, params)];
}
function round2(n) {
  return (Math.round(n * 100) / 100).toFixed(2);
}
function statistics(generator, classify, params) {
  const qParams = read(typeof params === "number" ? {
    ...readConfigureGlobal(),
    numRuns: params
  } : {
    ...readConfigureGlobal(),
    ...params
  });
  const recorded = {};
  for (const g of streamSample(generator, params)) {
    const out = classify(g);
    const categories = Array.isArray(out) ? out : [out];
    for (const c2 of categories) recorded[c2] = (recorded[c2] || 0) + 1;
  }
  const data = Object.entries(recorded).sort((a, b) => b[1] - a[1]).map((i) => [i[0], `${round2(i[1] * 100 / qParams.numRuns)}%`]);
  const longestName = data.map((i) => i[0].length).reduce((p, c2) => Math.max(p, c2), 0);
  const longestPercent = data.map((i) => i[1].length).reduce((p, c2) => Math.max(p, c2), 0);
  for (const item of data) qParams.logger(`${item[0].padEnd(longestName, ".")}..${item[1].padStart(longestPercent, ".")}`);
}
var safeObjectAssign$5 = Object.assign;
function buildGeneratorValue(mrng, biasFactor, computePreBuiltValues, arbitraryCache) {
  const preBuiltValues = computePreBuiltValues();
  let localMrng = mrng.clone();
  const context2 = {
    mrng: mrng.clone(),
    biasFactor,
    history: []
  };
  const valueFunction = (arb) => {
    const preBuiltValue = preBuiltValues[context2.history.length];
    if (preBuiltValue !== void 0 && preBuiltValue.arb === arb) {
      const value = preBuiltValue.value;
      safePush(context2.history, {
        arb,
        value,
        context: preBuiltValue.context,
        mrng: preBuiltValue.mrng
      });
      localMrng = preBuiltValue.mrng.clone();
      return value;
    }
    const g = arb.generate(localMrng, biasFactor);
    safePush(context2.history, {
      arb,
      value: g.value_,
      context: g.context,
      mrng: localMrng.clone()
    });
    return g.value;
  };
  const memoedValueFunction = (arb, ...args) => {
    return valueFunction(arbitraryCache(arb, args));
  };
  return new Value(safeObjectAssign$5(memoedValueFunction, {
    values() {
      return safeMap(context2.history, (c2) => c2.value);
    },
    [cloneMethod]() {
      return buildGeneratorValue(mrng, biasFactor, computePreBuiltValues, arbitraryCache).value;
    },
    [toStringMethod]() {
      return stringify(safeMap(context2.history, (c2) => c2.value));
    }
  }), context2);
}
var safeArrayIsArray$3 = Array.isArray;
var safeObjectKeys$4 = Object.keys;
var safeObjectIs$7 = Object.is;
function buildStableArbitraryGeneratorCache(isEqual) {
  const previousCallsPerBuilder = new SMap$2();
  return function stableArbitraryGeneratorCache(builder, args) {
    const entriesForBuilder = safeMapGet(previousCallsPerBuilder, builder);
    if (entriesForBuilder === void 0) {
      const newValue2 = builder(...args);
      safeMapSet(previousCallsPerBuilder, builder, [{
        args,
        value: newValue2
      }]);
      return newValue2;
    }
    const safeEntriesForBuilder = entriesForBuilder;
    for (const entry of safeEntriesForBuilder) if (isEqual(args, entry.args)) return entry.value;
    const newValue = builder(...args);
    safePush(safeEntriesForBuilder, {
      args,
      value: newValue
    });
    return newValue;
  };
}
function naiveIsEqual(v1, v2) {
  if (v1 !== null && typeof v1 === "object" && v2 !== null && typeof v2 === "object") {
    if (safeArrayIsArray$3(v1)) {
      if (!safeArrayIsArray$3(v2)) return false;
      if (v1.length !== v2.length) return false;
    } else if (safeArrayIsArray$3(v2)) return false;
    if (safeObjectKeys$4(v1).length !== safeObjectKeys$4(v2).length) return false;
    for (const index2 in v1) {
      if (!(index2 in v2)) return false;
      if (!naiveIsEqual(v1[index2], v2[index2])) return false;
    }
    return true;
  } else return safeObjectIs$7(v1, v2);
}
var GeneratorArbitrary = class extends Arbitrary {
  constructor(..._args) {
    super(..._args);
    this.arbitraryCache = buildStableArbitraryGeneratorCache(naiveIsEqual);
  }
  generate(mrng, biasFactor) {
    return buildGeneratorValue(mrng, biasFactor, () => [], this.arbitraryCache);
  }
  canShrinkWithoutContext(_value) {
    return false;
  }
  shrink(_value, context2) {
    if (context2 === void 0) return Stream.nil();
    const safeContext = context2;
    const mrng = safeContext.mrng;
    const biasFactor = safeContext.biasFactor;
    const history = safeContext.history;
    return tupleShrink(history.map((c2) => c2.arb), history.map((c2) => c2.value), history.map((c2) => c2.context)).map((shrink) => {
      function computePreBuiltValues() {
        const subValues = shrink.value;
        const subContexts = shrink.context;
        return safeMap(history, (entry, index2) => ({
          arb: entry.arb,
          value: subValues[index2],
          context: subContexts[index2],
          mrng: entry.mrng
        }));
      }
      return buildGeneratorValue(mrng, biasFactor, computePreBuiltValues, this.arbitraryCache);
    });
  }
};
function gen() {
  return new GeneratorArbitrary();
}
var safeMathFloor$6 = Math.floor;
var safeMathLog$2 = Math.log;
function integerLogLike(v) {
  return safeMathFloor$6(safeMathLog$2(v) / safeMathLog$2(2));
}
function bigIntLogLike(v) {
  if (v === SBigInt2(0)) return SBigInt2(0);
  return SBigInt2(SString(v).length);
}
function biasNumericRange(min3, max3, logLike) {
  if (min3 === max3) return [{
    min: min3,
    max: max3
  }];
  if (min3 < 0 && max3 > 0) {
    const logMin = logLike(-min3);
    const logMax = logLike(max3);
    return [
      {
        min: -logMin,
        max: logMax
      },
      {
        min: max3 - logMax,
        max: max3
      },
      {
        min: min3,
        max: min3 + logMin
      }
    ];
  }
  const logGap = logLike(max3 - min3);
  const arbCloseToMin = {
    min: min3,
    max: min3 + logGap
  };
  const arbCloseToMax = {
    min: max3 - logGap,
    max: max3
  };
  return min3 < 0 ? [arbCloseToMax, arbCloseToMin] : [arbCloseToMin, arbCloseToMax];
}
var safeMathCeil = Math.ceil;
var safeMathFloor$5 = Math.floor;
function halvePosInteger(n) {
  return safeMathFloor$5(n / 2);
}
function halveNegInteger(n) {
  return safeMathCeil(n / 2);
}
function shrinkInteger(current, target, tryTargetAsap) {
  const realGap = current - target;
  function* shrinkDecr() {
    let previous = tryTargetAsap ? void 0 : target;
    const gap = tryTargetAsap ? realGap : halvePosInteger(realGap);
    for (let toremove = gap; toremove > 0; toremove = halvePosInteger(toremove)) {
      const next = toremove === realGap ? target : current - toremove;
      yield new Value(next, previous);
      previous = next;
    }
  }
  function* shrinkIncr() {
    let previous = tryTargetAsap ? void 0 : target;
    const gap = tryTargetAsap ? realGap : halveNegInteger(realGap);
    for (let toremove = gap; toremove < 0; toremove = halveNegInteger(toremove)) {
      const next = toremove === realGap ? target : current - toremove;
      yield new Value(next, previous);
      previous = next;
    }
  }
  return realGap > 0 ? stream(shrinkDecr()) : stream(shrinkIncr());
}
var safeMathSign = Math.sign;
var safeNumberIsInteger$6 = Number.isInteger;
var safeObjectIs$6 = Object.is;
var IntegerArbitrary = class IntegerArbitrary2 extends Arbitrary {
  constructor(min3, max3) {
    super();
    this.min = min3;
    this.max = max3;
    this.ranges = biasNumericRange(min3, max3, integerLogLike);
  }
  generate(mrng, biasFactor) {
    if (biasFactor === void 0 || mrng.nextInt(1, biasFactor) !== 1) return new Value(mrng.nextInt(this.min, this.max), void 0);
    const ranges2 = this.ranges;
    if (ranges2.length === 1) {
      const range3 = ranges2[0];
      return new Value(mrng.nextInt(range3.min, range3.max), void 0);
    }
    const id = mrng.nextInt(-2 * (ranges2.length - 1), ranges2.length - 2);
    const range2 = id < 0 ? ranges2[0] : ranges2[id + 1];
    return new Value(mrng.nextInt(range2.min, range2.max), void 0);
  }
  canShrinkWithoutContext(value) {
    return typeof value === "number" && safeNumberIsInteger$6(value) && !safeObjectIs$6(value, -0) && this.min <= value && value <= this.max;
  }
  shrink(current, context2) {
    if (!IntegerArbitrary2.isValidContext(current, context2)) return shrinkInteger(current, this.min <= 0 && this.max >= 0 ? 0 : this.min < 0 ? this.max : this.min, true);
    if (this.isLastChanceTry(current, context2)) return Stream.of(new Value(context2, void 0));
    return shrinkInteger(current, context2, false);
  }
  isLastChanceTry(current, context2) {
    if (current > 0) return current === context2 + 1 && current > this.min;
    if (current < 0) return current === context2 - 1 && current < this.max;
    return false;
  }
  static isValidContext(current, context2) {
    if (context2 === void 0) return false;
    if (typeof context2 !== "number") throw new Error(`Invalid context type passed to IntegerArbitrary (#1)`);
    if (context2 !== 0 && safeMathSign(current) !== safeMathSign(context2)) throw new Error(`Invalid context value passed to IntegerArbitrary (#2)`);
    return true;
  }
};
var safeNumberIsInteger$5 = Number.isInteger;
function buildCompleteIntegerConstraints(constraints) {
  return {
    min: constraints.min !== void 0 ? constraints.min : -2147483648,
    max: constraints.max !== void 0 ? constraints.max : 2147483647
  };
}
function integer(constraints = {}) {
  const fullConstraints = buildCompleteIntegerConstraints(constraints);
  if (fullConstraints.min > fullConstraints.max) throw new Error("fc.integer maximum value should be equal or greater than the minimum one");
  if (!safeNumberIsInteger$5(fullConstraints.min)) throw new Error("fc.integer minimum value should be an integer");
  if (!safeNumberIsInteger$5(fullConstraints.max)) throw new Error("fc.integer maximum value should be an integer");
  return new IntegerArbitrary(fullConstraints.min, fullConstraints.max);
}
var depthContextCache = /* @__PURE__ */ new Map();
function getDepthContextFor(contextMeta) {
  if (contextMeta === void 0) return { depth: 0 };
  if (typeof contextMeta !== "string") return contextMeta;
  const cachedContext = safeMapGet(depthContextCache, contextMeta);
  if (cachedContext !== void 0) return cachedContext;
  const context2 = { depth: 0 };
  safeMapSet(depthContextCache, contextMeta, context2);
  return context2;
}
function createDepthIdentifier() {
  return { depth: 0 };
}
var NoopSlicedGenerator = class {
  constructor(arb, mrng, biasFactor) {
    this.arb = arb;
    this.mrng = mrng;
    this.biasFactor = biasFactor;
  }
  attemptExact() {
  }
  next() {
    return this.arb.generate(this.mrng, this.biasFactor);
  }
};
var safeMathMin$5 = Math.min;
var safeMathMax$2 = Math.max;
var SlicedBasedGenerator = class {
  constructor(arb, mrng, slices, biasFactor) {
    this.arb = arb;
    this.mrng = mrng;
    this.slices = slices;
    this.biasFactor = biasFactor;
    this.activeSliceIndex = 0;
    this.nextIndexInSlice = 0;
    this.lastIndexInSlice = -1;
  }
  attemptExact(targetLength) {
    if (targetLength !== 0 && this.mrng.nextInt(1, this.biasFactor) === 1) {
      const eligibleIndices = [];
      for (let index2 = 0; index2 !== this.slices.length; ++index2) if (this.slices[index2].length === targetLength) safePush(eligibleIndices, index2);
      if (eligibleIndices.length === 0) return;
      this.activeSliceIndex = eligibleIndices[this.mrng.nextInt(0, eligibleIndices.length - 1)];
      this.nextIndexInSlice = 0;
      this.lastIndexInSlice = targetLength - 1;
    }
  }
  next() {
    if (this.nextIndexInSlice <= this.lastIndexInSlice) return new Value(this.slices[this.activeSliceIndex][this.nextIndexInSlice++], void 0);
    if (this.mrng.nextInt(1, this.biasFactor) !== 1) return this.arb.generate(this.mrng, this.biasFactor);
    this.activeSliceIndex = this.mrng.nextInt(0, this.slices.length - 1);
    const slice2 = this.slices[this.activeSliceIndex];
    if (this.mrng.nextInt(1, this.biasFactor) !== 1) {
      this.nextIndexInSlice = 1;
      this.lastIndexInSlice = slice2.length - 1;
      return new Value(slice2[0], void 0);
    }
    const rangeBoundaryA = this.mrng.nextInt(0, slice2.length - 1);
    const rangeBoundaryB = this.mrng.nextInt(0, slice2.length - 1);
    this.nextIndexInSlice = safeMathMin$5(rangeBoundaryA, rangeBoundaryB);
    this.lastIndexInSlice = safeMathMax$2(rangeBoundaryA, rangeBoundaryB);
    return new Value(slice2[this.nextIndexInSlice++], void 0);
  }
};
function buildSlicedGenerator(arb, mrng, slices, biasFactor) {
  if (biasFactor === void 0 || slices.length === 0 || mrng.nextInt(1, biasFactor) !== 1) return new NoopSlicedGenerator(arb, mrng, biasFactor);
  return new SlicedBasedGenerator(arb, mrng, slices, biasFactor);
}
var safeMathFloor$4 = Math.floor;
var safeMathLog$1 = Math.log;
var safeArrayIsArray$2 = Array.isArray;
function biasedMaxLength(minLength, maxLength) {
  if (minLength === maxLength) return minLength;
  return minLength + safeMathFloor$4(safeMathLog$1(maxLength - minLength) / safeMathLog$1(2));
}
var ArrayArbitrary = class ArrayArbitrary2 extends Arbitrary {
  constructor(arb, minLength, maxGeneratedLength, maxLength, depthIdentifier, setBuilder, customSlices) {
    super();
    this.arb = arb;
    this.minLength = minLength;
    this.maxGeneratedLength = maxGeneratedLength;
    this.maxLength = maxLength;
    this.setBuilder = setBuilder;
    this.customSlices = customSlices;
    this.lengthArb = integer({
      min: minLength,
      max: maxGeneratedLength
    });
    this.depthContext = getDepthContextFor(depthIdentifier);
    this.cachedBiasedMaxLength = biasedMaxLength(minLength, maxGeneratedLength);
  }
  preFilter(tab) {
    if (this.setBuilder === void 0) return tab;
    const s = this.setBuilder();
    for (let index2 = 0; index2 !== tab.length; ++index2) s.tryAdd(tab[index2]);
    return s.getData();
  }
  static makeItCloneable(vs, shrinkables) {
    vs[cloneMethod] = () => {
      const cloned = [];
      for (let idx = 0; idx !== shrinkables.length; ++idx) safePush(cloned, shrinkables[idx].value);
      this.makeItCloneable(cloned, shrinkables);
      return cloned;
    };
    return vs;
  }
  generateNItemsNoDuplicates(setBuilder, N2, mrng, biasFactorItems) {
    let numSkippedInRow = 0;
    const s = setBuilder();
    const slicedGenerator = buildSlicedGenerator(this.arb, mrng, this.customSlices, biasFactorItems);
    while (s.size() < N2 && numSkippedInRow < this.maxGeneratedLength) {
      const current = slicedGenerator.next();
      if (s.tryAdd(current)) numSkippedInRow = 0;
      else numSkippedInRow += 1;
    }
    return s.getData();
  }
  safeGenerateNItemsNoDuplicates(setBuilder, N2, mrng, biasFactorItems) {
    const depthImpact = N2 - this.cachedBiasedMaxLength;
    if (depthImpact <= 0) return this.generateNItemsNoDuplicates(setBuilder, N2, mrng, biasFactorItems);
    this.depthContext.depth += depthImpact;
    try {
      return this.generateNItemsNoDuplicates(setBuilder, N2, mrng, biasFactorItems);
    } finally {
      this.depthContext.depth -= depthImpact;
    }
  }
  generateNItems(N2, mrng, biasFactorItems) {
    const items2 = [];
    const slicedGenerator = buildSlicedGenerator(this.arb, mrng, this.customSlices, biasFactorItems);
    slicedGenerator.attemptExact(N2);
    for (let index2 = 0; index2 !== N2; ++index2) safePush(items2, slicedGenerator.next());
    return items2;
  }
  safeGenerateNItems(N2, mrng, biasFactorItems) {
    const depthImpact = N2 - this.cachedBiasedMaxLength;
    if (depthImpact <= 0) return this.generateNItems(N2, mrng, biasFactorItems);
    this.depthContext.depth += depthImpact;
    try {
      return this.generateNItems(N2, mrng, biasFactorItems);
    } finally {
      this.depthContext.depth -= depthImpact;
    }
  }
  wrapper(itemsRaw, shrunkOnce, itemsRawLengthContext, startIndex) {
    const items2 = shrunkOnce ? this.preFilter(itemsRaw) : itemsRaw;
    let cloneable = false;
    const vs = [];
    const itemsContexts = [];
    for (let idx = 0; idx !== items2.length; ++idx) {
      const s = items2[idx];
      cloneable = cloneable || s.hasToBeCloned;
      safePush(vs, s.value);
      safePush(itemsContexts, s.context);
    }
    if (cloneable) ArrayArbitrary2.makeItCloneable(vs, items2);
    return new Value(vs, {
      shrunkOnce,
      lengthContext: itemsRaw.length === items2.length && itemsRawLengthContext !== void 0 ? itemsRawLengthContext : void 0,
      itemsContexts,
      startIndex
    });
  }
  generate(mrng, biasFactor) {
    let targetSize;
    let biasFactorItems;
    if (biasFactor === void 0) targetSize = this.lengthArb.generate(mrng, void 0).value;
    else if (this.minLength === this.maxGeneratedLength) {
      targetSize = this.lengthArb.generate(mrng, void 0).value;
      biasFactorItems = biasFactor;
    } else if (mrng.nextInt(1, biasFactor) !== 1) targetSize = this.lengthArb.generate(mrng, void 0).value;
    else if (mrng.nextInt(1, biasFactor) !== 1) {
      targetSize = this.lengthArb.generate(mrng, void 0).value;
      biasFactorItems = biasFactor;
    } else {
      const maxBiasedLength = this.cachedBiasedMaxLength;
      targetSize = integer({
        min: this.minLength,
        max: maxBiasedLength
      }).generate(mrng, void 0).value;
      biasFactorItems = biasFactor;
    }
    const items2 = this.setBuilder !== void 0 ? this.safeGenerateNItemsNoDuplicates(this.setBuilder, targetSize, mrng, biasFactorItems) : this.safeGenerateNItems(targetSize, mrng, biasFactorItems);
    return this.wrapper(items2, false, void 0, 0);
  }
  canShrinkWithoutContext(value) {
    if (!safeArrayIsArray$2(value) || this.minLength > value.length || value.length > this.maxLength) return false;
    for (let index2 = 0; index2 !== value.length; ++index2) {
      if (!(index2 in value)) return false;
      if (!this.arb.canShrinkWithoutContext(value[index2])) return false;
    }
    return this.preFilter(safeMap(value, (item) => new Value(item, void 0))).length === value.length;
  }
  shrinkItemByItem(value, safeContext, endIndex) {
    const shrinks = [];
    for (let index2 = safeContext.startIndex; index2 < endIndex; ++index2) safePush(shrinks, makeLazy(() => this.arb.shrink(value[index2], safeContext.itemsContexts[index2]).map((v) => {
      const beforeCurrent = safeMap(safeSlice(value, 0, index2), (v2, i) => new Value(cloneIfNeeded(v2), safeContext.itemsContexts[i]));
      const afterCurrent = safeMap(safeSlice(value, index2 + 1), (v2, i) => new Value(cloneIfNeeded(v2), safeContext.itemsContexts[i + index2 + 1]));
      return [
        [
          ...beforeCurrent,
          v,
          ...afterCurrent
        ],
        void 0,
        index2
      ];
    })));
    return Stream.nil().join(...shrinks);
  }
  shrinkImpl(value, context2) {
    if (value.length === 0) return Stream.nil();
    const safeContext = context2 !== void 0 ? context2 : {
      shrunkOnce: false,
      lengthContext: void 0,
      itemsContexts: [],
      startIndex: 0
    };
    return this.lengthArb.shrink(value.length, safeContext.lengthContext).drop(safeContext.shrunkOnce && safeContext.lengthContext === void 0 && value.length > this.minLength + 1 ? 1 : 0).map((lengthValue) => {
      const sliceStart = value.length - lengthValue.value;
      return [
        safeMap(safeSlice(value, sliceStart), (v, index2) => new Value(cloneIfNeeded(v), safeContext.itemsContexts[index2 + sliceStart])),
        lengthValue.context,
        0
      ];
    }).join(makeLazy(() => value.length > this.minLength ? this.shrinkItemByItem(value, safeContext, 1) : this.shrinkItemByItem(value, safeContext, value.length))).join(value.length > this.minLength ? makeLazy(() => {
      const subContext = {
        shrunkOnce: false,
        lengthContext: void 0,
        itemsContexts: safeSlice(safeContext.itemsContexts, 1),
        startIndex: 0
      };
      return this.shrinkImpl(safeSlice(value, 1), subContext).filter((v) => this.minLength <= v[0].length + 1).map((v) => {
        return [
          [new Value(cloneIfNeeded(value[0]), safeContext.itemsContexts[0]), ...v[0]],
          void 0,
          0
        ];
      });
    }) : Stream.nil());
  }
  shrink(value, context2) {
    return this.shrinkImpl(value, context2).map((contextualValue) => this.wrapper(contextualValue[0], true, contextualValue[1], contextualValue[2]));
  }
};
var safeMathFloor$3 = Math.floor;
var safeMathMin$4 = Math.min;
var MaxLengthUpperBound = 2147483647;
var orderedSize = [
  "xsmall",
  "small",
  "medium",
  "large",
  "xlarge"
];
var orderedRelativeSize = [
  "-4",
  "-3",
  "-2",
  "-1",
  "=",
  "+1",
  "+2",
  "+3",
  "+4"
];
var DefaultSize = "small";
function maxLengthFromMinLength(minLength, size2) {
  switch (size2) {
    case "xsmall":
      return safeMathFloor$3(1.1 * minLength) + 1;
    case "small":
      return 2 * minLength + 10;
    case "medium":
      return 11 * minLength + 100;
    case "large":
      return 101 * minLength + 1e3;
    case "xlarge":
      return 1001 * minLength + 1e4;
    default:
      throw new Error(`Unable to compute lengths based on received size: ${size2}`);
  }
}
function relativeSizeToSize(size2, defaultSize) {
  const sizeInRelative = safeIndexOf(orderedRelativeSize, size2);
  if (sizeInRelative === -1) return size2;
  const defaultSizeInSize = safeIndexOf(orderedSize, defaultSize);
  if (defaultSizeInSize === -1) throw new Error(`Unable to offset size based on the unknown defaulted one: ${defaultSize}`);
  const resultingSizeInSize = defaultSizeInSize + sizeInRelative - 4;
  return resultingSizeInSize < 0 ? orderedSize[0] : resultingSizeInSize >= orderedSize.length ? orderedSize[orderedSize.length - 1] : orderedSize[resultingSizeInSize];
}
function maxGeneratedLengthFromSizeForArbitrary(size2, minLength, maxLength, specifiedMaxLength) {
  const { baseSize: defaultSize = DefaultSize, defaultSizeToMaxWhenMaxSpecified } = readConfigureGlobal() || {};
  const definedSize = size2 !== void 0 ? size2 : specifiedMaxLength && defaultSizeToMaxWhenMaxSpecified ? "max" : defaultSize;
  if (definedSize === "max") return maxLength;
  const finalSize = relativeSizeToSize(definedSize, defaultSize);
  return safeMathMin$4(maxLengthFromMinLength(minLength, finalSize), maxLength);
}
function depthBiasFromSizeForArbitrary(depthSizeOrSize, specifiedMaxDepth) {
  if (typeof depthSizeOrSize === "number") return 1 / depthSizeOrSize;
  const { baseSize: defaultSize = DefaultSize, defaultSizeToMaxWhenMaxSpecified } = readConfigureGlobal() || {};
  const definedSize = depthSizeOrSize !== void 0 ? depthSizeOrSize : specifiedMaxDepth && defaultSizeToMaxWhenMaxSpecified ? "max" : defaultSize;
  if (definedSize === "max") return 0;
  switch (relativeSizeToSize(definedSize, defaultSize)) {
    case "xsmall":
      return 1;
    case "small":
      return 0.5;
    case "medium":
      return 0.25;
    case "large":
      return 0.125;
    case "xlarge":
      return 0.0625;
  }
}
function resolveSize(size2) {
  const { baseSize: defaultSize = DefaultSize } = readConfigureGlobal() || {};
  if (size2 === void 0) return defaultSize;
  return relativeSizeToSize(size2, defaultSize);
}
function array(arb, constraints = {}) {
  const size2 = constraints.size;
  const minLength = constraints.minLength || 0;
  const maxLengthOrUnset = constraints.maxLength;
  const depthIdentifier = constraints.depthIdentifier;
  const maxLength = maxLengthOrUnset !== void 0 ? maxLengthOrUnset : MaxLengthUpperBound;
  return new ArrayArbitrary(arb, minLength, maxGeneratedLengthFromSizeForArbitrary(size2, minLength, maxLength, maxLengthOrUnset !== void 0), maxLength, depthIdentifier, void 0, constraints.experimentalCustomSlices || []);
}
function halveBigInt(n) {
  return n / SBigInt2(2);
}
function shrinkBigInt(current, target, tryTargetAsap) {
  const realGap = current - target;
  function* shrinkDecr() {
    let previous = tryTargetAsap ? void 0 : target;
    const gap = tryTargetAsap ? realGap : halveBigInt(realGap);
    for (let toremove = gap; toremove > 0; toremove = halveBigInt(toremove)) {
      const next = current - toremove;
      yield new Value(next, previous);
      previous = next;
    }
  }
  function* shrinkIncr() {
    let previous = tryTargetAsap ? void 0 : target;
    const gap = tryTargetAsap ? realGap : halveBigInt(realGap);
    for (let toremove = gap; toremove < 0; toremove = halveBigInt(toremove)) {
      const next = current - toremove;
      yield new Value(next, previous);
      previous = next;
    }
  }
  return realGap > 0 ? stream(shrinkDecr()) : stream(shrinkIncr());
}
var BigIntArbitrary = class BigIntArbitrary2 extends Arbitrary {
  constructor(min3, max3) {
    super();
    this.min = min3;
    this.max = max3;
  }
  generate(mrng, biasFactor) {
    const range2 = this.computeGenerateRange(mrng, biasFactor);
    return new Value(mrng.nextBigInt(range2.min, range2.max), void 0);
  }
  computeGenerateRange(mrng, biasFactor) {
    if (biasFactor === void 0 || mrng.nextInt(1, biasFactor) !== 1) return {
      min: this.min,
      max: this.max
    };
    const ranges2 = biasNumericRange(this.min, this.max, bigIntLogLike);
    if (ranges2.length === 1) return ranges2[0];
    const id = mrng.nextInt(-2 * (ranges2.length - 1), ranges2.length - 2);
    return id < 0 ? ranges2[0] : ranges2[id + 1];
  }
  canShrinkWithoutContext(value) {
    return typeof value === "bigint" && this.min <= value && value <= this.max;
  }
  shrink(current, context2) {
    if (!BigIntArbitrary2.isValidContext(current, context2)) return shrinkBigInt(current, this.defaultTarget(), true);
    if (this.isLastChanceTry(current, context2)) return Stream.of(new Value(context2, void 0));
    return shrinkBigInt(current, context2, false);
  }
  defaultTarget() {
    if (this.min <= 0 && this.max >= 0) return SBigInt2(0);
    return this.min < 0 ? this.max : this.min;
  }
  isLastChanceTry(current, context2) {
    if (current > 0) return current === context2 + SBigInt2(1) && current > this.min;
    if (current < 0) return current === context2 - SBigInt2(1) && current < this.max;
    return false;
  }
  static isValidContext(current, context2) {
    if (context2 === void 0) return false;
    if (typeof context2 !== "bigint") throw new Error(`Invalid context type passed to BigIntArbitrary (#1)`);
    const differentSigns = current > 0 && context2 < 0 || current < 0 && context2 > 0;
    if (context2 !== SBigInt2(0) && differentSigns) throw new Error(`Invalid context value passed to BigIntArbitrary (#2)`);
    return true;
  }
};
function buildCompleteBigIntConstraints(constraints) {
  const DefaultMin = SBigInt2(-1) << SBigInt2(255);
  const DefaultMax = (SBigInt2(1) << SBigInt2(255)) - SBigInt2(1);
  const min3 = constraints.min;
  const max3 = constraints.max;
  return {
    min: min3 !== void 0 ? min3 : DefaultMin - (max3 !== void 0 && max3 < SBigInt2(0) ? max3 * max3 : SBigInt2(0)),
    max: max3 !== void 0 ? max3 : DefaultMax + (min3 !== void 0 && min3 > SBigInt2(0) ? min3 * min3 : SBigInt2(0))
  };
}
function extractBigIntConstraints(args) {
  if (args[0] === void 0) return {};
  if (args[1] === void 0) return args[0];
  return {
    min: args[0],
    max: args[1]
  };
}
function bigInt(...args) {
  const constraints = buildCompleteBigIntConstraints(extractBigIntConstraints(args));
  if (constraints.min > constraints.max) throw new Error("fc.bigInt expects max to be greater than or equal to min");
  return new BigIntArbitrary(constraints.min, constraints.max);
}
var stableObjectGetPrototypeOf$1 = Object.getPrototypeOf;
var NoBiasArbitrary = class extends Arbitrary {
  constructor(arb) {
    super();
    this.arb = arb;
  }
  generate(mrng, _biasFactor) {
    return this.arb.generate(mrng, void 0);
  }
  canShrinkWithoutContext(value) {
    return this.arb.canShrinkWithoutContext(value);
  }
  shrink(value, context2) {
    return this.arb.shrink(value, context2);
  }
};
function noBias(arb) {
  if (stableObjectGetPrototypeOf$1(arb) === NoBiasArbitrary.prototype && arb.generate === NoBiasArbitrary.prototype.generate && arb.canShrinkWithoutContext === NoBiasArbitrary.prototype.canShrinkWithoutContext && arb.shrink === NoBiasArbitrary.prototype.shrink) return arb;
  return new NoBiasArbitrary(arb);
}
function booleanMapper(v) {
  return v === 1;
}
function booleanUnmapper(v) {
  if (typeof v !== "boolean") throw new Error("Unsupported input type");
  return v === true ? 1 : 0;
}
function boolean() {
  return noBias(integer({
    min: 0,
    max: 1
  }).map(booleanMapper, booleanUnmapper));
}
var safeObjectIs$5 = Object.is;
var FastConstantValuesLookup = class {
  constructor(values) {
    this.values = values;
    this.fastValues = new SSet(this.values);
    let hasMinusZero = false;
    let hasPlusZero = false;
    if (safeHas(this.fastValues, 0)) for (let idx = 0; idx !== this.values.length; ++idx) {
      const value = this.values[idx];
      hasMinusZero = hasMinusZero || safeObjectIs$5(value, -0);
      hasPlusZero = hasPlusZero || safeObjectIs$5(value, 0);
    }
    this.hasMinusZero = hasMinusZero;
    this.hasPlusZero = hasPlusZero;
  }
  has(value) {
    if (value === 0) {
      if (safeObjectIs$5(value, 0)) return this.hasPlusZero;
      return this.hasMinusZero;
    }
    return safeHas(this.fastValues, value);
  }
};
var ConstantArbitrary = class extends Arbitrary {
  constructor(values) {
    super();
    this.values = values;
  }
  generate(mrng, _biasFactor) {
    const idx = this.values.length === 1 ? 0 : mrng.nextInt(0, this.values.length - 1);
    const value = this.values[idx];
    if (!hasCloneMethod(value)) return new Value(value, idx);
    return new Value(value, idx, () => value[cloneMethod]());
  }
  canShrinkWithoutContext(value) {
    if (this.values.length === 1) return safeObjectIs$5(this.values[0], value);
    if (this.fastValues === void 0) this.fastValues = new FastConstantValuesLookup(this.values);
    return this.fastValues.has(value);
  }
  shrink(value, context2) {
    if (context2 === 0 || safeObjectIs$5(value, this.values[0])) return Stream.nil();
    return Stream.of(new Value(this.values[0], 0));
  }
};
function constantFrom(...values) {
  if (values.length === 0) throw new Error("fc.constantFrom expects at least one parameter");
  return new ConstantArbitrary(values);
}
function falsy(constraints) {
  if (!constraints || !constraints.withBigInt) return constantFrom(false, null, void 0, 0, "", NaN);
  return constantFrom(false, null, void 0, 0, "", NaN, SBigInt2(0));
}
function constant2(value) {
  return new ConstantArbitrary([value]);
}
var ContextImplem = class ContextImplem2 {
  constructor() {
    this.receivedLogs = [];
  }
  log(data) {
    this.receivedLogs.push(data);
  }
  size() {
    return this.receivedLogs.length;
  }
  toString() {
    return JSON.stringify({ logs: this.receivedLogs });
  }
  [cloneMethod]() {
    return new ContextImplem2();
  }
};
function context() {
  return constant2(new ContextImplem());
}
var safeNaN$2 = NaN;
var safeNumberIsNaN$4 = Number.isNaN;
function timeToDateMapper(time) {
  return new SDate(time);
}
function timeToDateUnmapper(value) {
  if (!(value instanceof SDate) || value.constructor !== SDate) throw new SError("Not a valid value for date unmapper");
  return safeGetTime(value);
}
function timeToDateMapperWithNaN(valueForNaN) {
  return (time) => {
    return time === valueForNaN ? new SDate(safeNaN$2) : timeToDateMapper(time);
  };
}
function timeToDateUnmapperWithNaN(valueForNaN) {
  return (value) => {
    const time = timeToDateUnmapper(value);
    return safeNumberIsNaN$4(time) ? valueForNaN : time;
  };
}
var safeNumberIsNaN$3 = Number.isNaN;
function date(constraints = {}) {
  const intMin = constraints.min !== void 0 ? safeGetTime(constraints.min) : -864e13;
  const intMax = constraints.max !== void 0 ? safeGetTime(constraints.max) : 864e13;
  const noInvalidDate = constraints.noInvalidDate;
  if (safeNumberIsNaN$3(intMin)) throw new Error("fc.date min must be valid instance of Date");
  if (safeNumberIsNaN$3(intMax)) throw new Error("fc.date max must be valid instance of Date");
  if (intMin > intMax) throw new Error("fc.date max must be greater or equal to min");
  if (noInvalidDate) return integer({
    min: intMin,
    max: intMax
  }).map(timeToDateMapper, timeToDateUnmapper);
  const valueForNaN = intMax + 1;
  return integer({
    min: intMin,
    max: intMax + 1
  }).map(timeToDateMapperWithNaN(valueForNaN), timeToDateUnmapperWithNaN(valueForNaN));
}
var ChainUntilArbitrary = class extends Arbitrary {
  constructor(startArb, chainer) {
    super();
    this.startArb = startArb;
    this.chainer = chainer;
  }
  generate(mrng, biasFactor) {
    const entries = [];
    const clonedMrng = mrng.clone();
    let current = this.startArb.generate(mrng, biasFactor);
    entries.push({
      arbitrary: this.startArb,
      value: current.value_,
      context: current.context,
      clonedMrng
    });
    while (true) {
      const nextArb = this.chainer(current.value_);
      if (nextArb === void 0) break;
      const nextClonedMrng = mrng.clone();
      current = nextArb.generate(mrng, biasFactor);
      entries.push({
        arbitrary: nextArb,
        value: current.value_,
        context: current.context,
        clonedMrng: nextClonedMrng
      });
    }
    const ctx = {
      biasFactor,
      entries,
      currentShrinkLevel: 0
    };
    return new Value(current.value_, ctx);
  }
  canShrinkWithoutContext(_value) {
    return false;
  }
  shrink(value, context2) {
    if (!this.isSafeContext(context2)) return Stream.nil();
    return new Stream(this.shrinkIterator(context2));
  }
  *shrinkIterator(context2) {
    const { entries, currentShrinkLevel, biasFactor } = context2;
    for (let level = currentShrinkLevel; level < entries.length; ++level) {
      const entry = entries[level];
      const shrinks = entry.arbitrary.shrink(entry.value, entry.context);
      for (const shrunkValue of shrinks) {
        const newEntries = entries.slice(0, level);
        newEntries.push({
          arbitrary: entry.arbitrary,
          value: shrunkValue.value_,
          context: shrunkValue.context,
          clonedMrng: entry.clonedMrng
        });
        let current = shrunkValue;
        const mrng = entry.clonedMrng.clone();
        while (true) {
          const nextArb = this.chainer(current.value_);
          if (nextArb === void 0) break;
          const nextClonedMrng = mrng.clone();
          const next = nextArb.generate(mrng, biasFactor);
          newEntries.push({
            arbitrary: nextArb,
            value: next.value_,
            context: next.context,
            clonedMrng: nextClonedMrng
          });
          current = next;
        }
        const lastEntry = newEntries[newEntries.length - 1];
        const newContext = {
          biasFactor,
          entries: newEntries,
          currentShrinkLevel: level
        };
        yield new Value(lastEntry.value, newContext);
      }
    }
  }
  isSafeContext(context2) {
    return context2 !== null && context2 !== void 0 && typeof context2 === "object" && "biasFactor" in context2 && "entries" in context2 && "currentShrinkLevel" in context2;
  }
};
function chainUntil(startArb, chainer) {
  return new ChainUntilArbitrary(startArb, chainer);
}
var safeSymbolIterator = Symbol.iterator;
var safeIsArray = Array.isArray;
var safeObjectIs$4 = Object.is;
var CloneArbitrary = class CloneArbitrary2 extends Arbitrary {
  constructor(arb, numValues) {
    super();
    this.arb = arb;
    this.numValues = numValues;
  }
  generate(mrng, biasFactor) {
    const items2 = [];
    if (this.numValues <= 0) return this.wrapper(items2);
    for (let idx = 0; idx !== this.numValues - 1; ++idx) safePush(items2, this.arb.generate(mrng.clone(), biasFactor));
    safePush(items2, this.arb.generate(mrng, biasFactor));
    return this.wrapper(items2);
  }
  canShrinkWithoutContext(value) {
    if (!safeIsArray(value) || value.length !== this.numValues) return false;
    if (value.length === 0) return true;
    for (let index2 = 1; index2 < value.length; ++index2) if (!safeObjectIs$4(value[0], value[index2])) return false;
    return this.arb.canShrinkWithoutContext(value[0]);
  }
  shrink(value, context2) {
    if (value.length === 0) return Stream.nil();
    return new Stream(this.shrinkImpl(value, context2 !== void 0 ? context2 : [])).map((v) => this.wrapper(v));
  }
  *shrinkImpl(value, contexts) {
    const its = safeMap(value, (v, idx) => this.arb.shrink(v, contexts[idx])[safeSymbolIterator]());
    let cur = safeMap(its, (it) => it.next());
    while (!cur[0].done) {
      yield safeMap(cur, (c2) => c2.value);
      cur = safeMap(its, (it) => it.next());
    }
  }
  static makeItCloneable(vs, shrinkables) {
    vs[cloneMethod] = () => {
      const cloned = [];
      for (let idx = 0; idx !== shrinkables.length; ++idx) safePush(cloned, shrinkables[idx].value);
      this.makeItCloneable(cloned, shrinkables);
      return cloned;
    };
    return vs;
  }
  wrapper(items2) {
    let cloneable = false;
    const vs = [];
    const contexts = [];
    for (let idx = 0; idx !== items2.length; ++idx) {
      const s = items2[idx];
      cloneable = cloneable || s.hasToBeCloned;
      safePush(vs, s.value);
      safePush(contexts, s.context);
    }
    if (cloneable) CloneArbitrary2.makeItCloneable(vs, items2);
    return new Value(vs, contexts);
  }
};
function clone(arb, numValues) {
  return new CloneArbitrary(arb, numValues);
}
var CustomEqualSet = class {
  constructor(isEqual) {
    this.isEqual = isEqual;
    this.data = [];
  }
  tryAdd(value) {
    for (let idx = 0; idx !== this.data.length; ++idx) if (this.isEqual(this.data[idx], value)) return false;
    safePush(this.data, value);
    return true;
  }
  size() {
    return this.data.length;
  }
  getData() {
    return this.data;
  }
};
var safeNumberIsNaN$2 = Number.isNaN;
var StrictlyEqualSet = class {
  constructor(selector) {
    this.selector = selector;
    this.selectedItemsExceptNaN = new SSet();
    this.data = [];
  }
  tryAdd(value) {
    const selected = this.selector(value);
    if (safeNumberIsNaN$2(selected)) {
      safePush(this.data, value);
      return true;
    }
    const sizeBefore = this.selectedItemsExceptNaN.size;
    safeAdd(this.selectedItemsExceptNaN, selected);
    if (sizeBefore !== this.selectedItemsExceptNaN.size) {
      safePush(this.data, value);
      return true;
    }
    return false;
  }
  size() {
    return this.data.length;
  }
  getData() {
    return this.data;
  }
};
var safeObjectIs$3 = Object.is;
var SameValueSet = class {
  constructor(selector) {
    this.selector = selector;
    this.selectedItemsExceptMinusZero = new SSet();
    this.data = [];
    this.hasMinusZero = false;
  }
  tryAdd(value) {
    const selected = this.selector(value);
    if (safeObjectIs$3(selected, -0)) {
      if (this.hasMinusZero) return false;
      safePush(this.data, value);
      this.hasMinusZero = true;
      return true;
    }
    const sizeBefore = this.selectedItemsExceptMinusZero.size;
    safeAdd(this.selectedItemsExceptMinusZero, selected);
    if (sizeBefore !== this.selectedItemsExceptMinusZero.size) {
      safePush(this.data, value);
      return true;
    }
    return false;
  }
  size() {
    return this.data.length;
  }
  getData() {
    return this.data;
  }
};
var SameValueZeroSet = class {
  constructor(selector) {
    this.selector = selector;
    this.selectedItems = new SSet();
    this.data = [];
  }
  tryAdd(value) {
    const selected = this.selector(value);
    const sizeBefore = this.selectedItems.size;
    safeAdd(this.selectedItems, selected);
    if (sizeBefore !== this.selectedItems.size) {
      safePush(this.data, value);
      return true;
    }
    return false;
  }
  size() {
    return this.data.length;
  }
  getData() {
    return this.data;
  }
};
function buildUniqueArraySetBuilder(constraints) {
  if (typeof constraints.comparator === "function") {
    if (constraints.selector === void 0) {
      const comparator2 = constraints.comparator;
      const isEqualForBuilder2 = (nextA, nextB) => comparator2(nextA.value_, nextB.value_);
      return () => new CustomEqualSet(isEqualForBuilder2);
    }
    const comparator = constraints.comparator;
    const selector2 = constraints.selector;
    const refinedSelector2 = (next) => selector2(next.value_);
    const isEqualForBuilder = (nextA, nextB) => comparator(refinedSelector2(nextA), refinedSelector2(nextB));
    return () => new CustomEqualSet(isEqualForBuilder);
  }
  const selector = constraints.selector || ((v) => v);
  const refinedSelector = (next) => selector(next.value_);
  switch (constraints.comparator) {
    case "IsStrictlyEqual":
      return () => new StrictlyEqualSet(refinedSelector);
    case "SameValueZero":
      return () => new SameValueZeroSet(refinedSelector);
    case "SameValue":
    case void 0:
      return () => new SameValueSet(refinedSelector);
  }
}
function uniqueArray(arb, constraints = {}) {
  const minLength = constraints.minLength !== void 0 ? constraints.minLength : 0;
  const maxLength = constraints.maxLength !== void 0 ? constraints.maxLength : MaxLengthUpperBound;
  const maxGeneratedLength = maxGeneratedLengthFromSizeForArbitrary(constraints.size, minLength, maxLength, constraints.maxLength !== void 0);
  const depthIdentifier = constraints.depthIdentifier;
  const arrayArb = new ArrayArbitrary(arb, minLength, maxGeneratedLength, maxLength, depthIdentifier, buildUniqueArraySetBuilder(constraints), []);
  if (minLength === 0) return arrayArb;
  return arrayArb.filter((tab) => tab.length >= minLength);
}
var safeObjectCreate$5 = Object.create;
var safeObjectDefineProperty$2 = Object.defineProperty;
var safeObjectGetOwnPropertyDescriptor$2 = Object.getOwnPropertyDescriptor;
var safeObjectGetPrototypeOf$1 = Object.getPrototypeOf;
var safeObjectPrototype$1 = Object.prototype;
var safeReflectOwnKeys = Reflect.ownKeys;
function keyValuePairsToObjectMapper(definition) {
  const obj = definition[1] ? safeObjectCreate$5(null) : {};
  const keyValues = definition[0];
  for (let idx = 0; idx !== keyValues.length; ++idx) {
    const key = keyValues[idx][0];
    if (key === "__proto__") safeObjectDefineProperty$2(obj, key, {
      enumerable: true,
      configurable: true,
      writable: true,
      value: keyValues[idx][1]
    });
    else obj[key] = keyValues[idx][1];
  }
  return obj;
}
function isValidPropertyNameFilter(descriptor) {
  return descriptor !== void 0 && !!descriptor.configurable && !!descriptor.enumerable && !!descriptor.writable && descriptor.get === void 0 && descriptor.set === void 0;
}
function keyValuePairsToObjectUnmapper(value) {
  if (typeof value !== "object" || value === null) throw new SError("Incompatible instance received: should be a non-null object");
  const hasNullPrototype = safeObjectGetPrototypeOf$1(value) === null;
  const hasObjectPrototype = safeObjectGetPrototypeOf$1(value) === safeObjectPrototype$1;
  if (!hasNullPrototype && !hasObjectPrototype) throw new SError("Incompatible instance received: should be of exact type Object");
  const propertyDescriptors = safeMap(safeReflectOwnKeys(value), (key) => [key, safeObjectGetOwnPropertyDescriptor$2(value, key)]);
  if (!safeEvery(propertyDescriptors, ([, descriptor]) => isValidPropertyNameFilter(descriptor))) throw new SError("Incompatible instance received: should contain only c/e/w properties without get/set");
  return [safeMap(propertyDescriptors, ([key, descriptor]) => [key, descriptor.value]), hasNullPrototype];
}
function dictionaryKeyExtractor(entry) {
  return entry[0];
}
function dictionary(keyArb, valueArb, constraints = {}) {
  const noNullPrototype = !!constraints.noNullPrototype;
  return tuple(uniqueArray(tuple(keyArb, valueArb), {
    minLength: constraints.minKeys,
    maxLength: constraints.maxKeys,
    size: constraints.size,
    selector: dictionaryKeyExtractor,
    depthIdentifier: constraints.depthIdentifier
  }), noNullPrototype ? constant2(false) : boolean()).map(keyValuePairsToObjectMapper, keyValuePairsToObjectUnmapper);
}
var safePositiveInfinity$7 = Number.POSITIVE_INFINITY;
var safeMaxSafeInteger$2 = Number.MAX_SAFE_INTEGER;
var safeNumberIsInteger$4 = Number.isInteger;
var safeMathFloor$2 = Math.floor;
var safeMathPow = Math.pow;
var safeMathMin$3 = Math.min;
var FrequencyArbitrary = class FrequencyArbitrary2 extends Arbitrary {
  static from(warbs, constraints, label) {
    if (warbs.length === 0) throw new Error(`${label} expects at least one weighted arbitrary`);
    let totalWeight = 0;
    for (let idx = 0; idx !== warbs.length; ++idx) {
      if (warbs[idx].arbitrary === void 0) throw new Error(`${label} expects arbitraries to be specified`);
      const currentWeight = warbs[idx].weight;
      totalWeight += currentWeight;
      if (!safeNumberIsInteger$4(currentWeight)) throw new Error(`${label} expects weights to be integer values`);
      if (currentWeight < 0) throw new Error(`${label} expects weights to be superior or equal to 0`);
    }
    if (totalWeight <= 0) throw new Error(`${label} expects the sum of weights to be strictly superior to 0`);
    const sanitizedConstraints = {
      depthBias: depthBiasFromSizeForArbitrary(constraints.depthSize, constraints.maxDepth !== void 0),
      maxDepth: constraints.maxDepth !== void 0 ? constraints.maxDepth : safePositiveInfinity$7,
      withCrossShrink: !!constraints.withCrossShrink
    };
    return new FrequencyArbitrary2(warbs, sanitizedConstraints, getDepthContextFor(constraints.depthIdentifier));
  }
  constructor(warbs, constraints, context2) {
    super();
    this.warbs = warbs;
    this.constraints = constraints;
    this.context = context2;
    let currentWeight = 0;
    this.cumulatedWeights = [];
    for (let idx = 0; idx !== warbs.length; ++idx) {
      currentWeight += warbs[idx].weight;
      safePush(this.cumulatedWeights, currentWeight);
    }
    this.totalWeight = currentWeight;
  }
  generate(mrng, biasFactor) {
    if (this.mustGenerateFirst()) return this.safeGenerateForIndex(mrng, 0, biasFactor);
    const selected = mrng.nextInt(this.computeNegDepthBenefit(), this.totalWeight - 1);
    for (let idx = 0; idx !== this.cumulatedWeights.length; ++idx) if (selected < this.cumulatedWeights[idx]) return this.safeGenerateForIndex(mrng, idx, biasFactor);
    throw new Error(`Unable to generate from fc.frequency`);
  }
  canShrinkWithoutContext(value) {
    return this.canShrinkWithoutContextIndex(value) !== -1;
  }
  shrink(value, context2) {
    if (context2 !== void 0) {
      const safeContext = context2;
      const selectedIndex = safeContext.selectedIndex;
      const originalBias = safeContext.originalBias;
      const originalShrinks = this.warbs[selectedIndex].arbitrary.shrink(value, safeContext.originalContext).map((v) => this.mapIntoValue(selectedIndex, v, null, originalBias));
      if (safeContext.clonedMrngForFallbackFirst !== null) {
        if (safeContext.cachedGeneratedForFirst === void 0) safeContext.cachedGeneratedForFirst = this.safeGenerateForIndex(safeContext.clonedMrngForFallbackFirst, 0, originalBias);
        const valueFromFirst = safeContext.cachedGeneratedForFirst;
        return Stream.of(valueFromFirst).join(originalShrinks);
      }
      return originalShrinks;
    }
    const potentialSelectedIndex = this.canShrinkWithoutContextIndex(value);
    if (potentialSelectedIndex === -1) return Stream.nil();
    return this.defaultShrinkForFirst(potentialSelectedIndex).join(this.warbs[potentialSelectedIndex].arbitrary.shrink(value, void 0).map((v) => this.mapIntoValue(potentialSelectedIndex, v, null, void 0)));
  }
  /** Generate shrink values for first arbitrary when no context and no value was provided */
  defaultShrinkForFirst(selectedIndex) {
    ++this.context.depth;
    try {
      if (!this.mustFallbackToFirstInShrink(selectedIndex) || this.warbs[0].fallbackValue === void 0) return Stream.nil();
    } finally {
      --this.context.depth;
    }
    const rawShrinkValue = new Value(this.warbs[0].fallbackValue.default, void 0);
    return Stream.of(this.mapIntoValue(0, rawShrinkValue, null, void 0));
  }
  /** Extract the index of the generator that would have been able to gennrate the value */
  canShrinkWithoutContextIndex(value) {
    if (this.mustGenerateFirst()) return this.warbs[0].arbitrary.canShrinkWithoutContext(value) ? 0 : -1;
    try {
      ++this.context.depth;
      for (let idx = 0; idx !== this.warbs.length; ++idx) {
        const warb = this.warbs[idx];
        if (warb.weight !== 0 && warb.arbitrary.canShrinkWithoutContext(value)) return idx;
      }
      return -1;
    } finally {
      --this.context.depth;
    }
  }
  /** Map the output of one of the children with the context of frequency */
  mapIntoValue(idx, value, clonedMrngForFallbackFirst, biasFactor) {
    const context2 = {
      selectedIndex: idx,
      originalBias: biasFactor,
      originalContext: value.context,
      clonedMrngForFallbackFirst
    };
    return new Value(value.value, context2);
  }
  /** Generate using Arbitrary at index idx and safely handle depth context */
  safeGenerateForIndex(mrng, idx, biasFactor) {
    ++this.context.depth;
    try {
      const value = this.warbs[idx].arbitrary.generate(mrng, biasFactor);
      const clonedMrngForFallbackFirst = this.mustFallbackToFirstInShrink(idx) ? mrng.clone() : null;
      return this.mapIntoValue(idx, value, clonedMrngForFallbackFirst, biasFactor);
    } finally {
      --this.context.depth;
    }
  }
  /** Check if generating a value based on the first arbitrary is compulsory */
  mustGenerateFirst() {
    return this.constraints.maxDepth <= this.context.depth;
  }
  /** Check if fallback on first arbitrary during shrinking is required */
  mustFallbackToFirstInShrink(idx) {
    return idx !== 0 && this.constraints.withCrossShrink && this.warbs[0].weight !== 0;
  }
  /** Compute the benefit for the current depth */
  computeNegDepthBenefit() {
    const depthBias = this.constraints.depthBias;
    if (depthBias <= 0 || this.warbs[0].weight === 0) return 0;
    const depthBenefit = safeMathFloor$2(safeMathPow(1 + depthBias, this.context.depth)) - 1;
    return -safeMathMin$3(this.totalWeight * depthBenefit, safeMaxSafeInteger$2) || 0;
  }
};
function isOneOfContraints(param) {
  return param !== null && param !== void 0 && typeof param === "object" && !("generate" in param) && !("arbitrary" in param) && !("weight" in param);
}
function toWeightedArbitrary(maybeWeightedArbitrary) {
  if (isArbitrary(maybeWeightedArbitrary)) return {
    arbitrary: maybeWeightedArbitrary,
    weight: 1
  };
  return maybeWeightedArbitrary;
}
function oneof(...args) {
  const constraints = args[0];
  if (isOneOfContraints(constraints)) {
    const weightedArbs2 = safeMap(safeSlice(args, 1), toWeightedArbitrary);
    return FrequencyArbitrary.from(weightedArbs2, constraints, "fc.oneof");
  }
  const weightedArbs = safeMap(args, toWeightedArbitrary);
  return FrequencyArbitrary.from(weightedArbs, {}, "fc.oneof");
}
var safeNumberIsInteger$3 = Number.isInteger;
function nat(arg) {
  const max3 = typeof arg === "number" ? arg : arg && arg.max !== void 0 ? arg.max : 2147483647;
  if (max3 < 0) throw new Error("fc.nat value should be greater than or equal to 0");
  if (!safeNumberIsInteger$3(max3)) throw new Error("fc.nat maximum value should be an integer");
  return new IntegerArbitrary(0, max3);
}
var safeObjectIs$2 = Object.is;
function buildDichotomyEntries(entries) {
  let currentFrom = 0;
  const dichotomyEntries = [];
  for (const entry of entries) {
    const from = currentFrom;
    currentFrom = from + entry.num;
    const to = currentFrom - 1;
    dichotomyEntries.push({
      from,
      to,
      entry
    });
  }
  return dichotomyEntries;
}
function findDichotomyEntry(dichotomyEntries, choiceIndex) {
  let min3 = 0;
  let max3 = dichotomyEntries.length;
  while (max3 - min3 > 1) {
    const mid = ~~((min3 + max3) / 2);
    if (choiceIndex < dichotomyEntries[mid].from) max3 = mid;
    else min3 = mid;
  }
  return dichotomyEntries[min3];
}
function indexToMappedConstantMapperFor(entries) {
  const dichotomyEntries = buildDichotomyEntries(entries);
  return function indexToMappedConstantMapper(choiceIndex) {
    const dichotomyEntry = findDichotomyEntry(dichotomyEntries, choiceIndex);
    return dichotomyEntry.entry.build(choiceIndex - dichotomyEntry.from);
  };
}
function buildReverseMapping(entries) {
  const reverseMapping = {
    mapping: new SMap$2(),
    negativeZeroIndex: void 0
  };
  let choiceIndex = 0;
  for (let entryIdx = 0; entryIdx !== entries.length; ++entryIdx) {
    const entry = entries[entryIdx];
    for (let idxInEntry = 0; idxInEntry !== entry.num; ++idxInEntry) {
      const value = entry.build(idxInEntry);
      if (value === 0 && 1 / value === SNumber.NEGATIVE_INFINITY) reverseMapping.negativeZeroIndex = choiceIndex;
      else safeMapSet(reverseMapping.mapping, value, choiceIndex);
      ++choiceIndex;
    }
  }
  return reverseMapping;
}
function indexToMappedConstantUnmapperFor(entries) {
  let reverseMapping = null;
  return function indexToMappedConstantUnmapper(value) {
    if (reverseMapping === null) reverseMapping = buildReverseMapping(entries);
    const choiceIndex = safeObjectIs$2(value, -0) ? reverseMapping.negativeZeroIndex : safeMapGet(reverseMapping.mapping, value);
    if (choiceIndex === void 0) throw new SError("Unknown value encountered cannot be built using this mapToConstant");
    return choiceIndex;
  };
}
function computeNumChoices(options) {
  if (options.length === 0) throw new SError(`fc.mapToConstant expects at least one option`);
  let numChoices = 0;
  for (let idx = 0; idx !== options.length; ++idx) {
    if (options[idx].num < 0) throw new SError(`fc.mapToConstant expects all options to have a number of entries greater or equal to zero`);
    numChoices += options[idx].num;
  }
  if (numChoices === 0) throw new SError(`fc.mapToConstant expects at least one choice among options`);
  return numChoices;
}
function mapToConstant(...entries) {
  return nat({ max: computeNumChoices(entries) - 1 }).map(indexToMappedConstantMapperFor(entries), indexToMappedConstantUnmapperFor(entries));
}
function tokenizeString(patternsArb, value, minLength, maxLength) {
  if (value.length === 0) {
    if (minLength > 0) return;
    return [];
  }
  if (maxLength <= 0) return;
  const stack = [{
    endIndexChunks: 0,
    nextStartIndex: 1,
    chunks: []
  }];
  while (stack.length > 0) {
    const last = safePop$1(stack);
    for (let index2 = last.nextStartIndex; index2 <= value.length; ++index2) {
      const chunk = safeSubstring(value, last.endIndexChunks, index2);
      if (patternsArb.canShrinkWithoutContext(chunk)) {
        const newChunks = [...last.chunks, chunk];
        if (index2 === value.length) {
          if (newChunks.length < minLength) break;
          return newChunks;
        }
        safePush(stack, {
          endIndexChunks: last.endIndexChunks,
          nextStartIndex: index2 + 1,
          chunks: last.chunks
        });
        if (newChunks.length < maxLength) safePush(stack, {
          endIndexChunks: index2,
          nextStartIndex: index2 + 1,
          chunks: newChunks
        });
        break;
      }
    }
  }
}
function patternsToStringMapper(tab) {
  return safeJoin(tab, "");
}
function minLengthFrom(constraints) {
  return constraints.minLength !== void 0 ? constraints.minLength : 0;
}
function maxLengthFrom(constraints) {
  return constraints.maxLength !== void 0 ? constraints.maxLength : MaxLengthUpperBound;
}
function patternsToStringUnmapperIsValidLength(tokens, constraints) {
  return minLengthFrom(constraints) <= tokens.length && tokens.length <= maxLengthFrom(constraints);
}
function patternsToStringUnmapperFor(patternsArb, constraints) {
  return function patternsToStringUnmapper(value) {
    if (typeof value !== "string") throw new SError("Unsupported value");
    const tokens = tokenizeString(patternsArb, value, minLengthFrom(constraints), maxLengthFrom(constraints));
    if (tokens === void 0) throw new SError("Unable to unmap received string");
    return tokens;
  };
}
var dangerousStrings = [
  "__defineGetter__",
  "__defineSetter__",
  "__lookupGetter__",
  "__lookupSetter__",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "isPrototypeOf",
  "propertyIsEnumerable",
  "toLocaleString",
  "toString",
  "valueOf",
  "apply",
  "arguments",
  "bind",
  "call",
  "caller",
  "length",
  "name",
  "prototype",
  "key",
  "ref"
];
function computeCandidateStringLegacy(dangerous, charArbitrary, stringSplitter) {
  let candidate;
  try {
    candidate = stringSplitter(dangerous);
  } catch {
    return;
  }
  for (const entry of candidate) if (!charArbitrary.canShrinkWithoutContext(entry)) return;
  return candidate;
}
function createSlicesForStringLegacy(charArbitrary, stringSplitter) {
  const slicesForString = [];
  for (const dangerous of dangerousStrings) {
    const candidate = computeCandidateStringLegacy(dangerous, charArbitrary, stringSplitter);
    if (candidate !== void 0) safePush(slicesForString, candidate);
  }
  return slicesForString;
}
var slicesPerArbitrary = /* @__PURE__ */ new WeakMap();
function createSlicesForStringNoConstraints(charArbitrary) {
  const slicesForString = [];
  for (const dangerous of dangerousStrings) {
    const candidate = tokenizeString(charArbitrary, dangerous, 0, MaxLengthUpperBound);
    if (candidate !== void 0) safePush(slicesForString, candidate);
  }
  return slicesForString;
}
function createSlicesForString(charArbitrary, constraints) {
  let slices = safeGet(slicesPerArbitrary, charArbitrary);
  if (slices === void 0) {
    slices = createSlicesForStringNoConstraints(charArbitrary);
    safeSet(slicesPerArbitrary, charArbitrary, slices);
  }
  const slicesForConstraints = [];
  for (const slice2 of slices) if (patternsToStringUnmapperIsValidLength(slice2, constraints)) safePush(slicesForConstraints, slice2);
  return slicesForConstraints;
}
var asciiAlphabetRanges = [[0, 127]];
var fullAlphabetRanges = [[0, 55295], [57344, 1114111]];
var autonomousGraphemeRanges = [
  [32, 126],
  [160, 172],
  [174, 767],
  [880, 887],
  [890, 895],
  [900, 906],
  [908],
  [910, 929],
  [931, 1154],
  [1162, 1327],
  [1329, 1366],
  [1369, 1418],
  [1421, 1423],
  [1470],
  [1472],
  [1475],
  [1478],
  [1488, 1514],
  [1519, 1524],
  [1542, 1551],
  [1563],
  [1565, 1610],
  [1632, 1647],
  [1649, 1749],
  [1758],
  [1765, 1766],
  [1769],
  [1774, 1805],
  [1808],
  [1810, 1839],
  [1869, 1957],
  [1969],
  [1984, 2026],
  [2036, 2042],
  [2046, 2069],
  [2074],
  [2084],
  [2088],
  [2096, 2110],
  [2112, 2136],
  [2142],
  [2144, 2154],
  [2160, 2190],
  [2208, 2249],
  [2308, 2361],
  [2365],
  [2384],
  [2392, 2401],
  [2404, 2432],
  [2437, 2444],
  [2447, 2448],
  [2451, 2472],
  [2474, 2480],
  [2482],
  [2486, 2489],
  [2493],
  [2510],
  [2524, 2525],
  [2527, 2529],
  [2534, 2557],
  [2565, 2570],
  [2575, 2576],
  [2579, 2600],
  [2602, 2608],
  [2610, 2611],
  [2613, 2614],
  [2616, 2617],
  [2649, 2652],
  [2654],
  [2662, 2671],
  [2674, 2676],
  [2678],
  [2693, 2701],
  [2703, 2705],
  [2707, 2728],
  [2730, 2736],
  [2738, 2739],
  [2741, 2745],
  [2749],
  [2768],
  [2784, 2785],
  [2790, 2801],
  [2809],
  [2821, 2828],
  [2831, 2832],
  [2835, 2856],
  [2858, 2864],
  [2866, 2867],
  [2869, 2873],
  [2877],
  [2908, 2909],
  [2911, 2913],
  [2918, 2935],
  [2947],
  [2949, 2954],
  [2958, 2960],
  [2962, 2965],
  [2969, 2970],
  [2972],
  [2974, 2975],
  [2979, 2980],
  [2984, 2986],
  [2990, 3001],
  [3024],
  [3046, 3066],
  [3077, 3084],
  [3086, 3088],
  [3090, 3112],
  [3114, 3129],
  [3133],
  [3160, 3162],
  [3165],
  [3168, 3169],
  [3174, 3183],
  [3191, 3200],
  [3204, 3212],
  [3214, 3216],
  [3218, 3240],
  [3242, 3251],
  [3253, 3257],
  [3261],
  [3293, 3294],
  [3296, 3297],
  [3302, 3311],
  [3313, 3314],
  [3332, 3340],
  [3342, 3344],
  [3346, 3386],
  [3389],
  [3407],
  [3412, 3414],
  [3416, 3425],
  [3430, 3455],
  [3461, 3478],
  [3482, 3505],
  [3507, 3515],
  [3517],
  [3520, 3526],
  [3558, 3567],
  [3572],
  [3585, 3632],
  [3634],
  [3647, 3654],
  [3663, 3675],
  [3713, 3714],
  [3716],
  [3718, 3722],
  [3724, 3747],
  [3749],
  [3751, 3760],
  [3762],
  [3773],
  [3776, 3780],
  [3782],
  [3792, 3801],
  [3804, 3807],
  [3840, 3863],
  [3866, 3892],
  [3894],
  [3896],
  [3898, 3901],
  [3904, 3911],
  [3913, 3948],
  [3973],
  [3976, 3980],
  [4030, 4037],
  [4039, 4044],
  [4046, 4058],
  [4096, 4138],
  [4159, 4181],
  [4186, 4189],
  [4193],
  [4197, 4198],
  [4206, 4208],
  [4213, 4225],
  [4238],
  [4240, 4249],
  [4254, 4293],
  [4295],
  [4301],
  [4304, 4351],
  [4608, 4680],
  [4682, 4685],
  [4688, 4694],
  [4696],
  [4698, 4701],
  [4704, 4744],
  [4746, 4749],
  [4752, 4784],
  [4786, 4789],
  [4792, 4798],
  [4800],
  [4802, 4805],
  [4808, 4822],
  [4824, 4880],
  [4882, 4885],
  [4888, 4954],
  [4960, 4988],
  [4992, 5017],
  [5024, 5109],
  [5112, 5117],
  [5120, 5788],
  [5792, 5880],
  [5888, 5905],
  [5919, 5937],
  [5941, 5942],
  [5952, 5969],
  [5984, 5996],
  [5998, 6e3],
  [6016, 6067],
  [6100, 6108],
  [6112, 6121],
  [6128, 6137],
  [6144, 6154],
  [6160, 6169],
  [6176, 6264],
  [6272, 6276],
  [6279, 6312],
  [6314],
  [6320, 6389],
  [6400, 6430],
  [6464],
  [6468, 6509],
  [6512, 6516],
  [6528, 6571],
  [6576, 6601],
  [6608, 6618],
  [6622, 6678],
  [6686, 6740],
  [6784, 6793],
  [6800, 6809],
  [6816, 6829],
  [6917, 6963],
  [6981, 6988],
  [6992, 7018],
  [7028, 7038],
  [7043, 7072],
  [7086, 7141],
  [7164, 7203],
  [7227, 7241],
  [7245, 7304],
  [7312, 7354],
  [7357, 7367],
  [7379],
  [7401, 7404],
  [7406, 7411],
  [7413, 7414],
  [7418],
  [7424, 7615],
  [7680, 7957],
  [7960, 7965],
  [7968, 8005],
  [8008, 8013],
  [8016, 8023],
  [8025],
  [8027],
  [8029],
  [8031, 8061],
  [8064, 8116],
  [8118, 8132],
  [8134, 8147],
  [8150, 8155],
  [8157, 8175],
  [8178, 8180],
  [8182, 8190],
  [8192, 8202],
  [8208, 8233],
  [8239, 8287],
  [8304, 8305],
  [8308, 8334],
  [8336, 8348],
  [8352, 8384],
  [8448, 8587],
  [8592, 9254],
  [9280, 9290],
  [9312, 11123],
  [11126, 11157],
  [11159, 11502],
  [11506, 11507],
  [11513, 11557],
  [11559],
  [11565],
  [11568, 11623],
  [11631, 11632],
  [11648, 11670],
  [11680, 11686],
  [11688, 11694],
  [11696, 11702],
  [11704, 11710],
  [11712, 11718],
  [11720, 11726],
  [11728, 11734],
  [11736, 11742],
  [11776, 11869],
  [11904, 11929],
  [11931, 12019],
  [12032, 12245],
  [12272, 12329],
  [12336, 12351],
  [12353, 12438],
  [12443, 12543],
  [12549, 12591],
  [12593, 12686],
  [12688, 12771],
  [12783, 12830],
  [12832, 13312],
  [19903, 19968],
  [40959, 42124],
  [42128, 42182],
  [42192, 42539],
  [42560, 42606],
  [42611],
  [42622, 42653],
  [42656, 42735],
  [42738, 42743],
  [42752, 42954],
  [42960, 42961],
  [42963],
  [42965, 42969],
  [42994, 43009],
  [43011, 43013],
  [43015, 43018],
  [43020, 43042],
  [43048, 43051],
  [43056, 43065],
  [43072, 43127],
  [43138, 43187],
  [43214, 43225],
  [43250, 43262],
  [43264, 43301],
  [43310, 43334],
  [43359],
  [43396, 43442],
  [43457, 43469],
  [43471, 43481],
  [43486, 43492],
  [43494, 43518],
  [43520, 43560],
  [43584, 43586],
  [43588, 43595],
  [43600, 43609],
  [43612, 43642],
  [43646, 43695],
  [43697],
  [43701, 43702],
  [43705, 43709],
  [43712],
  [43714],
  [43739, 43754],
  [43760, 43764],
  [43777, 43782],
  [43785, 43790],
  [43793, 43798],
  [43808, 43814],
  [43816, 43822],
  [43824, 43883],
  [43888, 44002],
  [44011],
  [44016, 44025],
  [44032],
  [55203],
  [63744, 64109],
  [64112, 64217],
  [64256, 64262],
  [64275, 64279],
  [64285],
  [64287, 64310],
  [64312, 64316],
  [64318],
  [64320, 64321],
  [64323, 64324],
  [64326, 64450],
  [64467, 64911],
  [64914, 64967],
  [64975],
  [65008, 65023],
  [65040, 65049],
  [65072, 65106],
  [65108, 65126],
  [65128, 65131],
  [65136, 65140],
  [65142, 65276],
  [65281, 65437],
  [65440, 65470],
  [65474, 65479],
  [65482, 65487],
  [65490, 65495],
  [65498, 65500],
  [65504, 65510],
  [65512, 65518],
  [65532, 65533],
  [65536, 65547],
  [65549, 65574],
  [65576, 65594],
  [65596, 65597],
  [65599, 65613],
  [65616, 65629],
  [65664, 65786],
  [65792, 65794],
  [65799, 65843],
  [65847, 65934],
  [65936, 65948],
  [65952],
  [66e3, 66044],
  [66176, 66204],
  [66208, 66256],
  [66273, 66299],
  [66304, 66339],
  [66349, 66378],
  [66384, 66421],
  [66432, 66461],
  [66463, 66499],
  [66504, 66517],
  [66560, 66717],
  [66720, 66729],
  [66736, 66771],
  [66776, 66811],
  [66816, 66855],
  [66864, 66915],
  [66927, 66938],
  [66940, 66954],
  [66956, 66962],
  [66964, 66965],
  [66967, 66977],
  [66979, 66993],
  [66995, 67001],
  [67003, 67004],
  [67072, 67382],
  [67392, 67413],
  [67424, 67431],
  [67456, 67461],
  [67463, 67504],
  [67506, 67514],
  [67584, 67589],
  [67592],
  [67594, 67637],
  [67639, 67640],
  [67644],
  [67647, 67669],
  [67671, 67742],
  [67751, 67759],
  [67808, 67826],
  [67828, 67829],
  [67835, 67867],
  [67871, 67897],
  [67903],
  [67968, 68023],
  [68028, 68047],
  [68050, 68096],
  [68112, 68115],
  [68117, 68119],
  [68121, 68149],
  [68160, 68168],
  [68176, 68184],
  [68192, 68255],
  [68288, 68324],
  [68331, 68342],
  [68352, 68405],
  [68409, 68437],
  [68440, 68466],
  [68472, 68497],
  [68505, 68508],
  [68521, 68527],
  [68608, 68680],
  [68736, 68786],
  [68800, 68850],
  [68858, 68899],
  [68912, 68921],
  [69216, 69246],
  [69248, 69289],
  [69293],
  [69296, 69297],
  [69376, 69415],
  [69424, 69445],
  [69457, 69465],
  [69488, 69505],
  [69510, 69513],
  [69552, 69579],
  [69600, 69622],
  [69635, 69687],
  [69703, 69709],
  [69714, 69743],
  [69745, 69746],
  [69749],
  [69763, 69807],
  [69819, 69820],
  [69822, 69825],
  [69840, 69864],
  [69872, 69881],
  [69891, 69926],
  [69942, 69956],
  [69959],
  [69968, 70002],
  [70004, 70006],
  [70019, 70066],
  [70081],
  [70084, 70088],
  [70093],
  [70096, 70111],
  [70113, 70132],
  [70144, 70161],
  [70163, 70187],
  [70200, 70205],
  [70207, 70208],
  [70272, 70278],
  [70280],
  [70282, 70285],
  [70287, 70301],
  [70303, 70313],
  [70320, 70366],
  [70384, 70393],
  [70405, 70412],
  [70415, 70416],
  [70419, 70440],
  [70442, 70448],
  [70450, 70451],
  [70453, 70457],
  [70461],
  [70480],
  [70493, 70497],
  [70656, 70708],
  [70727, 70747],
  [70749],
  [70751, 70753],
  [70784, 70831],
  [70852, 70855],
  [70864, 70873],
  [71040, 71086],
  [71105, 71131],
  [71168, 71215],
  [71233, 71236],
  [71248, 71257],
  [71264, 71276],
  [71296, 71338],
  [71352, 71353],
  [71360, 71369],
  [71424, 71450],
  [71472, 71494],
  [71680, 71723],
  [71739],
  [71840, 71922],
  [71935, 71942],
  [71945],
  [71948, 71955],
  [71957, 71958],
  [71960, 71983],
  [72004, 72006],
  [72016, 72025],
  [72096, 72103],
  [72106, 72144],
  [72161, 72163],
  [72192],
  [72203, 72242],
  [72255, 72262],
  [72272],
  [72284, 72323],
  [72346, 72354],
  [72368, 72440],
  [72448, 72457],
  [72704, 72712],
  [72714, 72750],
  [72768, 72773],
  [72784, 72812],
  [72816, 72847],
  [72960, 72966],
  [72968, 72969],
  [72971, 73008],
  [73040, 73049],
  [73056, 73061],
  [73063, 73064],
  [73066, 73097],
  [73112],
  [73120, 73129],
  [73440, 73458],
  [73463, 73464],
  [73476, 73488],
  [73490, 73523],
  [73539, 73561],
  [73648],
  [73664, 73713],
  [73727, 74649],
  [74752, 74862],
  [74864, 74868],
  [74880, 75075],
  [77712, 77810],
  [77824, 78895],
  [78913, 78918],
  [82944, 83526],
  [92160, 92728],
  [92736, 92766],
  [92768, 92777],
  [92782, 92862],
  [92864, 92873],
  [92880, 92909],
  [92917],
  [92928, 92975],
  [92983, 92997],
  [93008, 93017],
  [93019, 93025],
  [93027, 93047],
  [93053, 93071],
  [93760, 93850],
  [93952, 94026],
  [94032],
  [94099, 94111],
  [94176, 94179],
  [94208],
  [100343],
  [100352, 101589],
  [101632],
  [101640],
  [110576, 110579],
  [110581, 110587],
  [110589, 110590],
  [110592, 110882],
  [110898],
  [110928, 110930],
  [110933],
  [110948, 110951],
  [110960, 111355],
  [113664, 113770],
  [113776, 113788],
  [113792, 113800],
  [113808, 113817],
  [113820],
  [113823],
  [118608, 118723],
  [118784, 119029],
  [119040, 119078],
  [119081, 119140],
  [119146, 119148],
  [119171, 119172],
  [119180, 119209],
  [119214, 119274],
  [119296, 119361],
  [119365],
  [119488, 119507],
  [119520, 119539],
  [119552, 119638],
  [119648, 119672],
  [119808, 119892],
  [119894, 119964],
  [119966, 119967],
  [119970],
  [119973, 119974],
  [119977, 119980],
  [119982, 119993],
  [119995],
  [119997, 120003],
  [120005, 120069],
  [120071, 120074],
  [120077, 120084],
  [120086, 120092],
  [120094, 120121],
  [120123, 120126],
  [120128, 120132],
  [120134],
  [120138, 120144],
  [120146, 120485],
  [120488, 120779],
  [120782, 121343],
  [121399, 121402],
  [121453, 121460],
  [121462, 121475],
  [121477, 121483],
  [122624, 122654],
  [122661, 122666],
  [122928, 122989],
  [123136, 123180],
  [123191, 123197],
  [123200, 123209],
  [123214, 123215],
  [123536, 123565],
  [123584, 123627],
  [123632, 123641],
  [123647],
  [124112, 124139],
  [124144, 124153],
  [124896, 124902],
  [124904, 124907],
  [124909, 124910],
  [124912, 124926],
  [124928, 125124],
  [125127, 125135],
  [125184, 125251],
  [125259],
  [125264, 125273],
  [125278, 125279],
  [126065, 126132],
  [126209, 126269],
  [126464, 126467],
  [126469, 126495],
  [126497, 126498],
  [126500],
  [126503],
  [126505, 126514],
  [126516, 126519],
  [126521],
  [126523],
  [126530],
  [126535],
  [126537],
  [126539],
  [126541, 126543],
  [126545, 126546],
  [126548],
  [126551],
  [126553],
  [126555],
  [126557],
  [126559],
  [126561, 126562],
  [126564],
  [126567, 126570],
  [126572, 126578],
  [126580, 126583],
  [126585, 126588],
  [126590],
  [126592, 126601],
  [126603, 126619],
  [126625, 126627],
  [126629, 126633],
  [126635, 126651],
  [126704, 126705],
  [126976, 127019],
  [127024, 127123],
  [127136, 127150],
  [127153, 127167],
  [127169, 127183],
  [127185, 127221],
  [127232, 127405],
  [127488, 127490],
  [127504, 127547],
  [127552, 127560],
  [127568, 127569],
  [127584, 127589],
  [127744, 127994],
  [128e3, 128727],
  [128732, 128748],
  [128752, 128764],
  [128768, 128886],
  [128891, 128985],
  [128992, 129003],
  [129008],
  [129024, 129035],
  [129040, 129095],
  [129104, 129113],
  [129120, 129159],
  [129168, 129197],
  [129200, 129201],
  [129280, 129619],
  [129632, 129645],
  [129648, 129660],
  [129664, 129672],
  [129680, 129725],
  [129727, 129733],
  [129742, 129755],
  [129760, 129768],
  [129776, 129784],
  [129792, 129938],
  [129940, 129994],
  [130032, 130041],
  [131072],
  [173791],
  [173824],
  [177977],
  [177984],
  [178205],
  [178208],
  [183969],
  [183984],
  [191456],
  [191472],
  [192093],
  [194560, 195101],
  [196608],
  [201546],
  [201552],
  [205743]
];
var autonomousDecomposableGraphemeRanges = [
  [192, 197],
  [199, 207],
  [209, 214],
  [217, 221],
  [224, 229],
  [231, 239],
  [241, 246],
  [249, 253],
  [255, 271],
  [274, 293],
  [296, 304],
  [308, 311],
  [313, 318],
  [323, 328],
  [332, 337],
  [340, 357],
  [360, 382],
  [416, 417],
  [431, 432],
  [461, 476],
  [478, 483],
  [486, 496],
  [500, 501],
  [504, 539],
  [542, 543],
  [550, 563],
  [901, 902],
  [904, 906],
  [908],
  [910, 912],
  [938, 944],
  [970, 974],
  [979, 980],
  [1024, 1025],
  [1027],
  [1031],
  [1036, 1038],
  [1049],
  [1081],
  [1104, 1105],
  [1107],
  [1111],
  [1116, 1118],
  [1142, 1143],
  [1217, 1218],
  [1232, 1235],
  [1238, 1239],
  [1242, 1247],
  [1250, 1255],
  [1258, 1269],
  [1272, 1273],
  [1570, 1574],
  [1728],
  [1730],
  [1747],
  [2345],
  [2353],
  [2356],
  [2392, 2399],
  [2524, 2525],
  [2527],
  [2611],
  [2614],
  [2649, 2651],
  [2654],
  [2908, 2909],
  [2964],
  [3907],
  [3917],
  [3922],
  [3927],
  [3932],
  [3945],
  [4134],
  [6918],
  [6920],
  [6922],
  [6924],
  [6926],
  [6930],
  [7680, 7833],
  [7835],
  [7840, 7929],
  [7936, 7957],
  [7960, 7965],
  [7968, 8005],
  [8008, 8013],
  [8016, 8023],
  [8025],
  [8027],
  [8029],
  [8031, 8048],
  [8050],
  [8052],
  [8054],
  [8056],
  [8058],
  [8060],
  [8064, 8116],
  [8118, 8122],
  [8124],
  [8129, 8132],
  [8134, 8136],
  [8138],
  [8140, 8146],
  [8150, 8154],
  [8157, 8162],
  [8164, 8170],
  [8172, 8173],
  [8178, 8180],
  [8182, 8184],
  [8186],
  [8188],
  [8602, 8603],
  [8622],
  [8653, 8655],
  [8708],
  [8713],
  [8716],
  [8740],
  [8742],
  [8769],
  [8772],
  [8775],
  [8777],
  [8800],
  [8802],
  [8813, 8817],
  [8820, 8821],
  [8824, 8825],
  [8832, 8833],
  [8836, 8837],
  [8840, 8841],
  [8876, 8879],
  [8928, 8931],
  [8938, 8941],
  [10972],
  [12364],
  [12366],
  [12368],
  [12370],
  [12372],
  [12374],
  [12376],
  [12378],
  [12380],
  [12382],
  [12384],
  [12386],
  [12389],
  [12391],
  [12393],
  [12400, 12401],
  [12403, 12404],
  [12406, 12407],
  [12409, 12410],
  [12412, 12413],
  [12436],
  [12446],
  [12460],
  [12462],
  [12464],
  [12466],
  [12468],
  [12470],
  [12472],
  [12474],
  [12476],
  [12478],
  [12480],
  [12482],
  [12485],
  [12487],
  [12489],
  [12496, 12497],
  [12499, 12500],
  [12502, 12503],
  [12505, 12506],
  [12508, 12509],
  [12532],
  [12535, 12538],
  [12542],
  [44032],
  [55203],
  [64285],
  [64287],
  [64298, 64310],
  [64312, 64316],
  [64318],
  [64320, 64321],
  [64323, 64324],
  [64326, 64334],
  [69786],
  [69788],
  [69803],
  [119134, 119140],
  [119227, 119232]
];
var safeStringFromCodePoint$3 = String.fromCodePoint;
var safeMathMin$2 = Math.min;
var safeMathMax$1 = Math.max;
function convertGraphemeRangeToMapToConstantEntry(range2) {
  if (range2.length === 1) {
    const codePointString = safeStringFromCodePoint$3(range2[0]);
    return {
      num: 1,
      build: () => codePointString
    };
  }
  const rangeStart = range2[0];
  return {
    num: range2[1] - range2[0] + 1,
    build: (idInGroup) => safeStringFromCodePoint$3(rangeStart + idInGroup)
  };
}
function intersectGraphemeRanges(rangesA, rangesB) {
  const mergedRanges = [];
  let cursorA = 0;
  let cursorB = 0;
  while (cursorA < rangesA.length && cursorB < rangesB.length) {
    const rangeA = rangesA[cursorA];
    const rangeAMin = rangeA[0];
    const rangeAMax = rangeA.length === 1 ? rangeA[0] : rangeA[1];
    const rangeB = rangesB[cursorB];
    const rangeBMin = rangeB[0];
    const rangeBMax = rangeB.length === 1 ? rangeB[0] : rangeB[1];
    if (rangeAMax < rangeBMin) cursorA += 1;
    else if (rangeBMax < rangeAMin) cursorB += 1;
    else {
      let min3 = safeMathMax$1(rangeAMin, rangeBMin);
      const max3 = safeMathMin$2(rangeAMax, rangeBMax);
      if (mergedRanges.length >= 1) {
        const lastMergedRange = mergedRanges[mergedRanges.length - 1];
        if ((lastMergedRange.length === 1 ? lastMergedRange[0] : lastMergedRange[1]) + 1 === min3) {
          min3 = lastMergedRange[0];
          safePop$1(mergedRanges);
        }
      }
      safePush(mergedRanges, min3 === max3 ? [min3] : [min3, max3]);
      if (rangeAMax <= max3) cursorA += 1;
      if (rangeBMax <= max3) cursorB += 1;
    }
  }
  return mergedRanges;
}
var registeredStringUnitInstancesMap = /* @__PURE__ */ Object.create(null);
function getAlphabetRanges(alphabet) {
  switch (alphabet) {
    case "full":
      return fullAlphabetRanges;
    case "ascii":
      return asciiAlphabetRanges;
  }
}
function getOrCreateStringUnitInstance(type, alphabet) {
  const key = `${type}:${alphabet}`;
  const registered = registeredStringUnitInstancesMap[key];
  if (registered !== void 0) return registered;
  const alphabetRanges = getAlphabetRanges(alphabet);
  const ranges2 = type === "binary" ? alphabetRanges : intersectGraphemeRanges(alphabetRanges, autonomousGraphemeRanges);
  const entries = [];
  for (const range2 of ranges2) safePush(entries, convertGraphemeRangeToMapToConstantEntry(range2));
  if (type === "grapheme") {
    const decomposedRanges = intersectGraphemeRanges(alphabetRanges, autonomousDecomposableGraphemeRanges);
    for (const range2 of decomposedRanges) {
      const rawEntry = convertGraphemeRangeToMapToConstantEntry(range2);
      safePush(entries, {
        num: rawEntry.num,
        build: (idInGroup) => safeNormalize(rawEntry.build(idInGroup), "NFD")
      });
    }
  }
  const stringUnitInstance = mapToConstant(...entries);
  registeredStringUnitInstancesMap[key] = stringUnitInstance;
  return stringUnitInstance;
}
function stringUnit(type, alphabet) {
  return getOrCreateStringUnitInstance(type, alphabet);
}
function extractUnitArbitrary(constraints) {
  if (typeof constraints.unit === "object") return constraints.unit;
  switch (constraints.unit) {
    case "grapheme":
      return stringUnit("grapheme", "full");
    case "grapheme-composite":
      return stringUnit("composite", "full");
    case "grapheme-ascii":
    case void 0:
      return stringUnit("grapheme", "ascii");
    case "binary":
      return stringUnit("binary", "full");
    case "binary-ascii":
      return stringUnit("binary", "ascii");
  }
}
function string(constraints = {}) {
  const charArbitrary = extractUnitArbitrary(constraints);
  const unmapper = patternsToStringUnmapperFor(charArbitrary, constraints);
  const experimentalCustomSlices = createSlicesForString(charArbitrary, constraints);
  return array(charArbitrary, {
    ...constraints,
    experimentalCustomSlices
  }).map(patternsToStringMapper, unmapper);
}
var SMap = Map;
var safeStringFromCharCode$1 = String.fromCharCode;
var lowerCaseMapper = {
  num: 26,
  build: (v) => safeStringFromCharCode$1(v + 97)
};
var upperCaseMapper = {
  num: 26,
  build: (v) => safeStringFromCharCode$1(v + 65)
};
var numericMapper = {
  num: 10,
  build: (v) => safeStringFromCharCode$1(v + 48)
};
function percentCharArbMapper(c2) {
  const encoded = SencodeURIComponent(c2);
  return c2 !== encoded ? encoded : `%${safeNumberToString(safeCharCodeAt(c2, 0), 16)}`;
}
function percentCharArbUnmapper(value) {
  if (typeof value !== "string") throw new Error("Unsupported");
  return decodeURIComponent(value);
}
var percentCharArb = () => string({
  unit: "binary",
  minLength: 1,
  maxLength: 1
}).map(percentCharArbMapper, percentCharArbUnmapper);
var lowerAlphaArbitrary = void 0;
function getOrCreateLowerAlphaArbitrary() {
  if (lowerAlphaArbitrary === void 0) lowerAlphaArbitrary = mapToConstant(lowerCaseMapper);
  return lowerAlphaArbitrary;
}
var lowerAlphaNumericArbitraries = void 0;
function getOrCreateLowerAlphaNumericArbitrary(others) {
  if (lowerAlphaNumericArbitraries === void 0) lowerAlphaNumericArbitraries = new SMap();
  let match = safeMapGet(lowerAlphaNumericArbitraries, others);
  if (match === void 0) {
    match = mapToConstant(lowerCaseMapper, numericMapper, {
      num: others.length,
      build: (v) => others[v]
    });
    safeMapSet(lowerAlphaNumericArbitraries, others, match);
  }
  return match;
}
function buildAlphaNumericArbitrary(others) {
  return mapToConstant(lowerCaseMapper, upperCaseMapper, numericMapper, {
    num: others.length,
    build: (v) => others[v]
  });
}
var alphaNumericPercentArbitraries = void 0;
function getOrCreateAlphaNumericPercentArbitrary(others) {
  if (alphaNumericPercentArbitraries === void 0) alphaNumericPercentArbitraries = new SMap();
  let match = safeMapGet(alphaNumericPercentArbitraries, others);
  if (match === void 0) {
    match = oneof({
      weight: 10,
      arbitrary: buildAlphaNumericArbitrary(others)
    }, {
      weight: 1,
      arbitrary: percentCharArb()
    });
    safeMapSet(alphaNumericPercentArbitraries, others, match);
  }
  return match;
}
function option(arb, constraints = {}) {
  const freq = constraints.freq === void 0 ? 6 : constraints.freq;
  const nilValue = safeHasOwnProperty(constraints, "nil") ? constraints.nil : null;
  const weightedArbs = [{
    arbitrary: constant2(nilValue),
    weight: 1,
    fallbackValue: { default: nilValue }
  }, {
    arbitrary: arb,
    weight: freq - 1
  }];
  const frequencyConstraints = {
    withCrossShrink: true,
    depthSize: constraints.depthSize,
    maxDepth: constraints.maxDepth,
    depthIdentifier: constraints.depthIdentifier
  };
  return FrequencyArbitrary.from(weightedArbs, frequencyConstraints, "fc.option");
}
function filterInvalidSubdomainLabel(subdomainLabel2) {
  if (subdomainLabel2.length > 63) return false;
  return subdomainLabel2.length < 4 || subdomainLabel2[0] !== "x" || subdomainLabel2[1] !== "n" || subdomainLabel2[2] !== "-" || subdomainLabel2[3] !== "-";
}
var AdaptedValue = /* @__PURE__ */ Symbol("adapted-value");
function toAdapterValue(rawValue, adapter2) {
  const adapted = adapter2(rawValue.value_);
  if (!adapted.adapted) return rawValue;
  return new Value(adapted.value, AdaptedValue);
}
var AdapterArbitrary = class extends Arbitrary {
  constructor(sourceArb, adapter2) {
    super();
    this.sourceArb = sourceArb;
    this.adapter = adapter2;
    this.adaptValue = (rawValue) => toAdapterValue(rawValue, adapter2);
  }
  generate(mrng, biasFactor) {
    const rawValue = this.sourceArb.generate(mrng, biasFactor);
    return this.adaptValue(rawValue);
  }
  canShrinkWithoutContext(value) {
    return this.sourceArb.canShrinkWithoutContext(value) && !this.adapter(value).adapted;
  }
  shrink(value, context2) {
    if (context2 === AdaptedValue) {
      if (!this.sourceArb.canShrinkWithoutContext(value)) return Stream.nil();
      return this.sourceArb.shrink(value, void 0).map(this.adaptValue);
    }
    return this.sourceArb.shrink(value, context2).map(this.adaptValue);
  }
};
function adapter(sourceArb, adapter2) {
  return new AdapterArbitrary(sourceArb, adapter2);
}
function toSubdomainLabelMapper([f, d]) {
  return d === null ? f : `${f}${d[0]}${d[1]}`;
}
function toSubdomainLabelUnmapper(value) {
  if (typeof value !== "string" || value.length === 0) throw new Error("Unsupported");
  if (value.length === 1) return [value[0], null];
  return [value[0], [safeSubstring(value, 1, value.length - 1), value[value.length - 1]]];
}
function subdomainLabel(size2) {
  const alphaNumericArb = getOrCreateLowerAlphaNumericArbitrary("");
  return tuple(alphaNumericArb, option(tuple(string({
    unit: getOrCreateLowerAlphaNumericArbitrary("-"),
    size: size2,
    maxLength: 61
  }), alphaNumericArb))).map(toSubdomainLabelMapper, toSubdomainLabelUnmapper).filter(filterInvalidSubdomainLabel);
}
function labelsMapper(elements) {
  return `${safeJoin(elements[0], ".")}.${elements[1]}`;
}
function labelsUnmapper(value) {
  if (typeof value !== "string") throw new Error("Unsupported type");
  const lastDotIndex = value.lastIndexOf(".");
  return [safeSplit(safeSubstring(value, 0, lastDotIndex), "."), safeSubstring(value, lastDotIndex + 1)];
}
function labelsAdapter(labels) {
  const [subDomains, suffix] = labels;
  let lengthNotIncludingIndex = suffix.length;
  for (let index2 = 0; index2 !== subDomains.length; ++index2) {
    lengthNotIncludingIndex += 1 + subDomains[index2].length;
    if (lengthNotIncludingIndex > 255) return {
      adapted: true,
      value: [safeSlice(subDomains, 0, index2), suffix]
    };
  }
  return {
    adapted: false,
    value: labels
  };
}
function domain(constraints = {}) {
  const resolvedSize = resolveSize(constraints.size);
  const resolvedSizeMinusOne = relativeSizeToSize("-1", resolvedSize);
  const publicSuffixArb = string({
    unit: getOrCreateLowerAlphaArbitrary(),
    minLength: 2,
    maxLength: 63,
    size: resolvedSizeMinusOne
  });
  return adapter(tuple(array(subdomainLabel(resolvedSize), {
    size: resolvedSizeMinusOne,
    minLength: 1,
    maxLength: 127
  }), publicSuffixArb), labelsAdapter).map(labelsMapper, labelsUnmapper);
}
function dotAdapter(a) {
  let currentLength = a[0].length;
  for (let index2 = 1; index2 !== a.length; ++index2) {
    currentLength += 1 + a[index2].length;
    if (currentLength > 64) return {
      adapted: true,
      value: safeSlice(a, 0, index2)
    };
  }
  return {
    adapted: false,
    value: a
  };
}
function dotMapper(a) {
  return safeJoin(a, ".");
}
function dotUnmapper(value) {
  if (typeof value !== "string") throw new Error("Unsupported");
  return safeSplit(value, ".");
}
function atMapper(data) {
  return `${data[0]}@${data[1]}`;
}
function atUnmapper(value) {
  if (typeof value !== "string") throw new Error("Unsupported");
  return safeSplit(value, "@", 2);
}
function emailAddress(constraints = {}) {
  return tuple(adapter(array(string({
    unit: getOrCreateLowerAlphaNumericArbitrary("!#$%&'*+-/=?^_`{|}~"),
    minLength: 1,
    maxLength: 64,
    size: constraints.size
  }), {
    minLength: 1,
    maxLength: 32,
    size: constraints.size
  }), dotAdapter).map(dotMapper, dotUnmapper), domain({ size: constraints.size })).map(atMapper, atUnmapper);
}
var safeNegativeInfinity$6 = SNumber.NEGATIVE_INFINITY;
var safePositiveInfinity$6 = SNumber.POSITIVE_INFINITY;
var safeEpsilon = SNumber.EPSILON;
var INDEX_POSITIVE_INFINITY$1 = SBigInt2(2146435072) * SBigInt2(4294967296);
var INDEX_NEGATIVE_INFINITY$1 = -INDEX_POSITIVE_INFINITY$1 - SBigInt2(1);
var num2Pow52 = 4503599627370496;
var big2Pow52Mask = SBigInt2(4503599627370495);
var big2Pow53 = SBigInt2("9007199254740992");
var f64 = /* @__PURE__ */ new Float64Array(1);
var u32$1 = new Uint32Array(f64.buffer, f64.byteOffset);
function bitCastDoubleToUInt64(f) {
  f64[0] = f;
  return [u32$1[1], u32$1[0]];
}
function decomposeDouble(d) {
  const { 0: hi, 1: lo } = bitCastDoubleToUInt64(d);
  const signBit = hi >>> 31;
  const exponentBits = hi >>> 20 & 2047;
  const significandBits = (hi & 1048575) * 4294967296 + lo;
  const exponent = exponentBits === 0 ? -1022 : exponentBits - 1023;
  let significand = exponentBits === 0 ? 0 : 1;
  significand += significandBits * safeEpsilon;
  significand *= signBit === 0 ? 1 : -1;
  return {
    exponent,
    significand
  };
}
function indexInDoubleFromDecomp(exponent, significand) {
  if (exponent === -1022) return SBigInt2(significand * num2Pow52);
  return SBigInt2((significand - 1) * num2Pow52) + (SBigInt2(exponent + 1023) << SBigInt2(52));
}
function doubleToIndex(d) {
  if (d === safePositiveInfinity$6) return INDEX_POSITIVE_INFINITY$1;
  if (d === safeNegativeInfinity$6) return INDEX_NEGATIVE_INFINITY$1;
  const decomp = decomposeDouble(d);
  const exponent = decomp.exponent;
  const significand = decomp.significand;
  if (d > 0 || d === 0 && 1 / d === safePositiveInfinity$6) return indexInDoubleFromDecomp(exponent, significand);
  else return -indexInDoubleFromDecomp(exponent, -significand) - SBigInt2(1);
}
function indexToDouble(index2) {
  if (index2 < 0) return -indexToDouble(-index2 - SBigInt2(1));
  if (index2 === INDEX_POSITIVE_INFINITY$1) return safePositiveInfinity$6;
  if (index2 < big2Pow53) return SNumber(index2) * 2 ** -1074;
  const postIndex = index2 - big2Pow53;
  const exponent = -1021 + SNumber(postIndex >> SBigInt2(52));
  return (1 + SNumber(postIndex & big2Pow52Mask) * safeEpsilon) * 2 ** exponent;
}
var safeNumberIsInteger$2 = Number.isInteger;
var safeObjectIs$1 = Object.is;
var safeNegativeInfinity$5 = Number.NEGATIVE_INFINITY;
var safePositiveInfinity$5 = Number.POSITIVE_INFINITY;
function refineConstraintsForFloatingOnly(constraints, maxValue, maxNonIntegerValue2, onlyIntegersAfterThisValue2) {
  const { noDefaultInfinity = false, minExcluded = false, maxExcluded = false, min: min3 = noDefaultInfinity ? -maxValue : safeNegativeInfinity$5, max: max3 = noDefaultInfinity ? maxValue : safePositiveInfinity$5 } = constraints;
  const effectiveMin = minExcluded ? min3 < -maxNonIntegerValue2 ? -onlyIntegersAfterThisValue2 : Math.max(min3, -maxNonIntegerValue2) : min3 === safeNegativeInfinity$5 ? Math.max(min3, -onlyIntegersAfterThisValue2) : Math.max(min3, -maxNonIntegerValue2);
  const effectiveMax = maxExcluded ? max3 > maxNonIntegerValue2 ? onlyIntegersAfterThisValue2 : Math.min(max3, maxNonIntegerValue2) : max3 === safePositiveInfinity$5 ? Math.min(max3, onlyIntegersAfterThisValue2) : Math.min(max3, maxNonIntegerValue2);
  return {
    noDefaultInfinity: false,
    minExcluded: minExcluded || (min3 !== safeNegativeInfinity$5 || minExcluded) && safeNumberIsInteger$2(effectiveMin),
    maxExcluded: maxExcluded || (max3 !== safePositiveInfinity$5 || maxExcluded) && safeNumberIsInteger$2(effectiveMax),
    min: safeObjectIs$1(effectiveMin, -0) ? 0 : effectiveMin,
    max: safeObjectIs$1(effectiveMax, 0) ? -0 : effectiveMax,
    noNaN: constraints.noNaN || false
  };
}
var safeNegativeInfinity$4 = Number.NEGATIVE_INFINITY;
var safePositiveInfinity$4 = Number.POSITIVE_INFINITY;
var safeMaxValue$2 = Number.MAX_VALUE;
var maxNonIntegerValue$1 = 45035996273704955e-1;
var onlyIntegersAfterThisValue$1 = 4503599627370496;
function refineConstraintsForDoubleOnly(constraints) {
  return refineConstraintsForFloatingOnly(constraints, safeMaxValue$2, maxNonIntegerValue$1, onlyIntegersAfterThisValue$1);
}
function doubleOnlyMapper(value) {
  return value === 4503599627370496 ? safePositiveInfinity$4 : value === -4503599627370496 ? safeNegativeInfinity$4 : value;
}
function doubleOnlyUnmapper(value) {
  if (typeof value !== "number") throw new Error("Unsupported type");
  return value === safePositiveInfinity$4 ? onlyIntegersAfterThisValue$1 : value === safeNegativeInfinity$4 ? -4503599627370496 : value;
}
var safeNumberIsInteger$1 = Number.isInteger;
var safeNumberIsNaN$1 = Number.isNaN;
var safeNegativeInfinity$3 = Number.NEGATIVE_INFINITY;
var safePositiveInfinity$3 = Number.POSITIVE_INFINITY;
var safeMaxValue$1 = Number.MAX_VALUE;
var safeNaN$1 = NaN;
function safeDoubleToIndex(d, constraintsLabel) {
  if (safeNumberIsNaN$1(d)) throw new Error("fc.double constraints." + constraintsLabel + " must be a 64-bit float");
  return doubleToIndex(d);
}
function unmapperDoubleToIndex(value) {
  if (typeof value !== "number") throw new Error("Unsupported type");
  return doubleToIndex(value);
}
function numberIsNotInteger$1(value) {
  return !safeNumberIsInteger$1(value);
}
function anyDouble(constraints) {
  const { noDefaultInfinity = false, noNaN = false, minExcluded = false, maxExcluded = false, min: min3 = noDefaultInfinity ? -safeMaxValue$1 : safeNegativeInfinity$3, max: max3 = noDefaultInfinity ? safeMaxValue$1 : safePositiveInfinity$3 } = constraints;
  const minIndexRaw = safeDoubleToIndex(min3, "min");
  const minIndex = minExcluded ? minIndexRaw + SBigInt2(1) : minIndexRaw;
  const maxIndexRaw = safeDoubleToIndex(max3, "max");
  const maxIndex = maxExcluded ? maxIndexRaw - SBigInt2(1) : maxIndexRaw;
  if (maxIndex < minIndex) throw new Error("fc.double constraints.min must be smaller or equal to constraints.max");
  if (noNaN) return bigInt({
    min: minIndex,
    max: maxIndex
  }).map(indexToDouble, unmapperDoubleToIndex);
  const positiveMaxIdx = maxIndex > SBigInt2(0);
  const minIndexWithNaN = positiveMaxIdx ? minIndex : minIndex - SBigInt2(1);
  const maxIndexWithNaN = positiveMaxIdx ? maxIndex + SBigInt2(1) : maxIndex;
  return bigInt({
    min: minIndexWithNaN,
    max: maxIndexWithNaN
  }).map((index2) => {
    if (maxIndex < index2 || index2 < minIndex) return safeNaN$1;
    else return indexToDouble(index2);
  }, (value) => {
    if (typeof value !== "number") throw new Error("Unsupported type");
    if (safeNumberIsNaN$1(value)) return maxIndex !== maxIndexWithNaN ? maxIndexWithNaN : minIndexWithNaN;
    return doubleToIndex(value);
  });
}
function double(constraints = {}) {
  if (!constraints.noInteger) return anyDouble(constraints);
  return anyDouble(refineConstraintsForDoubleOnly(constraints)).map(doubleOnlyMapper, doubleOnlyUnmapper).filter(numberIsNotInteger$1);
}
var safeNegativeInfinity$2 = Number.NEGATIVE_INFINITY;
var safePositiveInfinity$2 = Number.POSITIVE_INFINITY;
var safeMathImul = Math.imul;
var MAX_VALUE_32 = 2 ** 127 * (1 + (2 ** 23 - 1) / 2 ** 23);
var INDEX_POSITIVE_INFINITY = 2139095040;
var INDEX_NEGATIVE_INFINITY = -2139095041;
var f32 = /* @__PURE__ */ new Float32Array(1);
var u32 = new Uint32Array(f32.buffer, f32.byteOffset);
function bitCastFloatToUInt32(f) {
  f32[0] = f;
  return u32[0];
}
function decomposeFloat(f) {
  const bits2 = bitCastFloatToUInt32(f);
  const signBit = bits2 >>> 31;
  const exponentBits = bits2 >>> 23 & 255;
  const significandBits = bits2 & 8388607;
  const exponent = exponentBits === 0 ? -126 : exponentBits - 127;
  let significand = exponentBits === 0 ? 0 : 1;
  significand += significandBits / 2 ** 23;
  significand *= signBit === 0 ? 1 : -1;
  return {
    exponent,
    significand
  };
}
function indexInFloatFromDecomp(exponent, significand) {
  if (exponent === -126) return significand * 8388608;
  return safeMathImul(exponent + 127, 8388608) + (significand - 1) * 8388608;
}
function floatToIndex(f) {
  if (f === safePositiveInfinity$2) return INDEX_POSITIVE_INFINITY;
  if (f === safeNegativeInfinity$2) return INDEX_NEGATIVE_INFINITY;
  const decomp = decomposeFloat(f);
  const exponent = decomp.exponent;
  const significand = decomp.significand;
  if (f > 0 || f === 0 && 1 / f === safePositiveInfinity$2) return indexInFloatFromDecomp(exponent, significand);
  else return -indexInFloatFromDecomp(exponent, -significand) - 1;
}
function indexToFloat(index2) {
  if (index2 < 0) return -indexToFloat(-index2 - 1);
  if (index2 === INDEX_POSITIVE_INFINITY) return safePositiveInfinity$2;
  if (index2 < 16777216) return index2 * 2 ** -149;
  const postIndex = index2 - 16777216;
  const exponent = -125 + (postIndex >> 23);
  return (1 + (postIndex & 8388607) / 8388608) * 2 ** exponent;
}
var safeNegativeInfinity$1 = Number.NEGATIVE_INFINITY;
var safePositiveInfinity$1 = Number.POSITIVE_INFINITY;
var safeMaxValue = MAX_VALUE_32;
var maxNonIntegerValue = 83886075e-1;
var onlyIntegersAfterThisValue = 8388608;
function refineConstraintsForFloatOnly(constraints) {
  return refineConstraintsForFloatingOnly(constraints, safeMaxValue, maxNonIntegerValue, onlyIntegersAfterThisValue);
}
function floatOnlyMapper(value) {
  return value === 8388608 ? safePositiveInfinity$1 : value === -8388608 ? safeNegativeInfinity$1 : value;
}
function floatOnlyUnmapper(value) {
  if (typeof value !== "number") throw new Error("Unsupported type");
  return value === safePositiveInfinity$1 ? onlyIntegersAfterThisValue : value === safeNegativeInfinity$1 ? -8388608 : value;
}
var safeNumberIsInteger = Number.isInteger;
var safeNumberIsNaN = Number.isNaN;
var safeMathFround = Math.fround;
var safeNegativeInfinity = Number.NEGATIVE_INFINITY;
var safePositiveInfinity = Number.POSITIVE_INFINITY;
var safeNaN = NaN;
function safeFloatToIndex(f, constraintsLabel) {
  const errorMessage = "fc.float constraints." + constraintsLabel + " must be a 32-bit float - you can convert any double to a 32-bit float by using `Math.fround(myDouble)`";
  if (safeNumberIsNaN(f) || safeMathFround(f) !== f) throw new Error(errorMessage);
  return floatToIndex(f);
}
function unmapperFloatToIndex(value) {
  if (typeof value !== "number") throw new Error("Unsupported type");
  return floatToIndex(value);
}
function numberIsNotInteger(value) {
  return !safeNumberIsInteger(value);
}
function anyFloat(constraints) {
  const { noDefaultInfinity = false, noNaN = false, minExcluded = false, maxExcluded = false, min: min3 = noDefaultInfinity ? -MAX_VALUE_32 : safeNegativeInfinity, max: max3 = noDefaultInfinity ? MAX_VALUE_32 : safePositiveInfinity } = constraints;
  const minIndexRaw = safeFloatToIndex(min3, "min");
  const minIndex = minExcluded ? minIndexRaw + 1 : minIndexRaw;
  const maxIndexRaw = safeFloatToIndex(max3, "max");
  const maxIndex = maxExcluded ? maxIndexRaw - 1 : maxIndexRaw;
  if (minIndex > maxIndex) throw new Error("fc.float constraints.min must be smaller or equal to constraints.max");
  if (noNaN) return integer({
    min: minIndex,
    max: maxIndex
  }).map(indexToFloat, unmapperFloatToIndex);
  const minIndexWithNaN = maxIndex > 0 ? minIndex : minIndex - 1;
  const maxIndexWithNaN = maxIndex > 0 ? maxIndex + 1 : maxIndex;
  return integer({
    min: minIndexWithNaN,
    max: maxIndexWithNaN
  }).map((index2) => {
    if (index2 > maxIndex || index2 < minIndex) return safeNaN;
    else return indexToFloat(index2);
  }, (value) => {
    if (typeof value !== "number") throw new Error("Unsupported type");
    if (safeNumberIsNaN(value)) return maxIndex !== maxIndexWithNaN ? maxIndexWithNaN : minIndexWithNaN;
    return floatToIndex(value);
  });
}
function float(constraints = {}) {
  if (!constraints.noInteger) return anyFloat(constraints);
  return anyFloat(refineConstraintsForFloatOnly(constraints)).map(floatOnlyMapper, floatOnlyUnmapper).filter(numberIsNotInteger);
}
function escapeForTemplateString(originalText) {
  return originalText.replace(/([$`\\])/g, "\\$1").replace(/\r/g, "\\r");
}
function escapeForMultilineComments(originalText) {
  return originalText.replace(/\*\//g, "*\\/");
}
var crc32Table = [
  0,
  1996959894,
  3993919788,
  2567524794,
  124634137,
  1886057615,
  3915621685,
  2657392035,
  249268274,
  2044508324,
  3772115230,
  2547177864,
  162941995,
  2125561021,
  3887607047,
  2428444049,
  498536548,
  1789927666,
  4089016648,
  2227061214,
  450548861,
  1843258603,
  4107580753,
  2211677639,
  325883990,
  1684777152,
  4251122042,
  2321926636,
  335633487,
  1661365465,
  4195302755,
  2366115317,
  997073096,
  1281953886,
  3579855332,
  2724688242,
  1006888145,
  1258607687,
  3524101629,
  2768942443,
  901097722,
  1119000684,
  3686517206,
  2898065728,
  853044451,
  1172266101,
  3705015759,
  2882616665,
  651767980,
  1373503546,
  3369554304,
  3218104598,
  565507253,
  1454621731,
  3485111705,
  3099436303,
  671266974,
  1594198024,
  3322730930,
  2970347812,
  795835527,
  1483230225,
  3244367275,
  3060149565,
  1994146192,
  31158534,
  2563907772,
  4023717930,
  1907459465,
  112637215,
  2680153253,
  3904427059,
  2013776290,
  251722036,
  2517215374,
  3775830040,
  2137656763,
  141376813,
  2439277719,
  3865271297,
  1802195444,
  476864866,
  2238001368,
  4066508878,
  1812370925,
  453092731,
  2181625025,
  4111451223,
  1706088902,
  314042704,
  2344532202,
  4240017532,
  1658658271,
  366619977,
  2362670323,
  4224994405,
  1303535960,
  984961486,
  2747007092,
  3569037538,
  1256170817,
  1037604311,
  2765210733,
  3554079995,
  1131014506,
  879679996,
  2909243462,
  3663771856,
  1141124467,
  855842277,
  2852801631,
  3708648649,
  1342533948,
  654459306,
  3188396048,
  3373015174,
  1466479909,
  544179635,
  3110523913,
  3462522015,
  1591671054,
  702138776,
  2966460450,
  3352799412,
  1504918807,
  783551873,
  3082640443,
  3233442989,
  3988292384,
  2596254646,
  62317068,
  1957810842,
  3939845945,
  2647816111,
  81470997,
  1943803523,
  3814918930,
  2489596804,
  225274430,
  2053790376,
  3826175755,
  2466906013,
  167816743,
  2097651377,
  4027552580,
  2265490386,
  503444072,
  1762050814,
  4150417245,
  2154129355,
  426522225,
  1852507879,
  4275313526,
  2312317920,
  282753626,
  1742555852,
  4189708143,
  2394877945,
  397917763,
  1622183637,
  3604390888,
  2714866558,
  953729732,
  1340076626,
  3518719985,
  2797360999,
  1068828381,
  1219638859,
  3624741850,
  2936675148,
  906185462,
  1090812512,
  3747672003,
  2825379669,
  829329135,
  1181335161,
  3412177804,
  3160834842,
  628085408,
  1382605366,
  3423369109,
  3138078467,
  570562233,
  1426400815,
  3317316542,
  2998733608,
  733239954,
  1555261956,
  3268935591,
  3050360625,
  752459403,
  1541320221,
  2607071920,
  3965973030,
  1969922972,
  40735498,
  2617837225,
  3943577151,
  1913087877,
  83908371,
  2512341634,
  3803740692,
  2075208622,
  213261112,
  2463272603,
  3855990285,
  2094854071,
  198958881,
  2262029012,
  4057260610,
  1759359992,
  534414190,
  2176718541,
  4139329115,
  1873836001,
  414664567,
  2282248934,
  4279200368,
  1711684554,
  285281116,
  2405801727,
  4167216745,
  1634467795,
  376229701,
  2685067896,
  3608007406,
  1308918612,
  956543938,
  2808555105,
  3495958263,
  1231636301,
  1047427035,
  2932959818,
  3654703836,
  1088359270,
  936918e3,
  2847714899,
  3736837829,
  1202900863,
  817233897,
  3183342108,
  3401237130,
  1404277552,
  615818150,
  3134207493,
  3453421203,
  1423857449,
  601450431,
  3009837614,
  3294710456,
  1567103746,
  711928724,
  3020668471,
  3272380065,
  1510334235,
  755167117
];
function hash(repr) {
  let crc = 4294967295;
  for (let idx = 0; idx < repr.length; ++idx) {
    const c2 = safeCharCodeAt(repr, idx);
    if (c2 < 128) crc = crc32Table[crc & 255 ^ c2] ^ crc >> 8;
    else if (c2 < 2048) {
      crc = crc32Table[crc & 255 ^ (192 | c2 >> 6 & 31)] ^ crc >> 8;
      crc = crc32Table[crc & 255 ^ (128 | c2 & 63)] ^ crc >> 8;
    } else if (c2 >= 55296 && c2 < 57344) {
      const cNext = safeCharCodeAt(repr, ++idx);
      if (c2 >= 56320 || cNext < 56320 || cNext > 57343 || Number.isNaN(cNext)) {
        idx -= 1;
        crc = crc32Table[crc & 255 ^ 239] ^ crc >> 8;
        crc = crc32Table[crc & 255 ^ 191] ^ crc >> 8;
        crc = crc32Table[crc & 255 ^ 189] ^ crc >> 8;
      } else {
        const c1 = (c2 & 1023) + 64;
        const c22 = cNext & 1023;
        crc = crc32Table[crc & 255 ^ (240 | c1 >> 8 & 7)] ^ crc >> 8;
        crc = crc32Table[crc & 255 ^ (128 | c1 >> 2 & 63)] ^ crc >> 8;
        crc = crc32Table[crc & 255 ^ (128 | c22 >> 6 & 15 | (c1 & 3) << 4)] ^ crc >> 8;
        crc = crc32Table[crc & 255 ^ (128 | c22 & 63)] ^ crc >> 8;
      }
    } else {
      crc = crc32Table[crc & 255 ^ (224 | c2 >> 12 & 15)] ^ crc >> 8;
      crc = crc32Table[crc & 255 ^ (128 | c2 >> 6 & 63)] ^ crc >> 8;
      crc = crc32Table[crc & 255 ^ (128 | c2 & 63)] ^ crc >> 8;
    }
  }
  return (crc | 0) + 2147483648;
}
var stableObjectGetPrototypeOf = Object.getPrototypeOf;
var NoShrinkArbitrary = class extends Arbitrary {
  constructor(arb) {
    super();
    this.arb = arb;
  }
  generate(mrng, biasFactor) {
    return this.arb.generate(mrng, biasFactor);
  }
  canShrinkWithoutContext(value) {
    return this.arb.canShrinkWithoutContext(value);
  }
  shrink(_value, _context) {
    return Stream.nil();
  }
};
function noShrink(arb) {
  if (stableObjectGetPrototypeOf(arb) === NoShrinkArbitrary.prototype && arb.generate === NoShrinkArbitrary.prototype.generate && arb.canShrinkWithoutContext === NoShrinkArbitrary.prototype.canShrinkWithoutContext && arb.shrink === NoShrinkArbitrary.prototype.shrink) return arb;
  return new NoShrinkArbitrary(arb);
}
var safeObjectAssign$4 = Object.assign;
var safeObjectKeys$3 = Object.keys;
function buildCompareFunctionArbitrary(cmp) {
  return tuple(noShrink(integer()), noShrink(integer({
    min: 1,
    max: 4294967295
  }))).map(([seed, hashEnvSize]) => {
    const producer = () => {
      const recorded = {};
      const f = (a, b) => {
        const reprA = stringify(a);
        const reprB = stringify(b);
        const val = cmp(hash(`${seed}${reprA}`) % hashEnvSize, hash(`${seed}${reprB}`) % hashEnvSize);
        recorded[`[${reprA},${reprB}]`] = val;
        return val;
      };
      return safeObjectAssign$4(f, {
        toString: () => {
          const seenValues = safeObjectKeys$3(recorded).sort().map((k2) => `${k2} => ${stringify(recorded[k2])}`).map((line) => `/* ${escapeForMultilineComments(line)} */`);
          return `function(a, b) {
  // With hash and stringify coming from fast-check${seenValues.length !== 0 ? `
  ${safeJoin(seenValues, "\n  ")}` : ""}
  const cmp = ${cmp};
  const hA = hash('${seed}' + stringify(a)) % ${hashEnvSize};
  const hB = hash('${seed}' + stringify(b)) % ${hashEnvSize};
  return cmp(hA, hB);
}`;
        },
        [cloneMethod]: producer
      });
    };
    return producer();
  });
}
var safeObjectAssign$3 = Object.assign;
function compareBooleanFunc() {
  return buildCompareFunctionArbitrary(safeObjectAssign$3((hA, hB) => hA < hB, { toString() {
    return "(hA, hB) => hA < hB";
  } }));
}
var safeObjectAssign$2 = Object.assign;
function compareFunc() {
  return buildCompareFunctionArbitrary(safeObjectAssign$2((hA, hB) => hA - hB, { toString() {
    return "(hA, hB) => hA - hB";
  } }));
}
var safeObjectDefineProperties$1 = Object.defineProperties;
var safeObjectKeys$2 = Object.keys;
function func(arb) {
  return tuple(array(arb, { minLength: 1 }), noShrink(integer())).map(([outs, seed]) => {
    const producer = () => {
      const recorded = {};
      const f = (...args) => {
        const repr = stringify(args);
        const val = outs[hash(`${seed}${repr}`) % outs.length];
        recorded[repr] = val;
        return hasCloneMethod(val) ? val[cloneMethod]() : val;
      };
      function prettyPrint2(stringifiedOuts) {
        const seenValues = safeMap(safeMap(safeSort(safeObjectKeys$2(recorded)), (k2) => `${k2} => ${stringify(recorded[k2])}`), (line) => `/* ${escapeForMultilineComments(line)} */`);
        return `function(...args) {
  // With hash and stringify coming from fast-check${seenValues.length !== 0 ? `
  ${seenValues.join("\n  ")}` : ""}
  const outs = ${stringifiedOuts};
  return outs[hash('${seed}' + stringify(args)) % outs.length];
}`;
      }
      return safeObjectDefineProperties$1(f, {
        toString: { value: () => prettyPrint2(stringify(outs)) },
        [toStringMethod]: { value: () => prettyPrint2(stringify(outs)) },
        [asyncToStringMethod]: { value: async () => prettyPrint2(await asyncStringify(outs)) },
        [cloneMethod]: {
          value: producer,
          configurable: true
        }
      });
    };
    return producer();
  });
}
var safeMinSafeInteger = Number.MIN_SAFE_INTEGER;
var safeMaxSafeInteger$1 = Number.MAX_SAFE_INTEGER;
function maxSafeInteger() {
  return new IntegerArbitrary(safeMinSafeInteger, safeMaxSafeInteger$1);
}
var safeMaxSafeInteger = Number.MAX_SAFE_INTEGER;
function maxSafeNat() {
  return new IntegerArbitrary(0, safeMaxSafeInteger);
}
var safeNumberParseInt = Number.parseInt;
function natToStringifiedNatMapper(options) {
  const [style, v] = options;
  switch (style) {
    case "oct":
      return `0${safeNumberToString(v, 8)}`;
    case "hex":
      return `0x${safeNumberToString(v, 16)}`;
    default:
      return `${v}`;
  }
}
function tryParseStringifiedNat(stringValue, radix) {
  const parsedNat = safeNumberParseInt(stringValue, radix);
  if (safeNumberToString(parsedNat, radix) !== stringValue) throw new Error("Invalid value");
  return parsedNat;
}
function natToStringifiedNatUnmapper(value) {
  if (typeof value !== "string") throw new Error("Invalid type");
  if (value.length >= 2 && value[0] === "0") {
    if (value[1] === "x") return ["hex", tryParseStringifiedNat(safeSubstring(value, 2), 16)];
    return ["oct", tryParseStringifiedNat(safeSubstring(value, 1), 8)];
  }
  return ["dec", tryParseStringifiedNat(value, 10)];
}
function dotJoinerMapper$1(data) {
  return safeJoin(data, ".");
}
function dotJoinerUnmapper$1(value) {
  if (typeof value !== "string") throw new Error("Invalid type");
  return safeMap(safeSplit(value, "."), (v) => tryParseStringifiedNat(v, 10));
}
function ipV4() {
  return tuple(nat(255), nat(255), nat(255), nat(255)).map(dotJoinerMapper$1, dotJoinerUnmapper$1);
}
function buildStringifiedNatArbitrary(maxValue) {
  return tuple(constantFrom("dec", "oct", "hex"), nat(maxValue)).map(natToStringifiedNatMapper, natToStringifiedNatUnmapper);
}
function dotJoinerMapper(data) {
  return safeJoin(data, ".");
}
function dotJoinerUnmapper(value) {
  if (typeof value !== "string") throw new Error("Invalid type");
  return safeSplit(value, ".");
}
function ipV4Extended() {
  return oneof(tuple(buildStringifiedNatArbitrary(255), buildStringifiedNatArbitrary(255), buildStringifiedNatArbitrary(255), buildStringifiedNatArbitrary(255)).map(dotJoinerMapper, dotJoinerUnmapper), tuple(buildStringifiedNatArbitrary(255), buildStringifiedNatArbitrary(255), buildStringifiedNatArbitrary(65535)).map(dotJoinerMapper, dotJoinerUnmapper), tuple(buildStringifiedNatArbitrary(255), buildStringifiedNatArbitrary(16777215)).map(dotJoinerMapper, dotJoinerUnmapper), buildStringifiedNatArbitrary(4294967295));
}
function readBh(value) {
  if (value.length === 0) return [];
  else return safeSplit(value, ":");
}
function extractEhAndL(value) {
  const valueSplits = safeSplit(value, ":");
  if (valueSplits.length >= 2 && valueSplits[valueSplits.length - 1].length <= 4) return [safeSlice(valueSplits, 0, valueSplits.length - 2), `${valueSplits[valueSplits.length - 2]}:${valueSplits[valueSplits.length - 1]}`];
  return [safeSlice(valueSplits, 0, valueSplits.length - 1), valueSplits[valueSplits.length - 1]];
}
function fullySpecifiedMapper(data) {
  return `${safeJoin(data[0], ":")}:${data[1]}`;
}
function fullySpecifiedUnmapper(value) {
  if (typeof value !== "string") throw new Error("Invalid type");
  return extractEhAndL(value);
}
function onlyTrailingMapper(data) {
  return `::${safeJoin(data[0], ":")}:${data[1]}`;
}
function onlyTrailingUnmapper(value) {
  if (typeof value !== "string") throw new Error("Invalid type");
  if (!safeStartsWith(value, "::")) throw new Error("Invalid value");
  return extractEhAndL(safeSubstring(value, 2));
}
function multiTrailingMapper(data) {
  return `${safeJoin(data[0], ":")}::${safeJoin(data[1], ":")}:${data[2]}`;
}
function multiTrailingUnmapper(value) {
  if (typeof value !== "string") throw new Error("Invalid type");
  const [bhString, trailingString] = safeSplit(value, "::", 2);
  const [eh, l] = extractEhAndL(trailingString);
  return [
    readBh(bhString),
    eh,
    l
  ];
}
function multiTrailingMapperOne(data) {
  return multiTrailingMapper([
    data[0],
    [data[1]],
    data[2]
  ]);
}
function multiTrailingUnmapperOne(value) {
  const out = multiTrailingUnmapper(value);
  return [
    out[0],
    safeJoin(out[1], ":"),
    out[2]
  ];
}
function singleTrailingMapper(data) {
  return `${safeJoin(data[0], ":")}::${data[1]}`;
}
function singleTrailingUnmapper(value) {
  if (typeof value !== "string") throw new Error("Invalid type");
  const [bhString, trailing] = safeSplit(value, "::", 2);
  return [readBh(bhString), trailing];
}
function noTrailingMapper(data) {
  return `${safeJoin(data[0], ":")}::`;
}
function noTrailingUnmapper(value) {
  if (typeof value !== "string") throw new Error("Invalid type");
  if (!safeEndsWith(value, "::")) throw new Error("Invalid value");
  return [readBh(safeSubstring(value, 0, value.length - 2))];
}
function h16sTol32Mapper([a, b]) {
  return `${a}:${b}`;
}
function h16sTol32Unmapper(value) {
  if (typeof value !== "string") throw new SError("Invalid type");
  if (!value.includes(":")) throw new SError("Invalid value");
  return value.split(":", 2);
}
var items = "0123456789abcdef";
var cachedHexa = void 0;
function hexa() {
  if (cachedHexa === void 0) cachedHexa = integer({
    min: 0,
    max: 15
  }).map((n) => items[n], (c2) => {
    if (typeof c2 !== "string") throw new SError("Not a string");
    if (c2.length !== 1) throw new SError("Invalid length");
    const code = safeCharCodeAt(c2, 0);
    if (code <= 57) return code - 48;
    if (code < 97) throw new SError("Invalid character");
    return code - 87;
  });
  return cachedHexa;
}
function ipV6() {
  const h16Arb = string({
    unit: hexa(),
    minLength: 1,
    maxLength: 4,
    size: "max"
  });
  const ls32Arb = oneof(tuple(h16Arb, h16Arb).map(h16sTol32Mapper, h16sTol32Unmapper), ipV4());
  return oneof(tuple(array(h16Arb, {
    minLength: 6,
    maxLength: 6,
    size: "max"
  }), ls32Arb).map(fullySpecifiedMapper, fullySpecifiedUnmapper), tuple(array(h16Arb, {
    minLength: 5,
    maxLength: 5,
    size: "max"
  }), ls32Arb).map(onlyTrailingMapper, onlyTrailingUnmapper), tuple(array(h16Arb, {
    minLength: 0,
    maxLength: 1,
    size: "max"
  }), array(h16Arb, {
    minLength: 4,
    maxLength: 4,
    size: "max"
  }), ls32Arb).map(multiTrailingMapper, multiTrailingUnmapper), tuple(array(h16Arb, {
    minLength: 0,
    maxLength: 2,
    size: "max"
  }), array(h16Arb, {
    minLength: 3,
    maxLength: 3,
    size: "max"
  }), ls32Arb).map(multiTrailingMapper, multiTrailingUnmapper), tuple(array(h16Arb, {
    minLength: 0,
    maxLength: 3,
    size: "max"
  }), array(h16Arb, {
    minLength: 2,
    maxLength: 2,
    size: "max"
  }), ls32Arb).map(multiTrailingMapper, multiTrailingUnmapper), tuple(array(h16Arb, {
    minLength: 0,
    maxLength: 4,
    size: "max"
  }), h16Arb, ls32Arb).map(multiTrailingMapperOne, multiTrailingUnmapperOne), tuple(array(h16Arb, {
    minLength: 0,
    maxLength: 5,
    size: "max"
  }), ls32Arb).map(singleTrailingMapper, singleTrailingUnmapper), tuple(array(h16Arb, {
    minLength: 0,
    maxLength: 6,
    size: "max"
  }), h16Arb).map(singleTrailingMapper, singleTrailingUnmapper), tuple(array(h16Arb, {
    minLength: 0,
    maxLength: 7,
    size: "max"
  })).map(noTrailingMapper, noTrailingUnmapper));
}
var LazyArbitrary = class extends Arbitrary {
  constructor(name) {
    super();
    this.name = name;
    this.underlying = null;
  }
  generate(mrng, biasFactor) {
    if (this.underlying === null) throw new Error(`Lazy arbitrary ${JSON.stringify(this.name)} not correctly initialized`);
    return this.underlying.generate(mrng, biasFactor);
  }
  canShrinkWithoutContext(value) {
    if (this.underlying === null) throw new Error(`Lazy arbitrary ${JSON.stringify(this.name)} not correctly initialized`);
    return this.underlying.canShrinkWithoutContext(value);
  }
  shrink(value, context2) {
    if (this.underlying === null) throw new Error(`Lazy arbitrary ${JSON.stringify(this.name)} not correctly initialized`);
    return this.underlying.shrink(value, context2);
  }
};
var safeGetOwnPropertyNames = Object.getOwnPropertyNames;
function createLazyArbsPool() {
  const lazyArbsPool = new SMap$2();
  const getLazyFromPool = (key) => {
    let lazyArb = safeMapGet(lazyArbsPool, key);
    if (lazyArb !== void 0) return lazyArb;
    lazyArb = new LazyArbitrary(String(key));
    safeMapSet(lazyArbsPool, key, lazyArb);
    return lazyArb;
  };
  return getLazyFromPool;
}
function letrec(builder) {
  const getLazyFromPool = createLazyArbsPool();
  const strictArbs = builder(getLazyFromPool);
  const declaredArbitraryNames = safeGetOwnPropertyNames(strictArbs);
  for (const name of declaredArbitraryNames) {
    const lazyArb = getLazyFromPool(name);
    lazyArb.underlying = strictArbs[name];
  }
  return strictArbs;
}
function canHaveAtLeastOneItem(keys, constraints) {
  for (const key of keys) {
    const constraintsOnKey = constraints[key] || {};
    if (constraintsOnKey.maxLength === void 0 || constraintsOnKey.maxLength > 0) return true;
  }
  return false;
}
function initialPoolForEntityGraph(keys, constraints) {
  if (keys.length === 0) return constant2([]);
  if (!canHaveAtLeastOneItem(keys, constraints)) throw new SError("Contraints on pool must accept at least one entity, maxLength cannot sum to 0");
  return tuple(...keys.map((key) => array(constant2(key), constraints[key]))).map((values) => safeFlat(values)).filter((names2) => names2.length > 0);
}
var safeObjectAssign$1 = Object.assign;
var safeObjectCreate$4 = Object.create;
var safeObjectDefineProperty$1 = Object.defineProperty;
var safeObjectGetPrototypeOf = Object.getPrototypeOf;
var safeObjectPrototype = Object.prototype;
function withTargetStringifiedValue(stringifiedValue) {
  return safeObjectDefineProperty$1(safeObjectCreate$4(null), toStringMethod, {
    configurable: false,
    enumerable: false,
    writable: false,
    value: () => stringifiedValue
  });
}
function withReferenceStringifiedValue(type, index2) {
  return withTargetStringifiedValue(`<${SString(type)}#${index2}>`);
}
function unlinkedToLinkedEntitiesMapper(unlinkedEntities, producedLinks) {
  const linkedEntities = safeObjectCreate$4(safeObjectPrototype);
  for (const name in unlinkedEntities) {
    const unlinkedEntitiesForName = unlinkedEntities[name];
    const linkedEntitiesForName = [];
    for (const unlinkedEntity of unlinkedEntitiesForName) {
      const linkedEntity = safeObjectAssign$1(safeObjectCreate$4(safeObjectGetPrototypeOf(unlinkedEntity)), unlinkedEntity);
      linkedEntitiesForName.push(linkedEntity);
    }
    linkedEntities[name] = linkedEntitiesForName;
  }
  for (const name in producedLinks) {
    const entityLinks = producedLinks[name];
    for (let entityIndex = 0; entityIndex !== entityLinks.length; ++entityIndex) {
      const entityLinksForInstance = entityLinks[entityIndex];
      const linkedInstance = linkedEntities[name][entityIndex];
      for (const prop in entityLinksForInstance) {
        const propValue = entityLinksForInstance[prop];
        linkedInstance[prop] = propValue.index === void 0 ? void 0 : typeof propValue.index === "number" ? linkedEntities[propValue.type][propValue.index] : safeMap(propValue.index, (index2) => linkedEntities[propValue.type][index2]);
      }
      safeObjectDefineProperty$1(linkedInstance, toStringMethod, {
        configurable: false,
        enumerable: false,
        writable: false,
        value: () => {
          const unlinkedEntity = unlinkedEntities[name][entityIndex];
          const entity = safeObjectAssign$1(safeObjectCreate$4(safeObjectGetPrototypeOf(unlinkedEntity)), unlinkedEntity);
          for (const prop in entityLinksForInstance) {
            const propValue = entityLinksForInstance[prop];
            entity[prop] = propValue.index === void 0 ? void 0 : typeof propValue.index === "number" ? withReferenceStringifiedValue(propValue.type, propValue.index) : safeMap(propValue.index, (index2) => withReferenceStringifiedValue(propValue.type, index2));
          }
          return stringify(entity);
        }
      });
    }
  }
  return linkedEntities;
}
function buildInversedRelationsMapping(relations) {
  let foundInversedRelations = 0;
  const requestedInversedRelations = new SMap$2();
  for (const name in relations) {
    const relationsForName = relations[name];
    for (const fieldName in relationsForName) {
      const relation = relationsForName[fieldName];
      if (relation.arity !== "inverse") continue;
      let existingOnes = safeMapGet(requestedInversedRelations, relation.type);
      if (existingOnes === void 0) {
        existingOnes = new SMap$2();
        safeMapSet(requestedInversedRelations, relation.type, existingOnes);
      }
      if (safeMapHas(existingOnes, relation.forwardRelationship)) throw new SError(`Cannot declare multiple inverse relationships for the same forward relationship ${SString(relation.forwardRelationship)} on type ${SString(relation.type)}`);
      safeMapSet(existingOnes, relation.forwardRelationship, {
        type: name,
        property: fieldName
      });
      foundInversedRelations += 1;
    }
  }
  const inversedRelations = new SMap$2();
  if (foundInversedRelations === 0) return inversedRelations;
  for (const name in relations) {
    const relationsForName = relations[name];
    const requestedInversedRelationsForName = safeMapGet(requestedInversedRelations, name);
    if (requestedInversedRelationsForName === void 0) continue;
    for (const fieldName in relationsForName) {
      const relation = relationsForName[fieldName];
      if (relation.arity === "inverse") continue;
      const requestedIfAny = safeMapGet(requestedInversedRelationsForName, fieldName);
      if (requestedIfAny === void 0) continue;
      if (requestedIfAny.type !== relation.type) throw new SError(`Inverse relationship ${SString(requestedIfAny.property)} on type ${SString(requestedIfAny.type)} references forward relationship ${SString(fieldName)} but types do not match`);
      safeMapSet(inversedRelations, relation, requestedIfAny);
    }
  }
  if (inversedRelations.size !== foundInversedRelations) throw new SError(`Some inverse relationships could not be matched with their corresponding forward relationships`);
  return inversedRelations;
}
var safeObjectAssign = Object.assign;
var safeObjectCreate$3 = Object.create;
function produceLinkUnitaryIndexArbitrary(strategy, currentIndexIfSameType, countInTargetType) {
  switch (strategy) {
    case "exclusive":
      return constant2(countInTargetType);
    case "successor":
      return noBias(integer({
        min: currentIndexIfSameType !== void 0 ? currentIndexIfSameType + 1 : 0,
        max: countInTargetType
      }));
    case "any":
      return noBias(integer({
        min: 0,
        max: countInTargetType
      }));
  }
}
function buildLinkIndexArbitrary(arity, strategy, currentIndexIfSameType, countInTargetType, currentEntityDepth) {
  const linkArbitrary = produceLinkUnitaryIndexArbitrary(strategy, currentIndexIfSameType, countInTargetType);
  switch (arity) {
    case "0-1":
      return option(linkArbitrary, {
        nil: void 0,
        depthIdentifier: currentEntityDepth
      });
    case "1":
      return linkArbitrary;
    case "many": {
      let randomUnicity = 0;
      return option(uniqueArray(linkArbitrary, {
        depthIdentifier: currentEntityDepth,
        selector: (v) => v === countInTargetType ? v + ++randomUnicity : v,
        minLength: 1
      }), {
        nil: [],
        depthIdentifier: currentEntityDepth
      }).map((values) => {
        let offset = 0;
        return safeMap(values, (v) => v === countInTargetType ? v + offset++ : v);
      });
    }
  }
}
function createEmptyLinksInstanceFor(relations, targetType) {
  const emptyLinksInstance = safeObjectCreate$3(null);
  const relationsForType = relations[targetType];
  for (const name in relationsForType) {
    const relation = relationsForType[name];
    if (relation.arity === "inverse") emptyLinksInstance[name] = {
      type: relation.type,
      index: []
    };
  }
  return emptyLinksInstance;
}
function assertAcceptableRelations(relations) {
  const nonExclusiveEntities = new SSet();
  const exclusiveEntities = new SSet();
  for (const name in relations) {
    const relationsForName = relations[name];
    for (const fieldName in relationsForName) {
      const relation = relationsForName[fieldName];
      if (relation.arity === "inverse") continue;
      if (relation.strategy === "exclusive") {
        if (safeHas(nonExclusiveEntities, relation.type)) throw new SError(`Cannot mix exclusive with other strategies for type ${SString(relation.type)}`);
        safeAdd(exclusiveEntities, relation.type);
      } else {
        if (safeHas(exclusiveEntities, relation.type)) throw new SError(`Cannot mix exclusive with other strategies for type ${SString(relation.type)}`);
        safeAdd(nonExclusiveEntities, relation.type);
      }
      if (relation.strategy === "successor" && relation.type !== name) throw new SError(`Cannot mix types for the strategy successor`);
      if (relation.strategy === "successor" && relation.arity === "1") throw new SError(`Cannot use an arity of 1 for the strategy successor`);
    }
  }
}
function draftNextProductionState(state, offset) {
  const { producedLinks, toBeProducedEntities } = state;
  const nextIndex = state.nextIndex + offset;
  const newProducedLinks = safeObjectAssign(safeObjectCreate$3(null), producedLinks);
  function getOrCreateProducedLinksFor(type) {
    if (newProducedLinks[type] === producedLinks[type]) newProducedLinks[type] = safeSlice(producedLinks[type]);
    return newProducedLinks[type];
  }
  function getOrCreateLinksFor(type, indexInType) {
    const producedLinksForType = getOrCreateProducedLinksFor(type);
    if (producedLinksForType[indexInType] === producedLinks[type][indexInType]) producedLinksForType[indexInType] = safeObjectAssign(safeObjectCreate$3(null), producedLinks[type][indexInType]);
    return producedLinksForType[indexInType];
  }
  function getOrCreateRelationFor(type, indexInType, property2) {
    const links = getOrCreateLinksFor(type, indexInType);
    const originalEntity = producedLinks[type][indexInType];
    if (originalEntity !== void 0 && links[property2] === originalEntity[property2]) {
      const sharedRelation = links[property2];
      links[property2] = {
        type: sharedRelation.type,
        index: typeof sharedRelation.index === "object" ? safeSlice(sharedRelation.index) : sharedRelation.index
      };
    }
    return links[property2];
  }
  let newToBeProducedEntities = void 0;
  const toBeProduced = toBeProducedEntities[nextIndex];
  return {
    setOutboundLink: (name, value) => {
      const currentLinks = getOrCreateLinksFor(toBeProduced.type, toBeProduced.indexInType);
      currentLinks[name] = value;
    },
    enqueueNewEntity: (relations, targetType) => {
      const producedLinksInTargetType = getOrCreateProducedLinksFor(targetType);
      const newEntityIndexInType = producedLinksInTargetType.length;
      if (newToBeProducedEntities === void 0) newToBeProducedEntities = safeSlice(toBeProducedEntities);
      safePush(newToBeProducedEntities, {
        type: targetType,
        indexInType: newEntityIndexInType,
        depth: toBeProduced.depth + 1
      });
      safePush(producedLinksInTargetType, createEmptyLinksInstanceFor(relations, targetType));
      return newEntityIndexInType;
    },
    appendBackReference: (targetType, indexInType, property2) => {
      const knownInversedLinks = getOrCreateRelationFor(targetType, indexInType, property2).index;
      safePush(knownInversedLinks, toBeProduced.indexInType);
    },
    commit: () => ({
      producedLinks: newProducedLinks,
      toBeProducedEntities: newToBeProducedEntities !== void 0 ? newToBeProducedEntities : toBeProducedEntities,
      nextIndex: nextIndex + 1
    })
  };
}
function buildInitialProductionState(relations, defaultEntities) {
  const producedLinks = safeObjectCreate$3(null);
  for (const name in relations) producedLinks[name] = [];
  const toBeProducedEntities = [];
  for (const name of defaultEntities) {
    safePush(toBeProducedEntities, {
      type: name,
      indexInType: producedLinks[name].length,
      depth: 0
    });
    safePush(producedLinks[name], createEmptyLinksInstanceFor(relations, name));
  }
  return {
    producedLinks,
    toBeProducedEntities,
    nextIndex: 0
  };
}
function buildEntityStepArbitrary(relations, inversedRelations, lastState, offset) {
  const lastProducedLinks = lastState.producedLinks;
  const currentEntity = lastState.toBeProducedEntities[lastState.nextIndex + offset];
  const currentRelations = relations[currentEntity.type];
  const currentEntityDepth = createDepthIdentifier();
  currentEntityDepth.depth = currentEntity.depth;
  const subArbitraries = [];
  const linkContexts = [];
  for (const name in currentRelations) {
    const relation = currentRelations[name];
    if (relation.arity === "inverse") continue;
    const targetType = relation.type;
    const countInTargetType = lastProducedLinks[targetType].length;
    safePush(subArbitraries, buildLinkIndexArbitrary(relation.arity, relation.strategy || "any", targetType === currentEntity.type ? currentEntity.indexInType : void 0, countInTargetType, currentEntityDepth));
    safePush(linkContexts, {
      name,
      relation,
      sentinelLinkIndex: countInTargetType
    });
  }
  if (subArbitraries.length === 0) return;
  return tuple(...subArbitraries).map((results) => {
    const state = draftNextProductionState(lastState, offset);
    for (let resultIndex = 0; resultIndex !== results.length; ++resultIndex) {
      const linkOrLinks = results[resultIndex];
      const { name, relation, sentinelLinkIndex } = linkContexts[resultIndex];
      const effectiveLinks = [];
      const links = linkOrLinks === void 0 ? [] : typeof linkOrLinks === "number" ? [linkOrLinks] : linkOrLinks;
      for (const link of links) {
        let newEntityIndexInType;
        if (link >= sentinelLinkIndex) newEntityIndexInType = state.enqueueNewEntity(relations, relation.type);
        else newEntityIndexInType = link;
        safePush(effectiveLinks, newEntityIndexInType);
        const inversed = safeMapGet(inversedRelations, relation);
        if (inversed !== void 0) state.appendBackReference(relation.type, newEntityIndexInType, inversed.property);
      }
      state.setOutboundLink(name, {
        type: relation.type,
        index: linkOrLinks === void 0 ? void 0 : typeof linkOrLinks === "number" ? effectiveLinks[0] : effectiveLinks
      });
    }
    return state.commit();
  });
}
function onTheFlyLinksForEntityGraph(relations, defaultEntities) {
  assertAcceptableRelations(relations);
  const inversedRelations = buildInversedRelationsMapping(relations);
  return chainUntil(constant2(buildInitialProductionState(relations, defaultEntities)), (state) => {
    if (state.nextIndex >= state.toBeProducedEntities.length) return;
    let offset = 0;
    let next = void 0;
    while (next === void 0 && state.nextIndex + offset < state.toBeProducedEntities.length) {
      next = buildEntityStepArbitrary(relations, inversedRelations, state, offset);
      offset += 1;
    }
    return next;
  }).map((state) => {
    return state.producedLinks;
  });
}
var safeObjectKeys$1 = Object.keys;
var safeObjectGetOwnPropertySymbols$1 = Object.getOwnPropertySymbols;
var safeObjectGetOwnPropertyDescriptor$1 = Object.getOwnPropertyDescriptor;
function extractEnumerableKeys(instance) {
  const keys = safeObjectKeys$1(instance);
  const symbols = safeObjectGetOwnPropertySymbols$1(instance);
  for (let index2 = 0; index2 !== symbols.length; ++index2) {
    const symbol = symbols[index2];
    const descriptor = safeObjectGetOwnPropertyDescriptor$1(instance, symbol);
    if (descriptor && descriptor.enumerable) keys.push(symbol);
  }
  return keys;
}
var safeObjectCreate$2 = Object.create;
var safeObjectDefineProperty = Object.defineProperty;
var safeObjectGetOwnPropertyDescriptor = Object.getOwnPropertyDescriptor;
var safeObjectGetOwnPropertyNames = Object.getOwnPropertyNames;
var safeObjectGetOwnPropertySymbols = Object.getOwnPropertySymbols;
function buildValuesAndSeparateKeysToObjectMapper(keys, noKeyValue2) {
  return function valuesAndSeparateKeysToObjectMapper(definition) {
    const obj = definition[definition.length - 1] ? safeObjectCreate$2(null) : {};
    for (let idx = 0; idx !== keys.length; ++idx) {
      const valueWrapper = definition[idx];
      if (valueWrapper !== noKeyValue2) {
        const key = keys[idx];
        if (key === "__proto__") safeObjectDefineProperty(obj, key, {
          value: valueWrapper,
          configurable: true,
          enumerable: true,
          writable: true
        });
        else obj[key] = valueWrapper;
      }
    }
    return obj;
  };
}
function buildValuesAndSeparateKeysToObjectUnmapper(keys, noKeyValue2) {
  return function valuesAndSeparateKeysToObjectUnmapper(value) {
    if (typeof value !== "object" || value === null) throw new Error("Incompatible instance received: should be a non-null object");
    const hasNullPrototype = Object.getPrototypeOf(value) === null;
    const hasObjectPrototype = "constructor" in value && value.constructor === Object;
    if (!hasNullPrototype && !hasObjectPrototype) throw new Error("Incompatible instance received: should be of exact type Object");
    let extractedPropertiesCount = 0;
    const extractedValues = [];
    for (let idx = 0; idx !== keys.length; ++idx) {
      const descriptor = safeObjectGetOwnPropertyDescriptor(value, keys[idx]);
      if (descriptor !== void 0) {
        if (!descriptor.configurable || !descriptor.enumerable || !descriptor.writable) throw new Error("Incompatible instance received: should contain only c/e/w properties");
        if (descriptor.get !== void 0 || descriptor.set !== void 0) throw new Error("Incompatible instance received: should contain only no get/set properties");
        ++extractedPropertiesCount;
        safePush(extractedValues, descriptor.value);
      } else safePush(extractedValues, noKeyValue2);
    }
    const namePropertiesCount = safeObjectGetOwnPropertyNames(value).length;
    const symbolPropertiesCount = safeObjectGetOwnPropertySymbols(value).length;
    if (extractedPropertiesCount !== namePropertiesCount + symbolPropertiesCount) throw new Error("Incompatible instance received: should not contain extra properties");
    return [...extractedValues, hasNullPrototype];
  };
}
var noKeyValue = /* @__PURE__ */ Symbol("no-key");
function buildPartialRecordArbitrary(recordModel, requiredKeys, noNullPrototype) {
  const keys = extractEnumerableKeys(recordModel);
  const arbs = [];
  for (let index2 = 0; index2 !== keys.length; ++index2) {
    const k2 = keys[index2];
    const requiredArbitrary = recordModel[k2];
    if (requiredKeys === void 0 || safeIndexOf(requiredKeys, k2) !== -1) safePush(arbs, requiredArbitrary);
    else safePush(arbs, option(requiredArbitrary, { nil: noKeyValue }));
  }
  return tuple(...arbs, noNullPrototype ? constant2(false) : boolean()).map(buildValuesAndSeparateKeysToObjectMapper(keys, noKeyValue), buildValuesAndSeparateKeysToObjectUnmapper(keys, noKeyValue));
}
function record(recordModel, constraints) {
  const noNullPrototype = constraints !== void 0 && !!constraints.noNullPrototype;
  if (constraints === void 0) return buildPartialRecordArbitrary(recordModel, void 0, noNullPrototype);
  if (!("requiredKeys" in constraints && constraints.requiredKeys !== void 0)) return buildPartialRecordArbitrary(recordModel, void 0, noNullPrototype);
  const requiredKeys = ("requiredKeys" in constraints ? constraints.requiredKeys : void 0) || [];
  for (let idx = 0; idx !== requiredKeys.length; ++idx) {
    const descriptor = Object.getOwnPropertyDescriptor(recordModel, requiredKeys[idx]);
    if (descriptor === void 0) throw new Error(`requiredKeys cannot reference keys that have not been defined in recordModel`);
    if (!descriptor.enumerable) throw new Error(`requiredKeys cannot reference keys that are not enumerable in recordModel`);
  }
  return buildPartialRecordArbitrary(recordModel, requiredKeys, noNullPrototype);
}
var safeObjectCreate$1 = Object.create;
function unlinkedEntitiesForEntityGraph(arbitraries, countFor, unicityConstraintsFor, constraints) {
  const recordModel = safeObjectCreate$1(null);
  for (const name in arbitraries) {
    const entityRecordModel = arbitraries[name];
    const entityArbitrary = record(entityRecordModel, constraints);
    const count2 = countFor(name);
    const unicityConstraints = unicityConstraintsFor(name);
    const arrayConstraints = {
      minLength: count2,
      maxLength: count2
    };
    recordModel[name] = unicityConstraints !== void 0 ? uniqueArray(entityArbitrary, {
      ...arrayConstraints,
      selector: unicityConstraints
    }) : array(entityArbitrary, arrayConstraints);
  }
  return record(recordModel);
}
var safeObjectCreate = Object.create;
var safeObjectKeys = Object.keys;
function entityGraph(arbitraries, relations, constraints = {}) {
  const allKeys = safeObjectKeys(arbitraries);
  const initialPoolConstraints = constraints.initialPoolConstraints || safeObjectCreate(null);
  const unicityConstraints = constraints.unicityConstraints || safeObjectCreate(null);
  const unlinkedContraints = { noNullPrototype: constraints.noNullPrototype };
  return initialPoolForEntityGraph(allKeys, initialPoolConstraints).chain((defaultEntities) => onTheFlyLinksForEntityGraph(relations, defaultEntities).chain((producedLinks) => unlinkedEntitiesForEntityGraph(arbitraries, (name) => producedLinks[name].length, (name) => unicityConstraints[name], unlinkedContraints).map((unlinkedEntities) => unlinkedToLinkedEntitiesMapper(unlinkedEntities, producedLinks))));
}
function wordsToJoinedStringMapper(words) {
  return safeJoin(safeMap(words, (w) => w[w.length - 1] === "," ? safeSubstring(w, 0, w.length - 1) : w), " ");
}
function wordsToJoinedStringUnmapperFor(wordsArbitrary) {
  return function wordsToJoinedStringUnmapper(value) {
    if (typeof value !== "string") throw new Error("Unsupported type");
    const words = [];
    for (const candidate of safeSplit(value, " ")) if (wordsArbitrary.canShrinkWithoutContext(candidate)) safePush(words, candidate);
    else if (wordsArbitrary.canShrinkWithoutContext(candidate + ",")) safePush(words, candidate + ",");
    else throw new Error("Unsupported word");
    return words;
  };
}
function wordsToSentenceMapper(words) {
  let sentence = safeJoin(words, " ");
  if (sentence[sentence.length - 1] === ",") sentence = safeSubstring(sentence, 0, sentence.length - 1);
  return safeToUpperCase(sentence[0]) + safeSubstring(sentence, 1) + ".";
}
function wordsToSentenceUnmapperFor(wordsArbitrary) {
  return function wordsToSentenceUnmapper(value) {
    if (typeof value !== "string") throw new Error("Unsupported type");
    if (value.length < 2 || value[value.length - 1] !== "." || value[value.length - 2] === "," || safeToUpperCase(safeToLowerCase(value[0])) !== value[0]) throw new Error("Unsupported value");
    const adaptedValue = safeToLowerCase(value[0]) + safeSubstring(value, 1, value.length - 1);
    const words = [];
    const candidates = safeSplit(adaptedValue, " ");
    for (let idx = 0; idx !== candidates.length; ++idx) {
      const candidate = candidates[idx];
      if (wordsArbitrary.canShrinkWithoutContext(candidate)) safePush(words, candidate);
      else if (idx === candidates.length - 1 && wordsArbitrary.canShrinkWithoutContext(candidate + ",")) safePush(words, candidate + ",");
      else throw new Error("Unsupported word");
    }
    return words;
  };
}
function sentencesToParagraphMapper(sentences) {
  return safeJoin(sentences, " ");
}
function sentencesToParagraphUnmapper(value) {
  if (typeof value !== "string") throw new Error("Unsupported type");
  const sentences = safeSplit(value, ". ");
  for (let idx = 0; idx < sentences.length - 1; ++idx) sentences[idx] += ".";
  return sentences;
}
var h = (v, w) => {
  return {
    arbitrary: constant2(v),
    weight: w
  };
};
function loremWord() {
  return oneof(h("non", 6), h("adipiscing", 5), h("ligula", 5), h("enim", 5), h("pellentesque", 5), h("in", 5), h("augue", 5), h("et", 5), h("nulla", 5), h("lorem", 4), h("sit", 4), h("sed", 4), h("diam", 4), h("fermentum", 4), h("ut", 4), h("eu", 4), h("aliquam", 4), h("mauris", 4), h("vitae", 4), h("felis", 4), h("ipsum", 3), h("dolor", 3), h("amet,", 3), h("elit", 3), h("euismod", 3), h("mi", 3), h("orci", 3), h("erat", 3), h("praesent", 3), h("egestas", 3), h("leo", 3), h("vel", 3), h("sapien", 3), h("integer", 3), h("curabitur", 3), h("convallis", 3), h("purus", 3), h("risus", 2), h("suspendisse", 2), h("lectus", 2), h("nec,", 2), h("ultricies", 2), h("sed,", 2), h("cras", 2), h("elementum", 2), h("ultrices", 2), h("maecenas", 2), h("massa,", 2), h("varius", 2), h("a,", 2), h("semper", 2), h("proin", 2), h("nec", 2), h("nisl", 2), h("amet", 2), h("duis", 2), h("congue", 2), h("libero", 2), h("vestibulum", 2), h("pede", 2), h("blandit", 2), h("sodales", 2), h("ante", 2), h("nibh", 2), h("ac", 2), h("aenean", 2), h("massa", 2), h("suscipit", 2), h("sollicitudin", 2), h("fusce", 2), h("tempus", 2), h("aliquam,", 2), h("nunc", 2), h("ullamcorper", 2), h("rhoncus", 2), h("metus", 2), h("faucibus,", 2), h("justo", 2), h("magna", 2), h("at", 2), h("tincidunt", 2), h("consectetur", 1), h("tortor,", 1), h("dignissim", 1), h("congue,", 1), h("non,", 1), h("porttitor,", 1), h("nonummy", 1), h("molestie,", 1), h("est", 1), h("eleifend", 1), h("mi,", 1), h("arcu", 1), h("scelerisque", 1), h("vitae,", 1), h("consequat", 1), h("in,", 1), h("pretium", 1), h("volutpat", 1), h("pharetra", 1), h("tempor", 1), h("bibendum", 1), h("odio", 1), h("dui", 1), h("primis", 1), h("faucibus", 1), h("luctus", 1), h("posuere", 1), h("cubilia", 1), h("curae,", 1), h("hendrerit", 1), h("velit", 1), h("mauris,", 1), h("gravida", 1), h("ornare", 1), h("ut,", 1), h("pulvinar", 1), h("varius,", 1), h("turpis", 1), h("nibh,", 1), h("eros", 1), h("id", 1), h("aliquet", 1), h("quis", 1), h("lobortis", 1), h("consectetuer", 1), h("morbi", 1), h("vehicula", 1), h("tortor", 1), h("tellus,", 1), h("id,", 1), h("eu,", 1), h("quam", 1), h("feugiat,", 1), h("posuere,", 1), h("iaculis", 1), h("lectus,", 1), h("tristique", 1), h("mollis,", 1), h("nisl,", 1), h("vulputate", 1), h("sem", 1), h("vivamus", 1), h("placerat", 1), h("imperdiet", 1), h("cursus", 1), h("rutrum", 1), h("iaculis,", 1), h("augue,", 1), h("lacus", 1));
}
function lorem(constraints = {}) {
  const { maxCount, mode = "words", size: size2 } = constraints;
  if (maxCount !== void 0 && maxCount < 1) throw new Error(`lorem has to produce at least one word/sentence`);
  const wordArbitrary = loremWord();
  if (mode === "sentences") return array(array(wordArbitrary, {
    minLength: 1,
    size: "small"
  }).map(wordsToSentenceMapper, wordsToSentenceUnmapperFor(wordArbitrary)), {
    minLength: 1,
    maxLength: maxCount,
    size: size2
  }).map(sentencesToParagraphMapper, sentencesToParagraphUnmapper);
  else return array(wordArbitrary, {
    minLength: 1,
    maxLength: maxCount,
    size: size2
  }).map(wordsToJoinedStringMapper, wordsToJoinedStringUnmapperFor(wordArbitrary));
}
function arrayToMapMapper(data) {
  return new Map(data);
}
function arrayToMapUnmapper(value) {
  if (typeof value !== "object" || value === null) throw new Error("Incompatible instance received: should be a non-null object");
  if (!("constructor" in value) || value.constructor !== Map) throw new Error("Incompatible instance received: should be of exact type Map");
  return Array.from(value);
}
function mapKeyExtractor(entry) {
  return entry[0];
}
function map(keyArb, valueArb, constraints = {}) {
  return uniqueArray(tuple(keyArb, valueArb), {
    minLength: constraints.minKeys,
    maxLength: constraints.maxKeys,
    size: constraints.size,
    selector: mapKeyExtractor,
    depthIdentifier: constraints.depthIdentifier,
    comparator: "SameValueZero"
  }).map(arrayToMapMapper, arrayToMapUnmapper);
}
var contextRemainingDepth = 10;
function memo(builder) {
  const previous = {};
  return ((maxDepth) => {
    const n = maxDepth !== void 0 ? maxDepth : contextRemainingDepth;
    if (!safeHasOwnProperty(previous, n)) {
      const prev = contextRemainingDepth;
      contextRemainingDepth = n - 1;
      previous[n] = builder(n);
      contextRemainingDepth = prev;
    }
    return previous[n];
  });
}
function countToggledBits(n) {
  let count2 = 0;
  while (n > SBigInt2(0)) {
    if (n & SBigInt2(1)) ++count2;
    n >>= SBigInt2(1);
  }
  return count2;
}
function computeNextFlags(flags, nextSize) {
  const allowedMask = (SBigInt2(1) << SBigInt2(nextSize)) - SBigInt2(1);
  const preservedFlags = flags & allowedMask;
  let numMissingFlags = countToggledBits(flags - preservedFlags);
  let nFlags = preservedFlags;
  for (let mask = SBigInt2(1); mask <= allowedMask && numMissingFlags !== 0; mask <<= SBigInt2(1)) if (!(nFlags & mask)) {
    nFlags |= mask;
    --numMissingFlags;
  }
  return nFlags;
}
function computeTogglePositions(chars, toggleCase) {
  const positions = [];
  for (let idx = chars.length - 1; idx !== -1; --idx) if (toggleCase(chars[idx]) !== chars[idx]) safePush(positions, idx);
  return positions;
}
function computeFlagsFromChars(untoggledChars, toggledChars, togglePositions) {
  let flags = SBigInt2(0);
  for (let idx = 0, mask = SBigInt2(1); idx !== togglePositions.length; ++idx, mask <<= SBigInt2(1)) if (untoggledChars[togglePositions[idx]] !== toggledChars[togglePositions[idx]]) flags |= mask;
  return flags;
}
function applyFlagsOnChars(chars, flags, togglePositions, toggleCase) {
  for (let idx = 0, mask = SBigInt2(1); idx !== togglePositions.length; ++idx, mask <<= SBigInt2(1)) if (flags & mask) chars[togglePositions[idx]] = toggleCase(chars[togglePositions[idx]]);
}
var MixedCaseArbitrary = class extends Arbitrary {
  constructor(stringArb, toggleCase, untoggleAll) {
    super();
    this.stringArb = stringArb;
    this.toggleCase = toggleCase;
    this.untoggleAll = untoggleAll;
  }
  /**
  * Create a proper context
  * @param rawStringValue
  * @param flagsValue
  */
  buildContextFor(rawStringValue, flagsValue) {
    return {
      rawString: rawStringValue.value,
      rawStringContext: rawStringValue.context,
      flags: flagsValue.value,
      flagsContext: flagsValue.context
    };
  }
  generate(mrng, biasFactor) {
    const rawStringValue = this.stringArb.generate(mrng, biasFactor);
    const chars = [...rawStringValue.value];
    const togglePositions = computeTogglePositions(chars, this.toggleCase);
    const flagsValue = bigInt(SBigInt2(0), (SBigInt2(1) << SBigInt2(togglePositions.length)) - SBigInt2(1)).generate(mrng, void 0);
    applyFlagsOnChars(chars, flagsValue.value, togglePositions, this.toggleCase);
    return new Value(safeJoin(chars, ""), this.buildContextFor(rawStringValue, flagsValue));
  }
  canShrinkWithoutContext(value) {
    if (typeof value !== "string") return false;
    return this.untoggleAll !== void 0 ? this.stringArb.canShrinkWithoutContext(this.untoggleAll(value)) : this.stringArb.canShrinkWithoutContext(value);
  }
  shrink(value, context2) {
    let contextSafe;
    if (context2 !== void 0) contextSafe = context2;
    else if (this.untoggleAll !== void 0) {
      const untoggledValue = this.untoggleAll(value);
      const valueChars = [...value];
      const untoggledValueChars = [...untoggledValue];
      contextSafe = {
        rawString: untoggledValue,
        rawStringContext: void 0,
        flags: computeFlagsFromChars(untoggledValueChars, valueChars, computeTogglePositions(untoggledValueChars, this.toggleCase)),
        flagsContext: void 0
      };
    } else contextSafe = {
      rawString: value,
      rawStringContext: void 0,
      flags: SBigInt2(0),
      flagsContext: void 0
    };
    const rawString = contextSafe.rawString;
    const flags = contextSafe.flags;
    return this.stringArb.shrink(rawString, contextSafe.rawStringContext).map((nRawStringValue) => {
      const nChars = [...nRawStringValue.value];
      const nTogglePositions = computeTogglePositions(nChars, this.toggleCase);
      const nFlags = computeNextFlags(flags, nTogglePositions.length);
      applyFlagsOnChars(nChars, nFlags, nTogglePositions, this.toggleCase);
      return new Value(safeJoin(nChars, ""), this.buildContextFor(nRawStringValue, new Value(nFlags, void 0)));
    }).join(makeLazy(() => {
      const chars = [...rawString];
      const togglePositions = computeTogglePositions(chars, this.toggleCase);
      return bigInt(SBigInt2(0), (SBigInt2(1) << SBigInt2(togglePositions.length)) - SBigInt2(1)).shrink(flags, contextSafe.flagsContext).map((nFlagsValue) => {
        const nChars = safeSlice(chars);
        applyFlagsOnChars(nChars, nFlagsValue.value, togglePositions, this.toggleCase);
        return new Value(safeJoin(nChars, ""), this.buildContextFor(new Value(rawString, contextSafe.rawStringContext), nFlagsValue));
      });
    }));
  }
};
function defaultToggleCase(rawChar) {
  const upper = safeToUpperCase(rawChar);
  if (upper !== rawChar) return upper;
  return safeToLowerCase(rawChar);
}
function mixedCase(stringArb, constraints) {
  return new MixedCaseArbitrary(stringArb, constraints && constraints.toggleCase || defaultToggleCase, constraints && constraints.untoggleAll);
}
function toTypedMapper$1(data) {
  return SFloat32Array.from(data);
}
function fromTypedUnmapper$1(value) {
  if (!(value instanceof SFloat32Array)) throw new Error("Unexpected type");
  return [...value];
}
function float32Array(constraints = {}) {
  return array(float(constraints), constraints).map(toTypedMapper$1, fromTypedUnmapper$1);
}
function toTypedMapper(data) {
  return SFloat64Array.from(data);
}
function fromTypedUnmapper(value) {
  if (!(value instanceof SFloat64Array)) throw new Error("Unexpected type");
  return [...value];
}
function float64Array(constraints = {}) {
  return array(double(constraints), constraints).map(toTypedMapper, fromTypedUnmapper);
}
function typedIntArrayArbitraryArbitraryBuilder(constraints, defaultMin, defaultMax, TypedArrayClass, arbitraryBuilder) {
  const generatorName = TypedArrayClass.name;
  const { min: min3 = defaultMin, max: max3 = defaultMax, ...arrayConstraints } = constraints;
  if (min3 > max3) throw new Error(`Invalid range passed to ${generatorName}: min must be lower than or equal to max`);
  if (min3 < defaultMin) throw new Error(`Invalid min value passed to ${generatorName}: min must be greater than or equal to ${defaultMin}`);
  if (max3 > defaultMax) throw new Error(`Invalid max value passed to ${generatorName}: max must be lower than or equal to ${defaultMax}`);
  return array(arbitraryBuilder({
    min: min3,
    max: max3
  }), arrayConstraints).map((data) => TypedArrayClass.from(data), (value) => {
    if (!(value instanceof TypedArrayClass)) throw new Error("Invalid type");
    return [...value];
  });
}
function int16Array(constraints = {}) {
  return typedIntArrayArbitraryArbitraryBuilder(constraints, -32768, 32767, SInt16Array, integer);
}
function int32Array(constraints = {}) {
  return typedIntArrayArbitraryArbitraryBuilder(constraints, -2147483648, 2147483647, SInt32Array, integer);
}
function int8Array(constraints = {}) {
  return typedIntArrayArbitraryArbitraryBuilder(constraints, -128, 127, SInt8Array, integer);
}
function uint16Array(constraints = {}) {
  return typedIntArrayArbitraryArbitraryBuilder(constraints, 0, 65535, SUint16Array, integer);
}
function uint32Array(constraints = {}) {
  return typedIntArrayArbitraryArbitraryBuilder(constraints, 0, 4294967295, SUint32Array, integer);
}
function uint8Array(constraints = {}) {
  return typedIntArrayArbitraryArbitraryBuilder(constraints, 0, 255, SUint8Array, integer);
}
function uint8ClampedArray(constraints = {}) {
  return typedIntArrayArbitraryArbitraryBuilder(constraints, 0, 255, SUint8ClampedArray, integer);
}
function isSafeContext(context2) {
  return context2 !== void 0;
}
function toGeneratorValue(value) {
  if (value.hasToBeCloned) return new Value(value.value_, { generatorContext: value.context }, () => value.value);
  return new Value(value.value_, { generatorContext: value.context });
}
function toShrinkerValue(value) {
  if (value.hasToBeCloned) return new Value(value.value_, { shrinkerContext: value.context }, () => value.value);
  return new Value(value.value_, { shrinkerContext: value.context });
}
var WithShrinkFromOtherArbitrary = class extends Arbitrary {
  constructor(generatorArbitrary, shrinkerArbitrary) {
    super();
    this.generatorArbitrary = generatorArbitrary;
    this.shrinkerArbitrary = shrinkerArbitrary;
  }
  generate(mrng, biasFactor) {
    return toGeneratorValue(this.generatorArbitrary.generate(mrng, biasFactor));
  }
  canShrinkWithoutContext(value) {
    return this.shrinkerArbitrary.canShrinkWithoutContext(value);
  }
  shrink(value, context2) {
    if (!isSafeContext(context2)) return this.shrinkerArbitrary.shrink(value, void 0).map(toShrinkerValue);
    if ("generatorContext" in context2) return this.generatorArbitrary.shrink(value, context2.generatorContext).map(toGeneratorValue);
    return this.shrinkerArbitrary.shrink(value, context2.shrinkerContext).map(toShrinkerValue);
  }
};
function restrictedIntegerArbitraryBuilder(min3, maxGenerated, max3) {
  const generatorArbitrary = integer({
    min: min3,
    max: maxGenerated
  });
  if (maxGenerated === max3) return generatorArbitrary;
  return new WithShrinkFromOtherArbitrary(generatorArbitrary, integer({
    min: min3,
    max: max3
  }));
}
var safeMathMin$1 = Math.min;
var safeMathMax = Math.max;
var safeArrayIsArray$1 = SArray.isArray;
var safeObjectEntries = Object.entries;
function extractMaxIndex(indexesAndValues) {
  let maxIndex = -1;
  for (let index2 = 0; index2 !== indexesAndValues.length; ++index2) maxIndex = safeMathMax(maxIndex, indexesAndValues[index2][0]);
  return maxIndex;
}
function arrayFromItems(length, indexesAndValues) {
  const array2 = SArray(length);
  for (let index2 = 0; index2 !== indexesAndValues.length; ++index2) {
    const it = indexesAndValues[index2];
    if (it[0] < length) array2[it[0]] = it[1];
  }
  return array2;
}
function sparseArray(arb, constraints = {}) {
  const { size: size2, minNumElements = 0, maxLength = MaxLengthUpperBound, maxNumElements = maxLength, noTrailingHole, depthIdentifier } = constraints;
  const maxGeneratedLength = maxGeneratedLengthFromSizeForArbitrary(size2, maxGeneratedLengthFromSizeForArbitrary(size2, minNumElements, maxNumElements, constraints.maxNumElements !== void 0), maxLength, constraints.maxLength !== void 0);
  if (minNumElements > maxLength) throw new Error(`The minimal number of non-hole elements cannot be higher than the maximal length of the array`);
  if (minNumElements > maxNumElements) throw new Error(`The minimal number of non-hole elements cannot be higher than the maximal number of non-holes`);
  const resultedMaxNumElements = safeMathMin$1(maxNumElements, maxLength);
  const resultedSizeMaxNumElements = constraints.maxNumElements !== void 0 || size2 !== void 0 ? size2 : "=";
  const sparseArrayNoTrailingHole = uniqueArray(tuple(restrictedIntegerArbitraryBuilder(0, safeMathMax(maxGeneratedLength - 1, 0), safeMathMax(maxLength - 1, 0)), arb), {
    size: resultedSizeMaxNumElements,
    minLength: minNumElements,
    maxLength: resultedMaxNumElements,
    selector: (item) => item[0],
    depthIdentifier
  }).map((items2) => {
    return arrayFromItems(extractMaxIndex(items2) + 1, items2);
  }, (value) => {
    if (!safeArrayIsArray$1(value)) throw new Error("Not supported entry type");
    if (noTrailingHole && value.length !== 0 && !(value.length - 1 in value)) throw new Error("No trailing hole");
    return safeMap(safeObjectEntries(value), (entry) => [Number(entry[0]), entry[1]]);
  });
  if (noTrailingHole || maxLength === minNumElements) return sparseArrayNoTrailingHole;
  return tuple(sparseArrayNoTrailingHole, restrictedIntegerArbitraryBuilder(minNumElements, maxGeneratedLength, maxLength)).map((data) => {
    const sparse = data[0];
    const targetLength = data[1];
    if (sparse.length >= targetLength) return sparse;
    const longerSparse = safeSlice(sparse);
    longerSparse.length = targetLength;
    return longerSparse;
  }, (value) => {
    if (!safeArrayIsArray$1(value)) throw new Error("Not supported entry type");
    return [value, value.length];
  });
}
function arrayToSetMapper(data) {
  return new Set(data);
}
function arrayToSetUnmapper(value) {
  if (typeof value !== "object" || value === null) throw new Error("Incompatible instance received: should be a non-null object");
  if (!("constructor" in value) || value.constructor !== Set) throw new Error("Incompatible instance received: should be of exact type Set");
  return Array.from(value);
}
function set(arb, constraints = {}) {
  return uniqueArray(arb, {
    minLength: constraints.minLength,
    maxLength: constraints.maxLength,
    size: constraints.size,
    depthIdentifier: constraints.depthIdentifier,
    comparator: "SameValueZero"
  }).map(arrayToSetMapper, arrayToSetUnmapper);
}
function dictOf(ka, va, maxKeys, size2, depthIdentifier, withNullPrototype) {
  return dictionary(ka, va, {
    maxKeys,
    noNullPrototype: !withNullPrototype,
    size: size2,
    depthIdentifier
  });
}
function typedArray(constraints) {
  return oneof(int8Array(constraints), uint8Array(constraints), uint8ClampedArray(constraints), int16Array(constraints), uint16Array(constraints), int32Array(constraints), uint32Array(constraints), float32Array(constraints), float64Array(constraints));
}
function anyArbitraryBuilder(constraints) {
  const arbitrariesForBase = constraints.values;
  const depthSize = constraints.depthSize;
  const depthIdentifier = createDepthIdentifier();
  const maxDepth = constraints.maxDepth;
  const maxKeys = constraints.maxKeys;
  const size2 = constraints.size;
  const baseArb = oneof(...arbitrariesForBase, ...constraints.withBigInt ? [bigInt()] : [], ...constraints.withDate ? [date()] : []);
  return letrec((tie) => ({
    anything: oneof({
      maxDepth,
      depthSize,
      depthIdentifier
    }, baseArb, tie("array"), tie("object"), ...constraints.withMap ? [tie("map")] : [], ...constraints.withSet ? [tie("set")] : [], ...constraints.withObjectString ? [tie("anything").map((o) => stringify(o))] : [], ...constraints.withTypedArray ? [typedArray({
      maxLength: maxKeys,
      size: size2
    })] : [], ...constraints.withSparseArray ? [sparseArray(tie("anything"), {
      maxNumElements: maxKeys,
      size: size2,
      depthIdentifier
    })] : []),
    keys: constraints.withObjectString ? oneof({
      arbitrary: constraints.key,
      weight: 10
    }, {
      arbitrary: tie("anything").map((o) => stringify(o)),
      weight: 1
    }) : constraints.key,
    array: array(tie("anything"), {
      maxLength: maxKeys,
      size: size2,
      depthIdentifier
    }),
    set: set(tie("anything"), {
      maxLength: maxKeys,
      size: size2,
      depthIdentifier
    }),
    map: oneof(map(tie("keys"), tie("anything"), {
      maxKeys,
      size: size2,
      depthIdentifier
    }), map(tie("anything"), tie("anything"), {
      maxKeys,
      size: size2,
      depthIdentifier
    })),
    object: dictOf(tie("keys"), tie("anything"), maxKeys, size2, depthIdentifier, constraints.withNullPrototype)
  })).anything;
}
function unboxedToBoxedMapper(value) {
  switch (typeof value) {
    case "boolean":
      return new SBoolean(value);
    case "number":
      return new SNumber(value);
    case "string":
      return new SString(value);
    default:
      return value;
  }
}
function unboxedToBoxedUnmapper(value) {
  if (typeof value !== "object" || value === null || !("constructor" in value)) return value;
  return value.constructor === SBoolean || value.constructor === SNumber || value.constructor === SString ? value.valueOf() : value;
}
function boxedArbitraryBuilder(arb) {
  return arb.map(unboxedToBoxedMapper, unboxedToBoxedUnmapper);
}
function defaultValues(constraints, stringArbitrary) {
  return [
    boolean(),
    maxSafeInteger(),
    double(),
    stringArbitrary(constraints),
    oneof(stringArbitrary(constraints), constant2(null), constant2(void 0))
  ];
}
function boxArbitraries(arbs) {
  return arbs.map((arb) => boxedArbitraryBuilder(arb));
}
function boxArbitrariesIfNeeded(arbs, boxEnabled) {
  return boxEnabled ? boxArbitraries(arbs).concat(arbs) : arbs;
}
function toQualifiedObjectConstraints(settings = {}) {
  const valueConstraints = {
    size: settings.size,
    unit: "stringUnit" in settings ? settings.stringUnit : settings.withUnicodeString ? "binary" : void 0
  };
  return {
    key: settings.key !== void 0 ? settings.key : string(valueConstraints),
    values: boxArbitrariesIfNeeded(settings.values !== void 0 ? settings.values : defaultValues(valueConstraints, string), settings.withBoxedValues === true),
    depthSize: settings.depthSize,
    maxDepth: settings.maxDepth,
    maxKeys: settings.maxKeys,
    size: settings.size,
    withSet: settings.withSet === true,
    withMap: settings.withMap === true,
    withObjectString: settings.withObjectString === true,
    withNullPrototype: settings.withNullPrototype === true,
    withBigInt: settings.withBigInt === true,
    withDate: settings.withDate === true,
    withTypedArray: settings.withTypedArray === true,
    withSparseArray: settings.withSparseArray === true
  };
}
function objectInternal(constraints) {
  return dictionary(constraints.key, anyArbitraryBuilder(constraints), {
    maxKeys: constraints.maxKeys,
    noNullPrototype: !constraints.withNullPrototype,
    size: constraints.size
  });
}
function object(constraints) {
  return objectInternal(toQualifiedObjectConstraints(constraints));
}
function jsonConstraintsBuilder(stringArbitrary, constraints) {
  const { depthSize, maxDepth } = constraints;
  return {
    key: stringArbitrary,
    values: [
      boolean(),
      double({
        noDefaultInfinity: true,
        noNaN: true
      }),
      stringArbitrary,
      constant2(null)
    ],
    depthSize,
    maxDepth
  };
}
function anything(constraints) {
  return anyArbitraryBuilder(toQualifiedObjectConstraints(constraints));
}
function jsonValue(constraints = {}) {
  const noUnicodeString = constraints.noUnicodeString === void 0 || constraints.noUnicodeString === true;
  return anything(jsonConstraintsBuilder("stringUnit" in constraints ? string({ unit: constraints.stringUnit }) : noUnicodeString ? string() : string({ unit: "binary" }), constraints));
}
var safeJsonStringify = JSON.stringify;
var safeJsonParse = JSON.parse;
function jsonStringUnmapper(value) {
  if (typeof value !== "string") throw new SError("Cannot unmap the passed value");
  return safeJsonParse(value);
}
function json(constraints = {}) {
  return jsonValue(constraints).map(safeJsonStringify, jsonStringUnmapper);
}
var safeObjectDefineProperties = Object.defineProperties;
function prettyPrint(numSeen, seenValuesStrings) {
  return `Stream(${seenValuesStrings !== void 0 ? `${safeJoin(seenValuesStrings, ",")}\u2026` : `${numSeen} emitted`})`;
}
var StreamArbitrary = class extends Arbitrary {
  constructor(arb, history) {
    super();
    this.arb = arb;
    this.history = history;
  }
  generate(mrng, biasFactor) {
    const appliedBiasFactor = biasFactor !== void 0 && mrng.nextInt(1, biasFactor) === 1 ? biasFactor : void 0;
    const enrichedProducer = () => {
      const seenValues = this.history ? [] : null;
      let numSeenValues = 0;
      const g = function* (arb, clonedMrng) {
        while (true) {
          const value = arb.generate(clonedMrng, appliedBiasFactor).value;
          numSeenValues++;
          if (seenValues !== null) safePush(seenValues, value);
          yield value;
        }
      };
      const s = new Stream(g(this.arb, mrng.clone()));
      return safeObjectDefineProperties(s, {
        toString: { value: () => prettyPrint(numSeenValues, seenValues !== null ? seenValues.map(stringify) : void 0) },
        [toStringMethod]: { value: () => prettyPrint(numSeenValues, seenValues !== null ? seenValues.map(stringify) : void 0) },
        [asyncToStringMethod]: { value: async () => prettyPrint(numSeenValues, seenValues !== null ? await Promise.all(seenValues.map(asyncStringify)) : void 0) },
        [cloneMethod]: {
          value: enrichedProducer,
          enumerable: true
        }
      });
    };
    return new Value(enrichedProducer(), void 0);
  }
  canShrinkWithoutContext(_value) {
    return false;
  }
  shrink(_value, _context) {
    return Stream.nil();
  }
};
function infiniteStream(arb, constraints) {
  return new StreamArbitrary(arb, constraints !== void 0 && typeof constraints === "object" && "noHistory" in constraints ? !constraints.noHistory : true);
}
function codePointsToStringMapper(tab) {
  return safeJoin(tab, "");
}
function codePointsToStringUnmapper(value) {
  if (typeof value !== "string") throw new Error("Cannot unmap the passed value");
  return [...value];
}
function stringToBase64Mapper(s) {
  switch (s.length % 4) {
    case 0:
      return s;
    case 3:
      return `${s}=`;
    case 2:
      return `${s}==`;
    default:
      return safeSubstring(s, 1);
  }
}
function stringToBase64Unmapper(value) {
  if (typeof value !== "string" || value.length % 4 !== 0) throw new Error("Invalid string received");
  const lastTrailingIndex = value.indexOf("=");
  if (lastTrailingIndex === -1) return value;
  if (value.length - lastTrailingIndex > 2) throw new Error("Cannot unmap the passed value");
  return safeSubstring(value, 0, lastTrailingIndex);
}
var safeStringFromCharCode = String.fromCharCode;
function base64Mapper(v) {
  if (v < 26) return safeStringFromCharCode(v + 65);
  if (v < 52) return safeStringFromCharCode(v + 97 - 26);
  if (v < 62) return safeStringFromCharCode(v + 48 - 52);
  return v === 62 ? "+" : "/";
}
function base64Unmapper(s) {
  if (typeof s !== "string" || s.length !== 1) throw new SError("Invalid entry");
  const v = safeCharCodeAt(s, 0);
  if (v >= 65 && v <= 90) return v - 65;
  if (v >= 97 && v <= 122) return v - 97 + 26;
  if (v >= 48 && v <= 57) return v - 48 + 52;
  return v === 43 ? 62 : v === 47 ? 63 : -1;
}
function base64() {
  return integer({
    min: 0,
    max: 63
  }).map(base64Mapper, base64Unmapper);
}
function base64String(constraints = {}) {
  const { minLength: unscaledMinLength = 0, maxLength: unscaledMaxLength = MaxLengthUpperBound, size: size2 } = constraints;
  const minLength = unscaledMinLength + 3 - (unscaledMinLength + 3) % 4;
  const maxLength = unscaledMaxLength - unscaledMaxLength % 4;
  const requestedSize = constraints.maxLength === void 0 && size2 === void 0 ? "=" : size2;
  if (minLength > maxLength) throw new SError("Minimal length should be inferior or equal to maximal length");
  if (minLength % 4 !== 0) throw new SError("Minimal length of base64 strings must be a multiple of 4");
  if (maxLength % 4 !== 0) throw new SError("Maximal length of base64 strings must be a multiple of 4");
  const charArbitrary = base64();
  return array(charArbitrary, {
    minLength,
    maxLength,
    size: requestedSize,
    experimentalCustomSlices: createSlicesForStringLegacy(charArbitrary, codePointsToStringUnmapper)
  }).map(codePointsToStringMapper, codePointsToStringUnmapper).map(stringToBase64Mapper, stringToBase64Unmapper);
}
var safeObjectIs = Object.is;
function isSubarrayOf(source2, small) {
  const countMap = new SMap$2();
  let countMinusZero = 0;
  for (const sourceEntry of source2) if (safeObjectIs(sourceEntry, -0)) ++countMinusZero;
  else safeMapSet(countMap, sourceEntry, (safeMapGet(countMap, sourceEntry) || 0) + 1);
  for (let index2 = 0; index2 !== small.length; ++index2) {
    if (!(index2 in small)) return false;
    const smallEntry = small[index2];
    if (safeObjectIs(smallEntry, -0)) {
      if (countMinusZero === 0) return false;
      --countMinusZero;
    } else {
      const oldCount = safeMapGet(countMap, smallEntry) || 0;
      if (oldCount === 0) return false;
      safeMapSet(countMap, smallEntry, oldCount - 1);
    }
  }
  return true;
}
var safeMathFloor$1 = Math.floor;
var safeMathLog = Math.log;
var safeArrayIsArray = Array.isArray;
var SubarrayArbitrary = class extends Arbitrary {
  constructor(originalArray, isOrdered, minLength, maxLength) {
    super();
    this.originalArray = originalArray;
    this.isOrdered = isOrdered;
    this.minLength = minLength;
    this.maxLength = maxLength;
    if (minLength < 0 || minLength > originalArray.length) throw new Error("fc.*{s|S}ubarrayOf expects the minimal length to be between 0 and the size of the original array");
    if (maxLength < 0 || maxLength > originalArray.length) throw new Error("fc.*{s|S}ubarrayOf expects the maximal length to be between 0 and the size of the original array");
    if (minLength > maxLength) throw new Error("fc.*{s|S}ubarrayOf expects the minimal length to be inferior or equal to the maximal length");
    this.lengthArb = new IntegerArbitrary(minLength, maxLength);
    this.biasedLengthArb = minLength !== maxLength ? new IntegerArbitrary(minLength, minLength + safeMathFloor$1(safeMathLog(maxLength - minLength) / safeMathLog(2))) : this.lengthArb;
  }
  generate(mrng, biasFactor) {
    const size2 = (biasFactor !== void 0 && mrng.nextInt(1, biasFactor) === 1 ? this.biasedLengthArb : this.lengthArb).generate(mrng, void 0);
    const sizeValue = size2.value;
    const remainingElements = safeMap(this.originalArray, (_v, idx) => idx);
    const ids = [];
    for (let index2 = 0; index2 !== sizeValue; ++index2) {
      const selectedIdIndex = mrng.nextInt(0, remainingElements.length - 1);
      safePush(ids, remainingElements[selectedIdIndex]);
      safeSplice(remainingElements, selectedIdIndex, 1);
    }
    if (this.isOrdered) safeSort(ids, (a, b) => a - b);
    return new Value(safeMap(ids, (i) => this.originalArray[i]), size2.context);
  }
  canShrinkWithoutContext(value) {
    if (!safeArrayIsArray(value)) return false;
    if (!this.lengthArb.canShrinkWithoutContext(value.length)) return false;
    return isSubarrayOf(this.originalArray, value);
  }
  shrink(value, context2) {
    if (value.length === 0) return Stream.nil();
    return this.lengthArb.shrink(value.length, context2).map((newSize) => {
      return new Value(safeSlice(value, value.length - newSize.value), newSize.context);
    }).join(value.length > this.minLength ? makeLazy(() => this.shrink(safeSlice(value, 1), void 0).filter((newValue) => this.minLength <= newValue.value.length + 1).map((newValue) => new Value([value[0], ...newValue.value], void 0))) : Stream.nil());
  }
};
function subarray(originalArray, constraints = {}) {
  const { minLength = 0, maxLength = originalArray.length } = constraints;
  return new SubarrayArbitrary(originalArray, true, minLength, maxLength);
}
function shuffledSubarray(originalArray, constraints = {}) {
  const { minLength = 0, maxLength = originalArray.length } = constraints;
  return new SubarrayArbitrary(originalArray, false, minLength, maxLength);
}
var encodeSymbolLookupTable = {
  10: "A",
  11: "B",
  12: "C",
  13: "D",
  14: "E",
  15: "F",
  16: "G",
  17: "H",
  18: "J",
  19: "K",
  20: "M",
  21: "N",
  22: "P",
  23: "Q",
  24: "R",
  25: "S",
  26: "T",
  27: "V",
  28: "W",
  29: "X",
  30: "Y",
  31: "Z"
};
var decodeSymbolLookupTable = {
  "0": 0,
  "1": 1,
  "2": 2,
  "3": 3,
  "4": 4,
  "5": 5,
  "6": 6,
  "7": 7,
  "8": 8,
  "9": 9,
  A: 10,
  B: 11,
  C: 12,
  D: 13,
  E: 14,
  F: 15,
  G: 16,
  H: 17,
  J: 18,
  K: 19,
  M: 20,
  N: 21,
  P: 22,
  Q: 23,
  R: 24,
  S: 25,
  T: 26,
  V: 27,
  W: 28,
  X: 29,
  Y: 30,
  Z: 31
};
function encodeSymbol(symbol) {
  return symbol < 10 ? SString(symbol) : encodeSymbolLookupTable[symbol];
}
function pad(value, paddingLength) {
  let extraPadding = "";
  while (value.length + extraPadding.length < paddingLength) extraPadding += "0";
  return extraPadding + value;
}
function smallUintToBase32StringMapper(num) {
  let base32Str = "";
  for (let remaining = num; remaining !== 0; ) {
    const next = remaining >> 5;
    base32Str = encodeSymbol(remaining - (next << 5)) + base32Str;
    remaining = next;
  }
  return base32Str;
}
function uintToBase32StringMapper(num, paddingLength) {
  const head = ~~(num / 1073741824);
  const tail = num & 1073741823;
  return pad(smallUintToBase32StringMapper(head), paddingLength - 6) + pad(smallUintToBase32StringMapper(tail), 6);
}
function paddedUintToBase32StringMapper(paddingLength) {
  return function padded2(num) {
    return uintToBase32StringMapper(num, paddingLength);
  };
}
function uintToBase32StringUnmapper(value) {
  if (typeof value !== "string") throw new SError("Unsupported type");
  let accumulated = 0;
  let power = 1;
  for (let index2 = value.length - 1; index2 >= 0; --index2) {
    const char = value[index2];
    const numericForChar = decodeSymbolLookupTable[char];
    if (numericForChar === void 0) throw new SError("Unsupported type");
    accumulated += numericForChar * power;
    power *= 32;
  }
  return accumulated;
}
var padded10Mapper = paddedUintToBase32StringMapper(10);
var padded8Mapper = paddedUintToBase32StringMapper(8);
function ulidMapper(parts) {
  return padded10Mapper(parts[0]) + padded8Mapper(parts[1]) + padded8Mapper(parts[2]);
}
function ulidUnmapper(value) {
  if (typeof value !== "string" || value.length !== 26) throw new Error("Unsupported type");
  return [
    uintToBase32StringUnmapper(value.slice(0, 10)),
    uintToBase32StringUnmapper(value.slice(10, 18)),
    uintToBase32StringUnmapper(value.slice(18))
  ];
}
function ulid() {
  return tuple(integer({
    min: 0,
    max: 281474976710655
  }), integer({
    min: 0,
    max: 1099511627775
  }), integer({
    min: 0,
    max: 1099511627775
  })).map(ulidMapper, ulidUnmapper);
}
function numberToPaddedEightMapper(n) {
  return safePadStart(safeNumberToString(n, 16), 8, "0");
}
function numberToPaddedEightUnmapper(value) {
  if (typeof value !== "string") throw new Error("Unsupported type");
  if (value.length !== 8) throw new Error("Unsupported value: invalid length");
  const n = parseInt(value, 16);
  if (value !== numberToPaddedEightMapper(n)) throw new Error("Unsupported value: invalid content");
  return n;
}
function buildPaddedNumberArbitrary(min3, max3) {
  return integer({
    min: min3,
    max: max3
  }).map(numberToPaddedEightMapper, numberToPaddedEightUnmapper);
}
function paddedEightsToUuidMapper(t) {
  return `${t[0]}-${safeSubstring(t[1], 4)}-${safeSubstring(t[1], 0, 4)}-${safeSubstring(t[2], 0, 4)}-${safeSubstring(t[2], 4)}${t[3]}`;
}
var UuidRegex = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/;
function paddedEightsToUuidUnmapper(value) {
  if (typeof value !== "string") throw new Error("Unsupported type");
  const m = UuidRegex.exec(value);
  if (m === null) throw new Error("Unsupported type");
  return [
    m[1],
    m[3] + m[2],
    m[4] + safeSubstring(m[5], 0, 4),
    safeSubstring(m[5], 4)
  ];
}
var quickNumberToHexaString = "0123456789abcdef";
function buildVersionsAppliersForUuid(versions) {
  const mapping = {};
  const reversedMapping = {};
  for (let index2 = 0; index2 !== versions.length; ++index2) {
    const from = quickNumberToHexaString[index2];
    const to = quickNumberToHexaString[versions[index2]];
    mapping[from] = to;
    reversedMapping[to] = from;
  }
  function versionsApplierMapper(value) {
    return mapping[value[0]] + safeSubstring(value, 1);
  }
  function versionsApplierUnmapper(value) {
    if (typeof value !== "string") throw new SError("Cannot produce non-string values");
    const rev = reversedMapping[value[0]];
    if (rev === void 0) throw new SError("Cannot produce strings not starting by the version in hexa code");
    return rev + safeSubstring(value, 1);
  }
  return {
    versionsApplierMapper,
    versionsApplierUnmapper
  };
}
function assertValidVersions(versions) {
  const found = {};
  for (const version of versions) {
    if (found[version]) throw new SError(`Version ${version} has been requested at least twice for uuid`);
    found[version] = true;
    if (version < 1 || version > 15) throw new SError(`Version must be a value in [1-15] for uuid, but received ${version}`);
    if (~~version !== version) throw new SError(`Version must be an integer value for uuid, but received ${version}`);
  }
  if (versions.length === 0) throw new SError(`Must provide at least one version for uuid`);
}
function uuid(constraints = {}) {
  const padded2 = buildPaddedNumberArbitrary(0, 4294967295);
  const version = constraints.version !== void 0 ? typeof constraints.version === "number" ? [constraints.version] : constraints.version : [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8
  ];
  assertValidVersions(version);
  const { versionsApplierMapper, versionsApplierUnmapper } = buildVersionsAppliersForUuid(version);
  return tuple(padded2, buildPaddedNumberArbitrary(0, 268435456 * version.length - 1).map(versionsApplierMapper, versionsApplierUnmapper), buildPaddedNumberArbitrary(2147483648, 3221225471), padded2).map(paddedEightsToUuidMapper, paddedEightsToUuidUnmapper);
}
function hostUserInfo(size2) {
  return string({
    unit: getOrCreateAlphaNumericPercentArbitrary("-._~!$&'()*+,;=:"),
    size: size2
  });
}
function userHostPortMapper([u, h3, p]) {
  return (u === null ? "" : `${u}@`) + h3 + (p === null ? "" : `:${p}`);
}
function userHostPortUnmapper(value) {
  if (typeof value !== "string") throw new Error("Unsupported");
  const atPosition = value.indexOf("@");
  const user = atPosition !== -1 ? value.substring(0, atPosition) : null;
  const m = /:(\d+)$/.exec(value);
  const port = m !== null ? Number(m[1]) : null;
  return [
    user,
    m !== null ? value.substring(atPosition + 1, value.length - m[1].length - 1) : value.substring(atPosition + 1),
    port
  ];
}
function bracketedMapper(s) {
  return `[${s}]`;
}
function bracketedUnmapper(value) {
  if (typeof value !== "string" || value[0] !== "[" || value[value.length - 1] !== "]") throw new Error("Unsupported");
  return value.substring(1, value.length - 1);
}
function webAuthority(constraints) {
  const c2 = constraints || {};
  const size2 = c2.size;
  const hostnameArbs = [
    domain({ size: size2 }),
    ...c2.withIPv4 === true ? [ipV4()] : [],
    ...c2.withIPv6 === true ? [ipV6().map(bracketedMapper, bracketedUnmapper)] : [],
    ...c2.withIPv4Extended === true ? [ipV4Extended()] : []
  ];
  return tuple(c2.withUserInfo === true ? option(hostUserInfo(size2)) : constant2(null), oneof(...hostnameArbs), c2.withPort === true ? option(nat(65535)) : constant2(null)).map(userHostPortMapper, userHostPortUnmapper);
}
function buildUriQueryOrFragmentArbitrary(size2) {
  return string({
    unit: getOrCreateAlphaNumericPercentArbitrary("-._~!$&'()*+,;=:@/?"),
    size: size2
  });
}
function webFragments(constraints = {}) {
  return buildUriQueryOrFragmentArbitrary(constraints.size);
}
function webSegment(constraints = {}) {
  return string({
    unit: getOrCreateAlphaNumericPercentArbitrary("-._~!$&'()*+,;=:@"),
    size: constraints.size
  });
}
function segmentsToPathMapper(segments) {
  let path = "";
  for (let index2 = 0; index2 !== segments.length; ++index2) path += "/" + segments[index2];
  return path;
}
function segmentsToPathUnmapper(value) {
  if (typeof value !== "string") throw new Error("Incompatible value received: type");
  if (value.length !== 0 && value[0] !== "/") throw new Error("Incompatible value received: start");
  return safeSplice(safeSplit(value, "/"), 1);
}
function sqrtSize(size2) {
  switch (size2) {
    case "xsmall":
      return ["xsmall", "xsmall"];
    case "small":
      return ["small", "xsmall"];
    case "medium":
      return ["small", "small"];
    case "large":
      return ["medium", "small"];
    case "xlarge":
      return ["medium", "medium"];
  }
}
function buildUriPathArbitraryInternal(segmentSize, numSegmentSize) {
  return array(webSegment({ size: segmentSize }), { size: numSegmentSize }).map(segmentsToPathMapper, segmentsToPathUnmapper);
}
function buildUriPathArbitrary(resolvedSize) {
  const [segmentSize, numSegmentSize] = sqrtSize(resolvedSize);
  if (segmentSize === numSegmentSize) return buildUriPathArbitraryInternal(segmentSize, numSegmentSize);
  return oneof(buildUriPathArbitraryInternal(segmentSize, numSegmentSize), buildUriPathArbitraryInternal(numSegmentSize, segmentSize));
}
function webPath(constraints) {
  return buildUriPathArbitrary(resolveSize((constraints || {}).size));
}
function webQueryParameters(constraints = {}) {
  return buildUriQueryOrFragmentArbitrary(constraints.size);
}
function partsToUrlMapper(data) {
  const [scheme, authority, path] = data;
  return `${scheme}://${authority}${path}${data[3] === null ? "" : `?${data[3]}`}${data[4] === null ? "" : `#${data[4]}`}`;
}
var UrlSplitRegex = /^([[A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*)?(#[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*)?$/;
function partsToUrlUnmapper(value) {
  if (typeof value !== "string") throw new Error("Incompatible value received: type");
  const m = UrlSplitRegex.exec(value);
  if (m === null) throw new Error("Incompatible value received");
  const scheme = m[1];
  const authority = m[2];
  const path = m[3];
  const query = m[4];
  const fragments = m[5];
  return [
    scheme,
    authority,
    path,
    query !== void 0 ? query.substring(1) : null,
    fragments !== void 0 ? fragments.substring(1) : null
  ];
}
function webUrl(constraints) {
  const c2 = constraints || {};
  const resolvedSize = resolveSize(c2.size);
  const resolvedAuthoritySettingsSize = c2.authoritySettings !== void 0 && c2.authoritySettings.size !== void 0 ? relativeSizeToSize(c2.authoritySettings.size, resolvedSize) : resolvedSize;
  const resolvedAuthoritySettings = {
    ...c2.authoritySettings,
    size: resolvedAuthoritySettingsSize
  };
  return tuple(constantFrom(...c2.validSchemes || ["http", "https"]), webAuthority(resolvedAuthoritySettings), webPath({ size: resolvedSize }), c2.withQueryParameters === true ? option(webQueryParameters({ size: resolvedSize })) : constant2(null), c2.withFragments === true ? option(webFragments({ size: resolvedSize })) : constant2(null)).map(partsToUrlMapper, partsToUrlUnmapper);
}
var CommandsIterable = class CommandsIterable2 {
  constructor(commands2, metadataForReplay) {
    this.commands = commands2;
    this.metadataForReplay = metadataForReplay;
    this[cloneMethod] = function() {
      return new CommandsIterable2(this.commands.map((c2) => c2.clone()), this.metadataForReplay);
    };
  }
  [Symbol.iterator]() {
    return this.commands[Symbol.iterator]();
  }
  toString() {
    const serializedCommands = this.commands.filter((c2) => c2.hasRan).map((c2) => c2.toString()).join(",");
    const metadata = this.metadataForReplay();
    return metadata.length !== 0 ? `${serializedCommands} /*${metadata}*/` : serializedCommands;
  }
};
var CommandWrapper = class CommandWrapper2 {
  constructor(cmd) {
    this.cmd = cmd;
    this.hasRan = false;
    if (hasToStringMethod(cmd)) {
      const method = cmd[toStringMethod];
      this[toStringMethod] = function toStringMethod2() {
        return method.call(cmd);
      };
    }
    if (hasAsyncToStringMethod(cmd)) {
      const method = cmd[asyncToStringMethod];
      this[asyncToStringMethod] = function asyncToStringMethod2() {
        return method.call(cmd);
      };
    }
  }
  check(m) {
    return this.cmd.check(m);
  }
  run(m, r) {
    this.hasRan = true;
    return this.cmd.run(m, r);
  }
  clone() {
    if (hasCloneMethod(this.cmd)) return new CommandWrapper2(this.cmd[cloneMethod]());
    return new CommandWrapper2(this.cmd);
  }
  toString() {
    return this.cmd.toString();
  }
};
var ReplayPath = class {
  /** Parse a serialized replayPath */
  static parse(replayPathStr) {
    const [serializedCount, serializedChanges] = replayPathStr.split(":");
    const counts = this.parseCounts(serializedCount);
    const changes = this.parseChanges(serializedChanges);
    return this.parseOccurences(counts, changes);
  }
  /** Stringify a replayPath */
  static stringify(replayPath) {
    const occurences = this.countOccurences(replayPath);
    return `${this.stringifyCounts(occurences)}:${this.stringifyChanges(occurences)}`;
  }
  /** Number to Base64 value */
  static intToB64(n) {
    if (n < 26) return String.fromCharCode(n + 65);
    if (n < 52) return String.fromCharCode(n + 97 - 26);
    if (n < 62) return String.fromCharCode(n + 48 - 52);
    return String.fromCharCode(n === 62 ? 43 : 47);
  }
  /** Base64 value to number */
  static b64ToInt(c2) {
    if (c2 >= "a") return c2.charCodeAt(0) - 97 + 26;
    if (c2 >= "A") return c2.charCodeAt(0) - 65;
    if (c2 >= "0") return c2.charCodeAt(0) - 48 + 52;
    return c2 === "+" ? 62 : 63;
  }
  /**
  * Divide an incoming replayPath into an array of {value, count}
  * with count is the number of consecutive occurences of value (with a max set to 64)
  *
  * Above 64, another {value, count} is created
  */
  static countOccurences(replayPath) {
    return replayPath.reduce((counts, cur) => {
      if (counts.length === 0 || counts[counts.length - 1].count === 64 || counts[counts.length - 1].value !== cur) counts.push({
        value: cur,
        count: 1
      });
      else counts[counts.length - 1].count += 1;
      return counts;
    }, []);
  }
  /**
  * Serialize an array of {value, count} back to its replayPath
  */
  static parseOccurences(counts, changes) {
    const replayPath = [];
    for (let idx = 0; idx !== counts.length; ++idx) {
      const count2 = counts[idx];
      const value = changes[idx];
      for (let num = 0; num !== count2; ++num) replayPath.push(value);
    }
    return replayPath;
  }
  /**
  * Stringify the switch from true to false of occurences
  *
  * {value: 0}, {value: 1}, {value: 1}, {value: 0}
  * will be stringified as: 6 = (1 * 0) + (2 * 1) + (4 * 1) + (8 * 0)
  *
  * {value: 0}, {value: 1}, {value: 1}, {value: 0}, {value: 1}, {value: 0}, {value: 1}, {value: 0}
  * will be stringified as: 22, 1 [only 6 values encoded in one number]
  */
  static stringifyChanges(occurences) {
    let serializedChanges = "";
    for (let idx = 0; idx < occurences.length; idx += 6) {
      const changesInt = occurences.slice(idx, idx + 6).reduceRight((prev, cur) => (prev << 1) + (cur.value ? 1 : 0), 0);
      serializedChanges += this.intToB64(changesInt);
    }
    return serializedChanges;
  }
  /**
  * Parse switch of value
  */
  static parseChanges(serializedChanges) {
    const changesInt = serializedChanges.split("").map((c2) => this.b64ToInt(c2));
    const changes = [];
    for (let idx = 0; idx !== changesInt.length; ++idx) {
      let current = changesInt[idx];
      for (let n = 0; n !== 6; ++n, current >>= 1) changes.push(current % 2 === 1);
    }
    return changes;
  }
  /**
  * Stringify counts of occurences
  */
  static stringifyCounts(occurences) {
    return occurences.map(({ count: count2 }) => this.intToB64(count2 - 1)).join("");
  }
  /**
  * Parse counts
  */
  static parseCounts(serializedCount) {
    return serializedCount.split("").map((c2) => this.b64ToInt(c2) + 1);
  }
};
var CommandsArbitrary = class extends Arbitrary {
  constructor(commandArbs, maxGeneratedCommands, maxCommands, sourceReplayPath, disableReplayLog) {
    super();
    this.sourceReplayPath = sourceReplayPath;
    this.disableReplayLog = disableReplayLog;
    this.oneCommandArb = oneof(...commandArbs).map((c2) => new CommandWrapper(c2));
    this.lengthArb = restrictedIntegerArbitraryBuilder(0, maxGeneratedCommands, maxCommands);
    this.replayPath = [];
    this.replayPathPosition = 0;
  }
  metadataForReplay() {
    return this.disableReplayLog ? "" : `replayPath=${JSON.stringify(ReplayPath.stringify(this.replayPath))}`;
  }
  buildValueFor(items2, shrunkOnce) {
    const commands2 = items2.map((item) => item.value_);
    const context2 = {
      shrunkOnce,
      items: items2
    };
    return new Value(new CommandsIterable(commands2, () => this.metadataForReplay()), context2);
  }
  generate(mrng) {
    const sizeValue = this.lengthArb.generate(mrng, void 0).value;
    const items2 = Array(sizeValue);
    for (let idx = 0; idx !== sizeValue; ++idx) {
      const item = this.oneCommandArb.generate(mrng, void 0);
      items2[idx] = item;
    }
    this.replayPathPosition = 0;
    return this.buildValueFor(items2, false);
  }
  canShrinkWithoutContext(_value) {
    return false;
  }
  /** Filter commands based on the real status of the execution */
  filterOnExecution(itemsRaw) {
    const items2 = [];
    for (const c2 of itemsRaw) if (c2.value_.hasRan) {
      this.replayPath.push(true);
      items2.push(c2);
    } else this.replayPath.push(false);
    return items2;
  }
  /** Filter commands based on the internal replay state */
  filterOnReplay(itemsRaw) {
    return itemsRaw.filter((c2, idx) => {
      const state = this.replayPath[this.replayPathPosition + idx];
      if (state === void 0) throw new Error(`Too short replayPath`);
      if (!state && c2.value_.hasRan) throw new Error(`Mismatch between replayPath and real execution`);
      return state;
    });
  }
  /** Filter commands for shrinking purposes */
  filterForShrinkImpl(itemsRaw) {
    if (this.replayPathPosition === 0) this.replayPath = this.sourceReplayPath !== null ? ReplayPath.parse(this.sourceReplayPath) : [];
    const items2 = this.replayPathPosition < this.replayPath.length ? this.filterOnReplay(itemsRaw) : this.filterOnExecution(itemsRaw);
    this.replayPathPosition += itemsRaw.length;
    return items2;
  }
  shrink(_value, context2) {
    if (context2 === void 0) return Stream.nil();
    const safeContext = context2;
    const shrunkOnce = safeContext.shrunkOnce;
    const itemsRaw = safeContext.items;
    const items2 = this.filterForShrinkImpl(itemsRaw);
    if (items2.length === 0) return Stream.nil();
    const rootShrink = shrunkOnce ? Stream.nil() : new Stream([[]][Symbol.iterator]());
    const nextShrinks = [];
    for (let numToKeep = 0; numToKeep !== items2.length; ++numToKeep) nextShrinks.push(makeLazy(() => {
      const fixedStart = items2.slice(0, numToKeep);
      return this.lengthArb.shrink(items2.length - 1 - numToKeep, void 0).map((l) => fixedStart.concat(items2.slice(items2.length - (l.value + 1))));
    }));
    for (let itemAt = 0; itemAt !== items2.length; ++itemAt) nextShrinks.push(makeLazy(() => this.oneCommandArb.shrink(items2[itemAt].value_, items2[itemAt].context).map((v) => items2.slice(0, itemAt).concat([v], items2.slice(itemAt + 1)))));
    return rootShrink.join(...nextShrinks).map((shrinkables) => {
      return this.buildValueFor(shrinkables.map((c2) => new Value(c2.value_.clone(), c2.context)), true);
    });
  }
};
function commands(commandArbs, constraints = {}) {
  const { size: size2, maxCommands = MaxLengthUpperBound, disableReplayLog = false, replayPath = null } = constraints;
  return new CommandsArbitrary(commandArbs, maxGeneratedLengthFromSizeForArbitrary(size2, 0, maxCommands, constraints.maxCommands !== void 0), maxCommands, replayPath, disableReplayLog);
}
var ScheduledCommand = class {
  constructor(s, cmd) {
    this.s = s;
    this.cmd = cmd;
  }
  async check(m) {
    let error = null;
    let checkPassed = false;
    if ((await this.s.scheduleSequence([{
      label: `check@${this.cmd.toString()}`,
      builder: async () => {
        try {
          checkPassed = await Promise.resolve(this.cmd.check(m));
        } catch (err) {
          error = err;
          throw err;
        }
      }
    }]).task).faulty) throw error;
    return checkPassed;
  }
  async run(m, r) {
    let error = null;
    if ((await this.s.scheduleSequence([{
      label: `run@${this.cmd.toString()}`,
      builder: async () => {
        try {
          await this.cmd.run(m, r);
        } catch (err) {
          error = err;
          throw err;
        }
      }
    }]).task).faulty) throw error;
  }
};
var scheduleCommands = function* (s, cmds) {
  for (const cmd of cmds) yield new ScheduledCommand(s, cmd);
};
var genericModelRun = (s, cmds, initialValue, runCmd, then) => {
  return s.then((o) => {
    const { model, real: real4 } = o;
    let state = initialValue;
    for (const c2 of cmds) state = then(state, () => {
      return runCmd(c2, model, real4);
    });
    return state;
  });
};
var internalModelRun = (s, cmds) => {
  const then = (_p, c2) => c2();
  const setupProducer = { then: (fun) => {
    fun(s());
  } };
  const runSync = (cmd, m, r) => {
    if (cmd.check(m)) cmd.run(m, r);
  };
  return genericModelRun(setupProducer, cmds, void 0, runSync, then);
};
var isAsyncSetup = (s) => {
  return typeof s.then === "function";
};
var internalAsyncModelRun = async (s, cmds, defaultPromise = Promise.resolve()) => {
  const then = (p, c2) => p.then(c2);
  const setupProducer = { then: (fun) => {
    const out = s();
    if (isAsyncSetup(out)) return out.then(fun);
    else return fun(out);
  } };
  const runAsync = async (cmd, m, r) => {
    if (await cmd.check(m)) await cmd.run(m, r);
  };
  return await genericModelRun(setupProducer, cmds, defaultPromise, runAsync, then);
};
function modelRun(s, cmds) {
  internalModelRun(s, cmds);
}
async function asyncModelRun(s, cmds) {
  await internalAsyncModelRun(s, cmds);
}
async function scheduledModelRun(scheduler2, s, cmds) {
  const scheduledCommands = scheduleCommands(scheduler2, cmds);
  const out = internalAsyncModelRun(s, scheduledCommands, scheduler2.schedule(Promise.resolve(), "startModel"));
  await scheduler2.waitFor(out);
  await scheduler2.waitAll();
}
var defaultSchedulerAct = (f) => f();
var SchedulerImplem = class SchedulerImplem2 {
  constructor(act, taskSelector) {
    this.act = act;
    this.taskSelector = taskSelector;
    this.lastTaskId = 0;
    this.sourceTaskSelector = taskSelector.clone();
    this.scheduledTasks = [];
    this.triggeredTasks = [];
    this.scheduledWatchers = [];
    this[cloneMethod] = function() {
      return new SchedulerImplem2(this.act, this.sourceTaskSelector);
    };
  }
  static buildLog(reportItem) {
    return `[task\${${reportItem.taskId}}] ${reportItem.label.length !== 0 ? `${reportItem.schedulingType}::${reportItem.label}` : reportItem.schedulingType} ${reportItem.status}${reportItem.outputValue !== void 0 ? ` with value ${escapeForTemplateString(reportItem.outputValue)}` : ""}`;
  }
  log(schedulingType, taskId, label, metadata, status, data) {
    this.triggeredTasks.push({
      status,
      schedulingType,
      taskId,
      label,
      metadata,
      outputValue: data !== void 0 ? stringify(data) : void 0
    });
  }
  scheduleInternal(schedulingType, label, task, metadata, customAct, thenTaskToBeAwaited) {
    const taskId = ++this.lastTaskId;
    let trigger = void 0;
    const scheduledPromise = new Promise((resolve, reject) => {
      trigger = () => {
        const promise = Promise.resolve(thenTaskToBeAwaited !== void 0 ? task.then(() => thenTaskToBeAwaited()) : task);
        promise.then((data) => {
          this.log(schedulingType, taskId, label, metadata, "resolved", data);
          resolve(data);
        }, (err) => {
          this.log(schedulingType, taskId, label, metadata, "rejected", err);
          reject(err);
        });
        return promise;
      };
    });
    this.scheduledTasks.push({
      original: task,
      trigger,
      schedulingType,
      taskId,
      label,
      metadata,
      customAct
    });
    if (this.scheduledWatchers.length !== 0) this.scheduledWatchers[0]();
    return scheduledPromise;
  }
  schedule(task, label, metadata, customAct) {
    return this.scheduleInternal("promise", label || "", task, metadata, customAct || defaultSchedulerAct);
  }
  scheduleFunction(asyncFunction, customAct) {
    return (...args) => this.scheduleInternal("function", `${asyncFunction.name}(${args.map(stringify).join(",")})`, asyncFunction(...args), void 0, customAct || defaultSchedulerAct);
  }
  scheduleSequence(sequenceBuilders, customAct) {
    const status = {
      done: false,
      faulty: false
    };
    const dummyResolvedPromise = { then: (f) => f() };
    let resolveSequenceTask = () => {
    };
    const sequenceTask = new Promise((resolve) => {
      resolveSequenceTask = () => resolve({
        done: status.done,
        faulty: status.faulty
      });
    });
    const onFaultyItemNoThrow = () => {
      status.faulty = true;
      resolveSequenceTask();
    };
    const onDone = () => {
      status.done = true;
      resolveSequenceTask();
    };
    const registerNextBuilder = (index2, previous) => {
      if (index2 >= sequenceBuilders.length) {
        previous.then(onDone, onFaultyItemNoThrow);
        return;
      }
      previous.then(() => {
        const item = sequenceBuilders[index2];
        const [builder, label, metadata] = typeof item === "function" ? [
          item,
          item.name,
          void 0
        ] : [
          item.builder,
          item.label,
          item.metadata
        ];
        const scheduled = this.scheduleInternal("sequence", label, dummyResolvedPromise, metadata, customAct || defaultSchedulerAct, () => builder());
        registerNextBuilder(index2 + 1, scheduled);
      }, onFaultyItemNoThrow);
    };
    registerNextBuilder(0, dummyResolvedPromise);
    return Object.assign(status, { task: sequenceTask });
  }
  count() {
    return this.scheduledTasks.length;
  }
  internalWaitOne() {
    if (this.scheduledTasks.length === 0) throw new Error("No task scheduled");
    const taskIndex = this.taskSelector.nextTaskIndex(this.scheduledTasks);
    const [scheduledTask] = this.scheduledTasks.splice(taskIndex, 1);
    return scheduledTask.customAct(() => {
      return scheduledTask.trigger().catch((_err) => {
      });
    });
  }
  waitOne(customAct) {
    const waitAct = customAct || defaultSchedulerAct;
    return this.act(() => waitAct(() => this.internalWaitOne()));
  }
  async waitAll(customAct) {
    while (this.scheduledTasks.length > 0) await this.waitOne(customAct);
  }
  async internalWaitFor(unscheduledTask, options) {
    let taskResolved = false;
    const customAct = options.customAct;
    const onWaitStart = options.onWaitStart;
    const onWaitIdle = options.onWaitIdle;
    const launchAwaiterOnInit = options.launchAwaiterOnInit;
    let resolveFinal = void 0;
    let rejectFinal = void 0;
    let awaiterTicks = 0;
    let awaiterPromise = null;
    let awaiterScheduledTaskPromise = null;
    const awaiter = async () => {
      awaiterTicks = 50;
      for (awaiterTicks = 50; !taskResolved && awaiterTicks > 0; --awaiterTicks) await Promise.resolve();
      if (!taskResolved && this.scheduledTasks.length > 0) {
        if (onWaitStart !== void 0) onWaitStart();
        awaiterScheduledTaskPromise = this.waitOne(customAct);
        return awaiterScheduledTaskPromise.then(() => {
          awaiterScheduledTaskPromise = null;
          return awaiter();
        }, (err) => {
          awaiterScheduledTaskPromise = null;
          taskResolved = true;
          rejectFinal(err);
          throw err;
        });
      }
      if (!taskResolved && onWaitIdle !== void 0) onWaitIdle();
      awaiterPromise = null;
    };
    const handleNotified = () => {
      if (awaiterPromise !== null) {
        awaiterTicks = 51;
        return;
      }
      awaiterPromise = awaiter().catch(() => {
      });
    };
    const clearAndReplaceWatcher = () => {
      const handleNotifiedIndex = this.scheduledWatchers.indexOf(handleNotified);
      if (handleNotifiedIndex !== -1) this.scheduledWatchers.splice(handleNotifiedIndex, 1);
      if (handleNotifiedIndex === 0 && this.scheduledWatchers.length !== 0) this.scheduledWatchers[0]();
    };
    const finalTask = new Promise((resolve, reject) => {
      resolveFinal = (value) => {
        clearAndReplaceWatcher();
        resolve(value);
      };
      rejectFinal = (error) => {
        clearAndReplaceWatcher();
        reject(error);
      };
    });
    unscheduledTask.then((ret) => {
      taskResolved = true;
      if (awaiterScheduledTaskPromise === null) resolveFinal(ret);
      else awaiterScheduledTaskPromise.then(() => resolveFinal(ret), (error) => rejectFinal(error));
    }, (err) => {
      taskResolved = true;
      if (awaiterScheduledTaskPromise === null) rejectFinal(err);
      else awaiterScheduledTaskPromise.then(() => rejectFinal(err), () => rejectFinal(err));
    });
    if ((this.scheduledTasks.length > 0 || launchAwaiterOnInit) && this.scheduledWatchers.length === 0) handleNotified();
    this.scheduledWatchers.push(handleNotified);
    return finalTask;
  }
  waitNext(count2, customAct) {
    let resolver = void 0;
    let remaining = count2;
    const awaited = remaining <= 0 ? Promise.resolve() : new Promise((r) => {
      resolver = () => {
        if (--remaining <= 0) r();
      };
    });
    return this.internalWaitFor(awaited, {
      customAct,
      onWaitStart: resolver,
      onWaitIdle: void 0,
      launchAwaiterOnInit: false
    });
  }
  waitIdle(customAct) {
    let resolver = void 0;
    const awaited = new Promise((r) => resolver = r);
    return this.internalWaitFor(awaited, {
      customAct,
      onWaitStart: void 0,
      onWaitIdle: resolver,
      launchAwaiterOnInit: true
    });
  }
  waitFor(unscheduledTask, customAct) {
    return this.internalWaitFor(unscheduledTask, {
      customAct,
      onWaitStart: void 0,
      onWaitIdle: void 0,
      launchAwaiterOnInit: false
    });
  }
  report() {
    return [...this.triggeredTasks, ...this.scheduledTasks.map((t) => ({
      status: "pending",
      schedulingType: t.schedulingType,
      taskId: t.taskId,
      label: t.label,
      metadata: t.metadata
    }))];
  }
  toString() {
    return "schedulerFor()`\n" + this.report().map(SchedulerImplem2.buildLog).map((log) => `-> ${log}`).join("\n") + "`";
  }
};
function buildNextTaskIndex$1(ordering) {
  let numTasks = 0;
  return {
    clone: () => buildNextTaskIndex$1(ordering),
    nextTaskIndex: (scheduledTasks) => {
      if (ordering.length <= numTasks) throw new Error(`Invalid schedulerFor defined: too many tasks have been scheduled`);
      const taskIndex = scheduledTasks.findIndex((t) => t.taskId === ordering[numTasks]);
      if (taskIndex === -1) throw new Error(`Invalid schedulerFor defined: unable to find next task`);
      ++numTasks;
      return taskIndex;
    }
  };
}
function buildSchedulerFor(act, ordering) {
  return new SchedulerImplem(act, buildNextTaskIndex$1(ordering));
}
function buildNextTaskIndex(mrng) {
  const clonedMrng = mrng.clone();
  return {
    clone: () => buildNextTaskIndex(clonedMrng),
    nextTaskIndex: (scheduledTasks) => {
      return mrng.nextInt(0, scheduledTasks.length - 1);
    }
  };
}
var SchedulerArbitrary = class extends Arbitrary {
  constructor(act) {
    super();
    this.act = act;
  }
  generate(mrng, _biasFactor) {
    return new Value(new SchedulerImplem(this.act, buildNextTaskIndex(mrng.clone())), void 0);
  }
  canShrinkWithoutContext(_value) {
    return false;
  }
  shrink(_value, _context) {
    return Stream.nil();
  }
};
function scheduler(constraints) {
  const { act = (f) => f() } = constraints || {};
  return new SchedulerArbitrary(act);
}
function schedulerFor(customOrderingOrConstraints, constraintsOrUndefined) {
  const { act = (f) => f() } = Array.isArray(customOrderingOrConstraints) ? constraintsOrUndefined || {} : customOrderingOrConstraints || {};
  if (Array.isArray(customOrderingOrConstraints)) return buildSchedulerFor(act, customOrderingOrConstraints);
  return function(_strs, ...ordering) {
    return buildSchedulerFor(act, ordering);
  };
}
function bigInt64Array(constraints = {}) {
  return typedIntArrayArbitraryArbitraryBuilder(constraints, SBigInt2("-9223372036854775808"), SBigInt2("9223372036854775807"), SBigInt64Array, bigInt);
}
function bigUint64Array(constraints = {}) {
  return typedIntArrayArbitraryArbitraryBuilder(constraints, SBigInt2(0), SBigInt2("18446744073709551615"), SBigUint64Array, bigInt);
}
function noSuchValue(_value, returnedValue) {
  return returnedValue;
}
var safeMathFloor = Math.floor;
var safeMathMin = Math.min;
function clampRegexAstInternal(astNode, maxLength) {
  switch (astNode.type) {
    case "Char":
      return {
        astNode,
        minLength: 1
      };
    case "Repetition":
      switch (astNode.quantifier.kind) {
        case "*": {
          const clamped = clampRegexAstInternal(astNode.expression, maxLength);
          return {
            astNode: {
              type: "Repetition",
              quantifier: {
                ...astNode.quantifier,
                kind: "Range",
                from: 0,
                to: maxLength
              },
              expression: clamped.astNode
            },
            minLength: 0
          };
        }
        case "+": {
          const clamped = clampRegexAstInternal(astNode.expression, maxLength);
          const scaledClampedMinLength = clamped.minLength > 1 ? clamped.minLength : 1;
          return {
            astNode: {
              type: "Repetition",
              quantifier: {
                ...astNode.quantifier,
                kind: "Range",
                from: 1,
                to: safeMathFloor(maxLength / scaledClampedMinLength)
              },
              expression: clamped.astNode
            },
            minLength: clamped.minLength
          };
        }
        case "?": {
          const clamped = clampRegexAstInternal(astNode.expression, maxLength);
          if (maxLength < clamped.minLength) return {
            astNode: {
              type: "Repetition",
              quantifier: {
                ...astNode.quantifier,
                kind: "Range",
                from: 0,
                to: 0
              },
              expression: clamped.astNode
            },
            minLength: 0
          };
          return {
            astNode: {
              ...astNode,
              expression: clamped.astNode
            },
            minLength: 0
          };
        }
        case "Range": {
          const scaledMaxLength = astNode.quantifier.from > 1 ? safeMathFloor(maxLength / astNode.quantifier.from) : maxLength;
          const clamped = clampRegexAstInternal(astNode.expression, scaledMaxLength);
          const scaledClampedMinLength = clamped.minLength > 1 ? clamped.minLength : 1;
          if (astNode.quantifier.to === void 0 || astNode.quantifier.to * scaledClampedMinLength > maxLength) return {
            astNode: {
              type: "Repetition",
              quantifier: {
                ...astNode.quantifier,
                kind: "Range",
                to: safeMathFloor(maxLength / scaledClampedMinLength)
              },
              expression: clamped.astNode
            },
            minLength: astNode.quantifier.from * clamped.minLength
          };
          return {
            astNode: {
              ...astNode,
              expression: clamped.astNode
            },
            minLength: astNode.quantifier.from * clamped.minLength
          };
        }
        default:
          return noSuchValue(astNode.quantifier, {
            astNode,
            minLength: 0
          });
      }
    case "Quantifier":
      return {
        astNode,
        minLength: 0
      };
    case "Alternative": {
      let totalMinLength = 0;
      const extendedClampeds = [];
      for (let index2 = 0; index2 !== astNode.expressions.length; ++index2) {
        const temporaryAllowance = maxLength - totalMinLength;
        const clamped = clampRegexAstInternal(astNode.expressions[index2], temporaryAllowance);
        totalMinLength += clamped.minLength;
        safePush(extendedClampeds, {
          value: clamped,
          allowance: temporaryAllowance
        });
      }
      const refinedExpressions = [];
      for (let index2 = 0; index2 !== extendedClampeds.length; ++index2) {
        const current = extendedClampeds[index2].value;
        const pastAllowance = extendedClampeds[index2].allowance;
        const allowance = maxLength - totalMinLength + current.minLength;
        safePush(refinedExpressions, (allowance !== pastAllowance ? clampRegexAstInternal(current.astNode, allowance) : current).astNode);
      }
      return {
        astNode: {
          ...astNode,
          expressions: refinedExpressions
        },
        minLength: totalMinLength
      };
    }
    case "CharacterClass":
      return {
        astNode,
        minLength: 1
      };
    case "ClassRange":
      return {
        astNode,
        minLength: 1
      };
    case "Group": {
      const clamped = clampRegexAstInternal(astNode.expression, maxLength);
      return {
        astNode: {
          ...astNode,
          expression: clamped.astNode
        },
        minLength: clamped.minLength
      };
    }
    case "Disjunction": {
      if (astNode.left === null) {
        if (astNode.right === null) return {
          astNode,
          minLength: 0
        };
        const clampedRight2 = clampRegexAstInternal(astNode.right, maxLength);
        const refinedRight = clampedRight2.minLength > maxLength ? null : clampedRight2.astNode;
        return {
          astNode: {
            ...astNode,
            left: null,
            right: refinedRight
          },
          minLength: 0
        };
      }
      if (astNode.right === null) {
        const clampLeft = clampRegexAstInternal(astNode.left, maxLength);
        const refinedLeft = clampLeft.minLength > maxLength ? null : clampLeft.astNode;
        return {
          astNode: {
            ...astNode,
            left: refinedLeft,
            right: null
          },
          minLength: 0
        };
      }
      const clampedLeft = clampRegexAstInternal(astNode.left, maxLength);
      const clampedRight = clampRegexAstInternal(astNode.right, maxLength);
      if (clampedLeft.minLength > maxLength) return clampedRight;
      if (clampedRight.minLength > maxLength) return clampedLeft;
      return {
        astNode: {
          ...astNode,
          left: clampedLeft.astNode,
          right: clampedRight.astNode
        },
        minLength: safeMathMin(clampedLeft.minLength, clampedRight.minLength)
      };
    }
    case "Assertion":
      return {
        astNode,
        minLength: 0
      };
    case "Backreference":
      return {
        astNode,
        minLength: 0
      };
    case "UnicodeProperty":
      return {
        astNode,
        minLength: 1
      };
  }
}
function clampRegexAst(astNode, maxLength) {
  return clampRegexAstInternal(astNode, maxLength).astNode;
}
function raiseUnsupportedASTNode$1(astNode) {
  return /* @__PURE__ */ new Error(`Unsupported AST node! Received: ${stringify(astNode)}`);
}
function addMissingDotStarTraversalAddMissing(astNode, isFirst, isLast) {
  if (!isFirst && !isLast) return astNode;
  const traversalResults = {
    hasStart: false,
    hasEnd: false
  };
  const revampedNode = addMissingDotStarTraversal(astNode, isFirst, isLast, traversalResults);
  const missingStart = isFirst && !traversalResults.hasStart;
  const missingEnd = isLast && !traversalResults.hasEnd;
  if (!missingStart && !missingEnd) return revampedNode;
  const expressions = [];
  if (missingStart) {
    expressions.push({
      type: "Assertion",
      kind: "^"
    });
    expressions.push({
      type: "Repetition",
      quantifier: {
        type: "Quantifier",
        kind: "*",
        greedy: true
      },
      expression: {
        type: "Char",
        kind: "meta",
        symbol: ".",
        value: ".",
        codePoint: NaN
      }
    });
  }
  expressions.push(revampedNode);
  if (missingEnd) {
    expressions.push({
      type: "Repetition",
      quantifier: {
        type: "Quantifier",
        kind: "*",
        greedy: true
      },
      expression: {
        type: "Char",
        kind: "meta",
        symbol: ".",
        value: ".",
        codePoint: NaN
      }
    });
    expressions.push({
      type: "Assertion",
      kind: "$"
    });
  }
  return {
    type: "Group",
    capturing: false,
    expression: {
      type: "Alternative",
      expressions
    }
  };
}
function addMissingDotStarTraversal(astNode, isFirst, isLast, traversalResults) {
  switch (astNode.type) {
    case "Char":
      return astNode;
    case "Repetition":
      return astNode;
    case "Quantifier":
      throw new Error(`Wrongly defined AST tree, Quantifier nodes not supposed to be scanned!`);
    case "Alternative":
      traversalResults.hasStart = true;
      traversalResults.hasEnd = true;
      return {
        ...astNode,
        expressions: astNode.expressions.map((node, index2) => addMissingDotStarTraversalAddMissing(node, isFirst && index2 === 0, isLast && index2 === astNode.expressions.length - 1))
      };
    case "CharacterClass":
      return astNode;
    case "ClassRange":
      return astNode;
    case "Group":
      return {
        ...astNode,
        expression: addMissingDotStarTraversal(astNode.expression, isFirst, isLast, traversalResults)
      };
    case "Disjunction":
      traversalResults.hasStart = true;
      traversalResults.hasEnd = true;
      return {
        ...astNode,
        left: astNode.left !== null ? addMissingDotStarTraversalAddMissing(astNode.left, isFirst, isLast) : null,
        right: astNode.right !== null ? addMissingDotStarTraversalAddMissing(astNode.right, isFirst, isLast) : null
      };
    case "Assertion":
      if (astNode.kind === "^" || astNode.kind === "Lookahead") {
        traversalResults.hasStart = true;
        return astNode;
      } else if (astNode.kind === "$" || astNode.kind === "Lookbehind") {
        traversalResults.hasEnd = true;
        return astNode;
      } else throw new Error(`Assertions of kind ${astNode.kind} not implemented yet!`);
    case "Backreference":
      return astNode;
    case "UnicodeProperty":
      return astNode;
    default:
      throw raiseUnsupportedASTNode$1(astNode);
  }
}
function addMissingDotStar(astNode) {
  return addMissingDotStarTraversalAddMissing(astNode, true, true);
}
function charSizeAt(text, pos) {
  return text[pos] >= "\uD800" && text[pos] <= "\uDBFF" && text[pos + 1] >= "\uDC00" && text[pos + 1] <= "\uDFFF" ? 2 : 1;
}
function isHexaDigit(char) {
  return char >= "0" && char <= "9" || char >= "a" && char <= "f" || char >= "A" && char <= "F";
}
function isDigit$1(char) {
  return char >= "0" && char <= "9";
}
function squaredBracketBlockContentEndFrom(text, from) {
  for (let index2 = from; index2 !== text.length; ++index2) {
    const char = text[index2];
    if (char === "\\") index2 += 1;
    else if (char === "]") return index2;
  }
  throw new Error(`Missing closing ']'`);
}
function parenthesisBlockContentEndFrom(text, from) {
  let numExtraOpened = 0;
  for (let index2 = from; index2 !== text.length; ++index2) {
    const char = text[index2];
    if (char === "\\") index2 += 1;
    else if (char === ")") {
      if (numExtraOpened === 0) return index2;
      numExtraOpened -= 1;
    } else if (char === "[") index2 = squaredBracketBlockContentEndFrom(text, index2);
    else if (char === "(") numExtraOpened += 1;
  }
  throw new Error(`Missing closing ')'`);
}
function curlyBracketBlockContentEndFrom(text, from) {
  let foundComma = false;
  for (let index2 = from; index2 !== text.length; ++index2) {
    const char = text[index2];
    if (isDigit$1(char)) {
    } else if (from === index2) return -1;
    else if (char === ",") {
      if (foundComma) return -1;
      foundComma = true;
    } else if (char === "}") return index2;
    else return -1;
  }
  return -1;
}
function blockEndFrom(text, from, unicodeMode, mode) {
  switch (text[from]) {
    case "[":
      if (mode === 1) return from + 1;
      return squaredBracketBlockContentEndFrom(text, from + 1) + 1;
    case "{": {
      if (mode === 1) return from + 1;
      const foundEnd = curlyBracketBlockContentEndFrom(text, from + 1);
      if (foundEnd === -1) return from + 1;
      return foundEnd + 1;
    }
    case "(":
      if (mode === 1) return from + 1;
      return parenthesisBlockContentEndFrom(text, from + 1) + 1;
    case "]":
    case "}":
    case ")":
      return from + 1;
    case "\\": {
      const next1 = text[from + 1];
      switch (next1) {
        case "x":
          if (isHexaDigit(text[from + 2]) && isHexaDigit(text[from + 3])) return from + 4;
          throw new Error(`Unexpected token '${text.substring(from, from + 4)}' found`);
        case "u":
          if (text[from + 2] === "{") {
            if (!unicodeMode) return from + 2;
            if (text[from + 4] === "}") {
              if (isHexaDigit(text[from + 3])) return from + 5;
              throw new Error(`Unexpected token '${text.substring(from, from + 5)}' found`);
            }
            if (text[from + 5] === "}") {
              if (isHexaDigit(text[from + 3]) && isHexaDigit(text[from + 4])) return from + 6;
              throw new Error(`Unexpected token '${text.substring(from, from + 6)}' found`);
            }
            if (text[from + 6] === "}") {
              if (isHexaDigit(text[from + 3]) && isHexaDigit(text[from + 4]) && isHexaDigit(text[from + 5])) return from + 7;
              throw new Error(`Unexpected token '${text.substring(from, from + 7)}' found`);
            }
            if (text[from + 7] === "}") {
              if (isHexaDigit(text[from + 3]) && isHexaDigit(text[from + 4]) && isHexaDigit(text[from + 5]) && isHexaDigit(text[from + 6])) return from + 8;
              throw new Error(`Unexpected token '${text.substring(from, from + 8)}' found`);
            }
            if (text[from + 8] === "}" && isHexaDigit(text[from + 3]) && isHexaDigit(text[from + 4]) && isHexaDigit(text[from + 5]) && isHexaDigit(text[from + 6]) && isHexaDigit(text[from + 7])) return from + 9;
            throw new Error(`Unexpected token '${text.substring(from, from + 9)}' found`);
          }
          if (isHexaDigit(text[from + 2]) && isHexaDigit(text[from + 3]) && isHexaDigit(text[from + 4]) && isHexaDigit(text[from + 5])) return from + 6;
          throw new Error(`Unexpected token '${text.substring(from, from + 6)}' found`);
        case "p":
        case "P": {
          if (!unicodeMode) return from + 2;
          let subIndex = from + 2;
          for (; subIndex < text.length && text[subIndex] !== "}"; subIndex += text[subIndex] === "\\" ? 2 : 1) ;
          if (text[subIndex] !== "}") throw new Error(`Invalid \\P definition`);
          return subIndex + 1;
        }
        case "k": {
          let subIndex = from + 2;
          for (; subIndex < text.length && text[subIndex] !== ">"; ++subIndex) ;
          if (text[subIndex] !== ">") {
            if (!unicodeMode) return from + 2;
            throw new Error(`Invalid \\k definition`);
          }
          return subIndex + 1;
        }
        default:
          if (isDigit$1(next1)) {
            const maxIndex = unicodeMode ? text.length : Math.min(from + 4, text.length);
            let subIndex = from + 2;
            for (; subIndex < maxIndex && isDigit$1(text[subIndex]); ++subIndex) ;
            return subIndex;
          }
          return from + (unicodeMode ? charSizeAt(text, from + 1) : 1) + 1;
      }
    }
    default:
      return from + (unicodeMode ? charSizeAt(text, from) : 1);
  }
}
function readFrom(text, from, unicodeMode, mode) {
  const to = blockEndFrom(text, from, unicodeMode, mode);
  return text.substring(from, to);
}
var NON_BINARY_ALIASES_TO_PROP_NAMES = {
  gc: "General_Category",
  sc: "Script",
  scx: "Script_Extensions"
};
var BINARY_PROP_NAMES_TO_ALIASES = {
  ASCII: "ASCII",
  ASCII_Hex_Digit: "AHex",
  Alphabetic: "Alpha",
  Any: "Any",
  Assigned: "Assigned",
  Bidi_Control: "Bidi_C",
  Bidi_Mirrored: "Bidi_M",
  Case_Ignorable: "CI",
  Cased: "Cased",
  Changes_When_Casefolded: "CWCF",
  Changes_When_Casemapped: "CWCM",
  Changes_When_Lowercased: "CWL",
  Changes_When_NFKC_Casefolded: "CWKCF",
  Changes_When_Titlecased: "CWT",
  Changes_When_Uppercased: "CWU",
  Dash: "Dash",
  Default_Ignorable_Code_Point: "DI",
  Deprecated: "Dep",
  Diacritic: "Dia",
  Emoji: "Emoji",
  Emoji_Component: "Emoji_Component",
  Emoji_Modifier: "Emoji_Modifier",
  Emoji_Modifier_Base: "Emoji_Modifier_Base",
  Emoji_Presentation: "Emoji_Presentation",
  Extended_Pictographic: "Extended_Pictographic",
  Extender: "Ext",
  Grapheme_Base: "Gr_Base",
  Grapheme_Extend: "Gr_Ext",
  Hex_Digit: "Hex",
  IDS_Binary_Operator: "IDSB",
  IDS_Trinary_Operator: "IDST",
  ID_Continue: "IDC",
  ID_Start: "IDS",
  Ideographic: "Ideo",
  Join_Control: "Join_C",
  Logical_Order_Exception: "LOE",
  Lowercase: "Lower",
  Math: "Math",
  Noncharacter_Code_Point: "NChar",
  Pattern_Syntax: "Pat_Syn",
  Pattern_White_Space: "Pat_WS",
  Quotation_Mark: "QMark",
  Radical: "Radical",
  Regional_Indicator: "RI",
  Sentence_Terminal: "STerm",
  Soft_Dotted: "SD",
  Terminal_Punctuation: "Term",
  Unified_Ideograph: "UIdeo",
  Uppercase: "Upper",
  Variation_Selector: "VS",
  White_Space: "space",
  XID_Continue: "XIDC",
  XID_Start: "XIDS"
};
var BINARY_ALIASES_TO_PROP_NAMES = inverseMap(BINARY_PROP_NAMES_TO_ALIASES);
var GENERAL_CATEGORY_VALUE_TO_ALIASES = {
  Cased_Letter: "LC",
  Close_Punctuation: "Pe",
  Connector_Punctuation: "Pc",
  Control: ["Cc", "cntrl"],
  Currency_Symbol: "Sc",
  Dash_Punctuation: "Pd",
  Decimal_Number: ["Nd", "digit"],
  Enclosing_Mark: "Me",
  Final_Punctuation: "Pf",
  Format: "Cf",
  Initial_Punctuation: "Pi",
  Letter: "L",
  Letter_Number: "Nl",
  Line_Separator: "Zl",
  Lowercase_Letter: "Ll",
  Mark: ["M", "Combining_Mark"],
  Math_Symbol: "Sm",
  Modifier_Letter: "Lm",
  Modifier_Symbol: "Sk",
  Nonspacing_Mark: "Mn",
  Number: "N",
  Open_Punctuation: "Ps",
  Other: "C",
  Other_Letter: "Lo",
  Other_Number: "No",
  Other_Punctuation: "Po",
  Other_Symbol: "So",
  Paragraph_Separator: "Zp",
  Private_Use: "Co",
  Punctuation: ["P", "punct"],
  Separator: "Z",
  Space_Separator: "Zs",
  Spacing_Mark: "Mc",
  Surrogate: "Cs",
  Symbol: "S",
  Titlecase_Letter: "Lt",
  Unassigned: "Cn",
  Uppercase_Letter: "Lu"
};
var GENERAL_CATEGORY_VALUE_ALIASES_TO_VALUES = inverseMap(GENERAL_CATEGORY_VALUE_TO_ALIASES);
var SCRIPT_VALUE_TO_ALIASES = {
  Adlam: "Adlm",
  Ahom: "Ahom",
  Anatolian_Hieroglyphs: "Hluw",
  Arabic: "Arab",
  Armenian: "Armn",
  Avestan: "Avst",
  Balinese: "Bali",
  Bamum: "Bamu",
  Bassa_Vah: "Bass",
  Batak: "Batk",
  Bengali: "Beng",
  Bhaiksuki: "Bhks",
  Bopomofo: "Bopo",
  Brahmi: "Brah",
  Braille: "Brai",
  Buginese: "Bugi",
  Buhid: "Buhd",
  Canadian_Aboriginal: "Cans",
  Carian: "Cari",
  Caucasian_Albanian: "Aghb",
  Chakma: "Cakm",
  Cham: "Cham",
  Cherokee: "Cher",
  Common: "Zyyy",
  Coptic: ["Copt", "Qaac"],
  Cuneiform: "Xsux",
  Cypriot: "Cprt",
  Cyrillic: "Cyrl",
  Deseret: "Dsrt",
  Devanagari: "Deva",
  Dogra: "Dogr",
  Duployan: "Dupl",
  Egyptian_Hieroglyphs: "Egyp",
  Elbasan: "Elba",
  Ethiopic: "Ethi",
  Georgian: "Geor",
  Glagolitic: "Glag",
  Gothic: "Goth",
  Grantha: "Gran",
  Greek: "Grek",
  Gujarati: "Gujr",
  Gunjala_Gondi: "Gong",
  Gurmukhi: "Guru",
  Han: "Hani",
  Hangul: "Hang",
  Hanifi_Rohingya: "Rohg",
  Hanunoo: "Hano",
  Hatran: "Hatr",
  Hebrew: "Hebr",
  Hiragana: "Hira",
  Imperial_Aramaic: "Armi",
  Inherited: ["Zinh", "Qaai"],
  Inscriptional_Pahlavi: "Phli",
  Inscriptional_Parthian: "Prti",
  Javanese: "Java",
  Kaithi: "Kthi",
  Kannada: "Knda",
  Katakana: "Kana",
  Kayah_Li: "Kali",
  Kharoshthi: "Khar",
  Khmer: "Khmr",
  Khojki: "Khoj",
  Khudawadi: "Sind",
  Lao: "Laoo",
  Latin: "Latn",
  Lepcha: "Lepc",
  Limbu: "Limb",
  Linear_A: "Lina",
  Linear_B: "Linb",
  Lisu: "Lisu",
  Lycian: "Lyci",
  Lydian: "Lydi",
  Mahajani: "Mahj",
  Makasar: "Maka",
  Malayalam: "Mlym",
  Mandaic: "Mand",
  Manichaean: "Mani",
  Marchen: "Marc",
  Medefaidrin: "Medf",
  Masaram_Gondi: "Gonm",
  Meetei_Mayek: "Mtei",
  Mende_Kikakui: "Mend",
  Meroitic_Cursive: "Merc",
  Meroitic_Hieroglyphs: "Mero",
  Miao: "Plrd",
  Modi: "Modi",
  Mongolian: "Mong",
  Mro: "Mroo",
  Multani: "Mult",
  Myanmar: "Mymr",
  Nabataean: "Nbat",
  New_Tai_Lue: "Talu",
  Newa: "Newa",
  Nko: "Nkoo",
  Nushu: "Nshu",
  Ogham: "Ogam",
  Ol_Chiki: "Olck",
  Old_Hungarian: "Hung",
  Old_Italic: "Ital",
  Old_North_Arabian: "Narb",
  Old_Permic: "Perm",
  Old_Persian: "Xpeo",
  Old_Sogdian: "Sogo",
  Old_South_Arabian: "Sarb",
  Old_Turkic: "Orkh",
  Oriya: "Orya",
  Osage: "Osge",
  Osmanya: "Osma",
  Pahawh_Hmong: "Hmng",
  Palmyrene: "Palm",
  Pau_Cin_Hau: "Pauc",
  Phags_Pa: "Phag",
  Phoenician: "Phnx",
  Psalter_Pahlavi: "Phlp",
  Rejang: "Rjng",
  Runic: "Runr",
  Samaritan: "Samr",
  Saurashtra: "Saur",
  Sharada: "Shrd",
  Shavian: "Shaw",
  Siddham: "Sidd",
  SignWriting: "Sgnw",
  Sinhala: "Sinh",
  Sogdian: "Sogd",
  Sora_Sompeng: "Sora",
  Soyombo: "Soyo",
  Sundanese: "Sund",
  Syloti_Nagri: "Sylo",
  Syriac: "Syrc",
  Tagalog: "Tglg",
  Tagbanwa: "Tagb",
  Tai_Le: "Tale",
  Tai_Tham: "Lana",
  Tai_Viet: "Tavt",
  Takri: "Takr",
  Tamil: "Taml",
  Tangut: "Tang",
  Telugu: "Telu",
  Thaana: "Thaa",
  Thai: "Thai",
  Tibetan: "Tibt",
  Tifinagh: "Tfng",
  Tirhuta: "Tirh",
  Ugaritic: "Ugar",
  Vai: "Vaii",
  Warang_Citi: "Wara",
  Yi: "Yiii",
  Zanabazar_Square: "Zanb"
};
var SCRIPT_VALUE_ALIASES_TO_VALUES = inverseMap(SCRIPT_VALUE_TO_ALIASES);
function inverseMap(data) {
  const inverse = {};
  for (const name of Object.keys(data)) {
    const value = data[name];
    if (Array.isArray(value)) for (let i = 0; i !== value.length; ++i) inverse[value[i]] = name;
    else inverse[value] = name;
  }
  return inverse;
}
function isGeneralCategoryValue(value) {
  return value in GENERAL_CATEGORY_VALUE_TO_ALIASES || value in GENERAL_CATEGORY_VALUE_ALIASES_TO_VALUES;
}
function isBinaryPropertyName(name) {
  return name in BINARY_PROP_NAMES_TO_ALIASES || name in BINARY_ALIASES_TO_PROP_NAMES;
}
function getCanonicalName(name) {
  if (name in NON_BINARY_ALIASES_TO_PROP_NAMES) return NON_BINARY_ALIASES_TO_PROP_NAMES[name];
  if (name in BINARY_ALIASES_TO_PROP_NAMES) return BINARY_ALIASES_TO_PROP_NAMES[name];
  if (name in BINARY_PROP_NAMES_TO_ALIASES || name === "General_Category" || name === "Script" || name === "Script_Extensions") return name;
  throw new Error(`Unknown Unicode property name: ${name}`);
}
function getCanonicalValue(value) {
  if (value in GENERAL_CATEGORY_VALUE_ALIASES_TO_VALUES) return GENERAL_CATEGORY_VALUE_ALIASES_TO_VALUES[value];
  if (value in SCRIPT_VALUE_ALIASES_TO_VALUES) return SCRIPT_VALUE_ALIASES_TO_VALUES[value];
  if (value in BINARY_ALIASES_TO_PROP_NAMES) return BINARY_ALIASES_TO_PROP_NAMES[value];
  if (value in GENERAL_CATEGORY_VALUE_TO_ALIASES || value in SCRIPT_VALUE_TO_ALIASES || value in BINARY_PROP_NAMES_TO_ALIASES) return value;
  throw new Error(`Unknown Unicode property value: ${value}`);
}
function resolveUnicodeProperty(propertySpec, negative) {
  const equalIndex = propertySpec.indexOf("=");
  if (equalIndex !== -1) {
    const name = propertySpec.substring(0, equalIndex);
    const value = propertySpec.substring(equalIndex + 1);
    return {
      type: "UnicodeProperty",
      name,
      value,
      negative,
      shorthand: false,
      binary: false,
      canonicalName: getCanonicalName(name),
      canonicalValue: getCanonicalValue(value)
    };
  }
  if (isGeneralCategoryValue(propertySpec)) return {
    type: "UnicodeProperty",
    name: "General_Category",
    value: propertySpec,
    negative,
    shorthand: true,
    binary: false,
    canonicalName: "General_Category",
    canonicalValue: getCanonicalValue(propertySpec)
  };
  if (isBinaryPropertyName(propertySpec)) {
    const canonicalName = getCanonicalName(propertySpec);
    return {
      type: "UnicodeProperty",
      name: propertySpec,
      value: propertySpec,
      negative,
      shorthand: false,
      binary: true,
      canonicalName,
      canonicalValue: canonicalName
    };
  }
  throw new Error(`Invalid Unicode property: ${propertySpec}`);
}
var safeStringFromCodePoint$2 = String.fromCodePoint;
function safePop(tokens) {
  const previous = tokens.pop();
  if (previous === void 0) throw new Error("Unable to extract token preceeding the currently parsed one");
  return previous;
}
function isDigit(char) {
  return char >= "0" && char <= "9";
}
function simpleChar(char, escaped) {
  return {
    type: "Char",
    kind: "simple",
    symbol: char,
    value: char,
    codePoint: char.codePointAt(0) || -1,
    escaped
  };
}
function metaEscapedChar(block2, symbol) {
  return {
    type: "Char",
    kind: "meta",
    symbol,
    value: block2,
    codePoint: symbol.codePointAt(0) || -1
  };
}
function toSingleToken(tokens, allowEmpty) {
  if (tokens.length > 1) return {
    type: "Alternative",
    expressions: tokens
  };
  if (!allowEmpty && tokens.length === 0) throw new Error(`Unsupported no token`);
  return tokens[0];
}
function blockToCharToken(block2) {
  if (block2[0] === "\\") {
    const next = block2[1];
    switch (next) {
      case "x": {
        const allDigits = block2.substring(2);
        const codePoint = Number.parseInt(allDigits, 16);
        return {
          type: "Char",
          kind: "hex",
          symbol: safeStringFromCodePoint$2(codePoint),
          value: block2,
          codePoint
        };
      }
      case "u": {
        if (block2 === "\\u") return simpleChar("u", true);
        const allDigits = block2[2] === "{" ? block2.substring(3, block2.length - 1) : block2.substring(2);
        const codePoint = Number.parseInt(allDigits, 16);
        return {
          type: "Char",
          kind: "unicode",
          symbol: safeStringFromCodePoint$2(codePoint),
          value: block2,
          codePoint
        };
      }
      case "0":
        return metaEscapedChar(block2, "\0");
      case "n":
        return metaEscapedChar(block2, "\n");
      case "f":
        return metaEscapedChar(block2, "\f");
      case "r":
        return metaEscapedChar(block2, "\r");
      case "t":
        return metaEscapedChar(block2, "	");
      case "v":
        return metaEscapedChar(block2, "\v");
      case "w":
      case "W":
      case "d":
      case "D":
      case "s":
      case "S":
      case "b":
      case "B":
        return {
          type: "Char",
          kind: "meta",
          symbol: void 0,
          value: block2,
          codePoint: NaN
        };
      default:
        if (isDigit(next)) {
          const allDigits = block2.substring(1);
          const codePoint = Number(allDigits);
          return {
            type: "Char",
            kind: "decimal",
            symbol: safeStringFromCodePoint$2(codePoint),
            value: block2,
            codePoint
          };
        }
        if (block2.length > 2 && (next === "p" || next === "P")) {
          const negative = next === "P";
          return resolveUnicodeProperty(block2.substring(3, block2.length - 1), negative);
        }
        return simpleChar(block2.substring(1), true);
    }
  }
  return simpleChar(block2);
}
function pushTokens(tokens, regexSource, unicodeMode, groups) {
  let disjunctions = null;
  for (let index2 = 0, block2 = readFrom(regexSource, index2, unicodeMode, 0); index2 !== regexSource.length; index2 += block2.length, block2 = readFrom(regexSource, index2, unicodeMode, 0)) {
    const firstInBlock = block2[0];
    switch (firstInBlock) {
      case "|":
        if (disjunctions === null) disjunctions = [];
        disjunctions.push(toSingleToken(tokens.splice(0), true) || null);
        break;
      case ".":
        tokens.push({
          type: "Char",
          kind: "meta",
          symbol: block2,
          value: block2,
          codePoint: NaN
        });
        break;
      case "*":
      case "+": {
        const previous = safePop(tokens);
        tokens.push({
          type: "Repetition",
          expression: previous,
          quantifier: {
            type: "Quantifier",
            kind: firstInBlock,
            greedy: true
          }
        });
        break;
      }
      case "?": {
        const previous = safePop(tokens);
        if (previous.type === "Repetition") {
          previous.quantifier.greedy = false;
          tokens.push(previous);
        } else tokens.push({
          type: "Repetition",
          expression: previous,
          quantifier: {
            type: "Quantifier",
            kind: firstInBlock,
            greedy: true
          }
        });
        break;
      }
      case "{": {
        if (block2 === "{") {
          tokens.push(simpleChar(block2));
          break;
        }
        const previous = safePop(tokens);
        const quantifierTokens = block2.substring(1, block2.length - 1).split(",");
        const from = Number(quantifierTokens[0]);
        const to = quantifierTokens.length === 1 ? from : quantifierTokens[1].length !== 0 ? Number(quantifierTokens[1]) : void 0;
        tokens.push({
          type: "Repetition",
          expression: previous,
          quantifier: {
            type: "Quantifier",
            kind: "Range",
            greedy: true,
            from,
            to
          }
        });
        break;
      }
      case "[": {
        const blockContent = block2.substring(1, block2.length - 1);
        const subTokens = [];
        let negative = void 0;
        let previousWasSimpleDash = false;
        for (let subIndex = 0, subBlock = readFrom(blockContent, subIndex, unicodeMode, 1); subIndex !== blockContent.length; subIndex += subBlock.length, subBlock = readFrom(blockContent, subIndex, unicodeMode, 1)) {
          if (subIndex === 0 && subBlock === "^") {
            negative = true;
            continue;
          }
          const newToken = blockToCharToken(subBlock);
          if (subBlock === "-") {
            subTokens.push(newToken);
            previousWasSimpleDash = true;
          } else {
            const operand1Token = subTokens.length >= 2 ? subTokens[subTokens.length - 2] : void 0;
            if (previousWasSimpleDash && operand1Token !== void 0 && operand1Token.type === "Char" && newToken.type === "Char") {
              subTokens.pop();
              subTokens.pop();
              subTokens.push({
                type: "ClassRange",
                from: operand1Token,
                to: newToken
              });
            } else subTokens.push(newToken);
            previousWasSimpleDash = false;
          }
        }
        tokens.push({
          type: "CharacterClass",
          expressions: subTokens,
          negative
        });
        break;
      }
      case "(": {
        const blockContent = block2.substring(1, block2.length - 1);
        const subTokens = [];
        if (blockContent[0] === "?") {
          if (blockContent[1] === ":") {
            pushTokens(subTokens, blockContent.substring(2), unicodeMode, groups);
            tokens.push({
              type: "Group",
              capturing: false,
              expression: toSingleToken(subTokens)
            });
          } else if (blockContent[1] === "=" || blockContent[1] === "!") {
            pushTokens(subTokens, blockContent.substring(2), unicodeMode, groups);
            tokens.push({
              type: "Assertion",
              kind: "Lookahead",
              negative: blockContent[1] === "!" ? true : void 0,
              assertion: toSingleToken(subTokens)
            });
          } else if (blockContent[1] === "<" && (blockContent[2] === "=" || blockContent[2] === "!")) {
            pushTokens(subTokens, blockContent.substring(3), unicodeMode, groups);
            tokens.push({
              type: "Assertion",
              kind: "Lookbehind",
              negative: blockContent[2] === "!" ? true : void 0,
              assertion: toSingleToken(subTokens)
            });
          } else {
            const chunks2 = blockContent.split(">");
            if (chunks2.length < 2 || chunks2[0][1] !== "<") throw new Error(`Unsupported regex content found at ${JSON.stringify(block2)}`);
            const groupIndex = ++groups.lastIndex;
            const nameRaw = chunks2[0].substring(2);
            groups.named.set(nameRaw, groupIndex);
            pushTokens(subTokens, chunks2.slice(1).join(">"), unicodeMode, groups);
            tokens.push({
              type: "Group",
              capturing: true,
              nameRaw,
              name: nameRaw,
              number: groupIndex,
              expression: toSingleToken(subTokens)
            });
          }
        } else {
          const groupIndex = ++groups.lastIndex;
          pushTokens(subTokens, blockContent, unicodeMode, groups);
          tokens.push({
            type: "Group",
            capturing: true,
            number: groupIndex,
            expression: toSingleToken(subTokens)
          });
        }
        break;
      }
      default:
        if (block2 === "^") tokens.push({
          type: "Assertion",
          kind: block2
        });
        else if (block2 === "$") tokens.push({
          type: "Assertion",
          kind: block2
        });
        else if (block2[0] === "\\" && isDigit(block2[1])) {
          const reference = Number(block2.substring(1));
          if (unicodeMode || reference <= groups.lastIndex) tokens.push({
            type: "Backreference",
            kind: "number",
            number: reference,
            reference
          });
          else tokens.push(blockToCharToken(block2));
        } else if (block2[0] === "\\" && block2[1] === "k" && block2.length !== 2) {
          const referenceRaw = block2.substring(3, block2.length - 1);
          tokens.push({
            type: "Backreference",
            kind: "name",
            number: groups.named.get(referenceRaw) || 0,
            referenceRaw,
            reference: referenceRaw
          });
        } else tokens.push(blockToCharToken(block2));
    }
  }
  if (disjunctions !== null) {
    disjunctions.push(toSingleToken(tokens.splice(0), true) || null);
    let currentDisjunction = {
      type: "Disjunction",
      left: disjunctions[0],
      right: disjunctions[1]
    };
    for (let index2 = 2; index2 < disjunctions.length; ++index2) currentDisjunction = {
      type: "Disjunction",
      left: currentDisjunction,
      right: disjunctions[index2]
    };
    tokens.push(currentDisjunction);
  }
}
function tokenizeRegex(regex) {
  const unicodeMode = safeIndexOf([...regex.flags], "u") !== -1;
  const regexSource = regex.source;
  const tokens = [];
  pushTokens(tokens, regexSource, unicodeMode, {
    lastIndex: 0,
    named: /* @__PURE__ */ new Map()
  });
  return toSingleToken(tokens);
}
var safeStringFromCodePoint$1 = String.fromCodePoint;
function getPropertySpec(astNode) {
  if (astNode.binary || astNode.shorthand) return astNode.canonicalValue;
  return `${astNode.canonicalName}=${astNode.canonicalValue}`;
}
function appendRangesForRegex(regex, from, to, ranges2) {
  let currentRangeStart = -1;
  for (let cp = from; cp <= to; ++cp) if (regex.test(safeStringFromCodePoint$1(cp))) {
    if (currentRangeStart === -1) currentRangeStart = cp;
  } else if (currentRangeStart !== -1) {
    const rangeEnd = cp - 1;
    ranges2.push(currentRangeStart === rangeEnd ? [rangeEnd] : [currentRangeStart, rangeEnd]);
    currentRangeStart = -1;
  }
  if (currentRangeStart !== -1) ranges2.push(currentRangeStart === to ? [to] : [currentRangeStart, to]);
}
function extractRangesForProperty(propertySpec, negative) {
  const regex = new RegExp(`^\\${negative ? "P" : "p"}{${propertySpec}}$`, "u");
  const ranges2 = [];
  appendRangesForRegex(regex, 0, 55295, ranges2);
  appendRangesForRegex(regex, 57344, 1114111, ranges2);
  return ranges2;
}
var cache = /* @__PURE__ */ new Map();
function extractRangesForPropertyOrFromCache(propertySpec, negative) {
  const cacheKey = `${negative ? "P" : "p"}:${propertySpec}`;
  const cachedRanges = cache.get(cacheKey);
  if (cachedRanges !== void 0) return cachedRanges;
  const ranges2 = extractRangesForProperty(propertySpec, negative);
  cache.set(cacheKey, ranges2);
  return ranges2;
}
function unicodePropertyArbitrary(astNode) {
  return mapToConstant(...safeMap(extractRangesForPropertyOrFromCache(getPropertySpec(astNode), astNode.negative), (range2) => convertGraphemeRangeToMapToConstantEntry(range2)));
}
var safeStringFromCodePoint = String.fromCodePoint;
var wordChars = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"];
var digitChars = [..."0123456789"];
var spaceChars = [..." 	\r\n\v\f"];
var newLineChars = [..."\r\n"];
var terminatorChars = [...""];
var newLineAndTerminatorChars = [...newLineChars, ...terminatorChars];
var wordCharsSet = new SSet(wordChars);
var digitCharsSet = new SSet(digitChars);
var spaceCharsSet = new SSet(spaceChars);
var terminatorCharsSet = new SSet(terminatorChars);
var newLineAndTerminatorCharsSet = new SSet(newLineAndTerminatorChars);
var defaultChar = () => string({
  unit: "grapheme-ascii",
  minLength: 1,
  maxLength: 1
});
function raiseUnsupportedASTNode(astNode) {
  return new SError(`Unsupported AST node! Received: ${stringify(astNode)}`);
}
function toMatchingArbitrary(astNode, constraints, flags) {
  switch (astNode.type) {
    case "Char":
      if (astNode.kind === "meta") switch (astNode.value) {
        case "\\w":
          return constantFrom(...wordChars);
        case "\\W":
          return defaultChar().filter((c2) => !safeHas(wordCharsSet, c2));
        case "\\d":
          return constantFrom(...digitChars);
        case "\\D":
          return defaultChar().filter((c2) => !safeHas(digitCharsSet, c2));
        case "\\s":
          return constantFrom(...spaceChars);
        case "\\S":
          return defaultChar().filter((c2) => !safeHas(spaceCharsSet, c2));
        case "\\b":
        case "\\B":
          throw new SError(`Meta character ${astNode.value} not implemented yet!`);
        case ".": {
          const forbiddenChars = flags.dotAll ? terminatorCharsSet : newLineAndTerminatorCharsSet;
          return defaultChar().filter((c2) => !safeHas(forbiddenChars, c2));
        }
      }
      if (astNode.symbol === void 0) throw new SError(`Unexpected undefined symbol received for non-meta Char! Received: ${stringify(astNode)}`);
      return constant2(astNode.symbol);
    case "Repetition": {
      const node = toMatchingArbitrary(astNode.expression, constraints, flags);
      switch (astNode.quantifier.kind) {
        case "*":
          return string({
            ...constraints,
            unit: node
          });
        case "+":
          return string({
            ...constraints,
            minLength: 1,
            unit: node
          });
        case "?":
          return string({
            ...constraints,
            minLength: 0,
            maxLength: 1,
            unit: node
          });
        case "Range":
          return string({
            ...constraints,
            minLength: astNode.quantifier.from,
            maxLength: astNode.quantifier.to,
            unit: node
          });
        default:
          throw raiseUnsupportedASTNode(astNode.quantifier);
      }
    }
    case "Quantifier":
      throw new SError(`Wrongly defined AST tree, Quantifier nodes not supposed to be scanned!`);
    case "Alternative": {
      const childrenArbitraries = [];
      let pendingAggregatedValue = "";
      for (const n of astNode.expressions) if (n.type === "Char" && n.kind !== "meta" && n.symbol !== void 0) pendingAggregatedValue += n.symbol;
      else if (flags.multiline || n.type !== "Assertion" || n.kind !== "^" && n.kind !== "$") {
        if (pendingAggregatedValue !== "") {
          safePush(childrenArbitraries, constant2(pendingAggregatedValue));
          pendingAggregatedValue = "";
        }
        safePush(childrenArbitraries, toMatchingArbitrary(n, constraints, flags));
      }
      if (pendingAggregatedValue !== "") safePush(childrenArbitraries, constant2(pendingAggregatedValue));
      if (childrenArbitraries.length === 0) return constant2("");
      if (childrenArbitraries.length === 1) return childrenArbitraries[0];
      return tuple(...childrenArbitraries).map((vs) => safeJoin(vs, ""));
    }
    case "CharacterClass":
      if (astNode.negative) {
        const childrenArbitraries = safeMap(astNode.expressions, (n) => toMatchingArbitrary(n, constraints, flags));
        return defaultChar().filter((c2) => safeEvery(childrenArbitraries, (arb) => !arb.canShrinkWithoutContext(c2)));
      }
      return oneof(...safeMap(astNode.expressions, (n) => toMatchingArbitrary(n, constraints, flags)));
    case "ClassRange": {
      const min3 = astNode.from.codePoint;
      const max3 = astNode.to.codePoint;
      return integer({
        min: min3,
        max: max3
      }).map((n) => safeStringFromCodePoint(n), (c2) => {
        if (typeof c2 !== "string") throw new SError("Invalid type");
        if ([...c2].length !== 1) throw new SError("Invalid length");
        return safeCharCodeAt(c2, 0);
      });
    }
    case "Group":
      return toMatchingArbitrary(astNode.expression, constraints, flags);
    case "Disjunction": {
      const stack = [astNode.left, astNode.right];
      const branches = [];
      for (let i = 0; i !== stack.length; ++i) {
        const node = stack[i];
        if (node === null) safePush(branches, constant2(""));
        else if (node.type === "Disjunction") {
          safePush(stack, node.left);
          safePush(stack, node.right);
        } else safePush(branches, toMatchingArbitrary(node, constraints, flags));
      }
      return oneof(...branches);
    }
    case "Assertion":
      if (astNode.kind === "^" || astNode.kind === "$") {
        if (flags.multiline) {
          if (astNode.kind === "^") return oneof(constant2(""), tuple(string({ unit: defaultChar() }), constantFrom(...newLineChars)).map((t) => `${t[0]}${t[1]}`, (value) => {
            if (typeof value !== "string" || value.length === 0) throw new SError("Invalid type");
            return [safeSubstring(value, 0, value.length - 1), value[value.length - 1]];
          }));
          else return oneof(constant2(""), tuple(constantFrom(...newLineChars), string({ unit: defaultChar() })).map((t) => `${t[0]}${t[1]}`, (value) => {
            if (typeof value !== "string" || value.length === 0) throw new SError("Invalid type");
            return [value[0], safeSubstring(value, 1)];
          }));
        }
        return constant2("");
      }
      throw new SError(`Assertions of kind ${astNode.kind} not implemented yet!`);
    case "Backreference":
      throw new SError(`Backreference nodes not implemented yet!`);
    case "UnicodeProperty":
      return unicodePropertyArbitrary(astNode);
    default:
      throw raiseUnsupportedASTNode(astNode);
  }
}
function stringMatching(regex, constraints = {}) {
  for (const flag of regex.flags) if (flag !== "d" && flag !== "g" && flag !== "m" && flag !== "s" && flag !== "u") throw new SError(`Unable to use "stringMatching" against a regex using the flag ${flag}`);
  const maxLength = constraints.maxLength;
  const sanitizedConstraints = {
    size: constraints.size,
    maxLength
  };
  const flags = {
    multiline: regex.multiline,
    dotAll: regex.dotAll
  };
  let regexRootToken = addMissingDotStar(tokenizeRegex(regex));
  if (maxLength !== void 0) regexRootToken = clampRegexAst(regexRootToken, maxLength);
  const baseArbitrary = toMatchingArbitrary(regexRootToken, sanitizedConstraints, flags);
  if (maxLength !== void 0) return baseArbitrary.filter((s) => [...s].length <= maxLength);
  return baseArbitrary;
}
function initZippedValues(its) {
  const vs = [];
  for (let index2 = 0; index2 !== its.length; ++index2) vs.push(its[index2].next());
  return vs;
}
function nextZippedValues(its, vs) {
  for (let index2 = 0; index2 !== its.length; ++index2) vs[index2] = its[index2].next();
}
function isDoneZippedValues(vs) {
  for (let index2 = 0; index2 !== vs.length; ++index2) if (vs[index2].done) return true;
  return false;
}
function* zipIterableIterators(...its) {
  const vs = initZippedValues(its);
  while (!isDoneZippedValues(vs)) {
    yield vs.map((v) => v.value);
    nextZippedValues(its, vs);
  }
}
function* iotaFrom(startValue) {
  let value = startValue;
  while (true) {
    yield value;
    ++value;
  }
}
var LimitedShrinkArbitrary = class extends Arbitrary {
  constructor(arb, maxShrinks) {
    super();
    this.arb = arb;
    this.maxShrinks = maxShrinks;
  }
  generate(mrng, biasFactor) {
    const value = this.arb.generate(mrng, biasFactor);
    return this.valueMapper(value, 0);
  }
  canShrinkWithoutContext(value) {
    return this.arb.canShrinkWithoutContext(value);
  }
  shrink(value, context2) {
    if (this.isSafeContext(context2)) return this.safeShrink(value, context2.originalContext, context2.length);
    return this.safeShrink(value, void 0, 0);
  }
  safeShrink(value, originalContext, currentLength) {
    const remaining = this.maxShrinks - currentLength;
    if (remaining <= 0) return Stream.nil();
    return new Stream(zipIterableIterators(this.arb.shrink(value, originalContext), iotaFrom(currentLength + 1))).take(remaining).map((valueAndLength) => this.valueMapper(valueAndLength[0], valueAndLength[1]));
  }
  valueMapper(v, newLength) {
    const context2 = {
      originalContext: v.context,
      length: newLength
    };
    return new Value(v.value, context2);
  }
  isSafeContext(context2) {
    return context2 !== null && context2 !== void 0 && typeof context2 === "object" && "originalContext" in context2 && "length" in context2;
  }
};
function limitShrink(arbitrary, maxShrinks) {
  return new LimitedShrinkArbitrary(arbitrary, maxShrinks);
}
var LifeCyclePluginSymbol = /* @__PURE__ */ Symbol.for("fast-check/plugin/life-cycle");
function computeResultingAfterHooks(teardownFunctions, hooks) {
  if (teardownFunctions.length === 0) return hooks.afterHooks;
  if (hooks.afterHooks.length === 0) return teardownFunctions.map((details) => details.fn);
  const afterAndPluginIndices = [];
  for (const value of teardownFunctions) {
    const { index: index2, fn } = value;
    afterAndPluginIndices.push({
      index: hooks.beforeHooksIndices[index2],
      fn
    });
  }
  for (let index2 = 0; index2 !== hooks.afterHooks.length; ++index2) afterAndPluginIndices.push({
    index: hooks.afterHooksIndices[index2],
    fn: hooks.afterHooks[index2]
  });
  afterAndPluginIndices.sort((a, b) => a.index - b.index);
  return afterAndPluginIndices.map((details) => details.fn);
}
function lifeCycleHooksRunner(hooks, nestedRun, value) {
  let wrappedRunOutput = null;
  let wrappedRunContinuation = void 0;
  const teardownFunctions = [];
  if (hooks.beforeHooks.length !== 0) try {
    for (let index2 = 0; index2 !== hooks.beforeHooks.length; ++index2) {
      const before2 = hooks.beforeHooks[index2];
      if (wrappedRunContinuation === void 0) {
        const out = before2();
        if (typeof out === "function") teardownFunctions.push({
          index: index2,
          fn: out
        });
        if (typeof out === "object") wrappedRunContinuation = out.then((beforeOut) => {
          if (beforeOut !== void 0) teardownFunctions.push({
            index: index2,
            fn: beforeOut
          });
          return null;
        });
      } else wrappedRunContinuation = wrappedRunContinuation.then(() => {
        const beforeOut = before2();
        if (beforeOut === void 0) return null;
        if (typeof beforeOut === "function") {
          teardownFunctions.push({
            index: index2,
            fn: beforeOut
          });
          return null;
        }
        return beforeOut.then((beforeOutNested) => {
          if (beforeOutNested !== void 0) teardownFunctions.push({
            index: index2,
            fn: beforeOutNested
          });
          return null;
        });
      });
    }
  } catch (error) {
    wrappedRunOutput = { error };
  }
  if (wrappedRunOutput === null) {
    if (wrappedRunContinuation === void 0) {
      const out = nestedRun(value);
      if (out !== null && "then" in out) wrappedRunContinuation = out;
      else wrappedRunOutput = out;
    } else wrappedRunContinuation = wrappedRunContinuation.then(() => nestedRun(value), (error) => ({ error }));
  }
  if (wrappedRunContinuation === void 0) {
    const resultingAfterHooks = computeResultingAfterHooks(teardownFunctions, hooks);
    for (let index2 = resultingAfterHooks.length - 1; index2 >= 0; --index2) {
      const after = resultingAfterHooks[index2];
      if (wrappedRunContinuation === void 0) try {
        const out = after();
        if (typeof out === "object") wrappedRunContinuation = out.then(() => wrappedRunOutput, (error) => wrappedRunOutput || { error });
      } catch (error) {
        wrappedRunOutput = { error };
      }
      else wrappedRunContinuation = wrappedRunContinuation.then((previous) => {
        try {
          const out = after();
          if (typeof out === "object") return out.then(() => previous, (error) => previous || { error });
          return previous;
        } catch (error) {
          return previous || { error };
        }
      });
    }
  } else wrappedRunContinuation = wrappedRunContinuation.then((previousBeforeAfters) => {
    const resultingAfterHooks = computeResultingAfterHooks(teardownFunctions, hooks);
    if (resultingAfterHooks.length === 0) return previousBeforeAfters;
    let afterContinuation = Promise.resolve(previousBeforeAfters);
    for (let index2 = resultingAfterHooks.length - 1; index2 >= 0; --index2) {
      const after = resultingAfterHooks[index2];
      afterContinuation = afterContinuation.then((previous) => {
        try {
          const out = after();
          return out === void 0 ? previous : out.then(() => previous, (error) => previous || { error });
        } catch (error) {
          return previous || { error };
        }
      });
    }
    return afterContinuation;
  });
  return wrappedRunContinuation === void 0 ? wrappedRunOutput : wrappedRunContinuation;
}
function beforeEach(fn) {
  return (pluginIndex, pluginStore) => {
    let lifeCycleHooks = pluginStore.get(LifeCyclePluginSymbol);
    if (lifeCycleHooks !== void 0 && lifeCycleHooks.lastPluginIndex === pluginIndex - 1) {
      lifeCycleHooks.lastPluginIndex = pluginIndex;
      lifeCycleHooks.beforeHooks.push(fn);
      lifeCycleHooks.beforeHooksIndices.push(pluginIndex);
      return {};
    }
    lifeCycleHooks = {
      lastPluginIndex: pluginIndex,
      beforeHooks: [fn],
      beforeHooksIndices: [pluginIndex],
      afterHooks: [],
      afterHooksIndices: []
    };
    pluginStore.set(LifeCyclePluginSymbol, lifeCycleHooks);
    return { decorateRun: (nestedRun) => (value) => lifeCycleHooksRunner(lifeCycleHooks, nestedRun, value) };
  };
}
function afterEach(fn) {
  return (pluginIndex, pluginStore) => {
    let lifeCycleHooks = pluginStore.get(LifeCyclePluginSymbol);
    if (lifeCycleHooks !== void 0 && lifeCycleHooks.lastPluginIndex === pluginIndex - 1) {
      lifeCycleHooks.lastPluginIndex = pluginIndex;
      lifeCycleHooks.afterHooks.push(fn);
      lifeCycleHooks.afterHooksIndices.push(pluginIndex);
      return {};
    }
    lifeCycleHooks = {
      lastPluginIndex: pluginIndex,
      beforeHooks: [],
      beforeHooksIndices: [],
      afterHooks: [fn],
      afterHooksIndices: [pluginIndex]
    };
    pluginStore.set(LifeCyclePluginSymbol, lifeCycleHooks);
    return { decorateRun: (nestedRun) => (value) => lifeCycleHooksRunner(lifeCycleHooks, nestedRun, value) };
  };
}
function unbiased() {
  return () => {
    return { decorateGenerate: (nestedGenerate) => (mrng, _runId) => nestedGenerate(mrng, void 0) };
  };
}
function fromSyncCachedForAsyncPath(cachedValue) {
  return cachedValue === null ? new PreconditionFailure() : cachedValue;
}
function fromCached(cachedValue) {
  if (cachedValue !== null) {
    if ("then" in cachedValue) return cachedValue.then(fromSyncCachedForAsyncPath);
    else return cachedValue;
  }
  return new PreconditionFailure();
}
function equalValuesRunner(coveredCases, nestedRun, value, skipRuns) {
  const stringifiedValue = stringify(value);
  if (coveredCases.has(stringifiedValue)) {
    const lastOutput = coveredCases.get(stringifiedValue);
    return skipRuns ? fromCached(lastOutput) : lastOutput;
  }
  const out = nestedRun(value);
  coveredCases.set(stringifiedValue, out);
  return out;
}
function ignoreEqualValues() {
  return () => {
    const coveredCases = /* @__PURE__ */ new Map();
    return { decorateRun: (nestedRun) => (value) => equalValuesRunner(coveredCases, nestedRun, value, false) };
  };
}
function skipEqualValues() {
  return () => {
    const coveredCases = /* @__PURE__ */ new Map();
    return { decorateRun: (nestedRun) => (value) => equalValuesRunner(coveredCases, nestedRun, value, true) };
  };
}
var safeSetTimeout$1 = setTimeout;
var safeClearTimeout$1 = clearTimeout;
var safePerformanceNow = typeof performance !== "undefined" ? performance.now.bind(performance) : Date.now.bind(Date);
function interruptAfterDelay(timeMs, probe) {
  const limitTime = safePerformanceNow() + timeMs;
  let timeoutHandle = void 0;
  return {
    expired: () => safePerformanceNow() >= limitTime,
    clear: () => safeClearTimeout$1(timeoutHandle),
    promise: new Promise((resolve) => {
      timeoutHandle = safeSetTimeout$1(() => {
        if (probe.running) probe.interruptedWhileRunning = true;
        resolve(new PreconditionFailure(true));
      }, timeMs);
    })
  };
}
function timeLimitRunner(interrupt, nestedRun, value, probe) {
  probe.running = true;
  if (interrupt.expired()) {
    probe.interruptedWhileRunning = true;
    probe.running = false;
    return new PreconditionFailure(true);
  }
  const runOut = nestedRun(value);
  if (runOut === null || !("then" in runOut)) {
    probe.running = false;
    return runOut;
  }
  runOut.finally(() => probe.running = false);
  return Promise.race([runOut, interrupt.promise]);
}
function interruptAfterTimeLimit(timeLimitMs, options = {}) {
  return () => {
    const probe = {
      interruptedWhileRunning: false,
      running: false
    };
    const interrupt = interruptAfterDelay(timeLimitMs, probe);
    return {
      decorateRun: (nestedRun) => (value) => timeLimitRunner(interrupt, nestedRun, value, probe),
      onAllRunsComplete: (runDetails) => {
        interrupt.clear();
        if (options.failOnInterrupt && !runDetails.failed && runDetails.interrupted && probe.interruptedWhileRunning) return reportRunDetails({
          ...runDetails,
          failed: true
        });
      }
    };
  };
}
var safeSetTimeout = setTimeout;
var safeClearTimeout = clearTimeout;
function timeoutAfter(timeMs) {
  let timeoutHandle = void 0;
  return {
    clear: () => safeClearTimeout(timeoutHandle),
    promise: new Promise((resolve) => {
      timeoutHandle = safeSetTimeout(() => {
        resolve({ error: new SError(`Property timeout: exceeded limit of ${timeMs} milliseconds`) });
      }, timeMs);
    })
  };
}
function timeoutRunner(timeMs, nestedRun, value) {
  const t = timeoutAfter(timeMs);
  const runOut = nestedRun(value);
  if (runOut === null || !("then" in runOut)) {
    t.clear();
    return runOut;
  }
  const propRun = Promise.race([runOut, t.promise]);
  propRun.then(t.clear, t.clear);
  return propRun;
}
function timeout(timeMs) {
  return () => {
    return { decorateRun: (nestedRun) => (value) => timeoutRunner(timeMs, nestedRun, value) };
  };
}
var fast_check_default_exports = /* @__PURE__ */ __exportAll({
  Arbitrary: () => Arbitrary,
  ExecutionStatus: () => ExecutionStatus,
  PreconditionFailure: () => PreconditionFailure,
  Random: () => Random,
  Stream: () => Stream,
  Value: () => Value,
  VerbosityLevel: () => VerbosityLevel,
  __commitHash: () => __commitHash,
  __type: () => __type,
  __version: () => __version,
  afterEach: () => afterEach,
  anything: () => anything,
  array: () => array,
  assert: () => assert,
  asyncDefaultReportMessage: () => asyncDefaultReportMessage,
  asyncModelRun: () => asyncModelRun,
  asyncProperty: () => asyncProperty,
  asyncStringify: () => asyncStringify,
  asyncToStringMethod: () => asyncToStringMethod,
  base64String: () => base64String,
  beforeEach: () => beforeEach,
  bigInt: () => bigInt,
  bigInt64Array: () => bigInt64Array,
  bigUint64Array: () => bigUint64Array,
  boolean: () => boolean,
  chainUntil: () => chainUntil,
  check: () => check,
  clone: () => clone,
  cloneIfNeeded: () => cloneIfNeeded,
  cloneMethod: () => cloneMethod,
  commands: () => commands,
  compareBooleanFunc: () => compareBooleanFunc,
  compareFunc: () => compareFunc,
  configureGlobal: () => configureGlobal,
  constant: () => constant2,
  constantFrom: () => constantFrom,
  context: () => context,
  createDepthIdentifier: () => createDepthIdentifier,
  date: () => date,
  defaultReportMessage: () => defaultReportMessage,
  dictionary: () => dictionary,
  domain: () => domain,
  double: () => double,
  emailAddress: () => emailAddress,
  entityGraph: () => entityGraph,
  falsy: () => falsy,
  float: () => float,
  float32Array: () => float32Array,
  float64Array: () => float64Array,
  func: () => func,
  gen: () => gen,
  getDepthContextFor: () => getDepthContextFor,
  hasAsyncToStringMethod: () => hasAsyncToStringMethod,
  hasCloneMethod: () => hasCloneMethod,
  hasToStringMethod: () => hasToStringMethod,
  hash: () => hash,
  ignoreEqualValues: () => ignoreEqualValues,
  infiniteStream: () => infiniteStream,
  installGlobalPlugin: () => installGlobalPlugin,
  int16Array: () => int16Array,
  int32Array: () => int32Array,
  int8Array: () => int8Array,
  integer: () => integer,
  interruptAfterTimeLimit: () => interruptAfterTimeLimit,
  ipV4: () => ipV4,
  ipV4Extended: () => ipV4Extended,
  ipV6: () => ipV6,
  json: () => json,
  jsonValue: () => jsonValue,
  letrec: () => letrec,
  limitShrink: () => limitShrink,
  lorem: () => lorem,
  map: () => map,
  mapToConstant: () => mapToConstant,
  maxSafeInteger: () => maxSafeInteger,
  maxSafeNat: () => maxSafeNat,
  memo: () => memo,
  mixedCase: () => mixedCase,
  modelRun: () => modelRun,
  nat: () => nat,
  noBias: () => noBias,
  noShrink: () => noShrink,
  object: () => object,
  oneof: () => oneof,
  option: () => option,
  pre: () => pre,
  property: () => property,
  readConfigureGlobal: () => readConfigureGlobal,
  record: () => record,
  resetConfigureGlobal: () => resetConfigureGlobal,
  sample: () => sample,
  scheduledModelRun: () => scheduledModelRun,
  scheduler: () => scheduler,
  schedulerFor: () => schedulerFor,
  set: () => set,
  shuffledSubarray: () => shuffledSubarray,
  skipEqualValues: () => skipEqualValues,
  sparseArray: () => sparseArray,
  statistics: () => statistics,
  stream: () => stream,
  string: () => string,
  stringMatching: () => stringMatching,
  stringify: () => stringify,
  subarray: () => subarray,
  timeout: () => timeout,
  toStringMethod: () => toStringMethod,
  tuple: () => tuple,
  uint16Array: () => uint16Array,
  uint32Array: () => uint32Array,
  uint8Array: () => uint8Array,
  uint8ClampedArray: () => uint8ClampedArray,
  ulid: () => ulid,
  unbiased: () => unbiased,
  uniqueArray: () => uniqueArray,
  uuid: () => uuid,
  webAuthority: () => webAuthority,
  webFragments: () => webFragments,
  webPath: () => webPath,
  webQueryParameters: () => webQueryParameters,
  webSegment: () => webSegment,
  webUrl: () => webUrl
});
var __type = "module";
var __version = "4.10.2";
var __commitHash = "c77afa8277a67250d798c52e61343b8ed5fd268b";
var fast_check_default = fast_check_default_exports;

// compiler/ir/derivative.ts
var zero = real(0);
var one = real(1);
var isZero = (e) => e.kind === "constant" && e.value === 0;
var isOne = (e) => e.kind === "constant" && e.value === 1;
var plus = (a, b) => isZero(a) ? b : isZero(b) ? a : add(a, b);
var times2 = (a, b) => isZero(a) || isZero(b) ? zero : isOne(a) ? b : isOne(b) ? a : mul(a, b);
var minus = (a, b) => isZero(b) ? a : isZero(a) ? neg(b) : sub(a, b);
var choose = (condition, a, b) => a === b ? a : select(condition, a, b);
var unarySlopes = {
  neg: () => real(-1),
  abs: (x) => unary("sign", x),
  exp: (_, y) => y,
  log: (x) => div(one, x),
  sqrt: (_, y) => div(real(0.5), y),
  tanh: (_, y) => sub(one, mul(y, y)),
  sigmoid: (_, y) => mul(y, sub(one, y)),
  erf: (x) => mul(real(2 / Math.sqrt(Math.PI)), unary("exp", neg(mul(x, x)))),
  sin: (x) => unary("cos", x),
  cos: (x) => neg(unary("sin", x)),
  floor: () => zero,
  ceil: () => zero,
  sign: () => zero,
  "to-real": () => one,
  "to-int": () => zero,
  not: () => zero
};
var binaryRules2 = {
  add: (_a, _b, da, db) => plus(da, db),
  sub: (_a, _b, da, db) => minus(da, db),
  mul: (a, b, da, db) => plus(times2(da, b), times2(a, db)),
  div: (_a, b, da, db, y) => {
    const top = minus(da, times2(y, db));
    return isZero(top) ? zero : div(top, b);
  },
  "floor-div": () => zero,
  mod: () => zero,
  pow: (a, b, da, db, y) => {
    const base = isZero(da) ? zero : times2(times2(b, powerBelow(a, b)), da);
    const exponent = isZero(db) ? zero : times2(select(lt(zero, a), mul(y, unary("log", a)), zero), db);
    return plus(base, exponent);
  },
  // Ties take the second operand's slope, as the operations take its value.
  min: (a, b, da, db) => choose(lt(a, b), da, db),
  max: (a, b, da, db) => choose(lt(b, a), da, db),
  lt: () => zero,
  le: () => zero,
  eq: () => zero,
  and: () => zero,
  or: () => zero
};
function powerBelow(a, b) {
  if (b.kind !== "constant") return binary("pow", a, sub(b, one));
  if (b.value === 1) return one;
  return b.value === 2 ? a : binary("pow", a, real(b.value - 1));
}
function derivative(root, variable) {
  const done = /* @__PURE__ */ new Map();
  const visit = (e) => {
    if (e === variable) return one;
    const known2 = done.get(e);
    if (known2 !== void 0) return known2;
    const found = e.type === "real" ? slope(e) : zero;
    done.set(e, found);
    return found;
  };
  const slope = (e) => {
    switch (e.kind) {
      case "constant":
      case "index":
      case "size":
      case "logit":
      case "operand":
      case "scalar":
      case "load":
      case "set":
      case "uniform":
        return zero;
      case "unary": {
        const inner = visit(e.operand);
        return isZero(inner) ? zero : times2(unarySlopes[e.op](e.operand, e), inner);
      }
      case "binary":
        return binaryRules2[e.op](e.left, e.right, visit(e.left), visit(e.right), e);
      case "select":
        return choose(e.condition, visit(e.then), visit(e.otherwise));
      default:
        return e;
    }
  };
  return toReal(visit(root));
}
function realLoads(root) {
  const found = [];
  const seen = /* @__PURE__ */ new Set();
  const visit = (e) => {
    if (seen.has(e)) return;
    seen.add(e);
    exprChildren(e).forEach(visit);
    if (e.kind === "load" && e.type === "real") found.push(e);
  };
  visit(root);
  return found;
}

// compiler/ir/graph-axes.ts
var fixedSize = (value) => ({ kind: "fixed", value });
var batchSize = { kind: "batch" };
var lengthSize = (plus3 = 0, by = 1) => ({ kind: "length", plus: plus3, by });
var axis = (name, size2) => ({
  name,
  size: typeof size2 === "number" ? fixedSize(size2) : size2
});
var batchAxis = axis("b", batchSize);
var tokenAxis = axis("t", lengthSize());
function showSize(size2) {
  switch (size2.kind) {
    case "fixed":
      return String(size2.value);
    case "batch":
      return "batch";
    case "length": {
      const tokens = size2.plus === 0 ? "length" : `length${size2.plus < 0 ? "-" : "+"}${Math.abs(size2.plus)}`;
      if (size2.by === 1) return tokens;
      return size2.plus === 0 ? `${tokens}/${size2.by}` : `(${tokens})/${size2.by}`;
    }
    default:
      return size2;
  }
}
var showAxes = (axes) => `[${axes.map(({ name, size: size2 }) => `${name}: ${showSize(size2)}`).join(", ")}]`;
var sameSize = (a, b) => showSize(a) === showSize(b);
var sameAxes = (a, b) => showAxes(a) === showAxes(b);
var findAxis = (axes, name) => axes.find((candidate) => candidate.name === name);
var withoutAxes = (axes, names2) => axes.filter(({ name }) => !names2.includes(name));
function unionAxes(lists) {
  const union = [];
  const widest = lists.map((list2, n) => ({ list: list2, n })).sort((a, b) => b.list.length - a.list.length || a.n - b.n);
  for (const { list: list2 } of widest)
    for (const candidate of list2) if (findAxis(union, candidate.name) === void 0) union.push(candidate);
  return union;
}
function elementCount(axes) {
  let product3 = 1;
  const open = [];
  for (const { size: size2 } of axes)
    if (size2.kind === "fixed") product3 *= size2.value;
    else open.push(showSize(size2));
  return [...open.sort(), product3].join("*");
}
function growSize(a, n) {
  if (a.kind === "fixed") return fixedSize(a.value + n);
  if (a.kind === "length") return lengthSize(a.plus + n * a.by, a.by);
  if (n === 0) return a;
  throw new Error("the batch cannot be shortened");
}
function addSizes(sizes) {
  let total = fixedSize(0);
  for (const size2 of sizes) {
    if (size2.kind === "batch") return null;
    if (size2.kind === "fixed") total = growSize(total, size2.value);
    else if (total.kind === "fixed") total = growSize(size2, total.value);
    else return null;
  }
  return total;
}
function sizeDifference(a, b) {
  if (a.kind === "fixed" && b.kind === "fixed") return a.value - b.value;
  if (a.kind === "length" && b.kind === "length") {
    const difference = (a.plus - b.plus) / a.by;
    return a.by === b.by && Number.isInteger(difference) ? difference : null;
  }
  return a.kind === "batch" && b.kind === "batch" ? 0 : null;
}
function blocksOf2(size2, by) {
  if (size2.kind === "fixed") return fixedSize(Math.ceil(size2.value / by));
  if (size2.kind === "length") return lengthSize(size2.plus, size2.by * by);
  throw new Error("the batch has no blocks");
}
var wordMembers = 32;
var wordsOf = (elements) => blocksOf2(elements, wordMembers);
var isTokenAxis = ({ name, size: size2 }) => name === "t" && size2.kind === "length" && size2.by === 1;

// compiler/ir/graph-operands.ts
var regionOperands = (node) => node.regions.flatMap((region) => [region.query, region.key]);
var withRegions = (node, next) => node.regions.map((region) => ({ ...region, query: next(), key: next() }));
var pairOperands = (node) => [...regionOperands(node), ...node.buffers];
function withPairs(node, operands) {
  let at = 0;
  const next = () => operands[at++];
  return { ...node, regions: withRegions(node, next), buffers: node.buffers.map(next) };
}
var coreOperands = (node) => [
  ...regionOperands(node),
  node.value,
  ...node.buffers,
  ...node.prepended === null ? [] : [node.prepended.key, node.prepended.value]
];
function withCore(node, operands) {
  let at = 0;
  const next = () => operands[at++];
  const regions = withRegions(node, next);
  const value = next();
  const buffers = node.buffers.map(next);
  const prepended = node.prepended === null ? null : { key: next(), value: next() };
  return { ...node, regions, value, buffers, prepended };
}
var rules = {
  input: { get: () => [], set: (node) => node },
  parameter: { get: () => [], set: (node) => node },
  map: { get: (node) => node.operands, set: (node, operands) => ({ ...node, operands }) },
  reduce: { get: (node) => [node.operand], set: (node, [operand]) => ({ ...node, operand }) },
  contract: {
    get: (node) => [node.left, node.right],
    set: (node, [left, right]) => ({ ...node, left, right })
  },
  gather: {
    get: (node) => [node.table, node.index],
    set: (node, [table, index2]) => ({ ...node, table, index: index2 })
  },
  scatter: {
    get: (node) => [node.values, node.index],
    set: (node, [values, index2]) => ({ ...node, values, index: index2 })
  },
  reshape: { get: (node) => [node.operand], set: (node, [operand]) => ({ ...node, operand }) },
  concat: { get: (node) => node.operands, set: (node, operands) => ({ ...node, operands }) },
  slice: { get: (node) => [node.operand], set: (node, [operand]) => ({ ...node, operand }) },
  rotate: { get: (node) => [node.operand], set: (node, [operand]) => ({ ...node, operand }) },
  attention: { get: coreOperands, set: withCore },
  "attention-gradient": {
    get: (node) => [...coreOperands(node), node.output, node.logSumExp, node.outputGradient],
    set: (node, operands) => {
      const [output, logSumExp2, outputGradient] = operands.slice(-3);
      return {
        ...withCore(node, operands),
        output,
        logSumExp: logSumExp2,
        outputGradient
      };
    }
  },
  select: {
    get: (node) => [
      ...node.query === null || node.key === null ? [] : [node.query, node.key],
      ...node.buffers
    ],
    set: (node, operands) => node.query === null || node.key === null ? { ...node, buffers: operands } : { ...node, query: operands[0], key: operands[1], buffers: operands.slice(2) }
  },
  "log-sum-exp": { get: pairOperands, set: withPairs },
  "pair-reduce": { get: pairOperands, set: withPairs },
  "block-reduce": {
    get: (node) => [node.operand],
    set: (node, [operand]) => ({ ...node, operand })
  },
  "block-spread": {
    get: (node) => [node.operand],
    set: (node, [operand]) => ({ ...node, operand })
  },
  "cross-entropy": {
    get: (node) => [node.logits, node.targets],
    set: (node, [logits2, targets]) => ({ ...node, logits: logits2, targets })
  },
  "cross-entropy-gradient": {
    get: (node) => [node.logits, node.targets, node.logSumExp, node.lossGradient],
    set: (node, [logits2, targets, logSumExp2, lossGradient]) => ({
      ...node,
      logits: logits2,
      targets,
      logSumExp: logSumExp2,
      lossGradient
    })
  },
  "head-loss": {
    get: (node) => [node.x, node.weight, node.targets],
    set: (node, [x, weight, targets]) => ({ ...node, x, weight, targets })
  },
  "head-loss-gradient": {
    get: (node) => [node.x, node.weight, node.targets, node.logSumExp, node.lossGradient],
    set: (node, [x, weight, targets, logSumExp2, lossGradient]) => ({
      ...node,
      x,
      weight,
      targets,
      logSumExp: logSumExp2,
      lossGradient
    })
  },
  result: { get: (node) => [node.of], set: (node, [of]) => ({ ...node, of }) },
  hole: { get: () => [], set: (node) => node }
};
var ruleOf = (node) => rules[node.kind];
var nodeOperands = (node) => ruleOf(node).get(node);

// compiler/ir/graph-results.ts
var real3 = (axes) => ({ axes, dtype: "f32" });
var self = (node) => [{ axes: node.axes, dtype: node.dtype }];
var none = () => [];
var rules2 = {
  input: none,
  parameter: none,
  map: none,
  reduce: none,
  contract: none,
  gather: none,
  scatter: none,
  reshape: none,
  concat: none,
  slice: none,
  rotate: none,
  attention: (node) => [real3(node.axes.slice(0, -1))],
  "attention-gradient": (node) => [
    ...node.regions.flatMap((region) => [region.query, region.key]),
    node.value,
    ...node.bufferGradients.map(({ buffer }) => node.buffers[buffer]),
    ...node.prepended === null ? [] : [node.prepended.key, node.prepended.value]
  ].slice(1).map((operand) => real3(operand.axes)),
  select: none,
  "log-sum-exp": none,
  "pair-reduce": none,
  "block-reduce": none,
  "block-spread": none,
  "cross-entropy": (node) => [real3(node.axes)],
  "cross-entropy-gradient": none,
  "head-loss": (node) => [real3(node.axes)],
  "head-loss-gradient": (node) => [real3(node.weight.axes)],
  result: none,
  hole: none
};
function nodeResults(node) {
  const rule = rules2[node.kind];
  return [...self(node), ...rule(node)];
}

// compiler/ir/verify-parts.ts
var axisNames = (axes) => axes.map(({ name }) => name);
var noLeaves = {
  indices: /* @__PURE__ */ new Set(),
  operands: [],
  buffers: [],
  logit: false,
  uniform: false
};
function checkExpr(root, what, rules4, fail) {
  const seen = /* @__PURE__ */ new Set();
  const visit = (e) => {
    if (seen.has(e)) return;
    seen.add(e);
    exprChildren(e).forEach(visit);
    if (e.kind === "index" && !rules4.indices.has(e.name)) fail(`${what} reads index ${e.name}`);
    if (e.kind === "logit" && !rules4.logit) fail(`${what} reads the logit`);
    if (e.kind === "uniform" && !rules4.uniform) fail(`${what} reads a random number`);
    if (e.kind === "operand") {
      const given = rules4.operands[e.index];
      if (given === void 0) fail(`${what} reads operand ${e.index} of ${rules4.operands.length}`);
      else if (given.dtype === "i32" !== (e.type === "int"))
        fail(`${what} reads operand ${e.index} (${given.dtype}) as ${e.type}`);
    }
    if (e.kind === "set") {
      const buffer = rules4.buffers[e.buffer];
      if (buffer === void 0)
        return fail(`${what} reads set ${e.buffer} of ${rules4.buffers.length} buffers`);
      const rank = withoutAxes(buffer.axes, ["b"]).length - 1;
      if (e.indices.length !== rank)
        fail(`${what} reads set ${e.buffer} with ${e.indices.length} indices of ${rank}`);
      if ([...e.indices, e.element].some((at) => at.type !== "int")) fail(`${what} asks a set for a real`);
      if (buffer.dtype !== "i32") fail(`${what} reads ${buffer.dtype} as a set`);
    }
    if (e.kind === "load") {
      const buffer = rules4.buffers[e.buffer];
      if (buffer === void 0) return fail(`${what} loads buffer ${e.buffer} of ${rules4.buffers.length}`);
      const rank = withoutAxes(buffer.axes, ["b"]).length;
      if (e.indices.length !== rank)
        fail(`${what} loads buffer ${e.buffer} with ${e.indices.length} indices of ${rank}`);
      if (e.indices.some((at) => at.type !== "int")) fail(`${what} loads buffer ${e.buffer} at a real index`);
      if (buffer.dtype === "i32" !== (e.type === "int")) fail(`${what} loads ${buffer.dtype} as ${e.type}`);
    }
  };
  visit(root);
}
function expectAxes(node, expected, fail) {
  if (!sameAxes(node.axes, expected)) fail(`axes are ${showAxes(node.axes)}, expected ${showAxes(expected)}`);
}
function expectLike(node, like, what, fail) {
  if (!sameAxes(node.axes, like.axes))
    fail(`${what} has axes ${showAxes(node.axes)}, expected ${showAxes(like.axes)}`);
}
function agree(nodes, fail) {
  for (const { name, size: size2 } of unionAxes(nodes.map((node) => node.axes)))
    for (const node of nodes) {
      const own = findAxis(node.axes, name);
      if (own !== void 0 && !sameSize(own.size, size2))
        fail(`axis ${name} is ${showSize(own.size)} and ${showSize(size2)}`);
    }
}

// compiler/ir/verify-pairs.ts
var pairLeaves = (buffers) => ({
  ...noLeaves,
  indices: /* @__PURE__ */ new Set(["q", "k", "h"]),
  buffers
});
function checkBool(e, what, rules4, fail) {
  checkExpr(e, what, rules4, fail);
  if (e.type !== "bool") fail(`${what} is ${e.type}`);
}
function checkSides(query, key, fail) {
  for (const [what, axes] of [
    ["query", query],
    ["key", key]
  ])
    if (axes.length !== 4) return fail(`${what} has axes ${showAxes(axes)}, expected four`);
  if (query[0].name !== "b") fail("query's first axis is not the batch");
  if (!sameSize(query[3].size, key[3].size)) fail("query and key differ in their last axis");
  const [heads, groups] = [query[2].size, key[2].size];
  if (heads.kind !== "fixed" || groups.kind !== "fixed" || groups.value < 1 || heads.value % groups.value !== 0)
    fail("the number of heads is no multiple of the number of key-value heads");
}
function checkPairs(node, fail) {
  const [first] = node.regions;
  if (first === void 0) return fail("has no region");
  for (const region of node.regions) {
    expectLike(region.query, first.query, "query", fail);
    expectLike(region.key, first.key, "key", fail);
  }
  checkSides(first.query.axes, first.key.axes, fail);
  const over = pairLeaves(node.buffers);
  checkBool(node.mask, "mask", over, fail);
  for (const region of node.regions) checkBool(region.when, "a region", over, fail);
  const last = node.regions.at(-1).when;
  if (last.kind !== "constant" || last.value !== 1) fail("the last region is not for all pairs");
}
function checkScore(node, score, fail, what = "score") {
  checkExpr(score, what, { ...pairLeaves(node.buffers), logit: true }, fail);
  if (score.type !== "real") fail(`${what} is ${score.type}`);
}
function checkLogSumExp(node, fail) {
  checkPairs(node, fail);
  checkScore(node, node.score, fail);
  const query = node.regions[0]?.query.axes ?? [];
  expectAxes(node, query.slice(0, 3), fail);
  if (node.dtype !== "f32") fail(`is ${node.dtype}`);
}
function checkPairReduce(node, fail) {
  checkPairs(node, fail);
  checkScore(node, node.body, fail, "body");
  if (node.dtype !== "f32") fail(`is ${node.dtype}`);
  const batch = node.regions[0]?.query.axes[0];
  if (batch === void 0 || node.axes[0] === void 0 || !sameAxes([node.axes[0]], [batch]))
    fail("its first axis is not the batch");
  if (node.targets.length !== node.axes.length - 1)
    fail(`has ${node.targets.length} targets for ${node.axes.length - 1} axes`);
  for (const target of node.targets) {
    checkExpr(target, "a target", pairLeaves([]), fail);
    if (target.type !== "int") fail(`a target is ${target.type}`);
  }
}
function checkSelect(node, fail) {
  const over = pairLeaves(node.buffers);
  if (node.dtype !== "i32") fail(`is ${node.dtype}`);
  if (node.query === null !== (node.key === null))
    fail("has a query without a key, or a key without a query");
  checkExpr(node.body, "body", { ...over, logit: node.query !== null }, fail);
  if (node.body.type !== "real") fail(`body is ${node.body.type}`);
  checkBool(node.where, "where", over, fail);
  checkBool(node.always, "always", over, fail);
  const amount = node.choose.kind === "top" ? node.choose.count : node.choose.threshold;
  checkExpr(amount, node.choose.kind, { ...over, indices: /* @__PURE__ */ new Set(["h"]) }, fail);
  if (amount.type !== (node.choose.kind === "top" ? "int" : "real"))
    fail(`${node.choose.kind} is ${amount.type}`);
  if (node.candidates.kind === "batch") return fail("chooses among rows of the batch");
  const count2 = 2 + Number(node.perRow) + Number(node.perHead);
  if (node.axes.length !== count2) return fail(`axes are ${showAxes(node.axes)}, expected ${count2}`);
  if (node.axes[0].name !== "b") fail("its first axis is not the batch");
  const words = wordsOf(node.candidates);
  if (!sameSize(node.axes.at(-1).size, words))
    fail(`has ${showSize(node.axes.at(-1).size)} words, expected ${showSize(words)}`);
  if (node.query === null || node.key === null) return;
  const [query, key] = [node.query.axes, node.key.axes];
  checkSides(query, key, fail);
  if (query.length !== 4 || key.length !== 4) return;
  const one2 = { kind: "fixed", value: 1 };
  if (!sameSize(key[1].size, node.candidates)) fail("keys are not the candidates");
  if (!sameSize(query[1].size, node.perRow ? node.axes[1].size : one2)) fail("queries are not the rows");
  if (!sameSize(query[2].size, node.perHead ? node.axes.at(-2).size : one2))
    fail("queries have other heads");
}
function checkBlocks(node, fail) {
  const given = findAxis(node.operand.axes, node.axis);
  const own = node.axes[node.operand.axes.findIndex(({ name }) => name === node.axis)];
  if (!Number.isSafeInteger(node.block) || node.block < 1) fail(`has blocks of ${node.block}`);
  if (given === void 0 || own === void 0) {
    fail(`has no axis ${node.axis}`);
    return null;
  }
  const expected = node.operand.axes.map((axis2) => axis2 === given ? own : axis2);
  if (!sameAxes(node.axes, expected)) fail(`axes are ${showAxes(node.axes)}, expected ${showAxes(expected)}`);
  if (given.size.kind !== "batch" && own.size.kind !== "batch") return { given, own };
  fail("takes blocks of the batch");
  return null;
}
function checkBlockReduce(node, fail) {
  const axes = checkBlocks(node, fail);
  if (axes !== null && !sameSize(axes.own.size, blocksOf2(axes.given.size, node.block)))
    fail(`axis ${axes.own.name} is ${showSize(axes.own.size)}`);
  if (node.dtype !== node.operand.dtype) fail("changes the element type");
  if (node.op === "mean" && node.dtype !== "f32") fail("takes a mean of whole numbers");
}
function checkBlockSpread(node, fail) {
  const axes = checkBlocks(node, fail);
  if (axes !== null && !sameSize(axes.given.size, blocksOf2(axes.own.size, node.block)))
    fail(
      `axis ${axes.own.name} of ${showSize(axes.own.size)} has other blocks than ${showSize(axes.given.size)}`
    );
  if (node.dtype !== node.operand.dtype) fail("changes the element type");
}

// compiler/ir/verify-weight.ts
var pair = ["q", "k", "h"];
function checkWeighting(core, check2, fail) {
  const { weight, sink } = core;
  const typed = (e, type, what, indices, logit2) => {
    check2(e, what, indices, logit2);
    if (e.type !== type) fail(`${what} is ${e.type}`);
  };
  const normaliser = ({ guard, score }, what) => {
    typed(guard, "bool", `the ${what}'s guard`, pair, false);
    typed(score, "real", `the ${what}'s score`, pair, true);
  };
  if (sink !== null) typed(sink, "real", "sink", ["q", "h"], false);
  if (weight === null) return;
  const { row, block: block2, cases } = weight;
  if (core.score.kind !== "logit") fail("has a weight and a score");
  if (row !== null) normaliser(row, "row");
  if (row === null && sink !== null) fail("has a sink, but no row normaliser");
  if (row === null && core.prepended !== null) fail("has prepended keys, but no row normaliser");
  if (block2 !== null && !(Number.isSafeInteger(block2.size) && block2.size >= 1))
    fail(`has blocks of ${block2.size} keys`);
  if (block2 !== null && block2.inner !== null) normaliser(block2.inner, "block");
  if (cases.length === 0) fail("has a weight without cases");
  cases.forEach((one2, n) => {
    typed(one2.when, "bool", `the condition of case ${n}`, pair, false);
    if (one2.factor !== null) typed(one2.factor, "real", `the factor of case ${n}`, pair, true);
    if (one2.row === null !== (row === null))
      fail(`case ${n} ${row === null ? "reads" : "does not read"} the row normaliser`);
    if (block2 === null && one2.row !== null && one2.row !== "self") fail(`case ${n} reads a block's key`);
    if (one2.local && (block2 === null || block2.inner === null)) fail(`case ${n} reads no block normaliser`);
  });
}
function checkTurn(turn, width, check2, fail) {
  if (turn.rotated > width || turn.rotated < 0 || turn.rotated % 2 !== 0)
    fail(`turns ${turn.rotated} dimensions of ${width}`);
  if (!(Number.isSafeInteger(turn.by) && turn.by >= 1)) fail(`turns by blocks of ${turn.by} keys`);
  check2(turn.position, "a turn's position", pair, false);
  if (turn.position.type === "bool") fail("a turn's position is a bool");
  check2(turn.angle, "a turn's angle", ["m"], false);
  check2(turn.scale, "a turn's scale", ["m"], false);
}

// compiler/ir/verify-node.ts
function checkCore(node, fail) {
  checkPairs(node, fail);
  const [first] = node.regions;
  if (first === void 0 || first.query.axes.length !== 4) return;
  const value = node.value.axes;
  if (value.length !== 4 || [0, 1, 2].some((n) => !sameSize(value[n].size, first.key.axes[n].size)))
    fail(`value has axes ${showAxes(value)}, key ${showAxes(first.key.axes)}`);
  checkScore(node, node.score, fail);
  const over = pairLeaves(node.buffers);
  const check2 = (e, what, indices, logit2) => checkExpr(e, what, { ...over, indices: new Set(indices), logit: logit2 }, fail);
  checkWeighting(node, check2, fail);
  const width = first.query.axes[3].size;
  for (const { turn } of node.regions)
    if (turn !== null) checkTurn(turn, width.kind === "fixed" ? width.value : 0, check2, fail);
  if (node.prepended !== null) {
    const { key, value: prependedValue } = node.prepended;
    const shape2 = (axes) => axes.map(({ size: size2 }) => showSize(size2)).join(",");
    const count2 = key.axes[0]?.size;
    if (count2?.kind !== "fixed") return fail("prepended keys have no fixed count");
    if (shape2(key.axes.slice(1)) !== shape2(first.key.axes.slice(2)))
      fail("prepended keys differ from keys in shape");
    if (shape2(prependedValue.axes) !== shape2([key.axes[0], ...value.slice(2)]))
      fail("prepended values differ from values in shape");
  }
}
function checkLoss(node, logits2, targets, fail) {
  expectAxes(node, logits2.slice(0, -1), fail);
  if (targets.dtype !== "i32") fail("targets are not whole numbers");
  if (!sameAxes(targets.axes, logits2.slice(0, -1))) fail(`targets have axes ${showAxes(targets.axes)}`);
}
var checks = {
  input: (node, fail) => {
    if (node.dtype !== (node.name === "loss-scale" ? "f32" : "i32")) fail(`is ${node.dtype}`);
  },
  parameter: (node, fail) => {
    for (const { name, size: size2 } of node.axes) if (size2.kind !== "fixed") fail(`axis ${name} has no fixed size`);
    if (node.path === "") fail("has no path");
  },
  map: (node, fail) => {
    agree([node, ...node.operands], fail);
    for (const operand of node.operands)
      for (const { name } of operand.axes)
        if (findAxis(node.axes, name) === void 0) fail(`operand axis ${name} is not in the result`);
    const indices = new Set(axisNames(node.axes));
    checkExpr(node.body, "body", { ...noLeaves, indices, operands: node.operands, uniform: true }, fail);
    if (node.dtype === "f32" !== (node.body.type === "real"))
      fail(`is ${node.dtype}, its body ${node.body.type}`);
  },
  reduce: (node, fail) => {
    for (const name of node.over)
      if (findAxis(node.operand.axes, name) === void 0) fail(`has no axis ${name}`);
    if (node.over.length === 0) fail("removes no axis");
    expectAxes(node, withoutAxes(node.operand.axes, node.over), fail);
    if (node.dtype !== node.operand.dtype) fail("changes the element type");
  },
  contract: (node, fail) => {
    agree([node, node.left, node.right], fail);
    const all = axisNames(unionAxes([node.left.axes, node.right.axes]));
    for (const name of node.over) {
      if (!all.includes(name)) fail(`sums over ${name}, which neither operand has`);
      if (findAxis(node.axes, name) !== void 0) fail(`sums over ${name} and keeps it`);
    }
    for (const name of all)
      if (!node.over.includes(name) && findAxis(node.axes, name) === void 0) fail(`loses axis ${name}`);
    for (const name of axisNames(node.axes))
      if (!all.includes(name)) fail(`axis ${name} comes from neither operand`);
    if ([node, node.left, node.right].some(({ dtype }) => dtype !== "f32")) fail("takes reals");
  },
  gather: (node, fail) => {
    if (findAxis(node.table.axes, node.axis) === void 0) fail(`table has no axis ${node.axis}`);
    expectAxes(node, [...node.index.axes, ...withoutAxes(node.table.axes, [node.axis])], fail);
    if (node.index.dtype !== "i32") fail("index is not a whole number");
    if (node.dtype !== node.table.dtype) fail("changes the element type");
  },
  scatter: (node, fail) => {
    if (findAxis(node.axes, node.axis) === void 0) fail(`result has no axis ${node.axis}`);
    const expected = [...node.index.axes, ...withoutAxes(node.axes, [node.axis])];
    if (!sameAxes(node.values.axes, expected))
      fail(`values have axes ${showAxes(node.values.axes)}, expected ${showAxes(expected)}`);
    if (node.index.dtype !== "i32") fail("index is not a whole number");
  },
  reshape: (node, fail) => {
    if (elementCount(node.axes) !== elementCount(node.operand.axes))
      fail(`${showAxes(node.operand.axes)} becomes ${showAxes(node.axes)}`);
    if (node.dtype !== node.operand.dtype) fail("changes the element type");
  },
  concat: (node, fail) => {
    const rest = withoutAxes(node.axes, [node.axis]);
    const sizes = node.operands.map((operand) => findAxis(operand.axes, node.axis)?.size);
    for (const operand of node.operands) {
      const own2 = withoutAxes(operand.axes, [node.axis]);
      const repeated = findAxis(operand.axes, "b") === void 0 ? withoutAxes(rest, ["b"]) : rest;
      if (!sameAxes(own2, repeated))
        fail(`operand has axes ${showAxes(operand.axes)}, result ${showAxes(node.axes)}`);
      const shape2 = axisNames(operand.axes).join();
      const full = axisNames(node.axes).filter(
        (name) => name !== "b" || findAxis(operand.axes, "b") !== void 0
      );
      if (shape2 !== full.join()) fail(`operand axes are ordered ${shape2}, result ${full.join()}`);
      if (operand.dtype !== node.dtype) fail("changes the element type");
    }
    if (sizes.some((size2) => size2 === void 0)) return fail(`an operand has no axis ${node.axis}`);
    const total = addSizes(sizes.map((size2) => size2));
    const own = findAxis(node.axes, node.axis)?.size;
    if (total === null || own === void 0 || !sameSize(total, own))
      fail(`sizes along ${node.axis} do not add up`);
  },
  slice: (node, fail) => {
    const [own, given] = [findAxis(node.axes, node.axis), findAxis(node.operand.axes, node.axis)];
    if (own === void 0 || given === void 0) return fail(`has no axis ${node.axis}`);
    expectAxes(
      node,
      node.operand.axes.map((a) => a.name === node.axis ? own : a),
      fail
    );
    if (!Number.isInteger(node.start) || node.start < 0) fail(`starts at ${node.start}`);
    if (own.size.kind === "batch") fail("slices the batch");
    const open = given.size.kind === "length" && own.size.kind === "fixed";
    const room = open ? Infinity : sizeDifference(given.size, own.size) ?? -1;
    if (node.start > room) fail(`runs past the end of axis ${node.axis}`);
  },
  rotate: (node, fail) => {
    expectLike(node.operand, node, "operand", fail);
    const width = node.axes.at(-1)?.size;
    if (width?.kind !== "fixed" || node.rotated > width.value || node.rotated % 2 !== 0 || node.rotated < 0)
      fail(`rotates ${node.rotated} dimensions`);
    if (findAxis(node.axes, "t") === void 0) fail("has no token axis");
    checkExpr(node.position, "position", { ...noLeaves, indices: /* @__PURE__ */ new Set(["x", "h"]) }, fail);
    checkExpr(node.angle, "angle", { ...noLeaves, indices: /* @__PURE__ */ new Set(["m"]) }, fail);
    checkExpr(node.scale, "scale", { ...noLeaves, indices: /* @__PURE__ */ new Set(["m"]) }, fail);
  },
  attention: (node, fail) => {
    checkCore(node, fail);
    const [query, value] = [node.regions[0]?.query, node.value];
    if (query === void 0 || node.axes.length !== 4) return fail(`axes are ${showAxes(node.axes)}`);
    if (!sameAxes(node.axes.slice(0, 3), query.axes.slice(0, 3)) || !sameSize(node.axes[3].size, value.axes[3].size))
      fail(`axes are ${showAxes(node.axes)}, query ${showAxes(query.axes)}, value ${showAxes(value.axes)}`);
  },
  "attention-gradient": (node, fail) => {
    checkCore(node, fail);
    const query = node.regions[0]?.query;
    if (query === void 0) return;
    expectLike(node, query, "the gradient of the query", fail);
    expectLike(node.outputGradient, node.output, "output gradient", fail);
    if (!sameAxes(node.logSumExp.axes, query.axes.slice(0, 3)))
      fail("log-sum-exp is not one number per query and head");
    const over = { ...pairLeaves(node.buffers), logit: true };
    checkExpr(node.scoreSlope, "score slope", over, fail);
    if (node.weight === null !== (node.weightSlopes === null))
      fail("has slopes of a weight, or misses them");
    if (node.weightSlopes !== null) {
      const { row, block: block2, factors } = node.weightSlopes;
      for (const slope of [row, block2, ...factors]) checkExpr(slope, "a weight's slope", over, fail);
      if (factors.length !== node.weight?.cases.length) fail("has not one slope for each case");
    }
    for (const { buffer, loads: loads2 } of node.bufferGradients) {
      if (node.buffers[buffer]?.dtype !== "f32") fail(`buffer ${buffer} is no table of reals`);
      for (const { indices, slope } of loads2) {
        checkExpr(slope, "a table's slope", over, fail);
        for (const at of indices) checkExpr(at, "a table's index", over, fail);
      }
    }
  },
  select: checkSelect,
  "log-sum-exp": checkLogSumExp,
  "pair-reduce": checkPairReduce,
  "block-reduce": checkBlockReduce,
  "block-spread": checkBlockSpread,
  "cross-entropy": (node, fail) => checkLoss(node, node.logits.axes, node.targets, fail),
  "cross-entropy-gradient": (node, fail) => {
    checkLoss(node.lossGradient, node.logits.axes, node.targets, fail);
    expectLike(node.logSumExp, node.lossGradient, "log-sum-exp", fail);
    expectLike(node, node.logits, "the gradient", fail);
  },
  "head-loss": (node, fail) => checkHead(node, node.x, node.weight, node.targets, fail),
  "head-loss-gradient": (node, fail) => {
    checkHead(node.lossGradient, node.x, node.weight, node.targets, fail);
    expectLike(node.logSumExp, node.lossGradient, "log-sum-exp", fail);
    expectLike(node, node.x, "the gradient", fail);
  },
  result: (node, fail) => {
    const result = nodeResults(node.of)[node.result];
    if (node.result < 1 || result === void 0) return fail(`${node.of.kind} has no result ${node.result}`);
    expectAxes(node, result.axes, fail);
    if (node.dtype !== result.dtype) fail(`is ${node.dtype}, the result ${result.dtype}`);
  },
  hole: (node, fail) => {
    if (node.name === "") fail("has no name");
  }
};
function checkHead(loss, x, weight, targets, fail) {
  if (weight.axes.length !== 2 || x.axes.length < 2) return fail("takes x [b, t, i] and weight [v, i]");
  if (!sameSize(weight.axes[1].size, x.axes.at(-1).size)) fail("x and weight differ in their last axis");
  checkLoss(loss, x.axes, targets, fail);
}
function nodeProblems(node) {
  const problems = [];
  const fail = (problem) => void problems.push(problem);
  const seen = /* @__PURE__ */ new Set();
  for (const { name, size: size2 } of node.axes) {
    if (seen.has(name)) fail(`has two axes named ${name}`);
    seen.add(name);
    if (size2.kind === "fixed" && (!Number.isSafeInteger(size2.value) || size2.value < 0))
      fail(`axis ${name} has size ${size2.value}`);
    if (size2.kind === "length" && (!Number.isSafeInteger(size2.by) || size2.by < 1))
      fail(`axis ${name} has blocks of ${size2.by}`);
  }
  if (nodeOperands(node).some((operand) => operand === void 0)) return ["misses an operand"];
  checks[node.kind](node, fail);
  return problems;
}

// compiler/ir/graph-build.ts
var placed = (at) => typeof at === "string" ? { site: at, origin: [] } : { site: at.site, origin: at.origin };
function checked(node) {
  const problems = nodeProblems(node);
  if (problems.length > 0) throw new Error(`${node.kind} of ${node.site}: ${problems.join("; ")}`);
  return node;
}
var inputNode = (name, at = name) => checked({
  kind: "input",
  name,
  axes: name === "loss-scale" ? [] : [axis("b", { kind: "batch" }), axis("t", { kind: "length", plus: 0, by: 1 })],
  dtype: name === "loss-scale" ? "f32" : "i32",
  ...placed(at)
});
var parameterNode = (path, axes, init, trainable = true, at = path) => checked({ kind: "parameter", path, axes, init, trainable, dtype: "f32", ...placed(at) });
var attentionNode = (core, at) => checked({
  kind: "attention",
  ...coreOf(core),
  axes: [...core.regions[0]?.query.axes.slice(0, 3) ?? [], ...core.value.axes.slice(3)],
  dtype: "f32",
  ...placed(at)
});
var coreOf = (core) => ({
  regions: core.regions.map((region) => ({ ...region, turn: region.turn ?? null })),
  value: core.value,
  mask: core.mask,
  score: core.score,
  weight: core.weight ?? null,
  sink: core.sink ?? null,
  buffers: core.buffers,
  scale: core.scale,
  prepended: core.prepended
});
var attentionGradientNode = (attention, outputGradient, slopes, at) => checked({
  kind: "attention-gradient",
  ...coreOf(attention),
  output: attention,
  logSumExp: resultNode(attention, 1),
  outputGradient,
  scoreSlope: slopes.scoreSlope,
  weightSlopes: slopes.weightSlopes ?? null,
  bufferGradients: slopes.bufferGradients.map(({ buffer, loads: loads2 }) => ({
    buffer,
    loads: loads2.map((load2) => ({ ...load2, part: load2.part ?? "score" }))
  })),
  axes: attention.regions[0].query.axes,
  dtype: "f32",
  ...placed(at)
});
function resultNode(of, n) {
  if (n === 0) return of;
  const result = nodeResults(of)[n];
  if (result === void 0) throw new Error(`${of.kind} of ${of.site} has no result ${n}`);
  return { kind: "result", of, result: n, ...result, site: of.site, origin: of.origin };
}
function graphOf(outputs) {
  const named = outputs instanceof Map ? outputs : new Map(Object.entries(outputs));
  const nodes = [];
  const done = /* @__PURE__ */ new Set();
  for (const root of named.values()) {
    const stack = done.has(root) ? [] : [{ node: root, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1);
      const operands = nodeOperands(top.node);
      if (top.next < operands.length) {
        const operand = operands[top.next++];
        if (!done.has(operand)) stack.push({ node: operand, next: 0 });
        continue;
      }
      stack.pop();
      if (done.has(top.node)) continue;
      done.add(top.node);
      nodes.push(top.node);
    }
  }
  return { nodes, outputs: named };
}

// tests/support/random-attention.ts
function newBuffers(prefix, inputs = /* @__PURE__ */ new Map()) {
  const nodes = [];
  const once2 = (name) => {
    const node = inputs.get(name) ?? inputNode(name);
    inputs.set(name, node);
    const known2 = nodes.indexOf(node);
    return known2 >= 0 ? known2 : nodes.push(node) - 1;
  };
  return {
    nodes,
    documents: () => once2("documents"),
    starts: () => once2("starts"),
    table: (sizes) => {
      const axes = Object.entries(sizes).map(([name, size2]) => axis(name, size2));
      const path = `${prefix}.table${nodes.length}`;
      return nodes.push(parameterNode(path, axes, { kind: "normal", deviation: 1 })) - 1;
    }
  };
}

// tests/support/random-mask.ts
var q = index("q");
var k = index("k");
var h2 = index("h");
var distance = sub(q, k);
var blockOf = (x, n) => binary("floor-div", x, int(n));
var recipe = (name, build) => ({ name, build });
var causal = recipe("causal", () => le(k, q));
var count = fast_check_default.integer({ min: 1, max: 7 });
function plainMask({ documents = true, heads = 4 } = {}) {
  const plain2 = [
    fast_check_default.constant(causal),
    fast_check_default.constant(recipe("all", () => bool(true))),
    count.map((n) => recipe(`window ${n}`, () => lt(distance, int(n)))),
    count.map((n) => recipe(`two-sided window ${n}`, () => lt(unary("abs", distance), int(n)))),
    count.map((n) => recipe(`first ${n}`, () => lt(k, int(n)))),
    count.map((n) => recipe(`same block of ${n}`, () => eq(blockOf(q, n), blockOf(k, n)))),
    count.map((n) => recipe(`earlier block of ${n}`, () => lt(blockOf(k, n), blockOf(q, n)))),
    count.map((n) => recipe(`every ${n}th`, () => eq(binary("mod", distance, int(n)), int(0)))),
    count.map((n) => recipe(`last of block of ${n}`, () => eq(binary("mod", k, int(n)), int(n - 1)))),
    fast_check_default.tuple(count, fast_check_default.integer({ min: 0, max: heads })).map(
      ([n, half]) => recipe(`block of ${n} shifted from head ${half}`, () => {
        const shift = select(lt(h2, int(half)), int(0), int(Math.floor(n / 2)));
        return eq(
          binary("floor-div", add(q, shift), int(n)),
          binary("floor-div", add(k, shift), int(n))
        );
      })
    ),
    count.map(
      (n) => recipe(`window ${n} wider by head`, () => lt(distance, mul(int(n), add(h2, int(1)))))
    ),
    count.map((n) => recipe(`last ${n} of the row`, () => le(sub(size("length"), int(n)), k))),
    count.map(
      (n) => recipe(`a ${n}th of the length`, () => lt(k, binary("floor-div", size("length"), int(n))))
    )
  ];
  if (documents) {
    plain2.push(
      fast_check_default.constant(
        recipe("same document", (buffers) => {
          const n = buffers.documents();
          return eq(load(n, [q], "int"), load(n, [k], "int"));
        })
      ),
      count.map(
        (n) => recipe(`first ${n} of the document`, (buffers) => {
          const starts = buffers.starts();
          return lt(sub(k, load(starts, [k], "int")), int(n));
        })
      )
    );
  }
  return fast_check_default.oneof(...plain2);
}
function randomMask(options = {}) {
  const combine = (depth) => {
    const plain2 = plainMask(options);
    if (depth === 0) return plain2;
    const inner = combine(depth - 1);
    const pair2 = fast_check_default.tuple(inner, inner);
    return fast_check_default.oneof(
      plain2,
      pair2.map(
        ([a, b]) => recipe(`(${a.name} and ${b.name})`, (given) => and(a.build(given), b.build(given)))
      ),
      pair2.map(
        ([a, b]) => recipe(`(${a.name} or ${b.name})`, (given) => or(a.build(given), b.build(given)))
      ),
      inner.map((a) => recipe(`not ${a.name}`, (given) => not(a.build(given))))
    );
  };
  const any = combine(options.depth ?? 2);
  return fast_check_default.oneof(
    any,
    any.map((a) => recipe(`(causal and ${a.name})`, (given) => and(causal.build(given), a.build(given))))
  );
}

// tests/support/random-score.ts
var distance2 = sub(q, k);
var recipe2 = (name, build) => ({ name, build });
var clamp = (x, n) => binary("min", binary("max", x, int(0)), int(n - 1));
var scoreForms = [
  () => recipe2("logit", (s) => s),
  (n) => recipe2(`times ${n / 2}`, (s) => mul(s, real(n / 2))),
  (n) => recipe2(`capped at ${n}`, (s) => mul(real(n), unary("tanh", div(s, real(n))))),
  (n, heads) => recipe2(
    "slope by head",
    (s, buffers) => sub(
      s,
      mul(load(buffers.table({ h: heads }), [h2]), toReal(div(toReal(distance2), real(n + 4))))
    )
  ),
  (n, heads) => recipe2(
    `table of ${n} distances`,
    (s, buffers) => add(s, load(buffers.table({ h: heads, u: n }), [h2, clamp(distance2, n)]))
  ),
  (n) => recipe2("logarithm of the position", (s) => mul(s, unary("log", add(real(1.5 + n), toReal(q))))),
  (_, heads) => recipe2("squashed product of tables", (s, buffers) => {
    const [gain, lift] = [buffers.table({ h: heads }), buffers.table({ u: 3, h: heads })];
    const bent = unary("tanh", mul(load(gain, [h2]), s));
    return add(bent, mul(load(lift, [clamp(distance2, 3), h2]), load(gain, [h2])));
  }),
  (n) => recipe2(`branch at distance ${n}`, (s) => select(lt(distance2, int(n)), s, mul(s, real(0.5)))),
  (_, heads) => recipe2("two loads of one table", (s, buffers) => {
    const table = buffers.table({ h: heads, u: 4 });
    const at = (x) => load(table, [h2, binary("mod", x, int(4))]);
    return add(s, mul(at(q), at(k)));
  })
];
function randomScore(heads = 4) {
  const form = fast_check_default.tuple(fast_check_default.constantFrom(...scoreForms), fast_check_default.integer({ min: 1, max: 6 })).map(([make, n]) => make(n, heads));
  return fast_check_default.oneof(
    form,
    fast_check_default.tuple(form, form).map(
      ([a, b]) => recipe2(`${a.name}, then ${b.name}`, (s, buffers) => b.build(a.build(s, buffers), buffers))
    )
  );
}

// tests/conformance/support/random-specs.ts
var leaf = (path, axes) => ({
  kind: "parameter",
  path,
  axes,
  init: { kind: "constant", value: 0 },
  trainable: true,
  dtype: "f32",
  site: path,
  origin: []
});
var distance3 = sub(q, k);
var wideMask = fast_check_default.tuple(fast_check_default.constantFrom("window", "block", "sinks", "every", "band"), fast_check_default.integer({ min: 8, max: 150 })).map(([kind, n]) => ({
  name: `causal ${kind} ${n}`,
  build: () => {
    const block2 = (x) => binary("floor-div", x, int(n));
    const part = {
      window: () => lt(distance3, int(n)),
      block: () => eq(block2(q), block2(k)),
      sinks: () => or(lt(k, int(n % 7)), lt(distance3, int(n))),
      every: () => eq(binary("mod", distance3, int(n)), int(0)),
      band: () => lt(int(n), distance3)
    }[kind]();
    return and(causal.build(newBuffers("none")), part);
  }
}));
var regionWhen = fast_check_default.tuple(fast_check_default.constantFrom("near", "first", "odd"), fast_check_default.integer({ min: 1, max: 90 })).map(
  ([kind, n]) => kind === "near" ? lt(distance3, int(n)) : kind === "first" ? lt(k, int(n)) : eq(binary("mod", k, int(2)), int(n % 2))
);
var headSize = fast_check_default.oneof(
  { weight: 12, arbitrary: fast_check_default.integer({ min: 1, max: 12 }) },
  { weight: 6, arbitrary: fast_check_default.constantFrom(16, 17, 20, 31, 32, 33) },
  { weight: 1, arbitrary: fast_check_default.integer({ min: 34, max: 256 }) },
  { weight: 1, arbitrary: fast_check_default.constantFrom(48, 63, 65, 80, 96, 127, 129, 200, 255, 256) }
);
var shape = fast_check_default.record({
  batch: fast_check_default.integer({ min: 1, max: 3 }),
  groups: fast_check_default.integer({ min: 1, max: 3 }),
  each: fast_check_default.oneof({ weight: 8, arbitrary: fast_check_default.integer({ min: 1, max: 3 }) }, fast_check_default.constantFrom(4, 7)),
  d: headSize,
  e: headSize,
  length: fast_check_default.oneof(
    { weight: 5, arbitrary: fast_check_default.integer({ min: 1, max: 40 }) },
    { weight: 2, arbitrary: fast_check_default.constantFrom(63, 64, 65, 80) },
    { weight: 1, arbitrary: fast_check_default.constantFrom(127, 128, 130, 193) }
  ),
  fewer: fast_check_default.oneof(
    { weight: 3, arbitrary: fast_check_default.constant(0) },
    { weight: 1, arbitrary: fast_check_default.integer({ min: 1, max: 200 }) }
  ),
  early: fast_check_default.oneof(
    { weight: 4, arbitrary: fast_check_default.constant(0) },
    { weight: 1, arbitrary: fast_check_default.integer({ min: 1, max: 9 }) }
  ),
  threads: fast_check_default.integer({ min: 1, max: 3 }),
  deviation: fast_check_default.constantFrom(0.3, 1, 1, 3),
  regions: fast_check_default.array(regionWhen, { maxLength: 2 }).map((list2) => list2.length === 1 ? list2 : list2.slice(0, 2)),
  several: fast_check_default.integer({ min: 0, max: 3 }),
  seed: fast_check_default.integer({ min: 0, max: 2 ** 30 })
});
var affordable = 15e5;
function afford(of) {
  const dear = ({ batch, groups, each, length, d, e: width }) => batch * groups * each * length * length * (d + width) > affordable;
  let all = of;
  if (dear(all)) all = { ...all, batch: 1 };
  if (dear(all)) all = { ...all, each: Math.min(2, all.each) };
  return dear(all) ? { ...all, groups: 1 } : all;
}
function buildSpec(given, mask, makeScore) {
  const of = afford(given);
  const { batch } = of;
  const heads = of.groups * of.each;
  const keys = of.length;
  const queries = of.fewer === 0 ? keys : Math.max(1, keys - of.fewer % keys);
  const start = keys - queries;
  const score = makeScore(heads);
  const buffers = newBuffers("a");
  const row = queries === keys ? tokenAxis : axis("t", queries);
  const queryAxes = [batchAxis, row, axis("h", heads), axis("d", of.d)];
  const keyAxes = [batchAxis, tokenAxis, axis("g", of.groups), axis("d", of.d)];
  const whens = of.several === 0 ? of.regions : [];
  const regions = [...whens, bool(true)].map((when, n) => ({
    query: leaf(`query${n}`, queryAxes),
    key: leaf(`key${n}`, keyAxes),
    when
  }));
  const early = [axis("p", of.early), axis("g", of.groups)];
  const attention = attentionNode(
    {
      regions,
      value: leaf("value", [batchAxis, tokenAxis, axis("g", of.groups), axis("e", of.e)]),
      mask: mask.build(buffers),
      score: score.build(logit, buffers),
      buffers: buffers.nodes,
      scale: 1 / Math.sqrt(of.d),
      prepended: of.early === 0 ? null : {
        key: leaf("early-key", [...early, axis("d", of.d)]),
        value: leaf("early-value", [...early, axis("e", of.e)])
      }
    },
    "attention"
  );
  const loads2 = realLoads(attention.score);
  const bufferGradients = attention.buffers.flatMap((buffer, n) => {
    const own = loads2.filter((load2) => load2.buffer === n);
    if (buffer.dtype !== "f32" || own.length === 0) return [];
    return [
      {
        buffer: n,
        loads: own.map((load2) => ({ indices: load2.indices, slope: derivative(attention.score, load2) }))
      }
    ];
  });
  const gradient = attentionGradientNode(
    attention,
    leaf("output-gradient", attention.axes),
    { scoreSlope: derivative(attention.score, logit), bufferGradients },
    "gradient"
  );
  const name = `${mask.name} | ${score.name} | b${batch} q${queries}+${start} k${keys} h${heads}/${of.groups} d${of.d} e${of.e} early${of.early} regions${regions.length}`;
  const sizes = { batch, length: keys, threads: of.threads, "query-start": start };
  return {
    name,
    sizes,
    attention,
    gradient,
    rotations: [],
    meaning: null,
    deviation: of.deviation,
    seed: of.seed
  };
}
var specOf = (shapes) => shapes.chain((of) => {
  const { groups, each } = afford(of);
  const heads = groups * each;
  return fast_check_default.tuple(
    fast_check_default.oneof({ weight: 2, arbitrary: randomMask({ heads }) }, { weight: 1, arbitrary: wideMask }),
    randomScore(heads),
    fast_check_default.integer({ min: 0, max: 2 })
  ).map(
    ([mask, score, plain2]) => buildSpec(of, mask, () => plain2 === 0 ? { name: "logit", build: (s) => s } : score)
  );
});
var tileShape = fast_check_default.tuple(
  shape,
  fast_check_default.constantFrom(16, 32, 48, 64, 64, 80, 96, 128, 128),
  fast_check_default.constantFrom(16, 32, 64, 64, 96, 128, 128),
  fast_check_default.integer({ min: 1, max: 320 }),
  fast_check_default.boolean()
).map(([of, d, width, length, same]) => ({
  ...of,
  d,
  e: same ? d : width,
  length,
  early: 0,
  regions: []
}));
var randomTileSpecs = (count2, seed) => fast_check_default.sample(specOf(tileShape), { numRuns: count2, seed });

// compiler/ir/expr-ops.ts
function erf(x) {
  const t = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (t > 6) return Math.sign(x);
  if (t < 2.5) {
    let term = t;
    let total = t;
    for (let n = 1; n < 120 && Math.abs(term) > 1e-18 * total; n++) {
      term *= 2 * t * t / (2 * n + 1);
      total += term;
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-t * t) * total;
  }
  let fraction = 0;
  for (let n = 80; n > 0; n--) fraction = n / 2 / (t + fraction);
  return Math.sign(x) * (1 - Math.exp(-t * t) / (Math.sqrt(Math.PI) * (t + fraction)));
}
var sigmoid = (x) => x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
var floorDiv = (a, b) => b === 0 ? 0 : Math.floor(a / b);
var floorMod = (a, b) => b === 0 ? 0 : a - b * Math.floor(a / b);
var unaryOps = {
  neg: (x) => -x,
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  tanh: Math.tanh,
  sigmoid,
  erf,
  sin: Math.sin,
  cos: Math.cos,
  floor: Math.floor,
  ceil: Math.ceil,
  sign: Math.sign,
  "to-real": (x) => x,
  "to-int": Math.trunc,
  not: (x) => x === 0 ? 1 : 0
};
var binaryOps = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  "floor-div": floorDiv,
  mod: floorMod,
  pow: (a, b) => a === 1 ? 1 : Math.pow(a, b),
  min: (a, b) => a < b ? a : b,
  max: (a, b) => a > b ? a : b,
  lt: (a, b) => a < b ? 1 : 0,
  le: (a, b) => a <= b ? 1 : 0,
  eq: (a, b) => a === b ? 1 : 0,
  and: (a, b) => a !== 0 && b !== 0 ? 1 : 0,
  or: (a, b) => a !== 0 || b !== 0 ? 1 : 0
};

// compiler/ir/simplify-expr.ts
var isValue = (e, value) => e.kind === "constant" && e.value === value && !Object.is(e.value, -0);
var largestInt = 2 ** 31 - 1;
function representable(value, type) {
  return Number.isFinite(value) && (type !== "int" || Math.abs(value) <= largestInt);
}
var rules3 = [
  {
    name: "fold-constants",
    // 2 + 3 → 5
    apply: (e) => {
      let value;
      if (e.kind === "unary" && e.operand.kind === "constant") value = unaryOps[e.op](e.operand.value);
      else if (e.kind === "binary" && e.left.kind === "constant" && e.right.kind === "constant")
        value = binaryOps[e.op](e.left.value, e.right.value);
      else return null;
      return representable(value, e.type) ? constant(e.type === "int" ? value + 0 : value, e.type) : null;
    }
  },
  {
    name: "drop-neutral",
    // x + 0, x · 1, x − 0, x / 1, x // 1, x ^ 1 → x
    apply: (e) => {
      if (e.kind !== "binary") return null;
      if (e.op === "add" && isValue(e.left, 0)) return e.right;
      if (e.op === "mul" && isValue(e.left, 1)) return e.right;
      if ((e.op === "add" || e.op === "sub") && isValue(e.right, 0)) return e.left;
      const one2 = e.op === "mul" || e.op === "div" || e.op === "floor-div" || e.op === "pow";
      return one2 && isValue(e.right, 1) ? e.left : null;
    }
  },
  {
    name: "subtract-by-sign",
    // x · −1 → −x, 0 − x → −x, −−x → x
    apply: (e) => {
      if (e.kind === "unary" && e.op === "neg" && e.operand.kind === "unary" && e.operand.op === "neg")
        return e.operand.operand;
      if (e.kind !== "binary") return null;
      if (e.op === "sub" && isValue(e.left, 0)) return neg(e.right);
      if (e.op === "mul" && isValue(e.right, -1)) return neg(e.left);
      return e.op === "mul" && isValue(e.left, -1) ? neg(e.right) : null;
    }
  },
  {
    name: "decide-whole-numbers",
    // for whole numbers: x − x → 0, x · 0 → 0, x % 1 → 0, x < x → false
    apply: (e) => {
      if (e.kind !== "binary" || e.left.type !== "int") return null;
      if (e.op === "mul" && (isValue(e.left, 0) || isValue(e.right, 0))) return int(0);
      if (e.op === "mod" && isValue(e.right, 1)) return int(0);
      if (e.left !== e.right) return null;
      if (e.op === "sub") return int(0);
      if (e.op === "lt") return bool(false);
      return e.op === "le" || e.op === "eq" ? bool(true) : null;
    }
  },
  {
    name: "gather-whole-constants",
    // (x + 2) − 5 → x + −3
    apply: (e) => {
      if (e.kind !== "binary" || e.type !== "int" || e.op !== "add" && e.op !== "sub") return null;
      if (e.op === "add" && e.left.kind === "constant" && e.right.kind !== "constant")
        return add(e.right, e.left);
      if (e.right.kind !== "constant") return null;
      const shift = e.op === "add" ? e.right.value : -e.right.value;
      const inner = e.left;
      const nested = inner.kind === "binary" && inner.op === "add" && inner.right.kind === "constant";
      if (nested && representable(inner.right.value + shift, "int"))
        return add(inner.left, int(inner.right.value + shift));
      return e.op === "sub" && representable(shift, "int") ? add(e.left, int(shift)) : null;
    }
  },
  {
    name: "same-operands",
    // min(x, x) → x, x and x → x
    apply: (e) => {
      if (e.kind !== "binary" || e.left !== e.right) return null;
      return e.op === "min" || e.op === "max" || e.op === "and" || e.op === "or" ? e.left : null;
    }
  },
  {
    name: "decide-logic",
    // x and true → x, x or true → true
    apply: (e) => {
      if (e.kind !== "binary" || e.op !== "and" && e.op !== "or") return null;
      const absorbing = e.op === "and" ? 0 : 1;
      for (const [side, other] of [
        [e.left, e.right],
        [e.right, e.left]
      ])
        if (side.kind === "constant") return side.value === absorbing ? bool(absorbing === 1) : other;
      return null;
    }
  },
  {
    name: "push-not",
    // not not x → x; for whole numbers: not (a < b) → b <= a
    apply: (e) => {
      if (e.kind !== "unary" || e.op !== "not") return null;
      const x = e.operand;
      if (x.kind === "unary" && x.op === "not") return x.operand;
      if (x.kind !== "binary" || x.left.type !== "int") return null;
      if (x.op === "lt") return binary("le", x.right, x.left);
      return x.op === "le" ? binary("lt", x.right, x.left) : null;
    }
  },
  {
    name: "decide-selection",
    // if true then a else b → a; if not c then a else b → if c then b else a
    apply: (e) => {
      if (e.kind !== "select") return null;
      if (e.condition.kind === "constant") return e.condition.value !== 0 ? e.then : e.otherwise;
      if (e.then === e.otherwise) return e.then;
      if (e.condition.kind === "unary" && e.condition.op === "not")
        return select(e.condition.operand, e.otherwise, e.then);
      if (e.type !== "bool" || e.then.kind !== "constant" || e.otherwise.kind !== "constant") return null;
      return e.then.value !== 0 ? e.condition : not(e.condition);
    }
  },
  {
    name: "plain-powers",
    // x ^ 2 → x · x, x ^ 0.5 → √x, x ^ −1 → 1 / x
    apply: (e) => {
      if (e.kind !== "binary" || e.op !== "pow") return null;
      if (isValue(e.right, 2)) return mul(e.left, e.left);
      if (isValue(e.right, 0.5)) return unary("sqrt", e.left);
      return isValue(e.right, -1) ? div(real(1), e.left) : null;
    }
  },
  {
    name: "multiply-by-inverse",
    // x / 4 → x · 0.25, for powers of two, where it is exact
    apply: (e) => {
      if (e.kind !== "binary" || e.op !== "div" || e.right.kind !== "constant") return null;
      const power = Math.log2(Math.abs(e.right.value));
      return Number.isInteger(power) && Math.abs(power) < 100 ? mul(e.left, real(1 / e.right.value)) : null;
    }
  }
];
var mostRounds = 16;
function simplifyExpr(root) {
  const settle = (start) => {
    let e = start;
    for (let round3 = 0; round3 < mostRounds; round3++) {
      let next = null;
      for (const rule of rules3) {
        next = rule.apply(e);
        if (next !== null) break;
      }
      if (next === null || next === e) return e;
      e = next;
    }
    return e;
  };
  return mapExpr(root, settle);
}

// compiler/passes/analyses/symbolic-bounds.ts
var unknown = { all: bool(false), any: bool(true) };
var min = (a, b) => binary("min", a, b);
var max = (a, b) => binary("max", a, b);
var floorDiv2 = (a, b) => binary("floor-div", a, b);
function symbolicBounds(ranges2, rising2, onUnknown = () => {
}) {
  const fixed2 = /* @__PURE__ */ new Map();
  const isFixed = (e) => {
    const known2 = fixed2.get(e);
    if (known2 !== void 0) return known2;
    const varies = e.kind === "logit" || e.kind === "operand" || e.kind === "uniform";
    const found = !varies && (e.kind === "index" ? !ranges2.has(e.name) : exprChildren(e).every(isFixed));
    fixed2.set(e, found);
    return found;
  };
  const numbers = /* @__PURE__ */ new Map();
  const truths = /* @__PURE__ */ new Map();
  const bounds = (e) => {
    const known2 = numbers.get(e);
    if (known2 !== void 0) return known2;
    const found = isFixed(e) ? { low: e, high: e } : compute(e);
    if (found === null) onUnknown();
    numbers.set(e, found);
    return found;
  };
  const both = (e) => {
    const found = e.map(bounds);
    return found.every((own) => own !== null) ? found : null;
  };
  const sum = (form) => {
    let [low, high] = [int(form.constant), int(form.constant)];
    for (const [part, factor2] of form.terms) {
      const own = bounds(part);
      if (own === null) return null;
      low = add(low, times(factor2 > 0 ? own.low : own.high, factor2));
      high = add(high, times(factor2 > 0 ? own.high : own.low, factor2));
    }
    return { low, high };
  };
  const four = (a, b) => {
    const [w, x, y, z] = [mul(a.low, b.low), mul(a.low, b.high), mul(a.high, b.low), mul(a.high, b.high)];
    return { low: min(min(w, x), min(y, z)), high: max(max(w, x), max(y, z)) };
  };
  const compute = (e) => {
    switch (e.kind) {
      case "constant":
      case "size":
      case "scalar":
        return { low: e, high: e };
      case "index":
        return ranges2.get(e.name) ?? { low: e, high: e };
      case "logit":
      case "operand":
      case "uniform":
        return null;
      case "load": {
        const [at, ...more] = e.indices;
        const own = at?.kind === "index" && more.length === 0 && rising2.has(e.buffer) ? ranges2.get(at.name) : void 0;
        return own === void 0 ? null : { low: load(e.buffer, [own.low], e.type), high: load(e.buffer, [own.high], e.type) };
      }
      case "set": {
        if (e.op === "member") return null;
        const below = bounds(e.element);
        return below === null ? null : { low: int(0), high: max(int(0), below.high) };
      }
      case "unary":
        return computeUnary(e);
      case "binary":
        return computeBinary(e);
      case "select": {
        const condition = truth(e.condition);
        const found = both([e.then, e.otherwise]);
        if (found === null) return null;
        const [a, b] = found;
        const pick = (x, y, mixed) => select(condition.all, x, select(condition.any, mixed, y));
        return {
          low: pick(a.low, b.low, min(a.low, b.low)),
          high: pick(a.high, b.high, max(a.high, b.high))
        };
      }
      default:
        return e;
    }
  };
  const computeUnary = (e) => {
    if (e.type === "bool" || e.operand.type === "bool") return null;
    const own = bounds(e.operand);
    if (own === null) return null;
    const zero2 = e.type === "int" ? int(0) : null;
    switch (e.op) {
      case "neg":
        return { low: neg(own.high), high: neg(own.low) };
      case "abs":
        return zero2 === null ? null : {
          low: select(le(zero2, own.low), own.low, select(le(own.high, zero2), neg(own.high), zero2)),
          high: max(neg(own.low), own.high)
        };
      case "floor":
      case "ceil":
      case "sign":
      case "to-real":
      case "to-int":
        return { low: unary(e.op, own.low), high: unary(e.op, own.high) };
      case "exp":
      case "log":
      case "sqrt":
      case "tanh":
      case "sigmoid":
      case "erf":
      case "sin":
      case "cos":
      case "not":
        return null;
      default:
        return e.op;
    }
  };
  const computeBinary = (e) => {
    if (e.type === "bool") return null;
    if (e.type === "int" && (e.op === "add" || e.op === "sub" || e.op === "mul")) {
      const form = linearForm(e);
      if (!form.terms.has(e)) return sum(form);
    }
    const found = both([e.left, e.right]);
    if (found === null) return null;
    const [a, b] = found;
    switch (e.op) {
      case "min":
      case "max":
        return { low: binary(e.op, a.low, b.low), high: binary(e.op, a.high, b.high) };
      case "mul":
        return e.type === "int" ? four(a, b) : null;
      case "floor-div": {
        if (!isFixed(e.right)) return null;
        const [x, y] = [floorDiv2(a.low, e.right), floorDiv2(a.high, e.right)];
        if (e.right.kind === "constant")
          return e.right.value >= 0 ? { low: x, high: y } : { low: y, high: x };
        return { low: min(x, y), high: max(x, y) };
      }
      case "mod": {
        if (!isFixed(e.right)) return null;
        const n = e.right;
        const same = eq(floorDiv2(a.low, n), floorDiv2(a.high, n));
        const least2 = min(add(n, int(1)), int(0));
        const most = max(sub(n, int(1)), int(0));
        return {
          low: select(same, binary("mod", a.low, n), least2),
          high: select(same, binary("mod", a.high, n), most)
        };
      }
      // Rounding is monotone, so sums of bounds bound the rounded sums.
      case "add":
        return { low: add(a.low, b.low), high: add(a.high, b.high) };
      case "sub":
        return { low: sub(a.low, b.high), high: sub(a.high, b.low) };
      case "div":
      case "pow":
        return null;
      case "lt":
      case "le":
      case "eq":
      case "and":
      case "or":
        return null;
      default:
        return e.op;
    }
  };
  const truth = (e) => {
    const known2 = truths.get(e);
    if (known2 !== void 0) return known2;
    const found = isFixed(e) ? { all: e, any: e } : judge(e);
    truths.set(e, found);
    return found;
  };
  const compare2 = (e) => {
    const whole2 = e.left.type === "int";
    const difference = whole2 ? sum(addForms(linearForm(e.left), linearForm(e.right), -1)) : null;
    const zero2 = int(0);
    const a = difference ?? bounds(e.left);
    const b = difference === null ? bounds(e.right) : { low: zero2, high: zero2 };
    if (a === null || b === null) return unknown;
    if (e.op === "le") return { all: le(a.high, b.low), any: le(a.low, b.high) };
    if (e.op === "lt") return { all: lt(a.high, b.low), any: lt(a.low, b.high) };
    const equal = and(and(eq(a.low, a.high), eq(b.low, b.high)), eq(a.low, b.low));
    return { all: equal, any: and(le(a.low, b.high), le(b.low, a.high)) };
  };
  const lookUp = (e) => {
    const found = both(e.indices);
    if (found === null) return unknown;
    const one2 = found.reduce((all, { low, high }) => and(all, eq(low, high)), bool(true));
    const element = load(
      e.buffer,
      found.map(({ low }) => low),
      e.type
    );
    return { all: and(one2, element), any: or(not(one2), element) };
  };
  const ask = (e) => {
    const found = both([...e.indices, e.element]);
    if (found === null) return unknown;
    const one2 = found.reduce((all, { low, high }) => and(all, eq(low, high)), bool(true));
    const lows = found.map(({ low }) => low);
    const held = setRead(e.op, e.buffer, lows.slice(0, -1), lows.at(-1));
    return { all: and(one2, held), any: or(not(one2), held) };
  };
  const judge = (e) => {
    if (e.kind === "load") return lookUp(e);
    if (e.kind === "set") return ask(e);
    if (e.kind === "unary" && e.op === "not") {
      const x = truth(e.operand);
      return { all: not(x.any), any: not(x.all) };
    }
    if (e.kind === "select") {
      const [c2, a, b] = [truth(e.condition), truth(e.then), truth(e.otherwise)];
      const mixed = and(a.all, b.all);
      return {
        all: select(c2.all, a.all, select(c2.any, mixed, b.all)),
        any: select(c2.all, a.any, select(c2.any, or(a.any, b.any), b.any))
      };
    }
    if (e.kind === "binary") {
      if (e.op === "and" || e.op === "or") {
        const [a, b] = [truth(e.left), truth(e.right)];
        return { all: binary(e.op, a.all, b.all), any: binary(e.op, a.any, b.any) };
      }
      if ((e.op === "lt" || e.op === "le" || e.op === "eq") && e.left.type !== "bool") return compare2(e);
    }
    onUnknown();
    return unknown;
  };
  return { bounds, truth, sum };
}

// compiler/passes/analyses/mask-bounds.ts
function risingBuffers(core) {
  return new Set(
    core.buffers.flatMap(
      (buffer, n) => buffer.kind === "input" && (buffer.name === "documents" || buffer.name === "starts") ? [n] : []
    )
  );
}
function maskBounds(mask, rising2 = /* @__PURE__ */ new Set()) {
  const ranges2 = /* @__PURE__ */ new Map([
    ["q", { low: index("q0"), high: index("q1") }],
    ["k", { low: index("k0"), high: index("k1") }]
  ]);
  const { all, any } = symbolicBounds(ranges2, rising2).truth(simplifyExpr(mask));
  return { all: simplifyExpr(all), any: simplifyExpr(any) };
}

// compiler/passes/analyses/position-ranges.ts
var mostAlternatives = 32;
var min2 = (a, b) => binary("min", a, b);
var max2 = (a, b) => binary("max", a, b);
function alternatives(e, holds) {
  const cross = (a, b, aHolds, bHolds) => {
    const [left, right] = [alternatives(a, aHolds), alternatives(b, bHolds)];
    if (left === null || right === null || left.length * right.length > mostAlternatives) return null;
    return left.flatMap((x) => right.map((y) => [...x, ...y]));
  };
  const union = (...parts) => {
    const all = parts.flatMap((part) => part ?? []);
    return parts.includes(null) || all.length > mostAlternatives ? null : all;
  };
  if (e.kind === "constant") return e.value !== 0 === holds ? [[]] : [];
  if (e.kind === "unary" && e.op === "not") return alternatives(e.operand, !holds);
  if (e.kind === "binary" && (e.op === "and" || e.op === "or"))
    return e.op === "and" === holds ? cross(e.left, e.right, holds, holds) : union(alternatives(e.left, holds), alternatives(e.right, holds));
  if (e.kind === "select")
    return union(cross(e.condition, e.then, true, holds), cross(e.condition, e.otherwise, false, holds));
  if (holds) return [[e]];
  if (e.kind === "binary" && e.left.type === "int") {
    if (e.op === "eq") return [[lt(e.left, e.right)], [lt(e.right, e.left)]];
    if (e.op === "lt") return [[le(e.right, e.left)]];
    if (e.op === "le") return [[lt(e.right, e.left)]];
  }
  return [[not(e)]];
}
var RangeFinder = class {
  /** The index whose positions are sought. */
  #sought;
  #bounds;
  #options;
  /** The other index, over a block from … to. */
  #block;
  exact = true;
  constructor(sought, block2, options) {
    this.#sought = sought;
    this.#block = block2;
    this.#options = options;
    this.#bounds = symbolicBounds(
      /* @__PURE__ */ new Map([[block2.name, block2]]),
      options.rising ?? /* @__PURE__ */ new Set(),
      () => this.exact = false
    );
  }
  #reads(e) {
    return someExpr(e, (part) => part.kind === "index" && part.name === this.#sought);
  }
  /** Narrows an interval to where a comparison can hold. */
  narrow(interval, e) {
    if (!this.#reads(e)) return { ...interval, when: and(interval.when, this.#bounds.truth(e).any) };
    const documents = this.#documentStart(e);
    if (documents !== null) {
      this.exact = false;
      return { ...interval, from: max2(interval.from, documents) };
    }
    if (e.kind === "binary" && e.left.type === "int" && (e.op === "le" || e.op === "lt" || e.op === "eq")) {
      const difference = addForms(linearForm(e.left), linearForm(e.right), -1);
      const above = { constant: e.op === "lt" ? 1 : 0, terms: /* @__PURE__ */ new Map() };
      const narrowed = this.#solve(interval, addForms(difference, above), int(0));
      if (e.op !== "eq") return narrowed;
      return this.#solve(narrowed, addForms({ constant: 0, terms: /* @__PURE__ */ new Map() }, difference, -1), int(0));
    }
    this.exact = false;
    return interval;
  }
  /** Keys of the same document start where the first query's document starts. */
  #documentStart(e) {
    const { documents } = this.#options;
    if (documents === void 0 || this.#sought !== "k" || e.kind !== "binary" || e.op !== "eq") return null;
    const ids = load(documents.ids, [index("q")], "int");
    const own = load(documents.ids, [index("k")], "int");
    const same = e.left === ids && e.right === own || e.left === own && e.right === ids;
    return same ? load(documents.starts, [this.#block.low], "int") : null;
  }
  /** Narrows to where form + offset ≤ 0 can hold; the offset does not depend on the positions sought. */
  #solve(interval, form, offset) {
    const sought = [...form.terms].filter(([part2]) => this.#reads(part2));
    const rest = this.#bounds.sum({
      constant: form.constant,
      terms: new Map([...form.terms].filter(([part2]) => !this.#reads(part2)))
    });
    const [only, ...more] = sought;
    if (rest === null || more.length > 0) {
      this.exact = false;
      return interval;
    }
    const low = add(rest.low, offset);
    if (only === void 0) return { ...interval, when: and(interval.when, le(low, int(0))) };
    const [part, factor2] = only;
    const room = neg(low);
    const limit = factor2 > 0 ? binary("floor-div", room, int(factor2)) : neg(binary("floor-div", room, int(-factor2)));
    if (part.kind === "index")
      return factor2 > 0 ? { ...interval, to: min2(interval.to, limit) } : { ...interval, from: max2(interval.from, limit) };
    if (part.kind === "binary" && part.op === "floor-div" && part.right.kind === "constant" && part.right.value > 0) {
      const n = part.right;
      const inner = linearForm(part.left);
      if (factor2 > 0) return this.#solve(interval, inner, neg(add(mulBy(limit, n), sub(n, int(1)))));
      return this.#solve(interval, addForms({ constant: 0, terms: /* @__PURE__ */ new Map() }, inner, -1), mulBy(limit, n));
    }
    this.exact = false;
    return interval;
  }
};
var mulBy = (x, n) => binary("mul", x, n);
function ranges(mask, sought, block2, limits, options) {
  const finder = new RangeFinder(sought, block2, options);
  const parts = alternatives(simplifyExpr(mask), true);
  if (parts === null) finder.exact = false;
  const whole2 = { when: bool(true), from: limits.low, to: limits.high };
  const intervals = (parts ?? [[]]).map((comparisons) => {
    const found = comparisons.reduce((interval, e) => finder.narrow(interval, e), whole2);
    return { when: simplifyExpr(found.when), from: simplifyExpr(found.from), to: simplifyExpr(found.to) };
  });
  const nowhere = { low: add(limits.high, int(1)), high: sub(limits.low, int(1)) };
  const hull = intervals.reduce((around, { when, from, to }) => {
    const some = and(when, le(from, to));
    return {
      low: min2(around.low, select(some, from, nowhere.low)),
      high: max2(around.high, select(some, to, nowhere.high))
    };
  }, nowhere);
  return {
    intervals,
    hull: { low: simplifyExpr(hull.low), high: simplifyExpr(hull.high) },
    exact: finder.exact && parts !== null
  };
}
var keyRanges = (mask, options = {}) => ranges(
  mask,
  "k",
  { name: "q", low: index("q0"), high: index("q1") },
  { low: int(0), high: sub(size("length"), int(1)) },
  options
);
var queryRanges = (mask, options = {}) => ranges(
  mask,
  "q",
  { name: "k", low: index("k0"), high: index("k1") },
  { low: size("query-start"), high: sub(add(size("query-start"), size("query-length")), int(1)) },
  options
);

// compiler/passes/analyses/block-facts.ts
function rangeOptions(core) {
  const rising2 = risingBuffers(core);
  const find = (name) => core.buffers.findIndex((buffer) => buffer.kind === "input" && buffer.name === name);
  const [ids, starts] = [find("documents"), find("starts")];
  return ids >= 0 && starts >= 0 ? { rising: rising2, documents: { ids, starts } } : { rising: rising2 };
}
function blockFacts(core) {
  const options = rangeOptions(core);
  return {
    keys: keyRanges(core.mask, options),
    queries: queryRanges(core.mask, options),
    mask: maskBounds(core.mask, options.rising),
    regions: core.regions.slice(0, -1).map(({ when }) => maskBounds(when, options.rising))
  };
}

// compiler/ir/evaluate-expr.ts
var absent = (what) => () => {
  throw new Error(`this expression has no ${what} here`);
};
var noValues = {
  index: absent("index"),
  size: absent("size"),
  scalar: absent("scalar"),
  logit: absent("logit"),
  operand: absent("operand"),
  load: absent("buffer"),
  words: absent("set"),
  uniform: absent("random number")
};
var members = 32;
function countBits(word2) {
  let count2 = 0;
  for (let left = word2 >>> 0; left !== 0; left &= left - 1) count2++;
  return count2;
}
function readSet(op, word2, words, element) {
  const [at, bit] = [Math.floor(element / members), element - members * Math.floor(element / members)];
  if (op === "member") return at >= 0 && at < words ? word2(at) >>> bit & 1 : 0;
  let count2 = 0;
  for (let n = 0; n < words && n < at; n++) count2 += countBits(word2(n));
  return at >= 0 && at < words ? count2 + countBits(word2(at) & 2 ** bit - 1) : count2;
}
function exprEvaluator(root) {
  const made2 = /* @__PURE__ */ new Map();
  let values = noValues;
  let generation = 0;
  const build = (e) => {
    const known2 = made2.get(e);
    if (known2 !== void 0) return known2;
    const raw = compute(e);
    let stamp = -1;
    let cached = 0;
    const cacheable = e.kind !== "constant" && e.kind !== "index" && e.kind !== "logit" && e.kind !== "operand";
    const remembered = cacheable ? () => {
      if (stamp === generation) return cached;
      cached = raw();
      stamp = generation;
      return cached;
    } : raw;
    made2.set(e, remembered);
    return remembered;
  };
  const compute = (e) => {
    switch (e.kind) {
      case "constant":
        return () => e.value;
      case "index":
        return () => values.index(e.name);
      case "size":
        return () => values.size(e.name);
      case "scalar":
        return () => values.scalar(e.name);
      case "logit":
        return () => values.logit();
      case "operand":
        return () => values.operand(e.index);
      case "uniform":
        return () => values.uniform(e.stream);
      case "load": {
        const indices = e.indices.map(build);
        return () => values.load(
          e.buffer,
          indices.map((at) => at())
        );
      }
      case "set": {
        const [indices, element] = [e.indices.map(build), build(e.element)];
        return () => {
          const row = indices.map((at) => at());
          const word2 = (n) => values.load(e.buffer, [...row, n]);
          return readSet(e.op, word2, values.words(e.buffer), element());
        };
      }
      case "unary": {
        const [op, x] = [unaryOps[e.op], build(e.operand)];
        return e.type === "int" ? () => op(x()) + 0 : () => op(x());
      }
      case "binary": {
        const [a, b] = [build(e.left), build(e.right)];
        if (e.op === "and") return () => a() !== 0 && b() !== 0 ? 1 : 0;
        if (e.op === "or") return () => a() !== 0 || b() !== 0 ? 1 : 0;
        const op = binaryOps[e.op];
        return e.type === "int" ? () => op(a(), b()) + 0 : () => op(a(), b());
      }
      case "select": {
        const [condition, a, b] = [build(e.condition), build(e.then), build(e.otherwise)];
        return () => condition() !== 0 ? a() : b();
      }
      default:
        return e;
    }
  };
  const run = build(root);
  return (given) => {
    values = given;
    generation++;
    return run();
  };
}

// compiler/ir/interpret-tensor.ts
function extents(axes, sizes) {
  return axes.map(({ size: size2 }) => {
    switch (size2.kind) {
      case "fixed":
        return size2.value;
      case "batch":
        return sizes.batch;
      case "length":
        return Math.ceil((sizes.length + size2.plus) / size2.by);
      default:
        return size2;
    }
  });
}
var product2 = (shape2) => shape2.reduce((a, b) => a * b, 1);
var emptyTensor = (shape2) => ({
  shape: shape2,
  data: new Float64Array(product2(shape2))
});
function strides(shape2) {
  const found = shape2.map(() => 1);
  for (let n = shape2.length - 2; n >= 0; n--) found[n] = found[n + 1] * shape2[n + 1];
  return found;
}
function offsets(axes, shape2, own, ownShape) {
  const ownStrides = strides(ownShape);
  const steps = axes.map(({ name }) => {
    const at = own.findIndex((axis2) => axis2.name === name);
    return at < 0 ? 0 : ownStrides[at];
  });
  const found = new Int32Array(product2(shape2));
  const position = shape2.map(() => 0);
  let offset = 0;
  for (let n = 0; n < found.length; n++) {
    found[n] = offset;
    for (let d = shape2.length - 1; d >= 0; d--) {
      offset += steps[d];
      if (++position[d] < shape2[d]) break;
      offset -= steps[d] * shape2[d];
      position[d] = 0;
    }
  }
  return found;
}
var folds = {
  sum: { start: 0, fold: (a, b) => a + b },
  max: { start: -Infinity, fold: Math.max },
  min: { start: Infinity, fold: Math.min }
};

// compiler/ir/interpret-weight.ts
var logSumExp = (scores) => {
  const largest = scores.reduce((max3, score) => Math.max(max3, score), -Infinity);
  if (largest === -Infinity) return -Infinity;
  return largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
};
var shareOf = (score, lse) => score === -Infinity ? 0 : Math.exp(score - lse);
var plainWeight = (core) => ({
  row: { guard: bool(true), score: core.score },
  block: null,
  cases: [{ when: bool(true), row: "self", local: false, factor: null }]
});
function reader(core) {
  const weight = core.weight ?? plainWeight(core);
  const evaluate = (e) => exprEvaluator(e ?? real(0));
  const { row, block: block2, cases } = weight;
  const [rowGuard, rowScore] = [evaluate(row?.guard ?? bool(false)), evaluate(row?.score)];
  const inner = block2?.inner ?? null;
  const [blockGuard, blockScore] = [evaluate(inner?.guard ?? bool(false)), evaluate(inner?.score)];
  const sink = core.sink === null ? null : exprEvaluator(core.sink);
  const whens = cases.map(({ when }) => exprEvaluator(when));
  const factors = cases.map(({ factor: factor2 }) => evaluate(factor2 ?? real(1)));
  const size2 = block2?.size ?? 1;
  const normalise = (of, known2) => {
    const { pairs, valuesAt } = of;
    const scores = pairs.map((pair2) => {
      if (pair2.k < 0) return pair2.logit;
      return rowGuard(valuesAt(pair2)) === 0 ? -Infinity : rowScore(valuesAt(pair2));
    });
    const terms2 = sink === null ? scores : [sink(of.rowValues()), ...scores];
    const lse = known2 ?? (row === null ? 0 : logSumExp(terms2));
    const shares = scores.map((score) => shareOf(score, lse));
    if (inner === null) return { lse, row: shares, block: shares.map(() => 0) };
    const own = pairs.map(
      (pair2) => pair2.k < 0 || blockGuard(valuesAt(pair2)) === 0 ? -Infinity : blockScore(valuesAt(pair2))
    );
    const byBlock = /* @__PURE__ */ new Map();
    pairs.forEach(({ k: k2 }, n) => {
      const at = Math.floor(k2 / size2);
      byBlock.set(at, [...byBlock.get(at) ?? [], own[n]]);
    });
    const sums = new Map([...byBlock].map(([at, list2]) => [at, logSumExp(list2)]));
    return {
      lse,
      row: shares,
      block: own.map((score, n) => shareOf(score, sums.get(Math.floor(pairs[n].k / size2))))
    };
  };
  const readAt = (pairs, n, at) => {
    if (at === "self") return n;
    const { k: k2 } = pairs[n];
    const first = Math.floor(k2 / size2) * size2;
    const wanted = n - k2 + (at === "first" ? first : first + size2 - 1);
    return wanted < pairs.length ? wanted : -1;
  };
  const caseOf = (of, n) => {
    const pair2 = of.pairs[n];
    return pair2.seen ? whens.findIndex((when) => when(of.valuesAt(pair2)) !== 0) : -1;
  };
  return { cases, factors, sink, size: size2, normalise, readAt, caseOf };
}
function rowWeigher(core) {
  const { cases, factors, normalise, readAt, caseOf } = reader(core);
  return (of) => {
    const shares = normalise(of, null);
    const weights = of.pairs.map((pair2, n) => {
      if (pair2.k < 0) return shares.row[n];
      const which = caseOf(of, n);
      if (which < 0) return 0;
      const { row, local } = cases[which];
      const read2 = row === null ? null : readAt(of.pairs, n, row);
      const outer = read2 === null ? 1 : read2 < 0 ? 0 : shares.row[read2];
      return outer * (local ? shares.block[n] : 1) * factors[which](of.valuesAt(pair2));
    });
    return { weights, lse: shares.lse };
  };
}
function rowAdjoint(node) {
  const { cases, factors, sink, size: size2, normalise, readAt, caseOf } = reader(node);
  const rowPart = node.weight === null ? "score" : "row";
  const rowSlope = exprEvaluator(node.weightSlopes?.row ?? node.scoreSlope);
  const blockSlope = exprEvaluator(node.weightSlopes?.block ?? real(0));
  const factorSlopes = cases.map((_, n) => exprEvaluator(node.weightSlopes?.factors[n] ?? real(0)));
  return (of, dWeights, lse, delta) => {
    const { pairs } = of;
    const shares = normalise(of, lse);
    const weights = pairs.map(() => 0);
    const [dRow, dBlock, dFactor] = [pairs.map(() => 0), pairs.map(() => 0), pairs.map(() => 0)];
    const which = pairs.map((pair2, n) => pair2.k < 0 ? -1 : caseOf(of, n));
    const blockSums = /* @__PURE__ */ new Map();
    pairs.forEach((pair2, n) => {
      if (pair2.k < 0) {
        weights[n] = shares.row[n];
        dRow[n] += weights[n] * dWeights[n];
        return;
      }
      if (which[n] < 0) return;
      const { row, local } = cases[which[n]];
      const read2 = row === null ? null : readAt(pairs, n, row);
      const outer = read2 === null ? 1 : read2 < 0 ? 0 : shares.row[read2];
      const rest = outer * (local ? shares.block[n] : 1);
      weights[n] = rest * factors[which[n]](of.valuesAt(pair2));
      const moved = weights[n] * dWeights[n];
      if (read2 !== null && read2 >= 0) dRow[read2] += moved;
      dFactor[n] = rest * dWeights[n];
      if (!local) return;
      dBlock[n] = moved;
      const at = Math.floor(pair2.k / size2);
      blockSums.set(at, (blockSums.get(at) ?? 0) + moved);
    });
    pairs.forEach((pair2, n) => {
      dRow[n] -= shares.row[n] * delta;
      if (pair2.k >= 0) dBlock[n] -= shares.block[n] * (blockSums.get(Math.floor(pair2.k / size2)) ?? 0);
    });
    const part = (share, slope, pair2) => share === 0 ? 0 : share * slope(of.valuesAt(pair2));
    const logits2 = pairs.map((pair2, n) => {
      if (pair2.k < 0) return dRow[n];
      const own = which[n] < 0 ? 0 : part(dFactor[n], factorSlopes[which[n]], pair2);
      return own + part(dRow[n], rowSlope, pair2) + part(dBlock[n], blockSlope, pair2);
    });
    return {
      weights,
      logits: logits2,
      visit: (wanted, take) => {
        if (wanted === "sink") {
          const leaves = of.rowValues();
          take(-shareOf(sink(leaves), lse) * delta, leaves);
          return;
        }
        pairs.forEach((pair2, n) => {
          if (pair2.k < 0) return;
          if (wanted === rowPart) take(dRow[n], of.valuesAt(pair2));
          else if (wanted === "block") take(dBlock[n], of.valuesAt(pair2));
          else if (wanted === which[n]) take(dFactor[n], of.valuesAt(pair2));
        });
      }
    };
  };
}

// compiler/ir/interpret-attention.ts
function loader(buffers, context2) {
  const tables = buffers.map((buffer) => {
    const tensor = context2.value(buffer);
    const batched = buffer.axes.findIndex(({ name }) => name === "b");
    return { tensor, batched, strides: strides(tensor.shape) };
  });
  return (batch) => (n, indices) => {
    const table = tables[n];
    let at = 0;
    let next = 0;
    table.tensor.shape.forEach((extent, d) => {
      const index2 = d === table.batched ? batch : indices[next++];
      if (!(index2 >= 0 && index2 < extent))
        throw new RangeError(`index ${index2} outside axis ${d} of buffer ${n} (${extent})`);
      at += index2 * table.strides[d];
    });
    return table.tensor.data[at];
  };
}
var wordCounter = (buffers, context2) => (n) => context2.value(buffers[n]).shape.at(-1);
var sizeReader = (sizes, rows2, start) => (name) => {
  if (name === "query-length") return sizes["query-length"] ?? rows2;
  if (name === "query-start") return start;
  return name === "step" ? sizes.step ?? 0 : sizes[name];
};
function turner(turn) {
  const [position, angle, scale] = [turn.position, turn.angle, turn.scale].map(exprEvaluator);
  const half = turn.rotated / 2;
  return (values) => {
    const at = position(values);
    return Array.from({ length: half }, (_, m) => {
      const own = { ...values, index: () => m };
      const [radians, factor2] = [at * angle(own), scale(own)];
      return {
        first: turn.layout === "half" ? m : 2 * m,
        second: turn.layout === "half" ? m + half : 2 * m + 1,
        cos: factor2 * Math.cos(radians),
        sin: factor2 * Math.sin(radians)
      };
    });
  };
}
function rotatedRow(row, rotation, sign) {
  const out = row.slice();
  for (const { first, second, cos, sin } of rotation) {
    out[first] = row[first] * cos - sign * row[second] * sin;
    out[second] = sign * row[first] * sin + row[second] * cos;
  }
  return out;
}
function walkRows(core, context2, visit) {
  const queries = core.regions.map(({ query }) => context2.value(query).data);
  const keys = core.regions.map(({ key }) => context2.value(key).data);
  const [batches, rows2, heads, d] = extents(core.regions[0].query.axes, context2.sizes);
  const [, keyRows, groups] = extents(core.regions[0].key.axes, context2.sizes);
  const e = core.value === null ? 0 : extents(core.value.axes, context2.sizes)[3];
  const start = isTokenAxis(core.regions[0].query.axes[1]) ? context2.sizes["query-start"] ?? 0 : 0;
  const mask = exprEvaluator(core.mask);
  const whens = core.regions.map(({ when }) => exprEvaluator(when));
  const turns = core.regions.map(({ turn }) => turn === null ? null : turner(turn));
  const load2 = loader(core.buffers, context2);
  const prepended = core.prepended === null ? null : context2.value(core.prepended.key);
  const dot = (a, at2, b, bt) => {
    let total = 0;
    for (let i = 0; i < d; i++) total += a[at2 + i] * b[bt + i];
    return total;
  };
  let place = { q: NaN, h: NaN, k: NaN, logit: NaN };
  let loadRow = noValues.load;
  const leaves = {
    ...noValues,
    index: (name) => name === "q" ? place.q : name === "k" ? place.k : name === "h" ? place.h : NaN,
    size: sizeReader(context2.sizes, rows2, start),
    scalar: context2.scalar,
    load: (n, indices) => loadRow(n, indices),
    words: wordCounter(core.buffers, context2),
    logit: () => place.logit
  };
  const at = (k2, logit2) => {
    place.k = k2;
    place.logit = logit2;
    return leaves;
  };
  for (let b = 0; b < batches; b++)
    for (let row = 0; row < rows2; row++)
      for (let h3 = 0; h3 < heads; h3++) {
        const group = Math.floor(h3 / (heads / groups));
        place = { q: start + row, h: h3, k: NaN, logit: NaN };
        loadRow = load2(b);
        const queryAt = ((b * rows2 + row) * heads + h3) * d;
        const pairs = [];
        for (let n = 0; prepended !== null && n < prepended.shape[0]; n++) {
          const keyAt = (n * groups + group) * d;
          const logit2 = core.scale * dot(queries[0], queryAt, prepended.data, keyAt);
          pairs.push({
            k: -1 - n,
            region: 0,
            queryAt,
            keyAt,
            valueAt: (n * groups + group) * e,
            query: { data: queries[0], from: queryAt },
            turn: null,
            logit: logit2,
            seen: true
          });
        }
        for (let k2 = 0; k2 < keyRows; k2++) {
          const seen = mask(at(k2, NaN)) !== 0;
          if (!seen && !core.all) continue;
          const region = whens.findIndex((when) => when(at(k2, NaN)) !== 0);
          const turn = turns[region]?.(at(k2, NaN)) ?? null;
          const query = turn === null ? { data: queries[region], from: queryAt } : { data: rotatedRow(queries[region].slice(queryAt, queryAt + d), turn, 1), from: 0 };
          const keyAt = ((b * keyRows + k2) * groups + group) * d;
          const logit2 = core.scale * dot(query.data, query.from, keys[region], keyAt);
          const valueAt = ((b * keyRows + k2) * groups + group) * e;
          pairs.push({ k: k2, region, queryAt, keyAt, valueAt, query, turn, logit: logit2, seen });
        }
        visit({
          batch: b,
          row: (b * rows2 + row) * heads + h3,
          pairs,
          valuesAt: (pair2) => at(pair2.k, pair2.logit),
          rowValues: () => at(NaN, NaN)
        });
      }
}
function interpretAttention(node, context2) {
  const shape2 = extents(node.axes, context2.sizes);
  const output = emptyTensor(shape2);
  const logSumExp2 = emptyTensor(shape2.slice(0, 3));
  const e = shape2[3];
  const values = context2.value(node.value).data;
  const prepended = node.prepended === null ? null : context2.value(node.prepended.value).data;
  const weigh = rowWeigher(node);
  walkRows({ ...node, all: node.weight !== null }, context2, (walk) => {
    const { row, pairs } = walk;
    const { weights, lse } = weigh(walk);
    logSumExp2.data[row] = lse;
    pairs.forEach((pair2, n) => {
      const from = pair2.k < 0 ? prepended : values;
      for (let i = 0; i < e; i++) output.data[row * e + i] += weights[n] * from[pair2.valueAt + i];
    });
  });
  return [output, logSumExp2];
}
function interpretAttentionGradient(node, context2) {
  const like = (other) => emptyTensor(extents(other.axes, context2.sizes));
  const dQueries = node.regions.map(({ query }) => like(query));
  const dKeys = node.regions.map(({ key }) => like(key));
  const dValue = like(node.value);
  const dBuffers = node.bufferGradients.map(({ buffer }) => like(node.buffers[buffer]));
  const dPrepended = node.prepended === null ? null : { key: like(node.prepended.key), value: like(node.prepended.value) };
  const data = (other) => context2.value(other).data;
  const keys = node.regions.map(({ key }) => data(key));
  const values = data(node.value);
  const prepended = node.prepended === null ? null : { key: data(node.prepended.key), value: data(node.prepended.value) };
  const [output, logSumExp2, gradient] = [data(node.output), data(node.logSumExp), data(node.outputGradient)];
  const d = extents(node.axes, context2.sizes)[3];
  const e = extents(node.value.axes, context2.sizes)[3];
  const adjoint = rowAdjoint(node);
  const loads2 = node.bufferGradients.map(
    ({ loads: entries }) => entries.map((entry) => ({
      part: entry.part,
      indices: entry.indices.map(exprEvaluator),
      slope: exprEvaluator(entry.slope)
    }))
  );
  walkRows({ ...node, all: node.weight !== null }, context2, (walk) => {
    const { row, pairs } = walk;
    const upstream = gradient.subarray(row * e, (row + 1) * e);
    let delta = 0;
    for (let i = 0; i < e; i++) delta += upstream[i] * output[row * e + i];
    const dWeights = pairs.map((pair2) => {
      const from = pair2.k < 0 ? prepended.value : values;
      let total = 0;
      for (let i = 0; i < e; i++) total += upstream[i] * from[pair2.valueAt + i];
      return total;
    });
    const found = adjoint(walk, dWeights, logSumExp2[row], delta);
    pairs.forEach((pair2, n) => {
      const early = pair2.k < 0;
      const dFrom = early ? dPrepended.value.data : dValue.data;
      for (let i = 0; i < e; i++) dFrom[pair2.valueAt + i] += found.weights[n] * upstream[i];
      const dLogit = node.scale * found.logits[n];
      const [key, dKey] = early ? [prepended.key, dPrepended.key.data] : [keys[pair2.region], dKeys[pair2.region].data];
      const own = key.slice(pair2.keyAt, pair2.keyAt + d);
      const back = pair2.turn === null ? own : rotatedRow(own, pair2.turn, -1);
      const dQuery = dQueries[pair2.region].data;
      for (let i = 0; i < d; i++) {
        dQuery[pair2.queryAt + i] += dLogit * back[i];
        dKey[pair2.keyAt + i] += dLogit * pair2.query.data[pair2.query.from + i];
      }
    });
    loads2.forEach((entries, n) => {
      const table = dBuffers[n];
      const { axes } = node.buffers[node.bufferGradients[n].buffer];
      const tableStrides = strides(table.shape);
      for (const entry of entries)
        found.visit(entry.part, (share, leaves) => {
          const slope = entry.slope(leaves);
          if (slope === 0 || share === 0) return;
          const indices = entry.indices.map((index2) => index2(leaves));
          const places2 = axes.map(({ name }) => name === "b" ? walk.batch : indices.shift());
          const at = places2.reduce((sum, place, axis2) => sum + place * tableStrides[axis2], 0);
          table.data[at] += share * slope;
        });
    });
  });
  return [
    ...node.regions.flatMap((_, n) => [dQueries[n], dKeys[n]]),
    dValue,
    ...dBuffers,
    ...dPrepended === null ? [] : [dPrepended.key, dPrepended.value]
  ];
}

// compiler/ir/interpret-blocks.ts
function blockPlaces(shape2, blocks, at, block2) {
  const [fine, coarse] = [strides(shape2), strides(blocks)];
  return (n) => shape2.reduce((sum, extent, axis2) => {
    const place = Math.floor(n / fine[axis2]) % extent;
    return sum + (axis2 === at ? Math.floor(place / block2) : place) * coarse[axis2];
  }, 0);
}
function interpretBlockReduce(node, context2) {
  const given = context2.value(node.operand);
  const out = emptyTensor(extents(node.axes, context2.sizes));
  const at = node.operand.axes.findIndex(({ name }) => name === node.axis);
  const { start, fold } = folds[node.op === "mean" ? "sum" : node.op];
  out.data.fill(start);
  const counts = new Float64Array(out.data.length);
  const placeOf = blockPlaces(given.shape, out.shape, at, node.block);
  given.data.forEach((value, n) => {
    const place = placeOf(n);
    out.data[place] = fold(out.data[place], value);
    counts[place]++;
  });
  if (node.op === "mean") out.data.forEach((sum, n) => out.data[n] = sum / counts[n]);
  return [out];
}
function interpretBlockSpread(node, context2) {
  const given = context2.value(node.operand);
  const out = emptyTensor(extents(node.axes, context2.sizes));
  const at = node.operand.axes.findIndex(({ name }) => name === node.axis);
  const placeOf = blockPlaces(out.shape, given.shape, at, node.block);
  for (let n = 0; n < out.data.length; n++) out.data[n] = given.data[placeOf(n)];
  return [out];
}

// compiler/ir/interpret-pairs.ts
var alone = { value: null, prepended: null, all: false };
function interpretLogSumExp(node, context2) {
  const out = emptyTensor(extents(node.axes, context2.sizes));
  const score = exprEvaluator(node.score);
  walkRows({ ...node, ...alone }, context2, ({ row, pairs, valuesAt }) => {
    const scores = pairs.map((pair2) => score(valuesAt(pair2)));
    const largest = scores.reduce((max3, own) => Math.max(max3, own), -Infinity);
    const total = scores.reduce((sum, own) => sum + Math.exp(own - largest), 0);
    out.data[row] = largest === -Infinity ? -Infinity : largest + Math.log(total);
  });
  return [out];
}
function interpretPairReduce(node, context2) {
  const out = emptyTensor(extents(node.axes, context2.sizes));
  const { start, fold } = folds[node.op];
  out.data.fill(start);
  const steps = strides(out.shape);
  const body = exprEvaluator(node.body);
  const targets = node.targets.map(exprEvaluator);
  walkRows({ ...node, ...alone }, context2, ({ batch, pairs, valuesAt }) => {
    for (const pair2 of pairs) {
      const leaves = valuesAt(pair2);
      const places2 = [batch, ...targets.map((target) => target(leaves))];
      if (places2.some((place, n) => !(place >= 0 && place < out.shape[n]))) continue;
      const at = places2.reduce((sum, place, n) => sum + place * steps[n], 0);
      out.data[at] = fold(out.data[at], body(leaves));
    }
  });
  return [out];
}

// compiler/ir/interpret-select.ts
function before(a, b) {
  if (a.forced !== b.forced) return a.forced ? -1 : 1;
  const [lost, gained] = [Number.isNaN(a.body), Number.isNaN(b.body)];
  if (lost !== gained) return lost ? 1 : -1;
  return !lost && a.body !== b.body ? a.body > b.body ? -1 : 1 : a.k - b.k;
}
function interpretSelect(node, context2) {
  const out = emptyTensor(extents(node.axes, context2.sizes));
  const [batches, words] = [out.shape[0], out.shape.at(-1)];
  const rows2 = node.perRow ? out.shape[1] : 1;
  const heads = node.perHead ? out.shape.at(-2) : 1;
  const candidates = product2(extents([{ name: "k", size: node.candidates }], context2.sizes));
  const start = node.perRow && isTokenAxis(node.axes[1]) ? context2.sizes["query-start"] ?? 0 : 0;
  const [where, always, body] = [node.where, node.always, node.body].map(exprEvaluator);
  const amount = exprEvaluator(node.choose.kind === "top" ? node.choose.count : node.choose.threshold);
  const logitOf = logits(node, context2, heads);
  const load2 = loader(node.buffers, context2);
  for (let b = 0; b < batches; b++)
    for (let row = 0; row < rows2; row++)
      for (let h3 = 0; h3 < heads; h3++) {
        const at = (k2) => ({
          ...noValues,
          index: (name) => name === "q" ? start + row : name === "h" ? h3 : k2,
          size: sizeReader(context2.sizes, rows2, start),
          scalar: context2.scalar,
          load: load2(b),
          words: wordCounter(node.buffers, context2),
          logit: () => logitOf(b, row, h3, k2)
        });
        const found = [];
        for (let k2 = 0; k2 < candidates; k2++)
          if (where(at(k2)) !== 0) found.push({ k: k2, forced: always(at(k2)) !== 0, body: body(at(k2)) });
        found.sort(before);
        const limit = amount(at(NaN));
        const first = ((b * rows2 + row) * heads + h3) * words;
        found.forEach(({ k: k2, forced, body: value }, n) => {
          const chosen = forced || (node.choose.kind === "top" ? n < limit : value > limit);
          const word2 = first + Math.floor(k2 / wordMembers);
          if (chosen) out.data[word2] = out.data[word2] | 1 << k2 % wordMembers;
        });
      }
  return [out];
}
function logits(node, context2, heads) {
  if (node.query === null || node.key === null) return () => NaN;
  const [query, key] = [context2.value(node.query), context2.value(node.key)];
  const [rows2, candidates, groups, d] = [query.shape[1], key.shape[1], key.shape[2], key.shape[3]];
  return (b, row, h3, k2) => {
    const group = Math.floor(h3 / (heads / groups));
    const [queryAt, keyAt] = [
      ((b * rows2 + row) * heads + h3) * d,
      ((b * candidates + k2) * groups + group) * d
    ];
    let total = 0;
    for (let i = 0; i < d; i++) total += query.data[queryAt + i] * key.data[keyAt + i];
    return node.scale * total;
  };
}

// compiler/ir/interpret-loss.ts
var noTarget = -1;
function crossEntropy(logits2, targets) {
  const shape2 = logits2.shape.slice(0, -1);
  const width = logits2.shape.at(-1);
  const [loss, logSumExp2] = [emptyTensor(shape2), emptyTensor(shape2)];
  for (let row = 0; row < loss.data.length; row++) {
    const own = logits2.data.subarray(row * width, (row + 1) * width);
    const largest = own.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = own.reduce((sum, logit2) => sum + Math.exp(logit2 - largest), 0);
    logSumExp2.data[row] = largest + Math.log(total);
    const target = targets.data[row];
    if (target !== noTarget) loss.data[row] = logSumExp2.data[row] - own[target];
  }
  return [loss, logSumExp2];
}
function crossEntropyGradient(logits2, targets, logSumExp2, lossGradient) {
  const width = logits2.shape.at(-1);
  const gradient = emptyTensor(logits2.shape);
  for (let row = 0; row < lossGradient.data.length; row++) {
    const target = targets.data[row];
    if (target === noTarget) continue;
    for (let v = 0; v < width; v++) {
      const weight = Math.exp(logits2.data[row * width + v] - logSumExp2.data[row]);
      gradient.data[row * width + v] = lossGradient.data[row] * (weight - (v === target ? 1 : 0));
    }
  }
  return gradient;
}
function headLogits(x, weight) {
  const [v, i] = weight.shape;
  const logits2 = emptyTensor([...x.shape.slice(0, -1), v]);
  for (let row = 0; row < x.data.length / i; row++)
    for (let out = 0; out < v; out++)
      for (let n = 0; n < i; n++)
        logits2.data[row * v + out] += x.data[row * i + n] * weight.data[out * i + n];
  return logits2;
}
function headGradients(x, weight, dLogits) {
  const [v, i] = weight.shape;
  const [dx, dWeight] = [emptyTensor(x.shape), emptyTensor(weight.shape)];
  for (let row = 0; row < x.data.length / i; row++)
    for (let out = 0; out < v; out++) {
      const share = dLogits.data[row * v + out];
      for (let n = 0; n < i; n++) {
        dx.data[row * i + n] += share * weight.data[out * i + n];
        dWeight.data[out * i + n] += share * x.data[row * i + n];
      }
    }
  return [dx, dWeight];
}

// compiler/ir/philox.ts
function multiply(a, b) {
  const product3 = BigInt(a) * BigInt(b);
  return { high: Number(product3 >> 32n), low: Number(product3 & 0xffffffffn) };
}
function philoxWord(key, counter) {
  let [k0, k1] = key;
  let [c0, c1, c2, c3] = counter;
  for (let round3 = 0; round3 < 10; round3++) {
    const a = multiply(3528531795, c0);
    const b = multiply(3449720151, c2);
    [c0, c1, c2, c3] = [(b.high ^ c1 ^ k0) >>> 0, b.low, (a.high ^ c3 ^ k1) >>> 0, a.low];
    k0 = k0 + 2654435769 >>> 0;
    k1 = k1 + 3144134277 >>> 0;
  }
  return c0;
}
function uniformNumber(seed, stream2, step, element) {
  const counter = [element >>> 0, Math.floor(element / 2 ** 32) >>> 0, step >>> 0, 0];
  return (philoxWord([seed >>> 0, stream2 >>> 0], counter) >>> 8) * 2 ** -24;
}

// compiler/ir/interpret.ts
var placesIn = (axes, node, sizes) => offsets(axes, extents(axes, sizes), node.axes, extents(node.axes, sizes));
function map2(node, context2) {
  const out = emptyTensor(extents(node.axes, context2.sizes));
  const operands = node.operands.map((operand) => ({
    data: context2.value(operand).data,
    places: placesIn(node.axes, operand, context2.sizes)
  }));
  const body = exprEvaluator(node.body);
  const axisStrides = strides(out.shape);
  const axisNumber = new Map(node.axes.map(({ name }, n) => [name, n]));
  let element = 0;
  const values = {
    ...noValues,
    size: context2.size,
    scalar: context2.scalar,
    operand: (n) => operands[n].data[operands[n].places[element]],
    index: (name) => {
      const n = axisNumber.get(name);
      return Math.floor(element / axisStrides[n]) % out.shape[n];
    },
    uniform: (stream2) => uniformNumber(context2.scalar("seed"), stream2, context2.size("step"), element)
  };
  for (; element < out.data.length; element++) out.data[element] = body(values);
  return [out];
}
function reduce(node, context2) {
  const { start, fold } = folds[node.op];
  const given = context2.value(node.operand);
  const out = emptyTensor(extents(node.axes, context2.sizes));
  out.data.fill(start);
  const places2 = offsets(node.operand.axes, given.shape, node.axes, out.shape);
  places2.forEach((place, n) => out.data[place] = fold(out.data[place], given.data[n]));
  return [out];
}
function contract(node, context2) {
  const [left, right] = [context2.value(node.left), context2.value(node.right)];
  const out = emptyTensor(extents(node.axes, context2.sizes));
  const over = [...node.left.axes, ...node.right.axes].filter(
    ({ name }, n, all) => node.over.includes(name) && all.findIndex((a) => a.name === name) === n
  );
  const inner = product2(extents(over, context2.sizes));
  const at = (axes, side) => placesIn(axes, side, context2.sizes);
  const [leftOuter, rightOuter] = [at(node.axes, node.left), at(node.axes, node.right)];
  const [leftInner, rightInner] = [at(over, node.left), at(over, node.right)];
  for (let n = 0; n < out.data.length; n++) {
    let total = 0;
    for (let i = 0; i < inner; i++)
      total += left.data[leftOuter[n] + leftInner[i]] * right.data[rightOuter[n] + rightInner[i]];
    out.data[n] = total;
  }
  return [out];
}
function gatheredPlaces(axes, table, along, index2, context2) {
  const tableShape = extents(table.axes, context2.sizes);
  const n = table.axes.findIndex(({ name }) => name === along);
  const step = strides(tableShape)[n];
  const inIndex = placesIn(axes, index2, context2.sizes);
  const others = table.axes.map((a) => a.name === along ? { ...a, name: "" } : a);
  const inTable = offsets(axes, extents(axes, context2.sizes), others, tableShape);
  const rows2 = context2.value(index2).data;
  return inTable.map((place, element) => {
    const row = rows2[inIndex[element]];
    if (!(row >= 0 && row < tableShape[n]))
      throw new RangeError(`index ${row} outside axis ${along} (${tableShape[n]})`);
    return place + row * step;
  });
}
function concat(node, context2) {
  const out = emptyTensor(extents(node.axes, context2.sizes));
  const along = node.axes.findIndex(({ name }) => name === node.axis);
  const step = strides(out.shape)[along];
  let start = 0;
  for (const operand of node.operands) {
    const value = context2.value(operand);
    const own = operand.axes.find(({ name }) => name === node.axis);
    const axes = node.axes.map((a) => a.name === node.axis ? own : a);
    const from = placesIn(axes, operand, context2.sizes);
    const to = offsets(axes, extents(axes, context2.sizes), node.axes, out.shape);
    from.forEach((place, n) => out.data[to[n] + start * step] = value.data[place]);
    start += extents([own], context2.sizes)[0];
  }
  return [out];
}
function slice(node, context2) {
  const given = context2.value(node.operand);
  const out = emptyTensor(extents(node.axes, context2.sizes));
  const along = node.axes.findIndex(({ name }) => name === node.axis);
  const first = node.start * strides(given.shape)[along];
  placesIn(node.axes, node.operand, context2.sizes).forEach(
    (place, n) => out.data[n] = given.data[place + first]
  );
  return [out];
}
function rotate(node, context2) {
  const given = context2.value(node.operand);
  const out = { shape: given.shape, data: given.data.slice() };
  const width = given.shape.at(-1);
  const pairs = node.rotated / 2;
  const rowStrides = strides(given.shape.slice(0, -1));
  const token = node.axes.findIndex(({ name }) => name === "t");
  const head = node.axes.length - 2;
  const start = isTokenAxis(node.axes[token]) ? context2.size("query-start") : 0;
  const [position, angle, scale] = [node.position, node.angle, node.scale].map(exprEvaluator);
  const shared = { ...noValues, size: context2.size, scalar: context2.scalar };
  for (let row = 0; row < given.data.length / width; row++) {
    const along = (n) => Math.floor(row / rowStrides[n]) % given.shape[n];
    const x = start + along(token);
    const turn = position({ ...shared, index: (name) => name === "x" ? x : along(head) });
    for (let m = 0; m < pairs; m++) {
      const values = { ...shared, index: () => m };
      const radians = turn * angle(values) * (node.inverse ? -1 : 1);
      const factor2 = scale(values);
      const [cos, sin] = [factor2 * Math.cos(radians), factor2 * Math.sin(radians)];
      const first = row * width + (node.layout === "half" ? m : 2 * m);
      const second = first + (node.layout === "half" ? pairs : 1);
      const [a, b] = [given.data[first], given.data[second]];
      out.data[first] = a * cos - b * sin;
      out.data[second] = a * sin + b * cos;
    }
  }
  return [out];
}
var meanings = {
  input: (node, { given }) => [given(`input:${node.name}`)],
  parameter: (node, { given }) => [given(node.path)],
  map: map2,
  reduce,
  contract,
  gather: (node, context2) => {
    const table = context2.value(node.table).data;
    const places2 = gatheredPlaces(node.axes, node.table, node.axis, node.index, context2);
    return [
      { shape: extents(node.axes, context2.sizes), data: Float64Array.from(places2, (place) => table[place]) }
    ];
  },
  scatter: (node, context2) => {
    const values = context2.value(node.values).data;
    const out = emptyTensor(extents(node.axes, context2.sizes));
    const places2 = gatheredPlaces(node.values.axes, node, node.axis, node.index, context2);
    places2.forEach((place, n) => out.data[place] += values[n]);
    return [out];
  },
  reshape: (node, { value, sizes }) => {
    const { data } = value(node.operand);
    const shape2 = extents(node.axes, sizes);
    if (product2(shape2) !== data.length)
      throw new Error(`reshape of ${node.site} changes the number of elements`);
    return [{ shape: shape2, data }];
  },
  concat,
  slice,
  rotate,
  attention: interpretAttention,
  "attention-gradient": interpretAttentionGradient,
  select: interpretSelect,
  "log-sum-exp": interpretLogSumExp,
  "pair-reduce": interpretPairReduce,
  "block-reduce": interpretBlockReduce,
  "block-spread": interpretBlockSpread,
  "cross-entropy": (node, { value }) => crossEntropy(value(node.logits), value(node.targets)),
  "cross-entropy-gradient": (node, { value }) => [
    crossEntropyGradient(
      value(node.logits),
      value(node.targets),
      value(node.logSumExp),
      value(node.lossGradient)
    )
  ],
  "head-loss": (node, { value }) => crossEntropy(headLogits(value(node.x), value(node.weight)), value(node.targets)),
  "head-loss-gradient": (node, { value }) => {
    const [x, weight] = [value(node.x), value(node.weight)];
    const logits2 = headLogits(x, weight);
    const [targets, logSumExp2, lossGradient] = [node.targets, node.logSumExp, node.lossGradient].map(value);
    return headGradients(x, weight, crossEntropyGradient(logits2, targets, logSumExp2, lossGradient));
  },
  hole: (node) => {
    throw new Error(`hole ${node.name} of ${node.site} was not filled`);
  },
  result: (node, { results }) => [results(node.of)[node.result]]
};
function interpret(graph, inputs, sizes, scalars = {}) {
  const done = /* @__PURE__ */ new Map();
  const scalar = (name) => {
    const value = scalars[name];
    if (value === void 0) throw new Error(`no scalar ${name} was given`);
    return value;
  };
  const known2 = {
    batch: sizes.batch,
    length: sizes.length,
    "query-length": sizes["query-length"] ?? sizes.length,
    "query-start": sizes["query-start"] ?? 0,
    step: sizes.step ?? scalars["step"] ?? 0
  };
  const context2 = {
    value: (node) => done.get(node)[0],
    results: (node) => done.get(node),
    given: (name) => {
      const tensor = inputs.get(name);
      if (tensor === void 0) throw new Error(`no input ${name} was given`);
      return tensor;
    },
    sizes,
    size: (name) => known2[name],
    scalar
  };
  for (const node of graph.nodes) {
    const meaning = meanings[node.kind];
    const results = meaning(node, context2);
    const expected = product2(extents(node.axes, sizes));
    if (results[0].data.length !== expected)
      throw new Error(
        `${node.kind} of ${node.site} has ${results[0].data.length} elements, its axes say ${expected}`
      );
    done.set(node, results);
  }
  return new Map([...graph.outputs].map(([name, node]) => [name, done.get(node)[0]]));
}

// tests/support/random-values.ts
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = state + 1831565813 >>> 0;
    let z = state;
    z = Math.imul(z ^ z >>> 15, z | 1);
    z ^= z + Math.imul(z ^ z >>> 7, z | 61);
    return ((z ^ z >>> 14) >>> 0) / 2 ** 32;
  };
}
var extentOf = ({ size: size2 }, sizes) => size2.kind === "fixed" ? size2.value : size2.kind === "batch" ? sizes.batch : Math.ceil((sizes.length + size2.plus) / size2.by);
var shapeOf2 = (axes, sizes) => axes.map((own) => extentOf(own, sizes));
function fillTensor(shape2, next, single2 = false) {
  const count2 = shape2.reduce((a, b) => a * b, 1);
  const round3 = single2 ? Math.fround : (x) => x;
  return { shape: shape2, data: Float64Array.from({ length: count2 }, () => round3(next())) };
}
function randomDocuments(length, next) {
  const [ids, starts] = [[], []];
  const chance = 0.4 * next() ** 3;
  let [id, start] = [0, 0];
  for (let t = 0; t < length; t++) {
    if (t > 0 && next() < chance) [id, start] = [id + 1, t];
    ids.push(id);
    starts.push(start);
  }
  return { ids, starts };
}
function randomInputs(graph, sizes, seed, { vocabulary = 7, deviation = 0.6, single: single2 = false } = {}) {
  const next = randomNumbers(seed);
  const inputs = /* @__PURE__ */ new Map();
  const whole2 = (limit) => Math.floor(next() * limit);
  const normal = () => deviation * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const documents = Array.from({ length: sizes.batch }, () => randomDocuments(sizes.length, next));
  const rows2 = (pick) => ({
    shape: [sizes.batch, sizes.length],
    data: Float64Array.from(documents.flatMap(pick))
  });
  const makers = {
    tokens: () => fillTensor([sizes.batch, sizes.length], () => whole2(vocabulary)),
    targets: () => fillTensor([sizes.batch, sizes.length], () => next() < 0.25 ? -1 : whole2(vocabulary)),
    documents: () => rows2(({ ids }) => ids),
    starts: () => rows2(({ starts }) => starts),
    "loss-scale": () => fillTensor([], () => 0.25, single2)
  };
  for (const node of graph.nodes) {
    if (node.kind === "input") inputs.set(`input:${node.name}`, makers[node.name]());
    if (node.kind === "parameter")
      inputs.set(node.path, fillTensor(shapeOf2(node.axes, sizes), normal, single2));
  }
  return inputs;
}

// tests/conformance/support/compile-kernels.ts
import koffi4 from "koffi";

// compiler/backends/cpu/kernel-names.ts
function digest(text) {
  let a = 2166136261;
  let b = 461845907;
  for (let n = 0; n < text.length; n++) {
    const code = text.charCodeAt(n);
    a = Math.imul(a ^ code, 16777619);
    b = Math.imul(b ^ code, 2246822507) ^ b >>> 13;
  }
  return [a >>> 0, b >>> 0];
}
function namedKernel(word2, support, print) {
  const plain2 = print(identifier(word2)).text;
  const [high, low] = digest(plain2);
  const entry = identifier(word2, high, low);
  return { entry: entry.text, support, text: print(entry), key: `${word2}:${plain2}` };
}

// compiler/backends/cpu/sizes.ts
var extents2 = (axes) => axes.map((axis2) => axisExtent(axis2.size));
function times3(...parts) {
  const known2 = parts.reduce((p, part) => typeof part === "number" ? p * part : p, 1);
  const open = parts.filter((part) => typeof part !== "number");
  if (open.length === 0 || known2 === 0) return known2;
  return known2 === 1 && open.length === 1 ? open[0] : ["*", ...known2 === 1 ? [] : [known2], ...open];
}
function plus2(...parts) {
  const known2 = parts.reduce((s, part) => typeof part === "number" ? s + part : s, 0);
  const open = parts.filter((part) => typeof part !== "number");
  if (open.length === 0) return known2;
  return known2 === 0 && open.length === 1 ? open[0] : ["+", ...known2 === 0 ? [] : [known2], ...open];
}
function fixedExtent(axis2, what) {
  if (axis2.size.kind !== "fixed") throw new Error(`${what}: axis ${axis2.name} must have a fixed size`);
  return axis2.size.value;
}

// compiler/backends/cpu/attention/backward-text.ts
var backwardText3 = c`
/* What is kept of one block of queries of one head, in this order. */
typedef struct {
  float *packed, *packed_out, *rows, *rows_out, *gradient, *lse, *delta;
} lctx_query_block;

LCTX_INLINE int64_t lctx_query_block_size(const lctx_attention *a) {
  return LCTX_QB * (a->regions * (2 * a->d + LCTX_PAD(a->d)) + a->e + LCTX_PAD(a->e) + 2);
}
LCTX_INLINE lctx_query_block lctx_query_block_at(const lctx_attention *a, float *at) {
  lctx_query_block x;
  x.packed = at, at += a->regions * a->d * LCTX_QB;
  x.packed_out = at, at += a->e * LCTX_QB;
  x.rows = at, at += a->regions * LCTX_PAD(a->d) * LCTX_QB;
  x.rows_out = at, at += LCTX_PAD(a->e) * LCTX_QB;
  x.gradient = at, at += a->regions * a->d * LCTX_QB;
  x.lse = at, at += LCTX_QB;
  x.delta = at;
  return x;
}

LCTX_HOT void lctx_prepare_queries(const lctx_attention *a, int64_t b, int64_t h, int64_t block, float *at) {
  const lctx_query_block x = lctx_query_block_at(a, at);
  const int64_t first = block * LCTX_QB, count = lctx_least(LCTX_QB, a->queries - first);
  const int64_t row = (b * a->queries + first) * a->heads + h;
  for (int r = 0; r < a->regions; r++) {
    const float *from = a->query[r] + row * a->d;
    lctx_pack(x.packed + r * a->d * LCTX_QB, from, a->heads * a->d, count, a->d, a->scale);
    lctx_copy_rows(x.rows + r * LCTX_PAD(a->d) * LCTX_QB, LCTX_PAD(a->d), from, a->heads * a->d, count, a->d, LCTX_QB);
  }
  const float *gradient = a->out_gradient + row * a->e, *out = a->out_read + row * a->e;
  lctx_pack(x.packed_out, gradient, a->heads * a->e, count, a->e, 1.0f);
  lctx_copy_rows(x.rows_out, LCTX_PAD(a->e), gradient, a->heads * a->e, count, a->e, LCTX_QB);
  __builtin_memset(x.gradient, 0, (size_t)(a->regions * a->d * LCTX_QB) * sizeof(float));
  for (int64_t i = 0; i < LCTX_QB; i++) {
    float lse = LCTX_INF, delta = 0.0f;
    if (i < count) {
      const float *g = gradient + i * a->heads * a->e, *o = out + i * a->heads * a->e;
      lse = a->lse_read[row + i * a->heads];
      /* A row without keys: e^(-inf - inf) = 0. */
      if (lse == -LCTX_INF) lse = LCTX_INF;
      vf sum = lctx_splat_real(0.0f);
      int64_t k = 0;
      for (; k + LCTX_LANES <= a->e; k += LCTX_LANES) sum += lctx_load(g + k) * lctx_load(o + k);
      delta = lctx_sum(sum);
      for (; k < a->e; k++) delta += g[k] * o[k];
    }
    x.lse[i] = lse;
    x.delta[i] = delta;
  }
}

LCTX_HOT void lctx_finish_queries(const lctx_attention *a, int64_t b, int64_t h, int64_t block, float *at) {
  const lctx_query_block x = lctx_query_block_at(a, at);
  const int64_t first = block * LCTX_QB, count = lctx_least(LCTX_QB, a->queries - first);
  for (int r = 0; r < a->regions; r++)
    if (a->query_gradient[r])
      lctx_transpose(a->query_gradient[r] + ((b * a->queries + first) * a->heads + h) * a->d, a->heads * a->d,
                     x.gradient + r * a->d * LCTX_QB, LCTX_QB, a->d, count, a->scale);
}

#define LCTX_MOST_KEY_BLOCKS 4
/* One block of keys, copied, and its gradients [key][padded dimension]. */
typedef struct {
  float *key, *value, *key_gradient, *value_gradient, *s, *dp;
  int32_t *list;
} lctx_key_block;

/* The n-th of the key blocks that a thread holds at once; logits are shared, since one pair is worked on at a time. */
LCTX_INLINE lctx_key_block lctx_key_block_at(const lctx_attention *a, float *at, int64_t n) {
  const int64_t keys = a->regions * (a->d + LCTX_PAD(a->d)) * LCTX_KB, values = (a->e + LCTX_PAD(a->e)) * LCTX_KB;
  lctx_key_block x;
  x.s = at, at += a->regions * LCTX_QB * LCTX_KB;
  x.dp = at, at += LCTX_QB * LCTX_KB;
  x.list = (int32_t *)(at + a->keys_at_once * (keys + values)) + n * ((a->queries + LCTX_QB - 1) / LCTX_QB);
  at += n * (keys + values);
  x.key = at, at += a->regions * a->d * LCTX_KB;
  x.value = at, at += a->e * LCTX_KB;
  x.key_gradient = at, at += a->regions * LCTX_PAD(a->d) * LCTX_KB;
  x.value_gradient = at;
  return x;
}

/* Copies keys and values; a null base of a region's keys is left out. */
LCTX_HOT void lctx_start_keys(const lctx_attention *a, const lctx_key_block *y, const float *const *key,
                              const float *value, int64_t count) {
  for (int r = 0; r < a->regions; r++)
    if (key[r]) lctx_copy_rows(y->key + r * a->d * LCTX_KB, a->d, key[r], a->groups * a->d, count, a->d, count);
  lctx_copy_rows(y->value, a->e, value, a->groups * a->e, count, a->e, count);
  __builtin_memset(y->key_gradient, 0, (size_t)(a->regions * LCTX_PAD(a->d) * LCTX_KB) * sizeof(float));
  __builtin_memset(y->value_gradient, 0, (size_t)(LCTX_PAD(a->e) * LCTX_KB) * sizeof(float));
}

LCTX_HOT void lctx_store_rows(float *to, int64_t stride, const float *rows, int64_t padded, int64_t count, int64_t n,
                              float factor) {
  if (!to) return;
  for (int64_t j = 0; j < count; j++)
    for (int64_t i = 0; i < n; i++) to[j * stride + i] = rows[j * padded + i] * factor;
}

/* Weights and logit gradients of a block without mask and score. */
LCTX_HOT void lctx_plain_slope(const lctx_block *x) {
  float *s = x->s + x->region * LCTX_KB * LCTX_QB;
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vf lse = *(const vf *)(x->lse + v), delta = *(const vf *)(x->delta + v);
    for (int64_t j = 0; j < x->keys; j++) {
      vf *at = (vf *)(s + j * LCTX_QB + v), *dp = (vf *)(x->dp + j * LCTX_QB + v);
      const vf p = lctx_exp_weight(*at - lse);
      *at = p * (*dp - delta);
      *dp = p;
    }
  }
}

/* One pair of blocks; the block's place, guard and region are set. */
LCTX_HOT void lctx_pair(lctx_block *x, const lctx_key_block *y, const lctx_query_block *q, int plain, int of_keys,
                        int of_queries) {
  const lctx_attention *a = x->a;
  const int64_t d = a->d, padded = LCTX_PAD(a->d), area = LCTX_QB * LCTX_KB;
  x->s = y->s, x->dp = y->dp, x->lse = q->lse, x->delta = q->delta;
  for (int r = 0; r < a->regions; r++)
    if (x->region < 0 || x->region == r)
      lctx_rows_by_packed(y->s + r * area, y->key + r * d * LCTX_KB, d, x->keys, q->packed + r * d * LCTX_QB, d,
                          x->queries);
  lctx_rows_by_packed(y->dp, y->value, a->e, x->keys, q->packed_out, a->e, x->queries);
  if (plain || (!a->scored && !x->guard && x->region >= 0)) lctx_plain_slope(x);
  else a->slope(x);
  const int64_t rest = (x->keys + 3) / 4 * 4 - x->keys;
  if (of_keys) {
    __builtin_memset(y->dp + x->keys * LCTX_QB, 0, (size_t)(rest * LCTX_QB) * sizeof(float));
    lctx_add_outer(y->value_gradient, y->dp, x->keys, q->rows_out, x->queries, LCTX_PAD(a->e));
  }
  for (int r = 0; r < a->regions; r++) {
    if (x->region >= 0 && x->region != r) continue;
    float *ds = y->s + r * area;
    if (of_keys) {
      __builtin_memset(ds + x->keys * LCTX_QB, 0, (size_t)(rest * LCTX_QB) * sizeof(float));
      lctx_add_outer(y->key_gradient + r * padded * LCTX_KB, ds, x->keys, q->rows + r * padded * LCTX_QB, x->queries,
                     padded);
    }
    if (of_queries)
      lctx_add_weighted(q->gradient + r * d * LCTX_QB, 0, y->key + r * d * LCTX_KB, d, x->keys, ds, d, x->queries);
  }
}

LCTX_INLINE void lctx_set_queries(lctx_block *x, int64_t b, int64_t h, int64_t block) {
  const lctx_attention *a = x->a;
  x->b = b, x->h = h;
  x->q0 = a->start + block * LCTX_QB;
  x->queries = lctx_least(LCTX_QB, a->queries - block * LCTX_QB);
}
LCTX_INLINE void lctx_set_region(lctx_block *x) {
  const lctx_attention *a = x->a;
  x->region = a->regions == 1 ? 0
    : a->region(a, x->b, x->h, x->q0, x->q0 + x->queries - 1, x->k0, x->k0 + x->keys - 1);
}

/* Copies key block "block" of key-value head g. */
LCTX_HOT void lctx_start_key_block(const lctx_attention *a, const lctx_key_block *y, lctx_block *x, int64_t b,
                                   int64_t g, int64_t block) {
  const int64_t k0 = block * LCTX_KB, row = (b * a->keys + k0) * a->groups + g;
  const float *key[LCTX_REGIONS] = {0};
  for (int r = 0; r < a->regions; r++) key[r] = a->key[r] + row * a->d;
  x->k0 = k0, x->keys = lctx_least(LCTX_KB, a->keys - k0);
  lctx_start_keys(a, y, key, a->value + row * a->e, x->keys);
}
LCTX_HOT void lctx_start_early_block(const lctx_attention *a, const lctx_key_block *y, lctx_block *x, int64_t g,
                                     int64_t k0) {
  const float *key[LCTX_REGIONS] = {0};
  key[a->early_region] = a->early_key + (k0 * a->groups + g) * a->d;
  x->k0 = k0, x->keys = lctx_least(LCTX_KB, a->early - k0), x->region = a->early_region, x->guard = 0;
  lctx_start_keys(a, y, key, a->early_value + (k0 * a->groups + g) * a->e, x->keys);
}

/*
 * All query blocks that see some of "count" key blocks of (b, g), each taken once for all of them: a block of queries is
 * larger than a cache holds many of. Every sum still runs over its blocks in ascending order. "of_queries" also adds to
 * gradients of queries.
 */
LCTX_HOT void lctx_some_key_blocks(const lctx_attention *a, float *at, int64_t b, int64_t g, int64_t block,
                                   int64_t count, float *packed, int of_queries, double *const *shares) {
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, each = a->heads / a->groups;
  const int64_t size = lctx_query_block_size(a);
  lctx_key_block y[LCTX_MOST_KEY_BLOCKS];
  lctx_block x[LCTX_MOST_KEY_BLOCKS];
  for (int64_t m = 0; m < count; m++) {
    y[m] = lctx_key_block_at(a, at, m);
    x[m] = (lctx_block){.a = a, .shares = shares};
    lctx_start_key_block(a, &y[m], &x[m], b, g, block + m);
  }
  for (int64_t n = 0; n < each; n++) {
    const int64_t h = g * each + n;
    int64_t seen[LCTX_MOST_KEY_BLOCKS], next[LCTX_MOST_KEY_BLOCKS] = {0};
    for (int64_t m = 0; m < count; m++)
      seen[m] = lctx_seeing_queries(a, b, h, x[m].k0, x[m].k0 + x[m].keys - 1, 0, blocks, y[m].list, 0);
    for (int64_t qb = 0; qb < blocks; qb++) {
      const lctx_query_block q = lctx_query_block_at(a, packed + (n * blocks + qb) * size);
      for (int64_t m = 0; m < count; m++) {
        if (next[m] == seen[m] || y[m].list[next[m]] >> 1 != qb) continue;
        x[m].guard = !(y[m].list[next[m]++] & 1);
        lctx_set_queries(&x[m], b, h, qb);
        lctx_set_region(&x[m]);
        lctx_pair(&x[m], &y[m], &q, 0, 1, of_queries);
      }
    }
  }
  for (int64_t m = 0; m < count; m++) {
    const int64_t row = (b * a->keys + x[m].k0) * a->groups + g;
    for (int r = 0; r < a->regions; r++)
      lctx_store_rows(a->key_gradient[r] ? a->key_gradient[r] + row * a->d : 0, a->groups * a->d,
                      y[m].key_gradient + r * LCTX_PAD(a->d) * LCTX_KB, LCTX_PAD(a->d), x[m].keys, a->d, a->scale);
    lctx_store_rows(a->value_gradient ? a->value_gradient + row * a->e : 0, a->groups * a->e, y[m].value_gradient,
                    LCTX_PAD(a->e), x[m].keys, a->e, 1.0f);
  }
}

/* What keys before the text add to gradients of the queries of one block. */
LCTX_HOT void lctx_early_to_queries(const lctx_attention *a, const lctx_key_block *y, int64_t b, int64_t h,
                                    int64_t block, float *at) {
  lctx_block x = {.a = a};
  const lctx_query_block q = lctx_query_block_at(a, at);
  lctx_set_queries(&x, b, h, block);
  for (int64_t k0 = 0; k0 < a->early; k0 += LCTX_KB) {
    lctx_start_early_block(a, y, &x, h / (a->heads / a->groups), k0);
    lctx_pair(&x, y, &q, 1, 0, 1);
  }
}

LCTX_INLINE void lctx_share(const lctx_attention *a, int64_t share, double **to) {
  for (int64_t n = 0; n < a->tables_with_gradient; n++)
    to[n] = a->share_base + share * a->share_size + a->share_offset[n];
}

/* Items are cut into equal runs, one a share of the table gradients, so that sums do not depend on threads. */
LCTX_INLINE int64_t lctx_share_start(const lctx_attention *a, int64_t share) { return share * a->items / a->shares; }

static __attribute__((unused)) void lctx_whole_item(void *context, int64_t share, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  const int64_t each = a->heads / a->groups, size = lctx_query_block_size(a);
  float *at = a->scratch + thread * a->per_thread;
  const lctx_key_block y = lctx_key_block_at(a, at, 0);
  float *packed = a->packed_base + thread * each * blocks * size;
  double *shares[16];
  lctx_share(a, share, shares);
  for (int64_t item = lctx_share_start(a, share); item < lctx_share_start(a, share + 1); item++) {
    const int64_t b = item / a->groups, g = item % a->groups;
    for (int64_t n = 0; n < each * blocks; n++) {
      lctx_prepare_queries(a, b, g * each + n / blocks, n % blocks, packed + n * size);
      if (a->early) lctx_early_to_queries(a, &y, b, g * each + n / blocks, n % blocks, packed + n * size);
    }
    for (int64_t k = 0; k < key_blocks; k += a->keys_at_once)
      lctx_some_key_blocks(a, at, b, g, k, lctx_least(a->keys_at_once, key_blocks - k), packed, 1, shares);
    for (int64_t n = 0; n < each * blocks; n++)
      lctx_finish_queries(a, b, g * each + n / blocks, n % blocks, packed + n * size);
  }
}

static __attribute__((unused)) void lctx_prepare_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB;
  (void)thread;
  lctx_prepare_queries(a, item / blocks / a->heads, item / blocks % a->heads, item % blocks,
                       a->packed_base + item * lctx_query_block_size(a));
}

static __attribute__((unused)) void lctx_keys_item(void *context, int64_t share, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  const int64_t each = a->heads / a->groups, size = lctx_query_block_size(a);
  double *shares[16];
  lctx_share(a, share, shares);
  for (int64_t item = lctx_share_start(a, share); item < lctx_share_start(a, share + 1); item++) {
    const int64_t b = item / key_blocks / a->groups, g = item / key_blocks % a->groups;
    float *packed = a->packed_base + (b * a->heads + g * each) * blocks * size;
    lctx_some_key_blocks(a, a->scratch + thread * a->per_thread, b, g, item % key_blocks, 1, packed, 0, shares);
  }
}

static __attribute__((unused)) void lctx_queries_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  const int64_t b = item / blocks / a->heads, h = item / blocks % a->heads, block = item % blocks;
  const lctx_key_block y = lctx_key_block_at(a, a->scratch + thread * a->per_thread, 0);
  float *at = a->packed_base + item * lctx_query_block_size(a);
  const lctx_query_block q = lctx_query_block_at(a, at);
  if (a->early) lctx_early_to_queries(a, &y, b, h, block, at);
  lctx_block x = {.a = a};
  lctx_set_queries(&x, b, h, block);
  const int64_t seen = lctx_seen_keys(a, b, h, x.q0, x.q0 + x.queries - 1, 0, key_blocks, y.list, 0);
  for (int64_t i = 0; i < seen; i++) {
    lctx_start_key_block(a, &y, &x, b, h / (a->heads / a->groups), y.list[i] >> 1);
    x.guard = !(y.list[i] & 1);
    lctx_set_region(&x);
    lctx_pair(&x, &y, &q, 0, 0, 1);
  }
  lctx_finish_queries(a, b, h, block, at);
}

/* Gradients of keys and values before the text: one item a block of them and key-value head, over all rows. */
static __attribute__((unused)) void lctx_early_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t g = item % a->groups, k0 = item / a->groups * LCTX_KB, each = a->heads / a->groups;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB;
  float *at = a->scratch + thread * a->per_thread;
  float *packed = at;
  const lctx_key_block y = lctx_key_block_at(a, at + lctx_query_block_size(a), 0);
  const lctx_query_block q = lctx_query_block_at(a, packed);
  const int r = a->early_region;
  lctx_block x = {.a = a};
  lctx_start_early_block(a, &y, &x, g, k0);
  for (int64_t b = 0; b < a->batch; b++)
    for (int64_t n = 0; n < each * blocks; n++) {
      lctx_prepare_queries(a, b, g * each + n / blocks, n % blocks, packed);
      lctx_set_queries(&x, b, g * each + n / blocks, n % blocks);
      lctx_pair(&x, &y, &q, 1, 1, 0);
    }
  const int64_t row = k0 * a->groups + g;
  lctx_store_rows(a->early_key_gradient ? a->early_key_gradient + row * a->d : 0, a->groups * a->d,
                  y.key_gradient + r * LCTX_PAD(a->d) * LCTX_KB, LCTX_PAD(a->d), x.keys, a->d, a->scale);
  lctx_store_rows(a->early_value_gradient ? a->early_value_gradient + row * a->e : 0, a->groups * a->e,
                  y.value_gradient, LCTX_PAD(a->e), x.keys, a->e, 1.0f);
}

static __attribute__((unused)) void lctx_attention_backward(lctx_attention *a) {
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  const int64_t whole = a->batch * a->groups;
  const int whole_heads = a->tables_with_gradient ? whole >= 16 : a->threads == 1 || whole >= 2 * a->threads;
  a->items = whole_heads ? whole : whole * key_blocks;
  a->shares = a->tables_with_gradient ? lctx_least(16, a->items) : a->items;
  if (a->tables_with_gradient)
    __builtin_memset(a->share_base, 0, (size_t)(a->shares * a->share_size) * sizeof(double));
  if (whole_heads) lctx_parallel(a->shares, lctx_whole_item, a);
  else {
    lctx_parallel(a->batch * a->heads * blocks, lctx_prepare_item, a);
    lctx_parallel(a->shares, lctx_keys_item, a);
    lctx_parallel(a->batch * a->heads * blocks, lctx_queries_item, a);
  }
  if (a->early) lctx_parallel(a->groups * ((a->early + LCTX_KB - 1) / LCTX_KB), lctx_early_item, a);
}

/* Adds up the shares of one table's gradient. */
LCTX_HOT void lctx_sum_shares(const lctx_attention *a, int64_t table, float *to, int64_t count) {
  if (!to) return;
  for (int64_t i = 0; i < count; i++) {
    double sum = 0.0;
    for (int64_t n = 0; n < a->shares; n++) sum += a->share_base[n * a->share_size + a->share_offset[table] + i];
    to[i] = (float)sum;
  }
}
`;

// compiler/backends/cpu/attention/forward-text.ts
var forwardText3 = c`
#define LCTX_REGIONS 8
struct lctx_attention;
/* One block of logits, and where it lies. */
typedef struct {
  const struct lctx_attention *a;
  int64_t b, h;
  /* Absolute positions of the first query and key. */
  int64_t q0, k0;
  int64_t queries, keys;
  /* False when every pair is seen. */
  int guard;
  /* The one region of all pairs, or -1 when pairs differ. */
  int region;
  /* Scaled logits of each region, [key][query]; the score replaces those of the region, or of region 0 when they differ. */
  float *s;
  /* Backward: weight gradients, replaced by weights; log-sum-exp and delta of each query; shares of table gradients. */
  float *dp;
  const float *lse, *delta;
  double *const *shares;
} lctx_block;

typedef struct lctx_attention {
  int64_t batch, queries, keys, start, threads;
  int64_t heads, groups, d, e, regions;
  const float *query[LCTX_REGIONS], *key[LCTX_REGIONS], *value;
  float scale;
  const void *const *tables;
  const int64_t *sizes;
  const float *scalars;
  /* Keys and values before the text: count 0 when there are none; their queries are those of the region. */
  const float *early_key, *early_value;
  int64_t early;
  int early_region;
  /* 0: no pair of the rectangle (bounds included) is seen; 2: every pair is; 1: unknown. */
  int (*see)(const struct lctx_attention *, int64_t b, int64_t h, int64_t q0, int64_t q1, int64_t k0, int64_t k1);
  /* The region of all pairs of the rectangle, or -1. */
  int (*region)(const struct lctx_attention *, int64_t b, int64_t h, int64_t q0, int64_t q1, int64_t k0, int64_t k1);
  /* Score and mask; null when the score is the logit: then called for guarded blocks only. */
  void (*score)(const lctx_block *);
  int scored;
  void (*slope)(const lctx_block *);
  float *output, *lse;
  float *scratch;
  int64_t per_thread;
  /* Backward. */
  const float *out_read, *lse_read, *out_gradient;
  float *query_gradient[LCTX_REGIONS], *key_gradient[LCTX_REGIONS], *value_gradient;
  float *early_key_gradient, *early_value_gradient;
  int64_t tables_with_gradient;
  int64_t shares;
  double *share_base;
  int64_t share_size;
  const int64_t *share_offset;
  float *packed_base;
  /* Blocks of keys that a thread holds at once, at most LCTX_MOST_KEY_BLOCKS. */
  int64_t keys_at_once;
  int64_t items;
} lctx_attention;

/* Blocks of keys that some query of [q0, q1] sees, ascending: 2 * block + (1 when every pair is seen). */
LCTX_HOT int64_t lctx_seen_keys(const lctx_attention *a, int64_t b, int64_t h, int64_t q0, int64_t q1, int64_t from,
                                int64_t to, int32_t *list, int64_t count) {
  if (from >= to) return count;
  const int64_t last = lctx_least(to * LCTX_KB, a->keys) - 1;
  const int known = a->see(a, b, h, q0, q1, from * LCTX_KB, last);
  if (known == 0) return count;
  if (known == 2 || to - from == 1) {
    for (int64_t i = from; i < to; i++) list[count++] = (int32_t)(2 * i + (known == 2));
    return count;
  }
  const int64_t middle = (from + to) / 2;
  count = lctx_seen_keys(a, b, h, q0, q1, from, middle, list, count);
  return lctx_seen_keys(a, b, h, q0, q1, middle, to, list, count);
}

/* Blocks of queries that see some key of [k0, k1], ascending; coded alike. */
LCTX_HOT int64_t lctx_seeing_queries(const lctx_attention *a, int64_t b, int64_t h, int64_t k0, int64_t k1,
                                     int64_t from, int64_t to, int32_t *list, int64_t count) {
  if (from >= to) return count;
  const int64_t last = lctx_least(to * LCTX_QB, a->queries) - 1;
  const int known = a->see(a, b, h, a->start + from * LCTX_QB, a->start + last, k0, k1);
  if (known == 0) return count;
  if (known == 2 || to - from == 1) {
    for (int64_t i = from; i < to; i++) list[count++] = (int32_t)(2 * i + (known == 2));
    return count;
  }
  const int64_t middle = (from + to) / 2;
  count = lctx_seeing_queries(a, b, h, k0, k1, from, middle, list, count);
  return lctx_seeing_queries(a, b, h, k0, k1, middle, to, list, count);
}

/* Running state of one block of queries. */
typedef struct {
  float *packed, *sum, *s, *values;
  float *most, *total, *alpha;
} lctx_running;

/* Takes in one block of keys. The block's region is set; plain blocks have neither mask nor score. */
LCTX_HOT void lctx_take_block(const lctx_running *w, lctx_block *x, const float *const *key, int64_t key_stride,
                              const float *value, int64_t value_stride, int plain) {
  const lctx_attention *a = x->a;
  for (int r = 0; r < a->regions; r++)
    if (x->region < 0 || x->region == r)
      lctx_rows_by_packed(w->s + r * LCTX_KB * LCTX_QB, key[r], key_stride, x->keys, w->packed + r * a->d * LCTX_QB,
                          a->d, x->queries);
  if (!plain && (a->scored || x->guard || x->region < 0)) a->score(x);
  float *s = w->s + (x->region < 0 ? 0 : x->region) * LCTX_KB * LCTX_QB;
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vf before = *(vf *)(w->most + v);
    vf most = before;
    for (int64_t j = 0; j < x->keys; j++) most = lctx_max_v(*(vf *)(s + j * LCTX_QB + v), most);
    /* A row that has seen nothing yet keeps 0 as its reference, so that its weights are 0 and not NaN. */
    const vf safe = lctx_select_real_v(most == -LCTX_INF, lctx_splat_real(0.0f), most);
    const vf alpha = lctx_exp_weight(before - safe);
    vf total = *(vf *)(w->total + v) * alpha;
    for (int64_t j = 0; j < x->keys; j++) {
      vf *at = (vf *)(s + j * LCTX_QB + v);
      const vf p = lctx_exp_weight(*at - safe);
      *at = p;
      total += p;
    }
    *(vf *)(w->most + v) = most;
    *(vf *)(w->total + v) = total;
    *(vf *)(w->alpha + v) = alpha;
  }
  lctx_copy_rows(w->values, a->e, value, value_stride, x->keys, a->e, x->keys);
  lctx_add_weighted(w->sum, w->alpha, w->values, a->e, x->keys, s, a->e, x->queries);
}

static __attribute__((unused)) void lctx_attention_item(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, key_blocks = (a->keys + LCTX_KB - 1) / LCTX_KB;
  /* Late blocks of a head come first: they see most keys under a causal mask. */
  const int64_t b = item / blocks / a->heads, h = item / blocks % a->heads, block = blocks - 1 - item % blocks;
  const int64_t g = h / (a->heads / a->groups);
  const int64_t first = block * LCTX_QB, count = lctx_least(LCTX_QB, a->queries - first);
  const int64_t q0 = a->start + first, q1 = q0 + count - 1;
  float *at = a->scratch + thread * a->per_thread;
  lctx_running w;
  w.packed = at, at += a->regions * a->d * LCTX_QB;
  w.sum = at, at += a->e * LCTX_QB;
  w.s = at, at += a->regions * LCTX_KB * LCTX_QB;
  w.values = at, at += LCTX_KB * a->e;
  w.most = at, at += LCTX_QB;
  w.total = at, at += LCTX_QB;
  w.alpha = at, at += LCTX_QB;
  int32_t *list = (int32_t *)at;
  for (int r = 0; r < a->regions; r++)
    lctx_pack(w.packed + r * a->d * LCTX_QB, a->query[r] + ((b * a->queries + first) * a->heads + h) * a->d,
              a->heads * a->d, count, a->d, a->scale);
  __builtin_memset(w.sum, 0, (size_t)(a->e * LCTX_QB) * sizeof(float));
  for (int i = 0; i < LCTX_QB; i++) w.most[i] = -LCTX_INF, w.total[i] = w.alpha[i] = 0.0f;
  lctx_block x = {.a = a, .b = b, .h = h, .q0 = q0, .queries = count, .s = w.s};
  for (int64_t k0 = 0; k0 < a->early; k0 += LCTX_KB) {
    const float *keys[LCTX_REGIONS] = {0};
    keys[a->early_region] = a->early_key + (k0 * a->groups + g) * a->d;
    x.k0 = k0, x.keys = lctx_least(LCTX_KB, a->early - k0), x.guard = 0, x.region = a->early_region;
    lctx_take_block(&w, &x, keys, a->groups * a->d, a->early_value + (k0 * a->groups + g) * a->e, a->groups * a->e, 1);
  }
  const int64_t seen = lctx_seen_keys(a, b, h, q0, q1, 0, key_blocks, list, 0);
  for (int64_t n = 0; n < seen; n++) {
    const int64_t k0 = (list[n] >> 1) * (int64_t)LCTX_KB, row = b * a->keys + k0;
    x.k0 = k0, x.keys = lctx_least(LCTX_KB, a->keys - k0), x.guard = !(list[n] & 1);
    x.region = a->regions == 1 ? 0 : a->region(a, b, h, q0, q1, k0, k0 + x.keys - 1);
    const float *keys[LCTX_REGIONS] = {0};
    for (int r = 0; r < a->regions; r++) keys[r] = a->key[r] + (row * a->groups + g) * a->d;
    lctx_take_block(&w, &x, keys, a->groups * a->d, a->value + (row * a->groups + g) * a->e, a->groups * a->e, 0);
  }
  for (int64_t v = 0; v < count; v += LCTX_LANES) {
    const vf total = *(vf *)(w.total + v), none = lctx_splat_real(0.0f);
    const vf lse = *(vf *)(w.most + v) + lctx_log_v(total);
    const vf inverse = lctx_select_real_v(total == 0.0f, none, 1.0f / total);
    *(vf *)(w.total + v) = lctx_select_real_v(total == 0.0f, none - LCTX_INF, lse);
    for (int64_t i = 0; i < a->e; i++) *(vf *)(w.sum + i * LCTX_QB + v) *= inverse;
  }
  const int64_t out = (b * a->queries + first) * a->heads + h;
  if (a->output) lctx_transpose(a->output + out * a->e, a->heads * a->e, w.sum, LCTX_QB, a->e, count, 1.0f);
  if (a->lse)
    for (int64_t i = 0; i < count; i++) a->lse[out + i * a->heads] = w.total[i];
}

static __attribute__((unused)) void lctx_attention_forward(lctx_attention *a) {
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB;
  lctx_parallel(a->batch * a->heads * blocks, lctx_attention_item, a);
}
`;

// compiler/backends/cpu/print-expr.ts
var typeNames2 = {
  single: { real: c`float`, int: c`int32_t`, bool: c`int` },
  lanes: { real: c`vf`, int: c`vi`, bool: c`vi` },
  double: { real: c`double`, int: c`int64_t`, bool: c`int` }
};
var suffixes = { single: c`_s`, lanes: c`_v`, double: c`_d` };
var valueType = (type, form) => typeNames2[form][type];
function doubleLiteral(value) {
  if (Number.isNaN(value)) return c`((double)LCTX_NAN)`;
  if (value === Infinity) return c`((double)LCTX_INF)`;
  if (value === -Infinity) return c`(-(double)LCTX_INF)`;
  if (Object.is(value, -0)) return c`(-0.0)`;
  let mantissa = value;
  let exponent = 0;
  while (!Number.isSafeInteger(mantissa)) {
    const larger = Math.abs(mantissa) >= 2 ** 53;
    mantissa = larger ? mantissa / 2 : mantissa * 2;
    exponent += larger ? 1 : -1;
  }
  const first = Math.max(exponent, -1e3);
  const scale = exponent === first ? c`0x1p${first}` : c`0x1p${first} * 0x1p${exponent - first}`;
  return exponent === 0 ? c`(${mantissa}.0)` : c`(${mantissa}.0 * ${scale})`;
}
function floatLiteral(value) {
  const rounded = Math.fround(value);
  if (Number.isNaN(rounded)) return c`LCTX_NAN`;
  if (rounded === Infinity) return c`LCTX_INF`;
  if (rounded === -Infinity) return c`(-LCTX_INF)`;
  return rounded < 0 || Object.is(rounded, -0) ? c`(${realLiteral(rounded)})` : realLiteral(rounded);
}
function literal2(value, type, form) {
  if (type === "real") return form === "double" ? doubleLiteral(value) : floatLiteral(value);
  if (type === "bool") return c`${value === 0 ? 0 : 1}`;
  if (form === "double") return c`((int64_t)${Math.trunc(value)})`;
  if (value < -2147483648 || value > 2147483647) throw new RangeError(`${value} is no 32-bit whole number`);
  return value === -2147483648 ? c`(-2147483647 - 1)` : c`(${value})`;
}
var call1 = (name) => {
  return (x, _type, form) => c`lctx_${name}${suffixes[form]}(${x})`;
};
var callTyped = (name) => {
  return (x, type, form) => type === "int" ? c`lctx_${name}_int${suffixes[form]}(${x})` : c`lctx_${name}${suffixes[form]}(${x})`;
};
var asNumber = (x, type, form) => type === "bool" && form === "lanes" ? c`(-${x})` : x;
var unaryRules2 = {
  neg: (x) => c`(-${x})`,
  abs: callTyped(c`abs`),
  exp: call1(c`exp`),
  log: call1(c`log`),
  sqrt: call1(c`sqrt`),
  tanh: call1(c`tanh`),
  sigmoid: call1(c`sigmoid`),
  erf: call1(c`erf`),
  sin: call1(c`sin`),
  cos: call1(c`cos`),
  floor: call1(c`floor`),
  ceil: call1(c`ceil`),
  sign: callTyped(c`sign`),
  "to-real": (x, type, form) => c`lctx_to_real${suffixes[form]}(${asNumber(x, type, form)})`,
  "to-int": (x, type, form) => type === "real" ? c`lctx_truncate${suffixes[form]}(${x})` : asNumber(x, type, form),
  not: call1(c`not`)
};
var binaryRules3 = {
  add: (a, b) => c`(${a} + ${b})`,
  sub: (a, b) => c`(${a} - ${b})`,
  mul: (a, b) => c`(${a} * ${b})`,
  div: (a, b) => c`(${a} / ${b})`,
  "floor-div": (a, b, _type, form) => c`lctx_floor_div${suffixes[form]}(${a}, ${b})`,
  mod: (a, b, _type, form) => c`lctx_mod${suffixes[form]}(${a}, ${b})`,
  pow: (a, b, _type, form) => c`lctx_pow${suffixes[form]}(${a}, ${b})`,
  min: (a, b, type, form) => type === "int" ? c`lctx_min_int${suffixes[form]}(${a}, ${b})` : c`lctx_min${suffixes[form]}(${a}, ${b})`,
  max: (a, b, type, form) => type === "int" ? c`lctx_max_int${suffixes[form]}(${a}, ${b})` : c`lctx_max${suffixes[form]}(${a}, ${b})`,
  lt: (a, b) => c`(${a} < ${b})`,
  le: (a, b) => c`(${a} <= ${b})`,
  eq: (a, b) => c`(${a} == ${b})`,
  and: (a, b) => c`(${a} & ${b})`,
  or: (a, b) => c`(${a} | ${b})`
};
function powerOfTwo2(e) {
  if (e.kind !== "constant" || e.value <= 0 || e.value > 2 ** 30) return null;
  const power = Math.log2(e.value);
  return Number.isInteger(power) ? power : null;
}
function smallPower(base, exponent) {
  if (exponent.kind !== "constant") return null;
  switch (exponent.value) {
    case 1:
      return base;
    case 2:
      return c`(${base} * ${base})`;
    case 3:
      return c`(${base} * ${base} * ${base})`;
    case 4:
      return c`((${base} * ${base}) * (${base} * ${base}))`;
    case -1:
      return c`(1.0f / ${base})`;
    default:
      return null;
  }
}
function exprPrinter(leaves, word2, form = "single") {
  const done = /* @__PURE__ */ new Map();
  const scopes = /* @__PURE__ */ new Map();
  let count2 = 0;
  const name = (value) => {
    const named = identifier(word2, count2++);
    const statements = scopes.get(value.scope) ?? [];
    scopes.set(value.scope, statements);
    statements.push(c`const ${valueType(value.type, value.form)} ${named} = ${value.text};\n`);
    return { ...value, text: named };
  };
  const spread = (value) => {
    if (value.form === "lanes") return value.text;
    if (value.form === "double") throw new Error("a double has no lanes");
    const splats = { real: c`lctx_splat_real`, int: c`lctx_splat_int`, bool: c`lctx_splat_bool` };
    return c`${splats[value.type]}(${value.text})`;
  };
  const align = (values) => {
    const wide = values.some((value) => value.form === "lanes");
    const texts = values.map((value) => wide ? spread(value) : value.text);
    return { form: wide ? "lanes" : values[0]?.form ?? form, texts };
  };
  const compute = (e, kids) => {
    const scope = Math.max(0, ...kids.map((kid) => kid.scope));
    switch (e.kind) {
      case "constant":
        return { text: literal2(e.value, e.type, form), type: e.type, form, scope: 0 };
      case "index":
        return leaves.index(e.name);
      case "size":
        return leaves.size(e.name);
      case "scalar":
        return leaves.scalar(e.name);
      case "logit":
        return leaves.logit();
      case "operand":
        return leaves.operand(e.index, e.type);
      case "uniform":
        return name(leaves.uniform(e.stream));
      case "load":
        return name(leaves.load(e.buffer, kids, e.type));
      case "set": {
        if (leaves.set === void 0) throw new Error("an expression reads a set where there is none");
        return name(leaves.set(e, kids.slice(0, -1), kids.at(-1)));
      }
      case "unary": {
        const x = kids[0];
        return name({ text: unaryRules2[e.op](x.text, x.type, x.form), type: e.type, form: x.form, scope });
      }
      case "binary": {
        const power = powerOfTwo2(e.right);
        const x = kids[0];
        if (power !== null && e.op === "floor-div")
          return name({ text: c`(${x.text} >> ${power})`, type: "int", form: x.form, scope });
        if (power !== null && e.op === "mod")
          return name({ text: c`(${x.text} & ${2 ** power - 1})`, type: "int", form: x.form, scope });
        const product3 = e.op === "pow" && x.form !== "double" ? smallPower(x.text, e.right) : null;
        if (product3 !== null) return name({ text: product3, type: "real", form: x.form, scope });
        const both = align(kids);
        const text = binaryRules3[e.op](both.texts[0], both.texts[1], kids[0].type, both.form);
        return name({ text, type: e.type, form: both.form, scope });
      }
      case "select": {
        const { form: shape2, texts } = align(kids);
        const kind = e.type === "real" ? c`real` : c`int`;
        const text = c`lctx_select_${kind}${suffixes[shape2]}(${joinFragments(texts, c`, `)})`;
        return name({ text, type: e.type, form: shape2, scope });
      }
      default:
        return e;
    }
  };
  const print = (e) => {
    const known2 = done.get(e);
    if (known2 !== void 0) return known2;
    const value = compute(e, exprChildren(e).map(print));
    done.set(e, value);
    return value;
  };
  const take = (scope) => {
    const statements = scopes.get(scope) ?? [];
    scopes.set(scope, []);
    return joinFragments(statements, c``);
  };
  return { print, take, spread, name };
}

// compiler/backends/cpu/attention/print-ranges.ts
var isReal = (e) => e.type === "real";
var loose = (x) => c`lctx_r_loose(${x})`;
var rising = (name) => {
  return (x) => loose(c`lctx_r(lctx_${name}_d(${x}.low), lctx_${name}_d(${x}.high))`);
};
var wave = () => c`lctx_r(-1.0, 1.0)`;
var unaryRanges = {
  neg: (x) => c`lctx_r_neg(${x})`,
  abs: (x) => c`lctx_r_abs(${x})`,
  exp: rising(c`exp`),
  log: rising(c`log`),
  sqrt: rising(c`sqrt`),
  tanh: rising(c`tanh`),
  sigmoid: rising(c`sigmoid`),
  erf: rising(c`erf`),
  sin: wave,
  cos: wave,
  floor: (x, of) => c`lctx_r_floor(${isReal(of) ? loose(x) : x})`,
  ceil: (x, of) => c`lctx_r_ceil(${isReal(of) ? loose(x) : x})`,
  sign: (x, of) => c`lctx_r_sign(${isReal(of) ? loose(x) : x})`,
  "to-real": (x) => x,
  "to-int": (x, of) => isReal(of) ? c`lctx_r_truncate(${loose(x)})` : x,
  not: (x) => c`lctx_r_not(${x})`
};
var plain = (name) => {
  return (a, b) => c`lctx_r_${name}(${a}, ${b})`;
};
var compare = (name) => {
  return (a, b, of) => isReal(of) ? c`lctx_r_${name}(${loose(a)}, ${loose(b)})` : c`lctx_r_${name}(${a}, ${b})`;
};
var binaryRanges = {
  add: plain(c`add`),
  sub: plain(c`sub`),
  mul: plain(c`mul`),
  div: plain(c`div`),
  "floor-div": plain(c`floor_div`),
  mod: plain(c`mod`),
  pow: () => c`lctx_r_any()`,
  min: plain(c`min`),
  max: plain(c`max`),
  lt: compare(c`lt`),
  le: compare(c`le`),
  eq: compare(c`eq`),
  and: plain(c`and`),
  or: plain(c`or`)
};
function printRanges2(exprs, leaves) {
  const statements = [];
  const done = /* @__PURE__ */ new Map();
  const exact = (text) => c`lctx_r((double)(${text}), (double)(${text}))`;
  const compute = (e, kids) => {
    switch (e.kind) {
      case "constant":
        return c`lctx_r(${doubleLiteral(e.value)}, ${doubleLiteral(e.value)})`;
      case "index":
        if (e.name === "q") return c`lctx_r((double)q0, (double)q1)`;
        if (e.name === "k") return c`lctx_r((double)k0, (double)k1)`;
        if (e.name === "h") return exact(c`h`);
        throw new Error(`attention has no index ${e.name}`);
      case "size":
        return exact(leaves.size(e.name));
      case "scalar":
        return exact(leaves.scalar(e.name));
      case "load": {
        const table = leaves.tables[e.buffer];
        if (table.dtype !== "i32" || table.extents.length !== 1) return c`lctx_r_any()`;
        return c`lctx_r_load(${table.base}, ${table.extents[0]}, ${kids[0]})`;
      }
      case "set":
        return e.op === "member" ? c`lctx_r_maybe()` : c`lctx_r(0.0, lctx_max_d(${kids.at(-1)}.high, 0.0))`;
      case "logit":
      case "operand":
      case "uniform":
        return c`lctx_r_any()`;
      case "unary":
        return unaryRanges[e.op](kids[0], e.operand);
      case "binary":
        return binaryRanges[e.op](kids[0], kids[1], e.left);
      case "select":
        return c`lctx_r_select(${kids[0]}, ${kids[1]}, ${kids[2]})`;
      default:
        return e;
    }
  };
  const visit = (e) => {
    const known2 = done.get(e);
    if (known2 !== void 0) return known2;
    const text = compute(e, exprChildren(e).map(visit));
    const name = identifier("r", done.size);
    statements.push(c`  const lctx_range ${name} = ${text};\n`);
    done.set(e, name);
    return name;
  };
  const names2 = exprs.map(visit);
  return { statements: joinFragments(statements, c``), names: names2 };
}

// compiler/backends/cpu/attention/tables.ts
function attentionTables(buffers, take) {
  return buffers.map((buffer, n) => {
    const batched = buffer.axes[0]?.name === "b";
    const sizes = (batched ? buffer.axes.slice(1) : buffer.axes).map((axis2) => axisExtent(axis2.size));
    const extents3 = sizes.map((size2) => typeof size2 === "number" ? c`${size2}` : take(size2));
    const type = buffer.dtype === "f32" ? c`float` : c`int32_t`;
    const row = batched ? c` + (int64_t)b * ${joinFragments([c`1`, ...extents3], c` * `)}` : c``;
    return { dtype: buffer.dtype, base: c`((const ${type} *)a->tables[${n}]${row})`, extents: extents3, sizes };
  });
}
function flatIndex(table, indices, spread) {
  const lanes = indices.some((value) => value.form === "lanes");
  const scope = Math.max(0, ...indices.map((value) => value.scope));
  let flat = lanes ? c`lctx_splat_int(0)` : c`0`;
  indices.forEach((value, n) => {
    const extent = c`(int32_t)(${table.extents[n]})`;
    const inside = lanes ? c`lctx_min_int_v(lctx_max_int_v(${spread(value)}, lctx_splat_int(0)), lctx_splat_int(${extent} - 1))` : c`lctx_min_int_s(lctx_max_int_s(${value.text}, 0), ${extent} - 1)`;
    flat = c`(${flat} * ${extent} + ${inside})`;
  });
  return { text: flat, type: "int", form: lanes ? "lanes" : "single", scope };
}
function loadElement(table, at, type) {
  const wide = at.form === "lanes";
  const whole2 = table.dtype === "i32";
  const element = wide ? whole2 ? c`lctx_gather_int(${table.base}, ${at.text})` : c`lctx_gather(${table.base}, ${at.text})` : c`${table.base}[${at.text}]`;
  const suffix = wide ? c`_v` : c`_s`;
  if (type === "bool") return { ...at, text: c`(${element} != 0)`, type };
  if (whole2 === (type === "int")) return { ...at, text: element, type };
  return {
    ...at,
    text: whole2 ? c`lctx_to_real${suffix}(${element})` : c`lctx_truncate${suffix}(${element})`,
    type
  };
}
function readSet2({ op, type }, table, row, element, { name, spread }) {
  const at = name(flatIndex(table, row, spread));
  const form = at.form === "lanes" || element.form === "lanes" ? "lanes" : "single";
  const words = c`(int32_t)(${table.extents.at(-1)})`;
  const [rows2, elements] = form === "lanes" ? [spread(at), spread(element)] : [at.text, element.text];
  const suffix = form === "lanes" ? c`_v` : c`_s`;
  const text = c`lctx_${op === "member" ? c`member` : c`rank`}${suffix}(${table.base}, ${words}, ${rows2}, ${elements})`;
  return { text, type, form, scope: Math.max(at.scope, element.scope) };
}

// compiler/backends/cpu/attention/print-pairs.ts
var blockScope = 0;
var queryScope = 1;
var pairScope = 2;
var AttentionSlots = class {
  sizes = [];
  scalars = [];
  size = (size2) => {
    const key = JSON.stringify(size2);
    let at = this.sizes.findIndex((known2) => JSON.stringify(known2) === key);
    if (at < 0) at = this.sizes.push(size2) - 1;
    return c`a->sizes[${at}]`;
  };
  scalar = (name) => {
    let at = this.scalars.indexOf(name);
    if (at < 0) at = this.scalars.push(name) - 1;
    return c`a->scalars[${at}]`;
  };
};
function sizeText(name, slots) {
  switch (name) {
    case "batch":
      return c`a->batch`;
    case "length":
      return slots.size("length");
    case "query-length":
      return c`a->queries`;
    case "query-start":
      return c`a->start`;
    case "step":
      return slots.scalar("step");
    default:
      throw new Error(`attention has no size ${name}`);
  }
}
function pairsOf(node, slots) {
  return { node, slots, tables: attentionTables(node.buffers, slots.size) };
}
function pairPrinter({ slots, tables }) {
  const whole2 = (text, scope) => ({
    text,
    type: "int",
    form: "single",
    scope
  });
  let printer = null;
  const leaves = {
    index: (name) => {
      if (name === "q") return { text: c`q`, type: "int", form: "lanes", scope: queryScope };
      if (name === "k") return whole2(c`k`, pairScope);
      if (name === "h") return whole2(c`h`, blockScope);
      throw new Error(`attention has no index ${name}`);
    },
    size: (name) => whole2(c`((int32_t)(${sizeText(name, slots)}))`, blockScope),
    scalar: (name) => ({ text: slots.scalar(name), type: "real", form: "single", scope: blockScope }),
    logit: () => ({ text: c`logit`, type: "real", form: "lanes", scope: pairScope }),
    operand: () => {
      throw new Error("attention expressions have no operands");
    },
    load: (buffer, indices, type) => {
      const table = tables[buffer];
      return loadElement(table, printer.name(flatIndex(table, indices, printer.spread)), type);
    },
    set: (read2, row, element) => readSet2(read2, tables[read2.buffer], row, element, printer),
    uniform: () => {
      throw new Error("random numbers inside attention are not supported: use them on its input or output");
    }
  };
  printer = exprPrinter(leaves, "e");
  return printer;
}
function printKnown(pairs, entry) {
  const { node, slots, tables } = pairs;
  const leaves = { size: (name) => sizeText(name, slots), scalar: slots.scalar, tables };
  const head = (name) => c`
static int ${name}_${entry}(const lctx_attention *a, int64_t b, int64_t h, int64_t q0, int64_t q1, int64_t k0, int64_t k1) {
  (void)a, (void)b, (void)h, (void)q0, (void)q1, (void)k0, (void)k1;
`;
  const mask = printRanges2([node.mask], leaves);
  const seen = mask.names[0];
  const see = c`${head(c`see`)}${mask.statements}  return ${seen}.low >= 1.0 ? 2 : ${seen}.high <= 0.0 ? 0 : 1;\n}\n`;
  if (node.regions.length === 1) return see;
  const when = printRanges2(
    node.regions.slice(0, -1).map((region) => region.when),
    leaves
  );
  const choices = when.names.map(
    (name, n) => c`  if (${name}.low >= 1.0) return ${n};\n  if (${name}.high > 0.0) return -1;\n`
  );
  return c`${see}${head(c`region`)}${when.statements}${joinFragments(choices, c``)}  return ${node.regions.length - 1};\n}\n`;
}
var isPlainScore = (node) => node.score.kind === "logit";
function printChoice(node, printer) {
  const count2 = node.regions.length;
  const own = c`      vf logit = *(const vf *)(s + j * LCTX_QB + v);\n`;
  if (count2 === 1) return own;
  const when = node.regions.slice(0, -1).map((region) => printer.spread(printer.print(region.when)));
  const lines = [c`      vi left = lctx_splat_bool(1);\n`];
  node.regions.forEach((_, r) => {
    const chosen = identifier("chosen", r);
    lines.push(
      r < count2 - 1 ? c`      const vi ${chosen} = left & ${when[r]};\n      left &= ~${when[r]};\n` : c`      const vi ${chosen} = left;\n`
    );
  });
  const picks = node.regions.map(
    (_, r) => c`        logit = lctx_select_real_v(${identifier("chosen", r)}, *(const vf *)(s + ${r} * area + j * LCTX_QB + v), logit);\n`
  );
  return c`${own}${printer.take(pairScope)}${joinFragments(lines, c``)}      if (mixed) {\n${joinFragments(picks, c``)}      }\n`;
}
function printLoops(pairs, printer, choice, declare, body) {
  const several = pairs.node.regions.length > 1;
  return c`  const lctx_attention *a = x->a;
  const int64_t b = x->b, area = LCTX_QB * LCTX_KB;
  const int32_t h = (int32_t)x->h;
  float *s = x->s + ${several ? c`(mixed ? 0 : x->region) * area` : c`0`};
  (void)a, (void)b, (void)h, (void)area, (void)mixed, (void)guard;
${printer.take(blockScope)}
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vi q = lctx_splat_int((int32_t)(x->q0 + v)) + lctx_lanes();
    (void)q;
${declare}${printer.take(queryScope)}
    for (int64_t j = 0; j < x->keys; j++) {
      const int32_t k = (int32_t)(x->k0 + j);
      (void)k;
${choice}${printer.take(pairScope)}${body}    }
  }
`;
}
function printVariants(name, entry, several, parts) {
  const mixed = several ? c`  if (x->region < 0) ${name}_body_${entry}(x, 1, 1);\n  else ` : c`  `;
  return c`
LCTX_INLINE void ${name}_body_${entry}(const lctx_block *x, const int guard, const int mixed) {
${parts}}
static void ${name}_${entry}(const lctx_block *x) {
${mixed}if (x->guard) ${name}_body_${entry}(x, 1, 0);
  else ${name}_body_${entry}(x, 0, 0);
}
`;
}
function printScore(pairs, entry) {
  const { node } = pairs;
  const printer = pairPrinter(pairs);
  const choice = printChoice(node, printer);
  const mask = printer.spread(printer.print(node.mask));
  const score = printer.spread(printer.print(node.score));
  const body = c`      vf y = ${score};
      if (guard) y = lctx_select_real_v(${mask}, y, lctx_splat_real(-LCTX_INF));
      *(vf *)(s + j * LCTX_QB + v) = y;
`;
  return printVariants(
    c`score`,
    entry,
    node.regions.length > 1,
    printLoops(pairs, printer, choice, c``, body)
  );
}
function printTableGradient(table, share, at, slope, mask) {
  const value = c`      if (x->shares) {\n        vf g = t * ${slope};\n        if (guard) g = lctx_select_real_v(${mask}, g, lctx_splat_real(0.0f));\n        double *to = x->shares[${share}];\n`;
  const some = c`lctx_least(LCTX_LANES, x->queries - v)`;
  const add2 = at.form === "lanes" ? c`        for (int64_t i = 0; i < ${some}; i++) to[${at.text}[i]] += (double)g[i];\n` : c`        for (int64_t i = 0; i < ${some}; i++) to[${at.text}] += (double)g[i];\n`;
  return c`${value}${add2}      }\n`;
}
function printSlope(pairs, node, entry) {
  const printer = pairPrinter(pairs);
  const choice = printChoice(node, printer);
  const mask = printer.spread(printer.print(node.mask));
  const score = printer.spread(printer.print(node.score));
  const slope = printer.spread(printer.print(node.scoreSlope));
  const gradients = node.bufferGradients.flatMap(
    ({ buffer, loads: loads2 }, share) => loads2.map(({ indices, slope: of }) => {
      const table = pairs.tables[buffer];
      const at = printer.name(
        flatIndex(
          table,
          indices.map((e) => printer.print(e)),
          printer.spread
        )
      );
      return printTableGradient(table, share, at, printer.spread(printer.print(of)), mask);
    })
  );
  const several = node.regions.length > 1;
  const stores2 = node.regions.map(
    (_, r) => c`        *(vf *)(s + ${r} * area + j * LCTX_QB + v) = lctx_select_real_v(${identifier("chosen", r)}, ds, lctx_splat_real(0.0f));\n`
  );
  const store = several ? c`      if (mixed) {\n${joinFragments(stores2, c``)}      } else *(vf *)(s + j * LCTX_QB + v) = ds;\n` : c`      *(vf *)(s + j * LCTX_QB + v) = ds;\n`;
  const declare = c`    const vf lse = *(const vf *)(x->lse + v), delta = *(const vf *)(x->delta + v);\n`;
  const body = c`      vf *dp = (vf *)(x->dp + j * LCTX_QB + v);
      vf y = ${score};
      if (guard) y = lctx_select_real_v(${mask}, y, lctx_splat_real(-LCTX_INF));
      const vf p = lctx_exp_weight(y - lse);
      const vf t = p * (*dp - delta);
      vf ds = t * ${slope};
      if (guard) ds = lctx_select_real_v(${mask}, ds, lctx_splat_real(0.0f));
${joinFragments(gradients, c``)}      *dp = p;
${store}`;
  return printVariants(c`slope`, entry, several, printLoops(pairs, printer, choice, declare, body));
}
function refuseUnprintable(node) {
  const exprs = [node.mask, node.score, ...node.regions.map((region) => region.when)];
  for (const e of exprs)
    if (someExpr(e, (part) => part.kind === "operand"))
      throw new Error(`${node.site}: attention expressions have no operands`);
  if (node.regions.length > 8) throw new Error(`${node.site}: at most 8 rotation regions are supported`);
}

// compiler/backends/cpu/attention/products-text.ts
var productsText = c`
#define LCTX_QB 64
#define LCTX_KB 64
#if LCTX_LANES == 16
#define LCTX_PV 4
#else
#define LCTX_PV 2
#endif
#define LCTX_PANEL (LCTX_PV * LCTX_LANES)
#define LCTX_HOT static __attribute__((noinline, unused))
#define LCTX_PAD(n) (((n) + LCTX_LANES - 1) / LCTX_LANES * LCTX_LANES)

LCTX_INLINE int64_t lctx_least(int64_t a, int64_t b) { return a < b ? a : b; }
LCTX_INLINE int64_t lctx_most(int64_t a, int64_t b) { return a > b ? a : b; }

/* to[column][row] = factor * from[row][column], blocks of rows by columns. */
LCTX_HOT void lctx_transpose(float *to, int64_t to_stride, const float *from, int64_t from_stride, int64_t rows,
                             int64_t columns, float factor) {
  for (int64_t r0 = 0; r0 < rows; r0 += 8)
    for (int64_t k0 = 0; k0 < columns; k0 += 8) {
      if (r0 + 8 <= rows && k0 + 8 <= columns) {
        typedef float v8 __attribute__((vector_size(32)));
        typedef float v8_any __attribute__((vector_size(32), aligned(4), may_alias));
        v8 a[8], b[8];
        for (int i = 0; i < 8; i++) a[i] = *(const v8_any *)(from + (r0 + i) * from_stride + k0) * factor;
        for (int i = 0; i < 8; i += 2) {
          b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
          b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
        }
        for (int i = 0; i < 8; i += 4)
          for (int j = 0; j < 2; j++) {
            a[i + j] = __builtin_shufflevector(b[i + j], b[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            a[i + j + 2] = __builtin_shufflevector(b[i + j], b[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
          }
        for (int j = 0; j < 4; j++) {
          b[j] = __builtin_shufflevector(a[j], a[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
          b[j + 4] = __builtin_shufflevector(a[j], a[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
        }
        for (int i = 0; i < 8; i++) *(v8_any *)(to + (k0 + i) * to_stride + r0) = b[i];
      } else {
        for (int64_t r = r0; r < lctx_least(r0 + 8, rows); r++)
          for (int64_t k = k0; k < lctx_least(k0 + 8, columns); k++)
            to[k * to_stride + r] = from[r * from_stride + k] * factor;
      }
    }
}

/* Packs rows (queries) of d numbers into panels, times factor; rows after the last are 0. */
LCTX_HOT void lctx_pack(float *packed, const float *rows, int64_t stride, int64_t count, int64_t d, float factor) {
  for (int64_t p = 0; p < LCTX_QB; p += LCTX_PANEL) {
    float *panel = packed + p * d;
    const int64_t some = lctx_most(0, lctx_least(LCTX_PANEL, count - p));
    if (some < LCTX_PANEL) __builtin_memset(panel, 0, (size_t)(d * LCTX_PANEL) * sizeof(float));
    if (some > 0) lctx_transpose(panel, LCTX_PANEL, rows + p * stride, stride, some, d, factor);
  }
}

/* Copies rows of n numbers to rows of padded numbers, the rest 0; rows after the last up to total are 0. */
LCTX_HOT void lctx_copy_rows(float *to, int64_t padded, const float *rows, int64_t stride, int64_t count, int64_t n,
                             int64_t total) {
  for (int64_t r = 0; r < count; r++) {
    __builtin_memcpy(to + r * padded, rows + r * stride, (size_t)n * sizeof(float));
    for (int64_t i = n; i < padded; i++) to[r * padded + i] = 0.0f;
  }
  if (total > count) __builtin_memset(to + count * padded, 0, (size_t)((total - count) * padded) * sizeof(float));
}

/* out[key][query] = sum over d of rows[key][d] * packed[d][query], for count keys and the panels that hold queries. */
LCTX_HOT void lctx_rows_by_packed(float *out, const float *rows, int64_t stride, int64_t count, const float *packed,
                                  int64_t d, int64_t queries) {
  for (int64_t p = 0; p < queries; p += LCTX_PANEL)
    for (int64_t j = 0; j < count; j += 4) {
      const float *r0 = rows + j * stride;
      const float *r1 = rows + lctx_least(j + 1, count - 1) * stride;
      const float *r2 = rows + lctx_least(j + 2, count - 1) * stride;
      const float *r3 = rows + lctx_least(j + 3, count - 1) * stride;
      const float *x = packed + p * d;
      vf a0[LCTX_PV] = {0}, a1[LCTX_PV] = {0}, a2[LCTX_PV] = {0}, a3[LCTX_PV] = {0};
      for (int64_t i = 0; i < d; i++) {
        const vf y0 = lctx_splat_real(r0[i]), y1 = lctx_splat_real(r1[i]);
        const vf y2 = lctx_splat_real(r2[i]), y3 = lctx_splat_real(r3[i]);
#pragma GCC unroll 4
        for (int v = 0; v < LCTX_PV; v++) {
          const vf z = *(const vf *)(x + i * LCTX_PANEL + v * LCTX_LANES);
          a0[v] += y0 * z;
          a1[v] += y1 * z;
          a2[v] += y2 * z;
          a3[v] += y3 * z;
        }
      }
      float *o = out + j * LCTX_QB + p;
#pragma GCC unroll 4
      for (int v = 0; v < LCTX_PV; v++) {
        *(vf *)(o + v * LCTX_LANES) = a0[v];
        *(vf *)(o + LCTX_QB + v * LCTX_LANES) = a1[v];
        *(vf *)(o + 2 * LCTX_QB + v * LCTX_LANES) = a2[v];
        *(vf *)(o + 3 * LCTX_QB + v * LCTX_LANES) = a3[v];
      }
    }
}

/* The next, for n of the four dimensions of a tile. */
LCTX_INLINE void lctx_add_dimensions(float *sum, const float *alpha, const float *rows, int64_t stride, int64_t count,
                                     const float *weights, const int n) {
  vf a0[LCTX_PV], a1[LCTX_PV], a2[LCTX_PV], a3[LCTX_PV];
#pragma GCC unroll 4
  for (int v = 0; v < LCTX_PV; v++) {
    const vf f = alpha ? *(const vf *)(alpha + v * LCTX_LANES) : lctx_splat_real(1.0f);
    a0[v] = *(vf *)(sum + v * LCTX_LANES) * f;
    a1[v] = n > 1 ? *(vf *)(sum + LCTX_QB + v * LCTX_LANES) * f : f;
    a2[v] = n > 2 ? *(vf *)(sum + 2 * LCTX_QB + v * LCTX_LANES) * f : f;
    a3[v] = n > 3 ? *(vf *)(sum + 3 * LCTX_QB + v * LCTX_LANES) * f : f;
  }
  for (int64_t j = 0; j < count; j++) {
    const float *r = rows + j * stride;
    const vf y0 = lctx_splat_real(r[0]), y1 = lctx_splat_real(n > 1 ? r[1] : 0.0f);
    const vf y2 = lctx_splat_real(n > 2 ? r[2] : 0.0f), y3 = lctx_splat_real(n > 3 ? r[3] : 0.0f);
#pragma GCC unroll 4
    for (int v = 0; v < LCTX_PV; v++) {
      const vf z = *(const vf *)(weights + j * LCTX_QB + v * LCTX_LANES);
      a0[v] += y0 * z;
      if (n > 1) a1[v] += y1 * z;
      if (n > 2) a2[v] += y2 * z;
      if (n > 3) a3[v] += y3 * z;
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < LCTX_PV; v++) {
    *(vf *)(sum + v * LCTX_LANES) = a0[v];
    if (n > 1) *(vf *)(sum + LCTX_QB + v * LCTX_LANES) = a1[v];
    if (n > 2) *(vf *)(sum + 2 * LCTX_QB + v * LCTX_LANES) = a2[v];
    if (n > 3) *(vf *)(sum + 3 * LCTX_QB + v * LCTX_LANES) = a3[v];
  }
}

/* sum[d][query] = alpha[query] * sum[d][query] + sum over keys of rows[key][d] * weights[key][query]; no alpha: 1. */
LCTX_HOT void lctx_add_weighted(float *sum, const float *alpha, const float *rows, int64_t stride, int64_t count,
                                const float *weights, int64_t d, int64_t queries) {
  for (int64_t p = 0; p < queries; p += LCTX_PANEL) {
    const float *f = alpha ? alpha + p : alpha;
    int64_t i = 0;
    for (; i + 4 <= d; i += 4)
      lctx_add_dimensions(sum + i * LCTX_QB + p, f, rows + i, stride, count, weights + p, 4);
    float *last = sum + i * LCTX_QB + p;
    if (d - i == 3) lctx_add_dimensions(last, f, rows + i, stride, count, weights + p, 3);
    if (d - i == 2) lctx_add_dimensions(last, f, rows + i, stride, count, weights + p, 2);
    if (d - i == 1) lctx_add_dimensions(last, f, rows + i, stride, count, weights + p, 1);
  }
}

/* The next, for four keys and n vectors of columns. */
LCTX_INLINE void lctx_add_columns(float *sum, int64_t width, const float *weights, const float *rows, int64_t queries,
                                  const int n) {
  vf a0[LCTX_PV], a1[LCTX_PV], a2[LCTX_PV], a3[LCTX_PV];
#pragma GCC unroll 4
  for (int v = 0; v < n; v++) {
    a0[v] = *(vf *)(sum + v * LCTX_LANES);
    a1[v] = *(vf *)(sum + width + v * LCTX_LANES);
    a2[v] = *(vf *)(sum + 2 * width + v * LCTX_LANES);
    a3[v] = *(vf *)(sum + 3 * width + v * LCTX_LANES);
  }
  for (int64_t q = 0; q < queries; q++) {
    const vf y0 = lctx_splat_real(weights[q]), y1 = lctx_splat_real(weights[LCTX_QB + q]);
    const vf y2 = lctx_splat_real(weights[2 * LCTX_QB + q]), y3 = lctx_splat_real(weights[3 * LCTX_QB + q]);
#pragma GCC unroll 4
    for (int v = 0; v < n; v++) {
      const vf z = *(const vf *)(rows + q * width + v * LCTX_LANES);
      a0[v] += y0 * z;
      a1[v] += y1 * z;
      a2[v] += y2 * z;
      a3[v] += y3 * z;
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < n; v++) {
    *(vf *)(sum + v * LCTX_LANES) = a0[v];
    *(vf *)(sum + width + v * LCTX_LANES) = a1[v];
    *(vf *)(sum + 2 * width + v * LCTX_LANES) = a2[v];
    *(vf *)(sum + 3 * width + v * LCTX_LANES) = a3[v];
  }
}

/*
 * sum[key][column] += sum over queries of weights[key][query] * rows[query][column]. Keys are rounded up to four, so
 * weights after the last key must be 0; width is a multiple of the lanes.
 */
LCTX_HOT void lctx_add_outer(float *sum, const float *weights, int64_t count, const float *rows, int64_t queries,
                             int64_t width) {
  for (int64_t j = 0; j < count; j += 4) {
    const float *w = weights + j * LCTX_QB;
    float *s = sum + j * width;
    int64_t i = 0;
    for (; i + LCTX_PANEL <= width; i += LCTX_PANEL) lctx_add_columns(s + i, width, w, rows + i, queries, LCTX_PV);
#if LCTX_PV == 4
    if (i + 2 * LCTX_LANES <= width) {
      lctx_add_columns(s + i, width, w, rows + i, queries, 2);
      i += 2 * LCTX_LANES;
    }
#endif
    if (i < width) lctx_add_columns(s + i, width, w, rows + i, queries, 1);
  }
}

/* e^x for x up to 0 and a little above, 0 below -87.3; a NaN stays one. */
LCTX_INLINE vf lctx_exp_weight(vf given) {
  vf x = lctx_select_real_v(given < -87.3f, lctx_splat_real(-87.3f), given);
  vf t = x * 1.44269504f + 12582912.0f;
  vf n = t - 12582912.0f;
  vf r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return (vf)((vi)((vu)p + ((vu)t << 23)) & ~(given < -87.3f));
}
`;

// compiler/backends/cpu/attention/ranges-text.ts
var rangesText2 = c`
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
`;

// compiler/backends/cpu/attention/attention-kernel.ts
var block = 64;
var shareCount = 16;
var mostKeyBlocks = 4;
var keyBlockFloats = 65536;
var mostLanes = 16;
var skeleton = c`
#ifndef LCTX_ATTENTION
#define LCTX_ATTENTION
${joinFragments([productsText, forwardText3, backwardText3, rangesText2], c``)}
#endif
`;
var padded = (n) => Math.ceil(n / mostLanes) * mostLanes;
function shapeOf3(node) {
  const query = node.regions[0].query.axes;
  const value = node.value.axes;
  const what = node.site;
  const heads = fixedExtent(query[2], what);
  const groups = fixedExtent(value[2], what);
  if (heads % groups !== 0) throw new Error(`${what}: ${heads} heads are no multiple of ${groups}`);
  return {
    heads,
    groups,
    d: fixedExtent(query[3], what),
    e: fixedExtent(value[3], what),
    batch: axisExtent(query[0].size),
    start: isTokenAxis(query[1]) ? "query-start" : 0,
    queries: axisExtent(query[1].size),
    keys: axisExtent(value[1].size),
    early: node.prepended === null ? 0 : axisExtent(node.prepended.key.axes[0].size)
  };
}
function printCore(node, shape2) {
  const lines = [];
  let at = 0;
  const set2 = (field, value) => lines.push(c`  call.${field} = ${value};\n`);
  node.regions.forEach((_, r) => {
    set2(c`query[${r}]`, c`buffers[${at++}]`);
    set2(c`key[${r}]`, c`buffers[${at++}]`);
  });
  set2(c`value`, c`buffers[${at++}]`);
  set2(c`tables`, c`(const void *const *)(buffers + ${at})`);
  at += node.buffers.length;
  if (node.prepended !== null) {
    set2(c`early_key`, c`buffers[${at++}]`);
    set2(c`early_value`, c`buffers[${at++}]`);
    set2(c`early_region`, c`${earlyRegion}`);
  }
  const text = c`  lctx_attention call = {0};
  call.batch = sizes[0], call.queries = sizes[1], call.keys = sizes[2], call.start = sizes[3];
  call.threads = sizes[4], call.early = sizes[5], call.sizes = sizes + 6, call.scalars = scalars;
  call.heads = ${shape2.heads}, call.groups = ${shape2.groups}, call.d = ${shape2.d}, call.e = ${shape2.e};
  call.regions = ${node.regions.length}, call.scale = ${realLiteral(node.scale)};
  call.scored = ${isPlainScore(node) ? 0 : 1};
${joinFragments(lines, c``)}`;
  return { text, next: at };
}
var earlyRegion = 0;
var coreSizes = (shape2, slots) => [
  shape2.batch,
  shape2.queries,
  shape2.keys,
  shape2.start,
  "threads",
  shape2.early,
  ...slots.sizes
];
var functions = (entry, node) => node.regions.length > 1 ? c`  call.see = see_${entry}, call.region = region_${entry};\n` : c`  call.see = see_${entry};\n`;
function attentionKernel(node) {
  refuseUnprintable(node);
  const shape2 = shapeOf3(node);
  const slots = new AttentionSlots();
  const pairs = pairsOf(node, slots);
  const regions = node.regions.length;
  const { d, e } = shape2;
  const fixed2 = block * (regions * d + 2 * e + regions * block + 3);
  const print = (entry) => {
    const core = printCore(node, shape2);
    return c`${skeleton}${printKnown(pairs, entry)}${printScore(pairs, entry)}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
${core.text}${functions(entry, node)}  call.score = score_${entry};
  call.output = buffers[${core.next}], call.lse = buffers[${core.next + 1}];
  call.scratch = buffers[${core.next + 2}];
  call.per_thread = ${fixed2} + (call.keys + 15) / 16 * 16;
  lctx_attention_forward(&call);
}
`;
  };
  const kernel = namedKernel("attention", [], print);
  return {
    kernel,
    sizes: coreSizes(shape2, slots),
    scalars: slots.scalars,
    scratch: { elements: times3("threads", plus2(fixed2 + 16, shape2.keys)) }
  };
}
function attentionGradientKernel(node) {
  refuseUnprintable(node);
  const shape2 = shapeOf3(node);
  const slots = new AttentionSlots();
  const pairs = pairsOf(node, slots);
  const regions = node.regions.length;
  const { d, e, heads, groups } = shape2;
  const perQuery = regions * (2 * d + padded(d)) + e + padded(e) + 2;
  const perKey = regions * (d + padded(d)) + e + padded(e);
  const atOnce = Math.max(1, Math.min(mostKeyBlocks, Math.floor(keyBlockFloats / (block * perKey))));
  const fixed2 = block * (perQuery + atOnce * perKey + (regions + 1) * block);
  const tables = node.bufferGradients.map(({ buffer }) => {
    const { sizes, extents: extents3 } = pairs.tables[buffer];
    return { elements: times3(...sizes), count: joinFragments([c`1`, ...extents3], c` * `) };
  });
  if (tables.length > 16) throw new Error(`${node.site}: at most 16 tables of an attention can be trained`);
  const print = (entry) => {
    const core = printCore(node, shape2);
    const lines = [];
    let at = core.next;
    const set2 = (field) => lines.push(c`  call.${field} = buffers[${at++}];\n`);
    [c`out_read`, c`lse_read`, c`out_gradient`].forEach(set2);
    node.regions.forEach((_, r) => {
      set2(c`query_gradient[${r}]`);
      set2(c`key_gradient[${r}]`);
    });
    set2(c`value_gradient`);
    const firstTable = at;
    at += tables.length;
    if (node.prepended !== null) {
      set2(c`early_key_gradient`);
      set2(c`early_value_gradient`);
    }
    const offsets2 = tables.map(
      ({ count: count2 }, n) => c`  offsets[${n}] = call.share_size;\n  call.share_size += (${count2} + 7) / 8 * 8;\n`
    );
    const sums = tables.map(
      ({ count: count2 }, n) => c`  lctx_sum_shares(a, ${n}, buffers[${firstTable + n}], ${count2});\n`
    );
    return c`${skeleton}${printKnown(pairs, entry)}${printSlope(pairs, node, entry)}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
${core.text}${functions(entry, node)}  call.slope = slope_${entry};
${joinFragments(lines, c``)}  int64_t offsets[${tables.length + 1}];
  const lctx_attention *a = &call;
  (void)a;
${joinFragments(offsets2, c``)}  call.tables_with_gradient = ${tables.length}, call.keys_at_once = ${atOnce};
  call.share_offset = offsets;
  call.share_base = buffers[${at}];
  call.scratch = (float *)buffers[${at}] + ${2 * shareCount} * call.share_size;
  call.per_thread = ${fixed2} + (call.keys + call.queries + 15) / 16 * 16;
  call.packed_base = call.scratch + call.threads * call.per_thread;
  lctx_attention_backward(&call);
${joinFragments(sums, c``)}}
`;
  };
  const kernel = namedKernel("attention_gradient", [], print);
  const rows2 = times3(plus2(shape2.queries, block), perQuery);
  return {
    kernel,
    sizes: coreSizes(shape2, slots),
    scalars: slots.scalars,
    scratch: {
      elements: plus2(
        ...tables.map(({ elements }) => times3(2 * shareCount, plus2(elements, 8))),
        times3("threads", plus2(fixed2 + 16, shape2.keys, shape2.queries)),
        times3(shape2.batch, heads, rows2),
        times3("threads", heads / groups, rows2)
      )
    }
  };
}

// compiler/backends/cpu/concat.ts
var copyKernel = namedKernel(
  "copy_runs",
  [],
  (entry) => c`
typedef struct { const uint32_t *from; uint32_t *to; const int64_t *sizes; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t outer = x->sizes[0], repeat = x->sizes[1], run = x->sizes[2], step = x->sizes[3], stride = x->sizes[4];
  (void)thread;
  for (int64_t n = item * 64; n < outer && n < item * 64 + 64; n++)
    __builtin_memcpy(x->to + n * stride, x->from + n % repeat * step, (size_t)run * 4);
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)scalars;
  for (int64_t p = 0; p < sizes[0]; p++) {
    const int64_t *s = sizes + 1 + 6 * p;
    call_${entry} call = {(const uint32_t *)buffers[p] + s[5], buffers[sizes[0]], s};
    for (int64_t before = 0; before < p; before++) call.to += sizes[1 + 6 * before + 2];
    if (s[0] > 0 && s[2] > 0) lctx_parallel((s[0] + 63) / 64, body_${entry}, &call);
  }
}
`
);
function concatKernel(node) {
  const at = node.axes.findIndex((axis2) => axis2.name === node.axis);
  const all = extents2(node.axes);
  const outer = times3(...all.slice(0, at));
  const stride = times3(...all.slice(at));
  const parts = node.operands.flatMap((operand) => {
    const own = operand.axes.findIndex((axis2) => axis2.name === node.axis);
    const sizes = extents2(operand.axes);
    const lacksRows = at > 0 && node.axes[0].name === "b" && operand.axes[0].name !== "b";
    if (!lacksRows && operand.axes.length !== node.axes.length)
      throw new Error(`${node.site}: operands of concat differ in axes`);
    const run = times3(...sizes.slice(own));
    return [outer, times3(...sizes.slice(0, own)), run, run, stride, 0];
  });
  return { kernel: copyKernel, sizes: [node.operands.length, ...parts], scalars: [], scratch: null };
}
function sliceKernel(node) {
  const at = node.axes.findIndex((axis2) => axis2.name === node.axis);
  const all = extents2(node.axes);
  const from = extents2(node.operand.axes);
  const outer = times3(...all.slice(0, at));
  const inner = times3(...all.slice(at + 1));
  const run = times3(...all.slice(at));
  const sizes = [1, outer, outer, run, times3(...from.slice(at)), run, times3(node.start, inner)];
  return { kernel: copyKernel, sizes, scalars: [], scratch: null };
}
function reshapeKernel(node) {
  const run = times3(...extents2(node.axes));
  return { kernel: copyKernel, sizes: [1, 1, 1, run, run, run, 0], scalars: [], scratch: null };
}

// compiler/backends/cpu/gather.ts
function tableSizes(table, axis2, index2) {
  const at = table.axes.findIndex((own) => own.name === axis2);
  const all = extents2(table.axes);
  return [
    times3(...all.slice(0, at)),
    all[at],
    times3(...all.slice(at + 1)),
    times3(...extents2(index2.axes))
  ];
}
var gatherNodeKernel = namedKernel(
  "gather",
  [],
  (entry) => c`
typedef struct { const uint32_t *table; const int32_t *index; uint32_t *out; const int64_t *sizes; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t outer = x->sizes[0], rows = x->sizes[1], inner = x->sizes[2], count = x->sizes[3];
  (void)thread;
  for (int64_t n = item * 64; n < count && n < item * 64 + 64; n++) {
    /* An index outside the table reads its nearest row, never other memory. */
    int64_t row = x->index[n];
    row = row < 0 ? 0 : row < rows ? row : rows - 1;
    for (int64_t o = 0; o < outer; o++)
      __builtin_memcpy(x->out + (n * outer + o) * inner, x->table + (o * rows + row) * inner, (size_t)inner * 4);
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], buffers[2], sizes};
  (void)scalars;
  lctx_parallel((sizes[3] + 63) / 64, body_${entry}, &call);
}
`
);
function gatherKernel(node) {
  return {
    kernel: gatherNodeKernel,
    sizes: tableSizes(node.table, node.axis, node.index),
    scalars: [],
    scratch: null
  };
}
var scatterNodeKernel = namedKernel(
  "scatter",
  [],
  (entry) => c`
typedef struct { const float *values; const int32_t *index; float *out; const int64_t *sizes; int64_t run; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t outer = x->sizes[0], rows = x->sizes[1], inner = x->sizes[2], count = x->sizes[3];
  const int64_t from = item * x->run, to = from + x->run < rows ? from + x->run : rows;
  (void)thread;
  if (from >= to) return;
  for (int64_t o = 0; o < outer; o++)
    __builtin_memset(x->out + (o * rows + from) * inner, 0, (size_t)((to - from) * inner) * sizeof(float));
  for (int64_t n = 0; n < count; n++) {
    int64_t row = x->index[n];
    row = row < 0 ? 0 : row < rows ? row : rows - 1;
    if (row < from || row >= to) continue;
    for (int64_t o = 0; o < outer; o++) {
      const float *value = x->values + (n * outer + o) * inner;
      float *sum = x->out + (o * rows + row) * inner;
      for (int64_t i = 0; i < inner; i++) sum[i] += value[i];
    }
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  const int64_t items = sizes[1] < 32 ? sizes[1] : 32;
  call_${entry} call = {buffers[0], buffers[1], buffers[2], sizes, items ? (sizes[1] + items - 1) / items : 1};
  (void)scalars;
  lctx_parallel(items, body_${entry}, &call);
}
`
);
function scatterKernel(node) {
  return {
    kernel: scatterNodeKernel,
    sizes: tableSizes(node, node.axis, node.index),
    scalars: [],
    scratch: null
  };
}

// compiler/backends/cpu/losses.ts
var rowBlock = 1024;
var vocabularyBlock = 1024;
var lossText = c`
#ifndef LCTX_LOSS
#define LCTX_LOSS
/* Takes n logits into a running maximum and sum of exponentials. */
static __attribute__((noinline, unused)) void lctx_take_logits(const float *x, int64_t n, float *most, float *total) {
  vf wide = lctx_splat_real(-LCTX_INF);
  int64_t i = 0;
  for (; i + LCTX_LANES <= n; i += LCTX_LANES) wide = lctx_max_v(lctx_load(x + i), wide);
  float best = *most;
  for (int k = 0; k < LCTX_LANES; k++) best = wide[k] > best ? wide[k] : best;
  for (; i < n; i++) best = x[i] > best ? x[i] : best;
  const float safe = best == -LCTX_INF ? 0.0f : best;
  vf sum = lctx_splat_real(0.0f);
  for (i = 0; i + LCTX_LANES <= n; i += LCTX_LANES) sum += lctx_exp_v(lctx_load(x + i) - safe);
  float rest = lctx_sum(sum);
  for (; i < n; i++) rest += lctx_exp_s(x[i] - safe);
  *total = *total * lctx_exp_s(*most - safe) + rest;
  *most = best;
}
/* d loss / d logits for n logits from entry first on; in place is fine. */
static __attribute__((noinline, unused)) void lctx_logit_gradients(float *to, const float *x, int64_t n, int64_t first,
                                                                   int32_t target, float lse, float gradient) {
  if (target < 0) {
    __builtin_memset(to, 0, (size_t)n * sizeof(float));
    return;
  }
  int64_t i = 0;
  for (; i + LCTX_LANES <= n; i += LCTX_LANES) lctx_store(to + i, lctx_exp_v(lctx_load(x + i) - lse) * gradient);
  for (; i < n; i++) to[i] = lctx_exp_s(x[i] - lse) * gradient;
  if (target >= first && target < first + n) to[target - first] -= gradient;
}
#endif
`;
var crossEntropy2 = namedKernel(
  "cross_entropy",
  [],
  (entry) => c`${lossText}
typedef struct { const float *logits; const int32_t *targets; float *loss, *lse; const int64_t *sizes; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t rows = x->sizes[0], n = x->sizes[1];
  (void)thread;
  for (int64_t r = item * 16; r < rows && r < item * 16 + 16; r++) {
    float most = -LCTX_INF, total = 0.0f;
    lctx_take_logits(x->logits + r * n, n, &most, &total);
    const float lse = most + lctx_log_s(total);
    const int32_t target = x->targets[r];
    if (x->loss) x->loss[r] = target < 0 ? 0.0f : target < n ? lse - x->logits[r * n + target] : LCTX_NAN;
    if (x->lse) x->lse[r] = lse;
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], buffers[2], buffers[3], sizes};
  (void)scalars;
  lctx_parallel((sizes[0] + 15) / 16, body_${entry}, &call);
}
`
);
function crossEntropyKernel(node) {
  const all = extents2(node.logits.axes);
  return {
    kernel: crossEntropy2,
    sizes: [times3(...all.slice(0, -1)), all.at(-1)],
    scalars: [],
    scratch: null
  };
}
var crossEntropyGradient2 = namedKernel(
  "cross_entropy_gradient",
  [],
  (entry) => c`${lossText}
typedef struct {
  const float *logits; const int32_t *targets; const float *lse, *gradient; float *out; const int64_t *sizes;
} call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t rows = x->sizes[0], n = x->sizes[1];
  (void)thread;
  for (int64_t r = item * 16; r < rows && r < item * 16 + 16; r++)
    lctx_logit_gradients(x->out + r * n, x->logits + r * n, n, 0, x->targets[r], x->lse[r], x->gradient[r]);
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], buffers[2], buffers[3], buffers[4], sizes};
  (void)scalars;
  lctx_parallel((sizes[0] + 15) / 16, body_${entry}, &call);
}
`
);
function crossEntropyGradientKernel(node) {
  const all = extents2(node.logits.axes);
  return {
    kernel: crossEntropyGradient2,
    sizes: [times3(...all.slice(0, -1)), all.at(-1)],
    scalars: [],
    scratch: null
  };
}
var headSizes = (node) => [
  times3(...extents2(node.targets.axes)),
  axisExtent(node.weight.axes[0].size),
  axisExtent(node.weight.axes[1].size)
];
var headLoss = namedKernel(
  "head_loss",
  ["gemm"],
  (entry) => c`${lossText}
typedef struct { const float *logits; const int32_t *targets; float *most, *total, *hit; int64_t rows, first, n; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  (void)thread;
  for (int64_t r = item * 16; r < x->rows && r < item * 16 + 16; r++) {
    const float *logits = x->logits + r * x->n;
    const int64_t target = (int64_t)x->targets[r] - x->first;
    lctx_take_logits(logits, x->n, x->most + r, x->total + r);
    if (target >= 0 && target < x->n) x->hit[r] = logits[target];
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  const float *x = buffers[0], *weight = buffers[1];
  const int32_t *targets = buffers[2];
  float *loss = buffers[3], *lse = buffers[4], *scratch = buffers[5];
  const int64_t rows = sizes[0], entries = sizes[1], width = sizes[2];
  float *logits = scratch + 3 * ${rowBlock};
  (void)scalars;
  for (int64_t r = 0; r < rows; r += ${rowBlock}) {
    const int64_t some = rows - r < ${rowBlock} ? rows - r : ${rowBlock};
    call_${entry} call = {logits, targets + r, scratch, scratch + ${rowBlock}, scratch + 2 * ${rowBlock}, some, 0, 0};
    for (int64_t i = 0; i < some; i++) call.most[i] = -LCTX_INF, call.total[i] = 0.0f, call.hit[i] = LCTX_NAN;
    for (int64_t v = 0; v < entries; v += ${vocabularyBlock}) {
      call.first = v, call.n = entries - v < ${vocabularyBlock} ? entries - v : ${vocabularyBlock};
      lctx_gemm(some, call.n, width, x + r * width, width, 0, weight + v * width, width, 1, logits, call.n, 0,
                logits + ${rowBlock * vocabularyBlock});
      lctx_parallel((some + 15) / 16, body_${entry}, &call);
    }
    for (int64_t i = 0; i < some; i++) {
      const float sum = call.most[i] + lctx_log_s(call.total[i]);
      if (loss) loss[r + i] = targets[r + i] < 0 ? 0.0f : sum - call.hit[i];
      if (lse) lse[r + i] = sum;
    }
  }
}
`
);
function headLossKernel(node) {
  return {
    kernel: headLoss,
    sizes: headSizes(node),
    scalars: [],
    scratch: { elements: 3 * rowBlock + rowBlock * vocabularyBlock + 16 }
  };
}
var headLossGradient = namedKernel(
  "head_loss_gradient",
  ["gemm"],
  (entry) => c`${lossText}
typedef struct {
  float *logits; const int32_t *targets; const float *lse, *gradient; int64_t rows, first, n;
} call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  (void)thread;
  for (int64_t r = item * 16; r < x->rows && r < item * 16 + 16; r++)
    lctx_logit_gradients(x->logits + r * x->n, x->logits + r * x->n, x->n, x->first, x->targets[r], x->lse[r],
                         x->gradient[r]);
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  const float *x = buffers[0], *weight = buffers[1];
  const int32_t *targets = buffers[2];
  const float *lse = buffers[3], *gradient = buffers[4];
  float *dx = buffers[5], *dw = buffers[6], *logits = buffers[7];
  float *gemm = logits + ${rowBlock * vocabularyBlock};
  const int64_t rows = sizes[0], entries = sizes[1], width = sizes[2];
  (void)scalars;
  for (int64_t r = 0; r < rows; r += ${rowBlock}) {
    const int64_t some = rows - r < ${rowBlock} ? rows - r : ${rowBlock};
    for (int64_t v = 0; v < entries; v += ${vocabularyBlock}) {
      const int64_t n = entries - v < ${vocabularyBlock} ? entries - v : ${vocabularyBlock};
      call_${entry} call = {logits, targets + r, lse + r, gradient + r, some, v, n};
      lctx_gemm(some, n, width, x + r * width, width, 0, weight + v * width, width, 1, logits, n, 0, gemm);
      lctx_parallel((some + 15) / 16, body_${entry}, &call);
      if (dx) lctx_gemm(some, width, n, logits, n, 0, weight + v * width, width, 0, dx + r * width, width, v > 0, gemm);
      if (dw) lctx_gemm(n, width, some, logits, n, 1, x + r * width, width, 0, dw + v * width, width, r > 0, gemm);
    }
  }
}
`
);
function headLossGradientKernel(node) {
  return {
    kernel: headLossGradient,
    sizes: headSizes(node),
    scalars: [],
    scratch: { elements: rowBlock * vocabularyBlock + 16 }
  };
}

// compiler/backends/cpu/rotate.ts
var rotateText = c`
#ifndef LCTX_ROTATE
#define LCTX_ROTATE
static __attribute__((noinline, unused)) void lctx_turns(double position, const double *angle, const double *scale,
                                                         int64_t pairs, float *cosine, float *sine) {
  for (int64_t m = 0; m < pairs; m += LCTX_LANES) {
    vf r, f;
    vi quarter;
    for (int i = 0; i < LCTX_LANES; i++) {
      const double phase = position * angle[m + i];
      const double turn = phase * 0.63661977236758134;
      const int64_t n = turn < 0 ? (int64_t)(turn - 0.5) : (int64_t)(turn + 0.5);
      const double k = (double)n;
      r[i] = (float)((phase - k * 1.5707963267341256) - k * 6.0771005065061922e-11);
      quarter[i] = (int32_t)(n & 3);
      f[i] = (float)scale[m + i];
    }
    const vi odd = (quarter & 1) != 0;
    const vf s = lctx_wave_v(r, odd), k = lctx_wave_v(r, ~odd);
    *(vf *)(sine + m) = (vf)((vi)s ^ lctx_shift_left_v(quarter & 2, 30)) * f;
    *(vf *)(cosine + m) = (vf)((vi)k ^ lctx_shift_left_v((quarter + 1) & 2, 30)) * f;
  }
}
#endif
`;
function rotatePrinter(word2, scalars, sizes, index2) {
  const whole2 = (text) => ({ text, type: "int", form: "double", scope: 0 });
  const refuse = (what) => () => {
    throw new Error(`a rotation has no ${what}`);
  };
  const leaves = {
    index: (name) => whole2(index2(name)),
    size: (name) => {
      if (name === "step" || name === "query-length") throw new Error(`a rotation has no size ${name}`);
      let at = sizes.indexOf(name);
      if (at < 0) at = sizes.push(name) - 1;
      return whole2(c`x->sizes[${at}]`);
    },
    scalar: (name) => {
      let at = scalars.indexOf(name);
      if (at < 0) at = scalars.push(name) - 1;
      return { text: c`((double)x->scalars[${at}])`, type: "real", form: "double", scope: 0 };
    },
    logit: refuse("logit"),
    operand: refuse("operands"),
    load: refuse("tables"),
    uniform: refuse("random numbers")
  };
  return exprPrinter(leaves, word2, "double");
}
var known = (name, names2) => {
  const text = names2[name];
  if (text === void 0) throw new Error(`a rotation has no index ${name}`);
  return text;
};
var readsHead = (e) => someExpr(e, (part) => part.kind === "index" && part.name === "h");
function rotateKernel(node) {
  const names2 = node.axes.map((axis2) => axis2.name);
  const token = names2.indexOf("t");
  const width = fixedExtent(node.axes.at(-1), node.site);
  if (token < 0 || token > node.axes.length - 2)
    throw new Error(`${node.site}: a rotation needs a token axis before the rotated one`);
  const extents3 = node.axes.map((axis2) => axisExtent(axis2.size));
  const rows2 = times3(...extents3.slice(0, token));
  const heads = times3(...extents3.slice(token + 1, -1));
  const pairs = node.rotated / 2;
  const room = Math.ceil(pairs / 16) * 16;
  const scalars = [];
  const sizes = [rows2, extents3[token], heads, isTokenAxis(node.axes[token]) ? "query-start" : 0];
  const perHead = readsHead(node.position);
  const law = rotatePrinter("law", scalars, sizes, (name) => known(name, { m: c`m` }));
  const angle = law.print(node.angle);
  const scale = law.print(node.scale);
  const lawText = law.take(0);
  const place = rotatePrinter("place", scalars, sizes, (name) => known(name, { x: c`position`, h: c`h` }));
  const position = place.print(node.position);
  const turns = c`${place.take(0)}          lctx_turns((double)${position.text}, x->angle, x->scale, ${pairs}, cosine, sine);\n`;
  const sign = node.inverse ? c`-` : c``;
  const [first, second] = node.layout === "half" ? [c`i`, c`i + ${pairs}`] : [c`2 * i`, c`2 * i + 1`];
  const kernel = namedKernel(
    "rotate",
    [],
    (entry) => c`${rotateText}
typedef struct {
  const float *from;
  float *to;
  const int64_t *sizes;
  const float *scalars;
  double *angle, *scale;
} call_${entry};
/* One item is a block of tokens. */
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t tokens = x->sizes[1], heads = x->sizes[2], all = x->sizes[0] * tokens;
  float cosine[${Math.max(room, 16)}] __attribute__((aligned(64))), sine[${Math.max(room, 16)}] __attribute__((aligned(64)));
  (void)thread;
  for (int64_t row = item * 32; row < all && row < item * 32 + 32; row++) {
    const int64_t position = x->sizes[3] + row % tokens;
    (void)position;
    for (int64_t h = 0; h < heads; h++) {
      if (${perHead ? c`1` : c`h == 0`}) {
${turns}      }
      const float *from = x->from + (row * heads + h) * ${width};
      float *to = x->to + (row * heads + h) * ${width};
      for (int64_t i = 0; i < ${pairs}; i++) {
        const float a = from[${first}], b = from[${second}], k = cosine[i], s = ${sign}sine[i];
        to[${first}] = a * k - b * s;
        to[${second}] = b * k + a * s;
      }
      for (int64_t i = ${node.rotated}; i < ${width}; i++) to[i] = from[i];
    }
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], sizes, scalars, buffers[2], (double *)buffers[2] + ${room}};
  const call_${entry} *x = &call;
  (void)x;
  for (int64_t m = 0; m < ${room}; m++) x->angle[m] = x->scale[m] = 0.0;
  for (int64_t m = 0; m < ${pairs}; m++) {
${lawText}    x->angle[m] = (double)${angle.text};
    x->scale[m] = (double)${scale.text};
  }
  lctx_parallel((sizes[0] * sizes[1] + 31) / 32, body_${entry}, &call);
}
`
  );
  return { kernel, sizes, scalars, scratch: { elements: Math.max(4 * room, 16) } };
}

// compiler/backends/cpu/node-kernels.ts
var unsupported = (why) => (node) => {
  throw new Error(`${node.site}: ${node.kind} has no kernel of its own: ${why}`);
};
var missing = (node) => {
  throw new Error(`${node.site}: no kernel yet for ${node.kind}`);
};
var kernels = {
  input: unsupported("it is memory that the trainer fills"),
  parameter: unsupported("it is memory of the model"),
  map: unsupported("it is scheduled as a rows step"),
  reduce: unsupported("it is scheduled as a rows step"),
  contract: unsupported("it is scheduled as a matmul step"),
  result: unsupported("it is written by the node it belongs to"),
  gather: gatherKernel,
  scatter: scatterKernel,
  reshape: reshapeKernel,
  concat: concatKernel,
  slice: sliceKernel,
  rotate: rotateKernel,
  attention: attentionKernel,
  "attention-gradient": attentionGradientKernel,
  select: missing,
  "log-sum-exp": missing,
  "pair-reduce": missing,
  "block-reduce": missing,
  "block-spread": missing,
  hole: unsupported("lowering fills it"),
  "cross-entropy": crossEntropyKernel,
  "cross-entropy-gradient": crossEntropyGradientKernel,
  "head-loss": headLossKernel,
  "head-loss-gradient": headLossGradientKernel
};

// compiler/backends/cpu/prelude-double.ts
var doubleFunctions = c`
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

// compiler/backends/cpu/prelude-real.ts
var functions2 = ({ real: real4, int: int2, suffix: f }) => c`
LCTX_INLINE ${real4} lctx_min${f}(${real4} a, ${real4} b) { return lctx_select_real${f}(a < b, a, b); }
LCTX_INLINE ${real4} lctx_max${f}(${real4} a, ${real4} b) { return lctx_select_real${f}(a > b, a, b); }
LCTX_INLINE ${int2} lctx_min_int${f}(${int2} a, ${int2} b) { return lctx_select_int${f}(a < b, a, b); }
LCTX_INLINE ${int2} lctx_max_int${f}(${int2} a, ${int2} b) { return lctx_select_int${f}(a > b, a, b); }
LCTX_INLINE ${real4} lctx_abs${f}(${real4} x) { return lctx_from_bits${f}(lctx_bits${f}(x) & 0x7fffffff); }
LCTX_INLINE ${int2} lctx_abs_int${f}(${int2} x) { return lctx_select_int${f}(x < 0, -x, x); }
LCTX_INLINE ${real4} lctx_copy_sign${f}(${real4} size, ${real4} sign) {
  return lctx_from_bits${f}((lctx_bits${f}(size) & 0x7fffffff) | (lctx_bits${f}(sign) & (int32_t)0x80000000));
}
LCTX_INLINE ${real4} lctx_sign${f}(${real4} x) {
  return lctx_select_real${f}((x == 0.0f) | (x != x), x, lctx_from_bits${f}((lctx_bits${f}(x) & (int32_t)0x80000000) | 0x3f800000));
}
LCTX_INLINE ${int2} lctx_sign_int${f}(${int2} x) {
  return lctx_select_int${f}(x == 0, x, lctx_select_int${f}(x < 0, x * 0 - 1, x * 0 + 1));
}
/* 2^n e^r with n found by adding 1.5 * 2^23; n goes into the exponent bits, which is exact for normal results. */
LCTX_INLINE ${real4} lctx_exp${f}(${real4} x) {
  ${real4} t = x * 1.44269504f + 12582912.0f;
  ${real4} n = t - 12582912.0f;
  ${real4} r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  ${real4} p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  ${real4} y = lctx_from_bits${f}(lctx_bits${f}(p) + lctx_shift_left${f}(lctx_bits${f}(t), 23));
  y = lctx_select_real${f}(x > 88.7228317f, x * 0.0f + LCTX_INF, y);
  y = lctx_select_real${f}(x < -87.3365402f, r * 0.0f, y);
  y = lctx_select_real${f}(x == -LCTX_INF, lctx_from_bits${f}(lctx_bits${f}(x) & 0), y);
  y = lctx_select_real${f}(x == LCTX_INF, x, y);
  return lctx_select_real${f}(x == x, y, x);
}
LCTX_INLINE ${real4} lctx_log${f}(${real4} given) {
  ${int2} tiny = given < 1.17549435e-38f;
  ${real4} x = lctx_select_real${f}(tiny, given * 8388608.0f, given);
  ${int2} bits = lctx_bits${f}(x);
  ${int2} shifted = lctx_shift_right${f}(bits - 0x3f3504f3, 23);
  ${real4} m = lctx_from_bits${f}(bits - lctx_shift_left${f}(shifted, 23)) - 1.0f;
  ${real4} e = lctx_to_real${f}(shifted) - lctx_select_real${f}(tiny, m * 0.0f + 23.0f, m * 0.0f);
  ${real4} z = m * m;
  ${real4} p = m * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  ${real4} y = m * z * p + e * -2.12194440e-4f - 0.5f * z;
  y = m + y + e * 0.693359375f;
  y = lctx_select_real${f}(given == 0.0f, lctx_from_bits${f}((bits & 0) | (int32_t)0xff800000), y);
  y = lctx_select_real${f}(given < 0.0f, lctx_from_bits${f}((bits & 0) | 0x7fc00000), y);
  y = lctx_select_real${f}(given == LCTX_INF, given, y);
  return lctx_select_real${f}(given == given, y, given);
}
LCTX_INLINE ${real4} lctx_sigmoid${f}(${real4} x) { return 1.0f / (1.0f + lctx_exp${f}(-x)); }
LCTX_INLINE ${real4} lctx_tanh${f}(${real4} x) {
  ${real4} t = lctx_abs${f}(x), s = x * x;
  ${real4} p = s * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  p = p * s * x + x;
  ${real4} q = lctx_copy_sign${f}(1.0f - 2.0f / (lctx_exp${f}(t + t) + 1.0f), x);
  return lctx_select_real${f}(t < 0.625f, p, q);
}
LCTX_INLINE ${real4} lctx_erf${f}(${real4} x) {
  ${real4} t = lctx_abs${f}(x), s = x * x;
  ${real4} r = t * -1.72853470e-5f + 3.83197126e-4f;
  ${real4} u = t * -3.88396438e-3f + 2.42546219e-2f;
  r = r * s + u;
  r = r * t - 1.06777877e-1f;
  r = r * t - 6.34846687e-1f;
  r = r * t - 1.28717512e-1f;
  r = r * t - t;
  r = lctx_copy_sign${f}(1.0f - lctx_exp${f}(lctx_max${f}(r, r * 0.0f - 80.0f)), x);
  r = lctx_select_real${f}(t > 4.0f, lctx_copy_sign${f}(t * 0.0f + 1.0f, x), r);
  ${real4} p = s * -5.96761703e-4f + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  p = p * x + x;
  r = lctx_select_real${f}(t == LCTX_INF, lctx_copy_sign${f}(lctx_exp${f}(s * 0.0f), x), r);
  r = lctx_select_real${f}(t > 0.927734375f, r, p);
  return lctx_select_real${f}(t == LCTX_INF, lctx_sign_inf${f}(x), r);
}
LCTX_INLINE ${real4} lctx_wave${f}(${real4} r, ${int2} odd) {
  ${real4} z = r * r;
  ${real4} a = z * -1.9515295891e-4f + 8.3321608736e-3f;
  a = (a * z - 1.6666654611e-1f) * z * r + r;
  ${real4} b = z * 2.443315711809948e-5f - 1.388731625493765e-3f;
  b = (b * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
  return lctx_select_real${f}(odd, b, a);
}
`;
var helpers = c`
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
var waves = c`
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
var realFunctions = joinFragments(
  [
    helpers,
    functions2({ real: c`float`, int: c`int32_t`, suffix: c`_s` }),
    functions2({ real: c`vf`, int: c`vi`, suffix: c`_v` }),
    waves
  ],
  c`\n`
);

// compiler/backends/cpu/prelude.ts
var types2 = c`
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
var wholes = c`
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
var random = c`
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
var sets = c`
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
`;
var preludeText = joinFragments(
  [types2, wholes, realFunctions, doubleFunctions, random, sets],
  c`\n`
);

// tests/conformance/support/compile-kernels.ts
var strict = ["-Wall", "-Werror", "-Wno-unused-function", "-Wno-psabi", "-Wno-unknown-pragmas"];
var common4 = ["-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", ...strict];
var engine = globalThis.WebAssembly;

// tests/conformance/support/sized-expr.ts
function sizedEvaluator(root) {
  const made2 = /* @__PURE__ */ new Map();
  let values = noValues;
  let generation = 0;
  const remembered = (read2) => {
    let [stamp, kept] = [-1, 0];
    return () => {
      if (stamp !== generation) [kept, stamp] = [read2(), generation];
      return kept;
    };
  };
  const of = (e) => {
    const known2 = made2.get(e);
    if (known2 !== void 0) return known2;
    const value2 = remembered(valueOf(e));
    const sized2 = { value: value2, size: remembered(sizeOf(e, value2)) };
    made2.set(e, sized2);
    return sized2;
  };
  const valueOf = (e) => {
    switch (e.kind) {
      case "constant":
        return () => e.value;
      case "index":
        return () => values.index(e.name);
      case "size":
        return () => values.size(e.name);
      case "scalar":
        return () => values.scalar(e.name);
      case "logit":
        return () => values.logit();
      case "operand":
        return () => values.operand(e.index);
      case "uniform":
        return () => values.uniform(e.stream);
      case "load": {
        const indices = e.indices.map((index2) => of(index2).value);
        return () => values.load(
          e.buffer,
          indices.map((index2) => index2())
        );
      }
      case "set":
        throw new Error("this place has no sets");
      case "unary": {
        const [op, x] = [unaryOps[e.op], of(e.operand).value];
        return () => op(x());
      }
      case "binary": {
        const [op, a, b] = [binaryOps[e.op], of(e.left).value, of(e.right).value];
        return () => op(a(), b());
      }
      case "select": {
        const [condition, a, b] = [of(e.condition).value, of(e.then).value, of(e.otherwise).value];
        return () => condition() !== 0 ? a() : b();
      }
      default:
        return e;
    }
  };
  const sizeOf = (e, value2) => {
    switch (e.kind) {
      case "unary": {
        const x = of(e.operand);
        switch (e.op) {
          case "neg":
          case "abs":
          case "to-real":
            return x.size;
          case "tanh":
          case "sigmoid":
          case "erf":
          case "sin":
          case "cos":
            return () => Math.abs(value2()) + 1.2 * x.size();
          case "log":
            return () => Math.abs(value2()) + x.size() / Math.abs(x.value());
          case "sqrt":
          case "exp":
            return () => Math.abs(value2()) * (1 + x.size());
          default:
            return () => Math.abs(value2());
        }
      }
      case "binary": {
        const [a, b] = [of(e.left), of(e.right)];
        switch (e.op) {
          case "add":
          case "sub":
            return () => a.size() + b.size();
          case "mul":
            return () => 2 * a.size() * b.size();
          case "div":
            return () => 2 * a.size() / Math.abs(b.value());
          case "min":
          case "max":
            return () => Math.max(a.size(), b.size());
          case "pow":
            return () => Math.abs(value2()) * (1 + a.size() * b.size());
          default:
            return () => Math.abs(value2());
        }
      }
      case "select": {
        const [condition, a, b] = [of(e.condition), of(e.then), of(e.otherwise)];
        return () => condition.value() !== 0 ? a.size() : b.size();
      }
      default:
        return () => Math.abs(value2());
    }
  };
  const { value, size: size2 } = of(root);
  return (given) => {
    values = given;
    generation++;
    return { value: value(), size: size2() };
  };
}

// tests/conformance/support/rule-1.ts
var unit = 2 ** -24;
var factor = 8;
var tiny = 2 ** -125;
function once(make) {
  const made2 = /* @__PURE__ */ new WeakMap();
  return (e) => {
    const known2 = made2.get(e) ?? { value: make(e) };
    made2.set(e, known2);
    return known2.value;
  };
}
var evaluator = once(exprEvaluator);
var sized = once(sizedEvaluator);
function attentionTolerances(spec2, get, results, least2 = tiny) {
  const node = spec2.gradient;
  const [batches, keys] = [spec2.sizes.batch, spec2.sizes.length];
  const start = spec2.sizes["query-start"];
  const queries = results[0].shape[1];
  const [heads, e] = [results[0].shape[2], results[0].shape[3]];
  const value = get("value");
  const groups = value.shape[2];
  const regions = node.regions.map((_, r) => ({ query: get(`query${r}`).data, key: get(`key${r}`).data }));
  const d = get("query0").shape[3];
  const early = node.prepended === null ? null : { key: get("early-key"), value: get("early-value") };
  const [output, logSumExp2] = [results[0], results[1]];
  const upstream = get("output-gradient").data;
  const bounds = results.map((result) => new Float64Array(result.data.length));
  const [boundO, boundL] = [bounds[0], bounds[1]];
  const boundQ = (r) => bounds[2 + 2 * r];
  const boundK = (r) => bounds[3 + 2 * r];
  const boundV = bounds[2 + 2 * regions.length];
  const boundT = (n) => bounds[3 + 2 * regions.length + n];
  const afterTables = 3 + 2 * regions.length + node.bufferGradients.length;
  const tables = node.buffers.map(
    (buffer) => get(buffer.kind === "parameter" ? buffer.path : `input:${buffer.kind === "input" ? buffer.name : ""}`)
  );
  const batched = node.buffers.map((buffer) => buffer.axes[0]?.name === "b");
  const mask = exprEvaluator(node.mask);
  const whens = node.regions.map(({ when }) => exprEvaluator(when));
  const absDot = (a, at, b, bt, n) => {
    let total = 0;
    for (let i = 0; i < n; i++) total += Math.abs(a[at + i] * b[bt + i]);
    return total;
  };
  const dot = (a, at, b, bt, n) => {
    let total = 0;
    for (let i = 0; i < n; i++) total += a[at + i] * b[bt + i];
    return total;
  };
  let place = { b: 0, q: 0, h: 0, k: NaN, logit: NaN };
  const leaves = {
    ...noValues,
    index: (name) => name === "q" ? place.q : name === "k" ? place.k : place.h,
    size: (name) => name === "length" ? keys : name === "query-length" ? queries : start,
    logit: () => place.logit,
    load: (n, indices) => {
      const table = tables[n];
      const first = batched[n] ? place.b : 0;
      return table.data[indices.reduce((flat, index2, axis2) => flat * table.shape[axis2 + (batched[n] ? 1 : 0)] + index2, first)];
    }
  };
  const at0 = (k2, logit2) => {
    place.k = k2;
    place.logit = logit2;
    return leaves;
  };
  for (let b = 0; b < batches; b++)
    for (let row = 0; row < queries; row++)
      for (let h3 = 0; h3 < heads; h3++) {
        const g = Math.floor(h3 / (heads / groups));
        const at = (b * queries + row) * heads + h3;
        const lse = logSumExp2.data[at];
        place = { b, q: start + row, h: h3, k: NaN, logit: NaN };
        const pairs = [];
        for (let k2 = 0; early !== null && k2 < early.key.shape[0]; k2++) {
          const [keyAt, valueAt] = [(k2 * groups + g) * d, (k2 * groups + g) * e];
          const q0 = regions[0].query;
          const logit2 = node.scale * dot(q0, at * d, early.key.data, keyAt, d);
          const size2 = node.scale * absDot(q0, at * d, early.key.data, keyAt, d);
          pairs.push({
            p: Math.exp(logit2 - lse),
            size: size2,
            valueAt,
            keyAt,
            region: 0,
            early: true,
            slope: 1,
            at: null
          });
        }
        for (let k2 = 0; k2 < keys; k2++) {
          if (mask(at0(k2, NaN)) === 0) continue;
          const region = whens.findIndex((when) => when(at0(k2, NaN)) !== 0);
          const keyAt = ((b * keys + k2) * groups + g) * d;
          const own = regions[region];
          const logit2 = node.scale * dot(own.query, at * d, own.key, keyAt, d);
          const size2 = node.scale * absDot(own.query, at * d, own.key, keyAt, d);
          const values = at0(k2, logit2);
          const plain2 = node.score.kind === "logit";
          const score = plain2 ? { value: logit2, size: size2 } : sized(node.score)(values);
          const slope = plain2 ? { value: 1, size: 1 } : sized(node.scoreSlope)(values);
          const steep = Math.abs(slope.value) + slope.size;
          pairs.push({
            p: Math.exp(score.value - lse),
            size: Math.max(
              size2 * Math.abs(slope.value),
              plain2 ? 0 : score.size + size2 * Math.abs(slope.value)
            ),
            valueAt: ((b * keys + k2) * groups + g) * e,
            keyAt,
            region,
            early: false,
            slope: plain2 ? 1 : steep * (1 + size2),
            at: plain2 ? null : [k2, logit2]
          });
        }
        const amplify = 1 + pairs.reduce((most, pair2) => Math.max(most, pair2.size), 0);
        boundL[at] = amplify + (Number.isFinite(lse) ? Math.abs(lse) : 0);
        const delta = absDot(upstream, at * e, output.data, at * e, e);
        for (const pair2 of pairs) {
          const from = pair2.early ? early.value.data : value.data;
          const [toV, toK] = pair2.early ? [bounds[afterTables + 1], bounds[afterTables]] : [boundV, boundK(pair2.region)];
          const weight = (amplify + 1) * pair2.p + least2 / (factor * unit);
          let reach = 0;
          for (let i = 0; i < e; i++) {
            boundO[at * e + i] += weight * Math.abs(from[pair2.valueAt + i]);
            toV[pair2.valueAt + i] += weight * Math.abs(upstream[at * e + i]);
            reach += Math.abs(upstream[at * e + i] * from[pair2.valueAt + i]);
          }
          const core = weight * (reach + delta);
          const error = node.scale * core * pair2.slope;
          const { query, key } = regions[pair2.region];
          const keyData = pair2.early ? early.key.data : key;
          for (let i = 0; i < d; i++) {
            boundQ(pair2.region)[at * d + i] += error * Math.abs(keyData[pair2.keyAt + i]);
            toK[pair2.keyAt + i] += error * Math.abs(query[at * d + i]);
          }
          if (pair2.at === null) continue;
          const values = at0(...pair2.at);
          node.bufferGradients.forEach(({ buffer, loads: loads2 }, n) => {
            const table = tables[buffer];
            for (const load2 of loads2) {
              const slope = sized(load2.slope)(values);
              const flat = load2.indices.reduce(
                (sum, index2, axis2) => sum * table.shape[axis2] + evaluator(index2)(values),
                0
              );
              boundT(n)[flat] += core * (Math.abs(slope.value) + slope.size);
            }
          });
        }
      }
  const long2 = Math.sqrt(Math.max(1, keys / 256));
  results.forEach((result, n) => {
    const bound = bounds[n];
    for (let i = 0; i < bound.length; i++)
      bound[i] = unit * Math.abs(result.data[i]) + least2 + factor * long2 * unit * bound[i];
  });
  return bounds;
}
function worst(given, want, tolerance) {
  let most = 0;
  for (let i = 0; i < want.length; i++) {
    const [x, y] = [given[i], want[i]];
    if (x === y) continue;
    if (!Number.isFinite(x) || !Number.isFinite(y)) return `element ${i} is ${x}, not ${y}`;
    most = Math.max(most, Math.abs(x - y) / tolerance[i]);
  }
  return most;
}

// tests/conformance/support/compare-specs.ts
function refer(spec2, round3) {
  const { attention, gradient } = spec2;
  const outputs = { r0: attention, r1: resultNode(attention, 1) };
  nodeResults(gradient).forEach((_, n) => outputs[`r${n + 2}`] = resultNode(gradient, n));
  const graph = graphOf(outputs);
  const inputs = randomInputs(graph, spec2.sizes, spec2.seed, { single: true, deviation: spec2.deviation });
  if (round3 !== void 0) {
    for (const [path, { data }] of inputs)
      if (!path.startsWith("input:")) data.forEach((x, i) => data[i] = round3(path, x));
  }
  const found = interpret(graph, inputs, spec2.sizes, {});
  return { inputs, results: Object.keys(outputs).map((name) => found.get(name)) };
}

// tests/cuda/sixteen-bits.ts
var bits = new DataView(new ArrayBuffer(4));
function toBf16(x) {
  if (Number.isNaN(x)) return 32704;
  bits.setFloat32(0, x);
  const whole2 = bits.getUint32(0);
  return whole2 + 32767 + (whole2 >>> 16 & 1) >>> 16 & 65535;
}
function fromBf16(x) {
  bits.setUint32(0, x << 16 >>> 0);
  return bits.getFloat32(0);
}
function toF16(x) {
  if (Number.isNaN(x)) return 32256;
  const sign = x < 0 || Object.is(x, -0) ? 32768 : 0;
  const size2 = Math.abs(x);
  const power = size2 === 0 ? -14 : Math.max(-14, Math.floor(Math.log2(size2)));
  const scaled2 = size2 / 2 ** (power - 10);
  const floor = Math.floor(scaled2);
  const rest = scaled2 - floor;
  let whole2 = floor + (rest > 0.5 || rest === 0.5 && floor % 2 === 1 ? 1 : 0);
  let exponent = power;
  if (whole2 >= 2048) [whole2, exponent] = [whole2 / 2, power + 1];
  if (exponent > 15) return sign | 31744;
  return whole2 < 1024 ? sign | whole2 : sign | exponent + 15 << 10 | whole2 - 1024;
}
function fromF16(x) {
  const sign = x & 32768 ? -1 : 1;
  const exponent = x >> 10 & 31;
  const low = x & 1023;
  if (exponent === 31) return low === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? low * 2 ** -24 : (1024 + low) * 2 ** (exponent - 25));
}
var round = (element, x) => element === "f32" ? Math.fround(x) : element === "bf16" ? fromBf16(toBf16(x)) : fromF16(toF16(x));
function pack(element, data) {
  if (element === "f32") return Float32Array.from(data);
  return Uint16Array.from(data, element === "bf16" ? toBf16 : toF16);
}
function unpack(element, data) {
  if (data instanceof Float32Array) return data;
  return Float32Array.from(data, element === "bf16" ? fromBf16 : fromF16);
}

// tests/cuda/check-calls.ts
var looser = { f32: 1, bf16: 2 ** 15, f16: 2 ** 12 };
var least = {
  f32: void 0,
  bf16: void 0,
  f16: 2 ** -25 / 2 ** 12
};
var nameOf = (node) => node.kind === "input" ? `input:${node.name}` : node.kind === "parameter" ? node.path : "";
function compareCalls(spec2, element, forward, backward) {
  const { attention, gradient } = spec2;
  const { inputs, results } = refer(spec2, (path, x) => path.includes("table") ? x : round(element, x));
  const tables = new Set(attention.buffers.map(nameOf));
  const value = (node) => {
    const { data } = inputs.get(nameOf(node));
    if (node.dtype === "i32") return Int32Array.from(data);
    return tables.has(nameOf(node)) ? Float32Array.from(data) : pack(element, data);
  };
  const elements = (axes) => shapeOf2(axes, spec2.sizes).reduce((a, b) => a * b, 1);
  const queries = shapeOf2(attention.regions[0].query.axes, spec2.sizes)[1];
  const { batch, length, "query-start": start } = spec2.sizes;
  const sizes = { batch, length, "query-length": queries, "query-start": start, step: 0 };
  const unwritten = (n, single2) => single2 ? new Float32Array(n).fill(NaN) : pack(element, new Float64Array(n).fill(NaN));
  const core = nodeOperands(attention).map(value);
  const output = unwritten(elements(attention.axes), false);
  const lse = unwritten(elements(attention.axes.slice(0, 3)), true);
  forward([...core, output, lse], 2, sizes);
  const firstTable = 2 * attention.regions.length + 1;
  const gradients = nodeResults(gradient).map(
    ({ axes }, n) => unwritten(elements(axes), n >= firstTable && n < firstTable + gradient.bufferGradients.length)
  );
  backward([...core, output, lse, value(gradient.outputGradient), ...gradients], gradients.length, sizes);
  const tolerances = attentionTolerances(spec2, (path) => inputs.get(path), results, least[element]);
  const failures = [];
  let most = 0;
  [output, lse, ...gradients].forEach((given, n) => {
    const error = worst(unpack(element, given), results[n].data, tolerances[n]);
    if (typeof error === "number") most = Math.max(most, error / looser[element]);
    if (typeof error === "string" || !(error <= looser[element]))
      failures.push(`${element} result ${n}: ${error} > ${looser[element]} | ${spec2.name}`);
  });
  return { failures, worst: most };
}

// tests/cuda/zz-repro.ts
var device = await openCuda({ cacheFolder: null });
var spec = randomTileSpecs(168, 20261125).find((s) => s.name.includes("every 7th and last 1 of the row") && s.name.includes("d96 e96"));
var facts = blockFacts(spec.attention);
var plan = planAttention(spec.attention, spec.gradient, facts, "bf16", { path: "sm90", hopper: true });
var patches = {
  original: (t) => t,
  andand: (t) => t.replace("(column < keys) & lctx_see", "(column < keys) && lctx_see"),
  modnoinline: (t) => t.replace("int e_2 = lctx_mod(e_1, (7));", "int e_2 = ((e_1 % 7) + 7) % 7;"),
  opaque: (t) => t.replace("const int e_1 = (q - k);", 'int e_1 = (q - k); asm("" : "+r"(e_1));'),
  opaquelen: (t) => t.replace("const bool e_5 = (e_4 <= k);", 'int e_4b = e_4; asm("" : "+r"(e_4b)); const bool e_5 = (e_4b <= k);'),
  nosteady: (t) => t.replaceAll("fmaf(s[i], 0.102062076f, fmaf(rise, (float)step, i & 2 ? level1 : level0))", "s[i] * 0.102062076f - (__ldg(p.table_0 + h) * (((float)row - (float)column) / 5.0f))"),
  nounroll: (t) => t.replace("#pragma unroll\n  for (int i = 0; i < 64; i++) {\n    [[maybe_unused]] const int row = i & 2 ? q1 : q0, step = (i >> 2) * 8 + (i & 1), column = k + step;\n    s[i] = (column", '#pragma unroll\n  for (int i = 0; i < 64; i++) {\n    [[maybe_unused]] int row = i & 2 ? q1 : q0, step = (i >> 2) * 8 + (i & 1), column = k + step;\n asm("" : "+r"(column));\n   s[i] = (column'),
  rise: (t) => t.replaceAll("rise, (float)step", "-__ldg(p.table_0 + h) / 5.0f, (float)step"),
  level: (t) => t.replaceAll("lctx_score(p, 0.0f, b, h, q0, start)", "(0.0f - __ldg(p.table_0 + h) * ((float)(q0 - k) / 5.0f))").replaceAll("lctx_score(p, 0.0f, b, h, q1, start)", "(0.0f - __ldg(p.table_0 + h) * ((float)(q1 - k) / 5.0f))")
};
async function runner(call2, print) {
  const prepared = await device.prepare(call2);
  return (buffers, results, sizes) => {
    const memories = buffers.map((data) => {
      const m = device.allocate(Math.max(16, data.byteLength));
      device.upload(m, data);
      return m;
    });
    prepared.run(memories, sizes, {});
    const first = buffers.length - results;
    buffers.forEach((data, n) => {
      if (n >= first) device.download(memories[n], data);
    });
    if (print) {
      const { results: want } = refer(spec, (path, x) => x);
      const lse = buffers.at(-1);
      console.log("lse got ", [...lse].map((x) => x.toFixed(3)).join(" "));
      console.log("lse want", [...want[1].data].map((x) => x.toFixed(3)).join(" "));
      const tables = buffers.slice(3, -2).map((x) => [...x].slice(0, 8));
      console.log("tables", JSON.stringify(tables), sizes);
    }
    for (const m of memories) m.free();
  };
}
for (const [name, patch] of Object.entries(patches)) {
  const call2 = { ...plan.forward.call, sources: plan.forward.call.sources.map((s) => ({ ...s, text: patch(s.text) })) };
  const changed = call2.sources[0].text !== plan.forward.call.sources[0].text;
  const f = await runner(call2, name === "original"), b = await runner(plan.backward.call, false);
  const found = compareCalls(spec, "bf16", f, b);
  console.log(name, changed, found.failures.length, found.worst, found.failures[0]?.slice(0, 100) ?? "");
}
device.close();
