// Writes tests/tfjs/native-ops.json: the kernels that @tensorflow/tfjs-node registers, read from its package.
// `node scripts/tfjs-ops.mjs FOLDER` reads an unpacked one (npm pack @tensorflow/tfjs-node), else the installed one.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";

function installed() {
  const require = createRequire(import.meta.url);
  for (const name of ["@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"])
    try {
      return dirname(require.resolve(`${name}/package.json`));
    } catch {
      // The other one may be there.
    }
  throw new Error("give the folder of an unpacked @tensorflow/tfjs-node");
}

const folder = process.argv[2] ?? installed();
const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const list = readFileSync(join(folder, "dist/register_all_kernels.js"), "utf8");
const registered = new Set([...list.matchAll(/(\w+)_\d+\.(\w+Config)\b/g)].map((match) => match[2]));
const kernels = new Set();
for (const file of readdirSync(join(folder, "dist/kernels")).filter((each) => each.endsWith(".js"))) {
  const text = readFileSync(join(folder, "dist/kernels", file), "utf8");
  for (const [, config, name] of text.matchAll(/exports\.(\w+Config) = \{\s*kernelName: ([\w.']+)/g)) {
    if (!registered.has(config)) throw new Error(`${config} of ${file} is not registered`);
    // Core exports each kernel's name under a constant of its own.
    const value = name.startsWith("'") ? name.slice(1, -1) : tf[name.split(".").at(-1)];
    if (typeof value !== "string") throw new Error(`${file}: ${name} is no kernel of the core`);
    kernels.add(value);
    registered.delete(config);
  }
}
if (registered.size > 0) throw new Error(`no file defines ${[...registered].join(", ")}`);
const text = JSON.stringify({ package: name, version, kernels: [...kernels].sort() }, null, 2);
writeFileSync("tests/tfjs/native-ops.json", `${text}\n`);
console.log(`${name} ${version}: ${kernels.size} kernels`);
