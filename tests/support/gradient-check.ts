/** Compares gradients of a graph with central differences of the interpreter, along random directions. */
import { expect } from "vitest";
import { interpret, type Float64Tensor, type InterpretSizes } from "../../compiler/ir/interpret.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { graphProblems } from "../../compiler/ir/verify-graph.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { randomInputs, randomNumbers } from "./random-values.ts";

export const parametersOf = (graph: Graph): string[] =>
  graph.nodes.flatMap((node) => (node.kind === "parameter" ? [node.path] : []));

const scalars = { seed: 12345, step: 3 };

/** loss-scale · Σ loss. */
export function totalLoss(
  graph: Graph,
  inputs: ReadonlyMap<string, Float64Tensor>,
  sizes: InterpretSizes,
): number {
  const loss = interpret(graph, inputs, sizes, scalars).get("loss")!;
  const scale = inputs.get("input:loss-scale")?.data[0] ?? 0.25;
  return scale * loss.data.reduce((a, b) => a + b, 0);
}

/** Fails unless every parameter's gradient agrees with differences to 1e-6 relative (and 1e-8 absolute). */
export function checkGradients(
  graph: Graph,
  sizes: InterpretSizes,
  seed: number,
  only?: readonly string[],
): void {
  expect(graphProblems(graph)).toEqual([]);
  const paths = only ?? parametersOf(graph);
  const full = differentiate(graph, paths);
  expect(graphProblems(full)).toEqual([]);
  const inputs = randomInputs(full, sizes, seed);
  const outputs = interpret(full, inputs, sizes, scalars);
  const next = randomNumbers(seed + 1);
  for (const path of paths) {
    const given = inputs.get(path)!;
    const direction = Float64Array.from(given.data, () => 2 * next() - 1);
    const gradient = outputs.get(`gradient:${path}`)!;
    const slope = gradient.data.reduce((sum, g, n) => sum + g * direction[n]!, 0);
    const moved = (step: number): number => {
      const data = given.data.map((x, n) => x + step * direction[n]!);
      return totalLoss(graph, new Map(inputs).set(path, { shape: given.shape, data }), sizes);
    };
    // A kink within one step of a maximum spoils one difference, so a smaller step may speak instead.
    const differences = [1e-5, 1e-6, 1e-4].map((step) => (moved(step) - moved(-step)) / (2 * step));
    const close = (measured: number): boolean =>
      Math.abs(measured - slope) <= 2e-6 * Math.max(Math.abs(measured), Math.abs(slope)) + 2e-8;
    if (!differences.some(close))
      expect({ path, measured: differences[0] }).toEqual({ path, measured: slope });
  }
}
