/** Faults after which a process can use its GPU no more: said with the kernels that may be to blame, then the end. */
import { writeSync } from "node:fs";
import { runtimeExit } from "../../errors.ts";

export interface CudaFailure {
  readonly message: string;
}

/** CUresults that stay: every later call of the process gives the same. */
const faults: ReadonlySet<number> = new Set([
  214, // uncorrectable memory error
  220, // uncorrectable NVLink error
  700, // illegal address
  702, // launch timed out
  710, // device-side assert
  714, // hardware stack error
  715, // illegal instruction
  716, // misaligned address
  717, // invalid address space
  718, // invalid program counter
  719, // launch failed
]);

export const isFault = (result: number): boolean => faults.has(result);

/** Kernels named in the message. */
const mostNamed = 8;

/** What is said before the end; `started`: kernels since the device was last known to be well, oldest first. */
export function faultMessage(failure: CudaFailure, started: readonly string[]): string {
  const last = started.slice(-mostNamed);
  const kernels =
    last.length === 0
      ? "no kernel was running"
      : last.length === 1
        ? `in kernel ${last[0]}`
        : `in one of the last kernels: ${last.join(", ")}`;
  const help =
    last.length > 1 ? "\nhelp: set LCTX_CUDA_SYNC=1 to wait for each kernel and learn which one it is" : "";
  return `error[device-failed]: the GPU stopped, ${kernels}: ${failure.message}${help}\n`;
}

/** Ends the process: to serve on with a GPU that answers nothing but errors would be worse. */
export function endOnFault(failure: CudaFailure, started: readonly string[]): never {
  writeSync(2, faultMessage(failure, started));
  process.exit(runtimeExit.device);
}
