/** Attention examples against their references: float64 meaning, its gradients, and the native kernels. */
import { describe, expect, it } from "vitest";
import { attend, type Problem } from "../../examples/dense.ts";
import { instantiateAttention } from "../../compiler/check/instantiate-attention.ts";
import { instantiateRotation } from "../../compiler/check/instantiate-rotation.ts";
import type { AttentionTerm, Term } from "../../compiler/check/model/term.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import type {
  AttentionInstance,
  AttentionPhase,
  AttentionShape,
  RotationMeaning,
} from "../../compiler/ir/attention-meaning.ts";
import { derivative, realLoads } from "../../compiler/ir/derivative.ts";
import * as e from "../../compiler/ir/expr.ts";
import {
  attentionGradientNode,
  attentionNode,
  axis,
  batchAxis,
  graphOf,
  inputNode,
  mapNode,
  reduceNode,
  tokenAxis,
} from "../../compiler/ir/graph-build.ts";
import type { Graph, Node } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { attentionToNodes } from "../../compiler/lower/attention-to-nodes.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { compileNodes } from "../conformance/support/compile-kernels.ts";
import { refer, runKernels } from "../conformance/support/compare-specs.ts";
import { leaf, type Spec } from "../conformance/support/random-specs.ts";
import { attentionTolerances, worst } from "../conformance/support/rule-1.ts";
import { fillTensor, randomNumbers } from "../support/random-values.ts";
import { exampleModel, exampleNames, furthest, importReference, methodSetting } from "./support.ts";

type Reference = (problem: Problem) => Float64Array;

interface Example {
  readonly name: string;
  readonly reference: Reference;
  readonly instantiate: (shape: AttentionShape) => AttentionInstance;
  /** The rotation, for examples whose attention itself rotates; else queries and keys are given rotated. */
  readonly rotation: (size: number) => RotationMeaning | null;
}

function without<T>(value: T | null, reporter: Reporter): T {
  expect(reporter.diagnostics.map(({ title }) => title)).toEqual([]);
  return value!;
}

const examples: Example[] = [];
for (const name of exampleNames) {
  const { attention } = await importReference(name);
  if (attention === undefined) continue;
  const model = exampleModel(name);
  const method = methodSetting(model, "attention");
  const own = method.definition.item;
  const rotates = own.kind === "attention" && own.clauses.some((clause) => clause.kind === "rotate");
  examples.push({
    name,
    reference: attention as Reference,
    instantiate(shape) {
      const reporter = new Reporter();
      return without(instantiateAttention(method, shape, reporter), reporter);
    },
    rotation(size) {
      const reporter = new Reporter();
      return rotates
        ? without(instantiateRotation(methodSetting(model, "rope"), size, reporter), reporter)
        : null;
    },
  });
}

/** Lengths of the tests: windows, sinks and buckets of the examples end inside the longer ones. */
const lengthsOf = (name: string): readonly number[] =>
  name === "shifted-sparse" ? [8, 40, 48] : [1, 7, 33, 45];

interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly size: number;
}

const variants: readonly Heads[] = [
  { heads: 4, kvHeads: 4, size: 6 },
  { heads: 4, kvHeads: 2, size: 4 },
  { heads: 6, kvHeads: 1, size: 2 },
];

/** Two rows: one cut into documents of unequal lengths, one text. */
function documentsOf(length: number): { ids: number[]; starts: number[] } {
  const ids: number[] = [];
  const starts: number[] = [];
  const cuts = [0, Math.ceil(length / 5), Math.ceil(length / 2) + 1, length - 1];
  for (let t = 0; t < length; t++) {
    const before = cuts.filter((cut) => cut <= t);
    ids.push(before.length - 1);
    starts.push(Math.max(...before));
  }
  for (let t = 0; t < length; t++) {
    ids.push(0);
    starts.push(0);
  }
  return { ids, starts };
}

const batch = 2;

