/** Gradients against central differences: every operation, every kind of node, every score, and random graphs. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { derivative } from "../../compiler/ir/derivative.ts";
import { evaluateExpr } from "../../compiler/ir/evaluate-expr.ts";
import * as e from "../../compiler/ir/expr.ts";
import type { BinaryOp, Expr, UnaryOp } from "../../compiler/ir/expr.ts";
import { showExpr } from "../../compiler/ir/print-expr.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { checkGradients } from "../support/gradient-check.ts";
import { smoothExpr } from "../support/random-expr.ts";
import {
  attentionLayer,
  graphWith,
  plainAttention,
  plainLayers,
  randomGraph,
} from "../support/random-graph.ts";
import type { Head } from "../support/random-graph.ts";
import { causal, plainMask } from "../support/random-mask.ts";
import { scoreForms } from "../support/random-score.ts";

const sizes = { batch: 2, length: 5 };

function checkSlope(e0: Expr, at: readonly [number, number]): void {
  const value = (x: number, y: number): number =>
    evaluateExpr(e0, { operand: (n) => (n === 0 ? x : y), size: () => 0 });
  [e.operand(0), e.operand(1)].forEach((variable, n) => {
    const step = 1e-5;
    const [dx, dy] = n === 0 ? [step, 0] : [0, step];
    const measured = (value(at[0] + dx, at[1] + dy) - value(at[0] - dx, at[1] - dy)) / (2 * step);
    const slope = evaluateExpr(derivative(e0, variable), { operand: (m) => at[m]! });
    expect(Math.abs(slope - measured), showExpr(e0)).toBeLessThanOrEqual(
      2e-6 * Math.max(1, Math.abs(measured)),
    );
  });
}

describe("derivatives of operations", () => {
  const x = e.operand(0);
  const y = e.operand(1);
  const unaryCases: { readonly [K in UnaryOp]: Expr } = {
    neg: e.neg(x),
    abs: e.unary("abs", x),
    exp: e.unary("exp", x),
    log: e.unary("log", x),
    sqrt: e.unary("sqrt", x),
    tanh: e.unary("tanh", x),
    sigmoid: e.unary("sigmoid", x),
    erf: e.unary("erf", x),
    sin: e.unary("sin", x),
    cos: e.unary("cos", x),
    floor: e.toReal(e.unary("floor", x)),
    ceil: e.toReal(e.unary("ceil", x)),
    sign: e.unary("sign", x),
    "to-real": e.toReal(e.unary("floor", x)),
    "to-int": e.toReal(e.unary("to-int", x)),
    not: e.select(e.not(e.lt(x, y)), e.mul(x, x), y),
  };
  it.each(Object.entries(unaryCases))("%s", (_, body) => {
    for (const at of [
      [0.3, 2.2],
      [1.7, 0.4],
      [3.4, 3.9],
    ] as const)
      checkSlope(e.mul(body, y), at);
  });

  const whole = e.unary("floor", x);
  const binaryCases: { readonly [K in BinaryOp]: Expr } = {
    add: e.add(x, y),
    sub: e.sub(x, y),
    mul: e.mul(x, y),
    div: e.div(x, y),
    "floor-div": e.toReal(e.binary("floor-div", whole, e.int(2))),
    mod: e.toReal(e.binary("mod", whole, e.int(2))),
    pow: e.binary("pow", x, y),
    min: e.binary("min", x, y),
    max: e.binary("max", x, y),
    lt: e.select(e.lt(x, y), e.mul(x, x), y),
    le: e.select(e.le(x, y), e.mul(x, x), y),
    eq: e.select(e.eq(x, y), e.mul(x, x), y),
    and: e.select(e.and(e.lt(x, y), e.lt(x, e.real(1))), e.mul(x, x), y),
    or: e.select(e.or(e.lt(x, y), e.lt(x, e.real(1))), e.mul(x, x), y),
  };
  it.each(Object.entries(binaryCases))("%s", (_, body) => {
    for (const at of [
      [0.3, 2.2],
      [1.7, 0.4],
      [3.4, 3.9],
    ] as const)
      checkSlope(body, at);
  });

  it("random smooth expressions", () => {
    fc.assert(
      fc.property(
        smoothExpr([x, y], 4),
        fc.double({ min: -2, max: 2, noNaN: true }),
        fc.double({ min: -2, max: 2, noNaN: true }),
        (body, a, b) => checkSlope(e.toReal(body), [a, b]),
      ),
      { numRuns: 300 },
    );
  });
});

describe("gradients of graphs", () => {
  it.each(plainLayers.map((layer) => [layer.name, layer] as const))("layer: %s", (_, layer) => {
    checkGradients(graphWith([layer], "square"), sizes, 7);
    checkGradients(graphWith([layer, layer], "cross-entropy"), sizes, 8);
  });

  it.each(["cross-entropy", "tied", "head-loss", "capped", "log-sum-exp", "square"] as Head[])(
    "loss: %s",
    (head) => {
      checkGradients(graphWith([plainLayers[0]!], head), sizes, 9);
    },
  );

  it.each(scoreForms.map((make) => [make(3, 4).name, make] as const))("score: %s", (_, make) => {
    for (const n of [1, 3]) {
      const choice = { ...plainAttention, score: make(n, 4) };
      checkGradients(graphWith([attentionLayer(choice)], "square"), sizes, 10 + n);
    }
  });

  it.each([
    ["grouped heads", { group: 2 }],
    ["prepended keys", { prepended: 2 }],
    ["half rotation", { rotation: "half" }],
    ["interleaved rotation", { rotation: "interleaved" }],
    ["two regions", { regions: 2, rotation: "half" }],
    ["everything", { regions: 2, rotation: "half", prepended: 3, group: 2, score: scoreForms[6]!(3, 4) }],
  ] as const)("attention: %s", (_, changes) => {
    checkGradients(graphWith([attentionLayer({ ...plainAttention, ...changes })], "square"), sizes, 21);
  });

  it("rows without keys", () => {
    const none = { name: "later keys", build: causal.build };
    const empty = { ...none, build: () => e.lt(e.index("k"), e.sub(e.index("q"), e.int(1))) };
    checkGradients(graphWith([attentionLayer({ ...plainAttention, mask: empty })], "square"), sizes, 22);
  });

  it("every plain mask", () => {
    fc.assert(
      fc.property(plainMask(), fc.nat(1000), (mask, seed) =>
        checkGradients(
          graphWith([attentionLayer({ ...plainAttention, mask, group: 1 })], "square"),
          sizes,
          seed,
        ),
      ),
      { numRuns: 25 },
    );
  });

  it("random graphs", () => {
    fc.assert(
      fc.property(randomGraph(3), fc.nat(1000), ({ graph }, seed) => checkGradients(graph, sizes, seed)),
      { numRuns: 60 },
    );
  });

  it("a frozen parameter costs nothing and an unused one gets zeros", () => {
    const graph = graphWith([plainLayers[1]!], "cross-entropy");
    const all = differentiate(graph, ["p0", "p1", "p2", "p3", "p4"]);
    const few = differentiate(graph, ["p3"]);
    expect(few.nodes.length).toBeLessThan(all.nodes.length);
    expect(few.nodes.some((node) => node.kind === "scatter")).toBe(false);
    checkGradients(graph, sizes, 3, ["p3"]);
    expect(() => differentiate(graph, ["nothing"])).toThrow(/no parameter nothing/);
  });
});
