/**
 * Attention of one new token over a long cache on a GPU: milliseconds, and keys and values read once a second as a share
 * of measured copies. One JSON line a case, then a table: `npx tsx bench/cuda/decode.ts [--rounds 5] [--largest GIB]`, or
 * bundled by scripts/pack-gpu.mjs. Ends with 1 when results differ from those of the kernel for many queries.
 */
import { attentionDecodeCall, type DecodeOptions } from "../../compiler/backends/cuda/decode/decode-call.ts";
import { attentionForwardCall } from "../../compiler/backends/cuda/sm80/attention-call.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { openCuda, type CudaDevice } from "../../runtime/device/cuda/device.ts";
import type { CudaMemory } from "../../runtime/device/cuda/memory.ts";
import type { PreparedCall } from "../../runtime/device/cuda/prepared.ts";
import { argument, machine, median, short } from "../report.ts";
import { decodeNode, type DecodeShape } from "./decode-node.ts";

const depth = 128;
const page = 64;
/** More than any GPU's cache: what one launch leaves there is gone when its turn comes again. */
const footprint = 2 ** 30;

const say = (what: string, fields: Readonly<Record<string, unknown>>): void => {
  console.log(JSON.stringify({ bench: "decode", what, ...fields }));
};

/** Bits of numbers in about −2 … 2, from a seed. */
function randomBits(count: number, seed: number): Uint16Array {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const single = new Float32Array(1);
  const bits = new Uint32Array(single.buffer);
  return Uint16Array.from({ length: count }, () => {
    single[0] = next() + next() - next() - next();
    return bits[0]! >>> 16;
  });
}

/** Memory full of random numbers: a part made here, copied until all is full. */
function randomMemory(device: CudaDevice, bytes: number, seed: number): CudaMemory {
  const memory = device.allocate(bytes);
  const first = Math.min(bytes, 2 ** 23);
  device.upload(memory.part(0, first), randomBits(first / 2, seed));
  for (let filled = first; filled < bytes; filled *= 2) {
    const more = Math.min(filled, bytes - filled);
    device.copy(memory.part(filled, more), memory.part(0, more));
  }
  return memory;
}

const prepared = new Map<string, Promise<PreparedCall>>();
function prepare(device: CudaDevice, shape: DecodeShape, options: DecodeOptions): Promise<PreparedCall> {
  const key = JSON.stringify([shape, options]);
  const known = prepared.get(key);
  if (known !== undefined) return known;
  const node = decodeNode(shape);
  const made = device.prepare(attentionDecodeCall(node, blockFacts(node), "bf16", options));
  prepared.set(key, made);
  return made;
}

function copyBandwidth(device: CudaDevice): number {
  const [a, b] = [device.allocate(footprint), device.allocate(footprint)];
  const rounds = Array.from({ length: 5 }, () =>
    device.time(() => {
      for (let i = 0; i < 10; i++) device.copy(b, a);
    }),
  );
  a.free();
  b.free();
  return (2 * footprint * 10) / median(rounds) / 1e6;
}

const sizesOf = (batch: number, length: number, queries: number) => ({
  batch,
  length,
  "query-length": queries,
  "query-start": length - queries,
  step: 0,
});

/** Results in two numbers of bytes: output, log-sum-exp. */
async function results(
  device: CudaDevice,
  call: PreparedCall,
  inputs: readonly CudaMemory[],
  shape: DecodeShape,
  batch: number,
  length: number,
): Promise<readonly [Uint16Array, Float32Array]> {
  const rows = batch * shape.queries * shape.heads;
  const [output, lse] = [device.allocate(rows * depth * 2), device.allocate(rows * 4)];
  call.run([...inputs, output, lse], sizesOf(batch, length, shape.queries));
  const found = [new Uint16Array(rows * depth), new Float32Array(rows)] as const;
  device.download(output, found[0]);
  device.download(lse, found[1]);
  output.free();
  lse.free();
  return found;
}

const real = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;

/** Largest difference from the kernel for many queries; pages and counts of splits have to agree with plain caches. */
async function check(
  device: CudaDevice,
  shape: DecodeShape,
  batch: number,
  length: number,
): Promise<boolean> {
  const node = decodeNode(shape);
  const forward = await device.prepare(attentionForwardCall(node, blockFacts(node), "bf16"));
  const columns = Math.ceil(length / page);
  const cacheBytes = batch * columns * page * shape.groups * depth * 2;
  const query = randomMemory(device, batch * shape.queries * shape.heads * depth * 2, 1);
  const [key, value] = [randomMemory(device, cacheBytes, 2), randomMemory(device, cacheBytes, 3)];
  const wide = await prepare(device, shape, { capacity: columns * page });
  const want = await results(device, forward, [query, key, value], shape, 1, length);
  const plain = await results(device, wide, [query, key, value], shape, batch, length);
  const again = await results(device, wide, [query, key, value], shape, batch, length);
  const table = device.allocate(batch * columns * 4);
  device.upload(
    table,
    Int32Array.from({ length: batch * columns }, (_, i) => i),
  );
  const paged = await results(
    device,
    await prepare(device, shape, { page }),
    [query, key, value, table],
    shape,
    batch,
    length,
  );
  const single = await results(
    device,
    await prepare(device, shape, { capacity: columns * page, splits: 1 }),
    [query, key, value],
    shape,
    batch,
    length,
  );
  const far = (a: typeof want, b: typeof want): number =>
    a[0].reduce((most, bits, i) => Math.max(most, Math.abs(real(bits) - real(b[0][i]!))), 0);
  const same = (a: typeof want, b: typeof want): boolean =>
    [0, 1].every((r) => Buffer.from(a[r]!.buffer).equals(Buffer.from(b[r]!.buffer)));
  const difference = far(want, plain);
  const between = far(single, plain);
  const ok = difference < 0.004 && between < 0.004 && same(plain, paged) && same(plain, again);
  say("check", {
    ok,
    ...shape,
    batch,
    length,
    difference,
    between,
    paged: same(plain, paged),
    again: same(plain, again),
  });
  for (const memory of [query, key, value, table]) memory.free();
  return ok;
}

