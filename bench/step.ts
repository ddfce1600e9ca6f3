/** Time of one training step of a small decoder (4 layers, width 256, context 512, batch 8): `npx tsx bench/step.ts`. */
import { availableParallelism, cpus, loadavg } from "node:os";
import { buildProgram } from "../compiler/build-program.ts";
import { differentiate } from "../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../compiler/passes/pipeline.ts";
import { openCpuDevice } from "../runtime/device/open.ts";
import { instantiate, type LaunchTime } from "../runtime/executable.ts";
import { initialise } from "../runtime/random/init.ts";
import { benchShape, benchUpdate, decoderGraph, parametersOf } from "./decoder-graph.ts";
import { flag, numberArgument, record, say } from "./arguments.ts";

const sizes = { batch: numberArgument("batch", 8), length: numberArgument("length", 512) };
const shape = { ...benchShape, gated: flag("gated"), rotary: flag("rotary") };
const steps = numberArgument("steps", 12);

const loss = decoderGraph(shape, "loss");
const parameters = parametersOf(loss);
const train = optimizeGraph(
  differentiate(
    loss,
    parameters.map((parameter) => parameter.path),
  ),
);
const { program, sources } = buildProgram({
  name: "bench",
  graphs: { loss: optimizeGraph(loss), train },
  update: benchUpdate(),
  parameters,
  maxLength: null,
});
const threads = numberArgument("threads", availableParallelism());
const device = await openCpuDevice({ kind: flag("wasm") ? "wasm" : "native", threads });
const started = performance.now();
const model = await instantiate(program, sources, device, sizes, ["train", "update"]);
say(`${device.description}; load ${loadavg()[0]!.toFixed(2)} on ${cpus().length} cores`);
say(
  `${program.phases.train.launches.length} launches, ${(model.memoryBytes / 2 ** 20).toFixed(1)} MiB, ` +
    `compiled and loaded in ${(performance.now() - started).toFixed(0)} ms`,
);

for (const parameter of parameters) initialise(model.tensor(parameter.path) as Float32Array, parameter, 1);
const count = sizes.batch * sizes.length;
const text = Int32Array.from({ length: count + 1 }, (_, n) => (n * n * 7 + (n >> 3)) % shape.vocab);
model.tensor("input:tokens").set(text.subarray(0, count));
model.tensor("input:targets").set(text.subarray(1));
model.tensor("input:loss-scale").fill(1 / count);

const times: number[] = [];
const processor: number[] = [];
const losses: number[] = [];
for (let step = 1; step <= steps; step++) {
  const scalars = { lr: 1e-3, step, clip: 1, seed: step, accumulate: 0 };
  const start = performance.now();
  const used = process.cpuUsage();
  model.run("train", scalars);
  model.run("update", scalars);
  times.push(performance.now() - start);
  const { user, system } = process.cpuUsage(used);
  processor.push((user + system) / 1000);
  losses.push((model.tensor("loss") as Float32Array).reduce((sum, value) => sum + value, 0) / count);
}
const sorted = times.slice(2).sort((a, b) => a - b);
const busy = processor.slice(2).sort((a, b) => a - b);
say(
  `step: median ${sorted[sorted.length >> 1]!.toFixed(1)} ms, best ${sorted[0]!.toFixed(1)} ms, ` +
    `first ${times[0]!.toFixed(0)} ms; processor time ${busy[busy.length >> 1]!.toFixed(1)} ms; loss ${losses[0]!.toFixed(3)} → ${losses.at(-1)!.toFixed(3)}`,
);

record({
  case: "step",
  threads,
  milliseconds: sorted[sorted.length >> 1]!,
  best: sorted[0]!,
  processor: busy[busy.length >> 1]!,
  memory: model.memoryBytes,
});
if (flag("profile")) {
  const scalars = { lr: 1e-3, step: steps + 1, clip: 1, seed: 1 };
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
  say(`\nby kind (${total.toFixed(1)} ms in all):`);
  for (const [kind, { milliseconds, count: times }] of [...kinds].sort(
    (a, b) => b[1].milliseconds - a[1].milliseconds,
  ))
    say(`${milliseconds.toFixed(2).padStart(9)} ms  ${String(times).padStart(3)} × ${kind}`);
  say("\nslowest launches:");
  for (const { label, milliseconds } of [...launches]
    .sort((a, b) => b.milliseconds - a.milliseconds)
    .slice(0, 30))
    say(`${milliseconds.toFixed(2).padStart(9)} ms  ${label}`);
}
model.close();
device.close();
