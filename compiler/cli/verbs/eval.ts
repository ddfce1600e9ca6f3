/** `lctx eval`: loss, bits per byte and perplexity of a run on held-out text, and how it does the tasks of its spec. */
import { basename, relative } from "node:path";
import {
  evaluateProject,
  evaluateTasksProject,
  hasTasks,
  type Place,
} from "../../../runtime/project/use-project.ts";
import { kernelTarget } from "../../../runtime/project/engine.ts";
import { writeEvaluation } from "../../../runtime/tasks/evaluate-tasks.ts";
import type { RunEvaluation } from "../../../runtime/train/evaluate-run.ts";
import { readRunSettings } from "../../../runtime/train/run-folder.ts";
import type { OtherSpec } from "../compile-other.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { placeOf, type PlaceOptions } from "../target.ts";
import { taskTables } from "../task-table.ts";

interface EvalOptions extends PlaceOptions {
  readonly data?: string;
  readonly length?: number;
  readonly task: readonly string[];
  readonly samples?: number;
  readonly spec?: string;
  readonly model?: string;
  readonly set: readonly string[];
  readonly format: "text" | "json";
}

const say = (text: string): void => void process.stdout.write(text);

function sayText(result: RunEvaluation): void {
  const { perplexity } = result;
  const bits = result.bitsPerByte === null ? "not known" : result.bitsPerByte.toFixed(4);
  const lines: readonly (readonly [string, string])[] = [
    ...(perplexity === null
      ? ([["loss", `${result.loss.toFixed(4)}, what the teachers ask`]] as const)
      : ([
          ["loss", `${result.loss.toFixed(4)} nats a token`],
          ["perplexity", perplexity.toFixed(3)],
          ["bits per byte", bits],
        ] as const)),
    [
      "targets",
      `${result.targets.toLocaleString("en-US")} in ${result.rows} rows of at most ${result.length}`,
    ],
    ["weights", `after ${result.totalSteps} steps`],
  ];
  for (const [name, value] of lines) say(`${name.padEnd(14)} ${value}\n`);
}

/** Refuses options that say nothing together. */
function checkOptions({ data, task, spec, model, set, samples }: EvalOptions): void {
  if (data !== undefined && (task.length > 0 || samples !== undefined))
    throw new UsageError(
      "--data is a text, and tasks make their own",
      "leave out --data, or --task and --samples",
    );
  if (spec === undefined && (model !== undefined || set.length > 0))
    throw new UsageError(
      `--${model === undefined ? "set" : "model"} is about another spec`,
      "name the spec with --spec; without it a run is evaluated as it was trained",
    );
}

export async function evaluate(run: string, options: EvalOptions): Promise<number> {
  checkOptions(options);
  const place: Place = {
    ...placeOf(options),
  };
  const length = options.length ?? null;
  let other: OtherSpec | null = null;
  if (options.spec !== undefined) {
    const runModel = readRunSettings(run).model;
    const { compileOther } = await import("../compile-other.ts");
    other = compileOther(options.spec, options.model, runModel, options.set, kernelTarget(options.target));
  }
  const program = other?.program ?? null;
  const evaluations = other === null || other.evaluations.length === 0 ? null : other.evaluations;
  const named = options.task.length > 0;
  const withTasks = named || (options.data === undefined && (evaluations !== null || hasTasks(run)));
  const text = named
    ? null
    : await evaluateProject(run, { ...place, program, data: options.data ?? null, length });
  if (text === null && !withTasks)
    throw new UsageError(`${run} holds no text out`, "name a text with --data, or train with `validate 5%`");
  if (text !== null && options.format === "text") {
    for (const remark of text.remarks) process.stderr.write(`note: ${remark}\n`);
    sayText(text);
  }
  if (!withTasks) {
    if (options.format === "json") say(`${JSON.stringify(text, null, 2)}\n`);
    return exitCodes.ok;
  }
  const waits = process.stderr.isTTY && options.format === "text";
  const tasks = await evaluateTasksProject(run, {
    ...place,
    program,
    evaluations,
    names: options.task,
    length,
    samples: options.samples ?? null,
    onCell: (task, cell) => {
      if (waits) process.stderr.write(`\r\u001b[K${task} at ${cell.length} …`);
    },
  });
  if (waits) process.stderr.write("\r\u001b[K");
  const written = writeEvaluation(
    run,
    tasks,
    options.spec === undefined ? null : basename(options.spec, ".lctx"),
  );
  if (options.format === "json") {
    say(`${JSON.stringify({ ...text, ...tasks }, null, 2)}\n`);
    return exitCodes.ok;
  }
  if (text === null) for (const remark of tasks.remarks) process.stderr.write(`note: ${remark}\n`);
  say(`${taskTables(tasks)}\nwritten to ${relative(process.cwd(), written) || written}\n`);
  return exitCodes.ok;
}
