/** Checks a `train` item against its model: every line with its default, as a Recipe. */
import type { TrainClause, TrainItem } from "../../grammar/ast.ts";
import type { MixPart, TaskEvaluation } from "../../runtime/tasks/task.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Span } from "../source/span.ts";
import type { Environment } from "./environment.ts";
import { findItem, itemHelp } from "./find-item.ts";
import { mistake } from "./mistakes.ts";
import { shownModel, siteHelp, showPattern, trainedPaths } from "./model/attach.ts";
import { aheadAsksLength, visibleTargets } from "./model/visible-targets.ts";
import type { Model } from "./model/model.ts";
import { readOptimizer } from "./optimizer.ts";
import { checkInsertedBlocks, checkTaught } from "./recipe-attention.ts";
import { bindArguments, type StaticScope } from "./static.ts";
import { didYouMean } from "./static-types.ts";
import { checkAnswers, checkSource } from "./task/check-data.ts";
import type { MethodValue } from "./static-value.ts";
import { amount, count, real, within, type RecipeAmount } from "./train-values.ts";

/** One stage of training with every default filled in. */
export interface RecipeStage {
  readonly name: string;
  readonly data: {
    /** Empty for a task or a mix. */
    readonly source: string;
    /** Null: the one text. */
    readonly mix: readonly MixPart[] | null;
    /** null: bytes. */
    readonly tokenizer: string | null;
    readonly length: number;
    readonly packed: boolean;
    readonly cut: boolean;
    readonly insert: { readonly token: string; readonly every: number } | null;
    readonly validate: RecipeAmount | null;
  };
  readonly loss: {
    readonly objective: "next_token" | "teach";
    readonly span: Span;
    /** In rows of tasks only answers count. */
    readonly answersOnly: boolean;
    readonly exceptToken: string | null;
    /** Positions `[from, to)` whose targets their own query can see. */
    readonly exceptPositions: readonly (readonly [number, number])[];
  };
  readonly optimizer: MethodValue;
  readonly schedule: {
    readonly warmup: RecipeAmount;
    readonly shape: "constant" | "cosine" | "linear";
    readonly to: number;
    readonly steps: number;
  };
  /** `sequences` rows run at once, `accumulate` runs make one step. */
  readonly batch: { readonly sequences: number; readonly accumulate: number };
  /** null: as the run's default says. */
  readonly clip: number | null;
  readonly precision: { readonly name: "f32" | "bf16"; readonly span: Span };
  readonly recompute: "none" | "layers";
  /** Paths of the weights that train in this stage. */
  readonly trainable: ReadonlySet<string>;
}

/** A checked `train` item. */
export interface Recipe {
  readonly model: Model;
  /** null: the run's default. */
  readonly seed: number | null;
  readonly stages: readonly RecipeStage[];
  /** Tasks of the model's `evaluate` items. */
  readonly evaluations: readonly TaskEvaluation[];
  readonly span: Span;
}

type Kind = TrainClause["kind"];
type Clauses = ReadonlyMap<Kind, TrainClause>;
const words: Readonly<Partial<Record<Kind, string>>> = {
  "optimizer-choice": "optimizer",
  "train-sites": "train",
};
const wordOf = (kind: Kind): string => words[kind] ?? kind;

/** The recipe of a `train` item; null after a report. */
export function checkTrain(
  item: TrainItem,
  model: Model,
  environment: Environment,
  reporter: Reporter,
): Recipe | null {
  const own = collect(item.clauses, reporter);
  const stages = item.clauses.filter((clause) => clause.kind === "stage");
  const scope: StaticScope = { environment, values: model.settings.arguments };
  const checked: (RecipeStage | null)[] = [];
  const names = new Map<string, Span>();
  for (const stage of stages) {
    const name = stage.name.text;
    const first = names.get(name);
    if (first !== undefined)
      mistake(
        reporter,
        "name-repeated",
        stage.name.span,
        { name },
        { secondary: [{ span: first, label: "first here" }] },
      );
    names.set(name, stage.name.span);
    // A stage says only what differs from the lines above the stages.
    const clauses = new Map([...own, ...collect(stage.clauses, reporter)]);
    checked.push(checkStage(name, clauses, model, scope, stage.name.span, reporter));
  }
  if (stages.length === 0) checked.push(checkStage("main", own, model, scope, item.model.span, reporter));
  let seed: number | null = null;
  const written = own.get("seed");
  if (written?.kind === "seed") seed = count(written.value, "seed", scope, reporter, 0);
  if (checked.includes(null) || (written !== undefined && seed === null)) return null;
  return { model, seed, stages: checked as RecipeStage[], evaluations: [], span: item.span };
}

