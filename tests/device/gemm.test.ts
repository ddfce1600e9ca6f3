/** The matrix product on both devices against float64 sums, for any shape, order and spacing. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Device, Kernels } from "../../runtime/device/device.ts";
import { openCpuDevice } from "../../runtime/device/open.ts";
import { call, floats, kinds, sourcesOf } from "./support.ts";
import { kernelCache } from "../support/kernel-cache.ts";

const sources = sourcesOf(
  `void product(void *const *buffers, const int64_t *s, const float *scalars) {
  (void)scalars;
  lctx_gemm(s[0], s[1], s[2], buffers[0], s[3], (int)s[4], buffers[1], s[5], (int)s[6], buffers[2], s[7], (int)s[8], NULL);
}
`,
  ["product"],
);

interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly ta: boolean;
  readonly tb: boolean;
  readonly accumulate: boolean;
  /** Numbers between a row's end and the next row, in a, b and c. */
  readonly gaps: readonly [number, number, number];
  readonly seed: number;
}

const random = (seed: number) => {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround(state / 2 ** 31 - 1);
  };
};

/** Rows of numbers with gaps of NaN, which must never be read into a result. */
function operand(rows: number, columns: number, gap: number, next: () => number): Float32Array {
  const apart = columns + gap;
  return Float32Array.from({ length: rows * apart }, (_, n) => (n % apart < columns ? next() : NaN));
}

function run(
  device: Device,
  kernels: Kernels,
  p: Product,
): { before: Float32Array; a: Float32Array; b: Float32Array; c: Float32Array } {
  const next = random(p.seed);
  const a = p.ta ? operand(p.k, p.m, p.gaps[0], next) : operand(p.m, p.k, p.gaps[0], next);
  const b = p.tb ? operand(p.n, p.k, p.gaps[1], next) : operand(p.k, p.n, p.gaps[1], next);
  // A result that is not added to may hold anything before.
  const before = operand(p.m, p.n, p.gaps[2], p.accumulate ? next : () => NaN);
  const memories = [a, b, before].map((values) => floats(device, values));
  const lda = (p.ta ? p.m : p.k) + p.gaps[0];
  const ldb = (p.tb ? p.k : p.n) + p.gaps[1];
  const sizes = [p.m, p.n, p.k, lda, Number(p.ta), ldb, Number(p.tb), p.n + p.gaps[2], Number(p.accumulate)];
  call(device, kernels, "product", memories, sizes);
  const c = memories[2]!.f32(0, before.length).slice();
  for (const memory of memories) memory.free();
  return { before, a, b, c };
}

/** Each element within the bound that holds for any order of k float32 additions. */
function check(p: Product, { before, a, b, c }: ReturnType<typeof run>): void {
  const lda = (p.ta ? p.m : p.k) + p.gaps[0];
  const ldb = (p.tb ? p.k : p.n) + p.gaps[1];
  const ldc = p.n + p.gaps[2];
  for (let i = 0; i < p.m; i++)
    for (let j = 0; j < ldc; j++) {
      const at = i * ldc + j;
      if (j >= p.n) {
        if (!Object.is(c[at], before[at])) throw new Error(`wrote outside the result at [${i}, ${j}]`);
        continue;
      }
      let sum = p.accumulate ? before[at]! : 0;
      let size = Math.abs(sum);
      for (let x = 0; x < p.k; x++) {
        const term = a[p.ta ? x * lda + i : i * lda + x]! * b[p.tb ? j * ldb + x : x * ldb + j]!;
        sum += term;
        size += Math.abs(term);
      }
      const bound = (p.k + 3) * 2 ** -24 * size;
      if (!(Math.abs(c[at]! - sum) <= bound))
        throw new Error(`[${i}, ${j}] is ${c[at]}, not ${sum} within ${bound}`);
    }
}

const products = fc.record({
  m: fc.integer({ min: 0, max: 70 }),
  n: fc.integer({ min: 0, max: 140 }),
  k: fc.integer({ min: 0, max: 90 }),
  ta: fc.boolean(),
  tb: fc.boolean(),
  accumulate: fc.boolean(),
  gaps: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)),
  seed: fc.nat(),
});

/** Beyond one panel in each direction: k above 512, and more rows and columns than are packed at once. */
const large: readonly (readonly [number, number, number])[] = [
  [13, 65, 1000],
  [4100, 7, 5],
  [5, 2113, 4],
  [129, 131, 513],
  [1, 1, 2000],
];

describe.each(kinds)("the product on %s", (kind) => {
  const devices: Device[] = [];
  const loaded: Kernels[] = [];
  beforeAll(async () => {
    for (const threads of [1, 2, 3]) {
      const device = await openCpuDevice({ kind, threads, cacheFolder: kernelCache() });
      devices.push(device);
      loaded.push(await device.load(sources));
    }
  });
  afterAll(() => {
    for (const device of devices) device.close();
  });

  it("is right for any shape, order and spacing", () => {
    fc.assert(
      fc.property(products, (product) => check(product, run(devices[1]!, loaded[1]!, product))),
      { numRuns: 300 },
    );
  });

  it.each(large)("is right for %i × %i × %i in all orders", (m, n, k) => {
    for (const ta of [false, true])
      for (const tb of [false, true]) {
        const product = { m, n, k, ta, tb, accumulate: ta !== tb, gaps: [1, 0, 2] as const, seed: m + n + k };
        check(product, run(devices[1]!, loaded[1]!, product));
      }
  });

  it("has the same bits on any number of threads, run after run", () => {
    const product = {
      m: 301,
      n: 277,
      k: 801,
      ta: false,
      tb: true,
      accumulate: true,
      gaps: [0, 0, 0],
      seed: 5,
    } as const;
    const first = Buffer.from(run(devices[0]!, loaded[0]!, product).c.buffer);
    for (let n = 0; n < 6; n++) {
      const again = Buffer.from(run(devices[n % 3]!, loaded[n % 3]!, product).c.buffer);
      expect(again.equals(first)).toBe(true);
    }
  });

  it("keeps infinities and NaN to their own rows and columns", () => {
    const [m, n, k] = [30, 40, 50];
    const device = devices[1]!;
    const a = floats(device, new Float32Array(m * k).fill(1));
    const b = floats(device, new Float32Array(k * n).fill(1));
    const c = floats(device, new Float32Array(m * n));
    a.f32(0, m * k)[7 * k + 3] = NaN;
    b.f32(0, k * n)[5 * n + 11] = Infinity;
    call(device, loaded[1]!, "product", [a, b, c], [m, n, k, k, 0, n, 0, n, 0]);
    const values = c.f32(0, m * n);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) expect(values[i * n + j]).toBe(i === 7 ? NaN : j === 11 ? Infinity : k);
  });
});
