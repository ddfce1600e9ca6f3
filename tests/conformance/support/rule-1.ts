/**
 * How far a single-precision attention kernel may be from float64: per element, a constant times the rounding unit times
 * the same computation on absolute values, so that cancellation and sharp logits are allowed for and nothing else is.
 */
import { sizedEvaluator } from "./sized-expr.ts";
import { exprEvaluator, noValues, type ExprValues } from "../../../compiler/ir/evaluate-expr.ts";
import type { Expr } from "../../../compiler/ir/expr.ts";
import type { RotateNode } from "../../../compiler/ir/graph.ts";
import type { Float64Tensor } from "../../../compiler/ir/interpret.ts";
import type { Spec } from "./random-specs.ts";

const unit = 2 ** -24;
/** Multiple of the rounding unit: measured needs of correct single-precision kernels are below 4. */
const factor = 8;
/** Weights and results near the smallest normal number may be 0. */
const tiny = 2 ** -125;

/** `make` once for each expression; expressions are the same object where they are equal. */
function once<T>(make: (e: Expr) => T): (e: Expr) => T {
  const made = new WeakMap<Expr, { readonly value: T }>();
  return (e) => {
    const known = made.get(e) ?? { value: make(e) };
    made.set(e, known);
    return known.value;
  };
}

const evaluator = once(exprEvaluator);
const sized = once(sizedEvaluator);

type Get = (path: string) => Float64Tensor;

