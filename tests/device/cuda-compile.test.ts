/** CUDA programs compiled, kept and refused on machines without a GPU. */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import type { CudaCompiler } from "../../runtime/device/cuda/compiler.ts";
import { CubinCache } from "../../runtime/device/cuda/cubin-cache.ts";
import { openCuda } from "../../runtime/device/cuda/device.ts";
import { faultMessage, isFault } from "../../runtime/device/cuda/faults.ts";
import { findNvcc } from "../../runtime/device/cuda/nvcc.ts";
import { findNvrtc } from "../../runtime/device/cuda/nvrtc.ts";
import { targetOf } from "../../runtime/device/cuda/properties.ts";
import { cudaParts } from "../../runtime/device/cuda/report.ts";
import { temporaryFolder } from "./support.ts";

const folder = temporaryFolder();
afterEach(() => vi.unstubAllEnvs());
afterAll(() => folder.remove());

/** Counts compilations; its code is the text. */
class Counting implements CudaCompiler {
  readonly kind = "nvrtc";
  readonly description = "counting";
  readonly identity: string;
  compiled = 0;

  constructor(identity: string) {
    this.identity = identity;
  }

  supports(): boolean {
    return true;
  }

  async compile(source: { readonly text: string }): Promise<{ cubin: Uint8Array; log: string }> {
    this.compiled += 1;
    return { cubin: Buffer.from(source.text), log: "" };
  }
}

describe("the cache of machine code", () => {
  const source = { entry: "k", text: "text" };

  it("finds what was compiled, and keeps apart what differs", async () => {
    const path = join(folder.path, "kept");
    const compiler = new Counting("one 1.0");
    const cache = new CubinCache(compiler, path);
    const [first, same] = await Promise.all([cache.get(source, "sm_80"), cache.get(source, "sm_80")]);
    expect([first.compiled, same.key === first.key, compiler.compiled]).toEqual([true, true, 1]);
    const again = await new CubinCache(compiler, path).get(source, "sm_80");
    expect([again.compiled, Buffer.from(again.bytes).toString()]).toEqual([false, "text"]);
    await cache.get(source, "sm_90a");
    await cache.get(source, "sm_80", ["--other"]);
    await cache.get({ ...source, text: "text2" }, "sm_80");
    const newer = new Counting("one 1.1");
    await new CubinCache(newer, path).get(source, "sm_80");
    expect([compiler.compiled, newer.compiled]).toEqual([4, 1]);
  });

  it("compiles a damaged entry again", async () => {
    const path = join(folder.path, "damaged");
    const compiler = new Counting("one 1.0");
    await new CubinCache(compiler, path).get(source, "sm_80");
    const entry = readdirSync(join(path, "cuda")).find((name) => name.endsWith(".cubin"))!;
    rmSync(join(path, "cuda", entry));
    writeFileSync(join(path, "cuda", entry), "tex");
    const again = await new CubinCache(compiler, path).get(source, "sm_80");
    expect([again.compiled, Buffer.from(again.bytes).toString()]).toEqual([true, "text"]);
  });
});

describe("what is missing", () => {
  it("is said with a way out", async () => {
    vi.stubEnv("LCTX_LIBCUDA", join(folder.path, "none.so"));
    vi.stubEnv("LCTX_NVRTC", join(folder.path, "no-nvrtc.so"));
    await expect(openCuda({ cacheFolder: null })).rejects.toMatchObject({
      code: "no-device",
      exitCode: 5,
      message: expect.stringContaining("none.so"),
      help: expect.stringContaining("NVIDIA driver"),
    });
    const search = findNvrtc();
    expect("problem" in search && search.problem).toContain("no-nvrtc.so");
    const parts = await cudaParts();
    expect(parts.map(({ name }) => name)).toEqual(["CUDA driver", "CUDA compiler"]);
    expect(parts.every(({ fix }) => fix !== null && fix !== "")).toBe(true);
  });

  it("includes GPUs that cannot run the code", () => {
    const gpu = { name: "some GPU", major: 8, minor: 6 };
    expect(targetOf("sm_80", gpu)).toBe("sm_86");
    expect(targetOf("sm_90a", { ...gpu, major: 9, minor: 0 })).toBe("sm_90a");
    expect(() => targetOf("sm_90a", gpu)).toThrow("some GPU has compute capability 8.6");
    expect(() => targetOf("sm_80", { ...gpu, major: 7, minor: 5 })).toThrow("8.0 or newer");
  });
});

describe("faults", () => {
  it("are those that stay, and name kernels", () => {
    expect([700, 716, 719, 2, 1, 701].map(isFault)).toEqual([true, true, true, false, false, false]);
    expect(faultMessage({ message: "m" }, ["forward"])).toContain("in kernel forward: m");
    expect(faultMessage({ message: "m" }, ["a", "b"])).toContain("LCTX_CUDA_SYNC=1");
  });
});

const nvcc = await findNvcc();
const search = findNvrtc();
const compilers = [
  { name: "nvcc", compiler: nvcc },
  { name: "NVRTC", compiler: "compiler" in search ? search.compiler : null },
];

for (const { name, compiler } of compilers)
  describe.skipIf(compiler === null)(
    `${name}${compiler === null ? " (not run: it is not here)" : ""}`,
    () => {
      const good = (n: number) => ({
        entry: `add${n}`,
        text: `extern "C" __global__ void add${n}(float *a) { a[threadIdx.x] += ${n}.0f; }`,
      });

      it("compiles several kernels at once", async () => {
        const built = await Promise.all([1, 2, 3].map((n) => compiler!.compile(good(n), "sm_90a", [])));
        for (const [i, { cubin }] of built.entries()) {
          expect(Buffer.from(cubin.subarray(0, 4)).toString("latin1")).toBe("\x7fELF");
          expect(Buffer.from(cubin).includes(`add${i + 1}`)).toBe(true);
        }
        expect(compiler!.supports("sm_90a")).toBe(true);
        expect(compiler!.supports("sm_30")).toBe(false);
      });

      it("shows the compiler's words for a wrong text", async () => {
        const wrong = { entry: "wrong", text: 'extern "C" __global__ void wrong() { x = 1; }' };
        await expect(compiler!.compile(wrong, "sm_80", [])).rejects.toMatchObject({
          code: "kernel-compile",
          message: expect.stringMatching(/kernel wrong does not compile for sm_80:\n[^]*"x" is undefined/),
        });
      });
    },
  );
