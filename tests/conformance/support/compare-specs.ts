/** Compares forward and gradients of compiled kernels, and of the interpreter itself, with their references on specs. */
import { graphOf, resultNode } from "../../../compiler/ir/graph-build.ts";
import { nodeOperands } from "../../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../../compiler/ir/graph-results.ts";
import type { Node } from "../../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../../compiler/ir/interpret.ts";
import { fillTensor, randomInputs, randomNumbers, shapeOf } from "../../support/random-values.ts";
import { compileNodes, type CompiledNodes, type Numbers, type Target } from "./compile-kernels.ts";
import { interpreterProblems } from "./interpreter-problems.ts";
import type { Spec } from "./random-specs.ts";
import { attentionTolerances, rotationTolerance, worst } from "./rule-1.ts";
import { hasWeighting, weightedTolerances } from "./weighted-tolerance.ts";

const nameOf = (node: Node): string =>
  node.kind === "input" ? `input:${node.name}` : node.kind === "parameter" ? node.path : "";

export interface Reference {
  readonly inputs: ReadonlyMap<string, Float64Tensor>;
  readonly results: readonly Float64Tensor[];
}

/** Results of attention, then of its gradient, in float64. `round` makes inputs that kernels can be given exactly. */
export function refer(spec: Spec, round?: (path: string, x: number) => number): Reference {
  const { attention, gradient } = spec;
  const outputs: Record<string, Node> = { r0: attention, r1: resultNode(attention, 1) };
  nodeResults(gradient).forEach((_, n) => (outputs[`r${n + 2}`] = resultNode(gradient, n)));
  const graph = graphOf(outputs);
  const inputs = randomInputs(graph, spec.sizes, spec.seed, { single: true, deviation: spec.deviation });
  if (round !== undefined)
    for (const [path, { data }] of inputs)
      if (!path.startsWith("input:")) data.forEach((x, i) => (data[i] = round(path, x)));
  const found = interpret(graph, inputs, spec.sizes, {});
  return { inputs, results: Object.keys(outputs).map((name) => found.get(name)!) };
}

const countsOf = (node: Node, spec: Spec): number[] =>
  nodeResults(node).map(({ axes }) => shapeOf(axes, spec.sizes).reduce((a, b) => a * b, 1));

/** Runs the spec's attention, node `first` of the kernels, and its gradient, the node after it. */
export function runKernels(
  kernels: CompiledNodes,
  first: number,
  spec: Spec,
  inputs: Reference["inputs"],
): Float32Array[] {
  const value = (node: Node): Numbers => {
    const data = inputs.get(nameOf(node))!.data;
    return node.dtype === "i32" ? Int32Array.from(data) : Float32Array.from(data);
  };
  const core = nodeOperands(spec.attention).map(value);
  const forward = kernels.run(first, spec.sizes, core, countsOf(spec.attention, spec));
  const operands = [...core, forward[0]!, forward[1]!, value(spec.gradient.outputGradient)];
  return [...forward, ...kernels.run(first + 1, spec.sizes, operands, countsOf(spec.gradient, spec))];
}

/** What a result is of, for figures by class. */
export type ResultClass =
  | "output"
  | "log-sum-exp"
  | "query gradient"
  | "key gradient"
  | "value gradient"
  | "table gradient"
  | "prepended gradient"
  | "rotation";

function classOf(spec: Spec, r: number): ResultClass {
  if (r < 2) return r === 0 ? "output" : "log-sum-exp";
  const regions = spec.gradient.regions.length;
  const n = r - 2;
  if (n < 2 * regions) return n % 2 === 0 ? "query gradient" : "key gradient";
  if (n === 2 * regions) return "value gradient";
  return n <= 2 * regions + spec.gradient.bufferGradients.length ? "table gradient" : "prepended gradient";
}

/** Largest error of each class, as a share of what is allowed. */
export type WorstByClass = Partial<Record<ResultClass, number>>;

export interface Comparison {
  /** One line for each mismatch, with all that is needed to see it again. */
  readonly failures: readonly string[];
  readonly worst: WorstByClass;
}

/** Compares specs whose kernels share one C file. `flags` are those of a native build. */
export async function compareSpecs(
  specs: readonly Spec[],
  target: Target,
  flags?: readonly string[],
): Promise<Comparison> {
  const firsts: number[] = [];
  const nodes: Node[] = [];
  for (const spec of specs) {
    firsts.push(nodes.length);
    nodes.push(spec.attention, spec.gradient, ...spec.rotations);
  }
  const kernels = await compileNodes(nodes, target, flags);
  const failures: string[] = [];
  const most: WorstByClass = {};
  const note = (spec: Spec, of: ResultClass, error: number | string): void => {
    if (typeof error === "number") most[of] = Math.max(most[of] ?? 0, error);
    if (typeof error === "string" || !(error <= 1)) failures.push(`${target} ${of}: ${error} | ${spec.name}`);
  };
  specs.forEach((spec, n) => {
    const { inputs, results } = refer(spec);
    failures.push(...interpreterProblems(spec, inputs, results).map((text) => `${text} | ${spec.name}`));
    const given = runKernels(kernels, firsts[n]!, spec, inputs);
    const tolerancesOf = hasWeighting(spec) ? weightedTolerances : attentionTolerances;
    const tolerances = tolerancesOf(spec, (path) => inputs.get(path)!, results);
    results.forEach((want, r) => note(spec, classOf(spec, r), worst(given[r]!, want.data, tolerances[r]!)));
    spec.rotations.forEach((node, r) => {
      const next = randomNumbers(spec.seed + r);
      const rows = fillTensor(shapeOf(node.axes, spec.sizes), () => 2 * next() - 1, true);
      const want = interpret(graphOf({ rotated: node }), new Map([["rows", rows]]), spec.sizes, {});
      const [found] = kernels.run(
        firsts[n]! + 2 + r,
        spec.sizes,
        [Float32Array.from(rows.data)],
        [rows.data.length],
      );
      const tolerance = rotationTolerance(node, rows);
      note(spec, "rotation", worst(found!, want.get("rotated")!.data, tolerance));
    });
  });
  return { failures, worst: most };
}
