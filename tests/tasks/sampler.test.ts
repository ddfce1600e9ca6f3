/** Samples of tasks: their exact lengths, what they hold and where, and that they are the same everywhere. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { piecesOf } from "../../runtime/tasks/filler.ts";
import { Sampler } from "../../runtime/tasks/sampler.ts";
import type { Sample, SampleRequest } from "../../runtime/tasks/sampler.ts";
import type { TaskSettings } from "../../runtime/tasks/task.ts";
import { byteTokenizer } from "../../runtime/tokens/bytes.ts";
import type { Tokenizer } from "../../runtime/tokens/tokenizer.ts";
import { taskOf } from "./support.ts";

const request: SampleRequest = { length: 512, depth: 0.5, seed: 1, purpose: "evaluate", number: 0 };
const sample = (task: TaskSettings, changes: Partial<SampleRequest> = {}): Sample =>
  new Sampler(task, byteTokenizer).sample({ ...request, ...changes });

const text = (tokens: readonly number[]): string => byteTokenizer.decode(tokens);
const parts = ({ tokens, answerStart }: Sample): { readonly prompt: string; readonly answer: string } => ({
  prompt: text(tokens.slice(0, answerStart ?? tokens.length)),
  answer: text(answerStart === null ? [] : tokens.slice(answerStart)),
});

const library = ["passkey()", "needle(others: 3)", "recall(pairs: 6)", "tracking()", "copied_spans()"].map(
  (call) => taskOf(call),
);

describe("samples", () => {
  it.each(library.map((task) => [task.label, task] as const))(
    "of %s have the length asked for",
    (_, task) => {
      const sampler = new Sampler(task, byteTokenizer);
      fc.assert(
        fc.property(
          fc.integer({ min: 330, max: 2000 }),
          fc.nat(),
          fc.double({ min: 0, max: 1, noNaN: true }),
          (length, number, depth) => {
            const { tokens, answerStart } = sampler.sample({ ...request, length, number, depth });
            expect(tokens.length).toBe(length);
            if (answerStart !== null) expect(answerStart).toBeLessThan(length);
          },
        ),
        { numRuns: 60, seed: 5 },
      );
    },
  );

  it("are the same on every machine", () => {
    const digest = createHash("sha256");
    for (const task of library)
      for (let number = 0; number < 5; number++) digest.update(parts(sample(task, { number })).prompt);
    expect(digest.digest("hex").slice(0, 16)).toBe("bbfcdaa08bcd8fae");
  });

  it("depend on seed, purpose and number, not on what was drawn before", () => {
    const task = library[1]!;
    const sampler = new Sampler(task, byteTokenizer);
    for (let number = 0; number < 4; number++) sampler.sample({ ...request, number });
    expect(sampler.sample(request)).toEqual(sample(task));
    const others = [{ seed: 2 }, { purpose: "train" }, { number: 1 }].map((changes) => sample(task, changes));
    for (const other of others) expect(other.tokens).not.toEqual(sample(task).tokens);
  });

  it("that are too short say how long they must be", () => {
    const needed = Number(
      /needs (\d+) tokens without filler; a sample has 50/.exec(
        String(
          (() => {
            try {
              return sample(library[0]!, { length: 50 });
            } catch (error) {
              return error;
            }
          })(),
        ),
      )![1],
    );
    expect(sample(library[0]!, { length: needed }).tokens).toHaveLength(needed);
    expect(() => sample(library[0]!, { length: needed - 1 })).toThrow(`needs ${needed} tokens`);
    expect(parts(sample(library[0]!, { length: needed })).prompt).toMatch(
      /^There is .* memorize it\. The pass key .* What is the pass key\? The pass key is $/,
    );
  });
});

describe("the pass key", () => {
  const task = library[0]!;

  it.each([0, 0.25, 0.5, 0.75, 1])("stands at depth %d of the filler", (depth) => {
    const { prompt, answer } = parts(sample(task, { length: 2048, depth }));
    expect(answer).toMatch(/^[1-9]\d{4}$/);
    expect(prompt.match(/\d+/g)).toEqual([answer, answer]);
    expect(prompt.endsWith("What is the pass key? The pass key is ")).toBe(true);
    const [before, after] = prompt
      .replace(/^.*memorize it\. /, "")
      .replace(/What is the pass key.*$/, "")
      .split(/The pass key is \d+\. Remember it\. \d+ is the pass key\. /);
    const share = before!.length / (before!.length + after!.length);
    // To the nearest end of a sentence: at most half of the longest one away, of some 1850 characters.
    expect(Math.abs(share - depth)).toBeLessThan(0.01);
    expect(before === "" || before!.endsWith(". ")).toBe(true);
  });

  it("takes depths at random where none is given", () => {
    const places = Array.from({ length: 40 }, (_, number) =>
      parts(sample(task, { length: 1024, depth: null, number })).prompt.indexOf("The pass key"),
    );
    expect(Math.min(...places)).toBeLessThan(250);
    expect(Math.max(...places)).toBeGreaterThan(700);
  });
});

describe("needles", () => {
  it("are all different and one is asked, at the depth", () => {
    const { prompt, answer } = parts(sample(library[1]!, { length: 4096, depth: 1 }));
    const facts = [...prompt.matchAll(/The magic number of (\w+) is (\d+)\. /g)].map((fact) => [
      fact[1],
      fact[2],
    ]);
    expect(facts).toHaveLength(4);
    expect(new Set(facts.flat()).size).toBe(8);
    const asked = /What is the magic number of (\w+)\? It is $/.exec(prompt)![1];
    expect(facts.at(-1)).toEqual([asked, answer]);
  });
});

describe("recall", () => {
  it("asks one of the pairs", () => {
    const { prompt, answer } = parts(sample(library[2]!));
    const pairs = new Map([...prompt.matchAll(/(\w+)=(\d+); /g)].map((pair) => [pair[1], pair[2]]));
    expect(pairs.size).toBe(6);
    expect(pairs.get(/(\w+)=$/.exec(prompt)![1])).toBe(answer);
  });
});

describe("tracking", () => {
  it("sets each variable to the one before, in order", () => {
    const { prompt, answer } = parts(sample(library[3]!));
    const lines = [...prompt.matchAll(/(\w+) = (\w+); /g)].map((line) => [line[1]!, line[2]!] as const);
    expect(lines).toHaveLength(4);
    const values = new Map<string, string>();
    for (const [name, source] of lines) values.set(name, values.get(source) ?? source);
    expect(lines.slice(1).every(([, source]) => values.has(source))).toBe(true);
    expect(values.get(/(\w+) is $/.exec(prompt)![1]!)).toBe(answer);
  });
});

describe("text of words by chance", () => {
  const words = (task: TaskSettings, length: number): string[] =>
    text(sample(task, { length }).tokens).trim().split(" ");

  it("has few frequent words and many rare ones", () => {
    const counts = new Map<string, number>();
    const all = words(taskOf("t()", "task t() { filler markov(words: 300, followers: 300) }"), 100_000);
    for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1);
    const sorted = [...counts.values()].sort((a, b) => b - a);
    // Zipf's law over 300 words: the first has 1 / (1 + 1/2 + … + 1/300) = 16 % — followers drawn by it are repeated,
    // so that it is more here; the first ten have about half.
    expect(sorted[0]! / all.length).toBeGreaterThan(0.1);
    expect(sorted.slice(0, 10).reduce((a, b) => a + b) / all.length).toBeGreaterThan(0.35);
    expect(sorted.length).toBeGreaterThan(200);
  });

  it("has spans that come again, when it is asked to", () => {
    const repeated = (copies: number): number => {
      const task = taskOf(
        "t()",
        `task t() { filler markov(words: 5000, followers: 50, exponent: 0, copies: ${copies}, span: 8) }`,
      );
      const all = words(task, 20_000);
      const seen = new Set<string>();
      let again = 0;
      for (let n = 0; n + 8 <= all.length; n++) {
        const span = all.slice(n, n + 8).join(" ");
        if (seen.has(span)) again++;
        seen.add(span);
      }
      return again;
    };
    expect(repeated(0)).toBe(0);
    expect(repeated(0.05)).toBeGreaterThan(50);
  });

  it("is one language in all samples", () => {
    const task = library[4]!;
    const first = new Set(words(task, 50_000));
    const other = text(sample(task, { length: 20_000, number: 9 }).tokens)
      .trim()
      .split(" ");
    expect(other.filter((word) => first.has(word)).length / other.length).toBeGreaterThan(0.95);
  });
});

describe("tasks of one's own", () => {
  const own = (body: string): TaskSettings => taskOf("t()", `task t() { ${body} filler "a b c d e f g h " }`);

  it("work out numbers, texts and choices for each entry", () => {
    const task = own(`
      let name[i: 3] = pick("x", "y", "z")
      let line[i] = if i == 0 then "start" else name[i - 1]
      let late = floor(length / 100) - 2
      start "{line[0]} {name[0] == line[1]} {name[1] == line[2]} {late} {not true or 1 < 2 and 2 <= 2} {max(3, -2)} {7 % 4} {{}} | "`);
    expect(text(sample(task).tokens)).toMatch(/^start true true 3 true 3 3 \{\} \| a b/);
    expect(
      new Set(Array.from({ length: 30 }, (_, number) => text(sample(task, { number }).tokens.slice(0, 8))))
        .size,
    ).toBe(1);
  });

  it("have tables as long as the length says", () => {
    const task = own('let key[i: length / 64] = word(3) insert[i] "<{key[i]}>"');
    for (const [length, count] of [
      [63, 0],
      [64, 1],
      [640, 10],
    ] as const)
      expect(text(sample(task, { length }).tokens).match(/<\w{3}>/g)?.length ?? 0).toBe(count);
  });

  it("keep the order of inserts at one place", () => {
    const task = own('insert "<1>" at 0.5 insert "<2>" at 0.5 insert "<0>" at 0 insert "<3>" at 2');
    expect(text(sample(task, { length: 100 }).tokens).match(/<\d>/g)).toEqual(["<0>", "<1>", "<2>", "<3>"]);
  });

  it.each([
    ['let key[i: length / 16] = number(1) insert "x"', /too few different texts/],
    ['let key[i: 0] = word(2) let asked = any(i) insert "x"', /axis i is empty/],
    ['let key[i: 2] = word(2) insert "{key[2]}"', /"key" has no entry 2/],
    ['let key[i: 1 - length] = word(2) insert "x"', /axis i has size -511/],
  ])("that cannot be drawn say why: %s", (body, message) => {
    expect(() => sample(own(body))).toThrow(message);
  });
});

describe("a tokenizer with longer tokens", () => {
  /** Pairs of letters where they can be had: parts are tokenized one by one. */
  const pairs: Tokenizer = {
    ...byteTokenizer,
    size: 65_536,
    encode: (given) => {
      const bytes = byteTokenizer.encode(given);
      const ids: number[] = [];
      for (let n = 0; n < bytes.length; n += 2)
        ids.push(n + 1 < bytes.length ? 256 + bytes[n]! * 200 + bytes[n + 1]! : bytes[n]!);
      return Int32Array.from(ids);
    },
  };

  it("gets samples of exact length too, with the answer's own tokens at the end", () => {
    for (let length = 200; length < 260; length++) {
      const { tokens, answerStart } = new Sampler(library[0]!, pairs).sample({ ...request, length });
      expect(tokens.length).toBe(length);
      expect(length - answerStart!).toBe(3);
    }
  });
});

describe("pieces of a filler", () => {
  it.each(["One. Two! Three?\nFour", "no sentence here ", " leading. And trailing.  ", "x"])(
    "are all of %j",
    (given) => {
      const pieces = piecesOf(given);
      expect(pieces.join("")).toBe(given);
      expect(pieces.every((piece) => piece !== "")).toBe(true);
    },
  );
});
