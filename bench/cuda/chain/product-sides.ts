/** The two sides of a product: where their numbers lie, and text that brings them to shared memory, slice by slice. */
import type { NodeOf } from "../../../compiler/ir/graph-operands.ts";
import { sameSize } from "../../../compiler/ir/graph-axes.ts";
import type { Axis, Node } from "../../../compiler/ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../compiler/ir/kernel.ts";
import { takeApart, type Reads } from "./loops.ts";

/** Summed places of a slice. */
export const slice = 32;

/** A tensor that lies in one piece of memory, or as equal pieces along a summed axis. */
export interface Side {
  readonly axes: readonly Axis[];
  readonly pieces: readonly Node[];
  /** The axis of pieces, and places of it in each. */
  readonly along: { readonly name: string; readonly size: number } | null;
}

/** True when the axes have the same extents one by one. */
export const sameExtents = (a: readonly Axis[], b: readonly Axis[]): boolean =>
  a.length === b.length && a.every(({ size }, n) => sameSize(size, b[n]!.size));

/** The concatenation that a tensor is under other names of its axes, or null. */
export function concatOf(node: Node): NodeOf<"concat"> | null {
  if (node.kind === "concat") return node;
  if (node.kind !== "reshape" || !sameExtents(node.axes, node.operand.axes)) return null;
  return concatOf(node.operand);
}

/** A side of a contraction; its pieces are read where they lie when they are equal and end to end along a summed axis. */
export function sideOf(node: Node, over: readonly string[]): Side {
  const whole: Side = { axes: node.axes, pieces: [node], along: null };
  const concat = concatOf(node);
  if (concat === null) return whole;
  const at = concat.axes.findIndex(({ name }) => name === concat.axis);
  const name = node.axes[at]!.name;
  const sizes = concat.operands.map((operand) => operand.axes[at]!.size);
  const [size] = sizes;
  if (size?.kind !== "fixed" || !over.includes(name)) return whole;
  // A piece without rows of a batch is repeated for every row: it has other axes.
  if (
    !concat.operands.every(
      (piece, n) => piece.axes.length === concat.axes.length && sameSize(sizes[n]!, size),
    )
  )
    return whole;
  return { axes: node.axes, pieces: concat.operands, along: { name, size: size.value } };
}

/** How a side's tile is brought in. */
export interface SideLoad {
  /** `a` or `b`. */
  readonly name: "a" | "b";
  readonly side: Side;
  /** Rows of the tile, threads of the block. */
  readonly rows: number;
  readonly threads: number;
  /** Axes that number groups, rows and summed places, and the fragments of their places. */
  readonly group: readonly Axis[];
  readonly own: readonly Axis[];
  readonly over: readonly Axis[];
  /** The tile's first row and the number of all. */
  readonly first: Fragment;
  readonly end: Fragment;
  readonly steps: Fragment;
  /** True where rows are whole tiles, and summed places whole slices. */
  readonly wholeTiles: boolean;
  readonly wholeSlices: boolean;
}

export interface SideText {
  /** Where rows lie, before the loop. */
  readonly start: Fragment;
  /** Brings the slice that begins at `from` to registers. */
  readonly take: Fragment;
  /** Puts it to shared memory at `to`, a row of the tile after another for each summed place. */
  readonly put: Fragment;
}

/** Floats of a row of a tile in shared memory: a few more than it has, so that banks differ. */
export const strideOf = (rows: number): number => rows + 4;

/** Elements between neighbours along an axis, of a piece. */
function strides(reads: Reads, { axes, along }: Side): ReadonlyMap<string, Fragment> {
  const found = new Map<string, Fragment>();
  let stride: Fragment = c`1ll`;
  for (const { name, size } of axes.toReversed()) {
    found.set(name, stride);
    stride = c`${stride} * ${along?.name === name ? c`${along.size}` : reads.extent(size)}`;
  }
  return found;
}

