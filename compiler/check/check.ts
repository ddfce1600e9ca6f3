/** Checks a whole project: every item of the root file, and what its models mean. */
import type { AttentionInstance, AttentionShape } from "../ir/attention-meaning.ts";
import { Reporter } from "../diagnostics/reporter.ts";
import { checkBodies, checkDefinition } from "./attention/check-bodies.ts";
import { checkVisible } from "./attention/check-visible.ts";
import type { Definition, Environment } from "./environment.ts";
import { instantiateAttention } from "./instantiate-attention.ts";
import { instantiateRotation } from "./instantiate-rotation.ts";
import { checkModels, type CheckedModels } from "./model/check-models.ts";
import { bindArguments } from "./static.ts";
import type { MethodValue } from "./static-value.ts";

export interface CheckedProject extends CheckedModels {
  readonly environment: Environment;
}

/** Sizes an attention is looked at with when no model of the file uses it: even, with many divisors. */
const plainShape: AttentionShape = { heads: 8, kvHeads: 8, headSize: 16, length: 96 };

/** An attention with its defaults, or null when a parameter has none. */
function withDefaults(definition: Definition, environment: Environment): MethodValue | null {
  const { item } = definition;
  if (item.kind !== "attention" || item.parameters.some((parameter) => parameter.value === null)) return null;
  const call = { arguments: [], span: item.name.span };
  return bindArguments(definition, call, { environment, values: new Map() }, new Reporter());
}

/** Checks every item of the root file; mistakes are reported, and what has none is returned. */
export function checkProject(environment: Environment, reporter: Reporter): CheckedProject {
  const used = new Set<string>();
  for (const item of environment.file.items) {
    if (item.kind === "mask" || item.kind === "score") checkDefinition(item, reporter);
    if (item.kind === "attention") checkBodies(item, reporter);
  }
  const instantiateChecked = (
    value: MethodValue,
    shape: AttentionShape,
    into: Reporter,
  ): AttentionInstance | null => {
    const instance = instantiateAttention(value, shape, into);
    const { item } = value.definition;
    if (instance !== null && item.kind === "attention") {
      used.add(`${item.name.span.file}:${item.name.text}`);
      checkVisible(item, instance, shape.heads, into);
    }
    return instance;
  };
  const models = checkModels(environment, reporter, {
    instantiateAttention: instantiateChecked,
    instantiateRotation,
  });
  for (const item of environment.file.items) {
    if (item.kind !== "attention" || used.has(`${item.name.span.file}:${item.name.text}`)) continue;
    const definition = environment.names.get(item.name.text);
    if (definition === undefined || definition.item !== item) continue;
    const value = withDefaults(definition, environment);
    if (value !== null) instantiateChecked(value, plainShape, reporter);
  }
  return { environment, ...models };
}
