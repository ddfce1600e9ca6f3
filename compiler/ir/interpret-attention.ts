/** The meaning of attention and of its adjoint in float64: one query, one head, one key at a time. */
import { exprEvaluator, noValues, type ExprValues } from "./evaluate-expr.ts";
import type { NodeOf } from "./graph-operands.ts";
import { isTokenAxis } from "./graph-axes.ts";
import type { AttentionCore, Axis, PairCore, Turn } from "./graph.ts";
import {
  emptyTensor,
  extents,
  strides,
  type Float64Tensor,
  type InterpretSizes,
} from "./interpret-tensor.ts";
import { rowAdjoint, rowWeigher, type WeighedPair, type WeighedRow } from "./interpret-weight.ts";

export interface AttentionContext {
  readonly value: (node: AttentionCore["value"]) => Float64Tensor;
  readonly sizes: InterpretSizes;
  readonly scalar: (name: string) => number;
}

/** One pair of the walk: where its query, key and value lie, its logit, and whether the mask holds. */
interface Pair extends WeighedPair {
  readonly region: number;
  readonly queryAt: number;
  readonly keyAt: number;
  readonly valueAt: number;
  /** The query as this pair reads it, from `from` on: turned, where the region turns it. */
  readonly query: { readonly data: Float64Array; readonly from: number };
  readonly turn: Rotation | null;
}

/** What a walk reads of a node; a node without values or prepended keys says so. */
export type WalkedPairs = PairCore &
  Pick<AttentionCore, "prepended"> & {
    readonly value: AttentionCore["value"] | null;
    /** Whether hidden pairs are walked, too: a weight's normalisers may count them. */
    readonly all: boolean;
  };

