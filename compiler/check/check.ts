/** Checks a whole project: every item of its files, and what its models mean. */
import type { RotationItem } from "../../grammar/ast.ts";
import type { AttentionInstance, AttentionShape } from "../ir/attention-meaning.ts";
import { Reporter } from "../diagnostics/reporter.ts";
import { checkAttention, checkBody } from "./attention/check-items.ts";
import { checkWholeMethod } from "./check-whole-method.ts";
import type { Definition, Environment } from "./environment.ts";
import { instantiateAttention } from "./instantiate-attention.ts";
import { instantiateRotation } from "./instantiate-rotation.ts";
import { checkModels, type CheckedModels } from "./model/check-models.ts";
import { bindArguments } from "./static.ts";
import { checkTask } from "./task/instantiate-task.ts";
import type { MethodValue } from "./static-value.ts";

export interface CheckedProject extends CheckedModels {
  readonly environment: Environment;
}

/** Sizes an attention is looked at with when no model of the file uses it: even, with many divisors. */
const plainShape: AttentionShape = { heads: 8, kvHeads: 8, headSize: 16, length: 96 };

/** An attention or rotation with its defaults, or null when a parameter has none. */
function withDefaults(definition: Definition, environment: Environment): MethodValue | null {
  const { item } = definition;
  if (
    (item.kind !== "attention" && item.kind !== "rotation") ||
    item.parameters.some((parameter) => parameter.value === null)
  )
    return null;
  const call = { arguments: [], span: item.name.span };
  return bindArguments(definition, call, { environment, values: new Map() }, new Reporter());
}

/** A rotation with its defaults; mistakes that a model found as well are reported once. */
function checkRotation(item: RotationItem, environment: Environment, reporter: Reporter): void {
  const definition = environment.names.get(item.name.text);
  const value = definition?.item === item ? withDefaults(definition, environment) : null;
  if (value !== null) instantiateRotation(value, plainShape.headSize, reporter);
}

/** The root file and the project's files it imports, directly or not; the library is checked by its own tests. */
function projectEnvironments(root: Environment): readonly Environment[] {
  const found = new Set([root]);
  for (const environment of found)
    for (const { environment: other } of environment.names.values())
      if (!other.file.path.startsWith("std/")) found.add(other);
  return [...found];
}

const tooLarge = (reporter: Reporter): boolean => reporter.has("inlining-too-large");

/** Checks the bodies of masks, scores, functions and attentions. */
function checkBodies(root: Environment, reporter: Reporter): void {
  for (const environment of projectEnvironments(root))
    for (const item of environment.file.items) {
      if (!("name" in item)) continue;
      const definition = { name: item.name.text, item, environment };
      if (item.kind === "attention") checkAttention(definition, item, reporter);
      else if (item.kind === "task") checkTask(definition, item, reporter);
      else if (item.kind === "mask" || item.kind === "score" || item.kind === "function")
        checkBody(definition, item, reporter);
      if (tooLarge(reporter)) return;
    }
}

/** Checks every item of the root file; mistakes are reported, and what has none is returned. */
export function checkProject(environment: Environment, reporter: Reporter): CheckedProject {
  const used = new Set<string>();
  checkBodies(environment, reporter);
  // What grows without bound here would do so again in everything that follows.
  if (tooLarge(reporter)) return { environment, models: new Map(), recipes: new Map(), evaluations: [] };
  const instantiateChecked = (
    value: MethodValue,
    shape: AttentionShape,
    into: Reporter,
  ): AttentionInstance | null => {
    const instance = instantiateAttention(value, shape, into);
    const { item } = value.definition;
    if (instance !== null && item.kind === "attention") {
      used.add(`${item.name.span.file}:${item.name.text}`);
      checkWholeMethod(value, item, instance, shape, into);
    }
    return instance;
  };
  const models = checkModels(environment, reporter, {
    instantiateAttention: instantiateChecked,
    instantiateRotation,
  });
  for (const item of environment.file.items) {
    if (item.kind === "rotation") checkRotation(item, environment, reporter);
    if (item.kind !== "attention" || used.has(`${item.name.span.file}:${item.name.text}`)) continue;
    const definition = environment.names.get(item.name.text);
    if (definition === undefined || definition.item !== item) continue;
    const value = withDefaults(definition, environment);
    if (value !== null) instantiateChecked(value, plainShape, reporter);
  }
  return { environment, ...models };
}
