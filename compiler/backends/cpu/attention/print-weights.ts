/** Prints what a tile of pairs goes through in an attention with weights: scores, weights, and backward their slopes. */
import type { Expr } from "../../../ir/expr.ts";
import type { AttentionGradientNode, LoadingPart } from "../../../ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { rowPart, weightOf, type WeighedNode } from "../../../ir/weighed.ts";
import type { Normaliser, WeightCase } from "../../../ir/weight.ts";
import type { ExprPrinter } from "../print-expr.ts";
import {
  pairPrinter,
  printChoice,
  printLoadGradients,
  printLoops,
  printStore,
  type Pairs,
} from "./print-pairs.ts";

const here = c`j * LCTX_QB + v`;
const none = c`lctx_splat_real(0.0f)`;

/** A function over the pairs of a tile. */
function printTile(
  name: Fragment,
  entry: Fragment,
  pairs: Pairs,
  printer: ExprPrinter,
  choice: Fragment,
  body: Fragment,
): Fragment {
  return c`
static void ${name}_${entry}(const lctx_weighing *y) {
  const lctx_block *x = &y->x;
  const int mixed = x->region < 0, guard = 1;
${printLoops(pairs, printer, choice, c``, body, c`y->w->area`)}}
`;
}

/** Logits to scores of the normalisers: `y->row` and `y->block`. */
export function printScores(pairs: Pairs<WeighedNode>, entry: Fragment): Fragment {
  const weight = weightOf(pairs.node);
  const printer = pairPrinter(pairs);
  const choice = printChoice(pairs.node, printer);
  const store = (of: Normaliser | null, area: Fragment): Fragment => {
    if (of === null) return c``;
    const [guard, score] = [of.guard, of.score].map((e) => printer.spread(printer.print(e)));
    return c`      *(vf *)(y->${area} + ${here}) = lctx_select_real_v(${guard!}, ${score!}, ${none} - LCTX_INF);\n`;
  };
  const body = c`      (void)logit;\n${store(weight.row, c`row`)}${store(weight.block?.inner ?? null, c`block`)}`;
  return printTile(c`scores`, entry, pairs, printer, choice, body);
}

interface PrintedCase {
  readonly of: WeightCase;
  /** Lanes where this case is the one. */
  readonly chosen: Fragment;
  /** Product of the normalisers. */
  readonly shares: Fragment;
  readonly factor: Fragment | null;
  /** The row share's place: an offset, and whether it is in the text. */
  readonly at: Fragment;
  readonly inText: Fragment | null;
}

/** Statements that find each pair's case and its shares. */
function printCases(
  node: WeighedNode,
  printer: ExprPrinter,
): { readonly text: Fragment; readonly cases: readonly PrintedCase[] } {
  const { cases, block } = weightOf(node);
  const mask = printer.spread(printer.print(node.mask));
  const lines: Fragment[] = [c`      (void)logit;\n      vi left = ${mask};\n`];
  // The names of several regions' choices are taken already.
  if (node.regions.length > 1) lines[0] = c`      (void)logit;\n      left = ${mask};\n`;
  if (cases.some(({ row }) => row === "first" || row === "last")) {
    const size = block!.size;
    lines.push(
      c`      const int64_t first = j / ${size} * ${size}, last = first + ${size - 1};\n      (void)last;\n`,
    );
  }
  const printed = cases.map((of, n): PrintedCase => {
    const when = printer.spread(printer.print(of.when));
    const factor = of.factor === null ? null : printer.spread(printer.print(of.factor));
    const [chosen, shares] = [identifier("case", n), identifier("shares", n)];
    const at = of.row === "first" ? c`first` : of.row === "last" ? c`last` : c`j`;
    const inText = of.row === "last" ? c`last < x->keys` : null;
    const row = c`*(const vf *)(y->row + ${at} * LCTX_QB + v)`;
    const parts: Fragment[] = [];
    if (of.row !== null) parts.push(inText === null ? row : c`(${inText} ? ${row} : ${none})`);
    if (of.local) parts.push(c`*(const vf *)(y->block + ${here})`);
    lines.push(c`      const vi ${chosen} = left & ${when};
      left &= ~${chosen};
      const vf ${shares} = ${parts.length === 0 ? c`lctx_splat_real(1.0f)` : joinFragments(parts, c` * `)};
`);
    return { of, chosen, shares, factor, at, inText };
  });
  return { text: joinFragments(lines, c``), cases: printed };
}

