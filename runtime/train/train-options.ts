/** What a caller of the trainer may ask for, and what it gets. */
import type { RunState } from "../checkpoint/checkpoint.ts";
import type { Files } from "../checkpoint/files.ts";
import type { Output } from "../metrics/progress.ts";
import type { LockEntries } from "./run-folder.ts";
import type { StopReason } from "./signals.ts";
import type { InitialWeights } from "./weights.ts";

export interface TrainOptions {
  /** Holds everything a run writes. */
  readonly runFolder: string;
  /** Where relative names of data and tokenizers are looked for. */
  readonly specFolder: string;
  readonly projectFolder: string | null;
  /** Where token files are kept; null: in the run's folder. */
  readonly cacheFolder?: string | null;
  readonly resume?: boolean;
  readonly allowChange?: boolean;
  /** Stop, with the state saved, once this many steps of all stages are done; the schedule stays. Null: at the end. */
  readonly stopAfter?: number | null;
  readonly tensorboard?: boolean;
  readonly logFormat?: "text" | "json";
  readonly output?: Output;
  /** The spec, kept with the run. */
  readonly specText?: string | null;
  /** The spec and the files it imports, by path, kept with the run as they import one another; none for a spec alone. */
  readonly specFiles?: ReadonlyMap<string, string>;
  /** Further hashes for the lock: of the program, kernels, compiler. */
  readonly lock?: LockEntries;
  /** Weights to begin with (a pretrained checkpoint); null: as declared. */
  readonly initialWeights?: InitialWeights | null;
  readonly files?: Files;
  /** Told of each checkpoint once it is safe on the disk. */
  readonly onCheckpoint?: (path: string) => void;
  /** Listen for signals; false in programs that handle them. */
  readonly signals?: boolean;
}

export interface TrainResult {
  readonly outcome: "finished" | "stopped" | StopReason;
  readonly exitCode: number;
  readonly totalSteps: number;
  /** The newest checkpoint's folder. */
  readonly checkpoint: string;
  readonly loss: number | null;
  readonly validationLoss: number | null;
  readonly best: RunState["best"];
}
