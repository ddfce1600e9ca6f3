/** Diagnostics: what the compiler tells about a spec, as facts with places; wording comes from the catalogue. */
import type { Span } from "../source/span.ts";

/** An error stops the compiler, a warning does not, a remark only informs. */
export type Severity = "error" | "warning" | "remark";

/** A place with a short text beside it. */
export interface Label {
  readonly span: Span;
  readonly label: string;
  /** How the place is underlined: `^` for the primary label and `-` for others unless stated; "" shows its line only. */
  readonly sign?: "^" | "-" | "";
}

/** An edit that mends the mistake: the span's text becomes `text`. */
export interface Fix {
  readonly span: Span;
  readonly text: string;
}

export interface Diagnostic {
  /** A kebab-case phrase that names the mistake; a heading of the catalogue. */
  readonly code: string;
  readonly severity: Severity;
  readonly title: string;
  readonly primary: Label;
  /** At most three are worth showing. */
  readonly secondary: readonly Label[];
  readonly help: string | null;
  /** Lines drawn under the code, for example the mask of a counter-example. */
  readonly drawing: string | null;
  readonly fix: Fix | null;
}

/** One entry of the catalogue; `title`, `label` and `help` may have `{holes}`. */
export interface MessageEntry {
  readonly code: string;
  readonly area: string;
  readonly severity: Severity;
  readonly title: string;
  readonly label: string;
  readonly help: string | null;
  readonly why: string;
  /** A spec that gives exactly this code; null where none can (limits, messages about several files). */
  readonly wrong: string | null;
  /** The mended spec, which gives no error. */
  readonly right: string | null;
}

/** A value put into a hole of a message. */
export type Hole = string | number;

/** What a report may add to, or replace in, the catalogue's wording. */
export interface Extras {
  readonly label?: string;
  /** How the primary place is underlined. */
  readonly sign?: Label["sign"];
  readonly secondary?: readonly Label[];
  readonly help?: string | null;
  readonly drawing?: string | null;
  readonly fix?: Fix | null;
}
