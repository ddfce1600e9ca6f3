/** Plans the Hopper kernels of an attention node or its gradient: sources, launches, tensor maps, scratch. */
import type {
  CudaArgument,
  CudaCall,
  CudaLaunch,
  LaunchSize,
} from "../../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../../ir/block-facts.ts";
import { someExpr } from "../../../ir/expr.ts";
import type { AttentionGradientNode, AttentionNode } from "../../../ir/graph.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { sinkGradient } from "../attention/sink.ts";
import { binsPerElement, sumBinsText } from "../attention/trained-tables.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { cudaPairs, type AnyAttention, type CudaPairs } from "../attention/pairs.ts";
import { shapeOf, type AttentionShape } from "../attention/shape.ts";
import { weighingOf } from "../attention/weighing.ts";
import { blockWordsText, wordThreads } from "./backward-blocks-text.ts";
import { finishText, prepareText, preparedRows } from "./backward-rows-text.ts";
import { backwardLayout, backwardLimit, backwardTile } from "./backward-shape.ts";
import { backwardText } from "./backward-text.ts";
import {
  forwardLayout,
  forwardLimit,
  forwardRegionsLimit,
  forwardTile,
  mostRegions,
  mostShared,
  type ForwardOptions,
  type HeadShape,
} from "./forward-shape.ts";
import { forwardText } from "./forward-text.ts";
import { levelsLimit, levelsOf, levelsRefusal } from "./levels-shape.ts";
import { risesSteadily, splitPositions } from "./score-forms.ts";
import type { Sm90Element } from "./ptx.ts";
import { range } from "./wgmma.ts";

/** Why these kernels do not take a node; null when they do. */
export function sm90Refusal(node: AnyAttention): string | null {
  const own = shapeOf(node);
  const { depth, width } = own;
  const regions = node.regions.length;
  const backward = node.kind === "attention-gradient";
  const forward = regions === 1 ? forwardLimit : forwardRegionsLimit;
  const limit = node.weight !== null ? levelsLimit : backward ? backwardLimit : forward;
  if (node.regions.some(({ turn }) => turn !== null)) return "queries turned by blocks of keys";
  if (node.weight !== null) {
    const refusal = levelsRefusal(node, backward);
    if (refusal !== null) return refusal;
    if (regions > 1) return "a weight over several rotation regions";
  }
  if (regions > mostRegions) return `more than ${mostRegions} rotation regions`;
  if (node.prepended !== null) return "keys before the text";
  if (depth % 16 !== 0 || width % 16 !== 0) return "a head size that is no multiple of 16";
  if (Math.max(depth, width) > limit) return `a head size over ${limit}`;
  if (backward && regions > 2) {
    const shape = headShape(own);
    const { sharedBytes } = backwardLayout(shape, backwardTile(shape), regions);
    if (sharedBytes > mostShared) return `${regions} rotation regions of this head size`;
  }
  // Each of a thread's pairs would hold a loop of its own beside the accumulators: minutes to compile, and spills.
  if (someExpr(node.score, (part) => part.kind === "set")) return "a score that reads a set";
  return null;
}

const headShape = ({ heads, groups, depth, width }: AttentionShape): HeadShape => ({
  heads,
  groups,
  d: depth,
  e: width,
});

interface Plan {
  readonly node: AnyAttention;
  readonly element: Sm90Element;
  readonly shape: HeadShape;
  readonly queries: LaunchSize;
  readonly keys: LaunchSize;
  readonly pairs: CudaPairs;
  readonly looksUp: boolean;
  /** Blocks inside the ranges are worth asking about; documents fill theirs. */
  readonly sparse: boolean;
  /** Which blocks are seen hangs on the head. */
  readonly byHead: boolean;
  readonly regions: number;
  readonly levels: ForwardOptions["levels"];
  /** Buffers of operands: queries and keys of each region, values and tables. */
  readonly operands: number;
}

