/** A run's folder: resolved settings, the spec, hashes of everything the run depends on, metrics and checkpoints. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { diskFiles, replaceFile } from "../checkpoint/files.ts";
import { LctxError, systemCode } from "../errors.ts";
import { canonicalJson } from "./canonical-json.ts";
import { checkSettings } from "./settings-schema.ts";
import type { TrainSettings } from "./settings.ts";

export const runFiles = {
  settings: "settings.json",
  spec: "spec.lctx",
  specs: "specs",
  lock: "lctx.lock",
  checkpoints: "checkpoints",
  tokens: "tokens",
} as const;

/** Hashes and versions that a run's numbers depend on, by what they are of. */
export type LockEntries = Readonly<Record<string, string>>;

/**
 * Writes the resolved settings and, when there is one, the spec. `files` are the spec and what it imports, by path: they
 * lie as they import one another, so that the run's folder can be checked and trained anew without the project.
 */
export function writeRunFolder(
  folder: string,
  settings: TrainSettings,
  spec: string | null,
  files: ReadonlyMap<string, string> = new Map(),
): void {
  replaceFile(diskFiles, join(folder, runFiles.settings), `${JSON.stringify(settings, null, 2)}\n`);
  if (spec !== null) replaceFile(diskFiles, join(folder, runFiles.spec), spec);
  const specs = join(folder, runFiles.specs);
  // Copies of a spec that was changed meanwhile would tell of another run.
  rmSync(specs, { recursive: true, force: true });
  for (const [name, text] of files) {
    const path = join(specs, name);
    if (relative(specs, path).startsWith("..")) throw new Error(`${name} lies outside ${specs}`);
    mkdirSync(dirname(path), { recursive: true });
    replaceFile(diskFiles, path, text);
  }
}

/** Writes the lock: sorted, so that two runs' locks can be compared line by line. */
export function writeLock(folder: string, entries: LockEntries): void {
  const sorted: unknown = JSON.parse(canonicalJson(entries));
  replaceFile(diskFiles, join(folder, runFiles.lock), `${JSON.stringify(sorted, null, 2)}\n`);
}

/** The settings of a run. Throws LctxError `checkpoint-missing` when the folder is no run's. */
export function readRunSettings(folder: string): TrainSettings {
  const path = join(folder, runFiles.settings);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new LctxError(
      "checkpoint-missing",
      `${folder} is not a run's folder: ${runFiles.settings} cannot be read (${systemCode(cause)})`,
      "name a folder that `lctx train` made",
      { cause },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new LctxError("settings-invalid", `${path} is not JSON`, "", { cause });
  }
  return checkSettings(value);
}

/** The spec a run was made from; null when it was not kept. */
export function readRunSpec(folder: string): string | null {
  const path = join(folder, runFiles.spec);
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}
