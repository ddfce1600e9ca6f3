/** Fills the holes of a catalogue message. */
import type { Span } from "../source/span.ts";
import type { Diagnostic, Extras, Hole, Severity } from "./diagnostic.ts";

/** Longest piece of a spec that a message repeats, in UTF-16 units. */
const longestHole = 120;

/** Text that is safe on a terminal: control and direction-changing characters shown as `\u{…}`. */
export function visible(text: string): string {
  return text.replaceAll(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

function shown(value: Hole): string {
  const text = visible(String(value));
  return text.length > longestHole ? `${text.slice(0, longestHole - 1)}…` : text;
}

function fill(template: string, holes: Readonly<Record<string, Hole>>): string {
  return template.replaceAll(/\{([a-z][A-Za-z]*)\}/g, (whole, name: string) =>
    Object.hasOwn(holes, name) ? shown(holes[name]!) : whole,
  );
}

interface Template {
  readonly code: string;
  readonly severity: Severity;
  readonly title: string;
  readonly label: string;
  readonly help: string | null;
}

/** A diagnostic of one catalogue entry; called by the generated constructors only. */
export function buildDiagnostic(
  template: Template,
  holes: Readonly<Record<string, Hole>>,
  span: Span,
  extras: Extras = {},
): Diagnostic {
  return {
    code: template.code,
    severity: template.severity,
    title: fill(template.title, holes),
    primary: {
      span,
      label: extras.label ?? fill(template.label, holes),
      ...(extras.sign === undefined ? {} : { sign: extras.sign }),
    },
    secondary: extras.secondary ?? [],
    help:
      extras.help !== undefined ? extras.help : template.help === null ? null : fill(template.help, holes),
    drawing: extras.drawing ?? null,
    fix: extras.fix ?? null,
  };
}
