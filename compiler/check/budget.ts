/** Budget: how many definitions one expression may write out, so that those that double with each level end. */
import { messages } from "../diagnostics/messages.gen.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Span } from "../source/span.ts";

export interface Budget {
  left: number;
}

/** Steps that one phase of an attention may take; each is an expression. */
export const mostMeantSteps = 200_000;

/** Definitions that one static expression, one body or one rule may write out. */
export const openBudget = (left = 20_000): Budget => ({ left });

/** Takes one step; false, and told once, when none is left. */
export function spend(budget: Budget, span: Span, reporter: Reporter): boolean {
  budget.left--;
  if (budget.left === -1) reporter.add(messages.inliningTooLarge(span));
  return budget.left >= 0;
}
