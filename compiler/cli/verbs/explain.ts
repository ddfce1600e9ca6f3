/** `lctx explain`: the page of a message, or what a spec compiles to. */
import { instantiate } from "../../../runtime/executable.ts";
import { openDevice } from "../../../runtime/device/open.ts";
import { scratchBytes } from "../../../runtime/device/cuda/scratch.ts";
import type { ProgramSources, Target } from "../../../runtime/device/device.ts";
import { LctxError } from "../../../runtime/errors.ts";
import { allPhases, planMemory, type MemoryPlan } from "../../../runtime/plan/memory-plan.ts";
import type { PhaseName } from "../../../runtime/program.ts";
import type { ProjectStage } from "../../../runtime/project/project.ts";
import { availableParallelism } from "node:os";
import { explainNode } from "../explain-node.ts";
import { leftByLoss, compileEvaluation, compileRecipe, stageGraphs, type Compiled } from "../../compile.ts";
import { catalogue } from "../../diagnostics/catalogue.gen.ts";
import { Reporter } from "../../diagnostics/reporter.ts";
import { suggest } from "../../diagnostics/suggest.ts";
import type { Graph } from "../../ir/graph.ts";
import { refuseAttentions } from "../../refuse-attentions.ts";
import { printGraph } from "../../ir/print-graph.ts";
import { showExpr } from "../../ir/print-expr.ts";
import { masksOf } from "../attention-masks.ts";
import { clauseTables } from "../clause-table.ts";
import { openChecked, pick, pickRecipe, sourcesOf, type CheckedSpec } from "../checked-spec.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { cacheFolder } from "../paths.ts";
import { maskText } from "../pictures/mask-picture.ts";
import { printDiagnostics } from "../print-diagnostics.ts";

