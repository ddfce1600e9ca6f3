/**
 * Compares many random specs and writes what was seen, the run's seed with it:
 * `npx tsx tests/conformance/long-run.ts --count 10000 [--target native|wasm] [--texts 0.2] [--seed 1] [--minutes 25]`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { machine } from "../support/machine.ts";
import { compareSpecs, type ResultClass, type WorstByClass } from "./support/compare-specs.ts";
import { countFeatures, type Features } from "./support/features.ts";
import { specPart, together } from "./support/spec-run.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "10000" },
    target: { type: "string", default: "native" },
    texts: { type: "string", default: "0.1" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    minutes: { type: "string", default: "600" },
  },
});
const target = values.target === "wasm" ? "wasm" : "native";
const [count, seed, share] = [Number(values.count), Number(values.seed), Number(values.texts)];
const parts = [specPart("nodes", 6, seed), specPart("texts", 7, seed)] as const;
console.log(`${count} specs on ${target}, seed ${seed}`);

const began = Date.now();
const done = { nodes: 0, texts: 0, weights: 0 };
const failures: string[] = [];
const worst: WorstByClass = {};
const features: Features = new Map();
for (let batch = 0; done.nodes + done.texts < count; batch++) {
  if (Date.now() - began > 60_000 * Number(values.minutes)) break;
  // Texts keep their share of all that is done.
  const part = parts[done.texts < share * (done.nodes + done.texts) ? 1 : 0];
  const specs = part.specs(batch, Math.min(together, count - done.nodes - done.texts));
  const found = await compareSpecs(specs, target);
  done[part.kind] += specs.length;
  countFeatures(specs, features);
  failures.push(...found.failures);
  for (const [name, error] of Object.entries(found.worst) as [ResultClass, number][])
    worst[name] = Math.max(worst[name] ?? 0, error);
  for (const failure of found.failures) console.log(`batch ${batch}: ${failure}`);
  console.log(`${done.nodes + done.texts} specs, ${Math.round((Date.now() - began) / 1000)} s`);
}

const rounded = (numbers: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Number(value.toFixed(4))]));
const record = {
  command: `npx tsx tests/conformance/long-run.ts --count ${count} --target ${target} --texts ${share} --seed ${seed}`,
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  target,
  seed,
  asked: count,
  compared: done.nodes + done.texts,
  fromNodes: done.nodes,
  fromTexts: done.texts,
  mismatches: failures.length,
  failures: failures.slice(0, 20),
  largestErrorAsShareOfAllowed: rounded(worst),
  specsWithFeature: Object.fromEntries(features),
  seconds: Math.round((Date.now() - began) / 1000),
};
const folder = join(import.meta.dirname, "results");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, `${record.date}-${target}.json`), `${JSON.stringify(record, null, 2)}\n`);
console.log(record);
process.exitCode = failures.length === 0 ? 0 : 1;
