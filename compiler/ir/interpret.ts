/** The meaning of a Graph: a slow, plain float64 evaluation of every node, against which all else is compared. */
import { exprEvaluator, noValues } from "./evaluate-expr.ts";
import type { SizeName } from "./expr.ts";
import { isTokenAxis } from "./graph-axes.ts";
import type { NodeOf } from "./graph-operands.ts";
import type { Axis, Graph, Node, NodeKind } from "./graph.ts";
import { interpretAttention, interpretAttentionGradient } from "./interpret-attention.ts";
import { interpretBlockReduce, interpretBlockSpread, interpretRunningSum } from "./interpret-blocks.ts";
import { interpretLogSumExp, interpretPairReduce } from "./interpret-pairs.ts";
import { interpretSelect } from "./interpret-select.ts";
import { crossEntropy, crossEntropyGradient, headGradients, headLogits } from "./interpret-loss.ts";
import {
  emptyTensor,
  extents,
  folds,
  offsets,
  product,
  strides,
  type Float64Tensor,
  type InterpretSizes,
} from "./interpret-tensor.ts";
import { uniformNumber } from "./philox.ts";

export type { Float64Tensor, InterpretSizes } from "./interpret-tensor.ts";

/** What a node's meaning may ask for. */
interface Context {
  readonly value: (node: Node) => Float64Tensor;
  /** All results of a node with several. */
  readonly results: (node: Node) => readonly Float64Tensor[];
  readonly given: (name: string) => Float64Tensor;
  readonly sizes: InterpretSizes;
  readonly size: (name: SizeName) => number;
  readonly scalar: (name: string) => number;
}

type Meaning<K extends NodeKind> = (node: NodeOf<K>, context: Context) => readonly Float64Tensor[];

/** Where each element of `axes` lies in the value of another node. */
const placesIn = (axes: readonly Axis[], node: Node, sizes: InterpretSizes): Int32Array =>
  offsets(axes, extents(axes, sizes), node.axes, extents(node.axes, sizes));

function map(node: NodeOf<"map">, context: Context): readonly Float64Tensor[] {
  const out = emptyTensor(extents(node.axes, context.sizes));
  const operands = node.operands.map((operand) => ({
    data: context.value(operand).data,
    places: placesIn(node.axes, operand, context.sizes),
  }));
  const body = exprEvaluator(node.body);
  const axisStrides = strides(out.shape);
  const axisNumber = new Map(node.axes.map(({ name }, n) => [name, n]));
  let element = 0;
  const values = {
    ...noValues,
    size: context.size,
    scalar: context.scalar,
    operand: (n: number) => operands[n]!.data[operands[n]!.places[element]!]!,
    index: (name: string) => {
      const n = axisNumber.get(name)!;
      return Math.floor(element / axisStrides[n]!) % out.shape[n]!;
    },
    uniform: (stream: number) => uniformNumber(context.scalar("seed"), stream, context.size("step"), element),
  };
  for (; element < out.data.length; element++) out.data[element] = body(values);
  return [out];
}

function reduce(node: NodeOf<"reduce">, context: Context): readonly Float64Tensor[] {
  const { start, fold } = folds[node.op];
  const given = context.value(node.operand);
  const out = emptyTensor(extents(node.axes, context.sizes));
  out.data.fill(start);
  const places = offsets(node.operand.axes, given.shape, node.axes, out.shape);
  places.forEach((place, n) => (out.data[place] = fold(out.data[place]!, given.data[n]!)));
  return [out];
}

function contract(node: NodeOf<"contract">, context: Context): readonly Float64Tensor[] {
  const [left, right] = [context.value(node.left), context.value(node.right)];
  const out = emptyTensor(extents(node.axes, context.sizes));
  const over = [...node.left.axes, ...node.right.axes].filter(
    ({ name }, n, all) => node.over.includes(name) && all.findIndex((a) => a.name === name) === n,
  );
  const inner = product(extents(over, context.sizes));
  const at = (axes: readonly Axis[], side: Node): Int32Array => placesIn(axes, side, context.sizes);
  const [leftOuter, rightOuter] = [at(node.axes, node.left), at(node.axes, node.right)];
  const [leftInner, rightInner] = [at(over, node.left), at(over, node.right)];
  for (let n = 0; n < out.data.length; n++) {
    let total = 0;
    for (let i = 0; i < inner; i++)
      total += left.data[leftOuter[n]! + leftInner[i]!]! * right.data[rightOuter[n]! + rightInner[i]!]!;
    out.data[n] = total;
  }
  return [out];
}

