/** The sm_80 attention kernels, run on the host thread by thread, against the interpreter: forward and gradients, each element type. */
import { describe, expect, it } from "vitest";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import { nodeOperands } from "../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../compiler/ir/graph-results.ts";
import type { Node } from "../../compiler/ir/graph.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { refer } from "../conformance/support/compare-specs.ts";
import { randomSpecs, type Spec } from "../conformance/support/random-specs.ts";
import { attentionTolerances, worst } from "../conformance/support/rule-1.ts";
import { shapeOf } from "../support/random-values.ts";
import { compileForHost } from "./host-device.ts";
import { pack, round, unpack, type Packed } from "./sixteen-bits.ts";

const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 30));
const count = Number(process.env["LCTX_CUDA_SPECS"] ?? 24);

/** Of the tolerances for f32: 16-bit operands and weights have units of 2^-9 and 2^-12, results at most a few of them. */
const looser: Readonly<Record<AttentionElement, number>> = { f32: 1, bf16: 2 ** 15, f16: 2 ** 12 };

const nameOf = (node: Node): string =>
  node.kind === "input" ? `input:${node.name}` : node.kind === "parameter" ? node.path : "";

function check(
  spec: Spec,
  element: AttentionElement,
  run: NonNullable<ReturnType<typeof compileForHost>>,
): string[] {
  const { inputs, results } = refer(spec, (path, x) => (path.includes("table") ? x : round(element, x)));
  const tables = new Set(spec.attention.buffers.map(nameOf));
  const value = (node: Node): Packed => {
    const { data } = inputs.get(nameOf(node))!;
    if (node.dtype === "i32") return Int32Array.from(data);
    return tables.has(nameOf(node)) ? Float32Array.from(data) : pack(element, data);
  };
  const elements = (node: Node): number => shapeOf(node.axes, spec.sizes).reduce((a, b) => a * b, 1);
  const rowsOf = spec.attention.regions[0]!.query;
  const sizes = {
    batch: spec.sizes.batch,
    length: spec.sizes.length,
    "query-length": shapeOf(rowsOf.axes, spec.sizes)[1]!,
    "query-start": spec.sizes["query-start"],
    step: 0,
  };
  const core = nodeOperands(spec.attention).map(value);
  const unwritten = (n: number, single: boolean): Packed =>
    single ? new Float32Array(n).fill(NaN) : pack(element, new Float64Array(n).fill(NaN));
  const output = unwritten(elements(spec.attention), false);
  const lse = unwritten(elements(spec.attention) / shapeOf(spec.attention.axes, spec.sizes)[3]!, true);
  run[0]!([...core, output, lse], sizes);
  const gradients = nodeResults(spec.gradient).map((node, n) => {
    const table =
      n > 2 * spec.attention.regions.length &&
      n <= 2 * spec.attention.regions.length + spec.gradient.bufferGradients.length;
    return unwritten(elements(node as Node), table);
  });
  run[1]!([...core, output, lse, value(spec.gradient.outputGradient), ...gradients], sizes);
  const tolerances = attentionTolerances(spec, (path) => inputs.get(path)!, results);
  return [output, lse, ...gradients].flatMap((given, n) => {
    const error = worst(unpack(element, given), results[n]!.data, tolerances[n]!);
    const most = looser[element];
    return typeof error === "string" || !(error <= most)
      ? [`${element} result ${n}: ${error} > ${most} | ${spec.name}`]
      : [];
  });
}

describe(`sm_80 attention on the host: ${count} random specs an element, LCTX_SEED=${seed}`, () => {
  const all = randomSpecs(4 * count, seed)
    .filter((spec) => spec.sizes.length <= 130)
    .slice(0, count);
  it.each(["f32", "bf16", "f16"] as const)("%s (not run without g++)", { timeout: 240_000 }, (element) => {
    const calls = all.flatMap((spec) => [
      attentionForwardCall(spec.attention, blockFacts(spec.attention), element),
      attentionBackwardCall(spec.gradient, blockFacts(spec.gradient), element),
    ]);
    const compiled = compileForHost(calls);
    if (compiled === null) return;
    expect(all.flatMap((spec, n) => check(spec, element, compiled.slice(2 * n, 2 * n + 2)))).toEqual([]);
  });
});
