/** The trainer over a small exact model: loss falls, resumption is bit-exact, stops save, broken numbers stop. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { listCheckpoints, readCheckpoint } from "../../runtime/checkpoint/checkpoint.ts";
import { diskFiles } from "../../runtime/checkpoint/files.ts";
import { openDataset } from "../../runtime/data/dataset.ts";
import { parseRows } from "../../runtime/metrics/rows.ts";
import { evaluate } from "../../runtime/train/evaluate.ts";
import type { OpenModel } from "../../runtime/train/model.ts";
import { learningRate } from "../../runtime/train/schedule.ts";
import { readRunSettings } from "../../runtime/train/run-folder.ts";
import type { TrainSettings } from "../../runtime/train/settings.ts";
import { train } from "../../runtime/train/trainer.ts";
import type { TrainOptions, TrainResult } from "../../runtime/train/trainer.ts";
import { Watch } from "../../runtime/train/watch.ts";
import { chooseCheckpoint } from "../../runtime/train/weights.ts";
import { faultyFiles } from "../checkpoint/faulty-files.ts";
import { bigramModel } from "./bigram-model.ts";
import type { BigramOptions } from "./bigram-model.ts";
import { recipe, sampleText, stage } from "./recipes.ts";

const root = mkdtempSync(join(tmpdir(), "lctx-train-"));
writeFileSync(join(root, "text.txt"), sampleText());
afterAll(() => rmSync(root, { recursive: true }));
let folder = "";
let number = 0;
let lines: string[] = [];
beforeEach(() => {
  folder = join(root, `run-${number++}`);
  lines = [];
});

const opener =
  (after?: BigramOptions["after"]): OpenModel =>
  (settings) =>
    Promise.resolve(
      bigramModel({
        batch: settings.batch.sequences,
        length: settings.data.length,
        bias: settings.name === "second",
        ...(after === undefined ? {} : { after }),
      }),
    );

const options = (changes: Partial<TrainOptions> = {}): TrainOptions => ({
  runFolder: folder,
  specFolder: root,
  projectFolder: null,
  cacheFolder: join(root, "cache"),
  output: { write: (text) => lines.push(text) },
  signals: false,
  ...changes,
});

const run = (
  settings: TrainSettings,
  changes: Partial<TrainOptions> = {},
  open = opener(),
): Promise<TrainResult> => train(open, settings, options(changes));

const weightsOf = (checkpoint: string): string =>
  ["model", "optimizer"]
    .map((name) => readFileSync(join(checkpoint, `${name}.safetensors`), "latin1"))
    .join("|");

const rowsOf = (runFolder: string) => parseRows(readFileSync(join(runFolder, "metrics.jsonl"), "utf8"));

/** Rows without what depends on the clock. */
const timeless = (runFolder: string): unknown[] =>
  rowsOf(runFolder).map((row) => ({ ...row, seconds: 0, tokensPerSecond: 0 }));

