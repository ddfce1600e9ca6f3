/** Engine: what opens a stage's program on a target; which targets there are, and what `--target` says. */
import type { RunSizes } from "../executable.ts";
import { LctxError } from "../errors.ts";
import type { PhaseName } from "../program.ts";
import type { TrainableModel } from "../train/model.ts";
import type { DeviceOptions } from "../device/open.ts";
import { engines } from "./engines.ts";
import type { ProjectStage } from "./project.ts";

/** Where and on how many threads to run. */
export interface Place {
  /** A target and, after a colon, one of its backends; left out: the first target there is. */
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

/** Throws LctxError `settings-invalid` for a target that there is not, and what opening it throws. */
export async function openEngine(place: Place): Promise<Engine> {
  const names = Object.keys(engines);
  const [name, backend = null, ...more] = (place.target ?? names[0]!).split(":");
  const open = await engines[name!]?.();
  if (open === undefined || more.length > 0)
    throw new LctxError(
      "settings-invalid",
      `there is no target "${place.target}"`,
      `targets are ${names.join(", ")}`,
    );
  return open(place, backend);
}