function planOf(node: AnyAttention, facts: BlockFacts, element: Sm90Element, lengths?: Lengths): Plan {
  const refusal = sm90Refusal(node);
  if (refusal !== null) throw new Error(`${node.site}: no Hopper kernel takes ${refusal}`);
  const own: AttentionShape = shapeOf(node);
  const regions = node.regions.length;
  const core = 2 * regions + 1;
  const weighing = node.weight === null ? null : weighingOf(node);
  const pairs = cudaPairs(
    { ...node, score: splitPositions(node.score), more: weighing?.more ?? [] },
    { ...facts, ...facts.counted },
    core,
    regions > 1,
  );
  const read = new Set<number>();
  const visible = [node.mask, ...node.regions.map(({ when }) => when)];
  for (const e of visible)
    someExpr(e, (part) => {
      if (part.kind === "load" || part.kind === "set") read.add(part.buffer);
      return false;
    });
  return {
    node,
    element,
    shape: headShape(own),
    queries: lengths?.queries ?? own.queries,
    keys: lengths?.keys ?? own.keys,
    pairs,
    looksUp: read.size > 0,
    sparse: pairs.asksAny && (read.size === 0 || [...read].some((n) => node.buffers[n]!.kind !== "input")),
    byHead: visible.some((e) => someExpr(e, (part) => part.kind === "index" && part.name === "h")),
    regions,
    levels: weighing === null ? null : { ...levelsOf(node)!, cases: weighing.cases },
    operands: core + node.buffers.length,
  };
}

/** Lengths in place of those of the node's axes, for calls with fewer queries than keys. */
export interface Lengths {
  readonly queries: LaunchSize;
  readonly keys: LaunchSize;
}

/** Bytes of keys and values that blocks working at the same time share through the cache. */
const cachedBytes = 32 * 2 ** 20;

const pointer = (buffer: number, offset?: LaunchSize): CudaArgument =>
  offset === undefined ? { kind: "pointer", buffer } : { kind: "pointer", buffer, offset };
const whole = (value: LaunchSize): CudaArgument => ({ kind: "i32", value });
const product = (...parts: readonly LaunchSize[]): LaunchSize => ["*", ...parts];

/** Map of a [b, t, heads, d] tensor: blocks of `rows` tokens of one head, 64 elements wide. */
function tensorMap(
  element: Sm90Element,
  buffer: number,
  tokens: LaunchSize,
  heads: number,
  d: number,
  rows: number,
): CudaArgument {
  return {
    kind: "tensor-map",
    buffer,
    element,
    extents: [d, heads, tokens, "batch"],
    strides: [2 * d, 2 * d * heads, product(2 * d * heads, tokens)],
    box: [64, 1, rows, 1],
    swizzle: 128,
  };
}

/**
 * Heads whose blocks run side by side, heaviest blocks first: what the cache holds, at least `least`. Backward wants
 * several, since blocks of one head wait for one another.
 */
const bandOf = ({ shape, keys }: Plan, least: number): LaunchSize => [
  "max",
  least,
  ["min", 32, ["floor-div", Math.floor(cachedBytes / (2 * (shape.d + shape.e))), keys]],
];

const source = (entry: Fragment, text: Fragment) => ({
  entry: entry.text,
  text: text.text,
  architecture: "sm_90a" as const,
});

/** Maps of each region's queries and keys. */
const regionMaps = ({ element, shape, regions, queries, keys }: Plan, rows: number, of: number) =>
  range(regions).flatMap((n) => [
    tensorMap(element, 2 * n, queries, shape.heads, shape.d, rows),
    tensorMap(element, 2 * n + 1, keys, shape.groups, shape.d, of),
  ]);

