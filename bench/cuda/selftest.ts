/**
 * What the CUDA device does on a real GPU, one JSON line a check: `npx tsx bench/cuda/selftest.ts`, or bundled by
 * scripts/pack-gpu.mjs for a machine without npm. Ends with 1 when a check fails.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LctxError } from "../../runtime/errors.ts";
import { CubinCache } from "../../runtime/device/cuda/cubin-cache.ts";
import { openCuda, type CudaDevice } from "../../runtime/device/cuda/device.ts";
import type { CudaCall, CudaLaunch } from "../../runtime/device/cuda/launch.ts";
import { addText, clusterText, faultText, growText, swizzleText } from "./selftest-kernels.ts";

let failed = 0;

function say(check: string, ok: boolean, more: Readonly<Record<string, unknown>> = {}): void {
  if (!ok) failed += 1;
  process.stdout.write(`${JSON.stringify({ check, ok, ...more })}\n`);
}

async function attempt(check: string, work: () => Promise<Readonly<Record<string, unknown>>>): Promise<void> {
  try {
    const { ok = true, ...more } = await work();
    say(check, ok === true, more);
  } catch (error) {
    say(check, false, { error: (error as Error).message, stack: (error as Error).stack?.split("\n")[1] });
  }
}

const launch = (more: Partial<CudaLaunch> & Pick<CudaLaunch, "label" | "arguments">): CudaLaunch => ({
  source: 0,
  grid: [1, 1, 1],
  threads: 256,
  cluster: 1,
  sharedBytes: 0,
  ...more,
});

const add: CudaCall = {
  sources: [{ entry: "add", text: addText, architecture: "sm_80" }],
  buffers: 3,
  scratch: [],
  launches: [
    launch({
      label: "vector add",
      grid: [["ceil-div", "n", 256], 1, 1],
      arguments: [
        { kind: "pointer", buffer: 0 },
        { kind: "pointer", buffer: 1 },
        { kind: "pointer", buffer: 2 },
        { kind: "f32", value: "scale" },
        { kind: "i64", value: "n" },
      ],
    }),
  ],
};

async function vectorAdd(device: CudaDevice): Promise<Readonly<Record<string, unknown>>> {
  const n = 1_000_003;
  const [a, b, c] = [device.allocate(4 * n), device.allocate(4 * n), device.allocate(4 * n)];
  device.upload(
    a!,
    Float32Array.from({ length: n }, (_, i) => i % 1000),
  );
  device.upload(
    b!,
    Float32Array.from({ length: n }, (_, i) => i % 77),
  );
  const prepared = await device.prepare(add);
  const out = new Float32Array(n);
  let wrong = 0;
  for (const scale of [1, 3]) {
    prepared.run([a!, b!, c!], { n }, { scale });
    device.download(c!, out);
    for (let i = 0; i < n; i++) if (out[i] !== (i % 1000) + scale * (i % 77)) wrong += 1;
  }
  const bound = prepared.bind([a!, b!, c!], { n });
  const rounds = 2000;
  const before = performance.now();
  for (let i = 0; i < rounds; i++) bound.run({ scale: 1 });
  const hostMicroseconds = ((performance.now() - before) * 1000) / rounds;
  device.synchronize();
  const runBefore = performance.now();
  for (let i = 0; i < rounds; i++) prepared.run([a!, b!, c!], { n }, { scale: 1 });
  const runMicroseconds = ((performance.now() - runBefore) * 1000) / rounds;
  const milliseconds = device.time(() => {
    for (let i = 0; i < 100; i++) bound.run({ scale: 1 });
  });
  const graph = device.capture(() => {
    for (let i = 0; i < 100; i++) bound.run({ scale: 5 });
  });
  device.zero(c!);
  const graphMilliseconds = device.time(() => graph.launch());
  device.download(c!, out);
  for (let i = 0; i < n; i++) if (out[i] !== (i % 1000) + 5 * (i % 77)) wrong += 1;
  for (const memory of [a!, b!, c!]) memory.free();
  return {
    ok: wrong === 0,
    wrong,
    hostMicroseconds,
    runMicroseconds,
    launchMicroseconds: milliseconds * 10,
    graphLaunchMicroseconds: graphMilliseconds * 10,
    resources: prepared.kernels[0]!.resources,
  };
}

/** Each block adds its own sum to that of its neighbour's shared memory; scratch has to be zero first. */
async function clusters(device: CudaDevice, cluster: number): Promise<Readonly<Record<string, unknown>>> {
  const blocks = cluster * 6;
  const out = device.allocate(4 * blocks);
  const prepared = await device.prepare({
    sources: [{ entry: "clusters", text: clusterText, architecture: "sm_90a" }],
    buffers: 1,
    scratch: [{ bytes: ["*", 4, "blocks"], zero: true }],
    launches: [
      launch({
        label: "clusters",
        grid: ["blocks", 1, 1],
        threads: 64,
        cluster,
        sharedBytes: 100_000,
        arguments: [
          { kind: "pointer", buffer: 0 },
          { kind: "pointer", buffer: 1 },
          { kind: "i32", value: cluster },
        ],
      }),
    ],
  });
  const got = new Int32Array(blocks);
  let wrong = 0;
  for (let round = 0; round < 3; round++) {
    prepared.run([out], { blocks });
    device.download(out, got);
    got.forEach((value, block) => {
      const base = block - (block % cluster);
      if (value !== 64 * (base + ((block + 1) % cluster)) + 1) wrong += 1;
    });
  }
  out.free();
  return { ok: wrong === 0, cluster, wrong, first: [...got.slice(0, 4)] };
}

