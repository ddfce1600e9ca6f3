/** What this machine has for CUDA, and what is missing, without starting work on a GPU. */
import { LctxError } from "../../errors.ts";
import { openDriver } from "./driver.ts";
import { findNvcc } from "./nvcc.ts";
import { findNvrtc } from "./nvrtc.ts";
import { readProperties } from "./properties.ts";

/** One part; `fix` says how to get it, null when it is here. */
export interface CudaPart {
  readonly name: string;
  readonly detail: string;
  readonly fix: string | null;
}

const dotted = (version: number): string =>
  `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;

function driverAndDevices(): readonly CudaPart[] {
  try {
    const driver = openDriver();
    const version = driver.version();
    const parts: CudaPart[] = [
      {
        name: "CUDA driver",
        detail: `CUDA ${dotted(version)} (${driver.path})`,
        fix: version < 12_000 ? "update the NVIDIA driver: 525 (CUDA 12.0) or newer is needed" : null,
      },
    ];
    for (let ordinal = 0; ordinal < driver.deviceCount(); ordinal++) {
      const gpu = readProperties(
        driver,
        driver.int("cuDeviceGet", (out) => [out, ordinal]),
      );
      parts.push({
        name: `GPU ${ordinal}`,
        detail: `${gpu.name}, compute capability ${gpu.major}.${gpu.minor}, ${(gpu.memoryBytes / 2 ** 30).toFixed(1)} GiB`,
        fix: gpu.major < 8 ? "kernels need compute capability 8.0 (Ampere) or newer: use a CPU device" : null,
      });
    }
    return parts;
  } catch (error) {
    if (!(error instanceof LctxError)) throw error;
    return [{ name: "CUDA driver", detail: error.message, fix: error.help }];
  }
}

async function compiler(): Promise<CudaPart> {
  const nvrtc = findNvrtc();
  if ("compiler" in nvrtc) return { name: "CUDA compiler", detail: nvrtc.compiler.description, fix: null };
  const nvcc = await findNvcc();
  return nvcc === null
    ? { name: "CUDA compiler", detail: `${nvrtc.problem}; and nvcc does not run`, fix: nvrtc.fix }
    : {
        name: "CUDA compiler",
        detail: `${nvcc.description}, which is slower to start than NVRTC: ${nvrtc.problem}`,
        fix: nvrtc.fix,
      };
}

export async function cudaParts(): Promise<readonly CudaPart[]> {
  return [...driverAndDevices(), await compiler()];
}
