/** The parts that entries of all attention kernels share: sizes of operands, filling in a call, table gradients. */
import type { Size } from "../../../../runtime/program.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import { isTokenAxis } from "../../../ir/graph-axes.ts";
import type { AttentionGradientNode, AttentionNode, PairCore } from "../../../ir/graph.ts";
import { c, joinFragments, realLiteral, type Fragment } from "../../../ir/kernel.ts";
import { fixedExtent, plus, times } from "../sizes.ts";
import { backwardText } from "./backward-text.ts";
import { foldText } from "./fold-text.ts";
import { forwardText } from "./forward-text.ts";
import type { AttentionSlots, Pairs } from "./print-pairs.ts";
import { productsText } from "./products-text.ts";
import { rangesText } from "./ranges-text.ts";

/** Queries and keys of a block in the C skeleton. */
export const block = 64;
/** Shares of the table gradients, whatever the number of threads. */
export const shareCount = 16;
/** More lanes than any target has, in floats: paddings are counted with it. */
const mostLanes = 16;

export const skeleton: Fragment = c`
#ifndef LCTX_ATTENTION
#define LCTX_ATTENTION
${joinFragments([productsText, forwardText, backwardText, foldText, rangesText], c``)}
#endif
`;

export const padded = (n: number): number => Math.ceil(n / mostLanes) * mostLanes;

/** What a call of the skeleton is made from: attention, its gradient, or a node without values. */
export interface CalledNode extends PairCore {
  readonly site: string;
  readonly value: AttentionNode["value"] | null;
  readonly prepended: AttentionNode["prepended"];
}

export interface Shape {
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

export function shapeOf(node: CalledNode): Shape {
  const query = node.regions[0]!.query.axes;
  const key = node.regions[0]!.key.axes;
  const what = node.site;
  const heads = fixedExtent(query[2]!, what);
  const groups = fixedExtent(key[2]!, what);
  if (heads % groups !== 0) throw new Error(`${what}: ${heads} heads are no multiple of ${groups}`);
  return {
    heads,
    groups,
    d: fixedExtent(query[3]!, what),
    e: node.value === null ? 0 : fixedExtent(node.value.axes[3]!, what),
    batch: axisExtent(query[0]!.size),
    start: isTokenAxis(query[1]!) ? "query-start" : 0,
    queries: axisExtent(query[1]!.size),
    keys: axisExtent(key[1]!.size),
    early: node.prepended === null ? 0 : axisExtent(node.prepended.key.axes[0]!.size),
  };
}

/** The part of the entry that all share, and the first buffer after the operands of the core. */
export function printCore(
  node: CalledNode,
  shape: Shape,
  scored: boolean,
): { readonly text: Fragment; readonly next: number } {
  const lines: Fragment[] = [];
  let at = 0;
  const set = (field: Fragment, value: Fragment): number => lines.push(c`  call.${field} = ${value};\n`);
  node.regions.forEach((_, r) => {
    set(c`query[${r}]`, c`buffers[${at++}]`);
    set(c`key[${r}]`, c`buffers[${at++}]`);
  });
  if (node.value !== null) set(c`value`, c`buffers[${at++}]`);
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
  call.scored = ${scored ? 1 : 0};
${joinFragments(lines, c``)}`;
  return { text, next: at };
}

/** Keys before the text take their logits from the queries of the first region. */
const earlyRegion = 0;

/** Sizes of a call, then those that its expressions read. */
export const coreSizes = (shape: Shape, slots: AttentionSlots): readonly Size[] => [
  shape.batch,
  shape.queries,
  shape.keys,
  shape.start,
  "threads",
  shape.early,
  ...slots.sizes,
];

/** Sets the functions that say which pairs are seen. */
export const functions = (entry: Fragment, node: Pick<PairCore, "regions">): Fragment =>
  node.regions.length > 1
    ? c`  call.see = see_${entry}, call.region = region_${entry};\n`
    : c`  call.see = see_${entry};\n`;

/** Statements that set where gradients go, from buffer `next` on, and the buffers of tables and scratch. */
export function printGradients(
  node: AttentionGradientNode,
  next: number,
): { readonly text: Fragment; readonly firstTable: number; readonly scratch: number } {
  const lines: Fragment[] = [];
  let at = next;
  const set = (field: Fragment): number => lines.push(c`  call.${field} = buffers[${at++}];\n`);
  [c`out_read`, c`lse_read`, c`out_gradient`].forEach(set);
  node.regions.forEach((_, r) => {
    set(c`query_gradient[${r}]`);
    set(c`key_gradient[${r}]`);
  });
  set(c`value_gradient`);
  const firstTable = at;
  at += node.bufferGradients.length;
  if (node.prepended !== null) {
    set(c`early_key_gradient`);
    set(c`early_value_gradient`);
  }
  return { text: joinFragments(lines, c``), firstTable, scratch: at };
}

/**
 * Rows of the batch that a share may touch: shares are equal runs of items, the rows of the batch one after another, so
 * that a share begins at row ⌊share · batch / shares⌋ and reaches into the next at most.
 */
const shareRows = (batch: Size): Size =>
  plus(["ceil-div", batch, shareCount], ["ceil-div", plus(batch, -1), 2 ** 30]);

/**
 * Statements around the shares in which gradients of tables are summed, the floats that these take, and how many numbers
 * the statements keep in `offsets`.
 */
export function tableShares(node: AttentionGradientNode, batch: Size, pairs: Pairs, firstTable: number) {
  const tables = node.bufferGradients.map(({ buffer }) => {
    const { sizes, extents, batched } = pairs.tables[buffer]!;
    const product = (parts: readonly Fragment[]): Fragment => joinFragments([c`1`, ...parts], c` * `);
    return {
      batched,
      elements: times(...(batched ? [shareRows(batch)] : []), ...sizes),
      row: product(extents),
      count: product([...(batched ? [c`a->batch`] : []), ...extents]),
      held: product([...(batched ? [c`lctx_share_rows(a)`] : []), ...extents]),
    };
  });
  if (tables.length > 16) throw new Error(`${node.site}: at most 16 tables of an attention can be trained`);
  const some = tables.some(({ batched }) => batched);
  const offsets = tables.map(
    ({ held, batched, row }, n) =>
      c`  offsets[${n}] = call.share_size;\n  call.share_size += (${held} + 7) / 8 * 8;\n${
        some ? c`  offsets[${tables.length + n}] = ${batched ? row : c`0`};\n` : c``
      }`,
  );
  const sums = tables.map(
    ({ count }, n) => c`  lctx_sum_shares(a, ${n}, buffers[${firstTable + n}], ${count});\n`,
  );
  return {
    count: tables.length,
    kept: (some ? 2 : 1) * tables.length + 1,
    offsets: joinFragments(
      [...offsets, ...(some ? [c`  call.share_row = offsets + ${tables.length};\n`] : [])],
      c``,
    ),
    sums: joinFragments(sums, c``),
    elements: plus(...tables.map(({ elements }) => times(2 * shareCount, plus(elements, 8)))),
  };
}
