/** Device functions that kernels of rows steps share: folds over the lanes of a row, random numbers, sums of parts. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/** Threads of a block. */
export const rowsThreads = 256;

/**
 * Folds over `kLanes` neighbouring threads: a part of a warp, or a whole block. All get the result, which is added up in
 * the same order every time. What is not a number stays.
 */
export const foldText: Fragment = c`
struct lctx_sum { static __device__ __forceinline__ float of(float a, float b) { return a + b; } };
struct lctx_max { static __device__ __forceinline__ float of(float a, float b) { return b > a || b != b ? b : a; } };
struct lctx_min { static __device__ __forceinline__ float of(float a, float b) { return b < a || b != b ? b : a; } };
template <typename Fold, int kLanes> LCTX_DEVICE float lctx_fold(float x, float *shared) {
#pragma unroll
  for (int apart = kLanes < 32 ? kLanes / 2 : 16; apart > 0; apart /= 2)
    x = Fold::of(x, __shfl_xor_sync(0xffffffffu, x, apart));
  if (kLanes > 32) {
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
    __syncthreads();
    x = shared[0];
    for (int n = 1; n < kLanes / 32; n++) x = Fold::of(x, shared[n]);
    __syncthreads();
  }
  return x;
}
`;

/** Key: seed and stream; counter: element (two words) and step. The numbers are those of every other device. */
export const uniformText: Fragment = c`
LCTX_DEVICE float lctx_uniform(float seed, unsigned stream, float step, long long element) {
  unsigned k0 = (unsigned)seed, k1 = stream;
  unsigned c0 = (unsigned)element, c1 = (unsigned)((unsigned long long)element >> 32), c2 = (unsigned)step, c3 = 0;
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const unsigned long long a = 0xd2511f53ull * c0, b = 0xcd9e8d57ull * c2;
    c0 = (unsigned)(b >> 32) ^ c1 ^ k0;
    c1 = (unsigned)b;
    c2 = (unsigned)(a >> 32) ^ c3 ^ k1;
    c3 = (unsigned)a;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return (float)(c0 >> 8) * (1.0f / 16777216.0f);
}
`;

/** Threads of a block that adds up parts, and the columns it has. */
export const partThreads = 1024;
export const partColumns = 32;

/** Arguments: parts, out, number of parts, width, accumulate: sums over parts, in order within each of 32 shares and then of these. */
export const sumPartsText: Fragment = c`
extern "C" __global__ void __launch_bounds__(${partThreads}) lctx_sum_parts(const float *__restrict__ parts, float *__restrict__ out, int count, int width, float accumulate) {
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  float *const shared = (float *)lctx_memory;
  const int lane = threadIdx.x % 32, share = threadIdx.x / 32;
  const int column = blockIdx.x * ${partColumns} + lane;
  float sum = 0.0f;
  if (column < width)
#pragma unroll 4
    for (int n = share; n < count; n += 32) sum += parts[(long long)n * width + column];
  shared[threadIdx.x] = sum;
  __syncthreads();
  if (share > 0 || column >= width) return;
  float all = accumulate != 0.0f ? out[column] : 0.0f;
  for (int n = 0; n < 32; n++) all += shared[n * 32 + lane];
  out[column] = all;
}
`;
