/** The specs of the language document become verified Graphs in every phase, with small sizes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { termOrder } from "../../compiler/check/model/term-order.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import { verifyGraph } from "../../compiler/ir/verify-graph.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { diskHost, root } from "../support/check-text.ts";
import { randomInputs } from "../support/random-values.ts";

const folder = join(root, "tests/fixtures/specs");
const names = readdirSync(folder).filter((name) => name.endsWith(".lctx"));

/** Pretrained and large models as small ones; each attention keeps its text. */
const small = (text: string): string =>
  text
    .replace(/^model (\w+) = [^{]*\{([^]*?)\}\n/m, (_, name: string, body: string) => {
      const attention = /attention \w+\([^)]*\)/.exec(body)![0].replace(/\(.*\)/, "()");
      return `model ${name} = decoder { vocab 40  layers 2  heads 4  kv_heads 2  width 16  length 48  ${attention} }\n`;
    })
    .replace(/^(evaluate|train|adapt) [^]*$/m, "");

describe.each(names)("%s", (name) => {
  it("is a verified graph in every phase", () => {
    const text = small(readFileSync(join(folder, name), "utf8"));
    const checked = checkSpec(name, text, diskHost);
    const errors = checked.diagnostics.filter(({ severity }) => severity === "error");
    expect(errors.map(({ code, title }) => `${code}: ${title}`)).toEqual([]);
    const model = [...checked.project!.models.values()][0]!;
    for (const phase of ["training", "evaluation", "decoding"] as const) {
      for (const term of termOrder(model.output))
        if (term.kind === "attention") expect(term.instance.phases[phase].unsupported).toEqual([]);
      const graph = modelToGraph(model, { phase, output: "logits" });
      verifyGraph(graph, `${name} ${phase}`);
    }
  });
});

it("adds the teachers of all layers for each counted token", () => {
  const text = small(readFileSync(join(folder, "seer-gate.lctx"), "utf8")).replace(
    "block: Count = 64",
    "block: Count = 4",
  );
  const model = [...checkSpec("seer-gate", text, diskHost).project!.models.values()][0]!;
  for (const phase of ["training", "evaluation"] as const) {
    const graph = modelToGraph(model, { phase, output: "teach" });
    verifyGraph(graph, phase);
    const sizes = { batch: 2, length: 11 };
    const inputs = randomInputs(graph, sizes, 4);
    const loss = interpret(graph, inputs, sizes).get("loss")!;
    const targets = inputs.get("input:targets")!.data;
    for (let row = 0; row < 2; row++) {
      const own = Array.from({ length: 11 }, (_, t) => row * 11 + t);
      const counted = own.filter((n) => targets[n] !== -1).map((n) => loss.data[n]!);
      expect(counted.length).toBeGreaterThan(0);
      expect(Math.min(...counted)).toBeGreaterThan(0);
      expect(new Set(counted).size).toBe(1);
      for (const n of own) if (targets[n] === -1) expect(loss.data[n]).toBe(0);
    }
    const layers = graph.nodes.filter((node) => node.kind === "pair-reduce");
    expect(layers.length).toBe(2);
  }
});
