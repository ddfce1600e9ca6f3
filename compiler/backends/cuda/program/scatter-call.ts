/** The call of scatter, the adjoint of gather: sums in a fixed order, without floating-point atomics. */
import type { CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import type { ScatterNode } from "../../../ir/graph.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { around, blocksOf, CallParts, elements, long, pointer, threads, times } from "./call-parts.ts";

/** Columns of a block; so many lanes of threads go through the list side by side. */
const columns = 32;
const lanes = threads / columns;
/** Indices that a thread looks at in one step. */
const looks = 8;
const step = threads * looks;
/** Most rows of a block, and about how many blocks of rows are wanted: each reads all indices. */
const mostRows = 32;
const rowBlocks = 1024;

/**
 * A block owns some rows and columns of the table. It goes through the indices in order, lists those of its rows, and adds
 * their values: entry n of a list to the sums of lane n mod 8, which are added up at the end. So a row's order of
 * addition depends on the indices alone.
 */
const scatterText = (own: number): Fragment => c`
#define LCTX_DEVICE [[maybe_unused]] static __device__ __forceinline__
constexpr int kRows = ${own}, kColumns = ${columns}, kLanes = ${lanes}, kLooks = ${looks}, kStep = ${step};
extern "C" __global__ void __launch_bounds__(${threads}) lctx_scatter(const float *__restrict__ values, const int *__restrict__ index,
    float *__restrict__ to,
    long long outer, long long rows, long long inner, long long count, long long column_blocks) {
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  float *sums = (float *)lctx_memory;
  int *list = (int *)(sums + kLanes * kRows * kColumns), *counts = list + kStep;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const long long from = (long long)blockIdx.x / column_blocks * kRows;
  const long long all = outer * inner, column = (long long)blockIdx.x % column_blocks * kColumns + lane;
  for (int i = threadIdx.x; i < kLanes * kRows * kColumns; i += ${threads}) sums[i] = 0.0f;
  for (long long start = 0; start < count; start += kStep) {
    unsigned found[kLooks];
    int rest[kLooks], own = 0;
#pragma unroll
    for (int j = 0; j < kLooks; j++) {
      const long long n = start + (warp * kLooks + j) * 32 + lane;
      long long row = n < count ? index[n] : 0;
      row = (row < 0 ? 0 : row < rows ? row : rows - 1) - from;
      const bool here = n < count && row >= 0 && row < kRows;
      rest[j] = here ? (int)row : 0;
      found[j] = __ballot_sync(0xffffffffu, here);
      own += __popc(found[j]);
    }
    if (lane == 0) counts[warp] = own;
    __syncthreads();
    int at = 0, total = 0;
#pragma unroll
    for (int w = 0; w < kLanes; w++) {
      at += w < warp ? counts[w] : 0;
      total += counts[w];
    }
#pragma unroll
    for (int j = 0; j < kLooks; j++) {
      if (found[j] >> lane & 1u)
        list[at + __popc(found[j] & ((1u << lane) - 1u))] = ((warp * kLooks + j) * 32 + lane) * kRows + rest[j];
      at += __popc(found[j]);
    }
    __syncthreads();
    if (column < all) {
#pragma unroll 4
      for (int n = warp; n < total; n += kLanes) {
        const int entry = list[n];
        sums[(warp * kRows + entry % kRows) * kColumns + lane] += values[(start + entry / kRows) * all + column];
      }
    }
  }
  __syncthreads();
  for (int r = warp; r < kRows; r += kLanes) {
    if (column >= all || from + r >= rows) continue;
    float sum = 0.0f;
#pragma unroll
    for (int n = 0; n < kLanes; n++) sum += sums[(n * kRows + r) * kColumns + lane];
    to[(column / inner * rows + from + r) * inner + column % inner] = sum;
  }
}
`;

/** Buffers: values, index, result. */
export function scatterCall(node: ScatterNode): CudaCall {
  const parts = new CallParts(3);
  const { outer, along, inner } = around(node.axes, node.axis);
  const wanted = typeof along === "number" ? Math.ceil(along / rowBlocks) : 8;
  const own = 2 ** Math.min(Math.ceil(Math.log2(wanted)), Math.log2(mostRows));
  const columnBlocks = blocksOf(times(outer, inner), columns);
  parts.launch(
    { entry: c`lctx_scatter`, text: scatterText(own) },
    {
      label: `${node.site}: scatter`,
      grid: [times(blocksOf(along, own), columnBlocks), 1, 1],
      sharedBytes: (lanes * own * columns + step + lanes) * 4,
      arguments: [
        ...[0, 1, 2].map(pointer),
        ...[outer, along, inner, elements(node.index.axes), columnBlocks].map(long),
      ],
    },
  );
  return parts.call;
}
