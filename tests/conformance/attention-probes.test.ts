/** Exact properties of attention kernels: masks by probe, empty rows, scaling, equal bits on any number of threads. */
import { describe, expect, it } from "vitest";
import * as e from "../../compiler/ir/expr.ts";
import { attentionGradientNode, attentionNode, axis } from "../../compiler/ir/graph-build.ts";
import { nodeResults } from "../../compiler/ir/graph-results.ts";
import { exprEvaluator, noValues } from "../../compiler/ir/evaluate-expr.ts";
import { newBuffers } from "../support/random-attention.ts";
import { causal, k, q, randomMask, type MaskRecipe } from "../support/random-mask.ts";
import { randomNumbers, shapeOf } from "../support/random-values.ts";
import { compileNodes, type Target } from "./support/compile-kernels.ts";
import { leaf } from "./support/random-specs.ts";
import fc from "fast-check";

const distance = e.sub(q, k);
const masks: readonly MaskRecipe[] = [
  causal,
  { name: "window 70", build: () => e.and(e.le(k, q), e.lt(distance, e.int(70))) },
  {
    name: "blocks of 64",
    build: () => e.eq(e.binary("floor-div", q, e.int(64)), e.binary("floor-div", k, e.int(64))),
  },
  { name: "strictly later", build: () => e.lt(q, k) },
  { name: "nothing", build: () => e.bool(false) },
  {
    name: "even distance",
    build: () => e.and(e.le(k, q), e.eq(e.binary("mod", distance, e.int(2)), e.int(0))),
  },
  ...fc.sample(randomMask({ documents: false, heads: 2 }), { numRuns: 40, seed: 7 }),
];
const length = 147;
const heads = 2;

/** Attention whose values are one-hot over keys: with all logits 0, output [q, k] is 1 / seen where k is seen, else 0. */
const probe = (mask: MaskRecipe) =>
  attentionNode(
    {
      regions: [
        {
          query: leaf("query", [axis("b", 1), axis("t", length), axis("h", heads), axis("d", 3)]),
          key: leaf("key", [axis("b", 1), axis("t", length), axis("g", 1), axis("d", 3)]),
          when: e.bool(true),
        },
      ],
      value: leaf("value", [axis("b", 1), axis("t", length), axis("g", 1), axis("e", length)]),
      mask: mask.build(newBuffers("probe")),
      score: e.logit,
      buffers: [],
      scale: 1,
      prepended: null,
    },
    "probe",
  );

const sizes = { batch: 1, length, threads: 2, "query-start": 0 };

describe.each<Target>(["native", "wasm"])("mask probe on %s", (target) => {
  it("sees exactly the keys that the mask says, and nothing in empty rows", async () => {
    const own = target === "native" ? masks : masks.slice(0, 12);
    const kernels = await compileNodes(own.map(probe), target);
    own.forEach((mask, n) => {
      const oneHot = Float32Array.from({ length: length * length }, (_, i) =>
        i % (length + 1) === 0 ? 1 : 0,
      );
      const zeros = [new Float32Array(length * heads * 3), new Float32Array(length * 3)];
      const [output, logSumExp] = kernels.run(
        n,
        sizes,
        [...zeros, oneHot],
        [length * heads * length, length * heads],
      );
      const seen = exprEvaluator(mask.build(newBuffers("probe")));
      const wrong: string[] = [];
      for (let row = 0; row < length; row++)
        for (let h = 0; h < heads; h++) {
          const at = (column: number): boolean =>
            seen({
              ...noValues,
              index: (name) => (name === "q" ? row : name === "k" ? column : h),
              size: () => length,
            }) !== 0;
          const count = Array.from({ length }, (_, column) => at(column)).filter(Boolean).length;
          const want = count === 0 ? 0 : Math.fround(1 / count);
          for (let column = 0; column < length; column++) {
            const given = output![(row * heads + h) * length + column]!;
            const fine = at(column) ? Math.abs(given - want) <= 2 ** -23 * want : given === 0;
            if (!fine) wrong.push(`${mask.name}: q ${row} k ${column} h ${h} has ${given}`);
          }
          const lse = logSumExp![row * heads + h]!;
          if (count === 0 ? lse !== -Infinity : Math.abs(lse - Math.log(count)) > 1e-6)
            wrong.push(`${mask.name}: q ${row} h ${h} has log-sum-exp ${lse}`);
        }
      expect(wrong.slice(0, 3)).toEqual([]);
    });
  }, 300_000);
});

describe("bits", () => {
  const shape = (groups: number) => {
    const [b, t] = [axis("b", 3), axis("t", 150)];
    const bias = leaf("bias", [axis("h", 4), axis("u", 5)]);
    const at = [e.index("h"), e.binary("min", distance, e.int(4))];
    const node = (biased: boolean) => {
      const attention = attentionNode(
        {
          regions: [
            {
              query: leaf("query", [b, t, axis("h", 4), axis("d", 9)]),
              key: leaf("key", [b, t, axis("g", groups), axis("d", 9)]),
              when: e.bool(true),
            },
          ],
          value: leaf("value", [b, t, axis("g", groups), axis("e", 6)]),
          mask: causal.build(newBuffers("bits")),
          score: biased ? e.add(e.logit, e.load(0, at)) : e.logit,
          buffers: biased ? [bias] : [],
          scale: 0.3,
          prepended: null,
        },
        "bits",
      );
      const bufferGradients = biased ? [{ buffer: 0, loads: [{ indices: at, slope: e.real(1) }] }] : [];
      return attentionGradientNode(
        attention,
        leaf("up", attention.axes),
        { scoreSlope: e.real(1), bufferGradients },
        "bits",
      );
    };
    return [node(false), node(true)];
  };
  it("are the same on any number of threads and in any run", async () => {
    const nodes = [1, 2, 4].flatMap(shape);
    const kernels = await compileNodes(nodes, "native");
    nodes.forEach((node, n) => {
      const next = randomNumbers(n + 1);
      const counts = nodeResults(node).map(({ axes }) =>
        shapeOf(axes, { batch: 3, length: 150 }).reduce((a, b) => a * b, 1),
      );
      const random = (count: number): Float32Array =>
        Float32Array.from({ length: count }, () => next() - 0.5);
      const [core] = [node.regions[0]!];
      const count = (of: { axes: typeof node.axes }): number =>
        shapeOf(of.axes, { batch: 3, length: 150 }).reduce((a, b) => a * b, 1);
      const operands = [
        core!.query,
        core!.key,
        node.value,
        ...node.buffers,
        node.output,
        node.logSumExp,
        node.outputGradient,
      ];
      const values = operands.map((operand) => random(count(operand)));
      const run = (threads: number) =>
        kernels.run(n, { batch: 3, length: 150, threads, "query-start": 0 }, values, counts);
      const first = run(1);
      for (const threads of [1, 2, 3, 5, 40]) expect(run(threads)).toEqual(first);
    });
  }, 300_000);
});
