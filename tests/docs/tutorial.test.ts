/** Every spec in the documentation compiles, or fails with exactly the message that its block names. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { checkText } from "../support/check-text.ts";

const root = resolve(import.meta.dirname, "../..");

interface Block {
  readonly name: string;
  readonly text: string;
  /** Code that the block must give; null when it must be clean. */
  readonly error: string | null;
}

function blocksOf(path: string): Block[] {
  const text = readFileSync(path, "utf8");
  const found: Block[] = [];
  for (const match of text.matchAll(/^```lctx(?: error=([a-z-]+))?\n([\s\S]*?)^```$/gm)) {
    const line = text.slice(0, match.index).split("\n").length;
    found.push({ name: `${relative(root, path)}:${line}`, text: match[2]!, error: match[1] ?? null });
  }
  return found;
}

const pages = [
  join(root, "README.md"),
  ...["docs/tutorial", "docs"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(root, folder, name)),
  ),
];

const blocks = pages.flatMap(blocksOf);

describe("documentation", () => {
  it("has specs", () => {
    expect(blocks.length).toBeGreaterThan(20);
  });

  it.each(blocks)("$name", ({ text, error }) => {
    const errors = checkText(text, join(root, "docs/page.lctx")).filter(
      (diagnostic) => diagnostic.severity === "error",
    );
    if (error === null) expect(errors.map((each) => `${each.code}: ${each.title}`)).toEqual([]);
    else expect(new Set(errors.map((each) => each.code))).toEqual(new Set([error]));
  });
});
