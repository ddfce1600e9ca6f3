/** Checks where the rows of a recipe come from: one text, one task, or a mix of both. */
import type { DataClause, LossClause } from "../../../grammar/ast.ts";
import type { MixPart } from "../../../runtime/tasks/task.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import { mistake } from "../mistakes.ts";
import type { StaticScope } from "../static.ts";
import { real, within } from "../train-values.ts";
import { callTask } from "./instantiate-task.ts";

/** The least share of a mix: rows are dealt out by the thousand. */
const leastShare = 0.001;

/** `source` is the one text that the rows come from; a task or a mix leaves it empty. */
export interface DataSource {
  readonly source: string;
  readonly mix: readonly MixPart[] | null;
}

/** The source of the rows; null after a report. */
export function checkSource(clause: DataClause, scope: StaticScope, reporter: Reporter): DataSource | null {
  const before = reporter.errorCount;
  const [only] = clause.parts;
  if (!clause.mixed && only?.kind === "tokens") return { source: only.source.value, mix: null };
  if (clause.parts.length === 0) {
    mistake(reporter, "mix-not-whole", clause.span, { sum: "0%" });
    return null;
  }
  const mix: MixPart[] = [];
  for (const part of clause.parts) {
    const written = part.share;
    let share: number | null = 1;
    if (written !== null) {
      const value = real(written.value, "share", scope, reporter);
      const fits = value !== null && value >= leastShare && value <= 1;
      share =
        value === null ? null : within(value, fits, "share", "from 0.1% to 100%", written.value, reporter);
    }
    const task = part.kind === "task" ? callTask(part.task, scope.environment, scope, reporter) : null;
    if (share === null) continue;
    if (part.kind === "tokens") mix.push({ share, kind: "tokens", source: part.source.value });
    else if (task !== null) mix.push({ share, kind: "task", task });
  }
  if (reporter.errorCount > before) return null;
  const sum = mix.reduce((total, part) => total + part.share, 0);
  if (Math.abs(sum - 1) > 1e-6) {
    mistake(reporter, "mix-not-whole", clause.span, { sum: `${Number((100 * sum).toFixed(2))}%` });
    return null;
  }
  return { source: "", mix };
}

/** `on answers`: whether only answers count in rows of tasks; null after a report. */
export function checkAnswers(
  clause: LossClause,
  mix: readonly MixPart[] | null,
  reporter: Reporter,
): boolean | null {
  if (clause.on === null) return false;
  if (clause.on.text !== "answers") {
    mistake(reporter, "loss-part-unknown", clause.on.span, { name: clause.on.text });
    return null;
  }
  if (mix?.some((part) => part.kind === "task" && part.task.question !== null) === true) return true;
  mistake(reporter, "loss-without-answers", clause.on.span);
  return null;
}
