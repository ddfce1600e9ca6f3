/** Examples that choose their keys, small, through the command line: check, train, resume, eval, generate, explain and viz. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPlace, root, tinyText, type Ended, type Place } from "./support.ts";

/** A file of an example as a model of one layer and width 16 that trains six steps in all. */
function small(example: string, file: string): string | null {
  const path = join(root, "examples", example, file);
  if (!existsSync(path)) return null;
  return readFileSync(path, "utf8")
    .replaceAll("../data/moby-dick.txt", "../text.txt")
    .replaceAll("layers 2   heads 4   width 128", "layers 1   heads 2   width 16")
    .replaceAll(/warmup 10 then (.*) over 100/g, `warmup 1 then $1 over ${example === "seer-gate" ? 3 : 6}`);
}

const examples = ["landmark", "longheads", "seer-gate", "vertical-slash"];
/** Compiling to WebAssembly takes half a minute: one example that selects and turns stands for all. */
const devicesOf = (example: string) =>
  example === "longheads" ? (["cpu-native", "cpu-wasm"] as const) : (["cpu-native"] as const);

let place: Place;
beforeAll(() => {
  place = openPlace();
  place.write("text.txt", tinyText);
  for (const example of examples) {
    mkdirSync(join(place.folder, example));
    for (const file of ["spec.lctx", "base.lctx"]) {
      const text = small(example, file);
      if (text !== null) place.write(join(example, file), text);
    }
  }
});
afterAll(() => place.remove());

async function fine(...args: readonly string[]): Promise<Ended> {
  const ended = await place.lctx(...args);
  expect([ended.code, ended.err.replaceAll(/^(note|remark)[^]*/gm, "")], args.join(" ")).toEqual([0, ""]);
  return ended;
}

describe.each(examples)("%s", (example) => {
  const spec = `${example}/spec.lctx`;
  const trained = existsSync(join(root, "examples", example, "base.lctx")) ? `${example}/base.lctx` : spec;

  it("is checked, explained and drawn", async () => {
    await fine("check", spec);
    expect((await fine("explain", "clauses", spec)).out).toMatch(/select .*learned +a set/);
    expect((await fine("explain", "masks", spec)).out).toContain("as a selection decides");
    expect((await fine("explain", "graph", spec)).out).toMatch(/ attention\(/);
    // Without a recipe: what evaluating runs.
    const phases = trained === spec ? ["train", "update"] : ["loss", "logits"];
    const memory = (await fine("explain", "memory", spec)).out;
    expect(memory).toMatch(/in all +\d/);
    const kernels = (await fine("explain", "kernels", spec)).out;
    expect(kernels).toMatch(/layers\.0\.attn: attention/);
    for (const phase of phases) {
      expect(memory).toMatch(new RegExp(`in ${phase} `));
      expect(kernels).toContain(`\n${phase}: `);
    }
    const drawn = await fine("viz", "choice", spec, "--length", "40", "--head", "1");
    expect(drawn.out).toMatch(/^layers\.0\.attn head 1, \d+\.\d % of pairs, random weights\n/);
  });

  it.each(devicesOf(example))("trains, goes on, is evaluated and writes on %s", async (device) => {
    const run = `${example}-${device}`;
    const on = ["--device", device, "--threads", "1"];
    expect((await fine("train", trained, "--run", run, "--steps", "4", ...on)).out).toContain(
      "after 4 of 6 steps",
    );
    expect((await fine("train", trained, "--run", run, "--resume", ...on)).out).toContain(
      "after 6 of 6 steps",
    );
    const other = await fine("eval", run, "--spec", spec, ...on);
    expect(other.out).toMatch(/^loss {11}\d\.\d{4} nats a token\nperplexity/);
    const own = await fine("eval", run, ...on);
    expect(own.out).toMatch(
      example === "seer-gate" ? /^loss .*what the teachers ask\ntargets/ : /^loss .*\nperplexity/,
    );
    expect((await fine("generate", run, "--prompt", "Line 7", "--tokens", "5", ...on)).out).toMatch(
      /^Line 7/,
    );
    const drawn = await fine("viz", "choice", spec, "--run", run, "--length", "40");
    expect(drawn.out).toMatch(/^layers\.0\.attn, \d+\.\d % of pairs, after 6 steps\n/);
  });
});

describe("viz choice", () => {
  it.each([
    [["longheads/base.lctx"], /no attention of Small chooses/],
    [["longheads/spec.lctx", "--site", "layers.7.attn"], /there are: layers\.0\.attn/],
    [["longheads/spec.lctx", "--head", "2"], /has 2 heads/],
    [["longheads/spec.lctx", "--length", "4096"], /--length takes 1 to 512/],
    [["longheads/spec.lctx", "Tiny"], /no model called "Tiny"/],
  ])("refuses %j", async (args, message) => {
    const { code, err } = await place.lctx("viz", "choice", ...args);
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });

  it("keeps its options to itself", async () => {
    const { code, err } = await place.lctx("viz", "mask", "longheads/spec.lctx", "--head", "1");
    expect(err).toMatch(/are about choices/);
    expect(code).toBe(2);
  });
});
