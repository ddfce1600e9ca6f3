/** Checks of written bodies that need no sizes: positions are not numbers, masks read nothing learned, tables name their indices. */
import type {
  AttentionClause,
  AttentionItem,
  Expr,
  LetClause,
  MaskItem,
  ScoreItem,
} from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";

/** Parts of an expression, in reading order. */
function partsOf(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case "number":
    case "string":
    case "name":
    case "error":
      return [];
    case "index":
      return e.indices;
    case "call":
      return e.arguments.map((argument) => argument.value);
    case "member":
      return [e.base];
    case "unary":
      return [e.operand];
    case "binary":
    case "logic":
      return [e.left, e.right];
    case "compare":
      return e.operands;
    case "membership":
      return [e.element, e.set];
    case "if":
      return [e.condition, e.then, e.otherwise];
    case "reduction":
      return [...(e.guard === null ? [] : [e.guard]), ...e.bodies];
    case "tuple":
      return e.elements;
    case "at":
      return [e.value, e.position];
    default:
      return e satisfies never;
  }
}

/** `position` for `q`, `k` and shifts of them; null for everything else. */
function positionOf(e: Expr): "position" | null {
  if (e.kind === "name") return e.name === "q" || e.name === "k" ? "position" : null;
  if (e.kind !== "binary") return null;
  const [left, right] = [positionOf(e.left), positionOf(e.right)];
  if (e.op === "+") return left ?? right;
  return e.op === "-" && right === null ? left : null;
}

function checkPositions(e: Expr, reporter: Reporter): void {
  if (e.kind === "binary") {
    const [left, right] = [positionOf(e.left), positionOf(e.right)];
    const wrong =
      e.op === "+" ? left !== null && right !== null : e.op !== "-" && (left !== null || right !== null);
    if (wrong) {
      reporter.add(messages.positionArithmetic({ operator: e.op }, e.span));
      return;
    }
  }
  for (const part of partsOf(e)) checkPositions(part, reporter);
}

/** What a mask may not read; a membership is a selection's, which is how learned choices enter. */
function checkUnlearned(e: Expr, learned: ReadonlySet<string>, reporter: Reporter): void {
  if (e.kind === "membership") return;
  const name = e.kind === "name" ? e.name : e.kind === "index" ? e.base.name : null;
  if (name !== null && learned.has(name)) {
    reporter.add(messages.maskReadsLearned({ name }, e.span));
    return;
  }
  for (const part of partsOf(e)) checkUnlearned(part, learned, reporter);
}

const roles: ReadonlySet<string> = new Set(["q", "k", "h"]);

/** Roles that the right side of a table leaves free must stand on the left. */
function checkFree(clause: LetClause, reporter: Reporter): void {
  const { form } = clause;
  if (form.kind !== "table") return;
  const shown = `${clause.name.text}[${form.axes.map((axis) => axis.name.text).join(", ")}]`;
  const visit = (e: Expr, bound: ReadonlySet<string>): boolean => {
    if (e.kind === "name" && roles.has(e.name) && !bound.has(e.name)) {
      reporter.add(messages.freeIndex({ index: e.name, table: shown }, e.span));
      return true;
    }
    const inner =
      e.kind === "reduction" ? new Set([...bound, ...e.binders.map((binder) => binder.name.text)]) : bound;
    return partsOf(e).some((part) => visit(part, inner));
  };
  visit(clause.value, new Set(form.axes.map((axis) => axis.name.text)));
}

const alwaysLearned = ["Q", "K", "V", "s"] as const;

/** Mistakes in a mask or score item. */
export function checkDefinition(item: MaskItem | ScoreItem, reporter: Reporter): void {
  checkPositions(item.body, reporter);
  if (item.kind === "mask") checkUnlearned(item.body, new Set(alwaysLearned), reporter);
}

/** Mistakes in the clauses of an attention, those of its phases included. */
export function checkBodies(item: AttentionItem, reporter: Reporter): void {
  const learned = new Set<string>(alwaysLearned);
  for (const clause of item.clauses)
    if (clause.kind === "param") for (const table of clause.tables) learned.add(table.name.text);
  const visit = (clause: AttentionClause): void => {
    switch (clause.kind) {
      case "phase":
        clause.clauses.forEach(visit);
        return;
      case "mask-clause":
      case "ahead":
        checkPositions(clause.value, reporter);
        checkUnlearned(clause.value, learned, reporter);
        return;
      case "score-clause":
      case "weight-clause":
      case "diagonals":
        checkPositions(clause.value, reporter);
        return;
      case "let":
        checkPositions(clause.value, reporter);
        checkFree(clause, reporter);
        return;
      case "blocks":
      case "param":
      case "rotate":
      case "select":
      case "teach":
        return;
      default:
        clause satisfies never;
    }
  };
  item.clauses.forEach(visit);
}
