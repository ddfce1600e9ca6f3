/** Checkpoints: what is saved comes back; every failure of the disk leaves the last good one. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import {
  checksum,
  listCheckpoints,
  loadNewest,
  readCheckpoint,
  saveCheckpoint,
} from "../../runtime/checkpoint/checkpoint.ts";
import type { CheckpointContent } from "../../runtime/checkpoint/checkpoint.ts";
import { diskFiles, replaceFile } from "../../runtime/checkpoint/files.ts";
import { lockRun } from "../../runtime/checkpoint/run-lock.ts";
import { LctxError } from "../../runtime/errors.ts";
import { faultyFiles, slowFiles } from "./faulty-files.ts";

const root = mkdtempSync(join(tmpdir(), "lctx-checkpoint-"));
afterAll(() => rmSync(root, { recursive: true }));
let folder = "";
let number = 0;
beforeEach(() => {
  folder = join(root, `run-${number++}`);
});

function content(totalSteps: number, validationLoss: number | null = null): CheckpointContent {
  const values = Float32Array.from({ length: 100 }, (_, i) => totalSteps + i / 7);
  return {
    state: {
      format: 1,
      stage: 0,
      stageName: "main",
      step: totalSteps,
      totalSteps,
      rows: totalSteps * 4,
      seed: 1,
      settingsHash: "h",
      settings: {},
      dataKey: "d",
      validationLoss,
      best: null,
      tokens: 0,
      seconds: 0,
      smoothedLoss: null,
    },
    parameters: [{ name: "w", shape: [10, 10], values }],
    states: [{ name: "state:m:w", shape: [10, 10], values: values.map((v) => -v) }],
  };
}

const steps = (): number[] => listCheckpoints(diskFiles, folder).map((checkpoint) => checkpoint.steps);
const save = (totalSteps: number, keep = 3, loss: number | null = null): string =>
  saveCheckpoint(diskFiles, folder, content(totalSteps, loss), keep);

function expectNewest(totalSteps: number): readonly string[] {
  const loaded = loadNewest(diskFiles, folder)!;
  const wanted = content(totalSteps);
  expect(loaded.checkpoint.state.totalSteps).toBe(totalSteps);
  expect(loaded.checkpoint.parameters.read("w")).toEqual(wanted.parameters[0]);
  expect(loaded.checkpoint.states.read("state:m:w")).toEqual(wanted.states[0]);
  return loaded.remarks;
}

describe("a checkpoint", () => {
  it("comes back bit for bit, also from a disk that takes little at a time", () => {
    save(1);
    saveCheckpoint(slowFiles(), folder, content(2), 3);
    expect(expectNewest(2)).toEqual([]);
  });

  it("has checksums of the standard polynomial", () => {
    expect(checksum([Buffer.from("123456789")])).toBe(0xcbf43926);
    expect(checksum([Buffer.from("1234"), Buffer.from("56789")])).toBe(0xcbf43926);
  });

  it("is kept while it is among the newest or the best", () => {
    save(1, 2, 3);
    save(2, 2, 1.5);
    save(3, 2, 1.6);
    save(4, 2, 1.7);
    save(5, 2, null);
    expect(steps()).toEqual([5, 4, 2]);
  });

  it("is the best of its own stage: losses of other rows and objectives do not count", () => {
    const saveIn = (stage: number, totalSteps: number, loss: number): void => {
      const { state, ...rest } = content(totalSteps, loss);
      saveCheckpoint(diskFiles, folder, { ...rest, state: { ...state, stage, stageName: `${stage}` } }, 1);
    };
    saveIn(0, 1, 0.1);
    saveIn(0, 2, 0.2);
    expect(steps()).toEqual([2, 1]);
    saveIn(1, 3, 5);
    saveIn(1, 4, 7);
    saveIn(1, 5, 6);
    expect(steps()).toEqual([5, 3]);
  });

  it("is ordered by steps, not by names or times", () => {
    save(999_999_999, 5);
    save(1_000_000_000, 5);
    save(20, 5);
    expect(steps()).toEqual([1_000_000_000, 999_999_999, 20]);
  });

  it("never touches what it did not make", () => {
    mkdirSync(join(folder, "step-000000001"), { recursive: true });
    mkdirSync(join(folder, ".tmp-1-theirs"));
    writeFileSync(join(folder, "step-000000001", "mine.txt"), "keep");
    writeFileSync(join(folder, "notes.txt"), "keep");
    mkdirSync(join(folder, ".tmp-999999999-dead"));
    for (let step = 2; step < 8; step++) save(step, 1);
    expect(readdirSync(folder).sort()).toEqual([
      ".tmp-1-theirs",
      "notes.txt",
      "step-000000001",
      "step-000000007",
    ]);
    expect(readFileSync(join(folder, "step-000000001", "mine.txt"), "utf8")).toBe("keep");
  });

  it("saved twice at one step stays whole; a damaged one is replaced", () => {
    const path = save(3);
    save(3);
    expectNewest(3);
    truncateSync(join(path, "model.safetensors"), 50);
    save(3);
    expect(expectNewest(3)).toEqual([]);
    expect(readdirSync(folder)).toEqual(["step-000000003"]);
  });

  it("refuses numbers that are not finite, naming the tensor, and writes nothing", () => {
    save(1);
    const bad = content(2);
    bad.states[0]!.values[42] = NaN;
    expect(() => saveCheckpoint(diskFiles, folder, bad, 3)).toThrow(
      expect.objectContaining({
        code: "not-finite",
        exitCode: 6,
        message: expect.stringMatching(/step 2 .*42.*state:m:w/),
      }),
    );
    expect(readdirSync(folder)).toEqual(["step-000000001"]);
  });
});

describe("damage", () => {
  const files = ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"] as const;

  it.each(files)(
    "in %s is found wherever a bit flips or the file ends, and the older one is used",
    (name) => {
      save(1);
      const file = join(save(2), name);
      const good = readFileSync(file);
      for (let i = 0; i < good.length; i += Math.max(1, Math.floor(good.length / 60))) {
        const flipped = Buffer.from(good);
        flipped[i]! ^= 1 << (i % 8);
        writeFileSync(file, flipped);
        const loaded = loadNewest(diskFiles, folder)!;
        // A flipped bit in the manifest may fall on a place without meaning; then all content was checked.
        if (loaded.checkpoint.state.totalSteps === 2) expect(name).toBe("manifest.json");
        else
          expect(loaded.remarks).toEqual([
            expect.stringMatching(/skipped a damaged checkpoint: .*step-000000002/),
          ]);
        expectNewest(loaded.checkpoint.state.totalSteps);

        writeFileSync(file, good.subarray(0, i));
        expect(expectNewest(1)).toHaveLength(1);
      }
      rmSync(file);
      expect(expectNewest(1)).toHaveLength(1);
    },
  );

  it("of all checkpoints is an error, not a new start", () => {
    for (const step of [1, 2]) truncateSync(join(save(step), "state.json"), 3);
    expect(() => loadNewest(diskFiles, folder)).toThrow(
      expect.objectContaining({
        code: "checkpoint-damaged",
        exitCode: 3,
        message: expect.stringContaining("none of the 2"),
      }),
    );
  });

  it("is not what a newer format is", () => {
    save(1);
    const path = save(2);
    writeFileSync(join(path, "manifest.json"), '{"format":2}');
    expect(() => loadNewest(diskFiles, folder)).toThrow(
      expect.objectContaining({ code: "checkpoint-too-new" }),
    );
  });

  it("is absent where nothing was saved", () => {
    expect(loadNewest(diskFiles, folder)).toBe(null);
  });
});

describe("a failing disk", () => {
  it.each(["ENOSPC", "EIO", "EDQUOT", "EACCES", "EMFILE"])(
    "(%s at any operation) is reported, and the last acknowledged checkpoint stays",
    (code) => {
      const counting = faultyFiles(-1, code);
      for (const step of [1, 2, 3]) save(step, 2, step === 1 ? 0.5 : null);
      saveCheckpoint(counting, folder, content(4), 2);
      const operations = counting.count();
      expect(operations).toBeGreaterThan(30);
      for (let n = 0; n < operations; n++) {
        rmSync(folder, { recursive: true });
        for (const step of [1, 2, 3]) save(step, 2, step === 1 ? 0.5 : null);
        let failure: unknown = null;
        try {
          saveCheckpoint(faultyFiles(n, code), folder, content(4), 2);
        } catch (error) {
          failure = error;
        }
        // One operation may be among those whose failure loses nothing (looking for the best).
        if (failure !== null) {
          expect(failure).toBeInstanceOf(LctxError);
          expect(failure).toMatchObject({ exitCode: expect.toSatisfy((exit) => exit === 7 || exit === 3) });
        }
        const newest = loadNewest(diskFiles, folder)!.checkpoint.state.totalSteps;
        expect(newest).toBeGreaterThanOrEqual(failure === null ? 4 : 3);
        expectNewest(newest);
        // And the next save works and leaves nothing behind.
        save(5, 2);
        expect(expectNewest(5)).toEqual([]);
        expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
      }
    },
  );

  it("that stays full keeps failing without harm", () => {
    save(1);
    for (let n = 0; n < 20; n++) {
      expect(() => saveCheckpoint(faultyFiles(n, "ENOSPC", true), folder, content(2), 3)).toThrow(
        expect.objectContaining({
          code: "write-failed",
          exitCode: 7,
          help: expect.stringContaining("free some space"),
        }),
      );
      expectNewest(1);
      expect(readdirSync(folder)).toEqual(["step-000000001"]);
      if (n > 2) break;
    }
  });

  it("leaves a replaced file old or new", () => {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, "settings.json");
    replaceFile(diskFiles, path, "old");
    const counting = faultyFiles(-1, "EIO");
    replaceFile(counting, path, "old");
    for (let n = 0; n < counting.count(); n++) {
      expect(() => replaceFile(faultyFiles(n, "EIO"), path, "new")).toThrow(LctxError);
      expect(["old", "new"]).toContain(readFileSync(path, "utf8"));
      replaceFile(diskFiles, path, "old");
      expect(readdirSync(folder)).toEqual(["settings.json"]);
    }
  });
});

describe("the lock of a run", () => {
  it("keeps a second trainer out until it is given back", () => {
    const release = lockRun(folder);
    expect(() => lockRun(folder)).toThrow(
      expect.objectContaining({ code: "run-folder-in-use", exitCode: 2 }),
    );
    release();
    lockRun(folder)();
  });

  it("of a dead process is taken over", () => {
    mkdirSync(folder, { recursive: true });
    for (const stale of ["999999999 1\n", `${process.pid} 12345\n`, "", "nonsense"]) {
      writeFileSync(join(folder, "run.lock"), stale);
      lockRun(folder)();
    }
  });
});

describe("reading one checkpoint", () => {
  it("checks it", () => {
    const path = save(1);
    expect(readCheckpoint(diskFiles, path).state.rows).toBe(4);
    rmSync(join(path, "manifest.json"));
    expect(() => readCheckpoint(diskFiles, path)).toThrow(
      expect.objectContaining({ code: "checkpoint-damaged" }),
    );
  });
});
