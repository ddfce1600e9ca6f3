/** What a recipe must agree on with the attentions of its model: teachers for `loss teach`, and the length of blocks. */
import type { AttentionClause, AttentionItem, DataClause } from "../../grammar/ast.ts";
import { messages } from "../diagnostics/messages.gen.ts";
import { Reporter } from "../diagnostics/reporter.ts";
import type { Span } from "../source/span.ts";
import { allPhases, effectiveClauses } from "./attention/phases.ts";
import { clauseExpressions } from "./attention/reads-document.ts";
import { showAst } from "./attention/show-ast.ts";
import { visitExpr } from "./attention/walk.ts";
import type { Model } from "./model/model.ts";
import { evaluateStatic } from "./static.ts";
import type { MethodValue, StaticValue } from "./static-value.ts";

type AttentionMethod = MethodValue & { readonly definition: { readonly item: AttentionItem } };

/** The attentions that the settings of a model name. */
const attentionsOf = (model: Model): readonly AttentionMethod[] =>
  [...model.settings.arguments.values()].filter(
    (value): value is AttentionMethod =>
      value.kind === "method" && value.definition.item.kind === "attention",
  );

/** Whether some attention of the model teaches in training; reported where none does. */
export function checkTaught(model: Model, span: Span, reporter: Reporter): boolean {
  const attentions = attentionsOf(model);
  const teaches = ({ definition }: AttentionMethod): boolean =>
    effectiveClauses(definition.item, "training").some((clause) => clause.kind === "teach");
  if (attentions.some(teaches)) return true;
  const names = attentions.map(({ definition }) => `\`${definition.name}\``).join(", ");
  reporter.add(messages.lossWithoutTeacher({ attention: names === "" ? "this model" : names }, span));
  return false;
}

/** Names of block domains whose last position the clauses read. */
function endsRead(clauses: readonly AttentionClause[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const clause of clauses) {
    if (clause.kind === "phase") continue;
    for (const expr of clauseExpressions(clause))
      visitExpr(expr, (e) => {
        if (e.kind !== "call" || e.callee.kind !== "name" || e.callee.name !== "last") return;
        const block = e.arguments[0]?.value;
        if (block?.kind === "name") found.add(block.name);
        else if (block?.kind === "call" && block.callee.kind === "name") found.add(block.callee.name);
      });
  }
  return found;
}

/** Blocks whose last position matters must end where tokens are inserted: one longer than the distance of insertions. */
export function checkInsertedBlocks(
  clause: DataClause,
  every: number,
  model: Model,
  reporter: Reporter,
): boolean {
  const seen = new Set<AttentionItem>();
  for (const method of attentionsOf(model)) {
    const { item, environment } = method.definition;
    if (seen.has(item)) continue;
    seen.add(item);
    const clauses = [...new Set(allPhases.flatMap((phase) => effectiveClauses(item, phase)))];
    const ends = endsRead(clauses);
    const length: StaticValue = { kind: "number", value: model.length, whole: true };
    const values = new Map<string, StaticValue>([["length", length], ...method.arguments]);
    for (const blocks of clauses) {
      if (blocks.kind !== "blocks" || !ends.has(blocks.name.text)) continue;
      const size = evaluateStatic(blocks.size, { environment, values }, new Reporter());
      if (size.kind !== "number" || size.value === every + 1) continue;
      const named =
        blocks.size.kind === "name" ? `\`${showAst(blocks.size)}: ${every + 1}\`` : `blocks of ${every + 1}`;
      const other = size.value >= 2 ? `, or \`every ${size.value - 1}\`` : "";
      const holes = { every, size: size.value, period: every + 1, fix: `write ${named}${other}` };
      const secondary = [{ span: blocks.span, label: `blocks of ${size.value}` }];
      reporter.add(messages.insertBlockMismatch(holes, clause.insert!.every.span, { secondary }));
      return false;
    }
  }
  return true;
}