function collect(clauses: readonly TrainClause[], reporter: Reporter): Map<Kind, TrainClause> {
  const found = new Map<Kind, TrainClause>();
  for (const clause of clauses) {
    if (clause.kind === "stage") continue;
    const first = found.get(clause.kind);
    if (first === undefined) found.set(clause.kind, clause);
    else {
      const secondary = [{ span: first.span, label: "first here" }];
      mistake(reporter, "train-clause-repeated", clause.span, { clause: wordOf(clause.kind) }, { secondary });
    }
  }
  return found;
}

const examples = {
  data: 'data tokens "text.txt"',
  loss: "loss next_token",
  "optimizer-choice": "optimizer name(lr: 1e-3)",
  schedule: "schedule cosine to 0 over 1000",
  batch: "batch 16 sequences",
} as const;

function checkStage(
  name: string,
  clauses: Clauses,
  model: Model,
  scope: StaticScope,
  span: Span,
  reporter: Reporter,
): RecipeStage | null {
  for (const kind of Object.keys(examples) as (keyof typeof examples)[])
    if (!clauses.has(kind))
      mistake(reporter, "train-clause-missing", span, { clause: wordOf(kind), example: examples[kind] });
  const data = checkData(clauses, model, scope, reporter);
  const loss = data === null ? null : checkLoss(clauses, model, data, reporter);
  const optimizer = checkOptimizer(clauses, scope, reporter);
  const schedule = checkSchedule(clauses, scope, reporter);
  const batch = data === null ? null : checkBatch(clauses, data.length, scope, reporter);
  const trainable = checkTrainable(clauses, model, reporter);
  const clip = clauses.get("clip");
  let most: number | null = null;
  if (clip?.kind === "clip") {
    const value = real(clip.value, "clip", scope, reporter);
    most = value === null ? null : within(value, value > 0, "clip", "above 0", clip.value, reporter);
    if (most === null) return null;
  }
  const precision = checkWord(clauses, "precision", ["f32", "bf16"] as const, span, reporter);
  const recompute = checkWord(clauses, "recompute", ["none", "layers"] as const, span, reporter);
  if (data === null || loss === null || optimizer === null || schedule === null || batch === null)
    return null;
  if (trainable === null || precision === null || recompute === null) return null;
  return {
    name,
    data,
    loss,
    optimizer,
    schedule,
    batch,
    clip: most,
    precision,
    recompute: recompute.name,
    trainable,
  };
}

/** `precision bf16`, `recompute layers`: one of a few words, the first when not written. */
function checkWord<W extends string>(
  clauses: Clauses,
  kind: "precision" | "recompute",
  known: readonly [W, ...W[]],
  span: Span,
  reporter: Reporter,
): { readonly name: W; readonly span: Span } | null {
  const clause = clauses.get(kind);
  if (clause?.kind !== "precision" && clause?.kind !== "recompute") return { name: known[0], span };
  const found = known.find((word) => word === clause.value.text);
  if (found !== undefined) return { name: found, span: clause.value.span };
  mistake(reporter, `${kind}-unknown`, clause.value.span, { name: clause.value.text });
  return null;
}

function checkData(
  clauses: Clauses,
  model: Model,
  scope: StaticScope,
  reporter: Reporter,
): RecipeStage["data"] | null {
  const clause = clauses.get("data");
  if (clause?.kind !== "data") return null;
  const length = clause.length === null ? model.length : count(clause.length, "length", scope, reporter, 1);
  if (length === null) return null;
  if (length > model.length) {
    const holes = { length, limit: model.length, model: model.name };
    mistake(reporter, "length-too-long", clause.length?.span ?? clause.span, holes);
    return null;
  }
  let insert: { token: string; every: number } | null = null;
  if (clause.insert !== null) {
    const every = count(clause.insert.every, "every", scope, reporter, 1);
    if (every === null || !checkInsertedBlocks(clause, every, model, reporter)) return null;
    insert = { token: clause.insert.token.text, every };
  }
  const validate = clause.validate === null ? null : amount(clause.validate, "validate", scope, reporter);
  if (clause.validate !== null && validate === null) return null;
  if (clause.packed && clause.cut) {
    mistake(reporter, "rows-packed-and-cut", clause.span);
    return null;
  }
  const tokenizer = clause.tokenizer?.value ?? null;
  const from = checkSource(clause, scope, reporter);
  if (from === null) return null;
  return { ...from, tokenizer, length, packed: clause.packed, cut: clause.cut, insert, validate };
}

const objectives = ["next_token", "teach"] as const;

