/** Bundles dist/ before the tests run when a source is newer: tests/cli start bin/lctx.js, as people do. */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

const newest = (folder: string): number =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((time, entry) => Math.max(time, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0);

export default function setup(): void {
  const built = statSync(join(root, "dist/cli.cjs"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (built <= Math.max(...["grammar", "compiler", "runtime", "stdlib", "scripts"].map(newest)))
    execFileSync(process.execPath, ["scripts/build.mjs"], { cwd: root, stdio: "inherit" });
}
