/** Time of one training step of a small decoder (4 layers, width 256, context 512, batch 8): `npx tsx bench/step.ts`. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { buildProgram } from "../compiler/build-program.ts";
import { differentiate } from "../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../compiler/passes/pipeline.ts";
import { openCpuDevice } from "../runtime/device/open.ts";
import { instantiate, type Executable, type LaunchTime } from "../runtime/executable.ts";
import { initialise } from "../runtime/random/init.ts";
import { benchShape, benchUpdate, decoderGraph, parametersOf } from "./decoder-graph.ts";
import {
  argument,
  benchOptions,
  flag,
  isMain,
  median,
  pairedRatio,
  Report,
  short,
  type BenchOptions,
} from "./report.ts";
import { parseSteps, stepPeer, type Steps } from "./step-peer.ts";

export interface StepOptions extends BenchOptions {
  readonly batch: number;
  readonly length: number;
  /** Steps of one round, of which the first two are not counted. */
  readonly steps: number;
  readonly gated: boolean;
  readonly rotary: boolean;
  /** Also runs the same step in other programs. */
  readonly peers: boolean;
  readonly profile: boolean;
}

interface Rounds {
  readonly name: string;
  readonly description: string;
  readonly times: number[][];
  readonly losses: number[];
  readonly processor: number[][];
  run(): Steps;
}

/** The same step in PyTorch, or why it cannot run. */
function torchPeer({ threads, steps }: StepOptions): Pick<Rounds, "description" | "run"> | string {
  const script = fileURLToPath(new URL("peers/step_torch.py", import.meta.url));
  const python = process.env["PYTHON"] ?? "python3";
  const probe = spawnSync(python, ["-c", "import torch; print(torch.__version__)"], { encoding: "utf8" });
  if (probe.status !== 0) return "PyTorch is not installed";
  const run = (): Steps => {
    const result = spawnSync(python, [script, String(threads), String(steps)], { encoding: "utf8" });
    if (result.status !== 0) throw new Error(result.stderr);
    return parseSteps(result.stdout);
  };
  return { description: `PyTorch ${probe.stdout.trim()}, its fused attention and optimizer`, run };
}

/** Prints where the time of a step goes. */
function profile(model: Executable, step: number, report: Report): void {
  const scalars = { lr: 1e-3, step, clip: 1, seed: 1, accumulate: 0 };
  const launches: LaunchTime[] = [
    ...model.profile("train", scalars, 3),
    ...model.profile("update", scalars, 3),
  ];
  const kinds = new Map<string, { milliseconds: number; count: number }>();
  for (const { label, kernel, milliseconds } of launches) {
    const kind = `${label.slice(label.indexOf(":") + 2)} (${kernel.split("_")[0]})`;
    const known = kinds.get(kind) ?? { milliseconds: 0, count: 0 };
    kinds.set(kind, { milliseconds: known.milliseconds + milliseconds, count: known.count + 1 });
  }
  const total = launches.reduce((sum, launch) => sum + launch.milliseconds, 0);
  report.text(`\nby kind (${total.toFixed(1)} ms in all):`);
  for (const [kind, { milliseconds, count: times }] of [...kinds].sort(
    (a, b) => b[1].milliseconds - a[1].milliseconds,
  ))
    report.text(`${milliseconds.toFixed(2).padStart(9)} ms  ${String(times).padStart(3)} × ${kind}`);
  report.text("\nslowest launches:");
  for (const { label, milliseconds } of [...launches]
    .sort((a, b) => b.milliseconds - a.milliseconds)
    .slice(0, 30))
    report.text(`${milliseconds.toFixed(2).padStart(9)} ms  ${label}`);
}

