/** Verbs that only read specs: what they print, what they write, and their exit codes, bad input of every kind included. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ended, openPlace, root, tinySpec, tinyText, type Place } from "./support.ts";

let place: Place;
beforeAll(() => {
  place = openPlace();
  place.write("tiny.lctx", tinySpec);
  place.write("wrong.lctx", "mask near = q >= k\nmodel M = decoder { vocab 256 layer 2 }\n");
  place.write("near.lctx", "mask near = q >= k and q - k < 2\nmask recent(n: Count) = q - k < n\n");
});
afterAll(() => place.remove());

const verbs = "init examples check fmt build train eval generate explain viz bench doctor".split(" ");

describe("help", () => {
  it("lists every verb", async () => {
    const { code, out } = await place.lctx("--help");
    expect(code).toBe(0);
    for (const verb of verbs) expect(out).toMatch(new RegExp(`^  ${verb} `, "m"));
  });

  it("shows an example of every verb that the verb itself can read", async () => {
    const pages = await Promise.all(verbs.map((verb) => place.lctx(verb, "--help")));
    const examples = (await place.lctx("examples", "--format", "json")).out;
    const names = (JSON.parse(examples) as { name: string }[]).map(({ name }) => name);
    for (const [n, { code, out }] of pages.entries()) {
      expect(code).toBe(0);
      const example = /Example:\n {2}\$ (lctx .*)\n/.exec(out)?.[1];
      expect(example).toMatch(new RegExp(`^lctx ${verbs[n]}\\b`));
      const template = /--template (\S+)/.exec(example!)?.[1];
      if (template !== undefined) expect(names).toContain(template);
    }
  });
});

describe("init", () => {
  it("copies the spec that trains the weights which an example takes, and says how to use both", async () => {
    const { code, out } = await place.lctx("init", "study", "--template", "longheads");
    expect(code).toBe(0);
    expect(out).toMatch(/lctx train study\/base\.lctx\n {2}lctx eval <run> --spec study\/longheads\.lctx/);
    for (const name of ["base.lctx", "longheads.lctx"])
      expect(await place.lctx("check", `study/${name}`)).toMatchObject({ code: 0 });
    const again = await place.lctx("init", "study", "--template", "vertical-slash");
    expect(again.err).toMatch(/study\/base\.lctx is there already/);
    expect(again.code).toBe(2);
  });
});

describe("a spec that is right and that no kernel computes", () => {
  it("is told so by check and by explain graph, and is no mistake for check", async () => {
    const pairs = "score = s + 1 / (sum[k if causal] exp(s))";
    place.write("pairs.lctx", tinySpec.replace("mask causal and", `${pairs}\n  mask causal and`));
    const checked = await place.lctx("check", "pairs.lctx");
    expect(checked).toMatchObject({ code: 0 });
    expect(checked.out).toMatch(/✓ pairs\.lctx\n.*cannot be trained yet/);
    expect(checked.err).toMatch(/^error\[attention-not-run\]: training through a sum/);
    const explained = await place.lctx("explain", "graph", "pairs.lctx");
    expect(explained.code).toBe(1);
    expect(explained.err).toMatch(/^error\[attention-not-run\]: training through a sum/);
  });
});

describe("the bundle", () => {
  it("loads the compiler of WebAssembly, which stays outside of it", async () => {
    place.write("lines.txt", tinyText);
    const args = [
      "train",
      "tiny.lctx",
      "--data",
      "lines.txt",
      "--device",
      "cpu-wasm",
      "--steps",
      "1",
      "--run",
      "wasm",
    ];
    expect(await place.lctx(...args)).toMatchObject({ code: 0, err: "" });
  }, 300_000);
});

describe("compiled code kept beside the bundle", () => {
  it("is made again when it is damaged: V8 would run whatever it holds", async () => {
    expect((await place.lctx("check", "tiny.lctx")).code).toBe(0);
    const time = Math.round(statSync(join(root, "dist/cli.cjs")).mtimeMs);
    const path = join(root, "dist/code", `check-${time}`);
    const whole = readFileSync(path);
    for (const damaged of [
      Buffer.alloc(0),
      whole.subarray(0, 5000),
      Buffer.from(whole).fill(0, whole.length >> 1, (whole.length >> 1) + 4096),
    ]) {
      writeFileSync(path, damaged);
      expect(await place.lctx("check", "tiny.lctx")).toMatchObject({ code: 0, err: "" });
      expect(readFileSync(path).equals(damaged)).toBe(false);
    }
  });
});

describe.concurrent("a wrong command line", () => {
  it.each([
    [["trian"], /Did you mean train\?/],
    [["check"], /missing required argument/],
    [["check", "tiny.lctx", "--nope"], /unknown option '--nope'/],
    [["check", "tiny.lctx", "--format", "xml"], /choices are text, json, sarif, github/],
    [["check", "missing.lctx"], /cannot read missing\.lctx/],
    [["check", ""], /is empty/],
    [["train", "."], /is a folder/],
    [["explain", "mask-not-casual"], /did you mean mask-not-causal\?/],
    [["explain", "memory"], /needs a spec/],
    [["explain", "memory", "tiny.lctx", "--batch", "0"], /at least 1/],
    [["explain", "graph", "tiny.lctx", "--after", "nothing"], /passes: /],
    [["explain", "node", "tiny.lctx", "layers.0.atn"], /did you mean layers\.0\.attn\?/],
    [["viz", "mask", "tiny.lctx", "Far"], /there are: Near, /],
    [["viz", "mask", "near.lctx", "recent"], /"recent\(n: 8\)"/],
    [["viz", "mask", "tiny.lctx", "q + k < 3"], /there is no `\+` of two positions/],
    [["viz", "mask", "tiny.lctx", "--out", "x.jpg"], /neither a \.png nor a \.svg/],
    [["viz", "mask", "tiny.lctx", "--out", "none/x.png"], /none\/x\.png: there is no such file or folder/],
    [["viz", "loss", "."], /has no metrics/],
    [["init", "--template", "nope"], /there are: /],
    [["bench", "nope"], /there are: gemm/],
    [["train", "near.lctx"], /no `train` item/],
    [["generate", "none", "--prompt", ""], /prompt is empty/],
  ])("%j ends with 2", async (args, message) => {
    const { code, out, err } = await place.lctx(...args);
    expect(err).toMatch(message);
    expect(out).toBe("");
    expect(code).toBe(2);
  });
});

describe.concurrent("a bad spec", () => {
  it.each([
    ["binary.lctx", Uint8Array.from({ length: 999 }, (_, n) => (n * 37) % 256), "file-not-text", 1],
    ["latin.lctx", Buffer.from("mask near = q >= k // caf\xe9\n", "latin1"), "file-not-text", 1],
    ["nul.lctx", new Uint8Array(1000), "unknown-character", 1],
    ["deep.lctx", `mask a = ${"(".repeat(5000)}`, "nesting-too-deep", 4],
  ])("%s is told of once, and left as it was", async (name, content, message, exit) => {
    place.write(name, content);
    for (const verb of ["check", "fmt"]) {
      const { code, err } = await place.lctx(verb, name);
      expect(err.match(/^error\[/gm)!.length).toBeLessThanOrEqual(2);
      expect(err).toContain(`error[${message}]`);
      expect(code).toBe(exit);
    }
    expect(Buffer.compare(readFileSync(join(place.folder, name)), Buffer.from(content))).toBe(0);
  });

  it("that is too large is refused as a limit", async () => {
    place.write("large.lctx", new Uint8Array((1 << 20) + 1));
    for (const verb of ["check", "fmt", "train"]) {
      const { code, err } = await place.lctx(verb, "large.lctx");
      expect([code, err]).toEqual([4, expect.stringContaining("at most 1048576 bytes")]);
    }
  });

  it.skipIf(process.platform === "win32")("that is no plain file is not waited for", async () => {
    symlinkSync("/dev/zero", join(place.folder, "zero.lctx"));
    symlinkSync("loop.lctx", join(place.folder, "loop.lctx"));
    for (const verb of ["check", "fmt"])
      for (const name of ["zero.lctx", "loop.lctx"]) expect((await place.lctx(verb, name)).code).toBe(2);
  });

  it.skipIf(process.getuid?.() === 0)("that may not be read is told of", async () => {
    place.write("secret.lctx", tinySpec);
    chmodSync(join(place.folder, "secret.lctx"), 0);
    expect(await place.lctx("check", "secret.lctx")).toMatchObject({ code: 2, err: /cannot read/ });
  });
});

describe.concurrent("check", () => {
  it("says yes, and no with 1", async () => {
    expect(await place.lctx("check", "tiny.lctx")).toEqual({ code: 0, out: "✓ tiny.lctx\n", err: "" });
    const { code, out, err } = await place.lctx("check", "tiny.lctx", "wrong.lctx");
    expect([code, out]).toEqual([1, "✓ tiny.lctx\n✗ wrong.lctx: 1 error\n"]);
    expect(err).toContain("did you mean `layers`?");
  });

  it("refuses files without items, and says where a name comes from, in every format", async () => {
    place.write("empty.lctx", "");
    place.write("comments.lctx", "// to do\n");
    place.write("unimported.lctx", "mask near = causal and window(8)\n");
    const files = ["empty.lctx", "comments.lctx", "tiny.lctx", "unimported.lctx"];
    const text = await place.lctx("check", ...files);
    expect([text.code, text.out]).toEqual([
      1,
      "✗ empty.lctx: 1 error\n✗ comments.lctx: 1 error\n✓ tiny.lctx\n✗ unimported.lctx: 2 errors\n",
    ]);
    expect(text.err).toContain("error[spec-empty]: this file defines nothing");
    expect(text.err).toContain("help: `import std.masks { window }`");
    const json = await place.lctx("check", ...files, "--format", "json");
    const records = JSON.parse(json.out) as { code: string; file: string; line: number; help: string }[];
    expect(records.map(({ code, file, line }) => `${file}:${line} ${code}`)).toEqual([
      "empty.lctx:1 spec-empty",
      "comments.lctx:1 spec-empty",
      "unimported.lctx:1 name-unknown",
      "unimported.lctx:1 name-unknown",
    ]);
    expect(records[2]!.help).toBe("`import std.masks { causal }`");
    const sarif = await place.lctx("check", ...files, "--format", "sarif");
    const log = JSON.parse(sarif.out) as { runs: { results: { ruleId: string; ruleIndex: number }[] }[] };
    expect(log.runs[0]!.results.map(({ ruleId, ruleIndex }) => [ruleId, ruleIndex])).toEqual([
      ["spec-empty", 1],
      ["spec-empty", 1],
      ["name-unknown", 0],
      ["name-unknown", 0],
    ]);
    const github = await place.lctx("check", ...files, "--format", "github");
    expect(github.out.trim().split("\n")).toEqual([
      expect.stringMatching(/^::error file=empty\.lctx,line=1,.*title=spec-empty::this file defines nothing/),
      expect.stringMatching(/^::error file=comments\.lctx,line=1,.*title=spec-empty::/),
      expect.stringMatching(
        /^::error file=unimported\.lctx,line=1,.*%0Ahelp: `import std\.masks \{ causal \}`$/,
      ),
      expect.stringMatching(
        /^::error file=unimported\.lctx,line=1,.*%0Ahelp: `import std\.masks \{ window \}`$/,
      ),
    ]);
    for (const { code } of [json, sarif, github]) expect(code).toBe(1);
  });

  it("shows the code of library files, and their lines in every format", async () => {
    place.write(
      "shifted.lctx",
      "import std.attention { ShiftedSparse }\nmodel M = decoder { vocab 8 layers 1 heads 2 width 4 length 16 attention ShiftedSparse(groups: 3) }\n",
    );
    const { code, err } = await place.lctx("check", "shifted.lctx");
    expect(code).toBe(1);
    expect(err).toMatch(/┌─ std\/attention\.lctx:\d+:\d+\n +│\n *\d+ │ .*\S/);
    const json = await place.lctx("check", "shifted.lctx", "tiny.lctx", "--format", "json");
    const records = JSON.parse(json.out) as { file: string; line: number }[];
    expect(records.find(({ file }) => file === "std/attention.lctx")!.line).toBeGreaterThan(50);
  });

  it("prints JSON, SARIF and GitHub annotations", async () => {
    const json = await place.lctx("check", "wrong.lctx", "--format", "json");
    expect([json.code, JSON.parse(json.out)]).toMatchObject([
      1,
      [
        {
          code: "setting-unknown",
          severity: "error",
          file: "wrong.lctx",
          line: 2,
          column: 31,
          endColumn: 36,
        },
      ],
    ]);
    expect((await place.lctx("check", "tiny.lctx", "--format", "json")).out).toBe("[]\n");
    const sarif = await place.lctx("check", "wrong.lctx", "--format", "sarif");
    expect([sarif.code, JSON.parse(sarif.out)]).toMatchObject([
      1,
      {
        version: "2.1.0",
        runs: [
          {
            tool: { driver: { name: "lctx", rules: [{ id: "setting-unknown" }] } },
            results: [
              {
                ruleId: "setting-unknown",
                level: "error",
                locations: [
                  {
                    physicalLocation: {
                      artifactLocation: { uri: "wrong.lctx" },
                      region: { startLine: 2, startColumn: 31 },
                    },
                  },
                ],
              },
            ],
          },
        ],
      },
    ]);
    const github = await place.lctx("check", "wrong.lctx", "--format", "github");
    expect(github.out).toMatch(/^::error file=wrong\.lctx,line=2,.*title=setting-unknown::/);
    expect(github.code).toBe(1);
  });

  it.each([
    ["Tiny.layers=2", null],
    ["train.batch=4 sequences", null],
    ["Tiny.layer=2", "did you mean `layers`?"],
    ["Tiny.layers=2.5", "must be a whole number"],
    ["Tiny.layers", "not of the form path=value"],
    ["train.sed=2", "did you mean `seed`?"],
    ["__proto__.x=1", "nothing is called"],
  ])("--set %s", async (override, message) => {
    const { code, err } = await place.lctx("check", "tiny.lctx", "--set", override);
    expect(code).toBe(message === null ? 0 : 1);
    expect(err).toContain(message ?? "");
  });
});

describe("fmt", () => {
  it("formats in place and keeps permissions; --check only tells", async () => {
    const text = "mask   near=q>=k // kept\n";
    place.write("ugly.lctx", text);
    const path = join(place.folder, "ugly.lctx");
    chmodSync(path, 0o640);
    expect(await place.lctx("fmt", "--check", "ugly.lctx")).toMatchObject({
      code: 1,
      out: "ugly.lctx is not formatted\n",
    });
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(await place.lctx("fmt", "ugly.lctx")).toMatchObject({ code: 0, out: "formatted ugly.lctx\n" });
    expect(readFileSync(path, "utf8")).toBe("mask near = q >= k  // kept\n");
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(await place.lctx("fmt", "--check", "ugly.lctx")).toEqual({ code: 0, out: "", err: "" });
  });

  it("goes on after a file with mistakes", async () => {
    mkdirSync(join(place.folder, "some"));
    place.write("some/a.lctx", "mask a = (\n");
    place.write("some/b.lctx", "mask   b=q>=k\n");
    expect(await place.lctx("fmt", "some")).toMatchObject({ code: 1, out: "formatted some/b.lctx\n" });
  });
});

describe("starting points", () => {
  it("init writes a spec that checks, with its text, and never writes over one", async () => {
    const first = await place.lctx("init", "study");
    expect(first.code).toBe(0);
    expect(existsSync(join(place.folder, "study/moby-dick.txt"))).toBe(true);
    expect((await place.lctx("check", "study/moby-dick.lctx")).code).toBe(0);
    expect(await place.lctx("init", "study")).toMatchObject({ code: 2, out: "" });
  });

  it("doctor says what there is, for people and for programs", async () => {
    const { code, out } = await place.lctx("doctor", "--json");
    const report = JSON.parse(out) as { ok: boolean; findings: { name: string; state: string }[] };
    expect(code).toBe(report.ok ? 0 : 5);
    expect(report.findings.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["Node.js", "C compiler", "Device cpu-native", "Device cpu-wasm"]),
    );
  });
});

describe.concurrent("explain and viz", () => {
  it("explain messages, masks, graph, node and memory", async () => {
    const [message, masks, graph, node, memory] = await Promise.all([
      place.lctx("explain", "mask-not-causal"),
      place.lctx("explain", "masks", "tiny.lctx", "--length", "4"),
      place.lctx("explain", "graph", "tiny.lctx"),
      place.lctx("explain", "node", "tiny.lctx", "layers.0.attn.q"),
      place.lctx("explain", "memory", "tiny.lctx", "--threads", "1"),
    ]);
    for (const { code } of [message, masks, graph, node, memory]) expect(code).toBe(0);
    expect(message.out).toMatch(/^error\[mask-not-causal\]/);
    expect(masks.out).toContain("    k→ 0 1 2 3\nq=0    ■ · · ·\n");
    expect(masks.out).toContain("density   62.5 % of pairs");
    expect(graph.out).toMatch(/^n0 = parameter embed\.weight/);
    expect(node.out).toMatch(/contract.*# layers\.0\.attn\.q\n[\s\S]*In phase train[\s\S]*kernel matmul/);
    expect(memory.out).toMatch(/2 rows of 16 tokens, 1 thread\n {2}parameter .* (\d+) bytes/);
  });

  it("draw a mask by name or expression in the terminal", async () => {
    const drawn = "    k→ 0 1 2\nq=0    ■ · ·\nq=1    ■ ■ ·\nq=2    · ■ ■\n";
    for (const mask of ["near", "near and recent(2)"])
      expect((await place.lctx("viz", "mask", "near.lctx", mask, "--length", "3")).out).toBe(
        `${mask}\n${drawn}\n`,
      );
  });

  it("write pictures", async () => {
    for (const what of ["mask", "graph"]) {
      expect((await place.lctx("viz", what, "tiny.lctx", "--out", `${what}.png`)).code).toBe(0);
      expect((await place.lctx("viz", what, "tiny.lctx", "--out", `${what}.svg`)).code).toBe(0);
      const png = readFileSync(join(place.folder, `${what}.png`));
      expect(png.subarray(1, 4).toString()).toBe("PNG");
      expect(Math.min(png.readUInt32BE(16), png.readUInt32BE(20))).toBeGreaterThan(500);
      expect(readFileSync(join(place.folder, `${what}.svg`), "utf8")).toMatch(/<svg[\s\S]*<\/svg>/);
    }
    expect(readFileSync(join(place.folder, "graph.svg"), "utf8")).toContain("layers.0.attn.q");
  });
});

describe("a reader that goes away", () => {
  it("is no crash, and the exit code stays that of the verb", async () => {
    for (const [args, code] of [
      [["examples"], 0],
      [["explain", "graph", "tiny.lctx"], 0],
      [["check", "wrong.lctx", "--format", "json"], 1],
    ] as const) {
      const child = place.start(args);
      child.stdout!.destroy();
      expect(await ended(child)).toMatchObject({ code, err: "" });
    }
  });
});
