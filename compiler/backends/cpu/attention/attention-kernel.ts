/** Kernels of fused attention and of its gradient: a filled-in call of the C skeleton. */
import type { LogSumExpNode } from "../../../ir/graph-pairs.ts";
import type { AttentionGradientNode, AttentionNode } from "../../../ir/graph.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { namedKernel } from "../kernel-names.ts";
import type { NodeKernel } from "../node-kernel.ts";
import { plus, times } from "../sizes.ts";
import {
  block,
  coreSizes,
  functions,
  padded,
  printCore,
  printGradients,
  shapeOf,
  shareCount,
  skeleton,
  tableShares,
  type CalledNode,
} from "./attention-entry.ts";
import {
  AttentionSlots,
  isPlainScore,
  ownExprs,
  pairsOf,
  printKnown,
  printScore,
  printSlope,
  refuseUnprintable,
  type ScoredNode,
} from "./print-pairs.ts";
import { printSink, printSinkSlope } from "./print-rows.ts";
import { sinkText } from "./sink-text.ts";
import { weightedGradientKernel, weightedKernel } from "./weighted-kernel.ts";

/** Key blocks that a thread of the backward holds at once: what fits a second cache, at most the skeleton's number. */
const mostKeyBlocks = 4;
const keyBlockFloats = 65_536;

/** True for a node whose keys come in tiles: it has a weight, or turns queries by blocks of keys. */
const hasTiles = (node: Pick<AttentionNode, "weight" | "regions">): boolean =>
  node.weight !== null || node.regions.some(({ turn }) => turn !== null);

/** The kernel of an attention node. Buffers: operands, output, log-sum-exp, scratch. */
export function attentionKernel(node: AttentionNode): NodeKernel {
  refuseUnprintable(node, ...ownExprs(node));
  return hasTiles(node) ? weightedKernel(node) : forwardKernel(node);
}

/** The kernel of a log-sum-exp: attention without values. Buffers: operands, result, scratch. */
export function logSumExpKernel(node: LogSumExpNode): NodeKernel {
  refuseUnprintable(node, node.score);
  const whole = { ...node, value: null, prepended: null, weight: null, sink: null };
  return hasTiles(whole) ? weightedKernel(whole) : forwardKernel(whole);
}

function forwardKernel(node: CalledNode & ScoredNode & Pick<AttentionNode, "sink">): NodeKernel {
  const shape = shapeOf(node);
  const slots = new AttentionSlots();
  const pairs = pairsOf(node, slots);
  const regions = node.regions.length;
  const { d, e } = shape;
  const fixed = block * (regions * d + 2 * e + regions * block + 3);
  // A sink changes the log-sum-exp after the keys, so that must lie somewhere even when nobody else wants it.
  const rows = node.sink === null ? 0 : times(shape.batch, shape.queries, shape.heads);
  const print = (entry: Fragment): Fragment => {
    const core = printCore(node, shape, !isPlainScore(node));
    // Without values there is no output: the log-sum-exp comes first.
    const output = node.value === null ? c`` : c`call.output = buffers[${core.next}], `;
    const next = core.next + (node.value === null ? 0 : 1);
    const sinks =
      node.sink === null
        ? { text: c``, before: c``, after: c`` }
        : {
            text: c`${sinkText}${printSink(pairs, node.sink, entry)}`,
            before: c`  if (!call.lse) call.lse = call.scratch + call.threads * call.per_thread;\n`,
            after: c`  lctx_sinks sinks = {.a = &call, .sink = sink_${entry}};\n  lctx_sink_forward(&sinks);\n`,
          };
    return c`${skeleton}${printKnown(pairs, entry)}${printScore(pairs, entry)}${sinks.text}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
${core.text}${functions(entry, node)}  call.score = score_${entry};
  ${output}call.lse = buffers[${next}];
  call.scratch = buffers[${next + 1}];
  call.per_thread = ${fixed} + (call.keys + 15) / 16 * 16;
${sinks.before}  lctx_attention_forward(&call);
${sinks.after}}
`;
  };
  const kernel = namedKernel("attention", [], print);
  return {
    kernel,
    sizes: coreSizes(shape, slots),
    scalars: slots.scalars,
    scratch: { elements: plus(times("threads", plus(fixed + 16, shape.keys)), rows) },
  };
}

/** The kernel of an attention's gradient. Buffers: operands, gradients in the order of the node's results, scratch. */
export function attentionGradientKernel(node: AttentionGradientNode): NodeKernel {
  refuseUnprintable(node, ...ownExprs(node));
  if (hasTiles(node)) return weightedGradientKernel(node);
  const shape = shapeOf(node);
  const slots = new AttentionSlots();
  const pairs = pairsOf(node, slots);
  const regions = node.regions.length;
  const { d, e, heads, groups } = shape;
  const perQuery = regions * (2 * d + padded(d)) + e + padded(e) + 2;
  const perKey = regions * (d + padded(d)) + e + padded(e);
  const atOnce = Math.max(1, Math.min(mostKeyBlocks, Math.floor(keyBlockFloats / (block * perKey))));
  const fixed = block * (perQuery + atOnce * perKey + (regions + 1) * block);
  const core = printCore(node, shape, !isPlainScore(node));
  const gradients = printGradients(node, core.next);
  const tables = tableShares(node, shape.batch, pairs, gradients.firstTable);
  const learnsSink = node.bufferGradients.some(({ loads }) => loads.some(({ part }) => part === "sink"));

  const print = (entry: Fragment): Fragment => {
    const sinks = learnsSink
      ? {
          text: c`${sinkText}${printSinkSlope(pairs, node, entry)}`,
          after: c`  lctx_sinks sinks = {.a = &call, .slope = sink_slope_${entry}};\n  lctx_sink_backward(&sinks);\n`,
        }
      : { text: c``, after: c`` };
    return c`${skeleton}${printKnown(pairs, entry)}${printSlope(pairs, node, entry)}${sinks.text}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
${core.text}${functions(entry, node)}  call.slope = slope_${entry};
${gradients.text}  int64_t offsets[${tables.kept}];
  const lctx_attention *a = &call;
  (void)a;
${tables.offsets}  call.tables_with_gradient = ${tables.count}, call.keys_at_once = ${atOnce};
  call.share_offset = offsets;
  call.share_base = buffers[${gradients.scratch}];
  call.scratch = (float *)buffers[${gradients.scratch}] + ${2 * shareCount} * call.share_size;
  call.per_thread = ${fixed} + (call.keys + call.queries + 15) / 16 * 16;
  call.packed_base = call.scratch + call.threads * call.per_thread;
  lctx_attention_backward(&call);
${sinks.after}${tables.sums}}
`;
  };
  const kernel = namedKernel("attention_gradient", [], print);
  const rows = times(plus(shape.queries, block), perQuery);
  return {
    kernel,
    sizes: coreSizes(shape, slots),
    scalars: slots.scalars,
    scratch: {
      elements: plus(
        tables.elements,
        times("threads", plus(fixed + 16, shape.keys, shape.queries)),
        times(shape.batch, heads, rows),
        times("threads", heads / groups, rows),
      ),
    },
  };
}
