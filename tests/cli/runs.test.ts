/** Runs from beginning to end through the command line: train, resume, signals, eval, generate, damage, and a project of one's own. */
import { execFile, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ended, openPlace, root, tinySpec, tinyText, type Place } from "./support.ts";

let place: Place;
const at = (...parts: string[]): string => join(place.folder, ...parts);
const checkpoints = (run: string): string[] => readdirSync(at(run, "checkpoints")).sort();

beforeAll(async () => {
  place = openPlace();
  place.write("tiny.lctx", tinySpec);
  place.write("text.txt", tinyText);
  const { code, out } = await place.lctx(
    "train",
    "tiny.lctx",
    "--run",
    "run",
    "--steps",
    "3",
    "--tensorboard",
  );
  expect(code).toBe(0);
  expect(out).toMatch(
    /step 1\/1000000 {2}loss \d\.\d+ {2}lr 1\.00e-3 {2}grad \S+ {2}\S+ tok\/s {2}\d+ MiB {2}\S+ left/,
  );
  expect(out).toMatch(/Tiny: stopped after 3 of 1000000 steps\n {2}time .*\n {2}tokens .*\n {2}peak memory/);
  expect(out).toContain("lctx train tiny.lctx --run run --resume");
  expect(out).not.toContain("\u001b");
});
afterAll(() => place.remove());

describe("a run's folder", () => {
  it("has metrics, the spec, settings, and hashes of what went in", () => {
    expect(readdirSync(at("run"))).toEqual(
      expect.arrayContaining([
        "checkpoints",
        "lctx.lock",
        "metrics.csv",
        "metrics.jsonl",
        "settings.json",
        "spec.lctx",
      ]),
    );
    expect(readdirSync(at("run")).some((name) => name.startsWith("events.out.tfevents."))).toBe(true);
    expect(readFileSync(at("run/spec.lctx"), "utf8")).toBe(tinySpec);
    expect(JSON.parse(readFileSync(at("run/lctx.lock"), "utf8"))).toEqual({
      build: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      "data.0": expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      lctx: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      settings: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      "spec.tiny.lctx": expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      "tokenizer.0": "bytes-1",
    });
    expect(readFileSync(at("run/metrics.csv"), "utf8").trim().split("\n")).toHaveLength(4);
  });

  it("has the files that the spec imports, and can be trained from them", async () => {
    mkdirSync(at("study/own"), { recursive: true });
    place.write(
      "shared.lctx",
      "import std.masks { causal, window }\nmask near(n: Count) = causal and window(n)\n",
    );
    place.write(
      "study/own/imports.lctx",
      tinySpec
        .replace("import std.masks { causal, window }", 'import "../../shared.lctx" { near }')
        .replace("causal and window(span)", "near(span)")
        .replace('"text.txt"', '"../../text.txt"'),
    );
    const train = ["train", "study/own/imports.lctx", "--steps", "1", "--set", "train.seed=7"];
    for (const run of ["import-run", "import-again"]) {
      expect(await place.lctx(...train, "--run", run)).toMatchObject({ code: 0 });
      expect(readFileSync(at(run, "specs/shared.lctx"), "utf8")).toBe(
        readFileSync(at("shared.lctx"), "utf8"),
      );
      expect(readFileSync(at(run, "specs/study/own/imports.lctx"), "utf8")).toBe(
        readFileSync(at(run, "spec.lctx"), "utf8"),
      );
    }
    expect(readFileSync(at("import-run/spec.lctx"), "utf8")).toMatch(/^\/\/ run with --set "train.seed=7"\n/);
    // The folder is enough: elsewhere, without the project.
    cpSync(at("import-run/specs"), at("moved"), { recursive: true });
    rmSync(at("shared.lctx"));
    place.write("moved/text.txt", tinyText);
    expect(await place.lctx("check", "study/own/imports.lctx")).toMatchObject({ code: 1 });
    expect(await place.lctx("check", "moved/study/own/imports.lctx")).toMatchObject({ code: 0 });
    const again = ["train", "moved/study/own/imports.lctx", "--steps", "1", "--set", "train.seed=7"];
    expect(await place.lctx(...again, "--run", "moved-run")).toMatchObject({ code: 0 });
    const losses = ["import-run", "moved-run"].map((run) =>
      readFileSync(at(run, "metrics.csv"), "utf8").split("\n")[1]!.split(",").slice(0, 4),
    );
    expect(losses[1]).toEqual(losses[0]);
    // A spec alone needs no copies.
    expect(existsSync(at("run/specs"))).toBe(false);
  });

  it("is not trained into again unless asked", async () => {
    const { code, err } = await place.lctx("train", "tiny.lctx", "--run", "run", "--steps", "4");
    expect(code).toBe(2);
    expect(err).toMatch(/error\[run-folder-not-empty\][\s\S]*--resume/);
  });

  it("is resumed to the same weights as a run that was never stopped, and falls back to an older checkpoint", async () => {
    cpSync(at("run"), at("resumed"), { recursive: true });
    const [resumed, whole] = await Promise.all([
      place.lctx("train", "tiny.lctx", "--run", "resumed", "--steps", "6", "--resume"),
      place.lctx("train", "tiny.lctx", "--run", "whole", "--steps", "6"),
    ]);
    expect([resumed.code, whole.code]).toEqual([0, 0]);
    for (const name of ["model.safetensors", "optimizer.safetensors"])
      expect(
        Buffer.compare(
          readFileSync(at("resumed/checkpoints/step-000000006", name)),
          readFileSync(at("whole/checkpoints/step-000000006", name)),
        ),
      ).toBe(0);
    // A newest checkpoint that is damaged is passed over.
    truncateSync(at("resumed/checkpoints/step-000000006/model.safetensors"), 100);
    const { code, out, err } = await place.lctx("eval", "resumed");
    expect([code, out]).toEqual([0, expect.stringMatching(/after 3 steps/)]);
    expect(err).toContain("step-000000006");
  });

  it("without a whole checkpoint ends with 3", async () => {
    cpSync(at("run"), at("damaged"), { recursive: true });
    truncateSync(at("damaged/checkpoints/step-000000003/model.safetensors"), 100);
    const train = ["train", "tiny.lctx", "--run", "damaged", "--steps", "4", "--resume"];
    const commands = [["eval", "damaged"], ["generate", "damaged", "--prompt", "a"], train];
    for (const args of commands) {
      const { code, out, err } = await place.lctx(...args);
      expect([code, err]).toEqual([3, expect.stringMatching(/^error\[checkpoint-damaged\]/)]);
      if (args !== train) expect(out).toBe("");
    }
  });

  it("that is none ends with 3", async () => {
    for (const verb of ["eval", "generate"]) {
      const { code, out, err } = await place.lctx(verb, "cache");
      expect([code, out]).toEqual([3, ""]);
      expect(err).toContain("is not a run's folder");
    }
  });
});

