/** Whole programs for a GPU, run on the host thread by thread, against the interpreter: products, rows, the update. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, lt, mul, operand, real, select, uniform } from "../../compiler/ir/expr.ts";
import { axis, graphOf, mapNode, parameterNode, reduceNode } from "../../compiler/ir/graph-build.ts";
import { graphChoices, randomRowsGraphs } from "../schedule/random-rows-graph.ts";
import { build, expectClose, fillModel, meaningOf } from "../schedule/support.ts";
import { openHostDevice } from "./host-program.ts";

describe("programs for a GPU, on the host", () => {
  it("mean what the interpreter says: random graphs", { timeout: 60_000 }, async () => {
    const device = openHostDevice();
    await fc.assert(
      fc.asyncProperty(
        fc.array(graphChoices, { minLength: 8, maxLength: 8 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 37 }),
        async (choices, batch, length) => {
          const built = await build({ loss: randomRowsGraphs(choices) }, device, { batch, length });
          fillModel(built, 2, 1);
          built.model.run("loss", {});
          for (const [name, want] of meaningOf(built, "loss"))
            expectClose(built.model.tensor(name), want.data, 2e-5, name);
          built.model.close();
        },
      ),
      { numRuns: 2, seed: 5, endOnFailure: true },
    );
  });

  it("draw the interpreter's random numbers", async () => {
    const rows = axis("r", 37);
    const x = parameterNode("x", [rows, axis("i", 45)], { kind: "normal", deviation: 1 });
    const dropped = mapNode([x], select(lt(uniform(4), real(0.3)), real(0), operand(0)), "dropped");
    const total = reduceNode("sum", dropped, ["i"], "total");
    const noisy = mapNode([total], add(operand(0), uniform(9)), "noisy");
    const wide = mapNode(
      [parameterNode("y", [rows, axis("k", 8)], { kind: "normal", deviation: 1 })],
      mul(operand(0), uniform(2)),
      "wide",
    );
    const built = await build({ loss: graphOf({ dropped, noisy, wide }) }, openHostDevice(), {
      batch: 1,
      length: 1,
    });
    fillModel(built, 2, 1);
    const random = { seed: 12_345, step: 7 };
    built.model.run("loss", random);
    for (const [name, want] of meaningOf(built, "loss", random))
      expectClose(built.model.tensor(name), want.data, 1e-6, name);
    expect(built.model.checksGradients).toBe(true);
  });
});