function checkLoss(
  clauses: Clauses,
  model: Model,
  data: RecipeStage["data"],
  reporter: Reporter,
): RecipeStage["loss"] | null {
  const clause = clauses.get("loss");
  if (clause?.kind !== "loss") return null;
  const name = clause.objective.text;
  const objective = objectives.find((known) => known === name);
  if (objective === undefined) {
    mistake(reporter, "loss-unknown", clause.objective.span, { name }, didYouMean(name, objectives));
    return null;
  }
  if (objective === "teach" && !checkTaught(model, clause.objective.span, reporter)) return null;
  const ahead = clause.except?.text === "ahead";
  if (data.cut && aheadAsksLength(model)) {
    mistake(reporter, "ahead-of-cut-rows", clause.span);
    return null;
  }
  const seen = visibleTargets(model, data.length);
  if (seen.length > 0 && !ahead) {
    mistake(reporter, "loss-sees-target", clause.span);
    return null;
  }
  const answersOnly = checkAnswers(clause, data.mix, reporter);
  if (answersOnly === null) return null;
  const exceptToken = ahead ? null : (clause.except?.text ?? null);
  return { objective, span: clause.span, answersOnly, exceptToken, exceptPositions: seen };
}

function checkOptimizer(clauses: Clauses, scope: StaticScope, reporter: Reporter): MethodValue | null {
  const clause = clauses.get("optimizer-choice");
  if (clause?.kind !== "optimizer-choice") return null;
  const { callee } = clause.optimizer;
  const name = callee.kind === "name" ? callee.name : callee.member.text;
  const definition = findItem(scope.environment, name, ["optimizer"]);
  if (definition?.item.kind !== "optimizer") {
    const help = itemHelp(name, definition, "optimizer", scope.environment);
    mistake(reporter, "optimizer-unknown", callee.span, { name }, help);
    return null;
  }
  const value = bindArguments(definition, clause.optimizer, scope, reporter);
  if (value === null) return null;
  const lr = value.arguments.get("lr");
  if (lr?.kind === "number") return readOptimizer(value, reporter) === null ? null : value;
  mistake(reporter, "optimizer-without-lr", definition.item.name.span, { name });
  return null;
}

function checkSchedule(
  clauses: Clauses,
  scope: StaticScope,
  reporter: Reporter,
): RecipeStage["schedule"] | null {
  const clause = clauses.get("schedule");
  if (clause?.kind !== "schedule") return null;
  const shapes = ["constant", "cosine", "linear"] as const;
  const shape = shapes.find((known) => known === clause.shape.text);
  if (shape === undefined) {
    const name = clause.shape.text;
    mistake(reporter, "schedule-unknown", clause.shape.span, { name }, didYouMean(name, shapes));
    return null;
  }
  const steps = count(clause.over, "over", scope, reporter, 1);
  const to = clause.to === null ? 0 : real(clause.to, "to", scope, reporter);
  const warmup: RecipeAmount | null =
    clause.warmup === null ? { kind: "count", value: 0 } : amount(clause.warmup, "warmup", scope, reporter);
  if (steps === null || to === null || warmup === null) return null;
  if (clause.to !== null && within(to, to >= 0, "to", "at least 0", clause.to, reporter) === null)
    return null;
  if (clause.warmup !== null && warmup.kind === "count") {
    const fits = warmup.value <= steps;
    if (within(warmup.value, fits, "warmup", `at most ${steps}`, clause.warmup.value, reporter) === null)
      return null;
  }
  return { warmup, shape, to, steps };
}

function checkBatch(
  clauses: Clauses,
  length: number,
  scope: StaticScope,
  reporter: Reporter,
): RecipeStage["batch"] | null {
  const clause = clauses.get("batch");
  if (clause?.kind !== "batch") return null;
  const size = count(clause.size, "batch", scope, reporter, 1);
  const accumulate =
    clause.accumulate === null ? 1 : count(clause.accumulate, "accumulate", scope, reporter, 1);
  if (size === null || accumulate === null) return null;
  if (clause.unit === "tokens" && size % length !== 0) {
    mistake(reporter, "batch-not-whole", clause.size.span, { tokens: size, length });
    return null;
  }
  const sequences = clause.unit === "tokens" ? size / length : size;
  if (sequences % accumulate !== 0) {
    mistake(reporter, "accumulate-not-whole", clause.accumulate!.span, { sequences, accumulate });
    return null;
  }
  return { sequences: sequences / accumulate, accumulate };
}

/** What trains in a stage: what the model's `adapt` leaves trainable, or of that what the stage names. */
function checkTrainable(clauses: Clauses, model: Model, reporter: Reporter): ReadonlySet<string> | null {
  const trainable = model.parameters
    .filter((parameter) => parameter.trainable)
    .map((parameter) => parameter.path);
  const clause = clauses.get("train-sites");
  if (clause?.kind !== "train-sites") return new Set(trainable);
  let ok = true;
  const named = trainedPaths(clause.sites, model.site, (pattern) => {
    ok = false;
    const holes = { pattern: showPattern(pattern), model: shownModel(model.name, model.pretrained) };
    mistake(reporter, "adapter-site-unknown", pattern.span, holes, siteHelp(pattern, model.site));
  });
  if (!ok) return null;
  const chosen = trainable.filter((path) => named.has(path));
  if (chosen.length > 0) return new Set(chosen);
  mistake(reporter, "nothing-trains", clause.span, { model: model.name });
  return null;
}
