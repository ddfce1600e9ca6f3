/** The scripts of an emitted project: arguments, output, exit codes. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { homedir } from "node:os";
import { join } from "node:path";
import { LctxError, runtimeExit } from "../errors.ts";
import type { Project } from "./project.ts";
import {
  defaultRunFolder,
  evaluateProject,
  evaluateTasksProject,
  hasTasks,
  generateProject,
  trainProject,
  type Place,
} from "./use-project.ts";

const common = {
  run: { type: "string" },
  threads: { type: "string" },
  device: { type: "string" },
  target: { type: "string" },
} as const;

function fail(error: unknown): number {
  if (!(error instanceof LctxError)) {
    process.stderr.write(`internal error: ${(error as Error).stack ?? String(error)}\n`);
    return runtimeExit.internal;
  }
  process.stderr.write(
    `error[${error.code}]: ${error.message}\n${error.help === "" ? "" : `help: ${error.help}\n`}`,
  );
  return error.exitCode;
}

function read<T extends NonNullable<ParseArgsConfig["options"]>>(argv: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values;
  } catch (error) {
    throw new LctxError(
      "settings-invalid",
      (error as Error).message,
      `options: --${Object.keys(options).join(", --")}`,
    );
  }
}

function number(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new LctxError("settings-invalid", `--${name} takes a number, not "${text}"`);
  return value;
}

function place(values: {
  readonly threads?: string | undefined;
  readonly device?: string | undefined;
  readonly target?: string | undefined;
}): Place {
  const kind = (values.device ?? "auto").replace(/^cpu-/, "");
  if (kind !== "auto" && kind !== "native" && kind !== "wasm")
    throw new LctxError("settings-invalid", `--device takes auto, cpu-native or cpu-wasm, not "${kind}"`);
  return {
    target: values.target,
    device: kind,
    threads: number(values.threads, "threads"),
    kernelCache: process.env["LCTX_CACHE"] ?? join(homedir(), ".cache", "lctx"),
  };
}

/** Trains a project. Returns the exit code. */
export async function runTrainer(project: Project, argv: readonly string[]): Promise<number> {
  try {
    const values = read(argv, {
      ...common,
      resume: { type: "boolean" },
      "allow-change": { type: "boolean" },
      steps: { type: "string" },
      data: { type: "string" },
      weights: { type: "string" },
      tensorboard: { type: "boolean" },
      "log-format": { type: "string" },
    } as const);
    const result = await trainProject(project, {
      ...place(values),
      runFolder: values.run ?? defaultRunFolder(project.settings.model),
      resume: values.resume ?? false,
      allowChange: values["allow-change"] ?? false,
      stopAfter: number(values.steps, "steps") ?? null,
      data: values.data ?? null,
      weights: values.weights ?? null,
      tensorboard: values.tensorboard ?? false,
      logFormat: values["log-format"] === "json" ? "json" : "text",
    });
    return result.exitCode;
  } catch (error) {
    return fail(error);
  }
}

/** Evaluates a run of a project. Returns the exit code. */
export async function runEvaluation(project: Project, argv: readonly string[]): Promise<number> {
  try {
    const values = read(argv, {
      ...common,
      data: { type: "string" },
      length: { type: "string" },
      task: { type: "string", multiple: true },
    } as const);
    const run = values.run ?? defaultRunFolder(project.settings.model);
    const where = { ...place(values), project };
    const length = number(values.length, "length") ?? null;
    const names = values.task ?? [];
    const text =
      names.length > 0 ? null : await evaluateProject(run, { ...where, data: values.data ?? null, length });
    const withTasks = names.length > 0 || (values.data === undefined && hasTasks(run));
    const tasks = withTasks ? await evaluateTasksProject(run, { ...where, length, names }) : null;
    process.stdout.write(`${JSON.stringify(tasks === null ? text : { ...text, ...tasks }, null, 2)}\n`);
    return runtimeExit.ok;
  } catch (error) {
    return fail(error);
  }
}

/** Writes text with a run of a project. Returns the exit code. */
export async function runGeneration(project: Project, argv: readonly string[]): Promise<number> {
  try {
    const values = read(argv, {
      ...common,
      prompt: { type: "string" },
      tokens: { type: "string" },
      temperature: { type: "string" },
      seed: { type: "string" },
    } as const);
    const prompt = values.prompt ?? "\n";
    const text = generateProject(values.run ?? defaultRunFolder(project.settings.model), {
      ...place(values),
      project,
      prompt,
      tokens: number(values.tokens, "tokens") ?? 300,
      temperature: number(values.temperature, "temperature") ?? 0.8,
      seed: number(values.seed, "seed") ?? 1,
    });
    // The prompt comes with the first piece, so that a run that cannot be read leaves nothing but its message.
    let before = prompt;
    for await (const piece of text) {
      process.stdout.write(before + piece);
      before = "";
    }
    process.stdout.write(`${before}\n`);
    return runtimeExit.ok;
  } catch (error) {
    return fail(error);
  }
}
