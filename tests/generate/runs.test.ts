/** Runs used after training: evaluated again, on other text, and written with. */
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateRun } from "../../runtime/generate/generate-run.ts";
import { evaluateRun } from "../../runtime/train/evaluate-run.ts";
import type { OpenAt } from "../../runtime/train/evaluate-run.ts";
import { train } from "../../runtime/train/trainer.ts";
import type { TrainResult } from "../../runtime/train/trainer.ts";
import { bigramModel } from "../training/bigram-model.ts";
import { recipe, sampleText, stage } from "../training/recipes.ts";

const root = mkdtempSync(join(tmpdir(), "lctx-runs-"));
const runFolder = join(root, "run");
const places = { specFolder: root, projectFolder: null };
const open: OpenAt = (_, { batch, length }) => Promise.resolve(bigramModel({ batch, length }));
let result: TrainResult;

beforeAll(async () => {
  writeFileSync(join(root, "text.txt"), sampleText());
  const settings = recipe({
    stages: [stage({ schedule: { ...stage().schedule, steps: 60 }, evaluate: { every: 20, rows: null } })],
    checkpoint: { every: 20, keep: 2 },
  });
  result = await train((s) => open(0, { batch: s.batch.sequences, length: s.data.length }, []), settings, {
    ...places,
    runFolder,
    output: { write: () => undefined },
    signals: false,
  });
});
afterAll(() => rmSync(root, { recursive: true }));

async function written(seed: number, prompt = "the "): Promise<string> {
  let text = "";
  const options = { ...places, prompt, tokens: 40, seed, temperature: 0.5, topK: 20, topP: null };
  for await (const piece of generateRun(runFolder, open, options)) text += piece;
  return text;
}

describe("a run", () => {
  it("evaluates to what training measured at its end", async () => {
    const evaluation = (await evaluateRun(runFolder, open, places))!;
    expect(evaluation).toMatchObject({
      totalSteps: 60,
      checkpoint: result.checkpoint,
      length: 16,
      remarks: [],
    });
    expect(evaluation.loss).toBe(result.validationLoss);
  });

  it("evaluates at other lengths and on other text", async () => {
    const long = (await evaluateRun(runFolder, open, { ...places, length: 64 }))!;
    // A bigram model sees one token back, so the length does not matter to it.
    expect(long.loss).toBeCloseTo(result.validationLoss!, 5);
    expect(long.length).toBe(64);
    const other = join(root, "other.txt");
    writeFileSync(other, "the whale and the sea");
    const known = (await evaluateRun(runFolder, open, { ...places, data: other }))!;
    expect(known.targets).toBe(20);
    writeFileSync(other, "QZXJ KVBQ QQZZ 0123");
    const strange = (await evaluateRun(runFolder, open, { ...places, data: other }))!;
    expect(strange.loss).toBeGreaterThan(known.loss + 1);
  });

  it("writes in the letters of its text, the same for the same seed", async () => {
    const text = await written(3);
    expect(text).toHaveLength(40);
    // Twenty steps an eighth of the text: nearly all letters must be the text's own.
    const own = [...text].filter((letter) => sampleText().includes(letter)).length;
    expect(own).toBeGreaterThan(30);
    expect(await written(3)).toBe(text);
    expect(await written(4)).not.toBe(text);
  });

  it("is used from an older checkpoint when the newest is damaged, with a remark", async () => {
    truncateSync(join(result.checkpoint, "model.safetensors"), 40);
    const evaluation = (await evaluateRun(runFolder, open, places))!;
    expect(evaluation.totalSteps).toBe(40);
    expect(evaluation.remarks).toEqual([expect.stringContaining("skipped a damaged checkpoint")]);
  });

  it("must be one", async () => {
    await expect(evaluateRun(root, open, places)).rejects.toMatchObject({
      code: "checkpoint-missing",
      exitCode: 3,
    });
    appendFileSync(join(runFolder, "settings.json"), "x");
    await expect(evaluateRun(runFolder, open, places)).rejects.toMatchObject({ code: "settings-invalid" });
  });
});
