/** Calls of nodes that move elements of 32 bits: gather, concat, slice and reshape. One thread an element of the result. */
import type { CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import type { ConcatNode, GatherNode, ReshapeNode, SliceNode } from "../../../ir/graph.ts";
import { c } from "../../../ir/kernel.ts";
import {
  around,
  blocksOf,
  CallParts,
  elements,
  extents,
  long,
  pointer,
  threads,
  times,
  type PlainKernel,
} from "./call-parts.ts";

/** For each n of outer, `run` elements from `first + (n % repeat) * step` to `after + n * stride`. */
const copyRuns: PlainKernel = {
  entry: c`lctx_copy_runs`,
  text: c`
extern "C" __global__ void __launch_bounds__(${threads}) lctx_copy_runs(const unsigned *from, unsigned *to, long long outer,
    long long repeat, long long run, long long step, long long stride, long long first, long long after) {
  const long long i = (long long)blockIdx.x * ${threads} + threadIdx.x, n = i / run;
  if (n < outer) to[after + n * stride + (i - n * run)] = from[first + n % repeat * step + (i - n * run)];
}
`,
};

interface Runs {
  readonly outer: LaunchSize;
  readonly repeat: LaunchSize;
  readonly run: LaunchSize;
  readonly step: LaunchSize;
  readonly stride: LaunchSize;
  readonly first: LaunchSize;
  readonly after: LaunchSize;
}

function addRuns(parts: CallParts, label: string, from: number, to: number, runs: Runs): void {
  const { outer, repeat, run, step, stride, first, after } = runs;
  parts.launch(copyRuns, {
    label,
    grid: [blocksOf(times(outer, run), threads), 1, 1],
    arguments: [pointer(from), pointer(to), ...[outer, repeat, run, step, stride, first, after].map(long)],
  });
}

/** Buffers: operands, result. */
export function concatCall(node: ConcatNode): CudaCall {
  const count = node.operands.length;
  const parts = new CallParts(count + 1);
  const { outer, along, inner } = around(node.axes, node.axis);
  const at = node.axes.findIndex((axis) => axis.name === node.axis);
  let after: LaunchSize = 0;
  node.operands.forEach((operand, n) => {
    const lacksRows = at > 0 && node.axes[0]!.name === "b" && operand.axes[0]!.name !== "b";
    if (!lacksRows && operand.axes.length !== node.axes.length)
      throw new Error(`${node.site}: operands of concat differ in axes`);
    const own = around(operand.axes, node.axis);
    const run = times(own.along, own.inner);
    const stride = times(along, inner);
    addRuns(parts, `${node.site}: concat`, n, count, {
      outer,
      repeat: own.outer,
      run,
      step: run,
      stride,
      first: 0,
      after,
    });
    after = typeof after === "number" && typeof run === "number" ? after + run : ["+", after, run];
  });
  return parts.call;
}

/** Buffers: operand, result. */
export function sliceCall(node: SliceNode): CudaCall {
  const parts = new CallParts(2);
  const { outer, along, inner } = around(node.axes, node.axis);
  const from = around(node.operand.axes, node.axis);
  const run = times(along, inner);
  addRuns(parts, `${node.site}: slice`, 0, 1, {
    outer,
    repeat: outer,
    run,
    step: times(from.along, inner),
    stride: run,
    first: times(node.start, inner),
    after: 0,
  });
  return parts.call;
}

/** The same elements in the same order. Buffers: operand, result. */
export function reshapeCall(node: ReshapeNode): CudaCall {
  const parts = new CallParts(2);
  const run = times(...extents(node.axes));
  addRuns(parts, `${node.site}: reshape`, 0, 1, {
    outer: 1,
    repeat: 1,
    run,
    step: run,
    stride: run,
    first: 0,
    after: 0,
  });
  return parts.call;
}

const gather: PlainKernel = {
  entry: c`lctx_gather`,
  text: c`
extern "C" __global__ void __launch_bounds__(${threads}) lctx_gather(const unsigned *table, const int *index, unsigned *to,
    long long outer, long long rows, long long inner, long long count) {
  const long long i = (long long)blockIdx.x * ${threads} + threadIdx.x, place = i / inner, n = place / outer;
  if (n >= count) return;
  /* An index outside the table reads its nearest row, never other memory. */
  long long row = index[n];
  row = row < 0 ? 0 : row < rows ? row : rows - 1;
  to[i] = table[((place - n * outer) * rows + row) * inner + (i - place * inner)];
}
`,
};

/** Buffers: table, index, result. */
export function gatherCall(node: GatherNode): CudaCall {
  const parts = new CallParts(3);
  const { outer, along, inner } = around(node.table.axes, node.axis);
  const count = elements(node.index.axes);
  parts.launch(gather, {
    label: `${node.site}: gather`,
    grid: [blocksOf(times(count, outer, inner), threads), 1, 1],
    arguments: [...[0, 1, 2].map(pointer), ...[outer, along, inner, count].map(long)],
  });
  return parts.call;
}
