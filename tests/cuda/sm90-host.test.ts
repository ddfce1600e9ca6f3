/** The Hopper attention kernels on the host, with their instructions imitated, against the interpreter: several rotation regions above all. */
import { describe, expect, it } from "vitest";
import {
  sm90BackwardCall,
  sm90ForwardCall,
  sm90Refusal,
} from "../../compiler/backends/cuda/sm90/attention-call.ts";
import * as e from "../../compiler/ir/expr.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import {
  buildSpec,
  randomRegionSpecs,
  randomTileSpecs,
  type Spec,
} from "../conformance/support/random-specs.ts";
import { randomLevelSpecs } from "../conformance/support/random-weighted-specs.ts";
import { causal } from "../support/random-mask.ts";
import { compareCalls } from "./check-calls.ts";
import { compileForHost } from "./host-device.ts";

const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 20));
const count = Number(process.env["LCTX_HOPPER_SPECS"] ?? 1);

const near = (n: number): e.Expr => e.lt(e.sub(e.index("q"), e.index("k")), e.int(n));
const logit = { name: "logit", build: (s: e.Expr) => s };
const fixed = (length: number, d: number, regions: readonly e.Expr[]): Spec =>
  buildSpec(
    {
      ...{ batch: 1, groups: 1, each: 1, d, e: d, length, fewer: 0, early: 0, threads: 1, deviation: 1 },
      ...{ regions: [...regions], several: 0, seed: 7 },
    },
    causal,
    () => logit,
  );
const chosen = (make: (count: number, seed: number) => Spec[]): readonly Spec[] =>
  make(20 * count, seed)
    .filter(({ sizes, attention, gradient }) => {
      const taken = sm90Refusal(attention) === null && sm90Refusal(gradient) === null;
      return taken && attention.axes.length === 4 && sizes.length > 60 && sizes.length <= 200;
    })
    .slice(0, count);
const callsOf = ({ attention, gradient }: Spec): readonly [CudaCall, CudaCall] => [
  sm90ForwardCall(attention, blockFacts(attention), "bf16"),
  sm90BackwardCall(gradient, blockFacts(gradient), "bf16"),
];
const planted = (call: CudaCall, right: string, wrong: string): CudaCall => ({
  ...call,
  sources: call.sources.map((source) => ({ ...source, text: source.text.replace(right, wrong) })),
});

describe(`Hopper attention on the host: LCTX_SEED=${seed}`, () => {
  const two = fixed(200, 128, [near(90)]);
  const [forward, backward] = callsOf(two);
  // Plain ones in one run, of two levels of softmax in another.
  const single = seed % 2 === 0 ? randomTileSpecs : randomLevelSpecs;
  const specs = [two, ...chosen(randomRegionSpecs), ...chosen(single)];
  // The next region's queries are never taken up; the next region's keys are not waited for.
  const mistakes: readonly (readonly [CudaCall, CudaCall])[] = [
    [planted(forward, "if (LCTX_REGION_OF(note) != p.region)", "if (false)"), backward],
    [forward, planted(backward, "lctx_wait(KEYS_FULL(region), 0);", "")],
  ];
  it(
    "agrees, in any order of threads, and planted mistakes are seen (not run without g++)",
    { timeout: 240_000 },
    () => {
      for (const [n, calls] of mistakes.entries()) expect(calls[n]).not.toEqual([forward, backward][n]);
      const compiled = compileForHost([...specs.map(callsOf), ...mistakes].flat());
      if (compiled === null) return;
      const compare = (spec: Spec, n: number, order: number): readonly string[] => {
        const [first, second] = [compiled[2 * n]!, compiled[2 * n + 1]!];
        return compareCalls(
          spec,
          "bf16",
          (buffers, _, sizes) => first(buffers, sizes, {}, order),
          (buffers, _, sizes) => second(buffers, sizes, {}, order),
        ).failures;
      };
      expect(specs.flatMap((spec, n) => compare(spec, n, seed + n))).toEqual([]);
      expect(compare(two, 0, seed + 1)).toEqual([]);
      const wrong = mistakes.map((_, n) => {
        try {
          return compare(two, specs.length + n, 2).length > 0;
        } catch (error) {
          // Threads that hang, or a barrier that more come to than it counts.
          return /wait for ever|more arrivals/.test((error as Error).message);
        }
      });
      expect(wrong).toEqual([true, true]);
    },
  );
});
