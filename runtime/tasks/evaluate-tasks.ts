/** Evaluates a run on tasks: its newest or best weights, at every length and depth that its spec asks for. */
import { join } from "node:path";
import { diskFiles, replaceFile } from "../checkpoint/files.ts";
import { rowLayout } from "../data/dataset.ts";
import { sourceFolders } from "../data/resolve-source.ts";
import type { SourcePlaces } from "../data/resolve-source.ts";
import type { RowLayout } from "../data/rows.ts";
import { sampleRow, sampleTokens } from "../data/task-rows.ts";
import { LctxError } from "../errors.ts";
import { openTokenizer } from "../tokens/open-tokenizer.ts";
import type { Tokenizer } from "../tokens/tokenizer.ts";
import type { OpenAt } from "../train/evaluate-run.ts";
import { vocabularyOf } from "../train/model.ts";
import type { TrainableModel } from "../train/model.ts";
import { readRunSettings } from "../train/run-folder.ts";
import { chooseCheckpoint, restoreWeights } from "../train/weights.ts";
import { Sampler } from "./sampler.ts";
import { scoreAnswers } from "./score.ts";
import type { AnswerRow } from "./score.ts";
import type { MetricName, TaskEvaluation } from "./task.ts";

/** What came out at one length and depth. */
export interface TaskCell {
  readonly length: number;
  /** Null: drawn for each sample, or not read by the task. */
  readonly depth: number | null;
  readonly samples: number;
  /** Share of samples whose whole answer is right. */
  readonly exactMatch: number;
  /** Share of answer tokens that are right. */
  readonly accuracy: number;
  /** Mean −log p of answer tokens, in nats. */
  readonly loss: number;
}

export interface TaskResult {
  readonly task: string;
  /** The task with its arguments. */
  readonly label: string;
  readonly seed: number;
  /** Those that the spec asks for; cells hold all. */
  readonly metrics: readonly MetricName[];
  readonly cells: readonly TaskCell[];
}

export interface TasksEvaluation {
  /** Steps of all stages after which the weights were saved. */
  readonly totalSteps: number;
  readonly checkpoint: string;
  readonly tasks: readonly TaskResult[];
  /** Bytes that the device held, by length: weights, rows and what one pass needs. */
  readonly memory: readonly { readonly length: number; readonly rows: number; readonly bytes: number }[];
  readonly remarks: readonly string[];
}

export interface EvaluateTasksOptions extends SourcePlaces {
  /** Tasks of another spec; null: the run's own. */
  readonly evaluations?: readonly TaskEvaluation[] | null;
  /** Names of tasks; empty: all. */
  readonly names?: readonly string[];
  /** In place of the lengths of every task. */
  readonly length?: number | null;
  /** In place of the number of samples of every task. */
  readonly samples?: number | null;
  readonly which?: "newest" | "best";
  /** Told of each cell when it is done. */
  readonly onCell?: (task: string, cell: TaskCell) => void;
}

/** Tokens that one pass holds, at most, unless one row has more. */
const passTokens = 8192;

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The tasks to evaluate on. Throws LctxError `task-unknown`. */
function chosen(all: readonly TaskEvaluation[], names: readonly string[]): readonly TaskEvaluation[] {
  for (const name of names)
    if (!all.some(({ task }) => task.name === name)) {
      const has = all.map(({ task }) => task.name);
      throw new LctxError(
        "task-unknown",
        `no evaluation of the spec has a task called "${name}"`,
        has.length === 0
          ? `add one to the spec, \`evaluate Model { task ${name} at lengths 512 }\`, and name it with --spec`
          : `it has ${[...new Set(has)].join(", ")}`,
      );
    }
  return names.length === 0 ? all : all.filter(({ task }) => names.includes(task.name));
}

interface Planned {
  readonly evaluation: TaskEvaluation;
  readonly sampler: Sampler;
  readonly lengths: readonly number[];
  readonly cells: TaskCell[];
}

/** Rows of one cell. The same for every model: they depend on task, seed, length, depth and number alone. */
function cellRows(
  { evaluation, sampler }: Planned,
  layout: RowLayout,
  length: number,
  depth: number | null,
  from: number,
  to: number,
): AnswerRow[] {
  const purpose = `evaluate:${length}:${depth ?? "any"}`;
  const rows: AnswerRow[] = [];
  for (let number = from; number < to; number++) {
    const tokens = sampleTokens(layout, length);
    const sample = sampler.sample({ length: tokens, depth, seed: evaluation.seed, purpose, number });
    rows.push(sampleRow(layout, sample));
  }
  return rows;
}

