/** Kernels of every attention of the standard library compile for sm_80 and, where Hopper's take them, sm_90a: no warnings, no spills. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { planAttention } from "../../compiler/backends/cuda/plan-attention.ts";
import { checkSpec, stageGraphs } from "../../compiler/compile.ts";
import type { AttentionGradientNode, AttentionNode } from "../../compiler/ir/graph.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { CudaSource } from "../../runtime/device/cuda/launch.ts";
import { diskHost, root } from "../support/check-text.ts";
import { compileAll, hasNvcc } from "./nvcc.ts";

const library = readFileSync(join(root, "stdlib/attention.lctx"), "utf8");
const names = [...library.matchAll(/^attention (\w+)/gm)].map(([, name]) => name!);

/** Bytes a thread spills, where fewer queries a step would be the way out and were not measured. */
const known: Readonly<Record<string, number>> = { "Softcap, lctx_attention_backward": 192 };

/** The attention of a small decoder in training, with its gradient. */
function nodesOf(name: string): readonly [AttentionNode, AttentionGradientNode] {
  const text = `import std.attention { ${name} }
model Small = decoder {
  vocab 256   layers 1   heads 4   width 256   hidden 128   length 1024
  attention ${name}()
}
train Small {
  data       tokens "x.txt" length 1024
  loss       next_token${name === "PrefixLm" ? " except ahead" : ""}
  optimizer  adamw(lr: 2e-3)
  schedule   warmup 1 then constant over 10
  batch      1 sequences
}
`;
  const checked = checkSpec(join(root, "examples/x.lctx"), text, diskHost);
  expect(checked.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  const model = checked.project!.models.get("Small")!;
  const paths = model.parameters.map(({ path }) => path);
  const { train } = stageGraphs(model, paths);
  const gradient = train.nodes.find((node) => node.kind === "attention-gradient")!;
  return [gradient.output as AttentionNode, gradient];
}

it("the library has attentions", () => expect(names.length).toBeGreaterThan(8));

it.skipIf(!hasNvcc)("compile (not run without nvcc)", { timeout: 600_000 }, async () => {
  const texts = new Map<string, { name: string; source: CudaSource }>();
  for (const name of names) {
    const [attention, gradient] = nodesOf(name);
    for (const hopper of [false, true]) {
      const choice = { path: "auto", hopper } as const;
      const plan = planAttention(attention, gradient, blockFacts(attention), "bf16", choice)!;
      for (const source of [...plan.forward.call.sources, ...plan.backward.call.sources])
        texts.set(`${source.architecture} ${source.text}`, { name, source });
    }
  }
  const wrong: string[] = [];
  await compileAll(texts.values(), ({ name, source }, { log }) => {
    const where = `${name}, ${source.entry} for ${source.architecture}`;
    if (/warning|error|C7\d\d\d/i.test(log)) wrong.push(`${where}: ${log}`);
    // What every GPU runs may keep a word or two a thread elsewhere.
    const most = source.architecture === "sm_80" ? 16 : (known[`${name}, ${source.entry}`] ?? 0);
    const spilled = /(\d+) bytes spill stores, (\d+) bytes spill loads/.exec(log);
    if (spilled === null || Math.max(Number(spilled[1]), Number(spilled[2])) > most)
      wrong.push(`${where} spills: ${log}`);
  });
  expect(wrong).toEqual([]);
});
