/** The table that ends a run's output. */
import { bytes, clock, short } from "../metrics/numbers.ts";
import type { ClosingTable } from "../metrics/progress.ts";
import type { EvaluationRow } from "../metrics/rows.ts";
import type { RunState } from "../checkpoint/checkpoint.ts";

/** What a run did, in lines of name and value. */
export function closingTable(
  title: string,
  state: Pick<RunState, "tokens" | "seconds" | "best">,
  loss: number | null,
  evaluation: EvaluationRow | null,
  runFolder: string,
  checkpoint: string,
): ClosingTable {
  const rows: (readonly [string, string])[] = [
    ["time", clock(state.seconds)],
    ["tokens", `${short(state.tokens)} (${short(state.tokens / Math.max(state.seconds, 1e-9))} a second)`],
    ["peak memory", bytes(process.resourceUsage().maxRSS * 1024)],
  ];
  if (loss !== null) rows.push(["last loss", loss.toFixed(4)]);
  if (evaluation !== null) {
    rows.push(["validation loss", evaluation.loss.toFixed(4)]);
    if (evaluation.perplexity !== null) rows.push(["perplexity", evaluation.perplexity.toPrecision(4)]);
    if (evaluation.bitsPerByte !== null) rows.push(["bits per byte", evaluation.bitsPerByte.toFixed(4)]);
  }
  if (state.best !== null) {
    rows.push(["best", `${state.best.loss.toFixed(4)} after step ${state.best.totalSteps}`]);
  }
  rows.push(["run", runFolder]);
  if (checkpoint !== "") rows.push(["checkpoint", checkpoint]);
  return { title, rows };
}
