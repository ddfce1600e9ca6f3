/** Rows of mixed data: shares kept, every row a function of its number, targets only where they count. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Deal, handRows, quotas } from "../../runtime/data/deal.ts";
import { openData, withText } from "../../runtime/data/mixed-data.ts";
import type { TrainingData } from "../../runtime/data/training-data.ts";
import type { MixPart } from "../../runtime/tasks/task.ts";
import { byteTokenizer } from "../../runtime/tokens/bytes.ts";
import { HostBatch } from "../../runtime/train/batch.ts";
import type { DataSettings, LossSettings } from "../../runtime/train/settings.ts";
import { taskOf } from "../tasks/support.ts";

const folder = mkdtempSync(join(tmpdir(), "lctx-mix-"));
beforeAll(() => {
  const sentence = "All of this is text of its own, number ";
  writeFileSync(
    join(folder, "text.txt"),
    Array.from({ length: 2000 }, (_, n) => `${sentence}${n}.`).join("\n"),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

const length = 96;
const pairs = taskOf(
  "pairs()",
  'task pairs() { let key = number(4) filler "x y z " insert "K {key} " ask "?" answer "{key}" }',
);
const noise = taskOf("noise()", "task noise() { filler markov(words: 50) }");
const mix: readonly MixPart[] = [
  { share: 0.5, kind: "tokens", source: "text" },
  { share: 0.3, kind: "task", task: pairs },
  { share: 0.2, kind: "task", task: noise },
];
const settings = (changes: Partial<DataSettings> = {}): DataSettings => ({
  source: "",
  mix,
  tokenizer: "bytes",
  length,
  packed: false,
  insert: null,
  validate: { kind: "share", value: 0.1 },
  ...changes,
});
const plain: LossSettings = { objective: "next_token", exceptToken: null, exceptPositions: [] };
const open = (data = settings(), loss = plain, seed = 3, vocabulary = 257): Promise<TrainingData> =>
  openData(data, loss, {
    specFolder: folder,
    projectFolder: null,
    cacheFolder: join(folder, "cache"),
    seed,
    vocabulary,
  });

interface Row {
  readonly text: string;
  readonly targets: readonly number[];
  readonly counted: number;
}

function row(data: TrainingData, number: number, validation = false, size = length): Row {
  expect(data.trainLength(number)).toBe(size);
  const host = new HostBatch(1, validation ? data.validationLength(number) : size);
  const counted = validation ? data.fillValidation(number, host, 0) : data.fillTrain(number, host, 0);
  return { text: byteTokenizer.decode([...host.tokens]), targets: [...host.targets], counted };
}

const kindOf = ({ text }: Row): string =>
  /K \d/.test(text) ? "pairs" : /[A-Z]/.test(text) ? "text" : "noise";

describe("a deal", () => {
  it("gives each part its share of every hand, each of its rows once and in order", () => {
    const deal = new Deal([0.5, 0.25, 0.25], 1, "mix");
    const next = [0, 0, 0];
    for (let n = 0; n < 3 * handRows; n++) {
      const { part, number } = deal.of(n);
      expect(number).toBe(next[part]!++);
      if ((n + 1) % handRows === 0) expect(next).toEqual([0.5, 0.25, 0.25].map((share) => share * (n + 1)));
    }
    // Asked in another order it is the same.
    const again = new Deal([0.5, 0.25, 0.25], 1, "mix");
    for (const n of [2500, 3, 1700, 0]) expect(again.of(n)).toEqual(deal.of(n));
    expect(new Deal([0.5, 0.5], 2, "mix").of(0)).toBeDefined();
  });

  it("rounds shares so that they fill a hand", () => {
    expect(quotas([1 / 3, 1 / 3, 1 / 3])).toEqual([334, 333, 333]);
    expect(quotas([0.0015, 0.9985])).toEqual([2, 998]);
  });
});

describe("mixed data", () => {
  it("has rows of each source by its share", async () => {
    const data = await open();
    const kinds = Array.from({ length: handRows }, (_, n) => kindOf(row(data, n)));
    for (const [kind, count] of [
      ["text", 500],
      ["pairs", 300],
      ["noise", 200],
    ] as const)
      expect(kinds.filter((each) => each === kind)).toHaveLength(count);
    data.close();
  });

  it("is a function of seed and number", async () => {
    const [data, same, other] = [await open(), await open(), await open(settings(), plain, 4)];
    const texts = (from: TrainingData, numbers: readonly number[]): readonly string[] =>
      numbers.map((n) => row(from, n).text);
    const numbers = [1500, 2, 0, 1, 999];
    expect(texts(data, numbers)).toEqual(texts(same, [...numbers].reverse()).toReversed());
    expect(texts(other, numbers)).not.toEqual(texts(data, numbers));
    expect(data.facts.key).toBe(other.facts.key);
    const changed = await open(
      settings({
        mix: [
          mix[0]!,
          mix[1]!,
          {
            ...mix[2]!,
            share: 0.2,
            task: taskOf("noise()", "task noise() { filler markov(words: 51) }"),
            kind: "task",
          },
        ],
      }),
    );
    expect(changed.facts.key).not.toBe(data.facts.key);
    for (const each of [data, same, other, changed]) each.close();
  });

  it("has the next token as target, everywhere or in answers only", async () => {
    const [data, answers] = [await open(), await open(settings(), { ...plain, answersOnly: true })];
    for (let n = 0; n < 60; n++) {
      const [whole, part] = [row(data, n), row(answers, n)];
      expect(part.text).toBe(whole.text);
      const bytes = [...Buffer.from(whole.text)];
      const kind = kindOf(whole);
      const last = kind === "text" ? length : length - 1;
      for (let p = 0; p < last; p++) if (p < length - 1) expect(whole.targets[p]).toBe(bytes[p + 1]);
      if (kind !== "text") expect(whole.targets[length - 1]).toBe(-1);
      expect(whole.counted).toBe(last);
      if (kind !== "pairs") expect(part.targets).toEqual(whole.targets);
      else {
        expect(part.targets.map((target, p) => (target < 0 ? -1 : p)).filter((p) => p >= 0)).toEqual(
          [91, 92, 93, 94].map((p) => p),
        );
        expect(byteTokenizer.decode(part.targets.filter((target) => target >= 0))).toBe(
          /K (\d{4}) /.exec(whole.text)![1],
        );
        expect(part.counted).toBe(4);
      }
    }
    data.close();
    answers.close();
  });

  it("puts in the tokens that a layout inserts, and answers stay where they are", async () => {
    const inserted = settings({
      insert: { token: "mark", every: 10 },
      mix: [{ share: 1, kind: "task", task: pairs }],
    });
    for (const size of [94, 95, 96, 97, 98, 99, 100, 110]) {
      const data = await open(
        { ...inserted, length: size },
        { ...plain, exceptToken: "mark", answersOnly: true },
      );
      const host = new HostBatch(1, size);
      expect(data.fillTrain(0, host, 0)).toBe(4);
      for (let p = 0; p < size; p++) expect(host.tokens[p] === 256).toBe(p % 11 === 10);
      const key = /K (\d{4}) /.exec(byteTokenizer.decode([...host.tokens]))![1]!;
      expect(byteTokenizer.decode([...host.targets].filter((target) => target >= 0))).toBe(key);
      data.close();
    }
  });

  it("holds out text, and draws samples of its own for it", async () => {
    const data = await open();
    expect(data.validationRows).toBeGreaterThan(50);
    const held = Array.from({ length: data.validationRows }, (_, n) => row(data, n, true));
    expect(new Set(held.map(kindOf))).toEqual(new Set(["text", "pairs", "noise"]));
    const seen = new Set(Array.from({ length: 2000 }, (_, n) => row(data, n).text));
    expect(held.filter((each) => kindOf(each) !== "pairs" && seen.has(each.text))).toEqual([]);
    // There are 9000 keys and 34 places: two samples may be equal by chance, few are.
    expect(held.filter(({ text }) => seen.has(text)).length).toBeLessThan(held.length / 20);
    expect(() => row(data, data.validationRows, true)).toThrow(RangeError);
    data.close();
    const tasks = await open(settings({ mix: [{ share: 1, kind: "task", task: pairs }] }));
    expect(tasks.validationRows).toBe(1024);
    tasks.close();
  });

  it("refuses tasks that do not fit, and texts that are not there", async () => {
    await expect(open(settings({ length: 8 }))).rejects.toMatchObject({
      code: "task-too-short",
      exitCode: 2,
    });
    await expect(
      open(settings({ mix: [{ share: 1, kind: "tokens", source: "none" }] })),
    ).rejects.toMatchObject({ code: "data-not-found" });
  });

  it("takes another text in place of its one text", () => {
    expect(withText(settings(), "b.txt")!.mix![0]).toEqual({ share: 0.5, kind: "tokens", source: "b.txt" });
    expect(withText(settings({ mix: [{ share: 1, kind: "task", task: pairs }] }), "b.txt")).toBeNull();
    expect(withText(settings({ mix: undefined, source: "a" }), "b.txt")!.source).toBe("b.txt");
  });
});
