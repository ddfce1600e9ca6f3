/** Broken text: the parser always ends, never throws, and points inside the file. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatText } from "../../grammar/format.ts";
import { limits } from "../../grammar/limits.ts";
import { parseFile } from "../../grammar/parse.ts";
import { librarySpecs, withoutPlaces } from "./specs.ts";

/** Every span in a tree. */
function* spansOf(node: unknown): Generator<{ start: number; end: number }> {
  if (node === null || typeof node !== "object") return;
  if (Array.isArray(node)) for (const child of node) yield* spansOf(child);
  else
    for (const [key, value] of Object.entries(node)) {
      if (key === "span") yield value as { start: number; end: number };
      else yield* spansOf(value);
    }
}

/** Parses, and checks what must hold for any text; returns whether the text is free of errors. */
function sound(text: string): boolean {
  const { file, diagnostics } = parseFile("fuzz.lctx", text);
  const inside = ({ start, end }: { start: number; end: number }): boolean =>
    0 <= start && start <= end && end <= text.length;
  for (const span of spansOf(file)) expect(inside(span), JSON.stringify(text)).toBe(true);
  for (const diagnostic of diagnostics) {
    expect(inside(diagnostic.primary.span), `${diagnostic.code} in ${JSON.stringify(text)}`).toBe(true);
    for (const { span } of diagnostic.secondary) expect(inside(span)).toBe(true);
    // eslint-disable-next-line no-control-regex
    expect(diagnostic.title).not.toMatch(/[\u0000-\u001f\u007f]/);
    // Every hole is filled; `\u{e}` is how a message shows a control character. Texts of tasks have holes of their own.
    const holes = diagnostic.title.match(/(?<!\\u)\{[a-z]+\}/g) ?? [];
    expect(holes.filter((hole) => !text.includes(hole))).toEqual([]);
    if (diagnostic.fix) expect(inside(diagnostic.fix.span)).toBe(true);
  }
  return diagnostics.length === 0;
}

const tokensOf = (text: string): string[] =>
  text.match(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*\n|[0-9][0-9_.]*|[A-Za-z_][A-Za-z_0-9]*|[<>=!]=|\S|\s+/g) ?? [];

const seed = 20_240_611;

describe("broken text", () => {
  it.each(librarySpecs)("prefixes of $path", ({ text }) => {
    // Every prefix of a short file, about a hundred of a long one.
    const step = Math.max(1, Math.floor(text.length / 100));
    for (let end = 0; end <= text.length; end += step) sound(text.slice(0, end));
  });

  it.each(librarySpecs)("deleted, doubled and swapped tokens of $path", ({ text }) => {
    const tokens = tokensOf(text);
    fc.assert(
      fc.property(
        fc.nat({ max: tokens.length - 1 }),
        fc.constantFrom("delete", "double", "swap"),
        (at, what) => {
          const changed = [...tokens];
          if (what === "delete") changed.splice(at, 1);
          else if (what === "double") changed.splice(at, 0, ` ${tokens[at]!}`);
          else if (at + 1 < tokens.length) [changed[at], changed[at + 1]] = [tokens[at + 1]!, tokens[at]!];
          sound(changed.join(""));
        },
      ),
      { numRuns: 40, seed },
    );
  });

  it("random tokens", () => {
    const soup = [
      ...new Set(librarySpecs.flatMap(({ text }) => tokensOf(text).filter((t) => t.trim() !== ""))),
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...soup), { maxLength: 120 }), (tokens) => {
        sound(tokens.join(" "));
      }),
      { numRuns: 400, seed },
    );
  });

  it("random text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        sound(text);
      }),
      { numRuns: 400, seed },
    );
  });

  it("control characters, byte order marks, odd line ends, lone surrogates", () => {
    for (const odd of [
      "\0",
      "\u001b[31m",
      "\ufeff",
      "\r",
      "\r\n",
      "\u2028",
      "\ud800",
      "\u202e",
      "é",
      "≥",
      "𝛼",
    ])
      for (const { text } of librarySpecs.slice(0, 4)) {
        const at = Math.floor(text.length / 2);
        sound(text.slice(0, at) + odd + text.slice(at));
        sound(odd + text);
        sound(text + odd);
      }
  });

  it("deep nesting is refused, and said so, whatever nests", () => {
    const nests: readonly (readonly [string, string, string])[] = [
      ["mask m = ", "(", ")"],
      ["mask m = ", "f(", ")"],
      ["mask m = ", "a[", "]"],
      ["mask m = ", "sum[k if ", "] x"],
      ["mask m = ", "not ", ""],
      ["mask m = ", "-", ""],
      ["mask m = ", "a ^ ", ""],
      ["mask m = ", "if a then b else ", ""],
      ["mask m = ", "if ", " then b else c"],
      ["mask m = ", "sum[d] ", ""],
      ["mask m = ", "sum[d] sum[d] a * ", ""],
      ["attention A() ", "{ when training ", "}"],
      ["train M { ", "stage a { ", "}"],
      ["mask m = a", " + a", ""],
      ["mask m = a", " and a", ""],
      ["mask m = a", " * a or a", ""],
    ];
    for (const [start, open, close] of nests) {
      const text = `${start}${open.repeat(10_000)} x ${close.repeat(10_000)}`;
      sound(text);
      const { diagnostics } = parseFile("deep.lctx", text);
      expect(
        diagnostics.map((d) => d.code),
        open,
      ).toContain("nesting-too-deep");
    }
  });

  it("what stays under the limits is read", () => {
    const depth = limits.nesting - 2;
    for (const [open, close] of [
      ["(", ")"],
      ["f(", ")"],
      ["-", ""],
    ] as const)
      expect(sound(`mask m = ${open.repeat(depth)}x${close.repeat(depth)}`), open).toBe(true);
    const flat = `mask m = ${Array.from({ length: limits.chain }, (_, i) => `-a${i}`).join(" + ")}`;
    expect(sound(flat)).toBe(true);
  });

  it("large files are refused", () => {
    const codes = (text: string): string[] => parseFile("large.lctx", text).diagnostics.map((d) => d.code);
    expect(codes(" ".repeat(limits.fileBytes + 1))).toEqual(["file-too-large"]);
    expect(codes("a ".repeat(limits.tokens + 1))).toEqual(["too-many-tokens"]);
    expect(codes(`mask ${"a".repeat(limits.identifier + 1)} = q`)).toEqual(["name-too-long"]);
  });

  it("long broken files end", () => {
    for (const piece of [
      "mask m = (",
      "}",
      "model M = decoder { vocab",
      "let = ",
      "a",
      "import { ",
      "= ",
      "[",
      "train M { data ",
    ])
      sound(`${piece} `.repeat(2000));
  });

  it("whatever parses can be formatted, and means the same after", async () => {
    const soup = [
      ...new Set(librarySpecs.flatMap(({ text }) => tokensOf(text).filter((t) => t.trim() !== ""))),
    ];
    const expression = fc.array(fc.constantFrom(...soup.filter((t) => /^[a-z0-9+*/^()<>=,.-]+$/.test(t))), {
      minLength: 1,
      maxLength: 9,
    });
    await fc.assert(
      fc.asyncProperty(expression, async (tokens) => {
        const text = `mask m = ${tokens.join(" ")}`;
        if (!sound(text)) return;
        const once = await formatText(text);
        expect(withoutPlaces(parseFile("a", once).file)).toEqual(withoutPlaces(parseFile("a", text).file));
        expect(await formatText(once)).toBe(once);
      }),
      { numRuns: 3000, seed },
    );
  });
});
