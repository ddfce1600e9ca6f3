/** Which blocks of keys add to which steps of queries, as bits: asked once by a kernel of its own, read by every thread block of the backward. */
import { c, type Fragment } from "../../../ir/kernel.ts";
import type { CudaPairs } from "../attention/pairs.ts";
import { blockRangesText } from "./forward-rows-text.ts";
import type { BackwardTile } from "./backward-shape.ts";
import { ptxText, type Sm90Element } from "./ptx.ts";

/** Threads of a block; each warp makes one word at a time. */
export const wordThreads = 128;

/**
 * Words of 32 blocks of keys, lowest bit first: `[batch, heads or 1, steps, words]`. Grid: steps, heads or 1, batch; with
 * several regions, all that for each: `[regions, batch, …]`, and regions · batch in the grid.
 * Without them a thread block would ask, at each of its steps, about all blocks of keys before its own, to know its turn.
 */
export function blockWordsText(options: {
  readonly entry: Fragment;
  readonly regions: number;
  readonly tile: BackwardTile;
  readonly element: Sm90Element;
  readonly pairs: CudaPairs;
}): Fragment {
  const { entry, regions, tile, element, pairs } = options;
  const several = regions > 1;
  return c`${ptxText(element)}${pairs.functions}${blockRangesText}
extern "C" __global__ void __launch_bounds__(${wordThreads}) ${entry}(${pairs.parameters}u32 *blocks, int queries, int keys,
                                                             int start, int words) {
  ${pairs.build}
  const int m = blockIdx.x, h = blockIdx.y, b = blockIdx.z${several ? c` % p.batch` : c``}, lane = threadIdx.x & 31;${
    several
      ? c`
  p.region = blockIdx.z / p.batch;`
      : c``
  }
  const int q0 = start + m * ${tile.rows}, q1 = min(q0 + ${tile.rows}, start + queries) - 1;
  const lctx_ranges r = lctx_key_ranges(p, b, h, q0, q1, ${tile.keys});
  u32 *row = blocks + (((size_t)${several ? c`blockIdx.z` : c`b`} * gridDim.y + h) * gridDim.x + m) * words;
  for (int w = threadIdx.x / 32; w < words; w += ${wordThreads / 32}) {
    const int x = 32 * w + lane, k0 = x * ${tile.keys};
    const bool some = k0 < keys && lctx_within(r, x) && lctx_any(p, b, h, q0, q1, k0, min(k0 + ${tile.keys}, keys) - 1);
    const u32 word = __ballot_sync(0xffffffffu, some);
    if (lane == 0) row[w] = word;
  }
}
`;
}

/** `lctx_blocks_before`: how many of a row's blocks come before block n; all lanes of a warp ask together. */
export const blocksBeforeText: Fragment = c`
LCTX_DEVICE int lctx_blocks_before(const u32 *row, int n, int lane) {
  int count = 0;
  for (int w = lane; w <= n >> 5; w += 32) count += __popc(w == n >> 5 ? row[w] & ((1u << (n & 31)) - 1) : row[w]);
  return __reduce_add_sync(0xffffffffu, count);
}
`;
