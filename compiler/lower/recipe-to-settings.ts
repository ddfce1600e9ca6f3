/** Writes a Recipe as the settings that the trainer reads. */
import type { TrainSettings, StageSettings } from "../../runtime/train/settings.ts";
import type { Recipe, RecipeStage } from "../check/train.ts";
import type { StaticValue } from "../check/static-value.ts";

/** What a run has when its spec says nothing; given by the caller, because the runtime owns it. */
export interface RunDefaults {
  readonly seed: number;
  readonly tokenizer: string;
  readonly validate: StageSettings["data"]["validate"];
  readonly clip: number;
  readonly evaluateRows: number;
  readonly keep: number;
  /** Steps between evaluations and checkpoints of a run of so many steps. */
  readonly cadence: (steps: number) => number;
}

/** The settings of a recipe, as plain JSON. */
export function recipeToSettings(recipe: Recipe, defaults: RunDefaults): TrainSettings {
  const steps = recipe.stages.reduce((total, stage) => total + stage.schedule.steps, 0);
  return {
    format: 1,
    model: recipe.model.name,
    seed: recipe.seed ?? defaults.seed,
    stages: recipe.stages.map((stage) => stageSettings(stage, defaults)),
    checkpoint: { every: defaults.cadence(steps), keep: defaults.keep },
    ...(recipe.evaluations.length === 0 ? {} : { evaluations: recipe.evaluations }),
  };
}

function stageSettings(stage: RecipeStage, defaults: RunDefaults): StageSettings {
  const { schedule } = stage;
  const { mix, cut, ...data } = stage.data;
  const validate = data.validate;
  return {
    name: stage.name,
    data: {
      ...data,
      ...(mix === null ? {} : { mix }),
      ...(cut ? { cut } : {}),
      tokenizer: data.tokenizer ?? defaults.tokenizer,
      validate:
        validate === null
          ? defaults.validate
          : { kind: validate.kind === "share" ? "share" : "tokens", value: validate.value },
    },
    loss: {
      objective: stage.loss.objective,
      ...(stage.loss.answersOnly ? { answersOnly: true } : {}),
      exceptToken: stage.loss.exceptToken,
      exceptPositions: stage.loss.exceptPositions,
    },
    optimizer: {
      name: stage.optimizer.definition.name,
      lr: numbersOf(stage.optimizer.arguments.get("lr")!)[0] ?? 0,
      values: Object.fromEntries(
        [...stage.optimizer.arguments]
          .filter(([name]) => name !== "lr")
          .map(([name, value]) => [
            name,
            value.kind === "tuple" ? numbersOf(value) : (numbersOf(value)[0] ?? 0),
          ]),
      ),
    },
    schedule: {
      warmup: { kind: schedule.warmup.kind === "share" ? "share" : "steps", value: schedule.warmup.value },
      shape: schedule.shape,
      to: schedule.to,
      steps: schedule.steps,
    },
    batch: stage.batch,
    clip: stage.clip ?? defaults.clip,
    precision: "f32",
    evaluate: { every: defaults.cadence(schedule.steps), rows: defaults.evaluateRows },
  };
}

/** The numbers of a hyperparameter; true and false count as 1 and 0. */
function numbersOf(value: StaticValue): number[] {
  switch (value.kind) {
    case "number":
      return [value.value];
    case "bool":
      return [value.value ? 1 : 0];
    case "tuple":
      return value.items.flatMap(numbersOf);
    case "text":
    case "table":
    case "method":
    case "unknown":
      return [];
    default:
      return value satisfies never;
  }
}
