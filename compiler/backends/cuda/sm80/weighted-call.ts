/** Plans the sm_80 kernels of attention with weights or turned queries, and of its gradient: spans of whole blocks of keys. */
import type { CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../../ir/block-facts.ts";
import type { AttentionGradientNode, AttentionNode } from "../../../ir/graph.ts";
import { c, identifier, type Fragment } from "../../../ir/kernel.ts";
import { trainedText, type TrainedText } from "../attention/trained-tables.ts";
import { lawBytes, weighingOf, type Weighing } from "../attention/weighing.ts";
import { elementBytes, type AttentionElement } from "../element.ts";
import { BackwardPlan, blocksOf, operandCount, pointer, type Wanted } from "./backward-plan.ts";
import { CallPlan, plainPlan, rows, threads, type KernelPlan } from "./call-plan.ts";
import { adjointText, weightedBackwardText } from "./weighted-backward.ts";
import { weightedForwardText } from "./weighted-forward.ts";
import { weightedTilesText } from "./weighted-tiles.ts";

/** Keys that are taken together: whole blocks, or one block of more keys than a tile. */
interface Span {
  readonly keys: number;
  readonly chunks: number;
  readonly blocks: number;
  readonly block: number;
}

function spanOf(block: number | null, tile: number): Span {
  if (block === null) return { keys: tile, chunks: 1, blocks: 1, block: tile };
  if (block > tile) return { keys: block, chunks: Math.ceil(block / tile), blocks: 1, block };
  const blocks = Math.floor(tile / block);
  return { keys: blocks * block, chunks: 1, blocks, block };
}

/** Whether the rows of a tile are queries, and its columns. */
interface TileShape {
  readonly byQuery: boolean;
  readonly columns: number;
  readonly backward: boolean;
}

/** What a node's kernels are planned with. */
class WeightedPlan {
  readonly weighing: Weighing;
  readonly #node: AttentionNode | AttentionGradientNode;

  constructor(node: AttentionNode | AttentionGradientNode) {
    this.#node = node;
    this.weighing = weighingOf(node);
  }

  get pairs() {
    return { ...this.#node, more: this.weighing.more };
  }

  spanOf({ byQuery, columns }: TileShape): Span {
    return spanOf(this.weighing.block, byQuery ? columns : rows);
  }

  /** Bytes of shared memory, in the order of `lctx_start_weighing`. */
  bytes(plan: CallPlan, of: TileShape): number {
    const { byQuery, columns, backward } = of;
    const [queries, keys] = byQuery ? [rows, columns] : [columns, rows];
    const size = elementBytes(plan.element);
    const stride = (padded: number): number => padded * size + 16;
    const { depth, width } = plan.padded;
    const { inner, reads } = this.weighing;
    const stats = queries * this.spanOf(of).blocks;
    const kinds = (inner ? 2 : 0) + (reads.first ? 1 : 0) + (reads.last ? 1 : 0);
    const moved = backward ? (inner ? 1 : 0) + (reads.first ? 1 : 0) + (reads.last ? 1 : 0) : 0;
    const floats =
      (backward ? 2 * queries : 0) + (kinds > 0 ? queries * (keys + 1) : 0) + stats * (kinds + moved);
    return (
      (queries + keys) * stride(depth) +
      ((backward ? queries : 0) + keys) * stride(width) +
      (plan.element === "f32" ? rows * stride(columns) : 0) +
      lawBytes(this.#node.regions, queries) +
      4 * floats
    );
  }

  text(plan: CallPlan, kernel: KernelPlan, of: TileShape): Fragment {
    const span = this.spanOf(of);
    const flag = (value: boolean): Fragment => (value ? c`true` : c`false`);
    return c`${plan.prelude(kernel, c``)}
constexpr bool kByQuery = ${flag(of.byQuery)}, kBackward = ${flag(of.backward)};
constexpr int kSpan = ${span.keys}, kChunks = ${span.chunks}, kBlocks = ${span.blocks}, kBlockKeys = ${span.block};
${this.weighing.cases}${this.weighing.factors}${weightedTilesText(plan.element)}`;
  }

  /** Columns to try: turned queries are made anew for each block of keys, so tiles of far more keys than a block waste work. */
  columns(plan: CallPlan, most: number): readonly number[] {
    const turn = Math.min(...this.#node.regions.map(({ turn: own }) => own?.by ?? most));
    return plan.columns(Math.max(plan.fewest, Math.min(most, turn < 16 ? 16 : turn < 32 ? 32 : 64)));
  }
}

/** The tables' part of a kernel that trains none. */
const untrained: TrainedText = {
  functions: c`
struct lctx_trained {};
struct lctx_shares {};
LCTX_DEVICE void lctx_start_shares(lctx_shares &) {}
LCTX_DEVICE void lctx_take_share(lctx_shares &, const lctx_trained &, const lctx_pairs &, int, const lctx_given &, float, int, int, int, int) {}
LCTX_DEVICE void lctx_finish_shares(lctx_shares &, const lctx_trained &) {}
`,
  parameters: c``,
  build: c`const lctx_trained trained = {};`,
};

/** Buffers of the call: operands, output, log-sum-exp (f32 [b, t, h]). */
export function weightedForwardCall(
  node: AttentionNode,
  facts: BlockFacts,
  element: AttentionElement,
): CudaCall {
  const first = operandCount(node);
  const weighted = new WeightedPlan(node);
  const plan = new CallPlan(weighted.pairs, { ...facts, ...facts.counted }, element, first + 2, true, true);
  const shapeOf = (columns: number): TileShape => ({ byQuery: true, columns, backward: false });
  const most = plan.shape.width <= 128 ? 64 : 32;
  const keys = plan.fit(weighted.columns(plan, most), (n) => weighted.bytes(plan, shapeOf(n)));
  const of = shapeOf(keys);
  const operands = plan.operands();
  const entry = c`lctx_attention_forward`;
  const text = c`${weighted.text(plan, { ...plainPlan, keys }, of)}${weightedForwardText}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${operands.parameters}lctx_element *output, float *lse) {
${operands.build}  extern __shared__ __align__(16) unsigned char lctx_memory[];
  lctx_weighted_forward(p, a, output, lse, lctx_memory, blockIdx.z, blockIdx.y, gridDim.x - 1 - blockIdx.x);
}
`;
  plan.add(
    { entry: entry.text, text: text.text, architecture: "sm_80" },
    {
      label: `${node.site}: attention`,
      tile: `${rows} × ${keys}`,
      grid: [blocksOf(plan.shape.queries), plan.shape.heads, "batch"],
      threads,
      sharedBytes: weighted.bytes(plan, of),
      arguments: [...operands.arguments, pointer(first), pointer(first + 1)],
    },
  );
  return plan.call;
}

/** Buffers of the call: operands, output, log-sum-exp, output gradient, then a buffer for each of the node's results. */
export function weightedBackwardCall(
  node: AttentionGradientNode,
  facts: BlockFacts,
  element: AttentionElement,
  wanted: Wanted,
): CudaCall {
  const weighted = new WeightedPlan(node);
  const back = new BackwardPlan(node, { ...facts, ...facts.counted }, element, wanted, weighted.pairs);
  const { plan, results } = back;
  const { shape, pairs } = plan;
  const regions = node.regions.length;
  const wide = Math.max(shape.depth, shape.width);
  back.prepare();

  const keysKernel = (kernel: KernelPlan, name: string, key: number): void => {
    const shapeOf = (columns: number): TileShape => ({ byQuery: false, columns, backward: true });
    const queries = plan.fit(plan.columns(wide > 64 ? 32 : 64), (n) => weighted.bytes(plan, shapeOf(n)));
    const of = shapeOf(queries);
    const span = weighted.spanOf(of);
    const entry = identifier(name);
    const text = c`${weighted.text(plan, { ...kernel, queries }, of)}${adjointText}${untrained.functions}${weightedBackwardText}${back.head(entry, c``)}, lctx_element *key_gradient, lctx_element *value_gradient) {
${back.build}  lctx_weighted_keys(p, a, y, key_gradient, value_gradient, lctx_memory, blockIdx.z, blockIdx.y, blockIdx.x);
}
`;
    const grid: LaunchSize = ["*", ["ceil-div", shape.keys, span.keys], span.chunks];
    plan.add(
      { entry: entry.text, text: text.text, architecture: "sm_80" },
      {
        label: `${node.site}: gradient of keys and values`,
        tile: `${queries} × ${rows}`,
        grid: [grid, shape.groups, "batch"],
        threads,
        sharedBytes: weighted.bytes(plan, of),
        arguments: [...back.arguments, pointer(key), pointer(results + 2 * regions)],
      },
    );
  };
  const wantsValue = back.wants(2 * regions);
  const together = regions === 1 && shape.depth + shape.width <= 256 && back.wants(1) && wantsValue;
  if (wantsValue && !together) keysKernel({ ...plainPlan, wantsValue }, "lctx_attention_values", results + 1);
  for (let r = 0; r < regions; r++)
    if (back.wants(2 * r + 1))
      keysKernel(
        { ...plainPlan, firstRegion: r, wantsKey: true, wantsValue: together },
        "lctx_attention_keys",
        results + 2 * r + 1,
      );
  back.early();

  const bins = back.addBins();
  for (let r = 0; r < regions; r++) {
    // All pairs' shares of the tables are summed beside the first region's queries.
    const trains = back.trains && r === 0;
    if (!back.wants(2 * r) && !trains) continue;
    const shapeOf = (columns: number): TileShape => ({ byQuery: true, columns, backward: true });
    const keys = plan.fit(weighted.columns(plan, wide > 128 ? 32 : 64), (n) =>
      weighted.bytes(plan, shapeOf(n)),
    );
    const of = shapeOf(keys);
    const trained = trains ? trainedText(pairs, "weight", pairs.placesByQuery ? 2 : 1) : untrained;
    const text = c`${weighted.text(plan, { ...plainPlan, firstRegion: r, keys, trains }, of)}${adjointText}${trained.functions}${weightedBackwardText}`;
    back.queriesKernel(
      text,
      trained,
      keys,
      weighted.bytes(plan, of),
      r,
      trains ? bins : [],
      c`lctx_weighted_queries`,
    );
  }
  back.tables(bins);
  return plan.call;
}