/** Buffers of the call: operands, output, log-sum-exp (f32 [b, t, h]). */
export function sm90ForwardCall(
  node: AttentionNode,
  facts: BlockFacts,
  element: Sm90Element,
  lengths?: Lengths,
): CudaCall {
  const plan = planOf(node, facts, element, lengths);
  const { shape, queries, keys, pairs, looksUp, levels, operands, regions } = plan;
  const masked = node.mask.kind !== "constant" || regions > 1;
  const steady = pairs.scored && risesSteadily(node.score);
  const tile =
    levels === null ? forwardTile(shape, masked, looksUp || pairs.scored) : forwardTile(shape, true, true);
  const layout = forwardLayout(shape, tile, regions);
  const entry = c`lctx_attention_forward`;
  const tiles = product("batch", shape.heads, ["ceil-div", queries, tile.rows]);
  return {
    sources: [
      source(
        entry,
        forwardText({
          entry,
          shape,
          regions,
          tile,
          element,
          scale: node.scale,
          pairs,
          looksUp,
          steady,
          levels,
        }),
      ),
    ],
    buffers: operands + 2,
    scratch: [{ bytes: 16, zero: true }],
    launches: [
      {
        source: 0,
        label: `${node.site}: attention`,
        tile: `${tile.rows} × ${tile.keys}`,
        grid: [["min", "multiprocessors", tiles], 1, 1],
        threads: layout.threads,
        cluster: 1,
        sharedBytes: layout.sharedBytes,
        arguments: [
          ...pairs.arguments,
          ...regionMaps(plan, tile.rows, tile.keys),
          tensorMap(element, 2 * regions, keys, shape.groups, shape.e, tile.keys),
          ...[operands, operands + 1, operands + 2].map((n) => pointer(n)),
          ...["batch", queries, keys, pairs.start, bandOf(plan, 1)].map(whole),
        ],
      },
    ],
  };
}

/**
 * Buffers of the call: operands, output, log-sum-exp, output gradient, then gradients of each region's queries and keys, of
 * values, and of trained tables (f32).
 */
