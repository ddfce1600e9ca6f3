/** Broken specs through the whole checker: it always ends, never throws, and points inside the files it read. */
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkSpec } from "../../compiler/compile.ts";
import { specsBelow } from "../grammar/specs.ts";
import { diskHost, root } from "../support/check-text.ts";

const path = join(root, "tests/check/broken.lctx");
const seed = 20_261_125;

/** Checks, and says whether the text is free of errors. */
function sound(text: string): boolean {
  const { diagnostics, failed, sources, librarySources } = checkSpec(path, text, diskHost);
  for (const { code, title, primary, secondary, fix } of diagnostics)
    for (const { span } of [primary, ...secondary, ...(fix === null ? [] : [fix])]) {
      const source = sources.get(span.file) ?? librarySources.get(span.file);
      expect(source, `${code} in ${JSON.stringify(text)}`).toBeDefined();
      expect(0 <= span.start && span.start <= span.end && span.end <= source!.length, code).toBe(true);
      expect(title).not.toMatch(/undefined|\[object|NaN|(?<!\\u)\{[a-z]+\}/);
    }
  return !failed;
}

/** One of every kind of item, small enough to be checked some hundred times. */
const small = `import std.masks { causal, window }

mask near(n: Count) = causal and window(n)
score far(rate: Real) = s - rate * log(1 + ordinal(q - k))
let twice(x) = 2 * x

rotation slow(base: Real = 100) = base ^ (-2 * m / dims)

attention Local(span: Count = 4) {
  blocks c by 4
  param slope[h] = constant(0.5)
  let gain[h] = 2 * slope[h]
  mask near(span) or (c(q) == c(k) and q >= k)
  score = gain * far(0.1) + twice(0.5)
}

module Half(width: Count) {
  input x[i: width]
  param w[o: width, i] = normal(0.02)
  let y[o] = sum[i] w * x
  output y
}

adapter shift(size: Count = 2) on linear {
  param b[o] = zeros
  output y + b
}

model Small = decoder { vocab 8   layers 1   heads 2   width 8   length 16   attention Local() }

adapt Small {
  lora(rank: 2) on attn.{q, v}
  train embed
}

train Small {
  data       tokens "text.txt" length 16 validate 5%
  loss       next_token
  optimizer  adamw(lr: 1e-3, betas: (0.9, 0.95))
  schedule   warmup 2 then cosine to 1e-4 over 10
  batch      2 sequences
}
`;

const tokensOf = (text: string): string[] =>
  text.match(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*\n|[0-9][0-9_.]*|[A-Za-z_][A-Za-z_0-9]*|[<>=!]=|\S|\s+/g) ?? [];
const tokens = tokensOf(small);
const words = tokens.flatMap((token, at) => (token.trim() === "" ? [] : [at]));
const fixtures = specsBelow("tests/fixtures/specs");
const soup = [...new Set([small, ...fixtures.map(({ text }) => text)].flatMap(tokensOf))].filter(
  (token) => token.trim() !== "",
);

describe("broken specs in the checker", () => {
  it("every prefix that ends with a token", () => {
    for (const at of words) sound(tokens.slice(0, at + 1).join(""));
  });

  it("every single token left out", () => {
    for (const at of words) sound(tokens.filter((_, n) => n !== at).join(""));
  });

  it("single tokens doubled, swapped and replaced by others", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...words),
        fc.constantFrom(...soup),
        fc.constantFrom("double", "swap", "replace", "insert"),
        (at, other, what) => {
          const changed = [...tokens];
          const next = words[words.indexOf(at) + 1];
          if (what === "double") changed.splice(at, 0, `${tokens[at]!} `);
          else if (what === "replace") changed[at] = other;
          else if (what === "insert") changed.splice(at, 0, `${other} `);
          else if (next !== undefined) [changed[at], changed[next]] = [tokens[next]!, tokens[at]!];
          sound(changed.join(""));
        },
      ),
      { numRuns: 80, seed },
    );
  });

  it("tokens of the language's specs left out and replaced", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...fixtures),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.option(fc.constantFrom(...soup)),
        ({ text }, place, other) => {
          const parts = tokensOf(text);
          parts[Math.floor(place * parts.length)] = other === null ? "" : ` ${other} `;
          sound(parts.join(""));
        },
      ),
      { numRuns: 20, seed },
    );
  });

  it("random tokens, alone and where a body stands", () => {
    const places = [
      "",
      "mask m = ",
      "attention A() { mask q >= k score = ",
      "module M(n: Count) { input x[i: n] output ",
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.array(fc.constantFrom(...soup), { maxLength: 40 }),
        (before, chosen) => {
          sound(`${before}${chosen.join(" ")}${before.includes("{") ? " }" : ""}`);
        },
      ),
      { numRuns: 150, seed },
    );
  });
});
