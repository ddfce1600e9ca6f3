/**
 * Trains examples for 20 steps on the cpu target and on tfjs:wasm and writes both losses and speeds to
 * docs/targets/tfjs-examples.json: `npm run compare:tfjs -- alibi moby-dick` does some, without names it does all.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { format } from "prettier";
import { packageRoot } from "../compiler/cli/paths.ts";
import { methodNames } from "./methods-page.ts";
import { trainedSpec, trainExample, type TrainedExample } from "./train-example.ts";
import type { ExampleComparison } from "./tfjs-page.ts";

const steps = 20;
const root = packageRoot();
const path = join(root, "docs/targets/tfjs-examples.json");

/** Spec of each example that trains, by name. */
const specs: ReadonlyMap<string, string> = new Map([
  ...methodNames(root).map((name) => [name, trainedSpec(`examples/${name}/spec.lctx`)] as const),
  ["passkey", "examples/passkey/spec.lctx"],
  ...readdirSync(join(root, "examples/patterns"))
    .filter((name) => name.endsWith(".lctx"))
    .map((name) => [`patterns/${basename(name, ".lctx")}`, `examples/patterns/${name}`] as const),
  ["moby-dick", "examples/moby-dick.lctx"],
]);

async function trained(spec: string, target: string): Promise<TrainedExample> {
  const run = mkdtempSync(join(tmpdir(), "lctx-compare-"));
  try {
    return await trainExample(spec, { runFolder: run, stopAfter: steps, target });
  } finally {
    rmSync(run, { recursive: true });
  }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Tokens a second over all steps but the first, which also compiles. */
function speed({ steps: rows }: TrainedExample): number {
  const [first, last] = [rows[0]!, rows.at(-1)!];
  return round((last.tokens - first.tokens) / (last.seconds - first.seconds), 0);
}

const names = process.argv.slice(2);
const known: Record<string, ExampleComparison> = existsSync(path)
  ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, ExampleComparison>)
  : {};
for (const [name, spec] of specs) {
  if (names.length > 0 && !names.includes(name)) continue;
  const [cpu, tfjs] = [await trained(spec, "cpu"), await trained(spec, "tfjs:wasm")];
  const losses = cpu.steps.map(({ loss }, n) => [loss, tfjs.steps[n]!.loss] as const);
  known[name] = {
    spec: `${basename(dirname(spec))}/${basename(spec)}`,
    steps: losses.length,
    largestDifference: Number(Math.max(...losses.map(([a, b]) => Math.abs(a - b))).toExponential(2)),
    lastLosses: { cpu: round(losses.at(-1)![0], 6), tfjs: round(losses.at(-1)![1], 6) },
    tokensPerSecond: { cpu: speed(cpu), tfjs: speed(tfjs) },
  };
  mkdirSync(dirname(path), { recursive: true });
  const sorted = Object.fromEntries(Object.entries(known).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(path, await format(JSON.stringify(sorted), { parser: "json", printWidth: 110 }));
  process.stdout.write(`${name}: ${JSON.stringify(known[name])}\n`);
}