interface Case {
  readonly shape: DecodeShape;
  readonly batch: number;
  readonly length: number;
  readonly paged: boolean;
}

/** Milliseconds of a launch over caches taken in turn, and bytes of keys and values that the queries see. */
async function measure(
  device: CudaDevice,
  of: Case,
  rounds: number,
  largest: number,
): Promise<{ times: number[]; bytes: number }> {
  const { shape, batch, length, paged } = of;
  const call = await prepare(device, shape, paged ? { page } : {});
  const cacheBytes = batch * length * shape.groups * depth * 2;
  const bytes = 2 * batch * Math.min(length, shape.window ?? length) * shape.groups * depth * 2;
  const room = Math.floor(largest / (2 * cacheBytes));
  const caches = Math.max(1, Math.min(64, Math.ceil(footprint / bytes), room));
  const all = randomMemory(device, 2 * cacheBytes * caches, 5);
  const query = randomMemory(device, batch * shape.queries * shape.heads * depth * 2, 4);
  const rows = batch * shape.queries * shape.heads;
  const [output, lse] = [device.allocate(rows * depth * 2), device.allocate(rows * 4)];
  const pages = (batch * length) / page;
  const table = device.allocate(4 * pages);
  // Neighbouring pages lie far from each other, as they do in a cache that is in use.
  device.upload(
    table,
    Int32Array.from({ length: pages }, (_, i) => Number((BigInt(i) * 40503n) % BigInt(pages))),
  );
  const bound = Array.from({ length: caches }, (_, n) =>
    call.bind(
      [
        query,
        all.part(2 * n * cacheBytes, cacheBytes),
        all.part((2 * n + 1) * cacheBytes, cacheBytes),
        ...(paged ? [table] : []),
        output,
        lse,
      ],
      sizesOf(batch, length, shape.queries),
    ),
  );
  const launches = Math.max(caches, 4);
  const graph = device.capture(() => {
    for (let i = 0; i < launches; i++) bound[i % caches]!.run();
  });
  graph.launch();
  const times = Array.from({ length: rounds }, () => device.time(() => graph.launch()) / launches);
  graph.free();
  for (const memory of [all, query, output, lse, table]) memory.free();
  return { times, bytes };
}

const device = await openCuda({ cacheFolder: null }).catch((error: Error) => {
  console.error(`not run: ${error.message}`);
  process.exit(5);
});
const rounds = argument("rounds", 5);
const largest = argument("largest", 40) * 2 ** 30;
say("machine", { ...machine(1), gpu: device.description });
const gqa: DecodeShape = { heads: 64, groups: 8, depth, queries: 1, window: null };
const mha: DecodeShape = { heads: 16, groups: 16, depth, queries: 1, window: null };
let good = true;
for (const [shape, batch, length] of [
  [gqa, 3, 1000],
  [{ ...gqa, queries: 4 }, 2, 777],
  [mha, 2, 515],
  [{ ...gqa, window: 100 }, 2, 3001],
] as const)
  good = (await check(device, shape, batch, length)) && good;
const copies = copyBandwidth(device);
say("copy", { gigabytes_per_second: short(copies) });

const cases: Case[] = [
  ...[gqa, mha].flatMap((shape) =>
    [1, 8, 32].flatMap((batch) =>
      [4096, 32768, 131072].map((length) => ({ shape, batch, length, paged: false })),
    ),
  ),
  ...[1, 8].map((batch) => ({ shape: gqa, batch, length: 32768, paged: true })),
  { shape: { ...gqa, queries: 2 }, batch: 1, length: 32768, paged: false },
  { shape: { ...gqa, window: 1024 }, batch: 8, length: 131072, paged: false },
];
const lines: string[] = [];
for (const of of cases) {
  const { shape, batch, length, paged } = of;
  const fields = { ...shape, batch, length, page: paged ? page : null, element: "bf16" };
  if (4 * batch * length * shape.groups * depth > largest) {
    say("left out", { ...fields, reason: `the cache is larger than ${largest} bytes` });
    continue;
  }
  const { times, bytes } = await measure(device, of, rounds, largest);
  const rate = bytes / median(times) / 1e6;
  say("case", {
    ...fields,
    milliseconds: times.map(short),
    bytes,
    gigabytes_per_second: short(rate),
    of_copy: short(rate / copies),
  });
  const name = `${shape.heads}:${shape.groups}${shape.queries > 1 ? ` t${shape.queries}` : ""}${shape.window === null ? "" : ` window ${shape.window}`}${paged ? " paged" : ""}`;
  lines.push(
    [
      name.padEnd(18),
      String(batch).padStart(4),
      String(length).padStart(7),
      median(times).toFixed(4).padStart(9),
      rate.toFixed(0).padStart(6),
      `${((100 * rate) / copies).toFixed(0)} %`.padStart(6),
    ].join(" "),
  );
}
console.log(
  `heads:key-value heads   B    keys        ms   GB/s  of copies (${copies.toFixed(0)} GB/s)\n${lines.join("\n")}`,
);
device.close();
process.exitCode = good ? 0 : 1;
