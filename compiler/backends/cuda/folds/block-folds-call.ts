/** Kernel of several folds over the blocks of one tensor: what all of them read is read once. Results are f32. */
import type { CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import type { BlockReduceNode } from "../../../ir/graph-pairs.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { elementText, type AttentionElement } from "../element.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { around, folds } from "./block-call.ts";

const threads = 128;

/** Positions of a block from which on four lanes share it: more loads are under way, and folding hides behind them. */
const longBlock = 32;

/** Rows that a lane reads before it folds the first of them. */
const rowsAhead = 8;

/** What each fold starts from: a lane of a short block may have no position. */
const starts: Readonly<Record<BlockReduceNode["op"], Fragment>> = {
  sum: c`0.0f`,
  mean: c`0.0f`,
  max: c`(-LCTX_INF)`,
  min: c`LCTX_INF`,
};

/** True when one pass can make both. */
export const sharesPass = (a: BlockReduceNode, b: BlockReduceNode): boolean =>
  a.operand === b.operand &&
  a.axis === b.axis &&
  a.block === b.block &&
  a.dtype === "f32" &&
  b.dtype === "f32";

/**
 * Buffers of the call: operand (of the element type), then a result (f32) for each node. Sums are in order of positions;
 * those of long blocks are sums of every fourth position, added in pairs.
 */
export function blockFoldsCall(nodes: readonly BlockReduceNode[], element: AttentionElement): CudaCall {
  const [node] = nodes;
  if (node === undefined || !nodes.every((other) => sharesPass(node, other)))
    throw new Error("folds of one call are over the same blocks");
  const [outer, given, inner] = around(node.operand.axes, node.axis);
  const made = axisExtent(node.axes[node.operand.axes.findIndex(({ name }) => name === node.axis)]!.size);
  const width = element === "f32" ? 4 : 8;
  /** Sixteen bytes a thread where rows are whole numbers of them. */
  const fixedInner = typeof inner === "number" ? inner : product(inner);
  const unit = fixedInner !== null && fixedInner % width === 0 ? width : 1;
  const own = (n: number): Fragment => identifier("own", n);
  const results = nodes.map((_, n) => c`float *${identifier("to", n)}, `);
  const parts = node.block >= longBlock ? 4 : 1;
  const each = (make: (n: number, op: BlockReduceNode["op"]) => Fragment): Fragment =>
    joinFragments(
      nodes.map(({ op }, n) => make(n, op)),
      c``,
    );
  const start = (n: number, op: BlockReduceNode["op"]): Fragment =>
    c`  float ${own(n)}[kUnit];
#pragma unroll
  for (int u = 0; u < kUnit; u++) ${own(n)}[u] = ${starts[op]};
`;
  // The steps are written over `own` and `x` of one element.
  const step = (n: number, op: BlockReduceNode["op"]): Fragment =>
    c`      { const float own = ${own(n)}[u]; ${own(n)}[u] = ${folds[op].step}; }\n`;
  const meet = (n: number, op: BlockReduceNode["op"]): Fragment =>
    c`      { const float own = ${own(n)}[u], x = __shfl_xor_sync(0xffffffffu, own, lanes); ${own(n)}[u] = ${folds[op].step}; }\n`;
  const end = (n: number, op: BlockReduceNode["op"]): Fragment =>
    c`    { const float own = ${own(n)}[u]; ${identifier("to", n)}[place + u] = ${folds[op].end}; }\n`;
  const entry = c`lctx_block_folds`;
  const text = c`${scalarPrelude("accurate")}${elementText(element)}
constexpr int kUnit = ${unit}, kParts = ${parts}, kLanes = 32 / kParts, kAhead = ${rowsAhead};
union lctx_unit { float4 all; lctx_element each[${width}]; };
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(const lctx_element *from, ${joinFragments(results, c``)}int outer, int given, int made, int inner) {
  /* Lanes of a part have neighbouring units; the parts of a warp take turns along the block. */
  const long long i = ((long long)blockIdx.x * ${threads} + threadIdx.x) / 32 * kLanes + threadIdx.x % kLanes;
  const int units = ${fixedInner === null ? c`inner / kUnit` : c`${fixedInner / unit}`}, part = threadIdx.x % 32 / kLanes;
  const long long after = i % units * kUnit, row_block = i / units, before = row_block / made, n = row_block - before * made;
  const bool is = before < outer;
  const int first = (int)n * ${node.block}, count = is ? min(${node.block}, given - first) : 0;
  const lctx_element *at = from + (before * given + first) * inner + after;
  const long long place = (before * made + n) * inner + after;
${each(start)}  const auto read = [&](int j) {
    lctx_unit xs;
    const lctx_element *row = at + (long long)j * inner;
    if (kUnit > 1) xs.all = *(const float4 *)row;
    else xs.each[0] = row[0];
    return xs;
  };
  const auto fold = [&](const lctx_unit &xs) {
#pragma unroll
    for (int u = 0; u < kUnit; u++) {
      const float x = lctx_real(xs.each[u]);
${each(step)}    }
  };
  int j = part;
  /* Several rows are on their way before the first is folded. */
  for (; j + (kAhead - 1) * kParts < count; j += kAhead * kParts) {
    lctx_unit xs[kAhead];
#pragma unroll
    for (int ahead = 0; ahead < kAhead; ahead++) xs[ahead] = read(j + ahead * kParts);
#pragma unroll
    for (int ahead = 0; ahead < kAhead; ahead++) fold(xs[ahead]);
  }
  for (; j < count; j += kParts) fold(read(j));
#pragma unroll
  for (int lanes = kLanes; lanes < 32; lanes *= 2)
#pragma unroll
    for (int u = 0; u < kUnit; u++) {
${each(meet)}    }
  if (!is || part > 0) return;
#pragma unroll
  for (int u = 0; u < kUnit; u++) {
${each(end)}  }
}
`;
  const total: LaunchSize = ["*", outer, made, ["floor-div", inner, unit]];
  return {
    sources: [{ entry: entry.text, text: text.text, architecture: "sm_80" }],
    buffers: 1 + nodes.length,
    scratch: [],
    launches: [
      {
        source: 0,
        label: `${node.site}: ${nodes.map(({ op }) => op).join(", ")} of blocks`,
        grid: [["ceil-div", ["*", total, parts], threads], 1, 1],
        threads,
        cluster: 1,
        sharedBytes: 0,
        arguments: [
          ...Array.from({ length: 1 + nodes.length }, (_, buffer) => ({ kind: "pointer", buffer }) as const),
          ...[outer, given, made, inner].map((value) => ({ kind: "i32", value }) as const),
        ],
      },
    ],
  };
}

/** A product of fixed sizes, or null. */
function product(size: LaunchSize): number | null {
  if (typeof size === "number") return size;
  if (typeof size === "string" || size[0] !== "*") return null;
  return size.slice(1).reduce<number | null>((all, part) => {
    const one = product(part as LaunchSize);
    return all === null || one === null ? null : all * one;
  }, 1);
}
