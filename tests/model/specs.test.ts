/** The library and the specs of the language document elaborate, at their true sizes; mutated specs never crash. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkModels } from "../../compiler/check/model/check-models.ts";
import { applyOverrides } from "../../compiler/check/overrides.ts";
import { countParameters } from "../../compiler/check/model/model.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { verifyGraph } from "../../compiler/ir/verify-graph.ts";
import { modelToGraph, parameterInfos } from "../../compiler/lower/model-to-graph.ts";
import { optimizerToRule } from "../../compiler/lower/optimizer-to-rule.ts";
import { parseFile } from "../../grammar/parse.ts";
import { environmentOf, plainMethods } from "./support.ts";

const root = resolve(import.meta.dirname, "../..");

function check(text: string, overrides: readonly string[] = []) {
  const reporter = new Reporter();
  const { file, diagnostics } = parseFile("spec.lctx", text);
  reporter.addAll(diagnostics);
  const environment = applyOverrides(environmentOf(file), overrides, reporter);
  return { checked: checkModels(environment, reporter, plainMethods), reporter };
}

const codes = (reporter: Reporter): string[] => reporter.diagnostics.map((d) => d.code);
const clean = (text: string) => {
  const { checked, reporter } = check(text);
  expect(reporter.diagnostics).toEqual([]);
  return checked;
};

const small = "vocab 64   layers 2   heads 4   width 16   length 32";
const recipe = `train Small {
  data       tokens "fineweb-edu" length 32 packed by document validate 5%
  loss       next_token
  optimizer  adamw(lr: 6e-4, betas: (0.9, 0.95), decay: 0.1)
  schedule   warmup 7 then cosine to 6e-5 over 200
  batch      512 tokens
}`;
const trained = `model Small = decoder { ${small} }\n${recipe}`;

describe("the specs of the language", () => {
  it("reads the windowed decoder with its recipe", () => {
    const { models, recipes } = clean(`
      model Small = decoder { vocab 50_304   layers 12   heads 12   width 768   length 8192 }
      train Small {
        data       tokens "fineweb-edu" length 8192 packed by document
        loss       next_token
        optimizer  adamw(lr: 6e-4, betas: (0.9, 0.95), decay: 0.1)
        schedule   warmup 700 then cosine to 6e-5 over 20_000
        batch      524_288 tokens
        precision  bf16
      }`);
    // 2 · 50304 · 768 + 12 · (4 · 768² + 3 · 768 · 3072 + 2 · 768) + 768
    expect(countParameters(models.get("Small")!).all).toBe(190_532_352);
    const stage = recipes.get("Small")!.stages[0]!;
    expect(stage.batch).toEqual({ sequences: 64, accumulate: 1 });
    expect(stage.precision.name).toBe("bf16");
    expect(stage.trainable.size).toBe(111);
  });

  it("reads the small model with inserted tokens", () => {
    const { recipes } = clean(`
      model Small = decoder { vocab 50_304  layers 12  heads 8  width 1024  length 512 }
      train Small {
        data       tokens "pg19" length 512 insert landmark every 50
        loss       next_token except landmark
        optimizer  adamw(lr: 2e-3, betas: (0.9, 0.95), decay: 1e-3)
        schedule   warmup 2% then cosine over 240_000
        batch      128 sequences
      }`);
    const stage = recipes.get("Small")!.stages[0]!;
    expect(stage.data.insert).toEqual({ token: "landmark", every: 50 });
    expect(stage.loss.exceptToken).toBe("landmark");
    expect(stage.schedule).toEqual({
      warmup: { kind: "share", value: 0.02 },
      shape: "cosine",
      to: 0,
      steps: 240_000,
    });
  });

  it("reads a published model at its size, with longer rows and evaluation lengths", () => {
    const { models, evaluations } = clean(`
      model Long = pretrained "meta-llama/Llama-2-7b-hf" { length 131_072 }
      evaluate Long { task passkey at lengths 4096 to 131_072 doubling   metric exact_match }`);
    const model = models.get("Long")!;
    expect(countParameters(model).all).toBe(6_738_415_616);
    expect(model.length).toBe(131_072);
    expect(evaluations[0]!.tasks[0]!.lengths).toEqual([4096, 8192, 16384, 32768, 65536, 131_072]);
    verifyGraph(modelToGraph(model, { phase: "training", output: "loss" }), "lowering");
  });

  it("reads low-rank adapters beside trained norms and embeddings", () => {
    const { models, recipes } = clean(`
      model Base = pretrained "meta-llama/Llama-2-7b-hf" { length 32_768   rope interpolated(8) }
      adapt Base { lora(rank: 8, alpha: 16) on attn.{q, k, v, o}   train norm.*, embed }
      train Base {
        data       tokens "redpajama-sample" length 32_768
        loss       next_token
        optimizer  adamw(lr: 2e-5, betas: (0.9, 0.95), decay: 0)
        schedule   warmup 20 then constant over 1000
        batch      64 sequences
        precision  bf16
        recompute  layers
      }`);
    const model = models.get("Base")!;
    // 32 layers · 4 maps · 8 · (4096 + 4096), 65 norms, and the embedding.
    expect(countParameters(model).trainable).toBe(32 * 4 * 8 * 8192 + 65 * 4096 + 32_000 * 4096);
    expect(recipes.get("Base")!.stages[0]!.recompute).toBe("layers");
  });

  it("knows the sizes of Llama 3.1", () => {
    const { models } = clean(`
      model Fast = pretrained "meta-llama/Llama-3.1-8B-Instruct" { length 131_072 }
      evaluate Fast { task needle at lengths 8192 to 131_072 doubling   metric accuracy }`);
    expect(countParameters(models.get("Fast")!).all).toBe(8_030_261_248);
  });
});

describe("the library", () => {
  it("gives every model module and adapter a graph that verifies", () => {
    for (const base of ["decoder", "gpt2"]) {
      for (const adapter of [
        "lora(rank: 2, rate: 0.1) on attn.{q, v}",
        "ia3() on attn.k   ia3_input() on mlp.down",
        "prompt(length: 3) on embed",
        "prefix(length: 3) on attn",
        "bottleneck(size: 4) on attn, mlp",
        "parallel(size: 4) on mlp",
      ]) {
        const { models } = clean(`model Small = ${base} { ${small} }\nadapt Small { ${adapter} }`);
        const model = models.get("Small")!;
        for (const phase of ["training", "evaluation", "decoding"] as const)
          for (const output of ["loss", "logits"] as const)
            verifyGraph(modelToGraph(model, { phase, output }), "lowering");
        expect(parameterInfos(model).length).toBe(model.parameters.length);
      }
    }
  });

  it("parses without a message", () => {
    const files = readdirSync(join(root, "stdlib"), { recursive: true, encoding: "utf8" });
    for (const file of files.filter((name) => name.endsWith(".lctx")))
      expect(parseFile(file, readFileSync(join(root, "stdlib", file), "utf8")).diagnostics, file).toEqual([]);
  });

  it("gives every optimizer a rule", () => {
    for (const [name, states] of [
      ["adamw", 2],
      ["sgd", 1],
      ["lion", 1],
    ] as const) {
      const { recipes } = clean(trained.replace(/adamw\(.*\)/, `${name}(lr: 1e-3)`));
      const rule = optimizerToRule(recipes.get("Small")!.stages[0]!.optimizer, new Reporter());
      expect(rule!.states.length, name).toBe(states);
    }
  });
});

describe("overrides", () => {
  it("change settings, lines and arguments by the rules of the file", () => {
    const { checked, reporter } = check(trained, [
      "Small.layers=1",
      "train.batch=8 sequences",
      "train.seed=7",
      "train.optimizer.lr=1e-2",
    ]);
    expect(reporter.diagnostics).toEqual([]);
    const made = checked.recipes.get("Small")!;
    expect(made.seed).toBe(7);
    expect(made.model.settings.arguments.get("layers")).toMatchObject({ value: 1 });
    expect(made.stages[0]!.batch.sequences).toBe(8);
    expect(made.stages[0]!.optimizer.arguments.get("lr")).toMatchObject({ value: 0.01 });
  });

  it.each([
    ["Smal.layers", "1", "override-unknown"],
    ["Small.layer", "1", "setting-unknown"],
    ["Small.layers", "1.5", "count-not-whole"],
    ["train.speed", "1", "override-line-unknown"],
    ["Small.layers", "1 } mask all = true model Y = decoder { vocab 3", "override-unreadable"],
  ])("%s=%s is %s", (path, value, code) => {
    expect(codes(check(trained, [`${path}=${value}`]).reporter)).toContain(code);
  });
});

/** What a text imports, in its order. */
const importsOf = (text: string): string =>
  JSON.stringify(
    parseFile("spec.lctx", text).file.items.flatMap((item) =>
      item.kind !== "import" || item.from.kind !== "library"
        ? []
        : [[item.from.path.map((part) => part.text), item.names.map((name) => name.text)]],
    ),
  );

