/** Prints the clauses of tasks. */
import type { Expr, TaskClause } from "./ast.ts";
import { clauseUnit, layoutOf } from "./print-clauses.ts";
import { printAxes, printCall, printExpr, printText } from "./print-expr.ts";
import type { LayoutState, Unit } from "./print-layout.ts";

export function taskUnit(clause: TaskClause, state: LayoutState, indent: number): Unit {
  if (clause.kind === "let") return clauseUnit(clause, state, indent);
  const layout = layoutOf(state, indent);
  const { start, end } = clause.span;
  const print = (value: Expr, column: number): string => printExpr(value, layout, column);
  switch (clause.kind) {
    case "task-text":
      return { start, end, text: `${clause.part} ${printText(clause.text.value)}`, align: null };
    case "filler": {
      const { value } = clause;
      const text = value.kind === "string" ? printText(value.value) : printCall(value, layout, indent + 7);
      return { start, end, text: `filler ${text}`, align: null };
    }
    case "task-insert": {
      let text = `insert${printAxes(clause.axes, layout, indent)} ${printText(clause.text.value)}`;
      if (clause.at !== null) text += ` at ${print(clause.at, indent + text.length + 4)}`;
      return { start, end, text, align: null };
    }
  }
  return clause satisfies never;
}
