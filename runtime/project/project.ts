/** Project: a recipe with the program and kernels of each of its stages; kept on disk as plain data beside a run. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { diskFiles, replaceFile } from "../checkpoint/files.ts";
import type { Device, KernelSources } from "../device/device.ts";
import { LctxError } from "../errors.ts";
import { instantiate, type Executable } from "../executable.ts";
import type { Program } from "../program.ts";
import type { OpenModel } from "../train/model.ts";
import { readRunSettings } from "../train/run-folder.ts";
import type { TrainSettings } from "../train/settings.ts";

export interface ProjectStage {
  readonly program: Program;
  readonly kernels: KernelSources;
}

export interface Project {
  readonly settings: TrainSettings;
  /** In the order of `settings.stages`. */
  readonly stages: readonly ProjectStage[];
  /** Where relative names of data and tokenizers are looked for first. */
  readonly dataFolder: string;
}

const entriesFile = "entries.json";

/** Reads a folder of kernel sources with its list of entry points. Throws LctxError `program-unreadable`. */
export function readKernels(folder: string): KernelSources {
  try {
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

const programFile = (n: number): string => `program-${n + 1}.json`;
const kernelFolder = (n: number): string => `kernels-${n + 1}`;

/** Keeps programs and kernels with a run, so that it can be evaluated and generated from whatever its spec becomes. */
export function keepPrograms(runFolder: string, project: Project): void {
  const folder = join(runFolder, "program");
  mkdirSync(folder, { recursive: true });
  for (const [n, stage] of project.stages.entries()) {
    const kernels = join(folder, kernelFolder(n));
    mkdirSync(kernels, { recursive: true });
    for (const [name, text] of Object.entries(stage.kernels.files))
      replaceFile(diskFiles, join(kernels, name), text);
    replaceFile(diskFiles, join(kernels, entriesFile), JSON.stringify(stage.kernels.entries));
    replaceFile(diskFiles, join(folder, programFile(n)), JSON.stringify(stage.program));
  }
  replaceFile(diskFiles, join(folder, "data-folder.json"), JSON.stringify(project.dataFolder));
}

/** The project of a run. Throws LctxErrors when the folder is no run's or was changed. */
export function readRunProject(runFolder: string): Project {
  const settings = readRunSettings(runFolder);
  const folder = join(runFolder, "program");
  const read = (name: string): unknown => {
    try {
      return JSON.parse(readFileSync(join(folder, name), "utf8"));
    } catch (cause) {
      throw new LctxError(
        "program-unreadable",
        `${join(folder, name)} cannot be read: ${(cause as Error).message}`,
        "train again, or give another run's folder",
        { cause },
      );
    }
  };
  const dataFolder = read("data-folder.json");
  return {
    settings,
    dataFolder: typeof dataFolder === "string" && existsSync(dataFolder) ? dataFolder : runFolder,
    stages: settings.stages.map((_, n) => {
      const program = read(programFile(n)) as Program;
      if (program.format !== 1)
        throw new LctxError(
          "program-unreadable",
          `${join(folder, programFile(n))} has format ${String(program.format)}`,
          "it was written by another version of lctx",
        );
      return { program, kernels: readKernels(join(folder, kernelFolder(n))) };
    }),
  };
}

/** Opens each stage's program on a device, with a stage's rows and positions. */
export function openOn(device: Device, project: Project): OpenModel {
  return async (stage, index): Promise<Executable> => {
    const { program, kernels } = project.stages[index]!;
    return instantiate(program, kernels, device, {
      batch: stage.batch.sequences,
      length: stage.data.length,
    });
  };
}
