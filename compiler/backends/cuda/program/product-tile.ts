/** Device text of a tile of an f32 product: 128 × 128 sums of 256 threads, 8 × 8 a thread, over slices of 16 terms. */
import { c, type Fragment } from "../../../ir/kernel.ts";

export const tileThreads = 256;
/** Rows and columns of a tile. */
export const tile = 128;
/** Terms of a slice, and floats of a row of it in shared memory: a few more than a tile, so that banks differ. */
const slice = 16;
const stride = tile + 4;

/** Shared memory of a tile: two slices of both sides, one read while the other is filled. */
export const tileBytes = 2 * 2 * slice * stride * 4;

/**
 * `lctx_multiply<kVectorA, kVectorB>(sums, a, b, terms, memory)`: sums[i][j] += Σ a(row i, term) · b(column j, term) over
 * terms in order. Thread (ty, tx) of 16 × 16 has rows and columns `lctx_own(ty, i)`, `lctx_own(tx, j)`. What lies outside
 * counts as 0 and is not read. All threads of the block call it; memory may be used again after a barrier.
 */
export const productTileText: Fragment = c`
constexpr int kTile = ${tile}, kSlice = ${slice}, kStride = ${stride};
/* One side of a product: ends rows (or columns) whose terms are apart by step; rows by row. One of the two is 1. */
struct lctx_side {
  const float *from;
  long long row, step;
  int ends;
};
LCTX_DEVICE int lctx_own(int thread, int i) { return i / 4 * (kTile / 2) + thread * 4 + i % 4; }
/* Four numbers along the axis of distance 1, of which some may be outside. */
template <bool kVector> LCTX_DEVICE void lctx_take_four(float (&x)[4], const float *from, int inside) {
  if (kVector && inside >= 4) {
    const float4 all = *(const float4 *)from;
    x[0] = all.x, x[1] = all.y, x[2] = all.z, x[3] = all.w;
  } else {
#pragma unroll
    for (int i = 0; i < 4; i++) x[i] = i < inside ? from[i] : 0.0f;
  }
}
/* Takes a thread's eight numbers of the slice from term first on. */
template <bool kVector> LCTX_DEVICE void lctx_take_slice(float (&x)[2][4], const lctx_side &side, int first, int terms) {
  const int t = threadIdx.x;
#pragma unroll
  for (int j = 0; j < 2; j++) {
    const bool by_terms = side.step == 1;
    const int row = by_terms ? t / 4 + 64 * j : t % 32 * 4, term = first + (by_terms ? t % 4 * 4 : t / 32 + 8 * j);
    const bool none = by_terms ? row >= side.ends : term >= terms;
    const int inside = none ? 0 : by_terms ? terms - term : side.ends - row;
    lctx_take_four<kVector>(x[j], side.from + (inside > 0 ? row * side.row + term * side.step : 0), inside);
  }
}
LCTX_DEVICE void lctx_put_slice(float *to, const float (&x)[2][4], bool by_terms) {
  const int t = threadIdx.x;
#pragma unroll
  for (int j = 0; j < 2; j++) {
    if (by_terms) {
#pragma unroll
      for (int i = 0; i < 4; i++) to[(t % 4 * 4 + i) * kStride + t / 4 + 64 * j] = x[j][i];
    } else *(float4 *)(to + (t / 32 + 8 * j) * kStride + t % 32 * 4) = float4{x[j][0], x[j][1], x[j][2], x[j][3]};
  }
}
template <bool kVectorA, bool kVectorB>
LCTX_DEVICE void lctx_multiply(float (&sums)[8][8], const lctx_side &a, const lctx_side &b, int terms, float *memory) {
  constexpr int kHalf = 2 * kSlice * kStride;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  float next_a[2][4], next_b[2][4];
  lctx_take_slice<kVectorA>(next_a, a, 0, terms);
  lctx_take_slice<kVectorB>(next_b, b, 0, terms);
  int half = 0;
  for (int first = 0; first < terms; first += kSlice) {
    float *own_a = memory + half * kHalf, *own_b = own_a + kSlice * kStride;
    lctx_put_slice(own_a, next_a, a.step == 1);
    lctx_put_slice(own_b, next_b, b.step == 1);
    __syncthreads();
    if (first + kSlice < terms) {
      lctx_take_slice<kVectorA>(next_a, a, first + kSlice, terms);
      lctx_take_slice<kVectorB>(next_b, b, first + kSlice, terms);
    }
#pragma unroll
    for (int k = 0; k < kSlice; k++) {
      float x[8], y[8];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const float4 rows = *(const float4 *)(own_a + k * kStride + i * (kTile / 2) + ty * 4);
        const float4 columns = *(const float4 *)(own_b + k * kStride + i * (kTile / 2) + tx * 4);
        x[4 * i] = rows.x, x[4 * i + 1] = rows.y, x[4 * i + 2] = rows.z, x[4 * i + 3] = rows.w;
        y[4 * i] = columns.x, y[4 * i + 1] = columns.y, y[4 * i + 2] = columns.z, y[4 * i + 3] = columns.w;
      }
#pragma unroll
      for (int i = 0; i < 8; i++)
#pragma unroll
        for (int j = 0; j < 8; j++) sums[i][j] += x[i] * y[j];
    }
    half ^= 1;
  }
}
LCTX_DEVICE void lctx_clear_sums(float (&sums)[8][8]) {
#pragma unroll
  for (int i = 0; i < 8; i++)
#pragma unroll
    for (int j = 0; j < 8; j++) sums[i][j] = 0.0f;
}
`;
