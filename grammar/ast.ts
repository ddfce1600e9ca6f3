/** The Ast: what a `.lctx` file says, before any name is resolved. Every node has a span. */
import type { Span } from "../compiler/source/span.ts";

export interface Identifier {
  readonly text: string;
  readonly span: Span;
}

/** A parsed file. `docs` of an item is its `///` comment, without the slashes. */
export interface AstFile {
  readonly kind: "file";
  readonly path: string;
  readonly items: readonly Item[];
  readonly comments: readonly Comment[];
  readonly span: Span;
}

/** A `//` or `///` comment; kept for the printer. */
export interface Comment {
  readonly text: string;
  readonly doc: boolean;
  readonly span: Span;
}

// ── Items ──────────────────────────────────────────────────────────────────────────

export type Item =
  | ImportItem
  | MaskItem
  | ScoreItem
  | FunctionItem
  | RotationItem
  | AttentionItem
  | ModuleItem
  | AdapterItem
  | OptimizerItem
  | TaskItem
  | PretrainedItem
  | ModelItem
  | AdaptItem
  | TrainItem
  | EvaluateItem;

interface ItemBase {
  readonly span: Span;
  readonly docs: string;
}

/** `import std.masks { causal }` or `import "./mine.lctx" { band }`. */
export interface ImportItem extends ItemBase {
  readonly kind: "import";
  /** `["std", "masks"]` for a library path; a string literal for a file. */
  readonly from: { readonly kind: "library"; readonly path: readonly Identifier[] } | StringExpr;
  readonly names: readonly Identifier[];
}

/** `n: Count = 4`, `slope[h]`, `vertical: Count[layer, h] = table "best.json"`. */
export interface Parameter {
  readonly name: Identifier;
  /** Axes of a table parameter (`slope[h]`); empty for a plain one. */
  readonly axes: readonly Axis[];
  /** `Count`, `Real`, `Bool`, `Text`, `Attention`, `Rotation`, `Module`; null when not written. */
  readonly type: Identifier | null;
  /** The axes after the type (`Count[layer, h]`). */
  readonly typeAxes: readonly Axis[];
  readonly value: Expr | null;
  readonly span: Span;
}

/** `e: width` or plain `e`. */
export interface Axis {
  readonly name: Identifier;
  readonly size: Expr | null;
}

export interface MaskItem extends ItemBase {
  readonly kind: "mask";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  readonly body: Expr;
}

export interface ScoreItem extends ItemBase {
  readonly kind: "score";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  readonly body: Expr;
}

/** A pure top-level function: `let gelu(x: Real) = …`; always inlined. */
export interface FunctionItem extends ItemBase {
  readonly kind: "function";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  readonly body: Expr;
}

/** Angles of a rotary embedding: `rotation rope(base: Real = 10_000) = base ^ (-2 * m / dims)`. */
export interface RotationItem extends ItemBase {
  readonly kind: "rotation";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  /** The short form holds one `angle` clause. */
  readonly clauses: readonly RotationClause[];
  readonly short: boolean;
}

export type RotationClause =
  | LetClause
  /** Radians per position of pair `m` (0 … dims/2 − 1). */
  | { readonly kind: "angle"; readonly value: Expr; readonly span: Span }
  /** Factor on cosine and sine. */
  | { readonly kind: "scale"; readonly value: Expr; readonly span: Span }
  /** `layout half` (pairs m, m + dims/2) or `layout interleaved` (pairs 2m, 2m + 1). */
  | { readonly kind: "layout"; readonly value: Identifier; readonly span: Span }
  /** How many leading dimensions of the head rotate. */
  | { readonly kind: "rotated"; readonly value: Expr; readonly span: Span };

export interface AttentionItem extends ItemBase {
  readonly kind: "attention";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  readonly clauses: readonly AttentionClause[];
}

export interface ModuleItem extends ItemBase {
  readonly kind: "module";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  readonly clauses: readonly ModuleClause[];
}

/** `adapter delta(rank: Count = 8) on linear { … }`. */
export interface AdapterItem extends ItemBase {
  readonly kind: "adapter";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  /** `linear`, `residual`, `attention` or `embed`. */
  readonly site: Identifier;
  readonly clauses: readonly AdapterClause[];
}

