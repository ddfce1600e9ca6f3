/** `lctx examples`: the specs that ship with lctx, one line each. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import pc from "picocolors";
import { exitCodes } from "../exit-codes.ts";
import { packageRoot } from "../paths.ts";

export interface Example {
  readonly name: string;
  /** Path of the spec. */
  readonly path: string;
  /** First line of its documentation. */
  readonly summary: string;
}

const firstDoc = (text: string): string => /^\/\/\/\s?(.*)$/m.exec(text)?.[1]?.trim() ?? "";

/** All examples: `examples/<name>.lctx` and `examples/<name>/spec.lctx`. */
export function listExamples(): readonly Example[] {
  const folder = join(packageRoot(), "examples");
  const found: Example[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = entry.isDirectory() ? join(folder, entry.name, "spec.lctx") : join(folder, entry.name);
    if (!path.endsWith(".lctx") || !existsSync(path)) continue;
    found.push({
      name: entry.name.replace(/\.lctx$/, ""),
      path,
      summary: firstDoc(readFileSync(path, "utf8")),
    });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export async function examples(options: { readonly format: "text" | "json" }): Promise<number> {
  const all = listExamples();
  if (options.format === "json") {
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    return exitCodes.ok;
  }
  const width = Math.max(...all.map((example) => example.name.length));
  for (const example of all)
    process.stdout.write(`${pc.bold(example.name.padEnd(width))}  ${example.summary}\n`);
  const first = all[0];
  if (first) {
    process.stdout.write(`\nStart from one:  lctx init my-study --template ${first.name}\n`);
    process.stdout.write(
      `Or run one:      lctx train ${relative(process.cwd(), first.path) || first.path}\n`,
    );
  }
  return exitCodes.ok;
}
