/** Checks all models, recipes and evaluations of a file. */
import type { ModelItem } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import type { Environment } from "../environment.ts";
import { mistake } from "../mistakes.ts";
import { didYouMean } from "../static-types.ts";
import { checkEvaluate, type Evaluation } from "../task/check-evaluate.ts";
import { checkTrain, type Recipe } from "../train.ts";
import { elaborateModel } from "./elaborate.ts";
import type { Methods, Model } from "./model.ts";

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
  for (const [name, recipe] of recipes) {
    const own = evaluations.filter(({ model }) => model === name).flatMap(({ tasks }) => tasks);
    recipes.set(name, { ...recipe, evaluations: own });
  }
  return { models, recipes, evaluations };
}