/** `optimizer momentum(lr: Real, …) { state m = …  update … }`; `w`, `g`, `step` are in scope. */
export interface OptimizerItem extends ItemBase {
  readonly kind: "optimizer";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  readonly clauses: readonly (LetClause | StateClause | UpdateClause)[];
}

/** `task needle(digits: Count = 7) { let key = number(digits)  filler "…"  insert "…{key}…" at depth  ask "…"  answer "{key}" }`. */
export interface TaskItem extends ItemBase {
  readonly kind: "task";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  readonly clauses: readonly TaskClause[];
}

export type TaskClause =
  /** `let key[i: pairs] = word(5)`: drawn anew for each sample. */
  | LetClause
  /** What a sample begins with, asks, and should be told; `{name}` and `{name[i]}` stand for what was drawn. */
  | {
      readonly kind: "task-text";
      readonly part: "start" | "ask" | "answer";
      readonly text: StringExpr;
      readonly span: Span;
    }
  /** Text that is repeated, or made by a process, to the length of the sample. */
  | { readonly kind: "filler"; readonly value: StringExpr | CallExpr; readonly span: Span }
  /** `insert[i] "{key[i]} is {value[i]}. " at depth`: put into the filler, once or for each `i`. */
  | {
      readonly kind: "task-insert";
      readonly axes: readonly Axis[];
      readonly text: StringExpr;
      /** Share of the filler before it; null: drawn. */
      readonly at: Expr | null;
      readonly span: Span;
    };

/** `pretrained "org/name" = decoder { … }`: the settings of a published checkpoint. */
export interface PretrainedItem extends ItemBase {
  readonly kind: "pretrained";
  readonly id: StringExpr;
  readonly base: Identifier;
  readonly settings: readonly Setting[];
}

/** `model Small = decoder { vocab 256 … }` or `model Base = pretrained "…" { … }`. */
export interface ModelItem extends ItemBase {
  readonly kind: "model";
  readonly name: Identifier;
  readonly base:
    | { readonly kind: "module"; readonly name: Identifier }
    | { readonly kind: "pretrained"; readonly id: StringExpr };
  readonly settings: readonly Setting[];
}

export interface Setting {
  readonly name: Identifier;
  readonly value: Expr;
  readonly span: Span;
}

/** `adapt Base { delta(rank: 8) on attn.{q, v}   train norm.*, embed }`. */
export interface AdaptItem extends ItemBase {
  readonly kind: "adapt";
  readonly model: Identifier;
  readonly clauses: readonly AdaptClause[];
}

export type AdaptClause =
  | {
      readonly kind: "attach";
      readonly adapter: CallExpr;
      readonly sites: readonly SitePattern[];
      readonly span: Span;
    }
  | { readonly kind: "train-sites"; readonly sites: readonly SitePattern[]; readonly span: Span };

/** `attn.{q, k}`, `norm.*`, `layers.0.attn`; matches any run of whole path segments. */
export interface SitePattern {
  readonly segments: readonly SiteSegment[];
  readonly span: Span;
}

export type SiteSegment =
  | { readonly kind: "name"; readonly name: Identifier }
  | { readonly kind: "any"; readonly span: Span }
  | { readonly kind: "number"; readonly value: number; readonly span: Span }
  /** `2 to 5`: inclusive. */
  | { readonly kind: "range"; readonly from: number; readonly to: number; readonly span: Span }
  | { readonly kind: "one-of"; readonly names: readonly Identifier[]; readonly span: Span };

export interface TrainItem extends ItemBase {
  readonly kind: "train";
  readonly model: Identifier;
  readonly clauses: readonly TrainClause[];
}

