/** What must hold of an attention's weight, sink and turns. */
import { exprChildren, type Expr, type ExprType } from "./expr.ts";
import type { AttentionCore, Turn } from "./graph.ts";
import { checkExpr, noLeaves, type Fail } from "./verify-parts.ts";
import type { Normaliser } from "./weight.ts";

/** Checks that an expression reads these indices, and the logit where it may. */
export type CheckLeaves = (e: Expr, what: string, indices: readonly string[], logit: boolean) => void;

const pair = ["q", "k", "h"];

/** Weight and sink of an attention. */
export function checkWeighting(core: AttentionCore, check: CheckLeaves, fail: Fail): void {
  const { weight, sink } = core;
  const typed = (e: Expr, type: ExprType, what: string, indices: readonly string[], logit: boolean): void => {
    check(e, what, indices, logit);
    if (e.type !== type) fail(`${what} is ${e.type}`);
  };
  const normaliser = ({ guard, score }: Normaliser, what: string): void => {
    typed(guard, "bool", `the ${what}'s guard`, pair, false);
    typed(score, "real", `the ${what}'s score`, pair, true);
  };
  if (sink !== null) typed(sink, "real", "sink", ["q", "h"], false);
  if (weight === null) return;
  const { row, block, cases } = weight;
  if (core.score.kind !== "logit") fail("has a weight and a score");
  if (row !== null) normaliser(row, "row");
  if (row === null && sink !== null) fail("has a sink, but no row normaliser");
  if (row === null && core.prepended !== null) fail("has prepended keys, but no row normaliser");
  if (block !== null && !(Number.isSafeInteger(block.size) && block.size >= 1))
    fail(`has blocks of ${block.size} keys`);
  if (block !== null && block.inner !== null) normaliser(block.inner, "block");
  if (cases.length === 0) fail("has a weight without cases");
  cases.forEach((one, n) => {
    typed(one.when, "bool", `the condition of case ${n}`, pair, false);
    if (one.factor !== null) typed(one.factor, "real", `the factor of case ${n}`, pair, true);
    if ((one.row === null) !== (row === null))
      fail(`case ${n} ${row === null ? "reads" : "does not read"} the row normaliser`);
    if (block === null && one.row !== null && one.row !== "self") fail(`case ${n} reads a block's key`);
    if (one.local && (block === null || block.inner === null)) fail(`case ${n} reads no block normaliser`);
  });
}

/** True when an expression is the same for all `k` of a block of `by` keys, because it reads only numbers of such blocks. */
function staysInBlocks(root: Expr, by: number): boolean {
  /** How many keys share the value: of k one, of ⌊x / n⌋ n times as many as of x; null for anything else. */
  const keysOf = (e: Expr): number | null => {
    if (e.kind === "index" && e.name === "k") return 1;
    if (e.kind !== "binary" || e.op !== "floor-div" || e.right.kind !== "constant") return null;
    const inner = keysOf(e.left);
    return inner === null ? null : inner * e.right.value;
  };
  const seen = new Set<Expr>();
  const visit = (e: Expr): boolean => {
    if (seen.has(e)) return true;
    seen.add(e);
    const keys = keysOf(e);
    return keys === null ? exprChildren(e).every(visit) : keys >= by && keys % by === 0;
  };
  return visit(root);
}

/** A region's turn of queries of `width` numbers. */
export function checkTurn(turn: Turn, width: number, check: CheckLeaves, fail: Fail): void {
  if (turn.rotated > width || turn.rotated < 0 || turn.rotated % 2 !== 0)
    fail(`turns ${turn.rotated} dimensions of ${width}`);
  if (!(Number.isSafeInteger(turn.by) && turn.by >= 1)) fail(`turns by blocks of ${turn.by} keys`);
  check(turn.position, "a turn's position", pair, false);
  if (turn.position.type === "bool") fail("a turn's position is a bool");
  if (!staysInBlocks(turn.position, turn.by)) fail(`a turn's position changes within ${turn.by} keys`);
  const law = { ...noLeaves, indices: new Set(["m"]) };
  checkExpr(turn.angle, "a turn's angle", law, fail);
  checkExpr(turn.scale, "a turn's scale", law, fail);
}
