/** Adapters: nothing changes at the start, frozen weights have no gradient, merged low-rank factors give the same. */
import { describe, expect, it } from "vitest";
import { countParameters, type Model } from "../../compiler/check/model/model.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { elaborate } from "./support.ts";

const settings = "vocab 32   layers 2   heads 2   width 8   hidden 12   length 16";
const batch = 2;
const length = 5;

function modelOf(adapt: string): Model {
  const { model, reporter } = elaborate(
    `model M = decoder { ${settings} }${adapt === "" ? "" : `\nadapt M { ${adapt} }`}`,
  );
  expect(reporter.diagnostics).toEqual([]);
  return model!;
}

/** Numbers that depend on the path and place alone, so that models share their common weights. */
function numbers(path: string, count: number, size: number): Float64Array {
  let state = 7;
  for (const letter of path) state = (state * 31 + letter.charCodeAt(0)) % 2147483647;
  return new Float64Array(count).map(() => {
    state = (state * 48271) % 2147483647;
    return (state / 2147483647 - 0.5) * size;
  });
}

function weightsOf(model: Model, started: boolean): Map<string, Float64Tensor> {
  const weights = new Map<string, Float64Tensor>();
  for (const { path, axes, init } of model.parameters) {
    const shape = axes.map((axis) => axis.size);
    const count = shape.reduce((a, b) => a * b, 1);
    const asStarted = started && init.kind === "constant";
    const data = asStarted ? new Float64Array(count).fill(init.value) : numbers(path, count, 0.6);
    weights.set(path, { shape, data });
  }
  return weights;
}

function logits(model: Model, weights: ReadonlyMap<string, Float64Tensor>): Float64Array {
  const tokens = { shape: [batch, length], data: Float64Array.from([3, 1, 4, 1, 5, 9, 2, 6, 5, 3]) };
  const graph = modelToGraph(model, { phase: "evaluation", output: "logits" });
  return interpret(graph, new Map([...weights, ["input:tokens", tokens]]), { batch, length }).get("logits")!
    .data;
}

const furthest = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, x, n) => Math.max(most, Math.abs(x - b[n]!)), 0);

/** Trained numbers in all, from the shapes: width 8, hidden 12, 2 layers. */
const cases: readonly (readonly [string, string, number])[] = [
  ["low-rank", "lora(rank: 2) on attn.{q, v}", 2 * 2 * 2 * (8 + 8)],
  ["scales", "ia3() on attn.{k, v}   ia3_input() on mlp.down", 2 * (8 + 8 + 12)],
  ["bottleneck", "bottleneck(size: 3) on attn, mlp", 2 * 2 * (3 * (8 + 8) + 3 + 8)],
  ["parallel", "parallel(size: 3) on mlp", 2 * (3 * (8 + 8) + 3 + 8)],
];

describe("adapters at the start", () => {
  it.each(cases)("%s changes nothing and trains what it says", (_, adapt, count) => {
    const plain = modelOf("");
    const model = modelOf(adapt);
    const before = logits(plain, weightsOf(plain, true));
    expect(furthest(before, logits(model, weightsOf(model, true)))).toBeLessThan(1e-12);
    // Away from the start it does change the logits: the test above is no accident.
    expect(furthest(before, logits(model, weightsOf(model, false)))).toBeGreaterThan(1e-4);
    expect(countParameters(model).trainable).toBe(count);
    expect(countParameters(model).all).toBe(countParameters(plain).all + count);
  });

  it.each([
    ["learned tokens", "prompt(length: 3) on embed", 3 * 8],
    ["learned keys and values", "prefix(length: 3) on attn", 2 * 2 * 3 * 8],
  ])("%s keep the shape of the logits", (_, adapt, count) => {
    const model = modelOf(adapt);
    expect(countParameters(model).trainable).toBe(count);
    expect(logits(model, weightsOf(model, false)).length).toBe(batch * length * 32);
  });
});

describe("low-rank factors", () => {
  it("give the same as their product added to the weight", () => {
    const plain = modelOf("");
    const model = modelOf("lora(rank: 2, alpha: 6) on attn.{q, o}, mlp.down");
    const weights = weightsOf(model, false);
    const merged = new Map(weights);
    for (const { path } of model.parameters.filter((parameter) => parameter.path.endsWith("lora.a"))) {
      const site = path.slice(0, -".lora.a".length);
      const [a, b, w] = [path, `${site}.lora.b`, `${site}.weight`].map((name) => weights.get(name)!);
      const [outputs, inputs] = w!.shape as [number, number];
      const data = w!.data.map((value, n) => {
        const o = Math.floor(n / inputs);
        const i = n % inputs;
        let sum = 0;
        for (let r = 0; r < 2; r++) sum += b!.data[o * 2 + r]! * a!.data[r * inputs + i]!;
        return value + (6 / 2) * sum;
      });
      expect(data.length).toBe(outputs * inputs);
      merged.set(`${site}.weight`, { shape: w!.shape, data });
    }
    const adapted = logits(model, weights);
    expect(furthest(adapted, logits(plain, merged))).toBeLessThan(1e-12);
    expect(furthest(adapted, logits(plain, weights))).toBeGreaterThan(1e-4);
  });
});

describe("what trains", () => {
  it("is what adapters bring and `train` names", () => {
    const model = modelOf("lora(rank: 2) on attn.q   train norm.*, embed");
    const trained = model.parameters
      .filter((parameter) => parameter.trainable)
      .map((parameter) => parameter.path);
    expect(trained.every((path) => /\.lora\.|(^|\.)norm\.|^embed\./.test(path))).toBe(true);
    expect(trained).toContain("layers.1.norm.mlp.weight");
    expect(trained).toContain("norm.final.weight");
    expect(trained).not.toContain("layers.0.attn.q.weight");
  });

  it("is told to the graph", () => {
    const model = modelOf("lora(rank: 2) on attn.q");
    const graph = modelToGraph(model, { phase: "training", output: "loss" });
    const flags = graph.nodes.flatMap((node) =>
      node.kind === "parameter" ? [[node.path, node.trainable]] : [],
    );
    expect(
      flags
        .filter(([, trainable]) => trainable)
        .map(([path]) => path)
        .sort(),
    ).toEqual(
      model.parameters
        .filter((parameter) => parameter.trainable)
        .map((parameter) => parameter.path)
        .sort(),
    );
  });

  it("layers can be chosen by range", () => {
    const model = modelOf("lora(rank: 2) on layers.1 to 1.attn.q");
    const paths = model.parameters
      .filter((parameter) => parameter.trainable)
      .map((parameter) => parameter.path);
    expect(paths).toEqual(["layers.1.attn.q.lora.a", "layers.1.attn.q.lora.b"]);
  });
});
