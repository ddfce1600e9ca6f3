/** CUDA kernel of reductions of the same rows, one after another: a warp a row; later ones may read what earlier ones found. */
import { scalarPrelude } from "../../../compiler/backends/cuda/scalar-prelude.ts";
import { sameAxes } from "../../../compiler/ir/graph-axes.ts";
import type { NodeOf } from "../../../compiler/ir/graph-operands.ts";
import type { Axis, Node } from "../../../compiler/ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../compiler/ir/kernel.ts";
import { Reads, takeApart, valueAt, type LoopCall } from "./loops.ts";

export type Reduction = NodeOf<"reduce">;

const threads = 256;

const folds = {
  sum: { start: c`0.0f`, step: c`own + x` },
  max: { start: c`(-LCTX_INF)`, step: c`x > own || x != x ? x : own` },
  min: { start: c`LCTX_INF`, step: c`x < own || x != x ? x : own` },
} as const;

const overOf = (node: Reduction): readonly Axis[] =>
  node.operand.axes.filter(({ name }) => node.over.includes(name));

/** True when both go through the same rows. */
export const sharesRows = (a: Reduction, b: Reduction): boolean =>
  a.dtype === "f32" && b.dtype === "f32" && sameAxes(a.axes, b.axes) && sameAxes(overOf(a), overOf(b));

/** The call of reductions of the same rows; `inline` says which maps are computed where they are read. */
export function reductionsCall(nodes: readonly Reduction[], inline: (node: Node) => boolean): LoopCall {
  const [node] = nodes;
  if (node === undefined || !nodes.every((other) => sharesRows(node, other)))
    throw new Error("reductions of one call are of the same rows");
  const reads = new Reads(nodes.length);
  const over = overOf(node);
  const outer = takeApart(reads, node.axes, c`i`, "at");
  const inner = takeApart(reads, over, c`j`, "in");
  const total = reads.count(node.axes);
  const [end, steps] = [reads.size("*", total), reads.size("over", reads.count(over))];
  const places = new Map([...outer.places, ...inner.places]);
  const known = new Map<Node, Fragment>();
  const passes = nodes.map((each, n) => {
    const { text, value } = valueAt(reads, each.operand, places, inline, "e", known);
    const found = identifier("found", n);
    const { start, step } = folds[each.op];
    known.set(each, found);
    return c`  float ${found} = ${start};
  for (int j = threadIdx.x % 32; j < ${steps}; j += 32) {
${inner.text}${text}    const float x = ${value}, own = ${found};
    ${found} = ${step};
  }
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    const float x = __shfl_xor_sync(0xffffffffu, ${found}, lanes), own = ${found};
    ${found} = ${step};
  }
  if (threadIdx.x % 32 == 0) ((float *)${n === 0 ? c`result` : identifier("result", n)})[i] = ${found};
`;
  });
  const entry = c`lctx_reductions`;
  const text = c`${scalarPrelude("accurate")}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${reads.parameters}) {
  const long long i = ((long long)blockIdx.x * ${threads} + threadIdx.x) / 32;
  if (i >= ${end}) return;
${outer.text}${joinFragments(passes, c``)}}
`;
  return reads.call(entry, text, {
    label: `${node.site}: ${nodes.map(({ op }) => op).join(", ")} of rows`,
    grid: [["ceil-div", ["*", 32, total], threads], 1, 1],
    threads,
  });
}
