/** Reports mistakes by their code, with wording from the catalogue. */
import type { Diagnostic, Extras, Hole } from "../diagnostics/diagnostic.ts";
import { messages } from "../diagnostics/messages.gen.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Span } from "../source/span.ts";

/** `nameUnknown` as `name-unknown`. */
type Kebab<S extends string> = S extends `${infer Head}${infer Tail}`
  ? Head extends Lowercase<Head>
    ? `${Head}${Kebab<Tail>}`
    : `-${Lowercase<Head>}${Kebab<Tail>}`
  : "";

export type MistakeCode = Kebab<keyof typeof messages>;
export type MistakeExtras = Extras;
type WithHoles = (holes: Readonly<Record<string, Hole>>, span: Span, extras?: Extras) => Diagnostic;
type Plain = (span: Span, extras?: Extras) => Diagnostic;

const camel = (code: string): string =>
  code.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** After so many errors no help is searched: few are shown, and a search through all names for each is quadratic. */
export const mostHelped = 100;

/**
 * Adds the diagnostic of `code` at `span`; `holes` are those that the catalogue's entry names. Extras that take a search
 * are a function.
 */
export function mistake(
  reporter: Reporter,
  code: MistakeCode,
  span: Span,
  holes: Readonly<Record<string, Hole>> = {},
  extras: Extras | (() => Extras) = {},
): void {
  const make = (messages as unknown as Readonly<Record<string, WithHoles | Plain>>)[camel(code)]!;
  const plain = Object.keys(holes).length === 0;
  const made = typeof extras !== "function" ? extras : reporter.errorCount < mostHelped ? extras() : {};
  reporter.add(plain ? (make as Plain)(span, made) : (make as WithHoles)(holes, span, made));
}
