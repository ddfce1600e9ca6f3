/** Tables of numbers from files beside a spec: what each layer and head is given, and what is wrong with a file. */
import { describe, expect, it } from "vitest";
import { checkSpec } from "../../compiler/check-spec.ts";
import type { SourceHost } from "../../compiler/check/environment.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { printGraph } from "../../compiler/ir/print-graph.ts";
import { diskHost } from "../support/check-text.ts";

const spec = (argument: string, type = "Count[layer, h]"): string => `import std.masks { causal }

attention Lines(budget: ${type} = 4) {
  select far[h, q] from k by s top budget always k == q where k <= q
  mask causal and k in far[h, q]
}

model Small = decoder {
  vocab 64   layers 2   heads 4   kv_heads 2   width 16   length 24
  attention Lines(${argument})
}
`;

function check(text: string, files: Readonly<Record<string, string>> = {}) {
  const host: SourceHost = { ...diskHost, read: (path) => files[path] ?? null };
  return checkSpec("spec.lctx", text, host);
}

const codes = (text: string, files: Readonly<Record<string, string>> = {}): readonly string[] =>
  check(text, files)
    .diagnostics.filter(({ severity }) => severity === "error")
    .map(({ code }) => code);

/** The budgets of the choices of a model, layer by layer. */
function budgets(text: string, files: Readonly<Record<string, string>> = {}): readonly string[] {
  const model = check(text, files).project!.models.get("Small")!;
  const graph = printGraph(modelToGraph(model, { phase: "evaluation", output: "logits" }));
  return [...graph.matchAll(/ top (\{.*?\}) of/g)].map((match) => match[1]!);
}

const byLayer = { "best.json": "[[11, 12, 13, 14], [15, 15, 15, 15]]" };

describe("tables from files", () => {
  it("give each layer and head its own number", () => {
    const [first, second] = budgets(spec('table "best.json"'), byLayer);
    for (const n of ["11", "12", "13", "14"]) expect(first).toContain(n);
    expect(first).not.toContain("15");
    expect(second).toBe("{15}");
  });

  it("may be one number, a number a layer, or a number a head", () => {
    const one = budgets(spec("7"));
    expect(one).toHaveLength(2);
    expect(new Set(one).size).toBe(1);
    expect(one[0]).toContain("7");
    const layers = budgets(spec('table "l.json"', "Count[layer]"), { "l.json": "[3, 6]" });
    expect(layers.map((text) => /\d+/.exec(text)![0])).toEqual(["3", "6"]);
    const heads = budgets(spec('table "h.json"', "Count[h]"), { "h.json": "[1, 1, 8, 8]" });
    expect(heads[0]).toBe(heads[1]);
    expect(heads[0]).toContain("8");
  });

  it("count among the texts that a build depends on", () => {
    expect([...check(spec('table "best.json"'), byLayer).sources.keys()]).toEqual(["spec.lctx", "best.json"]);
  });

  it("are refused where file, numbers or sizes are wrong", () => {
    const given = (text: string) => codes(spec('table "best.json"'), { "best.json": text });
    expect(codes(spec('table "absent.json"'))).toEqual(["table-file-unknown"]);
    expect(codes(spec('table "/etc/best.json"'), { "/etc/best.json": "[[1]]" })).toEqual([
      "table-file-unknown",
    ]);
    for (const text of ["[[1, 2", '{"a": 1}', "[[1, 2], [3]]", '[["a"]]', "[]", "[[], []]"])
      expect(given(text), text).toEqual(["table-unreadable"]);
    expect(given("[1, 2, 3, 4]")).toEqual(["table-axes"]);
    expect(given("[[1, 2, 3, 0.5], [1, 1, 1, 1]]")).toEqual(["count-not-whole"]);
    expect(given("[[1, 2, 3, 4]]")).toEqual([]);
    expect(given("[[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]]")).toEqual(["table-size"]);
    expect(given("[[1, 2], [3, 4]]")).toEqual(["table-size"]);
    expect(codes(spec('table "u.json"', "Count[u]"), { "u.json": "[1, 2]" })).toContain("axis-unknown");
  });
});
