/**
 * Checkpoints: folders `step-<number>` that hold weights, optimizer states and where the run stands. A save writes all
 * files under another name, makes them durable, renames, makes the name durable, reads everything back, and only then
 * removes older ones. Whatever moment a process is stopped at, the newest checkpoint that was ever reported is whole.
 */
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { LctxError, systemCode } from "../errors.ts";
import { makeDurableFolder, syncFolder, writeDurable, writeFailure } from "./files.ts";
import type { Files } from "./files.ts";
import { encodeSafetensors, SafetensorsFile } from "./safetensors.ts";
import type { NamedTensor } from "./safetensors.ts";

export const checkpointFormat = 1;

/** Where a run stands. */
export interface RunState {
  readonly format: typeof checkpointFormat;
  /** Index of the stage, and its name. */
  readonly stage: number;
  readonly stageName: string;
  /** Steps done in the stage, and in all stages. */
  readonly step: number;
  readonly totalSteps: number;
  /** Training rows taken in the stage: the position in the data. */
  readonly rows: number;
  /** Key of every random draw. Counters follow from `step` and `rows`. */
  readonly seed: number;
  readonly settingsHash: string;
  /** The settings, to show what changed. */
  readonly settings: unknown;
  /** Hash of text and tokenizer. */
  readonly dataKey: string;
  /** Loss on held-out text at this step; null when it was not measured. */
  readonly validationLoss: number | null;
  readonly best: { readonly totalSteps: number; readonly loss: number } | null;
  /** Targets trained on so far, and seconds it took. */
  readonly tokens: number;
  readonly seconds: number;
  readonly smoothedLoss: number | null;
}

export interface CheckpointContent {
  readonly state: RunState;
  readonly parameters: readonly NamedTensor[];
  /** Optimizer states. */
  readonly states: readonly NamedTensor[];
}

export interface LoadedCheckpoint {
  readonly path: string;
  readonly state: RunState;
  readonly parameters: SafetensorsFile;
  readonly states: SafetensorsFile;
}

interface Manifest {
  readonly format: typeof checkpointFormat;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly crc32: number }[];
}

const names = {
  parameters: "model.safetensors",
  states: "optimizer.safetensors",
  state: "state.json",
  manifest: "manifest.json",
} as const;

/** The folder of the checkpoint after `totalSteps`. */
export const checkpointName = (totalSteps: number): string => `step-${String(totalSteps).padStart(9, "0")}`;

/** Steps by folder name; null for what is no checkpoint. */
function stepsOf(name: string): number | null {
  const match = /^step-(\d{9,15})$/.exec(name);
  return match === null ? null : Number(match[1]);
}

/** CRC-32 of parts, one after another. */
export function checksum(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => crc32(part, sum), 0);
}

/** The first value that is not finite; null when all are. */
export function firstNonFinite(tensors: readonly NamedTensor[]): { name: string; index: number } | null {
  for (const { name, values } of tensors) {
    // A sum of finite f32 values is finite in f64, so one addition an element finds whether there is any.
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[i]!;
    if (!Number.isFinite(sum)) return { name, index: values.findIndex((value) => !Number.isFinite(value)) };
  }
  return null;
}

/** Checkpoints in a folder, newest first; by the number of steps, not by the clock. */
export function listCheckpoints(files: Files, folder: string): { steps: number; path: string }[] {
  let entries: string[];
  try {
    entries = files.list(folder);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    throw new LctxError("checkpoint-damaged", `${folder} cannot be read (${systemCode(cause)})`, "", {
      cause,
    });
  }
  return entries
    .flatMap((name) => {
      const steps = stepsOf(name);
      return steps === null ? [] : [{ steps, path: join(folder, name) }];
    })
    .sort((a, b) => b.steps - a.steps);
}

function damaged(path: string, why: string, cause?: unknown): LctxError {
  return new LctxError("checkpoint-damaged", `${path}: ${why}`, "", { cause });
}

function parseJson(path: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw damaged(path, "is not JSON", cause);
  }
  throw damaged(path, "is not a JSON object");
}

function readChecked(files: Files, folder: string): ReadonlyMap<string, Buffer> {
  const read = (name: string): Buffer => {
    try {
      return files.read(join(folder, name));
    } catch (cause) {
      throw damaged(folder, `${name} cannot be read (${systemCode(cause)})`, cause);
    }
  };
  const manifest = parseJson(join(folder, names.manifest), read(names.manifest)) as unknown as Manifest;
  if (typeof manifest.format === "number" && manifest.format > checkpointFormat) {
    throw new LctxError(
      "checkpoint-too-new",
      `${folder} was written by a newer lctx (format ${manifest.format})`,
      "use that version",
    );
  }
  const wanted = [names.parameters, names.states, names.state];
  const listed = Array.isArray(manifest.files) ? manifest.files : [];
  if (manifest.format !== checkpointFormat || listed.map((file) => file?.name).join() !== wanted.join()) {
    throw damaged(folder, "its manifest is not one of a checkpoint");
  }
  const contents = new Map<string, Buffer>();
  for (const { name, bytes, crc32: sum } of listed) {
    const content = read(name);
    if (content.byteLength !== bytes)
      throw damaged(folder, `${name} has ${content.byteLength} bytes, not ${bytes}`);
    if (checksum([content]) !== sum) throw damaged(folder, `the checksum of ${name} is wrong`);
    contents.set(name, content);
  }
  return contents;
}

/** Reads one checkpoint, every byte checked. Throws LctxError `checkpoint-damaged` or `checkpoint-too-new`. */
export function readCheckpoint(files: Files, path: string): LoadedCheckpoint {
  const contents = readChecked(files, path);
  const state = parseJson(join(path, names.state), contents.get(names.state)!) as unknown as RunState;
  return {
    path,
    state,
    parameters: new SafetensorsFile(contents.get(names.parameters)!),
    states: new SafetensorsFile(contents.get(names.states)!),
  };
}

