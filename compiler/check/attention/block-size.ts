/** Sizes of blocks: what a definition tells of them, and what they are for the arguments of a use. */
import type { Expr } from "../../../grammar/ast.ts";
import { Reporter } from "../../diagnostics/reporter.ts";
import type { Definition } from "../environment.ts";
import { evaluateStatic, unknown } from "../static.ts";
import type { StaticValue } from "../static-value.ts";
import { showAst } from "./show-ast.ts";
import type { BlockSize } from "./types.ts";

/** The size as written in a definition: of numbers alone, or of parameters that have defaults. */
export function blockSize(expr: Expr, { item, environment }: Definition): BlockSize {
  const text = showAst(expr);
  // What cannot be known here is no mistake: it may read sizes of the model.
  const valueOf = (given: Expr, values: ReadonlyMap<string, StaticValue>): StaticValue =>
    evaluateStatic(given, { environment, values }, new Reporter());
  const parameters = "parameters" in item ? item.parameters : [];
  const open = new Map<string, StaticValue>(parameters.map(({ name }) => [name.text, unknown]));
  const exact = valueOf(expr, open);
  if (exact.kind === "number") return { text, value: exact.value, byDefault: false };
  const defaults = new Map<string, StaticValue>();
  for (const { name, value } of parameters)
    defaults.set(name.text, value === null ? unknown : valueOf(value, defaults));
  const usual = valueOf(expr, defaults);
  return { text, value: usual.kind === "number" ? usual.value : null, byDefault: true };
}
