/** Names: where an unknown one can be imported from, kinds that do not hide each other, and files without items. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SourceHost } from "../../compiler/check/environment.ts";
import { checkSpec } from "../../compiler/compile.ts";
import type { Diagnostic } from "../../compiler/diagnostics/diagnostic.ts";
import { checkText, diskHost, root } from "../support/check-text.ts";

const path = join(root, "tests/check/names.lctx");
const errors = (found: readonly Diagnostic[]): Diagnostic[] =>
  found.filter(({ severity }) => severity === "error");
const summary = (found: readonly Diagnostic[]): string[] =>
  errors(found).map(({ code, help }) => `${code}: ${help}`);

/** A library whose prelude has models only, so that every other kind has to be imported. */
const bare: SourceHost = {
  ...diskHost,
  library: (parts) =>
    parts.join(".") === "std.prelude"
      ? "import std.models.decoder { decoder }\nimport std.optimizers { adamw }"
      : diskHost.library(parts),
};

const model = (lines: string): string =>
  `model Small = decoder { vocab 64   layers 1   heads 2   width 8   length 16   ${lines} }\n`;
const recipe = (optimizer: string): string =>
  `train Small { data tokens "text.txt"   loss next_token   optimizer ${optimizer}   schedule constant over 2   batch 1 sequences }\n`;

describe("a name that the library has and the file does not import", () => {
  it.each([
    ["a mask", "mask near = causal", "name-unknown: `import std.masks { causal }`"],
    [
      "a mask that is called",
      "mask near = q >= k and window(8)",
      "name-unknown: `import std.masks { window }`",
    ],
    [
      "a mask in an attention",
      "attention A() { mask causal }",
      "name-unknown: `import std.masks { causal }`",
    ],
    [
      "a mask that is an adapter's name",
      "mask near = q >= k or prefix(4)",
      "name-unknown: `import std.masks { prefix }`",
    ],
    [
      "a score",
      "attention A() { mask q >= k   score = softcap(50) }",
      "name-unknown: `import std.scores { softcap }`",
    ],
    ["an attention", model("attention Full()"), "function-unknown: `import std.attention { Full }`"],
    [
      "an attention without its brackets",
      model("attention Full"),
      "name-unknown: `import std.attention { Full }`",
    ],
    [
      "a rotation",
      model("rope yarn(factor: 2, trained: 8)"),
      "function-unknown: `import std.rotations { yarn }`",
    ],
    [
      "an adapter",
      `${model("")}adapt Small { lora(rank: 2) on attn.q }`,
      "adapter-unknown: `import std.adapters { lora }`",
    ],
    [
      "an optimizer",
      `${model("")}${recipe("lion(lr: 1e-3)")}`,
      "optimizer-unknown: `import std.optimizers { lion }`",
    ],
    ["a model", "model Small = gpt2 { vocab 64 }", "name-unknown: `import std.models.gpt2 { gpt2 }`"],
    [
      "a module in a module",
      "module M(width: Count) { input x[i: width]   child f = linear(width, width)   output f(x) }\nmodel Small = M { width 8 }",
      "name-unknown: `import std.layers { linear }`",
    ],
  ])("%s", (_, text, expected) => {
    const found = summary(checkSpec(path, text, bare).diagnostics);
    expect(found).toContain(expected);
  });

  it("is offered when it is only nearly that name, after what the file has", () => {
    expect(summary(checkText("mask near = casual", path))).toEqual([
      "name-unknown: did you mean `causal`? `import std.masks { causal }`",
    ]);
    expect(summary(checkText("mask casualty = q >= k\nmask near = casualti", path))).toEqual([
      "name-unknown: did you mean `casualty`?",
    ]);
  });

  it("is not offered where its kind cannot stand", () => {
    expect(summary(checkText("mask near = q >= k and adamw(1)", path))).not.toContain("std.optimizers");
    expect(summary(checkText(`${model("")}adapt Small { causal() on attn.q }`, path)).join()).not.toContain(
      "std.masks",
    );
  });
});

describe("names of different kinds", () => {
  it("an imported mask does not hide the prelude's adapter of the same name", () => {
    const text = `import std.masks { causal, prefix }
attention Lm() { mask causal or prefix(4) }
${model("attention Full2()").replace("Full2", "Lm")}
adapt Small { prefix(length: 2) on attn }
`;
    expect(
      summary(checkText(text.replace("attention Lm()  }", "attention Lm() }"), path)).filter(
        (line) => !line.startsWith("mask-not-causal"),
      ),
    ).toEqual([]);
  });

  it("own masks and functions hide no optimizer, adapter, rotation or model of the prelude", () => {
    const text = `mask lion = q >= k
let lora(x) = x + 1
mask rotary = q >= k
mask decoder = q >= k
attention A() { mask lion and rotary and decoder   score = lora(s) }
${model("attention A()   rope rotary()")}adapt Small { lora(rank: 2) on attn.q }
${recipe("lion(lr: 1e-3)")}`;
    expect(summary(checkText(text, path))).toEqual([]);
  });

  it("says what a name is where another kind must stand", () => {
    const text = `mask near = q >= k\n${model("")}adapt Small { near(rank: 2) on attn.q }\n`;
    expect(summary(checkText(text, path))).toEqual(["adapter-unknown: `near` is a mask here"]);
  });
});

describe("a file without items", () => {
  it.each([
    ["nothing", ""],
    ["white space", " \n\t\n"],
    ["comments", "// to do\n/// and more\n"],
  ])("of %s", (_, text) => {
    const found = checkText(text, path);
    expect(found.map(({ code }) => code)).toEqual(["spec-empty"]);
    expect(found[0]!.primary.span).toEqual({ file: path, start: 0, end: 0 });
  });

  it("is no error of its own where the text cannot be read", () => {
    expect(checkText("mask", path).map(({ code }) => code)).not.toContain("spec-empty");
  });
});

describe("places in library files", () => {
  it("come with their text", () => {
    const text = `import std.attention { ShiftedSparse }\n${model("attention ShiftedSparse(groups: 3)")}`;
    const { diagnostics, librarySources, sources } = checkSpec(path, text, diskHost);
    const inLibrary = diagnostics
      .flatMap(({ primary, secondary }) => [primary, ...secondary])
      .filter(({ span }) => span.file.startsWith("std/"));
    expect(inLibrary).not.toEqual([]);
    for (const { span } of inLibrary)
      expect(librarySources.get(span.file)!.slice(span.start, span.end)).not.toBe("");
    expect([...sources.keys()]).toEqual([path]);
  });
});

describe("an index that nothing names", () => {
  const attention = (body: string): string =>
    `attention A() {\n  blocks c by 4\n  mask q >= k\n  ${body}\n}\n`;

  it("is told once, with the indices there are", () => {
    const found = checkText(
      attention("let x[h, q] = sum[j if j <= q and j > 2] s[h, q, j]\n  score = s + x[h, k]"),
      path,
    );
    expect(summary(found)).toEqual(["name-unknown: an index is one of `q`, `k`, `h`, `d`, `g`, `c`"]);
  });

  it.each(["0..q", "c..q", "(0, q)"])("is no range: `k in %s`", (range) => {
    const found = checkText(attention(`let x[h, q] = sum[k in ${range}] s\n  score = s + x[h, k]`), path);
    expect(summary(found)).toEqual([
      "unexpected: after `in` stands a block; a range is a condition: `sum[k if k <= q] …`",
    ]);
  });
});
