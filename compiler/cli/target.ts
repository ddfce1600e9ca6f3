/** The options that say where a program runs: `--target`, `--device`, `--threads`, and what verbs make of them. */
import { Option } from "commander";
import type { Place } from "../../runtime/project/engine.ts";
import { UsageError } from "./exit-codes.ts";
import { cacheFolder } from "./paths.ts";

export const defaultTarget = "cpu";

/** Targets that `--target` takes. */
const targets = [
  defaultTarget,
  "cuda",
  "tfjs",
  "tfjs:node-gpu",
  "tfjs:node",
  "tfjs:wasm",
  "tfjs:cpu",
] as const;

const option = (): Option =>
  new Option(
    "--target <target>",
    "what runs the program: kernels for this processor, for an NVIDIA GPU, or TensorFlow.js on a backend",
  ).choices(targets);

/** For verbs that build: the processor when nothing is said. */
export const targetOption = (): Option => option().default(defaultTarget);

/** For verbs that use a run: what its programs are for when nothing is said. */
export const runTargetOption = option;

/** Of projects: their backend is chosen where they run. */
export const projectTargetOption = (): Option =>
  new Option("--target <target>", "what the project is: C kernels, CUDA kernels, or a TensorFlow.js program")
    .choices([defaultTarget, "cuda", "tfjs"])
    .default(defaultTarget);

export interface PlaceOptions {
  readonly target?: string;
  readonly device: "auto" | "cpu-native" | "cpu-wasm";
  readonly threads?: number;
}

/** The runtime's words for these options. Throws a UsageError for those that say nothing together. */
export function placeOf({ target, device, threads }: PlaceOptions): Place {
  if (target !== undefined && target !== defaultTarget && device !== "auto")
    throw new UsageError(`--device ${device} is about the target cpu`, "leave out --device, or --target");
  return {
    target,
    device: device === "cpu-native" ? "native" : device === "cpu-wasm" ? "wasm" : "auto",
    threads,
    kernelCache: cacheFolder(),
  };
}
