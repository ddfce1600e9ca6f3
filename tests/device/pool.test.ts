/** The thread pool on both devices: each item once, on several threads, for jobs of all sizes, also after sleep. */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { supportSources } from "../../compiler/backends/cpu/support/sources.ts";
import type { Device, Kernels, KernelSources } from "../../runtime/device/device.ts";
import { openCpuDevice } from "../../runtime/device/open.ts";
import { call, kinds, sourcesOf } from "./support.ts";
import { kernelCache } from "../support/kernel-cache.ts";

const text = `
static void count_item(void *ctx, int64_t item, int thread) {
  int32_t *counts = ctx;
  counts[item]++;
  if (thread < 0 || thread >= lctx_threads()) counts[item] = -1000000;
}
/* Jobs of 1, 2, ... 'most' items, over and over. */
void count(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)scalars;
  for (int64_t n = 0; n < sizes[1]; n++) lctx_parallel(1 + n % sizes[0], count_item, buffers[0]);
}

static int32_t together;
static void meet_item(void *ctx, int64_t item, int thread) {
  (void)item;
  int32_t *met = ctx;
  __atomic_fetch_add(&together, 1, __ATOMIC_SEQ_CST);
  for (int64_t n = 0; n < 4000000000 && __atomic_load_n(&together, __ATOMIC_SEQ_CST) < lctx_threads(); n++) {}
  met[thread] = __atomic_load_n(&together, __ATOMIC_SEQ_CST);
}
/* One item a thread; each waits for all others to have begun. */
void meet(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)sizes, (void)scalars;
  together = 0;
  lctx_parallel(lctx_threads(), meet_item, buffers[0]);
}

void threads(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)sizes, (void)scalars;
  *(int32_t *)buffers[0] = (int32_t)lctx_threads();
}
`;
const entries = ["count", "meet", "threads"];
const sources = sourcesOf(text, entries);

/** Pools by how they sleep; the one of systems without futexes can be tested wherever there are threads. */
const variants: readonly (readonly [string, (typeof kinds)[number], KernelSources])[] = [
  ["native", "native", sources],
  [
    "native without futexes",
    "native",
    { files: { ...sources.files, "pool.c": `#define LCTX_NO_FUTEX\n${supportSources["pool.c"]}` }, entries },
  ],
  ["wasm", "wasm", sources],
];

const opened: Device[] = [];
afterAll(() => {
  for (const device of opened) device.close();
});

async function open(
  kind: (typeof kinds)[number],
  threads: number,
  of: KernelSources,
): Promise<[Device, Kernels]> {
  const device = await openCpuDevice({ kind, threads, cacheFolder: kernelCache() });
  opened.push(device);
  return [device, await device.load(of)];
}

describe.each(variants)("the pool on %s", (_, kind, of) => {
  it.each([1, 2, 5])("does each item of each job once on %i threads", async (threads) => {
    const [device, kernels] = await open(kind, threads, of);
    const [most, jobs] = [37, 3700];
    const counts = device.allocate(most * 4);
    // Sleep between calls: workers must wake as well as spin.
    for (let repeat = 1; repeat <= 4; repeat++) {
      call(device, kernels, "count", [counts], [most, jobs]);
      expect([...counts.i32(0, most)]).toEqual(
        Array.from({ length: most }, (__, item) => (repeat * jobs * (most - item)) / most),
      );
      await pause(5);
    }
    device.close();
  });

  it.each([2, 3])("has %i threads at work at the same time", async (threads) => {
    const [device, kernels] = await open(kind, threads, of);
    const met = device.allocate(threads * 4);
    call(device, kernels, "meet", [met]);
    expect([...met.i32(0, threads)]).toEqual(Array.from({ length: threads }, () => threads));
    device.close();
  });

  it("belongs to one device: two of the same kernels have their own numbers of threads", async () => {
    const [one, onOne] = await open(kind, 1, of);
    const [three, onThree] = await open(kind, 3, of);
    const said = (device: Device, kernels: Kernels): number => {
      const memory = device.allocate(4);
      call(device, kernels, "threads", [memory]);
      return memory.i32(0, 1)[0]!;
    };
    expect([said(one, onOne), said(three, onThree), said(one, onOne)]).toEqual([1, 3, 1]);
    one.close();
    const met = three.allocate(12);
    call(three, onThree, "meet", [met]);
    expect([...met.i32(0, 3)]).toEqual([3, 3, 3]);
    three.close();
  });
});

describe("a wasm worker", () => {
  it("that fails inside a kernel fails the run and does not hang it", async () => {
    const failing = sourcesOf(
      `static int32_t begun;
static void item(void *ctx, int64_t n, int thread) {
  (void)ctx, (void)n;
  __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
  for (int64_t i = 0; i < 4000000000 && __atomic_load_n(&begun, __ATOMIC_SEQ_CST) < 2; i++) {}
  if (thread == 1) __builtin_trap();
}
void fail(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)buffers, (void)sizes, (void)scalars;
  lctx_parallel(2, item, NULL);
}
`,
      ["fail"],
    );
    const [device, kernels] = await open("wasm", 2, failing);
    expect(() => call(device, kernels, "fail", [])).toThrow("a worker thread failed inside a kernel");
    device.close();
  });
});
