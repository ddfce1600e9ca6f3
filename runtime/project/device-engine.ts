/** The engines of the targets cpu and cuda: kernels of a program, compiled for the device that is there. */
import type { Target } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import { LctxError } from "../errors.ts";
import { instantiate } from "../executable.ts";
import type { Engine, OpenEngine, Place } from "./engine.ts";

async function openKernels(target: Target, place: Place, backend: string | null): Promise<Engine> {
  if (backend !== null)
    throw new LctxError(
      "settings-invalid",
      `the target ${target} has no backends`,
      "choose one of the CPU's devices with --device",
    );
  const device = await openDevice(target, {
    kind: place.device ?? "auto",
    threads: place.threads,
    cacheFolder: place.kernelCache ?? null,
  });
  return {
    description: `${device.name}: ${device.description}`,
    open: ({ program, kernels }, sizes, phases) => instantiate(program, kernels, device, sizes, phases),
    close: () => device.close(),
  };
}

export const openCpuEngine: OpenEngine = (place, backend) => openKernels("cpu", place, backend);
export const openCudaEngine: OpenEngine = (place, backend) => openKernels("cuda", place, backend);
