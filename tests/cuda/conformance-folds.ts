/** The path `folds` of `device-conformance`: sinks, sets, tables of the batch, folds, selections and blocks, on a GPU. */
import { attentionDecodeCall, decodeRefusal } from "../../compiler/backends/cuda/decode/decode-call.ts";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import {
  sm90BackwardCall,
  sm90ForwardCall,
  sm90Refusal,
} from "../../compiler/backends/cuda/sm90/attention-call.ts";
import { axis } from "../../compiler/ir/graph-build.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import { blockCases } from "./block-cases.ts";
import type { RunCall } from "./check-calls.ts";
import { compareNode, type CaseSizes, type NodeCase } from "./check-nodes.ts";
import { foldCases } from "./fold-cases.ts";
import { selectCases } from "./select-cases.ts";
import { selectionCases } from "./selection-cases.ts";

interface SizedCase {
  readonly of: NodeCase;
  readonly sizes: readonly CaseSizes[];
}

const few = 3;
const all = [1, 33, 65, 140, 333].map((length) => ({ batch: 2, length, "query-start": 0 }));
const last = [5, 150, 700].map((length) => ({ batch: 2, length, "query-start": length - few }));

/** Attention by each kernel that takes it. */
function attentionOf(d: number, element: AttentionElement, hopper: boolean): readonly SizedCase[] {
  const both = selectionCases(d, d).flatMap(({ name, attention, gradient }): NodeCase[] => {
    const [forward, backward] = [blockFacts(attention), blockFacts(gradient)];
    const cases: NodeCase[] = [
      {
        name: `${name}, sm80`,
        node: attention,
        call: (own) => attentionForwardCall(attention, forward, own),
      },
      {
        name: `gradient of ${name}, sm80`,
        node: gradient,
        call: (own) => attentionBackwardCall(gradient, backward, own),
      },
    ];
    if (!hopper || element === "f32" || sm90Refusal(gradient) !== null) return cases;
    return [
      ...cases,
      {
        name: `${name}, sm90`,
        node: attention,
        call: () => sm90ForwardCall(attention, forward, element),
      },
      {
        name: `gradient of ${name}, sm90`,
        node: gradient,
        call: () => sm90BackwardCall(gradient, backward, element),
      },
    ];
  });
  const split = selectionCases(d, d, axis("t", few)).filter(
    ({ attention }) => decodeRefusal(attention, element) === null,
  );
  const decode = split.map(({ name, attention }): NodeCase => {
    const facts = blockFacts(attention);
    return {
      name: `${name}, decode`,
      node: attention,
      call: (own) => attentionDecodeCall(attention, facts, own),
    };
  });
  return [...both.map((of) => ({ of, sizes: all })), ...decode.map((of) => ({ of, sizes: last }))];
}

/** Runs a share of the cases twice each: what differs from the interpreter, or between the runs. */
export async function compareFolds(
  runner: (call: CudaCall) => Promise<RunCall>,
  element: AttentionElement,
  hopper: boolean,
  { seed, share, shares }: { readonly seed: number; readonly share: number; readonly shares: number },
  /** Told each case before it runs: a kernel that hangs is named that way. */
  begin: (name: string) => void,
) {
  const plain = [...foldCases(64), ...foldCases(24), ...selectCases(64), ...selectCases(20), ...blockCases];
  const cases = [
    ...plain.map((of) => ({ of, sizes: all })),
    ...attentionOf(64, element, hopper),
    ...attentionOf(40, element, hopper),
  ].filter((_, n) => n % shares === share);
  const failures: string[] = [];
  let compared = 0;
  for (const { of, sizes } of cases) {
    begin(`${element} ${of.name}: compiling`);
    const run = await runner(of.call(element));
    for (const [n, own] of sizes.entries()) {
      begin(`${element} ${of.name}, ${JSON.stringify(own)}`);
      let first: readonly Uint8Array[] = [];
      const twice: RunCall = (buffers, results, launch) => {
        const bits = (): Uint8Array[] =>
          buffers
            .slice(-results)
            .map(({ buffer, byteOffset, byteLength }) =>
              Uint8Array.from(new Uint8Array(buffer, byteOffset, byteLength)),
            );
        run(buffers, results, launch);
        first = bits();
        run(buffers, results, launch);
        if (!bits().every((again, r) => Buffer.from(again).equals(Buffer.from(first[r]!))))
          failures.push(`${element} ${of.name}, ${JSON.stringify(own)}: other bits the second time`);
      };
      failures.push(...compareNode(of, element, twice, own, seed + n));
      compared++;
    }
  }
  return { asked: cases.length, refused: 0, programs: cases.length, compared, failures };
}
