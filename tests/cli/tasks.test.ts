/** Tasks through the command line: trained on, evaluated on, shown, and refused where they cannot be. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TaskCell, TasksEvaluation } from "../../runtime/tasks/evaluate-tasks.ts";
import { openPlace, tinyText, type Place } from "./support.ts";

let place: Place;
const at = (...parts: string[]): string => join(place.folder, ...parts);

const model = (attention: string, settings = ""): string => `import std.masks { causal, window }

task hidden(digits: Count = 2) {
  let key = number(digits)
  filler "a b c d e f g "
  insert "K{key} " at depth
  ask "K"
  answer "{key}"
}

attention A() { mask ${attention} }

model Tiny = decoder { vocab 256   layers 1   heads 2   width 16   length 32   attention A() ${settings} }
`;
const evaluation = `
evaluate Tiny {
  task hidden() at lengths 32 to 128 doubling depths 0%, 100%
  task recall(pairs: 2) at lengths 64
  samples 3
  metric exact_match
  metric loss
}
`;
const recipe = `
train Tiny {
  data       mix { tokens "text.txt" 50%   task hidden() 50% } length 32 validate 10%
  loss       next_token on answers
  optimizer  adamw(lr: 1e-3)
  schedule   constant over 100
  batch      2 sequences
}
`;

beforeAll(async () => {
  place = openPlace();
  place.write("text.txt", tinyText);
  place.write("tiny.lctx", model("causal") + recipe + evaluation);
  place.write("near.lctx", model("causal and window(4)"));
  place.write("wide.lctx", model("causal").replace("width 16", "width 32"));
  place.write("deep.lctx", model("causal").replace("layers 1", "layers 2") + evaluation);
  expect(await place.lctx("train", "tiny.lctx", "--run", "run", "--steps", "3")).toMatchObject({
    code: 0,
    err: "",
  });
});
afterAll(() => place.remove());

const cellsOf = (result: TasksEvaluation, task: string): readonly TaskCell[] =>
  result.tasks.find((each) => each.task === task)!.cells;
const json = async (...args: string[]): Promise<TasksEvaluation & { loss?: number }> => {
  const { code, out, err } = await place.lctx("eval", "run", ...args, "--format", "json");
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out) as TasksEvaluation;
};

describe("eval", () => {
  it("prints held-out loss, then a table for each task and metric, and keeps the numbers", async () => {
    const { code, out } = await place.lctx("eval", "run");
    expect(code).toBe(0);
    expect(out).toMatch(/^loss .*\nperplexity .*\nbits per byte .*\ntargets .*\nweights/);
    expect(out).toMatch(
      /\nhidden\(digits: 2\): exact match, 3 samples each\nlength +0 % +100 % +all depths +memory\n +32( +\d+\.\d %){3} +\d+\.\d MiB\n +64 .*\n +128 /,
    );
    expect(out).toMatch(
      /\nhidden\(digits: 2\): loss of answer tokens, nats, 3 samples each\n.*\n +32( +\d\.\d{3}){3} /,
    );
    expect(out).toMatch(
      /\nrecall\(pairs: 2, letters: 4, digits: 3\): exact match, 3 samples\nlength +any depth +memory\n/,
    );
    expect(out).toContain("written to run/evaluation.json");
    const kept = JSON.parse(readFileSync(at("run/evaluation.json"), "utf8")) as TasksEvaluation;
    expect(cellsOf(kept, "hidden").map(({ length, depth }) => [length, depth])).toEqual(
      [32, 64, 128].flatMap((length) => [0, 1].map((depth) => [length, depth])),
    );
    for (const { loss } of cellsOf(kept, "hidden")) expect(loss).toBeGreaterThan(1);
    const both = await json();
    expect(both.loss).toBeGreaterThan(1);
    expect(both.tasks).toEqual(kept.tasks);
  });

  it("does the tasks, lengths and samples that are named, and texts alone with --data", async () => {
    const one = await json("--task", "hidden", "--length", "50", "--samples", "2");
    expect(one.loss).toBeUndefined();
    expect(
      one.tasks.map(({ task, cells }) => [task, cells.map(({ length, samples }) => [length, samples])]),
    ).toEqual([
      [
        "hidden",
        [
          [50, 2],
          [50, 2],
        ],
      ],
    ]);
    expect(await json("--data", "text.txt")).not.toHaveProperty("tasks");
  });

  it("runs the weights in another spec's model", async () => {
    const [own, same, near] = [
      await json("--task", "hidden"),
      await json("--task", "hidden", "--spec", "tiny.lctx"),
      await json("--task", "hidden", "--spec", "near.lctx"),
    ];
    expect(cellsOf(same, "hidden")).toEqual(cellsOf(own, "hidden"));
    const losses = (result: TasksEvaluation): readonly number[] =>
      cellsOf(result, "hidden").map(({ loss }) => loss);
    expect(losses(near)).not.toEqual(losses(own));
    expect(existsSync(at("run/evaluation-near.json"))).toBe(true);
    // The text is the run's, the attention is the other's.
    expect((await json("--spec", "near.lctx")).loss).not.toBe((await json()).loss);
    expect(await json("--spec", "tiny.lctx", "--set", "Tiny.attention=A()")).toMatchObject({
      loss: (await json()).loss,
    });
  });

  it.each([
    [["--spec", "wide.lctx"], 3, /safetensors-mismatch.*"embed[^"]*" has shape \[256, 16\], not \[256, 32\]/],
    [["--spec", "deep.lctx"], 3, /safetensors-mismatch.*"layers\.1\.[^"]*" is missing/],
    [["--spec", "none.lctx"], 2, /cannot read none\.lctx/],
    [["--task", "needle"], 2, /task-unknown.*"needle"[\s\S]*it has hidden, recall/],
    [
      ["--task", "recall", "--length", "20"],
      2,
      /task-too-short.*needs \d+ tokens without filler; a sample has 20/,
    ],
    [["--data", "text.txt", "--task", "hidden"], 2, /--data is a text/],
    [["--set", "Tiny.width=8"], 2, /--set is about another spec/],
    [["--length", "0"], 2, /at least 1/],
  ] as const)("refuses %j", async (args, code, message) => {
    const result = await place.lctx("eval", "run", ...args);
    expect(result.err).toMatch(message);
    expect(result.code).toBe(code);
  });

  it("has lengths up to those a model has positions for", async () => {
    const spec = `model Learned = gpt2 { vocab 256   layers 1   heads 2   width 16   length 64 }
train Learned {
  data       task recall(pairs: 1) length 48
  loss       next_token
  optimizer  adamw(lr: 1e-3)
  schedule   constant over 2
  batch      2 sequences
}
`;
    const evaluated = `${spec}evaluate Learned { task recall(pairs: 1) at lengths 64   samples 1 }\n`;
    place.write("learned.lctx", evaluated);
    place.write("longer.lctx", evaluated.replace("lengths 64", "lengths 64 to 128 doubling"));
    const long = await place.lctx("check", "longer.lctx");
    expect([long.code, long.out + long.err]).toEqual([1, expect.stringMatching(/length-too-long/)]);
    expect((await place.lctx("train", "learned.lctx", "--run", "learned")).code).toBe(0);
    expect((await place.lctx("eval", "learned")).code).toBe(0);
    expect(await place.lctx("eval", "learned", "--task", "recall", "--length", "65")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/length-too-long.*64/) as string,
    });
  });
});

describe("explain", () => {
  it("shows samples of tasks, and the memory of their lengths", async () => {
    const { code, out } = await place.lctx("explain", "task", "tiny.lctx", "hidden", "--length", "40");
    expect(code).toBe(0);
    const [, prompt, answer] = /^hidden\(digits: 2\): 40 bytes, depth 50 %\n\n(.*)\n\nanswer: (\d\d)\n/.exec(
      out,
    )!;
    expect(prompt!.length).toBe(38);
    expect(prompt).toContain(` K${answer} `);
    expect((await place.lctx("explain", "task", "tiny.lctx", "needle")).err).toContain(
      "it uses hidden, recall",
    );
    const memory = (await place.lctx("explain", "memory", "tiny.lctx")).out;
    expect(
      [...memory.matchAll(/evaluated on tasks: 1 row of (\d+) tokens\n {2}in all .* bytes/g)].map(
        (m) => m[1],
      ),
    ).toEqual(["32", "64", "128"]);
  });
});

describe("a mix", () => {
  it("takes another text with --data where it has one", async () => {
    place.write("other.txt", tinyText.toUpperCase());
    const train = ["train", "tiny.lctx", "--steps", "1", "--data", "other.txt"];
    expect((await place.lctx(...train, "--run", "other")).code).toBe(0);
    const alone =
      model("causal") + recipe.replace('tokens "text.txt" 50%   task hidden() 50%', "task hidden() 100%");
    place.write("alone.lctx", alone);
    expect(await place.lctx("train", "alone.lctx", "--data", "other.txt", "--run", "none")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/replaces the one text/) as string,
    });
  });

  it("resumes to the same weights", async () => {
    const steps = async (run: string, ...each: number[]): Promise<Buffer> => {
      for (const [n, step] of each.entries())
        expect(
          (
            await place.lctx(
              "train",
              "tiny.lctx",
              "--run",
              run,
              "--steps",
              String(step),
              ...(n > 0 ? ["--resume"] : []),
            )
          ).code,
        ).toBe(0);
      return readFileSync(at(run, "checkpoints/step-000000004/model.safetensors"));
    };
    expect(Buffer.compare(await steps("parts", 1, 4), await steps("whole", 4))).toBe(0);
  });
});
