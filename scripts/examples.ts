/**
 * Trains the examples and writes what came out beside them: expected.json, mask.png, choice.png or loss.png.
 * `npm run examples -- alibi lora --threads 1` does some. A method that is used without training trains its base.lctx.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { format, resolveConfig } from "prettier";
import { masksOf } from "../compiler/cli/attention-masks.ts";
import { openChecked, pick } from "../compiler/cli/checked-spec.ts";
import { chosenPairs } from "../compiler/cli/chosen-pairs.ts";
import { runRow } from "../compiler/cli/chosen-row.ts";
import { compileOther } from "../compiler/cli/compile-other.ts";
import { cacheFolder, packageRoot } from "../compiler/cli/paths.ts";
import { lossSvg, readLosses } from "../compiler/cli/pictures/loss-picture.ts";
import { maskSvg } from "../compiler/cli/pictures/mask-picture.ts";
import { svgToPng } from "../compiler/cli/pictures/svg-to-png.ts";
import { listExamples, type Example } from "../compiler/cli/verbs/examples.ts";
import { evaluateProject } from "../runtime/project/use-project.ts";
import { trainedSpec, trainExample } from "./train-example.ts";

/** Positions in pictures of masks, and of choices: long enough for something to be left out. */
const pictureLength = 128;
const choiceLength = 256;

/** What the loss of the next token is when `run` is used with the example's spec, or as it was trained. */
async function evaluated(run: string, example: Example, length: number, plain: boolean): Promise<number> {
  const program = plain ? null : compileOther(example.path, undefined, "", []).program;
  const result = await evaluateProject(run, { program, length, kernelCache: cacheFolder() });
  if (result === null) throw new Error(`${example.name} holds no text out`);
  return result.loss;
}

/** Losses of a method that chooses, at the length of training and at four times that length. */
async function evaluations(run: string, example: Example, length: number): Promise<readonly Evaluated[]> {
  const found: Evaluated[] = [];
  for (const own of [length, 4 * length]) {
    const loss = round(await evaluated(run, example, own, false), 4);
    const base = existsSync(join(dirname(example.path), "base.lctx"));
    found.push({
      length: own,
      loss,
      ...(base ? { plain: round(await evaluated(run, example, own, true), 4) } : {}),
    });
  }
  return found;
}

interface Evaluated {
  /** Bytes a row. */
  readonly length: number;
  /** Nats a token. */
  readonly loss: number;
  /** The same weights with the attention that trained them. */
  readonly plain?: number;
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

async function record(example: Example, threads: number | undefined): Promise<void> {
  const run = mkdtempSync(join(tmpdir(), "lctx-example-"));
  try {
    const spec = trainedSpec(relative(packageRoot(), example.path));
    const before = process.cpuUsage();
    const {
      project,
      seed,
      length,
      steps,
      evaluations: measured,
      device,
    } = await trainExample(spec, {
      runFolder: run,
      threads,
    });
    const { user, system } = process.cpuUsage(before);
    const folder = dirname(example.path);
    const last = steps.at(-1)!;
    const evaluation = measured.at(-1)!;
    const page = readFileSync(join(folder, "README.md"), "utf8");
    const chooses = page.includes("(choice.png)");
    const expected = {
      command: `lctx train ${spec}`,
      seed,
      steps: last.totalSteps,
      firstLosses: steps.slice(0, 5).map(({ loss }) => round(loss, 6)),
      loss: round(last.loss, 4),
      validationLoss: round(evaluation.loss, 4),
      bitsPerByte: evaluation.bitsPerByte === null ? null : round(evaluation.bitsPerByte, 4),
      ...(chooses ? { evaluations: await evaluations(run, example, length) } : {}),
      processorSeconds: round((user + system) / 1e6, 0),
      machine: device,
      date: new Date().toISOString().slice(0, 10),
    };
    const path = join(folder, "expected.json");
    const style = await resolveConfig(path);
    writeFileSync(path, await format(JSON.stringify(expected, null, 2), { ...style, filepath: path }));
    if (chooses) {
      const model = pick(openChecked(example.path, []).project.models, undefined, "model");
      const row = runRow(run, choiceLength);
      const grid = await chosenPairs(model, { site: undefined, head: undefined, ...row });
      writeFileSync(join(folder, "choice.png"), svgToPng(maskSvg(grid)));
    }
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
