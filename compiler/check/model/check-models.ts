/** Checks all models, recipes and evaluations of a file. */
import type { EvaluateItem, ModelItem } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import type { Environment } from "../environment.ts";
import { mistake } from "../mistakes.ts";
import { evaluateCount, evaluateStatic, type StaticScope } from "../static.ts";
import { didYouMean } from "../static-types.ts";
import type { StaticValue } from "../static-value.ts";
import { checkTrain, type Recipe } from "../train.ts";
import { elaborateModel } from "./elaborate.ts";
import type { Methods, Model } from "./model.ts";

/** A checked `evaluate` item. */
export interface Evaluation {
  readonly model: string;
  readonly tasks: readonly {
    readonly name: string;
    /** Of a task that is called. */
    readonly arguments: ReadonlyMap<string, StaticValue>;
    /** Row lengths; null: the model's. */
    readonly lengths: readonly number[] | null;
  }[];
  readonly metrics: readonly string[];
}

export interface CheckedModels {
  readonly models: ReadonlyMap<string, Model>;
  /** By model name. */
  readonly recipes: ReadonlyMap<string, Recipe>;
  readonly evaluations: readonly Evaluation[];
}

/** Every model, recipe and evaluation that has no mistake; mistakes are reported. */
export function checkModels(environment: Environment, reporter: Reporter, methods: Methods): CheckedModels {
  const models = new Map<string, Model>();
  const recipes = new Map<string, Recipe>();
  const evaluations: Evaluation[] = [];
  const { items } = environment.file;
  const declared = new Map<string, ModelItem>();
  for (const item of items) {
    if (item.kind !== "model" || declared.has(item.name.text)) continue;
    declared.set(item.name.text, item);
    const model = elaborateModel(item, environment, reporter, methods);
    if (model !== null) models.set(item.name.text, model);
  }
  const seen = new Map<string, { readonly span: Span }>();
  for (const item of items) {
    if (item.kind !== "adapt" && item.kind !== "train" && item.kind !== "evaluate") continue;
    const name = item.model.text;
    if (!declared.has(name)) {
      const imported = environment.names.get(name)?.item.kind === "model";
      const help = imported
        ? { help: `\`${name}\` is imported: declare a model in this file` }
        : didYouMean(name, [...declared.keys()]);
      mistake(reporter, "model-unknown", item.model.span, { name }, help);
      continue;
    }
    const model = models.get(name);
    if (item.kind === "train") {
      const first = seen.get(name);
      seen.set(name, item.model);
      if (first !== undefined)
        mistake(
          reporter,
          "train-repeated",
          item.model.span,
          { name },
          { secondary: [{ span: first.span, label: "first here" }] },
        );
      else if (model !== undefined) {
        const recipe = checkTrain(item, model, environment, reporter);
        if (recipe !== null) recipes.set(name, recipe);
      }
    }
    if (item.kind === "evaluate" && model !== undefined) {
      const evaluation = checkEvaluate(item, model, environment, reporter);
      if (evaluation !== null) evaluations.push(evaluation);
    }
  }
  return { models, recipes, evaluations };
}

function checkEvaluate(
  item: EvaluateItem,
  model: Model,
  environment: Environment,
  reporter: Reporter,
): Evaluation | null {
  const scope: StaticScope = { environment, values: model.settings.arguments };
  const tasks: Evaluation["tasks"][number][] = [];
  const metrics: string[] = [];
  let ok = true;
  for (const clause of item.clauses) {
    if (clause.kind === "metric") {
      metrics.push(clause.metric.text);
      continue;
    }
    const given = new Map<string, StaticValue>();
    const { task } = clause;
    if ("kind" in task)
      for (const [n, argument] of task.arguments.entries())
        given.set(argument.name?.text ?? String(n), evaluateStatic(argument.value, scope, reporter));
    let lengths: readonly number[] | null = null;
    if (clause.lengths !== null) {
      lengths = checkLengths(clause.lengths, scope, reporter);
      ok &&= lengths !== null;
    }
    const callee = "kind" in task ? task.callee : null;
    const name =
      callee === null
        ? (task as { text: string }).text
        : callee.kind === "name"
          ? callee.name
          : callee.member.text;
    tasks.push({ name, arguments: given, lengths });
  }
  return ok ? { model: model.name, tasks, metrics } : null;
}

type Lengths = NonNullable<Extract<EvaluateItem["clauses"][number], { kind: "task" }>["lengths"]>;

function checkLengths(written: Lengths, scope: StaticScope, reporter: Reporter): readonly number[] | null {
  const from = evaluateCount(written.from, "lengths", scope, reporter);
  const to = written.to === null ? from : evaluateCount(written.to, "lengths", scope, reporter);
  if (from === null || to === null) return null;
  const last = written.to ?? written.from;
  if (from < 1 || to < from) {
    mistake(reporter, "value-out-of-range", last.span, {
      name: "lengths",
      expected: "rising, from at least 1",
      value: to,
    });
    return null;
  }
  if (from === to) return [from];
  if (!written.doubling) return [from, to];
  const lengths: number[] = [];
  for (let length = from; length <= to; length *= 2) lengths.push(length);
  if (lengths.at(-1) === to) return lengths;
  mistake(reporter, "lengths-not-doubling", last.span, { from, to });
  return null;
}
