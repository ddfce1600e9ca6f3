/** Text in its file formats: found, read, tokenized once, and refused with a way out when something is wrong. */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { openDataset, openEvaluationText } from "../../runtime/data/dataset.ts";
import type { Dataset } from "../../runtime/data/dataset.ts";
import { readDocuments } from "../../runtime/data/documents.ts";
import { patternToExpression } from "../../runtime/data/glob.ts";
import { resolveSource } from "../../runtime/data/resolve-source.ts";
import type { DataSettings } from "../../runtime/train/settings.ts";

const root = mkdtempSync(join(tmpdir(), "lctx-data-"));
afterAll(() => rmSync(root, { recursive: true }));
let folder = "";
let count = 0;
beforeEach(() => {
  folder = join(root, `case-${count++}`);
  mkdirSync(join(folder, "data"), { recursive: true });
});

const write = (name: string, content: string | Uint8Array): void =>
  writeFileSync(join(folder, name), content);

const settings = (source: string, changes: Partial<DataSettings> = {}): DataSettings => ({
  source,
  tokenizer: "bytes",
  length: 8,
  packed: false,
  insert: null,
  validate: { kind: "share", value: 0.1 },
  ...changes,
});

const open = (data: DataSettings, exceptToken: string | null = null, vocabulary = 256): Promise<Dataset> =>
  openDataset(
    data,
    { exceptToken, exceptPositions: [] },
    { specFolder: folder, projectFolder: folder, cacheFolder: join(folder, "cache"), seed: 1, vocabulary },
  );

async function documents(...names: string[]): Promise<string[]> {
  const out: string[] = [];
  for await (const part of readDocuments(names.map((name) => join(folder, name)))) {
    if (part.startsDocument) out.push(part.text);
    else out[out.length - 1] += part.text;
  }
  return out;
}

describe("documents", () => {
  it("are whole text files, with characters kept across parts", async () => {
    const line = "ä€😀 ".repeat(1000);
    const text = Array.from({ length: 900 }, (_, i) => (i % 100 < 60 ? line : `${i}\n`)).join("");
    write("long.txt", text);
    write("bom.txt", "\ufeffhello \ufeff");
    expect(statSync(join(folder, "long.txt")).size).toBeGreaterThan(4 * 2 ** 20);
    expect(await documents("long.txt", "bom.txt")).toEqual([text, "hello \ufeff"]);
  });

  it("are lines of JSON files", async () => {
    write("a.jsonl", '{"text":"one\\ntwo"}\n\n{"content":"three"}\r\n"four"');
    expect(await documents("a.jsonl")).toEqual(["one\ntwo", "three", "four"]);
  });

  it("are rows of parquet files", async () => {
    write("a.parquet", Buffer.from(smallParquet, "base64"));
    expect(await documents("a.parquet")).toEqual(["Call me Ishmael.", "Some years ago", "é€😀"]);
  });

  it.each([
    ["bad.txt", Uint8Array.of(0x61, 0xc3, 0xa9, 0xff, 0x62), "data-not-utf8", /byte 3 /],
    ["cut.txt", Uint8Array.of(0x61, 0x62, 0xe2, 0x82), "data-not-utf8", /byte 2 /],
    ["bad.jsonl", '{"text":"a"}\n{"text":', "data-format", /line 2 /],
    ["other.jsonl", '{"body":"a"}', "data-format", /it has body/],
    ["number.jsonl", "7", "data-format", /holds no text/],
    ["bad.parquet", "PAR1 nothing PAR1", "data-format", /parquet/],
  ] as const)("%s is refused", async (name, content, code, message) => {
    write(name, content);
    await expect(documents(name)).rejects.toMatchObject({
      code,
      exitCode: 3,
      message: expect.stringMatching(message),
    });
  });
});

describe("a source", () => {
  const places = (): { specFolder: string; projectFolder: string } => ({
    specFolder: folder,
    projectFolder: folder,
  });
  const names = (source: string): string[] =>
    resolveSource(source, places()).map((file) => file.slice(folder.length + 1));

  it("is a file, a name, a folder or a pattern", () => {
    write("data/b.txt", "b");
    write("data/a.jsonl", "");
    write("data/picture.png", "");
    write("data/.hidden.txt", "");
    mkdirSync(join(folder, "data/deep"));
    write("data/deep/c.md", "c");
    expect(names("data/b.txt")).toEqual(["data/b.txt"]);
    expect(names("b")).toEqual(["data/b.txt"]);
    expect(names("data")).toEqual(["data/a.jsonl", "data/b.txt", "data/deep/c.md"]);
    expect(names("data/*.{txt,jsonl}")).toEqual(["data/a.jsonl", "data/b.txt"]);
    expect(names("data/**/*.md")).toEqual(["data/deep/c.md"]);
  });

  it("that is not there says where it was looked for and what to do", async () => {
    await expect(open(settings("fineweb-edu"))).rejects.toMatchObject({
      code: "data-not-found",
      exitCode: 3,
      message: expect.stringContaining(join(folder, "data", "fineweb-edu")),
      help: expect.stringMatching(/downloads nothing.*--data/s),
    });
  });

  it("matches patterns as shells do", () => {
    const matches = (pattern: string, path: string): boolean => patternToExpression(pattern).test(path);
    expect(matches("*.txt", "a.txt")).toBe(true);
    expect(matches("*.txt", "a/b.txt")).toBe(false);
    expect(matches("**/*.txt", "b.txt")).toBe(true);
    expect(matches("**/*.txt", "a/b/c.txt")).toBe(true);
    expect(matches("a?(1)+.txt", "ab(1)+.txt")).toBe(true);
    expect(matches("a.txt", "abtxt")).toBe(false);
  });
});

