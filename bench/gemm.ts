/** Rates of the matrix product against OpenBLAS, in one process: `npx tsx bench/gemm.ts [--threads N] [--wasm] [--rounds N]`. */
import { availableParallelism, cpus, loadavg } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import koffi from "koffi";
import { supportSources } from "../compiler/backends/cpu/support/sources.ts";
import type { Kernels, Memory } from "../runtime/device/device.ts";
import { openCpuDevice } from "../runtime/device/open.ts";
import { flag, median, numberArgument, record, say } from "./arguments.ts";

interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: "N" | "T";
  readonly b: "N" | "T";
}

const threads = numberArgument("threads", availableParallelism());
const rounds = numberArgument("rounds", 5);
const milliseconds = numberArgument("ms", 150);

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

/** The functions of OpenBLAS, or null where it is not installed. */
function openBlas(
  count: number,
): { name: string; product(of: Product, at: readonly Memory[]): () => void } | null {
  // Releases from before a processor fall back to old vectors: name the newest kernels that it can run.
  if (process.env["OPENBLAS_CORETYPE"] === undefined && process.arch === "x64")
    process.env["OPENBLAS_CORETYPE"] = "SkylakeX";
  for (const path of ["libopenblas.so.0", "libopenblas.so", "libopenblas.dylib"]) {
    let library;
    try {
      library = koffi.load(path);
    } catch {
      continue;
    }
    const core = library.func("const char *openblas_get_corename()") as unknown as () => string;
    const setThreads = library.func("void openblas_set_num_threads(int)") as unknown as (n: number) => void;
    const sgemm = library.func(
      "void cblas_sgemm(int, int, int, int, int, int, float, void *, int, void *, int, float, void *, int)",
    ) as unknown as (...values: unknown[]) => void;
    setThreads(count);
    return {
      name: `OpenBLAS, ${core()} kernels`,
      product: ({ m, n, k, a, b }, memories) => {
        const [left, right, result] = memories.map((memory) => memory.f32(0, memory.byteLength / 4));
        const order = (letter: "N" | "T"): number => (letter === "T" ? 112 : 111);
        const [lda, ldb] = [a === "T" ? m : k, b === "T" ? k : n];
        return () => sgemm(101, order(a), order(b), m, n, k, 1, left, lda, right, ldb, 0, result, n);
      },
    };
  }
  return null;
}

function ours(kernels: Kernels, { m, n, k, a, b }: Product, memories: readonly Memory[]): () => void {
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

/** Median time of one call over a batch, in seconds. */
function time(call: () => void): number {
  const times: number[] = [];
  const end = performance.now() + milliseconds;
  do {
    const start = performance.now();
    call();
    times.push(performance.now() - start);
  } while (performance.now() < end || times.length < 5);
  return median(times) / 1000;
}

const device = await openCpuDevice({ kind: flag("wasm") ? "wasm" : "native", threads });
const kernels = await device.load({
  files: { ...supportSources, "product.c": kernel },
  entries: ["product"],
});
const other = openBlas(threads);
say(`${device.description}; load ${loadavg()[0]!.toFixed(2)} on ${cpus().length} cores`);
say(
  other === null ? "OpenBLAS is not installed: no comparison" : `against ${other.name}, ${threads} threads`,
);
say("     m     n     k  order   GFLOP/s  OpenBLAS  ratio  largest difference");

const ratios: number[] = [];
for (const product of products) {
  const { m, n, k } = product;
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
  const mine = ours(kernels, product, [a, b, c]);
  const theirs = other?.product(product, [a, b, d]) ?? null;
  const flops = 2 * m * n * k;
  const rates: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    rates[0].push(flops / time(mine) / 1e9);
    if (theirs === null) continue;
    // Threads of either library spin for a while after a call.
    await pause(60);
    rates[1].push(flops / time(theirs) / 1e9);
    await pause(60);
  }
  const shape = `${[m, n, k].map((size) => String(size).padStart(6)).join("")}  ${product.a}${product.b}   `;
  const [mineRate, otherRate] = [median(rates[0]), other === null ? NaN : median(rates[1])];
  let difference = 0;
  if (theirs !== null) {
    const [x, y] = [c.f32(0, m * n), d.f32(0, m * n)];
    for (let i = 0; i < x.length; i++) difference = Math.max(difference, Math.abs(x[i]! - y[i]!));
    ratios.push(mineRate / otherRate);
  }
  say(
    `${shape}${mineRate.toFixed(1).padStart(9)}` +
      (theirs === null
        ? ""
        : `${otherRate.toFixed(1).padStart(10)}${(mineRate / otherRate).toFixed(2).padStart(7)}  ${difference.toExponential(1)}`),
  );
  record({
    case: `${product.a}${product.b} ${m}×${n}×${k}`,
    threads,
    rate: mineRate,
    otherRate: theirs === null ? null : otherRate,
    ratio: theirs === null ? null : mineRate / otherRate,
  });
  for (const memory of [a, b, c, d]) memory.free();
}
if (ratios.length > 0)
  say(`ratio: lowest ${Math.min(...ratios).toFixed(2)}, median ${median(ratios).toFixed(2)}`);
device.close();
