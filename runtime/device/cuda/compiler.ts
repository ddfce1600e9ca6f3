/** What a CUDA compiler is: it turns one kernel's text into machine code. */
import { LctxError } from "../../errors.ts";

export interface CudaText {
  /** Names the program in messages. */
  readonly entry: string;
  readonly text: string;
}

export interface CompiledCuda {
  /** Machine code, an ELF file. */
  readonly cubin: Uint8Array;
  /** What the compiler said: warnings, and what ptxas reports when asked. */
  readonly log: string;
}

export interface CudaCompiler {
  readonly kind: "nvrtc" | "nvcc";
  /** For people: name, version, path. */
  readonly description: string;
  /** Name and version: the same identity gives the same code. */
  readonly identity: string;
  /** Whether it knows an instruction set such as `sm_90a`. */
  supports(target: string): boolean;
  /** Throws LctxError `kernel-compile`, with the compiler's log. */
  compile(source: CudaText, target: string, options: readonly string[]): Promise<CompiledCuda>;
}

/** Options of every compilation; both compilers know them. */
export const compileOptions: readonly string[] = ["--std=c++17"];

/** Lines of a log that an error shows. */
const mostShown = 40;

export function compileError(source: CudaText, target: string, log: string): LctxError {
  const lines = log.trim().split("\n");
  const shown = lines.slice(0, mostShown).join("\n");
  return new LctxError(
    "kernel-compile",
    `kernel ${source.entry} does not compile for ${target}:\n${shown}${lines.length > mostShown ? "\n…" : ""}`,
    "this is a bug in lctx: please report it with the spec",
  );
}
