/** `lctx fmt`: puts specs into canonical form, in place; `--check` only says which are not. */
import { readdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatText } from "../../../grammar/format.ts";
import { parseFile } from "../../../grammar/parse.ts";
import { exitCodes, specExitCode, UsageError } from "../exit-codes.ts";
import { largestFile } from "../host.ts";
import { printDiagnostics } from "../print-diagnostics.ts";

/** Files given, and all `.lctx` files below folders given, in a stable order. */
function specsIn(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    let facts;
    try {
      facts = statSync(path);
    } catch {
      throw new UsageError(`cannot read ${path === "" ? "a file without a name" : path}`);
    }
    if (facts.isFile()) return [path];
    // A pipe or a device would be waited for without end.
    if (!facts.isDirectory()) throw new UsageError(`${path} is neither a file nor a folder`);
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter(
        (entry) =>
          entry.isFile() && entry.name.endsWith(".lctx") && !entry.parentPath.includes("node_modules"),
      )
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  });
}

/** Replaces a file's text, keeping its permissions; a crash between the two steps leaves the old text whole. */
function replaceText(path: string, text: string): void {
  const target = realpathSync(path);
  const temporary = `${target}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: statSync(target).mode });
  renameSync(temporary, target);
}

/** Formats one spec and returns its exit code; mistakes are printed. */
async function formatSpec(path: string, check: boolean): Promise<number> {
  const { size } = statSync(path);
  if (size > largestFile) {
    process.stderr.write(`error: ${path} has ${size} bytes\nhelp: a spec has at most ${largestFile} bytes\n`);
    return exitCodes.limit;
  }
  const text = readFileSync(path, "utf8");
  const errors = parseFile(path, text).diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) {
    printDiagnostics(errors, new Map([[path, text]]), "text");
    return specExitCode(errors);
  }
  const formatted = await formatText(text, path);
  if (formatted === text) return exitCodes.ok;
  if (!check) replaceText(path, formatted);
  process.stdout.write(check ? `${path} is not formatted\n` : `formatted ${path}\n`);
  return check ? exitCodes.specErrors : exitCodes.ok;
}

export async function fmt(files: readonly string[], options: { readonly check?: boolean }): Promise<number> {
  let worst: number = exitCodes.ok;
  for (const path of specsIn(files)) worst = Math.max(worst, await formatSpec(path, options.check ?? false));
  return worst;
}
