/** Diagnostics: catalogue, collecting, rendering, formats, suggestions. */
import { describe, expect, it } from "vitest";
import { buildDiagnostic } from "../../compiler/diagnostics/build-diagnostic.ts";
import type { Diagnostic } from "../../compiler/diagnostics/diagnostic.ts";
import { toGithub, toJson, toSarif } from "../../compiler/diagnostics/formats.ts";
import {
  mergeCatalogues,
  printConstructors,
  readCatalogue,
} from "../../compiler/diagnostics/generate-catalogue.ts";
import { render } from "../../compiler/diagnostics/render.ts";
import { mostShown, Reporter } from "../../compiler/diagnostics/reporter.ts";
import { suggest } from "../../compiler/diagnostics/suggest.ts";
import { SourceFile } from "../../compiler/source/source-file.ts";

const text = "attention A() {\n  blocks c by 256\n\n  mask causal and c == k\n}\n";
const source = new SourceFile("a.lctx", text);
const at = (piece: string): { file: string; start: number; end: number } => {
  const start = text.indexOf(piece);
  return { file: "a.lctx", start, end: start + piece.length };
};
const mismatch = (extras = {}): Diagnostic =>
  buildDiagnostic(
    {
      code: "domain-mismatch",
      severity: "error",
      title: "`{left}` compares a block with a position",
      label: "block on the left, key position on the right",
      help: "compare blocks with blocks: `{fix}`",
    },
    { left: "c == k", fix: "c(q) == c(k)" },
    at("c == k"),
    { secondary: [{ span: at("c by"), label: "`c` ranges over blocks" }], ...extras },
  );

describe("rendering", () => {
  it("frames the code with labels and help", () => {
    expect(
      render(mismatch({ fix: { span: at("c == k"), text: "c(q) == c(k)" } }), source, { color: false }),
    ).toBe(
      [
        "error[domain-mismatch]: `c == k` compares a block with a position",
        "  ┌─ a.lctx:4:19",
        "  │",
        "2 │   blocks c by 256",
        "  │          ---- `c` ranges over blocks",
        "3 │ ",
        "4 │   mask causal and c == k",
        "  │                   ^^^^^^ block on the left, key position on the right",
        "  │",
        "help: compare blocks with blocks: `c(q) == c(k)`  [fix available]",
      ].join("\n"),
    );
  });

  it("draws, and colours only when asked", () => {
    const drawn = render(mismatch({ drawing: "k→ 0 1\nq=1 . ✗" }), source, { color: false });
    expect(drawn).toContain("  │ k→ 0 1\n  │ q=1 . ✗");
    expect(drawn).not.toContain("\u001b");
    expect(render(mismatch(), source, { color: true })).toContain("\u001b[");
  });

  it("cuts long lines around the mark and never prints control characters of a spec", () => {
    const long = `mask m = ${"a + ".repeat(100)}\u001b[31mbad${" + a".repeat(100)}`;
    const start = long.indexOf("bad");
    const d = {
      ...mismatch({ secondary: [] }),
      primary: { span: { file: "l", start, end: start + 3 }, label: "x" },
    };
    const lines = render(d, new SourceFile("l", long), { color: false }).split("\n");
    expect(lines.join("\n")).not.toContain("\u001b");
    const column = lines[4]!.indexOf("^^^");
    expect(lines[3]!.slice(column, column + 3)).toBe("bad");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(150);
  });

  it("copes with places at the end, over lines and in an empty file", () => {
    for (const span of [
      { file: "a.lctx", start: text.length, end: text.length },
      { file: "a.lctx", start: 0, end: text.length },
      { file: "a.lctx", start: 999, end: 9999 },
    ])
      expect(render({ ...mismatch(), primary: { span, label: "here" } }, source, { color: false })).toContain(
        "^",
      );
    const d = {
      ...mismatch({ secondary: [] }),
      primary: { span: { file: "e", start: 0, end: 0 }, label: "" },
    };
    expect(render(d, new SourceFile("e", ""), { color: false })).toContain("1 │ ");
  });
});

describe("reporter", () => {
  const numbered = (n: number, severity: Diagnostic["severity"] = "error"): Diagnostic => ({
    ...mismatch(),
    severity,
    primary: { span: { file: "a.lctx", start: n, end: n + 1 }, label: "" },
  });

  it("sorts by place and tells each mistake once", () => {
    const reporter = new Reporter();
    for (const n of [5, 1, 3, 1, 5]) reporter.add(numbered(n));
    expect(reporter.diagnostics.map((d) => d.primary.span.start)).toEqual([1, 3, 5]);
    expect(reporter.failed).toBe(true);
  });

  it("shows twenty, errors first, and says how many more there are", () => {
    const reporter = new Reporter();
    for (let n = 0; n < 30; n++) reporter.add(numbered(n, "remark"));
    expect(reporter.failed).toBe(false);
    reporter.add(numbered(40));
    const shown = reporter.diagnostics;
    expect(shown).toHaveLength(mostShown + 1);
    expect(shown.filter((d) => d.severity === "error")).toHaveLength(1);
    expect(shown.at(-1)!.code).toBe("more-not-shown");
    expect(shown.at(-1)!.title).toContain("11");
  });
});

