/** Metric files of a run: metrics.jsonl and metrics.csv always, TensorBoard event files on request. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { diskFiles, replaceFile, writeFailure } from "../checkpoint/files.ts";
import { EventFile } from "./event-file.ts";
import { csvHeader, csvLine, jsonLine, parseRows } from "./rows.ts";
import type { MetricRow } from "./rows.ts";

export class MetricFiles {
  readonly #folder: string;
  readonly #json: string;
  readonly #csv: string;
  #events: EventFile | null = null;

  /** Goes on after `afterSteps` steps: rows of later steps, written before a stop, are taken back. */
  constructor(folder: string, afterSteps: number, options: { readonly tensorboard: boolean }) {
    this.#folder = folder;
    this.#json = join(folder, "metrics.jsonl");
    this.#csv = join(folder, "metrics.csv");
    const kept = this.rows().filter((row) => row.totalSteps <= afterSteps);
    replaceFile(diskFiles, this.#json, kept.map(jsonLine).join(""));
    replaceFile(diskFiles, this.#csv, csvHeader + kept.map(csvLine).join(""));
    try {
      if (options.tensorboard) this.#events = new EventFile(folder, Date.now() / 1000);
    } catch (cause) {
      throw writeFailure(`an event file in ${folder}`, cause);
    }
  }

  /** All rows written so far. */
  rows(): MetricRow[] {
    return existsSync(this.#json) ? parseRows(readFileSync(this.#json, "utf8")) : [];
  }

  /** Appends a row to every file. Throws LctxError `write-failed`. */
  add(row: MetricRow): void {
    try {
      appendFileSync(this.#json, jsonLine(row));
      appendFileSync(this.#csv, csvLine(row));
      this.#events?.add(Date.now() / 1000, row.totalSteps, scalarsOf(row));
    } catch (cause) {
      throw writeFailure(`metrics in ${this.#folder}`, cause);
    }
  }

  close(): void {
    this.#events?.close();
    this.#events = null;
  }
}

function scalarsOf(row: MetricRow): Record<string, number> {
  switch (row.kind) {
    case "step":
      return {
        "train/loss": row.loss,
        "train/lr": row.lr,
        "train/gradient-norm": row.gradientNorm,
        "train/tokens-per-second": row.tokensPerSecond,
      };
    case "evaluation":
      return {
        "validation/loss": row.loss,
        ...(row.perplexity === null ? {} : { "validation/perplexity": row.perplexity }),
        ...(row.bitsPerByte === null ? {} : { "validation/bits-per-byte": row.bitsPerByte }),
      };
  }
  row satisfies never;
}
