/** Walks expressions of the Ast. */
import type { Expr } from "../../../grammar/ast.ts";

/** The direct parts of an expression. */
export function parts(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "number":
    case "string":
    case "name":
    case "error":
      return [];
    case "index":
      return expr.indices;
    case "call":
      return expr.arguments.map((argument) => argument.value);
    case "member":
      return [];
    case "unary":
      return [expr.operand];
    case "binary":
    case "logic":
      return [expr.left, expr.right];
    case "compare":
      return expr.operands;
    case "membership":
      return [expr.element, expr.set];
    case "if":
      return [expr.condition, expr.then, expr.otherwise];
    case "reduction":
      return expr.guard === null ? expr.bodies : [expr.guard, ...expr.bodies];
    case "tuple":
      return expr.elements;
    case "at":
      return [expr.value, expr.position];
    default:
      return expr satisfies never;
  }
}

/** Visits an expression and all its parts, outer first. */
export function visitExpr(expr: Expr, visit: (e: Expr) => void): void {
  visit(expr);
  for (const part of parts(expr)) visitExpr(part, visit);
}

/** Names an expression mentions: values, tables, and what it calls. */
export function mentionedNames(expr: Expr): ReadonlySet<string> {
  const found = new Set<string>();
  visitExpr(expr, (e) => {
    if (e.kind === "name") found.add(e.name);
    else if (e.kind === "index") found.add(e.base.name);
    else if (e.kind === "call" && e.callee.kind === "name") found.add(e.callee.name);
    else if (e.kind === "member" && e.base.kind === "name") found.add(e.base.name);
    else if (e.kind === "reduction") {
      for (const binder of e.binders) if (binder.in !== null) found.add(binder.in.text);
      if (e.per !== null) found.add(e.per.text);
    }
  });
  return found;
}
