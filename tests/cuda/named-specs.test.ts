/** The named specs through the kernels for every GPU, on the host, against the interpreter; the same bits twice. */
import { describe, expect, it } from "vitest";
import { planAttention } from "../../compiler/backends/cuda/plan-attention.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { compareCalls } from "./check-calls.ts";
import { compileForHost } from "./host-device.ts";
import { regressionSpecs, sparseSpecs } from "./named-specs.ts";

// Lengths of many thousands take minutes without a GPU.
const specs = [...regressionSpecs(), ...sparseSpecs(1, 1)].filter(({ sizes }) => sizes.length < 400);
const plans = specs.map((spec) =>
  planAttention(spec.attention, spec.gradient, blockFacts(spec.attention), "bf16", {
    path: "sm80",
    hopper: false,
  }),
);
const calls = compileForHost(plans.flatMap((plan) => [plan!.forward.call, plan!.backward.call]));

describe("named specs", () => {
  it.skipIf(calls === null).each(specs.map((spec, n) => [spec.name, n] as const))(
    "%s (not run without g++)",
    { timeout: 120_000 },
    (_, n) => {
      const [forward, backward] = calls!
        .slice(2 * n)
        .map(
          (call) => (buffers: readonly ArrayBufferView[], _: number, sizes: Record<string, number>) =>
            call(buffers, sizes),
        );
      expect(compareCalls(specs[n]!, "bf16", forward!, backward!, true).failures).toEqual([]);
    },
  );
});
