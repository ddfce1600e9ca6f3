/** The call of the gradient of cross-entropy with the output head: gradients of logits exist for one part of the vocabulary. */
import type { CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import type { HeadLossGradientNode } from "../../../ir/graph.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { blocksOf, CallParts, long, pointer, threads, times } from "./call-parts.ts";
import { headShape, vectors } from "./head-loss-call.ts";
import { productTileText, tile, tileBytes, tileThreads } from "./product-tile.ts";

/** Vocabulary entries of a part: products of it are large enough, and its gradients are all that is ever held. */
const mostEntries = 1024;
/** Fewest rows that a block of threads sums for the gradient of the weight: one slice of a product. */
const fewestRows = 16;
/** About how many blocks of threads a product should have, so that every processor is busy. */
const wantedBlocks = 256;

const prelude = c`${scalarPrelude("accurate")}${productTileText}`;
const entryOf = (name: Fragment): Fragment =>
  c`extern "C" __global__ void __launch_bounds__(${tileThreads}, 2) ${name}`;
const placeText = c`  extern __shared__ __align__(16) unsigned char lctx_memory[];
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  float sums[8][8];
  lctx_clear_sums(sums);
`;

/** Gradients of the logits of `count` entries from `first` on: shares [rows, stride]. */
const sharesText = (width: number): Fragment => c`${prelude}
constexpr int kWidth = ${width};
${entryOf(c`lctx_head_shares`)}(const float *x, const float *weight, const int *targets,
    const float *lse, const float *gradient, float *shares, long long rows, long long first, long long count, long long stride) {
${placeText}  const long long row0 = (long long)blockIdx.x * kTile, v0 = (long long)blockIdx.y * kTile;
  const lctx_side a = {x + row0 * kWidth, kWidth, 1, (int)(rows - row0 < kTile ? rows - row0 : kTile)};
  const lctx_side b = {weight + (first + v0) * kWidth, kWidth, 1, (int)(count - v0 < kTile ? count - v0 : kTile)};
  lctx_multiply<${vectors(width)}, ${vectors(width)}>(sums, a, b, kWidth, (float *)lctx_memory);
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const long long row = row0 + lctx_own(ty, i);
    if (row >= rows) continue;
    const int target = targets[row];
    const float own = gradient[row], end = lse[row];
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const long long v = v0 + lctx_own(tx, j);
      const float share = target < 0 ? 0.0f : lctx_exp(sums[i][j] - end) * own;
      if (v < count) shares[row * stride + v] = first + v == target ? share - own : share;
    }
  }
}
`;

/** Adds shares · weight of the part to the gradient of x; the first part starts it. */
const inputText = (width: number): Fragment => c`${prelude}
constexpr int kWidth = ${width};
${entryOf(c`lctx_head_input`)}(const float *shares, const float *weight, float *to, long long rows,
    long long first, long long count, long long stride) {
${placeText}  const long long row0 = (long long)blockIdx.x * kTile, i0 = (long long)blockIdx.y * kTile;
  const lctx_side a = {shares + row0 * stride, stride, 1, (int)(rows - row0 < kTile ? rows - row0 : kTile)};
  const lctx_side b = {weight + first * kWidth + i0, 1, kWidth, (int)(kWidth - i0 < kTile ? kWidth - i0 : kTile)};
  lctx_multiply<true, ${vectors(width)}>(sums, a, b, (int)count, (float *)lctx_memory);
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const long long row = row0 + lctx_own(ty, i);
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const long long n = i0 + lctx_own(tx, j);
      if (row >= rows || n >= kWidth) continue;
      float *own = to + row * kWidth + n;
      *own = first > 0 ? *own + sums[i][j] : sums[i][j];
    }
  }
}
`;

/** Sums of sharesᵀ · x over `run` rows each, 0 past the last row: partial [splits, count, width]. */
const weightText = (width: number): Fragment => c`${prelude}
constexpr int kWidth = ${width};
${entryOf(c`lctx_head_weight`)}(const float *shares, const float *x, float *partial, long long rows,
    long long run, long long count, long long stride) {
${placeText}  const long long v0 = (long long)blockIdx.x * kTile, i0 = (long long)blockIdx.y * kTile, row0 = blockIdx.z * run;
  const long long left = rows - row0 < run ? rows - row0 : run;
  const lctx_side a = {shares + row0 * stride + v0, 1, stride, (int)(count - v0 < kTile ? count - v0 : kTile)};
  const lctx_side b = {x + row0 * kWidth + i0, 1, kWidth, (int)(kWidth - i0 < kTile ? kWidth - i0 : kTile)};
  if (left > 0) lctx_multiply<true, ${vectors(width)}>(sums, a, b, (int)left, (float *)lctx_memory);
#pragma unroll
  for (int i = 0; i < 8; i++)
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const long long v = v0 + lctx_own(ty, i), n = i0 + lctx_own(tx, j);
      if (v < count && n < kWidth) partial[(blockIdx.z * count + v) * kWidth + n] = sums[i][j];
    }
}
`;

const sumText: Fragment = c`
extern "C" __global__ void __launch_bounds__(${threads}) lctx_head_sum(const float *partial, float *to, long long count,
    long long splits, long long first) {
  const long long i = (long long)blockIdx.x * ${threads} + threadIdx.x;
  if (i >= count) return;
  float sum = 0.0f;
#pragma unroll 8
  for (long long n = 0; n < splits; n++) sum += partial[n * count + i];
  to[first + i] = sum;
}
`;

/** Buffers: x, weight, targets, log-sum-exp, loss gradient, gradients of x and weight. */
export function headLossGradientCall(node: HeadLossGradientNode, wanted: readonly boolean[]): CudaCall {
  const [wantsInput, wantsWeight] = [wanted[0] ?? true, wanted[1] ?? true];
  const call = new CallParts(7);
  const { rows, entries, width } = headShape(node);
  const most = Math.min(entries, mostEntries);
  const stride = Math.ceil(most / 4) * 4;
  const widthTiles = Math.ceil(width / tile);
  const splits = Math.min(64, Math.ceil(wantedBlocks / (Math.ceil(most / tile) * widthTiles)));
  const shares = call.scratch(times(rows, stride * 4));
  const partial = wantsWeight ? call.scratch(splits * most * width * 4) : -1;
  for (let first = 0; first < entries; first += most) {
    const count = Math.min(most, entries - first);
    const of = `of entries from ${first}`;
    const product = { threads: tileThreads, sharedBytes: tileBytes };
    call.launch(
      { entry: c`lctx_head_shares`, text: sharesText(width) },
      {
        ...product,
        label: `${node.site}: gradient of logits ${of}`,
        grid: [blocksOf(rows, tile), Math.ceil(count / tile), 1],
        arguments: [...[0, 1, 2, 3, 4, shares].map(pointer), ...[rows, first, count, stride].map(long)],
      },
    );
    if (wantsInput)
      call.launch(
        { entry: c`lctx_head_input`, text: inputText(width) },
        {
          ...product,
          label: `${node.site}: gradient of the head's input ${of}`,
          grid: [blocksOf(rows, tile), widthTiles, 1],
          arguments: [...[shares, 1, 5].map(pointer), ...[rows, first, count, stride].map(long)],
        },
      );
    if (!wantsWeight) continue;
    call.launch(
      { entry: c`lctx_head_weight`, text: weightText(width) },
      {
        ...product,
        label: `${node.site}: gradient of the head ${of}`,
        grid: [Math.ceil(count / tile), widthTiles, splits],
        arguments: [
          ...[shares, 0, partial].map(pointer),
          ...[rows, ["max", fewestRows, blocksOf(rows, splits)] as const, count, stride].map(long),
        ],
      },
    );
    call.launch(
      { entry: c`lctx_head_sum`, text: sumText },
      {
        label: `${node.site}: sums of the head's gradient ${of}`,
        grid: [blocksOf(count * width, threads), 1, 1],
        arguments: [pointer(partial), pointer(6), ...[count * width, splits, first * width].map(long)],
      },
    );
  }
  return call.call;
}
