/** Prints what a block of query-key pairs goes through: choice of region, score, mask and, backward, their slopes. */
import type { Size } from "../../../../runtime/program.ts";
import { someExpr, type Expr } from "../../../ir/expr.ts";
import type { AttentionGradientNode, AttentionNode, LoadingPart, Node, Region } from "../../../ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { exprPrinter, type ExprLeaves, type ExprPrinter, type PrintedValue } from "../print-expr.ts";
import { mapWeight } from "../../../ir/weight.ts";
import { printRanges } from "./print-ranges.ts";
import { attentionTables, flatIndex, loadElement, readSet, type AttentionTable } from "./tables.ts";

export type AnyAttention = AttentionNode | AttentionGradientNode;

/** What is printed of any node over pairs. */
export interface PrintedNode {
  readonly site: string;
  readonly regions: readonly Pick<Region, "when">[];
  readonly mask: Expr;
  readonly buffers: readonly Node[];
}
/** The same with a score. */
export interface ScoredNode extends PrintedNode {
  readonly score: Expr;
}

/** Loops of the printed functions, by scope: statements of the whole block, of one vector of queries, of one key with it. */
export const blockScope = 0;
export const queryScope = 1;
export const pairScope = 2;

/** Where `a->sizes` and `a->scalars` keep what expressions read, in the order asked. */
export class AttentionSlots {
  readonly sizes: Size[] = [];
  readonly scalars: string[] = [];

  readonly size = (size: Size): Fragment => {
    const key = JSON.stringify(size);
    let at = this.sizes.findIndex((known) => JSON.stringify(known) === key);
    if (at < 0) at = this.sizes.push(size) - 1;
    return c`a->sizes[${at}]`;
  };

  readonly scalar = (name: string): Fragment => {
    let at = this.scalars.indexOf(name);
    if (at < 0) at = this.scalars.push(name) - 1;
    return c`a->scalars[${at}]`;
  };
}

function sizeText(name: string, slots: AttentionSlots): Fragment {
  switch (name) {
    case "batch":
      return c`a->batch`;
    case "length":
      return slots.size("length");
    case "query-length":
      return c`a->queries`;
    case "query-start":
      return c`a->start`;
    case "step":
      return slots.scalar("step");
    default:
      throw new Error(`attention has no size ${name}`);
  }
}

export interface Pairs<N extends PrintedNode = PrintedNode> {
  readonly node: N;
  readonly slots: AttentionSlots;
  readonly tables: readonly AttentionTable[];
}

export function pairsOf<N extends PrintedNode>(node: N, slots: AttentionSlots): Pairs<N> {
  return { node, slots, tables: attentionTables(node.buffers, slots.size) };
}

/** A printer of expressions over a vector of pairs. */
export function pairPrinter({ slots, tables }: Pairs): ExprPrinter {
  const whole = (text: Fragment, scope: number): PrintedValue => ({
    text,
    type: "int",
    form: "single",
    scope,
  });
  let printer: ExprPrinter | null = null;
  const leaves: ExprLeaves = {
    index: (name) => {
      if (name === "q") return { text: c`q`, type: "int", form: "lanes", scope: queryScope };
      if (name === "k") return whole(c`k`, pairScope);
      if (name === "h") return whole(c`h`, blockScope);
      throw new Error(`attention has no index ${name}`);
    },
    size: (name) => whole(c`((int32_t)(${sizeText(name, slots)}))`, blockScope),
    scalar: (name) => ({ text: slots.scalar(name), type: "real", form: "single", scope: blockScope }),
    logit: () => ({ text: c`logit`, type: "real", form: "lanes", scope: pairScope }),
    operand: () => {
      throw new Error("attention expressions have no operands");
    },
    load: (buffer, indices, type) => {
      const table = tables[buffer]!;
      return loadElement(table, printer!.name(flatIndex(table, indices, printer!.spread)), type);
    },
    set: (read, row, element) => readSet(read, tables[read.buffer]!, row, element, printer!),
    uniform: () => {
      throw new Error("random numbers inside attention are not supported: use them on its input or output");
    },
  };
  printer = exprPrinter(leaves, "e");
  return printer;
}

