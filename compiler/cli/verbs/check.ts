/** `lctx check`: reads specs and reports every mistake; writes nothing. */
import pc from "picocolors";
import { checkSpec, type Checked } from "../../check-spec.ts";
import type { Diagnostic } from "../../diagnostics/diagnostic.ts";
import { Reporter } from "../../diagnostics/reporter.ts";
import { refuseAttentions } from "../../refuse-attentions.ts";
import { sourcesOf } from "../checked-spec.ts";
import { exitCodes, specExitCode } from "../exit-codes.ts";
import { openSpec } from "../host.ts";
import { printDiagnostics, type DiagnosticFormat } from "../print-diagnostics.ts";

/** What `train` would refuse: said here, too, so that nobody finds out later. It is no mistake of the spec. */
function refusals({ project }: Checked): readonly Diagnostic[] {
  const reporter = new Reporter();
  for (const { model } of project?.recipes.values() ?? [])
    refuseAttentions(model, ["training", "evaluation", "decoding"], reporter);
  return reporter.diagnostics;
}

export async function check(
  files: readonly string[],
  options: { readonly format: DiagnosticFormat; readonly set: readonly string[] },
): Promise<number> {
  const all: Diagnostic[] = [];
  const sources = new Map<string, string>();
  let exitCode: number = exitCodes.ok;
  for (const path of files) {
    const file = openSpec(path);
    const checked = checkSpec(file.path, file.text, file.host, options.set);
    exitCode = Math.max(exitCode, specExitCode(checked.diagnostics));
    all.push(...checked.diagnostics);
    for (const [name, text] of sourcesOf(checked, options.set)) sources.set(name, text);
    if (options.format !== "text") continue;
    printDiagnostics(checked.diagnostics, sourcesOf(checked, options.set), "text");
    const cannotRun = checked.failed ? [] : refusals(checked);
    const errors = checked.diagnostics.filter(({ severity }) => severity === "error").length;
    process.stdout.write(
      checked.failed
        ? `${pc.red("✗")} ${file.path}: ${errors} ${errors === 1 ? "error" : "errors"}\n`
        : `${pc.green("✓")} ${file.path}\n`,
    );
    if (cannotRun.length > 0) {
      process.stdout.write("  nothing is wrong with it, but it cannot be trained yet:\n");
      printDiagnostics(cannotRun, sourcesOf(checked, options.set), "text");
    }
  }
  if (options.format !== "text") printDiagnostics(all, sources, options.format);
  return exitCode;
}
