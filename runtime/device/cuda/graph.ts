/** Launches recorded once and started together by one call of the driver. */
import type { CudaDriver } from "./driver.ts";
import type { Scratch } from "./scratch.ts";

/** CU_STREAM_CAPTURE_MODE_RELAXED: what other libraries of the process do is no concern of the recording. */
const relaxed = 2;

export class CudaGraph {
  readonly #driver: CudaDriver;
  readonly #stream: bigint;
  readonly #scratch: Scratch;
  readonly #work: () => void;
  #executable: bigint | null = null;
  #generation = -1;

  /** `work` starts launches of bound calls and nothing else; scalars keep the values they have then. */
  constructor(driver: CudaDriver, stream: bigint, scratch: Scratch, work: () => void) {
    this.#driver = driver;
    this.#stream = stream;
    this.#scratch = scratch;
    this.#work = work;
    this.#record();
  }

  launch(): void {
    // Scratch that moved left its old address in the recording.
    if (this.#generation !== this.#scratch.generation) this.#record();
    this.#driver.call("cuGraphLaunch", this.#executable!, this.#stream);
  }

  free(): void {
    if (this.#executable !== null) this.#driver.call("cuGraphExecDestroy", this.#executable);
    this.#executable = null;
  }

  #record(): void {
    this.free();
    const generation = this.#scratch.generation;
    this.#driver.call("cuStreamBeginCapture_v2", this.#stream, relaxed);
    let graph = 0n;
    try {
      this.#work();
    } finally {
      // Left open, the recording would swallow all later work.
      const out = new BigUint64Array(1);
      const result = this.#driver.native("cuStreamEndCapture")(this.#stream, out);
      graph = result === 0 ? out[0]! : 0n;
    }
    if (graph === 0n) throw new Error("the launches cannot be recorded");
    try {
      if (generation !== this.#scratch.generation)
        throw new Error("scratch memory grew during the recording: bind the calls before");
      this.#executable = this.#driver.handle("cuGraphInstantiateWithFlags", (out) => [out, graph, 0]);
    } finally {
      this.#driver.call("cuGraphDestroy", graph);
    }
    this.#generation = generation;
  }
}
