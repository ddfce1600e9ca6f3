/** Where a run begins: anew, or at its newest whole checkpoint. */
import { loadNewest } from "../checkpoint/checkpoint.ts";
import type { LoadedCheckpoint } from "../checkpoint/checkpoint.ts";
import type { Files } from "../checkpoint/files.ts";
import { LctxError } from "../errors.ts";
import { checkSettings, settingsChanges, settingsHash } from "./settings-schema.ts";
import type { TrainSettings } from "./settings.ts";

export interface StartOptions {
  readonly resume: boolean;
  /** Go on although settings or text changed. */
  readonly allowChange: boolean;
}

export interface Start {
  /** Null: anew. */
  readonly checkpoint: LoadedCheckpoint | null;
  readonly remarks: readonly string[];
}

/**
 * Decides where to begin. Throws LctxError `run-folder-not-empty` when there are checkpoints and resuming was not asked
 * for, `settings-changed` when they are of other settings, `checkpoint-damaged` when none is whole.
 */
export function findStart(
  files: Files,
  checkpoints: string,
  settings: TrainSettings,
  { resume, allowChange }: StartOptions,
): Start {
  const found = loadNewest(files, checkpoints);
  if (found === null) {
    return {
      checkpoint: null,
      remarks: resume ? ["there is no checkpoint to resume from; starting anew"] : [],
    };
  }
  if (!resume) {
    throw new LctxError(
      "run-folder-not-empty",
      `${checkpoints} holds checkpoints of an earlier run`,
      "go on with --resume, or name another folder with --run",
    );
  }
  const { checkpoint } = found;
  const remarks = [...found.remarks];
  if (checkpoint.state.settingsHash !== settingsHash(settings)) {
    const changes = settingsChanges(checkSettings(checkpoint.state.settings), settings);
    const listed = changes.map((change) => `\n  ${change}`).join("");
    if (!allowChange) {
      throw new LctxError(
        "settings-changed",
        `the run was started with other settings:${listed}`,
        "resume with --allow-change, or name another folder with --run",
      );
    }
    remarks.push(`resumed although settings changed:${listed}`);
  }
  if (checkpoint.state.stage >= settings.stages.length) {
    throw new LctxError(
      "settings-changed",
      `the checkpoint is of stage ${checkpoint.state.stageName}, which is gone`,
    );
  }
  return { checkpoint, remarks };
}

/** Checks that a stage reads the text that its checkpoint was trained on. */
export function checkSameText(
  before: string,
  now: string,
  stage: string,
  allowChange: boolean,
): string | null {
  if (before === now) return null;
  if (!allowChange) {
    throw new LctxError(
      "data-changed",
      `the text or tokenizer of stage "${stage}" is not what the run was trained on`,
      "restore it, or resume with --allow-change (rows then come from the changed text)",
    );
  }
  return `resumed although the text or tokenizer of stage "${stage}" changed`;
}
