/** Evaluates a run: its newest or best weights on its held-out text, or on another text. */
import { join, resolve } from "node:path";
import { openEvaluationText } from "../data/dataset.ts";
import { openData } from "../data/mixed-data.ts";
import type { PhaseName } from "../program.ts";
import { evaluate } from "./evaluate.ts";
import type { Evaluation } from "./evaluate.ts";
import { vocabularyOf } from "./model.ts";
import type { TrainableModel } from "./model.ts";
import { readRunSettings, runFiles } from "./run-folder.ts";
import type { StageSettings } from "./settings.ts";
import { chooseCheckpoint, restoreWeights } from "./weights.ts";

/** Makes the model of a stage at the given rows and positions, with the given phases ready. Weights are filled by the caller. */
export type OpenAt = (
  stage: number,
  sizes: { readonly batch: number; readonly length: number },
  phases: readonly PhaseName[],
) => Promise<TrainableModel>;

export interface EvaluateRunOptions {
  /** Where relative names of data and tokenizers are looked for, as in training. */
  readonly specFolder: string;
  readonly projectFolder: string | null;
  /** A text, all of which is evaluated on, relative to the current folder; null: the run's held-out text. */
  readonly data?: string | null;
  /** Tokens a row, at most; null: as trained. */
  readonly length?: number | null;
  /** Whose held-out rows and targets are looked at; left out: the stage's that the weights come from. */
  readonly rowsOf?: Pick<StageSettings, "batch" | "data" | "loss"> | undefined;
  /** Rows looked at, at most; null: all. */
  readonly rows?: number | null;
  readonly which?: "newest" | "best";
  /** What the opened program's loss is; left out: what the run trained. */
  readonly objective?: string | undefined;
}

export interface RunEvaluation extends Evaluation {
  /** Steps of all stages after which the weights were saved. */
  readonly totalSteps: number;
  readonly checkpoint: string;
  /** Tokens a row, at most. */
  readonly length: number;
  /** What the user should know: damaged checkpoints passed over. */
  readonly remarks: readonly string[];
}

/** Throws LctxErrors for a folder that is no run's, damaged checkpoints, missing text, or nothing to evaluate on. Null when no text is held out. */
export async function evaluateRun(
  runFolder: string,
  open: OpenAt,
  options: EvaluateRunOptions,
): Promise<RunEvaluation | null> {
  const settings = readRunSettings(runFolder);
  const { checkpoint, remarks } = chooseCheckpoint(runFolder, options.which ?? "newest");
  const index = checkpoint.state.stage;
  const stage = options.rowsOf ?? settings.stages[index]!;
  const length = options.length ?? stage.data.length;
  const model = await open(index, { batch: stage.batch.sequences, length }, ["loss"]);
  try {
    restoreWeights(model, checkpoint, false);
    const places = {
      specFolder: options.specFolder,
      projectFolder: options.projectFolder,
      cacheFolder: join(runFolder, runFiles.tokens),
      vocabulary: vocabularyOf(model.program),
    };
    const other = options.data ?? null;
    const dataset =
      other === null
        ? await openData({ ...stage.data, length }, stage.loss, { ...places, seed: settings.seed })
        : await openEvaluationText(
            { ...stage.data, mix: undefined, length, source: resolve(other) },
            stage.loss,
            places,
          );
    try {
      const result = await evaluate(model, dataset, {
        sequences: stage.batch.sequences,
        rows: options.rows ?? null,
        objective: options.objective ?? stage.loss.objective,
      });
      if (result === null) return null;
      const { totalSteps } = checkpoint.state;
      return { ...result, totalSteps, checkpoint: checkpoint.path, length, remarks };
    } finally {
      dataset.close();
    }
  } finally {
    model.close();
  }
}
