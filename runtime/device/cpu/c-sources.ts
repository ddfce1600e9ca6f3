/** The C sources of a program for the CPU; programs for other devices are refused in words. */
import { LctxError } from "../../errors.ts";
import { targetOf, type KernelSources, type ProgramSources } from "../device.ts";

/** Throws LctxError `wrong-target` for kernels of another target. */
export function cSources(sources: ProgramSources): KernelSources {
  if (!("calls" in sources)) return sources;
  throw new LctxError(
    "wrong-target",
    `these kernels are for ${targetOf(sources)}, and the device is the CPU`,
    "run with --target cuda, or build the spec for the CPU",
  );
}
