/** Plans attention of few queries over a long cache of keys and values: splits of the keys over thread blocks, then their combination. */
import type {
  CudaArgument,
  CudaCall,
  CudaSource,
  LaunchSize,
} from "../../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../../ir/block-facts.ts";
import { someExpr } from "../../../ir/expr.ts";
import type { AttentionNode } from "../../../ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { cudaPairs, type CudaPairs } from "../attention/pairs.ts";
import { shapeOf, weighing, type AttentionShape } from "../attention/shape.ts";
import { sinkText } from "../attention/sink.ts";
import { elementBytes, elementText, type AttentionElement } from "../element.ts";
import { cudaLiteral } from "../print-expr.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { threads } from "../sm80/call-plan.ts";
import { tilesText } from "../sm80/tiles.ts";
import { combineText, mostSplits } from "./combine-text.ts";
import { seenText } from "./seen-text.ts";
import { splitText } from "./split-text.ts";

/** How keys and values lie in memory, and how they are shared out. */
export interface DecodeOptions {
  /**
   * Keys of a page, a power of two ≥ 16: keys and values are then [pages, page, g, d] and [pages, page, g, e], of each
   * region alike, and position k of row b lies in page `table[b, ⌊k / page⌋]`. Without it they are [b, capacity, g, d].
   */
  readonly page?: number;
  /** Rows that a cache has for each row of the batch, at least the node's keys. Default: just these. */
  readonly capacity?: LaunchSize;
  /** Columns of the page table, at least ⌈keys / page⌉. Default: just these. */
  readonly pageColumns?: LaunchSize;
  /** Splits of the keys, at most 128. Default: by the launch's sizes. */
  readonly splits?: number;
}

/** Rows of a tile: one product of m16n8k16. */
const tileRows = 16;
const warps = threads / 32;
/** Bytes before the tiles: `lctx_seen`. */
const seenBytes = 128;
/** Two blocks of so much shared memory fit on a multiprocessor of 228 KiB; every processor of this path has the other. */
const [halfShared, mostShared] = [112 * 1024, 160 * 1024];

interface Tiles {
  readonly keys: number;
  readonly stages: number;
  readonly bytes: number;
  /** Blocks that a multiprocessor is expected to hold. */
  readonly resident: number;
}

const padTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

interface Padded {
  readonly depth: number;
  readonly width: number;
}

/** The deepest pipeline of which two blocks fit; else of which one fits; null when none does. */
function tilesOf(node: AttentionNode, element: AttentionElement, padded: Padded): Tiles | null {
  const size = elementBytes(element);
  const regions = node.regions.length;
  const stride = (columns: number): number => columns * size + 16;
  const bytesOf = (keys: number, stages: number): number => {
    const stage = keys * (regions * stride(padded.depth) + stride(padded.width));
    const exchange = element === "f32" ? warps * tileRows * stride(keys) : 0;
    const join = warps * tileRows * (padded.width + 4 + 2) * 4;
    const queries = regions * tileRows * stride(padded.depth);
    return seenBytes + queries + Math.max(warps * stages * stage + exchange, join);
  };
  const keyChoices = element === "f32" ? [16, 8] : [16];
  const choices = [4, 3, 2, 1].flatMap((stages) =>
    keyChoices.map((keys) => ({ keys, stages, bytes: bytesOf(keys, stages) })),
  );
  const two = choices.find(({ stages, bytes }) => stages > 1 && bytes <= halfShared);
  if (two !== undefined) return { ...two, resident: 2 };
  const one = choices.find(({ bytes }) => bytes <= mostShared);
  return one === undefined ? null : { ...one, resident: 1 };
}

function paddedOf({ depth, width }: AttentionShape, element: AttentionElement): Padded {
  const unit = element === "f32" ? 8 : 16;
  return { depth: padTo(depth, unit), width: padTo(width, unit) };
}

/** Why a node cannot take this path, or null. */
export function decodeRefusal(node: AttentionNode, element: AttentionElement): string | null {
  const more = weighing(node);
  if (more !== null) return more;
  const shape = shapeOf(node);
  if (tilesOf(node, element, paddedOf(shape, element)) !== null) return null;
  return `${node.regions.length} rotation regions of head size ${shape.depth} that do not fit in shared memory`;
}

