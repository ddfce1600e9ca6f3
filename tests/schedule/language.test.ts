/** From a spec's text to numbers: a model of the library compiled to the native device against the interpreter. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { benchUpdate } from "../../bench/decoder-graph.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../compiler/passes/pipeline.ts";
import type { Device } from "../../runtime/device/device.ts";
import { elaborate } from "../model/support.ts";
import { build, expectClose, fillModel, meaningOf, openNative } from "./support.ts";

let device: Device;
beforeAll(async () => {
  device = await openNative();
});
afterAll(() => device.close());

const specs = [
  ["shared keys and a tied head", "decoder", "heads 4 width 32 hidden 48 kv_heads 2 tied true bias true"],
  ["learned positions", "gpt2", "heads 2 width 32"],
] as const;

describe.each(specs)("a model with %s", (_, module, settings) => {
  it("computes what it means, and learns", async () => {
    const { model, reporter } = elaborate(
      `model Small = ${module} {\n  vocab 40 layers 2 length 24 ${settings}\n}\n`,
    );
    expect(reporter.diagnostics).toEqual([]);
    const trained = model!.parameters.filter((parameter) => parameter.trainable).map(({ path }) => path);
    const training = modelToGraph(model!, { phase: "training", output: "loss" });
    const graphs = {
      train: optimizeGraph(differentiate(training, trained)),
      logits: optimizeGraph(modelToGraph(model!, { phase: "decoding", output: "logits" })),
    };
    const built = await build(graphs, device, { batch: 2, length: 21 }, benchUpdate());
    fillModel(built, 40, 0.2);
    built.model.run("logits", { seed: 1, step: 1 });
    built.model.run("train", { seed: 1, step: 1 });
    for (const phase of ["logits", "train"] as const)
      for (const [name, want] of meaningOf(built, phase, { seed: 1, step: 1 }))
        expectClose(built.model.tensor(name), want.data, 1e-3, name);
    const total = (): number =>
      (built.model.tensor("loss") as Float32Array).reduce((sum, value) => sum + value, 0);
    const before = total();
    for (let step = 1; step <= 60; step++) {
      const scalars = { lr: 1e-2, step, seed: step, clip: 1 };
      built.model.run("train", scalars);
      built.model.run("update", scalars);
    }
    expect(total()).toBeLessThan(0.5 * before);
    built.model.close();
  });
});