interface ExplainOptions {
  readonly model?: string;
  readonly set: readonly string[];
  readonly batch?: number;
  readonly length?: number;
  readonly after?: string;
  readonly threads?: number;
  readonly target: Target;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function explainCode(code: string): number {
  const entry = catalogue.find((each) => each.code === code);
  if (entry === undefined) {
    const close = suggest(
      code,
      catalogue.map((each) => ({ name: each.code, kind: "message" })),
    );
    throw new UsageError(
      `no message is called ${JSON.stringify(code)}`,
      close === null ? "docs/reference/messages.md lists all" : `did you mean ${close}?`,
    );
  }
  say(`${entry.severity}[${entry.code}]: ${entry.title}\n\n${entry.why}`);
  if (entry.help !== null) say(`\nhelp: ${entry.help}`);
  if (entry.wrong !== null) say(`\nThis gives the message:\n\n${entry.wrong}`);
  if (entry.right !== null) say(`\nThis does not:\n\n${entry.right}`);
  return exitCodes.ok;
}

/** What each clause reads decides when it is worked out: see `docs/tutorial/05-explain.md`. */
function explainClauses(spec: CheckedSpec): number {
  say(clauseTables(spec.project).join("\n\n"));
  return exitCodes.ok;
}

function explainMasks(spec: CheckedSpec, options: ExplainOptions): number {
  for (const mask of masksOf(spec.project, options.length ?? 24)) {
    say(maskText(mask.grid, process.stdout.columns || 100));
    const share = `${(100 * mask.density).toFixed(1)} % of pairs`;
    say(`  density   ${mask.atMost ? `at most ${share}, as a selection decides` : share}`);
    say(`  mask      ${showExpr(mask.meaning.mask)}`);
    say(`  score     ${showExpr(mask.meaning.score)}`);
    if (mask.meaning.regions.length > 1) say(`  regions   ${mask.meaning.regions.length} rotations`);
    for (const { what } of mask.meaning.unsupported) say(`  not run by target cpu yet: ${what}`);
    say("");
  }
  return exitCodes.ok;
}

function explainGraph(spec: CheckedSpec, options: ExplainOptions): number {
  const model = pick(spec.project.models, options.model, "model");
  const reporter = new Reporter();
  refuseAttentions(model, ["training"], reporter);
  printDiagnostics(reporter.diagnostics, sourcesOf(spec.checked, options.set), "text");
  if (reporter.failed) return exitCodes.specErrors;
  const names: string[] = [];
  let found: string | null = null;
  const recipe = [...spec.project.recipes.values()].find((each) => each.model === model);
  const after = (phase: string, pass: { readonly name: string }, graph: Graph): void => {
    if (phase !== "train") return;
    names.push(pass.name);
    if (pass.name === options.after) found = printGraph(graph);
  };
  const stage = recipe?.stages[0];
  const trained = model.parameters.filter(({ path, trainable }) => stage?.trainable.has(path) ?? trainable);
  const paths = trained.map(({ path }) => path);
  // What the loss says nothing to has no gradient to show.
  const left = leftByLoss(model, paths, stage?.loss.objective);
  const reached = paths.filter((path) => !left.includes(path));
  const graphs = stageGraphs(model, reached, after, stage?.loss.objective);
  if (options.after !== undefined && found === null)
    throw new UsageError(`no pass is called ${JSON.stringify(options.after)}`, `passes: ${names.join(", ")}`);
  say(found ?? printGraph(graphs.train));
  return exitCodes.ok;
}

const mebi = (bytes: number): string =>
  (bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(2)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`).padStart(
    14,
  );

/** What calls keep between their kernels, at most; of an H100 where the number of its multiprocessors decides. */
const scratchOf = (kernels: ProgramSources, sizes: { readonly batch: number; readonly length: number }) =>
  "calls" in kernels
    ? scratchBytes(Object.values(kernels.calls), { ...sizes, "query-start": 0, multiprocessors: 132 })
    : 0;

function sayPlan(plan: MemoryPlan, scratch: number): void {
  for (const [role, bytes] of Object.entries(plan.roles))
    say(`  ${role.padEnd(12)}${mebi(bytes)}  ${bytes} bytes`);
  for (const [phase, bytes] of Object.entries(plan.phaseArena))
    say(`    in ${phase.padEnd(9)}${mebi(bytes ?? 0)}`);
  if (scratch > 0) say(`  ${"kernels".padEnd(12)}${mebi(scratch)}  ${scratch} bytes while they run`);
  say(`  ${"in all".padEnd(12)}${mebi(plan.total + scratch)}  ${plan.total + scratch} bytes`);
}

/** Threads that a program's sizes count, and where it runs, for people. */
function placeOf({ target, threads: asked }: ExplainOptions): {
  readonly threads: number;
  readonly where: string;
} {
  if (target === "cuda") return { threads: 1, where: "on a GPU" };
  const threads = asked ?? availableParallelism();
  return { threads, where: threads === 1 ? "1 thread" : `${threads} threads` };
}

function explainMemory(compiled: Compiled, options: ExplainOptions): number {
  compiled.stages.forEach((stage, n) => {
    const settings = compiled.settings.stages[n]!;
    const batch = options.batch ?? settings.batch.sequences;
    const length = options.length ?? settings.data.length;
    const { threads, where } = placeOf(options);
    const plan = planMemory(stage.program, allPhases, { batch, length, threads, "query-start": 0 });
    say(`${compiled.settings.model}, stage ${stage.name}: ${batch} rows of ${length} tokens, ${where}`);
    sayPlan(plan, scratchOf(stage.kernels, { batch, length }));
  });
  explainEvaluations(compiled, options);
  return exitCodes.ok;
}

/** What one row of each length takes that a task is evaluated at: weights, the row, and one pass. */
function explainEvaluations(compiled: Compiled, options: ExplainOptions): void {
  const { settings, stages } = compiled;
  const [stage, trained] = [stages.at(-1)!, settings.stages.at(-1)!];
  const asked = (settings.evaluations ?? []).flatMap(({ lengths }) => lengths ?? [trained.data.length]);
  const threads = options.threads ?? availableParallelism();
  for (const length of [...new Set(asked)].sort((a, b) => a - b)) {
    const { total } = planMemory(stage.program, ["logits"], { batch: 1, length, threads, "query-start": 0 });
    say(`${settings.model}, evaluated on tasks: 1 row of ${length} tokens`);
    say(`  ${"in all".padEnd(12)}${mebi(total)}  ${total} bytes`);
  }
}

/** Launches of a program without times, for a machine that cannot run it. */
function listLaunches({ model, program, phases }: Runnable, why: LctxError): void {
  say(`${model}: not timed: ${why.message}`);
  for (const phase of phases) {
    const { launches } = program.phases[phase];
    say(`\n${phase}: ${launches.length} launches`);
    for (const { kernel, label } of launches) say(`  ${kernel.padEnd(24)} ${label}`);
  }
}

/** What a device runs for a spec: a stage of its recipe, or a model that others train. */
interface Runnable extends ProjectStage {
  readonly model: string;
  readonly batch: number;
  readonly length: number;
  readonly phases: readonly PhaseName[];
}

/** Every launch of the phases, with its measured time. */
async function explainKernels(runnable: Runnable, options: ExplainOptions): Promise<number> {
  const { model, program, kernels, batch, length, phases } = runnable;
  const where = { kind: "auto", threads: options.threads, cacheFolder: cacheFolder() } as const;
  const device = await openDevice(options.target, where).catch((error: unknown) => {
    const absent = error instanceof LctxError && (error.code === "no-device" || error.code === "no-compiler");
    if (!absent || options.target === "cpu") throw error;
    return error;
  });
  if (device instanceof LctxError) {
    listLaunches(runnable, device);
    return exitCodes.ok;
  }
  try {
    const executable = await instantiate(program, kernels, device, { batch, length });
    say(`${model} on ${device.name}: ${device.description}`);
    const scalars = { lr: 0, step: 1, clip: 3.4e38, seed: 0, accumulate: 0 };
    for (const phase of phases) {
      const times = executable.profile(phase, scalars, 3);
      const whole = times.reduce((sum, each) => sum + each.milliseconds, 0);
      say(`\n${phase}: ${times.length} launches, ${whole.toFixed(1)} ms`);
      for (const { label, kernel, milliseconds } of times)
        say(
          `${milliseconds.toFixed(3).padStart(9)} ms ${((100 * milliseconds) / whole).toFixed(1).padStart(5)} %  ${kernel.padEnd(24)} ${label}`,
        );
    }
    executable.close();
  } finally {
    device.close();
  }
  return exitCodes.ok;
}

/** The first stage's training, as `explain kernels` shows it. */
function firstStage(compiled: Compiled, options: ExplainOptions): Runnable {
  const settings = compiled.settings.stages[0]!;
  return {
    ...compiled.stages[0]!,
    model: compiled.settings.model,
    batch: options.batch ?? settings.batch.sequences,
    length: options.length ?? settings.data.length,
    phases: ["train", "update"],
  };
}

/** A spec without a recipe: its model as it is evaluated and asked, over weights of another run. */
async function explainModel(topic: string, spec: CheckedSpec, options: ExplainOptions): Promise<number> {
  const model = pick(spec.project.models, options.model, "model");
  const reporter = new Reporter();
  const compiled = compileEvaluation(model, reporter, options.target);
  printDiagnostics(reporter.diagnostics, sourcesOf(spec.checked, options.set), "text");
  if (compiled === null) return exitCodes.specErrors;
  if (topic === "node")
    throw new UsageError(
      "explain node is about training, and this spec has no `train` item",
      `lctx explain kernels says what evaluating ${model.name} runs`,
    );
  const { batch = 1, length = model.length } = options;
  const phases = ["loss", "logits"] as const;
  if (topic === "kernels")
    return explainKernels({ ...compiled, model: model.name, batch, length, phases }, options);
  const { threads, where } = placeOf(options);
  const rows = `${batch} ${batch === 1 ? "row" : "rows"} of ${length} tokens`;
  say(`${model.name}, evaluated: ${rows}, ${where}`);
  sayPlan(
    planMemory(compiled.program, phases, { batch, length, threads, "query-start": 0 }),
    scratchOf(compiled.kernels, { batch, length }),
  );
  return exitCodes.ok;
}

export async function explain(
  topic: string,
  path: string | undefined,
  place: string | undefined,
  options: ExplainOptions,
): Promise<number> {
  const topics = ["clauses", "masks", "graph", "node", "memory", "kernels", "task"];
  if (!topics.includes(topic)) return explainCode(topic);
  if (path === undefined)
    throw new UsageError(
      `explain ${topic} needs a spec`,
      `lctx explain ${topic} my.lctx${topic === "node" ? " layers.0.attn" : topic === "task" ? " passkey" : ""}`,
    );
  if (place !== undefined && topic !== "node" && topic !== "task")
    throw new UsageError(`explain ${topic} takes no place`, `lctx explain node ${path} ${place}`);
  const spec = openChecked(path, options.set);
  if (topic === "task") {
    const { explainTask } = await import("../explain-task.ts");
    say(await explainTask(spec, place, options.length ?? 512));
    return exitCodes.ok;
  }
  if (topic === "clauses") return explainClauses(spec);
  if (topic === "masks") return explainMasks(spec, options);
  if (topic === "graph") return explainGraph(spec, options);
  if (spec.project.recipes.size === 0) return explainModel(topic, spec, options);
  const reporter = new Reporter();
  const target = topic === "node" ? "cpu" : options.target;
  const compiled = compileRecipe(pickRecipe(spec.project, options.model), reporter, target);
  printDiagnostics(reporter.diagnostics, sourcesOf(spec.checked, options.set), "text");
  if (compiled === null) return exitCodes.specErrors;
  if (topic === "node") return explainNode(compiled, place, options);
  if (topic === "memory") return explainMemory(compiled, options);
  const first = firstStage(compiled, options);
  if (options.target === "cuda") {
    const { explainCuda } = await import("../explain-cuda.ts");
    say(`${(await explainCuda(compiled, { batch: first.batch, length: first.length })).join("\n")}\n`);
  }
  return explainKernels(first, options);
}
