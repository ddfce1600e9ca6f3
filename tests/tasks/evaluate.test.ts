/** Evaluation on tasks with models whose logits are known: what they must score, at which length and depth. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generate } from "../../runtime/generate/generate.ts";
import { recompute } from "../../runtime/generate/next-token.ts";
import { RandomStream, keyOf } from "../../runtime/random/stream.ts";
import { evaluateTasks, writeEvaluation } from "../../runtime/tasks/evaluate-tasks.ts";
import type { EvaluateTasksOptions } from "../../runtime/tasks/evaluate-tasks.ts";
import { Sampler } from "../../runtime/tasks/sampler.ts";
import { scoreAnswers } from "../../runtime/tasks/score.ts";
import type { TaskEvaluation } from "../../runtime/tasks/task.ts";
import { byteTokenizer } from "../../runtime/tokens/bytes.ts";
import type { OpenAt } from "../../runtime/train/evaluate-run.ts";
import { tensorNames } from "../../runtime/train/model.ts";
import { train } from "../../runtime/train/trainer.ts";
import { bigramModel } from "../training/bigram-model.ts";
import { recipe, sampleText, stage } from "../training/recipes.ts";
import { taskOf } from "./support.ts";

const root = mkdtempSync(join(tmpdir(), "lctx-tasks-"));
const runFolder = join(root, "run");
const places = { specFolder: root, projectFolder: null };
const passkey = taskOf("passkey()");
const evaluation: TaskEvaluation = {
  task: passkey,
  lengths: [300, 512],
  depths: [0, 0.5, 1],
  samples: 6,
  seed: 4,
  metrics: ["exact_match"],
};

type Tensors = ReadonlyMap<string, Float32Array | Int32Array>;

/** A model that says of each position what comes next, or 0 where `knows` is false. */
const oracle =
  (knows: (row: string, position: number) => boolean, insert = 0): OpenAt =>
  (_, { batch, length }) =>
    Promise.resolve(
      bigramModel({
        batch,
        length,
        vocabulary: 257,
        after: (phase, tensors: Tensors) => {
          if (phase !== "logits") return;
          const [tokens, logits] = [tensors.get(tensorNames.tokens)!, tensors.get(tensorNames.logits)!];
          logits.fill(0);
          for (let b = 0; b < batch; b++) {
            const ids = [...tokens.subarray(b * length, (b + 1) * length)];
            const text = String.fromCharCode(...ids);
            for (let p = 0; p + 1 < length; p++)
              logits[(b * length + p) * 257 + (knows(text, p) ? ids[p + 1]! : insert)] = 5;
            // Louder than anything, but no token of the tokenizer: never written.
            for (let p = 0; p < length; p++) logits[(b * length + p) * 257 + 256] = 9;
          }
        },
      }),
    );

beforeAll(async () => {
  writeFileSync(join(root, "text.txt"), sampleText());
  const settings = recipe({
    stages: [stage({ schedule: { ...stage().schedule, steps: 2 } })],
    evaluations: [
      evaluation,
      { ...evaluation, task: taskOf("recall(pairs: 2)"), depths: null, lengths: null },
    ],
  });
  const bigram: OpenAt = (_, { batch, length }) =>
    Promise.resolve(bigramModel({ batch, length, vocabulary: 257 }));
  await train((s) => bigram(0, { batch: s.batch.sequences, length: s.data.length }, []), settings, {
    ...places,
    runFolder,
    output: { write: () => undefined },
    signals: false,
  });
});
afterAll(() => rmSync(root, { recursive: true }));

const evaluate = (open: OpenAt, options: Partial<EvaluateTasksOptions> = {}) =>
  evaluateTasks(runFolder, open, { ...places, names: ["passkey"], ...options });

