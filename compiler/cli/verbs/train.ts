/** `lctx train`: builds a spec into the cache and trains it. */
import { relative } from "node:path";
import { kernelTarget } from "../../../runtime/project/engine.ts";
import { buildSpec } from "../build-cache.ts";
import { exitCodes } from "../exit-codes.ts";
import { defaultTarget, placeOf, type PlaceOptions } from "../target.ts";

export interface TrainVerbOptions extends PlaceOptions {
  readonly model?: string;
  readonly set: readonly string[];
  readonly run?: string;
  readonly data?: string;
  readonly weights?: string;
  readonly steps?: number;
  readonly resume?: boolean;
  readonly allowChange?: boolean;
  readonly tensorboard?: boolean;
  readonly logFormat: "text" | "json";
}

/** The command that goes on where a run stopped. */
function goOn(path: string, run: string, { model, set, data, target }: TrainVerbOptions): string {
  const word = (text: string): string =>
    /^[\w./=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  const choices = [
    ...(model === undefined ? [] : ["--model", model]),
    ...set.flatMap((each) => ["--set", each]),
    ...(data === undefined ? [] : ["--data", data]),
    ...(target === undefined || target === defaultTarget ? [] : ["--target", target]),
  ];
  return ["lctx", "train", path, ...choices, "--run", run, "--resume"].map(word).join(" ");
}

/** The spec for the run's folder: overrides stand above it, since the text alone would not give this run. */
const asRun = (text: string, overrides: readonly string[]): string =>
  `${overrides.map((each) => `// run with --set ${JSON.stringify(each)}\n`).join("")}${text}`;

export async function train(path: string, options: TrainVerbOptions): Promise<number> {
  const started = performance.now();
  const waits = process.stdout.isTTY && options.logFormat === "text";
  if (waits) process.stdout.write(`checking and compiling ${path} …`);
  const build = (target: string) => buildSpec(path, options.model, options.set, target);
  const asked = options.target ?? defaultTarget;
  const built = await build(asked).finally(() => {
    if (waits) process.stdout.write("\r\u001b[K");
  });
  if (built === null) return exitCodes.specErrors;
  // A run from a GPU can be evaluated and gone on with on machines that have none.
  const other = kernelTarget(asked) === defaultTarget ? null : await build(defaultTarget);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const { defaultRunFolder, trainProject } = await import("../../../runtime/project/use-project.ts");
  const note = (line: string): void => {
    if (options.logFormat === "text") process.stdout.write(`${line}\n`);
  };
  note(built.cached ? "compiled before" : `compiled in ${seconds} s`);
  const runFolder = options.run ?? defaultRunFolder(built.project.settings.model);
  const result = await trainProject(built.project, {
    ...placeOf(options),
    others: other === null ? [] : [other.project],
    runFolder,
    resume: options.resume ?? false,
    allowChange: options.allowChange ?? false,
    stopAfter: options.steps ?? null,
    tensorboard: options.tensorboard ?? false,
    logFormat: options.logFormat,
    data: options.data ?? null,
    weights: options.weights ?? null,
    specText: asRun(built.specText, options.set),
    specFiles:
      built.specs.size > 1
        ? new Map([...built.specs, [built.specPath, asRun(built.specText, options.set)]])
        : new Map(),
    lock: built.lock,
    note,
  });
  const shown = relative(process.cwd(), runFolder) || runFolder;
  if (result.outcome !== "finished") note(`\nGo on with:\n  ${goOn(path, shown, options)}`);
  else {
    note(`\nNext:\n  lctx generate ${shown}\n  lctx eval ${shown}\n  lctx viz loss ${shown} --out loss.png`);
  }
  return result.exitCode;
}
