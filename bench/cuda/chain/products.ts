/** CUDA kernel of a contraction of any axes, f32: tiles in shared memory, sums in order, then what alone reads them. */
import { scalarPrelude } from "../../../compiler/backends/cuda/scalar-prelude.ts";
import { sameAxes } from "../../../compiler/ir/graph-axes.ts";
import type { NodeOf } from "../../../compiler/ir/graph-operands.ts";
import type { Axis, Node } from "../../../compiler/ir/graph.ts";
import { c, type Fragment } from "../../../compiler/ir/kernel.ts";
import { knownSize, mapValue, Reads, takeApart, turnText, type LoopCall, type Places } from "./loops.ts";
import { sameExtents, sideOf, sideText, slice, strideOf } from "./product-sides.ts";

/** What is computed of sums before they are stored: a map of each, or a rotation of rows. */
export type AfterProduct = NodeOf<"map"> | NodeOf<"rotate">;

const rows = 32;
const widths = [32, 64, 128] as const;

const fixed = ({ size }: Axis): number => (size.kind === "fixed" ? size.value : Infinity);

const has = (axes: readonly Axis[], name: string): boolean => axes.some((own) => own.name === name);

const sides = (node: NodeOf<"contract">, inLeft: boolean, inRight: boolean): readonly Axis[] =>
  node.axes.filter(
    ({ name }) => has(node.left.axes, name) === inLeft && has(node.right.axes, name) === inRight,
  );

/** True when `after`, which alone reads the product (under whatever names of its axes), can be computed with it. */
export function joinsProduct(node: NodeOf<"contract">, after: AfterProduct): boolean {
  if (after.dtype !== "f32") return false;
  if (after.kind === "map") return after.operands.includes(node) && sameAxes(node.axes, after.axes);
  if (!sameExtents(node.axes, after.axes)) return false;
  const columns = sides(node, false, true);
  return (
    columns.length === 1 &&
    columns[0]!.name === node.axes.at(-1)!.name &&
    fixed(columns[0]!) <= widths.at(-1)!
  );
}

/** The call of a product; its result is that of `after` where there is one. */
export function productCall(node: NodeOf<"contract">, after: AfterProduct | null = null): LoopCall {
  const reads = new Reads();
  const [both, ofLeft, ofRight] = [
    sides(node, true, true),
    sides(node, true, false),
    sides(node, false, true),
  ];
  const [left, right] = [sideOf(node.left, node.over), sideOf(node.right, node.over)];
  // Summed axes in the order of a side: one that they end, the left one otherwise; an axis of pieces comes first.
  const ended = ({ axes }: Node): boolean => node.over.includes(axes.at(-1)!.name);
  const order = ended(node.right) && !ended(node.left) ? node.right : node.left;
  const pieced = left.along?.name ?? right.along?.name;
  const over = order.axes
    .filter(({ name }) => node.over.includes(name))
    .toSorted((a, b) => Number(b.name === pieced) - Number(a.name === pieced));
  const wide = ofRight.reduce((all, axis) => all * fixed(axis), 1);
  const columns = widths.find((width) => wide <= width) ?? widths.at(-1)!;
  const threads = 2 * columns;
  const count = (name: string, axes: readonly Axis[]): Fragment => reads.size(name, reads.count(axes));
  const [rowEnd, columnEnd, steps] = [count("rows", ofLeft), count("columns", ofRight), count("steps", over)];
  const whole = (axes: readonly Axis[], by: number): boolean =>
    (knownSize(reads.count(axes)) ?? 1) % by === 0;
  const common = { threads, group: both, over, steps, wholeSlices: whole(over, slice) };
  const a = sideText(reads, {
    ...common,
    name: "a",
    side: left,
    rows,
    own: ofLeft,
    first: c`m0`,
    end: rowEnd,
    wholeTiles: whole(ofLeft, rows),
  });
  const b = sideText(reads, {
    ...common,
    name: "b",
    side: right,
    rows: columns,
    own: ofRight,
    first: c`n0`,
    end: columnEnd,
    wholeTiles: whole(ofRight, columns),
  });
  const [strideA, strideB] = [strideOf(rows), strideOf(columns)];
  const entry = c`lctx_product`;
  const store = storeText(reads, node, after, [both, ofLeft, ofRight], [rowEnd, columnEnd], columns, threads);
  const text = c`${scalarPrelude("accurate")}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${reads.parameters}) {
  constexpr int kStage = ${slice * (strideA + strideB)};
  __shared__ float4 quads[kStage / 2];
  float *const memory = (float *)quads;
  const int m0 = blockIdx.y * ${rows}, n0 = blockIdx.x * ${columns};
  const int tm = threadIdx.x / ${columns / 4} * 4, tn = threadIdx.x % ${columns / 4} * 4;
${a.start}${b.start}  const auto take = [&](int from) {
${a.take}${b.take}  };
  float sum[4][4] = {};
  take(0);
  int stage = 0;
#pragma unroll 1
  for (int from = 0; from < ${steps}; from += ${slice}, stage ^= 1) {
    float *to = memory + stage * kStage;
${a.put}    to += ${slice * strideA};
${b.put}    __syncthreads();
    if (from + ${slice} < ${steps}) take(from + ${slice});
    const float *const x = memory + stage * kStage + tm, *const y = memory + stage * kStage + ${slice * strideA} + tn;
#pragma unroll 8
    for (int s = 0; s < ${slice}; s++) {
      const float4 left = *(const float4 *)(x + s * ${strideA}), right = *(const float4 *)(y + s * ${strideB});
      const float own[4] = {left.x, left.y, left.z, left.w}, other[4] = {right.x, right.y, right.z, right.w};
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) sum[i][j] += own[i] * other[j];
    }
  }
${store}}
`;
  return reads.call(entry, text, {
    label: `${node.site}: product${after === null ? "" : `, ${after.kind}`}`,
    grid: [
      ["ceil-div", reads.count(ofRight), columns],
      ["ceil-div", reads.count(ofLeft), rows],
      reads.count(both),
    ],
    threads,
  });
}

