/** Gives each distinct text a distinct camel-case name that reads like it. */
import { scriptName, type Fragment } from "../../ir/kernel.ts";

const reserved = new Set(
  (
    "break case catch class const continue debugger default delete do else enum export extends false finally for function if import in " +
    "instanceof new null return super switch this throw true try typeof var void while with yield let static await async of " +
    "arguments eval undefined NaN Infinity Math Number tf run batch length at tile s logits loss train update parameters states model"
  ).split(" "),
);

export class ScriptNames {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  /** A new name made of the words of a text. */
  fresh(text: string): Fragment {
    const words = text.split(/[^A-Za-z0-9]+/).filter((part) => part !== "");
    let base = words
      .map((part, n) => (n === 0 ? part[0]!.toLowerCase() : part[0]!.toUpperCase()) + part.slice(1))
      .join("");
    if (base === "" || /^[0-9]/.test(base)) base = `t${base}`;
    let name = base;
    for (let n = 2; this.#taken.has(name) || reserved.has(name); n++)
      name = `${base}${/[0-9]$/.test(base) ? "x" : ""}${n}`;
    this.#taken.add(name);
    return scriptName(name);
  }
}
