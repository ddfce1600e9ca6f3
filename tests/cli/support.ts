/** Starts `lctx` as a process of its own, in a folder of its own, with its own cache. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "vitest";

export const root = resolve(import.meta.dirname, "../..");

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** What a process prints, and how it ends. `onOut` sees all that was printed so far. */
export function ended(child: ChildProcess, onOut: (out: string) => void = () => {}): Promise<Ended> {
  let out = "";
  let err = "";
  child.stdout!.on("data", (data: Buffer) => onOut((out += data.toString())));
  child.stderr!.on("data", (data: Buffer) => (err += data.toString()));
  return new Promise((done) => child.on("close", (code) => done({ code, out, err })));
}

export interface Place {
  readonly folder: string;
  write(name: string, content: string | Uint8Array): void;
  start(args: readonly string[]): ChildProcess;
  /** Runs to the end; whatever happens, no stack trace may show. */
  lctx(...args: readonly string[]): Promise<Ended>;
  remove(): void;
}

export function openPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), "lctx-cli-"));
  const env = { ...process.env, LCTX_CACHE: join(folder, "cache"), NO_COLOR: "1", FORCE_COLOR: undefined };
  const start = (args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [join(root, "bin/lctx.js"), ...args], { cwd: folder, env });
  return {
    folder,
    write: (name, content) => writeFileSync(join(folder, name), content),
    start,
    async lctx(...args) {
      const result = await ended(start(args));
      expect(`${result.out}${result.err}`).not.toMatch(/^\s+at .*:\d+:\d+|internal error/m);
      return result;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A spec that trains in milliseconds a step, for as many steps as are asked for. */
export const tinySpec = `/// A tiny model.
import std.masks { causal, window }

attention Near(span: Count = 8) {
  mask causal and window(span)
}

model Tiny = decoder {
  vocab 256   layers 1   heads 2   width 16   length 16
  attention Near()
}

train Tiny {
  data       tokens "text.txt" length 16 validate 10%
  loss       next_token
  optimizer  adamw(lr: 1e-3)
  schedule   constant over 1_000_000
  batch      2 sequences
  seed       1
}
`;

export const tinyText = Array.from({ length: 200 }, (_, n) => `Line ${n} of a small text.\n`).join("");
