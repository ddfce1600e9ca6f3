/** Files whose n-th operation fails, for fault injection. */
import { diskFiles } from "../../runtime/checkpoint/files.ts";
import type { Files } from "../../runtime/checkpoint/files.ts";

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** Operations that change the disk or make it durable. */
const operations = [
  "makeFolder",
  "create",
  "openForSync",
  "write",
  "sync",
  "close",
  "rename",
  "remove",
  "list",
  "read",
] as const;

export interface FaultyFiles extends Files {
  /** Operations done so far. */
  readonly count: () => number;
}

/** The disk, but operation number `failAt` (from 0) fails with `code`; every later one of kinds in `sticky` fails too. */
export function faultyFiles(failAt: number, code: string, sticky = false): FaultyFiles {
  let count = 0;
  const files: Record<string, unknown> = { ...diskFiles, count: () => count };
  for (const name of operations) {
    const real = diskFiles[name] as (...args: unknown[]) => unknown;
    files[name] = (...args: unknown[]): unknown => {
      const now = count++;
      const fails = sticky
        ? now >= failAt && ["create", "write", "makeFolder"].includes(name)
        : now === failAt;
      if (fails) {
        // A failed close still gives the descriptor back.
        if (name === "close") real(...args);
        throw systemError(code);
      }
      return real(...args);
    };
  }
  return files as unknown as FaultyFiles;
}

/** The disk, taking only a few bytes at a time and being interrupted now and then. */
export function slowFiles(): Files {
  let turn = 0;
  return {
    ...diskFiles,
    write: (descriptor, bytes, offset) => {
      if (turn++ % 5 === 4) throw systemError("EINTR");
      return diskFiles.write(descriptor, bytes.subarray(0, Math.min(bytes.length, offset + 100)), offset);
    },
  };
}
