/**
 * Graph: one node per layer operation on tensors with named axes; attention is one node.
 * Operands are node references; a Graph lists its nodes in an order where operands come first.
 */
import type { Span } from "../source/span.ts";
import type { Expr } from "./expr.ts";
import type {
  BlockReduceNode,
  BlockSpreadNode,
  HoleNode,
  LogSumExpNode,
  PairReduceNode,
  RunningSumNode,
  SelectNode,
} from "./graph-pairs.ts";
import type { Weight } from "./weight.ts";

/**
 * `length` counts the tokens of a row (plus `plus` prepended ones), or blocks of `by` of them: ⌈(length + plus) / by⌉.
 * `batch` counts rows. Both are known when a program runs.
 */
export type AxisSize =
  | { readonly kind: "fixed"; readonly value: number }
  | { readonly kind: "batch" }
  | { readonly kind: "length"; readonly plus: number; readonly by: number };

/** Axis names are unique within a tensor. The batch axis is named `b`, the token axis `t`. */
export interface Axis {
  readonly name: string;
  readonly size: AxisSize;
}

export type DataType = "f32" | "i32";

/** How a parameter starts, by a counter-based generator keyed by its path. */
export type Init =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "normal"; readonly deviation: number }
  | { readonly kind: "uniform"; readonly limit: number };

export interface NodeBase {
  /** Axes of the result, outermost first; storage is row-major in this order. */
  readonly axes: readonly Axis[];
  readonly dtype: DataType;
  /** The site path this node came from (`layers.0.attn.q`), for names in printed code. */
  readonly site: string;
  readonly origin: readonly Span[];
}

export type Node =
  | InputNode
  | ParameterNode
  | MapNode
  | ReduceNode
  | ContractNode
  | GatherNode
  | ScatterNode
  | ReshapeNode
  | ConcatNode
  | SliceNode
  | RotateNode
  | AttentionNode
  | AttentionGradientNode
  | SelectNode
  | LogSumExpNode
  | PairReduceNode
  | BlockReduceNode
  | BlockSpreadNode
  | RunningSumNode
  | CrossEntropyNode
  | CrossEntropyGradientNode
  | HeadLossNode
  | HeadLossGradientNode
  | ResultNode
  | HoleNode;

export type NodeKind = Node["kind"];

/** Batch data: `tokens` [b,t] i32, `targets` [b,t] i32 (−1: no loss here), `documents` [b,t] i32, `starts` [b,t] i32 (first position of the token's document), `loss-scale` [] f32 (1 / counted targets). */
export interface InputNode extends NodeBase {
  readonly kind: "input";
  readonly name: "tokens" | "targets" | "documents" | "starts" | "loss-scale";
}

/** A trained or frozen tensor, by path (`layers.0.attn.q.weight`). */
export interface ParameterNode extends NodeBase {
  readonly kind: "parameter";
  readonly path: string;
  readonly init: Init;
  readonly trainable: boolean;
}

/** Pointwise: `body` over elements of `operands`, broadcast by axis name. `body` may read `index(axis)`, sizes, scalars, `uniform`. */
export interface MapNode extends NodeBase {
  readonly kind: "map";
  readonly operands: readonly Node[];
  readonly body: Expr;
}

/** Removes the axes named in `over`. */
export interface ReduceNode extends NodeBase {
  readonly kind: "reduce";
  readonly op: "sum" | "max" | "min";
  readonly operand: Node;
  readonly over: readonly string[];
}

/** `out[axes] = Σ_over left · right`; axes that both operands and the result share are batch axes. */
export interface ContractNode extends NodeBase {
  readonly kind: "contract";
  readonly left: Node;
  readonly right: Node;
  readonly over: readonly string[];
}

/** Rows of `table` along `axis`, by whole number: result axes are the index's axes, then the table's other axes. */
export interface GatherNode extends NodeBase {
  readonly kind: "gather";
  readonly table: Node;
  readonly axis: string;
  readonly index: Node;
}

