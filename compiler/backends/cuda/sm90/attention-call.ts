/** Calls of the Hopper kernels of attention: their sources, and the launches with shapes, tensor maps and scratch memory. */
import type {
  CudaArgument,
  CudaCall,
  CudaLaunch,
  LaunchSize,
} from "../../../../runtime/device/cuda/launch.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { finishText, prepareText, preparedRows } from "./backward-rows-text.ts";
import { backwardLayout, backwardTile } from "./backward-shape.ts";
import { backwardText } from "./backward-text.ts";
import { forwardLayout, forwardTile, type HeadShape } from "./forward-shape.ts";
import { forwardText } from "./forward-text.ts";
import type { PairHooks } from "./pair-hooks.ts";
import type { Sm90Element } from "./ptx.ts";

export interface Sm90Attention {
  readonly shape: HeadShape;
  readonly element: Sm90Element;
  readonly scale: number;
  readonly hooks: PairHooks;
  /** False when every query sees every key. */
  readonly masked: boolean;
  readonly batch: LaunchSize;
  readonly queries: LaunchSize;
  readonly keys: LaunchSize;
  /** Position of the first query. */
  readonly start: LaunchSize;
}

/** Bytes of keys and values that blocks working at the same time share through the cache. */
const cachedBytes = 32 * 2 ** 20;

const pointer = (buffer: number, offset?: LaunchSize): CudaArgument =>
  offset === undefined ? { kind: "pointer", buffer } : { kind: "pointer", buffer, offset };
const whole = (value: LaunchSize): CudaArgument => ({ kind: "i32", value });
const product = (...parts: readonly LaunchSize[]): LaunchSize => ["*", ...parts];

/** Map of a [b, t, heads, d] tensor: blocks of `rows` tokens of one head, 64 elements wide. */
function tensorMap(
  call: Sm90Attention,
  buffer: number,
  tokens: LaunchSize,
  heads: number,
  d: number,
  rows: number,
): CudaArgument {
  return {
    kind: "tensor-map",
    buffer,
    element: call.element,
    extents: [d, heads, tokens, call.batch],
    strides: [2 * d, 2 * d * heads, product(2 * d * heads, tokens)],
    box: [64, 1, rows, 1],
    swizzle: 128,
  };
}

/** Heads whose blocks run side by side, heaviest blocks first. */
const bandOf = ({ shape, keys }: Sm90Attention, most: number): LaunchSize => [
  "max",
  1,
  ["min", most, ["floor-div", Math.floor(cachedBytes / (2 * (shape.d + shape.e))), keys]],
];

const source = (entry: string, text: Fragment) => ({
  entry,
  text: text.text,
  architecture: "sm_90a" as const,
});

/** Forward. Buffers: 0 queries, 1 keys, 2 values, 3 output, 4 log-sum-exp; the hooks' own from 5. */
export function sm90ForwardCall(call: Sm90Attention, hookBuffers: number): CudaCall {
  const { shape, element, scale, hooks } = call;
  const tile = forwardTile(shape, call.masked);
  const layout = forwardLayout(shape, tile);
  const buffers = 5 + hookBuffers;
  const tiles = product(call.batch, shape.heads, ["ceil-div", call.queries, tile.rows]);
  return {
    sources: [
      source("lctx_attention", forwardText({ entry: c`lctx_attention`, shape, tile, element, scale, hooks })),
    ],
    buffers,
    scratch: [{ bytes: 16, zero: true }],
    launches: [
      {
        source: 0,
        label: "attention",
        grid: [["min", "multiprocessors", tiles], 1, 1],
        threads: layout.threads,
        cluster: 1,
        sharedBytes: layout.sharedBytes,
        arguments: [
          tensorMap(call, 0, call.queries, shape.heads, shape.d, tile.rows),
          tensorMap(call, 1, call.keys, shape.groups, shape.d, tile.keys),
          tensorMap(call, 2, call.keys, shape.groups, shape.e, tile.keys),
          pointer(3),
          pointer(4),
          pointer(buffers),
          ...[call.batch, call.queries, call.keys, call.start, bandOf(call, 32)].map(whole),
          ...hooks.arguments,
        ],
      },
    ],
  };
}

/**
 * Gradient. Buffers: 0 queries, 1 keys, 2 values, 3 output, 4 log-sum-exp, 5 output gradient, 6 query gradient, 7 key
 * gradient, 8 value gradient; the hooks' own from 9.
 */
export function sm90BackwardCall(call: Sm90Attention, hookBuffers: number, ordered = true): CudaCall {
  const { shape, element, scale, hooks } = call;
  const { heads, groups, d, e } = shape;
  const tile = backwardTile(shape);
  const layout = backwardLayout(shape, tile);
  const buffers = 9 + hookBuffers;
  const steps: LaunchSize = ["ceil-div", call.queries, tile.rows];
  const padded = product(steps, tile.rows);
  const rowBytes = product(4 * heads, call.batch, padded);
  const rows = { shape, tile, element, scale };
  // Scratch: powers and deltas of rows, sums of query gradients, a counter and the turns.
  const [powers, deltas, sums, turns] = [buffers, buffers + 1, buffers + 2, buffers + 3];
  const launch = (
    label: string,
    n: number,
    grid: CudaLaunch["grid"],
    args: readonly CudaArgument[],
  ): CudaLaunch => ({
    source: n,
    label,
    grid,
    threads: n === 1 ? layout.threads : 256,
    cluster: 1,
    sharedBytes: n === 1 ? layout.sharedBytes : 0,
    arguments: args,
  });
  return {
    sources: [
      source("lctx_prepare", prepareText({ entry: c`lctx_prepare`, ...rows })),
      source("lctx_gradient", backwardText({ entry: c`lctx_gradient`, hooks, ordered, ...rows })),
      source("lctx_finish", finishText({ entry: c`lctx_finish`, ...rows })),
    ],
    buffers,
    scratch: [
      { bytes: rowBytes, zero: false },
      { bytes: rowBytes, zero: false },
      { bytes: product(2 * layout.gradientBytes * heads, call.batch, steps), zero: !ordered },
      { bytes: ["+", 16, product(4 * heads, call.batch, steps)], zero: true },
    ],
    launches: [
      launch(
        "rows of attention gradient",
        0,
        [["ceil-div", padded, preparedRows], heads, call.batch],
        [...[3, 5, 4, powers, deltas].map((n) => pointer(n)), whole(call.queries), whole(padded)],
      ),
      launch(
        "attention gradient",
        1,
        [product(groups, call.batch, ["ceil-div", call.keys, tile.keys]), 1, 1],
        [
          tensorMap(call, 0, call.queries, heads, d, tile.rows),
          tensorMap(call, 1, call.keys, groups, d, tile.keys),
          tensorMap(call, 2, call.keys, groups, e, tile.keys),
          tensorMap(call, 5, call.queries, heads, e, tile.rows),
          ...[powers, deltas, sums, 7, 8].map((n) => pointer(n)),
          pointer(turns, 16),
          pointer(turns),
          ...[call.batch, call.queries, call.keys, call.start, padded, bandOf(call, 8)].map(whole),
          ...hooks.arguments,
        ],
      ),
      launch(
        "query gradient",
        2,
        [steps, heads, call.batch],
        [pointer(sums), pointer(turns, 16), pointer(6), whole(call.queries)],
      ),
    ],
  };
}
