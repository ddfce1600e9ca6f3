/** Finds out whether an attention reads documents: then positions are counted within their document. */
import type { Expr } from "../../../grammar/ast.ts";
import { expressionKinds, findItem } from "../find-item.ts";
import type { Environment } from "../environment.ts";
import type { PlainClause } from "./phases.ts";
import { mentionedNames } from "./walk.ts";

/** The expressions of a clause. */
export function clauseExpressions(clause: PlainClause): readonly Expr[] {
  switch (clause.kind) {
    case "blocks":
      return [clause.size];
    case "diagonals":
    case "mask-clause":
    case "ahead":
    case "score-clause":
    case "weight-clause":
    case "let":
      return [clause.value];
    case "param":
      return clause.tables.flatMap((table) => [
        ...table.axes.flatMap((axis) => (axis.size === null ? [] : [axis.size])),
        ...[table.init, table.where].filter((e) => e !== null),
      ]);
    case "rotate":
      return [...clause.positions.map((p) => p.at), ...(clause.where === null ? [] : [clause.where])];
    case "select":
      return [clause.by, clause.limit.value, clause.always, clause.where].filter((e) => e !== null);
    case "teach":
      return [clause.from, clause.scale].filter((e) => e !== null);
    default:
      return clause satisfies never;
  }
}

/** True when any clause, or a mask, score or function it uses, reads `document`. */
export function readsDocument(clauses: readonly PlainClause[], environment: Environment): boolean {
  const seen = new Set<string>();
  const reads = (expr: Expr, within: Environment): boolean => {
    for (const name of mentionedNames(expr)) {
      if (name === "document") return true;
      const definition = findItem(within, name, expressionKinds);
      const key = `${definition?.environment.file.path} ${name}`;
      if (definition === undefined || seen.has(key)) continue;
      seen.add(key);
      const { item } = definition;
      if (item.kind !== "mask" && item.kind !== "score" && item.kind !== "function") continue;
      if (reads(item.body, definition.environment)) return true;
    }
    return false;
  };
  return clauses.some((clause) => clauseExpressions(clause).some((expr) => reads(expr, environment)));
}
