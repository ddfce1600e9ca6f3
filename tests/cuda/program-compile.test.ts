/** Every kernel of a whole program for a GPU, compiled by nvcc as one file: what the host's compiler accepts may be no CUDA. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { benchUpdate, decoderGraph, parametersOf, type DecoderShape } from "../../bench/decoder-graph.ts";
import { buildCudaProgram } from "../../compiler/build-program.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../compiler/passes/pipeline.ts";
import { hasNvcc } from "./nvcc.ts";

/** Gated, with everything a decoder may have; frozen sizes where vectors of four are used, and odd ones. */
const shape: DecoderShape = {
  ...{ layers: 1, width: 64, heads: 2, kvHeads: 1, hidden: 44, vocab: 21 },
  ...{ gated: true, bias: true, rotary: true, documents: true },
};

it.runIf(hasNvcc)("kernels of a program compile without a warning", { timeout: 300_000 }, () => {
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
  const parts = [...texts.values()].map(
    ({ text, entry }, n) => `namespace part_${n} {\n${text.replaceAll(entry, `${entry}_${n}`)}\n}\n`,
  );
  const folder = mkdtempSync(join(tmpdir(), "lctx-nvcc-"));
  const file = join(folder, "all.cu");
  writeFileSync(file, parts.join(""));
  const target = "-gencode=arch=compute_80,code=sm_80";
  // Constants that only some kernels read are no mistake.
  const args = [
    target,
    "-diag-suppress=177",
    "-cubin",
    "-Xptxas",
    "-v",
    "-o",
    join(folder, "all.cubin"),
    file,
  ];
  const made = spawnSync("nvcc", args, { encoding: "utf8" });
  const log = `${made.stdout}${made.stderr}`;
  rmSync(folder, { recursive: true });
  expect(made.status, log.slice(0, 3000)).toBe(0);
  expect(log).not.toMatch(/warning|error/);
  expect(log.match(/Compiling entry function/g)).toHaveLength(texts.size);
  // Products keep their 64 sums of a thread in registers, with two blocks a multiprocessor: a few words may not fit.
  const product = log.split("Compiling entry function").filter((part) => part.includes("lctx_matmul"));
  expect(product.length).toBeGreaterThan(0);
  for (const part of product) expect(Number(/(\d+) bytes spill stores/.exec(part)![1])).toBeLessThan(32);
});
