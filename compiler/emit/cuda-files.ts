/** Lays CUDA calls out as files: one .cu file for each different kernel, and the launches that name them as JSON. */
import type { CudaSources } from "../../runtime/device/device.ts";

/** Files by name: `calls.json`, and kernels named after the call that first uses them. */
export function cudaFiles({ calls }: CudaSources): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  const names = new Map<string, string>();
  const kept = Object.entries(calls).map(([name, call]) => {
    const sources = call.sources.map(({ text, entry, architecture }, n) => {
      const key = `${entry}\n${architecture}\n${text}`;
      const file = names.get(key) ?? `${name}${n === 0 ? "" : `_${n}`}.cu`;
      names.set(key, file);
      files[file] = text;
      return { file, entry, architecture };
    });
    return [name, { ...call, sources }] as const;
  });
  files["calls.json"] = `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`;
  return files;
}
