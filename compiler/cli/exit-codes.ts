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
  /** Asked to stop; the state is saved. */
  preempted: 75,
} as const;

/** A mistake on the command line: message, and a way out. */
export class UsageError extends Error {
  constructor(
    message: string,
    readonly help: string | null = null,
  ) {
    super(message);
  }
}
