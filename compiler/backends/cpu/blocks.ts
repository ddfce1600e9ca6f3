/** Kernels of folds over blocks of an axis, and of repeating a block's value over its positions. */
import { findAxis } from "../../ir/graph-axes.ts";
import type { Axis } from "../../ir/graph.ts";
import type { BlockReduceNode, BlockSpreadNode } from "../../ir/graph-pairs.ts";
import { c, type Fragment, type Kernel } from "../../ir/kernel.ts";
import { namedKernel } from "./kernel-names.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { extents, times } from "./sizes.ts";

/** Sizes around the axis of positions: outer, positions, inner, blocks. `axes` are those of the finer tensor. */
function blockSizes(axes: readonly Axis[], along: Axis, blocks: Axis) {
  const at = axes.indexOf(along);
  const all = extents(axes);
  return [times(...all.slice(0, at)), all[at]!, times(...all.slice(at + 1)), extents([blocks])[0]!] as const;
}

/** Elements beside one another that are folded together, and positions whose sum is taken alone: long sums stay exact enough. */
const chunk = 64;
const run = 16;

/** Folds `some` elements from `from` into `to`; a block's first position is taken as it is. */
function foldText(op: BlockReduceNode["op"], dtype: "f32" | "i32"): Fragment {
  const type = dtype === "f32" ? c`float` : c`int32_t`;
  if (op === "sum" || op === "mean")
    return c`
      ${type} part[${chunk}];
      for (int64_t n = 0; n < count; n += ${run}) {
        const int64_t end = n + ${run} < count ? n + ${run} : count;
        __builtin_memcpy(part, from + n * inner, (size_t)some * 4);
        for (int64_t p = n + 1; p < end; p++)
          for (int64_t i = 0; i < some; i++) part[i] += from[p * inner + i];
        for (int64_t i = 0; i < some; i++) to[i] = n > 0 ? to[i] + part[i] : part[i];
      }
      for (int64_t i = 0; i < some; i++) to[i] = ${op === "sum" ? c`to[i]` : c`to[i] / (float)count`};`;
  const further = op === "max" ? c`at[i] > to[i]` : c`at[i] < to[i]`;
  // What is not a number stays.
  const lost = dtype === "f32" ? c` || at[i] != at[i]` : c``;
  return c`
      __builtin_memcpy(to, from, (size_t)some * 4);
      for (int64_t n = 1; n < count; n++) {
        const ${type} *at = from + n * inner;
        for (int64_t i = 0; i < some; i++) to[i] = ${further}${lost} ? at[i] : to[i];
      }`;
}

/** Each item is one block, for all inner elements; its positions are taken in ascending order. */
const reduceKernel = (op: BlockReduceNode["op"], dtype: "f32" | "i32", block: number): Kernel => {
  const type = dtype === "f32" ? c`float` : c`int32_t`;
  return namedKernel(
    "block_reduce",
    [],
    (entry) => c`
typedef struct { const ${type} *from; ${type} *to; const int64_t *sizes; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t positions = x->sizes[1], inner = x->sizes[2], blocks = x->sizes[3];
  const int64_t outer = item / blocks, first = item % blocks * ${block};
  const int64_t count = positions - first < ${block} ? positions - first : ${block};
  (void)thread;
  for (int64_t beside = 0; beside < inner; beside += ${chunk}) {
    const int64_t some = inner - beside < ${chunk} ? inner - beside : ${chunk};
    const ${type} *from = x->from + (outer * positions + first) * inner + beside;
    ${type} *restrict to = x->to + item * inner + beside;
    {${foldText(op, dtype)}
    }
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], sizes};
  (void)scalars;
  lctx_parallel(sizes[0] * sizes[3], body_${entry}, &call);
}
`,
  );
};

/** Buffers: operand, result. */
export function blockReduceKernel(node: BlockReduceNode): NodeKernel {
  const along = findAxis(node.operand.axes, node.axis)!;
  const blocks = node.axes[node.operand.axes.indexOf(along)]!;
  return {
    kernel: reduceKernel(node.op, node.dtype, node.block),
    sizes: blockSizes(node.operand.axes, along, blocks),
    scalars: [],
    scratch: null,
  };
}

const spreadKernel = (block: number): Kernel =>
  namedKernel(
    "block_spread",
    [],
    (entry) => c`
typedef struct { const uint32_t *from; uint32_t *to; const int64_t *sizes; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t positions = x->sizes[1], inner = x->sizes[2], blocks = x->sizes[3];
  const int64_t outer = item / blocks, first = item % blocks * ${block};
  (void)thread;
  for (int64_t n = first; n < positions && n < first + ${block}; n++)
    __builtin_memcpy(x->to + (outer * positions + n) * inner, x->from + item * inner, (size_t)inner * 4);
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], sizes};
  (void)scalars;
  lctx_parallel(sizes[0] * sizes[3], body_${entry}, &call);
}
`,
  );

/** Buffers: operand, result. */
export function blockSpreadKernel(node: BlockSpreadNode): NodeKernel {
  const blocks = findAxis(node.operand.axes, node.axis)!;
  const along = node.axes[node.operand.axes.indexOf(blocks)]!;
  return {
    kernel: spreadKernel(node.block),
    sizes: blockSizes(node.axes, along, blocks),
    scalars: [],
    scratch: null,
  };
}
