/** Kernels of rotations, gathers, copies and losses against the interpreter, natively and in wasm. */
import { describe, expect, it } from "vitest";
import * as build from "../../compiler/ir/graph-build.ts";
import { nodeOperands } from "../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../compiler/ir/graph-results.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import { compileNodes, type Target } from "./support/compile-kernels.ts";
import { caseInputs, nodeCases } from "./support/node-cases.ts";

const lengths = [1, 5, 33, 140];
/** Sums over 1030 logits or 280 rows, of numbers of size 1. */
const tolerance = 2e-5;

describe.each<Target>(["native", "wasm"])("kernels on %s", (target) => {
  it("mean what the interpreter says", async () => {
    const names = Object.keys(nodeCases);
    const kernels = await compileNodes(Object.values(nodeCases), target);
    const failures: string[] = [];
    for (const length of lengths)
      names.forEach((name, n) => {
        const node = nodeCases[name]!;
        const sizes = { batch: 2, length, threads: 2, "query-start": 0 };
        const { outputs, inputs } = caseInputs(node, length * 100 + n, sizes);
        // Operands that other nodes compute are outputs of the reference, rounded.
        nodeOperands(node).forEach((operand, o) => (outputs[`o${o}`] = operand));
        const found = interpret(build.graphOf(outputs), inputs, sizes, {});
        const operands = nodeOperands(node).map((operand, o) => {
          const { data } = found.get(`o${o}`)!;
          return operand.dtype === "i32" ? Int32Array.from(data) : Float32Array.from(data);
        });
        const results = nodeResults(node).map((_, r) => found.get(`r${r}`)!.data);
        const given = kernels.run(
          n,
          sizes,
          operands,
          results.map((result) => result.length),
        );
        results.forEach((want, r) => {
          const moves = ["gather", "reshape", "concat", "slice"].includes(node.kind);
          const bad = want.findIndex(
            (value, i) => !(Math.abs(given[r]![i]! - value) <= (moves ? 0 : tolerance)),
          );
          if (bad >= 0)
            failures.push(
              `${name} result ${r}, length ${length}: ${given[r]![bad]} for ${want[bad]} at ${bad}`,
            );
        });
      });
    expect(failures).toEqual([]);
  }, 300_000);
});
