/** Typed TypeScript text: names, strings, numbers and literals that are safe whatever a spec says. */
import type { ParameterInfo } from "../../runtime/program.ts";

/** A literal of plain data; object keys are quoted where they must be. */
export type Plain =
  null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain | undefined };

const word = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** A string literal; line separators are escaped too, so it stays on one line in every reader. */
export function stringLiteral(text: string): string {
  return JSON.stringify(text).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** A number literal; refuses what JSON-like data cannot hold. */
export function numberLiteral(value: number): string {
  if (!Number.isFinite(value)) throw new Error(`${value} has no literal`);
  return Object.is(value, -0) ? "-0" : String(value);
}

export function literal(value: Plain): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "boolean":
      return String(value);
    case "number":
      return numberLiteral(value);
    case "string":
      return stringLiteral(value);
    default:
  }
  if (Array.isArray(value)) return `[${value.map((item: Plain) => literal(item)).join(", ")}]`;
  const entries = Object.entries(value as { readonly [key: string]: Plain | undefined })
    .filter((entry): entry is [string, Plain] => entry[1] !== undefined)
    .map(([key, item]) => `${word.test(key) ? key : stringLiteral(key)}: ${literal(item)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

/** Text for a comment: one line, nothing that could end it. */
export function commentText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\u00a0-\uffff]/g, " ").replaceAll("*/", "* /");
}

const reserved = new Set(
  (
    "break case catch class const continue debugger default delete do else enum export extends false finally for function if import in " +
    "instanceof new null return super switch this throw true try typeof var void while with yield let static await async of"
  ).split(" "),
);

/** Gives each distinct text a distinct camel-case identifier that reads like it. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #given = new Map<string, string>();

  constructor(taken: Iterable<string> = []) {
    for (const name of taken) this.#taken.add(name);
  }

  of(text: string): string {
    const known = this.#given.get(text);
    if (known !== undefined) return known;
    const words = text.split(/[^A-Za-z0-9]+/).filter((part) => part !== "");
    let base = words
      .map((part, n) => (n === 0 ? part[0]!.toLowerCase() : part[0]!.toUpperCase()) + part.slice(1))
      .join("");
    if (base === "" || /^[0-9]/.test(base)) base = `t${base}`;
    if (reserved.has(base)) base = `${base}Tensor`;
    let name = base;
    for (let n = 2; this.#taken.has(name); n++) name = `${base}${/[0-9]$/.test(base) ? "x" : ""}${n}`;
    this.#taken.add(name);
    this.#given.set(text, name);
    return name;
  }
}

/** A parameter's first value as a call of one of these constructors. */
export function initText(
  init: ParameterInfo["init"],
  names: Readonly<Record<ParameterInfo["init"]["kind"], string>>,
): string {
  const name = names[init.kind];
  switch (init.kind) {
    case "constant":
      return `${name}(${numberLiteral(init.value)})`;
    case "normal":
      return `${name}(${numberLiteral(init.deviation)})`;
    case "uniform":
      return `${name}(${numberLiteral(init.limit)})`;
    default:
      return init satisfies never;
  }
}