async function evaluateCell(
  model: TrainableModel,
  planned: Planned,
  layout: RowLayout,
  tokenizer: Tokenizer,
  { batch, length }: { readonly batch: number; readonly length: number },
  depth: number | null,
): Promise<TaskCell> {
  const { samples } = planned.evaluation;
  // As in generation: inserted tokens come by the layout, ids beyond the tokenizer spell nothing.
  const inserted = layout.insert?.id ?? -1;
  const allowed = (id: number): boolean => id < tokenizer.size && id !== inserted;
  let [whole, right, tokens, nats] = [0, 0, 0, 0];
  for (let from = 0; from < samples; from += batch) {
    await pause();
    const rows = cellRows(planned, layout, length, depth, from, Math.min(samples, from + batch));
    for (const score of scoreAnswers(model, rows, allowed, batch)) {
      if (score.right === score.tokens) whole++;
      right += score.right;
      tokens += score.tokens;
      nats += score.nats;
    }
  }
  const [accuracy, loss] = tokens === 0 ? [1, 0] : [right / tokens, nats / tokens];
  return { length, depth, samples, exactMatch: whole / samples, accuracy, loss };
}

/**
 * Evaluates a run on tasks. Lengths may be above the trained one: sizes of a program are open. All samples that cannot
 * be made are told before anything runs. Throws LctxErrors for a folder that is no run's, damaged checkpoints, weights
 * that do not fit the program, unknown tasks, and lengths that a task or the model cannot have.
 */
export async function evaluateTasks(
  runFolder: string,
  open: OpenAt,
  options: EvaluateTasksOptions,
): Promise<TasksEvaluation> {
  const settings = readRunSettings(runFolder);
  const { checkpoint, remarks } = chooseCheckpoint(runFolder, options.which ?? "newest");
  const index = checkpoint.state.stage;
  const stage = settings.stages[index]!;
  const tokenizer = await openTokenizer(stage.data.tokenizer, sourceFolders(options));
  const evaluations = chosen(options.evaluations ?? settings.evaluations ?? [], options.names ?? []);
  const samples = options.samples ?? null;
  const planned: readonly Planned[] = evaluations.map((each) => {
    const evaluation = samples === null ? each : { ...each, samples };
    const lengths = options.length == null ? (each.lengths ?? [stage.data.length]) : [options.length];
    return { evaluation, sampler: new Sampler(each.task, tokenizer), lengths, cells: [] };
  });
  const lengths = [...new Set(planned.flatMap((each) => each.lengths))].sort((a, b) => a - b);
  const memory: TasksEvaluation["memory"][number][] = [];
  let layout: RowLayout | null = null;
  for (const length of lengths) {
    const here = planned.filter((each) => each.lengths.includes(length));
    const most = Math.max(...here.map(({ evaluation }) => evaluation.samples));
    const batch = Math.max(1, Math.min(most, Math.floor(passTokens / length)));
    const model = await openAt(open, index, batch, length);
    try {
      if (layout === null) {
        layout = rowLayout(stage.data, stage.loss, tokenizer, vocabularyOf(model.program));
        for (const each of planned)
          for (const asked of each.lengths)
            for (const depth of each.evaluation.depths ?? [null]) cellRows(each, layout, asked, depth, 0, 1);
        checkLengths(lengths, model);
      }
      restoreWeights(model, checkpoint, false);
      memory.push({ length, rows: batch, bytes: model.memoryBytes });
      for (const each of here)
        for (const depth of each.evaluation.depths ?? [null]) {
          const cell = await evaluateCell(model, each, layout, tokenizer, { batch, length }, depth);
          each.cells.push(cell);
          options.onCell?.(each.evaluation.task.name, cell);
        }
    } finally {
      model.close();
    }
  }
  return {
    totalSteps: checkpoint.state.totalSteps,
    checkpoint: checkpoint.path,
    tasks: planned.map(({ evaluation: { task, seed, metrics }, cells }) => ({
      task: task.name,
      label: task.label,
      seed,
      metrics,
      cells,
    })),
    memory,
    remarks,
  };
}

const tooLong = (length: number, most: string): LctxError =>
  new LctxError(
    "length-too-long",
    `the model takes rows of ${most}, not of ${length}`,
    "ask for shorter ones",
  );

/** Throws LctxError `length-too-long`. */
function checkLengths(lengths: readonly number[], model: TrainableModel): void {
  const { maxLength } = model.program;
  const long = lengths.find((length) => maxLength !== null && length > maxLength);
  if (long !== undefined) throw tooLong(long, `at most ${maxLength} tokens`);
}

/** The model at a length; a length that the program refuses is a mistake of whoever asked. */
async function openAt(open: OpenAt, stage: number, batch: number, length: number): Promise<TrainableModel> {
  try {
    return await open(stage, { batch, length }, ["logits"]);
  } catch (error) {
    if (error instanceof RangeError) throw tooLong(length, `other lengths (${error.message})`);
    throw error;
  }
}

/** Writes what came out beside the run: `evaluation.json`, or `evaluation-<name>.json` for another spec. Returns the path. */
export function writeEvaluation(runFolder: string, evaluation: TasksEvaluation, spec: string | null): string {
  const name = spec === null ? "" : `-${spec.replaceAll(/[^A-Za-z0-9_.-]+/g, "-")}`;
  const path = join(runFolder, `evaluation${name}.json`);
  replaceFile(diskFiles, path, `${JSON.stringify({ format: 1, ...evaluation }, null, 2)}\n`);
  return path;
}
