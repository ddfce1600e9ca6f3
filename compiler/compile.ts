/** From a checked recipe to programs and kernels. Pure. */
import type { ProgramSources, Target } from "../runtime/device/device.ts";
import type { Program } from "../runtime/program.ts";
import { defaultCadence, defaults, type TrainSettings } from "../runtime/train/settings.ts";
import { NoCudaCall } from "./backends/cuda/program/no-cuda-call.ts";
import { buildCudaProgram, buildProgram, type ProgramRequest } from "./build-program.ts";
import type { Model } from "./check/model/model.ts";
import { termOrder } from "./check/model/term-order.ts";
import type { Recipe, RecipeStage } from "./check/train.ts";
import { messages } from "./diagnostics/messages.gen.ts";
import { Reporter } from "./diagnostics/reporter.ts";
import { gradientReach } from "./ir/gradient-operands.ts";
import type { Graph, UpdateRule } from "./ir/graph.ts";
import { modelToGraph, parameterInfos } from "./lower/model-to-graph.ts";
import { optimizerToRule } from "./lower/optimizer-to-rule.ts";
import { recipeToSettings } from "./lower/recipe-to-settings.ts";
import { differentiate } from "./passes/differentiate.ts";
import type { GraphPass } from "./passes/pass.ts";
import { optimizeGraph } from "./passes/pipeline.ts";
import { refuseAttentions } from "./refuse-attentions.ts";
import { refuseTfjs } from "./refuse-tfjs.ts";
import { tfjsScript } from "./tfjs-module.ts";

export { checkSpec, type Checked } from "./check-spec.ts";

/** Graphs of a stage before they are scheduled. */
export interface StageGraphs {
  readonly loss: Graph;
  readonly train: Graph;
  readonly logits: Graph;
}

export interface CompiledStage {
  readonly name: string;
  readonly program: Program;
  readonly kernels: ProgramSources;
  readonly graphs: StageGraphs;
  /** What a step does to each trained parameter. */
  readonly update: UpdateRule;
}

export interface Compiled {
  readonly model: Model;
  readonly settings: TrainSettings;
  readonly stages: readonly CompiledStage[];
}

/** The model with exactly a stage's weights trainable. */
function modelOfStage(model: Model, stage: RecipeStage): Model {
  const parameters = model.parameters.map((parameter) => ({
    ...parameter,
    trainable: stage.trainable.has(parameter.path),
  }));
  return { ...model, parameters };
}

/** The optimised graphs of a model; `after` sees each phase's graph after each pass. */
export function stageGraphs(
  model: Model,
  trained: readonly string[],
  after: (phase: keyof StageGraphs, pass: GraphPass, graph: Graph) => void = () => {},
  objective: RecipeStage["loss"]["objective"] = "next_token",
): StageGraphs {
  const output = objective === "teach" ? "teach" : "loss";
  const optimise = (phase: keyof StageGraphs, graph: Graph): Graph =>
    optimizeGraph(graph, (pass, result) => after(phase, pass, result));
  return {
    loss: optimise("loss", modelToGraph(model, { phase: "evaluation", output })),
    train: optimise("train", differentiate(modelToGraph(model, { phase: "training", output }), trained)),
    logits: optimise("logits", modelToGraph(model, { phase: "decoding", output: "logits" })),
  };
}

/** Weights that the loss of a model says nothing to. */
export function leftByLoss(
  model: Model,
  trained: readonly string[],
  objective: RecipeStage["loss"]["objective"] = "next_token",
): readonly string[] {
  const output = objective === "teach" ? "teach" : "loss";
  const { outputs } = modelToGraph(model, { phase: "training", output });
  const reached = [...gradientReach(outputs.get("loss")!)];
  const paths = new Set(reached.flatMap((node) => (node.kind === "parameter" ? [node.path] : [])));
  return trained.filter((path) => !paths.has(path));
}

/** False after a report that the loss says nothing to a weight that is to be trained. */
function reachedByLoss(
  model: Model,
  trained: readonly string[],
  stage: RecipeStage,
  reporter: Reporter,
): boolean {
  const { objective } = stage.loss;
  const [path, ...others] = leftByLoss(model, trained, objective);
  if (path === undefined) return true;
  const weights = `\`${path}\`${others.length === 0 ? "" : ` and ${others.length} more`}`;
  const report = objective === "teach" ? messages.teachLeavesWeights : messages.lossLeavesWeights;
  reporter.add(report({ weights }, stage.loss.span));
  return false;
}

