/** Finds targets that their own query can see, where an attention looks ahead on purpose. */
import { someExpr } from "../../ir/expr.ts";
import { exprEvaluator, noValues } from "../../ir/evaluate-expr.ts";
import type { Model } from "./model.ts";
import { termOrder } from "./term-order.ts";

/** Whether what an attention shows ahead in training depends on how long the row is. */
export const aheadAsksLength = (model: Model): boolean =>
  termOrder(model.output).some((term) => {
    if (term.kind !== "attention") return false;
    const { ahead } = term.instance.phases.training;
    return ahead !== null && someExpr(ahead, (e) => e.kind === "size" && e.name === "length");
  });

/**
 * Positions `[from, to)` of a row of `length` tokens whose next token some attention shows in training. Only the
 * stated `ahead` counts: everything else was proved causal.
 */
export function visibleTargets(model: Model, length: number): readonly (readonly [number, number])[] {
  const seen: boolean[] = [];
  const done = new Set<unknown>();
  for (const term of termOrder(model.output)) {
    if (term.kind !== "attention") continue;
    const { ahead } = term.instance.phases.training;
    if (ahead === null || done.has(ahead)) continue;
    done.add(ahead);
    // What depends on the batch is not known here: no target is trusted.
    if (someExpr(ahead, (e) => e.kind === "load")) return [[0, length]];
    const holds = exprEvaluator(ahead);
    const heads = term.query.axes[0]!.size;
    for (let q = 0; q < length; q++) {
      for (let h = 0; h < heads && seen[q] !== true; h++) {
        const index = (name: string): number => ({ q: q + term.plus, k: q + 1 + term.plus, h })[name] ?? 0;
        const size = (): number => length + term.plus;
        seen[q] = holds({ ...noValues, index, size }) !== 0;
      }
    }
  }
  const ranges: [number, number][] = [];
  for (let q = 0; q < length; q++) {
    if (seen[q] !== true) continue;
    const last = ranges.at(-1);
    if (last?.[1] === q) last[1] = q + 1;
    else ranges.push([q, q + 1]);
  }
  return ranges;
}
