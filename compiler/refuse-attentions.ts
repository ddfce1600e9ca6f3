/** Which attentions of a model no kernel computes, at the lines that say why. */
import { termOrder } from "./check/model/term-order.ts";
import type { Model } from "./check/model/model.ts";
import { messages } from "./diagnostics/messages.gen.ts";
import type { Reporter } from "./diagnostics/reporter.ts";
import type { AttentionPhase } from "./ir/attention-meaning.ts";
import { splitWeight } from "./lower/split-weight.ts";
import type { Span } from "./source/span.ts";

/** Says which attentions no kernel computes in the phases that run. */
export function refuseAttentions(model: Model, phases: readonly AttentionPhase[], reporter: Reporter): void {
  for (const term of termOrder(model.output)) {
    if (term.kind !== "attention") continue;
    const refuse = (what: string, span: Span): void =>
      reporter.add(messages.attentionNotRun({ what, attention: term.site }, span));
    for (const phase of phases) {
      const { unsupported, weight } = term.instance.phases[phase];
      for (const { what, span } of unsupported) refuse(what, span);
      if (weight === null) continue;
      const { reason } = splitWeight(weight.value);
      if (reason !== null) refuse(reason, weight.span);
      else if (term.prepended.length > 0) refuse("a weight beside learned keys before the text", weight.span);
    }
  }
}
