/** Plans the kernels of a selection, without synchronisation with the host: a warp a row, or many blocks a row where few rows choose among tokens. */
import type { CudaArgument, CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import { bool, someExpr } from "../../../ir/expr.ts";
import type { Axis } from "../../../ir/graph.ts";
import type { SelectNode } from "../../../ir/graph-pairs.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { cudaPairs } from "../attention/pairs.ts";
import { CpuOnly } from "../attention/shape.ts";
import { elementText, type AttentionElement } from "../element.ts";
import { cudaLiteral } from "../print-expr.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { rowsOfBlock, selectBytes, selectText } from "./select-text.ts";
import { isWide, selectWideCall } from "./select-wide-call.ts";

/** Most shared memory that every processor from sm_80 on gives a block, rounded down. */
const mostShared = 96 * 1024;

const one: Axis = { name: "row", size: { kind: "fixed", value: 1 } };

function fixed(axis: Axis, site: string): number {
  if (axis.size.kind !== "fixed") throw new Error(`${site}: axis ${axis.name} must have a fixed size`);
  return axis.size.value;
}

/**
 * Buffers of the call: query and key where the node has them, tables, result (i32 words). Products and bodies are f32.
 * Throws CpuOnly for rows of more than some 3,800 dimensions.
 */
export function selectCall(node: SelectNode, element: AttentionElement): CudaCall {
  const { choose, query, key, site } = node;
  const rowAxis = node.perRow ? node.axes[1]! : one;
  const heads = node.perHead ? fixed(node.axes.at(-2)!, site) : 1;
  const [groups, depth] = key === null ? [1, 1] : [fixed(key.axes[2]!, site), fixed(key.axes[3]!, site)];
  const bytes = selectBytes(depth, choose.kind === "top");
  if (bytes > mostShared) throw new CpuOnly(`${site}: rows of ${depth} numbers do not fit in shared memory`);
  const tables = query === null ? 0 : 2;
  const candidates: Axis = { name: "k", size: node.candidates };
  const source = {
    regions: [{ query: { axes: [one, rowAxis] }, key: { axes: [one, candidates] }, when: bool(true) }],
    mask: node.where,
    buffers: node.buffers,
    score: node.body,
    more: [
      { name: c`lctx_always`, of: "pair", value: node.always },
      {
        name: c`lctx_amount`,
        of: "pair",
        value: choose.kind === "top" ? choose.count : choose.threshold,
      },
    ],
  } as const;
  const pairs = cudaPairs(source, null, tables);
  const result = tables + node.buffers.length;
  const flag = (value: boolean): Fragment => (value ? c`true` : c`false`);
  const constants = c`constexpr int kHeads = ${heads}, kGroups = ${groups}, kDepth = ${depth};
constexpr float kScale = ${cudaLiteral(node.scale)};
constexpr bool kMultiplies = ${flag(query !== null && someExpr(node.body, (part) => part.kind === "logit"))};
constexpr bool kAbove = ${flag(choose.kind === "above")};
`;
  const prelude = c`${scalarPrelude("accurate")}${elementText(element)}${constants}${pairs.functions}`;
  if (isWide(node)) return selectWideCall(node, heads, prelude, pairs);
  const entry = c`lctx_select_rows`;
  const sides = query === null ? c`` : c`const lctx_element *queries, const lctx_element *keys, `;
  const text = c`${prelude}${selectText}
extern "C" __global__ void __launch_bounds__(${32 * rowsOfBlock}) ${entry}(${pairs.parameters}${sides}int *words, int rows, int candidates) {
  ${pairs.build}
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  lctx_select(p, ${query === null ? c`nullptr, nullptr` : c`queries, keys`}, words, lctx_memory, rows, candidates);
}
`;
  const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
  const rows = axisExtent(rowAxis.size);
  return {
    sources: [{ entry: entry.text, text: text.text, architecture: "sm_80" }],
    buffers: result + 1,
    scratch: [],
    launches: [
      {
        source: 0,
        label: `${site}: selection`,
        grid: [["ceil-div", ["*", rows, heads], rowsOfBlock], 1, "batch"],
        threads: 32 * rowsOfBlock,
        cluster: 1,
        sharedBytes: bytes,
        arguments: [
          ...pairs.arguments,
          ...(query === null ? [] : [pointer(0), pointer(1)]),
          pointer(result),
          { kind: "i32", value: rows },
          { kind: "i32", value: axisExtent(node.candidates) },
        ],
      },
    ],
  };
}
