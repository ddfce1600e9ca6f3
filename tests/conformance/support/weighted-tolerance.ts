/**
 * How far a single-precision kernel may be from float64 where attention has a weight, a sink or turned queries: the rule of
 * `rule-1`, carried through normalisers, reads at other keys, and factors.
 */
import { exprEvaluator, noValues, type ExprValues } from "../../../compiler/ir/evaluate-expr.ts";
import { bool, real, type Expr } from "../../../compiler/ir/expr.ts";
import type { LoadingPart } from "../../../compiler/ir/graph.ts";
import type { Float64Tensor } from "../../../compiler/ir/interpret.ts";
import type { Weight } from "../../../compiler/ir/weight.ts";
import type { Spec } from "./random-specs.ts";
import { sizedEvaluator } from "./sized-expr.ts";
import { rowTurner } from "./turned-row.ts";

const unit = 2 ** -24;
const factor = 8;
const tiny = 2 ** -125;

type Get = (path: string) => Float64Tensor;
/** An expression with its size; `plain` for the logit itself. */
interface Sized {
  readonly of: ReturnType<typeof sizedEvaluator>;
  readonly plain: boolean;
}
/** A slope, and its value where it is a constant: then it is exact. */
interface Slope {
  readonly of: ReturnType<typeof sizedEvaluator>;
  readonly known: number | null;
}

/** A value's share of what may be wrong, for scores and factors of one pair. */
interface Part {
  readonly value: number;
  /** Error of the value, in rounding units. */
  readonly error: number;
  /** How much an error of its gradient grows on the way to the logit. */
  readonly steep: number;
}

/** True where `attentionTolerances` does not say what is allowed. */
export const hasWeighting = ({ attention }: Spec): boolean =>
  attention.weight !== null || attention.sink !== null || attention.regions.some(({ turn }) => turn !== null);

