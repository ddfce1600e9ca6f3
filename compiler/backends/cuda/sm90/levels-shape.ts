/** What the Hopper kernels of a softmax of two levels are made for, and which weights are one. */
import { someExpr, type Expr } from "../../../ir/expr.ts";
import type { AttentionCore } from "../../../ir/graph.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { twoLevels } from "../../../ir/two-levels.ts";

export interface Levels {
  /** Keys of a block: blocks lie whole in tiles of 128 keys. */
  readonly size: number;
  /** The key of a block that the row normaliser is read at. */
  readonly position: number;
}

/** Keys of blocks that the kernels take: of the backward one, blocks are whole in the 64 keys of a warpgroup. */
const forwardSizes: readonly number[] = [8, 16, 32, 64, 128];
const backwardSizes: readonly number[] = [16, 32, 64];

/** Largest size of queries, keys and values. */
export const levelsLimit = 128;

/** Why the kernels of two levels do not take a weight; null when they do. */
export function levelsRefusal(
  node: Pick<AttentionCore, "mask" | "weight" | "scale">,
  backward: boolean,
): string | null {
  const levels = twoLevels(node);
  if (levels === null) return "a weight that is not a softmax of two levels";
  const sizes = backward ? backwardSizes : forwardSizes;
  if (!sizes.includes(levels.size)) return `blocks of ${levels.size} keys`;
  if (!(node.scale > 0)) return "a scale that is not above 0";
  const { row, block, cases } = node.weight!;
  const conditions: readonly Expr[] = [
    node.mask,
    row!.guard,
    block!.inner!.guard,
    ...cases.map(({ when }) => when),
  ];
  const loads = conditions.some((e) => someExpr(e, ({ kind }) => kind === "load" || kind === "set"));
  return loads ? "a weight whose conditions read tables" : null;
}

/** Shared memory of a warpgroup of the backward kernel: six numbers for each of 64 queries and of four warps or blocks. */
export const levelsBytes = 6 * 4 * 64 * 4;

export function levelsOf(node: Pick<AttentionCore, "mask" | "weight">): Levels | null {
  const levels = twoLevels(node);
  return levels === null ? null : { size: levels.size, position: levels.position };
}

/**
 * `lctx_flags(p, b, h, q, k)`: 1 where the row counts a key, 2 where its block does, 4 where it weighs its share of the row,
 * 8 where it weighs what the key at the position receives times its share of the block. After the text of cases.
 */
export const flagsText: Fragment = c`
typedef unsigned int lctx_word;
LCTX_DEVICE lctx_word lctx_flags(const lctx_pairs &p, int b, int h, int q, int k) {
  const bool row = lctx_row_guard(p, b, h, q, k), block = lctx_block_guard(p, b, h, q, k);
  const int number = lctx_case(p, b, h, q, k);
  const bool some = number >= 0, local = some && lctx_local(number);
  return (lctx_word)row | (lctx_word)block << 1 | (lctx_word)(some && !local && row) << 2 | (lctx_word)(local && block) << 3;
}
`;
