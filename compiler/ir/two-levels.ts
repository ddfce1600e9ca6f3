/** Recognises a softmax of two levels: keys of far blocks share, by a softmax inside the block, what one key of it receives. */
import { and, bool, logit, mapExpr, not, or, sub, type Expr } from "./expr.ts";
import type { AttentionCore } from "./graph.ts";
import { linearForm } from "./linear.ts";
import { simplifyExpr } from "./simplify-expr.ts";

/**
 * Both normalisers are of the logit itself, no case has a factor, and each is either the row's share or the row's share at
 * one key of the block (`position`) times the block's share.
 */
export interface TwoLevels {
  /** Keys of a block. */
  readonly size: number;
  /** Where in a block the row normaliser is read: 0 or size − 1. */
  readonly position: number;
  /**
   * Bool over `q`, `k`, `h`, sizes, loads. Where it holds for all pairs of a rectangle, all are seen; the row counts just the
   * keys at `position`, which weigh nothing, and a block just its others, which weigh what these receive.
   */
  readonly far: Expr;
}

/** Whether a condition holds at just the keys at a position of blocks of `size`. */
function isAt(e: Expr, size: number, position: number): boolean {
  if (e.kind !== "binary" || e.op !== "eq" || e.left.type !== "int") return false;
  const { terms, constant } = linearForm(sub(e.left, e.right));
  // k = size · block + place: by how much the difference grows along the blocks, and along places.
  let [byBlock, byPlace] = [0, 0];
  for (const [part, factor] of terms) {
    const whole = part.kind === "index" && part.name === "k";
    const ofKey =
      part.kind === "binary" &&
      part.left.kind === "index" &&
      part.left.name === "k" &&
      part.right.kind === "constant" &&
      part.right.value === size;
    if (whole) [byBlock, byPlace] = [byBlock + size * factor, byPlace + factor];
    else if (ofKey && part.op === "floor-div") byBlock += factor;
    else if (ofKey && part.op === "mod") byPlace += factor;
    else return false;
  }
  return byBlock === 0 && byPlace !== 0 && constant + byPlace * position === 0;
}

/** The two levels of a node's weight; null for any other weight, and without one. */
export function twoLevels(node: Pick<AttentionCore, "mask" | "weight">): TwoLevels | null {
  const { weight, mask } = node;
  const [row, block] = [weight?.row ?? null, weight?.block ?? null];
  const inner = block?.inner ?? null;
  if (weight === null || row === null || block === null || inner === null) return null;
  const { size } = block;
  if (row.score !== logit || inner.score !== logit || size < 2) return null;
  const { cases } = weight;
  const reads = new Set(cases.filter(({ local }) => local).map((one) => one.row));
  const [read] = reads;
  if (reads.size !== 1 || (read !== "first" && read !== "last")) return null;
  if (cases.some((one) => one.factor !== null || (!one.local && one.row !== "self"))) return null;
  const position = read === "first" ? 0 : size - 1;
  /** The condition at keys at the position, or at others. */
  const where = (e: Expr, at: boolean): Expr =>
    simplifyExpr(mapExpr(e, (part) => (isAt(part, size, position) ? bool(at) : part)));
  const shared = cases.reduceRight<Expr>((rest, { when, local }) => {
    const holds = where(when, false);
    return local ? or(holds, rest) : and(not(holds), rest);
  }, bool(false));
  const none = not(cases.map(({ when }) => where(when, true)).reduce(or));
  const parts = [
    where(mask, true),
    where(mask, false),
    where(row.guard, true),
    not(where(row.guard, false)),
    where(inner.guard, false),
    not(where(inner.guard, true)),
    shared,
    none,
  ];
  return { size, position, far: simplifyExpr(parts.reduce(and)) };
}
