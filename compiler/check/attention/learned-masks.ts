/** A mask reads nothing learned; the message says how the same choice is made with `select`. */
import type { CompareExpr, Expr } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import { showAst } from "./show-ast.ts";
import type { Type, TypeScope } from "./types.ts";
import { visitExpr } from "./walk.ts";

const holds = (outer: Span, inner: Span): boolean =>
  outer.file === inner.file && outer.start <= inner.start && inner.end <= outer.end;

/** False after a report. */
export function checkUnlearned(mask: Expr, type: Type, scope: TypeScope, reporter: Reporter): boolean {
  const { learned } = type;
  if (learned === null) return true;
  const inside = holds(mask.span, learned.span);
  const how = inside ? choice(mask, learned.span) : null;
  const help =
    how === null ? {} : { help: `choose keys with \`select … by ${how}\`, or bias them with \`score\`` };
  const span =
    inside || learned.span.file === scope.definition.environment.file.path ? learned.span : mask.span;
  reporter.add(messages.maskReadsLearned({ name: learned.name }, span, help));
  return false;
}

/** `value above threshold`, of the comparison that reads the learned value; null when it is no threshold. */
function choice(mask: Expr, learned: Span): string | null {
  let found: CompareExpr | null = null;
  visitExpr(mask, (e) => {
    if (e.kind === "compare" && holds(e.span, learned)) found = e;
  });
  const compare = found as CompareExpr | null;
  const [left, right] = compare?.operands ?? [];
  if (compare === null || compare.operands.length !== 2 || left === undefined || right === undefined)
    return null;
  const [op] = compare.operators;
  const isLeft = holds(left.span, learned);
  if ((op === ">" || op === ">=") && isLeft) return `${showAst(left)} above ${showAst(right)}`;
  if ((op === "<" || op === "<=") && !isLeft) return `${showAst(right)} above ${showAst(left)}`;
  return null;
}
