/** Attentions that choose their keys, from spec to result by CUDA calls on the host: gate, bounds with gradients, gathered columns. */
import { expect, it } from "vitest";
import { checkChain } from "../../bench/cuda/chain/check.ts";
import { chainOf } from "../../bench/cuda/chain/chain.ts";
import { specGraph, specText } from "../../bench/cuda/chain/spec-graph.ts";
import { gatheredCall } from "../../compiler/backends/cuda/attention/gathered-call.ts";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import type { AttentionNode } from "../../compiler/ir/graph.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { compileForHost } from "./host-device.ts";

const gate = { path: "examples/seer-gate/spec.lctx", gradients: false, gathers: false, links: 8 };

interface Case {
  readonly path: string;
  readonly use: string;
  readonly element: AttentionElement;
  /** Of a head. */
  readonly size: number;
  readonly gradients: boolean;
  /** Whether chosen keys are gathered. */
  readonly gathers: boolean;
  /** How many there are: what is made together with another has none. */
  readonly links: number;
}
const cases: readonly Case[] = [
  // Products of several tiles and slices of summed places.
  { ...gate, use: "SeerGate(block: 2, width: 40, threshold: 0.05)", element: "bf16", size: 24 },
  // Blocks that several lanes share, products of whole tiles and slices.
  { ...gate, use: "SeerGate(block: 36, width: 32, threshold: 0.4)", element: "f32", size: 32 },
  {
    path: "bench/specs/block-bounds.lctx",
    use: "BlockBounds(size: 8, keep: 3)",
    element: "f32",
    size: 8,
    gradients: true,
    gathers: false,
    links: 6,
  },
  {
    path: "examples/vertical-slash/spec.lctx",
    use: "VerticalSlash(vertical: 36, slash: 40, probe: 16)",
    element: "f32",
    size: 8,
    gradients: false,
    gathers: true,
    links: 6,
  },
];

it("mean what the interpreter says (not run without g++)", { timeout: 240_000 }, async () => {
  const chains = cases.map(({ path, use, element, size, gradients, gathers, links: count }) => {
    // Chains have no gather, which shares of a gate among heads would need.
    const shape = { heads: 2, kvHeads: gathers ? 1 : 2, size, length: 128 };
    const { graph } = specGraph(specText(path), use, shape, "evaluation", gradients);
    let gathered = false;
    const plain = (node: AttentionNode) => attentionForwardCall(node, blockFacts(node), element);
    const links = chainOf(graph, {
      element,
      attention: (node) => {
        const call = gatheredCall(node, element, plain);
        gathered = call !== null;
        return call ?? plain(node);
      },
      gradient: (node) => attentionBackwardCall(node, blockFacts(node), element),
    });
    expect([use, gathered, links.length]).toEqual([use, gathers, count]);
    return { graph, links, element };
  });
  const calls = chains.flatMap(({ links }) => links.map(({ call }) => call));
  const compiled = compileForHost(calls);
  if (compiled === null) return;
  const problems: string[] = [];
  for (const { graph, links, element } of chains)
    for (const length of [31, 90])
      problems.push(
        ...(await checkChain(
          graph,
          links,
          ({ call }, buffers, sizes) =>
            compiled[calls.indexOf(call)]!(buffers, { ...sizes, multiprocessors: 5 }),
          { element, length, seed: 3 },
        )),
      );
  expect(problems).toEqual([]);
});
