/** Kernels around the backward kernel: what it needs of each query, and query gradients as elements. */
import { c, joinFragments, realLiteral, type Fragment } from "../../../ir/kernel.ts";
import { backwardLayout, type BackwardTile } from "./backward-shape.ts";
import type { HeadShape } from "./forward-shape.ts";
import { ptxText, type Sm90Element } from "./ptx.ts";
import { range } from "./wgmma.ts";

interface RowsOptions {
  readonly entry: Fragment;
  readonly shape: HeadShape;
  readonly tile: BackwardTile;
  readonly element: Sm90Element;
  readonly scale: number;
}

/** Rows of a block of these kernels. */
export const preparedRows = 64;

/**
 * For each head and query: log-sum-exp in powers of two (+∞ for rows without keys and rows past the end) and
 * Σ output · gradient. Grid: blocks of 64 queries of the padded length, heads, batch; 256 threads.
 */
export function prepareText({ entry, shape: { heads, e }, element }: RowsOptions): Fragment {
  const words = e / 8;
  // A row takes a power of two of lanes, at least 4: then no pass goes beyond the block's rows.
  const lanes = range(6)
    .map((n) => 1 << n)
    .find((n) => n >= Math.max(4, words))!;
  const perPass = 256 / lanes;
  const sums = range(4).map((n) => {
    const field = [c`x`, c`y`, c`z`, c`w`][n]!;
    return c`lctx_low(a.${field}) * lctx_low(g.${field}) + lctx_high(a.${field}) * lctx_high(g.${field})`;
  });
  return c`${ptxText(element)}
extern "C" __global__ void __launch_bounds__(256) ${entry}(const unsigned short *output, const unsigned short *gradient,
    const float *lse, float *powers, float *deltas, int queries, int padded) {
  const int h = blockIdx.y, b = blockIdx.z, lane = threadIdx.x % ${lanes};
#pragma unroll
  for (int pass = 0; pass < ${preparedRows / perPass}; pass++) {
    const int t = blockIdx.x * ${preparedRows} + pass * ${perPass} + threadIdx.x / ${lanes};
    const size_t row = ((size_t)b * queries + t) * ${heads} + h;
    float sum = 0.0f;
    if (t < queries && lane < ${words}) {
      const uint4 a = ((const uint4 *)(output + row * ${e}))[lane], g = ((const uint4 *)(gradient + row * ${e}))[lane];
      sum = ${joinFragments(sums, c` + `)};
    }
#pragma unroll
    for (int n = ${lanes / 2}; n > 0; n /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, n);
    if (lane == 0 && t < padded) {
      const size_t to = ((size_t)b * ${heads} + h) * padded + t;
      const float own = t < queries ? lse[row] : -LCTX_INF;
      powers[to] = own == -LCTX_INF ? LCTX_INF : own * LCTX_LOG2E;
      deltas[to] = sum;
    }
  }
}
`;
}

/** Query gradients from the order of accumulators to rows of elements, times the scale. Grid: steps of queries, heads, batch; 256 threads. */
export function finishText({ entry, shape, tile, element, scale }: RowsOptions): Fragment {
  const { heads, d } = shape;
  const layout = backwardLayout(shape, tile);
  const pieces = d / 8;
  const half = layout.gradientCount * 128;
  // Where row r, columns 8 j … of a share lie: thread 32 · (r / 16) + 4 · (r % 8) + quad, word 4 j + 2 · (r / 8 % 2).
  const place =
    tile.rows === 64
      ? c`(j / 8) * ${half} + ((j % 8) * 128 + r / 16 * 32 + r % 8 * 4) * 4 + (r / 8 % 2) * 2`
      : c`(r / 64) * ${half} + (j * 128 + r % 64 / 16 * 32 + r % 8 * 4) * 4 + (r / 8 % 2) * 2`;
  const word = (n: number): Fragment =>
    c`lctx_pack(from[${4 * n}] * ${realLiteral(scale)}, from[${4 * n + 1}] * ${realLiteral(scale)})`;
  return c`${ptxText(element)}
extern "C" __global__ void __launch_bounds__(256) ${entry}(const float *sums, const int *turns, unsigned short *gradient, int queries) {
  const int m = blockIdx.x, h = blockIdx.y, b = blockIdx.z;
  /* Sums that nothing was added to are not set. */
  const bool some = turns[((size_t)b * ${heads} + h) * gridDim.x + m] > 0;
  const float *step = sums + (((size_t)b * ${heads} + h) * gridDim.x + m) * ${2 * half};
#pragma unroll 4
  for (int n = threadIdx.x; n < ${tile.rows * pieces}; n += 256) {
    const int r = n / ${pieces}, j = n % ${pieces}, t = m * ${tile.rows} + r;
    if (t >= queries) break;
    const float *from = step + ${place};
    *(uint4 *)(gradient + (((size_t)b * queries + t) * ${heads} + h) * ${d} + 8 * j) =
        some ? make_uint4(${joinFragments(range(4).map(word), c`, `)}) : make_uint4(0, 0, 0, 0);
  }
}
`;
}
