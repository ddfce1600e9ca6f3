/** Every message about models and recipes: its wrong spec gives exactly this code, its right spec no error. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { instantiateAttention } from "../../compiler/check/instantiate-attention.ts";
import { instantiateRotation } from "../../compiler/check/instantiate-rotation.ts";
import { checkModels } from "../../compiler/check/model/check-models.ts";
import { readCatalogue } from "../../compiler/diagnostics/generate-catalogue.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { parseFile } from "../../grammar/parse.ts";
import { environmentOf } from "./support.ts";

const folder = resolve(import.meta.dirname, "../../compiler/diagnostics/messages");
const entries = ["model", "train"].flatMap((area) =>
  readCatalogue(area, readFileSync(join(folder, `${area}.md`), "utf8")),
);

const methods = { instantiateAttention, instantiateRotation };

function codesOf(text: string): string[] {
  const reporter = new Reporter();
  const { file, diagnostics } = parseFile("spec.lctx", text);
  reporter.addAll(diagnostics);
  checkModels(environmentOf(file), reporter, methods);
  return reporter.diagnostics.filter((d) => d.severity === "error").map((d) => d.code);
}

describe("messages about models and recipes", () => {
  it.each(entries.filter((entry) => entry.wrong !== null).map((entry) => [entry.code, entry] as const))(
    "%s",
    (code, entry) => {
      expect(codesOf(entry.right!)).toEqual([]);
      expect(codesOf(entry.wrong!)).toEqual([code]);
    },
  );

  it("fills every hole", () => {
    for (const entry of entries) {
      if (entry.wrong === null) continue;
      const reporter = new Reporter();
      checkModels(environmentOf(parseFile("spec.lctx", entry.wrong).file), reporter, methods);
      for (const d of reporter.diagnostics)
        expect(`${d.title} ${d.primary.label}`, d.code).not.toMatch(/\{[a-z][A-Za-z]*\}/);
    }
  });
});
