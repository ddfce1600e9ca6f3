/** Trains an example as its spec says, through the same compiler and trainer as `lctx train`. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { compileRecipe } from "../compiler/compile.ts";
import { openChecked, pickRecipe } from "../compiler/cli/checked-spec.ts";
import { cacheFolder, packageRoot } from "../compiler/cli/paths.ts";
import { Reporter } from "../compiler/diagnostics/reporter.ts";
import { tfjsScript } from "../compiler/tfjs-module.ts";
import type { CheckedProject } from "../compiler/check/check.ts";
import { parseRows, type EvaluationRow, type StepRow } from "../runtime/metrics/rows.ts";
import { trainProject } from "../runtime/project/use-project.ts";

export interface TrainedExample {
  readonly project: CheckedProject;
  readonly seed: number;
  /** Tokens a row of its last stage. */
  readonly length: number;
  readonly steps: readonly StepRow[];
  readonly evaluations: readonly EvaluationRow[];
  /** What it ran on. */
  readonly device: string;
}

export interface TrainExampleOptions {
  readonly runFolder: string;
  /** Stops earlier than the spec says. */
  readonly stopAfter?: number;
  /** Worker threads; the cores there are, when left out. */
  readonly threads?: number | undefined;
  /** Where it runs; the cpu target, when left out. */
  readonly target?: string;
  /** Goes on with the run that is in the folder. */
  readonly resume?: boolean;
  /** Settings in place of the spec's, as `--set` takes them. */
  readonly overrides?: readonly string[];
}

/** What an example trains: its spec, or the base.lctx beside it when the spec is for weights that are there. */
export function trainedSpec(spec: string): string {
  const base = join(dirname(spec), "base.lctx");
  return existsSync(join(packageRoot(), base)) ? base : spec;
}

/** Throws when the spec does not compile or training fails. */
export async function trainExample(spec: string, options: TrainExampleOptions): Promise<TrainedExample> {
  const path = resolve(packageRoot(), spec);
  const opened = openChecked(path, options.overrides ?? []);
  const reporter = new Reporter();
  const compiled = compileRecipe(pickRecipe(opened.project, undefined), reporter);
  if (compiled === null)
    throw new Error(`${spec} does not compile: ${reporter.diagnostics.map(({ title }) => title).join("; ")}`);
  const notes: string[] = [];
  const result = await trainProject(
    {
      settings: compiled.settings,
      stages: compiled.stages.map((stage) => ({ ...stage, tfjs: tfjsScript(stage.graphs, stage.update) })),
      dataFolder: dirname(path),
    },
    {
      runFolder: options.runFolder,
      kernelCache: cacheFolder(),
      stopAfter: options.stopAfter ?? null,
      threads: options.threads,
      target: options.target,
      resume: options.resume ?? false,
      specText: readFileSync(path, "utf8"),
      note: (line) => notes.push(line),
    },
  );
  const done = parseRows(readFileSync(join(options.runFolder, "metrics.jsonl"), "utf8"));
  const steps = done.filter((row) => row.kind === "step");
  if (result.exitCode !== 0 && steps.length !== options.stopAfter)
    throw new Error(`training ${relative(packageRoot(), path)} ended with exit code ${result.exitCode}`);
  return {
    project: opened.project,
    seed: compiled.settings.seed,
    length: compiled.settings.stages.at(-1)!.data.length,
    steps,
    evaluations: done.filter((row) => row.kind === "evaluation"),
    device: notes[0] ?? "",
  };
}