describe("formats", () => {
  const sources = new Map([["a.lctx", source]]);
  const list = [mismatch({ fix: { span: at("c == k"), text: "c(q) == c(k)" } })];

  it("json", () => {
    expect(JSON.parse(toJson(list, sources))).toEqual([
      expect.objectContaining({
        code: "domain-mismatch",
        severity: "error",
        file: "a.lctx",
        line: 4,
        column: 19,
        endLine: 4,
        endColumn: 25,
        start: at("c == k").start,
        related: [expect.objectContaining({ line: 2, column: 10 })],
        fix: expect.objectContaining({ text: "c(q) == c(k)" }),
      }),
    ]);
  });

  it("sarif 2.1.0", () => {
    const log = JSON.parse(toSarif(list, sources, "1.2.3"));
    expect(log.version).toBe("2.1.0");
    const [result] = log.runs[0].results;
    expect(log.runs[0].tool.driver.rules[result.ruleIndex].id).toBe("domain-mismatch");
    expect(result.level).toBe("error");
    expect(result.locations[0].physicalLocation.region).toEqual({
      startLine: 4,
      startColumn: 19,
      endLine: 4,
      endColumn: 25,
    });
    expect(result.fixes[0].artifactChanges[0].replacements[0].insertedContent.text).toBe("c(q) == c(k)");
  });

  it("github, with its special characters escaped", () => {
    const odd = { ...list[0]!, title: "100% wrong\nreally", help: null };
    expect(toGithub([odd], sources)).toBe(
      "::error file=a.lctx,line=4,endLine=4,col=19,endColumn=25,title=domain-mismatch::100%25 wrong%0Areally",
    );
  });
});

describe("did you mean", () => {
  const names = (...list: string[]) => list.map((name) => ({ name, kind: "position" }));

  it("finds near names, but not far ones", () => {
    expect(suggest("casual", names("causal", "window"))).toBe("causal");
    expect(suggest("msak", names("mask"))).toBe("mask");
    expect(suggest("Window", names("window"))).toBe("window");
    expect(suggest("banana", names("causal", "window"))).toBeNull();
    expect(suggest("x", names("y"))).toBeNull();
  });

  it("prefers the wanted kind to a nearer name of another", () => {
    const candidates = [
      { name: "cause", kind: "mask" },
      { name: "causal", kind: "block" },
    ];
    expect(suggest("causa", candidates, "block")).toBe("causal");
    expect(suggest("causa", candidates, "mask")).toBe("cause");
  });

  it("knows the words of other frameworks, when what they mean is in scope", () => {
    expect(suggest("kv_idx", names("q", "k", "h"))).toBe("k");
    expect(suggest("num_heads", names("heads", "layers"))).toBe("heads");
    expect(suggest("torch.topk", names("top"))).toBe("top");
    expect(suggest("constructor", names("q"))).toBeNull();
    expect(suggest("seq_len", names("q"))).toBeNull();
  });
});

describe("catalogue format", () => {
  const entry = "## some-code\n\n> error: bad `{thing}`\n> label: here\n> help: use {other}\n\nBecause.\n";

  it("reads an entry and prints a typed constructor", () => {
    const [read] = readCatalogue("area", `${entry}\n\`\`\`lctx wrong\nmask m = q\n\`\`\`\n`);
    expect(read).toEqual({
      code: "some-code",
      area: "area",
      severity: "error",
      title: "bad `{thing}`",
      label: "here",
      help: "use {other}",
      why: "Because.",
      wrong: "mask m = q\n",
      right: null,
    });
    expect(printConstructors([read!])).toContain(
      "someCode: (holes: { readonly thing: Hole; readonly other: Hole }, ",
    );
  });

  it("refuses doubled codes and entries without severity or reason", () => {
    expect(() =>
      mergeCatalogues(
        new Map([
          ["a", entry],
          ["b", entry],
        ]),
      ),
    ).toThrow(/some-code/);
    expect(() => readCatalogue("a", "## x\n\n> oops: y\n\nz")).toThrow(/severity/);
    expect(() => readCatalogue("a", "## x\n\n> error: y\n")).toThrow(/why/);
  });
});
