/**
 * Compares specs on a GPU with the interpreter and prints what was seen as one JSON line:
 * `device-conformance --element bf16 --count 1000 [--path sm80|sm90|decode|folds] [--seed 1] [--share 0/1] [--seconds 300] [--cache folder]`.
 * Several shares may run side by side (`conformance-shares`): share i/n takes every n-th spec. A spec is compiled once
 * and compared `--variants` times, each with its own lengths, batch and values: kernels must not need to be compiled
 * again for them. `--specs` chooses random ones, random ones with several rotation regions (`regions`, of the shapes that
 * Hopper's kernels take), `weighted` ones (weights, sinks and turned queries; of two levels with `--path sm90`), those
 * known from other projects' failures, or sparse tables of blocks;
 * `--twice` also runs each comparison again and wants the same bits. `--compile sm_90` has no GPU: it only compiles
 * the kernels for that processor into the cache. `--every-lane` is for racecheck, which does not see that a warp met
 * before one of its lanes told a barrier.
 */
import { parseArgs } from "node:util";
import { attentionDecodeCall } from "../../compiler/backends/cuda/decode/decode-call.ts";
import { planAttention } from "../../compiler/backends/cuda/plan-attention.ts";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { CubinCache } from "../../runtime/device/cuda/cubin-cache.ts";
import { openCuda } from "../../runtime/device/cuda/device.ts";
import { findCudaCompiler } from "../../runtime/device/cuda/find-compiler.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import {
  randomRegionSpecs,
  randomSpecs,
  randomTileSpecs,
  type Spec,
} from "../conformance/support/random-specs.ts";
import { randomLevelSpecs, randomWeightedSpecs } from "../conformance/support/random-weighted-specs.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { DoesNotFit } from "../../compiler/backends/cuda/sm80/call-plan.ts";
import { compareCalls, type RunCall } from "./check-calls.ts";
import { compareFolds } from "./conformance-folds.ts";
import { regressionSpecs, sparseSpecs } from "./named-specs.ts";

const { values } = parseArgs({
  options: {
    element: { type: "string", default: "bf16" },
    count: { type: "string", default: "1000" },
    path: { type: "string", default: "auto" },
    seed: { type: "string", default: "1" },
    share: { type: "string", default: "0/1" },
    seconds: { type: "string", default: "3600" },
    cache: { type: "string" },
    variants: { type: "string", default: "1" },
    longest: { type: "string", default: "400" },
    progress: { type: "boolean", default: false },
    "every-lane": { type: "boolean", default: false },
    specs: { type: "string", default: "random" },
    twice: { type: "boolean", default: false },
    compile: { type: "string" },
  },
});
const element = values.element as AttentionElement;
const [share, shares] = values.share.split("/").map(Number) as [number, number];
const began = performance.now();
const [seed, longest, count] = [Number(values.seed), Number(values.longest), Number(values.count)];

function chosenSpecs(): readonly Spec[] {
  if (values.specs === "known") return regressionSpecs();
  if (values.specs === "sparse") return sparseSpecs(count, seed);
  if (values.specs === "weighted") {
    const weighted = values.path === "sm90" ? randomLevelSpecs : randomWeightedSpecs;
    return weighted(count, seed).filter(({ sizes }) => sizes.length <= longest);
  }
  // Hopper's kernels take few of all shapes, so they get shapes of their own.
  const any = values.path === "sm90" ? randomTileSpecs : randomSpecs;
  const make = values.specs === "regions" ? randomRegionSpecs : any;
  return make(count, seed).filter(({ sizes }) => sizes.length <= longest);
}
const specs = chosenSpecs().filter((_, n) => n % shares === share);
const decodes = values.path === "decode";

interface Calls {
  readonly paths: readonly [string, string];
  readonly forward: CudaCall;
  readonly backward: CudaCall;
}

/** The calls of a spec; null where the path that was asked for does not take it. */
function callsOf(spec: Spec, hopper: boolean): Calls | null {
  const facts = blockFacts(spec.attention);
  const path = (decodes ? "sm80" : values.path) as "auto" | "sm80" | "sm90";
  try {
    const plan = planAttention(spec.attention, spec.gradient, facts, element, { path, hopper });
    if (plan === null) return null;
    const { forward, backward } = plan;
    if (!decodes)
      return { paths: [forward.path, backward.path], forward: forward.call, backward: backward.call };
    const call = attentionDecodeCall(spec.attention, facts, element);
    return { paths: ["decode", backward.path], forward: call, backward: backward.call };
  } catch (error) {
    if (error instanceof DoesNotFit) return null;
    throw error;
  }
}

