/** Text of the matrix product in f32: tiles in shared memory, 8 × 8 sums a thread, any sizes and layouts. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/** What a product's text depends on; sizes are arguments. */
export interface MatmulForm {
  /** Rows and columns of a block's tile. */
  readonly tile: 64 | 128;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Rows of the stored tensor start at multiples of four floats. */
  readonly alignedA: boolean;
  readonly alignedB: boolean;
  readonly alignedOut: boolean;
}

/** Threads of a block: each has 8 × 8 sums. */
export const matmulThreads = (tile: number): number => (tile * tile) / 64;

/** Steps of k that lie in shared memory at once: every thread loads two quadruples of each operand for them. */
export const matmulDepth = (tile: number): number => tile / 8;

/** Floats of a row of a tile in shared memory: four more than it holds, for fewer stores to the same bank. */
const strideOf = (tile: number): number => tile + 4;

/** Two stages of both operands. */
export const matmulSharedBytes = (tile: number): number => 4 * 4 * matmulDepth(tile) * strideOf(tile);

const flag = (value: boolean): Fragment => (value ? c`true` : c`false`);

/**
 * Arguments: a, b, out, partial sums, m, n, k, steps of k in a slice (a multiple of the depth), accumulate. Blocks: x counts
 * tiles, columns fastest, then products of the batch; y counts slices of k. With one slice the result goes to `out`,
 * else each slice's to its part of the partial sums.
 */
