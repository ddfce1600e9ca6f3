/** Whole programs for a GPU, run on the host thread by thread, against the interpreter: products, rows, the update. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, lt, mul, operand, real, select, uniform } from "../../compiler/ir/expr.ts";
import { benchUpdate, decoderGraph, type DecoderShape } from "../../bench/decoder-graph.ts";
import { matmulCall } from "../../compiler/backends/cuda/program/matmul.ts";
import { exprEvaluator, noValues } from "../../compiler/ir/evaluate-expr.ts";
import { axis, graphOf, mapNode, parameterNode, reduceNode } from "../../compiler/ir/graph-build.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { graphChoices, randomRowsGraphs } from "../schedule/random-rows-graph.ts";
import { build, expectClose, fillFloats, fillModel, meaningOf } from "../schedule/support.ts";
import { compileForHost } from "./host-device.ts";
import { openHostDevice } from "./host-program.ts";

const device = openHostDevice();

describe("programs for a GPU, on the host", () => {
  it("mean what the interpreter says: random graphs of products and rows", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(graphChoices, { minLength: 5, maxLength: 5 }), async (choices) => {
        const built = await build({ loss: randomRowsGraphs(choices) }, device, { batch: 3, length: 35 });
        fillModel(built, 2, 1);
        built.model.run("loss", {});
        for (const [name, want] of meaningOf(built, "loss"))
          expectClose(built.model.tensor(name), want.data, 2e-5, name);
        built.model.close();
      }),
      { numRuns: 1, seed: 5, endOnFailure: true },
    );
  });

  it("draw the interpreter's random numbers", async () => {
    const rows = axis("r", 37);
    const x = parameterNode("x", [rows, axis("i", 45)], { kind: "normal", deviation: 1 });
    const dropped = mapNode([x], select(lt(uniform(4), real(0.3)), real(0), operand(0)), "dropped");
    const total = reduceNode("sum", dropped, ["i"], "total");
    const noisy = mapNode([total], add(operand(0), uniform(9)), "noisy");
    const y = parameterNode("y", [rows, axis("k", 8)], { kind: "normal", deviation: 1 });
    const wide = mapNode([y], mul(operand(0), uniform(2)), "wide");
    const built = await build({ loss: graphOf({ dropped, noisy, wide }) }, device, { batch: 1, length: 1 });
    fillModel(built, 2, 1);
    const random = { seed: 12_345, step: 7 };
    built.model.run("loss", random);
    for (const [name, want] of meaningOf(built, "loss", random))
      expectClose(built.model.tensor(name), want.data, 1e-6, name);
  });

  it("train a decoder: loss, logits, gradients, the same bits twice", { timeout: 120_000 }, async () => {
    const shape: DecoderShape = {
      ...{ layers: 1, width: 32, heads: 4, kvHeads: 2, hidden: 44, vocab: 21 },
      ...{ gated: true, rotary: true, bias: true, documents: true },
    };
    const loss = decoderGraph(shape, "loss");
    const paths = loss.nodes.flatMap((node) => (node.kind === "parameter" ? [node.path] : []));
    const graphs = { train: differentiate(loss, paths), logits: decoderGraph(shape, "logits") };
    const built = await build(graphs, device, { batch: 3, length: 37 }, benchUpdate());
    fillModel(built, shape.vocab, 0.3);
    const { model } = built;
    const scalars = { lr: 0.01, step: 3, seed: 5, clip: 1e30 };
    model.run("logits", scalars);
    expectClose(model.tensor("logits"), meaningOf(built, "logits").get("logits")!.data, 1e-4, "logits");
    const wanted = meaningOf(built, "train");
    model.run("train", scalars);
    const found = [...wanted].map(([name, want]) => {
      const got = model.tensor(name);
      expectClose(got, want.data, name === "loss" ? 1e-4 : 5e-4, name);
      return got.slice();
    });
    expect(found).toHaveLength(1 + paths.length);
    model.run("train", scalars);
    expect([...wanted.keys()].map((name) => model.tensor(name).slice())).toEqual(found);
    model.run("train", { ...scalars, accumulate: 1 });
    [...wanted.keys()].forEach((name, n) => {
      const twice = found[n]!.map((x) => (name === "loss" ? x : 2 * x));
      expectClose(model.tensor(name), twice, 1e-6, `twice ${name}`);
    });
    model.run("update", scalars);
    expect(model.tensor("gradient-norm")[0]).toBeGreaterThan(0);
    model.close();
  });
});

describe("products on the host", () => {
  /** batch, m, n, k, transpose a, transpose b: few and many tiles, slices of k, rows aligned and not. */
  const cases = [
    [1, 5, 7, 3, false, false],
    [3, 66, 68, 70, false, true],
    [1, 12, 20, 2100, true, false],
    [2, 9, 13, 1300, true, true],
    [1, 131, 132, 36, false, false],
    [2, 129, 30, 21, true, true],
    [1, 132, 65, 20, true, false],
    [1, 30, 140, 28, false, true],
  ] as const;

  it("are those of double precision, added or not, with the same bits twice", { timeout: 60_000 }, () => {
    const steps = cases.map(([batch, m, n, k, transposeA, transposeB], at) => {
      const enoughTiles = at < 4 ? 1000 : 1;
      const tensor = { tensor: 0 };
      const sizes = { batch, m, n, k, transposeA, transposeB };
      return matmulCall({
        kind: "matmul",
        site: "p",
        a: tensor,
        b: tensor,
        out: tensor,
        accumulate: "add",
        ...sizes,
      });
    });
    const runs = compileForHost(steps);
    if (runs === null) return;
    cases.forEach(([batch, m, n, k, ta, tb], at) => {
      const [a, b] = [new Float32Array(batch * m * k), new Float32Array(batch * k * n)];
      fillFloats(a, 1);
      fillFloats(b, 2);
      const want = new Float64Array(batch * m * n);
      for (let p = 0; p < batch; p++)
        for (let i = 0; i < m; i++)
          for (let x = 0; x < k; x++) {
            const left = a[p * m * k + (ta ? x * m + i : i * k + x)]!;
            for (let j = 0; j < n; j++)
              want[(p * m + i) * n + j]! += left * b[p * k * n + (tb ? j * k + x : x * n + j)]!;
          }
      const out = new Float32Array(want.length).fill(NaN);
      runs[at]!([a, b, out], {}, { add: 0 });
      expectClose(out, want, 2e-6, `product ${at}`);
      const again = out.slice();
      runs[at]!([a, b, again], {}, { add: 0 });
      expect(again).toEqual(out);
      runs[at]!([a, b, again], {}, { add: 1 });
      expectClose(
        again,
        want.map((x) => 2 * x),
        2e-6,
        `product ${at} added`,
      );
    });
  });
});

