// Packs what runs lctx's CUDA benches on an x86-64 Linux machine with a GPU and neither Node.js nor npm:
//   node scripts/pack-gpu.mjs FOLDER [bench/cuda/x.ts ...]
// then there: xz -dc FOLDER/node.xz > /tmp/node && chmod +x /tmp/node && /tmp/node FOLDER/selftest.mjs
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const [folder, ...asked] = process.argv.slice(2);
if (folder === undefined) {
  console.error("usage: node scripts/pack-gpu.mjs FOLDER [bench/cuda/x.ts ...]");
  process.exit(2);
}
const benches = asked.length > 0 ? asked : ["bench/cuda/selftest.ts"];
mkdirSync(folder, { recursive: true });

const node = join(folder, "node.xz");
if (!existsSync(node)) {
  // Whole or not at all: packing takes a minute.
  const made = `${node}.making`;
  execFileSync("sh", ["-c", 'xz -T0 -3 -c "$0" > "$1" && mv "$1" "$2"', process.execPath, made, node]);
}

await build({
  entryPoints: Object.fromEntries(benches.map((path) => [basename(path, ".ts"), path])),
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  external: ["koffi"],
  platform: "node",
  target: "node20",
  format: "esm",
  // Packages that are no modules yet ask for Node's own by name.
  banner: {
    js: 'import { createRequire as lctxCreateRequire } from "node:module"; const require = lctxCreateRequire(import.meta.url);',
  },
  logLevel: "warning",
});
copyFileSync("runtime/device/cuda/nvrtc-worker.mjs", join(folder, "nvrtc-worker.mjs"));
// What the attention benches read beside themselves.
for (const name of ["attention", "routed"])
  copyFileSync(`bench/peers/${name}.py`, join(folder, `peers-${name}.py`));
mkdirSync(join(folder, "specs"), { recursive: true });
for (const path of [
  "examples/seer-gate/spec.lctx",
  "examples/vertical-slash/spec.lctx",
  "bench/specs/block-bounds.lctx",
])
  copyFileSync(path, join(folder, "specs", path.replaceAll("/", "-")));
cpSync("stdlib", join(folder, "stdlib"), { recursive: true });

// The foreign function library and its binary for that machine, without C++ sources and documents.
for (const name of ["koffi", "@koromix/koffi-linux-x64"]) {
  const to = join(folder, "node_modules", name);
  rmSync(to, { recursive: true, force: true });
  cpSync(join("node_modules", name), to, {
    recursive: true,
    dereference: true,
    filter: (path) => !/(\/(doc|vendor)$|\.(cc|hh|inc|S|asm)$)/.test(path),
  });
}
console.log(`${folder}: node.xz ${(statSync(node).size / 2 ** 20).toFixed(1)} MiB, ${benches.join(", ")}`);
