/**
 * Fused attention on one GPU, forward and backward, under many masks and scores, beside FlexAttention and cuDNN where
 * `python3` has PyTorch: `attention [--json] [--lines file] [--budget 300] [--only causal,window] [--no-peers]`. First
 * the time from a spec's text to its first result, then the cases, then the peers, then a table with ratios. Times are
 * medians of device events; work counts visible blocks of 128 only: 4 · batch · heads · d · pairs forward, 2.5 times
 * that backward. After `--budget` seconds what is left is not run, and told so.
 */
import { appendFileSync } from "node:fs";
import { planAttention } from "../../compiler/backends/cuda/plan-attention.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { CudaMemory } from "../../runtime/device/cuda/memory.ts";
import { openCuda, type CudaDevice } from "../../runtime/device/cuda/device.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import { attentionCase } from "../../tests/cuda/attention-cases.ts";
import { argument, flag, median, Report, short, word } from "../report.ts";
import { compileTimes } from "./compile-times.ts";
import { runPeers } from "./attention-peers.ts";
import { tableOf, type Measured } from "./attention-table.ts";

interface Case {
  readonly name: string;
  readonly batch: number;
  readonly heads: number;
  readonly groups: number;
  readonly length: number;
  readonly d: number;
  /** Of a table of blocks: the share of blocks kept besides the diagonal. */
  readonly kept?: number;
}

const dense = (name: string, batch: number, length: number, d = 128, groups?: number): Case => {
  const heads = d === 64 ? 32 : 16;
  return { name, batch, heads, groups: groups ?? heads, length, d };
};

/** The same cases as bench/peers/attention.py, by the same names. */
const cases: readonly Case[] = [
  ...[128, 64].flatMap((d) => [
    dense("causal", 8, 2048, d),
    dense("causal", 2, 8192, d),
    dense("causal", 1, 32768, d),
    dense("full", 2, 8192, d),
  ]),
  dense("causal", 2, 8192, 128, 4),
  dense("window:1024", 2, 8192),
  dense("window:1024", 1, 32768),
  dense("sinks:4096", 1, 32768),
  dense("prefix:2048", 2, 8192),
  dense("documents", 2, 8192),
  // Pairs within 1024 take one rotation of queries and keys, all others another.
  dense("regions:1024", 8, 2048),
  dense("regions:1024", 2, 8192),
  dense("regions:1024", 1, 32768),
  dense("regions:1024", 2, 8192, 64),
  dense("slopes", 2, 8192),
  dense("capped", 2, 8192),
  // Two levels of softmax over blocks of 64 keys: one pass over the keys, like "causal". No peer has them.
  dense("landmark:64", 8, 2048),
  dense("landmark:64", 2, 8192),
  dense("landmark:64", 1, 32768),
  { ...dense("blocks:256", 1, 32768), kept: 0.1 },
  ...[1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32].map((kept) => ({ ...dense("blocks:256", 1, 32768), kept })),
  // Cost a token of masks that see as much at every length.
  ...["window:1024", "sinks:4096"].flatMap((name) =>
    [32768, 1_048_576].map((length) => ({ name, batch: 1, heads: 4, groups: 4, length, d: 64 })),
  ),
];

const documentSize = 1024;

/** The share of blocks of 128 that a case's mask leaves, for counting work. */
function visibleShare({ name, length }: Case, kept: Uint8Array | null): number {
  const [kind, span] = name.split(":");
  const n = Number(span);
  const blocks = Math.ceil(length / 128);
  let seen = 0;
  for (let i = 0; i < blocks; i++) {
    const [q0, q1] = [i * 128, i * 128 + 127];
    const before = seen;
    for (let j = 0; j < blocks; j++) {
      const [k0, k1] = [j * 128, j * 128 + 127];
      const causal = k0 <= q1;
      const near = q0 - k1 < n;
      const visible =
        kind === "full" ||
        (kind === "window" && causal && near) ||
        (kind === "sinks" && causal && (near || k0 < 4)) ||
        (kind === "prefix" && (causal || k0 < n)) ||
        (kind === "documents" && causal && Math.floor(q0 / documentSize) <= Math.floor(k1 / documentSize)) ||
        (kind === "blocks" && causal && kept![i * blocks + j] !== 0) ||
        (["causal", "slopes", "capped", "regions", "landmark"].includes(kind!) && causal);
      if (visible) seen += i === j && kind !== "full" ? 0.5 : 1;
    }
    // Of a million tokens nearly all rows of blocks have as many as the first one past the window.
    if (length > 100_000 && q0 >= n + 128) return (seen - before) / blocks;
  }
  return seen / blocks ** 2;
}

