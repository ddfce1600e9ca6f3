/**
 * Fused attention on one GPU, forward and backward, under many masks and scores, beside FlexAttention and cuDNN where
 * `python3` has PyTorch: `attention [--json] [--only causal,window] [--no-peers]`. Times are medians of device events;
 * work counts visible blocks of 128 only: 4 · batch · heads · d · pairs forward, 2.5 times that backward.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { planAttention } from "../../compiler/backends/cuda/plan-attention.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { CudaMemory } from "../../runtime/device/cuda/memory.ts";
import { openCuda, type CudaDevice } from "../../runtime/device/cuda/device.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import { attentionCase } from "../../tests/cuda/attention-cases.ts";
import { flag, median, Report, short } from "../report.ts";

interface Case {
  readonly name: string;
  readonly batch: number;
  readonly heads: number;
  readonly groups: number;
  readonly length: number;
  readonly d: number;
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
  dense("window:1024", 1, 1_048_576, 64),
  dense("sinks:4096", 1, 32768),
  dense("prefix:2048", 2, 8192),
  dense("documents", 2, 8192),
  dense("slopes", 2, 8192),
  dense("capped", 2, 8192),
  dense("blocks:256", 1, 32768),
];

/** Documents of 1024, and one block of 128 in ten kept besides the diagonal. */
const documentSize = 1024;
const keptShare = 0.1;

/** The share of blocks of 128 that a case's mask leaves, for counting work. */
function visibleShare({ name, length }: Case, kept: Uint8Array | null): number {
  const [kind, span] = name.split(":");
  const n = Number(span);
  const blocks = Math.ceil(length / 128);
  let seen = 0;
  for (let i = 0; i < blocks; i++) {
    const [q0, q1] = [i * 128, i * 128 + 127];
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
        (["causal", "slopes", "capped"].includes(kind!) && causal);
      if (visible) seen += i === j && kind !== "full" ? 0.5 : 1;
    }
    // A window of a million tokens has the same blocks in every row but the first.
    if (length > 100_000 && i === Math.ceil(n / 128) + 1) return (seen / (i + 1) / blocks) * 1;
  }
  return seen / blocks ** 2;
}

/** Normal numbers as bf16, from a table: benches must not run on zeros. */
function randomElements(count: number, seed: number): Uint16Array {
  const table = new Uint16Array(1 << 20);
  const view = new DataView(new ArrayBuffer(4));
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  for (let n = 0; n < table.length; n++) {
    view.setFloat32(0, Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()));
    table[n] = view.getUint16(0);
  }
  const data = new Uint16Array(count);
  for (let at = 0; at < count; at += table.length - 977)
    data.set(table.subarray(0, Math.min(table.length, count - at)), at);
  return data;
}

/** Median milliseconds of a call, after warming up, within about 300 ms. */
async function timeCall(device: CudaDevice, run: () => void): Promise<number> {
  for (let n = 0; n < 3; n++) run();
  const once = device.time(run);
  const rounds = Math.max(5, Math.min(50, Math.floor(300 / Math.max(once, 0.01))));
  return median(Array.from({ length: rounds }, () => device.time(run)));
}

