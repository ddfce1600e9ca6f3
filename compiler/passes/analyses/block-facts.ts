/** Derives the block facts of an attention from its mask and regions. */
import type { BlockFacts, MaskFacts } from "../../ir/block-facts.ts";
import { and, not, type Expr } from "../../ir/expr.ts";
import type { AttentionCore } from "../../ir/graph.ts";
import { twoLevels } from "../../ir/two-levels.ts";
import { seenBy } from "../../ir/weighed.ts";
import { maskBounds, risingBuffers } from "./mask-bounds.ts";
import { keyRanges, queryRanges, type RangeOptions } from "./position-ranges.ts";

type Core = Pick<AttentionCore, "mask" | "buffers" | "regions"> &
  Partial<Pick<AttentionCore, "score" | "weight">>;

function rangeOptions(core: Core): RangeOptions {
  const rising = risingBuffers(core);
  const find = (name: string): number =>
    core.buffers.findIndex((buffer) => buffer.kind === "input" && buffer.name === name);
  const [ids, starts] = [find("documents"), find("starts")];
  return ids >= 0 && starts >= 0 ? { rising, documents: { ids, starts } } : { rising };
}

const maskFacts = (mask: Expr, options: RangeOptions): MaskFacts => ({
  keys: keyRanges(mask, options),
  queries: queryRanges(mask, options),
  mask: maskBounds(mask, options.rising),
});

/** Where pairs are seen and a region's own: the first region that holds takes a pair. */
const partOf = ({ mask, regions }: Core, n: number): Expr =>
  regions.slice(0, n).reduce((seen, { when }) => and(seen, not(when)), and(mask, regions[n]!.when));

/** Block facts of an attention node or its gradient. */
export function blockFacts(core: Core): BlockFacts {
  const options = rangeOptions(core);
  const several = core.regions.length > 1;
  const weighed =
    core.score === undefined ? null : { ...core, score: core.score, weight: core.weight ?? null };
  const seen = weighed === null ? core.mask : seenBy(weighed);
  const levels = weighed === null ? null : twoLevels(weighed);
  return {
    ...maskFacts(core.mask, options),
    regions: core.regions.slice(0, -1).map(({ when }) => maskBounds(when, options.rising)),
    parts: several ? core.regions.map((_, n) => maskFacts(partOf(core, n), options)) : [],
    counted: seen === core.mask ? null : maskFacts(seen, options),
    far: levels === null ? null : maskBounds(levels.far, options.rising).all,
  };
}