interface Built {
  readonly program: Program;
  readonly kernels: ProgramSources;
}

/** The program for a target; null after a report of a part of the graph that has no kernel there. */
function buildFor(target: Target, request: ProgramRequest, model: Model, reporter: Reporter): Built | null {
  try {
    const { program, sources } = (target === "cuda" ? buildCudaProgram : buildProgram)(request);
    return { program, kernels: sources };
  } catch (error) {
    if (!(error instanceof NoCudaCall)) throw error;
    const { site, origin } = error.node;
    reporter.add(messages.noGpuKernel({ site, why: error.why }, origin[0] ?? model.span));
    return null;
  }
}

function compileStage(
  model: Model,
  stage: RecipeStage,
  target: Target,
  reporter: Reporter,
): CompiledStage | null {
  const own = modelOfStage(model, stage);
  const rule = optimizerToRule(stage.optimizer, reporter);
  if (rule === null) return null;
  const trained = own.parameters.filter((parameter) => parameter.trainable).map(({ path }) => path);
  const { objective } = stage.loss;
  if (!reachedByLoss(own, trained, stage, reporter)) return null;
  const graphs = stageGraphs(own, trained, undefined, objective);
  const request: ProgramRequest = {
    name: model.name,
    graphs,
    update: rule,
    parameters: parameterInfos(own),
    maxLength: model.maxLength,
  };
  const built = buildFor(target, request, own, reporter);
  return built === null ? null : { name: stage.name, ...built, graphs, update: rule };
}

/** Says what the spec means and no kernel computes: leaving it out would train something else. */
function refuseUnsupported(recipe: Recipe, reporter: Reporter): void {
  for (const { loss } of recipe.stages) {
    const teaches = termOrder(recipe.model.output).some(
      (term) => term.kind === "attention" && term.instance.phases.evaluation.teachers.length > 0,
    );
    if (loss.objective === "teach" && !teaches) reporter.add(messages.teachNotEvaluated(loss.span));
  }
  refuseAttentions(recipe.model, ["training", "evaluation", "decoding"], reporter);
}

/** A program that evaluates and never trains, for weights that come from elsewhere; null after reported refusals. */
export function compileEvaluation(
  model: Model,
  reporter: Reporter,
  target: Target = "cpu",
): (Built & { readonly tfjs: string | null }) | null {
  refuseAttentions(model, ["evaluation", "decoding"], reporter);
  if (reporter.failed) return null;
  const graphs = {
    loss: optimizeGraph(modelToGraph(model, { phase: "evaluation", output: "loss" })),
    logits: optimizeGraph(modelToGraph(model, { phase: "decoding", output: "logits" })),
  };
  const request: ProgramRequest = {
    name: model.name,
    graphs,
    update: null,
    parameters: parameterInfos(model),
    maxLength: model.maxLength,
  };
  const built = buildFor(target, request, model, reporter);
  return built === null ? null : { ...built, tfjs: target === "cpu" ? tfjsScriptOrNull(graphs) : null };
}

/** Null where TensorFlow.js cannot hold the program: whoever runs it there is told. */
function tfjsScriptOrNull(graphs: { readonly loss: Graph; readonly logits: Graph }): string | null {
  const refused = new Reporter();
  refuseTfjs(Object.values(graphs), refused);
  return refused.failed ? null : tfjsScript(graphs, null);
}

/** Programs and settings of a recipe; null after reported refusals. */
export function compileRecipe(recipe: Recipe, reporter: Reporter, target: Target = "cpu"): Compiled | null {
  const { model } = recipe;
  if (model.pretrained !== null) {
    reporter.add(messages.pretrainedNotLoaded({ id: model.pretrained }, model.span));
  }
  for (const stage of recipe.stages)
    if (stage.precision.name !== "f32")
      reporter.add(messages.precisionWidened({ name: stage.precision.name }, stage.precision.span));
  refuseUnsupported(recipe, reporter);
  if (reporter.failed) return null;
  const stages: CompiledStage[] = [];
  for (const stage of recipe.stages) {
    const compiled = compileStage(model, stage, target, reporter);
    if (compiled === null || reporter.failed) return null;
    stages.push(compiled);
  }
  const settings = recipeToSettings(recipe, {
    seed: defaults.seed,
    tokenizer: defaults.tokenizer,
    validate: defaults.validate,
    clip: defaults.clip,
    evaluateRows: defaults.evaluateRows,
    keep: defaults.keep,
    cadence: defaultCadence,
  });
  return { model, settings, stages };
}
