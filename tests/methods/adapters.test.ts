/** Adapter examples and the plain decoder against loops written from the papers: logits, gradients, what stays frozen. */
import { describe, expect, it } from "vitest";
import { decode, type DecoderSizes, type Hooks, type Weights } from "../../examples/plain-decoder.ts";
import { stageGraphs } from "../../compiler/compile.ts";
import type { Model } from "../../compiler/check/model/model.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { diskHost } from "../support/check-text.ts";
import { fillTensor, randomNumbers } from "../support/random-values.ts";
import { exampleModel, exampleNames, furthest, importReference } from "./support.ts";

type MakeHooks = (weights: Weights, sizes: DecoderSizes) => Hooks;
type WeightMap = ReadonlyMap<string, Float64Tensor>;

const vocabulary = 19;
const [batch, length] = [2, 7];

const small = { vocab: vocabulary, width: 24, hidden: 20, length: 128 };
/** Epsilon as `decoder` states it; a larger one shows that it is used where it should be. */
const variants: readonly DecoderSizes[] = [
  { layers: 2, heads: 4, kvHeads: 4, width: 24, epsilon: 1e-6 },
  { layers: 3, heads: 4, kvHeads: 2, width: 24, epsilon: 1e-2 },
  { layers: 1, heads: 6, kvHeads: 1, width: 24, epsilon: 1e-6 },
];

const settingsOf = (sizes: DecoderSizes): Record<string, number> => ({
  ...small,
  layers: sizes.layers,
  heads: sizes.heads,
  ...(sizes.kvHeads === sizes.heads ? {} : { kv_heads: sizes.kvHeads }),
  ...(sizes.epsilon === 1e-6 ? {} : { epsilon: sizes.epsilon }),
});

function plainModel(sizes: DecoderSizes): Model {
  const settings = Object.entries(settingsOf(sizes)).map(([name, value]) => `${name} ${value}`);
  const { project, diagnostics } = checkSpec(
    "s.lctx",
    `model M = decoder { ${settings.join("  ")} }`,
    diskHost,
  );
  expect(diagnostics).toEqual([]);
  return [...project!.models.values()][0]!;
}

/** Random numbers for every weight; with `started`, those that start at a constant have it. */
function weightsOf(model: Model, seed: number, started = false): Map<string, Float64Tensor> {
  const next = randomNumbers(seed);
  return new Map(
    model.parameters.map(({ path, axes, init }) => {
      const shape = axes.map((own) => own.size);
      const constant = started && init.kind === "constant" ? init.value : null;
      return [path, fillTensor(shape, () => constant ?? 0.8 * (next() - 0.5))];
    }),
  );
}

const next = randomNumbers(11);
const tokens = fillTensor([batch, length], () => Math.floor(next() * vocabulary));
const targets = fillTensor([batch, length], () => Math.floor(next() * (vocabulary + 3)) - 3).data.map((t) =>
  Math.max(t, -1),
);
const batchData: WeightMap = new Map([
  ["input:tokens", tokens],
  ["input:targets", { shape: [batch, length], data: targets }],
  ["input:loss-scale", { shape: [], data: Float64Array.of(1) }],
]);

const reader =
  (weights: WeightMap): Weights =>
  (path) => {
    const found = weights.get(path);
    if (found === undefined) throw new Error(`no weight ${path}`);
    return found.data;
  };

function referenceLogits(weights: WeightMap, sizes: DecoderSizes, make: MakeHooks | null): Float64Array {
  const rows = Array.from({ length: batch }, (_, row) =>
    decode(
      [...tokens.data.slice(row * length, (row + 1) * length)],
      sizes,
      reader(weights),
      make === null ? {} : make(reader(weights), sizes),
    ),
  );
  return Float64Array.from(rows.flat().flatMap((logits) => [...logits]));
}

/** Sum over targets of −log softmax(logits)[target]. */
function referenceLoss(logits: Float64Array): number {
  let total = 0;
  targets.forEach((target, n) => {
    if (target < 0) return;
    const own = logits.slice(n * vocabulary, (n + 1) * vocabulary);
    const top = Math.max(...own);
    total += top + Math.log(own.reduce((sum, x) => sum + Math.exp(x - top), 0)) - own[target]!;
  });
  return total;
}

