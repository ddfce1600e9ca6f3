/** Loads a project: the root file, everything it imports, and the names each file may use. */
import type { AstFile, Identifier, ImportItem, Item } from "../../grammar/ast.ts";
import { parseFile, type ParseResult } from "../../grammar/parse.ts";
import { messages } from "../diagnostics/messages.gen.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import type { Span } from "../source/span.ts";
import type { Definition, Environment, LibraryIndex, SourceHost } from "./environment.ts";

/** The name that a library file has in messages and spans: `std/masks.lctx`. */
export const libraryFile = (parts: readonly string[]): string => `${parts.join("/")}.lctx`;

/** Parsed library files by path and text: specs checked one after another share them. */
const parsedLibrary = new Map<string, { readonly text: string; readonly result: ParseResult }>();

function parseLibrary(parts: readonly string[], text: string, host: SourceHost): ParseResult {
  const path = libraryFile(parts);
  const known = parsedLibrary.get(path);
  if (known?.text === text) return known.result;
  const result = host.parsedLibrary?.(parts, text) ?? parseFile(path, text);
  parsedLibrary.set(path, { text, result });
  return result;
}

/** The name an item defines in its file; models are entered under their name, published settings by id in quotes. */
function definedName(item: Item): { readonly name: string; readonly span: Span } | null {
  switch (item.kind) {
    case "import":
    case "adapt":
    case "train":
    case "evaluate":
      return null;
    case "pretrained":
      return { name: JSON.stringify(item.id.value), span: item.id.span };
    case "mask":
    case "score":
    case "function":
    case "rotation":
    case "attention":
    case "module":
    case "adapter":
    case "optimizer":
    case "task":
    case "model":
      return { name: item.name.text, span: item.name.span };
    default:
      return item satisfies never;
  }
}

/** Folds `.` and `..`; leading `..` stay. */
function normalise(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    const last = parts[parts.length - 1];
    if (part === ".." && last !== undefined && last !== "..") parts.pop();
    else parts.push(part);
  }
  return (path.startsWith("/") ? "/" : "") + parts.join("/");
}

/** The path of an import beside the file that has it, or null when it cannot lie inside the project. */
function importedPath(from: string, given: string): string | null {
  if (given.startsWith("/") || given.includes("\\") || given.includes("\0") || /^[A-Za-z]+:/.test(given))
    return null;
  const folder = from.includes("/") ? from.slice(0, from.lastIndexOf("/")) : "";
  const path = normalise(from.startsWith("/") || folder !== "" ? `${folder}/${given}` : given);
  const climbs = (p: string): number => p.split("/").filter((part) => part === "..").length;
  return climbs(path) > climbs(normalise(from)) ? null : path;
}

interface Loading {
  readonly host: SourceHost;
  readonly reporter: Reporter;
  /** Finished files; null for a file that could not be read. */
  readonly done: Map<string, Loaded | null>;
  /** Files whose imports are being read, outermost first. */
  readonly open: string[];
  readonly index: () => LibraryIndex;
}

interface Loaded {
  readonly environment: Environment;
  /** What other files may import: own items and what the file itself imports. */
  readonly exported: ReadonlyMap<string, Definition>;
}

/** Names of the library's files, read once when a message first asks for them. */
function libraryIndex(host: SourceHost): () => LibraryIndex {
  let index: LibraryIndex | null = null;
  const read = (): LibraryIndex => {
    const found = new Map<string, { from: string; kind: Item["kind"] }[]>();
    for (const parts of host.libraryFiles?.() ?? []) {
      const text = host.library(parts);
      if (text === null) continue;
      for (const item of parseLibrary(parts, text, host).file.items) {
        const name = definedName(item)?.name;
        if (name === undefined || name.startsWith('"')) continue;
        found.set(name, [...(found.get(name) ?? []), { from: parts.join("."), kind: item.kind }]);
      }
    }
    return found;
  };
  return () => (index ??= read());
}

const preludePath = ["std", "prelude"];
const publishedPath = ["std", "models", "pretrained"];

function loadLibrary(path: readonly string[], loading: Loading): Loaded | null {
  const key = path.join(".");
  const known = loading.done.get(key);
  if (known !== undefined) return known;
  const text = loading.host.library(path);
  if (text === null) return null;
  return loadFile(key, libraryFile(path), parseLibrary(path, text, loading.host), loading, false);
}

