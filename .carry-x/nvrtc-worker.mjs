/** Thread that compiles with NVRTC: a compilation blocks for a second, and several should run at once. */
import { parentPort, workerData } from "node:worker_threads";
import koffi from "koffi";

// The compiler recurses deeper than the stack that foreign calls get by default.
koffi.config({ sync_stack_size: 16 * 2 ** 20 });
const { path, builtins } = workerData;
// NVRTC asks the loader for this library by name alone; loaded before, it is found in every folder.
for (const beside of builtins) koffi.load(beside);
const library = koffi.load(path);
const create = library.func(
  "int nvrtcCreateProgram(void *program, void *text, void *name, int headers, void *headerTexts, void *headerNames)",
);
const compile = library.func("int nvrtcCompileProgram(uint64_t program, int count, const char **options)");
const logSize = library.func("int nvrtcGetProgramLogSize(uint64_t program, void *size)");
const getLog = library.func("int nvrtcGetProgramLog(uint64_t program, void *log)");
const cubinSize = library.func("int nvrtcGetCUBINSize(uint64_t program, void *size)");
const getCubin = library.func("int nvrtcGetCUBIN(uint64_t program, void *cubin)");
const destroy = library.func("int nvrtcDestroyProgram(void *program)");
const errorText = library.func("const char *nvrtcGetErrorString(int result)");

/** NVRTC_ERROR_COMPILATION: the text is wrong, the compiler is well. */
const compilationFailed = 6;

function check(call, result) {
  if (result !== 0) throw new Error(`${call}: ${errorText(result)} (${result})`);
}

function read(program, sizeOf, get) {
  const size = new BigUint64Array(1);
  check("size", sizeOf(program, size));
  const bytes = new Uint8Array(Number(size[0]));
  if (bytes.length > 0) check("read", get(program, bytes));
  return bytes;
}

function build({ text, name, options }) {
  const program = new BigUint64Array(1);
  const cText = (string) => Buffer.from(`${string}\0`);
  check("nvrtcCreateProgram", create(program, cText(text), cText(name), 0, null, null));
  try {
    const result = compile(program[0], options.length, options);
    const bytes = read(program[0], logSize, getLog);
    const log = Buffer.from(bytes.subarray(0, Math.max(0, bytes.length - 1))).toString("utf8");
    if (result === compilationFailed) return { cubin: null, log, error: null };
    if (result !== 0)
      return { cubin: null, log, error: `nvrtcCompileProgram: ${errorText(result)} (${result})\n${log}` };
    return { cubin: read(program[0], cubinSize, getCubin), log, error: null };
  } finally {
    destroy(program);
  }
}

parentPort.on("message", (request) => {
  try {
    parentPort.postMessage(build(request));
  } catch (error) {
    parentPort.postMessage({ cubin: null, log: "", error: error.message });
  }
});
