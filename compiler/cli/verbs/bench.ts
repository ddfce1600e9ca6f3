/** `lctx bench`: runs the benchmarks that ship with the sources, in a process of their own. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { packageRoot } from "../paths.ts";

/** Each is a script of that name in the sources' bench folder, those of the GPU in its folder cuda. */
export const benches = [
  "gemm",
  "attention",
  "step",
  "startup",
  "routed",
  "cuda-attention",
  "cuda-decode",
] as const;

export async function bench(
  what: string,
  options: { readonly json?: boolean; readonly threads?: number },
): Promise<number> {
  if (!(benches as readonly string[]).includes(what))
    throw new UsageError(
      `no benchmark is called ${JSON.stringify(what)}`,
      `there are: ${benches.join(", ")}`,
    );
  const script = join(packageRoot(), "bench", `${what.replace("cuda-", "cuda/")}.ts`);
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
