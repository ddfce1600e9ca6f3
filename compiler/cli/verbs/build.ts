/** `lctx build`: writes a project of one's own: model.ts, trainer.ts, kernels. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { compileRecipe } from "../../compile.ts";
import { refuseTfjs } from "../../refuse-tfjs.ts";
import { Reporter } from "../../diagnostics/reporter.ts";
import { openChecked, pickRecipe, sourcesOf } from "../checked-spec.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { kernelTarget } from "../../../runtime/project/engine.ts";
import { printDiagnostics } from "../print-diagnostics.ts";
import { writeProject, type ProjectTarget } from "../write-project.ts";

export async function build(
  path: string,
  options: {
    readonly out?: string;
    readonly model?: string;
    readonly set: readonly string[];
    readonly target: ProjectTarget;
  },
): Promise<number> {
  const opened = openChecked(path, options.set);
  const recipe = pickRecipe(opened.project, options.model);
  const reporter = new Reporter();
  const compiled = compileRecipe(recipe, reporter, kernelTarget(options.target));
  if (options.target === "tfjs" && compiled !== null)
    refuseTfjs(
      compiled.stages.flatMap(({ graphs }) => Object.values(graphs)),
      reporter,
    );
  printDiagnostics(reporter.diagnostics, sourcesOf(opened.checked, options.set), "text");
  if (compiled === null || reporter.failed) return exitCodes.specErrors;
  const target = resolve(options.out ?? join("build", compiled.settings.model.toLowerCase()));
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new UsageError(
      `${relative(process.cwd(), target) || target} is not empty`,
      "choose another folder with --out, or remove it",
    );
  // Everything is made beside the target and moved there whole.
  mkdirSync(dirname(target), { recursive: true });
  const making = mkdtempSync(join(dirname(target), `.${basename(target)}-`));
  try {
    await writeProject(making, compiled, opened.checked.sources, opened.file.path, options.target);
    if (existsSync(target)) rmSync(target, { recursive: true });
    renameSync(making, target);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error;
  }
  const shown = relative(process.cwd(), target) || target;
  process.stdout.write(`wrote ${shown}\n`);
  for (const stage of options.target === "tfjs" ? [] : compiled.stages) {
    const kernels =
      "calls" in stage.kernels ? Object.keys(stage.kernels.calls).length : stage.kernels.entries.length;
    const launches = stage.program.phases.train.launches.length;
    process.stdout.write(`  ${stage.name}: ${kernels} kernels, ${launches} launches a training pass\n`);
  }
  process.stdout.write(`\nNext:\n  cd ${shown} && npm install && npx tsx trainer.ts\n`);
  return exitCodes.ok;
}
