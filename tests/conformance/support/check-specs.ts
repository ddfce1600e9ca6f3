/** Compares forward and gradients of compiled attention kernels with the interpreter on random specs. */
import { describe, expect, it } from "vitest";
import { graphOf, resultNode } from "../../../compiler/ir/graph-build.ts";
import { nodeOperands } from "../../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../../compiler/ir/graph-results.ts";
import type { Node } from "../../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../../compiler/ir/interpret.ts";
import { randomInputs, shapeOf } from "../../support/random-values.ts";
import { compileNodes, type CompiledNodes, type Numbers, type Target } from "./compile-kernels.ts";
import { randomSpecs, type Spec } from "./random-specs.ts";
import { attentionTolerances, worst } from "./rule-1.ts";

/** Specs a run compares in all its files, on both targets together. */
const total = Number(process.env["LCTX_SPECS"] ?? 2000);
const seed = Number(process.env["LCTX_SEED"] ?? Date.now() % 1_000_000);
/** Specs compiled in one C file. */
const together = 60;

const nameOf = (node: Node): string =>
  node.kind === "input" ? `input:${node.name}` : node.kind === "parameter" ? node.path : "";

export interface Reference {
  readonly inputs: ReadonlyMap<string, Float64Tensor>;
  readonly results: readonly Float64Tensor[];
}

/** Results of attention, then of its gradient, in float64. `round` makes inputs that the kernels can be given exactly. */
export function refer(spec: Spec, round: (path: string, x: number) => number = (_, x) => x): Reference {
  const { attention, gradient } = spec;
  const outputs: Record<string, Node> = { r0: attention, r1: resultNode(attention, 1) };
  nodeResults(gradient).forEach((_, n) => (outputs[`r${n + 2}`] = resultNode(gradient, n)));
  const graph = graphOf(outputs);
  const inputs = randomInputs(graph, spec.sizes, spec.seed, { single: true, deviation: spec.deviation });
  for (const [path, { data }] of inputs)
    if (!path.startsWith("input:")) data.forEach((x, i) => (data[i] = round(path, x)));
  const found = interpret(graph, inputs, spec.sizes, {});
  return { inputs, results: Object.keys(outputs).map((name) => found.get(name)!) };
}

export function runKernels(
  kernels: CompiledNodes,
  at: number,
  spec: Spec,
  inputs: Reference["inputs"],
): Float32Array[] {
  const value = (node: Node): Numbers => {
    const data = inputs.get(nameOf(node))!.data;
    return node.dtype === "i32" ? Int32Array.from(data) : Float32Array.from(data);
  };
  const core = nodeOperands(spec.attention).map(value);
  const counts = (node: Node): number[] =>
    nodeResults(node).map(({ axes }) => shapeOf(axes, spec.sizes).reduce((a, b) => a * b, 1));
  const forward = kernels.run(2 * at, spec.sizes, core, counts(spec.attention));
  const operands = [...core, forward[0]!, forward[1]!, value(spec.gradient.outputGradient)];
  return [...forward, ...kernels.run(2 * at + 1, spec.sizes, operands, counts(spec.gradient))];
}

/** Failures of specs that share one C file. */
async function check(specs: readonly Spec[], target: Target): Promise<string[]> {
  const kernels = await compileNodes(
    specs.flatMap((spec) => [spec.attention, spec.gradient]),
    target,
  );
  const failures: string[] = [];
  specs.forEach((spec, n) => {
    const { inputs, results } = refer(spec);
    const given = runKernels(kernels, n, spec, inputs);
    const tolerances = attentionTolerances(spec, (path) => inputs.get(path)!, results);
    results.forEach((want, r) => {
      const error = worst(given[r]!, want.data, tolerances[r]!);
      if (typeof error === "string" || !(error <= 1))
        failures.push(`${target} result ${r}: ${error} | ${spec.name}`);
    });
  });
  return failures;
}

/** Tests a share of the run's specs; each test file names its own `part`, from which its specs follow. */
export function describeSpecs(part: number, share: number, target: Target): void {
  const count = Math.ceil(total * share);
  describe(`attention on ${target}: ${count} random specs, LCTX_SEED=${seed}`, () => {
    const specs = randomSpecs(count, seed * 8 + part);
    const batches = Array.from({ length: Math.ceil(count / together) }, (_, n) => n);
    it.each(batches)(
      "batch %i",
      async (n) => {
        expect(await check(specs.slice(n * together, (n + 1) * together), target)).toEqual([]);
      },
      600_000,
    );
  });
}
