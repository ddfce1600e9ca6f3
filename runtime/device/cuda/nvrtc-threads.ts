/** Threads that compile with NVRTC: as many as there is work and cores for, kept for the next texts. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

export interface NvrtcRequest {
  readonly text: string;
  /** File name in messages. */
  readonly name: string;
  readonly options: readonly string[];
}

/** `cubin` is null when the text is wrong, `error` says what else went wrong. */
export interface NvrtcAnswer {
  readonly cubin: Uint8Array | null;
  readonly log: string;
  readonly error: string | null;
}

export interface NvrtcLibrary {
  /** Name or file. */
  readonly path: string;
  /** Its companions in the same folder. */
  readonly builtins: readonly string[];
}

interface Waiting {
  readonly request: NvrtcRequest;
  readonly resolve: (answer: NvrtcAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** Each holds about 50 MB while it compiles. */
const mostThreads = 8;

export class NvrtcThreads {
  readonly #library: NvrtcLibrary;
  readonly #waiting: Waiting[] = [];
  readonly #idle: Worker[] = [];
  #started = 0;

  constructor(library: NvrtcLibrary) {
    this.#library = library;
  }

  compile(request: NvrtcRequest): Promise<NvrtcAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    let worker = this.#idle.pop();
    if (worker === undefined) {
      if (this.#started >= Math.min(mostThreads, availableParallelism())) return;
      this.#started += 1;
      worker = new Worker(new URL("./nvrtc-worker.mjs", import.meta.url), {
        workerData: this.#library,
        // Options of this process, such as a loader for TypeScript, are nothing to it.
        execArgv: [],
      });
    }
    this.#serve(worker, this.#waiting.shift()!);
  }

  #serve(worker: Worker, { request, resolve, reject }: Waiting): void {
    const done = (): void => {
      worker.off("error", failed).off("exit", ended).off("message", answered);
    };
    const failed = (error: Error): void => {
      done();
      this.#started -= 1;
      reject(error);
      this.#next();
    };
    const ended = (code: number): void => failed(new Error(`the NVRTC thread ended with ${code}`));
    const answered = (answer: NvrtcAnswer): void => {
      done();
      worker.unref();
      this.#idle.push(worker);
      resolve(answer);
      this.#next();
    };
    worker.on("error", failed).on("exit", ended).on("message", answered);
    // Only a thread at work keeps the process alive.
    worker.ref();
    worker.postMessage(request);
  }
}
