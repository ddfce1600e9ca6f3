/** Compares emitted programs with the interpreter: attentions and their gradients, single nodes, and whole graphs. */
import { graphOf, resultNode } from "../../../compiler/ir/graph-build.ts";
import { nodeOperands } from "../../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../../compiler/ir/graph-results.ts";
import type { Graph, Node } from "../../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../../compiler/ir/interpret.ts";
import { refer } from "../../conformance/support/compare-specs.ts";
import type { Spec } from "../../conformance/support/random-specs.ts";
import { alone, isCompared, meaningOf, nodeProblems } from "../../conformance/support/routed/node-checks.ts";
import type { RoutedSpec } from "../../conformance/support/routed/random-routed-texts.ts";
import { attentionTolerances, worst } from "../../conformance/support/rule-1.ts";
import { hasWeighting, weightedTolerances } from "../../conformance/support/weighted-tolerance.ts";
import { randomInputs } from "../../support/random-values.ts";
import { runGraph } from "./run-graph.ts";
import { specGraph } from "./specs.ts";

/** What went wrong, or nothing: an exception is a mismatch with a reason. */
function told(name: string, compare: () => readonly string[]): readonly string[] {
  try {
    return compare().map((problem) => `${problem} | ${name}`);
  } catch (error) {
    return [`${(error as Error).stack?.split("\n").slice(0, 4).join(" ")} | ${name}`];
  }
}

/** Forward and every gradient of an attention, as far off as single precision allows. */
export const specProblems = (spec: Spec): readonly string[] =>
  told(spec.name, () => {
    const { inputs, results } = refer(spec);
    const found = runGraph(specGraph(spec), inputs, spec.sizes);
    const tolerancesOf = hasWeighting(spec) ? weightedTolerances : attentionTolerances;
    const tolerances = tolerancesOf(spec, (path) => inputs.get(path)!, results);
    return results.flatMap((want, r) => {
      const error = worst(Float32Array.from(found.get(`r${r}`)!.data), want.data, tolerances[r]!);
      return typeof error === "number" && error <= 1 ? [] : [`result ${r}: ${error}`];
    });
  });

/** Every node of a routed training step that the new constructs need, each over what the interpreter gives it. */
export const routedProblems = (spec: RoutedSpec): readonly string[] =>
  told(spec.name, () => {
    const inputs = randomInputs(spec.given, spec.sizes, spec.seed, {
      vocabulary: 11,
      deviation: spec.deviation,
    });
    const nodes = spec.optimized.nodes.filter(isCompared);
    const operands = new Map<string, Node>();
    nodes.forEach((node, n) =>
      nodeOperands(node).forEach((operand, o) => operands.set(`${n} ${o}`, operand)),
    );
    const all = interpret(graphOf(operands), inputs, spec.sizes, {});
    return nodes.flatMap((original, n) => {
      const own = alone(original);
      const values = new Map(
        own.paths.map((path, o): [string, Float64Tensor] => {
          const { shape, data } = all.get(`${n} ${o}`)!;
          return [
            path,
            { shape, data: nodeOperands(original)[o]!.dtype === "i32" ? data : data.map(Math.fround) },
          ];
        }),
      );
      const wants = meaningOf(own.node, values, spec.sizes);
      const outputs: Record<string, Node> = {};
      nodeResults(own.node).forEach((_, r) => (outputs[`r${r}`] = resultNode(own.node, r)));
      const found = runGraph(graphOf(outputs), values, spec.sizes);
      const results = wants.map((_, r) => {
        const { data } = found.get(`r${r}`)!;
        // The check of sets reads their words from the bytes.
        return own.node.kind === "select"
          ? new Float32Array(Int32Array.from(data).buffer)
          : Float32Array.from(data);
      });
      return nodeProblems(own.node, (path) => values.get(path)!, spec.sizes, wants, results).map(
        (problem) => `${original.kind} (${n}): ${problem}`,
      );
    });
  });

/** Outputs of a whole graph; each element within `tolerance` of its tensor's largest. */
export const graphDifferences = (
  name: string,
  graph: Graph,
  inputs: ReadonlyMap<string, Float64Tensor>,
  sizes: { readonly batch: number; readonly length: number },
  tolerance: number,
  scalars: Readonly<Record<string, number>> = {},
): readonly string[] =>
  told(name, () => {
    const wants = interpret(graph, inputs, sizes, scalars);
    const found = runGraph(graph, inputs, sizes, scalars);
    return [...wants].flatMap(([output, want]) => {
      const { data, shape } = found.get(output)!;
      if (shape.join() !== want.shape.join()) return [`${output} has shape [${shape}] for [${want.shape}]`];
      const largest = want.data.reduce(
        (most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most),
        0.05,
      );
      const bad = want.data.findIndex(
        (x, n) => x !== data[n] && !(Math.abs(x - data[n]!) <= tolerance * largest),
      );
      return bad < 0 ? [] : [`${output}[${bad}]: ${data[bad]} for ${want.data[bad]}`];
    });
  });
