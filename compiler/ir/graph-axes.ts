/** Arithmetic of named axes: sizes, equality, union, and how they are shown. */
import type { Axis, AxisSize } from "./graph.ts";

export const fixedSize = (value: number): AxisSize => ({ kind: "fixed", value });
export const batchSize: AxisSize = { kind: "batch" };
export const lengthSize = (plus = 0): AxisSize => ({ kind: "length", plus });

/** An axis of a fixed number of elements, or of a size known when a program runs. */
export const axis = (name: string, size: number | AxisSize): Axis => ({
  name,
  size: typeof size === "number" ? fixedSize(size) : size,
});

/** The batch axis `b` and the token axis `t`. */
export const batchAxis: Axis = axis("b", batchSize);
export const tokenAxis: Axis = axis("t", lengthSize());

/** Stable text of a size: `64`, `batch`, `length`, `length+4`. */
export function showSize(size: AxisSize): string {
  switch (size.kind) {
    case "fixed":
      return String(size.value);
    case "batch":
      return "batch";
    case "length":
      return size.plus === 0 ? "length" : `length${size.plus < 0 ? "-" : "+"}${Math.abs(size.plus)}`;
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

/** Sum of sizes along one axis, as concatenation has; null when it cannot be said (two lengths, a batch). */
export function addSizes(sizes: readonly AxisSize[]): AxisSize | null {
  let total = 0;
  let lengths = 0;
  for (const size of sizes) {
    if (size.kind === "batch") return null;
    if (size.kind === "length") lengths++;
    total += size.kind === "fixed" ? size.value : size.plus;
  }
  if (lengths > 1) return null;
  return lengths === 1 ? lengthSize(total) : fixedSize(total);
}

/** a − b where both count the same unknown; null when the difference is not a fixed number. */
export function sizeDifference(a: AxisSize, b: AxisSize): number | null {
  if (a.kind === "fixed" && b.kind === "fixed") return a.value - b.value;
  if (a.kind === "length" && b.kind === "length") return a.plus - b.plus;
  return a.kind === "batch" && b.kind === "batch" ? 0 : null;
}

/** a − n. Throws for a batch. */
export function shrinkSize(a: AxisSize, n: number): AxisSize {
  if (a.kind === "fixed") return fixedSize(a.value - n);
  if (a.kind === "length") return lengthSize(a.plus - n);
  if (n === 0) return a;
  throw new Error("the batch cannot be shortened");
}
