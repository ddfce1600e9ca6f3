/**
 * Draws the README's pictures with the project's own verbs: the mask of its spec, the loss of its first example.
 * `npm run pictures` trains that example; `npm run pictures -- runs/whale` draws a run that is there.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const lctx = (...args: string[]): void => {
  execFileSync(process.execPath, [join(root, "bin/lctx.js"), ...args], { cwd: root, stdio: "inherit" });
};

const spec = /^```lctx\n([\s\S]*?)^```$/m.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1];
if (spec === undefined) throw new Error("README.md has no spec");
const folder = mkdtempSync(join(tmpdir(), "lctx-pictures-"));
try {
  const path = join(folder, "readme.lctx");
  writeFileSync(path, spec);
  lctx("viz", "mask", path, "--length", "192", "--out", "docs/pictures/mask.svg");
} finally {
  rmSync(folder, { recursive: true });
}

let run = process.argv[2];
if (run === undefined) {
  run = "runs/whale";
  lctx("train", "examples/moby-dick.lctx", "--run", run);
}
lctx("viz", "loss", run, "--out", "docs/pictures/loss.svg");
