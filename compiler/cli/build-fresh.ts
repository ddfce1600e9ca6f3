/** Compiles a spec for the cache of builds; apart from it, since a build that is there needs no compiler. */
import type { TrainSettings } from "../../runtime/train/settings.ts";
import { compileRecipe } from "../compile.ts";
import { refuseTfjs } from "../refuse-tfjs.ts";
import { tfjsScript } from "../tfjs-module.ts";
import { Reporter } from "../diagnostics/reporter.ts";
import { orderTensors } from "../emit/order-tensors.ts";
import { kernelTarget } from "../../runtime/project/engine.ts";
import type { ProjectStage } from "../../runtime/project/project.ts";
import { openChecked, pickRecipe, sourcesOf } from "./checked-spec.ts";
import { printDiagnostics } from "./print-diagnostics.ts";

export interface FreshBuild {
  readonly settings: TrainSettings;
  /** The very programs that an emitted project's model.ts builds. */
  readonly stages: readonly ProjectStage[];
  /** Text of every project file read, by path. */
  readonly sources: ReadonlyMap<string, string>;
}

/** Null when the spec has errors, which were printed. */
export function buildFresh(
  path: string,
  model: string | undefined,
  overrides: readonly string[],
  target: string,
): FreshBuild | null {
  const opened = openChecked(path, overrides);
  if (opened === null) return null;
  const reporter = new Reporter();
  const kernels = kernelTarget(target);
  const compiled = compileRecipe(pickRecipe(opened.project, model), reporter, kernels);
  const refused = new Reporter();
  // A run's script is kept with its programs for the CPU.
  const scripted = kernels === "cpu";
  if (compiled !== null && scripted)
    refuseTfjs(
      compiled.stages.flatMap(({ graphs }) => Object.values(graphs)),
      refused,
    );
  const shown = target === "tfjs" ? refused.diagnostics : [];
  printDiagnostics([...reporter.diagnostics, ...shown], sourcesOf(opened.checked, overrides), "text");
  if (compiled === null || shown.length > 0) return null;
  const stages = compiled.stages.map(({ program, kernels, graphs, update }) => ({
    program: orderTensors(program),
    kernels,
    tfjs: scripted && !refused.failed ? tfjsScript(graphs, update) : null,
  }));
  return { settings: compiled.settings, stages, sources: opened.checked.sources };
}
