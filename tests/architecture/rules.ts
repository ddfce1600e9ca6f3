/** The layout rules as functions of a set of files, so that tests can try them on files with planted mistakes. */
import { dirname, join, normalize } from "node:path";

/** Text of each file, by path from the root. */
export type Sources = ReadonlyMap<string, string>;

export interface Import {
  readonly to: string;
  readonly typeOnly: boolean;
}

/** Relative imports of a file, as paths from the root, with whether only types are taken. */
export function importsOf(file: string, text: string): Import[] {
  const pattern =
    /^\s*(?:import|export)\s+(type\s)?(?:[^;"']*?from\s+)?["'](\.[^"']+)["']|\bimport\(\s*["'](\.[^"']+)["']/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    to: normalize(join(dirname(file), match[2] ?? match[3]!)),
    typeOnly: match[1] !== undefined,
  }));
}

/** Areas by longest path prefix, with the areas each may import. Types of the Program are shared by all. */
const areas: Record<string, readonly string[]> = {
  "compiler/source": [],
  "compiler/diagnostics": ["compiler/source"],
  grammar: ["compiler/source", "compiler/diagnostics"],
  "compiler/ir": ["compiler/source"],
  "compiler/check": ["grammar", "compiler/source", "compiler/diagnostics", "compiler/ir"],
  "compiler/lower": ["grammar", "compiler/source", "compiler/diagnostics", "compiler/ir", "compiler/check"],
  "compiler/passes": ["compiler/source", "compiler/ir", "compiler/passes/analyses"],
  "compiler/passes/analyses": ["compiler/source", "compiler/ir"],
  "compiler/backends": ["compiler/source", "compiler/ir", "compiler/passes/analyses"],
  "compiler/emit": ["compiler/source", "compiler/ir"],
  "compiler/cli": ["*"],
  compiler: ["*"],
  runtime: [],
};

/** The area of a file; a folder that the table does not have belongs to none. */
function areaOf(file: string): string {
  const names = Object.keys(areas).filter((name) => file.startsWith(`${name}/`));
  const area = names.toSorted((a, b) => b.length - a.length)[0] ?? "";
  // A folder below `compiler` that nobody put into the table must not pass as one that may import everything.
  return area === "compiler" && file.split("/").length > 2 ? "" : area;
}

/** Types that cross the border between compiler and runtime on purpose: the Program format and trainer settings. */
const sharedTypes = new Set([
  "runtime/program.ts",
  "runtime/device/device.ts",
  "runtime/device/cuda/launch.ts",
  "runtime/train/settings.ts",
  "runtime/tasks/task.ts",
]);

/** Imports that the table of areas does not allow, and files of no area. */
export function wrongImports(files: Sources): string[] {
  const wrong: string[] = [];
  for (const [file, text] of files) {
    const area = areaOf(file);
    const allowed = areas[area];
    if (allowed === undefined) wrong.push(`${file} lies in no area of the table`);
    if (allowed === undefined || allowed.includes("*")) continue;
    for (const { to, typeOnly } of importsOf(file, text)) {
      const target = areaOf(to);
      if (target === area || allowed.includes(target)) continue;
      if (sharedTypes.has(to) && (typeOnly || to === "runtime/program.ts") && area !== "grammar") continue;
      wrong.push(`${file} imports ${to}`);
    }
  }
  return wrong;
}

/** Imports among passes: a pass may use analyses and what all passes are made with, never another pass. */
export function passesThatImportPasses(files: Sources, passes: ReadonlySet<string>): string[] {
  return [...files].flatMap(([file, text]) =>
    passes.has(file)
      ? importsOf(file, text)
          .filter(({ to }) => passes.has(to))
          .map(({ to }) => `${file} imports ${to}`)
      : [],
  );
}

/** Rings of imports that are more than types. */
export function importCycles(files: Sources): string[] {
  const state = new Map<string, "open" | "done">();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      return;
    }
    state.set(file, "open");
    for (const { to, typeOnly } of importsOf(file, files.get(file) ?? ""))
      if (!typeOnly) visit(to, [...path, file]);
    state.set(file, "done");
  };
  for (const file of files.keys()) visit(file, []);
  return cycles;
}

/** Files that are one long table or one long declaration, where splitting would hide the whole. */
const tables = new Set(["grammar/ast.ts"]);
const mostLines = 400;

/** Files too long, and files that do not begin with a sentence saying what they are. */
export function shapeProblems(files: Sources): string[] {
  const wrong: string[] = [];
  for (const [file, text] of files) {
    if (file.endsWith(".gen.ts")) continue;
    const opening = /^(?:#!.*\n)?(?:\/\*\*([\s\S]*?)\*\/|((?:\/\/.*\n)+))/.exec(text);
    const words = (opening?.[1] ?? opening?.[2] ?? "").replaceAll(/\s*\n?\s*(?:\*|\/\/)\s/g, " ").trim();
    if (opening === null) wrong.push(`${file}: no opening comment`);
    else if (words.split(/\s+/).length < 4 || !/[.;:](\s|$)/.test(words))
      wrong.push(`${file}: opens with no sentence: ${words}`);
    const lines = text.split("\n").length;
    if (lines > mostLines && !tables.has(file)) wrong.push(`${file}: ${lines} lines`);
  }
  return wrong;
}

/** Names of published methods, adapters, optimizers and models: these live in stdlib and examples only. */
const methods = new RegExp(
  [
    // Attention and positions.
    "long ?heads|long ?lora|landmark ?attention|alibi|seer|minference|streaming ?llm|lm-?infinite|infini-?attention",
    "infinite ?attention|soft ?cap|sink ?window|yarn|\\bntk\\b|self-?extend|vertical ?slash|big ?bird|longformer",
    "kerple|sandwich|\\bfire\\b|xpos|\\bnope\\b|performer|reformer|linformer|nystr.m|retnet|mamba|hyena|routing ?transformer",
    "sparse ?transformer|\\bnatten\\b|\\bnsa\\b|\\bmoba\\b|\\bquest\\b|\\bh2o\\b|snap ?kv|dual ?chunk|\\bmla\\b|flash ?attention",
    "shifted ?sparse|prefix.?lm\\b|log.?length|swiglu|\\bgeglu\\b|\\bclex\\b|long ?rope|\\bpose\\b|pi ?interpolation",
    // Adapters.
    "\\bq?lora\\b|\\bdora\\b|\\bia3\\b|prefix.?tuning|prompt.?tuning|p-tuning|\\bbitfit\\b|houlsby|vera\\b|adalora",
    // Optimizers and models.
    "\\badamw?\\b|\\blion\\b|adafactor|\\bsgd\\b|\\bmuon\\b|llama|gpt-?2|mistral|qwen|gemma|\\bt5\\b|\\bbert\\b|\\bphi-?[1-4]\\b|pythia|falcon",
    // Papers.
    "et al\\.|arxiv",
  ].join("|"),
  "i",
);

/** Names with their places, except in `translations`: words of other tools that error messages translate. */
export function methodNames(files: Sources, translations: ReadonlySet<string>): string[] {
  const named: string[] = [];
  for (const [file, text] of files) {
    if (translations.has(file) || file.endsWith(".gen.ts")) continue;
    if (methods.test(file)) named.push(`${file}: the file's name`);
    text.split("\n").forEach((line, n) => {
      const match = methods.exec(line);
      if (match) named.push(`${file}:${n + 1}: ${match[0]}`);
    });
  }
  return named;
}
