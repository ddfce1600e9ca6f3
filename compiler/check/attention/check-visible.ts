/** Whole-method checks of an attention's mask: no query sees the future, and each query sees a key. */
import type { AttentionItem, Expr as AstExpr } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { AttentionInstance, AttentionMeaning, AttentionPhase } from "../../ir/attention-meaning.ts";
import { exprEvaluator, noValues } from "../../ir/evaluate-expr.ts";
import * as ir from "../../ir/expr.ts";
import type { Span } from "../../source/span.ts";
import type { Environment } from "../environment.ts";
import { showAst } from "./show-ast.ts";

/** Length at which a counter-example is drawn, and the pair that shows a mask best: a row from the middle, the last key. */
const drawn = { length: 8, q: 5, k: 7 } as const;

/** Lengths that are searched for a counter-example; masks of the language repeat their shape beyond. */
const searched = [drawn.length, 1, 2, 3, 24, 65] as const;

const causal = ir.le(ir.index("k"), ir.index("q"));

/** True when a conjunct of the mask says `k <= q` itself: nothing has to be searched. */
function saysCausal(mask: ir.Expr): boolean {
  if (mask === causal) return true;
  return mask.kind === "binary" && mask.op === "and" && (saysCausal(mask.left) || saysCausal(mask.right));
}

export type Pair = (q: number, k: number, h: number) => boolean;

/** The mask at a length, with all of a row one document. */
export function pairs(expr: ir.Expr, length: () => number): Pair {
  const evaluate = exprEvaluator(expr);
  const at = { q: 0, k: 0, h: 0 };
  const leaves = {
    ...noValues,
    index: (name: string) => at[name as "q" | "k" | "h"],
    size: (name: ir.SizeName) =>
      name === "batch" ? 1 : name === "query-start" || name === "step" ? 0 : length(),
    load: () => 0,
  };
  return (q, k, h) => {
    Object.assign(at, { q, k, h });
    return evaluate(leaves) !== 0;
  };
}

/** Eight keys around the culprit, one row, as the error shows them. */
function drawRow(visible: Pair, q: number, k: number, h: number, length: number): string {
  const first = Math.max(0, Math.min(k - 7, q));
  const keys = Array.from({ length: Math.min(8, length - first) }, (_, n) => first + n);
  const width = Math.max(...keys.map((key) => String(key).length));
  const cell = (text: string): string => text.padStart(width);
  const head = `    k→ ${keys.map((key) => cell(String(key))).join(" ")}`;
  const row = keys.map((key) => cell(key === k ? "✗" : visible(q, key, h) ? "■" : ".")).join(" ");
  return `${head}\nq=${String(q).padEnd(4)} ${row}`;
}

/** Where the mask of a phase is written. */
function maskClause(item: AttentionItem, phase: AttentionPhase): { span: Span; value: AstExpr } | null {
  const inside = item.clauses.find(
    (clause) => clause.kind === "phase" && (clause.phase === null || clause.phase.text === phase),
  );
  const clauses = [...(inside?.kind === "phase" ? inside.clauses : []), ...item.clauses];
  for (const clause of clauses)
    if (clause.kind === "mask-clause") return { span: clause.value.span, value: clause.value };
  return null;
}

/** The mask with causality in front of it. */
function mended(mask: AstExpr | undefined, environment: Environment): string {
  const past = environment.names.get("causal")?.item.kind === "mask" ? "causal" : "q >= k";
  if (mask === undefined) return `mask ${past}`;
  const text = showAst(mask);
  return mask.kind === "logic" && mask.op === "or"
    ? `mask ${past} and (${text})`
    : `mask ${past} and ${text}`;
}

/** What one phase is searched with. */
interface Search {
  readonly visible: Pair;
  readonly allowed: Pair;
  readonly proven: boolean;
  readonly heads: readonly number[];
}

interface Found {
  readonly q: number;
  readonly k: number;
  readonly h: number;
}

/** A visible later key: at the drawn length the one that shows most, else the first. */
function findLater({ visible, allowed, proven, heads }: Search, length: number): Found | null {
  if (proven) return null;
  const far = ({ q, k }: Found): number => Math.abs(q - drawn.q) + Math.abs(k - drawn.k);
  let best: Found | null = null;
  for (const h of heads)
    for (let q = 0; q < length; q++)
      for (let k = q + 1; k < length; k++) {
        if (!visible(q, k, h) || allowed(q, k, h)) continue;
        const found = { q, k, h };
        if (length !== drawn.length) return found;
        if (best === null || far(found) < far(best)) best = found;
      }
  return best;
}

function findEmpty({ visible, proven, heads }: Search, length: number): number | null {
  for (const h of heads)
    for (let q = 0; q < length; q++) {
      let seen = false;
      for (let k = 0; k < (proven ? q + 1 : length) && !seen; k++) seen = visible(q, k, h);
      if (!seen) return q;
    }
  return null;
}

function checkPhase(
  item: AttentionItem,
  phase: AttentionPhase,
  meaning: AttentionMeaning,
  environment: Environment,
  heads: number,
  reporter: Reporter,
): void {
  const clause = maskClause(item, phase);
  const span = clause?.span ?? item.name.span;
  let length = 1;
  const search: Search = {
    visible: pairs(meaning.mask, () => length),
    allowed: meaning.ahead === null ? () => false : pairs(meaning.ahead, () => length),
    proven: saysCausal(meaning.mask),
    heads: [...new Set([0, heads - 1])],
  };
  for (length of searched) {
    const later = findLater(search, length);
    if (later !== null) {
      const { q, k, h } = later;
      const holes = { query: q, key: k, distance: `−${k - q}`, fix: mended(clause?.value, environment) };
      reporter.add(
        messages.maskNotCausal(holes, span, { drawing: drawRow(search.visible, q, k, h, length) }),
      );
      return;
    }
    const empty = findEmpty(search, length);
    if (empty === null) continue;
    const found = length;
    length = 2 * found;
    const always = search.heads.some(
      (h) => !Array.from({ length }).some((_, k) => search.visible(empty, k, h)),
    );
    const extras = always ? ({ sign: "" } as const) : { label: `in a row of ${found}` };
    reporter.add(messages.emptyRow({ query: empty }, span, extras));
    return;
  }
}

/** Reports a mask that sees the future or leaves a query without keys. A phase that cannot be evaluated is left out. */
export function checkVisible(
  item: AttentionItem,
  instance: AttentionInstance,
  environment: Environment,
  heads: number,
  reporter: Reporter,
): void {
  const done = new Set<ir.Expr>();
  for (const phase of ["training", "evaluation", "decoding"] as const) {
    const meaning = instance.phases[phase];
    if (done.has(meaning.mask) || meaning.unsupported.length > 0) continue;
    done.add(meaning.mask);
    checkPhase(item, phase, meaning, environment, heads, reporter);
  }
}
