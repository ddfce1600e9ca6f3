/** Gradients of tables that each row of a batch has its own of: any number of rows shares out the sums that kernels keep. */
import { expect, it } from "vitest";
import { attentionSlopes } from "../../compiler/ir/attention-slopes.ts";
import * as e from "../../compiler/ir/expr.ts";
import { lengthSize } from "../../compiler/ir/graph-axes.ts";
import { attentionGradientNode, attentionNode, axis } from "../../compiler/ir/graph-build.ts";
import { nodeOperands } from "../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../compiler/ir/graph-results.ts";
import { nodeKernel } from "../../compiler/backends/cpu/node-kernels.ts";
import type { Node } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import { graphOf } from "../../compiler/ir/graph-build.ts";
import { evaluateSize } from "../../runtime/program.ts";
import { b, causal, h, k, q, t } from "../support/pair-cases.ts";
import { fillTensor, randomNumbers, shapeOf } from "../support/random-values.ts";
import { compileNodes } from "./support/compile-kernels.ts";
import { leaf } from "./support/random-specs.ts";
import { alone, meaningOf, nodeProblems, type ComparedNode } from "./support/routed/node-checks.ts";

const y = axis("y", lengthSize());
const [heads, groups] = [axis("h", 2), axis("g", 1)];

/** Attention whose score reads tables of the batch, beside one that all rows share; with a sink or a weight of its own. */
function gradientOf(parts: "plain" | "sink" | "weight"): ComparedNode {
  const score = e.add(e.mul(e.logit, e.load(0, [k])), e.mul(e.load(1, [h]), e.load(2, [h, q])));
  const attention = attentionNode(
    {
      regions: [
        {
          query: leaf("q", [b, t, heads, axis("d", 4)]),
          key: leaf("k", [b, y, groups, axis("d", 4)]),
          when: e.bool(true),
        },
      ],
      value: leaf("v", [b, y, groups, axis("e", 3)]),
      mask: causal,
      score: parts === "weight" ? e.logit : score,
      sink: parts === "sink" ? e.load(2, [h, q]) : null,
      weight:
        parts === "weight"
          ? {
              row: { guard: causal, score },
              block: null,
              cases: [{ when: e.bool(true), row: "self", local: false, factor: null }],
            }
          : null,
      buffers: [leaf("gate", [b, y]), leaf("slope", [heads]), leaf("lift", [b, heads, t])],
      scale: 0.5,
      prepended: null,
    },
    "attention",
  );
  const slopes = attentionSlopes(attention, () => true);
  expect(slopes.bufferGradients).toHaveLength(3);
  return attentionGradientNode(attention, leaf("up", attention.axes), slopes, "gradient") as ComparedNode;
}

it("are what the interpreter says for few and many rows", async () => {
  const nodes = (["plain", "sink", "weight"] as const).map(gradientOf);
  const own = nodes.map((node) => alone(node));
  const kernels = await compileNodes(
    own.map(({ node }) => node),
    "native",
  );
  const failures: string[] = [];
  for (const batch of [1, 2, 3, 15, 16, 17, 31, 33, 50])
    nodes.forEach((original, n) => {
      const sizes = { batch, length: 7, threads: 3, "query-start": 0 };
      const { node, paths } = own[n]!;
      const next = randomNumbers(batch);
      const outputs: Record<string, Node> = {};
      nodeOperands(original).forEach((operand, o) => (outputs[`o${o}`] = operand));
      const graph = graphOf(outputs);
      const leaves = graph.nodes.filter((one) => one.kind === "parameter");
      const inputs = new Map(
        leaves.map((one) => [one.path, fillTensor(shapeOf(one.axes, sizes), () => 2 * next() - 1, true)]),
      );
      const found = interpret(graph, inputs, sizes, {});
      const values = new Map(
        paths.map((path, o) => {
          const { shape, data } = found.get(`o${o}`)!;
          return [path, { shape, data: data.map(Math.fround) }];
        }),
      );
      const wants = meaningOf(node, values, sizes);
      const given = kernels.run(
        n,
        sizes,
        paths.map((path) => Float32Array.from(values.get(path)!.data)),
        nodeResults(node).map(({ axes }) => shapeOf(axes, sizes).reduce((x, z) => x * z, 1)),
      );
      const problems = nodeProblems(node, (path) => values.get(path)!, sizes, wants, given);
      failures.push(...problems.map((problem) => `${n}, ${batch} rows: ${problem}`));
    });
  expect(failures).toEqual([]);
}, 120_000);

it("take room for the rows that a share may touch, not for all", () => {
  const { scratch } = nodeKernel(gradientOf("plain"));
  const room = (batch: number): number =>
    evaluateSize(scratch!.elements, { batch, length: 1000, threads: 1, "query-start": 0 });
  // 16 shares of doubles hold [1000] and [2, 1000] of each row that they may touch, the first of one alone.
  const shares = (rows: number): number => 16 * 2 * rows * 3000;
  const others = (batch: number, rows: number): number => room(batch) - shares(rows);
  expect(others(1, 1)).toBeGreaterThan(0);
  const each = others(2, 2) - others(1, 1);
  for (const batch of [3, 8, 16]) expect(others(batch, 2) - others(1, 1)).toBe((batch - 1) * each);
});
