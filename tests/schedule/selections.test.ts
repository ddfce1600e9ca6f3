/** Graphs of blocks, selections and tables of a batch on the native device, forward and gradient, against the interpreter. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../compiler/passes/pipeline.ts";
import type { Device } from "../../runtime/device/device.ts";
import { parametersOf } from "../support/gradient-check.ts";
import { graphWith } from "../support/random-graph.ts";
import { constantLayer, selectionLayers } from "../support/random-selections.ts";
import { build, expectClose, fillModel, meaningOf, openNative } from "./support.ts";

let device: Device;
beforeAll(async () => {
  device = await openNative();
});
afterAll(() => device.close());

describe("layers", () => {
  it.each([...selectionLayers, constantLayer].map((layer) => [layer.name, layer] as const))(
    "%s",
    async (_, layer) => {
      const graph = graphWith([layer], "square");
      const train = differentiate(graph, parametersOf(graph));
      const built = await build({ loss: graph, train: optimizeGraph(train) }, device, {
        batch: 2,
        length: 5,
      });
      for (const length of [5, 33, 70]) {
        built.model.resize({ batch: 2, length });
        fillModel(built, 7, 1);
        for (const phase of ["loss", "train"] as const) {
          built.model.run(phase, {});
          const meaning = meaningOf(built, phase);
          expect(meaning.size).toBeGreaterThan(0);
          for (const [name, want] of meaning)
            expectClose(built.model.tensor(name), want.data, 5e-5, `${phase} ${name}, length ${length}`);
        }
      }
      built.model.close();
    },
  );
});