interface Case {
  readonly graph: Graph;
  readonly inputs: ReadonlyMap<string, Float64Tensor>;
  readonly sizes: { readonly batch: number; readonly length: number };
  readonly problem: (values: ReadonlyMap<string, Float64Tensor>, row: number) => Problem;
  /** Paths that get gradients. */
  readonly paths: readonly string[];
}

/** A graph with the attention's output, and as loss the sum of its numbers times `up`. */
function caseOf(example: Example, phase: AttentionPhase, length: number, of: Heads, seed: number): Case {
  const { heads, kvHeads, size } = of;
  const instance = example.instantiate({ heads, kvHeads, headSize: size, length });
  const sizes = { batch, length };
  const next = randomNumbers(seed);
  const numbers = (shape: readonly number[], spread: number): Float64Tensor =>
    fillTensor(shape, () => spread * (2 * next() - 1));
  const query = leaf("q", [batchAxis, tokenAxis, axis("h", heads), axis("d", size)]);
  const key = leaf("k", [batchAxis, tokenAxis, axis("g", kvHeads), axis("d", size)]);
  const value = leaf("v", [batchAxis, tokenAxis, axis("g", kvHeads), axis("d", size)]);
  const tables = instance.parameters.map((table) =>
    leaf(
      table.name,
      table.axes.map((own) => axis(own.name, own.size)),
    ),
  );
  const terms = new Map<Term, Node>();
  const term = (node: Node): Term => {
    const made = { kind: "tokens", axes: [], extent: "token", plus: 0, site: node.site } as unknown as Term;
    terms.set(made, node);
    return made;
  };
  const attention: AttentionTerm = {
    kind: "attention",
    query: term(query),
    key: term(key),
    value: term(value),
    instance,
    tables: new Map(tables.map((table) => [table.site, term(table)])),
    rotation: example.rotation(size),
    scale: 1 / Math.sqrt(size),
    prepended: [],
    axes: [
      { name: "h", size: heads },
      { name: "d", size },
    ],
    extent: "token",
    plus: 0,
    site: example.name,
    span: { file: "", start: 0, end: 0 },
  };
  const output = attentionToNodes(attention, (operand) => terms.get(operand)!, phase, example.name);
  const up = leaf("up", output.axes);
  const weighed = mapNode([output, up], e.mul(e.operand(0), e.operand(1)), "weighed", output.axes);
  const loss = reduceNode("sum", weighed, ["h", "d"], "loss");
  const { ids, starts } = documentsOf(length);
  const row = [batch, length];
  const inputs = new Map<string, Float64Tensor>([
    ["q", numbers([...row, heads, size], 2)],
    ["k", numbers([...row, kvHeads, size], 2)],
    ["v", numbers([...row, kvHeads, size], 1)],
    ["up", numbers([...row, heads, size], 1)],
    ["input:documents", { shape: row, data: Float64Array.from(ids) }],
    ["input:starts", { shape: row, data: Float64Array.from(starts) }],
    ["input:loss-scale", { shape: [], data: Float64Array.of(1) }],
  ]);
  for (const { name, axes } of instance.parameters)
    inputs.set(
      name,
      numbers(
        axes.map((own) => own.size),
        1,
      ),
    );
  /** [row][t][head][e] to [head][t][e]. */
  const turned = ({ data }: Float64Tensor, at: number, count: number): Float64Array =>
    Float64Array.from({ length: count * length * size }, (_, n) => {
      const [head, t, i] = [Math.floor(n / (length * size)), Math.floor(n / size) % length, n % size];
      return data[((at * length + t) * count + head) * size + i]!;
    });
  return {
    graph: graphOf({ output, loss }),
    inputs,
    sizes,
    paths: ["q", "k", "v", ...instance.parameters.map(({ name }) => name)],
    problem: (values, at) => ({
      ...{ length, heads, kvHeads, size },
      q: turned(values.get("q")!, at, heads),
      k: turned(values.get("k")!, at, kvHeads),
      v: turned(values.get("v")!, at, kvHeads),
      documents: ids.slice(at * length, (at + 1) * length),
      tables: Object.fromEntries(instance.parameters.map(({ name }) => [name, values.get(name)!.data])),
    }),
  };
}

