/** Rules of operators: which sorts may be added and compared, and what results. */
import type { BinaryExpr, CompareExpr, Expr } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import { showAst } from "./show-ast.ts";
import {
  describeType,
  joinTypes,
  sameDomain,
  stopGradient,
  unknownType,
  type Sort,
  type Type,
} from "./types.ts";

type Rule = Sort | null;

/** Sums: positions are affine, so two of them cannot be added. */
const sums: Readonly<Record<string, Rule>> = {
  "number+number": "number",
  "position+number": "position",
  "number+position": "position",
  "position+offset": "position",
  "offset+position": "position",
  "offset+number": "offset",
  "number+offset": "offset",
  "offset+offset": "offset",
  "block+number": "block",
  "number+block": "block",
  "block+block-offset": "block",
  "block-offset+number": "block-offset",
  "number+block-offset": "block-offset",
  "block-offset+block-offset": "block-offset",
  "diagonal+number": "diagonal",
  "number-number": "number",
  "position-position": "offset",
  "position-number": "position",
  "position-offset": "position",
  "offset-number": "offset",
  "number-offset": "offset",
  "offset-offset": "offset",
  "offset-diagonal": "offset",
  "block-block": "block-offset",
  "block-number": "block",
  "block-block-offset": "block",
  "block-offset-number": "block-offset",
  "block-offset-block-offset": "block-offset",
  "diagonal-number": "diagonal",
  "diagonal-diagonal": "offset",
};

/** Distances count like numbers; positions and indices do not. */
const countable: ReadonlySet<Sort> = new Set(["number", "offset", "block-offset"]);

function wrongOperand(expr: Expr, type: Type, op: string, reporter: Reporter): Type {
  if (
    type.sort === "position" ||
    type.sort === "block" ||
    type.sort === "index" ||
    type.sort === "diagonal"
  ) {
    const help = `\`ordinal(${showAst(expr)})\` is its number`;
    reporter.add(messages.positionArithmetic({ what: describeType(type), op }, expr.span, { help }));
  } else reporter.add(messages.numberNeeded({ found: describeType(type), op }, expr.span));
  return unknownType;
}

/** The type of a binary operation on checked operands. */
export function inferBinary(expr: BinaryExpr, left: Type, right: Type, reporter: Reporter): Type {
  if (left.sort === "unknown" || right.sort === "unknown") return joinTypes("unknown", [left, right]);
  const { op } = expr;
  if (op === "+" || op === "-") {
    const sort = sums[`${left.sort}${op}${right.sort}`] ?? null;
    if (sort === "offset" || sort === "position" || sort === "number" || sort === "diagonal")
      return joinTypes(sort, [left, right], sort === "diagonal" ? (left.domain ?? right.domain) : null);
    if (sort !== null) {
      const blocks = left.domain !== null && right.domain !== null;
      if (blocks && !sameDomain(left.domain, right.domain)) return mismatch(expr, left, right, reporter);
      return joinTypes(sort, [left, right], sort === "block" ? (left.domain ?? right.domain) : null);
    }
    if (left.sort === "position" && right.sort === "position") {
      const help = `subtract them for a distance: \`${showAst(expr.left)} - ${showAst(expr.right)}\``;
      reporter.add(messages.positionArithmetic({ what: "two positions", op }, expr.span, { help }));
      return unknownType;
    }
    const numeric = (type: Type): boolean => countable.has(type.sort);
    return numeric(left)
      ? wrongOperand(expr.right, right, op, reporter)
      : wrongOperand(expr.left, left, op, reporter);
  }
  if (!countable.has(left.sort)) return wrongOperand(expr.left, left, op, reporter);
  if (!countable.has(right.sort)) return wrongOperand(expr.right, right, op, reporter);
  return joinTypes("number", [left, right]);
}

function mismatch(expr: Expr, left: Type, right: Type, reporter: Reporter, help: string | null = null): Type {
  const holes = { left: describeType(left), right: describeType(right) };
  reporter.add(messages.domainMismatch(holes, expr.span, { help }));
  return unknownType;
}

const comparedWithNumbers: ReadonlySet<Sort> = new Set([
  "position",
  "offset",
  "block",
  "block-offset",
  "diagonal",
]);

/** Whether two sorts may be compared; `order` is false for `==` and `!=`. */
function comparable(left: Type, right: Type, order: boolean): boolean {
  const sorts = new Set([left.sort, right.sort]);
  if (sorts.has("document") || sorts.has("bool") || sorts.has("text")) return sorts.size === 1 && !order;
  if (sorts.size === 1)
    return left.domain === null || right.domain === null || sameDomain(left.domain, right.domain);
  if (sorts.has("number"))
    return [...sorts].every((sort) => sort === "number" || comparedWithNumbers.has(sort));
  return sorts.has("offset") && sorts.has("diagonal");
}

/** The type of a chain of comparisons. */
export function inferCompare(expr: CompareExpr, operands: readonly Type[], reporter: Reporter): Type {
  for (const [n, op] of expr.operators.entries()) {
    const [left, right] = [operands[n]!, operands[n + 1]!];
    if (left.sort === "unknown" || right.sort === "unknown") continue;
    const order = op !== "==" && op !== "!=";
    if (comparable(left, right, order)) continue;
    const [a, b] = [expr.operands[n]!, expr.operands[n + 1]!];
    mismatch(
      { ...expr, span: { ...a.span, end: b.span.end } },
      left,
      right,
      reporter,
      compareHelp(a, left, b, right, op),
    );
    return stopGradient(joinTypes("unknown", operands));
  }
  return stopGradient(joinTypes("bool", operands));
}

/** A comparison that would be right, where one is plain. */
function compareHelp(a: Expr, left: Type, b: Expr, right: Type, op: string): string | null {
  const [x, y] = [showAst(a), showAst(b)];
  const mapped = (block: Type, other: string): string | null =>
    block.domain?.kind === "block" && block.domain.name !== "" ? `${block.domain.name}(${other})` : null;
  if (left.sort === "block" && right.sort === "position") {
    const other = mapped(left, y);
    return other === null ? null : `compare blocks with blocks: \`${x} ${op} ${other}\``;
  }
  if (left.sort === "position" && right.sort === "block") {
    const other = mapped(right, x);
    return other === null ? null : `compare blocks with blocks: \`${other} ${op} ${y}\``;
  }
  if (left.sort === "index" && right.sort === "number")
    return `compare its number: \`ordinal(${x}) ${op} ${y}\``;
  if (left.sort === "number" && right.sort === "index")
    return `compare its number: \`${x} ${op} ordinal(${y})\``;
  return null;
}

/** The type of a choice between two branches. */
export function inferChoice(
  expr: Expr,
  condition: Type,
  then: Type,
  otherwise: Type,
  reporter: Reporter,
): Type {
  const parts = [stopGradient(condition), then, otherwise];
  if (then.sort === "unknown" || otherwise.sort === "unknown") return joinTypes("unknown", parts);
  if (then.sort === otherwise.sort) {
    if (then.domain !== null && otherwise.domain !== null && !sameDomain(then.domain, otherwise.domain))
      return mismatch(expr, then, otherwise, reporter);
    return joinTypes(then.sort, parts, then.domain ?? otherwise.domain);
  }
  const sorts = [then.sort, otherwise.sort];
  if (sorts.includes("number"))
    for (const sort of ["offset", "position", "block", "diagonal"] as const)
      if (sorts.includes(sort)) return joinTypes(sort, parts, then.domain ?? otherwise.domain);
  reporter.add(
    messages.branchMismatch({ left: describeType(then), right: describeType(otherwise) }, expr.span),
  );
  return unknownType;
}