describe("a run", () => {
  it.each([
    ["SIGINT", 130, "interrupted"],
    ["SIGTERM", 75, "preempted"],
  ] as const)("saves at %s and ends with %i", async (signal, exit, word) => {
    const child = place.start(["train", "tiny.lctx", "--run", signal, "--log-format", "json"]);
    let asked = false;
    const { code, out } = await ended(child, (text) => {
      if (asked || !text.includes('"totalSteps":5,')) return;
      asked = true;
      child.kill(signal);
    });
    expect(code).toBe(exit);
    const last = JSON.parse(out.trim().split("\n").at(-1)!) as { title: string };
    const steps = new RegExp(`^Tiny: ${word} after (\\d+) of`).exec(last.title)![1]!;
    expect(checkpoints(signal).at(-1)).toBe(`step-${steps.padStart(9, "0")}`);
    expect((await place.lctx("eval", signal)).out).toContain(`after ${steps} steps`);
  });

  it("whose numbers stop being finite ends with 6 and saves nothing", async () => {
    const { code, err } = await place.lctx(
      ...["train", "tiny.lctx", "--run", "infinite", "--set", "train.optimizer.lr=1e30"],
    );
    expect(code).toBe(6);
    expect(err).toMatch(/^error\[not-finite\]: at step \d+/);
    expect(existsSync(at("infinite/checkpoints")) ? checkpoints("infinite") : []).toEqual([]);
    // What the text alone would not give is written above it.
    expect(readFileSync(at("infinite/spec.lctx"), "utf8")).toMatch(
      /^\/\/ run with --set "train.optimizer.lr=1e30"\n/,
    );
  });

  it("without its text ends with 3", async () => {
    const { code, err } = await place.lctx(
      "train",
      "tiny.lctx",
      "--run",
      "textless",
      "--data",
      "missing.txt",
    );
    expect([code, err]).toEqual([3, expect.stringMatching(/^error\[data-not-found\]/)]);
  });

  it("is evaluated and generated from", async () => {
    const evaluation = await place.lctx("eval", "run", "--format", "json");
    expect(JSON.parse(evaluation.out)).toMatchObject({
      totalSteps: 3,
      length: 16,
      rows: expect.any(Number) as number,
    });
    const { out } = await place.lctx("eval", "run");
    expect(out).toMatch(
      /^loss {11}\d\.\d{4} nats a token\nperplexity .*\nbits per byte .*\ntargets .*\nweights/,
    );
    const write = ["generate", "run", "--prompt", "Line", "--tokens", "5"];
    const [one, same, other] = await Promise.all([
      place.lctx(...write),
      place.lctx(...write),
      place.lctx(...write, "--seed", "2"),
    ]);
    expect(one.out.startsWith("Line")).toBe(true);
    expect(same.out).toBe(one.out);
    expect(other.out).not.toBe(one.out);
    const picture = await place.lctx("viz", "loss", "run", "--out", "loss.png");
    expect(picture.code).toBe(0);
  });
});

