/** The call of running sums along an axis: segments side by side, sums held in double. */
import type { CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import type { RunningSumNode } from "../../../ir/graph-pairs.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { around, blocksOf, CallParts, long, pointer, times } from "./call-parts.ts";

/** Threads of a block, and the most columns that it sums. */
const threads = 512;
const mostColumns = 32;

/**
 * A block sums some columns; each of its threads a segment of the axis. Once the sums of segments are known, each
 * thread runs through its own again. Sums are double: differences of far sums of a long row are then as exact as the
 * stored sums. Their order depends on the sizes alone.
 */
const runningSumText = (columns: number, backward: boolean, exclusive: boolean): Fragment => c`
constexpr int kColumns = ${columns}, kSegments = ${threads} / kColumns;
extern "C" __global__ void __launch_bounds__(${threads}) lctx_running_sum(const float *from, float *to, long long outer,
    long long count, long long inner, long long column_blocks) {
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  double *sums = (double *)lctx_memory;
  const int own = threadIdx.x % kColumns, segment = threadIdx.x / kColumns;
  const long long row = (long long)blockIdx.x / column_blocks, column = (long long)blockIdx.x % column_blocks * kColumns + own;
  const long long size = (count + kSegments - 1) / kSegments, first = segment * size;
  const long long end = column < inner ? (first + size < count ? first + size : count) : first;
  const long long base = row * count * inner + column;
#define LCTX_AT(n) (base + (${backward ? c`count - 1 - (n)` : c`(n)`}) * inner)
  double sum = 0.0;
#pragma unroll 4
  for (long long n = first; n < end; n++) sum += (double)from[LCTX_AT(n)];
  sums[segment * kColumns + own] = sum;
  __syncthreads();
  sum = 0.0;
  for (int s = 0; s < segment; s++) sum += sums[s * kColumns + own];
#pragma unroll 4
  for (long long n = first; n < end; n++) {
    const double next = sum + (double)from[LCTX_AT(n)];
    to[LCTX_AT(n)] = (float)${exclusive ? c`sum` : c`next`};
    sum = next;
  }
#undef LCTX_AT
}
`;

/** Buffers: operand, result. */
export function runningSumCall(node: RunningSumNode): CudaCall {
  const parts = new CallParts(2);
  const { outer, along, inner } = around(node.axes, node.axis);
  const columns =
    typeof inner === "number" ? 2 ** Math.ceil(Math.log2(Math.min(inner, mostColumns))) : mostColumns;
  const columnBlocks = blocksOf(inner, columns);
  parts.launch(
    { entry: c`lctx_running_sum`, text: runningSumText(columns, node.backward, node.exclusive) },
    {
      label: `${node.site}: running sum`,
      grid: [times(outer, columnBlocks), 1, 1],
      threads,
      sharedBytes: threads * 8,
      arguments: [pointer(0), pointer(1), ...[outer, along, inner, columnBlocks].map(long)],
    },
  );
  return parts.call;
}
