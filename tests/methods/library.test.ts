/** The standard library: what it holds, that every definition says what it is, and its masks against plain predicates. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { masksOf } from "../../compiler/cli/attention-masks.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { parseFile } from "../../grammar/parse.ts";
import { diskHost, root } from "../support/check-text.ts";

const folder = join(root, "stdlib");
const items = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".lctx"))
  .flatMap((name) => parseFile(name, readFileSync(join(folder, name), "utf8")).file.items)
  .flatMap((item) => ("docs" in item && "name" in item ? [item] : []));

const namesOf = (kind: string): string[] =>
  items.filter((item) => item.kind === kind).map((item) => (item.name as { text: string }).text);

describe("the library", () => {
  it.each([
    ["mask", ["causal", "window", "sinks", "prefix", "same_document", "dilated", "blockwise"]],
    ["score", ["alibi", "softcap", "t5_bias", "log_length"]],
    ["rotation", ["rotary", "interpolated", "ntk", "yarn", "llama3", "truncated", "power", "none"]],
    [
      "attention",
      "Full SinkWindow PrefixLm Document Alibi Softcap T5Bias LogLength ShiftedSparse LmInfinite".split(" "),
    ],
    ["adapter", ["lora", "ia3", "ia3_input", "prompt", "prefix", "bottleneck", "parallel"]],
    ["optimizer", ["adamw", "sgd", "lion"]],
    ["task", ["passkey", "needle", "recall", "tracking", "copied_spans"]],
  ])("has every %s that its pages name", (kind, names) => {
    expect(namesOf(kind)).toEqual(names);
  });

  it("has the models", () => {
    expect(namesOf("module")).toEqual(expect.arrayContaining(["decoder", "gpt2"]));
  });

  it("says what each definition is", () => {
    expect(items.length).toBeGreaterThan(40);
    for (const item of items)
      if (item.kind !== "model" || item.docs !== "")
        expect([item.kind, item.name, item.docs.trim().length > 20]).toEqual([item.kind, item.name, true]);
  });
});

const length = 23;
/** Pictures pack three texts into a row. */
const textOf = (position: number): number => Math.min(2, Math.floor((position * 3) / length));

const predicates: readonly (readonly [string, (q: number, k: number) => boolean])[] = [
  ["causal", () => true],
  ["window(5)", (q, k) => k > q - 5],
  ["sinks(3)", (_, k) => k <= 2],
  ["prefix(4)", (_, k) => [0, 1, 2, 3].includes(k)],
  ["same_document", (q, k) => textOf(q) === textOf(k)],
  ["dilated(4)", (q, k) => [0, 4, 8, 12, 16, 20].includes(q - k)],
  ["blockwise(6)", (q, k) => (q - (q % 6)) / 6 === (k - (k % 6)) / 6],
];

describe("masks of the library", () => {
  it.each(predicates)("causal and %s", (mask, visible) => {
    const name = /^\w+/.exec(mask)![0];
    const imports = name === "causal" ? "causal" : `causal, ${name}`;
    const text = `import std.masks { ${imports} }\nattention A() { mask causal and (${mask} or q == k) }`;
    const { project, diagnostics } = checkSpec("spec.lctx", text, diskHost);
    expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
    const [{ grid }] = masksOf(project!, length) as [ReturnType<typeof masksOf>[number]];
    for (let q = 0; q < length; q++)
      for (let k = 0; k < length; k++)
        expect([q, k, grid.values[q * length + k]]).toEqual([
          q,
          k,
          k <= q && (visible(q, k) || q === k) ? 1 : 0,
        ]);
  });
});