/** What the reference gives for all rows, laid out as the graph's output. */
function referenceOutput(
  reference: Reference,
  of: Case,
  heads: Heads,
  values: ReadonlyMap<string, Float64Tensor>,
): Float64Array {
  const { length } = of.sizes;
  const rows = Array.from({ length: batch }, (_, at) => reference(of.problem(values, at)));
  return Float64Array.from({ length: batch * length * heads.heads * heads.size }, (_, n) => {
    const i = n % heads.size;
    const head = Math.floor(n / heads.size) % heads.heads;
    const t = Math.floor(n / (heads.size * heads.heads)) % length;
    return rows[Math.floor(n / (heads.size * heads.heads * length))]![(head * length + t) * heads.size + i]!;
  });
}

const causalReference: Reference = (problem) =>
  attend(problem, { visible: ({ query, key }) => key <= query });

describe.each(examples)("$name", (example) => {
  it("is its reference in float64", () => {
    let seed = 1;
    for (const length of lengthsOf(example.name))
      for (const heads of variants) {
        const one = caseOf(example, "training", length, heads, seed++);
        const output = interpret(one.graph, one.inputs, one.sizes).get("output")!.data;
        expect(furthest(output, referenceOutput(example.reference, one, heads, one.inputs))).toBeLessThan(
          1e-9,
        );
      }
  });

  it("is not plain causal attention where the test looks", () => {
    const length = lengthsOf(example.name).at(-1)!;
    const one = caseOf(example, "training", length, variants[1]!, 9);
    const own = referenceOutput(example.reference, one, variants[1]!, one.inputs);
    const plain = referenceOutput(causalReference, one, variants[1]!, one.inputs);
    expect(furthest(own, plain)).toBeGreaterThan(1e-3);
  });

  it("has its reference's gradients", () => {
    const heads = variants[1]!;
    const length = lengthsOf(example.name).at(-1)!;
    const one = caseOf(example, "training", length, heads, 77);
    const graph = differentiate(one.graph, one.paths);
    const outputs = interpret(graph, one.inputs, one.sizes);
    const up = one.inputs.get("up")!.data;
    const total = (values: ReadonlyMap<string, Float64Tensor>): number =>
      referenceOutput(example.reference, one, heads, values).reduce((sum, x, n) => sum + x * up[n]!, 0);
    const next = randomNumbers(5);
    for (const path of one.paths) {
      const given = one.inputs.get(path)!;
      const gradient = outputs.get(`gradient:${path}`)!.data;
      const size = gradient.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      expect(size).toBeGreaterThan(1e-3);
      const slope = (direction: Float64Array): number => {
        const moved = (step: number): number =>
          total(
            new Map(one.inputs).set(path, {
              shape: given.shape,
              data: given.data.map((x, n) => x + step * direction[n]!),
            }),
          );
        return (moved(1e-5) - moved(-1e-5)) / 2e-5;
      };
      const all = Float64Array.from(given.data, () => 2 * next() - 1);
      const along = gradient.reduce((sum, g, n) => sum + g * all[n]!, 0);
      expect(Math.abs(slope(all) - along)).toBeLessThan(1e-5 * Math.max(size, Math.abs(along)));
      // Single numbers too: a random direction may hide which of them is wrong.
      for (let n = 0; n < 12; n++) {
        const at = Math.floor(next() * given.data.length);
        const single = new Float64Array(given.data.length);
        single[at] = 1;
        expect(Math.abs(slope(single) - gradient[at]!)).toBeLessThan(1e-5 * size);
      }
    }
  });
});