if (values.compile !== undefined) {
  const target = values.compile;
  const cubins = new CubinCache(await findCudaCompiler(), values.cache ?? null);
  let made = 0;
  for (const spec of specs) {
    if (performance.now() - began > 1000 * Number(values.seconds)) break;
    const calls = callsOf(spec, target === "sm_90");
    const sources = calls === null ? [] : [...calls.forward.sources, ...calls.backward.sources];
    const all = await Promise.all(
      sources.map((source) => cubins.get(source, source.architecture === "sm_90a" ? "sm_90a" : target)),
    );
    made += all.filter(({ compiled }) => compiled).length;
  }
  console.log(JSON.stringify({ element, path: values.path, share: values.share, compiled: made }));
  process.exit(0);
}
const device = await openCuda({ cacheFolder: values.cache ?? null });

/** The same call where every lane of a warp tells a barrier, for tools that do not follow warps. */
const everyLane = (call: CudaCall): CudaCall => ({
  ...call,
  sources: call.sources.map((source) => ({
    ...source,
    text: source.text.replace("#define LCTX_ARRIVING 1\n", "#define LCTX_ARRIVING 32\n"),
  })),
});

async function runner(call: CudaCall): Promise<RunCall> {
  const prepared = await device.prepare(values["every-lane"] ? everyLane(call) : call);
  return (buffers, results, sizes) => {
    const memories = buffers.map((data) => {
      const memory = device.allocate(Math.max(16, data.byteLength));
      device.upload(memory, data);
      return memory;
    });
    prepared.run(memories, sizes, {});
    const first = buffers.length - results;
    buffers.forEach((data, n) => {
      if (n >= first) device.download(memories[n]!, data);
    });
    for (const memory of memories) memory.free();
  };
}

if (values.path === "folds") {
  const hopper = device.properties.major === 9;
  const found = await compareFolds(runner, element, hopper, { seed, share, shares }, (name) => {
    if (values.progress) process.stderr.write(`${name}\n`);
  });
  console.log(
    JSON.stringify({
      ...{ element, seed, share: values.share, path: values.path, ...found },
      mismatches: found.failures.length,
      failures: found.failures.slice(0, 12),
      largestErrorAsShareOfAllowed: 0,
      seconds: Math.round((performance.now() - began) / 1000),
      device: device.description,
    }),
  );
  device.close();
  process.exit(found.failures.length === 0 ? 0 : 1);
}

/** The spec with other lengths, batch and values; its kernels stay the same. */
function variant(spec: Spec, n: number): Spec {
  // Tables of switches are as long as their spec.
  if (n === 0 || !["random", "regions", "weighted"].includes(values.specs)) return spec;
  const { length, batch, "query-start": start } = spec.sizes;
  const queries = length - start;
  const longer = ((length * (2 * n + 3) + 37 * n) % longest) + 1;
  const own = start === 0 ? longer : Math.max(longer, queries);
  const sizes = {
    ...spec.sizes,
    batch: ((batch + n) % 2) + 1,
    length: own,
    "query-start": start === 0 ? 0 : own - queries,
  };
  return { ...spec, sizes, seed: spec.seed + n, name: `${spec.name}, then ${JSON.stringify(sizes)}` };
}

const failures: string[] = [];
const paths: Record<string, number> = {};
let [compared, programs, refused, worst] = [0, 0, 0, 0];
type Ready = { readonly paths: readonly [string, string]; readonly runs: readonly [RunCall, RunCall] } | null;

async function ready(spec: Spec | undefined): Promise<Ready> {
  const calls = spec === undefined ? null : callsOf(spec, device.properties.major === 9);
  if (calls === null) return null;
  return { paths: calls.paths, runs: await Promise.all([runner(calls.forward), runner(calls.backward)]) };
}

// The next spec's kernels compile on other threads while the interpreter works out what this one's should give.
let coming = ready(specs[0]);
for (const [at, spec] of specs.entries()) {
  const now = await coming;
  const last = performance.now() - began > 1000 * Number(values.seconds);
  coming = ready(last ? undefined : specs[at + 1]);
  if (now === null) refused++;
  else {
    const [path, back] = now.paths;
    paths[path] = (paths[path] ?? 0) + 1;
    for (let n = 0; n < Number(values.variants); n++) {
      const found = compareCalls(variant(spec, n), element, ...now.runs, values.twice);
      failures.push(
        ...found.failures.map(
          (text) => `${path}/${back} ${text} | seed ${seed}, spec ${shares * at + share}, variant ${n}`,
        ),
      );
      worst = Math.max(worst, found.worst);
      compared++;
    }
    programs++;
  }
  if (last) break;
}
console.log(
  JSON.stringify({
    element,
    seed,
    share: values.share,
    path: values.path,
    specs: values.specs,
    asked: specs.length,
    refused,
    programs,
    compared,
    paths,
    mismatches: failures.length,
    failures: failures.slice(0, 12),
    largestErrorAsShareOfAllowed: Number(worst.toFixed(4)),
    seconds: Math.round((performance.now() - began) / 1000),
    device: device.description,
  }),
);
device.close();
process.exitCode = failures.length === 0 ? 0 : 1;
