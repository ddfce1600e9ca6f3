/** Reports mistakes in static values, models, adapters and recipes: one template a code, with holes. */
import type { Span } from "../source/span.ts";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import { mistakeTexts, type MistakeCode } from "./mistake-texts.ts";

export type Holes = Readonly<Record<string, string | number>>;

export interface MistakeExtras {
  /** Other places, with what is there. */
  readonly secondary?: readonly { readonly span: Span; readonly label: string }[];
  /** Replaces the template's help; null for none. */
  readonly help?: string | null;
}

/** `{name}` in a template is the hole `name`; a hole without value stays visible, so that a test catches it. */
function fill(template: string, holes: Holes): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(holes[name] ?? whole));
}

/** Adds the diagnostic of `code` at `span`. */
export function mistake(
  reporter: Reporter,
  code: MistakeCode,
  span: Span,
  holes: Holes = {},
  extras: MistakeExtras = {},
): void {
  const text = mistakeTexts[code];
  const help = extras.help === undefined ? text.help : extras.help;
  const diagnostic: Diagnostic = {
    code,
    severity: "severity" in text ? text.severity : "error",
    title: fill(text.title, holes),
    primary: { span, label: fill(text.label, holes) },
    secondary: extras.secondary ?? [],
    help: help === null ? null : fill(help, holes),
    drawing: null,
    fix: null,
  };
  reporter.add(diagnostic);
}
