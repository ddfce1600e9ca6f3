/** Runs a graph as its emitted TensorFlow.js program, on inputs that the interpreter is given, too. */
import * as tf from "@tensorflow/tfjs-core";
import type { Graph } from "../../../compiler/ir/graph.ts";
import type { Float64Tensor, InterpretSizes } from "../../../compiler/ir/interpret.ts";
import { scriptText } from "../../../compiler/backends/tfjs/module.ts";
import { tfjsModule } from "../../../compiler/tfjs-module.ts";
import { loadScript } from "../../../runtime/tfjs/load.ts";

export interface Numbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** The graph's outputs, computed by the very text that a project is made of. */
export function runGraph(
  graph: Graph,
  inputs: ReadonlyMap<string, Float64Tensor>,
  sizes: InterpretSizes,
  scalars: Readonly<Record<string, number>> = {},
): ReadonlyMap<string, Numbers> {
  const text = scriptText(tfjsModule({ train: graph }, null));
  const { train } = loadScript(text);
  const dtypes = new Map(
    graph.nodes.flatMap((node) =>
      node.kind === "input"
        ? [[`input:${node.name}`, node.dtype] as const]
        : node.kind === "parameter"
          ? [[node.path, node.dtype] as const]
          : [],
    ),
  );
  const given = (name: string): tf.Tensor => {
    const { shape, data } = inputs.get(name)!;
    return dtypes.get(name) === "i32"
      ? tf.tensor(Int32Array.from(data), [...shape], "int32")
      : tf.tensor(Float32Array.from(data), [...shape]);
  };
  const before = tf.memory().numTensors;
  const results = new Map<string, Numbers>();
  const outputs = tf.tidy(() =>
    train!({
      batch: sizes.batch,
      length: sizes.length,
      queryLength: sizes["query-length"] ?? sizes.length,
      queryStart: sizes["query-start"] ?? 0,
      seed: scalars["seed"] ?? 0,
      step: sizes.step ?? scalars["step"] ?? 0,
      scalar: (name) => scalars[name]!,
      input: (name) => given(`input:${name}`),
      weight: (path) => given(path),
    }),
  );
  for (const [name, tensor] of Object.entries(outputs))
    results.set(name, { shape: tensor.shape, data: tensor.dataSync() });
  tf.dispose(outputs);
  const left = tf.memory().numTensors - before;
  if (left !== 0) throw new Error(`${left} tensors were left`);
  return results;
}
