// Bundles the command line, the compiler and the runtime into dist/; packages of node_modules stay outside.
import { build } from "esbuild";
import { copyFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const entryPoints = {
  cli: "compiler/cli/main.ts",
  compiler: "compiler/index.ts",
  runtime: "runtime/index.ts",
  prettier: "grammar/prettier-plugin.ts",
};
const { metafile } = await build({
  entryPoints: Object.fromEntries(Object.entries(entryPoints).filter(([, path]) => existsSync(path))),
  outdir: "dist",
  bundle: true,
  splitting: true,
  packages: "external",
  platform: "node",
  target: "node20",
  format: "esm",
  sourcemap: true,
  logLevel: "warning",
  metafile: true,
});
// Worker threads load this file by its address beside the bundle.
copyFileSync("runtime/device/cpu/wasm-worker.mjs", "dist/wasm-worker.mjs");
// Parts of earlier builds go last: a process that starts meanwhile finds all of one build or all of the other.
const kept = new Set([...Object.keys(metafile.outputs), join("dist", "wasm-worker.mjs")]);
for (const name of readdirSync("dist"))
  if (!kept.has(`dist/${name}`) && !kept.has(join("dist", name)))
    rmSync(join("dist", name), { recursive: true });
