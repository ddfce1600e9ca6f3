/** At the limits of nesting and chains nothing overflows the stack, and no part grows faster than the text. */
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exprPrinter, type PrintedValue } from "../../compiler/backends/cpu/print-expr.ts";
import { instantiateAttention } from "../../compiler/check/instantiate-attention.ts";
import { bindArguments } from "../../compiler/check/static.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { derivative } from "../../compiler/ir/derivative.ts";
import { evaluateExpr } from "../../compiler/ir/evaluate-expr.ts";
import * as ir from "../../compiler/ir/expr.ts";
import { identifier } from "../../compiler/ir/kernel.ts";
import { simplifyExpr } from "../../compiler/ir/simplify-expr.ts";
import { formatText } from "../../grammar/format.ts";
import { limits } from "../../grammar/limits.ts";
import { parseFile } from "../../grammar/parse.ts";
import { diskHost, root } from "../support/check-text.ts";

const path = join(root, "tests/check/nesting.lctx");
const shape = { heads: 2, kvHeads: 2, headSize: 4, length: 16 };

/** What nests, around `s`; values stay of moderate size. */
const forms: readonly (readonly [string, string])[] = [
  ["(", ")"],
  ["-", ""],
  ["tanh(", ")"],
  ["0.5 * (1 + ", ")"],
  ["min(1, ", ")"],
  ["if q > k then 0 else ", ""],
  ["if q == k then tanh(", ") else 1"],
  ["f(", ")"],
  ["twice(", ")"],
  ["1.5 ^ -", ""],
];
/** Forms that may stand inside any other: a sign before `if` is no expression. */
const closed: typeof forms = forms.map(([open, close]) =>
  close === "" || open.startsWith("if") ? [`(${open}`, `${close})`] : [open, close],
);

const textOf = (score: string): string =>
  `attention A() {\n  let f(x) = sin(x)\n  let twice(x) = x * tanh(x)\n  mask q >= k\n  score = ${score}\n}\n`;
const nested = (chosen: readonly (readonly [string, string])[]): string =>
  `${chosen.map(([open]) => open).join("")}s${chosen
    .map(([, close]) => close)
    .reverse()
    .join("")}`;
const parses = (text: string): boolean => parseFile(path, text).diagnostics.length === 0;

/** Calls with some of the stack taken already, as by an editor. */
const below = <T>(calls: number, run: () => T): T => (calls === 0 ? run() : below(calls - 1, run));

const leaf = (type: ir.ExprType): PrintedValue => ({
  text: identifier("leaf", 0),
  type,
  form: "single",
  scope: 0,
});
const printed = (e: ir.Expr): string => {
  const { print, take } = exprPrinter(
    {
      index: () => leaf("int"),
      size: () => leaf("int"),
      scalar: () => leaf("real"),
      logit: () => leaf("real"),
      operand: (_, type) => leaf(type),
      load: (_, __, type) => leaf(type),
      uniform: () => leaf("real"),
    },
    "v",
  );
  print(e);
  return take(0).text;
};

/** Different parts of an expression. */
function parts(root: ir.Expr): number {
  const seen = new Set<ir.Expr>();
  const visit = (e: ir.Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    ir.exprChildren(e).forEach(visit);
  };
  visit(root);
  return seen.size;
}

interface Sizes {
  /** Different parts of the score and of its derivative. */
  readonly score: number;
  readonly slope: number;
  /** Statements of C that compute the derivative. */
  readonly statements: number;
}

/** Takes a score through everything that walks it, from text to C. */
async function walk(text: string): Promise<Sizes> {
  const once = await formatText(text);
  expect(await formatText(once)).toBe(once);
  const score = below(1000, () => {
    const { project, diagnostics } = checkSpec(path, text, diskHost);
    expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
    const { environment } = project!;
    const definition = environment.names.get("A")!;
    const reporter = new Reporter();
    const call = { arguments: [], span: definition.item.span };
    const method = bindArguments(definition, call, { environment, values: new Map() }, reporter)!;
    const instance = instantiateAttention(method, shape, reporter)!;
    expect(reporter.diagnostics).toEqual([]);
    return instance.phases.training.score;
  });
  return below(1000, () => {
    const slope = derivative(score, ir.logit);
    for (const e of [score, slope, simplifyExpr(score), simplifyExpr(slope)]) {
      const index = (name: string): number => (name === "q" ? 5 : 5 - 1);
      expect(typeof evaluateExpr(e, { index, logit: () => 0.3 })).toBe("number");
      printed(e);
    }
    const statements = printed(slope).split("\n").length;
    return { score: parts(score), slope: parts(slope), statements };
  });
}

/** The deepest nesting of the first of these that the parser takes. */
function deepest(chosen: readonly (readonly [string, string])[]): number {
  let depth = chosen.length;
  while (depth > 0 && !parses(textOf(nested(chosen.slice(0, depth))))) depth--;
  expect(depth).toBeGreaterThan(limits.nesting / 3);
  return depth;
}

describe("at the limit of nesting", () => {
  it.each(forms)("`%s…%s` alone", async (...form) => {
    const many = Array(limits.nesting + 1).fill(form);
    const depth = deepest(many);
    const whole = await walk(textOf(nested(many.slice(0, depth))));
    const half = await walk(textOf(nested(many.slice(0, Math.ceil(depth / 2)))));
    // Twice as deep is at most twice as large: what is used twice is shared.
    for (const key of ["score", "slope", "statements"] as const)
      expect(whole[key]).toBeLessThanOrEqual(2 * half[key]);
  });

  it("a mixture of all", async () => {
    const mixtures = fc.array(fc.constantFrom(...closed), {
      minLength: limits.nesting,
      maxLength: limits.nesting,
    });
    await fc.assert(
      fc.asyncProperty(mixtures, async (chosen) => {
        const depth = deepest(chosen);
        const { score, slope } = await walk(textOf(nested(chosen.slice(0, depth))));
        expect(score).toBeLessThan(8 * depth);
        expect(slope).toBeLessThan(24 * depth);
      }),
      // A smaller mixture would say nothing more, and each try is a search for the depth.
      { numRuns: 4, seed: 20_261_125, endOnFailure: true },
    );
  });
});

it.each(["+", "*", "-"])("chains of `%s` as long as they may be", async (op) => {
  const term = (n: number): string => (op === "*" ? "s" : `${n} * s`);
  const chain = (length: number): string => Array.from({ length }, (_, n) => term(n)).join(` ${op} `);
  const whole = await walk(textOf(chain(limits.chain)));
  const half = await walk(textOf(chain(limits.chain / 2)));
  expect(whole.slope).toBeLessThanOrEqual(2 * half.slope + 10);
  expect(parses(textOf(chain(limits.chain + 1)))).toBe(false);
});
