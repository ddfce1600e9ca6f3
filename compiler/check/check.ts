/** Checks a whole project: every item of the root file, and what its models mean. */
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Environment } from "./environment.ts";
import { instantiateAttention } from "./instantiate-attention.ts";
import { instantiateRotation } from "./instantiate-rotation.ts";
import { checkModels, type CheckedModels } from "./model/check-models.ts";

export interface CheckedProject extends CheckedModels {
  readonly environment: Environment;
}

/** Checks every item of the root file; mistakes are reported, and what has none is returned. */
export function checkProject(environment: Environment, reporter: Reporter): CheckedProject {
  const models = checkModels(environment, reporter, { instantiateAttention, instantiateRotation });
  return { environment, ...models };
}
