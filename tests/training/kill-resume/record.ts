/** Kills training many times and writes what was seen: `npx tsx tests/training/kill-resume/record.ts --kills 200 [--seed 1]`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { machine } from "../../support/machine.ts";
import { sampleText } from "../recipes.ts";
import { killTraining, startLife } from "./lives.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const [kills, seed] = [Number(values.kills), Number(values.seed)];
console.log(`${kills} kills, seed ${seed}`);

const root = mkdtempSync(join(tmpdir(), "lctx-kill-"));
try {
  writeFileSync(join(root, "text.txt"), sampleText());
  const quiet = join(root, "quiet");
  const undisturbed = await startLife(root, quiet, null);
  if (undisturbed.code !== 0) throw new Error(`the undisturbed run ended with ${undisturbed.code}`);
  const began = Date.now();
  const counts = await killTraining(root, quiet, kills, seed);
  if (counts.beforeFirstSave > kills / 2) throw new Error("most kills came before anything was saved");
  const record = {
    command: `npx tsx tests/training/kill-resume/record.ts --kills ${kills} --seed ${seed}`,
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    seed,
    ...counts,
    // A violation throws, so that a record exists only for runs that had none.
    reportedCheckpointsLost: 0,
    runsThatDiffer: 0,
    seconds: Math.round((Date.now() - began) / 1000),
  };
  const folder = join(import.meta.dirname, "../results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `kills-${record.date}.json`), `${JSON.stringify(record, null, 2)}\n`);
  console.log(record);
} finally {
  rmSync(root, { recursive: true, force: true });
}
