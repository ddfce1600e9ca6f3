/** Trains, evaluates and generates with a project: opens the device, finds the run, and hands over to the runtime. */
import { basename, join, resolve } from "node:path";
import { loadNewest } from "../checkpoint/checkpoint.ts";
import { diskFiles } from "../checkpoint/files.ts";
import { withText } from "../data/mixed-data.ts";
import { LctxError } from "../errors.ts";
import { generateRun } from "../generate/generate-run.ts";
import type { ParameterInfo } from "../program.ts";
import {
  evaluateRun,
  type EvaluateRunOptions,
  type OpenAt,
  type RunEvaluation,
} from "../train/evaluate-run.ts";
import { train, type TrainOptions, type TrainResult } from "../train/trainer.ts";
import type { DataSettings, TrainSettings } from "../train/settings.ts";
import { carriedFrom, type InitialWeights } from "../train/weights.ts";
import { evaluateTasks, type EvaluateTasksOptions, type TasksEvaluation } from "../tasks/evaluate-tasks.ts";
import { readRunSettings } from "../train/run-folder.ts";
import { kernelTarget, openEngine, type Engine, type Place } from "./engine.ts";
import { keepWithRun, readRunProject, type Project, type ProjectStage } from "./project.ts";

export type { Place } from "./engine.ts";

export interface TrainProjectOptions extends Place {
  readonly runFolder: string;
  readonly resume?: boolean;
  readonly allowChange?: boolean;
  readonly stopAfter?: number | null;
  readonly tensorboard?: boolean;
  readonly logFormat?: "text" | "json";
  /** Text instead of the recipe's. */
  readonly data?: string | null;
  /** A run to start the weights from. */
  readonly weights?: string | null;
  readonly specText?: string | null;
  readonly specFiles?: TrainOptions["specFiles"];
  readonly lock?: TrainOptions["lock"];
  /** The same recipe built for other targets: kept with the run, so that it can be used there. */
  readonly others?: readonly Project[];
  /** Told what the user should know before training starts. */
  readonly note?: (line: string) => void;
}

/** Weights of another run's newest checkpoint; parameters that it does not have start as declared, and are counted. */
function weightsOf(run: string, note: (line: string) => void): (info: ParameterInfo) => Float32Array | null {
  const found = loadNewest(diskFiles, join(run, "checkpoints"));
  if (found === null)
    throw new LctxError("checkpoint-missing", `${run} has no checkpoint`, "give the folder of a trained run");
  const tensors = carriedFrom(found.checkpoint);
  const fresh: string[] = [];
  let told = false;
  const initial: InitialWeights = (info) => {
    const tensor = tensors.get(info.path);
    if (tensor === undefined) {
      fresh.push(info.path);
      if (!told) queueMicrotask(() => note(`${fresh.length} parameters are not in ${run} and start anew`));
      told = true;
      return null;
    }
    if (tensor.shape.join() !== info.shape.join() || !(tensor.values instanceof Float32Array))
      throw new LctxError(
        "safetensors-mismatch",
        `"${info.path}" is [${info.shape.join(", ")}] here and [${tensor.shape.join(", ")}] in ${run}`,
        "the two models must have the same sizes",
      );
    return tensor.values;
  };
  return initial;
}

/** Throws LctxError `settings-invalid` when there is no one text to replace. */
function otherText(data: DataSettings, source: string): DataSettings {
  const changed = withText(data, source);
  if (changed !== null) return changed;
  throw new LctxError(
    "settings-invalid",
    "another text replaces the one text of a recipe, and this mix has several or none",
    "change the mix in the spec",
  );
}

/** Trains; the run's folder keeps programs and kernels, so that it can be used without the spec. */
export async function trainProject(project: Project, options: TrainProjectOptions): Promise<TrainResult> {
  const note = options.note ?? ((line: string) => process.stdout.write(`${line}\n`));
  const engine = await openEngine(options, project);
  try {
    note(`${project.settings.model} on ${engine.description}`);
    const settings: TrainSettings =
      options.data == null
        ? project.settings
        : {
            ...project.settings,
            stages: project.settings.stages.map((stage) => ({
              ...stage,
              data: otherText(stage.data, resolve(options.data!)),
            })),
          };
    const initialWeights = options.weights == null ? null : weightsOf(options.weights, note);
    let kept = false;
    return await train(
      async (stage, index) => {
        if (!kept)
          for (const each of [project, ...(options.others ?? [])]) keepWithRun(options.runFolder, each);
        kept = true;
        return engine.open(project.stages[index]!, {
          batch: stage.batch.sequences,
          length: stage.data.length,
        });
      },
      settings,
      {
        runFolder: options.runFolder,
        specFolder: project.dataFolder,
        projectFolder: project.dataFolder,
        resume: options.resume ?? false,
        allowChange: options.allowChange ?? false,
        stopAfter: options.stopAfter ?? null,
        tensorboard: options.tensorboard ?? false,
        logFormat: options.logFormat ?? "text",
        specText: options.specText ?? null,
        specFiles: options.specFiles ?? new Map(),
        lock: options.lock ?? {},
        initialWeights,
      },
    );
  } finally {
    engine.close();
  }
}

