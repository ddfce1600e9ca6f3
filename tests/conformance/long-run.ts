/**
 * Compares many random specs and writes what was seen, the run's seed with it:
 * `npx tsx tests/conformance/long-run.ts --count 10000 [--target native|wasm] [--texts 0.2] [--weights 0.1] [--routings 0.3] [--seed 1] [--minutes 25]`.
 * `--share 3/16` compares a sixteenth of them, from a seed of its own, and writes a file of its own.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { machine } from "../support/machine.ts";
import type { ResultClass, WorstByClass } from "./support/compare-specs.ts";
import { countFeatures, countRoutedFeatures, type Features } from "./support/features.ts";
import { routedPart, specPart, together, type SpecPart } from "./support/spec-run.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "10000" },
    target: { type: "string", default: "native" },
    texts: { type: "string", default: "0.1" },
    weights: { type: "string", default: "0.05" },
    routings: { type: "string", default: "0.1" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    minutes: { type: "string", default: "600" },
    share: { type: "string", default: "0/1" },
    folder: { type: "string", default: join(import.meta.dirname, "results") },
  },
});
const target = values.target === "wasm" ? "wasm" : "native";
const [share, shares] = values.share.split("/").map(Number) as [number, number];
const count = Math.ceil((Number(values.count) - share) / shares);
const seed = Number(values.seed) + share;

const failures: string[] = [];
const worst: WorstByClass = {};
const features: Features = new Map();
/** Compares a batch of one kind and counts what it has. */
type RunBatch = (batch: number, count: number) => Promise<readonly string[]>;
const runOf =
  <S>(part: SpecPart<S>, countAll: (specs: readonly S[], counts: Features) => void): RunBatch =>
  async (batch, most) => {
    const specs = part.specs(batch, most);
    const found = await part.compare(specs, target);
    countAll(specs, features);
    for (const [name, error] of Object.entries(found.worst) as [ResultClass, number][])
      worst[name] = Math.max(worst[name] ?? 0, error);
    return found.failures;
  };
/** Each kind, how large its share of all specs is, and how many were compared; the first takes what is left. */
const kinds = [
  { kind: "nodes", share: 1, run: runOf(specPart("nodes", 6, seed), countFeatures) },
  { kind: "texts", share: Number(values.texts), run: runOf(specPart("texts", 7, seed), countFeatures) },
  {
    kind: "weights",
    share: Number(values.weights),
    run: runOf(specPart("weights", 10, seed), countFeatures),
  },
  { kind: "routings", share: Number(values.routings), run: runOf(routedPart(11, seed), countRoutedFeatures) },
].map((kind) => ({ ...kind, done: 0 }));
const done = (): number => kinds.reduce((sum, kind) => sum + kind.done, 0);
console.log(`${count} specs on ${target}, seed ${seed}`);

const began = Date.now();
for (let batch = 0; done() < count; batch++) {
  if (Date.now() - began > 60_000 * Number(values.minutes)) break;
  const kind = kinds.slice(1).find((one) => one.done < one.share * (done() + 1)) ?? kinds[0]!;
  const most = Math.min(together, count - done());
  const found = await kind.run(batch, most);
  kind.done += most;
  failures.push(...found);
  for (const failure of found) console.log(`batch ${batch}: ${failure}`);
  console.log(`${done()} specs, ${Math.round((Date.now() - began) / 1000)} s`);
}

const rounded = (numbers: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Number(value.toFixed(4))]));
const record = {
  command: `npx tsx tests/conformance/long-run.ts --count ${count} --target ${target} --texts ${values.texts} --weights ${values.weights} --routings ${values.routings} --seed ${seed}`,
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  target,
  seed,
  asked: count,
  compared: done(),
  comparedOfKind: Object.fromEntries(kinds.map((one) => [one.kind, one.done])),
  mismatches: failures.length,
  failures: failures.slice(0, 20),
  largestErrorAsShareOfAllowed: rounded(worst),
  specsWithFeature: Object.fromEntries(features),
  seconds: Math.round((Date.now() - began) / 1000),
};
const name = `${record.date}-${target}${shares === 1 ? "" : `-${share}-of-${shares}`}`;
mkdirSync(values.folder, { recursive: true });
writeFileSync(join(values.folder, `${name}.json`), `${JSON.stringify(record, null, 2)}\n`);
console.log(record);
process.exitCode = failures.length === 0 ? 0 : 1;
