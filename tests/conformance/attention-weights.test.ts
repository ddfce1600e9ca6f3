/** Random attention specs with weights, sinks and turned queries on both targets (parts 6 and 7 of a run). */
import { describe, expect, it } from "vitest";
import { refer, runKernels } from "./support/compare-specs.ts";
import { compileNodes } from "./support/compile-kernels.ts";
import { describeSpecs } from "./support/describe-specs.ts";
import { randomWeightedSpecs } from "./support/random-weighted-specs.ts";
import { specPart } from "./support/spec-run.ts";

describeSpecs(specPart("weights", 6), 0.06, "native");
describeSpecs(specPart("weights", 7), 0.008, "wasm");

describe("bits", () => {
  it("are the same on any number of threads", async () => {
    const specs = randomWeightedSpecs(60, 21)
      .filter(({ sizes }) => sizes.length > 64)
      .slice(0, 6);
    expect(specs).toHaveLength(6);
    const kernels = await compileNodes(
      specs.flatMap(({ attention, gradient }) => [attention, gradient]),
      "native",
    );
    specs.forEach((spec, n) => {
      const { inputs } = refer({ ...spec, sizes: { ...spec.sizes, batch: 1 } });
      const run = (threads: number) =>
        runKernels(kernels, 2 * n, { ...spec, sizes: { ...spec.sizes, batch: 1, threads } }, inputs);
      const first = run(1);
      for (const threads of [2, 3, 40]) expect(run(threads)).toEqual(first);
    });
  }, 300_000);
});
