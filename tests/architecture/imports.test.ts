/** The layout rules hold: who may import whom, no cycles, short files that say what they are, no method names. */
import { readFileSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import {
  importCycles,
  methodNames,
  passesThatImportPasses,
  shapeProblems,
  wrongImports,
  type Sources,
} from "./rules.ts";

const root = resolve(import.meta.dirname, "../..");

function read(folder: string): [string, string][] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mts|mjs)$/.test(entry.name))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(root, path), readFileSync(path, "utf8")];
    });
}

const files: Sources = new Map(["grammar", "compiler", "runtime"].flatMap(read));
const translations = new Set(["compiler/diagnostics/suggest.ts"]);

/** Files that the pipeline takes its passes from. */
const passes: ReadonlySet<string> = new Set(
  [...files.get("compiler/passes/pipeline.ts")!.matchAll(/from "\.\/(.+?)"/g)]
    .map((match) => `compiler/passes/${match[1]!}`)
    .filter((path) => !path.endsWith("/pass.ts")),
);

describe("the repository", () => {
  it("imports only what the table allows", () => {
    expect(wrongImports(files)).toEqual([]);
  });
  it("has passes that know nothing of one another", () => {
    expect(passes.size).toBeGreaterThan(3);
    expect(passesThatImportPasses(files, passes)).toEqual([]);
  });
  it("has no import cycles", () => {
    expect(importCycles(files)).toEqual([]);
  });
  it("keeps files short and makes each say what it is", () => {
    expect(shapeProblems(files)).toEqual([]);
  });
  it("names no method in grammar, compiler or runtime", () => {
    expect(methodNames(files, translations)).toEqual([]);
  });
});

/** Each rule must see a mistake that is planted among the real files. */
describe("a planted mistake is seen:", () => {
  const plant = (path: string, text: string): Sources => new Map([...files, [path, text]]);
  const opening = "/** What a planted file is for: to be seen. */\n";

  it.each([
    ["compiler/ir/planted.ts", 'import { parseFile } from "../../grammar/parse.ts";'],
    ["compiler/ir/planted.ts", 'import "../check/check.ts";'],
    ["grammar/planted.ts", 'export { checkProject } from "../compiler/check/check.ts";'],
    ["runtime/planted.ts", 'const all = await import("../compiler/compile.ts");'],
    ["compiler/emit/planted.ts", 'import { train } from "../../runtime/train/trainer.ts";'],
    ["runtime/train/planted.ts", 'import {\n  int,\n  real,\n} from "../../compiler/ir/expr.ts";'],
    ["compiler/backends/planted.ts", 'import type { Checked } from "../compile.ts";'],
    ["compiler/elsewhere/planted.ts", "export const one = 1;"],
  ])("%s: %s", (path, line) => {
    expect(wrongImports(plant(path, opening + line))).toHaveLength(1);
  });

  it("a pass that imports a pass", () => {
    const [one, other] = [...passes] as [string, string];
    const text = `${files.get(one)!}\nimport "./${other.slice("compiler/passes/".length)}";\n`;
    expect(passesThatImportPasses(plant(one, text), passes)).toEqual([`${one} imports ${other}`]);
  });

  it("a ring of two files, not one of types alone", () => {
    const ring = (word: string): Sources =>
      new Map([
        ["runtime/a.ts", `import ${word}{ b } from "./b.ts";`],
        ["runtime/b.ts", `import ${word}{ a } from "./a.ts";`],
      ]);
    expect(importCycles(ring(""))).toEqual(["runtime/a.ts → runtime/b.ts → runtime/a.ts"]);
    expect(importCycles(ring("type "))).toEqual([]);
  });

  it.each([
    ["no comment", "export const one = 1;\n"],
    ["no sentence", "/** one */\nexport const one = 1;\n"],
    ["too long", opening + "export {};\n".repeat(400)],
  ])("a file with %s", (_, text) => {
    expect(shapeProblems(plant("runtime/planted.ts", text))).toHaveLength(1);
  });

  it.each([
    "LongHeads",
    "long lora",
    "LoRA",
    "alibi",
    "YaRN",
    "softcap",
    "AdamW",
    "llama3",
    "GPT-2",
    "prefix tuning",
    "BigBird",
    "Xiao et al., 2023",
  ])("the name %s", (name) => {
    expect(
      methodNames(plant("compiler/planted.ts", `${opening}// as ${name} does`), translations),
    ).toHaveLength(1);
  });

  it("a name of a file", () => {
    expect(methodNames(plant("compiler/ir/alibi.ts", opening), translations)).toHaveLength(1);
  });
});
