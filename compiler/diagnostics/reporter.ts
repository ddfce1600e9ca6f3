/** Reporter: collects diagnostics of one run, each mistake once. */
import type { Diagnostic } from "./diagnostic.ts";

/** Errors kept; more would only repeat the first ones' causes. */
export const mostErrors = 100;

export class Reporter {
  readonly #kept: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  #errors = 0;

  add(diagnostic: Diagnostic): void {
    const { code, primary } = diagnostic;
    const key = `${code}:${primary.span.file}:${primary.span.start}:${primary.span.end}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    if (diagnostic.severity === "error" && ++this.#errors > mostErrors) return;
    this.#kept.push(diagnostic);
  }

  addAll(diagnostics: Iterable<Diagnostic>): void {
    for (const diagnostic of diagnostics) this.add(diagnostic);
  }

  /** True once an error was reported. */
  get failed(): boolean {
    return this.#errors > 0;
  }

  /** Errors that were reported but not kept. */
  get dropped(): number {
    return Math.max(0, this.#errors - mostErrors);
  }

  /** In stable order: file, place, code. */
  get diagnostics(): readonly Diagnostic[] {
    const order = (a: Diagnostic, b: Diagnostic): number =>
      compare(a.primary.span.file, b.primary.span.file) ||
      a.primary.span.start - b.primary.span.start ||
      compare(a.code, b.code);
    return [...this.#kept].sort(order);
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