export async function benchStep(options: StepOptions): Promise<void> {
  const { threads, rounds, steps } = options;
  const shape = { ...benchShape, gated: options.gated, rotary: options.rotary };
  const sizes = { batch: options.batch, length: options.length };
  const loss = decoderGraph(shape, "loss");
  const parameters = parametersOf(loss);
  const paths = parameters.map((parameter) => parameter.path);
  const { program, sources } = buildProgram({
    name: "bench",
    graphs: { loss: optimizeGraph(loss), train: optimizeGraph(differentiate(loss, paths)) },
    update: benchUpdate(),
    parameters,
    maxLength: null,
  });
  const device = await openCpuDevice({ kind: options.kind, threads });
  const started = performance.now();
  const model = await instantiate(program, sources, device, sizes, ["train", "update"]);
  const compiled = performance.now() - started;
  const report = new Report("step", threads, device.description);
  const numbers = parameters.reduce((sum, { shape: of }) => sum + of.reduce((a, b) => a * b, 1), 0);
  report.text(
    `${(numbers / 1e6).toFixed(2)} million parameters, batch ${sizes.batch}, context ${sizes.length}; ` +
      `${program.phases.train.launches.length} launches, ${(model.memoryBytes / 2 ** 20).toFixed(1)} MiB, ` +
      `compiled and loaded in ${compiled.toFixed(0)} ms; ${rounds} rounds of ${steps} steps in turns`,
  );

  for (const parameter of parameters) initialise(model.tensor(parameter.path) as Float32Array, parameter, 1);
  const count = sizes.batch * sizes.length;
  const text = Int32Array.from({ length: count + 1 }, (_, n) => (n * n * 7 + (n >> 3)) % shape.vocab);
  model.tensor("input:tokens").set(text.subarray(0, count));
  model.tensor("input:targets").set(text.subarray(1));
  model.tensor("input:loss-scale").fill(1 / count);

  let step = 0;
  const own = (): Steps => {
    const [times, losses, processor]: [number[], number[], number[]] = [[], [], []];
    for (let n = 0; n < steps; n++) {
      const scalars = { lr: 1e-3, step: ++step, clip: 1, seed: step, accumulate: 0 };
      const [start, used] = [performance.now(), process.cpuUsage()];
      model.run("train", scalars);
      model.run("update", scalars);
      times.push(performance.now() - start);
      const { user, system } = process.cpuUsage(used);
      processor.push((user + system) / 1000);
      losses.push((model.tensor("loss") as Float32Array).reduce((sum, value) => sum + value, 0) / count);
    }
    return { times, losses, processor };
  };
  const runs: Rounds[] = [
    { name: "lctx", description: device.description, times: [], losses: [], processor: [], run: own },
  ];
  const skipped = (name: string, why: string): void => {
    report.text(`${name}: not run: ${why}`);
    report.record("peer", { peer: name, not_run: why });
  };
  const closing: (() => void)[] = [];
  // The peers are written for one shape.
  if (options.peers && sizes.batch === 8 && sizes.length === 512 && !options.gated && !options.rotary) {
    // Waiting threads of OpenMP and of OpenBLAS take each other's cores: either policy may win.
    const policy = process.env["OMP_WAIT_POLICY"];
    for (const wait of policy === undefined ? ["passive", "active"] : [policy]) {
      const peer = stepPeer(threads, wait);
      if (typeof peer === "string") {
        skipped("C", peer);
        break;
      }
      closing.push(peer.close);
      const { description } = peer;
      runs.push({
        name: `C, ${wait}`,
        description,
        times: [],
        losses: [],
        processor: [],
        run: () => peer.run(steps),
      });
    }
    const torch = torchPeer(options);
    if (typeof torch === "string") skipped("PyTorch", torch);
    else runs.push({ ...torch, name: "PyTorch", times: [], losses: [], processor: [] });
  }
  for (let round = 0; round < rounds; round++)
    for (const run of runs) {
      const { times, losses, processor } = run.run();
      run.times.push(times.slice(2));
      run.processor.push(processor.slice(2));
      run.losses.push(losses[0]!, losses.at(-1)!);
      // Threads spin for a while after their last work.
      await pause(100);
    }
  const mine = runs[0]!.times;
  for (const { name, description, times, losses, processor } of runs) {
    const [middle, least] = [median(times.flat()), Math.min(...times.flat())];
    const ratio = pairedRatio(times.map(median), mine.map(median));
    const leastRatio = least / Math.min(...mine.flat());
    const busy = median(processor.flat());
    const busyRatio = pairedRatio(processor.map(median), runs[0]!.processor.map(median));
    report.text(
      `${name.padEnd(11)} median ${middle.toFixed(1).padStart(7)} ms  best ${least.toFixed(1).padStart(7)} ms  ` +
        `${ratio.toFixed(2)} of lctx (best ${leastRatio.toFixed(2)}, processor time ${busyRatio.toFixed(2)})  loss ${losses[0]!.toFixed(3)} → ${losses.at(-1)!.toFixed(3)}  ${description}`,
    );
    report.record("step", {
      program: name,
      description,
      parameters: name === "lctx" ? numbers : undefined,
      median_ms: short(middle),
      best_ms: short(least),
      rounds_ms: times.map((round) => short(median(round))),
      of_lctx: short(ratio),
      of_lctx_best: short(leastRatio),
      processor_ms: short(busy),
      of_lctx_processor: short(busyRatio),
    });
  }
  if (options.profile) profile(model, step + 1, report);
  closing.forEach((close) => close());
  model.close();
  device.close();
}

if (isMain(import.meta.url))
  await benchStep({
    ...benchOptions(3),
    batch: argument("batch", 8),
    length: argument("length", 512),
    steps: argument("steps", 8),
    gated: flag("gated"),
    rotary: flag("rotary"),
    peers: !flag("alone"),
    profile: flag("profile"),
  });