/** The adjoint of gather: adds rows of `values` into a zero table with the given `axes`; order of addition is fixed. */
export interface ScatterNode extends NodeBase {
  readonly kind: "scatter";
  readonly values: Node;
  readonly axis: string;
  readonly index: Node;
}

/** Same elements in the same order under other axes (split, merge, rename). */
export interface ReshapeNode extends NodeBase {
  readonly kind: "reshape";
  readonly operand: Node;
}

/** Operands one after another along `axis`; other axes equal (an operand without `b` is repeated for every row). */
export interface ConcatNode extends NodeBase {
  readonly kind: "concat";
  readonly axis: string;
  readonly operands: readonly Node[];
}

/** Elements `start …` of `axis`; the result's axis size says how many. */
export interface SliceNode extends NodeBase {
  readonly kind: "slice";
  readonly axis: string;
  readonly operand: Node;
  readonly start: number;
}

/** Rotary embedding of the last axis. `position` is over index `x` (token position, query-start + index along `t`) and `h` (index along the axis before the last); `angle` over index `m`. */
export interface RotateNode extends NodeBase {
  readonly kind: "rotate";
  readonly operand: Node;
  /** Position each token is rotated at; real or int. */
  readonly position: Expr;
  /** Radians per position of pair m. */
  readonly angle: Expr;
  /** Factor on cosine and sine. */
  readonly scale: Expr;
  /** Leading dimensions that rotate; the rest pass. Even. */
  readonly rotated: number;
  readonly layout: "half" | "interleaved";
  /** True for the adjoint: rotates by the negative angle. */
  readonly inverse: boolean;
}

/** Pairs (q, k) where `when` holds take their logit from these operands; the first matching region wins. */
export interface Region {
  readonly query: Node;
  readonly key: Node;
  readonly when: Expr;
  /** Rotates the query anew for each block of keys; null: the query is taken as it is. */
  readonly turn: Turn | null;
}

/** The logit of a pair is scale · ⟨R(position(q, k, h)) query[q], key[k]⟩, with R as of a rotation. */
export interface Turn extends Pick<RotateNode, "angle" | "scale" | "rotated" | "layout"> {
  /** Real or int over `q`, `k`, `h`, sizes, loads; the same for all k of one block. No gradient reaches its loads. */
  readonly position: Expr;
  /** Keys of a block. */
  readonly by: number;
}

/** What all nodes over pairs of a query and a key share. */
export interface PairCore {
  /**
   * Queries [b, t, h, d], keys [b, t', g, d]; h is a multiple of g; head h reads key-value head ⌊h / (heads/kvHeads)⌋. The
   * last region's `when` is true. Rows may lie over any axis: over blocks, `q` and `k` count blocks.
   */
  readonly regions: readonly Region[];
  /** Bool over `q`, `k`, `h`, sizes, and loads of `buffers`. q = query-start + row where the rows are tokens, else the row. */
  readonly mask: Expr;
  /** Tables that the expressions load. A `b` axis comes first; its index is implied: the pair's own. */
  readonly buffers: readonly Node[];
  /** Factor on the dot product: together they are the logit. */
  readonly scale: number;
}

/** What an attention node and its gradient share. */
export interface AttentionCore extends PairCore {
  /** [b, t', g, e]. */
  readonly value: Node;
  /** Real over the logit, `q`, `k`, `h`, sizes, loads. The logit itself where there is a weight. */
  readonly score: Expr;
  /** What replaces softmax(mask, score); null: nothing does. */
  readonly weight: Weight | null;
  /** Real over `q`, `h`, sizes, loads: logarithm of one more term of the row normaliser's denominator, that weighs no key. */
  readonly sink: Expr | null;
  /**
   * Keys and values [p, g, d] that every query sees, before the text, with region 0's query as it is; no score, no mask.
   * They share the row normaliser, which a weight must have then. null when there are none.
   */
  readonly prepended: { readonly key: Node; readonly value: Node } | null;
}

