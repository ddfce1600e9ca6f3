// Bundles the command line, the compiler and the runtime into dist/, with the small packages they use inside.
import { build } from "esbuild";
import { deepStrictEqual } from "node:assert";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, sep } from "node:path";

// Finding and reading hundreds of small modules takes longer than `lctx check` itself, so packages are bundled; these
// stay outside: native code, programs that read their own files, and large ones that few verbs load.
const external = [
  "@hpcc-js/wasm-graphviz",
  "@resvg/resvg-js",
  "@tensorflow/*",
  "@yowasp/clang",
  "esbuild",
  "koffi",
  "prettier",
  "ts-morph",
  "tsx",
  "vega",
  "vega-lite",
];

const entryPoints = {
  compiler: "compiler/index.ts",
  runtime: "runtime/index.ts",
  prettier: "grammar/prettier-plugin.ts",
  parse: "grammar/parse.ts",
};
const common = {
  bundle: true,
  external,
  platform: "node",
  target: "node20",
  sourcemap: true,
  metafile: true,
  logLevel: "warning",
};
const modules = await build({
  ...common,
  entryPoints: Object.fromEntries(Object.entries(entryPoints).filter(([, path]) => existsSync(path))),
  outdir: "dist",
  splitting: true,
  // Bundled CommonJS packages ask for Node's own modules with `require`.
  banner: {
    js: 'import { createRequire as lctxRequire } from "node:module"; const require = lctxRequire(import.meta.url);',
  },
  format: "esm",
});
/** commander can run verbs that are programs of their own; here there are none, and loading what that needs takes time. */
const noPrograms = {
  name: "no-programs",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[\\/]commander[\\/]/.test(importer) ? { path: "child_process", namespace: "none" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "none" }, () => ({ contents: "module.exports = {};" }));
  },
};
// The command line is one script, whose compiled code bin/lctx.js keeps; parts of it still run only when asked for.
const commandLine = await build({
  ...common,
  entryPoints: ["compiler/cli/main.ts"],
  outfile: "dist/cli.cjs",
  format: "cjs",
  // bin/lctx.js reads it byte by byte, so nothing but ASCII may be in it: no comments, and licences in their own file.
  charset: "ascii",
  legalComments: "none",
  minifyWhitespace: true,
  lineLimit: 120,
  banner: {
    js: 'const lctxUrl = require("node:url").pathToFileURL(__filename).href, lctxImport = module.importModule;',
  },
  define: { "import.meta.url": "lctxUrl" },
  plugins: [noPrograms],
});
const script = readFileSync("dist/cli.cjs", "latin1");
const foreign = script.split("\n").find((line) => /[^\0-\x7f]/.test(line));
if (foreign !== undefined)
  throw new Error(
    `dist/cli.cjs is not ASCII; text of kernels must be: ${Buffer.from(foreign, "latin1").toString().trim()}`,
  );
// What stays outside and is imported late is imported by bin/lctx.js, also where its name is in a variable.
writeFileSync("dist/cli.cjs", script.replaceAll(/\bimport\(/g, "lctxImport("), "latin1");
// Code compiled from the bundle before is of no use.
rmSync("dist/code", { recursive: true, force: true });
// Worker threads load these files by their address beside the bundle.
copyFileSync("runtime/device/cpu/wasm-worker.mjs", "dist/wasm-worker.mjs");
copyFileSync("runtime/device/cuda/nvrtc-worker.mjs", "dist/nvrtc-worker.mjs");

// Trees of the standard library, so that nothing has to parse it again; text and tree must be told from JSON alike.
const { parseFile } = await import("../dist/parse.js");
for (const path of readdirSync("stdlib", { recursive: true }).filter((name) => name.endsWith(".lctx"))) {
  const name = path.split(sep).join("/");
  const text = readFileSync(join("stdlib", path), "utf8");
  const result = parseFile(`std/${name}`, text);
  const kept = JSON.stringify({ text, result });
  deepStrictEqual(JSON.parse(kept), { text, result });
  const target = join("dist/library", name.replace(/\.lctx$/, ".json"));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, kept);
}

// The licences of what was bundled go where it goes.
const packages = new Set(
  [modules, commandLine]
    .flatMap(({ metafile }) => Object.keys(metafile.inputs))
    .flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
);
const notices = [...packages].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const text = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  return `${name} ${version} (${license})\n\n${text === undefined ? "" : readFileSync(join(folder, text), "utf8").trim()}\n`;
});
writeFileSync("dist/licences.txt", notices.join(`\n${"-".repeat(80)}\n\n`));
// Parts of earlier builds go last: a process that starts meanwhile finds all of one build or all of the other.
const kept = new Set([
  ...[modules, commandLine].flatMap(({ metafile }) => Object.keys(metafile.outputs)),
  ...["wasm-worker.mjs", "nvrtc-worker.mjs", "library", "licences.txt"].map((name) => join("dist", name)),
]);
for (const name of readdirSync("dist"))
  if (!kept.has(`dist/${name}`) && !kept.has(join("dist", name)))
    rmSync(join("dist", name), { recursive: true });
