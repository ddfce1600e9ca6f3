/** Weights, sinks and turned queries in the interpreter, against formulas written from the mathematics. */
import { describe, expect, it } from "vitest";
import { attentionSlopes } from "../../compiler/ir/attention-slopes.ts";
import * as e from "../../compiler/ir/expr.ts";
import {
  attentionGradientNode,
  attentionNode,
  axis,
  batchAxis,
  graphOf,
  parameterNode,
  resultNode,
  rotateNode,
  tokenAxis,
  type AttentionParts,
} from "../../compiler/ir/graph-build.ts";
import { nodeResults } from "../../compiler/ir/graph-results.ts";
import type { Node, Turn } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { printGraph } from "../../compiler/ir/print-graph.ts";
import type { Weight } from "../../compiler/ir/weight.ts";
import { twoLevelWeight } from "../conformance/support/random-weighted-specs.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { randomInputs } from "../support/random-values.ts";

const [q, k] = [e.index("q"), e.index("k")];
const causal = e.le(k, q);
const d = 4;
const heads = 2;

const operands = (width = 3) => ({
  query: leaf("query", [batchAxis, tokenAxis, axis("h", heads), axis("d", d)]),
  key: leaf("key", [batchAxis, tokenAxis, axis("g", 1), axis("d", d)]),
  value: leaf("value", [batchAxis, tokenAxis, axis("g", 1), axis("e", width)]),
});

const attend = (parts: Partial<AttentionParts> & { turn?: Turn }) => {
  const { query, key, value } = operands();
  const { turn, ...others } = parts;
  return attentionNode(
    {
      regions: [{ query, key, when: e.bool(true), turn: turn ?? null }],
      value,
      mask: causal,
      score: e.logit,
      buffers: [],
      scale: 0.5,
      prepended: null,
      ...others,
    },
    "attention",
  );
};

/** All results of an attention and of its gradient. */
function run(
  node: ReturnType<typeof attend>,
  length: number,
  change?: (inputs: Map<string, Float64Tensor>) => void,
) {
  const gradient = attentionGradientNode(
    node,
    leaf("up", node.axes),
    attentionSlopes(node, () => true),
    "gradient",
  );
  const outputs: Record<string, Node> = { output: node, lse: resultNode(node, 1) };
  nodeResults(gradient).forEach((_, n) => (outputs[`gradient${n}`] = resultNode(gradient, n)));
  const graph = graphOf(outputs);
  const sizes = { batch: 2, length };
  const inputs = new Map(randomInputs(graph, sizes, 5, { deviation: 1.5 }));
  change?.(inputs);
  return { inputs, results: interpret(graph, inputs, sizes) };
}

const softmax = (scores: readonly number[]): number[] => {
  const top = Math.max(...scores);
  const terms = scores.map((score) => Math.exp(score - top));
  const total = terms.reduce((a, b) => a + b, 0);
  return terms.map((term) => term / total);
};

/** Logits of one row, from the inputs. */
const logitsOf = (
  inputs: ReadonlyMap<string, Float64Tensor>,
  length: number,
  b: number,
  row: number,
  h: number,
) =>
  Array.from({ length }, (_, at) => {
    let total = 0;
    for (let i = 0; i < d; i++)
      total +=
        0.5 *
        inputs.get("query")!.data[((b * length + row) * heads + h) * d + i]! *
        inputs.get("key")!.data[(b * length + at) * d + i]!;
    return total;
  });

/** Compares outputs with Σ weight · value, for weights given row by row. */
function expectWeights(
  found: ReturnType<typeof run>,
  length: number,
  weigh: (logits: readonly number[], row: number) => readonly number[],
): void {
  const { inputs, results } = found;
  const output = results.get("output")!.data;
  const value = inputs.get("value")!.data;
  for (let b = 0; b < 2; b++)
    for (let row = 0; row < length; row++)
      for (let h = 0; h < heads; h++) {
        const weights = weigh(logitsOf(inputs, length, b, row, h), row);
        for (let i = 0; i < 3; i++) {
          const want = weights.reduce((sum, w, at) => sum + w * value[(b * length + at) * 3 + i]!, 0);
          expect(output[((b * length + row) * heads + h) * 3 + i]).toBeCloseTo(want, 11);
        }
      }
}

