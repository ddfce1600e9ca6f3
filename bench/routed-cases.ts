/** What the routed bench runs: dense causal attention, and choices of blocks of keys for blocks of queries or for each query. */
import * as e from "../compiler/ir/expr.ts";
import { blocksOf, fixedSize, wordsOf } from "../compiler/ir/graph-axes.ts";
import { blockReduceNode, selectNode } from "../compiler/ir/graph-build-pairs.ts";
import { attentionGradientNode, attentionNode, axis } from "../compiler/ir/graph-build.ts";
import type { Axis, DataType, Node } from "../compiler/ir/graph.ts";

export interface RoutedShape {
  readonly length: number;
  readonly heads: number;
  readonly width: number;
  /** Positions of a block. */
  readonly block: number;
}

/** A case's nodes over leaves; `routing` makes the sets, in order, the last one what attention reads. */
export interface RoutedCase {
  readonly name: string;
  readonly rows: "dense" | "blocks" | "tokens";
  /** Blocks that each row takes at most. */
  readonly top: number;
  readonly routing: readonly Node[];
  readonly forward: Node;
  readonly backward: Node;
}

const [q, k, h] = [e.index("q"), e.index("k"), e.index("h")];
const b = axis("b", 1);

const leaf = (path: string, axes: readonly Axis[], dtype: DataType = "f32"): Node => ({
  kind: "parameter",
  path,
  axes,
  init: { kind: "constant", value: 0 },
  trainable: true,
  dtype,
  site: path,
  origin: [],
});

/** Blocks for each row so that the given share of the causal pairs of blocks is chosen, or the least more. */
export function topFor(density: number, blocks: number): number {
  const all = (blocks * (blocks + 1)) / 2;
  let [top, chosen] = [0, 0];
  while (chosen < density * all) {
    chosen += blocks - top;
    top++;
  }
  return top;
}

export function routedCase(shape: RoutedShape, rows: RoutedCase["rows"], density: number): RoutedCase {
  const { length, heads, width, block } = shape;
  const [t, ofHeads, ofGroups] = [axis("t", length), axis("h", heads), axis("g", heads)];
  const d = axis("d", width);
  const size = blocksOf(fixedSize(length), block);
  const blocks = axis("n", size);
  const inBlock = (x: e.Expr): e.Expr => e.binary("floor-div", x, e.int(block));
  const query = leaf("query", [b, t, ofHeads, d]);
  const key = leaf("key", [b, t, ofGroups, d]);
  const top = topFor(density, Math.ceil(length / block));
  const causal = e.le(k, q);
  const scale = 1 / Math.sqrt(width);
  const rowAxis = rows === "blocks" ? blocks : t;
  const ownBlock = rows === "blocks" ? q : inBlock(q);
  const set = leaf(`set of ${rows}`, [b, rowAxis, ofHeads, axis("w", wordsOf(size))], "i32");
  const routing: Node[] = [];
  if (rows !== "dense") {
    const means = leaf("key means", [b, blocks, ofGroups, d]);
    routing.push(blockReduceNode("mean", key, "t", block, "key means", "n"));
    if (rows === "blocks") routing.push(blockReduceNode("mean", query, "t", block, "query means", "n"));
    routing.push(
      selectNode(
        {
          query: rows === "blocks" ? leaf("query means", [b, blocks, ofHeads, d]) : query,
          key: means,
          scale,
          body: e.logit,
          where: e.le(k, ownBlock),
          always: e.eq(k, ownBlock),
          choose: { kind: "top", count: e.int(top) },
          buffers: [],
          candidates: size,
        },
        { rows: rowAxis, heads: ofHeads },
        set.site,
      ),
    );
  }
  const row = rows === "blocks" ? inBlock(q) : q;
  const attention = attentionNode(
    {
      regions: [{ query, key, when: e.bool(true) }],
      value: leaf("value", [b, t, ofGroups, axis("e", width)]),
      mask: rows === "dense" ? causal : e.and(causal, e.member(0, [row, h], inBlock(k))),
      score: e.logit,
      buffers: rows === "dense" ? [] : [set],
      scale,
      prepended: null,
    },
    "output",
  );
  const upstream = leaf("output gradient", attention.axes);
  const slopes = { scoreSlope: e.real(1), bufferGradients: [] };
  const name = rows === "dense" ? "dense causal" : `${rows}, 1/${Math.round(1 / density)}`;
  return {
    name,
    rows,
    top,
    routing,
    forward: attention,
    backward: attentionGradientNode(attention, upstream, slopes, "gradient"),
  };
}

/** How many causal pairs of tiles hold a chosen block, and how many pairs are chosen, as shares of all causal ones. */
export function densityOf(
  { rows }: RoutedCase,
  { length, heads, block }: RoutedShape,
  set: Int32Array,
): { readonly tiles: number; readonly pairs: number } {
  const blocks = Math.ceil(length / block);
  const words = Math.ceil(blocks / 32);
  const has = (row: number, head: number, c: number): boolean =>
    ((set[(row * heads + head) * words + (c >> 5)]! >>> (c & 31)) & 1) === 1;
  let [tiles, allTiles, pairs, allPairs] = [0, 0, 0, 0];
  for (let head = 0; head < heads; head++)
    for (let at = 0; at < blocks; at++)
      for (let c = 0; c <= at; c++) {
        let any = false;
        for (let t = at * block; t < Math.min(length, (at + 1) * block); t++) {
          const seen = Math.min(block, t - c * block + 1);
          const chosen = has(rows === "blocks" ? at : t, head, c);
          allPairs += seen;
          if (chosen) pairs += seen;
          any ||= chosen;
        }
        allTiles++;
        if (any) tiles++;
      }
  return { tiles: tiles / allTiles, pairs: pairs / allPairs };
}
