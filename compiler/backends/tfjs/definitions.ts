/** What an attention, a fold over pairs or a selection is, apart from its tensors: one constant of the module each. */
import type { BlockFacts, Truth } from "../../ir/block-facts.ts";
import { bool, type Expr } from "../../ir/expr.ts";
import type { AttentionCore, AttentionGradientNode, PairCore, Turn } from "../../ir/graph.ts";
import type { NodeOf } from "../../ir/graph-operands.ts";
import { c, joinFragments, scriptNumber, scriptString, type Fragment } from "../../ir/kernel.ts";
import type { Normaliser, Weight } from "../../ir/weight.ts";
import { PairPrinter } from "./print-pairs.ts";
import type { Needed } from "./print-host.ts";

/** Analyses of masks that the backend is given: it may not ask passes itself. */
export interface Analyses {
  readonly facts: (core: PairCore) => BlockFacts;
  readonly truth: (e: Expr, core: PairCore) => Truth;
}

type Field = readonly [name: Fragment, value: Fragment];
const object = (fields: readonly Field[]): Fragment =>
  c`{ ${joinFragments(
    fields.map(([name, value]) => c`${name}: ${value}`),
    c`, `,
  )} }`;
const array = (items: readonly Fragment[]): Fragment => c`[${joinFragments(items, c`, `)}]`;

function turnText(turn: Turn | null, print: PairPrinter): Fragment {
  if (turn === null) return c`null`;
  return object([
    [c`position`, print.pairs(turn.position)],
    [c`angle`, print.along(turn.angle)],
    [c`scale`, print.along(turn.scale)],
    [c`rotated`, c`${turn.rotated}`],
    [c`layout`, scriptString(turn.layout)],
    [c`by`, c`${turn.by}`],
  ]);
}

/** Mask, regions and scale: what all folds over pairs share. */
function coreFields(core: PairCore, print: PairPrinter, { facts }: Analyses): Field[] {
  const known = facts(core);
  const regions = core.regions.map((region, n) => {
    const truth = known.regions[n] ?? { all: bool(true), any: bool(true) };
    return object([
      [c`when`, print.pairs(region.when)],
      [c`any`, print.corners(truth.any)],
      [c`all`, print.corners(truth.all)],
      [c`turn`, turnText(region.turn, print)],
    ]);
  });
  return [
    [c`scale`, scriptNumber(core.scale)],
    [c`mask`, print.pairs(core.mask)],
    [c`any`, print.corners(known.mask.any)],
    [c`all`, print.corners(known.mask.all)],
    [c`regions`, array(regions)],
  ];
}

function normaliserText(
  of: Normaliser | null,
  core: PairCore,
  print: PairPrinter,
  analyses: Analyses,
): Fragment {
  if (of === null) return c`null`;
  return object([
    [c`guard`, print.pairs(of.guard)],
    [c`any`, print.corners(analyses.truth(of.guard, core).any)],
    [c`score`, print.tile(of.score)],
    [c`finite`, print.isFinite(of.score) ? c`true` : c`false`],
  ]);
}

function weightText(weight: Weight | null, core: PairCore, print: PairPrinter, analyses: Analyses): Fragment {
  if (weight === null) return c`null`;
  const cases = weight.cases.map((one) =>
    object([
      [c`when`, print.pairs(one.when)],
      [c`row`, one.row === null ? c`null` : scriptString(one.row)],
      [c`local`, one.local ? c`true` : c`false`],
      [c`factor`, one.factor === null ? c`null` : print.tile(one.factor)],
      [c`factorIsLogit`, one.factor?.kind === "logit" ? c`true` : c`false`],
    ]),
  );
  return object([
    [c`row`, normaliserText(weight.row, core, print, analyses)],
    [c`blockSize`, c`${weight.block?.size ?? 1}`],
    [c`block`, normaliserText(weight.block?.inner ?? null, core, print, analyses)],
    [c`cases`, array(cases)],
  ]);
}

/** An attention, forward. */
export function attentionDefinition(core: AttentionCore, analyses: Analyses, needed: Needed): Fragment {
  const print = new PairPrinter(core.buffers, needed);
  return object([
    ...coreFields(core, print, analyses),
    [c`score`, print.tile(core.score)],
    [c`finite`, print.isFinite(core.score) ? c`true` : c`false`],
    [c`sink`, core.sink === null ? c`null` : print.tile(core.sink)],
    [c`weight`, weightText(core.weight, core, print, analyses)],
  ]);
}

/** What the adjoint needs besides. */
export function slopesDefinition(node: AttentionGradientNode, needed: Needed): Fragment {
  const print = new PairPrinter(node.buffers, needed);
  const slope = (e: Expr): Fragment =>
    e.kind === "constant" && e.value === 1 ? c`null` : slopeText(e, print);
  const tables = node.bufferGradients.map(({ buffer, loads }) =>
    object([
      [c`table`, c`${buffer}`],
      [
        c`loads`,
        array(
          loads.map((load) =>
            object([
              [c`part`, typeof load.part === "number" ? c`${load.part}` : scriptString(load.part)],
              [c`index`, print.flatIndex(buffer, load.indices)],
              [c`slope`, slope(load.slope)],
            ]),
          ),
        ),
      ],
    ]),
  );
  const slopes = node.weightSlopes;
  return object([
    [c`score`, slope(node.scoreSlope)],
    [c`row`, slopes === null ? c`null` : slope(slopes.row)],
    [c`block`, slopes === null ? c`null` : slope(slopes.block)],
    [c`factors`, array(slopes?.factors.map((factor) => slope(factor)) ?? [])],
    [c`tables`, array(tables)],
  ]);
}

/** A slope always is a function, also where it is the logit itself. */
const slopeText = (e: Expr, print: PairPrinter): Fragment =>
  e.kind === "logit" ? c`(s) => s` : print.tile(e);

export function logSumExpDefinition(
  node: NodeOf<"log-sum-exp">,
  analyses: Analyses,
  needed: Needed,
): Fragment {
  const print = new PairPrinter(node.buffers, needed);
  return object([
    ...coreFields(node, print, analyses),
    [c`score`, print.tile(node.score)],
    [c`finite`, print.isFinite(node.score) ? c`true` : c`false`],
    [c`sink`, c`null`],
    [c`weight`, c`null`],
  ]);
}

export function pairReduceDefinition(
  node: NodeOf<"pair-reduce">,
  analyses: Analyses,
  needed: Needed,
): Fragment {
  const print = new PairPrinter(node.buffers, needed);
  return object([
    ...coreFields(node, print, analyses),
    [c`op`, scriptString(node.op)],
    [c`body`, print.tile(node.body)],
    [c`targets`, array(node.targets.map((target) => print.pairs(target)))],
  ]);
}

export function selectDefinition(node: NodeOf<"select">, needed: Needed): Fragment {
  const print = new PairPrinter(node.buffers, needed);
  const amount = node.choose.kind === "top" ? node.choose.count : node.choose.threshold;
  return object([
    [c`scale`, scriptNumber(node.scale)],
    [c`where`, print.pairs(node.where)],
    [c`always`, print.pairs(node.always)],
    [c`body`, print.tile(node.body)],
    [c`choose`, scriptString(node.choose.kind)],
    [c`amount`, print.pairs(amount)],
  ]);
}