/** Allowed errors, in the order output, log-sum-exp, then the gradient's results. */
export function attentionTolerances(
  spec: Spec,
  get: Get,
  results: readonly Float64Tensor[],
  /** Absolute error of a weight and of a result, where numbers have a least one. */
  smallest: number = tiny,
): readonly Float64Array[] {
  const node = spec.gradient;
  const [batches, keys] = [spec.sizes.batch, get("key0").shape[1]!];
  const start = spec.sizes["query-start"];
  const queries = results[0]!.shape[1]!;
  const [heads, e] = [results[0]!.shape[2]!, results[0]!.shape[3]!];
  const value = get("value");
  const groups = value.shape[2]!;
  const regions = node.regions.map((_, r) => ({ query: get(`query${r}`).data, key: get(`key${r}`).data }));
  const d = get("query0").shape[3]!;
  const early = node.prepended === null ? null : { key: get("early-key"), value: get("early-value") };
  const [output, logSumExp] = [results[0]!, results[1]!];
  const upstream = get("output-gradient").data;
  const bounds = results.map((result) => new Float64Array(result.data.length));
  const [boundO, boundL] = [bounds[0]!, bounds[1]!];
  const boundQ = (r: number): Float64Array => bounds[2 + 2 * r]!;
  const boundK = (r: number): Float64Array => bounds[3 + 2 * r]!;
  const boundV = bounds[2 + 2 * regions.length]!;
  const boundT = (n: number): Float64Array => bounds[3 + 2 * regions.length + n]!;
  const afterTables = 3 + 2 * regions.length + node.bufferGradients.length;
  const tables = node.buffers.map((buffer) =>
    get(buffer.kind === "parameter" ? buffer.path : `input:${buffer.kind === "input" ? buffer.name : ""}`),
  );
  const batched = node.buffers.map((buffer) => buffer.axes[0]?.name === "b");
  const mask = exprEvaluator(node.mask);
  const whens = node.regions.map(({ when }) => exprEvaluator(when));
  const absDot = (a: Float64Array, at: number, b: Float64Array, bt: number, n: number): number => {
    let total = 0;
    for (let i = 0; i < n; i++) total += Math.abs(a[at + i]! * b[bt + i]!);
    return total;
  };
  const dot = (a: Float64Array, at: number, b: Float64Array, bt: number, n: number): number => {
    let total = 0;
    for (let i = 0; i < n; i++) total += a[at + i]! * b[bt + i]!;
    return total;
  };
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
  const at0 = (k: number, logit: number): ExprValues => {
    place.k = k;
    place.logit = logit;
    return leaves;
  };
  // What is lost of an element of a product or a result, and of a number that is only ever in single precision.
  const [least, faint] = [smallest / (factor * unit), tiny / (factor * unit)];
  for (let b = 0; b < batches; b++)
    for (let row = 0; row < queries; row++)
      for (let h = 0; h < heads; h++) {
        const g = Math.floor(h / (heads / groups));
        const at = (b * queries + row) * heads + h;
        const lse = logSumExp.data[at]!;
        place = { b, q: start + row, h, k: NaN, logit: NaN };
        interface Pair {
          readonly p: number;
          /** Σ |upstream · value|. */
          readonly reach: number;
          readonly size: number;
          readonly valueAt: number;
          readonly keyAt: number;
          readonly region: number;
          readonly early: boolean;
          readonly slope: number;
          /** Position and logit, where the score is not the logit itself. */
          readonly at: readonly [number, number] | null;
        }
        const pairs: Pair[] = [];
        for (let k = 0; early !== null && k < early.key.shape[0]!; k++) {
          const [keyAt, valueAt] = [(k * groups + g) * d, (k * groups + g) * e];
          const q0 = regions[0]!.query;
          const logit = node.scale * dot(q0, at * d, early.key.data, keyAt, d);
          const size = node.scale * absDot(q0, at * d, early.key.data, keyAt, d);
          pairs.push({
            p: Math.exp(logit - lse),
            reach: absDot(upstream, at * e, early.value.data, valueAt, e),
            size,
            valueAt,
            keyAt,
            region: 0,
            early: true,
            slope: 1,
            at: null,
          });
        }
        for (let k = 0; k < keys; k++) {
          if (mask(at0(k, NaN)) === 0) continue;
          const region = whens.findIndex((when) => when(at0(k, NaN)) !== 0);
          const [keyAt, valueAt] = [((b * keys + k) * groups + g) * d, ((b * keys + k) * groups + g) * e];
          const own = regions[region]!;
          const logit = node.scale * dot(own.query, at * d, own.key, keyAt, d);
          const size = node.scale * absDot(own.query, at * d, own.key, keyAt, d);
          const values = at0(k, logit);
          const plain = node.score.kind === "logit";
          const score = plain ? { value: logit, size } : sized(node.score)(values);
          const slope = plain ? { value: 1, size: 1 } : sized(node.scoreSlope)(values);
          const steep = Math.abs(slope.value) + slope.size;
          pairs.push({
            p: Math.exp(score.value - lse),
            reach: absDot(upstream, at * e, value.data, valueAt, e),
            size: Math.max(
              size * Math.abs(slope.value),
              plain ? 0 : score.size + size * Math.abs(slope.value),
            ),
            valueAt,
            keyAt,
            region,
            early: false,
            slope: plain ? 1 : steep * (1 + size),
            at: plain ? null : [k, logit],
          });
        }
        const amplify = 1 + pairs.reduce((most, pair) => Math.max(most, pair.size), 0);
        boundL[at] = amplify + (Number.isFinite(lse) ? Math.abs(lse) : 0);
        const delta = absDot(upstream, at * e, output.data, at * e, e);
        // Kernels centre logit gradients by Σ_i upstream_i output_i of the output as it is stored: all of the output's
        // errors reach them, by each key's share, though its terms and those of the sum cancel.
        let centring = 0;
        for (let i = 0; i < e; i++) centring += least * Math.abs(upstream[at * e + i]!);
        for (const { p, reach } of pairs) centring += ((amplify + 1) * p + least) * reach;
        for (const pair of pairs) {
          const from = pair.early ? early!.value.data : value.data;
          const [toV, toK] = pair.early
            ? [bounds[afterTables + 1]!, bounds[afterTables]!]
            : [boundV, boundK(pair.region)];
          const weight = (amplify + 1) * pair.p;
          // Backward takes weights from the stored log-sum-exp, whose own error they inherit.
          const again = (boundL[at]! + 1) * pair.p;
          for (let i = 0; i < e; i++) {
            boundO[at * e + i]! += (weight + least) * Math.abs(from[pair.valueAt + i]!);
            toV[pair.valueAt + i]! += (again + least) * Math.abs(upstream[at * e + i]!);
          }
          const core = (again + faint) * (pair.reach + delta) + pair.p * centring;
          // As an element of the products with keys and queries, a logit's gradient loses at most `least`, and at most
          // all of it.
          const dLogit = core * pair.slope;
          const error = node.scale * (dLogit + Math.min(least, dLogit / (factor * unit)));
          const { query, key } = regions[pair.region]!;
          const keyData = pair.early ? early!.key.data : key;
          for (let i = 0; i < d; i++) {
            boundQ(pair.region)[at * d + i]! += error * Math.abs(keyData[pair.keyAt + i]!);
            toK[pair.keyAt + i]! += error * Math.abs(query[at * d + i]!);
          }
          if (pair.at === null) continue;
          const values = at0(...pair.at);
          node.bufferGradients.forEach(({ buffer, loads }, n) => {
            const table = tables[buffer]!;
            for (const load of loads) {
              const slope = sized(load.slope)(values);
              const skip = batched[buffer] ? 1 : 0;
              const flat = load.indices.reduce(
                (sum, index, axis) => sum * table.shape[axis + skip]! + evaluator(index)(values),
                batched[buffer] ? place.b : 0,
              );
              boundT(n)[flat]! += core * (Math.abs(slope.value) + slope.size);
            }
          });
        }
      }
  const long = Math.sqrt(Math.max(1, keys / 256));
  results.forEach((result, n) => {
    const bound = bounds[n]!;
    for (let i = 0; i < bound.length; i++)
      bound[i] = unit * Math.abs(result.data[i]!) + smallest + factor * long * unit * bound[i]!;
  });
  return bounds;
}

/** Allowed errors of a rotation of `rows`: those of two products and their sum, with the factor on both. */
export function rotationTolerance(node: RotateNode, rows: Float64Tensor): Float64Array {
  const d = rows.shape.at(-1)!;
  const scale = evaluator(node.scale);
  return rows.data.map((x, at) => {
    const i = at % d;
    if (i >= node.rotated) return 0;
    const half = node.rotated / 2;
    const [pair, other] =
      node.layout === "half" ? [i % half, i < half ? i + half : i - half] : [i >> 1, i ^ 1];
    const values = { ...noValues, index: () => pair };
    const reach = Math.abs(scale(values)) * (Math.abs(x) + Math.abs(rows.data[at - i + other]!));
    return factor * unit * reach + tiny;
  });
}

/** The largest error over its tolerance, or an account of the first element of another class (NaN, infinity). */
export function worst(
  given: Float32Array | Int32Array,
  want: Float64Array,
  tolerance: Float64Array,
): number | string {
  let most = 0;
  for (let i = 0; i < want.length; i++) {
    const [x, y] = [given[i]!, want[i]!];
    if (x === y) continue;
    if (!Number.isFinite(x) || !Number.isFinite(y)) return `element ${i} is ${x}, not ${y}`;
    most = Math.max(most, Math.abs(x - y) / tolerance[i]!);
  }
  return most;
}
