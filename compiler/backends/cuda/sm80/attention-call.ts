/** Plans the sm_80 kernels of an attention node or its gradient: tile sizes, sources, launches, scratch. */
import type { CudaArgument, CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../../ir/block-facts.ts";
import type { AttentionGradientNode, AttentionNode } from "../../../ir/graph.ts";
import { c, identifier, type Fragment } from "../../../ir/kernel.ts";
import type { AnyAttention } from "../attention/pairs.ts";
import { sinkGradient } from "../attention/sink.ts";
import { binsPerElement, sumBinsText, trainedText } from "../attention/trained-tables.ts";
import { elementText, type AttentionElement } from "../element.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { backwardText } from "./backward.ts";
import { CallPlan, plainPlan, rows, threads, type KernelPlan } from "./call-plan.ts";
import { forwardText } from "./forward.ts";
import { tilesText } from "./tiles.ts";

const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
const blocksOf = (size: LaunchSize): LaunchSize => ["ceil-div", size, rows];

/** Buffers of the node's operands: regions' queries and keys, value, tables, keys and values before the text. */
const operandCount = (node: AnyAttention): number =>
  2 * node.regions.length + 1 + node.buffers.length + (node.prepended === null ? 0 : 2);

/** Buffers of the call: operands, output, log-sum-exp (f32 [b, t, h]). */
export function attentionForwardCall(
  node: AttentionNode,
  facts: BlockFacts,
  element: AttentionElement,
): CudaCall {
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

/** Which results of a gradient are wanted, in the order of the node's results. */
export type Wanted = readonly boolean[];

/** Buffers of the call: operands, output, log-sum-exp, output gradient, then a buffer for each of the node's results. */
export function attentionBackwardCall(
  node: AttentionGradientNode,
  facts: BlockFacts,
  element: AttentionElement,
  wanted: Wanted = [],
): CudaCall {
  const regions = node.regions.length;
  const tableCount = node.bufferGradients.length;
  const output = operandCount(node);
  const results = output + 3;
  const resultCount = 2 * regions + 1 + tableCount + (node.prepended === null ? 0 : 2);
  const wants = (result: number): boolean => wanted[result] ?? true;
  const plan = new CallPlan(node, facts, element, results + resultCount);
  const { shape, pairs } = plan;
  const rowCount: LaunchSize = ["*", "batch", shape.queries, shape.heads];
  const delta = plan.addScratch(["*", rowCount, 4]);
  const lse2 = plan.addScratch(["*", rowCount, 4]);
  const operands = plan.operands();
  const adjoint = c`const lctx_element *output, const float *lse, const lctx_element *out_gradient, float *delta, float *lse2`;
  const adjointArguments = [output, output + 1, output + 2, delta, lse2].map(pointer);
  const build = c`${operands.build}  const lctx_adjoint y = {output, out_gradient, lse, delta, lse2};
  extern __shared__ __align__(16) unsigned char lctx_memory[];
`;
  const head = (entry: Fragment, more: Fragment): Fragment =>
    c`extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${operands.parameters}${more}${adjoint}`;
  /** Tables that get gradients, of which those that the score loads are summed by the queries' kernel. */
  const wantsTables = pairs.trained.some((_, t) => wants(2 * regions + 1 + t));
  const trains = wantsTables && pairs.trained.some(({ loads }) => loads.length > 0);
  const trainedOf = (kernel: KernelPlan) =>
    trainedText(pairs, kernel.trains ? "score" : null, pairs.placesByQuery ? 2 : 1);
  const body = (kernel: KernelPlan): Fragment =>
    c`${plan.prelude(kernel)}${trainedOf(kernel).functions}${forwardText}${backwardText}`;

  const prepare = c`lctx_attention_prepare`;
  plan.add(
    {
      entry: prepare.text,
      text: c`${body(plainPlan)}${head(prepare, c``)}) {
${build}  (void)p, (void)a, (void)lctx_memory;
  lctx_prepare(y, (long long)p.batch * queries * kHeads);
}
`.text,
      architecture: "sm_80",
    },
    {
      label: `${node.site}: sums of output gradients`,
      grid: [["ceil-div", rowCount, threads / 32], 1, 1],
      threads,
      sharedBytes: 0,
      arguments: [...operands.arguments, ...adjointArguments],
    },
  );

  const keysKernel = (kernel: KernelPlan, name: string, early: boolean, key: number, value: number): void => {
    const bytes = (queries: number): number =>
      plan.bytes(kernel.loaded * (rows + queries), rows + queries, queries, 2 * queries);
    const wide = Math.max(shape.depth, shape.width) > 64;
    const queries = plan.fit(plan.columns(wide ? 32 : 64), bytes);
    const own = { ...kernel, queries };
    const entry = identifier(name);
    const place = early ? c`-1, blockIdx.y, blockIdx.x` : c`blockIdx.z, blockIdx.y, blockIdx.x`;
    plan.add(
      {
        entry: entry.text,
        text: c`${body(own)}${head(entry, c``)}, lctx_element *key_gradient, lctx_element *value_gradient) {
${build}  lctx_backward_keys(p, a, y, key_gradient, value_gradient, lctx_memory, ${place});
}
`.text,
        architecture: "sm_80",
      },
      {
        label: `${node.site}: gradient of ${early ? "earlier " : ""}keys and values`,
        tile: `${queries} × ${rows}`,
        grid: [blocksOf(early ? shape.early : shape.keys), shape.groups, early ? 1 : "batch"],
        threads,
        sharedBytes: bytes(queries),
        arguments: [...operands.arguments, ...adjointArguments, pointer(key), pointer(value)],
      },
    );
  };
  /** Keys and values together where their sums fit in registers, else one after another. */
  const keysAndValues = (early: boolean, key: number, value: number): void => {
    const [wantsKey, wantsValue] = [wants(key - results), wants(value - results)];
    const together = shape.depth + shape.width <= 256 && (early || regions === 1);
    const name = early ? "lctx_attention_early" : "lctx_attention";
    const base = { ...plainPlan, loaded: 1 };
    if (together && wantsKey && wantsValue)
      keysKernel({ ...base, wantsKey, wantsValue }, `${name}_keys`, early, key, value);
    else {
      if (wantsKey && (early || regions === 1))
        keysKernel({ ...base, wantsKey }, `${name}_keys`, early, key, value);
      if (wantsValue)
        keysKernel({ ...base, loaded: early ? 1 : regions, wantsValue }, `${name}_values`, early, key, value);
    }
  };
  keysAndValues(false, results + 1, results + 2 * regions);
  if (regions > 1)
    for (let r = 0; r < regions; r++)
      if (wants(2 * r + 1))
        keysKernel(
          { ...plainPlan, firstRegion: r, wantsKey: true },
          "lctx_attention_keys",
          false,
          results + 2 * r + 1,
          results + 2 * regions,
        );
  if (node.prepended !== null)
    keysAndValues(true, results + 2 * regions + 1 + tableCount, results + 2 * regions + 2 + tableCount);

  const bins = wantsTables
    ? pairs.trained.map(({ elements }) => plan.addScratch(["*", elements, binsPerElement * 8], true))
    : [];
  for (let r = 0; r < regions; r++) {
    if (!wants(2 * r) && !trains) continue;
    const bytes = (keys: number): number => plan.bytes(rows + keys, rows + keys, keys);
    const keys = plan.fit(plan.columns(Math.max(shape.depth, shape.width) > 128 ? 32 : 64), bytes);
    const kernel = { ...plainPlan, firstRegion: r, keys, trains };
    const trained = trainedOf(kernel);
    const entry = c`lctx_attention_queries`;
    plan.add(
      {
        entry: entry.text,
        text: c`${body(kernel)}${head(entry, trained.parameters)}, lctx_element *query_gradient) {
${build}  ${trained.build}
  lctx_backward_queries(p, a, y, trained, query_gradient, lctx_memory, blockIdx.z, blockIdx.y, gridDim.x - 1 - blockIdx.x);
}
`.text,
        architecture: "sm_80",
      },
      {
        label: `${node.site}: gradient of queries`,
        tile: `${rows} × ${keys}`,
        grid: [blocksOf(shape.queries), shape.heads, "batch"],
        threads,
        sharedBytes: bytes(keys),
        arguments: [
          ...operands.arguments,
          ...(trains ? bins.map(pointer) : []),
          ...adjointArguments,
          pointer(results + 2 * r),
        ],
      },
    );
  }
  if (wantsTables && pairs.trained.some(({ sinkLoads }) => sinkLoads.length > 0)) {
    const entry = c`lctx_attention_sink`;
    const { text, launch } = sinkGradient(pairs, element === "f32" ? "accurate" : "approximate", entry, {
      deltas: delta,
      powers: lse2,
      steps: { batch: ["*", shape.queries, shape.heads], query: shape.heads, head: 1 },
      queries: shape.queries,
      heads: shape.heads,
      bins,
    });
    plan.add(
      { entry: entry.text, text: text.text, architecture: "sm_80" },
      { ...launch, label: `${node.site}: gradient of the sink` },
    );
  }
  bins.forEach((bin, t) => {
    const { elements } = pairs.trained[t]!;
    const entry = c`lctx_attention_table`;
    const text = c`${scalarPrelude("accurate")}${elementText(element)}${tilesText(element)}${sumBinsText(entry)}`;
    plan.add(
      { entry: entry.text, text: text.text, architecture: "sm_80" },
      {
        label: `${node.site}: gradient of a table`,
        grid: [["ceil-div", elements, threads], 1, 1],
        threads,
        sharedBytes: 0,
        arguments: [pointer(bin), pointer(results + 2 * regions + 1 + t), { kind: "i32", value: elements }],
      },
    );
  });
  return plan.call;
}
