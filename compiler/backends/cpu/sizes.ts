/** Sizes of axes and of storage, as a program keeps them: open until it runs. */
import type { Size } from "../../../runtime/program.ts";
import { axisExtent } from "../../ir/axis-extent.ts";
import type { Axis } from "../../ir/graph.ts";

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