export const matmulText = (form: MatmulForm): Fragment => c`
constexpr int kTile = ${form.tile}, kThreads = ${matmulThreads(form.tile)}, kDepth = ${matmulDepth(form.tile)}, kStride = ${strideOf(form.tile)};
constexpr bool kTransposeA = ${flag(form.transposeA)}, kTransposeB = ${flag(form.transposeB)};
constexpr bool kAlignedA = ${flag(form.alignedA)}, kAlignedB = ${flag(form.alignedB)}, kAlignedOut = ${flag(form.alignedOut)};

/* Blocks of a multiprocessor: more would keep sums outside of registers, as two do where rows are not aligned. */
constexpr int kBlocks = kTile == 64 ? 6 : kAlignedA && kAlignedB ? 2 : 1;

struct lctx_quad { float x[4]; };

/* Four floats of which the first left exist; the others are 0. */
template <bool kAligned> [[maybe_unused]] static __device__ __forceinline__ lctx_quad lctx_load(const float *from, int left) {
  lctx_quad q;
  if (kAligned) {
    float4 v = {0.0f, 0.0f, 0.0f, 0.0f};
    if (left > 0) v = *(const float4 *)from;
    q.x[0] = v.x, q.x[1] = v.y, q.x[2] = v.z, q.x[3] = v.w;
  } else {
#pragma unroll
    for (int i = 0; i < 4; i++) q.x[i] = i < left ? from[i] : 0.0f;
  }
  return q;
}

/* Rows [first, first + kTile) and steps [k, k + kDepth) of an operand, whose rows lie along k or across it. */
template <bool kAlongK, bool kAligned> struct lctx_part {
  lctx_quad quads[2];
  __device__ __forceinline__ void load(const float *from, int first, int rows, int k, int end, int leading) {
#pragma unroll
    for (int u = 0; u < 2; u++) {
      const int q = threadIdx.x + u * kThreads;
      if (kAlongK) {
        const int row = first + q / (kDepth / 4), at = k + q % (kDepth / 4) * 4;
        quads[u] = lctx_load<kAligned>(from + (long long)row * leading + at, row < rows ? end - at : 0);
      } else {
        const int at = k + q / (kTile / 4), row = first + q % (kTile / 4) * 4;
        quads[u] = lctx_load<kAligned>(from + (long long)at * leading + row, at < end ? rows - row : 0);
      }
    }
  }
  __device__ __forceinline__ void store(float *to) const {
#pragma unroll
    for (int u = 0; u < 2; u++) {
      const int q = threadIdx.x + u * kThreads;
      if (kAlongK) {
        const int row = q / (kDepth / 4), at = q % (kDepth / 4) * 4;
#pragma unroll
        for (int i = 0; i < 4; i++) to[(at + i) * kStride + row] = quads[u].x[i];
      } else {
        const float4 v = {quads[u].x[0], quads[u].x[1], quads[u].x[2], quads[u].x[3]};
        *(float4 *)(to + q / (kTile / 4) * kStride + q % (kTile / 4) * 4) = v;
      }
    }
  }
};

extern "C" __global__ void __launch_bounds__(kThreads, kBlocks) lctx_matmul(const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ out, float *__restrict__ partial, int m, int n, int k, int slice, float accumulate) {
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  float *const shared = (float *)lctx_memory;
  const int across = (n + kTile - 1) / kTile, down = (m + kTile - 1) / kTile;
  const int tile = blockIdx.x % (across * down), product = blockIdx.x / (across * down);
  const int row0 = tile / across * kTile, column0 = tile % across * kTile;
  const int start = blockIdx.y * slice, end = min(k, start + slice);
  a += (long long)product * m * k;
  b += (long long)product * k * n;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int ty = warp / (kTile / 64) * 4 + lane / 8, tx = warp % (kTile / 64) * 8 + lane % 8;
  float sum[8][8];
#pragma unroll
  for (int i = 0; i < 8; i++)
#pragma unroll
    for (int j = 0; j < 8; j++) sum[i][j] = 0.0f;
  lctx_part<!kTransposeA, kAlignedA> left;
  lctx_part<kTransposeB, kAlignedB> right;
  const int leadingA = kTransposeA ? m : k, leadingB = kTransposeB ? k : n;
  left.load(a, row0, m, start, end, leadingA);
  right.load(b, column0, n, start, end, leadingB);
  left.store(shared);
  right.store(shared + kDepth * kStride);
  __syncthreads();
  int stage = 0;
  for (int at = start; at < end; at += kDepth) {
    const bool more = at + kDepth < end;
    if (more) {
      left.load(a, row0, m, at + kDepth, end, leadingA);
      right.load(b, column0, n, at + kDepth, end, leadingB);
    }
    const float *const x = shared + stage * 2 * kDepth * kStride + ty * 4;
    const float *const y = shared + (stage * 2 + 1) * kDepth * kStride + tx * 4;
#pragma unroll
    for (int step = 0; step < kDepth; step++) {
      const float4 x0 = *(const float4 *)(x + step * kStride), x1 = *(const float4 *)(x + step * kStride + kTile / 2);
      const float4 y0 = *(const float4 *)(y + step * kStride), y1 = *(const float4 *)(y + step * kStride + kTile / 2);
      const float rows[8] = {x0.x, x0.y, x0.z, x0.w, x1.x, x1.y, x1.z, x1.w};
      const float columns[8] = {y0.x, y0.y, y0.z, y0.w, y1.x, y1.y, y1.z, y1.w};
#pragma unroll
      for (int i = 0; i < 8; i++)
#pragma unroll
        for (int j = 0; j < 8; j++) sum[i][j] += rows[i] * columns[j];
    }
    stage ^= 1;
    if (more) {
      left.store(shared + stage * 2 * kDepth * kStride);
      right.store(shared + (stage * 2 + 1) * kDepth * kStride);
    }
    __syncthreads();
  }
  const bool whole = gridDim.y == 1;
  const long long products = gridDim.x / (across * down);
  float *const to = whole ? out + (long long)product * m * n : partial + (blockIdx.y * products + product) * m * n;
  const bool add = whole && accumulate != 0.0f;
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const int row = row0 + i / 4 * (kTile / 2) + ty * 4 + i % 4;
    if (row >= m) continue;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int column = column0 + half * (kTile / 2) + tx * 4;
      float *const at = to + (long long)row * n + column;
      if (kAlignedOut) {
        if (column >= n) continue;
        float4 v = {sum[i][half * 4], sum[i][half * 4 + 1], sum[i][half * 4 + 2], sum[i][half * 4 + 3]};
        if (add) {
          const float4 old = *(const float4 *)at;
          v.x += old.x, v.y += old.y, v.z += old.z, v.w += old.w;
        }
        *(float4 *)at = v;
      } else {
#pragma unroll
        for (int j = 0; j < 4; j++)
          if (column + j < n) at[j] = sum[i][half * 4 + j] + (add ? at[j] : 0.0f);
      }
    }
  }
}
`;

/** Arguments: partial sums, out, products, m, n, slices, accumulate: adds the slices up in order. */
export const sumSlicesText: Fragment = c`
extern "C" __global__ void __launch_bounds__(256) lctx_sum_slices(const float *__restrict__ partial, float *__restrict__ out, int products, int m, int n, int slices, float accumulate) {
  const long long count = (long long)products * m * n;
  const long long i = (long long)blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  float sum = 0.0f;
#pragma unroll 4
  for (int s = 0; s < slices; s++) sum += partial[s * count + i];
  out[i] = sum + (accumulate != 0.0f ? out[i] : 0.0f);
}
`;