/** `see`: whether a rectangle of pairs is hidden, seen or mixed (`sees` holds); `region`: which region it lies in. */
export function printKnown(pairs: Pairs, entry: Fragment, sees: Expr = pairs.node.mask): Fragment {
  const { node, slots, tables } = pairs;
  const leaves = { size: (name: string) => sizeText(name, slots), scalar: slots.scalar, tables };
  const head = (name: Fragment): Fragment => c`
static int ${name}_${entry}(const lctx_attention *a, int64_t b, int64_t h, int64_t q0, int64_t q1, int64_t k0, int64_t k1) {
  (void)a, (void)b, (void)h, (void)q0, (void)q1, (void)k0, (void)k1;
`;
  const mask = printRanges([sees], leaves);
  const seen = mask.names[0]!;
  const see = c`${head(c`see`)}${mask.statements}  return ${seen}.low >= 1.0 ? 2 : ${seen}.high <= 0.0 ? 0 : 1;\n}\n`;
  if (node.regions.length === 1) return see;
  const when = printRanges(
    node.regions.slice(0, -1).map((region) => region.when),
    leaves,
  );
  const choices = when.names.map(
    (name, n) => c`  if (${name}.low >= 1.0) return ${n};\n  if (${name}.high > 0.0) return -1;\n`,
  );
  return c`${see}${head(c`region`)}${when.statements}${joinFragments(choices, c``)}  return ${node.regions.length - 1};\n}\n`;
}

/** True when the score is the logit itself. */
export const isPlainScore = (node: ScoredNode): boolean => node.score.kind === "logit";

/** Statements that choose the logit: `logit`, and with several regions `chosen_r`. */
export function printChoice(node: PrintedNode, printer: ExprPrinter): Fragment {
  const count = node.regions.length;
  const own = c`      vf logit = *(const vf *)(s + j * LCTX_QB + v);\n`;
  if (count === 1) return own;
  const when = node.regions.slice(0, -1).map((region) => printer.spread(printer.print(region.when)));
  const lines: Fragment[] = [c`      vi left = lctx_splat_bool(1);\n`];
  node.regions.forEach((_, r) => {
    const chosen = identifier("chosen", r);
    lines.push(
      r < count - 1
        ? c`      const vi ${chosen} = left & ${when[r]!};\n      left &= ~${when[r]!};\n`
        : c`      const vi ${chosen} = left;\n`,
    );
  });
  const picks = node.regions.map(
    (_, r) =>
      c`        logit = lctx_select_real_v(${identifier("chosen", r)}, *(const vf *)(s + ${r} * area + j * LCTX_QB + v), logit);\n`,
  );
  return c`${own}${printer.take(pairScope)}${joinFragments(lines, c``)}      if (mixed) {\n${joinFragments(picks, c``)}      }\n`;
}

/**
 * The loops around the statements of one vector of pairs. `declare` prints what a vector of queries needs; `area` is the
 * number of floats that one region's logits take.
 */
export function printLoops(
  pairs: Pairs,
  printer: ExprPrinter,
  choice: Fragment,
  declare: Fragment,
  body: Fragment,
  area: Fragment = c`LCTX_QB * LCTX_KB`,
): Fragment {
  const several = pairs.node.regions.length > 1;
  return c`  const lctx_attention *a = x->a;
  const int64_t b = x->b, area = ${area};
  const int32_t h = (int32_t)x->h;
  float *s = x->s + ${several ? c`(mixed ? 0 : x->region) * area` : c`0`};
  (void)a, (void)b, (void)h, (void)area, (void)mixed, (void)guard;
${printer.take(blockScope)}
  for (int64_t v = 0; v < x->queries; v += LCTX_LANES) {
    const vi q = lctx_splat_int((int32_t)(x->q0 + v)) + lctx_lanes();
    (void)q;
${declare}${printer.take(queryScope)}
    for (int64_t j = 0; j < x->keys; j++) {
      const int32_t k = (int32_t)(x->k0 + j);
      (void)k;
${choice}${printer.take(pairScope)}${body}    }
  }
`;
}

/** A function and its variants by guard and region; `parts` is the common inline body. */
export function printVariants(name: Fragment, entry: Fragment, several: boolean, parts: Fragment): Fragment {
  const mixed = several ? c`  if (x->region < 0) ${name}_body_${entry}(x, 1, 1);\n  else ` : c`  `;
  return c`
LCTX_INLINE void ${name}_body_${entry}(const lctx_block *x, const int guard, const int mixed) {
${parts}}
static void ${name}_${entry}(const lctx_block *x) {
${mixed}if (x->guard) ${name}_body_${entry}(x, 1, 0);
  else ${name}_body_${entry}(x, 0, 0);
}
`;
}

/** Forward: logits become masked scores in place. */
export function printScore(pairs: Pairs<ScoredNode>, entry: Fragment): Fragment {
  const { node } = pairs;
  const printer = pairPrinter(pairs);
  const choice = printChoice(node, printer);
  const mask = printer.spread(printer.print(node.mask));
  const score = printer.spread(printer.print(node.score));
  const body = c`      vf y = ${score};
      if (guard) y = lctx_select_real_v(${mask}, y, lctx_splat_real(-LCTX_INF));
      *(vf *)(s + j * LCTX_QB + v) = y;
`;
  return printVariants(
    c`score`,
    entry,
    node.regions.length > 1,
    printLoops(pairs, printer, choice, c``, body),
  );
}

