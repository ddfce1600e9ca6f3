/** The sm_80 attention kernels, run on the host thread by thread, against the interpreter: forward and gradients, each element type. */
import { describe, expect, it } from "vitest";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { DoesNotFit } from "../../compiler/backends/cuda/sm80/call-plan.ts";
import * as e from "../../compiler/ir/expr.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { buildSpec, randomSpecs, type Spec } from "../conformance/support/random-specs.ts";
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

/**
 * The first region is one key. Some rows give it next to no gradient, and terms of their output cancel: what the output
 * then lacks is most of what is wrong with the gradient of the region's queries.
 */
const loneKey = buildSpec(
  {
    ...{ batch: 2, groups: 1, each: 4, d: 4, e: 1, length: 64, fewer: 0, early: 0, threads: 1 },
    ...{ deviation: 1, regions: [e.lt(e.index("k"), e.int(1))], several: 0, seed: 30 },
  },
  { name: "all", build: () => e.bool(true) },
  () => ({ name: "logit", build: (s) => s }),
);

describe(`sm_80 attention on the host: ${count} random specs an element, LCTX_SEED=${seed}`, () => {
  const specs = randomSpecs(8 * count, seed)
    .filter(({ sizes, attention }) => sizes.length <= 130 && attention.axes.length === 4)
    .slice(0, count);
  it.each(["f32", "bf16", "f16"] as const)("%s (not run without g++)", { timeout: 240_000 }, (element) => {
    const planned = [...specs, ...(element === "f32" ? [loneKey] : [])].flatMap((spec) => {
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