/** Stores a thread's sums, or what a map makes of them; rotates a tile's rows, which are whole, by way of shared memory. */
function storeText(
  reads: Reads,
  node: NodeOf<"contract">,
  after: AfterProduct | null,
  [both, ofLeft, ofRight]: readonly [readonly Axis[], readonly Axis[], readonly Axis[]],
  [rowEnd, columnEnd]: readonly [Fragment, Fragment],
  columns: number,
  threads: number,
): Fragment {
  const group = takeApart(reads, both, c`blockIdx.z`, "g", c`int`);
  const row = takeApart(reads, ofLeft, c`m`, "m_at", c`int`);
  const column = takeApart(reads, ofRight, c`n`, "n_at", c`int`);
  const contracted = new Map([...group.places, ...row.places, ...column.places]);
  const result = after ?? node;
  // The same places by the names of the result's axes.
  const places: Places = new Map(
    result.axes.map(({ name }, n) => [name, contracted.get(node.axes[n]!.name)!]),
  );
  if (after?.kind !== "rotate") {
    const known = new Map([[node, c`sum[i][j]`]]);
    const made =
      after === null
        ? { text: c``, value: c`sum[i][j]` }
        : mapValue(reads, after, places, () => false, "e", known);
    return c`${group.text}#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const int m = m0 + tm + i, n = n0 + tn + j;
      if (m >= ${rowEnd} || n >= ${columnEnd}) continue;
${row.text}${column.text}${made.text}      ((float *)result)[${reads.flat(result.axes, places)}] = ${made.value};
    }
`;
  }
  const half = after.rotated / 2;
  const last = after.axes.at(-1)!;
  const passed = fixed(last) - after.rotated;
  const stride = strideOf(columns);
  const at = (place: Fragment): Fragment =>
    c`((float *)result)[${reads.flat(result.axes, new Map([...places, [last.name, place]]))}]`;
  const [low, high] = after.layout === "half" ? [c`x`, c`x + ${half}`] : [c`2 * x`, c`2 * x + 1`];
  return c`  __syncthreads();
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float4 own = {sum[i][0], sum[i][1], sum[i][2], sum[i][3]};
    *(float4 *)(memory + (tm + i) * ${stride} + tn) = own;
  }
  __syncthreads();
${group.text}  for (int item = threadIdx.x; item < ${rows * (half + passed)}; item += ${threads}) {
    const int m = m0 + item / ${half + passed}, x = item % ${half + passed};
    if (m >= ${rowEnd}) continue;
    const float *const own = memory + (m - m0) * ${stride};
${row.text}    if (x < ${half}) {
      const int low = ${low}, high = ${high};
      const float first = own[low], second = own[high];
${turnText(reads, after, places, c`x`)}      ${at(c`low`)} = first * k - second * s;
      ${at(c`high`)} = second * k + first * s;
    } else ${at(c`(x + ${half})`)} = own[x + ${half}];
  }
`;
}
