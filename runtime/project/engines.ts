/** The targets that can be run on, by name; the first is the one that runs when nothing is said. */
import type { Target } from "../device/device.ts";
import type { OpenEngine } from "./engine.ts";

/** `kernels`: which of a run's programs the target needs. */
export const engines: Readonly<
  Record<string, { readonly kernels: Target; readonly load: () => Promise<OpenEngine> }>
> = {
  cpu: { kernels: "cpu", load: async () => (await import("./device-engine.ts")).openCpuEngine },
  cuda: { kernels: "cuda", load: async () => (await import("./device-engine.ts")).openCudaEngine },
  tfjs: { kernels: "cpu", load: async () => (await import("../tfjs/engine.ts")).openTfjsEngine },
};
