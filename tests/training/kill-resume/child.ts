/** A training process to be killed: `child.ts <root> <run folder> <steps> [slow]`; tells what it has done on stdout. */
import { join } from "node:path";
import { LctxError } from "../../../runtime/errors.ts";
import { train } from "../../../runtime/train/trainer.ts";
import { bigramModel } from "../bigram-model.ts";
import { recipe, stage } from "../recipes.ts";

const [root, runFolder, steps, slow] = process.argv.slice(2) as [string, string, string, string?];

const settings = recipe({
  stages: [
    stage({
      name: "first",
      schedule: { ...stage().schedule, steps: Number(steps) },
      evaluate: { every: 10, rows: 4 },
    }),
    stage({ name: "second", schedule: { ...stage().schedule, steps: 10 }, evaluate: { every: 0, rows: 4 } }),
  ],
  checkpoint: { every: 2, keep: 2 },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Blocks as a long kernel would. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

say("ready");
try {
  const result = await train(
    (entry) =>
      Promise.resolve(
        bigramModel({
          batch: entry.batch.sequences,
          length: entry.data.length,
          ...(slow === undefined ? {} : { after: () => block(Number(slow)) }),
        }),
      ),
    settings,
    {
      runFolder,
      specFolder: root,
      projectFolder: null,
      cacheFolder: join(root, "cache"),
      resume: true,
      output: process.stdout,
      onCheckpoint: (path) => say(`saved ${path}`),
    },
  );
  say(`end ${result.outcome} ${result.checkpoint}`);
  process.exitCode = result.exitCode;
} catch (error) {
  if (!(error instanceof LctxError)) throw error;
  say(`error ${error.code}: ${error.message}`);
  process.exitCode = error.exitCode;
}