describe("an evaluation on tasks", () => {
  it("gives all to a model that knows every token, and nothing to one that knows none", async () => {
    for (const [knows, share] of [
      [true, 1],
      [false, 0],
    ] as const) {
      const result = await evaluate(oracle(() => knows));
      expect(result.totalSteps).toBe(2);
      expect(result.memory.map(({ length, rows }) => [length, rows])).toEqual([
        [300, 6],
        [512, 6],
      ]);
      const [{ cells, label }] = result.tasks as [(typeof result.tasks)[number]];
      expect(label).toBe("passkey(digits: 5)");
      expect(cells.map(({ length, depth }) => [length, depth])).toEqual(
        [300, 512].flatMap((length) => [0, 0.5, 1].map((depth) => [length, depth])),
      );
      for (const cell of cells) {
        expect([cell.exactMatch, cell.accuracy, cell.samples]).toEqual([share, share, 6]);
        // Logits 9, 5 and 255 times 0.
        const sum = Math.exp(9) + Math.exp(5) + 255;
        expect(cell.loss).toBeCloseTo(Math.log(sum) - (knows ? 5 : 0), 5);
      }
    }
  });

  it("gives to a model that sees a window what lies inside it", async () => {
    const window = 250;
    const sees = (text: string, position: number): boolean => {
      const ask = text.indexOf("What is the pass key?");
      return ask < 0 || position < ask || text.lastIndexOf("is the pass key.", ask) >= position - window;
    };
    const { cells } = (await evaluate(oracle(sees), { samples: 12 })).tasks[0]!;
    const sampler = new Sampler(passkey, byteTokenizer);
    for (const { length, depth, exactMatch, accuracy } of cells) {
      const expected = Array.from({ length: 12 }, (_, number) => {
        const { tokens, answerStart } = sampler.sample({
          length,
          depth,
          seed: 4,
          purpose: `evaluate:${length}:${depth}`,
          number,
        });
        const text = String.fromCharCode(...tokens);
        return tokens.slice(answerStart!).map((_token, n) => sees(text, answerStart! + n - 1));
      });
      expect(exactMatch).toBe(expected.filter((right) => right.every(Boolean)).length / 12);
      expect(accuracy).toBe(expected.flat().filter(Boolean).length / expected.flat().length);
    }
    expect(cells.find(({ length, depth }) => length === 512 && depth === 0)!.exactMatch).toBe(0);
    expect(cells.find(({ length, depth }) => length === 512 && depth === 1)!.exactMatch).toBe(1);
  });

  it("counts an answer as right only when all of it is", async () => {
    // Every answer's last token is unknown.
    const knows = (text: string, position: number): boolean => position < text.length - 2;
    const { tasks } = await evaluate(oracle(knows));
    for (const { exactMatch, accuracy } of tasks[0]!.cells) expect([exactMatch, accuracy]).toEqual([0, 0.8]);
  });

  it("is of the tasks, lengths and samples asked for", async () => {
    const all = await evaluate(
      oracle(() => true),
      { names: [], length: 260, samples: 2 },
    );
    expect(
      all.tasks.map(({ task, cells }) => [
        task,
        cells.map(({ length, depth, samples }) => [length, depth, samples]),
      ]),
    ).toEqual([
      [
        "passkey",
        [
          [260, 0, 2],
          [260, 0.5, 2],
          [260, 1, 2],
        ],
      ],
      ["recall", [[260, null, 2]]],
    ]);
    const other = await evaluate(
      oracle(() => true),
      { evaluations: [{ ...evaluation, lengths: [200], depths: [0.5] }] },
    );
    expect(other.tasks[0]!.cells).toHaveLength(1);
  });

  it("is refused where it cannot be", async () => {
    const open = oracle(() => true);
    await expect(evaluate(open, { names: ["needle"] })).rejects.toMatchObject({
      code: "task-unknown",
      exitCode: 2,
      help: "it has passkey, recall",
    });
    await expect(evaluate(open, { length: 100 })).rejects.toMatchObject({
      code: "task-too-short",
      exitCode: 2,
    });
    const short: OpenAt = async (...args) => {
      const model = await open(...args);
      return { ...model, program: { ...model.program, maxLength: 300 } };
    };
    await expect(evaluate(short)).rejects.toMatchObject({
      code: "length-too-long",
      message: expect.stringContaining("at most 300 tokens, not of 512"),
    });
  });

  it("is written beside the run", async () => {
    const result = await evaluate(
      oracle(() => true),
      { samples: 1 },
    );
    expect(writeEvaluation(runFolder, result, null)).toBe(join(runFolder, "evaluation.json"));
    const path = writeEvaluation(runFolder, result, "other");
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ format: 1, ...result });
  });
});

describe("answers scored in one pass", () => {
  it("are right exactly when greedy decoding writes them", async () => {
    const random = new RandomStream(keyOf(1, "bigrams"));
    let [right, wrong] = [0, 0];
    for (let n = 0; n < 12; n++) {
      const model = (length: number) => {
        const made = bigramModel({ batch: 1, length });
        // Few letters follow one another; ties are frequent.
        const table = made.tensor("table");
        const own = new RandomStream(keyOf(n, "table"));
        for (let i = 0; i < table.length; i++)
          table[i] = own.below(3) + (i % 256 >= 97 && i % 256 < 101 ? 3 : 0);
        return made;
      };
      let written = "";
      const greedy = recompute(() => Promise.resolve(model(1)));
      const options = {
        prompt: "abca",
        tokens: 4,
        seed: 1,
        temperature: 0,
        topK: null,
        topP: null,
        layout: { insert: null },
      };
      for await (const piece of generate(greedy, byteTokenizer, options)) written += piece;
      for (const answer of [written, `${written.slice(0, 3)}${"abcd"[random.below(4)]}`, "abcd"]) {
        const row = [...byteTokenizer.encode(`abca${answer}`)];
        const [score] = scoreAnswers(model(8), [{ row, answer: [4, 5, 6, 7] }], () => true, 1);
        expect(score!.right === 4).toBe(answer === written);
        if (answer === written) right++;
        else wrong++;
      }
    }
    expect([right >= 12, wrong >= 12]).toEqual([true, true]);
  });
});
