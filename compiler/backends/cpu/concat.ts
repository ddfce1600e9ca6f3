/** Kernels that move elements: concat, slice and reshape. */
import type { ConcatNode, ReshapeNode, SliceNode } from "../../ir/graph.ts";
import { c } from "../../ir/kernel.ts";
import { namedKernel } from "./kernel-names.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { extents, times } from "./sizes.ts";

/**
 * Copies blocks: for each outer index, `run` elements from `from + (outer % repeat) * step` to `to + outer * stride`.
 * Sizes: parts, then for each part outer, repeat, run, step, stride, from, to.
 */
const copyKernel = namedKernel(
  "copy_runs",
  [],
  (entry) => c`
typedef struct { const uint32_t *from; uint32_t *to; const int64_t *sizes; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t outer = x->sizes[0], repeat = x->sizes[1], run = x->sizes[2], step = x->sizes[3], stride = x->sizes[4];
  (void)thread;
  for (int64_t n = item * 64; n < outer && n < item * 64 + 64; n++)
    __builtin_memcpy(x->to + n * stride, x->from + n % repeat * step, (size_t)run * 4);
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)scalars;
  for (int64_t p = 0; p < sizes[0]; p++) {
    const int64_t *s = sizes + 1 + 6 * p;
    call_${entry} call = {(const uint32_t *)buffers[p] + s[5], buffers[sizes[0]], s};
    for (int64_t before = 0; before < p; before++) call.to += sizes[1 + 6 * before + 2];
    if (s[0] > 0 && s[2] > 0) lctx_parallel((s[0] + 63) / 64, body_${entry}, &call);
  }
}
`,
);

/** Buffers: operands, result. */
export function concatKernel(node: ConcatNode): NodeKernel {
  const at = node.axes.findIndex((axis) => axis.name === node.axis);
  const all = extents(node.axes);
  const outer = times(...all.slice(0, at));
  const stride = times(...all.slice(at));
  const parts = node.operands.flatMap((operand) => {
    const own = operand.axes.findIndex((axis) => axis.name === node.axis);
    const sizes = extents(operand.axes);
    const lacksRows = at > 0 && node.axes[0]!.name === "b" && operand.axes[0]!.name !== "b";
    if (!lacksRows && operand.axes.length !== node.axes.length)
      throw new Error(`${node.site}: operands of concat differ in axes`);
    const run = times(...sizes.slice(own));
    return [outer, times(...sizes.slice(0, own)), run, run, stride, 0];
  });
  return { kernel: copyKernel, sizes: [node.operands.length, ...parts], scalars: [], scratch: null };
}

/** Buffers: operand, result. */
export function sliceKernel(node: SliceNode): NodeKernel {
  const at = node.axes.findIndex((axis) => axis.name === node.axis);
  const all = extents(node.axes);
  const from = extents(node.operand.axes);
  const outer = times(...all.slice(0, at));
  const inner = times(...all.slice(at + 1));
  const run = times(...all.slice(at));
  const sizes = [1, outer, outer, run, times(...from.slice(at)), run, times(node.start, inner)];
  return { kernel: copyKernel, sizes, scalars: [], scratch: null };
}

/** The same elements in the same order: one copy. Buffers: operand, result. */
export function reshapeKernel(node: ReshapeNode): NodeKernel {
  const run = times(...extents(node.axes));
  return { kernel: copyKernel, sizes: [1, 1, 1, run, run, run, 0], scalars: [], scratch: null };
}
