/** Plans the sm_80 kernels of an attention node or its gradient: tile sizes, sources, launches. */
import type { CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../../ir/block-facts.ts";
import type { AttentionGradientNode, AttentionNode } from "../../../ir/graph.ts";
import { c } from "../../../ir/kernel.ts";
import { weighing } from "../attention/shape.ts";
import { trainedText } from "../attention/trained-tables.ts";
import type { AttentionElement } from "../element.ts";
import { backwardText } from "./backward.ts";
import { BackwardPlan, blocksOf, operandCount, pointer, type Wanted } from "./backward-plan.ts";
import { CallPlan, plainPlan, rows, threads, type KernelPlan } from "./call-plan.ts";
import { forwardText } from "./forward.ts";
import { weightedBackwardCall, weightedForwardCall } from "./weighted-call.ts";

/** Buffers of the call: operands, output, log-sum-exp (f32 [b, t, h]). */
export function attentionForwardCall(
  node: AttentionNode,
  facts: BlockFacts,
  element: AttentionElement,
): CudaCall {
  if (weighing(node) !== null) return weightedForwardCall(node, facts, element);
  const first = operandCount(node);
  const plan = new CallPlan(node, facts, element, first + 2);
  const { shape } = plan;
  const loaded = node.regions.length;
  const bytes = ([keys, stages]: readonly [number, number]): number =>
    plan.bytes(loaded * (rows + stages * keys), stages * keys, keys);
  const [keys, stages] = plan.fit(
    (
      [
        [64, 2],
        [32, 2],
        [32, 1],
        [16, 1],
        [8, 1],
      ] as const
    ).filter(([n]) => n >= plan.fewest && (shape.width <= 128 || n <= 32)),
    bytes,
  );
  const kernel = { ...plainPlan, loaded, keys, stages };
  const operands = plan.operands();
  const entry = c`lctx_attention_forward`;
  const text = c`${plan.prelude(kernel)}${forwardText}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${operands.parameters}lctx_element *output, float *lse) {
${operands.build}  extern __shared__ __align__(16) unsigned char lctx_memory[];
  lctx_forward(p, a, output, lse, lctx_memory, blockIdx.z, blockIdx.y, gridDim.x - 1 - blockIdx.x);
}
`;
  plan.add(
    { entry: entry.text, text: text.text, architecture: "sm_80" },
    {
      label: `${node.site}: attention`,
      tile: `${rows} × ${keys}`,
      grid: [blocksOf(shape.queries), shape.heads, "batch"],
      threads,
      sharedBytes: bytes([keys, stages]),
      arguments: [...operands.arguments, pointer(first), pointer(first + 1)],
    },
  );
  return plan.call;
}

/** Buffers of the call: operands, output, log-sum-exp, output gradient, then a buffer for each of the node's results. */
export function attentionBackwardCall(
  node: AttentionGradientNode,
  facts: BlockFacts,
  element: AttentionElement,
  wanted: Wanted = [],
): CudaCall {
  if (weighing(node) !== null) return weightedBackwardCall(node, facts, element, wanted);
  const back = new BackwardPlan(node, facts, element, wanted);
  const { plan, results } = back;
  const { shape, pairs } = plan;
  const regions = node.regions.length;
  back.prepare();
  back.keysAndValues(false, results + 1, results + 2 * regions);
  if (regions > 1)
    for (let r = 0; r < regions; r++)
      if (back.wants(2 * r + 1))
        back.keysKernel(
          { ...plainPlan, firstRegion: r, wantsKey: true },
          "lctx_attention_keys",
          false,
          results + 2 * r + 1,
          results + 2 * regions,
        );
  back.early();
  const bins = back.addBins();
  for (let r = 0; r < regions; r++) {
    if (!back.wants(2 * r) && !back.trains) continue;
    const bytes = (keys: number): number => plan.bytes(rows + keys, rows + keys, keys);
    const keys = plan.fit(plan.columns(Math.max(shape.depth, shape.width) > 128 ? 32 : 64), bytes);
    const kernel: KernelPlan = { ...plainPlan, firstRegion: r, keys, trains: back.trains };
    const trained = trainedText(pairs, kernel.trains ? "score" : null, pairs.placesByQuery ? 2 : 1);
    const text = c`${plan.prelude(kernel)}${trained.functions}${forwardText}${backwardText}`;
    back.queriesKernel(
      text,
      trained,
      keys,
      bytes(keys),
      r,
      back.trains ? bins : [],
      c`lctx_backward_queries`,
    );
  }
  back.tables(bins);
  return plan.call;
}
