/** Starts training processes, kills them at random instants, and says what is left: shared by the test and the long run. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { loadNewest } from "../../../runtime/checkpoint/checkpoint.ts";
import { diskFiles } from "../../../runtime/checkpoint/files.ts";
import { keyOf, RandomStream } from "../../../runtime/random/stream.ts";

const steps = 60;

/** How one process went. */
export interface Life {
  readonly output: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Runs a child over the text in `root`; `live` may act on it at each line it prints. `slow` makes each step block for
 * that many milliseconds, as a long kernel would.
 */
export function startLife(
  root: string,
  runFolder: string,
  slow: number | null,
  live: (child: ChildProcess, line: string) => void = () => undefined,
): Promise<Life> {
  const args = [join(import.meta.dirname, "child.ts"), root, runFolder, String(steps)];
  const child = spawn(
    process.execPath,
    ["--import", "tsx", ...args, ...(slow === null ? [] : [String(slow)])],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    for (const line of text.split("\n")) if (line !== "") live(child, line);
  });
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ output, code, signal })));
}

const stepOf = (path: string): number => Number(/step-(\d+)$/.exec(path.trim())![1]);

/** Every byte of the weights and states of a run's newest checkpoint. */
export function weightsOf(runFolder: string): string {
  const { checkpoint } = loadNewest(diskFiles, join(runFolder, "checkpoints"))!;
  return ["model", "optimizer"]
    .map((file) => readFileSync(join(checkpoint.path, `${file}.safetensors`), "latin1"))
    .join("|");
}

/** Rows of metrics.jsonl without what depends on the clock. */
function metricsOf(runFolder: string): unknown[] {
  return readFileSync(join(runFolder, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line): unknown => ({ ...(JSON.parse(line) as object), seconds: 0, tokensPerSecond: 0 }));
}

/** What a number of kills showed; anything that must not happen has thrown instead. */
export interface KillCounts {
  readonly kills: number;
  /** Runs that reached their end after some kills, each with the weights and metrics of one never disturbed. */
  readonly completedRuns: number;
  /** Kills between a save and its report: a checkpoint that nobody was told of was there all the same. */
  readonly betweenSaveAndReport: number;
  /** Kills while a run had no checkpoint at all: these could lose nothing, so most must not be of their kind. */
  readonly beforeFirstSave: number;
}

/**
 * Kills training processes `kills` times with SIGKILL, at instants that follow from the seed, each run resumed until it
 * ends. Throws when a reported checkpoint is lost, when one that is there cannot be read, when a run ends with other
 * weights or metrics than an undisturbed one, or leaves unfinished files. `root` holds `text.txt`; `quiet` is the folder of a
 * run that was never disturbed.
 */
export async function killTraining(
  root: string,
  quiet: string,
  kills: number,
  seed: number,
): Promise<KillCounts> {
  const random = new RandomStream(keyOf(seed, "kills"));
  const [wanted, wantedMetrics] = [weightsOf(quiet), metricsOf(quiet)];
  /** Milliseconds from a process's start to its first save, and between saves, as last seen. */
  const gaps = { first: 100, next: 20 };
  let [done, completedRuns, betweenSaveAndReport, beforeFirstSave] = [0, 0, 0, 0];
  for (let run = 0; done < kills || completedRuns === 0; run++) {
    const folder = join(root, `run-${run}`);
    let acknowledged = 0;
    for (;;) {
      const spared = done >= kills;
      // After some saves, somewhere before or after the next: on a slow machine as on a fast one.
      const [after, share] = [Math.floor(random.uniform() * 5), 1.5 * random.uniform()];
      let saves = 0;
      let since = 0;
      let timer: NodeJS.Timeout | null = null;
      const life = await startLife(root, folder, spared ? null : 1, (child, line) => {
        const saved = line.startsWith("saved ");
        if (!saved && line !== "ready") return;
        const now = performance.now();
        if (saved) {
          acknowledged = Math.max(acknowledged, stepOf(line.slice(6)));
          gaps[saves === 0 ? "first" : "next"] = now - since;
          saves++;
        }
        since = now;
        if (saves === after && !spared && timer === null)
          timer = setTimeout(() => child.kill("SIGKILL"), share * gaps[saves === 0 ? "first" : "next"]);
      });
      if (timer !== null) clearTimeout(timer);
      const found = loadNewest(diskFiles, join(folder, "checkpoints"));
      const newest = found?.checkpoint.state.totalSteps ?? 0;
      assert.ok(newest >= acknowledged, `step ${acknowledged} was reported, ${newest} is the newest there`);
      assert.deepEqual(found?.remarks ?? [], [], "a checkpoint looks whole and is not");
      if (life.signal === "SIGKILL") {
        done++;
        if (newest > acknowledged) betweenSaveAndReport++;
        if (newest === 0) beforeFirstSave++;
        continue;
      }
      assert.match(life.output, /end finished/);
      break;
    }
    assert.ok(weightsOf(folder) === wanted, `run ${run} ended with other weights`);
    assert.deepEqual(metricsOf(folder), wantedMetrics);
    const unfinished = readdirSync(join(folder, "checkpoints")).filter((name) => name.startsWith("."));
    assert.deepEqual(unfinished, []);
    rmSync(folder, { recursive: true });
    completedRuns++;
  }
  return { kills: done, completedRuns, betweenSaveAndReport, beforeFirstSave };
}
