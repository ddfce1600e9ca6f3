/** Opens and checks a spec for a verb: prints its mistakes, picks the model. */
import { checkSpec, type Checked } from "../check-spec.ts";
import type { CheckedProject } from "../check/check.ts";
import type { Recipe } from "../check/train.ts";
import { specExitCode, SpecRefused, UsageError } from "./exit-codes.ts";
import { openSpec, type SpecFile } from "./host.ts";
import { printDiagnostics } from "./print-diagnostics.ts";

export interface CheckedSpec {
  readonly file: SpecFile;
  readonly checked: Checked;
  readonly project: CheckedProject;
}

/** Prints errors and warnings. Throws SpecRefused when there are errors. */
export function openChecked(path: string, overrides: readonly string[]): CheckedSpec {
  const file = openSpec(path);
  const checked = checkSpec(file.path, file.text, file.host, overrides);
  const shown = checked.diagnostics.filter(({ severity }) => severity !== "remark");
  printDiagnostics(shown, sourcesOf(checked, overrides), "text");
  if (checked.failed || checked.project === null) throw new SpecRefused(specExitCode(shown));
  return { file, checked, project: checked.project };
}

/** Texts for messages: the library's and the overrides' own included. */
export function sourcesOf(checked: Checked, overrides: readonly string[]): ReadonlyMap<string, string> {
  return new Map([
    ...checked.librarySources,
    ...checked.sources,
    ...overrides.map((text) => [`--set ${text}`, text] as const),
  ]);
}

/** One of several by name; the only one when no name is given. Throws a UsageError otherwise. */
export function pick<T>(all: ReadonlyMap<string, T>, name: string | undefined, what: string): T {
  const names = [...all.keys()];
  if (name !== undefined) {
    const found = all.get(name);
    if (found !== undefined) return found;
    throw new UsageError(
      `this spec has no ${what} called ${JSON.stringify(name)}`,
      names.length > 0 ? `it has: ${names.join(", ")}` : null,
    );
  }
  if (names.length === 1) return all.get(names[0]!)!;
  if (names.length === 0) throw new UsageError(`this spec has no ${what}`, `add one, or name another file`);
  throw new UsageError(`this spec has several: ${names.join(", ")}`, "choose one with --model");
}

/** The recipe of a model. */
export function pickRecipe(project: CheckedProject, name: string | undefined): Recipe {
  const recipes = project.recipes;
  if (recipes.size === 0)
    throw new UsageError("this spec has no `train` item", "add `train Model { data … optimizer … }`");
  return pick(recipes, name, "model with a `train` item");
}
