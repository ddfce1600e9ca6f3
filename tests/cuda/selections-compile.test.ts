/** Kernels of sinks, sets, folds and selections compile for their processors, without warnings, those for Hopper without spills. */
import { expect, it } from "vitest";
import { attentionDecodeCall } from "../../compiler/backends/cuda/decode/decode-call.ts";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import { sm90BackwardCall, sm90ForwardCall } from "../../compiler/backends/cuda/sm90/attention-call.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { NodeCase } from "./check-nodes.ts";
import { hasNvcc, compileAll } from "./nvcc.ts";
import { foldCases } from "./fold-cases.ts";
import { selectCases } from "./select-cases.ts";
import { selectionCases } from "./selection-cases.ts";

it.skipIf(!hasNvcc)("compile (not run without nvcc)", { timeout: 400_000 }, async () => {
  const named = (names: readonly string[]) =>
    selectionCases(64, 64).filter(({ name }) => names.includes(name));
  const attention = named(["a sink by head", "a set for blocks of queries"]);
  const folds = [
    "log-sum-exp of chosen blocks",
    "column sums by head",
    "diagonal sums",
    "sums of wide tiles",
  ];
  const sourcesOf = ({ name, call }: NodeCase) => call("bf16").sources.map((source) => ({ name, source }));
  const sources = [
    ...attention.flatMap(({ name, attention: node, gradient }) => {
      const [forward, backward] = [blockFacts(node), blockFacts(gradient)];
      const own = [
        ...attentionForwardCall(node, forward, "bf16").sources,
        ...attentionBackwardCall(gradient, backward, "bf16").sources,
        ...attentionDecodeCall(node, forward, "bf16").sources,
        ...sm90ForwardCall(node, forward, "bf16").sources,
        ...sm90BackwardCall(gradient, backward, "bf16").sources,
      ];
      return own.map((source) => ({ name, source }));
    }),
    ...selectCases(64)
      .filter(({ name }) => /^select (above|by head)|forced/.test(name))
      .flatMap(sourcesOf),
    ...foldCases(64)
      .filter(({ name }) => folds.includes(name))
      .flatMap(sourcesOf),
  ];
  // Kernels around those that read pairs are compiled elsewhere; kernels of the same text once.
  const wanted = [...new Map(sources.map((own) => [own.source.text, own])).values()].filter(
    ({ source: { entry } }) => !/prepare|finish|table|start|fold_sum/.test(entry),
  );
  const wrong: string[] = [];
  await compileAll(wanted, ({ name, source }, { log }) => {
    const where = `${name}, ${source.entry} ${source.architecture}`;
    if (/warning|error|C7\d\d\d/i.test(log) || !/registers/.test(log)) wrong.push(`${where}: ${log}`);
    else if (source.architecture === "sm_90a" && !/ 0 bytes spill stores, 0 bytes spill loads/.test(log))
      wrong.push(`${where} spills: ${log}`);
  });
  expect(wrong).toEqual([]);
});
