/** Token cache: the tokens of a text, made once and kept in a file named by the hash of what they were made from. */
import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { endianness } from "node:os";
import { join } from "node:path";
import { LctxError, systemCode } from "../errors.ts";
import type { Tokenizer } from "../tokens/tokenizer.ts";
import { readDocuments } from "./documents.ts";
import { extensionOf } from "./resolve-source.ts";

/** Facts about a token file; stored beside it as JSON. */
export interface TokenFacts {
  readonly format: 1;
  /** Hash of the text, the tokenizer and this format: the name of the files. */
  readonly key: string;
  /** sha256 of the token file. */
  readonly digest: string;
  /** Bytes of one token in the file, little-endian. */
  readonly width: 2 | 4;
  readonly tokens: number;
  /** Bytes of UTF-8 text. */
  readonly textBytes: number;
  /** True when the tokens' byte lengths sum to `textBytes`, so that bits per byte are exact. */
  readonly bytesExact: boolean;
  /** Where each document starts, in tokens. */
  readonly documents: readonly number[];
}

export interface TokenFile {
  readonly path: string;
  readonly facts: TokenFacts;
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(part as Buffer);
  } catch (cause) {
    throw new LctxError("data-unreadable", `${path} cannot be read (${systemCode(cause)})`, "", { cause });
  }
  return hash.digest("hex");
}

/** Hash of the text of `files` and of how it becomes tokens. */
export async function tokenKey(files: readonly string[], tokenizer: Tokenizer): Promise<string> {
  const hash = createHash("sha256").update(`tokens-1\0${tokenizer.hash}\0`);
  for (const file of files) hash.update(`${extensionOf(file)}\0${await hashFile(file)}\0`);
  return hash.digest("hex");
}

/** The facts of a cached file when it is whole; null when it has to be made (again). */
async function readCached(path: string, key: string): Promise<TokenFacts | null> {
  try {
    const facts = JSON.parse(readFileSync(`${path}.json`, "utf8")) as TokenFacts;
    if (facts.format !== 1 || facts.key !== key) return null;
    if (statSync(path).size !== facts.tokens * facts.width) return null;
    return (await hashFile(path)) === facts.digest ? facts : null;
  } catch {
    return null;
  }
}

/** The bytes of `words`, lowest first whatever this machine's order is; may reorder `words` in place. */
function littleEndian(words: Uint16Array | Uint32Array): Buffer {
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
  if (endianness() === "BE") words.BYTES_PER_ELEMENT === 2 ? bytes.swap16() : bytes.swap32();
  return bytes;
}

class TokenWriter {
  readonly #descriptor: number;
  readonly #hash = createHash("sha256");
  readonly #width: 2 | 4;
  tokens = 0;

  constructor(path: string, width: 2 | 4) {
    this.#descriptor = openSync(path, "wx");
    this.#width = width;
  }

  write(ids: Int32Array | readonly number[]): void {
    const bytes = littleEndian(this.#width === 2 ? new Uint16Array(ids) : new Uint32Array(ids));
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
    this.tokens += ids.length;
  }

  /** Returns the digest. Nobody waits for the disk: a file that a crash cut short has another digest, and is made again. */
  finish(): string {
    this.close();
    return this.#hash.digest("hex");
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** By number: an iterator over millions of tokens takes ten times as long. */
function bytesOf(ids: Int32Array, tokenizer: Tokenizer): number {
  let bytes = 0;
  for (let i = 0; i < ids.length; i++) bytes += tokenizer.byteLength(ids[i]!);
  return bytes;
}

/** Removes what stopped processes left in the cache; nothing else. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = Number(/\.tokens\.(\d+)\.tmp(?:\.json)?$/.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(pid)) continue;
    let alive = pid !== process.pid;
    try {
      if (alive) process.kill(pid, 0);
    } catch (error) {
      alive = systemCode(error) === "EPERM";
    }
    if (!alive) rmSync(join(folder, name), { force: true });
  }
}

/**
 * Opens the tokens of `files` in `cacheFolder`, making them when they are not there whole. Files are written under
 * another name and renamed, the facts last, so a stopped process leaves nothing that looks whole.
 * Throws LctxError for text that cannot be read, `data-empty`, and `write-failed`.
 */
export async function openTokenFile(
  files: readonly string[],
  tokenizer: Tokenizer,
  cacheFolder: string,
): Promise<TokenFile> {
  const key = await tokenKey(files, tokenizer);
  const path = join(cacheFolder, `${key.slice(0, 32)}.tokens`);
  const cached = existsSync(path) ? await readCached(path, key) : null;
  if (cached !== null) return { path, facts: cached };

  const temporary = `${path}.${process.pid}.tmp`;
  const width = tokenizer.size <= 65_536 ? 2 : 4;
  let writer: TokenWriter | null = null;
  try {
    mkdirSync(cacheFolder, { recursive: true });
    removeLeftovers(cacheFolder);
    writer = new TokenWriter(temporary, width);
    const documents: number[] = [];
    let textBytes = 0;
    let tokenBytes = 0;
    const endDocument = (): void => {
      if (documents.length > 0 && tokenizer.endOfText !== null) writer!.write([tokenizer.endOfText]);
    };
    for await (const part of readDocuments(files)) {
      if (part.text === "") continue;
      if (part.startsDocument) {
        endDocument();
        documents.push(writer.tokens);
      }
      const ids = tokenizer.encode(part.text);
      writer.write(ids);
      textBytes += Buffer.byteLength(part.text, "utf8");
      tokenBytes += bytesOf(ids, tokenizer);
    }
    endDocument();
    const { tokens } = writer;
    const digest = writer.finish();
    writer = null;
    if (tokens === 0) {
      throw new LctxError("data-empty", `there is no text in ${files.slice(0, 3).join(", ")}`);
    }
    const bytesExact = textBytes === tokenBytes;
    const facts: TokenFacts = { format: 1, key, digest, width, tokens, textBytes, bytesExact, documents };
    renameSync(temporary, path);
    writeFileSync(`${temporary}.json`, JSON.stringify(facts));
    renameSync(`${temporary}.json`, `${path}.json`);
    return { path, facts };
  } catch (cause) {
    if (cause instanceof LctxError) throw cause;
    if (systemCode(cause) === "") throw cause;
    throw new LctxError(
      "write-failed",
      `tokens cannot be written to ${cacheFolder} (${systemCode(cause)})`,
      "free some space or name another folder",
      { cause },
    );
  } finally {
    writer?.close();
    rmSync(temporary, { force: true });
    rmSync(`${temporary}.json`, { force: true });
  }
}
