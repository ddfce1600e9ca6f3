/** Every pass of the pipeline keeps the meaning of random graphs with gradients, leaves a right graph, and is calm when done. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import { printGraph } from "../../compiler/ir/print-graph.ts";
import { graphProblems } from "../../compiler/ir/verify-graph.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { graphPasses, optimizeGraph } from "../../compiler/passes/pipeline.ts";
import { parametersOf } from "../support/gradient-check.ts";
import { graphWith, randomGraph } from "../support/random-graph.ts";
import { constantLayer, selectionLayers, sharingLayer } from "../support/random-selections.ts";
import { randomInputs } from "../support/random-values.ts";

const sizes = { batch: 2, length: 5 };
const scalars = { seed: 77, step: 2 };

function expectSameMeaning(before: Graph, after: Graph, seed: number): void {
  expect(graphProblems(after)).toEqual([]);
  expect([...after.outputs.keys()]).toEqual([...before.outputs.keys()]);
  const inputs = randomInputs(before, sizes, seed);
  const [expected, found] = [before, after].map((graph) => interpret(graph, inputs, sizes, scalars)) as [
    ReturnType<typeof interpret>,
    ReturnType<typeof interpret>,
  ];
  for (const [name, tensor] of expected) {
    const other = found.get(name)!;
    const largest = tensor.data.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    tensor.data.forEach((x, n) => {
      const y = other.data[n]!;
      if (!(Math.abs(x - y) <= 1e-10 * Math.max(1, largest)) && x !== y)
        expect({ name, n, y }).toEqual({ name, n, y: x });
    });
  }
}

const withGradients = (graph: Graph): Graph => differentiate(graph, parametersOf(graph));

/** Graphs of layers, and some in which an attention and a fold read the same sums. */
const someGraph = fc.oneof(
  { weight: 3, arbitrary: randomGraph(3) },
  {
    weight: 1,
    arbitrary: fc.constant({ name: sharingLayer.name, graph: graphWith([sharingLayer], "square") }),
  },
);

describe.each([...new Set(graphPasses)].map((pass) => [pass.name, pass] as const))("pass %s", (_, pass) => {
  it("keeps the meaning", () => {
    let changed = 0;
    fc.assert(
      fc.property(someGraph, fc.nat(1000), ({ graph }, seed) => {
        const before = withGradients(graph);
        const after = pass.run(before);
        if (after !== before) changed++;
        expectSameMeaning(before, after, seed);
        const again = pass.run(after);
        if (printGraph(again) === printGraph(after)) expect(again).toBe(after);
      }),
      { numRuns: 40 },
    );
    expect(changed).toBeGreaterThan(0);
  });
});

describe("blocks, selections and folds over pairs", () => {
  it.each([...selectionLayers, constantLayer, sharingLayer].map((layer) => [layer.name, layer] as const))(
    "%s",
    (_, layer) => {
      const before = withGradients(graphWith([layer, layer], "square"));
      const after = optimizeGraph(before);
      expect(after.nodes.length).toBeLessThan(before.nodes.length);
      expectSameMeaning(before, after, 5);
      expect(optimizeGraph(after)).toBe(after);
    },
  );
});

describe("the whole pipeline", () => {
  it("keeps the meaning and never adds work", () => {
    fc.assert(
      fc.property(randomGraph(3), fc.nat(1000), ({ graph }, seed) => {
        const before = withGradients(graph);
        const problems: string[] = [];
        const after = optimizeGraph(before, (pass, current) =>
          problems.push(...graphProblems(current).map((problem) => `after ${pass.name}: ${problem}`)),
        );
        expect(problems).toEqual([]);
        expectSameMeaning(before, after, seed);
        expect(after.nodes.length).toBeLessThanOrEqual(before.nodes.length);
      }),
      { numRuns: 60 },
    );
  });

  it("has one-line purposes and unique names", () => {
    const unique = new Set(graphPasses);
    expect(new Set([...unique].map(({ name }) => name)).size).toBe(unique.size);
    for (const pass of unique) expect(pass.purpose).toMatch(/^[A-Z].*\.$/);
  });
});
