/** Writes text with a run's weights. */
import { rowLayout } from "../data/dataset.ts";
import { sourceFolders } from "../data/resolve-source.ts";
import type { SourcePlaces } from "../data/resolve-source.ts";
import { openTokenizer } from "../tokens/open-tokenizer.ts";
import type { OpenAt } from "../train/evaluate-run.ts";
import { vocabularyOf } from "../train/model.ts";
import { readRunSettings } from "../train/run-folder.ts";
import { chooseCheckpoint, restoreWeights } from "../train/weights.ts";
import { generate } from "./generate.ts";
import type { GenerateOptions } from "./generate.ts";
import { recompute } from "./next-token.ts";

export interface GenerateRunOptions extends Omit<GenerateOptions, "layout">, SourcePlaces {
  readonly which?: "newest" | "best";
}

/**
 * Yields text as it becomes complete, without the prompt; returns how many tokens were written. The whole row runs again
 * for each token. Throws LctxErrors for a folder that is no run's, damaged checkpoints, a missing tokenizer, an empty prompt.
 */
export async function* generateRun(
  runFolder: string,
  open: OpenAt,
  options: GenerateRunOptions,
): AsyncGenerator<string, { readonly tokens: number; readonly remarks: readonly string[] }> {
  const settings = readRunSettings(runFolder);
  const { checkpoint, remarks } = chooseCheckpoint(runFolder, options.which ?? "newest");
  const index = checkpoint.state.stage;
  const stage = settings.stages[index]!;
  const tokenizer = await openTokenizer(stage.data.tokenizer, sourceFolders(options));
  const model = recompute(async () => {
    const opened = await open(index, { batch: 1, length: 1 }, ["logits"]);
    restoreWeights(opened, checkpoint, false);
    return opened;
  });
  try {
    const layout = rowLayout(stage.data, stage.loss, tokenizer, vocabularyOf((await model.ready()).program));
    const { tokens } = yield* generate(model, tokenizer, { ...options, layout });
    return { tokens, remarks };
  } finally {
    model.close();
  }
}
