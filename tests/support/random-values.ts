/** Seeded values for the inputs of a graph: weights, tokens, targets, documents; the same for the same seed. */
import type { Axis, Graph } from "../../compiler/ir/graph.ts";
import type { Float64Tensor, InterpretSizes } from "../../compiler/ir/interpret.ts";

/** Numbers in [0, 1) from a 32-bit state (mulberry32), good enough for test data. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const extentOf = ({ size }: Axis, sizes: InterpretSizes): number =>
  size.kind === "fixed"
    ? size.value
    : size.kind === "batch"
      ? sizes.batch
      : Math.ceil((sizes.length + size.plus) / size.by);

export const shapeOf = (axes: readonly Axis[], sizes: InterpretSizes): number[] =>
  axes.map((own) => extentOf(own, sizes));

/** A tensor of numbers made one by one; with `single`, each rounded to f32 so that kernels can be given the same. */
export function fillTensor(shape: readonly number[], next: () => number, single = false): Float64Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const round = single ? Math.fround : (x: number): number => x;
  return { shape, data: Float64Array.from({ length: count }, () => round(next())) };
}

/** Nondecreasing document numbers of one row, and where each document starts: short documents, or long ones, or one. */
export function randomDocuments(length: number, next: () => number): { ids: number[]; starts: number[] } {
  const [ids, starts]: [number[], number[]] = [[], []];
  const chance = 0.4 * next() ** 3;
  let [id, start] = [0, 0];
  for (let t = 0; t < length; t++) {
    if (t > 0 && next() < chance) [id, start] = [id + 1, t];
    ids.push(id);
    starts.push(start);
  }
  return { ids, starts };
}

/** Every input and parameter of a graph. Tokens and targets lie below `vocabulary`; a quarter of the targets are −1. */
export function randomInputs(
  graph: Graph,
  sizes: InterpretSizes,
  seed: number,
  { vocabulary = 7, deviation = 0.6, single = false } = {},
): Map<string, Float64Tensor> {
  const next = randomNumbers(seed);
  const inputs = new Map<string, Float64Tensor>();
  const whole = (limit: number): number => Math.floor(next() * limit);
  const normal = (): number =>
    deviation * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const documents = Array.from({ length: sizes.batch }, () => randomDocuments(sizes.length, next));
  const rows = (pick: (row: { ids: number[]; starts: number[] }) => number[]): Float64Tensor => ({
    shape: [sizes.batch, sizes.length],
    data: Float64Array.from(documents.flatMap(pick)),
  });
  const makers = {
    tokens: () => fillTensor([sizes.batch, sizes.length], () => whole(vocabulary)),
    targets: () => fillTensor([sizes.batch, sizes.length], () => (next() < 0.25 ? -1 : whole(vocabulary))),
    documents: () => rows(({ ids }) => ids),
    starts: () => rows(({ starts }) => starts),
    "loss-scale": () => fillTensor([], () => 0.25, single),
  } as const;
  for (const node of graph.nodes) {
    if (node.kind === "input") inputs.set(`input:${node.name}`, makers[node.name]());
    if (node.kind === "parameter")
      inputs.set(node.path, fillTensor(shapeOf(node.axes, sizes), normal, single));
  }
  return inputs;
}
