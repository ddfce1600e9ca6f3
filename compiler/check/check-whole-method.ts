/** Checks an attention as a whole, with arguments and sizes: causality, empty rows, and guards wider than the mask. */
import type { AttentionItem, Expr, ReductionExpr } from "../../grammar/ast.ts";
import { messages } from "../diagnostics/messages.gen.ts";
import { Reporter } from "../diagnostics/reporter.ts";
import type { AttentionInstance, AttentionShape } from "../ir/attention-meaning.ts";
import type * as ir from "../ir/expr.ts";
import { checkVisible, pairs } from "./attention/check-visible.ts";
import { effectiveClauses } from "./attention/phases.ts";
import { withoutSelections } from "./attention/selection-bounds.ts";
import { mentionedNames, visitExpr } from "./attention/walk.ts";
import { instantiateAttention } from "./instantiate-attention.ts";
import type { MethodValue } from "./static-value.ts";

/** The attention with other clauses. */
const withItem = (value: MethodValue, item: AttentionItem): MethodValue => ({
  ...value,
  definition: { ...value.definition, item },
});

/** Reports what is wrong with the whole method; `instance` is the attention with these arguments and sizes. */
export function checkWholeMethod(
  value: MethodValue,
  item: AttentionItem,
  instance: AttentionInstance,
  shape: AttentionShape,
  reporter: Reporter,
): void {
  const bounded = withoutSelections(item);
  const visible =
    bounded === item ? instance : instantiateAttention(withItem(value, bounded), shape, new Reporter());
  if (visible === null) return;
  checkVisible(item, visible, value.definition.environment, shape.heads, reporter);
  const { mask, unsupported } = visible.phases.training;
  if (unsupported.length === 0) checkGuards(value, item, mask, shape, reporter);
}

/** Normalisers over keys, for each query, in the definitions of the training phase. */
function keyNormalisers(item: AttentionItem): readonly ReductionExpr[] {
  const found: ReductionExpr[] = [];
  for (const clause of effectiveClauses(item, "training")) {
    if (clause.kind !== "let" || clause.form.kind !== "table") continue;
    visitExpr(clause.value, (e) => {
      if (e.kind !== "reduction" || !["softmax", "normalize", "attend"].includes(e.op)) return;
      const [binder] = e.binders;
      // `per` normalises inside each block: which blocks count is decided where the table is read.
      if (e.binders.length !== 1 || binder?.name.text !== "k" || binder.in !== null || e.per !== null) return;
      const names = new Set(e.bodies.flatMap((body) => [...mentionedNames(body)]));
      if (["s", "Q", "q"].some((name) => names.has(name))) found.push(e);
    });
  }
  return found;
}

/** A guard as the only mask of a copy of the attention. */
function guardMask(
  value: MethodValue,
  item: AttentionItem,
  guard: Expr,
  shape: AttentionShape,
): ir.Expr | null {
  const definitions = effectiveClauses(item, "training").filter(
    ({ kind }) => kind === "let" || kind === "blocks" || kind === "param",
  );
  const clauses = [...definitions, { kind: "mask-clause", value: guard, span: guard.span } as const];
  const instance = instantiateAttention(withItem(value, { ...item, clauses }), shape, new Reporter());
  const training = instance?.phases.training;
  return training === undefined || training.unsupported.length > 0 ? null : training.mask;
}

function checkGuards(
  value: MethodValue,
  item: AttentionItem,
  mask: ir.Expr,
  shape: AttentionShape,
  reporter: Reporter,
): void {
  for (const normaliser of keyNormalisers(item)) {
    const { op, guard, span } = normaliser;
    const place = guard?.span ?? { ...span, end: span.start + op.length };
    const written = guard ?? ({ kind: "name", name: "true", span: place } as const);
    const counted = guardMask(value, item, written, shape);
    if (counted === null) continue;
    const length = 24;
    const [counts, sees] = [pairs(counted, () => length), pairs(mask, () => length)];
    search: for (let q = 0; q < length; q++)
      for (let k = 0; k < length; k++) {
        if (!counts(q, k, 0) || sees(q, k, 0)) continue;
        reporter.add(messages.guardWiderThanMask({ op, query: q, key: k }, place));
        break search;
      }
  }
}
