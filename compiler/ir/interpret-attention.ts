/** The meaning of attention and of its adjoint in float64: one query, one head, one key at a time. */
import { exprEvaluator, noValues, type ExprValues } from "./evaluate-expr.ts";
import type { NodeOf } from "./graph-operands.ts";
import { isTokenAxis } from "./graph-axes.ts";
import type { AttentionCore, Axis, PairCore } from "./graph.ts";
import {
  emptyTensor,
  extents,
  strides,
  type Float64Tensor,
  type InterpretSizes,
} from "./interpret-tensor.ts";

export interface AttentionContext {
  readonly value: (node: AttentionCore["value"]) => Float64Tensor;
  readonly sizes: InterpretSizes;
  readonly scalar: (name: string) => number;
}

/** One pair of the walk: where its query, key and value lie, its logit after `score`, and what its loads are. */
interface Pair {
  /** −1 − n for prepended key n. */
  readonly k: number;
  readonly region: number;
  readonly queryAt: number;
  readonly keyAt: number;
  readonly valueAt: number;
  readonly logit: number;
  readonly score: number;
}

/** What a walk reads of a node; a node without values or prepended keys says so. */
export type WalkedPairs = PairCore &
  Pick<AttentionCore, "score" | "prepended"> & { readonly value: AttentionCore["value"] | null };

export interface RowWalk {
  readonly batch: number;
  readonly q: number;
  readonly h: number;
  /** Number of this row in [b, t, h]. */
  readonly row: number;
  readonly pairs: readonly Pair[];
  /** Leaves at one pair, for further expressions; they hold until the next pair is asked for. */
  readonly valuesAt: (pair: Pair) => ExprValues;
}

/** Reads element `indices` of a buffer in row `batch`. */
export function loader(
  buffers: PairCore["buffers"],
  context: AttentionContext,
): (batch: number) => ExprValues["load"] {
  const tables = buffers.map((buffer) => {
    const tensor = context.value(buffer);
    const batched = buffer.axes.findIndex(({ name }: Axis) => name === "b");
    return { tensor, batched, strides: strides(tensor.shape) };
  });
  return (batch) => (n, indices) => {
    const table = tables[n]!;
    let at = 0;
    let next = 0;
    table.tensor.shape.forEach((extent, d) => {
      const index = d === table.batched ? batch : indices[next++]!;
      if (!(index >= 0 && index < extent))
        throw new RangeError(`index ${index} outside axis ${d} of buffer ${n} (${extent})`);
      at += index * table.strides[d]!;
    });
    return table.tensor.data[at]!;
  };
}

/** Words in a row of each buffer, read as a set. */
export const wordCounter =
  (buffers: PairCore["buffers"], context: AttentionContext): ExprValues["words"] =>
  (n) =>
    context.value(buffers[n]!).shape.at(-1)!;

/** The sizes that expressions may read, where `rows` is how many queries there are. */
export const sizeReader =
  (sizes: InterpretSizes, rows: number, start: number): ExprValues["size"] =>
  (name) => {
    if (name === "query-length") return sizes["query-length"] ?? rows;
    if (name === "query-start") return start;
    return name === "step" ? (sizes.step ?? 0) : sizes[name];
  };

