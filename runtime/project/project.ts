/** Project: a recipe with the program and kernels of each of its stages; kept on disk as plain data beside a run. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { diskFiles, replaceFile } from "../checkpoint/files.ts";
import { targetOf, type ProgramSources, type Target } from "../device/device.ts";
import { LctxError } from "../errors.ts";
import type { Program } from "../program.ts";
import { readRunSettings } from "../train/run-folder.ts";
import { callsFile, readCudaCalls } from "./cuda-folder.ts";
import type { TrainSettings } from "../train/settings.ts";

export interface ProjectStage {
  readonly program: Program;
  readonly kernels: ProgramSources;
  /** The program as a script for the target tfjs; left out or null: it was built without one. */
  readonly tfjs?: string | null;
  /** Functions that a project's own module has in the script's place. */
  readonly phases?: object;
}

export interface Project {
  readonly settings: TrainSettings;
  /** In the order of `settings.stages`. */
  readonly stages: readonly ProjectStage[];
  /** Where relative names of data and tokenizers are looked for first. */
  readonly dataFolder: string;
}

const entriesFile = "entries.json";

/** Reads a folder of kernels: C with its list of entry points, or CUDA calls. Throws LctxError `program-unreadable`. */
export function readKernels(folder: string): ProgramSources {
  try {
    if (existsSync(join(folder, callsFile))) return readCudaCalls(folder);
    const files: Record<string, string> = {};
    for (const name of readdirSync(folder).sort())
      if (name !== entriesFile) files[name] = readFileSync(join(folder, name), "utf8");
    const entries: unknown = JSON.parse(readFileSync(join(folder, entriesFile), "utf8"));
    if (!Array.isArray(entries) || !entries.every((entry) => typeof entry === "string"))
      throw new Error(`${entriesFile} is no list of names`);
    return { files, entries };
  } catch (cause) {
    throw new LctxError(
      "program-unreadable",
      `the kernels in ${folder} cannot be read: ${(cause as Error).message}`,
      "build the project again",
      { cause },
    );
  }
}

/** One file a stage, so that keeping it is one durable write; the kernels are texts in it. */
const stageFile = (n: number, target: Target): string =>
  target === "cpu" ? `program-${n + 1}.json` : `program-${n + 1}.${target}.json`;

/** A stage as plain data. */
export const stageText = ({ program, kernels, tfjs }: ProjectStage): string =>
  JSON.stringify({ program, kernels, tfjs: tfjs ?? null });

/** What `stageText` wrote; `path` is for messages. Throws LctxError `program-unreadable`. */
export function parseStage(text: string, path: string): ProjectStage {
  const stage = parseJson(text, path) as Partial<ProjectStage>;
  if (stage.program?.format !== 1 || stage.kernels === undefined)
    throw new LctxError(
      "program-unreadable",
      `${path} has format ${String(stage.program?.format)}`,
      "it was written by another version of lctx",
    );
  return { program: stage.program, kernels: stage.kernels, tfjs: stage.tfjs ?? null };
}

function unreadable(path: string, cause: unknown): LctxError {
  return new LctxError(
    "program-unreadable",
    `${path} cannot be read: ${(cause as Error).message}`,
    "train again, or give another run's folder",
    { cause },
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** A run's own programs. */
const runPrograms = (runFolder: string): string => join(runFolder, "program");

/** Keeps programs and kernels with a run, so that it can be evaluated and generated from whatever its spec becomes. */
export function keepWithRun(runFolder: string, project: Project): void {
  const folder = runPrograms(runFolder);
  mkdirSync(folder, { recursive: true });
  for (const [n, stage] of project.stages.entries())
    replaceFile(diskFiles, join(folder, stageFile(n, targetOf(stage.kernels))), stageText(stage));
  replaceFile(diskFiles, join(folder, "data-folder.json"), JSON.stringify(project.dataFolder));
}

/** The target that a run's programs are read for: the one asked for, else the CPU if it has programs for that. */
function chosenTarget(folder: string, asked: Target | undefined): Target {
  const has = (target: Target): boolean => existsSync(join(folder, stageFile(0, target)));
  if (asked === undefined) return has("cpu") || !has("cuda") ? "cpu" : "cuda";
  const other = asked === "cpu" ? "cuda" : "cpu";
  if (!has(asked) && has(other))
    throw new LctxError(
      "wrong-target",
      `the run has programs for ${other} and none for ${asked}`,
      `go on with it for a step: lctx train … --resume --target ${asked}; or name its spec: lctx eval … --spec … --target ${asked}`,
    );
  return asked;
}

/** The project of a run. Throws LctxErrors when the folder is no run's, was changed, or has no programs for the target. */
export function readRunProject(runFolder: string, asked?: Target): Project {
  const settings = readRunSettings(runFolder);
  const folder = runPrograms(runFolder);
  const target = chosenTarget(folder, asked);
  const placeFile = join(folder, "data-folder.json");
  const dataFolder = parseJson(readText(placeFile), placeFile);
  return {
    settings,
    dataFolder: typeof dataFolder === "string" && existsSync(dataFolder) ? dataFolder : runFolder,
    stages: settings.stages.map((_, n) => {
      const path = join(folder, stageFile(n, target));
      return parseStage(readText(path), path);
    }),
  };
}
