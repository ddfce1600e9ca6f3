/** Exit codes of every verb. */
export const exitCodes = {
  ok: 0,
  /** The spec has errors; they were printed. */
  specErrors: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Weights, checkpoint, data or cache are wrong. */
  badArtefact: 3,
  /** A limit refused the work. */
  limit: 4,
  /** Compiler, device or memory of the device failed. */
  device: 5,
  /** Training stopped because a number was not finite. */
  numerics: 6,
  /** The disk did not keep what it was given. */
  durability: 7,
  /** A bug in lctx. */
  internal: 70,
  /** Asked to stop (SIGTERM, SIGHUP); the state is saved. */
  preempted: 75,
  /** Interrupted (SIGINT); the state is saved. */
  interrupted: 130,
} as const;

/** A mistake on the command line: message, and a way out. `exitCode` tells limits from plain mistakes. */
export class UsageError extends Error {
  constructor(
    message: string,
    readonly help: string | null = null,
    readonly exitCode: number = exitCodes.usage,
  ) {
    super(message);
  }
}

/** A spec whose mistakes were printed: the verb ends with this code and says nothing more. */
export class SpecRefused extends Error {
  constructor(readonly exitCode: number) {
    super("the spec has errors");
  }
}

/** Messages that tell of a limit of the compiler rather than of a mistake. */
const limitMessages: ReadonlySet<string> = new Set([
  "file-too-large",
  "too-many-tokens",
  "nesting-too-deep",
  "definition-too-deep",
]);

/** The code for a spec with these messages: 4 when a limit refused it, 1 for other errors, 0 without any. */
export function specExitCode(
  diagnostics: readonly { readonly code: string; readonly severity: string }[],
): number {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return exitCodes.ok;
  return errors.some(({ code }) => limitMessages.has(code)) ? exitCodes.limit : exitCodes.specErrors;
}