export function sm90BackwardCall(
  node: AttentionGradientNode,
  facts: BlockFacts,
  element: Sm90Element,
  lengths?: Lengths,
  ordered = true,
): CudaCall {
  const plan = planOf(node, facts, element, lengths);
  const { shape, queries, keys, pairs, looksUp, sparse, levels, operands, regions } = plan;
  const { heads, groups, d, e } = shape;
  const tile = backwardTile(shape, levels !== null);
  const layout = backwardLayout(shape, tile, regions);
  const steps: LaunchSize = ["ceil-div", queries, tile.rows];
  const padded = product(steps, tile.rows);
  const rowBytes = product(4 * heads, "batch", padded);
  const rows = { shape, tile, element, scale: node.scale };
  const [output, lse, slope, queryGradient] = [operands, operands + 1, operands + 2, operands + 3];
  const valueGradient = queryGradient + 2 * regions;
  const tables = valueGradient + 1;
  // Bytes of one region's sums and turns.
  const sumBytes = product(2 * layout.gradientBytes * heads, "batch", steps);
  const turnBytes = product(4 * heads, "batch", steps);
  const all = (bytes: LaunchSize): LaunchSize => (regions === 1 ? bytes : product(regions, bytes));
  const buffers = tables + pairs.trained.length;
  // Scratch: powers and deltas of rows, sums of query gradients, a counter and the turns, sums of tables.
  const [powers, deltas, sums, turns] = [buffers, buffers + 1, buffers + 2, buffers + 3];
  const bins = pairs.trained.map((_, t) => buffers + 4 + t);
  // Where blocks are asked about: words of those that add, after all other scratch.
  const blocks = buffers + 4 + bins.length;
  const words: LaunchSize = ["ceil-div", ["ceil-div", keys, tile.keys], 32];
  const blockHeads = plan.byHead ? heads : 1;
  const trains = pairs.trained.some(({ loads }) => loads.length > 0);
  const sink = c`lctx_attention_sink`;
  const sinks = pairs.trained.some(({ sinkLoads }) => sinkLoads.length > 0)
    ? sinkGradient(pairs, "approximate", sink, {
        deltas,
        powers,
        steps: { batch: product(heads, padded), query: 1, head: padded },
        queries,
        heads,
        bins,
      })
    : null;
  const asking = c`lctx_attention_blocks`;
  const [prepare, gradient, finish, sum] = [
    c`lctx_attention_prepare`,
    c`lctx_attention_backward`,
    c`lctx_attention_finish`,
    c`lctx_attention_table`,
  ];
  const launch = (
    label: string,
    n: number,
    grid: CudaLaunch["grid"],
    args: readonly CudaArgument[],
  ): CudaLaunch => ({
    source: n,
    label: `${node.site}: ${label}`,
    ...(n === 1 ? { tile: `${tile.rows} × ${tile.keys}` } : {}),
    grid,
    threads: n === 1 ? layout.threads : 256,
    cluster: 1,
    sharedBytes: n === 1 ? layout.sharedBytes : 0,
    arguments: args,
  });
  const sources = [
    source(prepare, prepareText({ entry: prepare, ...rows })),
    source(
      gradient,
      backwardText({ entry: gradient, regions, pairs, looksUp, sparse, ordered, trains, levels, ...rows }),
    ),
    source(finish, finishText({ entry: finish, ...rows })),
    ...(bins.length > 0 ? [source(sum, c`${scalarPrelude("accurate")}${sumBinsText(sum)}`)] : []),
    ...(sinks === null ? [] : [source(sink, sinks.text)]),
    ...(sparse ? [source(asking, blockWordsText({ entry: asking, regions, tile, element, pairs }))] : []),
  ];
  return {
    sources,
    buffers,
    scratch: [
      { bytes: rowBytes, zero: false },
      { bytes: rowBytes, zero: false },
      { bytes: all(sumBytes), zero: !ordered },
      { bytes: ["+", 16, all(turnBytes)], zero: true },
      ...pairs.trained.map(({ elements }) => ({ bytes: product(elements, 8 * binsPerElement), zero: true })),
      ...(sparse ? [{ bytes: all(product(4 * blockHeads, "batch", steps, words)), zero: false }] : []),
    ],
    launches: [
      ...(sparse
        ? [
            {
              ...launch(
                "blocks that are seen",
                sources.length - 1,
                [steps, blockHeads, all("batch")],
                [...pairs.arguments, pointer(blocks), ...[queries, keys, pairs.start, words].map(whole)],
              ),
              threads: wordThreads,
            },
          ]
        : []),
      launch(
        "sums of output gradients",
        0,
        [["ceil-div", padded, preparedRows], heads, "batch"],
        [...[output, slope, lse, powers, deltas].map((n) => pointer(n)), whole(queries), whole(padded)],
      ),
      launch(
        "gradient of keys and values",
        1,
        [product(groups, "batch", ["ceil-div", keys, tile.keys]), 1, 1],
        [
          ...pairs.arguments,
          ...(trains ? bins : []).map((n) => pointer(n)),
          ...regionMaps(plan, tile.rows, tile.keys),
          tensorMap(element, 2 * regions, keys, groups, e, tile.keys),
          tensorMap(element, slope, queries, heads, e, tile.rows),
          ...[powers, deltas, sums].map((n) => pointer(n)),
          ...range(regions).map((n) => pointer(queryGradient + 2 * n + 1)),
          pointer(valueGradient),
          pointer(turns, 16),
          pointer(turns),
          ...(sparse ? [pointer(blocks), whole(blockHeads), whole(words)] : []),
          ...["batch", queries, keys, pairs.start, padded, bandOf(plan, 4)].map(whole),
        ],
      ),
      ...range(regions).map((n) => {
        const places =
          n === 0
            ? [pointer(sums), pointer(turns, 16)]
            : [pointer(sums, product(n, sumBytes)), pointer(turns, ["+", 16, product(n, turnBytes)])];
        const args = [...places, pointer(queryGradient + 2 * n), whole(queries)];
        return launch("gradient of queries", 2, [steps, heads, "batch"], args);
      }),
      ...(sinks === null
        ? []
        : [{ ...sinks.launch, source: 4, label: `${node.site}: gradient of the sink` }]),
      ...pairs.trained.map(({ elements }, t) =>
        launch(
          "gradient of a table",
          3,
          [["ceil-div", elements, 256], 1, 1],
          [pointer(bins[t]!), pointer(tables + t), whole(elements)],
        ),
      ),
    ],
  };
}