/** The closed form: own block directly, earlier blocks through the weight of their gate; gates have no value themselves. */
function twoLevels(block: number) {
  return (logits: readonly number[], row: number): number[] => {
    const own = Math.floor(row / block);
    const isGate = (at: number): boolean => at % block === block - 1;
    const counted = logits.flatMap((_, at) =>
      at <= row && (Math.floor(at / block) === own || isGate(at)) ? [at] : [],
    );
    const outer = softmax(counted.map((at) => logits[at]!));
    const weights = logits.map(() => 0);
    counted.forEach((at, n) => {
      const where = Math.floor(at / block);
      if (where === own) {
        weights[at] = outer[n]!;
        return;
      }
      const inside = Array.from({ length: block - 1 }, (_, i) => where * block + i);
      softmax(inside.map((one) => logits[one]!)).forEach((share, i) => {
        weights[inside[i]!] = outer[n]! * share;
      });
    });
    return weights;
  };
}

describe("a two-level softmax", () => {
  it.each([
    [2, 1],
    [2, 7],
    [3, 2],
    [3, 3],
    [3, 4],
    [5, 16],
    [51, 50],
    [51, 51],
    [51, 52],
    [17, 60],
  ])("with blocks of %i over %i positions is the closed form, and its rows sum to 1", (block, length) => {
    const node = attend({ weight: twoLevelWeight(block, "last") });
    expectWeights(run(node, length), length, twoLevels(block));
    const ones = run(node, length, (inputs) => inputs.get("value")!.data.fill(1));
    for (const sum of ones.results.get("output")!.data) expect(sum).toBeCloseTo(1, 12);
    // Values that are all one hide the queries, so nothing flows into them.
    for (const slope of ones.results.get("gradient0")!.data) expect(slope).toBeCloseTo(0, 11);
  });
});

describe("a weight of one softmax over the mask", () => {
  const self: Weight["cases"] = [{ when: e.bool(true), row: "self", local: false, factor: null }];
  const table = parameterNode("table", [axis("h", heads)], { kind: "normal", deviation: 1 });
  const score = e.mul(e.unary("tanh", e.logit), e.load(0, [e.index("h")]));
  const sink = e.add(e.load(0, [e.index("h")]), e.real(0.25));
  const p = [axis("p", 2), axis("g", 1)];
  const prepended = {
    key: leaf("early-key", [...p, axis("d", d)]),
    value: leaf("early-value", [...p, axis("e", 3)]),
  };

  it.each([
    ["alone", {}],
    ["with a sink", { sink }],
    ["with prepended keys", { prepended }],
    ["with both", { sink, prepended }],
  ])("is plain attention, %s", (_, more) => {
    const plain = run(attend({ score, buffers: [table], ...more }), 9).results;
    const weighed = run(
      attend({
        weight: { row: { guard: causal, score }, block: null, cases: self },
        buffers: [table],
        ...more,
      }),
      9,
    ).results;
    expect(weighed.size).toBe(plain.size);
    for (const [name, { data }] of plain) {
      const other = weighed.get(name)!.data;
      data.forEach((x, i) => expect(other[i]).toBeCloseTo(x, 12));
    }
  });
});

