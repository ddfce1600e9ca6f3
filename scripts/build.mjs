// Bundles the command line, the compiler and the runtime into dist/; packages of node_modules stay outside.
import { build } from "esbuild";
import { copyFileSync, existsSync, rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
const entryPoints = {
  cli: "compiler/cli/main.ts",
  compiler: "compiler/index.ts",
  runtime: "runtime/index.ts",
  prettier: "grammar/prettier-plugin.ts",
};
await build({
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
});
// Worker threads load these files by their address beside the bundle.
copyFileSync("runtime/device/cpu/wasm-worker.mjs", "dist/wasm-worker.mjs");
copyFileSync("runtime/device/cuda/nvrtc-worker.mjs", "dist/nvrtc-worker.mjs");
