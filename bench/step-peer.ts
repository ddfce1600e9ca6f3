/** The training step of bench/peers/step.c, compiled here and run in a process of its own. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBlas } from "./openblas.ts";

/** Of each step, the first ones included; times in milliseconds. */
export interface Steps {
  readonly times: readonly number[];
  readonly losses: readonly number[];
  /** Of all threads. */
  readonly processor: readonly number[];
}

/** Lines of a peer: milliseconds, loss, processor milliseconds. */
export function parseSteps(text: string): Steps {
  const rows = text
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number));
  const column = (n: number): number[] => rows.map((row) => row[n]!);
  return { times: column(0), losses: column(1), processor: column(2) };
}

export interface StepPeer {
  readonly description: string;
  run(steps: number): Steps;
  close(): void;
}

/** A reason where it cannot run. */
export function stepPeer(threads: number, wait: string): StepPeer | string {
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
  const env = { ...process.env, OMP_WAIT_POLICY: wait };
  return {
    description: `C over OpenBLAS (${blas.core}) and its own flash attention, OpenMP threads ${wait}`,
    run: (steps) => {
      const result = spawnSync(program, [blas.path, String(threads), String(steps)], {
        env,
        encoding: "utf8",
      });
      if (result.status !== 0) throw new Error(`${source}: ${result.stderr}`);
      return parseSteps(result.stdout);
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}
