/** NVRTC, CUDA's compiler as a library: found by a list of names and folders, run on threads of its own. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import koffi from "koffi";
import { compileError, type CompiledCuda, type CudaCompiler, type CudaText } from "./compiler.ts";
import { libraryFolders } from "./find-library.ts";

const names: readonly string[] =
  process.platform === "win32"
    ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"]
    : ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"];

const signatures = {
  version: "int nvrtcVersion(void *major, void *minor)",
  architectureCount: "int nvrtcGetNumSupportedArchs(void *count)",
  architectures: "int nvrtcGetSupportedArchs(void *list)",
  create:
    "int nvrtcCreateProgram(void *program, void *text, void *name, int headers, void *headerTexts, void *headerNames)",
  compile: "int nvrtcCompileProgram(uint64_t program, int count, const char **options)",
  logSize: "int nvrtcGetProgramLogSize(uint64_t program, void *size)",
  log: "int nvrtcGetProgramLog(uint64_t program, void *log)",
  cubinSize: "int nvrtcGetCUBINSize(uint64_t program, void *size)",
  cubin: "int nvrtcGetCUBIN(uint64_t program, void *cubin)",
  destroy: "int nvrtcDestroyProgram(void *program)",
} as const;

type Functions = Readonly<Record<keyof typeof signatures, (...args: unknown[]) => number>> & {
  readonly compile: { async(...args: unknown[]): void };
  readonly errorText: (result: number) => string;
};

/** The front end recurses deeper than the stack that foreign calls get by default. */
const stackBytes = 16 * 2 ** 20;

const cText = (text: string): Buffer => Buffer.from(`${text}\0`);

class Nvrtc implements CudaCompiler {
  readonly kind = "nvrtc";
  readonly description: string;
  readonly identity: string;
  readonly #functions: Functions;
  readonly #architectures: readonly number[];

  constructor(path: string, functions: Functions) {
    this.#functions = functions;
    const [major, minor, count] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
    this.#check("nvrtcVersion", functions.version(major, minor));
    this.#check("nvrtcGetNumSupportedArchs", functions.architectureCount(count));
    const list = new Int32Array(count[0]!);
    this.#check("nvrtcGetSupportedArchs", functions.architectures(list));
    this.#architectures = [...list];
    this.identity = `nvrtc ${major[0]}.${minor[0]}`;
    this.description = `NVRTC ${major[0]}.${minor[0]} (${path})`;
  }

  supports(target: string): boolean {
    return this.#architectures.includes(Number.parseInt(target.replace("sm_", ""), 10));
  }

  async compile(source: CudaText, target: string, options: readonly string[]): Promise<CompiledCuda> {
    const f = this.#functions;
    const program = new BigUint64Array(1);
    this.#check(
      "nvrtcCreateProgram",
      f.create(program, cText(source.text), cText(`${source.entry}.cu`), 0, null, null),
    );
    try {
      const all = [`--gpu-architecture=${target}`, ...options];
      const result = await new Promise<number>((resolve, reject) =>
        f.compile.async(program[0]!, all.length, all, (error: Error | null, value: number) =>
          error === null ? resolve(value) : reject(error),
        ),
      );
      const log = this.#read(program[0]!, "logSize", "log");
      const text = Buffer.from(log.subarray(0, Math.max(0, log.length - 1))).toString("utf8");
      if (result === compilationFailed) throw compileError(source, target, text);
      this.#check("nvrtcCompileProgram", result, text);
      return { cubin: this.#read(program[0]!, "cubinSize", "cubin"), log: text };
    } finally {
      f.destroy(program);
    }
  }

  #read(program: bigint, sizeOf: "logSize" | "cubinSize", read: "log" | "cubin"): Uint8Array {
    const size = new BigUint64Array(1);
    this.#check(sizeOf, this.#functions[sizeOf](program, size));
    const bytes = new Uint8Array(Number(size[0]!));
    if (bytes.length > 0) this.#check(read, this.#functions[read](program, bytes));
    return bytes;
  }

  #check(call: string, result: number, log = ""): void {
    if (result === 0) return;
    throw new Error(
      `${call}: ${this.#functions.errorText(result)} (${result})${log === "" ? "" : `\n${log}`}`,
    );
  }
}

/** NVRTC_ERROR_COMPILATION. */
const compilationFailed = 6;

function load(path: string): CudaCompiler {
  const library = koffi.load(path);
  const entries = Object.entries(signatures).map(([name, signature]) => [name, library.func(signature)]);
  const functions = {
    ...Object.fromEntries(entries),
    errorText: library.func("const char *nvrtcGetErrorString(int result)"),
  } as unknown as Functions;
  koffi.config({ async_stack_size: stackBytes });
  return new Nvrtc(path, functions);
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
      return { compiler: load(path) };
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