/** node_modules with the packages that a project names and what those need, and nothing of the compiler's. */
function linkPackages(folder: string): void {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as Record<"dependencies" | "devDependencies", Record<string, string>>;
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    const link = join(folder, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", name), link);
  }
  mkdirSync(join(folder, "node_modules/.bin"));
  symlinkSync("../tsx/dist/cli.mjs", join(folder, "node_modules/.bin/tsx"));
}

describe("a built project", () => {
  it("is strict TypeScript, and trains, evaluates and generates where there is no compiler", async () => {
    const { code, out } = await place.lctx("build", "tiny.lctx", "--out", "mine");
    expect([code, out]).toEqual([0, expect.stringMatching(/^wrote mine\n[\s\S]*npx tsx trainer\.ts/)]);
    expect((await place.lctx("build", "tiny.lctx", "--out", "mine")).code).toBe(2);
    const away = mkdtempSync(join(tmpdir(), "lctx-project-"));
    try {
      const project = join(away, "mine");
      cpSync(at("mine"), project, { recursive: true });
      cpSync(at("text.txt"), join(project, "text.txt"));
      linkPackages(project);
      expect(JSON.parse(readFileSync(join(project, "tsconfig.json"), "utf8"))).toMatchObject({
        compilerOptions: { strict: true },
      });
      const run = promisify(execFile);
      const missing = run(
        process.execPath,
        ["-e", 'import.meta.resolve("lctx"); import.meta.resolve("chevrotain")', "--input-type=module"],
        { cwd: project },
      );
      await expect(missing).rejects.toThrow(/Cannot find package/);
      await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "."], {
        cwd: project,
      });

      const npx = (...args: string[]) =>
        ended(
          spawn("npx", ["--no-install", "tsx", ...args], {
            cwd: project,
            env: { ...process.env, LCTX_CACHE: at("cache") },
          }),
        );
      const trained = await npx("trainer.ts", "--steps", "2");
      expect([trained.code, trained.err]).toEqual([0, ""]);
      expect(trained.out).toContain("Tiny: stopped after 2 of 1000000 steps");
      // The same recipe gives the same weights, whoever starts it.
      const losses = (path: string): string[] =>
        readFileSync(path, "utf8")
          .split("\n")
          .slice(0, 2)
          .map((line) => /"loss":[^,]*/.exec(line)![0]);
      expect(losses(join(project, "runs/tiny/metrics.jsonl"))).toEqual(losses(at("run/metrics.jsonl")));
      const evaluated = await npx("evaluate.ts");
      expect(JSON.parse(evaluated.out)).toMatchObject({ totalSteps: 2, length: 16 });
      const generated = await npx("generate.ts", "--prompt", "Line", "--tokens", "4");
      expect([generated.code, generated.out.slice(0, 4)]).toEqual([0, "Line"]);
      expect(await npx("trainer.ts", "--nope")).toMatchObject({ code: 2, out: "" });
      expect(await npx("generate.ts", "--run", "none")).toMatchObject({ code: 3, out: "" });
    } finally {
      rmSync(away, { recursive: true });
    }
  }, 400_000);
});
