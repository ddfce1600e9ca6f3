/** A folder of CUDA calls: each kernel's text as a .cu file, and what launches it as JSON. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CudaSources } from "../device/device.ts";
import type { CudaCall, CudaSource } from "../device/cuda/launch.ts";

export const callsFile = "calls.json";

type KeptCall = Omit<CudaCall, "sources"> & {
  readonly sources: readonly (Omit<CudaSource, "text"> & { readonly file: string })[];
};

/** Reads what `lctx build --target cuda` wrote. Throws when a file is missing or is no JSON. */
export function readCudaCalls(folder: string): CudaSources {
  const kept = JSON.parse(readFileSync(join(folder, callsFile), "utf8")) as Record<string, KeptCall>;
  const texts = new Map<string, string>();
  const textOf = (file: string): string => {
    const known = texts.get(file) ?? readFileSync(join(folder, file), "utf8");
    texts.set(file, known);
    return known;
  };
  const calls = Object.entries(kept).map(([name, call]): [string, CudaCall] => [
    name,
    { ...call, sources: call.sources.map(({ file, ...rest }) => ({ ...rest, text: textOf(file) })) },
  ]);
  return { calls: Object.fromEntries(calls) };
}
