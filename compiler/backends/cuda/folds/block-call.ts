/** Kernels of folds over blocks of an axis, and of repeating a block's value over its positions: one thread an element. */
import type { CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import type { Axis } from "../../../ir/graph.ts";
import type { BlockReduceNode, BlockSpreadNode } from "../../../ir/graph-pairs.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { elementText, type AttentionElement } from "../element.ts";
import { scalarPrelude } from "../scalar-prelude.ts";

const threads = 256;

/** Positions whose sum is taken alone: long sums stay exact enough. */
const run = 16;

/** How a block is folded from its first position on, and what becomes of the whole. What is not a number stays. */
export const folds: Readonly<
  Record<BlockReduceNode["op"], { readonly step: Fragment; readonly end: Fragment }>
> = {
  sum: { step: c`own + x`, end: c`own` },
  mean: { step: c`own + x`, end: c`own / (float)count` },
  max: { step: c`x > own || x != x ? x : own`, end: c`own` },
  min: { step: c`x < own || x != x ? x : own`, end: c`own` },
};

/** Elements before, along and after an axis. */
export function around(axes: readonly Axis[], name: string): readonly [LaunchSize, LaunchSize, LaunchSize] {
  const at = axes.findIndex((axis) => axis.name === name);
  const all = axes.map((axis) => axisExtent(axis.size));
  return [["*", 1, ...all.slice(0, at)], all[at]!, ["*", 1, ...all.slice(at + 1)]];
}

/** Buffers of the call: operand, result, both of the element type, or i32. Sums are f32, of runs of 16 positions in order. */
export function blockCall(node: BlockReduceNode | BlockSpreadNode, element: AttentionElement): CudaCall {
  const whole = node.dtype === "i32";
  const sixteen = !whole && element !== "f32";
  const stored = whole ? c`int` : c`lctx_element`;
  const read = whole ? c`from[at]` : c`lctx_real(from[at])`;
  const store = (x: Fragment): Fragment => (sixteen ? c`(lctx_element)(lctx_pack(${x}, 0.0f) & 0xffffu)` : x);
  const [outer, given, inner] = around(node.operand.axes, node.axis);
  const at = node.operand.axes.findIndex((axis) => axis.name === node.axis);
  const made = axisExtent(node.axes[at]!.size);
  const total: LaunchSize = ["*", outer, made, inner];
  const reduces = node.kind === "block-reduce";
  const { step, end } = folds[reduces ? node.op : "sum"];
  const type = whole ? c`int` : c`float`;
  const body = reduces
    ? c`  const int first = n * ${node.block}, count = min(${node.block}, given - first);
  long long at = (before * given + first) * inner + after;
  ${type} total = 0;
  for (int j = 0; j < count; j += ${run}) {
    const int length = min(${run}, count - j);
    ${type} own = ${read};
    at += inner;
    for (int k = 1; k < length; k++, at += inner) {
      const ${type} x = ${read};
      own = ${step};
    }
    const ${type} x = own;
    own = total;
    total = j == 0 ? x : ${step};
  }
  const ${type} own = total;
  to[i] = ${store(end)};
`
    : c`  to[i] = from[(before * given + n / ${node.block}) * inner + after];
`;
  const entry = c`lctx_block`;
  const text = c`${scalarPrelude("accurate")}${elementText(element)}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(const ${stored} *from, ${stored} *to, int outer, int given, int made, int inner) {
  const long long i = (long long)blockIdx.x * ${threads} + threadIdx.x, after = i % inner, before = i / inner / made;
  const int n = (int)(i / inner % made);
  if (before >= outer) return;
${body}}
`;
  return {
    sources: [{ entry: entry.text, text: text.text, architecture: "sm_80" }],
    buffers: 2,
    scratch: [],
    launches: [
      {
        source: 0,
        label: `${node.site}: ${reduces ? `${node.op} of blocks` : "blocks over their positions"}`,
        grid: [["ceil-div", total, threads], 1, 1],
        threads,
        cluster: 1,
        sharedBytes: 0,
        arguments: [
          { kind: "pointer", buffer: 0 },
          { kind: "pointer", buffer: 1 },
          ...[outer, given, made, inner].map((value) => ({ kind: "i32", value }) as const),
        ],
      },
    ],
  };
}
