/** Calls of cross-entropy over given logits and of its gradient. */
import type { CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import type { CrossEntropyGradientNode, CrossEntropyNode } from "../../../ir/graph.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import {
  blocksOf,
  CallParts,
  elements,
  extents,
  long,
  pointer,
  threads,
  times,
  type PlainKernel,
} from "./call-parts.ts";

/** Rows of at most so many logits are a warp's, longer ones a block's. */
const warpLogits = 1024;

/** Loss and log-sum-exp of a row from its largest logit, its sum of exponentials and its target's logit. */
export const lossText: Fragment = c`
LCTX_DEVICE void lctx_store_loss(float *loss, float *lse, long long row, int target, long long entries, float most,
                                 float total, float hit) {
  const float own = most + lctx_log(total);
  if (loss) loss[row] = target < 0 ? 0.0f : target < entries ? own - hit : LCTX_NAN;
  if (lse) lse[row] = own;
}
`;

/** Maxima and sums of lanes go down in a fixed order, the same for all lanes. */
const crossEntropy = (warps: number): PlainKernel => ({
  entry: c`lctx_cross_entropy`,
  text: c`${scalarPrelude("accurate")}${lossText}
constexpr int kWarps = ${warps};
extern "C" __global__ void __launch_bounds__(${threads}) lctx_cross_entropy(const float *logits, const int *targets, float *loss,
    float *lse, long long rows, long long entries) {
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  float *shared = (float *)lctx_memory;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const long long row = (long long)blockIdx.x * (${threads / 32} / kWarps) + warp / kWarps;
  const bool valid = row < rows;
  const float *own = logits + (valid ? row : 0) * entries;
  const long long first = warp % kWarps * 32 + lane;
  float most = -LCTX_INF, total = 0.0f;
  for (long long i = first; i < entries; i += kWarps * 32) most = fmaxf(most, own[i]);
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, lanes));
  if (kWarps > 1) {
    if (lane == 0) shared[warp] = most;
    __syncthreads();
    most = shared[0];
#pragma unroll
    for (int w = 1; w < kWarps; w++) most = fmaxf(most, shared[w]);
    __syncthreads();
  }
  const float safe = most == -LCTX_INF ? 0.0f : most;
  for (long long i = first; i < entries; i += kWarps * 32) total += lctx_exp(own[i] - safe);
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) total += __shfl_xor_sync(0xffffffffu, total, lanes);
  if (kWarps > 1) {
    if (lane == 0) shared[warp] = total;
    __syncthreads();
    total = shared[0];
#pragma unroll
    for (int w = 1; w < kWarps; w++) total += shared[w];
  }
  if (!valid || first != 0) return;
  const int target = targets[row];
  const float hit = target >= 0 && target < entries ? own[target] : 0.0f;
  lctx_store_loss(loss, lse, row, target, entries, most, total, hit);
}
`,
});

/** Buffers: logits, targets, loss, log-sum-exp. */
export function crossEntropyCall(node: CrossEntropyNode): CudaCall {
  const parts = new CallParts(4);
  const rows = elements(node.axes);
  const entries = extents(node.logits.axes).at(-1)!;
  const warps = typeof entries === "number" && entries <= warpLogits ? 1 : threads / 32;
  parts.launch(crossEntropy(warps), {
    label: `${node.site}: cross-entropy`,
    grid: [blocksOf(rows, threads / 32 / warps), 1, 1],
    sharedBytes: (threads / 32) * 4,
    arguments: [...[0, 1, 2, 3].map(pointer), long(rows), long(entries)],
  });
  return parts.call;
}

const crossEntropyGradient: PlainKernel = {
  entry: c`lctx_cross_entropy_gradient`,
  text: c`${scalarPrelude("accurate")}
extern "C" __global__ void __launch_bounds__(${threads}) lctx_cross_entropy_gradient(const float *logits, const int *targets,
    const float *lse, const float *gradient, float *to, long long rows, long long entries) {
  const long long i = (long long)blockIdx.x * ${threads} + threadIdx.x, row = i / entries;
  if (row >= rows) return;
  const int target = targets[row];
  const float own = gradient[row];
  const float share = target < 0 ? 0.0f : lctx_exp(logits[i] - lse[row]) * own;
  to[i] = i - row * entries == target ? share - own : share;
}
`,
};

/** Buffers: logits, targets, log-sum-exp, loss gradient, gradient of the logits. */
export function crossEntropyGradientCall(node: CrossEntropyGradientNode): CudaCall {
  const parts = new CallParts(5);
  const all = extents(node.logits.axes);
  const rows = times(...all.slice(0, -1));
  parts.launch(crossEntropyGradient, {
    label: `${node.site}: gradient of cross-entropy`,
    grid: [blocksOf(times(...all), threads), 1, 1],
    arguments: [...[0, 1, 2, 3, 4].map(pointer), long(rows), long(all.at(-1)!)],
  });
  return parts.call;
}
