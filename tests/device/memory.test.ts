/** Memory and launches of both devices: alignment, zeros, views, refusals; heap ranges of WebAssembly. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { layLaunches } from "../../runtime/device/cpu/launch-table.ts";
import { WasmHeap } from "../../runtime/device/cpu/wasm-heap.ts";
import { webAssembly } from "../../runtime/web-assembly.ts";
import type { Device, Kernels } from "../../runtime/device/device.ts";
import { openCpuDevice } from "../../runtime/device/open.ts";
import { LctxError } from "../../runtime/errors.ts";
import { noTensor } from "../../runtime/program.ts";
import { call, floats, kinds, launchOf, sizesOf, sourcesOf } from "./support.ts";
import { kernelCache } from "../support/kernel-cache.ts";

const sources = sourcesOf(
  `/* Where buffer 1 lies, beyond a multiple of 64. */
void place(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)sizes, (void)scalars;
  *(int32_t *)buffers[0] = (int32_t)((uintptr_t)buffers[1] % 64);
}
/* What a kernel is given: is buffer 1 null, two sizes, two scalars. */
void given(void *const *buffers, const int64_t *sizes, const float *scalars) {
  double *out = buffers[0];
  out[0] = buffers[1] == NULL, out[1] = (double)sizes[0], out[2] = (double)sizes[1], out[3] = scalars[0], out[4] = scalars[1];
}
void add_one(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)scalars;
  for (int64_t i = 0; i < sizes[0]; i++) ((float *)buffers[0])[i] += 1;
}
`,
  ["place", "given", "add_one"],
);

describe.each(kinds)("memory on %s", (kind) => {
  let device: Device;
  let kernels: Kernels;
  beforeAll(async () => {
    device = await openCpuDevice({ kind, threads: 2, cacheFolder: kernelCache() });
    kernels = await device.load(sources);
  });
  afterAll(() => device.close());

  it("is aligned to 64 bytes and zero-filled, also where it was used before", () => {
    const out = device.allocate(4);
    for (const bytes of [1, 63, 64, 65, 4096, 1 << 20, (4 << 20) - 4, 4 << 20, (4 << 20) + 100, 9 << 20])
      for (let repeat = 0; repeat < 3; repeat++) {
        const memory = device.allocate(bytes);
        expect(memory.byteLength).toBe(bytes);
        expect(memory.bytes.length).toBe(bytes);
        expect(memory.bytes.every((byte) => byte === 0)).toBe(true);
        call(device, kernels, "place", [out, memory]);
        expect(out.i32(0, 1)[0]).toBe(0);
        memory.bytes.fill(255);
        memory.free();
      }
  });

  it("is what kernels see, at any offset of a view", () => {
    const memory = floats(device, [1, 2, 3, 4]);
    call(device, kernels, "add_one", [memory], [3]);
    expect([...memory.f32(4, 3)]).toEqual([3, 4, 4]);
    memory.i32(0, 1)[0] = 0x40400000;
    expect(memory.f32(0, 1)[0]).toBe(3);
    const phase = kernels.bind([launchOf("add_one", [0], [2])], () => ({ memory, offset: 8 }), sizesOf(2));
    phase.run({});
    phase.run({});
    expect([...memory.f32(0, 4)]).toEqual([3, 3, 6, 6]);
  });

  it("may be freed twice", () => {
    const memory = device.allocate(100);
    memory.free();
    memory.free();
    const [one, two] = [device.allocate(100), device.allocate(100)];
    one.bytes.fill(1);
    expect(two.bytes.every((byte) => byte === 0)).toBe(true);
  });

  it("is refused, with the bytes that were asked for, where there is not enough", () => {
    for (const bytes of [2 ** 46, 2 ** 50]) {
      let error: unknown = null;
      try {
        device.allocate(bytes);
      } catch (reason) {
        error = reason;
      }
      expect(error).toBeInstanceOf(LctxError);
      expect((error as LctxError).code).toBe("device-memory");
      expect((error as LctxError).message).toMatch(
        /^\d+\.\d MiB of memory were asked for .*; \d+\.\d MiB are free/,
      );
      expect((error as LctxError).message).toContain(`${bytes / 2 ** 20}.0 MiB`);
    }
    // And there is as much as before.
    expect(device.allocate(1 << 20).byteLength).toBe(1 << 20);
  });

  it("of another device is no place for a tensor", async () => {
    const other = await openCpuDevice({ kind: kind === "native" ? "wasm" : "native", threads: 1 });
    const memory = other.allocate(64);
    expect(() => call(device, kernels, "add_one", [memory], [1])).toThrow("another device's memory");
    memory.free();
    other.close();
  });

  it("carries sizes, scalars by value and by name, and null pointers to kernels", () => {
    const memory = device.allocate(40);
    const launch = {
      ...launchOf("given", [0, noTensor], []),
      sizes: [["*", "batch", "length", 2 ** 33] as const, -3],
      scalars: [0.5, "lr"],
    };
    const phase = kernels.bind([launch], () => ({ memory, offset: 0 }), {
      ...sizesOf(2),
      batch: 3,
      length: 5,
    });
    for (const lr of [0.25, 8]) {
      phase.run({ lr, other: 1 });
      expect([...new Float64Array(memory.bytes.slice().buffer)]).toEqual([1, 15 * 2 ** 33, -3, 0.5, lr]);
    }
    expect(() => phase.run({ other: 1 })).toThrow('a value for scalar "lr"');
  });

  it("is not there for kernels that were not compiled", () => {
    const memory = device.allocate(4);
    expect(() => call(device, kernels, "absent", [memory])).toThrow('no kernel "absent"');
  });
});

describe("native memory", () => {
  it.skipIf(process.availableMemory() < 7 * 2 ** 30)("above 4 GiB is seen in parts", async () => {
    const device = await openCpuDevice({ kind: "native", threads: 1 });
    const bytes = 2 ** 32 + 4096;
    const memory = device.allocate(bytes);
    memory.f32(2 ** 32, 1024).fill(3);
    expect(memory.f32(2 ** 32 - 4, 3)).toEqual(new Float32Array([0, 3, 3]));
    expect(memory.i32(bytes - 4, 1)[0]).toBe(0x40400000);
    expect(() => memory.f32(bytes - 4, 2)).toThrow(RangeError);
    expect(() => memory.bytes).toThrow("no one view");
    memory.free();
    device.close();
  });
});

describe("a launch table", () => {
  it("keeps launches, pointers, sizes and scalars apart", () => {
    const launches = [3, 0, 1, 5].map((count, n) => ({
      ...launchOf(
        `k${n}`,
        Array.from({ length: count }, (_, i) => i),
        Array.from({ length: (count * 2) % 3 }, (_, i) => i),
      ),
      scalars: Array.from({ length: count }, () => 1),
    }));
    for (const word of [4, 8] as const) {
      const layout = layLaunches(launches, sizesOf(1), word);
      const taken = layout.launches.flatMap(({ buffersAt, sizesAt, scalarsAt, buffers, sizes, scalars }) => [
        [buffersAt, buffers.length * word],
        [sizesAt, sizes.length * 8],
        [scalarsAt, scalars.length * 4],
      ]) as [number, number][];
      let end = launches.length * 4 * word;
      for (const [at, bytes] of taken) {
        expect(at % 8).toBe(0);
        expect(at).toBeGreaterThanOrEqual(end);
        end = at + bytes;
      }
      expect(layout.bytes).toBeGreaterThanOrEqual(end);
    }
  });
});

describe("the WebAssembly heap", () => {
  it("never gives a range twice, and joins what is freed", () => {
    const start = 65_536;
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.constant(null)), { maxLength: 60 }),
        (steps) => {
          const memory = new webAssembly.Memory({ initial: 1, maximum: 32, shared: true });
          const heap = new WasmHeap(memory, start);
          const live: { at: number; bytes: number }[] = [];
          steps.forEach((step, n) => {
            if (step === null) {
              const gone = live.splice((n * 7) % Math.max(1, live.length), 1)[0];
              if (gone !== undefined) heap.free(gone.at, gone.bytes);
              return;
            }
            const at = heap.allocate(step)!;
            expect(at % 64).toBe(0);
            expect(at).toBeGreaterThanOrEqual(start);
            const view = new Uint8Array(memory.buffer, at, step);
            expect(view.every((byte) => byte === 0)).toBe(true);
            view.fill(255);
            for (const other of live)
              expect(at >= other.at + Math.max(1, other.bytes) || other.at >= at + Math.max(1, step)).toBe(
                true,
              );
            live.push({ at, bytes: step });
          });
          const grown = memory.buffer.byteLength - start;
          for (const { at, bytes } of live) heap.free(at, bytes);
          // All of it in one piece again.
          if (grown > 0 && live.length > 0) expect(heap.allocate(64)).toBe(start);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("gives null at the memory's limit, and what is freed before it", () => {
    const memory = new webAssembly.Memory({ initial: 1, maximum: 4, shared: true });
    const heap = new WasmHeap(memory, 65_536);
    const first = heap.allocate(100_000)!;
    expect(heap.allocate(100_000)).toBeNull();
    heap.free(first, 100_000);
    expect(heap.allocate(100_000)).toBe(first);
  });
});
