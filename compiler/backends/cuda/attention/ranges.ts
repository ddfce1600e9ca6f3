/** Device text of block ranges: intervals of positions that may be seen, in blocks of the side sought, and walks over them. */
import type { MaskFacts, PositionInterval, PositionRanges } from "../../../ir/block-facts.ts";
import { bool } from "../../../ir/expr.ts";
import { c, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { cudaPrinter, type CudaLeaves } from "../print-expr.ts";

/** More intervals than this are replaced by the one around them. */
const mostIntervals = 8;

/** The intervals that are printed: their own, or the one around them when they are many. */
function intervalsOf({ intervals, hull }: PositionRanges): readonly PositionInterval[] {
  if (intervals.length <= mostIntervals) return intervals;
  return [{ when: bool(true), from: hull.low, to: hull.high }];
}

export const keyText: Fragment = c`
/* The key of a score: a skeleton may bring a type of its own that knows the position as a real number, too. */
#ifndef LCTX_KEY
typedef int lctx_key;
#endif
`;

/** Block ranges [from, to), some empty; they may overlap, and walking them visits each block once. Of few, less is compiled. */
export const rangesText = (known: readonly MaskFacts[]): Fragment => c`
${keyText}#define LCTX_NO_BLOCK 0x7fffffff
#define LCTX_MOST_RANGES ${Math.max(1, ...known.flatMap(({ keys, queries }) => [keys, queries].map((of) => intervalsOf(of).length)))}
struct lctx_ranges {
  int count;
  int from[LCTX_MOST_RANGES], to[LCTX_MOST_RANGES];
};
LCTX_DEVICE int lctx_next_block(const lctx_ranges &r, int from) {
  int next = LCTX_NO_BLOCK;
#pragma unroll
  for (int i = 0; i < LCTX_MOST_RANGES; i++)
    if (i < r.count && from < r.to[i]) next = min(next, max(from, r.from[i]));
  return next;
}
LCTX_DEVICE int lctx_previous_block(const lctx_ranges &r, int from) {
  int previous = -1;
#pragma unroll
  for (int i = 0; i < LCTX_MOST_RANGES; i++)
    if (i < r.count && from >= r.from[i] && r.to[i] > r.from[i]) previous = max(previous, min(from, r.to[i] - 1));
  return previous;
}
`;

/** The intervals around a block of positions of the other side, in blocks of the side sought. */
export function printRanges(
  name: Fragment,
  other: "q" | "k",
  ranges: PositionRanges,
  leaves: CudaLeaves,
): Fragment {
  const printer = cudaPrinter(leaves, "e");
  const intervals = intervalsOf(ranges);
  // Keys count from 0; query rows from the first query of the call.
  const [shift, limit] = other === "q" ? [c`0`, c`p.keys`] : [c`p.start`, c`p.queries`];
  const lines = intervals.map((interval, n) => {
    const when = printer.print(interval.when);
    const [from, to] = [printer.print(interval.from), printer.print(interval.to)];
    return c`${printer.take()}  {
    const int low = max(${from} - ${shift}, 0), high = min(${to} - ${shift}, ${limit} - 1);
    const bool some = ${when} && low <= high;
    r.from[${n}] = some ? low / block : 0;
    r.to[${n}] = some ? high / block + 1 : 0;
  }
`;
  });
  const first = other === "q" ? c`q0` : c`k0`;
  const last = other === "q" ? c`q1` : c`k1`;
  return c`LCTX_DEVICE lctx_ranges ${name}(const lctx_pairs &p, int b, int h, int ${first}, int ${last}, int block) {
  (void)${first}, (void)${last};
  (void)p, (void)b, (void)h;
  lctx_ranges r;
  r.count = ${intervals.length};
${joinFragments(lines, c``)}  return r;
}
`;
}
