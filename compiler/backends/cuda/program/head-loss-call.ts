/** The call of cross-entropy with the output head: logits live as tiles of a block of threads and never in memory. */
import type { CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import type { HeadLossGradientNode, HeadLossNode } from "../../../ir/graph.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import {
  blocksOf,
  CallParts,
  elements,
  fixedExtent,
  long,
  pointer,
  threads,
  times,
  whole,
} from "./call-parts.ts";
import { lossText } from "./loss-call.ts";
import { productTileText, tile, tileBytes, tileThreads } from "./product-tile.ts";

/** Sizes of a head: rows of x, vocabulary entries, and the width of both. */
export interface HeadShape {
  readonly rows: LaunchSize;
  readonly entries: number;
  readonly width: number;
}

export const headShape = (node: HeadLossNode | HeadLossGradientNode): HeadShape => ({
  rows: elements(node.targets.axes),
  entries: fixedExtent(node.weight.axes[0]!, node.site),
  width: fixedExtent(node.weight.axes[1]!, node.site),
});

/** Rows of four numbers at a time, where they lie at multiples of 16 bytes. */
export const vectors = (width: number): Fragment => (width % 4 === 0 ? c`true` : c`false`);

/** Most parts that the vocabulary is split into for a block of rows; each leaves two numbers a row. */
const mostParts = 64;

/**
 * A block of threads takes 128 rows and a part of the vocabulary: for each row the largest logit and the sum of
 * exponentials, tile by tile. Sums of a tile go over its columns in a fixed order.
 */
const partText = (width: number): Fragment => c`${scalarPrelude("accurate")}${productTileText}
constexpr int kWidth = ${width};
extern "C" __global__ void __launch_bounds__(${tileThreads}, 2) lctx_head_parts(const float *x, const float *weight,
    const int *targets, float *most, float *total, float *hit, long long rows, int entries, int tiles) {
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  const long long row0 = (long long)blockIdx.x * kTile, first = blockIdx.y * tiles * kTile;
  const lctx_side a = {x + row0 * kWidth, kWidth, 1, (int)(rows - row0 < kTile ? rows - row0 : kTile)};
  lctx_side b = {weight + first * kWidth, kWidth, 1, 0};
  /* Of each row so far: the largest logit and the sum of exponentials. Registers are for the product. */
  float *largest = (float *)lctx_memory + ${tileBytes / 4}, *sum = largest + kTile;
  if (threadIdx.x < kTile) largest[threadIdx.x] = -LCTX_INF, sum[threadIdx.x] = 0.0f;
  targets += row0, hit += row0;
  int v = (int)first;
  for (int n = 0; n < tiles && v < entries; n++) {
    b.ends = min(entries - v, kTile);
    float logits[8][8];
    lctx_clear_sums(logits);
    lctx_multiply<${vectors(width)}, ${vectors(width)}>(logits, a, b, kWidth, (float *)lctx_memory);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const int row = lctx_own(ty, i), target = row < a.ends ? targets[row] - v : -1;
      const float before = largest[row];
      float own = before, added = 0.0f;
#pragma unroll
      for (int j = 0; j < 8; j++) {
        if (lctx_own(tx, j) >= b.ends) logits[i][j] = -LCTX_INF;
        own = fmaxf(own, logits[i][j]);
        if (lctx_own(tx, j) == target) hit[row] = logits[i][j];
      }
#pragma unroll
      for (int lanes = 8; lanes > 0; lanes /= 2) own = fmaxf(own, __shfl_xor_sync(0xffffffffu, own, lanes));
      const float safe = own == -LCTX_INF ? 0.0f : own;
#pragma unroll
      for (int j = 0; j < 8; j++) added += lctx_exp(logits[i][j] - safe);
#pragma unroll
      for (int lanes = 8; lanes > 0; lanes /= 2) added += __shfl_xor_sync(0xffffffffu, added, lanes);
      if (tx == 0) largest[row] = own, sum[row] = sum[row] * lctx_exp(before - safe) + added;
    }
    v += kTile, b.from += kTile * kWidth;
  }
  __syncthreads();
  if (threadIdx.x < a.ends) {
    const long long to = blockIdx.y * rows + row0 + threadIdx.x;
    most[to] = largest[threadIdx.x], total[to] = sum[threadIdx.x];
  }
}
`;

/** Parts of the vocabulary are put together in order. */
const endText: Fragment = c`${scalarPrelude("accurate")}${lossText}
extern "C" __global__ void __launch_bounds__(${threads}) lctx_head_loss(const float *most, const float *total, const float *hit,
    const int *targets, float *loss, float *lse, long long rows, long long entries, long long parts) {
  const long long row = (long long)blockIdx.x * ${threads} + threadIdx.x;
  if (row >= rows) return;
  float largest = -LCTX_INF, sum = 0.0f;
  for (long long n = 0; n < parts; n++) largest = fmaxf(largest, most[n * rows + row]);
  const float safe = largest == -LCTX_INF ? 0.0f : largest;
  for (long long n = 0; n < parts; n++) sum += total[n * rows + row] * lctx_exp(most[n * rows + row] - safe);
  const int target = targets[row];
  const float own = target >= 0 && target < entries ? hit[row] : 0.0f;
  lctx_store_loss(loss, lse, row, target, entries, largest, sum, own);
}
`;

/** Buffers: x, weight, targets, loss, log-sum-exp. */
export function headLossCall(node: HeadLossNode): CudaCall {
  const call = new CallParts(5);
  const { rows, entries, width } = headShape(node);
  const tiles = Math.ceil(entries / tile / mostParts);
  const parts = Math.ceil(entries / tile / tiles);
  const [most, total] = [call.scratch(times(rows, parts * 4)), call.scratch(times(rows, parts * 4))];
  const hit = call.scratch(times(rows, 4));
  call.launch(
    { entry: c`lctx_head_parts`, text: partText(width) },
    {
      label: `${node.site}: head and log-sum-exp`,
      grid: [blocksOf(rows, tile), parts, 1],
      threads: tileThreads,
      sharedBytes: tileBytes + 2 * tile * 4,
      arguments: [...[0, 1, 2, most, total, hit].map(pointer), long(rows), whole(entries), whole(tiles)],
    },
  );
  call.launch(
    { entry: c`lctx_head_loss`, text: endText },
    {
      label: `${node.site}: loss`,
      grid: [blocksOf(rows, threads), 1, 1],
      arguments: [...[most, total, hit, 2, 3, 4].map(pointer), ...[rows, entries, parts].map(long)],
    },
  );
  return call.call;
}