/** Adds to the gradient of one table, one load. */
export function printTableGradient(
  table: AttentionTable,
  share: number,
  at: PrintedValue,
  slope: Fragment,
  mask: Fragment,
): Fragment {
  const row = table.batched ? c` + b * ${joinFragments([c`1`, ...table.extents], c` * `)}` : c``;
  const value = c`      if (x->shares) {\n        vf g = t * ${slope};\n        if (guard) g = lctx_select_real_v(${mask}, g, lctx_splat_real(0.0f));\n        double *to = x->shares[${share}]${row};\n`;
  const some = c`lctx_least(LCTX_LANES, x->queries - v)`;
  const add =
    at.form === "lanes"
      ? c`        for (int64_t i = 0; i < ${some}; i++) to[${at.text}[i]] += (double)g[i];\n`
      : c`        for (int64_t i = 0; i < ${some}; i++) to[${at.text}] += (double)g[i];\n`;
  return c`${value}${add}      }\n`;
}

/** Adds `t` times the slopes of what one of the node's expressions loads to the gradients of tables, where `when` holds. */
export function printLoadGradients(
  pairs: Pairs,
  node: AttentionGradientNode,
  part: LoadingPart,
  printer: ExprPrinter,
  when: Fragment,
): readonly Fragment[] {
  return node.bufferGradients.flatMap(({ buffer, loads }, share) =>
    loads
      .filter((load) => load.part === part)
      .map(({ indices, slope }) => {
        const table = pairs.tables[buffer]!;
        const at = printer.name(
          flatIndex(
            table,
            indices.map((e) => printer.print(e)),
            printer.spread,
          ),
        );
        return printTableGradient(table, share, at, printer.spread(printer.print(slope)), when);
      }),
  );
}

/** Stores `ds` as the gradient of the region's logit that was chosen, and 0 for the others. */
export function printStore(node: PrintedNode): Fragment {
  const stores = node.regions.map(
    (_, r) =>
      c`        *(vf *)(s + ${r} * area + j * LCTX_QB + v) = lctx_select_real_v(${identifier("chosen", r)}, ds, lctx_splat_real(0.0f));\n`,
  );
  return node.regions.length > 1
    ? c`      if (mixed) {\n${joinFragments(stores, c``)}      } else *(vf *)(s + j * LCTX_QB + v) = ds;\n`
    : c`      *(vf *)(s + j * LCTX_QB + v) = ds;\n`;
}

/** Backward: logits become their gradients in place, weight gradients become weights. */
export function printSlope(pairs: Pairs<ScoredNode>, node: AttentionGradientNode, entry: Fragment): Fragment {
  const printer = pairPrinter(pairs);
  const choice = printChoice(node, printer);
  const mask = printer.spread(printer.print(node.mask));
  const score = printer.spread(printer.print(node.score));
  const slope = printer.spread(printer.print(node.scoreSlope));
  const gradients = printLoadGradients(pairs, node, "score", printer, mask);
  const several = node.regions.length > 1;
  const store = printStore(node);
  const declare = c`    const vf lse = *(const vf *)(x->lse + v), delta = *(const vf *)(x->delta + v);\n`;
  const body = c`      vf *dp = (vf *)(x->dp + j * LCTX_QB + v);
      vf y = ${score};
      if (guard) y = lctx_select_real_v(${mask}, y, lctx_splat_real(-LCTX_INF));
      const vf p = lctx_exp_weight(y - lse);
      const vf t = p * (*dp - delta);
      vf ds = t * ${slope};
      if (guard) ds = lctx_select_real_v(${mask}, ds, lctx_splat_real(0.0f));
${joinFragments(gradients, c``)}      *dp = p;
${store}`;
  return printVariants(c`slope`, entry, several, printLoops(pairs, printer, choice, declare, body));
}

/** An attention's expressions beside its mask and regions. */
export function ownExprs(node: AnyAttention): readonly Expr[] {
  const exprs: Expr[] = [node.score];
  if (node.sink !== null) exprs.push(node.sink);
  if (node.weight !== null) mapWeight(node.weight, (e) => (exprs.push(e), e));
  return exprs;
}

/** Refuses what these kernels cannot say. */
export function refuseUnprintable(node: PrintedNode, ...own: readonly Expr[]): void {
  const exprs: readonly Expr[] = [node.mask, ...own, ...node.regions.map((region) => region.when)];
  for (const e of exprs)
    if (someExpr(e, (part) => part.kind === "operand"))
      throw new Error(`${node.site}: attention expressions have no operands`);
  if (node.regions.length > 8) throw new Error(`${node.site}: at most 8 rotation regions are supported`);
}
