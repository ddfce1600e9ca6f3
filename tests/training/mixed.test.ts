/** Training on mixed data: stopped at any step and resumed it gives the same weights, to the bit. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { OpenModel } from "../../runtime/train/model.ts";
import { settingsHash } from "../../runtime/train/settings-schema.ts";
import type { TrainSettings } from "../../runtime/train/settings.ts";
import { train } from "../../runtime/train/trainer.ts";
import type { TrainResult } from "../../runtime/train/trainer.ts";
import { taskOf } from "../tasks/support.ts";
import { bigramModel } from "./bigram-model.ts";
import { recipe, sampleText, stage } from "./recipes.ts";

const root = mkdtempSync(join(tmpdir(), "lctx-mixed-"));
writeFileSync(join(root, "text.txt"), sampleText());
afterAll(() => rmSync(root, { recursive: true }));

const task = (digits: number) =>
  taskOf(
    "t()",
    `task t() { let key = number(${digits}) filler "x. y. " insert "{key} " ask "?" answer "{key}" }`,
  );
const settings = (digits = 3, changes: Partial<TrainSettings> = {}): TrainSettings =>
  recipe({
    stages: [
      stage({
        data: {
          ...stage().data,
          source: "",
          mix: [
            { share: 0.5, kind: "tokens", source: "text.txt" },
            { share: 0.5, kind: "task", task: task(digits) },
          ],
        },
        loss: { ...stage().loss, answersOnly: true },
      }),
    ],
    ...changes,
  });

const open: OpenModel = ({ batch, data }) =>
  Promise.resolve(bigramModel({ batch: batch.sequences, length: data.length }));

const run = (folder: string, from: TrainSettings, changes: object = {}): Promise<TrainResult> =>
  train(open, from, {
    runFolder: join(root, folder),
    specFolder: root,
    projectFolder: null,
    cacheFolder: join(root, "cache"),
    output: { write: () => undefined },
    signals: false,
    ...changes,
  });

const weights = (checkpoint: string): string =>
  ["model", "optimizer"]
    .map((name) => readFileSync(join(checkpoint, `${name}.safetensors`), "latin1"))
    .join("|");

describe("a run on mixed data", () => {
  it("resumes to the bit", async () => {
    const whole = await run("whole", settings());
    expect(whole).toMatchObject({ outcome: "finished", totalSteps: 20 });
    expect(whole.validationLoss).toBeGreaterThan(0);
    let last: TrainResult | null = null;
    for (const stopAfter of [1, 7, 8, 19, null])
      last = await run("parts", settings(), { stopAfter, resume: stopAfter !== 1 });
    expect(weights(last!.checkpoint)).toBe(weights(whole.checkpoint));
    expect(last!.validationLoss).toBe(whole.validationLoss);
  });

  it("is not resumed with another task, but with other evaluations", async () => {
    await run("changed", settings(), { stopAfter: 3 });
    await expect(run("changed", settings(4), { resume: true })).rejects.toMatchObject({
      code: "settings-changed",
      message: expect.stringContaining("digits: 3 → 4"),
    });
    const evaluations = [
      { task: task(3), lengths: [32], depths: null, samples: 1, seed: 1, metrics: ["loss"] },
    ] as const;
    expect(settingsHash(settings(3, { evaluations }))).toBe(settingsHash(settings()));
    expect(await run("changed", settings(3, { evaluations }), { resume: true, stopAfter: 4 })).toMatchObject({
      totalSteps: 4,
    });
  });

  it("needs rows that its tasks fit", async () => {
    const short = settings();
    const [main] = short.stages;
    const data = { ...main!.data, length: 6 };
    await expect(run("short", { ...short, stages: [{ ...main!, data }] })).rejects.toMatchObject({
      code: "task-too-short",
    });
  });
});
