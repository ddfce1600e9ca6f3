/** LctxError: a failure that people can act on: what went wrong, a way out, and the exit code of the process. */

/** Exit codes of the runtime; a verb's process ends with one of these. */
export const runtimeExit = {
  ok: 0,
  /** The command line or the settings ask for something that cannot be. */
  usage: 2,
  /** Weights, checkpoint, data, tokenizer or cache are wrong. */
  badArtefact: 3,
  /** A limit refused the work. */
  limit: 4,
  /** Device, kernels or the device's memory failed. */
  device: 5,
  /** Training stopped because a number was not finite. */
  numerics: 6,
  /** The disk did not keep what it was given. */
  durability: 7,
  /** A bug in lctx. */
  internal: 70,
  /** Asked to stop (SIGTERM); the state is saved. */
  preempted: 75,
  /** Interrupted (SIGINT); the state is saved. */
  interrupted: 130,
} as const;

export type RuntimeExit = keyof typeof runtimeExit;

/** Every code the runtime reports, with the exit code it leads to. */
const codes = {
  "settings-invalid": "usage",
  "run-folder-in-use": "usage",
  "run-folder-not-empty": "usage",
  "data-not-found": "badArtefact",
  "data-unreadable": "badArtefact",
  "data-not-utf8": "badArtefact",
  "data-empty": "badArtefact",
  "data-too-short": "badArtefact",
  "data-format": "badArtefact",
  "data-changed": "badArtefact",
  "length-too-long": "usage",
  "task-too-short": "usage",
  "task-impossible": "usage",
  "task-unknown": "usage",
  "token-outside-vocabulary": "badArtefact",
  "token-unknown": "badArtefact",
  "tokenizer-not-found": "badArtefact",
  "tokenizer-format": "badArtefact",
  "safetensors-header": "badArtefact",
  "safetensors-tensor": "badArtefact",
  "safetensors-mismatch": "badArtefact",
  "checkpoint-missing": "badArtefact",
  "checkpoint-damaged": "badArtefact",
  "checkpoint-too-new": "badArtefact",
  "settings-changed": "badArtefact",
  "program-unreadable": "badArtefact",
  "no-compiler": "device",
  "kernel-compile": "device",
  "device-memory": "device",
  "device-failed": "device",
  "no-device": "device",
  "wrong-target": "usage",
  "not-finite": "numerics",
  "write-failed": "durability",
} as const satisfies Record<string, RuntimeExit>;

export type RuntimeCode = keyof typeof codes;

export class LctxError extends Error {
  readonly code: RuntimeCode;
  /** What to do about it; empty when nothing is known. */
  readonly help: string;
  readonly exitCode: number;

  constructor(code: RuntimeCode, message: string, help = "", options?: ErrorOptions) {
    super(message, options);
    this.name = "LctxError";
    this.code = code;
    this.help = help;
    this.exitCode = runtimeExit[codes[code]];
  }
}

/** The `code` of a system error (`ENOENT`, `ENOSPC`), or an empty text. */
export function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}
