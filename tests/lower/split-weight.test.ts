/** Splitting of weight trees: the sum of the nodes' weights is what the tree says, evaluated directly. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateExpr, type ExprValues } from "../../compiler/ir/evaluate-expr.ts";
import * as e from "../../compiler/ir/expr.ts";
import type { Expr } from "../../compiler/ir/expr.ts";
import { attentionNode, axis, batchAxis, graphOf, tokenAxis } from "../../compiler/ir/graph-build.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import type { WeightExpr, WeightNormaliser } from "../../compiler/ir/weight.ts";
import { plainScoreOf, splitWeight, type WeightForm } from "../../compiler/lower/split-weight.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { randomInputs } from "../support/random-values.ts";

const [q, k] = [e.index("q"), e.index("k")];
const causal = e.le(k, q);
const length = 7;
const block = 3;

const row = (at: WeightNormaliser["at"], guard: Expr = causal, score: Expr = e.logit): WeightExpr => ({
  kind: "normaliser",
  scope: "row",
  at,
  guard,
  score,
  block,
});
const inBlock = (guard: Expr = e.bool(true), score: Expr = e.logit): WeightExpr => ({
  kind: "normaliser",
  scope: "block",
  at: "self",
  guard,
  score,
  block,
});
const number = (value: number | Expr): WeightExpr => ({
  kind: "real",
  value: typeof value === "number" ? e.real(value) : value,
});
const sum = (...terms: WeightExpr[]): WeightExpr => ({ kind: "sum", terms });
const product = (...factors: WeightExpr[]): WeightExpr => ({ kind: "product", factors });
const choose = (when: Expr, then: WeightExpr, otherwise: WeightExpr): WeightExpr => ({
  kind: "choose",
  when,
  then,
  otherwise,
});

/** The value of a tree at one pair, by its definition. */
function valueOf(tree: WeightExpr, logits: readonly number[], query: number, key: number): number {
  const at = (one: number): Partial<ExprValues> => ({
    index: (name) => (name === "q" ? query : one),
    logit: () => logits[one]!,
  });
  switch (tree.kind) {
    case "real":
      return evaluateExpr(tree.value, at(key));
    case "sum":
      return tree.terms.reduce((total, term) => total + valueOf(term, logits, query, key), 0);
    case "product":
      return tree.factors.reduce((total, one) => total * valueOf(one, logits, query, key), 1);
    case "choose":
      return valueOf(evaluateExpr(tree.when, at(key)) !== 0 ? tree.then : tree.otherwise, logits, query, key);
    case "normaliser": {
      const first = Math.floor(key / block) * block;
      const read = tree.at === "self" ? key : tree.at === "first" ? first : first + block - 1;
      const over = logits
        .map((_, one) => one)
        .filter((one) => tree.scope === "row" || Math.floor(one / block) === Math.floor(read / block))
        .filter((one) => evaluateExpr(tree.guard, at(one)) !== 0);
      if (!over.includes(read)) return 0;
      const term = (one: number): number => Math.exp(evaluateExpr(tree.score, at(one)));
      const extra = tree.sink === undefined ? 0 : Math.exp(evaluateExpr(tree.sink, at(NaN)));
      return term(read) / over.reduce((total, one) => total + term(one), extra);
    }
    default:
      return tree satisfies never;
  }
}

const operand = (name: string, width: number) =>
  leaf(name, [batchAxis, tokenAxis, axis(name === "query" ? "h" : "g", 1), axis(`${name}-width`, width)]);

/** Weights [query][key] of forms together, by the interpreter: values are one-hot. */
function weightsOf(forms: readonly WeightForm[], seed: number) {
  const parts = {
    value: operand("value", length),
    mask: e.bool(true),
    score: e.logit,
    buffers: [],
    scale: 1,
  };
  const region = { query: operand("query", 2), key: operand("key", 2), when: e.bool(true) };
  const nodes = forms.map((form) =>
    attentionNode({ ...parts, ...form, regions: [region], prepended: null }, "attention"),
  );
  const graph = graphOf({
    ...Object.fromEntries(nodes.map((node, n) => [`form${n}`, node])),
    query: region.query,
    key: region.key,
    value: parts.value,
  });
  const inputs = new Map(randomInputs(graph, { batch: 1, length }, seed));
  inputs.get("value")!.data.forEach((_, n, all) => (all[n] = n % (length + 1) === 0 ? 1 : 0));
  const results = interpret(graph, inputs, { batch: 1, length });
  const [queries, keys] = [inputs.get("query")!.data, inputs.get("key")!.data];
  const logits = (from: number): number[] =>
    Array.from(
      { length },
      (_, to) => queries[2 * from]! * keys[2 * to]! + queries[2 * from + 1]! * keys[2 * to + 1]!,
    );
  const weight = (from: number, to: number): number =>
    forms.reduce((total, _, n) => total + results.get(`form${n}`)!.data[from * length + to]!, 0);
  return { logits, weight };
}