/** For each element of gathered rows: where it lies in the table. `axes` are the index's axes, then the table's others. */
function gatheredPlaces(
  axes: readonly Axis[],
  table: Node,
  along: string,
  index: Node,
  context: Context,
): Int32Array {
  const tableShape = extents(table.axes, context.sizes);
  const n = table.axes.findIndex(({ name }) => name === along);
  const step = strides(tableShape)[n]!;
  const inIndex = placesIn(axes, index, context.sizes);
  const others = table.axes.map((a) => (a.name === along ? { ...a, name: "" } : a));
  const inTable = offsets(axes, extents(axes, context.sizes), others, tableShape);
  const rows = context.value(index).data;
  return inTable.map((place, element) => {
    const row = rows[inIndex[element]!]!;
    if (!(row >= 0 && row < tableShape[n]!))
      throw new RangeError(`index ${row} outside axis ${along} (${tableShape[n]})`);
    return place + row * step;
  });
}

function concat(node: NodeOf<"concat">, context: Context): readonly Float64Tensor[] {
  const out = emptyTensor(extents(node.axes, context.sizes));
  const along = node.axes.findIndex(({ name }) => name === node.axis);
  const step = strides(out.shape)[along]!;
  let start = 0;
  for (const operand of node.operands) {
    const value = context.value(operand);
    const own = operand.axes.find(({ name }) => name === node.axis)!;
    const axes = node.axes.map((a) => (a.name === node.axis ? own : a));
    const from = placesIn(axes, operand, context.sizes);
    const to = offsets(axes, extents(axes, context.sizes), node.axes, out.shape);
    from.forEach((place, n) => (out.data[to[n]! + start * step] = value.data[place]!));
    start += extents([own], context.sizes)[0]!;
  }
  return [out];
}

function slice(node: NodeOf<"slice">, context: Context): readonly Float64Tensor[] {
  const given = context.value(node.operand);
  const out = emptyTensor(extents(node.axes, context.sizes));
  const along = node.axes.findIndex(({ name }) => name === node.axis);
  const first = node.start * strides(given.shape)[along]!;
  placesIn(node.axes, node.operand, context.sizes).forEach(
    (place, n) => (out.data[n] = given.data[place + first]!),
  );
  return [out];
}

function rotate(node: NodeOf<"rotate">, context: Context): readonly Float64Tensor[] {
  const given = context.value(node.operand);
  const out: Float64Tensor = { shape: given.shape, data: given.data.slice() };
  const width = given.shape.at(-1)!;
  const pairs = node.rotated / 2;
  const rowStrides = strides(given.shape.slice(0, -1));
  const token = node.axes.findIndex(({ name }) => name === "t");
  const head = node.axes.length - 2;
  const start = isTokenAxis(node.axes[token]!) ? context.size("query-start") : 0;
  const [position, angle, scale] = [node.position, node.angle, node.scale].map(exprEvaluator) as [
    ReturnType<typeof exprEvaluator>,
    ReturnType<typeof exprEvaluator>,
    ReturnType<typeof exprEvaluator>,
  ];
  const shared = { ...noValues, size: context.size, scalar: context.scalar };
  for (let row = 0; row < given.data.length / width; row++) {
    const along = (n: number): number => Math.floor(row / rowStrides[n]!) % given.shape[n]!;
    const x = start + along(token);
    const turn = position({ ...shared, index: (name) => (name === "x" ? x : along(head)) });
    for (let m = 0; m < pairs; m++) {
      const values = { ...shared, index: () => m };
      const radians = turn * angle(values) * (node.inverse ? -1 : 1);
      const factor = scale(values);
      const [cos, sin] = [factor * Math.cos(radians), factor * Math.sin(radians)];
      const first = row * width + (node.layout === "half" ? m : 2 * m);
      const second = first + (node.layout === "half" ? pairs : 1);
      const [a, b] = [given.data[first]!, given.data[second]!];
      out.data[first] = a * cos - b * sin;
      out.data[second] = a * sin + b * cos;
    }
  }
  return [out];
}

