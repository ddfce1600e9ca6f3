/** The extent of an axis as programs and launches write it: both read it as a size of their own. */
import type { AxisSize } from "./graph.ts";

/** A number, or what is known when a program runs. */
export type AxisExtent = number | "batch" | "length" | readonly ["+", "length", number];

export function axisExtent(size: AxisSize): AxisExtent {
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
