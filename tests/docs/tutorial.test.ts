/** Every spec in the documentation compiles, or fails with exactly the message that its block names. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { builtInNames } from "../../compiler/check/attention/builtin-names.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { refuseAttentions } from "../../compiler/refuse-attentions.ts";
import { checkText, diskHost } from "../support/check-text.ts";

const root = resolve(import.meta.dirname, "../..");

interface Block {
  readonly name: string;
  readonly text: string;
  /** Code that the block must give; null when it must be clean. */
  readonly error: string | null;
}

function blocksOf(path: string): Block[] {
  const text = readFileSync(path, "utf8");
  const found: Block[] = [];
  for (const match of text.matchAll(/^```lctx(?: error=([a-z-]+))?\n([\s\S]*?)^```$/gm)) {
    const line = text.slice(0, match.index).split("\n").length;
    found.push({ name: `${relative(root, path)}:${line}`, text: match[2]!, error: match[1] ?? null });
  }
  return found;
}

const pages = [
  join(root, "README.md"),
  join(root, "docs/reference/language.md"),
  ...["docs/tutorial", "docs"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(root, folder, name)),
  ),
];

const blocks = pages.flatMap(blocksOf);

describe("documentation", () => {
  it("has specs", () => {
    expect(blocks.length).toBeGreaterThan(20);
  });

  it.each(blocks)("$name", ({ text, error }) => {
    const errors = checkText(text, join(root, "docs/page.lctx")).filter(
      (diagnostic) => diagnostic.severity === "error",
    );
    if (error === null) expect(errors.map((each) => `${each.code}: ${each.title}`)).toEqual([]);
    else expect(new Set(errors.map((each) => each.code))).toEqual(new Set([error]));
  });

  // An attention that stands alone is put into a small model: what a page shows can be run.
  const alone = blocks.filter(
    ({ text, error }) => error === null && /^attention /m.test(text) && !/^(model|adapt) /m.test(text),
  );
  it.each(alone)("$name can be run", ({ text }) => {
    for (const [, name] of text.matchAll(/^attention (\w+)/gm)) {
      const model = `model Page = decoder { vocab 16  layers 1  heads 4  width 32  length 64  attention ${name}() }`;
      const { project, diagnostics } = checkSpec(
        join(root, "docs/page.lctx"),
        `${text}\n${model}\n`,
        diskHost,
      );
      expect(diagnostics.filter(({ severity }) => severity === "error").map(({ title }) => title)).toEqual(
        [],
      );
      const reporter = new Reporter();
      refuseAttentions(project!.models.get("Page")!, ["training", "evaluation", "decoding"], reporter);
      expect(reporter.diagnostics.map(({ title }) => title)).toEqual([]);
    }
  });

  it("the language's page has every function, reducer and clause", () => {
    const page = readFileSync(join(root, "docs/reference/language.md"), "utf8");
    const reducers = "sum mean max min softmax normalize dot attend stack split merge".split(" ");
    const grammar = readFileSync(join(root, "grammar/grammar.ebnf"), "utf8");
    const clauses = [...grammar.matchAll(/^(?:[a-z-]+-(?:clause|item))\n((?: {4}.*\n)+)/gm)].flatMap(
      ([, body]) => [...body!.matchAll(/"([a-z]+)"/g)].map(([, word]) => word!),
    );
    expect(clauses.length).toBeGreaterThan(50);
    const words = new Set(page.match(/[A-Za-z_]+/g));
    expect(
      [...new Set([...builtInNames, ...reducers, ...clauses])].filter((name) => !words.has(name)),
    ).toEqual([]);
  });
});
