/** Gradients of layers over blocks, selections and tables of a batch against central differences; what counts as constant. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as e from "../../compiler/ir/expr.ts";
import { blockReduceNode } from "../../compiler/ir/graph-build-pairs.ts";
import { graphOf, mapNode, reduceNode } from "../../compiler/ir/graph-build.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { checkGradients, parametersOf } from "../support/gradient-check.ts";
import { graphWith, plainLayers } from "../support/random-graph.ts";
import { constantLayer, selectionLayers } from "../support/random-selections.ts";
import { randomInputs } from "../support/random-values.ts";
import { newBuilder } from "../support/random-graph.ts";

describe("gradients", () => {
  it.each(selectionLayers.map((layer) => [layer.name, layer] as const))("layer: %s", (_, layer) => {
    for (const length of [1, 2, 5, 6]) checkGradients(graphWith([layer], "square"), { batch: 2, length }, 7);
    checkGradients(graphWith([layer, layer], "cross-entropy"), { batch: 2, length: 7 }, 8);
  });

  it("random graphs", () => {
    const any = fc.constantFrom(...selectionLayers, ...plainLayers);
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 3 }), fc.nat(1000), (layers, seed) =>
        checkGradients(graphWith(layers, "square"), { batch: 2, length: 5 }, seed),
      ),
      { numRuns: 40 },
    );
  });

  it("elements that share an extreme share its gradient", () => {
    const make = newBuilder();
    const x = make.parameter({ n: 5 });
    const loss = blockReduceNode("max", x, "n", 3, "max", "m");
    const whole = mapNode(
      [reduceNode("sum", loss, ["m"], "sum")],
      e.operand(0),
      "loss",
      make.input("tokens").axes,
    );
    const graph = differentiate(graphOf({ loss: whole }), ["p0"]);
    const inputs = randomInputs(graph, { batch: 1, length: 1 }, 1);
    inputs.set("p0", { shape: [5], data: Float64Array.of(2, 1, 2, -1, -1) });
    inputs.set("input:loss-scale", { shape: [], data: Float64Array.of(1) });
    const found = interpret(graph, inputs, { batch: 1, length: 1 });
    expect([...found.get("gradient:p0")!.data]).toEqual([0.5, 0, 0.5, 0.5, 0.5]);
  });

  it("folds over pairs and log-sum-exps count as constants", () => {
    const graph = graphWith([constantLayer], "square");
    const paths = parametersOf(graph);
    const full = differentiate(graph, paths);
    const inputs = randomInputs(full, { batch: 2, length: 5 }, 3);
    const found = interpret(full, inputs, { batch: 2, length: 5 });
    const zero = paths.filter((path) => found.get(`gradient:${path}`)!.data.every((x) => x === 0));
    // The embedding gets a gradient through the stream; the projections that only folds read get none.
    expect(zero.length).toBe(paths.length - 1);
    expect(zero).not.toContain("p0");
  });
});
