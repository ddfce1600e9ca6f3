/** Plans the kernels of log-sum-exps and of folds over pairs, in the manner of the sm_80 attention and without values. */
import type { CudaArgument, CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import type { BlockFacts } from "../../../ir/block-facts.ts";
import { someExpr, type Expr } from "../../../ir/expr.ts";
import type { NodeBase, PairCore } from "../../../ir/graph.ts";
import type { LogSumExpNode, PairReduceNode } from "../../../ir/graph-pairs.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { lawBytes, positionsOf, turns } from "../attention/weighing.ts";
import { binsPerElement, exactText, sumBinsText } from "../attention/trained-tables.ts";
import { elementText, type AttentionElement } from "../element.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { CallPlan, plainPlan, rows, threads } from "../sm80/call-plan.ts";
import { tilesText } from "../sm80/tiles.ts";
import { isTokenAxis } from "../../../ir/graph-axes.ts";
import { lastRows } from "../../../ir/row-window.ts";
import { foldLoopText, foldStart, foldText, joinPiecesText, logSumExpText } from "./fold-text.ts";
import { tileLogitsText } from "./turned-text.ts";
import { foldTargets, type FoldForm } from "./targets.ts";

const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
const whole = (value: LaunchSize): CudaArgument => ({ kind: "i32", value });

/** Buffers of the node's operands: regions' queries and keys, then tables. */
const operandCount = (node: PairCore): number => 2 * node.regions.length + node.buffers.length;

interface Tiles {
  readonly plan: CallPlan;
  readonly columns: number;
  readonly tileBytes: number;
  readonly sharedBytes: number;
  /** Text before the entry. */
  readonly prelude: Fragment;
}

/** Tiles of keys that one block of threads takes where few rows see anything. */
const pieceTiles = 16;

/** The first row of a text that sees anything, where those after it fit into one tile; null when more may. */
function windowOf(node: PairCore): { readonly first: LaunchSize; readonly count: number } | null {
  if (!isTokenAxis(node.regions[0]!.query.axes[1]!)) return null;
  const count = lastRows(node.mask);
  if (count === null || count > rows) return null;
  return { first: ["max", 0, ["-", ["-", "length", count], "query-start"]], count };
}

interface Walk {
  readonly byQueries: boolean;
  readonly form: FoldForm;
  readonly exclusive: boolean;
}

function tilesOf(
  node: PairCore & Pick<NodeBase, "site">,
  body: Expr,
  target: Expr | null,
  facts: BlockFacts,
  element: AttentionElement,
  { byQueries, form, exclusive }: Walk,
): Tiles {
  const { key } = node.regions[0]!;
  const more = [
    ...(target === null ? [] : [{ name: c`lctx_target`, of: "pair", value: target } as const]),
    ...positionsOf(node.regions),
  ];
  const core = { ...node, value: key, score: body, more, weight: null, sink: null, prepended: null };
  const plan = new CallPlan(core, facts, element, operandCount(node) + 1, false, true);
  const regions = node.regions.length;
  const tileBytes = (n: number): number => plan.bytes(regions * (rows + 2 * n), 0, 0);
  const diagonals = (n: number): number => (form === "distances" ? 4 * rows * (n + 1) : 0);
  // A tile of turned queries, and what they turn by.
  const turning = (n: number): number => {
    const queries = byQueries ? rows : n;
    return turns(node.regions) ? plan.bytes(queries, 0, 0) + lawBytes(node.regions, queries) : 0;
  };
  const taken = (n: number): number => tileBytes(n) + diagonals(n);
  const columns = plan.fit(plan.columns(64), (n) => taken(n) + turning(n));
  const flag = (value: boolean): Fragment => (value ? c`true` : c`false`);
  const multiplies = someExpr(body, (part) => part.kind === "logit");
  const own = { rows: 0, columns: 0, distances: 1, tiles: 2, pairs: 3 }[form];
  return {
    plan,
    columns,
    tileBytes: tileBytes(columns),
    sharedBytes: taken(columns) + turning(columns),
    prelude: c`${plan.prelude({ ...plainPlan, loaded: regions })}
constexpr int kColumns = ${columns}, kTileBytes = ${tileBytes(columns)};
constexpr int kRows = 0, kDistances = 1, kTiles = 2, kForm = ${own};
constexpr bool kByQueries = ${flag(byQueries)}, kExclusive = ${flag(exclusive)}, kMultiplies = ${flag(multiplies)};
${tileLogitsText(node.regions, taken(columns), element)}${foldLoopText}`,
  };
}

const body = (
  build: Fragment,
  call: Fragment,
): Fragment => c`${build}  extern __shared__ __align__(16) unsigned char lctx_memory[];
  ${call}
}
`;

/**
 * Buffers of the call: operands, result (f32 [b, t, h]). Where an attention has the same operands, mask and score, and
 * neither sink nor keys before the text, its own log-sum-exp is this result and no call is needed.
 */
export function logSumExpCall(node: LogSumExpNode, facts: BlockFacts, element: AttentionElement): CudaCall {
  const walk: Walk = { byQueries: true, form: "rows", exclusive: true };
  const { plan, prelude, columns, sharedBytes } = tilesOf(node, node.score, null, facts, element, walk);
  const operands = plan.operands();
  const result = operandCount(node);
  const window = windowOf(node);
  const kernel = (entry: Fragment, more: Fragment, call: Fragment) => ({
    entry: entry.text,
    text: c`${prelude}${logSumExpText}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${operands.parameters}${more}) {
${body(operands.build, call)}`.text,
    architecture: "sm_80" as const,
  });
  const { heads, queries, keys } = plan.shape;
  if (window === null) {
    plan.add(
      kernel(
        c`lctx_log_sum_exp_rows`,
        c`float *lse`,
        c`lctx_log_sum_exp(p, a, lse, lctx_memory, blockIdx.z, blockIdx.y, gridDim.x - 1 - blockIdx.x);`,
      ),
      {
        label: `${node.site}: log-sum-exp`,
        grid: [["ceil-div", queries, rows], heads, "batch"],
        threads,
        sharedBytes,
        arguments: [...operands.arguments, pointer(result)],
      },
    );
    return plan.call;
  }
  // Few rows over all keys: pieces of the keys side by side, then joined.
  const pieces: LaunchSize = ["ceil-div", keys, columns * pieceTiles];
  const parts = plan.addScratch(["*", 4 * 2 * rows * heads, "batch", pieces]);
  addFill(plan, node.site, c`(-LCTX_INF)`, result, ["*", "batch", queries, heads]);
  plan.add(
    kernel(
      c`lctx_log_sum_exp_pieces`,
      c`float *parts, int first`,
      c`lctx_log_sum_exp_piece(p, a, parts, lctx_memory, blockIdx.z, blockIdx.y, first, ${pieceTiles});`,
    ),
    {
      label: `${node.site}: log-sum-exp by pieces of the keys`,
      grid: [pieces, heads, "batch"],
      threads,
      sharedBytes,
      arguments: [...operands.arguments, pointer(parts), whole(window.first)],
    },
  );
  const join = c`lctx_log_sum_exp_join`;
  const text = c`${scalarPrelude("accurate")}${elementText(element)}${tilesText(element)}${joinPiecesText}
extern "C" __global__ void ${join}(const float *parts, float *lse, int queries, int first, int pieces) {
  lctx_join_pieces(parts, lse, ${heads}, queries, first, pieces);
}
`;
  plan.add(
    { entry: join.text, text: text.text, architecture: "sm_80" },
    {
      label: `${node.site}: log-sum-exp of pieces`,
      grid: [["ceil-div", rows, 4], heads, "batch"],
      threads,
      sharedBytes: 0,
      arguments: [pointer(parts), pointer(result), whole(queries), whole(window.first), whole(pieces)],
    },
  );
  return plan.call;
}

/** A launch that writes one number to all elements. */
function addFill(plan: CallPlan, site: string, value: Fragment, to: number, count: LaunchSize): void {
  const entry = c`lctx_fold_start`;
  const text = c`${scalarPrelude("accurate")}
extern "C" __global__ void ${entry}(float *to, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) to[i] = ${value};
}
`;
  plan.add(
    { entry: entry.text, text: text.text, architecture: "sm_80" },
    {
      label: `${site}: start of a fold`,
      grid: [["ceil-div", count, threads], 1, 1],
      threads,
      sharedBytes: 0,
      arguments: [pointer(to), whole(count)],
    },
  );
}

/**
 * Buffers of the call: operands, result (f32). The result has the same bits run to run: elements that one row of tiles
 * reaches alone are written by it; other sums are exact until they are rounded, and maxima do not depend on the order.
 * It is a pass over keys of its own, about half of an attention's forward pass: what an attention could add up beside
 * its output it knows only relative to the maximum so far, while bodies want the log-sum-exp of the whole row. A fold
 * over rows that the mask limits (the last of a text) costs these rows alone.
 */
export function pairReduceCall(node: PairReduceNode, facts: BlockFacts, element: AttentionElement): CudaCall {
  const heads = node.regions[0]!.query.axes[2]!.size;
  const { form, exclusive, ownHead, place } = foldTargets(node, heads.kind === "fixed" ? heads.value : 0);
  const byQueries = form !== "columns";
  const walk = { byQueries, form, exclusive };
  const { plan, prelude, columns, sharedBytes } = tilesOf(node, node.body, place, facts, element, walk);
  const operands = plan.operands();
  const result = operandCount(node);
  const extents = node.axes.slice(1).map((axis) => axisExtent(axis.size));
  const [one, all]: LaunchSize[] = [
    ["*", 1, ...extents],
    ["*", "batch", ...extents],
  ];
  // Few rows: pieces of the keys side by side. A diagonal of theirs crosses two tiles, and two shares need no order.
  const window = form === "distances" ? windowOf(node) : null;
  const plain = window !== null && window.count <= columns && ownHead;
  const exact = node.op === "sum" && !exclusive && !plain;
  const launch = (label: string, count: LaunchSize) => ({
    label: `${node.site}: ${label}`,
    grid: [["ceil-div", count, threads], 1, 1] as const,
    threads,
    sharedBytes: 0,
  });
  const bins = exact ? plan.addScratch(["*", all!, binsPerElement * 8], true) : null;
  if (!exact) addFill(plan, node.site, foldStart(node.op), result, all!);
  const entry = c`lctx_fold_pairs`;
  const range =
    window === null
      ? c`(gridDim.x - 1 - blockIdx.x) * LCTX_ROWS, 0, LCTX_NO_BLOCK`
      : c`first, blockIdx.x * ${pieceTiles}, (blockIdx.x + 1) * ${pieceTiles}`;
  const text = c`${prelude}${exactText}${foldText(node.op, plain)}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${operands.parameters}void *to, int elements${window === null ? c`` : c`, int first`}) {
${body(operands.build, c`lctx_fold(p, a, to, elements, lctx_memory, blockIdx.z, blockIdx.y, ${range});`)}`;
  const { heads: ownHeads, queries, keys } = plan.shape;
  const blocks: LaunchSize =
    window === null
      ? ["ceil-div", byQueries ? queries : keys, rows]
      : ["ceil-div", keys, columns * pieceTiles];
  plan.add(
    { entry: entry.text, text: text.text, architecture: "sm_80" },
    {
      label: `${node.site}: ${node.op} over pairs by ${form}`,
      grid: [blocks, ownHeads, "batch"],
      threads,
      sharedBytes,
      arguments: [
        ...operands.arguments,
        pointer(bins ?? result),
        whole(one!),
        ...(window === null ? [] : [whole(window.first)]),
      ],
    },
  );
  if (bins !== null) {
    const sum = c`lctx_fold_sum`;
    const own = c`${scalarPrelude("accurate")}${elementText(element)}${tilesText(element)}${sumBinsText(sum)}`;
    plan.add(
      { entry: sum.text, text: own.text, architecture: "sm_80" },
      { ...launch("rounding of sums", all!), arguments: [pointer(bins), pointer(result), whole(all!)] },
    );
  }
  return plan.call;
}
