/** Kernel of a selection: candidates become numbers that sort like them, and the least chosen one is found bit by bit. */
import type { Size } from "../../../../runtime/program.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import { bool, logit, someExpr } from "../../../ir/expr.ts";
import { isTokenAxis } from "../../../ir/graph-axes.ts";
import type { SelectNode } from "../../../ir/graph-pairs.ts";
import { c, joinFragments, realLiteral, type Fragment } from "../../../ir/kernel.ts";
import { namedKernel } from "../kernel-names.ts";
import type { NodeKernel } from "../node-kernel.ts";
import { fixedExtent, plus, times } from "../sizes.ts";
import { block, coreSizes, skeleton, type Shape } from "./attention-entry.ts";
import { printRanks } from "./print-folds.ts";
import { AttentionSlots, pairsOf, printKnown, refuseUnprintable } from "./print-pairs.ts";

function shapeOf(node: SelectNode, scored: boolean): Shape {
  const rows = node.perRow ? node.axes[1]! : null;
  return {
    heads: node.perHead ? fixedExtent(node.axes.at(-2)!, node.site) : 1,
    groups: scored ? fixedExtent(node.key!.axes[2]!, node.site) : 1,
    d: scored ? fixedExtent(node.key!.axes[3]!, node.site) : 0,
    e: 0,
    batch: axisExtent(node.axes[0]!.size),
    start: rows !== null && isTokenAxis(rows) ? "query-start" : 0,
    queries: rows === null ? 1 : axisExtent(rows.size),
    keys: axisExtent(node.candidates),
    early: 0,
  };
}

/** Buffers: query and key where the body has a logit, tables, result, scratch. */
export function selectKernel(node: SelectNode): NodeKernel {
  const amount = node.choose.kind === "top" ? node.choose.count : node.choose.threshold;
  const printed = {
    site: node.site,
    regions: [{ when: bool(true) }],
    mask: node.where,
    buffers: node.buffers,
  };
  refuseUnprintable(printed, node.body, node.always, amount);
  const given = node.query !== null;
  const scored = given && someExpr(node.body, (e) => e === logit);
  const shape = shapeOf(node, given);
  const slots = new AttentionSlots();
  const pairs = pairsOf(printed, slots);
  const fixed = block * (shape.d + block);
  const tables = given ? 2 : 0;
  const next = tables + node.buffers.length;
  const sides = given ? c`  call.query[0] = buffers[0], call.key[0] = buffers[1];\n` : c``;

  const print = (entry: Fragment): Fragment => c`${skeleton}${joinFragments(
    [printKnown(pairs, entry), printRanks(pairs, node, entry)],
    c``,
  )}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  lctx_attention call = {0};
  call.batch = sizes[0], call.queries = sizes[1], call.keys = sizes[2], call.start = sizes[3];
  call.threads = sizes[4], call.sizes = sizes + 6, call.scalars = scalars;
  call.heads = ${shape.heads}, call.groups = ${shape.groups}, call.d = ${shape.d};
  call.regions = 1, call.scale = ${realLiteral(node.scale)}, call.scored = ${scored ? 1 : 0};
${sides}  call.tables = (const void *const *)(buffers + ${tables});
  call.see = see_${entry}, call.score = rank_${entry}, call.amount = amount_${entry};
  call.output = buffers[${next}], call.scratch = buffers[${next + 1}];
  call.per_thread = ${fixed} + call.keys * ${block} + (call.keys + 15) / 16 * 16;
  lctx_parallel(call.batch * call.heads * ((call.queries + ${block - 1}) / ${block}), lctx_select_item, &call);
}
`;
  const perThread: Size = plus(fixed + 16, times(block + 1, shape.keys));
  return {
    kernel: namedKernel("select", [], print),
    sizes: coreSizes(shape, slots),
    scalars: slots.scalars,
    scratch: { elements: times("threads", perThread) },
  };
}