/** A bulk copy of a 64 × 64 tile of 16-bit numbers at (x, y): swizzled by 128 bytes, zero outside the tensor. */
async function swizzledLoad(device: CudaDevice): Promise<Readonly<Record<string, unknown>>> {
  const [width, height, x, y] = [200, 150, 160, 120];
  const tile = 64;
  const [input, output] = [device.allocate(2 * width * height), device.allocate(2 * tile * tile)];
  device.upload(
    input,
    Uint16Array.from({ length: width * height }, (_, i) => i % 65_521),
  );
  const prepared = await device.prepare({
    sources: [{ entry: "swizzled", text: swizzleText, architecture: "sm_90a" }],
    buffers: 2,
    scratch: [],
    launches: [
      launch({
        label: "swizzled load",
        threads: 128,
        sharedBytes: 2 * tile * tile + 1024 + 16,
        arguments: [
          {
            kind: "tensor-map",
            buffer: 0,
            element: "bf16",
            extents: ["width", "height"],
            strides: [["*", 2, "width"]],
            box: [tile, tile],
            swizzle: 128,
          },
          { kind: "pointer", buffer: 1 },
          { kind: "i32", value: "x" },
          { kind: "i32", value: "y" },
        ],
      }),
    ],
  });
  prepared.run([input, output], { width, height, x, y });
  const got = new Uint16Array(tile * tile);
  device.download(output, got);
  let wrong = 0;
  for (let row = 0; row < tile; row++)
    for (let column = 0; column < tile; column++) {
      const inside = x + column < width && y + row < height;
      const expected = inside ? ((y + row) * width + x + column) % 65_521 : 0;
      // Rows of 128 bytes; chunks of 16 bytes lie at their number xor the row's, modulo 8.
      const at = row * tile + ((column >> 3) ^ (row & 7)) * 8 + (column & 7);
      if (got[at] !== expected) wrong += 1;
    }
  input.free();
  output.free();
  return { ok: wrong === 0, wrong };
}

async function outOfMemory(device: CudaDevice): Promise<Readonly<Record<string, unknown>>> {
  const asked = device.properties.memoryBytes * 2;
  try {
    device.allocate(asked);
    return { ok: false };
  } catch (error) {
    const message = (error as Error).message;
    const free = Number(/: (\d+) bytes/.exec(message)?.[1]);
    const small = device.allocate(1024);
    small.free();
    return {
      ok:
        error instanceof LctxError &&
        error.code === "device-memory" &&
        message.includes(String(asked)) &&
        free > device.properties.memoryBytes / 2,
      message,
    };
  }
}

async function copies(device: CudaDevice): Promise<Readonly<Record<string, unknown>>> {
  const bytes = 2 ** 30;
  const [a, b] = [device.allocate(bytes), device.allocate(bytes)];
  device.copy(b, a);
  const rounds = 20;
  const inside = device.time(() => {
    for (let i = 0; i < rounds; i++) device.copy(b, a);
  });
  const host = new Uint8Array(2 ** 28);
  device.upload(a, host);
  const timed = (work: () => void): number => {
    const before = performance.now();
    work();
    return host.byteLength / (performance.now() - before) / 1e6;
  };
  const result = {
    insideGigabytesPerSecond: (2 * bytes * rounds) / inside / 1e6,
    uploadGigabytesPerSecond: timed(() => device.upload(a, host)),
    downloadGigabytesPerSecond: timed(() => device.download(a, host)),
  };
  a.free();
  b.free();
  return result;
}

async function compileTimes(device: CudaDevice, folder: string): Promise<Readonly<Record<string, unknown>>> {
  const clock = async (work: () => Promise<unknown>): Promise<number> => {
    const before = performance.now();
    await work();
    return performance.now() - before;
  };
  const cache = new CubinCache(device.compiler, folder);
  const one = { entry: "grow", text: growText(0) };
  const firstMilliseconds = await clock(() => cache.get(one, "sm_90a"));
  const oneMilliseconds = await clock(() => cache.get({ entry: "grow", text: growText(1) }, "sm_90a"));
  const eightMilliseconds = await clock(() =>
    Promise.all(
      Array.from({ length: 8 }, (_, n) => cache.get({ entry: "grow", text: growText(n + 2) }, "sm_90a")),
    ),
  );
  const hitMilliseconds = await clock(() => cache.get(one, "sm_90a"));
  const hit = await cache.get(one, "sm_90a");
  return { ok: !hit.compiled, firstMilliseconds, oneMilliseconds, eightMilliseconds, hitMilliseconds };
}

const folder = mkdtempSync(join(tmpdir(), "lctx-selftest-"));
const before = performance.now();
const device = await openCuda({ cacheFolder: folder });
say("open", true, {
  milliseconds: performance.now() - before,
  description: device.description,
  ...device.properties,
});
if (process.argv.includes("--fault")) {
  // The process has to end here with 5, and to name the kernel.
  const prepared = await device.prepare({
    sources: [{ entry: "fault", text: faultText, architecture: "sm_80" }],
    buffers: 0,
    scratch: [],
    launches: [launch({ label: "store to nowhere", threads: 1, arguments: [{ kind: "i64", value: 64 }] })],
  });
  prepared.run([], {});
  device.synchronize();
  say("fault", false);
}
await attempt("vector add, relaunch, graph", () => vectorAdd(device));
for (const cluster of [2, 8, 16]) await attempt("cluster", () => clusters(device, cluster));
await attempt("tensor map, 128-byte swizzle", () => swizzledLoad(device));
await attempt("out of memory", () => outOfMemory(device));
await attempt("copies", () => copies(device));
await attempt("compile", () => compileTimes(device, folder));
device.close();
rmSync(folder, { recursive: true, force: true });
process.exitCode = failed > 0 ? 1 : 0;
