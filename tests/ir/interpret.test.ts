/** The interpreter on cases small enough to work out by hand, its random numbers against the runtime's, and the verifier. */
import { describe, expect, it } from "vitest";
import { evaluateExpr } from "../../compiler/ir/evaluate-expr.ts";
import { erf, floorDiv, floorMod } from "../../compiler/ir/expr-ops.ts";
import * as e from "../../compiler/ir/expr.ts";
import {
  axis,
  attentionNode,
  graphOf,
  inputNode,
  mapNode,
  parameterNode,
  reduceNode,
  reshapeNode,
  resultNode,
} from "../../compiler/ir/graph-build.ts";
import type { Axis, Node } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { philoxWord, uniformNumber } from "../../compiler/ir/philox.ts";
import { graphProblems } from "../../compiler/ir/verify-graph.ts";
import { philox } from "../../runtime/random/philox.ts";

const start = { kind: "constant", value: 0 } as const;
const tensor = (shape: number[], data: number[]): Float64Tensor => ({ shape, data: Float64Array.from(data) });

describe("operations", () => {
  it("floors division of whole numbers, for negatives too", () => {
    expect([
      floorDiv(-7, 3),
      floorMod(-7, 3),
      floorDiv(7, -3),
      floorMod(7, -3),
      floorDiv(5, 0),
      floorMod(5, 0),
    ]).toEqual([-3, 2, -3, -2, 0, 0]);
  });
  it("knows the error function", () => {
    // Abramowitz and Stegun, table 7.1, and 1 − erfc(3) to 16 digits.
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 14);
    expect(erf(-1)).toBeCloseTo(-0.8427007929497149, 14);
    expect(erf(2.4)).toBeCloseTo(0.999311486103355, 14);
    expect(erf(3)).toBeCloseTo(0.9999779095030014, 14);
    expect([erf(0), erf(Infinity), erf(-Infinity)]).toEqual([0, 1, -1]);
  });
  it("takes only the branch it needs", () => {
    const guarded = e.select(e.lt(e.index("q"), e.int(1)), e.real(0), e.load(0, [e.index("q")]));
    const load = (): never => {
      throw new Error("loaded");
    };
    expect(evaluateExpr(guarded, { index: () => 0, load })).toBe(0);
    expect(() => evaluateExpr(guarded, { index: () => 1, load })).toThrow("loaded");
  });
});

describe("random numbers", () => {
  it("are the runtime's words, from the key (seed, stream) and counter (element, step)", () => {
    for (const [seed, stream, step, element] of [
      [0, 0, 0, 0],
      [0xffffff, 5, 123456, 2 ** 33 + 9],
      [42, 0xffffffff, 1, 77],
    ] as const) {
      const counter = [element % 2 ** 32, Math.floor(element / 2 ** 32), step, 0] as const;
      expect(philoxWord([seed, stream], counter)).toBe(philox([seed, stream], counter)[0]);
      expect(uniformNumber(seed, stream, step, element)).toBe(
        (philox([seed, stream], counter)[0] >>> 8) / 2 ** 24,
      );
    }
  });
});

describe("attention", () => {
  const [b, t] = [axis("b", { kind: "batch" }), axis("t", { kind: "length", plus: 0, by: 1 })];
  /** A tensor of the row's own numbers: row t holds t + 1 in every element. */
  const rows = (axes: readonly Axis[]): Node =>
    mapNode([inputNode("tokens")], e.toReal(e.operand(0, "int")), "x", axes);
  const attend = (mask: e.Expr, prepended: boolean) => {
    const query = rows([b, t, axis("h", 1), axis("d", 1)]);
    const key = rows([b, t, axis("g", 1), axis("d", 1)]);
    const early = prepended
      ? {
          key: parameterNode("pk", [axis("p", 1), axis("g", 1), axis("d", 1)], start),
          value: parameterNode("pv", [axis("p", 1), axis("g", 1), axis("d", 1)], start),
        }
      : null;
    const core = { value: key, mask, score: e.logit, buffers: [], scale: 1, prepended: early };
    return attentionNode({ ...core, regions: [{ query, key, when: e.bool(true) }] }, "attention");
  };
  const run = (mask: e.Expr, prepended: boolean, values: number[]) => {
    const node = attend(mask, prepended);
    // Tokens are shared by all maps, so one input node serves.
    const graph = graphOf({ output: node, size: resultNode(node, 1) });
    const inputs = new Map([
      ["input:tokens", tensor([1, values.length], values)],
      ["pk", tensor([1, 1, 1], [0.5])],
      ["pv", tensor([1, 1, 1], [10])],
    ]);
    return interpret(graph, inputs, { batch: 1, length: values.length });
  };

  it("averages by the exponential of the logit", () => {
    const results = run(e.le(e.index("k"), e.index("q")), false, [1, 2]);
    const [near, far] = [Math.exp(4), Math.exp(2)];
    expect(results.get("output")!.data[0]).toBe(1);
    expect(results.get("output")!.data[1]).toBeCloseTo((2 * near + far) / (near + far), 12);
    expect(results.get("size")!.data[1]).toBeCloseTo(Math.log(near + far), 12);
  });
  it("gives 0 and −∞ for a row without keys", () => {
    const results = run(e.lt(e.index("k"), e.index("q")), false, [1, 2]);
    expect([...results.get("output")!.data]).toEqual([0, 1]);
    expect(results.get("size")!.data[0]).toBe(-Infinity);
  });
  it("lets every row see prepended keys", () => {
    const results = run(e.bool(false), true, [1, 2]);
    expect([...results.get("output")!.data]).toEqual([10, 10]);
    expect(results.get("size")!.data[1]).toBeCloseTo(1, 12);
  });
});

describe("wrong graphs", () => {
  const x = parameterNode("x", [axis("i", 4)], start);
  it("are refused when made", () => {
    expect(() => mapNode([x], e.operand(1), "m")).toThrow(/reads operand 1 of 1/);
    expect(() => mapNode([x], e.index("j"), "m")).toThrow(/reads index j/);
    expect(() => reduceNode("sum", x, ["j"], "r")).toThrow(/no axis j/);
    expect(() => reshapeNode(x, [axis("m", 3)], "s")).toThrow(/becomes/);
  });
  it("are found when rebuilt wrongly", () => {
    const map = mapNode([x], e.operand(0), "m");
    const good = graphOf({ logits: map });
    expect(graphProblems(good)).toEqual([]);
    expect(graphProblems({ ...good, nodes: good.nodes.toReversed() })[0]).toMatch(/before its operand/);
    const twin = parameterNode("x", [axis("i", 4)], start);
    expect(graphProblems(graphOf({ logits: mapNode([x, twin], e.operand(0), "m") }))[0]).toMatch(
      /second parameter x/,
    );
    expect(graphProblems({ nodes: [x], outputs: new Map([["logits", map]]) })).toEqual([
      "output logits is not among the nodes",
    ]);
    const other = parameterNode("y", [axis("i", 4)], start);
    expect(
      graphProblems(graphOf({ "gradient:x": reduceNode("sum", x, ["i"], "g"), logits: other }))[0],
    ).toMatch(/differs from its parameter/);
  });
});
