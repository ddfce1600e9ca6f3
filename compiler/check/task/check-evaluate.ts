/** Checks `evaluate` items: tasks, lengths, depths, samples and metrics, as settings. */
import type { EvaluateClause, EvaluateItem } from "../../../grammar/ast.ts";
import type { MetricName, TaskEvaluation } from "../../../runtime/tasks/task.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Environment } from "../environment.ts";
import { mistake } from "../mistakes.ts";
import type { Model } from "../model/model.ts";
import type { StaticScope } from "../static.ts";
import { didYouMean } from "../static-types.ts";
import { count, real, within } from "../train-values.ts";
import { callTask } from "./instantiate-task.ts";

/** A checked `evaluate` item. */
export interface Evaluation {
  readonly model: string;
  readonly tasks: readonly TaskEvaluation[];
}

type TaskClause = Extract<EvaluateClause, { kind: "task" }>;

/** What an item has when it says nothing. */
const usual = {
  samples: 20,
  seed: 1,
  depths: [0, 0.25, 0.5, 0.75, 1],
  metrics: ["exact_match"],
} as const satisfies Partial<TaskEvaluation>;

const knownMetrics = ["exact_match", "accuracy", "loss"] as const satisfies readonly MetricName[];

/** The item's tasks with every setting; null after a report. */
export function checkEvaluate(
  item: EvaluateItem,
  model: Model,
  environment: Environment,
  reporter: Reporter,
): Evaluation | null {
  const before = reporter.errorCount;
  const scope: StaticScope = { environment, values: model.settings.arguments };
  const metrics = readMetrics(item, reporter);
  let samples: number = usual.samples;
  let seed: number = usual.seed;
  const first = new Map<string, EvaluateClause>();
  for (const clause of item.clauses) {
    if (clause.kind !== "samples" && clause.kind !== "seed") continue;
    const earlier = first.get(clause.kind);
    if (earlier !== undefined) {
      const secondary = [{ span: earlier.span, label: "first here" }];
      mistake(reporter, "train-clause-repeated", clause.span, { clause: clause.kind }, { secondary });
      continue;
    }
    first.set(clause.kind, clause);
    const value = count(clause.value, clause.kind, scope, reporter, clause.kind === "samples" ? 1 : 0);
    if (value === null) continue;
    if (clause.kind === "samples") samples = value;
    else seed = value;
  }
  const clauses = item.clauses.filter((clause) => clause.kind === "task");
  if (clauses.length === 0)
    mistake(reporter, "evaluate-without-task", item.model.span, { model: model.name });
  const tasks: TaskEvaluation[] = [];
  for (const clause of clauses) {
    const task = callTask(clause.task, environment, scope, reporter);
    if (task === null) continue;
    if (task.question === null) {
      mistake(reporter, "task-without-question", clause.task.span, { name: task.name });
      continue;
    }
    const lengths = checkLengths(clause, model, scope, reporter);
    const depths = checkDepths(clause, task.readsDepth, task.name, scope, reporter);
    tasks.push({ task, lengths, depths, samples, seed, metrics });
  }
  return reporter.errorCount > before ? null : { model: model.name, tasks };
}

function readMetrics(item: EvaluateItem, reporter: Reporter): readonly MetricName[] {
  const found: MetricName[] = [];
  for (const clause of item.clauses) {
    if (clause.kind !== "metric") continue;
    const name = clause.metric.text;
    const metric = knownMetrics.find((known) => known === name);
    if (metric === undefined)
      mistake(reporter, "metric-unknown", clause.metric.span, { name }, didYouMean(name, knownMetrics));
    else if (!found.includes(metric)) found.push(metric);
  }
  return found.length === 0 ? usual.metrics : found;
}

function checkLengths(
  { lengths: written }: TaskClause,
  model: Model,
  scope: StaticScope,
  reporter: Reporter,
): readonly number[] | null {
  if (written === null) return null;
  const lengths: number[] = [];
  const add = (length: number, span: { file: string; start: number; end: number }): void => {
    if (model.maxLength !== null && length > model.maxLength)
      mistake(reporter, "length-too-long", span, { length, limit: model.maxLength, model: model.name });
    else if (!lengths.includes(length)) lengths.push(length);
  };
  for (const expr of written.values) {
    const length = count(expr, "lengths", scope, reporter, 1);
    if (length !== null) add(length, expr.span);
  }
  if (written.to === null) return lengths;
  const from = lengths.at(-1);
  const to = count(written.to, "lengths", scope, reporter, 1);
  if (from === undefined || to === null) return lengths;
  let length = from;
  while (length < to) length *= 2;
  if (length !== to) mistake(reporter, "lengths-not-doubling", written.to.span, { from, to });
  else for (let next = from; next <= to; next *= 2) add(next, written.to.span);
  return lengths;
}

function checkDepths(
  clause: TaskClause,
  readsDepth: boolean,
  name: string,
  scope: StaticScope,
  reporter: Reporter,
): readonly number[] | null {
  const [first] = clause.depths;
  if (first === undefined) return readsDepth ? usual.depths : null;
  if (!readsDepth) {
    mistake(reporter, "task-without-depth", first.value.span, { name });
    return null;
  }
  const depths: number[] = [];
  for (const { value: expr } of clause.depths) {
    const value = real(expr, "depths", scope, reporter);
    if (value === null) continue;
    const fits = within(value, value >= 0 && value <= 1, "depths", "from 0% to 100%", expr, reporter);
    if (fits !== null && !depths.includes(value)) depths.push(value);
  }
  return depths;
}
