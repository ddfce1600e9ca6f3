/** Diagnostic: what is wrong (or worth knowing) at a place of a spec, as data; wording comes from the catalogue. */
import type { Span } from "../source/span.ts";

export type Severity = "error" | "warning" | "remark";

export interface Label {
  readonly span: Span;
  readonly label: string;
}

/** An edit that mends the mistake. */
export interface Fix {
  readonly span: Span;
  readonly text: string;
}

export interface Diagnostic {
  /** Kebab-case phrase that names the mistake: `mask-not-causal`. */
  readonly code: string;
  readonly severity: Severity;
  /** One line, at most 70 characters before names are filled in. */
  readonly title: string;
  readonly primary: Label;
  /** At most three other places that explain it. */
  readonly secondary: readonly Label[];
  readonly help: string | null;
  /** Lines of a picture, such as a mask with the culprit marked. */
  readonly drawing: string | null;
  readonly fix: Fix | null;
}

/** Parts of a diagnostic that the place of the mistake decides. */
export interface Details {
  readonly secondary?: readonly Label[];
  readonly drawing?: string | null;
  /** Replaces the catalogue's help. */
  readonly help?: string | null;
  readonly fix?: Fix | null;
}

/** Texts of a catalogue entry, holes filled in. */
export interface Message {
  readonly code: string;
  readonly severity: Severity;
  readonly title: string;
  readonly label: string;
  readonly help: string | null;
}

const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Text of a spec as it may be shown: no control characters, at most 200 characters. */
export function shown(text: string): string {
  const clean = text.replaceAll(control, "\ufffd");
  return clean.length > 200 ? `${clean.slice(0, 199)}…` : clean;
}

/** Puts a message at its place. */
export function diagnose(message: Message, span: Span, details: Details = {}): Diagnostic {
  return {
    code: message.code,
    severity: message.severity,
    title: message.title,
    primary: { span, label: message.label },
    secondary: details.secondary ?? [],
    help: details.help === undefined ? message.help : details.help,
    drawing: details.drawing ?? null,
    fix: details.fix ?? null,
  };
}
