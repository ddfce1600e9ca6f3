/** How many rows at the end of a text a mask leaves anything to see. */
import { linearForm } from "./linear.ts";
import { sub, type Expr } from "./expr.ts";

/** Parts that all have to hold. */
const conjuncts = (mask: Expr): readonly Expr[] =>
  mask.kind === "binary" && mask.op === "and" ? [...conjuncts(mask.left), ...conjuncts(mask.right)] : [mask];

/** The least n for which the mask says that q ≥ length − n; null when no part of it says so. */
export function lastRows(mask: Expr): number | null {
  let least: number | null = null;
  for (const part of conjuncts(mask)) {
    if (part.kind !== "binary" || (part.op !== "le" && part.op !== "lt") || part.left.type !== "int")
      continue;
    const { constant, terms } = linearForm(sub(part.right, part.left));
    const ends = [...terms].every(([own, factor]) =>
      own.kind === "index"
        ? own.name === "q" && factor === 1
        : own.kind === "size" && own.name === "length" && factor === -1,
    );
    if (terms.size !== 2 || !ends) continue;
    const rows = Math.max(0, part.op === "le" ? constant : constant - 1);
    least = least === null ? rows : Math.min(least, rows);
  }
  return least;
}
