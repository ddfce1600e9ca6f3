/** Blocks are compared by the value of their size, in the definition and again for the arguments of each use. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkText, root } from "../support/check-text.ts";

const path = join(root, "tests/check/blocks.lctx");
const errors = (text: string): string[] =>
  checkText(text, path)
    .filter(({ severity }) => severity === "error")
    .map(({ code, title }) => `${code}: ${title}`);
const attention = (parameters: string, body: string): string =>
  `import std.masks { causal }\nattention A(${parameters}) {\n  ${body}\n}\n`;
const use = (argument: string): string =>
  `model M = decoder { vocab 8   layers 1   heads 2   width 8   length 16   attention A(${argument}) }\n`;
const compared = "mask causal and c(q) == e(k)";

describe("sizes of blocks", () => {
  it.each([
    ["written in two ways", "", `blocks c by 8\n  blocks e by 4 + 4\n  ${compared}`],
    ["a number and a default", "size: Count = 8", `blocks c by 8\n  blocks e by size\n  ${compared}`],
    [
      "two defaults",
      "size: Count = 4, twice: Count = 2 * size",
      `blocks c by 8\n  blocks e by twice\n  ${compared}`,
    ],
    ["`blocks` and `block`", "size: Count = 8", "blocks c by 8\n  mask causal and c(q) - block(k, size) < 2"],
    ["no default, one text", "size: Count", `blocks c by size\n  blocks e by size\n  ${compared}`],
  ])("agree: %s", (_, parameters, body) => {
    expect(errors(attention(parameters, body))).toEqual([]);
  });

  it.each([
    ["numbers", "", `blocks c by 8\n  blocks e by 4\n  ${compared}`, "a block of 8", "a block of 4"],
    [
      "defaults",
      "size: Count = 4",
      `blocks c by 8\n  blocks e by size\n  ${compared}`,
      "a block of 8",
      "a block of size",
    ],
    [
      "no default",
      "size: Count",
      `blocks c by 8\n  blocks e by size\n  ${compared}`,
      "a block of 8",
      "a block of size",
    ],
    [
      "a sum",
      "",
      "blocks c by 8\n  blocks e by 4\n  mask causal and c(q) - e(k) < 2",
      "a block of 8",
      "a block of 4",
    ],
  ])("differ: %s", (_, parameters, body, left, right) => {
    const [found, ...others] = errors(attention(parameters, body));
    expect(others).toEqual([]);
    expect(found).toMatch(/^domain-mismatch: /);
    expect(found).toContain(left);
    expect(found).toContain(right);
  });

  it.each([
    ["a comparison", compared],
    ["a distance", "mask causal and c(q) - e(k) < 2"],
    ["a function", "let near(x, y) = x == y\n  mask causal and near(c(q), e(k))"],
  ])("that agree by default are told of where a use makes them differ: %s", (_, body) => {
    const text = attention("size: Count = 8", `blocks c by 8\n  blocks e by size\n  ${body}`);
    expect(errors(text + use(""))).toEqual([]);
    expect(errors(text + use("size: 8"))).toEqual([]);
    const found = errors(text + use("size: 4"));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^domain-mismatch: .*block of 8.*block of 4/);
  });

  it("must be the same for every use where a block is the place of a table", () => {
    const body = "let x[h, c] = sum[d] (mean[q in c] Q)\n  mask causal\n  score = s + x[h, e(q)]";
    const blocks = (size: string): string => `blocks c by 8\n  blocks e by ${size}\n  ${body}`;
    expect(errors(attention("size: Count = 8", blocks("size"))).join()).toContain("index-domain");
    expect(errors(attention("", blocks("2 * 4")))).toEqual([]);
  });
});