/** Opens a run's programs at any sizes. */
function openRun(project: Project, engine: Engine): OpenAt {
  return (stage, sizes, phases) => engine.open(project.stages[stage]!, sizes, phases);
}

/** Another program over a run's weights: of a spec whose model has the same parameters. */
interface OtherProgram {
  /** Null: the run's own. */
  readonly program?: ProjectStage | null;
  /** What the run was trained by, where a run cannot keep it: phases that are functions. */
  readonly project?: Project | null;
}

/** The run's project, each stage with the other program when there is one. */
function projectOf(
  runFolder: string,
  { program, target, project: own }: OtherProgram & Pick<Place, "target">,
): Project {
  const kept = readRunProject(runFolder, program == null ? kernelTarget(target) : undefined);
  const functions = own?.stages.some(({ phases }) => phases !== undefined) ?? false;
  const project = functions ? { ...kept, stages: own!.stages } : kept;
  return program == null ? project : { ...project, stages: project.stages.map(() => program) };
}

export interface EvaluateProjectOptions
  extends Place, OtherProgram, Pick<EvaluateRunOptions, "data" | "length" | "rows" | "rowsOf"> {}

/** Evaluates a run. Null when it holds no text out. Throws LctxErrors. */
export async function evaluateProject(
  runFolder: string,
  options: EvaluateProjectOptions = {},
): Promise<RunEvaluation | null> {
  const project = projectOf(runFolder, options);
  const engine = await openEngine(options, project);
  try {
    return await evaluateRun(runFolder, openRun(project, engine), {
      specFolder: project.dataFolder,
      projectFolder: project.dataFolder,
      data: options.data ?? null,
      length: options.length ?? null,
      rows: options.rows ?? null,
      rowsOf: options.rowsOf,
      // Programs of other specs have no recipe: theirs is the loss of the next token.
      objective: options.program == null ? undefined : "next_token",
    });
  } finally {
    engine.close();
  }
}

export interface EvaluateTasksProjectOptions
  extends
    Place,
    OtherProgram,
    Pick<EvaluateTasksOptions, "evaluations" | "names" | "length" | "samples" | "onCell"> {}

/** Evaluates a run on tasks. Throws LctxErrors. */
export async function evaluateTasksProject(
  runFolder: string,
  options: EvaluateTasksProjectOptions = {},
): Promise<TasksEvaluation> {
  const project = projectOf(runFolder, options);
  const engine = await openEngine(options, project);
  try {
    return await evaluateTasks(runFolder, openRun(project, engine), {
      specFolder: project.dataFolder,
      projectFolder: project.dataFolder,
      evaluations: options.evaluations ?? null,
      names: options.names ?? [],
      length: options.length ?? null,
      samples: options.samples ?? null,
      ...(options.onCell === undefined ? {} : { onCell: options.onCell }),
    });
  } finally {
    engine.close();
  }
}

/** True when a run's own spec evaluates tasks. */
export const hasTasks = (runFolder: string): boolean =>
  (readRunSettings(runFolder).evaluations ?? []).length > 0;

export interface GenerateProjectOptions extends Place, Pick<OtherProgram, "project"> {
  readonly prompt: string;
  readonly tokens: number;
  readonly temperature: number;
  readonly topK?: number | null;
  readonly topP?: number | null;
  readonly seed: number;
}

/** Text of a run, piece by piece; the prompt is not repeated. Throws LctxErrors. */
export async function* generateProject(
  runFolder: string,
  options: GenerateProjectOptions,
): AsyncGenerator<string, { readonly tokens: number; readonly remarks: readonly string[] }> {
  const project = projectOf(runFolder, options);
  const engine = await openEngine(options, project);
  try {
    return yield* generateRun(runFolder, openRun(project, engine), {
      prompt: options.prompt,
      tokens: options.tokens,
      temperature: options.temperature,
      topK: options.topK ?? null,
      topP: options.topP ?? null,
      seed: options.seed,
      specFolder: project.dataFolder,
      projectFolder: project.dataFolder,
    });
  } finally {
    engine.close();
  }
}

/** Where a model's runs go when nothing else is said. */
export const defaultRunFolder = (model: string): string =>
  join("runs", basename(model.toLowerCase().replaceAll(/[^a-z0-9_-]+/g, "-")) || "model");