describe("other weights", () => {
  it("squash each logit by itself, without a normaliser", () => {
    const factor = e.unary("sigmoid", e.sub(e.logit, e.real(1)));
    const cases = [{ when: e.bool(true), row: null, local: false, factor }];
    const found = run(attend({ weight: { row: null, block: null, cases } }), 7);
    expectWeights(found, 7, (logits, row) =>
      logits.map((s, at) => (at <= row ? 1 / (1 + Math.exp(1 - s)) : 0)),
    );
    expect([...found.results.get("lse")!.data].every((x) => x === 0)).toBe(true);
  });

  it("leave weight to a sink: e^s / (1 + Σ e^s)", () => {
    const found = run(attend({ sink: e.real(0) }), 6);
    const shares = (logits: readonly number[], row: number): number[] => {
      const total = 1 + logits.slice(0, row + 1).reduce((sum, s) => sum + Math.exp(s), 0);
      return logits.map((s, at) => (at <= row ? Math.exp(s) / total : 0));
    };
    expectWeights(found, 6, shares);
    const lse = found.results.get("lse")!.data[0]!;
    expect(lse).toBeCloseTo(Math.log1p(Math.exp(logitsOf(found.inputs, 6, 0, 0, 0)[0]!)), 12);
  });

  it("give a row without keys 0 and the sink, or −∞", () => {
    const none = { row: { guard: e.bool(false), score: e.logit }, block: null };
    const cases = [{ when: e.bool(true), row: "self" as const, local: false, factor: null }];
    const empty = run(attend({ weight: { ...none, cases } }), 3).results;
    expect([...empty.get("output")!.data].every((x) => x === 0)).toBe(true);
    expect([...empty.get("lse")!.data].every((x) => x === -Infinity)).toBe(true);
    const sunk = run(attend({ weight: { ...none, cases }, sink: e.real(-2) }), 3).results;
    expect([...sunk.get("lse")!.data].every((x) => Math.abs(x + 2) < 1e-12)).toBe(true);
  });

  it("give nothing through the last key of a block that the text cuts short", () => {
    const weight: Weight = {
      row: { guard: e.bool(true), score: e.logit },
      block: { size: 4, inner: null },
      cases: [{ when: e.bool(true), row: "last", local: false, factor: null }],
    };
    expectWeights(run(attend({ weight, mask: e.bool(true) }), 6), 6, (logits) => {
      const all = softmax(logits);
      return logits.map((_, at) => (at < 4 ? all[3]! : 0));
    });
  });

  it("take the first case that holds, with its sign", () => {
    const weight: Weight = {
      row: { guard: causal, score: e.mul(e.logit, e.real(2)) },
      block: null,
      cases: [
        { when: e.eq(k, q), row: "self", local: false, factor: e.real(-0.5) },
        { when: e.lt(k, e.int(3)), row: "self", local: false, factor: e.logit },
      ],
    };
    expectWeights(run(attend({ weight }), 6), 6, (logits, row) => {
      const all = softmax(logits.map((s, at) => (at <= row ? 2 * s : -Infinity)));
      return logits.map((s, at) => (at > row ? 0 : at === row ? -0.5 * all[at]! : at < 3 ? s * all[at]! : 0));
    });
  });
});

describe("a turned query", () => {
  const law = {
    angle: e.unary("exp", e.neg(e.toReal(e.index("m")))),
    scale: e.real(1.1),
    rotated: 4,
    layout: "half" as const,
  };
  it("at a position that keys do not change is a rotated one", () => {
    const turned = run(attend({ turn: { ...law, position: q, by: 3 } }), 8).results;
    const { query, key, value } = operands();
    const rotated = rotateNode(query, { ...law, position: e.index("x") }, "rotate");
    const other = attend({ regions: [{ query: rotated, key, when: e.bool(true) }], value });
    const want = run(other, 8).results;
    for (const name of ["output", "lse", "gradient1", "gradient2"])
      turned.get(name)!.data.forEach((x, i) => expect(x).toBeCloseTo(want.get(name)!.data[i]!, 12));
  });

  it("sees each block of keys from a position of its own", () => {
    const block = e.binary("floor-div", k, e.int(3));
    const position = e.sub(q, e.mul(e.int(5), block));
    const { inputs, results } = run(attend({ turn: { ...law, position, by: 3 } }), 8);
    const [query, key] = [inputs.get("query")!.data, inputs.get("key")!.data];
    const at = (7 * heads + 1) * d;
    const scores = Array.from({ length: 8 }, (_, one) => {
      const turn = 7 - 5 * Math.floor(one / 3);
      let total = 0;
      for (let m = 0; m < 2; m++) {
        const radians = turn * Math.exp(-m);
        const [x, y] = [query[at + m]!, query[at + m + 2]!];
        total += (x * Math.cos(radians) - y * Math.sin(radians)) * key[one * d + m]!;
        total += (x * Math.sin(radians) + y * Math.cos(radians)) * key[one * d + m + 2]!;
      }
      return 0.5 * 1.1 * total;
    });
    const lse = Math.log(scores.reduce((sum, s) => sum + Math.exp(s), 0));
    expect(results.get("lse")!.data[7 * heads + 1]).toBeCloseTo(lse, 11);
  });
});

