/** `lctx bench`: runs the benchmarks that ship with the sources, in a process of their own. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { packageRoot } from "../paths.ts";

/** Each is a script of that name in the sources' bench folder; those that a GPU has are in its folder cuda, too. */
const benches = {
  gemm: ["cpu"],
  attention: ["cpu", "cuda"],
  routed: ["cpu"],
  step: ["cpu"],
  startup: ["cpu"],
  decode: ["cuda"],
} as const;

export interface BenchOptions {
  readonly json?: boolean;
  readonly threads?: number;
  readonly device: "auto" | "cpu" | "cuda";
}

/** Where a benchmark runs: on the GPU where there is one that it can use. */
async function deviceOf(targets: readonly string[], asked: BenchOptions["device"]): Promise<"cpu" | "cuda"> {
  if (asked !== "auto") {
    if (!targets.includes(asked))
      throw new UsageError(`this benchmark does not run on ${asked}`, `it runs on: ${targets.join(", ")}`);
    return asked;
  }
  if (targets.length === 1) return targets[0] as "cpu" | "cuda";
  const { cudaParts } = await import("../../../runtime/device/cuda/report.ts");
  const parts = await cudaParts();
  const usable = parts.some(({ name, fix }) => name.startsWith("GPU") && fix === null);
  return usable && parts.every(({ name, fix }) => name.startsWith("GPU") || fix === null) ? "cuda" : "cpu";
}

export async function bench(what: string, options: BenchOptions): Promise<number> {
  if (!Object.hasOwn(benches, what))
    throw new UsageError(
      `no benchmark is called ${JSON.stringify(what)}`,
      `there are: ${Object.keys(benches).join(", ")}`,
    );
  const device = await deviceOf(benches[what as keyof typeof benches], options.device);
  const script = join(packageRoot(), "bench", ...(device === "cuda" ? ["cuda"] : []), `${what}.ts`);
  if (!existsSync(script))
    throw new UsageError("the benchmarks are part of the sources", "run lctx from a clone of the repository");
  const given = [
    ...(options.json ? ["--json"] : []),
    ...(options.threads === undefined ? [] : ["--threads", String(options.threads)]),
  ];
  const result = spawnSync(process.execPath, ["--import", "tsx", script, ...given], {
    cwd: packageRoot(),
    stdio: "inherit",
  });
  return result.status === 0 ? exitCodes.ok : exitCodes.device;
}
