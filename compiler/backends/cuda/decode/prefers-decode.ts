/** Chooses between the forward kernel of many queries and the one that splits a long cache of keys. */
import type { AttentionNode, AxisSize } from "../../../ir/graph.ts";

/** Sizes that an attention is launched with. */
export interface AttentionSizes {
  readonly batch: number;
  readonly length: number;
}

/** Most query rows (of one head) and fewest keys for which the decode path is taken. */
export const decodeLimits = { queries: 16, keys: 256 } as const;

const sizeOf = (size: AxisSize, sizes: AttentionSizes): number =>
  size.kind === "fixed"
    ? size.value
    : size.kind === "batch"
      ? sizes.batch
      : Math.ceil((sizes.length + size.plus) / size.by);

/**
 * True where splitting keys over blocks pays. The forward kernel has tiles of 64 rows of one head: up to 16 queries
 * leave three quarters of them empty, read keys once for each query head, and start only batch · heads blocks. With
 * fewer than 256 keys there is nothing to split, and the second launch costs more than it saves.
 */
export function prefersDecode(node: AttentionNode, sizes: AttentionSizes): boolean {
  const queries = sizeOf(node.regions[0]!.query.axes[1]!.size, sizes);
  const keys = sizeOf(node.value.axes[1]!.size, sizes);
  return queries <= decodeLimits.queries && keys >= decodeLimits.keys;
}
