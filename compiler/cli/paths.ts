/** Where the package's own files are, run from sources or from the bundle. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json, stdlib and examples. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    if (existsSync(join(folder, "stdlib")) && existsSync(join(folder, "package.json"))) return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new Error("the package's files are incomplete: no stdlib folder");
    folder = parent;
  }
}

/** The version of this package. */
export function version(): string {
  const text = readFileSync(join(packageRoot(), "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Where compiled kernels and built projects are kept: $LCTX_CACHE, else the user's cache folder. */
export function cacheFolder(): string {
  const own = process.env["LCTX_CACHE"];
  if (own) return resolve(own);
  const base = process.env["XDG_CACHE_HOME"];
  return base ? join(base, "lctx") : join(homedir(), ".cache", "lctx");
}
