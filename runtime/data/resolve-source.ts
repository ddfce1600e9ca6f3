/**
 * Finds the text that settings name. A relative name is looked for beside the spec, then in the project's `data` folder,
 * then in the current folder and its `data` folder, then in the folders of LCTX_DATA; the first place that has it wins.
 * Nothing is downloaded.
 */
import { statSync } from "node:fs";
import { delimiter, extname, isAbsolute, join, resolve } from "node:path";
import { LctxError } from "../errors.ts";
import { expandPattern, filesUnder, isPattern } from "./glob.ts";

/** Kinds of files that hold text. */
export const textExtensions = [".txt", ".md", ".jsonl", ".ndjson", ".parquet"] as const;
export type TextExtension = (typeof textExtensions)[number];

/** The kind of a file; files of other names are read as plain text when they are named themselves. */
export function extensionOf(file: string): TextExtension {
  const extension = extname(file).toLowerCase();
  return textExtensions.find((known) => known === extension) ?? ".txt";
}

export interface SourcePlaces {
  /** The folder of the spec. */
  readonly specFolder: string;
  /** The folder of the project; its `data` folder is looked in. Null when there is none. */
  readonly projectFolder: string | null;
}

/** Folders that relative names are looked for in, in order. */
export function sourceFolders(places: SourcePlaces, environment = process.env): readonly string[] {
  const listed = (environment["LCTX_DATA"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const folders = [
    places.specFolder,
    join(places.specFolder, "data"),
    ...(places.projectFolder === null ? [] : [join(places.projectFolder, "data")]),
    process.cwd(),
    join(process.cwd(), "data"),
    ...listed,
  ];
  return [...new Set(folders.map((folder) => resolve(folder)))];
}

function kindOf(path: string): "file" | "folder" | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile()) return "file";
  return stat?.isDirectory() ? "folder" : null;
}

/** Files at one place, or none. */
function filesAt(place: string): readonly string[] {
  if (isPattern(place)) return expandPattern(place);
  for (const candidate of [place, ...textExtensions.map((extension) => place + extension)]) {
    const kind = kindOf(candidate);
    if (kind === "file") return [candidate];
    if (kind === "folder") {
      return filesUnder(candidate)
        .filter((file) => (textExtensions as readonly string[]).includes(extname(file).toLowerCase()))
        .map((file) => join(candidate, file));
    }
  }
  return [];
}

/**
 * The files of `source`: a file, a folder (every text file in it), a glob, or a data set's name (a file of that name with
 * one of `textExtensions`, or a folder). In byte order of their paths. Throws LctxError `data-not-found`.
 */
export function resolveSource(source: string, places: SourcePlaces): readonly string[] {
  if (source === "" || source.includes("\0")) {
    throw new LctxError("data-not-found", "the name of the data is empty or holds a zero character");
  }
  const folders = isAbsolute(source) ? [""] : sourceFolders(places);
  for (const folder of folders) {
    const files = filesAt(folder === "" ? source : join(folder, source));
    if (files.length > 0) return files;
  }
  const looked = isAbsolute(source) ? source : folders.map((folder) => join(folder, source)).join("\n  ");
  const home = join(places.projectFolder ?? places.specFolder, "data");
  throw new LctxError(
    "data-not-found",
    `there is no text for data "${source}"; looked at\n  ${looked}`,
    `lctx downloads nothing: put the text there as a .txt, .jsonl or .parquet file or a folder of them ` +
      `(for example ${join(home, isAbsolute(source) || isPattern(source) ? "text.txt" : `${source}.jsonl`)}), ` +
      `name a folder of data sets in LCTX_DATA, or train on another text with --data <path>`,
  );
}