/** Normal numbers as bf16: benches must not run on zeros. */
function randomElements(count: number, seed: number): Uint16Array {
  const data = new Uint16Array(count);
  const view = new DataView(new ArrayBuffer(4));
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  for (let n = 0; n < count; n++) {
    view.setFloat32(0, Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()));
    data[n] = view.getUint16(0);
  }
  return data;
}

/** Numbers that are made once; memory is filled by copying them on. An odd count, so that rows differ. */
const numbers = randomElements((1 << 20) - 977, 1);

function fillRandom(device: CudaDevice, memory: CudaMemory): void {
  const first = Math.min(memory.byteLength, numbers.byteLength);
  device.upload(memory.part(0, first), numbers.subarray(0, first / 2));
  for (let filled = first; filled < memory.byteLength; filled *= 2) {
    const more = Math.min(filled, memory.byteLength - filled);
    device.copy(memory.part(filled, more), memory.part(0, more));
  }
}

/** Median milliseconds of a call, after warming up, within about 300 ms. */
async function timeCall(device: CudaDevice, run: () => void): Promise<number> {
  for (let n = 0; n < 3; n++) run();
  const once = device.time(run);
  const rounds = Math.max(5, Math.min(50, Math.floor(300 / Math.max(once, 0.01))));
  return median(Array.from({ length: rounds }, () => device.time(run)));
}

/** Frees what the case allocated, also when it fails. */
async function benchCase(device: CudaDevice, of: Case): Promise<Measured> {
  const memories: CudaMemory[] = [];
  try {
    return await measure(device, of, memories);
  } finally {
    for (const memory of memories) memory.free();
  }
}

async function measure(device: CudaDevice, of: Case, memories: CudaMemory[]): Promise<Measured> {
  const { batch, heads, groups, length, d, name } = of;
  const { attention, gradient } = attentionCase(name, { heads, groups, d, e: d });
  const facts = blockFacts(attention);
  const plan = planAttention(attention, gradient, facts, "bf16", {
    path: "auto",
    hopper: device.properties.major === 9,
  })!;
  const take = (data: ArrayBufferView): CudaMemory => {
    const memory = device.allocate(data.byteLength);
    device.upload(memory, data);
    memories.push(memory);
    return memory;
  };
  const elements = (rows: number): CudaMemory => {
    const memory = device.allocate(2 * batch * length * rows * d);
    memories.push(memory);
    fillRandom(device, memory);
    return memory;
  };
  const documents = Int32Array.from({ length: batch * length }, (_, n) =>
    Math.floor((n % length) / documentSize),
  );
  const starts = documents.map((id) => id * documentSize);
  const blocks = Math.ceil(length / 128);
  let state = 1;
  const kept = name.startsWith("blocks")
    ? Uint8Array.from({ length: blocks ** 2 }, (_, n) => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        return Math.floor(n / blocks) === n % blocks || state / 2 ** 32 < of.kept! ? 1 : 0;
      })
    : null;
  const tables = attention.buffers.map((buffer) => {
    if (buffer.kind === "input") return take(buffer.name === "documents" ? documents : starts);
    if (name === "slopes")
      return take(Float32Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads)));
    return take(Float32Array.from(kept!));
  });
  const rotated = (): CudaMemory[] => attention.regions.flatMap(() => [elements(heads), elements(groups)]);
  const core = [...rotated(), elements(groups), ...tables];
  const [output, slope] = [elements(heads), elements(heads)];
  const lse = take(new Float32Array(batch * length * heads));
  const gradients = [...rotated(), elements(groups)];
  const sizes = { batch, length, "query-length": length, "query-start": 0, step: 0 };
  const bind = async (call: CudaCall, buffers: readonly CudaMemory[]) =>
    (await device.prepare(call)).bind(buffers, sizes);
  const began = performance.now();
  const forward = await bind(plan.forward.call, [...core, output, lse]);
  const backward = await bind(plan.backward.call, [...core, output, lse, slope, ...gradients]);
  const prepared = performance.now() - began;
  const forwardMs = await timeCall(device, () => forward.run({}));
  const backwardMs = await timeCall(device, () => backward.run({}));
  const share = visibleShare(of, kept);
  const work = 4 * batch * heads * d * length ** 2 * share;
  const rate = (flops: number, ms: number): number => flops / ms / 1e9;
  return {
    peer: "lctx",
    ...of,
    paths: [plan.forward.path, plan.backward.path],
    visible: short(share),
    fwd_ms: short(forwardMs),
    bwd_ms: short(backwardMs),
    fwd_tflops: short(rate(work, forwardMs)),
    bwd_tflops: short(rate(2.5 * work, backwardMs)),
    prepare_ms: short(prepared),
  };
}

