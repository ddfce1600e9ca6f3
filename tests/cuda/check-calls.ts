/** Compares the CUDA calls of a spec, wherever they run, with the interpreter: forward and gradients. */
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { nodeOperands } from "../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../compiler/ir/graph-results.ts";
import type { Node } from "../../compiler/ir/graph.ts";
import type { LaunchSizes } from "../../runtime/device/cuda/launch.ts";
import { refer } from "../conformance/support/compare-specs.ts";
import type { Spec } from "../conformance/support/random-specs.ts";
import { attentionTolerances, worst } from "../conformance/support/rule-1.ts";
import { hasWeighting, weightedTolerances } from "../conformance/support/weighted-tolerance.ts";
import { shapeOf } from "../support/random-values.ts";
import { switchValue } from "./named-specs.ts";
import { pack, round, unpack, type Packed } from "./sixteen-bits.ts";

/** Runs a call: the last `results` of the buffers are written, in place. */
export type RunCall = (buffers: readonly Packed[], results: number, sizes: LaunchSizes) => void;

/** Of the tolerances for f32: 16-bit operands and weights have units of 2^-9 and 2^-12, results at most a few of them. */
export const looser: Readonly<Record<AttentionElement, number>> = { f32: 1, bf16: 2 ** 15, f16: 2 ** 12 };

/** Half the distance of the smallest numbers of f16, 2^-25, as a share of that looseness: weights below it are lost. */
const least: Readonly<Record<AttentionElement, number | undefined>> = {
  f32: undefined,
  bf16: undefined,
  f16: 2 ** -25 / 2 ** 12,
};

const nameOf = (node: Node): string =>
  node.kind === "input" ? `input:${node.name}` : node.kind === "parameter" ? node.path : "";

export interface CallComparison {
  readonly failures: readonly string[];
  /** Largest error as a share of what the element type allows. */
  readonly worst: number;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Packed): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

/**
 * Compares one spec. Results start as NaN, so that an element nobody writes is a failure. With `twice`, the calls run
 * again and must give the same bits.
 */
export function compareCalls(
  spec: Spec,
  element: AttentionElement,
  forward: RunCall,
  backward: RunCall,
  twice = false,
): CallComparison {
  const { attention, gradient } = spec;
  const { inputs, results } = refer(
    spec,
    (path, x) => switchValue(path, x) ?? (path.includes("table") ? x : round(element, x)),
  );
  const tables = new Set(attention.buffers.map(nameOf));
  const value = (node: Node): Packed => {
    const { data } = inputs.get(nameOf(node))!;
    if (node.dtype === "i32") return Int32Array.from(data);
    return tables.has(nameOf(node)) ? Float32Array.from(data) : pack(element, data);
  };
  const elements = (axes: Node["axes"]): number => shapeOf(axes, spec.sizes).reduce((a, b) => a * b, 1);
  const queries = shapeOf(attention.regions[0]!.query.axes, spec.sizes)[1]!;
  const { batch, length, "query-start": start } = spec.sizes;
  const sizes = { batch, length, "query-length": queries, "query-start": start, step: 0 };
  const unwritten = (n: number, single: boolean): Packed =>
    single ? new Float32Array(n).fill(NaN) : pack(element, new Float64Array(n).fill(NaN));
  const core = nodeOperands(attention).map(value);
  const firstTable = 2 * attention.regions.length + 1;
  const run = (): Packed[] => {
    const output = unwritten(elements(attention.axes), false);
    const lse = unwritten(elements(attention.axes.slice(0, 3)), true);
    forward([...core, output, lse], 2, sizes);
    const gradients = nodeResults(gradient).map(({ axes }, n) =>
      unwritten(elements(axes), n >= firstTable && n < firstTable + gradient.bufferGradients.length),
    );
    backward([...core, output, lse, value(gradient.outputGradient), ...gradients], gradients.length, sizes);
    return [output, lse, ...gradients];
  };
  const found = run();
  const tolerancesOf = hasWeighting(spec) ? weightedTolerances : attentionTolerances;
  const tolerances = tolerancesOf(spec, (path) => inputs.get(path)!, results, least[element]);
  const failures: string[] = [];
  let most = 0;
  if (twice)
    run().forEach((again, n) => {
      if (!bytesOf(again).equals(bytesOf(found[n]!)))
        failures.push(`${element} result ${n}: other bits in a second run | ${spec.name}`);
    });
  found.forEach((given, n) => {
    const error = worst(unpack(element, given), results[n]!.data, tolerances[n]!);
    if (typeof error === "number") most = Math.max(most, error / looser[element]);
    if (typeof error === "string" || !(error <= looser[element]))
      failures.push(`${element} result ${n}: ${error} > ${looser[element]} | ${spec.name}`);
  });
  return { failures, worst: most };
}
