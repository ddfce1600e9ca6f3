/** What expressions of module and adapter bodies are read in: names, axes, and how calls are made. */
import type { CallExpr, Expr, IndexExpr } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import type { Budget } from "../budget.ts";
import type { Environment } from "../environment.ts";
import { mistake } from "../mistakes.ts";
import type { StaticScope } from "../static.ts";
import type { MethodValue, StaticValue } from "../static-value.ts";
import type { Place, Value } from "./value.ts";

/** What a name in a body means, besides static values. */
export type Binding =
  | { readonly kind: "value"; readonly value: Value }
  /** `let f(x) = …`: inlined. */
  | { readonly kind: "function"; readonly parameters: readonly string[]; readonly body: Expr }
  /** Left out by a `where`. */
  | { readonly kind: "absent" }
  /** A mistake was reported: silent. */
  | { readonly kind: "failed" };

/** What calls of children and attentions do; given by the elaboration, which knows the instances. */
export interface Calls {
  /** A child by dotted name, or a table of one (`embed.weight`); null when the name is no child's. */
  child(name: string, call: CallExpr, inputs: readonly (Value | null)[]): Value | "failed" | null;
  member(name: string, span: Span): Value | "failed" | null;
  attention(method: MethodValue, call: CallExpr, body: BodyScope): Value | null;
  dropout(value: Value, rate: number, span: Span): Value | null;
  /** Rows of a table by token or position. */
  lookup(expr: IndexExpr, body: BodyScope): Value | null;
}

export interface BodyScope {
  readonly environment: Environment;
  readonly statics: ReadonlyMap<string, StaticValue>;
  readonly bindings: Map<string, Binding>;
  readonly axes: Map<string, number>;
  readonly site: string;
  readonly calls: Calls;
  readonly reporter: Reporter;
  readonly depth: number;
  /** What one clause may still write out; null outside functions. */
  readonly budget: Budget | null;
  /** Reads an expression in a scope; null after a report. */
  readonly evaluate: (expr: Expr, scope: BodyScope) => Value | null;
}

export const deepest = 64;

/** What static expressions of a body are evaluated in. */
export const staticScope = ({ environment, statics, budget }: BodyScope): StaticScope => ({
  environment,
  values: statics,
  ...(budget === null ? {} : { budget }),
});
export const placeOf = (scope: BodyScope, span: Span): Place => ({ site: scope.site, span });

/** Reports a form that modules do not have. */
export const refuse = (scope: BodyScope, span: Span, what: string): null => {
  mistake(scope.reporter, "not-in-module", span, { what });
  return null;
};

/** True when a value is of the wanted type; reported otherwise. */
export function typed(
  value: Value,
  want: "real" | "bool",
  op: string,
  written: Expr,
  scope: BodyScope,
): boolean {
  if ((value.body.type === "bool") === (want === "bool")) return true;
  const found = want === "bool" ? "a number" : "true or false";
  const expected = want === "bool" ? "true or false" : "a number";
  mistake(scope.reporter, "operand-type", written.span, { op, found, expected });
  return false;
}

/** `norm.attn` as written. */
export function dotted(expr: CallExpr["callee"]): string {
  return expr.kind === "name" ? expr.name : `${dotted(expr.base)}.${expr.member.text}`;
}
