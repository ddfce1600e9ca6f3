/** Scheduled graphs on the native device against the interpreter: random graphs, a decoder, its gradients, its updates. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { benchShape, benchUpdate, decoderGraph, type DecoderShape } from "../../bench/decoder-graph.ts";
import {
  add,
  binary,
  eq,
  index,
  int,
  lt,
  mul,
  operand,
  real,
  select,
  size,
  toReal,
  uniform,
} from "../../compiler/ir/expr.ts";
import {
  axis,
  gatherNode,
  graphOf,
  mapNode,
  parameterNode,
  reduceNode,
  tokenAxis,
} from "../../compiler/ir/graph-build.ts";
import { exprEvaluator, noValues } from "../../compiler/ir/evaluate-expr.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import type { Device } from "../../runtime/device/device.ts";
import { graphChoices, randomRowsGraphs } from "./random-rows-graph.ts";
import { build, expectClose, fillFloats, fillModel, meaningOf, openNative, type Built } from "./support.ts";

let device: Device;
beforeAll(async () => {
  device = await openNative();
});
afterAll(() => device.close());

describe("random graphs", () => {
  it("mean what the interpreter says", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(graphChoices, { minLength: 10, maxLength: 10 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 37 }),
        async (choices, batch, length) => {
          const graph = randomRowsGraphs(choices);
          const built = await build({ loss: graph }, device, { batch, length });
          fillModel(built, 2, 1);
          built.model.run("loss", {});
          for (const [name, want] of meaningOf(built, "loss"))
            expectClose(built.model.tensor(name), want.data, 2e-5, name);
          built.model.close();
        },
      ),
      { numRuns: 3, seed: 5, endOnFailure: true },
    );
  });
});

describe("whole numbers", () => {
  it("are computed, stored, gathered by and mixed with reals", async () => {
    const t = tokenAxis;
    const [p, i] = [axis("p", 40), axis("i", 21)];
    const table = parameterNode("table", [p, i], { kind: "normal", deviation: 1 });
    const position = mapNode([], binary("mod", add(index("t"), size("query-start")), int(7)), "position", [
      t,
    ]);
    const late = mapNode([position], lt(int(3), operand(0, "int")), "late");
    const rows = gatherNode(table, "p", position, "rows");
    const mixed = mapNode(
      [rows, position, late],
      select(eq(operand(2, "int"), int(1)), mul(operand(0), toReal(operand(1, "int"))), operand(0)),
      "mixed",
    );
    const graph = graphOf({ mixed, rows, late: mapNode([late], toReal(operand(0, "int")), "late") });
    const built = await build({ loss: graph }, device, { batch: 2, length: 33 });
    fillModel(built, 2, 1);
    built.model.run("loss", {});
    for (const [name, want] of meaningOf(built, "loss"))
      expectClose(built.model.tensor(name), want.data, 1e-6, name);
    built.model.close();
  });

  it("make the same random numbers as the interpreter, fused or not", async () => {
    const rows = axis("r", 37);
    const x = parameterNode("x", [rows, axis("i", 45)], { kind: "normal", deviation: 1 });
    const dropped = mapNode([x], select(lt(uniform(4), real(0.3)), real(0), operand(0)), "dropped");
    const total = reduceNode("sum", dropped, ["i"], "total");
    const noisy = mapNode([total], add(operand(0), uniform(9)), "noisy");
    const built = await build({ loss: graphOf({ dropped, noisy }) }, device, { batch: 1, length: 1 });
    fillModel(built, 2, 1);
    const random = { seed: 12_345, step: 7 };
    built.model.run("loss", random);
    for (const [name, want] of meaningOf(built, "loss", random))
      expectClose(built.model.tensor(name), want.data, 1e-6, name);
    built.model.close();
  });
});

const small: DecoderShape = {
  ...benchShape,
  layers: 2,
  width: 32,
  heads: 4,
  kvHeads: 4,
  hidden: 48,
  vocab: 20,
};
const shapes: readonly (readonly [string, DecoderShape])[] = [
  ["plain", small],
  ["gated, rotary, shared keys", { ...small, gated: true, rotary: true, kvHeads: 2 }],
  ["biases and documents", { ...small, bias: true, documents: true }],
];

const scalars = { lr: 0.01, step: 3, seed: 5, clip: 1e30 };

async function decoder(shape: DecoderShape, on: Device = device): Promise<Built> {
  const loss = decoderGraph(shape, "loss");
  const paths = loss.nodes.flatMap((node) => (node.kind === "parameter" ? [node.path] : []));
  const graphs = { loss, train: differentiate(loss, paths), logits: decoderGraph(shape, "logits") };
  const built = await build(graphs, on, { batch: 3, length: 29 }, benchUpdate());
  fillModel(built, shape.vocab, 0.3);
  return built;
}

describe.each(shapes)("a decoder: %s", (_, shape) => {
  it("has the interpreter's loss, logits and gradients", async () => {
    const built = await decoder(shape);
    const { model } = built;
    model.run("logits", scalars);
    expectClose(model.tensor("logits"), meaningOf(built, "logits").get("logits")!.data, 1e-4, "logits");
    model.run("loss", scalars);
    const loss = meaningOf(built, "loss").get("loss")!.data;
    expectClose(model.tensor("loss"), loss, 1e-4, "loss");
    model.tensor("loss").fill(0);
    model.run("train", scalars);
    expectClose(model.tensor("loss"), loss, 1e-4, "loss of train");
    const wanted = meaningOf(built, "train");
    const gradients = [...wanted.keys()].filter((name) => name.startsWith("gradient:"));
    expect(gradients).toHaveLength(model.program.parameters.length);
    for (const name of gradients) expectClose(model.tensor(name), wanted.get(name)!.data, 5e-4, name);
    model.close();
  });
});

describe("training phases", () => {
  it("add gradients up where `accumulate` is not 0, and replace them where it is", async () => {
    const { model } = await decoder(small);
    const names = model.program.tensors
      .filter((tensor) => tensor.role === "gradient")
      .map(({ name }) => name);
    const read = (): Float32Array[] => names.map((name) => Float32Array.from(model.tensor(name)));
    model.run("train", scalars);
    const once = read();
    model.run("train", { ...scalars, accumulate: 1 });
    read().forEach((twice, n) =>
      expectClose(
        twice,
        once[n]!.map((value) => 2 * value),
        1e-6,
        `twice ${names[n]!}`,
      ),
    );
    model.run("train", { ...scalars, accumulate: 0 });
    expect(read()).toEqual(once);
    model.close();
  });

  it("give the same bits on one thread and on two", async () => {
    const single = await openNative(1);
    const bits: Float32Array[][] = [];
    for (const on of [single, device]) {
      const { model } = await decoder({ ...small, bias: true }, on);
      for (let step = 1; step <= 2; step++) {
        model.run("train", { ...scalars, step });
        model.run("update", { ...scalars, step });
      }
      bits.push(
        model.program.parameters.map(({ path }) => Float32Array.from(model.tensor(path) as Float32Array)),
      );
      model.close();
    }
    single.close();
    expect(bits[0]).toEqual(bits[1]);
  });

  it("update weights and states as the rule says, clipped by the norm of all gradients", async () => {
    const { model } = await decoder(small);
    const paths = model.program.parameters.map(({ path }) => path);
    const rule = benchUpdate();
    for (const clip of [1e30, 0.5]) {
      paths.forEach((path, n) => {
        fillFloats(model.tensor(path) as Float32Array, n + 3, 0.5);
        fillFloats(model.tensor(`gradient:${path}`) as Float32Array, n + 50, 0.1);
        fillFloats(model.tensor(`state:m:${path}`) as Float32Array, n + 90, 0.1);
        const v = model.tensor(`state:v:${path}`);
        v.forEach((_, at) => (v[at] = 0.01 + (at % 7) * 0.001));
      });
      const tensors = (path: string): readonly string[] => [
        path,
        `gradient:${path}`,
        ...rule.states.map((state) => `state:${state.name}:${path}`),
      ];
      const before = new Map(
        paths.flatMap(tensors).map((name) => [name, Float64Array.from(model.tensor(name))] as const),
      );
      model.run("update", { ...scalars, clip });
      const squares = paths.reduce(
        (sum, path) => before.get(`gradient:${path}`)!.reduce((total, g) => total + g * g, sum),
        0,
      );
      const norm = Math.sqrt(squares);
      expect(model.tensor("gradient-norm")[0]! / norm).toBeCloseTo(1, 5);
      const factor = Math.min(1, clip / norm);
      for (const path of paths) {
        const old = tensors(path).map((name) => before.get(name)!);
        const bodies = [
          [path, rule.weight],
          ...rule.states.map((state) => [`state:${state.name}:${path}`, state.value] as const),
        ] as const;
        for (const [name, body] of bodies) {
          const evaluate = exprEvaluator(body);
          const want = old[0]!.map((_, at) =>
            evaluate({
              ...noValues,
              scalar: (scalar) => scalars[scalar as keyof typeof scalars],
              size: () => scalars.step,
              operand: (n) => old[n]![at]! * (n === 1 ? factor : 1),
            }),
          );
          expectClose(model.tensor(name), want, 1e-5, name);
        }
      }
    }
    model.close();
  });

  it("leave frozen parameters without gradients and states", async () => {
    const loss = decoderGraph(small, "loss");
    const nodes = loss.nodes.map((node) =>
      node.kind === "parameter" && node.path === "embed.weight"
        ? Object.assign(node, { trainable: false })
        : node,
    );
    const paths = nodes.flatMap((node) => (node.kind === "parameter" && node.trainable ? [node.path] : []));
    const train = differentiate(loss, paths);
    const { model } = await build({ train }, device, { batch: 1, length: 9 }, benchUpdate());
    const names = model.program.tensors.map(({ name }) => name);
    expect(names).not.toContain("gradient:embed.weight");
    expect(names).not.toContain("state:m:embed.weight");
    expect(names).toContain("gradient:head.weight");
    model.close();
  });
});
