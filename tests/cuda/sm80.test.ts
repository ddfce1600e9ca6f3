/** The sm_80 attention kernels, run on the host thread by thread, against the interpreter: forward and gradients, each element type. */
import { describe, expect, it } from "vitest";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { DoesNotFit } from "../../compiler/backends/cuda/sm80/call-plan.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { randomSpecs, type Spec } from "../conformance/support/random-specs.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import { compareCalls, type RunCall } from "./check-calls.ts";
import { compileForHost } from "./host-device.ts";

const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 20));
const count = Number(process.env["LCTX_CUDA_SPECS"] ?? 12);

/** Calls of a spec; null where several regions do not fit, which must be said and happen for nothing else. */
function callsOf(spec: Spec, element: AttentionElement): readonly [CudaCall, CudaCall] | null {
  try {
    return [
      attentionForwardCall(spec.attention, blockFacts(spec.attention), element),
      attentionBackwardCall(spec.gradient, blockFacts(spec.gradient), element),
    ];
  } catch (error) {
    if (!(error instanceof DoesNotFit)) throw error;
    expect(spec.attention.regions.length).toBeGreaterThan(1);
    return null;
  }
}

describe(`sm_80 attention on the host: ${count} random specs an element, LCTX_SEED=${seed}`, () => {
  const specs = randomSpecs(8 * count, seed)
    .filter(({ sizes, attention }) => sizes.length <= 130 && attention.axes.length === 4)
    .slice(0, count);
  it.each(["f32", "bf16", "f16"] as const)("%s (not run without g++)", { timeout: 240_000 }, (element) => {
    const planned = specs.flatMap((spec) => {
      const calls = callsOf(spec, element);
      return calls === null ? [] : [{ spec, calls }];
    });
    // Few specs are refused: several regions of the largest heads.
    expect(planned.length).toBeGreaterThan(specs.length * 0.8);
    const compiled = compileForHost(planned.flatMap(({ calls }) => calls));
    if (compiled === null) return;
    const runs = compiled.map(
      (run): RunCall =>
        (buffers, _, sizes) =>
          run(buffers, sizes),
    );
    expect(
      planned.flatMap(({ spec }, n) => compareCalls(spec, element, runs[2 * n]!, runs[2 * n + 1]!).failures),
    ).toEqual([]);
  });
});
