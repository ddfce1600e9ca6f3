/** Compiled kernels on disk: whole entries only, found by name, safe for processes that write at the same time. */
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** Work folders of a process that was ended are removed after this many milliseconds. */
const staleAfter = 3_600_000;

/** A short name for what `parts` lead to. */
export function keyOf(parts: readonly string[]): string {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(`${Buffer.byteLength(part)}:`).update(part);
  return sum.digest("hex").slice(0, 32);
}

const sumOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export class KernelCache {
  /** Why nothing is kept; null when entries are kept, or when no one asked for that. */
  readonly problem: string | null;
  readonly #folder: string | null;

  /** A folder that cannot be written is told in `problem`; `null` keeps nothing. */
  constructor(folder: string | null) {
    let usable = folder;
    let problem: string | null = null;
    if (folder !== null)
      try {
        mkdirSync(folder, { recursive: true });
        rmSync(mkdtempSync(join(folder, ".making-")), { recursive: true });
        this.#sweep(folder);
      } catch (error) {
        usable = null;
        problem = `kernels are not kept: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`;
      }
    this.#folder = usable;
    this.problem = problem;
  }

  /** Path of a whole entry, else null: a file cut short would end the process that loads it. */
  find(name: string): string | null {
    return this.read(name) === null ? null : join(this.#folder!, name);
  }

  /** Bytes of a whole entry, else null. */
  read(name: string): Uint8Array<ArrayBuffer> | null {
    if (this.#folder === null) return null;
    const path = join(this.#folder, name);
    try {
      const bytes = readFileSync(path);
      return sumOf(bytes) === readFileSync(`${path}.sum`, "utf8") ? new Uint8Array(bytes) : null;
    } catch {
      return null;
    }
  }

  /** Moves a finished file of a work folder in; gives the path it has then. A disk that is full keeps nothing. */
  keep(name: string, made: string): string {
    if (this.#folder === null) return made;
    const path = join(this.#folder, name);
    try {
      // The sum first: with an older file beside it, it is no match, and the entry is made again.
      writeFileSync(`${made}.sum`, sumOf(readFileSync(made)));
      renameSync(`${made}.sum`, `${path}.sum`);
      renameSync(made, path);
      return path;
    } catch {
      return made;
    }
  }

  /** Keeps bytes under a name. */
  write(name: string, bytes: Uint8Array): void {
    if (this.#folder === null) return;
    const folder = this.workFolder();
    try {
      const made = join(folder, basename(name));
      writeFileSync(made, bytes);
      this.keep(name, made);
    } catch {
      // Kept or not, the kernels run.
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** A new empty folder on the cache's disk; whoever asks removes it. */
  workFolder(): string {
    return mkdtempSync(this.#folder === null ? join(tmpdir(), "lctx-") : join(this.#folder, ".making-"));
  }

  #sweep(folder: string): void {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(".making-")) continue;
      const path = join(folder, name);
      try {
        if (Date.now() - statSync(path).mtimeMs > staleAfter) rmSync(path, { recursive: true, force: true });
      } catch {
        // Another process removed it first.
      }
    }
  }
}
