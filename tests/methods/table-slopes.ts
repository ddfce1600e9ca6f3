/** The gradient of what a teacher asks along random directions of an attention's tables, and differences of a reference. */
import { graphOf } from "../../compiler/ir/graph-build.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { randomNumbers } from "../support/random-values.ts";
import type { Elaborated, Row } from "./elaborated.ts";

/** For each table: the slope that the derivative gives, and the one that steps of 1e-5 of the reference measure. */
export function tableSlopes(
  one: Elaborated,
  length: number,
  paths: readonly string[],
  lossOf: (row: Row) => number,
): readonly { readonly along: number; readonly measured: number }[] {
  const loss = one.graph.outputs.get("teacher0")!;
  const graph = differentiate(graphOf({ loss }), paths);
  const unit: Float64Tensor = { shape: [], data: Float64Array.of(1) };
  const gradients = interpret(graph, new Map([...one.inputs, ["input:loss-scale", unit]]), {
    batch: one.rows.length,
    length,
  });
  const next = randomNumbers(3);
  return paths.map((path) => {
    const given = one.inputs.get(path)!.data;
    const gradient = gradients.get(`gradient:${path}`)!.data;
    const direction = given.map(() => 2 * next() - 1);
    const total = (step: number): number =>
      one.rows.reduce((sum, row) => {
        const moved = given.map((x, n) => x + step * direction[n]!);
        return sum + lossOf({ ...row, tables: { ...row.tables, [path]: moved } });
      }, 0);
    const along = gradient.reduce((sum, x, n) => sum + x * direction[n]!, 0);
    return { along, measured: (total(1e-5) - total(-1e-5)) / 2e-5 };
  });
}