/** Calls `visit` for each row of [b, t, h], with the pairs that it sees. */
export function walkRows(core: WalkedPairs, context: AttentionContext, visit: (row: RowWalk) => void): void {
  const queries = core.regions.map(({ query }) => context.value(query).data);
  const keys = core.regions.map(({ key }) => context.value(key).data);
  const [batches, rows, heads, d] = extents(core.regions[0]!.query.axes, context.sizes) as [
    number,
    number,
    number,
    number,
  ];
  const [, keyRows, groups] = extents(core.regions[0]!.key.axes, context.sizes) as [
    number,
    number,
    number,
    number,
  ];
  const e = core.value === null ? 0 : extents(core.value.axes, context.sizes)[3]!;
  const start = isTokenAxis(core.regions[0]!.query.axes[1]!) ? (context.sizes["query-start"] ?? 0) : 0;
  const mask = exprEvaluator(core.mask);
  const score = exprEvaluator(core.score);
  const whens = core.regions.map(({ when }) => exprEvaluator(when));
  const load = loader(core.buffers, context);
  const prepended = core.prepended === null ? null : context.value(core.prepended.key);
  const dot = (a: Float64Array, at: number, b: Float64Array, bt: number): number => {
    let total = 0;
    for (let i = 0; i < d; i++) total += a[at + i]! * b[bt + i]!;
    return total;
  };
  // One set of leaves that reads where the loops are: a new one for each pair would take most of the time.
  let place = { q: NaN, h: NaN, k: NaN, logit: NaN };
  let loadRow = noValues.load;
  const leaves: ExprValues = {
    ...noValues,
    index: (name) => (name === "q" ? place.q : name === "k" ? place.k : name === "h" ? place.h : NaN),
    size: sizeReader(context.sizes, rows, start),
    scalar: context.scalar,
    load: (n, indices) => loadRow(n, indices),
    words: wordCounter(core.buffers, context),
    logit: () => place.logit,
  };
  const at = (k: number, logit: number): ExprValues => {
    place.k = k;
    place.logit = logit;
    return leaves;
  };
  for (let b = 0; b < batches; b++)
    for (let row = 0; row < rows; row++)
      for (let h = 0; h < heads; h++) {
        const group = Math.floor(h / (heads / groups));
        place = { q: start + row, h, k: NaN, logit: NaN };
        loadRow = load(b);
        const queryAt = ((b * rows + row) * heads + h) * d;
        const pairs: Pair[] = [];
        for (let n = 0; prepended !== null && n < prepended.shape[0]!; n++) {
          const keyAt = (n * groups + group) * d;
          const logit = core.scale * dot(queries[0]!, queryAt, prepended.data, keyAt);
          pairs.push({
            k: -1 - n,
            region: 0,
            queryAt,
            keyAt,
            valueAt: (n * groups + group) * e,
            logit,
            score: logit,
          });
        }
        for (let k = 0; k < keyRows; k++) {
          if (mask(at(k, NaN)) === 0) continue;
          const region = whens.findIndex((when) => when(at(k, NaN)) !== 0);
          const keyAt = ((b * keyRows + k) * groups + group) * d;
          const logit = core.scale * dot(queries[region]!, queryAt, keys[region]!, keyAt);
          const valueAt = ((b * keyRows + k) * groups + group) * e;
          pairs.push({ k, region, queryAt, keyAt, valueAt, logit, score: score(at(k, logit)) });
        }
        visit({
          batch: b,
          q: start + row,
          h,
          row: (b * rows + row) * heads + h,
          pairs,
          valuesAt: (pair) => at(pair.k, pair.logit),
        });
      }
}

/** Results of an attention node: output [b,t,h,e] and log-sum-exp [b,t,h]; 0 and −∞ for a row without keys. */
export function interpretAttention(
  node: NodeOf<"attention">,
  context: AttentionContext,
): readonly Float64Tensor[] {
  const shape = extents(node.axes, context.sizes);
  const output = emptyTensor(shape);
  const logSumExp = emptyTensor(shape.slice(0, 3));
  const e = shape[3]!;
  const values = context.value(node.value).data;
  const prepended = node.prepended === null ? null : context.value(node.prepended.value).data;
  walkRows(node, context, ({ row, pairs }) => {
    const largest = pairs.reduce((max, pair) => Math.max(max, pair.score), -Infinity);
    if (largest === -Infinity) {
      logSumExp.data[row] = -Infinity;
      return;
    }
    let total = 0;
    for (const pair of pairs) {
      const weight = Math.exp(pair.score - largest);
      total += weight;
      const from = pair.k < 0 ? prepended! : values;
      for (let i = 0; i < e; i++) output.data[row * e + i]! += weight * from[pair.valueAt + i]!;
    }
    for (let i = 0; i < e; i++) output.data[row * e + i]! /= total;
    logSumExp.data[row] = largest + Math.log(total);
  });
  return [output, logSumExp];
}

