/** A worker of the WebAssembly device: its own instance and stack over the shared memory; works until told to stop. */
import { workerData } from "node:worker_threads";

const { module, memory, thread, stack } = workerData;
const { exports } = new WebAssembly.Instance(module, { env: { memory } });
exports.__stack_pointer.value = stack;
try {
  exports.lctx_work(thread);
} catch (error) {
  // The main thread waits for this worker, and cannot hear of the error until it waits no more.
  exports.lctx_fail();
  throw error;
}