const meanings: { readonly [K in NodeKind]: Meaning<K> } = {
  input: (node, { given }) => [given(`input:${node.name}`)],
  parameter: (node, { given }) => [given(node.path)],
  map,
  reduce,
  contract,
  gather: (node, context) => {
    const table = context.value(node.table).data;
    const places = gatheredPlaces(node.axes, node.table, node.axis, node.index, context);
    return [
      { shape: extents(node.axes, context.sizes), data: Float64Array.from(places, (place) => table[place]!) },
    ];
  },
  scatter: (node, context) => {
    const values = context.value(node.values).data;
    const out = emptyTensor(extents(node.axes, context.sizes));
    const places = gatheredPlaces(node.values.axes, node, node.axis, node.index, context);
    places.forEach((place, n) => (out.data[place]! += values[n]!));
    return [out];
  },
  reshape: (node, { value, sizes }) => {
    const { data } = value(node.operand);
    const shape = extents(node.axes, sizes);
    if (product(shape) !== data.length)
      throw new Error(`reshape of ${node.site} changes the number of elements`);
    return [{ shape, data }];
  },
  concat,
  slice,
  rotate,
  attention: interpretAttention,
  "attention-gradient": interpretAttentionGradient,
  select: interpretSelect,
  "log-sum-exp": interpretLogSumExp,
  "pair-reduce": interpretPairReduce,
  "block-reduce": interpretBlockReduce,
  "block-spread": interpretBlockSpread,
  "running-sum": interpretRunningSum,
  "cross-entropy": (node, { value }) => crossEntropy(value(node.logits), value(node.targets)),
  "cross-entropy-gradient": (node, { value }) => [
    crossEntropyGradient(
      value(node.logits),
      value(node.targets),
      value(node.logSumExp),
      value(node.lossGradient),
    ),
  ],
  "head-loss": (node, { value }) =>
    crossEntropy(headLogits(value(node.x), value(node.weight)), value(node.targets)),
  "head-loss-gradient": (node, { value }) => {
    const [x, weight] = [value(node.x), value(node.weight)];
    const logits = headLogits(x, weight);
    const [targets, logSumExp, lossGradient] = [node.targets, node.logSumExp, node.lossGradient].map(value);
    return headGradients(x, weight, crossEntropyGradient(logits, targets!, logSumExp!, lossGradient!));
  },
  hole: (node) => {
    throw new Error(`hole ${node.name} of ${node.site} was not filled`);
  },
  result: (node, { results }) => [results(node.of)[node.result]!],
};

/**
 * The outputs of a graph. `inputs` hold, by the names that programs use, `input:<name>` for batch data and the path of
 * each parameter; `scalars` the numbers of `scalar` expressions (`seed` and `step` too, where random numbers are read).
 * Throws when an input is missing or has another number of elements than its axes say.
 */
export function interpret(
  graph: Graph,
  inputs: ReadonlyMap<string, Float64Tensor>,
  sizes: InterpretSizes,
  scalars: Readonly<Record<string, number>> = {},
): ReadonlyMap<string, Float64Tensor> {
  const done = new Map<Node, readonly Float64Tensor[]>();
  const scalar = (name: string): number => {
    const value = scalars[name];
    if (value === undefined) throw new Error(`no scalar ${name} was given`);
    return value;
  };
  const known: Readonly<Record<SizeName, number>> = {
    batch: sizes.batch,
    length: sizes.length,
    "query-length": sizes["query-length"] ?? sizes.length,
    "query-start": sizes["query-start"] ?? 0,
    step: sizes.step ?? scalars["step"] ?? 0,
  };
  const context: Context = {
    value: (node) => done.get(node)![0]!,
    results: (node) => done.get(node)!,
    given: (name) => {
      const tensor = inputs.get(name);
      if (tensor === undefined) throw new Error(`no input ${name} was given`);
      return tensor;
    },
    sizes,
    size: (name) => known[name],
    scalar,
  };
  for (const node of graph.nodes) {
    const meaning = meanings[node.kind] as (node: Node, context: Context) => readonly Float64Tensor[];
    const results = meaning(node, context);
    const expected = product(extents(node.axes, sizes));
    if (results[0]!.data.length !== expected)
      throw new Error(
        `${node.kind} of ${node.site} has ${results[0]!.data.length} elements, its axes say ${expected}`,
      );
    done.set(node, results);
  }
  return new Map([...graph.outputs].map(([name, node]) => [name, done.get(node)![0]!]));
}
