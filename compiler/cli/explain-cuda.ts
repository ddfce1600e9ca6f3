/** `lctx explain kernels --target cuda`: which kernels each attention of a spec takes on a GPU, why, and what they take. */
import { decodeRefusal } from "../backends/cuda/decode/decode-call.ts";
import { decodeLimits } from "../backends/cuda/decode/prefers-decode.ts";
import type { AttentionElement } from "../backends/cuda/element.ts";
import { planAttention, type PlannedCall } from "../backends/cuda/plan-attention.ts";
import type { Compiled } from "../compile.ts";
import type { AttentionGradientNode, AttentionNode } from "../ir/graph.ts";
import { blockFacts } from "../passes/analyses/block-facts.ts";
import { expectedTime, type RunSizes } from "./cuda-expected.ts";
import { openMeasures, type CudaMeasures } from "./cuda-measures.ts";

const elements = ["bf16", "f16", "f32"] as const;
const named = { sm80: "sm_80", sm90: "sm_90a", decode: "decode" } as const;

async function planLines(
  direction: "forward" | "backward",
  { path, reason, remark, call }: PlannedCall,
  node: AttentionNode | AttentionGradientNode,
  element: AttentionElement,
  sizes: RunSizes,
  measures: CudaMeasures,
): Promise<string[]> {
  const why = reason === null ? "" : `  since: ${reason}`;
  const expected = expectedTime(node, path, element, sizes, call.launches.length);
  const measured = await measures.time(call, node, sizes);
  const resources = await Promise.all(call.sources.map((source) => measures.resources(source)));
  return [
    `  ${direction.padEnd(9)}${named[path]}${why}`,
    ...(remark === null ? [] : [`    slower: ${remark}`]),
    `    expected ${expected.milliseconds.toPrecision(3)} ms (${expected.basis}), measured ${measured === null ? "-" : `${measured.toPrecision(3)} ms`}`,
    ...call.launches.map(({ label, tile = "", threads, sharedBytes, source }) => {
      const own = resources[source] ?? null;
      const taken =
        own === null
          ? "registers, spills: -"
          : `${String(own.registers).padStart(4)} registers  ${String(own.spillBytes).padStart(4)} bytes spilled`;
      return `    ${label.replace(/^.*?: /, "").padEnd(50)}${tile.padStart(10)}${String(threads).padStart(6)} threads${(sharedBytes / 1024).toFixed(0).padStart(5)} KiB shared${taken.padStart(38)}`;
    }),
  ];
}

/** Lines for each attention of the training graph that differs from the ones before, for each element type. */
export async function explainCuda(compiled: Compiled, sizes: RunSizes): Promise<string[]> {
  const { train } = compiled.stages[0]!.graphs;
  const gradients = new Map(
    train.nodes
      .filter((node): node is AttentionGradientNode => node.kind === "attention-gradient")
      .map((node) => [node.output, node]),
  );
  const measures = await openMeasures();
  const told = new Set<string>();
  const lines: string[] = [`${sizes.batch} rows of ${sizes.length} tokens; tiles are queries × keys`, ""];
  for (const node of train.nodes) {
    const gradient = gradients.get(node);
    if (node.kind !== "attention" || gradient === undefined) continue;
    // Layers repeat: the same kernels are told once.
    const key = keyOf(node, gradient, sizes, measures);
    if (told.has(key)) continue;
    told.add(key);
    lines.push(node.site);
    for (const element of elements)
      lines.push(...(await elementLines(node, gradient, element, sizes, measures)));
    lines.push("");
  }
  measures.close();
  return [
    ...lines,
    `Paths for a GPU of compute capability ${measures.hopper ? "9.0 (Hopper)" : "below 9.0"}. At most ${decodeLimits.queries} queries over ` +
      `${decodeLimits.keys} keys or more take the decode kernels. ${measures.note}`,
  ];
}

type Planned = NonNullable<ReturnType<typeof planAttention>>;

const planOf = (
  node: AttentionNode,
  gradient: AttentionGradientNode,
  element: AttentionElement,
  sizes: RunSizes,
  hopper: boolean,
): Planned => planAttention(node, gradient, blockFacts(node), element, { path: "auto", hopper, sizes })!;

/** The texts of the kernels: layers with the same ones differ in their names alone. */
const keyOf = (
  node: AttentionNode,
  gradient: AttentionGradientNode,
  sizes: RunSizes,
  { hopper }: CudaMeasures,
): string => {
  const { forward, backward } = planOf(node, gradient, "bf16", sizes, hopper);
  return [...forward.call.sources, ...backward.call.sources].map(({ text }) => text).join("\n");
};

async function elementLines(
  node: AttentionNode,
  gradient: AttentionGradientNode,
  element: AttentionElement,
  sizes: RunSizes,
  measures: CudaMeasures,
): Promise<string[]> {
  const plan = planOf(node, gradient, element, sizes, measures.hopper);
  const refusal = decodeRefusal(node, element);
  return [
    ` ${element}`,
    ...(await planLines("forward", plan.forward, node, element, sizes, measures)),
    ...(await planLines("backward", plan.backward, gradient, element, sizes, measures)),
    `  decode   ${refusal === null ? "sm_80, keys split over blocks" : `none: ${refusal}`}`,
  ];
}
