/** Definitions that use one another twice at each level are refused after a counted number of steps, wherever they stand. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkText, root } from "../support/check-text.ts";

const path = join(root, "tests/check/doubling.lctx");
const levels = Array.from({ length: 40 }, (_, n) => n + 1);
/** A first definition and forty more, each of which uses the one before twice. */
const chain = (
  first: string,
  next: (n: number, before: string, name: string) => string,
  name: string,
): string => [first, ...levels.map((n) => next(n, `${name}${n - 1}`, `${name}${n}`))].join("\n");

const model = "model S = decoder { vocab 8   layers 1   heads 2   width 8   length 16 }\n";
// A reduction: what holds one is checked where it is used only.
const reducing = chain(
  "let f0(x) = sum[i] x",
  (_, before, name) => `let ${name}(x) = ${before}(x) + ${before}(x) + sum[i] x`,
  "f",
);

describe("definitions that double with each level", () => {
  it.each([
    [
      "masks",
      `${chain("mask m0 = q >= k", (_, b, n) => `mask ${n} = ${b} and ${b}`, "m")}\nattention A() { mask m40 }`,
    ],
    [
      "lets of an attention",
      `attention A() {\n${chain("let a0[h, q] = ordinal(q)", (_, b, n) => `let ${n}[h, q] = ${b} + ${b}`, "a")}\nmask q >= k\nscore = s * a40\n}`,
    ],
    [
      "functions of an attention",
      `attention A() {\n${chain("let a0(x) = x", (_, b, n) => `let ${n}(x) = ${b}(x) + ${b}(x)`, "a")}\nmask q >= k\nscore = a40(s)\n}`,
    ],
    [
      "functions of a module",
      `${reducing}\nmodule M(width: Count) { input x[i: width]   output x * f40(x) }\nmodel S = M { width 8 }`,
    ],
    ["functions in a setting", `${reducing}\n${model.replace("width 8", "width f40(8)")}`],
    [
      "defaults of attentions",
      `${chain(
        "attention A0() { mask q >= k }",
        (_, b, n) => `attention ${n}(x: Attention = ${b}(), y: Attention = ${b}()) { mask q >= k }`,
        "A",
      )}\n${model.replace("length 16", "length 16   attention A40()")}`,
    ],
    [
      "functions of a rule",
      `${reducing}\noptimizer o(lr: Real) { update w - lr * f40(g) }\n${model}train S { data tokens "t.txt"   loss next_token   optimizer o(lr: 1)   schedule constant over 2   batch 1 sequences }`,
    ],
  ])("%s", (_, text) => {
    expect(checkText(text, path).map(({ code }) => code)).toContain("inlining-too-large");
  });

  it("modules are counted instead", () => {
    const text = chain(
      "module M0(width: Count) { input x[i: width]   output x }",
      (_, b, n) =>
        `module ${n}(width: Count) { input x[i: width]   child a = ${b}(width)   child b = ${b}(width)   output a(b(x)) }`,
      "M",
    );
    expect(checkText(`${text}\nmodel S = M40 { width 8 }`, path).map(({ code }) => code)).toContain(
      "module-size",
    );
  });

  it("a few levels are none of that", () => {
    const few = reducing.split("\n").slice(0, 8).join("\n");
    const text = `${few}\nmodule M(width: Count) { input x[i: width]   output x * f7(x) }\nmodel S = M { width 8 }`;
    expect(checkText(text, path).map(({ code }) => code)).not.toContain("inlining-too-large");
  });
});
