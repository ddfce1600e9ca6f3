/** The interpreter against things that share no code with it: what a text's clauses say, and differences of its own output. */
import { graphOf } from "../../../compiler/ir/graph-build.ts";
import { interpret, type Float64Tensor } from "../../../compiler/ir/interpret.ts";
import { randomNumbers } from "../../support/random-values.ts";
import type { Place } from "./random-clauses.ts";
import type { Spec } from "./random-specs.ts";

type Inputs = ReadonlyMap<string, Float64Tensor>;

/** Attention by the clauses of the text, in loops: output and log-sum-exp. */
function byClauses(spec: Spec, inputs: Inputs): readonly [Float64Array, Float64Array] {
  const { mask, scores, regions, byDocument } = spec.meaning!;
  const starts = byDocument ? inputs.get("input:starts") : undefined;
  // Without a rotation all regions are one.
  const count = spec.attention.regions.length;
  if (count !== 1 && count !== regions.length + 1) throw new Error(`${count} regions | ${spec.name}`);
  const [batches, queries, heads, d] = inputs.get("query0")!.shape as [number, number, number, number];
  const [, keys, groups, e] = inputs.get("value")!.shape as [number, number, number, number];
  const early = inputs.get("early-key")?.shape[0] ?? 0;
  const output = new Float64Array(batches * queries * heads * e);
  const logSumExp = new Float64Array(batches * queries * heads);
  const value = inputs.get("value")!.data;
  for (let b = 0; b < batches; b++)
    for (let q = 0; q < queries; q++)
      for (let h = 0; h < heads; h++) {
        const g = Math.floor(h / (heads / groups));
        const row = (b * queries + q) * heads + h;
        const dot = (region: number, keyData: Float64Array, keyAt: number): number => {
          const query = inputs.get(`query${region}`)!.data;
          let total = 0;
          for (let i = 0; i < d; i++) total += query[row * d + i]! * keyData[keyAt * d + i]!;
          return total / Math.sqrt(d);
        };
        const seen: { readonly score: number; readonly from: Float64Array; readonly at: number }[] = [];
        for (let p = 0; p < early; p++)
          seen.push({
            score: dot(0, inputs.get("early-key")!.data, p * groups + g),
            from: inputs.get("early-value")!.data,
            at: p * groups + g,
          });
        for (let k = 0; k < keys; k++) {
          const at: Place = {
            q,
            k,
            h,
            heads,
            numbered: (position) => position - (starts?.data[b * keys + position] ?? 0),
            document: (position) => inputs.get("input:documents")!.data[b * keys + position]!,
            table: (name, ...indices) => {
              const { data, shape } = inputs.get(`layers.0.attn.${name}`)!;
              return data[indices.reduce((flat, index, axis) => flat * shape[axis]! + index, 0)]!;
            },
          };
          if (!mask(at)) continue;
          const found = regions.findIndex((when) => when(at));
          const region = count === 1 ? 0 : found < 0 ? count - 1 : found;
          const keyAt = (b * keys + k) * groups + g;
          let score = dot(region, inputs.get(`key${region}`)!.data, keyAt);
          for (const bend of scores) score = bend(score, at);
          seen.push({ score, from: value, at: keyAt });
        }
        const top = Math.max(...seen.map(({ score }) => score));
        const total = seen.reduce((sum, { score }) => sum + Math.exp(score - top), 0);
        logSumExp[row] = top + Math.log(total);
        for (const { score, from, at } of seen)
          for (let i = 0; i < e; i++)
            output[row * e + i]! += (Math.exp(score - top) / total) * from[at * e + i]!;
      }
  return [output, logSumExp];
}

function farthest(a: Float64Array, b: Float64Array): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const off = Math.abs(a[i]! - b[i]!) / Math.max(1, Math.abs(b[i]!));
    if (!(off <= most)) most = Number.isNaN(off) ? Infinity : off;
  }
  return most;
}

/** Σ gradient · direction against a central difference of Σ output · output-gradient along one random direction. */
function slopeProblem(spec: Spec, inputs: Inputs, results: readonly Float64Tensor[]): string | null {
  const { gradient } = spec;
  const up = inputs.get("output-gradient")!.data;
  const names = [
    ...gradient.regions.flatMap((_, r) => [`query${r}`, `key${r}`]),
    "value",
    ...gradient.bufferGradients.map(({ buffer }) => {
      const node = gradient.buffers[buffer]!;
      return node.kind === "parameter" ? node.path : "";
    }),
    ...(gradient.prepended === null ? [] : ["early-key", "early-value"]),
  ];
  const next = randomNumbers(spec.seed + 1);
  const directions = new Map(names.map((name) => [name, inputs.get(name)!.data.map(() => 2 * next() - 1)]));
  let slope = 0;
  names.forEach((name, n) => {
    const direction = directions.get(name)!;
    results[n + 2]!.data.forEach((value, i) => (slope += value * direction[i]!));
  });
  const graph = graphOf({ output: spec.attention });
  const moved = (step: number): number => {
    const there = new Map(inputs);
    for (const [name, direction] of directions) {
      const { shape, data } = inputs.get(name)!;
      there.set(name, { shape, data: data.map((x, i) => x + step * direction[i]!) });
    }
    const { data } = interpret(graph, there, spec.sizes, {}).get("output")!;
    return data.reduce((sum, value, i) => sum + value * up[i]!, 0);
  };
  // One direction sums over all elements, so the differences' own rounding grows with their number.
  const size = results[0]!.data.reduce((sum, value, i) => sum + Math.abs(value * up[i]!), 0);
  const differences = [1e-5, 1e-6, 1e-4].map((step) => (moved(step) - moved(-step)) / (2 * step));
  const close = (measured: number): boolean =>
    Math.abs(measured - slope) <= 2e-6 * Math.max(Math.abs(measured), Math.abs(slope), size) + 1e-8;
  return differences.some(close)
    ? null
    : `reference: gradient ${slope}, differences ${differences.join(", ")}`;
}

/** Elements that a difference may have: longer cases cost the interpreter much, and say nothing more about its rules. */
const most = 3000;

/** What the interpreter has wrong about a spec; nothing, it is hoped. */
export function interpreterProblems(
  spec: Spec,
  inputs: Inputs,
  results: readonly Float64Tensor[],
): readonly string[] {
  const problems: string[] = [];
  if (spec.meaning !== null)
    byClauses(spec, inputs).forEach((want, r) => {
      const off = farthest(results[r]!.data, want);
      if (!(off <= 1e-10)) problems.push(`reference result ${r}: ${off} from what the clauses say`);
    });
  const [queries, keys] = [spec.sizes.length - spec.sizes["query-start"], spec.sizes.length];
  if (spec.sizes.batch * queries * keys <= most) {
    const problem = slopeProblem(spec, inputs, results);
    if (problem !== null) problems.push(problem);
  }
  return problems;
}
