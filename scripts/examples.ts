/** Trains the examples and writes what came out beside them: expected.json, mask.png or loss.png. `npm run examples -- alibi lora --threads 1` does some. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { format, resolveConfig } from "prettier";
import { masksOf } from "../compiler/cli/attention-masks.ts";
import { packageRoot } from "../compiler/cli/paths.ts";
import { lossSvg, readLosses } from "../compiler/cli/pictures/loss-picture.ts";
import { maskSvg } from "../compiler/cli/pictures/mask-picture.ts";
import { svgToPng } from "../compiler/cli/pictures/svg-to-png.ts";
import { listExamples, type Example } from "../compiler/cli/verbs/examples.ts";
import { trainExample } from "./train-example.ts";

/** Positions in mask pictures. */
const pictureLength = 128;

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

async function record(example: Example, threads: number | undefined): Promise<void> {
  const run = mkdtempSync(join(tmpdir(), "lctx-example-"));
  try {
    const spec = relative(packageRoot(), example.path);
    const before = process.cpuUsage();
    const { project, seed, steps, evaluations, device } = await trainExample(spec, {
      runFolder: run,
      threads,
    });
    const { user, system } = process.cpuUsage(before);
    const folder = dirname(example.path);
    const last = steps.at(-1)!;
    const evaluation = evaluations.at(-1)!;
    const expected = {
      command: `lctx train ${spec}`,
      seed,
      steps: last.step,
      firstLosses: steps.slice(0, 5).map(({ loss }) => round(loss, 6)),
      loss: round(last.loss, 4),
      validationLoss: round(evaluation.loss, 4),
      bitsPerByte: evaluation.bitsPerByte === null ? null : round(evaluation.bitsPerByte, 4),
      processorSeconds: round((user + system) / 1e6, 0),
      machine: device,
      date: new Date().toISOString().slice(0, 10),
    };
    const path = join(folder, "expected.json");
    const style = await resolveConfig(path);
    writeFileSync(path, await format(JSON.stringify(expected, null, 2), { ...style, filepath: path }));
    const page = readFileSync(join(folder, "README.md"), "utf8");
    if (page.includes("(mask.png)"))
      writeFileSync(join(folder, "mask.png"), svgToPng(maskSvg(masksOf(project, pictureLength)[0]!.grid)));
    if (page.includes("(loss.png)")) {
      const losses = readLosses(join(run, "metrics.jsonl"));
      writeFileSync(join(folder, "loss.png"), svgToPng(await lossSvg(losses, example.name)));
    }
    process.stdout.write(`${example.name}: validation loss ${expected.validationLoss}\n`);
  } finally {
    rmSync(run, { recursive: true });
  }
}

const { values: options, positionals: wanted } = parseArgs({
  options: { threads: { type: "string" } },
  allowPositionals: true,
});
const threads = options.threads === undefined ? undefined : Number(options.threads);
const all = listExamples().filter(({ path }) => existsSync(join(dirname(path), "reference.ts")));
const unknown = wanted.filter((name) => !all.some((example) => example.name === name));
if (unknown.length > 0) throw new Error(`no example is called ${unknown.join(", ")}`);
for (const example of all)
  if (wanted.length === 0 || wanted.includes(example.name)) await record(example, threads);
