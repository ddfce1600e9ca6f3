/** Finds the tokenizer that settings name. */
import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { LctxError } from "../errors.ts";
import { byteTokenizer } from "./bytes.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** `bytes`, or a path looked for in each of `folders` in turn. Throws LctxError `tokenizer-not-found`. */
export async function openTokenizer(name: string, folders: readonly string[]): Promise<Tokenizer> {
  if (name === "bytes") return byteTokenizer;
  const places = isAbsolute(name) ? [name] : folders.map((folder) => resolve(folder, name));
  for (const place of places) {
    const file = place.endsWith(".json") ? place : join(place, "tokenizer.json");
    if (existsSync(file)) return (await import("./tokenizer-file.ts")).readTokenizer(file);
  }
  throw new LctxError(
    "tokenizer-not-found",
    `there is no tokenizer "${name}"; looked at ${places.join(", ")}`,
    `name a tokenizer.json, or a folder that holds one, relative to the spec; or write tokenizer "bytes"`,
  );
}
