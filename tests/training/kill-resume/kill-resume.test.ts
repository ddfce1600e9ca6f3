/**
 * Training processes killed at random moments: no checkpoint that was reported is ever lost, and the run ends with the
 * very weights of one that was never disturbed. LCTX_KILLS sets how many kills (8); LCTX_SEED repeats a run.
 */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sampleText } from "../recipes.ts";
import { killTraining, startLife, weightsOf, type Life } from "./lives.ts";

const kills = Number(process.env["LCTX_KILLS"] ?? 8);
const seed = Number(process.env["LCTX_SEED"] ?? Date.now() % 1_000_000);

const root = mkdtempSync(join(tmpdir(), "lctx-kill-"));
const quiet = join(root, "quiet");
writeFileSync(join(root, "text.txt"), sampleText());
beforeAll(async () => {
  expect(await startLife(root, quiet, null)).toMatchObject({ code: 0 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const start = (
  folder: string,
  slow: number | null,
  live?: (child: ChildProcess, line: string) => void,
): Promise<Life> => startLife(root, folder, slow, live);
const weights = weightsOf;

describe(`killed training (seed ${seed})`, () => {
  it(
    `survives ${kills} kills with bit-identical weights`,
    async () => {
      const counts = await killTraining(root, quiet, kills, seed);
      expect(counts.kills).toBe(kills);
      expect(counts.completedRuns).toBeGreaterThan(0);
      // Kills before anything was saved prove nothing.
      expect(counts.beforeFirstSave).toBeLessThan(kills / 2);
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
    const rest = await start(folder, null);
    expect(rest.code).toBe(0);
    expect(weights(folder)).toBe(weights(quiet));
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
    expect(weights(folder)).toBe(weights(quiet));
  });

  it("keeps a second trainer out of the folder meanwhile", async () => {
    const folder = join(root, "shared");
    let second: Promise<Life> | null = null;
    const first = await start(folder, 20, (child, line) => {
      if (line.startsWith("saved ") && second === null) {
        second = start(folder, null).then((life) => {
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
