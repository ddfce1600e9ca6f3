/** nvcc, CUDA's compiler as a program: slower to start than NVRTC, and needed only where that is missing. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { compileError, type CompiledCuda, type CudaCompiler, type CudaText } from "./compiler.ts";
import { toolkits } from "./find-library.ts";

const execute = promisify(execFile);

class Nvcc implements CudaCompiler {
  readonly kind = "nvcc";
  readonly description: string;
  readonly identity: string;
  readonly #path: string;
  readonly #architectures: ReadonlySet<string>;

  constructor(path: string, version: string, architectures: readonly string[]) {
    this.#path = path;
    this.#architectures = new Set(architectures);
    this.identity = `nvcc ${version}`;
    this.description = `nvcc ${version} (${path})`;
  }

  supports(target: string): boolean {
    return this.#architectures.has(target.replace(/[a-z]+$/, ""));
  }

  async compile(source: CudaText, target: string, options: readonly string[]): Promise<CompiledCuda> {
    const folder = mkdtempSync(join(tmpdir(), "lctx-nvcc-"));
    try {
      const [text, cubin] = [join(folder, `${source.entry}.cu`), join(folder, "out.cubin")];
      writeFileSync(text, source.text);
      const all = ["-cubin", `-arch=${target}`, ...options, "-o", cubin, text];
      const { stdout, stderr } = await execute(this.#path, all, { maxBuffer: 2 ** 26 });
      return { cubin: new Uint8Array(readFileSync(cubin)), log: `${stdout}${stderr}` };
    } catch (error) {
      const { stderr, stdout } = error as { stderr?: string; stdout?: string };
      if (stderr === undefined) throw error;
      throw compileError(source, target, `${stderr}${stdout ?? ""}` || (error as Error).message);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** The first nvcc that runs: on the PATH, or in a toolkit's folder. */
export async function findNvcc(): Promise<CudaCompiler | null> {
  for (const path of ["nvcc", ...toolkits().map((folder) => join(folder, "bin", "nvcc"))]) {
    try {
      const { stdout } = await execute(path, ["--version"]);
      const version = /\bV(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
      const listed = await execute(path, ["--list-gpu-code"]);
      if (version !== undefined) return new Nvcc(path, version, listed.stdout.trim().split(/\s+/));
    } catch {
      // Not here, or broken: the next one.
    }
  }
  return null;
}
