/**
 * What methods do to a small model that finds things in text: trains the specs of bench/behaviour, asks them, and says
 * what holds. `npm run behaviour -- --scale small --target cuda --only base --seeds 1 --out runs/behaviour`; runs that are done stay.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { cacheFolder, packageRoot } from "../compiler/cli/paths.ts";
import { criteria, scales, workOf, type Found } from "./behaviour/jobs.ts";
import { measureRun, trainRun, type RunOptions } from "./behaviour/run.ts";
import { machine } from "./report.ts";

const { values } = parseArgs({
  options: {
    scale: { type: "string", default: "full" },
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "1" },
    steps: { type: "string", default: "1" },
    target: { type: "string", default: "cpu" },
    threads: { type: "string", default: "2" },
    out: { type: "string", default: "runs/behaviour" },
    again: { type: "boolean", default: false },
  },
});
const scale = scales[values.scale as keyof typeof scales];
if (scale === undefined) throw new Error(`--scale is ${Object.keys(scales).join(", ")}, not ${values.scale}`);
const work = workOf(scale);
const wanted = values.only === "" ? null : new Set(values.only.split(","));
for (const name of wanted ?? [])
  if (!work.trainings.some((each) => each.name === name))
    throw new Error(
      `no run is called ${name}; there are ${work.trainings.map((each) => each.name).join(", ")}`,
    );

const lines = join(values.out, "results.jsonl");
mkdirSync(dirname(lines), { recursive: true });
const write = (record: Readonly<Record<string, unknown>>): void =>
  appendFileSync(lines, `${JSON.stringify({ bench: "behaviour", scale: scale.name, ...record })}\n`);

type Line = Found & { readonly what: string };
const found: Found[] = (existsSync(lines) ? readFileSync(lines, "utf8").trim().split("\n") : [])
  .map((line) => JSON.parse(line) as Line)
  .filter((line) => line.what === "measure");
const same = (a: Found, b: Omit<Found, "exactMatch" | "accuracy" | "loss">): boolean =>
  a.seed === b.seed && a.run === b.run && a.label === b.label && a.task === b.task && a.length === b.length;

const percent = (value: number | null): string => (value === null ? "—" : `${(100 * value).toFixed(1)} %`);

write({
  what: "machine",
  ...machine(Number(values.threads)),
  target: values.target,
  steps: Number(values.steps),
});
for (const seed of values.seeds.split(",").map(Number)) {
  const options: RunOptions = {
    scale,
    seed,
    folder: values.out,
    specs: join(packageRoot(), "bench/behaviour"),
    place: { target: values.target, threads: Number(values.threads), kernelCache: cacheFolder() },
    steps: Number(values.steps),
  };
  for (const training of work.trainings) {
    if (wanted !== null && !wanted.has(training.name)) continue;
    const trained = await trainRun(training, options);
    if (trained !== null) {
      write({ what: "train", seed, run: training.name, ...trained });
      console.log(`seed ${seed} ${training.name}: ${trained.steps} steps in ${trained.seconds.toFixed(1)} s`);
    }
    for (const measure of work.measures.filter(({ run }) => run === training.name)) {
      const at = found.findIndex((each) => same(each, { ...measure, seed }));
      if (at >= 0 && trained === null && !values.again) continue;
      if (at >= 0) found.splice(at, 1);
      const started = performance.now();
      const result = await measureRun(measure, options);
      const seconds = (performance.now() - started) / 1000;
      found.push(result);
      write({ what: "measure", ...result, seconds: Number(seconds.toFixed(1)) });
      const right = result.exactMatch === null ? "" : `${percent(result.exactMatch)} exact, `;
      const asked = `${measure.run}, ${measure.label}, ${measure.task ?? "text"} at ${measure.length}`;
      console.log(`seed ${seed} ${asked}: ${right}loss ${result.loss.toFixed(4)} (${seconds.toFixed(1)} s)`);
    }
  }
  console.log(`\nseed ${seed}`);
  const judged = criteria(
    found.filter((each) => each.seed === seed),
    scale,
  );
  for (const { method, says, target, value, holds } of judged) {
    const word = holds === null ? "not measured" : holds ? "holds" : "does not hold";
    console.log(
      `  ${`${method ?? "model"}: ${says}`.padEnd(48)} ${percent(value).padStart(9)}  ${target.padEnd(8)}  ${word}`,
    );
    if (value !== null)
      write({ what: "criterion", seed, ...(method === null ? {} : { method }), says, target, value, holds });
  }
}
