/** Messages about tasks, evaluations and mixes: each wrong spec gives exactly its code, each right spec nothing. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readCatalogue } from "../../compiler/diagnostics/generate-catalogue.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { printFile } from "../../grammar/print-ast.ts";
import { parseFile } from "../../grammar/parse.ts";
import { checkText, diskHost, root } from "../support/check-text.ts";

const path = join(root, "compiler/diagnostics/messages/task.md");
const entries = readCatalogue("task", readFileSync(path, "utf8"));
const check = (text: string) => checkText(text, join(root, "tests/check/spec.lctx"));
const model = "model Small = decoder { vocab 256   layers 1   heads 2   width 8   length 16 }\n";

describe("messages about tasks", () => {
  it.each(entries.map((entry) => [entry.code, entry] as const))("%s", (code, entry) => {
    expect(check(entry.right!).map((d) => `${d.code}: ${d.title}`)).toEqual([]);
    const wrong = check(entry.wrong!);
    expect(wrong.map((d) => d.code)).toEqual([code]);
  });

  it.each([
    ["let key = nmber(5)", "function-unknown", "number"],
    ["let key = number(0)", "value-out-of-range", null],
    ["let key = number(5) + 1", "operand-type", null],
    ['let key = if true then number(5) else "a" == 1', "operand-type", null],
    ["let key[i: 0 - 1] = word(4)", null, null],
    ['let key = word(4)\n insert "{key[0]}"', "task-table-index", null],
    ['let key[i: 3] = word(4)\n insert "{key[i]}"', "task-name-unknown", null],
    ['let key[i: 3] = word(4)\n insert[i] "{key[i - 1]} {{brace}}"', null, null],
    ["let asked = any(j)", "task-axis-unknown", null],
    ['insert "x" at "here"', "operand-type", null],
    ['insert "{a b}"', "task-place", null],
    ["let key(x) = x", "task-expression", null],
    ["let key = word(4)\n let key = word(4)", "name-taken", null],
  ])("a task with %s", (clause, code, help) => {
    const told = check(`task t() {\n ${clause}\n filler "a. b. "\n}`);
    expect(told.map((d) => d.code)).toEqual(code === null ? [] : [code]);
    if (help !== null) expect(told[0]!.help).toContain(help);
  });

  it.each([
    ["task needle(digit: 3) at lengths 256", "argument-unknown"],
    ['task needle(digits: "3") at lengths 256', "argument-type"],
    ["task needle at lengths 256 depths 150%", "value-out-of-range"],
    ["task needle at lengths 0", "value-out-of-range"],
    ["task needle at lengths 256 to 1000 doubling", "lengths-not-doubling"],
    ["task needle at lengths 256   samples 0", "value-out-of-range"],
    ["task needle at lengths 256   samples 1   samples 2", "train-clause-repeated"],
    ["task decoder at lengths 256", "task-unknown"],
    ["task needle at lengths 256 to 512", "unexpected"],
  ])("an evaluation with %s", (clause, code) => {
    expect(check(`${model}evaluate Small { ${clause} }`).map((d) => d.code)).toEqual([code]);
  });
});

describe("an evaluation", () => {
  it("has lengths, depths, samples and metrics, with defaults", () => {
    const text = `${model}
evaluate Small {
  task needle(others: 3) at lengths 300, 512 to 2048 doubling depths 0%, 0.5, 100%
  task recall
  samples 7
  seed 3
  metric exact_match
  metric loss
}`;
    const { project, diagnostics } = checkSpec("spec.lctx", text, diskHost);
    expect(diagnostics).toEqual([]);
    const { tasks } = project!.evaluations[0]!;
    expect(tasks.map(({ task, ...rest }) => ({ label: task.label, ...rest }))).toEqual([
      {
        label: "needle(others: 3, digits: 7, letters: 5)",
        lengths: [300, 512, 1024, 2048],
        depths: [0, 0.5, 1],
        samples: 7,
        seed: 3,
        metrics: ["exact_match", "loss"],
      },
      {
        label: "recall(pairs: 8, letters: 4, digits: 3)",
        lengths: null,
        depths: null,
        samples: 7,
        seed: 3,
        metrics: ["exact_match", "loss"],
      },
    ]);
  });
});

describe("the example", () => {
  it.each(["spec", "window"])("examples/passkey/%s.lctx has no mistake", (name) => {
    const file = join(root, `examples/passkey/${name}.lctx`);
    expect(checkText(readFileSync(file, "utf8"), file)).toEqual([]);
  });
});

describe("the printer", () => {
  it("writes tasks, evaluations and mixes in one form, which reads as the same", () => {
    const text = `task t( n:Count=2 ){let key[i:n]=word(4) start"a{{" filler markov(words:10)
insert[i]"{key[i]} "at 0.5 ask "b" answer "{key[0]}"}
task u(){filler "x. y. "}
${model}
evaluate Small {task t(n:3) at lengths 4,8 to 16 doubling depths 50% samples 3 metric loss}
train Small {data mix{tokens "a.txt" 50% task t() 0.5} length 16 loss next_token on answers
optimizer adamw(lr:1e-3) schedule constant over 3 batch 1 sequences}
`;
    const first = parseFile("a.lctx", text);
    expect(first.diagnostics).toEqual([]);
    const printed = printFile(first.file, text);
    expect(printed).toContain('  let key[i: n] = word(4)\n  start "a{{"\n  filler markov(words: 10)\n');
    expect(printed).toContain('  insert[i] "{key[i]} " at 0.5\n');
    expect(printed).toContain(
      "evaluate Small { task t(n: 3) at lengths 4, 8 to 16 doubling depths 50%   samples 3   metric loss }",
    );
    expect(printed).toContain('  data       mix { tokens "a.txt" 50%   task t() 0.5 } length 16\n');
    expect(printed).toContain("  loss       next_token on answers\n");
    const second = parseFile("a.lctx", printed);
    expect(second.diagnostics).toEqual([]);
    expect(printFile(second.file, printed)).toBe(printed);
    const lines = printed.replace(
      'mix { tokens "a.txt" 50%   task t() 0.5 }',
      'mix {\ntokens "a.txt" 50%\ntask t() 0.5 }',
    );
    const broken = parseFile("a.lctx", lines);
    expect(printFile(broken.file, lines)).toContain(
      '  data       mix {\n               tokens "a.txt" 50%\n               task t() 0.5\n             } length 16\n',
    );
  });
});
