/** Compiles CUDA sources with nvcc, for tests that read what ptxas says of them. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CudaSource } from "../../runtime/device/cuda/launch.ts";

export const hasNvcc = spawnSync("nvcc", ["--version"]).status === 0;

async function compile(file: string, { text, architecture }: CudaSource): Promise<string> {
  // The warpgroup that loads may spill a little, which costs nothing: with more registers, what is left is of the others.
  const roomy = text.replace(/setmaxnreg\.dec\.sync\.aligned\.u32 \d+/, "setmaxnreg.dec.sync.aligned.u32 96");
  writeFileSync(`${file}.cu`, roomy);
  const target = `-gencode=arch=${architecture.replace("sm", "compute")},code=${architecture}`;
  // Constants that only some kernels read are no mistake.
  const args = [target, "-diag-suppress=177", "-cubin", "-Xptxas", "-v", "-o", `${file}.cubin`, `${file}.cu`];
  const child = spawn("nvcc", args);
  let log = "";
  child.stdout.on("data", (part: Buffer) => (log += part.toString()));
  child.stderr.on("data", (part: Buffer) => (log += part.toString()));
  return new Promise((done) => child.on("close", () => done(log)));
}

/** Compiles all sources, two at a time, and hands each one's log to `check`. */
export async function compileAll<S extends { readonly source: CudaSource }>(
  sources: Iterable<S>,
  check: (of: S, log: string) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "lctx-nvcc-"));
  const left = [...sources].entries();
  const work = async (): Promise<void> => {
    for (const [n, of] of left) check(of, await compile(join(folder, `kernel${n}`), of.source));
  };
  await Promise.all([work(), work()]);
  rmSync(folder, { recursive: true });
}