describe("the update on the host", () => {
  it("is the rule's, clipped, and none where a gradient is not finite", { timeout: 60_000 }, async () => {
    const paths = Array.from({ length: 34 }, (_, n) => `p${n}`);
    const parameters = paths.map((path, n) =>
      parameterNode(path, [axis("i", n === 33 ? 5000 : 3 + n)], { kind: "normal", deviation: 1 }),
    );
    const gradients = parameters.map((node, n) => mapNode([node], mul(operand(0), real(0.25)), `g${n}`));
    const outputs = Object.fromEntries(paths.map((path, n) => [`gradient:${path}`, gradients[n]!]));
    const rule = benchUpdate();
    const sizes = { batch: 1, length: 1 };
    const { model } = await build({ train: graphOf(outputs) }, device, sizes, rule);
    const names = paths.map((path) => [path, ...rule.states.map(({ name }) => `state:${name}:${path}`)]);
    const fill = (): void =>
      names.flat().forEach((name, n) => {
        const view = model.tensor(name) as Float32Array;
        fillFloats(view, n + 3, 0.5);
        if (name.startsWith("state:v")) view.forEach((x, i) => (view[i] = 0.1 + x * x));
      });
    const read = (): Float64Array[][] =>
      names.map((own) => own.map((name) => Float64Array.from(model.tensor(name))));
    const scalars = { lr: 0.01, step: 3, seed: 5, clip: 0.5 };
    for (const clip of [1e30, 0.5]) {
      fill();
      const before = read();
      model.run("train", scalars);
      model.run("update", { ...scalars, clip });
      const norm = Math.hypot(...before.flatMap(([weight]) => [...weight!.map((x) => x / 4)]));
      expect(model.tensor("gradient-norm")[0]! / norm).toBeCloseTo(1, 5);
      const factor = Math.min(1, clip / norm) / 4;
      const bodies = [rule.weight, ...rule.states.map(({ value }) => value)].map((body) =>
        exprEvaluator(body),
      );
      const values = read();
      before.forEach((old, p) =>
        bodies.forEach((evaluate, slot) => {
          const want = old[0]!.map((weight, at) =>
            evaluate({
              ...noValues,
              scalar: (name) => scalars[name as keyof typeof scalars],
              size: () => scalars.step,
              operand: (n) => (n === 0 ? weight : n === 1 ? weight * factor : old[n - 1]![at]!),
            }),
          );
          expectClose(values[p]![slot]!, want, 1e-5, names[p]![slot]!);
        }),
      );
    }
    fill();
    model.tensor(paths[33]!)[4321] = Infinity;
    model.run("train", scalars);
    const before = read();
    model.run("update", scalars);
    expect(model.tensor("gradient-norm")[0]).toBeNaN();
    expect(read()).toEqual(before);
  });
});
