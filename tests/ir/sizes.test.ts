/** Sizes in blocks of the length, alike wherever they are computed, and holes of a graph being filled. */
import { describe, expect, it } from "vitest";
import { axisExtent } from "../../compiler/ir/axis-extent.ts";
import { evaluateExpr } from "../../compiler/ir/evaluate-expr.ts";
import * as e from "../../compiler/ir/expr.ts";
import {
  addSizes,
  blocksOf,
  fixedSize,
  lengthSize,
  showSize,
  shrinkSize,
  sizeDifference,
  sizeExpr,
  wordsOf,
} from "../../compiler/ir/graph-axes.ts";
import { blockReduceNode, fillHoles, holeNode } from "../../compiler/ir/graph-build-pairs.ts";
import { axis, graphOf, mapNode, parameterNode } from "../../compiler/ir/graph-build.ts";
import { nodeOperands } from "../../compiler/ir/graph-operands.ts";
import { extents } from "../../compiler/ir/interpret-tensor.ts";
import { graphProblems, verifyGraph } from "../../compiler/ir/verify-graph.ts";
import { evaluateSize } from "../../runtime/program.ts";

const sizes = { batch: 3, threads: 1, "query-start": 0 };

describe("sizes", () => {
  it("are shown", () => {
    const all = [lengthSize(), lengthSize(4), lengthSize(-1), lengthSize(0, 64), lengthSize(4, 64)];
    expect(all.map(showSize)).toEqual(["length", "length+4", "length-1", "length/64", "(length+4)/64"]);
  });
  it("are the same to the interpreter, to programs and to expressions", () => {
    for (const plus of [-3, 0, 1, 5])
      for (const by of [1, 2, 7, 64])
        for (let length = 1; length < 140; length += 3) {
          const [size, want] = [lengthSize(plus, by), Math.ceil((length + plus) / by)];
          expect(extents([axis("n", size)], { batch: 3, length })[0]! - want).toBe(0);
          expect(evaluateSize(axisExtent(size), { ...sizes, length }) - want).toBe(0);
          expect(evaluateExpr(sizeExpr(size), { size: () => length }) - want).toBe(0);
        }
  });
  it("are exact where a quotient of floats is not", () => {
    const length = 2 ** 53 - 1;
    expect(evaluateSize(["ceil-div", "length", 3], { ...sizes, length })).toBe(3002399751580331);
  });
  it("of blocks of blocks are of larger blocks", () => {
    expect(blocksOf(blocksOf(lengthSize(2), 16), 4)).toEqual(lengthSize(2, 64));
    expect(wordsOf(blocksOf(lengthSize(), 64))).toEqual(lengthSize(0, 2048));
    expect([blocksOf(fixedSize(65), 64), wordsOf(fixedSize(64))]).toEqual([fixedSize(2), fixedSize(2)]);
  });
  it("add and subtract in whole blocks", () => {
    const blocks = lengthSize(1, 4);
    expect(addSizes([fixedSize(2), blocks, fixedSize(1)])).toEqual(lengthSize(13, 4));
    expect(addSizes([blocks, blocks])).toBe(null);
    expect(shrinkSize(blocks, 2)).toEqual(lengthSize(-7, 4));
    expect(sizeDifference(lengthSize(13, 4), blocks)).toBe(3);
    expect(sizeDifference(lengthSize(12, 4), blocks)).toBe(null);
    expect(sizeDifference(lengthSize(1, 8), blocks)).toBe(null);
  });
});

describe("holes", () => {
  const axes = [axis("n", 4)];
  const hole = holeNode("Q", axes, "attention");
  const shared = mapNode([hole], e.unary("exp", e.operand(0)), "shared");
  const users = [blockReduceNode("sum", shared, "n", 2, "a"), blockReduceNode("max", shared, "n", 2, "b")];
  const filling = parameterNode("w", axes, { kind: "constant", value: 0 });

  it("are filled once, and what they share stays shared", () => {
    let asked = 0;
    const [a, b] = fillHoles(users, (name) => {
      asked++;
      expect(name).toBe("Q");
      return filling;
    });
    expect(asked).toBe(1);
    expect(nodeOperands(a!)[0]).toBe(nodeOperands(b!)[0]);
    const graph = graphOf({ a: a!, b: b! });
    expect(graph.nodes.filter((node) => node.kind === "hole")).toEqual([]);
    expect(graph.nodes.includes(filling)).toBe(true);
    expect(graphProblems(graph)).toEqual([]);
  });
  it("must be filled, by what fits", () => {
    expect(() => verifyGraph(graphOf({ logits: users[0]! }), "lowering")).toThrow(/"Q" was not filled/);
    const other = parameterNode("v", [axis("n", 5)], { kind: "constant", value: 0 });
    expect(() => fillHoles(users, () => other)).toThrow(
      /hole Q of attention is f32 \[n: 4\], filled by f32 \[n: 5\]/,
    );
  });
});
