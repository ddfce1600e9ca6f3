/** Loads examples with the real checker and compares numbers with their references. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Model } from "../../compiler/check/model/model.ts";
import { checkFile, root } from "../support/check-text.ts";

export { methodSetting } from "./method-setting.ts";

const folder = join(root, "examples");

/** Names of the examples that have a reference, in order. */
export const exampleNames = readdirSync(folder)
  .filter((name) => existsSync(join(folder, name, "reference.ts")))
  .sort();

/** What an example's reference exports. */
export const importReference = (name: string): Promise<Readonly<Record<string, unknown>>> =>
  import(join(folder, name, "reference.ts")) as Promise<Readonly<Record<string, unknown>>>;

/** The only model of an example, with settings changed as `--set` does. */
export function exampleModel(name: string, settings: Readonly<Record<string, number>> = {}): Model {
  const path = join(folder, name, "spec.lctx");
  const plain = [...checkFile(path).project!.models.values()];
  expect(plain.length).toBe(1);
  const overrides = Object.entries(settings).map(([key, value]) => `${plain[0]!.name}.${key}=${value}`);
  return [...checkFile(path, overrides).project!.models.values()][0]!;
}

/** The largest difference between two lists of numbers; NaN counts as infinite. */
export function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let n = 0; n < a.length; n++) {
    const difference = Math.abs(a[n]! - b[n]!);
    most = difference <= most ? most : Number.isNaN(difference) ? Infinity : difference;
  }
  return most;
}
