/** Opening devices: which one is taken, and what is said when there is none or when kernels do not compile. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { openCpuDevice } from "../../runtime/device/open.ts";
import { LctxError } from "../../runtime/errors.ts";
import { call, kinds, sourcesOf } from "./support.ts";

const failure = async (promise: Promise<unknown>): Promise<LctxError> => {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof LctxError)) throw new Error(`no LctxError but ${String(error)}`, { cause: error });
  return error;
};

afterEach(() => {
  vi.unstubAllEnvs();
  vi.doUnmock("../../runtime/device/cpu/wasm.ts");
});

describe("openCpuDevice", () => {
  it("takes native code where a compiler works, and says which", async () => {
    const device = await openCpuDevice({ kind: "auto", threads: 2 });
    expect(device.name).toBe("cpu-native");
    expect(device.threads).toBe(2);
    expect(device.description).toMatch(/^\S.* for .+, 2 threads$/);
    device.close();
  });

  it("takes CC with its own arguments", async () => {
    vi.stubEnv("CC", "cc -DTHE_ANSWER=42");
    const device = await openCpuDevice({ kind: "native", threads: 1 });
    const text = `void store(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)sizes, (void)scalars;
  *(int32_t *)buffers[0] = THE_ANSWER;
}
`;
    const kernels = await device.load(sourcesOf(text, ["store"]));
    const memory = device.allocate(4);
    call(device, kernels, "store", [memory]);
    expect(memory.i32(0, 1)[0]).toBe(42);
    device.close();
  });

  it("says what it tried where no compiler works", async () => {
    vi.stubEnv("CC", "false");
    const error = await failure(openCpuDevice({ kind: "native" }));
    expect(error.code).toBe("no-compiler");
    expect(error.message).toBe("no C compiler works here (tried false)");
    expect(error.help).toContain("--device cpu-wasm");
    expect(error.exitCode).toBe(5);
    vi.stubEnv("CC", "no-such-compiler");
    expect((await failure(openCpuDevice({ kind: "native" }))).message).toContain("tried no-such-compiler");
    // One that answers, but makes nothing.
    vi.stubEnv("CC", "echo");
    expect((await failure(openCpuDevice({ kind: "native" }))).message).toContain("tried echo: ");
  });

  it("turns to WebAssembly by itself, and says why", async () => {
    vi.stubEnv("CC", "false");
    const device = await openCpuDevice({ kind: "auto", threads: 1 });
    expect(device.name).toBe("cpu-wasm");
    expect(device.description).toContain("no C compiler works here (tried false)");
    device.close();
  });

  it("names both ways out where neither works", async () => {
    vi.stubEnv("CC", "false");
    vi.doMock("../../runtime/device/cpu/wasm.ts", () => ({
      openWasm: () =>
        Promise.reject(new LctxError("no-compiler", "the package @yowasp/clang is not installed")),
    }));
    const error = await failure(openCpuDevice({ kind: "auto" }));
    expect(error.code).toBe("no-device");
    expect(error.message).toContain("tried false");
    expect(error.message).toContain("@yowasp/clang is not installed");
    expect(error.help).toBe("install gcc or clang, or the package @yowasp/clang");
  });

  it.each([0, -1, 1.5, NaN, 257])("refuses %d threads", async (threads) => {
    expect((await failure(openCpuDevice({ kind: "native", threads }))).code).toBe("settings-invalid");
  });

  it.each(kinds)("gives the compiler's first lines for kernels that do not compile (%s)", async (kind) => {
    const device = await openCpuDevice({ kind, threads: 1 });
    const error = await failure(device.load(sourcesOf("void broken(void) { return 1 +; }\n", ["broken"])));
    expect(error.code).toBe("kernel-compile");
    expect(error.message).toMatch(/compile tested\.c: .*tested\.c:\d+:\d+: error: expected expression/s);
    expect(error.message.split("\n").length).toBeLessThanOrEqual(9);
    expect(error.message).not.toContain("/tmp/");
    const missing = await failure(device.load(sourcesOf("", ["missing"])));
    expect(missing.code).toBe("kernel-compile");
    expect(missing.message).toContain("missing");
    device.close();
  });

  it("never lets names reach the compiler that are no names", async () => {
    const device = await openCpuDevice({ kind: "native", threads: 1 });
    await expect(device.load(sourcesOf("", ["x; system"]))).rejects.toThrow("is no entry point");
    await expect(device.load({ files: { "../x.c": "" }, entries: [] })).rejects.toThrow("is no source file");
    device.close();
  });
});