export type TrainClause =
  | DataClause
  | LossClause
  | { readonly kind: "optimizer-choice"; readonly optimizer: CallExpr; readonly span: Span }
  | ScheduleClause
  | {
      readonly kind: "batch";
      readonly size: Expr;
      readonly unit: "tokens" | "sequences";
      readonly accumulate: Expr | null;
      readonly span: Span;
    }
  | { readonly kind: "precision"; readonly value: Identifier; readonly span: Span }
  | { readonly kind: "recompute"; readonly value: Identifier; readonly span: Span }
  | { readonly kind: "seed"; readonly value: Expr; readonly span: Span }
  | { readonly kind: "clip"; readonly value: Expr; readonly span: Span }
  | { readonly kind: "train-sites"; readonly sites: readonly SitePattern[]; readonly span: Span }
  | StageClause;

/**
 * `data tokens "text" tokenizer "bytes" length 512 packed by document insert marker every 50 validate 5%`,
 * `data task needle() length 512`, `data mix { tokens "text" 50%   task needle() 50% } length 512`.
 */
export interface DataClause {
  readonly kind: "data";
  /** One part of `tokens` or `task` with no share, or the parts of a `mix`. */
  readonly parts: readonly DataPart[];
  readonly mixed: boolean;
  readonly tokenizer: StringExpr | null;
  readonly length: Expr | null;
  readonly packed: boolean;
  /** `cut by document`. */
  readonly cut: boolean;
  readonly insert: { readonly token: Identifier; readonly every: Expr } | null;
  readonly validate: Amount | null;
  readonly span: Span;
}

/** Where rows come from, and how many of all. */
export type DataPart = (
  | { readonly kind: "tokens"; readonly source: StringExpr }
  | { readonly kind: "task"; readonly task: CallExpr }
) & {
  /** Null where it stands alone. */
  readonly share: Amount | null;
  readonly span: Span;
};

/** A plain number of things, or a share of the whole (`2%` has value 0.02). */
export interface Amount {
  readonly value: Expr;
  readonly percent: boolean;
}

/** `loss next_token on answers except marker`. */
export interface LossClause {
  readonly kind: "loss";
  readonly objective: Identifier;
  /** What of a row counts (`answers`); null: all of it. */
  readonly on: Identifier | null;
  readonly except: Identifier | null;
  readonly span: Span;
}

/** `schedule warmup 700 then cosine to 6e-5 over 20_000`. */
export interface ScheduleClause {
  readonly kind: "schedule";
  readonly warmup: Amount | null;
  /** `constant`, `cosine` or `linear`. */
  readonly shape: Identifier;
  readonly to: Expr | null;
  /** Steps in all. */
  readonly over: Expr;
  readonly span: Span;
}

export interface StageClause {
  readonly kind: "stage";
  readonly name: Identifier;
  readonly clauses: readonly TrainClause[];
  readonly span: Span;
}

/** `evaluate Long { task needle at lengths 4096 to 131_072 doubling depths 0%, 50%, 100% metric exact_match }`. */
export interface EvaluateItem extends ItemBase {
  readonly kind: "evaluate";
  readonly model: Identifier;
  readonly clauses: readonly EvaluateClause[];
}

export type EvaluateClause =
  | {
      readonly kind: "task";
      /** Without parentheses where the author left them off: see `bare`. */
      readonly task: CallExpr;
      readonly bare: boolean;
      /** `512, 1024 to 8192 doubling`: the last value is doubled up to `to`. */
      readonly lengths: { readonly values: readonly Expr[]; readonly to: Expr | null } | null;
      /** Empty: not written. */
      readonly depths: readonly Amount[];
      readonly span: Span;
    }
  | { readonly kind: "metric"; readonly metric: Identifier; readonly span: Span }
  | { readonly kind: "samples"; readonly value: Expr; readonly span: Span }
  | { readonly kind: "seed"; readonly value: Expr; readonly span: Span };

// ── Clauses ────────────────────────────────────────────────────────────────────────

export type AttentionClause =
  | { readonly kind: "blocks"; readonly name: Identifier; readonly size: Expr; readonly span: Span }
  | { readonly kind: "diagonals"; readonly name: Identifier; readonly value: Expr; readonly span: Span }
  | ParamClause
  | LetClause
  | { readonly kind: "mask-clause"; readonly value: Expr; readonly span: Span }
  /** `ahead k < visible`: later keys that may be seen on purpose; everything else stays causal. */
  | { readonly kind: "ahead"; readonly value: Expr; readonly span: Span }
  | { readonly kind: "score-clause"; readonly value: Expr; readonly span: Span }
  | { readonly kind: "weight-clause"; readonly value: Expr; readonly span: Span }
  | RotateClause
  | SelectClause
  | TeachClause
  | PhaseClause;

