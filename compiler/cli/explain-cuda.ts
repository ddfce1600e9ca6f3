/** `lctx explain kernels --target cuda`: which kernels each attention of a spec takes on a GPU, and why. */
import { decodeRefusal } from "../backends/cuda/decode/decode-call.ts";
import { decodeLimits } from "../backends/cuda/decode/prefers-decode.ts";
import { planAttention, type PlannedCall } from "../backends/cuda/plan-attention.ts";
import type { Compiled } from "../compile.ts";
import type { AttentionGradientNode, AttentionNode } from "../ir/graph.ts";
import { blockFacts } from "../passes/analyses/block-facts.ts";

const elements = ["bf16", "f16", "f32"] as const;
const named = { sm80: "sm_80", sm90: "sm_90a" } as const;

function planLines(direction: string, { path, reason, call }: PlannedCall): string[] {
  const why = reason === null ? "" : `  since: ${reason}`;
  return [
    `  ${direction.padEnd(9)}${named[path]}${why}`,
    ...call.launches.map(
      ({ label, threads, sharedBytes }) =>
        `    ${label.replace(/^.*?: /, "").padEnd(32)}${String(threads).padStart(4)} threads  ${(sharedBytes / 1024).toFixed(0).padStart(4)} KiB shared`,
    ),
  ];
}

/** Lines for each attention of the training graph that differs from the ones before, for each element type. */
export function explainCuda(compiled: Compiled): string[] {
  const { train } = compiled.stages[0]!.graphs;
  const gradients = new Map(
    train.nodes
      .filter((node): node is AttentionGradientNode => node.kind === "attention-gradient")
      .map((node) => [node.output, node]),
  );
  const told = new Set<string>();
  const lines: string[] = [];
  for (const node of train.nodes) {
    const gradient = gradients.get(node);
    if (node.kind !== "attention" || gradient === undefined) continue;
    const text = elements.flatMap((element) => elementLines(node, gradient, element));
    // Layers repeat: the same kernels are told once.
    const key = text.join("\n");
    if (told.has(key)) continue;
    told.add(key);
    lines.push(`${node.site}`, ...text, "");
  }
  return [
    ...lines,
    `Paths for a GPU of compute capability 9.0 (Hopper); others take sm_80. At most ${decodeLimits.queries} queries over ` +
      `${decodeLimits.keys} keys or more take the decode kernels. Times: \`lctx bench cuda-attention\` on the GPU.`,
  ];
}

function elementLines(
  node: AttentionNode,
  gradient: AttentionGradientNode,
  element: (typeof elements)[number],
): string[] {
  const plan = planAttention(node, gradient, blockFacts(node), element, { path: "auto", hopper: true })!;
  const refusal = decodeRefusal(node, element);
  return [
    ` ${element}`,
    ...planLines("forward", plan.forward),
    ...planLines("backward", plan.backward),
    `  decode   ${refusal === null ? "sm_80, keys split over blocks" : `none: ${refusal}`}`,
  ];
}
