/** Terms: the checked body of a model, a graph of tensor operations over named axes, the same in every phase. */
import type { AttentionInstance } from "../../ir/attention-meaning.ts";
import type { RotationMeaning } from "../../ir/attention-meaning.ts";
import type { Expr } from "../../ir/expr.ts";
import type { Span } from "../../source/span.ts";
import type { ModelParameter } from "./model.ts";

export interface TermAxis {
  readonly name: string;
  readonly size: number;
}

/** What a term has one of: `model` (weights), `position` (each place in a row) or `token` (each token of each row). */
export type Extent = "model" | "position" | "token";

interface TermBase {
  /** Besides rows and tokens, outermost first. */
  readonly axes: readonly TermAxis[];
  readonly extent: Extent;
  /** Learned vectors before the text that the token axis counts; 0 for `model`. */
  readonly plus: number;
  readonly site: string;
  readonly span: Span;
}

export type Term =
  | TokensTerm
  | PositionsTerm
  | ParameterTerm
  | MapTerm
  | ReduceTerm
  | ContractTerm
  | GatherTerm
  | ReshapeTerm
  | DropoutTerm
  | AttentionTerm
  | PrependTerm;

/** The whole number of each token. */
export interface TokensTerm extends TermBase {
  readonly kind: "tokens";
}
/** The place of each token in its row, learned vectors before the text counted. */
export interface PositionsTerm extends TermBase {
  readonly kind: "positions";
}
export interface ParameterTerm extends TermBase {
  readonly kind: "parameter";
  readonly parameter: ModelParameter;
}
/** `body` over elements of `operands`, broadcast by axis name; may read `index(axis)`. */
export interface MapTerm extends TermBase {
  readonly kind: "map";
  readonly operands: readonly Term[];
  readonly body: Expr;
}
export interface ReduceTerm extends TermBase {
  readonly kind: "reduce";
  readonly op: "sum" | "max" | "min";
  readonly operand: Term;
  readonly over: readonly string[];
}
/** Σ over the named axes of left · right. */
export interface ContractTerm extends TermBase {
  readonly kind: "contract";
  readonly left: Term;
  readonly right: Term;
  readonly over: readonly string[];
}
/** Rows of a table along its first axis, by tokens or positions. */
export interface GatherTerm extends TermBase {
  readonly kind: "gather";
  readonly table: Term;
  readonly axis: string;
  readonly index: Term;
}
/** The same numbers in the same order under other axes. */
export interface ReshapeTerm extends TermBase {
  readonly kind: "reshape";
  readonly operand: Term;
}
/** In training, each number is 0 with probability `rate` and else divided by 1 − rate; the identity otherwise. */
export interface DropoutTerm extends TermBase {
  readonly kind: "dropout";
  readonly operand: Term;
  readonly rate: number;
  /** Which random numbers; unique in a model. */
  readonly stream: number;
}
/** Query [h, d], key [g, d], value [g, e] give [h, e]. */
export interface AttentionTerm extends TermBase {
  readonly kind: "attention";
  readonly query: Term;
  readonly key: Term;
  readonly value: Term;
  readonly instance: AttentionInstance;
  /** Tables of the attention's own, by name. */
  readonly tables: ReadonlyMap<string, Term>;
  readonly rotation: RotationMeaning | null;
  /** Factor on the dot product. */
  readonly scale: number;
  /** Learned keys and values [p, g, d] before the text; several are one after another. */
  readonly prepended: readonly { readonly key: Term; readonly value: Term }[];
}
/** Learned vectors [p, i] before the vectors of every row. */
export interface PrependTerm extends TermBase {
  readonly kind: "prepend";
  readonly vectors: Term;
  readonly operand: Term;
}

/** Operands of a term, in order. */
export function termOperands(term: Term): readonly Term[] {
  switch (term.kind) {
    case "tokens":
    case "positions":
    case "parameter":
      return [];
    case "map":
      return term.operands;
    case "reduce":
    case "reshape":
    case "dropout":
      return [term.operand];
    case "contract":
      return [term.left, term.right];
    case "gather":
      return [term.table, term.index];
    case "attention":
      return [
        term.query,
        term.key,
        term.value,
        ...term.tables.values(),
        ...term.prepended.flatMap((part) => [part.key, part.value]),
      ];
    case "prepend":
      return [term.vectors, term.operand];
    default:
      return term satisfies never;
  }
}

/** `[h: 8, d: 64]`, for messages. */
export const showAxes = (axes: readonly TermAxis[]): string =>
  `[${axes.map((axis) => `${axis.name}: ${axis.size}`).join(", ")}]`;

/** Elements of a tensor with these axes. */
export const axesCount = (axes: readonly TermAxis[]): number =>
  axes.reduce((total, axis) => total * axis.size, 1);
