/** Settings given from outside a spec, `path=value`: read by the same grammar, put into the Ast, checked like the rest. */
import type {
  CallExpr,
  DataClause,
  Expr,
  Identifier,
  Item,
  ModelItem,
  TrainClause,
  TrainItem,
} from "../../grammar/ast.ts";
import { parseFile } from "../../grammar/parse.ts";
import { messages } from "../diagnostics/messages.gen.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import type { Span } from "../source/span.ts";
import type { Definition, Environment } from "./environment.ts";

/** Where the text of an override lies, for spans: shown as the file's name. */
export const overrideFile = (override: string): string => `--set ${override}`;

/** What an item of a spec is replaced by. */
type Replacements = Map<Item, Item>;

interface Override {
  readonly path: readonly string[];
  readonly value: string;
  /** The text that stands for it in messages. */
  readonly text: string;
}

function spanOf(override: Override): Span {
  return { file: overrideFile(override.text), start: 0, end: override.text.length };
}

/** Reads items of a made-up file that holds the value; spans are moved to the value's place in the override. */
function readItem(override: Override, before: string, after: string, reporter: Reporter): Item | null {
  const { file, diagnostics } = parseFile(overrideFile(override.text), `${before}${override.value}${after}`);
  if (diagnostics.length > 0 || file.items.length !== 1) {
    reporter.add(messages.overrideUnreadable({ value: override.value }, spanOf(override)));
    return null;
  }
  return moved(file.items[0]!, spanOf(override)) as Item;
}

/** The same tree with every span at one place: inside an override a place says nothing. */
function moved(node: unknown, span: Span): unknown {
  if (Array.isArray(node)) return node.map((part) => moved(part, span));
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, part]) => [key, key === "span" ? span : moved(part, span)]),
  );
}

function readExpression(override: Override, reporter: Reporter): Expr | null {
  const item = readItem(override, "let value = ", "", reporter);
  return item?.kind === "function" ? item.body : null;
}

const named = (text: string, span: Span): Identifier => ({ text, span });

function setModel(item: ModelItem, override: Override, reporter: Reporter): ModelItem | null {
  const [, name, ...rest] = override.path;
  if (name === undefined || rest.length > 0) return null;
  const value = readExpression(override, reporter);
  if (value === null) return item;
  const span = spanOf(override);
  const setting = { name: named(name, span), value, span };
  const others = item.settings.filter((each) => each.name.text !== name);
  return { ...item, settings: [...others, setting] };
}

/** The call with one argument replaced or added. */
function setArgument(call: CallExpr, name: string, value: Expr, span: Span): CallExpr {
  const others = call.arguments.filter((argument) => argument.name?.text !== name);
  return { ...call, arguments: [...others, { name: named(name, span), value }] };
}

const clauseWord: Readonly<Partial<Record<TrainClause["kind"], string>>> = {
  "optimizer-choice": "optimizer",
  "train-sites": "train",
};

const wordOf = (clause: TrainClause): string => clauseWord[clause.kind] ?? clause.kind;

/** The clause with its text replaced, when it has exactly one. */
function setSource(clause: DataClause, source: Expr): DataClause | null {
  const texts = clause.parts.filter((part) => part.kind === "tokens");
  if (source.kind !== "string" || texts.length !== 1) return null;
  return {
    ...clause,
    parts: clause.parts.map((part) => (part.kind === "tokens" ? { ...part, source } : part)),
  };
}

/** A clause with one part replaced (`schedule.over`, `optimizer.lr`, `data.length`), or null when it has no such part. */
function setPart(clause: TrainClause, part: string, value: Expr, span: Span): TrainClause | null {
  switch (clause.kind) {
    case "optimizer-choice":
      return { ...clause, optimizer: setArgument(clause.optimizer, part, value, span) };
    case "schedule":
      return part === "over" || part === "to"
        ? { ...clause, [part]: value }
        : part === "warmup"
          ? { ...clause, warmup: { value, percent: false } }
          : null;
    case "data":
      if (part === "length") return { ...clause, length: value };
      return part === "source" ? setSource(clause, value) : null;
    case "batch":
      return part === "size" || part === "accumulate" ? { ...clause, [part]: value } : null;
    case "loss":
    case "precision":
    case "recompute":
    case "seed":
    case "clip":
    case "train-sites":
    case "stage":
      return null;
    default:
      return clause satisfies never;
  }
}

