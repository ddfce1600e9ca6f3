/** Tiles of the sm_80 path in shared memory and their products by one warp: tensor cores for 16 bits, f32 units for f32. */
import { c, type Fragment } from "../../../ir/kernel.ts";
import type { AttentionElement } from "../element.ts";

/**
 * A block has 4 warps; warp w owns rows 16 w … 16 w + 15 of a tile of 64, or all share one tile of 16. Accumulators follow the layout of
 * mma.m16n8k16: of columns 8 n … 8 n + 7, a lane holds (row lane / 4, columns 2 (lane mod 4) + {0, 1}) in [n][0], [n][1]
 * and the same columns of row lane / 4 + 8 in [n][2], [n][3].
 */
const common = (first: Fragment): Fragment => c`
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

const sixteenBits: Fragment = c`
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

const single: Fragment = c`
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

const stores: Fragment = c`
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

/** Whose rows a warp multiplies: its own 16 of the block's tile, or the same 16 as the other warps. */
export type WarpRows = "own" | "shared";

/** Loads, products and stores for an element type. */
export const tilesText = (element: AttentionElement, rows: WarpRows = "own"): Fragment =>
  c`${common(rows === "own" ? c`lctx_warp() * 16` : c`0`)}${element === "f32" ? single : sixteenBits}${stores}`;