describe("training", () => {
  it("lowers the loss on seen and held-out text, and leaves a whole run folder", async () => {
    const settings = recipe({ stages: [stage({ schedule: { ...stage().schedule, steps: 80 } })] });
    const result = await run(settings, { specText: "// spec\n", lock: { program: "p" }, tensorboard: true });
    expect(result).toMatchObject({ outcome: "finished", exitCode: 0, totalSteps: 80 });
    const rows = rowsOf(folder);
    const steps = rows.filter((row) => row.kind === "step");
    const evaluations = rows.filter((row) => row.kind === "evaluation");
    expect(steps).toHaveLength(80);
    expect(evaluations).toHaveLength(16);
    expect(steps[0]!.loss).toBeCloseTo(Math.log(256), 1);
    expect(evaluations.at(-1)!.loss).toBeLessThan(3.5);
    for (const row of evaluations) {
      expect(row.perplexity).toBeCloseTo(Math.exp(row.loss), 8);
      // One byte a token.
      expect(row.bitsPerByte).toBeCloseTo(row.loss / Math.LN2, 8);
    }
    expect(steps.map((row) => row.lr)).toEqual(
      Array.from({ length: 80 }, (_, i) => learningRate(settings.stages[0]!.schedule, 0.5, i + 1)),
    );
    expect(readRunSettings(folder)).toEqual(settings);
    expect(readFileSync(join(folder, "spec.lctx"), "utf8")).toBe("// spec\n");
    expect(Object.keys(JSON.parse(readFileSync(join(folder, "lctx.lock"), "utf8")) as object)).toEqual([
      "data.0",
      "program",
      "settings",
      "tokenizer.0",
    ]);
    expect(readFileSync(join(folder, "metrics.csv"), "utf8").trim().split("\n")).toHaveLength(97);
    expect(readdirSync(folder).some((name) => name.startsWith("events.out.tfevents."))).toBe(true);
    expect(lines.join("")).toMatch(/Bigram: finished after 80 of 80 steps[^]*bits per byte/);
    expect(existsSync(join(folder, "run.lock"))).toBe(false);
  });

  it("computes the same numbers again", async () => {
    const a = await run(recipe());
    folder += "-again";
    const b = await run(recipe());
    expect(weightsOf(b.checkpoint)).toBe(weightsOf(a.checkpoint));
    folder += "-other";
    const c = await run(recipe({ seed: 8 }));
    expect(weightsOf(c.checkpoint)).not.toBe(weightsOf(a.checkpoint));
  });

  it("does not mind how a batch is divided into runs", async () => {
    const divided = (sequences: number, accumulate: number): TrainSettings =>
      recipe({ stages: [stage({ batch: { sequences, accumulate }, evaluate: { every: 0, rows: null } })] });
    const losses = async (settings: TrainSettings): Promise<number[]> => {
      folder += "-x";
      await run(settings);
      return rowsOf(folder).map((row) => row.loss);
    };
    const [whole, halves] = [await losses(divided(4, 1)), await losses(divided(2, 2))];
    whole.forEach((loss, i) => expect(halves[i]).toBeCloseTo(loss, 4));
    expect(whole).toHaveLength(21);
  });

  it("clips the gradient it reports unclipped", async () => {
    const clipped = recipe({ stages: [stage({ clip: 1e-3 })] });
    await run(clipped);
    const rows = rowsOf(folder);
    const first = rows[0]!;
    expect(first.kind === "step" && first.gradientNorm).toBeGreaterThan(0.01);
    // So small a step leaves the loss where it was.
    expect(Math.abs(rows.at(-1)!.loss - Math.log(256))).toBeLessThan(0.05);
  });
});

describe("resuming", () => {
  it.each([1, 3, 4, 5, 7, 19])("after %i steps gives bit-identical weights and metrics", async (at) => {
    const whole = await run(recipe());
    const wholeFolder = folder;
    folder += "-parts";
    const part = await run(recipe(), { stopAfter: at });
    expect(part).toMatchObject({ outcome: "stopped", totalSteps: at });
    const rest = await run(recipe(), { resume: true });
    expect(rest).toMatchObject({ outcome: "finished", best: whole.best });
    expect(weightsOf(rest.checkpoint)).toBe(weightsOf(whole.checkpoint));
    expect(timeless(folder)).toEqual(timeless(wholeFolder));
  });

  it("falls back to the last whole checkpoint and says so", async () => {
    const whole = await run(recipe());
    folder += "-damaged";
    const part = await run(recipe(), { stopAfter: 10 });
    truncateSync(join(part.checkpoint, "optimizer.safetensors"), 100);
    const rest = await run(recipe(), { resume: true });
    expect(lines.join("")).toMatch(/skipped a damaged checkpoint: .*step-000000010.*optimizer\.safetensors/);
    expect(lines.join("")).toContain("resumed after step 8");
    expect(weightsOf(rest.checkpoint)).toBe(weightsOf(whole.checkpoint));
  });

  it("of a finished run does nothing", async () => {
    const first = await run(recipe());
    const again = await run(recipe(), { resume: true });
    expect(again).toMatchObject({ outcome: "finished", totalSteps: 20 });
    expect(weightsOf(again.checkpoint)).toBe(weightsOf(first.checkpoint));
  });

  it("must be asked for, and refuses changes unless they are allowed", async () => {
    await run(recipe(), { stopAfter: 6 });
    await expect(run(recipe())).rejects.toMatchObject({ code: "run-folder-not-empty", exitCode: 2 });
    const changed = recipe({ stages: [stage({ optimizer: { ...stage().optimizer, lr: 0.25 } })] });
    await expect(run(changed, { resume: true })).rejects.toMatchObject({
      code: "settings-changed",
      exitCode: 3,
      message: expect.stringContaining("stages.0.optimizer.lr: 0.5 → 0.25"),
    });
    // How often to look and save is not a change.
    const cadence = recipe({ checkpoint: { every: 7, keep: 1 } });
    expect(await run(cadence, { resume: true, stopAfter: 7 })).toMatchObject({ totalSteps: 7 });
    expect(await run(changed, { resume: true, allowChange: true })).toMatchObject({ outcome: "finished" });
    expect(lines.join("")).toContain("resumed although settings changed");
  });

  it("notices another text", async () => {
    const other = join(root, "other");
    writeFileSync(`${other}.txt`, sampleText());
    const settings = recipe({ stages: [stage({ data: { ...stage().data, source: "other.txt" } })] });
    await run(settings, { stopAfter: 6 });
    writeFileSync(`${other}.txt`, `${sampleText()} more`);
    await expect(run(settings, { resume: true })).rejects.toMatchObject({ code: "data-changed" });
  });
});