/** Lines of a recipe that can be set. */
const lines = [
  "data",
  "loss",
  "optimizer",
  "schedule",
  "batch",
  "precision",
  "recompute",
  "seed",
  "clip",
  "train",
];

/** True after a report that a recipe has no line of this name. */
function isNoLine(word: string, override: Override, reporter: Reporter): boolean {
  if (lines.includes(word)) return false;
  const meant = didYouMean(
    word,
    lines.map((name) => ({ name, kind: "line" })),
  );
  reporter.add(
    messages.overrideLineUnknown(
      { word, words: lines.join(", ") },
      spanOf(override),
      meant === null ? {} : { help: meant },
    ),
  );
  return true;
}

function setTrain(item: TrainItem, override: Override, reporter: Reporter): TrainItem | null {
  const [, word, part, ...rest] = override.path;
  if (word === undefined || rest.length > 0) return null;
  if (isNoLine(word, override, reporter)) return item;
  if (part !== undefined) {
    const at = item.clauses.findIndex((clause) => wordOf(clause) === word);
    const value = readExpression(override, reporter);
    if (value === null) return item;
    const changed = at < 0 ? null : setPart(item.clauses[at]!, part, value, spanOf(override));
    return changed === null ? null : { ...item, clauses: item.clauses.with(at, changed) };
  }
  const read = readItem(override, `train ${item.model.text} { ${word} `, " }", reporter);
  if (read?.kind !== "train" || read.clauses.length !== 1) return item;
  const clause = read.clauses[0]!;
  if (wordOf(clause) !== word) return null;
  return { ...item, clauses: [...item.clauses.filter((each) => wordOf(each) !== word), clause] };
}

function parseOverride(text: string, reporter: Reporter): Override | null {
  const match = /^\s*([A-Za-z_][\w]*(?:\.[A-Za-z_][\w]*)+)\s*=\s*([\s\S]*\S)\s*$/.exec(text);
  if (match === null) {
    reporter.add(messages.overrideForm({ text }, { file: overrideFile(text), start: 0, end: text.length }));
    return null;
  }
  return { path: match[1]!.split("."), value: match[2]!, text };
}

/**
 * The environment with overrides put in: `Model.setting=value`, `train.clause=rest`, `train.clause.part=value`
 * (`train.seed=2`, `train.batch=8 sequences`, `train.optimizer.lr=1e-3`). Overrides that fit nothing are reported.
 */
export function applyOverrides(
  environment: Environment,
  overrides: readonly string[],
  reporter: Reporter,
): Environment {
  const replaced: Replacements = new Map();
  for (const text of overrides) {
    const override = parseOverride(text, reporter);
    if (override === null) continue;
    const [first] = override.path;
    let hit = false;
    for (const item of environment.file.items) {
      const current = replaced.get(item) ?? item;
      const result =
        current.kind === "model" && current.name.text === first
          ? setModel(current, override, reporter)
          : current.kind === "train" && first === "train"
            ? setTrain(current, override, reporter)
            : null;
      if (result === null) continue;
      replaced.set(item, result);
      hit = true;
    }
    if (!hit) reporter.add(messages.overrideUnknown({ path: override.path.join(".") }, spanOf(override)));
  }
  const names = new Map<string, Definition>();
  const items = environment.file.items.map((item) => replaced.get(item) ?? item);
  const next: Environment = { ...environment, file: { ...environment.file, items }, names };
  for (const [name, definition] of environment.names) {
    const own = definition.environment === environment;
    names.set(
      name,
      own
        ? { name: definition.name, item: replaced.get(definition.item) ?? definition.item, environment: next }
        : definition,
    );
  }
  return next;
}
