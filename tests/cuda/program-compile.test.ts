/** Every kernel of a whole program for a GPU, compiled by nvcc: what the host's compiler accepts may be no CUDA. */
import { expect, it } from "vitest";
import { benchUpdate, decoderGraph, parametersOf, type DecoderShape } from "../../bench/decoder-graph.ts";
import { buildCudaProgram } from "../../compiler/build-program.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../compiler/passes/pipeline.ts";
import { compileAll, hasNvcc } from "./nvcc.ts";

/** Gated, with everything a decoder may have; frozen sizes where vectors of four are used, and odd ones. */
const shape: DecoderShape = {
  ...{ layers: 1, width: 64, heads: 2, kvHeads: 1, hidden: 44, vocab: 21 },
  ...{ gated: true, bias: true, rotary: true, documents: true },
};

it.runIf(hasNvcc)("kernels of a program compile without a warning", { timeout: 300_000 }, async () => {
  const loss = decoderGraph(shape, "loss");
  const parameters = parametersOf(loss);
  const paths = parameters.map(({ path }) => path);
  const { sources } = buildCudaProgram({
    name: "all",
    graphs: { train: optimizeGraph(differentiate(loss, paths)), logits: decoderGraph(shape, "logits") },
    update: benchUpdate(),
    parameters,
    maxLength: null,
  });
  const texts = new Map(
    Object.values(sources.calls).flatMap((call) =>
      call.sources.map((source) => [source.text, source] as const),
    ),
  );
  expect(texts.size).toBeGreaterThan(20);
  let products = 0;
  await compileAll(
    [...texts.values()].map((source) => ({ source })),
    ({ source: { entry } }, { log }) => {
      expect(log).not.toMatch(/warning|error/);
      expect(log.match(/Compiling entry function/g), log).toHaveLength(1);
      if (!entry.includes("lctx_matmul")) return;
      products++;
      // Products keep their 64 sums of a thread in registers, with two blocks a multiprocessor: a few words may not fit.
      expect(Number(/(\d+) bytes spill stores/.exec(log)![1])).toBeLessThan(32);
    },
  );
  expect(products).toBeGreaterThan(0);
});
