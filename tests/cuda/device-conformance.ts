/**
 * Compares random specs on a GPU with the interpreter and prints what was seen as one JSON line:
 * `device-conformance --element bf16 --count 1000 [--path sm80|sm90|decode] [--seed 1] [--share 0/1] [--seconds 300] [--cache folder]`.
 * Several shares may run side by side: share i/n takes every n-th spec. A spec is compiled once and compared
 * `--variants` times, each with its own lengths, batch and values: kernels must not need to be compiled again for them.
 */
import { parseArgs } from "node:util";
import { attentionDecodeCall } from "../../compiler/backends/cuda/decode/decode-call.ts";
import { planAttention } from "../../compiler/backends/cuda/plan-attention.ts";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { openCuda } from "../../runtime/device/cuda/device.ts";
import { randomSpecs, randomTileSpecs, type Spec } from "../conformance/support/random-specs.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { compareCalls, type RunCall } from "./check-calls.ts";

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
  },
});
const element = values.element as AttentionElement;
const [share, shares] = values.share.split("/").map(Number) as [number, number];
const began = performance.now();
const device = await openCuda({ cacheFolder: values.cache ?? null });
const [seed, longest] = [Number(values.seed), Number(values.longest)];
// Hopper's kernels take few of all shapes, so they get shapes of their own.
const make = values.path === "sm90" ? randomTileSpecs : randomSpecs;
const specs = make(Number(values.count), seed).filter(
  (spec, n) => n % shares === share && spec.sizes.length <= longest,
);

async function runner(call: Parameters<typeof device.prepare>[0]): Promise<RunCall> {
  const prepared = await device.prepare(call);
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

/** The spec with other lengths, batch and values; its kernels stay the same. */
function variant(spec: Spec, n: number): Spec {
  if (n === 0) return spec;
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
const decodes = values.path === "decode";
const paths = { sm80: 0, sm90: 0, decode: 0 };
let [compared, programs, worst] = [0, 0, 0];
for (const spec of specs) {
  if (performance.now() - began > 1000 * Number(values.seconds)) break;
  const facts = blockFacts(spec.attention);
  const plan = planAttention(spec.attention, spec.gradient, facts, element, {
    path: (decodes ? "sm80" : values.path) as "auto" | "sm80" | "sm90",
    hopper: device.properties.major === 9,
  });
  if (plan === null) continue;
  const path = decodes ? "decode" : plan.forward.path;
  paths[path]++;
  const call = decodes ? attentionDecodeCall(spec.attention, facts, element) : plan.forward.call;
  const [forward, backward] = await Promise.all([runner(call), runner(plan.backward.call)]);
  for (let n = 0; n < Number(values.variants); n++) {
    const found = compareCalls(variant(spec, n), element, forward, backward);
    failures.push(...found.failures.map((text) => `${path}/${plan.backward.path} ${text}`));
    worst = Math.max(worst, found.worst);
    compared++;
  }
  programs++;
}
console.log(
  JSON.stringify({
    element,
    seed,
    share: values.share,
    asked: specs.length,
    programs,
    compared,
    paths,
    mismatches: failures.length,
    failures: failures.slice(0, 5),
    largestErrorAsShareOfAllowed: Number(worst.toFixed(4)),
    seconds: Math.round((performance.now() - began) / 1000),
    device: device.description,
  }),
);
device.close();
process.exitCode = failures.length === 0 ? 0 : 1;
