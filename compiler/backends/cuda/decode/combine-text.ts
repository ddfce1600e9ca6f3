/** Device text that combines the splits of a row of attention: weights by log-sum-exp, sums in a fixed order. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/** Splits that the kernel can combine: four for each lane of a warp. */
export const mostSplits = 128;

/** One block a row of [b, t, h]; warp w sums splits w, w + 4, …, then the four sums are added in order. */
export const combineText: Fragment = c`
LCTX_DEVICE void lctx_combine(const lctx_pairs &p, const float *partial, const float *partial_lse, lctx_element *output, float *lse, float *memory,
                              int row, int queries, int splits) {
  constexpr int kWarps = LCTX_THREADS / 32, kEachLane = ${mostSplits / 32}, kFours = kWidthPadded / 4;
  float *weights = memory, *sums = memory + ${mostSplits};
  const int lane = lctx_lane();
  float own[kEachLane], top = -LCTX_INF, total = 0.0f;
#pragma unroll
  for (int i = 0; i < kEachLane; i++) {
    own[i] = lane + 32 * i < splits ? partial_lse[(long long)row * splits + lane + 32 * i] : -LCTX_INF;
    top = fmaxf(top, own[i]);
  }
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) top = fmaxf(top, lctx_swap(top, lanes));
  const float safe = top == -LCTX_INF ? 0.0f : top;
#pragma unroll
  for (int i = 0; i < kEachLane; i++) {
    own[i] = lctx_ex2(own[i] - safe);
    total += own[i];
    if (lctx_warp() == 0) weights[lane + 32 * i] = own[i];
  }
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) total += lctx_swap(total, lanes);
  __syncthreads();
#pragma unroll 1
  for (int four = lane; four < kFours; four += 32) {
    float4 sum = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll 4
    for (int s = lctx_warp(); s < splits; s += kWarps) {
      const float4 x = *(const float4 *)(partial + ((long long)row * splits + s) * kWidthPadded + four * 4);
      const float w = weights[s];
      sum.x += w * x.x, sum.y += w * x.y, sum.z += w * x.z, sum.w += w * x.w;
    }
    *(float4 *)(sums + lctx_warp() * kWidthPadded + four * 4) = sum;
  }
  __syncthreads();
  float alpha = 1.0f;
  if (kSinks) {
    const int t = row / kHeads;
    alpha = lctx_add_sink(p, t / queries, row % kHeads, p.start + t % queries, top, total);
  }
  const float factor = total > 0.0f ? alpha / total : 0.0f;
  for (int column = threadIdx.x * 2; column < kWidth; column += LCTX_THREADS * 2) {
    float two[2] = {0.0f, 0.0f};
#pragma unroll
    for (int w = 0; w < kWarps; w++)
      two[0] += sums[w * kWidthPadded + column], two[1] += sums[w * kWidthPadded + column + 1];
    lctx_store_pair<kWidth % 2 == 0>(output + (long long)row * kWidth + column, two[0] * factor, two[1] * factor,
                                     column + 1 < kWidth);
  }
  if (threadIdx.x == 0) lse[row] = total > 0.0f ? (top + lctx_lg2(total)) * 0.693147181f : -LCTX_INF;
}
`;
