/** File operations that checkpoints use, so that tests can make each of them fail, and durable writing built on them. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { LctxError, systemCode } from "../errors.ts";

export interface Files {
  makeFolder(path: string): void;
  /** Opens a new file for writing; fails when it is there. */
  create(path: string): number;
  /** Opens a file or folder for `sync`. */
  openForSync(path: string): number;
  /** Returns how many bytes were written, which may be fewer than asked. */
  write(descriptor: number, bytes: Uint8Array, offset: number): number;
  sync(descriptor: number): void;
  close(descriptor: number): void;
  rename(from: string, to: string): void;
  /** Removes a file or a folder with all it holds; nothing happens when it is not there. */
  remove(path: string): void;
  list(path: string): string[];
  read(path: string): Buffer;
  exists(path: string): boolean;
}

/** The disk. */
export const diskFiles: Files = {
  makeFolder: (path) => void mkdirSync(path, { recursive: true }),
  create: (path) => openSync(path, "wx"),
  openForSync: (path) => openSync(path, "r"),
  write: (descriptor, bytes, offset) => writeSync(descriptor, bytes, offset),
  sync: fsyncSync,
  close: closeSync,
  rename: renameSync,
  remove: (path) => rmSync(path, { recursive: true, force: true }),
  list: (path) => readdirSync(path),
  read: (path) => readFileSync(path),
  exists: existsSync,
};

/** A failed write as an error people can act on. */
export function writeFailure(what: string, cause: unknown): LctxError {
  if (cause instanceof LctxError) return cause;
  const code = systemCode(cause);
  const ways: Readonly<Record<string, string>> = {
    ENOSPC: "free some space; what was saved before is still there",
    EDQUOT: "the disk quota is used up; what was saved before is still there",
    EROFS: "the disk is read-only; name another folder with --run",
    EACCES: "the folder may not be written; name another one with --run",
  };
  return new LctxError(
    "write-failed",
    `${what} could not be written (${code || String(cause)})`,
    ways[code] ?? "what was saved before is still there",
    { cause },
  );
}

/** Writes a new file and makes its content durable. On failure the file may be left in part; callers write under a temporary name. */
export function writeDurable(files: Files, path: string, parts: readonly Uint8Array[]): void {
  const descriptor = files.create(path);
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length;) {
        let written: number;
        try {
          written = files.write(descriptor, part, at);
        } catch (cause) {
          if (systemCode(cause) === "EINTR") continue;
          throw cause;
        }
        if (written === 0) throw new Error("the disk took nothing");
        at += written;
      }
    }
    // When this fails the kernel may have dropped the data: asking again would lie, so the whole save fails.
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
}

/** Makes names in a folder durable. */
export function syncFolder(files: Files, path: string): void {
  const descriptor = files.openForSync(path);
  try {
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
}

/** Makes a folder, with the folders it lies in, so that their names outlast a power cut. */
export function makeDurableFolder(files: Files, path: string): void {
  const made: string[] = [];
  for (let at = path; !files.exists(at); at = dirname(at)) made.push(at);
  if (made.length === 0) return;
  files.makeFolder(path);
  for (const folder of made.reverse()) syncFolder(files, dirname(folder));
}

/** Replaces a file in one step: other processes see the old content or the new. */
export function replaceFile(files: Files, path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    files.remove(temporary);
    writeDurable(files, temporary, [typeof content === "string" ? Buffer.from(content, "utf8") : content]);
    files.rename(temporary, path);
    syncFolder(files, dirname(path));
  } catch (cause) {
    try {
      files.remove(temporary);
    } catch {
      // The first failure is the one to report.
    }
    throw writeFailure(path, cause);
  }
}