function loadFile(
  key: string,
  path: string,
  parsed: ParseResult,
  loading: Loading,
  withPrelude: boolean,
): Loaded {
  const { reporter } = loading;
  reporter.addAll(parsed.diagnostics);
  const names = new Map<string, Definition>();
  const prelude = new Map<string, Definition>();
  const environment: Environment = {
    file: parsed.file,
    names,
    prelude,
    library: loading.index,
    // The library has no files but specs.
    readBeside(given) {
      const beside = withPrelude ? importedPath(path, given) : null;
      return beside === null ? null : loading.host.read(beside);
    },
  };
  const places = new Map<string, Span>();
  loading.open.push(key);
  enterItems(parsed.file, environment, names, places, reporter);
  for (const item of parsed.file.items)
    if (item.kind === "import") readImport(item, path, names, places, loading);
  loading.open.pop();
  const exported = new Map(names);
  if (withPrelude) {
    for (const from of [preludePath, publishedPath]) {
      const library = loadLibrary(from, loading);
      for (const [name, definition] of library?.exported ?? []) {
        if (from !== preludePath && !name.startsWith('"')) continue;
        if (from === preludePath) prelude.set(name, definition);
        if (!names.has(name)) names.set(name, definition);
      }
    }
  }
  const loaded = { environment, exported };
  loading.done.set(key, loaded);
  return loaded;
}

function enterItems(
  file: AstFile,
  environment: Environment,
  names: Map<string, Definition>,
  places: Map<string, Span>,
  reporter: Reporter,
): void {
  for (const item of file.items) {
    const defined = definedName(item);
    if (defined === null) continue;
    const first = places.get(defined.name);
    if (first !== undefined) {
      const secondary = [{ span: first, label: "first here" }];
      reporter.add(messages.nameTaken({ name: defined.name }, defined.span, { secondary }));
      continue;
    }
    places.set(defined.name, defined.span);
    const name = item.kind === "pretrained" ? item.id.value : defined.name;
    names.set(defined.name, { name, item, environment });
  }
}

function readImport(
  item: ImportItem,
  path: string,
  names: Map<string, Definition>,
  places: Map<string, Span>,
  loading: Loading,
): void {
  const { reporter } = loading;
  const source = loadSource(item, path, loading);
  if (source === null) return;
  for (const name of item.names) enterImport(name, source, names, places, reporter);
  for (const [name, definition] of source.exported)
    if (name.startsWith('"') && !names.has(name)) names.set(name, definition);
}

function enterImport(
  name: Identifier,
  source: Loaded,
  names: Map<string, Definition>,
  places: Map<string, Span>,
  reporter: Reporter,
): void {
  const definition = source.exported.get(name.text);
  if (definition === undefined) {
    const candidates = [...source.exported]
      .filter(([known]) => !known.startsWith('"'))
      .map(([known, d]) => ({ name: known, kind: d.item.kind }));
    const near = didYouMean(name.text, candidates);
    const listed = candidates.map((c) => `\`${c.name}\``).join(", ");
    const help = near ?? (listed === "" ? null : `it has ${listed}`);
    const file = source.environment.file.path;
    reporter.add(messages.importNameUnknown({ name: name.text, file }, name.span, { help }));
    return;
  }
  const first = places.get(name.text);
  if (first !== undefined) {
    const secondary = [{ span: first, label: "first here" }];
    reporter.add(messages.nameTaken({ name: name.text }, name.span, { secondary }));
    return;
  }
  places.set(name.text, name.span);
  names.set(name.text, definition);
}

/** The file an import names, loaded; null after a report. */
function loadSource(item: ImportItem, path: string, loading: Loading): Loaded | null {
  const { reporter, host } = loading;
  const cyclic = (key: string, span: Span): boolean => {
    const at = loading.open.indexOf(key);
    if (at === -1) return false;
    const files = [...loading.open.slice(at), key].map((file) => `\`${file}\``).join(" → ");
    reporter.add(messages.importCycle({ files }, span));
    return true;
  };
  if (item.from.kind === "library") {
    const parts = item.from.path.map((part) => part.text);
    const first = item.from.path[0];
    if (first === undefined) return null;
    const last = item.from.path[item.from.path.length - 1]!;
    const span = { ...first.span, end: last.span.end };
    const key = parts.join(".");
    if (cyclic(key, span)) return null;
    const loaded = loadLibrary(parts, loading);
    if (loaded === null) reporter.add(messages.importLibraryUnknown({ library: key }, span));
    return loaded;
  }
  const { value: given, span } = item.from;
  const key = importedPath(path, given);
  if (key === null) {
    reporter.add(messages.importOutside({ path: given }, span));
    return null;
  }
  if (cyclic(key, span)) return null;
  const known = loading.done.get(key);
  if (known !== undefined) return known;
  const text = host.read(key);
  if (text === null) {
    reporter.add(messages.importFileUnknown({ path: given }, span));
    return null;
  }
  return loadFile(key, key, parseFile(key, text), loading, true);
}

/**
 * Reads the root file and all its imports. Mistakes in any of the files are reported; null only when the root file
 * cannot be read.
 */
export function loadProject(rootPath: string, host: SourceHost, reporter: Reporter): Environment | null {
  const text = host.read(rootPath);
  if (text === null) {
    reporter.add(messages.fileUnknown({ path: rootPath }, { file: rootPath, start: 0, end: 0 }));
    return null;
  }
  const loading: Loading = { host, reporter, done: new Map(), open: [], index: libraryIndex(host) };
  const key = normalise(rootPath);
  return loadFile(key, rootPath, parseFile(rootPath, text), loading, true).environment;
}
