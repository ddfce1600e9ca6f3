/** Looks items up by name and by the kind that a place in the grammar wants, and says what an unknown name may mean. */
import { suggest, type Candidate } from "../diagnostics/suggest.ts";
import type { Definition, Environment, ItemKind } from "./environment.ts";
import type { MistakeExtras } from "./mistakes.ts";
import { describeItem } from "./static-types.ts";

/** What expressions over positions may use. */
export const expressionKinds: readonly ItemKind[] = ["mask", "score", "function"];
/** What an expression that is known when a spec is checked may use. */
export const staticKinds: readonly ItemKind[] = [
  "attention",
  "rotation",
  "module",
  "adapter",
  "optimizer",
  "function",
];

/**
 * The item a name stands for where only some kinds can stand. A file's own or imported item of another kind does not
 * hide the prelude's: importing the mask `prefix` leaves the adapter `prefix` where adapters stand. Without one of the
 * kinds it is whatever has the name.
 */
export function findItem(
  environment: Environment,
  name: string,
  kinds: readonly ItemKind[],
): Definition | undefined {
  const seen = environment.names.get(name);
  if (seen === undefined || kinds.includes(seen.item.kind)) return seen;
  const hidden = environment.prelude.get(name);
  return hidden !== undefined && kinds.includes(hidden.item.kind) ? hidden : seen;
}

/** Names of the items of some kinds that a file sees. */
export function itemNames(environment: Environment, kinds: readonly ItemKind[]): readonly string[] {
  const names = new Set<string>();
  for (const from of [environment.names, environment.prelude])
    for (const [name, { item }] of from) if (kinds.includes(item.kind)) names.add(name);
  return [...names];
}

/** `import std.masks { causal }`, from each file of the library that defines it; null when none does. */
function importOf(name: string, kinds: readonly ItemKind[], environment: Environment): string | null {
  const places = (environment.library().get(name) ?? []).filter(({ kind }) => kinds.includes(kind));
  const lines = places.map(({ from }) => `\`import ${from} { ${name} }\``);
  return lines.length === 0 ? null : lines.join(" or ");
}

/**
 * Help for an unknown name where items of some kinds may stand: the import that defines it, else the candidate or the
 * library's item that was most likely meant.
 */
export function unknownHelp(
  name: string,
  candidates: readonly Candidate[],
  kinds: readonly ItemKind[],
  environment: Environment,
  wanted?: string,
): MistakeExtras {
  const exact = importOf(name, kinds, environment);
  if (exact !== null) return { help: exact };
  const near = suggest(name, candidates, wanted);
  if (near !== null) return { help: `did you mean \`${near}\`?` };
  const offered = [...environment.library()]
    .filter(([, places]) => places.some(({ kind }) => kinds.includes(kind)))
    .map(([known]) => ({ name: known, kind: "" }));
  const other = suggest(name, offered);
  return other === null ? {} : { help: `did you mean \`${other}\`? ${importOf(other, kinds, environment)}` };
}

/** Help where an item of exactly one kind must stand and `found`, of another kind or nothing, has the name. */
export function itemHelp(
  name: string,
  found: Definition | undefined,
  kind: ItemKind,
  environment: Environment,
): MistakeExtras {
  const fromLibrary = unknownHelp(name, plainCandidates(itemNames(environment, [kind])), [kind], environment);
  if (found === undefined) return fromLibrary;
  const kinds = `\`${name}\` is ${describeItem(found)} here`;
  const other = importOf(name, [kind], environment);
  return { help: other === null ? kinds : `${kinds}: rename it, then ${other}` };
}

/** Candidates of no particular kind. */
export const plainCandidates = (names: Iterable<string>): readonly Candidate[] =>
  [...names].filter((name) => !name.startsWith('"')).map((name) => ({ name, kind: "" }));
