/** The CUDA compiler of this machine: NVRTC where it is found, else nvcc; the device's description says which. */
import { LctxError } from "../../errors.ts";
import type { CudaCompiler } from "./compiler.ts";
import { findNvcc } from "./nvcc.ts";
import { findNvrtc } from "./nvrtc.ts";

/** Throws LctxError `no-compiler` when neither is here. */
export async function findCudaCompiler(): Promise<CudaCompiler> {
  const nvrtc = findNvrtc();
  if ("compiler" in nvrtc) return nvrtc.compiler;
  const nvcc = await findNvcc();
  if (nvcc !== null) return nvcc;
  throw new LctxError("no-compiler", `${nvrtc.problem}; and nvcc does not run`, nvrtc.fix);
}
