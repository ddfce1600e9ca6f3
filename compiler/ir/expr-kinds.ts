/** The kinds of scalar expressions and what each holds. */

/** `real` is a float, `int` a whole number (index arithmetic, floor semantics), `bool` a truth value. */
export type ExprType = "real" | "int" | "bool";

export type UnaryOp =
  | "neg"
  | "abs"
  | "exp"
  | "log"
  | "sqrt"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "sin"
  | "cos"
  | "floor"
  | "ceil"
  | "sign"
  | "to-real"
  | "to-int"
  | "not";

/** `div` is real division; `floor-div` and `mod` are whole-number operations that floor, also for negatives. */
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "floor-div"
  | "mod"
  | "pow"
  | "min"
  | "max"
  | "lt"
  | "le"
  | "eq"
  | "and"
  | "or";

/**
 * Whole numbers known only when a program runs.
 * `length`: tokens of the row (keys); `query-length`: queries in this call; `query-start`: position of the first query.
 */
export type SizeName = "batch" | "length" | "query-length" | "query-start" | "step";

export type Expr =
  Constant | Index | SizeOf | Logit | Operand | Scalar | Load | SetRead | Uniform | Unary | Binary | Select;

export interface Constant {
  readonly kind: "constant";
  readonly type: ExprType;
  readonly value: number;
}
/** A loop index: `q`, `k`, `h` in attention, `m`/`x` in rotations, an axis name in a map body. Type int. */
export interface Index {
  readonly kind: "index";
  readonly type: "int";
  readonly name: string;
}
export interface SizeOf {
  readonly kind: "size";
  readonly type: "int";
  readonly name: SizeName;
}
/** The scaled logit `s` of an attention score. */
export interface Logit {
  readonly kind: "logit";
  readonly type: "real";
}
/** Element of the n-th operand of a map node (broadcast by axis name). */
export interface Operand {
  readonly kind: "operand";
  readonly type: ExprType;
  readonly index: number;
}
/** A real number given anew at each call, by name (`lr`, `training`). */
export interface Scalar {
  readonly kind: "scalar";
  readonly type: "real";
  readonly name: string;
}
/** Element of the n-th buffer of the owning node; one index per axis of the buffer, in order (batch excepted). */
export interface Load {
  readonly kind: "load";
  readonly type: ExprType;
  readonly buffer: number;
  readonly indices: readonly Expr[];
}
/**
 * What is asked of a set: whether the element is in it (bool), or how many members lie below the element (int). Bounds
 * over blocks ask a rectangle of rows and elements: whether any, or all, of it are members. Nodes never do.
 */
export type SetOp = "member" | "rank" | "any" | "all";
/**
 * The n-th buffer is a set: its last axis is words of 32 members, lowest bit first. `indices` say the row, one for each
 * axis before the words (batch excepted). An element below 0 or past the words is no member. Of a rectangle, `indices`
 * are the lowest and the highest row, then the highest element; `element` is the lowest (see `setRectangle`).
 */
export interface SetRead {
  readonly kind: "set";
  readonly type: "bool" | "int";
  readonly op: SetOp;
  readonly buffer: number;
  readonly indices: readonly Expr[];
  readonly element: Expr;
}
/** Counter-based uniform number in [0, 1): Philox4x32-10 keyed by (seed, stream, step, element). */
export interface Uniform {
  readonly kind: "uniform";
  readonly type: "real";
  readonly stream: number;
}
export interface Unary {
  readonly kind: "unary";
  readonly type: ExprType;
  readonly op: UnaryOp;
  readonly operand: Expr;
}
export interface Binary {
  readonly kind: "binary";
  readonly type: ExprType;
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
}
/** Both branches are pure; only the chosen one contributes a gradient. */
export interface Select {
  readonly kind: "select";
  readonly type: ExprType;
  readonly condition: Expr;
  readonly then: Expr;
  readonly otherwise: Expr;
}
