/** What the targets of a fold over pairs tell a kernel: which way to walk, and which sums a thread may keep. */
import { add, and, exprChildren, int, le, lt, mul, select, someExpr, type Expr } from "../../../ir/expr.ts";
import { sizeExpr } from "../../../ir/graph-axes.ts";
import type { PairReduceNode } from "../../../ir/graph-pairs.ts";
import { linearForm } from "../../../ir/linear.ts";

/**
 * `rows`: an element follows from the query, so each row of a tile keeps one number. `columns`: from the key; tiles then
 * have keys for rows. `distances`: from q − k; each diagonal of a tile goes to one element. `tiles`: targets never fall
 * along q or k, so a tile whose corners agree goes to one element. `pairs`: nothing is known.
 */
export type FoldForm = "rows" | "columns" | "distances" | "tiles" | "pairs";

export interface FoldTargets {
  readonly form: FoldForm;
  /** True when no two rows of tiles, of any head, reach the same element: then it is written, not added to. */
  readonly exclusive: boolean;
  /** True when no two heads reach the same element. */
  readonly ownHead: boolean;
  /** Flat place within a row of the batch, −1 outside the axes. */
  readonly place: Expr;
}

const reads = (e: Expr, name: string): boolean =>
  someExpr(e, (part) => part.kind === "index" && part.name === name);
const readsPair = (e: Expr): boolean => reads(e, "q") || reads(e, "k");

/** True when a whole number depends on q and k through q − k alone. */
function byDistance(e: Expr): boolean {
  if (!readsPair(e)) return true;
  if (e.kind === "index") return false;
  const { terms } = linearForm(e);
  let [of, rest]: [number, boolean] = [0, true];
  for (const [part, factor] of terms) {
    if (part.kind === "index" && (part.name === "q" || part.name === "k")) of += factor;
    else rest &&= part === e ? exprChildren(e).every(byDistance) : byDistance(part);
  }
  return of === 0 && rest;
}

/** True when a whole number never falls where q or k rises. */
function rising(e: Expr): boolean {
  if (!readsPair(e) || e.kind === "index") return true;
  if (e.kind !== "binary") return false;
  const fixed = e.right.kind === "constant" && e.right.value > 0;
  switch (e.op) {
    case "add":
    case "min":
    case "max":
      return rising(e.left) && rising(e.right);
    case "sub":
      return rising(e.left) && !readsPair(e.right);
    case "floor-div":
    case "mul":
      return rising(e.left) && fixed;
    default:
      return false;
  }
}

function formOf(targets: readonly Expr[]): FoldForm {
  if (!targets.some((e) => reads(e, "k"))) return "rows";
  if (!targets.some((e) => reads(e, "q"))) return "columns";
  if (targets.every(byDistance)) return "distances";
  return targets.every(rising) ? "tiles" : "pairs";
}

export function foldTargets(node: PairReduceNode, heads: number): FoldTargets {
  const form = formOf(node.targets);
  const own = form === "rows" ? "q" : "k";
  const named = (name: string): boolean => node.targets.some((e) => e.kind === "index" && e.name === name);
  const ownHead = heads === 1 || named("h");
  const exclusive = (form === "rows" || form === "columns") && named(own) && ownHead;
  const extents = node.axes.slice(1).map((axis) => sizeExpr(axis.size));
  let flat: Expr = int(0);
  let inside: Expr | null = null;
  node.targets.forEach((target, n) => {
    const here = and(le(int(0), target), lt(target, extents[n]!));
    inside = inside === null ? here : and(inside, here);
    flat = add(mul(flat, extents[n]!), target);
  });
  return { form, exclusive, ownHead, place: inside === null ? flat : select(inside, flat, int(-1)) };
}
