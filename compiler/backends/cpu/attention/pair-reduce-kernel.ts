/** Kernel of a fold over pairs: blocks of pairs as in attention, folded in double into areas that are then added up. */
import { axisExtent } from "../../../ir/axis-extent.ts";
import { logit, someExpr, type Expr } from "../../../ir/expr.ts";
import type { PairReduceNode } from "../../../ir/graph-pairs.ts";
import { c, joinFragments } from "../../../ir/kernel.ts";
import { namedKernel } from "../kernel-names.ts";
import type { NodeKernel } from "../node-kernel.ts";
import { plus, times } from "../sizes.ts";
import {
  block,
  coreSizes,
  functions,
  printCore,
  shapeOf,
  shareCount,
  skeleton,
  type CalledNode,
} from "./attention-entry.ts";
import { foldOps, printFold } from "./print-folds.ts";
import { printTurned, turningRoom } from "./turned-folds.ts";
import { AttentionSlots, pairsOf, printKnown, refuseUnprintable } from "./print-pairs.ts";

/** The row itself, counted from the first query or from the first position. */
const isRow = (target: Expr): boolean => {
  const of =
    target.kind === "binary" && target.op === "sub" && target.right.kind === "size" ? target.left : target;
  return of.kind === "index" && of.name === "q";
};

/**
 * Buffers: operands, result, scratch. Where heads or rows write apart, each head or block of rows is an item and there is one
 * area; else 16 runs of heads and rows, whatever the threads, have an area each.
 */
export function pairReduceKernel(node: PairReduceNode): NodeKernel {
  refuseUnprintable(node, node.body, ...node.targets);
  const called: CalledNode = { ...node, value: null, prepended: null };
  const shape = shapeOf(called);
  const slots = new AttentionSlots();
  const pairs = pairsOf(node, slots);
  const sizes = node.axes.slice(1).map(({ size }) => axisExtent(size));
  const extents = sizes.map((size) => (typeof size === "number" ? c`${size}` : slots.size(size)));
  const scored = someExpr(node.body, (e) => e === logit);
  const byHead = node.targets.some((target) => target.kind === "index" && target.name === "h");
  const byRows = !byHead && node.targets.some(isRow);
  const shares = byHead || byRows ? 1 : shareCount;
  const items = byHead
    ? c`call.heads`
    : byRows
      ? c`(call.queries + ${block - 1}) / ${block}`
      : c`${shareCount}`;
  const regions = node.regions.length;
  const turns = node.regions.some(({ turn }) => turn !== null);
  const room = turns ? turningRoom(shape.d) : 0;
  const fixed = block * regions * (shape.d + block) + room;
  const fold = foldOps[node.op];

  const print = (entry: ReturnType<typeof c>): ReturnType<typeof c> => {
    const core = printCore(called, shape, scored);
    const turned = turns ? printTurned(node, pairs, room, entry) : null;
    const context = turned === null ? c`&call` : c`&whole.core`;
    return c`${turned?.skeleton ?? skeleton}${printKnown(pairs, entry)}${printFold(pairs, extents, entry)}${turned?.text ?? c``}
static void start_${entry}(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  double *area = a->share_base + item * a->share_size;
  (void)thread;
  for (int64_t i = 0; i < a->share_size; i++) area[i] = ${fold.start};
}
static void finish_${entry}(void *context, int64_t item, int thread) {
  const lctx_attention *a = context;
  const int64_t count = ${joinFragments([c`(int64_t)1`, ...extents], c` * `)};
  const double *area = a->share_base + item * a->shares * a->share_size;
  (void)thread;
  for (int64_t i = 0; i < count; i++) {
    double all = area[i];
    for (int64_t n = 1; n < a->shares; n++) {
      const double one = area[n * a->share_size + i];
      ${fold.take(c`all`, c`one`)}
    }
    a->output[item * count + i] = (float)all;
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
${core.text}${functions(entry, node)}  call.score = fold_${entry};
  const lctx_attention *a = &call;
  (void)a;
  call.output = buffers[${core.next}], call.share_base = buffers[${core.next + 1}];
  call.shares = ${shares}, call.items = ${items}, call.by_rows = ${byRows ? 1 : 0};
  call.share_size = (${joinFragments([c`(int64_t)1`, ...extents], c` * `)} + 7) / 8 * 8;
  call.scratch = (float *)buffers[${core.next + 1}] + 2 * call.batch * call.shares * call.share_size;
  call.per_thread = ${fixed} + (call.keys + 15) / 16 * 16;
${turned?.set ?? c``}  lctx_parallel(call.batch * call.shares, start_${entry}, &call);
  lctx_parallel(call.batch * call.items, lctx_fold_item, (void *)${context});
  lctx_parallel(call.batch, finish_${entry}, &call);
}
`;
  };
  const areas = times(2 * shares, shape.batch, plus(times(...sizes), 8));
  return {
    kernel: namedKernel("pair_reduce", [], print),
    sizes: coreSizes(shape, slots),
    scalars: slots.scalars,
    scratch: { elements: plus(areas, times("threads", plus(fixed + 16, shape.keys))) },
  };
}
