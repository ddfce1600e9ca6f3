/** Rows of unequal lengths through the trainer: which run together, what a step and an evaluation are, on cpu and TensorFlow.js. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { evaluateProject } from "../../runtime/project/use-project.ts";
import { describeLengths, expectedRuns, runsOf } from "../../runtime/train/row-runs.ts";
import { RandomStream, keyOf } from "../../runtime/random/stream.ts";
import { trainExample } from "../../scripts/train-example.ts";

const folder = mkdtempSync(join(tmpdir(), "lctx-unequal-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("runs", () => {
  it("hold every row once, with rows of its own length alone", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        (lengths, most) => {
          const runs = runsOf(lengths, most);
          expect(runs.flatMap(({ rows }) => rows).toSorted((a, b) => a - b)).toEqual(
            lengths.map((_, n) => n),
          );
          for (const { length, rows } of runs) {
            expect(rows.length).toBeLessThanOrEqual(most);
            for (const row of rows) expect(lengths[row]).toBe(length);
          }
          const fewest = [...new Set(lengths)].reduce(
            (sum, length) => sum + Math.ceil(lengths.filter((own) => own === length).length / most),
            0,
          );
          expect(runs.length).toBe(fewest);
        },
      ),
    );
    expect(runsOf([8, 8, 8, 8], 2)).toEqual([
      { length: 8, rows: [0, 1] },
      { length: 8, rows: [2, 3] },
    ]);
  });

  it("are counted before training, in one line", () => {
    const random = new RandomStream(keyOf(1, "lengths"));
    const shares = new Map([
      [3, 0.5],
      [9, 0.25],
      [16, 0.25],
    ]);
    const drawn = (): number => [3, 3, 9, 16][random.below(4)]!;
    let runs = 0;
    for (let n = 0; n < 4000; n++) runs += runsOf(Array.from({ length: 6 }, drawn), 6).length;
    expect(Math.abs(runs / 4000 - expectedRuns(shares, 6, 6))).toBeLessThan(0.05);
    expect(describeLengths(shares, { sequences: 6, accumulate: 1 })).toBe(
      "rows have 3 to 16 tokens, 3 different lengths; only rows of one length run together, so a step of 6 rows takes about 2.6 runs",
    );
    expect(describeLengths(new Map([[16, 1]]), { sequences: 6, accumulate: 1 })).toBe(null);
  });
});

/** The last four rows of a text say which keys all of it sees: padding would be asked in their place. */
const spec = `import std.masks { causal }

attention Ends() {
  let p[h, q, k] = softmax[k if causal] s
  select columns[h] from k by sum[q if q >= length - 4] p top 3 always k < 1
  mask causal and (k in columns[h] or q - k < 2)
}

model Talk = decoder {
  vocab 256   layers 1   heads 2   width 16   length 16
  attention Ends()
}

train Talk {
  data       tokens "talk.jsonl" length 16 cut by document validate 10%
  loss       next_token
  optimizer  adamw(lr: 3e-3)
  schedule   constant over 4
  batch      4 sequences accumulate 2
  seed       1
}
`;

describe("a run whose rows are documents", () => {
  it("is the same on TensorFlow.js, resumed, and evaluated alone", async () => {
    const path = join(folder, "talk.lctx");
    writeFileSync(path, spec);
    const documents = Array.from({ length: 240 }, (_, n) =>
      "to be or not to be, that is".slice(n % 9, 11 + ((n * 5) % 17)),
    );
    writeFileSync(join(folder, "talk.jsonl"), documents.map((text) => JSON.stringify({ text })).join("\n"));
    const runFolder = (name: string): string => join(folder, name);
    const whole = await trainExample(path, { runFolder: runFolder("whole"), threads: 2 });
    expect(whole.steps.at(-1)!.tokens).toBeLessThan(4 * 8 * 16);
    expect(whole.steps.at(-1)!.loss).toBeLessThan(whole.steps[0]!.loss);

    await trainExample(path, { runFolder: runFolder("resumed"), threads: 2, stopAfter: 2 });
    const resumed = await trainExample(path, { runFolder: runFolder("resumed"), threads: 2, resume: true });
    expect(resumed.steps.map(({ loss }) => loss)).toEqual(whole.steps.map(({ loss }) => loss));
    const weights = (name: string): Buffer =>
      readFileSync(join(runFolder(name), "checkpoints/step-000000004/model.safetensors"));
    expect(weights("resumed").equals(weights("whole"))).toBe(true);

    const other = await trainExample(path, { runFolder: runFolder("tfjs"), target: "tfjs:wasm" });
    const losses = ({ steps, evaluations }: typeof whole): number[] =>
      [...steps, ...evaluations].map(({ loss }) => loss);
    expect(losses(other).length).toBe(losses(whole).length);
    losses(other).forEach((loss, n) => expect(Math.abs(loss - losses(whole)[n]!)).toBeLessThan(1e-4));

    const again = (await evaluateProject(runFolder("whole"), { threads: 2 }))!;
    const last = whole.evaluations.at(-1)!;
    expect(again.targets).toBe(last.targets);
    expect(again.loss).toBeCloseTo(last.loss, 12);
  });
});