const logitsOf = (model: Model, weights: WeightMap): Float64Array =>
  interpret(
    modelToGraph(model, { phase: "evaluation", output: "logits" }),
    new Map([...weights, ...batchData]),
    { batch, length },
  ).get("logits")!.data;

/** Compares the gradients of the stage's own training graph with differences of the reference. */
function checkTrainGraph(model: Model, sizes: DecoderSizes, make: MakeHooks | null): void {
  const trained = model.parameters.filter(({ trainable }) => trainable).map(({ path }) => path);
  const { train } = stageGraphs(model, trained);
  expect([...train.outputs.keys()].filter((name) => name.startsWith("gradient:")).sort()).toEqual(
    trained.map((path) => `gradient:${path}`).sort(),
  );
  const weights = weightsOf(model, 31);
  const outputs = interpret(train, new Map([...weights, ...batchData]), { batch, length });
  const random = randomNumbers(8);
  for (const path of trained) {
    const given = weights.get(path)!;
    const direction = Float64Array.from(given.data, () => 2 * random() - 1);
    const slope = outputs
      .get(`gradient:${path}`)!
      .data.reduce((sum, gradient, n) => sum + gradient * direction[n]!, 0);
    const moved = (step: number): number => {
      const data = given.data.map((x, n) => x + step * direction[n]!);
      const all = new Map(weights).set(path, { shape: given.shape, data });
      return referenceLoss(referenceLogits(all, sizes, make));
    };
    const measured = (moved(1e-5) - moved(-1e-5)) / 2e-5;
    if (Math.abs(measured - slope) > 1e-5 * Math.max(Math.abs(slope), 1e-2))
      expect({ path, slope }).toEqual({ path, slope: measured });
  }
}

describe("the plain decoder", () => {
  it.each(variants)("has the logits of loops: $heads heads, $kvHeads key-value heads", (sizes) => {
    const model = plainModel(sizes);
    const weights = weightsOf(model, 5);
    expect(furthest(logitsOf(model, weights), referenceLogits(weights, sizes, null))).toBeLessThan(1e-9);
  });

  it("has their gradients", () => {
    checkTrainGraph(plainModel(variants[1]!), variants[1]!, null);
  });
});

const adapters: { name: string; make: MakeHooks }[] = [];
for (const name of exampleNames) {
  const { hooks } = await importReference(name);
  if (hooks !== undefined) adapters.push({ name, make: hooks as MakeHooks });
}

/** Adapters that change nothing before they are trained, as their pages say. */
const startsAtBase = ["lora", "ia3", "bottleneck", "parallel"];

describe.each(adapters)("$name", ({ name, make }) => {
  it("is its reference", () => {
    for (const sizes of variants) {
      const model = exampleModel(name, settingsOf(sizes));
      const weights = weightsOf(model, 6);
      const logits = logitsOf(model, weights);
      expect(furthest(logits, referenceLogits(weights, sizes, make))).toBeLessThan(1e-9);
      // The hooks do something: the reference without them is another model.
      expect(furthest(logits, referenceLogits(weights, sizes, null))).toBeGreaterThan(1e-3);
    }
  });

  it("trains what it adds and nothing else, with its reference's gradients", () => {
    const sizes = variants[1]!;
    const model = exampleModel(name, settingsOf(sizes));
    const base = new Set(plainModel(sizes).parameters.map(({ path }) => path));
    for (const { path, trainable } of model.parameters)
      expect([path, trainable]).toEqual([path, !base.has(path)]);
    checkTrainGraph(model, sizes, make);
  });
});

describe("before training", () => {
  it.each(startsAtBase)("%s is the base model", (name) => {
    const model = exampleModel(name, settingsOf(variants[1]!));
    const weights = weightsOf(model, 7, true);
    const base = referenceLogits(weights, variants[1]!, null);
    expect(furthest(logitsOf(model, weights), base)).toBeLessThan(1e-12);
  });
});
