/** A worker of the WebAssembly device: its own instance and stack over the shared memory; works until told to stop. */
import { workerData } from "node:worker_threads";

const { module, memory, thread, stack } = workerData;
const { exports } = new WebAssembly.Instance(module, { env: { memory } });
exports.__stack_pointer.value = stack;
exports.lctx_work(thread);
