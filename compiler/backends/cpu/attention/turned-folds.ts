/** Folds over pairs whose queries turn by blocks of keys: the logits of a block, as tiles of attention have them. */
import type { PairReduceNode } from "../../../ir/graph-pairs.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { block, padded } from "./attention-entry.ts";
import type { Pairs } from "./print-pairs.ts";
import { printTurns } from "./print-rows.ts";
import { tiledSkeleton } from "./weighted-kernel.ts";

/** Keys that a product of a last group may write past its block's logits. */
const past = 4 * block;

/** Floats beside a block's logits: what may be written past them, turned queries and what goes with them. */
export const turningRoom = (d: number): number => past + block * (6 * padded(d) + block);

interface Turned {
  readonly skeleton: Fragment;
  readonly text: Fragment;
  /** Statements that make `whole` of `call`, when that is filled in. */
  readonly set: Fragment;
}

export function printTurned(node: PairReduceNode, pairs: Pairs, room: number, entry: Fragment): Turned {
  const turns = printTurns(node, pairs, entry);
  return {
    skeleton: tiledSkeleton,
    text: c`${turns.text}
static void turned_${entry}(const lctx_block *x, int r, const float *key, int64_t stride, const float *packed) {
  const lctx_weighted *w = (const lctx_weighted *)x->a;
  lctx_weighing y = {.x = *x, .w = w};
  lctx_turning_areas(w, &y, x->room + ${past});
  lctx_tile_logits(&y, r, key, stride, packed);
}
`,
    set: c`  call.turned = turned_${entry}, call.turning = ${room};
  lctx_weighted whole = {0};
  whole.turned = 1, whole.area = LCTX_QB * LCTX_KB;
${turns.set}  whole.core = call;
`,
  };
}
