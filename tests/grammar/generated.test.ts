/** Generated files are as fresh as what they are generated from, and every word of the language is in them. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import * as catalogue from "../../compiler/diagnostics/generate-catalogue.ts";
import { printEbnf, printTextMate } from "../../grammar/generate-grammar.ts";
import { parseFile } from "../../grammar/parse.ts";
import { keywords } from "../../grammar/tokens.ts";
import { printMethods } from "../../scripts/methods-page.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const folder = "compiler/diagnostics/messages";
const entries = catalogue.mergeCatalogues(
  new Map(
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md") && name !== "README.md")
      .map((name) => [name.slice(0, -3), read(`${folder}/${name}`)]),
  ),
);

describe("generated files", () => {
  const advice = "run npm run generate";
  it("are fresh", () => {
    expect(read("grammar/grammar.ebnf") === printEbnf(), advice).toBe(true);
    expect(read("grammar/lctx.tmLanguage.json") === printTextMate(), advice).toBe(true);
    expect(
      read("compiler/diagnostics/messages.gen.ts") === catalogue.printConstructors(entries),
      advice,
    ).toBe(true);
    expect(read("compiler/diagnostics/catalogue.gen.ts") === catalogue.printCatalogue(entries), advice).toBe(
      true,
    );
    expect(read("docs/reference/messages.md") === catalogue.printReference(entries), advice).toBe(true);
    expect(read("docs/methods.md") === printMethods(root), advice).toBe(true);
  });

  it("define every rule that the grammar names", () => {
    const ebnf = read("grammar/grammar.ebnf").replaceAll(/\(\*.*?\*\)|"[^"]*"|\?[\s\S]*? \? ;/g, "");
    const defined = new Set([...ebnf.matchAll(/^([a-z-]+)$/gm)].map((match) => match[1]!));
    const used = [...ebnf.matchAll(/[a-z][a-z-]+/g)].map((match) => match[0]);
    expect([...new Set(used.filter((name) => !defined.has(name)))]).toEqual([]);
  });

  it("hold every keyword", () => {
    const ebnf = read("grammar/grammar.ebnf");
    for (const word of Object.keys(keywords)) expect(ebnf).toContain(`"${word}"`);
  });

  it("highlight with patterns that compile", () => {
    const { patterns } = JSON.parse(read("grammar/lctx.tmLanguage.json")) as {
      patterns: { match: string }[];
    };
    for (const { match } of patterns) expect(() => new RegExp(match)).not.toThrow();
  });
});

describe("syntax messages", () => {
  const told = (text: string): string[] =>
    parseFile("a.lctx", text).diagnostics.map(
      (d) => `${d.code} ${text.slice(d.primary.span.start, d.primary.span.end)}`,
    );

  it("point at the place that is wrong, not where reading stopped", () => {
    expect(told("mask a = q >= k and\nmask b = q >= k")).toEqual(["expression-missing mask"]);
    expect(told("mask a = q >= k && k < 3\nmask b = = 2")).toEqual([
      "foreign-symbol &&",
      "expression-missing =",
    ]);
    expect(told("let f = lambda x: x")).toEqual(["foreign-word lambda"]);
    expect(told("attention A() { mask f(q }")).toEqual(["not-closed }"]);
    expect(told("mask a = q ** 2")).toEqual(["foreign-symbol **"]);
  });

  it("tell several mistakes of one file", () => {
    const text =
      "mask a = q >=\n\nattention B() {\n  msak q >= k\n  blocks c = 4\n  mask q >= k\n}\n\nmodel C = decoder { vocab = 2 }\n";
    expect(told(text).length).toBeGreaterThanOrEqual(3);
  });

  const shown = entries.filter((entry) => entry.area === "syntax" && entry.wrong !== null);
  it.each(shown)("$code", ({ code, wrong, right }) => {
    expect([...new Set(parseFile("wrong.lctx", wrong!).diagnostics.map((d) => d.code))]).toEqual([code]);
    expect(parseFile("right.lctx", right!).diagnostics).toEqual([]);
  });
});
