/** `lctx fmt`: puts specs into canonical form, in place; `--check` only says which are not. */
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatText } from "../../../grammar/format.ts";
import { parseFile } from "../../../grammar/parse.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { largestFile } from "../host.ts";
import { printDiagnostics } from "../print-diagnostics.ts";

/** Files given, and all `.lctx` files below folders given, in a stable order. */
function specsIn(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    let facts;
    try {
      facts = statSync(path);
    } catch {
      throw new UsageError(`cannot read ${path}`);
    }
    if (!facts.isDirectory()) return [path];
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter(
        (entry) =>
          entry.isFile() && entry.name.endsWith(".lctx") && !entry.parentPath.includes("node_modules"),
      )
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  });
}

export async function fmt(files: readonly string[], options: { readonly check?: boolean }): Promise<number> {
  let unformatted = 0;
  let broken = 0;
  for (const path of specsIn(files)) {
    if (statSync(path).size > largestFile)
      throw new UsageError(`${path} is larger than ${largestFile} bytes`);
    const text = readFileSync(path, "utf8");
    const { diagnostics } = parseFile(path, text);
    const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error");
    if (errors.length > 0) {
      broken++;
      printDiagnostics(errors, new Map([[path, text]]), "text");
      continue;
    }
    const formatted = await formatText(text, path);
    if (formatted === text) continue;
    unformatted++;
    if (options.check) {
      process.stdout.write(`${path} is not formatted\n`);
      continue;
    }
    // A crash between the two steps leaves the old text whole.
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, formatted);
    renameSync(temporary, path);
    process.stdout.write(`formatted ${path}\n`);
  }
  if (broken > 0) return exitCodes.specErrors;
  return options.check && unformatted > 0 ? exitCodes.specErrors : exitCodes.ok;
}
