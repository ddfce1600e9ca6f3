/** The attentions of `examples/patterns` against dense references, forward and gradient, and by the kernels. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram } from "../../compiler/build-program.ts";
import { checkSpec, leftByLoss, stageGraphs } from "../../compiler/compile.ts";
import * as e from "../../compiler/ir/expr.ts";
import { graphOf, mapNode, reduceNode } from "../../compiler/ir/graph-build.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { parameterInfos } from "../../compiler/lower/model-to-graph.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import type { Device } from "../../runtime/device/device.ts";
import { instantiate } from "../../runtime/executable.ts";
import { openNative } from "../schedule/support.ts";
import { diskHost, root } from "../support/check-text.ts";
import { randomInputs, randomNumbers } from "../support/random-values.ts";
import { elaborated, type Row } from "./elaborated.ts";
import * as dense from "./pattern-references.ts";
import { furthest } from "./support.ts";

const folder = join(root, "examples/patterns");
const names = readdirSync(folder).flatMap((name) => (name.endsWith(".lctx") ? [name.slice(0, -5)] : []));
const textOf = (name: string): string => readFileSync(join(folder, `${name}.lctx`), "utf8");

interface Case {
  readonly use: string;
  readonly reference: (row: Row) => Float64Array;
  /** Largest length at which the pattern is plain causal attention, or 0. */
  readonly plainTo: number;
}

const cases: Readonly<Record<string, Case>> = {
  forgetting: { use: "Forgetting(start: 1)", reference: dense.forgetting, plainTo: 0 },
  "off-by-one": { use: "OffByOne()", reference: dense.offByOne, plainTo: 0 },
  "learned-sink": { use: "LearnedSink()", reference: dense.learnedSink, plainTo: 0 },
  // The harness's model has length 64, the attention's own is the row's.
  sigmoid: { use: "Sigmoid()", reference: (row) => dense.sigmoidWeights(row, row.length), plainTo: 0 },
  neighbourhood: {
    use: "Neighbourhood(width: 5, reach: 1)",
    reference: (row) => dense.neighbourhood(row, 5, 1),
    plainTo: 0,
  },
  "key-bounds": {
    use: "KeyBounds(size: 4, keep: 3)",
    reference: (row) => dense.keyBounds(row, 4, 3),
    plainTo: 12,
  },
  "retrieval-heads": {
    use: "RetrievalHeads(far: 2, size: 4, keep: 2, span: 5)",
    reference: (row) => dense.retrievalHeads(row, 2, 4, 2, 5),
    plainTo: 5,
  },
  "block-summaries": {
    use: "BlockSummaries(size: 4)",
    reference: (row) => dense.blockSummaries(row, 4),
    plainTo: 4,
  },
  "native-sparse": {
    use: "NativeSparse(size: 4, keep: 2, span: 6)",
    reference: (row) => dense.nativeSparse(row, 4, 2, 6),
    plainTo: 0,
  },
};

const heads = [
  { heads: 4, kvHeads: 4, size: 6 },
  { heads: 4, kvHeads: 2, size: 4 },
] as const;

/** The items of a spec before its model. */
const itemsOf = (name: string): string => textOf(name).replace(/^model [^]*$/m, "");

describe.each(Object.entries(cases))("%s", (name, { use, reference, plainTo }) => {
  it.each(["training", "evaluation", "decoding"] as const)(
    "means what its reference says when %s",
    (phase) => {
      let seed = 1;
      for (const length of [1, 3, 4, 5, 12, 23, 41])
        for (const shape of heads) {
          const one = elaborated(itemsOf(name), use, { ...shape, length }, phase, seed++);
          const outputs = one.outputs();
          one.rows.forEach((row, n) => {
            expect(furthest(outputs[n]!, reference(row))).toBeLessThan(1e-9);
            const plain = furthest(outputs[n]!, dense.causal(row));
            if (length > 12) expect(plain).toBeGreaterThan(1e-3);
            else if (length <= plainTo) expect(plain).toBeLessThan(1e-9);
          });
        }
    },
  );

  it("has the gradient of its reference", () => {
    const length = 13;
    const one = elaborated(itemsOf(name), use, { ...heads[1], length }, "training", 11);
    const output = one.graph.outputs.get("output")!;
    const square = mapNode(
      [output],
      e.mul(e.real(0.5), e.mul(e.operand(0), e.operand(0))),
      "square",
      output.axes,
    );
    const over = output.axes.slice(2).map((axis) => axis.name);
    const loss = reduceNode("sum", square, over, "loss");
    const paths = [...one.inputs.keys()];
    const scale: Float64Tensor = { shape: [], data: Float64Array.of(1) };
    const found = interpret(
      differentiate(graphOf({ loss }), paths),
      new Map([...one.inputs, ["input:loss-scale", scale]]),
      { batch: 2, length },
    );
    const next = randomNumbers(5);
    for (const path of paths) {
      const given = one.inputs.get(path)!;
      const gradient = found.get(`gradient:${path}`)!;
      const direction = given.data.map(() => 2 * next() - 1);
      const along = gradient.data.reduce((sum, x, n) => sum + x * direction[n]!, 0);
      const total = (step: number): number => {
        const moved = { shape: given.shape, data: given.data.map((x, n) => x + step * direction[n]!) };
        return one
          .rowsOf(new Map(one.inputs).set(path, moved))
          .reduce((sum, row) => sum + reference(row).reduce((all, x) => all + 0.5 * x * x, 0), 0);
      };
      const measured = (total(1e-6) - total(-1e-6)) / 2e-6;
      expect(Math.abs(along)).toBeGreaterThan(1e-6);
      expect(Math.abs(measured - along)).toBeLessThan(2e-6 * Math.max(1, Math.abs(along)));
    }
  });
});

