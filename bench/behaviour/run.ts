/** Trains one of the behaviour runs, or asks its weights one question, through the compiler and trainer of `lctx train`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openChecked, pick, pickRecipe } from "../../compiler/cli/checked-spec.ts";
import { compileEvaluation, compileRecipe, type Compiled } from "../../compiler/compile.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { loadNewest } from "../../runtime/checkpoint/checkpoint.ts";
import { diskFiles } from "../../runtime/checkpoint/files.ts";
import { evaluateProject, evaluateTasksProject, trainProject } from "../../runtime/project/use-project.ts";
import { kernelTarget } from "../../runtime/project/engine.ts";
import type { Place } from "../../runtime/project/use-project.ts";
import type { ProjectStage } from "../../runtime/project/project.ts";
import { parseRows } from "../../runtime/metrics/rows.ts";
import type { StageSettings, TrainSettings } from "../../runtime/train/settings.ts";
import type { Found, Measure, Scale, Training } from "./jobs.ts";

export interface RunOptions {
  readonly scale: Scale;
  readonly seed: number;
  /** Holds a folder for each run of a seed. */
  readonly folder: string;
  /** Where the specs are. */
  readonly specs: string;
  readonly place: Place;
  /** Share of the steps that the specs say. */
  readonly steps: number;
}

function compiled(
  { specs, place }: Pick<RunOptions, "specs" | "place">,
  spec: string,
  overrides: readonly string[],
): Compiled {
  const reporter = new Reporter();
  const result = compileRecipe(
    pickRecipe(openChecked(join(specs, spec), overrides).project, undefined),
    reporter,
    kernelTarget(place.target),
  );
  if (result !== null) return result;
  throw new Error(`${spec}: ${reporter.diagnostics.map(({ title }) => title).join("; ")}`);
}

function evaluationProgram(
  { specs, place }: Pick<RunOptions, "specs" | "place">,
  spec: string,
  overrides: readonly string[],
): ProjectStage {
  const reporter = new Reporter();
  const { models } = openChecked(join(specs, spec), overrides).project;
  const result = compileEvaluation(pick(models, undefined, "model"), reporter, kernelTarget(place.target));
  if (result !== null) return result;
  throw new Error(`${spec}: ${reporter.diagnostics.map(({ title }) => title).join("; ")}`);
}

/** A stage at the sizes of a scale: the rows of the specs are for models that read 512 bytes, or 2048 when tuned. */
function scaled(stage: StageSettings, { scale, steps }: Pick<RunOptions, "scale" | "steps">): StageSettings {
  const { data, schedule, batch } = stage;
  const length =
    data.length === 2048
      ? scale.long
      : data.length === 512
        ? scale.trained
        : Math.min(data.length, scale.trained);
  return {
    ...stage,
    data: { ...data, length },
    batch: { ...batch, sequences: scale.batch(batch.sequences) },
    schedule: { ...schedule, steps: Math.max(2, Math.round(schedule.steps * steps)) },
    evaluate: { every: 0, rows: scale.rows },
  };
}

function settingsOf({ settings }: Compiled, options: RunOptions): TrainSettings {
  return {
    ...settings,
    seed: options.seed,
    stages: settings.stages.map((stage) => scaled(stage, options)),
    checkpoint: { ...settings.checkpoint, every: 0 },
  };
}

export const runFolder = ({ folder, seed }: RunOptions, run: string): string =>
  join(folder, `seed-${seed}`, run);

export interface Trained {
  readonly steps: number;
  readonly tokens: number;
  readonly seconds: number;
  readonly loss: number | null;
}

/** Trains, or goes on with, a run; null when it was finished before. */
export async function trainRun(training: Training, options: RunOptions): Promise<Trained | null> {
  const run = runFolder(options, training.name);
  const recipe = compiled(options, training.spec, training.overrides);
  const settings = settingsOf(recipe, options);
  const all = settings.stages.reduce((sum, { schedule }) => sum + schedule.steps, 0);
  const before = existsSync(join(run, "checkpoints"))
    ? loadNewest(diskFiles, join(run, "checkpoints"))
    : null;
  if (before?.checkpoint.state.totalSteps === all) return null;
  const started = performance.now();
  const result = await trainProject(
    { settings, stages: recipe.stages, dataFolder: options.specs },
    {
      ...options.place,
      runFolder: run,
      resume: before !== null,
      weights: training.from === null ? null : runFolder(options, training.from),
      specText: readFileSync(join(options.specs, training.spec), "utf8"),
      note: () => {},
    },
  );
  if (result.outcome !== "finished") throw new Error(`${training.name} ended early: ${result.outcome}`);
  const steps = parseRows(readFileSync(join(run, "metrics.jsonl"), "utf8")).filter(
    (row) => row.kind === "step",
  );
  const seconds = (performance.now() - started) / 1000;
  return { steps: all, tokens: steps.at(-1)?.tokens ?? 0, seconds, loss: result.loss };
}

/** Answers a question. Throws what the runtime throws. */
export async function measureRun(measure: Measure, options: RunOptions): Promise<Found> {
  const { label, run, task, length, spec } = measure;
  const { scale, seed, place } = options;
  const program = spec === null ? null : evaluationProgram(options, spec, measure.overrides);
  const folder = runFolder(options, run);
  const names = { seed, run, label, task, length };
  if (task === null) {
    // Rows of one recipe for all runs, and targets of next tokens also where a run learned from teachers.
    const { settings } = compiled(options, measure.rows, scale.model);
    const rowsOf = scaled(
      { ...settings.stages.at(-1)!, batch: { sequences: 4, accumulate: 1 } },
      {
        scale: { ...scale, batch: (sequences) => sequences },
        steps: 1,
      },
    );
    const found = await evaluateProject(folder, { ...place, program, length, rows: scale.rows, rowsOf });
    if (found === null) throw new Error(`${run}: no rows are held out`);
    return { ...names, exactMatch: null, accuracy: null, loss: found.loss };
  }
  const evaluations = compiled(options, "base.lctx", scale.model).settings.evaluations ?? [];
  const { tasks } = await evaluateTasksProject(folder, {
    ...place,
    program,
    evaluations,
    names: [task],
    length,
    samples:
      evaluations.find((each) => each.task.name === task)?.depths == null ? 5 * scale.samples : scale.samples,
  });
  const cells = tasks.flatMap((each) => each.cells);
  const mean = (value: (cell: (typeof cells)[number]) => number): number =>
    cells.reduce((sum, cell) => sum + value(cell), 0) / cells.length;
  return {
    ...names,
    exactMatch: mean((cell) => cell.exactMatch),
    accuracy: mean((cell) => cell.accuracy),
    loss: mean((cell) => cell.loss),
  };
}