describe("stages", () => {
  const twoStages = recipe({
    stages: [
      stage({ name: "first" }),
      stage({ name: "second", schedule: { ...stage().schedule, shape: "constant", steps: 10 } }),
    ],
  });

  it("hand weights over by name, and resume bit-identically on either side", async () => {
    const whole = await run(twoStages);
    expect(whole.totalSteps).toBe(30);
    const stages = rowsOf(folder)
      .filter((row) => row.kind === "step")
      .map((row) => `${row.stage} ${row.step}`);
    expect(stages.slice(19, 21)).toEqual(["first 20", "second 1"]);
    const atStart = rowsOf(folder).find((row) => row.stage === "second")!;
    expect(atStart.loss).toBeLessThan(5);
    const wholeFolder = folder;
    for (const at of [13, 20, 26]) {
      folder = `${wholeFolder}-${at}`;
      await run(twoStages, { stopAfter: at });
      const rest = await run(twoStages, { resume: true });
      expect(weightsOf(rest.checkpoint)).toBe(weightsOf(whole.checkpoint));
      expect(timeless(folder)).toEqual(timeless(wholeFolder));
    }
  });
});

describe("a number that is not finite", () => {
  const breaking = (where: string, phase: string, at: number, index: number): OpenModel => {
    let count = 0;
    return opener((ran, tensors) => {
      if (ran === phase && ++count === at) tensors.get(where)![index] = index % 2 === 0 ? NaN : Infinity;
    });
  };

  it.each([
    ["loss", "train", /step 6 .*"loss" is not finite/],
    ["gradient:table", "train", /step 6 .*element \d+ of "gradient:table" is not finite/],
    ["table", "update", /step 7 .*weight "table" is not finite/],
  ] as const)("in %s stops the run, and nothing is saved over", async (where, phase, message) => {
    const open = breaking(where, phase, phase === "update" ? 6 : 11, where === "loss" ? 5 : 116 * 256 + 100);
    await expect(run(recipe(), {}, open)).rejects.toMatchObject({
      code: "not-finite",
      exitCode: 6,
      message: expect.stringMatching(message),
    });
    expect(listCheckpoints(diskFiles, join(folder, "checkpoints")).map((entry) => entry.steps)).toEqual([4]);
    // The step was not taken: going on without the fault ends where an untouched run does.
    const rest = await run(recipe(), { resume: true });
    folder += "-untouched";
    const whole = await run(recipe());
    expect(weightsOf(rest.checkpoint)).toBe(weightsOf(whole.checkpoint));
  });

  it("right before a save is not saved", async () => {
    const open = breaking("table", "update", 8, 1000);
    await expect(run(recipe(), {}, open)).rejects.toMatchObject({ code: "not-finite", exitCode: 6 });
    expect(chooseCheckpoint(folder, "newest").checkpoint.state.totalSteps).toBe(4);
  });
});

describe("a failing disk", () => {
  it("ends the run with its own code; the run goes on later", async () => {
    const whole = await run(recipe());
    folder += "-full";
    await expect(run(recipe(), { files: faultyFiles(60, "ENOSPC", true) })).rejects.toMatchObject({
      code: "write-failed",
      exitCode: 7,
    });
    const rest = await run(recipe(), { resume: true });
    expect(weightsOf(rest.checkpoint)).toBe(weightsOf(whole.checkpoint));
  });
});

