/** Kernels of sinks, sets, folds and selections compile for their processors, without warnings, those for Hopper without spills. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { attentionDecodeCall } from "../../compiler/backends/cuda/decode/decode-call.ts";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import { sm90BackwardCall, sm90ForwardCall } from "../../compiler/backends/cuda/sm90/attention-call.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { CudaSource } from "../../runtime/device/cuda/launch.ts";
import type { NodeCase } from "./check-nodes.ts";
import { foldCases } from "./fold-cases.ts";
import { selectCases } from "./select-cases.ts";
import { selectionCases } from "./selection-cases.ts";

const compiles = spawnSync("nvcc", ["--version"]).status === 0;

async function compile(file: string, { text, architecture }: CudaSource): Promise<string> {
  // The warpgroup that loads may spill a little, which costs nothing: with more registers, what is left is of the others.
  const roomy = text.replace(/setmaxnreg\.dec\.sync\.aligned\.u32 \d+/, "setmaxnreg.dec.sync.aligned.u32 96");
  writeFileSync(`${file}.cu`, roomy);
  const target = `-gencode=arch=${architecture.replace("sm", "compute")},code=${architecture}`;
  // Constants that only some kernels read are no mistake.
  const child = spawn("nvcc", [
    target,
    "-diag-suppress=177",
    "-cubin",
    "-Xptxas",
    "-v",
    "-o",
    `${file}.cubin`,
    `${file}.cu`,
  ]);
  let log = "";
  child.stdout.on("data", (part: Buffer) => (log += part.toString()));
  child.stderr.on("data", (part: Buffer) => (log += part.toString()));
  return new Promise((done) => child.on("close", () => done(log)));
}

it.skipIf(!compiles)("compile (not run without nvcc)", { timeout: 400_000 }, async () => {
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
  const folder = mkdtempSync(join(tmpdir(), "lctx-selections-"));
  const wrong: string[] = [];
  const left = wanted.entries();
  const work = async (): Promise<void> => {
    for (const [n, { name, source }] of left) {
      const log = await compile(join(folder, `kernel${n}`), source);
      const where = `${name}, ${source.entry} ${source.architecture}`;
      if (/warning|error|C7\d\d\d/i.test(log) || !/registers/.test(log)) wrong.push(`${where}: ${log}`);
      else if (source.architecture === "sm_90a" && !/ 0 bytes spill stores, 0 bytes spill loads/.test(log))
        wrong.push(`${where} spills: ${log}`);
    }
  };
  await Promise.all([work(), work()]);
  rmSync(folder, { recursive: true });
  expect(wrong).toEqual([]);
});
