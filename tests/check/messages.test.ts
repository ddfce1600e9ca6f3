/** Every message about attentions: its wrong spec gives exactly this code, its right spec nothing. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readCatalogue } from "../../compiler/diagnostics/generate-catalogue.ts";
import { checkText, root } from "../support/check-text.ts";

const path = join(root, "compiler/diagnostics/messages/attention.md");
const entries = readCatalogue("attention", readFileSync(path, "utf8"));
const shown = entries.filter((entry) => entry.wrong !== null);

const check = (text: string) => checkText(text, join(root, "tests/check/spec.lctx"));

describe("messages about attentions", () => {
  it("have specs, but for the few that need a large one", () => {
    const silent = entries.filter((entry) => entry.wrong === null).map((entry) => entry.code);
    expect(silent).toEqual(["inlining-too-large"]);
  });

  it.each(shown.map((entry) => [entry.code, entry] as const))("%s", (code, entry) => {
    const right = check(entry.right!).filter((d) => d.severity !== "remark" || d.code === code);
    expect(right.map((d) => `${d.code}: ${d.title}`)).toEqual([]);
    const wrong = check(entry.wrong!);
    expect(wrong.map((d) => d.code)).toEqual([code]);
    expect(wrong[0]!.severity).toBe(entry.severity);
    for (const text of [wrong[0]!.title, wrong[0]!.primary.label, wrong[0]!.help ?? ""])
      expect(text).not.toMatch(/\{[a-z][A-Za-z]*\}/);
  });
});
