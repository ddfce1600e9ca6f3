/** Device functions of an attention's weight and turns: guards and scores of normalisers, cases, factors, positions and angles. */
import type { AttentionCore, AttentionGradientNode, Region, Turn } from "../../../ir/graph.ts";
import { bool, real, type Expr } from "../../../ir/expr.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { weightOf } from "../../../ir/weighed.ts";
import type { ReadAt, Weight } from "../../../ir/weight.ts";
import { printDouble } from "../print-double.ts";
import type { MoreFunction } from "./pairs.ts";

type Weighed = AttentionCore & Partial<Pick<AttentionGradientNode, "scoreSlope" | "weightSlopes">>;

/** What kernels of weights are made of, beside the functions of pairs. */
export interface Weighing {
  readonly weight: Weight;
  /** Keys of a block, where something speaks of blocks: a softmax over each, or a read at its first or last key. */
  readonly block: number | null;
  readonly inner: boolean;
  readonly reads: { readonly first: boolean; readonly last: boolean };
  /** Functions for `PairSource.more`. */
  readonly more: readonly MoreFunction[];
  /** Text after the functions of pairs: which case weighs a pair, and what the case reads. */
  readonly cases: Fragment;
  /** Text after that: factors of cases, positions and angles of turns. */
  readonly factors: Fragment;
}

/** A chain of choices over the number of a case. */
function byCase(
  name: Fragment,
  type: Fragment,
  head: Fragment,
  values: readonly Fragment[],
  otherwise: Fragment,
): Fragment {
  const lines = values.map((value, n) => c`  if (number == ${n}) return ${value};\n`);
  return c`LCTX_DEVICE ${type} ${name}(${head}int number) {
${joinFragments(lines, c``)}  return ${otherwise};
}
`;
}

const pairArguments = c`const lctx_pairs &p, float s, int b, int h, int q, int k, `;
const readNumbers: Readonly<Record<ReadAt, number>> = { self: 1, first: 2, last: 3 };

type Turned = readonly Pick<Region, "turn">[];

export const turns = (regions: Turned): boolean => regions.some(({ turn }) => turn !== null);

/** Most pairs of dimensions that a region turns. */
const turnPairs = (regions: Turned): number =>
  Math.max(1, ...regions.map(({ turn }) => (turn?.rotated ?? 0) / 2));

/** Bytes of angles and factors of all regions, and of the positions of queries; 0 where nothing turns. */
export const lawBytes = (regions: Turned, queries: number): number =>
  turns(regions) ? 8 * (2 * regions.length * turnPairs(regions) + queries) : 0;

/** Position and angles of the turns of all regions; `by` is 0 for a region without one. */
export function turnsText(regions: Turned): Fragment {
  const laws = regions.map(({ turn }, r): Fragment => {
    if (turn === null) return c``;
    const leaves = {
      index: (name: string): Fragment => {
        if (name !== "m") throw new Error(`the angle of a turn has no index ${name}`);
        return c`m`;
      },
      size: (name: string): Fragment => {
        if (name !== "length") throw new Error(`the angle of a turn has no size ${name}`);
        return c`p.length`;
      },
    };
    return c`LCTX_DEVICE void ${identifier("lctx_law", r)}(const lctx_pairs &p, int m, double &angle, double &factor) {
  (void)p, (void)m;
  angle = (double)${printDouble(turn.angle, leaves)};
  factor = (double)${printDouble(turn.scale, leaves)};
}
`;
  });
  const choose = (value: (turn: Turn, r: number) => Fragment): Fragment =>
    joinFragments(
      regions.map(({ turn }, r) => (turn === null ? c`` : c`  if (region == ${r}) ${value(turn, r)};\n`)),
      c``,
    );
  return c`${joinFragments(laws, c``)}
constexpr bool kTurns = ${turns(regions) ? c`true` : c`false`};
constexpr int kTurnPairs = ${turnPairs(regions)};
/* Keys that share a turn, 0 without turns; pairs of dimensions that turn; whether they lie side by side. */
LCTX_DEVICE int lctx_turn_by(int region) {
  (void)region;
${choose(({ by }) => c`return ${by}`)}  return 0;
}
LCTX_DEVICE int lctx_turn_pairs(int region) {
  (void)region;
${choose(({ rotated }) => c`return ${rotated / 2}`)}  return 0;
}
LCTX_DEVICE bool lctx_turn_side(int region) {
  (void)region;
${choose(({ layout }) => c`return ${layout === "half" ? c`false` : c`true`}`)}  return false;
}
LCTX_DEVICE double lctx_turn_position(const lctx_pairs &p, int region, int b, int h, int q, int k) {
  (void)p, (void)region, (void)b, (void)h, (void)q, (void)k;
${choose((_, r) => c`return (double)${identifier("lctx_position", r)}(p, b, h, q, k)`)}  return 0.0;
}
LCTX_DEVICE void lctx_turn_law(const lctx_pairs &p, int region, int m, double &angle, double &factor) {
  (void)p, (void)region, (void)m;
${choose((_, r) => c`return ${identifier("lctx_law", r)}(p, m, angle, factor)`)}  angle = 0.0, factor = 1.0;
}
`;
}