/** `rotate x at e`, or a region: `rotate q at limit, k at 0 where q - k >= span`. */
export interface RotateClause {
  readonly kind: "rotate";
  readonly positions: readonly { readonly name: Identifier; readonly at: Expr }[];
  readonly where: Expr | null;
  readonly span: Span;
}

export interface SelectClause {
  readonly kind: "select";
  readonly name: Identifier;
  readonly axes: readonly Identifier[];
  readonly from: Identifier;
  readonly by: Expr;
  readonly limit: { readonly kind: "top" | "above"; readonly value: Expr };
  readonly always: Expr | null;
  readonly where: Expr | null;
  readonly span: Span;
}

export interface TeachClause {
  readonly kind: "teach";
  readonly name: Identifier;
  readonly by: Identifier;
  readonly from: Expr;
  readonly scale: Expr | null;
  readonly span: Span;
}

/** `when training { … }`, `when decoding { … }`, `otherwise { … }`. */
export interface PhaseClause {
  readonly kind: "phase";
  /** null for `otherwise`. */
  readonly phase: Identifier | null;
  readonly clauses: readonly AttentionClause[];
  readonly span: Span;
}

/** `let gist[h, c, d] = …` (a table), `let near(q, k) = …` (inlined), `let size = …`. */
export interface LetClause {
  readonly kind: "let";
  readonly name: Identifier;
  readonly form:
    | { readonly kind: "table"; readonly axes: readonly Axis[] }
    | { readonly kind: "function"; readonly parameters: readonly Identifier[] }
    | { readonly kind: "value" };
  readonly value: Expr;
  readonly span: Span;
}

/** `param wq[h, d, e: width] = normal(0.02) where bias, wk[…]`. */
export interface ParamClause {
  readonly kind: "param";
  readonly tables: readonly ParamTable[];
  readonly span: Span;
}

export interface ParamTable {
  readonly name: Identifier;
  readonly axes: readonly Axis[];
  readonly init: Expr | null;
  /** The table exists only when this static condition holds. */
  readonly where: Expr | null;
  readonly span: Span;
}

export type ModuleClause =
  | InputClause
  | ParamClause
  | ChildClause
  | LetClause
  /** `site linear`: which adapters fit (`linear`, `embed`, `attention`). */
  | { readonly kind: "site"; readonly site: Identifier; readonly span: Span }
  | { readonly kind: "output"; readonly value: Expr; readonly span: Span };

/** `input x[i: width]`, `input tokens: Token`. */
export interface InputClause {
  readonly kind: "input";
  readonly name: Identifier;
  readonly axes: readonly Axis[];
  readonly type: Identifier | null;
  readonly span: Span;
}

/** `child norm.attn = rms_norm(width: width)`, `repeat layers[l: layers] = block(…)`. */
export interface ChildClause {
  readonly kind: "child";
  /** Dotted names give a path of several segments. */
  readonly path: readonly Identifier[];
  /** The axis of a repeated child; null for a single one. */
  readonly repeat: Axis | null;
  readonly module: CallExpr;
  readonly where: Expr | null;
  readonly span: Span;
}

export type AdapterClause =
  | ParamClause
  | LetClause
  /** Replaces the site's input. */
  | { readonly kind: "adapter-input"; readonly value: Expr; readonly span: Span }
  /** Replaces the site's output. */
  | { readonly kind: "output"; readonly value: Expr; readonly span: Span }
  /** `prepend keys pk, values pv` or `prepend tokens p`. */
  | {
      readonly kind: "prepend";
      readonly parts: readonly { readonly target: Identifier; readonly value: Expr }[];
      readonly span: Span;
    };

/** `state m = betas.0 * m + (1 - betas.0) * g`: zero before the first step. */
export interface StateClause {
  readonly kind: "state";
  readonly name: Identifier;
  readonly value: Expr;
  readonly span: Span;
}