/** True when query heads that share a key-value head may see different keys. */
function headsDiffer(node: AttentionNode): boolean {
  const exprs = [node.mask, ...node.regions.map(({ when }) => when)];
  return exprs.some((e) => someExpr(e, (part) => part.kind === "index" && part.name === "h"));
}

/**
 * Splits for a launch: as many as fill the multiprocessors in whole rounds, with at least 8 where one round has too few
 * (so at most a ninth of the last round is idle), two blocks of keys for each warp, and what can be combined.
 */
function splitCount(shape: AttentionShape, tiles: Tiles, rowTiles: LaunchSize): LaunchSize {
  const slots: LaunchSize = ["*", tiles.resident, "multiprocessors"];
  const blocks: LaunchSize = ["*", "batch", shape.groups, rowTiles];
  const rounds: LaunchSize = ["ceil-div", ["*", 8, blocks], slots];
  const parts: LaunchSize = [
    "+",
    ["ceil-div", shape.keys, tiles.keys],
    ["ceil-div", shape.early, tiles.keys],
  ];
  const fill: LaunchSize = ["floor-div", ["*", slots, rounds], blocks];
  return ["max", 1, ["min", mostSplits, fill, ["ceil-div", parts, 2 * warps]]];
}

/** Text before the entry points; `split` null for the kernel that combines. */
function prelude(
  node: AttentionNode,
  element: AttentionElement,
  shape: AttentionShape,
  padded: Padded,
  pairs: CudaPairs,
  split: { readonly tiles: Tiles; readonly page: number } | null,
): Fragment {
  const flag = (value: boolean): Fragment => (value ? c`true` : c`false`);
  const each = shape.heads / shape.groups;
  const asked = headsDiffer(node) ? each : 1;
  const head = c`${scalarPrelude(element === "f32" ? "accurate" : "approximate")}${elementText(element)}
constexpr int kWidth = ${shape.width}, kWidthPadded = ${padded.width}, kHeads = ${shape.heads};
${pairs.functions}${tilesText(element, "shared")}`;
  if (split === null)
    return c`${head}constexpr bool kSinks = ${flag(pairs.sinks)};
${sinkText}${combineText}`;
  const { tiles, page } = split;
  return c`${head}constexpr int kGroups = ${shape.groups}, kEach = ${each};
constexpr int kDepth = ${shape.depth}, kDepthPadded = ${padded.depth};
constexpr int kRegions = ${node.regions.length}, kKeys = ${tiles.keys}, kStages = ${tiles.stages}, kSeenBytes = ${seenBytes};
constexpr bool kPaged = ${flag(page > 0)};
/* Heads of a group that masks and regions may tell apart. */
constexpr int kPageLog2 = ${page > 0 ? Math.log2(page) : 0}, kAskedHeads = ${asked};
constexpr float kScale = ${cudaLiteral(node.scale)};
constexpr bool kScored = ${flag(pairs.scored)}, kAsksAny = ${flag(pairs.asksAny || asked > 1)};
${seenText}${splitText}`;
}

const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
const number = (value: LaunchSize): CudaArgument => ({ kind: "i32", value });

/**
 * Buffers of the call: operands; with pages the table (i32 [b, columns]); output; log-sum-exp (f32 [b, t, h]). Sums have
 * a fixed order that follows from the launch's sizes and the GPU's multiprocessors: the same bits run to run. Throws
 * what `decodeRefusal` says, and RangeErrors for impossible options.
 */
