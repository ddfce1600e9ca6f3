/** Bounds what selections may choose: a copy of an attention whose mask sees at least every key the real one can see. */
import type { AttentionClause, AttentionItem, Expr, Identifier, SelectClause } from "../../../grammar/ast.ts";
import type { Span } from "../../source/span.ts";
import type { PlainClause } from "./phases.ts";
import { mentionedNames } from "./walk.ts";

const name = (text: string, span: Span): Expr => ({ kind: "name", name: text, span });
const id = (text: string, span: Span): Identifier => ({ text, span });

/** A block's index is a number inside the copy; under a name of its own, so that the map into blocks stays callable. */
const bound = (text: string, blocks: ReadonlySet<string>): string => (blocks.has(text) ? `%${text}` : text);

interface Bounds {
  readonly selects: ReadonlyMap<string, SelectClause>;
  readonly blocks: ReadonlySet<string>;
}

/** Replaces parts of an expression. */
function mapParts(expr: Expr, change: (part: Expr) => Expr): Expr {
  switch (expr.kind) {
    case "number":
    case "string":
    case "name":
    case "error":
    case "member":
      return expr;
    case "index":
      return { ...expr, indices: expr.indices.map(change) };
    case "call":
      return { ...expr, arguments: expr.arguments.map((a) => ({ ...a, value: change(a.value) })) };
    case "unary":
      return { ...expr, operand: change(expr.operand) };
    case "binary":
    case "logic":
      return { ...expr, left: change(expr.left), right: change(expr.right) };
    case "compare":
      return { ...expr, operands: expr.operands.map(change) };
    case "membership":
      return { ...expr, element: change(expr.element), set: change(expr.set) };
    case "if":
      return {
        ...expr,
        condition: change(expr.condition),
        then: change(expr.then),
        otherwise: change(expr.otherwise),
      };
    case "reduction":
      return {
        ...expr,
        guard: expr.guard === null ? null : change(expr.guard),
        bodies: expr.bodies.map(change),
      };
    case "tuple":
      return { ...expr, elements: expr.elements.map(change) };
    case "at":
      return { ...expr, value: change(expr.value), position: change(expr.position) };
    default:
      return expr satisfies never;
  }
}

/** The same with each bare use of a block's index under its own name. */
const renamed = (expr: Expr, blocks: ReadonlySet<string>): Expr =>
  expr.kind === "name"
    ? { ...expr, name: bound(expr.name, blocks) }
    : mapParts(expr, (e) => renamed(e, blocks));

/** A condition that holds wherever the given one can (`most`), or only where it must. Unbounded parts stay as they are. */
function boundedBy(expr: Expr, most: boolean, bounds: Bounds): Expr {
  if (expr.kind === "logic") return mapParts(expr, (e) => boundedBy(e, most, bounds));
  if (expr.kind === "unary" && expr.op === "not") return mapParts(expr, (e) => boundedBy(e, !most, bounds));
  if (expr.kind !== "membership") return expr;
  const set = expr.set.kind === "index" ? expr.set.base.name : expr.set.kind === "name" ? expr.set.name : "";
  const select = bounds.selects.get(set);
  if (select === undefined) return expr;
  const indices =
    expr.set.kind === "index" ? expr.set.indices : select.axes.map((axis) => name(axis.text, expr.span));
  const given = [...indices, expr.element].map((value) => ({ name: null, value }));
  const callee = { kind: "name", name: most ? set : `%${set}`, span: expr.span } as const;
  return { kind: "call", callee, arguments: given, span: expr.span };
}

/** What a selection can choose at most, and what it always chooses, as functions of its indices and a member. */
function boundLets(select: SelectClause, bounds: Bounds): readonly PlainClause[] {
  const { span } = select;
  const parameters = [...select.axes, select.from].map((axis) => id(bound(axis.text, bounds.blocks), span));
  const either = (left: Expr, right: Expr): Expr => ({ kind: "logic", op: "or", left, right, span });
  const most =
    select.where === null
      ? name("true", span)
      : select.always === null
        ? select.where
        : either(select.where, select.always);
  const make = (text: string, value: Expr): PlainClause => ({
    kind: "let",
    name: id(text, span),
    form: { kind: "function", parameters },
    value: renamed(value, bounds.blocks),
    span,
  });
  return [make(select.name.text, most), make(`%${select.name.text}`, select.always ?? name("false", span))];
}

function boundClauses(clauses: readonly AttentionClause[], bounds: Bounds): readonly AttentionClause[] {
  return clauses.flatMap((clause): readonly AttentionClause[] => {
    switch (clause.kind) {
      case "phase":
        return [
          {
            ...clause,
            clauses: boundClauses(clause.clauses, bounds).filter((inner) => inner.kind !== "phase"),
          },
        ];
      case "select":
        return boundLets(clause, bounds);
      case "mask-clause":
        return [{ ...clause, value: boundedBy(clause.value, true, bounds) }];
      case "score-clause":
      case "weight-clause":
      case "rotate":
      case "teach":
      case "diagonals":
        return [];
      case "let":
        // A definition that itself reads a selection has no bound of its own.
        return [...mentionedNames(clause.value)].some((read) => bounds.selects.has(read)) ? [] : [clause];
      case "blocks":
      case "param":
      case "ahead":
        return [clause];
      default:
        return clause satisfies never;
    }
  });
}

const everyClause = (item: AttentionItem): readonly AttentionClause[] =>
  item.clauses.flatMap((clause) => (clause.kind === "phase" ? clause.clauses : [clause]));

/** The copy without selections; the item itself where it has none. */
export function withoutSelections(item: AttentionItem): AttentionItem {
  const all = everyClause(item);
  const selects = new Map(
    all.flatMap((clause) => (clause.kind === "select" ? [[clause.name.text, clause] as const] : [])),
  );
  if (
    selects.size === 0 &&
    all.every((clause) => clause.kind !== "diagonals" && clause.kind !== "weight-clause")
  )
    return item;
  const blocks = new Set(all.flatMap((clause) => (clause.kind === "blocks" ? [clause.name.text] : [])));
  return { ...item, clauses: boundClauses(item.clauses, { selects, blocks }) };
}
