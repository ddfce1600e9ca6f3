/** Metric rows: what a run reports after steps and evaluations. metrics.jsonl is the record; all else is a view of it. */

export interface StepRow {
  readonly kind: "step";
  readonly stage: string;
  /** Step within the stage, and over all stages; both count from 1. */
  readonly step: number;
  readonly totalSteps: number;
  /** Mean over the targets of the step. */
  readonly loss: number;
  readonly lr: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  /** Tokens of all steps so far. */
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Training time of all steps so far. */
  readonly seconds: number;
}

export interface EvaluationRow {
  readonly kind: "evaluation";
  readonly stage: string;
  readonly step: number;
  readonly totalSteps: number;
  /** Mean over the targets looked at. */
  readonly loss: number;
  /** Null when the loss is no −log p. */
  readonly perplexity: number | null;
  /** Null when the tokenizer's tokens do not spell its text byte for byte, or the loss is no −log p. */
  readonly bitsPerByte: number | null;
  readonly targets: number;
}

export type MetricRow = StepRow | EvaluationRow;

/** Columns of metrics.csv, with what each kind of row puts there. */
const columns: readonly (readonly [string, (row: MetricRow) => string | number | null])[] = [
  ["kind", (row) => row.kind],
  ["stage", (row) => row.stage],
  ["step", (row) => row.step],
  ["total_steps", (row) => row.totalSteps],
  ["loss", (row) => row.loss],
  ["lr", (row) => (row.kind === "step" ? row.lr : null)],
  ["gradient_norm", (row) => (row.kind === "step" ? row.gradientNorm : null)],
  ["tokens", (row) => (row.kind === "step" ? row.tokens : null)],
  ["tokens_per_second", (row) => (row.kind === "step" ? row.tokensPerSecond : null)],
  ["seconds", (row) => (row.kind === "step" ? row.seconds : null)],
  ["perplexity", (row) => (row.kind === "evaluation" ? row.perplexity : null)],
  ["bits_per_byte", (row) => (row.kind === "evaluation" ? row.bitsPerByte : null)],
  ["targets", (row) => (row.kind === "evaluation" ? row.targets : null)],
];

/** A cell as spreadsheets read it: quoted where needed, and never a formula. */
function cell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvHeader = `${columns.map(([name]) => name).join(",")}\n`;

export function csvLine(row: MetricRow): string {
  return `${columns.map(([, value]) => cell(value(row))).join(",")}\n`;
}

export const jsonLine = (row: MetricRow): string => `${JSON.stringify(row)}\n`;

/** The rows of a metrics.jsonl; a torn last line, left by a stopped process, is not one. */
export function parseRows(text: string): MetricRow[] {
  const rows: MetricRow[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    try {
      const row = JSON.parse(line) as MetricRow;
      if (row.kind === "step" || row.kind === "evaluation") rows.push(row);
    } catch {
      // Only what was written whole counts.
    }
  }
  return rows;
}
