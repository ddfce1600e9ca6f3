/** The CUDA driver: its library found and loaded, and every call's result checked. */
import koffi from "koffi";
import { LctxError } from "../../errors.ts";
import {
  driverTable,
  nativeTypes,
  type DriverArguments,
  type DriverName,
  type DriverType,
} from "./driver-table.ts";
import { endOnFault, isFault, type CudaFailure } from "./faults.ts";

/** Where the driver may be, in order; LCTX_LIBCUDA replaces the list. */
const places: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1"],
  win32: ["nvcuda.dll"],
};

type Native = (...args: unknown[]) => number;

const noDriver =
  "install the NVIDIA driver (nvidia-smi must run); in a container, start it with GPU access (docker run --gpus all)";

/** Result of cuMemAlloc and its like when the device is full. */
export const outOfMemory = 2;

/** An error the driver gave: which call, its code, name and message. */
export class CudaError extends LctxError implements CudaFailure {
  readonly call: string;
  readonly result: number;
  readonly resultName: string;

  constructor(call: string, result: number, resultName: string, message: string) {
    super("device-failed", `${call}: ${resultName} (${result}): ${message}`);
    this.name = "CudaError";
    this.call = call;
    this.result = result;
    this.resultName = resultName;
  }
}

export class CudaDriver {
  /** File or name it was loaded from. */
  readonly path: string;
  /** Labels of the kernels started since the device was last known to be well; named when it fails. */
  readonly started: string[] = [];
  readonly #library: ReturnType<typeof koffi.load>;
  readonly #functions = new Map<DriverName, Native>();

  constructor(path: string, library: ReturnType<typeof koffi.load>) {
    this.path = path;
    this.#library = library;
  }

  /** The function itself, for calls that are made often: it gives the CUresult, to be handed to `check`. */
  native<Name extends DriverName>(name: Name): (...args: DriverArguments<Name>) => number {
    let found = this.#functions.get(name);
    if (found === undefined) {
      const types: readonly DriverType[] = driverTable[name];
      try {
        found = this.#library.func(
          name,
          "int32_t",
          types.map((type) => nativeTypes[type]),
        ) as unknown as Native;
      } catch (error) {
        throw new LctxError(
          "no-device",
          `the CUDA driver at ${this.path} has no ${name}`,
          "update the NVIDIA driver: 525 (CUDA 12.0) or newer is needed",
          { cause: error },
        );
      }
      this.#functions.set(name, found);
    }
    return found as (...args: DriverArguments<Name>) => number;
  }

  /** Calls a function. Throws CudaError; a fault that leaves the process without a device ends it. */
  call<Name extends DriverName>(name: Name, ...args: DriverArguments<Name>): void {
    this.check(name, this.native(name)(...args));
  }

  /** Judges what a call gave. */
  check(name: DriverName, result: number): void {
    if (result === 0) return;
    const error = this.failure(name, result);
    if (isFault(result)) endOnFault(error, this.started);
    throw error;
  }

  failure(name: DriverName, result: number): CudaError {
    return new CudaError(
      name,
      result,
      this.#text("cuGetErrorName", result) ?? "CUDA_ERROR",
      this.#text("cuGetErrorString", result) ?? "no description",
    );
  }

  /** Pointer or handle that a call writes. */
  handle<Name extends DriverName>(name: Name, args: (out: BigUint64Array) => DriverArguments<Name>): bigint {
    const out = new BigUint64Array(1);
    this.call(name, ...args(out));
    return out[0]!;
  }

  /** Int that a call writes. */
  int<Name extends DriverName>(name: Name, args: (out: Int32Array) => DriverArguments<Name>): number {
    const out = new Int32Array(1);
    this.call(name, ...args(out));
    return out[0]!;
  }

  /** Version of CUDA the driver supports, as major × 1000 + minor × 10. */
  version(): number {
    return this.int("cuDriverGetVersion", (out) => [out]);
  }

  deviceCount(): number {
    return this.int("cuDeviceGetCount", (out) => [out]);
  }

  #text(name: "cuGetErrorName" | "cuGetErrorString", result: number): string | null {
    const out = new BigUint64Array(1);
    if (this.native(name)(result, out) !== 0 || out[0] === 0n) return null;
    return koffi.decode.string(out[0]!);
  }
}

/** Loaded and started once for each place. */
const opened = new Map<string, CudaDriver>();

/** Loads the driver and starts it. Throws LctxError `no-device`: no driver, one too old, or no GPU. */
export function openDriver(): CudaDriver {
  const asked = process.env["LCTX_LIBCUDA"];
  const candidates = asked ? [asked] : (places[process.platform] ?? []);
  if (candidates.length === 0)
    throw new LctxError("no-device", `CUDA has no driver for ${process.platform}`, "use a CPU device");
  const known = opened.get(candidates.join(":"));
  if (known !== undefined) return known;
  let failure: unknown = null;
  for (const path of candidates) {
    let library: ReturnType<typeof koffi.load>;
    try {
      library = koffi.load(path);
    } catch (error) {
      failure ??= error;
      continue;
    }
    const driver = new CudaDriver(path, library);
    const result = driver.native("cuInit")(0);
    if (result !== 0)
      throw new LctxError(
        "no-device",
        `no GPU can be used: ${driver.failure("cuInit", result).message}`,
        result === 100 ? "check with nvidia-smi that a GPU is visible, and CUDA_VISIBLE_DEVICES" : noDriver,
      );
    opened.set(candidates.join(":"), driver);
    return driver;
  }
  throw new LctxError(
    "no-device",
    `the CUDA driver was not found: ${candidates.join(", ")}: ${(failure as Error).message}`,
    noDriver,
    { cause: failure },
  );
}
