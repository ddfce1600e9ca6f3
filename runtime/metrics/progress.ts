/** Progress: one line that changes on a terminal, plain lines now and then elsewhere, or JSON lines; and a closing table. */
import cliProgress from "cli-progress";
import { bytes, clock, rate, short } from "./numbers.ts";
import { jsonLine } from "./rows.ts";
import type { EvaluationRow, StepRow } from "./rows.ts";

export interface Output {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
  on?(event: "error", listener: (error: Error) => void): unknown;
}

export interface ProgressOptions {
  readonly output: Output;
  readonly format: "text" | "json";
  readonly totalSteps: number;
  /** Steps done before, by the runs that this one goes on from. */
  readonly firstStep: number;
  /** Milliseconds now; only differences matter. */
  readonly now?: () => number;
  /** Least milliseconds between two plain lines. */
  readonly interval?: number;
}

export interface ClosingTable {
  readonly title: string;
  readonly rows: readonly (readonly [string, string])[];
}

const barFormat =
  "{bar} {value}/{total}  loss {loss}  lr {lr}  grad {norm}  {speed} tok/s  {memory}  {left} left";

/** Largest memory this process had, in bytes. */
const peakMemory = (): number => process.resourceUsage().maxRSS * 1024;

export class Progress {
  readonly #options: Required<ProgressOptions>;
  readonly #bar: cliProgress.SingleBar | null;
  readonly #startedAt: number;
  #lastLineAt = -Infinity;
  #lastEvaluation: EvaluationRow | null = null;

  constructor(options: ProgressOptions) {
    this.#options = { now: () => performance.now(), interval: 10_000, ...options };
    const { output, format, totalSteps, firstStep } = this.#options;
    // A reader that goes away (a closed pipe) does not stop a run.
    output.on?.("error", () => {});
    this.#startedAt = this.#options.now();
    const wantsBar = output.isTTY === true && format === "text";
    this.#bar = wantsBar ? this.#makeBar() : null;
    this.#bar?.start(totalSteps, firstStep, {
      loss: "–",
      lr: "–",
      norm: "–",
      speed: "–",
      memory: bytes(peakMemory()),
      left: "–",
    });
  }

  /** `smoothed` is the loss to show. */
  step(row: StepRow, smoothed: number): void {
    const { output, format, totalSteps, firstStep, now, interval } = this.#options;
    if (format === "json") {
      output.write(jsonLine(row));
      return;
    }
    const elapsed = (now() - this.#startedAt) / 1000;
    const left = (elapsed / Math.max(1, row.totalSteps - firstStep)) * (totalSteps - row.totalSteps);
    const shown = {
      loss: smoothed.toFixed(4),
      lr: rate(row.lr),
      norm: row.gradientNorm.toPrecision(3),
      speed: short(row.tokensPerSecond),
      memory: bytes(peakMemory()),
      left: clock(left),
    };
    if (this.#bar !== null) {
      this.#bar.update(row.totalSteps, shown);
      return;
    }
    const last = row.totalSteps === totalSteps;
    if (!last && now() - this.#lastLineAt < interval) return;
    this.#lastLineAt = now();
    output.write(
      `step ${row.totalSteps}/${totalSteps}  loss ${shown.loss}  lr ${shown.lr}  grad ${shown.norm}  ` +
        `${shown.speed} tok/s  ${shown.memory}  ${shown.left} left\n`,
    );
  }

  evaluation(row: EvaluationRow): void {
    this.#lastEvaluation = row;
    if (this.#options.format === "json") this.#options.output.write(jsonLine(row));
    else {
      const perByte = row.bitsPerByte === null ? "" : `  bits/byte ${row.bitsPerByte.toFixed(4)}`;
      this.#line(
        `step ${row.totalSteps}/${this.#options.totalSteps}  validation loss ${row.loss.toFixed(4)}  perplexity ${row.perplexity.toPrecision(4)}${perByte}`,
      );
    }
  }

  /** A remark on its own line. */
  note(text: string): void {
    if (this.#options.format === "json") {
      this.#options.output.write(`${JSON.stringify({ kind: "note", text })}\n`);
    } else this.#line(text);
  }

  /** Ends the bar and prints the table. */
  close(table: ClosingTable): void {
    this.stop();
    if (this.#options.format === "json") {
      const values = Object.fromEntries(table.rows);
      this.#options.output.write(`${JSON.stringify({ kind: "end", title: table.title, ...values })}\n`);
      return;
    }
    const width = Math.max(...table.rows.map(([name]) => name.length));
    const lines = table.rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
    this.#options.output.write(`${table.title}\n${lines.join("\n")}\n`);
  }

  /** Ends the bar; nothing follows. */
  stop(): void {
    this.#bar?.stop();
  }

  get lastEvaluation(): EvaluationRow | null {
    return this.#lastEvaluation;
  }

  #line(text: string): void {
    if (this.#bar === null) this.#options.output.write(`${text}\n`);
    else {
      const { output } = this.#options;
      // Clears the bar's line; the bar draws itself again below.
      output.write(`\r\u001b[K${text}\n`);
      this.#bar.updateETA();
    }
  }

  #makeBar(): cliProgress.SingleBar {
    return new cliProgress.SingleBar({
      format: barFormat,
      stream: this.#options.output as NodeJS.WritableStream,
      barsize: 16,
      hideCursor: true,
      fps: 4,
      linewrap: false,
      barCompleteChar: "━",
      barIncompleteChar: "─",
      // The trainer handles signals itself.
      gracefulExit: false,
      clearOnComplete: false,
    });
  }
}
