/** Milliseconds from a spec's text to its first attention result, forward and backward, on a GPU: cold, warm, and at a new length. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import type { SourceHost } from "../../compiler/check/environment.ts";
import { planAttention } from "../../compiler/backends/cuda/plan-attention.ts";
import { checkSpec } from "../../compiler/compile.ts";
import type { AttentionGradientNode, AttentionNode } from "../../compiler/ir/graph.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../compiler/passes/pipeline.ts";
import { openCuda, type CudaDevice } from "../../runtime/device/cuda/device.ts";
import type { PreparedCall } from "../../runtime/device/cuda/prepared.ts";

const heads = 16;
const depth = 128;

/** Specs whose kernels differ; the library's declarations are read from the disk, as a user's are. */
const texts: Readonly<Record<string, string>> = {
  causal: "attention A() {\n  mask causal\n}\n",
  "window and cap": "attention A() {\n  mask causal and window(1024)\n  score = softcap(30)\n}\n",
};
const specText = (attention: string): string => `import std.masks { causal, window }
import std.scores { softcap }
${attention}
model M = decoder {
  vocab 64   layers 1   heads ${heads}   kv_heads ${heads}   width ${heads * depth}   size ${depth}
  hidden 64   length 8192   attention A()   rope none()
}
`;

const library = [join(import.meta.dirname, "stdlib"), join(import.meta.dirname, "../../stdlib")].find(
  existsSync,
);
const read = (path: string): string | null => (existsSync(path) ? readFileSync(path, "utf8") : null);
const host: SourceHost = {
  read,
  library: (parts) => (library === undefined ? null : read(`${join(library, ...parts.slice(1))}.lctx`)),
  libraryFiles: () =>
    library === undefined
      ? []
      : readdirSync(library, { recursive: true, encoding: "utf8" })
          .filter((name) => name.endsWith(".lctx"))
          .map((name) => ["std", ...name.slice(0, -".lctx".length).split(sep)]),
};

function nodesOf(text: string): readonly [AttentionNode, AttentionGradientNode] {
  const { project, diagnostics } = checkSpec("bench.lctx", specText(text), host);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (project === null || errors.length > 0)
    throw new Error(errors.map(({ code, title }) => `${code}: ${title}`).join("\n"));
  const model = project.models.get("M")!;
  const paths = model.parameters.map(({ path }) => path);
  const { nodes } = optimizeGraph(
    differentiate(modelToGraph(model, { phase: "training", output: "loss" }), paths),
  );
  return [
    nodes.find((node): node is AttentionNode => node.kind === "attention")!,
    nodes.find((node): node is AttentionGradientNode => node.kind === "attention-gradient")!,
  ];
}

interface Ready {
  readonly forward: PreparedCall;
  readonly backward: PreparedCall;
}

async function prepare(device: CudaDevice, text: string): Promise<Ready> {
  const [node, gradient] = nodesOf(text);
  const plan = planAttention(node, gradient, blockFacts(node), "bf16", {
    path: "auto",
    hopper: device.properties.major === 9,
  })!;
  const [forward, backward] = await Promise.all([
    device.prepare(plan.forward.call),
    device.prepare(plan.backward.call),
  ]);
  return { forward, backward };
}

/** Runs both calls once and waits. Zeros do: the time of kernels is not what is asked for. */
function first({ forward, backward }: Ready, device: CudaDevice, length: number): void {
  const bytes = 2 * length * heads * depth;
  const memories = Array.from({ length: backward.call.buffers }, () => device.allocate(bytes));
  const sizes = { batch: 1, length, "query-length": length, "query-start": 0, step: 0 };
  forward.run(memories.slice(0, forward.call.buffers), sizes);
  backward.run(memories, sizes);
  device.synchronize();
  for (const memory of memories) memory.free();
}

export interface CompileTimes {
  readonly spec: string;
  /** Nothing compiled before; the process's first also loads the compiler. */
  readonly coldMs: number;
  /** Machine code on the disk, nothing on the device. */
  readonly warmMs: number;
  /** Another length of the same spec. */
  readonly lengthMs: number;
}

/** The device is open already: opening one is no part of a spec's time. */
export async function compileTimes(): Promise<readonly CompileTimes[]> {
  const folder = mkdtempSync(join(tmpdir(), "lctx-compile-"));
  const all: CompileTimes[] = [];
  for (const [spec, text] of Object.entries(texts)) {
    const timed = async (): Promise<readonly [number, number]> => {
      const device = await openCuda({ cacheFolder: folder });
      const began = performance.now();
      const ready = await prepare(device, text);
      first(ready, device, 2048);
      const made = performance.now();
      first(ready, device, 3000);
      const again = performance.now();
      device.close();
      return [made - began, again - made];
    };
    const [coldMs] = await timed();
    const [warmMs, lengthMs] = await timed();
    all.push({ spec, coldMs, warmMs, lengthMs });
  }
  rmSync(folder, { recursive: true });
  return all;
}
