/** Checks specs given as text or files with the real checker; imports are read from the disk and from stdlib/. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import type { SourceHost } from "../../compiler/check/environment.ts";
import { checkSpec, type Checked } from "../../compiler/compile.ts";
import type { Diagnostic } from "../../compiler/diagnostics/diagnostic.ts";

export const root = resolve(import.meta.dirname, "../..");

/** Beside the bundle of a bench, or in the checkout. */
const library = [join(import.meta.dirname, "stdlib"), join(root, "stdlib")].find(existsSync) ?? "";

const readIfThere = (path: string): string | null => (existsSync(path) ? readFileSync(path, "utf8") : null);

export const diskHost: SourceHost = {
  read: readIfThere,
  library: (parts) => readIfThere(`${join(library, ...parts.slice(1))}.lctx`),
  libraryFiles: () =>
    readdirSync(library, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".lctx"))
      .map((name) => ["std", ...name.slice(0, -".lctx".length).split(sep)]),
};

/** What the checker says about a text that would lie at `path`. */
export const checkText = (text: string, path: string): readonly Diagnostic[] =>
  checkSpec(path, text, diskHost).diagnostics;

/** A spec on the disk, checked; throws when it has errors. */
export function checkFile(path: string, overrides: readonly string[] = []): Checked {
  const checked = checkSpec(path, readFileSync(path, "utf8"), diskHost, overrides);
  if (checked.failed || checked.project === null)
    throw new Error(checked.diagnostics.map(({ code, title }) => `${code}: ${title}`).join("\n"));
  return checked;
}
