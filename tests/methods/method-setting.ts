/** Settings of models that are methods. */
import type { Model } from "../../compiler/check/model/model.ts";
import type { MethodValue } from "../../compiler/check/static-value.ts";

/** A setting of a model that is a method: its attention, its rotation. */
export function methodSetting(model: Model, name: string): MethodValue {
  const value = model.settings.arguments.get(name);
  if (value?.kind !== "method") throw new Error(`${model.name} has no ${name}`);
  return value;
}
