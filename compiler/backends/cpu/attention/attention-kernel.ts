/** Kernels of fused attention and of its gradient: a filled-in call of the C skeleton. */
import type { Size } from "../../../../runtime/program.ts";
import type { AttentionGradientNode, AttentionNode } from "../../../ir/graph.ts";
import { c, joinFragments, realLiteral, type Fragment } from "../../../ir/kernel.ts";
import { namedKernel } from "../kernel-names.ts";
import type { NodeKernel } from "../node-kernel.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import { isTokenAxis } from "../../../ir/graph-axes.ts";
import { fixedExtent, plus, times } from "../sizes.ts";
import { backwardText } from "./backward-text.ts";
import { forwardText } from "./forward-text.ts";
import {
  AttentionSlots,
  isPlainScore,
  pairsOf,
  printKnown,
  printScore,
  printSlope,
  refuseUnprintable,
  type AnyAttention,
} from "./print-pairs.ts";
import { productsText } from "./products-text.ts";
import { rangesText } from "./ranges-text.ts";

/** Queries and keys of a block in the C skeleton. */
const block = 64;
/** Shares of the table gradients, whatever the number of threads. */
const shareCount = 16;
/** Key blocks that a thread of the backward holds at once: what fits a second cache, at most the skeleton's number. */
const mostKeyBlocks = 4;
const keyBlockFloats = 65_536;
/** More lanes than any target has, in floats: paddings are counted with it. */
const mostLanes = 16;

const skeleton: Fragment = c`
#ifndef LCTX_ATTENTION
#define LCTX_ATTENTION
${joinFragments([productsText, forwardText, backwardText, rangesText], c``)}
#endif
`;

const padded = (n: number): number => Math.ceil(n / mostLanes) * mostLanes;

interface Shape {
  readonly heads: number;
  readonly groups: number;
  readonly d: number;
  readonly e: number;
  /** Position of the first query: rows that are no tokens count from 0. */
  readonly start: Size;
  readonly queries: Size;
  readonly keys: Size;
  readonly early: Size;
  readonly batch: Size;
}

function shapeOf(node: AnyAttention): Shape {
  const query = node.regions[0]!.query.axes;
  const value = node.value.axes;
  const what = node.site;
  const heads = fixedExtent(query[2]!, what);
  const groups = fixedExtent(value[2]!, what);
  if (heads % groups !== 0) throw new Error(`${what}: ${heads} heads are no multiple of ${groups}`);
  return {
    heads,
    groups,
    d: fixedExtent(query[3]!, what),
    e: fixedExtent(value[3]!, what),
    batch: axisExtent(query[0]!.size),
    start: isTokenAxis(query[1]!) ? "query-start" : 0,
    queries: axisExtent(query[1]!.size),
    keys: axisExtent(value[1]!.size),
    early: node.prepended === null ? 0 : axisExtent(node.prepended.key.axes[0]!.size),
  };
}

/** The part of the entry that both directions share, and the first buffer after the operands of the core. */
function printCore(node: AnyAttention, shape: Shape): { readonly text: Fragment; readonly next: number } {
  const lines: Fragment[] = [];
  let at = 0;
  const set = (field: Fragment, value: Fragment): number => lines.push(c`  call.${field} = ${value};\n`);
  node.regions.forEach((_, r) => {
    set(c`query[${r}]`, c`buffers[${at++}]`);
    set(c`key[${r}]`, c`buffers[${at++}]`);
  });
  set(c`value`, c`buffers[${at++}]`);
  set(c`tables`, c`(const void *const *)(buffers + ${at})`);
  at += node.buffers.length;
  if (node.prepended !== null) {
    set(c`early_key`, c`buffers[${at++}]`);
    set(c`early_value`, c`buffers[${at++}]`);
    set(c`early_region`, c`${earlyRegion}`);
  }
  const text = c`  lctx_attention call = {0};
  call.batch = sizes[0], call.queries = sizes[1], call.keys = sizes[2], call.start = sizes[3];
  call.threads = sizes[4], call.early = sizes[5], call.sizes = sizes + 6, call.scalars = scalars;
  call.heads = ${shape.heads}, call.groups = ${shape.groups}, call.d = ${shape.d}, call.e = ${shape.e};
  call.regions = ${node.regions.length}, call.scale = ${realLiteral(node.scale)};
  call.scored = ${isPlainScore(node) ? 0 : 1};
${joinFragments(lines, c``)}`;
  return { text, next: at };
}

/** Keys before the text take their logits from the queries of the first region. */
const earlyRegion = 0;

const coreSizes = (shape: Shape, slots: AttentionSlots): readonly Size[] => [
  shape.batch,
  shape.queries,
  shape.keys,
  shape.start,
  "threads",
  shape.early,
  ...slots.sizes,
];