const productOf = ({ shares, factor }: PrintedCase): Fragment =>
  factor === null ? shares : c`${shares} * ${factor}`;

/** Forward: shares to weights. */
export function printWeights(pairs: Pairs<WeighedNode>, entry: Fragment): Fragment {
  const printer = pairPrinter(pairs);
  const choice = printChoice(pairs.node, printer);
  const { text, cases } = printCases(pairs.node, printer);
  const picks = cases.map(
    (one) => c`      weight = lctx_select_real_v(${one.chosen}, ${productOf(one)}, weight);\n`,
  );
  const body = c`${text}      vf weight = ${none};\n${joinFragments(picks, c``)}      *(vf *)(y->weight + ${here}) = weight;\n`;
  return printTile(c`weights`, entry, pairs, printer, choice, body);
}

const isZero = (e: Expr): boolean => e.kind === "constant" && e.value === 0;

/** Backward: weight gradients become weights; gradients of the shares' logarithms, and of logits through factors. */
export function printSlopes(pairs: Pairs, node: AttentionGradientNode, entry: Fragment): Fragment {
  const printer = pairPrinter(pairs);
  const choice = printChoice(node, printer);
  const { text, cases } = printCases(node, printer);
  const lines = cases.map((one, n): Fragment => {
    const { of, chosen, shares, at, inText } = one;
    const moved = identifier("moved", n);
    const row =
      of.row === null
        ? c``
        : c`      ${inText === null ? c`` : c`if (${inText}) `}*(vf *)(y->d_row + ${at} * LCTX_QB + v) += ${moved};\n`;
    const move =
      of.row === null && !of.local
        ? c``
        : c`      const vf ${moved} = lctx_select_real_v(${chosen}, weight * dp, ${none});\n`;
    const local = of.local ? c`      local += ${moved};\n` : c``;
    const slope = node.weightSlopes?.factors[n] ?? null;
    const bends =
      slope === null || isZero(slope)
        ? c``
        : c`        ds = lctx_select_real_v(${chosen}, t * ${printer.spread(printer.print(slope))}, ds);\n`;
    const loads = printLoadGradients(pairs, node, n, printer, chosen);
    return c`      weight = lctx_select_real_v(${chosen}, ${productOf(one)}, weight);
${move}${row}${local}      {
        const vf t = ${shares} * dp;
        (void)t;
${bends}${joinFragments(loads, c``)}      }
`;
  });
  const keep = weightOf(node).block?.inner ? c`      *(vf *)(y->d_block + ${here}) = local;\n` : c``;
  const body = c`${text}      const vf dp = *(const vf *)(x->dp + ${here});
      vf weight = ${none}, local = ${none}, ds = ${none};
      (void)local;
${joinFragments(lines, c``)}${keep}      *(vf *)(y->d_logit + ${here}) = ds;
      *(vf *)(x->dp + ${here}) = weight;
`;
  return printTile(c`slopes`, entry, pairs, printer, choice, body);
}

/** Backward: gradients of scores become those of logits, and of what the scores load. */
export function printScoreGradients(pairs: Pairs, node: AttentionGradientNode, entry: Fragment): Fragment {
  const weight = weightOf(node);
  const printer = pairPrinter(pairs);
  const choice = printChoice(node, printer);
  const add = (of: Normaliser | null, area: Fragment, part: LoadingPart, slope: Expr): Fragment => {
    if (of === null) return c``;
    const guard = printer.spread(printer.print(of.guard));
    const steep = printer.spread(printer.print(slope));
    const loads = printLoadGradients(pairs, node, part, printer, guard);
    return c`      {
        const vf t = *(const vf *)(y->${area} + ${here});
        ds += lctx_select_real_v(${guard}, t * ${steep}, ${none});
${joinFragments(loads, c``)}      }
`;
  };
  const row = add(weight.row, c`d_row`, rowPart(node), node.weightSlopes?.row ?? node.scoreSlope);
  const inner = weight.block?.inner ?? null;
  const block = inner === null ? c`` : add(inner, c`d_block`, "block", node.weightSlopes!.block);
  const body = c`      (void)logit;\n      vf ds = *(const vf *)(y->d_logit + ${here});\n${row}${block}${printStore(node)}`;
  return printTile(c`gradients`, entry, pairs, printer, choice, body);
}
