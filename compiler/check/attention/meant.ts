/** Meant: what a name or expression of an attention stands for while it becomes scalar expressions. */
import type { Axis, Expr as AstExpr, Identifier } from "../../../grammar/ast.ts";
import * as ir from "../../ir/expr.ts";
import type { Definition } from "../environment.ts";
import type { NumberValue, StaticValue } from "../static-value.ts";

export type Meant =
  StaticMeant | ScalarMeant | TableMeant | LetFunctionMeant | DomainMeant | PresetMeant | SetMeant;

/** Known when the spec is checked. */
export interface StaticMeant {
  readonly kind: "static";
  readonly value: StaticValue;
  /** Of `length` plus or minus a whole number: the same of the row at hand, which may be shorter than the model's. */
  readonly ofRow?: ir.Expr;
}

export interface ScalarMeant {
  readonly kind: "scalar";
  readonly expr: ir.Expr;
  /** Of a position: the query or key it is counted from, whose document it lies in; null for other numbers. */
  readonly position: ir.Expr | null;
  /** Of a block: its size. */
  readonly block: number | null;
}

/** A stored table or a `let` over axes: element by element. */
export interface TableMeant {
  readonly kind: "table";
  readonly axes: readonly string[];
  readonly at: (indices: readonly Meant[]) => Meant | null;
}

export interface LetFunctionMeant {
  readonly kind: "let-function";
  readonly parameters: readonly Identifier[];
  readonly body: AstExpr;
  readonly scope: () => MeantScope;
}

/** `blocks c by size`: the map into blocks. */
export interface DomainMeant {
  readonly kind: "domain";
  readonly size: number;
  /** The index `c` where one is bound; null where the name is only the map. */
  readonly index: ir.Expr | null;
}

/** A mask, score or function passed by name. */
export interface PresetMeant {
  readonly kind: "item";
  readonly definition: Definition;
}

/** What a `select` chose: one set for each of its indices. */
export interface SetMeant {
  readonly kind: "set";
  readonly axes: readonly string[];
  /** Whether an element is in the set of these indices, or its rank there; null after a note. */
  readonly read: (op: ir.SetOp, indices: readonly ir.Expr[], element: ir.Expr) => ir.Expr | null;
}

export interface MeantScope {
  readonly definition: Definition;
  readonly names: ReadonlyMap<string, Meant>;
  /** Enclosing definitions. */
  readonly depth: number;
}

export const axisNames = (axes: readonly Axis[]): readonly string[] => axes.map((axis) => axis.name.text);

export const staticNumber = (value: number, whole: boolean): StaticMeant => ({
  kind: "static",
  value: { kind: "number", value, whole },
});

export const staticBool = (value: boolean): StaticMeant => ({
  kind: "static",
  value: { kind: "bool", value },
});

export const scalar = (
  expr: ir.Expr,
  position: ir.Expr | null = null,
  block: number | null = null,
): ScalarMeant => ({ kind: "scalar", expr, position, block });

/** The size of the block that a meaning is the number of; null for everything else. */
export const blockOf = (meant: Meant): number | null =>
  meant.kind === "scalar" ? meant.block : meant.kind === "domain" ? meant.size : null;

/** The static number, or null. */
export const numberOf = (meant: Meant): NumberValue | null =>
  meant.kind === "static" && meant.value.kind === "number" ? meant.value : null;

/** As an expression: static numbers become constants, whole ones of type int; null for what has no number. */
export function exprOf(meant: Meant): ir.Expr | null {
  switch (meant.kind) {
    case "scalar":
      return meant.expr;
    case "domain":
      return meant.index;
    case "static":
      if (meant.ofRow !== undefined) return meant.ofRow;
      if (meant.value.kind === "number")
        return meant.value.whole ? ir.int(meant.value.value) : ir.real(meant.value.value);
      return meant.value.kind === "bool" ? ir.bool(meant.value.value) : null;
    case "table":
    case "let-function":
    case "item":
    case "set":
      return null;
    default:
      return meant satisfies never;
  }
}
