/** A process that compiles a kernel into a folder, perhaps beside others; prints what the kernel stores. */
import { openCpuDevice } from "../../runtime/device/open.ts";
import { call, sourcesOf } from "./support.ts";

const [cacheFolder, kind] = process.argv.slice(2) as [string, "native" | "wasm"];
const device = await openCpuDevice({ kind, threads: 2, cacheFolder });
const text = `void store(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)sizes, (void)scalars;
  *(int32_t *)buffers[0] = 7;
}
`;
const kernels = await device.load(sourcesOf(text, ["store"]));
const memory = device.allocate(4);
call(device, kernels, "store", [memory]);
console.log(memory.i32(0, 1)[0]);
device.close();
