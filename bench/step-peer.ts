/** The training step of bench/peers/step.c, compiled here and run in a process of its own. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBlas } from "./openblas.ts";

export interface StepPeer {
  readonly description: string;
  /** Milliseconds of each of `steps` steps, the first ones included. */
  run(steps: number): { readonly times: readonly number[]; readonly losses: readonly number[] };
  close(): void;
}

/** A reason where it cannot run. */
export function stepPeer(threads: number, passive: boolean): StepPeer | string {
  const blas = openBlas(threads);
  if (blas === null) return "OpenBLAS is not installed";
  const folder = mkdtempSync(join(tmpdir(), "lctx-peer-"));
  const program = join(folder, "step");
  const source = fileURLToPath(new URL("peers/step.c", import.meta.url));
  const flags = ["-O3", "-march=native", "-ffast-math", "-fopenmp"];
  const compiled = spawnSync(process.env["CC"] ?? "cc", [...flags, "-o", program, source, "-ldl", "-lm"], {
    encoding: "utf8",
  });
  if (compiled.status !== 0) {
    rmSync(folder, { recursive: true });
    return `cc with OpenMP failed: ${compiled.error?.message ?? compiled.stderr.split("\n")[0]!}`;
  }
  // Waiting threads of OpenMP and of OpenBLAS take each other's cores: either policy may win.
  const env = { ...process.env, OMP_WAIT_POLICY: passive ? "passive" : "active" };
  return {
    description: `C over OpenBLAS (${blas.core}) and its own flash attention, OpenMP threads ${env.OMP_WAIT_POLICY}`,
    run: (steps) => {
      const result = spawnSync(program, [blas.path, String(threads), String(steps)], {
        env,
        encoding: "utf8",
      });
      if (result.status !== 0) throw new Error(`${source}: ${result.stderr}`);
      const rows = result.stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ").map(Number));
      return { times: rows.map(([time]) => time!), losses: rows.map(([, loss]) => loss!) };
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}
