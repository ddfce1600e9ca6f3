/** The kernel of running sums along an axis. */
import { findAxis } from "../../ir/graph-axes.ts";
import type { RunningSumNode } from "../../ir/graph-pairs.ts";
import { c, type Kernel } from "../../ir/kernel.ts";
import { namedKernel } from "./kernel-names.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { extents, times } from "./sizes.ts";

/** Columns that one item sums side by side. */
const side = 16;

/**
 * Each item runs along the axis for up to 16 neighbouring inner elements. Sums are kept in double: differences of far
 * sums of a long row are then as exact as the stored sums.
 */
const sumKernel = (backward: boolean, exclusive: boolean): Kernel =>
  namedKernel(
    "running_sum",
    [],
    (entry) => c`
typedef struct { const float *from; float *to; const int64_t *sizes; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t count = x->sizes[1], inner = x->sizes[2], parts = (inner + ${side - 1}) / ${side};
  const int64_t outer = item / parts, first = item % parts * ${side};
  const int64_t width = inner - first < ${side} ? inner - first : ${side};
  double sums[${side}] = {0};
  (void)thread;
  for (int64_t n = 0; n < count; n++) {
    const int64_t at = (outer * count + ${backward ? c`count - 1 - n` : c`n`}) * inner + first;
    for (int64_t i = 0; i < width; i++) {
      const double next = sums[i] + x->from[at + i];
      x->to[at + i] = (float)${exclusive ? c`sums[i]` : c`next`};
      sums[i] = next;
    }
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], sizes};
  (void)scalars;
  lctx_parallel(sizes[0] * ((sizes[2] + ${side - 1}) / ${side}), body_${entry}, &call);
}
`,
  );

/** Buffers: operand, result. */
export function runningSumKernel(node: RunningSumNode): NodeKernel {
  const along = findAxis(node.axes, node.axis)!;
  const at = node.axes.indexOf(along);
  const all = extents(node.axes);
  return {
    kernel: sumKernel(node.backward, node.exclusive),
    sizes: [times(...all.slice(0, at)), all[at]!, times(...all.slice(at + 1))],
    scalars: [],
    scratch: null,
  };
}
