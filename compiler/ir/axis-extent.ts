/** The extent of an axis as programs and launches write it: both read it as a size of their own. */
import type { AxisSize } from "./graph.ts";

type Tokens = "length" | readonly ["+", "length", number];
/** A number, or what is known when a program runs; `ceil-div` rounds a quotient up. */
export type AxisExtent = number | "batch" | Tokens | readonly ["ceil-div", Tokens, number];

export function axisExtent(size: AxisSize): AxisExtent {
  switch (size.kind) {
    case "fixed":
      return size.value;
    case "batch":
      return "batch";
    case "length": {
      const tokens: Tokens = size.plus === 0 ? "length" : ["+", "length", size.plus];
      return size.by === 1 ? tokens : ["ceil-div", tokens, size.by];
    }
    default:
      return size satisfies never;
  }
}
