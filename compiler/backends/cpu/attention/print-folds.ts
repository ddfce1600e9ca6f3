/** Prints what a block of pairs adds to a fold, and how a selection's candidates are ranked. */
import { int, type Expr } from "../../../ir/expr.ts";
import type { PairReduceNode, SelectNode } from "../../../ir/graph-pairs.ts";
import { c, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import {
  pairPrinter,
  printChoice,
  printLoops,
  printVariants,
  type Pairs,
  type PrintedNode,
} from "./print-pairs.ts";
import { printQueries } from "./print-rows.ts";

type Op = PairReduceNode["op"];

/** What a fold starts from, and how it takes in one more number; what is not a number stays. */
export const foldOps: {
  readonly [K in Op]: { readonly start: Fragment; readonly take: (to: Fragment, x: Fragment) => Fragment };
} = {
  sum: { start: c`0.0`, take: (to, x) => c`${to} += ${x};` },
  max: {
    start: c`(-(double)LCTX_INF)`,
    take: (to, x) => c`if (${x} > ${to} || ${x} != ${x}) ${to} = ${x};`,
  },
  min: { start: c`((double)LCTX_INF)`, take: (to, x) => c`if (${x} < ${to} || ${x} != ${x}) ${to} = ${x};` },
};

/** Folds the bodies of a block's pairs into `x->shares[0]`, an area of the given extents. */
export function printFold(
  pairs: Pairs<PairReduceNode & PrintedNode>,
  extents: readonly Fragment[],
  entry: Fragment,
): Fragment {
  const { node } = pairs;
  const printer = pairPrinter(pairs);
  const choice = printChoice(node, printer);
  const mask = printer.spread(printer.print(node.mask));
  const body = printer.spread(printer.print(node.body));
  const targets = node.targets.map((target) => printer.print(target));
  const lanes = targets.some(({ form }) => form === "lanes");
  const inside = targets.map((value, n) => {
    const text = lanes ? printer.spread(value) : value.text;
    return c`(${text} >= 0) & (${text} < (int32_t)(${extents[n]!}))`;
  });
  const flat = targets.reduce<Fragment>(
    (at, value, n) => c`(${at} * (int32_t)(${extents[n]!}) + ${lanes ? printer.spread(value) : value.text})`,
    lanes ? c`lctx_splat_int(0)` : c`0`,
  );
  const all = joinFragments([lanes ? c`lctx_splat_bool(1)` : c`1`, ...inside], c` & `);
  const add = lanes
    ? c`      seen &= ${all};
      const vi at = ${flat};
      for (int i = 0; i < LCTX_LANES; i++)
        if (seen[i]) {
          const double one = (double)y[i];
          ${foldOps[node.op].take(c`to[at[i]]`, c`one`)}
        }
`
    : c`      if (${all}) {
        double *one_to = to + ${flat};
        for (int i = 0; i < LCTX_LANES; i++)
          if (seen[i]) {
            const double one = (double)y[i];
            ${foldOps[node.op].take(c`*one_to`, c`one`)}
          }
      }
`;
  const declare = c`    const vi live = lctx_lanes() < lctx_splat_int((int32_t)lctx_least(LCTX_LANES, x->queries - v));
    double *to = x->shares[0];
`;
  const text = c`      (void)logit;
      const vf y = ${body};
      vi seen = live;
      if (guard) seen &= ${mask};
${add}`;
  return printVariants(
    c`fold`,
    entry,
    node.regions.length > 1,
    printLoops(pairs, printer, choice, declare, text),
  );
}

/** Writes each candidate's rank to `x->dp`, and the function that says how many a row takes. */
export function printRanks(pairs: Pairs<PrintedNode>, node: SelectNode, entry: Fragment): Fragment {
  const printer = pairPrinter(pairs);
  const choice = printChoice(pairs.node, printer);
  const spread = (e: Expr): Fragment => printer.spread(printer.print(e));
  const [where, always, body] = [node.where, node.always, node.body].map(spread) as [
    Fragment,
    Fragment,
    Fragment,
  ];
  // Above a threshold nothing is sorted: candidates are chosen in any case, or not at all.
  const rank =
    node.choose.kind === "top"
      ? c`lctx_select_int_v(${always}, lctx_splat_int(-1), lctx_sortable(${body}))`
      : c`(${always} | (${body} > ${spread(node.choose.threshold)}))`;
  const text = c`      (void)logit;
      vi rank = ${rank};
      if (guard) rank &= ${where};
      *(vi *)(x->dp + j * LCTX_QB + v) = rank;
`;
  const count = node.choose.kind === "top" ? node.choose.count : int(0);
  const store = (value: Fragment): Fragment => c`    *(vi *)(to + v) = ${value};\n`;
  return c`${printVariants(c`rank`, entry, false, printLoops(pairs, printer, choice, c``, text))}
static void amount_${entry}(const lctx_attention *a, int64_t b, int64_t head, int64_t q0, int64_t queries, int32_t *to) {
  const int32_t h = (int32_t)head, k = 0;
${printQueries(pairs, count, store)}}
`;
}