export interface RowWalk extends WeighedRow {
  readonly batch: number;
  /** Number of this row in [b, t, h]. */
  readonly row: number;
  readonly pairs: readonly Pair[];
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

/** A rotation of `rotated` dimensions by one position: which element goes with which, and their cosine and sine. */
type Rotation = readonly {
  readonly first: number;
  readonly second: number;
  readonly cos: number;
  readonly sin: number;
}[];

/** The rotation of a turn at the position that its leaves give. */
function turner(turn: Turn): (values: ExprValues) => Rotation {
  const [position, angle, scale] = [turn.position, turn.angle, turn.scale].map(exprEvaluator);
  const half = turn.rotated / 2;
  // The law reads nothing of a pair, so it is asked for once.
  let law: readonly { readonly radians: number; readonly factor: number }[] | null = null;
  return (values) => {
    law ??= Array.from({ length: half }, (_, m) => {
      const own = { ...values, index: () => m };
      return { radians: angle!(own), factor: scale!(own) };
    });
    const at = position!(values);
    return law.map(({ radians, factor }, m) => ({
      first: turn.layout === "half" ? m : 2 * m,
      second: turn.layout === "half" ? m + half : 2 * m + 1,
      cos: factor * Math.cos(at * radians),
      sin: factor * Math.sin(at * radians),
    }));
  };
}

/** A row of numbers, rotated; with `sign` −1 by the adjoint. */
function rotatedRow(row: Float64Array, rotation: Rotation, sign: 1 | -1): Float64Array {
  const out = row.slice();
  for (const { first, second, cos, sin } of rotation) {
    out[first] = row[first]! * cos - sign * row[second]! * sin;
    out[second] = sign * row[first]! * sin + row[second]! * cos;
  }
  return out;
}

/** Calls `visit` for each row of [b, t, h], with the pairs that it sees; with `all`, with all. */
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
  const whens = core.regions.map(({ when }) => exprEvaluator(when));
  const turns = core.regions.map(({ turn }) => (turn === null ? null : turner(turn)));
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
            query: { data: queries[0]!, from: queryAt },
            turn: null,
            logit,
            seen: true,
          });
        }
        for (let k = 0; k < keyRows; k++) {
          const seen = mask(at(k, NaN)) !== 0;
          if (!seen && !core.all) continue;
          const region = whens.findIndex((when) => when(at(k, NaN)) !== 0);
          const turn = turns[region]!?.(at(k, NaN)) ?? null;
          const query =
            turn === null
              ? { data: queries[region]!, from: queryAt }
              : { data: rotatedRow(queries[region]!.slice(queryAt, queryAt + d), turn, 1), from: 0 };
          const keyAt = ((b * keyRows + k) * groups + group) * d;
          const logit = core.scale * dot(query.data, query.from, keys[region]!, keyAt);
          const valueAt = ((b * keyRows + k) * groups + group) * e;
          pairs.push({ k, region, queryAt, keyAt, valueAt, query, turn, logit, seen });
        }
        visit({
          batch: b,
          row: (b * rows + row) * heads + h,
          pairs,
          valuesAt: (pair) => at(pair.k, pair.logit),
          rowValues: () => at(NaN, NaN),
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
  const weigh = rowWeigher(node);
  walkRows({ ...node, all: node.weight !== null }, context, (walk) => {
    const { row, pairs } = walk;
    const { weights, lse } = weigh(walk);
    logSumExp.data[row] = lse;
    pairs.forEach((pair, n) => {
      const from = pair.k < 0 ? prepended! : values;
      for (let i = 0; i < e; i++) output.data[row * e + i]! += weights[n]! * from[pair.valueAt + i]!;
    });
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
  const keys = node.regions.map(({ key }) => data(key));
  const values = data(node.value);
  const prepended =
    node.prepended === null ? null : { key: data(node.prepended.key), value: data(node.prepended.value) };
  const [output, logSumExp, gradient] = [data(node.output), data(node.logSumExp), data(node.outputGradient)];
  const d = extents(node.axes, context.sizes)[3]!;
  const e = extents(node.value.axes, context.sizes)[3]!;
  const adjoint = rowAdjoint(node);
  const loads = node.bufferGradients.map(({ loads: entries }) =>
    entries.map((entry) => ({
      part: entry.part,
      indices: entry.indices.map(exprEvaluator),
      slope: exprEvaluator(entry.slope),
    })),
  );
  walkRows({ ...node, all: node.weight !== null }, context, (walk) => {
    const { row, pairs } = walk;
    const upstream = gradient.subarray(row * e, (row + 1) * e);
    let delta = 0;
    for (let i = 0; i < e; i++) delta += upstream[i]! * output[row * e + i]!;
    const dWeights = pairs.map((pair) => {
      const from = pair.k < 0 ? prepended!.value : values;
      let total = 0;
      for (let i = 0; i < e; i++) total += upstream[i]! * from[pair.valueAt + i]!;
      return total;
    });
    const found = adjoint(walk, dWeights, logSumExp[row]!, delta);
    pairs.forEach((pair, n) => {
      const early = pair.k < 0;
      const dFrom = early ? dPrepended!.value.data : dValue.data;
      for (let i = 0; i < e; i++) dFrom[pair.valueAt + i]! += found.weights[n]! * upstream[i]!;
      const dLogit = node.scale * found.logits[n]!;
      const [key, dKey] = early
        ? [prepended!.key, dPrepended!.key.data]
        : [keys[pair.region]!, dKeys[pair.region]!.data];
      const own = key.slice(pair.keyAt, pair.keyAt + d);
      const back = pair.turn === null ? own : rotatedRow(own, pair.turn, -1);
      const dQuery = dQueries[pair.region]!.data;
      for (let i = 0; i < d; i++) {
        dQuery[pair.queryAt + i]! += dLogit * back[i]!;
        dKey[pair.keyAt + i]! += dLogit * pair.query.data[pair.query.from + i]!;
      }
    });
    loads.forEach((entries, n) => {
      const table = dBuffers[n]!;
      const { axes } = node.buffers[node.bufferGradients[n]!.buffer]!;
      const tableStrides = strides(table.shape);
      for (const entry of entries)
        found.visit(entry.part, (share, leaves) => {
          const slope = entry.slope(leaves);
          if (slope === 0 || share === 0) return;
          const indices = entry.indices.map((index) => index(leaves));
          // The index along a batch axis is implied: it is the pair's own.
          const places = axes.map(({ name }) => (name === "b" ? walk.batch : indices.shift()!));
          const at = places.reduce((sum, place, axis) => sum + place * tableStrides[axis]!, 0);
          table.data[at]! += share * slope;
        });
    });
  });
  return [
    ...node.regions.flatMap((_, n) => [dQueries[n]!, dKeys[n]!]),
    dValue,
    ...dBuffers,
    ...(dPrepended === null ? [] : [dPrepended.key, dPrepended.value]),
  ];
}
