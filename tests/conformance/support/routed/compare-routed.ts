/** Compares whole training steps of routed specs: passes, derivative, and each kernel that the new constructs need. */
import { graphOf } from "../../../../compiler/ir/graph-build.ts";
import { nodeOperands } from "../../../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../../../compiler/ir/graph-results.ts";
import type { Graph, Node } from "../../../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../../../compiler/ir/interpret.ts";
import { randomInputs, randomNumbers, shapeOf } from "../../../support/random-values.ts";
import { compileNodes, type Target } from "../compile-kernels.ts";
import { alone, isCompared, meaningOf, nodeProblems, type AloneNode } from "./node-checks.ts";
import type { RoutedSpec } from "./random-routed-texts.ts";

type Inputs = ReadonlyMap<string, Float64Tensor>;

const run = (graph: Graph, inputs: Inputs, spec: RoutedSpec): ReadonlyMap<string, Float64Tensor> =>
  interpret(graph, inputs, spec.sizes, {});

/** The largest difference of two tensors, as a share of the largest element. */
function apart(a: Float64Tensor, b: Float64Tensor): number {
  let [most, largest] = [0, 1e-6];
  b.data.forEach((want, n) => {
    const off = a.data[n] === want ? 0 : Math.abs(a.data[n]! - want);
    if (!(off <= most)) most = Number.isNaN(off) ? Infinity : off;
    if (Number.isFinite(want)) largest = Math.max(largest, Math.abs(want));
  });
  return most / largest;
}

/** What the passes change. */
function passProblems(
  spec: RoutedSpec,
  given: ReadonlyMap<string, Float64Tensor>,
  optimized: ReadonlyMap<string, Float64Tensor>,
): readonly string[] {
  return [...given].flatMap(([name, want]) => {
    const off = apart(optimized.get(name)!, want);
    return off <= 1e-9 ? [] : [`passes: ${name} is ${off} from what was given`];
  });
}

/** Elements of pairs that differences are taken of. */
const mostPairs = 400;

/**
 * The gradients against differences of the loss, along one direction. A choice does not move by a small step; what
 * counts as a constant would, so that specs with teachers are left to their own tests.
 */
function slopeProblem(
  spec: RoutedSpec,
  inputs: Inputs,
  results: ReadonlyMap<string, Float64Tensor>,
): string | null {
  if (spec.teaches || spec.sizes.batch * spec.sizes.length ** 2 > mostPairs) return null;
  const next = randomNumbers(spec.seed + 1);
  const directions = new Map(
    spec.trained.map((path) => [path, inputs.get(path)!.data.map(() => 2 * next() - 1)]),
  );
  let [slope, size] = [0, 0];
  for (const [path, direction] of directions)
    results.get(`gradient:${path}`)!.data.forEach((x, n) => {
      slope += x * direction[n]!;
      size += Math.abs(x * direction[n]!);
    });
  const loss = graphOf({ loss: spec.given.outputs.get("loss")! });
  const scale = inputs.get("input:loss-scale")?.data[0] ?? 1;
  const total = (step: number): number => {
    const moved = new Map(inputs);
    for (const [path, direction] of directions) {
      const { shape, data } = inputs.get(path)!;
      moved.set(path, { shape, data: data.map((x, n) => x + step * direction[n]!) });
    }
    return run(loss, moved, spec)
      .get("loss")!
      .data.reduce((sum, x) => sum + scale * x, 0);
  };
  const differences = [1e-5, 1e-6, 1e-4].map((step) => (total(step) - total(-step)) / (2 * step));
  const allowed = (measured: number): number => 3e-6 * Math.max(Math.abs(measured), size) + 1e-8;
  return differences.some((measured) => Math.abs(measured - slope) <= allowed(measured))
    ? null
    : `derivative: ${slope}, differences ${differences.join(", ")}`;
}

interface Prepared {
  readonly spec: RoutedSpec;
  readonly nodes: readonly { readonly original: Node; readonly alone: AloneNode; readonly kernel: number }[];
}

/** One line for each mismatch. Specs share one C file. */
export async function compareRouted(
  specs: readonly RoutedSpec[],
  target: Target,
): Promise<readonly string[]> {
  const kernels: Node[] = [];
  const prepared = specs.map((spec): Prepared => ({
    spec,
    nodes: spec.optimized.nodes.filter(isCompared).map((original) => {
      const own = alone(original);
      return { original, alone: own, kernel: kernels.push(own.node) - 1 };
    }),
  }));
  const compiled = await compileNodes(kernels, target);
  return prepared.flatMap(({ spec, nodes }) => {
    const inputs = randomInputs(spec.given, spec.sizes, spec.seed, {
      vocabulary: 11,
      deviation: spec.deviation,
    });
    const given = run(spec.given, inputs, spec);
    const operands = new Map<string, Node>(spec.optimized.outputs);
    nodes.forEach(({ original }, n) =>
      nodeOperands(original).forEach((operand, o) => operands.set(`node ${n}, operand ${o}`, operand)),
    );
    const all = run(graphOf(operands), inputs, spec);
    const problems = [...passProblems(spec, given, all)];
    const slope = slopeProblem(spec, inputs, given);
    if (slope !== null) problems.push(slope);
    nodes.forEach(({ original, alone: own, kernel }, n) => {
      const values = new Map(
        own.paths.map((path, o) => {
          const { shape, data } = all.get(`node ${n}, operand ${o}`)!;
          return [
            path,
            { shape, data: nodeOperands(original)[o]!.dtype === "i32" ? data : data.map(Math.fround) },
          ];
        }),
      );
      const wants = meaningOf(own.node, values, spec.sizes);
      const results = compiled.run(
        kernel,
        spec.sizes,
        nodeOperands(own.node).map(({ dtype }, o) => {
          const { data } = values.get(own.paths[o]!)!;
          return dtype === "i32" ? Int32Array.from(data) : Float32Array.from(data);
        }),
        nodeResults(own.node).map(({ axes }) => shapeOf(axes, spec.sizes).reduce((a, b) => a * b, 1)),
      );
      const found = nodeProblems(own.node, (path) => values.get(path)!, spec.sizes, wants, results);
      problems.push(...found.map((problem) => `${target} ${original.kind} (${n}): ${problem}`));
    });
    return problems.map((problem) => `${problem} | ${spec.name}`);
  });
}