describe("settings", () => {
  it("that are wrong are all named", async () => {
    const wrong = JSON.parse(JSON.stringify(recipe())) as {
      seed: number;
      stages: { clip: unknown }[];
      extra?: number;
    };
    wrong.seed = -1;
    wrong.stages[0]!.clip = "much";
    wrong.extra = 1;
    await expect(run(wrong as unknown as TrainSettings)).rejects.toMatchObject({
      code: "settings-invalid",
      message: expect.stringMatching(/seed[^]*stages\.0\.clip[^]*extra/),
    });
  });
});

describe("odd steps", () => {
  it("are remarked on: a jump of the loss, a gradient that stays zero", () => {
    const watch = new Watch();
    const remarks = Array.from({ length: 40 }, (_, i) =>
      watch.step(i + 1, i === 5 || i === 30 ? 9 : 2, 2, 1),
    );
    expect(remarks.filter((remark) => remark !== null)).toEqual([
      "step 31: the loss 9.000 is far above its recent mean 2.000",
    ]);
    const zeros = Array.from({ length: 25 }, (_, i) => watch.step(i, 2, 2, i === 3 ? 1 : 0));
    expect(zeros.flatMap((remark, i) => (remark === null ? [] : [i]))).toEqual([13]);
  });

  it("reach the output", async () => {
    const frozen = opener((phase, tensors) => {
      if (phase === "train") (tensors.get("gradient:table") as Float32Array).fill(0);
    });
    await run(recipe(), {}, frozen);
    expect(lines.join("")).toContain("the gradient has been zero for 10 steps");
  });
});

describe("the learning rate", () => {
  const schedule = { warmup: { kind: "share", value: 0.1 }, shape: "cosine", to: 0.1, steps: 100 } as const;
  it("rises linearly, then follows its shape to its end", () => {
    expect(learningRate(schedule, 1, 1)).toBeCloseTo(0.1, 12);
    expect(learningRate(schedule, 1, 10)).toBe(1);
    expect(learningRate(schedule, 1, 55)).toBeCloseTo(0.55, 12);
    expect(learningRate(schedule, 1, 100)).toBeCloseTo(0.1, 12);
    expect(learningRate({ ...schedule, shape: "linear" }, 1, 55)).toBeCloseTo(0.55, 12);
    expect(learningRate({ ...schedule, shape: "linear" }, 1, 32.5)).toBeCloseTo(0.775, 12);
    expect(learningRate({ ...schedule, shape: "constant" }, 1, 100)).toBe(1);
    expect(learningRate({ ...schedule, warmup: { kind: "steps", value: 0 } }, 1, 100)).toBeCloseTo(0.1, 12);
  });
});

describe("evaluation", () => {
  it("of all held-out rows equals the mean over every target", async () => {
    const result = await run(recipe());
    const { checkpoint } = chooseCheckpoint(folder, "newest");
    expect(checkpoint.path).toBe(result.checkpoint);
    const { table } = { table: readCheckpoint(diskFiles, result.checkpoint).parameters.read("table").values };
    const text = [...Buffer.from(sampleText())];
    const held = text.slice(text.length - Math.round(text.length * 0.1));
    let sum = 0;
    for (let i = 0; i + 1 < held.length; i++) {
      const logits = Float64Array.from(table.subarray(held[i]! * 256, held[i]! * 256 + 256));
      sum += Math.log(logits.reduce((part, logit) => part + Math.exp(logit), 0)) - logits[held[i + 1]!]!;
    }
    const dataset = await openDataset(
      recipe().stages[0]!.data,
      { exceptToken: null, exceptPositions: [] },
      { specFolder: root, projectFolder: null, cacheFolder: join(root, "cache"), seed: 1, vocabulary: 256 },
    );
    const model = bigramModel({ batch: 3, length: 16 });
    (model.tensor("table") as Float32Array).set(table);
    const measured = (await evaluate(model, dataset, { sequences: 3, rows: null, objective: "next_token" }))!;
    expect(measured.targets).toBe(held.length - 1);
    expect(measured.bytes).toBe(held.length - 1);
    expect(measured.loss).toBeCloseTo(sum / (held.length - 1), 5);
    dataset.close();
  });
});
