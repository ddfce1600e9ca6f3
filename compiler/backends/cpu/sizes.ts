/** Sizes of axes and of storage, as a program keeps them: open until it runs. */
import type { Size } from "../../../runtime/program.ts";
import type { Axis, AxisSize } from "../../ir/graph.ts";

/** The extent of an axis. */
export function axisExtent(size: AxisSize): Size {
  switch (size.kind) {
    case "fixed":
      return size.value;
    case "batch":
      return "batch";
    case "length":
      return size.plus === 0 ? "length" : ["+", "length", size.plus];
    default:
      return size satisfies never;
  }
}

export const extents = (axes: readonly Axis[]): readonly Size[] => axes.map((axis) => axisExtent(axis.size));

/** The product, with numbers folded. */
export function times(...parts: readonly Size[]): Size {
  const known = parts.reduce<number>((p, part) => (typeof part === "number" ? p * part : p), 1);
  const open = parts.filter((part) => typeof part !== "number");
  if (open.length === 0 || known === 0) return known;
  return known === 1 && open.length === 1 ? open[0]! : ["*", ...(known === 1 ? [] : [known]), ...open];
}

/** The sum, with numbers folded. */
export function plus(...parts: readonly Size[]): Size {
  const known = parts.reduce<number>((s, part) => (typeof part === "number" ? s + part : s), 0);
  const open = parts.filter((part) => typeof part !== "number");
  if (open.length === 0) return known;
  return known === 0 && open.length === 1 ? open[0]! : ["+", ...(known === 0 ? [] : [known]), ...open];
}

/** The extent of an axis that must be a number when the program is compiled. */
export function fixedExtent(axis: Axis, what: string): number {
  if (axis.size.kind !== "fixed") throw new Error(`${what}: axis ${axis.name} must have a fixed size`);
  return axis.size.value;
}
