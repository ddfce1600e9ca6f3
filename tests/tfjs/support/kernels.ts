/** Which kernels of TensorFlow.js programs run, and which of them the native binding does not register. */
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";

/** Written by `node scripts/tfjs-ops.mjs`. */
interface NativeOps {
  readonly package: string;
  readonly version: string;
  readonly kernels: readonly string[];
}

export const nativeOps = JSON.parse(
  readFileSync(new URL("../native-ops.json", import.meta.url), "utf8"),
) as NativeOps;

const run = new Set<string>();

interface Engine {
  runKernel(name: string, inputs: object, attributes?: object): unknown;
}

/** From now on every kernel that runs is noted, by name. */
export function noteKernels(): void {
  const engine = tf.engine() as unknown as Engine;
  const before = engine.runKernel.bind(engine);
  engine.runKernel = (name, inputs, attributes) => {
    run.add(name);
    return before(name, inputs, attributes);
  };
}

export const kernelsRun = (): ReadonlySet<string> => run;

/** Kernels that ran here and would not on the native binding. */
export function unknownKernels(): readonly string[] {
  const native = new Set(nativeOps.kernels);
  return [...run].filter((name) => !native.has(name)).sort();
}