/**
 * softmax(mask, score(scale · q·k)) · value, or the weight's · value: results: 0 output [b,t,h,e]; 1 log-sum-exp [b,t,h] of
 * the row normaliser, sink and keys before the text included. A row without keys gives 0 and −inf (the sink where there
 * is one); a weight without a row normaliser has log-sum-exp 0.
 */
export interface AttentionNode extends NodeBase, AttentionCore {
  readonly kind: "attention";
  /** True: what a key weighs counts as a constant, and a gradient passes into the value alone. */
  readonly weightsFixed: boolean;
}

/**
 * Adjoint of attention. Results, in order: for each region dQuery, dKey; dValue; for each buffer in `bufferGradients`
 * its gradient; then, with prepended keys, their dKey and dValue. This node's own axes are those of result 0.
 */
export interface AttentionGradientNode extends NodeBase, AttentionCore {
  readonly kind: "attention-gradient";
  readonly output: Node;
  readonly logSumExp: Node;
  readonly outputGradient: Node;
  /** d score / d logit, an Expr over the same leaves. */
  readonly scoreSlope: Expr;
  /** Slopes of the weight's expressions by the logit; null without a weight. */
  readonly weightSlopes: WeightSlopes | null;
  /** Which buffers get gradients, and the slope by the element loaded: one entry for each load in an expression. */
  readonly bufferGradients: readonly {
    readonly buffer: number;
    readonly loads: readonly LoadSlope[];
  }[];
}

/** d / d logit of the row's score, the block's score (0 where there is none) and the factor of each case. */
export interface WeightSlopes {
  readonly row: Expr;
  readonly block: Expr;
  readonly factors: readonly Expr[];
}

/** Which expression of an attention loads: its score, sink, a normaliser's score, or the factor of the n-th case. */
export type LoadingPart = "score" | "sink" | "row" | "block" | number;

/** One load of a real element: where it is, in which expression, and that expression's slope by it. */
export interface LoadSlope {
  readonly indices: readonly Expr[];
  readonly slope: Expr;
  readonly part: LoadingPart;
}

/** −log softmax(logits)[target] over the last axis; 0 where the target is −1. Results: 0 loss [b,t]; 1 log-sum-exp [b,t]. */
export interface CrossEntropyNode extends NodeBase {
  readonly kind: "cross-entropy";
  readonly logits: Node;
  readonly targets: Node;
}

/** d logits for a per-token loss gradient [b,t]. */
export interface CrossEntropyGradientNode extends NodeBase {
  readonly kind: "cross-entropy-gradient";
  readonly logits: Node;
  readonly targets: Node;
  readonly logSumExp: Node;
  readonly lossGradient: Node;
}

/** Cross-entropy of x [b,t,i] · weight [v,i] without the whole logits tensor. Results: 0 loss [b,t]; 1 log-sum-exp [b,t]. */
export interface HeadLossNode extends NodeBase {
  readonly kind: "head-loss";
  readonly x: Node;
  readonly weight: Node;
  readonly targets: Node;
}

/** Results: 0 dx; 1 dWeight. */
export interface HeadLossGradientNode extends NodeBase {
  readonly kind: "head-loss-gradient";
  readonly x: Node;
  readonly weight: Node;
  readonly targets: Node;
  readonly logSumExp: Node;
  readonly lossGradient: Node;
}

/** The n-th result (n ≥ 1) of a node with several; result 0 is the node itself. */
export interface ResultNode extends NodeBase {
  readonly kind: "result";
  readonly of: Node;
  readonly result: number;
}

/** What an optimizer does to one element: `w`, `g`, `step`, `lr` and old states are scalars of the given names. */
export interface UpdateRule {
  readonly states: readonly { readonly name: string; readonly value: Expr }[];
  /** The new weight. In all bodies: operand 0 = w, operand 1 = g, operand 2… = old states; scalars `lr`, `step`. */
  readonly weight: Expr;
}

export interface Graph {
  /** Operands come before users. */
  readonly nodes: readonly Node[];
  /** `loss` [b,t] per-token loss, `logits`, `gradient:<path>`. */
  readonly outputs: ReadonlyMap<string, Node>;
}
