/** Verbs with `--target cuda` where no GPU is: what is written, and what is said instead of running. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { openPlace, tinySpec, tinyText } from "./support.ts";

// Where there is a GPU, the driver shows none.
vi.stubEnv("CUDA_VISIBLE_DEVICES", "");
const place = openPlace();
place.write("tiny.lctx", tinySpec);
place.write("text.txt", tinyText);
afterAll(() => {
  vi.unstubAllEnvs();
  place.remove();
});

it("writes a project with kernels as .cu files", { timeout: 60_000 }, async () => {
  const { code, out } = await place.lctx("build", "tiny.lctx", "--target", "cuda", "--out", "tiny");
  expect(code).toBe(0);
  expect(out).toMatch(/\d+ kernels, \d+ launches a training pass/);
  const files = readdirSync(join(place.folder, "tiny/kernels"));
  expect(files).toContain("calls.json");
  expect(files.filter((name) => name.endsWith(".cu")).length).toBeGreaterThan(20);
  const model = readFileSync(join(place.folder, "tiny/model.ts"), "utf8");
  for (const name of Object.keys(
    JSON.parse(readFileSync(join(place.folder, "tiny/kernels/calls.json"), "utf8")) as object,
  ))
    expect(model).toContain(`"${name}"`);
});

it("says that there is no GPU, or no program for one", { timeout: 120_000 }, async () => {
  const train = await place.lctx("train", "tiny.lctx", "--target", "cuda", "--steps", "1", "--run", "run");
  expect(train).toMatchObject({ code: 5, err: expect.stringContaining("error[no-device]") });
  expect(existsSync(join(place.folder, "run"))).toBe(false);
  const both = await place.lctx("train", "tiny.lctx", "--target", "cuda", "--device", "cpu-native");
  expect(both).toMatchObject({
    code: 2,
    err: expect.stringContaining("--device cpu-native is about the target cpu"),
  });
  expect((await place.lctx("train", "tiny.lctx", "--steps", "1", "--run", "run")).code).toBe(0);
  const without = await place.lctx("eval", "run", "--target", "cuda");
  expect(without).toMatchObject({
    code: 2,
    err: expect.stringContaining("programs for cpu and none for cuda"),
  });
  const memory = await place.lctx("explain", "memory", "tiny.lctx", "--target", "cuda");
  expect(memory.out).toMatch(/on a GPU[\s\S]*kernels .* while they run/);
  const other = await place.lctx("eval", "run", "--spec", "tiny.lctx", "--target", "cuda");
  expect(other).toMatchObject({ code: 5, err: expect.stringContaining("error[no-device]") });
});
