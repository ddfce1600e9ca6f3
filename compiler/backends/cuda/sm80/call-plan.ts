/** What the sm_80 calls are put together from: sizes, constants of a kernel, operands, sources and launches. */
import type {
  CudaArgument,
  CudaCall,
  CudaLaunch,
  CudaScratch,
  CudaSource,
  LaunchSize,
} from "../../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../../ir/block-facts.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { CpuOnly, shapeOf, weighing, type AttentionShape, type ShapedPairs } from "../attention/shape.ts";
import { cudaPairs, type CudaPairs, type PairSource } from "../attention/pairs.ts";
import { sinkText } from "../attention/sink.ts";
import { elementBytes, elementText, type AttentionElement } from "../element.ts";
import { cudaLiteral } from "../print-expr.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { logitsText } from "./logits.ts";
import { tilesText } from "./tiles.ts";
import { walkText } from "./walk.ts";

/** Rows of a tile, and threads of a block. */
export const rows = 64;
export const threads = 128;
/** Shared memory that one block may take on every processor of this path. */
const mostShared = 160 * 1024;

/** What one kernel is made for. */
export interface KernelPlan {
  readonly firstRegion: number;
  readonly loaded: number;
  readonly keys: number;
  readonly queries: number;
  readonly stages: number;
  readonly wantsKey: boolean;
  readonly wantsValue: boolean;
  readonly trains: boolean;
}

export const plainPlan: KernelPlan = {
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

/** No tile of an attention's operands is small enough for the processor's shared memory. */
export class DoesNotFit extends CpuOnly {}

/** What a call is planned for. A fold takes its keys for the values it does not have. */
export type PlannedPairs = ShapedPairs & PairSource;

export class CallPlan {
  readonly shape: AttentionShape;
  readonly pairs: CudaPairs;
  readonly sources: CudaSource[] = [];
  readonly launches: CudaLaunch[] = [];
  readonly scratch: CudaScratch[] = [];
  readonly #node: PlannedPairs;
  /** Buffers before the tables: queries and keys of regions, then the values where there are any. */
  readonly #firstTable: number;
  readonly #values: boolean;
  readonly #element: AttentionElement;
  readonly #depthPadded: number;
  readonly #widthPadded: number;
  readonly #buffers: number;

  constructor(
    node: PlannedPairs,
    facts: BlockFacts,
    element: AttentionElement,
    buffers: number,
    values = true,
    /** Whether its kernels take weights and turned queries. */
    weighs = false,
  ) {
    const more = weighs ? null : weighing(node);
    if (more !== null) throw new Error(`${node.site}: pairs with ${more} run on the CPU only`);
    this.#node = node;
    this.#values = values;
    this.#firstTable = 2 * node.regions.length + (values ? 1 : 0);
    this.#element = element;
    this.#buffers = buffers;
    this.shape = shapeOf(node);
    const unit = element === "f32" ? 8 : 16;
    this.#depthPadded = padTo(this.shape.depth, unit);
    this.#widthPadded = padTo(this.shape.width, unit);
    this.pairs = cudaPairs(node, facts, this.#firstTable);
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

  get padded(): { readonly depth: number; readonly width: number } {
    return { depth: this.#depthPadded, width: this.#widthPadded };
  }

  get element(): AttentionElement {
    return this.#element;
  }

  /** Fewest columns of a product: one matrix instruction for 16 bits, one group of 8 for f32. */
  get fewest(): number {
    return this.#element === "f32" ? 8 : 16;
  }

  /** Numbers of columns to try, from `most` down. */
  columns(most: number): readonly number[] {
    return [64, 32, 16, 8].filter((n) => n <= most && n >= this.fewest);
  }

  /** The largest of the sizes whose tiles fit. Throws `DoesNotFit` when none does. */
  fit<T>(choices: readonly T[], bytes: (choice: T) => number): T {
    const found = choices.find((choice) => bytes(choice) <= mostShared);
    if (found === undefined)
      throw new DoesNotFit(
        `${this.#node.site}: ${this.#node.regions.length} rotation regions of head size ${this.shape.depth} and values of ${this.shape.width} do not fit in shared memory`,
      );
    return found;
  }

  /** Text before the entry: constants, functions of pairs, tiles, the walk over blocks, and logits where they are wanted. */
  prelude(plan: KernelPlan, logits = logitsText): Fragment {
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
constexpr bool kScored = ${flag(pairs.scored)}, kAsksAny = ${flag(pairs.asksAny)}, kSinks = ${flag(pairs.sinks)};
constexpr bool kWantsKey = ${flag(plan.wantsKey)}, kWantsValue = ${flag(plan.wantsValue)}, kTrainsTables = ${flag(plan.trains)};
${pairs.functions}${sinkText}${tilesText(element)}${walkText}${logits}`;
  }

  /** Parameters and statements that fill `p` and `a`, and their arguments. */
  operands(): { parameters: Fragment; build: Fragment; arguments: readonly CudaArgument[] } {
    const node = this.#node;
    const names = node.regions.flatMap((_, r) => [identifier("query", r), identifier("key", r)]);
    const values = this.#values;
    const early = node.prepended === null ? [] : [c`early_key`, c`early_value`];
    const all = [...names, ...(values ? [c`value`] : []), ...early];
    const core = this.#firstTable;
    const afterTables = core + node.buffers.length;
    const fields = (word: string): Fragment =>
      joinFragments(
        node.regions.map((_, r) => identifier(word, r)),
        c`, `,
      );
    const earlyFields = node.prepended === null ? c`0, 0` : c`early_key, early_value`;
    const after = values ? c`value, ${earlyFields}, queries, keys, early` : c`queries, keys`;
    return {
      parameters: c`${this.pairs.parameters}${joinFragments(
        all.map((name) => c`const lctx_element *${name}, `),
        c``,
      )}int queries, int keys, ${values ? c`int early, ` : c``}`,
      build: c`  ${this.pairs.build}
  const lctx_operands a = {{${fields("query")}}, {${fields("key")}}, ${after}};
`,
      arguments: [
        ...this.pairs.arguments,
        ...all.map((_, n): CudaArgument => ({
          kind: "pointer",
          buffer: n < core ? n : afterTables + n - core,
        })),
        { kind: "i32", value: this.shape.queries },
        { kind: "i32", value: this.shape.keys },
        ...(values ? [{ kind: "i32", value: this.shape.early } as const] : []),
      ],
    };
  }

  add(source: CudaSource, launch: Omit<CudaLaunch, "source" | "cluster">): void {
    this.launches.push({ ...launch, cluster: 1, source: this.sources.push(source) - 1 });
  }
}
