/** Engine: what opens a stage's program on a target; which targets there are, and what `--target` says. */
import type { RunSizes } from "../executable.ts";
import { targetOf, type Target } from "../device/device.ts";
import { LctxError } from "../errors.ts";
import type { PhaseName } from "../program.ts";
import type { TrainableModel } from "../train/model.ts";
import type { DeviceOptions } from "../device/open.ts";
import { engines } from "./engines.ts";
import type { Project, ProjectStage } from "./project.ts";

/** Where and on how many threads to run. */
export interface Place {
  /** A target and, after a colon, one of its backends; left out: the one that the kernels are for. */
  readonly target?: string | undefined;
  readonly device?: DeviceOptions["kind"];
  readonly threads?: number | undefined;
  /** Where compiled kernels are kept; null: nowhere. */
  readonly kernelCache?: string | null;
}

export interface Engine {
  /** One line for people: what runs the programs, and why that. */
  readonly description: string;
  /** Throws a RangeError for sizes that the program cannot run at. */
  open(stage: ProjectStage, sizes: RunSizes, phases?: readonly PhaseName[]): Promise<TrainableModel>;
  close(): void;
}

/** Opens an engine; `backend` is what a target's name says after its colon. Throws LctxErrors. */
export type OpenEngine = (place: Place, backend: string | null) => Promise<Engine>;

/** What a target's name says: target and backend. Throws LctxError `settings-invalid` for one that there is not. */
function parseTarget(target: string): { readonly name: string; readonly backend: string | null } {
  const [name, backend = null, ...more] = target.split(":");
  if (engines[name!] === undefined || more.length > 0)
    throw new LctxError(
      "settings-invalid",
      `there is no target "${target}"`,
      `targets are ${Object.keys(engines).join(", ")}`,
    );
  return { name: name!, backend };
}

/** Which of a run's programs a target needs; undefined where none is asked for. Throws as `openEngine`. */
export const kernelTarget = (target: string | undefined): Target | undefined =>
  target === undefined ? undefined : engines[parseTarget(target).name]!.kernels;

/**
 * Opens the target asked for, else the one that the project's kernels are for. Throws LctxError `settings-invalid` for a
 * target that there is not, and what opening it throws.
 */
export async function openEngine(place: Place, { stages }: Pick<Project, "stages">): Promise<Engine> {
  const own = targetOf(stages[0]!.kernels);
  // A project of one's own has the engine that it was written for and no other.
  const { name, backend } = parseTarget(place.target ?? (own in engines ? own : Object.keys(engines)[0]!));
  const open = await engines[name]!.load();
  return open(place, backend);
}