/** The functions of positions that `turnsText` calls. */
export const positionsOf = (regions: Turned): readonly MoreFunction[] =>
  regions.flatMap(({ turn }, r) =>
    turn === null
      ? []
      : [{ name: identifier("lctx_position", r), of: "pair" as const, value: turn.position }],
  );

/** What a node weighs by. */
export function weighingOf(node: Weighed): Weighing {
  const weight = weightOf(node);
  const { row, cases } = weight;
  const inner = weight.block?.inner ?? null;
  const reads = {
    first: cases.some((one) => one.row === "first"),
    last: cases.some((one) => one.row === "last"),
  };
  const slopes = node.weightSlopes ?? null;
  const of = (name: Fragment, kind: MoreFunction["of"], value: Expr): MoreFunction => ({
    name,
    of: kind,
    value,
  });
  const nothing = bool(false);
  const more = [
    of(c`lctx_row_guard`, "pair", row?.guard ?? nothing),
    of(c`lctx_row_score`, "logit", row?.score ?? real(0)),
    of(c`lctx_row_slope`, "logit", slopes?.row ?? node.scoreSlope ?? real(0)),
    of(c`lctx_block_guard`, "pair", inner?.guard ?? nothing),
    of(c`lctx_block_score`, "logit", inner?.score ?? real(0)),
    of(c`lctx_block_slope`, "logit", slopes?.block ?? real(0)),
    ...cases.flatMap(({ when, factor }, n) => [
      of(identifier("lctx_when", n), "pair", when),
      of(identifier("lctx_factor", n), "logit", factor ?? real(1)),
      of(identifier("lctx_factor_slope", n), "logit", slopes?.factors[n] ?? real(0)),
    ]),
    ...positionsOf(node.regions),
  ];
  const called = (word: string) => cases.map((_, n) => c`${identifier(word, n)}(p, s, b, h, q, k)`);
  const tests = cases.map((_, n) => c`  if (${identifier("lctx_when", n)}(p, b, h, q, k)) return ${n};\n`);
  const flag = (value: boolean): Fragment => (value ? c`true` : c`false`);
  const chosen = c`
/* Number of the case that weighs a pair, -1 where none does. */
LCTX_DEVICE int lctx_case(const lctx_pairs &p, int b, int h, int q, int k) {
  if (!lctx_see(p, b, h, q, k)) return -1;
${joinFragments(tests, c``)}  return -1;
}
/* Where a case reads the row normaliser: 0 not, 1 at this key, 2 and 3 at the first and last of its block. */
${byCase(
  c`lctx_reads`,
  c`int`,
  c``,
  cases.map((one) => c`${one.row === null ? 0 : readNumbers[one.row]}`),
  c`0`,
)}${byCase(
    c`lctx_local`,
    c`bool`,
    c``,
    cases.map(({ local }) => flag(local)),
    c`false`,
  )}`;
  const factors = c`constexpr bool kOfRow = ${flag(row !== null)}, kOfBlock = ${flag(inner !== null)};
constexpr bool kReadsFirst = ${flag(reads.first)}, kReadsLast = ${flag(reads.last)};
${byCase(c`lctx_factor`, c`float`, pairArguments, called("lctx_factor"), c`0.0f`)}${byCase(c`lctx_factor_slope`, c`float`, pairArguments, called("lctx_factor_slope"), c`0.0f`)}
${turnsText(node.regions)}`;
  const asks = inner !== null || reads.first || reads.last;
  return {
    weight,
    block: asks ? weight.block!.size : null,
    inner: inner !== null,
    reads,
    more,
    cases: chosen,
    factors,
  };
}