/**
 * The newest checkpoint that is whole, with a remark on each newer one that is not; null when there are none at all.
 * Throws LctxError `checkpoint-damaged` when none is whole: a run never starts anew in silence.
 */
export function loadNewest(
  files: Files,
  folder: string,
): { readonly checkpoint: LoadedCheckpoint; readonly remarks: readonly string[] } | null {
  const remarks: string[] = [];
  const found = listCheckpoints(files, folder);
  for (const { path } of found) {
    try {
      return { checkpoint: readCheckpoint(files, path), remarks };
    } catch (error) {
      if (!(error instanceof LctxError) || error.code === "checkpoint-too-new") throw error;
      remarks.push(`skipped a damaged checkpoint: ${error.message}`);
    }
  }
  if (found.length === 0) return null;
  throw new LctxError(
    "checkpoint-damaged",
    `none of the ${found.length} checkpoints in ${folder} is whole:\n  ${remarks.join("\n  ")}`,
    "restore one from a backup, or train into another folder with --run",
  );
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
};

/** Removes what stopped processes left under temporary names; nothing else. */
function removeLeftovers(files: Files, folder: string): void {
  for (const name of files.list(folder)) {
    const pid = Number(/^\.tmp-(\d+)-/.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(pid)) continue;
    if (pid === process.pid || !isAlive(pid)) files.remove(join(folder, name));
  }
}

/**
 * Keeps the newest `keep` checkpoints and the one with the lowest held-out loss of the newest one's stage; removes the other
 * whole ones.
 */
function prune(files: Files, folder: string, keep: number): void {
  const all = listCheckpoints(files, folder);
  let best: { path: string; loss: number } | null = null;
  let newest: number | null = null;
  for (const { path } of all) {
    try {
      const { stage, validationLoss: loss } = parseJson(
        path,
        files.read(join(path, names.state)),
      ) as unknown as RunState;
      newest ??= stage;
      if (stage !== newest) continue;
      // Newest first: of equal losses the earliest is kept.
      if (typeof loss === "number" && (best === null || loss <= best.loss)) best = { path, loss };
    } catch {
      // A damaged one is never the best; it goes when its turn comes.
    }
  }
  for (const { path, steps } of all.slice(Math.max(1, keep))) {
    // What has no manifest was not made here.
    if (path === best?.path || !files.exists(join(path, names.manifest))) continue;
    const leaving = join(folder, `.tmp-${process.pid}-leaving-${steps}`);
    files.rename(path, leaving);
    files.remove(leaving);
  }
}

/**
 * Puts a finished checkpoint where one of the same step is: a damaged one that an older run left, or the same weights
 * saved again, which then stay as they are.
 */
function replace(files: Files, temporary: string, path: string, manifest: Manifest): void {
  const old = `${temporary}-replaced`;
  let same = false;
  try {
    readChecked(files, path);
    const before = parseJson(path, files.read(join(path, names.manifest))) as unknown as Manifest;
    same = [0, 1].every((i) => before.files[i]!.crc32 === manifest.files[i]!.crc32);
  } catch (error) {
    if (!(error instanceof LctxError)) throw error;
  }
  if (same) {
    files.remove(temporary);
    return;
  }
  files.rename(path, old);
  try {
    files.rename(temporary, path);
  } catch (cause) {
    files.rename(old, path);
    throw cause;
  }
}

/**
 * Saves a checkpoint and returns its path. Throws LctxError `not-finite` before anything is written when a value is not
 * finite, and `write-failed` when the disk fails; older checkpoints stay in both cases.
 */
export function saveCheckpoint(
  files: Files,
  folder: string,
  content: CheckpointContent,
  keep: number,
): string {
  const bad = firstNonFinite([...content.parameters, ...content.states]);
  if (bad !== null) {
    throw new LctxError(
      "not-finite",
      `after step ${content.state.totalSteps} element ${bad.index} of "${bad.name}" is not finite; nothing was saved over the last checkpoint`,
      "lower the learning rate, or clip gradients",
    );
  }
  const { totalSteps } = content.state;
  const path = join(folder, checkpointName(totalSteps));
  const temporary = join(folder, `.tmp-${process.pid}-${totalSteps}`);
  const parts: readonly (readonly [string, readonly Uint8Array[]])[] = [
    [names.parameters, encodeSafetensors(content.parameters)],
    [names.states, encodeSafetensors(content.states)],
    [names.state, [Buffer.from(JSON.stringify(content.state, null, 2), "utf8")]],
  ];
  const manifest: Manifest = {
    format: checkpointFormat,
    files: parts.map(([name, bytes]) => ({
      name,
      bytes: bytes.reduce((sum, part) => sum + part.byteLength, 0),
      crc32: checksum(bytes),
    })),
  };
  try {
    makeDurableFolder(files, folder);
    removeLeftovers(files, folder);
    files.makeFolder(temporary);
    for (const [name, bytes] of parts) writeDurable(files, join(temporary, name), bytes);
    writeDurable(files, join(temporary, names.manifest), [Buffer.from(JSON.stringify(manifest), "utf8")]);
    syncFolder(files, temporary);
    if (files.exists(path)) replace(files, temporary, path, manifest);
    else files.rename(temporary, path);
    syncFolder(files, folder);
    readChecked(files, path);
    removeLeftovers(files, folder);
    prune(files, folder, keep);
  } catch (cause) {
    try {
      removeLeftovers(files, folder);
    } catch {
      // The first failure is the one to report.
    }
    throw writeFailure(`checkpoint ${path}`, cause);
  }
  return path;
}
