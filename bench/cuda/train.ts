/**
 * Training on a GPU: one step of every example compared with the interpreter, then the time of a step of a small decoder
 * (4 layers, width 256, batch 16, context 512) launch by launch. One JSON line each: `npx tsx bench/cuda/train.ts
 * [--only compare|time] [--specs softcap,lora] [--batch 16] [--length 512] [--steps 30]`, or bundled by
 * scripts/pack-gpu.mjs into a folder of the repository. Ends with 1 when a comparison fails.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { buildCudaProgram } from "../../compiler/build-program.ts";
import { checkSpec, compileRecipe } from "../../compiler/compile.ts";
import { openSpec } from "../../compiler/cli/host.ts";
import { packageRoot } from "../../compiler/cli/paths.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../compiler/passes/pipeline.ts";
import { openCuda } from "../../runtime/device/cuda/device.ts";
import { CudaProgramDevice } from "../../runtime/device/cuda/program-device.ts";
import { instantiate, type LaunchTime } from "../../runtime/executable.ts";
import { benchShape, benchUpdate, decoderGraph, parametersOf } from "../decoder-graph.ts";
import { argument, flag, machine, median, word } from "../report.ts";
import { compareTraining, fillForTraining } from "./train-compare.ts";

/** Largest difference from double precision that f32 leaves, as a share of a tensor's largest element. */
const allowed = 2e-3;
/** Odd sizes, longer than one tile. */
const compared = { batch: 2, length: 67 };

const say = (what: string, fields: Readonly<Record<string, unknown>>): void => {
  console.log(JSON.stringify({ bench: "train", what, ...fields }));
};

/** Examples by name, with their specs. */
function examples(): ReadonlyMap<string, string> {
  const folder = join(packageRoot(), "examples");
  const specs = readdirSync(folder, { withFileTypes: true }).flatMap((entry): [string, string][] => {
    if (!entry.isDirectory())
      return entry.name.endsWith(".lctx")
        ? [[entry.name.replace(/\.lctx$/, ""), join(folder, entry.name)]]
        : [];
    const spec = join(folder, entry.name, "spec.lctx");
    return existsSync(spec) ? [[entry.name, spec]] : [];
  });
  const asked = word("specs")?.split(",");
  return new Map(specs.filter(([name]) => asked?.includes(name) ?? true));
}

/** False when a stage differs. */
async function compareExample(device: CudaProgramDevice, name: string, path: string): Promise<boolean> {
  const spec = openSpec(path);
  const checked = checkSpec(spec.path, spec.text, spec.host, []);
  let good = true;
  for (const [model, recipe] of checked.project?.recipes ?? []) {
    const reporter = new Reporter();
    const started = performance.now();
    const compiled = compileRecipe(recipe, reporter, "cuda");
    if (compiled === null) {
      say("compare", { spec: name, model, refused: reporter.diagnostics.map(({ title }) => title) });
      good = false;
      continue;
    }
    for (const stage of compiled.stages) {
      const length = Math.min(compared.length, stage.program.maxLength ?? Infinity);
      const result = await compareTraining({ ...stage, train: stage.graphs.train }, device, {
        batch: compared.batch,
        length,
      });
      const ok = result.worst <= allowed && result.problems.length === 0;
      good &&= ok;
      say("compare", {
        ...{ spec: name, model, stage: stage.name, ok, tensors: result.tensors },
        ...{ worst: Number(result.worst.toPrecision(3)), worst_of: result.worstOf },
        ...{ problems: result.problems, seconds: Math.round(performance.now() - started) / 1000 },
      });
    }
  }
  return good;
}

/** Sum of the times of launches that do the same, the longest first. */
function byKind(times: readonly LaunchTime[]): readonly (readonly [string, number, number])[] {
  const sums = new Map<string, { count: number; milliseconds: number }>();
  for (const { label, milliseconds } of times) {
    const kind = label.replace(/^layers\.\d+\./, "layers.*.");
    const known = sums.get(kind) ?? { count: 0, milliseconds: 0 };
    sums.set(kind, { count: known.count + 1, milliseconds: known.milliseconds + milliseconds });
  }
  return [...sums]
    .map(([kind, { count, milliseconds }]) => [kind, count, milliseconds] as const)
    .sort((a, b) => b[2] - a[2]);
}

async function timeStep(device: CudaProgramDevice): Promise<void> {
  const sizes = { batch: argument("batch", 16), length: argument("length", 512) };
  const steps = argument("steps", 30);
  const loss = decoderGraph({ ...benchShape, gated: flag("gated"), rotary: flag("rotary") }, "loss");
  const parameters = parametersOf(loss);
  const paths = parameters.map(({ path }) => path);
  const { program, sources } = buildCudaProgram({
    name: "bench",
    graphs: { train: optimizeGraph(differentiate(loss, paths)) },
    update: benchUpdate(),
    parameters,
    maxLength: null,
  });
  const started = performance.now();
  const model = await instantiate(program, sources, device, sizes, ["train", "update"]);
  const compiled = performance.now() - started;
  fillForTraining(model);
  const [walls, losses]: [number[], number[]] = [[], []];
  const tokens = sizes.batch * sizes.length;
  for (let step = 1; step <= steps; step++) {
    const scalars = { lr: 1e-3, step, seed: step, clip: 1, accumulate: 0 };
    const start = performance.now();
    model.tensor("input:tokens");
    model.tensor("input:targets");
    model.run("train", scalars);
    const sum = (model.tensor("loss") as Float32Array).reduce((all, value) => all + value, 0);
    model.run("update", scalars);
    model.tensor("gradient-norm");
    walls.push(performance.now() - start);
    losses.push(sum / tokens);
  }
  const scalars = { lr: 1e-3, step: steps, seed: 1, clip: 1, accumulate: 0 };
  const profile = [...model.profile("train", scalars, 7), ...model.profile("update", scalars, 7)];
  const milliseconds = median(walls.slice(5));
  const rounded = (x: number): number => Number(x.toPrecision(4));
  say("step", {
    ...{ ...sizes, layers: benchShape.layers, width: benchShape.width, gpu: device.description },
    ...{ launches: profile.length, memory_mib: rounded(model.memoryBytes / 2 ** 20) },
    ...{ compile_ms: rounded(compiled), step_ms: rounded(milliseconds) },
    ...{ tokens_per_second: Math.round((1000 * tokens) / milliseconds) },
    ...{ launch_sum_ms: rounded(profile.reduce((sum, each) => sum + each.milliseconds, 0)) },
    ...{ first_loss: rounded(losses[0]!), last_loss: rounded(losses.at(-1)!) },
  });
  for (const [kind, count, sum] of byKind(profile).slice(0, 30))
    say("launches", { kind, count, ms: rounded(sum) });
  model.close();
}

const device = new CudaProgramDevice(await openCuda({ cacheFolder: word("cache") }));
say("machine", { ...machine(1), gpu: device.description });
let good = true;
const only = word("only");
if (only !== "time")
  for (const [name, path] of examples())
    try {
      good = (await compareExample(device, name, path)) && good;
    } catch (error) {
      good = false;
      say("compare", { spec: name, failed: (error as Error).stack });
    }
if (only !== "compare") await timeStep(device);
device.close();
process.exitCode = good ? 0 : 1;
