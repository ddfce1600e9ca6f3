/** Training on TensorFlow.js: no tensor is left behind, runs go on from target to target, examples learn as on the cpu. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, it } from "vitest";
import { benchUpdate, parametersOf } from "../../bench/decoder-graph.ts";
import { buildProgram } from "../../compiler/build-program.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../compiler/passes/pipeline.ts";
import { tfjsScript } from "../../compiler/tfjs-module.ts";
import { loadNewest } from "../../runtime/checkpoint/checkpoint.ts";
import { diskFiles } from "../../runtime/checkpoint/files.ts";
import { parseRows } from "../../runtime/metrics/rows.ts";
import { carriedFrom } from "../../runtime/train/weights.ts";
import { openBackend } from "../../runtime/tfjs/backend.ts";
import { loadScript } from "../../runtime/tfjs/load.ts";
import { TensorFlowModel } from "../../runtime/tfjs/model.ts";
import { trainExample } from "../../scripts/train-example.ts";
import { elaborate } from "../model/support.ts";
import { kernelsRun, noteKernels, unknownKernels } from "./support/kernels.ts";

const folder = mkdtempSync(join(tmpdir(), "lctx-tfjs-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Fewer rows than the examples have: what is compared is the target, not the example. */
const overrides = ["train.batch=2 sequences"];

const losses = (run: string): readonly number[] =>
  parseRows(readFileSync(join(run, "metrics.jsonl"), "utf8")).flatMap((row) =>
    row.kind === "step" ? [row.loss] : [],
  );

/** A decoder as small as one can be. */
function tinyModel(): TensorFlowModel {
  const { model, reporter } = elaborate(
    "model Tiny = decoder {\n  vocab 8 layers 1 length 6 heads 2 width 4 hidden 4\n}\n",
  );
  expect(reporter.diagnostics).toEqual([]);
  const training = modelToGraph(model!, { phase: "training", output: "loss" });
  const trained = model!.parameters.map(({ path }) => path);
  const graphs = { train: optimizeGraph(differentiate(training, trained)) };
  const update = benchUpdate();
  const { program } = buildProgram({
    name: "Tiny",
    graphs,
    update,
    parameters: parametersOf(graphs.train),
    maxLength: null,
  });
  return new TensorFlowModel(program, loadScript(tfjsScript(graphs, update)), { batch: 1, length: 6 });
}

describe("a tiny model", () => {
  it("leaves no tensor behind in 1,000 steps, and runs only kernels that the native binding has", async () => {
    await openBackend("cpu");
    noteKernels();
    const model = tinyModel();
    model.program.parameters.forEach(({ path }, n) =>
      (model.tensor(path) as Float32Array).forEach((_, i, view) => (view[i] = 0.3 * Math.sin(i + n))),
    );
    model.tensor("input:tokens").set([1, 2, 3, 4, 5, 6]);
    model.tensor("input:targets").set([2, 3, 4, 5, 6, -1]);
    model.tensor("input:loss-scale").fill(0.2);
    const total = (): number => (model.tensor("loss") as Float32Array).reduce((sum, x) => sum + x, 0);
    const counts = new Set<number>();
    let first = 0;
    for (let step = 1; step <= 1000; step++) {
      const scalars = { lr: 1e-2, step, seed: step, clip: 1, accumulate: 0 };
      model.run("train", scalars);
      model.run("update", scalars);
      if (step === 1) first = total();
      if (step > 1) counts.add(tf.memory().numTensors);
    }
    expect([...counts]).toHaveLength(1);
    expect(total()).toBeLessThan(0.2 * first);
    model.close();
    expect(kernelsRun().size).toBeGreaterThan(20);
    expect(unknownKernels()).toEqual([]);
  });

  it("would be told from one that runs a kernel of other backends alone", () => {
    tf.tidy(() => tf.searchSorted(tf.tensor1d([0, 1, 2]), tf.tensor1d([1])));
    expect(unknownKernels()).toEqual(["SearchSorted"]);
  });
});

describe("examples", () => {
  it.each(["prefix", "parallel"])("%s learns as on the cpu", async (name) => {
    const spec = `examples/${name}/spec.lctx`;
    const [cpu, wasm] = [join(folder, `${name}-cpu`), join(folder, `${name}-wasm`)];
    await trainExample(spec, { runFolder: cpu, stopAfter: 2, overrides });
    await trainExample(spec, { runFolder: wasm, stopAfter: 2, target: "tfjs:wasm", overrides });
    const [want, found] = [losses(cpu), losses(wasm)];
    expect(found).toHaveLength(2);
    found.forEach((loss, n) => expect(Math.abs(loss - want[n]!)).toBeLessThan(1e-4));
  });

  it("go on where another target stopped", async () => {
    const spec = "examples/prefix/spec.lctx";
    const run = join(folder, "turns");
    const turns = ["tfjs:wasm", "cpu", "tfjs:wasm"] as const;
    for (const [n, target] of turns.entries())
      await trainExample(spec, { runFolder: run, stopAfter: n + 1, target, resume: n > 0, overrides });
    const straight = join(folder, "straight");
    await trainExample(spec, { runFolder: straight, stopAfter: 3, overrides });
    const [want, found] = [losses(straight), losses(run)];
    expect(found).toHaveLength(3);
    found.forEach((loss, n) => expect(Math.abs(loss - want[n]!)).toBeLessThan(1e-4));
    const [own, others] = [run, straight].map((of) => {
      const { checkpoint } = loadNewest(diskFiles, join(of, "checkpoints"))!;
      return carriedFrom(checkpoint);
    });
    // Where a gradient is as small as its rounding error, its sign may differ and with it a whole step of one weight.
    for (const [path, { values }] of own!) {
      const want = others!.get(path)!.values;
      const off = Float64Array.from(values).reduce((sum, x, n) => sum + Math.abs(x - want[n]!), 0);
      expect({ path, off: off / values.length < 1e-6 }).toEqual({ path, off: true });
    }
  });
});