describe("mistakes", () => {
  it("never crash the checker", () => {
    const sources = [
      trained,
      `model Small = gpt2 { ${small} }\nadapt Small { lora(rank: 2) on attn.q train norm.* }\n${recipe}`,
      readFileSync(join(root, "stdlib/models/decoder.lctx"), "utf8") + trained,
      readFileSync(join(root, "stdlib/adapters.lctx"), "utf8") +
        trained +
        "\nadapt Small { prefix() on attn prompt() on embed }",
    ];
    const mutation = fc.record({
      source: fc.constantFrom(...sources),
      edits: fc.array(
        fc.record({
          at: fc.double({ min: 0, max: 1, noNaN: true }),
          drop: fc.nat(12),
          put: fc.constantFrom(
            "",
            " ",
            "x",
            "0",
            "-1",
            "width",
            "heads",
            "sum[i] ",
            "(",
            ")",
            "if bias then ",
            "true",
            "1.5",
            "* q",
            "attn",
            "[o]",
          ),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    });
    fc.assert(
      fc.property(mutation, ({ source, edits }) => {
        let text = source;
        for (const { at, drop, put } of edits) {
          const place = Math.floor(at * text.length);
          text = text.slice(0, place) + put + text.slice(place + drop);
        }
        // The library of these tests is read without reports: imports stay as they were.
        fc.pre(importsOf(text) === importsOf(source));
        const { checked, reporter } = check(text);
        for (const model of checked.models.values())
          if (!reporter.failed && model.parameters.length < 200)
            modelToGraph(model, { phase: "training", output: "logits" });
      }),
      { numRuns: 300 },
    );
  });
});
