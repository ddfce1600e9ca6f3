/** Documents of text files: whole text files, lines of JSON files, rows of parquet files. */
import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { isUtf8 } from "node:buffer";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import * as zlib from "node:zlib";
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from "hyparquet";
import type { Compressors } from "hyparquet";
import { LctxError, systemCode } from "../errors.ts";
import { extensionOf } from "./resolve-source.ts";

/** A part of a document that fits in memory; the first part of each has `startsDocument`. */
export interface TextPart {
  readonly text: string;
  readonly startsDocument: boolean;
}

/** Plain files are read in parts of this many bytes, cut after a line where one ends. */
const partBytes = 4 * 2 ** 20;
/** A single line or row above this is refused. */
const maxDocumentBytes = 256 * 2 ** 20;
/** Names under which JSON lines and parquet rows hold their text. */
const textFields = ["text", "content"] as const;

function unreadable(file: string, cause: unknown): LctxError {
  return new LctxError(
    "data-unreadable",
    `${file} cannot be read (${systemCode(cause) || String(cause)})`,
    "",
    {
      cause,
    },
  );
}

/** Position of the first character that is not UTF-8. */
function firstBadByte(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at]!;
    const size = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    if (size > 1 && !isUtf8(bytes.subarray(at, at + size))) return at;
    at += size;
  }
  return bytes.length;
}

function decode(bytes: Uint8Array, file: string, at: number): string {
  if (!isUtf8(bytes)) {
    throw new LctxError(
      "data-not-utf8",
      `${file} is not UTF-8 text: byte ${at + firstBadByte(bytes)} fits no character`,
      "convert it, for example with `iconv -f LATIN1 -t UTF-8`",
    );
  }
  return new TextDecoder("utf-8", { ignoreBOM: at > 0 }).decode(bytes);
}

/** Where to cut a part that the file goes on after: after its last line, else before an unfinished character. */
function cutAt(bytes: Uint8Array): number {
  const line = bytes.lastIndexOf(10);
  if (line >= 0) return line + 1;
  let end = bytes.length;
  for (let back = 1; back <= 4 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    if (needs > back) end = bytes.length - back;
    break;
  }
  return end;
}

function* plainParts(file: string): Generator<TextPart> {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (cause) {
    throw unreadable(file, cause);
  }
  try {
    const buffer = new Uint8Array(partBytes);
    let held = 0;
    let at = 0;
    let first = true;
    for (;;) {
      const read = readSync(descriptor, buffer, held, buffer.length - held, null);
      const filled = held + read;
      if (filled === 0) return;
      const last = read === 0;
      if (!last && filled < buffer.length) {
        held = filled;
        continue;
      }
      const end = last ? filled : cutAt(buffer.subarray(0, filled));
      yield { text: decode(buffer.subarray(0, end), file, at), startsDocument: first };
      first = false;
      at += end;
      buffer.copyWithin(0, end, filled);
      held = filled - end;
    }
  } finally {
    closeSync(descriptor);
  }
}

function textOf(row: unknown, where: string): string {
  if (typeof row === "string") return row;
  if (typeof row === "object" && row !== null && !Array.isArray(row)) {
    for (const field of textFields) {
      const value = (row as Record<string, unknown>)[field];
      if (typeof value === "string") return value;
    }
    const fields = Object.keys(row).slice(0, 8).join(", ");
    throw new LctxError(
      "data-format",
      `${where} has no text under "${textFields.join('" or "')}"${fields === "" ? "" : `; it has ${fields}`}`,
    );
  }
  throw new LctxError("data-format", `${where} holds no text`);
}

async function* jsonParts(file: string): AsyncGenerator<TextPart> {
  let handle;
  try {
    handle = await open(file, "r");
  } catch (cause) {
    throw unreadable(file, cause);
  }
  let held: Buffer[] = [];
  let heldBytes = 0;
  let number = 0;
  let at = 0;
  const take = (line: Buffer): TextPart | null => {
    number++;
    const text = decode(line, file, at).trim();
    at += line.length + 1;
    if (text === "") return null;
    let row: unknown;
    try {
      row = JSON.parse(text);
    } catch (cause) {
      throw new LctxError("data-format", `line ${number} of ${file} is not JSON`, "", { cause });
    }
    return { text: textOf(row, `line ${number} of ${file}`), startsDocument: true };
  };
  try {
    for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20, autoClose: false })) {
      let rest = chunk as Buffer;
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        const part = take(Buffer.concat([...held, rest.subarray(0, end)]));
        held = [];
        heldBytes = 0;
        rest = rest.subarray(end + 1);
        if (part !== null) yield part;
      }
      held.push(Buffer.from(rest));
      heldBytes += rest.length;
      if (heldBytes > maxDocumentBytes) {
        throw new LctxError("data-format", `line ${number + 1} of ${file} is longer than 256 MiB`);
      }
    }
    const part = take(Buffer.concat(held));
    if (part !== null) yield part;
  } finally {
    await handle.close();
  }
}

/** Codecs of node:zlib; Snappy is hyparquet's own. */
function compressors(): Compressors {
  const zstd = (zlib as { zstdDecompressSync?: (bytes: Uint8Array) => Uint8Array }).zstdDecompressSync;
  return {
    GZIP: (bytes: Uint8Array, length: number) => gunzipSync(bytes, { maxOutputLength: Math.max(length, 1) }),
    BROTLI: (bytes: Uint8Array, length: number) =>
      brotliDecompressSync(bytes, { maxOutputLength: Math.max(length, 1) }),
    ...(zstd === undefined ? {} : { ZSTD: (bytes: Uint8Array) => zstd(bytes) }),
  };
}

async function* parquetParts(file: string): AsyncGenerator<TextPart> {
  const wrong = (cause: unknown): LctxError => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new LctxError("data-format", `${file} cannot be read as parquet: ${reason}`, "", { cause });
  };
  let source: Awaited<ReturnType<typeof asyncBufferFromFile>>;
  let metadata: Awaited<ReturnType<typeof parquetMetadataAsync>>;
  try {
    source = await asyncBufferFromFile(file);
    metadata = await parquetMetadataAsync(source);
  } catch (cause) {
    throw wrong(cause);
  }
  const names = metadata.schema.slice(1).map((column) => column.name);
  const field = textFields.find((name) => names.includes(name));
  if (field === undefined) {
    throw new LctxError(
      "data-format",
      `${file} has no column "${textFields.join('" or "')}"; it has ${names.slice(0, 8).join(", ")}`,
    );
  }
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    let rows: Record<string, unknown>[] = [];
    try {
      await parquetRead({
        file: source,
        metadata,
        columns: [field],
        rowStart,
        rowEnd,
        rowFormat: "object",
        compressors: compressors(),
        onComplete: (read: Record<string, unknown>[]) => {
          rows = read;
        },
      });
    } catch (cause) {
      throw wrong(cause);
    }
    for (const [i, row] of rows.entries()) {
      yield { text: textOf(row, `row ${rowStart + i} of ${file}`), startsDocument: true };
    }
    rowStart = rowEnd;
  }
}

/** The text of `files` in order. Throws LctxError `data-unreadable`, `data-not-utf8` or `data-format`. */
export async function* readDocuments(files: readonly string[]): AsyncGenerator<TextPart> {
  for (const file of files) {
    const extension = extensionOf(file);
    switch (extension) {
      case ".txt":
      case ".md":
        yield* plainParts(file);
        break;
      case ".jsonl":
      case ".ndjson":
        yield* jsonParts(file);
        break;
      case ".parquet":
        yield* parquetParts(file);
        break;
      default:
        extension satisfies never;
    }
  }
}
