/** Schedule: the steps of a phase over tensors with places and order decided, before any kernel text. */
import type { Size, Tensor } from "../../runtime/program.ts";
import type { Expr } from "./expr.ts";
import type { Node } from "./graph.ts";

/** Row-major use of a whole tensor. */
export interface Operand {
  readonly tensor: number;
}

export type Step = MatmulStep | RowsStep | NodeStep;

/**
 * out[m,n] (+)= op(a) · op(b), row-major: a is [m,k] or, transposed, [k,m]; b is [k,n] or, transposed, [n,k].
 * `batch` such products lie one after another in each of the three tensors.
 */
export interface MatmulStep {
  readonly kind: "matmul";
  readonly a: Operand;
  readonly b: Operand;
  readonly out: Operand;
  readonly batch: Size;
  readonly m: Size;
  readonly n: Size;
  readonly k: Size;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Name of a scalar: where it is not 0, the products are added to what `out` holds. null: they replace it. */
  readonly accumulate: string | null;
  readonly site: string;
}

/**
 * Fused pointwise work and reductions over rows: `rows` rows of `width` elements. Each stage computes one value per
 * element (`map`) or per row (`reduce` over the width, `row-map` of such), in order; stages marked `store` are
 * written to memory, row-major. Element counters of `uniform` are flat: row · width + column, or the row.
 */
export interface RowsStep {
  readonly kind: "rows";
  /** Row axes with sizes, outermost first, then the width axis. */
  readonly rowAxes: readonly { readonly name: string; readonly size: Size }[];
  readonly width: { readonly name: string; readonly size: Size };
  readonly inputs: readonly RowsInput[];
  readonly stages: readonly RowsStage[];
  readonly site: string;
}

/** How an input is addressed: for each of its own axes, in order, the row or width axis it follows. */
export interface RowsInput {
  readonly operand: Operand;
  readonly axes: readonly { readonly name: string; readonly size: Size }[];
  readonly dtype: "f32" | "i32";
}

export interface RowsStage {
  /** `map`: per element; `reduce`: folded over the width; `column-sum`: folded over all rows, one value per width element. */
  readonly kind: "map" | "row-map" | "reduce" | "column-sum";
  /** What a `reduce` folds with; null for other kinds. */
  readonly op: "sum" | "max" | "min" | null;
  /** Operand n: input n when n < inputs.length, else stage n − inputs.length. Never a column-sum. */
  readonly body: Expr;
  /** Type of the elements: `i32` only for `map` and `row-map` with a whole-number body. */
  readonly dtype: "f32" | "i32";
  readonly store: Operand | null;
  /** Name of a scalar: where it is not 0, the stored value is added to what `store` holds. null: it replaces it. */
  readonly accumulate: string | null;
}

/** A node that has a kernel skeleton of its own (attention, rotate, gather, scatter, losses, concat, slice). */
export interface NodeStep {
  readonly kind: "node";
  readonly node: Node;
  /** Tensors of the node's operands, in the order of `nodeOperands(node)`. */
  readonly operands: readonly Operand[];
  /** Tensors of its results; null for a result nobody reads. */
  readonly results: readonly (Operand | null)[];
  readonly site: string;
}

export interface Schedule {
  readonly tensors: readonly Tensor[];
  readonly phases: Readonly<Record<string, readonly Step[]>>;
}
