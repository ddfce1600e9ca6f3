/** The formatter: same tree, same comments, same text the second time. */
import fc from "fast-check";
import { format as prettierFormat } from "prettier";
import { describe, expect, it } from "vitest";
import { formatText } from "../../grammar/format.ts";
import { parseFile } from "../../grammar/parse.ts";
import plugin from "../../grammar/prettier-plugin.ts";
import { allSpecs, librarySpecs, withoutPlaces } from "./specs.ts";

const treeOf = (text: string): unknown => {
  const { file, diagnostics } = parseFile("spec.lctx", text);
  expect(diagnostics.map((d) => d.title)).toEqual([]);
  return withoutPlaces(file);
};
const commentsOf = (text: string): string[] =>
  parseFile("spec.lctx", text)
    .file.comments.map((comment) => comment.text.trimEnd())
    .sort();

describe("formatting", () => {
  it.each(allSpecs)("keeps the tree and comments of $path and is idempotent", async ({ text }) => {
    const once = await formatText(text);
    expect(treeOf(once)).toEqual(treeOf(text));
    expect(commentsOf(once)).toEqual(commentsOf(text));
    expect(await formatText(once)).toBe(once);
  });

  it("lines up neighbours, keeps breaks where they may be, drops needless parentheses", async () => {
    const text = [
      "attention  A( n:Count=4,){",
      "  let a = (1)+((2)*3)",
      "  let width = (1+2)*3   // why",
      "",
      "",
      "  let far[h] = if n<1 then 1",
      "    else if n<2 then 2",
      "    else 3",
      "  mask (q>=k) and (k<n or (q-k<n))",
      "}",
    ].join("\n");
    expect(await formatText(text)).toBe(
      [
        "attention A(n: Count = 4) {",
        "  let a     = 1 + 2 * 3",
        "  let width = (1 + 2) * 3  // why",
        "",
        "  let far[h] = if n < 1 then 1",
        "               else if n < 2 then 2",
        "               else 3",
        "  mask q >= k and (k < n or q - k < n)",
        "}",
        "",
      ].join("\n"),
    );
  });

  it("keeps parentheses that carry meaning", async () => {
    for (const body of [
      "(a - b) - c",
      "a - (b - c)",
      "(a ^ b) ^ c",
      "a ^ b ^ c",
      "(-a) ^ 2",
      "-a ^ 2",
      "a / (b * c)",
      "not (a and b)",
      "(not a) and b",
      "(sum[d] a) * b",
      "sum[d] a * b",
      "(if a then b else c) + 1",
      "(a < b) == c",
      "(a or b) and c",
      "max[k in j] (a + b)",
      "x in (a + b)",
    ]) {
      const text = `mask m = ${body}\n`;
      expect(treeOf(await formatText(text)), body).toEqual(treeOf(text));
    }
    expect(await formatText("mask m = a - (b - c)")).toBe("mask m = a - (b - c)\n");
  });

  it("keeps comments wherever they stand", async () => {
    const text =
      "// first\nimport std.masks { // in\n causal, // after\n window\n}\n// between\nattention A( // head\n n: Count, // n\n) { // open\n// own\n mask causal // tail\n and q == k\n // last\n} // done\n// end";
    const once = await formatText(text);
    expect(commentsOf(once)).toEqual(commentsOf(text));
    expect(treeOf(once)).toEqual(treeOf(text));
    expect(await formatText(once)).toBe(once);
  });

  it("keeps every comment put between any two tokens", async () => {
    for (const { text } of librarySpecs) {
      const tokens = [
        ...text.matchAll(
          /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|[0-9][0-9_.]*(?:[eE][+-]?[0-9]+)?|[A-Za-z_][A-Za-z_0-9]*|[<>=!]=|[^\s]/g,
        ),
      ];
      await fc.assert(
        fc.asyncProperty(fc.nat({ max: Math.max(0, tokens.length - 1) }), async (at) => {
          const { index } = tokens[at]!;
          const changed = `${text.slice(0, index)} // here\n${text.slice(index)}`;
          const once = await formatText(changed);
          expect(commentsOf(once)).toEqual(commentsOf(changed));
          expect(treeOf(once)).toEqual(treeOf(changed));
          expect(await formatText(once)).toBe(once);
        }),
        { numRuns: 25, seed: 7 },
      );
    }
  });

  it("does not depend on line ends, a byte order mark, or spaces at line ends", async () => {
    for (const { text } of librarySpecs) {
      const expected = await formatText(text);
      expect(await formatText(text.replaceAll("\n", "\r\n"))).toBe(expected);
      expect(await formatText(`\ufeff${text}`)).toBe(expected);
      expect(await formatText(text.replaceAll("\n", "  \n"))).toBe(expected);
    }
  });

  it("leaves a text with syntax errors alone", async () => {
    expect(await formatText("mask  m = = 1")).toBe("mask  m = = 1");
  });

  it("runs as a prettier plugin", async () => {
    const text = "mask  m(n:Count)=q-k<n";
    expect(await prettierFormat(text, { parser: "lctx", plugins: [plugin] })).toBe(
      "mask m(n: Count) = q - k < n\n",
    );
    await expect(prettierFormat("mask = = 1", { parser: "lctx", plugins: [plugin] })).rejects.toThrow(
      SyntaxError,
    );
  });
});
