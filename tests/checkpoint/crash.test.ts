/** Power cuts at every operation of saves and prunes, in many of the states a disk may be left in. */
import { describe, expect, it } from "vitest";
import { loadNewest, saveCheckpoint } from "../../runtime/checkpoint/checkpoint.ts";
import type { CheckpointContent } from "../../runtime/checkpoint/checkpoint.ts";
import { syncFolder } from "../../runtime/checkpoint/files.ts";
import type { Files } from "../../runtime/checkpoint/files.ts";
import { keyOf, RandomStream } from "../../runtime/random/stream.ts";
import { CrashFiles } from "./crash-files.ts";

const folder = "/runs/one/checkpoints";

function content(totalSteps: number, validationLoss: number | null): CheckpointContent {
  const values = Float32Array.from({ length: 300 }, (_, i) => totalSteps * 1000 + i);
  return {
    state: {
      format: 1,
      stage: 0,
      stageName: "main",
      step: totalSteps,
      totalSteps,
      rows: 0,
      seed: 1,
      settingsHash: "",
      settings: {},
      dataKey: "",
      validationLoss,
      best: null,
      tokens: 0,
      seconds: 0,
      smoothedLoss: null,
    },
    parameters: [{ name: "w", shape: [300], values }],
    states: [{ name: "m", shape: [300], values }],
  };
}

/** Saves six checkpoints; after every operation the disk is cut off in several ways and must load what was acknowledged. */
function cutOff(files: CrashFiles, used: Files, statesEach: number): { states: number; lost: string[] } {
  const random = new RandomStream(keyOf(11, "crash"));
  const lost: string[] = [];
  let acknowledged = 0;
  let states = 0;
  files.watch = (now) => {
    for (let i = 0; i < statesEach; i++) {
      states++;
      const after = now.crash(random);
      let newest = 0;
      try {
        const loaded = loadNewest(after, folder);
        newest = loaded?.checkpoint.state.totalSteps ?? 0;
        const { values } = loaded?.checkpoint.parameters.read("w") ?? { values: Float32Array.of(0) };
        if (values[0] !== newest * 1000) lost.push(`operation ${now.operations}: wrong content`);
      } catch (error) {
        if (acknowledged > 0) lost.push(`operation ${now.operations}: ${String(error)}`);
        continue;
      }
      if (newest < acknowledged)
        lost.push(`operation ${now.operations}: ${newest} instead of ${acknowledged}`);
      // The next save works on whatever is there.
      saveCheckpoint(after, folder, content(50, null), 2);
      if (loadNewest(after, folder)?.checkpoint.state.totalSteps !== 50) lost.push("the next save was lost");
    }
  };
  for (const [step, loss] of [
    [1, 3],
    [2, 1],
    [3, 2],
    [4, null],
    [5, 1.5],
    [6, null],
  ] as const) {
    saveCheckpoint(used, folder, content(step, loss), 2);
    acknowledged = step;
  }
  return { states, lost };
}

describe("a power cut", () => {
  it("at any operation loses no acknowledged checkpoint", () => {
    const files = new CrashFiles();
    const { states, lost } = cutOff(files, files, 40);
    expect(states).toBeGreaterThan(2000);
    expect(lost).toEqual([]);
  });

  it("would lose some if files or folders were not synced: the disk of this test is harsh enough", () => {
    const without = (skip: "files" | "folders"): string[] => {
      const files = new CrashFiles();
      const folders = new Set<number>();
      const careless: Files = new Proxy(files, {
        get(target, name) {
          const value = Reflect.get(target, name, target) as unknown;
          if (name === "openForSync") {
            return (path: string): number => {
              const descriptor = target.openForSync(path);
              folders.add(descriptor);
              return descriptor;
            };
          }
          if (name === "sync") {
            return (descriptor: number): void => {
              if (folders.has(descriptor) !== (skip === "folders")) target.sync(descriptor);
            };
          }
          return typeof value === "function" ? (value.bind(target) as unknown) : value;
        },
      });
      return cutOff(files, careless, 4).lost;
    };
    expect(without("files").length).toBeGreaterThan(0);
    expect(without("folders").length).toBeGreaterThan(0);
  });

  it("is modelled: names last only when their folder was synced", () => {
    const files = new CrashFiles();
    files.makeFolder("/a");
    const random = (): RandomStream => new RandomStream(keyOf(1, "none"));
    let kept = 0;
    for (let i = 0; i < 50; i++) kept += files.crash(new RandomStream(keyOf(i, "some"))).exists("/a") ? 1 : 0;
    expect(kept).toBeGreaterThan(5);
    expect(kept).toBeLessThan(45);
    syncFolder(files, "/");
    expect(files.crash(random()).exists("/a")).toBe(true);
  });
});
