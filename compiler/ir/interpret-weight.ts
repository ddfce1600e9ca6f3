/** The meaning of an attention's weights in one row, and of their adjoint: from logits to weights and back, in float64. */
import { exprEvaluator, type ExprValues } from "./evaluate-expr.ts";
import { bool, real, type Expr } from "./expr.ts";
import type { AttentionCore, AttentionGradientNode, LoadingPart } from "./graph.ts";
import type { ReadAt, Weight } from "./weight.ts";

export interface WeighedPair {
  /** −1 − n for prepended key n. */
  readonly k: number;
  readonly logit: number;
  /** Whether the mask holds. */
  readonly seen: boolean;
}

/** With a weight, the pairs are all keys in order, after the prepended ones; else those that the row sees. */
export interface WeighedRow {
  readonly pairs: readonly WeighedPair[];
  /** Leaves at one pair, for further expressions; they hold until the next pair is asked for. */
  readonly valuesAt: (pair: WeighedPair) => ExprValues;
  /** Leaves that no key has. */
  readonly rowValues: () => ExprValues;
}

export interface RowWeights {
  readonly weights: readonly number[];
  /** Of the row normaliser. */
  readonly lse: number;
}

/** Adjoints of a row: what each weight was, the gradient of each logit, and those of the expressions' values. */
export interface RowAdjoint {
  readonly weights: readonly number[];
  readonly logits: readonly number[];
  /** The gradient of every value that an expression had, with the leaves it had it at. */
  readonly visit: (part: LoadingPart, take: (share: number, leaves: ExprValues) => void) => void;
}

type Value = (values: ExprValues) => number;

/** What a row's pairs have of the normalisers; shares of the row normaliser are taken with a given log-sum-exp. */
interface Normalised {
  readonly lse: number;
  readonly row: readonly number[];
  readonly block: readonly number[];
}

const logSumExp = (scores: readonly number[]): number => {
  const largest = scores.reduce((max, score) => Math.max(max, score), -Infinity);
  if (largest === -Infinity) return -Infinity;
  return largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
};

const shareOf = (score: number, lse: number): number => (score === -Infinity ? 0 : Math.exp(score - lse));

/** The softmax of an attention without a weight, over pairs that are all seen. */
const plainWeight = (core: AttentionCore): Weight => ({
  row: { guard: bool(true), score: core.score },
  block: null,
  cases: [{ when: bool(true), row: "self", local: false, factor: null }],
});

/** The parts of the walk over a row that forward and adjoint share. */
function reader(core: AttentionCore) {
  const weight = core.weight ?? plainWeight(core);
  const evaluate = (e: Expr | null | undefined): Value => exprEvaluator(e ?? real(0));
  const { row, block, cases } = weight;
  const [rowGuard, rowScore] = [evaluate(row?.guard ?? bool(false)), evaluate(row?.score)];
  const inner = block?.inner ?? null;
  const [blockGuard, blockScore] = [evaluate(inner?.guard ?? bool(false)), evaluate(inner?.score)];
  const sink = core.sink === null ? null : exprEvaluator(core.sink);
  const whens = cases.map(({ when }) => exprEvaluator(when));
  const factors = cases.map(({ factor }) => evaluate(factor ?? real(1)));
  const size = block?.size ?? 1;

  /** Shares of all pairs; `known` is the row's log-sum-exp, where it is. */
  const normalise = (of: WeighedRow, known: number | null): Normalised => {
    const { pairs, valuesAt } = of;
    const scores = pairs.map((pair) => {
      if (pair.k < 0) return pair.logit;
      return rowGuard(valuesAt(pair)) === 0 ? -Infinity : rowScore(valuesAt(pair));
    });
    const terms = sink === null ? scores : [sink(of.rowValues()), ...scores];
    const lse = known ?? (row === null ? 0 : logSumExp(terms));
    const shares = scores.map((score) => shareOf(score, lse));
    if (inner === null) return { lse, row: shares, block: shares.map(() => 0) };
    const own = pairs.map((pair) =>
      pair.k < 0 || blockGuard(valuesAt(pair)) === 0 ? -Infinity : blockScore(valuesAt(pair)),
    );
    const byBlock = new Map<number, number[]>();
    pairs.forEach(({ k }, n) => {
      const at = Math.floor(k / size);
      byBlock.set(at, [...(byBlock.get(at) ?? []), own[n]!]);
    });
    const sums = new Map([...byBlock].map(([at, list]) => [at, logSumExp(list)]));
    return {
      lse,
      row: shares,
      block: own.map((score, n) => shareOf(score, sums.get(Math.floor(pairs[n]!.k / size))!)),
    };
  };

  /** The pair whose row share pair `n` reads, or −1 past the text. */
  const readAt = (pairs: readonly WeighedPair[], n: number, at: ReadAt): number => {
    if (at === "self") return n;
    const { k } = pairs[n]!;
    const first = Math.floor(k / size) * size;
    const wanted = n - k + (at === "first" ? first : first + size - 1);
    return wanted < pairs.length ? wanted : -1;
  };

  /** The case that pair `n` is weighed by, or −1. */
  const caseOf = (of: WeighedRow, n: number): number => {
    const pair = of.pairs[n]!;
    return pair.seen ? whens.findIndex((when) => when(of.valuesAt(pair)) !== 0) : -1;
  };

  return { cases, factors, sink, size, normalise, readAt, caseOf };
}