describe("shifted groups", () => {
  it("are for training only: the model runs with causal attention", () => {
    const example = examples.find(({ name }) => name === "shifted-sparse")!;
    for (const phase of ["evaluation", "decoding"] as const) {
      const one = caseOf(example, phase, 21 * 8, variants[1]!, 3);
      const output = interpret(one.graph, one.inputs, one.sizes).get("output")!.data;
      const dense = referenceOutput(causalReference, one, variants[1]!, one.inputs);
      const shifted = referenceOutput(example.reference, one, variants[1]!, one.inputs);
      expect(furthest(output, dense)).toBeLessThan(1e-9);
      expect(furthest(output, shifted)).toBeGreaterThan(1e-3);
    }
  });
});

/** The attention node of an example on plain operands, as the kernels' tests take it. */
function specOf(example: Example, length: number, of: Heads, seed: number): Spec {
  const { heads, kvHeads, size } = of;
  const { parameters, phases } = example.instantiate({ heads, kvHeads, headSize: size, length });
  const meaning = phases.training;
  const table = (name: string): Node =>
    leaf(
      name,
      parameters.find((own) => own.name === name)!.axes.map((own) => axis(own.name, own.size)),
    );
  const attention = attentionNode(
    {
      regions: (example.rotation(size) === null ? meaning.regions.slice(-1) : meaning.regions).map(
        ({ when }, n) => ({
          query: leaf(`query${n}`, [batchAxis, tokenAxis, axis("h", heads), axis("d", size)]),
          key: leaf(`key${n}`, [batchAxis, tokenAxis, axis("g", kvHeads), axis("d", size)]),
          when,
        }),
      ),
      value: leaf("value", [batchAxis, tokenAxis, axis("g", kvHeads), axis("e", size)]),
      mask: meaning.mask,
      score: meaning.score,
      buffers: meaning.buffers.map((buffer) =>
        buffer.kind === "parameter"
          ? table(buffer.name)
          : buffer.kind === "node"
            ? buffer.node
            : inputNode(buffer.kind),
      ),
      scale: 1 / Math.sqrt(size),
      prepended: null,
    },
    example.name,
  );
  const loads = realLoads(attention.score);
  const bufferGradients = attention.buffers.flatMap((buffer, n) => {
    const own = loads.filter((load) => load.buffer === n);
    return buffer.dtype !== "f32" || own.length === 0
      ? []
      : [
          {
            buffer: n,
            loads: own.map((load) => ({
              indices: load.indices,
              slope: derivative(attention.score, load),
            })),
          },
        ];
  });
  const gradient = attentionGradientNode(
    attention,
    leaf("output-gradient", attention.axes),
    { scoreSlope: derivative(attention.score, e.logit), bufferGradients },
    "gradient",
  );
  return {
    name: `${example.name} length ${length} heads ${heads}/${kvHeads} size ${size}`,
    sizes: { batch, length, threads: 2, "query-start": 0 },
    attention,
    gradient,
    rotations: [],
    meaning: null,
    deviation: 1,
    seed,
  };
}

describe("native kernels", () => {
  it("compute every example and its gradients within rounding", async () => {
    const specs = examples.flatMap((example, n) => [
      specOf(example, example.name === "shifted-sparse" ? 152 : 151, variants[1]!, n),
      specOf(
        example,
        example.name === "shifted-sparse" ? 40 : 37,
        { heads: 3, kvHeads: 3, size: 32 },
        50 + n,
      ),
    ]);
    const kernels = await compileNodes(
      specs.flatMap((spec) => [spec.attention, spec.gradient]),
      "native",
    );
    const failures: string[] = [];
    specs.forEach((spec, n) => {
      const { inputs, results } = refer(spec);
      const given = runKernels(kernels, 2 * n, spec, inputs);
      const tolerances = attentionTolerances(spec, (path) => inputs.get(path)!, results);
      results.forEach((want, r) => {
        const error = worst(given[r]!, want.data, tolerances[r]!);
        if (typeof error === "string" || !(error <= 1)) failures.push(`${spec.name} result ${r}: ${error}`);
      });
    });
    expect(failures).toEqual([]);
  }, 300_000);
});
