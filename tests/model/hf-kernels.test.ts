/** Models against HuggingFace transformers by the compiled kernels, in float32: logits, loss and every gradient. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram } from "../../compiler/build-program.ts";
import { checkSpec, stageGraphs } from "../../compiler/compile.ts";
import type { Model } from "../../compiler/check/model/model.ts";
import { parameterInfos } from "../../compiler/lower/model-to-graph.ts";
import type { Device } from "../../runtime/device/device.ts";
import { instantiate } from "../../runtime/executable.ts";
import type { SafetensorsFile } from "../../runtime/checkpoint/safetensors.ts";
import { openNative } from "../schedule/support.ts";
import { diskHost } from "../support/check-text.ts";
import { batchOf, cases, checkpoint, type Found } from "./hf-support.ts";

let device: Device;
beforeAll(async () => {
  device = await openNative();
});
afterAll(() => device.close());

/** What a model gives by its kernels for a checkpoint's expected batch, by the same steps as training takes. */
async function run(
  model: Model,
  weights: (path: string) => Float64Array,
  expected: SafetensorsFile,
): Promise<Found> {
  const { batch, length, tokens, targets, lossScale } = batchOf(expected);
  const paths = model.parameters.map(({ path }) => path);
  const { program, sources } = buildProgram({
    name: model.name,
    graphs: stageGraphs(model, paths),
    update: null,
    parameters: parameterInfos(model),
    maxLength: model.maxLength,
  });
  const phases = ["logits", "loss", "train"] as const;
  const executable = await instantiate(program, sources, device, { batch, length }, phases);
  for (const path of paths) executable.tensor(path).set(weights(path));
  executable.tensor("input:tokens").set(tokens as ArrayLike<number>);
  executable.tensor("input:targets").set(targets);
  executable.tensor("input:loss-scale").set([lossScale]);
  const scalars = { seed: 1, step: 1 };
  const meanLoss = (): number =>
    lossScale * Array.from<number>(executable.tensor("loss")).reduce((sum, x) => sum + x, 0);
  executable.run("logits", scalars);
  const logits = Float64Array.from(executable.tensor("logits"));
  executable.run("loss", scalars);
  const loss = meanLoss();
  executable.tensor("loss").fill(NaN);
  executable.run("train", scalars);
  expect(Math.abs(meanLoss() - loss)).toBeLessThan(1e-5 * loss);
  const gradients = new Map(
    paths.map((path) => [path, Float64Array.from(executable.tensor(`gradient:${path}`))]),
  );
  executable.close();
  return { logits, loss, gradients };
}

describe("checkpoints of transformers on cpu-native", () => {
  it.each(cases)(
    "%s gives the same logits, loss and gradients",
    async (name, text, names) => {
      const { project, diagnostics } = checkSpec("hf.lctx", text, diskHost);
      expect(diagnostics).toEqual([]);
      const model = [...project!.models.values()][0]!;
      const { expected, weights, compare } = checkpoint(name, names);
      compare(await run(model, weights, expected), model);
    },
    300_000,
  );
});