const functions = (entry: Fragment, node: AnyAttention): Fragment =>
  node.regions.length > 1
    ? c`  call.see = see_${entry}, call.region = region_${entry};\n`
    : c`  call.see = see_${entry};\n`;

/** The kernel of an attention node. Buffers: operands, output, log-sum-exp, scratch. */
export function attentionKernel(node: AttentionNode): NodeKernel {
  refuseUnprintable(node);
  const shape = shapeOf(node);
  const slots = new AttentionSlots();
  const pairs = pairsOf(node, slots);
  const regions = node.regions.length;
  const { d, e } = shape;
  const fixed = block * (regions * d + 2 * e + regions * block + 3);
  const print = (entry: Fragment): Fragment => {
    const core = printCore(node, shape);
    return c`${skeleton}${printKnown(pairs, entry)}${printScore(pairs, entry)}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
${core.text}${functions(entry, node)}  call.score = score_${entry};
  call.output = buffers[${core.next}], call.lse = buffers[${core.next + 1}];
  call.scratch = buffers[${core.next + 2}];
  call.per_thread = ${fixed} + (call.keys + 15) / 16 * 16;
  lctx_attention_forward(&call);
}
`;
  };
  const kernel = namedKernel("attention", [], print);
  return {
    kernel,
    sizes: coreSizes(shape, slots),
    scalars: slots.scalars,
    scratch: { elements: times("threads", plus(fixed + 16, shape.keys)) },
  };
}

/** The kernel of an attention's gradient. Buffers: operands, gradients in the order of the node's results, scratch. */
export function attentionGradientKernel(node: AttentionGradientNode): NodeKernel {
  refuseUnprintable(node);
  const shape = shapeOf(node);
  const slots = new AttentionSlots();
  const pairs = pairsOf(node, slots);
  const regions = node.regions.length;
  const { d, e, heads, groups } = shape;
  const perQuery = regions * (2 * d + padded(d)) + e + padded(e) + 2;
  const perKey = regions * (d + padded(d)) + e + padded(e);
  const atOnce = Math.max(1, Math.min(mostKeyBlocks, Math.floor(keyBlockFloats / (block * perKey))));
  const fixed = block * (perQuery + atOnce * perKey + (regions + 1) * block);
  const tables = node.bufferGradients.map(({ buffer }) => {
    const { sizes, extents } = pairs.tables[buffer]!;
    return { elements: times(...sizes), count: joinFragments([c`1`, ...extents], c` * `) };
  });
  if (tables.length > 16) throw new Error(`${node.site}: at most 16 tables of an attention can be trained`);

  const print = (entry: Fragment): Fragment => {
    const core = printCore(node, shape);
    const lines: Fragment[] = [];
    let at = core.next;
    const set = (field: Fragment): number => lines.push(c`  call.${field} = buffers[${at++}];\n`);
    [c`out_read`, c`lse_read`, c`out_gradient`].forEach(set);
    node.regions.forEach((_, r) => {
      set(c`query_gradient[${r}]`);
      set(c`key_gradient[${r}]`);
    });
    set(c`value_gradient`);
    const firstTable = at;
    at += tables.length;
    if (node.prepended !== null) {
      set(c`early_key_gradient`);
      set(c`early_value_gradient`);
    }
    const offsets = tables.map(
      ({ count }, n) => c`  offsets[${n}] = call.share_size;\n  call.share_size += (${count} + 7) / 8 * 8;\n`,
    );
    const sums = tables.map(
      ({ count }, n) => c`  lctx_sum_shares(a, ${n}, buffers[${firstTable + n}], ${count});\n`,
    );
    return c`${skeleton}${printKnown(pairs, entry)}${printSlope(pairs, node, entry)}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
${core.text}${functions(entry, node)}  call.slope = slope_${entry};
${joinFragments(lines, c``)}  int64_t offsets[${tables.length + 1}];
  const lctx_attention *a = &call;
  (void)a;
${joinFragments(offsets, c``)}  call.tables_with_gradient = ${tables.length}, call.keys_at_once = ${atOnce};
  call.share_offset = offsets;
  call.share_base = buffers[${at}];
  call.scratch = (float *)buffers[${at}] + ${2 * shareCount} * call.share_size;
  call.per_thread = ${fixed} + (call.keys + call.queries + 15) / 16 * 16;
  call.packed_base = call.scratch + call.threads * call.per_thread;
  lctx_attention_backward(&call);
${joinFragments(sums, c``)}}
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
        ...tables.map(({ elements }) => times(2 * shareCount, plus(elements, 8))),
        times("threads", plus(fixed + 16, shape.keys, shape.queries)),
        times(shape.batch, heads, rows),
        times("threads", heads / groups, rows),
      ),
    },
  };
}