/** `update w - lr * m`: the new value of the weight. */
export interface UpdateClause {
  readonly kind: "update";
  readonly value: Expr;
  readonly span: Span;
}

// ── Expressions ────────────────────────────────────────────────────────────────────

export type Expr =
  | NumberExpr
  | StringExpr
  | NameExpr
  | IndexExpr
  | CallExpr
  | MemberExpr
  | UnaryExpr
  | BinaryExpr
  | CompareExpr
  | LogicExpr
  | MembershipExpr
  | IfExpr
  | ReductionExpr
  | TupleExpr
  | AtExpr
  | ErrorExpr;

export interface NumberExpr {
  readonly kind: "number";
  readonly value: number;
  /** As written, with its underscores. */
  readonly text: string;
  readonly span: Span;
}

export interface StringExpr {
  readonly kind: "string";
  readonly value: string;
  readonly span: Span;
}

/** A name, also `true` and `false`. */
export interface NameExpr {
  readonly kind: "name";
  readonly name: string;
  readonly span: Span;
}

/** `kept[h, q]`. */
export interface IndexExpr {
  readonly kind: "index";
  readonly base: NameExpr;
  readonly indices: readonly Expr[];
  readonly span: Span;
}

export interface Argument {
  readonly name: Identifier | null;
  readonly value: Expr;
}

export interface CallExpr {
  readonly kind: "call";
  readonly callee: NameExpr | MemberExpr;
  readonly arguments: readonly Argument[];
  readonly span: Span;
}

/** `betas.0`, `norm.attn`. */
export interface MemberExpr {
  readonly kind: "member";
  readonly base: NameExpr | MemberExpr;
  readonly member: Identifier;
  readonly span: Span;
}

export interface UnaryExpr {
  readonly kind: "unary";
  readonly op: "-" | "not";
  readonly operand: Expr;
  readonly span: Span;
}

export interface BinaryExpr {
  readonly kind: "binary";
  readonly op: "+" | "-" | "*" | "/" | "%" | "^";
  readonly left: Expr;
  readonly right: Expr;
  readonly span: Span;
}

/** A chain: `0 <= q - k < n` has operators `<=`, `<` and three operands. */
export interface CompareExpr {
  readonly kind: "compare";
  readonly operators: readonly ("<" | "<=" | ">" | ">=" | "==" | "!=")[];
  readonly operands: readonly Expr[];
  readonly span: Span;
}

export interface LogicExpr {
  readonly kind: "logic";
  readonly op: "and" | "or";
  readonly left: Expr;
  readonly right: Expr;
  readonly span: Span;
}

/** `c(k) in kept[h, q]`, `x in c`. */
export interface MembershipExpr {
  readonly kind: "membership";
  readonly element: Expr;
  readonly set: Expr;
  readonly span: Span;
}

export interface IfExpr {
  readonly kind: "if";
  readonly condition: Expr;
  readonly then: Expr;
  readonly otherwise: Expr;
  readonly span: Span;
}

export type Reducer =
  "sum" | "mean" | "max" | "min" | "softmax" | "normalize" | "dot" | "attend" | "stack" | "split" | "merge";

/** `sum[d] a * b`, `softmax[k per c if guard] s`, `attend[k in c] (Q, K, V)`. */
export interface ReductionExpr {
  readonly kind: "reduction";
  readonly op: Reducer;
  readonly binders: readonly Binder[];
  readonly per: Identifier | null;
  readonly guard: Expr | null;
  /** One body, or the arguments of `dot`, `attend`, `stack`. */
  readonly bodies: readonly Expr[];
  readonly span: Span;
}

export interface Binder {
  readonly name: Identifier;
  readonly in: Identifier | null;
}

export interface TupleExpr {
  readonly kind: "tuple";
  readonly elements: readonly Expr[];
  readonly span: Span;
}

/** `gq at i`: an argument of a rotation call. */
export interface AtExpr {
  readonly kind: "at";
  readonly value: Expr;
  readonly position: Expr;
  readonly span: Span;
}

/** Stands where the parser could not read an expression; it silences later checks. */
export interface ErrorExpr {
  readonly kind: "error";
  readonly span: Span;
}