async function benchCase(device: CudaDevice, of: Case, report: Report): Promise<void> {
  const { batch, heads, groups, length, d, name } = of;
  const { attention, gradient } = attentionCase(name, { heads, groups, d, e: d });
  const facts = blockFacts(attention);
  const plan = planAttention(attention, gradient, facts, "bf16", {
    path: "auto",
    hopper: device.properties.major === 9,
  })!;
  const memories: CudaMemory[] = [];
  const take = (data: ArrayBufferView): CudaMemory => {
    const memory = device.allocate(data.byteLength);
    device.upload(memory, data);
    memories.push(memory);
    return memory;
  };
  const elements = (rows: number, seed: number): CudaMemory =>
    take(randomElements(batch * length * rows * d, seed));
  const documents = Int32Array.from({ length: batch * length }, (_, n) =>
    Math.floor((n % length) / documentSize),
  );
  const starts = documents.map((id) => id * documentSize);
  const blocks = Math.ceil(length / 128);
  let state = 1;
  const kept = name.startsWith("blocks")
    ? Uint8Array.from({ length: blocks ** 2 }, (_, n) => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        return Math.floor(n / blocks) === n % blocks || state / 2 ** 32 < keptShare ? 1 : 0;
      })
    : null;
  const tables = attention.buffers.map((buffer) => {
    if (buffer.kind === "input") return take(buffer.name === "documents" ? documents : starts);
    if (name === "slopes")
      return take(Float32Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads)));
    return take(Float32Array.from(kept!));
  });
  const core = [elements(heads, 1), elements(groups, 2), elements(groups, 3), ...tables];
  const [output, slope] = [elements(heads, 4), elements(heads, 5)];
  const lse = take(new Float32Array(batch * length * heads));
  const gradients = [elements(heads, 6), elements(groups, 7), elements(groups, 8)];
  const sizes = { batch, length, "query-length": length, "query-start": 0, step: 0 };
  const bind = async (call: CudaCall, buffers: readonly CudaMemory[]) =>
    (await device.prepare(call)).bind(buffers, sizes);
  const began = performance.now();
  const forward = await bind(plan.forward.call, [...core, output, lse]);
  const backward = await bind(plan.backward.call, [...core, output, lse, slope, ...gradients]);
  const prepared = performance.now() - began;
  const forwardMs = await timeCall(device, () => forward.run({}));
  const backwardMs = await timeCall(device, () => backward.run({}));
  const work = 4 * batch * heads * d * length ** 2 * visibleShare(of, kept);
  const rate = (flops: number, ms: number): number => flops / ms / 1e9;
  report.text(
    `lctx  ${name.padEnd(12)} D${d} B${batch} H${heads}/${groups} N${length}`.padEnd(48) +
      `forward ${forwardMs.toFixed(3)} ms ${rate(work, forwardMs).toFixed(0)} TFLOP/s, ` +
      `backward ${backwardMs.toFixed(3)} ms ${rate(2.5 * work, backwardMs).toFixed(0)} (${plan.forward.path}/${plan.backward.path})`,
  );
  report.record("case", {
    peer: "lctx",
    ...of,
    paths: [plan.forward.path, plan.backward.path],
    fwd_ms: short(forwardMs),
    bwd_ms: short(backwardMs),
    fwd_tflops: short(rate(work, forwardMs)),
    bwd_tflops: short(rate(2.5 * work, backwardMs)),
    prepare_ms: short(prepared),
  });
  for (const memory of memories) memory.free();
}

/** Runs the peers' script; it prints JSON lines itself. */
function benchPeers(report: Report): void {
  const script = [
    join(import.meta.dirname, "peers-attention.py"),
    join(import.meta.dirname, "../peers/attention.py"),
  ].find(existsSync);
  const torch = spawnSync("python3", ["-c", "import torch"], { stdio: "ignore" });
  if (script === undefined || torch.status !== 0) {
    report.text("peers: not run: python3 has no PyTorch here");
    report.record("peers", { problem: "not run: python3 has no PyTorch here" });
    return;
  }
  spawnSync("python3", [script], { stdio: "inherit" });
}

const only = process.argv.indexOf("--only");
const wanted = only < 0 ? null : process.argv[only + 1]!.split(",");
try {
  const device = await openCuda({ cacheFolder: process.env["LCTX_CACHE"] ?? null });
  const report = new Report("cuda-attention", 1, device.description);
  for (const one of cases)
    if (wanted === null || wanted.includes(one.name.split(":")[0]!)) await benchCase(device, one, report);
  device.close();
  if (!flag("no-peers")) benchPeers(report);
} catch (error) {
  console.error(`not run: ${(error as Error).message}`);
  process.exitCode = 5;
}
