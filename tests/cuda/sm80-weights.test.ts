/** The sm_80 kernels of weights, sinks and turned queries, run on the host thread by thread, against the interpreter: forward and gradients. */
import { describe, expect, it } from "vitest";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { planAttention } from "../../compiler/backends/cuda/plan-attention.ts";
import { DoesNotFit } from "../../compiler/backends/cuda/sm80/call-plan.ts";
import * as e from "../../compiler/ir/expr.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { randomWeightedSpecs, twoLevelWeight } from "../conformance/support/random-weighted-specs.ts";
import { buildSpec, type Spec } from "../conformance/support/random-specs.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import { compareCalls, type RunCall } from "./check-calls.ts";
import { compileForHost } from "./host-device.ts";

const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 20));
const count = Number(process.env["LCTX_CUDA_SPECS"] ?? 3);

/** Calls of a spec; null where the largest heads do not fit. */
function callsOf(spec: Spec, element: AttentionElement): readonly [CudaCall, CudaCall] | null {
  try {
    return [
      attentionForwardCall(spec.attention, blockFacts(spec.attention), element),
      attentionBackwardCall(spec.gradient, blockFacts(spec.gradient), element),
    ];
  } catch (error) {
    if (!(error instanceof DoesNotFit)) throw error;
    // Only large heads, of any of the two sizes.
    const sizes = [spec.attention.regions[0]!.query, spec.attention.value].map(({ axes }) => axes[3]!.size);
    expect(sizes.some((size) => size.kind === "fixed" && size.value > 128)).toBe(true);
    return null;
  }
}

/** Every row's one weight is beside a normaliser of keys that the mask hides: in f16 many are below the least number, and lost. */
const lostWeights = (values: number): Spec =>
  buildSpec(
    {
      ...{ batch: 1, groups: 1, each: 1, d: 16, e: 16, length: 40, fewer: 0, early: 0, threads: 1 },
      ...{ deviation: 3, regions: [], several: 0, seed: values },
    },
    { name: "own key", build: () => e.eq(e.index("k"), e.index("q")) },
    () => ({ name: "logit", build: (s) => s }),
    {
      name: "two levels",
      build: () => ({ weight: twoLevelWeight(16, "last"), sink: null, turn: () => null }),
    },
  );

/**
 * The row's normaliser counts all keys and the mask shows every second; keys of the first region are all hidden. Their
 * logits' gradients come from the row's Σ upstream · output alone, whose terms cancel, and in f16 most are below the
 * least number: what is allowed has to follow from both.
 */
const hiddenKeys = (values: number): Spec => {
  const shown = e.eq(e.binary("mod", e.index("k"), e.int(2)), e.int(0));
  return buildSpec(
    {
      ...{ batch: 1, groups: 1, each: 2, d: 4, e: 1, length: 64, fewer: 0, early: 0, threads: 1 },
      ...{ deviation: 1, regions: [e.not(shown)], several: 0, seed: values },
    },
    { name: "even keys", build: () => shown },
    () => ({ name: "logit", build: (s) => s }),
    {
      name: "faint share of all keys",
      build: () => ({
        weight: {
          row: { guard: e.bool(true), score: e.logit },
          block: null,
          cases: [{ when: e.bool(true), row: "self", local: false, factor: e.real(2 ** -14) }],
        },
        sink: null,
        turn: () => null,
      }),
    },
  );
};

/** One query over 290 keys, turned at each block of keys, as attention that re-indexes its blocks asks for its next token. */
const turnedRow = buildSpec(
  {
    ...{ batch: 2, groups: 2, each: 2, d: 32, e: 32, length: 290, fewer: 289, early: 0, threads: 1 },
    ...{ deviation: 1, regions: [], several: 0, seed: 5 },
  },
  { name: "causal", build: () => e.le(e.index("k"), e.index("q")) },
  () => ({ name: "logit", build: (s) => s }),
  {
    name: "turned",
    build: (_, __, d) => ({
      ...{ weight: null, sink: null },
      turn: () => ({
        ...{ by: 16, layout: "half", rotated: d, scale: e.real(1) },
        angle: e.unary("exp", e.mul(e.real(-3 / d), e.toReal(e.index("m")))),
        position: e.sub(e.index("q"), e.mul(e.int(5), e.binary("floor-div", e.index("k"), e.int(16)))),
      }),
    }),
  },
);

const elements: readonly AttentionElement[] = ["f32", "bf16", "f16"];

describe(`weights and turns of sm_80 on the host: ${count} random specs, LCTX_SEED=${seed}`, () => {
  it("agree with the interpreter (not run without g++)", { timeout: 240_000 + 30_000 * count }, () => {
    const specs = randomWeightedSpecs(8 * count, seed)
      .filter(({ sizes }) => sizes.length <= 130)
      .slice(0, count);
    const planned = specs.flatMap((spec, n) => {
      const element = elements[n % 3]!;
      const calls = callsOf(spec, element);
      return calls === null ? [] : [{ spec, element, calls }];
    });
    expect(planned.length).toBeGreaterThan(specs.length / 2);
    const known = [
      { of: lostWeights, element: "f16" as const, values: [12, 4, 2] },
      { of: hiddenKeys, element: "f16" as const, values: [8, 10] },
      { of: hiddenKeys, element: "f32" as const, values: [2, 15] },
    ];
    const { forward: few, backward: fewBack } = planAttention(
      turnedRow.attention,
      turnedRow.gradient,
      blockFacts(turnedRow.attention),
      "bf16",
      { path: "auto", hopper: true, sizes: turnedRow.sizes },
    )!;
    expect(few).toMatchObject({
      path: "sm80",
      remark: expect.stringMatching(/not split over blocks, since the node has queries turned/) as string,
    });
    const compiled = compileForHost([
      ...planned.flatMap(({ calls }) => calls),
      ...known.flatMap(({ of, element }) => callsOf(of(0), element)!),
      few.call,
      fewBack.call,
    ]);
    if (compiled === null) return;
    const runs = compiled.map(
      (run): RunCall =>
        (buffers, _, sizes) =>
          run(buffers, sizes),
    );
    expect(
      planned.flatMap(
        ({ spec, element }, n) => compareCalls(spec, element, runs[2 * n]!, runs[2 * n + 1]!).failures,
      ),
    ).toEqual([]);
    known.forEach(({ of, element, values }, n) => {
      const [forward, backward] = runs.slice(2 * (planned.length + n));
      for (const own of values)
        expect(compareCalls(of(own), element, forward!, backward!).failures).toEqual([]);
    });
    const [row, rowBack] = runs.slice(-2);
    expect(compareCalls(turnedRow, "bf16", row!, rowBack!).failures).toEqual([]);
  });
});
