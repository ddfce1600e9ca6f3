/** Kernels of attention with weights or turned queries, and of its gradient: tiles of whole blocks of keys. */
import type { Size } from "../../../../runtime/program.ts";
import type { AttentionGradientNode } from "../../../ir/graph.ts";
import { c, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { seenBy, weightOf, type WeighedNode } from "../../../ir/weighed.ts";
import { namedKernel } from "../kernel-names.ts";
import type { NodeKernel } from "../node-kernel.ts";
import { rotateText } from "../rotate.ts";
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
  type Shape,
} from "./attention-entry.ts";
import { AttentionSlots, isPlainScore, pairsOf, printKnown } from "./print-pairs.ts";
import { printSink, printSinkSlope, printTurns } from "./print-rows.ts";
import { printScoreGradients, printScores, printSlopes, printWeights } from "./print-weights.ts";
import { sinkText } from "./sink-text.ts";
import { tileText } from "./tile-text.ts";
import { weightedBackwardText } from "./weighted-backward-text.ts";
import { weightedForwardText } from "./weighted-forward-text.ts";

export const tiledSkeleton: Fragment = c`${skeleton}${rotateText}
#ifndef LCTX_WEIGHTED
#define LCTX_WEIGHTED
${joinFragments([tileText, weightedForwardText, weightedBackwardText], c``)}
#endif
`;

/** Turns cost as much as some tens of keys, so tiles of larger blocks are worth their memory up to here. */
const mostTurned = 256;

interface Tiles {
  /** Keys of a tile, a multiple of the block. */
  readonly keys: number;
  /** Keys of a block of the weight; those of a tile when it has none. */
  readonly block: number;
  /** Rows of an area: the tile's keys up to a multiple of four, with room for a last group of a turn. */
  readonly rows: number;
  readonly turned: boolean;
}

function tilesOf(node: WeighedNode): Tiles {
  const size = node.weight?.block?.size ?? null;
  const turns = node.regions.flatMap(({ turn }) => (turn === null ? [] : [turn.by]));
  const whole = (of: number): number => (of >= block ? of : Math.floor(block / of) * of);
  const turned = turns.length > 0;
  const wanted = size ?? turns.find((by) => by <= mostTurned) ?? block;
  const keys = whole(wanted);
  return { keys, block: size ?? keys, rows: Math.ceil(keys / 4) * 4 + (turned ? 4 : 0), turned };
}

/** Floats of turned queries and what goes with them. */
const turningFloats = (tiles: Tiles, d: number): number =>
  tiles.turned ? block * (6 * padded(d) + tiles.rows) : 0;

/** The part of the entries that both directions share: the call, then the tiles around it. */
function printWhole(node: WeighedNode, tiles: Tiles, sets: readonly Fragment[]): Fragment {
  const weight = weightOf(node);
  return c`  lctx_weighted whole = {0};
  whole.tile = ${tiles.keys}, whole.block = ${tiles.block}, whole.area = ${block * tiles.rows};
  whole.of_row = ${weight.row === null ? 0 : 1}, whole.of_block = ${weight.block?.inner ? 1 : 0}, whole.turned = ${tiles.turned ? 1 : 0};
${joinFragments(sets, c``)}  whole.core = call;
`;
}

