/** Attention on TensorFlow.js takes memory by the row, not by the pair, and leaves out tiles that a mask leaves empty. */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import * as e from "../../compiler/ir/expr.ts";
import { attentionSlopes } from "../../compiler/ir/attention-slopes.ts";
import {
  attentionGradientNode,
  attentionNode,
  axis,
  batchAxis,
  graphOf,
  resultNode,
  tokenAxis,
} from "../../compiler/ir/graph-build.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { openBackend } from "../../runtime/tfjs/backend.ts";
import { tileSizes } from "../../runtime/tfjs/pair-walk.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { randomInputs } from "../support/random-values.ts";
import { runGraph } from "./support/run-graph.ts";

const [q, k] = [e.index("q"), e.index("k")];
const causal = e.le(k, q);

function attentionWith(mask: e.Expr): Graph {
  const rows = (name: string, head: string) =>
    leaf(name, [batchAxis, tokenAxis, axis(head, 1), axis("d", 4)]);
  const value = leaf("value", [batchAxis, tokenAxis, axis("g", 1), axis("e", 4)]);
  const attention = attentionNode(
    {
      regions: [{ query: rows("query", "h"), key: rows("key", "g"), when: e.bool(true), turn: null }],
      value,
      mask,
      score: e.logit,
      weight: null,
      sink: null,
      buffers: [],
      scale: 0.5,
      prepended: null,
    },
    "attention",
  );
  const upstream = leaf("upstream", attention.axes);
  const slopes = attentionSlopes(attention, () => true);
  const gradient = attentionGradientNode(attention, upstream, slopes, "gradient");
  return graphOf({
    output: attention,
    query: gradient,
    key: resultNode(gradient, 1),
    value: resultNode(gradient, 2),
  });
}

const profiled = (graph: Graph, length: number): ReturnType<typeof tf.profile> => {
  const sizes = { batch: 1, length };
  const inputs = randomInputs(graph, sizes, 3, { single: true });
  return tf.profile(() => {
    runGraph(graph, inputs, sizes);
    return tf.scalar(0);
  });
};

const productsOf = async (mask: e.Expr): Promise<number> => {
  const { kernels } = await profiled(attentionWith(mask), 256);
  return kernels.filter(({ name }) => name === "BatchMatMul").length;
};

beforeAll(async () => {
  await openBackend("cpu");
  tileSizes.rows = 16;
  tileSizes.keys = 16;
});

it("twice the tokens take twice the memory", async () => {
  const graph = attentionWith(causal);
  // A profile is one object that the next one overwrites.
  const { peakBytes: one } = await profiled(graph, 256);
  const { peakBytes: two } = await profiled(graph, 512);
  const ratio = two / one;
  expect(ratio).toBeGreaterThan(1.5);
  expect(ratio).toBeLessThan(2.3);
});

it("a window leaves out what a causal mask sees, and a mask that sees no pair leaves out everything", async () => {
  // 16 blocks of rows: 136 tiles lie on or below the diagonal, 31 of them within a window of 16. A tile takes two
  // products forward and five backward.
  expect(await productsOf(causal)).toBe(136 * 7);
  expect(await productsOf(e.and(causal, e.lt(e.sub(q, k), e.int(16))))).toBe(31 * 7);
  expect(await productsOf(e.and(causal, e.lt(q, k)))).toBe(0);
});
