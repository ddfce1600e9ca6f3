/** The targets that can be run on, by name; the first is the one that runs when nothing is said. */
import type { OpenEngine } from "./engine.ts";

export const engines: Readonly<Record<string, () => Promise<OpenEngine>>> = {
  cpu: async () => (await import("./cpu-engine.ts")).openCpuEngine,
  tfjs: async () => (await import("../tfjs/engine.ts")).openTfjsEngine,
};