/** A function from a row to its weights. */
export function rowWeigher(core: AttentionCore): (row: WeighedRow) => RowWeights {
  const { cases, factors, normalise, readAt, caseOf } = reader(core);
  return (of) => {
    const shares = normalise(of, null);
    const weights = of.pairs.map((pair, n) => {
      if (pair.k < 0) return shares.row[n]!;
      const which = caseOf(of, n);
      if (which < 0) return 0;
      const { row, local } = cases[which]!;
      const read = row === null ? null : readAt(of.pairs, n, row);
      const outer = read === null ? 1 : read < 0 ? 0 : shares.row[read]!;
      return outer * (local ? shares.block[n]! : 1) * factors[which]!(of.valuesAt(pair));
    });
    return { weights, lse: shares.lse };
  };
}

/**
 * A function from a row, the gradients of its weights, its log-sum-exp and Σ weight · gradient to its adjoint. Weights are
 * linear in the row normaliser, so that sum is also what its shares' gradients sum to.
 */
export function rowAdjoint(
  node: AttentionGradientNode,
): (row: WeighedRow, dWeights: readonly number[], lse: number, delta: number) => RowAdjoint {
  const { cases, factors, sink, size, normalise, readAt, caseOf } = reader(node);
  const rowPart: LoadingPart = node.weight === null ? "score" : "row";
  const rowSlope = exprEvaluator(node.weightSlopes?.row ?? node.scoreSlope);
  const blockSlope = exprEvaluator(node.weightSlopes?.block ?? real(0));
  const factorSlopes = cases.map((_, n) => exprEvaluator(node.weightSlopes?.factors[n] ?? real(0)));
  return (of, dWeights, lse, delta) => {
    const { pairs } = of;
    const shares = normalise(of, lse);
    const weights = pairs.map(() => 0);
    /** Gradients of the logarithm of the shares that were read, then of the scores. */
    const [dRow, dBlock, dFactor] = [pairs.map(() => 0), pairs.map(() => 0), pairs.map(() => 0)];
    const which = pairs.map((pair, n) => (pair.k < 0 ? -1 : caseOf(of, n)));
    const blockSums = new Map<number, number>();
    pairs.forEach((pair, n) => {
      if (pair.k < 0) {
        weights[n] = shares.row[n]!;
        dRow[n]! += weights[n]! * dWeights[n]!;
        return;
      }
      if (which[n]! < 0) return;
      const { row, local } = cases[which[n]!]!;
      const read = row === null ? null : readAt(pairs, n, row);
      const outer = read === null ? 1 : read < 0 ? 0 : shares.row[read]!;
      const rest = outer * (local ? shares.block[n]! : 1);
      weights[n] = rest * factors[which[n]!]!(of.valuesAt(pair));
      const moved = weights[n]! * dWeights[n]!;
      if (read !== null && read >= 0) dRow[read]! += moved;
      dFactor[n] = rest * dWeights[n]!;
      if (!local) return;
      dBlock[n] = moved;
      const at = Math.floor(pair.k / size);
      blockSums.set(at, (blockSums.get(at) ?? 0) + moved);
    });
    pairs.forEach((pair, n) => {
      dRow[n]! -= shares.row[n]! * delta;
      if (pair.k >= 0) dBlock[n]! -= shares.block[n]! * (blockSums.get(Math.floor(pair.k / size)) ?? 0);
    });
    const part = (share: number, slope: Value, pair: WeighedPair): number =>
      share === 0 ? 0 : share * slope(of.valuesAt(pair));
    const logits = pairs.map((pair, n) => {
      if (pair.k < 0) return dRow[n]!;
      const own = which[n]! < 0 ? 0 : part(dFactor[n]!, factorSlopes[which[n]!]!, pair);
      return own + part(dRow[n]!, rowSlope, pair) + part(dBlock[n]!, blockSlope, pair);
    });
    return {
      weights,
      logits,
      visit: (wanted, take) => {
        if (wanted === "sink") {
          const leaves = of.rowValues();
          take(-shareOf(sink!(leaves), lse) * delta, leaves);
          return;
        }
        pairs.forEach((pair, n) => {
          if (pair.k < 0) return;
          if (wanted === rowPart) take(dRow[n]!, of.valuesAt(pair));
          else if (wanted === "block") take(dBlock[n]!, of.valuesAt(pair));
          else if (wanted === which[n]) take(dFactor[n]!, of.valuesAt(pair));
        });
      },
    };
  };
}