function expectSame(tree: WeightExpr, seed = 3): readonly WeightForm[] {
  const { forms, reason } = splitWeight(tree);
  expect(reason).toBeNull();
  const { logits, weight } = weightsOf(forms!, seed);
  for (let from = 0; from < length; from++)
    for (let to = 0; to < length; to++)
      expect(weight(from, to)).toBeCloseTo(valueOf(tree, logits(from), from, to), 12);
  return forms!;
}

const here = e.eq(e.binary("floor-div", q, e.int(block)), e.binary("floor-div", k, e.int(block)));
const gate = e.eq(e.binary("mod", k, e.int(block)), e.int(block - 1));

describe("a weight", () => {
  it("of two levels is one node", () => {
    const near = row("self", e.and(causal, e.or(here, gate)));
    const through = row("last", e.and(causal, e.or(here, gate)));
    const tree = choose(here, near, choose(gate, number(0), product(through, inBlock(e.not(gate)))));
    const forms = expectSame(tree);
    expect(forms).toHaveLength(1);
    expect(forms[0]!.weight.cases.map(({ row: at, local }) => [at, local])).toEqual([
      ["self", false],
      ["last", true],
    ]);
  });

  it("that subtracts a second softmax is two nodes, the second with its factor", () => {
    const forms = expectSame(sum(row("self"), product(number(-0.3), row("self", causal, e.neg(e.logit)))));
    expect(forms.map(({ weight }) => weight.cases[0]!.factor)).toEqual([null, e.real(-0.3)]);
  });

  it("that adds what it has already is one node", () => {
    const forms = expectSame(sum(row("self"), product(number(2), row("self"))));
    expect(forms).toHaveLength(1);
    expect(forms[0]!.weight.cases[0]!.factor).toBe(e.real(3));
  });

  it("that multiplies a sum is a sum of products", () => {
    expect(expectSame(product(sum(row("self"), number(0.5)), inBlock()))).toHaveLength(2);
    expect(
      expectSame(product(sum(row("self"), row("first")), choose(here, inBlock(), number(2)))),
    ).toHaveLength(2);
  });

  it("of nothing but a real has no normaliser, and of 0 no node", () => {
    const forms = expectSame(number(e.unary("sigmoid", e.logit)));
    expect(forms.map(({ weight }) => weight.row)).toEqual([null]);
    expect(expectSame(choose(here, number(0), sum()))).toEqual([]);
  });

  it("with one more term in its denominator keeps it", () => {
    const tree: WeightExpr = { ...(row("self") as WeightNormaliser), sink: e.real(0) };
    expect(expectSame(tree)[0]!.sink).toBe(e.real(0));
    expect(expectSame(sum(tree, row("self")))).toHaveLength(2);
  });

  it("that is a softmax over the mask is plain attention", () => {
    const [form] = expectSame(row("self"));
    expect(plainScoreOf(form!, causal)).toBe(e.logit);
    expect(plainScoreOf(form!, e.bool(true))).toBeNull();
    expect(plainScoreOf(expectSame(row("first"))[0]!, causal)).toBeNull();
  });

  it.each([
    [product(row("self"), row("last")), /two softmaxes over the row/],
    [product(inBlock(), inBlock(gate)), /two softmaxes over a block/],
    [product(row("last"), { ...(inBlock() as WeightNormaliser), block: 4 }), /blocks of 3 and of 4/],
    [{ ...(inBlock() as WeightNormaliser), at: "last" as const }, /read at the last key/],
    [{ ...(inBlock() as WeightNormaliser), sink: e.real(0) }, /denominator of a block/],
  ])("that nodes cannot say has a reason: %#", (tree, reason) => {
    expect(splitWeight(tree)).toEqual({ forms: null, reason: expect.stringMatching(reason) });
  });

  it("of any shape is the sum of its nodes", () => {
    const condition = fc.constantFrom(here, gate, causal, e.lt(k, e.int(2)), e.eq(q, k));
    const real = fc.oneof(
      fc.constantFrom(0, 1, -0.5, 2).map((n) => number(n)),
      fc.constantFrom(number(e.unary("tanh", e.logit)), number(e.unary("sigmoid", e.logit))),
    );
    const read = fc
      .tuple(fc.constantFrom("self" as const, "first" as const, "last" as const), fc.boolean())
      .map(([at, other]) => row(at, other ? e.or(causal, gate) : causal));
    const local = fc.boolean().map((other) => inBlock(other ? e.not(gate) : e.bool(true)));
    const factors = fc
      .tuple(fc.option(read), fc.option(local), fc.option(real))
      .map((list) => product(...list.filter((one) => one !== null)));
    const { tree } = fc.letrec<{ tree: WeightExpr }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3, depthSize: "small" },
        factors,
        fc
          .tuple(condition, tie("tree"), tie("tree"))
          .map(([when, then, otherwise]) => choose(when, then, otherwise)),
        fc.tuple(tie("tree"), tie("tree")).map((terms) => sum(...terms)),
        fc.tuple(real, tie("tree")).map((list) => product(...list)),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.nat(1000), (one, seed) => void expectSame(one, seed)),
      { numRuns: 60 },
    );
  });
});