describe("a dataset", () => {
  it("is tokenized once, again when the text changes, and again when the cache is damaged", async () => {
    write("data/t.txt", "The quick brown fox jumps over the lazy dog. ".repeat(20));
    const cached = (): string =>
      join(
        folder,
        "cache",
        readdirSync(join(folder, "cache")).find((f) => f.endsWith(".tokens"))!,
      );
    const first = await open(settings("t"));
    const past = new Date(1e12);
    utimesSync(cached(), past, past);
    await open(settings("t"));
    expect(statSync(cached()).mtimeMs).toBe(1e12);

    writeFileSync(cached(), Buffer.alloc(statSync(cached()).size, 1));
    const repaired = await open(settings("t"));
    expect(repaired.facts).toEqual(first.facts);
    const ids = new Int32Array(3);
    repaired.train.read(0, ids, new Int32Array(3));
    expect([...ids]).toEqual([84, 104, 101]);

    appendFileSync(join(folder, "data/t.txt"), "More.");
    expect((await open(settings("t"))).facts.key).not.toBe(first.facts.key);
    expect(readdirSync(join(folder, "cache")).filter((file) => file.endsWith(".tmp"))).toEqual([]);
  });

  it("reads the same rows whatever was read before", async () => {
    write("data/t.txt", Array.from({ length: 900 }, (_, i) => `${i} `).join(""));
    const buffers = () => ({
      tokens: new Int32Array(8),
      targets: new Int32Array(8),
      documents: null,
      starts: null,
    });
    const one = await open(settings("t"));
    const other = await open(settings("t"));
    for (let row = 0; row < 500; row++) one.fillTrain(row, buffers(), 0);
    const [a, b] = [buffers(), buffers()];
    one.fillTrain(500, a, 0);
    other.fillTrain(500, b, 0);
    expect(a).toEqual(b);
    expect(one.facts.bytesExact).toBe(true);
    one.close();
    other.close();
  });

  it("covers all held-out text exactly once", async () => {
    write("data/t.txt", "abcdefghij".repeat(37));
    const data = await open(settings("t"));
    let counted = 0;
    const buffers = { tokens: new Int32Array(8), targets: new Int32Array(8), documents: null, starts: null };
    for (let row = 0; row < data.validationRows; row++) counted += data.fillValidation(row, buffers, 0);
    expect(counted).toBe(data.validation.tokens - 1);
    expect(data.validationLength(data.validationRows - 1)).toBe(((data.validation.tokens - 2) % 8) + 1);
    expect(() => data.fillValidation(data.validationRows, buffers, 0)).toThrow(RangeError);
  });

  it("cut by document has each document in rows of its own length", async () => {
    const texts = Array.from({ length: 300 }, (_, n) =>
      "abcdefghijklmnopqrstuvwxyz".slice(0, 1 + ((n * 5) % 21)),
    );
    write("data/t.jsonl", texts.map((text) => JSON.stringify({ text })).join("\n"));
    const data = await open(settings("t", { cut: true }));
    const rowOf = (n: number, held: boolean): { text: string; targets: string } => {
      const length = held ? data.validationLength(n) : data.trainLength(n);
      const [tokens, targets] = [new Int32Array(length), new Int32Array(length)];
      const buffers = { tokens, targets, documents: null, starts: null };
      expect(held ? data.fillValidation(n, buffers, 0) : data.fillTrain(n, buffers, 0)).toBe(length);
      return { text: String.fromCharCode(...tokens), targets: String.fromCharCode(...targets) };
    };
    // What rows of a document must be: at most 8 tokens, each with the next one as its target.
    const pieces = (text: string): string[] =>
      Array.from({ length: Math.ceil((text.length - 1) / 8) }, (_, n) => text.slice(8 * n, 8 * n + 9));
    const expected = texts.flatMap(pieces).sort();
    expect([...data.lengths.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const trained = expected.length - data.validationRows;
    expect(data.validationRows).toBeGreaterThan(10);
    const epoch = (from: number): string[] =>
      Array.from({ length: trained }, (_, n) => rowOf(from + n, false)).map(({ text, targets }) => {
        expect(targets.slice(0, -1)).toBe(text.slice(1));
        return text + targets.at(-1);
      });
    const held = Array.from({ length: data.validationRows }, (_, n) => rowOf(n, true));
    const first = epoch(0);
    expect([...first, ...held.map(({ text, targets }) => text + targets.at(-1))].sort()).toEqual(expected);
    const second = epoch(trained);
    expect(second).not.toEqual(first);
    expect(second.sort()).toEqual(first.sort());
    const shares = [...data.lengths].map(([length, share]) => [length, Math.round(share * trained)]);
    for (const [length, count] of shares)
      expect(first.filter((row) => row.length === length! + 1).length).toBe(count);
    data.close();

    write("data/few.jsonl", JSON.stringify({ text: "a" }));
    await expect(open(settings("few", { cut: true }))).rejects.toMatchObject({ code: "data-too-short" });
  });

  it("to evaluate on is all held out, and may be short", async () => {
    write("data/t.txt", "abcd");
    const places = { specFolder: folder, projectFolder: folder, cacheFolder: join(folder, "cache") };
    const loss = { exceptToken: null, exceptPositions: [] };
    const text = await openEvaluationText(settings("t"), loss, { ...places, vocabulary: 256 });
    const buffers = { tokens: new Int32Array(3), targets: new Int32Array(3), documents: null, starts: null };
    expect([text.train.tokens, text.validationRows, text.validationLength(0)]).toEqual([0, 1, 3]);
    expect(text.fillValidation(0, buffers, 0)).toBe(3);
    expect([...buffers.targets]).toEqual([98, 99, 100]);
    expect(() => text.fillTrain(0, buffers, 0)).toThrow(RangeError);
    text.close();
    write("data/one.txt", "a");
    await expect(
      openEvaluationText(settings("one"), loss, { ...places, vocabulary: 256 }),
    ).rejects.toMatchObject({
      code: "data-too-short",
    });
  });

  it("leaves nothing of stopped processes in the cache, and touches nothing else", async () => {
    write("data/t.txt", "a".repeat(100));
    mkdirSync(join(folder, "cache"));
    for (const name of ["x.tokens.999999999.tmp", "x.tokens.1.tmp", "mine.tmp"]) write(`cache/${name}`, "");
    await open(settings("t"));
    const left = readdirSync(join(folder, "cache")).filter((name) => name.endsWith(".tmp"));
    expect(left.sort()).toEqual(["mine.tmp", "x.tokens.1.tmp"]);
  });

  it("is refused when it does not fit the model or the loss", async () => {
    write("data/t.txt", "a".repeat(200));
    const insert = { token: "marker", every: 3 };
    await expect(open(settings("t", { length: 500 }))).rejects.toMatchObject({ code: "data-too-short" });
    await expect(open(settings("t", { insert }))).rejects.toMatchObject({
      code: "token-outside-vocabulary",
      help: "give the model vocab 257",
    });
    await expect(open(settings("t"), "marker")).rejects.toMatchObject({ code: "token-unknown" });
    const fits = await open(settings("t", { insert }), "marker", 257);
    expect(fits.layout).toMatchObject({ insert: { id: 256, every: 3 }, exceptToken: 256 });
    write("data/empty.txt", "");
    await expect(open(settings("empty"))).rejects.toMatchObject({ code: "data-empty" });
  });
});

/** Three rows in a column `text`, plain encoding, no compression; written by hyparquet-writer 0.17. */
const smallParquet =
  "UEFSMRUGFRwVIFwVBhUAFQYVABUEFQAAAAMHDCwBAAAAAgAAAAMAAAAVBhVqFW5cFQYVABUGFQAVBBUAAAADBzPIEAAAAENhbGwgbWUgSXNobWFlbC4OAAAAU29tZSB5ZWFycyBhZ28JAAAAw6nigqzwn5iAFQQZPEgEcm9vdBUEABUCJQIYAmlkABUMJQIYBHRleHQlAAAWBhkcGSwmCBwVAhkVABkYAmlkFQIWBhZGFkomCDw2ACgEAwAAABgEAQAAAAAZHBUGFQAVAgAAACZSHBUMGRUAGRgEdGV4dBUCFgYWlAEWmAEmUjw2ACgJw6nigqzwn5iAGBBDYWxsIG1lIElzaG1hZWwuABkcFQYVABUCAAAAFtoBFgY24gEAKAloeXBhcnF1ZXQZLBwAABwAAAC/AAAAUEFSMQ==";
