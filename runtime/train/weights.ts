/** Weights and optimizer states of a model as named tensors: how they start, are saved, and come back. */
import { join } from "node:path";
import { listCheckpoints, loadNewest, readCheckpoint } from "../checkpoint/checkpoint.ts";
import type { LoadedCheckpoint, RunState } from "../checkpoint/checkpoint.ts";
import { diskFiles } from "../checkpoint/files.ts";
import type { Files } from "../checkpoint/files.ts";
import { readInto } from "../checkpoint/safetensors.ts";
import type { NamedTensor } from "../checkpoint/safetensors.ts";
import { LctxError } from "../errors.ts";
import { evaluateSize } from "../program.ts";
import type { ParameterInfo } from "../program.ts";
import { initialise } from "../random/init.ts";
import { floats, namesOf } from "./model.ts";
import type { TrainableModel } from "./model.ts";
import { runFiles } from "./run-folder.ts";

/** Values of a parameter that do not come from its initialiser; null: it has none. */
export type InitialWeights = (info: ParameterInfo) => Float32Array | null;

/** The parameters, as views of the model's memory. */
export function parameterTensors(model: TrainableModel): NamedTensor[] {
  return model.program.parameters.map(({ path, shape }) => ({
    name: path,
    shape,
    values: floats(model, path),
  }));
}

/** The optimizer states, as views of the model's memory. */
export function stateTensors(model: TrainableModel): NamedTensor[] {
  const shapes = new Map(model.program.tensors.map((tensor) => [tensor.name, tensor.shape]));
  return namesOf(model.program, "state").map((name) => ({
    name,
    shape: shapes.get(name)!.map((size) => evaluateSize(size, model.sizes)),
    values: model.tensor(name),
  }));
}

/** Copies of tensors, by name. */
export function copies(tensors: readonly NamedTensor[]): Map<string, NamedTensor> {
  return new Map(tensors.map((tensor) => [tensor.name, { ...tensor, values: tensor.values.slice() }]));
}

/**
 * Fills a stage's parameters: with what `carried` has of the stage before (same name and shape), else with `initial`,
 * else as they are declared; optimizer states with zeros. Returns remarks on what was not carried over.
 */
export function startWeights(
  model: TrainableModel,
  seed: number,
  initial: InitialWeights | null,
  carried: ReadonlyMap<string, NamedTensor>,
): string[] {
  const remarks: string[] = [];
  for (const info of model.program.parameters) {
    const values = floats(model, info.path);
    const before = carried.get(info.path);
    if (before !== undefined && before.shape.join() === info.shape.join()) {
      values.set(before.values);
      continue;
    }
    if (before !== undefined) remarks.push(`"${info.path}" has another shape than before and starts anew`);
    const given = initial?.(info) ?? null;
    if (given === null) initialise(values, info, seed);
    else if (given.length === values.length) values.set(given);
    else {
      throw new LctxError(
        "safetensors-mismatch",
        `"${info.path}" needs ${values.length} values, ${given.length} were given`,
      );
    }
  }
  for (const { values } of stateTensors(model)) values.fill(0);
  return remarks;
}

/** Fills parameters and, when `withStates`, optimizer states from a checkpoint. Throws LctxError `safetensors-mismatch`. */
export function restoreWeights(
  model: TrainableModel,
  checkpoint: LoadedCheckpoint,
  withStates: boolean,
): void {
  readInto(checkpoint.parameters, parameterTensors(model), checkpoint.path);
  if (withStates) readInto(checkpoint.states, stateTensors(model), `${checkpoint.path} (optimizer)`);
}

/** All tensors of a file, by name. */
export function carriedFrom(checkpoint: LoadedCheckpoint): Map<string, NamedTensor> {
  const { parameters } = checkpoint;
  return new Map(parameters.names.map((name) => [name, parameters.read(name)]));
}

/**
 * Fills a model's parameters from a run's checkpoint; returns where that run stood and remarks on damaged checkpoints.
 * Throws LctxError `checkpoint-missing`, `checkpoint-damaged` or `safetensors-mismatch`.
 */
export function loadRunWeights(
  model: TrainableModel,
  runFolder: string,
  which: "newest" | "best" = "newest",
): { readonly state: RunState; readonly path: string; readonly remarks: readonly string[] } {
  const { checkpoint, remarks } = chooseCheckpoint(runFolder, which);
  restoreWeights(model, checkpoint, false);
  return { state: checkpoint.state, path: checkpoint.path, remarks };
}

/**
 * The checkpoint of a run to evaluate or generate with: the newest whole one, or the best of its stage on held-out text.
 * Throws LctxError `checkpoint-missing` when nothing was saved.
 */
export function chooseCheckpoint(
  runFolder: string,
  which: "newest" | "best",
  files: Files = diskFiles,
): { readonly checkpoint: LoadedCheckpoint; readonly remarks: readonly string[] } {
  const folder = join(runFolder, runFiles.checkpoints);
  const newest = loadNewest(files, folder);
  if (newest === null) {
    throw new LctxError(
      "checkpoint-missing",
      `${runFolder} has no checkpoint`,
      "train first: lctx train <spec>",
    );
  }
  if (which === "newest") return newest;
  let best = newest.checkpoint;
  for (const { path } of listCheckpoints(files, folder)) {
    let candidate: LoadedCheckpoint;
    try {
      candidate = readCheckpoint(files, path);
    } catch {
      continue;
    }
    if (candidate.state.stage !== newest.checkpoint.state.stage) continue;
    const loss = candidate.state.validationLoss ?? Infinity;
    if (loss < (best.state.validationLoss ?? Infinity)) best = candidate;
  }
  return { checkpoint: best, remarks: newest.remarks };
}
