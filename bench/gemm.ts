/** Rates of the matrix product against OpenBLAS, in one process: `npx tsx bench/gemm.ts [--threads N] [--wasm] [--rounds N]`. */
import { setTimeout as pause } from "node:timers/promises";
import { supportSources } from "../compiler/backends/cpu/support/sources.ts";
import type { Kernels, Memory } from "../runtime/device/device.ts";
import { openCpuDevice } from "../runtime/device/open.ts";
import { openBlas } from "./openblas.ts";
import {
  argument,
  benchOptions,
  isMain,
  median,
  pairedRatio,
  Report,
  short,
  type BenchOptions,
} from "./report.ts";

export interface GemmOptions extends BenchOptions {
  /** Length of one batch of calls, milliseconds. */
  readonly milliseconds: number;
}

interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: "N" | "T";
  readonly b: "N" | "T";
}

const orders = [
  ["N", "N"],
  ["N", "T"],
  ["T", "N"],
] as const;
const square = (n: number): Product[] => orders.map(([a, b]) => ({ m: n, n, k: n, a, b }));
/**
 * Square ones, then those of a training step of width 256 on 4096 tokens: forward, backward, gradients of weights;
 * last those of low-rank adapters.
 */
const products: Product[] = [
  ...square(512),
  ...square(1024),
  { m: 4096, n: 256, k: 256, a: "N", b: "N" },
  { m: 4096, n: 256, k: 256, a: "N", b: "T" },
  { m: 256, n: 256, k: 4096, a: "T", b: "N" },
  { m: 4096, n: 1024, k: 256, a: "N", b: "N" },
  { m: 4096, n: 1024, k: 256, a: "N", b: "T" },
  { m: 4096, n: 256, k: 1024, a: "N", b: "N" },
  { m: 256, n: 1024, k: 4096, a: "T", b: "N" },
  { m: 1024, n: 256, k: 4096, a: "T", b: "N" },
  { m: 4096, n: 8, k: 256, a: "N", b: "N" },
  { m: 4096, n: 256, k: 8, a: "N", b: "N" },
  { m: 256, n: 8, k: 4096, a: "T", b: "N" },
  { m: 8, n: 256, k: 4096, a: "T", b: "N" },
];

const kernel = `#include "lctx.h"
void product(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)scalars;
  int64_t m = sizes[0], n = sizes[1], k = sizes[2];
  int ta = (int)sizes[3], tb = (int)sizes[4];
  lctx_gemm(m, n, k, buffers[0], ta ? m : k, ta, buffers[1], tb ? k : n, tb, buffers[2], n, 0, NULL);
}
`;

function ours(
  kernels: Kernels,
  { m, n, k, a, b }: Product,
  memories: readonly Memory[],
  threads: number,
): () => void {
  const launch = {
    kernel: "product",
    label: "product",
    buffers: [0, 1, 2],
    writes: [2],
    sizes: [m, n, k, a === "T" ? 1 : 0, b === "T" ? 1 : 0],
    scalars: [],
  };
  const sizes = { batch: 1, length: 1, threads, "query-start": 0 };
  const phase = kernels.bind([launch], (tensor) => ({ memory: memories[tensor]!, offset: 0 }), sizes);
  return () => phase.run({});
}

/** Times of one call after another, in milliseconds. */
function timesOf(call: () => void, milliseconds: number): number[] {
  const times: number[] = [];
  const end = performance.now() + milliseconds;
  do {
    const start = performance.now();
    call();
    times.push(performance.now() - start);
  } while (performance.now() < end || times.length < 5);
  return times;
}

export async function benchGemm(options: GemmOptions): Promise<void> {
  const { threads, rounds, milliseconds } = options;
  const device = await openCpuDevice({ kind: options.kind, threads });
  const kernels = await device.load({
    files: { ...supportSources, "product.c": kernel },
    entries: ["product"],
  });
  const other = openBlas(threads);
  const report = new Report("gemm", threads, device.description);
  const peer = other === null ? "not run: OpenBLAS is not installed" : `OpenBLAS, ${other.core} kernels`;
  report.text(`peer: ${peer}; ${threads} threads, ${rounds} rounds in turns`);
  report.record("peer", { peer });
  report.text("     m     n     k  order   GFLOP/s  OpenBLAS  ratio  of the best calls  largest difference");

  const ratios: number[] = [];
  for (const product of products) {
    const { m, n, k, a: orderA, b: orderB } = product;
    const [a, b, c, d] = [m * k, k * n, m * n, m * n].map((length) => device.allocate(length * 4)) as [
      Memory,
      Memory,
      Memory,
      Memory,
    ];
    for (const memory of [a, b]) {
      const values = memory.f32(0, memory.byteLength / 4);
      for (let i = 0; i < values.length; i++)
        values[i] = ((Math.imul(i + 1, 0x9e3779b1) >>> 8) / 2 ** 23 - 1) / 2;
    }
    const whole = (memory: Memory): Float32Array => memory.f32(0, memory.byteLength / 4);
    const mine = ours(kernels, product, [a, b, c], threads);
    const theirs = other?.product([m, n, k], [orderA, orderB], [whole(a), whole(b), whole(d)]) ?? null;
    const rate = (time: number): number => (2 * m * n * k) / time / 1e6;
    const medians: [number[], number[]] = [[], []];
    const best: [number, number] = [Infinity, Infinity];
    for (let round = 0; round < rounds; round++)
      for (const [which, call] of [mine, theirs].entries()) {
        if (call === null) continue;
        const times = timesOf(call, milliseconds);
        medians[which]!.push(median(times));
        best[which] = Math.min(best[which]!, ...times);
        // Threads of either library spin for a while after a call.
        await pause(60);
      }
    const shape = `${[m, n, k].map((size) => String(size).padStart(6)).join("")}  ${orderA}${orderB}   `;
    const mineRate = rate(median(medians[0]));
    const record = {
      m,
      n,
      k,
      order: `${orderA}${orderB}`,
      gflops: short(mineRate),
      best_gflops: short(rate(best[0])),
    };
    if (theirs === null) {
      report.text(`${shape}${mineRate.toFixed(1).padStart(9)}`);
      report.record("product", record);
    } else {
      const [x, y] = [whole(c), whole(d)];
      let difference = 0;
      for (let i = 0; i < x.length; i++) difference = Math.max(difference, Math.abs(x[i]! - y[i]!));
      const [ratio, bestRatio] = [pairedRatio(medians[1], medians[0]), best[1] / best[0]];
      ratios.push(ratio);
      const otherRate = rate(median(medians[1]));
      report.text(
        `${shape}${mineRate.toFixed(1).padStart(9)}${otherRate.toFixed(1).padStart(10)}` +
          `${ratio.toFixed(2).padStart(7)}${bestRatio.toFixed(2).padStart(19)}  ${difference.toExponential(1)}`,
      );
      report.record("product", {
        ...record,
        peer_gflops: short(otherRate),
        peer_best_gflops: short(rate(best[1])),
        ratio: short(ratio),
        best_ratio: short(bestRatio),
        largest_difference: short(difference),
      });
    }
    for (const memory of [a, b, c, d]) memory.free();
  }
  if (ratios.length > 0) {
    report.text(`ratio: lowest ${Math.min(...ratios).toFixed(2)}, median ${median(ratios).toFixed(2)}`);
    report.record("ratios", { lowest: short(Math.min(...ratios)), median: short(median(ratios)) });
  }
  device.close();
}

if (isMain(import.meta.url)) await benchGemm({ ...benchOptions(5), milliseconds: argument("ms", 150) });
