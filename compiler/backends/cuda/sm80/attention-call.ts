/** Plans the sm_80 kernels of an attention node or its gradient: tile sizes, sources, launches, scratch. */
import type {
  CudaArgument,
  CudaCall,
  CudaLaunch,
  CudaScratch,
  CudaSource,
  LaunchSize,
} from "../../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../../ir/block-facts.ts";
import type { AttentionGradientNode, AttentionNode, Axis } from "../../../ir/graph.ts";
import { someExpr } from "../../../ir/expr.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { cudaPairs, type AnyAttention, type CudaPairs } from "../attention/pairs.ts";
import { launchExtent } from "../attention/tables.ts";
import { binsPerElement, sumBinsText, trainedText } from "../attention/trained-tables.ts";
import { elementBytes, elementText, type AttentionElement } from "../element.ts";
import { cudaLiteral } from "../print-expr.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { backwardText } from "./backward.ts";
import { forwardText } from "./forward.ts";
import { logitsText } from "./logits.ts";
import { tilesText } from "./tiles.ts";

/** Rows of a tile, and threads of a block. */
const rows = 64;
const threads = 128;
/** Shared memory that one block may take on every processor of this path. */
const mostShared = 160 * 1024;

export interface AttentionShape {
  readonly heads: number;
  readonly groups: number;
  readonly depth: number;
  readonly width: number;
  readonly queries: LaunchSize;
  readonly keys: LaunchSize;
  readonly early: LaunchSize;
}

function fixed(axis: Axis, site: string): number {
  if (axis.size.kind !== "fixed") throw new Error(`${site}: axis ${axis.name} must have a fixed size`);
  return axis.size.value;
}

/** Sizes of an attention's operands. Throws where text comes after learned rows and the mask asks for the length. */
export function shapeOf(node: AnyAttention): AttentionShape {
  const query = node.regions[0]!.query.axes;
  const value = node.value.axes;
  const size = value[1]!.size;
  const exprs = [node.mask, node.score, ...node.regions.map(({ when }) => when)];
  const asksLength = exprs.some((e) => someExpr(e, (part) => part.kind === "size" && part.name === "length"));
  if (size.kind === "length" && size.plus !== 0 && asksLength)
    throw new Error(`${node.site}: a mask or score that asks for the length cannot follow learned rows here`);
  return {
    heads: fixed(query[2]!, node.site),
    groups: fixed(value[2]!, node.site),
    depth: fixed(query[3]!, node.site),
    width: fixed(value[3]!, node.site),
    queries: launchExtent(query[1]!.size),
    keys: launchExtent(size),
    early: node.prepended === null ? 0 : launchExtent(node.prepended.key.axes[0]!.size),
  };
}

/** What one kernel is made for. */
interface KernelPlan {
  readonly firstRegion: number;
  readonly loaded: number;
  readonly keys: number;
  readonly queries: number;
  readonly stages: number;
  readonly wantsKey: boolean;
  readonly wantsValue: boolean;
  readonly trains: boolean;
}

const plainPlan: KernelPlan = {
  firstRegion: 0,
  loaded: 1,
  keys: 64,
  queries: 64,
  stages: 1,
  wantsKey: false,
  wantsValue: false,
  trains: false,
};

const padTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

class CallPlan {
  readonly shape: AttentionShape;
  readonly pairs: CudaPairs;
  readonly sources: CudaSource[] = [];
  readonly launches: CudaLaunch[] = [];
  readonly scratch: CudaScratch[] = [];
  readonly #node: AnyAttention;
  readonly #element: AttentionElement;
  readonly #depthPadded: number;
  readonly #widthPadded: number;
  readonly #buffers: number;

  constructor(node: AnyAttention, facts: BlockFacts, element: AttentionElement, buffers: number) {
    this.#node = node;
    this.#element = element;
    this.#buffers = buffers;
    this.shape = shapeOf(node);
    const unit = element === "f32" ? 8 : 16;
    this.#depthPadded = padTo(this.shape.depth, unit);
    this.#widthPadded = padTo(this.shape.width, unit);
    this.pairs = cudaPairs(node, facts, 2 * node.regions.length + 1);
  }

  get call(): CudaCall {
    return {
      sources: this.sources,
      buffers: this.#buffers,
      scratch: this.scratch,
      launches: this.launches,
    };
  }

  /** A new scratch buffer; its number in the call. */
  addScratch(bytes: LaunchSize, zero = false): number {
    return this.#buffers + this.scratch.push({ bytes, zero }) - 1;
  }

