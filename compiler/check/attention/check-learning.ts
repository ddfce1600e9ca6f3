/** Checks that what an attention stores and chooses is used: each parameter gets a gradient, each selection is read. */
import type { AttentionItem, ParamTable, SelectClause } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { CheckedPhase } from "./check-clauses.ts";
import { clauseNames } from "./definition-order.ts";
import type { PlainClause } from "./phases.ts";

const definedBy = (clause: PlainClause): string | null =>
  clause.kind === "let" || clause.kind === "select" ? clause.name.text : null;

/** Everything the clauses that have an effect read, directly and through definitions. */
function readFrom(start: readonly PlainClause[], clauses: readonly PlainClause[]): ReadonlySet<string> {
  const needs = new Map(clauses.map((clause) => [definedBy(clause), clauseNames(clause)]));
  const found = new Set<string>();
  const waiting = start.flatMap((clause) => [
    ...clauseNames(clause),
    ...(clause.kind === "teach" ? [clause.name.text] : []),
  ]);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    waiting.push(...(needs.get(name) ?? []));
  }
  return found;
}

/** Clauses that say what the attention does; the others only define. */
const acts = (clause: PlainClause): boolean =>
  ["mask-clause", "ahead", "score-clause", "weight-clause", "rotate", "teach"].includes(clause.kind);

function allPlain(item: AttentionItem): readonly PlainClause[] {
  return item.clauses.flatMap((clause): readonly PlainClause[] =>
    clause.kind === "phase" ? clause.clauses.filter((inner) => inner.kind !== "phase") : [clause],
  );
}

/** A selection that no clause of any phase reads. */
export function checkSelectionsUsed(item: AttentionItem, reporter: Reporter): void {
  const clauses = allPlain(item);
  for (const clause of clauses) {
    if (clause.kind !== "select") continue;
    const { text } = clause.name;
    if (clauses.some((other) => other !== clause && clauseNames(other).has(text))) continue;
    const shown = `${text}[${clause.axes.map((axis) => axis.text).join(", ")}]`;
    reporter.add(messages.selectionUnused({ name: text, shown }, clause.name.span));
  }
}

/** Parameters without a path to the loss in training. */
export function checkGradients(item: AttentionItem, training: CheckedPhase, reporter: Reporter): void {
  const tables = item.clauses.flatMap((clause) => (clause.kind === "param" ? clause.tables : []));
  if (tables.length === 0) return;
  const clauses = allPlain(item);
  const learns = new Set<string>();
  for (const { clause, type } of training.clauses)
    if (clause.kind === "score-clause" || clause.kind === "weight-clause" || clause.kind === "teach") {
      for (const name of type.gradient) learns.add(name);
      // What could not be typed was reported; nothing more is known about what it reads.
      if (type.sort === "unknown") for (const name of readFrom([clause], clauses)) learns.add(name);
    }
  const read = new Set(clauses.flatMap((clause) => [...clauseNames(clause)]));
  const used = readFrom(
    clauses.filter((clause) => acts(clause) || clause.kind === "select"),
    clauses,
  );
  for (const table of tables) {
    const name = table.name.text;
    if (learns.has(name)) continue;
    if (!read.has(name)) reporter.add(messages.parameterUnused({ name }, table.name.span));
    else reportUnlearned(table, used.has(name), clauses, reporter);
  }
}

function reportUnlearned(
  table: ParamTable,
  used: boolean,
  clauses: readonly PlainClause[],
  reporter: Reporter,
): void {
  const name = table.name.text;
  const reads = (clause: PlainClause): boolean => readFrom([clause], clauses).has(name);
  const select = clauses.find((clause): clause is SelectClause => clause.kind === "select" && reads(clause));
  if (select !== undefined) {
    const span = { ...select.span, end: select.span.start + "select".length };
    const label = "a selection is a hard choice; gradients stop here";
    const { by } = select;
    const ranked = by.kind === "name" ? by.name : by.kind === "index" ? by.base.name : null;
    const isLet = clauses.some((clause) => clause.kind === "let" && clause.name.text === ranked);
    const fix =
      ranked !== null && isLet
        ? `give \`${ranked}\` a teacher: \`teach ${ranked} by kl from …\``
        : "name what it ranks by with `let`, and give it a teacher: `teach … by kl from …`";
    const extras = { secondary: [{ span, label, sign: "-" }], sign: "" } as const;
    reporter.add(messages.parameterWithoutGradient({ name, where: "", fix }, table.span, extras));
    return;
  }
  const last = clauses.find((clause) => acts(clause) && reads(clause));
  const where = used ? "" : "read only by what nothing reads";
  const secondary =
    last === undefined
      ? []
      : [{ span: last.span, label: "read here only through hard choices, or outside of training" }];
  const fix =
    "let `score`, `weight` or a teacher read it in training, without a comparison or `ordinal` between";
  const extras = { secondary, sign: used ? "" : "^" } as const;
  reporter.add(messages.parameterWithoutGradient({ name, where, fix }, table.span, extras));
}