export function attentionDecodeCall(
  node: AttentionNode,
  facts: BlockFacts,
  element: AttentionElement,
  options: DecodeOptions = {},
): CudaCall {
  const page = options.page ?? 0;
  if (options.page !== undefined && !(page >= tileRows && Number.isInteger(Math.log2(page))))
    throw new RangeError(`pages of ${page} keys: a page has a power of two of keys, at least ${tileRows}`);
  if (options.splits !== undefined && !(options.splits >= 1 && options.splits <= mostSplits))
    throw new RangeError(`${options.splits} splits: there can be 1 to ${mostSplits}`);
  const shape = shapeOf(node);
  const padded = paddedOf(shape, element);
  const tiles = tilesOf(node, element, padded);
  const refusal = decodeRefusal(node, element);
  if (tiles === null || refusal !== null) throw new Error(`${node.site}: ${refusal}`);
  const core = 2 * node.regions.length + 1;
  const pairs = cudaPairs(node, facts, core);
  const afterTables = core + node.buffers.length;
  const operands = afterTables + (node.prepended === null ? 0 : 2);
  const output = operands + (page > 0 ? 1 : 0);
  const buffers = output + 2;
  const [partial, partialLse] = [buffers, buffers + 1];

  const rowTiles: LaunchSize = ["ceil-div", ["*", shape.queries, shape.heads / shape.groups], tileRows];
  const splits = options.splits ?? splitCount(shape, tiles, rowTiles);
  const rows: LaunchSize = ["*", "batch", shape.queries, shape.heads];
  const early = node.prepended === null ? [] : [c`early_key`, c`early_value`];
  const regionNames = node.regions.map((_, r) => [identifier("query", r), identifier("key", r)] as const);
  const tensors = [...regionNames.flat(), c`value`, ...early];
  const fields = (side: 0 | 1): Fragment =>
    joinFragments(
      regionNames.map((names) => names[side]),
      c`, `,
    );
  const earlyFields = early.length === 0 ? c`nullptr, nullptr` : c`early_key, early_value`;
  const capacity =
    page > 0 ? (options.pageColumns ?? ["ceil-div", shape.keys, page]) : (options.capacity ?? shape.keys);
  const entry = c`lctx_attention_decode`;
  const split: CudaSource = {
    entry: entry.text,
    text: c`${prelude(node, element, shape, padded, pairs, { tiles, page })}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${pairs.parameters}${joinFragments(
      tensors.map((name) => c`const lctx_element *${name}, `),
      c``,
    )}${page > 0 ? c`const int *pages, ` : c``}int queries, int keys, int early, int capacity, float *partial, float *partial_lse) {
  ${pairs.build}
  const lctx_cache a = {{${fields(0)}}, {${fields(1)}}, value, ${earlyFields}, ${page > 0 ? c`pages` : c`nullptr`}, queries, keys, early, capacity};
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  lctx_split(p, a, partial, partial_lse, lctx_memory, blockIdx.z, blockIdx.y, blockIdx.x, gridDim.x);
}
`.text,
    architecture: "sm_80",
  };
  const combineEntry = c`lctx_attention_combine`;
  const combine: CudaSource = {
    entry: combineEntry.text,
    text: c`${prelude(node, element, shape, padded, pairs, null)}
extern "C" __global__ void __launch_bounds__(${threads}) ${combineEntry}(${pairs.parameters}const float *partial, const float *partial_lse, lctx_element *output, float *lse, int queries, int splits) {
  ${pairs.build}
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  lctx_combine(p, partial, partial_lse, output, lse, (float *)lctx_memory, blockIdx.x, queries, splits);
}
`.text,
    architecture: "sm_80",
  };
  return {
    sources: [split, combine],
    buffers,
    scratch: [
      { bytes: ["*", rows, splits, padded.width * 4], zero: false },
      { bytes: ["*", rows, splits, 4], zero: false },
    ],
    launches: [
      {
        source: 0,
        label: `${node.site}: attention of few queries, splits of the keys`,
        tile: `${tileRows} × ${tiles.keys}`,
        grid: [splits, ["*", shape.groups, rowTiles], "batch"],
        threads,
        cluster: 1,
        sharedBytes: tiles.bytes,
        arguments: [
          ...pairs.arguments,
          ...tensors.map((_, n) => pointer(n < core ? n : afterTables + n - core)),
          ...(page > 0 ? [pointer(operands)] : []),
          ...[shape.queries, shape.keys, shape.early, capacity].map(number),
          pointer(partial),
          pointer(partialLse),
        ],
      },
      {
        source: 1,
        label: `${node.site}: attention of few queries, combination of splits`,
        grid: [rows, 1, 1],
        threads,
        cluster: 1,
        sharedBytes: (mostSplits + warps * padded.width) * 4,
        arguments: [
          ...pairs.arguments,
          pointer(partial),
          pointer(partialLse),
          pointer(output),
          pointer(output + 1),
          number(shape.queries),
          number(splits),
        ],
      },
    ],
  };
}
