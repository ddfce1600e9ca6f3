/** Progress: one line that changes on a terminal, plain lines now and then elsewhere, or JSON lines; and a closing table. */
import cliProgress from "cli-progress";
import { bytes, clock, rate, short } from "./numbers.ts";
import { jsonLine } from "./rows.ts";
import type { EvaluationRow, StepRow } from "./rows.ts";

export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
  on?(event: "error", listener: (error: Error) => void): unknown;
}

export interface ProgressOptions {
  readonly output: Output;
  readonly format: "text" | "json";
  readonly totalSteps: number;
  /** Milliseconds now; only differences matter. */
  readonly now?: () => number;
  /** Least milliseconds between two plain lines. */
  readonly interval?: number;
}

export interface ClosingTable {
  readonly title: string;
  readonly rows: readonly (readonly [string, string])[];
}

// A narrow terminal cuts the line's end, so what is looked at most comes first.
const barFormat =
  "{bar} {value}/{total}  loss {loss}  {left} left  {speed} tok/s  lr {lr}  grad {norm}  {memory}";

/** Columns of the line beside the bar itself. */
const textColumns = 74;

/** Share of a new step in the smoothed time a token takes. */
const smoothing = 0.1;

/** The output without "save cursor" and "restore cursor": the bar moves down as lines are printed above it, and would come back onto them. */
function withoutCursorMemory(output: Output): NodeJS.WritableStream {
  const write = (text: string): boolean => {
    if (text !== "\u001b7" && text !== "\u001b8") output.write(text);
    return true;
  };
  return Object.create(output, { write: { value: write } }) as NodeJS.WritableStream;
}

/** Outputs whose readers may go away. */
const outlived = new WeakSet<Output>();

/** Largest memory this process had, in bytes. */
const peakMemory = (): number => process.resourceUsage().maxRSS * 1024;

export class Progress {
  readonly #options: Required<ProgressOptions>;
  readonly #bar: cliProgress.SingleBar | null;
  /** End of the first step: what comes before (compiling kernels, opening data) says nothing about the steps. */
  #firstStep: { readonly at: number; readonly step: number } | null = null;
  #secondsPerToken: number | null = null;
  #barRuns = false;
  #busy = false;
  #lastLineAt = -Infinity;
  #lastEvaluation: EvaluationRow | null = null;

  constructor(options: ProgressOptions) {
    this.#options = { now: () => performance.now(), interval: 10_000, ...options };
    const { output, format } = this.#options;
    // A reader that goes away (a closed pipe) does not stop a run. One process may train many times.
    if (!outlived.has(output)) output.on?.("error", () => {});
    outlived.add(output);
    const wantsBar = output.isTTY === true && format === "text";
    this.#bar = wantsBar ? this.#makeBar() : null;
  }

  /** Says on a terminal what is being waited for; the next line takes its place. */
  busy(text: string): void {
    const { output, format } = this.#options;
    if (output.isTTY !== true || format === "json" || this.#barRuns) return;
    output.write(`\r\u001b[K${text}`);
    this.#busy = true;
  }

  /** `smoothed` is the loss to show. */
  step(row: StepRow, smoothed: number): void {
    const { output, format, totalSteps, now, interval } = this.#options;
    if (format === "json") {
      output.write(jsonLine(row));
      return;
    }
    const perToken = 1 / row.tokensPerSecond;
    const before = this.#secondsPerToken ?? perToken;
    this.#secondsPerToken = before + smoothing * (perToken - before);
    const shown = {
      loss: smoothed.toFixed(4),
      lr: rate(row.lr),
      norm: row.gradientNorm.toPrecision(3),
      speed: short(1 / this.#secondsPerToken),
      memory: bytes(peakMemory()),
      left: this.#timeLeft(row.totalSteps),
    };
    if (this.#bar !== null) {
      if (this.#barRuns) this.#bar.update(row.totalSteps, shown);
      else {
        this.#clear();
        this.#bar.start(totalSteps, row.totalSteps, shown);
        this.#barRuns = true;
      }
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
      const perplexity = row.perplexity === null ? "" : `  perplexity ${row.perplexity.toPrecision(4)}`;
      this.#line(
        `step ${row.totalSteps}/${this.#options.totalSteps}  validation loss ${row.loss.toFixed(4)}${perplexity}${perByte}`,
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
    this.#clear();
    if (this.#barRuns) this.#bar?.stop();
    this.#barRuns = false;
  }

  get lastEvaluation(): EvaluationRow | null {
    return this.#lastEvaluation;
  }

  /** Wall time that the steps to come will take if they are like those since the first. */
  #timeLeft(step: number): string {
    const { now, totalSteps } = this.#options;
    this.#firstStep ??= { at: now(), step };
    const done = step - this.#firstStep.step;
    if (done === 0) return step === totalSteps ? clock(0) : "–";
    return clock(((now() - this.#firstStep.at) / 1000 / done) * (totalSteps - step));
  }

  #line(text: string): void {
    this.#clear();
    if (!this.#barRuns) this.#options.output.write(`${text}\n`);
    else {
      // Takes the bar's line; the bar is drawn again below.
      this.#options.output.write(`\r\u001b[K${text}\n`);
      this.#bar?.render();
    }
  }

  /** Removes what `busy` wrote. */
  #clear(): void {
    if (this.#busy) this.#options.output.write("\r\u001b[K");
    this.#busy = false;
  }

  #makeBar(): cliProgress.SingleBar {
    const { output } = this.#options;
    const room = (output.columns ?? 80) - textColumns;
    return new cliProgress.SingleBar({
      format: barFormat,
      stream: withoutCursorMemory(output),
      barsize: Math.max(4, Math.min(24, room)),
      // A line printed above the bar leaves an empty line to draw it on, even if its text is the same.
      forceRedraw: true,
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
