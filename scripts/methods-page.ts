/** Writes docs/methods.md: a table of the methods in examples/, with what their specs and recorded runs say. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Item } from "../grammar/ast.ts";
import { parseFile } from "../grammar/parse.ts";
import { printMethodsTable, type MethodRow } from "./methods-table.ts";

/** Kinds of definitions, the first that an example uses is what it is about. */
const kinds = ["attention", "adapter", "rotation"] as const;
type Kind = (typeof kinds)[number];

interface Definition {
  readonly kind: Kind;
  readonly name: string;
  readonly file: string;
  /** Lines from its first word to its last brace, without the comment above. */
  readonly lines: number;
}

const isKind = (kind: Item["kind"]): kind is Kind => (kinds as readonly string[]).includes(kind);

function definitionsIn(root: string, file: string): Definition[] {
  const text = readFileSync(join(root, file), "utf8");
  const { file: parsed, diagnostics } = parseFile(file, text);
  if (diagnostics.length > 0) throw new Error(`${file} does not parse: ${diagnostics[0]!.title}`);
  return parsed.items.flatMap((item) => {
    if (!isKind(item.kind) || !("name" in item)) return [];
    const lines = text.slice(item.span.start, item.span.end).trimEnd().split("\n");
    const code = lines.filter((line) => line.trim() !== "" && !line.trimStart().startsWith("//"));
    return [{ kind: item.kind, name: item.name.text, file, lines: code.length }];
  });
}

/** Definitions that a spec is about: of the first kind that it names any of. */
function usedBy(spec: string, definitions: readonly Definition[]): readonly Definition[] {
  const words = new Set(spec.replaceAll(/\/\/.*/g, "").match(/[A-Za-z_][A-Za-z_0-9]*/g));
  for (const kind of kinds) {
    const found = definitions.filter((each) => each.kind === kind && words.has(each.name));
    if (found.length > 0) return found;
  }
  throw new Error("the spec uses no definition of the library");
}

interface Expected {
  readonly command: string;
  readonly steps: number;
  readonly bitsPerByte: number | null;
  readonly machine: string;
  readonly evaluations?: readonly {
    readonly length: number;
    readonly loss: number;
    readonly plain?: number;
  }[];
}

/** Names of the examples that are methods: a folder with a reference. */
export function methodNames(root: string): readonly string[] {
  const folder = join(root, "examples");
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "reference.ts")))
    .sort();
}

function row(root: string, name: string, definitions: readonly Definition[]): string {
  const folder = join(root, "examples", name);
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const page = read("README.md");
  const title = /^# (.+)$/m.exec(page)?.[1];
  const picture = /\((\w+\.png)\)/.exec(page)?.[1];
  const source = /^Source: (.+)$/m.exec(page)?.[1] ?? "see its page";
  if (title === undefined || picture === undefined)
    throw new Error(`${name}/README.md has no title or picture`);
  const own = definitionsIn(root, `examples/${name}/spec.lctx`);
  const used = own.length > 0 ? own : usedBy(read("spec.lctx"), definitions);
  const { bitsPerByte, steps } = JSON.parse(read("expected.json")) as Expected;
  const links = used.map((each) => `[\`${each.name}\`](../${each.file})`).join(", ");
  const lines = used.reduce((total, each) => total + each.lines, 0);
  return `| [${title}](../examples/${name}/README.md) | ${links} | ${lines} | ${bitsPerByte?.toFixed(2) ?? "none"} | ${steps} | [${picture.replace(".png", "")}](../examples/${name}/${picture}) | ${source} |`;
}

/** The methods of the table of what was run: those that choose, share out or group their keys. */
const tabled = ["sink-window", "landmark", "longheads", "shifted-sparse", "seer-gate", "vertical-slash"];

function tableRow(root: string, name: string, definitions: readonly Definition[]): MethodRow {
  const folder = join(root, "examples", name);
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const own = definitionsIn(root, `examples/${name}/spec.lctx`);
  const used = own.length > 0 ? own : usedBy(read("spec.lctx"), definitions);
  const { bitsPerByte, steps } = JSON.parse(read("expected.json")) as Expected;
  const cpu = `trains ${steps} steps${bitsPerByte === null ? "" : `, ${bitsPerByte.toFixed(2)} bits per byte`}`;
  return { name, lines: used.reduce((total, each) => total + each.lines, 0), cpu };
}

/** What runs of a method that chooses its keys: a row of the second table, null for other methods. */
function chosenRow(root: string, name: string): string | null {
  const folder = join(root, "examples", name);
  const { command, evaluations, machine } = JSON.parse(
    readFileSync(join(folder, "expected.json"), "utf8"),
  ) as Expected;
  if (evaluations === undefined) return null;
  const losses = evaluations.map(({ length, loss, plain }) => {
    const beside = plain === undefined ? "" : ` (plain ${plain.toFixed(4)})`;
    return `${loss.toFixed(4)}${beside} at ${length}`;
  });
  const on = /on (\S+):/.exec(machine)?.[1] ?? machine;
  return `| [${name}](../examples/${name}/README.md) | [reference](../examples/${name}/reference.ts) | ${on} | \`${command.replace(/examples\/[^/]*\//, "")}\` | ${losses.join(", ")} |`;
}

/** The page, for the repository at `root`. Throws when an example is not complete. */
export function printMethods(root: string): string {
  const files = readdirSync(join(root, "stdlib")).filter((name) => name.endsWith(".lctx"));
  const definitions = files.flatMap((name) => definitionsIn(root, `stdlib/${name}`));
  const rows = methodNames(root).map((name) => row(root, name, definitions));
  return [
    "<!-- Generated by `npm run generate` from examples/; do not edit. -->",
    "",
    "# Methods",
    "",
    "One row a folder of [`examples`](../examples). `lines` counts the method's definition, in the standard library or in the example.",
    "`bits per byte` is what a small model (two layers, width 128) reaches on held-out text of Moby-Dick after so many",
    "steps of its example: it shows that training works and is there to be reproduced. It does not rank methods:",
    "adapters train a few vectors beside a base that is random, and runs are far too short.",
    "",
    "| method | definition | lines | bits per byte | steps | picture | source |",
    "| --- | --- | --: | --: | --: | --- | --- |",
    ...rows,
    "",
    "## What was run",
    "",
    "From the examples and the JSON lines of [`bench/results`](../bench/results). `behaviour` is what a small model that finds",
    "things in text shows ([`bench/behaviour`](../bench/behaviour), `npm run behaviour`), as shares or as changes of the loss.",
    "",
    ...printMethodsTable(
      root,
      tabled.map((name) => tableRow(root, name, definitions)),
    ),
    "",
    "## Methods that choose their keys",
    "",
    "`nats a token` is on held-out text at the length of training and at four times that length, with the spec's attention;",
    "`plain` is the same weights with dense attention, where the method is used without training. References are compared",
    "with the interpreter and with native kernels, forward and backward, by `tests/methods/routed.test.ts`.",
    "",
    "| method | reference | ran on | trained by | nats a token |",
    "| --- | --- | --- | --- | --- |",
    ...methodNames(root).flatMap((name) => chosenRow(root, name) ?? []),
    "",
  ].join("\n");
}
