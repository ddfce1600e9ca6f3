/** An emitted model.ts builds exactly the program it was written from. */
import { resolve } from "node:path";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { modelText } from "../../compiler/emit/emit-model.ts";
import { orderTensors } from "../../compiler/emit/order-tensors.ts";
import { printModel } from "../../compiler/emit/print-modules.ts";
import { literal, Names } from "../../compiler/emit/typescript.ts";
import { noTensor, type Program } from "../../runtime/program.ts";

const resolveDir = resolve(import.meta.dirname, "../../runtime");

const hostile = 'a"; process.exit(1); //\u2028*/ `${1}`';

const program: Program = {
  format: 1,
  name: `Tiny ${hostile}`,
  parameters: [
    {
      path: "embed.weight",
      shape: [7, 4],
      init: { kind: "normal", deviation: 0.02 },
      trainable: true,
    },
    {
      path: "norm.final.weight",
      shape: [4],
      init: { kind: "constant", value: 1 },
      trainable: false,
    },
    {
      path: "layers.0.class",
      shape: [4],
      init: { kind: "uniform", limit: 1e-7 },
      trainable: true,
    },
  ],
  tensors: [
    { id: 0, name: "input:tokens", dtype: "i32", shape: ["batch", "length"], role: "input" },
    { id: 1, name: "embed", dtype: "f32", shape: ["batch", ["+", "length", 3], 4], role: "activation" },
    { id: 2, name: "norm.final.weight", dtype: "f32", shape: [4], role: "parameter" },
    { id: 3, name: "layers.0.class", dtype: "f32", shape: [4], role: "parameter" },
    { id: 4, name: "embed.weight", dtype: "f32", shape: [7, 4], role: "parameter" },
    { id: 5, name: "loss", dtype: "f32", shape: ["batch", "length"], role: "output" },
    {
      id: 6,
      name: "scratch.1",
      dtype: "f32",
      shape: [["*", "threads", 64]],
      role: "scratch",
    },
  ],
  phases: {
    loss: {
      launches: [
        {
          kernel: "gather_0",
          label: `embed: gather ${hostile}`,
          buffers: [0, 4, 1],
          writes: [1],
          sizes: ["batch", ["*", "batch", "length"]],
          scalars: [],
        },
        {
          kernel: "rows_1",
          label: "norm.final: rows",
          buffers: [1, 2, 5, noTensor, 6],
          writes: [5],
          sizes: [],
          scalars: ["lr", 0.5, -0],
        },
      ],
    },
    train: { launches: [] },
    update: { launches: [] },
    logits: { launches: [] },
  },
  maxLength: 512,
  readsAhead: false,
};

async function runModel(text: string): Promise<Program> {
  const built = await build({
    stdin: {
      contents: text.replaceAll("./runtime/index.ts", "./program-writer.ts"),
      loader: "ts",
      resolveDir,
    },
    bundle: true,
    format: "esm",
    write: false,
  });
  const code = Buffer.from(built.outputFiles[0]!.contents).toString("base64");
  const loaded = (await import(`data:text/javascript;base64,${code}`)) as { model: Program };
  return loaded.model;
}

describe("model.ts", () => {
  it("builds the program it was written from, whatever names say", async () => {
    const ordered = orderTensors(program);
    const text = await printModel(modelText(ordered, `spec ${hostile}`), "./runtime/index.ts");
    expect(await runModel(text)).toEqual(ordered);
  });

  it("keeps every launch on its tensors when tensors are put in reading order", () => {
    const ordered = orderTensors(program);
    const name = (p: Program, id: number): string | undefined => p.tensors.find((t) => t.id === id)?.name;
    expect(ordered.tensors.map((tensor) => tensor.id)).toEqual(program.tensors.map((_, n) => n));
    for (const [n, launch] of ordered.phases.loss.launches.entries()) {
      const before = program.phases.loss.launches[n]!;
      expect(launch.buffers.map((id) => name(ordered, id))).toEqual(
        before.buffers.map((id) => name(program, id)),
      );
    }
  });
});

describe("typed text", () => {
  it("gives each text one identifier of its own", () => {
    const names = new Names(["run"]);
    const texts = ["layers.0.q", "layers 0 q", "class", "run", "0", "", "ünï", "layers.0.q"];
    const given = texts.map((text) => names.of(text));
    expect(given[0]).toBe(given.at(-1));
    expect(new Set(given).size).toBe(texts.length - 1);
    for (const name of given) expect(name).toMatch(/^[A-Za-z_$][A-Za-z0-9_$]*$/);
  });

  it("refuses numbers that have no literal", () => {
    expect(() => literal({ a: Number.NaN })).toThrow();
  });
});
