/** Kernels of gather and of its adjoint, scatter. */
import type { GatherNode, Node, ScatterNode } from "../../ir/graph.ts";
import { c } from "../../ir/kernel.ts";
import { namedKernel } from "./kernel-names.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { extents, times } from "./sizes.ts";

/** Sizes of a table around one of its axes: outer, axis, inner; then how many indices there are. */
function tableSizes(table: Node, axis: string, index: Node) {
  const at = table.axes.findIndex((own) => own.name === axis);
  const all = extents(table.axes);
  return [
    times(...all.slice(0, at)),
    all[at]!,
    times(...all.slice(at + 1)),
    times(...extents(index.axes)),
  ] as const;
}

const gatherNodeKernel = namedKernel(
  "gather",
  [],
  (entry) => c`
typedef struct { const uint32_t *table; const int32_t *index; uint32_t *out; const int64_t *sizes; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t outer = x->sizes[0], rows = x->sizes[1], inner = x->sizes[2], count = x->sizes[3];
  (void)thread;
  for (int64_t n = item * 64; n < count && n < item * 64 + 64; n++) {
    /* An index outside the table reads its nearest row, never other memory. */
    int64_t row = x->index[n];
    row = row < 0 ? 0 : row < rows ? row : rows - 1;
    for (int64_t o = 0; o < outer; o++)
      __builtin_memcpy(x->out + (n * outer + o) * inner, x->table + (o * rows + row) * inner, (size_t)inner * 4);
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], buffers[2], sizes};
  (void)scalars;
  lctx_parallel((sizes[3] + 63) / 64, body_${entry}, &call);
}
`,
);

/** Buffers: table, index, result. */
export function gatherKernel(node: GatherNode): NodeKernel {
  return {
    kernel: gatherNodeKernel,
    sizes: tableSizes(node.table, node.axis, node.index),
    scalars: [],
    scratch: null,
  };
}

/** Each item owns a run of table rows and goes through all indices in order, so sums do not depend on threads. */
const scatterNodeKernel = namedKernel(
  "scatter",
  [],
  (entry) => c`
typedef struct { const float *values; const int32_t *index; float *out; const int64_t *sizes; int64_t run; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t outer = x->sizes[0], rows = x->sizes[1], inner = x->sizes[2], count = x->sizes[3];
  const int64_t from = item * x->run, to = from + x->run < rows ? from + x->run : rows;
  (void)thread;
  if (from >= to) return;
  for (int64_t o = 0; o < outer; o++)
    __builtin_memset(x->out + (o * rows + from) * inner, 0, (size_t)((to - from) * inner) * sizeof(float));
  for (int64_t n = 0; n < count; n++) {
    int64_t row = x->index[n];
    row = row < 0 ? 0 : row < rows ? row : rows - 1;
    if (row < from || row >= to) continue;
    for (int64_t o = 0; o < outer; o++) {
      const float *value = x->values + (n * outer + o) * inner;
      float *sum = x->out + (o * rows + row) * inner;
      for (int64_t i = 0; i < inner; i++) sum[i] += value[i];
    }
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  const int64_t items = sizes[1] < 32 ? sizes[1] : 32;
  call_${entry} call = {buffers[0], buffers[1], buffers[2], sizes, items ? (sizes[1] + items - 1) / items : 1};
  (void)scalars;
  lctx_parallel(items, body_${entry}, &call);
}
`,
);

/** Buffers: values, index, result. */
export function scatterKernel(node: ScatterNode): NodeKernel {
  return {
    kernel: scatterNodeKernel,
    sizes: tableSizes(node, node.axis, node.index),
    scalars: [],
    scratch: null,
  };
}