  /** Bytes of tiles: rows of depth and of width, then exchange columns for f32, then plain floats. */
  bytes(depthRows: number, widthRows: number, exchange: number, floats = 0): number {
    const size = elementBytes(this.#element);
    const stride = (padded: number): number => padded * size + 16;
    const extra = this.#element === "f32" ? rows * stride(exchange) : 0;
    return depthRows * stride(this.#depthPadded) + widthRows * stride(this.#widthPadded) + extra + floats * 4;
  }

  /** The largest of the sizes whose tiles fit. */
  fit<T>(choices: readonly T[], bytes: (choice: T) => number): T {
    const found = choices.find((choice) => bytes(choice) <= mostShared);
    if (found === undefined)
      throw new Error(
        `${this.#node.site}: ${this.#node.regions.length} rotation regions of head size ${this.shape.depth} do not fit in shared memory`,
      );
    return found;
  }

  /** Text before the entry. */
  prelude(plan: KernelPlan): Fragment {
    const { shape, pairs } = this;
    const element = this.#element;
    const flag = (value: boolean): Fragment => (value ? c`true` : c`false`);
    return c`${scalarPrelude(element === "f32" ? "accurate" : "approximate")}${elementText(element)}
constexpr int kHeads = ${shape.heads}, kGroups = ${shape.groups};
constexpr int kDepth = ${shape.depth}, kDepthPadded = ${this.#depthPadded};
constexpr int kWidth = ${shape.width}, kWidthPadded = ${this.#widthPadded};
constexpr int kRegions = ${this.#node.regions.length}, kFirstRegion = ${plan.firstRegion}, kLoaded = ${plan.loaded};
constexpr int kKeys = ${plan.keys}, kQueries = ${plan.queries}, kStages = ${plan.stages};
constexpr float kScale = ${cudaLiteral(this.#node.scale)};
constexpr bool kScored = ${flag(pairs.scored)}, kAsksAny = ${flag(pairs.asksAny)};
constexpr bool kWantsKey = ${flag(plan.wantsKey)}, kWantsValue = ${flag(plan.wantsValue)}, kTrainsTables = ${flag(plan.trains)};
${pairs.functions}${tilesText(element)}${logitsText}`;
  }

  /** Parameters and statements that fill `p` and `a`, and their arguments. */
  operands(): { parameters: Fragment; build: Fragment; arguments: readonly CudaArgument[] } {
    const node = this.#node;
    const names = node.regions.flatMap((_, r) => [identifier("query", r), identifier("key", r)]);
    const all = [...names, c`value`, ...(node.prepended === null ? [] : [c`early_key`, c`early_value`])];
    const afterTables = 2 * node.regions.length + 1 + node.buffers.length;
    const fields = (word: string): Fragment =>
      joinFragments(
        node.regions.map((_, r) => identifier(word, r)),
        c`, `,
      );
    const early = node.prepended === null ? c`0, 0` : c`early_key, early_value`;
    return {
      parameters: c`${this.pairs.parameters}${joinFragments(
        all.map((name) => c`const lctx_element *${name}, `),
        c``,
      )}int queries, int keys, int early, `,
      build: c`  ${this.pairs.build}
  const lctx_operands a = {{${fields("query")}}, {${fields("key")}}, value, ${early}, queries, keys, early};
`,
      arguments: [
        ...this.pairs.arguments,
        ...all.map((_, n): CudaArgument => {
          const core = 2 * node.regions.length + 1;
          return { kind: "pointer", buffer: n < core ? n : afterTables + n - core };
        }),
        { kind: "i32", value: this.shape.queries },
        { kind: "i32", value: this.shape.keys },
        { kind: "i32", value: this.shape.early },
      ],
    };
  }

  add(source: CudaSource, launch: Omit<CudaLaunch, "source" | "cluster">): void {
    this.launches.push({ ...launch, source: this.sources.push(source) - 1, cluster: 1 });
  }
}

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
      ] as const
    ).filter(([n]) => shape.width <= 128 || n <= 32),
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
  const none = trainedText(pairs, false);
  const body = (kernel: KernelPlan): Fragment =>
    c`${plan.prelude(kernel)}${(kernel.trains ? trainedText(pairs, true) : none).functions}${forwardText}${backwardText}`;

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
    const queries = plan.fit(wide ? [32, 16] : [64, 32, 16], bytes);
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

  const trains = pairs.trained.some((_, t) => wants(2 * regions + 1 + t));
  const trained = trainedText(pairs, trains);
  const bins = trains
    ? pairs.trained.map(({ elements }) => plan.addScratch(["*", elements, binsPerElement * 8], true))
    : [];
  for (let r = 0; r < regions; r++) {
    if (!wants(2 * r) && !trains) continue;
    const bytes = (keys: number): number => plan.bytes(rows + keys, rows + keys, keys);
    const keys = plan.fit(Math.max(shape.depth, shape.width) > 128 ? [32, 16] : [64, 32, 16], bytes);
    const kernel = { ...plainPlan, firstRegion: r, keys, trains };
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
        grid: [blocksOf(shape.queries), shape.heads, "batch"],
        threads,
        sharedBytes: bytes(keys),
        arguments: [
          ...operands.arguments,
          ...bins.map(pointer),
          ...adjointArguments,
          pointer(results + 2 * r),
        ],
      },
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
