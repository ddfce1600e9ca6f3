/** The engine of the cpu target: kernels of a program, compiled for the device that is there. */
import { LctxError } from "../errors.ts";
import { openCpuDevice } from "../device/open.ts";
import { instantiate } from "../executable.ts";
import type { Engine, Place } from "./engine.ts";

export async function openCpuEngine(place: Place, backend: string | null): Promise<Engine> {
  if (backend !== null)
    throw new LctxError(
      "settings-invalid",
      "the target cpu has no backends",
      "choose one of its devices with --device",
    );
  const device = await openCpuDevice({
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