const began = performance.now();
const budget = argument("budget", 300);
const left = (): number => budget - (performance.now() - began) / 1000;
const wanted = word("only")?.split(",") ?? null;
const lines = word("lines");
// Own cases take at most half of the time where peers follow.
const own = flag("no-peers") ? 0 : budget / 2;
try {
  const device = await openCuda({ cacheFolder: process.env["LCTX_CACHE"] ?? null });
  const report = new Report("cuda-attention", 1, device.description);
  const tell = (what: string, fields: object): void => {
    report.record(what, fields as Record<string, unknown>);
    const line = JSON.stringify({ bench: "cuda-attention", what, ...fields, device: device.description });
    if (lines !== null) appendFileSync(lines, `${line}\n`);
  };
  if (wanted === null || wanted.includes("compile"))
    for (const times of await compileTimes()) {
      tell("compile", times);
      report.text(
        `compile  ${times.spec.padEnd(20)} cold ${times.coldMs.toFixed(0)} ms, warm ${times.warmMs.toFixed(0)} ms, another length ${times.lengthMs.toFixed(0)} ms`,
      );
    }
  const found: Measured[] = [];
  let skipped = 0;
  for (const one of cases) {
    if (wanted !== null && !wanted.includes(one.name.split(":")[0]!)) continue;
    if (left() < own) {
      skipped++;
      continue;
    }
    const result = await benchCase(device, one);
    found.push(result);
    tell("case", result);
    report.text(
      `lctx  ${one.name.padEnd(12)} D${one.d} B${one.batch} H${one.heads}/${one.groups} N${one.length}${one.kept === undefined ? "" : ` kept ${one.kept}`}`.padEnd(
        56,
      ) +
        `forward ${result.fwd_ms} ms ${result.fwd_tflops} TFLOP/s, backward ${result.bwd_ms} ms ${result.bwd_tflops} (${result.paths!.join("/")})`,
    );
  }
  if (skipped > 0) {
    tell("not run", { cases: skipped, why: `the budget of ${budget} s is spent` });
    report.text(`${skipped} cases not run: the budget of ${budget} s is spent`);
  }
  // The peers need the memory that the pool holds.
  device.close();
  const { peers, problem } = flag("no-peers")
    ? { peers: [], problem: "not asked for" }
    : await runPeers(left());
  for (const peer of peers) tell("peer", peer);
  if (problem !== null) tell("peers", { problem });
  report.text("");
  for (const line of tableOf(found, peers)) report.text(line);
  if (problem !== null) report.text(`peers: ${problem}`);
} catch (error) {
  console.error(`not run: ${(error as Error).message}`);
  process.exitCode = 5;
}
