/** The conformance suite of one backend: random specs, every kind of node, and random graphs against the interpreter. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { optimizeGraph } from "../../../compiler/passes/pipeline.ts";
import { differentiate } from "../../../compiler/passes/differentiate.ts";
import { openBackend, type BackendName } from "../../../runtime/tfjs/backend.ts";
import { tileSizes } from "../../../runtime/tfjs/pair-walk.ts";
import { caseInputs, nodeCases } from "../../conformance/support/node-cases.ts";
import { randomSpecs } from "../../conformance/support/random-specs.ts";
import { randomTextSpecs } from "../../conformance/support/random-texts.ts";
import { randomWeightedSpecs } from "../../conformance/support/random-weighted-specs.ts";
import { randomRoutedSpecs } from "../../conformance/support/routed/random-routed-texts.ts";
import { runSeed } from "../../conformance/support/spec-run.ts";
import { parametersOf } from "../../support/gradient-check.ts";
import { graphWith, plainLayers, randomGraph } from "../../support/random-graph.ts";
import { selectionLayers } from "../../support/random-selections.ts";
import { randomInputs } from "../../support/random-values.ts";
import { graphDifferences, routedProblems, specProblems } from "./compare.ts";
import { noteKernels, unknownKernels } from "./kernels.ts";
import { smallSpecs } from "./specs.ts";

/** Random specs that a run compares, on all its backends together. */
const total = Number(process.env["LCTX_TFJS_SPECS"] ?? 500);

/** Single-precision sums of at most some thousand numbers of size 1. */
const tolerance = 5e-5;

const kinds = [
  { kind: "nodes", share: 0.4, problems: (count: number, seed: number) => smallSpecs(randomSpecs, count, seed).flatMap(specProblems) },
  { kind: "texts", share: 0.2, problems: (count: number, seed: number) => smallSpecs(randomTextSpecs, count, seed).flatMap(specProblems) },
  { kind: "weights", share: 0.2, problems: (count: number, seed: number) => smallSpecs(randomWeightedSpecs, count, seed).flatMap(specProblems) },
  { kind: "routings", share: 0.2, problems: (count: number, seed: number) => randomRoutedSpecs(count, seed).flatMap(routedProblems) },
] as const; // prettier-ignore

/** `share`: of the run's specs; `part` makes them others than those of another backend. */
export function describeConformance(backend: BackendName, share: number, part: number): void {
  beforeAll(async () => {
    await openBackend(backend);
    // Small tiles, so that short rows have several.
    tileSizes.rows = 8;
    tileSizes.keys = 12;
    noteKernels();
  });

  describe(`tfjs:${backend}, LCTX_SEED=${runSeed}`, () => {
    it.each(kinds)("$kind", ({ share: own, problems }) => {
      const count = Math.ceil(total * share * own);
      expect(problems(count, runSeed * 4 + part)).toEqual([]);
    });

    it("every kind of node", () => {
      const failures = [1, 5, 33].flatMap((length) =>
        Object.entries(nodeCases).flatMap(([name, node], n) => {
          const sizes = { batch: 2, length };
          const { graph, inputs } = caseInputs(node, length * 100 + n, { ...sizes });
          return graphDifferences(`${name}, length ${length}`, graph, inputs, sizes, tolerance);
        }),
      );
      expect(failures).toEqual([]);
    });

    it("random graphs with their gradients", () => {
      const graphs = [
        ...[...plainLayers, ...selectionLayers].map((layer) => ({
          name: layer.name,
          graph: graphWith([layer], "square"),
        })),
        ...fc.sample(randomGraph(2), { numRuns: Math.ceil((total * share) / 10), seed: runSeed + part }),
      ];
      const sizes = { batch: 2, length: 9 };
      const failures = graphs.flatMap(({ name, graph }) => {
        const whole = optimizeGraph(differentiate(graph, parametersOf(graph)));
        const inputs = randomInputs(whole, sizes, runSeed, { single: true });
        return graphDifferences(name, whole, inputs, sizes, 2e-4, { seed: 77, step: 2 });
      });
      expect(failures).toEqual([]);
    });

    it("runs no kernel that the native binding lacks", () => {
      expect(unknownKernels()).toEqual([]);
    });
  });
}