/** Text of a side. Neighbouring threads take neighbours in memory; a thread's rows and summed places are told once. */
export function sideText(reads: Reads, load: SideLoad): SideText {
  const { name, side, rows, threads } = load;
  const many = (rows * slice) / threads;
  const inMemory = side.axes.filter(({ name }) => side.along?.name !== name || side.along.size > 1);
  const along = load.over.length > 0 && inMemory.at(-1)?.name === load.over.at(-1)!.name;
  // Eight summed places by so many rows, or rows by so many summed places.
  const pass = along ? threads / 8 : threads / rows;
  const [ownRows, ownSteps] = along ? [many / 4, 4] : [1, many];
  const row = along ? c`(int)threadIdx.x / 8 + v * ${pass}` : c`(int)threadIdx.x % ${rows}`;
  const [firstStep, stepBy] = along ? [c`(int)threadIdx.x % 8`, 8] : [c`(int)threadIdx.x / ${rows}`, pass];
  const step = c`${firstStep} + u * ${stepBy}`;
  const stride = strides(reads, side);
  const word = (what: string): Fragment => identifier(`${name}_${what}`);
  const offset = (axes: readonly Axis[], places: ReadonlyMap<string, Fragment>): Fragment =>
    joinFragments(
      [
        c`0ll`,
        ...axes.map((axis) => {
          const place = places.get(axis.name)!;
          const own = side.along?.name === axis.name ? c`(${place} % ${side.along.size})` : place;
          return c`${own} * (${stride.get(axis.name)!})`;
        }),
      ],
      c` + `,
    );
  const of = (axes: readonly Axis[]): readonly Axis[] =>
    axes.filter((axis) => side.axes.some((own) => own.name === axis.name));
  const group = takeApart(reads, load.group, c`blockIdx.z`, `${name}_g`, c`int`);
  const own = takeApart(reads, load.own, c`m`, `${name}_m`, c`int`);
  const over = takeApart(reads, load.over, c`k`, `${name}_k`, c`int`);
  const [one, ...others] = side.pieces.map((piece) => reads.tensor(piece));
  let from = one!;
  if (side.along !== null) {
    const piece = c`${over.places.get(side.along.name)!} / ${side.along.size}`;
    for (const [n, other] of others.entries()) from = c`(${piece} < ${n + 1} ? ${from} : ${other})`;
  }
  // Where slices lie within one run of the innermost summed axis, the run is found once a slice.
  const last = load.over.at(-1);
  const run = last?.size.kind === "fixed" ? last.size.value : 1;
  const inPiece = side.along?.name === last?.name ? (side.along?.size ?? 1) : run;
  const inRuns = run % slice === 0 && inPiece % slice === 0;
  const apart = last === undefined ? c`0ll` : stride.get(last.name)!;
  const bring = (value: Fragment, is: Fragment): Fragment =>
    c`${word("next")}[u * ${ownRows} + v] = ${is}${word("has")}[v] ? ${value} : 0.0f;`;
  const took = inRuns
    ? c`    {
      const int k = from;
${over.text}      const float *const at = ${from} + (${offset(of(load.over), over.places)});
#pragma unroll
      for (int u = 0; u < ${ownSteps}; u++)
#pragma unroll
        for (int v = 0; v < ${ownRows}; v++) ${bring(c`at[${word("row")}[v] + u * (${stepBy} * (${apart}))]`, c``)}
    }
`
    : c`#pragma unroll
    for (int u = 0; u < ${ownSteps}; u++) {
      const int k = from + ${step};
${over.text}      const bool is = ${load.wholeSlices ? c`true` : c`k < ${load.steps}`};
      const float *const at = ${from} + (${offset(of(load.over), over.places)});
#pragma unroll
      for (int v = 0; v < ${ownRows}; v++) ${bring(c`at[${word("row")}[v]]`, c`is && `)}
    }
`;
  return {
    start: c`  long long ${word("row")}[${ownRows}];
  bool ${word("has")}[${ownRows}];
  float ${word("next")}[${many}];
  {
${group.text}    const long long first = ${offset(of(load.group), group.places)};
#pragma unroll
    for (int v = 0; v < ${ownRows}; v++) {
      const int m = ${load.first} + ${row};
${own.text}      ${word("has")}[v] = ${load.wholeTiles ? c`true` : c`m < ${load.end}`};
      ${word("row")}[v] = first + ${offset(of(load.own), own.places)}${inRuns ? c` + (${firstStep}) * (${apart})` : c``};
    }
  }
`,
    take: took,
    put: c`#pragma unroll
    for (int u = 0; u < ${ownSteps}; u++)
#pragma unroll
      for (int v = 0; v < ${ownRows}; v++) to[(${step}) * ${strideOf(rows)} + ${row}] = ${word("next")}[u * ${ownRows} + v];
`,
  };
}
