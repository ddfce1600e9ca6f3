/** Every spec of the repository that the grammar tests read. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

export interface Spec {
  readonly path: string;
  readonly text: string;
}

/** The `.lctx` files below some folders of the repository. */
export function specsBelow(...folders: readonly string[]): readonly Spec[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".lctx"))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => ({ path: path.slice(root.length + 1), text: readFileSync(path, "utf8") })),
  );
}

export const librarySpecs = specsBelow("stdlib", "tests/fixtures/specs");
export const allSpecs = [...librarySpecs, ...specsBelow("examples")];

/** An Ast without what depends on layout: spans, comments, the path. */
export function withoutPlaces(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutPlaces);
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key]) => key !== "span" && key !== "comments" && key !== "path")
      .map(([key, value]) => [key, withoutPlaces(value)]),
  );
}
