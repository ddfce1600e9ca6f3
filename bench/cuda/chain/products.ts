/** CUDA kernel of a contraction of any axes: tiles of 64 × 64 in shared memory, sums in f32, in order. */
import { scalarPrelude } from "../../../compiler/backends/cuda/scalar-prelude.ts";
import type { NodeOf } from "../../../compiler/ir/graph-operands.ts";
import type { Axis } from "../../../compiler/ir/graph.ts";
import { c, type Fragment } from "../../../compiler/ir/kernel.ts";
import { Reads, takeApart, type LoopCall } from "./loops.ts";

const [tile, depth, threads] = [64, 16, 256];

/** True when the axis lies at the end of a tensor: neighbours along it are neighbours in memory. */
const isLast = (axes: readonly Axis[], of: readonly Axis[]): boolean =>
  of.length > 0 && axes.at(-1)!.name === of.at(-1)!.name;

export function productCall(node: NodeOf<"contract">): LoopCall {
  const reads = new Reads();
  const [left, right] = [reads.tensor(node.left), reads.tensor(node.right)];
  const has = (axes: readonly Axis[], name: string): boolean => axes.some((own) => own.name === name);
  const sides = (inLeft: boolean, inRight: boolean): readonly Axis[] =>
    node.axes.filter(
      ({ name }) => has(node.left.axes, name) === inLeft && has(node.right.axes, name) === inRight,
    );
  const [both, ofLeft, ofRight] = [sides(true, true), sides(true, false), sides(false, true)];
  // Summed axes in the order of the side whose rows they end.
  const order = isLast(
    node.right.axes,
    node.right.axes.filter(({ name }) => node.over.includes(name)),
  )
    ? node.right
    : node.left;
  const over = order.axes.filter(({ name }) => node.over.includes(name));
  const group = takeApart(reads, both, c`blockIdx.z`, "g");
  const count = (name: string, axes: readonly Axis[]): Fragment => reads.size(name, reads.count(axes));
  const [rows, columns, steps] = [count("rows", ofLeft), count("columns", ofRight), count("steps", over)];
  const apart = (axes: readonly Axis[], flat: Fragment, word: string) => takeApart(reads, axes, flat, word);
  const row = apart(ofLeft, c`m`, "m_at");
  const column = apart(ofRight, c`n`, "n_at");
  const step = apart(over, c`k`, "k_at");
  const places = (...of: readonly ReadonlyMap<string, Fragment>[]) => new Map(of.flatMap((own) => [...own]));
  /** Loads a tile of a side: neighbouring threads take neighbours in memory. */
  const load = (
    to: Fragment,
    side: typeof node.left,
    pointer: Fragment,
    own: typeof row,
    first: Fragment,
    word: Fragment,
    end: Fragment,
  ): Fragment => {
    const along = isLast(side.axes, over);
    const [a, b] = along ? [c`x / ${depth}`, c`x % ${depth}`] : [c`x % ${tile}`, c`x / ${tile}`];
    return c`    for (int x = threadIdx.x; x < ${tile * depth}; x += ${threads}) {
      const int r = ${a}, s = ${b}, ${word} = ${first} + r, k = from + s;
      float value = 0.0f;
      if (${word} < ${end} && k < ${steps}) {
${own.text}${step.text}        value = ${pointer}[${reads.flat(side.axes, places(group.places, own.places, step.places))}];
      }
      ${to}[s][r] = value;
    }
`;
  };
  const entry = c`lctx_product`;
  const body = c`  __shared__ float a[${depth}][${tile + 4}], b[${depth}][${tile + 4}];
${group.text}  const int m0 = blockIdx.y * ${tile}, n0 = blockIdx.x * ${tile}, tm = threadIdx.x / 16 * 4, tn = threadIdx.x % 16 * 4;
  float sum[4][4] = {};
  for (int from = 0; from < ${steps}; from += ${depth}) {
${load(c`a`, node.left, left, row, c`m0`, c`m`, rows)}${load(c`b`, node.right, right, column, c`n0`, c`n`, columns)}    __syncthreads();
#pragma unroll
    for (int s = 0; s < ${depth}; s++)
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) sum[i][j] += a[s][tm + i] * b[s][tn + j];
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const int m = m0 + tm + i, n = n0 + tn + j;
      if (m >= ${rows} || n >= ${columns}) continue;
${row.text}${column.text}      ((float *)result)[${reads.flat(node.axes, places(group.places, row.places, column.places))}] = sum[i][j];
    }
`;
  const text = c`${scalarPrelude("accurate")}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${reads.parameters}) {
${body}}
`;
  return {
    reads: reads.nodes,
    call: {
      sources: [{ entry: entry.text, text: text.text, architecture: "sm_80" }],
      buffers: reads.nodes.length + 1,
      scratch: [],
      launches: [
        {
          source: 0,
          label: `${node.site}: product`,
          grid: [
            ["ceil-div", reads.count(ofRight), tile],
            ["ceil-div", reads.count(ofLeft), tile],
            reads.count(both),
          ],
          threads,
          cluster: 1,
          sharedBytes: 0,
          arguments: reads.arguments,
        },
      ],
    },
  };
}
