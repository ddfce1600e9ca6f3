/** The specs of the language document become verified Graphs in every phase, with small sizes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { termOrder } from "../../compiler/check/model/term-order.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { verifyGraph } from "../../compiler/ir/verify-graph.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { diskHost, root } from "../support/check-text.ts";

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
