/** Phases of an attention: its clauses as if each phase were written out alone. */
import type { AttentionClause, AttentionItem, PhaseClause } from "../../../grammar/ast.ts";
import type { AttentionPhase } from "../../ir/attention-meaning.ts";

export type PlainClause = Exclude<AttentionClause, PhaseClause>;

export const allPhases = ["training", "evaluation", "decoding"] as const satisfies readonly AttentionPhase[];

/** Clauses that a phase replaces when it has one of the same kind; definitions are only added. */
const replaced: ReadonlySet<PlainClause["kind"]> = new Set([
  "mask-clause",
  "ahead",
  "score-clause",
  "weight-clause",
  "rotate",
  "select",
  "teach",
]);

const isPlain = (clause: AttentionClause): clause is PlainClause => clause.kind !== "phase";

/** The clauses of `when <phase>`, else those of `otherwise`, else none. */
function clausesOf(item: AttentionItem, phase: AttentionPhase): readonly PlainClause[] {
  const blocks = item.clauses.filter((clause): clause is PhaseClause => clause.kind === "phase");
  const own = blocks.filter((block) => block.phase?.text === phase);
  const chosen = own.length > 0 ? own : blocks.filter((block) => block.phase === null);
  return chosen.flatMap((block) => block.clauses).filter(isPlain);
}

/** What holds in a phase, in the order written: the phase's clauses replace those of the same kind outside. */
export function effectiveClauses(item: AttentionItem, phase: AttentionPhase): readonly PlainClause[] {
  const own = clausesOf(item, phase);
  const kinds = new Set(own.map((clause) => clause.kind).filter((kind) => replaced.has(kind)));
  return [...item.clauses.filter(isPlain).filter((clause) => !kinds.has(clause.kind)), ...own];
}
