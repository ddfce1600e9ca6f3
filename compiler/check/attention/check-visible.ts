/** Whole-method checks of an attention's mask: no query sees the future, and each query sees a key. */
import type { AttentionItem, Expr as AstExpr } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { AttentionInstance, AttentionMeaning, AttentionPhase } from "../../ir/attention-meaning.ts";
import { exprEvaluator, noValues } from "../../ir/evaluate-expr.ts";
import * as ir from "../../ir/expr.ts";
import type { Span } from "../../source/span.ts";

/** Lengths that are searched for a counter-example; masks of the language repeat their shape beyond. */
const searched = [1, 2, 3, 8, 24, 65] as const;

const causal = ir.le(ir.index("k"), ir.index("q"));

/** True when a conjunct of the mask says `k <= q` itself: nothing has to be searched. */
function saysCausal(mask: ir.Expr): boolean {
  if (mask === causal) return true;
  return mask.kind === "binary" && mask.op === "and" && (saysCausal(mask.left) || saysCausal(mask.right));
}

type Pair = (q: number, k: number, h: number) => boolean;

/** The mask at a length, with all of a row one document. */
function pairs(expr: ir.Expr, length: () => number): Pair {
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

function checkPhase(
  item: AttentionItem,
  phase: AttentionPhase,
  meaning: AttentionMeaning,
  heads: number,
  reporter: Reporter,
): void {
  const clause = maskClause(item, phase);
  const span = clause?.span ?? item.name.span;
  let length = 1;
  const visible = pairs(meaning.mask, () => length);
  const allowed = meaning.ahead === null ? () => false : pairs(meaning.ahead, () => length);
  const proven = saysCausal(meaning.mask);
  for (length of searched)
    for (const h of new Set([0, heads - 1]))
      for (let q = 0; q < length; q++) {
        let seen = false;
        for (let k = 0; k < length; k++) {
          if (k > q && proven) break;
          if (!visible(q, k, h)) continue;
          seen = true;
          if (k <= q || allowed(q, k, h)) continue;
          reporter.add(
            messages.maskNotCausal({ query: q, key: k, distance: q - k }, span, {
              drawing: drawRow(visible, q, k, h, length),
            }),
          );
          return;
        }
        if (seen) continue;
        reporter.add(messages.emptyRow({ query: q, length }, span));
        return;
      }
}

/** Reports a mask that sees the future or leaves a query without keys. Methods with routes are checked when they run. */
export function checkVisible(
  item: AttentionItem,
  instance: AttentionInstance,
  heads: number,
  reporter: Reporter,
): void {
  const done = new Set<ir.Expr>();
  for (const phase of ["training", "evaluation", "decoding"] as const) {
    const meaning = instance.phases[phase];
    if (done.has(meaning.mask) || meaning.unsupported.length > 0) continue;
    done.add(meaning.mask);
    checkPhase(item, phase, meaning, heads, reporter);
  }
}
