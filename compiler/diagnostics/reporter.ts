/** Collects diagnostics: each once, in order of place, and not more than a reader can use. */
import type { Diagnostic } from "./diagnostic.ts";
import { messages } from "./messages.gen.ts";

/** How many diagnostics are shown. */
export const mostShown = 20;

const rank = { error: 0, warning: 1, remark: 2 } as const;

const byPlace = (a: Diagnostic, b: Diagnostic): number =>
  compareText(a.primary.span.file, b.primary.span.file) ||
  a.primary.span.start - b.primary.span.start ||
  compareText(a.code, b.code) ||
  a.primary.span.end - b.primary.span.end;

/** Order by code units, the same on every machine. */
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export class Reporter {
  private readonly found = new Map<string, Diagnostic>();
  private readonly codes = new Set<string>();
  private errors = 0;

  /** Adds a diagnostic unless the same code was reported for the same place. */
  add(diagnostic: Diagnostic): void {
    const { file, start, end } = diagnostic.primary.span;
    const key = `${diagnostic.code} ${start} ${end} ${file}`;
    if (this.found.has(key)) return;
    this.found.set(key, diagnostic);
    this.codes.add(diagnostic.code);
    if (diagnostic.severity === "error") this.errors++;
  }

  addAll(diagnostics: Iterable<Diagnostic>): void {
    for (const diagnostic of diagnostics) this.add(diagnostic);
  }

  /** Whether an error was reported. */
  get failed(): boolean {
    return this.errors > 0;
  }

  /** Whether a diagnostic of this code was reported. */
  has(code: string): boolean {
    return this.codes.has(code);
  }

  get errorCount(): number {
    return this.errors;
  }

  /** Every diagnostic, in order of file, place and code. */
  get all(): readonly Diagnostic[] {
    return [...this.found.values()].sort(byPlace);
  }

  /** The diagnostics to show: errors before warnings before remarks up to `mostShown`, then in order of place. */
  get diagnostics(): readonly Diagnostic[] {
    const all = this.all;
    if (all.length <= mostShown) return all;
    const kept = all
      .map((diagnostic, index) => ({ diagnostic, index }))
      .sort((a, b) => rank[a.diagnostic.severity] - rank[b.diagnostic.severity] || a.index - b.index)
      .slice(0, mostShown)
      .sort((a, b) => a.index - b.index)
      .map(({ diagnostic }) => diagnostic);
    const last = kept[kept.length - 1]!;
    return [...kept, messages.moreNotShown({ count: all.length - kept.length }, last.primary.span)];
  }
}
