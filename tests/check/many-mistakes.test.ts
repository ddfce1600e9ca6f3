/** Thousands of unknown names take work in proportion to their number: after the first hundred no help is searched. */
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { mostHelped } from "../../compiler/check/mistakes.ts";
import { mostShown } from "../../compiler/diagnostics/reporter.ts";
import { checkText, root } from "../support/check-text.ts";

let compared = 0;
vi.mock(import("fastest-levenshtein"), async (original) => {
  const real = await original();
  const distance = (a: string, b: string): number => {
    compared++;
    return real.distance(a, b);
  };
  return { ...real, distance };
});

const path = join(root, "tests/check/many-mistakes.lctx");

it.each<[string, (n: number) => string]>([
  ["masks", (n) => `mask m${n} = q >= k and mm${n}`],
  ["functions", (n) => `let f${n}(x) = ff${n}(x)`],
  ["settings", (n) => `model M${n} = decoder { vocab MM${n}   layers 1   heads 2   width 8   length 16 }`],
])("names that nothing has, in %s", (_, line) => {
  const comparisons = (count: number): number => {
    compared = 0;
    const text = Array.from({ length: count }, (_none, n) => line(n)).join("\n");
    const found = checkText(text, path).filter(({ severity }) => severity === "error");
    expect(found).toHaveLength(mostShown);
    for (const { help } of found) expect(help).toMatch(/^did you mean/);
    return compared;
  };
  const once = comparisons(2 * mostHelped);
  expect(once).toBeGreaterThan(mostHelped);
  // Twice the names are twice the candidates; a search for each of them would compare four times as many.
  expect(comparisons(4 * mostHelped)).toBeLessThan(3 * once);
});
