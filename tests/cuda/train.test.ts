/** Training with programs for a GPU, run on the host: unequal rows, runs that change devices, numbers that are not finite, files that are kept. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkSpec, compileRecipe, type Compiled } from "../../compiler/compile.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { cudaFiles } from "../../compiler/emit/cuda-files.ts";
import type { CudaSources, Device, Target } from "../../runtime/device/device.ts";
import { instantiate } from "../../runtime/executable.ts";
import { keepWithRun, readKernels, readRunProject, type Project } from "../../runtime/project/project.ts";
import type { OpenModel } from "../../runtime/train/model.ts";
import { train, type TrainResult } from "../../runtime/train/trainer.ts";
import { carriedFrom, chooseCheckpoint } from "../../runtime/train/weights.ts";
import { tinySpec, tinyText } from "../cli/support.ts";
import { openNative } from "../schedule/support.ts";
import { diskHost } from "../support/check-text.ts";
import { openHostDevice } from "./host-program.ts";

const root = mkdtempSync(join(tmpdir(), "lctx-cuda-train-"));
/** Documents of 3 to 33 tokens: rows of 2 to 16. */
const documents = Array.from({ length: 60 }, (_, n) => ({
  text: tinyText.slice(9 * n, 10 * n + 3 + (n % 5)),
}));
writeFileSync(join(root, "text.jsonl"), documents.map((each) => JSON.stringify(each)).join("\n"));
afterAll(() => rmSync(root, { recursive: true }));

const cutSpec = tinySpec.replace('"text.txt" length 16', '"text.jsonl" length 16 cut by document');
const checked = checkSpec(join(root, "tiny.lctx"), cutSpec, diskHost);
const compile = (target: Target): Compiled =>
  compileRecipe([...checked.project!.recipes.values()][0]!, new Reporter(), target)!;
const compiled = { cpu: compile("cpu"), cuda: compile("cuda") };
const calls = compiled.cuda.stages[0]!.kernels as CudaSources;
const projectOf = (target: Target): Project => ({
  settings: compiled[target].settings,
  stages: compiled[target].stages.map(({ program, kernels }) => ({ program, kernels })),
  dataFolder: root,
});

/** Opens a project's programs on a device. */
const openOn =
  (device: Device, { stages }: Project): OpenModel =>
  (stage, index) => {
    const { program, kernels } = stages[index]!;
    return instantiate(program, kernels, device, {
      batch: stage.batch.sequences,
      length: stage.data.length,
    });
  };

const steps = 6;
async function run(
  folder: string,
  open: OpenModel,
  stopAfter: number,
  resume: boolean,
): Promise<TrainResult> {
  const { settings } = compiled.cpu;
  const [stage] = settings.stages;
  const short = { ...stage!, schedule: { ...stage!.schedule, steps }, evaluate: { every: 3, rows: 2 } };
  return train(
    open,
    { ...settings, stages: [short] },
    {
      ...{
        runFolder: join(root, folder),
        specFolder: root,
        projectFolder: null,
        cacheFolder: join(root, "cache"),
      },
      ...{ output: { write: () => undefined }, signals: false, stopAfter, resume },
    },
  );
}
const weightsOf = (folder: string) => carriedFrom(chooseCheckpoint(join(root, folder), "newest").checkpoint);

describe("training on a GPU, on the host", () => {
  it("goes on where another device stopped, and back", { timeout: 120_000 }, async () => {
    const devices: Record<Target, Device> = { cpu: await openNative(), cuda: openHostDevice() };
    const opener = (target: Target): OpenModel => openOn(devices[target], projectOf(target));
    await run("whole", opener("cpu"), steps, false);
    await run("changing", opener("cpu"), 2, false);
    await run("changing", opener("cuda"), 4, true);
    const last = await run("changing", opener("cpu"), steps, true);
    expect(last).toMatchObject({ outcome: "finished", totalSteps: steps });
    const [changing, whole] = [weightsOf("changing"), weightsOf("whole")];
    expect([...changing.keys()]).toEqual([...whole.keys()]);
    // Two steps of 1e-3 in other orders of addition: the optimizer's division makes much of tiny gradients.
    for (const [name, { values }] of whole)
      values.forEach((x, n) =>
        expect(Math.abs(changing.get(name)!.values[n]! - Number(x))).toBeLessThan(2e-4),
      );

    // A weight that is not finite: the update refuses, and nothing was changed or saved.
    const broken: OpenModel = async (stage, index) => {
      const model = await openOn(devices.cuda, projectOf("cuda"))(stage, index);
      const { run: phase } = model;
      let count = 0;
      model.run = (name, scalars) => {
        if (name === "train" && ++count === 2) model.tensor("embed.weight")[7 + 16 * 32] = Infinity;
        phase.call(model, name, scalars);
      };
      return model;
    };
    await expect(run("broken", broken, steps, false)).rejects.toMatchObject({
      code: "not-finite",
      message: expect.stringMatching(/step 2 .*weight ".*" is not finite/),
    });
    for (const device of Object.values(devices)) device.close();
  });

  it("says which device kernels are for", async () => {
    const native = await openNative();
    await expect(native.load(calls)).rejects.toMatchObject({ code: "wrong-target" });
    await expect(openHostDevice().load(projectOf("cpu").stages[0]!.kernels)).rejects.toMatchObject({
      code: "wrong-target",
    });
    native.close();
  });

  it("keeps calls as files, and programs for both devices with a run", async () => {
    const folder = join(root, "kernels");
    mkdirSync(folder);
    for (const [name, text] of Object.entries(cudaFiles(calls))) writeFileSync(join(folder, name), text);
    expect(readKernels(folder)).toEqual(JSON.parse(JSON.stringify(calls)));
    const kept = join(root, "changing");
    keepWithRun(kept, projectOf("cuda"));
    expect(readRunProject(kept).stages[0]!.kernels).toEqual(JSON.parse(JSON.stringify(calls)));
    expect(() => readRunProject(kept, "cpu")).toThrow(/programs for cuda and none for cpu/);
    keepWithRun(kept, projectOf("cpu"));
    expect(readRunProject(kept).stages[0]!.kernels).toEqual(projectOf("cpu").stages[0]!.kernels);
    expect("calls" in readRunProject(kept, "cuda").stages[0]!.kernels).toBe(true);
  });
});
