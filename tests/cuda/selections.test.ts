/** Sinks, sets and tables of the batch in the CUDA kernels of attention, run on the host: against the interpreter, forward and gradient. */
import { describe, expect, it } from "vitest";
import { attentionDecodeCall, decodeRefusal } from "../../compiler/backends/cuda/decode/decode-call.ts";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import { axis } from "../../compiler/ir/graph-build.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { compareNode, type CaseSizes, type NodeCase } from "./check-nodes.ts";
import { compileForHost } from "./host-device.ts";
import { elementsOf, selectionCases } from "./selection-cases.ts";

const all = (length: number): CaseSizes => ({ batch: 2, length, "query-start": 0 });
const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 30));

/** Runs each case at each size; what differs. */
function run(cases: readonly NodeCase[], sizes: readonly CaseSizes[]): readonly string[] {
  const work = cases.flatMap((of, n) => elementsOf(n).map((element) => ({ of, element })));
  const compiled = compileForHost(work.map(({ of, element }) => of.call(element)));
  if (compiled === null) return [];
  // Weights and turns have random specs of their own: here short ones say enough.
  const short = ({ name }: NodeCase): boolean => /two levels|turned/.test(name);
  return work.flatMap(({ of, element }, n) =>
    sizes.flatMap((own, m) =>
      short(of) && own.length > 100
        ? []
        : compareNode(
            of,
            element,
            (buffers, _, launch) => compiled[n]!(buffers, { ...launch, multiprocessors: 5 }),
            own,
            seed + m,
          ),
    ),
  );
}

describe(`sinks, sets and tables of the batch on the host, LCTX_SEED=${seed}`, () => {
  const cases = selectionCases(6, 5);
  it("forward (not run without g++)", { timeout: 240_000 }, () => {
    const calls = cases.map(({ name, attention }): NodeCase => {
      const facts = blockFacts(attention);
      return { name, node: attention, call: (element) => attentionForwardCall(attention, facts, element) };
    });
    expect(run(calls, [1, 33, 140].map(all))).toEqual([]);
  });
  it("gradients (not run without g++)", { timeout: 240_000 }, () => {
    const calls = cases.map(({ name, gradient }): NodeCase => {
      const facts = blockFacts(gradient);
      return { name, node: gradient, call: (element) => attentionBackwardCall(gradient, facts, element) };
    });
    expect(run(calls, [1, 33, 140].map(all))).toEqual([]);
  });
  it("few queries over many keys (not run without g++)", { timeout: 240_000 }, () => {
    const taken = selectionCases(6, 5, axis("t", 3)).filter(
      ({ attention }) => decodeRefusal(attention, "f32") === null,
    );
    expect(taken.length).toBeGreaterThan(10);
    const calls = taken.map(({ name, attention }): NodeCase => {
      const facts = blockFacts(attention);
      return { name, node: attention, call: (element) => attentionDecodeCall(attention, facts, element) };
    });
    const sizes = [5, 150].map((length) => ({ batch: 2, length, "query-start": length - 3 }));
    expect(run(calls, sizes)).toEqual([]);
  });
});
