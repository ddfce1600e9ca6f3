/** Compiles a spec to evaluate the weights of a run with: a model of the same parameters, and the tasks it names. */
import type { Target } from "../../runtime/device/device.ts";
import type { ProjectStage } from "../../runtime/project/project.ts";
import type { TaskEvaluation } from "../../runtime/tasks/task.ts";
import { compileEvaluation } from "../compile.ts";
import { Reporter } from "../diagnostics/reporter.ts";
import { openChecked, pick, sourcesOf } from "./checked-spec.ts";
import { exitCodes, SpecRefused } from "./exit-codes.ts";
import { printDiagnostics } from "./print-diagnostics.ts";

export interface OtherSpec {
  readonly program: ProjectStage;
  /** Tasks of the model's `evaluate` items; none: those of the run. */
  readonly evaluations: readonly TaskEvaluation[];
  readonly model: string;
}

/**
 * `model` names one of several; else the spec's only model, or the one called as the run's is. Throws SpecRefused after
 * printing the spec's mistakes.
 */
export function compileOther(
  path: string,
  model: string | undefined,
  runModel: string,
  overrides: readonly string[],
  target: Target = "cpu",
): OtherSpec {
  const { project, checked } = openChecked(path, overrides);
  const same = project.models.size > 1 && project.models.has(runModel) ? runModel : undefined;
  const chosen = pick(project.models, model ?? same, "model");
  const reporter = new Reporter();
  const program = compileEvaluation(chosen, reporter, target);
  printDiagnostics(reporter.diagnostics, sourcesOf(checked, overrides), "text");
  if (program === null) throw new SpecRefused(exitCodes.specErrors);
  const evaluations = project.evaluations.filter((each) => each.model === chosen.name);
  return { program, evaluations: evaluations.flatMap(({ tasks }) => tasks), model: chosen.name };
}
