/** Models and adapters against HuggingFace transformers and PEFT by the interpreter: logits, loss and every gradient. */
import { describe, expect, it } from "vitest";
import type { Methods, Model } from "../../compiler/check/model/model.ts";
import * as ir from "../../compiler/ir/expr.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import type { SafetensorsFile } from "../../runtime/checkpoint/safetensors.ts";
import { fromCheckpoint, llamaNames } from "../support/hf-names.ts";
import {
  batchOf,
  cases,
  checkpoint,
  distance,
  llama,
  modelOf,
  open,
  tensor,
  type Found,
} from "./hf-support.ts";
import { plainMethods } from "./support.ts";

/** What a model gives in float64 for a checkpoint's expected batch. */
function run(model: Model, weights: (path: string) => Float64Array, expected: SafetensorsFile): Found {
  const { batch, length, tokens, targets, lossScale } = batchOf(expected);
  const inputs = new Map<string, Float64Tensor>([
    ["input:tokens", tensor([batch, length], tokens)],
    ["input:targets", tensor([batch, length], targets)],
    ["input:loss-scale", tensor([], [lossScale])],
  ]);
  for (const parameter of model.parameters) {
    const shape = parameter.axes.map((axis) => axis.size);
    inputs.set(parameter.path, tensor(shape, weights(parameter.path)));
  }
  const trained = model.parameters
    .filter((parameter) => parameter.trainable)
    .map((parameter) => parameter.path);
  const logits = interpret(modelToGraph(model, { phase: "evaluation", output: "logits" }), inputs, {
    batch,
    length,
  });
  const loss = modelToGraph(model, { phase: "training", output: "loss" });
  const outputs = interpret(differentiate(loss, trained), inputs, { batch, length }, { seed: 1, step: 1 });
  const sum = outputs.get("loss")!.data.reduce((a, b) => a + b, 0);
  return {
    logits: logits.get("logits")!.data,
    loss: sum * lossScale,
    gradients: new Map(trained.map((path) => [path, outputs.get(`gradient:${path}`)!.data])),
  };
}

describe("checkpoints of transformers", () => {
  it.each(cases)("%s gives the same logits, loss and gradients", (name, text, names) => {
    const model = modelOf(text);
    const { expected, weights, compare } = checkpoint(name, names);
    compare(run(model, weights, expected), model);
  });
});

const peft = (path: string): string =>
  path
    .replace(/^layers\.(\d+)\.attn\.(.)\./, "base_model.model.model.layers.$1.self_attn.$2_proj.")
    .replace(/^layers\.(\d+)\.mlp\.(\w+)\./, "base_model.model.model.layers.$1.mlp.$2_proj.")
    .replace(/lora\.a$/, "lora_A.weight")
    .replace(/lora\.b$/, "lora_B.weight")
    .replace(/ia3(_input)?\.scale$/, "ia3_l");

/** Positions of real tokens start after the prefix, as PEFT has it. */
const shifted = (by: number): Methods => ({
  ...plainMethods,
  instantiateAttention(...given) {
    const instance = plainMethods.instantiateAttention(...given)!;
    const meaning = {
      ...instance.phases.training,
      regions: instance.phases.training.regions.map((region) => ({
        ...region,
        queryPosition: ir.add(region.queryPosition, ir.int(by)),
        keyPosition: ir.add(region.keyPosition, ir.int(by)),
      })),
    };
    return { ...instance, phases: { training: meaning, evaluation: meaning, decoding: meaning } };
  },
});

/** Keys (0) or values (1) of a layer in PEFT's table [p, 2 · layers · heads · size]. */
function prefixPart(table: ArrayLike<number>, layer: number, which: 0 | 1): Float64Array {
  const out: number[] = [];
  for (let p = 0; p < 5; p++)
    for (let n = 0; n < 32; n++) out.push(table[p * 128 + (2 * layer + which) * 32 + n]!);
  return Float64Array.from(out);
}

type Weights = (file: SafetensorsFile, gradient: boolean) => (path: string) => Float64Array;
const peftWeights: Weights = (file, gradient) => (path) => {
  const name = peft(path);
  const stored = !gradient
    ? name
    : name.endsWith("ia3_l")
      ? `${name}.default`
      : name.replace(/\.weight$/, ".default.weight");
  return Float64Array.from(file.read(stored).values);
};
const tableName = (gradient: boolean): string =>
  gradient ? "prompt_encoder.default.embedding.weight" : "prompt_embeddings";

const adapters: readonly (readonly [string, string, Methods, Weights])[] = [
  ["lora", "lora(rank: 4, alpha: 8) on attn.{q, k, v, o}", plainMethods, peftWeights],
  ["ia3", "ia3() on attn.{k, v} ia3_input() on mlp.down", plainMethods, peftWeights],
  [
    "prompt-tuning",
    "prompt(length: 5) on embed",
    plainMethods,
    (file, gradient) => () => Float64Array.from(file.read(tableName(gradient)).values),
  ],
  [
    "prefix-tuning",
    "prefix(length: 5) on attn",
    shifted(5),
    (file, gradient) => (path) =>
      prefixPart(
        file.read(tableName(gradient)).values,
        Number(path.split(".")[1]),
        path.endsWith("keys") ? 0 : 1,
      ),
  ],
];

describe("adapters of PEFT", () => {
  it.each(adapters)("%s gives the same logits, loss and gradients", (name, clauses, methods, weights) => {
    const model = modelOf(`model M = decoder { ${llama} }\nadapt M { ${clauses} }`, methods);
    const base = open("adapters", "base-llama", "model.safetensors");
    const own = weights(open("adapters", name, "adapter_model.safetensors"), false);
    const expected = open("adapters", name, "expected.safetensors");
    const trained = new Set(model.parameters.filter((p) => p.trainable).map((p) => p.path));
    const found = run(
      model,
      (path) =>
        trained.has(path) ? own(path) : fromCheckpoint(llamaNames(path), base.read(llamaNames(path).name)),
      expected,
    );
    expect(distance(found.logits, expected.read("logits").values)).toBeLessThan(1e-5);
    // PEFT lets the last vector of a prompt predict the first token too; here the text predicts itself alone.
    if (name === "prompt-tuning") return;
    expect(distance([found.loss], expected.read("loss").values)).toBeLessThan(1e-5);
    const grads = weights(open("adapters", name, "grads.safetensors"), true);
    expect(found.gradients.size).toBeGreaterThan(0);
    for (const [path, gradient] of found.gradients)
      expect(distance(gradient, grads(path)), path).toBeLessThan(1e-4);
  });
});