/** Results of an attention gradient, in the order of the node's results. */
export function interpretAttentionGradient(
  node: NodeOf<"attention-gradient">,
  context: AttentionContext,
): readonly Float64Tensor[] {
  const like = (other: AttentionCore["value"]): Float64Tensor =>
    emptyTensor(extents(other.axes, context.sizes));
  const dQueries = node.regions.map(({ query }) => like(query));
  const dKeys = node.regions.map(({ key }) => like(key));
  const dValue = like(node.value);
  const dBuffers = node.bufferGradients.map(({ buffer }) => like(node.buffers[buffer]!));
  const dPrepended =
    node.prepended === null ? null : { key: like(node.prepended.key), value: like(node.prepended.value) };
  const data = (other: AttentionCore["value"]): Float64Array => context.value(other).data;
  const [queries, keys] = [
    node.regions.map(({ query }) => data(query)),
    node.regions.map(({ key }) => data(key)),
  ];
  const values = data(node.value);
  const prepended =
    node.prepended === null ? null : { key: data(node.prepended.key), value: data(node.prepended.value) };
  const [output, logSumExp, gradient] = [data(node.output), data(node.logSumExp), data(node.outputGradient)];
  const d = extents(node.axes, context.sizes)[3]!;
  const e = extents(node.value.axes, context.sizes)[3]!;
  const slope = exprEvaluator(node.scoreSlope);
  const loads = node.bufferGradients.map(({ loads: entries }) =>
    entries.map((entry) => ({
      indices: entry.indices.map(exprEvaluator),
      slope: exprEvaluator(entry.slope),
    })),
  );
  walkRows(node, context, ({ batch, row, pairs, valuesAt }) => {
    let delta = 0;
    for (let i = 0; i < e; i++) delta += gradient[row * e + i]! * output[row * e + i]!;
    for (const pair of pairs) {
      const early = pair.k < 0;
      const weight = Math.exp(pair.score - logSumExp[row]!);
      const from = early ? prepended!.value : values;
      const dFrom = early ? dPrepended!.value.data : dValue.data;
      let dWeight = 0;
      for (let i = 0; i < e; i++) {
        dWeight += gradient[row * e + i]! * from[pair.valueAt + i]!;
        dFrom[pair.valueAt + i]! += weight * gradient[row * e + i]!;
      }
      const dScore = weight * (dWeight - delta);
      const leaves = early ? null : valuesAt(pair);
      const dLogit = node.scale * dScore * (leaves === null ? 1 : slope(leaves));
      const [key, dKey] = early
        ? [prepended!.key, dPrepended!.key.data]
        : [keys[pair.region]!, dKeys[pair.region]!.data];
      const [query, dQuery] = [queries[pair.region]!, dQueries[pair.region]!.data];
      for (let i = 0; i < d; i++) {
        dQuery[pair.queryAt + i]! += dLogit * key[pair.keyAt + i]!;
        dKey[pair.keyAt + i]! += dLogit * query[pair.queryAt + i]!;
      }
      if (leaves === null) continue;
      loads.forEach((entries, n) => {
        const table = dBuffers[n]!;
        const { axes } = node.buffers[node.bufferGradients[n]!.buffer]!;
        const tableStrides = strides(table.shape);
        for (const entry of entries) {
          const share = entry.slope(leaves);
          if (share === 0) continue;
          const indices = entry.indices.map((index) => index(leaves));
          // The index along a batch axis is implied: it is the pair's own.
          const places = axes.map(({ name }) => (name === "b" ? batch : indices.shift()!));
          const at = places.reduce((sum, place, axis) => sum + place * tableStrides[axis]!, 0);
          table.data[at]! += dScore * share;
        }
      });
    }
  });
  return [
    ...node.regions.flatMap((_, n) => [dQueries[n]!, dKeys[n]!]),
    dValue,
    ...dBuffers,
    ...(dPrepended === null ? [] : [dPrepended.key, dPrepended.value]),
  ];
}
