/** NVRTC, CUDA's compiler as a library: found by a list of names and folders, run on threads of its own. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import koffi from "koffi";
import { compileError, type CompiledCuda, type CudaCompiler, type CudaText } from "./compiler.ts";
import { expand, libraryFolders } from "./find-library.ts";
import { NvrtcThreads } from "./nvrtc-threads.ts";

const names: readonly string[] =
  process.platform === "win32"
    ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"]
    : ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"];

class Nvrtc implements CudaCompiler {
  readonly kind = "nvrtc";
  readonly description: string;
  readonly identity: string;
  readonly #threads: NvrtcThreads;
  readonly #architectures: readonly number[];

  /** `path`: name or file of the library, which is asked for its version here; threads load it when they compile. */
  constructor(path: string) {
    const library = koffi.load(path);
    const errorText = library.func("const char *nvrtcGetErrorString(int result)");
    const call = (signature: string, ...args: unknown[]): void => {
      const result: number = library.func(signature)(...args);
      if (result !== 0) throw new Error(`${signature}: ${errorText(result)} (${result})`);
    };
    const [major, minor, count] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
    call("int nvrtcVersion(void *major, void *minor)", major, minor);
    call("int nvrtcGetNumSupportedArchs(void *count)", count);
    const list = new Int32Array(count[0]!);
    call("int nvrtcGetSupportedArchs(void *list)", list);
    this.#architectures = [...list];
    this.identity = `nvrtc ${major[0]}.${minor[0]}`;
    this.description = `NVRTC ${major[0]}.${minor[0]} (${path})`;
    this.#threads = new NvrtcThreads({
      path,
      builtins: path.includes("/") ? expand(join(dirname(path), "libnvrtc-builtins.so.*")) : [],
    });
  }

  supports(target: string): boolean {
    return this.#architectures.includes(Number.parseInt(target.replace("sm_", ""), 10));
  }

  async compile(source: CudaText, target: string, options: readonly string[]): Promise<CompiledCuda> {
    const { cubin, log, error } = await this.#threads.compile({
      text: source.text,
      name: `${source.entry}.cu`,
      options: [`--gpu-architecture=${target}`, ...options],
    });
    if (error !== null) throw compileError(source, target, error);
    if (cubin === null) throw compileError(source, target, log);
    return { cubin, log };
  }
}

export type NvrtcSearch =
  { readonly compiler: CudaCompiler } | { readonly problem: string; readonly fix: string };

/** Searches of this process, by what the environment asked for. */
const searches = new Map<string, NvrtcSearch>();

/** Looks for NVRTC; LCTX_NVRTC names the one library to take. */
export function findNvrtc(): NvrtcSearch {
  const asked = process.env["LCTX_NVRTC"] ?? "";
  const known = searches.get(asked);
  if (known !== undefined) return known;
  const search = look(asked);
  // Installed meanwhile, it should be found.
  if ("compiler" in search) searches.set(asked, search);
  return search;
}

function look(asked: string): NvrtcSearch {
  const inFolders = function* (): Generator<string> {
    yield* names;
    for (const folder of libraryFolders())
      for (const name of names) if (existsSync(join(folder, name))) yield join(folder, name);
  };
  const problems: string[] = [];
  for (const path of asked === "" ? inFolders() : [asked]) {
    try {
      return { compiler: new Nvrtc(path) };
    } catch (error) {
      // A name alone is a guess; a file that is there and does not load is worth a word.
      if (path.includes("/") || path === asked) problems.push(`${path}: ${(error as Error).message}`);
    }
  }
  return {
    problem:
      problems.length > 0
        ? `NVRTC cannot be loaded: ${problems.join("; ")}`
        : `NVRTC was not found: no ${names.join(", ")} where the loader, the CUDA toolkits and the Python packages are`,
    fix: "install the CUDA toolkit (Debian: apt install cuda-nvrtc-13-0) or pip install nvidia-cuda-nvrtc, or set LCTX_NVRTC to the path of libnvrtc",
  };
}
