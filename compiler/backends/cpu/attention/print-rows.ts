/** Prints functions of one block of queries: sinks and their slopes, positions and angles of turns. */
import type { Expr } from "../../../ir/expr.ts";
import type { AttentionGradientNode, Turn } from "../../../ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import type { WeighedNode } from "../../../ir/weighed.ts";
import { exprPrinter, type ExprLeaves } from "../print-expr.ts";
import {
  blockScope,
  pairPrinter,
  pairScope,
  printLoadGradients,
  queryScope,
  type Pairs,
} from "./print-pairs.ts";

/** A loop over vectors of queries around `body`, for an expression that needs no key but `k`. */
export function printQueries(pairs: Pairs, of: Expr, store: (value: Fragment) => Fragment): Fragment {
  const printer = pairPrinter(pairs);
  const value = printer.spread(printer.print(of));
  return c`  (void)a, (void)b, (void)h, (void)k;
${printer.take(blockScope)}
  for (int64_t v = 0; v < queries; v += LCTX_LANES) {
    const vi q = lctx_splat_int((int32_t)(q0 + v)) + lctx_lanes();
    (void)q;
${printer.take(queryScope)}${printer.take(pairScope)}${store(value)}  }
`;
}

/** Logarithms of the sink's term for each query. */
export function printSink(pairs: Pairs, sink: Expr, entry: Fragment): Fragment {
  return c`
static void sink_${entry}(const lctx_attention *a, int64_t b, int64_t head, int64_t q0, int64_t queries, float *to) {
  const int32_t h = (int32_t)head, k = 0;
${printQueries(pairs, sink, (value) => c`    *(vf *)(to + v) = ${value};\n`)}}
`;
}

/** Adds to the gradients of what a sink loads; takes log-sum-exp and delta of a block of queries. */
export function printSinkSlope(pairs: Pairs, node: AttentionGradientNode, entry: Fragment): Fragment {
  const printer = pairPrinter(pairs);
  const sink = printer.spread(printer.print(node.sink!));
  const adds = printLoadGradients(pairs, node, "sink", printer, c`lctx_splat_bool(1)`);
  return c`
static void sink_slope_${entry}(const lctx_block *x) {
  const lctx_attention *a = x->a;
  const int64_t b = x->b;
  const int32_t h = (int32_t)x->h;
  const int guard = 0;
  (void)a, (void)b, (void)h;
${printer.take(blockScope)}
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vi q = lctx_splat_int((int32_t)(x->q0 + v)) + lctx_lanes();
    (void)q;
${printer.take(queryScope)}${printer.take(pairScope)}    const vf lse = *(const vf *)(x->lse + v), delta = *(const vf *)(x->delta + v);
    const vf t = -lctx_exp_weight(${sink} - lse) * delta;
${joinFragments(adds, c``)}  }
}
`;
}

/** Positions that queries are turned at for the block of one key, in double. */
function printPosition(pairs: Pairs, turn: Turn, r: number, entry: Fragment): Fragment {
  const lane = turn.position.type === "real" ? c`vf` : c`vi`;
  const store = (value: Fragment): Fragment =>
    c`    const ${lane} at = ${value};\n    for (int64_t i = 0; i < LCTX_LANES; i++) to[v + i] = (double)at[i];\n`;
  return c`
static void ${identifier("turn", r)}_${entry}(const lctx_attention *a, int64_t b, int64_t head, int64_t q0, int64_t queries, int64_t key, double *to) {
  const int32_t h = (int32_t)head, k = (int32_t)(key / ${turn.by} * ${turn.by});
${printQueries(pairs, turn.position, store)}}
`;
}

/** Numbers of an angle table: pairs, up to a multiple of the lanes. */
const roomOf = (turn: Turn): number => Math.max(16, Math.ceil(turn.rotated / 32) * 16);

/** Leaves of an angle law over `m`, in double. */
function lawLeaves({ slots }: Pairs): ExprLeaves {
  const refuse = (what: string) => (): never => {
    throw new Error(`the angle of a turn has no ${what}`);
  };
  return {
    index: (name) => (name === "m" ? { text: c`m`, type: "int", form: "double", scope: 0 } : refuse(name)()),
    size: (name) =>
      name === "length"
        ? { text: slots.size("length"), type: "int", form: "double", scope: 0 }
        : refuse(`size ${name}`)(),
    scalar: (name) => ({ text: c`((double)${slots.scalar(name)})`, type: "real", form: "double", scope: 0 }),
    logit: refuse("logit"),
    operand: refuse("operands"),
    load: refuse("tables"),
    uniform: refuse("random numbers"),
  };
}

/** Functions of a node's turns, and the statements that fill them into `whole.turn`, where `a` is the call. */
export function printTurns(
  node: Pick<WeighedNode, "regions">,
  pairs: Pairs,
  entry: Fragment,
): { readonly text: Fragment; readonly set: Fragment } {
  const texts: Fragment[] = [];
  const sets: Fragment[] = [];
  node.regions.forEach(({ turn }, r) => {
    if (turn === null) return;
    texts.push(printPosition(pairs, turn, r, entry));
    const law = exprPrinter(lawLeaves(pairs), "law", "double");
    const [angle, scale] = [law.print(turn.angle), law.print(turn.scale)];
    const [angles, factors] = [identifier("angle", r), identifier("factor", r)];
    sets.push(c`  double ${angles}[${roomOf(turn)}] = {0}, ${factors}[${roomOf(turn)}] = {0};
  for (int64_t m = 0; m < ${turn.rotated / 2}; m++) {
${law.take(0)}    ${angles}[m] = (double)${angle.text}, ${factors}[m] = (double)${scale.text};
  }
  whole.turn[${r}] = (lctx_turn){.by = ${turn.by}, .rotated = ${turn.rotated}, .interleaved = ${turn.layout === "half" ? 0 : 1},
                                 .position = ${identifier("turn", r)}_${entry}, .angle = ${angles}, .factor = ${factors}};
`);
  });
  return { text: joinFragments(texts, c``), set: joinFragments(sets, c``) };
}
