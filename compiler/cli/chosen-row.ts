/** The row of text and the weights that a picture of choices is made from: a run's, or random ones. */
import { join } from "node:path";
import { openData } from "../../runtime/data/mixed-data.ts";
import { LctxError } from "../../runtime/errors.ts";
import type { ParameterInfo } from "../../runtime/program.ts";
import { readRunProject } from "../../runtime/project/project.ts";
import { initialise } from "../../runtime/random/init.ts";
import { keyOf, RandomStream } from "../../runtime/random/stream.ts";
import { batchesOf } from "../../runtime/train/row-runs.ts";
import { readRunSettings, runFiles } from "../../runtime/train/run-folder.ts";
import { carriedFrom, chooseCheckpoint } from "../../runtime/train/weights.ts";
import type { ChosenOptions, ChosenText } from "./chosen-pairs.ts";

type Source = Pick<ChosenOptions, "text" | "weights" | "whose">;

/** Weights as they are declared and tokens by chance, both of one seed. */
export function randomRow(length: number, seed: number): Source {
  return {
    async text(vocabulary): Promise<ChosenText> {
      const stream = new RandomStream(keyOf(seed, "tokens of a picture"));
      const nothing = new Int32Array(length);
      const tokens = Int32Array.from(nothing, () => Math.floor(stream.uniform() * vocabulary));
      return { tokens, documents: nothing, starts: nothing };
    },
    weights(info) {
      const values = new Float32Array(info.shape.reduce((all, size) => all * size, 1));
      initialise(values, info, seed);
      return values;
    },
    whose: "random weights",
  };
}

/** The newest weights of a run and the first row of its held-out text. Reading throws LctxErrors. */
export function runRow(run: string, length: number): Source {
  const { checkpoint } = chooseCheckpoint(run, "newest");
  const tensors = carriedFrom(checkpoint);
  return {
    async text(vocabulary): Promise<ChosenText> {
      const settings = readRunSettings(run);
      const stage = settings.stages[checkpoint.state.stage]!;
      const { dataFolder } = readRunProject(run);
      const data = await openData({ ...stage.data, length }, stage.loss, {
        specFolder: dataFolder,
        projectFolder: dataFolder,
        cacheFolder: join(run, runFiles.tokens),
        vocabulary,
        seed: settings.seed,
      });
      try {
        const [row] = batchesOf(data, data.validationRows > 0 ? "validation" : "train", [0], 1);
        return row!;
      } finally {
        data.close();
      }
    },
    weights: (info) => weightOf(tensors, info, run),
    whose: `after ${checkpoint.state.totalSteps} steps`,
  };
}

function weightOf(tensors: ReturnType<typeof carriedFrom>, info: ParameterInfo, run: string): Float32Array {
  const tensor = tensors.get(info.path);
  if (tensor === undefined || !(tensor.values instanceof Float32Array))
    throw new LctxError("safetensors-mismatch", `${run} has no weight "${info.path}"`);
  if (tensor.shape.join() !== info.shape.join())
    throw new LctxError(
      "safetensors-mismatch",
      `"${info.path}" is [${info.shape.join(", ")}] here and [${tensor.shape.join(", ")}] in ${run}`,
      "the two models must have the same sizes",
    );
  return tensor.values;
}
