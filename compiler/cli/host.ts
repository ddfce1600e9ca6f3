/** Reads specs from the disk for the checker: the project's files and the standard library, nothing else. */
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { ParseResult } from "../../grammar/parse.ts";
import type { SourceHost } from "../check/environment.ts";
import { exitCodes, UsageError } from "./exit-codes.ts";
import { packageRoot } from "./paths.ts";

/** The largest spec that is read, in bytes. */
export const largestFile = 1 << 20;

const inside = (folder: string, path: string): boolean => {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
};

function readSpec(path: string): string | null {
  try {
    const facts = statSync(path);
    if (!facts.isFile() || facts.size > largestFile) return null;
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** What the build keeps of a library file beside the bundle: its text, and what parsing it gives. */
export interface ParsedLibraryFile {
  readonly text: string;
  readonly result: ParseResult;
}

/** The kept tree of a library file; null where there is none, as when run from sources, or when the text changed. */
function keptTree(parts: readonly string[], text: string): ParseResult | null {
  try {
    const url = new URL(`./library/${parts.slice(1).join("/")}.json`, import.meta.url);
    const kept = JSON.parse(readFileSync(url, "utf8")) as ParsedLibraryFile;
    return kept.text === text ? kept.result : null;
  } catch {
    return null;
  }
}

/** A spec on the disk with the host that finds what it imports. */
export interface SpecFile {
  /** As it is shown: relative to the working folder where it lies below it. */
  readonly path: string;
  /** Where it lies. */
  readonly absolutePath: string;
  readonly text: string;
  readonly host: SourceHost;
}

/**
 * Opens a spec. Imports may reach files below the working folder when the spec lies there, else below the spec's own
 * folder; links that lead outside are refused. Throws a UsageError when the spec cannot be read.
 */
export function openSpec(given: string): SpecFile {
  if (given === "") throw new UsageError("the name of the spec is empty", "name a .lctx file");
  const absolutePath = resolve(given);
  let size: number;
  try {
    const facts = statSync(absolutePath);
    if (facts.isDirectory())
      throw new UsageError(`${given} is a folder`, "name a .lctx file inside it, or see `lctx examples`");
    size = facts.size;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read ${given}`, "see `lctx examples` for specs that ship with lctx");
  }
  if (size > largestFile)
    throw new UsageError(
      `${given} has ${size} bytes`,
      `a spec has at most ${largestFile} bytes: split it and import the parts`,
      exitCodes.limit,
    );
  const text = readSpec(absolutePath);
  if (text === null)
    throw new UsageError(`cannot read ${given}`, "it is no plain file, or its permissions forbid it");
  const working = realpathSync(process.cwd());
  const real = realpathSync(absolutePath);
  const root = inside(working, real) ? working : dirname(real);
  const path = inside(process.cwd(), absolutePath) ? relative(process.cwd(), absolutePath) : given;
  const library = join(packageRoot(), "stdlib");
  const host: SourceHost = {
    read(name) {
      if (resolve(name) === absolutePath) return text;
      try {
        const target = realpathSync(resolve(name));
        return inside(root, target) ? readSpec(target) : null;
      } catch {
        return null;
      }
    },
    library(parts) {
      const [first, ...rest] = parts;
      if (first !== "std" || rest.some((part) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(part))) return null;
      return readSpec(`${join(library, ...rest)}.lctx`);
    },
    libraryFiles: () =>
      readdirSync(library, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".lctx"))
        .map((name) => ["std", ...name.slice(0, -".lctx".length).split(sep)])
        .sort(),
    parsedLibrary: keptTree,
  };
  return { path: path.split(sep).join("/"), absolutePath, text, host };
}
