/** Every rotation of the library against the frequencies that its authors compute. */
import { describe, expect, it } from "vitest";
import * as authors from "../../examples/rope-extension/reference.ts";
import { instantiateRotation } from "../../compiler/check/instantiate-rotation.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import type { RotationMeaning } from "../../compiler/ir/attention-meaning.ts";
import { exprEvaluator, noValues } from "../../compiler/ir/evaluate-expr.ts";
import type { Expr } from "../../compiler/ir/expr.ts";
import { rotateNode, axis, batchAxis, graphOf, tokenAxis } from "../../compiler/ir/graph-build.ts";
import * as ir from "../../compiler/ir/expr.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import { rotated } from "../../examples/dense.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { diskHost } from "../support/check-text.ts";
import { randomNumbers, fillTensor } from "../support/random-values.ts";
import { furthest, methodSetting } from "./support.ts";

/** The meaning of a call such as `yarn(factor: 2, trained: 128)` for heads of `size` numbers. */
function meaningOf(call: string, size: number): RotationMeaning {
  const text = `model M = decoder { vocab 8  layers 1  heads 2  width 16  length 16  rope ${call} }`;
  const { project, diagnostics } = checkSpec("spec.lctx", text, diskHost);
  expect(diagnostics.map(({ title }) => title)).toEqual([]);
  const reporter = new Reporter();
  const meaning = instantiateRotation(
    methodSetting([...project!.models.values()][0]!, "rope"),
    size,
    reporter,
  );
  expect(reporter.diagnostics).toEqual([]);
  return meaning!;
}

const at = (e: Expr, m: number): number => exprEvaluator(e)({ ...noValues, index: () => m });

const laws: readonly (readonly [string, authors.Frequencies])[] = [
  ["rotary()", authors.rotary],
  ["interpolated(2)", authors.interpolated(2)],
  ["interpolated(8.5)", authors.interpolated(8.5)],
  ["ntk(4)", authors.ntk(4)],
  ["yarn(factor: 2, trained: 128)", authors.yarn(2, 128)],
  ["yarn(factor: 16, trained: 4096)", authors.yarn(16, 4096)],
  ["yarn(factor: 0.5, trained: 128)", authors.yarn(0.5, 128)],
  ["llama3()", authors.llama3],
  ["truncated(trained: 2048)", authors.truncated(2048)],
  ["truncated(trained: 128)", authors.truncated(128)],
  ["power(0.5)", authors.power(0.5)],
  ["power(2)", authors.power(2)],
];

const sizes = [8, 16, 20, 32, 64, 80, 96, 128];

describe.each(laws)("%s", (call, law) => {
  it.each(sizes)("has its authors' frequencies for %i dimensions", (size) => {
    const meaning = meaningOf(call, size);
    expect([meaning.rotated, meaning.layout]).toEqual([size, "half"]);
    const wanted = law(size);
    expect(wanted.length).toBe(size / 2);
    wanted.forEach((frequency, m) => {
      expect(Math.abs(at(meaning.angle, m) - frequency)).toBeLessThanOrEqual(1e-13 * frequency);
    });
    const factor = /^yarn\(factor: ([\d.]+)/.exec(call)?.[1];
    expect(at(meaning.scale, 0)).toBe(factor === undefined ? 1 : authors.yarnScale(Number(factor)));
  });
});

describe("rotation", () => {
  it("turns pairs half a head apart by position times frequency", () => {
    const [batch, length, heads, size] = [2, 9, 3, 8];
    const { angle, scale, layout, rotated: count } = meaningOf("rotary()", size);
    const x = leaf("x", [batchAxis, tokenAxis, axis("h", heads), axis("d", size)]);
    const position = ir.index("x");
    const node = rotateNode(x, { position, angle, scale, layout, rotated: count }, "rotation");
    const given = fillTensor([batch, length, heads, size], randomNumbers(4));
    const result = interpret(graphOf({ y: node }), new Map([["x", given]]), { batch, length }).get("y")!;
    for (let row = 0; row < batch * length * heads; row++) {
      const own = (data: Float64Array): Float64Array => data.slice(row * size, (row + 1) * size);
      const want = rotated(own(given.data), Math.floor(row / heads) % length);
      expect(furthest(own(result.data), want)).toBeLessThan(1e-12);
    }
  });

  it("may be none", () => {
    expect(meaningOf("none()", 8).rotated).toBe(0);
  });
});
