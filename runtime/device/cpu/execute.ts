/** Runs the machine's compiler as a child process without a shell. */
import { execFile } from "node:child_process";

export interface Finished {
  /** Exit code; -1 when it could not be run or was ended. */
  readonly code: number;
  /** Standard output, then standard error. */
  readonly output: string;
}

const seconds = 120;

export const libraryExtension = process.platform === "darwin" ? "dylib" : "so";

export const linkFlags: readonly string[] =
  process.platform === "darwin"
    ? ["-dynamiclib"]
    : // Worker threads may outlive the handle: a library that is unmapped under them ends the process.
      ["-shared", "-Wl,-z,nodelete", "-Wl,-z,defs"];

export function execute(command: string, args: readonly string[]): Promise<Finished> {
  return new Promise((done) => {
    execFile(
      command,
      [...args],
      // Messages in English, as the rest; and no more output than is read.
      { encoding: "utf8", timeout: seconds * 1000, maxBuffer: 1 << 24, env: { ...process.env, LC_ALL: "C" } },
      (error, out, err) => {
        const output = `${out}${err}`.trim();
        if (error === null) done({ code: 0, output });
        else if (typeof error.code === "number") done({ code: error.code, output });
        else if (error.killed === true) done({ code: -1, output: `it was ended after ${seconds} s` });
        else done({ code: -1, output: output || `it cannot be run (${error.code ?? error.signal})` });
      },
    );
  });
}
