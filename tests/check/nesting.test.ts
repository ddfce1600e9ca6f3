/** At the limit of nesting nothing overflows the stack: parser, formatter, checker, meaning, derivative, printer of C. */
import { join } from "node:path";
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
  ["1.5 ^ -", ""],
];

const textOf = (score: string): string =>
  `attention A() {\n  let f(x) = sin(x)\n  mask q >= k\n  score = ${score}\n}\n`;
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
  return String(take(0));
};

/** Everything that walks a score, from text to C. */
async function walk(text: string): Promise<void> {
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
  below(1000, () => {
    const slope = derivative(score, ir.logit);
    for (const e of [score, slope, simplifyExpr(score), simplifyExpr(slope)]) {
      const index = (name: string): number => (name === "q" ? 5 : 5 - 1);
      expect(typeof evaluateExpr(e, { index, logit: () => 0.3 })).toBe("number");
      printed(e);
    }
  });
}

describe("at the limit of nesting", () => {
  it.each(forms.map(([open, close]) => [open, close] as const))("`%s…%s` alone", async (open, close) => {
    let depth = 3 * limits.nesting;
    while (depth > 0 && !parses(textOf(nested(Array(depth).fill([open, close]))))) depth--;
    expect(depth).toBeGreaterThan(limits.nesting / 3);
    await walk(textOf(nested(Array(depth).fill([open, close]))));
  });
});
