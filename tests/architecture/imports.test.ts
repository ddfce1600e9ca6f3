/** The layout rules: who may import whom, no cycles, short files that say what they are, no method names. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const files = ["grammar", "compiler", "runtime"].flatMap(sources);

/** Relative imports of a file, as paths from the root, with whether only types are taken. */
function importsOf(file: string): { to: string; typeOnly: boolean }[] {
  const text = readFileSync(join(root, file), "utf8");
  const found: { to: string; typeOnly: boolean }[] = [];
  for (const match of text.matchAll(
    /^(?:import|export)\s+(type\s)?[^;"']*?from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/gm,
  )) {
    const target = match[2] ?? match[3]!;
    found.push({
      to: relative(root, resolve(root, dirname(file), target)),
      typeOnly: match[1] !== undefined,
    });
  }
  return found;
}

/** Areas by longest path prefix, with the areas each may import. Types of the Program are shared by all. */
const areas: Record<string, readonly string[]> = {
  "compiler/source": [],
  "compiler/diagnostics": ["compiler/source"],
  grammar: ["compiler/source", "compiler/diagnostics"],
  "compiler/ir": ["compiler/source"],
  "compiler/check": ["grammar", "compiler/source", "compiler/diagnostics", "compiler/ir"],
  "compiler/lower": ["grammar", "compiler/source", "compiler/diagnostics", "compiler/ir", "compiler/check"],
  "compiler/passes": ["compiler/source", "compiler/ir"],
  "compiler/backends": ["compiler/source", "compiler/ir"],
  "compiler/emit": ["compiler/source", "compiler/ir"],
  "compiler/cli": ["*"],
  compiler: ["*"],
  runtime: [],
};

function areaOf(file: string): string {
  const names = Object.keys(areas).filter((name) => file.startsWith(`${name}/`));
  return names.sort((a, b) => b.length - a.length)[0]!;
}

/** Types that cross the border between compiler and runtime on purpose: the Program format and trainer settings. */
const sharedTypes = new Set([
  "runtime/program.ts",
  "runtime/device/device.ts",
  "runtime/device/cuda/launch.ts",
  "runtime/train/settings.ts",
]);

describe("layout", () => {
  it("imports only what the table allows", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const area = areaOf(file);
      const allowed = areas[area]!;
      if (allowed.includes("*")) continue;
      for (const { to, typeOnly } of importsOf(file)) {
        const target = areaOf(to);
        if (target === area || allowed.includes(target)) continue;
        if (sharedTypes.has(to) && (typeOnly || to === "runtime/program.ts") && area !== "grammar") continue;
        wrong.push(`${file} imports ${to}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("has no import cycles", () => {
    const edges = new Map(
      files.map((file) => [
        file,
        importsOf(file)
          .filter((i) => !i.typeOnly)
          .map((i) => i.to),
      ]),
    );
    const state = new Map<string, "open" | "done">();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
        return;
      }
      state.set(file, "open");
      for (const to of edges.get(file) ?? []) visit(to, [...path, file]);
      state.set(file, "done");
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it("keeps files short and makes each say what it is", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const text = readFileSync(join(root, file), "utf8");
      if (file.endsWith(".gen.ts")) continue;
      if (!/^(#!.*\n)?(\/\*\*|\/\/)/.test(text)) wrong.push(`${file}: no opening comment`);
      const lines = text.split("\n").length;
      if (lines > 400 && !tables.has(file)) wrong.push(`${file}: ${lines} lines`);
    }
    expect(wrong).toEqual([]);
  });
});

/** Files that are one long table or one long declaration, where splitting would hide the whole. */
const tables = new Set(["grammar/ast.ts"]);

describe("methods", () => {
  /** Names of published methods, adapters and models: these live in stdlib and examples only. */
  const methods =
    /long ?heads|long ?lora|\blora\b|landmark|alibi|seer|minference|streaming ?llm|lm-?infinite|infinite ?attention|soft ?cap|sink ?window|\bia3\b|yarn|\bntk\b|llama|gpt-?2|mistral|qwen|gemma|self-?extend|prefix.?tuning|vertical ?slash|big ?bird|longformer|\badamw?\b|\blion\b|swiglu|kerple|sandwich|\bt5\b/i;
  /** Words of other tools that error messages translate, and the catalogue's own sample specs. */
  const translations = new Set(["compiler/diagnostics/suggest.ts"]);

  it("are not named in grammar, compiler or runtime", () => {
    const named: string[] = [];
    for (const file of files) {
      if (translations.has(file) || file.endsWith(".gen.ts")) continue;
      readFileSync(join(root, file), "utf8")
        .split("\n")
        .forEach((line, n) => {
          const match = methods.exec(line);
          if (match) named.push(`${file}:${n + 1}: ${match[0]}`);
        });
    }
    expect(named).toEqual([]);
  });
});
