/** What a GPU is: name, instruction set, memory, multiprocessors. */
import { LctxError } from "../../errors.ts";
import { deviceAttribute } from "./driver-table.ts";
import type { CudaDriver } from "./driver.ts";
import type { CudaArchitecture } from "./launch.ts";

export interface CudaProperties {
  readonly name: string;
  /** Compute capability. */
  readonly major: number;
  readonly minor: number;
  readonly multiprocessors: number;
  readonly memoryBytes: number;
  /** Second-level cache. */
  readonly cacheBytes: number;
  /** Most shared memory of one block. */
  readonly sharedBytes: number;
  readonly memoryPools: boolean;
}

/** `device`: a CUdevice. */
export function readProperties(driver: CudaDriver, device: number): CudaProperties {
  const attribute = (name: keyof typeof deviceAttribute): number =>
    driver.int("cuDeviceGetAttribute", (out) => [out, deviceAttribute[name], device]);
  const name = Buffer.alloc(256);
  driver.call("cuDeviceGetName", name, name.length, device);
  return {
    name: name.toString("utf8", 0, name.indexOf(0)),
    major: attribute("capabilityMajor"),
    minor: attribute("capabilityMinor"),
    multiprocessors: attribute("multiprocessors"),
    memoryBytes: Number(driver.handle("cuDeviceTotalMem_v2", (out) => [out, device])),
    cacheBytes: attribute("cacheBytes"),
    sharedBytes: attribute("sharedBytes"),
    memoryPools: attribute("memoryPools") === 1,
  };
}

/**
 * Instruction set to compile for: code of `sm_80` uses nothing newer, so it is compiled for the GPU itself; `sm_90a`
 * runs on 9.0 alone. Throws LctxError `no-device` for a GPU that cannot run it.
 */
export function targetOf(
  architecture: CudaArchitecture,
  gpu: Pick<CudaProperties, "name" | "major" | "minor">,
): string {
  const refuse = (needed: string): never => {
    throw new LctxError(
      "no-device",
      `${gpu.name} has compute capability ${gpu.major}.${gpu.minor}; kernels for ${architecture} need ${needed}`,
      architecture === "sm_90a" ? "compile the program for sm_80" : "use a CPU device",
    );
  };
  switch (architecture) {
    case "sm_80":
      return gpu.major >= 8 ? `sm_${gpu.major}${gpu.minor}` : refuse("8.0 or newer");
    case "sm_90a":
      return gpu.major === 9 && gpu.minor === 0 ? "sm_90a" : refuse("9.0");
    default:
      return architecture satisfies never;
  }
}
