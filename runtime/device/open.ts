/** Opens the device that programs run on: native code where a C compiler works, else WebAssembly; or a GPU. */
import { availableParallelism } from "node:os";
import { LctxError } from "../errors.ts";
import type { Device, Target } from "./device.ts";

export interface DeviceOptions {
  /** `auto` takes native code if it can and says so in `description`. */
  readonly kind: "auto" | "native" | "wasm";
  /** Default: the cores there are. */
  readonly threads?: number | undefined;
  /** Where compiled kernels are kept; null: nowhere. */
  readonly cacheFolder?: string | null;
}

/** Throws LctxErrors `no-compiler`, `no-device`. */
export async function openCpuDevice(options: DeviceOptions): Promise<Device> {
  const threads = options.threads ?? availableParallelism();
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > 256)
    throw new LctxError("settings-invalid", `threads must be from 1 to 256, not ${threads}`);
  const cacheFolder = options.cacheFolder ?? null;
  const native = async (): Promise<Device> =>
    (await import("./cpu/native.ts")).openNative(threads, cacheFolder);
  const wasm = async (note: string | null): Promise<Device> =>
    (await import("./cpu/wasm.ts")).openWasm(threads, cacheFolder, note);
  switch (options.kind) {
    case "native":
      return native();
    case "wasm":
      return wasm(null);
    case "auto": {
      let failure: LctxError;
      try {
        return await native();
      } catch (error) {
        if (!(error instanceof LctxError) || error.code !== "no-compiler") throw error;
        failure = error;
      }
      try {
        return await wasm(failure.message);
      } catch (error) {
        throw new LctxError(
          "no-device",
          `${failure.message}; and WebAssembly: ${(error as Error).message}`,
          "install gcc or clang, or the package @yowasp/clang",
          { cause: error },
        );
      }
    }
    default:
      return options.kind satisfies never;
  }
}

/** Opens the device of a target. Throws LctxErrors `no-compiler`, `no-device`, and `settings-invalid` for a CPU's name with a GPU. */
export async function openDevice(target: Target, options: DeviceOptions): Promise<Device> {
  if (target === "cpu") return openCpuDevice(options);
  if (options.kind !== "auto")
    throw new LctxError(
      "settings-invalid",
      `cpu-${options.kind} does not run programs for ${target}`,
      "leave out --device, or build for the CPU",
    );
  const [{ openCuda }, { CudaProgramDevice }] = await Promise.all([
    import("./cuda/device.ts"),
    import("./cuda/program-device.ts"),
  ]);
  return new CudaProgramDevice(await openCuda({ cacheFolder: options.cacheFolder ?? null }));
}