describe("differential", () => {
  const settings = ["Small.width=16", "Small.layers=1", "Small.vocab=11"];
  const { project } = checkSpec(join(folder, "spec.lctx"), textOf("differential"), diskHost, settings);
  const model = project!.models.get("Small")!;
  const { logits } = stageGraphs(model, []);
  const sizes = { batch: 2, length: 9 };
  const given = randomInputs(logits, sizes, 4);
  const run = (change: (path: string, own: Float64Tensor) => Float64Tensor): Float64Array => {
    const inputs = new Map([...given].map(([path, own]) => [path, change(path, own)] as const));
    return interpret(logits, inputs, sizes, {}).get("logits")!.data;
  };
  type Change = (path: string, own: Float64Tensor) => Float64Tensor;
  const scaled =
    (factors: number): Change =>
    (path, own) =>
      /^layers\.0\.attn\.[abce]$/.test(path) ? { ...own, data: own.data.map((x) => factors * x) } : own;
  /** The second attention's queries and keys are made as those of the first. */
  const same =
    (factors: number): Change =>
    (path, own) => {
      const twin = /^(.*\.[qk])_less\.weight$/.exec(path);
      return twin === null ? scaled(factors)(path, own) : given.get(`${twin[1]}.weight`)!;
    };

  it("of two equal attentions is one attention, whatever the factor", () => {
    // (1 − factor) · attention, and the norm takes the factor away as long as it is below 1.
    expect(furthest(run(same(0)), run(same(0.1)))).toBeLessThan(1e-3);
    expect(furthest(run(scaled(0)), run(scaled(1)))).toBeGreaterThan(1e-2);
  });
});

describe("kernels", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openNative();
  });
  afterAll(() => device.close());

  // What teaches the tokens' index is compared in teach-pairs.test.ts.
  it("every spec of the folder has a case or is a model of its own", () => {
    expect(names.filter((name) => cases[name] === undefined)).toEqual(["differential", "token-index"]);
  });

  it.each(names)(
    "%s: loss, logits and gradients are the interpreter's",
    async (name) => {
      const settings = ["Small.width=16", "Small.layers=1", "Small.vocab=11"];
      const checked = checkSpec(join(folder, `${name}.lctx`), textOf(name), diskHost, settings);
      expect(checked.diagnostics.map(({ title }) => title)).toEqual([]);
      const model = checked.project!.models.get("Small")!;
      const all = model.parameters.map(({ path }) => path);
      // An index learns from its teacher alone.
      const left = leftByLoss(model, all);
      expect(left.length > 0).toBe(name === "token-index");
      const paths = all.filter((path) => !left.includes(path));
      const graphs = stageGraphs(model, paths);
      const { program, sources } = buildProgram({
        name: "Small",
        graphs,
        update: null,
        parameters: parameterInfos(model),
        maxLength: model.maxLength,
      });
      for (const length of [1, 17, 70]) {
        const sizes = { batch: 2, length };
        const inputs = new Map([
          ...randomInputs(graphs.logits, sizes, 3),
          ...randomInputs(graphs.train, sizes, 3),
        ]);
        const executable = await instantiate(program, sources, device, sizes, ["logits", "train"]);
        for (const [path, { data }] of inputs)
          if (all.includes(path) || path.startsWith("input:")) executable.tensor(path).set(data);
        const near = (what: string, want: Float64Tensor): void => {
          const largest = want.data.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
          const off = furthest(Float64Array.from(executable.tensor(what)), want.data);
          expect({ what, right: off <= 2e-4 * largest, off }).toEqual({ what, right: true, off });
        };
        for (const phase of ["logits", "train"] as const) {
          executable.run(phase, { seed: 1, step: 1 });
          for (const [output, want] of interpret(graphs[phase], inputs, sizes, { seed: 1, step: 1 }))
            near(output, want);
        }
        executable.close();
      }
    },
    300_000,
  );
});