describe("nodes that are wrong", () => {
  const cases: Weight["cases"] = [{ when: e.bool(true), row: "self", local: false, factor: null }];
  const row = { guard: causal, score: e.logit };
  const turn: Turn = { position: q, by: 2, angle: e.real(1), scale: e.real(1), rotated: 4, layout: "half" };
  it.each([
    [
      "a weight and a score",
      { weight: { row, block: null, cases }, score: e.neg(e.logit) },
      /weight and a score/,
    ],
    [
      "a case without the row",
      { weight: { row, block: null, cases: [{ ...cases[0]!, row: null }] } },
      /does not read the row/,
    ],
    ["a row that is not there", { weight: { row: null, block: null, cases } }, /reads the row/],
    [
      "a block that is not there",
      { weight: { row, block: null, cases: [{ ...cases[0]!, row: "last" as const }] } },
      /block's key/,
    ],
    [
      "no block softmax",
      { weight: { row, block: { size: 2, inner: null }, cases: [{ ...cases[0]!, local: true }] } },
      /block normaliser/,
    ],
    ["blocks of no keys", { weight: { row, block: { size: 0, inner: null }, cases } }, /blocks of 0/],
    ["no cases", { weight: { row, block: null, cases: [] } }, /without cases/],
    [
      "a guard over the logit",
      { weight: { row: { ...row, guard: e.lt(e.logit, e.real(0)) }, block: null, cases } },
      /reads the logit/,
    ],
    ["a sink over keys", { sink: e.toReal(k) }, /sink reads index k/],
    [
      "a sink without a row",
      { sink: e.real(0), weight: { row: null, block: null, cases: [{ ...cases[0]!, row: null }] } },
      /sink, but no row/,
    ],
    ["a turn of more than there is", { turn: { ...turn, rotated: 6 } }, /turns 6 dimensions of 4/],
    ["a turn by nothing", { turn: { ...turn, by: 0 } }, /blocks of 0/],
    [
      "a turn that keys of a block share not",
      { turn: { ...turn, position: e.sub(q, k) } },
      /changes within 2 keys/,
    ],
    [
      "a turn by smaller blocks",
      {
        turn: {
          ...turn,
          by: 4,
          position: e.binary("floor-div", e.binary("floor-div", k, e.int(3)), e.int(2)),
        },
      },
      /changes within 4 keys/,
    ],
    ["a turn by the logit", { turn: { ...turn, position: e.logit } }, /position reads the logit/],
  ] as const)("%s", (_, parts, problem) => {
    expect(() => attend(parts)).toThrow(problem);
  });

  it("a turn by whole blocks is right", () => {
    const blocks = e.binary("floor-div", e.binary("floor-div", k, e.int(3)), e.int(4));
    expect(() => attend({ turn: { ...turn, by: 6, position: blocks } })).not.toThrow();
  });

  it("are printed with all they say", () => {
    const weight = twoLevelWeight(4, "last");
    const text = printGraph(graphOf({ output: attend({ weight, sink: e.real(0), turn }) }));
    expect(text).toMatch(
      /row \{.*\} \{s\} blocks of 4 block \{.*\} \{s\} case \{.*\} row\(self\) case \{.*\} row\(last\) \* block/,
    );
    expect(text).toMatch(/sink \{0(\.0)?\} turn by 2 half 4 at \{q\}/);
  });
});