/** Allowed errors, in the order output, log-sum-exp, then the gradient's results. */
export function weightedTolerances(
  spec: Spec,
  get: Get,
  results: readonly Float64Tensor[],
  /** Absolute error of a weight and of a result, where numbers have a least one. */
  smallest: number = tiny,
): readonly Float64Array[] {
  const node = spec.gradient;
  const weight: Weight = node.weight ?? {
    row: { guard: node.mask, score: node.score },
    block: null,
    cases: [{ when: bool(true), row: "self", local: false, factor: null }],
  };
  const rowPart: LoadingPart = node.weight === null ? "score" : "row";
  const [batches, queries, heads, e] = results[0]!.shape as [number, number, number, number];
  const keys = get("key0").shape[1]!;
  const start = spec.sizes["query-start"];
  const value = get("value");
  const groups = value.shape[2]!;
  const d = get("query0").shape[3]!;
  const early = node.prepended === null ? null : { key: get("early-key"), value: get("early-value") };
  const earlyCount = early?.key.shape[0] ?? 0;
  const upstream = get("output-gradient").data;
  const bounds = results.map((result) => new Float64Array(result.data.length));
  const regions = node.regions.length;
  const [boundQ, boundK] = [0, 1].map((side) => (r: number) => bounds[2 + 2 * r + side]!) as [
    (r: number) => Float64Array,
    (r: number) => Float64Array,
  ];
  const boundV = bounds[2 + 2 * regions]!;
  const boundT = (n: number): Float64Array => bounds[3 + 2 * regions + n]!;
  const afterTables = 3 + 2 * regions + node.bufferGradients.length;
  const tables = node.buffers.map((buffer) =>
    get(buffer.kind === "parameter" ? buffer.path : `input:${buffer.kind === "input" ? buffer.name : ""}`),
  );
  const batched = node.buffers.map((buffer) => buffer.axes[0]?.name === "b");
  let place = { b: 0, q: 0, h: 0, k: NaN, logit: NaN };
  const leaves: ExprValues = {
    ...noValues,
    index: (name) => (name === "q" ? place.q : name === "k" ? place.k : place.h),
    size: (name) => (name === "length" ? spec.sizes.length : name === "query-length" ? queries : start),
    logit: () => place.logit,
    words: (n) => tables[n]!.shape.at(-1)!,
    load: (n, indices) => {
      const table = tables[n]!;
      const first = batched[n] ? place.b : 0;
      return table.data[
        indices.reduce((flat, index, axis) => flat * table.shape[axis + (batched[n] ? 1 : 0)]! + index, first)
      ]!;
    },
  };
  const at = (k: number, logit: number): ExprValues => {
    [place.k, place.logit] = [k, logit];
    return leaves;
  };
  const evaluate = (expr: Expr | null | undefined, otherwise: Expr) => exprEvaluator(expr ?? otherwise);
  const sized = (expr: Expr | null | undefined): Sized => ({
    of: sizedEvaluator(expr ?? real(1)),
    plain: expr?.kind === "logit",
  });
  const slopeOf = (expr: Expr): Slope => ({
    of: sizedEvaluator(expr),
    known: expr.kind === "constant" ? expr.value : null,
  });
  const keyOf = node.regions.map((_, r) => get(`key${r}`).data);
  const mask = exprEvaluator(node.mask);
  const whens = node.regions.map(({ when }) => exprEvaluator(when));
  const inner = weight.block?.inner ?? null;
  const size = weight.block?.size ?? 1;
  const [rowGuard, blockGuard] = [weight.row, inner].map((one) => evaluate(one?.guard, bool(false)));
  const [rowScore, blockScore] = [weight.row, inner].map((one) => sized(one?.score));
  const slopes = node.weightSlopes;
  const [rowSlope, blockSlope] = [slopeOf(slopes?.row ?? node.scoreSlope), slopeOf(slopes?.block ?? real(0))];
  const conditions = weight.cases.map(({ when }) => exprEvaluator(when));
  const factors = weight.cases.map((one) => sized(one.factor));
  const factorSlopes = weight.cases.map((_, n) => slopeOf(slopes?.factors[n] ?? real(0)));
  const sink = node.sink === null ? null : sizedEvaluator(node.sink);
  const loads = node.bufferGradients.map(({ loads: own }) =>
    own.map((load) => ({
      part: load.part,
      indices: load.indices.map(exprEvaluator),
      slope: sizedEvaluator(load.slope),
    })),
  );
  const turners = node.regions.map(({ turn }) => (turn === null ? null : rowTurner(turn, leaves)));
  /** The row turned as region r has it at the present place, and the same on absolute values. */
  const turned = (r: number, row: Float64Array): readonly [Float64Array, Float64Array] =>
    turners[r]?.(row) ?? [row.slice(), row.map(Math.abs)];
  const part = (value: Sized, slope: Slope, values: ExprValues, logitSize: number): Part => {
    const own = value.plain ? { value: values.logit(), size: 0 } : value.of(values);
    if (slope.known !== null) {
      const steep = Math.abs(slope.known);
      return { value: own.value, error: own.size + logitSize * steep, steep };
    }
    const bend = slope.of(values);
    const steep = Math.abs(bend.value) + bend.size;
    return { value: own.value, error: own.size + logitSize * steep, steep: steep * (1 + logitSize) };
  };
  const none: Part = { value: -Infinity, error: 0, steep: 0 };
  // What is lost of a number that is held as an element of tensors, as operands of products and results are, and of one
  // that is only ever in single precision.
  const [least, faint] = [smallest / (factor * unit), tiny / (factor * unit)];

  for (let b = 0; b < batches; b++)
    for (let row = 0; row < queries; row++)
      for (let h = 0; h < heads; h++) {
        const g = Math.floor(h / (heads / groups));
        const out = (b * queries + row) * heads + h;
        const lse = results[1]!.data[out]!;
        place = { b, q: start + row, h, k: NaN, logit: NaN };
        const count = earlyCount + keys;
        const own = node.regions.map((_, r) => get(`query${r}`).data.slice(out * d, (out + 1) * d));
        const still = own.map((row_) => [row_, row_.map(Math.abs)] as const);
        const pairs = Array.from({ length: count }, (_, n) => {
          const k = n - earlyCount;
          const isEarly = k < 0;
          at(k, NaN);
          const region = isEarly ? 0 : whens.findIndex((when) => when(leaves) !== 0);
          const moves = !isEarly && turners[region] !== null;
          const [query, querySize] = moves ? turned(region, own[region]!) : still[region]!;
          const keyAt = isEarly ? (n * groups + g) * d : ((b * keys + k) * groups + g) * d;
          const valueAt = isEarly ? (n * groups + g) * e : ((b * keys + k) * groups + g) * e;
          const keyData = isEarly ? early!.key.data : keyOf[region]!;
          const valueData = (isEarly ? early!.value : value).data;
          let [logit, logitSize, reach] = [0, 0, 0];
          for (let i = 0; i < d; i++) {
            logit += node.scale * query[i]! * keyData[keyAt + i]!;
            logitSize += Math.abs(node.scale * querySize[i]! * keyData[keyAt + i]!);
          }
          // What nothing weighs reaches nothing.
          const weighed = isEarly || mask(at(k, logit)) !== 0;
          for (let i = 0; weighed && i < e; i++)
            reach += Math.abs(upstream[out * e + i]! * valueData[valueAt + i]!);
          const values = at(k, logit);
          const plain: Part = { value: logit, error: logitSize, steep: 1 };
          const ofRow = isEarly
            ? plain
            : rowGuard!(values) === 0
              ? none
              : part(rowScore!, rowSlope, values, logitSize);
          const ofBlock =
            isEarly || blockGuard!(values) === 0 ? none : part(blockScore!, blockSlope, values, logitSize);
          const which = isEarly ? -2 : weighed ? conditions.findIndex((when) => when(values) !== 0) : -1;
          const bent = which < 0 ? none : part(factors[which]!, factorSlopes[which]!, values, logitSize);
          const places = { k, region, isEarly, keyData, keyAt, valueData, valueAt };
          return { ...places, querySize, reach, logit, ofRow, ofBlock, which, bent };
        });
        const shares = pairs.map(({ ofRow }) =>
          ofRow.value === -Infinity ? 0 : Math.exp(ofRow.value - lse),
        );
        const sinkNow = sink === null ? null : sink(at(NaN, NaN));
        const amplify =
          1 + pairs.reduce((most, { ofRow }) => Math.max(most, ofRow.error), sinkNow?.size ?? 0);
        bounds[1]![out] = weight.row === null ? 0 : amplify + (Number.isFinite(lse) ? Math.abs(lse) : 0);
        // Shares and error of each block's softmax.
        const blockShares = pairs.map(() => 0);
        const blockAmplify = pairs.map(() => 0);
        for (let first = 0; inner !== null && first < keys; first += size) {
          const own = pairs.slice(earlyCount + first, earlyCount + Math.min(first + size, keys));
          const top = Math.max(...own.map(({ ofBlock }) => ofBlock.value));
          const total = own.reduce((sum, { ofBlock }) => sum + Math.exp(ofBlock.value - top), 0);
          own.forEach(({ ofBlock, k }) => {
            blockShares[earlyCount + k] =
              ofBlock.value === -Infinity ? 0 : Math.exp(ofBlock.value - top) / total;
            blockAmplify[earlyCount + k] = 1 + Math.max(...own.map((one) => one.ofBlock.error));
          });
        }
        const readAt = pairs.map(({ k, which, isEarly }, n) => {
          const read = isEarly ? "self" : which < 0 ? null : weight.cases[which]!.row;
          if (read === null || read === "self") return read === null ? null : n;
          const first = Math.floor(k / size) * size;
          const wanted = n - k + (read === "first" ? first : first + size - 1);
          return wanted < count ? wanted : -1;
        });
        /** Without the factor: product of shares, and its error. */
        const rest = pairs.map(({ isEarly, which }, n) => {
          if (which === -1) return { value: 0, error: 0 };
          const read = readAt[n]!;
          const outer = read === null ? 1 : read < 0 ? 0 : shares[read]!;
          const local = !isEarly && weight.cases[which]!.local;
          const both = outer * (local ? blockShares[n]! : 1);
          return { value: both, error: both * (amplify + (local ? blockAmplify[n]! : 0) + 1) + faint };
        });
        const weights = pairs.map(({ isEarly, which, bent }, n) => {
          if (which === -1) return { value: 0, error: 0 };
          const { value: own, error } = rest[n]!;
          if (isEarly) return { value: own, error };
          return {
            value: own * Math.abs(bent.value),
            error: error * Math.abs(bent.value) + own * bent.error + faint,
          };
        });
        // Output i is Σ_n weight_n value_ni with weights as elements, and is itself stored as one. Kernels take what
        // centres the row, Σ_i upstream_i output_i, from that, so it has the output's errors whole: where terms of the
        // output cancel, or all weights are beside a normaliser of keys that the mask hides, far more than its own size
        // says. Shares of all keys that the row counts carry it to their logits, those that nothing weighs too.
        let [delta, deltaError] = [0, 0];
        for (let i = 0; i < e; i++)
          delta += Math.abs(upstream[out * e + i]! * results[0]!.data[out * e + i]!);
        for (let i = 0; i < e; i++) deltaError += Math.abs(upstream[out * e + i]!) * least;
        pairs.forEach(({ reach, which }, n) => {
          if (which !== -1) deltaError += (weights[n]!.error + least) * reach;
        });
        deltaError += delta;
        const dRow = shares.map((share) =>
          weight.row === null ? 0 : share * (amplify * delta + deltaError) + faint * delta,
        );
        const dBlock = pairs.map(() => 0);
        const blockMoved = new Map<number, number>();
        pairs.forEach(({ k, which, isEarly, reach }, n) => {
          const moved = weights[n]!.error * reach;
          const read = readAt[n]!;
          if (read !== null && read >= 0) dRow[read]! += moved;
          if (isEarly || which < 0 || !weight.cases[which]!.local) return;
          dBlock[n]! += moved;
          blockMoved.set(Math.floor(k / size), (blockMoved.get(Math.floor(k / size)) ?? 0) + moved);
        });
        pairs.forEach(({ k, region, isEarly, which, ofRow, ofBlock, bent, ...pair }, n) => {
          if (!isEarly)
            dBlock[n]! +=
              blockShares[n]! * (1 + blockAmplify[n]!) * (blockMoved.get(Math.floor(k / size)) ?? 0);
          const dFactor = which < 0 ? 0 : rest[n]!.error * pair.reach;
          const [toV, toK] = isEarly
            ? [bounds[afterTables + 1]!, bounds[afterTables]!]
            : [boundV, boundK(region)];
          for (let i = 0; which !== -1 && i < e; i++) {
            const stored = weights[n]!.error + least;
            bounds[0]![out * e + i]! += stored * Math.abs(pair.valueData[pair.valueAt + i]!);
            toV[pair.valueAt + i]! += stored * Math.abs(upstream[out * e + i]!);
          }
          // A logit's gradient comes from weights in single precision, and is then an element of the products with keys
          // and queries: what is lost there is at most `least`, and at most all of it, which its error is no less than.
          const dLogit = dRow[n]! * ofRow.steep + dBlock[n]! * ofBlock.steep + dFactor * bent.steep;
          const error = node.scale * (dLogit + Math.min(least, dLogit / (factor * unit)));
          at(k, pair.logit);
          if (error !== 0) {
            const key = pair.keyData.slice(pair.keyAt, pair.keyAt + d);
            const back = isEarly ? key.map(Math.abs) : turned(region, key)[1];
            for (let i = 0; i < d; i++) {
              boundQ(region)[out * d + i]! += error * back[i]!;
              toK[pair.keyAt + i]! += error * pair.querySize[i]!;
            }
          }
          if (isEarly) return;
          const values = at(k, pair.logit);
          addLoads(
            (which_) =>
              which_ === rowPart
                ? dRow[n]!
                : which_ === "block"
                  ? dBlock[n]!
                  : which_ === which
                    ? dFactor
                    : 0,
            values,
          );
        });
        if (sinkNow !== null) {
          const share = Math.exp(sinkNow.value - lse) * (amplify * delta + deltaError);
          addLoads((which) => (which === "sink" ? share : 0), at(NaN, NaN));
        }
      }

  function addLoads(errorOf: (part: LoadingPart) => number, values: ExprValues): void {
    loads.forEach((own, n) => {
      const { buffer } = node.bufferGradients[n]!;
      const table = tables[buffer]!;
      const skip = batched[buffer] ? 1 : 0;
      for (const load of own) {
        const error = errorOf(load.part);
        if (error === 0) continue;
        const slope = load.slope(values);
        const flat = load.indices.reduce(
          (sum, index, axis) => sum * table.shape[axis + skip]! + index(values),
          batched[buffer] ? place.b : 0,
        );
        boundT(n)[flat]! += error * (Math.abs(slope.value) + slope.size);
      }
    });
  }

  const long = Math.sqrt(Math.max(1, keys / 256));
  results.forEach((result, n) => {
    const bound = bounds[n]!;
    for (let i = 0; i < bound.length; i++)
      bound[i] = unit * Math.abs(result.data[i]!) + smallest + factor * long * unit * bound[i]!;
  });
  return bounds;
}
