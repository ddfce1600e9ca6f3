/** Arithmetic of named axes: sizes, equality, union, and how they are shown. */
import { add, binary, int, size as sizeOf, type Expr } from "./expr.ts";
import type { Axis, AxisSize } from "./graph.ts";

export const fixedSize = (value: number): AxisSize => ({ kind: "fixed", value });
export const batchSize: AxisSize = { kind: "batch" };
/** ⌈(length + plus) / by⌉. */
export const lengthSize = (plus = 0, by = 1): AxisSize => ({ kind: "length", plus, by });

/** An axis of a fixed number of elements, or of a size known when a program runs. */
export const axis = (name: string, size: number | AxisSize): Axis => ({
  name,
  size: typeof size === "number" ? fixedSize(size) : size,
});

/** The batch axis `b` and the token axis `t`. */
export const batchAxis: Axis = axis("b", batchSize);
export const tokenAxis: Axis = axis("t", lengthSize());

/** Stable text of a size: `64`, `batch`, `length`, `length+4`, `length/64`, `(length+4)/64` (rounded up). */
export function showSize(size: AxisSize): string {
  switch (size.kind) {
    case "fixed":
      return String(size.value);
    case "batch":
      return "batch";
    case "length": {
      const tokens = size.plus === 0 ? "length" : `length${size.plus < 0 ? "-" : "+"}${Math.abs(size.plus)}`;
      if (size.by === 1) return tokens;
      return size.plus === 0 ? `${tokens}/${size.by}` : `(${tokens})/${size.by}`;
    }
    default:
      return size satisfies never;
  }
}

/** Stable text of axes: `[b: batch, t: length, d: 64]`. */
export const showAxes = (axes: readonly Axis[]): string =>
  `[${axes.map(({ name, size }) => `${name}: ${showSize(size)}`).join(", ")}]`;

export const sameSize = (a: AxisSize, b: AxisSize): boolean => showSize(a) === showSize(b);
export const sameAxes = (a: readonly Axis[], b: readonly Axis[]): boolean => showAxes(a) === showAxes(b);

export const findAxis = (axes: readonly Axis[], name: string): Axis | undefined =>
  axes.find((candidate) => candidate.name === name);

/** The axes without those named. */
export const withoutAxes = (axes: readonly Axis[], names: readonly string[]): readonly Axis[] =>
  axes.filter(({ name }) => !names.includes(name));

/** All axes of all lists, each once. Lists that hold more axes come first, so a broadcast keeps the widest operand's order. */
export function unionAxes(lists: readonly (readonly Axis[])[]): readonly Axis[] {
  const union: Axis[] = [];
  const widest = lists
    .map((list, n) => ({ list, n }))
    .sort((a, b) => b.list.length - a.list.length || a.n - b.n);
  for (const { list } of widest)
    for (const candidate of list) if (findAxis(union, candidate.name) === undefined) union.push(candidate);
  return union;
}

/** How many axes of each unknown size a list has, and the product of its fixed sizes; prepended tokens count apart. */
export function elementCount(axes: readonly Axis[]): string {
  let product = 1;
  const open: string[] = [];
  for (const { size } of axes)
    if (size.kind === "fixed") product *= size.value;
    else open.push(showSize(size));
  return [...open.sort(), product].join("*");
}

/** a + n, for any whole n. Throws for a batch. */
function growSize(a: AxisSize, n: number): AxisSize {
  if (a.kind === "fixed") return fixedSize(a.value + n);
  // ⌈x / by⌉ + n = ⌈(x + n · by) / by⌉.
  if (a.kind === "length") return lengthSize(a.plus + n * a.by, a.by);
  if (n === 0) return a;
  throw new Error("the batch cannot be shortened");
}

/** Sum of sizes along one axis, as concatenation has; null when it cannot be said (two lengths, a batch). */
export function addSizes(sizes: readonly AxisSize[]): AxisSize | null {
  let total: AxisSize = fixedSize(0);
  for (const size of sizes) {
    if (size.kind === "batch") return null;
    if (size.kind === "fixed") total = growSize(total, size.value);
    else if (total.kind === "fixed") total = growSize(size, total.value);
    else return null;
  }
  return total;
}

/** a − b where both count the same unknown; null when the difference is not a fixed number. */
export function sizeDifference(a: AxisSize, b: AxisSize): number | null {
  if (a.kind === "fixed" && b.kind === "fixed") return a.value - b.value;
  if (a.kind === "length" && b.kind === "length") {
    const difference = (a.plus - b.plus) / a.by;
    return a.by === b.by && Number.isInteger(difference) ? difference : null;
  }
  return a.kind === "batch" && b.kind === "batch" ? 0 : null;
}

/** a − n. Throws for a batch. */
export const shrinkSize = (a: AxisSize, n: number): AxisSize => growSize(a, -n);

/** How many blocks of `by` elements cover an axis: ⌈size / by⌉. Throws for a batch. */
export function blocksOf(size: AxisSize, by: number): AxisSize {
  if (size.kind === "fixed") return fixedSize(Math.ceil(size.value / by));
  // ⌈⌈x / n⌉ / m⌉ = ⌈x / (n · m)⌉.
  if (size.kind === "length") return lengthSize(size.plus, size.by * by);
  throw new Error("the batch has no blocks");
}

/** Members that one word of a set holds. */
export const wordMembers = 32;
/** Words of a set over so many elements. */
export const wordsOf = (elements: AxisSize): AxisSize => blocksOf(elements, wordMembers);

/** True for an axis of tokens (all, or some at the end): only its rows lie at query-start + row; rows of others count from 0. */
export const isTokenAxis = ({ name, size }: Axis): boolean =>
  name === "t" && (size.kind !== "length" || size.by === 1);

/** A size as a whole-number expression of the sizes that a program knows. */
export function sizeExpr(size: AxisSize): Expr {
  if (size.kind === "fixed") return int(size.value);
  if (size.kind === "batch") return sizeOf("batch");
  const top = size.plus + size.by - 1;
  const total = top === 0 ? sizeOf("length") : add(sizeOf("length"), int(top));
  return size.by === 1 ? total : binary("floor-div", total, int(size.by));
}
