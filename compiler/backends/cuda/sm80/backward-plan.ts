/** What every sm_80 backward call is planned with: buffers, scratch, and the kernels that plain and weighed attention share. */
import type { CudaArgument, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../../ir/block-facts.ts";
import type { AttentionGradientNode } from "../../../ir/graph.ts";
import { c, identifier, type Fragment } from "../../../ir/kernel.ts";
import type { AnyAttention } from "../attention/pairs.ts";
import { sinkGradient } from "../attention/sink.ts";
import { binsPerElement, sumBinsText, trainedText, type TrainedText } from "../attention/trained-tables.ts";
import { elementText, type AttentionElement } from "../element.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { backwardText } from "./backward.ts";
import { CallPlan, plainPlan, rows, threads, type KernelPlan, type PlannedPairs } from "./call-plan.ts";
import { forwardText } from "./forward.ts";
import { tilesText } from "./tiles.ts";

export const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
export const blocksOf = (size: LaunchSize): LaunchSize => ["ceil-div", size, rows];

/** Buffers of the node's operands: regions' queries and keys, value, tables, keys and values before the text. */
export const operandCount = (node: AnyAttention): number =>
  2 * node.regions.length + 1 + node.buffers.length + (node.prepended === null ? 0 : 2);

/** Which results of a gradient are wanted, in the order of the node's results. */
export type Wanted = readonly boolean[];

export class BackwardPlan {
  readonly plan: CallPlan;
  /** First buffer of the results, and how many they are. */
  readonly results: number;
  /** Whether tables that scores or factors load get gradients. */
  readonly trains: boolean;
  readonly #node: AttentionGradientNode;
  readonly #wanted: Wanted;
  readonly #operands: ReturnType<CallPlan["operands"]>;
  readonly #rowCount: LaunchSize;
  readonly #delta: number;
  readonly #lse2: number;
  readonly #adjointArguments: readonly CudaArgument[];

  /** `pairs`: what weighed attention asks of pairs besides, null for plain attention. */
  constructor(
    node: AttentionGradientNode,
    facts: BlockFacts,
    element: AttentionElement,
    wanted: Wanted,
    pairs: PlannedPairs | null = null,
  ) {
    this.#node = node;
    this.#wanted = wanted;
    const output = operandCount(node);
    this.results = output + 3;
    const count =
      2 * node.regions.length + 1 + node.bufferGradients.length + (node.prepended === null ? 0 : 2);
    this.plan = new CallPlan(pairs ?? node, facts, element, this.results + count, true, pairs !== null);
    const { plan } = this;
    this.#rowCount = ["*", "batch", plan.shape.queries, plan.shape.heads];
    this.#delta = plan.addScratch(["*", this.#rowCount, 4]);
    this.#lse2 = plan.addScratch(["*", this.#rowCount, 4]);
    this.#operands = plan.operands();
    this.#adjointArguments = [output, output + 1, output + 2, this.#delta, this.#lse2].map(pointer);
    this.trains = this.#wantsTables && plan.pairs.trained.some(({ loads }) => loads.length > 0);
  }

  wants(result: number): boolean {
    return this.#wanted[result] ?? true;
  }

  get #wantsTables(): boolean {
    const first = 2 * this.#node.regions.length + 1;
    return this.plan.pairs.trained.some((_, t) => this.wants(first + t));
  }

  head(entry: Fragment, more: Fragment): Fragment {
    return c`extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${this.#operands.parameters}${more}const lctx_element *output, const float *lse, const lctx_element *out_gradient, float *delta, float *lse2`;
  }

  get build(): Fragment {
    return c`${this.#operands.build}  const lctx_adjoint y = {output, out_gradient, lse, delta, lse2};
  extern __shared__ __align__(16) unsigned char lctx_memory[];
`;
  }

  get arguments(): readonly CudaArgument[] {
    return [...this.#operands.arguments, ...this.#adjointArguments];
  }

  #plainText(kernel: KernelPlan): Fragment {
    return c`${this.plan.prelude(kernel)}${trainedText(this.plan.pairs, null).functions}${forwardText}${backwardText}`;
  }

  /** Sums of output by output gradient, and log-sum-exps as powers of two. */
  prepare(): void {
    const entry = c`lctx_attention_prepare`;
    this.plan.add(
      {
        entry: entry.text,
        text: c`${this.#plainText(plainPlan)}${this.head(entry, c``)}) {
${this.build}  (void)p, (void)a, (void)lctx_memory;
  lctx_prepare(y, (long long)p.batch * queries * kHeads);
}
`.text,
        architecture: "sm_80",
      },
      {
        label: `${this.#node.site}: sums of output gradients`,
        grid: [["ceil-div", this.#rowCount, threads / 32], 1, 1],
        threads,
        sharedBytes: 0,
        arguments: this.arguments,
      },
    );
  }

  /** Gradients of keys or values of plain attention, or of those before the text. */
  keysKernel(kernel: KernelPlan, name: string, early: boolean, key: number, value: number): void {
    const { plan } = this;
    const { shape } = plan;
    const bytes = (queries: number): number =>
      plan.bytes(kernel.loaded * (rows + queries), rows + queries, queries, 2 * queries);
    const wide = Math.max(shape.depth, shape.width) > 64;
    const queries = plan.fit(plan.columns(wide ? 32 : 64), bytes);
    const entry = identifier(name);
    const place = early ? c`-1, blockIdx.y, blockIdx.x` : c`blockIdx.z, blockIdx.y, blockIdx.x`;
    plan.add(
      {
        entry: entry.text,
        text: c`${this.#plainText({ ...kernel, queries })}${this.head(entry, c``)}, lctx_element *key_gradient, lctx_element *value_gradient) {
${this.build}  lctx_backward_keys(p, a, y, key_gradient, value_gradient, lctx_memory, ${place});
}
`.text,
        architecture: "sm_80",
      },
      {
        label: `${this.#node.site}: gradient of ${early ? "earlier " : ""}keys and values`,
        tile: `${queries} × ${rows}`,
        grid: [blocksOf(early ? shape.early : shape.keys), shape.groups, early ? 1 : "batch"],
        threads,
        sharedBytes: bytes(queries),
        arguments: [...this.arguments, pointer(key), pointer(value)],
      },
    );
  }

  /** Keys and values together where their sums fit in registers, else one after another. */
  keysAndValues(early: boolean, key: number, value: number): void {
    const { depth, width } = this.plan.shape;
    const regions = this.#node.regions.length;
    const [wantsKey, wantsValue] = [this.wants(key - this.results), this.wants(value - this.results)];
    const alone = early || regions === 1;
    const name = early ? "lctx_attention_early" : "lctx_attention";
    const base = { ...plainPlan, loaded: 1 };
    if (depth + width <= 256 && alone && wantsKey && wantsValue) {
      this.keysKernel({ ...base, wantsKey, wantsValue }, `${name}_keys`, early, key, value);
      return;
    }
    if (wantsKey && alone) this.keysKernel({ ...base, wantsKey }, `${name}_keys`, early, key, value);
    if (wantsValue)
      this.keysKernel(
        { ...base, loaded: early ? 1 : regions, wantsValue },
        `${name}_values`,
        early,
        key,
        value,
      );
  }

  /** Keys and values before the text, which weights share as plain softmax does. */
  early(): void {
    const first = this.results + 2 * this.#node.regions.length + 1 + this.#node.bufferGradients.length;
    if (this.#node.prepended !== null) this.keysAndValues(true, first, first + 1);
  }

  /** Counters of the trained tables, by table. */
  addBins(): readonly number[] {
    if (!this.#wantsTables) return [];
    return this.plan.pairs.trained.map(({ elements }) =>
      this.plan.addScratch(["*", elements, binsPerElement * 8], true),
    );
  }

  /** Gradients of the queries of region r, by a function `(p, a, y, trained, gradient, memory, b, h, block)` of the text. */
  queriesKernel(
    text: Fragment,
    trained: Pick<TrainedText, "parameters" | "build">,
    keys: number,
    sharedBytes: number,
    r: number,
    bins: readonly number[],
    call: Fragment,
  ): void {
    const { plan } = this;
    const entry = c`lctx_attention_queries`;
    plan.add(
      {
        entry: entry.text,
        text: c`${text}${this.head(entry, trained.parameters)}, lctx_element *query_gradient) {
${this.build}  ${trained.build}
  ${call}(p, a, y, trained, query_gradient, lctx_memory, blockIdx.z, blockIdx.y, gridDim.x - 1 - blockIdx.x);
}
`.text,
        architecture: "sm_80",
      },
      {
        label: `${this.#node.site}: gradient of queries`,
        tile: `${rows} × ${keys}`,
        grid: [blocksOf(plan.shape.queries), plan.shape.heads, "batch"],
        threads,
        sharedBytes,
        arguments: [
          ...this.#operands.arguments,
          ...bins.map(pointer),
          ...this.#adjointArguments,
          pointer(this.results + 2 * r),
        ],
      },
    );
  }

  /** The sink's share of the tables, then the tables themselves. */
  tables(bins: readonly number[]): void {
    const { plan } = this;
    const { pairs, shape, element } = plan;
    if (this.#wantsTables && pairs.trained.some(({ sinkLoads }) => sinkLoads.length > 0)) {
      const entry = c`lctx_attention_sink`;
      const { text, launch } = sinkGradient(pairs, element === "f32" ? "accurate" : "approximate", entry, {
        deltas: this.#delta,
        powers: this.#lse2,
        steps: { batch: ["*", shape.queries, shape.heads], query: shape.heads, head: 1 },
        queries: shape.queries,
        heads: shape.heads,
        bins,
      });
      plan.add(
        { entry: entry.text, text: text.text, architecture: "sm_80" },
        { ...launch, label: `${this.#node.site}: gradient of the sink` },
      );
    }
    const first = this.results + 2 * this.#node.regions.length + 1;
    bins.forEach((bin, t) => {
      const { elements } = pairs.trained[t]!;
      const entry = c`lctx_attention_table`;
      const text = c`${scalarPrelude("accurate")}${elementText(element)}${tilesText(element)}${sumBinsText(entry)}`;
      plan.add(
        { entry: entry.text, text: text.text, architecture: "sm_80" },
        {
          label: `${this.#node.site}: gradient of a table`,
          grid: [["ceil-div", elements, threads], 1, 1],
          threads,
          sharedBytes: 0,
          arguments: [pointer(bin), pointer(first + t), { kind: "i32", value: elements }],
        },
      );
    });
  }
}
