/**
 * Training processes killed at random moments: no checkpoint that was reported is ever lost, and the run ends with the
 * very weights of one that was never disturbed. LCTX_KILLS sets how many kills (8); LCTX_SEED repeats a run.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadNewest } from "../../../runtime/checkpoint/checkpoint.ts";
import { diskFiles } from "../../../runtime/checkpoint/files.ts";
import { keyOf, RandomStream } from "../../../runtime/random/stream.ts";
import { sampleText } from "../recipes.ts";

const kills = Number(process.env["LCTX_KILLS"] ?? 8);
const seed = Number(process.env["LCTX_SEED"] ?? Date.now() % 1_000_000);
const steps = 60;

const root = mkdtempSync(join(tmpdir(), "lctx-kill-"));
writeFileSync(join(root, "text.txt"), sampleText());
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Life {
  readonly output: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Runs a child; `live` may act on it while it runs. */
function start(
  runFolder: string,
  slow: number | null,
  live: (child: ChildProcess, line: string) => void,
): Promise<Life> {
  const args = [join(import.meta.dirname, "child.ts"), root, runFolder, String(steps)];
  const child = spawn(
    process.execPath,
    ["--import", "tsx", ...args, ...(slow === null ? [] : [String(slow)])],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    for (const line of text.split("\n")) if (line !== "") live(child, line);
  });
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ output, code, signal })));
}

const nothing = (): void => undefined;

const stepOf = (path: string): number => Number(/step-(\d+)$/.exec(path.trim())![1]);

function weights(runFolder: string): string {
  const { checkpoint } = loadNewest(diskFiles, join(runFolder, "checkpoints"))!;
  return ["model", "optimizer"]
    .map((file) => readFileSync(join(checkpoint.path, `${file}.safetensors`), "latin1"))
    .join("|");
}

/** Rows of metrics.jsonl without what depends on the clock. */
function metrics(runFolder: string): unknown[] {
  return readFileSync(join(runFolder, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line): unknown => ({ ...(JSON.parse(line) as object), seconds: 0, tokensPerSecond: 0 }));
}

describe(`killed training (seed ${seed})`, () => {
  it(
    `survives ${kills} kills with bit-identical weights`,
    async () => {
      const random = new RandomStream(keyOf(seed, "kills"));
      const quiet = join(root, "quiet");
      const undisturbed = await start(quiet, null, nothing);
      expect(undisturbed.code).toBe(0);
      const wanted = weights(quiet);
      const wantedMetrics = metrics(quiet);

      let done = 0;
      let completed = 0;
      let lostAfterSave = 0;
      for (let run = 0; done < kills || completed === 0; run++) {
        const folder = join(root, `run-${run}`);
        let acknowledged = 0;
        for (;;) {
          const spared = done >= kills;
          const wait = random.uniform() * 250;
          let timer: NodeJS.Timeout | null = null;
          const life = await start(folder, spared ? null : 1, (child, line) => {
            if (line.startsWith("saved ")) acknowledged = Math.max(acknowledged, stepOf(line.slice(6)));
            if (line === "ready" && !spared) timer = setTimeout(() => child.kill("SIGKILL"), wait);
          });
          if (timer !== null) clearTimeout(timer);
          const found = loadNewest(diskFiles, join(folder, "checkpoints"));
          const newest = found?.checkpoint.state.totalSteps ?? 0;
          expect(newest).toBeGreaterThanOrEqual(acknowledged);
          // A process that is killed never leaves a checkpoint that looks whole and is not.
          expect(found?.remarks ?? []).toEqual([]);
          if (newest > acknowledged) lostAfterSave++;
          if (life.signal === "SIGKILL") {
            done++;
            continue;
          }
          expect(life.output).toContain("end finished");
          break;
        }
        expect(weights(folder)).toBe(wanted);
        expect(metrics(folder)).toEqual(wantedMetrics);
        expect(readdirSync(join(folder, "checkpoints")).filter((name) => name.startsWith("."))).toEqual([]);
        rmSync(folder, { recursive: true });
        completed++;
      }
      console.log(
        `seed ${seed}: ${done} kills, ${completed} completed runs, 0 reported checkpoints lost, ` +
          `${lostAfterSave} times killed between a save and its report`,
      );
    },
    60_000 + kills * 3_000,
  );
});

describe("asked to stop", () => {
  it.each([
    ["SIGINT", 130, "interrupted"],
    ["SIGTERM", 75, "preempted"],
    ["SIGHUP", 75, "preempted"],
  ] as const)("by %s, training saves and ends with %i", async (signal, code, outcome) => {
    const folder = join(root, signal);
    let sent = false;
    const life = await start(folder, 2, (child, line) => {
      if (line.startsWith("saved ") && !sent) sent = child.kill(signal);
    });
    expect(life).toMatchObject({ code, signal: null });
    expect(life.output).toContain(`${signal}: stopping after this step`);
    expect(life.output).toContain(`end ${outcome}`);
    const rest = await start(folder, null, nothing);
    expect(rest.code).toBe(0);
    expect(weights(folder)).toBe(weights(join(root, "quiet")));
  });

  it("twice, it ends at once", async () => {
    const folder = join(root, "twice");
    let sent = false;
    const life = await start(folder, 400, (child, line) => {
      if (line === "ready" && !sent) {
        sent = true;
        // The second signal finds the first one's step still running.
        setTimeout(() => child.kill("SIGTERM"), 150);
      }
      if (line.includes("stopping after this step")) child.kill("SIGTERM");
    });
    expect(life).toMatchObject({ code: 143, signal: null });
  });

  it("goes on when nobody reads its output any more", async () => {
    const folder = join(root, "unread");
    let closed = false;
    const life = await start(folder, null, (child, line) => {
      if (line.startsWith("saved ") && !closed) {
        closed = true;
        child.stdout!.destroy();
      }
    });
    expect(closed).toBe(true);
    expect(life).toMatchObject({ code: 0, signal: null });
    expect(weights(folder)).toBe(weights(join(root, "quiet")));
  });

  it("keeps a second trainer out of the folder meanwhile", async () => {
    const folder = join(root, "shared");
    let second: Promise<Life> | null = null;
    const first = await start(folder, 20, (child, line) => {
      if (line.startsWith("saved ") && second === null) {
        second = start(folder, null, nothing).then((life) => {
          child.kill("SIGTERM");
          return life;
        });
      }
    });
    expect(first.code).toBe(75);
    const refused = (await second) as unknown as Life;
    expect(refused.code).toBe(2);
    expect(refused.output).toContain("error run-folder-in-use");
  });
});
