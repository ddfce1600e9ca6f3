/** Attention nodes of few queries over a long cache, for the decode bench. */
import * as e from "../../compiler/ir/expr.ts";
import { attentionNode, axis, batchAxis, tokenAxis } from "../../compiler/ir/graph-build.ts";
import type { AttentionNode, Axis, Node } from "../../compiler/ir/graph.ts";

export interface DecodeShape {
  readonly heads: number;
  readonly groups: number;
  readonly depth: number;
  readonly queries: number;
  /** Keys that a query sees, itself included; null: all up to itself. */
  readonly window: number | null;
}

const leaf = (path: string, axes: readonly Axis[]): Node => ({
  kind: "parameter",
  path,
  axes,
  init: { kind: "constant", value: 0 },
  trainable: true,
  dtype: "f32",
  site: path,
  origin: [],
});

/** Causal attention; its queries are the last rows of `length` keys. */
export function decodeNode({ heads, groups, depth, queries, window }: DecodeShape): AttentionNode {
  const [q, k] = [e.index("q"), e.index("k")];
  const causal = e.le(k, q);
  const cache = [batchAxis, tokenAxis, axis("g", groups)];
  return attentionNode(
    {
      regions: [
        {
          query: leaf("query", [batchAxis, axis("t", queries), axis("h", heads), axis("d", depth)]),
          key: leaf("key", [...cache, axis("d", depth)]),
          when: e.bool(true),
        },
      ],
      value: leaf("value", [...cache, axis("e", depth)]),
      mask: window === null ? causal : e.and(causal, e.lt(e.sub(q, k), e.int(window))),
      score: e.logit,
      buffers: [],
      scale: 1 / Math.sqrt(depth),
      prepended: null,
    },
    "attention",
  );
}
