/** The rotated positions of a `rotate` clause: of queries and keys alone, or of queries that turn at each block of keys. */
import type { Expr } from "../../../grammar/ast.ts";
import type { RotationRegion } from "../../ir/attention-meaning.ts";
import * as ir from "../../ir/expr.ts";
import { evaluateMeant, type Elaboration } from "./evaluate-meant.ts";
import { freeIndices, readsOf, sumOf, terms } from "./expr-tools.ts";
import { exprOf, scalar, type MeantScope } from "./meant.ts";
import { isOverPairs } from "./pair-view.ts";
import type { PlainClause } from "./phases.ts";

const [q, k] = [ir.index("q"), ir.index("k")];

/** Any number of keys does where the query turns to one position for all of them. */
const anyBlock = 64;

/** null after a note. */
export function readRegion(
  clause: PlainClause & { kind: "rotate" },
  scope: MeantScope,
  run: Elaboration,
): RotationRegion | null {
  const refuse = (what: string): null => {
    run.unsupported(what, clause.span);
    return null;
  };
  const position = (name: "q" | "k"): ir.Expr | null => {
    const own = clause.positions.find((p) => p.name.text === name);
    const both = clause.positions.find((p) => p.name.text !== "q" && p.name.text !== "k");
    const chosen = own ?? both;
    const here = name === "q" ? q : k;
    if (chosen === undefined) return here;
    const names = new Map(scope.names);
    names.set(chosen.name.text, scalar(here, here));
    const meant = evaluateMeant(chosen.at, { ...scope, names }, run);
    const at = meant === null ? null : exprOf(meant);
    return at === null || at.type === "bool" ? null : at;
  };
  const when = clause.where === null ? ir.bool(true) : condition(clause.where, scope, run);
  const [queryPosition, keyPosition] = [position("q"), position("k")];
  if (when === null || queryPosition === null || keyPosition === null) return refuse("this rotation");
  if (run.tables !== null && isOverPairs(run.tables, queryPosition, keyPosition))
    return refuse("a rotation to positions that read the logit");
  const plain = (e: ir.Expr, own: string): boolean =>
    readsOf(e).length === 0 && [...freeIndices(e)].every((name) => name === own || name === "h");
  if (plain(queryPosition, "q") && plain(keyPosition, "k"))
    return { when, queryPosition, keyPosition, turn: null };
  return (
    turned(when, queryPosition, keyPosition) ??
    refuse("a rotation of a query and a key together, other than alike for all keys of a block,")
  );
}

function condition(value: Expr, scope: MeantScope, run: Elaboration): ir.Expr | null {
  const meant = evaluateMeant(value, scope, run);
  const expr = meant === null ? null : exprOf(meant);
  if (expr?.type !== "bool" || run.tables === null || isOverPairs(run.tables, expr)) return null;
  return expr;
}

/**
 * Only the difference of positions matters: what the key's position owes to the query or to a choice moves the query
 * the other way. It must be the same for all keys of a block. null where it is not.
 */
function turned(when: ir.Expr, queryPosition: ir.Expr, keyPosition: ir.Expr): RotationRegion | null {
  const ownKey: ir.Expr[] = [];
  const moved: ir.Expr[] = [];
  for (const term of terms(keyPosition)) {
    const alone =
      readsOf(term).length === 0 && [...freeIndices(term)].every((name) => name === "k" || name === "h");
    (alone ? ownKey : moved).push(term);
  }
  const sizes = new Set<number>();
  const byBlock = [queryPosition, ...moved].map((term) =>
    ir.mapExpr(term, (e) => {
      if (e.kind !== "binary" || e.op !== "floor-div" || e.left !== k || e.right.kind !== "constant")
        return e;
      sizes.add(e.right.value);
      return ir.index("block");
    }),
  );
  if (byBlock.some((term) => freeIndices(term).has("k")) || sizes.size > 1) return null;
  const [by = anyBlock] = sizes;
  const position = moved.length === 0 ? queryPosition : ir.sub(queryPosition, sumOf(moved));
  return { when, queryPosition: q, keyPosition: sumOf(ownKey), turn: { position, by } };
}
