/** Requests to stop: the first is answered at the end of the step, with the state saved; the second ends the process at once. */
import { constants } from "node:os";

export type StopReason = "interrupted" | "preempted";

const reasons = { SIGINT: "interrupted", SIGTERM: "preempted", SIGHUP: "preempted" } as const;
type Watched = keyof typeof reasons;

export class StopRequest {
  #reason: StopReason | null = null;
  readonly #handlers = new Map<Watched, () => void>();

  /** Listens for SIGINT, SIGTERM and SIGHUP until `close`. */
  listen(onFirst: (signal: string) => void): this {
    for (const signal of Object.keys(reasons) as Watched[]) {
      const handler = (): void => {
        if (this.#reason !== null) process.exit(128 + constants.signals[signal]);
        this.#reason = reasons[signal];
        onFirst(signal);
      };
      this.#handlers.set(signal, handler);
      process.on(signal, handler);
    }
    return this;
  }

  /** Why to stop; null to go on. */
  get reason(): StopReason | null {
    return this.#reason;
  }

  request(reason: StopReason): void {
    this.#reason ??= reason;
  }

  close(): void {
    for (const [signal, handler] of this.#handlers) process.removeListener(signal, handler);
    this.#handlers.clear();
  }
}
