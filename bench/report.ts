/** What benches share: arguments, medians, the machine they ran on, and JSON lines. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

/** The word after `--name`; null without it. */
export function word(name: string): string | null {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? null : process.argv[at + 1]!;
}

/** The number after `--name`. */
export function argument(name: string, otherwise: number): number {
  const text = word(name);
  return text === null ? otherwise : Number(text);
}

export const flag = (name: string): boolean => process.argv.includes(`--${name}`);

export interface BenchOptions {
  readonly threads: number;
  readonly kind: "native" | "wasm";
  /** Times that everything is measured, in turns. */
  readonly rounds: number;
}

export const benchOptions = (rounds: number): BenchOptions => ({
  threads: argument("threads", availableParallelism()),
  kind: flag("wasm") ? "wasm" : "native",
  rounds: argument("rounds", rounds),
});

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Median of the ratios of values taken in the same round: what slows a whole round down cancels. */
export const pairedRatio = (over: readonly number[], under: readonly number[]): number =>
  median(over.map((value, n) => value / under[n]!));

/** Vector instructions that the processor says it has; empty where the system does not tell. */
export function processorFlags(): ReadonlySet<string> {
  try {
    const line = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
    return new Set(line?.[1]!.trim().split(/\s+/) ?? []);
  } catch {
    return new Set();
  }
}

const firstLine = (command: string, ...args: string[]): string | null => {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split(
      "\n",
    )[0]!;
  } catch {
    return null;
  }
};

/** What a reader needs to judge a figure. `load`: processes that wanted a core during the minute before. */
export function machine(threads: number): Readonly<Record<string, unknown>> {
  const flags = processorFlags();
  const vectors = ["avx512f", "avx2", "sse2"].find((name) => flags.has(name)) ?? "unknown";
  return {
    date: new Date().toISOString(),
    command: ["bench", basename(process.argv[1] ?? ""), ...process.argv.slice(2)].join(" "),
    processor: cpus()[0]?.model ?? "unknown",
    vectors,
    cores: cpus().length,
    allowed: availableParallelism(),
    threads,
    load: Number(loadavg()[0]!.toFixed(2)),
    node: process.version,
    cc: firstLine("cc", "--version"),
  };
}

/** Prints text for people, or with `--json` one line a record. */
export class Report {
  readonly json = flag("json");

  constructor(
    readonly bench: string,
    threads: number,
    description: string,
  ) {
    const of = machine(threads);
    this.record("machine", of);
    this.text(
      `${description}; ${String(of["processor"])}; load ${String(of["load"])} on ${cpus().length} cores`,
    );
  }

  text(line: string): void {
    if (!this.json) console.log(line);
  }

  record(what: string, fields: Readonly<Record<string, unknown>>): void {
    if (this.json) console.log(JSON.stringify({ bench: this.bench, what, ...fields }));
  }
}

/** Whether a module is the program that was started. */
export const isMain = (url: string): boolean =>
  process.argv[1] !== undefined && url === pathToFileURL(process.argv[1]).href;

/** Keeps three significant places, for JSON lines. */
export const short = (value: number): number => Number(value.toPrecision(4));