/** The kernel of an attention node with a weight or turns. Buffers: operands, output, log-sum-exp, scratch. */
export function weightedKernel(node: WeighedNode): NodeKernel {
  const shape = shapeOf(node);
  const slots = new AttentionSlots();
  const pairs = pairsOf(node, slots);
  const tiles = tilesOf(node);
  const regions = node.regions.length;
  const { d, e } = shape;
  const values = Math.max(tiles.rows, block) * e;
  const areas = (regions * Math.max(tiles.rows, block) + 2 * tiles.rows) * block;
  const fixed = block * (regions * d + e + 3) + areas + values + turningFloats(tiles, d);
  const print = (entry: Fragment): Fragment => {
    const core = printCore(node, shape, !isPlainScore(node));
    // Without values there is no output: the log-sum-exp comes first.
    const output = node.value === null ? c`` : c`call.output = buffers[${core.next}], `;
    const next = core.next + (node.value === null ? 0 : 1);
    const turns = printTurns(node, pairs, entry);
    const sink = node.sink === null ? c`` : printSink(pairs, node.sink, entry);
    const setSink = node.sink === null ? c`` : c`  whole.sink = sink_${entry};\n`;
    return c`${tiledSkeleton}${printKnown(pairs, entry, seenBy(node))}${printScores(pairs, entry)}${printWeights(pairs, entry)}${turns.text}${sink}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
${core.text}${functions(entry, node)}  const lctx_attention *a = &call;
  (void)a;
  ${output}call.lse = buffers[${next}];
  call.scratch = buffers[${next + 1}];
  call.per_thread = ${Math.ceil(fixed / 16) * 16} + (call.keys + 15) / 16 * 16;
${printWhole(node, tiles, [turns.set, setSink])}  whole.scores = scores_${entry}, whole.weights = weights_${entry};
  lctx_weighted_forward(&whole);
}
`;
  };
  const kernel = namedKernel("attention", [], print);
  return {
    kernel,
    sizes: coreSizes(shape, slots),
    scalars: slots.scalars,
    scratch: { elements: times("threads", plus(fixed + 32, shape.keys)) },
  };
}

/** Floats of a thread of the backward: a tile of keys, or what plain attention's kernels need for keys before the text. */
function threadFloats(node: WeighedNode, shape: Shape, tiles: Tiles, perQuery: number): number {
  const regions = node.regions.length;
  const { d, e } = shape;
  const perKey = regions * (d + padded(d)) + e + padded(e);
  const own = tiles.rows * (block * (regions + 6) + perKey) + turningFloats(tiles, d);
  const early = block * (perQuery + perKey + (regions + 1) * block);
  return Math.ceil(Math.max(own, early) / 16) * 16;
}

/** The kernel of its gradient. Buffers: operands, gradients in the order of the node's results, scratch. */
export function weightedGradientKernel(node: AttentionGradientNode): NodeKernel {
  const shape = shapeOf(node);
  const slots = new AttentionSlots();
  const pairs = pairsOf(node, slots);
  const tiles = tilesOf(node);
  const regions = node.regions.length;
  const { d, e, heads, groups } = shape;
  const perQuery = regions * (2 * d + padded(d)) + e + padded(e) + 2;
  const fixed = threadFloats(node, shape, tiles, perQuery);
  const core = printCore(node, shape, !isPlainScore(node));
  const gradients = printGradients(node, core.next);
  const tables = tableShares(node, shape.batch, pairs, gradients.firstTable);
  const learnsSink = node.bufferGradients.some(({ loads }) => loads.some(({ part }) => part === "sink"));

  const print = (entry: Fragment): Fragment => {
    const turns = printTurns(node, pairs, entry);
    const sinks = learnsSink
      ? {
          text: c`${sinkText}${printSinkSlope(pairs, node, entry)}`,
          after: c`  lctx_sinks sinks = {.a = &whole.core, .slope = sink_slope_${entry}};\n  lctx_sink_backward(&sinks);\n`,
        }
      : { text: c``, after: c`` };
    return c`${tiledSkeleton}${printKnown(pairs, entry, seenBy(node))}${printScores(pairs, entry)}${printSlopes(pairs, node, entry)}${printScoreGradients(pairs, node, entry)}${turns.text}${sinks.text}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
${core.text}${functions(entry, node)}${gradients.text}  int64_t offsets[${tables.kept}];
  const lctx_attention *a = &call;
  (void)a;
${tables.offsets}  call.tables_with_gradient = ${tables.count}, call.keys_at_once = 1;
  call.share_offset = offsets;
  call.share_base = buffers[${gradients.scratch}];
  call.scratch = (float *)buffers[${gradients.scratch}] + ${2 * shareCount} * call.share_size;
  call.per_thread = ${fixed} + (call.keys + call.queries + 15) / 16 * 16;
  call.packed_base = call.scratch + call.threads * call.per_thread;
${printWhole(node, tiles, [turns.set])}  whole.scores = scores_${entry}, whole.slopes = slopes_${entry}, whole.gradients = gradients_${entry};
  lctx_weighted_backward(&whole);
  a = &whole.core;
${sinks.after}${tables.sums}}
`;
  };
  const kernel = namedKernel("attention_gradient", [], print);
  const rows: Size = times(plus(shape.queries, block), perQuery);
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
